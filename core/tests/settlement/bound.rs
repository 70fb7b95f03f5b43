//! Orders without a proof of their own that an earlier purchase of the friend binds to its advocate.

use passalong_core::fact::Via;
use passalong_core::ids::{CustomerPseudonym, HintPseudonym};
use passalong_core::orders::claims::Admission;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Value};
use passalong_core::time::DAY;
use serde_json::{Value as Json, json};

use crate::support::world::World;
use crate::support::{
    Scene, customer, day, digest, hint, minutes, order, ordered, person, points, versions,
};

const UNBOUND: Result<Value, Reason> = Err(Reason::NoReferral);

fn terms(days: u32) -> Json {
    json!({"attribution": {"bound_days": days}, "rewards": [
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
    ]})
}

/// The purchase by a link that brought the friend, a day before.
fn binder() -> Scene {
    let mut scene = Scene::new(&terms(30));
    (scene.order, scene.digest) = (order(3), digest(3));
    scene.conversion.occurred_at = day(-1).start();
    scene.conversion.via = Via::Code;
    scene.accepted = day(-1);
    scene
}

/// The order without a proof, as it stands in the advocate's ledger.
fn follows(binder: &Scene) -> Scene {
    let mut scene = Scene::new(&terms(30)).with_rivals(&[binder]);
    scene.conversion.via = Via::Bound;
    scene.reports = vec![(scene.accepted, scene.digest)];
    scene.accepted = minutes(scene.accepted, 70);
    scene
}

/// Whom it would be bound to when it is reported.
fn bound_to(scene: &Scene) -> Option<CustomerPseudonym> {
    let world = World::around(scene, crate::support::fold(scene.facts()));
    world.bound_to(0).map(|(advocate, _)| advocate)
}

/// Whether the order is bound when it comes, and stands when it settles.
fn check(binder: &Scene, is_bound: bool, name: &str) {
    let scene = follows(binder);
    let advocate = is_bound.then(|| person(10));
    assert_eq!(bound_to(&scene), advocate, "{name}: when it was reported");
    let result = if is_bound { Ok(points(5)) } else { UNBOUND };
    assert_eq!(scene.advocates(), result, "{name}: when it settled");
    assert_eq!(scene.admitted(), is_bound.then_some(Admission::Again), "{name}");
}

#[test]
fn a_purchase_with_a_proof_of_its_own_binds_and_nothing_else_does() {
    check(&binder(), true, "by a code");
    let changed = |change: fn(&mut Scene)| {
        let mut binder = binder();
        change(&mut binder);
        binder
    };
    let mut signup = binder();
    signup.conversion.kind = ConversionKind::Signup;
    (signup.conversion.amount, signup.conversion.currency) = (None, None);
    check(&signup, false, "a sign-up");
    let mut action = signup.clone();
    action.conversion.kind = ConversionKind::Action;
    action.conversion.action = Some("review".to_owned());
    check(&action, false, "an action");
    check(&changed(|scene| scene.conversion.via = Via::Hand), false, "approved by hand");
    check(&changed(|scene| scene.conversion.via = Via::Bound), false, "bound itself");
    check(&changed(|scene| scene.advocate = person(20)), false, "of the friend themselves");
    check(&changed(|scene| scene.conversion.first_order = Some(false)), false, "not let in");
    check(&changed(|scene| scene.conversion.identities = vec![customer(21)]), false, "of another");
}

#[test]
fn of_the_identities_the_customer_id_binds_and_hints_only_where_the_shop_confirmed_them() {
    let hints = |confirmed: &[u8]| {
        let mut binder = binder();
        binder.conversion.identities = vec![customer(21), hint(1), hint(2)];
        binder.confirmed = confirmed.iter().map(|byte| HintPseudonym([*byte; 10])).collect();
        binder
    };
    for (confirmed, identities, is_bound) in [
        (vec![], vec![hint(1)], false),
        (vec![2], vec![hint(1)], false),
        (vec![1], vec![hint(1)], true),
        (vec![2], vec![hint(1), hint(2)], true),
        (vec![], vec![customer(21)], true),
        (vec![], vec![customer(21), hint(9)], true),
        (vec![1, 2], vec![customer(22), hint(9)], false),
    ] {
        let mut scene = follows(&hints(&confirmed));
        scene.conversion.identities.clone_from(&identities);
        let said = format!("{confirmed:?} {identities:?}");
        assert_eq!(bound_to(&scene), is_bound.then(|| person(10)), "{said}");
        assert_eq!(scene.advocates(), if is_bound { Ok(points(5)) } else { UNBOUND }, "{said}");
    }
}

