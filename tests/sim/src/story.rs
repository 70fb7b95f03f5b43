//! The story: what shops, customers and visitors do in one history, and what they are told. All
//! they do is drawn from the seed: they retry, send twice at once, report late, report one order
//! twice, lie, order as guests, cancel and order again, and have themselves erased.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use passalong_core::click_token::ClickToken;
use passalong_core::code;
use passalong_core::ids::{CustomerPseudonym, Digest, OrderId, OrderPseudonym};
use passalong_core::keys::{ProgramKeys, Secrets};
use passalong_core::report::{ConversionReport, EventReport, EventType};
use passalong_core::time::{Day, Instant, Minute};
use passalong_edge::cron::{self, BUDGET};
use passalong_edge::http::Request;
use passalong_edge::isolate::Config;
use passalong_edge::store::Context;
use passalong_edge::{clicks, respond};
use serde_json::{Value, json};

use crate::kv::{Kv, Staleness};
use crate::machine::{Faults, ISOLATES, LOCATIONS, Machine, Next, Place, TaskId};
use crate::oracle;
use crate::random::Random;
use crate::requests::{click, identity_token, request};

pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
const CRON_EVERY: u64 = 5 * MINUTE;

/// How the store is: inside the bound the design assumes, or beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Inside,
    Beyond,
}

/// A program as the story knows it.
pub struct Program {
    pub id: String,
    pub keys: ProgramKeys,
    api_key: String,
    identity_secret: String,
    terms: Value,
    pub advocates: Vec<String>,
    pub friends: Vec<String>,
}

impl Program {
    pub fn pseudonym(&self, customer: &str) -> CustomerPseudonym {
        self.keys.customer(&customer.parse().unwrap())
    }

    fn code(&self, customer: &str) -> String {
        code::issue(&self.keys, self.pseudonym(customer))
    }
}

/// The hash of a customer's e-mail address.
pub fn hint(customer: &str) -> String {
    customer.bytes().cycle().take(32).map(|byte| format!("{byte:02x}")).collect()
}

/// A report as it was sent, however often.
#[derive(Debug, Clone)]
pub struct SentReport {
    pub program: usize,
    pub order_id: String,
    pub order: OrderPseudonym,
    pub report: oracle::Report,
    pub sent: bool,
    pub acked: Option<Value>,
}

#[derive(Debug, Clone)]
pub struct SentEvent {
    pub program: usize,
    pub order: OrderPseudonym,
    /// The pseudonym of its id.
    pub event: Digest,
    pub digest: Digest,
    pub kind: EventType,
    pub amount: i64,
    pub occurred_at: Instant,
    pub sent: bool,
    /// Acknowledged then; whether its order was known.
    pub acked: Option<(u64, bool)>,
}

/// Who is asked for what.
#[derive(Debug, Clone)]
enum What {
    Report(usize),
    Event(usize),
    Click { program: usize, advocate: usize, visitor: u32 },
    Me { program: usize, advocate: usize },
    Rewards { program: usize },
    Read { program: usize, order_id: String },
    Fulfil { program: usize, id: String, reference: u64 },
    Erase { program: usize, customer: String },
    Terms { program: usize, terms: Value },
    Codes { program: usize },
    Share { program: usize, advocate: usize },
}

struct Errand {
    what: What,
    body: Option<Value>,
    tries: u32,
    done: bool,
}

struct Answer {
    task: TaskId,
    status: u16,
    has_pa: bool,
    body: Value,
    isolate: usize,
    minute: Minute,
}

/// What the tasks leave behind.
#[derive(Default)]
struct Outbox {
    answers: Vec<Answer>,
    violations: Vec<String>,
    lost_batches: Vec<(TaskId, clicks::Target)>,
    breaches: u32,
}

/// A visitor's click that was answered with `pa`.
#[derive(Debug, Clone)]
pub struct Clicked {
    pub program: usize,
    pub advocate: usize,
    pub visitor: u32,
    pub day: Day,
    pub at: u64,
    pub isolate: usize,
    pub lost: bool,
}

