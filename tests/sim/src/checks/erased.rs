//! Nothing opens to the id of who was erased.

use passalong_core::seal::Sealed;

use crate::story::{DAY, Story};

impl Story {
    /// Nothing in the store opens to the id of who was erased.
    pub(super) fn check_erasures(&mut self, program: usize) {
        let of = &self.programs[program];
        let mut found = Vec::new();
        for ((_, customer), at) in self.erased.iter().filter(|((index, _), _)| *index == program) {
            let kv = self.machine.kv.borrow();
            for (key, put) in kv.standing("", self.now()) {
                let metadata =
                    put.metadata.as_ref().and_then(|metadata| metadata.get("s")?.as_str());
                let sealed = [Some(put.value.as_str()), metadata];
                let opens = |text: &str| {
                    of.keys.open(Sealed::Customer, text).is_some_and(|id| id == *customer)
                };
                // Who comes back after a week is a new customer.
                let is_new = kv.written_at(key, self.now()) > at + 7 * DAY;
                if !is_new && sealed.into_iter().flatten().any(opens) {
                    found.push(format!("{customer} was erased, and {key} opens to it"));
                }
            }
        }
        for text in found {
            self.violate(text);
        }
    }
}
