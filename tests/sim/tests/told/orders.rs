//! Orders that get worse, and better again.

use passalong_sim::Standing;
use serde_json::json;

use crate::{share, until_delivered};

#[test]
fn an_order_restored_after_a_rivals_verdict_comes_too_late() {
    let mut told = until_delivered(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.wait(20).event("1", "cancelled");
    told.wait(20).order("2").of("ben").code("berta").send();
    told.wait(5).event("2", "delivered");
    told.at("2026-11-03T12:30").cron(0);
    assert_eq!(told.decided(), 1, "the second order is decided first");
    told.event("1", "restored").until_quiet();
    assert_eq!((told.owed("anna"), told.owed("berta")), (0, 1_000));
    assert_eq!(told.fate("1"), "refused friend_already_referred");
    told.is_sound();
}

#[test]
fn an_order_amended_to_nothing_before_a_rivals_verdict_and_back_after_it_comes_too_late() {
    let mut told = until_delivered(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.wait(20).event_with("1", "amended", &json!({ "amount": 0 }));
    told.wait(20).order("2").of("ben").code("berta").send();
    told.wait(5).event("2", "delivered");
    told.at("2026-11-03T12:30").cron(0);
    told.event_with("1", "amended", &json!({ "amount": 5_000 })).until_quiet();
    assert_eq!((told.owed("anna"), told.owed("berta")), (0, 1_000));
    told.is_sound();
}

#[test]
fn an_order_worth_nothing_at_its_verdict_earns_nothing_later() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.wait(10).event_with("1", "amended", &json!({ "amount": 0 }));
    told.at("2026-11-03T12:30").cron(0);
    told.event_with("1", "amended", &json!({ "amount": 5_000 })).until_quiet();
    assert_eq!(told.owed("anna"), 0);
    told.is_sound();
}

#[test]
fn an_order_reported_with_nothing_earns_a_fixed_value_neither() {
    let mut told = share(&json!({ "rewards": [
        { "for": "advocate", "trigger": "first_purchase",
          "value": { "kind": "credit", "amount": 500 } },
    ] }));
    told.order("1").of("ben").amount(0).code("anna").send();
    told.order("2").of("carl").amount(1).code("anna").send();
    told.until_quiet();
    assert_eq!(told.owed("anna"), 500);
    told.is_sound();
}

#[test]
fn what_is_amended_before_its_verdict_earns_by_its_last_amount() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").amount(0).code("anna").send();
    told.wait(10).event_with("1", "amended", &json!({ "amount": 5_000 }));
    told.until_quiet();
    assert_eq!(told.owed("anna"), 500);
    told.is_sound();
}

#[test]
fn cancelled_and_restored_in_one_minute_stands_whichever_is_heard_first() {
    let cancelled = json!({ "event_id": "c", "occurred_at": "2026-11-03T10:30:10Z" });
    let unnamed = json!({ "event_id": "r", "occurred_at": "2026-11-03T10:30:20Z" });
    let named = json!({ "event_id": "r", "occurred_at": "2026-11-03T10:30:00Z", "undoes": "c" });
    for restored in [unnamed, named] {
        for is_first in [true, false] {
            let mut told = share(&json!({}));
            told.order("1").of("ben").code("anna").send();
            told.at("2026-11-03T10:31");
            if is_first {
                told.event_with("1", "restored", &restored);
            }
            told.event_with("1", "cancelled", &cancelled);
            if !is_first {
                told.event_with("1", "restored", &restored);
            }
            told.until_quiet();
            assert_eq!(told.owed("anna"), 1_000, "{restored} first: {is_first}");
            told.is_sound();
        }
    }
}

#[test]
fn a_refund_beyond_the_amount_takes_all_of_it() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").amount(4_990).code("anna").send();
    told.wait(10).event_with("1", "refunded", &json!({ "amount": 5_480 }));
    told.until_quiet();
    assert_eq!(told.owed("anna"), 0);
    told.is_sound();
}

#[test]
fn a_disputed_order_waits_and_is_owed_once_it_is_restored() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.wait(10).event("1", "disputed").until_quiet();
    assert_eq!(told.owed("anna"), 0);
    assert_eq!(told.fate("1"), "review disputed");
    // Whoever brings the friend meanwhile comes second.
    told.order("2").of("ben").code("berta").send();
    told.until_quiet();
    told.event("1", "restored").until_quiet();
    assert_eq!((told.owed("anna"), told.owed("berta")), (1_000, 0));
    told.is_sound();
}

/// One location hears that the order was cancelled before it hears that it was opened again, and the
/// other way round; neither sees what the other heard until later.
#[test]
fn a_state_that_counts_by_when_it_was_heard_is_noticed() {
    passalong_sim::break_rule(Some(passalong_sim::Mutation::HeardInTurn));
    let broken = std::panic::catch_unwind(
        a_state_heard_at_one_location_before_the_one_it_follows_is_the_last_all_the_same,
    );
    passalong_sim::break_rule(None);
    assert!(broken.is_err());
}

#[test]
fn a_state_heard_at_one_location_before_the_one_it_follows_is_the_last_all_the_same() {
    let states = [
        (Standing::Cancelled, "2026-11-03T10:20", 0),
        (Standing::Open, "2026-11-03T10:25", 4_000),
        (Standing::Disputed, "2026-11-03T10:22", 0),
    ];
    for heard in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]] {
        let mut told = share(&json!({}));
        told.order("1").of("ben").code("anna").send();
        told.wait(30);
        for (place, which) in heard.into_iter().enumerate() {
            let (standing, since, refunded) = states[which];
            told.hold_back("event/", (place + 1) % 3, 8).hold_back("ledger/", (place + 1) % 3, 8);
            told.from(place).state("1", standing, since, refunded).wait(1);
        }
        told.until_quiet();
        assert_eq!(told.owed("anna"), 600, "{heard:?}");
        told.is_sound();
    }
}

/// The rival's order stands when the first is decided, and the state that would have cancelled the
/// first is of before, but heard after the verdict: it takes the reward back and gives it to nobody.
#[test]
fn a_state_heard_after_the_verdict_takes_back_and_gives_nobody_else() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.wait(5).order("2").of("ben").code("berta").send();
    told.at("2026-11-03T14:00").cron(0);
    told.state("1", Standing::Cancelled, "2026-11-03T10:02", 0).until_quiet();
    assert_eq!((told.owed("anna"), told.owed("berta")), (0, 0));
    assert_eq!(told.fate("1"), "reversed cancelled");
    told.is_sound();
}
