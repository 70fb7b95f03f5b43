//! Whatever claims there are on friends that overlap, and whatever happens to them in whichever order:
//! nobody is referred twice, and a verdict can be reached anew at any time.

use std::collections::BTreeMap;

use passalong_core::channel::Channel;
use passalong_core::fact::Via;
use passalong_core::ids::{HintPseudonym, Identity};
use passalong_core::orders::claims::Admission;
use passalong_core::program::Versions;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason};
use passalong_core::time::{HOUR, Minute};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

use crate::support::world::{Bought, Told, World};
use crate::support::{
    Scene, bytes, customer, day, digest, hint, knows, minutes, order, ordered, person, versions,
};

/// The identities by which friends overlap. The first is also an advocate's own.
fn people() -> [Identity; 4] {
    [customer(20), customer(21), hint(1), hint(2)]
}

pub fn terms() -> impl Strategy<Value = Json> {
    let hold = prop_oneof![
        3 => Just(json!({"days": 2, "fallback_days": 4})),
        1 => Just(json!({"from": "order", "days": 3, "fallback_days": 3})),
        1 => Just(json!({"days": 0, "fallback_days": 0})),
    ];
    (hold, any::<bool>(), any::<bool>()).prop_map(|(hold, new_only, review)| {
        let once = json!({"for": "advocate", "trigger": "first_purchase",
            "value": {"kind": "percent_of_order", "basis_points": 2000}});
        let gold = json!({"for": "advocate", "trigger": "every_purchase", "segment": "gold",
            "value": {"kind": "points", "points": 9}});
        let every = json!({"for": "advocate", "trigger": "every_purchase",
            "value": {"kind": "points", "points": 5}});
        let signup = json!({"for": "advocate", "trigger": "signup",
            "value": {"kind": "points", "points": 8}});
        json!({
            "attribution": {"bound_days": 30, "new_customers_only": new_only},
            "unknown_buyers": if review { "review" } else { "accept" },
            "hold": hold,
            "rewards": [gold, once, every, signup],
        })
    })
}

/// What happened to an order: what, how many minutes after it was accepted, and how much.
fn happened() -> impl Strategy<Value = (EventType, i64, i64)> {
    let kind = prop_oneof![
        3 => Just(EventType::Delivered),
        2 => Just(EventType::Refunded),
        2 => Just(EventType::Cancelled),
        1 => prop::sample::select(EventType::ALL),
    ];
    let minute = prop_oneof![0_i64..200, 0_i64..6 * 24 * 60];
    (kind, minute, prop_oneof![Just(5000_i64), 1_i64..5000])
}

fn via() -> impl Strategy<Value = Via> {
    let click = |hours: i64| Via::Click {
        at: ordered().plus(-hours * HOUR),
        channel: Channel::Copy,
        nonce: None,
    };
    prop_oneof![
        4 => Just(Via::Code),
        2 => prop_oneof![-3_i64..6, 710_i64..730].prop_map(click),
        3 => Just(Via::Bound),
        1 => Just(Via::Hand),
    ]
}

fn scene() -> impl Strategy<Value = Scene> {
    let kind = prop_oneof![
        5 => Just(ConversionKind::Purchase),
        1 => Just(ConversionKind::Signup),
    ];
    let first_order = prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let hints = prop::collection::vec((any::<bool>(), -60_i64..7 * 24 * 60), 2);
    (
        (kind, first_order, via(), 10_u8..13, 1_u8..16),
        (0_i64..4, -30_i64..200, 0_i64..3 * 24 * 60),
        prop::collection::vec(happened(), 0..4),
        (hints, any::<bool>(), prop::option::of(0_i64..300)),
    )
        .prop_map(|((kind, first_order, via, advocate, mask), times, events, knowledge)| {
            let mut scene = Scene::plain();
            let (minute, occurred, joined) = times;
            scene.advocate = person(advocate);
            scene.accepted = minutes(ordered().minute(), minute);
            scene.conversion.kind = kind;
            scene.conversion.first_order = first_order;
            scene.conversion.occurred_at = ordered().plus(-occurred * 60);
            scene.conversion.via = via;
            if kind != ConversionKind::Purchase {
                (scene.conversion.amount, scene.conversion.currency) = (None, None);
            }
            let named = people().into_iter().enumerate();
            let named = named.filter(|(bit, _)| mask >> bit & 1 == 1);
            scene.conversion.identities = named.map(|(_, identity)| identity).collect();
            for (kind, minute, amount) in events {
                let amount = (kind == EventType::Refunded).then_some(amount);
                scene = scene.event(kind, minutes(ordered().minute(), minute), amount);
            }
            if via.is_joined() {
                scene.reports = vec![(scene.accepted, scene.digest)];
                scene.accepted = minutes(scene.accepted, 70 + joined);
            }
            let (hints, is_confirmed, segment) = knowledge;
            let own = hints.into_iter().zip([hint(1), customer(21)]);
            // Most advocates are somebody else.
            let own = own.filter(|((known, minute), _)| *known && minute % 5 == 0);
            let own =
                own.map(|((_, minute), identity)| (minutes(ordered().minute(), minute), identity));
            scene.known = knows(&own.collect::<Vec<_>>());
            let segment = segment.map(|minute| minutes(day(0), minute - 150));
            scene.known.segments.extend(segment.map(|since| (since, "gold".to_owned())));
            if is_confirmed {
                scene.confirmed.insert(HintPseudonym([1; 10]));
            }
            scene
        })
}

