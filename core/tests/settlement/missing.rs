//! An approved missing referral: when it settles, and what takes it away.

use passalong_core::fact::Via;
use passalong_core::reward::{Reason, Role};
use passalong_core::settlement::Pace;
use passalong_core::time::{HOUR, Minute};
use serde_json::{Value, json};

use crate::support::{Scene, order, ordered};

fn approved(terms: &Value, accepted: Minute) -> Scene {
    let mut scene = Scene::new(terms);
    scene.conversion.via = Via::Hand;
    scene.accepted = accepted;
    scene
}

#[test]
fn an_approval_after_the_hold_settles_an_hour_later() {
    let late = ordered().plus_days(40).minute();
    let scene = approved(&json!({}), late);
    assert_eq!(scene.settled(), late.plus(HOUR));
    assert!(scene.advocates().is_ok());
}

#[test]
fn what_the_merchant_approved_is_not_looked_at_for_its_pace() {
    let terms = json!({ "review": { "orders_per_day": 1 } });
    let pace = |scene: &Scene| Pace {
        order: order(1),
        accepted: scene.accepted.plus(-HOUR),
        kind: scene.conversion.kind,
        occurred_at: scene.conversion.occurred_at,
        via: Via::Code,
    };
    for (via, waits) in [(Via::Code, Some(Reason::Velocity)), (Via::Hand, None)] {
        let mut scene = approved(&terms, ordered().minute());
        scene.conversion.via = via;
        scene.pace = vec![pace(&scene)];
        let rewards = scene.settle().1.rewards;
        let own = rewards.iter().find(|reward| reward.role == Role::Advocate).unwrap();
        assert!(own.value.is_some());
        assert_eq!(own.review, waits, "{via:?}");
    }
}

#[test]
fn an_approval_that_does_not_count_earns_nothing_for_anybody() {
    for reason in [Reason::FriendAlreadyReferred, Reason::Declined] {
        let mut scene = approved(&json!({}), ordered().minute());
        scene.refusal = Some(reason);
        for decided in scene.settle().1.rewards {
            assert_eq!((decided.value, decided.reason), (None, Some(reason)));
        }
    }
}
