//! The figures of referral marketing, each with its formula and the numbers it was made of.
//!
//! All are integers: rates are basis points (10,000 is 100 %), money is minor units, ratios above
//! one are hundredths; each is rounded half up, once. What the numbers do not say is absent, with
//! the reason, and never guessed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::time::Day;
use crate::totals::{Pick, Posted};
use crate::words::words;

words!(
    /// What the value of a figure counts.
    Unit {
        /// 10,000 is 100 %, or a ratio of one.
        BasisPoints = "basis_points",
        MinorUnits = "minor_units",
        /// 100 is one.
        Hundredths = "hundredths",
    }
);

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metric {
    pub name: &'static str,
    /// Absent where `reason` says why.
    pub value: Option<i64>,
    pub unit: Unit,
    pub formula: &'static str,
    /// The numbers of the formula.
    pub base: BTreeMap<&'static str, i64>,
    /// How many customers, orders or clicks it rests on.
    pub n: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the program itself has seen in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    pub clicks: u64,
    pub shares: u64,
    /// Customers who shared, counted once a day.
    pub sharer_days: u64,
    /// Friends referred for the first time.
    pub new_friends: u64,
    pub purchases: u64,
    /// Minor units, refunds taken off.
    pub revenue: i64,
    /// Friends with a purchase, and with a second one.
    pub buyers: u64,
    pub buyers_again: u64,
    /// Customers with a referred sign-up or order.
    pub advocates: u64,
    /// Rewards approved or fulfilled, in money and (how many) otherwise.
    pub rewards: i64,
    pub rewards_otherwise: u64,
}

/// `numerator × scale ÷ denominator`, rounded half up.
fn ratio(numerator: i128, scale: i128, denominator: i128) -> Option<i64> {
    if denominator <= 0 {
        return None;
    }
    let twice = numerator.checked_mul(scale)?.checked_mul(2)?.checked_add(denominator)?;
    i64::try_from(twice.div_euclid(denominator.checked_mul(2)?)).ok()
}

const RATE: i128 = 10_000;

/// Collects the numbers of one formula; the first that is missing is the reason why it is absent.
struct Base {
    numbers: BTreeMap<&'static str, i64>,
    missing: Option<String>,
}

impl Base {
    fn new() -> Self {
        Self { numbers: BTreeMap::new(), missing: None }
    }

    fn with(mut self, name: &'static str, number: impl TryInto<i64>) -> Self {
        self.numbers.insert(name, number.try_into().unwrap_or(i64::MAX));
        self
    }

    fn posted(mut self, name: &'static str, number: Result<i64, String>) -> Self {
        match number {
            Ok(number) => _ = self.numbers.insert(name, number),
            Err(missing) => self.missing = self.missing.or(Some(missing)),
        }
        self
    }

    fn get(&self, name: &str) -> i128 {
        self.numbers.get(name).copied().unwrap_or(0).into()
    }

    /// The figure; `n` names the number it rests on, without which there is no value.
    fn metric(
        self,
        (name, unit, formula): (&'static str, Unit, &'static str),
        n: &'static str,
        value: impl Fn(&Self) -> Option<i64>,
    ) -> Metric {
        let value = if self.missing.is_some() { None } else { value(&self) };
        let reason = match (&self.missing, value) {
            (Some(missing), _) => Some(missing.clone()),
            (None, None) if self.get(n) <= 0 => Some(format!("{n} is 0")),
            (None, None) => Some("a number of the formula is 0".to_owned()),
            (None, Some(_)) => None,
        };
        let n = self.numbers.get(n).copied();
        Metric { name, value, unit, formula, base: self.numbers, n, reason }
    }

    fn rate(
        self,
        (name, formula): (&'static str, &'static str),
        part: &'static str,
        whole: &'static str,
    ) -> Metric {
        self.metric((name, Unit::BasisPoints, formula), whole, |base| {
            ratio(base.get(part), RATE, base.get(whole))
        })
    }
}

const AT_START: Pick = ("customers_at_start", |totals| totals.customers_at_start);
const NEW: Pick = ("new_customers", |totals| totals.new_customers);
const LOST: Pick = ("lost_customers", |totals| totals.lost_customers);
const AT_END: Pick = ("customers", |totals| totals.customers);
const ACTIVE: Pick = ("active_customers", |totals| totals.active_customers);
const ORDERS: Pick = ("orders", |totals| totals.orders);
const SECOND: Pick = ("second_orders", |totals| totals.second_orders);
const REVENUE: Pick = ("revenue", |totals| totals.revenue);
const MARGIN: Pick = ("margin", |totals| totals.margin);
const COST: Pick = ("cost", |totals| totals.cost);
const REFERRED_ACTIVE: Pick =
    ("referred_active_customers", |totals| totals.referred_active_customers);