pub struct Story {
    pub machine: Rc<Machine>,
    pub mode: Mode,
    pub programs: Vec<Program>,
    pub reports: Vec<SentReport>,
    pub events: Vec<SentEvent>,
    pub clicked: Vec<Clicked>,
    /// When an erasure was acknowledged last.
    pub erased: BTreeMap<(usize, String), u64>,
    pub fulfilled: BTreeMap<(usize, String), Vec<Value>>,
    pub violations: Vec<String>,
    pub breaches: u32,
    pub steps: u32,
    /// By digest: a program's reports and events.
    pub by_digest: BTreeMap<(usize, Digest), usize>,
    pub events_by_digest: BTreeMap<(usize, Digest), usize>,
    random: Random,
    errands: Vec<Errand>,
    tasks: BTreeMap<TaskId, usize>,
    crons: BTreeSet<TaskId>,
    outbox: Rc<RefCell<Outbox>>,
    outages: Vec<(u64, u64)>,
    actions_left: u32,
    next_erasure_sweep: u64,
    folded_day: u64,
    draining: bool,
    serial: u32,
}

const CRON_TICK: usize = 0;
const ACTION: usize = 1;
const ERRANDS: usize = 10;

fn staleness(random: &mut Random, mode: Mode) -> Staleness {
    let bound = match mode {
        Mode::Inside => 8 * MINUTE,
        Mode::Beyond => 3 * HOUR,
    };
    Staleness {
        bound,
        late: random.pick(&[0, 100, 400, 800, 1_000]),
        flapping: random.pick(&[0, 0, 20, 200]),
        page: random.pick(&[2, 3, 7, 50, 1_000, 1_000]),
        empty_pages: random.pick(&[0, 0, 50, 300]),
    }
}

fn faults(random: &mut Random) -> Faults {
    Faults {
        writes: random.pick(&[0, 10, 50, 200]),
        hard: random.pick(&[0, 0, 3, 20]),
        kills: random.pick(&[0, 0, 5, 20, 60]),
        isolates: random.pick(&[0, 0, 1, 5]),
        slow: random.pick(&[0, 2, 20]),
    }
}

fn terms(random: &mut Random, id: &str) -> Value {
    let hold = random.pick(&[
        json!({ "from": "order", "days": 0, "fallback_days": 0 }),
        json!({ "from": "order", "days": 0, "fallback_days": 0 }),
        json!({ "from": "order", "days": 1, "fallback_days": 1 }),
        json!({ "from": "delivered", "days": 0, "fallback_days": 2 }),
        json!({ "from": "delivered", "days": 1, "fallback_days": 3 }),
    ]);
    let cap = random.pick(&[
        Value::Null,
        json!({ "count": 2, "amount": null, "per": "total" }),
        json!({ "count": null, "amount": 1_500, "per": "total" }),
        json!({ "count": 1, "amount": null, "per": "year" }),
    ]);
    let trigger = random.pick(&["first_purchase", "every_purchase"]);
    let friend = random.pick(&[
        json!({ "for": "friend", "trigger": "first_purchase", "when": "at_once",
                "value": { "kind": "percent_off", "basis_points": 1_000 } }),
        json!({ "for": "friend", "trigger": "first_purchase", "when": "earned",
                "value": { "kind": "credit", "amount": 500, "currency": "EUR" } }),
    ]);
    let least = random.pick(&[Value::Null, Value::Null, json!(3_000)]);
    json!({
        "id": id, "preset": "20-10", "name": "Teehaus Nord",
        "landing_url": "https://shop.example/willkommen", "hold": hold,
        "paused": random.permille(30),
        "attribution": { "model": "last_click", "window_days": random.pick(&[1, 30]),
                         "new_customers_only": random.permille(500), "bound_days": 0 },
        "rewards": [
            { "for": "advocate", "trigger": trigger, "minimum_order": least, "cap": cap,
              "value": { "kind": "percent_of_order", "basis_points": random.pick(&[2_000, 1_333]) } },
            friend,
        ],
    })
}

