//! Facts: what happened, stored once and never changed, and their folding into one order's story.
//!
//! A fact's key ends in `{accepted}.{kind}.{digest}`; its content is compact JSON that fits into a
//! key's metadata. Both forms are pinned by fixtures, because what is stored stays. Folding takes
//! facts in any order, as often as they come.

mod decided;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{Digest, IdError, Identity, OrderPseudonym};
use crate::money::{BasisPoints, Currency};
use crate::orders::claims::{Admission, Purchase};
use crate::orders::state::State;
use crate::report::EventType;
use crate::reward::{ConversionKind, Expires, Label, Part, Reason, Role, Trigger, Value};
use crate::time::{Day, Instant, Minute};
use crate::words::words;

pub(crate) use stored::seconds;
use stored::{some_text, text, texts};

words!(
    /// What kind of fact a key holds.
    FactKind {
        Conversion = "conversion",
        Delivered = "delivered",
        Amended = "amended",
        Refunded = "refunded",
        Withdrawn = "withdrawn",
        Cancelled = "cancelled",
        Disputed = "disputed",
        Chargeback = "chargeback",
        Restored = "restored",
        Confirmed = "confirmed",
        /// How the order stands, as a shop system told it.
        State = "state",
        Verdict = "verdict",
        Fulfilled = "fulfilled",
        Reviewed = "reviewed",
        Remembered = "remembered",
    }
);

impl From<EventType> for FactKind {
    fn from(kind: EventType) -> Self {
        match kind {
            EventType::Delivered => Self::Delivered,
            EventType::Amended => Self::Amended,
            EventType::Refunded => Self::Refunded,
            EventType::Withdrawn => Self::Withdrawn,
            EventType::Cancelled => Self::Cancelled,
            EventType::Disputed => Self::Disputed,
            EventType::Chargeback => Self::Chargeback,
            EventType::Restored => Self::Restored,
            EventType::Confirmed => Self::Confirmed,
        }
    }
}

/// The last part of a fact's key: `202611220800.refunded.0123456789abcdef`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactKey {
    pub accepted: Minute,
    pub kind: FactKind,
    pub digest: Digest,
}

impl fmt::Display for FactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.accepted, self.kind, self.digest)
    }
}

impl FromStr for FactKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(IdError::Pseudonym);
        let key = Self {
            accepted: part()?.parse().map_err(|_| IdError::Pseudonym)?,
            kind: part()?.parse().map_err(|_| IdError::Pseudonym)?,
            digest: part()?.parse()?,
        };
        if parts.next().is_some() { Err(IdError::Pseudonym) } else { Ok(key) }
    }
}

/// How a conversion proves its referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "v", rename_all = "snake_case")]
pub enum Via {
    Click {
        #[serde(rename = "w", with = "seconds")]
        at: Instant,
        #[serde(rename = "ch")]
        channel: Channel,
        /// What tells two clicks of one second apart.
        #[serde(rename = "cn", skip_serializing_if = "Option::is_none", default)]
        nonce: Option<u32>,
    },
    Code,
    Alias,
    Coupon,
    /// By an earlier order of the friend that brought its proof.
    Bound,
    /// A customer said so, and the merchant approved it: [`crate::missing_referral`].
    Hand,
}

impl Via {
    /// Whether the order brought no proof of its own: it came into its advocate's ledger later.
    pub const fn is_joined(self) -> bool {
        matches!(self, Self::Bound | Self::Hand)
    }
}

/// A conversion with its proof, as its advocate's ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    #[serde(rename = "k")]
    pub kind: ConversionKind,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<i64>,
    #[serde(rename = "c", skip_serializing_if = "Option::is_none", default)]
    pub currency: Option<Currency>,
    #[serde(rename = "i", with = "texts")]
    pub identities: Vec<Identity>,
    #[serde(rename = "f", skip_serializing_if = "Option::is_none", default)]
    pub first_order: Option<bool>,
    #[serde(rename = "o", with = "seconds")]
    pub occurred_at: Instant,
    /// The friend's segment, as the order said.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
    #[serde(rename = "ac", skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    #[serde(flatten)]
    pub via: Via,
    /// What the edge could see when it accepted: shown until the verdict, which ignores it.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", default)]
    pub noted: Option<Reason>,
    /// How the claim was let in as far as was visible then: shown until the verdict.
    #[serde(rename = "g", skip_serializing_if = "is_first", default = "first")]
    pub admission: Admission,
    /// As far as was visible then, the advocate brought this friend before, so that `first_order: false`
    /// refuses nothing: shown until the verdict.
    #[serde(rename = "h", skip_serializing_if = "std::ops::Not::not", default)]
    pub waived: bool,
    /// What of the amount is excluded, by the terms that were known then: shown until the verdict.
    #[serde(rename = "ex", skip_serializing_if = "is_zero", default)]
    pub excluded: i64,
    /// Of an order without a proof: the purchase that binds it.
    #[serde(rename = "by", skip_serializing_if = "Option::is_none", default, with = "some_text")]
    pub bound_by: Option<OrderPseudonym>,
    /// Only the buyer's browser reported it: it waits until the shop says that it is paid.
    #[serde(rename = "bo", skip_serializing_if = "std::ops::Not::not", default)]
    pub browser_only: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_first(admission: &Admission) -> bool {
    *admission == Admission::First
}

