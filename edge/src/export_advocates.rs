//! The table of advocates: customers of whom an id is kept, in the order of their pseudonyms, with
//! their link and what it has brought.

use futures_util::future::join_all;
use passalong_core::code;
use passalong_core::csv::Cell;
use passalong_core::export::Row;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::text::{base64url, from_base64url};
use serde_json::json;

use crate::customers::{self, Customer};
use crate::days::NO_CURSOR;
use crate::export::{AT_ONCE, number_of};
use crate::http::Request;
use crate::keys::{ClicksKey, CustomerKey};
use crate::me;
use crate::metadata::Counted;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::link;
use crate::store::{Context, Entry, Host, StoreError};

/// Advocates in a page: two operations each, for their ledger and their clicks.
const ADVOCATES: usize = 100;
/// Lists of customers for a page: customers of whom nothing readable is left make empty ones.
const CUSTOMER_LISTS: usize = 20;

/// Where a list of customers goes on: the store's cursor of a page, and the last customer of it that
/// was told. Opaque to whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    page: Option<String>,
    after: Option<CustomerPseudonym>,
}

impl Place {
    fn read(request: &Request) -> Result<Self, Problem> {
        let Some(text) = request.parameter("cursor").filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let wrong = || Problem::field("cursor", NO_CURSOR);
        let bytes = from_base64url(&text).ok_or_else(wrong)?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (after, page) = text.split_once(' ').ok_or_else(wrong)?;
        let after = Some(after).filter(|after| !after.is_empty());
        let after = after.map(str::parse).transpose().map_err(|_| wrong())?;
        Ok(Self { page: Some(page.to_owned()).filter(|page| !page.is_empty()), after })
    }

    fn text(&self) -> String {
        let after = self.after.map(|after| after.to_string()).unwrap_or_default();
        base64url(format!("{after} {}", self.page.as_deref().unwrap_or_default()).as_bytes())
    }
}

type Advocate = (CustomerPseudonym, Customer);

/// Customers of whom an id is kept, in the order of their pseudonyms.
async fn next_advocates<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    mut place: Place,
) -> Result<(Vec<Advocate>, Option<Place>), StoreError> {
    let mut found: Vec<Advocate> = Vec::new();
    let customer_of = |entry: &Entry| entry.key.parse().map(|key: CustomerKey| key.customer).ok();
    for _ in 0..CUSTOMER_LISTS {
        let prefix = CustomerKey::prefix(&[program.id()]);
        let page = cx.page(&prefix, place.page.as_deref()).await?;
        let groups: Vec<&[Entry]> =
            page.entries.chunk_by(|one, two| customer_of(one) == customer_of(two)).collect();
        let last_of_page = groups.len().saturating_sub(1);
        for (at, fields) in groups.into_iter().enumerate() {
            let Some(customer) = fields.first().and_then(customer_of) else { continue };
            if Some(customer) <= place.after {
                continue;
            }
            if found.len() >= ADVOCATES {
                return Ok((found, Some(place)));
            }
            // The page may end within a customer.
            let is_cut = at == last_of_page && page.cursor.is_some();
            let record = if is_cut {
                customers::load(cx, program, customer).await?
            } else {
                Customer::read(fields)
            };
            place.after = Some(customer);
            if record.sealed.is_some() {
                found.push((customer, record));
            }
        }
        match page.cursor {
            None => return Ok((found, None)),
            cursor => place.page = cursor,
        }
    }
    Ok((found, Some(place)))
}

/// A page of them, and the cursor of the next.
pub async fn advocates<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    request: &Request,
) -> Result<(Vec<Row>, Option<String>), Problem> {
    let (found, next) = next_advocates(cx, program, Place::read(request)?).await?;
    let mut rows = Vec::new();
    for some in found.chunks(AT_ONCE) {
        let reads = some.iter().map(|advocate| advocate_row(cx, program, request, advocate));
        for row in join_all(reads).await {
            rows.push(row?);
        }
    }
    Ok((rows, next.map(|next| next.text())))
}

/// An advocate's code and what it has brought, clicks of closed days only.
async fn advocate_row<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    request: &Request,
    (pseudonym, record): &Advocate,
) -> Result<Row, Problem> {
    let ledger = me::ledger(cx, program, *pseudonym).await?;
    let (totals, _) = me::referrals(program, &ledger, &record.view(*pseudonym, program, cx.now));
    let days = cx.list(&ClicksKey::prefix(&[program.id(), pseudonym]), me::CLICKS_PAGES).await?;
    let count = |entry: &Entry| Some(entry.read::<Counted>()?.clicks);
    let clicks: u64 = days.iter().filter_map(count).sum();
    let code = code::issue(&program.keys, *pseudonym);
    let currency = programs::current(cx, program)?.terms.currency;
    let money = totals.earned.iter().filter_map(|(value, _)| match number_of(&json!(value)) {
        Some((_, Cell::Money(amount, of))) if of == currency => Some(amount),
        _ => None,
    });
    let earned = money.fold(0, i64::saturating_add);
    Ok(vec![
        ("customer_id", Cell::text(record.open(program))),
        ("link", Cell::Word(link(request, program.id(), &code))),
        ("code", Cell::Word(code)),
        ("clicks", Cell::Number(i64::try_from(clicks).unwrap_or(i64::MAX))),
        ("signups", Cell::Number(totals.signups.into())),
        ("purchases", Cell::Number(totals.purchases.into())),
        ("pending", Cell::Number(totals.pending.into())),
        ("approved", Cell::Number(totals.approved.into())),
        ("earned", Cell::Money(earned, currency)),
        ("currency", Cell::Word(currency.to_string())),
    ])
}
