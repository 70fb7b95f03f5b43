//! `airbnb`: 25.00 EUR of travel credit for both, only after the first stay of at least 75.00 EUR.
//! The stay is what is delivered.

use passalong_core::report::EventType;
use passalong_core::reward::{Reason, Role, Status};

use passalong_core::time::DAY;

use crate::support::{Scene, at, credit, day};
use crate::{BOTH, Ledger, said, scene};

fn booked(amount: i64) -> Scene {
    let mut scene = scene("airbnb");
    scene.conversion.amount = Some(amount);
    scene
}

#[test]
fn credit_comes_a_day_after_the_stay_and_not_with_the_booking() {
    let waiting = booked(20_000);
    for reward in waiting.pending(day(60).start()) {
        let shown = (reward.value, reward.status, reward.reason, reward.until);
        let until = Some(day(730).start());
        let expected = (credit(2500), Status::Pending, Some(Reason::AwaitingDelivery), until);
        assert_eq!(shown, expected);
    }
    let stayed = booked(20_000).delivered(day(60));
    assert_eq!(stayed.settled(), day(61));
    assert_eq!(BOTH.map(|role| stayed.decided(role)), [Some(Ok(credit(2500))); 2]);
    for reward in stayed.decided_rewards() {
        assert_eq!((reward.value, reward.status), (credit(2500), Status::Approved));
        assert_eq!((reward.since, reward.until), (day(61).start(), None));
    }
}

#[test]
fn credit_can_be_used_until_the_third_year_after_it_was_given_is_over() {
    let last = at("2030-12-31T23:59:59Z");
    let stayed = booked(20_000).delivered(day(60));
    let late = last.plus(3_650 * DAY);
    assert_eq!(stayed.decided_rewards_at(late)[0].status, Status::Approved, "not given yet");
    // Given on 21 January 2027.
    let given = stayed.fulfilled(Role::Advocate, credit(2500), day(60 + 30));
    for (now, status, until) in [
        (day(100).start(), Status::Fulfilled, Some(last)),
        (last, Status::Fulfilled, Some(last)),
        (last.plus(1), Status::Expired, None),
    ] {
        let reward = &given.decided_rewards_at(now)[0];
        assert_eq!(
            (reward.status, reward.until, reward.net()),
            (status, until, Some(credit(2500)))
        );
    }
}

#[test]
fn a_stay_below_the_minimum_earns_nothing() {
    for (amount, decided) in
        [(7_499, Err(Reason::BelowMinimum)), (7_500, Ok(credit(2500))), (7_501, Ok(credit(2500)))]
    {
        let stayed = booked(amount).delivered(day(10));
        assert_eq!(BOTH.map(|role| stayed.decided(role)), [Some(decided); 2], "{amount}");
    }
    // What a refund left counts.
    let cheaper = booked(10_000).delivered(day(10)).refunded(day(10), 2_501);
    assert_eq!(cheaper.advocates(), Err(Reason::BelowMinimum));
}

#[test]
fn a_stay_that_was_called_off_before_earns_nothing() {
    for (kind, reason) in
        [(EventType::Withdrawn, Reason::Withdrawn), (EventType::Cancelled, Reason::Cancelled)]
    {
        let off = booked(20_000).event(kind, day(20), None);
        assert_eq!(BOTH.map(|role| off.decided(role)), [Some(Err(reason)); 2]);
        for reward in off.decided_rewards() {
            let shown = (reward.value, reward.status, reward.reason, reward.since);
            assert_eq!(shown, (credit(0), Status::Reversed, Some(reason), day(20).start()));
        }
    }
}

#[test]
fn a_year_brings_an_advocate_two_and_a_half_thousand_at_most() {
    let mut ledger = Ledger::default();
    let mut next = || said(&ledger.next(booked(20_000).delivered(day(1))).1);
    for _ in 0..100 {
        assert_eq!(next(), BOTH.map(|role| (role, Ok(credit(2500)))));
    }
    let full = [(Role::Advocate, Err(Reason::CapReached)), (Role::Friend, Ok(credit(2500)))];
    assert_eq!(next(), full);
}
