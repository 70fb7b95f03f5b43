//! How an order stands while what happened to it is gone through, one event or state after the
//! other.

use std::collections::BTreeSet;

use super::events::{Remaining, Reported, Step};
use super::state::{Standing, State};
use crate::fact::{Event, FactKey, FactKind, Order};
use crate::ids::Digest;
use crate::mutation::{self, Mutation};
use crate::report::EventType;
use crate::reward::{ConversionKind, Reason};
use crate::time::{Instant, Minute};

/// Something that happened.
pub(super) struct Happening<'a> {
    pub key: FactKey,
    /// From when on it counts.
    at: Minute,
    what: What<'a>,
}

enum What<'a> {
    Event(EventType, &'a Event),
    /// A state, with the one it followed.
    State(&'a State, Option<&'a State>),
}

impl Happening<'_> {
    const fn since(&self) -> Instant {
        match self.what {
            What::Event(_, event) => event.occurred_at,
            What::State(state, _) => state.at,
        }
    }

    const fn id(&self) -> Digest {
        match self.what {
            What::Event(_, event) => event.event,
            What::State(..) => self.key.digest,
        }
    }

    /// What the order is worth from now on.
    fn amended(&self) -> Option<i64> {
        match self.what {
            What::Event(EventType::Amended, event) => event.amount,
            What::Event(..) => None,
            What::State(state, before) => {
                let is_known = before.is_some_and(|before| before.amount == state.amount);
                (!is_known).then_some(state.amount)
            }
        }
    }

    /// What of it is excluded, where the lines of the order were told.
    pub const fn excluded(&self) -> Option<i64> {
        match self.what {
            What::Event(_, event) => event.excluded,
            What::State(state, _) => state.excluded,
        }
    }

    /// The reason for what it takes.
    fn reason(&self) -> Reason {
        match self.what {
            What::Event(kind, _) => reason(kind),
            What::State(state, _) => state.standing.reversal().map_or(Reason::Refunded, reason),
        }
    }

    pub fn step(&self, before: Remaining, after: Remaining, is_void: bool) -> Step {
        let reversed = after.reversed.filter(|_| before.reversed.is_none());
        Step {
            id: self.id(),
            accepted: self.at,
            reason: reversed.map_or_else(|| self.reason(), |(reason, _)| reason),
            since: self.since(),
            taken: before.amount.saturating_sub(after.amount).max(0),
            is_void,
            after,
        }
    }
}

/// The reason for what an event takes.
const fn reason(kind: EventType) -> Reason {
    match kind {
        EventType::Withdrawn => Reason::Withdrawn,
        EventType::Cancelled => Reason::Cancelled,
        EventType::Chargeback => Reason::Chargeback,
        _ => Reason::Refunded,
    }
}

/// What happened up to a minute, in its order. What came before the order counts as accepted with
/// it; a state that was heard before the one it follows counts as heard with it.
pub(super) fn happenings<'a>(
    order: &'a Order,
    reported: &Reported,
    until: Option<Minute>,
) -> Vec<Happening<'a>> {
    let counts = |at: Minute| until.is_none_or(|until| at.max(reported.at) <= until);
    let mut all = Vec::new();
    for event in order.events().into_iter().filter(|event| counts(event.at)) {
        let (kind, fact) = (event.fact.0, &event.fact.1);
        let key = FactKey { accepted: event.at, kind: kind.into(), digest: event.digest };
        let at = event.at.max(reported.at);
        let happening = Happening { key, at, what: What::Event(kind, fact) };
        all.push(((event.at, fact.occurred_at, key.kind, event.at, event.digest), happening));
    }
    let mut before: Option<(Minute, &State)> = None;
    let mut states = order.states();
    if mutation::is_on(Mutation::HeardInTurn) {
        states.sort_by_key(|state| (state.at, state.digest));
    }
    for heard in states.into_iter().filter(|state| counts(state.at)) {
        let (accepted, digest, state) = (heard.at, heard.digest, &heard.fact);
        let key = FactKey { accepted, kind: FactKind::State, digest };
        let at = before.map_or(accepted, |(at, _)| accepted.max(at));
        let followed = before.replace((at, state)).map(|(_, state)| state);
        let what = What::State(state, followed);
        let happening = Happening { key, at: at.max(reported.at), what };
        all.push(((at, state.at, key.kind, accepted, digest), happening));
    }
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, happening)| happening).collect()
}

/// A reversal that holds.
#[derive(Debug, Clone, Copy)]
struct Live {
    /// The place of what brought it.
    by: usize,
    kind: EventType,
    /// What was paid back.
    amount: i64,
    /// The event; `None` for what a state says.
    event: Option<Digest>,
    at: Minute,
    since: Instant,
}

/// How an order stands while its events are gone through.
pub(super) struct Fold {
    /// What was reported has an amount, which can be amended.
    has_amount: bool,
    /// Nothing left means that the order is reversed.
    counts: bool,
    whole: i64,
    /// By the place of what brought them.
    live: Vec<Live>,
    /// Events that were restored by name, before or after they came.
    named: BTreeSet<Digest>,
    /// Since when nothing is left, and why.
    empty: Option<(usize, Reason, Instant)>,
    confirmed: Option<Minute>,
    excluded: Option<i64>,
    /// The places of all reversals, those too that do not hold any more.
    reversals: BTreeSet<usize>,
}

