//! All locations answer the same, and what was acknowledged.

use serde_json::Value;

use super::LATITUDE;
use crate::machine::{ISOLATES, LOCATIONS};
use crate::oracle::Oracle;
use crate::story::{Mode, Story};

/// An order without proof in a ledger: since when, whose, and how.

impl Story {
    /// All locations answer the same, and what they answer is what was acknowledged.
    pub(super) fn check_answers(&mut self, program: usize, oracle: &Oracle) {
        let advocates = self.programs[program].advocates.clone();
        let orders: Vec<String> = {
            let known = oracle.reports.keys();
            known.map(|order| self.name(program, *order)).collect()
        };
        // Whoever looks for the first time is written down.
        for advocate in &advocates {
            self.me(program, 0, advocate);
        }
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.now.set(self.now() + bound + LATITUDE);
        let mut answers: Vec<Vec<(u16, Value)>> = Vec::new();
        for location in 0..LOCATIONS {
            let isolate = location * ISOLATES;
            let mut heard = Vec::new();
            for order in &orders {
                heard.push(self.merchant(program, isolate, &format!("/v1/conversions/{order}")));
            }
            heard.push(self.merchant(program, isolate, "/v1/rewards"));
            for advocate in &advocates {
                let target = format!("/v1/rewards?customer_id={advocate}");
                heard.push(self.merchant(program, isolate, &target));
                let mut answer = self.me(program, isolate, advocate);
                answer.1["as_of"] = Value::Null;
                heard.push(answer);
            }
            answers.push(heard);
        }
        for (place, first) in answers[0].clone().iter().enumerate() {
            for other in &answers[1..] {
                if other[place] != *first {
                    let text = format!("two locations differ: {} and {}", first.1, other[place].1);
                    self.violations.push(text);
                }
            }
            if first.0 != 200 {
                self.violate(format!("at rest, {} was the answer: {}", first.0, first.1));
            }
        }
        for index in 0..self.reports.len() {
            let sent = &self.reports[index];
            let Some(acked) = sent.acked.clone().filter(|_| sent.program == program) else {
                continue;
            };
            let place = orders.iter().position(|order| *order == sent.order_id);
            let Some(place) = place else {
                self.violate(format!("{} is gone", self.reports[index].order_id));
                continue;
            };
            // Beyond the bound, two tries of one report may have been answered from two views.
            let first = oracle.reports[&sent.order].first().filter(|_| self.mode == Mode::Inside);
            if first.is_none_or(|first| first.digest != sent.report.digest) {
                continue;
            }
            let told = &answers[0][place].1;
            for name in ["attributed", "reason"] {
                if told[name] != acked[name] && oracle.reports[&sent.order].len() == 1 {
                    let text = format!(
                        "{}: {name} was {} and is {}",
                        sent.order_id, acked[name], told[name]
                    );
                    // What two locations accepted at once was answered twice, each as it knew who
                    // else claims the friend and who the advocate is.
                    let seen = |answer: &Value| {
                        let reason = answer["reason"].as_str();
                        matches!(reason, Some("friend_already_referred" | "self_referral"))
                    };
                    // What brought no proof has come to somebody since.
                    let joined = oracle.reports[&sent.order][0].joined.is_some();
                    if !seen(told) && !seen(&acked) && !joined {
                        self.violations.push(text);
                    }
                }
            }
        }
        self.check_shown_is_told(program, &answers[0]);
        self.check_fulfilled(program, &orders, &answers[0]);
    }
}
