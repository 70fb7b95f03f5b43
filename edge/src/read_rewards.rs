//! What the merchant reads: one conversion with its story, the list of rewards, and the handing
//! over of one reward.

use std::collections::BTreeMap;

use passalong_core::decode::Fields;
use passalong_core::fact::{Fact, FactKey, FactKind, Fulfilment, Order};
use passalong_core::ids::{CustomerPseudonym, Identity, OrderId, OrderPseudonym};
use passalong_core::reward::{RewardId, Role, Status};
use passalong_core::seal::Sealed;
use passalong_core::settlement::settling;
use passalong_core::status::{self, Reward};
use passalong_core::time::{Day, Instant};
use passalong_core::wire::{
    AdvocateRef, ConversionStory, MerchantReward, RewardEntry, Rewards, StoryEvent,
};

use crate::authenticate::merchant;
use crate::customers;
use crate::http::{Request, Response};
use crate::keys::LogKey;
use crate::news;
use crate::orders::{self, ledger_put, not_visible, record, reports};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::{body, only, part, query};
use crate::store::{Context, Entry, Host};

/// Orders looked at for one page of rewards.
const PAGE: usize = 50;
/// Days in a list of rewards where none are given.
const DAYS: i64 = 31;
/// Lists of orders for one page of rewards.
const LISTS: u32 = 31;

/// `GET /v1/conversions/{order_id}`.
pub async fn read_conversion<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    order_id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let order_id: OrderId = part("order_id", order_id)?;
    let order = program.keys.order(&order_id);
    let known = reports(cx, &program, order).await?;
    let report = known.first().ok_or_else(not_visible)?;
    let record = record(cx, &program, order, report.key).await?;
    let events = orders::events(cx, &program, order).await?;
    let mut facts = Order::default();
    let mut advocate = None;
    let mut rewards = Vec::new();
    let mut settles_at = None;
    if let Some(customer) = report.advocate {
        facts = orders::in_ledger(cx, &program, customer, order).await?;
        // What came before its order and waits to be joined counts here, too.
        for (key, fact) in &events {
            facts.add(*key, fact.clone());
        }
        let found = customers::load(cx, &program, customer).await?;
        let states = status::rewards(&facts, customer, &found.known, &program.versions, cx.now);
        let version = program.versions.at(record.occurred_at);
        settles_at =
            facts.conversion.as_ref().zip(version).map(|(conversion, version)| {
                settling(&facts, conversion, &version.terms).at.start()
            });
        let ids = owners(cx, &program, customer, &facts).await?;
        rewards = states
            .iter()
            .map(|state| message(&program, (order, order_id.as_str()), state, &facts, &ids))
            .collect();
        advocate = record.attributed.then(|| AdvocateRef { customer_id: found.open(&program) });
    }
    for (key, fact) in events {
        facts.add(key, fact);
    }
    let story = facts.events().into_iter().map(|event| {
        let (kind, fact) = &event.fact;
        StoryEvent {
            event_id: program.keys.open(Sealed::Event, &fact.sealed).unwrap_or_default(),
            r#type: *kind,
            amount: fact.amount,
            occurred_at: fact.occurred_at,
            accepted_at: event.at.start(),
        }
    });
    let story = ConversionStory {
        order_id: order_id.as_str().to_owned(),
        kind: record.kind,
        amount: record.amount,
        currency: record.currency,
        occurred_at: record.occurred_at,
        accepted_at: report.key.accepted.start(),
        attributed: record.attributed,
        reason: record.reason,
        advocate,
        terms_version: record.terms_version,
        settles_at,
        events: story.collect(),
        rewards,
    };
    Ok(Response::json(200, &story))
}

