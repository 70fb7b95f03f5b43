//! The erasure of a customer: at once, and again for a week, for what was written elsewhere and not
//! yet visible. What counts as money stays, pseudonymous.
//!
//! An erasure changes no verdict. Hints, segments and purchases decide orders that are not settled yet,
//! so they are hidden at once, and deleted in two steps: first what they say is written into those orders,
//! under their own minutes; once that is visible everywhere, the keys go.

use std::collections::BTreeSet;

use passalong_core::alias::Alias;
use passalong_core::fact::{Fact, FactKey, FactKind, Order, Remembered};
use passalong_core::ids::{CustomerPseudonym, Identity, OrderPseudonym};
use passalong_core::orders::claims::earliest;
use passalong_core::seal::Sealed;
use passalong_core::settlement::Known;
use passalong_core::time::{DAY, HOUR, Instant, Minute, SETTLE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aliases::bury;
use crate::customers;
use crate::keys::{CustomerKey, ErasedAliasKey, ErasedKey, Field, LedgerKey, PersonKey};
use crate::orders;
use crate::people::{self, Listed};
use crate::programs::{self, Loaded};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// An erasure is repeated so long.
const REPEATED_DAYS: i64 = 7;
/// A request writes a claim on an alias no later than this after it was accepted.
const WRITTEN_WITHIN: i64 = HOUR;

/// Erases a customer: the note to repeat it first, then the tombstone, then the deletes. Until when
/// it is repeated.
pub async fn erase<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<Instant, StoreError> {
    let until = cx.now.plus(REPEATED_DAYS * DAY);
    let kept = customers::kept(cx, program.id(), customer).await?;
    let key = ErasedKey { program: program.id().clone(), customer };
    let since = cx.accepted();
    let progress = Progress { until: until.seconds(), since, copied: None };
    cx.put(&note_put(&key, &progress, cx.now)).await?;
    cx.put(&customers::tombstone(cx, program.id(), customer, until)).await?;
    delete(cx, program, customer, &kept).await?;
    Ok(until)
}

/// Whether a key of the cron's list says that something is to be erased again.
pub fn is_note(key: &str) -> bool {
    key.parse::<ErasedKey>().is_ok() || key.parse::<ErasedAliasKey>().is_ok()
}

/// Does again what a note says; whether it was about a customer.
pub async fn again<H: Host>(cx: &Context<'_, H>, note: &Entry) -> Result<bool, StoreError> {
    if let Ok(key) = note.key.parse::<ErasedAliasKey>() {
        alias_again(cx, &key, &note.metadata).await?;
        return Ok(false);
    }
    let Ok(key) = note.key.parse::<ErasedKey>() else { return Ok(false) };
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(false) };
    let Ok(progress) = Progress::deserialize(&note.metadata) else { return Ok(false) };
    let kept = customers::kept(cx, &key.program, key.customer).await?;
    let is_tombstone =
        |entry: &Entry| entry.key.parse().is_ok_and(|key: CustomerKey| key.field == Field::Erased);
    // Nobody is half erased: whoever sees something gone sees why.
    if !kept.iter().any(is_tombstone) {
        let until = Instant::from_seconds(progress.until);
        cx.put(&customers::tombstone(cx, &key.program, key.customer, until)).await?;
    }
    delete(cx, &program, key.customer, &kept).await?;
    if cx.now >= progress.since.plus(SETTLE).start() {
        forget(cx, &program, &key, &progress, &kept).await?;
    }
    Ok(true)
}

/// How far an erasure has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// Until when it is repeated, in seconds.
    until: i64,
    #[serde(with = "minute")]
    since: Minute,
    /// When what decides orders was copied into them last.
    #[serde(with = "some_minute", skip_serializing_if = "Option::is_none", default)]
    copied: Option<Minute>,
}

fn note_put(key: &ErasedKey, progress: &Progress, now: Instant) -> Put {
    let until = Instant::from_seconds(progress.until);
    Put::listed(key, serde_json::to_value(progress).unwrap_or_default()).until(until, now)
}

/// Copies are relied on no longer than this: an order that came since is decided an hour later at the
/// earliest, when the keys are gone everywhere.
const COPIES_LAST: i64 = HOUR / 2;

