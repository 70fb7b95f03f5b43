//! The one fold over the claims on a friend. It decides for an order and for its rivals alike who
//! holds the friend, whether the friend converted before, and whether the friend is a new customer.
//!
//! Verdicts fall in the order of their [`Place`], and each records whether it let its claim in. So a
//! claim decided before counts as its verdict says, and only the claims that are still open are
//! weighed by the facts accepted up to `S`.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::{Accepted, Conversion, Order, Via};
use crate::ids::{CustomerPseudonym, Digest, HintPseudonym, Identity, OrderPseudonym};
use crate::mutation::{self, Mutation};
use crate::program::{Unknown, Versions};
use crate::reward::{ConversionKind, Reason};
use crate::settlement::{Known, remaining, settling};
use crate::time::{DAY, Day, HOUR, Instant, Minute};
use crate::words::words;

/// Claims on one friend that are weighed. With more of them the verdict is a review.
pub const CLAIMS: usize = 60;
/// Earlier purchases of one person that are weighed. With more of them the verdict is a review.
pub const PURCHASES: usize = 60;

words!(
    /// How a claim was let in: by attribution alone, without value, caps and review.
    Admission {
        /// The friend's first conversion of its kind.
        First = "first",
        /// The friend converted in this way before, by a claim that was let in.
        Again = "again",
        /// The friend bought before, without a claim that was let in.
        Old = "old",
    }
);

/// The order in which verdicts fall: by settlement instant, then order, then advocate.
pub type Place = (Minute, OrderPseudonym, CustomerPseudonym);

/// How claims rank among each other: by accepted minute, then order, then advocate.
pub type Rank = (Minute, OrderPseudonym, CustomerPseudonym);

/// The last accepted minute of what a verdict at `S` reads about others. Whatever is accepted later
/// ranks behind the order and settles after it, and what an interrupted request left behind is
/// completed by then.
#[must_use]
pub fn horizon(settled: Minute) -> Minute {
    settled.plus(-HOUR)
}

/// An order with an advocate that shares an identity with the one that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    /// The identities under which it was found.
    pub shared: BTreeSet<Identity>,
    /// The accepted minute by which it ranks.
    pub accepted: Minute,
    /// Its advocate's ledger of that order, with all events that are known.
    pub facts: Order,
    /// Every report of that order: accepted minute and digest.
    pub reports: Vec<(Minute, Digest)>,
    /// Who its advocate is. Read only while the claim is open.
    pub known: Known,
    /// Hints of its friend that an identity token or the shop's own customer event confirmed.
    pub confirmed: BTreeSet<HintPseudonym>,
    /// How it is decided, where its verdict is not visible and was computed instead.
    pub computed: Option<(Minute, Option<Admission>)>,
    /// A purchase came before it and stands: [`Claim::bought_before`]. Read only where
    /// [`Claim::asks_memory`] says so; false elsewhere.
    pub is_known: bool,
}

impl Claim {
    const fn rank(&self) -> Rank {
        (self.accepted, self.order, self.advocate)
    }

    /// The report by which it stands. A report that does not count claims nobody.
    fn standing(&self) -> Option<Accepted<Conversion>> {
        match self.reports.iter().min() {
            Some(first) => self.facts.standing(&[*first]),
            None => self.facts.conversion.clone(),
        }
    }

    /// When its verdict falls, as far as these facts say.
    pub fn place(&self, versions: &Versions) -> Option<Place> {
        let decided = self.facts.verdict.as_ref().map(|verdict| verdict.at);
        let at = decided.or(self.computed.map(|(at, _)| at)).or_else(|| {
            let standing = self.standing()?;
            let version = versions.at(standing.fact.occurred_at).or_else(|| versions.first())?;
            Some(settling(&self.facts, &standing, &version.terms).at)
        })?;
        Some((at, self.order, self.advocate))
    }

    /// How it was decided: the outer `None` where that is not known.
    #[allow(clippy::option_option, reason = "not known is not the same as not let in")]
    fn decided(&self) -> Option<Option<Admission>> {
        let verdict = self.facts.verdict.as_ref().map(|verdict| verdict.fact.admitted);
        verdict.or(self.computed.map(|(_, admitted)| admitted))
    }

