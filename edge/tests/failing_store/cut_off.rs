//! A request that is cut off after any of its operations is wholly in or wholly out: after its
//! retry, and after the cron without one. Nothing half-written is ever approved.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use serde_json::json;

use crate::support::{Fault, World, conversion, erase, event, get, me, post, read_order, start};

/// An advocate and the friend both earn, so that there is something to double.
fn world() -> World {
    let world = World::with(&json!({ "rewards": [
        { "for": "advocate", "trigger": "first_purchase",
          "value": { "kind": "percent_of_order", "basis_points": 2000 } },
        { "for": "friend", "trigger": "first_purchase",
          "value": { "kind": "points", "points": 100 } },
    ] }));
    for customer in ["10023", "10024"] {
        assert_eq!(world.send(start(), &me(start(), customer)).status, 200);
    }
    world
}

fn begun() -> Instant {
    start().plus(HOUR)
}

/// How the story of a cut-off request goes on: when the cron runs, and when it is sent again.
#[derive(Debug, Clone, Copy)]
struct Story {
    cron: Option<i64>,
    retry: Option<i64>,
}

const STORIES: [Story; 8] = [
    Story { cron: Some(10 * MINUTE), retry: None },
    Story { cron: Some(49 * MINUTE), retry: None },
    Story { cron: Some(2 * HOUR), retry: None },
    Story { cron: None, retry: Some(1) },
    Story { cron: None, retry: Some(5 * MINUTE) },
    Story { cron: Some(10 * MINUTE), retry: Some(2 * HOUR) },
    Story { cron: Some(2 * HOUR), retry: Some(70 * MINUTE) },
    Story { cron: Some(49 * MINUTE), retry: Some(DAY) },
];

/// Cuts `request` off at each of its operations, carried out or not, and tells `check` how.
fn cut_off_everywhere(
    prepared: &World,
    now: Instant,
    request: &passalong_edge::http::Request,
    check: impl Fn(World, &str),
) {
    for took_effect in [false, true] {
        for operation in 1.. {
            let world = prepared.twin();
            world.memory.shuffle(u64::from(operation));
            world.memory.fail(Fault::DieAt { operation, took_effect });
            let answer = world.send(now, request);
            if answer.status < 400 && !took_effect {
                assert!(operation > 3, "nothing was cut off");
                break;
            }
            if world.memory.counted().0 < operation {
                break;
            }
            assert_eq!(answer.status, 503, "{operation} {answer:?}");
            assert!(answer.header("retry-after").is_some());
            world.memory.mend();
            check(world, &format!("operation {operation}, took effect: {took_effect}"));
        }
    }
}

/// Whether the order is in: read, listed, counted and rewarded alike.
fn is_in(world: &World, now: Instant, order: &str, case: &str) -> bool {
    let read = world.send(now, &read_order(order)).status == 200;
    let listed = world.send(now, &get("/v1/rewards")).body["rewards"].as_array().unwrap().len();
    let seen = world.send(now, &me(now, "10023")).body["referrals"].as_array().unwrap().len();
    assert_eq!((listed, seen), if read { (2, 1) } else { (0, 0) }, "{case}");
    read
}

#[test]
fn a_conversion_cut_off_anywhere_is_wholly_in_or_wholly_out() {
    let prepared = world();
    let now = begun();
    let report = conversion(now, "A-1", "20871", &prepared.code("10023"), &json!({}));
    for story in STORIES {
        cut_off_everywhere(&prepared, now, &report, |world, case| {
            let case = &format!("{case}, {story:?}");
            let end = now.plus(2 * DAY);
            let mut steps = vec![];
            steps.extend(story.cron.map(|after| (after, false)));
            steps.extend(story.retry.map(|after| (after, true)));
            steps.sort_unstable();
            let mut answered = None;
            for (after, is_retry) in steps {
                let later = now.plus(after);
                if is_retry {
                    let answer = world.send(later, &report);
                    assert!(matches!(answer.status, 200 | 201), "{case}: {answer:?}");
                    assert_eq!(answer.body["attributed"], true, "{case}: {answer:?}");
                    answered = Some(answer.body);
                } else {
                    world.cron_until_done(later);
                    is_in(&world, later, "A-1", case);
                }
            }
            let half_written = !is_in(&world, now.plus(DAY + 1), "A-1", case);
            world.cron_until_done(end);
            let rewards = world.rewards(end, "A-1");
            let approved = |role: &str| [role, "approved", "-"].map(str::to_owned);
            if half_written {
                assert!(story.retry.is_none() && rewards.is_empty(), "{case}: {rewards:?}");
                assert!(world.memory.keys("todo.order/").is_empty(), "{case}");
            } else {
                assert_eq!(rewards, [approved("advocate"), approved("friend")], "{case}");
                let again = world.send(end, &report);
                assert_eq!(again.status, 200, "{case}");
                assert!(answered.is_none_or(|body| body == again.body), "{case}");
            }
        });
    }
}

