//! A report or a decision that is cut off after any of its operations is completed by a repeat or by
//! the cron, and never doubled.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::http::Request;
use serde_json::json;

use crate::support::{Fault, World, conversion, post};
use crate::{begun, claims, found, latest, live, ok, order, report, world};

/// Cuts a request off at each of its operations, carried out or not, and hands the world to `check`.
fn cut_off_everywhere(
    prepared: &World,
    now: Instant,
    request: &Request,
    check: impl Fn(&World, &str),
) {
    for took_effect in [false, true] {
        for operation in 1.. {
            let world = prepared.twin();
            world.memory.shuffle(u64::from(operation));
            world.memory.fail(Fault::DieAt { operation, took_effect });
            let answer = world.send(now, request);
            let (done, _) = world.memory.counted();
            world.memory.mend();
            if done < operation || (answer.status < 400 && !took_effect) {
                assert!(operation > 5, "nothing was cut off");
                break;
            }
            check(&world, &format!("operation {operation}, took effect: {took_effect}"));
        }
    }
}

#[test]
fn a_report_that_was_cut_off_is_completed_by_its_repeat() {
    let prepared = world(&json!({}));
    ok(&prepared, begun(), &order(begun(), "A-1", "20871"));
    for later in [1, 5 * MINUTE, 3 * HOUR] {
        cut_off_everywhere(&prepared, begun(), &report(begun(), "10023", "A-1"), |world, case| {
            world.cron_until_done(begun().plus(30));
            let again = begun().plus(later);
            for _ in 0..2 {
                let told = world.send(again, &report(again, "10023", "A-1"));
                assert!(matches!(told.status, 200 | 201), "{case}: {told:?}");
            }
            assert_eq!(world.memory.keys("filed/").len(), 1, "{case}");
            assert_eq!(claims(world, again, "10023").len(), 1, "{case}");
            assert_eq!(found(world, again).len(), 1, "{case}");
            world.cron_until_done(again.plus(HOUR));
            assert_eq!(found(world, again.plus(HOUR)).len(), 1, "{case}");
            assert_eq!(world.memory.keys("todo.missing").len(), 0, "{case}");
        });
    }
}

#[test]
fn an_order_that_was_cut_off_finds_its_report_when_it_is_repeated() {
    let prepared = world(&json!({}));
    ok(&prepared, begun(), &report(begun(), "10023", "1077"));
    let change = json!({ "code": null, "order_number": "#1077" });
    let sent = conversion(begun(), "gid-55", "20871", "", &change);
    cut_off_everywhere(&prepared, begun(), &sent, |world, case| {
        let again = begun().plus(5 * MINUTE);
        let told = world.send(again, &sent);
        assert!(matches!(told.status, 200 | 201), "{case}: {told:?}");
        assert_eq!(found(world, again).len(), 1, "{case}");
    });
}

/// How the story of a cut-off approval goes on.
#[derive(Debug, Clone, Copy)]
enum Then {
    Cron(i64),
    Repeat(i64),
    Declined(i64),
}

#[test]
fn an_approval_that_was_cut_off_is_wholly_in_or_wholly_out() {
    let prepared = world(&json!({}));
    ok(&prepared, begun(), &order(begun(), "A-1", "20871"));
    ok(&prepared, begun(), &report(begun(), "10023", "A-1"));
    let now = begun().plus(HOUR);
    prepared.cron_until_done(now);
    let id = found(&prepared, now)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/rewards/{id}/review");
    let say = |decision: &str| post(&path, &json!({ "decision": decision }));
    let stories = [
        Then::Cron(10 * MINUTE),
        Then::Cron(2 * HOUR),
        Then::Repeat(1),
        Then::Repeat(3 * HOUR),
        Then::Declined(1),
        Then::Declined(3 * HOUR),
    ];
    for then in stories {
        cut_off_everywhere(&prepared, now, &say("approve"), |world, case| {
            let case = &format!("{case}, {then:?}");
            let is_approved = match then {
                Then::Cron(after) => {
                    world.cron_until_done(now.plus(after));
                    !world.memory.keys("order/").iter().all(|key| !key.contains(".approved."))
                }
                Then::Repeat(after) => {
                    assert_eq!(world.send(now.plus(after), &say("approve")).status, 200, "{case}");
                    true
                }
                Then::Declined(after) => {
                    let status = world.send(now.plus(after), &say("decline")).status;
                    assert!(matches!(status, 200 | 409), "{case}: {status}");
                    status == 409
                }
            };
            live(world, now.plus(3 * HOUR), 3);
            let end = now.plus(7 * HOUR);
            let expected = if is_approved {
                json!(["approved", null, 998])
            } else {
                json!([null, null, null])
            };
            assert_eq!(latest(world, end, "10023"), expected, "{case}");
            // The friend is held from then on, or not at all.
            let code = world.code("10024");
            let told = ok(world, end, &conversion(end, "A-2", "20871", &code, &json!({})));
            assert_eq!(told["attributed"], !is_approved, "{case}");
            live(world, end.plus(DAY), 1);
            let log = world.memory.log.borrow().clone();
            assert!(!log.iter().any(|line| line.contains("verdict")), "{case}: {log:?}");
        });
    }
}
