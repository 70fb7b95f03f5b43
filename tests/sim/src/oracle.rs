//! The oracle: what must come out, computed from what was sent and when it was accepted. It sees
//! everything at once and is never late. It knows the rules of settlement from their description
//! and shares no code with them but the words.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Verdict, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::missing_referral::Decision;
use passalong_core::orders::claims::Admission;
use passalong_core::program::Program;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Role};
use passalong_core::time::{Day, Instant, MINUTE, Minute};

mod claims;
mod missing;
mod orders;
mod proofs;
mod scales;
mod verdicts;

pub use proofs::Counted;

/// A report of an order that stands in the store.
#[derive(Debug, Clone)]
pub struct Report {
    pub order: OrderPseudonym,
    pub digest: Digest,
    pub accepted: Minute,
    pub advocate: Option<CustomerPseudonym>,
    /// The click that proves it: when, and which of that second.
    pub clicked: Option<(Instant, u32)>,
    pub identities: Vec<Identity>,
    pub kind: ConversionKind,
    pub amount: i64,
    pub currency: Option<String>,
    pub first_order: Option<bool>,
    pub occurred_at: Instant,
    pub segment: Option<String>,
    pub action: Option<String>,
    /// Category and amount of what was ordered.
    pub items: Vec<(String, i64)>,
    /// How it came into a ledger without a proof of its own.
    pub joined: Option<Via>,
    /// The purchase that binds it, where one does.
    pub bound_by: Option<OrderPseudonym>,
    /// When it was reported; `accepted` is later where it came into its ledger later.
    pub reported: Minute,
}

/// Something that is remembered of a person, and what an erasure did to it.
#[derive(Debug, Clone)]
pub struct Kept<T> {
    pub since: Minute,
    pub what: T,
    /// When it was deleted, in milliseconds.
    pub gone: Option<u64>,
    /// When the customer it is about was erased.
    pub erased: Option<Minute>,
}

/// What a copy says that an erasure made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copied {
    /// That this report names the advocate.
    Named(Digest),
    /// That the person placed this order.
    Bought(OrderPseudonym),
    /// That the advocate was in this segment.
    Segment(String),
}

/// A purchase as it is remembered under one identity.
#[derive(Debug, Clone)]
pub struct Bought {
    pub identity: Identity,
    pub order: OrderPseudonym,
    pub digest: Digest,
    pub amount: i64,
    pub until: Day,
}

/// An event that stands in the store.
#[derive(Debug, Clone)]
pub struct Event {
    pub accepted: Minute,
    /// The pseudonym of its id.
    pub id: Digest,
    pub digest: Digest,
    pub kind: EventType,
    pub amount: i64,
    pub occurred_at: Instant,
    /// Of a restoration: the event that it names.
    pub undoes: Option<Digest>,
    /// Of an amendment: what is ordered now, where that was told.
    pub items: Vec<(String, i64)>,
}

/// Everything about one program.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    /// Terms with the instant from which they hold, oldest first.
    pub terms: Vec<(Instant, Program)>,
    /// By order, the one accepted first in front.
    pub reports: BTreeMap<OrderPseudonym, Vec<Report>>,
    /// Orders in the ledgers of people whose they are not: another's missing referral was approved
    /// before, or theirs was declined after all.
    pub also: Vec<Report>,
    /// What the merchant decided on missing referrals.
    pub decisions: BTreeMap<OrderPseudonym, Vec<Decision>>,
    /// By alias: who claimed it, and since when. Nobody, where the claim was an erased customer's.
    pub aliases: BTreeMap<String, BTreeSet<(Minute, Option<CustomerPseudonym>)>>,
    /// By order and event: the one accepted first.
    pub events: BTreeMap<OrderPseudonym, BTreeMap<Digest, Event>>,
    /// What is known of advocates, and since when.
    pub known: BTreeMap<CustomerPseudonym, Vec<Kept<Identity>>>,
    pub segments: BTreeMap<CustomerPseudonym, Vec<Kept<String>>>,
    /// Hints that tokens confirmed, by customer.
    pub confirmed: BTreeMap<CustomerPseudonym, Vec<Kept<Identity>>>,
    /// Purchases that are remembered.
    pub bought: Vec<Kept<Bought>>,
    /// What was copied into an order of an advocate before it was erased, and its minute.
    pub copied: BTreeMap<(OrderPseudonym, CustomerPseudonym), BTreeSet<(Minute, Copied)>>,
    /// When the first verdict on an order of an advocate was written, in milliseconds.
    pub decided: BTreeMap<(OrderPseudonym, CustomerPseudonym), u64>,
    /// What the merchant decided on a reward of an order: the first time.
    pub reviews: BTreeMap<(OrderPseudonym, CustomerPseudonym, Role), (Minute, Digest, bool)>,
    /// When the merchant approved a reward of an order.
    pub approvals: BTreeMap<(OrderPseudonym, CustomerPseudonym, Role), BTreeSet<Minute>>,
}

