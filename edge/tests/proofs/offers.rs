//! What the shop may take off is what a report of the order would be decided by, asked before.

use passalong_core::channel::Channel;
use passalong_core::click_token::ClickToken;
use passalong_core::time::{DAY, Instant};
use passalong_edge::metadata::Hints;
use passalong_edge::store::Put;
use serde_json::{Value, json};

use crate::aliases::{now, sure};
use crate::support::{World, choose_alias, conversion, get, get_as, post, start};

const HINT: &str = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";

fn friend_rule(changes: &Value) -> Value {
    let mut rule = json!({ "for": "friend", "trigger": "first_purchase", "when": "at_once",
                           "value": { "kind": "percent_off", "basis_points": 1_000 } });
    for (name, value) in changes.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

fn rewards(friend: &[Value]) -> Value {
    let share = json!({ "kind": "percent_of_order", "basis_points": 2_000 });
    let advocate = json!({ "for": "advocate", "trigger": "every_purchase", "value": share });
    let mut rules = vec![advocate];
    rules.extend(friend.iter().cloned());
    json!(rules)
}

fn world(friend: &[Value], terms: &Value) -> World {
    let mut all = json!({ "rewards": rewards(friend), "coupon": { "code": "FREUND10" } });
    for (name, value) in terms.as_object().unwrap() {
        all[name] = value.clone();
    }
    let world = World::with(&all);
    assert_eq!(world.send(now(), &choose_alias(now(), "10023", Some("TEE4K7"))).status, 200);
    world
}

fn token(world: &World, at: Instant) -> String {
    let customer = world.keys.customer(&"10023".parse().unwrap());
    ClickToken { customer, at, channel: Channel::WhatsApp, nonce: [1; 4] }.sign(&world.keys)
}

fn check(world: &World, question: &Value) -> Value {
    let before = world.memory.snapshot("");
    let answer = world.send(sure(), &post("/v1/offer/check", question));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((answer.operations.1, world.memory.snapshot("")), (0, before), "it writes nothing");
    answer.body
}

fn ten_percent() -> Value {
    json!({ "kind": "percent_off", "basis_points": 1_000 })
}

#[test]
fn a_friend_gets_what_is_taken_off_at_once_by_any_good_proof() {
    let world = world(&[friend_rule(&json!({ "minimum_order": 3_000 }))], &json!({}));
    let (code, token) = (world.code("10023"), token(&world, now()));
    for proof in [
        json!({ "alias": "tee4k7" }),
        json!({ "code": code }),
        json!({ "token": token }),
        json!({ "coupon": "FREUND10-TEE4K7" }),
    ] {
        let mut question = json!({ "customer_id": "20871", "first_order": true });
        question.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
        let kind = proof.as_object().unwrap().keys().next();
        let right = json!({
            "eligible": true, "value": ten_percent(), "minimum_order": 3_000, "discountable": null,
            "reason": null, "proof": kind, "proofs": [],
        });
        assert_eq!(check(&world, &question), right, "{question}");
    }
}

#[test]
fn who_would_be_refused_gets_nothing_and_is_told_why() {
    let world = world(&[friend_rule(&json!({}))], &json!({}));
    // The advocate's address is known from the account page, by its hint.
    let me = get_as(now(), "10023", "/v1/me");
    assert_eq!(world.send(now(), &me).status, 200);
    let hints =
        format!("customer/teehaus/{}/hints.202611020901.0123456789abcdef", world.customer("10023"));
    let known = Hints { hints: vec![world.keys.hint(&HINT.parse().unwrap())] };
    world.memory.insert(&Put::listed(&hints, &known));
    // A friend whom another advocate brought, and one whom this one brought.
    for (id, friend, advocate) in [("A-1", "30412", "555"), ("A-2", "30413", "10023")] {
        let report = conversion(now(), id, friend, &world.code(advocate), &json!({}));
        assert_eq!(world.send(now(), &report).status, 201);
    }
    let old = token(&world, sure().plus(-30 * DAY - 1));
    for (question, reason) in [
        (json!({ "customer_id": "10023", "alias": "TEE4K7" }), "self_referral"),
        (json!({ "customer_id": "20871", "hints": [HINT], "alias": "TEE4K7" }), "self_referral"),
        (json!({ "hints": [HINT], "code": world.code("10023") }), "self_referral"),
        (
            json!({ "customer_id": "20871", "first_order": false, "alias": "TEE4K7" }),
            "existing_customer",
        ),
        (json!({ "customer_id": "30412", "alias": "TEE4K7" }), "friend_already_referred"),
        (json!({ "customer_id": "30413", "alias": "TEE4K7" }), "friend_already_referred"),
        (json!({ "customer_id": "20871", "token": old }), "outside_window"),
        (json!({ "customer_id": "20871", "token": "x" }), "invalid_token"),
        (json!({ "customer_id": "20871", "alias": "NIEMAND" }), "unknown_alias"),
        (json!({ "customer_id": "20871", "coupon": "FREUND10" }), "no_referral"),
        (json!({ "customer_id": "20871" }), "no_referral"),
    ] {
        let answer = check(&world, &question);
        let right = (&json!(false), &Value::Null, &Value::Null, &json!(reason));
        let said = ["eligible", "value", "minimum_order", "reason"].map(|name| &answer[name]);
        assert_eq!((said[0], said[1], said[2], said[3]), right, "{question}");
        // And the order is decided alike.
        let mut report = json!({ "first_order": true, "code": null, "customer_id": null });
        report.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        let report = conversion(sure(), &format!("B-{question}")[..20], "x", "", &report);
        let decided = world.twin().send(sure(), &report).body;
        // An advocate is paid for every purchase, the friend's rebate is for the first.
        if question["customer_id"] != "30413" {
            assert_eq!(decided["reason"], reason, "{question}");
        }
    }
}

#[test]
fn a_paused_program_takes_nothing_off() {
    let world = world(&[friend_rule(&json!({}))], &json!({ "paused": true }));
    let answer = check(&world, &json!({ "customer_id": "20871", "alias": "TEE4K7" }));
    assert_eq!((&answer["eligible"], &answer["reason"]), (&json!(false), &json!("program_paused")));
}

#[test]
fn what_is_earned_later_is_not_taken_off_now() {
    let earned = friend_rule(&json!({ "when": "earned" }));
    let vip = friend_rule(
        &json!({ "segment": "vip", "value": { "kind": "amount_off", "amount": 500, "currency": "EUR" } }),
    );
    for (rules, segment, value) in [
        (vec![earned.clone()], None, Value::Null),
        (vec![], None, Value::Null),
        (
            vec![vip.clone(), earned.clone()],
            Some("vip"),
            json!({ "kind": "amount_off", "amount": 500, "currency": "EUR" }),
        ),
        (vec![vip, earned], Some("neu"), Value::Null),
    ] {
        let world = world(&rules, &json!({}));
        let answer = check(
            &world,
            &json!({ "customer_id": "20871", "segment": segment, "alias": "TEE4K7" }),
        );
        assert_eq!((&answer["eligible"], &answer["value"]), (&json!(true), &value), "{rules:?}");
    }
}

#[test]
fn the_question_names_the_friend() {
    let world = world(&[friend_rule(&json!({}))], &json!({}));
    for (question, field) in [
        (json!({ "alias": "TEE4K7" }), "customer_id"),
        (json!({ "customer_id": "0", "alias": "TEE4K7" }), "customer_id"),
        (json!({ "customer_id": "20871", "hints": ["anna@shop.example"] }), "hints[0]"),
        (
            json!({ "customer_id": "20871", "proofs": [{ "alias": "A", "token": "x" }] }),
            "proofs[0].alias",
        ),
        (json!({ "customer_id": "20871", "items": [{ "sku": "A" }] }), "items[0].amount"),
        (json!({ "customer_id": "20871", "amount": 1 }), "amount"),
    ] {
        let answer = world.send(sure(), &post("/v1/offer/check", &question));
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(field)), "{question}");
    }
}

