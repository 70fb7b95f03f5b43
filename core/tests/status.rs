//! Where a reward is, why, since when and until when: before its verdict and after it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "status/decided.rs"]
mod verdicts;

use passalong_core::fact::Via;
use passalong_core::orders::claims::Admission;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Status, Trigger, Value};
use passalong_core::status::{Entry, Reward, Totals};
use passalong_core::time::{Instant, MINUTE, Minute};
use serde_json::json;
use support::{
    Scene, advocate_rule, at, credit, customer, day, digest, fold, hint, knows, minutes, ordered,
    points,
};

fn start(days: i64) -> Instant {
    day(days).start()
}

/// The advocate's reward, of which there is one.
fn only(rewards: Vec<Reward>) -> Reward {
    let [reward] = <[Reward; 1]>::try_from(rewards).unwrap();
    assert_eq!(reward.part, Role::Advocate.into());
    reward
}

fn shown(value: Value, status: Status, reason: Option<Reason>, since: Instant) -> Reward {
    Reward {
        part: Role::Advocate.into(),
        trigger: Trigger::FirstPurchase,
        value,
        status,
        reason,
        since,
        until: None,
        entries: Vec::new(),
        pool: None,
        coupon: None,
    }
}

/// What is shown of a reward that has been decided.
fn decided(scene: &Scene) -> Reward {
    only(scene.decided_rewards())
}

fn percent_off() -> Value {
    serde_json::from_value(json!({"kind": "percent_off", "basis_points": 1500})).unwrap()
}

fn with_value(value: &Value) -> Scene {
    Scene::new(&advocate_rule(&json!({ "value": value })))
}

#[test]
fn a_pending_reward_says_what_it_waits_for_and_until_when() {
    let waits = (Some(Reason::AwaitingDelivery), Some(start(30)));
    let holds = (Some(Reason::Hold), Some(start(23)));
    let checks = |until| (Some(Reason::Checking), until);
    let settle = 10 * MINUTE;
    for (delivered, now, (reason, until)) in [
        (false, ordered(), waits),
        (false, start(30).plus(-1), waits),
        (false, start(30), checks(Some(start(30).plus(settle)))),
        (false, start(30).plus(settle - 1), checks(Some(start(30).plus(settle)))),
        (false, start(30).plus(settle), checks(None)),
        (false, start(300), checks(None)),
        (true, start(2), holds),
        (true, start(23).plus(-1), holds),
        (true, start(23), checks(Some(start(23).plus(settle)))),
    ] {
        let mut scene = Scene::plain();
        if delivered {
            scene = scene.delivered(day(2));
        }
        let mut expected = shown(credit(1000), Status::Pending, reason, ordered());
        expected.until = until;
        assert_eq!(only(scene.pending(now)), expected, "{delivered} {now}");
    }
    let from_order = Scene::new(&json!({"hold": {"from": "order", "days": 14}}));
    let reward = only(from_order.pending(start(1)));
    assert_eq!((reward.reason, reward.until), (Some(Reason::Hold), Some(start(14))));
}

#[test]
fn a_refund_during_the_hold_shrinks_what_is_pending() {
    let reward = only(Scene::plain().refunded(day(1), 1000).pending(start(2)));
    assert_eq!((reward.value, reward.status), (credit(800), Status::Pending));
}

#[test]
fn what_is_refused_says_why_at_once() {
    let refused = |scene: &Scene, now, reason| {
        let expected = shown(credit(0), Status::Refused, Some(reason), ordered());
        assert_eq!(only(scene.pending(now)), expected, "{reason}");
    };
    let mut scene = Scene::plain();
    scene.conversion.identities = vec![customer(10)];
    refused(&scene, ordered(), Reason::SelfReferral);

    let mut scene = Scene::plain();
    scene.conversion.noted = Some(Reason::FriendAlreadyReferred);
    refused(&scene, ordered(), Reason::FriendAlreadyReferred);

    let mut scene = Scene::plain();
    scene.conversion.admission = Admission::Again;
    refused(&scene, ordered(), Reason::FriendAlreadyReferred);

    let rule = json!({"minimum_order": 5001, "value": {"kind": "credit", "amount": 700}});
    refused(&Scene::new(&advocate_rule(&rule)), ordered(), Reason::BelowMinimum);
}

#[test]
fn what_is_noted_does_not_bind_the_verdict() {
    let mut scene = Scene::plain();
    scene.conversion.noted = Some(Reason::FriendAlreadyReferred);
    let expected = shown(credit(1000), Status::Approved, None, start(30));
    assert_eq!(decided(&scene), expected);
}

