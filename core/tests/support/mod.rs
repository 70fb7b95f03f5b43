//! What the tests of settlement and status share: terms, an order with its facts, and short ways
//! to say when something happened. The order of every scene is placed on 10 November 2026.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod world;

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::channel::Channel;
use passalong_core::fact::{
    Conversion, Event, Fact, FactKey, Fulfilment, Order, Reviewed, Verdict, Via,
};
use passalong_core::ids::{CustomerPseudonym, Digest, HintPseudonym, Identity, OrderPseudonym};
use passalong_core::orders::claims::{Admission, Claim};
use passalong_core::orders::state::{Standing, State};
use passalong_core::program::{Program, Versions};
use passalong_core::report::{EventType, Item};
use passalong_core::reward::{ConversionKind, Part, Reason, Role, Value};
use passalong_core::settlement::{Earned, Known, Pace, Remaining, remaining};
use passalong_core::status::{self, Reward, View};
use passalong_core::time::{DAY, Instant, Minute};
use serde_json::json;
use world::{Bought, Told, World};

pub fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

/// When the order of a scene was placed, and accepted.
pub fn ordered() -> Instant {
    at("2026-11-10T08:00:00Z")
}

/// When the program of a scene began.
pub fn began() -> Instant {
    at("2026-11-01T00:00:00Z")
}

/// So many days after the order.
pub fn day(days: i64) -> Minute {
    ordered().plus(days * DAY).minute()
}

/// So many minutes later (or, below zero, earlier).
pub fn minutes(from: Minute, minutes: i64) -> Minute {
    from.start().plus(minutes * 60).minute()
}

pub fn digest(byte: u8) -> Digest {
    Digest([byte; 10])
}

pub fn order(byte: u8) -> OrderPseudonym {
    OrderPseudonym([byte; 10])
}

pub fn person(byte: u8) -> CustomerPseudonym {
    CustomerPseudonym([byte; 7])
}

pub fn customer(byte: u8) -> Identity {
    Identity::Customer(person(byte))
}

pub fn hint(byte: u8) -> Identity {
    Identity::Hint(HintPseudonym([byte; 10]))
}

/// What is known of an advocate.
pub fn knows(identities: &[(Minute, Identity)]) -> Known {
    Known { identities: identities.to_vec(), ..Known::default() }
}

pub fn credit(amount: i64) -> Value {
    Value::Credit { amount, currency: "EUR".parse().unwrap() }
}

pub const fn points(points: i64) -> Value {
    Value::Points { points }
}

/// The preset 20-10 with some fields replaced.
pub fn program(change: &serde_json::Value) -> Program {
    let mut body = json!({
        "id": "teehaus", "preset": "20-10", "name": "Teehaus Nord",
        "landing_url": "https://shop.example/willkommen",
    });
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    Program::from_preset(body.to_string().as_bytes()).unwrap()
}

pub fn versions(change: &serde_json::Value) -> Versions {
    Versions::new(vec![(began(), digest(0), program(change))])
}

/// One rule for the advocate's purchases.
pub fn advocate_rule(rest: &serde_json::Value) -> serde_json::Value {
    let mut rule = json!({"for": "advocate", "trigger": "first_purchase"});
    for (field, value) in rest.as_object().unwrap() {
        rule[field] = value.clone();
    }
    json!({"rewards": [rule]})
}

/// An order and all that its verdict depends on.
#[derive(Debug, Clone)]
pub struct Scene {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    pub known: Known,
    pub accepted: Minute,
    pub digest: Digest,
    pub conversion: Conversion,
    pub more: Vec<(FactKey, Fact)>,
    pub versions: Versions,
    pub reports: Vec<(Minute, Digest)>,
    /// The orders of the same person in this and in other ledgers, each decided with all the others.
    pub rivals: Vec<Scene>,
    /// Claims that are given as they are, beside those of the rivals.
    pub claims: Vec<Claim>,
    /// Purchases that brought no referral, as the keys of persons hold them.
    pub purchases: Vec<Bought>,
    /// The orders among those that were cancelled, and since when.
    pub cancelled: BTreeMap<OrderPseudonym, Minute>,
    /// Hints of the friend that the shop confirmed.
    pub confirmed: BTreeSet<HintPseudonym>,
    /// There are more claims or purchases than a verdict weighs.
    pub crowded: bool,
    /// The advocate has more orders than a verdict ranks.
    pub unranked: bool,
    pub earned: Vec<Earned>,
    pub items: Vec<Item>,
    pub pace: Vec<Pace>,
    pub refusal: Option<Reason>,
}

