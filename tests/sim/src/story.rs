//! The story: what shops, customers and visitors do in one history, and what they are told. All
//! they do is drawn from the seed: they retry, send twice at once, report late, report one order
//! twice, lie, order as guests, cancel and order again, and have themselves erased.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use passalong_core::code;
use passalong_core::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use passalong_core::keys::{ProgramKeys, Secrets};
use passalong_core::report::EventType;
use passalong_core::shop::ShopSecrets;
use passalong_core::time::{Day, Instant, Minute};
use passalong_edge::cron::{self, ALLOWED};
use passalong_edge::http::Request;
use passalong_edge::isolate::Config;
use passalong_edge::store::Context;
use passalong_edge::{clicks, outbox, respond};
use serde_json::Value;

use crate::accountant::Ledgerbook;
use crate::aliases::Aliases;
use crate::coupons;
use crate::hooks::Hooks;
use crate::kv::{Kv, Staleness};
use crate::machine::{Faults, ISOLATES, LOCATIONS, Machine, Next, TaskId};
use crate::oracle;
use crate::oracle::Counted;
use crate::place::Place;
use crate::proofs::Said;
use crate::random::Random;
use crate::requests::{identity_token, request};
use crate::script::{Act, Moment, Step};
use crate::terms::terms;

pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
pub(crate) const CRON_EVERY: u64 = 5 * MINUTE;

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
    pub(crate) api_key: String,
    pub(crate) identity_secret: String,
    pub(crate) terms: Value,
    pub advocates: Vec<String>,
    pub friends: Vec<String>,
}

impl Program {
    pub(crate) fn new(secrets: &Secrets, id: &str, terms: Value) -> Self {
        let parsed = id.parse().unwrap();
        Self {
            keys: secrets.program(&parsed),
            api_key: secrets.api_key(&parsed, 1),
            identity_secret: secrets.identity_secret(&parsed, 1),
            terms,
            advocates: (0..3).map(|n| format!("anna{n}")).collect(),
            friends: (0..4).map(|n| format!("ben{n}")).collect(),
            id: id.to_owned(),
        }
    }

    /// All customers: the advocates in front.
    pub fn people(&self) -> impl Iterator<Item = &String> {
        self.advocates.iter().chain(&self.friends)
    }

    pub fn pseudonym(&self, customer: &str) -> CustomerPseudonym {
        self.keys.customer(&customer.parse().unwrap())
    }

    pub(crate) fn code(&self, customer: &str) -> String {
        code::issue(&self.keys, self.pseudonym(customer))
    }
}

