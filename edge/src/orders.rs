//! An order as the store holds it: its reports, its events, its advocate's ledger, and the claims
//! on its friend.

use std::collections::BTreeMap;

use passalong_core::fact::{Conversion, Fact, FactKey, Order};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderId, OrderPseudonym};
use passalong_core::money::Currency;
use passalong_core::mutation::{self, Mutation};
use passalong_core::report::Item;
use passalong_core::reward::{ConversionKind, Reason, RewardId, Role, Value};
use passalong_core::seal::Sealed;
use passalong_core::settlement::Claim;
use passalong_core::time::{Instant, Minute};
use passalong_core::wire::{AdvocateRef, ConversionAnswer, PromisedReward};
use serde::{Deserialize, Serialize};

use crate::cron::BUDGET;
use crate::customers;
use crate::keys::{ClaimKey, DueKey, EventKey, Ledger, LedgerKey, LogKey, OrderKey, Why};
use crate::metadata::{self, Advocate, Due};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Earlier claims on a friend that are looked into for a provisional answer.
pub const RIVALS: usize = 10;
/// Reports, events and facts of one order that are looked at, the first in time: what is sent beyond
/// them is taken in, and counts no more.
const REPORTS: usize = 1_000;
const EVENTS: usize = 2_000;
const FACTS: usize = 2_000;
/// Operations for one rival claim and for what follows the last of them.
const LOOK_ASIDE: u32 = 20;

/// Whether a run can look at one more order beside the one it is about.
pub fn has_room_aside<H: Host>(cx: &Context<'_, H>) -> bool {
    cx.spent() + LOOK_ASIDE <= BUDGET
}

/// A report of an order, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub key: FactKey,
    pub advocate: Option<CustomerPseudonym>,
}

/// A report in full: the value of its `order/` key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The shop's order id, sealed.
    pub order: String,
    pub kind: ConversionKind,
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
    pub occurred_at: Instant,
    pub segment: Option<String>,
    pub action: Option<String>,
    pub items: Vec<Item>,
    /// What was answered.
    pub attributed: bool,
    pub reason: Option<Reason>,
    pub rewards: Vec<Promise>,
    pub terms_version: Option<u32>,
    /// An order that proved no referral, as it goes into a ledger if it turns out to belong to one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unproven: Option<Conversion>,
}

/// A reward that was promised when the order was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    pub role: Role,
    pub value: Value,
}

impl Record {
    /// What the shop was, and will be, answered.
    pub fn answer(
        &self,
        order_id: &OrderId,
        order: OrderPseudonym,
        advocate: Option<String>,
    ) -> ConversionAnswer {
        let promised = |promise: &Promise| PromisedReward {
            id: RewardId::Order { order, role: promise.role }.to_string(),
            r#for: promise.role,
            value: promise.value,
        };
        ConversionAnswer {
            order_id: order_id.as_str().to_owned(),
            attributed: self.attributed,
            reason: self.reason,
            advocate: self.attributed.then_some(AdvocateRef { customer_id: advocate }),
            rewards: self.rewards.iter().map(promised).collect(),
            provisional: self.attributed || self.unproven.is_some(),
            terms_version: self.terms_version,
        }
    }
}

/// The visible reports of an order, the one accepted first in front.
pub async fn reports<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
) -> Result<Vec<Report>, StoreError> {
    let prefix = OrderKey::prefix(&[program.id(), &order]);
    let (entries, _) = cx.first(&prefix, REPORTS).await?;
    let report = |entry: &Entry| {
        let key: OrderKey = entry.key.parse().ok()?;
        let Advocate { advocate } = entry.read().unwrap_or_default();
        Some(Report { key: key.fact, advocate })
    };
    let mut reports: Vec<Report> = entries.iter().filter_map(report).collect();
    reports.sort_by_key(|report| report.key);
    Ok(reports)
}

/// A report in full.
pub async fn record<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    key: FactKey,
) -> Result<Record, Problem> {
    let key = OrderKey { program: program.id().clone(), order, fact: key };
    let value = cx.get(&key.to_string()).await?;
    let record = value.and_then(|value| serde_json::from_str(&value).ok());
    // It is listed, so it is there: this location still remembers that it was not.
    record.ok_or_else(|| StoreError::NotVisible.into())
}

