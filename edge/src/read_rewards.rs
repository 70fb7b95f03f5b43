//! What the merchant reads: one conversion with its story, the list of rewards, and all that one
//! customer is owed.

use std::collections::BTreeMap;

use passalong_core::fact::Order;
use passalong_core::ids::{CustomerId, CustomerPseudonym, OrderId, OrderPseudonym};
use passalong_core::reward::{Role, Status};
use passalong_core::seal::Sealed;
use passalong_core::settlement::settling;
use passalong_core::status;
use passalong_core::time::Day;
use passalong_core::wire::{AdvocateRef, ConversionStory, Rewards, StoryEvent};

use crate::authenticate::merchant;
use crate::customers;
use crate::http::{Request, Response};
use crate::keys::LogKey;
use crate::metadata;
use crate::orders::{self, not_visible, record, reports};
use crate::owed;
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::{only, part, query};
use crate::rewards::{Told, owners};
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
        let states = status::rewards(&facts, &found.view(customer, &program, cx.now));
        let version = program.versions.at(record.occurred_at);
        settles_at =
            facts.conversion.as_ref().zip(version).map(|(conversion, version)| {
                settling(&facts, conversion, &version.terms).at.start()
            });
        let ids = owners(cx, &program, customer, &facts).await?;
        rewards = states
            .iter()
            .map(|state| {
                let told = Told { program: &program, advocate: customer, order, facts: &facts };
                told.message(state, order_id.as_str(), &ids)
            })
            .collect();
        let attributed = record.attributed || record.unproven.is_some();
        advocate = attributed.then(|| AdvocateRef { customer_id: found.open(&program) });
    }
    for (key, fact) in events {
        facts.add(key, fact);
    }
    let open = |sealed: &str| program.keys.open(Sealed::Event, sealed);
    let story = facts.events().into_iter().map(|event| {
        let (kind, fact) = &event.fact;
        let undone = fact.undoes.and_then(|undone| facts.event(undone));
        StoryEvent {
            event_id: open(&fact.sealed).unwrap_or_default(),
            r#type: *kind,
            amount: fact.amount,
            undoes: undone.and_then(|undone| open(&undone.fact.1.sealed)),
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
        attributed: advocate.is_some(),
        reason: record.reason.filter(|_| advocate.is_none()),
        advocate,
        terms_version: record.terms_version,
        settles_at,
        events: story.collect(),
        rewards,
    };
    Ok(Response::json(200, &story))
}

/// `GET /v1/rewards`: rewards of the orders of the days `from` to `to`, oldest day first.
pub async fn list_rewards<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    if let Some(id) = query::<CustomerId>(request, "customer_id")? {
        return owed::list(cx, &program, request, &id).await;
    }
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
            let states = status::rewards(&facts, &record.view(advocate, &program, cx.now));
            let mut ids: BTreeMap<Role, String> =
                record.open(&program).map(|id| (Role::Advocate, id)).into_iter().collect();
            if states.iter().any(|state| state.part.role == Role::Friend) {
                ids = owners(cx, &program, advocate, &facts).await?;
            }
            let told = Told { program: &program, advocate, order: key.order, facts: &facts };
            rewards.extend(
                states
                    .iter()
                    .filter(|state| wanted.is_none_or(|wanted| wanted == state.status))
                    .map(|state| told.message(state, &order_id, &ids)),
            );
        }
        day = following;
    }
    let cursor = next.map(|next| next.to_string());
    Ok(Response::json(200, &Rewards { rewards, cursor, owed: None, year: None }))
}

/// The orders of a day and all that follow in its month, where one list holds them; else of that
/// day alone. And the day to go on with.
pub async fn logged<H: Host>(
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
        let sealed = entry.read().map(|it: metadata::Sealed| it.sealed).unwrap_or_default();
        let order_id = orders::open_order(program, &sealed).unwrap_or_default();
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
