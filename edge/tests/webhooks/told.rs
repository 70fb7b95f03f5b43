//! What is told and in which words: conversions, rewards at every turn, bonuses, ends.

use std::collections::BTreeSet;

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use super::{URL, types};
use crate::support::{Posted, World, conversion, event, post, read_order, start};

#[test]
fn a_conversion_is_told_at_once_in_the_words_of_the_api() {
    let (world, _) = World::telling(&[(URL, &[])]);
    world.send(start(), &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
    let answer = world.send(start(), &world.order(start(), 1));
    assert_eq!(answer.status, 201);
    let [posted] = world.posted().try_into().unwrap();
    assert_eq!(posted.url, URL);
    assert_eq!(
        posted.body,
        json!({ "type": "conversion.recorded", "timestamp": start(), "data": answer.body })
    );
    assert_eq!(posted.body["data"]["advocate"]["customer_id"], "10023");
    assert_eq!(posted.headers["content-type"], "application/json");
    // Nothing is left to do; message and log stay.
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
    assert_eq!(world.memory.keys("outbox/").len(), 1);
    assert_eq!(world.memory.keys("delivery/").len(), 1);
    // A repeat is answered, not told.
    assert_eq!(world.send(start(), &world.order(start(), 1)).status, 200);
    assert_eq!(world.posted(), []);
}

#[test]
fn without_an_endpoint_that_wants_it_nothing_is_spent() {
    let quiet = World::new();
    let (elsewhere, _) = World::telling(&[(URL, &["pool.low"])]);
    let (telling, _) = World::telling(&[(URL, &[])]);
    let mut spent = Vec::new();
    for world in [&quiet, &elsewhere, &telling] {
        let order = world.send(start(), &world.order(start(), 1));
        let refund = event(start(), "A-1", "r1", "refunded", Some(990));
        let refund = world.send(start(), &refund);
        let report = world.cron(start().plus(2 * HOUR));
        let id = world.send(start().plus(2 * HOUR), &read_order("A-1")).body["rewards"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/v1/rewards/{id}/fulfil");
        let paid =
            world.send(start().plus(3 * HOUR), &post(&path, &json!({ "reference": "v 881" })));
        assert_eq!([order.status, refund.status, paid.status], [201, 201, 200]);
        spent.push((order.operations, refund.operations, report.operations, paid.operations));
    }
    // As the design says, without webhooks.
    assert_eq!(spent[0].0, (0, 5, 4));
    assert_eq!(spent[0], spent[1]);
    let (order, refund, cron, paid) = spent[2];
    // Two writes before the answer; the refund, of an undecided reward, is looked at; approved, the
    // reward takes a read of the order, two writes, and what its delivery takes: a read, the
    // request, the log, the pointer; fulfilled, it takes a read and two writes.
    assert_eq!(order, (0, 7, 4));
    assert_eq!((refund.0, refund.1), (spent[0].1.0, spent[0].1.1));
    assert_eq!(refund.2, spent[0].1.2 + 1);
    assert_eq!(cron, spent[0].2 + 7);
    assert_eq!((paid.0, paid.1, paid.2), (spent[0].3.0 + 1, spent[0].3.1 + 2, spent[0].3.2));
    assert_eq!(elsewhere.memory.keys("outbox/"), Vec::<String>::new());
}

#[test]
fn a_reward_is_told_as_the_api_shows_it_at_every_turn() {
    let (world, _) = World::telling(&[(URL, &[])]);
    world.send(start(), &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
    for number in 1..=3 {
        world.send(start(), &world.order(start(), number));
    }
    let below = conversion(start(), "A-4", "10023", &world.code("10023"), &json!({}));
    world.send(start(), &below);
    world.send(start(), &event(start(), "A-2", "r1", "cancelled", None));
    assert_eq!(types(&world.posted()), ["conversion.recorded"; 4]);
    let settled = start().plus(2 * HOUR);
    world.cron(settled);
    let posted = world.posted();
    let of = |posted: &[Posted], order: &str| {
        let mut told: Vec<(String, String)> = posted
            .iter()
            .filter(|posted| posted.body["data"]["order_id"] == order)
            .map(|posted| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&posted.body["type"]), text(&posted.body["data"]["for"]))
            })
            .collect();
        told.sort();
        told
    };
    let one = |kind: &str| vec![(kind.to_owned(), "advocate".to_owned())];
    assert_eq!(of(&posted, "A-1"), one("reward.approved"));
    assert_eq!(of(&posted, "A-2"), one("reward.reversed"));
    assert_eq!(of(&posted, "A-4"), one("reward.refused"));
    // Word for word what the API shows.
    let check = |posted: &[Posted], order: &str, kind: &str, now: Instant| {
        let shown = world.send(now, &read_order(order)).body["rewards"][0].clone();
        let told = posted
            .iter()
            .find(|posted| posted.body["type"] == kind && posted.body["data"]["order_id"] == order);
        let told = told.unwrap_or_else(|| panic!("{kind} of {order}: {posted:?}"));
        assert_eq!(told.body["data"], shown);
        assert_eq!(shown["customer_id"], "10023");
        shown["id"].as_str().unwrap().to_owned()
    };
    let id = check(&posted, "A-1", "reward.approved", settled);
    check(&posted, "A-2", "reward.reversed", settled);
    check(&posted, "A-4", "reward.refused", settled);
    // Handed over, then partly taken back.
    let path = format!("/v1/rewards/{id}/fulfil");
    world.send(settled, &post(&path, &json!({ "reference": "voucher 881" })));
    let posted = world.posted();
    check(&posted, "A-1", "reward.fulfilled", settled);
    assert_eq!(posted[0].body["data"]["reference"], "voucher 881");
    world.send(settled, &post(&path, &json!({ "reference": "voucher 881" })));
    assert_eq!(world.posted(), [], "a repeat is no news");
    let later = settled.plus(HOUR);
    world.send(later, &event(later, "A-1", "r2", "refunded", Some(990)));
    let posted = world.posted();
    check(&posted, "A-1", "reward.reversed", later);
    assert_eq!(posted[0].body["data"]["status"], "fulfilled");
    // An approved one shrinks, then goes.
    world.send(later, &event(later, "A-3", "r3", "refunded", Some(990)));
    check(&world.posted(), "A-3", "reward.reversed", later);
    world.send(later, &event(later, "A-3", "r4", "delivered", None));
    assert_eq!(world.posted(), [], "a delivery takes nothing");
    world.send(later, &event(later, "A-3", "r5", "chargeback", None));
    let posted = world.posted();
    check(&posted, "A-3", "reward.reversed", later);
    assert_eq!(posted[0].body["data"]["reason"], "chargeback");
}