const REFERRED_ORDERS: Pick = ("referred_orders", |totals| totals.referred_orders);
const REFERRED_MARGIN: Pick = ("referred_margin", |totals| totals.referred_margin);

/// Every figure of a period. `years` is how long a customer stays, as the merchant says.
pub fn metrics(
    seen: &Seen,
    posted: &Posted,
    period: (Day, Day),
    years: Option<u32>,
) -> Vec<Metric> {
    let mut all = of_referrals(seen);
    all.extend(of_all_customers(seen, posted, period));
    all.extend(lifetime_values(posted, period, years));
    all.push(return_on_investment(seen, posted, period));
    all
}

/// What follows from referred orders alone.
fn of_referrals(seen: &Seen) -> Vec<Metric> {
    vec![
        Base::new().with("purchases", seen.purchases).with("clicks", seen.clicks).rate(
            ("conversion_rate", "referred purchases / clicks"),
            "purchases",
            "clicks",
        ),
        k_factor(seen),
        Base::new().with("revenue", seen.revenue).with("purchases", seen.purchases).metric(
            (
                "average_referred_order",
                Unit::MinorUnits,
                "revenue of referred purchases / referred purchases",
            ),
            "purchases",
            |base| ratio(base.get("revenue"), 1, base.get("purchases")),
        ),
        Base::new().with("buyers_again", seen.buyers_again).with("buyers", seen.buyers).rate(
            (
                "referred_repurchase_rate",
                "friends with a second referred purchase / friends with a first",
            ),
            "buyers_again",
            "buyers",
        ),
        Base::new()
            .with("rewards", seen.rewards)
            .with("rewards_not_in_money", seen.rewards_otherwise)
            .with("revenue", seen.revenue)
            .rate(
                (
                    "reward_cost_rate",
                    "rewards approved or fulfilled, in money / revenue of referred purchases",
                ),
                "rewards",
                "revenue",
            ),
    ]
}

/// Friends that a customer who shares brings; above 10,000 the programme grows by itself.
pub fn k_factor(seen: &Seen) -> Metric {
    Base::new()
        .with("shares", seen.shares)
        .with("sharer_days", seen.sharer_days)
        .with("new_friends", seen.new_friends)
        .metric(
            (
                "k_factor",
                Unit::BasisPoints,
                "shares / customers who shared (each once a day) × new friends / shares",
            ),
            "sharer_days",
            // The shares cancel out; without any there is nothing to convert.
            |base| ratio(base.get("new_friends"), RATE, base.get("sharer_days")),
        )
}

/// What needs the totals of all customers.
fn of_all_customers(seen: &Seen, posted: &Posted, (from, to): (Day, Day)) -> Vec<Metric> {
    let sum = |field| posted.sum((from, to), field);
    vec![
        Base::new()
            .with("advocates", seen.advocates)
            .posted("active_customers", posted.on(to, ACTIVE))
            .rate(
                (
                    "referral_rate",
                    "customers with a referred sign-up or order / active customers on the last day",
                ),
                "advocates",
                "active_customers",
            ),
        Base::new()
            .posted("second_orders", sum(SECOND))
            .posted("new_customers", sum(NEW))
            .rate(
                (
                    "repurchase_rate",
                    "customers with a second order / customers with a first order, in the period",
                ),
                "second_orders",
                "new_customers",
            ),
        retention(posted, (from, to)),
        Base::new()
            .posted("lost_customers", sum(LOST))
            .posted("customers_at_start", posted.on(from, AT_START))
            .rate(
                ("churn_rate", "customers lost / customers at the start of the first day"),
                "lost_customers",
                "customers_at_start",
            ),
        Base::new()
            .posted("orders", sum(ORDERS))
            .posted("active_customers", posted.on(to, ACTIVE))
            .metric(
                (
                    "orders_per_active_customer",
                    Unit::Hundredths,
                    "orders / active customers on the last day",
                ),
                "active_customers",
                |base| ratio(base.get("orders"), 100, base.get("active_customers")),
            ),
        Base::new().posted("revenue", sum(REVENUE)).posted("orders", sum(ORDERS)).metric(
            ("average_order", Unit::MinorUnits, "revenue / orders"),
            "orders",
            |base| ratio(base.get("revenue"), 1, base.get("orders")),
        ),
        Base::new()
            .posted("product_ids", Err("needs the products of every order of all customers, which Passalong does not see".to_owned()))
            .rate(
                (
                    "upsell_rate",
                    "customers who bought another product than before / customers",
                ),
                "product_ids",
                "product_ids",
            ),
    ]
}