const fn first() -> Admission {
    Admission::First
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// Something that happened to an order; its type is the kind in the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The keyed pseudonym of the shop's event id.
    #[serde(rename = "e", with = "text")]
    pub event: Digest,
    /// The shop's event id, sealed.
    #[serde(rename = "s")]
    pub sealed: String,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<i64>,
    #[serde(rename = "o", with = "seconds")]
    pub occurred_at: Instant,
    /// Of a restoration: the pseudonym of the event that does not hold any more.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none", default, with = "some_text")]
    pub undoes: Option<Digest>,
    /// Of an amendment with its lines, which are the value of its key: what of the amount is
    /// excluded, by the terms that were known then. Shown until the verdict.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none", default)]
    pub excluded: Option<i64>,
}

/// What a verdict says about one reward: a value, or the reason why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    #[serde(rename = "w")]
    pub role: Role,
    #[serde(rename = "t")]
    pub trigger: Trigger,
    #[serde(rename = "v", skip_serializing_if = "Option::is_none", default)]
    pub value: Option<Value>,
    #[serde(rename = "x", skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Reason>,
    /// Of a bonus: for how many referrals.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub milestone: Option<u32>,
    /// Why the merchant is to look at it first.
    #[serde(rename = "q", skip_serializing_if = "Option::is_none", default)]
    pub review: Option<Reason>,
    /// Of a share of the order: the rate that applied.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<BasisPoints>,
    /// How long it can be used once it is handed over.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Expires>,
    /// Where its coupon comes from.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none", default)]
    pub pool: Option<Label>,
}

impl Decided {
    /// A plain decision: no bonus, no review, no end.
    pub fn plain(role: Role, trigger: Trigger, decided: Result<Value, Reason>) -> Self {
        Self {
            role,
            trigger,
            value: decided.ok(),
            reason: decided.err(),
            milestone: None,
            review: None,
            rate: None,
            expires: None,
            pool: None,
        }
    }

    pub const fn part(&self) -> Part {
        Part { role: self.role, milestone: self.milestone }
    }
}

/// The decision on an order's rewards; accepted, by definition, at its settlement instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The report that was decided on.
    #[serde(rename = "d", with = "text")]
    pub report: Digest,
    /// How its claim was let in; nothing where it holds nobody.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none", default)]
    pub admitted: Option<Admission>,
    #[serde(rename = "r")]
    pub rewards: Vec<Decided>,
    /// What of the amount earns nothing.
    #[serde(rename = "e", skip_serializing_if = "is_zero", default)]
    pub excluded: i64,
    /// The order was in dispute at its instant, and the merchant had not approved the advocate's reward
    /// since.
    #[serde(rename = "i", skip_serializing_if = "std::ops::Not::not", default)]
    pub disputed: bool,
}

/// A reward was handed over, or what was taken from one that had been is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fulfilment {
    #[serde(rename = "w")]
    pub role: Role,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub milestone: Option<u32>,
    /// The event whose negative entry is settled.
    #[serde(rename = "y", skip_serializing_if = "Option::is_none", default, with = "some_text")]
    pub entry: Option<Digest>,
    #[serde(rename = "v")]
    pub value: Value,
    /// The merchant's reference, sealed; of a coupon its code.
    #[serde(rename = "s")]
    pub sealed: String,
    /// Handed over by itself, with a coupon from a pool.
    #[serde(rename = "q", skip_serializing_if = "std::ops::Not::not", default)]
    pub coupon: bool,
}

/// The merchant has looked at a reward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    #[serde(rename = "w")]
    pub role: Role,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub milestone: Option<u32>,
    #[serde(rename = "k")]
    pub approved: bool,
    /// The merchant's note, sealed.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub sealed: Option<String>,
}

