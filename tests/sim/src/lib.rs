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

use mimalloc::MiMalloc;

mod accountant;
mod aliases;
mod checks;
mod coupons;
mod direction;
mod errands;
mod happenings;
mod hear;
mod hooks;
mod kv;
mod machine;
mod many;
mod missing;
mod oracle;
mod people;
mod place;
mod proofs;
mod random;
mod receivers;
mod replay;
mod requests;
mod schemes;
mod script;
mod shrink;
mod story;
mod tape;
mod terms;
mod told;

pub use many::many;
pub use passalong_core::mutation::{Mutation, set as break_rule};
pub use passalong_core::orders::state::Standing;
pub use script::Script;
pub use shrink::shrink;
pub use story::Mode;
pub use told::{Heard, Order, Told};

/// A history is made of millions of short texts.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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
    outcome(seed, story)
}

/// Lives through the history of a seed, and writes it down.
pub fn tape(seed: u64, mode: Mode) -> Script {
    let mut story = story::Story::new(seed, mode);
    *story.machine.direction.tape.borrow_mut() = Some(Vec::new());
    let start = script::Moment(story.began);
    story.live();
    let page = story.machine.kv.borrow().staleness.page;
    let steps = story.machine.direction.tape.borrow_mut().take().unwrap_or_default();
    let programs = story.programs.iter().map(|program| program.terms.clone()).collect();
    let (what, violation) = Default::default();
    let endpoints = story.hooks.made.clone();
    let beyond = mode == Mode::Beyond;
    Script { what, violation, beyond, told: false, start, page, programs, endpoints, steps }
}

/// Lives through a history that was written down.
pub fn replay(script: &Script) -> Outcome {
    let mut story = story::Story::of(script);
    story.act_out(script);
    for (step, rule) in story.machine.direction.unmet() {
        story.violate(format!("nothing meets a rule of step {}: {rule:?}", step + 1));
    }
    outcome(0, story)
}

fn outcome(seed: u64, mut story: story::Story) -> Outcome {
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
