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
