//! What proves a referral, and what does not.

use serde_json::json;

use crate::share;

#[test]
fn a_coupon_that_becomes_the_shops_own_word_still_proves_the_orders_before() {
    let mut told = share(&json!({
        "coupons": [{ "code": "SOMMER", "customer_id": "anna" }],
    }));
    told.at("2026-11-03T12:00");
    told.changes_terms(&json!({ "coupons": [], "reserved": ["SOMMER"] })).wait(30);
    let coupon = json!("SOMMER");
    told.order("1").of("ben").occurred("2026-11-03T11:00").saying("coupon", &coupon).send();
    told.order("2").of("carl").saying("coupon", &coupon).send();
    told.until_quiet();
    assert_eq!(told.fate("1"), "approved");
    assert_eq!((told.owed("anna"), told.fate("2")), (1_000, "reserved_code".to_owned()));
    told.is_sound();
}

#[test]
fn an_alias_that_becomes_the_shops_own_word_is_still_an_alias() {
    let mut told = share(&json!({ "coupon": { "code": "FREUND10" } }));
    told.chooses("anna", "TASSE");
    told.at("2026-11-03T12:00");
    told.changes_terms(&json!({ "reserved": ["TASSE"] })).wait(30);
    let (alias, coupon) = (json!("tasse"), json!("FREUND10-TASSE"));
    told.order("1").of("ben").saying("alias", &alias).send();
    told.order("2").of("carl").saying("coupon", &coupon).send();
    told.order("3").of("dora").saying("coupon", &json!("TASSE")).send();
    told.until_quiet();
    assert_eq!(told.owed("anna"), 2_000, "by the orders 1 and 2");
    told.is_sound();
}

#[test]
fn a_public_coupon_of_the_shop_earns_nobody_anything_whoever_chose_its_name() {
    let mut told = share(&json!({}));
    told.chooses("anna", "LEUCHTTURM").wait(60);
    for order in ["1", "2", "3", "4"] {
        let coupon = json!("LEUCHTTURM");
        told.order(order).of(&format!("ben{order}")).saying("coupon", &coupon).send();
    }
    told.until_quiet();
    assert_eq!(told.owed("anna"), 0);
    told.is_sound();
}

#[test]
fn what_proves_nothing_shuts_nothing_out() {
    let mut told = share(&json!({ "coupon": { "code": "FREUND10" } }));
    told.chooses("anna", "TASSE").wait(60);
    let proofs = [
        json!([{ "coupon": "newsletter5" }, { "coupon": "freund10-tasse" }]),
        json!([{ "token": "broken" }, { "alias": "KANNE" }, { "alias": "TASSE." }]),
        json!([{ "token": "broken" }, { "code": told.code("anna") }]),
    ];
    for (number, proofs) in proofs.iter().enumerate() {
        let (order, friend) = (format!("A-{number}"), format!("ben{number}"));
        told.order(&order).of(&friend).saying("proofs", proofs).send();
    }
    told.until_quiet();
    assert_eq!(told.owed("anna"), 3_000);
    told.is_sound();
}
