//! Where a reward is now, why, since when and until when: computed from facts and `now`, never
//! stored. Before the verdict everything here is provisional; after it only reversals, fulfilment
//! and expiry change what is shown.

use crate::fact::{Accepted, Conversion, Decided, Event, Order};
use crate::ids::{CustomerPseudonym, Identity};
use crate::mutation::{self, Mutation};
use crate::program::{Program, Versions};
use crate::report::EventType;
use crate::reward::{ConversionKind, Reason, Role, Rule, Status, Trigger, Value};
use crate::settlement::{Remaining, after, attribute, remaining, rule_for, settling, worth};
use crate::time::{Instant, Minute, SETTLE};

/// A reward of an order, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    pub role: Role,
    pub value: Value,
    pub status: Status,
    pub reason: Option<Reason>,
    pub since: Instant,
    pub until: Option<Instant>,
    /// What was taken back after it was fulfilled: values below zero.
    pub entries: Vec<Entry>,
}

/// What a reversal took from a fulfilled reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub value: Value,
    pub reason: Reason,
    pub since: Instant,
}

impl Reward {
    /// What the advocate has for good, entries taken off. A percentage is taken back as a whole.
    pub fn net(&self) -> Option<Value> {
        if !matches!(self.status, Status::Approved | Status::Fulfilled) {
            return None;
        }
        let taken = self.entries.iter().filter_map(|entry| entry.value.amount());
        let taken = taken.fold(0, i64::saturating_add);
        match self.value.amount() {
            Some(amount) => Some(self.value.with_amount(amount.saturating_add(taken))),
            None => self.entries.is_empty().then_some(self.value),
        }
    }
}

/// The rewards an order brings, as of `now`. `known` is who its advocate is.
pub fn rewards(
    order: &Order,
    advocate: CustomerPseudonym,
    known: &[(Minute, Identity)],
    versions: &Versions,
    now: Instant,
) -> Vec<Reward> {
    let Some(conversion) = order.conversion.as_ref() else { return Vec::new() };
    let fact = &conversion.fact;
    let Some(version) = versions.at(fact.occurred_at).or_else(|| versions.first()) else {
        return Vec::new();
    };
    let terms = &version.terms;
    if let Some(verdict) = &order.verdict {
        let decided = verdict.fact.rewards.iter();
        return decided
            .map(|reward| decided_reward(order, conversion, terms, reward, verdict.at))
            .collect();
    }
    // What becomes known of an advocate after settlement no longer counts.
    let until = now.minute_up().min(settling(order, conversion, terms).at);
    let whole = attribute(fact, advocate, known, versions, until)
        .and_then(|()| fact.noted.map_or(Ok(()), Err));
    [Role::Advocate, Role::Friend]
        .into_iter()
        .filter_map(|role| {
            let rule = rule_for(terms, role, fact.kind, fact.again);
            let named = rule.or_else(|| rule_for(terms, role, fact.kind, false))?;
            let refusal = whole.and_then(|()| rule.ok_or(Reason::FriendAlreadyReferred)).err();
            Some(provisional_reward(order, conversion, terms, named, refusal, now))
        })
        .collect()
}

fn provisional_reward(
    order: &Order,
    conversion: &Accepted<Conversion>,
    terms: &Program,
    rule: &Rule,
    refusal: Option<Reason>,
    now: Instant,
) -> Reward {
    let occurred_at = conversion.fact.occurred_at;
    let left = remaining(order, conversion, None);
    let nothing = zero(rule.value.earned(0, terms.currency));
    let mut reward = Reward {
        role: rule.role,
        value: nothing,
        status: Status::Refused,
        reason: refusal,
        since: occurred_at,
        until: None,
        entries: Vec::new(),
    };
    if refusal.is_some() {
        return reward;
    }
    match worth(rule, left, terms) {
        Err(reason) => {
            reward.reason = Some(reason);
            if let Some((_, at)) = left.reversed {
                reward.status = Status::Reversed;
                reward.since = at;
            }
        }
        Ok(value) => {
            let settling = settling(order, conversion, terms);
            reward.value = value;
            reward.status = Status::Pending;
            let end = settling.at.start();
            if mutation::is_on(Mutation::ApprovedWithoutVerdict) && now >= end.plus(SETTLE) {
                reward.status = Status::Approved;
                return reward;
            }
            if now >= end {
                reward.reason = Some(Reason::Checking);
                reward.until = Some(end.plus(SETTLE)).filter(|until| *until > now);
            } else {
                let waits = if settling.fixed { Reason::Hold } else { Reason::AwaitingDelivery };
                reward.reason = Some(waits);
                reward.until = Some(end);
            }
        }
    }
    reward
}