/// What is said of an order that is not there, or not yet.
pub fn not_visible() -> Problem {
    Problem::not_found("no such order is visible; what was sent in the last minute may not be yet")
        .retry_after(60)
}

/// The events of an order as they came.
pub async fn events<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
) -> Result<Vec<(FactKey, Fact)>, StoreError> {
    let prefix = EventKey::prefix(&[program.id(), &order]);
    let (entries, _) = cx.first(&prefix, EVENTS).await?;
    let event = |entry: &Entry| {
        let key: EventKey = entry.key.parse().ok()?;
        Some((key.fact, Fact::from_json(key.fact.kind, &entry.metadata)?))
    };
    Ok(entries.iter().filter_map(event).collect())
}

/// One order in its advocate's ledger.
pub async fn in_ledger<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    order: OrderPseudonym,
) -> Result<Order, StoreError> {
    let prefix = LedgerKey::prefix(&[program.id(), &customer, &order]);
    Ok(fold(&cx.first(&prefix, FACTS).await?.0).remove(&order).unwrap_or_default())
}

/// Folds listed facts into orders.
pub fn fold(entries: &[Entry]) -> BTreeMap<OrderPseudonym, Order> {
    let mut orders: BTreeMap<OrderPseudonym, Order> = BTreeMap::new();
    for entry in entries {
        let Ok(key) = entry.key.parse::<LedgerKey>() else { continue };
        if let Some(fact) = Fact::from_json(key.fact.kind, &entry.metadata) {
            orders.entry(key.order).or_default().add(key.fact, fact);
        }
    }
    orders
}

/// A fact of a ledger, to be written.
pub fn ledger_put(
    program: &Loaded,
    customer: CustomerPseudonym,
    order: OrderPseudonym,
    (fact_key, fact): (FactKey, &Fact),
) -> Put {
    let key = LedgerKey { program: program.id().clone(), customer, order, fact: fact_key };
    Put::listed(&key, &fact.to_json())
}

/// A conversion for its ledger, with the report in full: what heals an order that was cut off.
pub fn conversion_put(
    program: &Loaded,
    customer: CustomerPseudonym,
    order: OrderPseudonym,
    (key, conversion): (FactKey, &Conversion),
    record: &Record,
) -> Put {
    ledger_put(program, customer, order, (key, &Fact::Conversion(conversion.clone())))
        .value(serde_json::to_string(record).unwrap_or_default())
}

/// The report in full, from the ledger.
pub async fn record_in_ledger<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    order: OrderPseudonym,
    fact: FactKey,
) -> Result<Option<Record>, StoreError> {
    let key = LedgerKey { program: program.id().clone(), customer, order, fact };
    let value = cx.get(&key.to_string()).await?;
    Ok(value.and_then(|value| serde_json::from_str(&value).ok()))
}

/// The pointer to look at an order then.
pub fn due_put(program: &Loaded, at: Minute, ledger: Ledger, order: OrderPseudonym) -> Put {
    due_for(program, at, ledger, order, (Why::Look, Due::default()))
}

/// The same for another reason. Two reasons in one minute are two pointers.
pub fn due_for(
    program: &Loaded,
    at: Minute,
    ledger: Ledger,
    order: OrderPseudonym,
    (why, due): (Why, Due),
) -> Put {
    Put::listed(&DueKey { at, program: program.id().clone(), ledger, order, why }, &due)
}

/// An order's claims on its friend, one for each identity.
pub fn claim_puts(
    program: &Loaded,
    advocate: CustomerPseudonym,
    order: OrderPseudonym,
    (key, conversion): (FactKey, &Conversion),
) -> Vec<Put> {
    let metadata = Advocate { advocate: Some(advocate) };
    let put = |identity: &Identity| {
        let program = program.id().clone();
        let key = ClaimKey { program, identity: *identity, order, fact: key };
        Put::listed(&key, &metadata)
    };
    conversion.identities.iter().map(put).collect()
}

/// The order's line in the list of its day: the day it occurred on, so that a report that is sent
/// again tomorrow does not list it twice.
pub fn log_put(program: &Loaded, ledger: Ledger, order: OrderPseudonym, record: &Record) -> Put {
    let day = record.occurred_at.day();
    let key = LogKey { program: program.id().clone(), day, order, ledger };
    Put::listed(&key, &metadata::Sealed { sealed: record.order.clone() })
}

