//! Shopify: paid orders, parcels, refunds, cancellations and disputes.

use super::*;

#[test]
fn a_paid_order_is_a_conversion_whatever_topic_tells_it() {
    let paid = payload!("shopify_orders_paid");
    let line = "5512340099001 4990 EUR by 6940095564 at 2026-11-03T08:20:10Z with token the click token and coupon FREUNDE10";
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
fn what_changes_after_an_order_was_paid_does_not_change_the_conversion() {
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
fn amounts_are_goods_after_discounts_with_their_tax() {
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
fn what_is_no_sale_is_ignored_and_says_why() {
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
fn a_guest_is_known_by_the_address_alone_and_a_coupon_proves_where_no_token_does() {
    let paid = payload!("shopify_orders_paid");
    let report = |changes: &[(&str, Value)]| {
        let told = told(Shop::Shopify, "orders/paid", &with(paid.clone(), changes)).unwrap();
        conversion(&told).clone()
    };
    let guest =
        report(&[("/customer", Value::Null), ("/email", json!(" MIA.Sommer@example.org "))]);
    assert_eq!((guest.customer, guest.hints), (None, vec![HINT.parse().unwrap()]));
    let proof = |changes: &[(&str, Value)]| proofs(&report(changes));
    assert_eq!(
        proof(&[("/note_attributes/1/name", json!("pa"))]),
        "token the click token and coupon FREUNDE10"
    );
    assert_eq!(proof(&[("/note_attributes", json!([]))]), "coupon FREUNDE10");
    assert_eq!(proof(&[("/note_attributes/1/value", json!(""))]), "coupon FREUNDE10");
    let codes = ["newsletter5", "", "freund10-tasse", "newsletter5"];
    let codes: Vec<Value> = codes.iter().map(|code| json!({ "code": code })).collect();
    assert_eq!(
        proof(&[("/note_attributes", json!([])), ("/discount_codes", json!(codes))]),
        "coupon newsletter5 and coupon freund10-tasse"
    );
    assert_eq!(
        proof(&[("/note_attributes", json!([])), ("/discount_codes", json!([]))]),
        "nothing"
    );
    let number = |name: &str| report(&[("/name", json!(name))]).number;
    assert_eq!(number("#1077"), "1077".parse().ok());
    assert_eq!(number(""), None);
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
fn a_parcel_is_delivered_once_whichever_topic_tells_it() {
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
fn a_refund_counts_the_goods_with_their_tax_and_not_the_shipping() {
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
fn cancellations_and_lost_disputes_take_back_what_was_counted() {
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
