//! One friend, several claims: who was let in before holds the friend; of those still open, the earliest
//! accepted one that is good by itself and not undone.

use passalong_core::report::EventType;
use passalong_core::reward::{Reason, Role};
use passalong_core::time::Minute;
use serde_json::json;

use crate::support::{
    Scene, credit, customer, day, digest, fold, hint, knows, minutes, order, ordered, person,
    points,
};

/// Another advocate's order of the same friend, accepted so many minutes before ours.
fn rival(before: i64) -> Scene {
    let mut rival = Scene::plain();
    (rival.order, rival.advocate) = (order(3), person(11));
    rival.accepted = minutes(ordered().minute(), -before);
    rival
}

/// Our order, with a rival's claim on friend 20.
fn against(rival: &Scene) -> Scene {
    Scene::plain().with_rivals(&[rival])
}

/// The same, where the shop says that the friend is new whatever we remember.
fn against_of_new(rival: &Scene) -> Scene {
    let mut scene = against(rival);
    scene.conversion.first_order = Some(true);
    scene
}

const TAKEN: Result<passalong_core::reward::Value, Reason> = Err(Reason::FriendAlreadyReferred);

#[test]
fn the_earliest_accepted_claim_holds_the_friend() {
    for (before, number, result) in [
        (1, 9, TAKEN),
        // In the same minute, the smaller order pseudonym.
        (0, 3, TAKEN),
        (0, 9, Ok(credit(1000))),
        (-1, 3, Ok(credit(1000))),
    ] {
        let mut rival = rival(before);
        rival.order = order(number);
        let mut ours = against(&rival);
        assert_eq!(ours.advocates(), result, "{before} {number}");
        // Exactly one of the two gets the reward.
        ours.rivals.clear();
        rival.rivals = vec![ours];
        assert_eq!(rival.advocates().is_ok(), result.is_err(), "{before} {number}");
    }
}

#[test]
fn who_holds_the_friend_keeps_them_whoever_tried_in_between() {
    // First ours, then the rival's, then ours again: the rival's was refused and takes nothing.
    let mut first = Scene::plain();
    first.order = order(7);
    first.accepted = minutes(ordered().minute(), -20);
    let mut again = Scene::new(&json!({"rewards": [
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
    ]}));
    again.rivals = vec![rival(10), first];
    assert_eq!(again.advocates(), Ok(points(5)));
    // Under another identity, nobody but the rival had the friend.
    again.conversion.identities.push(hint(2));
    let mut other = rival(10);
    (other.order, other.conversion.identities) = (order(4), vec![hint(2)]);
    again.rivals.push(other);
    assert_eq!(again.advocates(), TAKEN);
}

#[test]
fn any_overlap_is_the_same_friend() {
    let mut rival = rival(10);
    rival.conversion.identities = vec![customer(77), hint(2), hint(3)];
    for (identities, result) in [
        (vec![customer(20), hint(2)], TAKEN),
        (vec![hint(1), hint(3)], TAKEN),
        (vec![hint(2), hint(3)], TAKEN),
        (vec![customer(20), hint(1)], Ok(credit(1000))),
    ] {
        let mut ours = against(&rival);
        ours.conversion.identities.clone_from(&identities);
        assert_eq!(ours.advocates(), result, "{identities:?}");
    }
}

#[test]
fn a_claim_undone_before_it_settles_frees_the_friend_and_later_does_not() {
    // The rival settles on day 23, we on day 30.
    let settles = day(23);
    for (accepted, result) in [
        (day(5), Ok(credit(1000))),
        (minutes(settles, -1), Ok(credit(1000))),
        (settles, Ok(credit(1000))),
        (minutes(settles, 1), TAKEN),
        (day(29), TAKEN),
        (day(30), TAKEN),
        (day(31), TAKEN),
    ] {
        let rival = rival(10).delivered(day(2)).event(EventType::Withdrawn, accepted, None);
        assert_eq!(rival.settled(), settles);
        assert_eq!(against(&rival).advocates(), result, "{accepted}");
        assert_eq!(rival.advocates().is_err(), result.is_ok(), "{accepted}: only one is paid");
    }
}

#[test]
fn a_claim_that_settles_after_us_counts_as_it_stood_when_we_settled() {
    for (accepted, result) in
        [(day(23), Ok(credit(1000))), (minutes(day(23), 1), TAKEN), (day(29), TAKEN)]
    {
        let rival = rival(10).event(EventType::Cancelled, accepted, None);
        let ours = against(&rival).delivered(day(2));
        assert_eq!((ours.settled(), rival.settled()), (day(23), day(30)));
        assert_eq!(ours.advocates(), result, "{accepted}");
    }
}

#[test]
fn a_claim_refunded_in_part_still_holds_and_in_full_does_not() {
    for (refund, result) in [(4999, TAKEN), (5000, Ok(credit(1000)))] {
        assert_eq!(against(&rival(10).refunded(day(3), refund)).advocates(), result, "{refund}");
    }
}

