//! What is remembered of people: who bought what by whose recommendation, under each identity that an
//! order names. One key says both that an order claims a friend and that the person is no new customer;
//! what follows from it is decided in `passalong_core::orders::claims`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures_util::future::join;
use passalong_core::fact::{Accepted, Conversion, Fact, FactKey, Order, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, HintPseudonym, Identity, OrderPseudonym};
use passalong_core::mutation::{self, Mutation};
use passalong_core::orders::claims::{
    Admission, CLAIMS, Claim, Friendship, PURCHASES, Purchase, Standing, Weighed, admit, decided,
    earliest, friendship, horizon,
};
use passalong_core::reward::{ConversionKind, Role};
use passalong_core::settlement::{Known, remaining, settling};
use passalong_core::time::{DAY, Day, Minute};

use crate::customers;
use crate::keys::{Ledger, PersonKey, Seen};
use crate::metadata::Person;
use crate::orders::{self, has_room_aside, ranks};
use crate::programs::Loaded;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Keys of one identity that are read, the earliest first: one page of a list.
const READ: usize = 1_000;

/// A listed key of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub identity: Identity,
    pub seen: Seen,
    pub meta: Person,
}

impl Listed {
    pub fn read(entry: &Entry) -> Option<Self> {
        let key: PersonKey = entry.key.parse().ok()?;
        let meta: Person = entry.read()?;
        Some(Self { identity: key.identity, seen: key.seen, meta })
    }

    /// The purchase it says, with the digest that ranks it among reports of one order.
    pub fn purchase(&self) -> Option<(Digest, Purchase)> {
        let Seen { accepted, order, digest, .. } = self.seen;
        let Person { kind, amount, until, .. } = self.meta;
        let amount = amount.unwrap_or(0);
        let is_purchase = kind == ConversionKind::Purchase;
        is_purchase.then_some((digest, Purchase { order, accepted, amount, until }))
    }
}

/// The keys of an order under each identity it names. What brought no referral is remembered for as long
/// as the terms say and one longest hold, so that no order is decided without it; what claims a friend
/// is money and stays.
pub fn person_puts<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    ledger: Ledger,
    order: OrderPseudonym,
    (key, conversion): (FactKey, &Conversion),
) -> Vec<Put> {
    let terms = program.versions.at(conversion.occurred_at).or_else(|| program.versions.first());
    let days = terms.map_or(0, |version| version.terms.attribution.remember_days);
    let until: Day = key.accepted.start().day().plus(days.into());
    let customer = conversion.identities.iter().find_map(|identity| match identity {
        Identity::Customer(customer) => Some(*customer),
        Identity::Hint(_) => None,
    });
    let hints = conversion.identities.iter().filter_map(|identity| match identity {
        Identity::Hint(hint) => Some(*hint),
        Identity::Customer(_) => None,
    });
    let hints: Vec<HintPseudonym> = hints.collect();
    let put = |identity: &Identity| {
        let is_customer = matches!(identity, Identity::Customer(_));
        let meta = Person {
            kind: conversion.kind,
            amount: conversion.amount,
            until,
            hints: if is_customer { hints.clone() } else { Vec::new() },
            customer: customer.filter(|_| !is_customer),
        };
        let seen = Seen { accepted: key.accepted, order, ledger, digest: key.digest };
        let key = PersonKey { program: program.id().clone(), identity: *identity, seen };
        let put = Put::listed(&key, &meta);
        match ledger.0 {
            Some(_) => put,
            None => put.until(until.start().plus((1 + LONGEST_HOLD) * DAY), cx.now),
        }
    };
    conversion.identities.iter().map(put).collect()
}

/// No hold is longer, in days.
const LONGEST_HOLD: i64 = 730;

/// Keys of an identity, the earliest first; and where there may be more than are read for a verdict, the
/// minute of the last that is. Nothing that is accepted later changes that.
pub type Keys = (Vec<Listed>, Option<Minute>);

/// The keys of an identity that are read for a verdict.
pub async fn listed<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    identity: Identity,
) -> Result<Keys, StoreError> {
    listed_first(cx, program, identity, READ).await
}

