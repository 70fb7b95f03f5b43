//! Where a reward is now, why, since when and until when: computed from facts and `now`, never
//! stored. Before the verdict everything here is provisional; after it only reversals, fulfilment
//! and, once it is fulfilled, its end change what is shown.

use std::collections::BTreeMap;

use crate::fact::{Accepted, Conversion, Decided, Order, Verdict};
use crate::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use crate::mutation::{self, Mutation};
use crate::orders::claims::attribute;
use crate::orders::losses::Lost;
use crate::program::{Program, Versions};
use crate::reward::{
    ConversionKind, Label, Part, Reason, RewardId, Role, Rule, Status, Trigger, Value,
};
use crate::settlement::{Base, Facets, Known, Remaining, earned_later, remaining, settling, worth};
use crate::time::{Instant, SETTLE};

/// A reward of an order, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    pub part: Part,
    pub trigger: Trigger,
    pub value: Value,
    pub status: Status,
    pub reason: Option<Reason>,
    pub since: Instant,
    pub until: Option<Instant>,
    /// What was taken back after it was fulfilled: values below zero.
    pub entries: Vec<Entry>,
    /// The pool it is handed over from, once it is decided.
    pub pool: Option<Label>,
    /// The code of the coupon it was handed over with, sealed.
    pub coupon: Option<String>,
}

/// What a reversal took from a fulfilled reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The event that took it.
    pub event: Digest,
    pub value: Value,
    pub reason: Reason,
    pub since: Instant,
    /// When the merchant settled it.
    pub settled: Option<Instant>,
}

impl Reward {
    /// What is told of an order that the terms give this part nothing for, and that was decided on all
    /// the same.
    pub fn nothing(part: Part, order: &Order, terms: &Program) -> Option<Self> {
        let conversion = order.conversion.as_ref()?;
        let declined = order.review(part).filter(|review| !review.fact.approved);
        let occurred_at = conversion.fact.occurred_at;
        Some(Self {
            part,
            trigger: Trigger::EveryPurchase,
            value: Value::Credit { amount: 0, currency: terms.currency },
            status: if declined.is_some() { Status::Reversed } else { Status::Refused },
            reason: declined.map(|_| Reason::Declined),
            since: declined.map_or(occurred_at, |review| review.at.start()),
            until: None,
            entries: Vec::new(),
            pool: None,
            coupon: None,
        })
    }

    pub const fn id(&self, order: OrderPseudonym, advocate: CustomerPseudonym) -> RewardId {
        match self.part.milestone {
            None => RewardId::Order { order, role: self.part.role },
            Some(at) => RewardId::Milestone { advocate, trigger: self.trigger, at },
        }
    }

    /// What whoever earned it has for good, entries taken off. A percentage or a gift is taken back
    /// as a whole.
    pub fn net(&self) -> Option<Value> {
        if self.status != Status::Approved && !self.status.is_handed_over() {
            return None;
        }
        let taken = self.entries.iter().filter_map(|entry| entry.value.amount());
        let taken = taken.fold(0, i64::saturating_add);
        match self.value.amount() {
            Some(amount) => Some(self.value.with_amount(amount.saturating_add(taken))),
            None => self.entries.is_empty().then_some(self.value),
        }
    }

