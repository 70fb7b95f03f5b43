//! What a customer sees: `GET /v1/me` and `POST /v1/me/shares`. At most six operations for a
//! thousand facts, however many clicks: facts, closed days and the open day are a list each.

use std::collections::BTreeMap;

use futures_util::future::join;
use passalong_core::channel::Channel;
use passalong_core::code;
use passalong_core::decode::Fields;
use passalong_core::fact::Order;
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::program::Version;
use passalong_core::reward::{RewardId, Role, Rule};
use passalong_core::settlement::Known;
use passalong_core::status::{self, Totals};
use passalong_core::wire::{
    Clicks, EarnedSum, Me, MeOffer, MeReward, MeTotals, ProgramHead, Referral, promised,
};
use serde_json::{Value, json};

use crate::authenticate::customer;
use crate::clicks;
use crate::customers::{self, Customer};
use crate::http::{Request, Response};
use crate::keys::{Batch, ClickKey, ClicksKey, LedgerKey, ShareKey};
use crate::orders;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::{body, link, only, query};
use crate::store::{Context, Host, Put, StoreError};

/// Referrals in one answer.
const PAGE: usize = 50;
/// Pages of the ledger that are read: 1,000 facts each.
const LEDGER_PAGES: usize = 5;
/// Batches of the open day that are counted: a hundred seconds in which somebody clicked, or 8,000
/// visitors of a link that many follow. Beyond it there are "more than" so many until the day is folded.
const OPEN_BATCHES: usize = 100;
/// Batches of yesterday whose values are read: one operation.
const LONG_BATCHES: usize = 100;
/// Shares are kept so long, for statistics.
pub const SHARES_KEPT_DAYS: i64 = 90;

/// The buttons, in order.
pub const CHANNELS: [Channel; 9] = [
    Channel::WhatsApp,
    Channel::Native,
    Channel::Email,
    Channel::Sms,
    Channel::Telegram,
    Channel::X,
    Channel::Facebook,
    Channel::LinkedIn,
    Channel::Xing,
];

/// 1. Authenticate: 401. 2. Load the customer's record and, on first contact, write it: 503.
/// 3. Load ledger and clicks. 4. Compute. 5. Encode.
pub async fn me<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    // 1
    let (program, claims) = customer(cx, request).await?;
    only(request, &["before"])?;
    let before: Option<u32> = query(request, "before")?;
    let pseudonym = program.keys.customer(&claims.customer);
    // 2
    let record = customers::load(cx, &program, pseudonym).await?;
    let missing = customers::missing(cx, &program, &record, &claims.customer, &claims.hints);
    cx.put_all(&missing).await?;
    let first_contact = !missing.is_empty();
    // 3
    let (orders, clicks) =
        join(ledger(cx, &program, pseudonym), count_clicks(cx, &program, pseudonym, first_contact))
            .await;
    let (orders, clicks) = (orders?, clicks?);
    // 4
    let version = programs::current(cx, &program)?;
    let code = code::issue(&program.keys, pseudonym);
    let (totals, mut referrals) = referrals(cx, &program, pseudonym, &record.known, &orders);
    if let Some(before) = before {
        referrals.retain(|referral| referral.number < before);
    }
    let more = referrals.len() > PAGE;
    referrals.truncate(PAGE);
    let more = referrals.last().filter(|_| more).map(|last| last.number.to_string());
    // 5
    let me = Me {
        program: ProgramHead { time_zone: Some(version.terms.time_zone.clone()), ..head(version) },
        link: link(request, program.id(), &code),
        code,
        alias: None,
        offer: offer(version),
        totals: message(totals, clicks),
        referrals,
        next: None,
        channels: CHANNELS.to_vec(),
        as_of: cx.now,
        more,
        test_clock: cx.config.test_clock,
    };
    Ok(Response::json(200, &me))
}

pub fn head(version: &Version) -> ProgramHead {
    let terms = &version.terms;
    ProgramHead {
        id: terms.id.to_string(),
        name: terms.name.clone(),
        currency: terms.currency,
        time_zone: None,
        address: terms.address,
    }
}

fn offer(version: &Version) -> MeOffer {
    let terms = &version.terms;
    let advocate = promised(terms, Role::Advocate);
    MeOffer {
        advocate: advocate.map(|rule| rule.value),
        friend: promised(terms, Role::Friend).map(|rule| rule.value),
        hold_days: terms.hold.days,
        hold_from: terms.hold.from,
        minimum_order: advocate.and_then(|rule: &Rule| rule.minimum_order),
        window_days: terms.attribution.window_days,
        new_customers_only: terms.attribution.new_customers_only,
        paused: terms.paused,
    }
}

