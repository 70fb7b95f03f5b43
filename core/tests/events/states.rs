//! A shop tells how an order stands; what changed is derived.

use passalong_core::fact::{Fact, FactKey};
use passalong_core::orders::state::Standing::{
    self, Cancelled, Chargeback, Disputed, Open, Withdrawn,
};
use passalong_core::orders::state::{State, StateReport};
use passalong_core::report::{EventType, Item};
use passalong_core::reward::{Reason, Role, Status};
use passalong_core::settlement::Remaining;
use passalong_core::time::{Instant, MINUTE, Minute};
use proptest::prelude::*;

use super::{all, brief, start};
use crate::support::{Scene, credit, day, digest, minutes};

/// States one minute after the other, by the shop's clock and ours.
fn told(states: &[(i64, i64, Standing)]) -> Scene {
    states.iter().zip(0..).fold(Scene::plain(), |scene, ((amount, refunded, standing), n)| {
        scene.state(minutes(day(3), n), start(3).plus(n * MINUTE), (*amount, *refunded), *standing)
    })
}

#[test]
fn what_changed_between_two_states_counts_as_if_it_had_been_told() {
    let nothing = |reason| (0, Some(reason));
    for (name, states, left) in [
        ("as it was reported", vec![(5000, 0, Open)], (5000, None)),
        ("edited", vec![(4000, 0, Open)], (4000, None)),
        ("edited and back", vec![(4000, 0, Open), (5000, 0, Open)], (5000, None)),
        ("edited to nothing", vec![(0, 0, Open)], nothing(Reason::Cancelled)),
        ("refunded", vec![(5000, 1000, Open)], (4000, None)),
        ("refunded more", vec![(5000, 1000, Open), (5000, 1500, Open)], (3500, None)),
        ("a refund deleted", vec![(5000, 1500, Open), (5000, 500, Open)], (4500, None)),
        ("all refunds deleted", vec![(5000, 1500, Open), (5000, 0, Open)], (5000, None)),
        ("refunded beyond the goods", vec![(5000, 5480, Open)], nothing(Reason::Refunded)),
        ("cancelled", vec![(5000, 0, Cancelled)], nothing(Reason::Cancelled)),
        ("told again", vec![(5000, 0, Cancelled); 2], nothing(Reason::Cancelled)),
        ("cancelled and back", vec![(5000, 0, Cancelled), (5000, 0, Open)], (5000, None)),
        (
            "cancelled, paid back, and open again",
            vec![(5000, 0, Cancelled), (5000, 5000, Cancelled), (5000, 0, Open)],
            (5000, None),
        ),
        (
            "open again with what was paid back",
            vec![(5000, 900, Cancelled), (5000, 900, Open)],
            (4100, None),
        ),
        (
            "another end",
            vec![(5000, 0, Cancelled), (5000, 0, Withdrawn)],
            nothing(Reason::Withdrawn),
        ),
        (
            "a dispute lost",
            vec![(5000, 0, Disputed), (5000, 0, Chargeback)],
            nothing(Reason::Chargeback),
        ),
        ("a dispute won", vec![(5000, 0, Disputed), (5000, 0, Open)], (5000, None)),
        ("in dispute", vec![(5000, 0, Disputed)], (5000, None)),
    ] {
        let scene = told(&states);
        assert_eq!(all(&scene), left, "{name}");
        let disputed = states.last().unwrap().2 == Disputed;
        assert_eq!(scene.left(None).disputed.is_some(), disputed, "{name}");
    }
}

/// What two states come to, each accepted when `accepted` says, `a` before `b` by the shop's time.
fn both(accepted: [Minute; 2], a: (i64, i64, Standing), b: (i64, i64, Standing)) -> Scene {
    Scene::plain().state(accepted[0], start(3), (a.0, a.1), a.2).state(
        accepted[1],
        start(3).plus(30),
        (b.0, b.1),
        b.2,
    )
}

#[test]
fn a_state_that_is_heard_before_the_one_it_follows_gives_the_same_result() {
    let (early, late) = (day(4), minutes(day(4), 7));
    let mut states = Vec::new();
    for standing in Standing::ALL {
        for (amount, refunded) in [(5000, 0), (4000, 1000), (5000, 5000), (0, 0), (0, 5000)] {
            states.push((amount, refunded, *standing));
        }
    }
    for first in &states {
        for second in &states {
            let straight = both([early, late], *first, *second);
            let swapped = both([late, early], *first, *second);
            let together = both([late, late], *first, *second);
            // When the shop's word was heard differs; what it said does not.
            let said = |scene: &Scene| {
                let left = scene.left(None);
                let (disputed, confirmed) = (left.disputed.map(|_| late), None);
                Remaining { disputed, confirmed, ..left }
            };
            assert_eq!(said(&straight), said(&together), "{first:?} {second:?}");
            assert_eq!(said(&straight), said(&swapped), "{first:?} {second:?}");
            assert_eq!(straight.settle(), swapped.settle());
        }
    }
}

#[test]
fn only_what_was_accepted_by_then_counts() {
    let swapped = both([minutes(day(4), 7), day(4)], (5000, 0, Cancelled), (5000, 0, Open));
    assert_eq!(brief(swapped.left(Some(minutes(day(4), 6)))), (5000, None));
    let straight = both([day(4), minutes(day(4), 7)], (5000, 0, Cancelled), (5000, 0, Open));
    assert_eq!(brief(straight.left(Some(minutes(day(4), 6)))), (0, Some(Reason::Cancelled)));
    assert_eq!(brief(straight.left(Some(minutes(day(4), 7)))), (5000, None));
}