impl Fold {
    pub fn new(reported: &Reported) -> Self {
        let whole = reported.amount.unwrap_or(0);
        let is_purchase = reported.kind == ConversionKind::Purchase;
        let is_worthless = is_purchase && whole == 0;
        Self {
            has_amount: reported.amount.is_some(),
            counts: is_purchase || whole > 0,
            whole,
            live: Vec::new(),
            named: BTreeSet::new(),
            empty: is_worthless.then_some((0, Reason::BelowMinimum, reported.occurred_at)),
            confirmed: None,
            excluded: None,
            reversals: BTreeSet::new(),
        }
    }

    fn left(&self) -> i64 {
        let refunds = self.live.iter().filter(|live| live.kind == EventType::Refunded);
        let refunded = refunds.fold(0_i64, |sum, live| sum.saturating_add(live.amount));
        self.whole.saturating_sub(refunded).max(0)
    }

    pub fn remaining(&self) -> Remaining {
        let undone = self
            .live
            .iter()
            .find(|live| !matches!(live.kind, EventType::Refunded | EventType::Disputed));
        let undone = undone.map(|live| (live.by, reason(live.kind), live.since));
        let first = [self.empty, undone].into_iter().flatten().min_by_key(|(by, ..)| *by);
        let reversed = first.map(|(_, reason, since)| (reason, since));
        let disputes = self.live.iter().filter(|live| live.kind == EventType::Disputed);
        Remaining {
            whole: self.whole,
            amount: if reversed.is_some() { 0 } else { self.left() },
            reversed,
            disputed: disputes.map(|live| live.at).max(),
            confirmed: self.confirmed,
            excluded: self.excluded,
        }
    }

    /// Notes since when nothing is left.
    fn note(&mut self, by: usize, happening: &Happening<'_>) {
        if !self.counts || self.left() > 0 {
            self.empty = None;
        } else if self.empty.is_none() {
            let reason = if self.whole == 0 { Reason::Cancelled } else { Reason::Refunded };
            self.empty = Some((by, reason, happening.since()));
        }
    }

    fn amend(&mut self, happening: &Happening<'_>) {
        if let Some(amount) = happening.amended().filter(|_| self.has_amount) {
            self.whole = amount.max(0);
            self.counts |= self.whole > 0;
        }
        self.excluded = happening.excluded().or(self.excluded);
    }

    pub fn apply(&mut self, by: usize, happening: &Happening<'_>) {
        let is_mended = matches!(happening.key.kind, FactKind::Restored | FactKind::Amended);
        if is_mended && mutation::is_on(Mutation::NothingRestored) {
            return;
        }
        self.amend(happening);
        match happening.what {
            What::Event(EventType::Restored, event) => self.restore(event.undoes),
            What::Event(EventType::Confirmed, _) => self.confirm(happening.at),
            What::Event(kind, event) if kind.is_reversal() => {
                let amount = event.amount.unwrap_or(0).max(0);
                if !self.named.contains(&event.event) {
                    self.reverse(by, happening, (kind, amount), Some(event.event));
                }
            }
            What::Event(..) => {}
            What::State(state, before) => self.hear(by, happening, (state, before)),
        }
        self.note(by, happening);
    }

    /// What has changed since the state before.
    fn hear(
        &mut self,
        by: usize,
        happening: &Happening<'_>,
        (state, before): (&State, Option<&State>),
    ) {
        if before.map(|before| before.standing) != Some(state.standing) {
            let is_refund = |live: &Live| live.kind == EventType::Refunded;
            self.live.retain(|live| live.event.is_some() || is_refund(live));
            if let Some(kind) = state.standing.reversal() {
                self.reverse(by, happening, (kind, 0), None);
            }
        }
        if state.standing == Standing::Open {
            self.confirm(happening.at);
        }
        let more = state.refunded.saturating_sub(before.map_or(0, |before| before.refunded));
        if more > 0 {
            self.reverse(by, happening, (EventType::Refunded, more), None);
        }
        self.give_back(more.saturating_neg());
    }

    /// The same for what still holds at the end.
    pub fn replay(&mut self, by: usize, happening: &Happening<'_>, end: &Self) {
        self.amend(happening);
        self.live.extend(end.live.iter().filter(|live| live.by == by));
        self.note(by, happening);
    }

    fn confirm(&mut self, at: Minute) {
        self.confirmed = Some(self.confirmed.map_or(at, |known| known.min(at)));
    }

    /// Whether something took the order back there that does not hold any more.
    pub fn has_voided(&self, by: usize) -> bool {
        self.reversals.contains(&by) && !self.live.iter().any(|live| live.by == by)
    }

    fn reverse(
        &mut self,
        by: usize,
        happening: &Happening<'_>,
        (kind, amount): (EventType, i64),
        event: Option<Digest>,
    ) {
        if kind == EventType::Chargeback {
            // That is how a dispute ends.
            self.live.retain(|live| live.kind != EventType::Disputed);
        }
        let (at, since) = (happening.at, happening.since());
        self.live.push(Live { by, kind, amount, event, at, since });
        self.reversals.insert(by);
    }

    /// Voids the event of that name, or the last reversal.
    fn restore(&mut self, undoes: Option<Digest>) {
        match undoes {
            Some(event) => {
                self.named.insert(event);
                self.live.retain(|live| live.event != Some(event));
            }
            None => {
                self.live.pop();
            }
        }
    }

    /// The sum of refunds that a state tells has fallen: the last ones go first.
    fn give_back(&mut self, amount: i64) {
        let mut open = amount.max(0);
        for live in self.live.iter_mut().rev() {
            if live.event.is_none() && live.kind == EventType::Refunded {
                let part = live.amount.min(open);
                live.amount = live.amount.saturating_sub(part);
                open = open.saturating_sub(part);
            }
        }
        self.live.retain(|live| live.kind != EventType::Refunded || live.amount > 0);
    }
}