/// What an erased key said of an order that was not decided yet, under the minute from which it counts:
/// so that an erasure changes no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remembered {
    /// Of a purchase: its report. Without a purchase: the report of this order that names the advocate.
    #[serde(rename = "d", skip_serializing_if = "Option::is_none", default, with = "some_text")]
    pub report: Option<Digest>,
    /// An earlier purchase of the same person.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none", default, with = "some_text")]
    pub order: Option<OrderPseudonym>,
    #[serde(rename = "a", skip_serializing_if = "is_zero", default)]
    pub amount: i64,
    /// The last day on which the purchase is remembered.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none", default, with = "some_text")]
    pub until: Option<Day>,
    /// The segment that the shop had put the advocate into.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
    /// Of the advocate, or of the friend, more was kept than is read: it was read up to that minute.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none", default)]
    pub crowded: Option<Role>,
}

/// The content of a fact. The kind in its key says which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    Conversion(Conversion),
    Event(EventType, Event),
    State(State),
    Verdict(Verdict),
    Fulfilment(Fulfilment),
    Reviewed(Reviewed),
    Remembered(Remembered),
}

impl Fact {
    pub fn kind(&self) -> FactKind {
        match self {
            Self::Conversion(_) => FactKind::Conversion,
            Self::Event(kind, _) => (*kind).into(),
            Self::State(_) => FactKind::State,
            Self::Verdict(_) => FactKind::Verdict,
            Self::Fulfilment(_) => FactKind::Fulfilled,
            Self::Reviewed(_) => FactKind::Reviewed,
            Self::Remembered(_) => FactKind::Remembered,
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        let json = match self {
            Self::Conversion(fact) => serde_json::to_value(fact),
            Self::Event(_, fact) => serde_json::to_value(fact),
            Self::State(fact) => serde_json::to_value(fact),
            Self::Verdict(fact) => serde_json::to_value(fact),
            Self::Fulfilment(fact) => serde_json::to_value(fact),
            Self::Reviewed(fact) => serde_json::to_value(fact),
            Self::Remembered(fact) => serde_json::to_value(fact),
        };
        json.unwrap_or_default()
    }

    pub fn from_json(kind: FactKind, json: &serde_json::Value) -> Option<Self> {
        let event = |kind| Event::deserialize(json).map(|event| Self::Event(kind, event));
        match kind {
            FactKind::Conversion => Conversion::deserialize(json).map(Self::Conversion),
            FactKind::Delivered => event(EventType::Delivered),
            FactKind::Amended => event(EventType::Amended),
            FactKind::Refunded => event(EventType::Refunded),
            FactKind::Withdrawn => event(EventType::Withdrawn),
            FactKind::Cancelled => event(EventType::Cancelled),
            FactKind::Disputed => event(EventType::Disputed),
            FactKind::Chargeback => event(EventType::Chargeback),
            FactKind::Restored => event(EventType::Restored),
            FactKind::Confirmed => event(EventType::Confirmed),
            FactKind::State => State::deserialize(json).map(Self::State),
            FactKind::Verdict => Verdict::deserialize(json).map(Self::Verdict),
            FactKind::Fulfilled => Fulfilment::deserialize(json).map(Self::Fulfilment),
            FactKind::Reviewed => Reviewed::deserialize(json).map(Self::Reviewed),
            FactKind::Remembered => Remembered::deserialize(json).map(Self::Remembered),
        }
        .ok()
    }
}

/// A fact with the minute in which it was accepted and the digest that ranks it among equals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<T> {
    pub at: Minute,
    pub digest: Digest,
    pub fact: T,
}

impl<T> Accepted<T> {
    const fn rank(&self) -> (Minute, Digest) {
        (self.at, self.digest)
    }
}

/// Everything one ledger knows of one order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// Of several reports the one accepted first, then the one with the smaller digest.
    pub conversion: Option<Accepted<Conversion>>,
    /// All reports, by digest.
    reports: BTreeMap<Digest, Accepted<Conversion>>,
    /// By the pseudonym of the event id; of repeats the one accepted first.
    events: BTreeMap<Digest, Accepted<(EventType, Event)>>,
    /// By digest; of repeats the one accepted first.
    states: BTreeMap<Digest, Accepted<State>>,
    pub verdict: Option<Accepted<Verdict>>,
    /// Verdicts differ: one of them was reached before all its facts were visible.
    pub differs: bool,
    /// By what was handed over and the merchant's reference: of repeats the one accepted first, of
    /// repeats in one minute the one with the smallest value.
    fulfilments: BTreeMap<(Part, Option<Digest>), BTreeMap<String, Accepted<Fulfilment>>>,
    /// Of several the one accepted first.
    reviews: BTreeMap<Part, Accepted<Reviewed>>,
    remembered: BTreeMap<(Minute, Digest), Remembered>,
    /// When the merchant approved a reward.
    approvals: BTreeMap<Part, BTreeSet<Minute>>,
}

