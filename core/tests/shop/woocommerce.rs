//! WooCommerce: one order as it is, told again whenever it changes.

use super::*;

#[test]
fn an_order_is_counted_once_it_is_paid() {
    let order = payload!("woocommerce_order_processing");
    let line = "10077 4990 EUR by 20871 at 2026-11-03T08:20:10Z with token the click token and coupon freunde10";
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
fn later_messages_tell_the_same_conversion_and_what_happened_since() {
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
fn fees_below_zero_are_discounts_and_guests_have_no_id() {
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
    assert_eq!(proofs(&report(&[("/meta_data", json!([]))])), "coupon freunde10");
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
fn a_gift_card_of_any_plugin_is_of_the_category_that_presets_exclude() {
    let order = payload!("woocommerce_order_extended");
    for (key, category) in [
        ("wc_gc_giftcard_to_multiple", "gift_card"),
        ("_wc_gc_giftcard_amount", "gift_card"),
        ("pw_gift_card_amount", "gift_card"),
        ("_ywgc_amount", "gift_card"),
        ("pa_farbe", "tee"),
        ("gift_message", "tee"),
    ] {
        let meta = json!([{"id": 1, "key": key, "value": "x"}]);
        let order = with(order.clone(), &[("/line_items/0/meta_data", meta)]);
        let told = told(Shop::WooCommerce, "order.updated", &order).unwrap();
        let expected = [("TEE-ASSAM", Some(category), 2241), ("KANNE-1", Some("zubehoer"), 2749)];
        assert_eq!(items(&told), expected, "{key}");
    }
}

#[test]
fn of_many_refunds_the_latest_are_taken() {
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