/// Copies what hints, segments and purchases say into the orders they decide, and deletes them once the
/// copies are visible everywhere.
async fn forget<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    key: &ErasedKey,
    progress: &Progress,
    kept: &[Entry],
) -> Result<(), StoreError> {
    let (own, _) = people::listed(cx, program, Identity::Customer(key.customer)).await?;
    let fields = kept.iter().filter(|entry| is_decisive(&entry.key));
    let fields: Vec<String> = fields.map(|entry| entry.key.clone()).collect();
    if fields.is_empty() && own.iter().all(|one| one.seen.ledger.0.is_some()) {
        return Ok(());
    }
    let age = progress.copied.map(|copied| cx.now.seconds() - copied.start().seconds());
    if age.is_some_and(|age| age < SETTLE) {
        return Ok(());
    }
    let mut known = customers::Customer::read(kept).known;
    known.identities.extend(own.iter().flat_map(people::ties));
    let identities: BTreeSet<Identity> = known
        .identities
        .iter()
        .map(|(_, identity)| *identity)
        .chain([Identity::Customer(key.customer)])
        .collect();
    let mut purchases: Vec<Listed> = Vec::new();
    for identity in identities {
        purchases.extend(people::listed(cx, program, identity).await?.0);
    }
    let mut copies = copies_as_advocate(cx, program, key.customer, &known).await?;
    copies.extend(copies_as_friend(cx, program, &purchases).await?);
    // The same may be said under several identities.
    copies.sort_by(|one, other| one.key.cmp(&other.key));
    copies.dedup_by(|one, other| one.key == other.key);
    cx.put_all(&copies).await?;
    if age.is_none_or(|age| age > COPIES_LAST) {
        let copied = Some(cx.accepted());
        return cx.put(&note_put(key, &Progress { copied, ..progress.clone() }, cx.now)).await;
    }
    let is_theirs = |one: &&Listed| {
        let by = one.meta.customer.as_ref();
        one.seen.ledger.0.is_none() && by.is_none_or(|by| *by == key.customer.to_string())
    };
    for one in purchases.iter().filter(is_theirs) {
        let (program, identity, seen) = (program.id().clone(), one.identity, one.seen);
        cx.delete(&PersonKey { program, identity, seen }.to_string()).await?;
    }
    for field in fields {
        cx.delete(&field).await?;
    }
    Ok(())
}

/// Whether a key of a customer decides orders: hints and segments do.
fn is_decisive(key: &str) -> bool {
    let field = key.parse().map(|key: CustomerKey| key.field);
    matches!(field, Ok(Field::Hints(..) | Field::Segment(..)))
}

/// Whether an order can still be decided, or its verdict be looked at again.
fn is_open(facts: &Order, now: Instant) -> bool {
    facts.verdict.as_ref().is_none_or(|verdict| verdict.at.plus(2 * DAY).start() > now)
}

/// What who the advocate is says about the orders in the advocate's ledger.
async fn copies_as_advocate<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
    known: &Known,
) -> Result<Vec<Put>, StoreError> {
    let entries = cx.list(&LedgerKey::prefix(&[program.id(), &advocate]), 20).await?;
    let mut puts = Vec::new();
    for (order, facts) in orders::fold(&entries) {
        if !is_open(&facts, cx.now) {
            continue;
        }
        for report in facts.reports() {
            let own = known.identities.iter();
            let own = own.filter(|(_, identity)| report.fact.identities.contains(identity));
            let own = own.map(|(since, _)| (*since, Remembered::default()));
            let segments = known.segments.iter().map(|(since, segment)| {
                (*since, Remembered { segment: Some(segment.clone()), ..Remembered::default() })
            });
            let facts = own.chain(segments);
            puts.extend(facts.map(|(since, fact)| copy(program, (advocate, order), since, fact)));
        }
    }
    Ok(puts)
}

/// Earlier purchases that are copied into one order, the earliest first.
const COPIED: usize = 20;

