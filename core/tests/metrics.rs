//! Each figure, with numbers worked out by hand.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use passalong_core::ids::Digest;
use passalong_core::metrics::{Metric, Seen, Unit, metrics};
use passalong_core::time::Day;
use passalong_core::totals::{DayTotals, Posted};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn posted(days: &[(&str, DayTotals)]) -> Posted {
    let mut posted = Posted::default();
    for (text, totals) in days {
        let rank = ("202611230000".parse().unwrap(), Digest([0; 10]));
        posted.add(day(text), rank, totals.clone());
    }
    posted
}

fn find<'m>(all: &'m [Metric], name: &str) -> &'m Metric {
    all.iter().find(|metric| metric.name == name).unwrap()
}

const ONE: (&str, &str) = ("20261121", "20261121");

fn with(seen: &Seen, days: &[(&str, DayTotals)], (from, to): (&str, &str)) -> Vec<Metric> {
    metrics(seen, &posted(days), (day(from), day(to)), Some(3))
}

/// The article's formula, `(N1 - (N1 - N2)) / 100`, says 2 here.
#[test]
fn of_250_customers_200_retained_are_80_per_cent() {
    let totals = DayTotals {
        customers_at_start: Some(250),
        customers: Some(230),
        new_customers: Some(30),
        lost_customers: Some(50),
        ..DayTotals::default()
    };
    let all = with(&Seen::default(), &[("20261121", totals)], ONE);
    let retention = find(&all, "retention_rate");
    assert_eq!((retention.value, retention.unit), (Some(8_000), Unit::BasisPoints));
    assert_eq!(retention.n, Some(250));
    assert_eq!(find(&all, "churn_rate").value, Some(2_000));
}

#[test]
fn figures_of_a_period_take_stocks_at_its_ends_and_flows_over_all_its_days() {
    // 250 + 10 - 20 = 240, + 20 - 30 = 230: of the 250 there are 230 - 30 = 200 left.
    let first = DayTotals {
        customers_at_start: Some(250),
        new_customers: Some(10),
        lost_customers: Some(20),
        customers: Some(240),
        active_customers: Some(100),
        orders: Some(30),
        second_orders: Some(3),
        revenue: Some(150_000),
        margin: Some(60_000),
        cost: Some(1_000),
        referred_active_customers: Some(18),
        referred_orders: Some(8),
        referred_margin: Some(20_000),
    };
    let last = DayTotals {
        customers_at_start: Some(240),
        new_customers: Some(20),
        lost_customers: Some(30),
        customers: Some(230),
        active_customers: Some(120),
        orders: Some(37),
        second_orders: Some(6),
        revenue: Some(170_001),
        margin: Some(70_000),
        cost: Some(3_000),
        referred_active_customers: Some(20),
        referred_orders: Some(12),
        referred_margin: Some(30_000),
    };
    let seen = Seen { advocates: 9, rewards: 10_000, rewards_otherwise: 2, ..Seen::default() };
    let all = with(&seen, &[("20261121", first), ("20261122", last)], ("20261121", "20261122"));
    for (name, value, n) in [
        ("retention_rate", 8_000, 250),
        // 50 / 250
        ("churn_rate", 2_000, 250),
        // 9 / 120
        ("referral_rate", 750, 120),
        // 9 / 30
        ("repurchase_rate", 3_000, 30),
        // 67 / 120 = 0.5583
        ("orders_per_active_customer", 56, 120),
        // 320001 / 67 = 4776.13
        ("average_order", 4_776, 67),
        // 50000 / 20 orders × (20 / 20 customers × 365 / 2 days) × 3 years
        ("clv_referred", 1_368_750, 20),
        // (130000 - 50000) / 47 × (47 / 100 × 365 / 2) × 3
        ("clv_not_referred", 438_000, 100),
        // (50000 - 10000 - 4000) / 4000
        ("roi", 90_000, 4_000),
    ] {
        let metric = find(&all, name);
        let shown = (metric.value, metric.n, metric.reason.as_deref());
        assert_eq!(shown, (Some(value), Some(n), None), "{name}");
    }
    assert_eq!(find(&all, "roi").base.get("rewards_not_in_money"), Some(&2));
}

#[test]
fn a_programme_that_loses_money_has_a_return_below_zero() {
    let totals =
        DayTotals { referred_margin: Some(500), cost: Some(1_000), ..DayTotals::default() };
    let seen = Seen { rewards: 250, ..Seen::default() };
    let all = with(&seen, &[("20261121", totals)], ONE);
    // (500 - 250 - 1000) / 1000
    assert_eq!(find(&all, "roi").value, Some(-7_500));
}

#[test]
fn figures_of_referrals_need_no_totals() {
    let seen = Seen {
        clicks: 40,
        shares: 12,
        sharer_days: 6,
        new_friends: 4,
        purchases: 5,
        revenue: 24_948,
        buyers: 4,
        buyers_again: 1,
        advocates: 3,
        rewards: 2_994,
        rewards_otherwise: 0,
    };
    let all = metrics(&seen, &Posted::default(), (day(ONE.0), day(ONE.1)), None);
    for (name, value, n) in [
        ("conversion_rate", 1_250, 40),
        // 12 / 6 × 4 / 12
        ("k_factor", 6_667, 6),
        // 4989.6
        ("average_referred_order", 4_990, 5),
        ("referred_repurchase_rate", 2_500, 4),
        // 2994 / 24948 = 0.120009…
        ("reward_cost_rate", 1_200, 24_948),
    ] {
        let metric = find(&all, name);
        assert_eq!((metric.value, metric.n), (Some(value), Some(n)), "{name}");
    }
}

#[test]
fn what_the_numbers_do_not_say_is_absent_with_its_reason() {
    let none = Posted::default();
    let all = metrics(&Seen::default(), &none, (day("20261121"), day("20261122")), None);
    for (name, reason) in [
        ("conversion_rate", "clicks is 0"),
        ("k_factor", "sharer_days is 0"),
        ("average_referred_order", "purchases is 0"),
        ("referred_repurchase_rate", "buyers is 0"),
        ("reward_cost_rate", "revenue is 0"),
        ("referral_rate", "no active_customers in the totals of 2026-11-22"),
        ("repurchase_rate", "no second_orders in the totals of 2026-11-21"),
        ("retention_rate", "no customers_at_start in the totals of 2026-11-21"),
        ("churn_rate", "no lost_customers in the totals of 2026-11-21"),
        ("orders_per_active_customer", "no orders in the totals of 2026-11-21"),
        ("average_order", "no revenue in the totals of 2026-11-21"),
        ("clv_referred", "no referred_margin in the totals of 2026-11-21"),
        ("clv_not_referred", "no margin in the totals of 2026-11-21"),
        ("roi", "no referred_margin in the totals of 2026-11-21"),
    ] {
        let metric = find(&all, name);
        assert_eq!((metric.value, metric.reason.as_deref()), (None, Some(reason)), "{name}");
    }
    assert_eq!(find(&all, "upsell_rate").value, None);
    assert_eq!(all.len(), 15);
    // A day without totals is not a day with zeros.
    let half = DayTotals { orders: Some(4), revenue: Some(400), ..DayTotals::default() };
    let all = with(&Seen::default(), &[("20261121", half)], ("20261121", "20261122"));
    let reason = find(&all, "average_order").reason.clone();
    assert_eq!(reason.as_deref(), Some("no revenue in the totals of 2026-11-22"));
}
