//! Every verdict is the one that follows from the facts, whoever computed it and when.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Decided, Fact, FactKind};
use passalong_core::ids::{CustomerPseudonym, Identity};
use passalong_core::reward::Expires;
use passalong_edge::keys::LedgerKey;

use super::fact;
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
                    .map(|(at, verdict)| (*at, Fact::Verdict(verdict.clone()).to_json().into()));
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
                let Some(Fact::Verdict(verdict)) = fact(&key, put) else {
                    wrong.push(format!("the verdict under {key} cannot be read: {json}"));
                    continue;
                };
                if let Some(admitted) = verdict.admitted {
                    *self
                        .decided
                        .entry(format!("admitted {admitted:?}").to_lowercase())
                        .or_default() += 1;
                }
                for said in verdict.rewards.iter().flat_map(words) {
                    *self.decided.entry(said).or_default() += 1;
                }
                if verdict.rewards.iter().any(|one| one.value.is_some()) {
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
        if self.mode == Mode::Inside && self.breaches() > 0 {
            self.violate("a breach was told inside the bound");
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

/// What a decision says, to be counted: which kinds of it the histories came to.
fn words(one: &Decided) -> Vec<String> {
    let Decided { value, reason, review, milestone, rate, expires, .. } = one;
    let days = expires.and_then(|expires| match expires {
        Expires::Days(days) => Some(days),
        Expires::EndOfYear(_) => None,
    });
    let said = [
        value.map(|value| format!("value {}", value.kind())),
        reason.map(|reason| format!("refused {reason}")),
        review.map(|reason| format!("review {reason}")),
        milestone.map(|at| format!("milestone {at}")),
        rate.map(|rate| format!("rate {}", rate.0)),
        days.map(|days| format!("expires {days}")),
    ];
    said.into_iter().flatten().collect()
}
