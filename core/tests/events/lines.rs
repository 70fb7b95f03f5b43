//! The lines of an order, told again: what of it earns nothing, and under which key the lines stand.

use passalong_core::fact::{Fact, FactKey, FactKind};
use passalong_core::orders::state::Standing::Open;
use passalong_core::report::EventType::{Amended, Refunded};
use passalong_core::reward::{ConversionKind, Reason};
use passalong_core::settlement::Reported;
use passalong_core::time::Minute;

use super::{all, start};
use crate::support::{Scene, credit, day, fold};

/// An amendment of the given id that tells the lines, of which so much is excluded.
fn amended(scene: Scene, id: u8, accepted: Minute, excluded: Option<i64>) -> Scene {
    scene.named(id, (Amended, accepted), |event| {
        (event.amount, event.excluded) = (Some(5000), excluded);
    })
}

/// A state that tells the lines as well.
fn told(scene: Scene, days: i64, excluded: Option<i64>) -> Scene {
    let mut scene = scene.state(day(days), start(days), (5000, 0), Open);
    if let Some((_, Fact::State(state))) = scene.more.last_mut() {
        state.excluded = excluded;
    }
    scene
}

fn lines(scene: &Scene, until: Minute) -> Option<FactKey> {
    let order = fold(scene.facts());
    Reported::from(order.conversion.as_ref().unwrap()).lines(&order, until)
}

#[test]
fn the_lines_that_were_told_last_count_until_the_order_settles() {
    let plain = Scene::plain();
    assert_eq!((lines(&plain, day(9)), plain.left(None).excluded), (None, None));
    let scene = amended(plain, 3, day(1), Some(990));
    let scene = amended(scene.refunded(day(2), 100), 4, day(3), None);
    let scene = told(told(scene, 4, Some(700)), 5, None);
    let (amended, state) = (FactKind::Amended, FactKind::State);
    for (until, excluded, key) in [
        (0, None, None),
        (1, Some(990), Some((day(1), amended))),
        (3, Some(990), Some((day(1), amended))),
        (4, Some(700), Some((day(4), state))),
        (9, Some(700), Some((day(4), state))),
    ] {
        let told = lines(&scene, day(until)).map(|key| (key.accepted, key.kind));
        assert_eq!((scene.left(Some(day(until))).excluded, told), (excluded, key), "{until}");
    }
}

#[test]
fn what_is_excluded_of_the_lines_earns_nothing_while_it_is_pending() {
    let scene = amended(Scene::plain(), 3, day(1), Some(1000));
    assert_eq!(scene.pending(start(2))[0].value, credit(800));
}

#[test]
fn what_was_free_and_was_amended_up_is_reversed_once_nothing_is_left() {
    let mut scene = Scene::plain();
    (scene.conversion.kind, scene.conversion.amount) = (ConversionKind::Action, Some(0));
    assert_eq!(all(&scene), (0, None), "an action may be worth nothing");
    let scene = scene.event(Amended, day(1), Some(5000));
    assert_eq!(all(&scene), (5000, None));
    assert_eq!(all(&scene.refunded(day(2), 5000)), (0, Some(Reason::Refunded)));
}

#[test]
fn a_word_that_took_nothing_is_not_named_for_what_was_taken() {
    let scene = Scene::plain().refunded(day(40), 4999).event(Amended, day(41), Some(5000));
    let scene = scene.undone(9, day(42), 77);
    let reward = scene.decided_rewards().remove(0);
    assert_eq!((reward.value, reward.reason), (credit(0), Some(Reason::Refunded)));
    assert_eq!(reward.since, start(40), "a cent is left, of which nobody earns anything");
}

#[test]
fn a_state_that_changes_nothing_takes_and_voids_nothing() {
    let steps = |states: &[i64]| {
        let scene = states.iter().zip(3..).fold(Scene::plain(), |scene, (refunded, days)| {
            scene.state(day(days), start(days), (5000, *refunded), Open)
        });
        let order = fold(scene.facts());
        let steps = Reported::from(order.conversion.as_ref().unwrap()).standing(&order);
        steps.iter().map(|step| (step.taken, step.is_void)).collect::<Vec<_>>()
    };
    assert_eq!(steps(&[0, 0]), [(0, false); 2]);
    assert_eq!(steps(&[1000, 1000]), [(1000, false), (0, false)]);
    assert_eq!(steps(&[1000, 400]), [(400, false), (0, false)], "a part of it was given back");
    assert_eq!(steps(&[1000, 0]), [(0, true), (0, false)], "all of it was given back");
    // What the shop took back does not stand in the way of what is restored next.
    let cancelled = Scene::plain().event(Refunded, day(2), Some(700));
    let given_back = cancelled.state(day(3), start(3), (5000, 1000), Open);
    let given_back = given_back.state(day(4), start(4), (5000, 0), Open);
    assert_eq!(all(&given_back), (4300, None));
    let restored = given_back.event(super::Restored, day(5), None);
    assert_eq!(all(&restored), (5000, None));
    // It gives back of what states told, and leaves what an event told.
    let told = Scene::plain().state(day(2), start(2), (5000, 1000), Open).refunded(day(3), 700);
    let given_back = told.state(day(4), start(4), (5000, 0), Open);
    assert_eq!(all(&given_back), (4300, None));
    assert_eq!(all(&given_back.undone(9, day(5), 1)), (5000, None));
}
