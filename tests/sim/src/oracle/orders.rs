//! What has happened to an order: when it settles, and what is left of it.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::ids::{Digest, OrderPseudonym};
use passalong_core::program::HoldFrom;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason};
use passalong_core::time::{HOUR, Minute};

use super::{Event, Oracle, Report};

/// How an order stands at some minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// What is left of the amount. What was undone as a whole keeps the amount here.
    pub amount: i64,
    /// Why nothing of it counts: the first cause that still holds.
    pub undone: Option<Reason>,
    /// The minute of the last dispute that is not decided.
    pub disputed: Option<Minute>,
    /// The minute in which the shop said first that it is paid.
    pub confirmed: Option<Minute>,
}

/// Something that took the order back.
struct Reversal<'e> {
    place: usize,
    accepted: Minute,
    event: &'e Event,
}

impl Reversal<'_> {
    /// Why it undoes the order as a whole, if it does so whatever the amount.
    const fn whole(&self) -> Option<Reason> {
        match self.event.kind {
            EventType::Withdrawn => Some(Reason::Withdrawn),
            EventType::Cancelled => Some(Reason::Cancelled),
            EventType::Chargeback => Some(Reason::Chargeback),
            _ => None,
        }
    }
}

/// The events of an order, taken one after the other.
struct Course<'e> {
    /// What it is worth before refunds. Sign-ups and actions have no amount that could be amended.
    worth: i64,
    is_purchase: bool,
    reversals: Vec<Reversal<'e>>,
    /// Events that a restoration named: they take nothing, whichever came first.
    void: BTreeSet<Digest>,
    /// Since which place nothing is left, and why.
    nothing: Option<(usize, Reason)>,
    confirmed: Option<Minute>,
}

impl<'e> Course<'e> {
    fn refunded(&self) -> i64 {
        let refunds = self.reversals.iter().filter(|it| it.event.kind == EventType::Refunded);
        refunds.map(|it| it.event.amount).sum()
    }

    fn take(&mut self, place: usize, accepted: Minute, event: &'e Event) {
        match event.kind {
            EventType::Confirmed => self.confirmed = self.confirmed.or(Some(accepted)),
            EventType::Amended if self.is_purchase => self.worth = event.amount,
            EventType::Delivered | EventType::Amended => {}
            EventType::Restored => match event.undoes {
                Some(named) => {
                    self.void.insert(named);
                    self.reversals.retain(|it| it.event.id != named);
                }
                None => {
                    self.reversals.pop();
                }
            },
            EventType::Refunded
            | EventType::Withdrawn
            | EventType::Cancelled
            | EventType::Disputed
            | EventType::Chargeback => {
                if !self.void.contains(&event.id) {
                    // A dispute that was lost is no dispute any more.
                    if event.kind == EventType::Chargeback {
                        self.reversals.retain(|it| it.event.kind != EventType::Disputed);
                    }
                    self.reversals.push(Reversal { place, accepted, event });
                }
            }
        }
        let is_empty = self.is_purchase && self.worth <= self.refunded();
        let why = if self.worth == 0 { Reason::Cancelled } else { Reason::Refunded };
        self.nothing = self.nothing.or(Some((place, why))).filter(|_| is_empty);
    }

    fn left(&self) -> Left {
        let whole = self.reversals.iter().find_map(|it| Some((it.place, it.whole()?)));
        let undone = match (self.nothing, whole) {
            (Some(nothing), Some(whole)) if whole.0 < nothing.0 => Some(whole),
            (nothing, whole) => nothing.or(whole),
        };
        let disputes = self.reversals.iter().filter(|it| it.event.kind == EventType::Disputed);
        Left {
            amount: (self.worth - self.refunded()).max(0),
            undone: undone.map(|(_, reason)| reason),
            disputed: disputes.map(|it| it.accepted).max(),
            confirmed: self.confirmed,
        }
    }
}

impl Oracle {
    /// Events in accepted order; none counts before its order.
    fn events(&self, order: OrderPseudonym, since: Minute) -> Vec<(Minute, &Event)> {
        let events = self.events.get(&order).into_iter().flat_map(BTreeMap::values);
        let mut events: Vec<&Event> = events.collect();
        events.sort_by_key(|it| (it.accepted, it.occurred_at, it.kind, it.digest));
        events.into_iter().map(|event| (event.accepted.max(since), event)).collect()
    }

    /// The settlement instant.
    pub(super) fn settles(&self, report: &Report) -> Minute {
        let hold = self.terms_of(report).hold;
        let floor = report.accepted.plus(HOUR);
        if hold.from == HoldFrom::Order || report.kind != ConversionKind::Purchase {
            return report.occurred_at.plus_days(hold.days).minute_up().max(floor);
        }
        let mut settles = report.occurred_at.plus_days(hold.fallback_days).minute_up().max(floor);
        let mut last = None;
        for (accepted, event) in self.events(report.order, report.accepted) {
            if event.kind == EventType::Delivered && accepted <= settles {
                last = last.max(Some(event.occurred_at));
                let delivered = last.unwrap_or(event.occurred_at);
                let end = delivered.plus_days(hold.days).minute_up();
                settles = end.max(accepted.plus(HOUR));
            }
        }
        settles
    }

    /// What is left of an order by what was accepted up to that minute.
    pub fn left(&self, report: &Report, until: Minute) -> Left {
        let is_purchase = report.kind == ConversionKind::Purchase;
        self.left_of(report.order, (report.accepted, report.amount, is_purchase), until)
    }

    pub(super) fn left_of(
        &self,
        order: OrderPseudonym,
        (accepted, worth, is_purchase): (Minute, i64, bool),
        until: Minute,
    ) -> Left {
        let nothing = (is_purchase && worth == 0).then_some((0, Reason::BelowMinimum));
        let mut course = Course {
            worth,
            is_purchase,
            reversals: Vec::new(),
            void: BTreeSet::new(),
            nothing,
            confirmed: None,
        };
        for (place, (accepted, event)) in self.events(order, accepted).into_iter().enumerate() {
            if accepted <= until {
                course.take(place, accepted, event);
            }
        }
        course.left()
    }

    /// The minutes after that one in which something happened to an order.
    pub fn later(&self, report: &Report, since: Minute) -> BTreeSet<Minute> {
        let events = self.events(report.order, report.accepted).into_iter();
        events.map(|(accepted, _)| accepted).filter(|accepted| *accepted > since).collect()
    }

    /// What was ordered, as it was told last: with the report, or with an amendment up to then.
    pub(super) fn items<'o>(&'o self, report: &'o Report, until: Minute) -> &'o [(String, i64)] {
        let events = self.events(report.order, report.accepted).into_iter().rev();
        let mut told = events
            .filter(|(accepted, event)| *accepted <= until && !event.items.is_empty())
            .map(|(_, event)| event.items.as_slice());
        told.next().unwrap_or(&report.items)
    }
}
