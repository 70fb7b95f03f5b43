//! What is taken from a reward after its verdict, and what comes back.

use passalong_core::fact::{Fact, FactKey, Fulfilment};
use passalong_core::report::EventType::{Amended, Cancelled, Chargeback, Refunded, Restored};
use passalong_core::reward::{Reason, Role, Status, Value};
use passalong_core::status::Reward;
use serde_json::json;

use super::start;
use crate::support::{Scene, advocate_rule, credit, day, digest};

/// What is shown of the reward that was decided on day 30.
fn shown(scene: &Scene) -> Reward {
    scene.decided_rewards().remove(0)
}

fn brief(scene: &Scene) -> (Status, Option<Reason>, Value) {
    let Reward { status, reason, value, .. } = shown(scene);
    (status, reason, value)
}

#[test]
fn what_was_wholly_taken_back_and_restored_comes_back_as_the_least_it_was() {
    let plain = Scene::plain;
    let (approved, reversed) = (Status::Approved, Status::Reversed);
    let refunded = Some(Reason::Refunded);
    for (name, scene, expected) in [
        (
            "cancelled and restored",
            plain().event(Cancelled, day(40), None).event(Restored, day(41), None),
            (approved, None, credit(1000)),
        ),
        (
            "in one minute",
            plain().event(Cancelled, day(40), None).event(Restored, day(40), None),
            (approved, None, credit(1000)),
        ),
        (
            "refunded in full and restored",
            plain().refunded(day(40), 9999).undone(9, day(41), 0),
            (approved, None, credit(1000)),
        ),
        (
            "down to nothing by a cent that is left",
            plain().refunded(day(40), 4999).undone(9, day(41), 0),
            (approved, None, credit(1000)),
        ),
        (
            "a part, which does not come back",
            plain().refunded(day(40), 1000).undone(9, day(41), 0),
            (approved, refunded, credit(800)),
        ),
        (
            "a part, the rest and the rest restored",
            plain().refunded(day(40), 1000).refunded(day(41), 4000).undone(9, day(42), 1),
            (approved, refunded, credit(800)),
        ),
        (
            "both restored, the lesser first",
            plain().refunded(day(40), 1000).refunded(day(41), 4000).undone(8, day(42), 0).undone(
                9,
                day(43),
                1,
            ),
            (approved, refunded, credit(200)),
        ),
        (
            "amended down, which stays",
            plain().event(Amended, day(40), Some(2000)).event(Amended, day(41), Some(5000)),
            (approved, refunded, credit(400)),
        ),
        (
            "amended up, which gives nothing",
            plain().event(Amended, day(40), Some(9000)),
            (approved, None, credit(1000)),
        ),
        (
            "amended to nothing and back",
            plain().event(Amended, day(40), Some(0)).event(Amended, day(41), Some(5000)),
            (approved, None, credit(1000)),
        ),
        (
            "amended to nothing",
            plain().event(Amended, day(40), Some(0)),
            (reversed, Some(Reason::Cancelled), credit(0)),
        ),
        (
            "restored, and charged back",
            plain().event(Cancelled, day(40), None).event(Restored, day(41), None).event(
                Chargeback,
                day(42),
                None,
            ),
            (reversed, Some(Reason::Chargeback), credit(0)),
        ),
    ] {
        assert_eq!(brief(&scene), expected, "{name}");
        assert!(shown(&scene).since >= start(30), "{name}");
    }
}

#[test]
fn a_verdict_that_found_nothing_is_not_changed_by_what_is_restored_later() {
    for (kind, amount, reason) in
        [(Cancelled, None, Reason::Cancelled), (Refunded, Some(5000), Reason::Refunded)]
    {
        let gone = Scene::plain().event(kind, day(3), amount);
        let restored = gone.clone().event(Restored, day(40), None);
        let expected = (Status::Reversed, Some(reason), credit(0));
        assert_eq!((brief(&gone), brief(&restored)), (expected, expected));
        assert_eq!(shown(&restored).since, start(3));
        let in_time = gone.event(Restored, day(30), None);
        assert_eq!(brief(&in_time), (Status::Approved, None, credit(1000)));
    }
    let mut free = Scene::plain();
    free.conversion.amount = Some(0);
    let amended = free.event(Amended, day(40), Some(5000));
    assert_eq!(brief(&amended), (Status::Refused, Some(Reason::BelowMinimum), credit(0)));
}

#[test]
fn what_went_down_and_up_before_the_verdict_leaves_no_trace() {
    let scene = Scene::plain()
        .event(Amended, day(1), Some(1000))
        .event(Cancelled, day(2), None)
        .refunded(day(3), 700)
        .event(Restored, day(4), None)
        .undone(9, day(5), 1)
        .event(Amended, day(6), Some(5000));
    assert_eq!(brief(&scene), (Status::Approved, None, credit(1000)));
    let paid = scene.fulfilled(Role::Advocate, credit(1000), day(31));
    assert_eq!(shown(&paid).entries, []);
}

/// The merchant asked twice, and one location had not seen the refund of that minute.
#[test]
fn of_two_tries_in_one_minute_the_one_that_saw_the_refund_says_what_was_handed_over() {
    for digests in [[201, 202], [202, 201]] {
        let mut scene = Scene::plain().refunded(day(31), 1000);
        for (value, id) in [1000, 800].into_iter().zip(digests) {
            let fact = Fact::Fulfilment(Fulfilment {
                role: Role::Advocate,
                milestone: None,
                entry: None,
                value: credit(value),
                sealed: "voucher 1".to_owned(),
                coupon: false,
            });
            let key = FactKey { accepted: day(31), kind: fact.kind(), digest: digest(id) };
            scene.more.push((key, fact));
        }
        let reward = shown(&scene);
        assert_eq!((reward.status, reward.value), (Status::Fulfilled, credit(800)));
        assert_eq!(reward.entries, [], "nothing of it is asked back");
    }
}