/// The hash of a customer's e-mail address.
pub fn hint(customer: &str) -> String {
    let digits = |byte: u8| {
        [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
    };
    customer.bytes().cycle().take(32).flat_map(digits).collect()
}

/// A report as it was sent, however often.
#[derive(Debug, Clone)]
pub struct SentReport {
    pub program: usize,
    pub order_id: String,
    pub order: OrderPseudonym,
    pub report: oracle::Report,
    /// In the order in which they are tried.
    pub proofs: Vec<Said>,
    /// Which of them this one is taken for.
    pub counted: Counted,
    /// The number of the report as it is sent: what else it may be taken for stands behind it.
    pub of: usize,
    /// The digests of all that it may be taken for.
    pub readings: Vec<Digest>,
    /// How often it was sent.
    pub tries: usize,
    /// What each try was answered with that was acknowledged.
    pub answers: Vec<Rc<Value>>,
}

#[derive(Debug, Clone)]
pub struct SentEvent {
    pub program: usize,
    pub order: OrderPseudonym,
    /// The pseudonym of its id.
    pub event: Digest,
    pub digest: Digest,
    /// Its id.
    pub name: String,
    pub kind: EventType,
    pub amount: i64,
    pub occurred_at: Instant,
    /// Of a restoration: the pseudonym of the event that it names.
    pub undoes: Option<Digest>,
    /// Category and amount of what is ordered now.
    pub items: Vec<(String, i64)>,
    pub sent: bool,
    /// Acknowledged then; whether its order was known.
    pub acked: Option<(u64, bool)>,
}

/// Who is asked for what.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Report(usize),
    Event(usize),
    Click { program: usize, advocate: usize, visitor: u32 },
    Me { program: usize, advocate: usize },
    Rewards { program: usize },
    Read { program: usize, order_id: String },
    Fulfil { program: usize, id: String, reference: u64 },
    Review { program: usize, id: String, decision: &'static str, customer: Option<String> },
    Owed { program: usize, advocate: usize },
    Upload(usize),
    Pool { program: usize, pool: &'static str },
    Erase { program: usize, customer: String },
    Terms { program: usize, terms: Value },
    Codes { program: usize },
    Share { program: usize, advocate: usize },
    Claim { program: usize, person: usize },
    Claims { program: usize },
    ChooseAlias { program: usize, advocate: usize, alias: Option<&'static str> },
    ByAlias(usize),
    Webhook(usize),
}

pub(crate) struct Errand {
    pub what: What,
    pub body: Option<Value>,
    pub tries: u32,
    pub done: bool,
}

pub(crate) struct Answer {
    pub task: TaskId,
    pub status: u16,
    pub has_pa: bool,
    pub body: Rc<Value>,
    pub isolate: usize,
    pub minute: Minute,
    pub day: Day,
}

/// What the tasks leave behind.
#[derive(Default)]
pub(crate) struct Outbox {
    pub answers: Vec<Answer>,
    pub violations: Vec<String>,
    pub lost_batches: Vec<(TaskId, clicks::Target)>,
    /// What bodies say that were read before: at rest all locations answer the same.
    bodies: BTreeMap<Vec<u8>, Rc<Value>>,
}

impl Outbox {
    fn read(&mut self, body: Vec<u8>) -> Rc<Value> {
        let said = self.bodies.entry(body);
        Rc::clone(said.or_insert_with_key(|body| Rc::new(read(body))))
    }

    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.violations.is_empty() && self.lost_batches.is_empty()
    }
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
    /// When, in milliseconds.
    pub began: u64,
    pub machine: Rc<Machine>,
    pub mode: Mode,
    pub programs: Vec<Program>,
    pub reports: Vec<SentReport>,
    pub events: Vec<SentEvent>,
    pub clicked: Vec<Clicked>,
    /// When an erasure was acknowledged last.
    pub erased: BTreeMap<(usize, String), u64>,
    pub fulfilled: BTreeMap<(usize, String), Vec<Rc<Value>>>,
    /// Ids of rewards, and of entries of them, that somebody has seen.
    pub seen: Vec<(usize, String)>,
    pub(crate) ledgerbook: Rc<RefCell<Ledgerbook>>,
    pub(crate) aliases: Aliases,
    pub(crate) hooks: Hooks,
    pub uploads: Vec<coupons::Upload>,
    /// Different codes so far.
    pub codes: u32,
    /// Coupons that somebody has seen.
    pub shown: BTreeMap<(usize, String), String>,
    pub violations: Vec<String>,
    pub decided: BTreeMap<String, u32>,
    pub steps: u32,
    /// By digest: a program's reports and events.
    pub by_digest: BTreeMap<(usize, Digest), usize>,
    pub events_by_digest: BTreeMap<(usize, Digest), usize>,
    pub(crate) random: Random,
    pub(crate) errands: Vec<Errand>,
    pub(crate) tasks: BTreeMap<TaskId, usize>,
    pub(crate) crons: BTreeSet<TaskId>,
    pub(crate) outbox: Rc<RefCell<Outbox>>,
    pub(crate) outages: Vec<(u64, u64)>,
    pub(crate) actions_left: u32,
    pub(crate) next_erasure_sweep: u64,
    pub(crate) folded_day: u64,
    pub(crate) draining: bool,
    pub(crate) serial: u32,
    /// What was told since all is quiet, and since when it is.
    pub(crate) at_rest: Option<BTreeMap<String, Answered>>,
    pub(crate) rests_since: Option<Instant>,
    pub(crate) todo: Todo,
}

/// An answer's status and body.
pub type Answered = (u16, Rc<Value>);

/// What the cron has to do.
pub(crate) struct Work {
    pub is_due: bool,
    /// Something will be due.
    pub pointers: bool,
    pub erasures: bool,
}

/// What was to be done when that much had been written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Todo {
    first: Option<u64>,
    erasures: bool,
    written: u64,
    is_whole: bool,
}

impl Todo {
    fn work(self, now: u64) -> Work {
        let is_due = self.first.is_some_and(|first| first <= now + 5 * SECOND);
        Work { is_due, pointers: self.first.is_some(), erasures: self.erasures }
    }
}

const CRON_TICK: usize = 0;
pub(crate) const ACTION: usize = 1;
pub(crate) const ERRANDS: usize = 10;

pub(crate) const fn bound(mode: Mode) -> u64 {
    match mode {
        Mode::Inside => 8 * MINUTE,
        Mode::Beyond => 3 * HOUR,
    }
}

fn known(name: &str) -> String {
    let known: Value =
        serde_json::from_str(include_str!("../../../core/fixtures/secrets.json")).unwrap();
    known[name].as_str().unwrap().to_owned()
}

pub(crate) fn secrets() -> Secrets {
    Secrets::parse(&known("signing_keys"), &known("merchant_key"), &known("pseudonym_key")).unwrap()
}

pub(crate) fn operator_key() -> String {
    known("operator_key")
}

fn staleness(random: &mut Random, mode: Mode) -> Staleness {
    Staleness {
        bound: bound(mode),
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

/// The body of an answer: a text where it is no JSON.
fn read(body: &[u8]) -> Value {
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    serde_json::from_slice(body).unwrap_or_else(|_| text())
}

impl Story {
    pub fn new(seed: u64, mode: Mode) -> Self {
        let mut random = Random::new(seed);
        let secrets = secrets();
        // Some days have their end within the history.
        let start: Instant = "2026-11-02T20:00:00Z".parse().unwrap();
        let start = start.plus(i64::try_from(random.below(5 * 3_600)).unwrap());
        let programs = (0..=random.index(2)).map(|index| {
            let id = ["teehaus", "radladen"][index];
            Program::new(&secrets, id, terms(&mut random, id))
        });
        let programs: Vec<Program> = programs.collect();
        let kv = Kv::new(random.next(), staleness(&mut random, mode));
        let config =
            Config { secrets, shops: ShopSecrets::default(), test_clock: false, debug: false };
        let machine = Machine::new(start, random.next(), kv, config);
        let mut story = Self::begin(programs, machine, mode, random);
        story.create_programs(&operator_key());
        story.begin_hooks(seed);
        story
    }

    /// Before anything has happened.
    pub(crate) fn begin(
        programs: Vec<Program>,
        machine: Machine,
        mode: Mode,
        random: Random,
    ) -> Self {
        let story = Self {
            began: machine.now.get(),
            machine: Rc::new(machine),
            mode,
            programs,
            reports: Vec::new(),
            events: Vec::new(),
            clicked: Vec::new(),
            erased: BTreeMap::new(),
            fulfilled: BTreeMap::new(),
            seen: Vec::new(),
            ledgerbook: Rc::default(),
            aliases: Aliases::default(),
            hooks: Hooks::default(),
            uploads: Vec::new(),
            codes: 0,
            shown: BTreeMap::new(),
            violations: Vec::new(),
            decided: BTreeMap::new(),
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
            at_rest: None,
            rests_since: None,
            todo: Todo::default(),
        };
        for of in &story.programs {
            for customer in of.advocates.iter().chain(&of.friends) {
                story.ledgerbook.borrow_mut().introduce(customer, &of.code(customer));
            }
        }
        story
    }

    /// Programs are made in peace and known everywhere when the story begins.
    pub(crate) fn create_programs(&mut self, operator_key: &str) {
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
    pub fn ask(&mut self, isolate: usize, request: Request) -> Answered {
        if self.at_rest.is_some() && request.method == "GET" {
            return self.ask_once(isolate, request);
        }
        self.ask_anew(isolate, request)
    }

    /// At rest nothing changes any more: what was asked for before is answered from memory.
    fn ask_once(&mut self, isolate: usize, request: Request) -> Answered {
        let bearer = request.header("authorization").unwrap_or_default();
        let asked = format!("{isolate} {}?{} {bearer}", request.path, request.query);
        let told = self.at_rest.as_ref().and_then(|told| told.get(&asked)).cloned();
        told.unwrap_or_else(|| {
            let told = self.ask_anew(isolate, request);
            if let Some(all) = &mut self.at_rest {
                all.insert(asked, told.clone());
            }
            told
        })
    }

    fn ask_anew(&mut self, isolate: usize, request: Request) -> Answered {
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
    pub fn merchant(&mut self, program: usize, isolate: usize, target: &str) -> Answered {
        let key = self.programs[program].api_key.clone();
        self.ask(isolate, request("GET", target, &key, None))
    }

    pub fn me(&mut self, program: usize, isolate: usize, customer: &str) -> Answered {
        let now = self.signs_at(isolate);
        let of = &self.programs[program];
        let token = identity_token(&of.identity_secret, &of.id, customer, &[], None, now);
        self.ask(isolate, request("GET", "/v1/me", &token, None))
    }

    /// When a shop signs for a customer: at rest once for all.
    pub fn signs_at(&self, isolate: usize) -> Instant {
        self.rests_since.unwrap_or_else(|| self.machine.instant(isolate))
    }

    pub(crate) fn send(&self, isolate: usize, request: Request) -> TaskId {
        let machine = Rc::clone(&self.machine);
        let heard = Rc::clone(&self.outbox);
        let memory = machine.isolate(isolate);
        let now = machine.instant(isolate);
        let inner = Rc::clone(&machine);
        let ledgerbook = Rc::clone(&self.ledgerbook);
        let slip = ledgerbook.borrow_mut().send(&request, machine.now.get());
        machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let (response, after) = respond(&cx, &request).await;
            let body = heard.borrow_mut().read(response.body);
            // Who is told that it was wrong, or is not there, need not ask what was kept of it.
            if (400..500).contains(&response.status) && cx.operations().1 > 0 {
                let Request { method, path, .. } = &request;
                let text = format!("{method} {path} wrote, and was answered with {body}");
                heard.borrow_mut().violations.push(text);
            }
            ledgerbook.borrow_mut().hear(slip, response.status, Rc::clone(&body));
            let location = response.headers.iter().find(|(name, _)| *name == "location");
            let task = inner.current();
            heard.borrow_mut().answers.push(Answer {
                task,
                status: response.status,
                has_pa: location.is_some_and(|(_, url)| url.contains("pa=")),
                body,
                isolate,
                minute: now.minute_up(),
                day: now.day(),
            });
            let announced = cx.announced.take();
            if after.is_none() && announced.is_empty() {
                return;
            }
            let cx = Context::new(&place, &memory, &inner.config, now);
            if response.status < 400 {
                outbox::deliver(&cx, &announced).await;
            }
            if let Some(target) = after
                && clicks::flush(&cx, &target).await.is_err()
            {
                heard.borrow_mut().lost_batches.push((task, target));
            }
        })
    }

    pub(crate) fn run_cron(&mut self, isolate: usize) -> TaskId {
        let machine = Rc::clone(&self.machine);
        let outbox = Rc::clone(&self.outbox);
        let memory = machine.isolate(isolate);
        let now = machine.instant(isolate);
        let inner = Rc::clone(&machine);
        let task = machine.spawn(isolate, async move {
            let place = Place { machine: Rc::clone(&inner), isolate };
            let cx = Context::new(&place, &memory, &inner.config, now);
            let _goes_on_next_time = cron::run(&cx).await;
            // The pages here are shorter than any real one.
            if cx.spent() > ALLOWED {
                let text = format!("a cron run took {} operations", cx.spent());
                outbox.borrow_mut().violations.push(text);
            }
        });
        self.crons.insert(task);
        task
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
                Next::Outside(CRON_TICK) if !self.tick() => break,
                Next::Wake(_) | Next::Outside(CRON_TICK) => {}
                Next::Outside(ACTION) => self.act(),
                Next::Outside(errand) => self.go(errand - ERRANDS),
            }
            self.hear();
        }
    }

    /// What the cron has to do.
    pub(crate) fn work(&mut self) -> Work {
        let now = self.now();
        let writes = self.machine.kv.borrow().writes();
        // What was on its way has been committed by the next tick.
        let is_known = self.machine.is_idle() && self.todo.written == writes;
        if is_known && self.todo.is_whole {
            return self.todo.work(now);
        }
        self.machine.kv.borrow_mut().tidy("todo.", now);
        let kv = self.machine.kv.borrow();
        let first = ["todo.coupons/", "todo.order/"].into_iter().filter_map(|prefix| {
            let (key, _) = kv.standing(prefix, now).next()?;
            let minute: Minute = key.split('/').nth(1).unwrap().parse().unwrap();
            Some(u64::try_from(minute.start().seconds()).unwrap() * 1_000)
        });
        let first = first.chain(self.hooks_due(&kv, now)).min();
        // Whoever is to be reminded in years is not waited for.
        let first = first.filter(|first| *first < now + 60 * DAY);
        let erasures = kv.standing("todo.erased/", now).next().is_some();
        drop(kv);
        self.todo = Todo { first, erasures, written: writes, is_whole: is_known };
        self.todo.work(now)
    }

    /// Whether nothing ever will be left to do.
    pub(crate) fn has_ended(&self, work: &Work) -> bool {
        let now = self.now();
        let rests = self.draining && self.machine.is_idle();
        if !rests || work.pointers || work.erasures {
            return false;
        }
        let busy = self.errands.iter().any(|errand| !errand.done);
        let folded = now / DAY > self.folded_day && now % DAY > HOUR;
        // Rewards end at midnight: all that is asked for then is of one day.
        let is_one_day = now % DAY < 18 * HOUR;
        !busy && folded && is_one_day
    }

    /// A day is folded, and folded again by whoever does not see that it was.
    pub(crate) fn is_after_midnight(&self) -> bool {
        let of_day = self.now() % DAY;
        of_day > 5 * MINUTE && of_day < 40 * MINUTE
    }

    /// Runs the cron where there is something to do; false once nothing ever will be.
    fn tick(&mut self) -> bool {
        let now = self.now();
        let work = self.work();
        if self.has_ended(&work) {
            return false;
        }
        let sweep = work.erasures && now >= self.next_erasure_sweep;
        let out =
            !self.draining && self.outages.iter().any(|(from, to)| (*from..*to).contains(&now));
        let wanted = work.is_due || self.is_after_midnight() || sweep;
        if wanted && !out && !self.random.permille(100) {
            self.next_erasure_sweep = now + 6 * HOUR;
            let runs = if self.random.permille(250) { self.random.between(2, 3) } else { 1 };
            for _ in 0..runs {
                let isolate = self.random.index(LOCATIONS * ISOLATES);
                let task = self.run_cron(isolate);
                let at = Moment(now);
                let step = || Step { at, isolate, program: 0, act: Act::Cron, rules: Vec::new() };
                self.machine.direction.begins(task, self.machine.direction.tape_step(step));
            }
        }
        self.machine.schedule(now + CRON_EVERY, Next::Outside(CRON_TICK));
        true
    }
}
