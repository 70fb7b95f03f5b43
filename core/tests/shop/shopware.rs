//! Shopware 6: orders and the states they enter.

use super::*;

const SHOPWARE: &str = "018c7d7c7f7b71d5a9a6b2f0a1c3e5d7";

#[test]
fn an_order_is_counted_once_its_payment_is() {
    ignored(Shop::Shopware, "", &payload!("shopware_order_placed"), "not paid yet");
    let paid = payload!("shopware_transaction_paid");
    let line = format!(
        "{SHOPWARE} 4990 EUR by 018c7d7c7f7b71d5a9a6b2f0a1c32087 at 2026-11-03T08:20:10Z with token the click token and coupon FREUNDE10"
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
fn amounts_proofs_and_customers_are_read_as_the_order_has_them() {
    let paid = payload!("shopware_transaction_paid");
    let report = |changes: &[(&str, Value)]| {
        conversion(&told(Shop::Shopware, "", &with(paid.clone(), changes)).unwrap()).clone()
    };
    // Prices without tax: 24.90 + 1.63 + 27.49 + 4.39 − (2.49 + 0.16).
    assert_eq!(report(&[("/data/payload/order/taxStatus", json!("net"))]).amount, Some(5576));
    assert_eq!(
        proofs(&report(&[("/data/payload/order/customFields", json!([]))])),
        "coupon FREUNDE10"
    );
    assert_eq!(
        report(&[("/data/payload/order/currency/isoCode", json!("CHF"))])
            .currency
            .unwrap()
            .to_string(),
        "CHF"
    );
    for (campaign, proof) in [
        ("passalong", "token another token and coupon FREUNDE10"),
        ("newsletter", "coupon FREUNDE10"),
    ] {
        let brought = [
            ("/data/payload/order/customFields", Value::Null),
            ("/data/payload/order/campaignCode", json!(campaign)),
            ("/data/payload/order/affiliateCode", json!("another token")),
        ];
        assert_eq!(proofs(&report(&brought)), proof, "{campaign}");
        assert_eq!(proofs(&report(&brought[1..])), "token the click token and coupon FREUNDE10");
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
fn states_become_events() {
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
fn a_refund_is_what_captures_or_credits_say_and_all_where_all_went_back() {
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
fn a_product_marked_as_a_gift_card_is_of_the_category_that_presets_exclude() {
    let paid = payload!("shopware_transaction_paid");
    let fields = "/data/payload/order/lineItems/0/payload/customFields";
    let usual = items(&told(Shop::Shopware, "", &paid).unwrap())[0].1.map(str::to_owned);
    for (mark, category) in [
        (json!({"passalong_gift_card": true}), Some("gift_card".to_owned())),
        (json!({"passalong_gift_card": false}), usual.clone()),
        (json!({"passalong_gift_card": null}), usual.clone()),
        (json!([]), usual.clone()),
        (Value::Null, usual.clone()),
    ] {
        let told =
            told(Shop::Shopware, "", &with(paid.clone(), &[(fields, mark.clone())])).unwrap();
        assert_eq!(items(&told)[0].1.map(str::to_owned), category, "{mark}");
    }
}