impl Story {
    pub fn new(seed: u64, mode: Mode) -> Self {
        let mut random = Random::new(seed);
        let known: Value =
            serde_json::from_str(include_str!("../../../core/fixtures/secrets.json")).unwrap();
        let text = |name: &str| known[name].as_str().unwrap().to_owned();
        let secrets =
            Secrets::parse(&text("signing_keys"), &text("merchant_key"), &text("pseudonym_key"))
                .unwrap();
        // Some days have their end within the history.
        let start: Instant = "2026-11-02T20:00:00Z".parse().unwrap();
        let start = start.plus(i64::try_from(random.below(5 * 3_600)).unwrap());
        let programs = (0..1 + random.index(2)).map(|index| {
            let id = ["teehaus", "radladen"][index].to_owned();
            let parsed = id.parse().unwrap();
            Program {
                keys: secrets.program(&parsed),
                api_key: secrets.api_key(&parsed, 1),
                identity_secret: secrets.identity_secret(&parsed, 1),
                terms: terms(&mut random, &id),
                advocates: (0..3).map(|n| format!("anna{n}")).collect(),
                friends: (0..4).map(|n| format!("ben{n}")).collect(),
                id,
            }
        });
        let programs: Vec<Program> = programs.collect();
        let kv = Kv::new(random.next(), staleness(&mut random, mode));
        let config = Config { secrets, test_clock: false, debug: false };
        let machine = Rc::new(Machine::new(start, random.next(), kv, config));
        let mut story = Self {
            machine,
            mode,
            programs,
            reports: Vec::new(),
            events: Vec::new(),
            clicked: Vec::new(),
            erased: BTreeMap::new(),
            fulfilled: BTreeMap::new(),
            violations: Vec::new(),
            breaches: 0,
            steps: 0,
            by_digest: BTreeMap::new(),
            events_by_digest: BTreeMap::new(),
            random,
            errands: Vec::new(),
            tasks: BTreeMap::new(),
            crons: BTreeSet::new(),
            outbox: Rc::default(),
            outages: Vec::new(),
            actions_left: 0,
            next_erasure_sweep: 0,
            folded_day: 0,
            draining: false,
            serial: 0,
        };
        story.create_programs(&text("operator_key"));
        story
    }

    /// Programs are made in peace and known everywhere when the story begins.
    fn create_programs(&mut self, operator_key: &str) {
        let bodies: Vec<Value> =
            self.programs.iter().map(|program| program.terms.clone()).collect();
        for body in bodies {
            let request = request("POST", "/v1/programs", operator_key, Some(&body));
            let answer = self.ask(0, request);
            assert_eq!(answer.0, 201, "{}", answer.1);
        }
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.now.set(self.machine.now.get() + bound + 2 * MINUTE);
    }

    pub fn now(&self) -> u64 {
        self.machine.now.get()
    }

    /// Sends a request to an isolate and waits for its answer, whatever else goes on.
    pub fn ask(&mut self, isolate: usize, request: Request) -> (u16, Value) {
        let task = self.send(isolate, request);
        loop {
            let answer = {
                let mut outbox = self.outbox.borrow_mut();
                let place = outbox.answers.iter().position(|answer| answer.task == task);
                place.map(|place| outbox.answers.remove(place))
            };
            if let Some(answer) = answer {
                return (answer.status, answer.body);
            }
            assert!(self.machine.step().is_some(), "no answer ever comes");
        }
    }

    /// As a merchant, in peace.
    pub fn merchant(&mut self, program: usize, isolate: usize, target: &str) -> (u16, Value) {
        let key = self.programs[program].api_key.clone();
        self.ask(isolate, request("GET", target, &key, None))
    }

    pub fn me(&mut self, program: usize, isolate: usize, customer: &str) -> (u16, Value) {
        let now = self.machine.instant(isolate);
        let of = &self.programs[program];
        let token = identity_token(&of.identity_secret, &of.id, customer, &[], now);
        self.ask(isolate, request("GET", "/v1/me", &token, None))
    }

