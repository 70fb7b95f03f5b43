//! When an order settles, and what its own facts make of it. What other orders mean for it is in
//! `settlement/`: claims on the same friend, who is new, caps, and the properties that hold for all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "settlement/bound.rs"]
mod bound;
#[path = "settlement/caps.rs"]
mod caps;
#[path = "settlement/claims.rs"]
mod claims;
#[path = "settlement/earning.rs"]
mod earning;
#[path = "settlement/erasure.rs"]
mod erasure;
#[path = "settlement/first_purchase.rs"]
mod first_purchase;
#[path = "settlement/holders.rs"]
mod holders;
#[path = "settlement/missing.rs"]
mod missing;
#[path = "settlement/new_customer.rs"]
mod new_customer;
#[path = "settlement/numbers.rs"]
mod numbers;
#[path = "settlement/places.rs"]
mod places;
#[path = "settlement/properties.rs"]
mod properties;
#[path = "settlement/races.rs"]
mod races;

use passalong_core::channel::Channel;
use passalong_core::fact::{Fact, FactKey, FactKind, Order, Via};
use passalong_core::program::Versions;
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Reason, Role, Trigger, Value};
use passalong_core::settlement::settling;
use passalong_core::time::{DAY, Minute};
use serde_json::json;
use support::{
    Scene, advocate_rule, at, began, credit, customer, day, digest, fold, hint, knows, minutes,
    ordered, person, points, program,
};

#[test]
fn without_a_delivery_an_order_settles_after_the_fallback() {
    for (occurred_at, settles) in [
        ("2026-11-10T08:00:00Z", "202612100800"),
        ("2026-11-10T08:00:01Z", "202612100801"),
        ("2026-11-10T08:00:59Z", "202612100801"),
    ] {
        let mut scene = Scene::plain();
        scene.conversion.occurred_at = at(occurred_at);
        assert_eq!(scene.settled().to_string(), settles, "{occurred_at}");
        let order = fold(scene.facts());
        let terms = program(&json!({}));
        assert!(!settling(&order, order.conversion.as_ref().unwrap(), &terms).fixed);
    }
}

#[test]
fn a_hold_runs_from_the_delivery_itself_not_from_its_report() {
    for (delivered, settles) in
        [("2026-11-12T15:30:00Z", "202612031530"), ("2026-11-12T15:30:01Z", "202612031531")]
    {
        let scene = Scene::plain().event_of(EventType::Delivered, day(4), at(delivered), None);
        assert_eq!(scene.settled().to_string(), settles, "{delivered}");
        let order = fold(scene.facts());
        let terms = program(&json!({}));
        assert!(settling(&order, order.conversion.as_ref().unwrap(), &terms).fixed);
    }
}

#[test]
fn a_hold_from_the_order_and_a_signup_wait_for_no_delivery() {
    let from_order = json!({"hold": {"from": "order", "days": 14, "fallback_days": 30}});
    let scene = Scene::new(&from_order).delivered(day(10));
    assert_eq!(scene.settled(), day(14));
    let rule = json!({"rewards": [
        {"for": "advocate", "trigger": "signup", "value": {"kind": "points", "points": 7}},
    ]});
    let mut signup = Scene::new(&rule).delivered(day(10));
    signup.conversion.kind = ConversionKind::Signup;
    (signup.conversion.amount, signup.conversion.currency) = (None, None);
    assert_eq!((signup.settled(), signup.advocates()), (day(21), Ok(points(7))));
    // Nothing was paid, so nothing that is paid back undoes it.
    assert_eq!(signup.refunded(day(3), 1).advocates(), Ok(points(7)));
}

