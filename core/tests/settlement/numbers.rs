//! What goes by the number of a referral: tiers, and the bonus for many.

use passalong_core::fact::{Decided, Fact, FactKey, Order};
use passalong_core::orders::account::{ORDERS, is_crowded};
use passalong_core::orders::claims::Admission;
use passalong_core::report::EventType::{Confirmed, Disputed, Restored};
use passalong_core::reward::{Reason, Role, Status, Trigger, Value};
use passalong_core::settlement::{Earned, Pace};
use passalong_core::time::Minute;
use serde_json::json;

use crate::support::{Scene, advocate_rule, credit, day, digest, fold, minutes, order, points};

fn earned(number: u8, change: impl FnOnce(&mut Decided)) -> Earned {
    let mut decided = Decided::plain(Role::Advocate, Trigger::FirstPurchase, Ok(credit(500)));
    change(&mut decided);
    Earned { settled: day(20), order: order(100 + number), decided, action: None, waits: None }
}

/// So many referrals that were approved before.
fn approved(count: u8) -> Vec<Earned> {
    (0..count).map(|number| earned(number, |_| ())).collect()
}

/// 5.00 EUR, and 9.00 EUR from the third referral.
fn tiered(earned: Vec<Earned>) -> Scene {
    let mut scene = Scene::new(&advocate_rule(&json!({
        "value": {"kind": "credit", "amount": 500},
        "tiers": [{"from": 3, "value": {"kind": "credit", "amount": 900}}],
    })));
    scene.earned = earned;
    scene
}

/// 5.00 EUR each, and 50 points with the third referral.
fn with_bonus(earned: Vec<Earned>) -> Scene {
    let mut scene = Scene::new(&json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 500}},
        {"for": "advocate", "trigger": "first_purchase", "milestone": 3,
         "value": {"kind": "points", "points": 50}},
    ]}));
    scene.earned = earned;
    scene
}

/// What the bonus comes to, if this referral reaches it.
fn bonus(scene: &Scene) -> Option<Value> {
    let rewards = scene.settle().1.rewards;
    rewards.iter().find(|decided| decided.milestone.is_some()).and_then(|decided| decided.value)
}

#[test]
fn a_tier_begins_with_the_referral_of_its_number() {
    for (before, value) in [(0, 500), (1, 500), (2, 900), (3, 900)] {
        assert_eq!(tiered(approved(before)).advocates(), Ok(credit(value)), "{before}");
    }
}

#[test]
fn only_approved_referrals_of_the_same_trigger_have_a_number() {
    let scene = |other: Earned| tiered([approved(1), vec![other]].concat());
    assert_eq!(scene(earned(7, |_| ())).advocates(), Ok(credit(900)));
    for (name, other) in [
        ("a friend's", earned(7, |one| one.role = Role::Friend)),
        ("a sign-up", earned(7, |one| one.trigger = Trigger::Signup)),
        ("a bonus", earned(7, |one| one.milestone = Some(2))),
        ("refused", earned(7, |one| (one.value, one.reason) = (None, Some(Reason::Declined)))),
        ("later", Earned { settled: minutes(day(30), 1), ..earned(7, |_| ()) }),
    ] {
        assert_eq!(scene(other).advocates(), Ok(credit(500)), "{name}");
    }
}

#[test]
fn a_bonus_comes_with_the_referral_of_its_number_and_no_other() {
    for (before, expected) in [(0, None), (1, None), (2, Some(points(50))), (3, None)] {
        assert_eq!(bonus(&with_bonus(approved(before))), expected, "{before}");
    }
}

#[test]
fn a_bonus_is_paid_once() {
    for (name, paid, expected) in [
        ("this one", earned(7, |one| one.milestone = Some(3)), None),
        ("another", earned(7, |one| one.milestone = Some(2)), Some(points(50))),
        (
            "of another trigger",
            earned(7, |one| (one.milestone, one.trigger) = (Some(3), Trigger::Signup)),
            Some(points(50)),
        ),
    ] {
        let scene = with_bonus([approved(2), vec![paid]].concat());
        assert_eq!(bonus(&scene), expected, "{name}");
    }
}

