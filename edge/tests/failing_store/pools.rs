//! Coupons from a pool: an upload is wholly in or not at all, and each code goes to one reward
//! however runs of the cron overlap, fail and are cut off.

use std::collections::BTreeSet;

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use crate::support::{CONFLICT, Fault, World, conversion, event, get, me, post, read_order, start};

const POOL: &str = "/v1/pools/tee-2026";

fn begun() -> Instant {
    start().plus(HOUR)
}

/// When orders of [`begun`] are decided.
fn decided() -> Instant {
    begun().plus(2 * HOUR)
}

fn terms() -> Value {
    json!({ "rewards": [ { "for": "advocate", "trigger": "first_purchase",
        "value": { "kind": "amount_off", "amount": 500 },
        "delivery": "coupon", "pool": "tee-2026" } ] })
}

fn upload(pool: &str, csv: &str) -> Request {
    Request { body: Ok(csv.as_bytes().to_vec()), ..post(pool, &Value::Null) }
}

fn codes(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("TEE-{number}")).collect::<Vec<_>>().join("\n")
}

/// So many orders, of two advocates; none of them is too fast for anybody.
fn ordered(count: u32) -> World {
    let mut terms = terms();
    terms["review"] = json!({});
    let world = World::with(&terms);
    for number in 0..count {
        let code = world.code(&format!("advocate-{}", number % 2));
        let (order, friend) = (format!("A-{number}"), format!("friend-{number}"));
        let report = conversion(begun(), &order, &friend, &code, &json!({}));
        assert_eq!(world.send(begun(), &report).status, 201);
    }
    world
}

/// The coupons of orders, by order; those without one are left out.
fn given(world: &World, now: Instant, orders: u32) -> Vec<(u32, String)> {
    let coupon = |number: u32| {
        let story = world.send(now, &read_order(&format!("A-{number}"))).body;
        let reward = &story["rewards"][0];
        assert_eq!(reward["status"] == "fulfilled", reward["coupon"].is_string(), "{reward}");
        assert_eq!(reward["coupon"], reward["reference"], "{reward}");
        assert_eq!(reward["overpaid"], Value::Null, "{reward}");
        Some((number, reward["coupon"].as_str()?.to_owned()))
    };
    (0..orders).filter_map(coupon).collect()
}

fn different(given: &[(u32, String)]) -> usize {
    given.iter().map(|(_, code)| code).collect::<BTreeSet<_>>().len()
}

fn pool(world: &World, now: Instant) -> Value {
    let answer = world.send(now, &get(POOL));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn an_upload_adds_each_code_once_and_costs_one_key() {
    let world = World::with(&terms());
    let first = world.send(begun(), &upload(POOL, "\u{feff}Code;\r\n\"TEE-1\";\r\nTEE-2\r\n"));
    let told = json!({ "pool": "tee-2026", "added": 2, "known": 0, "used": true });
    assert_eq!((first.status, first.body, first.operations), (200, told, (0, 2, 1)));
    let again = world.send(begun().plus(HOUR), &upload(POOL, "TEE-2\nTEE-1\nTEE-1\n"));
    let told = json!({ "pool": "tee-2026", "added": 0, "known": 2, "used": true });
    assert_eq!((again.status, again.body, again.operations), (200, told, (1, 0, 1)));
    let more = world.send(begun().plus(DAY), &upload(POOL, "TEE-2\nTEE-3\n"));
    assert_eq!((&more.body["added"], &more.body["known"]), (&json!(1), &json!(1)));
    assert_eq!(world.memory.keys("pool/").len(), 2);
    let expected = json!({ "pool": "tee-2026", "uploaded": 3, "assigned": 0, "left": 3,
        "waiting": 0, "low": true, "used": true });
    let read = world.send(begun(), &get(POOL));
    assert_eq!((read.body, read.operations), (expected, (1, 0, 2)));
    // No code can be read from the store.
    let stored = world.memory.snapshot("");
    assert!(!format!("{stored:?}").contains("TEE-"), "{stored:?}");
}

#[test]
fn a_wrong_line_or_a_failing_store_adds_nothing() {
    let world = World::with(&terms());
    for (csv, line) in [("TEE-1\nTEE 2\nTEE-3\n", "line 2"), ("", "line 1"), ("code\n", "line 1")] {
        let answer = world.send(begun(), &upload(POOL, csv));
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(line)), "{csv:?}");
    }
    let control = world.send(begun(), &upload("/v1/pools/tee%0A", "TEE-1"));
    assert_eq!((control.status, &control.body["field"]), (400, &json!("pool")));
    world.memory.fail(Fault::On("pool/teehaus".to_owned()));
    assert_eq!(world.send(begun(), &upload(POOL, "TEE-1\n")).status, 503);
    world.memory.mend();
    assert_eq!(world.memory.keys("pool/"), Vec::<String>::new());
    let other = world.send(begun(), &upload("/v1/pools/te%2Fe", "TEE-1\n"));
    assert_eq!((other.status, &other.body["used"]), (200, &json!(false)), "{other:?}");
    assert_eq!(other.body["pool"], "te/e");
    assert_eq!(pool(&world, begun())["uploaded"], 0, "another pool");
}

