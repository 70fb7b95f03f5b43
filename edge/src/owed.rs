//! `GET /v1/rewards?customer_id=…`: what one customer is owed, since when, and why the rest is not:
//! all rewards, as advocate and as friend, and the sum of what is to be handed over.

use std::collections::BTreeMap;

use passalong_core::fact::{FactKey, FactKind, Order};
use passalong_core::ids::{CustomerId, CustomerPseudonym, OrderPseudonym};
use passalong_core::orders::account;
use passalong_core::reward::{Role, Status, Value};
use passalong_core::status::{self, View};
use passalong_core::wire::{EarnedSum, MerchantReward, Rewards};

use crate::customers;
use crate::http::{Request, Response};
use crate::keys::LedgerKey;
use crate::me;
use crate::orders::{self, Record};
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::{only, query};
use crate::rewards::Told;
use crate::store::{Context, Host};

/// Orders in one answer, and orders as a friend.
const PAGE: usize = 100;
const AS_FRIEND: usize = 50;

pub async fn list<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    request: &Request,
    id: &CustomerId,
) -> Result<Response, Problem> {
    only(request, &["customer_id", "status", "cursor"])?;
    let wanted: Option<Status> = query(request, "status")?;
    let after: Option<usize> = query(request, "cursor")?;
    let version = programs::current(cx, program)?;
    let advocate = program.keys.customer(id);
    let record = customers::load(cx, program, advocate).await?;
    let ledger = me::ledger(cx, program, advocate).await?;
    let approved = status::approved(&ledger);
    let view = View { approved: Some(&approved), ..record.view(advocate, program, cx.now) };
    let mut owed = account::owed(&ledger, &view);
    let mut newest = account::ranked(&ledger);
    newest.reverse();
    let first = after.unwrap_or(0);
    let page: Vec<_> = newest.iter().skip(first).take(PAGE).collect();
    let known = page.iter().map(|(_, order, facts)| (advocate, *order, *facts));
    let ids = order_ids(cx, program, known).await?;
    let mut rewards: Vec<MerchantReward> = Vec::new();
    let mut tell = |advocate, order, facts: &Order, role, view: &View<'_>| {
        let told = Told { program, advocate, order, facts };
        let order_id = ids.get(&order).cloned().unwrap_or_default();
        let owner = BTreeMap::from([(role, id.as_str().to_owned())]);
        let states = status::rewards(facts, view).into_iter();
        let own = states.filter(|state| state.part.role == role);
        rewards.extend(own.map(|state| told.message(&state, &order_id, &owner)));
    };
    for (_, order, facts) in &page {
        tell(advocate, *order, facts, Role::Advocate, &view);
    }
    let more = newest.len() > first + PAGE;
    let mut answer = Rewards {
        rewards,
        cursor: more.then(|| (first + PAGE).to_string()),
        owed: None,
        year: Some(account::year_total(&ledger, &view, &version.terms)),
    };
    let claims = me::claimed(cx, program, advocate, AS_FRIEND).await?;
    let known = claims.iter().map(|claim| (claim.advocate, claim.order, &claim.facts));
    let ids = order_ids(cx, program, known).await?;
    for claim in &claims {
        let view = claim.customer.view(claim.advocate, program, cx.now);
        for state in status::rewards(&claim.facts, &view) {
            if state.part.role != Role::Friend {
                continue;
            }
            state.owed().into_iter().for_each(|value| owed.add_value(value));
            let (order, facts) = (claim.order, &claim.facts);
            let told = Told { program, advocate: claim.advocate, order, facts };
            let owner = BTreeMap::from([(Role::Friend, id.as_str().to_owned())]);
            let order_id = ids.get(&order).cloned().unwrap_or_default();
            if first == 0 {
                answer.rewards.push(told.message(&state, &order_id, &owner));
            }
        }
    }
    answer.rewards.retain(|reward| wanted.is_none_or(|wanted| wanted == reward.status));
    let sum = |(value, count): (Value, u32)| EarnedSum { value, count };
    answer.owed = Some(owed.earned.into_iter().map(sum).collect());
    Ok(Response::json(200, &answer))
}

/// The shop's ids of orders, from their reports in the ledgers: a read for a hundred of them.
async fn order_ids<'a, H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    known: impl Iterator<Item = (CustomerPseudonym, OrderPseudonym, &'a Order)>,
) -> Result<BTreeMap<OrderPseudonym, String>, Problem> {
    let keys = known.filter_map(|(customer, order, facts)| {
        let digest = facts.conversion.as_ref()?.digest;
        let accepted = facts.report(digest)?.at;
        let fact = FactKey { accepted, kind: FactKind::Conversion, digest };
        Some((order, LedgerKey { program: program.id().clone(), customer, order, fact }))
    });
    let (found, keys): (Vec<_>, Vec<String>) =
        keys.map(|(order, key)| (order, key.to_string())).unzip();
    let values = cx.get_many(&keys).await?;
    let open = |(order, value): (OrderPseudonym, Option<String>)| {
        let record: Record = serde_json::from_str(&value?).ok()?;
        Some((order, orders::open_order(program, &record.order)?))
    };
    Ok(found.into_iter().zip(values).filter_map(open).collect())
}
