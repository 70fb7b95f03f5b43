//! The terms in English.

use super::figures::{bytes, money, percent, whole};
use super::{Kinds, Language, Tongue, list, minimum, sentence};
use crate::money::Currency;
use crate::program::{HoldFrom, Program};
use crate::reward::{Cap, CapPeriod, Delivery, Expires, Role, Rule, Trigger, Value, When};

const EN: Language = Language::En;

pub struct English {
    pub currency: Currency,
}

/// A number and what it counts.
fn counted(number: i64, one: &str, more: &str) -> String {
    format!("{} {}", whole(number, EN), if number == 1 { one } else { more })
}

fn days(number: u32) -> String {
    counted(number.into(), "day", "days")
}

fn quoted(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| format!("“{text}”")).collect()
}

/// 1st, 2nd, 3rd and so on.
fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{}{ending}", whole(number.into(), EN))
}

/// The so many-th of what a rule counts.
fn nth(rule: &Rule, number: u32) -> String {
    let what = match rule.trigger {
        Trigger::Signup => "sign-up",
        Trigger::FirstPurchase => "first purchase",
        Trigger::EveryPurchase => "purchase",
        Trigger::Action => "action",
    };
    format!("the {} approved {what}", ordinal(number))
}

impl English {
    fn money(&self, amount: i64) -> String {
        money(amount, self.currency, EN)
    }

    /// "you get" and what.
    fn gets(&self, rule: &Rule, value: Value, more: &str) -> String {
        if let Value::Donation { amount, to, .. } = value {
            let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
            return format!("we donate {}{to}{more}", self.money(amount));
        }
        let (gets, whose) = match rule.role {
            Role::Advocate => ("you get".to_owned(), "your"),
            Role::Friend => ("they get".to_owned(), "their"),
        };
        format!("{gets} {}{more}", self.value(value, rule, whose))
    }

    /// What somebody gets; `whose` is their word for "your".
    fn value(&self, value: Value, rule: &Rule, whose: &str) -> String {
        let off = |off: String| match rule.when {
            When::AtOnce => format!("{off} off this purchase at once"),
            When::Earned => format!("{off} off {whose} next purchase"),
        };
        let is_voucher = rule.delivery != Delivery::Manual && rule.when == When::Earned;
        match value {
            Value::PercentOff { basis_points, times: None } => off(percent(basis_points, EN)),
            Value::PercentOff { basis_points, times: Some(times) } => {
                let what = match times {
                    1 => "purchase or membership fee".to_owned(),
                    _ => format!("{} purchases or membership fees", whole(times.into(), EN)),
                };
                format!("{} off {whose} next {what}", percent(basis_points, EN))
            }
            Value::PercentOfOrder { basis_points } => {
                format!("{} of the order value as credit", percent(basis_points, EN))
            }
            Value::AmountOff { amount, .. } if is_voucher => {
                format!("a voucher for {}", self.money(amount))
            }
            Value::AmountOff { amount, .. } => off(self.money(amount)),
            Value::Gift { label, worth } => {
                let worth = worth.map(|worth| format!(" (worth {})", self.money(worth)));
                format!("a gift: {label}{}", worth.unwrap_or_default())
            }
            counted => self.amount(counted),
        }
    }

    /// A value that can be summed up, as such.
    fn amount(&self, value: Value) -> String {
        match value {
            Value::Credit { amount, .. } => format!("{} of credit", self.money(amount)),
            Value::AmountOff { amount, .. } => format!("{} off", self.money(amount)),
            Value::Donation { amount, .. } => format!("{} of donations", self.money(amount)),
            Value::Points { points } => counted(points, "point", "points"),
            Value::StorageBytes { bytes: size } => format!("{} of storage", bytes(size, EN)),
            Value::FreePeriods { periods } => {
                counted(periods, "month free of charge", "months free of charge")
            }
            // They have no sum.
            Value::PercentOff { .. } | Value::PercentOfOrder { .. } | Value::Gift { .. } => {
                String::new()
            }
        }
    }