/// An advocate's orders.
pub async fn ledger<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<BTreeMap<OrderPseudonym, Order>, StoreError> {
    let prefix = LedgerKey::prefix(&[program.id(), &customer]);
    Ok(orders::fold(&cx.list(&prefix, LEDGER_PAGES).await?))
}

/// Totals, and all referrals with the newest first. Numbers follow the order of acceptance.
pub fn referrals<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    known: &Known,
    orders: &BTreeMap<OrderPseudonym, Order>,
) -> (Totals, Vec<Referral>) {
    let accepted = |(order, facts): (&OrderPseudonym, &Order)| {
        facts.conversion.as_ref().map(|conversion| (conversion.at, *order))
    };
    let mut ranks: Vec<_> = orders.iter().filter_map(accepted).collect();
    ranks.sort_unstable();
    let mut totals = Totals::default();
    let mut referrals = Vec::with_capacity(ranks.len());
    for (number, (_, order)) in (1..).zip(ranks) {
        let Some(facts) = orders.get(&order) else { continue };
        let Some(conversion) = &facts.conversion else { continue };
        let rewards = status::rewards(facts, customer, known, &program.versions, cx.now);
        let reward = rewards.into_iter().find(|reward| reward.role == Role::Advocate);
        totals.add(conversion.fact.kind, reward.as_ref());
        referrals.push(Referral {
            number,
            kind: conversion.fact.kind,
            occurred_at: conversion.fact.occurred_at,
            reward: reward.map(|reward| MeReward {
                id: RewardId { order, role: Role::Advocate }.to_string(),
                value: reward.value,
                status: reward.status,
                reason: reward.reason,
                until: reward.until,
                since: reward.since,
            }),
        });
    }
    referrals.reverse();
    (totals, referrals)
}

/// Unique clicks: of closed days, and of the open one.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub closed: u64,
    pub today: Clicks,
}

/// Reads the closed days (one list) and the open day (one short page) together, and yesterday where it
/// has not been folded yet. Whoever was unknown a moment ago has no past to read.
pub async fn count_clicks<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    first_contact: bool,
) -> Result<Counted, StoreError> {
    let today = cx.now.day();
    let raw = |day| ClickKey::prefix(&[program.id(), &day, &customer]);
    let closed = async {
        if first_contact {
            return Ok(Vec::new());
        }
        cx.list(&ClicksKey::prefix(&[program.id(), &customer]), 1).await
    };
    let (page, days) = join(cx.first(&raw(today), OPEN_BATCHES), closed).await;
    let ((batches, goes_on), days) = (page?, days?);
    let (visitors, more) = clicks::listed(&batches);
    let count = visitors.len() as u64;
    let open = if more || goes_on {
        Clicks::MoreThan { more_than: count }
    } else {
        Clicks::Exactly(count)
    };
    if first_contact {
        return Ok(Counted { closed: 0, today: open });
    }
    let sum = |entry: &crate::store::Entry| entry.metadata.get("n").and_then(Value::as_u64);
    let mut closed: u64 = days.iter().filter_map(sum).sum();
    let yesterday = today.plus(-1);
    let folded = ClicksKey { program: program.id().clone(), customer, day: yesterday }.to_string();
    if !days.iter().any(|entry| entry.key == folded) {
        let batches = cx.list(&raw(yesterday), 1).await?;
        closed += clicks::read(cx, &batches, LONG_BATCHES).await?.len() as u64;
    }
    Ok(Counted { closed, today: open })
}

fn message(totals: Totals, clicks: Counted) -> MeTotals {
    let today = match clicks.today {
        Clicks::Exactly(count) | Clicks::MoreThan { more_than: count } => count,
    };
    let sum = |(value, count)| EarnedSum { value, count };
    MeTotals {
        clicks: clicks.closed + today,
        clicks_today: clicks.today,
        signups: totals.signups,
        purchases: totals.purchases,
        pending: totals.pending,
        approved: totals.approved,
        earned: totals.earned.into_iter().map(sum).collect(),
    }
}

/// `POST /v1/me/shares`: a tap on a share button; 204 once it is written.
pub async fn share<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let (program, claims) = customer(cx, request).await?;
    let mut fields = Fields::parse(body(request)?)?;
    let channel = fields.read::<Channel>("channel")?;
    let channel = fields.required("channel", channel, "for example whatsapp")?;
    fields.finish()?;
    let customer = program.keys.customer(&claims.customer);
    let day = cx.now.day();
    let batch = Batch(cx.host.random());
    let key = ShareKey { program: program.id().clone(), day, customer, batch };
    let put = Put::listed(&key, json!({ "ch": channel }));
    cx.put(&put.until(day.plus(SHARES_KEPT_DAYS).start(), cx.now)).await?;
    Ok(Response::empty(204))
}

/// Whether anything readable is on record.
pub fn is_known(record: &Customer) -> bool {
    record.sealed.is_some()
}
