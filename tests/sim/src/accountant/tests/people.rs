//! Who may earn, and for whom only once.

use serde_json::{Value, json};

use super::{Shop, code, hint, merge};
use crate::requests::identity_token;

#[test]
fn a_first_purchase_is_paid_once_in_a_lifetime_whoever_brought_it() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({ "hints": [hint("ben")] })).shown("1", "anna", 1_000);
    let guest = json!({ "customer_id": null, "hints": [hint("ben")], "code": code("berta") });
    shop.order("2", &guest).shown("2", "berta", 1_000).complains("first_purchase of one friend");
}

#[test]
fn every_purchase_of_one_friend_is_paid_to_one_advocate() {
    let mut shop = Shop::every_purchase();
    shop.order("1", &json!({})).shown("1", "anna", 500);
    shop.order("2", &json!({})).shown("2", "anna", 500).is_fine();
    shop.order("3", &json!({ "code": code("berta") })).shown("3", "berta", 500);
    shop.complains("paid for to two");
}

#[test]
fn what_was_seen_once_was_paid_once() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({})).shown("1", "anna", 1_000);
    let seen = json!({ "rewards": [shop.rewards[0]] });
    shop.ask("GET", "/v1/rewards", &Value::Null, &seen);
    shop.rewards[0]["status"] = json!("reversed");
    shop.wait(200).event("1", &json!({ "event_id": "e", "type": "chargeback" })).is_fine();
    shop.order("2", &json!({})).shown("2", "anna", 1_000).complains("paid twice");
}

#[test]
fn nobody_earns_by_their_own_order() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({ "customer_id": "anna" })).shown("1", "anna", 1_000).complains("own");
    let guest = json!({ "customer_id": null, "hints": [hint("anna")] });
    let mut shop = Shop::new(&json!({}));
    shop.visit("anna", &[hint("anna")]).wait(5);
    shop.order("1", &guest).shown("1", "anna", 1_000).complains("own");
    // What an earlier order named together is known as well.
    let mut shop = Shop::new(&json!({}));
    shop.order("0", &json!({ "customer_id": "anna", "hints": [hint("anna")], "code": null }));
    shop.wait(5).order("1", &guest).shown("1", "anna", 1_000).complains("own");
    // An erasure afterwards makes it nobody else's.
    shop.wait(5).erase("anna").complains("own");
    // One before it leaves nothing to know.
    let mut shop = Shop::new(&json!({}));
    shop.visit("anna", &[hint("anna")]).wait(5).erase("anna").wait(5);
    shop.order("1", &guest).shown("1", "anna", 1_000).is_fine();
    // Nor does one before the order came to its advocate.
    let mut shop = Shop::new(&json!({}));
    shop.visit("anna", &[hint("anna")]).wait(5);
    let missed = json!({ "customer_id": null, "hints": [hint("anna")], "code": null });
    shop.order("1", &missed).shown("1", "anna", 1_000).misses("anna", "1").wait(15);
    shop.approve("1").complains("own");
    shop.book.all.pop();
    shop.erase("anna").wait(15).approve("1").is_fine();
    // What was not answered is not known for sure.
    let mut shop = Shop::new(&json!({}));
    shop.visit("anna", &[hint("anna")]).unanswered().wait(5);
    shop.order("1", &guest).shown("1", "anna", 1_000).is_fine();
}

#[test]
fn a_strangers_alias_or_coupon_proves_nothing() {
    let mut shop = Shop::new(&json!({ "coupon": { "code": "FREUND10" },
        "coupons": [{ "code": "SOMMER", "customer_id": "anna" }] }));
    for (id, proof, is_good) in [
        ("1", json!({ "alias": "TASSE" }), true),
        ("2", json!({ "alias": "KANNE" }), false),
        ("3", json!({ "coupon": "TASSE" }), false),
        ("4", json!({ "coupon": "freund10-tasse" }), true),
        ("5", json!({ "coupon": "FREUND10" }), false),
        ("6", json!({ "coupon": "Sommer" }), true),
        ("7", json!({ "proofs": [{ "token": "x" }, { "alias": "tasse" }] }), true),
    ] {
        let seconds = i64::try_from(shop.now() / 1_000).unwrap();
        let now = passalong_core::time::Instant::from_seconds(seconds);
        let token = identity_token("secret", "teehaus", "anna", &[], None, now);
        let alias = json!({ "alias": "TASSE" });
        shop.by(&token, "POST", "/v1/me/alias", &alias, &alias);
        let mut changes = json!({ "code": null, "customer_id": id });
        merge(&mut changes, &proof);
        changes["code"] = Value::Null;
        shop.rewards.clear();
        shop.order(id, &changes).shown(id, "anna", 1_000);
        if is_good { shop.is_fine() } else { shop.complains("nothing proves") }
    }
}