    /// How it was decided before the order: the outer `None` where it is open.
    #[allow(clippy::option_option, reason = "open is not the same as not let in")]
    fn decided_before(&self, weighed: &Weighed<'_>) -> Option<Option<Admission>> {
        let is_before = |own: Place| own < weighed.place();
        self.decided().filter(|_| self.place(weighed.versions).is_some_and(is_before))
    }

    /// Whether it is open, ranks before the order, and counts only if nobody bought before it. Of one
    /// order reported by two customers, who was first counts, whoever bought before.
    pub fn asks_memory(&self, weighed: &Weighed<'_>) -> bool {
        let is_silent = |standing: &Accepted<Conversion>| {
            standing.fact.first_order.is_none()
                && is_for_new_only(weighed.versions, standing.fact.occurred_at)
        };
        self.decided_before(weighed).is_none()
            && self.order != weighed.order
            && self.rank() < weighed.rank()
            && self.standing().is_some_and(|standing| is_silent(&standing))
    }

    /// Which purchases make its friend a known one, unless they were wholly reversed: of those under the
    /// identities that it names, and of those that it remembers, what came before it and was not let in
    /// for the same advocate.
    pub fn bought_before(
        &self,
        weighed: &Weighed<'_>,
        claims: &[Self],
        named: impl IntoIterator<Item = (Digest, Purchase)>,
    ) -> Vec<Purchase> {
        let first = self.reports.iter().map(|(at, _)| *at).min().unwrap_or(self.accepted);
        let is_own = |order: OrderPseudonym| {
            let mut same = claims.iter().filter(|one| one.order == order);
            same.any(|one| {
                let admitted = one.decided_before(weighed).flatten();
                one.advocate == self.advocate && admitted.is_some()
            })
        };
        let mut earlier = earliest(named.into_iter().chain(self.facts.remembered()));
        earlier.retain(|one| one.comes_before(self.order, first) && !is_own(one.order));
        earlier
    }

    /// The identities that its friend was named by.
    pub fn identities(&self) -> Vec<Identity> {
        self.standing().map(|standing| standing.fact.identities).unwrap_or_default()
    }

    /// Whether its verdict falls before `place` and is still to be computed.
    pub fn is_to_compute(&self, place: Place, versions: &Versions) -> bool {
        self.decided().is_none() && self.place(versions).is_some_and(|own| own < place)
    }
}

/// An order whose claims are weighed.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'a> {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    /// Its report, with the accepted minute by which it ranks.
    pub conversion: &'a Accepted<Conversion>,
    pub facts: &'a Order,
    pub known: &'a Known,
    pub versions: &'a Versions,
    /// Its settlement instant.
    pub settled: Minute,
}

impl Weighed<'_> {
    pub const fn place(&self) -> Place {
        (self.settled, self.order, self.advocate)
    }

    const fn rank(&self) -> Rank {
        (self.conversion.at, self.order, self.advocate)
    }
}

/// What the claims on a friend say about an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Friendship {
    /// A claim of another advocate holds the friend.
    pub taken: bool,
    /// The friend converted in the same way before, by a claim that counts.
    pub again: bool,
    /// The same advocate brought the friend by a purchase that counts: the friend is no old customer.
    pub held: bool,
    /// A purchase with a proof of its own binds the order to this advocate.
    pub bound: bool,
    /// Purchases that count for the same advocate.
    pub own: BTreeSet<OrderPseudonym>,
}

