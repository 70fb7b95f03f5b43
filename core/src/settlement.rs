//! Settlement: when an order is decided for good, and what the verdict is.
//!
//! The settlement instant `S` is the end of the hold, and never earlier than one hour after the
//! fact that fixed that hold was accepted. The verdict is a pure function of the facts accepted up
//! to `S`. Whatever is accepted later leads to an `S` at least an hour ahead, so nothing that
//! arrives after `S + SETTLE` can change a verdict or rank before one.

use crate::fact::{Conversion, Decided, Order, Verdict, Via};
use crate::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use crate::orders::account::Paced;
use crate::orders::claims::{Admission, Standing, Weighed, admit, decided, is_unknown_buyer};
use crate::program::{Program, Versions};
use crate::report::Item;
use crate::reward::{
    CapPeriod, ConversionKind, Delivery, Part, Reason, Role, Rule, Trigger, Value, When,
};
use crate::time::{Instant, Minute};

pub use crate::orders::events::{Remaining, Reported, Settling, remaining, settling};

/// Who an advocate is, and since which minute we know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    pub identities: Vec<(Minute, Identity)>,
    /// What orders named together with the advocate. Such an order can be completed late, under its
    /// own minute.
    pub ties: Vec<(Minute, Identity)>,
    pub segments: Vec<(Minute, String)>,
    /// The advocate has as many orders as are read, or more: up to when they were read.
    pub read_up_to: Option<Minute>,
}

impl Known {
    /// The segment an advocate was in then: by what is known, or was written into the order when it was
    /// erased.
    pub fn segment<'a>(&'a self, facts: &'a Order, at: Minute) -> Option<&'a str> {
        let known = self.segments.iter().map(|(since, segment)| (*since, segment.as_str()));
        let all = known.chain(facts.remembered_segments());
        all.filter(|(since, _)| *since <= at).max().map(|(_, segment)| segment)
    }
}

/// What of a conversion a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facets<'a> {
    pub kind: ConversionKind,
    pub action: Option<&'a str>,
    pub advocate_segment: Option<&'a str>,
    pub friend_segment: Option<&'a str>,
}

impl<'a> Facets<'a> {
    pub fn new(
        conversion: &'a Conversion,
        facts: &'a Order,
        known: &'a Known,
        accepted: Minute,
    ) -> Self {
        Self {
            kind: conversion.kind,
            action: conversion.action.as_deref(),
            advocate_segment: known.segment(facts, accepted),
            friend_segment: conversion.segment.as_deref(),
        }
    }

    fn fit(&self, rule: &Rule) -> bool {
        let segment = match rule.role {
            Role::Advocate => self.advocate_segment,
            Role::Friend => self.friend_segment,
        };
        rule.trigger.kind() == self.kind
            && (rule.action.is_none() || rule.action.as_deref() == self.action)
            && (rule.segment.is_none() || rule.segment.as_deref() == segment)
    }
}

/// The rule by which a role earns from a conversion, and why it earns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earning<'t> {
    pub rule: &'t Rule,
    pub refusal: Option<Reason>,
}

/// Finds the rule by which a role earns, and why it does not earn by it: the one place that says so, for
/// verdicts, for what is shown before them, for the answer to a report and for offers. Of the rules
/// that fit, the first counts; one for first conversions fits only the friend's first. `None` where the
/// terms give this role nothing.
pub fn earning<'t>(
    terms: &'t Program,
    role: Role,
    facets: &Facets<'_>,
    admitted: Result<Admission, Reason>,
) -> Option<Earning<'t>> {
    let fitting = |admission: Admission| {
        let is_once =
            |rule: &Rule| matches!(rule.trigger, Trigger::FirstPurchase | Trigger::Signup);
        let fits = move |rule: &&Rule| {
            facets.fit(rule) && (admission == Admission::First || !is_once(rule))
        };
        terms.rules(role).find(fits)
    };
    let applies = fitting(admitted.unwrap_or(Admission::First));
    if let Some(rule) = applies {
        return Some(Earning { rule, refusal: admitted.err() });
    }
    let refusal = match admitted {
        Err(reason) => reason,
        Ok(Admission::Old) => Reason::ExistingCustomer,
        Ok(Admission::First | Admission::Again) => Reason::FriendAlreadyReferred,
    };
    Some(Earning { rule: fitting(Admission::First)?, refusal: Some(refusal) })
}

