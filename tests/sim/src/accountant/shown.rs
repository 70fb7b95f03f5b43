//! What is shown and exported, reward by reward.

use crate::story::Answered;
use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_edge::http::Request;
use serde_json::Value;

use super::bound::amount;
use super::wire::{list, number, text};
use crate::requests::request;

/// Everything about money that a program shows when all is quiet.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// `GET /v1/rewards`, all pages.
    pub rewards: Vec<Value>,
    /// By customer, `GET /v1/rewards?customer_id=` and `GET /v1/me`.
    pub customers: BTreeMap<String, (Rc<Value>, Rc<Value>)>,
    /// `GET /v1/exports/rewards`, line by line.
    pub exported: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    pub id: String,
    pub role: String,
    pub customer: Option<String>,
    pub order: String,
    pub value: Value,
    pub status: String,
    pub milestone: Option<i64>,
    /// What was taken back after it was handed over: below zero, or something given whole.
    pub taken: Vec<Value>,
    /// And not settled yet.
    pub open: Vec<Value>,
    /// Whether it is so now; else it was seen so once.
    pub at_rest: bool,
}

impl Reward {
    pub fn read(json: &Value) -> Option<Self> {
        let values = |only_open: bool| {
            let entries = list(json, "entries");
            let entries = entries.filter(|entry| !only_open || entry["settled_at"].is_null());
            entries.map(|entry| entry["value"].clone()).collect()
        };
        Some(Self {
            id: text(json, "id")?,
            role: text(json, "for")?,
            customer: text(json, "customer_id"),
            order: text(json, "order_id")?,
            value: json["value"].clone(),
            status: text(json, "status")?,
            milestone: number(json, "milestone"),
            taken: values(false),
            open: values(true),
            at_rest: true,
        })
    }

    /// Whether it was earned, whatever became of it.
    pub fn is_earned(&self) -> bool {
        matches!(self.status.as_str(), "approved" | "fulfilled" | "expired")
    }

    /// What was earned, before anything was taken back from what had been handed over.
    pub fn given(&self) -> i64 {
        if self.is_earned() { amount(&self.value) } else { 0 }
    }

    /// What its owner has or is to have of it.
    pub fn owed(&self) -> i64 {
        if !self.is_earned() {
            return 0;
        }
        let is_whole = |value: &Value| amount(value) > 0;
        if self.taken.iter().any(is_whole) {
            return 0;
        }
        self.given() + self.taken.iter().map(amount).sum::<i64>()
    }
}

/// By kind of value and what else tells it from others: how much.
type Sums = BTreeMap<String, i64>;

fn kind(value: &Value) -> String {
    ["kind", "currency", "to"].map(|name| text(value, name).unwrap_or_default()).join(" ")
}

fn is_sum(value: &Value) -> bool {
    !matches!(value["kind"].as_str(), Some("percent_off" | "gift"))
}

fn sums(values: impl Iterator<Item = Value>) -> Sums {
    let mut sums = Sums::new();
    for value in values.filter(is_sum) {
        *sums.entry(kind(&value)).or_default() += amount(&value);
    }
    sums
}

impl Shown {
    /// Asks for all there is; `people` are customers with their identity tokens, and `days` from
    /// when to when a page of the export goes.
    pub fn gather(
        api_key: &str,
        people: &[(String, String)],
        days: &[(String, String)],
        mut ask: impl FnMut(Request) -> Answered,
    ) -> Self {
        let mut shown = Self::default();
        let mut cursor = String::new();
        let from = days.first().map_or("", |(from, _)| from);
        loop {
            let next = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
            let target = format!("/v1/rewards?from={from}{next}");
            let (_, page) = ask(request("GET", &target, api_key, None));
            shown.rewards.extend(list(&page, "rewards").cloned());
            match text(&page, "cursor") {
                Some(next) => cursor = next,
                None => break,
            }
        }
        for (customer, token) in people {
            let target = format!("/v1/rewards?customer_id={customer}");
            let (_, owed) = ask(request("GET", &target, api_key, None));
            let (_, me) = ask(request("GET", "/v1/me", token, None));
            shown.customers.insert(customer.clone(), (owed, me));
        }
        for (from, to) in days {
            let target = format!("/v1/exports/rewards?format=jsonl&from={from}&to={to}");
            let (_, rows) = ask(request("GET", &target, api_key, None));
            // One line alone is JSON already.
            let lines = rows.as_str().unwrap_or_default().lines();
            shown.exported.extend(lines.filter_map(|line| serde_json::from_str(line).ok()));
            shown.exported.extend(rows.is_object().then(|| Value::clone(&rows)));
        }
        shown
    }

