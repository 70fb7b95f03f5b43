//! Missing referrals. `POST /v1/me/claims`: a customer names an order that came by a recommendation and
//! is not among the referrals. Nothing of the order is told: the merchant sees what was found
//! ([`found`], [`list`]) and decides ([`decide`]).

pub mod decide;
pub mod found;
pub mod list;

use passalong_core::decode::Fields;
use passalong_core::ids::{CustomerPseudonym, Digest, OrderId, OrderNumber, OrderPseudonym};
use passalong_core::missing_referral::{
    A_MONTH, ORDER_AGE_DAYS, WAITS_DAYS, counts, has_room, next_month, waits_until,
};
use passalong_core::seal::Sealed;
use passalong_core::time::{DAY, Day, Instant, Minute, SETTLE};
use passalong_core::values::one_word::{folded, visible};
use passalong_core::wire::MeClaim;

use crate::authenticate::customer;
use crate::customers;
use crate::http::{Request, Response};
use crate::keys::{CustomerKey, DueMissingKey, Field, Filed, FiledKey, MissingKey, Posted};
use crate::metadata::{DueMissing, Missing, Nothing};
use crate::problem::{Code, Problem};
use crate::programs::Loaded;
use crate::requests::body;
use crate::store::{Context, Host, Put, StoreError};

/// A report is shown so long, also when it has lapsed.
const SHOWN_DAYS: i64 = 2 * WAITS_DAYS;
/// That a report was made is known so long: longer than any other of its month can be decided.
const COUNTED_DAYS: i64 = WAITS_DAYS + 32;
/// The order is looked for a second time so long after the report. Whatever was accepted before the
/// report was visible everywhere is visible by then; whatever comes later finds the report itself.
const SECOND_LOOK: i64 = 2 * SETTLE;
/// Reports of one customer that are read, of two months: the first ones, of which ten a month count.
const FILED: usize = 1_000;

/// A missing referral as a customer reports it.
struct Asked {
    given: String,
    number: OrderNumber,
    ordered_on: Day,
}

impl Asked {
    /// By the number people see, or by the shop's id.
    fn parse(body: &[u8], now: Instant) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let number = fields.text("order_number", 128)?.map(|text| ("order_number", text));
        let id = fields.text("order_id", 128)?.map(|text| ("order_id", text));
        if number.is_some() && id.is_some() {
            let problem = "goes without order_number: one of the two is enough";
            return Err(fields.invalid("order_id", problem).into());
        }
        let right = "the number of the order, for example #1077";
        let (field, given) = fields.required("order_number", number.or(id), right)?;
        let number = given.parse().map_err(|error| fields.invalid(field, error))?;
        let day: Option<Day> = fields.read("ordered_on")?;
        let right = "the day of the order, for example 2026-11-20";
        let ordered_on = fields.required("ordered_on", day, right)?;
        if ordered_on > now.day().plus(1) {
            return Err(fields.invalid("ordered_on", "lies ahead").into());
        }
        if ordered_on < now.day().plus(-ORDER_AGE_DAYS) {
            let problem = format!("is too long ago: at most {ORDER_AGE_DAYS} days");
            return Err(fields.invalid("ordered_on", problem).into());
        }
        fields.finish()?;
        Ok(Self { given: visible(&given), number, ordered_on })
    }

    /// The orders that have this text as their id, however it was written.
    fn orders(&self, program: &Loaded) -> Vec<OrderPseudonym> {
        let texts = [self.given.clone(), self.number.as_str().to_owned(), folded(&self.given)];
        let ids = texts.iter().filter_map(|text| text.parse::<OrderId>().ok());
        let mut orders: Vec<_> = ids.map(|id| program.keys.order(&id)).collect();
        orders.sort();
        orders.dedup();
        orders
    }
}

/// What tells reports of one customer apart: the number and the day. It does not lead to the order.
pub fn digest(
    program: &Loaded,
    customer: CustomerPseudonym,
    number: OrderPseudonym,
    ordered_on: Day,
) -> Digest {
    let content = format!("missing-v1\n{customer}\n{number}\n{ordered_on}");
    program.keys.digest(content.as_bytes())
}