impl Scene {
    /// Order 5, of 50.00 EUR by friend 20, through advocate 10's link, accepted as it was placed.
    pub fn new(change: &serde_json::Value) -> Self {
        Self {
            order: order(5),
            advocate: person(10),
            known: Known::default(),
            accepted: ordered().minute(),
            digest: digest(50),
            conversion: Conversion {
                kind: ConversionKind::Purchase,
                amount: Some(5000),
                currency: Some("EUR".parse().unwrap()),
                identities: vec![customer(20)],
                first_order: None,
                occurred_at: ordered(),
                segment: None,
                action: None,
                via: Via::Click {
                    at: ordered().plus(-DAY),
                    channel: Channel::WhatsApp,
                    nonce: Some(1),
                },
                noted: None,
                admission: Admission::First,
                waived: false,
                excluded: 0,
                bound_by: None,
                browser_only: false,
            },
            more: Vec::new(),
            versions: versions(change),
            reports: Vec::new(),
            rivals: Vec::new(),
            claims: Vec::new(),
            purchases: Vec::new(),
            cancelled: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            crowded: false,
            unranked: false,
            earned: Vec::new(),
            items: Vec::new(),
            pace: Vec::new(),
            refusal: None,
        }
    }

    pub fn plain() -> Self {
        Self::new(&json!({}))
    }

    /// Adds an event of an id of its own, which happened when it was accepted.
    pub fn event(self, kind: EventType, accepted: Minute, amount: Option<i64>) -> Self {
        self.event_of(kind, accepted, accepted.start(), amount)
    }

    pub fn event_of(
        mut self,
        kind: EventType,
        accepted: Minute,
        occurred_at: Instant,
        amount: Option<i64>,
    ) -> Self {
        let id = u8::try_from(self.more.len()).unwrap();
        self.more.push(event(id, kind, accepted, occurred_at, amount));
        self
    }

    pub fn delivered(self, accepted: Minute) -> Self {
        self.event(EventType::Delivered, accepted, None)
    }

    pub fn refunded(self, accepted: Minute, amount: i64) -> Self {
        self.event(EventType::Refunded, accepted, Some(amount))
    }

    /// Adds an event under an id, with what else it says.
    pub fn named(
        mut self,
        id: u8,
        (kind, accepted): (EventType, Minute),
        change: impl FnOnce(&mut Event),
    ) -> Self {
        let (key, fact) = event(id, kind, accepted, accepted.start(), None);
        let Fact::Event(kind, mut content) = fact else { unreachable!() };
        change(&mut content);
        self.more.push((key, Fact::Event(kind, content)));
        self
    }

    /// Voids the event of that id.
    pub fn undone(self, id: u8, accepted: Minute, undoes: u8) -> Self {
        self.named(id, (EventType::Restored, accepted), |event| event.undoes = Some(digest(undoes)))
    }

    /// A shop tells how the order stands, and since when by its clock.
    pub fn state(
        mut self,
        accepted: Minute,
        at: Instant,
        (amount, refunded): (i64, i64),
        standing: Standing,
    ) -> Self {
        let fact = Fact::State(State { at, amount, refunded, standing, excluded: None });
        let digest = digest(u8::try_from(150 + self.more.len()).unwrap());
        self.more.push((FactKey { accepted, kind: fact.kind(), digest }, fact));
        self
    }

    /// The merchant looked at the advocate's reward.
    pub fn reviewed(mut self, accepted: Minute, approved: bool) -> Self {
        let (role, milestone, sealed) = (Role::Advocate, None, None);
        let fact = Fact::Reviewed(Reviewed { role, milestone, approved, sealed });
        self.more.push((FactKey { accepted, kind: fact.kind(), digest: digest(91) }, fact));
        self
    }

    /// What is left after the events accepted up to a minute, or after all.
    pub fn left(&self, until: Option<Minute>) -> Remaining {
        let order = fold(self.facts());
        remaining(&order, order.conversion.as_ref().unwrap(), until)
    }

    /// The merchant handed a reward over.
    pub fn fulfilled(mut self, role: Role, value: Value, accepted: Minute) -> Self {
        let fact = Fact::Fulfilment(Fulfilment {
            role,
            milestone: None,
            entry: None,
            value,
            sealed: "sealed".to_owned(),
            coupon: false,
        });
        self.more.push((FactKey { accepted, kind: fact.kind(), digest: digest(90) }, fact));
        self
    }