/// Up to six orders, each an order of its own or sometimes one that two advocates claim.
pub fn histories() -> impl Strategy<Value = (Json, Vec<Scene>)> {
    let numbered = (scene(), prop_oneof![4 => Just(None), 1 => (1_u8..4).prop_map(Some)]);
    let bought = (0_usize..4, 30_u8..33, -200_i64..100, prop::option::of(0_i64..6 * 24 * 60));
    let bought = prop::collection::vec(bought, 0..4);
    (terms(), prop::collection::vec(numbered, 1..7), bought, any::<u64>()).prop_map(
        |(terms, scenes, bought, shuffle)| {
            let mut all: Vec<Scene> = Vec::new();
            for (index, (mut scene, same)) in scenes.into_iter().enumerate() {
                let number = u8::try_from(index).unwrap();
                // Ranks by accepted minute and by order differ.
                let number = (number * 5 + u8::try_from(shuffle % 7).unwrap()) % 7 + 1;
                (scene.order, scene.digest) = (order(number), digest(number));
                for report in &mut scene.reports {
                    report.1 = scene.digest;
                }
                // Another customer said that an order which joined is theirs.
                let twin = same.and_then(|same| all.get(usize::from(same)));
                if let Some(twin) = twin.filter(|twin| twin.conversion.via == Via::Hand) {
                    let advocate = person(if twin.advocate == person(10) { 11 } else { 10 });
                    let accepted = minutes(twin.accepted, i64::from(number) - 3);
                    let known = scene.known;
                    scene = Scene { advocate, known, accepted, ..twin.clone() };
                }
                let is_there =
                    |it: &Scene| (it.order, it.advocate) == (scene.order, scene.advocate);
                if all.iter().any(is_there) {
                    continue;
                }
                scene.versions = versions(&terms);
                all.push(scene);
            }
            for (identity, number, minute, cancelled) in bought {
                let accepted = minutes(ordered().minute(), minute);
                let mut key = Bought::of(people()[identity], number, accepted);
                let until = accepted.start().day().plus(i64::from(number) - 31);
                key.purchase.until = until;
                let cancelled = cancelled.map(|minute| (order(number), minutes(day(0), minute)));
                all[0].cancelled.extend(cancelled);
                all[0].purchases.push(key);
            }
            (terms, all)
        },
    )
}

fn world<'a>(versions: &'a Versions, scenes: &'a [Scene]) -> World<'a> {
    let mut world = World::of(versions, scenes.iter().collect());
    world.remember(&scenes[0]);
    world
}

fn share(one: &Scene, two: &Scene) -> bool {
    one.conversion.identities.iter().any(|it| two.conversion.identities.contains(it))
}

type Decided = Vec<(Minute, String, Option<Admission>)>;