fn decided_reward(
    order: &Order,
    conversion: &Accepted<Conversion>,
    terms: &Program,
    decided: &Decided,
    settled: Minute,
) -> Reward {
    let rule = rule_of(terms, decided.role, decided.trigger);
    let mut reward = Reward {
        role: decided.role,
        value: decided.value.unwrap_or_else(|| {
            let value = rule.map_or(Value::Points { points: 0 }, |rule| rule.value);
            zero(value.earned(0, terms.currency))
        }),
        status: Status::Approved,
        reason: decided.reason,
        since: settled.start(),
        until: None,
        entries: Vec::new(),
    };
    let Some(approved) = decided.value else {
        let reversal = decided.reason.is_some_and(Reason::is_reversal);
        reward.status = if reversal { Status::Reversed } else { Status::Refused };
        if reversal && let Some((_, at)) = remaining(order, conversion, Some(settled)).reversed {
            reward.since = at;
        }
        return reward;
    };
    let Some(paid) = order.fulfilment(decided.role) else {
        for taking in takings(order, conversion, rule, approved, approved) {
            reward.value = taking.after;
            reward.reason = Some(taking.reason);
            if taking.gone {
                reward.status = Status::Reversed;
                reward.since = taking.since;
            }
        }
        return reward;
    };
    reward.status = Status::Fulfilled;
    reward.value = paid.fact.value;
    reward.since = paid.at.start();
    let takings = takings(order, conversion, rule, approved, paid.fact.value);
    let entries = takings.into_iter().map(Taking::entry);
    reward.entries = entries.filter(|entry| entry.value.amount() != Some(0)).collect();
    reward
}

/// An event that left less of a value.
struct Taking {
    before: Value,
    after: Value,
    /// Nothing is left.
    gone: bool,
    reason: Reason,
    since: Instant,
}

impl Taking {
    fn entry(self) -> Entry {
        let value = match (self.before.amount(), self.after.amount()) {
            (Some(before), Some(after)) => self.before.with_amount(after.saturating_sub(before)),
            _ => self.before,
        };
        Entry { value, reason: self.reason, since: self.since }
    }
}

/// What the events took, one by one, from `start`, of which `approved` was approved.
fn takings(
    order: &Order,
    conversion: &Accepted<Conversion>,
    rule: Option<&Rule>,
    approved: Value,
    start: Value,
) -> Vec<Taking> {
    let whole = conversion.fact.amount.unwrap_or(0);
    let mut left = Remaining { amount: whole, reversed: None };
    let mut before = start;
    let mut gone = false;
    let mut result = Vec::new();
    for event in order.events() {
        left = after(left, whole, &event.fact);
        let next = shrunk(rule, approved, left);
        // An order can be undone without taking anything: a percentage, or a value of nothing.
        if next.amount() < before.amount() || (left.reversed.is_some() && !gone) {
            gone = left.reversed.is_some() || next.amount() == Some(0);
            let (reason, since) = taken_by(&event.fact);
            result.push(Taking { before, after: next, gone, reason, since });
            before = next;
        }
    }
    result
}

/// What is left of an approved value. A share of the order shrinks with it; a fixed value stays
/// until the order is wholly reversed.
fn shrunk(rule: Option<&Rule>, approved: Value, left: Remaining) -> Value {
    if left.reversed.is_some() {
        return zero(approved);
    }
    match (rule.map(|rule| rule.value), approved.amount()) {
        (Some(Value::PercentOfOrder { basis_points }), Some(amount)) => {
            approved.with_amount(amount.min(basis_points.of(left.amount)))
        }
        _ => approved,
    }
}

fn taken_by((kind, event): &(EventType, Event)) -> (Reason, Instant) {
    let reason = match kind {
        EventType::Withdrawn => Reason::Withdrawn,
        EventType::Cancelled => Reason::Cancelled,
        EventType::Chargeback => Reason::Chargeback,
        EventType::Refunded | EventType::Delivered => Reason::Refunded,
    };
    (reason, event.occurred_at)
}

fn rule_of(terms: &Program, role: Role, trigger: Trigger) -> Option<&Rule> {
    terms.rules(role).find(|rule| rule.trigger == trigger)
}

fn zero(value: Value) -> Value {
    value.with_amount(0)
}

/// What an advocate's orders come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    pub signups: u32,
    pub purchases: u32,
    pub pending: u32,
    pub approved: u32,
    /// What is approved or fulfilled, summed by kind; percentages are counted instead.
    pub earned: Vec<(Value, u32)>,
}

impl Totals {
    /// Counts an order and the advocate's reward for it; refused referrals count for nothing.
    pub fn add(&mut self, kind: ConversionKind, reward: Option<&Reward>) {
        if reward.is_some_and(|reward| reward.status == Status::Refused) {
            return;
        }
        match kind {
            ConversionKind::Signup => self.signups += 1,
            ConversionKind::Purchase => self.purchases += 1,
            ConversionKind::Action => {}
        }
        let Some(reward) = reward else { return };
        match reward.status {
            Status::Pending | Status::Review => self.pending += 1,
            Status::Approved | Status::Fulfilled => self.approved += 1,
            _ => {}
        }
        if let Some(value) = reward.net() {
            let same = |sum: &&mut (Value, u32)| match value.amount() {
                Some(_) => zero(sum.0) == zero(value),
                None => sum.0 == value,
            };
            match self.earned.iter_mut().find(same) {
                Some((sum, count)) => {
                    let amount =
                        sum.amount().unwrap_or(0).saturating_add(value.amount().unwrap_or(0));
                    *sum = sum.with_amount(amount);
                    *count += 1;
                }
                None => self.earned.push((value, 1)),
            }
        }
    }
}
