//! `dropbox`: 500 MB for both with each sign-up, for the advocate up to 16 GB and nothing after.

use passalong_core::report::EventType;
use passalong_core::reward::{Reason, Role, Status, Value};
use passalong_core::time::DAY;

use crate::support::{day, minutes, ordered};
use crate::{BOTH, Ledger, said, signup};

const EACH: Value = Value::StorageBytes { bytes: 500_000_000 };

#[test]
fn thirty_two_friends_fill_sixteen_gigabytes_and_the_next_adds_nothing() {
    let mut ledger = Ledger::default();
    let mut sum = 0;
    for friend in 1..=40 {
        let (settled, rewards) = ledger.next(signup("dropbox"));
        assert_eq!(settled, minutes(day(0), 60), "an hour after the sign-up");
        let advocates = if friend <= 32 { Ok(EACH) } else { Err(Reason::CapReached) };
        assert_eq!(
            said(&rewards),
            [(Role::Advocate, advocates), (Role::Friend, Ok(EACH))],
            "friend {friend}"
        );
        sum += rewards[0].value.and_then(Value::amount).unwrap_or(0);
        assert_eq!(sum, 500_000_000 * friend.min(32));
    }
    assert_eq!(sum, 16_000_000_000);
}

#[test]
fn both_sides_are_shown_as_waiting_and_then_as_approved() {
    let scene = signup("dropbox");
    let pending = scene.pending(ordered());
    let shown: Vec<_> =
        pending.iter().map(|r| (r.part.role, r.value, r.status, r.reason)).collect();
    assert_eq!(shown, BOTH.map(|role| (role, EACH, Status::Pending, Some(Reason::Hold))));
    assert!(pending.iter().all(|reward| reward.until == Some(minutes(day(0), 60).start())));
    for reward in scene.decided_rewards() {
        assert_eq!((reward.value, reward.status, reward.reason), (EACH, Status::Approved, None));
        assert_eq!(reward.since, minutes(day(0), 60).start());
        assert_eq!(reward.owed(), [EACH]);
    }
}

#[test]
fn a_second_sign_up_of_the_same_friend_and_an_account_that_was_there_earn_nothing() {
    let mut known = signup("dropbox");
    known.conversion.first_order = Some(false);
    assert_eq!(BOTH.map(|role| known.decided(role)), [Some(Err(Reason::ExistingCustomer)); 2]);
    let mut late = signup("dropbox");
    late.conversion.occurred_at = ordered().plus(30 * DAY);
    assert_eq!(late.advocates(), Err(Reason::OutsideWindow));
    let withdrawn = signup("dropbox").event(EventType::Withdrawn, minutes(day(0), 30), None);
    assert_eq!(BOTH.map(|role| withdrawn.decided(role)), [Some(Err(Reason::Withdrawn)); 2]);
}