/// N2 / N1: of the customers at the start, those who are still there at the end.
fn retention(posted: &Posted, (from, to): (Day, Day)) -> Metric {
    let base = Base::new()
        .posted("n1_customers_at_start", posted.on(from, AT_START))
        .posted("customers_at_end", posted.on(to, AT_END))
        .posted("new_customers", posted.sum((from, to), NEW));
    base.metric(
        (
            "retention_rate",
            Unit::BasisPoints,
            "N2 / N1; N1 = customers at the start of the first day, N2 = customers at the end of the last - new customers",
        ),
        "n1_customers_at_start",
        |base| {
            let still_there = base.get("customers_at_end") - base.get("new_customers");
            ratio(still_there, RATE, base.get("n1_customers_at_start"))
        },
    )
}

/// Customer lifetime value of those who were referred, and of those who were not.
fn lifetime_values(posted: &Posted, (from, to): (Day, Day), years: Option<u32>) -> [Metric; 2] {
    let sum = |field| posted.sum((from, to), field);
    let days = (to.start().seconds() - from.start().seconds()) / crate::time::DAY + 1;
    let without =
        |whole: Result<i64, String>, part: Result<i64, String>| Ok(whole?.saturating_sub(part?));
    let years =
        years.map(i64::from).ok_or_else(|| "give years: how long a customer stays".to_owned());
    let referred = [sum(REFERRED_MARGIN), sum(REFERRED_ORDERS), posted.on(to, REFERRED_ACTIVE)];
    let others = [
        without(sum(MARGIN), sum(REFERRED_MARGIN)),
        without(sum(ORDERS), sum(REFERRED_ORDERS)),
        without(posted.on(to, ACTIVE), posted.on(to, REFERRED_ACTIVE)),
    ];
    let of = |name, [margin, orders, customers]: [Result<i64, String>; 3]| {
        Base::new()
            .posted("margin", margin)
            .posted("orders", orders)
            .posted("customers", customers)
            .posted("years", years.clone())
            .with("days", days)
            .metric(
                (
                    name,
                    Unit::MinorUnits,
                    "margin / orders × (orders / active customers on the last day × 365 / days) × years",
                ),
                "customers",
                |base| {
                    // The orders cancel out.
                    let whole = base.get("margin") * base.get("years");
                    ratio(whole, 365, base.get("customers") * base.get("days"))
                },
            )
    };
    [of("clv_referred", referred), of("clv_not_referred", others)]
}

fn return_on_investment(seen: &Seen, posted: &Posted, (from, to): (Day, Day)) -> Metric {
    Base::new()
        .posted("referred_margin", posted.sum((from, to), REFERRED_MARGIN))
        .posted("cost", posted.sum((from, to), COST))
        .with("rewards", seen.rewards)
        .with("rewards_not_in_money", seen.rewards_otherwise)
        .metric(
            ("roi", Unit::BasisPoints, "(margin of referred customers - rewards - cost) / cost"),
            "cost",
            |base| {
                let gain = base.get("referred_margin") - base.get("rewards") - base.get("cost");
                ratio(gain, RATE, base.get("cost"))
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::totals::DayTotals;

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

    #[test]
    fn a_ratio_is_rounded_half_up_and_never_overflows() {
        for (part, whole, rate) in [
            (1, 3, Some(3_333)),
            (2, 3, Some(6_667)),
            (1, 20_000, Some(1)),
            (1, 20_001, Some(0)),
            (-1, 20_000, Some(0)),
            (-3, 20_000, Some(-1)),
            (0, 5, Some(0)),
            (5, 0, None),
            (5, -1, None),
            (i128::from(i64::MAX), 1, None),
            (i128::MAX, 1, None),
        ] {
            assert_eq!(ratio(part, RATE, whole), rate, "{part} / {whole}");
        }
    }
}