/// Folds the claims on a friend. A claim decided before holds the friend for good if it was let in,
/// and nobody otherwise. An open claim that ranks before the order holds the friend as far as the
/// facts accepted up to `S` say.
pub fn friendship(weighed: &Weighed<'_>, claims: &[Claim]) -> Friendship {
    let fact = &weighed.conversion.fact;
    let mut counting = counting(weighed, claims);
    counting.sort_by_key(|(claim, _)| (claim.place(weighed.versions), claim.rank()));
    let mut found = Friendship::default();
    for identity in &fact.identities {
        let mut shared = counting.iter().filter(|(claim, _)| claim.shared.contains(identity));
        let decided = shared.clone().find(|(_, admission)| admission.is_some());
        let open = || shared.clone().min_by_key(|(claim, _)| claim.rank());
        let holder = decided.or_else(open).map(|(claim, _)| claim.advocate);
        found.taken |= holder.is_some_and(|holder| holder != weighed.advocate);
        // An order that two customers report as missing belongs to the earlier approval.
        found.taken |= shared
            .any(|(claim, _)| claim.order == weighed.order && claim.advocate != weighed.advocate);
    }
    for (claim, admission) in counting {
        let Some(other) = claim.standing() else { continue };
        let is_earlier = claim.rank() < weighed.rank();
        let came_before = is_earlier || admission == Some(Admission::First);
        found.again |=
            other.fact.kind == fact.kind && came_before && !mutation::is_on(Mutation::PaidAgain);
        if claim.advocate != weighed.advocate || other.fact.kind != ConversionKind::Purchase {
            continue;
        }
        found.held |= is_earlier;
        found.bound |= fact.bound_by == Some(claim.order);
        found.own.insert(claim.order);
    }
    found
}

/// The claims that count for an order, with how they were decided: `None` while open.
fn counting<'c>(weighed: &Weighed<'_>, claims: &'c [Claim]) -> Vec<(&'c Claim, Option<Admission>)> {
    let mut ranked: Vec<&Claim> = claims
        .iter()
        .filter(|claim| (claim.order, claim.advocate) != (weighed.order, weighed.advocate))
        .collect();
    ranked.sort_by_key(|claim| claim.rank());
    let mut counting = Vec::new();
    let mut held: BTreeSet<CustomerPseudonym> = BTreeSet::new();
    for claim in ranked {
        let Some(standing) = claim.standing() else { continue };
        let names = |identity: &Identity| standing.fact.identities.contains(identity);
        if !claim.shared.iter().any(names) {
            continue;
        }
        let admission = match claim.decided_before(weighed) {
            Some(None) => continue,
            Some(admission) => admission,
            None => {
                let is_earlier = claim.rank() < weighed.rank();
                if !is_earlier || !stands(weighed, claim, &standing, &held) {
                    continue;
                }
                None
            }
        };
        if standing.fact.kind == ConversionKind::Purchase {
            held.insert(claim.advocate);
        }
        counting.push((claim, admission));
    }
    counting
}

/// Whether an open claim is good by itself and not wholly reversed, by the facts accepted up to the
/// order's `S`. That of an old customer counts only after another of the same advocate. A bound order
/// holds nobody by itself: what binds it does.
fn stands(
    weighed: &Weighed<'_>,
    claim: &Claim,
    standing: &Accepted<Conversion>,
    held: &BTreeSet<CustomerPseudonym>,
) -> bool {
    let until = weighed.settled;
    let by_itself =
        attribute(standing, &claim.facts, claim.advocate, &claim.known, weighed.versions, until);
    let is_known = claim.is_known && !mutation::is_on(Mutation::OldOneHolds);
    let by_itself = if is_known { by_itself.and(Err(Reason::ExistingCustomer)) } else { by_itself };
    let is_waived = by_itself == Err(Reason::ExistingCustomer) && held.contains(&claim.advocate);
    standing.fact.via != Via::Bound
        && (by_itself.is_ok() || is_waived)
        && (remaining(&claim.facts, standing, Some(until)).reversed.is_none()
            || mutation::is_on(Mutation::ReversedBinds))
}

