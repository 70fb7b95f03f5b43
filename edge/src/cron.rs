//! The cron: looks at orders that are due, delivers webhooks, folds closed days of clicks, repeats
//! erasures. It begins nothing after [`BUDGET`] operations and goes on where it stopped: what is not
//! done keeps its pointer. Repeated, late and parallel runs write the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use passalong_core::fact::{Accepted, Conversion, Fact, FactKey, FactKind, Order, Verdict, Via};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym, ProgramId};
use passalong_core::orders::account::Paced;
use passalong_core::orders::claims::{Weighed, horizon};
use passalong_core::program::{Excluded, Program, Version};
use passalong_core::report::Item;
use passalong_core::reward::Rule;
use passalong_core::settlement::{Case, Earned, Pace, Reported, settle, settling};
use passalong_core::time::{DAY, HOUR, Instant, MINUTE, Minute, SETTLE};
use passalong_core::wire::CronReport;

use crate::coupons;
use crate::customers::Customer;
use crate::erasure;
use crate::fold::fold_clicks;
use crate::join::{self, JOINED_AFTER, Joined, join};
use crate::keys::{AttemptKey, DueKey, DueMissingKey, DuePoolKey, Ledger, TODO, Why};
use crate::ledgers::{Ledgers, Read};
use crate::metadata::Due;
use crate::missing_referral::{decide, found};
use crate::news;
use crate::orders::{
    self, Report, conversion_put, due_for, due_put, ledger_put, log_put, order_put, ranks,
};
use crate::outbox;
use crate::people::{self, Depth, Looked, Question, person_puts};
use crate::programs::{self, Loaded};
use crate::record_event;
use crate::remind;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Operations that the platform allows a run.
pub const ALLOWED: u32 = 1_000;
/// Operations after which a run begins no order more. What it has begun may go beyond, where a list comes
/// in many short pages or a friend has many claims.
pub const BUDGET: u32 = 800;
/// What an order needs as a rule: so much must be left for one to be begun.
const RESERVE: u32 = 80;
/// No step is begun later than this in a run, in milliseconds.
const LASTS: u64 = 40_000;
/// Pages of pointers that are read to know what erasures wait for.
const OVERDUE_PAGES: usize = 20;
/// Operations of a run after which no erasure is begun. What is begun may take as many more.
pub const FOR_ERASURES: u32 = 200;
/// A copy that is made later than this after its original counts as accepted when it is made: by
/// then others may have been decided without it. An hour, less a margin for the clock and the put.
pub const COPY_WITHIN: i64 = 50 * MINUTE;
/// A verdict is looked at again so long after its instant.
pub const AUDITED: i64 = DAY;
/// What a pointer points to is waited for so long; an event without its order is then reported.
const ORPHANED: i64 = DAY;
/// Orders of one advocate that are looked into for their pace; the limits are at most 100.
const PACED: usize = 200;
/// Undecided orders of one advocate whose events are read to rank them, where a cap counts.
const RANKED: usize = 100;

pub async fn run<H: Host>(cx: &Context<'_, H>) -> Result<CronReport, StoreError> {
    let mut report = CronReport { done: true, ..CronReport::default() };
    let todo = read_todo(cx).await?;
    repeat_erasures(cx, &todo, &mut report).await;
    coupons::draw_due(cx, &todo.pools, &mut report).await;
    found::look_due(cx, &todo.missing, &mut report).await;
    let marks = todo.marks;
    let erasing = todo.erased.iter().filter_map(|note| erasure::program(&note.key)).collect();
    look_at_due(cx, (todo.orders, todo.cursor), &erasing, &mut report).await?;
    // After all that is money: a slow receiver keeps no reward waiting.
    let (sent, more) = outbox::run(cx, todo.outbox.as_deref()).await;
    if report.done {
        fold_clicks(cx, &marks, &mut report).await?;
    }
    report.sent = sent;
    report.done &= !more;
    report.operations = cx.spent();
    Ok(report)
}

/// Whether another step fits into this run.
pub fn has_room<H: Host>(cx: &Context<'_, H>) -> bool {
    cx.spent() + RESERVE <= BUDGET && cx.elapsed() < LASTS
}

