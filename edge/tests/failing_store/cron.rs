//! The cron: within its budget, in any number of runs, in any order, at any time.

use passalong_core::fact::Fact;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE, SETTLE};
use passalong_edge::keys::PersonKey;
use serde_json::json;

use crate::support::{Fault, World, at, conversion, event, me, read_order, start};

const BUDGET: u32 = 800;

fn begun() -> Instant {
    start().plus(HOUR)
}

/// 300 orders of six advocates, half of them in the next minute.
fn three_hundred(terms: &serde_json::Value) -> World {
    let world = World::with(terms);
    for n in 0..300 {
        let advocate = format!("advocate-{}", n % 6);
        let now = begun().plus(i64::from(n / 150) * MINUTE);
        let order = format!("A-{n}");
        let friend = format!("friend-{n}");
        let report = conversion(now, &order, &friend, &world.code(&advocate), &json!({}));
        assert_eq!(world.send(now, &report).status, 201);
    }
    world
}

fn verdicts(world: &World) -> usize {
    world.memory.keys("ledger/").iter().filter(|key| key.contains(".verdict.")).count()
}

#[test]
fn three_hundred_due_orders_settle_over_several_runs_within_their_budget() {
    let prepared = three_hundred(&json!({}));
    let now = begun().plus(3 * HOUR);
    let runs = |empty_pages: bool, page_size: usize| {
        let world = prepared.twin();
        world.memory.empty_pages.set(empty_pages);
        world.memory.page_size.set(page_size);
        let reports = world.cron_until_done(now);
        let settled: u32 = reports.iter().map(|report| report.settled).sum();
        assert_eq!((settled, verdicts(&world)), (300, 300));
        let audits = world.cron_until_done(now.plus(2 * DAY));
        assert!(audits.iter().all(|report| report.breaches == 0 && report.operations <= BUDGET));
        assert!(world.memory.keys("todo.order/").is_empty());
        assert!(reports.len() > 2, "{}", reports.len());
        for report in &reports {
            assert!(report.operations <= BUDGET, "{report:?}");
        }
        world.memory.snapshot("ledger/")
    };
    let once = runs(false, 0);
    assert_eq!(runs(true, 0), once, "empty pages");
    assert_eq!(runs(true, 40), once, "small pages");

    let late = prepared.twin();
    late.cron_until_done(now.plus(20 * DAY));
    assert_eq!(late.memory.snapshot("ledger/"), once, "late");

    let parallel = prepared.twin();
    for round in 0..9 {
        let now = now.plus(round * 5 * MINUTE);
        let runs = [0, 1, 0].map(|later| parallel.cron_run(&parallel.isolate, now.plus(later)));
        for report in parallel.run(futures_util::future::join_all(runs)) {
            assert!(report.unwrap().operations <= BUDGET);
        }
    }
    assert_eq!(parallel.memory.snapshot("ledger/"), once, "parallel");
    parallel.cron_until_done(now.plus(DAY));
    assert_eq!(parallel.memory.snapshot("ledger/"), once, "repeated");
}

#[test]
fn a_cap_goes_by_settlement_instant_and_order_however_the_runs_fall() {
    let terms = json!({ "rewards": [ { "for": "advocate", "trigger": "first_purchase",
        "value": { "kind": "percent_of_order", "basis_points": 2000 },
        "cap": { "count": 7, "amount": null, "per": "total" } } ] });
    let prepared = three_hundred(&terms);
    let earned = |world: &World| {
        let mut by_advocate = std::collections::BTreeMap::<_, Vec<_>>::new();
        for (key, fact) in world.memory.facts("ledger/") {
            let Fact::Verdict(verdict) = fact else { continue };
            let approved = verdict.rewards[0].value.is_some();
            let one = (key.fact.accepted, key.order, approved);
            by_advocate.entry(key.customer).or_default().push(one);
        }
        by_advocate
    };
    let world = prepared.twin();
    world.cron_until_done(begun().plus(3 * HOUR));
    let once = earned(&world);
    assert_eq!(once.len(), 6);
    for orders in once.values() {
        let mut ranked = orders.clone();
        ranked.sort();
        assert_eq!(ranked.len(), 50);
        let approved = ranked.iter().position(|(.., approved)| !approved);
        assert_eq!(approved, Some(7), "{ranked:?}");
        assert!(ranked[7..].iter().all(|(.., approved)| !approved));
    }
    // In time instead of all at once, and with a run that dies on the way.
    let world = prepared.twin();
    for minutes in 60..100 {
        let operation = 30 * (minutes - 59);
        world.memory.fail(Fault::DieAt { operation, took_effect: minutes % 2 == 0 });
        let _cut_off = world.try_cron(begun().plus(i64::from(minutes) * MINUTE));
    }
    world.memory.mend();
    world.cron_until_done(begun().plus(DAY));
    assert_eq!(earned(&world), once);
}