#[test]
fn what_becomes_known_of_an_advocate_counts_until_settlement_only() {
    for (known_since, now, status) in [
        (day(30), start(30).plus(-60), Status::Pending),
        (day(30), start(30), Status::Refused),
        (day(30), start(40), Status::Refused),
        (minutes(day(30), 1), start(40), Status::Pending),
    ] {
        let mut scene = Scene::plain();
        scene.conversion.identities.push(hint(3));
        scene.known = knows(&[(known_since, hint(3))]);
        assert_eq!(only(scene.pending(now)).status, status, "{known_since} {now}");
        let refused = scene.advocates() == Err(Reason::SelfReferral);
        assert!(
            now < start(30) || refused == (status == Status::Refused),
            "as the verdict will say"
        );
    }
}

#[test]
fn an_order_undone_during_the_hold_is_reversed_before_and_after_its_verdict() {
    for (kind, amount, reason) in [
        (EventType::Refunded, Some(5000), Reason::Refunded),
        (EventType::Withdrawn, None, Reason::Withdrawn),
        (EventType::Cancelled, None, Reason::Cancelled),
        (EventType::Chargeback, None, Reason::Chargeback),
    ] {
        let happened = start(3).plus(17);
        let scene = Scene::plain().event_of(kind, day(4), happened, amount);
        let expected = shown(credit(0), Status::Reversed, Some(reason), happened);
        assert_eq!(only(scene.pending(start(5))), expected);
        assert_eq!(decided(&scene), expected);
    }
}

#[test]
fn a_verdict_that_refuses_is_shown_with_its_reason_from_settlement_on() {
    let mut scene = Scene::plain();
    scene.conversion.first_order = Some(false);
    let reason = Some(Reason::ExistingCustomer);
    assert_eq!(decided(&scene), shown(credit(0), Status::Refused, reason, start(30)));
    let mut percent = with_value(&percent_off());
    percent.conversion.first_order = Some(false);
    assert_eq!(decided(&percent), shown(percent_off(), Status::Refused, reason, start(30)));
}

#[test]
fn a_verdict_is_shown_whatever_the_clock_says() {
    let scene = Scene::plain().delivered(day(2));
    assert_eq!(decided(&scene), shown(credit(1000), Status::Approved, None, start(23)));
}

#[test]
fn a_refund_after_settlement_shrinks_an_approved_share() {
    let cap = json!({"value": {"kind": "percent_of_order", "basis_points": 2000}, "cap": {"amount": 300}});
    let fixed = json!({"value": {"kind": "credit", "amount": 700}, "minimum_order": 5000});
    let (plain, capped, fixed) =
        (Scene::plain(), Scene::new(&advocate_rule(&cap)), Scene::new(&advocate_rule(&fixed)));
    let refunded = Some(Reason::Refunded);
    for (name, scene, refund, value, reason) in [
        ("a share shrinks", &plain, 1000, 800, refunded),
        ("by a cent", &plain, 3, 999, refunded),
        ("or by less than one, which changes nothing", &plain, 2, 1000, None),
        ("a clipped share stays while the rest is worth it", &capped, 3500, 300, None),
        ("and then shrinks", &capped, 3505, 299, refunded),
        ("a fixed value stays, even below the minimum", &fixed, 4999, 700, None),
    ] {
        let scene = scene.clone().refunded(day(40), refund);
        let expected = shown(credit(value), Status::Approved, reason, start(30));
        assert_eq!(decided(&scene), expected, "{name}");
    }
    let both = Scene::plain().refunded(day(1), 1000).refunded(day(40), 1000);
    assert_eq!(decided(&both), shown(credit(600), Status::Approved, refunded, start(30)));
}

#[test]
fn an_order_undone_after_settlement_takes_the_whole_reward() {
    let nothing = with_value(&credit(1));
    let mut worthless = Scene::plain();
    worthless.conversion.amount = Some(2);
    for (scene, zero) in [
        (Scene::plain(), credit(0)),
        (nothing, credit(0)),
        (with_value(&points(9)), points(0)),
        (with_value(&percent_off()), percent_off()),
        (worthless, credit(0)),
    ] {
        let scene = scene.event_of(EventType::Chargeback, day(40), start(39), None);
        let twice = scene.clone().event(EventType::Cancelled, day(50), None);
        let expected = shown(zero, Status::Reversed, Some(Reason::Chargeback), start(39));
        assert_eq!(decided(&scene), expected);
        assert_eq!(decided(&twice), expected, "reversed once");
    }
}

/// What the event of that id took.
fn entry(event: u8, value: Value, reason: Reason, since: Instant) -> Entry {
    Entry { event: digest(event), value, reason, since, settled: None }
}

