//! The order in which verdicts fall, and what a verdict reads of others.

use passalong_core::fact::{Fact, FactKey, Verdict};
use passalong_core::orders::claims::{Admission, Claim, Purchase, earliest, horizon};
use passalong_core::reward::ConversionKind;

use crate::support::{Scene, customer, day, digest, minutes, order, ordered, person};

fn rival() -> Scene {
    let mut rival = Scene::plain();
    (rival.order, rival.advocate) = (order(3), person(11));
    rival
}

#[test]
fn a_verdict_reads_of_others_what_was_accepted_an_hour_before_it() {
    assert_eq!(horizon(day(3)), minutes(day(3), -60));
}

#[test]
fn a_verdict_that_falls_before_and_is_not_visible_is_computed() {
    let scene = rival();
    let claim = scene.claim(customer(20));
    let (settles, versions) = (day(30), &scene.versions);
    assert_eq!(claim.place(versions), Some((settles, order(3), person(11))));
    let later = (settles, order(4), person(10));
    for (place, expected) in [
        (later, true),
        ((settles, order(3), person(12)), true),
        ((minutes(settles, 1), order(1), person(1)), true),
        ((settles, order(3), person(11)), false),
        ((settles, order(3), person(10)), false),
        ((settles, order(2), person(12)), false),
        ((minutes(settles, -1), order(9), person(12)), false),
    ] {
        assert_eq!(claim.is_to_compute(place, versions), expected, "{place:?}");
    }
    let computed = Claim { computed: Some((settles, None)), ..claim.clone() };
    assert!(!computed.is_to_compute(later, versions), "it was computed");
    let mut decided = claim;
    let (report, admitted) = (digest(50), Some(Admission::First));
    let fact = Fact::Verdict(Verdict {
        report,
        admitted,
        rewards: Vec::new(),
        excluded: 0,
        disputed: false,
    });
    let key = FactKey { accepted: settles, kind: fact.kind(), digest: digest(80) };
    decided.facts.add(key, fact);
    assert!(!decided.is_to_compute(later, versions), "its verdict is there");
}

#[test]
fn of_several_keys_of_an_order_the_earliest_counts_whichever_is_listed_first() {
    let purchase = |number, accepted, amount| {
        let until = day(730).start().day();
        Purchase { order: order(number), accepted, amount, until }
    };
    let (first, later) = (purchase(1, day(1), 100), purchase(1, day(2), 200));
    let other = purchase(2, day(1), 300);
    let expected = [first.clone(), other.clone()];
    let (one, two) = (digest(1), digest(2));
    for listed in [
        vec![(one, first.clone()), (one, later.clone()), (one, other.clone())],
        vec![(one, later.clone()), (one, other.clone()), (one, first.clone())],
        // Of one minute, the smaller digest.
        vec![(two, Purchase { accepted: day(1), ..later }), (one, other), (one, first)],
    ] {
        assert_eq!(earliest(listed.clone()), expected, "{listed:?}");
    }
}

/// The friend's purchase brought by the same advocate lets a later order in although the shop knows the
/// friend: so does an open one when it is weighed.
#[test]
fn an_open_claim_stands_by_the_purchase_that_brought_the_friend() {
    let mut brought = rival();
    brought.advocate = person(10);
    brought.accepted = minutes(ordered().minute(), -5);
    let as_signup = |scene: &mut Scene| {
        let of = &mut scene.conversion;
        (of.kind, of.amount, of.currency) = (ConversionKind::Signup, None, None);
    };
    // It is accepted before ours and settles after it.
    let mut known = brought.clone();
    (known.order, known.digest) = (order(4), digest(4));
    known.accepted = minutes(ordered().minute(), -3);
    known.conversion.occurred_at = ordered().plus(60);
    known.conversion.first_order = Some(false);
    as_signup(&mut known);
    let mut ours = Scene::plain();
    as_signup(&mut ours);
    let admitted = |rivals: &[&Scene]| ours.clone().with_rivals(rivals).admitted();
    assert_eq!(admitted(&[&brought]), Some(Admission::First), "no sign-up was before it");
    assert_eq!(admitted(&[&known]), Some(Admission::First), "that one is refused");
    assert_eq!(admitted(&[&brought, &known]), Some(Admission::Again));
}
