//! Why an order is looked at again: each reason is a pointer of its own.

use passalong_core::time::{DAY, HOUR, Instant, Minute, SETTLE};
use passalong_edge::keys::{DueKey, Ledger, Why};
use serde_json::json;

use crate::support::{World, conversion, event, start};

fn now() -> Instant {
    start().plus(HOUR)
}

fn pointers(world: &World) -> Vec<DueKey> {
    let keys = world.memory.keys("todo.order/");
    keys.iter().map(|key| key.parse().unwrap()).collect()
}

fn reasons(world: &World) -> Vec<(Minute, Why)> {
    pointers(world).into_iter().map(|key| (key.at, key.why)).collect()
}

#[test]
fn two_reasons_for_one_order_in_one_minute_both_remain() {
    for event_first in [true, false] {
        let world = World::new();
        let report = conversion(now(), "A-1", "20871", &world.code("10023"), &json!({}));
        let came = event(now(), "A-1", "r1", "refunded", Some(990));
        let requests = if event_first { [&came, &report] } else { [&report, &came] };
        for request in requests {
            let answer = world.send(now(), request);
            assert!([201, 202].contains(&answer.status), "{answer:?}");
        }
        let at = now().minute_up().plus(SETTLE);
        let mut left = reasons(&world);
        left.sort_unstable();
        assert_eq!(left, [(at, Why::Look), (at, Why::Event)], "event first: {event_first}");
        world.cron_until_done(now().plus(HOUR));
        let left = reasons(&world);
        assert!(left.contains(&(at.plus(DAY), Why::Look)), "a day after the event: {left:?}");
        assert!(left.iter().all(|(_, why)| *why == Why::Look), "{left:?}");
    }
}

#[test]
fn a_verdict_is_audited_once_a_day_later() {
    let world = World::new();
    let report = conversion(now(), "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(now(), &report).status, 201);
    // The pointer of the report says when the hold ends.
    world.cron_until_done(now().plus(HOUR));
    let [settles] = &reasons(&world)[..] else { panic!("one pointer") };
    let decided = settles.0.start();
    world.cron_until_done(decided);
    let left = reasons(&world);
    let verdict = settles.0.plus(-SETTLE);
    assert_eq!(left, [(verdict.plus(DAY), Why::Audit)]);
    let later = decided.plus(3 * DAY);
    world.cron_until_done(later);
    assert_eq!(reasons(&world), []);
    assert_eq!(world.send(later, &event(later, "A-1", "r1", "refunded", Some(990))).status, 201);
    for days in 0..3 {
        world.cron_until_done(later.plus(HOUR + days * DAY));
        assert!(reasons(&world).iter().all(|(_, why)| *why != Why::Audit), "{days}");
    }
}

#[test]
fn an_event_without_its_order_is_waited_for_from_when_it_came() {
    let world = World::new();
    let came = event(now(), "A-1", "d1", "delivered", None);
    assert_eq!(world.send(now(), &came).status, 202);
    let [first] = &pointers(&world)[..] else { panic!("one pointer") };
    assert_eq!((first.why, first.ledger), (Why::Event, Ledger(None)));
    let mut hours = 0;
    while !pointers(&world).is_empty() {
        assert!(hours < 30, "it is never given up");
        world.cron_until_done(now().plus(hours * HOUR));
        assert!(pointers(&world).iter().all(|key| key.why == Why::Event));
        hours += 1;
    }
    assert!(hours > 24, "given up after {hours} hours");
}
