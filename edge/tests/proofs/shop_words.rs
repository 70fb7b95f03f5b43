//! Coupons of the shop and aliases of its customers are two namespaces.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::store::Put;
use serde_json::{Value, json};

use crate::aliases::{now, order, sure};
use crate::support::{Answer, World, at, choose_alias, erase, get, post};

fn with(terms: &Value) -> World {
    let mut all = json!({ "coupon": { "code": "FREUND10" } });
    for (name, value) in terms.as_object().unwrap() {
        all[name] = value.clone();
    }
    World::with(&all)
}

/// The terms as they are told, with changes, as the merchant sends them.
fn change(world: &World, at: Instant, changes: &Value) -> Answer {
    let mut terms = world.send(at, &get("/v1/program")).body;
    let answered = ["version", "valid_from", "plain_terms", "upcoming"];
    terms.as_object_mut().unwrap().retain(|name, _| !answered.contains(&name.as_str()));
    for (name, value) in changes.as_object().unwrap() {
        terms[name] = value.clone();
    }
    let mut put = post("/v1/program", &terms);
    "PUT".clone_into(&mut put.method);
    world.send(at, &put)
}

/// An alias that was chosen before the word was the shop's own.
fn chosen_before(world: &World, customer: &str, alias: &str) {
    let customer = world.customer(customer);
    for key in [
        format!("customer/teehaus/{customer}/alias.202610010800.{alias}"),
        format!("alias/teehaus/{alias}/202610010800.{customer}"),
    ] {
        world.memory.insert(&Put { key, value: String::new(), metadata: None, ttl: None });
    }
}

fn reason(answer: &Answer) -> &str {
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer.body["reason"].as_str().unwrap_or_default()
}

