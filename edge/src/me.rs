//! What a customer sees: `GET /v1/me` and `POST /v1/me/shares`. At most six operations for a
//! thousand facts, however many clicks: facts, closed days and the open day are a list each.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join3};
use passalong_core::channel::Channel;
use passalong_core::code;
use passalong_core::decode::Fields;
use passalong_core::fact::Order;
use passalong_core::ids::{CustomerPseudonym, Identity, OrderPseudonym};
use passalong_core::orders::account::{self, Earning};
use passalong_core::program::Version;
use passalong_core::reward::{Role, Rule, When};
use passalong_core::seal::Sealed;
use passalong_core::status::{self, Reward, Totals, View};
use passalong_core::time::{Instant, Minute};
use passalong_core::wire::{
    AliasReserved, Clicks, EarnedSum, FriendReward, Me, MeClaim, MeOffer, MeReward, MeTotals,
    ProgramHead, Referral, Stage, YearTotal, promised,
};

use crate::aliases;
use crate::authenticate::customer;
use crate::clicks;
use crate::customers::{self, Customer};
use crate::http::{Request, Response};
use crate::keys::{Batch, ClickKey, ClicksKey, LedgerKey, ShareKey};
use crate::metadata::{self, Shared};
use crate::orders;
use crate::people;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::{body, link, only, query};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Referrals in one answer.
const PAGE: usize = 50;
/// Orders as a friend in one answer.
const AS_FRIEND: usize = 5;
/// Pages of the ledger that are read: 1,000 facts each.
const LEDGER_PAGES: usize = 5;
/// Batches of the open day that are counted: a hundred seconds in which somebody clicked, or 8,000
/// visitors of a link that many follow. Beyond it there are "more than" so many until the day is folded.
const OPEN_BATCHES: usize = 100;
/// Pages of closed days: 1,000 days are kept.
pub const CLICKS_PAGES: usize = 2;
/// Batches of yesterday that are counted before it is folded.
const YESTERDAYS_BATCHES: usize = 1_000;
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
    let (id, segment) = (&claims.customer, claims.segment.as_deref());
    let mut missing = customers::missing(cx, &program, &record, id, &claims.hints);
    missing.extend(customers::moved(cx, &program, &record, id, segment));
    cx.put_all(&missing).await?;
    let first_contact = record.sealed.is_none() && !missing.is_empty();
    // 3
    let (orders, clicks, chosen) = join3(
        ledger(cx, &program, pseudonym),
        count_clicks(cx, &program, pseudonym, first_contact),
        aliases::chosen(cx, program.id(), pseudonym, &record),
    )
    .await;
    let (orders, clicks, held) = (orders?, clicks?, chosen?.held);
    // 4
    let version = programs::current(cx, &program)?;
    let code = code::issue(&program.keys, pseudonym);
    let approved = status::approved(&orders);
    let view = View { approved: Some(&approved), ..record.view(pseudonym, &program, cx.now) };
    let as_friend = as_friend(cx, &program, pseudonym).await?;
    let (totals, mut referrals) = referrals(&program, &orders, &view);
    let year = account::year_total(&orders, &view, &version.terms);
    if let Some(before) = before {
        referrals.retain(|referral| referral.number < before);
    }
    let more = referrals.len() > PAGE;
    referrals.truncate(PAGE);
    let more = referrals.last().filter(|_| more).map(|last| last.number.to_string());
    let reserved = held.and_then(|(alias, claim)| {
        let until = claim.reserved_until().start();
        (cx.now < until).then(|| AliasReserved { alias: alias.to_string(), until })
    });
    // 5
    let me = Me {
        program: ProgramHead { time_zone: Some(version.terms.time_zone.clone()), ..head(version) },
        link: link(request, program.id(), &code),
        code,
        alias: held.filter(|_| reserved.is_none()).map(|(alias, _)| alias.to_string()),
        alias_reserved: reserved,
        offer: offer(version, segment),
        totals: message(totals, clicks, year),
        referrals,
        as_friend,
        claims: missing_referrals(&program, &record, cx.now),
        next: account::next(&version.terms, &approved, segment),
        channels: CHANNELS.to_vec(),
        as_of: cx.now,
        more,
        test_clock: cx.config.test_clock,
    };
    Ok(Response::json(200, &me))
}

