//! The cron: looks at orders that are due, folds closed days of clicks, repeats erasures. It does
//! at most [`BUDGET`] operations a run and goes on where it stopped: what is not done keeps its
//! pointer. Repeated, late and parallel runs write the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use passalong_core::fact::{Fact, FactKey, FactKind, Order};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::program::Version;
use passalong_core::settlement::{Case, Earned, settle, settling};
use passalong_core::time::{DAY, HOUR, Instant, MINUTE, Minute, SETTLE};
use passalong_core::wire::CronReport;
use serde_json::Value;

use crate::customers;
use crate::fold::fold_clicks;
use crate::keys::{DueKey, ErasedKey, Ledger, LedgerKey, TODO};
use crate::orders::{
    self, Report, claim_puts, claims, conversion_put, due_put, ledger_put, log_put, order_put,
    ranks,
};
use crate::programs::{self, Loaded};
use crate::store::{Context, Entry, Host, StoreError};

/// Operations a run may do; the platform allows 1,000.
pub const BUDGET: u32 = 800;
/// What a single step may still need, so that no step is begun that cannot be finished.
const RESERVE: u32 = 60;
/// Operations of a run that repeating erasures may take.
const FOR_ERASURES: u32 = 200;
/// Seconds between two runs.
const INTERVAL: u64 = 300;
/// A copy that is made later than this after its original counts as accepted when it is made: by
/// then others may have been decided without it. An hour, less a margin for the clock and the put.
const COPY_WITHIN: i64 = 50 * MINUTE;
/// Earlier claims on a friend that count, the first ones first.
const RIVALS: usize = 100;
/// An event whose order has not come by then is reported.
const ORPHANED: i64 = DAY;

pub async fn run<H: Host>(cx: &Context<'_, H>) -> Result<CronReport, StoreError> {
    let mut report = CronReport { done: true, ..CronReport::default() };
    let todo = read_todo(cx).await?;
    repeat_erasures(cx, &todo, &mut report).await;
    let marks = todo.marks;
    look_at_due(cx, todo.orders, todo.cursor, &mut report).await?;
    if report.done {
        fold_clicks(cx, &marks, &mut report).await?;
    }
    report.operations = cx.spent();
    Ok(report)
}

/// Whether another step fits into this run.
pub fn has_room<H: Host>(cx: &Context<'_, H>) -> bool {
    cx.spent() + RESERVE <= BUDGET
}

/// What there is to do.
struct Todo {
    /// What has been folded, and how far.
    marks: Vec<Entry>,
    erased: Vec<Entry>,
    /// The first orders by time; the list goes on at `cursor`.
    orders: Vec<Entry>,
    cursor: Option<String>,
}

/// Lists what there is to do, up to the first orders: one page, as a rule.
async fn read_todo<H: Host>(cx: &Context<'_, H>) -> Result<Todo, StoreError> {
    let mut todo = Todo { marks: Vec::new(), erased: Vec::new(), orders: Vec::new(), cursor: None };
    loop {
        let page = cx.page(TODO, todo.cursor.as_deref()).await?;
        todo.cursor = page.cursor;
        for entry in page.entries {
            if entry.key.parse::<DueKey>().is_ok() {
                todo.orders.push(entry);
            } else if entry.key.parse::<ErasedKey>().is_ok() {
                todo.erased.push(entry);
            } else {
                todo.marks.push(entry);
            }
        }
        if todo.cursor.is_none() || !todo.orders.is_empty() {
            return Ok(todo);
        }
    }
}

/// Orders do not wait for an erasure that fails.
async fn repeat_erasures<H: Host>(cx: &Context<'_, H>, todo: &Todo, report: &mut CronReport) {
    let mut entries = todo.erased.clone();
    // Where there are too many for a run, each run takes the next ones.
    let turn = cx.now.seconds().unsigned_abs() / INTERVAL * u64::from(FOR_ERASURES);
    let first = usize::try_from(turn.checked_rem(entries.len() as u64).unwrap_or(0));
    entries.rotate_left(first.unwrap_or(0));
    for entry in entries {
        if cx.spent() >= FOR_ERASURES {
            break;
        }
        let Ok(key) = entry.key.parse::<ErasedKey>() else { continue };
        match erase_again(cx, &key, &entry).await {
            Ok(()) => report.erased += 1,
            Err(_) => report.done = false,
        }
    }
}

