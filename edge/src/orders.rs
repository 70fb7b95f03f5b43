//! An order as the store holds it: its reports, its events, its advocate's ledger, and the claims
//! on its friend.

use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_core::fact::{Accepted, Conversion, Fact, FactKey, Order, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, OrderId, OrderPseudonym};
use passalong_core::missing_referral;
use passalong_core::money::Currency;
use passalong_core::report::{Item, ProofKind};
use passalong_core::reward::{ConversionKind, Reason, RewardId, Role, Value};
use passalong_core::seal::Sealed;
use passalong_core::settlement::Reported;
use passalong_core::time::{Instant, Minute};
use passalong_core::wire::{AdvocateRef, ConversionAnswer, Lacked, PromisedReward};
use serde::{Deserialize, Serialize};

use crate::cron::BUDGET;
use crate::keys::{
    Decision, DecisionKey, DueKey, EventKey, Ledger, LedgerKey, LogKey, OrderKey, Why,
};
use crate::metadata::{self, Advocate, Due};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Reports, events and facts of one order that are looked at, the first in time: what is sent beyond
/// them is taken in, and counts no more.
const REPORTS: usize = 1_000;
const EVENTS: usize = 2_000;
const FACTS: usize = 2_000;
/// Operations for one rival claim and for what follows the last of them.
const LOOK_ASIDE: u32 = 40;

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
    /// Which proof counted; whom it names is in the key's metadata.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub proof: Option<ProofKind>,
    /// Its place in the order in which they were tried.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<usize>,
    /// What those lacked that were tried before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lacked: Vec<Lacked>,
    /// The number that people see, sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<String>,
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
    /// As it stands in an advocate's ledger: what brought no proof has come there since.
    #[must_use]
    pub fn joined(mut self) -> Self {
        if self.unproven.is_some() {
            (self.attributed, self.reason) = (true, None);
        }
        self
    }

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
            proof: self.proof,
            proofs: self.lacked.clone(),
            taken: None,
        }
    }

    /// What of it its events are about, if it was accepted then.
    pub const fn reported(&self, at: Minute) -> Reported {
        let Self { kind, amount, occurred_at, .. } = *self;
        Reported { at, kind, amount, occurred_at }
    }
}

/// What is listed of an order.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The one accepted first in front. Where none has an advocate, that one is whose missing referral
    /// was approved first.
    pub reports: Vec<Report>,
    /// What the merchant decided on missing referrals, and the notes, sealed.
    pub decisions: Vec<missing_referral::Decision>,
    pub notes: BTreeMap<CustomerPseudonym, String>,
}

impl Listed {
    /// When the order was reported with a proof of its own, beside the report of that digest.
    pub fn proofs(&self, digest: Digest) -> Vec<Minute> {
        let proven = self
            .reports
            .iter()
            .filter(|report| report.advocate.is_some() && report.key.digest != digest);
        proven.map(|report| report.key.accepted).collect()
    }
}

/// What one key of an order tells.
#[derive(Clone)]
enum Told {
    Reported(Report),
    /// With the note.
    Decided(missing_referral::Decision, Option<String>),
}

impl Told {
    fn read(entry: &Entry) -> Option<Self> {
        if let Ok(OrderKey { fact: key, .. }) = entry.key.parse() {
            let Advocate { advocate } = entry.read().unwrap_or_default();
            return Some(Self::Reported(Report { key, advocate }));
        }
        let DecisionKey { decision: Decision(decision), .. } = entry.key.parse().ok()?;
        let meta: metadata::Decision = entry.read().unwrap_or_default();
        Some(Self::Decided(decision, meta.note))
    }
}

/// The visible reports of an order, the one accepted first in front.
pub async fn reports<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
) -> Result<Vec<Report>, StoreError> {
    Ok(listed(cx, program, order).await?.reports)
}

