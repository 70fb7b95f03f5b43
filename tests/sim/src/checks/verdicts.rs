//! Every verdict is the one that follows from the facts, whoever computed it and when.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Fact, FactKind};
use passalong_core::ids::{CustomerPseudonym, Identity};
use passalong_edge::keys::LedgerKey;

use crate::oracle::Oracle;
use crate::story::{Mode, Story};

impl Story {
    /// Every verdict that was ever written is the oracle's, and every order has one.
    pub(super) fn check_verdicts(&mut self, program: usize, oracle: &Oracle) {
        let of = &self.programs[program];
        let id = of.keys.program().clone();
        let advocates: Vec<(String, CustomerPseudonym)> =
            of.people().map(|name| (name.clone(), of.pseudonym(name))).collect();
        let mut wrong = Vec::new();
        let admissions = oracle.admissions();
        let mut holders: BTreeMap<Identity, BTreeSet<CustomerPseudonym>> = BTreeMap::new();
        for (name, advocate) in advocates {
            let mut settled = oracle.verdicts(advocate, &admissions);
            let kv = self.machine.kv.borrow();
            // What an erasure took away cannot refuse any more; a run before it still knew.
            // Only what is known of advocates counts: their own, and those with a rival claim. The
            // audit, which reports beyond the bound, leaves all who were erased alone.
            let erased = self.has_forgotten(program);
            for (key, put) in kv.ever(&LedgerKey::prefix(&[&id, &advocate])) {
                let key: LedgerKey = key.parse().unwrap();
                if key.fact.kind != FactKind::Verdict {
                    continue;
                }
                let json = put.metadata.clone().unwrap_or_default();
                let expected = settled
                    .get(&key.order)
                    .map(|(at, verdict)| (*at, Fact::Verdict(verdict.clone()).to_json()));
                if expected != Some((key.fact.accepted, json.clone())) && !erased {
                    let order = self.name(program, key.order);
                    let ledger = LedgerKey::prefix(&[&id, &advocate, &key.order]);
                    let facts: Vec<String> =
                        kv.ever(&ledger).map(|(key, _)| key[ledger.len()..].to_owned()).collect();
                    let report = oracle.reports.get(&key.order);
                    wrong.push(format!(
                        "the verdict on {order} of {name} at {} is {json}, and not {expected:?}; {facts:?} {report:?}",
                        key.fact.accepted
                    ));
                }
                if let Some(admitted) = json["l"].as_str() {
                    *self.decided.entry(format!("admitted {admitted}")).or_default() += 1;
                }
                for one in json["r"].as_array().into_iter().flatten() {
                    for (name, field) in [
                        ("value", &one["v"]["kind"]),
                        ("refused", &one["x"]),
                        ("review", &one["q"]),
                    ] {
                        let Some(word) = field.as_str() else { continue };
                        *self.decided.entry(format!("{name} {word}")).or_default() += 1;
                    }
                    for (name, field) in [
                        ("milestone", &one["m"]),
                        ("rate", &one["b"]),
                        ("expires", &one["u"]["days"]),
                    ] {
                        if let Some(number) = field.as_i64() {
                            *self.decided.entry(format!("{name} {number}")).or_default() += 1;
                        }
                    }
                }
                if json["r"].as_array().into_iter().flatten().any(|one| !one["v"].is_null()) {
                    let report = oracle.reports.get(&key.order).and_then(|reports| reports.first());
                    for identity in report.into_iter().flat_map(|report| &report.identities) {
                        holders.entry(*identity).or_default().insert(advocate);
                    }
                }
            }
            for (key, _) in kv.standing(&LedgerKey::prefix(&[&id, &advocate]), self.now()) {
                let key: LedgerKey = key.parse().unwrap();
                if key.fact.kind == FactKind::Verdict {
                    settled.remove(&key.order);
                }
            }
            for order in settled.keys() {
                let order = self.name(program, *order);
                wrong.push(format!("{order} of {name} was never settled"));
            }
        }
        if self.mode == Mode::Beyond && wrong.iter().any(|text| text.contains("the verdict on")) {
            if self.breaches() == 0 {
                self.violate(format!(
                    "the bound was passed, and nobody said so: {}",
                    wrong.join("; ")
                ));
            }
            wrong.retain(|text| !text.contains("the verdict on"));
        }
        for text in wrong {
            self.violate(text);
        }
    }

    /// How often the log says that facts came too late for a verdict.
    pub fn breaches(&self) -> usize {
        let log = self.machine.log.borrow();
        log.iter().filter(|line| line.contains("later than assumed")).count()
    }
}
