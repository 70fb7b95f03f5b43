//! A small world: orders that may be of one friend, and what is remembered of persons. It reads what
//! the Worker reads, from memory: for each order the claims under its identities up to the last minute
//! that counts, with the verdicts that fell before, and the purchases of the person.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Accepted, Conversion, Fact, FactKey, Order, Verdict, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::orders::claims::{
    Admission, Claim, Place, Purchase, Standing, Weighed, admit, binders, earliest, friendship,
    horizon,
};
use passalong_core::program::Versions;
use passalong_core::reward::{ConversionKind, Reason};
use passalong_core::settlement::{Case, Known, remaining, settle, settling};
use passalong_core::time::Minute;

use super::{Scene, digest, fold, order};

/// A purchase as the key under one identity of the person holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bought {
    pub identity: Identity,
    /// Of the report.
    pub digest: Digest,
    pub purchase: Purchase,
}

impl Bought {
    /// A purchase of 30.00 EUR that is remembered for the 730 days that terms name by default.
    pub fn of(identity: Identity, number: u8, accepted: Minute) -> Self {
        let until = accepted.start().day().plus(730);
        let purchase = Purchase { order: order(number), accepted, amount: 3000, until };
        Self { identity, digest: digest(number), purchase }
    }
}

/// How the world hands earlier verdicts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// As facts in the ledgers.
    Facts,
    /// Computed, because the facts are not visible.
    Computed,
}

struct Member<'a> {
    scene: &'a Scene,
    facts: Order,
    computed: Option<(Minute, Option<Admission>)>,
}

impl Member<'_> {
    fn conversion(&self) -> &Accepted<Conversion> {
        self.facts.conversion.as_ref().unwrap()
    }

    /// The order as it is decided, whether or not it was before.
    fn undecided(&self) -> Order {
        if self.facts.verdict.is_none() {
            return self.facts.clone();
        }
        let mut facts = self.facts.undecided();
        facts.stand(&self.scene.reports);
        facts
    }

    fn settled(&self, versions: &Versions) -> Minute {
        let facts = self.undecided();
        let conversion = facts.conversion.as_ref().unwrap();
        let version = versions.at(conversion.fact.occurred_at).or_else(|| versions.first());
        settling(&facts, conversion, &version.unwrap().terms).at
    }

    fn place(&self, versions: &Versions) -> Place {
        (self.settled(versions), self.scene.order, self.scene.advocate)
    }

    /// The minute by which its claim ranks.
    fn ranks_at(&self) -> Minute {
        let conversion = self.conversion();
        let first = self.scene.reports.iter().map(|(at, _)| *at).min();
        let listed = first.map_or(self.scene.accepted, |first| first.max(self.scene.accepted));
        if conversion.fact.via.is_joined() { conversion.at } else { listed }
    }

    /// Its keys under the identities of the person. An order that joined a ledger later has those of its
    /// report as well.
    fn bought(&self, versions: &Versions) -> Vec<Bought> {
        let fact = &self.scene.conversion;
        let version = versions.at(fact.occurred_at).or_else(|| versions.first()).unwrap();
        let days = version.terms.attribution.remember_days;
        let reported = self.scene.reports.iter().map(|(at, _)| *at);
        let reported = reported.filter(|_| fact.via.is_joined());
        let bought = |accepted: Minute| {
            fact.identities.iter().map(move |identity| Bought {
                identity: *identity,
                digest: self.scene.digest,
                purchase: Purchase {
                    order: self.scene.order,
                    accepted,
                    amount: fact.amount.unwrap_or(0),
                    until: accepted.start().day().plus(days.into()),
                },
            })
        };
        let minutes = reported.chain([self.scene.accepted]);
        let is_purchase = fact.kind == ConversionKind::Purchase;
        minutes.filter(|_| is_purchase).flat_map(bought).collect()
    }
}

pub struct World<'a> {
    versions: &'a Versions,
    members: Vec<Member<'a>>,
    bought: Vec<Bought>,
    cancelled: BTreeMap<OrderPseudonym, Minute>,
}