/// What there is to do.
#[derive(Default)]
struct Todo {
    /// What has been folded, and how far.
    marks: Vec<Entry>,
    erased: Vec<Entry>,
    /// Pools to draw from, by time.
    pools: Vec<Entry>,
    /// Missing referrals whose orders are to be looked for, by time.
    missing: Vec<Entry>,
    /// The first orders by time; the list goes on at `cursor`.
    orders: Vec<Entry>,
    cursor: Option<String>,
    /// Pointers to attempts at webhooks, which come last; none where not all are seen yet.
    outbox: Option<Vec<Entry>>,
}

/// Lists what there is to do, up to the first orders: one page, as a rule.
async fn read_todo<H: Host>(cx: &Context<'_, H>) -> Result<Todo, StoreError> {
    let mut todo = Todo::default();
    let mut outbox = Vec::new();
    loop {
        let page = cx.page(TODO, todo.cursor.as_deref()).await?;
        todo.cursor = page.cursor;
        for entry in page.entries {
            // What is far off is not read, only told apart.
            if DueKey::is(&entry.key) {
                todo.orders.push(entry);
            } else if erasure::is_note(&entry.key) {
                todo.erased.push(entry);
            } else if DuePoolKey::is(&entry.key) {
                todo.pools.push(entry);
            } else if DueMissingKey::is(&entry.key) {
                todo.missing.push(entry);
            } else if AttemptKey::is(&entry.key) {
                outbox.push(entry);
            } else {
                todo.marks.push(entry);
            }
        }
        if todo.cursor.is_none() {
            todo.outbox = Some(outbox);
            return Ok(todo);
        }
        if !outbox.is_empty() {
            todo.cursor = None;
        }
        if !outbox.is_empty() || !todo.orders.is_empty() {
            return Ok(todo);
        }
    }
}

/// Orders do not wait for an erasure that fails.
async fn repeat_erasures<H: Host>(cx: &Context<'_, H>, todo: &Todo, report: &mut CronReport) {
    let mut entries = todo.erased.clone();
    if entries.is_empty() {
        return;
    }
    let overdue = overdue(cx, todo).await;
    // Where there are too many for a run, each begins anywhere: none waits for the same others.
    if entries.len() > 1 {
        let any = u64::from_be_bytes(cx.host.random());
        let first = usize::try_from(any.checked_rem(entries.len() as u64).unwrap_or(0));
        entries.rotate_left(first.unwrap_or(0));
    }
    for entry in entries {
        if cx.spent() >= FOR_ERASURES {
            break;
        }
        match erasure::again(cx, &entry, &overdue).await {
            Ok(is_customer) => report.erased += u32::from(is_customer),
            Err(_) => report.done = false,
        }
    }
}

/// The orders without an advocate that are overdue: who they belong to is not decided yet.
async fn overdue<H: Host>(cx: &Context<'_, H>, todo: &Todo) -> erasure::Overdue {
    let mut found = BTreeSet::new();
    let mut page = (todo.orders.clone(), todo.cursor.clone());
    for _ in 0..OVERDUE_PAGES {
        for entry in &page.0 {
            if !DueKey::is(&entry.key) {
                return Some(found);
            }
            let Ok(key) = entry.key.parse::<DueKey>() else { continue };
            if key.at.start() > cx.now {
                return Some(found);
            }
            if key.ledger.0.is_none() {
                found.insert((key.program, key.order));
            }
        }
        let Some(more) = page.1 else { return Some(found) };
        let next = cx.page(TODO, Some(&more)).await.ok()?;
        page = (next.entries, next.cursor);
    }
    None
}

/// Goes through the pointers in time order, up to now. `erasing` are the programs of whose customers
/// some were erased in these days.
async fn look_at_due<H: Host>(
    cx: &Context<'_, H>,
    (mut orders, mut cursor): (Vec<Entry>, Option<String>),
    erasing: &BTreeSet<ProgramId>,
    report: &mut CronReport,
) -> Result<(), StoreError> {
    let mut ledgers = Ledgers::default();
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
            let due = entry.read().unwrap_or_default();
            let looked = look(cx, (&key, due), (&mut ledgers, erasing), report).await;
            if let Err(error) = looked {
                report.done = false;
                if let Some(line) = left_behind(&error) {
                    cx.host.log(line);
                }
            }
        }
        let is_last = orders.last().is_some_and(|last| AttemptKey::is(&last.key));
        let Some(more) = cursor.filter(|_| !is_last) else { return Ok(()) };
        let page = cx.page(TODO, Some(&more)).await?;
        orders = page.entries;
        cursor = page.cursor;
    }
}

