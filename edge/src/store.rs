//! The store handlers see: five operations on text keys, counted, with writes repeated when the
//! store asks for patience. What a real store is belongs to `platform`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::rc::Rc;

use passalong_core::mutation::{self, Mutation};
use passalong_core::time::{Instant, Minute, Moment};
use passalong_core::webhook::SendProblem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::isolate::{Config, Isolate};
use crate::keys::LONG;
use crate::limits::Limit;
use crate::outbox::Announced;

/// A write is not repeated once its caller has waited so long, in milliseconds.
const PATIENCE: u64 = 4_000;

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// It failed, and says why. Whether a write took place is not known.
    Failed(String),
    /// What a request or a run may spend is spent, in operations or time. The store was not asked.
    OutOfBudget,
    /// A list shows a key whose content cannot be read here yet.
    NotVisible,
    /// A list holds more keys than are read of it.
    Cut,
}

impl StoreError {
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(reason) => reason,
            Self::OutOfBudget => "what a request or a run may spend is spent",
            Self::NotVisible => "what is listed cannot be read yet",
            Self::Cut => "a list holds more keys than are read of it",
        })
    }
}

/// What rides beside a key. Nothing changes it, so whoever lists it shares it.
pub type Metadata = Rc<Value>;

/// A key to write. `ttl` is in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    pub key: String,
    pub value: String,
    pub metadata: Option<Metadata>,
    pub ttl: Option<u64>,
}

impl Put {
    /// A key whose content rides in its metadata, so that a list answers everything. What may be there
    /// is in [`crate::metadata`].
    pub fn listed(key: &impl fmt::Display, metadata: &impl Serialize) -> Self {
        let metadata = serde_json::to_value(metadata).ok().map(Rc::new);
        let mut text = String::with_capacity(LONG);
        // A text takes whatever is written to it.
        let _taken = write!(text, "{key}");
        Self { key: text, value: String::new(), metadata, ttl: None }
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

/// What was read of a listed key or of a text, for a store that shows the same content many times. Where
/// content is read once, as in a Worker, there is none, and nothing is kept.
#[derive(Debug, Clone, Default)]
pub struct Memo(Option<Rc<RefCell<Made>>>);

/// One thing of a type.
type Made = Vec<Box<dyn Any>>;

impl Memo {
    /// One that is kept with its content.
    pub fn kept() -> Self {
        Self(Some(Rc::default()))
    }

    /// What `read` makes of the content that this is kept with, and of nothing else: one thing of a type.
    pub fn once<T: Clone + 'static>(&self, read: impl FnOnce() -> T) -> T {
        let Self(Some(kept)) = self else { return read() };
        let known = kept.borrow().iter().find_map(|known| known.downcast_ref::<T>().cloned());
        known.unwrap_or_else(|| {
            let made = read();
            kept.borrow_mut().push(Box::new(made.clone()));
            made
        })
    }
}

/// What a metadata is read as: no closure of [`Entry::once`] makes the same type.
#[derive(Clone)]
struct Metadatum<T>(Option<T>);

/// A listed key. Like what rides beside it, it is shared.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Rc<str>,
    pub metadata: Metadata,
    memo: Memo,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.metadata) == (&other.key, &other.metadata)
    }
}

impl Eq for Entry {}

impl Entry {
    pub fn new(key: impl Into<Rc<str>>, metadata: Metadata) -> Self {
        Self { key: key.into(), metadata, memo: Memo::default() }
    }

    /// The same with what was read of it before.
    #[must_use]
    pub fn with(self, memo: Memo) -> Self {
        Self { memo, ..self }
    }

