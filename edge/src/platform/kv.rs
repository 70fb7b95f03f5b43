//! Workers KV behind [`Store`], and the runtime's clock, timer, randomness and rate limiters behind
//! [`Host`].

use std::fmt::Display;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use serde_json::Value;
use worker::kv::KvStore;
use worker::{Date, Delay, Env};

use crate::limits::Limit;
use crate::store::{Entry, Host, Page, Put, Store, StoreError};

/// The binding of the one namespace.
const BINDING: &str = "KV";

/// A store that has not answered by then has failed, whatever it does later.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Platform {
    kv: KvStore,
    env: Env,
}

impl Platform {
    pub fn new(env: &Env) -> worker::Result<Self> {
        Ok(Self { kv: env.kv(BINDING)?, env: env.clone() })
    }
}

fn failed(error: impl Display) -> StoreError {
    StoreError(error.to_string())
}

/// The platform puts no bound on how long KV takes; whoever asks us has one.
async fn in_time<T, E: Display>(
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match select(pin!(operation), pin!(Delay::from(LIMIT))).await {
        Either::Left((answer, _)) => answer.map_err(failed),
        Either::Right(_) => Err(failed("the store did not answer in time")),
    }
}

impl Store for Platform {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        in_time(self.kv.get(key).text()).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut found = in_time(self.kv.get_bulk(keys).text()).await?;
        Ok(keys.iter().map(|key| found.remove(key).flatten()).collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, StoreError> {
        let mut list = self.kv.list().prefix(prefix.to_owned());
        if let Some(cursor) = cursor {
            list = list.cursor(cursor.to_owned());
        }
        let response = in_time(list.execute()).await?;
        let entries = response
            .keys
            .into_iter()
            .map(|key| Entry { key: key.name, metadata: key.metadata.unwrap_or(Value::Null) });
        let cursor = if response.list_complete { None } else { response.cursor };
        Ok(Page { entries: entries.collect(), cursor })
    }

    async fn put(&self, put: &Put) -> Result<(), StoreError> {
        let mut request = self.kv.put(&put.key, put.value.as_str()).map_err(failed)?;
        if let Some(metadata) = &put.metadata {
            request = request.metadata(metadata).map_err(failed)?;
        }
        if let Some(ttl) = put.ttl {
            request = request.expiration_ttl(ttl);
        }
        in_time(request.execute()).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        in_time(self.kv.delete(key)).await
    }
}

impl Host for Platform {
    async fn sleep(&self, millis: u32) {
        Delay::from(Duration::from_millis(millis.into())).await;
    }

    fn random(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        if getrandom::fill(&mut bytes).is_err() {
            self.log("no randomness");
        }
        bytes
    }

    fn millis(&self) -> u64 {
        Date::now().as_millis()
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
}