#[test]
fn states_and_events_stand_side_by_side() {
    let cancelled = told(&[(5000, 0, Cancelled)]);
    let restored = cancelled.clone().event(EventType::Restored, day(4), None);
    assert_eq!(all(&restored), (5000, None), "the last reversal is what a state told");
    let again = restored.state(day(5), start(5), (5000, 0), Cancelled);
    assert_eq!(all(&again), (5000, None), "the shop tells what was restored again");
    let open = cancelled.event(EventType::Withdrawn, day(4), None);
    let open = open.state(day(5), start(5), (5000, 0), Open);
    assert_eq!(all(&open), (0, Some(Reason::Withdrawn)), "a state restores what states told");
    let amended = told(&[(4000, 0, Open)]).event(EventType::Amended, day(4), Some(3000));
    let amended = amended.state(day(5), start(5), (4000, 0), Open);
    assert_eq!(all(&amended), (3000, None), "a total that has not changed amends nothing");
}

#[test]
fn after_the_verdict_a_late_word_of_what_is_over_takes_nothing() {
    let open = Scene::plain().delivered(day(1)).state(day(3), start(3), (5000, 0), Open);
    let late = open.clone().state(day(40), start(2), (5000, 1000), Open);
    assert_eq!(late.decided_rewards()[0].value, credit(1000));
    let later = open.state(day(40), start(4), (5000, 1000), Open);
    assert_eq!(later.decided_rewards()[0].value, credit(800));
    let paid = later.fulfilled(Role::Advocate, credit(1000), day(30));
    let reward = paid.decided_rewards().remove(0);
    assert_eq!((reward.status, reward.value), (Status::Fulfilled, credit(1000)));
    let [entry] = reward.entries[..] else { panic!("{reward:?}") };
    assert_eq!(
        (entry.value, entry.reason, entry.since),
        (credit(-200), Reason::Refunded, start(4))
    );
    let back = paid.state(day(41), start(5), (5000, 0), Open);
    assert_eq!(back.decided_rewards()[0].entries, []);
}

#[test]
fn two_states_are_one_only_if_all_that_was_told_is_the_same() {
    let report = || StateReport {
        at: start(3),
        amount: 5000,
        refunded: 0,
        standing: Open,
        items: Vec::new(),
    };
    let item = Item { sku: "TEE".to_owned(), category: None, amount: 5000 };
    let told = [
        report(),
        StateReport { at: start(4), ..report() },
        StateReport { amount: 4000, ..report() },
        StateReport { refunded: 1000, ..report() },
        StateReport { standing: Cancelled, ..report() },
        StateReport { items: vec![item], ..report() },
    ];
    let of = |order: &str| told.clone().map(|state| state.content(&order.parse().unwrap()));
    let all: std::collections::BTreeSet<String> = of("A-1").into_iter().chain(of("A-2")).collect();
    assert_eq!(all.len(), 12);
    assert_eq!(of("A-1"), of("A-1"));
}

fn states() -> impl Strategy<Value = Vec<(FactKey, Fact)>> {
    let amounts = prop::sample::select(vec![0_i64, 2000, 5000]);
    let refunds = prop::sample::select(vec![0_i64, 1000, 5000]);
    let one =
        (0_i64..4, 0_i64..4, amounts, refunds, prop::sample::select(Standing::ALL), 0_u8..200);
    prop::collection::vec(one, 1..7).prop_map(|all| {
        let fact = |(minute, at, amount, refunded, standing, digest): (_, _, _, _, _, u8)| {
            let at: Instant = start(1).plus(at);
            let state = State { at, amount, refunded, standing, excluded: None };
            let digest = self::digest(digest);
            let accepted = minutes(day(1), minute);
            let fact = Fact::State(state);
            (FactKey { accepted, kind: fact.kind(), digest }, fact)
        };
        let mut facts: Vec<_> = all.into_iter().map(fact).collect();
        facts.dedup_by_key(|(key, _)| key.digest);
        facts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_last_state_by_the_shops_time_is_what_holds(mut facts in states()) {
        // Of one content the first counts.
        facts.sort_by_key(|(key, _)| (key.digest, key.accepted));
        facts.dedup_by_key(|(key, _)| key.digest);
        let scene = Scene { more: facts.clone(), ..Scene::plain() };
        let last = facts.iter().max_by_key(|(key, fact)| {
            let Fact::State(state) = fact else { unreachable!() };
            (state.at, key.accepted, key.digest)
        });
        let Fact::State(last) = &last.unwrap().1 else { unreachable!() };
        let left = scene.left(None);
        let undone = matches!(
            last.standing,
            Withdrawn | Cancelled | Chargeback
        );
        let rest = if undone { 0 } else { (last.amount - last.refunded).max(0) };
        prop_assert_eq!((left.whole, left.amount), (last.amount, rest));
        prop_assert_eq!(left.reversed.is_some(), rest == 0);
        prop_assert_eq!(left.disputed.is_some(), last.standing == Disputed);
        let mut swapped = facts;
        swapped.reverse();
        prop_assert_eq!(Scene { more: swapped, ..Scene::plain() }.left(None), left);
    }
}