#[test]
fn a_fulfilled_reward_keeps_its_value_and_gains_an_entry_for_each_event() {
    let scene = Scene::plain().fulfilled(Role::Advocate, credit(1000), day(31));
    let mut expected = shown(credit(1000), Status::Fulfilled, None, start(31));
    assert_eq!(decided(&scene), expected);

    let scene = scene.refunded(day(40), 1000).refunded(day(41), 2).refunded(day(42), 500);
    expected.entries = vec![
        entry(1, credit(-200), Reason::Refunded, start(40)),
        entry(3, credit(-100), Reason::Refunded, start(42)),
    ];
    assert_eq!(decided(&scene), expected);

    let scene = scene.event(EventType::Chargeback, day(43), None).event(
        EventType::Withdrawn,
        day(44),
        None,
    );
    expected.entries.push(entry(4, credit(-700), Reason::Chargeback, start(43)));
    assert_eq!(decided(&scene), expected);
    assert_eq!(decided(&scene).net(), Some(credit(0)));
}

#[test]
fn what_was_taken_before_a_reward_was_handed_over_is_taken_once() {
    let scene =
        Scene::plain().refunded(day(31), 1000).fulfilled(Role::Advocate, credit(800), day(32));
    assert_eq!(decided(&scene), shown(credit(800), Status::Fulfilled, None, start(32)));
    let scene = scene.refunded(day(40), 1000);
    assert_eq!(decided(&scene).entries, [entry(2, credit(-200), Reason::Refunded, start(40))]);
}

#[test]
fn a_fulfilled_percentage_is_taken_back_once() {
    let scene = with_value(&percent_off()).fulfilled(Role::Advocate, percent_off(), day(31));
    let shrunk = scene.refunded(day(40), 4000);
    assert_eq!(decided(&shrunk).entries, []);
    assert_eq!(decided(&shrunk).net(), Some(percent_off()));
    let undone = shrunk.event(EventType::Withdrawn, day(41), None).event(
        EventType::Chargeback,
        day(42),
        None,
    );
    assert_eq!(decided(&undone).entries, [entry(2, percent_off(), Reason::Withdrawn, start(41))]);
    assert_eq!(decided(&undone).net(), None, "nothing is left of a percentage");
}

#[test]
fn an_entry_is_below_zero() {
    let mut worthless = Scene::plain().fulfilled(Role::Advocate, credit(0), day(31));
    worthless.conversion.amount = Some(2);
    let undone = worthless.event(EventType::Chargeback, day(40), None);
    assert_eq!(decided(&undone), shown(credit(0), Status::Fulfilled, None, start(31)));
}

/// A share of the order that ends ten days after it was handed over.
fn ending() -> Scene {
    let value = json!({"kind": "percent_of_order", "basis_points": 2000});
    Scene::new(&advocate_rule(&json!({"value": value, "expires": {"days": 10}})))
}

fn decided_at(scene: &Scene, now: Instant) -> Reward {
    only(scene.decided_rewards_at(now))
}

#[test]
fn what_the_merchant_has_not_handed_over_never_ends() {
    let expected = shown(credit(1000), Status::Approved, None, start(30));
    for days in [30, 40, 400, 10_000] {
        assert_eq!(decided_at(&ending(), start(days)), expected, "{days}");
    }
}

#[test]
fn an_end_runs_from_when_a_reward_was_handed_over() {
    for handed_over in [31, 500] {
        let scene = ending().fulfilled(Role::Advocate, credit(1000), day(handed_over));
        let last = day(handed_over + 11).start().day().start().plus(-1);
        let mut fulfilled = shown(credit(1000), Status::Fulfilled, None, start(handed_over));
        fulfilled.until = Some(last);
        let expired = shown(credit(1000), Status::Expired, None, last);
        for (now, expected) in [
            (start(handed_over), &fulfilled),
            (last.plus(-1), &fulfilled),
            (last, &fulfilled),
            (last.plus(1), &expired),
            (start(5_000), &expired),
        ] {
            assert_eq!(decided_at(&scene, now), *expected, "{handed_over} {now}");
        }
    }
    let endless = Scene::plain().fulfilled(Role::Advocate, credit(1000), day(31));
    assert_eq!(decided_at(&endless, start(10_000)).status, Status::Fulfilled);
}

