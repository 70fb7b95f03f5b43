//! What the events of an order come to, whichever of them came first. What they take from a reward
//! that was decided is in `events/after_verdict.rs`, what a shop's states come to in
//! `events/states.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "events/after_verdict.rs"]
mod after_verdict;
#[path = "events/lines.rs"]
mod lines;
#[path = "events/states.rs"]
mod states;
#[path = "events/waiting.rs"]
mod waiting;

use passalong_core::fact::{Fact, FactKey};
use passalong_core::report::EventType::{
    self, Amended, Cancelled, Chargeback, Confirmed, Delivered, Disputed, Refunded, Restored,
    Withdrawn,
};
use passalong_core::reward::{ConversionKind, Reason, Status};
use passalong_core::settlement::{Remaining, Reported, remaining};
use passalong_core::time::{Instant, Minute};
use proptest::prelude::*;
use serde_json::json;
use support::{Scene, credit, day, digest, event, fold, minutes, ordered, points};

fn start(days: i64) -> Instant {
    day(days).start()
}

/// What is left, and why nothing is.
fn brief(left: Remaining) -> (i64, Option<Reason>) {
    (left.amount, left.reversed.map(|(reason, _)| reason))
}

fn all(scene: &Scene) -> (i64, Option<Reason>) {
    brief(scene.left(None))
}

#[test]
fn a_refund_takes_what_is_left_and_says_how_much() {
    for (refund, taken, left, reason) in [
        (2999, 2999, 1, None),
        (3000, 3000, 0, Some(Reason::Refunded)),
        (3001, 3000, 0, Some(Reason::Refunded)),
        (9999, 3000, 0, Some(Reason::Refunded)),
    ] {
        let scene = Scene::plain().refunded(day(1), 2000).refunded(day(2), refund);
        assert_eq!(all(&scene), (left, reason), "{refund}");
        let order = fold(scene.facts());
        let reported = Reported::from(order.conversion.as_ref().unwrap());
        assert_eq!(reported.taken(&order, digest(0)), Some(2000));
        assert_eq!(reported.taken(&order, digest(1)), Some(taken), "{refund}");
        assert_eq!(reported.taken(&order, digest(2)), None, "there is no such event");
    }
    let cancelled = Scene::plain().event(Cancelled, day(1), None).refunded(day(2), 5000);
    let order = fold(cancelled.facts());
    let reported = Reported::from(order.conversion.as_ref().unwrap());
    assert_eq!(reported.taken(&order, digest(1)), Some(0), "nothing was left to be taken");
}

#[test]
fn a_purchase_with_nothing_left_earns_nothing_and_says_why() {
    let nothing = |reason| (0, Some(reason));
    let mut free = Scene::plain();
    free.conversion.amount = Some(0);
    let amended = |scene: &Scene, amounts: &[(i64, i64)]| {
        amounts.iter().fold(scene.clone(), |scene, (on, amount)| {
            scene.event(Amended, day(*on), Some(*amount))
        })
    };
    let plain = Scene::plain();
    for (name, scene, left) in [
        ("worth nothing from the start", free.clone(), nothing(Reason::BelowMinimum)),
        ("and refunded", free.clone().refunded(day(1), 10), nothing(Reason::BelowMinimum)),
        ("and amended", amended(&free, &[(1, 900)]), (900, None)),
        ("and back", amended(&free, &[(1, 900), (2, 0)]), nothing(Reason::Cancelled)),
        ("amended to nothing", amended(&plain, &[(1, 0)]), nothing(Reason::Cancelled)),
        ("and back", amended(&plain, &[(1, 0), (2, 5000)]), (5000, None)),
        ("to a cent", amended(&plain, &[(1, 1)]), (1, None)),
        (
            "to what was refunded",
            amended(&plain.clone().refunded(day(1), 900), &[(2, 900)]),
            nothing(Reason::Refunded),
        ),
        ("to a cent more", amended(&plain.clone().refunded(day(1), 900), &[(2, 901)]), (1, None)),
        (
            "refunded in full, and then worth more",
            amended(&plain.clone().refunded(day(1), 5000), &[(2, 6000)]),
            (1000, None),
        ),
    ] {
        assert_eq!(all(&scene), left, "{name}");
        let decided = scene.advocates();
        match left {
            (amount, None) => assert_eq!(decided, Ok(credit((amount + 2) / 5)), "{name}"),
            (_, Some(reason)) => assert_eq!(decided, Err(reason), "{name}"),
        }
    }
    for shown in [free.pending(ordered()).remove(0), free.decided_rewards().remove(0)] {
        assert_eq!((shown.status, shown.reason), (Status::Refused, Some(Reason::BelowMinimum)));
    }
}

