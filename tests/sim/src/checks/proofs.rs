//! Every report was taken for the proof that was to count.

use std::collections::BTreeSet;

use passalong_edge::keys::{LedgerKey, OrderKey};

use crate::oracle::Oracle;
use crate::proofs::Said;
use crate::story::{Mode, Story};

impl Story {
    /// Of the proofs of a report the one counted that was good and stood first, in the minute in which
    /// the report was accepted.
    pub(super) fn check_proofs(&mut self, program: usize, oracle: &Oracle) {
        if self.mode == Mode::Beyond {
            return;
        }
        let erased = self.ever_erased(program);
        let (mut wrong, mut seen) = (Vec::new(), Vec::new());
        {
            let id = self.programs[program].keys.program();
            let kv = self.machine.kv.borrow();
            for (key, _) in kv.ever(&OrderKey::prefix(&[id])) {
                // Decisions on missing referrals stand there, too.
                let Ok(key) = key.parse::<OrderKey>() else { continue };
                let Some(index) = self.by_digest.get(&(program, key.fact.digest)) else { continue };
                let sent = &self.reports[*index];
                let mut aliases = BTreeSet::new();
                // What was cut off and completed later was looked up when it came.
                let mut accepted = key.fact.accepted;
                if let Some(advocate) = sent.report.advocate {
                    let ledger = LedgerKey::prefix(&[id, &advocate, &sent.order]);
                    for (text, _) in kv.ever(&ledger) {
                        let own: LedgerKey = text.parse().unwrap();
                        if own.fact.digest == key.fact.digest {
                            accepted = accepted.min(own.fact.accepted);
                        }
                    }
                }
                let when = (sent.report.occurred_at, accepted);
                let right = oracle.proven(&sent.proofs, when, &mut aliases);
                for alias in &aliases {
                    let claims = oracle.aliases.get(alias);
                    seen.push(match right.map(|(place, _)| &sent.proofs[place]) {
                        Some(Said::Alias(_) | Said::Coupon(_)) => "alias owned",
                        _ if claims.is_none() => "alias unknown",
                        _ => "alias reserved",
                    });
                }
                // Who was erased gives way; what was decided before stands.
                let is_lost = |alias: &String| {
                    let mut claims = oracle.aliases.get(alias).into_iter().flatten();
                    claims.any(|(_, owner)| owner.is_none_or(|owner| erased.contains(&owner)))
                };
                if aliases.iter().any(is_lost) {
                    continue;
                }
                if let Some((place, _)) = right {
                    seen.push(match sent.proofs[place] {
                        Said::Click(..) => "proven by token",
                        Said::Code(_) => "proven by code",
                        Said::Alias(_) => "proven by alias",
                        Said::Coupon(_) => "proven by coupon",
                        Said::Broken => "proven by nothing",
                    });
                    if place > 0 {
                        seen.push("proven after a bad proof");
                    }
                }
                if sent.counted != right {
                    let (name, proofs) = (&sent.order_id, &sent.proofs);
                    let by = if aliases.is_empty() { "" } else { "by the alias: " };
                    wrong.push(format!(
                        "{by}{name} was taken for {:?}, and not for {right:?}, at {}: {proofs:?}",
                        sent.counted, accepted
                    ));
                }
            }
        }
        for what in seen {
            *self.decided.entry(what.to_owned()).or_default() += 1;
        }
        for text in wrong {
            self.violate(text);
        }
    }
}
