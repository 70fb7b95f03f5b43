//! The servers that webhooks are sent to, at their worst: they are slow, down for hours, answer with
//! errors or not at all, say that they are gone, and sometimes we die right after their answer.

use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_core::webhook::SendProblem;
use passalong_edge::store::Outgoing;

use crate::machine::Machine;
use crate::random::Random;
use crate::script::{Effect, Op};
use crate::story::{DAY, HOUR, MINUTE};

/// A request that arrived, and what was answered to it.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub url: String,
    pub at: u64,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub answer: Result<u16, SendProblem>,
}

impl Arrived {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    pub fn is_taken(&self) -> bool {
        matches!(self.answer, Ok(200..=299))
    }
}

/// How one server is.
#[derive(Debug, Default)]
struct Server {
    /// So many of a thousand requests fail, and are slow.
    fails: u64,
    slow: u64,
    /// After so many of a thousand answers the task that asked ends.
    cuts: u64,
    /// It fails all requests in this time.
    down: (u64, u64),
    /// It says that it is gone in this time.
    gone: (u64, u64),
    /// It never takes anything.
    never: bool,
}

#[derive(Debug)]
pub struct Receivers {
    random: Random,
    servers: BTreeMap<String, Server>,
    pub arrived: Vec<Rc<Arrived>>,
    /// From now on nothing goes wrong any more.
    pub mended: bool,
}

impl Receivers {
    pub fn new(seed: u64) -> Self {
        let random = Random::new(seed ^ 0x7265_6365_6976_6572);
        Self { random, servers: BTreeMap::new(), arrived: Vec::new(), mended: false }
    }

    /// Draws how a server is. `never` are those that take nothing, where that is wanted.
    pub fn open(&mut self, url: &str, now: u64, may_never: bool) {
        let random = &mut self.random;
        let from = now + random.below(2 * DAY);
        let down = (from, from + random.pick(&[0, 0, 10 * MINUTE, 3 * HOUR, 30 * HOUR]));
        let from = now + random.below(2 * DAY);
        let gone = (from, from + random.pick(&[0, 0, 0, 0, 0, 2 * HOUR]));
        let server = Server {
            fails: random.pick(&[0, 0, 30, 300]),
            slow: random.pick(&[0, 0, 50, 300]),
            cuts: random.pick(&[0, 0, 20, 100]),
            down,
            gone,
            never: may_never && random.permille(300),
        };
        self.servers.insert(url.to_owned(), server);
    }

    /// What is answered, after how many milliseconds, and whether whoever asked ends then.
    fn fate(&mut self, url: &str, now: u64) -> (Result<u16, SendProblem>, u64, bool) {
        let random = &mut self.random;
        let quick = random.between(5, 300);
        let Some(server) = self.servers.get(url) else { return (Ok(204), quick, false) };
        let within = |(from, to): (u64, u64)| (from..to).contains(&now);
        let fails = within(server.down) || random.permille(server.fails);
        if server.never || (fails && !self.mended) {
            let problems = [SendProblem::TimedOut, SendProblem::Unreachable];
            return match random.below(5) {
                0 => (Err(problems[0]), 10_000, false),
                1 => (Err(problems[1]), quick, false),
                2 => (Ok(302), quick, false),
                _ => (Ok(500), quick, random.permille(server.cuts) && !self.mended),
            };
        }
        if self.mended {
            return (Ok(200), quick, false);
        }
        if within(server.gone) {
            return (Ok(410), quick, false);
        }
        let takes = if random.permille(server.slow) { random.between(1_000, 9_900) } else { quick };
        (Ok(random.pick(&[200, 200, 202, 204])), takes, random.permille(server.cuts))
    }
}

impl Machine {
    /// A request of the Worker to somebody else.
    pub(crate) async fn post(&self, outgoing: &Outgoing<'_>) -> Result<u16, SendProblem> {
        let (now, url, task) = (self.now.get(), outgoing.url, self.current());
        let named = self.direction.name(task, Op::Post, url);
        let named = named.as_ref();
        let (answer, takes) = if self.direction.is_scripted() {
            let answer = self.direction.answer(named).unwrap_or(Ok(204));
            (answer, self.direction.takes(named))
        } else {
            let (answer, takes, cuts) = self.receivers.borrow_mut().fate(url, now);
            self.direction.note(named, Effect::Takes(takes));
            match answer {
                Ok(204) => {}
                Ok(status) => self.direction.note(named, Effect::Answers(status)),
                Err(problem) => self.direction.note(named, Effect::NoAnswer(problem)),
            }
            if cuts {
                self.direction.cut_at(task, now + takes);
            }
            (answer, takes)
        };
        let headers = outgoing.headers.to_vec();
        let (url, body) = (url.to_owned(), outgoing.body.to_owned());
        let arrived = Arrived { url, at: now, headers, body, answer };
        self.receivers.borrow_mut().arrived.push(Rc::new(arrived));
        self.until(now + takes, named).await;
        answer
    }
}
