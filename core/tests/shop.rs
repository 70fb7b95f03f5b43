//! What each topic of each shop comes to, from payloads in the shops' documented shapes
//! (`fixtures/shop`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

macro_rules! payload {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/shop/",
            $name,
            ".json"
        )))
        .unwrap()
    };
}

#[path = "shop/shopify.rs"]
mod shopify;
#[path = "shop/shopware.rs"]
mod shopware;
#[path = "shop/woocommerce.rs"]
mod woocommerce;

use passalong_core::decode::Invalid;
use passalong_core::report::{ConversionReport, Item, Proof};
use passalong_core::shop::{Heard, MOST, Report, Shop, Told, read};
use passalong_core::time::Instant;
use serde_json::{Value, json};

/// The SHA-256 of `mia.sommer@example.org`.
const HINT: &str = "301f754dde5e8c84064f734782b70b153b9d0cfd1f4a0bf690e1f8cc878e67a8";

fn now() -> Instant {
    "2026-12-20T08:00:00Z".parse().unwrap()
}

/// The payload with a change at a JSON pointer; `null` for what is gone.
fn with(mut payload: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = payload.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match parent {
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = value.clone(),
            _ => parent[name] = value.clone(),
        }
    }
    payload
}

fn told(shop: Shop, topic: &str, payload: &Value) -> Result<Told, Invalid> {
    read(shop, topic, payload.to_string().as_bytes(), now())
}

/// What a report has to prove its referral, the strongest first.
fn proofs(report: &ConversionReport) -> String {
    let proof = |proof: &Proof| format!("{} {}", proof.kind, proof.text);
    let proofs: Vec<String> = report.proofs.iter().map(proof).collect();
    if proofs.is_empty() { "nothing".to_owned() } else { proofs.join(" and ") }
}

/// The reports in a line each, and why there are no more.
fn brief(told: &Told) -> (Vec<String>, Option<&'static str>) {
    let line = |report: &Report| match report {
        Report::Conversion(one) => {
            let proof = proofs(one);
            let customer = one.customer.as_ref().map_or("guest", |id| id.as_str());
            let (amount, currency) = (one.amount.unwrap(), one.currency.unwrap());
            format!(
                "{} {amount} {currency} by {customer} at {} with {proof}",
                one.order.as_str(),
                one.occurred_at
            )
        }
        Report::Event(order, one) => {
            let amount = one.amount.map(|amount| format!(" {amount}")).unwrap_or_default();
            format!(
                "{} {} {}{amount} at {}",
                order.as_str(),
                one.id.as_str(),
                one.kind,
                one.occurred_at
            )
        }
    };
    (told.reports.iter().map(line).collect(), told.ignored)
}

/// What a payload comes to: its reports.
fn check(shop: Shop, topic: &str, payload: &Value, expected: &[&str]) {
    let (reports, ignored) = brief(&told(shop, topic, payload).unwrap());
    assert_eq!(
        (reports, ignored),
        (expected.iter().map(ToString::to_string).collect(), None),
        "{topic}"
    );
}

/// A payload that comes to nothing, and why.
fn ignored(shop: Shop, topic: &str, payload: &Value, why: &str) {
    let (reports, ignored) = brief(&told(shop, topic, payload).unwrap());
    assert_eq!(reports, Vec::<String>::new(), "{topic}");
    assert!(ignored.is_some_and(|told| told.contains(why)), "{topic}: {ignored:?} is not {why}");
}

fn conversion(told: &Told) -> &ConversionReport {
    match &told.reports[0] {
        Report::Conversion(report) => report,
        Report::Event(..) => panic!("{told:?}"),
    }
}

fn items(told: &Told) -> Vec<(&str, Option<&str>, i64)> {
    let item = |item: &'_ Item| -> (&str, Option<&str>, i64) {
        // Leaked, as tests may: the table reads better.
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        (leak(&item.sku), item.category.as_deref().map(leak), item.amount)
    };
    conversion(told).items.iter().map(item).collect()
}

const SHOPIFY: &str = "5512340099001";

#[test]
fn what_a_shop_always_sends_is_asked_for_by_name() {
    for (shop, topic, payload, pointer, field) in [
        (Shop::Shopify, "refunds/create", payload!("shopify_refunds_create"), "/id", "id"),
        (
            Shop::WooCommerce,
            "order.updated",
            payload!("woocommerce_order_refunded"),
            "/refunds/0/id",
            "id",
        ),
        (Shop::Shopify, "orders/paid", payload!("shopify_orders_paid"), "/id", "id"),
        (Shop::Shopify, "orders/paid", payload!("shopify_orders_paid"), "/currency", "currency"),
        (
            Shop::Shopify,
            "orders/paid",
            payload!("shopify_orders_paid"),
            "/created_at",
            "created_at",
        ),
        (
            Shop::Shopify,
            "refunds/create",
            payload!("shopify_refunds_create"),
            "/order_id",
            "order_id",
        ),
        (Shop::WooCommerce, "order.updated", payload!("woocommerce_order_processing"), "/id", "id"),
        (
            Shop::WooCommerce,
            "order.updated",
            payload!("woocommerce_order_processing"),
            "/date_created_gmt",
            "date_created_gmt",
        ),
        (Shop::Shopware, "", payload!("shopware_transaction_paid"), "/data/payload/order/id", "id"),
        (
            Shop::Shopware,
            "",
            payload!("shopware_transaction_paid"),
            "/data/payload/order/currency",
            "currency.isoCode",
        ),
        (
            Shop::Shopware,
            "",
            payload!("shopware_transaction_paid"),
            "/data/payload/order/orderDateTime",
            "orderDateTime",
        ),
    ] {
        let invalid = told(shop, topic, &with(payload, &[(pointer, Value::Null)])).unwrap_err();
        assert_eq!(invalid.field, field, "{shop} {pointer}: {invalid:?}");
    }
}

#[test]
fn a_shops_clock_that_is_ahead_is_no_reason_to_refuse() {
    let ahead =
        with(payload!("shopify_orders_paid"), &[("/created_at", json!("2026-12-20T09:30:00Z"))]);
    let told = told(Shop::Shopify, "orders/paid", &ahead).unwrap();
    assert_eq!(conversion(&told).occurred_at.to_string(), "2026-12-20T08:05:00Z");
    assert_eq!(conversion(&told).order.as_str(), SHOPIFY);
}

#[test]
fn the_answer_to_a_shop_is_written_as_pinned() {
    let pinned: Value = serde_json::from_str(include_str!("../fixtures/wire/heard.json")).unwrap();
    let heard: Heard = serde_json::from_value(pinned.clone()).unwrap();
    assert_eq!(serde_json::to_value(&heard).unwrap(), pinned);
}
