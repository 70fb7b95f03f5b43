//! Many reports at once, and writes that fail: one order stays one order.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use serde_json::json;

use crate::support::{CONFLICT, Fault, World, conversion, event, get, me, start};

fn begun() -> Instant {
    start().plus(HOUR)
}

fn world() -> World {
    let world = World::new();
    for customer in ["10023", "10024"] {
        assert_eq!(world.send(start(), &me(start(), customer)).status, 200);
    }
    world
}

fn reason(world: &World, now: Instant, advocate: &str) -> Vec<[String; 2]> {
    let body = world.send(now, &me(now, advocate)).body;
    let rewards = body["referrals"].as_array().unwrap().iter().map(|one| &one["reward"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    rewards.map(|reward| [text(&reward["status"]), text(&reward["reason"])]).collect()
}

#[test]
fn ten_identical_reports_at_once_leave_one_conversion() {
    for seed in 0..8 {
        let world = world();
        world.memory.shuffle(seed);
        let report = conversion(begun(), "A-1", "20871", &world.code("10023"), &json!({}));
        // Some reach the next minute.
        let times = (0..10).map(|n| begun().plus(50 + 2 * n));
        let sent: Vec<_> = times.map(|now| (now, report.clone())).collect();
        let answers = world.send_all(&sent);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.status == 201).count() > 1, "no race");
        let end = begun().plus(DAY);
        world.cron_until_done(begun().plus(10 * MINUTE));
        world.cron_until_done(end);
        let rewards = world.send(end, &get("/v1/rewards")).body;
        assert_eq!(rewards["rewards"].as_array().unwrap().len(), 1, "{rewards}");
        assert_eq!(rewards["rewards"][0]["status"], "approved");
        assert_eq!(reason(&world, end, "10023"), [["approved", "-"]]);
        world.cron_until_done(end.plus(DAY));
        assert!(world.memory.keys("todo.order/").is_empty());
    }
}

#[test]
fn of_two_contents_at_once_the_earlier_then_the_smaller_digest_wins() {
    // The second comes in the same minute, or in the next; for the same advocate, or another.
    for (later, advocate, seed) in
        [(0, "10023", 1), (0, "10024", 2), (60, "10023", 3), (60, "10024", 4)]
    {
        let world = world();
        world.memory.shuffle(seed);
        let now = begun();
        let first = conversion(now, "A-1", "20871", &world.code("10023"), &json!({}));
        let other = json!({ "amount": 9_990 });
        let second = conversion(now, "A-1", "20871", &world.code(advocate), &other);
        let answers = world.send_all(&[(now.plus(later), second.clone()), (now, first.clone())]);
        assert_eq!([answers[0].status, answers[1].status], [201, 201], "no race");
        let mut orders = world.memory.keys("order/");
        orders.sort();
        assert_eq!(orders.len(), 2);
        let end = now.plus(DAY);
        world.cron_until_done(now.plus(10 * MINUTE));
        world.cron_until_done(end);
        let value = |customer: &str| {
            let body = world.send(end, &me(end, customer)).body;
            body["referrals"][0]["reward"]["value"]["amount"].as_i64()
        };
        // What comes first in the store's order was accepted first, or has the smaller digest.
        let wins = world.memory.snapshot("order/")[&orders[0]].1.contains("9990");
        assert!(!(wins && later > 0), "the later one came first");
        let amount = if wins { 1_998 } else { 998 };
        let (winner, loser) = if wins { (advocate, "10023") } else { ("10023", advocate) };
        assert_eq!(value(winner), Some(amount));
        assert_eq!(reason(&world, end, winner), [["approved", "-"]]);
        if winner != loser {
            assert_eq!(reason(&world, end, loser), [["refused", "conflicting_report"]]);
        }
        let [first, second] = [&first, &second].map(|report| world.send(end, report).status);
        assert_eq!([first, second], [200, 200], "each is answered as it was");
        let third = conversion(now, "A-1", "20871", &world.code("10023"), &json!({"amount": 1}));
        assert_eq!(world.send(end, &third).status, CONFLICT);
        world.cron_until_done(end.plus(DAY));
        assert!(world.memory.keys("todo.order/").is_empty());
    }
}

