//! `points`: points for a friend's sign-up and first purchase, and for nothing that is bought so: a
//! review or a consent.

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
    for bought in ["review", "newsletter", "survey"] {
        assert_eq!(next(action("points", bought)), [], "no points for a {bought}");
    }
    let mut again = scene("points");
    again.conversion.admission = Admission::Again;
    assert_eq!(again.pending(day(1).start())[0].reason, Some(Reason::FriendAlreadyReferred));
    let sum = |wanted: Role| -> i64 {
        let of_role = ledger.earned.iter().filter(|earned| earned.decided.role == wanted);
        of_role.filter_map(|earned| earned.decided.value).filter_map(Value::amount).sum()
    };
    assert_eq!((sum(Role::Advocate), sum(Role::Friend)), (100 + 500, 50 + 250));
}

#[test]
fn a_first_purchase_below_twenty_euro_brings_no_points() {
    for (amount, decided) in [(1_999, Err(Reason::BelowMinimum)), (2_000, Ok(points(500)))] {
        let mut bought = scene("points");
        bought.conversion.amount = Some(amount);
        assert_eq!(bought.advocates(), decided, "{amount}");
    }
}
