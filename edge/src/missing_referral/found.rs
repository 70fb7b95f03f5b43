//! How reports of missing referrals and their orders find each other: the order looks when it is
//! reported, the report at once and a second time. Nobody looks after that.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use passalong_core::fact::{Conversion, Fact, FactKey, FactKind, Order, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, OrderId, OrderNumber, OrderPseudonym};
use passalong_core::missing_referral::{ORDER_AGE_DAYS, counts, is_near, waits_until};
use passalong_core::seal::Sealed;
use passalong_core::time::DAY;
use passalong_core::wire::CronReport;

use super::{digest, filed_by};
use crate::customers::{self, Customer};
use crate::keys::{DueMissingKey, Filed, FoundKey, MissingKey, NumberKey, OrderKey};
use crate::metadata::{DueMissing, Nothing};
use crate::news;
use crate::orders::{self, Listed, Record, open_order};
use crate::programs::{self, Loaded};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Reports under one number that are read: the earliest.
const FILED: usize = 1_000;
/// Customers who reported one order, of whom the merchant hears: the earliest.
pub const CUSTOMERS: usize = 10;
/// Orders that have one number and are looked at.
const ORDERS: usize = 5;
/// Operations of a run of the cron that looking may take.
const FOR_MISSING: u32 = 200;

/// A report of an order that the merchant can decide on.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub filed: Filed,
    pub digest: Digest,
    pub customer: Customer,
}

/// What people may know of an order: its number, and its id.
fn names(program: &Loaded, record: &Record) -> Vec<OrderPseudonym> {
    let id = open_order(program, &record.order);
    let number = |sealed: &String| program.keys.open(Sealed::OrderNumber, sealed);
    let number = record.number.as_ref().and_then(number);
    let texts = [number, id].into_iter().flatten();
    let numbers = texts.filter_map(|text| text.parse::<OrderNumber>().ok());
    let mut names: Vec<_> = numbers.map(|number| program.keys.order_number(&number)).collect();
    names.sort();
    names.dedup();
    names
}

/// The key by which an order is found by its number, where that is not its id and a report can still
/// come.
pub fn number_put<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    (id, number): (&OrderId, Option<&OrderNumber>),
    record: &Record,
) -> Option<Put> {
    let until = record.occurred_at.plus((ORDER_AGE_DAYS + 2) * DAY);
    let number = number.cloned().or_else(|| id.as_str().parse().ok())?;
    let is_wanted = record.unproven.is_some() && cx.now < until;
    if !is_wanted || number.as_str() == id.as_str() {
        return None;
    }
    let number = program.keys.order_number(&number);
    let key = NumberKey { program: program.id().clone(), number, order };
    Some(Put::listed(&key, &Nothing {}).until(until, cx.now))
}

/// Finds the reports that count of an order: of the right day, among the ten of their month, and not
/// erased. Whoever is asked about comes first: however many strangers guess a number, they shut nobody
/// out. One list for each name of the order, and two for each customer.
pub async fn candidates<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    record: &Record,
    asked_about: Option<CustomerPseudonym>,
) -> Result<Vec<Candidate>, StoreError> {
    let mut filed: Vec<(Filed, Digest)> = Vec::new();
    for number in names(program, record) {
        let prefix = MissingKey::prefix(&[program.id(), &number]);
        let (entries, _) = cx.first(&prefix, FILED).await?;
        let waits = |filed: &Filed| {
            is_near(filed.ordered_on, record.occurred_at) && cx.now < waits_until(filed.at)
        };
        let report = |entry: &Entry| entry.key.parse().ok().map(|key: MissingKey| key.filed);
        let near = entries.iter().filter_map(report).filter(waits);
        filed.extend(near.map(|filed| {
            let Filed { customer, ordered_on, .. } = filed;
            (filed, digest(program, customer, number, ordered_on))
        }));
    }
    filed.sort_unstable();
    // A repeat, with its later minute, counts for nothing.
    let mut seen = BTreeSet::new();
    filed.retain(|(filed, digest)| seen.insert((filed.customer, *digest)));
    let is_asked_about = |one: &&(Filed, Digest)| Some(one.0.customer) == asked_about;
    let mut customers: Vec<CustomerPseudonym> = Vec::new();
    for (filed, _) in filed.iter().filter(is_asked_about).chain(&filed) {
        if !customers.contains(&filed.customer) && customers.len() < CUSTOMERS {
            customers.push(filed.customer);
        }
    }
    let looks = customers.into_iter().map(|customer| of_customer(cx, program, customer, &filed));
    let found: Result<Vec<Vec<Candidate>>, StoreError> =
        join_all(looks).await.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

/// A customer's reports of an order, as far as they count.
async fn of_customer<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    filed: &[(Filed, Digest)],
) -> Result<Vec<Candidate>, StoreError> {
    let record = customers::load(cx, program, customer).await?;
    let all = filed_by(cx, program, customer).await?;
    let own = filed.iter().filter(|(filed, digest)| {
        let is_kept = record.missing.iter().any(|one| one.digest == *digest);
        filed.customer == customer && is_kept && counts(&all, (filed.at, *digest))
    });
    let candidate = |(filed, digest): &(Filed, Digest)| Candidate {
        filed: *filed,
        digest: *digest,
        customer: record.clone(),
    };
    Ok(own.map(candidate).collect())
}

