//! Settlement: when an order is decided for good, and what the verdict is.
//!
//! The settlement instant `S` is the end of the hold, and never earlier than one hour after the
//! fact that fixed that hold was accepted. The verdict is a pure function of the facts accepted up
//! to `S`. Whatever is accepted later leads to an `S` at least an hour ahead, so nothing that
//! arrives after `S + SETTLE` can change a verdict or rank before one.

use std::collections::BTreeMap;

use crate::fact::{Accepted, Conversion, Decided, Event, Order, Verdict, Via};
use crate::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use crate::orders::account::Paced;
use crate::program::{HoldFrom, Program, Versions};
use crate::report::{CLOCK_LEEWAY, EventType, Item};
use crate::reward::{
    CapPeriod, ConversionKind, Delivery, Part, Reason, Role, Rule, Trigger, Value, When,
};
use crate::time::{DAY, HOUR, Instant, Minute};

/// When an order settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// `S`: facts accepted in this minute still count.
    pub at: Minute,
    /// Whether the hold runs from a reported delivery (or needs none).
    pub fixed: bool,
}

/// When an event counts as accepted: one that came before its order, together with it.
fn counted<T>(event: &Accepted<T>, conversion: &Accepted<Conversion>) -> Minute {
    event.at.max(conversion.at)
}

/// The settlement instant as far as these facts say.
pub fn settling(order: &Order, conversion: &Accepted<Conversion>, terms: &Program) -> Settling {
    let occurred = conversion.fact.occurred_at;
    let hold = terms.hold;
    let earliest = conversion.at.plus(HOUR);
    let waits_for_delivery =
        hold.from == HoldFrom::Delivered && conversion.fact.kind == ConversionKind::Purchase;
    if !waits_for_delivery {
        let at = occurred.plus_days(hold.days).minute_up().max(earliest);
        return Settling { at, fixed: true };
    }
    let mut settling = Settling {
        at: occurred.plus_days(hold.fallback_days).minute_up().max(earliest),
        fixed: false,
    };
    // A split delivery is complete with its last part.
    let mut delivered = None;
    for event in order.events() {
        let (EventType::Delivered, Event { occurred_at, .. }) = &event.fact else { continue };
        let accepted = counted(event, conversion);
        if accepted <= settling.at {
            let last = delivered.map_or(*occurred_at, |last| (*occurred_at).max(last));
            delivered = Some(last);
            let end = last.plus_days(hold.days).minute_up();
            settling = Settling { at: end.max(accepted.plus(HOUR)), fixed: true };
        }
    }
    settling
}

/// What is left of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    pub amount: i64,
    /// Why, and by which fact, nothing is left.
    pub reversed: Option<(Reason, Instant)>,
}

/// What is left after the events accepted up to `until`, or after all.
pub fn remaining(
    order: &Order,
    conversion: &Accepted<Conversion>,
    until: Option<Minute>,
) -> Remaining {
    let whole = conversion.fact.amount.unwrap_or(0);
    let mut left = Remaining { amount: whole, reversed: None };
    for event in order.events() {
        if until.is_some_and(|until| counted(event, conversion) > until) {
            continue;
        }
        left = after(left, whole, &event.fact);
    }
    left
}

/// One more event.
pub fn after(left: Remaining, whole: i64, (kind, event): &(EventType, Event)) -> Remaining {
    let reason = match kind {
        EventType::Delivered => return left,
        EventType::Refunded => Reason::Refunded,
        EventType::Withdrawn => Reason::Withdrawn,
        EventType::Cancelled => Reason::Cancelled,
        EventType::Chargeback => Reason::Chargeback,
    };
    let amount = match kind {
        EventType::Refunded => left.amount.saturating_sub(event.amount.unwrap_or(0).max(0)).max(0),
        _ => 0,
    };
    let gone = *kind != EventType::Refunded || (amount == 0 && whole > 0);
    Remaining { amount, reversed: left.reversed.or(gone.then_some((reason, event.occurred_at))) }
}

