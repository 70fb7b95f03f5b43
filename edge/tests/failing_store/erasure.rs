//! An erased customer stays erased, whatever comes late; facts about money stay, pseudonymous.

use passalong_core::seal::Sealed;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::metadata;
use passalong_edge::store::Put;
use serde_json::json;

use crate::support::{World, conversion, erase, me, post, read_order, start};

fn now() -> Instant {
    start().plus(HOUR)
}

/// Whether anything under `customer/` opens to an id of the shop.
fn opens(world: &World) -> bool {
    let listed = world.memory.entries("customer/").into_iter();
    let listed = listed.filter_map(|entry| Some(entry.read::<metadata::Sealed>()?.sealed));
    let values = world.memory.snapshot("customer/").into_values().map(|(_, value)| value);
    let mut kept = listed.chain(values);
    kept.any(|sealed| world.keys.open(Sealed::Customer, &sealed).is_some())
}

/// A friend who earns, so that the friend's id is kept, too.
fn world() -> World {
    World::with(&json!({ "rewards": [
        { "for": "advocate", "trigger": "every_purchase",
          "value": { "kind": "percent_of_order", "basis_points": 2000 } },
        { "for": "friend", "trigger": "first_purchase",
          "value": { "kind": "points", "points": 100 } },
    ] }))
}

#[test]
fn what_comes_after_an_erasure_is_dropped_and_money_stays() {
    let world = world();
    for customer in ["10023", "20871"] {
        assert_eq!(world.send(now(), &me(now(), customer)).status, 200);
    }
    let code = world.code("10023");
    let report = conversion(now(), "A-1", "20871", &code, &json!({}));
    assert_eq!(world.send(now(), &report).status, 201);
    let customers = world.memory.snapshot("customer/");
    let money = ["ledger/", "order/", "person/"].map(|prefix| world.memory.snapshot(prefix));
    assert!(opens(&world));
    for customer in ["10023", "20871"] {
        let answer = world.send(now().plus(MINUTE), &erase(customer));
        assert_eq!((answer.status, &answer.body["erased"]), (200, &json!(true)));
    }
    let check = |when: &str| assert!(!opens(&world), "{when}");
    check("at once");
    let kept = ["ledger/", "order/", "person/"].map(|prefix| world.memory.snapshot(prefix));
    assert_eq!(kept, money);

    // Late contacts of all kinds, through every day of the week.
    for day in 0..7 {
        let later = now().plus(2 * MINUTE + day * DAY);
        assert_eq!(world.send(later, &me(later, "10023")).status, 200);
        let codes = json!({ "customer_ids": ["10023", "20871"] });
        assert_eq!(world.send(later, &post("/v1/codes", &codes)).status, 200);
        let order = format!("A-{}", day + 2);
        let again = conversion(later, &order, "20871", &code, &json!({}));
        assert_eq!(world.send(later, &again).status, 201);
        check("after a late contact");
        // And one of a location that did not know of the erasure yet.
        for (key, (metadata, value)) in &customers {
            let (key, metadata) = (key.clone(), metadata.clone());
            world.memory.insert(&Put { key, metadata, value: value.clone(), ttl: None });
        }
        let report = world.cron(later.plus(5 * MINUTE));
        assert_eq!(report.erased, 2, "day {day}");
        check("after the cron");
    }
    let end = now().plus(6 * DAY);
    world.cron_until_done(end);
    let story = world.send(end, &read_order("A-1")).body;
    assert_eq!(story["rewards"][0]["status"], "approved", "{story}");
    assert_eq!(story["advocate"], json!({ "customer_id": null }));
    assert!(!story.to_string().contains("10023"));

    // After the week the erasure is over; who comes now comes anew.
    let anew = now().plus(8 * DAY);
    assert_eq!(world.cron(anew).erased, 0);
    assert!(!opens(&world));
    assert_eq!(world.send(anew, &me(anew, "10023")).status, 200);
    assert!(opens(&world));
}

/// A visit that began before the erasure and writes after it.
#[test]
fn a_visit_under_way_while_its_customer_is_erased_leaves_nothing() {
    let mut overtaken = 0;
    for seed in 0..20 {
        let world = world();
        world.memory.shuffle(seed);
        world.send_all(&[(now(), me(now(), "10023")), (now(), erase("10023"))]);
        overtaken += u32::from(opens(&world));
        world.cron(now().plus(5 * MINUTE));
        assert!(!opens(&world), "seed {seed}");
        let later = now().plus(6 * MINUTE);
        assert_eq!(world.send(later, &me(later, "10023")).status, 200);
        assert!(!opens(&world), "seed {seed}");
    }
    assert!(overtaken > 0, "no race");
}
