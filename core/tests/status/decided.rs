//! What is shown follows the rule that applied, and counts what was approved.

use std::collections::BTreeMap;

use passalong_core::fact::{Decided, Fact, FactKey, Verdict};
use passalong_core::orders::claims::Admission;
use passalong_core::reward::{ConversionKind, Reason, Role, Status, Trigger};
use passalong_core::status::{self, Reward};
use serde_json::json;

use super::{only, start};
use crate::support::{Scene, credit, day, digest, fold, order, ordered, points, program};

#[test]
fn referrals_are_the_advocates_rewards_that_were_approved() {
    let plain = |role, trigger, value| Decided::plain(role, trigger, value);
    let (advocate, friend) = (Role::Advocate, Role::Friend);
    let (first, signup) = (Trigger::FirstPurchase, Trigger::Signup);
    let verdict = |rewards: Vec<Decided>| {
        let (report, admitted) = (digest(50), Some(Admission::First));
        let fact =
            Fact::Verdict(Verdict { report, admitted, rewards, excluded: 0, disputed: false });
        fold([(FactKey { accepted: day(30), kind: fact.kind(), digest: digest(80) }, fact)])
    };
    let bonus = Decided { milestone: Some(1), ..plain(advocate, first, Ok(points(50))) };
    let orders = BTreeMap::from([
        (order(1), verdict(vec![plain(advocate, first, Ok(credit(1))), bonus])),
        (order(2), verdict(vec![plain(friend, first, Ok(credit(1)))])),
        (order(3), verdict(vec![plain(advocate, first, Err(Reason::Withdrawn))])),
        (order(4), verdict(vec![plain(advocate, first, Ok(credit(1)))])),
        (order(5), verdict(vec![plain(advocate, signup, Ok(points(1)))])),
        (order(6), fold(Scene::plain().facts())),
    ]);
    assert_eq!(status::approved(&orders), BTreeMap::from([(first, 2), (signup, 1)]));
}

#[test]
fn an_order_that_earns_nothing_by_its_terms_is_told_as_the_merchant_decided_on_it() {
    for (approved, expected, since) in [
        (true, (Status::Refused, None), ordered()),
        (false, (Status::Reversed, Some(Reason::Declined)), start(3)),
    ] {
        let scene = Scene::plain().reviewed(day(3), approved);
        let (facts, part) = (fold(scene.facts()), Role::Advocate.into());
        let reward = Reward::nothing(part, &facts, &program(&json!({}))).unwrap();
        assert_eq!((reward.status, reward.reason), expected, "{approved}");
        assert_eq!((reward.part, reward.value, reward.since), (part, credit(0), since));
    }
    let unknown = Reward::nothing(Role::Advocate.into(), &fold([]), &program(&json!({})));
    assert_eq!(unknown, None, "an order that nobody reported");
}

#[test]
fn whom_the_shop_knows_is_refused_unless_the_same_advocate_brought_them() {
    let mut scene = Scene::plain();
    scene.conversion.first_order = Some(false);
    let shown = |scene: &Scene| {
        let reward = only(scene.pending(start(1)));
        (reward.status, reward.reason)
    };
    assert_eq!(shown(&scene), (Status::Refused, Some(Reason::ExistingCustomer)));
    scene.conversion.waived = true;
    assert_eq!(shown(&scene), (Status::Pending, Some(Reason::AwaitingDelivery)));
    scene.conversion.currency = Some("CHF".parse().unwrap());
    assert_eq!(shown(&scene), (Status::Refused, Some(Reason::CurrencyMismatch)));
}

#[test]
fn what_was_refused_is_nothing_of_the_kind_that_its_rule_gives() {
    let terms = json!({"rewards": [
        {"for": "advocate", "trigger": "signup", "value": {"kind": "credit", "amount": 900}},
        {"for": "friend", "trigger": "every_purchase", "value": {"kind": "credit", "amount": 300}},
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
    ]});
    let scene = Scene::new(&terms).refunded(day(1), 5000);
    let rewards = scene.decided_rewards();
    let shown = |role: Role| {
        let reward = rewards.iter().find(|reward| reward.part.role == role).unwrap();
        (reward.trigger, reward.value, reward.status)
    };
    let reversed = Status::Reversed;
    assert_eq!(shown(Role::Advocate), (Trigger::EveryPurchase, points(0), reversed));
    assert_eq!(shown(Role::Friend), (Trigger::EveryPurchase, credit(0), reversed));
    let mut signup = Scene::new(&terms);
    let of = &mut signup.conversion;
    (of.kind, of.amount, of.currency) = (ConversionKind::Signup, None, None);
    let withdrawn = signup.event(passalong_core::report::EventType::Withdrawn, day(1), None);
    let reward = only(withdrawn.decided_rewards());
    assert_eq!((reward.trigger, reward.value), (Trigger::Signup, credit(0)));
}