/// Who an advocate is, and since which minute we know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    pub identities: Vec<(Minute, Identity)>,
    pub segments: Vec<(Minute, String)>,
}

impl Known {
    /// The segment an advocate was in then.
    pub fn segment(&self, at: Minute) -> Option<&str> {
        let before = self.segments.iter().filter(|(since, _)| *since <= at);
        before.max().map(|(_, segment)| segment.as_str())
    }
}

/// Why a conversion cannot earn for this advocate, from itself and the terms alone.
pub fn attribute(
    conversion: &Conversion,
    advocate: CustomerPseudonym,
    known: &Known,
    versions: &Versions,
    until: Minute,
) -> Result<(), Reason> {
    let Some(version) = versions.at(conversion.occurred_at) else {
        return Err(Reason::BeforeProgram);
    };
    let terms = &version.terms;
    if terms.paused {
        return Err(Reason::ProgramPaused);
    }
    if conversion.currency.is_some_and(|currency| currency != terms.currency) {
        return Err(Reason::CurrencyMismatch);
    }
    let own = |identity: &Identity| {
        *identity == Identity::Customer(advocate)
            || known.identities.iter().any(|(since, own)| *since <= until && own == identity)
    };
    if conversion.identities.iter().any(own) {
        return Err(Reason::SelfReferral);
    }
    if let Via::Click { at, .. } = conversion.via {
        let window = i64::from(terms.attribution.window_days) * DAY;
        let age = conversion.occurred_at.seconds() - at.seconds();
        if age > window || age < -CLOCK_LEEWAY {
            return Err(Reason::OutsideWindow);
        }
    }
    // Who is bound was new when the advocate brought them.
    let is_old = conversion.first_order == Some(false) && conversion.via != Via::Bound;
    if terms.attribution.new_customers_only && is_old {
        return Err(Reason::ExistingCustomer);
    }
    Ok(())
}

/// Whose friend an order without proof belongs to: whoever brought the friend by an order that had
/// one, within the days that the terms bind. Of several the earliest accepted that is not wholly
/// reversed; where all are, the earliest: who cancels and orders again stays a friend. `claims` are
/// those accepted before the order, which was accepted at `at`.
pub fn bound_to(
    conversion: &Conversion,
    claims: &[Claim],
    versions: &Versions,
    at: Minute,
) -> Option<CustomerPseudonym> {
    let days = versions.at(conversion.occurred_at)?.terms.attribution.bound_days;
    let proves = |claim: &&Claim| {
        let Some(other) = claim.standing() else { return false };
        let fact = &other.fact;
        let age = conversion.occurred_at.seconds() - fact.occurred_at.seconds();
        !fact.via.is_joined()
            && age <= i64::from(days) * DAY
            && fact.identities.contains(&claim.identity)
            && attribute(fact, claim.advocate, &claim.known, versions, at).is_ok()
    };
    let rank = |claim: &&Claim| (!claim.stands(versions, at), claim.accepted, claim.order);
    let claims = claims.iter().filter(proves);
    claims.min_by_key(rank).map(|claim| claim.advocate).filter(|_| days > 0)
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
    pub fn new(conversion: &'a Conversion, known: &'a Known, accepted: Minute) -> Self {
        Self {
            kind: conversion.kind,
            action: conversion.action.as_deref(),
            advocate_segment: known.segment(accepted),
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

/// The rule for a role that this conversion falls under: the first that fits. `again` says that the
/// friend has converted in this way for this advocate before.
pub fn rule_of<'t>(
    terms: &'t Program,
    role: Role,
    facets: &Facets<'_>,
    again: bool,
) -> Option<&'t Rule> {
    let fits = |rule: &&Rule| {
        let once = matches!(rule.trigger, Trigger::FirstPurchase | Trigger::Signup);
        facets.fit(rule) && !(once && again)
    };
    terms.rules(role).find(fits)
}

/// The rule by which a role earns from this conversion, unless the shop gives its value at once.
pub fn rule_for<'t>(
    terms: &'t Program,
    role: Role,
    facets: &Facets<'_>,
    again: bool,
) -> Option<&'t Rule> {
    rule_of(terms, role, facets, again).filter(|rule| rule.when == When::Earned)
}