    /// The rewards, each once.
    pub fn all(&self) -> Vec<Reward> {
        let mut all: Vec<Reward> = Vec::new();
        for reward in self.rewards.iter().filter_map(Reward::read) {
            if !all.contains(&reward) {
                all.push(reward);
            }
        }
        all
    }

    /// Wherever a reward is shown it is the same, and sums are those of what is listed.
    pub fn contradictions(&self) -> Vec<String> {
        let every = self.all();
        let mut wrong = Vec::new();
        // Of an order that was reported twice one report counts, and one advocate.
        let mut all: BTreeMap<String, Reward> = BTreeMap::new();
        for reward in &every {
            let known = all.entry(reward.id.clone()).or_insert_with(|| reward.clone());
            if known.is_earned() && reward.is_earned() && known != reward {
                wrong.push(format!("one reward is paid twice: {known:?} and {reward:?}"));
            }
            if reward.is_earned() {
                *known = reward.clone();
            }
        }
        let mut compare = |place: String, id: Option<String>, status: &Value, value: &Value| {
            let Some(id) = id else { return };
            let same = all.get(&id).is_some_and(|reward| {
                status == reward.status.as_str()
                    && (value.is_null() || amount(value) <= amount(&reward.value))
            });
            // What is refused or waits is nobody's yet.
            if !same && (status == "approved" || status == "fulfilled" || status == "expired") {
                let known = all.get(&id);
                wrong.push(format!("{place} shows {id} as {status} {value}, and not {known:?}"));
            }
        };
        for (customer, (owed, me)) in &self.customers {
            for reward in list(owed, "rewards") {
                let place = format!("the list of {customer}");
                compare(place, text(reward, "id"), &reward["status"], &reward["value"]);
            }
            let referrals = list(me, "referrals").chain(list(me, "as_friend"));
            let shown =
                referrals.flat_map(|one| [&one["reward"], &one["bonus"], &one["before"]["reward"]]);
            for reward in shown {
                let place = format!("the page of {customer}");
                compare(place, text(reward, "id"), &reward["status"], &reward["value"]);
            }
        }
        for row in &self.exported {
            let place = "the export".to_owned();
            compare(place, text(row, "reward_id"), &row["status"], &Value::Null);
        }
        let exported =
            |id: &String| self.exported.iter().any(|row| row["reward_id"] == id.as_str());
        let is_missed = |reward: &&Reward| reward.is_earned() && !exported(&reward.id);
        let missed = all.values().filter(is_missed);
        wrong.extend(missed.map(|reward| format!("the export misses {reward:?}")));
        for (customer, (owed, me)) in &self.customers {
            wrong.extend(too_much(customer, owed, me, &all));
        }
        wrong
    }
}

/// What a customer is said to be owed, and to have earned, beyond the rewards listed.
fn too_much(
    customer: &str,
    owed: &Value,
    me: &Value,
    all: &BTreeMap<String, Reward>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    // Who has earned something is not always named.
    let listed = |reward: &&Reward| {
        let mut own = list(owed, "rewards");
        let same = |one: &Value| {
            one["id"] == reward.id.as_str() && one["status"] == reward.status.as_str()
        };
        own.any(same) || reward.customer.as_deref() == Some(customer)
    };
    let own = || all.values().filter(listed);
    let due = own().flat_map(|reward| match reward.status.as_str() {
        "approved" => vec![reward.value.clone()],
        // What ended was handed over, and is taken back like the rest.
        "fulfilled" | "expired" => reward.open.clone(),
        _ => Vec::new(),
    });
    // What was handed over and has ended since was earned.
    let net = own().filter(|reward| reward.role == "advocate" && reward.is_earned());
    let net = net.flat_map(|reward| std::iter::once(&reward.value).chain(&reward.taken));
    for (what, said, most) in [
        ("is owed", list(owed, "owed"), sums(due)),
        ("has earned", list(&me["totals"], "earned"), sums(net.cloned())),
    ] {
        for value in said.filter(|value| is_sum(value)) {
            let most = most.get(&kind(value)).copied().unwrap_or(0);
            if amount(value) > most {
                wrong.push(format!("{customer} {what} {value}, and not {most}"));
            }
        }
    }
    wrong
}
