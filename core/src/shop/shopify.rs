//! Shopify's webhooks (topics of the REST shape). An order is counted once it is paid; amounts are in
//! the shop's own currency, whatever the customer paid in.

use serde_json::Value;

use super::amount::Decimal;
use super::payload::{currency, decimal, event_id, id, list, money, order_id, required_time, text};
use super::purchase::{Line, Purchase};
use super::{Told, event};
use crate::decode::Invalid;
use crate::money::Currency;
use crate::report::EventType;
use crate::time::Instant;

pub(super) fn read(topic: &str, body: &Value, now: Instant) -> Result<Told, Invalid> {
    if body.get("test").and_then(Value::as_bool) == Some(true) {
        return Ok(Told::nothing("a test order"));
    }
    match topic {
        "orders/create" | "orders/paid" => paid(body, now),
        "orders/cancelled" => cancelled(body, now),
        "refunds/create" => refunded(body, now),
        "fulfillments/create" | "fulfillments/update" => {
            delivered(body, ("id", "shipment_status", "updated_at"), now)
        }
        "fulfillment_events/create" => {
            delivered(body, ("fulfillment_id", "status", "happened_at"), now)
        }
        "disputes/create" | "disputes/update" => disputed(body, now),
        _ => Ok(Told::nothing("this topic tells nothing that counts here")),
    }
}

fn paid(body: &Value, now: Instant) -> Result<Told, Invalid> {
    if text(body, "financial_status") != "paid" {
        return Ok(Told::nothing("the order is not paid yet; orders/paid tells when it is"));
    }
    let taxes_included = body.get("taxes_included").and_then(Value::as_bool) == Some(true);
    let customer = body.get("customer").unwrap_or(&Value::Null);
    let email = ["email", "contact_email"].map(|name| text(body, name));
    let emails = email.into_iter().chain([text(customer, "email")]);
    let purchase = Purchase {
        order: order_id(body, "id")?,
        number: text(body, "name").to_owned(),
        currency: currency(body, "currency")?,
        lines: list(body, "line_items")
            .iter()
            .map(|line| self::line(line, taxes_included))
            .collect(),
        discount: Decimal::default(),
        customer: id(customer, "id"),
        email: emails.into_iter().find(|email| !email.is_empty()).unwrap_or_default(),
        // Only older versions of the API say how many orders there are.
        first_order: customer.get("orders_count").and_then(Value::as_i64).map(|count| count <= 1),
        at: required_time(body, "created_at")?,
        token: attribute(body),
        coupons: list(body, "discount_codes").iter().map(|code| text(code, "code")).collect(),
    };
    Ok(purchase.told(now))
}

/// The click token, from the cart's attributes.
fn attribute(body: &Value) -> &str {
    let mut attributes = list(body, "note_attributes").iter();
    attributes
        .find(|one| matches!(text(one, "name"), "pa" | "_pa"))
        .map_or("", |one| text(one, "value"))
}

fn line(line: &Value, taxes_included: bool) -> Line {
    let quantity = line.get("quantity").and_then(Value::as_i64).unwrap_or(0);
    let sum = |name: &str, part: &str| list(line, name).iter().map(|one| money(one, part)).sum();
    let tax = if taxes_included { Decimal::default() } else { sum("tax_lines", "price") };
    let sku = match text(line, "sku") {
        "" => id(line, "variant_id"),
        sku => sku.to_owned(),
    };
    let is_gift_card = line.get("gift_card").and_then(Value::as_bool) == Some(true);
    Line {
        sku: if sku.is_empty() { id(line, "product_id") } else { sku },
        category: Line::category(is_gift_card, None),
        amount: money(line, "price").times(quantity) - sum("discount_allocations", "amount") + tax,
    }
}

fn cancelled(body: &Value, now: Instant) -> Result<Told, Invalid> {
    if text(body, "cancelled_at").is_empty() {
        return Ok(Told::nothing("the order is not cancelled"));
    }
    if !matches!(text(body, "financial_status"), "paid" | "partially_refunded" | "refunded") {
        return Ok(Told::nothing("the order was never paid, so it was never counted"));
    }
    let order = order_id(body, "id")?;
    let at = required_time(body, "cancelled_at")?;
    Ok(Told::of(vec![event(&order, "cancelled", (EventType::Cancelled, None), at, now)?]))
}

