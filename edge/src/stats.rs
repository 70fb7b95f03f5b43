//! `GET /v1/stats`: what happened on each day of a period, and the figures that follow.
//!
//! What became of an order's rewards changes for weeks, so it is computed when it is asked for, from
//! the ledgers of the advocates of those days. An answer does a bounded number of operations; where
//! the period has more orders than that, it covers the first days and says where to go on.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use passalong_core::csv::dashed;
use passalong_core::fact::Order;
use passalong_core::figures::{DayFigures, Figures, Orders, Reach, Stats, Tally};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::metrics::{Seen, metrics};
use passalong_core::money::Currency;
use passalong_core::reward::Trigger;
use passalong_core::status::{self, View};
use passalong_core::time::Day;

use crate::authenticate::merchant;
use crate::customers::{self, Customer};
use crate::days::{Cursor, period};
use crate::http::{Request, Response};
use crate::keys::LogKey;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::reach::{self, OfDay};
use crate::read_rewards::logged;
use crate::requests::{only, query};
use crate::store::{Context, Host, StoreError};
use crate::{me, totals};

/// Operations after which no further orders are looked at. What follows takes less than 150: a list
/// for each month of totals and of closed days, and up to ten for each open day.
const FOR_ORDERS: u32 = 560;
/// Orders whose ledgers are read at once.
const AT_ONCE: usize = 20;
/// The longest a customer is said to stay.
const MOST_YEARS: u32 = 100;

/// 1. Authenticate: 401. 2. Decode: 400. 3. Count the orders, as far as they can be. 4. Add clicks,
///    shares and totals of the days that are covered. 5. Encode.
pub async fn stats<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    only(request, &["from", "to", "cursor", "years"])?;
    let (from, to) = period(request, cx.now.day())?;
    let years: Option<u32> = query(request, "years")?;
    if years.is_some_and(|years| !(1..=MOST_YEARS).contains(&years)) {
        return Err(Problem::field("years", format!("must be from 1 to {MOST_YEARS}")));
    }
    let cursor: Option<Cursor> = query(request, "cursor")?;
    let begin = cursor.unwrap_or(Cursor { day: from, after: None });
    if !(from..=to).contains(&begin.day) {
        return Err(Problem::field("cursor", "must be of an answer to the same from and to"));
    }
    // 3
    let counted = count(cx, &program, begin, to).await?;
    let last = match &counted.next {
        None => to,
        Some(Cursor { day, after: Some(_) }) => *day,
        Some(Cursor { day, after: None }) => day.plus(-1),
    };
    // 4
    let covered = (begin.day, last);
    let mut reach = reach::read(cx, &program, covered).await?;
    if begin.after.is_some() {
        // The answer before has told them.
        reach.remove(&begin.day);
    }
    let posted = totals::read(cx, &program, covered).await?;
    // 5
    let mut together = (Reach { unique: Some(0), ..Reach::default() }, Orders::default());
    let mut days = Vec::new();
    let mut day = begin.day;
    while day <= last {
        let nothing =
            || OfDay { reach: Reach { unique: Some(0), ..Reach::default() }, ..OfDay::default() };
        let of_day = reach.remove(&day).unwrap_or_else(nothing);
        let orders = counted.tally.days.get(&day).cloned().unwrap_or_default();
        together.0.join(&of_day.reach);
        together.1.join(&orders);
        days.push(DayFigures {
            day: dashed(day),
            open: of_day.open,
            at_least: of_day.at_least,
            complete: counted.next.is_none_or(|next| next.day > day),
            figures: Figures::new(of_day.reach, orders),
        });
        day = day.plus(1);
    }
    let currency = programs::current(cx, &program)?.terms.currency;
    let seen = seen(&counted.tally, &together, currency);
    let (reach, orders) = together;
    let message = Stats {
        from: dashed(from),
        to: dashed(to),
        as_of: cx.now,
        currency,
        complete: counted.next.is_none(),
        cursor: counted.next.map(|next| next.to_string()),
        days,
        total: Figures::new(reach, orders),
        metrics: metrics(&seen, &posted, covered, years),
    };
    Ok(Response::json(200, &message))
}