#[test]
fn a_click_proves_within_its_window() {
    let token = |shop: &Shop, days: i64| {
        let at = i64::try_from(shop.now() / 1_000).unwrap() - days * 86_400;
        let mut bytes = [0x10_u8; 26];
        bytes[1..8].copy_from_slice(b"anna\x10\x10\x10");
        bytes[8..13].copy_from_slice(&at.to_be_bytes()[3..]);
        passalong_core::text::base64url(&bytes)
    };
    let mut shop = Shop::new(&json!({}));
    let (young, old) = (token(&shop, 1), token(&shop, 31));
    shop.order("1", &json!({ "code": null, "token": young })).shown("1", "anna", 1_000).is_fine();
    shop.order("2", &json!({ "code": null, "token": old, "customer_id": "carl" }));
    shop.shown("2", "anna", 1_000).complains("nothing proves");
}

#[test]
fn a_missing_referral_is_owed_once_the_merchant_approved() {
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({ "code": null, "order_number": "#1077" })).shown("1", "anna", 1_000);
    let now = passalong_core::time::Instant::from_seconds(0);
    let token = identity_token("secret", "teehaus", "anna", &[], None, now);
    let claim = json!({ "order_number": "#1077", "ordered_on": "2026-11-03" });
    shop.by(&token, "POST", "/v1/me/claims", &claim, &Value::Null);
    shop.complains("nothing proves");
    let review = json!({ "decision": "approve" });
    shop.ask("POST", "/v1/rewards/rw_1/review", &review, &Value::Null);
    shop.is_fine();
}

#[test]
fn a_purchase_that_came_to_the_same_advocate_later_was_no_first_one() {
    let silent = json!({ "first_order": null });
    let missed = |by: &str| {
        let mut shop = Shop::new(&json!({}));
        shop.order("1", &json!({ "first_order": null, "code": null })).wait(15).order("2", &silent);
        shop.shown("2", "anna", 1_000).complains("the friend bought 1 before");
        shop.misses(by, "1").wait(15).approve("1");
        shop
    };
    missed("anna").is_fine();
    missed("berta").complains("the friend bought 1 before");
    // Approved before the other was reported, it was the first.
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({ "first_order": null, "code": null })).misses("anna", "1").wait(15);
    shop.approve("1").wait(5).order("2", &silent);
    shop.shown("2", "anna", 1_000).complains("the friend bought 1 before");
}

#[test]
fn only_a_purchase_that_stands_binds_and_only_the_same_customer() {
    let bound = json!({ "attribution": { "bound_days": 30, "new_customers_only": true },
        "rewards": [{ "for": "advocate", "trigger": "every_purchase", "when": "earned",
                      "value": { "kind": "credit", "amount": 500, "currency": "EUR" } }] });
    let later = json!({ "code": null });
    let mut shop = Shop::new(&bound);
    shop.order("1", &json!({})).order("2", &later).shown("2", "anna", 500);
    shop.shown("1", "anna", 500).is_fine();
    let mut shop = Shop::new(&bound);
    shop.order("1", &json!({})).event("1", &json!({ "event_id": "e", "type": "cancelled" }));
    shop.wait(5).order("2", &later).shown("2", "anna", 500).complains("nothing proves");
    // A guest's order in somebody's e-mail binds nobody else.
    let mut shop = Shop::new(&bound);
    shop.order("1", &json!({ "customer_id": null, "hints": [hint("ben")] }));
    shop.order("2", &json!({ "code": null, "hints": [hint("ben")] }));
    shop.shown("2", "anna", 500).complains("nothing proves");
    // An address that nobody confirmed binds no guest; a visit without an answer may have confirmed it.
    let mut shop = Shop::new(&bound);
    shop.order("1", &json!({ "hints": [hint("ben")] })).wait(5);
    let guest = json!({ "code": null, "customer_id": null, "hints": [hint("ben")] });
    shop.order("2", &guest).shown("2", "anna", 500).complains("nothing proves");
    shop.visit("ben", &[hint("ben")]).unanswered().is_fine();
    let mut shop = Shop::new(&bound);
    let action = json!({ "kind": "action", "action": "review", "amount": null, "currency": null });
    shop.order("1", &action).order("2", &later).shown("2", "anna", 500);
    shop.complains("nothing proves");
}

#[test]
fn an_old_customer_is_no_first_purchase() {
    let old = json!({ "first_order": false });
    let mut shop = Shop::new(&json!({ "attribution": { "new_customers_only": false } }));
    shop.order("1", &old).shown("1", "anna", 1_000).complains("not the first");
    // The memory of the program decides where the shop is silent.
    let mut shop = Shop::new(&json!({}));
    shop.order("1", &json!({ "code": null })).wait(5);
    shop.order("2", &json!({ "first_order": null })).shown("2", "anna", 1_000);
    shop.complains("the friend bought 1 before");
    // A sign-up makes nobody new, a purchase by the same advocate does.
    let mut shop = Shop::every_purchase();
    let sign_up = json!({ "kind": "signup", "amount": null, "currency": null });
    shop.order("1", &sign_up).order("2", &old).shown("2", "anna", 500).complains("old customer");
    let mut shop = Shop::every_purchase();
    shop.order("1", &json!({})).shown("1", "anna", 500);
    shop.order("2", &old).shown("2", "anna", 500).is_fine();
}