#[test]
fn milestones_reviews_and_low_pools_are_told_once_each() {
    let points = json!({ "kind": "points", "points": 10 });
    let gift = json!({ "kind": "gift", "label": "Teeset" });
    let voucher = json!({ "kind": "amount_off", "amount": 500 });
    let world = World::with(&json!({
        "rewards": [
            { "for": "advocate", "trigger": "first_purchase", "value": points },
            { "for": "advocate", "trigger": "first_purchase", "milestone": 2, "value": gift },
            { "for": "advocate", "trigger": "signup", "value": voucher, "delivery": "coupon",
              "pool": "tee" },
        ],
        "review": { "orders_per_day": 2 },
    }));
    let _id = world.endpoint(URL, &["milestone.reached", "review.requested", "pool.low"]);
    world.answers(URL, Ok(204));
    let body = b"TEE-1\nTEE-2\nTEE-3".to_vec();
    let upload = Request { body: Ok(body), ..post("/v1/pools/tee", &Value::Null) };
    assert_eq!(world.send(start(), &upload).status, 200);
    for number in 1..=3 {
        let at = start().plus(i64::from(number) * MINUTE);
        assert_eq!(world.send(at, &world.order(at, number)).status, 201);
    }
    let hand = json!({ "code": null, "first_order": true });
    let missed = conversion(start(), "A-9", "friend-9", "", &hand);
    assert_eq!(world.send(start(), &missed).status, 201);
    let claim = json!({ "order_id": "A-9", "ordered_on": "2026-11-02" });
    let claim = crate::support::post_as(start(), "10023", "/v1/me/claims", &claim);
    assert_eq!(world.send(start(), &claim).status, 201);
    world.crons(start(), start().plus(5 * HOUR));
    let mut told: Vec<(String, String)> = Vec::new();
    for posted in world.posted() {
        let data = &posted.body["data"];
        let what = data["reason"].as_str().or(data["value"]["label"].as_str());
        let what = what.or(data["pool"].as_str()).unwrap_or("-").to_owned();
        told.push((posted.body["type"].as_str().unwrap().to_owned(), what));
    }
    told.sort();
    let told: BTreeSet<(&str, &str)> =
        told.iter().map(|(kind, what)| (kind.as_str(), what.as_str())).collect();
    let expected = BTreeSet::from([
        ("milestone.reached", "Teeset"),
        ("pool.low", "tee"),
        ("review.requested", "claimed_by_hand"),
        ("review.requested", "velocity"),
    ]);
    assert_eq!(told, expected);
    // A day later they are audited, which is nobody's news.
    world.crons(start().plus(25 * HOUR), start().plus(27 * HOUR));
    assert_eq!(world.posted(), []);
}