#[test]
fn what_has_no_amount_is_neither_worthless_nor_amended() {
    let terms = json!({"rewards": [
        {"for": "advocate", "trigger": "action", "value": {"kind": "points", "points": 7}},
    ]});
    for amount in [None, Some(0)] {
        let mut action = Scene::new(&terms);
        action.conversion.kind = ConversionKind::Action;
        action.conversion.action = Some("review".to_owned());
        (action.conversion.amount, action.conversion.currency) = (amount, None);
        assert_eq!(action.advocates(), Ok(points(7)));
        let amended = action.event(Amended, day(1), Some(0));
        assert_eq!(amended.advocates(), Ok(points(7)));
        assert_eq!(amended.event(Withdrawn, day(2), None).advocates(), Err(Reason::Withdrawn));
    }
}

#[test]
fn a_restoration_voids_the_event_it_names_whichever_came_first() {
    let plain = Scene::plain();
    let refunds = plain.clone().refunded(day(1), 1000).refunded(day(2), 500);
    let undone = refunds.clone().event(Cancelled, day(3), None);
    let nothing = |reason| (0, Some(reason));
    for (name, scene, left) in [
        ("the first of two refunds", refunds.clone().undone(9, day(4), 0), (4500, None)),
        ("the second", refunds.clone().undone(9, day(4), 1), (4000, None)),
        (
            "a refund below a cancellation",
            undone.clone().undone(9, day(4), 0),
            nothing(Reason::Cancelled),
        ),
        ("the cancellation", undone.clone().undone(9, day(4), 2), (3500, None)),
        ("twice", undone.clone().undone(9, day(4), 2).undone(10, day(5), 2), (3500, None)),
        (
            "before it comes",
            refunds.clone().undone(9, day(2), 3).event(Cancelled, day(3), None),
            (3500, None),
        ),
        ("what nobody told", undone.clone().undone(9, day(4), 77), nothing(Reason::Cancelled)),
        (
            "a delivery, which takes nothing",
            plain.clone().delivered(day(1)).undone(9, day(2), 0),
            (5000, None),
        ),
        (
            "an amendment, which is amended again instead",
            plain.clone().event(Amended, day(1), Some(900)).undone(9, day(2), 0),
            (900, None),
        ),
        (
            "a restoration, which holds",
            plain.clone().event(Cancelled, day(1), None).undone(8, day(2), 0).undone(9, day(3), 8),
            (5000, None),
        ),
    ] {
        assert_eq!(all(&scene), left, "{name}");
    }
    let late = undone.undone(9, day(4), 2);
    assert_eq!(brief(late.left(Some(minutes(day(4), -1)))), nothing(Reason::Cancelled));
    assert_eq!(brief(late.left(Some(day(4)))), (3500, None));
}

#[test]
fn without_a_name_a_restoration_voids_the_last_reversal_before_it() {
    let reversals = |kinds: &[(EventType, Option<i64>)]| {
        kinds.iter().enumerate().fold(Scene::plain(), |scene, (on, (kind, amount))| {
            scene.event(*kind, day(i64::try_from(on).unwrap() + 1), *amount)
        })
    };
    let restored = |scene: Scene, on| scene.event(Restored, day(on), None);
    for (kind, amount) in [
        (Refunded, Some(1000)),
        (Refunded, Some(5000)),
        (Withdrawn, None),
        (Cancelled, None),
        (Chargeback, None),
        (Disputed, None),
    ] {
        let scene = restored(reversals(&[(kind, amount)]), 5);
        let left = scene.left(None);
        assert_eq!((left.amount, left.reversed, left.disputed), (5000, None, None), "{kind}");
        let early = restored(Scene::plain(), 1).event(kind, day(2), amount);
        assert_ne!(early.left(None), Scene::plain().left(None), "{kind} came after it");
    }
    let two = reversals(&[(Cancelled, None), (Refunded, Some(1000))]);
    assert_eq!(all(&restored(two.clone(), 5)), (0, Some(Reason::Cancelled)));
    assert_eq!(all(&restored(restored(two.clone(), 5), 6)), (5000, None));
    assert_eq!(all(&restored(restored(restored(two.clone(), 5), 6), 7)), (5000, None));
    // What was voided by name is not the last one any more.
    assert_eq!(all(&restored(two.clone().undone(9, day(4), 1), 5)), (5000, None));
    // Named when it is void already, it stays the only one.
    assert_eq!(all(&restored(two, 4).undone(9, day(5), 1)), (0, Some(Reason::Cancelled)));
}

