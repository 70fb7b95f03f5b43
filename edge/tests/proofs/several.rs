//! A report carries all the proofs a shop has: they are tried by strength and then in the order given,
//! and what proves nothing shuts nothing out.

use passalong_core::channel::Channel;
use passalong_core::click_token::ClickToken;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::metadata::Advocate;
use serde_json::{Value, json};

use crate::aliases::{now, order, sure};
use crate::support::{Answer, World, choose_alias, post, read_order};

/// Anna (10023) has the alias TEE4K7, Ben (555) the alias KANNE.
fn world(terms: &Value) -> World {
    let mut all = json!({ "coupon": { "code": "FREUND10" } });
    for (name, value) in terms.as_object().unwrap() {
        all[name] = value.clone();
    }
    let world = World::with(&all);
    for (customer, alias) in [("10023", "TEE4K7"), ("555", "KANNE")] {
        assert_eq!(world.send(now(), &choose_alias(now(), customer, Some(alias))).status, 200);
    }
    world
}

fn token(world: &World, customer: &str, at: Instant) -> String {
    let customer = world.keys.customer(&customer.parse().unwrap());
    ClickToken { customer, at, channel: Channel::WhatsApp, nonce: [1; 4] }.sign(&world.keys)
}

/// Who is credited, by which proof, why not, and what the others lacked.
fn decided(answer: &Answer) -> (Value, Value, Value, Value) {
    let body = &answer.body;
    let advocate = body["advocate"]["customer_id"].clone();
    (advocate, body["proof"].clone(), body["reason"].clone(), body["proofs"].clone())
}

fn proofs(all: &[(&str, &str)]) -> Value {
    let all: Vec<Value> = all.iter().map(|(kind, text)| json!({ *kind: text })).collect();
    json!({ "proofs": all })
}

#[test]
fn the_first_good_proof_counts_by_strength_and_then_in_the_order_given() {
    let world = world(&json!({}));
    let anna = world.code("10023");
    let (good, old) =
        (token(&world, "10023", now()), token(&world, "10023", now().plus(-30 * DAY)));
    let later = token(&world, "10023", sure().plus(6 * MINUTE));
    let name = json!("10023");
    let cases = [
        (
            vec![("coupon", "newsletter5"), ("coupon", "freund10-tee4k7")],
            &name,
            "coupon",
            json!([{ "coupon": "reserved_code" }]),
        ),
        (
            vec![("coupon", "xyz"), ("coupon", "freund10-tee4k7")],
            &name,
            "coupon",
            json!([{ "coupon": "no_referral" }]),
        ),
        (
            vec![("coupon", "freund10-tee4k7"), ("token", "broken")],
            &name,
            "coupon",
            json!([{ "token": "invalid_token" }]),
        ),
        (
            vec![("coupon", "freund10-tee4k7"), ("token", &old)],
            &name,
            "coupon",
            json!([{ "token": "outside_window" }]),
        ),
        (
            vec![("coupon", "freund10-tee4k7"), ("token", &later)],
            &name,
            "coupon",
            json!([{ "token": "clicked_later" }]),
        ),
        (
            vec![("token", &old), ("token", &good)],
            &name,
            "token",
            json!([{ "token": "outside_window" }]),
        ),
        (
            vec![("coupon", "freund10-kanne"), ("alias", "KANNE"), ("token", &good)],
            &name,
            "token",
            json!([]),
        ),
        (
            vec![("coupon", "freund10-kanne"), ("code", &anna), ("alias", "KANNE")],
            &name,
            "code",
            json!([]),
        ),
        (vec![("alias", "TEE4K7"), ("code", "x")], &name, "alias", json!([])),
        (
            vec![("code", "x"), ("alias", "TEE4K7")],
            &name,
            "alias",
            json!([{ "code": "invalid_token" }]),
        ),
        (
            vec![("alias", "NIEMAND"), ("coupon", "SALE"), ("coupon", "freund10 tee4k7")],
            &name,
            "coupon",
            json!([{ "alias": "unknown_alias" }, { "coupon": "reserved_code" }]),
        ),
    ];
    for (index, (given, advocate, kind, lacked)) in cases.iter().enumerate() {
        let proofs = proofs(given);
        let answer = order(&world, sure(), &format!("A-{index}"), &proofs);
        assert_eq!(answer.status, 201, "{answer:?}");
        let right = ((*advocate).clone(), json!(kind), Value::Null, lacked.clone());
        assert_eq!(decided(&answer), right, "{given:?}");
        let again = order(&world, sure(), &format!("A-{index}"), &proofs);
        assert_eq!((again.status, &again.body), (200, &answer.body), "{given:?}");
    }
}

