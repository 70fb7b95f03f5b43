//! An advocate with more orders than a verdict ranks: reports are taken in as ever, every order is
//! decided, and the merchant looks at those that could not be ranked.

use passalong_core::fact::{Event, Fact, FactKey, FactKind};
use passalong_core::ids::{Digest, OrderPseudonym};
use passalong_core::orders::account::ORDERS;
use passalong_core::report::EventType;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE, Minute};
use passalong_edge::keys::LedgerKey;
use passalong_edge::store::Put;
use serde_json::json;

use crate::support::{World, conversion, post, start};

const ADVOCATE: &str = "10023";

fn begun() -> Instant {
    start().plus(3 * DAY)
}

/// A world in which one order is settled, and another is about to be.
fn world() -> World {
    let world = World::new();
    for (now, order) in [(start(), "A-1"), (begun(), "A-2")] {
        let friend = format!("friend of {order}");
        let report = conversion(now, order, &friend, &world.code(ADVOCATE), &json!({}));
        let answer = world.send(now, &report);
        assert_eq!((answer.status, &answer.body["attributed"]), (201, &json!(true)));
        world.cron_until_done(now.plus(10 * MINUTE));
        if order == "A-1" {
            world.cron_until_done(now.plus(2 * HOUR));
            assert_eq!(world.rewards(now.plus(2 * HOUR), order)[0], ["advocate", "approved", "-"]);
            world.cron_until_done(now.plus(2 * DAY));
        }
    }
    world
}

/// The settled order so many times more, with so many deliveries each, all under numbers that come
/// before others.
fn copy(world: &World, orders: std::ops::Range<usize>, accepted: Option<Minute>, deliveries: u32) {
    let settled = world.memory.snapshot("ledger/");
    let (key, (conversion, value)) =
        settled.iter().find(|(key, _)| key.contains(".conversion.")).unwrap();
    let original: LedgerKey = key.parse().unwrap();
    let is_verdict = |key: &str| key.contains(".verdict.");
    let (verdict, decided) = settled.iter().find(|(key, _)| is_verdict(key)).unwrap();
    let verdict: LedgerKey = verdict.parse().unwrap();
    let accepted = accepted.unwrap_or(original.fact.accepted);
    for number in orders {
        let mut order = OrderPseudonym([0; 10]);
        order.0[..8].copy_from_slice(&number.to_be_bytes());
        let at = |fact| LedgerKey { order, fact, ..original.clone() };
        let fact = FactKey { accepted, ..original.fact };
        let put = Put { metadata: conversion.clone(), ..Put::listed(&at(fact), &json!({})) };
        world.memory.insert(&put.value(value.clone()));
        let fact = FactKey { accepted: accepted.plus(HOUR), ..verdict.fact };
        let put = Put { metadata: decided.0.clone(), ..Put::listed(&at(fact), &json!({})) };
        world.memory.insert(&put);
        for number in 0..deliveries {
            let mut digest = Digest([0; 10]);
            digest.0[..4].copy_from_slice(&number.to_be_bytes());
            let event = Event {
                event: digest,
                sealed: String::new(),
                amount: None,
                occurred_at: start(),
                undoes: None,
                excluded: None,
            };
            let fact = FactKey { accepted, kind: FactKind::Delivered, digest };
            let event = Fact::Event(EventType::Delivered, event);
            world.memory.insert(&Put::listed(&at(fact), &event.to_json()));
        }
    }
}

/// Settles the second order and looks at it again a day later; what the advocate's reward came to.
fn decided(world: &World) -> [String; 3] {
    let end = begun().plus(2 * HOUR);
    world.memory.log.take();
    let reports = world.cron_until_done(end);
    let settled: u32 = reports.iter().map(|report| report.settled).sum();
    assert_eq!(settled, 1);
    let audits = world.cron_until_done(end.plus(2 * DAY));
    for report in reports.iter().chain(&audits) {
        assert!(report.operations <= 800 && report.breaches == 0, "{report:?}");
    }
    assert!(world.memory.keys("todo.order/").is_empty());
    assert_eq!(world.memory.log.take(), Vec::<String>::new());
    world.rewards(end.plus(2 * DAY), "A-2").remove(0)
}

#[test]
fn the_last_order_that_is_ranked_is_decided_and_those_after_it_are_for_the_merchant() {
    let prepared = world();
    // With three deliveries each there are more than 20,000 facts.
    copy(&prepared, 0..ORDERS - 2, None, 3);
    assert!(prepared.memory.keys("ledger/").len() > 20_000);
    // What is accepted after the verdict's instant does not count, however much of it there is.
    let late = begun().plus(HOUR + MINUTE).minute();
    let ranked = prepared.twin();
    copy(&ranked, ORDERS..ORDERS + 50, Some(late), 0);
    assert_eq!(decided(&ranked), ["advocate", "approved", "-"]);

    let crowded = prepared.twin();
    copy(&crowded, ORDERS..ORDERS + 1, None, 0);
    assert_eq!(decided(&crowded), ["advocate", "review", "velocity"]);
    // Small pages, and a page that is empty, say the same.
    let again = prepared.twin();
    copy(&again, ORDERS..ORDERS + 1, None, 0);
    again.memory.empty_pages.set(true);
    assert_eq!(decided(&again), ["advocate", "review", "velocity"]);
    let verdicts = |world: &World| {
        let mut ledger = world.memory.snapshot("ledger/");
        ledger.retain(|key, _| key.contains(".verdict."));
        ledger
    };
    assert!(verdicts(&again) == verdicts(&crowded), "the same bytes");

    let now = begun().plus(4 * DAY);
    let report = conversion(now, "A-3", "20873", &crowded.code(ADVOCATE), &json!({}));
    let answer = crowded.send(now, &report);
    assert_eq!((answer.status, &answer.body["attributed"]), (201, &json!(true)), "intake goes on");
    let rewards = crowded.send(now, &crate::support::read_order("A-2")).body["rewards"].clone();
    let review = format!("/v1/rewards/{}/review", rewards[0]["id"].as_str().unwrap());
    let approved = crowded.send(now, &post(&review, &json!({ "decision": "approve" })));
    assert_eq!(approved.status, 200, "{approved:?}");
    assert_eq!(crowded.rewards(now, "A-2")[0], ["advocate", "approved", "-"]);
}

#[test]
fn a_ledger_that_no_run_can_read_to_its_end_keeps_no_order_waiting() {
    let world = world();
    copy(&world, 0..ORDERS + 300, None, 17);
    assert!(world.memory.keys("ledger/").len() > 100_000);
    assert_eq!(decided(&world), ["advocate", "review", "velocity"]);
}

/// Twenty facts an order are read. Where there are more, nobody knows how many orders there are.
#[test]
fn what_a_part_of_a_ledger_does_not_say_is_waited_for_and_logged() {
    let world = world();
    copy(&world, 0..60, None, 1_800);
    assert!(world.memory.keys("ledger/").len() > 100_000);
    world.memory.log.take();
    let report = world.cron(begun().plus(2 * HOUR));
    assert_eq!((report.settled, report.done), (0, false));
    let told = "an order waits, because more belongs to it than can be read at once";
    assert_eq!(world.memory.log.take(), [told]);
}
