//! One order: the bounds of its settlement, and the most that can be left of it.

use super::books::{Books, Event, NEVER, Report};
use super::terms::Terms;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const MINUTE: i64 = 60;

/// An order as the books have it, by one of its reports.
#[derive(Clone, Copy)]
pub struct Order<'b> {
    pub books: &'b Books<'b>,
    pub id: &'b str,
    pub report: &'b Report,
}

impl<'b> Order<'b> {
    pub fn events(&self) -> impl Iterator<Item = &'b Event> {
        self.books.events_of(self.id).iter()
    }

    /// An event that stands for sure: nothing else was said under its id.
    fn is_sure(&self, event: &Event) -> bool {
        event.tries.stands && self.events().filter(|other| other.id == event.id).count() == 1
    }

    pub fn terms(&self) -> Vec<&'b Terms> {
        self.books.terms_at(self.report.occurred_at)
    }

    /// It settles at this instant or later.
    pub fn settles_earliest(&self) -> i64 {
        let end = |terms: &&Terms| {
            let at_once = terms.from_order || self.report.kind != "purchase";
            if at_once { self.report.occurred_at + terms.hold_days * DAY } else { 0 }
        };
        let hold = self.terms().iter().map(end).min().unwrap_or(0);
        hold.max(self.report.tries.earliest + HOUR)
    }

    /// It settles at this instant or before.
    pub fn settles_latest(&self) -> i64 {
        let alone = self.books.reports_of(self.id).len() == 1;
        if !alone || !self.report.tries.stands {
            return NEVER;
        }
        // What comes to its advocate after its report counts as accepted then.
        let comes = self.comes_latest();
        let end = |terms: &&Terms| {
            let at_once = terms.from_order || self.report.kind != "purchase";
            let days = if at_once { terms.hold_days } else { terms.fallback_days };
            let delivered = self.events().filter(|event| !at_once && event.kind == "delivered");
            // When something was delivered is not later than when it was said, by much.
            let delivered = delivered
                .map(|event| (event.tries.latest + 5 * MINUTE).saturating_add(days * DAY + HOUR));
            let plain = (self.report.occurred_at + days * DAY + MINUTE).max(comes + HOUR);
            delivered.max().unwrap_or(0).max(plain)
        };
        self.terms().iter().map(end).max().unwrap_or(NEVER).min(NEVER)
    }

    /// The reversals that surely stood at a time between two, less as many as may have been restored
    /// by then: as few as can be.
    fn reversals(&self, from: i64, until: i64) -> Vec<&'b Event> {
        let is_counted = |event: &&Event| {
            event.is_reversal() && self.is_sure(event) && event.tries.latest <= from
        };
        let mut left: Vec<&Event> = self.events().filter(is_counted).collect();
        let restored = || {
            let restored = self.events().filter(|event| event.kind == "restored");
            restored.filter(|event| event.tries.earliest <= until)
        };
        for event in restored() {
            left.retain(|other| event.undoes.as_ref() != Some(&other.id));
        }
        // What undoes the last of them may undo any: the dearest are taken first.
        left.sort_by_key(|event| (event.undoes_all(), event.amount));
        for _ in restored().filter(|event| event.undoes.is_none()) {
            left.pop();
        }
        left
    }

    /// The most that the last amendment may have said at a time between two, or what was reported
    /// where none surely had come.
    fn worth(&self, from: i64, until: i64) -> i64 {
        let amendments = || self.events().filter(|event| event.kind == "amended");
        let in_time =
            || amendments().filter(|event| self.is_sure(event) && event.tries.latest <= from);
        let is_over =
            |event: &&Event| in_time().any(|other| other.tries.earliest > event.tries.latest);
        let may_be_last =
            amendments().filter(|event| event.tries.earliest <= until && !is_over(event));
        let reported = self.report.amount.filter(|_| in_time().next().is_none());
        may_be_last.map(|event| event.amount).chain(reported).max().unwrap_or(0)
    }

    /// The most that was left at a time between two. Of what has no amount there is all or nothing.
    fn left_between(&self, from: i64, until: i64) -> i64 {
        self.left(&self.reversals(from, until), self.worth(from, until))
    }

    fn left(&self, reversals: &[&Event], worth: i64) -> i64 {
        if reversals.iter().any(|event| event.undoes_all()) {
            return 0;
        }
        let back: i64 = reversals.iter().map(|event| event.amount).sum();
        if self.report.amount.is_some() { (worth - back).max(0) } else { 1 }
    }

    /// The most that was left at the settlement.
    pub fn left_then(&self) -> i64 {
        self.left_between(self.settles_earliest(), self.settles_latest())
    }

    /// The most that can be left to take a share of: never more than at the settlement, nor than at
    /// any time since at which a share was surely left. What was wholly taken back, and was taken up
    /// again since, is worth the least that it was before. What was taken back after it was handed over
    /// takes nothing once it is restored, so for that only what holds at last counts.
    pub fn left_now(&self, is_handed_over: bool, is_share: impl Fn(i64) -> bool) -> i64 {
        let settled = self.settles_latest();
        let takes = self.events().filter(|event| event.is_reversal() || event.kind == "amended");
        let later = takes.filter(|event| self.is_sure(event) && event.tries.earliest > settled);
        let times = later.map(|event| event.tries.latest).chain([NEVER]);
        let left = times.filter_map(|time| {
            let restored_by = if is_handed_over { NEVER } else { time };
            let left = self.left(&self.reversals(time, restored_by), self.worth(time, time));
            let counts = time == NEVER || is_share(self.least_left(time, restored_by));
            Some(left).filter(|left| *left > 0 && counts)
        });
        left.fold(self.left_then(), i64::min)
    }

    /// The least that can have been left at a time: whatever may have come had come, but for what was
    /// surely restored by name.
    fn least_left(&self, time: i64, restored_by: i64) -> i64 {
        let is_restored = |event: &Event| {
            let named = self.events().filter(|other| other.undoes.as_ref() == Some(&event.id));
            let mut named = named.filter(|other| other.kind == "restored" && self.is_sure(other));
            named.any(|other| other.tries.latest <= restored_by)
        };
        let may_have_come = |event: &&Event| event.tries.earliest <= time;
        let came = self.events().filter(may_have_come);
        let taken: Vec<&Event> =
            came.filter(|event| event.is_reversal() && !is_restored(event)).collect();
        let amended = self.events().filter(may_have_come).filter(|event| event.kind == "amended");
        let worth = amended.map(|event| event.amount).chain(self.report.amount).min().unwrap_or(0);
        self.left(&taken, worth)
    }

    /// Whether nothing is left, for sure, at any time between two.
    pub fn is_gone(&self, from: i64, until: i64) -> bool {
        let is_worth_something =
            self.report.kind == "purchase" || self.report.amount.unwrap_or(0) > 0;
        is_worth_something && self.left_between(from, until) == 0
            || self.reversals(from, until).iter().any(|event| event.undoes_all())
    }

    /// Whether something is surely left: nothing can have been taken at any time.
    pub fn is_whole(&self) -> bool {
        let harmless = |event: &Event| matches!(event.kind.as_str(), "delivered" | "confirmed");
        self.events().all(harmless) && self.report.amount.is_none_or(|amount| amount > 0)
    }

    /// What is not counted of its goods, at least.
    pub fn excluded(&self, terms: &Terms) -> i64 {
        if self.events().any(|event| event.kind == "amended") {
            return 0;
        }
        let (skus, categories) = &terms.excluded;
        let is_excluded = |(sku, category, _): &&(String, Option<String>, i64)| {
            skus.contains(sku) || category.as_ref().is_some_and(|it| categories.contains(it))
        };
        self.report.items.iter().filter(is_excluded).map(|(.., amount)| amount).sum()
    }

    /// Whether it waits: somebody disputes it, or only a browser said it was paid.
    pub fn waits(&self) -> Option<&'static str> {
        let has = |kind: &str| self.events().any(|event| event.kind == kind);
        let early = self.report.tries.earliest + HOUR;
        let disputed = |event: &Event| {
            event.kind == "disputed" && self.is_sure(event) && event.tries.latest < early
        };
        if self.events().any(disputed) && !has("restored") {
            return Some("it is disputed");
        }
        let paid = !self.report.from_browser || has("confirmed");
        (!paid).then_some("it is unpaid")
    }
}