/// Missing referrals that a customer reported, newest first. Whether there is such an order is not told.
pub fn missing_referrals(program: &Loaded, record: &Customer, now: Instant) -> Vec<MeClaim> {
    let mut seen = BTreeSet::new();
    let first = record.missing.iter().filter(|one| seen.insert(one.digest));
    let claim = |one: &customers::Missing| {
        let outcome = record.outcome(one.digest);
        let number = program.keys.open(Sealed::OrderNumber, &one.number).unwrap_or_default();
        MeClaim::new(number, one.ordered_on.clone(), one.filed, outcome, now)
    };
    let mut claims: Vec<MeClaim> = first.map(claim).collect();
    claims.reverse();
    claims
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

fn offer(version: &Version, segment: Option<&str>) -> MeOffer {
    let terms = &version.terms;
    let advocate = promised(terms, Role::Advocate, segment);
    let friend = promised(terms, Role::Friend, None);
    MeOffer {
        advocate: advocate.map(|rule| rule.value),
        friend: friend.map(|rule| rule.value),
        hold_days: terms.hold.days,
        hold_from: terms.hold.from,
        minimum_order: advocate.and_then(|rule: &Rule| rule.minimum_order),
        window_days: terms.attribution.window_days,
        new_customers_only: terms.attribution.new_customers_only,
        paused: terms.paused,
        trigger: friend.or(advocate).map(|rule| rule.trigger),
        when: friend.map(|rule| rule.when),
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

fn told(
    program: &Loaded,
    reward: Reward,
    order: OrderPseudonym,
    advocate: CustomerPseudonym,
) -> MeReward {
    MeReward {
        id: reward.id(order, advocate).to_string(),
        value: reward.value,
        status: reward.status,
        reason: reward.reason,
        until: reward.until,
        since: reward.since,
        coupon: reward.coupon.and_then(|code| program.keys.open(Sealed::Coupon, &code)),
    }
}

/// Totals, and all referrals with the newest first, as they are told.
pub fn referrals(
    program: &Loaded,
    orders: &account::Ledger,
    view: &View<'_>,
) -> (Totals, Vec<Referral>) {
    let reward = |one: Earning| told(program, one.reward, one.order, view.advocate);
    let stage = |one: account::Stage| Stage {
        kind: one.kind,
        occurred_at: one.occurred_at,
        reward: one.reward.map(reward),
    };
    let (totals, referrals) = account::referrals(orders, view);
    let referral = |one: account::Referral| {
        let Stage { kind, occurred_at, reward: latest } = stage(one.latest);
        Referral {
            number: one.number,
            kind,
            occurred_at,
            reward: latest,
            bonus: one.bonus.map(reward),
            before: one.before.map(stage),
        }
    };
    (totals, referrals.into_iter().map(referral).collect())
}

/// An order of a friend, in the ledger of whoever recommended the shop.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    pub facts: Order,
    pub customer: Customer,
}

/// The latest orders of a customer as a friend. Programs in which friends earn nothing later than at
/// once cost no operation.
pub async fn claimed<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    friend: CustomerPseudonym,
    most: usize,
) -> Result<Vec<Claimed>, StoreError> {
    let earns = |rule: &Rule| rule.when == When::Earned;
    if !program.versions.all().any(|version| version.terms.rules(Role::Friend).any(earns)) {
        return Ok(Vec::new());
    }
    let (listed, _) = people::listed(cx, program, Identity::Customer(friend)).await?;
    let claim = |one: people::Listed| Some((one.seen.accepted, one.seen.order, one.seen.ledger.0?));
    let mut claims: Vec<(Minute, OrderPseudonym, CustomerPseudonym)> =
        listed.into_iter().filter_map(claim).collect();
    claims.sort_unstable();
    claims.reverse();
    let mut seen = BTreeSet::new();
    claims.retain(|(_, order, advocate)| seen.insert((*order, *advocate)));
    let mut result = Vec::new();
    for (_, order, advocate) in claims.into_iter().take(most) {
        let facts = orders::in_ledger(cx, program, advocate, order).await?;
        // What is decided no longer depends on who the advocate is.
        let customer = match facts.verdict {
            Some(_) => Customer::default(),
            None => customers::load(cx, program, advocate).await?,
        };
        result.push(Claimed { order, advocate, facts, customer });
    }
    Ok(result)
}

pub async fn as_friend<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    friend: CustomerPseudonym,
) -> Result<Vec<FriendReward>, StoreError> {
    let claims = claimed(cx, program, friend, AS_FRIEND).await?;
    let reward = |claim: &Claimed| {
        let fact = &claim.facts.conversion.as_ref()?.fact;
        let view = claim.customer.view(claim.advocate, program, cx.now);
        let mut rewards = status::rewards(&claim.facts, &view).into_iter();
        let reward = rewards.find(|reward| reward.part.role == Role::Friend)?;
        Some(FriendReward {
            kind: fact.kind,
            occurred_at: fact.occurred_at,
            reward: told(program, reward, claim.order, claim.advocate),
        })
    };
    Ok(claims.iter().filter_map(reward).collect())
}

/// Unique clicks: of closed days, and of the open one.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub closed: u64,
    pub today: Clicks,
}

/// Reads the closed days (one list) and the open day (one short page) together, and yesterday where it
/// has not been folded yet. Whoever was unknown a moment ago has no past, as a rule, so none is read; who
/// comes again after an erasure sees theirs from the second look on.
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
        cx.list(&ClicksKey::prefix(&[program.id(), &customer]), CLICKS_PAGES).await
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
    let sum = |entry: &Entry| Some(entry.read::<metadata::Counted>()?.clicks);
    let mut closed: u64 = days.iter().filter_map(sum).sum();
    let yesterday = today.plus(-1);
    let folded = ClicksKey { program: program.id().clone(), customer, day: yesterday }.to_string();
    if !days.iter().any(|entry| *entry.key == *folded) {
        // Of a link that very many follow, the first of yesterday, until it is folded.
        let (batches, _) = cx.first(&raw(yesterday), YESTERDAYS_BATCHES).await?;
        closed += clicks::read(cx, &batches, LONG_BATCHES).await?.len() as u64;
    }
    Ok(Counted { closed, today: open })
}

fn message(totals: Totals, clicks: Counted, year: YearTotal) -> MeTotals {
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
        year,
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
    let put = Put::listed(&key, &Shared { channel });
    cx.put(&put.until(day.plus(SHARES_KEPT_DAYS).start(), cx.now)).await?;
    Ok(Response::empty(204))
}

/// Whether anything readable is on record.
pub fn is_known(record: &Customer) -> bool {
    record.sealed.is_some()
}
