//! An order without a proof comes to whom it belongs to, once.

use std::collections::BTreeMap;

use passalong_core::fact::Via;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::time::SETTLE;

use super::evidence::{AllJoined, Joined};
use crate::oracle::{Oracle, Report};
use crate::story::{Mode, Story};

/// Whether an order came into the ledger of whoever it belongs to.
fn is_owner((who, via): (CustomerPseudonym, Via), by_hand: Option<CustomerPseudonym>) -> bool {
    via == Via::Bound || Some(who) == by_hand
}

fn as_joined(report: &Report, (at, advocate, via, bound_by): Joined) -> Report {
    Report {
        advocate: Some(advocate),
        accepted: report.accepted.max(at),
        joined: Some(via),
        bound_by,
        ..report.clone()
    }
}

impl Story {
    /// Orders without proof came to whom they belong to, and count from then.
    pub(super) fn check_joined(&mut self, program: usize, oracle: &mut Oracle, joined: &AllJoined) {
        let mut wrong = Vec::new();
        let none = Vec::new();
        let reported = oracle.reports.clone();
        let orders: Vec<OrderPseudonym> = reported.keys().copied().collect();
        for order in orders {
            let by_hand = oracle.first_approved(order);
            let (mut also, reports) = (Vec::new(), oracle.reports.get_mut(&order).unwrap());
            for report in reports.iter_mut().filter(|report| report.advocate.is_none()) {
                let joins = joined.get(&(order, report.digest)).unwrap_or(&none);
                let counts = |(_, who, via, _): &&Joined| is_owner((*who, *via), by_hand);
                let first = joins.iter().filter(counts).min_by_key(|(at, ..)| *at);
                let owner = first.map(|(_, who, ..)| *who);
                // Each other ledger, by when it came there first.
                let mut others: BTreeMap<CustomerPseudonym, Joined> = BTreeMap::new();
                for one in joins.iter().filter(|(_, who, ..)| Some(*who) != owner) {
                    let slot = others.entry(one.1).or_insert(*one);
                    if one.0 < slot.0 {
                        *slot = *one;
                    }
                }
                also.extend(others.values().map(|one| as_joined(report, *one)));
                if let Some(first) = first {
                    *report = as_joined(report, *first);
                }
            }
            oracle.also.extend(also);
        }
        let admissions = oracle.admissions();
        for (order, reports) in &reported {
            for (place, report) in reports.iter().enumerate() {
                let by_hand = oracle.first_approved(*order);
                let joins = joined.get(&(*order, report.digest)).unwrap_or(&none).iter();
                let counts = |(_, who, via, _): &&Joined| is_owner((*who, *via), by_hand);
                let joins: Vec<Joined> = joins.filter(counts).copied().collect();
                let first = joins.iter().min_by_key(|(at, ..)| *at).copied();
                if joins.iter().any(|one| {
                    first.is_some_and(|(_, who, via, by)| (one.1, one.2, one.3) != (who, via, by))
                }) {
                    wrong.push(format!("{order} was joined twice: {joins:?}"));
                }
                let by_hand = by_hand.map(|customer| (customer, Via::Hand, None));
                let is_open = report.advocate.is_none() && place == 0;
                // Another report that names somebody comes before; one that was completed an hour
                // later may have come too late for that.
                let named = |other: &&Report| other.advocate.is_some();
                let sure = report.accepted.plus(SETTLE);
                let mut others = reports.iter().filter(named);
                if is_open && others.clone().any(|other| other.accepted > sure) {
                    continue;
                }
                let is_open = is_open && others.next().is_none();
                let expected = |oracle: &Oracle| {
                    let bound = oracle.bound_to(report, &admissions);
                    let bound = bound.map(|(advocate, by)| (advocate, Via::Bound, Some(by)));
                    bound.or(by_hand).filter(|_| is_open)
                };
                // Who was erased meanwhile is not recognised by a hint any more, nor as somebody who
                // bought before, from when the cron has come to it.
                let forgetful = oracle.forgetful(first.map(|(at, ..)| at));
                let expected: Vec<_> =
                    [&*oracle].into_iter().chain(&forgetful).map(expected).collect();
                let found = first.map(|(_, who, via, by)| (who, via, by));
                if !expected.contains(&found) {
                    wrong.push(format!("{order} was joined as {first:?}, and not {expected:?}"));
                }
                if let Some((_, _, via, _)) = first {
                    *self.decided.entry(format!("joined {via:?}")).or_default() += 1;
                }
            }
        }
        if self.mode == Mode::Inside && !self.has_forgotten(program) {
            let of = self.programs[program].id.clone();
            for text in wrong {
                self.violate(format!("{of}: {text}"));
            }
        }
    }
}
