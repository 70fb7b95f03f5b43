//! Caps: how much one advocate can earn by a rule, in the order in which their orders settle.

use passalong_core::fact::Decided;
use passalong_core::reward::{Reason, Role, Trigger, Value};
use passalong_core::settlement::Earned;
use passalong_core::time::Minute;
use serde_json::json;

use crate::support::{Scene, advocate_rule, at, credit, day, minutes, order, points};

fn earned(settled: Minute, number: u8, value: Value) -> Earned {
    Earned {
        settled,
        order: order(number),
        decided: Decided::plain(Role::Advocate, Trigger::FirstPurchase, Ok(value)),
        action: None,
    }
}

/// Our order: worth 1000, settles on day 30 as order 5.
fn capped(cap: &serde_json::Value, earned: Vec<Earned>) -> Scene {
    let value = json!({"kind": "percent_of_order", "basis_points": 2000});
    let mut scene = Scene::new(&advocate_rule(&json!({"value": value, "cap": cap})));
    scene.earned = earned;
    scene
}

const REACHED: Result<Value, Reason> = Err(Reason::CapReached);

#[test]
fn a_cap_on_the_count_lets_so_many_through() {
    for (before, result) in
        [(1, Ok(credit(1000))), (2, Ok(credit(1000))), (3, REACHED), (4, REACHED)]
    {
        let earned = (0..before).map(|n| earned(day(20), n, credit(1))).collect();
        assert_eq!(capped(&json!({"count": 3}), earned).advocates(), result, "{before}");
    }
}

#[test]
fn a_cap_on_the_amount_clips_the_last_value() {
    for (sum, result) in [
        (0, Ok(credit(1000))),
        (1999, Ok(credit(1000))),
        (2000, Ok(credit(1000))),
        (2001, Ok(credit(999))),
        (2999, Ok(credit(1))),
        (3000, REACHED),
        (3001, REACHED),
    ] {
        let earned = vec![earned(day(20), 1, credit(sum))];
        assert_eq!(capped(&json!({"amount": 3000}), earned).advocates(), result, "{sum}");
    }
    let both = json!({"amount": 3000, "count": 1});
    assert_eq!(capped(&both, vec![earned(day(20), 1, credit(1))]).advocates(), REACHED);
    let value = json!({"kind": "points", "points": 50});
    let rule = advocate_rule(&json!({"value": value, "cap": {"amount": 70}}));
    let mut in_points = Scene::new(&rule);
    in_points.earned = vec![earned(day(20), 1, points(50))];
    assert_eq!(in_points.advocates(), Ok(points(20)));
}

#[test]
fn caps_go_by_settlement_then_by_order() {
    let settles = day(30);
    for (settled, number, result) in [
        (minutes(settles, -1), 9, REACHED),
        (settles, 4, REACHED),
        (settles, 5, Ok(credit(1000))),
        (settles, 6, Ok(credit(1000))),
        (minutes(settles, 1), 1, Ok(credit(1000))),
    ] {
        let scene = capped(&json!({"count": 1}), vec![earned(settled, number, credit(1000))]);
        assert_eq!(scene.settled(), settles);
        assert_eq!(scene.advocates(), result, "{settled} {number}");
    }
}

#[test]
fn a_cap_per_year_counts_by_the_utc_year_of_settlement() {
    // Placed so that it settles at the first and at the last minute of a year.
    for (ordered, settled, per_year, in_all) in [
        ("2026-12-02T00:00:00Z", "2026-12-31T23:59:00Z", Ok(credit(1000)), REACHED),
        ("2026-12-02T00:00:00Z", "2027-01-01T00:00:00Z", REACHED, REACHED),
        ("2026-12-01T23:59:00Z", "2026-12-31T23:58:00Z", REACHED, REACHED),
        ("2026-12-01T23:59:00Z", "2025-12-31T23:59:00Z", Ok(credit(1000)), REACHED),
    ] {
        for (per, result) in [("year", per_year), ("total", in_all)] {
            let before = vec![earned(at(settled).minute(), 1, credit(1000))];
            let mut scene = capped(&json!({"count": 1, "per": per}), before);
            scene.conversion.occurred_at = at(ordered);
            scene.conversion.via = passalong_core::fact::Via::Code;
            assert_eq!(scene.settled(), at(ordered).plus_days(30).minute());
            assert_eq!(scene.advocates(), result, "{ordered} {settled} {per}");
        }
    }
}

#[test]
fn only_rewards_of_the_same_rule_that_were_granted_use_a_cap_up() {
    let mut friend = earned(day(20), 1, credit(1000));
    friend.decided.role = Role::Friend;
    let mut other_rule = earned(day(20), 2, credit(1000));
    other_rule.decided.trigger = Trigger::EveryPurchase;
    let mut refused = earned(day(20), 3, credit(1000));
    (refused.decided.value, refused.decided.reason) = (None, Some(Reason::Withdrawn));
    let one = json!({"count": 1, "amount": 1000});
    let scene = capped(&one, vec![friend, other_rule, refused]);
    assert_eq!(scene.advocates(), Ok(credit(1000)));
}

#[test]
fn a_reversal_before_settlement_is_named_before_a_full_cap() {
    let scene = capped(&json!({"count": 1}), vec![earned(day(20), 1, credit(1000))]);
    assert_eq!(scene.refunded(day(3), 5000).advocates(), Err(Reason::Refunded));
}
