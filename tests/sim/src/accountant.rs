//! The accountant: from the list of what was asked for and acknowledged alone it says what may be
//! owed, at most and, where that is certain, at least, and holds everything shown and exported
//! against it. It knows nothing of the store, of minutes of acceptance, or of how verdicts come
//! about, and shares no code with whoever computes them: only the messages of the API.
//!
//! - `first_purchase` and `signup` are paid once per friend in a lifetime, over all advocates. A
//!   friend is whoever is named by the same customer id or hint.
//! - Nothing on what is wholly reversed, disputed, unpaid or worth zero.
//! - Nothing to the one whose order it is, and nothing that no proof, no earlier purchase that
//!   binds, and no approval of the merchant gives.
//! - No more than the rule's value, of what is left; no more than caps and ceilings allow.
//!
//! What may be so is allowed: a request without an answer may have been kept, terms may have begun
//! a minute sooner. So it complains only of what is wrong by every reading.

use std::collections::BTreeMap;
use std::rc::Rc;

use passalong_edge::http::Request;
use serde_json::Value;

use books::{Asked, Books};
use bound::{advocate_of, amount, readings};
pub use rest::fortnights;
use shown::Reward;
pub use shown::Shown;
use totals::Earned;
use wire::{Pseudonym, Who, of_code, text};

mod books;
mod bound;
mod certain;
mod order;
mod people;
mod rest;
mod shown;
mod terms;
#[cfg(test)]
mod tests;
mod totals;
mod wire;

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub struct Slip(usize);

/// Everything that was asked for, in order.
#[derive(Debug, Default)]
pub struct Ledgerbook {
    all: Vec<Asked>,
    names: BTreeMap<Pseudonym, String>,
}

impl Ledgerbook {
    /// Says whose a referral code is.
    pub fn introduce(&mut self, customer: &str, code: &str) {
        if let Some(code) = of_code(code) {
            self.names.insert(code, customer.to_owned());
        }
    }

    /// A request leaves, at that many milliseconds. None where it is about nothing that is owed.
    pub fn send(&mut self, request: &Request, now: u64) -> Option<Slip> {
        if !request.path.starts_with("/v1/") || request.path.starts_with("/v1/pools") {
            return None;
        }
        let header = request.headers.iter().find(|(name, _)| name == "authorization");
        let bearer = header.map_or("", |(_, value)| value.trim_start_matches("Bearer "));
        let (program, by) = wire::who(bearer);
        let body: Value = match &request.body {
            Ok(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            Err(_) => Value::Null,
        };
        let named = text(&body, "program").or_else(|| text(&body, "id"));
        let program = program.filter(|_| by != Who::Somebody).or(named).unwrap_or_default();
        self.all.push(Asked {
            program,
            by,
            method: request.method.clone(),
            path: wire::decoded(&request.path),
            body,
            sent: i64::try_from(now / 1_000).unwrap_or(i64::MAX),
            heard: None,
        });
        Some(Slip(self.all.len() - 1))
    }

    /// Its answer is heard.
    pub fn hear(&mut self, slip: Option<Slip>, status: u16, body: Rc<Value>) {
        let Some(Slip(place)) = slip else { return };
        self.all[place].heard = Some((status, body));
    }

    /// What is wrong with what a program shows when all is quiet.
    pub fn check(&self, program: &str, shown: &Shown) -> Vec<String> {
        let books = Books::of(program, &self.all, &self.names);
        let mut wrong = shown.contradictions();
        let at_rest = shown.all();
        let (mut earned, mut refused) = (Vec::new(), Vec::new());
        let before = once(&books, &at_rest);
        for reward in at_rest.iter().chain(&before) {
            if !reward.is_earned() {
                continue;
            }
            match readings(&books, reward) {
                Ok(readings) => earned.push(Earned { reward: reward.clone(), readings }),
                Err(why) => refused.push((reward, why)),
            }
        }
        for (reward, why) in refused {
            let Reward { order, role, customer, status, value, .. } = reward;
            let who = customer.as_deref().unwrap_or("?");
            let reported: Vec<String> =
                books.reports_of(order).iter().map(|report| report.content.to_string()).collect();
            let text = format!("{value} is {status} for the {role} {who} by {order}: {why}");
            wrong.push(format!("{text}; {reported:?}"));
        }
        wrong.extend(totals::twice(&books, &earned));
        earned.retain(|one| one.reward.at_rest);
        wrong.extend(totals::beyond_limits(&books, &earned, &at_rest));
        wrong.extend(too_little(&books, &at_rest));
        wrong
    }
}

/// What was seen to be earned once, and is not any more.
fn once(books: &Books<'_>, at_rest: &[Reward]) -> Vec<Reward> {
    let is_still = |id: &str| at_rest.iter().any(|reward| reward.id == id && reward.is_earned());
    let mut seen: BTreeMap<String, Reward> = BTreeMap::new();
    let all = books.seen.iter().filter_map(|json| Reward::read(json));
    for mut reward in all.filter(|reward| reward.is_earned() && !is_still(&reward.id)) {
        reward.at_rest = false;
        seen.insert(reward.id.clone(), reward);
    }
    seen.into_values().collect()
}

/// Where nothing can stand in the way, what the rule says is owed, and no less.
fn too_little(books: &Books<'_>, at_rest: &[Reward]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (order, least) in books.certain() {
        for (role, value) in least {
            let is_it = |reward: &&Reward| {
                reward.order == order && reward.role == role && reward.milestone.is_none()
            };
            let found = at_rest.iter().find(is_it);
            let enough =
                found.is_some_and(|reward| reward.is_earned() && reward.given() >= amount(&value));
            if !enough {
                let whose = found.and_then(|reward| advocate_of(books, reward));
                wrong.push(format!("{order} brings the {role} {whose:?} {value}, not {found:?}"));
            }
        }
    }
    wrong
}
