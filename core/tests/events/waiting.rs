//! What waits: an order in dispute, and one that only a browser reported.

use passalong_core::fact::Via;
use passalong_core::orders::state::Standing;
use passalong_core::report::EventType::{
    Cancelled, Chargeback, Confirmed, Delivered, Disputed, Restored,
};
use passalong_core::reward::{Reason, Role, Status};
use passalong_core::settlement::Pace;
use passalong_core::status::Reward;
use serde_json::json;

use super::start;
use crate::support::{Scene, credit, day, minutes, order, ordered};

fn brief(reward: &Reward) -> (Status, Option<Reason>, i64) {
    (reward.status, reward.reason, reward.value.amount().unwrap())
}

fn pending(scene: &Scene) -> (Status, Option<Reason>, i64) {
    brief(&scene.pending(start(29))[0])
}

fn decided(scene: &Scene) -> (Status, Option<Reason>, i64) {
    brief(&scene.decided_rewards()[0])
}

const DISPUTED: (Status, Option<Reason>, i64) = (Status::Review, Some(Reason::Disputed), 1000);
const UNPAID: (Status, Option<Reason>, i64) = (Status::Review, Some(Reason::Unpaid), 1000);
const APPROVED: (Status, Option<Reason>, i64) = (Status::Approved, None, 1000);
const WAITS: (Status, Option<Reason>, i64) =
    (Status::Pending, Some(Reason::AwaitingDelivery), 1000);

#[test]
fn a_dispute_holds_its_place_and_waits_for_its_end() {
    let lost = (Status::Reversed, Some(Reason::Chargeback), 0);
    for on in [3, 40] {
        let scene = Scene::plain().event(Disputed, day(on), None);
        let before = |scene: &Scene| if on == 3 { pending(scene) } else { DISPUTED };
        assert_eq!((before(&scene), decided(&scene)), (DISPUTED, DISPUTED), "day {on}");
        assert_eq!(scene.advocates(), Ok(credit(1000)), "its place is kept");
        let won = scene.clone().event(Restored, day(on + 1), None);
        let open = if on == 3 { pending(&won) } else { WAITS };
        assert_eq!((open, decided(&won)), (WAITS, APPROVED), "day {on}");
        let charged = scene.clone().event(Chargeback, day(on + 1), None);
        assert_eq!(decided(&charged), lost, "day {on}");
        // The chargeback ended the dispute; restored, nothing is in dispute any more.
        let restored = charged.event(Restored, day(on + 2), None);
        assert_eq!(decided(&restored), APPROVED, "day {on}");
        let approved = scene.clone().reviewed(day(on + 1), true);
        assert_eq!(decided(&approved), APPROVED, "day {on}");
        let declined = scene.clone().reviewed(day(on + 1), false);
        assert_eq!(decided(&declined), (Status::Reversed, Some(Reason::Declined), 0), "day {on}");
        let cancelled = scene.clone().event(Cancelled, day(on + 1), None);
        assert_eq!(decided(&cancelled), (Status::Reversed, Some(Reason::Cancelled), 0));
    }
    let told = Scene::plain().state(day(40), start(40), (5000, 0), Standing::Disputed);
    assert_eq!(decided(&told), DISPUTED);
}

#[test]
fn an_approval_covers_the_disputes_before_it_only() {
    let dispute = Scene::plain().reviewed(day(40), true).event(Disputed, day(41), None);
    assert_eq!(decided(&dispute), DISPUTED);
    let same = Scene::plain().event(Disputed, day(41), None).reviewed(day(41), true);
    assert_eq!(decided(&same), DISPUTED, "nobody knows which of one minute came first");
    let again = dispute.clone().reviewed(minutes(day(41), 1), true);
    assert_eq!(decided(&again), APPROVED);
    let another = again.event(Disputed, day(42), None);
    assert_eq!(decided(&another), DISPUTED);
}

#[test]
fn a_reward_that_was_handed_over_does_not_wait_for_a_dispute() {
    let paid = Scene::plain().fulfilled(Role::Advocate, credit(1000), day(31));
    let reward = paid.event(Disputed, day(40), None).decided_rewards().remove(0);
    assert_eq!(brief(&reward), (Status::Fulfilled, None, 1000));
    assert_eq!(reward.entries, []);
}