/// The same, for what is earned like the advocate's reward. What the shop takes off the order at once
/// is none of it.
pub fn earned_later<'t>(
    terms: &'t Program,
    role: Role,
    facets: &Facets<'_>,
    admitted: Result<Admission, Reason>,
) -> Option<Earning<'t>> {
    earning(terms, role, facets, admitted).filter(|earning| earning.rule.when == When::Earned)
}

/// A reward that was decided before, as far as caps, tiers and milestones are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    pub settled: Minute,
    pub order: OrderPseudonym,
    pub decided: Decided,
    /// The action its order reported.
    pub action: Option<String>,
    /// Why it still waited for the merchant at the instant of the order that is decided now.
    pub waits: Option<Reason>,
}

impl Earned {
    /// What a decided order earned, for an order that is decided at that minute.
    pub fn of(order: OrderPseudonym, facts: &Order, at: Minute) -> Vec<Self> {
        let Some(verdict) = &facts.verdict else { return Vec::new() };
        let report = facts.report(verdict.fact.report);
        // By the verdict and the merchant's word alone: an event may be on its way into the ledger.
        let one = |decided: &Decided| {
            let part = decided.part();
            let reviewed = facts.review(part).filter(|review| review.at <= at);
            let waits = match reviewed.map(|review| review.fact.approved) {
                None => decided.review,
                Some(true) => None,
                // It keeps its number, and the merchant says what that is worth.
                Some(false) => decided.review.or(Some(Reason::NotApprovedYet)),
            };
            let is_in_dispute =
                verdict.fact.disputed && !facts.is_approved_between(part, (verdict.at, at));
            let dispute = is_in_dispute.then_some(Reason::Disputed);
            Self {
                settled: verdict.at,
                order,
                decided: *decided,
                action: report.and_then(|report| report.fact.action.clone()),
                waits: waits.or(dispute),
            }
        };
        verdict.fact.rewards.iter().map(one).collect()
    }
}

/// Another order of the same advocate, as far as the pace of orders is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    pub order: OrderPseudonym,
    /// When it was recorded.
    pub accepted: Minute,
    pub kind: ConversionKind,
    pub occurred_at: Instant,
    pub via: Via,
}

/// Everything a verdict depends on.
#[derive(Debug)]
pub struct Case<'a> {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    pub known: &'a Known,
    pub facts: &'a Order,
    /// What was ordered, as far as the shop said.
    pub items: &'a [Item],
    pub versions: &'a Versions,
    pub reports: &'a [(Minute, Digest)],
    /// What the claims on the friend and the purchases of the person say.
    pub standing: &'a Standing,
    /// What the advocate's orders that settled before this one earned.
    pub earned: &'a [Earned],
    /// The advocate's other orders, where their pace counts.
    pub pace: &'a [Pace],
    /// The advocate has more orders than a verdict ranks ([`crate::orders::account::is_crowded`]). None
    /// of them counts then, for caps, tiers, milestones or pace, and the merchant looks at this one.
    pub crowded: bool,
}

/// Decides an order: `S` and the verdict. Nothing where there is no conversion.
pub fn settle(case: &Case<'_>) -> Option<(Minute, Verdict)> {
    let conversion = case.facts.conversion.as_ref()?;
    let fact = &conversion.fact;
    let version = case.versions.at(fact.occurred_at).or_else(|| case.versions.first())?;
    let terms = &version.terms;
    let at = settling(case.facts, conversion, terms).at;
    let weighed = Weighed {
        order: case.order,
        advocate: case.advocate,
        conversion,
        facts: case.facts,
        known: case.known,
        versions: case.versions,
        settled: at,
    };
    let admitted = admit(&weighed, case.reports, case.standing);
    let excluded = terms.excluded.amount(case.items);
    let left = remaining(case.facts, conversion, Some(at));
    let bench = Bench {
        case,
        terms,
        at,
        base: Base { left, excluded },
        facets: Facets::new(fact, case.facts, case.known, conversion.at),
        review: suspicion(case, &weighed, terms, &left),
    };
    let mut rewards: Vec<Decided> = Vec::new();
    for role in [Role::Advocate, Role::Friend] {
        let Some(earning) = earned_later(terms, role, &bench.facets, admitted) else { continue };
        let named = earning.rule;
        let value = earning.refusal.map_or_else(|| bench.earn(named), Err);
        let decided = bench.decided(named, value, bench.review);
        let reached = bench.milestone(&decided, named.trigger);
        rewards.push(decided);
        rewards.extend(reached);
    }
    let admitted = decided(&weighed, admitted, case.standing);
    let advocates = Part::from(Role::Advocate);
    let is_open = |since| !case.facts.is_approved_between(advocates, (since, at));
    let disputed = left.disputed.is_some_and(is_open);
    Some((at, Verdict { report: conversion.digest, admitted, rewards, excluded, disputed }))
}