/// The first so many keys of an identity.
pub async fn listed_first<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    identity: Identity,
    most: usize,
) -> Result<Keys, StoreError> {
    let prefix = PersonKey::prefix(&[program.id(), &identity]);
    let (mut entries, _) = cx.first(&prefix, most).await?;
    entries.truncate(most);
    let read = |entry: &Entry| entry.once(Listed::read);
    let whole = entries.get(..READ).unwrap_or_default();
    let read_up_to = whole.iter().rev().find_map(read).map(|last| last.seen.accepted);
    Ok((entries.iter().filter_map(read).collect(), read_up_to))
}

/// Who a customer is: the hints that the shop confirmed, and those that orders named together with the
/// customer's id. Two lists.
pub async fn known<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<customers::Customer, StoreError> {
    let record = customers::load(cx, program, customer);
    let listed = listed(cx, program, Identity::Customer(customer));
    let (record, listed) = join(record, listed).await;
    let mut record = record?;
    let (listed, read_up_to) = listed?;
    record.known.read_up_to = read_up_to;
    if !mutation::is_on(Mutation::HintsFromTokens) {
        record.known.ties.extend(listed.iter().flat_map(ties));
    }
    Ok(record)
}

/// The hints that an order named together with a customer's id.
pub fn ties(listed: &Listed) -> Vec<(Minute, Identity)> {
    let hints = listed.meta.hints.iter();
    hints.map(|hint| (listed.seen.accepted, Identity::Hint(*hint))).collect()
}

/// How thoroughly others are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// For an answer that may change: a few claims, and no verdict that is not visible is computed.
    Provisional,
    /// For a verdict.
    Final,
}

impl Depth {
    const fn claims(self) -> usize {
        match self {
            Self::Provisional => 10,
            Self::Final => CLAIMS,
        }
    }

    const fn purchases(self) -> usize {
        match self {
            Self::Provisional => 5,
            Self::Final => PURCHASES,
        }
    }
}

/// What was read and computed for one decision: each of it once.
#[derive(Debug, Default)]
pub struct Looked {
    listed: BTreeMap<Identity, Rc<Keys>>,
    claims: BTreeMap<(OrderPseudonym, CustomerPseudonym), Option<Rc<Read>>>,
    known: BTreeMap<CustomerPseudonym, Known>,
    events: BTreeMap<OrderPseudonym, Vec<(FactKey, Fact)>>,
    /// Claims whose verdicts are not visible.
    computed: BTreeMap<(OrderPseudonym, CustomerPseudonym), (Minute, Option<Admission>)>,
}

/// What is read of the order of a claim.
#[derive(Debug)]
struct Read {
    reports: Vec<orders::Report>,
    facts: Order,
}

impl Looked {
    async fn listed<H: Host>(
        &mut self,
        cx: &Context<'_, H>,
        program: &Loaded,
        identity: Identity,
    ) -> Result<Rc<Keys>, StoreError> {
        if let Some(known) = self.listed.get(&identity) {
            return Ok(Rc::clone(known));
        }
        let found = Rc::new(listed(cx, program, identity).await?);
        self.listed.insert(identity, Rc::clone(&found));
        Ok(found)
    }

    async fn known<H: Host>(
        &mut self,
        cx: &Context<'_, H>,
        program: &Loaded,
        advocate: CustomerPseudonym,
    ) -> Result<Known, StoreError> {
        if let Some(known) = self.known.get(&advocate) {
            return Ok(known.clone());
        }
        let found = known(cx, program, advocate).await?.known;
        self.known.insert(advocate, found.clone());
        Ok(found)
    }

    async fn events<H: Host>(
        &mut self,
        cx: &Context<'_, H>,
        program: &Loaded,
        order: OrderPseudonym,
    ) -> Result<Vec<(FactKey, Fact)>, StoreError> {
        if let Some(known) = self.events.get(&order) {
            return Ok(known.clone());
        }
        let found = orders::events(cx, program, order).await?;
        self.events.insert(order, found.clone());
        Ok(found)
    }

