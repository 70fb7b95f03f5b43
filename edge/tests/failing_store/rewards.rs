//! The life of a reward after its order: joined without proof, reviewed, handed over once or twice,
//! taken back, and what of it is owed to whom.

use passalong_core::time::{HOUR, Instant, MINUTE};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use crate::support::{CONFLICT, World, conversion, event, get, me, post, read_order, start};

fn begun() -> Instant {
    start().plus(HOUR)
}

fn world(terms: &Value) -> World {
    let world = World::with(terms);
    for customer in ["10023", "10024", "20871"] {
        assert_eq!(world.send(start(), &me(start(), customer)).status, 200);
    }
    world
}

fn bound(days: u32) -> Value {
    json!({ "attribution": { "bound_days": days, "new_customers_only": true } })
}

/// Runs the cron every half hour from `from` for so many hours.
fn live(world: &World, from: Instant, hours: i64) {
    for half in 0..=2 * hours {
        world.cron_until_done(from.plus(half * HOUR / 2));
    }
}

fn without_proof(now: Instant, order: &str, friend: &str, first: bool) -> Request {
    let change = json!({ "code": null, "first_order": first });
    conversion(now, order, friend, "", &change)
}

/// Status, reason and amount of the customer's latest referral.
fn latest(world: &World, now: Instant, customer: &str) -> Value {
    let me = world.send(now, &me(now, customer)).body;
    let reward = &me["referrals"][0]["reward"];
    json!([reward["status"], reward["reason"], reward["value"]["amount"]])
}

fn send(world: &World, now: Instant, request: &Request) -> Value {
    let answer = world.send(now, request);
    assert!(matches!(answer.status, 200..=202), "{answer:?}");
    answer.body
}

#[test]
fn an_order_that_was_cancelled_binds_no_later_one() {
    let cancelled = || json!(["reversed", "cancelled", 0]);
    let approved = || json!(["approved", null, 998]);
    for (days, kind, end) in [
        (30, "cancelled", cancelled()),
        (30, "delivered", approved()),
        (0, "cancelled", cancelled()),
        (0, "delivered", approved()),
    ] {
        let mut terms = bound(days);
        terms["rewards"] = json!([
            { "for": "advocate", "trigger": "every_purchase",
              "value": { "kind": "percent_of_order", "basis_points": 2_000 } },
        ]);
        let world = world(&terms);
        let code = world.code("10023");
        send(&world, begun(), &conversion(begun(), "A-1", "20871", &code, &json!({})));
        let later = begun().plus(20 * MINUTE);
        send(&world, later, &event(later, "A-1", "e1", kind, None));
        let again = later.plus(MINUTE);
        let told = send(&world, again, &without_proof(again, "A-2", "20871", false));
        assert_eq!((&told["attributed"], &told["reason"]), (&json!(false), &json!("no_referral")));
        live(&world, begun(), 8);
        assert_eq!(latest(&world, begun().plus(9 * HOUR), "10023"), end, "{days} days");
        let story = send(&world, begun().plus(9 * HOUR), &read_order("A-2"));
        assert_eq!(story["attributed"], days > 0 && kind == "delivered", "{story}");
    }
}

#[test]
fn an_order_without_proof_of_a_stranger_belongs_to_nobody() {
    let world = world(&bound(30));
    send(&world, begun(), &without_proof(begun(), "A-1", "20871", true));
    live(&world, begun(), 4);
    let story = send(&world, begun().plus(5 * HOUR), &read_order("A-1"));
    assert_eq!((&story["attributed"], &story["rewards"]), (&json!(false), &json!([])));
    assert!(world.memory.keys("todo.order/").is_empty());
}

#[test]
fn what_is_owed_is_approved_less_what_was_taken_back() {
    let world = world(&json!({}));
    let code = world.code("10023");
    send(&world, begun(), &conversion(begun(), "A-1", "20871", &code, &json!({})));
    let id = send(&world, begun(), &read_order("A-1"))["rewards"][0]["id"].clone();
    let fulfil = |id: &str, reference: &str| {
        post(&format!("/v1/rewards/{id}/fulfil"), &json!({ "reference": reference }))
    };
    let id = id.as_str().unwrap().to_owned();
    let early = world.send(begun(), &fulfil(&id, "v1"));
    assert_eq!(early.status, CONFLICT);
    assert_eq!(early.header("retry-after"), Some("3600"), "an hour until it settles");
    live(&world, begun(), 2);
    let now = begun().plus(3 * HOUR);
    let owed = |now: Instant| {
        let answer = world.send(now, &get("/v1/rewards?customer_id=10023"));
        assert_eq!(answer.status, 200, "{answer:?}");
        (answer.body["owed"].clone(), answer.body["rewards"][0].clone(), answer.operations)
    };
    let (sum, reward, operations) = owed(now);
    let credit = |amount: i64, count: u32| json!([{ "kind": "credit", "amount": amount, "currency": "EUR", "count": count }]);
    assert_eq!(sum, credit(998, 1));
    assert_eq!((&reward["order_id"], &reward["customer_id"]), (&json!("A-1"), &json!("10023")));
    assert_eq!(operations, (1, 0, 2), "one request: reads, writes, lists");
    send(&world, now, &fulfil(&id, "v1"));
    let again = send(&world, now.plus(90), &fulfil(&id, "v1"));
    assert_eq!((&again["status"], &again["overpaid"]), (&json!("fulfilled"), &Value::Null));
    assert_eq!(owed(now).0, json!([]));
    let twice = send(&world, now.plus(180), &fulfil(&id, "v2"));
    assert_eq!(twice["reference"], "v1", "the first stands");
    assert_eq!(twice["overpaid"][0]["reference"], "v2");
    let refunded = now.plus(300);
    send(&world, refunded, &event(refunded, "A-1", "r1", "refunded", Some(1_000)));
    let (sum, reward, _) = owed(refunded);
    assert_eq!(sum, credit(-200, 1), "to be got back");
    let entry = reward["entries"][0]["id"].as_str().unwrap().to_owned();
    let settled = send(&world, refunded, &fulfil(&entry, "offset 3"));
    assert_eq!(settled["entries"][0]["reference"], "offset 3");
    send(&world, refunded.plus(90), &fulfil(&entry, "offset 3"));
    assert_eq!(world.send(refunded, &fulfil(&entry, "offset 4")).status, CONFLICT);
    assert_eq!(world.send(refunded, &fulfil(&format!("{id}.0123456789abcdef"), "x")).status, 404);
    assert_eq!(owed(refunded.plus(90)).0, json!([]));
    assert_eq!(owed(refunded).1["value"]["amount"], 998, "what was handed over stays");
}

