//! Histories told step by step: the real handlers and the real cron on the model of the store, with
//! every time, place and delay said outright. Where a random history asks whether anything goes
//! wrong, a told one says what must come of a certain order of things.
//!
//! ```
//! let mut told = passalong_sim::Told::new(&serde_json::json!({}));
//! told.at("2026-11-03T10:00");
//! told.order("1").of("ben").code("anna").send();
//! told.until_quiet();
//! assert_eq!(told.owed("anna"), 1_000);
//! told.is_sound();
//! ```
#![allow(clippy::missing_panics_doc, reason = "what a script takes for granted ends it")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use passalong_core::code;
use passalong_core::keys::{ProgramKeys, Secrets};
use passalong_core::shop::ShopSecrets;
use passalong_core::time::{Instant, Minute};
use passalong_edge::cron;
use passalong_edge::http::Request;
use passalong_edge::isolate::Config;
use passalong_edge::store::Context;
use passalong_edge::{clicks, respond};
use serde_json::{Value, json};

use crate::accountant::Ledgerbook;
use crate::kv::{Kv, Staleness};
use crate::machine::{ISOLATES, LOCATIONS, Machine, TaskId};
use crate::place::Place;
use crate::requests::request;
use crate::story::{HOUR, MINUTE, SECOND};

mod order;
mod people;
mod rest;

pub use order::Order;

const PROGRAM: &str = "teehaus";
/// No location is later than this: inside the bound that the design assumes.
const BOUND: u64 = 8 * MINUTE;
/// Nothing waits longer than this, in steps of the cron.
const PATIENCE: u32 = 2_000;

/// Status and body.
pub type Heard = (u16, Value);

pub struct Told {
    machine: Rc<Machine>,
    ledgerbook: Rc<RefCell<Ledgerbook>>,
    answers: Rc<RefCell<Vec<(TaskId, Heard)>>>,
    keys: ProgramKeys,
    operator_key: String,
    api_key: String,
    identity_secret: String,
    /// The terms as they were put last.
    terms: Value,
    people: BTreeSet<String>,
    /// Where the next requests arrive.
    place: usize,
    serial: u32,
}

impl Told {
    /// A program is made and known everywhere. It gives the advocate 10 % of a friend's first
    /// purchase, an hour after it; `changes` say what is otherwise.
    pub fn new(changes: &Value) -> Self {
        let known: Value =
            serde_json::from_str(include_str!("../../../core/fixtures/secrets.json")).unwrap();
        let text = |name: &str| known[name].as_str().unwrap().to_owned();
        let secrets =
            Secrets::parse(&text("signing_keys"), &text("merchant_key"), &text("pseudonym_key"))
                .unwrap();
        let id = PROGRAM.parse().unwrap();
        let start: Instant = "2026-11-01T08:00:05Z".parse().unwrap();
        let staleness =
            Staleness { bound: BOUND, late: 0, flapping: 0, page: 1_000, empty_pages: 0 };
        let (keys, api_key) = (secrets.program(&id), secrets.api_key(&id, 1));
        let identity_secret = secrets.identity_secret(&id, 1);
        let config =
            Config { secrets, shops: ShopSecrets::default(), test_clock: false, debug: false };
        let mut told = Self {
            machine: Rc::new(Machine::new(start, 1, Kv::new(1, staleness), config)),
            ledgerbook: Rc::default(),
            answers: Rc::default(),
            keys,
            operator_key: text("operator_key"),
            api_key,
            identity_secret,
            terms: Value::Null,
            people: BTreeSet::new(),
            place: 0,
            serial: 0,
        };
        told.begin(changes);
        told
    }