/// What the operator is told of an order that is left to a later run: nothing where a later run is
/// bound to come further.
fn left_behind(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::OutOfBudget | StoreError::NotVisible => None,
        StoreError::Failed(_) => Some("an order was left to the next run: the store failed"),
        StoreError::Cut => {
            Some("an order waits, because more belongs to it than can be read at once")
        }
    }
}

/// What is to be done with an order next.
enum Next {
    Nothing,
    /// It is looked at again then, for this reason.
    Look(Minute, Why),
    /// Nothing of it is visible.
    Wait,
}

/// One order: heal it, settle what is due of its advocate, and point to the next look. An event is
/// looked for again a day later: if the store is later than we assume, it is not here yet.
async fn look<H: Host>(
    cx: &Context<'_, H>,
    (key, due): (&DueKey, Due),
    (ledgers, erasing): (&mut Ledgers, &BTreeSet<ProgramId>),
    report: &mut CronReport,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &key.program).await? else {
        // Not visible, or not readable by this version: the pointer waits, it is money.
        cx.host.log("an order is due whose program is not there");
        return Ok(());
    };
    let listed = orders::listed(cx, &program, key.order).await?;
    for advocate in decide::tend(cx, &program, key, &listed).await? {
        ledgers.forget(&program, advocate);
    }
    let mut reports = listed.reports;
    if key.why == Why::Expiring {
        if let (Some(advocate), Some(report)) = (key.ledger.0, reports.first()) {
            remind::remind(cx, &program, (advocate, key.order), report).await?;
        }
        return cx.delete(&key.to_string()).await;
    }
    // Where another report of it names somebody, that one is refused, and nobody has it.
    let is_open = reports.iter().all(|report| report.advocate.is_none()) && may_join(key, &reports);
    let mut waits_for = key.ledger;
    if let Some(first) = reports.first_mut().filter(|_| is_open) {
        match join(cx, &program, key.order, first).await? {
            Joined::Nobody => {}
            Joined::NotBefore(next) => {
                cx.put(&Put::listed(&DueKey { at: next, ..key.clone() }, &due)).await?;
                return cx.delete(&key.to_string()).await;
            }
            Joined::To(advocate) => {
                first.advocate = Some(advocate);
                // Whoever looks next may not see any more why the order came there.
                waits_for = Ledger(Some(advocate));
                ledgers.forget(&program, advocate);
            }
        }
    }
    let advocates: BTreeSet<CustomerPseudonym> =
        reports.iter().filter_map(|report| report.advocate).chain(key.ledger.0).collect();
    let mut is_visible = advocates.is_empty() && !reports.is_empty();
    for advocate in advocates {
        let at = (&program, advocate, key.order);
        let known = (&mut *ledgers, erasing.contains(program.id()));
        let next = look_in_ledger(cx, (key, at), reports.clone(), known, report).await?;
        if let Some(facts) = ledgers.order(&program, advocate, key.order) {
            coupons::queue(cx, &program, (advocate, key.order), facts).await?;
        }
        let ledger = Ledger(Some(advocate));
        match next {
            Next::Look(at, why) => cx.put(&due_for(&program, at, ledger, key.order, why)).await?,
            Next::Nothing | Next::Wait => {}
        }
        // Another's ledger says nothing of the one that this points to.
        let is_it = waits_for.0.is_none() || waits_for == ledger;
        is_visible |= is_it && !matches!(next, Next::Wait);
    }
    if !is_visible {
        // From the first look, not from when that was due: it may be days late.
        let is_orphan = reports.is_empty();
        let waiting = DueKey { ledger: waits_for, ..key.clone() };
        wait(cx, &program, (&waiting, due.since.unwrap_or(cx.now)), is_orphan, report).await?;
    } else if key.why == Why::Event {
        let next = key.at.plus(AUDITED).max(cx.now.plus(MINUTE).minute_up());
        cx.put(&due_put(&program, next, key.ledger, key.order)).await?;
    }
    cx.delete(&key.to_string()).await
}

/// Whether this look may find out who an order belongs to. One that is due days later does not ask again: what
/// had said that it is nobody's may be erased by then.
fn may_join(key: &DueKey, reports: &[Report]) -> bool {
    reports.iter().any(|report| key.at < report.key.accepted.plus(JOINED_AFTER + DAY))
}