#[test]
fn an_end_is_told_two_weeks_ahead_and_only_of_what_was_handed_over() {
    let points = json!({ "kind": "points", "points": 10 });
    let voucher = json!({ "kind": "amount_off", "amount": 500 });
    let ends = json!({ "days": 30 });
    let world = World::with(&json!({ "rewards": [
        { "for": "advocate", "trigger": "first_purchase", "value": points, "expires": ends },
        { "for": "friend", "trigger": "first_purchase", "value": points, "expires": { "days": 40 } },
        { "for": "advocate", "trigger": "signup", "value": voucher, "delivery": "coupon",
          "pool": "tee", "expires": ends },
    ]}));
    let _id = world.endpoint(URL, &["reward.expiring"]);
    world.answers(URL, Ok(204));
    let upload = Request { body: Ok(b"TEE-1".to_vec()), ..post("/v1/pools/tee", &Value::Null) };
    assert_eq!(world.send(start(), &upload).status, 200);
    assert_eq!(world.send(start(), &world.order(start(), 1)).status, 201);
    let signup = json!({ "kind": "signup", "amount": null, "currency": null });
    let signup = conversion(start(), "S-1", "friend-2", &world.code("10023"), &signup);
    assert_eq!(world.send(start(), &signup).status, 201);
    let day = |days: i64, hours: i64| start().plus(days * DAY + hours * HOUR);
    // What is new by its id: a second look at an order may tell the same again.
    let known = std::cell::RefCell::new(BTreeSet::new());
    let told = |from: Instant, to: Instant| -> Vec<(String, String)> {
        world.crons(from, to);
        let mut posted = world.posted();
        assert!(types(&posted).iter().all(|kind| *kind == "reward.expiring"), "{posted:?}");
        posted.retain(|it| known.borrow_mut().insert(it.headers["webhook-id"].clone()));
        let text = |it: &Posted, name: &str| it.body["data"][name].as_str().unwrap().to_owned();
        posted.iter().map(|it| (text(it, "order_id"), text(it, "until"))).collect()
    };
    let last = |days: i64| day(days + 1, 0).day().start().plus(-1).to_string();
    // The coupon is drawn within hours; the order's rewards wait for the merchant.
    assert_eq!(told(start(), day(0, 5)), []);
    assert_eq!(told(day(1, 1), day(1, 3)), []);
    assert_eq!(told(day(16, -12), day(16, 0)), []);
    assert_eq!(told(day(16, 0), day(18, 0)), [("S-1".to_owned(), last(30))]);
    assert_eq!(told(day(59, 0), day(60, 0)), [], "what nobody handed over has no end");
    let order = world.send(day(60, 0), &read_order("A-1")).body;
    for reward in order["rewards"].as_array().unwrap() {
        assert_eq!((&reward["status"], &reward["until"]), (&json!("approved"), &json!(null)));
        let path = format!("/v1/rewards/{}/fulfil", reward["id"].as_str().unwrap());
        let answer = world.send(day(60, 0), &post(&path, &json!({ "reference": "v 881" })));
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("fulfilled")));
    }
    assert_eq!(told(day(60, 0), day(60, 3)), []);
    assert_eq!(told(day(76, 0), day(78, 0)), [("A-1".to_owned(), last(90))]);
    assert_eq!(told(day(86, 0), day(88, 0)), [("A-1".to_owned(), last(100))]);
    let mut left = world.memory.keys("todo.");
    left.retain(|key| !key.starts_with("todo.days/") && !key.starts_with("todo.folded/"));
    assert_eq!(left, Vec::<String>::new(), "no pointer stays behind");
}
