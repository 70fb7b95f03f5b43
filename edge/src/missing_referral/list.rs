//! `GET /v1/claims`: the missing referrals whose orders were found and that wait for the merchant's
//! decision.

use std::collections::BTreeSet;

use passalong_core::fact::Order;
use passalong_core::ids::OrderPseudonym;
use passalong_core::missing_referral::{ClaimStatus, decision};
use passalong_core::reward::{Part, Reason, RewardId, Role, Status};
use passalong_core::seal::Sealed;
use passalong_core::status;
use passalong_core::text::{base64url, from_base64url};
use passalong_core::wire::{FoundClaim, FoundClaims};

use super::found::{self, Candidate};
use crate::authenticate::merchant;
use crate::days::NO_CURSOR;
use crate::http::{Request, Response};
use crate::keys::{Filed, FoundKey};
use crate::orders::{self, Record, open_order};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::only;
use crate::store::{Context, Host, StoreError};

/// Reports in a page.
const PAGE: usize = 20;

/// 1. Authenticate: 401. 2. Decode: 400. 3. Load a page. 4. Encode.
pub async fn list<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    only(request, &["cursor"])?;
    let cursor = request.parameter("cursor").filter(|text| !text.is_empty());
    let read = |text: String| String::from_utf8(from_base64url(&text)?).ok();
    let cursor = match cursor {
        Some(text) => Some(read(text).ok_or_else(|| Problem::field("cursor", NO_CURSOR))?),
        None => None,
    };
    // 3
    let page = cx.some(&FoundKey::prefix(&[program.id()]), cursor.as_deref(), PAGE).await?;
    let found = page.entries.iter().filter_map(|entry| entry.key.parse::<FoundKey>().ok());
    let found: Vec<FoundKey> = found.collect();
    let mut claims = Vec::new();
    let mut seen = BTreeSet::new();
    for key in &found {
        if seen.insert(key.order) {
            let filed = found.iter().filter(|other| other.order == key.order);
            let filed: Vec<Filed> = filed.map(|key| key.filed).collect();
            claims.extend(of_order(cx, &program, key.order, &filed).await?);
        }
    }
    // 4
    let cursor = page.cursor.map(|cursor| base64url(cursor.as_bytes()));
    Ok(Response::json(200, &FoundClaims { claims, cursor }))
}

/// What waits for a decision of the reports of one order.
async fn of_order<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    filed: &[Filed],
) -> Result<Vec<FoundClaim>, StoreError> {
    let listed = orders::listed(cx, program, order).await?;
    let Some(report) = found::open(&listed) else { return Ok(Vec::new()) };
    let Some(record) = found::read(cx, program, order, report).await? else {
        return Ok(Vec::new());
    };
    let Some(conversion) = found::conversion(&record) else { return Ok(Vec::new()) };
    let mut facts = found::preview(report, &conversion);
    for (key, fact) in orders::events(cx, program, order).await? {
        facts.add(key, fact);
    }
    let mut candidates = found::candidates(cx, program, &record, None).await?;
    candidates.retain(|one| {
        filed.contains(&one.filed) && decision(&listed.decisions, one.filed.customer).is_none()
    });
    let told = |one: &Candidate| message(cx, program, (order, &record), &facts, one);
    Ok(candidates.iter().map(told).collect())
}

fn message<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, record): (OrderPseudonym, &Record),
    facts: &Order,
    candidate: &Candidate,
) -> FoundClaim {
    let Candidate { filed, digest, customer } = candidate;
    let view = customer.view(filed.customer, program, cx.now);
    let rewards = status::rewards(facts, &view);
    let own = rewards.into_iter().find(|reward| reward.part == Part::from(Role::Advocate));
    let waits = own.as_ref().filter(|own| own.status == Status::Pending);
    let reason = waits.map(|_| Reason::ClaimedByHand).or(own.as_ref().and_then(|own| own.reason));
    let number = customer.missing.iter().find(|one| one.digest == *digest);
    let number = number.and_then(|one| program.keys.open(Sealed::OrderNumber, &one.number));
    FoundClaim {
        id: RewardId::Order { order, role: Role::Advocate }.to_string(),
        customer_id: customer.open(program),
        order_id: open_order(program, &record.order).unwrap_or_default(),
        order_number: number.unwrap_or_default(),
        ordered_on: filed.ordered_on.dashed(),
        filed_at: filed.at.start(),
        status: ClaimStatus::Found,
        kind: record.kind,
        amount: record.amount,
        currency: record.currency,
        occurred_at: record.occurred_at,
        value: waits.map(|own| own.value),
        reason,
    }
}