/// An event came before its order, or a request was cut off, or the store is later than we assume:
/// look again for a day, each time after twice as long.
async fn wait<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (key, since): (&DueKey, Instant),
    is_orphan: bool,
    report: &mut CronReport,
) -> Result<(), StoreError> {
    let end = since.plus(ORPHANED);
    if cx.now < end {
        let twice = cx.now.plus((cx.now.seconds() - since.seconds()).max(HOUR));
        let at = twice.min(end).minute_up();
        let due = Due { since: Some(since) };
        return cx.put(&Put::listed(&DueKey { at, ..key.clone() }, &due)).await;
    }
    if is_orphan && !orders::events(cx, program, key.order).await?.is_empty() {
        report.orphans += 1;
        cx.host.log("an event has been waiting for its order for a day");
    }
    Ok(())
}

/// Heals and settles one order of one advocate; a day later, sees whether the verdict would be the
/// same now.
async fn look_in_ledger<H: Host>(
    cx: &Context<'_, H>,
    (key, (program, advocate, order)): (&DueKey, (&Rc<Loaded>, CustomerPseudonym, OrderPseudonym)),
    mut reports: Vec<Report>,
    (ledgers, erases): (&mut Ledgers, bool),
    report: &mut CronReport,
) -> Result<Next, StoreError> {
    let ledger = ledgers.with(cx, program, advocate, order).await?;
    let facts = ledger.orders.entry(order).or_default();
    let healed = heal(cx, (program, advocate, order), &mut reports, facts).await?;
    report.healed += healed.count;
    let Some(conversion) = facts.conversion.as_ref() else { return Ok(Next::Wait) };
    let is_joined = conversion.fact.via == Via::Bound;
    let of_join = is_joined && (key.at, key.why) == (conversion.at.plus(AUDITED), Why::Audit);
    if of_join {
        let breach = audit_join(cx, (program, advocate, order), conversion, &reports).await?;
        report.breaches += u32::from(breach);
    }
    if let Some(verdict) = &facts.verdict {
        if let Some(first) = reports.first() {
            news::since_decided(cx, program, (advocate, order, first.key), facts).await?;
        }
        let audited = verdict.at.plus(AUDITED);
        // What came since decides nothing.
        let is_of_then = key.at <= audited.plus(SETTLE) || healed.decides(verdict.at);
        // The pointer of a join falls before it, also of one that was cut off.
        let is_of_verdict = !is_joined || key.at >= audited;
        if key.why == Why::Audit && is_of_verdict {
            let breach = audit(cx, (program, advocate, order), &reports, (ledger, erases)).await?;
            report.breaches += u32::from(breach);
        } else if audited.start() <= cx.now && is_of_then {
            return Ok(Next::Look(all_visible(cx), Why::Audit));
        }
        let facts = ledger.orders.get(&order);
        let reminder = facts.and_then(|facts| remind::when(cx, program, (advocate, facts)));
        return Ok(reminder.map_or(Next::Nothing, |at| Next::Look(at, Why::Expiring)));
    }
    let Some(version) = version_of(program, facts) else { return Ok(Next::Wait) };
    let settled = settling(facts, conversion, &version.terms).at;
    let ready = settled.plus(SETTLE);
    if ready.start() > cx.now {
        return Ok(Next::Look(ready, Why::Look));
    }
    ledger.crowded(settled)?;
    report.settled += settle_due(cx, program, advocate, ledger).await?;
    let verdict = ledger.orders.get(&order).and_then(|facts| facts.verdict.as_ref());
    if verdict.is_none() && !has_room(cx) {
        report.done = false;
    }
    // A verdict has a pointer of its own to its audit.
    let soon = Next::Look(cx.now.plus(MINUTE).minute_up(), Why::Look);
    Ok(if verdict.is_some() { Next::Nothing } else { soon })
}

/// When all is visible that is written now: a verdict is compared together with those before it.
fn all_visible<H: Host>(cx: &Context<'_, H>) -> Minute {
    cx.accepted().plus(SETTLE)
}

