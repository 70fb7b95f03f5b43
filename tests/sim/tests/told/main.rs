//! Histories told step by step. Each pays twice, pays nobody, or differs between two runs, under
//! some rule that looks right.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod friends;
mod keys;
mod missing;
mod orders;
mod people;
mod proofs;

use passalong_sim::Told;
use serde_json::{Value, json};

/// An advocate earns 10 % of a friend's first purchase.
fn share(changes: &Value) -> Told {
    let mut told = Told::new(changes);
    told.at("2026-11-03T10:00");
    told
}

/// Orders wait for their delivery, two days at most.
fn until_delivered(changes: &Value) -> Told {
    let mut all = json!({ "hold": { "from": "delivered", "days": 0, "fallback_days": 2 } });
    for (name, value) in changes.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    share(&all)
}

/// An advocate earns 5.00 by every purchase, also by those that a purchase before binds.
fn binding() -> Told {
    share(&json!({
        "attribution": { "new_customers_only": false, "bound_days": 30 },
        "rewards": [{ "for": "advocate", "trigger": "every_purchase",
                      "value": { "kind": "credit", "amount": 500 } }],
    }))
}

#[test]
fn a_plain_order_earns_its_share_once_however_often_the_cron_runs() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").code("anna").send();
    told.at("2026-11-03T11:12").crons(&[0, 1, 2]).cron_that_dies(0, 40).crons(&[1, 1]);
    told.until_quiet();
    assert_eq!((told.owed("anna"), told.decided()), (1_000, 1));
    told.is_sound();
}

#[test]
fn the_script_holds_writes_back_where_it_says() {
    let mut told = share(&json!({}));
    told.hold_back("", 1, 5);
    told.order("1").of("ben").code("anna").send();
    assert_eq!(told.reads("/v1/conversions/1").0, 200);
    assert_eq!(told.from(1).reads("/v1/conversions/1").0, 404, "nothing is seen there yet");
    assert_eq!(told.wait(6).reads("/v1/conversions/1").0, 200);
    told.from(0).until_quiet().is_sound();
}
