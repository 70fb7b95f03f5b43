//! A visitor counts once, and is not lost.

use std::collections::BTreeSet;

use passalong_core::time::Instant;
use passalong_edge::keys::{ClickKey, CustomerKey, Field};

use crate::story::{Mode, SECOND, Story};

impl Story {
    /// Unique clicks are the visitors, less those who were in a batch when its isolate died.
    pub(super) fn check_clicks(&mut self, program: usize) {
        let advocates = self.programs[program].advocates.clone();
        for (index, advocate) in advocates.iter().enumerate() {
            let died = self.machine.died.borrow().clone();
            let at_risk = |click: &&crate::story::Clicked| {
                let window = click.at - 15 * SECOND..click.at + 60 * SECOND;
                click.lost || died[click.isolate].iter().any(|at| window.contains(at))
            };
            let own = || {
                self.clicked
                    .iter()
                    .filter(|click| click.program == program && click.advocate == index)
            };
            let name = |click: &crate::story::Clicked| (click.day, click.visitor);
            let all: BTreeSet<_> = own().map(name).collect();
            let sure: BTreeSet<_> = own().filter(|click| !at_risk(click)).map(name).collect();
            let told = self.me(program, 0, advocate).1["totals"]["clicks"].as_u64().unwrap_or(0);
            // A day is folded once its clicks are surely there; beyond the bound they may not be.
            let is_known = self.mode == Mode::Inside && !self.is_new_at_rest(program, advocate);
            let least = if is_known { sure.len() } else { 0 };
            if !(least as u64..=all.len() as u64).contains(&told) {
                let raw = {
                    let kv = self.machine.kv.borrow();
                    let of = &self.programs[program];
                    let customer = of.pseudonym(advocate);
                    let prefix = ClickKey::prefix(&[of.keys.program()]);
                    kv.ever(&prefix)
                        .filter(|(key, _)| {
                            key.parse::<ClickKey>().is_ok_and(|key| key.customer == customer)
                        })
                        .count()
                };
                self.violate(format!(
                    "{advocate} has {told} clicks, and not {} to {}; {raw} batches",
                    sure.len(),
                    all.len()
                ));
            }
        }
    }

    /// Whether a customer was not written down before all came to rest: the tombstone of an erasure ended
    /// since. Who is unknown is told nothing of the past.
    fn is_new_at_rest(&self, program: usize, customer: &str) -> bool {
        let of = &self.programs[program];
        let (id, customer) = (of.keys.program().clone(), of.pseudonym(customer));
        let written = CustomerKey { program: id, customer, field: Field::Id }.to_string();
        let written = self.machine.kv.borrow().written_at(&written, self.now());
        let rests_since = self.rests_since.map_or(i64::MAX, Instant::seconds);
        i64::try_from(written / 1_000).unwrap() >= rests_since
    }
}
