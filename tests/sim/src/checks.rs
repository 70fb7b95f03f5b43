//! What must hold: while the story goes on, and when all is quiet. One file for each promise.

use passalong_core::ids::OrderPseudonym;

use crate::story::{MINUTE, Story};

mod answers;
mod clicks;
mod erased;
mod evidence;
mod fulfilled;
mod joined;
mod kept;
mod shown;
mod verdicts;
mod webhooks;
mod whole;

/// Besides the bound, the clocks' error and the time a request takes.
const LATITUDE: u64 = 3 * MINUTE;

impl Story {
    /// All that must hold when nothing is going on any more.
    pub fn check_at_rest(&mut self) {
        let bound = self.machine.kv.borrow().staleness.bound;
        self.machine.kv.borrow_mut().staleness.flapping = 0;
        self.machine.now.set(self.now() + bound + LATITUDE);
        for program in 0..self.programs.len() {
            let oracle = self.oracle(program);
            self.check_wholeness(program, &oracle);
            self.check_verdicts(program, &oracle);
            self.check_erasures(program);
            self.check_aliases(program);
            self.check_webhooks(program);
            self.check_answers(program, &oracle);
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