    /// What the merchant still has to give, or, below zero, to get back.
    pub fn owed(&self) -> Vec<Value> {
        match self.status {
            Status::Approved => vec![self.value],
            Status::Fulfilled | Status::Expired => {
                let open = self.entries.iter().filter(|entry| entry.settled.is_none());
                open.map(|entry| entry.value).filter(|value| value.amount().is_some()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// What an order is looked at with.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub advocate: CustomerPseudonym,
    /// Who the advocate is.
    pub known: &'a Known,
    pub versions: &'a Versions,
    pub now: Instant,
    /// Referrals approved so far, where tiers are to be foreseen.
    pub approved: Option<&'a BTreeMap<Trigger, u32>>,
}

/// The advocate's referrals that were approved.
pub fn approved(orders: &BTreeMap<OrderPseudonym, Order>) -> BTreeMap<Trigger, u32> {
    let mut approved = BTreeMap::new();
    for decided in orders.values().filter_map(|order| order.verdict.as_ref()) {
        for one in &decided.fact.rewards {
            if one.value.is_some() && one.part() == Part::from(Role::Advocate) {
                *approved.entry(one.trigger).or_insert(0) += 1;
            }
        }
    }
    approved
}

/// The rewards an order brings.
pub fn rewards(order: &Order, view: &View<'_>) -> Vec<Reward> {
    let Some(conversion) = order.conversion.as_ref() else { return Vec::new() };
    let fact = &conversion.fact;
    let versions = view.versions;
    let Some(version) = versions.at(fact.occurred_at).or_else(|| versions.first()) else {
        return Vec::new();
    };
    let looked_at = Looked { order, conversion, terms: &version.terms, view };
    if let Some(verdict) = &order.verdict {
        let decided = verdict.fact.rewards.iter();
        return decided.map(|decided| looked_at.decided(verdict, decided)).collect();
    }
    // What becomes known of an advocate after settlement no longer counts.
    let until = view.now.minute_up().min(settling(order, conversion, &version.terms).at);
    let by_itself = attribute(conversion, order, view.advocate, view.known, versions, until);
    let admitted = match by_itself {
        Err(Reason::ExistingCustomer) if fact.waived => Ok(()),
        attributed => attributed,
    };
    let admitted = admitted.and_then(|()| fact.noted.map_or(Ok(fact.admission), Err));
    let facets = Facets::new(fact, order, view.known, conversion.at);
    [Role::Advocate, Role::Friend]
        .into_iter()
        .filter_map(|role| {
            let earning = earned_later(&version.terms, role, &facets, admitted)?;
            Some(looked_at.provisional(earning.rule, earning.refusal))
        })
        .collect()
}

/// An order that is looked at.
struct Looked<'a> {
    order: &'a Order,
    conversion: &'a Accepted<Conversion>,
    terms: &'a Program,
    view: &'a View<'a>,
}

impl Looked<'_> {
    fn provisional(&self, rule: &Rule, refusal: Option<Reason>) -> Reward {
        let now = self.view.now;
        let left = remaining(self.order, self.conversion, None);
        let part = Part::from(rule.role);
        let mut reward = Reward {
            part,
            trigger: rule.trigger,
            value: zero(rule.value.earned(0, self.terms.currency)),
            status: Status::Refused,
            reason: refusal,
            since: self.conversion.fact.occurred_at,
            until: None,
            entries: Vec::new(),
            pool: None,
            coupon: None,
        };
        if refusal.is_some() {
            return reward;
        }
        let declined = self.order.review(part).filter(|review| !review.fact.approved);
        if let Some(declined) = declined {
            reward.status = Status::Reversed;
            reward.reason = Some(Reason::Declined);
            reward.since = declined.at.start();
            return reward;
        }
        let excluded = left.excluded.unwrap_or(self.conversion.fact.excluded);
        let base = Base { left, excluded };
        let approved = self.view.approved.and_then(|approved| approved.get(&rule.trigger));
        let number = approved.copied().unwrap_or(0).saturating_add(1);
        match worth(rule, number, base, self.terms) {
            Err(reason) => {
                reward.reason = Some(reason);
                if let Some((_, at)) = left.reversed.filter(|_| reason.is_reversal()) {
                    reward.status = Status::Reversed;
                    reward.since = at;
                }
            }
            Ok(value) => {
                let settling = settling(self.order, self.conversion, self.terms);
                reward.value = value;
                reward.status = Status::Pending;
                let end = settling.at.start();
                let unpaid = self.unpaid(part, &left);
                let waits = unpaid.or_else(|| self.disputed(part, &left));
                if waits.is_some() {
                    reward.status = Status::Review;
                    reward.reason = waits;
                    return reward;
                }
                if now >= end {
                    reward.reason = Some(Reason::Checking);
                    reward.until = Some(end.plus(SETTLE)).filter(|until| *until > now);
                    let is_late = reward.until.is_none();
                    if is_late && mutation::is_on(Mutation::ApprovedWithoutVerdict) {
                        reward.status = Status::Approved;
                        reward.reason = None;
                    }
                } else {
                    let waits =
                        if settling.fixed { Reason::Hold } else { Reason::AwaitingDelivery };
                    reward.reason = Some(waits);
                    reward.until = Some(end);
                }
            }
        }
        reward
    }

    /// Only a browser reported the order, and neither the shop nor the merchant has vouched for it.
    fn unpaid(&self, part: Part, left: &Remaining) -> Option<Reason> {
        let is_vouched_for = left.confirmed.is_some() || self.order.review(part).is_some();
        (self.conversion.fact.browser_only && !is_vouched_for).then_some(Reason::Unpaid)
    }

    /// The order is disputed, and the merchant has not approved the reward since.
    fn disputed(&self, part: Part, left: &Remaining) -> Option<Reason> {
        let since = left.disputed?;
        (!self.order.is_approved_after(part, since)).then_some(Reason::Disputed)
    }

    fn decided(&self, verdict: &Accepted<Verdict>, decided: &Decided) -> Reward {
        let part = decided.part();
        let settled = verdict.at;
        let rule = rule_of(self.terms, decided);
        let mut reward = Reward {
            part,
            trigger: decided.trigger,
            value: decided.value.unwrap_or_else(|| {
                let value = rule.map_or(Value::Points { points: 0 }, |rule| rule.value);
                zero(value.earned(0, self.terms.currency))
            }),
            status: Status::Approved,
            reason: decided.reason,
            since: settled.start(),
            until: None,
            entries: Vec::new(),
            pool: decided.pool,
            coupon: None,
        };
        let review = self.order.review(part);
        let Some(approved) = decided.value else {
            let reversal = decided.reason.is_some_and(Reason::is_reversal);
            reward.status = if reversal { Status::Reversed } else { Status::Refused };
            let left = remaining(self.order, self.conversion, Some(settled));
            if let (true, Some((_, at))) = (reversal, left.reversed) {
                reward.since = at;
            } else if let (Some(Reason::Declined), Some(review)) = (decided.reason, review) {
                reward.since = review.at.start();
            }
            return reward;
        };
        let (order, conversion) = (self.order, self.conversion);
        let takes = Lost { order, conversion, verdict, decided, approved };
        let fulfilments = self.order.fulfilments(part);
        if let Some(paid) = fulfilments.first() {
            reward.status = Status::Fulfilled;
            let coupon = fulfilments.iter().find(|paid| paid.fact.coupon);
            reward.coupon = coupon.map(|paid| paid.fact.sealed.clone());
            reward.value = paid.fact.value;
            reward.since = paid.at.start();
            reward.entries = takes.entries(paid.fact.value);
            self.ends(&mut reward, decided);
            return reward;
        }
        let left = remaining(self.order, self.conversion, None);
        match (decided.review, review) {
            (_, Some(review)) if !review.fact.approved => {
                reward.status = Status::Reversed;
                reward.reason = Some(Reason::Declined);
                reward.since = review.at.start();
                reward.value = zero(approved);
                return reward;
            }
            (Some(waits), review) => {
                // A bonus may wait for an order that it counts: the payment of its own says nothing.
                let is_own = waits == Reason::Unpaid && decided.milestone.is_none();
                let confirmed = left.confirmed.filter(|_| is_own);
                let released = confirmed.into_iter().chain(review.map(|review| review.at)).min();
                if let Some(released) = released {
                    reward.since = released.max(settled).start();
                } else {
                    reward.status = Status::Review;
                    reward.reason = Some(waits);
                }
            }
            (None, _) => {}
        }
        // What was reached by many orders is not held up with one.
        let disputed = self.disputed(part, &left).filter(|_| decided.milestone.is_none());
        if let Some(disputed) = disputed.filter(|_| reward.status == Status::Approved) {
            reward.status = Status::Review;
            reward.reason = Some(disputed);
        }
        let Some(loss) = takes.loss() else { return reward };
        reward.value = loss.value;
        if reward.status != Status::Review || loss.gone {
            reward.reason = Some(loss.reason);
        }
        if loss.gone {
            reward.status = Status::Reversed;
            reward.since = loss.since;
        }
        reward
    }

    /// The end of a reward that was handed over: until when it can be used, or that this is over.
    /// What was taken back as a whole before has none.
    fn ends(&self, reward: &mut Reward, decided: &Decided) {
        let Some(end) = decided.expires.map(|expires| expires.end(reward.since)) else { return };
        let before = reward.entries.iter().filter(|entry| entry.since <= end);
        let taken: Vec<_> = before.map(|entry| entry.value.amount()).collect();
        let is_left = match reward.value.amount() {
            Some(amount) => taken.into_iter().flatten().fold(amount, i64::saturating_add) > 0,
            None => taken.is_empty(),
        };
        if !is_left {
            return;
        }
        if end < self.view.now {
            reward.status = Status::Expired;
            reward.since = end;
        } else {
            reward.until = Some(end);
        }
    }
}

/// The rule a decision was made by, as far as its kind of value goes.
fn rule_of<'t>(terms: &'t Program, decided: &Decided) -> Option<&'t Rule> {
    terms.rewards.iter().find(|rule| {
        rule.role == decided.role
            && rule.trigger == decided.trigger
            && rule.milestone == decided.milestone
    })
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
            Status::Approved | Status::Fulfilled | Status::Expired => self.approved += 1,
            _ => {}
        }
        self.sum(reward);
    }

    /// Adds what a reward, also a bonus, comes to.
    pub fn sum(&mut self, reward: &Reward) {
        if let Some(value) = reward.net() {
            self.add_value(value);
        }
    }

    /// Adds a value to the sum of its kind.
    pub fn add_value(&mut self, value: Value) {
        let same = |sum: &&mut (Value, u32)| match value.amount() {
            Some(_) => zero(sum.0) == zero(value),
            None => sum.0 == value,
        };
        match self.earned.iter_mut().find(same) {
            Some((sum, count)) => {
                let amount = sum.amount().unwrap_or(0).saturating_add(value.amount().unwrap_or(0));
                *sum = sum.with_amount(amount);
                *count += 1;
            }
            None => self.earned.push((value, 1)),
        }
    }
}