/// Whether a purchase with a proof of its own binds later orders of the same friend: those of the same
/// customer id, and those that name a hint which is confirmed for that customer.
fn binds(weighed: &Weighed<'_>, claim: &Claim, by: &Conversion) -> bool {
    let fact = &weighed.conversion.fact;
    let days = weighed.versions.at(fact.occurred_at);
    let days = days.map_or(0, |version| version.terms.attribution.bound_days);
    let age = fact.occurred_at.seconds() - by.occurred_at.seconds();
    let is_sure = |identity: &&Identity| match identity {
        Identity::Customer(_) => true,
        Identity::Hint(hint) => claim.confirmed.contains(hint),
    };
    let shared = || by.identities.iter().filter(|identity| fact.identities.contains(identity));
    !by.via.is_joined()
        && by.kind == ConversionKind::Purchase
        && days > 0
        && (0..=i64::from(days) * DAY).contains(&age)
        && shared().any(|identity| is_sure(&identity))
}

/// The purchases that bind a friend as of `weighed.settled`, by rank: those that count, had a proof of
/// their own, and are at most `bound_days` older. An order without proof belongs to whoever brought the
/// first of them.
pub fn binders(
    weighed: &Weighed<'_>,
    claims: &[Claim],
) -> Vec<(CustomerPseudonym, OrderPseudonym)> {
    let mut binders = counting(weighed, claims);
    binders.retain(|(claim, _)| {
        let by = claim.standing();
        claim.rank() < weighed.rank() && by.is_some_and(|by| binds(weighed, claim, &by.fact))
    });
    binders.sort_by_key(|(claim, _)| claim.rank());
    binders.into_iter().map(|(claim, _)| (claim.advocate, claim.order)).collect()
}

/// A purchase of a person, as a key under one of the person's identities holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    pub order: OrderPseudonym,
    pub accepted: Minute,
    pub amount: i64,
    /// The last day on which it is remembered.
    pub until: Day,
}

impl Purchase {
    /// Whether it makes the person of this order a known one, unless it was wholly reversed.
    /// `reported` is the minute in which the order was reported first.
    pub fn counts(&self, weighed: &Weighed<'_>, reported: Minute, friendship: &Friendship) -> bool {
        self.comes_before(weighed.order, reported) && !friendship.own.contains(&self.order)
    }

    /// Whether it came before an order that was reported in that minute, and was remembered then.
    pub fn comes_before(&self, order: OrderPseudonym, reported: Minute) -> bool {
        (self.accepted, self.order) < (reported, order)
            && self.order != order
            && reported.start().day() <= self.until
    }
}

/// What attribution is decided by, besides the order itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub friendship: Friendship,
    /// A purchase of this person is known that counts. Asked only where the shop is silent.
    pub known: bool,
    /// More had to be weighed than a verdict may read.
    pub crowded: bool,
    /// Why an approved missing referral is not this advocate's after all:
    /// [`crate::missing_referral::refusal`].
    pub refusal: Option<Reason>,
}

/// Decides whether an order's claim is let in, and how, or why not. Of several reports of an order the
/// one accepted first counts.
pub fn admit(
    weighed: &Weighed<'_>,
    reports: &[(Minute, Digest)],
    standing: &Standing,
) -> Result<Admission, Reason> {
    let fact = &weighed.conversion.fact;
    if reports.iter().min().is_some_and(|(_, first)| *first != weighed.conversion.digest) {
        return Err(Reason::ConflictingReport);
    }
    if let Some(reason) = standing.refusal {
        return Err(reason);
    }
    let Friendship { taken, again, held, bound, .. } = standing.friendship;
    let by_itself = attribute(
        weighed.conversion,
        weighed.facts,
        weighed.advocate,
        weighed.known,
        weighed.versions,
        weighed.settled,
    );
    match by_itself {
        Err(Reason::ExistingCustomer) if held => {}
        refused => refused?,
    }
    if fact.via == Via::Bound && !bound {
        return Err(Reason::NoReferral);
    }
    let new_only = is_for_new_only(weighed.versions, fact.occurred_at);
    let is_known =
        fact.first_order.is_none() && standing.known && !mutation::is_on(Mutation::NewByShopOnly);
    if taken {
        return Err(Reason::FriendAlreadyReferred);
    }
    if new_only && is_known && !held {
        return Err(Reason::ExistingCustomer);
    }
    let is_old = fact.first_order == Some(false) || is_known;
    Ok(match again {
        true => Admission::Again,
        false if is_old && fact.kind == ConversionKind::Purchase => Admission::Old,
        false => Admission::First,
    })
}

