//! What a merchant says of all customers: one fact a day, because Passalong sees referred orders
//! only. Without these, figures over all customers are absent rather than guessed.
//!
//! A day that is reported again is superseded by the later report; of two accepted in the same
//! minute the one with the greater digest counts. Facts themselves are never changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decode::{Fields, Invalid};
use crate::ids::Digest;
use crate::time::{Day, Instant, Minute};

/// The largest count taken: more customers than there are people.
const MAX_COUNT: i64 = 10_000_000_000;

/// `POST /v1/totals`, and as it is stored. Amounts are minor units of the program's currency; what
/// was not reported is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DayTotals {
    /// Customers when the day began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers_at_start: Option<i64>,
    /// Customers whose first order was on this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_customers: Option<i64>,
    /// Customers who ceased to be customers on this day, by the merchant's own rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_customers: Option<i64>,
    /// Customers when the day ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<i64>,
    /// Customers the merchant calls active, as of this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_customers: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<i64>,
    /// Customers whose second order was on this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_orders: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revenue: Option<i64>,
    /// Revenue less the cost of the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<i64>,
    /// What the programme cost on this day beside its rewards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<i64>,
    /// Of active customers, orders and margin: the part of customers who came by a referral.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referred_active_customers: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referred_orders: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referred_margin: Option<i64>,
}

/// A day's totals as they were reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotalsReport {
    pub day: Day,
    pub totals: DayTotals,
}

impl TotalsReport {
    pub fn parse(body: &[u8], now: Instant) -> Result<Self, Invalid> {
        let mut f = Fields::parse(body)?;
        let day = f.read("day")?;
        let day: Day = f.required("day", day, "for example 2026-11-21")?;
        if day > now.day() {
            return Err(f.invalid("day", "lies ahead"));
        }
        let mut count =
            |name: &str| f.integer(name, (0, MAX_COUNT), "must be a whole number, not below 0");
        let mut totals = DayTotals {
            customers_at_start: count("customers_at_start")?,
            new_customers: count("new_customers")?,
            lost_customers: count("lost_customers")?,
            customers: count("customers")?,
            active_customers: count("active_customers")?,
            orders: count("orders")?,
            second_orders: count("second_orders")?,
            referred_active_customers: count("referred_active_customers")?,
            referred_orders: count("referred_orders")?,
            ..DayTotals::default()
        };
        totals.revenue = f.amount("revenue")?;
        let most = crate::money::MAX_AMOUNT;
        let mut margin =
            |name: &str| f.integer(name, (-most, most), "must be an integer in minor units");
        totals.margin = margin("margin")?;
        totals.referred_margin = margin("referred_margin")?;
        totals.cost = f.amount("cost")?;
        totals.check(&f)?;
        f.finish()?;
        Ok(Self { day, totals })
    }

    /// The normalised content.
    pub fn content(&self) -> String {
        serde_json::json!(["totals-v1", self.day.to_string(), self.totals]).to_string()
    }
}

/// The answer to `POST /v1/totals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TotalsKept {
    pub day: String,
    pub accepted_at: Instant,
    #[serde(flatten)]
    pub totals: DayTotals,
}

impl DayTotals {
    /// What contradicts itself would make every figure wrong.
    fn check(&self, f: &Fields) -> Result<(), Invalid> {
        if *self == Self::default() {
            return Err(f.invalid("orders", "is required, or any other total of the day"));
        }
        let known = (self.customers_at_start, self.new_customers, self.lost_customers);
        if let ((Some(start), Some(new), Some(lost)), Some(end)) = (known, self.customers)
            && start + new - lost != end
        {
            let right = format!(
                "must be customers_at_start + new_customers - lost_customers = {}",
                start + new - lost
            );
            return Err(f.invalid("customers", right));
        }
        for (part, whole, name, of) in [
            (
                self.referred_active_customers,
                self.active_customers,
                "referred_active_customers",
                "active_customers",
            ),
            (self.referred_orders, self.orders, "referred_orders", "orders"),
            (self.active_customers, self.customers, "active_customers", "customers"),
            (self.second_orders, self.orders, "second_orders", "orders"),
        ] {
            if part.zip(whole).is_some_and(|(part, whole)| part > whole) {
                return Err(f.invalid(name, format!("must not be more than {of}")));
            }
        }
        Ok(())
    }
}

/// The totals of some days, of each day the report that counts.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    days: BTreeMap<Day, ((Minute, Digest), DayTotals)>,
}

