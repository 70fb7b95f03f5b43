//! The simulator: one seed, one history. The real handlers, store and cron of the edge run on this
//! machine against a model of Workers KV at its worst, while people do what people do; an oracle
//! that sees everything says what must come of it.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a tool of tests: what cannot be must end it"
)]

use std::collections::BTreeMap;

mod accountant;
mod aliases;
mod checks;
mod coupons;
mod hear;
mod kv;
mod machine;
mod many;
mod oracle;
mod people;
mod random;
mod requests;
mod story;
mod told;

pub use many::many;
pub use passalong_core::mutation::Mutation;
pub use story::Mode;
pub use told::{Heard, Order, Told};

/// What came of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    pub steps: u32,
    pub reports: usize,
    pub events: usize,
    /// Verdicts of which the Worker said that facts came too late for them.
    pub breaches: usize,
    /// A digest of everything that was ever written, and when.
    pub digest: u64,
    /// What was decided, by kind of value, reason and review: how often.
    pub decided: BTreeMap<String, u32>,
    pub violations: Vec<String>,
}

impl Outcome {
    fn panicked(seed: u64) -> Self {
        let violations = vec!["it panicked".to_owned()];
        Self {
            seed,
            steps: 0,
            reports: 0,
            events: 0,
            breaches: 0,
            digest: 0,
            decided: BTreeMap::new(),
            violations,
        }
    }
}

/// Lives through the history of a seed and checks it.
pub fn run(seed: u64, mode: Mode) -> Outcome {
    let mut story = story::Story::new(seed, mode);
    story.live();
    story.check_at_rest();
    Outcome {
        seed,
        steps: story.steps,
        reports: story.reports.len(),
        events: story.events.len(),
        breaches: story.breaches(),
        digest: story.machine.kv.borrow().digest(),
        decided: story.decided,
        violations: story.violations,
    }
}
