//! The erasure of a customer: at once, and again for a week, for what was written elsewhere and not
//! yet visible. What counts as money stays, pseudonymous.
//!
//! An erasure changes no verdict. Hints, segments and purchases decide orders that are not settled yet,
//! so they stay until every order that names the customer has come to whoever it belongs to, and are then
//! deleted in two steps: first what they say is written into those orders, under the minutes from
//! which it counts; once that is visible everywhere, the keys go.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::alias::Alias;
use passalong_core::fact::{Fact, FactKey, FactKind, Order, Remembered};
use passalong_core::ids::{CustomerPseudonym, Identity, OrderPseudonym, ProgramId};
use passalong_core::mutation::{self, Mutation};
use passalong_core::orders::claims::PURCHASES;
use passalong_core::reward::Role;
use passalong_core::seal::Sealed;
use passalong_core::settlement::Known;
use passalong_core::time::{DAY, HOUR, Instant, Minute, SETTLE};

use crate::aliases::{WRITTEN_WITHIN, bury};
use crate::cron::FOR_ERASURES;
use crate::customers;
use crate::join::JOINED_AFTER;
use crate::keys::{ErasedAliasKey, ErasedKey, Field, PersonKey};
use crate::ledgers;
use crate::metadata::{self, Erased};
use crate::orders;
use crate::people::{self, Listed};
use crate::programs::{self, Loaded};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// An erasure is repeated so long.
const REPEATED_DAYS: i64 = 7;

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
    let progress =
        Erased { until, since: cx.accepted(), begun: None, copied: None, looked_at: None };
    cx.put(&note_put(&key, progress, cx.now)).await?;
    cx.put(&customers::tombstone(cx, program.id(), customer, until)).await?;
    delete(cx, program, customer, &kept).await?;
    Ok(until)
}

/// Whether a key of the cron's list says that something is to be erased again.
pub fn is_note(key: &str) -> bool {
    ErasedKey::is(key) || ErasedAliasKey::is(key)
}

/// The program of such a note.
pub fn program(note: &str) -> Option<ProgramId> {
    note.parse::<ErasedKey>().ok().map(|key| key.program)
}

/// Orders without an advocate whose pointers are overdue; `None` where not all pointers could be read.
pub type Overdue = Option<BTreeSet<(ProgramId, OrderPseudonym)>>;

/// Does again what a note says; whether it was about a customer.
pub async fn again<H: Host>(
    cx: &Context<'_, H>,
    note: &Entry,
    overdue: &Overdue,
) -> Result<bool, StoreError> {
    if let Ok(key) = note.key.parse::<ErasedAliasKey>() {
        alias_again(cx, &key, note).await?;
        return Ok(false);
    }
    let Ok(key) = note.key.parse::<ErasedKey>() else { return Ok(false) };
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(false) };
    let Some(progress) = note.read::<Erased>() else { return Ok(false) };
    let kept = customers::kept(cx, &key.program, key.customer).await?;
    let is_tombstone = |entry: &Entry| customers::field(entry) == Some(Field::Erased);
    // Nobody is half erased: whoever sees something gone sees why.
    if !kept.iter().any(is_tombstone) {
        let until = progress.until;
        cx.put(&customers::tombstone(cx, &key.program, key.customer, until)).await?;
    }
    delete(cx, &program, key.customer, &kept).await?;
    if cx.now >= progress.since.plus(COPIED_AFTER).start() {
        forget(cx, &program, (&key, progress), &kept, overdue).await?;
    }
    Ok(true)
}

fn note_put(key: &ErasedKey, progress: Erased, now: Instant) -> Put {
    Put::listed(key, &progress).until(progress.until, now)
}

/// What decides orders is copied, and then deleted, only so long after an erasure and after the last
/// order without an advocate that names the customer: by then such an order is in the ledger of whoever
/// it belongs to, where the copies go. Where the cron is late with one, the erasure waits for it, too. A
/// day after the erasure none is waited for any more.
const COPIED_AFTER: i64 = JOINED_AFTER + SETTLE;

/// Copies are relied on no longer than this: an order that came since is decided an hour later at the
/// earliest, when the keys are gone everywhere.
const COPIES_LAST: i64 = HOUR / 2;

/// Of the orders that a friend was referred with so many are looked at in a run.
const LOOKED_AT: usize = 60;
/// Keys of one identity that are looked at. An order may stand behind more than are read for it.
const LISTED: usize = 10_000;
/// So many copies are written in a run, and so many purchases deleted.
const AT_A_TIME: usize = 100;

