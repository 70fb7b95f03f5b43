//! Ten missing referrals a month and customer count, whatever was filed besides.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Fact, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, OrderNumber};
use passalong_core::time::Minute;
use passalong_edge::keys::{FiledKey, LedgerKey, MissingKey, Posted};

use super::fact;
use crate::story::{Mode, Story};

/// So many count.
const A_MONTH: usize = 10;

type Filed = BTreeMap<CustomerPseudonym, BTreeSet<(Minute, Digest)>>;

/// Whether one that was filed in that minute can be among the first of its month.
fn counts(filed: &Filed, customer: CustomerPseudonym, at: Minute) -> bool {
    let month = |minute: Minute| minute.to_string()[..6].to_owned();
    let of_month = filed.get(&customer).into_iter().flatten();
    let of_month: Vec<_> = of_month.filter(|(minute, _)| month(*minute) == month(at)).collect();
    // What was sent twice counts once.
    let mut first: BTreeMap<Digest, Minute> = BTreeMap::new();
    for (minute, digest) in &of_month {
        let slot = first.entry(*digest).or_insert(*minute);
        *slot = (*slot).min(*minute);
    }
    let mut minutes: Vec<Minute> = first.values().copied().collect();
    minutes.sort_unstable();
    let Some(last) = minutes.get(A_MONTH - 1) else { return true };
    // One that was cut off and sent again counts from when it was sent first.
    let mut same = of_month.iter().filter(|(minute, _)| *minute == at);
    same.any(|(_, digest)| first[digest] <= *last)
}

impl Story {
    /// No order came into a ledger by a report that does not count.
    pub(super) fn check_claimed(&mut self, program: usize) {
        // Who sees the reports of hours ago only takes more of them.
        if self.mode == Mode::Beyond {
            return;
        }
        let mut wrong = Vec::new();
        {
            let id = self.programs[program].keys.program();
            let kv = self.machine.kv.borrow();
            let mut filed = Filed::new();
            for (key, _) in kv.ever(&FiledKey::prefix(&[id])) {
                let FiledKey { customer, filed: Posted(at, digest), .. } = key.parse().unwrap();
                filed.entry(customer).or_default().insert((at, digest));
            }
            let missing: Vec<MissingKey> =
                kv.ever(&MissingKey::prefix(&[id])).map(|(key, _)| key.parse().unwrap()).collect();
            for (key, put) in kv.ever(&LedgerKey::prefix(&[id])) {
                let key: LedgerKey = key.parse().unwrap();
                let Some(Fact::Conversion(conversion)) = fact(&key, put) else { continue };
                if conversion.via != Via::Hand {
                    continue;
                }
                let number: OrderNumber = self.name(program, key.order).parse().unwrap();
                let number = self.programs[program].keys.order_number(&number);
                let is_it =
                    |one: &&MissingKey| one.number == number && one.filed.customer == key.customer;
                let mut own = missing.iter().filter(is_it);
                if !own.any(|one| counts(&filed, key.customer, one.filed.at)) {
                    wrong.push(key.order);
                }
            }
        }
        for order in wrong {
            let name = self.name(program, order);
            self.violate(format!("{name} came by a report beyond ten a month"));
        }
    }
}
