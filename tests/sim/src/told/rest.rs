//! What came of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::{LOCATIONS, PROGRAM, Told};
use crate::accountant::{Shown, fortnights};

impl Told {
    /// What a customer is owed, in all: minor units, points or what else it is.
    pub fn owed(&mut self, customer: &str) -> i64 {
        let (status, answer) = self.reads(&format!("/v1/rewards?customer_id={customer}"));
        assert_eq!(status, 200, "{answer}");
        sum(answer["owed"].as_array().into_iter().flatten())
    }

    /// What is owed to everybody together, also to who was erased.
    pub fn owed_to_all(&mut self) -> i64 {
        let rewards = self.all_shown().rewards;
        let due = rewards.iter().filter(|reward| reward["status"] == "approved");
        sum(due.map(|reward| &reward["value"]))
    }

    /// What became of the advocate's reward of an order, and why: `approved`, `refused
    /// self_referral`, or only the reason where nobody earns.
    pub fn fate(&mut self, order: &str) -> String {
        let (_, story) = self.reads(&format!("/v1/conversions/{order}"));
        let mut rewards = story["rewards"].as_array().into_iter().flatten();
        let own = rewards.find(|reward| reward["for"] == "advocate");
        let own = own.cloned().unwrap_or_default();
        let reason = own["reason"].as_str().or_else(|| story["reason"].as_str());
        let words = [own["status"].as_str(), reason];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn all_shown(&mut self) -> Shown {
        let people: Vec<String> = self.people.iter().cloned().collect();
        let people: Vec<(String, String)> = people
            .into_iter()
            .map(|name| {
                let now = self.machine.instant(self.place * crate::machine::ISOLATES);
                let secret = &self.identity_secret;
                let token = crate::requests::identity_token(secret, PROGRAM, &name, &[], None, now);
                (name, token)
            })
            .collect();
        let days = fortnights(self.instant().day());
        let key = self.api_key.clone();
        Shown::gather(&key, &people, &days, |sent| {
            let (status, body) = self.ask(sent);
            (status, Rc::new(body))
        })
    }

    /// Whatever ran when and where wrote the same, every location shows the same, and nothing is
    /// owed that must not be.
    pub fn is_sound(&mut self) {
        self.finish();
        let verdicts = self.verdicts();
        for (of, all) in &verdicts {
            assert!(all.len() == 1, "verdicts differ of {of}: {all:?}");
        }
        // Whoever looks for the first time is written down.
        self.all_shown();
        self.wait(15);
        let before = self.place;
        let mut shown: Vec<Value> = Vec::new();
        for place in 0..LOCATIONS {
            self.place = place;
            shown.push(Value::from(self.all_shown().rewards));
        }
        assert!(shown.iter().all(|one| *one == shown[0]), "two locations differ: {shown:?}");
        self.place = before;
        let shown = self.all_shown();
        let wrong = self.ledgerbook.borrow().check(PROGRAM, &shown);
        assert!(wrong.is_empty(), "the accountant: {wrong:#?}");
        let log = self.machine.log.borrow();
        let late = log.iter().filter(|line| line.contains("later than assumed"));
        assert_eq!(late.count(), 0, "{log:?}");
    }

    /// Every verdict that was ever written, by ledger and order: what was written of it.
    fn verdicts(&self) -> BTreeMap<String, Vec<String>> {
        let kv = self.machine.kv.borrow();
        let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, put) in kv.ever(&format!("ledger/{PROGRAM}/")) {
            let Some((of, name)) =
                key.rsplit_once('/').filter(|(_, name)| name.contains(".verdict."))
            else {
                continue;
            };
            let written = format!("{name} {:?} {}", put.metadata, put.value);
            let all = verdicts.entry(of.to_owned()).or_default();
            if !all.contains(&written) {
                all.push(written);
            }
        }
        verdicts
    }

    /// How many verdicts stand.
    pub fn decided(&self) -> usize {
        self.verdicts().len()
    }
}

fn sum<'v>(values: impl Iterator<Item = &'v Value>) -> i64 {
    let names = ["amount", "points", "bytes", "periods"];
    values.filter_map(|value| names.iter().find_map(|name| value[*name].as_i64())).sum()
}
