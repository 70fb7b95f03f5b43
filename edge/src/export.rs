//! `GET /v1/exports/{table}`: rewards and conversions by the days on which their orders occurred,
//! and advocates, page by page, as files. Pages follow each other in one file: only the first has
//! a head, and `x-next-cursor` says where the next begins.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use passalong_core::csv::{Cell, Locale, dashed};
use passalong_core::export::{ColumnSet, Format, Layout, Row, Table};
use passalong_core::fact::Order;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::reward::{Role, Status};
use passalong_core::status;
use passalong_core::time::Day;
use passalong_core::wire::MerchantReward;
use serde_json::{Value, json};

use crate::authenticate::merchant;
use crate::customers::{self, Customer};
use crate::days::{Cursor, period};
use crate::export_advocates::advocates;
use crate::http::{Request, Response};
use crate::keys::{LogKey, OrderKey};
use crate::orders::{self, Record};
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::read_rewards::logged;
use crate::requests::{only, part, query};
use crate::rewards::{Told, friend_of};
use crate::store::{Context, Host, StoreError};

/// Orders in a page: two or three operations each.
const ORDERS: usize = 150;
/// Lists of orders for a page.
const LISTS: u32 = 31;
/// Orders, or advocates, that are read at once.
pub const AT_ONCE: usize = 25;

/// 1. Authenticate: 401. 2. Decode: 400; 404 where there is no such table. 3. Load a page. 4. Encode.
pub async fn export<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    table: &str,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let table: Table = part("table", table).map_err(|_| {
        Problem::not_found("there are the tables rewards, conversions and advocates")
    })?;
    let layout = layout(cx, &program, request, table)?;
    let is_first = request.parameter("cursor").is_none_or(|cursor| cursor.is_empty());
    // 3
    let (rows, next, days) = if table == Table::Advocates {
        only(request, &["format", "locale", "columns", "cursor"])?;
        let (rows, next) = advocates(cx, &program, request).await?;
        (rows, next, dashed(cx.now.day()))
    } else {
        only(request, &["format", "locale", "columns", "from", "to", "cursor"])?;
        let (from, to) = period(request, cx.now.day())?;
        let page = page(cx, &program, query(request, "cursor")?, (from, to)).await?;
        let rows = match table {
            Table::Rewards => rewards(cx, &program, &page.orders).await?,
            _ => conversions(cx, &program, &page.orders).await?,
        };
        let days = format!("{}-{}", dashed(from), dashed(to));
        (rows, page.next.map(|next| next.to_string()), days)
    };
    // 4
    let mut text = if is_first { layout.head() } else { String::new() };
    for row in &rows {
        text.push_str(&layout.row(row));
    }
    let (kind, ending) = match layout.format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Jsonl => ("application/x-ndjson", "jsonl"),
    };
    let file = format!("attachment; filename=\"{}-{table}-{days}.{ending}\"", program.id());
    let mut response =
        Response::empty(200).with("content-type", kind).with("content-disposition", file);
    if let Some(next) = next {
        response = response.with("x-next-cursor", next);
    }
    response.body = text.into_bytes();
    Ok(response)
}

/// Spreadsheets are opened in the program's language; imports read the other way by default.
fn layout<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    request: &Request,
    table: Table,
) -> Result<Layout, Problem> {
    let columns = query(request, "columns")?.unwrap_or(ColumnSet::Default);
    let is_german = programs::current(cx, program)?.terms.locale.starts_with("de");
    let usual = if is_german && columns == ColumnSet::Default { Locale::De } else { Locale::En };
    Ok(Layout {
        table,
        format: query(request, "format")?.unwrap_or(Format::Csv),
        locale: query(request, "locale")?.unwrap_or(usual),
        columns,
    })
}

/// Some orders of the log, with the shop's ids.
struct Page {
    orders: Vec<(LogKey, String)>,
    next: Option<Cursor>,
}