/// Another order that claims the same friend, with what its own ledger says.
#[derive(Debug, Clone)]
pub struct Claim {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    /// The identity under which it was found, and the minute in that key.
    pub identity: Identity,
    pub accepted: Minute,
    pub digest: Digest,
    /// Its advocate's ledger of that order.
    pub facts: Order,
    /// Who its advocate is.
    pub known: Known,
    /// Every report of that order: accepted minute and digest.
    pub reports: Vec<(Minute, Digest)>,
}

impl Claim {
    /// The report of its order that counts.
    fn standing(&self) -> Option<Accepted<Conversion>> {
        match self.reports.iter().min() {
            Some(first) => self.facts.standing(&[*first]),
            None => self.facts.conversion.clone(),
        }
    }

    /// Whether this claim is good and not wholly reversed, as of `until` or, where it settled
    /// before, as of then: what was used by then stays used. A claim made by a report that does
    /// not count names a friend whom the report that counts may not know.
    fn stands(&self, versions: &Versions, until: Minute) -> bool {
        let standing = self.standing();
        let Some(conversion) = standing.as_ref() else { return false };
        let Some(version) = versions.at(conversion.fact.occurred_at) else { return false };
        let until = until.min(settling(&self.facts, conversion, &version.terms).at);
        conversion.fact.identities.contains(&self.identity)
            && attribute(&conversion.fact, self.advocate, &self.known, versions, until).is_ok()
            && remaining(&self.facts, conversion, Some(until)).reversed.is_none()
    }
}

/// Whether another report of the same order was accepted earlier.
fn is_conflicting(reports: &[(Minute, Digest)], digest: Digest) -> bool {
    reports.iter().min().is_some_and(|(_, first)| *first != digest)
}

/// What other claims mean for this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Friendship {
    /// Another advocate's claim holds the friend.
    pub taken: bool,
    /// The friend converted in the same way for this advocate before.
    pub again: bool,
    /// The friend converted in any way for this advocate before: so the friend is no old customer.
    pub held: bool,
}

impl Friendship {
    /// Who was new when the advocate brought them is not refused as an existing customer later.
    pub fn waive(self, refusal: Result<(), Reason>) -> Result<(), Reason> {
        if self.held && refusal == Err(Reason::ExistingCustomer) { Ok(()) } else { refusal }
    }
}

/// Ranks the claims on one friend, as of `until`: under each identity, the earliest accepted one
/// that stands holds. `own` gives, for each identity, the
/// minutes of this order's own claims.
pub fn friendship(
    (order, advocate, kind): (OrderPseudonym, CustomerPseudonym, ConversionKind),
    own: &[(Identity, Minute)],
    claims: &[Claim],
    versions: &Versions,
    until: Minute,
) -> Friendship {
    let (mut again, mut held) = (false, false);
    let mut holders: BTreeMap<Identity, &Claim> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.order != order) {
        // A repeat, with its later minute, counts for nothing.
        let mine = own.iter().filter(|(identity, _)| *identity == claim.identity);
        let mine = mine.map(|(_, at)| *at).min();
        let earlier = mine.is_none_or(|at| (claim.accepted, claim.order) < (at, order));
        if !earlier || !claim.stands(versions, until) {
            continue;
        }
        let conversion = claim.facts.conversion.as_ref();
        held |= claim.advocate == advocate;
        again |=
            claim.advocate == advocate && conversion.is_some_and(|other| other.fact.kind == kind);
        let holder = holders.entry(claim.identity).or_insert(claim);
        if (claim.accepted, claim.order) < (holder.accepted, holder.order) {
            *holder = claim;
        }
    }
    let taken = holders.values().any(|holder| holder.advocate != advocate);
    Friendship { taken, again, held }
}

