//! Who is a new customer: the shop's word decides, and where it is silent, what is remembered of the
//! person under any identity of the order.

use passalong_core::fact::Via;
use passalong_core::orders::claims::Admission;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Value};
use passalong_core::time::Minute;
use serde_json::{Value as Json, json};

use crate::support::world::Bought;
use crate::support::{
    Scene, credit, day, hint, knows, minutes, order, ordered, person, points, versions,
};

const EXISTING: Result<Value, Reason> = Err(Reason::ExistingCustomer);

/// Terms by which each purchase earns five points.
fn every_purchase() -> Json {
    json!({"rewards": [
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
    ]})
}

/// The person bought a week before, without anybody's recommendation.
fn known() -> Scene {
    Scene::plain().bought(30, day(-7))
}

#[test]
fn the_shops_word_decides_and_what_is_remembered_only_where_it_is_silent() {
    for (first_order, remembered, result) in [
        (None, true, EXISTING),
        (None, false, Ok(credit(1000))),
        (Some(true), true, Ok(credit(1000))),
        (Some(true), false, Ok(credit(1000))),
        (Some(false), true, EXISTING),
        (Some(false), false, EXISTING),
    ] {
        let mut scene = if remembered { known() } else { Scene::plain() };
        scene.conversion.first_order = first_order;
        assert_eq!(scene.advocates(), result, "{first_order:?} {remembered}");
        let admitted = result.is_ok().then_some(Admission::First);
        assert_eq!(scene.admitted(), admitted, "{first_order:?} {remembered}");
    }
}

#[test]
fn any_identity_of_the_order_remembers_the_person_and_no_other() {
    for (identities, result) in [
        (vec![hint(1)], EXISTING),
        (vec![hint(2), hint(1)], EXISTING),
        (vec![hint(2)], Ok(credit(1000))),
    ] {
        let mut scene = Scene::plain();
        scene.purchases = vec![Bought::of(hint(1), 30, day(-7))];
        scene.conversion.identities.clone_from(&identities);
        assert_eq!(scene.advocates(), result, "{identities:?}");
    }
}

#[test]
fn where_old_customers_count_too_a_known_one_earns_no_first_purchase() {
    let open =
        |rules: Json| json!({"attribution": {"new_customers_only": false}, "rewards": rules});
    let first = json!({"for": "advocate", "trigger": "first_purchase",
        "value": {"kind": "credit", "amount": 900}});
    let every = json!({"for": "advocate", "trigger": "every_purchase",
        "value": {"kind": "points", "points": 5}});
    let mut scene = known();
    scene.versions = versions(&open(json!([first, every])));
    assert_eq!((scene.admitted(), scene.advocates()), (Some(Admission::Old), Ok(points(5))));
    scene.versions = versions(&open(json!([first])));
    assert_eq!((scene.admitted(), scene.advocates()), (Some(Admission::Old), EXISTING));
    scene.conversion.first_order = Some(true);
    assert_eq!((scene.admitted(), scene.advocates()), (Some(Admission::First), Ok(credit(900))));
}

#[test]
fn a_purchase_that_was_wholly_reversed_up_to_settlement_makes_nobody_known() {
    for (at, result) in [
        (day(-6), Ok(credit(1000))),
        (minutes(day(30), -1), Ok(credit(1000))),
        (day(30), Ok(credit(1000))),
        (minutes(day(30), 1), EXISTING),
    ] {
        let mut scene = known();
        scene.cancelled.insert(order(30), at);
        assert_eq!(scene.advocates(), result, "{at}");
        // Of two purchases one is enough.
        assert_eq!(scene.bought(31, day(-6)).advocates(), EXISTING, "{at}");
    }
}

#[test]
fn a_purchase_through_another_advocate_that_was_refunded_whole_makes_nobody_known() {
    for (refund, result) in [(4999, EXISTING), (5000, Ok(credit(1000)))] {
        let mut before = Scene::plain().refunded(day(3), refund);
        (before.order, before.accepted) = (order(3), day(-1));
        // It brought nobody: its advocate and its friend are one.
        before.advocate = person(20);
        assert_eq!(Scene::plain().with_rivals(&[&before]).advocates(), result, "{refund}");
    }
}

#[test]
fn a_purchase_let_in_for_the_same_advocate_makes_nobody_old() {
    let every = every_purchase();
    let mut before = Scene::new(&every);
    (before.order, before.accepted) = (order(3), day(-1));
    let ours = Scene::new(&every).with_rivals(&[&before]);
    assert_eq!((ours.admitted(), ours.advocates()), (Some(Admission::Again), Ok(points(5))));
    // Nor does one before that, which the advocate's was let in beside.
    before.conversion.first_order = Some(true);
    let ours = Scene::new(&every).with_rivals(&[&before]).bought(30, day(-7));
    assert_eq!((ours.admitted(), ours.advocates()), (Some(Admission::Again), Ok(points(5))));
    // One that was not let in does, although it is the same advocate's.
    before.conversion.first_order = Some(false);
    let ours = Scene::new(&every).with_rivals(&[&before]);
    assert_eq!(ours.advocates(), EXISTING);
}

