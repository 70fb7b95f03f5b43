//! Caps: how much one advocate can earn by a rule, in the order in which their orders settle.

use passalong_core::fact::Decided;
use passalong_core::reward::{ConversionKind, Reason, Role, Trigger, Value};
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
        waits: None,
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
fn a_cap_of_an_action_counts_that_action_and_a_cap_of_all_counts_all() {
    for (named, before, result) in [
        (Some("review"), "review", REACHED),
        (Some("review"), "photo", Ok(points(5))),
        (None, "photo", REACHED),
    ] {
        let value = json!({"kind": "points", "points": 5});
        let mut rule = json!({"trigger": "action", "value": value, "cap": {"count": 1}});
        if let Some(action) = named {
            rule["action"] = json!(action);
        }
        let mut scene = Scene::new(&advocate_rule(&rule));
        let of = &mut scene.conversion;
        (of.kind, of.amount, of.currency) = (ConversionKind::Action, None, None);
        of.action = Some("review".to_owned());
        let mut earlier = earned(day(20), 1, points(5));
        earlier.decided.trigger = Trigger::Action;
        earlier.action = Some(before.to_owned());
        scene.earned = vec![earlier];
        assert_eq!(scene.advocates(), result, "{named:?} {before}");
    }
}

#[test]
fn the_yearly_ceiling_counts_what_the_advocate_earned_in_money_in_the_year() {
    let scene = |change: fn(&mut Earned)| {
        let mut earlier = earned(day(20), 1, credit(2500));
        change(&mut earlier);
        let mut scene = Scene::new(&json!({"yearly_ceiling": 3000, "rewards": [
            {"for": "advocate", "trigger": "first_purchase",
             "value": {"kind": "percent_of_order", "basis_points": 2000}},
            {"for": "friend", "trigger": "first_purchase",
             "value": {"kind": "credit", "amount": 900}},
        ]}));
        scene.earned = vec![earlier];
        scene
    };
    let last_year = |earned: &mut Earned| earned.settled = at("2025-12-31T23:59:00Z").minute();
    for (name, scene, result) in [
        ("by this rule", scene(|_| ()), Ok(credit(500))),
        ("by another", scene(|one| one.decided.trigger = Trigger::Signup), Ok(credit(500))),
        ("by a bonus", scene(|one| one.decided.milestone = Some(3)), Ok(credit(500))),
        ("as a friend", scene(|one| one.decided.role = Role::Friend), Ok(credit(1000))),
        ("in points", scene(|one| one.decided.value = Some(points(2500))), Ok(credit(1000))),
        ("last year", scene(last_year), Ok(credit(1000))),
        ("all of it", scene(|one| one.decided.value = Some(credit(3000))), REACHED),
    ] {
        assert_eq!(scene.advocates(), result, "{name}");
        assert_eq!(scene.decided(Role::Friend), Some(Ok(credit(900))), "{name}: a friend has none");
    }
}

#[test]
fn a_gift_or_a_coupon_is_given_whole_or_not_at_all() {
    let gift = json!({"kind": "gift", "label": "Teeset", "worth": 500});
    let whole: Value = serde_json::from_value(gift.clone()).unwrap();
    let mut rule = advocate_rule(&json!({ "value": gift }));
    rule["yearly_ceiling"] = json!(1000);
    for (sum, result) in [(500, Ok(whole)), (501, REACHED)] {
        let mut scene = Scene::new(&rule);
        scene.earned = vec![earned(day(20), 1, credit(sum))];
        assert_eq!(scene.advocates(), result, "{sum}");
    }
    let rule = json!({"value": {"kind": "credit", "amount": 1000}, "cap": {"amount": 3000},
                      "delivery": "coupon", "pool": "tee"});
    for (sum, result, pool) in
        [(2000, Ok(credit(1000)), Some("tee")), (2001, REACHED, None), (3000, REACHED, None)]
    {
        let mut scene = Scene::new(&advocate_rule(&rule));
        scene.earned = vec![earned(day(20), 1, credit(sum))];
        assert_eq!(scene.advocates(), result, "{sum}");
        let named = scene.settle().1.rewards[0].pool.map(|pool| pool.to_string());
        assert_eq!(named.as_deref(), pool, "what is refused comes from no pool");
    }
}

#[test]
fn a_value_of_nothing_does_not_fit_into_a_cap_that_is_used_up() {
    for (sum, result) in [(2999, Ok(credit(0))), (3000, REACHED)] {
        let mut scene = capped(&json!({"amount": 3000}), vec![earned(day(20), 1, credit(sum))]);
        scene.conversion.amount = Some(2);
        assert_eq!(scene.advocates(), result, "{sum}");
    }
}

#[test]
fn a_reversal_before_settlement_is_named_before_a_full_cap() {
    let scene = capped(&json!({"count": 1}), vec![earned(day(20), 1, credit(1000))]);
    assert_eq!(scene.refunded(day(3), 5000).advocates(), Err(Reason::Refunded));
}
