//! A model of Workers KV at its worst, inside a stated bound.
//!
//! Every write has an instant at which it is committed, and for every location two more at which it
//! becomes visible there: one for reads, one for lists. Until then the location answers with what
//! it knew before, absences too. Besides, any answer may be older than the last one. After the
//! bound everything committed is visible everywhere. The last committed write of a key wins.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::rc::Rc;

use passalong_edge::store::{Entry, Memo, Page, Put};
use serde::{Deserialize, Serialize};

use crate::machine::LOCATIONS;
use crate::random::mix;

/// What the platform refuses: a second write of a key within this time.
const ONE_WRITE_IN: u64 = 1_000;

/// Most lists hold no more keys.
const FEW: usize = 16;

/// How stale this history's store is.
#[derive(Debug, Clone)]
pub struct Staleness {
    /// After this everything is visible everywhere, in milliseconds.
    pub bound: u64,
    /// So many of a thousand writes are late at a location; the others show at once.
    pub late: u64,
    /// So many of a thousand answers are older than what the location knows.
    pub flapping: u64,
    /// Keys in a page of a list.
    pub page: usize,
    /// So many of a thousand pages are empty, and others short.
    pub empty_pages: u64,
}

#[derive(Debug, Clone)]
pub struct Write {
    pub at: u64,
    id: u64,
    /// How late it becomes visible, for each location: to lists, and to reads.
    late: Late,
    /// None for a delete.
    pub put: Option<Put>,
    /// What was read of it where it was listed.
    memo: Memo,
}

impl Write {
    /// The content, unless it is a delete or has expired by then.
    fn content(&self, now: u64) -> Option<&Put> {
        let put = self.put.as_ref()?;
        put.ttl.is_none_or(|ttl| now < self.at + ttl * 1_000).then_some(put)
    }
}

/// How a location is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    List,
    Read,
}

/// Milliseconds after its commit at which a write is visible, at the latest: by location, to lists
/// and to reads.
pub type Late = [[u64; 2]; LOCATIONS];

#[derive(Debug)]
pub struct Kv {
    seed: u64,
    pub staleness: Staleness,
    keys: BTreeMap<Rc<str>, Vec<Write>>,
    /// Keys that a delete was written for, whatever became of it.
    deleted: BTreeSet<Rc<str>>,
    writes: u64,
    answers: u64,
    /// Writes that a told history holds back: keys that begin so, at which location, until when.
    pub held: Vec<(String, usize, u64)>,
}

impl Kv {
    pub fn new(seed: u64, staleness: Staleness) -> Self {
        let (keys, deleted) = (BTreeMap::new(), BTreeSet::new());
        Self { seed, staleness, keys, deleted, writes: 0, answers: 0, held: Vec::new() }
    }

    /// Whether the platform refuses a write of this key now.
    pub fn refuses(&self, key: &str, now: u64) -> bool {
        let writes = self.keys.get(key).into_iter().flatten();
        writes.rev().take(3).any(|write| write.at.abs_diff(now) < ONE_WRITE_IN)
    }

    /// How late the next write is.
    pub fn late(&self) -> Late {
        let id = self.writes + 1;
        let of = |location| [By::List, By::Read].map(|by| self.delay(location, by, id));
        std::array::from_fn(of)
    }

    /// Commits a write, or with `None` a delete, at that instant; its name, to take it back.
    pub fn write(&mut self, key: &str, put: Option<Put>, at: u64, late: Late) -> u64 {
        self.writes += 1;
        let mut late = late;
        for (prefix, location, until) in &self.held {
            if key.starts_with(prefix.as_str()) {
                late[*location] = [until.saturating_sub(at); 2];
            }
        }
        let key: Rc<str> = key.into();
        if put.is_none() {
            self.deleted.insert(Rc::clone(&key));
        }
        let write = Write { at, id: self.writes, late, put, memo: Memo::kept() };
        let writes = self.keys.entry(key).or_default();
        let place = writes.partition_point(|other| (other.at, other.id) < (at, write.id));
        writes.insert(place, write);
        self.writes
    }

    /// A write that had not reached the store when its isolate died.
    pub fn take_back(&mut self, key: &str, id: u64) {
        if let Some(writes) = self.keys.get_mut(key) {
            writes.retain(|write| write.id != id);
        }
    }

    /// When this write is visible at that location, at the latest.
    fn delay(&self, location: usize, by: By, id: u64) -> u64 {
        let chance =
            mix(self.seed ^ mix(id ^ mix((location as u64) << 1 | u64::from(by == By::Read))));
        if chance % 1_000 >= self.staleness.late {
            return 0;
        }
        let share = (chance >> 20) % 1_000;
        // Most of the late ones are a little late, some as late as can be.
        let share = if share < 400 {
            share / 8
        } else if share > 800 {
            1_000
        } else {
            share
        };
        self.staleness.bound * share / 1_000
    }