/// Whether a purchase has become visible since that binds the order before the one by which it was
/// joined: the store was later than we assume.
async fn audit_join<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    joined: &Accepted<Conversion>,
    reports: &[Report],
) -> Result<bool, StoreError> {
    let Some(first) = reports.first() else { return Ok(false) };
    let binders = join::binders(cx, program, order, &joined.fact, first).await?;
    let its = |(who, by): &_| (*who, Some(*by)) == (advocate, joined.fact.bound_by);
    // What is not there any more was erased, and is not missed.
    let breach = binders.iter().position(its).is_some_and(|place| place > 0);
    if breach {
        cx.host.log("an order was joined before all its facts were visible: the store was later than assumed");
    }
    Ok(breach)
}

/// Whether facts that have become visible since would have changed the verdict: the store was later
/// than we assume. The verdict stands all the same; whoever runs this is told. While the program
/// erases somebody, what led to a verdict may be gone two days after it, and is not missed.
async fn audit<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    reports: &[Report],
    (ledger, erases): (&Read, bool),
) -> Result<bool, StoreError> {
    let Some(decided) = ledger.orders.get(&order) else { return Ok(false) };
    let Some(verdict) = &decided.verdict else { return Ok(false) };
    // An order that was decided so long ago gets no copies of what is erased.
    let is_forgotten = erases && !erasure::is_open(decided, cx.now);
    let customer = people::known(cx, program, advocate).await?;
    let mut facts = decided.undecided();
    facts.stand(&ranks(reports));
    let now = decide(cx, (program, advocate, order), &customer, &facts, reports, ledger).await?;
    // Two runs that knew different claims gave it to two advocates.
    let is_bound = facts.conversion.as_ref().is_some_and(|it| it.fact.via == Via::Bound);
    let has_other = |report: &Report| report.advocate.is_some_and(|other| other != advocate);
    let joined_twice = is_bound && reports.first().is_some_and(has_other);
    let then = (verdict.at, verdict.fact.clone());
    let breach =
        decided.differs || (joined_twice && !is_forgotten) || (now != Some(then) && !is_forgotten);
    if breach {
        cx.host.log("a verdict was reached before all its facts were visible: the store was later than assumed");
    }
    Ok(breach)
}

fn version_of<'p>(program: &'p Loaded, facts: &Order) -> Option<&'p Version> {
    let occurred_at = facts.conversion.as_ref()?.fact.occurred_at;
    program.versions.at(occurred_at).or_else(|| program.versions.first())
}

/// What was completed in a ledger.
#[derive(Debug, Default)]
struct Healed {
    count: u32,
    earliest: Option<Minute>,
}

impl Healed {
    fn add(&mut self, accepted: Minute) {
        self.count += 1;
        self.earliest = self.earliest.into_iter().chain([accepted]).min();
    }

    /// Whether it would have decided a verdict of this instant.
    fn decides(&self, at: Minute) -> bool {
        self.earliest.is_some_and(|earliest| earliest <= at)
    }
}

/// Completes what was cut off: a report without its last key, an event that is not in the ledger
/// yet.
async fn heal<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    reports: &mut Vec<Report>,
    facts: &mut Order,
) -> Result<Healed, StoreError> {
    let mut healed = Healed::default();
    let is_recorded = |digest| reports.iter().any(|report| report.key.digest == digest);
    let cut_off: Vec<_> =
        facts.reports().filter(|report| !is_recorded(report.digest)).cloned().collect();
    for conversion in cut_off {
        let kind = FactKind::Conversion;
        let original = FactKey { accepted: conversion.at, kind, digest: conversion.digest };
        let Some(record) = orders::record_in_ledger(cx, program, advocate, order, original).await?
        else {
            continue;
        };
        // A report that was recorded meanwhile comes first.
        let first = reports.is_empty();
        let accepted = if first { copied_at(cx, conversion.at) } else { cx.accepted() };
        let key = FactKey { accepted, ..original };
        let ledger = Ledger(Some(advocate));
        let mut puts = person_puts(cx, program, ledger, order, (key, &conversion.fact));
        puts.push(conversion_put(program, advocate, order, (key, &conversion.fact), &record));
        puts.push(log_put(program, ledger, order, &record));
        cx.put_all(&puts).await?;
        cx.put(&order_put(program, order, key, ledger, &record)).await?;
        reports.push(Report { key, advocate: Some(advocate) });
        reports.sort_by_key(|report| report.key);
        healed.add(key.accepted);
    }
    join_events(cx, (program, advocate, order), facts, &mut healed).await?;
    facts.stand(&ranks(reports));
    Ok(healed)
}