#[test]
fn a_word_of_the_shop_is_nobodys_alias() {
    let pool = json!({ "for": "advocate", "trigger": "first_purchase", "delivery": "coupon", "pool": "tee-zeet",
                       "value": { "kind": "amount_off", "amount": 500, "currency": "EUR" } });
    let world = with(&json!({
        "coupon": { "code": "TEEFREUND" }, "reserved": ["Kaffee-Fahrt"], "rewards": [pool],
        "coupons": [{ "code": "ANNAS-TEE", "customer_id": "10023" }],
    }));
    for word in [
        "HERBST25",
        "herbst-25",
        "RABATT",
        "TEEFREUND",
        "tee-freund",
        "KAFFEEFAHRT",
        "ANNASTEE",
        "TEEZEET",
    ] {
        let refused = world.send(now(), &choose_alias(now(), "20871", Some(word)));
        let (status, field) = (refused.status, &refused.body["field"]);
        assert_eq!((status, field), (400, &json!("alias")), "{word}: {refused:?}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("the shop's own"), "{detail}");
        let (_, instead) = detail.split_once("How about ").unwrap();
        let instead = instead.trim_end_matches('?');
        let other = format!("friend of {word}");
        assert_eq!(world.send(now(), &choose_alias(now(), &other, Some(instead))).status, 200);
    }
    // Also what will be the shop's own in ten minutes.
    assert_eq!(change(&world, now(), &json!({ "reserved": ["KANNE"] })).status, 200);
    assert_eq!(world.send(now(), &choose_alias(now(), "30412", Some("KANNE"))).status, 400);
    // And what was its coupon once.
    assert_eq!(change(&world, now(), &json!({ "coupon": { "code": "NEUER" } })).status, 200);
    let later = now().plus(HOUR);
    assert_eq!(world.send(later, &choose_alias(later, "30412", Some("TEEFREUND"))).status, 400);
}

/// A customer named like the shop's campaign is owed nothing for those who use its public code.
#[test]
fn a_public_coupon_that_is_also_somebodys_alias_earns_nothing() {
    let world = with(&json!({ "reserved": ["TASSE"] }));
    for (customer, alias) in [("10023", "HERBST25"), ("555", "TASSE"), ("556", "HAFEN")] {
        chosen_before(&world, customer, alias);
    }
    for (index, (coupon, why)) in [
        ("HERBST25", "reserved_code"),
        ("herbst25", "reserved_code"),
        ("Herbst 25", "reserved_code"),
        ("FREUND10-HERBST25", "reserved_code"),
        ("TASSE", "reserved_code"),
        ("HAFEN", "no_referral"),
    ]
    .into_iter()
    .enumerate()
    {
        let proof = json!({ "coupon": coupon });
        let answer = order(&world, sure(), &format!("A-{index}"), &proof);
        assert_eq!((reason(&answer), &answer.body["rewards"]), (why, &json!([])), "{coupon}");
        let again = order(&world, sure(), &format!("A-{index}"), &proof);
        assert_eq!((again.status, &again.body), (200, &answer.body));
    }
    let typed = order(&world, sure(), "A-typed", &json!({ "alias": "HERBST25" }));
    assert_eq!(reason(&typed), "reserved_code");
    assert_eq!(world.memory.keys("ledger/"), Vec::<String>::new());
    let named = order(&world, sure(), "A-named", &json!({ "coupon": "FREUND10-HAFEN" }));
    assert_eq!(named.body["advocate"]["customer_id"], Value::Null);
    assert_eq!(named.body["attributed"], json!(true));
}

#[test]
fn a_word_that_is_reserved_later_leaves_older_aliases_and_orders_alone() {
    let world = with(&json!({}));
    assert_eq!(world.send(now(), &choose_alias(now(), "10023", Some("TASSE"))).status, 200);
    let changed = change(&world, sure(), &json!({ "reserved": ["TASSE", "HAFEN"] }));
    let valid_from = at(changed.body["valid_from"].as_str().unwrap());
    let (before, after) = (valid_from.plus(-1), valid_from.plus(MINUTE));
    let report = |occurred: Instant, sent: Instant, id: &str, coupon: &str| {
        order(&world, sent, id, &json!({ "coupon": coupon, "occurred_at": occurred }))
    };
    // Ordered before, reported after: decided by the words of then.
    let unlisted = report(before, after, "A-1", "HAFEN");
    assert_eq!(reason(&unlisted), "no_referral");
    let bare = report(after, after, "A-2", "TASSE");
    assert_eq!(reason(&bare), "reserved_code");
    let named = report(before, after, "A-3", "FREUND10-TASSE");
    assert_eq!(named.body["advocate"]["customer_id"], "10023");
    let named = report(after, after, "A-4", "FREUND10-TASSE");
    assert_eq!(named.body["advocate"]["customer_id"], "10023", "it was chosen before");
    // And answered the same for ever.
    let later = after.plus(30 * DAY);
    for (occurred, id, coupon, first) in
        [(before, "A-1", "HAFEN", &unlisted), (after, "A-2", "TASSE", &bare)]
    {
        let again = report(occurred, later, id, coupon);
        assert_eq!((again.status, &again.body), (200, &first.body), "{id}");
    }
    assert_eq!(world.send(after, &choose_alias(after, "20871", Some("HAFEN"))).status, 400);
}

#[test]
fn a_listed_coupon_proves_a_referral_and_keeps_its_customer_to_itself() {
    let coupons = json!([{ "code": "SOMMER", "customer_id": "10023" }, { "code": "Tee-Blog", "customer_id": "555" }]);
    let world = with(&json!({ "coupons": coupons }));
    for (index, (coupon, advocate)) in
        [("sommer", "10023"), (" SOMMER.", "10023"), ("tee blog", "555"), ("TEE–BLOG", "555")]
            .iter()
            .enumerate()
    {
        let answer = order(&world, sure(), &format!("A-{index}"), &json!({ "coupon": coupon }));
        assert_eq!(answer.body["advocate"]["customer_id"], *advocate, "{answer:?}");
        assert_eq!(answer.body["proof"], "coupon");
    }
    assert_eq!(
        reason(&order(&world, sure(), "A-x", &json!({ "alias": "SOMMER" }))),
        "unknown_alias"
    );
    for (key, (metadata, value)) in world.memory.snapshot("") {
        let text = format!("{key} {} {value}", metadata.unwrap_or_default());
        assert!(!text.contains("10023"), "{text}");
    }
    let told = |moment| world.send(moment, &get("/v1/program")).body["coupons"].clone();
    assert_eq!(told(sure()), coupons);
    // What is told can be sent again.
    let again = change(&world, sure(), &json!({}));
    assert_eq!((again.status, &again.body["version"]), (200, &json!(1)), "{again:?}");
    let stored = json!([{ "code": "SOMMER", "customer": world.customer("10023") }]);
    let refused = change(&world, sure(), &json!({ "coupons": stored }));
    assert_eq!((refused.status, &refused.body["field"]), (400, &json!("coupons[0].customer")));
    // With the customer goes whom it stands for.
    assert_eq!(world.send(sure(), &erase("10023")).status, 200);
    assert_eq!(told(sure())[0], json!({ "code": "SOMMER", "customer_id": null }));
    let changed = change(&world, sure(), &json!({}));
    assert_eq!(changed.status, 200, "{changed:?}");
    let later = sure().plus(HOUR);
    assert_eq!(
        reason(&order(&world, later, "A-later", &json!({ "coupon": "SOMMER" }))),
        "no_referral"
    );
}

#[test]
fn a_coupon_that_is_listed_later_proves_nothing_for_an_order_before() {
    let world = with(&json!({}));
    let listed = json!([{ "code": "TEEBLOG", "customer_id": "10023" }]);
    assert_eq!(change(&world, now(), &json!({ "coupons": listed })).status, 200);
    let later = now().plus(HOUR);
    let report = |occurred: Instant, id: &str| {
        order(&world, later, id, &json!({ "coupon": "TEEBLOG", "occurred_at": occurred }))
    };
    assert_eq!(reason(&report(now(), "A-1")), "no_referral");
    assert_eq!(report(later, "A-2").body["advocate"]["customer_id"], "10023");
}