    /// What `read` makes of the entry: see [`Memo::once`].
    pub fn once<T: Clone + 'static>(&self, read: fn(&Self) -> T) -> T {
        self.memo.once(|| read(self))
    }

    /// What rides in its metadata; none where that is something else.
    pub fn read<T: DeserializeOwned + Clone + 'static>(&self) -> Option<T> {
        let Metadatum(read) = self.memo.once(|| Metadatum(T::deserialize(&*self.metadata).ok()));
        read
    }
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
        // Workers KV refuses a list of more.
        debug_assert!(most <= PAGE, "a page of {most} keys");
        let mut page = self.list(prefix, None).await?;
        if page.entries.len() > most {
            page.entries.truncate(most);
            page.cursor = page.entries.last().map(|last| last.key.to_string());
        }
        Ok(page)
    }
    /// A page of a list with at most so many keys; a model may give more.
    async fn some(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        _most: usize,
    ) -> Result<Page, StoreError> {
        self.list(prefix, cursor).await
    }
    async fn put(&self, put: &Put) -> Result<(), StoreError>;
    async fn delete(&self, key: &str) -> Result<(), StoreError>;
}

/// A POST to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub url: &'a str,
    pub headers: &'a [(&'static str, String)],
    pub body: &'a str,
    /// Milliseconds after which no answer counts any more.
    pub limit: u32,
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
    /// What `read` makes of a text. A model may keep it for whoever reads the same again.
    fn once<T: Clone + 'static>(&self, text: &str, read: fn(&str) -> T) -> T {
        read(text)
    }
    /// Whether the location's rate limiter lets this key through; none where there is no limiter,
    /// and the isolate counts by itself.
    async fn allow(&self, _limit: Limit, _key: &str) -> Option<bool> {
        Some(true)
    }
    /// The status that was answered. Redirects are answers, not followed.
    async fn post(&self, _outgoing: &Outgoing<'_>) -> Result<u16, SendProblem> {
        Err(SendProblem::Unreachable)
    }
    /// Hands a text to this deployment's own queue, to come back after so many seconds; none where
    /// no queue is bound.
    async fn enqueue(&self, _text: &str, _seconds: u32) -> Option<Result<(), StoreError>> {
        None
    }
}

/// One request's view of the world: the store, the isolate's memory, and `now`, read once.
#[derive(Debug)]
pub struct Context<'a, H> {
    pub host: &'a H,
    pub isolate: &'a Isolate,
    pub config: &'a Config,
    pub now: Instant,
    /// When it began, in the host's milliseconds.
    began: u64,
    reads: Cell<u32>,
    writes: Cell<u32>,
    lists: Cell<u32>,
    /// Requests to others, which the platform counts like operations.
    posts: Cell<u32>,
    /// Messages to the merchant, to be delivered after the answer.
    pub announced: RefCell<Vec<Announced>>,
}

/// A request writes nothing later than this after it began, in milliseconds: what it writes says
/// that it was accepted then, and others rely on seeing it in time.
const WRITES_WITHIN: u64 = 60_000;
const MINUTE_MS: i64 = 60_000;
/// Writes of one request that are under way at once.
const AT_ONCE: usize = 20;
/// Keys in a full page of a list.
const PAGE: usize = 1_000;

fn bump(counter: &Cell<u32>) {
    counter.set(counter.get().saturating_add(1));
}

impl<'a, H: Host> Context<'a, H> {
    pub fn new(host: &'a H, isolate: &'a Isolate, config: &'a Config, now: Instant) -> Self {
        let zero = || Cell::new(0);
        let began = host.millis();
        Self {
            host,
            isolate,
            config,
            now,
            began,
            reads: zero(),
            writes: zero(),
            lists: zero(),
            posts: zero(),
            announced: RefCell::default(),
        }
    }

    /// Milliseconds since it began.
    pub fn elapsed(&self) -> u64 {
        self.host.millis().saturating_sub(self.began)
    }

    /// The minute in which a fact is accepted now: the one that ends next, so that what was
    /// accepted up to a minute was accepted before it.
    pub fn accepted(&self) -> Minute {
        self.now.minute_up()
    }