/// The merchant's ids of those who earn from an order.
async fn owners<H: Host>(
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

/// The friend, where the shop named one.
pub fn friend_of(facts: &Order) -> Option<CustomerPseudonym> {
    let identities = facts.conversion.iter().flat_map(|conversion| &conversion.fact.identities);
    identities.into_iter().find_map(|identity| match identity {
        Identity::Customer(customer) => Some(*customer),
        Identity::Hint(_) => None,
    })
}

/// A reward as the merchant sees it.
pub fn message(
    program: &Loaded,
    (order, order_id): (OrderPseudonym, &str),
    state: &Reward,
    facts: &Order,
    owners: &BTreeMap<Role, String>,
) -> MerchantReward {
    let entry = |entry: &status::Entry| RewardEntry {
        value: entry.value,
        reason: entry.reason,
        since: entry.since,
    };
    let reference = facts
        .fulfilment(state.role)
        .filter(|_| state.status == Status::Fulfilled)
        .and_then(|paid| program.keys.open(Sealed::Reference, &paid.fact.sealed));
    MerchantReward {
        id: RewardId { order, role: state.role }.to_string(),
        r#for: state.role,
        customer_id: owners.get(&state.role).cloned(),
        order_id: order_id.to_owned(),
        value: state.value,
        status: state.status,
        reason: state.reason,
        since: state.since,
        until: state.until,
        entries: state.entries.iter().map(entry).collect(),
        reference,
    }
}

/// `GET /v1/rewards`: rewards of the orders of the days `from` to `to`, oldest day first.
pub async fn list_rewards<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    only(request, &["status", "from", "to", "cursor"])?;
    let wanted: Option<Status> = query(request, "status")?;
    let to: Day = query(request, "to")?.unwrap_or(cx.now.day());
    let from: Day = query(request, "from")?.unwrap_or_else(|| to.plus(1 - DAYS));
    let cursor: Option<Cursor> = query(request, "cursor")?;
    if from > to {
        return Err(Problem::field("from", "must not be after to"));
    }
    let mut day = cursor.as_ref().map_or(from, |cursor| cursor.day);
    let mut rewards = Vec::new();
    let mut looked_at = 0;
    let mut last: Option<Cursor> = None;
    let mut next = None;
    let mut records: BTreeMap<CustomerPseudonym, customers::Customer> = BTreeMap::new();
    'pages: for lists in 0.. {
        if day > to {
            break;
        }
        if lists >= LISTS {
            next = Some(Cursor { day, after: None });
            break;
        }
        let (orders, following) = logged(cx, &program, day).await?;
        for (key, order_id) in orders {
            let place = (key.day, Some(key.order));
            let seen = cursor.as_ref().is_some_and(|cursor| place <= (cursor.day, cursor.after));
            if key.day < day || key.day > to || seen {
                continue;
            }
            // Two reports of one order stand side by side and are not parted.
            let together = last.as_ref().is_some_and(|last| last.after == Some(key.order));
            if looked_at >= PAGE && !together {
                next = last;
                break 'pages;
            }
            looked_at += 1;
            last = Some(Cursor { day: key.day, after: Some(key.order) });
            let Some(advocate) = key.ledger.0 else { continue };
            let facts = orders::in_ledger(cx, &program, advocate, key.order).await?;
            let record = match records.get(&advocate) {
                Some(record) => record.clone(),
                None => customers::load(cx, &program, advocate).await?,
            };
            records.insert(advocate, record.clone());
            let states =
                status::rewards(&facts, advocate, &record.known, &program.versions, cx.now);
            let mut ids: BTreeMap<Role, String> =
                record.open(&program).map(|id| (Role::Advocate, id)).into_iter().collect();
            if states.iter().any(|state| state.role == Role::Friend) {
                ids = owners(cx, &program, advocate, &facts).await?;
            }
            rewards.extend(
                states
                    .iter()
                    .filter(|state| wanted.is_none_or(|wanted| wanted == state.status))
                    .map(|state| message(&program, (key.order, &order_id), state, &facts, &ids)),
            );
        }
        day = following;
    }
    Ok(Response::json(200, &Rewards { rewards, cursor: next.map(|next| next.to_string()) }))
}