#[test]
fn events_of_one_minute_go_by_when_they_happened_then_by_their_type() {
    let at = |seconds| start(3).plus(seconds);
    let (cancelled, restored) =
        (|at| event(1, Cancelled, day(3), at, None), |at| event(2, Restored, day(3), at, None));
    let mut table = vec![
        ("cancelled, then restored", cancelled(at(10)), restored(at(20)), (5000, None)),
        (
            "restored, then cancelled",
            cancelled(at(20)),
            restored(at(10)),
            (0, Some(Reason::Cancelled)),
        ),
        ("at one instant", cancelled(at(10)), restored(at(10)), (5000, None)),
        (
            "amended twice",
            event(1, Amended, day(3), at(20), Some(700)),
            event(2, Amended, day(3), at(10), Some(900)),
            (700, None),
        ),
    ];
    // Of what happened at one instant and has one type, the digest decides.
    let (small, great) = (
        event(1, Amended, day(3), at(10), Some(700)),
        event(2, Amended, day(3), at(10), Some(900)),
    );
    table.push(("by digest", great, small, (900, None)));
    for (name, first, second, left) in table {
        for facts in [[first.clone(), second.clone()], [second, first]] {
            let mut scene = Scene::plain();
            scene.more.extend(facts);
            assert_eq!(all(&scene), left, "{name}");
        }
    }
}

#[test]
fn what_came_before_its_order_counts_with_it() {
    let scene = Scene::plain()
        .event(Cancelled, day(-3), None)
        .event(Restored, day(-2), None)
        .refunded(day(-1), 1000);
    assert_eq!(brief(scene.left(Some(minutes(day(0), -1)))), (5000, None));
    assert_eq!(brief(scene.left(Some(day(0)))), (4000, None));
}

/// An event of each type, with each way to restore, under an id of its own.
fn one_of_each(id: u8, other: u8, accepted: Minute) -> Vec<(FactKey, Fact)> {
    let told = |kind, amount| event(id, kind, accepted, accepted.start(), amount);
    let named = Scene::plain().undone(id, accepted, other).more.remove(0);
    vec![
        told(Delivered, None),
        told(Amended, Some(0)),
        told(Amended, Some(3000)),
        told(Amended, Some(7000)),
        told(Refunded, Some(1000)),
        told(Refunded, Some(5000)),
        told(Withdrawn, None),
        told(Cancelled, None),
        told(Disputed, None),
        told(Chargeback, None),
        told(Restored, None),
        named,
        told(Confirmed, None),
    ]
}

/// What two events come to, from what each says: the first was accepted first, or happened first.
fn two(first: &Fact, second: &Fact) -> (i64, Option<Reason>, bool) {
    let (Fact::Event(one, a), Fact::Event(two, b)) = (first, second) else { unreachable!() };
    let restores = |kind: EventType, undoes: Option<_>, other| {
        kind == Restored && undoes.is_none_or(|undoes| undoes == other)
    };
    let first_void = one.is_reversal() && restores(*two, b.undoes, a.event);
    let second_void = two.is_reversal() && *one == Restored && a.undoes == Some(b.event);
    let mut holding = Vec::new();
    holding.extend((!first_void).then_some((*one, a.amount)));
    holding.extend((!second_void).then_some((*two, b.amount)));
    let whole = holding.iter().rev().find(|(kind, _)| *kind == Amended);
    let whole = whole.map_or(5000, |(_, amount)| amount.unwrap());
    let refunds = holding.iter().filter(|(kind, _)| *kind == Refunded);
    let refunded: i64 = refunds.map(|(_, amount)| amount.unwrap()).sum();
    let mut undone = holding.iter().filter_map(|(kind, amount)| match kind {
        Withdrawn => Some(Reason::Withdrawn),
        Cancelled => Some(Reason::Cancelled),
        Chargeback => Some(Reason::Chargeback),
        // Each of the two can use the order up alone.
        Amended if whole == 0 && *amount == Some(0) => Some(Reason::Cancelled),
        Refunded if *amount == Some(5000) && whole <= 5000 => Some(Reason::Refunded),
        _ => None,
    });
    let undone = undone.next();
    let is_open = |kind| holding.iter().any(|(held, _)| *held == kind);
    let disputed = is_open(Disputed) && !(*one == Disputed && *two == Chargeback);
    (if undone.is_some() { 0 } else { (whole - refunded).max(0) }, undone, disputed)
}

