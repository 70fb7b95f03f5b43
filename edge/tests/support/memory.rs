//! The store: keys in byte order with metadata and expiry, pages of any size, faults on command,
//! and time that passes only in sleep. It holds callers to the platform's limits.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use passalong_core::fact::Fact;
use passalong_core::time::Instant;
use passalong_core::webhook::SendProblem;
use passalong_edge::keys::LedgerKey;
use passalong_edge::limits::Limit;
use passalong_edge::store::{Entry, Host, Metadata, Outgoing, Page, Put, Store, StoreError};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    value: String,
    metadata: Option<Metadata>,
    expires: Option<i64>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The operation of this number (the next is 1) and every later one fails; `took_effect` says
    /// whether that one was carried out nevertheless.
    DieAt {
        operation: u32,
        took_effect: bool,
    },
    /// So many writes fail, from the one of this number on (the next is 1).
    Writes {
        from: u32,
        count: u32,
        took_effect: bool,
    },
    /// Every operation on a key that holds this text fails.
    On(String),
}

#[derive(Debug, Default)]
pub struct Memory {
    keys: RefCell<BTreeMap<String, Stored>>,
    fault: RefCell<Option<Fault>>,
    now: Cell<i64>,
    millis: Cell<u64>,
    alarms: RefCell<Vec<(u64, Waker)>>,
    moved: Cell<bool>,
    seed: Cell<u64>,
    /// Keys in a page; 0 for the platform's 1,000.
    pub page_size: Cell<usize>,
    /// Before every page comes an empty one.
    pub empty_pages: Cell<bool>,
    hides_values: Cell<bool>,
    operations: Cell<u32>,
    writes: Cell<u32>,
    lists_of_programs: Cell<u32>,
    /// What the location's rate limiter says; none where there is no limiter.
    pub limiter: Cell<Option<bool>>,
    /// What the limiter was asked for.
    pub limited: RefCell<Vec<String>>,
    pub log: RefCell<Vec<String>>,
    /// What receivers of webhooks answer, by URL; 204 where nothing is said.
    pub receivers: RefCell<BTreeMap<String, Result<u16, SendProblem>>>,
    /// Milliseconds that each takes.
    pub takes: Cell<u32>,
    pub posted: RefCell<Vec<Posted>>,
    /// What is in the queue, and after how many seconds it comes back; none where none is bound.
    pub queue: RefCell<Option<Vec<(String, u32)>>>,
}

/// A request to a receiver of webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    pub url: String,
    pub headers: BTreeMap<&'static str, String>,
    pub body: Value,
    pub text: String,
    /// Milliseconds on the host's clock, and the instant of the test's.
    pub at: (u64, i64),
    /// Verdicts there were by then.
    pub verdicts: usize,
}

fn error() -> StoreError {
    StoreError::failed("as the test asked")
}

impl Memory {
    pub fn fail(&self, fault: Fault) {
        self.operations.set(0);
        self.writes.set(0);
        self.fault.replace(Some(fault));
    }

    pub fn mend(&self) {
        self.fail(Fault::None);
    }

    /// Operations and writes since a fault was set or mended.
    pub fn counted(&self) -> (u32, u32) {
        (self.operations.get(), self.writes.get())
    }

    pub fn lists_of_programs(&self) -> u32 {
        self.lists_of_programs.get()
    }

    pub fn millis_now(&self) -> u64 {
        self.millis.get()
    }

    pub fn set_now(&self, now: Instant) {
        self.now.set(now.seconds());
    }

    pub fn advance(&self, millis: u64) {
        self.millis.set(self.millis.get() + millis);
    }