/// Writes what has happened to an order into the ledger, where it lacks it. What is only remembered by this
/// run would be missed by all others.
async fn join_events<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    facts: &mut Order,
    healed: &mut Healed,
) -> Result<(), StoreError> {
    for (key, fact) in orders::events(cx, program, order).await? {
        if facts.lacks(key, &fact) {
            cx.put(&ledger_put(program, advocate, order, (key, &fact))).await?;
            facts.add(key, fact);
            healed.add(key.accepted);
        }
    }
    Ok(())
}

/// The minute from which a copy counts.
pub fn copied_at<H: Host>(cx: &Context<'_, H>, original: Minute) -> Minute {
    if cx.now < original.start().plus(COPY_WITHIN) { original } else { cx.accepted() }
}

/// The instant and the verdict, from what is visible.
async fn decide<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    customer: &Customer,
    facts: &Order,
    reports: &[Report],
    read: &Read,
) -> Result<Option<(Minute, Verdict)>, StoreError> {
    let ledger = &read.orders;
    let Some(conversion) = facts.conversion.as_ref() else { return Ok(None) };
    let Some(version) = version_of(program, facts) else { return Ok(None) };
    let ranked = ranks(reports);
    let settled = settling(facts, conversion, &version.terms).at;
    let weighed = Weighed {
        order,
        advocate,
        conversion,
        facts,
        known: &customer.known,
        versions: &program.versions,
        settled,
    };
    let question = Question {
        weighed,
        reported: people::reported(&ranked, conversion),
        up_to: horizon(settled),
        depth: Depth::Final,
        binding: false,
        ledger: Some(ledger),
    };
    let standing = people::standing(cx, program, &question, &mut Looked::default()).await?;
    let items = if version.terms.excluded == Excluded::default() {
        Vec::new()
    } else {
        items(cx, program, advocate, order, facts).await?
    };
    let crowded = read.crowded(settled)?;
    // Of too many to rank none is read.
    let counted = if crowded { &BTreeMap::new() } else { ledger };
    let earned: Vec<_> =
        counted.iter().flat_map(|(order, facts)| Earned::of(*order, facts, settled)).collect();
    let pace = pace(cx, (program, advocate, order), &version.terms, conversion, counted).await?;
    Ok(settle(&Case {
        order,
        advocate,
        known: &customer.known,
        facts,
        items: &items,
        versions: &program.versions,
        reports: &ranked,
        standing: &standing,
        earned: &earned,
        pace: &pace,
        crowded,
    }))
}

/// What was ordered: the report in full is the value of its key in the ledger. Lines that were told
/// again until the order settles are the value of their event.
async fn items<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
    order: OrderPseudonym,
    facts: &Order,
) -> Result<Vec<Item>, StoreError> {
    let Some(conversion) = facts.conversion.as_ref() else { return Ok(Vec::new()) };
    let version = version_of(program, facts);
    let told = version.and_then(|version| {
        let settles = settling(facts, conversion, &version.terms).at;
        Reported::from(conversion).lines(facts, settles)
    });
    if let Some(told) = told {
        let lines = record_event::lines(cx, program, order, told).await?;
        return lines.ok_or(StoreError::NotVisible);
    }
    let Some(kept) = facts.report(conversion.digest) else { return Ok(Vec::new()) };
    let key = FactKey { accepted: kept.at, kind: FactKind::Conversion, digest: kept.digest };
    let record = orders::record_in_ledger(cx, program, advocate, order, key).await?;
    record.map(|record| record.items).ok_or(StoreError::NotVisible)
}

/// The advocate's earlier orders that came with this one in a day or from its click, as far as they
/// are needed. Each counts from when it was recorded, and not at all before.
async fn pace<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate, order): (&Loaded, CustomerPseudonym, OrderPseudonym),
    terms: &Program,
    conversion: &Accepted<Conversion>,
    ledger: &BTreeMap<OrderPseudonym, Order>,
) -> Result<Vec<Pace>, StoreError> {
    let paced = Paced { order, conversion, limits: terms.review };
    let mut pace = Vec::new();
    for near in paced.near(ledger).into_iter().take(PACED) {
        if paced.is_decided(&pace, near) {
            break;
        }
        let other = near.order;
        let Some(facts) = ledger.get(&other) else { continue };
        if !orders::has_room_aside(cx) {
            return Err(StoreError::OutOfBudget);
        }
        let reports = orders::reports(cx, program, other).await?;
        let own: Vec<Report> =
            reports.into_iter().filter(|report| report.advocate == Some(advocate)).collect();
        let mut facts = facts.undecided();
        facts.stand(&ranks(&own));
        let Some(standing) = facts.conversion.filter(|_| !own.is_empty()) else { continue };
        let Conversion { kind, occurred_at, via, .. } = standing.fact;
        pace.push(Pace { order: other, accepted: standing.at, kind, occurred_at, via });
    }
    Ok(pace)
}