/// An order without proof as its approval would put it into a ledger.
pub fn conversion(record: &Record) -> Option<Conversion> {
    record.unproven.clone().map(|conversion| Conversion { via: Via::Hand, ..conversion })
}

/// The same as an order's facts.
pub fn preview(report: FactKey, conversion: &Conversion) -> Order {
    let mut facts = Order::default();
    let key = FactKey { kind: FactKind::Conversion, ..report };
    facts.add(key, Fact::Conversion(conversion.clone()));
    facts
}

fn found_put<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    filed: Filed,
    order: OrderPseudonym,
) -> Put {
    let key = FoundKey { program: program.id().clone(), filed, order };
    Put::listed(&key, &Nothing {}).until(waits_until(filed.at), cx.now)
}

/// Looks for reports of an order that is about to be recorded; what is to be written of them.
pub async fn reports_of<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, report): (OrderPseudonym, FactKey),
    record: &Record,
) -> Result<Vec<Put>, StoreError> {
    let Some(conversion) = conversion(record) else { return Ok(Vec::new()) };
    let mut puts = Vec::new();
    for candidate in candidates(cx, program, record, None).await? {
        let filed = candidate.filed;
        let facts = preview(report, &conversion);
        news::missing_referral(cx, program, (filed.customer, order), &facts, &record.order).await?;
        puts.push(found_put(cx, program, filed, order));
    }
    Ok(puts)
}

/// Looks for the order of a report that counts; what is to be written of it. One list for the number,
/// and one for each order that may have it.
pub async fn look<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (number, ids): (OrderPseudonym, &[OrderPseudonym]),
    filed: Filed,
) -> Result<Vec<Put>, StoreError> {
    let (entries, _) = cx.first(&NumberKey::prefix(&[program.id(), &number]), ORDERS).await?;
    let numbered = entries.iter().filter_map(|entry| entry.key.parse().ok());
    let numbered = numbered.map(|key: NumberKey| key.order).take(ORDERS);
    let orders: BTreeSet<OrderPseudonym> = ids.iter().copied().chain(numbered).collect();
    let mut puts = Vec::new();
    for order in orders {
        let listed = orders::listed(cx, program, order).await?;
        let Some(report) = open(&listed) else { continue };
        let Some(record) = read(cx, program, order, report).await? else { continue };
        let Some(conversion) = conversion(&record) else { continue };
        if is_near(filed.ordered_on, record.occurred_at) {
            let facts = preview(report, &conversion);
            let of = (filed.customer, order);
            news::missing_referral(cx, program, of, &facts, &record.order).await?;
            puts.push(found_put(cx, program, filed, order));
        }
    }
    Ok(puts)
}

/// The report of an order that nobody has a claim on.
pub fn open(listed: &Listed) -> Option<FactKey> {
    let is_open = listed.reports.iter().all(|report| report.advocate.is_none());
    listed.reports.first().filter(|_| is_open).map(|report| report.key)
}

/// A report in full, where it is visible.
pub async fn read<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    fact: FactKey,
) -> Result<Option<Record>, StoreError> {
    let key = OrderKey { program: program.id().clone(), order, fact };
    let value = cx.get(&key.to_string()).await?;
    Ok(value.and_then(|value| serde_json::from_str(&value).ok()))
}

/// Looks a second time for the orders of reports, where it is time to, and never again.
pub async fn look_due<H: Host>(cx: &Context<'_, H>, todo: &[Entry], report: &mut CronReport) {
    let before = cx.spent();
    for entry in todo {
        let Ok(key) = entry.key.parse::<DueMissingKey>() else { continue };
        if key.at.start() > cx.now {
            break;
        }
        if cx.spent().saturating_sub(before) >= FOR_MISSING {
            report.done = false;
            break;
        }
        if look_again(cx, &key, entry).await.is_err() {
            report.done = false;
        }
    }
}

async fn look_again<H: Host>(
    cx: &Context<'_, H>,
    key: &DueMissingKey,
    entry: &Entry,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(()) };
    let DueMissing { orders } = entry.read().unwrap_or_default();
    let Filed { customer, ordered_on, .. } = key.filed;
    let report = (key.filed, digest(&program, customer, key.number, ordered_on));
    // By now everything that was filed before is visible.
    if !of_customer(cx, &program, customer, &[report]).await?.is_empty() {
        cx.put_all(&look(cx, &program, (key.number, &orders), key.filed).await?).await?;
    }
    cx.delete(&entry.key).await
}
