//! What the merchant is told, whatever fails on the way: at least once, under the same id, signed,
//! on schedule, and never at the expense of money.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod endpoints;
mod schedule;
mod stored;
mod told;

use std::collections::BTreeSet;

use passalong_core::time::Instant;
use passalong_core::webhook::SendProblem;
use passalong_edge::http::Request;
use serde_json::json;
use support::{Posted, World, conversion, post, start};

const URL: &str = "https://shop.example/hooks";
const OTHER: &str = "https://erp.example/in";

impl World {
    /// A world with endpoints; the URL, its id and its secret.
    fn telling(urls: &[(&str, &[&str])]) -> (Self, Vec<(String, String)>) {
        let world = Self::new();
        let endpoints = urls.iter().map(|(url, types)| world.endpoint(url, types)).collect();
        (world, endpoints)
    }

    fn endpoint(&self, url: &str, types: &[&str]) -> (String, String) {
        let answer =
            self.send(start(), &post("/v1/webhooks", &json!({ "url": url, "types": types })));
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    fn order(&self, now: Instant, number: u32) -> Request {
        let code = self.code("10023");
        conversion(now, &format!("A-{number}"), &format!("friend-{number}"), &code, &json!({}))
    }

    fn answers(&self, url: &str, answer: Result<u16, SendProblem>) {
        self.memory.receivers.borrow_mut().insert(url.to_owned(), answer);
    }

    /// What was sent since the last look.
    fn posted(&self) -> Vec<Posted> {
        self.memory.posted.take()
    }

    /// The cron every five minutes, up to and with that instant.
    fn crons(&self, from: Instant, to: Instant) {
        let mut now = from;
        while now <= to {
            self.cron(now);
            self.memory.advance(300_000);
            now = now.plus(300);
        }
    }
}

fn types(posted: &[Posted]) -> Vec<&str> {
    posted.iter().map(|posted| posted.body["type"].as_str().unwrap()).collect()
}

fn ids(posted: &[Posted]) -> BTreeSet<&str> {
    posted.iter().map(|posted| posted.headers["webhook-id"].as_str()).collect()
}