#[test]
fn nothing_settles_sooner_than_an_hour_after_its_conversion_was_accepted() {
    let terms = json!({"hold": {"from": "order", "days": 1, "fallback_days": 1}});
    for terms in [terms, json!({"hold": {"days": 1, "fallback_days": 1}})] {
        for (end_after_accepted, settles) in [(-1000, 60), (59, 60), (60, 60), (61, 61)] {
            let mut scene = Scene::new(&terms);
            scene.accepted = minutes(day(1), -end_after_accepted);
            let settled = scene.settled();
            assert_eq!(settled, minutes(scene.accepted, settles), "{end_after_accepted}");
        }
    }
}

#[test]
fn nothing_settles_sooner_than_an_hour_after_the_report_of_its_delivery() {
    for (end_after_accepted, settles) in [(-1000, 60), (59, 60), (60, 60), (61, 61)] {
        let accepted = day(25);
        let occurred = minutes(accepted, end_after_accepted).start().plus(-21 * DAY);
        let scene = Scene::plain().event_of(EventType::Delivered, accepted, occurred, None);
        assert_eq!(scene.settled(), minutes(accepted, settles), "{end_after_accepted}");
    }
}

#[test]
fn a_delivery_reported_up_to_settlement_moves_it_and_later_does_not() {
    for (accepted, settles) in [
        (minutes(day(30), -1), minutes(day(51), -1)),
        (day(30), day(51)),
        (minutes(day(30), 1), day(30)),
    ] {
        assert_eq!(Scene::plain().delivered(accepted).settled(), settles, "{accepted}");
    }
}

#[test]
fn a_split_delivery_is_complete_with_its_last_part() {
    let parts = |parts: &[(Minute, i64)]| {
        parts.iter().fold(Scene::plain(), |scene, (accepted, delivered)| {
            let occurred = day(*delivered).start();
            scene.event_of(EventType::Delivered, *accepted, occurred, None)
        })
    };
    for (name, scene, settles) in [
        ("in order", parts(&[(day(2), 2), (day(5), 5)]), day(26)),
        ("the last part reported first", parts(&[(day(5), 5), (day(6), 2)]), day(26)),
        ("at settlement of the first", parts(&[(day(2), 2), (day(23), 22)]), day(43)),
        ("after it", parts(&[(day(2), 2), (minutes(day(23), 1), 22)]), day(23)),
        (
            "an early part reported late still leaves an hour",
            parts(&[(day(2), 2), (day(23), 1)]),
            minutes(day(23), 60),
        ),
        (
            "each part moves settlement as far as the next one needs",
            parts(&[(day(2), 2), (day(22), 20), (day(40), 39)]),
            day(60),
        ),
    ] {
        assert_eq!(scene.settled(), settles, "{name}");
    }
}

#[test]
fn an_event_before_its_order_counts_as_accepted_with_it() {
    let early = day(-3);
    let mut scene = Scene::plain().delivered(early).refunded(early, 1000);
    assert_eq!((scene.settled(), scene.advocates()), (day(18), Ok(credit(800))));
    // Reported long after it happened: an hour from the order's acceptance, not from the event's.
    scene.accepted = day(19);
    assert_eq!(scene.settled(), minutes(day(19), 60));
    assert_eq!(scene.advocates(), Ok(credit(800)));
}

#[test]
fn a_click_earns_within_the_window_to_the_second() {
    let window = 30 * DAY;
    for (age, result) in [
        (window - 1, Ok(credit(1000))),
        (window, Ok(credit(1000))),
        (window + 1, Err(Reason::OutsideWindow)),
        (0, Ok(credit(1000))),
        (-299, Ok(credit(1000))),
        (-300, Ok(credit(1000))),
        (-301, Err(Reason::ClickedLater)),
    ] {
        let mut scene = Scene::plain();
        scene.conversion.via =
            Via::Click { at: ordered().plus(-age), channel: Channel::Direct, nonce: None };
        assert_eq!(scene.advocates(), result, "{age} s before the order");
    }
    let mut typed = Scene::plain();
    typed.conversion.via = Via::Code;
    assert_eq!(typed.advocates(), Ok(credit(1000)));
}

