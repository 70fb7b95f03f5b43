//! What the simulator promises of the edge, and of itself: fixed histories pass, one seed is one
//! history, and no broken rule goes unnoticed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;
use std::sync::Mutex;

use passalong_sim::{Mode, Mutation, Outcome, many, run};

/// The histories of these seeds that broke a promise.
fn broken(seeds: u64, mode: Mode) -> Vec<Outcome> {
    let found = Mutex::new(Vec::new());
    many(1..=seeds, mode, None, |outcome| {
        if !outcome.violations.is_empty() {
            found.lock().unwrap().push(outcome);
        }
        ControlFlow::Continue(())
    });
    found.into_inner().unwrap()
}

#[test]
fn inside_the_bound_every_promise_is_kept() {
    let found = broken(200, Mode::Inside);
    assert!(found.is_empty(), "replay with cargo xtask sim --seed N: {found:#?}");
}

#[test]
fn beyond_the_bound_nothing_is_lost_and_a_breach_is_reported() {
    let found = broken(60, Mode::Beyond);
    assert!(found.is_empty(), "replay with cargo xtask sim --beyond --seed N: {found:#?}");
}

#[test]
fn one_seed_is_one_history() {
    let (first, second) = (run(3, Mode::Inside), run(3, Mode::Inside));
    assert_eq!(first, second);
    assert!(first.steps > 500 && first.reports > 5, "{first:?}");
    assert_ne!(first.digest, run(4, Mode::Inside).digest);
}

/// Each deliberate fault, with what it must be noticed by.
#[test]
fn every_broken_rule_is_noticed() {
    for (mutation, noticed) in [
        (Mutation::Counter, "clicks"),
        (Mutation::ApprovedWithoutVerdict, "without a verdict"),
        (Mutation::OrderFirst, "is not"),
        (Mutation::NoRetry, "503"),
        (Mutation::RankedByOccurrence, "the verdict on"),
        (Mutation::Adding, "clicks"),
        (Mutation::DrawnAtOnce, "coupon"),
    ] {
        let found = Mutex::new(None);
        many(1..=10_000, Mode::Inside, Some(mutation), |outcome| {
            match outcome.violations.iter().find(|violation| violation.contains(noticed)) {
                Some(violation) => {
                    found.lock().unwrap().get_or_insert((outcome.seed, violation.clone()));
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            }
        });
        let found = found.into_inner().unwrap();
        println!("{mutation:?}: {found:?}");
        assert!(found.is_some(), "{mutation:?} passed 10,000 histories");
    }
    assert_eq!(Mutation::ALL.len(), 7, "each has its line above");
}
