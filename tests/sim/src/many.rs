//! Many histories on all cores.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use passalong_core::mutation::{self, Mutation};

use crate::{Mode, Outcome, run};

/// Lives through the histories of these seeds and hands each to `heard`, until that says stop. A
/// panic is a violation.
pub fn many(
    seeds: std::ops::RangeInclusive<u64>,
    mode: Mode,
    broken: Option<Mutation>,
    heard: impl Fn(Outcome) -> ControlFlow<()> + Sync,
) {
    let next = AtomicU64::new(*seeds.start());
    let stop = AtomicBool::new(false);
    let work = || {
        mutation::set(broken);
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > *seeds.end() {
                return;
            }
            let lived = std::panic::catch_unwind(|| run(seed, mode));
            let outcome = lived.unwrap_or_else(|_| Outcome::panicked(seed));
            if heard(outcome).is_break() {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
}
