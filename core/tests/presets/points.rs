//! `points`: points for a friend's sign-up, first purchase, reviews and newsletter, each with its own
//! number and limit.

use passalong_core::orders::claims::Admission;
use passalong_core::reward::{Reason, Role, Value};

use crate::support::{Scene, customer, day, points};
use crate::{Ledger, action, said, scene, signup};

type Said = Vec<(Role, Result<Value, Reason>)>;

fn both(advocates: i64, friends: i64) -> Said {
    vec![(Role::Advocate, Ok(points(advocates))), (Role::Friend, Ok(points(friends)))]
}

#[test]
fn one_friend_earns_points_with_each_step() {
    let friend = customer(20);
    let mut ledger = Ledger::default();
    let mut next = |scene: Scene| said(&ledger.of(scene, friend).1);
    assert_eq!(next(signup("points")), both(100, 50));
    assert_eq!(next(scene("points")), both(500, 250));
    assert_eq!(next(action("points", "review")), both(50, 25));
    assert_eq!(next(action("points", "review")), both(50, 25), "a second review");
    let newsletter = vec![(Role::Advocate, Ok(points(20)))];
    assert_eq!(next(action("points", "newsletter")), newsletter, "nothing for the friend");
    assert_eq!(next(action("points", "survey")), [], "no rule, no points");
    let mut again = scene("points");
    again.conversion.admission = Admission::Again;
    assert_eq!(again.pending(day(1).start())[0].reason, Some(Reason::FriendAlreadyReferred));
    let sum = |wanted: Role| -> i64 {
        let of_role = ledger.earned.iter().filter(|earned| earned.decided.role == wanted);
        of_role.filter_map(|earned| earned.decided.value).filter_map(Value::amount).sum()
    };
    assert_eq!(
        (sum(Role::Advocate), sum(Role::Friend)),
        (100 + 500 + 50 + 50 + 20, 50 + 250 + 25 + 25)
    );
}

#[test]
fn a_first_purchase_below_twenty_euro_brings_no_points() {
    for (amount, decided) in [(1_999, Err(Reason::BelowMinimum)), (2_000, Ok(points(500)))] {
        let mut bought = scene("points");
        bought.conversion.amount = Some(amount);
        assert_eq!(bought.advocates(), decided, "{amount}");
    }
}

#[test]
fn each_action_has_a_limit_of_its_own() {
    let mut ledger = Ledger::default();
    for number in 1..=12 {
        let said = said(&ledger.next(action("points", "review")).1);
        let advocates = if number <= 10 { Ok(points(50)) } else { Err(Reason::CapReached) };
        assert_eq!(said, [(Role::Advocate, advocates), (Role::Friend, Ok(points(25)))], "{number}");
    }
    // Reviews that used their limit up leave that of newsletters alone.
    for number in 1..=26 {
        let said = said(&ledger.next(action("points", "newsletter")).1);
        let advocates = if number <= 25 { Ok(points(20)) } else { Err(Reason::CapReached) };
        assert_eq!(said, [(Role::Advocate, advocates)], "{number}");
    }
}