/// Who bought before orders twice by one advocate, and the later order is decided first.
#[test]
fn an_open_order_of_an_old_customer_lets_no_later_one_in() {
    let every = every_purchase();
    let mut before = Scene::new(&every);
    (before.order, before.accepted) = (order(3), day(-1));
    let ours = Scene::new(&every).delivered(day(2));
    let again = (Some(Admission::Again), Ok(points(5)));
    let refused = (None, EXISTING);
    let result = |bought: Minute, before: &Scene| {
        let ours = ours.clone().bought(30, bought).with_rivals(&[before]);
        assert!(ours.settled() < before.settled());
        (ours.admitted(), ours.advocates())
    };
    assert_eq!(result(day(-7), &before), refused);
    // Bought since, so the open order is a new customer's.
    assert_eq!(result(minutes(day(-1), 5), &before), again);
    // What was taken back makes nobody old, up to when the order is decided.
    for (cancelled, expected) in [(ours.settled(), again), (minutes(ours.settled(), 1), refused)] {
        let mut ours = ours.clone().bought(30, day(-7)).with_rivals(&[&before]);
        ours.cancelled.insert(order(30), cancelled);
        assert_eq!((ours.admitted(), ours.advocates()), expected, "{cancelled}");
    }
    // A sign-up is none either.
    let mut signup = ours.clone().bought(30, day(-7)).with_rivals(&[&before]);
    signup.conversion.kind = ConversionKind::Signup;
    assert_eq!(signup.admitted(), None);
    // The shop's word is another matter.
    before.conversion.first_order = Some(true);
    assert_eq!(result(day(-7), &before), again);
    let mut open = Scene::new(&json!({"attribution": {"new_customers_only": false}}));
    (open.order, open.accepted) = (order(3), day(-1));
    let ours = Scene::new(&json!({"attribution": {"new_customers_only": false}}));
    let ours = ours.delivered(day(2)).bought(30, day(-7)).with_rivals(&[&open]);
    assert_eq!(ours.admitted(), Some(Admission::Again));
}

/// An order approved by hand, reported before another of the same friend came by a link.
#[test]
fn two_orders_of_an_old_customer_do_not_vouch_for_each_other() {
    let every = every_purchase();
    let mut open = Scene::new(&every);
    (open.order, open.accepted) = (order(3), day(-1));
    let mut by_hand = Scene::new(&every).delivered(day(3));
    by_hand.conversion.via = Via::Hand;
    by_hand.conversion.first_order = Some(false);
    by_hand.reports = vec![(day(-2), by_hand.digest)];
    assert!(by_hand.settled() < open.settled());
    assert_eq!(by_hand.clone().with_rivals(&[&open]).advocates(), EXISTING);
    // Nor do they for a third.
    let mut third = Scene::new(&every).delivered(day(2));
    (third.order, third.accepted) = (order(6), day(1));
    assert!(third.settled() < by_hand.settled());
    assert_eq!(third.with_rivals(&[&open, &by_hand]).advocates(), EXISTING);
}

#[test]
fn an_open_order_is_asked_about_all_whom_it_names() {
    let every = every_purchase();
    let mut open = Scene::new(&every);
    (open.order, open.accepted) = (order(3), day(-1));
    open.conversion.identities = vec![hint(1), hint(2)];
    let mut ours = Scene::new(&every).delivered(day(2));
    ours.conversion.identities = vec![hint(2)];
    ours.conversion.first_order = Some(false);
    ours.purchases = vec![Bought::of(hint(1), 30, day(-7))];
    assert_eq!(ours.clone().with_rivals(&[&open]).advocates(), EXISTING);
    ours.purchases.clear();
    assert_eq!(ours.with_rivals(&[&open]).advocates(), Ok(points(5)));
}

#[test]
fn a_purchase_is_remembered_up_to_its_last_day() {
    let accepted = ordered().minute();
    for (days, result) in [(-1, Ok(credit(1000))), (0, EXISTING), (1, EXISTING)] {
        let mut scene = known();
        scene.purchases[0].purchase.until = accepted.start().day().plus(days);
        assert_eq!(scene.advocates(), result, "{days}");
        // When the order was placed, or settles, does not matter: when it was accepted does.
        scene.conversion.occurred_at = day(-2).start();
        scene.conversion.via = Via::Code;
        assert_eq!(scene.advocates(), result, "{days}, placed before");
    }
}

#[test]
fn what_is_reported_later_never_counts_however_long_ago_it_was_placed() {
    let accepted = ordered().minute();
    for (minute, number, result) in [
        (-1, 9, EXISTING),
        (0, 4, EXISTING),
        // The order itself, under any minute.
        (0, 5, Ok(credit(1000))),
        (-9, 5, Ok(credit(1000))),
        (0, 6, Ok(credit(1000))),
        (1, 1, Ok(credit(1000))),
    ] {
        let scene = Scene::plain().bought(number, minutes(accepted, minute));
        assert_eq!(scene.advocates(), result, "{minute} {number}");
    }
}