fn seen(tally: &Tally, (reach, orders): &(Reach, Orders), currency: Currency) -> Seen {
    let (buyers, buyers_again) = tally.buyers();
    Seen {
        clicks: reach.clicks,
        shares: reach.shares,
        sharer_days: reach.sharers,
        new_friends: orders.new_friends,
        purchases: orders.purchases,
        revenue: orders.revenue,
        buyers,
        buyers_again,
        advocates: tally.advocates.len() as u64,
        rewards: orders.paid(currency),
        rewards_otherwise: orders.paid_otherwise(currency),
    }
}

/// The orders that were counted, and where the next answer goes on.
#[derive(Default)]
struct Counted {
    tally: Tally,
    next: Option<Cursor>,
}

/// Counts the referred orders from `begin` to `to`, in the order of the log, as far as operations
/// allow. An answer always gets on by some orders.
async fn count<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    begin: Cursor,
    to: Day,
) -> Result<Counted, Problem> {
    let mut counted = Counted::default();
    let currency = programs::current(cx, program)?.terms.currency;
    let mut ledgers: BTreeMap<CustomerPseudonym, Account> = BTreeMap::new();
    let mut day = begin.day;
    while day <= to {
        if cx.spent() >= FOR_ORDERS {
            counted.next = Some(Cursor { day, after: None });
            break;
        }
        let (logged, following) = logged(cx, program, day).await?;
        let is_wanted = |key: &LogKey| {
            let is_seen = key.day == begin.day && Some(key.order) <= begin.after;
            (day..=to).contains(&key.day) && !is_seen
        };
        let wanted: Vec<LogKey> =
            logged.into_iter().map(|(key, _)| key).filter(is_wanted).collect();
        let mut last = None;
        // Two lines of one order stand side by side and are not parted.
        for some in
            wanted.chunk_by(|one, two| one.order == two.order).collect::<Vec<_>>().chunks(AT_ONCE)
        {
            if let Some(last) = last.filter(|_| cx.spent() >= FOR_ORDERS) {
                counted.next = Some(last);
                return Ok(counted);
            }
            let some: Vec<&LogKey> = some.iter().flat_map(|lines| lines.iter()).collect();
            read_accounts(cx, program, &some, &mut ledgers).await?;
            for key in &some {
                count_one(cx, program, key, &ledgers, currency, &mut counted.tally);
            }
            last = some.last().map(|key| Cursor { day: key.day, after: Some(key.order) });
        }
        day = following;
    }
    Ok(counted)
}

/// An advocate's orders, how many referrals are approved, and who the advocate is.
struct Account {
    orders: BTreeMap<OrderPseudonym, Order>,
    approved: BTreeMap<Trigger, u32>,
    customer: Customer,
}

/// Reads the ledgers that are not known yet, and of advocates with undecided orders who they are:
/// only that can still change what is shown.
async fn read_accounts<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    keys: &[&LogKey],
    accounts: &mut BTreeMap<CustomerPseudonym, Account>,
) -> Result<(), StoreError> {
    let unknown = keys.iter().filter_map(|key| key.ledger.0);
    let mut unknown: Vec<CustomerPseudonym> =
        unknown.filter(|advocate| !accounts.contains_key(advocate)).collect();
    unknown.sort();
    unknown.dedup();
    let reads = unknown.iter().map(|advocate| async move {
        let orders = me::ledger(cx, program, *advocate).await?;
        let undecided = orders.values().any(|order| order.verdict.is_none());
        let customer = if undecided {
            customers::load(cx, program, *advocate).await?
        } else {
            Customer::default()
        };
        let approved = status::approved(&orders);
        Ok((*advocate, Account { orders, approved, customer }))
    });
    for account in join_all(reads).await {
        let (advocate, account) = account?;
        accounts.insert(advocate, account);
    }
    Ok(())
}

fn count_one<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    key: &LogKey,
    accounts: &BTreeMap<CustomerPseudonym, Account>,
    currency: Currency,
    tally: &mut Tally,
) {
    let Some(advocate) = key.ledger.0 else { return };
    let Some(account) = accounts.get(&advocate) else { return };
    let Some(order) = account.orders.get(&key.order) else { return };
    // An order that was reported for two days counts on the day that stands.
    let stands = order.conversion.as_ref().map(|conversion| conversion.fact.occurred_at.day());
    if stands == Some(key.day) {
        let view = account.customer.view(advocate, program, cx.now);
        let view = View { approved: Some(&account.approved), ..view };
        let rewards = status::rewards(order, &view);
        tally.add(key.day, advocate, order, &rewards, currency);
    }
}