#[test]
fn an_order_that_fails_keeps_no_other_waiting() {
    let world = World::new();
    for n in 0..20 {
        let (order, friend) = (format!("A-{n}"), format!("friend-{n}"));
        let advocate = world.code(&format!("advocate-{n}"));
        let report = conversion(begun(), &order, &friend, &advocate, &json!({}));
        assert_eq!(world.send(begun(), &report).status, 201);
    }
    let failing = world.keys.order(&"A-7".parse().unwrap()).to_string();
    world.memory.fail(Fault::On(failing));
    let now = begun().plus(DAY);
    let report = world.cron(now);
    assert_eq!((report.settled, report.done), (19, false));
    world.memory.mend();
    let report = world.cron(now.plus(5 * MINUTE));
    assert_eq!((report.settled, report.done), (1, true));
}

#[test]
fn erasures_keep_no_order_waiting() {
    let world = World::new();
    let report = conversion(begun(), "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(begun(), &report).status, 201);
    for n in 0..900 {
        let request = crate::support::erase(&format!("gone-{n}"));
        assert_eq!(world.send(begun(), &request).status, 200);
    }
    let mut erased = 0;
    for n in 0..12 {
        let report = world.cron(begun().plus(2 * HOUR + n * 5 * MINUTE));
        assert!(report.operations <= BUDGET && report.done, "{report:?}");
        erased += report.erased;
    }
    assert_eq!(verdicts(&world), 1);
    assert!(erased >= 900, "every one is repeated within the hour: {erased}");
    // One that fails stops neither the others nor the orders.
    let key = world.customer("gone-5");
    world.memory.fail(Fault::On(format!("customer/teehaus/{key}")));
    let report = conversion(begun(), "A-2", "20872", &world.code("10024"), &json!({}));
    assert_eq!(world.send(begun().plus(DAY), &report).status, 201);
    for n in 0..6 {
        world.cron(begun().plus(2 * DAY + n * 5 * MINUTE));
    }
    assert_eq!(verdicts(&world), 2);
}

/// Somebody who bought much, by many advocates' links and by none, is forgotten in parts.
#[test]
fn an_erasure_of_much_keeps_no_order_waiting() {
    let world = World::new();
    for n in 0..203 {
        let now = begun().plus(n * MINUTE);
        let silent = json!({ "first_order": null });
        let mut report =
            conversion(now, &format!("A-{n}"), "20871", &world.code(&format!("by-{n}")), &silent);
        if n < 3 {
            let alone = json!({ "first_order": null, "code": null });
            report = conversion(now, &format!("A-{n}"), "20871", "", &alone);
        }
        assert_eq!(world.send(now, &report).status, 201);
    }
    let last = begun().plus(203 * MINUTE);
    let other = conversion(last, "B-1", "20872", &world.code("10023"), &json!({}));
    assert_eq!(world.send(last, &other).status, 201);
    let unreferred = || {
        let listed = world.memory.keys("person/").into_iter();
        let listed = listed.map(|key| key.parse::<PersonKey>().unwrap());
        listed.filter(|key| key.seen.ledger.0.is_none()).count()
    };
    assert_eq!(unreferred(), 3);
    assert_eq!(world.send(last, &crate::support::erase("20871")).status, 200);
    let mut runs = 0;
    while unreferred() > 0 {
        runs += 1;
        let report = world.cron(last.plus(HOUR + 2 * SETTLE + runs * 5 * MINUTE));
        assert!(report.operations <= BUDGET, "{report:?}");
        assert!(runs < 40, "{} are left", unreferred());
    }
    assert!(runs > 4, "it was done in {runs} runs: is there much?");
    world.cron_until_done(last.plus(DAY));
    let read = world.send(last.plus(DAY), &read_order("B-1"));
    assert_eq!(read.body["rewards"][0]["status"], "approved", "{read:?}");
}

/// A friend who buys again and again, by many advocates' codes: each order is weighed against the
/// earlier ones, which must not burst the run.
#[test]
fn a_friend_with_many_claims_bursts_no_run() {
    let world = World::new();
    for n in 0..70 {
        let now = begun().plus(n * MINUTE);
        let advocate = world.code(&format!("advocate-{}", n % 7));
        let report = conversion(now, &format!("A-{n}"), "20871", &advocate, &json!({}));
        assert_eq!(world.send(now, &report).status, 201);
    }
    let reports = world.cron_until_done(begun().plus(DAY));
    let most = reports.iter().map(|report| report.operations).max();
    assert!(most <= Some(BUDGET), "{most:?}");
    assert_eq!(world.rewards(begun().plus(DAY), "A-0"), [["advocate", "approved", "-"]]);
    let refused = ["advocate", "refused", "friend_already_referred"];
    assert_eq!(world.rewards(begun().plus(DAY), "A-59"), [refused]);
    // With more than are weighed, the merchant decides.
    let waits = ["advocate", "review", "velocity"];
    assert_eq!(world.rewards(begun().plus(DAY), "A-69"), [waits]);
}

#[test]
fn an_event_waits_a_day_for_its_order_and_is_then_reported_once() {
    let world = World::new();
    let came = at("2026-11-03T10:00:00Z");
    let cancelled = event(came, "A-1", "c1", "cancelled", None);
    let answer = world.send(came, &cancelled);
    assert_eq!((answer.status, &answer.body), (202, &json!({ "order_known": false })));
    let between = |from: i64, to: i64| -> (u32, u32) {
        let runs = (from..to).map(|n| world.cron(came.plus(n * 30 * MINUTE)));
        runs.fold((0, 0), |(orphans, looks), run| (orphans + run.orphans, looks + run.looked_at))
    };
    // At once, and after 1, 2, 4, 8 and 16 hours: who waits long is looked for less often.
    assert_eq!(between(0, 48), (0, 6));
    assert_eq!(world.memory.keys("todo.order/").len(), 1, "it still waits");
    assert_eq!(between(48, 60), (1, 1));
    assert!(world.memory.keys("todo.order/").is_empty());
    assert!(world.memory.log.borrow().iter().any(|line| line.contains("waiting for its order")));
    // The order comes after all: the event is joined.
    let late = came.plus(3 * DAY);
    let report = conversion(late, "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(late, &report).status, 201);
    world.cron_until_done(late.plus(11 * MINUTE));
    world.cron_until_done(late.plus(2 * HOUR));
    let end = late.plus(DAY);
    assert_eq!(world.rewards(end, "A-1"), [["advocate", "reversed", "cancelled"]]);
    assert_eq!(world.send(end, &read_order("A-1")).body["events"][0]["event_id"], "c1");
}

#[test]
fn an_order_of_a_program_that_is_not_visible_stays_due() {
    let mut world = World::new();
    let report = conversion(begun(), "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(begun(), &report).status, 201);
    let hidden = World::new();
    world.memory.copy_to(&hidden.memory);
    for key in world.memory.keys("program/") {
        world.memory.remove(&key);
    }
    world.restart();
    let now = begun().plus(DAY);
    world.cron(now);
    assert_eq!(world.memory.keys("todo.order/").len(), 1);
    hidden.memory.copy_to(&world.memory);
    world.restart();
    world.cron_until_done(now);
    let body = world.send(now, &me(now, "10023")).body;
    assert_eq!(body["totals"]["approved"], 1, "{body}");
}