fn keep_first<T>(slot: &mut Option<Accepted<T>>, new: Accepted<T>) {
    if slot.as_ref().is_none_or(|old| new.rank() < old.rank()) {
        *slot = Some(new);
    }
}

impl Order {
    /// Adds a fact; the order of additions and repeats change nothing.
    pub fn add(&mut self, key: FactKey, fact: Fact) {
        let (at, digest) = (key.accepted, key.digest);
        match fact {
            Fact::Conversion(fact) => {
                let mut slot = self.reports.remove(&digest);
                keep_first(&mut slot, Accepted { at, digest, fact });
                self.reports.extend(slot.map(|kept| (digest, kept)));
                self.pick();
            }
            Fact::Verdict(fact) => {
                let other = |known: &Accepted<Verdict>| known.rank() != (at, digest);
                self.differs |= self.verdict.as_ref().is_some_and(other);
                keep_first(&mut self.verdict, Accepted { at, digest, fact });
                self.pick();
            }
            Fact::Event(kind, fact) => {
                let id = fact.event;
                let mut slot = self.events.remove(&id);
                keep_first(&mut slot, Accepted { at, digest, fact: (kind, fact) });
                self.events.extend(slot.map(|kept| (id, kept)));
            }
            Fact::State(fact) => {
                let mut slot = self.states.remove(&digest);
                keep_first(&mut slot, Accepted { at, digest, fact });
                self.states.extend(slot.map(|kept| (digest, kept)));
            }
            Fact::Fulfilment(fact) => {
                let part = Part { role: fact.role, milestone: fact.milestone };
                let paid = self.fulfilments.entry((part, fact.entry)).or_default();
                let reference = fact.sealed.clone();
                let new = Accepted { at, digest, fact };
                // Of two tries in one minute, the one with the smaller size counts: its location had
                // seen more of what was taken back before.
                let rank = |paid: &Accepted<Fulfilment>| {
                    let size = paid.fact.value.amount().map(i64::saturating_abs);
                    (paid.at, size, paid.digest)
                };
                if paid.get(&reference).is_none_or(|old| rank(&new) < rank(old)) {
                    paid.insert(reference, new);
                }
            }
            Fact::Remembered(fact) => {
                self.remembered.insert((at, digest), fact);
            }
            Fact::Reviewed(fact) => {
                let part = Part { role: fact.role, milestone: fact.milestone };
                if fact.approved {
                    self.approvals.entry(part).or_default().insert(at);
                }
                let mut slot = self.reviews.remove(&part);
                keep_first(&mut slot, Accepted { at, digest, fact });
                self.reviews.extend(slot.map(|kept| (part, kept)));
            }
        }
    }

    /// The report that counts: the one decided on or, until then, the one accepted first.
    fn pick(&mut self) {
        let decided = self.verdict.as_ref().and_then(|verdict| self.report(verdict.fact.report));
        let first = || self.reports.values().min_by_key(|kept| kept.rank());
        self.conversion = decided.or_else(first).cloned();
    }

    /// Lets the report stand that was recorded as the order first, of those in this ledger, and
    /// counts it from then: it may have been cut off, and completed later.
    pub fn stand(&mut self, recorded: &[(Minute, Digest)]) {
        if let Some(report) = self.standing(recorded) {
            self.conversion = Some(report);
        }
    }

    /// The report of this ledger that was recorded first, as of then; one that came here later, as of
    /// when it came.
    pub(crate) fn standing(&self, recorded: &[(Minute, Digest)]) -> Option<Accepted<Conversion>> {
        let own = recorded.iter().filter(|(_, digest)| self.reports.contains_key(digest));
        let (at, digest) = own.min()?;
        let report = self.reports.get(digest)?;
        let at = if report.fact.via.is_joined() { report.at.max(*at) } else { *at };
        Some(Accepted { at, ..report.clone() })
    }

    /// The same order before it was decided.
    #[must_use]
    pub fn undecided(&self) -> Self {
        let mut order = Self { verdict: None, ..self.clone() };
        order.pick();
        order
    }