/// An order that only a browser reported.
fn page() -> Scene {
    let mut scene = Scene::plain();
    scene.conversion.browser_only = true;
    scene
}

#[test]
fn what_only_a_browser_reported_waits_until_the_shop_or_the_merchant_vouches_for_it() {
    assert_eq!((pending(&page()), decided(&page())), (UNPAID, UNPAID));
    assert_eq!(page().settle().1.rewards[0].review, Some(Reason::Unpaid));
    let open = |scene: Scene, on| scene.state(day(on), start(on), (5000, 0), Standing::Open);
    for on in [3, 30, 40] {
        let confirmed = page().event(Confirmed, day(on), None);
        let reviewed = page().reviewed(day(on), true);
        let heard = open(page(), on);
        for scene in [&confirmed, &reviewed, &heard] {
            assert_eq!(decided(scene), APPROVED, "day {on}");
            // The waiting ends with the word that ends it.
            let since = scene.decided_rewards()[0].since;
            assert_eq!(since, start(on.max(30)), "day {on}");
            let review = scene.settle().1.rewards[0].review;
            assert_eq!(review, (on > 30).then_some(Reason::Unpaid), "day {on}");
            if on == 3 {
                assert_eq!(pending(scene), WAITS);
            }
        }
        let declined = page().reviewed(day(on), false);
        assert_eq!(decided(&declined), (Status::Reversed, Some(Reason::Declined), 0));
    }
    for (name, other) in [
        ("a delivery", page().event(Delivered, day(1), None)),
        ("a dispute", page().event(Disputed, day(3), None)),
        ("a state that is not open", page().state(day(3), start(3), (5000, 0), Standing::Disputed)),
    ] {
        assert_eq!(decided(&other), UNPAID, "{name} says nothing of payment");
    }
}

/// The merchant approved that the order is this advocate's, not that it is paid.
#[test]
fn a_missing_referral_that_only_a_browser_reported_waits_for_its_friend() {
    let mut scene = Scene::new(&json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "friend", "trigger": "first_purchase", "when": "earned",
         "value": {"kind": "credit", "amount": 500}},
    ]}));
    (scene.conversion.browser_only, scene.conversion.via) = (true, Via::Hand);
    let approved = scene.reviewed(day(1), true);
    let waits = |scene: &Scene| {
        let rewards = scene.settle().1.rewards;
        [Role::Advocate, Role::Friend]
            .map(|role| rewards.iter().find(|reward| reward.role == role).unwrap().review)
    };
    assert_eq!(waits(&approved), [None, Some(Reason::Unpaid)]);
    assert_eq!(waits(&approved.event(Confirmed, day(3), None)), [None, None]);
}

#[test]
fn what_is_not_paid_earns_nothing_once_it_is_cancelled() {
    let cancelled = page().event(Cancelled, day(40), None).event(Confirmed, day(41), None);
    assert_eq!(decided(&cancelled), (Status::Reversed, Some(Reason::Cancelled), 0));
    let unpaid = page().event(Cancelled, day(40), None);
    assert_eq!(decided(&unpaid), (Status::Reversed, Some(Reason::Cancelled), 0));
    let confirmed = page().event(Confirmed, day(3), None).event(Disputed, day(4), None);
    assert_eq!(decided(&confirmed), DISPUTED, "paid, and in dispute");
}

#[test]
fn a_limit_of_orders_comes_before_the_payment() {
    let mut fast = Scene::new(&json!({ "review": { "orders_per_day": 1 } }));
    fast.conversion.browser_only = true;
    fast.pace = vec![Pace {
        order: order(1),
        accepted: minutes(fast.accepted, -1),
        kind: fast.conversion.kind,
        occurred_at: ordered().plus(-60),
        via: Via::Code,
    }];
    let confirmed = fast.event(Confirmed, day(40), None);
    let waits = (Status::Review, Some(Reason::Velocity), 1000);
    assert_eq!(decided(&confirmed), waits, "a payment answers no such question");
}
