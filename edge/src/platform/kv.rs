//! Workers KV behind [`Store`], and the runtime's clock, timer, randomness and rate limiters behind
//! [`Host`].

use std::cell::{OnceCell, RefCell};
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use passalong_core::webhook::SendProblem;
use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use worker::kv::KvStore;
use worker::{Delay, Env};

use super::boundary;
use crate::limits::Limit;
use crate::store::{Entry, Host, Outgoing, Page, Put, Store, StoreError};

/// The binding of the one namespace.
const BINDING: &str = "KV";
/// The binding of the queue that takes the place of pointers to webhooks, if there is one.
const QUEUE: &str = "WEBHOOKS";

/// A store that has not answered by then has failed, whatever it does later.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Platform {
    env: Env,
    /// Looked up by whoever needs it first: a redirect does not.
    kv: OnceCell<KvStore>,
}

impl Platform {
    pub fn new(env: Env) -> Self {
        Self { env, kv: OnceCell::new() }
    }

    fn kv(&self) -> Result<&KvStore, StoreError> {
        if let Some(kv) = self.kv.get() {
            return Ok(kv);
        }
        let kv = self.env.kv(BINDING).map_err(failed)?;
        Ok(self.kv.get_or_init(|| kv))
    }
}

/// A page of a list, as KV answers it.
#[derive(Deserialize)]
struct Listed {
    keys: Vec<ListedKey>,
    list_complete: bool,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct ListedKey {
    name: String,
    #[serde(default)]
    metadata: Value,
}

/// Random bytes got in advance, because asking for them is a call across the boundary.
#[derive(Debug, Default)]
struct Pool(Vec<[u8; 8]>);

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

impl Pool {
    fn take(&mut self) -> Result<[u8; 8], getrandom::Error> {
        if let Some(bytes) = self.0.pop() {
            return Ok(bytes);
        }
        let mut all = [0; 512];
        getrandom::fill(&mut all)?;
        let (chunks, _) = all.as_chunks();
        self.0.extend_from_slice(chunks);
        Ok(self.0.pop().unwrap_or_default())
    }
}

fn failed(error: impl Display) -> StoreError {
    StoreError::failed(error)
}

/// A timer, begun at the second look: it wakes whoever looked at it first, and that may be the try to
/// answer at once (`fetch`), which nobody can wake.
async fn delay(duration: Duration) {
    let mut looked_at = false;
    poll_fn(|task| {
        if std::mem::replace(&mut looked_at, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    Delay::from(duration).await;
}

/// The platform puts no bound on how long KV takes; whoever asks us has one.
async fn in_time<T, E: Display>(
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match select(pin!(operation), pin!(delay(LIMIT))).await {
        Either::Left((answer, _)) => answer.map_err(failed),
        Either::Right(_) => Err(failed("the store did not answer in time")),
    }
}

async fn list(env: &Env, options: &Value) -> Result<Page, StoreError> {
    let options = options.to_string();
    let page = boundary::list(env.unchecked_ref(), BINDING, &options);
    let page = in_time(async { page.await.map_err(|error| format!("{error:?}")) }).await?;
    let text = page.as_string().unwrap_or_default();
    let Listed { keys, list_complete, cursor } = serde_json::from_str(&text).map_err(failed)?;
    let entry = |key: ListedKey| Entry::new(key.name, key.metadata.into());
    let cursor = if list_complete { None } else { cursor };
    Ok(Page { entries: keys.into_iter().map(entry).collect(), cursor })
}

impl Store for Platform {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        in_time(self.kv()?.get(key).text()).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut found = in_time(self.kv()?.get_bulk(keys).text()).await?;
        Ok(keys.iter().map(|key| found.remove(key).flatten()).collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
        list(&self.env, &json!({ "prefix": prefix, "cursor": cursor })).await
    }

    async fn some(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        most: usize,
    ) -> Result<Page, StoreError> {
        list(&self.env, &json!({ "prefix": prefix, "cursor": cursor, "limit": most })).await
    }

    async fn first(&self, prefix: &str, most: usize) -> Result<Page, StoreError> {
        list(&self.env, &json!({ "prefix": prefix, "limit": most })).await
    }

    async fn put(&self, put: &Put) -> Result<(), StoreError> {
        let mut request = self.kv()?.put(&put.key, put.value.as_str()).map_err(failed)?;
        if let Some(metadata) = &put.metadata {
            request = request.metadata(&**metadata).map_err(failed)?;
        }
        if let Some(ttl) = put.ttl {
            request = request.expiration_ttl(ttl);
        }
        in_time(request.execute()).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        in_time(self.kv()?.delete(key)).await
    }
}

impl Host for Platform {
    async fn sleep(&self, millis: u32) {
        delay(Duration::from_millis(millis.into())).await;
    }

    fn random(&self) -> [u8; 8] {
        POOL.with_borrow_mut(Pool::take).unwrap_or_else(|_| {
            self.log("no randomness");
            [0; 8]
        })
    }

    fn millis(&self) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole milliseconds since 1970"
        )]
        let millis = js_sys::Date::now() as u64;
        millis
    }

    fn log(&self, line: &str) {
        worker::console_error!("{line}");
    }

    async fn allow(&self, limit: Limit, key: &str) -> Option<bool> {
        if self.env.var("RATE_LIMITS").is_ok_and(|value| value.to_string() == "off") {
            return Some(true);
        }
        let limiter = self.env.rate_limiter(limit.binding()).ok()?;
        // A limiter that fails must not refuse anybody.
        Some(limiter.limit(key.to_owned()).await.map_or(true, |outcome| outcome.success))
    }

    async fn post(&self, outgoing: &Outgoing<'_>) -> Result<u16, SendProblem> {
        let mut head = String::new();
        for (name, value) in outgoing.headers {
            for part in [*name, "\n", value, "\n"] {
                head.push_str(part);
            }
        }
        let answer = boundary::post(outgoing.url, &head, outgoing.body, outgoing.limit).await;
        let answer = answer.ok().and_then(|answer| answer.as_f64()).unwrap_or(-1.0);
        #[allow(clippy::cast_possible_truncation, reason = "a status, or one of two numbers")]
        let answer = answer as i32;
        u16::try_from(answer).map_err(|_| {
            if answer == -2 { SendProblem::TimedOut } else { SendProblem::Unreachable }
        })
    }

    async fn enqueue(&self, text: &str, seconds: u32) -> Option<Result<(), StoreError>> {
        let sent = boundary::enqueue(self.env.unchecked_ref(), QUEUE, text, seconds);
        match in_time(async { sent.await.map_err(|error| format!("{error:?}")) }).await {
            Ok(is_bound) => (is_bound == true).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    }
}
