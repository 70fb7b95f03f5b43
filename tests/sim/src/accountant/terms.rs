//! The terms of a program, as far as they limit what may be owed, read from their JSON.

use serde_json::Value;

use super::wire::{list, number, text};

/// One version, and between which instants it began to hold.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "terms have as many switches")]
pub struct Terms {
    pub earliest: i64,
    /// The end of time where it may never hold.
    pub latest: i64,
    pub rules: Vec<Rule>,
    pub paused: bool,
    pub currency: String,
    pub new_only: bool,
    pub window_days: i64,
    pub bound_days: i64,
    /// Whether the hold runs from the order, its days, and those where no delivery is reported.
    pub from_order: bool,
    pub hold_days: i64,
    pub fallback_days: i64,
    pub ceiling: Option<i64>,
    pub excluded: (Vec<String>, Vec<String>),
    pub coupon: Option<String>,
    /// Coupons with the customer each names.
    pub listed: Vec<(String, String)>,
    pub has_review_limits: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub role: String,
    pub trigger: String,
    pub action: Option<String>,
    pub segment: Option<String>,
    pub minimum: i64,
    pub milestone: Option<i64>,
    /// The value, and those of higher tiers.
    pub values: Vec<Value>,
    pub most: Option<i64>,
    pub most_amount: Option<i64>,
    pub per_year: bool,
    pub earned: bool,
}

impl Rule {
    fn read(json: &Value) -> Self {
        let word = |name: &str| text(json, name).unwrap_or_default();
        let tiers = list(json, "tiers").map(|tier| tier["value"].clone());
        Self {
            role: word("for"),
            trigger: word("trigger"),
            action: text(json, "action"),
            segment: text(json, "segment"),
            minimum: number(json, "minimum_order").unwrap_or(0),
            milestone: number(json, "milestone"),
            values: std::iter::once(json["value"].clone()).chain(tiers).collect(),
            most: number(&json["cap"], "count"),
            most_amount: number(&json["cap"], "amount"),
            per_year: json["cap"]["per"] == "year",
            earned: json["when"] != "at_once",
        }
    }

    /// The kind of conversion it is for.
    pub fn kind(&self) -> &str {
        match self.trigger.as_str() {
            "first_purchase" | "every_purchase" => "purchase",
            other => other,
        }
    }
}

impl Terms {
    pub fn read(json: &Value, earliest: i64, latest: i64) -> Self {
        let (attribution, hold) = (&json["attribution"], &json["hold"]);
        let days = number(hold, "days").unwrap_or(21);
        let words = |name: &str| {
            let words = list(&json["excluded"], name).filter_map(Value::as_str);
            words.map(str::to_owned).collect()
        };
        let listed = list(json, "coupons");
        let listed = listed.filter_map(|one| Some((text(one, "code")?, text(one, "customer_id")?)));
        let ceiling = match &json["yearly_ceiling"] {
            Value::String(_) => Some(25_599),
            other => other.as_i64(),
        };
        Self {
            earliest,
            latest,
            rules: list(json, "rewards").map(Rule::read).collect(),
            paused: json["paused"] == true,
            currency: text(json, "currency").unwrap_or_default(),
            new_only: attribution["new_customers_only"] != false,
            window_days: number(attribution, "window_days").unwrap_or(30),
            bound_days: number(attribution, "bound_days").unwrap_or(0),
            from_order: hold["from"] == "order",
            hold_days: days,
            fallback_days: number(hold, "fallback_days").unwrap_or(30).max(days),
            ceiling,
            excluded: (words("skus"), words("categories")),
            coupon: text(&json["coupon"], "code"),
            listed: listed.collect(),
            has_review_limits: json["review"]
                .as_object()
                .is_some_and(|limits| limits.values().any(|limit| !limit.is_null())),
        }
    }
}
