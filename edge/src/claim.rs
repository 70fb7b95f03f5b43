//! `POST /v1/me/claims`: a customer misses a referral and names the order. Once the shop has reported
//! that order, and if it proved no other referral, it comes into the customer's ledger and waits for
//! the merchant's decision.

use passalong_core::decode::Fields;
use passalong_core::ids::OrderId;
use passalong_core::time::{DAY, Day, SETTLE};
use passalong_core::wire::MeClaim;

use crate::authenticate::customer;
use crate::customers;
use crate::http::{Request, Response};
use crate::keys::{CustomerKey, Field, Filed, HandKey, Ledger, Why};
use crate::metadata::{Due, OrderedOn};
use crate::orders::due_for;
use crate::problem::Problem;
use crate::requests::body;
use crate::store::{Context, Host, Put};

/// How old an order may be.
const AT_MOST_DAYS: i64 = 60;
/// How long a claim waits for its order.
pub const WAITS_DAYS: i64 = 30;
/// Open claims of one customer.
const MOST: usize = 10;

/// 1. Authenticate: 401. 2. Decode: 400. 3. Load: too many are 409, a known one is answered again.
///    4. Save: the pointer first, 503. 5. Encode.
pub async fn claim<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    // 1
    let (program, claims) = customer(cx, request).await?;
    // 2
    let mut fields = Fields::parse(body(request)?)?;
    let order: Option<OrderId> = fields.read("order_id")?;
    let order =
        fields.required("order_id", order, "the number of the order, as the shop gave it")?;
    let day: Option<Day> = fields.read("ordered_on")?;
    let day = fields.required("ordered_on", day, "the day of the order, for example 2026-11-20")?;
    let today = cx.now.day();
    if day > today.plus(1) {
        return Err(fields.invalid("ordered_on", "lies ahead").into());
    }
    if day < today.plus(-AT_MOST_DAYS) {
        let problem = format!("is too long ago: at most {AT_MOST_DAYS} days");
        return Err(fields.invalid("ordered_on", problem).into());
    }
    fields.finish()?;
    // 3
    let customer = program.keys.customer(&claims.customer);
    let known = customers::load(cx, &program, customer).await?;
    let order = program.keys.order(&order);
    let told = |claim: &customers::Claimed| MeClaim {
        ordered_on: claim.ordered_on.clone(),
        filed_at: claim.filed_at,
    };
    if let Some(same) = known.claims.iter().find(|claim| claim.order == order) {
        return Ok(Response::json(200, &told(same)));
    }
    if known.claims.len() >= MOST {
        let detail = format!("at most {MOST} claims can wait at a time");
        return Err(Problem::conflict(detail).retry_after(86_400));
    }
    // 4
    let missing = customers::missing(cx, &program, &known, &claims.customer, &claims.hints);
    cx.put_all(&missing).await?;
    let at = cx.accepted();
    let why = (Why::Missing, Due { since: Some(cx.now) });
    cx.put(&due_for(&program, at.plus(SETTLE), Ledger(None), order, why)).await?;
    let metadata = OrderedOn { day };
    let until = cx.now.plus(WAITS_DAYS * DAY);
    let hand = HandKey { program: program.id().clone(), order, filed: Filed { at, customer } };
    cx.put(&Put::listed(&hand, &metadata).until(until, cx.now)).await?;
    let field = Field::Claim(at, order);
    let own = CustomerKey { program: program.id().clone(), customer, field };
    if !known.erased {
        cx.put(&Put::listed(&own, &metadata).until(until, cx.now)).await?;
    }
    // 5
    let filed_at = at.start();
    Ok(Response::json(201, &MeClaim { ordered_on: day.dashed(), filed_at }))
}
