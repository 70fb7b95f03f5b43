//! What is told the merchant of conversions and rewards, as the API would show it. Each is told
//! before it is written. How it gets there is in [`crate::outbox`].

use std::collections::BTreeMap;

use passalong_core::fact::{Fact, FactKey, Order};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::report::ConversionReport;
use passalong_core::reward::{Part, Reason, Role, Status};
use passalong_core::status::{self, Reward};
use passalong_core::time::Instant;
use passalong_core::webhook::WebhookType;

use crate::customers::Customer;
use crate::orders::{self, Record};
use crate::outbox::{Body, announce, is_wanted};
use crate::programs::Loaded;
use crate::rewards::{Told, friend_of};
use crate::store::{Context, Host, StoreError};

const OF_REWARDS: [WebhookType; 6] = [
    WebhookType::RewardApproved,
    WebhookType::RewardRefused,
    WebhookType::RewardReversed,
    WebhookType::RewardFulfilled,
    WebhookType::ReviewRequested,
    WebhookType::MilestoneReached,
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
    // What is decided does not depend on who the advocate is.
    let nobody = Customer::default();
    let view = nobody.view(advocate, program, cx.now);
    // What was shown before the verdict was provisional, and is told for the first time.
    let before = match facts.verdict {
        Some(_) => status::rewards(facts, &view),
        None => Vec::new(),
    };
    let told: Vec<(WebhookType, Reward)> = status::rewards(&after, &view)
        .into_iter()
        .flat_map(|reward| {
            let was = before.iter().find(|other| other.part == reward.part);
            let reached = was.is_none() && reward.part.milestone.is_some();
            let reached = reached.then_some(WebhookType::MilestoneReached);
            let kinds = turn(was, &reward).into_iter().chain(reached);
            kinds.map(|kind| (kind, reward.clone())).collect::<Vec<_>>()
        })
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    let record = orders::record(cx, program, order, report).await.ok();
    for (kind, reward) in told {
        let told = Told { program, advocate, order, facts: &after };
        let mut body = body(&told, &reward);
        if let Some(record) = &record {
            body = body.order("/order_id", &record.order);
        }
        let id = reward.id(order, advocate).to_string();
        announce(cx, program, kind, &[id.as_bytes(), &key.digest.0], body).await?;
    }
    Ok(())
}

/// Tells that an order was found for a missing referral, unless it would earn nothing anyway: the
/// merchant is to look at it.
pub async fn missing_referral<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (customer, order): (CustomerPseudonym, OrderPseudonym),
    facts: &Order,
    sealed: &str,
) -> Result<(), StoreError> {
    let kind = WebhookType::ReviewRequested;
    if !is_wanted(cx, program, &[kind]) {
        return Ok(());
    }
    let nobody = Customer::default();
    let rewards = status::rewards(facts, &nobody.view(customer, program, cx.now));
    let own = rewards.into_iter().find(|reward| reward.part == Part::from(Role::Advocate));
    let Some(own) = own.filter(|own| own.status == Status::Pending) else { return Ok(()) };
    let (status, reason) = (Status::Review, Some(Reason::ClaimedByHand));
    let reward = Reward { status, reason, until: None, ..own };
    let told = Told { program, advocate: customer, order, facts };
    let body = body(&told, &reward).order("/order_id", sealed);
    let id = reward.id(order, customer).to_string();
    announce(cx, program, kind, &[id.as_bytes(), &customer.0], body).await
}

/// Tells of one reward as it stands, once for each time it does.
pub async fn one<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order, report): (CustomerPseudonym, OrderPseudonym, FactKey),
    facts: &Order,
    (kind, reward): (WebhookType, &Reward),
) -> Result<(), StoreError> {
    if !is_wanted(cx, program, &[kind]) {
        return Ok(());
    }
    let mut body = body(&Told { program, advocate, order, facts }, reward);
    if let Ok(record) = orders::record(cx, program, order, report).await {
        body = body.order("/order_id", &record.order);
    }
    let id = reward.id(order, advocate).to_string();
    let until = reward.until.map_or(0, Instant::seconds).to_be_bytes();
    announce(cx, program, kind, &[id.as_bytes(), &until], body).await
}

/// A reward as the API would show it, with a lock for all that is readable.
fn body(told: &Told<'_>, reward: &Reward) -> Body {
    let mut body = Body::new(&told.message(reward, "", &BTreeMap::new()));
    let owner = match reward.part.role {
        Role::Advocate => Some(told.advocate),
        Role::Friend => friend_of(told.facts),
    };
    if let Some(owner) = owner {
        body = body.customer("/customer_id", owner);
    }
    for (place, paid) in told.facts.fulfilments(reward.part).iter().enumerate() {
        let pointer = match place.checked_sub(1) {
            None => "/reference".to_owned(),
            Some(more) => format!("/overpaid/{more}/reference"),
        };
        body = body.reference(&pointer, &paid.fact.sealed);
    }
    for (place, entry) in reward.entries.iter().enumerate() {
        if let Some(settled) = told.facts.settlement(reward.part, entry.event) {
            body = body.reference(&format!("/entries/{place}/reference"), &settled.fact.sealed);
        }
    }
    let note = told.facts.review(reward.part).and_then(|review| review.fact.sealed.as_deref());
    match note {
        Some(note) => body.reference("/note", note),
        None => body,
    }
}

/// What has become of a reward, if that is news.
fn turn(was: Option<&Reward>, now: &Reward) -> Option<WebhookType> {
    if was == Some(now) {
        return None;
    }
    let handed_over = now.status.is_handed_over();
    let same =
        |was: &&Reward| was.status == now.status || (handed_over && was.status.is_handed_over());
    if let Some(was) = was.filter(same) {
        // It still waits, for another reason; or it is still approved or handed over, but less.
        let waits = now.status == Status::Review && was.value == now.value;
        return Some(if waits {
            WebhookType::ReviewRequested
        } else {
            WebhookType::RewardReversed
        });
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
