//! A customer's rights: everything kept about them, opened for the merchant who must answer; and
//! its erasure. Facts about money stay, pseudonymous, for the statutory period.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use passalong_core::channel::Channel;
use passalong_core::code;
use passalong_core::csv::dashed;
use passalong_core::decode::Fields;
use passalong_core::ids::{CustomerId, CustomerPseudonym, Identity};
use passalong_core::settlement::Known;
use passalong_core::wire::{Clicks, CustomerExport, Erased, ExportedOrder, ExportedShares};

use crate::authenticate::merchant;
use crate::customers::{self, Customer};
use crate::erasure;
use crate::http::{Request, Response};
use crate::keys::ShareKey;
use crate::me;
use crate::metadata::Shared;
use crate::orders::{open_order, record, reports};
use crate::people;
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::{body, link};
use crate::store::{Context, Host, StoreError};

/// Orders as a friend in one export.
const MOST_ORDERS: usize = 100;
/// Pages of one customer's taps on one day; more than 5,000 are an error.
const TAPS: usize = 5;

fn customer_id(request: &Request) -> Result<CustomerId, Problem> {
    let mut fields = Fields::parse(body(request)?)?;
    let id = fields.read("customer_id")?;
    let id = fields.required("customer_id", id, "the shop's own id of the customer")?;
    fields.finish()?;
    Ok(id)
}

/// `POST /v1/customers/export`.
pub async fn export<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let id = customer_id(request)?;
    let customer = program.keys.customer(&id);
    let mut record = customers::load(cx, &program, customer).await?;
    if record.erased {
        record.known = Known::default();
    }
    let ledger = me::ledger(cx, &program, customer).await?;
    let (_, referrals) = me::referrals(&program, &ledger, &record.view(customer, &program, cx.now));
    let clicks = me::count_clicks(cx, &program, customer, false).await?;
    let today = match clicks.today {
        Clicks::Exactly(count) | Clicks::MoreThan { more_than: count } => count,
    };
    let code = code::issue(&program.keys, customer);
    let export = CustomerExport {
        customer_id: id.as_str().to_owned(),
        known: me::is_known(&record),
        link: link(request, program.id(), &code),
        code,
        aliases: record.aliases.iter().map(|(_, alias)| alias.to_string()).collect(),
        segments: record.known.segments.iter().map(|(_, segment)| segment.clone()).collect(),
        claims: me::missing_referrals(&program, &record, cx.now),
        as_friend: me::as_friend(cx, &program, customer).await?,
        hints: record.known.identities.iter().map(|(_, identity)| identity.to_string()).collect(),
        clicks: clicks.closed + today,
        shares: shares_of(cx, &program, customer).await?,
        referrals,
        orders: orders_of(cx, &program, Identity::Customer(customer), &record).await?,
        as_of: cx.now,
    };
    Ok(Response::json(200, &export))
}

/// What a customer shared on each day for which that is kept: a list for each.
async fn shares_of<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<Vec<ExportedShares>, StoreError> {
    let today = cx.now.day();
    let days = (0..me::SHARES_KEPT_DAYS).map(|back| today.plus(-back));
    let lists = days.map(|day| async move {
        let entries = cx.list(&ShareKey::prefix(&[program.id(), &day, &customer]), TAPS).await?;
        let mut taps: BTreeMap<Channel, u32> = BTreeMap::new();
        for entry in entries {
            let channel = entry.read().map_or(Channel::Direct, |shared: Shared| shared.channel);
            *taps.entry(channel).or_default() += 1;
        }
        let shares = |(channel, count)| ExportedShares { day: dashed(day), channel, count };
        Ok(taps.into_iter().map(shares).collect::<Vec<_>>())
    });
    let days: Result<Vec<_>, StoreError> = join_all(lists).await.into_iter().collect();
    Ok(days?.into_iter().flatten().collect())
}

/// The orders that named this customer, or one of the customer's hints, as the friend.
async fn orders_of<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    identity: Identity,
    customer: &Customer,
) -> Result<Vec<ExportedOrder>, Problem> {
    let mut orders = Vec::new();
    let hints = customer.known.identities.iter().map(|(_, identity)| *identity);
    for identity in std::iter::once(identity).chain(hints) {
        let (listed, _) = people::listed(cx, program, identity).await?;
        orders.extend(listed.into_iter().map(|one| one.seen.order));
    }
    orders.sort();
    orders.dedup();
    let mut result = Vec::new();
    for order in orders.into_iter().take(MOST_ORDERS) {
        let Some(report) = reports(cx, program, order).await?.into_iter().next() else { continue };
        let record = record(cx, program, order, report.key).await?;
        result.push(ExportedOrder {
            order_id: open_order(program, &record.order),
            kind: record.kind,
            amount: record.amount,
            currency: record.currency,
            occurred_at: record.occurred_at,
        });
    }
    Ok(result)
}

/// `POST /v1/customers/erase`.
pub async fn erase<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let id = customer_id(request)?;
    let customer = program.keys.customer(&id);
    let until = erasure::erase(cx, &program, customer).await?;
    Ok(Response::json(200, &Erased { erased: true, repeated_until: until }))
}
