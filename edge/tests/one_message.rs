//! One thing that happened is one message, word for word, whoever tells it, when and how often.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::time::{HOUR, Instant, MINUTE};
use passalong_core::webhook::SendProblem;
use passalong_edge::http::Request;
use passalong_edge::isolate::Isolate;
use passalong_edge::store::Put;
use serde_json::{Value, json};
use support::{Fault, Posted, World, conversion, event, post, read_order, start};

const URL: &str = "https://shop.example/hooks";

fn telling(terms: &Value) -> World {
    let world = World::with(terms);
    let answer = world.send(start(), &post("/v1/webhooks", &json!({ "url": URL })));
    assert_eq!(answer.status, 201, "{answer:?}");
    world
}

fn order(world: &World, number: u32) -> Request {
    let (order, friend) = (format!("A-{number}"), format!("friend-{number}"));
    conversion(start(), &order, &friend, &world.code("10023"), &json!({}))
}

/// What was sent of a type: the texts by id.
fn texts(posted: &[Posted], kind: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in posted.iter().filter(|one| one.body["type"] == kind) {
        let id = one.headers["webhook-id"].clone();
        texts.entry(id).or_default().insert(one.text.clone());
    }
    texts
}

fn is_one(texts: &BTreeMap<String, BTreeSet<String>>) -> bool {
    texts.len() == 1 && texts.values().all(|texts| texts.len() == 1)
}

#[test]
fn a_report_that_was_cut_off_and_is_repeated_later_tells_the_same_words() {
    let mut repeated = 0;
    for operation in 1..30 {
        let mut world = telling(&json!({}));
        world.memory.fail(Fault::DieAt { operation, took_effect: true });
        let first = world.send(start(), &order(&world, 1));
        world.memory.mend();
        world.restart();
        repeated += u32::from(first.status == 503);
        let later = start().plus(3 * MINUTE);
        let again = world.send(later, &order(&world, 1));
        assert!([200, 201].contains(&again.status), "{again:?}");
        for minute in [5, 10, 15] {
            world.cron(start().plus(minute * MINUTE));
        }
        let texts = texts(&world.memory.posted.take(), "conversion.recorded");
        assert!(is_one(&texts), "{operation}: {texts:?}");
    }
    assert!(repeated > 5, "{repeated}");
}

#[test]
fn runs_whose_clocks_differ_tell_a_verdict_in_the_same_words() {
    let world = telling(&json!({}));
    world.send(start(), &order(&world, 1));
    world.memory.posted.take();
    let now = start().plus(2 * HOUR);
    let isolates = [Isolate::default(), Isolate::default(), Isolate::default()];
    let runs = (0..).zip(&isolates).map(|(n, isolate)| world.cron_run(isolate, now.plus(7 * n)));
    let reports = world.run(futures_util::future::join_all(runs));
    assert!(reports.iter().all(Result::is_ok), "{reports:?}");
    let posted = world.memory.posted.take();
    let texts = texts(&posted, "reward.approved");
    assert!(is_one(&texts), "{texts:?}");
    // It happened at the end of the hold, not when the cron came.
    assert_eq!(posted[0].body["timestamp"], posted[0].body["data"]["since"]);
}

#[test]
fn a_verdict_is_told_as_it_saw_the_order_and_what_came_after_it_on_its_own() {
    let world = telling(&json!({}));
    world.send(start(), &order(&world, 1));
    // After the end of the hold, before the cron has come.
    let late = start().plus(HOUR + 5 * MINUTE);
    world.send(late, &event(late, "A-1", "c1", "cancelled", None));
    world.memory.posted.take();
    world.cron(start().plus(2 * HOUR));
    let posted = world.memory.posted.take();
    let mut told: Vec<(&Value, &Value)> =
        posted.iter().map(|one| (&one.body["type"], &one.body["timestamp"])).collect();
    told.sort_by_key(|(_, at)| at.to_string());
    let settled = start().plus(HOUR).minute_up().start();
    assert_eq!(
        told,
        [(&json!("reward.approved"), &json!(settled)), (&json!("reward.reversed"), &json!(late)),]
    );
}

#[test]
fn what_the_request_of_an_event_could_not_see_is_told_by_the_cron() {
    let world = telling(&json!({}));
    world.send(start(), &order(&world, 1));
    world.cron(start().plus(2 * HOUR));
    world.memory.posted.take();
    // The verdict is not visible yet where the event arrives.
    let is_verdict = |key: &&String| key.contains(".verdict.");
    let key = world.memory.keys("ledger/").iter().find(is_verdict).unwrap().clone();
    let (metadata, value) = world.memory.snapshot(&key)[&key].clone();
    world.memory.remove(&key);
    let now = start().plus(2 * HOUR + MINUTE);
    let answer = world.send(now, &event(now, "A-1", "r1", "refunded", Some(990)));
    assert_eq!(answer.status, 201);
    assert_eq!(world.memory.posted.take(), []);
    world.memory.insert(&Put { key, value, metadata, ttl: None });
    let runs = |from: Instant| (0..4).map(move |n| from.plus(n * 5 * MINUTE));
    for at in runs(now.plus(5 * MINUTE)) {
        world.cron(at);
    }
    let posted = world.memory.posted.take();
    let texts = texts(&posted, "reward.reversed");
    assert!(is_one(&texts) && posted.len() == 1, "{posted:?}");
    let shown = world.send(now, &read_order("A-1")).body["rewards"][0].clone();
    assert_eq!(posted[0].body["data"], shown);
}

#[test]
fn a_coupon_is_told_as_the_api_shows_it_and_rests_unreadable() {
    let world = telling(&json!({ "rewards": [ { "for": "advocate", "trigger": "first_purchase",
        "value": { "kind": "amount_off", "amount": 500 },
        "delivery": "coupon", "pool": "tee-2026" } ] }));
    let codes = (1..=3).map(|n| format!("GEHEIM-{n}")).collect::<Vec<_>>().join("\n");
    let upload = post("/v1/pools/tee-2026", &Value::Null);
    let upload = Request { body: Ok(codes.into_bytes()), ..upload };
    assert_eq!(world.send(start(), &upload).status, 200);
    world.send(start(), &order(&world, 1));
    world.memory.receivers.borrow_mut().insert(URL.to_owned(), Err(SendProblem::Unreachable));
    for n in 0..8 {
        world.cron(start().plus(2 * HOUR + n * 5 * MINUTE));
    }
    let posted = world.memory.posted.take();
    let rests = format!("{:?}", world.memory.snapshot("outbox/"));
    assert!(!rests.contains("GEHEIM"), "{rests}");
    let shown = world.send(start().plus(3 * HOUR), &read_order("A-1")).body["rewards"][0].clone();
    assert_eq!(shown["coupon"], "GEHEIM-1");
    let fulfilled = posted.iter().find(|one| one.body["type"] == "reward.fulfilled");
    assert_eq!(fulfilled.map(|one| &one.body["data"]), Some(&shown));
    // However many runs see that few are left.
    assert!(is_one(&texts(&posted, "pool.low")), "{posted:?}");
}