    /// Everything stored for this order, but its verdict.
    pub fn facts(&self) -> Vec<(FactKey, Fact)> {
        let fact = Fact::Conversion(self.conversion.clone());
        let key = FactKey { accepted: self.accepted, kind: fact.kind(), digest: self.digest };
        let mut facts = vec![(key, fact)];
        facts.extend(self.more.clone());
        facts
    }

    pub fn settle_with(&self, facts: &Order) -> (Minute, Verdict) {
        let mut world = World::around(self, facts.clone());
        world.verdicts(Told::Computed).remove(0).unwrap()
    }

    pub fn settle(&self) -> (Minute, Verdict) {
        self.settle_with(&fold(self.facts()))
    }

    /// How the claim was let in.
    pub fn admitted(&self) -> Option<Admission> {
        self.settle().1.admitted
    }

    /// The verdict as the fact that is stored.
    pub fn verdict_fact(&self) -> (FactKey, Fact) {
        let (accepted, verdict) = self.settle();
        let fact = Fact::Verdict(verdict);
        (FactKey { accepted, kind: fact.kind(), digest: digest(80) }, fact)
    }

    /// The same friend's orders through whomever, in place of those that were there.
    pub fn with_rivals(mut self, rivals: &[&Self]) -> Self {
        self.rivals = rivals.iter().map(|rival| (*rival).clone()).collect();
        self
    }

    /// A purchase of customer 20 without a referral, of 30.00 EUR.
    pub fn bought(mut self, number: u8, accepted: Minute) -> Self {
        self.purchases.push(Bought::of(customer(20), number, accepted));
        self
    }

    /// `S`.
    pub fn settled(&self) -> Minute {
        self.settle().0
    }

    /// What the verdict says for a role.
    pub fn decided(&self, role: Role) -> Option<Result<Value, Reason>> {
        let rewards = self.settle().1.rewards;
        let decided = rewards.into_iter().find(|decided| decided.part() == Part::from(role))?;
        assert_ne!(decided.value.is_some(), decided.reason.is_some(), "a value or a reason");
        Some(decided.value.ok_or_else(|| decided.reason.unwrap()))
    }

    pub fn advocates(&self) -> Result<Value, Reason> {
        self.decided(Role::Advocate).unwrap()
    }

    /// This order as a claim on its friend, found under one identity and not decided yet.
    pub fn claim(&self, identity: Identity) -> Claim {
        Claim {
            order: self.order,
            advocate: self.advocate,
            shared: BTreeSet::from([identity]),
            accepted: self.accepted,
            facts: fold(self.facts()),
            reports: self.reports.clone(),
            known: self.known.clone(),
            confirmed: self.confirmed.clone(),
            computed: None,
            is_known: false,
        }
    }

    /// What is shown at `now`, before any verdict.
    pub fn pending(&self, now: Instant) -> Vec<Reward> {
        status::rewards(&fold(self.facts()), &self.view(now))
    }

    pub fn view(&self, now: Instant) -> View<'_> {
        let (advocate, known, versions) = (self.advocate, &self.known, &self.versions);
        View { advocate, known, versions, now, approved: None }
    }

    /// What is shown once the verdict is there.
    pub fn decided_rewards(&self) -> Vec<Reward> {
        self.decided_rewards_at(self.settled().start().plus(100 * DAY))
    }

    /// What is shown then, with the verdict there.
    pub fn decided_rewards_at(&self, now: Instant) -> Vec<Reward> {
        let (key, fact) = self.verdict_fact();
        let facts = self.facts().into_iter().chain([(key, fact)]);
        status::rewards(&fold(facts), &self.view(now))
    }
}

pub fn event(
    id: u8,
    kind: EventType,
    accepted: Minute,
    occurred_at: Instant,
    amount: Option<i64>,
) -> (FactKey, Fact) {
    let content = Event {
        event: digest(id),
        sealed: "sealed".to_owned(),
        amount,
        occurred_at,
        undoes: None,
        excluded: None,
    };
    let fact = Fact::Event(kind, content);
    (FactKey { accepted, kind: fact.kind(), digest: digest(100 + id) }, fact)
}

pub fn fold(facts: impl IntoIterator<Item = (FactKey, Fact)>) -> Order {
    let mut order = Order::default();
    for (key, fact) in facts {
        order.add(key, fact);
    }
    order
}

/// A verdict as its bytes are stored.
pub fn bytes((at, verdict): &(Minute, Verdict)) -> String {
    format!("{at} {}", Fact::Verdict(verdict.clone()).to_json())
}