/// Two reports by two advocates, and one of them is cut off before its last key: its ledger has a
/// verdict in the end, too, whichever sorts first.
#[test]
fn a_report_that_was_cut_off_and_lost_is_refused_in_its_ledger() {
    let now = begun();
    for (cut, whole) in [("10023", "10024"), ("10024", "10023")] {
        let world = world();
        let report =
            |who: &str| conversion(now, "A-1", "20871", &world.code(who), &json!({"segment": who}));
        let writes = 6;
        world.memory.fail(Fault::Writes { from: 5, count: writes, took_effect: false });
        assert_eq!(world.send(now, &report(cut)).status, 503);
        world.memory.mend();
        assert_eq!(world.send(now.plus(MINUTE), &report(whole)).status, 201);
        for minutes in [12, 40, 75, 90, 120] {
            world.cron_until_done(now.plus(minutes * MINUTE));
        }
        let end = now.plus(DAY);
        assert_eq!(reason(&world, end, whole), [["approved", "-"]]);
        assert_eq!(reason(&world, end, cut), [["refused", "conflicting_report"]]);
    }
}

#[test]
fn a_write_that_failed_but_took_effect_changes_neither_answer_nor_number() {
    let prepared = world();
    let quiet = prepared.twin();
    let report = conversion(begun(), "A-1", "20871", &quiet.code("10023"), &json!({}));
    let right = quiet.send(begun(), &report);
    for took_effect in [true, false] {
        for count in [1, 2] {
            for from in 1..=5 {
                let world = prepared.twin();
                world.memory.fail(Fault::Writes { from, count, took_effect });
                let answer = world.send(begun(), &report);
                assert_eq!((answer.status, &answer.body), (201, &right.body), "{from} {count}");
                world.memory.mend();
                assert_eq!(world.send(begun().plus(MINUTE), &report).body, right.body);
                assert_eq!(world.memory.snapshot("ledger/"), quiet.memory.snapshot("ledger/"));
                assert_eq!(world.memory.snapshot("order/"), quiet.memory.snapshot("order/"));
            }
        }
    }
}

#[test]
fn three_failures_are_503_with_retry_after_and_nothing_is_approved() {
    for prefix in ["todo.order/", "ledger/", "person/", "log/"] {
        let world = world();
        let report = conversion(begun(), "A-1", "20871", &world.code("10023"), &json!({}));
        world.memory.fail(Fault::On(prefix.to_owned()));
        let answer = world.send(begun(), &report);
        assert_eq!(answer.status, 503, "{prefix}");
        assert_eq!(answer.body["code"], "unavailable");
        assert!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok()));
        assert!(world.memory.keys("order/").is_empty(), "{prefix}");
        let end = begun().plus(DAY);
        for hours in 1..5 {
            let _goes_on_failing = world.try_cron(begun().plus(hours * HOUR));
            assert!(!world.memory.keys("ledger/").iter().any(|key| key.contains(".verdict.")));
        }
        world.memory.mend();
        assert_eq!(world.send(end, &report).status, 201, "{prefix}");
    }
}

#[test]
fn a_refund_that_came_in_twice_takes_its_amount_once() {
    let world = world();
    let now = begun();
    let report = conversion(now, "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(now, &report).status, 201);
    let refund = event(now, "A-1", "r1", "refunded", Some(3_000));
    let answers = world.send_all(&[(now, refund.clone()), (now.plus(61), refund)]);
    assert_eq!([answers[0].status, answers[1].status], [201, 201], "no race");
    assert_eq!(world.memory.keys("event/").len(), 2, "in two minutes");
    let rest = event(now, "A-1", "r2", "refunded", Some(1_000));
    let taken = world.send(now.plus(120), &rest);
    assert_eq!((taken.status, &taken.body["taken"]), (201, &json!(1_000)));
    let beyond = event(now, "A-1", "r3", "refunded", Some(991));
    let rest = world.send(now.plus(180), &beyond);
    assert_eq!((rest.status, &rest.body["taken"]), (201, &json!(990)), "what is left");
    world.cron_until_done(now.plus(DAY));
    let body = world.send(now.plus(DAY), &me(now.plus(DAY), "10023")).body;
    let reward = &body["referrals"][0]["reward"];
    assert_eq!((&reward["status"], &reward["reason"]), (&json!("reversed"), &json!("refunded")));
}