/// Copies what hints, segments and purchases say into the orders they decide, and deletes them once the
/// copies are visible everywhere. A run does a part of it where there is much: the orders of others do
/// not wait for it.
async fn forget<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (key, progress): (&ErasedKey, Erased),
    kept: &[Entry],
    overdue: &Overdue,
) -> Result<(), StoreError> {
    let own = Identity::Customer(key.customer);
    let (own, read_up_to) = people::listed_first(cx, program, own, LISTED).await?;
    let fields = kept.iter().filter(|entry| is_decisive(entry));
    let fields: Vec<String> = fields.map(|entry| entry.key.to_string()).collect();
    if fields.is_empty() && own.iter().all(|one| one.seen.ledger.0.is_some()) {
        return Ok(());
    }
    let age = progress.copied.map(|copied| cx.now.seconds() - copied.start().seconds());
    if age.is_some_and(|age| age < SETTLE) {
        return Ok(());
    }
    let is_copied = age.is_some_and(|age| age <= COPIES_LAST);
    let from = progress.looked_at.filter(|_| !is_copied).unwrap_or(0);
    let begun = progress.begun.filter(|_| is_copied || from > 0).unwrap_or(cx.accepted());
    // Both steps are about the same: what comes between them waits for its own two steps.
    let is_visible = |since: Minute| since < begun.plus(-SETTLE);
    let mut known = Known { read_up_to, ..customers::Customer::read(kept).known };
    known.identities.retain(|(since, _)| is_visible(*since));
    let mut ties: Vec<(Minute, Identity)> = own.iter().flat_map(people::ties).collect();
    ties.retain(|(since, _)| is_visible(*since));
    let identities: BTreeSet<Identity> = known
        .identities
        .iter()
        .chain(&ties)
        .map(|(_, identity)| *identity)
        .chain([Identity::Customer(key.customer)])
        .collect();
    let mut purchases: Vec<Listed> = Vec::new();
    let mut crowds: Crowds = Vec::new();
    // What leads to the others goes last: the keys of the customer.
    for identity in identities.into_iter().rev() {
        has_room(cx)?;
        let (listed, read_up_to) = people::listed_first(cx, program, identity, LISTED).await?;
        purchases.extend(listed);
        crowds.extend(read_up_to.map(|last| (identity, last)));
    }
    // A join that was begun and is repeated must find what it found.
    let is_to_join = |one: &Listed| {
        let name = (program.id().clone(), one.seen.order);
        let is_overdue = overdue.as_ref().is_none_or(|all| all.contains(&name));
        one.seen.ledger.0.is_none()
            && (is_overdue || cx.now < one.seen.accepted.plus(COPIED_AFTER).start())
    };
    if !is_copied && cx.now < progress.since.plus(DAY).start() && purchases.iter().any(is_to_join) {
        return Ok(());
    }
    let mut copies = copies_as_advocate(cx, program, key.customer, (&known, &ties)).await?;
    let mut referred = referred(&purchases);
    if is_copied {
        // What was there before has its copies. Only what was completed late is seen later than that.
        referred.retain(|(accepted, ..)| *accepted >= begun.plus(-HOUR));
    }
    let part = referred.iter().skip(from).take(if is_copied { usize::MAX } else { LOOKED_AT });
    for (_, order, advocate) in part {
        has_room(cx)?;
        let kept = (&*purchases, &*crowds);
        copies.extend(copies_as_friend(cx, program, kept, (*order, *advocate)).await?);
    }
    if mutation::is_on(Mutation::ErasureForgets) {
        copies.clear();
    }
    // The same may be said under several identities.
    copies.sort_by(|one, other| one.key.cmp(&other.key));
    copies.dedup_by(|one, other| one.key == other.key);
    let goes_on = copies.len() > AT_A_TIME;
    copies.truncate(AT_A_TIME);
    cx.put_all(&copies).await?;
    if goes_on {
        return Ok(());
    }
    if !is_copied {
        let looked_at = Some(from + LOOKED_AT).filter(|next| *next < referred.len());
        let done = Some(cx.accepted()).filter(|_| looked_at.is_none());
        let next = Erased { begun: Some(begun), copied: done, looked_at, ..progress };
        return cx.put(&note_put(key, next, cx.now)).await;
    }
    // A guest's purchase is theirs under an address that the shop confirmed, not under any they typed.
    let is_confirmed = |of: Identity| known.identities.iter().any(|(_, known)| *known == of);
    let is_theirs = |one: &&Listed| {
        let is_guests = || one.meta.customer.is_none() && is_confirmed(one.identity);
        let is_named = one.meta.customer == Some(key.customer)
            || one.identity == Identity::Customer(key.customer);
        one.seen.ledger.0.is_none() && (is_named || is_guests())
    };
    let (theirs, mut later): (Vec<&Listed>, Vec<_>) =
        purchases.iter().filter(is_theirs).partition(|one| is_visible(one.seen.accepted));
    // What comes again and again, as to an address that many share, puts an erasure off for a day only.
    later.retain(|one| one.seen.accepted < progress.since.plus(DAY));
    // What leads to something that waits stays with it.
    let leads = |one: &&Listed| later.is_empty() || matches!(one.identity, Identity::Hint(_));
    let mut theirs = theirs.into_iter().filter(leads);
    for one in theirs.by_ref().take(AT_A_TIME) {
        let (program, identity, seen) = (program.id().clone(), one.identity, one.seen);
        cx.delete(&PersonKey { program, identity, seen }.to_string()).await?;
    }
    // What leads to the rest goes last.
    if theirs.next().is_some() || !later.is_empty() {
        return Ok(());
    }
    for field in fields {
        cx.delete(&field).await?;
    }
    Ok(())
}

