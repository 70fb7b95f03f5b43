//! The most that one reward can be worth, by every reading of the books that is possible. Where no
//! reading grants it, the reasons say why.

use std::collections::BTreeSet;

use serde_json::Value;

use super::books::{Books, NEVER};
use super::order::Order;
use super::shown::Reward;
use super::terms::{Rule, Terms};
use super::wire::{number, text};

/// A reading by which a reward may be owed.
#[derive(Clone)]
pub struct Reading<'b> {
    pub order: Order<'b>,
    pub terms: &'b Terms,
    pub rule: &'b Rule,
}

/// The readings that allow the reward as it is shown, or why there is none.
pub fn readings<'b>(books: &'b Books<'b>, reward: &Reward) -> Result<Vec<Reading<'b>>, String> {
    let mut why = BTreeSet::new();
    let mut found = Vec::new();
    let Some((id, reports)) = books.reports.get_key_value(&reward.order) else {
        return Err("nobody reported its order".to_owned());
    };
    for report in reports {
        let order = Order { books, id, report };
        let all = order.terms();
        if all.is_empty() {
            why.insert("the program had not begun".to_owned());
        }
        for terms in all {
            if let Err(reason) = grants(order, terms, reward) {
                why.insert(reason);
                continue;
            }
            for rule in &terms.rules {
                let reading = Reading { order, terms, rule };
                match reading.allows(reward) {
                    Some(Ok(())) => found.push(reading),
                    Some(Err(reason)) => {
                        why.insert(reason);
                    }
                    None => {}
                }
            }
        }
    }
    if found.is_empty() {
        why.extend(why.is_empty().then(|| "no rule gives anything like it".to_owned()));
        return Err(why.into_iter().collect::<Vec<_>>().join("; "));
    }
    Ok(found)
}

/// Why nobody earns by an order, whatever the rule.
fn grants(order: Order<'_>, terms: &Terms, reward: &Reward) -> Result<(), String> {
    let advocate = advocate_of(order.books, reward);
    let report = order.report;
    if terms.paused {
        return Err("the program was paused".to_owned());
    }
    if report.currency.as_ref().is_some_and(|currency| *currency != terms.currency) {
        return Err("the order is in another currency".to_owned());
    }
    let owners = order.owners(terms);
    if !owners.may_be(advocate.as_ref()) {
        return Err(format!(
            "nothing proves a referral of {advocate:?}, but of {:?}",
            owners.known
        ));
    }
    let own = match &advocate {
        Some(advocate) => order.is_own(advocate),
        None => !owners.others && owners.known.iter().all(|owner| order.is_own(owner)),
    };
    if own {
        return Err(format!("the order is {advocate:?}'s own"));
    }
    if let Some(reason) = order.is_old(advocate.as_ref(), terms) {
        return Err(reason);
    }
    if reward.milestone.is_none() && reward.owed() > 0 {
        let (from, until) = if reward.at_rest {
            (NEVER, NEVER)
        } else {
            (order.settles_earliest(), order.settles_latest())
        };
        if order.is_gone(from, until) {
            return Err("nothing is left of the order".to_owned());
        }
        if let Some(reason) = order.waits().filter(|_| !order.may_be_approved()) {
            return Err(reason.to_owned());
        }
    }
    Ok(())
}

/// Whose the reward's order is, if the answers agree.
pub fn advocate_of(books: &Books<'_>, reward: &Reward) -> Option<String> {
    if reward.role == "advocate" {
        return reward.customer.clone();
    }
    let said = books.advocates.get(&reward.order)?;
    said.first().filter(|_| said.len() == 1).cloned()
}

impl Reading<'_> {
    /// Whether the rule may give this; none where it is about something else.
    fn allows(&self, reward: &Reward) -> Option<Result<(), String>> {
        let Self { order, rule, .. } = self;
        let report = order.report;
        let is_for = rule.role == reward.role
            && rule.earned
            && rule.milestone == reward.milestone
            && rule.kind() == report.kind
            && (rule.action.is_none() || rule.action == report.action)
            && (rule.role != "friend" || rule.segment.is_none() || rule.segment == report.segment);
        if !is_for {
            return None;
        }
        let not_first = Some(&rule.trigger)
            .filter(|it| *it == "first_purchase")
            .and_then(|_| order.is_not_first(advocate_of(order.books, reward).as_ref()));
        if let Some(reason) = not_first {
            return Some(Err(reason));
        }
        let base = self.base(order.left_then());
        if reward.milestone.is_none() && report.kind == "purchase" && base < rule.minimum.max(1) {
            return Some(Err(format!("the order is worth {base}, and not {}", rule.minimum)));
        }
        let most = rule.values.iter().filter_map(|value| self.most(value, reward)).max()?;
        if reward.owed() > most.0 || reward.given() > most.1 {
            let text = format!("{} of {} is more than {most:?}", reward.owed(), reward.value);
            return Some(Err(text));
        }
        Some(Ok(()))
    }

    /// What counts of what is left of the order, at most.
    fn base(&self, left: i64) -> i64 {
        (left - self.order.excluded(self.terms)).max(0)
    }

    /// The most a value of the rule comes to now, and came to at its settlement.
    fn most(&self, value: &Value, reward: &Reward) -> Option<(i64, i64)> {
        if value["kind"] == "percent_of_order" {
            let same = reward.value["kind"] == "credit";
            let rate = number(value, "basis_points")?;
            let share = |left: i64| (rate * self.base(left) + 5_000) / 10_000;
            // What has expired may have been handed over before.
            let is_handed_over = matches!(reward.status.as_str(), "fulfilled" | "expired");
            // What of an amended order is excluded is not known here.
            let (skus, categories) = &self.terms.excluded;
            let excludes = !skus.is_empty() || !categories.is_empty();
            let may_be_excluded =
                excludes && self.order.events().any(|event| event.kind == "amended");
            let is_share = |left: i64| !may_be_excluded && share(left) > 0;
            let now = self.order.left_now(is_handed_over, is_share);
            let then = self.order.left_then();
            let now = if reward.at_rest { now } else { then };
            return same.then(|| (share(now), share(then)));
        }
        let same = ["kind", "basis_points", "label", "currency", "to"];
        // A rule need not say its currency.
        let is_same = same.into_iter().all(|name| {
            let is_said = name != "currency" || value.get(name).is_some();
            !is_said
                || text(value, name) == text(&reward.value, name)
                    && number(value, name) == number(&reward.value, name)
        });
        let most = amount(value);
        is_same.then_some((most, most))
    }
}

/// The number of a value that can be added up; 1 of what is given whole.
pub fn amount(value: &Value) -> i64 {
    let names = ["amount", "points", "bytes", "periods"];
    names.into_iter().find_map(|name| number(value, name)).unwrap_or(1)
}

/// What counts towards a yearly ceiling.
pub fn money(value: &Value) -> i64 {
    match value["kind"].as_str() {
        Some("credit" | "amount_off") => number(value, "amount").unwrap_or(0),
        Some("gift") => number(value, "worth").unwrap_or(0),
        _ => 0,
    }
}