/// What the claims on a friend say about an order.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The minutes of the order's own claims.
    pub own: Vec<(Identity, Minute)>,
    pub others: Vec<Claim>,
}

/// Reads the claims on a friend and, of the `most` that were accepted first, what is known of their
/// orders. A claim counts from when its order was recorded (this order: `since`), and not at all
/// before: what a cut-off request left behind must not overtake those that were decided without it.
pub async fn claims<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, since): (OrderPseudonym, Option<Minute>),
    identities: &[Identity],
    most: usize,
) -> Result<Claims, StoreError> {
    let lists = identities.iter().map(|identity| async move {
        cx.list(&ClaimKey::prefix(&[program.id(), identity]), 1).await
    });
    let mut listed: Vec<(ClaimKey, CustomerPseudonym)> = Vec::new();
    for entries in futures_util::future::join_all(lists).await {
        listed.extend(entries?.iter().filter_map(|entry| {
            let Advocate { advocate: Some(advocate) } = entry.read()? else { return None };
            Some((entry.key.parse().ok()?, advocate))
        }));
    }
    let (own, mut others): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|(key, _)| key.order == order);
    let counts = |key: &ClaimKey| since.unwrap_or(key.fact.accepted);
    let own = own.iter().map(|(key, _)| (key.identity, counts(key))).collect();
    let mut claims = Claims { own, others: Vec::new() };
    // What came later can take nothing away.
    let last = claims.own.iter().map(|(_, accepted)| *accepted).max();
    others.retain(|(key, _)| last.is_none_or(|last| key.fact.accepted <= last));
    others.sort_by_key(|(key, _)| (key.fact.accepted, key.order));
    let mut seen: BTreeMap<(OrderPseudonym, CustomerPseudonym), Known> = BTreeMap::new();
    for (key, advocate) in others {
        let known = match seen.get(&(key.order, advocate)) {
            Some(known) => known.clone(),
            None if seen.len() >= most => break,
            // A run that has come so far leaves this order to the next, which can read them all.
            None if !has_room_aside(cx) => return Err(StoreError::OutOfBudget),
            None => {
                let mut known = Known {
                    facts: in_ledger(cx, program, advocate, key.order).await?,
                    customer: customers::load(cx, program, advocate).await?,
                    reports: reports(cx, program, key.order).await?,
                };
                for (key, fact) in events(cx, program, key.order).await? {
                    known.facts.add(key, fact);
                }
                known
            }
        };
        seen.insert((key.order, advocate), known.clone());
        let Some(first) = known.reports.first() else { continue };
        let conversion = known.facts.conversion.as_ref();
        let ranked = conversion.filter(|_| mutation::is_on(Mutation::RankedByOccurrence));
        let ranked = ranked.map(|conversion| conversion.fact.occurred_at.minute_up());
        let joined = conversion.filter(|conversion| conversion.fact.via.is_joined());
        let ranked = ranked.or(joined.map(|conversion| conversion.at));
        claims.others.push(Claim {
            order: key.order,
            advocate,
            identity: key.identity,
            accepted: ranked.unwrap_or(key.fact.accepted.max(first.key.accepted)),
            digest: key.fact.digest,
            reports: ranks(&known.reports),
            facts: known.facts,
            known: known.customer.known,
        });
    }
    Ok(claims)
}

/// What is read once of an order that claims under several identities.
#[derive(Debug, Clone)]
struct Known {
    facts: Order,
    customer: customers::Customer,
    reports: Vec<Report>,
}

/// Reports as settlement ranks them.
pub fn ranks(reports: &[Report]) -> Vec<(Minute, Digest)> {
    reports.iter().map(|report| (report.key.accepted, report.key.digest)).collect()
}

/// The shop's order id.
pub fn open_order(program: &Loaded, sealed: &str) -> Option<String> {
    program.keys.open(Sealed::Order, sealed)
}

/// The report itself. Its presence means that everything else of it stands.
pub fn order_put(
    program: &Loaded,
    order: OrderPseudonym,
    fact: FactKey,
    ledger: Ledger,
    record: &Record,
) -> Put {
    let key = OrderKey { program: program.id().clone(), order, fact };
    Put::listed(&key, &Advocate { advocate: ledger.0 })
        .value(serde_json::to_string(record).unwrap_or_default())
}
