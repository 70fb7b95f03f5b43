//! Missing referrals: orders that a customer says were theirs to refer. What is told of them, to whom,
//! and what the merchant's decision makes of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod cut_off;
mod decisions;
mod limits;
mod lookups;

use passalong_core::time::{HOUR, Instant, MINUTE};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, World, conversion, get, me, post, post_as, start};

fn begun() -> Instant {
    start().plus(HOUR)
}

/// Two advocates and a friend are known.
fn world(terms: &Value) -> World {
    let world = World::with(terms);
    for customer in ["10023", "10024", "20871"] {
        assert_eq!(world.send(start(), &me(start(), customer)).status, 200);
    }
    world
}

/// Runs the cron every half hour from `from` for so many hours.
fn live(world: &World, from: Instant, hours: i64) {
    for half in 0..=2 * hours {
        world.cron_until_done(from.plus(half * HOUR / 2));
    }
}

/// An order that brings no proof, by a new customer.
fn order(now: Instant, id: &str, friend: &str) -> Request {
    conversion(now, id, friend, "", &json!({ "code": null }))
}

/// The same, with the number that people see.
fn numbered(now: Instant, id: &str, number: &str) -> Request {
    let change = json!({ "code": null, "order_number": number });
    conversion(now, id, "20871", "", &change)
}

/// A customer reports the order of that number, of 2 November.
fn report(now: Instant, customer: &str, number: &str) -> Request {
    let body = json!({ "order_number": number, "ordered_on": "2026-11-02" });
    post_as(now, customer, "/v1/me/claims", &body)
}

fn ok(world: &World, now: Instant, request: &Request) -> Value {
    let answer = world.send(now, request);
    assert!(matches!(answer.status, 200..=202), "{answer:?}");
    answer.body
}

/// The reports that the merchant is to decide on.
fn found(world: &World, now: Instant) -> Vec<Value> {
    ok(world, now, &get("/v1/claims"))["claims"].as_array().unwrap().clone()
}

fn decide(world: &World, now: Instant, claim: &Value, decision: &str) -> Answer {
    let body = json!({ "decision": decision, "customer_id": claim["customer_id"] });
    decide_as(world, now, claim, &body)
}

fn decide_as(world: &World, now: Instant, claim: &Value, body: &Value) -> Answer {
    let path = format!("/v1/rewards/{}/review", claim["id"].as_str().unwrap());
    world.send(now, &post(&path, body))
}

/// What a customer sees of the reports: number and status, newest first.
fn claims(world: &World, now: Instant, customer: &str) -> Vec<(String, String)> {
    let me = ok(world, now, &me(now, customer));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let claim = |claim: &Value| (text(&claim["order_number"]), text(&claim["status"]));
    me["claims"].as_array().unwrap().iter().map(claim).collect()
}

/// Status, reason and amount of a customer's latest referral.
fn latest(world: &World, now: Instant, customer: &str) -> Value {
    let me = ok(world, now, &me(now, customer));
    let reward = &me["referrals"][0]["reward"];
    json!([reward["status"], reward["reason"], reward["value"]["amount"]])
}

const LOOKED_AGAIN: i64 = 20 * MINUTE;