    /// The reports of an order and its advocate's ledger of it; nothing where it was not recorded.
    async fn read<H: Host>(
        &mut self,
        cx: &Context<'_, H>,
        program: &Loaded,
        question: &Question<'_>,
        (order, advocate): (OrderPseudonym, CustomerPseudonym),
    ) -> Result<Option<Rc<Read>>, StoreError> {
        if let Some(known) = self.claims.get(&(order, advocate)) {
            return Ok(known.clone());
        }
        let reports = orders::reports(cx, program, order).await?;
        let home = question.ledger.filter(|_| advocate == question.weighed.advocate);
        let found = match home.and_then(|ledger| ledger.get(&order)) {
            _ if reports.is_empty() => None,
            Some(facts) => Some(Rc::new(Read { reports, facts: facts.clone() })),
            None => {
                let facts = orders::in_ledger(cx, program, advocate, order).await?;
                Some(Rc::new(Read { reports, facts }))
            }
        };
        self.claims.insert((order, advocate), found.clone());
        Ok(found)
    }
}

/// What is read of others for an order.
#[derive(Debug)]
pub struct Question<'a> {
    pub weighed: Weighed<'a>,
    /// When the order was reported first.
    pub reported: Minute,
    /// Keys accepted later are not read.
    pub up_to: Minute,
    pub depth: Depth,
    /// Whether hints that are confirmed for the friend matter: for orders without a proof.
    pub binding: bool,
    /// The ledger of the order's advocate, where it was read already.
    pub ledger: Option<&'a BTreeMap<OrderPseudonym, Order>>,
}

/// What others say about an order.
#[derive(Debug, Clone, Default)]
pub struct Others {
    pub claims: Vec<Claim>,
    pub purchases: Vec<(Digest, Purchase)>,
    pub crowded: bool,
}

/// Reads who else claims the friend, computes what was decided before and is not visible, and folds it.
pub async fn standing<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    question: &Question<'_>,
    looked: &mut Looked,
) -> Result<Standing, StoreError> {
    let others = others(cx, program, question, looked).await?;
    let mut friendship = friendship(&question.weighed, &others.claims);
    let is_final = question.depth == Depth::Final;
    let is_silent = question.weighed.conversion.fact.first_order.is_none();
    let is_cut = |read: Minute| read <= question.up_to;
    let mut crowded = others.crowded;
    let Weighed { known, facts, .. } = question.weighed;
    let read_up_to = known.read_up_to.into_iter().chain(facts.read_up_to(Role::Advocate));
    crowded |= is_final && read_up_to.into_iter().any(is_cut);
    // Nothing is promised at once to a friend of whom more is known than is read.
    friendship.again |= crowded && !is_final;
    let known = if is_silent && !crowded {
        let known = is_known(cx, program, question, (&others, &friendship), looked).await?;
        crowded |= known.is_none();
        known.unwrap_or(!is_final)
    } else {
        is_silent && !is_final
    };
    let Weighed { order, advocate, conversion, settled, .. } = question.weighed;
    let refusal = orders::refusal(cx, program, (advocate, order), conversion, settled).await?;
    let crowded = crowded && is_final;
    Ok(Standing { friendship, known, crowded, refusal })
}

/// What of claims on a friend is listed: by order and advocate.
#[derive(Debug, Default)]
struct Found {
    shared: BTreeSet<Identity>,
    accepted: Option<Minute>,
}

