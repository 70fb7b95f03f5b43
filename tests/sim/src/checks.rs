//! What must hold: while the story goes on, and when all is quiet. One file for each promise.

use passalong_core::fact::Fact;
use passalong_core::ids::OrderPseudonym;
use passalong_edge::keys::LedgerKey;
use passalong_edge::store::Put;
use serde::de::DeserializeOwned;

use crate::story::{MINUTE, Story};

mod answers;
mod claimed;
mod clicks;
mod erased;
mod evidence;
mod fulfilled;
mod joined;
mod kept;
mod proofs;
mod shown;
mod standing;
mod verdicts;
mod webhooks;
mod whole;

/// Besides the bound, the clocks' error and the time a request takes.
const LATITUDE: u64 = 3 * MINUTE;

/// What rides in the metadata of a key.
fn read<T: DeserializeOwned>(put: &Put) -> T {
    T::deserialize(put.metadata.as_deref().unwrap()).unwrap()
}

/// The fact under a key of a ledger.
fn fact(key: &LedgerKey, put: &Put) -> Option<Fact> {
    Fact::from_json(key.fact.kind, put.metadata.as_deref()?)
}

impl Story {
    /// All that must hold when nothing is going on any more.
    pub fn check_at_rest(&mut self) {
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.kv.borrow_mut().staleness.flapping = 0;
        self.machine.now.set(self.now() + bound + LATITUDE);
        for program in 0..self.programs.len() {
            self.at_rest = None;
            self.rests_since = None;
            let oracle = self.oracle(program);
            self.check_wholeness(program, &oracle);
            self.check_verdicts(program, &oracle);
            self.check_erasures(program);
            self.check_proofs(program, &oracle);
            self.check_claimed(program);
            self.check_webhooks(program);
            self.check_answers(program, &oracle);
            self.check_aliases(program);
            self.check_money(program);
            self.check_clicks(program);
            self.check_coupons(program);
            self.check_coupons_shown(program);
        }
    }

    pub fn name(&self, program: usize, order: OrderPseudonym) -> String {
        let mut sent =
            self.reports.iter().filter(|sent| sent.program == program && sent.order == order);
        sent.next().map_or_else(|| order.to_string(), |sent| sent.order_id.clone())
    }
}