    fn send(&self, isolate: usize, request: Request) -> TaskId {
        let machine = Rc::clone(&self.machine);
        let outbox = Rc::clone(&self.outbox);
        let memory = machine.isolate(isolate);
        let now = machine.instant(isolate);
        let inner = Rc::clone(&machine);
        machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let (response, after) = respond(&cx, &request).await;
            let location = response.headers.iter().find(|(name, _)| *name == "location");
            let task = inner.current();
            outbox.borrow_mut().answers.push(Answer {
                task,
                status: response.status,
                has_pa: location.is_some_and(|(_, url)| url.contains("pa=")),
                body: serde_json::from_slice(&response.body).unwrap_or_default(),
                isolate,
                minute: now.minute_up(),
            });
            if let Some(target) = after {
                let cx = Context::new(&place, &memory, &inner.config, now);
                if clicks::flush(&cx, &target).await.is_err() {
                    outbox.borrow_mut().lost_batches.push((task, target));
                }
            }
        })
    }

    fn run_cron(&mut self, isolate: usize) {
        let machine = Rc::clone(&self.machine);
        let outbox = Rc::clone(&self.outbox);
        let memory = machine.isolate(isolate);
        let now = machine.instant(isolate);
        let inner = Rc::clone(&machine);
        let task = machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let result = cron::run(&cx).await;
            let mut outbox = outbox.borrow_mut();
            if cx.spent() > BUDGET {
                outbox.violations.push(format!("a cron run took {} operations", cx.spent()));
            }
            if let Ok(report) = result {
                outbox.breaches += report.breaches;
            }
        });
        self.crons.insert(task);
    }

    /// Lives through the whole history.
    pub fn live(&mut self) {
        let (first_action, end) = (self.now() + SECOND, 250);
        self.actions_left = u32::try_from(self.random.between(60, end)).unwrap();
        *self.machine.faults.borrow_mut() = faults(&mut self.random);
        for _ in 0..self.random.below(3) {
            let from = self.now() + self.random.below(2 * DAY);
            self.outages.push((from, from + self.random.between(10 * MINUTE, 5 * HOUR)));
        }
        self.machine.schedule(first_action, Next::Outside(ACTION));
        let tick = self.now() / CRON_EVERY * CRON_EVERY + CRON_EVERY;
        self.machine.schedule(tick, Next::Outside(CRON_TICK));
        while let Some(happened) = self.machine.step() {
            self.steps += 1;
            match happened {
                None => {}
                Some(CRON_TICK) => {
                    if !self.tick() {
                        break;
                    }
                }
                Some(ACTION) => self.act(),
                Some(errand) => self.go(errand - ERRANDS),
            }
            self.hear();
        }
    }

    // -----------------------------------------------------------------------------------------------
    // The cron

    /// Runs the cron where there is something to do; false once nothing ever will be.
    fn tick(&mut self) -> bool {
        let now = self.now();
        self.machine.kv.borrow_mut().tidy("todo.", now);
        let (due, pointers, erasures) = {
            let kv = self.machine.kv.borrow();
            let first = kv.standing("todo.order/", now).next().map(|(key, _)| {
                let minute: Minute = key.split('/').nth(1).unwrap().parse().unwrap();
                u64::try_from(minute.start().seconds()).unwrap() * 1_000
            });
            let erasures = kv.standing("todo.erased/", now).next().is_some();
            (first.is_some_and(|first| first <= now + 5 * SECOND), first.is_some(), erasures)
        };
        if self.draining && self.machine.is_idle() && !pointers && !erasures {
            let busy = self.errands.iter().any(|errand| !errand.done);
            let folded = now / DAY > self.folded_day && now % DAY > HOUR;
            if !busy && folded {
                return false;
            }
        }
        // A day is folded, and folded again by whoever does not see that it was.
        let after_midnight = now % DAY > 5 * MINUTE && now % DAY < 40 * MINUTE;
        let sweep = erasures && now >= self.next_erasure_sweep;
        let out =
            !self.draining && self.outages.iter().any(|(from, to)| (*from..*to).contains(&now));
        if (due || after_midnight || sweep) && !out && !self.random.permille(100) {
            self.next_erasure_sweep = now + 6 * HOUR;
            let runs = if self.random.permille(250) { self.random.between(2, 3) } else { 1 };
            for _ in 0..runs {
                let isolate = self.random.index(LOCATIONS * ISOLATES);
                self.run_cron(isolate);
            }
        }
        self.machine.schedule(now + CRON_EVERY, Next::Outside(CRON_TICK));
        true
    }

    // -----------------------------------------------------------------------------------------------
    // What people do

    fn act(&mut self) {
        if self.actions_left == 0 {
            self.draining = true;
            *self.machine.faults.borrow_mut() = Faults::default();
            self.folded_day = self.now() / DAY;
            return;
        }
        self.actions_left -= 1;
        let program = self.random.index(self.programs.len());
        match self.random.below(1_000) {
            0..260 => self.report(program),
            260..500 => self.happen(program),
            500..600 => {
                let advocate = self.random.index(3);
                self.errand(What::Me { program, advocate }, None, 0);
            }
            600..640 => self.errand(What::Rewards { program }, None, 0),
            640..690 => {
                if let Some(order_id) = self.some_order(program) {
                    self.errand(What::Read { program, order_id }, None, 0);
                }
            }
            690..780 => self.fulfil(program),
            780..930 => {
                let advocate = self.random.index(3);
                for _ in 0..self.random.between(1, 5) {
                    let visitor = u32::try_from(self.random.below(40)).unwrap();
                    let wait = self.random.below(2_500);
                    self.errand(What::Click { program, advocate, visitor }, None, wait);
                }
            }
            930..945 => self.erase(program),
            945..960 => self.change_terms(program),
            960..980 => self.errand(What::Codes { program }, None, 0),
            _ => {
                let advocate = self.random.index(3);
                self.errand(What::Share { program, advocate }, None, 0);
            }
        }
        let wait = match self.random.below(100) {
            0..45 => self.random.below(5 * SECOND),
            45..75 => self.random.below(5 * MINUTE),
            75..95 => self.random.below(50 * MINUTE),
            95..99 => self.random.below(12 * HOUR),
            _ => self.random.below(2 * DAY),
        };
        self.machine.schedule(self.now() + wait, Next::Outside(ACTION));
    }

    fn errand(&mut self, what: What, body: Option<Value>, wait: u64) {
        self.errands.push(Errand { what, body, tries: 0, done: false });
        let index = ERRANDS + self.errands.len() - 1;
        self.machine.schedule(self.now() + wait, Next::Outside(index));
    }

    /// The latest orders are the ones people deal with.
    fn some_order(&mut self, program: usize) -> Option<String> {
        let own: Vec<&SentReport> =
            self.reports.iter().filter(|report| report.program == program).collect();
        let recent = own.len().saturating_sub(8);
        let from = if self.random.permille(800) { recent } else { 0 };
        let choice = from + self.random.index(own.len() - from);
        own.get(choice).map(|report| report.order_id.clone())
    }

    fn report(&mut self, program: usize) {
        self.serial += 1;
        let order_id = format!("A-{}", self.serial);
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        let (friend, advocate) = (self.random.index(4), self.random.index(3));
        let random = &mut self.random;
        let of = &self.programs[program];
        let (friend, advocate) = (of.friends[friend].clone(), of.advocates[advocate].clone());
        // Now and then an advocate orders by the own link.
        let friend = if random.permille(40) { advocate.clone() } else { friend };
        let occurred_at = match random.below(20) {
            0 => now.plus(240),
            1..4 => now.plus(-i64::try_from(random.below(3_600)).unwrap()),
            4 => now.plus(-i64::try_from(random.below(4 * 86_400)).unwrap()),
            _ => now,
        };
        let mut body = json!({
            "order_id": order_id, "kind": "purchase", "currency": "EUR",
            "amount": random.pick(&[4_990_i64, 2_500, 3_000, 10_001, 77]),
            "occurred_at": occurred_at,
        });
        // Guests are recognised by the hash of an address, which may be the advocate's.
        match random.below(10) {
            0..2 => body["hints"] = json!([hint(&friend)]),
            2..5 => {
                body["customer_id"] = json!(friend);
                body["hints"] = json!([hint(&friend)]);
            }
            5 => {
                body["customer_id"] = json!(friend);
                body["hints"] = json!([hint(&random.pick(&of.friends))]);
            }
            _ => body["customer_id"] = json!(friend),
        }
        if random.permille(50) {
            body["hints"] = json!([hint(&advocate)]);
        }
        if random.permille(900) {
            body["first_order"] = json!(random.permille(930));
        }
        if random.permille(20) {
            body["currency"] = json!("CHF");
        }
        if random.permille(60) {
            body["kind"] = json!("signup");
            body.as_object_mut().unwrap().retain(|name, _| name != "amount" && name != "currency");
        }
        match random.below(20) {
            0 => {}
            1 => body["code"] = json!("8f3k2m7q8f3k2m7q8f3k2m7q8f"),
            2..10 => body["code"] = json!(of.code(&advocate)),
            _ => {
                let age = random.pick(&[60, 3_600, 86_300, 90_000]);
                let token = ClickToken {
                    customer: of.pseudonym(&advocate),
                    at: occurred_at.plus(-age),
                    channel: passalong_core::channel::Channel::WhatsApp,
                    nonce: [1, 2, 3, 4],
                };
                body["token"] = json!(token.sign(&of.keys));
            }
        }
        let wait = random.below(2 * SECOND);
        let index = self.keep_report(program, &order_id, &body, Some(&advocate));
        self.errand(What::Report(index), Some(body.clone()), wait);
        if self.random.permille(150) {
            let wait = self.random.pick(&[0, 50, 2_000]);
            self.errand(What::Report(index), Some(body.clone()), wait);
        }
        if self.random.permille(130) {
            let mut other = body;
            let advocate = if self.random.permille(500) {
                if other.get("amount").is_some() {
                    other["amount"] = json!(6_000);
                }
                other["segment"] = json!("shop");
                Some(advocate)
            } else {
                let index = self.random.index(3);
                let another = self.programs[program].advocates[index].clone();
                other.as_object_mut().unwrap().remove("token");
                other["code"] = json!(self.programs[program].code(&another));
                Some(another)
            };
            let index = self.keep_report(program, &order_id, &other, advocate.as_deref());
            let wait = self.random.pick(&[0, 100, 5 * SECOND, 5 * MINUTE, 2 * HOUR]);
            self.errand(What::Report(index), Some(other), wait);
        }
    }

    fn keep_report(
        &mut self,
        program: usize,
        order_id: &str,
        body: &Value,
        advocate: Option<&str>,
    ) -> usize {
        let of = &self.programs[program];
        let far = Instant::from_seconds(i64::MAX);
        let parsed = ConversionReport::parse(body.to_string().as_bytes(), far).unwrap();
        let digest = of.keys.digest(parsed.content().as_bytes());
        let order = of.keys.order(&order_id.parse::<OrderId>().unwrap());
        let token = body.get("token").and_then(Value::as_str);
        let clicked = token.and_then(|token| {
            passalong_core::click_token::verify(&of.keys, token).ok().map(|token| token.at)
        });
        let is_bad = body.get("code").is_some_and(|code| code == "8f3k2m7q8f3k2m7q8f3k2m7q8f");
        let proves = !is_bad && (clicked.is_some() || body.get("code").is_some());
        let ids = parsed
            .customer
            .iter()
            .map(|id| passalong_core::ids::Identity::Customer(of.keys.customer(id)));
        let hints =
            parsed.hints.iter().map(|hint| passalong_core::ids::Identity::Hint(of.keys.hint(hint)));
        let report = oracle::Report {
            order,
            digest,
            accepted: far.minute(),
            advocate: advocate.filter(|_| proves).map(|advocate| of.pseudonym(advocate)),
            clicked_at: clicked,
            identities: ids.chain(hints).collect(),
            kind: parsed.kind,
            amount: parsed.amount.unwrap_or(0),
            currency: parsed.currency.map(|currency| currency.to_string()),
            first_order: parsed.first_order,
            occurred_at: parsed.occurred_at,
        };
        if let Some(index) = self.by_digest.get(&(program, digest)) {
            return *index;
        }
        let order_id = order_id.to_owned();
        self.reports.push(SentReport {
            program,
            order_id,
            order,
            report,
            sent: false,
            acked: None,
        });
        self.by_digest.insert((program, digest), self.reports.len() - 1);
        self.reports.len() - 1
    }

    /// Something happens to an order; sometimes to one that is only about to be reported.
    fn happen(&mut self, program: usize) {
        let order_id = if self.random.permille(60) {
            format!("A-{}", self.serial + 1)
        } else {
            let Some(order_id) = self.some_order(program) else { return };
            order_id
        };
        self.serial += u32::from(self.random.permille(2));
        let now = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        let kind = self.random.pick(&[
            "delivered",
            "delivered",
            "delivered",
            "refunded",
            "refunded",
            "cancelled",
            "withdrawn",
            "chargeback",
        ]);
        let id = self.random.below(1_000_000);
        let mut body = json!({ "event_id": format!("e{id}"), "type": kind, "occurred_at": now });
        if kind == "refunded" {
            body["amount"] = json!(self.random.pick(&[1, 500, 990, 2_000, 4_990]));
        }
        let index = self.keep_event(program, &order_id, &body);
        let what = What::Event(index);
        let wait = self.random.below(SECOND);
        self.errand(what.clone(), Some(json!({ "order": order_id, "body": body })), wait);
        if self.random.permille(100) {
            self.errand(what, Some(json!({ "order": order_id, "body": body })), 0);
        }
    }

    fn keep_event(&mut self, program: usize, order_id: &str, body: &Value) -> usize {
        let of = &self.programs[program];
        let far = Instant::from_seconds(i64::MAX);
        let parsed = EventReport::parse(body.to_string().as_bytes(), far).unwrap();
        let id: OrderId = order_id.parse().unwrap();
        let digest = of.keys.digest(parsed.content(&id).as_bytes());
        self.events.push(SentEvent {
            program,
            order: of.keys.order(&id),
            event: of.keys.event(&id, &parsed.id),
            digest,
            kind: parsed.kind,
            amount: parsed.amount.unwrap_or(0),
            occurred_at: parsed.occurred_at,
            sent: false,
            acked: None,
        });
        self.events_by_digest.insert((program, digest), self.events.len() - 1);
        self.events.len() - 1
    }

    /// The merchant pays out what was once seen as an advocate's reward.
    fn fulfil(&mut self, program: usize) {
        let Some(order_id) = self.some_order(program) else { return };
        let order = self.programs[program].keys.order(&order_id.parse().unwrap());
        let role = if self.random.permille(700) {
            passalong_core::reward::Role::Advocate
        } else {
            passalong_core::reward::Role::Friend
        };
        let id = passalong_core::reward::RewardId { order, role }.to_string();
        let reference = self.random.below(2);
        self.errand(What::Fulfil { program, id, reference }, None, 0);
    }

    fn erase(&mut self, program: usize) {
        let of = &self.programs[program];
        let mut all = of.advocates.clone();
        all.extend(of.friends.iter().cloned());
        let customer = self.random.pick(&all);
        self.errand(What::Erase { program, customer }, None, 0);
    }

    fn change_terms(&mut self, program: usize) {
        let id = self.programs[program].id.clone();
        let mut terms = terms(&mut self.random, &id);
        let whole = passalong_core::program::Program::from_preset(terms.to_string().as_bytes());
        terms = serde_json::to_value(whole.unwrap()).unwrap();
        self.errand(What::Terms { program, terms }, None, 0);
    }

    /// One try of an errand, somewhere.
    fn go(&mut self, index: usize) {
        if self.errands[index].done {
            return;
        }
        self.errands[index].tries += 1;
        let isolate = self.random.index(LOCATIONS * ISOLATES);
        let now = self.machine.instant(isolate);
        let errand = &self.errands[index];
        let of = |program: usize| &self.programs[program];
        let as_customer = |program: usize, advocate: usize| {
            let of = of(program);
            let customer = &of.advocates[advocate];
            identity_token(&of.identity_secret, &of.id, customer, &[hint(customer)], now)
        };
        let post = |program: usize, path: &str, body: &Value| {
            request("POST", path, &of(program).api_key, Some(body))
        };
        let sent = match &errand.what {
            What::Report(report) => {
                let program = self.reports[*report].program;
                post(program, "/v1/conversions", errand.body.as_ref().unwrap())
            }
            What::Event(event) => {
                let body = errand.body.as_ref().unwrap();
                let path = format!("/v1/conversions/{}/events", body["order"].as_str().unwrap());
                post(self.events[*event].program, &path, &body["body"])
            }
            What::Click { program, advocate, visitor } => {
                let of = of(*program);
                click(&of.id, &of.code(&of.advocates[*advocate]), *visitor)
            }
            What::Me { program, advocate } => {
                request("GET", "/v1/me", &as_customer(*program, *advocate), None)
            }
            What::Share { program, advocate } => {
                let body = json!({ "channel": "whatsapp" });
                request("POST", "/v1/me/shares", &as_customer(*program, *advocate), Some(&body))
            }
            What::Rewards { program } => request("GET", "/v1/rewards", &of(*program).api_key, None),
            What::Read { program, order_id } => {
                let path = format!("/v1/conversions/{order_id}");
                request("GET", &path, &of(*program).api_key, None)
            }
            What::Fulfil { program, id, reference } => {
                let body = json!({ "reference": format!("voucher {reference}") });
                post(*program, &format!("/v1/rewards/{id}/fulfil"), &body)
            }
            What::Erase { program, customer } => {
                post(*program, "/v1/customers/erase", &json!({ "customer_id": customer }))
            }
            What::Terms { program, terms } => {
                request("PUT", "/v1/program", &of(*program).api_key, Some(terms))
            }
            What::Codes { program } => {
                let ids = &of(*program).advocates;
                post(*program, "/v1/codes", &json!({ "customer_ids": ids }))
            }
        };
        match &self.errands[index].what {
            What::Report(report) => self.reports[*report].sent = true,
            What::Event(event) => self.events[*event].sent = true,
            _ => {}
        }
        let task = self.send(isolate, sent);
        self.tasks.insert(task, index);
    }

    /// Tries again later, unless whoever it is has had enough.
    fn again(&mut self, index: usize) {
        let tries = self.errands[index].tries;
        let patient = matches!(
            self.errands[index].what,
            What::Report(_) | What::Event(_) | What::Fulfil { .. } | What::Erase { .. }
        );
        if !patient || tries > 4 || self.random.permille(250) {
            self.errands[index].done = true;
            return;
        }
        let wait = self.random.pick(&[0, SECOND, 5 * SECOND, 2 * MINUTE, 30 * MINUTE, 2 * HOUR]);
        self.machine.schedule(self.now() + wait, Next::Outside(ERRANDS + index));
    }

    // -----------------------------------------------------------------------------------------------
    // What people hear

    fn hear(&mut self) {
        let cut = std::mem::take(&mut *self.machine.cut.borrow_mut());
        for task in cut {
            if let Some(errand) = self.tasks.remove(&task) {
                self.again(errand);
            }
        }
        let (answers, violations, lost) = {
            let mut outbox = self.outbox.borrow_mut();
            self.breaches += std::mem::take(&mut outbox.breaches);
            (
                std::mem::take(&mut outbox.answers),
                std::mem::take(&mut outbox.violations),
                std::mem::take(&mut outbox.lost_batches),
            )
        };
        self.violations.extend(violations);
        for (task, target) in lost {
            if !self.machine.record(task).excused {
                self.violate(format!("clicks were lost without a reason: {target:?}"));
            }
            for click in &mut self.clicked {
                let of = &self.programs[click.program];
                let same = *of.keys.program() == target.program
                    && of.pseudonym(&of.advocates[click.advocate]) == target.customer;
                click.lost |= same && click.at + 60 * SECOND > self.machine.now.get();
            }
        }
        for answer in answers {
            if let Some(errand) = self.tasks.remove(&answer.task) {
                self.hear_one(errand, &answer);
            }
        }
    }

    pub fn violate(&mut self, text: String) {
        let at = Instant::from_seconds(i64::try_from(self.now() / 1_000).unwrap());
        self.violations.push(format!("{at}: {text}"));
    }

    fn hear_one(&mut self, index: usize, answer: &Answer) {
        let what = self.errands[index].what.clone();
        let status = answer.status;
        if status >= 500 {
            if status != 503 || !self.may_fail(answer) {
                self.violate(format!("{what:?} was answered with {status}: {}", answer.body));
            }
            self.again(index);
            return;
        }
        self.errands[index].done = true;
        let now = self.now();
        match what {
            What::Report(report) => match status {
                200 | 201 => {
                    self.reports[report].acked = Some(answer.body.clone());
                    self.check_kept_report(report, (status == 201).then_some(answer.minute));
                }
                409 => {}
                _ => self.violate(format!("a report was answered with {status}: {}", answer.body)),
            },
            What::Event(event) => match status {
                200..=202 => {
                    let known = status != 202;
                    self.events[event].acked = Some((now, known));
                    self.check_kept_event(event);
                }
                409 => {}
                _ => self.violate(format!("an event was answered with {status}: {}", answer.body)),
            },
            What::Click { program, advocate, visitor } => {
                if answer.has_pa {
                    let day = Instant::from_seconds(answer.minute.start().seconds() - 1).day();
                    let isolate = answer.isolate;
                    let click =
                        Clicked { program, advocate, visitor, day, at: now, isolate, lost: false };
                    self.clicked.push(click);
                } else {
                    self.violate(format!("a visitor came without pa: {status}"));
                }
            }
            What::Me { program, .. } => {
                let referrals = answer.body["referrals"].as_array().cloned().unwrap_or_default();
                for referral in referrals {
                    self.check_shown(program, &referral["reward"]);
                }
            }
            What::Rewards { program } | What::Read { program, .. } => {
                for reward in answer.body["rewards"].as_array().cloned().unwrap_or_default() {
                    self.check_shown(program, &reward);
                }
            }
            What::Fulfil { program, id, .. } => {
                if status == 200 {
                    self.check_shown(program, &answer.body);
                    self.fulfilled.entry((program, id)).or_default().push(answer.body.clone());
                }
            }
            What::Erase { program, customer } => {
                if status == 200 {
                    self.erased.insert((program, customer), now);
                }
            }
            What::Terms { .. } | What::Codes { .. } | What::Share { .. } => {}
        }
    }

    /// A 503 needs a reason: a fault, or a store that shows a key without its value.
    fn may_fail(&self, answer: &Answer) -> bool {
        let on_its_way =
            answer.body["detail"].as_str().is_some_and(|text| text.contains("on its way"));
        let unseen =
            answer.body["detail"].as_str().is_some_and(|text| text.contains("not visible"));
        self.machine.record(answer.task).excused || on_its_way || unseen
    }
}
