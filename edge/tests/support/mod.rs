//! A store in memory that fails on command, and a world around it: a clock set by the test, an
//! isolate, requests and the cron as the platform would send them.
//!
//! It is a tool to cut requests off and to interleave them, not a model of KV: a write is visible
//! everywhere at once, and nothing here is ever stale.
#![allow(dead_code, unused_imports, reason = "each test target uses its part of it")]

mod memory;
mod requests;

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use passalong_core::ids::CustomerId;
use passalong_core::keys::{ProgramKeys, Secrets};
use passalong_core::shop::ShopSecrets;
use passalong_core::time::Instant;
use passalong_core::wire::CronReport;
use passalong_edge::http::Request;
use passalong_edge::isolate::{Config, Isolate};
use passalong_edge::store::{Context, StoreError};
use passalong_edge::{clicks, cron, outbox, respond};
use serde_json::{Value, json};

pub use memory::{Fault, Memory, Posted};
pub use requests::{
    CONFLICT, choose_alias, conversion, delete, erase, event, get, get_as, me, post, post_as,
    program_terms, read_order, redirect, secret, share,
};

pub const PROGRAM: &str = "teehaus";

/// When the program of every world began.
pub fn start() -> Instant {
    at("2026-11-02T08:00:00Z")
}

pub fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

/// What came back, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
    /// The body as it came.
    pub text: String,
    pub operations: (u32, u32, u32),
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub fn spent(&self) -> u32 {
        self.operations.0 + self.operations.1 + self.operations.2
    }
}

/// A deployment: its store, its configuration and one isolate.
pub struct World {
    pub memory: Memory,
    pub config: Config,
    pub isolate: Isolate,
    pub keys: ProgramKeys,
}

impl World {
    /// A world with the program `teehaus`: preset 20-10, settled an hour after the order.
    pub fn new() -> Self {
        Self::with(&json!({}))
    }

    /// The same, with other terms.
    pub fn with(terms: &Value) -> Self {
        let known: Value =
            serde_json::from_str(include_str!("../../../core/fixtures/secrets.json")).unwrap();
        let text = |name: &str| known[name].as_str().unwrap().to_owned();
        let secrets =
            Secrets::parse(&text("signing_keys"), &text("merchant_key"), &text("pseudonym_key"))
                .unwrap();
        let keys = secrets.program(&PROGRAM.parse().unwrap());
        let config =
            Config { secrets, shops: ShopSecrets::default(), test_clock: false, debug: false };
        let world = Self { memory: Memory::default(), config, isolate: Isolate::default(), keys };
        let answer = world.send(start(), &program_terms(terms));
        assert_eq!(answer.status, 201, "{answer:?}");
        world
    }

    fn of(secrets: Secrets) -> Self {
        let keys = secrets.program(&PROGRAM.parse().unwrap());
        let config =
            Config { secrets, shops: ShopSecrets::default(), test_clock: false, debug: false };
        Self { memory: Memory::default(), config, isolate: Isolate::default(), keys }
    }

    /// Another world with the same store's content, its isolate warm.
    pub fn twin(&self) -> Self {
        let twin = Self::of(self.config.secrets.clone());
        self.memory.copy_to(&twin.memory);
        assert_eq!(twin.send(start(), &get("/v1/program")).status, 200);
        twin
    }

    /// A new isolate that remembers nothing.
    pub fn restart(&mut self) {
        self.isolate = Isolate::default();
    }

    pub fn customer(&self, id: &str) -> String {
        self.keys.customer(&id.parse::<CustomerId>().unwrap()).to_string()
    }

    pub fn code(&self, id: &str) -> String {
        passalong_core::code::issue(&self.keys, self.keys.customer(&id.parse().unwrap()))
    }

    /// Runs to the end. Sleeping takes no time: when nothing else can go on, the clock jumps to
    /// the next alarm.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        futures_executor::block_on(std::future::poll_fn(|task| match future.as_mut().poll(task) {
            Poll::Ready(output) => Poll::Ready(output),
            Poll::Pending => {
                if !self.memory.has_moved() {
                    self.memory.wake_next_sleeper();
                }
                task.waker().wake_by_ref();
                Poll::Pending
            }
        }))
    }

    /// A request and, as on the platform, what is left to do after its answer.
    pub async fn answer(&self, isolate: &Isolate, now: Instant, request: &Request) -> Answer {
        self.memory.set_now(now);
        let cx = Context::new(&self.memory, isolate, &self.config, now);
        let (response, after) = respond(&cx, request).await;
        let answer = Answer {
            status: response.status,
            headers: response.headers,
            body: serde_json::from_slice(&response.body).unwrap_or_default(),
            text: String::from_utf8(response.body).unwrap(),
            operations: cx.operations(),
        };
        let announced = cx.announced.take();
        if answer.status < 400 {
            let cx = Context::new(&self.memory, isolate, &self.config, now);
            outbox::deliver(&cx, &announced).await;
        }
        if let Some(target) = after {
            let cx = Context::new(&self.memory, isolate, &self.config, now);
            let _lost_at_worst = clicks::flush(&cx, &target).await;
        }
        answer
    }

    pub fn send(&self, now: Instant, request: &Request) -> Answer {
        self.run(self.answer(&self.isolate, now, request))
    }

    /// Several requests at once, each taking its turns at the store.
    pub fn send_all(&self, requests: &[(Instant, Request)]) -> Vec<Answer> {
        let all = requests.iter().map(|(now, request)| self.answer(&self.isolate, *now, request));
        self.run(futures_util::future::join_all(all))
    }

    pub async fn cron_run(
        &self,
        isolate: &Isolate,
        now: Instant,
    ) -> Result<CronReport, StoreError> {
        self.memory.set_now(now);
        let cx = Context::new(&self.memory, isolate, &self.config, now);
        cron::run(&cx).await
    }

    pub fn try_cron(&self, now: Instant) -> Result<CronReport, StoreError> {
        self.run(self.cron_run(&self.isolate, now))
    }

    pub fn cron(&self, now: Instant) -> CronReport {
        self.try_cron(now).unwrap()
    }

    /// Runs the cron every five minutes until it has nothing left to do; every report.
    pub fn cron_until_done(&self, mut now: Instant) -> Vec<CronReport> {
        let mut reports = Vec::new();
        while reports.last().is_none_or(|report: &CronReport| !report.done) {
            assert!(reports.len() < 60, "the cron never ends: {:?}", reports.last());
            reports.push(self.cron(now));
            now = now.plus(300);
        }
        reports
    }

    /// The rewards an order has come to: role, status and reason, in order.
    pub fn rewards(&self, now: Instant, order: &str) -> Vec<[String; 3]> {
        let story = self.send(now, &read_order(order));
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let rewards = story.body["rewards"].as_array().cloned().unwrap_or_default();
        rewards
            .iter()
            .map(|reward| ["for", "status", "reason"].map(|name| text(&reward[name])))
            .collect()
    }
}
