//! Rewards as the merchant sees them: one found by its id, and how each is told.

use std::collections::BTreeMap;

use passalong_core::fact::{Fact, FactKey, Fulfilment, Order};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::orders::account;
use passalong_core::reward::{RewardId, Role};
use passalong_core::seal::Sealed;
use passalong_core::status::{self, Reward};
use passalong_core::wire::{MerchantReward, Paid, RewardEntry};

use crate::customers::{self, Customer};
use crate::ledgers;
use crate::news;
use crate::orders::{self, not_visible, record, reports};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::store::{Context, Host};

/// A reward with what it is computed from.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: RewardId,
    pub advocate: CustomerPseudonym,
    pub order: OrderPseudonym,
    pub facts: Order,
    /// The report by which the order stands in the ledger.
    pub report: FactKey,
    pub customer: Customer,
}

/// The reward of that id, and the entry of it that is meant, if any: `rw_…` or `rw_….{entry}`.
pub fn parse(text: &str) -> Result<(RewardId, Option<Digest>), Problem> {
    let unknown = || Problem::not_found("there is no such reward");
    let (id, entry) = match text.split_once('.') {
        Some((id, entry)) => (id, Some(entry.parse().map_err(|_| unknown())?)),
        None => (text, None),
    };
    Ok((id.parse().map_err(|_| unknown())?, entry))
}

/// Finds a reward: that of an order by its order, a milestone in its advocate's ledger.
pub async fn find<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    id: RewardId,
) -> Result<Found, Problem> {
    let (advocate, order, facts) = match id {
        RewardId::Order { order, .. } => (None, order, None),
        RewardId::Milestone { advocate, trigger, at } => {
            let mut ledger = ledgers::read(cx, program, advocate).await?.orders;
            let order = account::reached(&ledger, trigger, at).ok_or_else(not_visible)?;
            (Some(advocate), order, ledger.remove(&order))
        }
    };
    let known = reports(cx, program, order).await?;
    let first = known.first().ok_or_else(not_visible)?;
    let advocate = advocate.or(first.advocate).ok_or_else(not_visible)?;
    let facts = match facts {
        Some(facts) => facts,
        None => orders::in_ledger(cx, program, advocate, order).await?,
    };
    let customer = customers::load(cx, program, advocate).await?;
    Ok(Found { id, advocate, order, facts, report: first.key, customer })
}

impl Found {
    /// How it stands.
    pub fn state<H: Host>(&self, cx: &Context<'_, H>, program: &Loaded) -> Result<Reward, Problem> {
        let all = status::rewards(&self.facts, &self.customer.view(self.advocate, program, cx.now));
        let own = all.into_iter().find(|reward| reward.id(self.order, self.advocate) == self.id);
        own.ok_or_else(not_visible)
    }

    /// Tells the merchant's webhooks what a fact that is about to be written makes of it.
    pub async fn tell<H: Host>(
        &self,
        cx: &Context<'_, H>,
        program: &Loaded,
        fact: (FactKey, &Fact),
    ) -> Result<(), Problem> {
        let of = (self.advocate, self.order, self.report);
        Ok(news::rewards(cx, program, of, &self.facts, fact).await?)
    }

    /// How it is told, with the order's id.
    pub async fn message<H: Host>(
        &self,
        cx: &Context<'_, H>,
        program: &Loaded,
    ) -> Result<MerchantReward, Problem> {
        let record = record(cx, program, self.order, self.report).await?;
        let order_id = orders::open_order(program, &record.order).unwrap_or_default();
        let owners = owners(cx, program, self.advocate, &self.facts).await?;
        let told = Told { program, advocate: self.advocate, order: self.order, facts: &self.facts };
        Ok(told.message(&self.state(cx, program)?, &order_id, &owners))
    }
}

/// The merchant's ids of those who earn from an order.
pub async fn owners<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    advocate: CustomerPseudonym,
    facts: &Order,
) -> Result<BTreeMap<Role, String>, Problem> {
    let friend = friend_of(facts);
    let people: Vec<_> = [Some(advocate), friend].into_iter().flatten().collect();
    let mut ids = customers::open_all(cx, program, &people).await?.into_iter();
    let advocate = ids.next().flatten().map(|id| (Role::Advocate, id));
    let friend = ids.next().flatten().map(|id| (Role::Friend, id));
    Ok(advocate.into_iter().chain(friend).collect())
}

/// The customer whose order it is; none for a guest.
pub fn friend_of(facts: &Order) -> Option<CustomerPseudonym> {
    let identities = facts.conversion.iter().flat_map(|conversion| &conversion.fact.identities);
    identities.into_iter().find_map(|identity| match identity {
        Identity::Customer(customer) => Some(*customer),
        Identity::Hint(_) => None,
    })
}

/// An order whose rewards are told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub program: &'a Loaded,
    pub advocate: CustomerPseudonym,
    pub order: OrderPseudonym,
    pub facts: &'a Order,
}

impl Told<'_> {
    /// The merchant's reference, or the code of a coupon.
    fn reference(&self, paid: &Fulfilment) -> Option<String> {
        let kind = if paid.coupon { Sealed::Coupon } else { Sealed::Reference };
        self.program.keys.open(kind, &paid.sealed)
    }

    pub fn message(
        &self,
        state: &Reward,
        order_id: &str,
        owners: &BTreeMap<Role, String>,
    ) -> MerchantReward {
        let id = state.id(self.order, self.advocate);
        let open = |kind, sealed: &str| self.program.keys.open(kind, sealed);
        let entry = |entry: &status::Entry| {
            let settled = self.facts.settlement(state.part, entry.event);
            RewardEntry {
                id: format!("{id}.{}", entry.event),
                value: entry.value,
                reason: entry.reason,
                since: entry.since,
                settled_at: entry.settled,
                reference: settled.and_then(|settled| self.reference(&settled.fact)),
            }
        };
        let paid = self.facts.fulfilments(state.part);
        let paid = if state.status.is_handed_over() { paid } else { Vec::new() };
        let mut paid = paid.into_iter().map(|paid| Paid {
            reference: self.reference(&paid.fact),
            value: paid.fact.value,
            since: paid.at.start(),
        });
        let reference = paid.next().and_then(|first| first.reference);
        let review = self.facts.review(state.part);
        let conversion = self.facts.conversion.as_ref();
        let version = conversion.and_then(|it| self.program.versions.at(it.fact.occurred_at));
        MerchantReward {
            id: id.to_string(),
            r#for: state.part.role,
            customer_id: owners.get(&state.part.role).cloned(),
            order_id: order_id.to_owned(),
            value: state.value,
            status: state.status,
            reason: state.reason,
            since: state.since,
            until: state.until,
            entries: state.entries.iter().map(entry).collect(),
            reference,
            milestone: state.part.milestone,
            overpaid: paid.collect(),
            coupon: state.coupon.as_deref().and_then(|code| open(Sealed::Coupon, code)),
            note: review.and_then(|review| open(Sealed::Reference, review.fact.sealed.as_deref()?)),
            terms_version: version.map(|version| version.number),
        }
    }
}