#[test]
fn a_pool_takes_so_many_codes_and_no_more() {
    let world = World::with(&terms());
    for part in 0..20 {
        let now = begun().plus(part * MINUTE);
        let part = u32::try_from(part).unwrap() * 1_000;
        let answer = world.send(now, &upload(POOL, &codes(part..part + 1_000)));
        assert_eq!(answer.body["added"], 1_000, "{answer:?}");
    }
    let more = world.send(begun().plus(HOUR), &upload(POOL, "ONE-MORE\n"));
    assert_eq!(more.status, CONFLICT, "{more:?}");
    let known = world.send(begun().plus(HOUR), &upload(POOL, "TEE-7\n"));
    assert_eq!((known.status, &known.body["known"]), (200, &json!(1)));
    let read = world.send(begun().plus(HOUR), &get(POOL));
    assert_eq!((&read.body["left"], read.operations), (&json!(20_000), (1, 0, 2)));
}

#[test]
fn each_approved_reward_gets_a_code_of_its_own_and_shows_it() {
    let world = ordered(5);
    assert_eq!(world.send(begun(), &upload(POOL, &codes(0..8))).status, 200);
    let mut reports = world.cron_until_done(decided());
    assert_eq!(given(&world, decided(), 5), [], "nothing is certain yet");
    assert_eq!(pool(&world, decided())["assigned"], 5);
    reports.extend(world.cron_until_done(decided().plus(15 * MINUTE)));
    let drawn: u32 = reports.iter().map(|report| report.drawn).sum();
    let low: u32 = reports.iter().map(|report| report.pools_low).sum();
    assert_eq!((drawn, low), (5, 1));
    let now = decided().plus(HOUR);
    let codes = given(&world, now, 5);
    assert_eq!((codes.len(), different(&codes)), (5, 5), "{codes:?}");
    let expected = json!({ "pool": "tee-2026", "uploaded": 8, "assigned": 5, "left": 3,
        "waiting": 0, "low": true, "used": true });
    assert_eq!(pool(&world, now), expected);
    // The advocate sees the codes of the own referrals, and nobody else's.
    let shown = world.send(now, &me(now, "advocate-1")).body;
    let rewards = shown["referrals"].as_array().unwrap().iter().map(|it| &it["reward"]);
    let shown: Vec<&str> = rewards.filter_map(|reward| reward["coupon"].as_str()).collect();
    assert_eq!(shown, [codes[3].1.as_str(), codes[1].1.as_str()]);
    // And the merchant cannot hand it over a second time.
    let id = &world.send(now, &read_order("A-1")).body["rewards"][0]["id"];
    let path = format!("/v1/rewards/{}/fulfil", id.as_str().unwrap());
    assert_eq!(world.send(now, &post(&path, &json!({ "reference": "by hand" }))).status, CONFLICT);
    // Nothing is left to do but to look again after a day.
    assert_eq!(world.memory.keys("todo.coupons"), Vec::<String>::new());
    assert_eq!(world.cron(now).drawn, 0);
}