/// A decision with its instant.
pub type Settled = (Minute, Verdict);

/// How the claims on friends were decided, by order and advocate.
pub type Admissions = BTreeMap<(OrderPseudonym, CustomerPseudonym), (Minute, Option<Admission>)>;

impl Oracle {
    /// What is left to decide on once erasures have taken what they take: what they had taken by then,
    /// where it is known when it was decided. None where nothing was taken. A purchase may still be
    /// known by its copies, while nothing says any more what a hint confirmed.
    pub fn forgetful(&self, at: Option<Minute>) -> Vec<Self> {
        // A run deletes first and decides then, within a minute.
        let by = at.map(|at| at.start().plus(MINUTE).seconds());
        let by = by.map_or(u64::MAX, |by| u64::try_from(by).unwrap() * 1_000);
        let mut is_any = false;
        let mut stays = |gone: Option<u64>| {
            let stays = gone.is_none_or(|gone| gone > by);
            is_any |= !stays;
            stays
        };
        let mut with_copies = self.clone();
        for known in with_copies.known.values_mut().chain(with_copies.confirmed.values_mut()) {
            known.retain(|kept| stays(kept.gone));
        }
        let mut forgetful = with_copies.clone();
        forgetful.bought.retain(|kept| stays(kept.gone));
        if is_any { vec![with_copies, forgetful] } else { Vec::new() }
    }

    fn terms_at(&self, at: Instant) -> Option<&Program> {
        self.terms.iter().rev().find(|(from, _)| *from <= at).map(|(_, terms)| terms)
    }

    fn terms_of(&self, report: &Report) -> &Program {
        self.terms_at(report.occurred_at).unwrap_or(&self.terms[0].1)
    }

    /// The report by which an order stands in an advocate's ledger.
    fn own(&self, order: OrderPseudonym, advocate: CustomerPseudonym) -> Option<&Report> {
        let is_it = |report: &&Report| report.order == order && report.advocate == Some(advocate);
        let own = self.reports.get(&order)?.iter().find(is_it);
        own.or_else(|| self.also.iter().find(is_it))
    }

    /// Every order that stands in a ledger, with its advocate.
    fn standing(&self) -> impl Iterator<Item = (&Report, CustomerPseudonym)> {
        let all = self.reports.values().flatten().chain(&self.also);
        all.filter_map(|report| Some((report, report.advocate?)))
    }

    /// The first report of its order: only that one counts.
    fn is_first(&self, report: &Report) -> bool {
        let first = self.reports.get(&report.order).and_then(|reports| reports.first());
        first.is_some_and(|first| first.digest == report.digest)
    }

    /// Whether something that is kept counts for an order, although it may have been erased meanwhile:
    /// what was there when the customer was erased does, and what came between counts if it was copied,
    /// or if the order was decided while it was there.
    fn counts<T>(
        &self,
        kept: &Kept<T>,
        (report, advocate): (&Report, CustomerPseudonym),
        copy: Copied,
    ) -> bool {
        let Some(gone) = kept.gone else { return true };
        let slot = (report.order, advocate);
        let was_there = kept.erased.is_some_and(|erased| report.accepted <= erased);
        let copied = self.copied.get(&slot);
        let is_copied = copied.is_some_and(|copied| copied.contains(&(kept.since, copy)));
        was_there || is_copied || self.decided.get(&slot).is_some_and(|decided| *decided < gone)
    }
}
