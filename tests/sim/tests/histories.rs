//! What the simulator promises of the edge, and of itself: fixed histories pass, one seed is one
//! history, and no broken rule goes unnoticed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;

use passalong_sim::{Mode, Mutation, Outcome, Script, many, replay, run};

/// The histories of these seeds that broke a promise, and what was decided in all of them.
fn lived(seeds: u64, mode: Mode) -> (Vec<Outcome>, BTreeMap<String, u32>) {
    let found = Mutex::new((Vec::new(), BTreeMap::new()));
    many(1..=seeds, mode, None, |outcome| {
        let mut found = found.lock().unwrap();
        for (decision, count) in &outcome.decided {
            *found.1.entry(decision.clone()).or_insert(0) += count;
        }
        if !outcome.violations.is_empty() {
            found.0.push(outcome);
        }
        ControlFlow::Continue(())
    });
    found.into_inner().unwrap()
}

const DECISIONS: [&str; 66] = [
    "joined Bound",
    "joined Hand",
    "review claimed_by_hand",
    "admitted first",
    "admitted again",
    "admitted old",
    "event restored",
    "event amended",
    "event disputed",
    "event confirmed",
    "at rest approved",
    "at rest reversed",
    "at rest disputed",
    "at rest shrunk",
    "proven by token",
    "proven by code",
    "proven by alias",
    "proven by coupon",
    "proven after a bad proof",
    "refused clicked_later",
    "refused no_referral",
    "alias refused",
    "value credit",
    "value points",
    "value gift",
    "value storage_bytes",
    "value free_periods",
    "rate 2000",
    "rate 2500",
    "rate 3333",
    "coupon given",
    "coupon given to nobody",
    "expires 1",
    "milestone 2",
    "milestone 3",
    "review velocity",
    "review many_orders_one_click",
    "refused outside_window",
    "refused self_referral",
    "refused existing_customer",
    "refused friend_already_referred",
    "refused below_minimum",
    "refused excluded_item",
    "refused currency_mismatch",
    "refused cap_reached",
    "refused program_paused",
    "refused before_program",
    "refused conflicting_report",
    "refused refunded",
    "refused withdrawn",
    "refused cancelled",
    "refused chargeback",
    "refused declined",
    "alias owned",
    "alias reserved",
    "alias unknown",
    "alias lost",
    "told conversion.recorded",
    "told reward.approved",
    "told reward.refused",
    "told reward.reversed",
    "told reward.fulfilled",
    "told reward.expiring",
    "told review.requested",
    "told milestone.reached",
    "told pool.low",
];

#[test]
fn inside_the_bound_every_promise_is_kept() {
    let (found, decided) = lived(200, Mode::Inside);
    assert!(found.is_empty(), "replay with cargo xtask sim --seed N: {found:#?}");
    // What is not decided in any of them is not proven by them.
    for decision in DECISIONS {
        assert!(decided.contains_key(decision), "{decision} never happens: {decided:#?}");
    }
}

#[test]
fn beyond_the_bound_nothing_is_lost_and_a_breach_is_reported() {
    let (found, _) = lived(60, Mode::Beyond);
    assert!(found.is_empty(), "replay with cargo xtask sim --beyond --seed N: {found:#?}");
}

#[test]
fn one_seed_is_one_history() {
    let (first, second) = (run(3, Mode::Inside), run(3, Mode::Inside));
    assert_eq!(first, second);
    assert!(first.steps > 500 && first.reports > 5, "{first:?}");
    assert_ne!(first.digest, run(4, Mode::Inside).digest);
}

/// Each went wrong once; what is said of it is in its file. A rule that nothing meets any more is to be
/// written anew, or its history proves nothing.
#[test]
fn recorded_histories_keep_every_promise() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/histories")).unwrap();
    let mut lived = 0;
    for file in files {
        let file = file.unwrap().path();
        let script: Script =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let (what, lived_through) = (&script.what, replay(&script));
        let violations = lived_through.violations;
        assert!(violations.is_empty(), "{}: {what}: {violations:#?}", file.display());
        let is_told = lived_through.breaches > 0;
        assert!(is_told || !script.told, "{}: {what}: no breach is told", file.display());
        lived += 1;
    }
    assert!(lived >= 5, "{lived} files");
}

/// Each deliberate fault, with what it must be noticed by.
const NOTICED: [(Mutation, &str); 21] = [
    (Mutation::Counter, "clicks"),
    (Mutation::ApprovedWithoutVerdict, "without a verdict"),
    (Mutation::OrderFirst, "is not"),
    (Mutation::NoRetry, "503"),
    (Mutation::RankedByOccurrence, "the verdict on"),
    (Mutation::Adding, "clicks"),
    (Mutation::AliasAtOnce, "by the alias"),
    (Mutation::DrawnAtOnce, "coupon"),
    (Mutation::PaidAgain, "the verdict on"),
    (Mutation::HintsFromTokens, "the verdict on"),
    (Mutation::NewByShopOnly, "the verdict on"),
    (Mutation::OldOneHolds, "the verdict on"),
    (Mutation::ReversedBinds, "the verdict on"),
    (Mutation::ErasureForgets, "the verdict on"),
    (Mutation::AliasAsCoupon, "was taken for"),
    (Mutation::DeclinedHolds, "the verdict on"),
    (Mutation::EleventhCounts, "beyond ten a month"),
    (Mutation::FirstProof, "is not there"),
    (Mutation::NothingRestored, "the verdict on"),
    (Mutation::ToldAfter, "no webhook was announced before"),
    (Mutation::ToldByClock, "no webhook was announced before"),
];

/// No message of the API tells a state yet, so no random history does: a told one notices this.
const TOLD: [Mutation; 1] = [Mutation::HeardInTurn];

#[test]
fn every_broken_rule_is_noticed() {
    for (mutation, noticed) in NOTICED {
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
    assert_eq!(Mutation::ALL.len(), NOTICED.len() + TOLD.len(), "each has its line above");
}