#[test]
fn single_fields_may_come_together_and_beside_the_list() {
    let world = world(&json!({}));
    let token = token(&world, "555", now());
    let body = json!({ "token": token, "code": world.code("10023"), "coupon": "FREUND10-TEE4K7" });
    let answer = order(&world, sure(), "A-1", &body);
    assert_eq!(decided(&answer), (json!("555"), json!("token"), Value::Null, json!([])));
    let list = json!([{ "alias": "TEE4K7" }]);
    let body = json!({ "token": "broken", "coupon": "FREUND10-KANNE", "proofs": list });
    let answer = order(&world, sure(), "A-2", &body);
    let lacked = json!([{ "token": "invalid_token" }]);
    assert_eq!(decided(&answer), (json!("10023"), json!("alias"), Value::Null, lacked));
    // However it is written, the same is the same.
    let same = json!({ "coupon": "FREUND10-KANNE", "proofs": [{ "token": "broken" }, { "alias": "TEE4K7" }] });
    let again = order(&world, sure(), "A-2", &same);
    assert_eq!((again.status, &again.body), (200, &answer.body));
    let other = order(&world, sure(), "A-2", &json!({ "proofs": [{ "alias": "TEE4K7" }] }));
    assert_eq!(other.status, 409, "other proofs are another report");
}

#[test]
fn a_proof_alone_is_answered_as_ever() {
    let world = world(&json!({}));
    let old = token(&world, "10023", now().plus(-30 * DAY));
    for (index, (kind, text, reason)) in [
        ("token", "broken", "invalid_token"),
        ("token", old.as_str(), "outside_window"),
        ("code", "x", "invalid_token"),
        ("alias", "NIEMAND", "unknown_alias"),
        ("coupon", "FREUND10", "no_referral"),
        ("coupon", "FREUND10-NIEMAND", "unknown_alias"),
    ]
    .into_iter()
    .enumerate()
    {
        let answers = [json!({ kind: text }), proofs(&[(kind, text)])]
            .map(|body| order(&world, sure(), &format!("A-{index}"), &body));
        let right = (Value::Null, Value::Null, json!(reason), json!([{ kind: reason }]));
        assert_eq!(decided(&answers[0]), right, "{kind} {text}");
        assert_eq!((answers[1].status, &answers[1].body), (200, &answers[0].body));
    }
    let none = order(&world, sure(), "A-none", &json!({}));
    assert_eq!(decided(&none), (Value::Null, Value::Null, json!("no_referral"), json!([])));
    // Who shared is shown what came too late.
    let ledger = format!("ledger/teehaus/{}/", world.customer("10023"));
    assert_eq!(world.memory.keys(&ledger).len(), 1);
}

