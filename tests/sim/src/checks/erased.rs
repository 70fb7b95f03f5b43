//! Nothing opens to the id of who was erased.

use passalong_core::seal::Sealed;
use passalong_edge::metadata;

use serde::Deserialize as _;

use crate::story::{DAY, Story};

impl Story {
    /// Nothing in the store opens to the id of who was erased.
    pub(super) fn check_erasures(&mut self, program: usize) {
        let of = &self.programs[program];
        let erased = self.erased.iter().filter(|((index, _), _)| *index == program);
        let erased: Vec<(&String, &u64)> = erased.map(|((_, id), at)| (id, at)).collect();
        if erased.is_empty() {
            return;
        }
        let mut found = Vec::new();
        let kv = self.machine.kv.borrow();
        for (key, put) in kv.standing("", self.now()) {
            let metadata = put.metadata.as_deref().map(metadata::Sealed::deserialize);
            let listed = metadata.and_then(Result::ok).map(|listed| listed.sealed);
            let sealed = [Some(put.value.as_str()), listed.as_deref()];
            let open = |text: &str| of.keys.open(Sealed::Customer, text);
            for opened in sealed.into_iter().flatten().filter_map(open) {
                for (customer, at) in erased.iter().filter(|(customer, _)| **customer == opened) {
                    // Who comes back after a week is a new customer.
                    if kv.written_at(key, self.now()) <= *at + 7 * DAY {
                        found.push(format!("{customer} was erased, and {key} opens to it"));
                    }
                }
            }
        }
        drop(kv);
        for text in found {
            self.violate(text);
        }
    }
}
