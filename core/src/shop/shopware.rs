//! Webhooks of Shopware 6 apps. The body says which event it is and carries the order with its lines,
//! customer, currency, payments and deliveries.

use serde_json::Value;

use super::amount::Decimal;
use super::payload::{event_id, id, list, money, order_id, required_time, text, time};
use super::purchase::{Line, Purchase};
use super::{MOST, Report, Told, event};
use crate::decode::Invalid;
use crate::money::Currency;
use crate::report::EventType;
use crate::time::Instant;

/// Orders are edited in versions of their own; this one is the order itself.
const LIVE: &str = "0fa91ce3e96a4bc2be4bd9ce752c3425";

pub(super) fn read(body: &Value, now: Instant) -> Result<Told, Invalid> {
    let data = body.get("data").unwrap_or(&Value::Null);
    let nothing = |why| Ok(Told::nothing(why));
    let order = data.get("payload").and_then(|payload| payload.get("order"));
    let Some(order) = order.filter(|order| order.is_object()) else {
        return nothing("this event carries no order");
    };
    if !matches!(text(order, "versionId"), "" | LIVE) {
        return nothing("the order is a draft");
    }
    let Some(state) = text(data, "event").strip_prefix("state_enter.") else {
        let is_placed = text(data, "event") == "checkout.order.placed";
        return match is_placed {
            true if was_paid(order) == Some(true) => purchase(order, now),
            true => nothing("the order is not paid yet"),
            false => nothing("this event tells nothing that counts here"),
        };
    };
    let at = when(body, order, now);
    let whole = |id: &str, kind| {
        Ok(Told::of(vec![event(&order_id(order, "id")?, id, (kind, None), at, now)?]))
    };
    match state {
        "order_transaction.state.paid" => purchase(order, now),
        "order_transaction.state.refunded" => refunded(order, true, at, now),
        "order_transaction.state.refunded_partially"
        | "order_transaction_capture_refund.state.completed" => refunded(order, false, at, now),
        "order_transaction.state.chargeback" => whole("chargeback", EventType::Chargeback),
        "order.state.cancelled" if was_paid(order) == Some(false) => {
            nothing("the order was never paid, so it was never counted")
        }
        "order.state.cancelled" => whole("cancelled", EventType::Cancelled),
        // The merchant's own last word on an order; "shipped" is not delivered yet.
        "order.state.completed" => whole("delivered", EventType::Delivered),
        "order_delivery.state.returned" if has_returned(order) => {
            whole("returned", EventType::Withdrawn)
        }
        _ => nothing("this event tells nothing that counts here"),
    }
}

fn state(value: &Value) -> &str {
    text(value.get("stateMachineState").unwrap_or(&Value::Null), "technicalName")
}

/// Whether any payment of the order succeeded once; none where that is not told.
fn was_paid(order: &Value) -> Option<bool> {
    let states: Vec<&str> = list(order, "transactions").iter().map(state).collect();
    let paid = ["paid", "refunded", "refunded_partially", "chargeback"];
    let is_told = !states.is_empty() && states.iter().all(|state| !state.is_empty());
    is_told.then(|| states.iter().any(|state| paid.contains(state)))
}

/// Whether all parcels came back, as far as is told.
fn has_returned(order: &Value) -> bool {
    list(order, "deliveries").iter().all(|one| matches!(state(one), "" | "returned" | "cancelled"))
}

/// When the state was entered: the order was written then.
fn when(body: &Value, order: &Value, now: Instant) -> Instant {
    let sent = || body.get("timestamp").and_then(Value::as_i64).map(Instant::from_seconds);
    time(order, "updatedAt").or_else(sent).unwrap_or(now)
}

fn purchase(order: &Value, now: Instant) -> Result<Told, Invalid> {
    let is_net = tax_is_missing(order);
    let top = || list(order, "lineItems").iter().filter(|line| text(line, "parentId").is_empty());
    let is_credit = |line: &&Value| text(line, "type") == "credit";
    let (discounts, goods): (Vec<_>, Vec<_>) = top()
        .filter(|line| !is_credit(line))
        .partition(|line| amount(line, is_net) < Decimal::default());
    let customer = order.get("orderCustomer").unwrap_or(&Value::Null);
    let codes = top().filter(|line| text(line, "type") == "promotion");
    let codes = codes.map(|line| text(payload(line), "code"));
    let purchase = Purchase {
        order: order_id(order, "id")?,
        number: text(order, "orderNumber").to_owned(),
        currency: currency(order)?,
        lines: goods.into_iter().map(|line| self::line(line, is_net)).collect(),
        discount: discounts.into_iter().map(|line| -amount(line, is_net)).sum(),
        customer: id(customer, "customerId"),
        email: text(customer, "email"),
        first_order: first_order(order, customer),
        at: required_time(order, "orderDateTime")?,
        token: token(order),
        coupons: codes.collect(),
    };
    Ok(purchase.told(now))
}

