//! Ten reports a month and customer, whatever is tried.

use std::collections::BTreeSet;

use passalong_core::time::{DAY, HOUR, MINUTE};
use serde_json::json;

use crate::support::{erase, me};
use crate::{begun, decide_as, found, live, ok, order, report, world};

#[test]
fn the_eleventh_report_of_a_month_is_refused_until_the_next() {
    let world = world(&json!({}));
    for number in 0..10 {
        let answer = world.send(begun(), &report(begun(), "10023", &format!("#{number}")));
        assert_eq!((answer.status, &answer.body["status"]), (201, &json!("open")));
    }
    let refused = world.send(begun(), &report(begun(), "10023", "#10"));
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(begun().plus(wait).to_string(), "2026-12-01T00:00:00Z");
    assert_eq!(world.send(begun(), &report(begun(), "10023", "#3")).status, 200, "known");
    assert_eq!(world.send(begun(), &report(begun(), "10024", "#10")).status, 201, "another's");
    let next = begun().plus(wait);
    assert_eq!(world.send(next.plus(-MINUTE), &report(next, "10023", "#10")).status, 429);
    assert_eq!(world.send(next, &report(next, "10023", "#10")).status, 201);
}

#[test]
fn of_thirty_reports_at_once_ten_count() {
    let world = world(&json!({}));
    let numbers: Vec<String> = (0..30).map(|number| format!("A-{number}")).collect();
    for number in &numbers {
        ok(&world, begun(), &order(begun(), number, "20871"));
    }
    let reports = numbers.iter().map(|number| (begun(), report(begun(), "10023", number)));
    let answers = world.send_all(&reports.collect::<Vec<_>>());
    let taken = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(taken > 10, "some slipped through: {taken}");
    world.cron_until_done(begun().plus(HOUR));
    let listed = found(&world, begun().plus(HOUR));
    assert_eq!(listed.len(), 10);
    // The same ten, whoever asks, and what else was filed is decided by nobody.
    world.cron_until_done(begun().plus(2 * HOUR));
    assert_eq!(found(&world, begun().plus(DAY)), listed);
    for number in &numbers {
        let late = order(begun(), &format!("{number}-late"), "20871");
        ok(&world, begun().plus(DAY), &late);
    }
    assert_eq!(found(&world, begun().plus(DAY)).len(), 10);
}

/// Numbers of orders are easily guessed: twenty who have nothing to do with it report one, each before the
/// customer whose referral it is.
#[test]
fn strangers_shut_nobody_out_whom_the_merchant_names() {
    let world = world(&json!({}));
    ok(&world, begun(), &order(begun(), "A-1", "20871"));
    for stranger in 0..20 {
        let now = begun().plus(MINUTE);
        ok(&world, now, &report(now, &format!("stranger-{stranger}"), "A-1"));
    }
    let now = begun().plus(2 * MINUTE);
    ok(&world, now, &report(now, "10023", "A-1"));
    let later = begun().plus(HOUR);
    let listed = found(&world, later);
    let body = json!({ "decision": "approve", "customer_id": "10023" });
    let approved = decide_as(&world, later, &listed[0], &body);
    assert_eq!((approved.status, &approved.body["customer_id"]), (200, &json!("10023")));
}

#[test]
fn an_erased_customer_has_the_same_ten() {
    let world = world(&json!({}));
    for number in 0..10 {
        let (number, again) = (format!("A-{number}"), format!("B-{number}"));
        ok(&world, begun(), &order(begun(), &number, "20871"));
        ok(&world, begun(), &report(begun(), "10023", &number));
        ok(&world, begun(), &order(begun(), &again, "20871"));
    }
    for days in 0..9 {
        let now = begun().plus(days * DAY);
        ok(&world, now, &erase("10023"));
        for number in 0..10 {
            let answer = world.send(now, &report(now, "10023", &format!("B-{number}")));
            assert_eq!(answer.status, 429, "{days} days");
        }
        live(&world, now, 1);
        assert_eq!(found(&world, now.plus(HOUR)), Vec::<serde_json::Value>::new());
    }
    let counted = world.memory.keys("filed/");
    assert_eq!(counted.len(), 10);
    let own = world.memory.keys(&format!("customer/teehaus/{}", world.customer("10023")));
    let kept: BTreeSet<&str> = own.iter().filter_map(|key| key.rsplit('/').next()).collect();
    assert_eq!(kept, BTreeSet::from(["erased"]), "what a customer reported is erased");
}

#[test]
fn who_comes_back_after_an_erasure_can_report_an_order_again() {
    let world = world(&json!({}));
    ok(&world, begun(), &order(begun(), "A-1", "20871"));
    ok(&world, begun(), &report(begun(), "10023", "A-1"));
    ok(&world, begun(), &erase("10023"));
    live(&world, begun(), 24);
    let back = begun().plus(8 * DAY);
    ok(&world, back, &me(back, "10023"));
    assert_eq!(found(&world, back).len(), 0);
    assert_eq!(world.send(back, &report(back, "10023", "A-1")).status, 200);
    assert_eq!(found(&world, back).len(), 1);
    assert_eq!(world.memory.keys("filed/").len(), 1);
}
