//! The store handlers see: five operations on text keys, counted, with writes repeated when the
//! store asks for patience. What a real store is belongs to `platform`.

use std::cell::Cell;

use passalong_core::time::{Instant, Minute};
use serde_json::Value;

use crate::isolate::{Config, Isolate};

/// The store did not do what was asked; whether a write took place is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl StoreError {
    /// What is left of a run is not enough.
    pub fn no_room() -> Self {
        Self("no operations left in this run".to_owned())
    }
}

/// A key to write. `ttl` is in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    pub key: String,
    pub value: String,
    pub metadata: Option<Value>,
    pub ttl: Option<u64>,
}

impl Put {
    /// A key whose content rides in its metadata, so that a list answers everything.
    pub fn listed(key: &impl ToString, metadata: Value) -> Self {
        Self { key: key.to_string(), value: String::new(), metadata: Some(metadata), ttl: None }
    }

    #[must_use]
    pub fn value(mut self, value: String) -> Self {
        self.value = value;
        self
    }

    /// Lets the key go at `until`; the store keeps nothing for less than a minute.
    #[must_use]
    pub fn until(mut self, until: Instant, now: Instant) -> Self {
        self.ttl = u64::try_from(until.seconds() - now.seconds()).ok().map(|ttl| ttl.max(60));
        self.ttl = self.ttl.or(Some(60));
        self
    }
}

/// A listed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub metadata: Value,
}

/// One page of a list. A page may be empty although more follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// Where the next page begins; none at the end.
    pub cursor: Option<String>,
}

/// Workers KV, or a model of it.
#[allow(async_fn_in_trait)] // Isolates are single-threaded; nothing here needs `Send`.
pub trait Store {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError>;
    /// At most 100 keys, in one operation.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError>;
    /// Keys in byte order, at most 1,000 in a page.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError>;
    /// The first page of a list, with fewer keys than that may hold.
    async fn first(&self, prefix: &str, most: usize) -> Result<Page, StoreError> {
        let mut page = self.list(prefix, None).await?;
        if page.entries.len() > most {
            page.entries.truncate(most);
            page.cursor = page.entries.last().map(|last| last.key.clone());
        }
        Ok(page)
    }
    async fn put(&self, put: &Put) -> Result<(), StoreError>;
    async fn delete(&self, key: &str) -> Result<(), StoreError>;
}

/// What else a handler needs from where it runs.
#[allow(async_fn_in_trait)]
pub trait Host: Store {
    async fn sleep(&self, millis: u32);
    fn random(&self) -> [u8; 8];
    /// Real time in milliseconds, for caches and batches; never for facts.
    fn millis(&self) -> u64;
    /// A line for the operator's log. It carries no ids.
    fn log(&self, line: &str);
}

/// One request's view of the world: the store, the isolate's memory, and `now`, read once.
#[derive(Debug)]
pub struct Context<'a, H> {
    pub host: &'a H,
    pub isolate: &'a Isolate,
    pub config: &'a Config,
    pub now: Instant,
    reads: Cell<u32>,
    writes: Cell<u32>,
    lists: Cell<u32>,
}

fn bump(counter: &Cell<u32>) {
    counter.set(counter.get().saturating_add(1));
}

impl<'a, H: Host> Context<'a, H> {
    pub fn new(host: &'a H, isolate: &'a Isolate, config: &'a Config, now: Instant) -> Self {
        let zero = || Cell::new(0);
        Self { host, isolate, config, now, reads: zero(), writes: zero(), lists: zero() }
    }

    /// The minute in which a fact is accepted now: the one that ends next, so that what was
    /// accepted up to a minute was accepted before it.
    pub fn accepted(&self) -> Minute {
        self.now.minute_up()
    }

    pub async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        bump(&self.reads);
        self.host.get(key).await
    }

    /// As many keys as there are, 100 in an operation.
    pub async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut values = Vec::with_capacity(keys.len());
        for some in keys.chunks(100) {
            bump(&self.reads);
            values.extend(self.host.get_many(some).await?);
        }
        Ok(values)
    }

    pub async fn page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
        bump(&self.lists);
        self.host.list(prefix, cursor).await
    }

    /// The first keys under a prefix; a cursor says that there are more.
    pub async fn first(&self, prefix: &str, most: usize) -> Result<Page, StoreError> {
        bump(&self.lists);
        self.host.first(prefix, most).await
    }

    /// All keys under a prefix, at most `pages` pages of them; empty pages do not count.
    pub async fn list(&self, prefix: &str, pages: u32) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut cursor = None;
        let mut full = 0;
        while full < pages {
            let page = self.page(prefix, cursor.as_deref()).await?;
            full += u32::from(!page.entries.is_empty());
            entries.extend(page.entries);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(entries)
    }

    /// Writes, three times at most: the store refuses a key that was written within the second.
    pub async fn put(&self, put: &Put) -> Result<(), StoreError> {
        let mut last = StoreError(String::new());
        for wait in [0_u32, 400, 1_100] {
            if wait > 0 {
                let [jitter, ..] = self.host.random();
                self.host.sleep(wait + u32::from(jitter)).await;
            }
            bump(&self.writes);
            match self.host.put(put).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        self.host.log("a write failed three times");
        Err(last)
    }

    /// Writes several keys at once; none is relied on before all are in.
    pub async fn put_all(&self, puts: &[Put]) -> Result<(), StoreError> {
        let all = futures_util::future::join_all(puts.iter().map(|put| self.put(put))).await;
        all.into_iter().collect()
    }

    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        bump(&self.writes);
        self.host.delete(key).await
    }

    /// Reads, writes (with deletes) and lists so far.
    pub fn operations(&self) -> (u32, u32, u32) {
        (self.reads.get(), self.writes.get(), self.lists.get())
    }

    pub fn spent(&self) -> u32 {
        let (reads, writes, lists) = self.operations();
        reads + writes + lists
    }
}