/// What was paid back for goods. Shipping does not count; what was paid back without naming goods
/// does.
fn refunded(body: &Value, now: Instant) -> Result<Told, Invalid> {
    let lines = list(body, "refund_line_items");
    let goods: Decimal = lines.iter().map(refunded_line).sum();
    let given = list(body, "order_adjustments")
        .iter()
        .filter(|one| text(one, "kind") == "refund_discrepancy")
        .map(|one| -(money(one, "amount") + money(one, "tax_amount")))
        .sum();
    let amount = if lines.is_empty() { given } else { goods };
    if amount <= Decimal::default() {
        return Ok(Told::nothing("nothing was paid back for goods"));
    }
    let order = order_id(body, "order_id")?;
    let amount = amount.minor(refund_currency(body)?).filter(|amount| *amount > 0);
    let Some(amount) = amount else { return Ok(Told::nothing("nothing was paid back for goods")) };
    let id = event_id("refund", body, "id")?;
    let at = required_time(body, "created_at")?;
    Ok(Told::of(vec![event(&order, &id, (EventType::Refunded, Some(amount)), at, now)?]))
}

/// A refund does not say whether its amounts have their tax in them; the rate of the line does.
fn refunded_line(line: &Value) -> Decimal {
    let shop = |set: &str, plain: &str| {
        let of_set = line.get(set).and_then(|set| decimal(set.get("shop_money")?, "amount"));
        of_set.unwrap_or_else(|| money(line, plain))
    };
    let (price, tax) = (shop("subtotal_set", "subtotal"), shop("total_tax_set", "total_tax"));
    let rates = list(line.get("line_item").unwrap_or(&Value::Null), "tax_lines");
    let rate = rates.iter().map(|one| money(one, "rate")).sum();
    if price.lacks(tax, rate) { price + tax } else { price }
}

fn refund_currency(body: &Value) -> Result<Currency, Invalid> {
    let set = |one: &Value, name: &str| {
        let code = text(one.get(name)?.get("shop_money")?, "currency_code");
        code.parse().ok()
    };
    let lines = list(body, "refund_line_items").iter().find_map(|one| set(one, "subtotal_set"));
    let given = || list(body, "order_adjustments").iter().find_map(|one| set(one, "amount_set"));
    let paid = || {
        let mut paid = list(body, "transactions").iter();
        paid.find_map(|one| text(one, "currency").parse().ok())
    };
    let found = lines.or_else(given).or_else(paid);
    found.ok_or_else(|| Invalid::field("transactions", "must name the currency of the refund"))
}

fn delivered(
    body: &Value,
    (shipment, status, at): (&str, &str, &str),
    now: Instant,
) -> Result<Told, Invalid> {
    if text(body, status) != "delivered" {
        return Ok(Told::nothing("the parcel is not delivered yet"));
    }
    let order = order_id(body, "order_id")?;
    let id = event_id("delivered", body, shipment)?;
    let at = required_time(body, at)?;
    Ok(Told::of(vec![event(&order, &id, (EventType::Delivered, None), at, now)?]))
}

fn disputed(body: &Value, now: Instant) -> Result<Told, Invalid> {
    if text(body, "type") != "chargeback" || !matches!(text(body, "status"), "lost" | "accepted") {
        return Ok(Told::nothing("the dispute is not lost"));
    }
    if id(body, "order_id").is_empty() {
        return Ok(Told::nothing("the dispute names no order"));
    }
    let order = order_id(body, "order_id")?;
    let dispute = event_id("dispute", body, "id")?;
    // When it was lost is a day at most, and not always said.
    let at = required_time(body, "initiated_at")?;
    Ok(Told::of(vec![event(&order, &dispute, (EventType::Chargeback, None), at, now)?]))
}