/// Why the bonus of this referral waits.
fn bonus_waits(scene: &Scene) -> Option<Reason> {
    let rewards = scene.settle().1.rewards;
    rewards.iter().find(|decided| decided.milestone.is_some()).unwrap().review
}

#[test]
fn a_bonus_waits_where_its_own_order_or_one_that_it_counts_does() {
    let waiting = |change: fn(&mut Decided)| {
        let one = Earned { waits: Some(Reason::Unpaid), ..earned(7, change) };
        with_bonus(
            [approved(if one.decided.milestone.is_some() { 2 } else { 1 }), vec![one]].concat(),
        )
    };
    assert_eq!(bonus_waits(&with_bonus(approved(2))), None);
    assert_eq!(bonus_waits(&waiting(|_| ())), Some(Reason::Unpaid));
    assert_eq!(bonus_waits(&waiting(|one| one.milestone = Some(2))), None, "another bonus");
    let later = Earned { settled: day(21), waits: Some(Reason::Disputed), ..earned(1, |_| ()) };
    let first = Earned { waits: Some(Reason::Velocity), ..earned(7, |_| ()) };
    assert_eq!(bonus_waits(&with_bonus(vec![later, first])), Some(Reason::Velocity), "the first");
    let disputed = with_bonus(approved(2)).event(Disputed, day(3), None);
    assert_eq!(bonus_waits(&disputed), Some(Reason::Disputed));
    let won = disputed.event(Restored, day(4), None);
    assert_eq!(bonus_waits(&won), None);
}

#[test]
fn an_order_waits_for_those_after_it_until_the_merchant_approved_it() {
    let waits = |scene: &Scene, at: Minute| {
        let (settled, verdict) = scene.settle();
        let mut facts = fold(scene.facts());
        let fact = Fact::Verdict(verdict);
        facts.add(FactKey { accepted: settled, kind: fact.kind(), digest: digest(90) }, fact);
        let earned = Earned::of(scene.order, &facts, at);
        earned.iter().find(|one| one.decided.role == Role::Advocate).unwrap().waits
    };
    assert_eq!(waits(&Scene::plain(), day(40)), None);
    let mut unpaid = Scene::plain();
    unpaid.conversion.browser_only = true;
    let approved = unpaid.clone().reviewed(day(35), true);
    assert_eq!(waits(&approved, minutes(day(35), -1)), Some(Reason::Unpaid));
    assert_eq!(waits(&approved, day(35)), None);
    for still in [unpaid.clone().event(Confirmed, day(35), None), unpaid.reviewed(day(35), false)] {
        assert_eq!(waits(&still, day(40)), Some(Reason::Unpaid));
    }
    let declined = Scene::plain().reviewed(day(35), false);
    assert_eq!(waits(&declined, minutes(day(35), -1)), None);
    assert_eq!(waits(&declined, day(35)), Some(Reason::NotApprovedYet));
    let disputed = Scene::plain().event(Disputed, day(3), None);
    assert_eq!(waits(&disputed, day(40)), Some(Reason::Disputed));
    let before = disputed.clone().reviewed(day(2), true);
    assert_eq!(waits(&before, day(40)), Some(Reason::Disputed), "approved before the dispute");
    let again = before.reviewed(day(35), true);
    assert_eq!(waits(&again, day(40)), None, "and once more since");
    assert_eq!(waits(&disputed.clone().reviewed(day(4), true), day(40)), None, "in time");
    let after = disputed.clone().reviewed(day(35), true);
    assert_eq!(waits(&after, minutes(day(35), -1)), Some(Reason::Disputed));
    assert_eq!(waits(&after, day(35)), None);
    assert_eq!(waits(&disputed.clone().event(Restored, day(4), None), day(40)), None, "won");
    let late = disputed.event(Restored, day(35), None);
    assert_eq!(waits(&late, day(40)), Some(Reason::Disputed), "an event may not be there yet");
}

