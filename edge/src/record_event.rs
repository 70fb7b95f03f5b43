//! `POST /v1/conversions/{order_id}/events`: what happened to an order, and how a shop says that it
//! stands. Kept even where the order is not visible yet, because the store may be late.

use std::collections::BTreeSet;

use passalong_core::fact::{Event, Fact, FactKey, Order};
use passalong_core::ids::{CustomerPseudonym, Digest, OrderId, OrderPseudonym};
use passalong_core::orders::state::{State, StateReport};
use passalong_core::program::Version;
use passalong_core::report::{EventReport, EventType, Item};
use passalong_core::seal::Sealed;
use passalong_core::status;
use passalong_core::time::{DAY, Instant, SETTLE};
use passalong_core::webhook::WebhookType;
use passalong_core::wire::{ConversionAnswer, EventKept};

use crate::authenticate::merchant;
use crate::customers;
use crate::http::{Request, Response};
use crate::keys::{EventKey, Ledger, Why};
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
///    answered again, the same id with other content is 409. 4. Save: the pointer first; 503 if any
///    write fails. 5. Encode.
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
    let order = program.keys.order(order_id);
    let digest = program.keys.digest(report.content(order_id).as_bytes());
    let id = program.keys.event(order_id, &report.id);
    // 3
    let known = reports(cx, program, order).await?;
    let mut events = orders::events(cx, program, order).await?;
    let same_id =
        events.iter().find(|(_, fact)| matches!(fact, Fact::Event(_, other) if other.event == id));
    let status = if let Some((key, _)) = same_id {
        if key.digest != digest {
            let detail = "this event_id was reported with other content; the first report stands";
            return Err(Problem::conflict(detail));
        }
        200
    } else {
        // 4
        let first = (order, known.first());
        let event = Event {
            event: id,
            sealed: program.keys.seal(Sealed::Event, report.id.as_str()),
            amount: report.amount,
            occurred_at: report.occurred_at,
            undoes: report.undoes.as_ref().map(|undone| program.keys.event(order_id, undone)),
            excluded: excluded(cx, program, first, &report.items, report.occurred_at).await?,
        };
        let fact = Fact::Event(report.kind, event);
        let key = FactKey { accepted: cx.accepted(), kind: fact.kind(), digest };
        save(cx, program, (order, &known), (key, &fact), &report.items).await?;
        events.push((key, fact));
        201
    };
    // 5
    let refund = Some(id).filter(|_| report.kind == EventType::Refunded);
    answer(cx, program, (order_id, order), known.first(), (events, refund), status).await
}

/// What became of a state that a shop told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTaken {
    /// It was known before.
    pub repeated: bool,
    /// Else it is kept, and joined later.
    pub order_known: bool,
}

/// Takes in how an order stands, as a shop system told it: what changed is derived where it is
/// looked at, so that a state may come before the one it follows. Durable once this returns.
pub async fn take_state<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order_id: &OrderId,
    report: &StateReport,
) -> Result<StateTaken, Problem> {
    let order = program.keys.order(order_id);
    let digest = program.keys.digest(report.content(order_id).as_bytes());
    let known = reports(cx, program, order).await?;
    let events = orders::events(cx, program, order).await?;
    let order_known = !known.is_empty();
    let repeated = events.iter().any(|(key, _)| key.digest == digest);
    if repeated {
        if let Some(advocate) = known.iter().find_map(|report| report.advocate) {
            let mut facts = orders::in_ledger(cx, program, advocate, order).await?;
            join_ledger(cx, program, (advocate, order), &mut facts, events).await?;
        }
        return Ok(StateTaken { repeated, order_known });
    }
    let first = (order, known.first());
    let StateReport { at, amount, refunded, standing, .. } = *report;
    let excluded = excluded(cx, program, first, &report.items, at).await?;
    let fact = Fact::State(State { at, amount, refunded, standing, excluded });
    let key = FactKey { accepted: cx.accepted(), kind: fact.kind(), digest };
    save(cx, program, (order, &known), (key, &fact), &report.items).await?;
    Ok(StateTaken { repeated, order_known })
}

/// What of an order is excluded by the terms that are known to apply; none where its lines are not
/// told.
async fn excluded<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, report): (OrderPseudonym, Option<&Report>),
    items: &[Item],
    at: Instant,
) -> Result<Option<i64>, Problem> {
    if items.is_empty() {
        return Ok(None);
    }
    let occurred_at = match report {
        Some(report) => record(cx, program, order, report.key).await?.occurred_at,
        None => at,
    };
    let version = program.versions.at(occurred_at).or_else(|| program.versions.first());
    Ok(Some(version.map_or(0, |version| version.terms.excluded.amount(items))))
}

/// The lines of an order, as an event or a state told them again.
pub async fn lines<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    fact: FactKey,
) -> Result<Option<Vec<Item>>, StoreError> {
    let key = EventKey { program: program.id().clone(), order, fact };
    let value = cx.get(&key.to_string()).await?;
    Ok(value.and_then(|value| serde_json::from_str(&value).ok()))
}