impl<'a> World<'a> {
    /// A scene, of which these facts are known, and its rivals.
    pub fn around(scene: &'a Scene, facts: Order) -> Self {
        let mut world = Self::of(&scene.versions, scene.rivals.iter().collect());
        world.members.insert(0, Member { scene, facts, computed: None });
        world.remember(scene);
        world
    }

    /// The purchases that a scene has without referrals.
    pub fn remember(&mut self, scene: &Scene) {
        self.bought.clone_from(&scene.purchases);
        self.cancelled.clone_from(&scene.cancelled);
    }

    /// Orders of one program.
    pub fn of(versions: &'a Versions, scenes: Vec<&'a Scene>) -> Self {
        let member = |scene: &'a Scene| {
            let mut facts = fold(scene.facts());
            facts.stand(&scene.reports);
            Member { scene, facts, computed: None }
        };
        let members = scenes.into_iter().map(member).collect();
        Self { versions, members, bought: Vec::new(), cancelled: BTreeMap::new() }
    }

    /// Decides one order after the other, as their places say. The verdicts by the order in which the
    /// world was given.
    pub fn verdicts(&mut self, told: Told) -> Vec<Option<(Minute, Verdict)>> {
        let mut turns: Vec<usize> = (0..self.members.len()).collect();
        turns.retain(|index| self.members[*index].facts.conversion.is_some());
        turns.sort_by_key(|index| self.members[*index].place(self.versions));
        let mut verdicts = vec![None; self.members.len()];
        for index in turns {
            let decided = self.decide(index);
            let member = &mut self.members[index];
            match told {
                Told::Computed => member.computed = Some((decided.0, decided.1.admitted)),
                Told::Facts => {
                    let fact = Fact::Verdict(decided.1.clone());
                    let (accepted, kind) = (decided.0, fact.kind());
                    member.facts.add(FactKey { accepted, kind, digest: digest(80) }, fact);
                }
            }
            verdicts[index] = Some(decided);
        }
        verdicts
    }

    /// The verdict on one order, by what is visible of the others.
    pub fn decide(&self, index: usize) -> (Minute, Verdict) {
        let member = &self.members[index];
        let facts = self.joined(index);
        let weighed = self.weighed(index, &facts);
        let standing = self.standing(index, &weighed);
        let Scene { reports, earned, items, pace, unranked, .. } = member.scene;
        settle(&Case {
            order: member.scene.order,
            advocate: member.scene.advocate,
            known: &member.scene.known,
            facts: &facts,
            items,
            versions: self.versions,
            reports,
            standing: &standing,
            earned,
            pace,
            crowded: *unranked,
        })
        .unwrap()
    }

    /// How one order's claim is let in, or why it is not.
    pub fn admit(&self, index: usize) -> Result<Admission, Reason> {
        let facts = self.joined(index);
        let weighed = self.weighed(index, &facts);
        admit(&weighed, &self.members[index].scene.reports, &self.standing(index, &weighed))
    }

    /// Whom an order without a proof is bound to, by what was accepted up to its first report.
    pub fn bound_to(&self, index: usize) -> Option<(CustomerPseudonym, OrderPseudonym)> {
        let member = &self.members[index];
        let first = member.scene.reports.iter().map(|(at, _)| *at).min();
        let at = first.unwrap_or(member.scene.accepted);
        let conversion = Accepted { at, ..member.conversion().clone() };
        let weighed = Weighed {
            advocate: CustomerPseudonym([0; 7]),
            conversion: &conversion,
            facts: &Order::default(),
            known: &Known::default(),
            settled: at,
            ..self.weighed(index, &member.facts)
        };
        binders(&weighed, &self.claims(index, &weighed, at)).first().copied()
    }

    /// An order as it is decided. One without a proof names the purchase that binds it, as the Worker
    /// found it when the order came.
    fn joined(&self, index: usize) -> Order {
        let member = &self.members[index];
        let mut facts = member.undecided();
        let by = self.bound_to(index).filter(|(advocate, _)| *advocate == member.scene.advocate);
        if let Some(conversion) = &mut facts.conversion
            && conversion.fact.via == Via::Bound
        {
            conversion.fact.bound_by = by.map(|(_, order)| order);
        }
        facts
    }

    fn weighed<'f>(&'f self, index: usize, facts: &'f Order) -> Weighed<'f> {
        let member = &self.members[index];
        Weighed {
            order: member.scene.order,
            advocate: member.scene.advocate,
            conversion: facts.conversion.as_ref().unwrap(),
            facts,
            known: &member.scene.known,
            versions: self.versions,
            settled: member.settled(self.versions),
        }
    }

    fn standing(&self, index: usize, weighed: &Weighed<'_>) -> Standing {
        let scene = self.members[index].scene;
        let friendship =
            friendship(weighed, &self.claims(index, weighed, horizon(weighed.settled)));
        let first = scene.reports.iter().map(|(at, _)| *at).min();
        let reported = first.unwrap_or(weighed.conversion.at);
        // The Worker asks only where the shop is silent; where it is not, nothing may come of it.
        let known = earliest(self.purchases(weighed)).into_iter().any(|purchase| {
            purchase.counts(weighed, reported, &friendship)
                && !self.is_reversed(&purchase, weighed.settled)
        });
        Standing { friendship, known, crowded: scene.crowded, refusal: scene.refusal }
    }

    /// The claims under the identities of an order, accepted up to then.
    fn claims(&self, index: usize, weighed: &Weighed<'_>, up_to: Minute) -> Vec<Claim> {
        let identities: BTreeSet<Identity> =
            weighed.conversion.fact.identities.iter().copied().collect();
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != index);
        let claim = |(_, other): (usize, &Member<'_>)| {
            let theirs = &other.scene.conversion.identities;
            let shared = theirs.iter().filter(|it| identities.contains(it)).copied();
            let facts = other.facts.clone();
            facts.conversion.as_ref()?;
            let claim = Claim {
                order: other.scene.order,
                advocate: other.scene.advocate,
                shared: shared.collect(),
                accepted: other.ranks_at(),
                facts,
                reports: other.scene.reports.clone(),
                known: other.scene.known.clone(),
                confirmed: other.scene.confirmed.clone(),
                computed: other.computed,
                is_known: false,
            };
            (!claim.shared.is_empty() && other.scene.accepted <= up_to).then_some(claim)
        };
        let mut claims: Vec<Claim> = others.filter_map(claim).collect();
        let known = |claim: &Claim| {
            let named = self.under(&claim.identities(), up_to);
            let bought = claim.bought_before(weighed, &claims, named);
            let mut bought = bought.iter();
            claim.asks_memory(weighed) && bought.any(|one| !self.is_reversed(one, weighed.settled))
        };
        let known: Vec<bool> = claims.iter().map(known).collect();
        for (claim, is_known) in claims.iter_mut().zip(known) {
            claim.is_known = is_known;
        }
        claims.extend(self.members[index].scene.claims.iter().cloned());
        claims
    }

    /// The purchases under the identities of an order.
    fn purchases(&self, weighed: &Weighed<'_>) -> Vec<(Digest, Purchase)> {
        let mut purchases =
            self.under(&weighed.conversion.fact.identities, horizon(weighed.settled));
        purchases.extend(weighed.facts.remembered());
        purchases
    }

    /// The purchases under some identities, accepted up to then.
    fn under(&self, identities: &[Identity], up_to: Minute) -> Vec<(Digest, Purchase)> {
        let members = self.members.iter().flat_map(|member| member.bought(self.versions));
        let listed = members.chain(self.bought.iter().cloned());
        let listed = listed
            .filter(|one| identities.contains(&one.identity) && one.purchase.accepted <= up_to);
        listed.map(|one| (one.digest, one.purchase)).collect()
    }

    fn is_reversed(&self, purchase: &Purchase, until: Minute) -> bool {
        let of_order = |member: &&Member<'_>| member.scene.order == purchase.order;
        let bought = self.members.iter().find(of_order).is_some_and(|member| {
            let mut bought = member.conversion().clone();
            (bought.at, bought.fact.amount) = (purchase.accepted, Some(purchase.amount));
            bought.fact.via = Via::Bound;
            remaining(&member.facts, &bought, Some(until)).reversed.is_some()
        });
        bought || self.cancelled.get(&purchase.order).is_some_and(|at| *at <= until)
    }
}
