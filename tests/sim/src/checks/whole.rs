//! Every order that stands does so wholly, and everything that was acknowledged stands.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::FactKind;
use passalong_core::ids::Digest;
use passalong_core::seal::Sealed;
use passalong_edge::keys::{Ledger, LedgerKey, LogKey, PersonKey};

use crate::oracle::Oracle;
use crate::story::{Mode, Story};

impl Story {
    /// Every order that stands does so wholly: in its ledger, under all claims, in the list. And
    /// everything acknowledged stands.
    pub(super) fn check_wholeness(&mut self, program: usize, oracle: &Oracle) {
        let mut broken = Vec::new();
        {
            let of = &self.programs[program];
            let id = of.keys.program().clone();
            let kv = self.machine.kv.borrow();
            let now = self.now();
            let stands = |prefix: &str| kv.standing(prefix, now).next().is_some();
            for report in oracle.reports.values().flatten() {
                let order = report.order;
                let name = of.keys.open(
                    Sealed::Order,
                    &self.reports[self.by_digest[&(program, report.digest)]].order_id,
                );
                let name = name.unwrap_or_else(|| order.to_string());
                if let Some(advocate) = report.advocate {
                    let in_ledger = kv
                        .standing(&LedgerKey::prefix(&[&id, &advocate, &order]), now)
                        .any(|(key, _)| {
                            let key: LedgerKey = key.parse().unwrap();
                            key.fact.digest == report.digest
                        });
                    if !in_ledger {
                        broken.push(format!("{name} is not in its ledger"));
                    }
                    for identity in &report.identities {
                        let prefix = PersonKey::prefix(&[&id, identity]);
                        let mut keys = kv
                            .standing(&prefix, now)
                            .map(|(key, _)| key.parse::<PersonKey>().unwrap().seen);
                        let ledger = Ledger(Some(advocate));
                        if !keys.any(|seen| (seen.order, seen.ledger) == (order, ledger)) {
                            broken.push(format!("{name} has no claim on {identity}"));
                        }
                    }
                }
                let log = LogKey {
                    program: id.clone(),
                    day: report.occurred_at.day(),
                    order,
                    ledger: Ledger(report.advocate),
                };
                if !stands(&log.to_string()) {
                    broken.push(format!("{name} is not listed"));
                }
            }
            // What the ledgers hold stands as an order, and what has happened to it is in them.
            let ledgers = LedgerKey::prefix(&[&id]);
            for (key, _) in kv.standing(&ledgers, now) {
                let key: LedgerKey = key.parse().unwrap();
                let is_report = key.fact.kind == FactKind::Conversion;
                let reports = oracle.reports.get(&key.order).into_iter().flatten();
                let same = reports.filter(|report| report.digest == key.fact.digest);
                let owners: Vec<_> = same.map(|report| report.advocate).collect();
                if is_report && owners.is_empty() {
                    broken.push(format!("half an order: {key}"));
                }
                // An order that came here by an approval that does not stand is refused whatever
                // happens to it.
                let is_theirs = !oracle.also.iter().any(|report| {
                    report.order == key.order && report.advocate == Some(key.customer)
                });
                // What two runs gave to two advocates, because the store was too late, is one's: the
                // other's is followed no more, and somebody was told.
                let was_told = self.mode == Mode::Beyond && self.breaches() > 0;
                let is_it = |other: &LedgerKey| {
                    other.order == key.order && other.fact.digest == key.fact.digest
                };
                let is_twice = || {
                    let keys = kv.ever(&ledgers).map(|(key, _)| key.parse::<LedgerKey>().unwrap());
                    keys.filter(is_it).any(|other| other.customer != key.customer)
                };
                let is_one = || owners.contains(&Some(key.customer)) && !is_twice();
                let is_theirs = is_theirs && (!was_told || is_one());
                if !is_report || !is_theirs {
                    continue;
                }
                let happened: BTreeSet<Digest> = oracle
                    .events
                    .get(&key.order)
                    .into_iter()
                    .flat_map(BTreeMap::values)
                    .map(|event| event.digest)
                    .collect();
                let prefix = LedgerKey::prefix(&[&id, &key.customer, &key.order]);
                let joined: BTreeSet<Digest> = kv
                    .standing(&prefix, now)
                    .map(|(key, _)| key.parse::<LedgerKey>().unwrap().fact.digest)
                    .collect();
                if !happened.is_subset(&joined) {
                    broken.push(format!("an event never came into the ledger: {key}"));
                }
            }
        }
        for text in broken {
            self.violate(text);
        }
        for index in 0..self.reports.len() {
            if !self.reports[index].answers.is_empty() && self.reports[index].program == program {
                self.check_kept_report(index, None);
            }
        }
    }
}