/// The friend of an order that was cut off is free for others until the order is in, and stays
/// with those who came before that.
#[test]
fn a_friend_claimed_by_a_cut_off_order_earns_for_one_advocate_only() {
    let prepared = world();
    let now = begun();
    let cut = conversion(now, "A-1", "20871", &prepared.code("10023"), &json!({}));
    let other = conversion(now, "B-1", "20871", &prepared.code("10024"), &json!({}));
    for retry in [1, 5 * MINUTE, 30 * MINUTE, 3 * HOUR, DAY] {
        cut_off_everywhere(&prepared, now, &cut, |world, case| {
            assert_eq!(world.send(now.plus(2 * MINUTE), &other).status, 201);
            let mut clock = now.plus(10 * MINUTE);
            let mut sent = false;
            while clock < now.plus(2 * DAY) {
                if !sent && clock >= now.plus(retry) {
                    let answer = world.send(now.plus(retry.max(2 * MINUTE)), &cut);
                    assert!(matches!(answer.status, 200 | 201), "{case}");
                    sent = true;
                }
                world.cron_until_done(clock);
                clock = clock.plus(25 * MINUTE);
            }
            let approved = ["A-1", "B-1"].map(|order| {
                let rewards = world.rewards(clock, order);
                assert_eq!(rewards.len(), 2, "{case}, {order}");
                rewards.iter().filter(|reward| reward[1] == "approved").count()
            });
            assert!(
                approved == [2, 0] || approved == [0, 2],
                "{case}, retry after {retry} s: {approved:?}"
            );
        });
    }
}

#[test]
fn an_event_cut_off_anywhere_counts_once_or_not_at_all() {
    let prepared = world();
    let now = begun();
    let code = prepared.code("10023");
    let report = conversion(now, "A-1", "20871", &code, &json!({}));
    let refund = event(now, "A-1", "r1", "refunded", Some(1_000));
    for known in [true, false] {
        let prepared = prepared.twin();
        if known {
            assert_eq!(prepared.send(now, &report).status, 201);
        }
        for story in STORIES {
            cut_off_everywhere(&prepared, now.plus(MINUTE), &refund, |world, case| {
                let case = &format!("{case}, known: {known}, {story:?}");
                if !known {
                    assert_eq!(world.send(now.plus(2 * MINUTE), &report).status, 201);
                }
                let mut steps = vec![];
                // What is not settled yet at the last moment that counts.
                steps.extend(story.cron.map(|after| (after, false)));
                steps.extend(story.retry.filter(|after| *after < HOUR).map(|after| (after, true)));
                steps.sort_unstable();
                let mut retried = false;
                for (after, is_retry) in steps {
                    let later = now.plus(MINUTE).plus(after.max(MINUTE));
                    if is_retry {
                        let answer = world.send(later, &refund);
                        assert!(matches!(answer.status, 200 | 201), "{case}: {answer:?}");
                        let values: Vec<_> = answer.body["rewards"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .map(|reward| reward["value"].clone())
                            .collect();
                        assert_eq!(values[0]["amount"], 798, "{case}: {answer:?}");
                        retried = true;
                    } else {
                        world.cron_until_done(later);
                    }
                }
                let end = now.plus(2 * DAY);
                world.cron_until_done(end);
                let story_read = world.send(end, &read_order("A-1")).body;
                let events = story_read["events"].as_array().unwrap().len();
                let reward = &story_read["rewards"][0];
                assert_eq!(reward["status"], "approved", "{case}: {story_read}");
                let left = if events == 1 { 798 } else { 998 };
                assert_eq!(reward["value"]["amount"], left, "{case}: {story_read}");
                assert!(events == 1 || (events == 0 && !retried), "{case}");
            });
        }
    }
}

#[test]
fn an_erasure_cut_off_anywhere_is_wholly_in_or_wholly_out() {
    let prepared = world();
    let now = begun();
    for retry in [true, false] {
        cut_off_everywhere(&prepared, now, &erase("10023"), |world, case| {
            let later = now.plus(5 * MINUTE);
            if retry {
                assert_eq!(world.send(later, &erase("10023")).status, 200, "{case}");
            }
            world.cron_until_done(later);
            let erased = !world.memory.keys("todo.erased/").is_empty();
            assert!(erased || !retry, "{case}");
            // The customer, and a mailing, come once more.
            let later = later.plus(MINUTE);
            world.send(later, &me(later, "10023"));
            world.send(later, &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
            let kept = world.memory.keys(&format!("customer/teehaus/{}/", world.customer("10023")));
            assert_eq!(kept.len(), 1, "{case}: {kept:?}");
            assert_eq!(kept[0].ends_with("/erased"), erased, "{case}: {kept:?}");
        });
    }
}