/// Reads the claims on a friend and the purchases of the person: a list for each identity, and what is
/// known of each claim.
pub async fn others<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    question: &Question<'_>,
    looked: &mut Looked,
) -> Result<Others, StoreError> {
    let weighed = &question.weighed;
    let identities = &weighed.conversion.fact.identities;
    let mut others = Others::default();
    let mut found: BTreeMap<(OrderPseudonym, CustomerPseudonym), Found> = BTreeMap::new();
    for identity in identities {
        let read = looked.listed(cx, program, *identity).await?;
        let (listed, read_up_to) = &*read;
        others.crowded |= read_up_to.is_some_and(|last| last <= question.up_to);
        for one in listed.iter().filter(|one| one.seen.accepted <= question.up_to) {
            others.purchases.extend(one.purchase());
            let Some(advocate) = one.seen.ledger.0 else { continue };
            if (one.seen.order, advocate) == (weighed.order, weighed.advocate) {
                continue;
            }
            let slot = found.entry((one.seen.order, advocate)).or_default();
            slot.shared.insert(one.identity);
            slot.accepted = slot.accepted.into_iter().chain([one.seen.accepted]).min();
        }
    }
    others.purchases.extend(weighed.facts.remembered());
    let read_up_to = weighed.facts.read_up_to(Role::Friend);
    others.crowded |= read_up_to.is_some_and(|last| last <= question.up_to);
    let most = question.depth.claims();
    others.crowded |= found.len() > most;
    // How many there are says it all: none of them is read.
    if others.crowded && question.depth == Depth::Final {
        return Ok(Others { crowded: true, ..Others::default() });
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|((order, advocate), found)| (found.accepted, *order, *advocate));
    for ((order, advocate), found) in found.into_iter().take(most) {
        // A run that has come so far leaves this order to the next, which can read them all.
        if !has_room_aside(cx) {
            return Err(StoreError::OutOfBudget);
        }
        let claim = claim(cx, program, question, ((order, advocate), found), looked).await?;
        let Some(mut claim) = claim else { continue };
        if question.depth == Depth::Final && claim.is_to_compute(weighed.place(), &program.versions)
        {
            claim.computed = compute(cx, program, &claim, looked).await?;
        }
        others.claims.push(claim);
    }
    for place in 0..others.claims.len() {
        let Some(claim) = others.claims.get(place).filter(|claim| claim.asks_memory(weighed))
        else {
            continue;
        };
        // An answer that may change reads no more lists than the order has identities.
        let is_read =
            |identity: &Identity| question.depth == Depth::Final || identities.contains(identity);
        let mut named = Vec::new();
        for identity in claim.identities().into_iter().filter(is_read) {
            let read = looked.listed(cx, program, identity).await?;
            let seen = read.0.iter().filter(|one| one.seen.accepted <= question.up_to);
            named.extend(seen.filter_map(Listed::purchase));
        }
        let earlier = claim.bought_before(weighed, &others.claims, named);
        // More than can be read are too many for a new customer.
        let is_known = any_stands(cx, program, question, earlier, looked).await?.unwrap_or(true);
        if let Some(claim) = others.claims.get_mut(place) {
            claim.is_known = is_known;
        }
    }
    Ok(others)
}

/// One claim on a friend; none where its order was not recorded: what an interrupted request left behind
/// must not overtake those that were decided without it.
async fn claim<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    question: &Question<'_>,
    ((order, advocate), found): ((OrderPseudonym, CustomerPseudonym), Found),
    looked: &mut Looked,
) -> Result<Option<Claim>, StoreError> {
    let read = looked.read(cx, program, question, (order, advocate)).await?;
    let Some(read) = read else { return Ok(None) };
    let Some(first) = read.reports.first() else { return Ok(None) };
    let mut facts = read.facts.clone();
    let place = question.weighed.place();
    let verdict = facts.verdict.as_ref().map(|verdict| verdict.at);
    let is_decided = verdict.is_some_and(|at| (at, order, advocate) < place);
    // Of those who reported an order as missing, it belongs to one.
    let by_hand = facts.conversion.as_ref().is_some_and(|it| it.fact.via == Via::Hand);
    if by_hand && !is_decided && first.advocate != Some(advocate) {
        return Ok(None);
    }
    let mut known = Known::default();
    if !is_decided {
        for (key, fact) in looked.events(cx, program, order).await? {
            facts.add(key, fact);
        }
        known = looked.known(cx, program, advocate).await?;
    }
    let conversion = facts.conversion.as_ref();
    let joined = conversion.filter(|conversion| conversion.fact.via.is_joined());
    let ranked = conversion.filter(|_| mutation::is_on(Mutation::RankedByOccurrence));
    let ranked = ranked.map(|conversion| conversion.fact.occurred_at.minute_up());
    let listed = found.accepted.map_or(first.key.accepted, |at| at.max(first.key.accepted));
    let accepted = ranked.or(joined.map(|conversion| conversion.at)).unwrap_or(listed);
    let friend = conversion.map(|conversion| &conversion.fact.identities);
    let confirmed = confirmed(cx, program, question, &found.shared, friend).await?;
    Ok(Some(Claim {
        order,
        advocate,
        shared: found.shared,
        accepted,
        reports: ranks(&read.reports),
        facts,
        known,
        confirmed,
        computed: None,
        is_known: false,
    }))
}

