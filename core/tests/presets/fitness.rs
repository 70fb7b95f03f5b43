//! `anytime-fitness`: 25 % off the advocate's next three membership fees and a sports bag for the
//! friend, once the friend's membership stands; and the variant with a free month for both.

use passalong_core::money::BasisPoints;
use passalong_core::report::EventType;
use passalong_core::reward::{Reason, Role, Status, Value};

use crate::support::{day, minutes};
use crate::{BOTH, Ledger, said, signup};

const FEES: Value = Value::PercentOff { basis_points: BasisPoints(2500), times: Some(3) };
const MONTH: Value = Value::FreePeriods { periods: 1 };

fn bag() -> Value {
    Value::Gift { label: "Sporttasche".parse().unwrap(), worth: Some(2500) }
}

#[test]
fn a_membership_that_stands_brings_three_cheaper_fees_and_a_gift() {
    let joined = signup("anytime-fitness");
    assert_eq!(joined.settled(), day(21));
    let values = [FEES, bag()];
    for (reward, value) in joined.pending(minutes(day(21), -1).start()).iter().zip(values) {
        let shown = (reward.value, reward.status, reward.until);
        assert_eq!(shown, (value, Status::Pending, Some(day(21).start())));
    }
    let decided = joined.decided_rewards();
    assert_eq!(decided.len(), 2);
    for (reward, value) in decided.iter().zip(values) {
        assert_eq!((reward.value, reward.status), (value, Status::Approved));
        assert_eq!(reward.owed(), [value]);
    }
}

#[test]
fn the_variant_is_a_free_month_for_both_for_each_friend() {
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        let (settled, rewards) = ledger.next(signup("anytime-fitness-free-month"));
        assert_eq!(settled, day(21));
        assert_eq!(said(&rewards), BOTH.map(|role| (role, Ok(MONTH))));
    }
    let months = ledger.earned.iter().filter(|earned| earned.decided.role == Role::Advocate);
    let months = months.filter_map(|earned| earned.decided.value).filter_map(Value::amount);
    assert_eq!(months.sum::<i64>(), 3);
}

#[test]
fn a_membership_that_was_withdrawn_from_brings_nothing() {
    for (preset, advocates, friends) in
        [("anytime-fitness", FEES, bag()), ("anytime-fitness-free-month", MONTH, MONTH)]
    {
        let last_day = signup(preset).event(EventType::Withdrawn, day(21), None);
        assert_eq!(BOTH.map(|role| last_day.decided(role)), [Some(Err(Reason::Withdrawn)); 2]);
        let too_late = signup(preset).event(EventType::Withdrawn, minutes(day(21), 1), None);
        let decided = BOTH.map(|role| too_late.decided(role));
        assert_eq!(decided, [Some(Ok(advocates)), Some(Ok(friends))]);
        // It is taken back all the same, as a reversal.
        for reward in too_late.decided_rewards() {
            let shown = (reward.status, reward.reason, reward.owed());
            assert_eq!(shown, (Status::Reversed, Some(Reason::Withdrawn), vec![]));
        }
    }
}
