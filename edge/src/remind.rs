//! `reward.expiring`: the merchant is told two weeks before a reward that was handed over ends, so that
//! its owner can be reminded. Where nobody wants to know, nothing is looked at.

use passalong_core::fact::Order;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::status;
use passalong_core::time::{DAY, Instant, MINUTE, Minute};
use passalong_core::webhook::WebhookType;

use crate::customers::Customer;
use crate::keys::{Ledger, Why};
use crate::news;
use crate::orders::{self, Report, due_for};
use crate::outbox::is_wanted;
use crate::programs::Loaded;
use crate::store::{Context, Host, Put, StoreError};

/// So long before the end.
const AHEAD: i64 = 14 * DAY;

/// When to tell of an order's rewards that end; none where there is nothing to tell, or nobody to be
/// told.
pub fn when<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, &Order),
) -> Option<Minute> {
    if !is_wanted(cx, program, &[WebhookType::RewardExpiring]) {
        return None;
    }
    next(cx, &rewards(cx, program, (advocate, order)), cx.now)
}

/// The pointer to tell of an order whose reward is about to be handed over: `facts` has it already.
pub fn put<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    facts: &Order,
) -> Option<Put> {
    let at = when(cx, program, (advocate, facts))?;
    Some(pointer(program, at, (advocate, order)))
}

fn pointer(
    program: &Loaded,
    at: Minute,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
) -> Put {
    due_for(program, at, Ledger(Some(advocate)), order, Why::Expiring)
}

/// What is decided does not depend on who the advocate is.
fn rewards<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, &Order),
) -> Vec<status::Reward> {
    status::rewards(order, &Customer::default().view(advocate, program, cx.now))
}

/// The end of a reward that can still be used.
fn end(reward: &status::Reward) -> Option<Instant> {
    reward.until.filter(|_| reward.status.is_handed_over())
}

/// When to tell of the first end after that instant.
fn next<H: Host>(
    cx: &Context<'_, H>,
    rewards: &[status::Reward],
    after: Instant,
) -> Option<Minute> {
    let first = rewards.iter().filter_map(end).filter(|end| *end > after).min()?;
    Some(first.plus(-AHEAD).max(cx.now.plus(MINUTE)).minute_up())
}

/// Tells of those that end within the time, and points to the next.
pub async fn remind<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    report: &Report,
) -> Result<(), StoreError> {
    let facts = orders::in_ledger(cx, program, advocate, order).await?;
    let rewards = rewards(cx, program, (advocate, &facts));
    let soon = cx.now.plus(AHEAD + MINUTE);
    for reward in rewards.iter().filter(|reward| end(reward).is_some_and(|end| end <= soon)) {
        let of = (advocate, order, report.key);
        // It may be told later than that, where it was handed over later.
        let at = end(reward).map_or(reward.since, |end| end.plus(-AHEAD).max(reward.since));
        news::expiring(cx, program, of, &facts, (at, reward)).await?;
    }
    match next(cx, &rewards, soon) {
        Some(at) => cx.put(&pointer(program, at, (advocate, order))).await,
        None => Ok(()),
    }
}
