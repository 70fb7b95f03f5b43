//! What a verdict saw of an order, and what came after it, in the order in which it was accepted: so that
//! whoever tells of it says the same, whatever else can be seen by then.

use std::collections::BTreeSet;

use super::{Accepted, Fact, FactKey, FactKind, Fulfilment, Order, Reviewed};
use crate::ids::Digest;
use crate::time::Minute;

/// What comes first of one minute: a decision comes before the reward is handed over, and nobody hands over
/// what was taken back.
const fn turn(kind: FactKind) -> u8 {
    match kind {
        FactKind::Reviewed => 0,
        FactKind::Fulfilled => 1,
        _ => 2,
    }
}

impl Order {
    /// The order with its verdict and the facts that were accepted up to then.
    #[must_use]
    pub fn as_decided(&self) -> Self {
        let Some(settled) = self.verdict.as_ref().map(|verdict| verdict.at) else {
            return self.clone();
        };
        let mut order = self.clone();
        order.events.retain(|_, event| event.at <= settled);
        order.states.retain(|_, state| state.at <= settled);
        order.reviews.retain(|_, review| review.at <= settled);
        for paid in order.fulfilments.values_mut() {
            paid.retain(|_, paid| paid.at <= settled);
        }
        order.fulfilments.retain(|_, paid| !paid.is_empty());
        for approved in order.approvals.values_mut() {
            approved.retain(|at| *at <= settled);
        }
        order
    }

    /// What was accepted after the verdict, the earliest first.
    pub fn since_decided(&self) -> Vec<(FactKey, Fact)> {
        let Some(settled) = self.verdict.as_ref().map(|verdict| verdict.at) else {
            return Vec::new();
        };
        let mut later: Vec<(FactKey, Fact)> = Vec::new();
        let mut add = |at: Minute, digest: Digest, fact: Fact| {
            if at > settled {
                later.push((FactKey { accepted: at, kind: fact.kind(), digest }, fact));
            }
        };
        for Accepted { at, digest, fact: (kind, event) } in self.events.values() {
            add(*at, *digest, Fact::Event(*kind, event.clone()));
        }
        for Accepted { at, digest, fact } in self.states.values() {
            add(*at, *digest, Fact::State(fact.clone()));
        }
        for Accepted { at, digest, fact } in self.paid_in_any_way() {
            add(*at, *digest, Fact::Fulfilment(fact.clone()));
        }
        let mut first = BTreeSet::new();
        for (part, Accepted { at, digest, fact }) in &self.reviews {
            first.insert((*part, *at));
            add(*at, *digest, Fact::Reviewed(fact.clone()));
        }
        // Of an approval that was not the first decision only the minute is kept.
        for (part, at) in
            self.approvals.iter().flat_map(|(part, all)| all.iter().map(move |at| (part, at)))
        {
            if !first.contains(&(*part, *at)) {
                let (role, milestone) = (part.role, part.milestone);
                let again = Reviewed { role, milestone, approved: true, sealed: None };
                add(*at, Digest([0xff; 10]), Fact::Reviewed(again));
            }
        }
        later.sort_by_key(|(key, _)| (key.accepted, turn(key.kind), *key));
        later
    }

    fn paid_in_any_way(&self) -> impl Iterator<Item = &Accepted<Fulfilment>> {
        self.fulfilments.values().flat_map(|paid| paid.values())
    }
}