    fn begin(&mut self, changes: &Value) {
        let mut terms = json!({
            "id": PROGRAM, "name": "Teehaus Nord", "landing_url": "https://shop.example/willkommen",
            "hold": { "from": "order", "days": 0, "fallback_days": 0 },
            "rewards": [{ "for": "advocate", "trigger": "first_purchase",
                          "value": { "kind": "percent_of_order", "basis_points": 1_000 } }],
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            terms[name] = value.clone();
        }
        let sent = request("POST", "/v1/programs", &self.operator_key, Some(&terms));
        let (status, answer) = self.ask(sent);
        assert_eq!(status, 201, "{answer}");
        self.terms = answer["program"].clone();
        for name in ["version", "valid_from", "plain_terms"] {
            self.terms.as_object_mut().unwrap().remove(name);
        }
        self.wait(20);
    }

    fn now(&self) -> u64 {
        self.machine.now.get()
    }

    fn instant(&self) -> Instant {
        Instant::from_seconds(i64::try_from(self.now() / SECOND).unwrap())
    }

    /// Goes on at that time, `2026-11-03T10:00`, a few seconds past the minute.
    pub fn at(&mut self, time: &str) -> &mut Self {
        let at: Instant = format!("{time}:05Z").parse().unwrap();
        let at = u64::try_from(at.seconds()).unwrap() * SECOND;
        assert!(at >= self.now(), "{time} is over");
        self.go_to(at);
        self
    }

    pub fn wait(&mut self, minutes: u64) -> &mut Self {
        self.go_to(self.now() + minutes * MINUTE);
        self
    }

    pub fn wait_days(&mut self, days: u64) -> &mut Self {
        self.wait(days * 24 * 60)
    }

    fn go_to(&mut self, at: u64) {
        self.finish();
        self.machine.now.set(at.max(self.now()));
    }

    /// Whatever is under way comes to its end.
    fn finish(&self) {
        while self.machine.step().is_some() {}
    }

    /// The next requests arrive at that location, from 0 to 2.
    pub fn from(&mut self, place: usize) -> &mut Self {
        assert!(place < LOCATIONS);
        self.place = place;
        self
    }

    /// For so many minutes that location sees nothing that is written from now on under keys that
    /// begin so; with an empty beginning, nothing at all.
    pub fn hold_back(&mut self, keys: &str, place: usize, minutes: u64) -> &mut Self {
        assert!(minutes * MINUTE <= BOUND, "nothing is held back for longer than {BOUND}");
        let until = self.now() + minutes * MINUTE;
        self.machine.kv.borrow_mut().held.push((keys.to_owned(), place, until));
        self
    }

    /// Sends a request, whose answer comes when time goes on.
    fn send(&self, sent: Request) -> TaskId {
        let (machine, isolate) = (Rc::clone(&self.machine), self.place * ISOLATES);
        let (memory, now) = (machine.isolate(isolate), machine.instant(isolate));
        let (ledgerbook, answers) = (Rc::clone(&self.ledgerbook), Rc::clone(&self.answers));
        let slip = ledgerbook.borrow_mut().send(&sent, machine.now.get());
        let inner = Rc::clone(&machine);
        machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let (response, after) = respond(&cx, &sent).await;
            let text = || Value::String(String::from_utf8_lossy(&response.body).into_owned());
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_else(|_| text());
            ledgerbook.borrow_mut().hear(slip, response.status, Rc::new(body.clone()));
            answers.borrow_mut().push((inner.current(), (response.status, body)));
            if let Some(target) = after {
                let cx = Context::new(&place, &memory, &inner.config, now);
                let _is_only_counted = clicks::flush(&cx, &target).await;
            }
        })
    }

    fn heard(&self, task: TaskId) -> Option<Heard> {
        let mut answers = self.answers.borrow_mut();
        let place = answers.iter().position(|(of, _)| *of == task)?;
        Some(answers.remove(place).1)
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, sent: Request) -> Heard {
        let task = self.send(sent);
        loop {
            if let Some(heard) = self.heard(task) {
                return heard;
            }
            assert!(self.machine.step().is_some(), "no answer ever comes");
        }
    }

    /// Sends requests at once, each to its location, and waits for all answers.
    pub fn at_once(&mut self, sent: Vec<(usize, Request)>) -> Vec<Heard> {
        let before = self.place;
        let mut tasks = Vec::new();
        for (place, sent) in sent {
            self.place = place;
            tasks.push(self.send(sent));
        }
        self.place = before;
        self.finish();
        tasks.into_iter().map(|task| self.heard(task).expect("an answer")).collect()
    }

    fn start_cron(&self, place: usize) {
        let (machine, isolate) = (Rc::clone(&self.machine), place * ISOLATES);
        let (memory, now) = (machine.isolate(isolate), machine.instant(isolate));
        let inner = Rc::clone(&machine);
        machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let _goes_on_next_time = cron::run(&cx).await;
        });
    }

    /// The cron runs at a location, to its end.
    pub fn cron(&mut self, place: usize) -> &mut Self {
        self.crons(&[place])
    }

    /// The cron runs at several locations at once.
    pub fn crons(&mut self, places: &[usize]) -> &mut Self {
        self.finish();
        for place in places {
            self.start_cron(*place);
        }
        self.finish();
        self
    }

    /// The cron runs at a location and dies with its isolate, so many steps later.
    pub fn cron_that_dies(&mut self, place: usize, steps: u32) -> &mut Self {
        self.finish();
        self.start_cron(place);
        for _ in 0..steps {
            self.machine.step();
        }
        self.machine.kill_isolate(place * ISOLATES);
        self.finish();
        self
    }

    /// When there is something to do for the cron: at once where nobody said when.
    fn next_look(&self) -> Option<u64> {
        let kv = self.machine.kv.borrow();
        let minute = |key: &str| {
            let minute: Minute = key.split('/').nth(1)?.parse().ok()?;
            Some(u64::try_from(minute.start().seconds()).ok()? * SECOND)
        };
        // There is always another day of clicks.
        let waiting = kv.standing("todo.", self.now()).map(|(key, _)| key);
        let waiting = waiting
            .filter(|key| !key.starts_with("todo.days/") && !key.starts_with("todo.folded/"));
        // What is erased is erased again for a week.
        waiting.map(|key| minute(key).unwrap_or(self.now() + 6 * HOUR)).min()
    }

    /// Time goes on, with the cron at every location in turn, until nothing is left to do.
    pub fn until_quiet(&mut self) -> &mut Self {
        self.finish();
        for run in 0..PATIENCE {
            let Some(next) = self.next_look() else {
                self.go_to(self.now() + BOUND + 3 * MINUTE);
                return self;
            };
            let soon = self.now() + 5 * MINUTE;
            self.go_to(soon.max(next + 20 * SECOND));
            self.cron(usize::try_from(run).unwrap() % LOCATIONS);
        }
        let kv = self.machine.kv.borrow();
        let left: Vec<&str> = kv.standing("todo.", self.now()).map(|(key, _)| key).collect();
        let first = left.first();
        panic!("there is always something to do: {} times, as {first:?}", left.len());
    }

    /// The referral code of a customer, who is known from then on.
    pub fn code(&mut self, customer: &str) -> String {
        self.people.insert(customer.to_owned());
        let code = code::issue(&self.keys, self.keys.customer(&customer.parse().unwrap()));
        self.ledgerbook.borrow_mut().introduce(customer, &code);
        code
    }
}
