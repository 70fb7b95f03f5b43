//! What an approved reward loses when its order is taken back after the verdict.

use super::events::{Remaining, Reported, Step};
use crate::fact::{Accepted, Conversion, Decided, Order, Verdict};
use crate::reward::{Reason, Value};
use crate::settlement::Base;
use crate::status::Entry;
use crate::time::Instant;

/// What an approved value can lose.
pub struct Lost<'a> {
    pub order: &'a Order,
    pub conversion: &'a Accepted<Conversion>,
    pub verdict: &'a Accepted<Verdict>,
    pub decided: &'a Decided,
    pub approved: Value,
}

/// What has become of a value that was not handed over.
pub struct Loss {
    pub value: Value,
    /// Nothing is left.
    pub gone: bool,
    pub reason: Reason,
    pub since: Instant,
}

impl Lost<'_> {
    /// How much a value has shrunk, if it has. It is the least that it has been since the verdict;
    /// what was wholly taken back and restored comes back as the least it was before.
    pub fn loss(&self) -> Option<Loss> {
        // What was reached by many orders is not lost with one.
        if self.decided.milestone.is_some() {
            return None;
        }
        let minutes = Reported::from(self.conversion).minutes(self.order, self.verdict.at);
        let values = minutes.iter().map(|left| self.shrunk(left));
        let least = values.flatten().min_by_key(|value| value.amount());
        let least = least.filter(|least| least.amount() < self.approved.amount());
        let now = minutes.last()?;
        if self.shrunk(now).is_some() {
            let (reason, since) = (Reason::Refunded, self.verdict.at.start());
            return least.map(|value| Loss { value, gone: false, reason, since });
        }
        let (reason, since) = now.reversed.unwrap_or_else(|| self.last_taken());
        Some(Loss { value: self.approved.with_amount(0), gone: true, reason, since })
    }

    /// Why and when something was taken last.
    fn last_taken(&self) -> (Reason, Instant) {
        let steps = self.steps();
        let last = steps.iter().rev().find(|step| step.taken > 0);
        let settled = (Reason::Refunded, self.verdict.at.start());
        last.map_or(settled, |last| (last.reason, last.since))
    }

    /// What happened since the verdict and still holds, with how the order stood then in front.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Reported::from(self.conversion).standing(self.order);
        let settled = steps.iter().take_while(|step| step.accepted <= self.verdict.at).count();
        steps.split_off(settled.saturating_sub(1))
    }

    /// What was taken from a reward after it was handed over. A reversal that was restored takes
    /// nothing, unless the merchant has settled it.
    pub fn entries(&self, start: Value) -> Vec<Entry> {
        if self.decided.milestone.is_some() {
            return Vec::new();
        }
        // A percentage or a gift is one, and taken back as a whole.
        let size = |value: Value| value.amount().unwrap_or(1);
        let whole = size(start);
        let steps = self.steps();
        let gone = steps.last().is_some_and(|last| self.shrunk(&last.after).is_none());
        let mut entries: Vec<Entry> = Vec::new();
        let mut due = 0;
        let mut dues: Vec<i64> = Vec::new();
        for step in &steps {
            due = match self.shrunk(&step.after) {
                Some(value) => whole.saturating_sub(size(value)).max(due),
                None if gone => whole,
                None => due,
            };
            dues.push(due);
        }
        let settlement = |step: &Step| self.order.settlement(self.decided.part(), step.id);
        let sizes = steps.iter().filter_map(settlement).map(|paid| size(paid.fact.value));
        // What is still to be settled in all: another settlement may have been made without knowing of
        // an earlier step.
        let mut unsettled =
            sizes.fold(due, |left, size| left.saturating_sub(size.saturating_abs()));
        let mut covered = 0_i64;
        let mut restored = None;
        let entry = |step: &Step, value, settled| {
            let Step { id: event, reason, since, .. } = *step;
            Entry { event, value, reason, since, settled }
        };
        let (mut before, last) = (0, due);
        for (step, due) in steps.iter().zip(dues) {
            let open = due.saturating_sub(covered).min(unsettled);
            if let Some(settled) = settlement(step) {
                let value = settled.fact.value;
                covered = covered.saturating_add(size(value).saturating_abs());
                entries.push(entry(step, value, Some(settled.at.start())));
            } else if due > before && open > 0 {
                covered = covered.saturating_add(open);
                unsettled = unsettled.saturating_sub(open);
                entries.push(entry(step, taken_back(start, open), None));
            } else if step.is_void {
                restored = Some((entries.len(), step));
            }
            before = due;
        }
        // More is due than was settled, because what had been taken before it was restored: so much
        // of that stays.
        let open = last.saturating_sub(covered).min(unsettled);
        if let Some((place, step)) = restored.filter(|_| open > 0) {
            entries.insert(place, entry(step, taken_back(start, open), None));
        }
        entries
    }

    /// What is left of an approved value; `None` where it is wholly taken back. A share of the order
    /// shrinks with it; a fixed value stays until the order is wholly reversed.
    fn shrunk(&self, left: &Remaining) -> Option<Value> {
        if left.reversed.is_some() {
            return None;
        }
        let approved = self.approved;
        let value = match (self.decided.rate, approved.amount()) {
            (Some(rate), Some(amount)) => {
                let base = Base { left: *left, excluded: self.verdict.fact.excluded };
                approved.with_amount(amount.min(rate.of(base.amount())))
            }
            _ => approved,
        };
        (value == approved || value.amount() != Some(0)).then_some(value)
    }
}

/// What is taken from a value that was handed over: below zero, or the whole of what has no amount.
const fn taken_back(start: Value, size: i64) -> Value {
    start.with_amount(size.saturating_neg())
}