/// Keeps an event or a state: the pointer first, then as it came, then in the ledgers.
async fn save<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, known): (OrderPseudonym, &[Report]),
    (key, fact): (FactKey, &Fact),
    items: &[Item],
) -> Result<(), Problem> {
    // Two reports of one order may be in one ledger.
    let advocates: BTreeSet<_> = known.iter().filter_map(|report| report.advocate).collect();
    // An order without proof may be on its way into a ledger.
    let binds = |version: &Version| version.terms.attribution.bound_days > 0;
    let may_join = program.versions.all().any(binds);
    if known.is_empty() || !advocates.is_empty() || may_join {
        let ledger = Ledger(known.iter().find_map(|report| report.advocate));
        let at = key.accepted.plus(SETTLE);
        cx.put(&due_for(program, at, ledger, order, Why::Event)).await?;
    }
    tell(cx, program, (order, known.first(), &advocates), (key, fact)).await?;
    let own = EventKey { program: program.id().clone(), order, fact: key };
    let mut kept = Put::listed(&own, &fact.to_json()).until(cx.now.plus(KEPT), cx.now);
    if !items.is_empty() {
        kept = kept.value(serde_json::to_string(items).unwrap_or_default());
    }
    cx.put(&kept).await?;
    let copy = |advocate: &_| ledger_put(program, *advocate, order, (key, fact));
    cx.put_all(&advocates.iter().map(copy).collect::<Vec<_>>()).await?;
    Ok(())
}

/// Tells the merchant what the event takes from rewards that were decided. Nothing is read where
/// nobody wants to know.
async fn tell<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order, first, advocates): (OrderPseudonym, Option<&Report>, &BTreeSet<CustomerPseudonym>),
    (key, fact): (FactKey, &Fact),
) -> Result<(), StoreError> {
    use WebhookType::{ReviewRequested, RewardApproved, RewardReversed};
    let wanted = is_wanted(cx, program, &[RewardReversed, RewardApproved, ReviewRequested]);
    let Some(first) = first.filter(|_| wanted) else { return Ok(()) };
    for advocate in advocates {
        let facts = orders::in_ledger(cx, program, *advocate, order).await?;
        news::rewards(cx, program, (*advocate, order, first.key), &facts, (key, fact)).await?;
    }
    Ok(())
}

/// Adds what happened to what a ledger has, and puts what it lacks into it.
async fn join_ledger<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    facts: &mut Order,
    events: Vec<(FactKey, Fact)>,
) -> Result<(), StoreError> {
    let mut missing = Vec::new();
    for (key, fact) in events {
        if facts.lacks(key, &fact) {
            missing.push(ledger_put(program, advocate, order, (key, &fact)));
        }
        facts.add(key, fact);
    }
    cx.put_all(&missing).await
}

/// The conversion after the event; 202 where it is not visible yet.
async fn answer<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (order_id, order): (&OrderId, OrderPseudonym),
    report: Option<&Report>,
    (events, refund): (Vec<(FactKey, Fact)>, Option<Digest>),
    status: u16,
) -> Result<Response, Problem> {
    let Some(report) = report else {
        return Ok(Response::json(202, &EventKept { order_known: false }));
    };
    let mut record = record(cx, program, order, report.key).await?;
    let reported = record.reported(report.key.accepted);
    let taken = refund.and_then(|refund| {
        let happened = |events: &[(FactKey, Fact)]| {
            let mut order = Order::default();
            events.iter().cloned().for_each(|(key, fact)| order.add(key, fact));
            order
        };
        match events.split_last() {
            // What is new takes what the others leave, in whichever order they count.
            Some((_, others)) if status == 201 => {
                let left = |events| reported.remaining(&happened(events), None).amount;
                Some(left(others).saturating_sub(left(&events)).max(0))
            }
            _ => reported.taken(&happened(&events), refund),
        }
    });
    let mut advocate_id = None;
    if let Some(advocate) = report.advocate {
        let customer = customers::load(cx, program, advocate).await?;
        let mut facts = orders::in_ledger(cx, program, advocate, order).await?;
        // Those too that are not in the ledger. A repeat joins them; else the cron does.
        if status == 200 {
            join_ledger(cx, program, (advocate, order), &mut facts, events).await?;
        } else {
            for (key, fact) in events {
                facts.add(key, fact);
            }
        }
        record = record.joined();
        let rewards = status::rewards(&facts, &customer.view(advocate, program, cx.now));
        if record.attributed {
            let promise =
                |reward: &status::Reward| Promise { role: reward.part.role, value: reward.value };
            let plain = rewards.iter().filter(|reward| reward.part.milestone.is_none());
            record.rewards = plain.map(promise).collect();
        }
        advocate_id = customer.open(program);
    }
    let answer = record.answer(order_id, order, advocate_id);
    Ok(Response::json(status, &ConversionAnswer { taken, ..answer }))
}
