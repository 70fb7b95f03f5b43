//! What was approved and not handed over stands as what has happened to its order since says.

use std::collections::BTreeMap;

use passalong_core::fact::Decided;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::reward::{Reason, RewardId, Role};
use passalong_core::time::Minute;

use crate::oracle::{Oracle, Report};
use crate::story::{Answered, Mode, Story};

/// How a reward must be shown.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    status: &'static str,
    /// Of what is neither reversed nor given whole.
    amount: Option<i64>,
}

/// One approved reward, with the order that brought it.
struct Approved<'o> {
    oracle: &'o Oracle,
    report: &'o Report,
    advocate: CustomerPseudonym,
    settled: Minute,
    excluded: i64,
    decided: &'o Decided,
}

impl Approved<'_> {
    /// What the value was at the end of a minute; none where the order was undone then.
    #[allow(clippy::option_option, reason = "undone is not the same as given whole")]
    fn at(&self, minute: Minute) -> Option<Option<i64>> {
        let left = self.oracle.left(self.report, minute);
        if left.undone.is_some() {
            return None;
        }
        let amount = self.decided.value?.amount();
        let (Some(rate), Some(approved)) = (self.decided.rate, amount) else { return Some(amount) };
        let base = (left.amount - self.excluded).max(0);
        let share = (base * i64::from(rate.0) + 5_000) / 10_000;
        // A share that has come to nothing is taken back.
        let least = approved.min(share);
        (least == approved || least > 0).then_some(Some(least))
    }

    fn shown(&self, now: Minute) -> Shown {
        let slot = (self.report.order, self.advocate, self.decided.role);
        let review = self.oracle.reviews.get(&slot);
        let reversed = Shown { status: "reversed", amount: None };
        if review.is_some_and(|(.., approved)| !approved) || self.at(now).is_none() {
            return reversed;
        }
        let minutes = self.oracle.later(self.report, self.settled);
        let values = minutes.into_iter().chain([self.settled]).filter_map(|minute| self.at(minute));
        let amount = values.flatten().min();
        let left = self.oracle.left(self.report, now);
        let last = self.oracle.approvals.get(&slot).and_then(|all| all.last());
        let disputed = left.disputed.is_some_and(|since| last.is_none_or(|last| *last <= since));
        let waits = self.decided.review.is_some_and(|why| {
            let is_paid = why == Reason::Unpaid && left.confirmed.is_some();
            review.is_none() && !is_paid
        });
        let status = if disputed || waits { "review" } else { "approved" };
        Shown { status, amount }
    }
}

impl Story {
    /// Rewards that were approved and not handed over are shown as their orders stand.
    pub(super) fn check_standing(
        &mut self,
        oracle: &Oracle,
        orders: &[String],
        heard: &[Answered],
    ) {
        if self.mode == Mode::Beyond {
            return;
        }
        let now = self.machine.instant(0).minute_up();
        let admissions = oracle.admissions();
        let mut verdicts = BTreeMap::new();
        let (mut wrong, mut seen) = (Vec::new(), Vec::new());
        for (name, (_, story)) in orders.iter().zip(heard) {
            for told in story["rewards"].as_array().into_iter().flatten() {
                let id = told["id"].as_str().and_then(|id| id.parse().ok());
                let Some(RewardId::Order { order, role }) = id else { continue };
                let report = oracle.reports.get(&order).and_then(|reports| reports.first());
                let Some((report, advocate)) = report.and_then(|it| Some((it, it.advocate?)))
                else {
                    continue;
                };
                let verdicts = verdicts
                    .entry(advocate)
                    .or_insert_with(|| oracle.verdicts(advocate, &admissions));
                let Some((settled, verdict)) = verdicts.get(&order) else { continue };
                let is_it = |one: &&Decided| one.role == role && one.milestone.is_none();
                let decided = verdict.rewards.iter().find(is_it);
                let Some(decided) = decided.filter(|decided| decided.value.is_some()) else {
                    continue;
                };
                let (settled, excluded) = (*settled, verdict.excluded);
                let approved = Approved { oracle, report, advocate, settled, excluded, decided };
                let status = told["status"].as_str().unwrap_or_default();
                let expected = approved.shown(now);
                seen.extend(interesting(&approved, now, status));
                if matches!(status, "fulfilled" | "expired") {
                    continue;
                }
                let amount = decided.value.and_then(|_| {
                    let names = ["amount", "points", "bytes", "periods"];
                    names.into_iter().find_map(|name| told["value"][name].as_i64())
                });
                let amount = amount.filter(|_| expected.amount.is_some());
                if status != expected.status || amount != expected.amount {
                    wrong.push(format!("{name} stands as {expected:?}, and is shown as {told}"));
                }
            }
        }
        for what in seen {
            *self.decided.entry(what).or_default() += 1;
        }
        for text in wrong {
            self.violate(text);
        }
    }
}

/// What is worth counting about an approved reward.
fn interesting(approved: &Approved<'_>, now: Minute, status: &str) -> Vec<String> {
    let mut seen = vec![format!("at rest {status}")];
    let (then, left) = (
        approved.oracle.left(approved.report, approved.settled),
        approved.oracle.left(approved.report, now),
    );
    if status == "review" && left.disputed.is_some() {
        seen.push("at rest disputed".to_owned());
    }
    if then.amount > left.amount && left.undone.is_none() && approved.decided.role == Role::Advocate
    {
        seen.push("at rest shrunk".to_owned());
    }
    seen
}