/// How an order's claim is decided: nothing where it holds nobody, because it is refused, wholly
/// reversed, or one of more claims than can be weighed.
pub fn decided(
    weighed: &Weighed<'_>,
    admitted: Result<Admission, Reason>,
    standing: &Standing,
) -> Option<Admission> {
    let left = remaining(weighed.facts, weighed.conversion, Some(weighed.settled));
    let stands = left.reversed.is_none() && !standing.crowded;
    admitted.ok().filter(|_| stands)
}

/// Whether the terms of that time reward new customers only.
fn is_for_new_only(versions: &Versions, occurred_at: Instant) -> bool {
    let version = versions.at(occurred_at);
    version.is_some_and(|version| version.terms.attribution.new_customers_only)
}

/// Why the merchant is to look at an order whose friend nobody knows: the terms promise rewards for
/// new customers only, the shop does not say, and the merchant chose to look at such orders.
pub fn is_unknown_buyer(weighed: &Weighed<'_>, standing: &Standing) -> bool {
    let fact = &weighed.conversion.fact;
    let Some(version) = weighed.versions.at(fact.occurred_at) else { return false };
    version.terms.unknown_buyers == Unknown::Review
        && version.terms.attribution.new_customers_only
        && fact.first_order.is_none()
        && !standing.known
        && !standing.friendship.held
}

/// Why a conversion cannot earn for this advocate, from itself, the terms and the advocate alone.
pub fn attribute(
    conversion: &Accepted<Conversion>,
    facts: &Order,
    advocate: CustomerPseudonym,
    known: &Known,
    versions: &Versions,
    until: Minute,
) -> Result<(), Reason> {
    let (digest, conversion) = (conversion.digest, &conversion.fact);
    let Some(version) = versions.at(conversion.occurred_at) else {
        return Err(Reason::BeforeProgram);
    };
    let terms = &version.terms;
    if terms.paused {
        return Err(Reason::ProgramPaused);
    }
    if conversion.currency.is_some_and(|currency| currency != terms.currency) {
        return Err(Reason::CurrencyMismatch);
    }
    // What other orders say counts as far as they are surely complete.
    let complete = horizon(until);
    let is_known = |all: &[(Minute, Identity)], until, identity: &Identity| {
        all.iter().any(|(since, own)| *since <= until && own == identity)
    };
    let own = |identity: &Identity| {
        *identity == Identity::Customer(advocate)
            || is_known(&known.identities, until, identity)
            || is_known(&known.ties, complete, identity)
    };
    if conversion.identities.iter().any(own) || facts.is_own(digest, until) {
        return Err(Reason::SelfReferral);
    }
    if let Via::Click { at, .. } = conversion.via {
        terms.attribution.window(at, conversion.occurred_at)?;
    }
    // Who is bound was new when the advocate brought them.
    let is_old = conversion.first_order == Some(false) && conversion.via != Via::Bound;
    if terms.attribution.new_customers_only && is_old {
        return Err(Reason::ExistingCustomer);
    }
    Ok(())
}

/// The first purchase of each order among several keys of it, earliest first.
pub fn earliest(purchases: impl IntoIterator<Item = (Digest, Purchase)>) -> Vec<Purchase> {
    let mut first: BTreeMap<OrderPseudonym, (Minute, Digest, Purchase)> = BTreeMap::new();
    for (digest, purchase) in purchases {
        let new = (purchase.accepted, digest);
        let slot = first.get(&purchase.order).map(|(at, digest, _)| (*at, *digest));
        if slot.is_none_or(|old| new < old) {
            first.insert(purchase.order, (new.0, new.1, purchase));
        }
    }
    let mut purchases: Vec<_> = first.into_values().map(|(_, _, purchase)| purchase).collect();
    purchases.sort_by_key(|purchase| (purchase.accepted, purchase.order));
    purchases
}
