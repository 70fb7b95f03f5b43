//! An order without a proof comes to whom it belongs to, once.

use passalong_core::fact::Via;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::missing_referral::{Decision, Outcome};
use passalong_core::time::SETTLE;

use super::evidence::{AllDecided, AllJoined, Joined};
use crate::oracle::{Oracle, Report};
use crate::story::{Mode, Story};

/// Whose missing referral was approved first. The first decision on a customer stands; of one minute
/// the one against it.
fn first_approved(decided: &[Decision]) -> Option<CustomerPseudonym> {
    let refused = |one: &Decision| {
        decided.iter().any(|other| {
            other.customer == one.customer
                && other.outcome == Outcome::Declined
                && other.at <= one.at
        })
    };
    let approved = decided.iter().filter(|one| one.outcome == Outcome::Approved && !refused(one));
    approved.min_by_key(|one| (one.at, one.customer)).map(|one| one.customer)
}

impl Story {
    /// Orders without proof came to whom they belong to, and count from then.
    pub(super) fn check_joined(
        &mut self,
        program: usize,
        oracle: &mut Oracle,
        joined: &AllJoined,
        decided: &AllDecided,
    ) {
        let mut wrong = Vec::new();
        let none = Vec::new();
        let reported = oracle.reports.clone();
        for (order, reports) in &mut oracle.reports {
            for report in reports {
                let joins = joined.get(&(*order, report.digest)).unwrap_or(&none);
                let first = joins.iter().min_by_key(|(at, ..)| *at);
                if let Some((at, advocate, via, by)) = first.filter(|_| report.advocate.is_none()) {
                    report.advocate = Some(*advocate);
                    report.accepted = report.accepted.max(*at);
                    report.joined = Some(*via);
                    report.bound_by = *by;
                }
            }
        }
        let admissions = oracle.admissions();
        for (order, reports) in &reported {
            for (place, report) in reports.iter().enumerate() {
                let by_hand = decided.get(order).and_then(|all| first_approved(all));
                let joins = joined.get(&(*order, report.digest)).unwrap_or(&none).iter();
                let counts =
                    |(_, who, via, _): &&Joined| *via == Via::Bound || Some(*who) == by_hand;
                let joins: Vec<Joined> = joins.filter(counts).copied().collect();
                let first = joins.iter().min_by_key(|(at, ..)| *at).copied();
                if joins.iter().any(|one| {
                    first.is_some_and(|(_, who, via, by)| (one.1, one.2, one.3) != (who, via, by))
                }) {
                    wrong.push(format!("{order} was joined twice: {joins:?}"));
                }
                let bound = oracle.bound_to(report, &admissions);
                let bound = bound.map(|(advocate, by)| (advocate, Via::Bound, Some(by)));
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
                let expected = bound.or(by_hand).filter(|_| is_open);
                let found = first.map(|(_, who, via, by)| (who, via, by));
                // Who was erased meanwhile is not recognised by a hint any more.
                let is_forgotten = found.is_none() && self.is_anybody_erased(program);
                if expected != found && !is_forgotten {
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
