//! What was acknowledged is there.

use passalong_core::time::Minute;
use passalong_edge::keys::{EventKey, MissingKey, OrderKey};

use crate::story::Story;

impl Story {
    /// A report that was acknowledged is in the store, under a minute not later than its own.
    pub fn check_kept_report(&mut self, index: usize, accepted: Option<Minute>) {
        let sent = &self.reports[index];
        let program = self.programs[sent.program].keys.program().clone();
        let prefix = OrderKey::prefix(&[&program, &sent.order]);
        let is_it = |key: &str, _: &_| {
            let Ok(key) = key.parse::<OrderKey>() else { return false };
            let in_time = accepted.is_none_or(|accepted| key.fact.accepted <= accepted);
            sent.readings.contains(&key.fact.digest) && in_time
        };
        let kept = self.machine.kv.borrow().committed(&prefix, self.now(), is_it);
        if !kept {
            self.violate(format!(
                "{} was acknowledged and is not there",
                self.reports[index].order_id
            ));
        }
    }

    pub fn check_kept_event(&mut self, index: usize) {
        let sent = &self.events[index];
        let program = self.programs[sent.program].keys.program().clone();
        let prefix = EventKey::prefix(&[&program, &sent.order]);
        let is_it = |key: &str, _: &_| {
            let key: EventKey = key.parse().unwrap();
            key.fact.digest == sent.digest
        };
        let kept = self.machine.kv.borrow().committed(&prefix, self.now(), is_it);
        if !kept {
            self.violate(format!(
                "event {} was acknowledged and is not there",
                self.events[index].event
            ));
        }
    }

    /// A claim that was acknowledged is there.
    pub fn check_kept_claim(&mut self, program: usize, person: usize) {
        let of = &self.programs[program];
        let customer = of.pseudonym(of.people().nth(person).unwrap());
        let prefix = MissingKey::prefix(&[of.keys.program()]);
        let kept = self.machine.kv.borrow().committed(&prefix, self.now(), |key, _| {
            key.parse::<MissingKey>().unwrap().filed.customer == customer
        });
        if !kept {
            self.violate("a claim was acknowledged and is not there");
        }
    }
}