#[test]
fn an_order_before_the_program_began_earns_nothing() {
    for (seconds, result) in
        [(-1, Err(Reason::BeforeProgram)), (0, Ok(credit(1000))), (1, Ok(credit(1000)))]
    {
        let mut scene = Scene::plain();
        scene.conversion.occurred_at = began().plus(seconds);
        scene.conversion.via = Via::Code;
        assert_eq!(scene.advocates(), result, "{seconds}");
    }
}

#[test]
fn the_terms_of_the_time_of_the_order_decide() {
    let percent = |rate: u32| {
        let value = json!({"kind": "percent_of_order", "basis_points": rate});
        program(&advocate_rule(&json!({ "value": value })))
    };
    for (seconds, amount) in [(-1, 500), (0, 1500), (1, 1500)] {
        let mut scene = Scene::plain();
        scene.versions = Versions::new(vec![
            (ordered(), digest(1), percent(3000)),
            (began(), digest(2), percent(1000)),
        ]);
        scene.conversion.occurred_at = ordered().plus(seconds);
        assert_eq!(scene.advocates(), Ok(credit(amount)), "{seconds}");
    }
}

#[test]
fn a_referral_is_refused_for_its_reason() {
    let paused = Scene::new(&json!({"paused": true}));
    assert_eq!(paused.advocates(), Err(Reason::ProgramPaused));

    let mut foreign = Scene::plain();
    foreign.conversion.currency = Some("CHF".parse().unwrap());
    assert_eq!(foreign.advocates(), Err(Reason::CurrencyMismatch));

    let all = json!({"attribution": {"new_customers_only": false}});
    for (terms, first_order, result) in [
        (json!({}), Some(false), Err(Reason::ExistingCustomer)),
        (json!({}), Some(true), Ok(credit(1000))),
        (json!({}), None, Ok(credit(1000))),
        // Old customers are welcome, but no purchase of theirs is their first.
        (all, Some(false), Err(Reason::ExistingCustomer)),
    ] {
        let mut scene = Scene::new(&terms);
        scene.conversion.first_order = first_order;
        assert_eq!(scene.advocates(), result, "{first_order:?}");
    }
}

#[test]
fn an_advocate_cannot_be_their_own_friend() {
    let mut same = Scene::plain();
    same.conversion.identities = vec![hint(1), customer(10)];
    assert_eq!(same.advocates(), Err(Reason::SelfReferral));
    for (known_since, result) in [
        (day(-100), Err(Reason::SelfReferral)),
        (minutes(day(30), -1), Err(Reason::SelfReferral)),
        (day(30), Err(Reason::SelfReferral)),
        (minutes(day(30), 1), Ok(credit(1000))),
    ] {
        let mut scene = Scene::plain();
        scene.conversion.identities = vec![hint(1), hint(2)];
        scene.known = knows(&[(day(-100), hint(9)), (known_since, hint(2))]);
        assert_eq!(scene.advocates(), result, "a hint known since {known_since}");
    }
    let mut namesake = Scene::plain();
    namesake.advocate = person(11);
    namesake.conversion.identities = vec![customer(10), hint(11)];
    assert_eq!(namesake.advocates(), Ok(credit(1000)));
}

#[test]
fn a_minimum_order_is_tested_on_what_refunds_leave() {
    let value = json!({"kind": "credit", "amount": 700});
    let rule = advocate_rule(&json!({"minimum_order": 4000, "value": value}));
    for (refund, result) in [
        (999, Ok(credit(700))),
        (1000, Ok(credit(700))),
        (1001, Err(Reason::BelowMinimum)),
        (5000, Err(Reason::Refunded)),
    ] {
        let scene = Scene::new(&rule).refunded(day(3), refund);
        assert_eq!(scene.advocates(), result, "{refund}");
    }
    for (amount, result) in
        [(3999, Err(Reason::BelowMinimum)), (4000, Ok(credit(700))), (4001, Ok(credit(700)))]
    {
        let mut scene = Scene::new(&rule);
        scene.conversion.amount = Some(amount);
        assert_eq!(scene.advocates(), result, "{amount}");
    }
}