#[test]
fn a_bonus_that_waits_for_another_order_is_not_released_by_the_payment_of_its_own() {
    let unpaid = Earned { waits: Some(Reason::Unpaid), ..earned(7, |_| ()) };
    for scene in [
        with_bonus([approved(1), vec![unpaid]].concat()).event(Confirmed, day(3), None),
        with_bonus(approved(2)).event(Confirmed, day(40), None),
    ] {
        let mut scene = scene;
        scene.conversion.browser_only = true;
        let rewards = scene.decided_rewards();
        let status = |of: Option<u32>| {
            let mut rewards = rewards.iter();
            rewards.find(|one| one.part.milestone == of).unwrap().status
        };
        assert_eq!((status(None), status(Some(3))), (Status::Approved, Status::Review));
    }
}

/// Orders of one advocate, all accepted then.
fn ledger(count: usize, accepted: Minute) -> passalong_core::orders::account::Ledger {
    let mut scene = Scene::plain();
    scene.accepted = accepted;
    let facts = fold(scene.facts());
    let number = |n: usize| {
        let mut id = order(0);
        id.0[..8].copy_from_slice(&n.to_be_bytes());
        id
    };
    (0..count).map(|n| (number(n), facts.clone())).collect()
}

#[test]
fn more_orders_than_are_ranked_are_a_pure_count_of_what_was_accepted_up_to_then() {
    let (accepted, before) = (day(3), minutes(day(3), -1));
    let mut orders = ledger(ORDERS, accepted);
    // An order of which only an event is there is none yet.
    orders.insert(order(200), Order::default());
    assert!(!is_crowded(&orders, day(300)));
    let mut scene = Scene::plain();
    scene.accepted = minutes(accepted, 7);
    orders.insert(order(201), fold(scene.facts()));
    for (until, expected) in
        [(before, false), (accepted, false), (minutes(accepted, 6), false), (day(4), true)]
    {
        assert_eq!(is_crowded(&orders, until), expected, "{until}");
    }
    assert!(is_crowded(&orders, minutes(accepted, 7)));
    // A second report of an order is no second order.
    let again = orders.get_mut(&order(201)).unwrap();
    scene.digest = digest(51);
    let (key, fact) = scene.facts().remove(0);
    again.add(key, fact);
    orders.pop_first();
    assert!(!is_crowded(&orders, day(300)));
}

#[test]
fn of_too_many_orders_to_rank_none_counts_and_the_merchant_looks() {
    let capped = json!({"value": {"kind": "credit", "amount": 500}, "cap": {"count": 1}});
    let mut at_cap = Scene::new(&advocate_rule(&capped));
    at_cap.earned = approved(1);
    let mut quick = Scene::plain();
    let via = quick.conversion.via;
    quick.pace = (0..200)
        .map(|number| Pace {
            order: order(number),
            accepted: quick.accepted,
            kind: quick.conversion.kind,
            occurred_at: quick.conversion.occurred_at,
            via,
        })
        .collect();
    for (name, mut scene, value) in [
        ("a tier", tiered(approved(9)), credit(500)),
        ("a bonus", with_bonus(approved(2)), credit(500)),
        ("a cap", at_cap, credit(500)),
        ("many from one click", quick, credit(1000)),
    ] {
        scene.unranked = true;
        let (_, verdict) = scene.settle();
        assert_eq!(verdict.rewards.len(), 1, "{name}");
        let decided = verdict.rewards[0];
        assert_eq!(
            (decided.value, decided.review),
            (Some(value), Some(Reason::Velocity)),
            "{name}"
        );
        assert_eq!(verdict.admitted, Some(Admission::First), "{name}: it holds its friend");
        let declined = scene.reviewed(day(3), false);
        assert_eq!(declined.advocates(), Err(Reason::Declined), "{name}");
    }
}
