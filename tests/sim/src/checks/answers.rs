//! All locations answer the same, and what was acknowledged.

use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::LATITUDE;
use crate::machine::{ISOLATES, LOCATIONS};
use crate::oracle::Oracle;
use crate::story::{Answered, DAY, HOUR, Mode, SECOND, Story};

impl Story {
    /// All locations answer the same, and what they answer is what was acknowledged.
    pub(super) fn check_answers(&mut self, program: usize, oracle: &Oracle) {
        let advocates = self.programs[program].advocates.clone();
        let orders: Vec<String> = {
            let known = oracle.reports.keys();
            known.map(|order| self.name(program, *order)).collect()
        };
        // Whoever looks for the first time is written down; who was erased, once that is over.
        if let Some(end) = self.erased_until() {
            // In the morning: what ends at midnight stays as it is while all is asked for.
            self.machine.now.set(self.now().max((end / DAY + 1) * DAY + HOUR));
        }
        for advocate in &advocates {
            self.me(program, 0, advocate);
        }
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.now.set(self.now() + bound + LATITUDE);
        (self.at_rest, self.rests_since) = (Some(BTreeMap::new()), Some(self.machine.instant(0)));
        let mut heard = Vec::new();
        for (turn, order) in orders.iter().enumerate() {
            let target = format!("/v1/conversions/{order}");
            heard.push(self.merchant(program, 0, &target));
            // The lists, in which all of them are, are compared everywhere.
            let elsewhere = (1 + turn % (LOCATIONS - 1)) * ISOLATES;
            let other = self.merchant(program, elsewhere, &target);
            self.compare(&heard[turn], &other);
        }
        let lists = advocates.iter().map(|advocate| format!("/v1/rewards?customer_id={advocate}"));
        for target in lists.chain(["/v1/rewards".to_owned()]) {
            let told = self.merchant(program, 0, &target);
            for location in 1..LOCATIONS {
                let other = self.merchant(program, location * ISOLATES, &target);
                self.compare(&told, &other);
            }
        }
        for advocate in &advocates {
            let told = self.me(program, 0, advocate);
            for location in 1..LOCATIONS {
                let (status, other) = self.me(program, location * ISOLATES, advocate);
                // Each says what the time is.
                let mut other = Value::clone(&other);
                other["as_of"] = told.1["as_of"].clone();
                self.compare(&told, &(status, Rc::new(other)));
            }
        }
        for index in 0..self.reports.len() {
            let sent = &self.reports[index];
            if sent.program != program || sent.answers.is_empty() {
                continue;
            }
            let place = orders.iter().position(|order| *order == sent.order_id);
            let Some(place) = place else {
                self.violate(format!("{} is gone", self.reports[index].order_id));
                continue;
            };
            // Beyond the bound, two tries of one report may have been answered from two views.
            let first = oracle.reports[&sent.order].first().filter(|_| self.mode == Mode::Inside);
            if first.is_none_or(|first| !sent.readings.contains(&first.digest)) {
                continue;
            }
            let told = &heard[place].1;
            // What brought no proof has come to somebody since.
            let [report] = oracle.reports[&sent.order].as_slice() else { continue };
            if report.joined.is_some() {
                continue;
            }
            // What two locations accepted at once was answered twice, each as it knew who else claims
            // the friend, who the advocate is and in which segment, and what the person bought before.
            // One of them may never have been heard.
            let seen = |answer: &Value| {
                let reason = answer["reason"].as_str();
                matches!(
                    reason,
                    Some(
                        "friend_already_referred"
                            | "self_referral"
                            | "existing_customer"
                            | "below_minimum"
                    )
                )
            };
            let is_heard = sent.tries == sent.answers.len();
            if !is_heard && (seen(told) || sent.answers.iter().any(|answer| seen(answer))) {
                continue;
            }
            for name in ["attributed", "reason"] {
                if !sent.answers.iter().any(|answer| answer[name] == told[name]) {
                    let (order, answers) = (&sent.order_id, &sent.answers);
                    let text = format!("{order}: {name} is {}, of {answers:?}", told[name]);
                    self.violations.push(text);
                }
            }
        }
        self.check_shown_is_told(program, &heard);
        self.check_fulfilled(program, &orders, &heard);
        self.check_standing(oracle, &orders, &heard);
    }

    /// When the last tombstone ends. Its note can end before, where a run knew only an earlier erasure.
    fn erased_until(&self) -> Option<u64> {
        let kv = self.machine.kv.borrow();
        let tombstones = kv.standing("customer/", self.now()).filter_map(|(key, put)| {
            let ttl = put.ttl.filter(|_| key.ends_with("/erased"))?;
            Some(kv.written_at(key, self.now()) + ttl * SECOND)
        });
        tombstones.max()
    }

    /// Two locations were asked the same.
    fn compare(&mut self, first: &Answered, other: &Answered) {
        if other != first {
            self.violations.push(format!("two locations differ: {} and {}", first.1, other.1));
        }
        if first.0 != 200 {
            self.violate(format!("at rest, {} was the answer: {}", first.0, first.1));
        }
    }
}