async fn erase_again<H: Host>(
    cx: &Context<'_, H>,
    key: &ErasedKey,
    entry: &Entry,
) -> Result<(), StoreError> {
    let stands = customers::erase(cx, &key.program, key.customer).await?;
    let until = entry.metadata.get("until").and_then(Value::as_i64).map(Instant::from_seconds);
    if let (false, Some(until)) = (stands, until) {
        cx.put(&customers::tombstone(cx, &key.program, key.customer, until)).await?;
    }
    Ok(())
}

/// The ledgers read in this run.
type Ledgers =
    BTreeMap<(passalong_core::ids::ProgramId, CustomerPseudonym), BTreeMap<OrderPseudonym, Order>>;

/// Goes through the pointers in time order, up to now.
async fn look_at_due<H: Host>(
    cx: &Context<'_, H>,
    mut orders: Vec<Entry>,
    mut cursor: Option<String>,
    report: &mut CronReport,
) -> Result<(), StoreError> {
    let mut ledgers = Ledgers::new();
    loop {
        for entry in &orders {
            let Ok(key) = entry.key.parse::<DueKey>() else { continue };
            if key.at.start() > cx.now {
                return Ok(());
            }
            if !has_room(cx) {
                report.done = false;
                return Ok(());
            }
            report.looked_at += 1;
            // One order that cannot be handled now must not keep the others waiting.
            if look(cx, &key, &mut ledgers, report).await.is_err() {
                report.done = false;
            }
        }
        let Some(more) = cursor else { return Ok(()) };
        let page = cx.page(TODO, Some(&more)).await?;
        orders = page.entries;
        cursor = page.cursor;
    }
}

/// One order: heal it, settle what is due of its advocate, and point to the next look.
async fn look<H: Host>(
    cx: &Context<'_, H>,
    key: &DueKey,
    ledgers: &mut Ledgers,
    report: &mut CronReport,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &key.program).await? else {
        // Not visible, or not readable by this version: the pointer waits, it is money.
        cx.host.log("an order is due whose program is not there");
        return Ok(());
    };
    let reports = orders::reports(cx, &program, key.order).await?;
    let advocates: BTreeSet<CustomerPseudonym> =
        reports.iter().filter_map(|report| report.advocate).chain(key.ledger.0).collect();
    for advocate in &advocates {
        let at = (&program, *advocate, key.order);
        if let Some(next) = look_in_ledger(cx, at, &reports, ledgers, report).await? {
            let ledger = Ledger(Some(*advocate));
            cx.put(&due_put(&program, next, ledger, key.order)).await?;
        }
    }
    if advocates.is_empty()
        && reports.is_empty()
        && let Some(next) = wait_for_order(cx, &program, key, report).await?
    {
        cx.put(&due_put(&program, next, Ledger(None), key.order)).await?;
    }
    cx.delete(&key.to_string()).await
}

/// An event came before its order: look again later, until it is an orphan.
async fn wait_for_order<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    key: &DueKey,
    report: &mut CronReport,
) -> Result<Option<Minute>, StoreError> {
    let events = orders::events(cx, program, key.order).await?;
    let Some(first) = events.iter().map(|(key, _)| key.accepted).min() else { return Ok(None) };
    if cx.now < first.start().plus(ORPHANED) {
        return Ok(Some(cx.now.plus(HOUR).minute_up()));
    }
    report.orphans += 1;
    cx.host.log("an event has been waiting for its order for a day");
    Ok(None)
}

/// Heals and settles one order of one advocate; when to look again, if at all.
async fn look_in_ledger<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Rc<Loaded>, CustomerPseudonym, OrderPseudonym),
    reports: &[Report],
    ledgers: &mut Ledgers,
    report: &mut CronReport,
) -> Result<Option<Minute>, StoreError> {
    let slot = (program.id().clone(), advocate);
    if !ledgers.contains_key(&slot) {
        let prefix = LedgerKey::prefix(&[program.id(), &advocate]);
        ledgers.insert(slot.clone(), orders::fold(&cx.list(&prefix, 20).await?));
    }
    let Some(ledger) = ledgers.get_mut(&slot) else { return Ok(None) };
    let facts = ledger.entry(order).or_default();
    report.healed += heal(cx, (program, advocate, order), reports, facts).await?;
    let Some(conversion) = facts.conversion.as_ref() else { return Ok(None) };
    if facts.verdict.is_some() {
        return Ok(None);
    }
    let Some(version) = version_of(program, facts) else { return Ok(None) };
    let ready = settling(facts, conversion, &version.terms).at.plus(SETTLE);
    if ready.start() > cx.now {
        return Ok(Some(ready));
    }
    report.settled += settle_due(cx, program, advocate, ledger).await?;
    let settled = ledger.get(&order).is_some_and(|facts| facts.verdict.is_some());
    if !settled && !has_room(cx) {
        report.done = false;
    }
    Ok(if settled { None } else { Some(cx.now.plus(MINUTE).minute_up()) })
}

