//! `reward.expiring`: the merchant is told two weeks before an approved reward expires, so that its
//! owner can be reminded. Where nobody wants to know, nothing is looked at.

use passalong_core::fact::Order;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::reward::Status;
use passalong_core::status;
use passalong_core::time::{DAY, MINUTE, Minute};
use passalong_core::webhook::WebhookType;

use crate::customers::Customer;
use crate::news;
use crate::orders::{self, Report};
use crate::outbox::is_wanted;
use crate::programs::Loaded;
use crate::store::{Context, Host, StoreError};

/// So long before the end.
const AHEAD: i64 = 14 * DAY;

/// When to tell of an order's rewards that will expire; none where there is nothing to tell, or
/// nobody to be told.
pub fn when<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, &Order),
) -> Option<Minute> {
    if !is_wanted(cx, program, &[WebhookType::RewardExpiring]) {
        return None;
    }
    let nobody = Customer::default();
    let rewards = status::rewards(order, &nobody.view(advocate, program, cx.now));
    let open = rewards.iter().filter(|reward| reward.status == Status::Approved);
    let end = open.filter_map(|reward| reward.until).min()?;
    Some(end.plus(-AHEAD).max(cx.now.plus(MINUTE)).minute_up())
}

/// Tells of those that expire within the time.
pub async fn remind<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    report: &Report,
) -> Result<(), StoreError> {
    let facts = orders::in_ledger(cx, program, advocate, order).await?;
    let nobody = Customer::default();
    for reward in status::rewards(&facts, &nobody.view(advocate, program, cx.now)) {
        let soon = reward.until.filter(|end| *end <= cx.now.plus(AHEAD + MINUTE));
        if reward.status == Status::Approved && soon.is_some() {
            let of = (advocate, order, report.key);
            news::one(cx, program, of, &facts, (WebhookType::RewardExpiring, &reward)).await?;
        }
    }
    Ok(())
}