#[test]
fn every_pair_of_events_comes_to_what_both_say() {
    for gap in [0, 1] {
        for first in one_of_each(1, 2, day(3)) {
            for second in one_of_each(2, 1, minutes(day(3), gap)) {
                let rank = |(key, _): &(FactKey, Fact)| (key.accepted, key.kind, key.digest);
                let mut pair = [&first, &second];
                pair.sort_by_key(|fact| rank(fact));
                let expected = two(&pair[0].1, &pair[1].1);
                let conversion = Scene::plain().facts().remove(0);
                for facts in [[&first, &second, &first], [&second, &first, &second]] {
                    let facts = facts.into_iter().chain([&conversion]).cloned();
                    let order = fold(facts);
                    let left = remaining(&order, order.conversion.as_ref().unwrap(), None);
                    let (amount, reason) = brief(left);
                    let told = (amount, reason, left.disputed.is_some());
                    assert_eq!(told, expected, "{first:?} {second:?}");
                }
            }
        }
    }
}

/// Facts of a few ids, within a few minutes, as they may come.
fn happenings() -> impl Strategy<Value = Vec<(FactKey, Fact)>> {
    let one = (0_u8..5, 0_u8..5, 0_usize..13, 0_i64..4, 0_i64..90);
    prop::collection::vec(one, 0..9).prop_map(|all| {
        let fact = |(id, other, which, minute, second): (u8, u8, usize, i64, i64)| {
            let (mut key, mut fact) = one_of_each(id, other, minutes(day(1), minute)).remove(which);
            let Fact::Event(_, event) = &mut fact else { unreachable!() };
            event.occurred_at = event.occurred_at.plus(second);
            key.digest.0[..4].copy_from_slice(&[id, other, u8::try_from(which).unwrap(), 0]);
            key.digest.0[3] = u8::try_from(second).unwrap();
            (key, fact)
        };
        all.into_iter().map(fact).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_order_of_arrival_and_repeats_change_nothing(
        (straight, shuffled) in happenings().prop_flat_map(|facts| {
            let doubled: Vec<_> = facts.iter().chain(&facts).cloned().collect();
            (Just(facts), Just(doubled).prop_shuffle())
        }),
    ) {
        let of = |facts: Vec<(FactKey, Fact)>| Scene { more: facts, ..Scene::plain() };
        let (straight, shuffled) = (of(straight), of(shuffled));
        for minute in -1..5 {
            let until = Some(minutes(day(1), minute));
            prop_assert_eq!(straight.left(until), shuffled.left(until));
        }
        prop_assert_eq!(straight.settle(), shuffled.settle());
        prop_assert_eq!(straight.decided_rewards(), shuffled.decided_rewards());
    }

    #[test]
    fn what_stood_at_a_minute_does_not_change_with_what_is_accepted_later(
        facts in happenings(),
        cut in 0_i64..4,
    ) {
        let cut = minutes(day(1), cut);
        let whole = Scene { more: facts.clone(), ..Scene::plain() };
        let early = facts.into_iter().filter(|(key, _)| key.accepted <= cut).collect();
        let early = Scene { more: early, ..Scene::plain() };
        prop_assert_eq!(whole.left(Some(cut)), early.left(None));
        let left = whole.left(None);
        prop_assert!((0..=left.whole).contains(&left.amount));
        prop_assert!(left.reversed.is_none() == (left.amount > 0));
    }
}
