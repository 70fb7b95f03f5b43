//! When all is quiet: what a history shows is asked for and held against the bounds.

use passalong_core::time::Day;

use super::Shown;
use crate::requests::identity_token;
use crate::story::{Mode, Story};

/// The ten weeks until that day.
pub fn fortnights(today: Day) -> Vec<(String, String)> {
    let begins = (0..5).map(|n| today.plus(14 * n - 69));
    begins.map(|day| (day.dashed(), day.plus(13).dashed())).collect()
}

impl Story {
    /// What everybody is shown of their money is what the accountant allows.
    pub(crate) fn check_money(&mut self, program: usize) {
        if self.mode == Mode::Beyond {
            return;
        }
        let of = &self.programs[program];
        let (id, key) = (of.id.clone(), of.api_key.clone());
        let people = of.advocates.iter().chain(&of.friends).cloned();
        let people: Vec<(String, String)> = people
            .map(|name| {
                let now = self.signs_at(0);
                let token = identity_token(&of.identity_secret, &id, &name, &[], None, now);
                (name, token)
            })
            .collect();
        let days = fortnights(self.machine.instant(0).day());
        let shown = Shown::gather(&key, &people, &days, |asked| self.ask(0, asked));
        let wrong = self.ledgerbook.borrow().check(&id, &shown);
        for text in wrong {
            self.violate(format!("the accountant: {text}"));
        }
    }
}