#[test]
fn of_several_that_prove_nothing_the_strongest_says_why() {
    let world = world(&json!({}));
    for (index, (given, reason)) in [
        (vec![("coupon", "FREUND10"), ("coupon", "FREUND10-NIEMAND")], "unknown_alias"),
        (vec![("coupon", "FREUND10"), ("coupon", "xyz")], "no_referral"),
        (vec![("alias", "NIEMAND"), ("token", "broken")], "invalid_token"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = order(&world, sure(), &format!("A-{index}"), &proofs(&given));
        assert_eq!(
            (&answer.body["reason"], &answer.body["attributed"]),
            (&json!(reason), &json!(false))
        );
        assert_eq!(answer.body["proofs"].as_array().unwrap().len(), 2);
    }
}

/// A subscription: its renewals carry the token of the first order, long after the window.
#[test]
fn a_renewal_that_carries_the_first_orders_token_belongs_to_whom_the_friend_is_bound() {
    for days in [0, 365] {
        let attribution = json!({ "bound_days": days, "new_customers_only": true });
        let world = world(&json!({ "attribution": attribution }));
        let token = token(&world, "10023", now());
        let report = |at: Instant, id: &str, first: bool| {
            let body = json!({
                "order_id": id, "kind": "purchase", "amount": 4990, "currency": "EUR", "customer_id": "20871",
                "first_order": first, "occurred_at": at, "token": token,
            });
            (at, post("/v1/conversions", &body))
        };
        let (at, first) = report(sure(), "A-1", true);
        assert_eq!(decided(&world.send(at, &first)).1, json!("token"));
        let renewed = sure().plus(60 * DAY);
        world.cron_until_done(sure().plus(3 * HOUR));
        let (at, renewal) = report(renewed, "A-2", false);
        let answer = world.send(at, &renewal);
        let lacked = json!([{ "token": "outside_window" }]);
        assert_eq!(decided(&answer), (Value::Null, Value::Null, json!("outside_window"), lacked));
        let end = renewed.plus(3 * HOUR);
        world.cron_until_done(renewed.plus(80 * MINUTE));
        world.cron_until_done(end);
        let story = world.send(end, &read_order("A-2")).body;
        assert_eq!(story["attributed"], json!(days > 0), "{story}");
        let credit = if days > 0 { json!("10023") } else { Value::Null };
        assert_eq!(story["advocate"]["customer_id"], credit, "{story}");
        let again = world.send(end, &renewal);
        assert_eq!((again.status, &again.body["reason"]), (200, &answer.body["reason"]));
    }
}

#[test]
fn an_order_is_one_order_whatever_nobody_sees_in_its_id() {
    let world = world(&json!({}));
    let proof = json!({ "alias": "TEE4K7" });
    let body = |id: &str| {
        let mut body = proof.clone();
        body["order_id"] = json!(id);
        body["customer_id"] = json!("20871");
        order(&world, sure(), "x", &body)
    };
    let first = body("1001");
    assert_eq!((first.status, &first.body["order_id"]), (201, &json!("1001")));
    for same in ["1001 ", " 1001", "\u{feff}1001\u{200b}", "1001\u{a0}"] {
        let again = body(same);
        assert_eq!((again.status, &again.body), (200, &first.body), "{same:?}");
    }
    assert_eq!(body("#1001").status, 201, "what is seen tells orders apart");
    assert_eq!(world.memory.keys("order/").len(), 2);
}

#[test]
fn an_order_keeps_its_number_sealed_with_which_proof_counted() {
    let world = world(&json!({}));
    let list = json!([{ "token": "broken" }, { "alias": "TEE4K7" }]);
    let body = json!({ "order_number": " #1077 ", "proofs": list });
    let answer = order(&world, sure(), "A-1", &body);
    assert_eq!(answer.status, 201);
    let Advocate { advocate } = world.memory.entries("order/")[0].read().unwrap();
    let (_, (_, value)) = world.memory.snapshot("order/").pop_first().unwrap();
    let record: Value = serde_json::from_str(&value).unwrap();
    let sealed = record["number"].as_str().unwrap();
    let kind = passalong_core::seal::Sealed::OrderNumber;
    assert_eq!(world.keys.open(kind, sealed).as_deref(), Some("1077"));
    assert_eq!((&record["proof"], &record["place"]), (&json!("alias"), &json!(1)));
    assert_eq!(advocate.unwrap().to_string(), world.customer("10023"));
    for key in ["order/", "ledger/", "log/", "person/"] {
        let kept = format!("{:?}", world.memory.snapshot(key));
        assert!(!kept.contains("1077"), "{kept}");
    }
    let other = order(&world, sure(), "A-1", &json!({ "order_number": "1078", "proofs": list }));
    assert_eq!(other.status, 409);
}
