//! Missing referrals: orders that a customer says were theirs to refer. What counts of what customers
//! report and of what the merchant decides; where it is kept is the edge's business.
//!
//! A report holds nobody and shows nothing of the order. Only the merchant's approval makes a claim of
//! it, accepted at the approval.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{CustomerPseudonym, Digest};
use crate::mutation::{self, Mutation};
use crate::reward::Reason;
use crate::time::{DAY, Day, Instant, Minute};
use crate::words::words;

/// Of a customer's reports in a month (UTC) so many count.
pub const A_MONTH: usize = 10;
/// How long a report waits for its order and for the merchant, in days.
pub const WAITS_DAYS: i64 = 30;
/// How old an order may be, in days.
pub const ORDER_AGE_DAYS: i64 = 60;
/// How far the day that a customer remembers may be from the day of the order.
const DAYS_OFF: i64 = 1;

words!(
    /// What the merchant decided.
    Outcome {
        Approved = "approved",
        Declined = "declined",
    }
);

words!(
    /// Where a missing referral is. A customer sees `open` until the merchant decided, because `found`
    /// would say that there is such an order.
    ClaimStatus {
        Open = "open",
        Found = "found",
        Approved = "approved",
        Declined = "declined",
        Lapsed = "lapsed",
    }
);

/// The merchant's decision on what a customer reported of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub at: Minute,
    pub customer: CustomerPseudonym,
    pub outcome: Outcome,
}

impl Decision {
    /// What comes first counts. Of one minute a refusal does.
    const fn rank(&self) -> (Minute, bool, CustomerPseudonym) {
        (self.at, matches!(self.outcome, Outcome::Approved), self.customer)
    }
}

/// Finds the decision that counts for a customer: the first.
pub fn decision(decisions: &[Decision], customer: CustomerPseudonym) -> Option<Decision> {
    let own = decisions.iter().filter(|decision| decision.customer == customer);
    own.min_by_key(|decision| decision.rank()).copied()
}

/// Finds the approval that counts for an order: the earliest, by minute and customer.
pub fn approval(decisions: &[Decision]) -> Option<Decision> {
    let customers: BTreeSet<_> = decisions.iter().map(|decision| decision.customer).collect();
    let first = customers.into_iter().filter_map(|customer| decision(decisions, customer));
    let approved = first.filter(|decision| decision.outcome == Outcome::Approved);
    approved.min_by_key(|decision| (decision.at, decision.customer))
}

/// Why an approved order is not this customer's after all. `proofs` are the minutes of the order's
/// reports that bring a proof of their own, `until` is the minute up to which facts count.
pub fn refusal(
    customer: CustomerPseudonym,
    decisions: &[Decision],
    proofs: &[Minute],
    until: Minute,
) -> Option<Reason> {
    let own = decision(decisions, customer).map(|decision| decision.outcome);
    if mutation::is_on(Mutation::DeclinedHolds) {
        return None;
    }
    if own != Some(Outcome::Approved) {
        return Some(Reason::Declined);
    }
    let is_first = approval(decisions).is_some_and(|first| first.customer == customer);
    let is_proven = proofs.iter().any(|at| *at <= until);
    (is_proven || !is_first).then_some(Reason::FriendAlreadyReferred)
}

/// The month in UTC in which a report was accepted, as keys begin with it: `202611`.
fn month(at: Minute) -> String {
    at.to_string().chars().take(6).collect()
}

/// The reports of the month of `at` that count: each once, the earliest first, by minute and digest.
fn counted(filed: &[(Minute, Digest)], at: Minute) -> Vec<(Minute, Digest)> {
    let mut first: BTreeMap<Digest, Minute> = BTreeMap::new();
    for (filed, digest) in filed.iter().filter(|(filed, _)| month(*filed) == month(at)) {
        let slot = first.entry(*digest).or_insert(*filed);
        *slot = (*slot).min(*filed);
    }
    let mut reports: Vec<_> = first.into_iter().map(|(digest, at)| (at, digest)).collect();
    reports.sort_unstable();
    if !mutation::is_on(Mutation::EleventhCounts) {
        reports.truncate(A_MONTH);
    }
    reports
}

/// Whether a report counts among all that its customer filed.
pub fn counts(filed: &[(Minute, Digest)], (at, digest): (Minute, Digest)) -> bool {
    counted(filed, at).iter().any(|(_, one)| *one == digest)
}

/// Whether another report could count that is accepted then.
pub fn has_room(filed: &[(Minute, Digest)], at: Minute) -> bool {
    counted(filed, at).len() < A_MONTH || mutation::is_on(Mutation::EleventhCounts)
}

/// When the next month begins: a full month has room again.
pub fn next_month(at: Minute) -> Instant {
    let day = at.start().day();
    let first =
        (1..=31).map(|days| day.plus(days)).find(|day| month(day.start().minute()) != month(at));
    first.unwrap_or(day).start()
}

/// Whether the day that a customer gave can be the day of the order: people order around midnight, and
/// in other time zones.
pub fn is_near(ordered_on: Day, occurred_at: Instant) -> bool {
    (-DAYS_OFF..=DAYS_OFF).any(|days| ordered_on.plus(days) == occurred_at.day())
}

/// Until when a report waits.
pub const fn waits_until(filed: Minute) -> Instant {
    filed.start().plus(WAITS_DAYS * DAY)
}