#[test]
fn a_binding_lasts_for_so_many_days_of_the_orders_own_times() {
    for (seconds, is_bound) in [(-1, true), (0, true), (1, false)] {
        let mut binder = binder();
        binder.conversion.occurred_at = ordered().plus(-30 * DAY - seconds);
        let mut scene = follows(&binder);
        // The program began before that.
        scene.versions = passalong_core::program::Versions::new(vec![(
            ordered().plus(-100 * DAY),
            digest(0),
            crate::support::program(&terms(30)),
        )]);
        assert_eq!(bound_to(&scene).is_some(), is_bound, "{seconds}");
        assert_eq!(scene.advocates().is_ok(), is_bound, "{seconds}");
    }
    let mut scene = follows(&binder());
    scene.versions = versions(&terms(0));
    assert_eq!((bound_to(&scene), scene.advocates()), (None, UNBOUND), "no days, no binding");
}

#[test]
fn a_bound_order_stands_only_if_what_binds_it_does() {
    // It was bound; then, before both settle on day 30, what bound it went away.
    for (cancelled, result) in [
        (day(1), UNBOUND),
        (minutes(day(29), -1), UNBOUND),
        (day(29), UNBOUND),
        // The purchase settles on day 29: from then on it holds for good.
        (minutes(day(29), 1), Ok(points(5))),
    ] {
        let binder = binder().event(EventType::Cancelled, cancelled, None);
        assert_eq!(binder.settled(), day(29));
        let scene = follows(&binder);
        assert_eq!(bound_to(&scene), Some(person(10)), "{cancelled}");
        assert_eq!(scene.advocates(), result, "{cancelled}");
    }
    // While it is open it counts as it stands when the bound order settles.
    for (cancelled, result) in [(day(29), UNBOUND), (minutes(day(30), 1), Ok(points(5)))] {
        let binder = binder().delivered(day(20)).event(EventType::Cancelled, cancelled, None);
        assert_eq!(binder.settled(), day(41));
        assert_eq!(follows(&binder).advocates(), result, "{cancelled}");
    }
}

#[test]
fn what_was_wholly_reversed_before_binds_nobody_and_what_was_in_part_still_does() {
    for (refund, is_bound) in [(4999, true), (5000, false)] {
        check(&binder().refunded(minutes(day(-1), 5), refund), is_bound, &refund.to_string());
    }
    let gone = binder().event(EventType::Cancelled, minutes(day(-1), 5), None);
    check(&gone, false, "cancelled at once");
}

#[test]
fn of_several_purchases_the_earliest_that_counts_binds() {
    let mut other = binder();
    (other.order, other.advocate, other.accepted) = (order(2), person(11), day(-2));
    // The other's claim is good, so ours is none.
    let mut scene = follows(&binder());
    scene.rivals.push(other.clone());
    assert_eq!(bound_to(&scene), Some(person(11)));
    // In the wrong ledger it is nobody's.
    assert_eq!(scene.advocates(), UNBOUND);
    // Once the other's is gone, the next one binds.
    scene.rivals[1] = other.event(EventType::Cancelled, minutes(day(-2), 5), None);
    assert_eq!((bound_to(&scene), scene.advocates()), (Some(person(10)), Ok(points(5))));
}

#[test]
fn whoever_is_bound_was_new_when_they_were_brought() {
    for first_order in [None, Some(false), Some(true)] {
        let mut scene = follows(&binder());
        scene.conversion.first_order = first_order;
        assert_eq!(scene.advocates(), Ok(points(5)), "{first_order:?}");
    }
}

#[test]
fn a_purchase_accepted_after_the_order_binds_it_not() {
    let mut binder = binder();
    binder.accepted = minutes(ordered().minute(), 1);
    assert_eq!(bound_to(&follows(&binder)), None);
    // Nor one that came after it had joined, though it was let in before.
    let mut late = follows(&binder);
    let binder = &mut late.rivals[0];
    binder.accepted = minutes(late.accepted, 1);
    binder.conversion.occurred_at = day(-3).start();
    binder.conversion.first_order = Some(true);
    assert_eq!((binder.settled(), binder.admitted()), (day(27), Some(Admission::First)));
    assert_eq!((late.settled(), late.advocates()), (day(30), UNBOUND));
}

#[test]
fn where_nothing_is_bound_an_order_of_the_same_second_is_not_either() {
    let mut binder = binder();
    binder.conversion.occurred_at = ordered();
    for (days, advocate) in [(1, Some(person(10))), (0, None)] {
        let mut scene = follows(&binder);
        scene.versions = versions(&terms(days));
        assert_eq!(bound_to(&scene), advocate, "{days}");
    }
}
