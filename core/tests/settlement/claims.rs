//! One friend, several claims: the earliest accepted one that is not undone before it settles.

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
    let mut scene = Scene::plain();
    scene.claims = vec![rival.claim(customer(20))];
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
        ours.claims.clear();
        rival.claims = vec![ours.claim(customer(20))];
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
    again.claims = vec![rival(10).claim(customer(20)), first.claim(customer(20))];
    assert_eq!(again.advocates(), Ok(points(5)));
    // Under another identity, nobody but the rival had the friend.
    again.conversion.identities.push(hint(2));
    let mut other = rival(10);
    other.conversion.identities = vec![hint(2)];
    again.claims.push(other.claim(hint(2)));
    assert_eq!(again.advocates(), TAKEN);
}

#[test]
fn any_overlap_is_the_same_friend() {
    let mut rival = rival(10);
    rival.conversion.identities = vec![customer(77), hint(2), hint(3)];
    for (identities, found, result) in [
        (vec![customer(20), hint(2)], Some(hint(2)), TAKEN),
        (vec![hint(1), hint(3)], Some(hint(3)), TAKEN),
        (vec![customer(20), hint(1)], None, Ok(credit(1000))),
    ] {
        let mut ours = Scene::plain();
        ours.conversion.identities = identities;
        ours.claims = found.map(|identity| rival.claim(identity)).into_iter().collect();
        assert_eq!(ours.advocates(), result, "{found:?}");
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
fn a_claim_that_earns_nothing_by_itself_holds_no_friend() {
    let mut own_friend = rival(10);
    own_friend.advocate = person(20);
    assert_eq!(against(&own_friend).advocates(), Ok(credit(1000)));

    let mut existing = rival(10);
    existing.conversion.first_order = Some(false);
    assert_eq!(against(&existing).advocates(), Ok(credit(1000)));

    let mut conflicting = rival(10);
    conflicting.reports = vec![(day(-1), digest(1)), (conflicting.accepted, conflicting.digest)];
    assert_eq!(against(&conflicting).advocates(), Ok(credit(1000)));

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
        assert_eq!(against(&rival).advocates(), result, "{known_since}");
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
    (claim.accepted, claim.digest) = (second.accepted, second.digest);
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
    let ours = against(&rival(-1));
    let accepted = ours.accepted;
    let facts = fold(ours.facts());
    let repeat = (customer(20), minutes(accepted, 5));
    for own in [[(customer(20), accepted), repeat], [repeat, (customer(20), accepted)]] {
        let verdict = ours.settle_with(&facts, &own).1;
        assert_eq!(verdict.rewards[0].value, Some(credit(1000)));
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
        let mut ours = Scene::new(terms);
        ours.claims = vec![before.claim(customer(20))];
        assert_eq!(ours.advocates(), advocate, "{undo}");
        assert_eq!(ours.decided(Role::Friend), friend, "{undo}");
    }
    // Our own order, found again, is no other claim.
    let mut ours = Scene::new(&once);
    ours.claims = vec![ours.claim(customer(20))];
    assert_eq!(ours.advocates(), Ok(credit(900)));
    let unclaimed = ours.settle_with(&fold(ours.facts()), &[]).1;
    assert_eq!(unclaimed.rewards[0].value, Some(credit(900)));
}