/// The orders of a day and all that follow in its month, where one list holds them; else of that
/// day alone. And the day to go on with.
async fn logged<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    day: Day,
) -> Result<(Vec<(LogKey, String)>, Day), Problem> {
    let month = day.to_string().get(..6).unwrap_or_default().to_owned();
    let whole = LogKey::prefix(&[program.id()]);
    let page = cx.page(&format!("{whole}{month}"), None).await?;
    let (entries, following) = if page.cursor.is_none() {
        let rest = (1..=31).map(|days| day.plus(days));
        let following = rest.into_iter().find(|later| !later.to_string().starts_with(&month));
        (page.entries, following.unwrap_or(day.plus(1)))
    } else {
        (cx.list(&format!("{whole}{day}/"), 20).await?, day.plus(1))
    };
    let order = |entry: &Entry| {
        let sealed = entry.metadata.get("s").and_then(|s| s.as_str()).unwrap_or_default();
        let order_id = orders::open_order(program, sealed).unwrap_or_default();
        entry.key.parse().ok().map(|key| (key, order_id))
    };
    Ok((entries.iter().filter_map(order).collect(), following))
}

/// Where a list goes on: `20261122`, or behind an order of that day, `20261122.0123456789abcdef`.
struct Cursor {
    day: Day,
    after: Option<OrderPseudonym>,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.day)?;
        self.after.map_or(Ok(()), |order| write!(f, ".{order}"))
    }
}

impl std::str::FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (day, after) = text.split_once('.').map_or((text, None), |(day, at)| (day, Some(at)));
        let right = "must be the cursor of an earlier answer";
        let after = after.map(str::parse).transpose().map_err(|_| right)?;
        Ok(Self { day: day.parse().map_err(|_| right)?, after })
    }
}

/// `POST /v1/rewards/{id}/fulfil`: the merchant has handed it over. A repeat is answered again.
pub async fn fulfil<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let mut fields = Fields::parse(body(request)?)?;
    let reference = fields.text("reference", 128)?;
    let reference = fields.required(
        "reference",
        reference,
        "how you find it again, for example voucher 881",
    )?;
    fields.finish()?;
    let id: RewardId = id.parse().map_err(|_| Problem::not_found("there is no such reward"))?;
    let known = reports(cx, &program, id.order).await?;
    let advocate = known.first().and_then(|report| report.advocate).ok_or_else(not_visible)?;
    let mut facts = orders::in_ledger(cx, &program, advocate, id.order).await?;
    let customer = customers::load(cx, &program, advocate).await?;
    let state = |facts: &Order| {
        let all = status::rewards(facts, advocate, &customer.known, &program.versions, cx.now);
        all.into_iter().find(|reward| reward.role == id.role)
    };
    let reward = state(&facts).ok_or_else(not_visible)?;
    let sealed = program.keys.seal(Sealed::Reference, &reference);
    match reward.status {
        Status::Approved => {
            let fulfilment = Fulfilment { role: id.role, value: reward.value, sealed };
            let fact = Fact::Fulfilment(fulfilment);
            let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
            let key = FactKey { accepted: cx.accepted(), kind: FactKind::Fulfilled, digest };
            if let Some(first) = known.first() {
                let of = (advocate, id.order, first.key);
                news::rewards(cx, &program, of, &facts, (key, &fact)).await?;
            }
            cx.put(&ledger_put(&program, advocate, id.order, (key, &fact))).await?;
            facts.add(key, fact);
        }
        Status::Fulfilled => {
            let paid = facts.fulfilment(id.role);
            if paid.is_some_and(|paid| paid.fact.sealed != sealed) {
                let detail = "this reward was fulfilled already, with another reference";
                return Err(Problem::conflict(detail));
            }
        }
        status => {
            let wait = reward.until.map_or(3_600, |until| seconds_between(cx.now, until));
            let detail = format!("only an approved reward can be fulfilled; this one is {status}");
            return Err(Problem::conflict(detail).retry_after(wait));
        }
    }
    let reward = state(&facts).ok_or_else(not_visible)?;
    let first = known.first().ok_or_else(not_visible)?;
    let record = record(cx, &program, id.order, first.key).await?;
    let order_id = orders::open_order(&program, &record.order).unwrap_or_default();
    let ids = owners(cx, &program, advocate, &facts).await?;
    let message = message(&program, (id.order, &order_id), &reward, &facts, &ids);
    Ok(Response::json(200, &message))
}

fn seconds_between(now: Instant, until: Instant) -> u32 {
    u32::try_from((until.seconds() - now.seconds()).max(60)).unwrap_or(u32::MAX)
}