/// A reward that was decided before, as far as caps, tiers and milestones are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    pub settled: Minute,
    pub order: OrderPseudonym,
    pub decided: Decided,
    /// The action its order reported.
    pub action: Option<String>,
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
    /// The minutes of this order's own claims.
    pub own: &'a [(Identity, Minute)],
    pub claims: &'a [Claim],
    /// What the advocate's orders that settled before this one earned.
    pub earned: &'a [Earned],
    /// The advocate's other orders, where their pace counts.
    pub pace: &'a [Pace],
}

/// Decides an order: `S` and the verdict. Nothing where there is no conversion.
pub fn settle(case: &Case<'_>) -> Option<(Minute, Verdict)> {
    let conversion = case.facts.conversion.as_ref()?;
    let fact = &conversion.fact;
    let version = case.versions.at(fact.occurred_at).or_else(|| case.versions.first())?;
    let terms = &version.terms;
    let at = settling(case.facts, conversion, terms).at;
    let friendship = friendship(
        (case.order, case.advocate, fact.kind),
        case.own,
        case.claims,
        case.versions,
        at,
    );
    let whole = if is_conflicting(case.reports, conversion.digest) {
        Err(Reason::ConflictingReport)
    } else {
        let taken = if friendship.taken { Err(Reason::FriendAlreadyReferred) } else { Ok(()) };
        let own = attribute(fact, case.advocate, case.known, case.versions, at);
        friendship.waive(own).and(taken)
    };
    let excluded = terms.excluded.amount(case.items);
    let bench = Bench {
        case,
        terms,
        at,
        base: Base { left: remaining(case.facts, conversion, Some(at)), excluded },
        facets: Facets::new(fact, case.known, conversion.at),
        review: suspicion(case, conversion, terms),
    };
    let mut rewards: Vec<Decided> = Vec::new();
    for role in [Role::Advocate, Role::Friend] {
        let rule = rule_for(terms, role, &bench.facets, friendship.again);
        let named = rule.or_else(|| rule_for(terms, role, &bench.facets, false));
        let Some(named) = named else { continue };
        let value = whole
            .and_then(|()| rule.ok_or(Reason::FriendAlreadyReferred))
            .and_then(|rule| bench.earn(rule));
        let decided = bench.decided(named, value);
        let reached = bench.milestone(&decided, named.trigger);
        rewards.push(decided);
        rewards.extend(reached);
    }
    Some((at, Verdict { report: conversion.digest, rewards, excluded }))
}

/// Why the merchant is to look at this order's rewards first.
fn suspicion(
    case: &Case<'_>,
    conversion: &Accepted<Conversion>,
    terms: &Program,
) -> Option<Reason> {
    let fact = &conversion.fact;
    if fact.via == Via::Hand {
        return Some(Reason::ClaimedByHand);
    }
    Paced { order: case.order, conversion, limits: terms.review }.suspicion(case.pace)
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
        self.case.earned.iter().filter(move |earned| {
            (earned.settled, earned.order) < place && earned.decided.value.is_some()
        })
    }

    /// The number of the referral this one is for the advocate, if it is approved.
    fn number(&self, trigger: Trigger) -> u32 {
        let counts = |earned: &&Earned| {
            earned.decided.part() == Part::from(Role::Advocate) && earned.decided.trigger == trigger
        };
        u32::try_from(self.before().filter(counts).count()).unwrap_or(u32::MAX).saturating_add(1)
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

    fn decided(&self, rule: &Rule, value: Result<Value, Reason>) -> Decided {
        let part = Part { role: rule.role, milestone: rule.milestone };
        let waits = self.review.filter(|_| value.is_ok() && self.reviewed(part).is_none());
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
        Some(self.decided(rule, value))
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
