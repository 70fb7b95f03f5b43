//! `POST /v1/conversions/{order_id}/events`: what happened to an order. Kept even where the order
//! is not visible yet, because the store may be late.

use std::collections::BTreeSet;

use passalong_core::fact::{Event, Fact, FactKey, Order};
use passalong_core::ids::{CustomerPseudonym, OrderId, OrderPseudonym};
use passalong_core::program::Version;
use passalong_core::report::{EventReport, EventType};
use passalong_core::seal::Sealed;
use passalong_core::status;
use passalong_core::time::{DAY, SETTLE};
use passalong_core::webhook::WebhookType;
use passalong_core::wire::{ConversionAnswer, EventKept};

use crate::authenticate::merchant;
use crate::customers;
use crate::http::{Request, Response};
use crate::keys::{EventKey, Ledger, Why};
use crate::metadata::Due;
use crate::news;
use crate::orders::{self, Promise, Report, due_for, ledger_put, record, reports};
use crate::outbox::is_wanted;
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::{body, part};
use crate::store::{Context, Host, Put, StoreError};

/// What came in is kept so long: the statutory ten years, and the one it came in. Its copies in the
/// ledgers are what counts.
const KEPT: i64 = 11 * 366 * DAY;

/// 1. Authenticate: 401. 2. Decode: 400, 413. 3. Load the order and its events: the same event is
///    answered again, the same id with other content is 409. 4. Decide: a refund beyond what is
///    left, as far as visible, is 409. 5. Save: the pointer first. 6. Encode.
pub async fn record_event<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    order_id: &str,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let order_id: OrderId = part("order_id", order_id)?;
    let report = EventReport::parse(body(request)?, cx.now)?;
    take(cx, &program, &order_id, &report).await
}

/// Takes an event in, whoever brought it: 201, 200 where it was known, 202 where its order is not.
pub async fn take<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order_id: &OrderId,
    report: &EventReport,
) -> Result<Response, Problem> {
    take_refund(cx, program, order_id, report, Refund::UpToWhatIsLeft).await
}

/// How much a refund may pay back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refund {
    /// More is the caller's mistake.
    UpToWhatIsLeft,
    /// More is possible where the shop does not tell goods and shipping apart. The settlement counts
    /// no more than there was.
    AsTold,
}

/// The same, for refunds as they are told.
pub async fn take_refund<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order_id: &OrderId,
    report: &EventReport,
    refund: Refund,
) -> Result<Response, Problem> {
    let order = program.keys.order(order_id);
    let digest = program.keys.digest(report.content(order_id).as_bytes());
    let event = Event {
        event: program.keys.event(order_id, &report.id),
        sealed: program.keys.seal(Sealed::Event, report.id.as_str()),
        amount: report.amount,
        occurred_at: report.occurred_at,
    };
    // 3
    let known = reports(cx, program, order).await?;
    let mut events = orders::events(cx, program, order).await?;
    let same_id = events
        .iter()
        .find(|(_, fact)| matches!(fact, Fact::Event(_, other) if other.event == event.event));
    if let Some((key, _)) = same_id {
        if key.digest != digest {
            let detail = "this event_id was reported with other content; the first report stands";
            return Err(Problem::conflict(detail));
        }
        return answer(cx, program, (order_id, order), known.first(), events, 200).await;
    }
    // 4
    let is_checked = report.kind == EventType::Refunded && refund == Refund::UpToWhatIsLeft;
    if let Some(first) = known.first().filter(|_| is_checked) {
        let whole = record(cx, program, order, first.key).await?.amount.unwrap_or(0);
        // An event that came in twice has two keys; folded it is one.
        let mut folded = Order::default();
        for (key, fact) in &events {
            folded.add(*key, fact.clone());
        }
        let refunds = folded.events().into_iter().filter(|event| event.fact.0 == report.kind);
        let paid_back: i64 = refunds.map(|event| event.fact.1.amount.unwrap_or(0)).sum();
        let left = (whole - paid_back).max(0);
        if report.amount.unwrap_or(0) > left {
            let detail =
                format!("amount is beyond what is left of the order: {left} in minor units");
            return Err(Problem { field: Some("amount".to_owned()), ..Problem::conflict(detail) });
        }
    }
    // 5
    let key = FactKey { accepted: cx.accepted(), kind: report.kind.into(), digest };
    let fact = Fact::Event(report.kind, event);
    // Two reports of one order may be in one ledger.
    let advocates: BTreeSet<_> = known.iter().filter_map(|report| report.advocate).collect();
    // An order without proof may be on its way into a ledger.
    let binds = |version: &Version| version.terms.attribution.bound_days > 0;
    let may_join = program.versions.all().any(binds);
    if known.is_empty() || !advocates.is_empty() || may_join {
        let ledger = Ledger(known.iter().find_map(|report| report.advocate));
        let why = (Why::Event, Due::default());
        cx.put(&due_for(program, key.accepted.plus(SETTLE), ledger, order, why)).await?;
    }
    tell(cx, program, (order, known.first(), &advocates), (key, &fact)).await?;
    let own = EventKey { program: program.id().clone(), order, fact: key };
    let kept = Put::listed(&own, &fact.to_json()).until(cx.now.plus(KEPT), cx.now);
    cx.put(&kept).await?;
    let copy = |advocate: &_| ledger_put(program, *advocate, order, (key, &fact));
    cx.put_all(&advocates.iter().map(copy).collect::<Vec<_>>()).await?;
    // 6
    events.push((key, fact));
    answer(cx, program, (order_id, order), known.first(), events, 201).await
}