/// The click token: from the custom field, or from where Shopware keeps what brought a customer, if our
/// snippet put it there.
fn token(order: &Value) -> &str {
    let own = text(order.get("customFields").unwrap_or(&Value::Null), "passalong_pa");
    let is_ours = text(order, "campaignCode") == "passalong";
    if own.is_empty() && is_ours { text(order, "affiliateCode") } else { own }
}

fn currency(order: &Value) -> Result<Currency, Invalid> {
    let code = text(order.get("currency").unwrap_or(&Value::Null), "isoCode");
    code.parse().map_err(|error| Invalid::field("currency.isoCode", error))
}

fn payload(line: &Value) -> &Value {
    line.get("payload").unwrap_or(&Value::Null)
}

fn tax_is_missing(order: &Value) -> bool {
    let of_price = text(order.get("price").unwrap_or(&Value::Null), "taxStatus");
    [text(order, "taxStatus"), of_price].contains(&"net")
}

fn amount(line: &Value, is_net: bool) -> Decimal {
    let price = line.get("price").unwrap_or(&Value::Null);
    let taxes = list(price, "calculatedTaxes").iter().map(|one| money(one, "tax")).sum();
    money(line, "totalPrice") + if is_net { taxes } else { Decimal::default() }
}

fn line(line: &Value, is_net: bool) -> Line {
    let categories = list(payload(line), "categoryIds").iter().find_map(Value::as_str);
    let sku = match text(payload(line), "productNumber") {
        "" => text(line, "identifier"),
        sku => sku,
    };
    Line {
        sku: sku.to_owned(),
        category: Line::category(is_gift_card(line), categories),
        amount: amount(line, is_net),
    }
}

/// Shopware has no gift cards of its own: the merchant marks them by a custom field of the product,
/// which the line brings along.
fn is_gift_card(line: &Value) -> bool {
    let fields = payload(line).get("customFields").unwrap_or(&Value::Null);
    fields.get("passalong_gift_card").and_then(Value::as_bool) == Some(true)
}

/// Shopware counts a customer's completed orders. One before this says that this is not the first;
/// none says nothing, because others may be under way.
fn first_order(order: &Value, customer: &Value) -> Option<bool> {
    let customer = customer.get("customer").unwrap_or(&Value::Null);
    let completed = customer.get("orderCount").and_then(Value::as_i64)?;
    let own = i64::from(state(order) == "completed");
    (completed > own).then_some(false)
}

/// Shopware does not say how much went back. Where a payment method keeps refunds they tell, else the
/// credit lines the merchant put on the order; `refunded` as such is all of it.
fn refunded(order: &Value, all: bool, at: Instant, now: Instant) -> Result<Told, Invalid> {
    let order_id = order_id(order, "id")?;
    let currency = currency(order)?;
    let is_net = tax_is_missing(order);
    let mut parts: Vec<(String, Decimal)> = Vec::new();
    for payment in list(order, "transactions") {
        for capture in list(payment, "captures") {
            for refund in list(capture, "refunds") {
                let amount = money(refund.get("amount").unwrap_or(&Value::Null), "totalPrice");
                if state(refund) == "completed" {
                    parts.push((event_id("refund", refund, "id")?, amount));
                }
            }
        }
    }
    let lines = list(order, "lineItems");
    if parts.is_empty() {
        for line in lines.iter().filter(|line| text(line, "type") == "credit") {
            parts.push((event_id("refund", line, "id")?, -amount(line, is_net)));
        }
    }
    if all {
        let whole = lines
            .iter()
            .filter(|line| text(line, "parentId").is_empty() && text(line, "type") != "credit");
        parts.push(("refund-all".to_owned(), whole.map(|line| amount(line, is_net)).sum()));
    }
    let mut reports: Vec<Report> = Vec::new();
    for (id, amount) in parts {
        let Some(amount) = amount.minor(currency).filter(|amount| *amount > 0) else { continue };
        reports.push(event(&order_id, &id, (EventType::Refunded, Some(amount)), at, now)?);
    }
    if reports.is_empty() {
        let why = "Shopware does not say how much was paid back; put a credit on the order, or report the refund by the API";
        return Ok(Told::nothing(why));
    }
    let spare = reports.len().saturating_sub(MOST);
    let ignored = (spare > 0).then_some("only the latest refunds were looked at");
    Ok(Told { reports: reports.split_off(spare), ignored })
}