/// What a customer reported in the last two months, by minute and digest.
pub async fn filed_by<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<Vec<(Minute, Digest)>, StoreError> {
    let (entries, _) = cx.first(&FiledKey::prefix(&[program.id(), &customer]), FILED).await?;
    let filed = |key: FiledKey| (key.filed.0, key.filed.1);
    Ok(entries.iter().filter_map(|entry| entry.key.parse().map(filed).ok()).collect())
}

/// 1. Authenticate: 401. 2. Decode: 400. 3. Load: a report that stands is answered again, one too many
///    is 429. 4. Save: the pointer first, what the customer sees last, 503. 5. Encode.
pub async fn file<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    // 1
    let (program, claims) = customer(cx, request).await?;
    // 2
    let asked = Asked::parse(body(request)?, cx.now)?;
    // 3
    let customer = program.keys.customer(&claims.customer);
    let number = program.keys.order_number(&asked.number);
    let digest = digest(&program, customer, number, asked.ordered_on);
    let known = customers::load(cx, &program, customer).await?;
    let filed = filed_by(cx, &program, customer).await?;
    let waits = |report: &&(Minute, Digest)| {
        report.1 == digest && cx.now < waits_until(report.0) && counts(&filed, **report)
    };
    let same = filed.iter().filter(waits).min().map(|(at, _)| *at);
    let told = |at: Minute| {
        let outcome = known.outcome(digest);
        MeClaim::new(asked.given.clone(), asked.ordered_on.dashed(), at, outcome, cx.now)
    };
    let stands = known.missing.iter().any(|one| one.digest == digest && Some(one.filed) == same);
    if let Some(at) = same.filter(|_| stands) {
        return Ok(Response::json(200, &told(at)));
    }
    let now = cx.accepted();
    if same.is_none() && !has_room(&filed, now) {
        let detail = format!("at most {A_MONTH} missing referrals can be reported in a month");
        let left = next_month(now).seconds().saturating_sub(cx.now.seconds());
        let problem = Problem::new(Code::RateLimited, detail);
        return Err(problem.retry_after(u32::try_from(left).unwrap_or(u32::MAX)));
    }
    // 4
    let at = same.unwrap_or(now);
    let filed = Filed { at, customer, ordered_on: asked.ordered_on };
    let orders = asked.orders(&program);
    cx.put(&due_put(cx, &program, number, filed, &orders)).await?;
    let key = FiledKey { program: program.id().clone(), customer, filed: Posted(at, digest) };
    let counted = at.start().plus(COUNTED_DAYS * DAY);
    cx.put(&Put::listed(&key, &Nothing {}).until(counted, cx.now)).await?;
    let mut puts = customers::missing(cx, &program, &known, &claims.customer, &claims.hints);
    let key = MissingKey { program: program.id().clone(), number, filed };
    puts.push(Put::listed(&key, &Nothing {}).until(waits_until(at), cx.now));
    if known.erased {
        cx.put_all(&puts).await?;
    } else {
        puts.extend(found::look(cx, &program, (number, &orders), filed).await?);
        cx.put_all(&puts).await?;
        // The last key: whoever sees it can rely on the others. What is dropped for an erased customer
        // cannot be approved either.
        cx.put(&own_put(cx, &program, filed, digest, &asked)).await?;
    }
    // 5
    Ok(Response::json(if same.is_some() { 200 } else { 201 }, &told(at)))
}

fn due_put<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    number: OrderPseudonym,
    filed: Filed,
    orders: &[OrderPseudonym],
) -> Put {
    let at = cx.accepted().plus(SECOND_LOOK);
    let key = DueMissingKey { at, program: program.id().clone(), number, filed };
    Put::listed(&key, &DueMissing { orders: orders.to_vec() })
}

/// The report as its customer sees it; erased with the customer.
fn own_put<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    filed: Filed,
    digest: Digest,
    asked: &Asked,
) -> Put {
    let field = Field::Missing(filed.at, digest);
    let key = CustomerKey { program: program.id().clone(), customer: filed.customer, field };
    let meta = Missing {
        ordered_on: asked.ordered_on.dashed(),
        number: program.keys.seal(Sealed::OrderNumber, &asked.given),
    };
    let shown = filed.at.start().plus(SHOWN_DAYS * DAY);
    Put::listed(&key, &meta).until(shown, cx.now)
}