/// Tells the merchant what the event takes from rewards that were decided. Nothing is read where
/// nobody wants to know.
async fn tell<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, first, advocates): (OrderPseudonym, Option<&Report>, &BTreeSet<CustomerPseudonym>),
    (key, fact): (FactKey, &Fact),
) -> Result<(), StoreError> {
    let wanted = is_wanted(cx, program, &[WebhookType::RewardReversed]);
    let Some(first) = first.filter(|_| wanted) else { return Ok(()) };
    for advocate in advocates {
        let facts = orders::in_ledger(cx, program, *advocate, order).await?;
        news::rewards(cx, program, (*advocate, order, first.key), &facts, (key, fact)).await?;
    }
    Ok(())
}

/// The conversion after the event; 202 where it is not visible yet.
async fn answer<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order_id, order): (&OrderId, OrderPseudonym),
    report: Option<&Report>,
    events: Vec<(FactKey, Fact)>,
    status: u16,
) -> Result<Response, Problem> {
    let Some(report) = report else {
        return Ok(Response::json(202, &EventKept { order_known: false }));
    };
    let mut record = record(cx, program, order, report.key).await?;
    let mut advocate_id = None;
    if let Some(advocate) = report.advocate {
        let customer = customers::load(cx, program, advocate).await?;
        let mut facts = orders::in_ledger(cx, program, advocate, order).await?;
        // Those too that are not in the ledger. A repeat joins them; else the cron does.
        let mut missing = Vec::new();
        for (key, fact) in events {
            let Fact::Event(_, event) = &fact else { continue };
            if status == 200 && facts.event(event.event).is_none() {
                missing.push(ledger_put(program, advocate, order, (key, &fact)));
            }
            facts.add(key, fact);
        }
        cx.put_all(&missing).await?;
        // What brought no proof has come into a ledger since.
        if record.unproven.is_some() {
            (record.attributed, record.reason) = (true, None);
        }
        let rewards = status::rewards(&facts, &customer.view(advocate, program, cx.now));
        if record.attributed {
            let promise =
                |reward: &status::Reward| Promise { role: reward.part.role, value: reward.value };
            let plain = rewards.iter().filter(|reward| reward.part.milestone.is_none());
            record.rewards = plain.map(promise).collect();
        }
        advocate_id = customer.open(program);
    }
    let answer: ConversionAnswer = record.answer(order_id, order, advocate_id);
    Ok(Response::json(status, &answer))
}