fn version_of<'p>(program: &'p Loaded, facts: &Order) -> Option<&'p Version> {
    let occurred_at = facts.conversion.as_ref()?.fact.occurred_at;
    program.versions.at(occurred_at).or_else(|| program.versions.first())
}

/// Completes what was cut off: a conversion without its last key, an event that is not in the
/// ledger yet. How many there were.
async fn heal<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    reports: &[Report],
    facts: &mut Order,
) -> Result<u32, StoreError> {
    let mut healed = 0;
    if let Some(first) = reports.first() {
        facts.choose(first.key.digest);
    } else if let Some(conversion) = facts.conversion.clone() {
        let kind = FactKind::Conversion;
        let original = FactKey { accepted: conversion.at, kind, digest: conversion.digest };
        let Some(record) = orders::record_in_ledger(cx, program, advocate, order, original).await?
        else {
            return Ok(0);
        };
        let key = FactKey { accepted: copied_at(cx, conversion.at), ..original };
        let ledger = Ledger(Some(advocate));
        let mut puts = claim_puts(program, advocate, order, (key, &conversion.fact));
        puts.push(conversion_put(program, advocate, order, (key, &conversion.fact), &record));
        puts.push(log_put(program, ledger, order, &record));
        cx.put_all(&puts).await?;
        cx.put(&order_put(program, order, key, ledger, &record)).await?;
        facts.add(key, Fact::Conversion(conversion.fact));
        healed += 1;
    }
    for (key, fact) in orders::events(cx, program, order).await? {
        let Fact::Event(_, event) = &fact else { continue };
        if facts.event(event.event).is_some() {
            continue;
        }
        let key = FactKey { accepted: copied_at(cx, key.accepted), ..key };
        cx.put(&ledger_put(program, advocate, order, (key, &fact))).await?;
        facts.add(key, fact);
        healed += 1;
    }
    Ok(healed)
}

fn copied_at<H: Host>(cx: &Context<'_, H>, original: Minute) -> Minute {
    if cx.now < original.start().plus(COPY_WITHIN) { original } else { cx.accepted() }
}

/// Settles every order of this advocate whose time has come, in the order in which they rank: caps
/// go by it.
async fn settle_due<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
    ledger: &mut BTreeMap<OrderPseudonym, Order>,
) -> Result<u32, StoreError> {
    let mut earned: Vec<Earned> = Vec::new();
    let mut due: Vec<(Minute, OrderPseudonym)> = Vec::new();
    for (order, facts) in &*ledger {
        if let Some(verdict) = &facts.verdict {
            let one =
                |decided: &_| Earned { settled: verdict.at, order: *order, decided: *decided };
            earned.extend(verdict.fact.rewards.iter().map(one));
            continue;
        }
        let Some(conversion) = &facts.conversion else { continue };
        let Some(version) = version_of(program, facts) else { continue };
        let at = settling(facts, conversion, &version.terms).at;
        if at.plus(SETTLE).start() <= cx.now {
            due.push((at, *order));
        }
    }
    due.sort_unstable();
    let customer = customers::load(cx, program, advocate).await?;
    let mut settled = 0;
    for (_, order) in due {
        if !has_room(cx) {
            break;
        }
        let Some(facts) = ledger.get_mut(&order) else { continue };
        let reports = orders::reports(cx, program, order).await?;
        heal(cx, (program, advocate, order), &reports, facts).await?;
        let Some(conversion) = facts.conversion.as_ref() else { continue };
        let mine = (order, Some(conversion.at));
        let claims = claims(cx, program, mine, &conversion.fact.identities, RIVALS).await?;
        let case = Case {
            order,
            advocate,
            known: &customer.known,
            facts,
            versions: &program.versions,
            reports: &ranks(&reports),
            own: &claims.own,
            claims: &claims.others,
            earned: &earned,
        };
        let Some((at, verdict)) = settle(&case) else { continue };
        // Healing can have moved it.
        if at.plus(SETTLE).start() > cx.now {
            continue;
        }
        let decided = verdict.rewards.clone();
        let fact = Fact::Verdict(verdict);
        let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
        let key = FactKey { accepted: at, kind: FactKind::Verdict, digest };
        cx.put(&ledger_put(program, advocate, order, (key, &fact))).await?;
        facts.add(key, fact);
        earned.extend(decided.into_iter().map(|decided| Earned { settled: at, order, decided }));
        settled += 1;
    }
    Ok(settled)
}