#[test]
fn an_order_that_joined_later_is_measured_by_when_it_was_reported() {
    let mut scene = Scene::plain();
    scene.conversion.via = Via::Hand;
    scene.reports = vec![(scene.accepted, scene.digest)];
    scene.accepted = day(10);
    assert_eq!(scene.clone().bought(30, day(5)).advocates(), Ok(credit(1000)));
    assert_eq!(scene.bought(30, day(-1)).advocates(), EXISTING);
}

#[test]
fn a_purchase_that_joined_the_same_advocates_ledger_later_makes_nobody_old() {
    let every = every_purchase();
    // Reported before our order, found to be the advocate's after it, and decided first: the friend's
    // first purchase, after which ours is another one.
    let mut before = Scene::new(&every).delivered(day(2));
    (before.order, before.conversion.via) = (order(3), Via::Hand);
    before.reports = vec![(day(-1), before.digest)];
    before.accepted = day(1);
    let mut ours = Scene::new(&every).with_rivals(&[&before]);
    assert_eq!(
        ours.rivals[0].clone().with_rivals(&[&Scene::new(&every)]).advocates(),
        Ok(points(5))
    );
    assert_eq!((ours.admitted(), ours.advocates()), (Some(Admission::Again), Ok(points(5))));
    // It is the friend's first purchase, so another whom it came to has the friend: ours, which came
    // after it, was no new customer's.
    ours.rivals[0].advocate = person(11);
    assert_eq!(
        ours.rivals[0].clone().with_rivals(&[&Scene::new(&every)]).advocates(),
        Ok(points(5))
    );
    assert_eq!(ours.advocates(), Err(Reason::FriendAlreadyReferred));
    // Where it is refused it is a purchase like any.
    ours.rivals[0].advocate = person(20);
    assert_eq!(ours.advocates(), EXISTING);
}

#[test]
fn a_friend_whom_somebody_else_brought_is_refused_for_that_first() {
    let mut before = Scene::plain();
    (before.order, before.advocate, before.accepted) = (order(3), person(11), day(-1));
    let ours = known().with_rivals(&[&before]);
    // The other's order is no new customer's either, so it holds nobody.
    assert_eq!(ours.advocates(), EXISTING);
    before.conversion.first_order = Some(true);
    assert_eq!(known().with_rivals(&[&before]).advocates(), Err(Reason::FriendAlreadyReferred));
}

#[test]
fn a_merchant_can_look_at_orders_of_buyers_nobody_knows() {
    let look = json!({"unknown_buyers": "review"});
    let waits = |scene: &Scene| {
        let rewards = scene.settle().1.rewards;
        let reward = rewards.iter().find(|reward| reward.role == Role::Advocate).unwrap();
        (reward.review, reward.reason)
    };
    let review = (Some(Reason::ExistingCustomer), None);
    let scene = Scene::new(&look);
    assert_eq!(waits(&scene), review);
    assert_eq!(scene.admitted(), Some(Admission::First), "it holds the friend while it waits");
    assert_eq!(waits(&Scene::plain()), (None, None));
    // A payment says nothing of the buyer: it does not lift this.
    let mut unpaid = scene.clone();
    unpaid.conversion.browser_only = true;
    assert_eq!(waits(&unpaid), review);
    // Whoever is known is refused, and who is new by the shop's word is paid.
    assert_eq!(waits(&scene.clone().bought(30, day(-7))), (None, Some(Reason::ExistingCustomer)));
    for (first_order, expected) in
        [(Some(true), (None, None)), (Some(false), (None, Some(Reason::ExistingCustomer)))]
    {
        let mut told = scene.clone();
        told.conversion.first_order = first_order;
        assert_eq!(waits(&told), expected, "{first_order:?}");
    }
    let open = json!({"unknown_buyers": "review", "attribution": {"new_customers_only": false}});
    assert_eq!(waits(&Scene::new(&open)), (None, None), "the terms promise nothing for new ones");
    // The advocate brought the friend before.
    let every = json!({"unknown_buyers": "review", "rewards": [
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
    ]});
    let mut before = Scene::new(&every);
    (before.order, before.accepted) = (order(3), day(-1));
    let again = Scene::new(&every).with_rivals(&[&before]);
    assert_eq!((waits(&before), waits(&again)), (review, (None, None)));
    before = before.event(EventType::Cancelled, day(3), None);
    assert_eq!(waits(&Scene::new(&every).with_rivals(&[&before])), review);
}

#[test]
fn self_referral_is_named_before_anything_that_is_remembered() {
    let mut scene = known();
    scene.conversion.identities.push(hint(4));
    scene.known = knows(&[(day(-1), hint(4))]);
    assert_eq!(scene.advocates(), Err(Reason::SelfReferral));
}
