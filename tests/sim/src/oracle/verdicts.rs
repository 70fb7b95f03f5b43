//! The verdicts: what the rules give for what is left.

use std::collections::BTreeMap;

use passalong_core::fact::{Verdict, Via};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::orders::claims::Admission;
use passalong_core::program::Program;
use passalong_core::reward::{Reason, Role, Rule, Trigger, When};
use passalong_core::time::{DAY, Minute};

use super::orders::Left;
use super::scales::Scales;
use super::{Admissions, Oracle, Report, Settled};

impl Oracle {
    /// The verdicts of one advocate, by order.
    pub fn verdicts(
        &self,
        advocate: CustomerPseudonym,
        admissions: &Admissions,
    ) -> BTreeMap<OrderPseudonym, Settled> {
        let own = |order: &OrderPseudonym| self.own(*order, advocate);
        let mut due: Vec<(Minute, &Report)> = self
            .reports
            .keys()
            .filter_map(own)
            .map(|report| (self.settles(report), report))
            .collect();
        due.sort_by_key(|(settles, report)| (*settles, report.order));
        let mut settled: BTreeMap<OrderPseudonym, Settled> = BTreeMap::new();
        for (settles, report) in due {
            let verdict = self.decide(report, advocate, (settles, admissions), &settled);
            settled.insert(report.order, (settles, verdict));
        }
        settled
    }

    fn decide(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        (settles, admissions): (Minute, &Admissions),
        before: &BTreeMap<OrderPseudonym, Settled>,
    ) -> Verdict {
        let terms = self.terms_of(report);
        let admitted = self.admit(report, advocate, settles, admissions);
        let Left { amount: left, undone, .. } = self.left(report, settles);
        let items = self.items(report, settles);
        let is_excluded = |item: &&(String, i64)| terms.excluded.categories.contains(&item.0);
        let excluded = items.iter().filter(is_excluded).map(|(_, amount)| amount).sum();
        let suspicion = self.suspicion(report, advocate, terms);
        let scales = Scales { oracle: self, terms, report, advocate, settles, before, suspicion };
        let mut rewards = Vec::new();
        for role in [Role::Advocate, Role::Friend] {
            let fitting: Vec<&Rule> =
                terms.rewards.iter().filter(|rule| scales.fits(rule, role)).collect();
            let once = |rule: &Rule| {
                rule.trigger != Trigger::EveryPurchase && rule.trigger != Trigger::Action
            };
            let is_first = matches!(admitted, Ok(Admission::First) | Err(_));
            let rule = fitting.iter().find(|rule| is_first || !once(rule)).copied();
            let Some(named) = rule.or(fitting.first().copied()) else { continue };
            if named.when != When::Earned {
                continue;
            }
            let repeated = match admitted {
                Ok(Admission::Old) => Reason::ExistingCustomer,
                _ => Reason::FriendAlreadyReferred,
            };
            let refusal = admitted.err().or(rule.is_none().then_some(repeated));
            let declined = scales.reviewed(role) == Some(false);
            let declined = declined.then_some(Reason::Declined);
            let decided = match refusal.or(declined).or(undone) {
                Some(reason) => Err(reason),
                None => scales.value(named, left, excluded),
            };
            let plain = scales.decided(named, decided, suspicion);
            let number = scales.number(named.trigger);
            rewards.push(plain);
            let (Role::Advocate, Some(value)) = (role, plain.value) else { continue };
            let bonus = terms.rewards.iter().find(|rule| {
                rule.milestone == Some(number)
                    && rule.trigger == named.trigger
                    && scales.is_for(rule)
            });
            if let Some(bonus) = bonus {
                let given = scales.under_ceiling(bonus, bonus.value, value.money().unwrap_or(0));
                let waits = scales.bonus_waits(named.trigger);
                rewards.push(scales.decided(bonus, given, waits));
            }
        }
        let admitted = admitted.ok().filter(|_| undone.is_none());
        let disputed = scales.is_disputed();
        Verdict { report: report.digest, admitted, rewards, excluded, disputed }
    }

    /// Why the merchant is to look at an order first.
    fn suspicion(
        &self,
        report: &Report,
        advocate: CustomerPseudonym,
        terms: &Program,
    ) -> Option<Reason> {
        if report.joined == Some(Via::Hand) {
            return None;
        }
        let (mut of_click, mut of_day) = (0, 0);
        // What the merchant declined, or gave to another, is no order of the advocate's.
        let own = |report: &&Report| report.advocate == Some(advocate);
        for other in self.reports.values().filter_map(|reports| reports.iter().find(own)) {
            let is_earlier = (other.accepted, other.order) < (report.accepted, report.order);
            if !is_earlier || other.kind != report.kind {
                continue;
            }
            of_click += u32::from(report.clicked.is_some() && other.clicked == report.clicked);
            let age = report.occurred_at.seconds() - other.occurred_at.seconds();
            of_day += u32::from((0..DAY).contains(&age));
        }
        if terms.review.orders_per_click.is_some_and(|most| of_click >= most) {
            return Some(Reason::ManyOrdersOneClick);
        }
        terms.review.orders_per_day.is_some_and(|most| of_day >= most).then_some(Reason::Velocity)
    }
}
