//! What was handed over stays as it was.

use passalong_core::reward::RewardId;
use serde_json::Value;

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
            let Ok(RewardId::Order { order, .. }) = id.parse() else { continue };
            let name = self.name(program, order);
            let place = orders.iter().position(|order| *order == name);
            let rewards = place.and_then(|place| heard[place].1["rewards"].as_array().cloned());
            let reward = rewards.into_iter().flatten().find(|reward| reward["id"] == id.as_str());
            // Of two verdicts that a late store let two runs give, one stands, and somebody was told.
            let was_told = self.mode == Mode::Beyond && self.breaches() > 0;
            let Some(reward) = reward else {
                if was_told {
                    continue;
                }
                changed.push(format!("{name}: a fulfilled reward is gone"));
                continue;
            };
            // Two who handed it over at once are told of each other later.
            let again = reward["overpaid"].as_array().cloned().unwrap_or_default();
            // Two tries in one minute may have been told two values, of which the least stands.
            let told = |answer: &Value, paid: &Value| {
                let tries = answers.iter().filter(|one| one["reference"] == answer["reference"]);
                tries
                    .filter(|one| one["since"] == answer["since"])
                    .any(|one| one["value"] == paid["value"])
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
                    answer[name] == reward["since"] || is_gone
                });
            if !((reward["status"] == "fulfilled" || ended) && same || was_told) {
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
}

/// What is left of a reward that was handed over, less what was taken back.
fn left(reward: &Value) -> i64 {
    let amount = |value: &Value| value["amount"].as_i64().unwrap_or(0);
    let entries = reward["entries"].as_array().into_iter().flatten();
    amount(&reward["value"]) + entries.map(|entry| amount(&entry["value"])).sum::<i64>()
}