#[test]
fn whoever_finds_no_code_waits_at_no_cost_and_is_served_first_after_an_upload() {
    let world = ordered(4);
    assert_eq!(world.send(begun(), &upload(POOL, &codes(0..1))).status, 200);
    world.cron_until_done(decided());
    world.cron_until_done(decided().plus(15 * MINUTE));
    world.cron_until_done(decided().plus(2 * DAY));
    let later = decided().plus(3 * DAY);
    assert_eq!(given(&world, later, 4).len(), 1);
    let waits = pool(&world, later);
    assert_eq!((&waits["left"], &waits["waiting"]), (&json!(0), &json!(3)));
    world.cron(later);
    let idle = world.cron(later.plus(5 * MINUTE));
    assert_eq!((idle.looked_at, idle.operations), (0, 1), "waiting costs nothing");
    let before = given(&world, later, 4);
    assert_eq!(world.send(later, &upload(POOL, &codes(1..3))).status, 200);
    world.cron_until_done(later.plus(15 * MINUTE));
    let after = given(&world, later.plus(HOUR), 4);
    assert_eq!((after.len(), different(&after)), (3, 3), "{after:?}");
    assert!(before.iter().all(|one| after.contains(one)), "{before:?} {after:?}");
    assert_eq!(pool(&world, later.plus(HOUR))["waiting"], 1);
}

