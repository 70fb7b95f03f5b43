//! Whether a friend is new, and whose.

use serde_json::json;

use crate::{binding, share};

#[test]
fn who_cancels_and_orders_again_is_still_new_and_the_second_order_earns() {
    for silent in [false, true] {
        let mut told = share(&json!({}));
        let first = told.order("1").of("ben").code("anna");
        if silent {
            first.send()
        } else {
            first.first(true).send()
        };
        told.wait(10).event("1", "cancelled").wait(10);
        let second = told.order("2").of("ben").code("anna");
        if silent {
            second.send()
        } else {
            second.first(true).send()
        };
        told.until_quiet();
        assert_eq!((told.owed("anna"), told.fate("1")), (1_000, "reversed cancelled".to_owned()));
        told.is_sound();
    }
}

#[test]
fn an_older_order_that_is_reported_after_the_referral_makes_no_old_customer() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.wait(10).order("A-0").of("ben").occurred("2026-10-03T10:00").send();
    told.until_quiet();
    assert_eq!(told.owed("anna"), 1_000);
    told.is_sound();
}

#[test]
fn an_older_order_that_was_reported_before_the_referral_makes_an_old_customer() {
    let mut told = share(&json!({}));
    told.order("A-0").of("ben").send();
    told.wait(10).order("1").of("ben").code("anna").send();
    // What the shop says wins.
    told.order("2").of("carl").send();
    told.wait(10).order("3").of("carl").code("anna").first(true).send();
    told.until_quiet();
    assert_eq!(told.fate("1"), "refused existing_customer");
    assert_eq!(told.owed("anna"), 1_000);
    told.is_sound();
}

#[test]
fn a_sign_up_or_an_action_makes_no_old_customer_new() {
    let points = |trigger: &str| json!({ "for": "advocate", "trigger": trigger, "value": { "kind": "points", "points": 7 } });
    for kind in ["signup", "action"] {
        let mut told = share(&json!({ "rewards": [
            points("signup"), points("action"),
            { "for": "advocate", "trigger": "first_purchase",
              "value": { "kind": "credit", "amount": 500 } },
        ] }));
        let begun = told.order("1").of("ben").code("anna");
        if kind == "signup" {
            begun.sign_up().send()
        } else {
            begun.action("survey").send()
        };
        for order in ["2", "3", "4"] {
            told.wait(60).order(order).of("ben").code("anna").first(false).send();
        }
        told.until_quiet();
        assert_eq!(told.owed("anna"), 7, "{kind}: no first purchase of an old customer");
        told.is_sound();
    }
}

#[test]
fn a_first_purchase_is_earned_once_however_often_the_friend_buys() {
    let mut told = share(&json!({ "rewards": [
        { "for": "advocate", "trigger": "signup", "value": { "kind": "points", "points": 7 } },
        { "for": "advocate", "trigger": "first_purchase",
          "value": { "kind": "credit", "amount": 500 } },
    ] }));
    told.order("1").of("ben").code("anna").sign_up().send();
    for order in ["2", "3", "4"] {
        told.wait(60).order(order).of("ben").code("anna").first(order == "2").send();
    }
    told.until_quiet();
    assert_eq!(told.owed("anna"), 507);
    told.is_sound();
}

#[test]
fn two_orders_on_one_click_within_minutes_are_one_first_purchase() {
    let mut told = share(&json!({}));
    told.hold_back("", 0, 8).hold_back("", 1, 8);
    let first = told.order("1").of("ben").click("anna", 30, 1).request();
    told.from(0).at_once(vec![(0, first)]);
    told.wait(2);
    let second = told.order("2").of("ben").click("anna", 32, 1).request();
    told.at_once(vec![(1, second)]);
    told.until_quiet();
    assert_eq!(told.owed("anna"), 1_000);
    assert_eq!(told.fate("2"), "refused friend_already_referred");
    told.is_sound();
}

#[test]
fn two_advocates_who_bring_one_friend_at_once_are_paid_for_once() {
    let mut told = share(&json!({}));
    told.hold_back("", 0, 8).hold_back("", 1, 8);
    let orders = vec![
        (0, told.order("1").of("ben").code("anna").request()),
        (1, told.order("2").of("ben").code("berta").request()),
    ];
    told.at_once(orders);
    told.at("2026-11-03T11:12").crons(&[0, 1, 2]).until_quiet();
    assert_eq!(told.owed("anna") + told.owed("berta"), 1_000);
    told.is_sound();
}

#[test]
fn a_guests_order_in_a_victims_mail_binds_nobody() {
    for is_cancelled in [true, false] {
        let mut told = binding();
        told.order("1").in_mail_of("ben").code("mallory").send();
        if is_cancelled {
            told.wait(5).event("1", "cancelled");
        }
        told.wait(60).order("2").of("ben").in_mail_of("ben").send();
        told.wait(60).order("3").of("ben").send();
        told.until_quiet();
        let most = if is_cancelled { 0 } else { 500 };
        assert_eq!(told.owed("mallory"), most, "cancelled: {is_cancelled}");
        told.is_sound();
    }
}

#[test]
fn a_purchase_binds_the_same_customer_and_an_action_does_not() {
    let mut told = binding();
    told.order("1").of("ben").code("anna").send();
    told.order("2").of("carl").code("anna").action("survey").send();
    for order in ["3", "4"] {
        let friend = if order == "3" { "ben" } else { "carl" };
        told.wait(60).order(order).of(friend).send();
    }
    told.until_quiet();
    assert_eq!(told.owed("anna"), 1_000, "by the orders 1 and 3");
    told.is_sound();
}

#[test]
fn a_bound_order_stands_only_if_what_binds_it_does() {
    let mut told = binding();
    told.order("1").of("ben").code("anna").send();
    told.wait(20).order("2").of("ben").send();
    told.wait(20).event("1", "cancelled").until_quiet();
    assert_eq!(told.owed("anna"), 0);
    told.is_sound();
}

/// A shop that writes one address on every receipt of its till.
#[test]
fn a_thousand_claims_on_one_mail_address_stop_nothing() {
    let mut told = share(&json!({}));
    for order in 0..1_000 {
        let advocate = format!("anna{}", order % 10);
        told.order(&format!("A-{order}")).in_mail_of("till").amount(1_000).code(&advocate).send();
        if order % 50 == 49 {
            told.wait(1);
        }
    }
    told.until_quiet();
    assert_eq!(told.decided(), 1_000);
    assert!(told.owed_to_all() <= 100, "one first purchase, and the rest waits or is refused");
    told.is_sound();
}