/// Whether an erasure may go on: the operations of a run are there for others, too.
fn has_room<H: Host>(cx: &Context<'_, H>) -> Result<(), StoreError> {
    if cx.spent() < 2 * FOR_ERASURES { Ok(()) } else { Err(StoreError::OutOfBudget) }
}

/// Whether a key of a customer decides orders: hints and segments do.
fn is_decisive(entry: &Entry) -> bool {
    matches!(customers::field(entry), Some(Field::Hints(..) | Field::Segment(..)))
}

/// Whether an order can still be decided, or its verdict be looked at again.
pub fn is_open(facts: &Order, now: Instant) -> bool {
    facts.verdict.as_ref().is_none_or(|verdict| verdict.at.plus(2 * DAY).start() > now)
}

/// What who the advocate is says about the orders in the advocate's ledger, as far as it is not there.
async fn copies_as_advocate<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
    (known, ties): (&Known, &[(Minute, Identity)]),
) -> Result<Vec<Put>, StoreError> {
    let ledger = ledgers::read(cx, program, advocate).await?;
    if !ledger.is_whole {
        return Err(StoreError::Cut);
    }
    let mut puts = Vec::new();
    for (order, facts) in ledger.orders {
        if !is_open(&facts, cx.now) {
            continue;
        }
        for report in facts.reports() {
            // What comes into view when the first is deleted was not read before.
            let read_up_to = facts.read_up_to(Role::Advocate).or(known.read_up_to);
            let is_read = |tie: &&(Minute, _)| read_up_to.is_none_or(|last| tie.0 <= last);
            // A tie counts an hour after its order, when that is surely complete.
            let ties = ties.iter().filter(is_read).map(|(since, it)| (since.plus(HOUR), *it));
            let own = known.identities.iter().copied().chain(ties);
            let own = own.filter(|(_, identity)| report.fact.identities.contains(identity));
            let named = Remembered { report: Some(report.digest), ..Remembered::default() };
            let own = own.map(|(since, _)| (since, named.clone()));
            let segments = known.segments.iter().map(|(since, segment)| {
                (*since, Remembered { segment: Some(segment.clone()), ..Remembered::default() })
            });
            let crowd = known.read_up_to.map(|last| (last, crowd(Role::Advocate)));
            let crowd = crowd.filter(|(last, _)| is_news(&facts, Role::Advocate, *last));
            let said = own.chain(segments).chain(crowd);
            puts.extend(said.filter_map(|said| copy(program, (advocate, order), &facts, said)));
        }
    }
    Ok(puts)
}

/// The orders in the ledgers of others that these purchases are of, as they were accepted.
fn referred(listed: &[Listed]) -> Vec<(Minute, OrderPseudonym, CustomerPseudonym)> {
    let mut first = BTreeMap::new();
    for one in listed {
        let Some(advocate) = one.seen.ledger.0 else { continue };
        let accepted = first.entry((one.seen.order, advocate)).or_insert(one.seen.accepted);
        *accepted = one.seen.accepted.min(*accepted);
    }
    let referred = first.into_iter().map(|((order, advocate), at)| (at, order, advocate));
    let mut referred: Vec<_> = referred.collect();
    referred.sort_unstable();
    referred
}

/// That more was kept of somebody than is read.
fn crowd(of: Role) -> Remembered {
    Remembered { crowded: Some(of), ..Remembered::default() }
}

/// Whether an order was not told before that so much was read.
fn is_news(facts: &Order, of: Role, last: Minute) -> bool {
    facts.read_up_to(of).is_none_or(|known| last < known)
}

/// Of which identities more is kept than is read, and up to when it is read.
type Crowds = Vec<(Identity, Minute)>;

