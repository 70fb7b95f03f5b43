//! What was handed over stays as it was.

use std::collections::BTreeSet;

use passalong_core::fact::{Fact, FactKind};
use passalong_core::ids::{Digest, OrderPseudonym};
use passalong_core::reward::{RewardId, Role};
use passalong_edge::keys::{EventKey, LedgerKey, OrderKey};
use serde_json::Value;

use super::fact;
use crate::story::{Answered, Mode, Story};

impl Story {
    /// What was handed over stays, as it was handed over first, until it ends as was said then.
    pub(super) fn check_fulfilled(
        &mut self,
        program: usize,
        orders: &[String],
        heard: &[Answered],
    ) {
        let mut changed = Vec::new();
        for ((of, id), answers) in &self.fulfilled {
            if *of != program {
                continue;
            }
            let Ok(RewardId::Order { order, role }) = id.parse() else { continue };
            let name = self.name(program, order);
            let place = orders.iter().position(|order| *order == name);
            let rewards = place.and_then(|place| heard[place].1["rewards"].as_array().cloned());
            let reward = rewards.into_iter().flatten().find(|reward| reward["id"] == id.as_str());
            // Where a late store let two advocates have an order, or two runs decide it in two ways, one
            // verdict stands, and somebody was told.
            let is_beyond = self.mode == Mode::Beyond;
            let is_lost = is_beyond && self.breaches() > 0 && self.is_told_twice(program, order);
            let Some(reward) = reward else {
                if is_lost {
                    continue;
                }
                changed.push(format!("{name}: a fulfilled reward is gone"));
                continue;
            };
            // Two who handed it over at once are told of each other later.
            let again = reward["overpaid"].as_array().cloned().unwrap_or_default();
            // Of two tries in one minute the lesser counts, by whoever knew more of what was taken back.
            // Beyond the bound a repeat may be answered where neither the first nor a refund is seen yet.
            let has_events = self.has_events(program, order);
            let is_raced = is_beyond || self.is_handed_over_at_once(program, (order, role));
            let told = |answer: &Value, paid: &Value| {
                let amount = |of: &Value| of["value"]["amount"].as_i64().unwrap_or(0);
                paid["value"] == answer["value"]
                    || (has_events
                        && is_raced
                        && (paid["since"] == answer["since"] || is_beyond)
                        && amount(paid) < amount(answer))
                    // What a refund had left by then is what the first comes to.
                    || (has_events
                        && is_beyond
                        && left(paid) == amount(answer)
                        && amount(paid) != 0)
            };
            let same = answers.iter().all(|answer| {
                let mut paid = again.iter().chain([&reward]);
                paid.any(|paid| answer["reference"] == paid["reference"] && told(answer, paid))
            });
            let ended = reward["status"] == "expired"
                && answers.iter().any(|answer| {
                    // Whoever asked again after the end was told of it. What was wholly taken back then
                    // had no end to tell.
                    let name = if answer["status"] == "expired" { "since" } else { "until" };
                    let is_gone = answer["entries"].is_array() && left(answer) == 0;
                    answer[name] == reward["since"] || (is_gone && answer[name].is_null())
                });
            if !((reward["status"] == "fulfilled" || ended) && same || is_lost) {
                changed.push(format!("{name}: fulfilled as {answers:?}, and now {reward}"));
            }
            if left(&reward) < 0 {
                changed.push(format!("{name}: more was taken back than given: {reward}"));
            }
        }
        for text in changed {
            self.violate(text);
        }
    }

    /// Whether an order was reported in two ways, of which the first may name another advocate, or was
    /// decided in two ways.
    fn is_told_twice(&self, program: usize, order: OrderPseudonym) -> bool {
        let id = self.programs[program].keys.program();
        let kv = self.machine.kv.borrow();
        let (reports, ledgers) = (OrderKey::prefix(&[id, &order]), LedgerKey::prefix(&[id]));
        let reports = kv.ever(&reports).filter_map(|(key, _)| key.parse::<OrderKey>().ok());
        let facts = kv.ever(&ledgers).map(|(key, _)| key.parse::<LedgerKey>().unwrap());
        let verdicts = facts.filter(|key| key.order == order && key.fact.kind == FactKind::Verdict);
        let reports: BTreeSet<Digest> = reports.map(|key| key.fact.digest).collect();
        let verdicts: BTreeSet<Digest> = verdicts.map(|key| key.fact.digest).collect();
        reports.len() > 1 || verdicts.len() > 1
    }

    /// Whether two hand-overs of one reward were written in one minute.
    fn is_handed_over_at_once(
        &self,
        program: usize,
        (order, role): (OrderPseudonym, Role),
    ) -> bool {
        let ledgers = LedgerKey::prefix(&[self.programs[program].keys.program()]);
        let kv = self.machine.kv.borrow();
        let facts = kv.ever(&ledgers).filter_map(|(key, put)| {
            let key = key.parse::<LedgerKey>().unwrap();
            let Some(Fact::Fulfilment(of)) = fact(&key, put) else { return None };
            let is_it = key.order == order && of.role == role && of.milestone.is_none();
            (is_it && of.entry.is_none()).then_some((key.fact.accepted, key.fact.digest))
        });
        let facts: BTreeSet<_> = facts.collect();
        let minutes: BTreeSet<_> = facts.iter().map(|(minute, _)| *minute).collect();
        facts.len() > minutes.len()
    }

    fn has_events(&self, program: usize, order: OrderPseudonym) -> bool {
        let prefix = EventKey::prefix(&[self.programs[program].keys.program(), &order]);
        self.machine.kv.borrow().ever(&prefix).next().is_some()
    }
}

/// What is left of a reward that was handed over, less what was taken back.
fn left(reward: &Value) -> i64 {
    let amount = |value: &Value| value["amount"].as_i64().unwrap_or(0);
    let entries = reward["entries"].as_array().into_iter().flatten();
    amount(&reward["value"]) + entries.map(|entry| amount(&entry["value"])).sum::<i64>()
}
