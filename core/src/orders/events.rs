//! What has become of an order: one fold of its events, and of the states that a shop told, up to a
//! minute, into what is left of it.
//!
//! Events are taken by the minute in which they were accepted, within a minute by when they
//! happened, then by their type, then by their digest; states by the shop's time, then by the
//! minute, then by the digest. So the result is a function of the facts alone, whichever of them
//! became visible first, and a fact that is accepted later never changes what stood at an earlier
//! minute.

use std::collections::BTreeSet;

use super::fold::{Fold, happenings};
use crate::fact::{Accepted, Conversion, Event, FactKey, Order};
use crate::ids::Digest;
use crate::program::{HoldFrom, Program};
use crate::report::EventType;
use crate::reward::{ConversionKind, Reason};
use crate::time::{HOUR, Instant, Minute};

/// When an order settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// `S`: facts accepted in this minute still count.
    pub at: Minute,
    /// Whether the hold runs from a reported delivery (or needs none).
    pub fixed: bool,
}

/// The settlement instant as far as these facts say.
pub fn settling(order: &Order, conversion: &Accepted<Conversion>, terms: &Program) -> Settling {
    let occurred = conversion.fact.occurred_at;
    let hold = terms.hold;
    let earliest = conversion.at.plus(HOUR);
    let waits_for_delivery =
        hold.from == HoldFrom::Delivered && conversion.fact.kind == ConversionKind::Purchase;
    if !waits_for_delivery {
        let at = occurred.plus_days(hold.days).minute_up().max(earliest);
        return Settling { at, fixed: true };
    }
    let mut settling = Settling {
        at: occurred.plus_days(hold.fallback_days).minute_up().max(earliest),
        fixed: false,
    };
    // A split delivery is complete with its last part.
    let mut delivered = None;
    for event in order.events() {
        let (EventType::Delivered, Event { occurred_at, .. }) = &event.fact else { continue };
        // What came before its order counts as accepted with it.
        let accepted = event.at.max(conversion.at);
        if accepted <= settling.at {
            let last = delivered.map_or(*occurred_at, |last| (*occurred_at).max(last));
            delivered = Some(last);
            let end = last.plus_days(hold.days).minute_up();
            settling = Settling { at: end.max(accepted.plus(HOUR)), fixed: true };
        }
    }
    settling
}

/// What is left of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// What the order is worth before refunds: as reported, or as amended last.
    pub whole: i64,
    /// What is left of it; zero where the order is wholly reversed.
    pub amount: i64,
    /// Why nothing is left, and since when.
    pub reversed: Option<(Reason, Instant)>,
    /// The order is disputed: the minute in which the last report of it was accepted.
    pub disputed: Option<Minute>,
    /// The shop has said that the order is paid: the minute in which that was accepted first.
    pub confirmed: Option<Minute>,
    /// What of the worth earns nothing, where the lines of the order were told again. By the terms
    /// that were known then: shown until the verdict.
    pub excluded: Option<i64>,
}

/// What was reported of an order, as far as its events depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    pub at: Minute,
    pub kind: ConversionKind,
    pub amount: Option<i64>,
    pub occurred_at: Instant,
}

impl From<&Accepted<Conversion>> for Reported {
    fn from(conversion: &Accepted<Conversion>) -> Self {
        let Conversion { kind, amount, occurred_at, .. } = conversion.fact;
        Self { at: conversion.at, kind, amount, occurred_at }
    }
}

impl Reported {
    /// What is left before anything has happened. A purchase worth nothing earns nothing.
    pub fn untouched(&self) -> Remaining {
        Fold::new(self).remaining()
    }

    /// What is left after the events accepted up to `until`, or after all.
    pub fn remaining(&self, order: &Order, until: Option<Minute>) -> Remaining {
        let mut fold = Fold::new(self);
        for (by, happening) in happenings(order, self, until).into_iter().enumerate() {
            fold.apply(by, &happening);
        }
        fold.remaining()
    }

    /// What was left at the end of `since` and of every later minute in which a fact was accepted.
    pub fn minutes(&self, order: &Order, since: Minute) -> Vec<Remaining> {
        let events = order.events().into_iter().map(|event| event.at);
        let minutes = events.chain(order.states().into_iter().map(|state| state.at));
        let mut minutes: BTreeSet<Minute> = minutes.filter(|at| *at > since).collect();
        minutes.insert(since);
        minutes.into_iter().map(|minute| self.remaining(order, Some(minute))).collect()
    }

    /// Everything that happened, one after the other.
    pub fn course(&self, order: &Order) -> Vec<Step> {
        let mut fold = Fold::new(self);
        let mut steps = Vec::new();
        for (by, happening) in happenings(order, self, None).into_iter().enumerate() {
            let before = fold.remaining();
            fold.apply(by, &happening);
            steps.push(happening.step(before, fold.remaining(), false));
        }
        steps
    }

    /// The same without what was restored later: what each event takes that still holds.
    pub fn standing(&self, order: &Order) -> Vec<Step> {
        let happenings = happenings(order, self, None);
        let mut whole = Fold::new(self);
        for (by, happening) in happenings.iter().enumerate() {
            whole.apply(by, happening);
        }
        let mut fold = Fold::new(self);
        let mut steps = Vec::new();
        for (by, happening) in happenings.iter().enumerate() {
            let before = fold.remaining();
            fold.replay(by, happening, &whole);
            steps.push(happening.step(before, fold.remaining(), whole.has_voided(by)));
        }
        steps
    }

    /// Where the lines of the order were told last, if that was not with its report.
    pub fn lines(&self, order: &Order, until: Minute) -> Option<FactKey> {
        let happenings = happenings(order, self, Some(until));
        let told = happenings.iter().rev().find(|happening| happening.excluded().is_some());
        told.map(|happening| happening.key)
    }

    /// How much of the order a refund really took.
    pub fn taken(&self, order: &Order, event: Digest) -> Option<i64> {
        self.course(order).into_iter().find(|step| step.id == event).map(|step| step.taken)
    }
}

/// What is left after the events accepted up to `until`, or after all.
pub fn remaining(
    order: &Order,
    conversion: &Accepted<Conversion>,
    until: Option<Minute>,
) -> Remaining {
    Reported::from(conversion).remaining(order, until)
}

/// Something that happened, and how the order stood after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The pseudonym of an event, or the digest of a state.
    pub id: Digest,
    pub accepted: Minute,
    /// The reason for what it took, if it took anything, and since when.
    pub reason: Reason,
    pub since: Instant,
    /// What it took, in minor units.
    pub taken: i64,
    /// It was restored, and takes nothing any more.
    pub is_void: bool,
    pub after: Remaining,
}