    /// Keys, metadata and values under a prefix.
    pub fn snapshot(&self, prefix: &str) -> BTreeMap<String, (Option<Metadata>, String)> {
        let keys = self.keys.borrow();
        keys.range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, stored)| self.lives(stored))
            .map(|(key, stored)| (key.clone(), (stored.metadata.clone(), stored.value.clone())))
            .collect()
    }

    /// Keys under a prefix as a list shows them.
    pub fn entries(&self, prefix: &str) -> Vec<Entry> {
        let entry = |(key, (metadata, _)): (String, (Option<Metadata>, String))| {
            Entry::new(key, metadata.unwrap_or_default())
        };
        self.snapshot(prefix).into_iter().map(entry).collect()
    }

    /// The facts in ledgers, under a prefix.
    pub fn facts(&self, prefix: &str) -> Vec<(LedgerKey, Fact)> {
        let fact = |entry: &Entry| {
            let key: LedgerKey = entry.key.parse().unwrap();
            let fact = Fact::from_json(key.fact.kind, &entry.metadata).unwrap();
            (key, fact)
        };
        self.entries(prefix).iter().map(fact).collect()
    }

    fn lives(&self, stored: &Stored) -> bool {
        stored.expires.is_none_or(|at| at > self.now.get())
    }

    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.snapshot(prefix).into_keys().collect()
    }

    /// Everything there is, to come back to.
    pub fn copy_to(&self, other: &Self) {
        other.keys.replace(self.keys.borrow().clone());
    }

    /// Writes past all faults, as another location did.
    pub fn insert(&self, put: &Put) {
        self.write(put);
    }

    pub fn remove(&self, key: &str) {
        self.keys.borrow_mut().remove(key);
    }

    /// Reads show nothing, although lists do.
    pub fn hide_values(&self, hide: bool) {
        self.hides_values.set(hide);
    }

    fn write(&self, put: &Put) {
        let metadata = put.metadata.as_ref().map_or(0, |metadata| metadata.to_string().len());
        assert!(metadata <= 1_024, "{}: metadata of {metadata} bytes", put.key);
        assert!(put.key.len() <= 512 && put.ttl.is_none_or(|ttl| ttl >= 60), "{put:?}");
        let expires =
            put.ttl.and_then(|ttl| i64::try_from(ttl).ok()).map(|ttl| self.now.get() + ttl);
        let stored = Stored { value: put.value.clone(), metadata: put.metadata.clone(), expires };
        self.keys.borrow_mut().insert(put.key.clone(), stored);
    }

    /// Another order of turns, another randomness.
    pub fn shuffle(&self, seed: u64) {
        self.seed.set(seed);
    }

    pub fn has_moved(&self) -> bool {
        self.moved.replace(false)
    }

    pub fn wake_next_sleeper(&self) {
        let mut alarms = self.alarms.borrow_mut();
        let next = alarms.iter().map(|(at, _)| *at).min();
        let next = next.expect("everything waits, and for nothing");
        self.millis.set(next.max(self.millis.get()));
        alarms.retain(|(at, waker)| {
            if *at <= next {
                waker.wake_by_ref();
            }
            *at > next
        });
    }

    fn next_random(&self) -> u64 {
        // Steele, Lea, Flood 2014: splitmix64.
        self.seed.set(self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mixed = self.seed.get();
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Lets the others go first, now and then twice.
    async fn take_turns(&self) {
        let mut turns = 1 + self.next_random() % 2;
        poll_fn(|task| {
            self.moved.set(true);
            if turns == 0 {
                return Poll::Ready(());
            }
            turns -= 1;
            task.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Counts an operation; whether it takes effect, and how it ends.
    async fn begin(&self, key: &str, is_write: bool) -> (bool, Result<(), StoreError>) {
        self.take_turns().await;
        self.operations.set(self.operations.get() + 1);
        self.writes.set(self.writes.get() + u32::from(is_write));
        let (operation, write) = self.counted();
        let fault = self.fault.borrow();
        let failed = match fault.as_ref().unwrap_or(&Fault::None) {
            Fault::DieAt { operation: at, took_effect } if operation >= *at => {
                Some(operation == *at && *took_effect)
            }
            Fault::Writes { from, count, took_effect }
                if is_write && (*from..from + count).contains(&write) =>
            {
                Some(*took_effect)
            }
            Fault::On(text) if key.contains(text.as_str()) => Some(false),
            _ => None,
        };
        failed.map_or((true, Ok(())), |took_effect| (took_effect, Err(error())))
    }

    fn read(&self, key: &str) -> Option<String> {
        let keys = self.keys.borrow();
        let stored = keys.get(key).filter(|stored| self.lives(stored));
        stored.filter(|_| !self.hides_values.get()).map(|stored| stored.value.clone())
    }
}

impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.begin(key, false).await.1.map(|()| self.read(key))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        assert!(keys.len() <= 100, "{} keys in one read", keys.len());
        self.begin(keys.first().map_or("", String::as_str), false).await.1?;
        Ok(keys.iter().map(|key| self.read(key)).collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
        if prefix == "program/" {
            self.lists_of_programs.set(self.lists_of_programs.get() + 1);
        }
        self.begin(prefix, false).await.1?;
        let (empty_first, after) = match cursor.map(|cursor| cursor.split_at(1)) {
            None => (self.empty_pages.get(), ""),
            Some((kind, after)) => (kind == "e", after),
        };
        if empty_first {
            return Ok(Page { entries: Vec::new(), cursor: Some(format!("p{after}")) });
        }
        let size = if self.page_size.get() == 0 { 1_000 } else { self.page_size.get() };
        let keys = self.keys.borrow();
        let mut rest = keys
            .range(prefix.max(after).to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, stored)| key.as_str() > after && self.lives(stored));
        let entry = |(key, stored): (&String, &Stored)| {
            Entry::new(key.as_str(), stored.metadata.clone().unwrap_or_default())
        };
        let entries: Vec<Entry> = rest.by_ref().take(size).map(entry).collect();
        let kind = if self.empty_pages.get() { "e" } else { "p" };
        let last = entries.last().map(|entry| format!("{kind}{}", entry.key));
        Ok(Page { cursor: last.filter(|_| rest.next().is_some()), entries })
    }

    async fn put(&self, put: &Put) -> Result<(), StoreError> {
        let (takes_effect, result) = self.begin(&put.key, true).await;
        if takes_effect {
            self.write(put);
        }
        result
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let (takes_effect, result) = self.begin(key, true).await;
        if takes_effect {
            self.remove(key);
        }
        result
    }
}

impl Host for Memory {
    async fn sleep(&self, millis: u32) {
        let end = self.millis.get() + u64::from(millis);
        poll_fn(|task| {
            if self.millis.get() >= end {
                self.moved.set(true);
                return Poll::Ready(());
            }
            self.alarms.borrow_mut().push((end, task.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn random(&self) -> [u8; 8] {
        self.next_random().to_be_bytes()
    }

    fn millis(&self) -> u64 {
        self.millis.get()
    }

    fn log(&self, line: &str) {
        self.log.borrow_mut().push(line.to_owned());
    }

    async fn allow(&self, limit: Limit, key: &str) -> Option<bool> {
        self.take_turns().await;
        self.limited.borrow_mut().push(format!("{} {key}", limit.binding()));
        self.limiter.get()
    }

    async fn post(&self, outgoing: &Outgoing<'_>) -> Result<u16, SendProblem> {
        let known = self.receivers.borrow().get(outgoing.url).copied().unwrap_or(Ok(204));
        self.posted.borrow_mut().push(Posted {
            url: outgoing.url.to_owned(),
            headers: outgoing.headers.iter().cloned().collect(),
            body: serde_json::from_str(outgoing.body).unwrap(),
            text: outgoing.body.to_owned(),
            at: (self.millis.get(), self.now.get()),
            verdicts: self.keys("ledger/").iter().filter(|key| key.contains(".verdict.")).count(),
        });
        self.take_turns().await;
        self.sleep(self.takes.get().min(outgoing.limit)).await;
        if self.takes.get() > outgoing.limit { Err(SendProblem::TimedOut) } else { known }
    }

    async fn enqueue(&self, text: &str, seconds: u32) -> Option<Result<(), StoreError>> {
        self.take_turns().await;
        let mut queue = self.queue.borrow_mut();
        queue.as_mut()?.push((text.to_owned(), seconds));
        Some(Ok(()))
    }
}
