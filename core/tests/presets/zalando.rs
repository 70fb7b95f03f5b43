//! `zalando`: vouchers of 10.00 EUR for both, only once the friend's purchase of at least 50.00 EUR is
//! settled; the advocate's comes from a pool of codes.

use passalong_core::report::EventType;
use passalong_core::reward::{Reason, Role, Status, Value};

use crate::support::{day, minutes};
use crate::{BOTH, scene};

fn voucher(amount: i64) -> Value {
    Value::AmountOff { amount, currency: "EUR".parse().unwrap() }
}

#[test]
fn nothing_is_given_before_the_purchase_is_settled() {
    let bought = scene("zalando").delivered(day(3));
    assert_eq!(bought.settled(), day(24));
    let before = minutes(day(24), -1).start();
    for now in [day(0).start(), day(3).start(), before] {
        for reward in bought.pending(now) {
            assert_eq!((reward.value, reward.status), (voucher(1000), Status::Pending));
            assert_eq!(reward.owed(), [], "{now}");
        }
    }
    for reward in bought.decided_rewards() {
        assert_eq!((reward.value, reward.status), (voucher(1000), Status::Approved));
        assert_eq!((reward.since, reward.owed()), (day(24).start(), vec![voucher(1000)]));
    }
}

#[test]
fn only_the_advocates_voucher_comes_from_the_pool() {
    let rewards = scene("zalando").settle().1.rewards;
    let pools: Vec<_> =
        rewards.iter().map(|one| (one.role, one.pool.map(|pool| pool.to_string()))).collect();
    let pool = Some("empfehlungsgutscheine".to_owned());
    assert_eq!(pools, [(Role::Advocate, pool), (Role::Friend, None)]);
}

#[test]
fn a_purchase_that_came_back_or_shrank_too_far_brings_no_voucher() {
    for (kind, reason) in
        [(EventType::Withdrawn, Reason::Withdrawn), (EventType::Cancelled, Reason::Cancelled)]
    {
        let back = scene("zalando").delivered(day(3)).event(kind, day(17), None);
        assert_eq!(BOTH.map(|role| back.decided(role)), [Some(Err(reason)); 2]);
    }
    // 50.00 EUR is exactly the minimum; after a refund of a cent it is missed.
    assert_eq!(scene("zalando").advocates(), Ok(voucher(1000)));
    let less = scene("zalando").refunded(day(5), 1);
    assert_eq!(BOTH.map(|role| less.decided(role)), [Some(Err(Reason::BelowMinimum)); 2]);
}

#[test]
fn what_comes_back_after_settlement_takes_the_voucher_back() {
    let late = scene("zalando").delivered(day(3)).event(EventType::Withdrawn, day(25), None);
    for reward in late.decided_rewards() {
        let shown = (reward.value, reward.status, reward.reason, reward.since);
        let reason = Some(Reason::Withdrawn);
        assert_eq!(shown, (voucher(0), Status::Reversed, reason, day(25).start()));
    }
}
