//! WooCommerce's webhooks (`order.created`, `order.updated`; REST API v3). Each carries the order as it
//! is, so one message may tell of payment, delivery and refunds at once.
//!
//! What the payload does not have, the shop's own code may add (docs/shops/woocommerce-orders.md): the object
//! `passalong` with `first_order`, the goods' part of each refund, and categories.

use serde_json::Value;

use super::amount::Decimal;
use super::payload::{currency, decimal, event_id, id, list, money, order_id, text};
use super::purchase::{Line, Purchase};
use super::{MOST, Report, Told, event};
use crate::decode::Invalid;
use crate::ids::OrderId;
use crate::report::EventType;
use crate::time::{Instant, TimeError};

/// The meta keys our snippet writes.
const TOKEN: &str = "_passalong_pa";
const DELIVERED: &str = "_passalong_delivered_at";

pub(super) fn read(topic: &str, body: &Value, now: Instant) -> Result<Told, Invalid> {
    if !matches!(topic, "order.created" | "order.updated" | "order.restored") {
        return Ok(Told::nothing("this topic tells nothing that counts here"));
    }
    let status = text(body, "status");
    if matches!(status, "checkout-draft" | "auto-draft" | "draft" | "trash") {
        return Ok(Told::nothing("the order is a draft or was thrown away"));
    }
    if matches!(status, "pending" | "on-hold" | "failed") || !is_paid(body, status) {
        return Ok(Told::nothing("the order is not paid, or was never paid"));
    }
    let order = order_id(body, "id")?;
    if status == "cancelled" {
        let at = time(body, "date_modified_gmt")?;
        return Ok(Told::of(vec![event(
            &order,
            "cancelled",
            (EventType::Cancelled, None),
            at,
            now,
        )?]));
    }
    let purchase = match purchase(body, order.clone())?.report(now) {
        Ok(report) => report,
        Err(why) => return Ok(Told::nothing(why)),
    };
    let mut reports = vec![Report::Conversion(purchase)];
    if let Ok(at) = meta(body, DELIVERED).parse() {
        reports.push(event(&order, "delivered", (EventType::Delivered, None), at, now)?);
    }
    let refunds = refunds(body, &order, now)?;
    let spare = refunds.len().saturating_sub(MOST - reports.len());
    reports.extend(refunds.into_iter().skip(spare));
    let ignored = (spare > 0).then_some("only the latest refunds were looked at");
    Ok(Told { reports, ignored })
}

/// WooCommerce notes when an order was paid, also when someone sets its status by hand. Of an order
/// that is paid on delivery that is when it is completed.
fn is_paid(body: &Value, status: &str) -> bool {
    !text(body, "date_paid_gmt").is_empty()
        || !text(body, "date_paid").is_empty()
        || status == "completed"
}

fn purchase(body: &Value, order: OrderId) -> Result<Purchase<'_>, Invalid> {
    let fees = list(body, "fee_lines").iter().map(with_tax);
    let discount: Decimal = fees.filter(|fee| *fee < Decimal::default()).map(|fee| -fee).sum();
    let more = passalong(body);
    let line = |line: &Value| {
        let sku = match text(line, "sku") {
            "" => id(line, "product_id"),
            sku => sku.to_owned(),
        };
        let category = more.get("categories").map(|all| text(all, &id(line, "id")));
        let category = category.filter(|name| !name.is_empty());
        let category = Line::category(is_gift_card(line), category);
        Line { sku, category, amount: with_tax(line) }
    };
    let coupons = list(body, "coupon_lines").iter().map(|coupon| text(coupon, "code"));
    Ok(Purchase {
        order,
        number: id(body, "number"),
        currency: currency(body, "currency")?,
        lines: list(body, "line_items").iter().map(line).collect(),
        discount,
        // "0" is a guest.
        customer: id(body, "customer_id"),
        email: text(body.get("billing").unwrap_or(&Value::Null), "email"),
        first_order: more.get("first_order").and_then(Value::as_bool),
        at: time(body, "date_created_gmt")?,
        token: meta(body, TOKEN),
        coupons: coupons.collect(),
    })
}

/// WooCommerce has no gift cards of its own. The plugins that sell them (WooCommerce Gift Cards, PW and
/// YITH) write who gets the card, and for how much, into the line's meta, under names of their own.
fn is_gift_card(line: &Value) -> bool {
    list(line, "meta_data").iter().any(|one| {
        let key = text(one, "key").trim_start_matches('_');
        ["wc_gc_giftcard_", "pw_gift_card_", "ywgc_"].iter().any(|own| key.starts_with(own))
    })
}

/// `total` is after discounts and without tax, whatever the shop's prices have in them.
fn with_tax(line: &Value) -> Decimal {
    money(line, "total") + money(line, "total_tax")
}

fn passalong(body: &Value) -> &Value {
    body.get("passalong").unwrap_or(&Value::Null)
}

fn meta<'v>(body: &'v Value, key: &str) -> &'v str {
    let mut all = list(body, "meta_data").iter();
    all.find(|one| text(one, "key") == key).map_or("", |one| text(one, "value"))
}

/// The refunds by their ids. Without the goods' part of it, all of a refund counts: what is beyond
/// the order's goods never does.
fn refunds(body: &Value, order: &OrderId, now: Instant) -> Result<Vec<Report>, Invalid> {
    let currency = currency(body, "currency")?;
    let known = passalong(body).get("refunds").unwrap_or(&Value::Null);
    let mut all = list(body, "refunds").iter().collect::<Vec<_>>();
    all.sort_by_key(|refund| refund.get("id").and_then(Value::as_u64));
    let mut reports = Vec::new();
    for refund in all {
        let more = known.get(id(refund, "id")).unwrap_or(&Value::Null);
        let total = money(refund, "total");
        let total = if total < Decimal::default() { -total } else { total };
        let amount = decimal(more, "goods").unwrap_or(total).minor(currency);
        let Some(amount) = amount.filter(|amount| *amount > 0) else { continue };
        let at = time(more, "at").or_else(|_| time(body, "date_modified_gmt"))?;
        let id = event_id("refund", refund, "id")?;
        reports.push(event(order, &id, (EventType::Refunded, Some(amount)), at, now)?);
    }
    Ok(reports)
}

/// WooCommerce writes times in UTC without saying so.
fn time(value: &Value, name: &str) -> Result<Instant, Invalid> {
    let sent = text(value, name);
    let read = sent.parse().or_else(|_| format!("{sent}Z").parse());
    read.map_err(|_| Invalid::field(name, TimeError))
}