fn decided(world: &mut World<'_>, told: Told) -> Decided {
    let verdicts = world.verdicts(told).into_iter().map(Option::unwrap);
    verdicts.map(|decided| (decided.0, bytes(&decided), decided.1.admitted)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn nobody_is_referred_twice((terms, scenes) in histories()) {
        let versions = versions(&terms);
        let decided = decided(&mut world(&versions, &scenes), Told::Facts);
        let let_in: Vec<(&Scene, Admission)> = scenes
            .iter()
            .zip(&decided)
            .filter_map(|(scene, (.., admitted))| Some((scene, (*admitted)?)))
            .collect();
        for (index, (one, first)) in let_in.iter().enumerate() {
            for (two, second) in &let_in[index + 1..] {
                prop_assert!(one.order != two.order, "one order is paid twice");
                if !share(one, two) {
                    continue;
                }
                prop_assert_eq!(one.advocate, two.advocate, "a friend has two advocates");
                let is_same_kind = one.conversion.kind == two.conversion.kind;
                let both = [first, second].iter().all(|it| **it == Admission::First);
                prop_assert!(!(is_same_kind && both), "two first conversions");
            }
        }
    }

    #[test]
    fn verdicts_are_the_same_from_facts_and_computed_and_when_all_is_decided(
        (terms, scenes) in histories(),
        turn in 0_usize..6,
    ) {
        let versions = versions(&terms);
        let mut by_facts = world(&versions, &scenes);
        let expected = decided(&mut by_facts, Told::Facts);
        let mut computed = world(&versions, &scenes);
        prop_assert_eq!(decided(&mut computed, Told::Computed), expected.clone());
        // Deciding again, when later verdicts are there as well.
        for (index, (settled, verdict, _)) in expected.iter().enumerate() {
            for world in [&by_facts, &computed] {
                let again = world.decide(index);
                prop_assert_eq!((&again.0, &bytes(&again)), (settled, verdict));
            }
        }
        // In whichever order the claims are listed.
        let mut turned = scenes.clone();
        let turn = turn % turned.len();
        turned.rotate_left(turn);
        let mut other = World::of(&versions, turned.iter().collect());
        other.remember(&scenes[0]);
        let mut again = decided(&mut other, Told::Computed);
        again.rotate_right(turn);
        prop_assert_eq!(again, expected);
    }

    #[test]
    fn what_is_accepted_after_an_order_settled_changes_nothing_for_it(
        (terms, scenes) in histories(),
        late in scene(),
        after in 1_i64..500,
    ) {
        let versions = versions(&terms);
        let expected = decided(&mut world(&versions, &scenes), Told::Facts);
        for (index, (settled, verdict, _)) in expected.iter().enumerate() {
            let mut more = scenes.clone();
            let mut late = late.clone();
            (late.order, late.digest) = (order(0), digest(99));
            late.reports.clear();
            late.accepted = minutes(*settled, after);
            // Events and what is known of advocates, too.
            for scene in &mut more {
                let accepted = minutes(*settled, after);
                *scene = scene.clone().event(EventType::Cancelled, accepted, None);
                scene.known.identities.push((accepted, customer(20)));
                scene.known.identities.push((accepted, hint(2)));
            }
            let bought = Bought::of(customer(20), 0, minutes(*settled, after));
            more[0].purchases.push(bought);
            more.push(late);
            let again = decided(&mut world(&versions, &more), Told::Facts);
            prop_assert_eq!(&again[index].1, verdict, "{} {}", settled, after);
        }
    }
}

#[test]
fn the_histories_reach_what_they_are_for() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..800 {
        let (terms, scenes) = histories().new_tree(&mut runner).unwrap().current();
        let versions = versions(&terms);
        let mut world = world(&versions, &scenes);
        world.verdicts(Told::Facts);
        for (index, scene) in scenes.iter().enumerate() {
            let admitted = world.admit(index);
            let said = admitted.map_or_else(|reason| reason.to_string(), |it| it.to_string());
            *seen.entry(said).or_default() += 1;
            let via = match scene.conversion.via {
                Via::Bound => "bound",
                Via::Hand => "by hand",
                _ => "by a proof",
            };
            if admitted.is_ok() {
                *seen.entry(format!("let in {via}")).or_default() += 1;
            }
            if scenes[..index].iter().any(|other| other.order == scene.order) {
                *seen.entry("approved twice".to_owned()).or_default() += 1;
            }
        }
    }
    for said in [
        "first",
        "again",
        "old",
        "friend_already_referred",
        "existing_customer",
        "self_referral",
        "no_referral",
        "outside_window",
        "clicked_later",
        "let in bound",
        "let in by hand",
        "approved twice",
    ] {
        let count = seen.get(said).copied().unwrap_or(0);
        assert!(count >= 10, "{said}: {count} of {seen:?}");
    }
}

/// An interrupted report is completed within the hour, under its own minute.
#[test]
fn an_address_that_another_order_ties_to_the_advocate_counts_up_to_an_hour_before_the_settlement() {
    let settled = Scene::plain().settle().0;
    for (before, is_own) in [(61, true), (60, true), (59, false), (0, false)] {
        let mut scene = Scene::plain();
        scene.known.ties.push((minutes(settled, -before), customer(20)));
        assert_eq!(scene.advocates() == Err(Reason::SelfReferral), is_own, "{before} minutes");
        scene.known.identities.push((settled, customer(20)));
        assert_eq!(scene.advocates(), Err(Reason::SelfReferral), "by the shop's word up to it");
    }
}
