//! What is told the merchant of conversions and rewards, as the API would show it. Each is told
//! before it is written. How it gets there is in [`crate::outbox`].

use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_core::fact::{Fact, FactKey, FactKind, Order};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::report::ConversionReport;
use passalong_core::reward::{Part, Reason, Role, Status};
use passalong_core::status::{self, Reward};
use passalong_core::time::Instant;
use passalong_core::webhook::WebhookType;

use crate::customers::Customer;
use crate::orders::{self, Record};
use crate::outbox::{Body, News, announce, is_wanted, untold};
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
    order: OrderPseudonym,
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
    announce(cx, program, &News { kind, at: report.occurred_at, body }).await
}

/// What a fact that is about to be written makes of the rewards of an order, once it is decided.
/// Without an endpoint that wants it nothing is read; with one it takes a read.
///
/// A verdict is told as it saw the order, and what came after it one by one: so all who tell say the
/// same, and say it once.
pub async fn rewards<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    of: (CustomerPseudonym, OrderPseudonym, FactKey),
    facts: &Order,
    (key, fact): (FactKey, &Fact),
) -> Result<(), StoreError> {
    if !are_wanted(cx, program) {
        return Ok(());
    }
    let mut after = facts.clone();
    after.add(key, fact.clone());
    let mut turns = turns(program, of.0, &after);
    // Of a second approval the order keeps the minute alone.
    let is_it = |by: FactKey| match key.kind {
        FactKind::Verdict => true,
        FactKind::Reviewed => (by.accepted, by.kind) == (key.accepted, key.kind),
        _ => by == key,
    };
    turns.retain(|turn| is_it(turn.by));
    tell(cx, program, of, &turns, false).await
}

/// Whether anybody wants to hear what becomes of rewards.
pub fn are_wanted<H: Host>(cx: &Context<'_, H>, program: &Loaded) -> bool {
    is_wanted(cx, program, &OF_REWARDS)
}

/// Tells what came after the verdict on an order, where that was not told: whoever took an event or a
/// decision in may not have seen that the order was decided, or what came before.
pub async fn since_decided<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    of: (CustomerPseudonym, OrderPseudonym, FactKey),
    facts: &Order,
) -> Result<(), StoreError> {
    if !are_wanted(cx, program) || facts.since_decided().is_empty() {
        return Ok(());
    }
    let mut turns = turns(program, of.0, facts);
    turns.retain(|turn| turn.by.kind != FactKind::Verdict);
    tell(cx, program, of, &turns, true).await
}

/// What has become of a reward by a fact.
struct Turn {
    by: FactKey,
    /// When that happened.
    at: Instant,
    kind: WebhookType,
    reward: Reward,
    /// All that was known then.
    facts: Rc<Order>,
}

/// What the verdict and every later fact made of the rewards of an order; nothing before it is decided.
fn turns(program: &Loaded, advocate: CustomerPseudonym, facts: &Order) -> Vec<Turn> {
    let Some(verdict) = &facts.verdict else { return Vec::new() };
    let (accepted, digest) = (verdict.at, verdict.digest);
    // What is decided does not depend on who the advocate is.
    let nobody = Customer::default();
    let mut turns = Vec::new();
    let mut stood = facts.as_decided();
    // What was shown before the verdict was provisional, and is told for the first time.
    let mut before: Vec<Reward> = Vec::new();
    let mut by = FactKey { accepted, kind: FactKind::Verdict, digest };
    let mut at = accepted.start();
    let mut later = facts.since_decided().into_iter();
    loop {
        let now = status::rewards(&stood, &nobody.view(advocate, program, by.accepted.start()));
        let known = Rc::new(stood.clone());
        for reward in &now {
            let was = before.iter().find(|other| other.part == reward.part);
            let reached = was.is_none() && reward.part.milestone.is_some();
            let reached = reached.then_some(WebhookType::MilestoneReached);
            for kind in turn(was, reward).into_iter().chain(reached) {
                let (reward, facts) = (reward.clone(), Rc::clone(&known));
                turns.push(Turn { by, at, kind, reward, facts });
            }
        }
        before = now;
        let Some((key, fact)) = later.next() else { return turns };
        at = match &fact {
            Fact::Event(_, event) => event.occurred_at,
            Fact::State(state) => state.at,
            _ => key.accepted.start(),
        };
        by = key;
        stood.add(key, fact);
    }
}

async fn tell<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order, report): (CustomerPseudonym, OrderPseudonym, FactKey),
    turns: &[Turn],
    is_repeat: bool,
) -> Result<(), StoreError> {
    if turns.is_empty() {
        return Ok(());
    }
    let record = orders::record(cx, program, order, report).await?;
    let news = turns.iter().map(|turn| {
        let told = Told { program, advocate, order, facts: &turn.facts };
        let body = body(&told, &turn.reward).order("/order_id", &record.order);
        News { kind: turn.kind, at: turn.at, body }
    });
    let mut news: Vec<News> = news.collect();
    if is_repeat {
        news = untold(cx, program, news).await?;
    }
    for one in &news {
        announce(cx, program, one).await?;
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
    let (status, reason, at) = (Status::Review, Some(Reason::ClaimedByHand), own.since);
    let reward = Reward { status, reason, until: None, ..own };
    let told = Told { program, advocate: customer, order, facts };
    let body = body(&told, &reward).order("/order_id", sealed);
    announce(cx, program, &News { kind, at, body }).await
}

/// Tells that a reward ends soon, as of then.
pub async fn expiring<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order, report): (CustomerPseudonym, OrderPseudonym, FactKey),
    facts: &Order,
    (at, reward): (Instant, &Reward),
) -> Result<(), StoreError> {
    let kind = WebhookType::RewardExpiring;
    if !is_wanted(cx, program, &[kind]) {
        return Ok(());
    }
    let record = orders::record(cx, program, order, report).await?;
    let told = Told { program, advocate, order, facts };
    let body = body(&told, reward).order("/order_id", &record.order);
    announce(cx, program, &News { kind, at, body }).await
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
    // As the API shows it: how it was handed over, only while it is.
    let is_handed_over = reward.status.is_handed_over();
    let paid = told.facts.fulfilments(reward.part).into_iter().filter(|_| is_handed_over);
    for (place, paid) in paid.enumerate() {
        let pointer = match place.checked_sub(1) {
            None => "/reference".to_owned(),
            Some(more) => format!("/overpaid/{more}/reference"),
        };
        body = if paid.fact.coupon {
            body.coupon(&pointer, &paid.fact.sealed)
        } else {
            body.reference(&pointer, &paid.fact.sealed)
        };
    }
    if let Some(coupon) = &reward.coupon {
        body = body.coupon("/coupon", coupon);
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