async fn page<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    cursor: Option<Cursor>,
    (from, to): (Day, Day),
) -> Result<Page, Problem> {
    let begin = cursor.unwrap_or(Cursor { day: from, after: None });
    let mut page = Page { orders: Vec::new(), next: None };
    let mut day = begin.day;
    for lists in 0.. {
        if day > to {
            break;
        }
        if lists >= LISTS {
            page.next = Some(Cursor { day, after: None });
            break;
        }
        let (found, following) = logged(cx, program, day).await?;
        for (key, order_id) in found {
            let is_seen = key.day == begin.day && Some(key.order) <= begin.after;
            if !(day..=to).contains(&key.day) || is_seen {
                continue;
            }
            let last = page.orders.last().map(|(last, _)| (last.day, last.order));
            // Two lines of one order stand side by side and are not parted.
            if let Some((day, order)) = last
                && page.orders.len() >= ORDERS
                && (day, order) != (key.day, key.order)
            {
                page.next = Some(Cursor { day, after: Some(order) });
                return Ok(page);
            }
            page.orders.push((key, order_id));
        }
        day = following;
    }
    Ok(page)
}

/// An order in its advocate's ledger, and what is kept of the advocate.
struct Referred<'k> {
    key: &'k LogKey,
    order_id: &'k str,
    advocate: CustomerPseudonym,
    facts: Order,
    customer: Customer,
}

async fn referred<'k, H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    orders: &'k [(LogKey, String)],
) -> Result<Vec<Referred<'k>>, StoreError> {
    let mut all = Vec::new();
    let mut known: BTreeMap<CustomerPseudonym, Customer> = BTreeMap::new();
    for some in orders.chunks(AT_ONCE) {
        let mut unknown: Vec<CustomerPseudonym> =
            some.iter().filter_map(|(key, _)| key.ledger.0).collect();
        unknown.retain(|advocate| !known.contains_key(advocate));
        unknown.sort();
        unknown.dedup();
        let people = unknown.iter().map(|advocate| customers::load(cx, program, *advocate));
        for (advocate, customer) in unknown.iter().zip(join_all(people).await) {
            known.insert(*advocate, customer?);
        }
        let reads = some.iter().filter_map(|(key, order_id)| {
            let advocate = key.ledger.0?;
            Some(async move {
                let facts = orders::in_ledger(cx, program, advocate, key.order).await?;
                Ok((key, order_id, advocate, facts))
            })
        });
        for read in join_all(reads).await {
            let (key, order_id, advocate, facts) = read?;
            let customer = known.get(&advocate).cloned().unwrap_or_default();
            all.push(Referred { key, order_id, advocate, facts, customer });
        }
    }
    Ok(all)
}

/// The shop's ids of the friends of some orders.
async fn friends<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    orders: &[Referred<'_>],
) -> Result<BTreeMap<CustomerPseudonym, String>, StoreError> {
    let mut people: Vec<_> = orders.iter().filter_map(|order| friend_of(&order.facts)).collect();
    people.sort();
    people.dedup();
    let ids = customers::open_all(cx, program, &people).await?;
    Ok(people.into_iter().zip(ids).filter_map(|(friend, id)| Some((friend, id?))).collect())
}

fn states<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: &Referred<'_>,
) -> Vec<status::Reward> {
    let view = order.customer.view(order.advocate, program, cx.now);
    status::rewards(&order.facts, &view)
}

async fn rewards<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    orders: &[(LogKey, String)],
) -> Result<Vec<Row>, Problem> {
    let orders = referred(cx, program, orders).await?;
    let friends = friends(cx, program, &orders).await?;
    let mut rows = Vec::new();
    for order in &orders {
        let friend = friend_of(&order.facts).and_then(|friend| friends.get(&friend).cloned());
        let owners = [(Role::Advocate, order.customer.open(program)), (Role::Friend, friend)];
        let owners = owners.into_iter().filter_map(|(role, id)| Some((role, id?))).collect();
        let ordered_at =
            order.facts.conversion.as_ref().map(|conversion| conversion.fact.occurred_at);
        for state in states(cx, program, order) {
            let (advocate, facts) = (order.advocate, &order.facts);
            let told = Told { program, advocate, order: order.key.order, facts };
            let mut row = reward_row(told.message(&state, order.order_id, &owners));
            row.push(("ordered_at", ordered_at.map_or(Cell::Empty, Cell::Time)));
            rows.push(row);
        }
    }
    Ok(rows)
}