/// What a customer sees of a report.
pub fn shown(filed: Minute, outcome: Option<Outcome>, now: Instant) -> ClaimStatus {
    match outcome {
        Some(Outcome::Approved) => ClaimStatus::Approved,
        Some(Outcome::Declined) => ClaimStatus::Declined,
        None if now < waits_until(filed) => ClaimStatus::Open,
        None => ClaimStatus::Lapsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Minute {
        text.parse().unwrap()
    }

    fn who(number: u8) -> CustomerPseudonym {
        CustomerPseudonym([number; 7])
    }

    fn decided(minute: &str, customer: u8, outcome: Outcome) -> Decision {
        Decision { at: at(minute), customer: who(customer), outcome }
    }

    fn reports(month: &str, range: std::ops::Range<u8>) -> Vec<(Minute, Digest)> {
        let one = |number: u8| (at(&format!("{month}0108{number:02}")), Digest([number; 10]));
        range.map(one).collect()
    }

    #[test]
    fn of_a_months_reports_the_first_ten_accepted_count() {
        let mut filed = reports("202611", 0..30);
        filed.reverse();
        let counting = filed.iter().filter(|report| counts(&filed, **report));
        let counting: BTreeSet<u8> = counting.map(|(_, digest)| digest.0[0]).collect();
        assert_eq!(counting, (0..10).collect());
        assert!(!has_room(&filed, at("202611302359")));
        assert!(has_room(&filed, at("202612010000")));
        assert!(has_room(&reports("202611", 0..9), at("202611302359")));
    }

    #[test]
    fn of_one_minute_the_smaller_digests_count() {
        let filed: Vec<_> = (0..12).map(|n| (at("202611010800"), Digest([n; 10]))).collect();
        for (place, report) in filed.iter().enumerate() {
            assert_eq!(counts(&filed, *report), place < A_MONTH, "{place}");
        }
    }

    #[test]
    fn a_report_that_was_sent_twice_counts_once() {
        let mut filed = reports("202611", 0..10);
        filed.extend(filed.clone().iter().map(|(at, digest)| (at.plus(60), *digest)));
        assert!(filed.iter().all(|report| counts(&filed, *report)));
        assert!(!has_room(&filed, at("202611020000")));
        assert!(has_room(&filed[..9], at("202611020000")));
    }

    #[test]
    fn a_full_month_has_room_again_when_the_next_begins() {
        for (now, next) in [
            ("202611222359", "2026-12-01T00:00:00Z"),
            ("202612010000", "2027-01-01T00:00:00Z"),
            ("202702281200", "2027-03-01T00:00:00Z"),
        ] {
            assert_eq!(next_month(at(now)).to_string(), next);
        }
    }

    #[test]
    fn the_first_decision_on_a_customer_stands_and_the_earliest_approval_counts() {
        use Outcome::{Approved, Declined};
        let decisions = [
            decided("202611010900", 1, Approved),
            decided("202611010800", 1, Declined),
            decided("202611010901", 3, Approved),
            decided("202611010901", 2, Approved),
            decided("202611010902", 2, Declined),
        ];
        assert_eq!(decision(&decisions, who(1)).unwrap().outcome, Declined);
        assert_eq!(approval(&decisions).unwrap().customer, who(2));
        let until = at("202612010000");
        let refused = |customer| refusal(who(customer), &decisions, &[], until);
        assert_eq!(refused(1), Some(Reason::Declined));
        assert_eq!(refused(2), None);
        assert_eq!(refused(3), Some(Reason::FriendAlreadyReferred));
        assert_eq!(refused(4), Some(Reason::Declined), "on this one nothing was decided");
    }

    #[test]
    fn of_two_decisions_in_one_minute_the_refusal_stands() {
        let both = [Outcome::Approved, Outcome::Declined];
        let both = both.map(|outcome| decided("202611010800", 1, outcome));
        assert_eq!(approval(&both), None);
    }

    #[test]
    fn an_order_that_gets_a_proof_of_its_own_in_time_is_no_missing_referral() {
        let decisions = [decided("202611010800", 1, Outcome::Approved)];
        let until = at("202611010900");
        for (proof, refused) in [
            ("202611010700", Some(Reason::FriendAlreadyReferred)),
            ("202611010900", Some(Reason::FriendAlreadyReferred)),
            ("202611010901", None),
        ] {
            assert_eq!(refusal(who(1), &decisions, &[at(proof)], until), refused, "{proof}");
        }
    }

    #[test]
    fn a_day_may_be_one_day_off() {
        let occurred: Instant = "2026-11-27T23:30:00Z".parse().unwrap();
        for (day, near) in [
            ("20261125", false),
            ("20261126", true),
            ("20261127", true),
            ("20261128", true),
            ("20261129", false),
        ] {
            assert_eq!(is_near(day.parse().unwrap(), occurred), near, "{day}");
        }
    }

    #[test]
    fn a_customer_sees_only_what_the_merchant_decided() {
        let filed = at("202611010800");
        let end = waits_until(filed);
        for (outcome, now, status) in [
            (None, filed.start(), ClaimStatus::Open),
            (None, end.plus(-1), ClaimStatus::Open),
            (None, end, ClaimStatus::Lapsed),
            (Some(Outcome::Approved), end, ClaimStatus::Approved),
            (Some(Outcome::Declined), end, ClaimStatus::Declined),
        ] {
            assert_eq!(shown(filed, outcome, now), status);
        }
    }
}