fn paid() -> Scene {
    Scene::plain().fulfilled(Role::Advocate, credit(1000), day(31))
}

/// The merchant settled the entry of that event, of so much.
fn settled(scene: Scene, id: u8, on: i64, amount: i64) -> Scene {
    settled_twice(scene, id, on, [amount, amount])
}

/// The same by two tries with one reference in one minute.
fn settled_twice(mut scene: Scene, id: u8, on: i64, amounts: [i64; 2]) -> Scene {
    for (amount, try_digest) in amounts.into_iter().zip([200 + id, 220 + id]) {
        let fact = Fact::Fulfilment(Fulfilment {
            role: Role::Advocate,
            milestone: None,
            entry: Some(digest(id)),
            value: credit(amount),
            sealed: format!("offset {id}"),
            coupon: false,
        });
        let key = FactKey { accepted: day(on), kind: fact.kind(), digest: digest(try_digest) };
        scene.more.push((key, fact));
    }
    scene
}

/// The entries: event, value, reason, and whether they are settled.
fn entries(scene: &Scene) -> Vec<(u8, i64, Reason, bool)> {
    let reward = shown(scene);
    assert_eq!((reward.status, reward.value), (Status::Fulfilled, credit(1000)));
    let brief = |entry: &passalong_core::status::Entry| {
        (entry.event.0[0], entry.value.amount().unwrap(), entry.reason, entry.settled.is_some())
    };
    reward.entries.iter().map(brief).collect()
}

#[test]
fn a_reversal_that_is_restored_takes_its_entry_along_unless_it_is_settled() {
    let refund = (1, -200, Reason::Refunded, false);
    let cancel = |amount| (2, amount, Reason::Cancelled, false);
    let two = || paid().refunded(day(40), 1000).event(Cancelled, day(41), None);
    for (name, scene, expected) in [
        ("both hold", two(), vec![refund, cancel(-800)]),
        ("the second restored", two().event(Restored, day(42), None), vec![refund]),
        ("the first restored", two().undone(9, day(42), 1), vec![cancel(-1000)]),
        ("both", two().undone(9, day(42), 1).undone(10, day(43), 2), vec![]),
        (
            "settled before it was restored",
            settled(two(), 1, 41, -200).undone(9, day(42), 1).undone(10, day(43), 2),
            vec![(1, -200, Reason::Refunded, true)],
        ),
        (
            "what was settled counts for what comes later",
            settled(two(), 1, 41, -200).undone(9, day(42), 1),
            vec![(1, -200, Reason::Refunded, true), cancel(-800)],
        ),
        (
            "what later was settled with counts on what was before it",
            settled(two(), 2, 42, -800).undone(9, day(43), 1),
            vec![refund, (2, -800, Reason::Cancelled, true)],
        ),
        (
            "until that is restored, too",
            settled(two(), 2, 42, -800).undone(9, day(43), 1).undone(10, day(44), 2),
            vec![(2, -800, Reason::Cancelled, true)],
        ),
        (
            "settled by whoever had not seen what was before it",
            settled(two(), 2, 41, -1000),
            vec![(2, -1000, Reason::Cancelled, true)],
        ),
        (
            "and settled twice in one minute, once by whoever had seen it",
            settled_twice(two(), 2, 41, [-1000, -800]),
            vec![refund, (2, -800, Reason::Cancelled, true)],
        ),
        (
            "as much again as was settled and restored",
            settled(two(), 1, 41, -200)
                .undone(9, day(42), 1)
                .undone(10, day(43), 2)
                .refunded(day(44), 1000),
            vec![(1, -200, Reason::Refunded, true)],
        ),
        (
            "amended to nothing and back",
            paid().event(Amended, day(40), Some(0)).event(Amended, day(41), Some(5000)),
            vec![],
        ),
        (
            "amended down, which stays",
            paid().event(Amended, day(40), Some(2000)).event(Amended, day(41), Some(5000)),
            vec![(1, -600, Reason::Refunded, false)],
        ),
    ] {
        assert_eq!(entries(&scene), expected, "{name}");
        let taken: i64 = expected.iter().map(|(_, amount, ..)| amount).sum();
        assert_eq!(shown(&scene).net(), Some(credit(1000 + taken)), "{name}");
    }
}

#[test]
fn a_percentage_comes_back_as_a_whole() {
    let percent = json!({"kind": "percent_off", "basis_points": 1500});
    let value: Value = serde_json::from_value(percent.clone()).unwrap();
    let scene = Scene::new(&advocate_rule(&json!({ "value": percent })));
    let gone = scene.event(Cancelled, day(40), None);
    assert_eq!(brief(&gone).0, Status::Reversed);
    let back = gone.clone().event(Restored, day(41), None);
    assert_eq!(brief(&back), (Status::Approved, None, value));
    let paid = gone.fulfilled(Role::Advocate, value, day(31));
    assert_eq!(shown(&paid).entries.len(), 1);
    assert_eq!(shown(&paid.event(Restored, day(41), None)).entries, []);
}