#[test]
fn a_friends_coupon_is_shown_where_the_benefit_is_had_by_it() {
    let link = "https://shop.example/discount/{code}?redirect={to}";
    let offer = |terms: &Value| {
        let world = World::with(terms);
        let body = world.send(start(), &get("/v1/offer?program=teehaus")).body;
        (body["coupon"].clone(), body["coupon_link"].clone())
    };
    let by_coupon = rewards(&[friend_rule(&json!({ "delivery": "coupon" }))]);
    let coupon = json!({ "code": "FREUND-10", "link": link });
    let shown = "https://shop.example/discount/FREUND-10?redirect=";
    for (landing, to) in [
        ("https://shop.example/willkommen", "%2Fwillkommen"),
        ("https://shop.example/a/b?c=d&e=%C3%A4", "%2Fa%2Fb%3Fc%3Dd%26e%3D%25C3%25A4"),
        ("https://shop.example", "%2F"),
    ] {
        let terms = json!({ "rewards": by_coupon, "coupon": coupon, "landing_url": landing });
        assert_eq!(offer(&terms), (json!("FREUND-10"), json!(format!("{shown}{to}"))), "{landing}");
    }
    let without_link = json!({ "rewards": by_coupon, "coupon": { "code": "FREUND10" } });
    assert_eq!(offer(&without_link), (json!("FREUND10"), Value::Null));
    let by_hand = json!({ "rewards": rewards(&[friend_rule(&json!({}))]), "coupon": coupon });
    assert_eq!(offer(&by_hand), (Value::Null, Value::Null));
}

#[test]
fn a_discount_is_computed_without_excluded_items() {
    let excluded = json!({ "skus": ["BOOK"], "categories": ["gift_card"] });
    let world = world(&[friend_rule(&json!({}))], &json!({ "excluded": excluded }));
    let tea = json!({ "sku": "TEE-1", "category": "tee", "amount": 2_990 });
    let card = json!({ "sku": "CARD", "category": "gift_card", "amount": 5_000 });
    let book = json!({ "sku": "BOOK", "amount": 1_500 });
    for (items, discountable) in [
        (json!([tea, card, book]), json!(2_990)),
        (json!([tea, tea]), json!(5_980)),
        (json!([card]), json!(0)),
        (json!([]), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let answer =
            check(&world, &json!({ "customer_id": "20871", "alias": "TEE4K7", "items": items }));
        assert_eq!((&answer["eligible"], &answer["value"]), (&json!(true), &ten_percent()));
        assert_eq!(answer["discountable"], discountable, "{items}");
    }
}

#[test]
fn a_bad_proof_costs_a_friend_nothing_where_a_good_one_is_beside_it() {
    let world = world(&[friend_rule(&json!({}))], &json!({}));
    let proofs = json!([{ "coupon": "newsletter" }, { "coupon": "freund10-tee4k7" }]);
    let answer =
        check(&world, &json!({ "customer_id": "20871", "token": "broken", "proofs": proofs }));
    assert_eq!((&answer["eligible"], &answer["proof"]), (&json!(true), &json!("coupon")));
    let lacked = json!([{ "token": "invalid_token" }, { "coupon": "reserved_code" }]);
    assert_eq!(answer["proofs"], lacked);
}