#[test]
fn a_refund_counts_up_to_settlement() {
    for (accepted, value) in
        [(minutes(day(30), -1), 800), (day(30), 800), (minutes(day(30), 1), 1000)]
    {
        let scene = Scene::plain().refunded(accepted, 1000);
        assert_eq!(scene.advocates(), Ok(credit(value)), "{accepted}");
    }
    for (refund, result) in [
        (4999, Ok(credit(0))),
        (4997, Ok(credit(1))),
        (5000, Err(Reason::Refunded)),
        (5001, Err(Reason::Refunded)),
    ] {
        assert_eq!(Scene::plain().refunded(day(3), refund).advocates(), result, "{refund}");
    }
}

#[test]
fn what_undoes_a_whole_order_before_settlement_is_the_reason() {
    for (kind, reason) in [
        (EventType::Withdrawn, Reason::Withdrawn),
        (EventType::Cancelled, Reason::Cancelled),
        (EventType::Chargeback, Reason::Chargeback),
    ] {
        for (accepted, result) in [(day(30), Err(reason)), (minutes(day(30), 1), Ok(credit(1000)))]
        {
            let scene = Scene::plain().event(kind, accepted, None);
            assert_eq!(scene.advocates(), result, "{kind} at {accepted}");
        }
    }
    let twice = Scene::plain().event(EventType::Chargeback, day(5), None).event(
        EventType::Withdrawn,
        day(4),
        None,
    );
    assert_eq!(twice.advocates(), Err(Reason::Withdrawn), "the first one names the reason");
}

#[test]
fn of_two_events_under_one_id_the_earliest_counts_then_the_smaller_digest() {
    for (minute, byte, value) in [(-1, 99, 600), (0, 99, 600), (0, 101, 800), (1, 1, 800)] {
        let mut scene = Scene::plain().refunded(day(3), 1000);
        let (mut key, fact) = scene.clone().refunded(day(3), 2000).more.remove(1);
        let Fact::Event(kind, mut content) = fact else { unreachable!() };
        (key.accepted, key.digest, content.event) =
            (minutes(day(3), minute), digest(byte), digest(0));
        for swap in [false, true] {
            scene.more.truncate(1);
            scene.more.insert(usize::from(swap), (key, Fact::Event(kind, content.clone())));
            assert_eq!(scene.advocates(), Ok(credit(value)), "{minute} {byte}");
            scene.more.remove(usize::from(swap));
        }
    }
}

#[test]
fn of_conflicting_reports_the_earliest_counts_then_the_smaller_digest() {
    let accepted = ordered().minute();
    let refused = Err(Reason::ConflictingReport);
    for (other, result) in [
        ((minutes(accepted, -1), digest(99)), refused),
        ((accepted, digest(49)), refused),
        ((accepted, digest(51)), Ok(credit(1000))),
        ((minutes(accepted, 1), digest(1)), Ok(credit(1000))),
        // A repeat of the same content is no conflict, whenever it came.
        ((minutes(accepted, 1), digest(50)), Ok(credit(1000))),
        ((minutes(accepted, -1), digest(50)), Ok(credit(1000))),
    ] {
        for swap in [false, true] {
            let mut scene = Scene::plain();
            scene.reports = vec![(accepted, digest(50)), other];
            if swap {
                scene.reports.reverse();
            }
            assert_eq!(scene.advocates(), result, "{other:?}");
        }
    }
    // In one ledger, too.
    for (minute, byte, amount) in [(-1, 99, 600), (0, 49, 600), (0, 51, 1000), (1, 1, 1000)] {
        let scene = Scene::plain();
        let mut other = scene.clone();
        other.conversion.amount = Some(3000);
        (other.accepted, other.digest) = (minutes(accepted, minute), digest(byte));
        let facts = fold(scene.facts().into_iter().chain(other.facts()));
        let verdict = scene.settle_with(&facts).1;
        assert_eq!(verdict.rewards[0].value, Some(credit(amount)), "{minute} {byte}");
    }
}