#[test]
fn what_is_taken_back_before_gets_no_code_and_what_is_taken_back_after_shows_it() {
    let world = ordered(2);
    world.cron_until_done(decided());
    let cancel = |order: &str, now| {
        let answer = world.send(now, &event(now, order, "c1", "cancelled", None));
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    cancel("A-0", decided().plus(MINUTE));
    let now = decided().plus(20 * MINUTE);
    assert_eq!(world.send(now, &upload(POOL, &codes(0..5))).status, 200);
    world.cron_until_done(now.plus(15 * MINUTE));
    let now = now.plus(HOUR);
    assert_eq!(world.rewards(now, "A-0"), [["advocate", "reversed", "cancelled"]]);
    assert_eq!(given(&world, now, 2).len(), 1);
    cancel("A-1", now);
    let story = world.send(now.plus(MINUTE), &read_order("A-1")).body;
    let reward = &story["rewards"][0];
    assert_eq!(
        (&reward["status"], &reward["entries"][0]["value"]["amount"]),
        (&json!("fulfilled"), &json!(-500))
    );
    assert!(reward["coupon"].is_string(), "{reward}");
}

#[test]
fn a_reviewed_reward_joins_the_queue_when_the_merchant_approves_it() {
    let mut terms = terms();
    terms["review"] = json!({ "orders_per_day": 1 });
    let world = World::with(&terms);
    for number in 0..2 {
        let friend = format!("friend-{number}");
        let order = format!("A-{number}");
        let report = conversion(begun(), &order, &friend, &world.code("10023"), &json!({}));
        assert_eq!(world.send(begun(), &report).status, 201);
    }
    assert_eq!(world.send(begun(), &upload(POOL, &codes(0..5))).status, 200);
    world.cron_until_done(decided());
    world.cron_until_done(decided().plus(15 * MINUTE));
    let now = decided().plus(HOUR);
    assert_eq!(given(&world, now, 2).len(), 1);
    let waits = |number: u32| world.rewards(now, &format!("A-{number}"))[0][1] == "review";
    let order = (0..2).find(|number| waits(*number)).unwrap();
    let story = world.send(now, &read_order(&format!("A-{order}"))).body;
    let id = story["rewards"][0]["id"].as_str().unwrap();
    let review = post(&format!("/v1/rewards/{id}/review"), &json!({ "decision": "approve" }));
    assert_eq!(world.send(now, &review).status, 200);
    world.cron_until_done(now.plus(15 * MINUTE));
    world.cron_until_done(now.plus(30 * MINUTE));
    let codes = given(&world, now.plus(HOUR), 2);
    assert_eq!((codes.len(), different(&codes)), (2, 2), "{codes:?}");
}

#[test]
fn runs_that_overlap_are_cut_off_or_come_late_give_the_same_codes() {
    let prepared = ordered(6);
    assert_eq!(prepared.send(begun(), &upload(POOL, &codes(0..4))).status, 200);
    prepared.cron_until_done(decided());
    let now = decided().plus(15 * MINUTE);
    let once = prepared.twin();
    once.cron_until_done(now);
    let expected = once.memory.snapshot("ledger/");
    assert_eq!(given(&once, now, 6).len(), 4);

    let late = prepared.twin();
    late.cron_until_done(now.plus(20 * DAY));
    assert_eq!(late.memory.snapshot("ledger/"), expected, "late");

    let parallel = prepared.twin();
    let runs = [0, 1, 0].map(|later| parallel.cron_run(&parallel.isolate, now.plus(later)));
    for report in parallel.run(futures_util::future::join_all(runs)) {
        assert!(report.unwrap().operations <= 800);
    }
    assert_eq!(parallel.memory.snapshot("ledger/"), expected, "parallel");

    for took_effect in [false, true] {
        for operation in 1..40 {
            let world = prepared.twin();
            world.memory.fail(Fault::DieAt { operation, took_effect });
            let _cut_off = world.try_cron(now);
            world.memory.mend();
            world.cron_until_done(now.plus(5 * MINUTE));
            let found = world.memory.snapshot("ledger/");
            assert_eq!(found, expected, "cut off at {operation}, {took_effect}");
        }
    }
}

#[test]
fn a_queue_longer_than_a_run_is_served_over_several_within_their_budget() {
    let world = ordered(400);
    assert_eq!(world.send(begun(), &upload(POOL, &codes(0..450))).status, 200);
    let mut reports = world.cron_until_done(decided());
    reports.extend(world.cron_until_done(decided().plus(DAY)));
    let drawn: u32 = reports.iter().map(|report| report.drawn).sum();
    assert_eq!(drawn, 400);
    assert!(
        reports.len() > 1 && reports.iter().all(|report| report.operations <= 800),
        "{reports:?}"
    );
    let codes = given(&world, decided().plus(2 * DAY), 400);
    assert_eq!((codes.len(), different(&codes)), (400, 400));
}

#[test]
fn a_reward_that_comes_back_gets_the_coupon_that_it_had_drawn() {
    for (gone, back) in [("cancelled", "restored"), ("disputed", "restored")] {
        let world = ordered(2);
        world.cron_until_done(decided());
        // What is taken back before there are codes draws one, and is not given it.
        let now = decided().plus(HOUR);
        let taken = world.send(now, &event(now, "A-0", "e1", gone, None));
        assert_eq!(taken.status, 201, "{gone}");
        assert_eq!(world.send(now, &upload(POOL, &codes(0..2))).status, 200);
        let now = now.plus(HOUR);
        world.cron_until_done(now);
        let before = given(&world, now, 2);
        assert_eq!(before.iter().map(|(order, _)| *order).collect::<Vec<_>>(), [1], "{gone}");
        let restored = world.send(now, &event(now, "A-0", "e2", back, None));
        assert_eq!(restored.status, 201, "{gone}");
        let now = now.plus(HOUR);
        world.cron_until_done(now);
        let after = given(&world, now, 2);
        assert_eq!((after.len(), different(&after)), (2, 2), "{gone}: {after:?}");
        assert!(before.iter().all(|one| after.contains(one)), "{gone}: {after:?}");
    }
}
