//! Missing referrals: customers say that orders were theirs to refer: orders that brought no proof,
//! and their own, those of strangers, those that somebody else proved, and some that do not exist. The
//! merchant reads what was found and approves, declines, leaves it, or decides twice.

use passalong_core::time::Instant;
use serde_json::{Value, json};

use crate::story::{DAY, HOUR, MINUTE, SECOND, Story, What};

/// How long the merchant takes to decide: before it can be known, within a hold, and after it.
const TAKES: [u64; 6] = [0, 12 * MINUTE, 15 * MINUTE, 75 * MINUTE, 6 * HOUR, 3 * DAY];

impl Story {
    /// A customer misses an order; some name one that brought another proof, or the wrong day.
    pub(crate) fn claim(&mut self, program: usize) {
        if self.random.permille(60) {
            return self.claim_everything(program);
        }
        // Now and then two customers miss the same order.
        let people = if self.random.permille(200) { 2 } else { 1 };
        let Some(order_id) = self.missed_order(program) else { return };
        let day = i64::try_from(self.now() / DAY).unwrap() - self.random.pick(&[0, 0, 0, 1, 2]);
        let day = Instant::from_seconds(day * 86_400).day().dashed();
        for _ in 0..people {
            let person = if self.random.permille(850) {
                self.random.index(3)
            } else {
                // The friend who bought it, perhaps.
                3 + self.random.index(4)
            };
            let mut body = json!({ "order_id": order_id, "ordered_on": day });
            if self.random.permille(300) {
                let number = order_id.replace("A-", "#");
                body = json!({ "order_number": number, "ordered_on": day });
            }
            let wait = self.random.pick(&[0, SECOND, 3 * MINUTE]);
            self.errand(What::Claim { program, person }, Some(body), wait);
        }
    }

    /// Somebody files more than a month has room for: ten on nothing, then on whatever was ordered.
    fn claim_everything(&mut self, program: usize) {
        let person = self.random.index(3);
        let day = Instant::from_seconds(i64::try_from(self.now() / SECOND).unwrap()).day().dashed();
        let nothing = (0..10).map(|number| format!("Y-{number}"));
        let mut filed: Vec<(String, u64)> = nothing.map(|order| (order, SECOND)).collect();
        for _ in 0..3 {
            filed.extend(self.missed_order(program).map(|order| (order, 12 * MINUTE)));
        }
        for (order_id, wait) in filed {
            let body = json!({ "order_id": order_id, "ordered_on": day });
            self.errand(What::Claim { program, person }, Some(body), wait);
        }
    }

    fn missed_order(&mut self, program: usize) -> Option<String> {
        let unproven = |sent: &&crate::story::SentReport| {
            sent.program == program && sent.report.advocate.is_none()
        };
        let missed: Vec<String> =
            self.reports.iter().filter(unproven).map(|sent| sent.order_id.clone()).collect();
        match self.random.below(20) {
            0 => Some(format!("Z-{}", self.random.below(9))),
            1 => Some(format!("A-{}", self.serial + 1)),
            2..5 => self.some_order(program),
            _ if missed.is_empty() => self.some_order(program),
            _ => {
                // The latest are the ones people remember.
                let from = missed.len().saturating_sub(6);
                Some(missed[from + self.random.index(missed.len() - from)].clone())
            }
        }
    }

    /// The merchant has read which missing referrals were found.
    pub(crate) fn hear_of_claims(&mut self, program: usize, body: &Value) {
        for claim in body["claims"].as_array().cloned().unwrap_or_default() {
            if claim["reason"] == "claimed_by_hand" {
                *self.decided.entry("review claimed_by_hand".to_owned()).or_default() += 1;
            }
            if self.machine.direction.is_scripted() {
                continue;
            }
            let decisions: &[&'static str] = match self.random.below(20) {
                0..11 => &["approve"],
                11..15 => &["decline"],
                15 => &["approve", "decline"],
                16 => &["decline", "approve"],
                _ => &[],
            };
            let Some(id) = claim["id"].as_str() else { continue };
            let customer = claim["customer_id"].as_str().map(str::to_owned);
            // Some forget to say whose report they mean.
            let customer = customer.filter(|_| !self.random.permille(50));
            let mut wait = self.random.pick(&TAKES);
            for decision in decisions {
                let (id, customer) = (id.to_owned(), customer.clone());
                self.errand(What::Review { program, id, decision, customer }, None, wait);
                wait += self.random.pick(&[0, SECOND, 5 * MINUTE]);
            }
        }
    }
}