/// The visible reports of an order, and what was decided on missing referrals: one list.
pub async fn listed<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
) -> Result<Listed, StoreError> {
    let prefix = OrderKey::prefix(&[program.id(), &order]);
    let (entries, _) = cx.first(&prefix, REPORTS).await?;
    let mut listed = Listed::default();
    for told in entries.iter().filter_map(|entry| entry.once(Told::read)) {
        match told {
            Told::Reported(report) => listed.reports.push(report),
            Told::Decided(decision, note) => {
                listed.decisions.push(decision);
                if let Some(note) = note {
                    listed.notes.entry(decision.customer).or_insert(note);
                }
            }
        }
    }
    listed.reports.sort_by_key(|report| report.key);
    let approved = missing_referral::approval(&listed.decisions);
    let is_open = listed.reports.iter().all(|report| report.advocate.is_none());
    if let Some(first) = listed.reports.first_mut().filter(|_| is_open) {
        first.advocate = approved.map(|approved| approved.customer);
    }
    Ok(listed)
}

/// Why an approved missing referral is not this advocate's after all, up to that minute. Other orders
/// cost nothing.
pub async fn refusal<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    conversion: &Accepted<Conversion>,
    until: Minute,
) -> Result<Option<Reason>, StoreError> {
    if conversion.fact.via != Via::Hand {
        return Ok(None);
    }
    let listed = listed(cx, program, order).await?;
    let proofs = listed.proofs(conversion.digest);
    Ok(missing_referral::refusal(advocate, &listed.decisions, &proofs, until))
}

fn read_record(text: &str) -> Option<Record> {
    serde_json::from_str(text).ok()
}

/// A report in full.
pub async fn record<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    key: FactKey,
) -> Result<Record, StoreError> {
    let key = OrderKey { program: program.id().clone(), order, fact: key };
    let value = cx.get(&key.to_string()).await?;
    let record = value.and_then(|value| cx.host.once(&value, read_record));
    // It is listed, so it is there: this location still remembers that it was not.
    record.ok_or(StoreError::NotVisible)
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
    Ok(entries.iter().filter_map(|entry| entry.once(event)).collect())
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
    let mut orders = BTreeMap::new();
    fold_into(&mut orders, entries);
    orders
}

/// Adds listed facts to orders.
pub fn fold_into(orders: &mut BTreeMap<OrderPseudonym, Order>, entries: &[Entry]) {
    for told in entries.iter().filter_map(|entry| entry.once(in_a_ledger)) {
        // In a Worker nobody else has it, and nothing is copied.
        let (order, key, fact) = match Rc::try_unwrap(told) {
            Ok((key, fact)) => (key.order, key.fact, fact),
            Err(shared) => (shared.0.order, shared.0.fact, shared.1.clone()),
        };
        orders.entry(order).or_default().add(key, fact);
    }
}

/// What a key of a ledger tells.
pub fn in_a_ledger(entry: &Entry) -> Option<Rc<(LedgerKey, Fact)>> {
    let key: LedgerKey = entry.key.parse().ok()?;
    let fact = Fact::from_json(key.fact.kind, &entry.metadata)?;
    Some(Rc::new((key, fact)))
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
    Ok(value.and_then(|value| cx.host.once(&value, read_record)))
}

/// The pointer to look at an order then.
pub fn due_put(program: &Loaded, at: Minute, ledger: Ledger, order: OrderPseudonym) -> Put {
    due_for(program, at, ledger, order, Why::Look)
}

/// The same for another reason. Two reasons in one minute are two pointers.
pub fn due_for(
    program: &Loaded,
    at: Minute,
    ledger: Ledger,
    order: OrderPseudonym,
    why: Why,
) -> Put {
    Put::listed(&DueKey { at, program: program.id().clone(), ledger, order, why }, &Due::default())
}

/// The order's line in the list of its day: the day it occurred on, so that a report that is sent
/// again tomorrow does not list it twice.
pub fn log_put(program: &Loaded, ledger: Ledger, order: OrderPseudonym, record: &Record) -> Put {
    let day = record.occurred_at.day();
    let key = LogKey { program: program.id().clone(), day, order, ledger };
    Put::listed(&key, &metadata::Sealed { sealed: record.order.clone() })
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