#[test]
fn a_claim_that_was_not_let_in_holds_no_friend_but_its_purchase_is_remembered() {
    let mut own_friend = rival(10);
    own_friend.advocate = person(20);
    let mut existing = rival(10);
    existing.conversion.first_order = Some(false);
    let mut conflicting = rival(10);
    conflicting.reports = vec![(day(-1), digest(1)), (conflicting.accepted, conflicting.digest)];
    for refused in [own_friend, existing, conflicting] {
        assert_eq!(refused.admitted(), None);
        assert_eq!(against_of_new(&refused).advocates(), Ok(credit(1000)));
        // Somebody who bought before is no new customer, whoever was to be rewarded for it.
        assert_eq!(against(&refused).advocates(), Err(Reason::ExistingCustomer));
    }
    let mut nothing = rival(10).claim(customer(20));
    nothing.facts.conversion = None;
    let mut ours = Scene::plain();
    ours.claims = vec![nothing];
    assert_eq!(ours.advocates(), Ok(credit(1000)));
}

#[test]
fn what_is_learnt_about_an_advocate_after_their_order_settled_frees_nobody() {
    // The rival settles on day 23; we on day 30.
    let settles = day(23);
    for (known_since, result) in
        [(settles, Ok(credit(1000))), (minutes(settles, 1), TAKEN), (day(29), TAKEN)]
    {
        let mut rival = rival(10).delivered(day(2));
        rival.conversion.identities.push(hint(4));
        rival.known = knows(&[(known_since, hint(4))]);
        assert_eq!(against_of_new(&rival).advocates(), result, "{known_since}");
        assert_eq!(rival.advocates().is_err(), result.is_ok(), "{known_since}: only one is paid");
    }
}

#[test]
fn a_report_that_does_not_count_claims_nobody() {
    // The rival's order was reported for friend 88 first; a second report names our friend.
    let mut first = rival(20);
    first.conversion.identities = vec![customer(88)];
    let mut second = rival(10);
    second.digest = digest(51);
    let mut claim = first.claim(customer(20));
    claim.accepted = second.accepted;
    for (key, fact) in second.facts() {
        claim.facts.add(key, fact);
    }
    claim.reports = vec![(first.accepted, first.digest), (second.accepted, second.digest)];
    let mut ours = Scene::plain();
    ours.claims = vec![claim.clone()];
    assert_eq!(ours.advocates(), Ok(credit(1000)));
    // Nor where the second report went to another advocate's ledger.
    claim.facts = fold(second.facts());
    ours.claims = vec![claim];
    assert_eq!(ours.advocates(), Ok(credit(1000)));
}

#[test]
fn a_report_that_was_cut_off_before_it_was_recorded_takes_no_claim_away() {
    // The first report was never recorded; the shop sent another, which was.
    let cut_off = rival(20);
    let mut recorded = rival(10);
    (recorded.digest, recorded.conversion.amount) = (digest(51), Some(4000));
    let mut claim = recorded.claim(customer(20));
    claim.facts = fold(cut_off.facts().into_iter().chain(recorded.facts()));
    claim.reports = vec![(recorded.accepted, recorded.digest)];
    let mut ours = Scene::plain();
    ours.claims = vec![claim];
    assert_eq!(ours.advocates(), TAKEN);
}

#[test]
fn a_repeat_of_our_report_does_not_cost_us_the_friend() {
    let mut ours = against(&rival(-1));
    let (accepted, digest) = (ours.accepted, ours.digest);
    let repeat = (minutes(accepted, 5), digest);
    for reports in [[(accepted, digest), repeat], [repeat, (accepted, digest)]] {
        ours.reports = reports.to_vec();
        assert_eq!(ours.advocates(), Ok(credit(1000)));
        assert_eq!(rival(-1).with_rivals(&[&ours]).advocates(), TAKEN);
    }
}

#[test]
fn a_friend_who_comes_again_earns_by_the_rule_for_every_purchase() {
    let once = json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 900}},
        {"for": "friend", "trigger": "first_purchase",
         "value": {"kind": "points", "points": 3}, "when": "earned"},
    ]});
    let every = json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 900}},
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "friend", "trigger": "first_purchase",
         "value": {"kind": "percent_off", "basis_points": 1000}, "when": "at_once"},
        {"for": "friend", "trigger": "every_purchase",
         "value": {"kind": "points", "points": 3}, "when": "earned"},
    ]});
    let undone: Minute = day(3);
    for (terms, undo, advocate, friend) in [
        (&once, false, TAKEN, Some(TAKEN)),
        (&once, true, Ok(credit(900)), Some(Ok(points(3)))),
        (&every, false, Ok(points(5)), Some(Ok(points(3)))),
        (&every, true, Ok(credit(900)), None),
    ] {
        let mut before = Scene::new(terms);
        (before.order, before.accepted) = (order(3), day(-1));
        if undo {
            before = before.event(EventType::Cancelled, undone, None);
        }
        let ours = Scene::new(terms).with_rivals(&[&before]);
        assert_eq!(ours.advocates(), advocate, "{undo}");
        assert_eq!(ours.decided(Role::Friend), friend, "{undo}");
    }
    // Our own order, found again, is no other claim.
    let mut ours = Scene::new(&once);
    ours.claims = vec![ours.claim(customer(20))];
    assert_eq!(ours.advocates(), Ok(credit(900)));
}
