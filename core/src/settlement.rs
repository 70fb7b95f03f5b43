//! Settlement: when an order is decided for good, and what the verdict is.
//!
//! The settlement instant `S` is the end of the hold, and never earlier than one hour after the
//! fact that fixed that hold was accepted. The verdict is a pure function of the facts accepted up
//! to `S`. Whatever is accepted later leads to an `S` at least an hour ahead, so nothing that
//! arrives after `S + SETTLE` can change a verdict or rank before one.

use std::collections::BTreeMap;

use crate::fact::{Accepted, Conversion, Decided, Event, Order, Verdict};
use crate::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use crate::program::{HoldFrom, Program, Versions};
use crate::report::{CLOCK_LEEWAY, EventType};
use crate::reward::{CapPeriod, ConversionKind, Reason, Role, Rule, Trigger, Value, When};
use crate::time::{DAY, HOUR, Minute};

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
    pub reversed: Option<(Reason, crate::time::Instant)>,
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
pub type Known = Vec<(Minute, Identity)>;

/// Why a conversion cannot earn for this advocate, from itself and the terms alone.
pub fn attribute(
    conversion: &Conversion,
    advocate: CustomerPseudonym,
    known: &[(Minute, Identity)],
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
            || known.iter().any(|(since, known)| *since <= until && known == identity)
    };
    if conversion.identities.iter().any(own) {
        return Err(Reason::SelfReferral);
    }
    if let crate::fact::Via::Click { at, .. } = conversion.via {
        let window = i64::from(terms.attribution.window_days) * DAY;
        let age = conversion.occurred_at.seconds() - at.seconds();
        if age > window || age < -CLOCK_LEEWAY {
            return Err(Reason::OutsideWindow);
        }
    }
    if terms.attribution.new_customers_only && conversion.first_order == Some(false) {
        return Err(Reason::ExistingCustomer);
    }
    Ok(())
}

/// The rule by which a role earns from this conversion: the first that fits, unless the shop gives
/// its value at once. `again` says that the friend has converted in this way for this advocate
/// before.
pub fn rule_for(terms: &Program, role: Role, kind: ConversionKind, again: bool) -> Option<&Rule> {
    let fits = |rule: &&Rule| {
        let once = matches!(rule.trigger, Trigger::FirstPurchase | Trigger::Signup);
        rule.trigger.kind() == kind && !(once && again)
    };
    terms.rules(role).find(fits).filter(|rule| rule.when == When::Earned)
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
    /// Whether this claim is good and not wholly reversed, as of `until` or, where it settled
    /// before, as of then: what was used by then stays used. A claim made by a report that does
    /// not count names a friend whom the report that counts may not know.
    fn stands(&self, versions: &Versions, until: Minute) -> bool {
        let standing = match self.reports.iter().min() {
            Some(first) => self.facts.standing(&[*first]),
            None => self.facts.conversion.clone(),
        };
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
    let mut again = false;
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
        again |=
            claim.advocate == advocate && conversion.is_some_and(|other| other.fact.kind == kind);
        let holder = holders.entry(claim.identity).or_insert(claim);
        if (claim.accepted, claim.order) < (holder.accepted, holder.order) {
            *holder = claim;
        }
    }
    let taken = holders.values().any(|holder| holder.advocate != advocate);
    Friendship { taken, again }
}

/// A reward that was approved before, as far as caps are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earned {
    pub settled: Minute,
    pub order: OrderPseudonym,
    pub decided: Decided,
}

/// Everything a verdict depends on.
#[derive(Debug)]
pub struct Case<'a> {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    pub known: &'a [(Minute, Identity)],
    pub facts: &'a Order,
    pub versions: &'a Versions,
    pub reports: &'a [(Minute, Digest)],
    /// The minutes of this order's own claims.
    pub own: &'a [(Identity, Minute)],
    pub claims: &'a [Claim],
    /// What the advocate's orders that settled before this one earned.
    pub earned: &'a [Earned],
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
        attribute(fact, case.advocate, case.known, case.versions, at).and(taken)
    };
    let left = remaining(case.facts, conversion, Some(at));
    let rewards = [Role::Advocate, Role::Friend]
        .into_iter()
        .filter_map(|role| {
            let rule = rule_for(terms, role, fact.kind, friendship.again);
            let named = rule.or_else(|| rule_for(terms, role, fact.kind, false))?;
            let decided = whole
                .and_then(|()| rule.ok_or(Reason::FriendAlreadyReferred))
                .and_then(|rule| earn(rule, left, terms, case, at));
            Some(Decided {
                role,
                trigger: named.trigger,
                value: decided.ok(),
                reason: decided.err(),
            })
        })
        .collect();
    Some((at, Verdict { report: conversion.digest, rewards }))
}

/// What a rule gives for what is left, within its cap.
fn earn(
    rule: &Rule,
    left: Remaining,
    terms: &Program,
    case: &Case<'_>,
    at: Minute,
) -> Result<Value, Reason> {
    let value = worth(rule, left, terms)?;
    let Some(cap) = rule.cap else { return Ok(value) };
    let year = |minute: Minute| minute.start().day().year();
    let used = case.earned.iter().filter(|earned| {
        (earned.settled, earned.order) < (at, case.order)
            && earned.decided.role == rule.role
            && earned.decided.trigger == rule.trigger
            && earned.decided.value.is_some()
            && (cap.per == CapPeriod::Total || year(earned.settled) == year(at))
    });
    let (count, sum) = used.fold((0_u32, 0_i64), |(count, sum), earned| {
        let amount = earned.decided.value.and_then(Value::amount).unwrap_or(0);
        (count.saturating_add(1), sum.saturating_add(amount))
    });
    if cap.count.is_some_and(|most| count >= most) {
        return Err(Reason::CapReached);
    }
    match (cap.amount, value.amount()) {
        (Some(most), _) if sum >= most => Err(Reason::CapReached),
        (Some(most), Some(amount)) => Ok(value.with_amount(amount.min(most - sum))),
        _ => Ok(value),
    }
}

/// What a rule gives for what is left, caps aside.
pub fn worth(rule: &Rule, left: Remaining, terms: &Program) -> Result<Value, Reason> {
    if let Some((reason, _)) = left.reversed {
        return Err(reason);
    }
    if rule.minimum_order.is_some_and(|least| left.amount < least) {
        return Err(Reason::BelowMinimum);
    }
    Ok(rule.value.earned(left.amount, terms.currency))
}