    /// What the friend does, up to the main clause.
    fn occasion(&self, rule: &Rule) -> String {
        let least = minimum(rule).map(|least| self.money(least));
        let text = |before: &str| least.map(|least| format!("{before}{least}")).unwrap_or_default();
        match (rule.trigger, &rule.action) {
            (Trigger::Signup, _) => "when your friend signs up,".to_owned(),
            (Trigger::FirstPurchase, _) => {
                let least = text(" and the order value is at least ");
                format!(
                    "when your friend buys through your recommendation for the first time{least},"
                )
            }
            (Trigger::EveryPurchase, _) => {
                let least = text(" of at least ");
                format!(
                    "for every purchase{least} that your friend makes through your recommendation,"
                )
            }
            (Trigger::Action, Some(action)) => {
                format!("for the action “{action}”{} by your friend,", text(" of at least "))
            }
            (Trigger::Action, None) => {
                let least = text(" of at least ");
                format!("for every action{least} by your friend that counts with us,")
            }
        }
    }

    /// For whom alone a rule is.
    fn segment(rule: &Rule) -> String {
        let Some(segment) = &rule.segment else { return String::new() };
        let who = match rule.role {
            Role::Advocate => "you belong",
            Role::Friend => "your friend belongs",
        };
        format!("if {who} to the customer group “{segment}”: ")
    }

    /// From when on what happened can be approved.
    fn hold(number: u32, after: &str) -> String {
        let length = if number == 0 { "an hour".to_owned() } else { days(number) };
        format!("no sooner than {length} after {after}")
    }
}

impl Tongue for English {
    fn roles(&self, shop: &str) -> String {
        format!(
            "“You” are the person who recommends {shop}; “your friend” is the person who comes to {shop} through your recommendation."
        )
    }

    fn paused(&self) -> String {
        "The programme is paused: what happens now brings no reward.".to_owned()
    }

    fn promise(&self, rule: &Rule) -> String {
        let occasion = self.occasion(rule);
        let gets = self.gets(rule, rule.value, "");
        sentence(&format!("{}{occasion} {gets}.", Self::segment(rule)))
    }

    fn tier(&self, rule: &Rule, from: u32, value: Value) -> String {
        format!("From {} on, {}.", nth(rule, from), self.gets(rule, value, " instead"))
    }

    fn bonus(&self, rule: &Rule, at: u32) -> String {
        let gets = self.gets(rule, rule.value, " once, on top");
        sentence(&format!("{}with {}, {gets}.", Self::segment(rule), nth(rule, at)))
    }

    fn cap(&self, rule: &Rule, cap: Cap, amount: Option<Value>) -> String {
        let what = match (rule.trigger, &rule.action) {
            (Trigger::Signup, _) => "sign-ups".to_owned(),
            (Trigger::FirstPurchase, _) => "first purchases".to_owned(),
            (Trigger::EveryPurchase, _) => "purchases".to_owned(),
            (Trigger::Action, None) => "actions".to_owned(),
            (Trigger::Action, Some(action)) => format!("the action “{action}”"),
        };
        let who = match rule.role {
            Role::Advocate if matches!(rule.value, Value::Donation { .. }) => "there are",
            Role::Advocate => "you get",
            Role::Friend => "all your friends together get",
        };
        let per = match cap.per {
            CapPeriod::Total => "in all",
            CapPeriod::Year => "per calendar year",
        };
        let count = cap.count.map(|count| counted(count.into(), "reward", "rewards"));
        let beyond = if amount.is_some() { "; what goes beyond is not given" } else { "" };
        let most: Vec<String> = count.into_iter().chain(amount.map(|it| self.amount(it))).collect();
        format!("For {what}, {who} at most {} {per}{beyond}.", list(&most, "and"))
    }

    fn expiry(&self, role: Role, expires: Expires) -> String {
        let (who, gets) = match role {
            Role::Advocate => ("You can use the reward", "you get it"),
            Role::Friend => ("Your friend can use their reward", "they get it"),
        };
        match expires {
            Expires::Days(number) => {
                format!("{who} for {}, counted from the day on which {gets}.", days(number))
            }
            Expires::EndOfYear(0) => {
                format!("{who} until the end of the calendar year in which {gets} (UTC).")
            }
            Expires::EndOfYear(number) => format!(
                "{who} until the end of the {} calendar year after the year in which {gets} (UTC).",
                ordinal(number)
            ),
        }
    }

    fn delivery(&self, rule: &Rule) -> Option<String> {
        let text = match (rule.delivery, rule.when) {
            (Delivery::Manual, _) => return None,
            (Delivery::Webhook, _) => {
                "The reward is made available automatically after its approval."
            }
            (Delivery::Coupon, When::AtOnce) => {
                "There is a voucher code for it, entered when paying."
            }
            (Delivery::Coupon, When::Earned) => "You get a voucher code for it after its approval.",
        };
        Some(text.to_owned())
    }

