//! What one order weighs: which rule fits, and what is left of its value under caps and ceilings.

use std::collections::BTreeMap;

use passalong_core::fact::Decided;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::program::Program;
use passalong_core::reward::{Reason, Role, Rule, Trigger, Value};
use passalong_core::time::Minute;

use super::{Copied, Oracle, Report, Settled};

/// One order while it is weighed.
pub(super) struct Scales<'a> {
    pub(super) oracle: &'a Oracle,
    pub(super) terms: &'a Program,
    pub(super) report: &'a Report,
    pub(super) advocate: CustomerPseudonym,
    pub(super) settles: Minute,
    pub(super) before: &'a BTreeMap<OrderPseudonym, Settled>,
    pub(super) suspicion: Option<Reason>,
}

impl Scales<'_> {
    pub(super) fn fits(&self, rule: &Rule, earner: Role) -> bool {
        rule.role == earner
            && rule.milestone.is_none()
            && rule.trigger.kind() == self.report.kind
            && (rule.action.is_none() || rule.action == self.report.action)
            && self.is_for(rule)
    }

    /// Whether a rule is for the segment of whoever earns.
    pub(super) fn is_for(&self, rule: &Rule) -> bool {
        let Some(wanted) = &rule.segment else { return true };
        if rule.role == Role::Friend {
            return self.report.segment.as_ref() == Some(wanted);
        }
        let known = self.oracle.segments.get(&self.advocate).into_iter().flatten();
        let then = known.filter(|kept| kept.since <= self.report.accepted);
        let then = then.filter(|kept| {
            let copy = Copied::Segment(kept.what.clone());
            self.oracle.counts(kept, (self.report, self.advocate), copy)
        });
        let then = then.max_by_key(|kept| (kept.since, kept.what.clone()));
        then.is_some_and(|kept| kept.what == *wanted)
    }

    pub(super) fn reviewed(&self, role: Role) -> Option<bool> {
        let (at, _, approved) =
            self.oracle.reviews.get(&(self.report.order, self.advocate, role))?;
        (*at <= self.settles).then_some(*approved)
    }

    /// What was given before: the action, when, and what.
    fn given(&self) -> impl Iterator<Item = (Option<&String>, Minute, &Decided)> {
        self.before.iter().flat_map(|(order, (at, verdict))| {
            let report = self.oracle.own(*order, self.advocate);
            let action = report.and_then(|report| report.action.as_ref());
            let given = verdict.rewards.iter().filter(|one| one.value.is_some());
            given.map(move |one| (action, *at, one))
        })
    }

    pub(super) fn number(&self, trigger: Trigger) -> u32 {
        let plain = self.given().filter(|(_, _, one)| {
            one.role == Role::Advocate && one.milestone.is_none() && one.trigger == trigger
        });
        u32::try_from(plain.count()).unwrap() + 1
    }

    /// Why a bonus waits: its own order, or one that it counts, waits for the merchant.
    pub(super) fn bonus_waits(&self, trigger: Trigger) -> Option<Reason> {
        let counted = self.before.iter().filter_map(|(order, (at, verdict))| {
            let is_one = |one: &&Decided| {
                one.role == Role::Advocate && one.milestone.is_none() && one.trigger == trigger
            };
            let one = verdict.rewards.iter().filter(is_one).find(|one| one.value.is_some())?;
            let slot = (*order, self.advocate, Role::Advocate);
            let review = self.oracle.reviews.get(&slot);
            let reviewed = review.filter(|(at, ..)| *at <= self.settles);
            let waits = match reviewed {
                Some((.., true)) => None,
                Some((.., false)) => one.review.or(Some(Reason::NotApprovedYet)),
                None => one.review,
            };
            let is_over = self.last_approval(slot, self.settles).is_some_and(|last| last > *at);
            let disputed = (verdict.disputed && !is_over).then_some(Reason::Disputed);
            Some(((*at, *order), waits.or(disputed)?))
        });
        let counted = counted.min_by_key(|(place, _)| *place).map(|(_, why)| why);
        let own = self.oracle.left(self.report, self.settles).disputed;
        self.suspicion.or(own.map(|_| Reason::Disputed)).or(counted)
    }

    /// When the merchant approved a reward last, by then.
    fn last_approval(
        &self,
        slot: (OrderPseudonym, CustomerPseudonym, Role),
        by: Minute,
    ) -> Option<Minute> {
        self.oracle.approvals.get(&slot)?.range(..=by).next_back().copied()
    }

    /// Whether the order is in dispute, and nobody approved the advocate's reward since.
    pub(super) fn is_disputed(&self) -> bool {
        let slot = (self.report.order, self.advocate, Role::Advocate);
        let last = self.last_approval(slot, self.settles);
        let disputed = self.oracle.left(self.report, self.settles).disputed;
        disputed.is_some_and(|since| last.is_none_or(|last| last <= since))
    }

    /// The value of a rule for this referral.
    fn of_tier(&self, rule: &Rule) -> Value {
        let number = self.number(rule.trigger);
        let tiers = rule.tiers.iter().filter(|tier| number >= tier.from);
        tiers.max_by_key(|tier| tier.from).map_or(rule.value, |tier| tier.value)
    }

    pub(super) fn value(&self, rule: &Rule, left: i64, excluded: i64) -> Result<Value, Reason> {
        let amount = (left - excluded).max(0);
        if excluded > 0 && amount == 0 {
            return Err(Reason::ExcludedItem);
        }
        if rule.minimum_order.is_some_and(|least| amount < least) {
            return Err(Reason::BelowMinimum);
        }
        let value = match self.of_tier(rule) {
            Value::PercentOfOrder { basis_points } => {
                let amount = (amount * i64::from(basis_points.0) + 5_000) / 10_000;
                Value::Credit { amount, currency: self.terms.currency }
            }
            fixed => fixed,
        };
        let value = self.under_cap(rule, value)?;
        self.under_ceiling(rule, value, 0)
    }

    fn under_cap(&self, rule: &Rule, value: Value) -> Result<Value, Reason> {
        let Some(cap) = rule.cap else { return Ok(value) };
        let total = cap.per == passalong_core::reward::CapPeriod::Total;
        let spent: Vec<i64> = self
            .given()
            .filter(|(action, _, one)| {
                one.role == rule.role
                    && one.trigger == rule.trigger
                    && one.milestone.is_none()
                    && (rule.action.is_none() || *action == rule.action.as_ref())
            })
            .filter(|(_, at, _)| total || year(*at) == year(self.settles))
            .map(|(_, _, one)| one.value.and_then(Value::amount).unwrap_or(0))
            .collect();
        if cap.count.is_some_and(|most| spent.len() >= most as usize) {
            return Err(Reason::CapReached);
        }
        let sum: i64 = spent.iter().sum();
        match (cap.amount, value.amount()) {
            (Some(most), _) if sum >= most => Err(Reason::CapReached),
            // A coupon is given whole.
            (Some(most), Some(amount)) if rule.pool.is_some() && amount > most - sum => {
                Err(Reason::CapReached)
            }
            (Some(most), Some(amount)) => Ok(value.with_amount(amount.min(most - sum))),
            _ => Ok(value),
        }
    }

    pub(super) fn under_ceiling(
        &self,
        rule: &Rule,
        value: Value,
        own: i64,
    ) -> Result<Value, Reason> {
        let (Some(most), Some(money)) = (self.terms.yearly_ceiling, value.money()) else {
            return Ok(value);
        };
        if rule.role == Role::Friend {
            return Ok(value);
        }
        let this_year = self
            .given()
            .filter(|(_, at, one)| one.role == Role::Advocate && year(*at) == year(self.settles));
        let spent: i64 = this_year.filter_map(|(_, _, one)| one.value?.money()).sum();
        let left = most - spent - own;
        let can_be_cut =
            value.amount().is_some() && rule.delivery != passalong_core::reward::Delivery::Coupon;
        match left {
            _ if left <= 0 => Err(Reason::CapReached),
            _ if money <= left => Ok(value),
            _ if can_be_cut => Ok(value.with_amount(left)),
            _ => Err(Reason::CapReached),
        }
    }

    pub(super) fn decided(
        &self,
        rule: &Rule,
        decided: Result<Value, Reason>,
        waits: Option<Reason>,
    ) -> Decided {
        let good = decided.is_ok();
        let decision = rule.milestone.map_or_else(|| self.reviewed(rule.role), |_| None);
        let is_share = |value| match value {
            Value::PercentOfOrder { basis_points } => Some(basis_points),
            _ => None,
        };
        Decided {
            milestone: rule.milestone,
            review: waits.filter(|_| good && decision.is_none()),
            rate: is_share(self.of_tier(rule)).filter(|_| good),
            expires: rule.end().filter(|_| good),
            pool: rule.pool.filter(|_| good),
            ..Decided::plain(rule.role, rule.trigger, decided)
        }
    }
}

fn year(at: Minute) -> i16 {
    at.start().day().year()
}
