//! What is told the merchant of conversions and rewards, as the API would show it. Each is told
//! before it is written. How it gets there is in [`crate::outbox`].

use std::collections::BTreeMap;

use passalong_core::fact::{Fact, FactKey, Order};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::report::ConversionReport;
use passalong_core::reward::{Role, Status};
use passalong_core::settlement::Known;
use passalong_core::status::{self, Reward};
use passalong_core::webhook::WebhookType;

use crate::orders::{self, Record};
use crate::outbox::{Body, announce, is_wanted};
use crate::programs::Loaded;
use crate::read_rewards::{friend_of, message};
use crate::store::{Context, Host, StoreError};

const OF_REWARDS: [WebhookType; 5] = [
    WebhookType::RewardApproved,
    WebhookType::RewardRefused,
    WebhookType::RewardReversed,
    WebhookType::RewardFulfilled,
    WebhookType::ReviewRequested,
];

/// A conversion that is about to be recorded.
pub async fn conversion<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, key): (OrderPseudonym, FactKey),
    report: &ConversionReport,
    (record, advocate): (&Record, Option<CustomerPseudonym>),
) -> Result<(), StoreError> {
    let kind = WebhookType::ConversionRecorded;
    if !is_wanted(cx, program, &[kind]) {
        return Ok(());
    }
    let answer = record.answer(&report.order, order, None);
    let mut body = Body::new(&answer).order("/order_id", &record.order);
    if let Some(advocate) = advocate {
        body = body.customer("/advocate/customer_id", advocate);
    }
    announce(cx, program, kind, &[&order.0, &key.digest.0], body).await
}

/// What a fact that is about to be written makes of the rewards of an order, once it is decided.
/// Without an endpoint that wants it nothing is read; with one it takes a read.
pub async fn rewards<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order, report): (CustomerPseudonym, OrderPseudonym, FactKey),
    facts: &Order,
    (key, fact): (FactKey, &Fact),
) -> Result<(), StoreError> {
    if !is_wanted(cx, program, &OF_REWARDS) {
        return Ok(());
    }
    let mut after = facts.clone();
    after.add(key, fact.clone());
    if after.verdict.is_none() {
        return Ok(());
    }
    let states = |facts: &Order| {
        status::rewards(facts, advocate, &Known::default(), &program.versions, cx.now)
    };
    // What was shown before the verdict was provisional, and is told for the first time.
    let before = if facts.verdict.is_some() { states(facts) } else { Vec::new() };
    let told: Vec<(WebhookType, Reward)> = states(&after)
        .into_iter()
        .filter_map(|reward| {
            let was = before.iter().find(|other| other.role == reward.role);
            Some((turn(was, &reward)?, reward))
        })
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    let record = orders::record(cx, program, order, report).await.ok();
    for (kind, reward) in told {
        let message = message(program, (order, ""), &reward, &after, &BTreeMap::new());
        let mut body = Body::new(&message);
        if let Some(record) = &record {
            body = body.order("/order_id", &record.order);
        }
        let owner = match reward.role {
            Role::Advocate => Some(advocate),
            Role::Friend => friend_of(&after),
        };
        if let Some(owner) = owner {
            body = body.customer("/customer_id", owner);
        }
        if let Some(paid) = after.fulfilment(reward.role) {
            body = body.reference("/reference", &paid.fact.sealed);
        }
        announce(cx, program, kind, &[message.id.as_bytes(), &key.digest.0], body).await?;
    }
    Ok(())
}

/// What has become of a reward, if that is news.
fn turn(was: Option<&Reward>, now: &Reward) -> Option<WebhookType> {
    if was == Some(now) {
        return None;
    }
    if was.is_some_and(|was| was.status == now.status) {
        // Still approved or fulfilled, but less.
        return Some(WebhookType::RewardReversed);
    }
    match now.status {
        Status::Approved => Some(WebhookType::RewardApproved),
        Status::Refused => Some(WebhookType::RewardRefused),
        Status::Reversed => Some(WebhookType::RewardReversed),
        Status::Fulfilled => Some(WebhookType::RewardFulfilled),
        Status::Review => Some(WebhookType::ReviewRequested),
        Status::Pending | Status::Expired => None,
    }
}
