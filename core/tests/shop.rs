//! What each topic of each shop comes to, from payloads in the shops' documented shapes
//! (`fixtures/shop`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use passalong_core::decode::Invalid;
use passalong_core::report::{Item, Proof};
use passalong_core::shop::{Heard, MOST, Report, Shop, Told, read};
use passalong_core::time::Instant;
use serde_json::{Value, json};

/// The SHA-256 of `mia.sommer@example.org`.
const HINT: &str = "301f754dde5e8c84064f734782b70b153b9d0cfd1f4a0bf690e1f8cc878e67a8";

fn now() -> Instant {
    "2026-12-20T08:00:00Z".parse().unwrap()
}

macro_rules! payload {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../fixtures/shop/", $name, ".json")))
            .unwrap()
    };
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

/// The reports in a line each, and why there are no more.
fn brief(told: &Told) -> (Vec<String>, Option<&'static str>) {
    let line = |report: &Report| match report {
        Report::Conversion(one) => {
            let proof = match &one.proof {
                Proof::None => "nothing".to_owned(),
                Proof::Token(token) => format!("token {token}"),
                Proof::Coupon(coupon) => format!("coupon {coupon}"),
                proof => format!("{proof:?}"),
            };
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

fn conversion(told: &Told) -> &passalong_core::report::ConversionReport {
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
fn shopify_a_paid_order_is_a_conversion_whatever_topic_tells_it() {
    let paid = payload!("shopify_orders_paid");
    let line =
        "5512340099001 4990 EUR by 6940095564 at 2026-11-03T08:20:10Z with token the click token";
    for topic in ["orders/paid", "orders/create"] {
        check(Shop::Shopify, topic, &paid, &[line]);
    }
    let told = told(Shop::Shopify, "orders/paid", &paid).unwrap();
    assert_eq!(items(&told), [("TEE-ASSAM", None, 2241), ("KANNE-1", None, 2749)]);
    let report = conversion(&told);
    assert_eq!(report.hints, [HINT.parse().unwrap()]);
    assert_eq!((report.first_order, report.kind.as_str()), (None, "purchase"));
}

#[test]
fn shopify_what_changes_after_an_order_was_paid_does_not_change_the_conversion() {
    let paid = payload!("shopify_orders_paid");
    let content = |payload: &Value| {
        conversion(&told(Shop::Shopify, "orders/paid", payload).unwrap()).content()
    };
    let later = with(
        paid.clone(),
        &[
            ("/updated_at", json!("2026-11-20T09:20:12+01:00")),
            ("/current_subtotal_price", json!("38.69")),
            ("/current_total_price", json!("43.59")),
            ("/fulfillment_status", json!("fulfilled")),
            ("/tags", json!("bezahlt")),
            ("/line_items/0/current_quantity", json!(1)),
        ],
    );
    assert_eq!(content(&paid), content(&later));
    assert_ne!(
        content(&paid),
        content(&with(paid.clone(), &[("/line_items/0/price", json!("12.46"))]))
    );
}

#[test]
fn shopify_amounts_are_goods_after_discounts_with_their_tax() {
    let amount = |changes: &[(&str, Value)]| {
        let payload = with(payload!("shopify_orders_paid"), changes);
        let told = told(Shop::Shopify, "orders/paid", &payload).unwrap();
        (conversion(&told).amount, conversion(&told).currency.unwrap().to_string())
    };
    let eur = |amount: i64| (Some(amount), "EUR".to_owned());
    assert_eq!(amount(&[]), eur(4990));
    // Prices without tax: 22.41 + 1.47 + 27.49 + 4.39.
    assert_eq!(amount(&[("/taxes_included", json!(false))]), eur(5576));
    assert_eq!(amount(&[("/line_items/1/price", json!("0.00"))]), eur(2241));
    assert_eq!(amount(&[("/line_items/0/quantity", json!(3))]), eur(6235));
    let yen = [
        ("/currency", json!("JPY")),
        ("/line_items/0/price", json!("1245")),
        ("/line_items/0/discount_allocations/0/amount", json!("249")),
        ("/line_items/1/price", json!("2749")),
    ];
    assert_eq!(amount(&yen), (Some(4990), "JPY".to_owned()));
}

#[test]
fn shopify_what_is_no_sale_is_ignored_and_says_why() {
    let paid = payload!("shopify_orders_paid");
    for (pointer, value, why) in [
        ("/financial_status", json!("pending"), "not paid yet"),
        ("/financial_status", json!("authorized"), "not paid yet"),
        ("/financial_status", json!("partially_paid"), "not paid yet"),
        ("/test", json!(true), "a test order"),
        ("/line_items", json!([]), "no goods were paid for"),
    ] {
        let payload = with(paid.clone(), &[(pointer, value)]);
        ignored(Shop::Shopify, "orders/paid", &payload, why);
    }
    let free = with(
        paid.clone(),
        &[
            ("/line_items/0/discount_allocations/0/amount", json!("24.90")),
            ("/line_items/1/price", json!("0.00")),
        ],
    );
    ignored(Shop::Shopify, "orders/paid", &free, "no goods were paid for");
    let nobody = with(
        paid.clone(),
        &[("/customer", Value::Null), ("/email", json!("")), ("/contact_email", Value::Null)],
    );
    ignored(Shop::Shopify, "orders/paid", &nobody, "neither a customer nor an e-mail address");
    let dear = with(paid.clone(), &[("/line_items/1/price", json!("10000000000.00"))]);
    ignored(Shop::Shopify, "orders/paid", &dear, "more than is taken");
    for topic in ["orders/updated", "orders/delete", "checkouts/create", "draft_orders/create", ""]
    {
        ignored(Shop::Shopify, topic, &paid, "this topic tells nothing");
    }
}

#[test]
fn shopify_a_guest_is_known_by_the_address_alone_and_a_coupon_proves_where_no_token_does() {
    let paid = payload!("shopify_orders_paid");
    let report = |changes: &[(&str, Value)]| {
        let told = told(Shop::Shopify, "orders/paid", &with(paid.clone(), changes)).unwrap();
        conversion(&told).clone()
    };
    let guest =
        report(&[("/customer", Value::Null), ("/email", json!(" MIA.Sommer@example.org "))]);
    assert_eq!((guest.customer, guest.hints), (None, vec![HINT.parse().unwrap()]));
    let proof = |changes: &[(&str, Value)]| report(changes).proof;
    assert_eq!(
        proof(&[("/note_attributes/1/name", json!("pa"))]),
        Proof::Token("the click token".into())
    );
    assert_eq!(proof(&[("/note_attributes", json!([]))]), Proof::Coupon("FREUNDE10".into()));
    assert_eq!(
        proof(&[("/note_attributes/1/value", json!(""))]),
        Proof::Coupon("FREUNDE10".into())
    );
    assert_eq!(
        proof(&[("/note_attributes", json!([])), ("/discount_codes", json!([]))]),
        Proof::None
    );
    for (count, first) in [(0, Some(true)), (1, Some(true)), (2, Some(false))] {
        assert_eq!(report(&[("/customer/orders_count", json!(count))]).first_order, first);
    }
    let gift =
        report(&[("/line_items/1/gift_card", json!(true)), ("/line_items/1/sku", json!(""))]);
    assert_eq!(
        gift.items[1],
        Item { sku: "4379512098003".into(), category: Some("gift_card".into()), amount: 2749 }
    );
}

#[test]
fn shopify_a_parcel_is_delivered_once_whichever_topic_tells_it() {
    let update = payload!("shopify_fulfillments_update");
    let event = payload!("shopify_fulfillment_events_create");
    check(
        Shop::Shopify,
        "fulfillments/update",
        &update,
        &["5512340099001 delivered-4601100 delivered at 2026-11-06T10:30:05Z"],
    );
    check(
        Shop::Shopify,
        "fulfillment_events/create",
        &event,
        &["5512340099001 delivered-4601100 delivered at 2026-11-06T10:30:00Z"],
    );
    let way = with(event, &[("/status", json!("in_transit"))]);
    ignored(Shop::Shopify, "fulfillment_events/create", &way, "not delivered yet");
    let way = with(update, &[("/shipment_status", Value::Null)]);
    ignored(Shop::Shopify, "fulfillments/update", &way, "not delivered yet");
}

#[test]
fn shopify_a_refund_counts_the_goods_with_their_tax_and_not_the_shipping() {
    let refund = payload!("shopify_refunds_create");
    let amount = |changes: &[(&str, Value)]| {
        let told = told(Shop::Shopify, "refunds/create", &with(refund.clone(), changes)).unwrap();
        brief(&told).0
    };
    let line = |amount: i64| {
        vec![format!("5512340099001 refund-929361464001 refunded {amount} at 2026-11-10T13:00:00Z")]
    };
    assert_eq!(amount(&[]), line(1121));
    // A shop whose prices lack their tax: 7 % of 11.21 comes on top.
    let exclusive = [
        ("/refund_line_items/0/total_tax", json!(0.78)),
        ("/refund_line_items/0/total_tax_set", Value::Null),
    ];
    assert_eq!(amount(&exclusive), line(1199));
    // Numbers instead of sets, as older versions send them.
    let plain = [
        ("/refund_line_items/0/subtotal_set", Value::Null),
        ("/refund_line_items/0/subtotal", json!(11.2)),
    ];
    assert_eq!(amount(&plain), line(1120));
    let goodwill = |sum: &str| {
        let given = json!([{"kind": "refund_discrepancy", "amount": sum, "tax_amount": "0.00"}]);
        amount(&[("/refund_line_items", json!([])), ("/order_adjustments", given)])
    };
    assert_eq!(goodwill("-5.00"), line(500));
    assert_eq!(goodwill("5.00"), Vec::<String>::new(), "less was paid back than the shop reckoned");
    let shipping_only = with(refund.clone(), &[("/refund_line_items", json!([]))]);
    ignored(Shop::Shopify, "refunds/create", &shipping_only, "nothing was paid back for goods");
}

#[test]
fn shopify_cancellations_and_lost_disputes_take_back_what_was_counted() {
    let cancelled = payload!("shopify_orders_cancelled");
    check(
        Shop::Shopify,
        "orders/cancelled",
        &cancelled,
        &["5512340099001 cancelled cancelled at 2026-11-04T09:00:00Z"],
    );
    for status in ["pending", "authorized", "voided"] {
        let unpaid = with(cancelled.clone(), &[("/financial_status", json!(status))]);
        ignored(Shop::Shopify, "orders/cancelled", &unpaid, "never paid");
    }
    // The topic is not signed: what it says must show in what is.
    ignored(Shop::Shopify, "orders/cancelled", &payload!("shopify_orders_paid"), "not cancelled");
    let dispute = payload!("shopify_disputes_update");
    check(
        Shop::Shopify,
        "disputes/update",
        &dispute,
        &["5512340099001 dispute-285332461850 chargeback at 2026-11-20T00:00:00Z"],
    );
    for (pointer, value) in
        [("/status", json!("won")), ("/status", json!("under_review")), ("/type", json!("inquiry"))]
    {
        ignored(
            Shop::Shopify,
            "disputes/create",
            &with(dispute.clone(), &[(pointer, value)]),
            "not lost",
        );
    }
    ignored(
        Shop::Shopify,
        "disputes/update",
        &with(dispute, &[("/order_id", Value::Null)]),
        "names no order",
    );
}

#[test]
fn woocommerce_an_order_is_counted_once_it_is_paid() {
    let order = payload!("woocommerce_order_processing");
    let line = "10077 4990 EUR by 20871 at 2026-11-03T08:20:10Z with token the click token";
    for topic in ["order.created", "order.updated", "order.restored"] {
        check(Shop::WooCommerce, topic, &order, &[line]);
    }
    let first = told(Shop::WooCommerce, "order.updated", &order).unwrap();
    assert_eq!(items(&first), [("TEE-ASSAM", None, 2241), ("KANNE-1", None, 2749)]);
    assert_eq!(
        (conversion(&first).first_order, &conversion(&first).hints),
        (None, &vec![HINT.parse().unwrap()])
    );
    let unpaid = [("/date_paid", Value::Null), ("/date_paid_gmt", Value::Null)];
    ignored(Shop::WooCommerce, "order.updated", &with(order.clone(), &unpaid), "not paid");
    // Paid on delivery.
    let completed = with(with(order.clone(), &unpaid), &[("/status", json!("completed"))]);
    check(Shop::WooCommerce, "order.updated", &completed, &[line]);
    for status in ["pending", "on-hold", "failed"] {
        ignored(
            Shop::WooCommerce,
            "order.updated",
            &with(order.clone(), &[("/status", json!(status))]),
            "not paid",
        );
    }
    for status in ["checkout-draft", "trash"] {
        ignored(
            Shop::WooCommerce,
            "order.updated",
            &with(order.clone(), &[("/status", json!(status))]),
            "a draft",
        );
    }
    for topic in ["order.deleted", "product.updated", "action.x", ""] {
        ignored(Shop::WooCommerce, topic, &order, "this topic tells nothing");
    }
}

#[test]
fn woocommerce_later_messages_tell_the_same_conversion_and_what_happened_since() {
    let paid = told(Shop::WooCommerce, "order.updated", &payload!("woocommerce_order_processing"))
        .unwrap();
    let later =
        told(Shop::WooCommerce, "order.updated", &payload!("woocommerce_order_refunded")).unwrap();
    assert_eq!(conversion(&paid).content(), conversion(&later).content());
    assert_eq!(
        brief(&later).0[1..],
        [
            "10077 delivered delivered at 2026-11-06T10:30:00Z",
            // With the shipping, because the payload does not tell them apart.
            "10077 refund-10101 refunded 1611 at 2026-11-10T13:00:00Z",
        ]
    );
    let extended =
        told(Shop::WooCommerce, "order.updated", &payload!("woocommerce_order_extended")).unwrap();
    assert_eq!(brief(&extended).0[2], "10077 refund-10101 refunded 1121 at 2026-11-10T12:59:58Z");
    assert_eq!(conversion(&extended).first_order, Some(true));
    assert_eq!(
        items(&extended),
        [("TEE-ASSAM", Some("tee"), 2241), ("KANNE-1", Some("zubehoer"), 2749)]
    );
    let cancelled = payload!("woocommerce_order_cancelled");
    check(
        Shop::WooCommerce,
        "order.updated",
        &cancelled,
        &["10077 cancelled cancelled at 2026-11-04T09:00:00Z"],
    );
    let unpaid = with(cancelled, &[("/date_paid", Value::Null), ("/date_paid_gmt", Value::Null)]);
    ignored(Shop::WooCommerce, "order.updated", &unpaid, "never paid");
}

#[test]
fn woocommerce_fees_below_zero_are_discounts_and_guests_have_no_id() {
    let order = payload!("woocommerce_order_processing");
    let report = |changes: &[(&str, Value)]| {
        conversion(
            &told(Shop::WooCommerce, "order.updated", &with(order.clone(), changes)).unwrap(),
        )
        .clone()
    };
    let fees = json!([{"name": "Rabatt", "total": "-4.20", "total_tax": "-0.80"}, {"name": "Nachnahme", "total": "2.00", "total_tax": "0.38"}]);
    let report_with_fee = report(&[("/fee_lines", fees)]);
    assert_eq!(report_with_fee.amount, Some(4490));
    assert_eq!(
        report_with_fee.items.iter().map(|item| item.amount).collect::<Vec<_>>(),
        [2016, 2474]
    );
    let guest = report(&[("/customer_id", json!(0))]);
    assert_eq!((guest.customer, guest.hints.len()), (None, 1));
    assert_eq!(report(&[("/meta_data", json!([]))]).proof, Proof::Coupon("freunde10".into()));
    // A shop that rounds the order, not its lines.
    let fine = report(&[
        ("/line_items/0/total", json!("20.943925")),
        ("/line_items/0/total_tax", json!("1.466075")),
        ("/line_items/1/total", json!("23.10084")),
        ("/line_items/1/total_tax", json!("4.38916")),
    ]);
    assert_eq!(fine.amount, Some(4990));
    let free = with(order.clone(), &[("/line_items", json!([]))]);
    ignored(Shop::WooCommerce, "order.updated", &free, "no goods were paid for");
}

#[test]
fn woocommerce_of_many_refunds_the_latest_are_taken() {
    let refunds: Vec<Value> =
        (0..50).rev().map(|n| json!({"id": 10_100 + n, "reason": "", "total": "-0.10"})).collect();
    let order = with(payload!("woocommerce_order_refunded"), &[("/refunds", json!(refunds))]);
    let (reports, ignored) = brief(&told(Shop::WooCommerce, "order.updated", &order).unwrap());
    assert_eq!(reports.len(), MOST);
    assert!(reports[0].contains("token") && reports[1].contains("delivered"));
    assert!(
        reports[2].contains("refund-10132 ") && reports[19].contains("refund-10149 "),
        "{reports:?}"
    );
    assert_eq!(ignored, Some("only the latest refunds were looked at"));
}

const SHOPWARE: &str = "018c7d7c7f7b71d5a9a6b2f0a1c3e5d7";

#[test]
fn shopware_an_order_is_counted_once_its_payment_is() {
    ignored(Shop::Shopware, "", &payload!("shopware_order_placed"), "not paid yet");
    let paid = payload!("shopware_transaction_paid");
    let line = format!(
        "{SHOPWARE} 4990 EUR by 018c7d7c7f7b71d5a9a6b2f0a1c32087 at 2026-11-03T08:20:10Z with token the click token"
    );
    check(Shop::Shopware, "", &paid, &[&line]);
    let told = told(Shop::Shopware, "", &paid).unwrap();
    // The promotion is a line of its own, and shared among the goods.
    assert_eq!(
        items(&told),
        [
            ("TEE-ASSAM", Some("018c7d7c7f7b71d5a9a6b2f0a1c3e521"), 2372),
            ("KANNE-1", Some("018c7d7c7f7b71d5a9a6b2f0a1c3e522"), 2618),
        ]
    );
    assert_eq!(
        (conversion(&told).first_order, &conversion(&told).hints),
        (None, &vec![HINT.parse().unwrap()])
    );
    // A payment that was made at once.
    let placed = with(
        payload!("shopware_order_placed"),
        &[("/data/payload/order/transactions/0/stateMachineState/technicalName", json!("paid"))],
    );
    check(Shop::Shopware, "", &placed, &[&line]);
    let draft = with(
        paid.clone(),
        &[("/data/payload/order/versionId", json!("018c7d7c7f7b71d5a9a6b2f0a1c3e5ff"))],
    );
    ignored(Shop::Shopware, "", &draft, "a draft");
    for event in [
        "state_enter.order_delivery.state.shipped",
        "state_enter.order_transaction.state.open",
        "product.written",
        "",
    ] {
        ignored(
            Shop::Shopware,
            "",
            &with(paid.clone(), &[("/data/event", json!(event))]),
            "tells nothing",
        );
    }
    let written = json!({"data": {"payload": [{"entity": "order", "operation": "update"}], "event": "order.written"}});
    ignored(Shop::Shopware, "", &written, "carries no order");
}

#[test]
fn shopware_amounts_proofs_and_customers_are_read_as_the_order_has_them() {
    let paid = payload!("shopware_transaction_paid");
    let report = |changes: &[(&str, Value)]| {
        conversion(&told(Shop::Shopware, "", &with(paid.clone(), changes)).unwrap()).clone()
    };
    // Prices without tax: 24.90 + 1.63 + 27.49 + 4.39 − (2.49 + 0.16).
    assert_eq!(report(&[("/data/payload/order/taxStatus", json!("net"))]).amount, Some(5576));
    assert_eq!(
        report(&[("/data/payload/order/customFields", json!([]))]).proof,
        Proof::Coupon("FREUNDE10".into())
    );
    assert_eq!(
        report(&[("/data/payload/order/currency/isoCode", json!("CHF"))])
            .currency
            .unwrap()
            .to_string(),
        "CHF"
    );
    for (campaign, proof) in [
        ("passalong", Proof::Token("another token".into())),
        ("newsletter", Proof::Coupon("FREUNDE10".into())),
    ] {
        let brought = [
            ("/data/payload/order/customFields", Value::Null),
            ("/data/payload/order/campaignCode", json!(campaign)),
            ("/data/payload/order/affiliateCode", json!("another token")),
        ];
        assert_eq!(report(&brought).proof, proof, "{campaign}");
        assert_eq!(report(&brought[1..]).proof, Proof::Token("the click token".into()));
    }
    let orders = "/data/payload/order/orderCustomer/customer/orderCount";
    assert_eq!(report(&[(orders, json!(3))]).first_order, Some(false));
    // An order that was completed before it was paid counts itself.
    let completed = ("/data/payload/order/stateMachineState/technicalName", json!("completed"));
    assert_eq!(report(&[(orders, json!(1)), completed.clone()]).first_order, None);
    assert_eq!(report(&[(orders, json!(2)), completed]).first_order, Some(false));
    // A part of a bundle is not paid for twice.
    assert_eq!(
        report(&[(
            "/data/payload/order/lineItems/1/parentId",
            json!("018c7d7c7f7b71d5a9a6b2f0a1c3e511")
        )])
        .amount,
        Some(2241)
    );
}

#[test]
fn shopware_states_become_events() {
    for (payload, expected) in [
        (payload!("shopware_order_completed"), "delivered delivered at 2026-11-06T10:30:00Z"),
        (payload!("shopware_order_cancelled"), "cancelled cancelled at 2026-11-04T09:00:00Z"),
        (payload!("shopware_delivery_returned"), "returned withdrawn at 2026-11-12T09:00:00Z"),
        (
            payload!("shopware_transaction_refunded_partially"),
            "refund-018c7d7c7f7b71d5a9a6b2f0a1c3e514 refunded 1121 at 2026-11-10T13:00:00Z",
        ),
    ] {
        check(Shop::Shopware, "", &payload, &[&format!("{SHOPWARE} {expected}")]);
    }
    let back = with(
        payload!("shopware_transaction_paid"),
        &[("/data/event", json!("state_enter.order_transaction.state.chargeback"))],
    );
    check(
        Shop::Shopware,
        "",
        &back,
        &[&format!("{SHOPWARE} chargeback chargeback at 2026-11-03T08:20:15Z")],
    );
    let unpaid = with(
        payload!("shopware_order_cancelled"),
        &[("/data/payload/order/transactions/0/stateMachineState/technicalName", json!("open"))],
    );
    ignored(Shop::Shopware, "", &unpaid, "never paid");
    let half = with(
        payload!("shopware_delivery_returned"),
        &[(
            "/data/payload/order/deliveries",
            json!([
                {"stateMachineState": {"technicalName": "returned"}}, {"stateMachineState": {"technicalName": "shipped"}},
            ]),
        )],
    );
    ignored(Shop::Shopware, "", &half, "tells nothing");
}

#[test]
fn shopware_a_refund_is_what_captures_or_credits_say_and_all_where_all_went_back() {
    let partly = payload!("shopware_transaction_refunded_partially");
    let silent = with(partly.clone(), &[("/data/payload/order/lineItems/3/type", json!("custom"))]);
    ignored(Shop::Shopware, "", &silent, "does not say how much");
    let captures = json!([{"refunds": [
        {"id": "r1", "amount": {"totalPrice": 11.21}, "stateMachineState": {"technicalName": "completed"}},
        {"id": "r2", "amount": {"totalPrice": 2.5}, "stateMachineState": {"technicalName": "in_progress"}},
    ]}]);
    let by_capture = with(partly, &[("/data/payload/order/transactions/0/captures", captures)]);
    check(
        Shop::Shopware,
        "",
        &by_capture,
        &[&format!("{SHOPWARE} refund-r1 refunded 1121 at 2026-11-10T13:00:00Z")],
    );
    check(
        Shop::Shopware,
        "",
        &payload!("shopware_transaction_refunded"),
        &[
            &format!(
                "{SHOPWARE} refund-018c7d7c7f7b71d5a9a6b2f0a1c3e514 refunded 1121 at 2026-11-12T13:00:00Z"
            ),
            &format!("{SHOPWARE} refund-all refunded 4990 at 2026-11-12T13:00:00Z"),
        ],
    );
}

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