/// Why the merchant is to look at this order's rewards first.
fn suspicion(
    case: &Case<'_>,
    weighed: &Weighed<'_>,
    terms: &Program,
    left: &Remaining,
) -> Option<Reason> {
    let conversion = weighed.conversion;
    let fact = &conversion.fact;
    if case.standing.crowded || case.crowded {
        return Some(Reason::Velocity);
    }
    // The merchant looked at it when approving it, for the advocate. Whether it is paid is another
    // question.
    if fact.via == Via::Hand {
        let is_unpaid = fact.browser_only && left.confirmed.is_none();
        return is_unpaid.then_some(Reason::Unpaid);
    }
    let paced = Paced { order: case.order, conversion, limits: terms.review };
    if let Some(reason) = paced.suspicion(case.pace) {
        return Some(reason);
    }
    // Before `unpaid`, which a payment alone lifts.
    if is_unknown_buyer(weighed, case.standing) {
        return Some(Reason::ExistingCustomer);
    }
    (fact.browser_only && left.confirmed.is_none()).then_some(Reason::Unpaid)
}

/// One order on the bench: what its rewards are decided by.
struct Bench<'a> {
    case: &'a Case<'a>,
    terms: &'a Program,
    at: Minute,
    base: Base,
    facets: Facets<'a>,
    review: Option<Reason>,
}