/// Whether what an order earns depends on its rank among the advocate's.
fn ranks_count(terms: &Program) -> bool {
    let counts =
        |rule: &Rule| rule.cap.is_some() || rule.milestone.is_some() || !rule.tiers.is_empty();
    terms.yearly_ceiling.is_some() || terms.rewards.iter().any(counts)
}

/// Where a rank counts, orders rank by when they settle, and a delivery that is on its way into the
/// ledger can bring that forward.
async fn join_deliveries<H: Host>(
    cx: &Context<'_, H>,
    (program, advocate): (&Loaded, CustomerPseudonym),
    ledger: &mut BTreeMap<OrderPseudonym, Order>,
) -> Result<(), StoreError> {
    let waits = |facts: &Order| {
        let (conversion, version) = (facts.conversion.as_ref()?, version_of(program, facts)?);
        let capped = ranks_count(&version.terms);
        let fixed = settling(facts, conversion, &version.terms).fixed;
        (capped && !fixed && facts.verdict.is_none()).then_some(())
    };
    let waiting = ledger.iter_mut().filter(|(_, facts)| waits(facts).is_some());
    for (order, facts) in waiting.take(RANKED) {
        join_events(cx, (program, advocate, *order), facts, &mut Healed::default()).await?;
    }
    Ok(())
}

/// Settles every order of this advocate whose time has come, in the order in which they rank: caps
/// go by it.
async fn settle_due<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
    ledger: &mut Read,
) -> Result<u32, StoreError> {
    join_deliveries(cx, (program, advocate), &mut ledger.orders).await?;
    let due = ledger.orders.iter().filter_map(|(order, facts)| {
        let conversion = facts.conversion.as_ref().filter(|_| facts.verdict.is_none())?;
        let at = settling(facts, conversion, &version_of(program, facts)?.terms).at;
        (at.plus(SETTLE).start() <= cx.now).then_some((at, *order))
    });
    let mut due: BTreeSet<(Minute, OrderPseudonym)> = due.collect();
    let customer = people::known(cx, program, advocate).await?;
    let mut settled = 0;
    while let Some((ranked, order)) = due.pop_first() {
        if !has_room(cx) {
            break;
        }
        // What a part of the ledger does not say, the order's own pointer waits for.
        if ledger.crowded(ranked).is_err() {
            continue;
        }
        let Some(facts) = ledger.orders.get_mut(&order) else { continue };
        let mut reports = orders::reports(cx, program, order).await?;
        let at = (program, advocate, order);
        heal(cx, at, &mut reports, facts).await?;
        let facts = facts.clone();
        let decided = decide(cx, at, &customer, &facts, &reports, ledger).await?;
        let Some((settled_at, verdict)) = decided else { continue };
        // Healing can have moved it: what ranks before it now is decided before it.
        if settled_at.plus(SETTLE).start() > cx.now {
            continue;
        }
        if settled_at > ranked && due.first().is_some_and(|next| *next < (settled_at, order)) {
            due.insert((settled_at, order));
            continue;
        }
        let fact = Fact::Verdict(verdict);
        let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
        let key = FactKey { accepted: settled_at, kind: FactKind::Verdict, digest };
        if let Some(first) = reports.first() {
            let of = (advocate, order, first.key);
            news::rewards(cx, program, of, &facts, (key, &fact)).await?;
        }
        // Before the verdict: none stands without its audit.
        let audited = settled_at.plus(AUDITED).max(all_visible(cx));
        cx.put(&due_for(program, audited, Ledger(Some(advocate)), order, Why::Audit)).await?;
        cx.put(&ledger_put(program, advocate, order, (key, &fact))).await?;
        ledger.orders.entry(order).or_default().add(key, fact);
        settled += 1;
    }
    Ok(settled)
}