/// A field of [`DayTotals`], by name.
pub type Pick = (&'static str, fn(&DayTotals) -> Option<i64>);

impl Posted {
    pub fn add(&mut self, day: Day, rank: (Minute, Digest), totals: DayTotals) {
        if self.days.get(&day).is_none_or(|(known, _)| *known < rank) {
            self.days.insert(day, (rank, totals));
        }
    }

    pub fn get(&self, day: Day) -> Option<&DayTotals> {
        self.days.get(&day).map(|(_, totals)| totals)
    }

    /// A field on one day, or what is missing.
    pub fn on(&self, day: Day, (name, pick): Pick) -> Result<i64, String> {
        let value = self.get(day).and_then(pick);
        value.ok_or_else(|| format!("no {name} in the totals of {}", crate::csv::dashed(day)))
    }

    /// The sum of a field over all days of a period, or the first day without it.
    pub fn sum(&self, (from, to): (Day, Day), field: Pick) -> Result<i64, String> {
        let (mut day, mut sum) = (from, 0_i64);
        while day <= to {
            sum = sum.saturating_add(self.on(day, field)?);
            day = day.plus(1);
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(body: &Value) -> Result<TotalsReport, Invalid> {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        TotalsReport::parse(body.to_string().as_bytes(), now)
    }

    #[test]
    fn a_contradiction_names_its_field() {
        for (body, field) in [
            (json!({}), "day"),
            (json!({ "day": "2026-11-23", "orders": 1 }), "day"),
            (json!({ "day": "21.11.2026", "orders": 1 }), "day"),
            (json!({ "day": "2026-11-21" }), "orders"),
            (json!({ "day": "2026-11-21", "orders": -1 }), "orders"),
            (json!({ "day": "2026-11-21", "orders": 1.5 }), "orders"),
            (json!({ "day": "2026-11-21", "orders": "1" }), "orders"),
            (json!({ "day": "2026-11-21", "revenue": -1 }), "revenue"),
            (json!({ "day": "2026-11-21", "margin": 0.5 }), "margin"),
            (json!({ "day": "2026-11-21", "orders": 1, "orderz": 2 }), "orderz"),
            (json!({ "day": "2026-11-21", "orders": 1, "referred_orders": 2 }), "referred_orders"),
            (json!({ "day": "2026-11-21", "orders": 1, "second_orders": 2 }), "second_orders"),
            (
                json!({ "day": "2026-11-21", "customers": 1, "active_customers": 2 }),
                "active_customers",
            ),
            (
                json!({ "day": "2026-11-21", "customers_at_start": 250, "new_customers": 3,
                        "lost_customers": 2, "customers": 250 }),
                "customers",
            ),
        ] {
            assert_eq!(parse(&body).unwrap_err().field, field, "{body}");
        }
        let good = json!({ "day": "2026-11-22", "customers_at_start": 250, "new_customers": 3,
                           "lost_customers": 2, "customers": 251, "margin": -5 });
        assert_eq!(parse(&good).unwrap().totals.margin, Some(-5));
    }

    fn all_names(body: &Value) -> Vec<String> {
        body.as_object().unwrap().keys().cloned().collect()
    }

    /// What is stored stays.
    #[test]
    fn totals_are_stored_as_pinned() {
        let all = json!({
            "customers_at_start": 250, "new_customers": 5, "lost_customers": 2, "customers": 253,
            "active_customers": 100, "orders": 40, "second_orders": 4, "revenue": 200_000,
            "margin": 80_000, "cost": 900, "referred_active_customers": 20,
            "referred_orders": 10, "referred_margin": 25_000,
        });
        let mut body = all.clone();
        body["day"] = json!("2026-11-21");
        let report = parse(&body).unwrap();
        assert_eq!(serde_json::to_value(&report.totals).unwrap(), all);
        assert_eq!(serde_json::from_value::<DayTotals>(all).unwrap(), report.totals);
        let names: usize = all_names(&body).iter().map(String::len).sum();
        let numbers = 13 * MAX_COUNT.to_string().len().max("-1000000000000".len());
        assert!(names + numbers + 13 * 4 <= 1_024, "metadata of {} bytes", names + numbers);
    }

    #[test]
    fn the_later_report_of_a_day_counts_whatever_the_order_of_reading() {
        let day: Day = "20261121".parse().unwrap();
        let minute = |text: &str| text.parse::<Minute>().unwrap();
        let of = |orders| DayTotals { orders: Some(orders), ..DayTotals::default() };
        let mut reports = [
            ((minute("202611220800"), Digest([9; 10])), of(1)),
            ((minute("202611220801"), Digest([1; 10])), of(2)),
            ((minute("202611220801"), Digest([2; 10])), of(3)),
        ];
        for _ in 0..3 {
            reports.rotate_left(1);
            let mut posted = Posted::default();
            for (rank, totals) in &reports {
                posted.add(day, *rank, totals.clone());
            }
            assert_eq!(posted.get(day), Some(&of(3)));
            let orders: Pick = ("orders", |totals| totals.orders);
            assert_eq!(posted.sum((day, day), orders), Ok(3));
            let missing = posted.sum((day, day.plus(1)), orders).unwrap_err();
            assert_eq!(missing, "no orders in the totals of 2026-11-22");
        }
    }
}