/// What purchases of a person say about one of the person's orders in the ledger of another, as far as
/// it is not there.
async fn copies_as_friend<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (listed, crowds): (&[Listed], &[(Identity, Minute)]),
    (order, advocate): (OrderPseudonym, CustomerPseudonym),
) -> Result<Vec<Put>, StoreError> {
    let facts = orders::in_ledger(cx, program, advocate, order).await?;
    if !is_open(&facts, cx.now) {
        return Ok(Vec::new());
    }
    // An order is decided by what the identities say that it names.
    let same = |one: &&Listed| (one.seen.order, one.seen.ledger.0) == (order, Some(advocate));
    let named: BTreeSet<Identity> = listed.iter().filter(same).map(|one| one.identity).collect();
    // What was cut off and completed counts from when it was completed.
    let latest = listed.iter().filter(same).map(|one| one.seen.accepted).max();
    let unreferred =
        listed.iter().filter(|one| one.seen.ledger.0.is_none() && named.contains(&one.identity));
    let mut earlier: Vec<_> = unreferred.filter_map(Listed::purchase).collect();
    earlier.retain(|(_, purchase)| Some(purchase.accepted) <= latest);
    // What was not remembered any more is none of those that are looked at.
    let first = listed.iter().filter(same).map(|one| one.seen.accepted.plus(-DAY)).min();
    let first = first.map(|first| first.start().day());
    earlier.retain(|(_, purchase)| first.is_none_or(|first| first <= purchase.until));
    earlier.sort_by_key(|(report, purchase)| (purchase.accepted, purchase.order, *report));
    // The first key of an order says it for all. One order more than is looked at says that there are
    // more.
    let mut orders = BTreeSet::new();
    earlier.retain(|(_, purchase)| orders.len() <= PURCHASES && orders.insert(purchase.order));
    let said = earlier.into_iter().map(|(report, purchase)| {
        let fact = Remembered {
            report: Some(report),
            order: Some(purchase.order),
            amount: purchase.amount,
            until: Some(purchase.until),
            ..Remembered::default()
        };
        (purchase.accepted, fact)
    });
    let crowds = crowds.iter().filter(|(identity, last)| {
        named.contains(identity) && is_news(&facts, Role::Friend, *last)
    });
    let said = said.chain(crowds.map(|(_, last)| (*last, crowd(Role::Friend))));
    Ok(said.filter_map(|said| copy(program, (advocate, order), &facts, said)).collect())
}

/// A copy for an order, unless its facts have it.
fn copy(
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    facts: &Order,
    (accepted, fact): (Minute, Remembered),
) -> Option<Put> {
    let fact = Fact::Remembered(fact);
    let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
    let key = FactKey { accepted, kind: FactKind::Remembered, digest };
    let is_there = facts.has_copy((accepted, digest));
    (!is_there).then(|| orders::ledger_put(program, advocate, order, (key, &fact)))
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
        match customers::field(entry) {
            Some(Field::Alias(at, alias)) => {
                // Whoever chose it this moment may still be about to write the claim.
                if cx.now < at.start().plus(WRITTEN_WITHIN) {
                    cx.put(&alias_note(cx, program, customer, (at, alias))).await?;
                }
                // The field shows the next run what there is to do yet.
                if !bury(cx, program.id(), alias, (at, customer)).await? {
                    continue;
                }
            }
            Some(Field::Erased | Field::Hints(..) | Field::Segment(..)) => continue,
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
    let sealed = program.keys.seal(Sealed::Alias, &text);
    let note = Put::listed(&key, &metadata::Sealed { sealed });
    note.until(cx.now.plus(REPEATED_DAYS * DAY), cx.now)
}

/// Takes the name off the claim that a note names, and deletes the note once nobody can write it any more.
async fn alias_again<H: Host>(
    cx: &Context<'_, H>,
    key: &ErasedAliasKey,
    note: &Entry,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(()) };
    let Some(metadata::Sealed { sealed }) = note.read() else { return Ok(()) };
    let text = program.keys.open(Sealed::Alias, &sealed).unwrap_or_default();
    let claim = text
        .split_once('.')
        .and_then(|(at, alias)| Some((at.parse::<Minute>().ok()?, alias.parse::<Alias>().ok()?)));
    let Some(claim) = claim else { return Ok(()) };
    let (at, alias) = claim;
    let is_off = bury(cx, &key.program, alias, (at, key.customer)).await?;
    if is_off && cx.now >= at.start().plus(WRITTEN_WITHIN) {
        cx.delete(&key.to_string()).await?;
    }
    Ok(())
}