fn reward_row(reward: MerchantReward) -> Row {
    let value = json!(reward.value);
    let mut row = vec![
        ("reward_id", Cell::Word(reward.id)),
        ("for", Cell::Word(reward.r#for.to_string())),
        ("customer_id", Cell::text(reward.customer_id)),
        ("order_id", Cell::Text(reward.order_id)),
        ("kind", Cell::word(text_of(&value, "kind"))),
        ("currency", Cell::word(text_of(&value, "currency"))),
        ("status", Cell::Word(reward.status.to_string())),
        ("reason", Cell::word(reward.reason)),
        ("since", Cell::Time(reward.since)),
        ("until", reward.until.map_or(Cell::Empty, Cell::Time)),
        ("reference", Cell::text(reward.reference)),
        ("label", Cell::text(text_of(&value, "label").or_else(|| text_of(&value, "to")))),
        ("milestone", reward.milestone.map_or(Cell::Empty, |at| Cell::Number(at.into()))),
    ];
    row.extend(number_of(&value));
    // So many orders or fees a percentage is taken off.
    let times = value.get("times").and_then(Value::as_i64);
    row.extend(times.map(|times| ("quantity", Cell::Number(times))));
    // What reversals took from a fulfilled reward, together.
    let mut taken = Cell::Empty;
    for entry in &reward.entries {
        let more = number_of(&json!(entry.value)).map(|(_, cell)| cell);
        taken = match (taken, more.unwrap_or(Cell::Empty)) {
            (Cell::Money(one, currency), Cell::Money(two, _)) => {
                Cell::Money(one.saturating_add(two), currency)
            }
            (Cell::Number(one), Cell::Number(two)) => Cell::Number(one.saturating_add(two)),
            (_, more) => more,
        };
    }
    row.push(("taken_back", taken));
    row
}

fn text_of(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The number of a value, in the column of its kind: each value has one at most.
pub fn number_of(value: &Value) -> Option<(&'static str, Cell)> {
    let number = |name: &str| value.get(name).and_then(Value::as_i64);
    let currency = text_of(value, "currency").and_then(|currency| currency.parse().ok());
    if let Some((amount, currency)) = number("amount").zip(currency) {
        return Some(("amount", Cell::Money(amount, currency)));
    }
    if let Some(basis_points) = number("basis_points") {
        return Some(("percent", Cell::Percent(basis_points)));
    }
    let counted = ["points", "bytes", "periods"].iter().find_map(|name| number(name));
    counted.map(|counted| ("quantity", Cell::Number(counted)))
}

async fn conversions<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    orders: &[(LogKey, String)],
) -> Result<Vec<Row>, Problem> {
    let mut first = Vec::new();
    for some in orders.chunks(AT_ONCE) {
        let reads = some.iter().map(|(key, _)| orders::reports(cx, program, key.order));
        for (line, reports) in some.iter().zip(join_all(reads).await) {
            // The report that counts; another one of the same order, for another advocate, does not.
            let report = reports?.into_iter().next();
            let report = report.filter(|report| report.advocate == line.0.ledger.0);
            first.extend(report.map(|report| (line.clone(), report)));
        }
    }
    let key = |((line, _), report): &((LogKey, String), orders::Report)| {
        OrderKey { program: program.id().clone(), order: line.order, fact: report.key }.to_string()
    };
    // An order that is in the log of two days is read once.
    let keys: Vec<String> = first.iter().map(key).collect();
    let unique: Vec<String> = keys.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let values = cx.get_many(&unique).await?;
    let values: BTreeMap<String, Option<String>> = unique.into_iter().zip(values).collect();
    let records = keys.iter().map(|key| values.get(key).and_then(Option::as_deref));
    let lines: Vec<(LogKey, String)> = first.into_iter().map(|(line, _)| line).collect();
    let referred = referred(cx, program, &lines).await?;
    let friends = friends(cx, program, &referred).await?;
    let others: Vec<&LogKey> =
        lines.iter().map(|(key, _)| key).filter(|key| key.ledger.0.is_none()).collect();
    let events = events(cx, program, &others).await?;
    let mut referred = referred.iter();
    let mut events = events.into_iter();
    let mut rows = Vec::new();
    for ((key, order_id), record) in lines.iter().zip(records) {
        let record = record.and_then(|record| serde_json::from_str::<Record>(record).ok());
        let record = record.ok_or(StoreError::NotVisible)?;
        let order = if key.ledger.0.is_some() { referred.next() } else { None };
        let facts = match order {
            Some(order) => order.facts.clone(),
            None => events.next().unwrap_or_default(),
        };
        // Two days may hold the same order; the one it occurred on has the row.
        if record.occurred_at.day() != key.day {
            continue;
        }
        let record = if order.is_some() { record.joined() } else { record };
        let states = order.map(|order| states(cx, program, order)).unwrap_or_default();
        let friend = friend_of(&facts).and_then(|friend| friends.get(&friend).cloned());
        let advocate =
            order.filter(|_| record.attributed).and_then(|order| order.customer.open(program));
        rows.push(conversion_row(order_id, &record, &facts, &states, (advocate, friend)));
    }
    Ok(rows)
}

/// The events of orders that are in no ledger.
async fn events<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    keys: &[&LogKey],
) -> Result<Vec<Order>, StoreError> {
    let mut all = Vec::new();
    for some in keys.chunks(AT_ONCE) {
        let reads = some.iter().map(|key| orders::events(cx, program, key.order));
        for events in join_all(reads).await {
            let mut order = Order::default();
            for (key, fact) in events? {
                order.add(key, fact);
            }
            all.push(order);
        }
    }
    Ok(all)
}

fn conversion_row(
    order_id: &str,
    record: &Record,
    facts: &Order,
    states: &[status::Reward],
    (advocate, friend): (Option<String>, Option<String>),
) -> Row {
    // All that happened counts, whenever the order was accepted.
    let left = record.reported(record.occurred_at.minute()).remaining(facts, None);
    let money = |amount: i64| {
        let currency = record.currency.filter(|_| record.amount.is_some());
        currency.map_or(Cell::Empty, |currency| Cell::Money(amount, currency))
    };
    let of = |role: Role| {
        let own = |state: &&status::Reward| state.part == role.into();
        states.iter().find(own).map(|state| state.status)
    };
    let stage = if left.reversed.is_some() { "Closed Lost" } else { "Closed Won" };
    // What was decided since it was recorded is said by the rewards.
    let reason = record.reason.or_else(|| {
        let refused = states.iter().find(|state| state.status == Status::Refused);
        refused.and_then(|state| state.reason)
    });
    vec![
        ("order_id", Cell::Text(order_id.to_owned())),
        ("kind", Cell::Word(record.kind.to_string())),
        ("occurred_at", Cell::Time(record.occurred_at)),
        ("day", Cell::Day(record.occurred_at.day())),
        ("amount", money(record.amount.unwrap_or(0))),
        ("remaining", money(left.amount)),
        ("currency", Cell::word(record.currency)),
        ("customer_id", Cell::text(friend)),
        ("attributed", Cell::Word(record.attributed.to_string())),
        ("reason", Cell::word(reason)),
        ("advocate_id", Cell::text(advocate)),
        ("advocate_status", Cell::word(of(Role::Advocate))),
        ("friend_status", Cell::word(of(Role::Friend))),
        (
            "terms_version",
            record.terms_version.map_or(Cell::Empty, |version| Cell::Number(version.into())),
        ),
        ("stage", Cell::Word(stage.to_owned())),
    ]
}