    /// All reports in this ledger.
    pub fn reports(&self) -> impl Iterator<Item = &Accepted<Conversion>> {
        self.reports.values()
    }

    /// The report of this digest, if it is in this ledger.
    pub fn report(&self, digest: Digest) -> Option<&Accepted<Conversion>> {
        self.reports.get(&digest)
    }

    /// The events in accepted order; of one minute by when they happened, then by their type.
    pub fn events(&self) -> Vec<&Accepted<(EventType, Event)>> {
        let mut events: Vec<_> = self.events.values().collect();
        events.sort_by_key(|it| (it.at, it.fact.1.occurred_at, it.fact.0, it.digest));
        events
    }

    /// The states that a shop told, by the shop's time.
    pub fn states(&self) -> Vec<&Accepted<State>> {
        let mut states: Vec<_> = self.states.values().collect();
        states.sort_by_key(|it| (it.fact.at, it.at, it.digest));
        states
    }

    /// Whether an event or a state is not there yet, or only under a later minute, or the event only
    /// with other content that ranks behind.
    pub fn lacks(&self, key: FactKey, fact: &Fact) -> bool {
        let known = match fact {
            Fact::Event(_, event) => self.events.get(&event.event).map(Accepted::rank),
            Fact::State(_) => self.states.get(&key.digest).map(Accepted::rank),
            _ => return false,
        };
        known.is_none_or(|known| known > (key.accepted, key.digest))
    }

    pub fn event(&self, id: Digest) -> Option<&Accepted<(EventType, Event)>> {
        self.events.get(&id)
    }

    /// How a reward was handed over, the first time in front: any other time it was paid too often.
    pub fn fulfilments(&self, part: Part) -> Vec<&Accepted<Fulfilment>> {
        self.paid(part, None)
    }

    /// How the negative entry of an event was settled.
    pub fn settlement(&self, part: Part, event: Digest) -> Option<&Accepted<Fulfilment>> {
        self.paid(part, Some(event)).into_iter().next()
    }

    fn paid(&self, part: Part, entry: Option<Digest>) -> Vec<&Accepted<Fulfilment>> {
        let paid = self.fulfilments.get(&(part, entry)).into_iter().flatten();
        let mut paid: Vec<_> = paid.map(|(_, paid)| paid).collect();
        paid.sort_by_key(|paid| paid.rank());
        paid
    }

    /// Whether an erased key said, up to that minute, that this report names the advocate.
    pub fn is_own(&self, report: Digest, until: Minute) -> bool {
        let is_own = |fact: &Remembered| fact.order.is_none() && fact.report == Some(report);
        self.remembered.iter().any(|((at, _), fact)| *at <= until && is_own(fact))
    }

    /// Segments of the advocate, as erased keys said, and since when.
    pub fn remembered_segments(&self) -> impl Iterator<Item = (Minute, &str)> {
        self.remembered
            .iter()
            .filter_map(|((since, _), fact)| Some((*since, fact.segment.as_deref()?)))
    }

    /// Up to when it was read what was kept of somebody, before it was erased: where there was more.
    pub fn read_up_to(&self, of: Role) -> Option<Minute> {
        let all = self.remembered.iter().filter(|(_, fact)| fact.crowded == Some(of));
        all.map(|((since, _), _)| *since).min()
    }

    /// Whether a copy of what an erased key said is there.
    pub fn has_copy(&self, copy: (Minute, Digest)) -> bool {
        self.remembered.contains_key(&copy)
    }

    /// Earlier purchases of the same person, as erased keys said.
    pub fn remembered(&self) -> impl Iterator<Item = (Digest, Purchase)> {
        self.remembered.iter().filter_map(|((accepted, _), fact)| {
            let (order, until, report) = (fact.order?, fact.until?, fact.report?);
            Some((report, Purchase { order, accepted: *accepted, amount: fact.amount, until }))
        })
    }

    /// What the merchant decided on a reward.
    pub fn review(&self, part: Part) -> Option<&Accepted<Reviewed>> {
        self.reviews.get(&part)
    }

    /// Whether the merchant approved a reward later than that.
    pub fn is_approved_after(&self, part: Part, minute: Minute) -> bool {
        self.approvals.get(&part).and_then(|all| all.last()).is_some_and(|last| *last > minute)
    }

    /// The same, and not later than the other.
    pub fn is_approved_between(&self, part: Part, (after, until): (Minute, Minute)) -> bool {
        let approvals = self.approvals.get(&part);
        approvals.is_some_and(|all| all.iter().any(|at| after < *at && *at <= until))
    }
}
