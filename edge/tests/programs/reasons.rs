//! Why an order is looked at again: each reason is a pointer of its own.

use passalong_core::ids::OrderId;
use passalong_core::time::{DAY, HOUR, Instant, Minute, SETTLE};
use passalong_edge::keys::{DueKey, Why};
use serde_json::json;

use crate::support::{World, conversion, event, post_as, start};

fn now() -> Instant {
    start().plus(HOUR)
}

fn reasons(world: &World) -> Vec<(Minute, Why)> {
    let keys = world.memory.keys("todo.order/");
    let keys = keys.iter().map(|key| key.parse::<DueKey>().unwrap());
    keys.map(|key| (key.at, key.why)).collect()
}

/// The customer says that an order is missing, and the shop reports what became of it.
fn misses(world: &World, order: &str) {
    let body = json!({ "order_id": order, "ordered_on": now().day().dashed() });
    let filed = world.send(now(), &post_as(now(), "10023", "/v1/me/claims", &body));
    assert_eq!(filed.status, 201, "{filed:?}");
}

#[test]
fn two_reasons_for_one_order_in_one_minute_both_remain() {
    for events_first in [true, false] {
        let world = World::new();
        let came = event(now(), "A-1", "d1", "delivered", None);
        if !events_first {
            misses(&world, "A-1");
        }
        assert_eq!(world.send(now(), &came).status, 202);
        if events_first {
            misses(&world, "A-1");
        }
        let at = now().minute_up().plus(SETTLE);
        assert_eq!(reasons(&world), [(at, Why::Event), (at, Why::Missing)], "{events_first}");
        // The event is given up after a day, the missing order a month after it was missed.
        let mut seen = Vec::new();
        for hours in (0..31 * 24).step_by(6) {
            world.cron_until_done(now().plus(hours * HOUR));
            let left: Vec<Why> = reasons(&world).into_iter().map(|(_, why)| why).collect();
            if seen.last().is_none_or(|(_, last)| *last != left) {
                seen.push((hours / 24, left));
            }
        }
        let whys = [vec![Why::Event, Why::Missing], vec![Why::Missing], vec![]];
        let expected: Vec<_> = [0, 1, 30].into_iter().zip(whys).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn an_order_is_looked_at_again_a_day_after_an_event_although_another_reason_came_that_minute() {
    let world = World::new();
    let report = conversion(now(), "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(now(), &report).status, 201);
    let returned = event(now(), "A-1", "r1", "refunded", Some(990));
    assert_eq!(world.send(now(), &returned).status, 201);
    let at = now().minute_up().plus(SETTLE);
    assert_eq!(reasons(&world), [(at, Why::Event), (at, Why::Look)]);
    world.cron_until_done(now().plus(HOUR));
    let left = reasons(&world);
    assert!(
        left.contains(&(at.plus(DAY), Why::Look)),
        "for what the store was late with: {left:?}"
    );
    assert!(left.iter().all(|(_, why)| *why == Why::Look));
    let order: OrderId = "A-1".parse().unwrap();
    let order = world.keys.order(&order).to_string();
    assert!(world.memory.keys("todo.order/").iter().all(|key| key.contains(&order)));
}