    fn seen<'w>(
        &self,
        writes: &'w [Write],
        location: usize,
        by: By,
        (now, back): (u64, u64),
    ) -> Option<(&'w Put, &'w Memo)> {
        let bound = self.staleness.bound;
        let visible = |write: &&Write| {
            write.at <= now
                && (write.at + bound <= now
                    || write.at + write.late[location][by as usize] + back <= now)
        };
        let write = writes.iter().rev().find(visible)?;
        Some((write.content(now)?, &write.memo))
    }

    /// How much older than what the location knows the next answer is.
    pub fn back(&mut self) -> u64 {
        self.answers += 1;
        let chance = mix(self.seed ^ mix(self.answers));
        let flaps = chance % 1_000 < self.staleness.flapping;
        if flaps { (chance >> 20) % (self.staleness.bound + 1) } else { 0 }
    }

    /// Whether the page of a list that is answered now is empty.
    pub fn is_empty_page(&self) -> bool {
        mix(self.seed ^ mix(self.answers << 1)) % 1_000 < self.staleness.empty_pages
    }

    /// What a location answers that far back.
    pub fn get(&self, key: &str, location: usize, (now, back): (u64, u64)) -> Option<String> {
        let writes = self.keys.get(key)?;
        self.seen(writes, location, By::Read, (now, back)).map(|(put, _)| put.value.clone())
    }

    /// A page of a list, as of that far back.
    pub fn list(
        &self,
        (prefix, cursor): (&str, Option<&str>),
        location: usize,
        (now, back): (u64, u64),
        is_empty: bool,
    ) -> Page {
        let after = cursor.map(|cursor| cursor.trim_start_matches('>'));
        let after_empty = cursor.is_some_and(|cursor| cursor.starts_with('>'));
        if !after_empty && is_empty {
            let cursor = format!(">{}", after.unwrap_or_default());
            return Page { entries: Vec::new(), cursor: Some(cursor) };
        }
        let entries = Vec::with_capacity(self.staleness.page.min(FEW));
        let mut page = Page { entries, cursor: None };
        let from = after.filter(|after| !after.is_empty()).unwrap_or(prefix);
        let rest = self.keys.range::<str, _>((Bound::Included(from), Bound::Unbounded));
        for (key, writes) in rest.take_while(|(key, _)| key.starts_with(prefix)) {
            if **key == *from && from != prefix {
                continue;
            }
            let seen = self.seen(writes, location, By::List, (now, back));
            let Some((put, memo)) = seen else { continue };
            if page.entries.len() >= self.staleness.page {
                page.cursor = page.entries.last().map(|last: &Entry| last.key.to_string());
                break;
            }
            let metadata = put.metadata.clone().unwrap_or_default();
            page.entries.push(Entry::new(Rc::clone(key), metadata).with(memo.clone()));
        }
        page
    }

    /// The truth: everything that stands now.
    pub fn standing<'k>(
        &'k self,
        prefix: &'k str,
        now: u64,
    ) -> impl Iterator<Item = (&'k str, &'k Put)> {
        self.range(prefix).filter_map(move |(key, writes)| {
            let last = writes.iter().rev().find(|write| write.at <= now)?;
            Some((key, last.content(now)?))
        })
    }

    /// Forgets what was deleted everywhere long ago.
    pub fn tidy(&mut self, prefix: &str, now: u64) {
        let bound = self.staleness.bound;
        let gone = |key: &&Rc<str>| {
            let last = self.keys.get(*key).and_then(|writes| writes.last());
            last.is_some_and(|last| last.put.is_none() && last.at + bound < now)
        };
        let deleted = self.deleted.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let deleted = deleted.take_while(|key| key.starts_with(prefix));
        let keys: Vec<Rc<str>> = deleted.filter(gone).cloned().collect();
        for key in keys {
            self.keys.remove(&key);
            self.deleted.remove(&key);
        }
    }

    /// When this key was written last, by then.
    pub fn written_at(&self, key: &str, now: u64) -> u64 {
        let writes = self.keys.get(key).into_iter().flatten();
        writes.map(|write| write.at).filter(|at| *at <= now).max().unwrap_or(0)
    }

    /// When this key was written first.
    pub fn first_written_at(&self, key: &str) -> u64 {
        let writes = self.keys.get(key).into_iter().flatten();
        writes.filter(|write| write.put.is_some()).map(|write| write.at).min().unwrap_or(0)
    }

    /// When this key was deleted, if it is not there any more.
    pub fn gone_at(&self, key: &str, now: u64) -> Option<u64> {
        let last = self.keys.get(key)?.iter().rev().find(|write| write.at <= now)?;
        last.put.is_none().then_some(last.at)
    }

    /// Everything that was ever written, deleted or not.
    pub fn ever<'k>(&'k self, prefix: &'k str) -> impl Iterator<Item = (&'k str, &'k Put)> {
        self.range(prefix)
            .flat_map(|(key, writes)| writes.iter().map(move |write| (key, write)))
            .filter_map(|(key, write)| Some((key, write.put.as_ref()?)))
    }

    /// The same, as lists show it.
    pub fn ever_listed<'k>(&'k self, prefix: &'k str) -> impl Iterator<Item = Entry> {
        let listed = |(key, write): (&str, &Write)| {
            let metadata = write.put.as_ref()?.metadata.clone().unwrap_or_default();
            Some(Entry::new(key, metadata).with(write.memo.clone()))
        };
        self.range(prefix)
            .flat_map(|(key, writes)| writes.iter().map(move |write| (key, write)))
            .filter_map(listed)
    }

    /// Whether such a key was committed by then.
    pub fn committed(&self, prefix: &str, by: u64, fits: impl Fn(&str, &Put) -> bool) -> bool {
        self.range(prefix).any(|(key, writes)| {
            let mut puts = writes.iter().filter(|write| write.at <= by);
            puts.any(|write| write.put.as_ref().is_some_and(|put| fits(key, put)))
        })
    }

    /// Tells two histories apart.
    pub fn digest(&self) -> u64 {
        let mut digest = DefaultHasher::new();
        for (key, writes) in &self.keys {
            for write in writes {
                let content = write.put.as_ref().map(|put| (&put.value, &put.metadata, put.ttl));
                (key, write.at, content).hash(&mut digest);
            }
        }
        digest.finish()
    }

    /// How much was written so far.
    pub const fn writes(&self) -> u64 {
        self.writes
    }

    fn range<'k>(&'k self, prefix: &'k str) -> impl Iterator<Item = (&'k str, &'k Vec<Write>)> {
        self.keys
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, writes)| (&**key, writes))
    }
}