    /// When it began, to the millisecond. Where the time is set by hand, the host's clock gives only
    /// what is finer than a second.
    pub fn moment(&self) -> Moment {
        let now = Moment::from(self.now);
        let began = i64::try_from(self.began).unwrap_or(i64::MAX);
        let is_real = (now.millis()..now.millis().saturating_add(MINUTE_MS)).contains(&began);
        if is_real { Moment::from_millis(began) } else { now.plus_millis(began % 1_000) }
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

    /// A page that ends after so many keys, for whoever goes on in another request.
    pub async fn some(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        bump(&self.lists);
        self.host.some(prefix, cursor, most).await
    }

    /// All keys under a prefix. More than so many full pages of them are an error, never the first of
    /// them: whoever needs no more asks for [`Self::first`]. A page may be short or empty although
    /// more follows.
    pub async fn list(&self, prefix: &str, pages: usize) -> Result<Vec<Entry>, StoreError> {
        let page = self.page(prefix, None).await?;
        let (entries, is_cut) = self.follow(page, prefix, pages * PAGE).await?;
        if is_cut {
            let kind = prefix.split('/').next().unwrap_or_default();
            self.host
                .log(&format!("a list of {kind}/ is longer than {pages} pages, and was not used"));
            return Err(StoreError::Cut);
        }
        Ok(entries)
    }

    /// The first keys under a prefix in byte order, at least so many if there are, and whether there
    /// are more.
    pub async fn first(
        &self,
        prefix: &str,
        least: usize,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        bump(&self.lists);
        let page = self.host.first(prefix, least.min(PAGE)).await?;
        self.follow(page, prefix, least).await
    }

    async fn follow(
        &self,
        mut page: Page,
        prefix: &str,
        least: usize,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        let mut entries = std::mem::take(&mut page.entries);
        while let Some(cursor) = page.cursor.as_deref().filter(|_| entries.len() < least) {
            page = self.page(prefix, Some(cursor)).await?;
            entries.append(&mut page.entries);
        }
        Ok((entries, page.cursor.is_some()))
    }

    pub async fn put(&self, put: &Put) -> Result<(), StoreError> {
        self.write(|| self.host.put(put)).await
    }

    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.write(|| self.host.delete(key)).await
    }

    /// Writes, three times at most: the store refuses a key that was written within the second. A
    /// store that is slow to refuse is not asked again.
    async fn write<F: Future<Output = Result<(), StoreError>>>(
        &self,
        once: impl Fn() -> F,
    ) -> Result<(), StoreError> {
        let began = self.host.millis();
        let mut last = StoreError::Failed(String::new());
        for wait in [0_u32, 400, 1_100] {
            if wait > 0 {
                let [jitter, ..] = self.host.random();
                self.host.sleep(wait + u32::from(jitter)).await;
            }
            if self.elapsed() > WRITES_WITHIN {
                self.host.log("a request took too long to write");
                return Err(StoreError::OutOfBudget);
            }
            bump(&self.writes);
            match once().await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            let is_slow = self.host.millis().saturating_sub(began) >= PATIENCE;
            if is_slow || mutation::is_on(Mutation::NoRetry) {
                break;
            }
        }
        self.host.log("a write failed for good");
        Err(last)
    }

    pub async fn post(&self, outgoing: &Outgoing<'_>) -> Result<u16, SendProblem> {
        bump(&self.posts);
        self.host.post(outgoing).await
    }

    /// See [`Host::enqueue`].
    pub async fn enqueue(&self, text: &str, seconds: u32) -> Option<Result<(), StoreError>> {
        let answer = self.host.enqueue(text, seconds).await;
        if answer.is_some() {
            bump(&self.posts);
        }
        answer
    }

    /// Writes several keys, some at once; none is relied on before all are in.
    pub async fn put_all(&self, puts: &[Put]) -> Result<(), StoreError> {
        for some in puts.chunks(AT_ONCE) {
            let all = futures_util::future::join_all(some.iter().map(|put| self.put(put))).await;
            all.into_iter().collect::<Result<(), StoreError>>()?;
        }
        Ok(())
    }

    /// Reads, writes (with deletes) and lists so far.
    pub fn operations(&self) -> (u32, u32, u32) {
        (self.reads.get(), self.writes.get(), self.lists.get())
    }

    /// With what was sent to others: all that the platform counts.
    pub fn spent(&self) -> u32 {
        let (reads, writes, lists) = self.operations();
        reads + writes + lists + self.posts.get()
    }
}