    fn first_applies(&self, has_minimum: bool) -> String {
        let minimum =
            if has_minimum { ", even where its minimum order is not reached" } else { "" };
        format!(
            "Where several of these promises to the same person fit the same event, only the one named first applies{minimum}."
        )
    }

    fn ceiling(&self, most: i64) -> String {
        format!(
            "Of credit, fixed discounts and gifts of a stated worth together, you get up to {} per calendar year; what goes beyond is not given.",
            self.money(most)
        )
    }

    fn year(&self) -> String {
        "The calendar year of a reward is that of the day on which its waiting time ends (UTC)."
            .to_owned()
    }

    fn new_customers(&self, shop: &str) -> String {
        format!(
            "Your friend must be new: those who were customers of {shop} before they were referred do not count."
        )
    }

    fn once(&self) -> String {
        "Nobody can refer themselves. A person can be referred by one other only: the recommendation counts that was recorded first and stands.".to_owned()
    }

    fn window(&self, kinds: Kinds, number: u32) -> String {
        let what = sentence(&list(&kinds.pick(["sign-ups", "purchases", "actions"]), "and"));
        format!(
            "{what} count up to {} after the click on your referral link; where several referral links were clicked, the last one counts. A referral code that is typed or told counts without a click, too.",
            days(number)
        )
    }

    fn bound(&self, kinds: Kinds, number: u32) -> String {
        let what = list(&kinds.pick(["sign-ups", "purchases", "actions"]), "and");
        format!(
            "After that, further {what} of your friend count for {} without a new click.",
            days(number)
        )
    }

    fn hold_of_purchases(&self, program: &Program) -> String {
        let hold = program.hold;
        match hold.from {
            HoldFrom::Order => format!(
                "The reward for a purchase is approved {}.",
                Self::hold(hold.days, "the order")
            ),
            HoldFrom::Delivered => format!(
                "The reward for a purchase is approved {}; where no delivery or service is reported, {}.",
                Self::hold(hold.days, "the delivery or service"),
                Self::hold(hold.fallback_days, "the order"),
            ),
        }
    }

    fn hold_of_others(&self, kinds: Kinds, number: u32) -> String {
        let what = list(&kinds.pick(["a sign-up", "a purchase", "an action"]), "and for");
        format!("The reward for {what} is approved {}.", Self::hold(number, "it"))
    }

    fn undone(&self, kinds: Kinds) -> String {
        let what = list(&kinds.pick(["a sign-up", "a purchase", "an action"]), "or");
        format!(
            "If {what} is wholly undone, as by withdrawal, cancellation or a full refund, the reward for it is lost, even if it has been approved or handed over."
        )
    }

    fn shrunk(&self) -> String {
        "If a part is refunded, credit that is a percentage of the order value shrinks with it."
            .to_owned()
    }

    fn minimum_counts(&self) -> String {
        "A minimum order must still be reached after refunds made before the waiting time ends."
            .to_owned()
    }

    fn bonus_stays(&self) -> String {
        "A bonus for a number that was reached stays, even if a purchase goes back later."
            .to_owned()
    }

    fn order_value(&self) -> String {
        "The order value is the price of the goods or services after discounts, with VAT and without shipping.".to_owned()
    }

    fn currency(&self) -> String {
        format!("Only purchases in {} count.", self.currency)
    }

    fn excluded(&self, gift_cards: bool, categories: &[String], skus: &[String]) -> String {
        if let (false, [], [one]) = (gift_cards, categories, skus) {
            return format!(
                "The item “{one}” is excluded: there is no reward for it, and it does not count towards the order value."
            );
        }
        let mut what = Vec::new();
        if gift_cards {
            what.push("gift cards".to_owned());
        }
        match categories {
            [] => {}
            [one] => what.push(format!("goods of the category “{one}”")),
            more => what.push(format!("goods of the categories {}", list(&quoted(more), "and"))),
        }
        match skus {
            [] => {}
            [one] => what.push(format!("the item “{one}”")),
            more => what.push(format!("the items {}", list(&quoted(more), "and"))),
        }
        sentence(&format!(
            "{} are excluded: there is no reward for them, and they do not count towards the order value.",
            list(&what, "and")
        ))
    }

    fn months(&self) -> String {
        "Where a fee is not paid monthly, the period it is paid for takes the place of a month."
            .to_owned()
    }

    fn points(&self, shop: &str) -> String {
        format!("How points are redeemed is up to {shop}.")
    }
}
