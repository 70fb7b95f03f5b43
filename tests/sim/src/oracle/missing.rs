//! Missing referrals: whose an order is that the merchant approved, and why it is not somebody's after
//! all.

use passalong_core::fact::Via;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::missing_referral::{Decision, Outcome};
use passalong_core::reward::Reason;
use passalong_core::time::Minute;

use super::{Oracle, Report};

impl Oracle {
    /// Whether the merchant approved what a customer reported of an order. The first decision on a
    /// customer stands; of one minute the one against it.
    fn approved(&self, order: OrderPseudonym, customer: CustomerPseudonym) -> Option<Minute> {
        let all = self.decisions.get(&order).into_iter().flatten();
        let own: Vec<&Decision> = all.filter(|one| one.customer == customer).collect();
        let of = |outcome| own.iter().filter(move |one| one.outcome == outcome).map(|one| one.at);
        let approved = of(Outcome::Approved).min()?;
        let declined = of(Outcome::Declined).min();
        declined.is_none_or(|declined| approved < declined).then_some(approved)
    }

    /// Whose report of an order was approved first.
    pub fn first_approved(&self, order: OrderPseudonym) -> Option<CustomerPseudonym> {
        let decisions = self.decisions.get(&order).into_iter().flatten();
        let approved =
            decisions.filter_map(|one| Some((self.approved(order, one.customer)?, one.customer)));
        approved.min().map(|(_, customer)| customer)
    }

    /// Why an order that came into a ledger by the merchant's hand is not this customer's, by what was
    /// accepted up to then: it was declined, another was approved before, or it has brought a proof.
    pub(super) fn not_approved(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        until: Minute,
    ) -> Option<Reason> {
        if report.joined != Some(Via::Hand) {
            return None;
        }
        if self.approved(report.order, advocate).is_none() {
            return Some(Reason::Declined);
        }
        let mut others = self.reports.get(&report.order).into_iter().flatten();
        let is_proven = others.any(|other| {
            other.digest != report.digest
                && other.joined.is_none()
                && other.advocate.is_some()
                && other.reported <= until
        });
        let is_first = self.first_approved(report.order) == Some(advocate);
        (is_proven || !is_first).then_some(Reason::FriendAlreadyReferred)
    }
}