#[test]
fn a_bonus_is_found_by_its_own_id() {
    let points = json!({ "kind": "points", "points": 10 });
    let gift = json!({ "kind": "gift", "label": "Teeset", "worth": 3_500 });
    let world = world(&json!({ "rewards": [
        { "for": "advocate", "trigger": "first_purchase", "value": points },
        { "for": "advocate", "trigger": "first_purchase", "milestone": 2, "value": gift },
    ] }));
    let code = world.code("10023");
    for (n, friend) in ["20871", "20872", "20873"].iter().enumerate() {
        let at = begun().plus(i64::try_from(n).unwrap() * 120);
        send(&world, at, &conversion(at, &format!("A-{n}"), friend, &code, &json!({})));
    }
    let before = send(&world, begun().plus(HOUR / 2), &me(begun().plus(HOUR / 2), "10023"));
    assert_eq!(before["next"], json!({ "kind": "milestone", "at": 2, "done": 0, "value": gift }));
    live(&world, begun(), 2);
    let now = begun().plus(3 * HOUR);
    let me = send(&world, now, &me(now, "10023"));
    let bonuses: Vec<&Value> = me["referrals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|referral| &referral["bonus"]["value"]["label"])
        .collect();
    assert_eq!(bonuses, [&Value::Null, &json!("Teeset"), &Value::Null], "once, with the second");
    assert_eq!(me["next"], Value::Null);
    let id = me["referrals"][1]["bonus"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/rewards/{id}/fulfil");
    let paid = send(&world, now, &post(&path, &json!({ "reference": "parcel 1" })));
    assert_eq!((&paid["status"], &paid["milestone"]), (&json!("fulfilled"), &json!(2)));
    // It was reached by many: one order undone does not take it back.
    send(&world, now.plus(60), &event(now.plus(60), "A-1", "c1", "chargeback", None));
    let later = now.plus(10 * MINUTE);
    let owed = send(&world, later, &get("/v1/rewards?customer_id=10023"));
    assert_eq!(owed["year"]["amount"], 3_500);
    assert_eq!(owed["owed"], json!([{ "kind": "points", "points": 20, "count": 2 }]));
}

#[test]
fn a_friend_sees_what_the_friend_earns() {
    let credit = |amount: i64| json!({ "kind": "credit", "amount": amount });
    let world = world(&json!({ "rewards": [
        { "for": "advocate", "trigger": "first_purchase", "value": credit(1_000) },
        { "for": "friend", "trigger": "first_purchase", "value": credit(500) },
    ] }));
    let code = world.code("10023");
    send(&world, begun(), &conversion(begun(), "A-1", "20871", &code, &json!({})));
    live(&world, begun(), 2);
    let now = begun().plus(3 * HOUR);
    let mine = send(&world, now, &me(now, "20871"));
    assert_eq!(mine["referrals"], json!([]));
    let reward = &mine["as_friend"][0]["reward"];
    assert_eq!((&reward["status"], &reward["value"]["amount"]), (&json!("approved"), &json!(500)));
    assert_eq!(send(&world, now, &me(now, "10023"))["as_friend"], json!([]));
    let owed = send(&world, now, &get("/v1/rewards?customer_id=20871"));
    assert_eq!(owed["rewards"][0]["for"], "friend");
    assert_eq!(owed["rewards"][0]["order_id"], "A-1");
    assert_eq!(owed["owed"][0]["amount"], 500);
}

#[test]
fn a_sign_up_and_the_first_purchase_are_one_referral() {
    let points = |points: i64| json!({ "kind": "points", "points": points });
    let world = world(&json!({ "rewards": [
        { "for": "advocate", "trigger": "signup", "value": points(10) },
        { "for": "advocate", "trigger": "first_purchase", "value": points(90) },
    ] }));
    let code = world.code("10023");
    let plain = json!({ "kind": "signup", "amount": null, "currency": null });
    send(&world, begun(), &conversion(begun(), "S-1", "20871", &code, &plain));
    let bought = begun().plus(MINUTE);
    send(&world, bought, &conversion(bought, "A-1", "20871", &code, &json!({})));
    let more = bought.plus(MINUTE);
    send(&world, more, &conversion(more, "A-2", "20871", &code, &json!({ "first_order": false })));
    let me = send(&world, more, &me(more, "10023"));
    let lines = me["referrals"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{me}");
    assert_eq!(lines[1]["number"], 1);
    assert_eq!(
        (&lines[1]["kind"], &lines[1]["before"]["kind"]),
        (&json!("purchase"), &json!("signup"))
    );
    assert_eq!(lines[1]["before"]["reward"]["value"]["points"], 10);
    assert_eq!(lines[0]["reward"]["reason"], "friend_already_referred");
    assert_eq!((&me["totals"]["signups"], &me["totals"]["purchases"]), (&json!(1), &json!(1)));
}