#[test]
fn the_report_that_was_recorded_as_the_order_stands_for_it() {
    let cut_off = Scene::plain();
    let mut recorded = Scene::plain();
    recorded.conversion.amount = Some(3000);
    (recorded.accepted, recorded.digest) = (day(1), digest(1));
    recorded.reports = vec![(day(1), digest(1))];
    let mut order = fold(cut_off.facts().into_iter().chain(recorded.facts()));
    let amount = |order: &Order| recorded.settle_with(order).1.rewards[0].value;
    assert_eq!(amount(&order), None, "the one that was cut off conflicts");
    order.stand(&[(day(1), digest(1))]);
    assert_eq!(amount(&order), Some(credit(600)));
    order.stand(&[(day(1), digest(77))]);
    assert_eq!(amount(&order), Some(credit(600)), "what is in no ledger changes nothing");
    // The verdict says which report it decided on, in whatever order facts are read.
    let (settled, verdict) = recorded.settle_with(&order);
    let key = FactKey { accepted: settled, kind: FactKind::Verdict, digest: digest(9) };
    let mut facts: Vec<_> = cut_off.facts().into_iter().chain(recorded.facts()).collect();
    facts.push((key, Fact::Verdict(verdict)));
    for _ in 0..facts.len() {
        facts.rotate_left(1);
        let counted = fold(facts.clone()).conversion.map(|conversion| conversion.digest);
        assert_eq!(counted, Some(digest(1)));
    }
}

fn both_rules() -> serde_json::Value {
    json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "credit", "amount": 900}},
        {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "friend", "trigger": "first_purchase",
         "value": {"kind": "percent_off", "basis_points": 1000}, "when": "at_once"},
        {"for": "friend", "trigger": "every_purchase", "value": {"kind": "points", "points": 3}},
        {"for": "friend", "trigger": "signup", "value": {"kind": "points", "points": 8}},
    ]})
}

#[test]
fn a_friend_earns_like_the_advocate_unless_the_shop_gave_it_at_once() {
    assert_eq!(Scene::plain().decided(Role::Friend), None);
    assert_eq!(Scene::new(&both_rules()).decided(Role::Friend), None);
    let earned = json!({"rewards": [
        {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "points", "points": 5}},
        {"for": "friend", "trigger": "first_purchase",
         "value": {"kind": "percent_of_order", "basis_points": 500}, "when": "earned"},
    ]});
    let scene = Scene::new(&earned).refunded(day(1), 1000);
    assert_eq!(scene.decided(Role::Friend), Some(Ok(credit(200))));
    let triggers: Vec<_> =
        scene.settle().1.rewards.iter().map(|decided| (decided.role, decided.trigger)).collect();
    let first = Trigger::FirstPurchase;
    assert_eq!(triggers, [(Role::Advocate, first), (Role::Friend, first)]);
    assert_eq!(scene.delivered(day(2)).settled(), day(23));
}

#[test]
fn a_value_is_what_its_kind_says() {
    for (value, expected) in [
        (json!({"kind": "percent_of_order", "basis_points": 2000}), credit(998)),
        (json!({"kind": "percent_of_order", "basis_points": 1}), credit(0)),
        (json!({"kind": "credit", "amount": 7}), credit(7)),
        (json!({"kind": "points", "points": 9}), points(9)),
        (
            json!({"kind": "amount_off", "amount": 3}),
            Value::AmountOff { amount: 3, currency: "EUR".parse().unwrap() },
        ),
    ] {
        let mut scene = Scene::new(&advocate_rule(&json!({ "value": value })));
        scene.conversion.amount = Some(4990);
        assert_eq!(scene.advocates(), Ok(expected), "{value}");
    }
}