/// The hints that the shop confirmed for the customer of a claim. Read only where they decide.
async fn confirmed<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    question: &Question<'_>,
    shared: &BTreeSet<Identity>,
    friend: Option<&Vec<Identity>>,
) -> Result<BTreeSet<HintPseudonym>, StoreError> {
    let by_customer = shared.iter().any(|identity| matches!(identity, Identity::Customer(_)));
    let customer = friend.into_iter().flatten().find_map(|identity| match identity {
        Identity::Customer(customer) => Some(*customer),
        Identity::Hint(_) => None,
    });
    let Some(customer) = customer.filter(|_| question.binding && !by_customer) else {
        return Ok(BTreeSet::new());
    };
    let record = customers::load(cx, program, customer).await?;
    let until = question.weighed.settled;
    let known = record.known.identities.iter().filter(|(since, _)| *since <= until);
    let hints = known.filter_map(|(_, identity)| match identity {
        Identity::Hint(hint) => Some(*hint),
        Identity::Customer(_) => None,
    });
    Ok(hints.collect())
}

/// How a claim is decided that settles before and whose verdict is not visible: from the same facts.
async fn compute<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    claim: &Claim,
    looked: &mut Looked,
) -> Result<Option<(Minute, Option<Admission>)>, StoreError> {
    let slot = (claim.order, claim.advocate);
    if let Some(known) = looked.computed.get(&slot) {
        return Ok(Some(*known));
    }
    let mut facts = claim.facts.undecided();
    facts.stand(&claim.reports);
    let Some(conversion) = facts.conversion.as_ref() else { return Ok(None) };
    let version = program.versions.at(conversion.fact.occurred_at);
    let Some(version) = version.or_else(|| program.versions.first()) else { return Ok(None) };
    let settled = settling(&facts, conversion, &version.terms).at;
    let weighed = Weighed {
        order: claim.order,
        advocate: claim.advocate,
        conversion,
        facts: &facts,
        known: &claim.known,
        versions: &program.versions,
        settled,
    };
    let question = Question {
        weighed,
        reported: reported(&claim.reports, conversion),
        up_to: horizon(settled),
        depth: Depth::Final,
        binding: false,
        ledger: None,
    };
    let standing = Box::pin(standing(cx, program, &question, looked)).await?;
    let admitted = decided(&weighed, admit(&weighed, &claim.reports, &standing), &standing);
    looked.computed.insert(slot, (settled, admitted));
    Ok(Some((settled, admitted)))
}

/// When an order was reported first; it may have come into its ledger later.
pub fn reported(reports: &[(Minute, Digest)], conversion: &Accepted<Conversion>) -> Minute {
    reports.iter().map(|(at, _)| *at).min().unwrap_or(conversion.at)
}

/// Whether an earlier purchase of the person counts; nothing where there are more than can be read.
async fn is_known<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    question: &Question<'_>,
    (others, friendship): (&Others, &Friendship),
    looked: &mut Looked,
) -> Result<Option<bool>, StoreError> {
    let counting = earliest(others.purchases.iter().cloned())
        .into_iter()
        .filter(|purchase| purchase.counts(&question.weighed, question.reported, friendship))
        .collect();
    any_stands(cx, program, question, counting, looked).await
}

/// Whether one of these purchases is not wholly reversed; nothing where there are more than can be read.
async fn any_stands<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    question: &Question<'_>,
    purchases: Vec<Purchase>,
    looked: &mut Looked,
) -> Result<Option<bool>, StoreError> {
    let most = question.depth.purchases();
    let is_cut = purchases.len() > most;
    for purchase in purchases.into_iter().take(most) {
        if !has_room_aside(cx) {
            return Err(StoreError::OutOfBudget);
        }
        let mut facts = Order::default();
        for (key, fact) in looked.events(cx, program, purchase.order).await? {
            facts.add(key, fact);
        }
        let bought = bought(&purchase);
        if remaining(&facts, &bought, Some(question.weighed.settled)).reversed.is_none() {
            return Ok(Some(true));
        }
    }
    Ok(if is_cut { None } else { Some(false) })
}

/// A purchase as its events see it.
fn bought(purchase: &Purchase) -> Accepted<Conversion> {
    Accepted {
        at: purchase.accepted,
        digest: Digest([0; 10]),
        fact: Conversion {
            kind: ConversionKind::Purchase,
            amount: Some(purchase.amount),
            currency: None,
            identities: Vec::new(),
            first_order: None,
            occurred_at: purchase.accepted.start(),
            segment: None,
            action: None,
            via: Via::Bound,
            noted: None,
            admission: Admission::First,
            waived: false,
            excluded: 0,
            bound_by: None,
            browser_only: false,
        },
    }
}
