//! An erasure changes no verdict: what an order remembers of the keys that were erased counts like those
//! keys themselves.

use std::collections::BTreeSet;

use passalong_core::fact::{Fact, FactKey, Remembered};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::reward::Reason;
use passalong_core::time::{Day, Minute};
use proptest::prelude::*;
use serde_json::json;

use crate::properties::digest_of;
use crate::races::histories;
use crate::support::world::{Bought, Told, World};
use crate::support::{
    Scene, bytes, credit, customer, day, digest, hint, knows, minutes, order, person, points,
    versions,
};

fn copy(scene: &mut Scene, accepted: Minute, fact: Remembered) {
    let fact = Fact::Remembered(fact);
    let key = FactKey { accepted, kind: fact.kind(), digest: digest_of(&fact) };
    scene.more.push((key, fact));
}

fn purchase(report: Digest, order: OrderPseudonym, amount: i64, until: Day) -> Remembered {
    let (report, order) = (Some(report), Some(order));
    Remembered { report, order, amount, until: Some(until), ..Remembered::default() }
}

/// Erases who an advocate is: each order keeps whether it is the advocate's own, and the segments.
fn erase_advocate(scenes: &mut [Scene], advocate: CustomerPseudonym) {
    for scene in scenes.iter_mut().filter(|scene| scene.advocate == advocate) {
        let known = std::mem::take(&mut scene.known);
        for (since, identity) in known.identities {
            if scene.conversion.identities.contains(&identity) {
                let report = Some(scene.digest);
                copy(scene, since, Remembered { report, ..Remembered::default() });
            }
        }
        for (since, segment) in known.segments {
            copy(scene, since, Remembered { segment: Some(segment), ..Remembered::default() });
        }
    }
}

/// Erases the purchases under some identities: each order of those persons keeps the earlier ones.
fn erase_person(scenes: &mut [Scene], erased: &BTreeSet<Identity>) {
    let all = std::mem::take(&mut scenes[0].purchases);
    let (gone, kept): (Vec<Bought>, Vec<Bought>) =
        all.into_iter().partition(|one| erased.contains(&one.identity));
    for scene in scenes.iter_mut() {
        let named = gone.iter().filter(|one| scene.conversion.identities.contains(&one.identity));
        let named: Vec<_> = named.map(|one| (one.digest, one.purchase.clone())).collect();
        for (report, one) in named {
            if one.accepted <= scene.accepted {
                copy(scene, one.accepted, purchase(report, one.order, one.amount, one.until));
            }
        }
    }
    scenes[0].purchases = kept;
}

fn verdicts(terms: &serde_json::Value, scenes: &[Scene]) -> Vec<String> {
    let versions = versions(terms);
    let mut world = World::of(&versions, scenes.iter().collect());
    world.remember(&scenes[0]);
    let verdicts = world.verdicts(Told::Facts).into_iter();
    verdicts.map(|verdict| bytes(&verdict.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn copies_give_the_same_verdicts_as_the_keys_they_replace(
        (terms, scenes) in histories(),
        advocates in prop::collection::vec(10_u8..13, 0..3),
        persons in prop::collection::vec(0_usize..4, 0..4),
        is_half_done in any::<bool>(),
    ) {
        let expected = verdicts(&terms, &scenes);
        let mut erased = scenes.clone();
        for advocate in advocates {
            erase_advocate(&mut erased, person(advocate));
        }
        let identities = [customer(20), customer(21), hint(1), hint(2)];
        let persons = persons.into_iter().map(|index| identities[index]).collect();
        erase_person(&mut erased, &persons);
        prop_assert_eq!(verdicts(&terms, &erased), expected.clone());
        // Between the copies and the deletes both are there.
        if is_half_done {
            erased[0].purchases.clone_from(&scenes[0].purchases);
            for (copied, scene) in erased.iter_mut().zip(&scenes) {
                copied.known = scene.known.clone();
            }
            prop_assert_eq!(verdicts(&terms, &erased), expected);
        }
    }
}

#[test]
fn a_copied_purchase_counts_up_to_its_last_day_and_not_once_it_is_reversed() {
    let placed = day(0).start().day();
    for (accepted, until, result) in [
        (day(-7), placed, Err(Reason::ExistingCustomer)),
        (day(-7), placed.plus(-1), Ok(credit(1000))),
        (day(1), placed.plus(730), Ok(credit(1000))),
    ] {
        let mut scene = Scene::plain();
        copy(&mut scene, accepted, purchase(digest(30), order(30), 3000, until));
        assert_eq!(scene.advocates(), result, "{accepted} {until}");
        scene.cancelled.insert(order(30), day(2));
        assert_eq!(scene.advocates(), Ok(credit(1000)), "{accepted} {until}, cancelled");
    }
    let mut told = Scene::plain();
    copy(&mut told, day(-7), purchase(digest(30), order(30), 3000, placed));
    told.conversion.first_order = Some(true);
    assert_eq!(told.advocates(), Ok(credit(1000)));
}

#[test]
fn an_order_that_was_the_advocates_own_stays_refused_from_when_that_was_known() {
    for (since, result) in [
        (day(-100), Err(Reason::SelfReferral)),
        (day(30), Err(Reason::SelfReferral)),
        (minutes(day(30), 1), Ok(credit(1000))),
    ] {
        let mut scene = Scene::plain();
        scene.conversion.identities = vec![hint(2)];
        scene.known = knows(&[(since, hint(2))]);
        assert_eq!(scene.advocates(), result, "{since}");
        let mut erased = [scene];
        erase_advocate(&mut erased, person(10));
        let [scene] = erased;
        assert_eq!((scene.known.identities.len(), scene.advocates()), (0, result), "{since}");
    }
}

#[test]
fn an_advocates_segment_of_then_still_chooses_the_rule() {
    let terms = json!({"rewards": [
        {"for": "advocate", "trigger": "every_purchase", "segment": "gold",
         "value": {"kind": "points", "points": 9}},
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
    ]});
    for (since, value) in [(day(-1), 9), (day(0), 9), (minutes(day(0), 1), 5)] {
        let mut scene = Scene::new(&terms);
        scene.known.segments = vec![(day(-2), "silver".to_owned()), (since, "gold".to_owned())];
        let mut erased = [scene];
        assert_eq!(erased[0].advocates(), Ok(points(value)), "{since}");
        erase_advocate(&mut erased, person(10));
        assert_eq!(erased[0].advocates(), Ok(points(value)), "{since}, erased");
    }
}

#[test]
fn a_rivals_claim_stays_refused_although_its_advocate_was_erased() {
    let mut rival = Scene::plain();
    (rival.order, rival.advocate, rival.accepted) = (order(3), person(11), day(-1));
    rival.conversion.identities.push(hint(4));
    rival.known = knows(&[(day(-3), hint(4))]);
    let mut scenes = [Scene::plain(), rival];
    scenes[0].conversion.first_order = Some(true);
    erase_advocate(&mut scenes, person(11));
    let [ours, rival] = scenes;
    assert_eq!(rival.advocates(), Err(Reason::SelfReferral));
    assert_eq!(ours.with_rivals(&[&rival]).advocates(), Ok(credit(1000)));
}