impl Bench<'_> {
    /// What was decided before, in the order in which places are given.
    fn before(&self) -> impl Iterator<Item = &Earned> {
        let place = (self.at, self.case.order);
        let ranked = if self.case.crowded { &[] } else { self.case.earned };
        ranked.iter().filter(move |earned| {
            (earned.settled, earned.order) < place && earned.decided.value.is_some()
        })
    }

    /// The referrals of the advocate that have a number.
    fn numbered(&self, trigger: Trigger) -> impl Iterator<Item = &Earned> {
        self.before().filter(move |earned| {
            earned.decided.part() == Part::from(Role::Advocate) && earned.decided.trigger == trigger
        })
    }

    /// The number of the referral this one is for the advocate, if it is approved.
    fn number(&self, trigger: Trigger) -> u32 {
        u32::try_from(self.numbered(trigger).count()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// What the merchant decided in time.
    fn reviewed(&self, part: Part) -> Option<bool> {
        let review = self.case.facts.review(part).filter(|review| review.at <= self.at);
        review.map(|review| review.fact.approved)
    }

    /// What a rule gives for what is left, within its cap and the ceiling.
    fn earn(&self, rule: &Rule) -> Result<Value, Reason> {
        if self.reviewed(rule.role.into()) == Some(false) {
            return Err(Reason::Declined);
        }
        let value = worth(rule, self.number(rule.trigger), self.base, self.terms)?;
        let value = self.within_cap(rule, value)?;
        self.within_ceiling(rule, value, 0)
    }

    fn within_cap(&self, rule: &Rule, value: Value) -> Result<Value, Reason> {
        let Some(cap) = rule.cap else { return Ok(value) };
        let used = self.before().filter(|earned| {
            earned.decided.part() == Part::from(rule.role)
                && earned.decided.trigger == rule.trigger
                && (rule.action.is_none() || earned.action == rule.action)
                && (cap.per == CapPeriod::Total || year(earned.settled) == year(self.at))
        });
        let (count, sum) = used.fold((0_u32, 0_i64), |(count, sum), earned| {
            let amount = earned.decided.value.and_then(Value::amount).unwrap_or(0);
            (count.saturating_add(1), sum.saturating_add(amount))
        });
        if cap.count.is_some_and(|most| count >= most) {
            return Err(Reason::CapReached);
        }
        limit(rule, value, value.amount(), cap.amount, sum)
    }

    /// What an advocate earns in a year in money is limited, whatever it is earned by. `own` is what
    /// this order gave already.
    fn within_ceiling(&self, rule: &Rule, value: Value, own: i64) -> Result<Value, Reason> {
        if rule.role == Role::Friend {
            return Ok(value);
        }
        let this_year = |earned: &&Earned| {
            earned.decided.role == Role::Advocate && year(earned.settled) == year(self.at)
        };
        let money = |earned: &Earned| earned.decided.value.and_then(Value::money);
        let sum = self.before().filter(this_year).filter_map(money).fold(own, i64::saturating_add);
        limit(rule, value, value.money(), self.terms.yearly_ceiling, sum)
    }

    fn decided(
        &self,
        rule: &Rule,
        value: Result<Value, Reason>,
        review: Option<Reason>,
    ) -> Decided {
        let part = Part { role: rule.role, milestone: rule.milestone };
        let waits = review.filter(|_| value.is_ok() && self.reviewed(part).is_none());
        let number = self.number(rule.trigger);
        let value_of_rule = rule.value_at(number);
        Decided {
            milestone: rule.milestone,
            review: waits,
            rate: value_of_rule.rate().filter(|_| value.is_ok()),
            expires: rule.end().filter(|_| value.is_ok()),
            pool: rule.pool.filter(|_| value.is_ok() && rule.delivery == Delivery::Coupon),
            ..Decided::plain(rule.role, rule.trigger, value)
        }
    }

    /// The bonus that this referral reaches, once in an advocate's life.
    fn milestone(&self, decided: &Decided, trigger: Trigger) -> Option<Decided> {
        let approved = decided.value.filter(|_| decided.role == Role::Advocate)?;
        // Which referral it is, nobody has counted.
        if self.case.crowded {
            return None;
        }
        let number = self.number(trigger);
        let reached = |rule: &&Rule| {
            rule.milestone == Some(number) && rule.trigger == trigger && self.facets.fit(rule)
        };
        let rule = self.terms.milestones().find(reached)?;
        let paid = |earned: &Earned| {
            earned.decided.milestone == Some(number) && earned.decided.trigger == trigger
        };
        if self.before().any(paid) {
            return None;
        }
        let value = self.within_ceiling(rule, rule.value, approved.money().unwrap_or(0));
        // Nothing of a bonus is taken back with an order: it waits where its own is disputed, or one that
        // it counts waits.
        let disputed = self.base.left.disputed.map(|_| Reason::Disputed);
        let waiting = self.numbered(trigger).filter(|earned| earned.waits.is_some());
        let first = waiting.min_by_key(|earned| (earned.settled, earned.order));
        let review = self.review.or(disputed).or(first.and_then(|earned| earned.waits));
        Some(self.decided(rule, value, review))
    }
}

fn year(minute: Minute) -> i16 {
    minute.start().day().year()
}

/// As much of a value as fits under a limit of which `sum` is used.
fn limit(
    rule: &Rule,
    value: Value,
    amount: Option<i64>,
    most: Option<i64>,
    sum: i64,
) -> Result<Value, Reason> {
    let (Some(most), Some(amount)) = (most, amount) else { return Ok(value) };
    let left = most.saturating_sub(sum);
    if amount <= left && left > 0 {
        return Ok(value);
    }
    // A gift or a coupon is given whole or not at all.
    let is_whole = value.amount().is_none() || rule.delivery == Delivery::Coupon;
    if left <= 0 || is_whole { Err(Reason::CapReached) } else { Ok(value.with_amount(left)) }
}

/// What rewards of an order are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    pub left: Remaining,
    /// What of the amount earns nothing, in minor units. A refund counts against the rest first: a
    /// reward on excluded goods would be unlawful.
    pub excluded: i64,
}

impl Base {
    pub fn amount(&self) -> i64 {
        self.left.amount.saturating_sub(self.excluded).max(0)
    }
}

/// What a rule gives the advocate's so many-th referral for what is left, caps aside.
pub fn worth(rule: &Rule, number: u32, base: Base, terms: &Program) -> Result<Value, Reason> {
    if let Some((reason, _)) = base.left.reversed {
        return Err(reason);
    }
    if base.excluded > 0 && base.amount() == 0 {
        return Err(Reason::ExcludedItem);
    }
    if rule.minimum_order.is_some_and(|least| base.amount() < least) {
        return Err(Reason::BelowMinimum);
    }
    Ok(rule.value_at(number).earned(base.amount(), terms.currency))
}