#[test]
fn what_was_handed_over_counts_so_after_its_end_too() {
    let scene = ending().fulfilled(Role::Advocate, credit(1000), day(31)).refunded(day(35), 1000);
    let taken = [entry(1, credit(-200), Reason::Refunded, start(35))];
    for (now, status) in [(start(36), Status::Fulfilled), (start(60), Status::Expired)] {
        let reward = decided_at(&scene, now);
        assert_eq!((reward.status, reward.value), (status, credit(1000)));
        assert_eq!((reward.entries.as_slice(), reward.net()), (&taken[..], Some(credit(800))));
        assert_eq!(reward.owed(), [credit(-200)], "the customer owes it all the same");
        let mut totals = Totals::default();
        totals.add(ConversionKind::Purchase, Some(&reward));
        assert_eq!((totals.approved, totals.earned), (1, vec![(credit(800), 1)]));
    }
    // What is taken back after the end is an entry like any other.
    let late = scene.event(EventType::Chargeback, day(70), None);
    let reward = decided_at(&late, start(80));
    assert_eq!((reward.status, reward.net()), (Status::Expired, Some(credit(0))));
}

#[test]
fn what_was_taken_back_as_a_whole_has_no_end() {
    let share = ending().fulfilled(Role::Advocate, credit(1000), day(31));
    let percent = advocate_rule(&json!({"value": percent_off(), "expires": {"days": 10}}));
    let percent = Scene::new(&percent).fulfilled(Role::Advocate, percent_off(), day(31));
    for scene in [share, percent] {
        let scene = scene.event(EventType::Withdrawn, day(35), None);
        for now in [start(36), start(80)] {
            let reward = decided_at(&scene, now);
            assert_eq!((reward.status, reward.until), (Status::Fulfilled, None), "{now}");
        }
    }
}

#[test]
fn each_role_has_a_reward_and_a_fulfilment_of_its_own() {
    let terms = json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "friend", "trigger": "first_purchase", "value": {"kind": "points", "points": 3}},
    ]});
    let scene = Scene::new(&terms).fulfilled(Role::Friend, points(3), day(31));
    let brief: Vec<_> = scene
        .decided_rewards()
        .iter()
        .map(|reward| (reward.part.role, reward.value, reward.status))
        .collect();
    assert_eq!(
        brief,
        [
            (Role::Advocate, points(5), Status::Approved),
            (Role::Friend, points(3), Status::Fulfilled),
        ]
    );
    let roles: Vec<_> = scene.pending(ordered()).iter().map(|reward| reward.part.role).collect();
    assert_eq!(roles, [Role::Advocate, Role::Friend]);
    // What the shop gave at once is never a reward.
    assert_eq!(Scene::plain().pending(ordered()).len(), 1);
}

#[test]
fn an_order_before_its_program_is_refused_and_one_without_a_report_shows_nothing() {
    let mut early = Scene::plain();
    early.conversion.occurred_at = at("2026-10-31T23:59:59Z");
    early.conversion.via = Via::Code;
    assert_eq!(only(early.pending(ordered())).reason, Some(Reason::BeforeProgram));
    assert_eq!(decided(&early).reason, Some(Reason::BeforeProgram));

    let mut only_events = Scene::plain().delivered(day(1)).facts();
    only_events.remove(0);
    let order = fold(only_events);
    let scene = Scene::plain();
    let rewards = passalong_core::status::rewards;
    assert_eq!(rewards(&order, &scene.view(ordered())), []);
}

#[test]
fn totals_count_what_is_good_and_sum_what_is_kept() {
    let mut totals = Totals::default();
    let purchase = ConversionKind::Purchase;
    let plain = Scene::plain();
    let refused = {
        let mut scene = plain.clone();
        scene.conversion.identities = vec![customer(10)];
        decided(&scene)
    };
    let paid = plain.clone().fulfilled(Role::Advocate, credit(1000), day(31));
    let taken: fn(Scene, Minute) -> Reward =
        |scene, at| decided(&scene.event(EventType::Withdrawn, at, None));
    let percent = with_value(&percent_off());
    let handed = percent.clone().fulfilled(Role::Advocate, percent_off(), day(31));
    for reward in [
        only(plain.pending(ordered())),
        decided(&plain),
        decided(&plain.clone().refunded(day(40), 1000)),
        decided(&paid.clone().refunded(day(40), 1000)),
        taken(plain.clone(), day(3)),
        taken(plain.clone(), day(40)),
        refused,
        decided(&with_value(&points(9))),
        decided(&percent),
        decided(&handed),
        taken(handed.clone(), day(40)),
    ] {
        totals.add(purchase, Some(&reward));
    }
    totals.add(ConversionKind::Signup, None);
    totals.add(ConversionKind::Action, None);
    assert_eq!(
        totals,
        Totals {
            signups: 1,
            purchases: 10,
            pending: 1,
            approved: 7,
            earned: vec![(credit(1000 + 800 + 800), 3), (points(9), 1), (percent_off(), 2)],
        }
    );
}