/// What purchases of a person say about the person's orders in the ledgers of others.
async fn copies_as_friend<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    listed: &[Listed],
) -> Result<Vec<Put>, StoreError> {
    let mut puts = Vec::new();
    let mut seen = BTreeSet::new();
    for one in listed {
        let Some(advocate) = one.seen.ledger.0 else { continue };
        if !seen.insert((one.seen.order, advocate)) {
            continue;
        }
        let facts = orders::in_ledger(cx, program, advocate, one.seen.order).await?;
        if !is_open(&facts, cx.now) {
            continue;
        }
        // An order is decided by what the identities say that it names.
        let same = |other: &&Listed| {
            (other.seen.order, other.seen.ledger) == (one.seen.order, one.seen.ledger)
        };
        let named: BTreeSet<Identity> =
            listed.iter().filter(same).map(|other| other.identity).collect();
        let unreferred = listed
            .iter()
            .filter(|other| other.seen.ledger.0.is_none() && named.contains(&other.identity));
        let earlier = earliest(unreferred.filter_map(Listed::purchase)).into_iter();
        let earlier = earlier.filter(|purchase| purchase.accepted <= one.seen.accepted);
        for purchase in earlier.take(COPIED) {
            let fact = Remembered {
                order: Some(purchase.order),
                amount: purchase.amount,
                until: Some(purchase.until),
                segment: None,
            };
            puts.push(copy(program, (advocate, one.seen.order), purchase.accepted, fact));
        }
    }
    Ok(puts)
}

fn copy(
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    accepted: Minute,
    fact: Remembered,
) -> Put {
    let fact = Fact::Remembered(fact);
    let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
    let key = FactKey { accepted, kind: FactKind::Remembered, digest };
    orders::ledger_put(program, advocate, order, (key, &fact))
}

/// A minute as its text.
mod minute {
    use passalong_core::time::Minute;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(minute: &Minute, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(minute)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Minute, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The same, where there is one.
mod some_minute {
    use passalong_core::time::Minute;
    use serde::{Deserializer, Serializer};

    #[allow(clippy::ref_option, reason = "serde asks for this signature")]
    pub fn serialize<S: Serializer>(
        minute: &Option<Minute>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match minute {
            Some(minute) => super::minute::serialize(minute, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Minute>, D::Error> {
        super::minute::deserialize(deserializer).map(Some)
    }
}

/// Deletes what is kept of a customer, except for the tombstone and what [`forget`] deletes. What a
/// field points to goes before it.
async fn delete<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    kept: &[Entry],
) -> Result<(), StoreError> {
    for entry in kept {
        match entry.key.parse().map(|key: CustomerKey| key.field) {
            Ok(Field::Erased) => continue,
            Ok(Field::Alias(at, alias)) => {
                // Whoever chose it this moment may still be about to write the claim.
                if cx.now < at.start().plus(WRITTEN_WITHIN) {
                    cx.put(&alias_note(cx, program, customer, (at, alias))).await?;
                }
                bury(cx, program.id(), alias, (at, customer)).await?;
            }
            Ok(Field::Hints(..) | Field::Segment(..)) => continue,
            _ => {}
        }
        cx.delete(&entry.key).await?;
    }
    Ok(())
}

/// The note to delete a claim again. What it names is readable to us alone.
fn alias_note<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    (at, alias): (Minute, Alias),
) -> Put {
    let text = format!("{at}.{alias}");
    let claim = program.keys.digest(text.as_bytes());
    let key = ErasedAliasKey { program: program.id().clone(), customer, claim };
    let note = Put::listed(&key, json!({ "s": program.keys.seal(Sealed::Alias, &text) }));
    note.until(cx.now.plus(REPEATED_DAYS * DAY), cx.now)
}

/// Takes the name off the claim that a note names, and deletes the note once nobody can write it any more.
async fn alias_again<H: Host>(
    cx: &Context<'_, H>,
    key: &ErasedAliasKey,
    metadata: &Value,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(()) };
    let sealed = metadata.get("s").and_then(Value::as_str).unwrap_or_default();
    let text = program.keys.open(Sealed::Alias, sealed).unwrap_or_default();
    let claim = text
        .split_once('.')
        .and_then(|(at, alias)| Some((at.parse::<Minute>().ok()?, alias.parse::<Alias>().ok()?)));
    let Some(claim) = claim else { return Ok(()) };
    let (at, alias) = claim;
    bury(cx, &key.program, alias, (at, key.customer)).await?;
    if cx.now >= at.start().plus(WRITTEN_WITHIN) {
        cx.delete(&key.to_string()).await?;
    }
    Ok(())
}
