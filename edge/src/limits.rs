//! Rate limits: how often one address or one customer may ask for what costs the merchant something.
//! A visitor on a good link is never limited, only what is counted of them.
//!
//! The isolate counts first, which costs nothing and is all that most people ever meet. Whoever asks
//! again and again is put before the platform's limiter, which counts for the whole location; where
//! there is none, the isolate's own count decides. Neither learns who it is: the isolate keeps
//! digests for a minute, the limiter is given a keyed hash.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use passalong_core::keys::network;
use passalong_core::text::base32;

use crate::http::Request;
use crate::problem::{Code, Problem};
use crate::store::{Context, Host};

/// So often in a minute the isolate lets everyone through without asking the location's limiter.
const FREE: u32 = 3;
/// Keys an isolate counts in a minute; the limiter is asked at once for those beyond.
const MOST: usize = 20_000;
/// The limiter's period, in seconds.
const PERIOD: u32 = 60;

/// What is limited. The numbers are those of `wrangler.toml`, which a deployment may change; here
/// they are for where the platform's limiter is not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// New visitors of one code, from one network: what is beyond is redirected, not counted.
    Clicks,
    /// Codes that fail to verify, from one network.
    Codes,
    /// Requests of one customer.
    Customer,
    /// API and operator keys that fail to verify, from one network.
    Keys,
}

impl Limit {
    pub const ALL: [Self; 4] = [Self::Clicks, Self::Codes, Self::Customer, Self::Keys];

    /// The name of its binding.
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Clicks => "LIMIT_CLICKS",
            Self::Codes => "LIMIT_CODES",
            Self::Customer => "LIMIT_CUSTOMER",
            Self::Keys => "LIMIT_KEYS",
        }
    }

    /// Schools, companies and mobile networks share an address: the limits are for loops.
    pub const fn a_minute(self) -> u32 {
        match self {
            Self::Clicks => 30,
            Self::Codes => 120,
            Self::Customer | Self::Keys => 60,
        }
    }
}

/// Who asked how often in this minute, by digest.
#[derive(Debug, Default)]
pub struct Asked {
    minute: u64,
    digests: RandomState,
    counts: HashMap<u64, u32>,
}

impl Asked {
    /// Counts a request; how many there were with it, none if there is no room to know.
    fn count(&mut self, millis: u64, limit: Limit, key: &[&[u8]]) -> Option<u32> {
        let minute = millis / (u64::from(PERIOD) * 1_000);
        if minute != self.minute {
            self.minute = minute;
            self.counts.clear();
        }
        let digest = self.digests.hash_one((limit, key));
        let has_room = self.counts.len() < MOST || self.counts.contains_key(&digest);
        has_room.then(|| {
            let count = self.counts.entry(digest).or_default();
            *count = count.saturating_add(1);
            *count
        })
    }
}

/// Whether one more is let through.
pub async fn allow<H: Host>(cx: &Context<'_, H>, limit: Limit, key: &[&[u8]]) -> bool {
    let count = cx.isolate.asked.borrow_mut().count(cx.host.millis(), limit, key);
    if count.is_some_and(|count| count <= FREE) {
        return true;
    }
    let name = base32(&cx.config.secrets.limit_key(key));
    let decided = cx.host.allow(limit, &name).await;
    decided.unwrap_or_else(|| count.is_none_or(|count| count <= limit.a_minute()))
}

/// The same for whoever sends from this address. The platform always names one.
pub async fn allow_address<H: Host>(
    cx: &Context<'_, H>,
    limit: Limit,
    request: &Request,
    about: &[u8],
) -> bool {
    match request.header("cf-connecting-ip") {
        Some(address) => allow(cx, limit, &[&network(address), about]).await,
        None => true,
    }
}

/// What is answered beyond a limit.
pub fn too_many(what: &str) -> Problem {
    Problem::new(Code::RateLimited, format!("too many {what}; wait a minute")).retry_after(PERIOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limiter counts what is said there; the isolate, where there is none, what is said here.
    #[test]
    fn the_deployed_configuration_binds_every_limit_with_its_number() {
        let deployed = include_str!("../../wrangler.toml");
        let bound: Vec<&str> = deployed.split("[[ratelimits]]").skip(1).collect();
        assert_eq!(bound.len(), Limit::ALL.len());
        let mut namespaces = std::collections::BTreeSet::new();
        for limit in Limit::ALL {
            let name = format!("name = \"{}\"\n", limit.binding());
            let section = bound.iter().find(|section| section.contains(&name)).unwrap();
            let numbers = format!("simple = {{ limit = {}, period = {PERIOD} }}", limit.a_minute());
            assert!(section.contains(&numbers), "{section}");
            let namespace = section.lines().find(|line| line.starts_with("namespace_id")).unwrap();
            assert!(namespaces.insert(namespace), "two limits would share a count: {namespace}");
        }
    }

    #[test]
    fn an_isolate_counts_each_key_by_itself_and_forgets_with_the_minute() {
        let mut asked = Asked::default();
        let anna: &[&[u8]] = &[b"anna", b"x"];
        for count in 1..=100 {
            assert_eq!(asked.count(59_999, Limit::Customer, anna), Some(count));
        }
        assert_eq!(asked.count(59_999, Limit::Keys, anna), Some(1), "another limit");
        assert_eq!(asked.count(59_999, Limit::Customer, &[b"anna", b"y"]), Some(1));
        assert_eq!(asked.count(59_999, Limit::Customer, &[b"annax", b""]), Some(1));
        assert_eq!(asked.count(60_000, Limit::Customer, anna), Some(1), "another minute");
    }

    #[test]
    fn an_isolate_remembers_only_so_many() {
        let mut asked = Asked::default();
        for key in 0..MOST {
            assert_eq!(asked.count(0, Limit::Codes, &[&key.to_be_bytes()]), Some(1));
        }
        assert_eq!(asked.count(0, Limit::Codes, &[b"one more"]), None);
        assert_eq!(asked.count(0, Limit::Codes, &[&7_usize.to_be_bytes()]), Some(2));
        assert_eq!(asked.counts.len(), MOST);
        assert_eq!(asked.count(60_000, Limit::Codes, &[b"one more"]), Some(1));
    }
}
