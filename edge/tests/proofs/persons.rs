//! Who is new and who is the advocate in person, by what is remembered of earlier orders.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::keys::PersonKey;
use passalong_edge::store::Put;
use serde_json::{Value, json};

use crate::support::{World, conversion, event, me, post, start as begun};

const ANNA: &str = "10023";
const BEN: &str = "20871";

fn hint(digit: &str) -> String {
    digit.repeat(64)
}

/// Every purchase earns 20 %, of new customers only.
fn world(changes: &Value) -> World {
    let mut terms = json!({
        "rewards": [{ "for": "advocate", "trigger": "every_purchase",
                      "value": { "kind": "percent_of_order", "basis_points": 2_000 } }],
        "hold": { "from": "order", "days": 0, "fallback_days": 0 },
    });
    for (name, value) in changes.as_object().unwrap() {
        terms[name] = value.clone();
    }
    World::with(&terms)
}

/// An order of which the shop does not say whether it is the first.
fn silent(now: Instant, order: &str, of: &Value) -> Value {
    let mut body = json!({ "order_id": order, "kind": "purchase", "amount": 4_990,
                           "currency": "EUR", "occurred_at": now });
    for (name, value) in of.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn report(world: &World, now: Instant, body: &Value) -> Value {
    let answer = world.send(now, &post("/v1/conversions", body));
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer.body
}

/// Status and reason of Anna's latest referral, once all is settled.
fn settled(world: &World, from: Instant) -> Value {
    for hours in 2..30 {
        world.cron_until_done(from.plus(hours * HOUR));
    }
    let now = from.plus(30 * HOUR);
    let me = world.send(now, &me(now, ANNA)).body;
    let reward = &me["referrals"][0]["reward"];
    json!([reward["status"], reward["reason"]])
}

#[test]
fn a_customer_whose_earlier_order_is_on_record_is_not_new() {
    let known = json!(["refused", "existing_customer"]);
    let new = json!(["approved", null]);
    let customer = json!({ "customer_id": BEN });
    let guest = json!({ "hints": [hint("b")] });
    let both = json!({ "customer_id": BEN, "hints": [hint("b")] });
    for (earlier, later, expected) in [
        (&customer, &customer, &known),
        (&guest, &guest, &known),
        (&customer, &both, &known),
        (&guest, &both, &known),
        (&both, &guest, &known),
        (&customer, &guest, &new),
    ] {
        let world = world(&json!({}));
        report(&world, begun(), &silent(begun(), "A-1", earlier));
        let now = begun().plus(5 * MINUTE);
        let mut order = silent(now, "A-2", later);
        order["code"] = json!(world.code(ANNA));
        let told = report(&world, now, &order);
        assert_eq!(told["attributed"], json!(expected == &new), "{earlier} {later}");
        assert_eq!(settled(&world, now), *expected, "{earlier} {later}");
    }
}

#[test]
fn the_shops_word_lifts_and_sets_what_is_remembered() {
    for (first_order, expected) in [
        (json!(true), json!(["approved", null])),
        (json!(false), json!(["refused", "existing_customer"])),
        (json!(null), json!(["refused", "existing_customer"])),
    ] {
        let world = world(&json!({}));
        report(&world, begun(), &silent(begun(), "A-1", &json!({ "customer_id": BEN })));
        let now = begun().plus(5 * MINUTE);
        let code = world.code(ANNA);
        let order = json!({ "customer_id": BEN, "code": code, "first_order": first_order });
        report(&world, now, &silent(now, "A-2", &order));
        assert_eq!(settled(&world, now), expected, "{first_order}");
    }
}

#[test]
fn an_order_that_was_cancelled_or_is_worth_nothing_makes_nobody_known() {
    for undone in [true, false] {
        let world = world(&json!({}));
        let amount = if undone { 4_990 } else { 0 };
        let first = json!({ "customer_id": BEN, "amount": amount });
        report(&world, begun(), &silent(begun(), "A-1", &first));
        if undone {
            let cancelled = event(begun(), "A-1", "e1", "cancelled", None);
            assert!(world.send(begun(), &cancelled).status < 300);
        }
        let now = begun().plus(20 * MINUTE);
        let order = json!({ "customer_id": BEN, "code": world.code(ANNA) });
        report(&world, now, &silent(now, "A-2", &order));
        assert_eq!(settled(&world, now), json!(["approved", null]), "{undone}");
    }
}

#[test]
fn an_older_order_that_a_shop_reports_later_changes_nothing() {
    let world = world(&json!({}));
    let order = json!({ "customer_id": BEN, "code": world.code(ANNA) });
    report(&world, begun(), &silent(begun(), "A-2", &order));
    let backfill = silent(begun().plus(-30 * DAY), "A-1", &json!({ "customer_id": BEN }));
    report(&world, begun().plus(10 * MINUTE), &backfill);
    assert_eq!(settled(&world, begun()), json!(["approved", null]));
}

#[test]
fn an_order_in_ones_own_address_is_ones_own_as_a_guest_too() {
    let world = world(&json!({}));
    // The shop names Anna's id and her address together in an order of hers, before or after.
    let own = json!({ "customer_id": ANNA, "hints": [hint("a")] });
    for (minutes, order) in [(-10, "A-1"), (10, "A-3")] {
        let now = begun().plus(minutes * MINUTE);
        report(&world, now, &silent(now, order, &own));
    }
    let code = world.code(ANNA);
    let guest = json!({ "hints": [hint("a")], "code": code, "first_order": true });
    let told = report(&world, begun(), &silent(begun(), "A-2", &guest));
    assert_eq!(told["reason"], "self_referral");
    assert_eq!(settled(&world, begun()), json!(["refused", "self_referral"]));
}

#[test]
fn what_is_known_of_whoever_is_erased_still_decides_orders_of_before() {
    for erased in [ANNA, BEN] {
        let hold = json!({ "from": "order", "days": 1, "fallback_days": 0 });
        let world = world(&json!({ "hold": hold }));
        let own = json!({ "customer_id": ANNA, "hints": [hint("a")] });
        report(&world, begun().plus(-HOUR), &silent(begun().plus(-HOUR), "A-0", &own));
        let bens = json!({ "customer_id": BEN, "hints": [hint("b")] });
        report(&world, begun().plus(-HOUR), &silent(begun().plus(-HOUR), "A-1", &bens));
        let code = world.code(ANNA);
        let orders = [
            ("A-2", json!({ "hints": [hint("a")], "code": code })),
            ("A-3", json!({ "customer_id": BEN, "code": code })),
        ];
        for (order, of) in &orders {
            report(&world, begun(), &silent(begun(), order, of));
        }
        let now = begun().plus(5 * MINUTE);
        assert_eq!(world.send(now, &crate::support::erase(erased)).status, 200);
        for minutes in [10, 81, 100] {
            world.cron_until_done(now.plus(minutes * MINUTE));
        }
        // Long before the orders settle.
        let fields = world.memory.keys(&format!("customer/teehaus/{}/", world.customer(erased)));
        assert!(fields.iter().all(|key| key.contains("/erased")), "{fields:?}");
        let person = format!("person/teehaus/c.{}/", world.customer(erased));
        let kept = world.memory.keys(&person);
        assert!(kept.iter().all(|key| !key.contains(".-.")), "{kept:?}");
        let end = now.plus(DAY + HOUR);
        world.cron_until_done(end);
        assert_eq!(world.rewards(end, "A-2")[0][2], "self_referral", "{erased}");
        assert_eq!(world.rewards(end, "A-3")[0][2], "existing_customer", "{erased}");
    }
}

/// A customer who has ordered so many times.
fn with_own_orders(customer: &str, orders: usize, terms: &Value) -> World {
    let world = world(terms);
    let earlier = begun().plus(-5 * HOUR);
    report(&world, earlier, &silent(earlier, "A-0", &json!({ "customer_id": customer })));
    let (key, (metadata, _)) = world.memory.snapshot("person/").into_iter().next().unwrap();
    let first: PersonKey = key.parse().unwrap();
    for number in 1..orders {
        let mut key = first.clone();
        key.seen.order.0[..8].copy_from_slice(&usize::to_be_bytes(number));
        let put = Put { metadata: metadata.clone(), ..Put::listed(&key, &json!({})) };
        world.memory.insert(&put);
    }
    world
}

/// Anna is tied to an address after so many orders, and refers a guest with it.
fn with_a_late_tie(orders: usize, terms: &Value) -> World {
    let world = with_own_orders(ANNA, orders, terms);
    let tied = begun().plus(-4 * HOUR);
    let signup = json!({ "customer_id": ANNA, "hints": [hint("b")], "kind": "signup",
                         "order_id": "A-1", "occurred_at": tied });
    report(&world, tied, &signup);
    let friend = json!({ "hints": [hint("b")], "code": world.code(ANNA) });
    report(&world, begun(), &silent(begun(), "A-2", &friend));
    world
}

/// An advocate who orders a thousand times first is not read to the end.
#[test]
fn an_advocate_with_more_orders_than_are_read_waits_for_the_merchant() {
    for (orders, expected) in [(998, "self_referral"), (999, "self_referral"), (1_000, "velocity")]
    {
        let world = with_a_late_tie(orders, &json!({}));
        let end = begun().plus(40 * DAY);
        world.cron_until_done(end);
        assert_eq!(world.rewards(end, "A-2")[0][2], expected, "{orders}");
    }
}

/// The order that makes them too many must be surely complete, or two runs could differ.
#[test]
fn too_many_orders_of_an_advocate_count_up_to_an_hour_before_a_verdict() {
    for (minutes, expected) in [(60, "velocity"), (59, "-")] {
        let hold = json!({ "hold": { "from": "order", "days": 1, "fallback_days": 0 } });
        let world = with_own_orders(ANNA, 999, &hold);
        let friend = json!({ "customer_id": BEN, "code": world.code(ANNA) });
        report(&world, begun(), &silent(begun(), "A-2", &friend));
        let last = begun().plus(DAY - minutes * MINUTE);
        report(&world, last, &silent(last, "A-3", &json!({ "customer_id": ANNA })));
        let end = begun().plus(2 * DAY);
        world.cron_until_done(end);
        assert_eq!(world.rewards(end, "A-2")[0][2], expected, "{minutes}");
    }
}

#[test]
fn an_erasure_of_whom_more_is_kept_than_is_read_changes_no_verdict() {
    let hold = json!({ "hold": { "from": "order", "days": 30, "fallback_days": 0 } });
    let friend = |orders| {
        let world = with_own_orders(BEN, orders, &hold);
        let of = json!({ "customer_id": BEN, "code": world.code(ANNA) });
        report(&world, begun(), &silent(begun(), "A-2", &of));
        world
    };
    for (erased, world, expected) in [
        (ANNA, with_a_late_tie(999, &hold), "self_referral"),
        (ANNA, with_a_late_tie(1_200, &hold), "velocity"),
        (BEN, friend(990), "existing_customer"),
        (BEN, friend(1_200), "velocity"),
    ] {
        let now = begun().plus(HOUR);
        assert_eq!(world.send(now, &crate::support::erase(erased)).status, 200);
        for runs in 0..200 {
            world.cron(now.plus(runs * 5 * MINUTE));
        }
        let own = world.memory.keys(&format!("person/teehaus/c.{}/", world.customer(erased)));
        assert!(own.iter().all(|key| !key.contains(".-.")), "{} of {erased} are left", own.len());
        let end = begun().plus(31 * DAY);
        world.cron_until_done(end);
        assert_eq!(world.rewards(end, "A-2")[0][2], expected, "{erased}");
    }
}

/// What is deleted has a copy that is visible everywhere.
#[test]
fn what_comes_between_the_two_steps_of_an_erasure_waits_for_its_own() {
    let world = world(&json!({ "hold": { "from": "order", "days": 1, "fallback_days": 0 } }));
    let own = json!({ "customer_id": ANNA, "hints": [hint("a")] });
    let friends = json!({ "hints": [hint("b")] });
    report(&world, begun().plus(-HOUR), &silent(begun().plus(-HOUR), "A-0", &own));
    let mut of = friends.clone();
    of["code"] = json!(world.code(ANNA));
    report(&world, begun(), &silent(begun(), "A-2", &of));
    let at = |minutes: i64| begun().plus(minutes * MINUTE);
    assert_eq!(world.send(at(5), &crate::support::erase(ANNA)).status, 200);
    let left = || {
        let keys = world.memory.keys("person/teehaus/");
        keys.iter().filter(|key| key.contains(".-.")).count()
    };
    world.cron_until_done(at(90));
    let tied = json!({ "customer_id": ANNA, "hints": [hint("b")] });
    report(&world, at(100), &silent(at(100), "A-4", &tied));
    assert_eq!(left(), 4);
    world.cron_until_done(at(111));
    assert_eq!(left(), 3, "what was copied is deleted, but not what leads to the rest");
    world.cron_until_done(at(179));
    world.cron_until_done(at(190));
    assert_eq!(left(), 3, "until it is sure whose the last order is");
    world.cron_until_done(at(201));
    assert_eq!(left(), 0, "and deleted");
    let end = at(5).plus(DAY + HOUR);
    world.cron_until_done(end);
    assert_eq!(world.rewards(end, "A-2")[0][2], "self_referral");
}

/// Whoever reports others with somebody's address keeps nobody from being forgotten.
#[test]
fn an_erasure_ends_however_many_orders_others_placed_with_the_same_address() {
    let world = world(&json!({}));
    let own = json!({ "customer_id": BEN, "hints": [hint("b")] });
    report(&world, begun(), &silent(begun(), "A-0", &own));
    let code = world.code(ANNA);
    for number in 0..420 {
        let guest = json!({ "hints": [hint("b")], "code": code });
        report(&world, begun(), &silent(begun(), &format!("B-{number}"), &guest));
    }
    let now = begun().plus(MINUTE);
    assert_eq!(world.send(now, &crate::support::erase(BEN)).status, 200);
    for runs in 0..72 {
        world.cron(now.plus(runs * 5 * MINUTE));
    }
    let kept = world.memory.keys("person/teehaus/");
    let left: Vec<_> = kept.iter().filter(|key| key.contains(".-.")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The shop said whose the one address is that orders named.
fn confirm_address(world: &World, customer: &str) {
    let named = world.memory.keys("person/teehaus/h.").remove(0);
    let hint = named.split('/').nth(2).unwrap().trim_start_matches("h.");
    let since = begun().minute_up();
    let key =
        format!("customer/teehaus/{}/hints.{since}.qs9wahnzcmwv7m91", world.customer(customer));
    world.memory.insert(&Put::listed(&key, &json!({ "h": [hint] })));
}

/// Somebody else's address can be typed into an order by anybody.
#[test]
fn an_erasure_takes_orders_of_guests_only_under_addresses_that_the_shop_confirmed() {
    for (confirmed, expected) in [(false, "existing_customer"), (true, "-")] {
        let world = world(&json!({}));
        report(&world, begun(), &silent(begun(), "A-0", &json!({ "hints": [hint("f")] })));
        let tied = json!({ "customer_id": BEN, "hints": [hint("f")] });
        report(&world, begun(), &silent(begun(), "A-1", &tied));
        if confirmed {
            confirm_address(&world, BEN);
        }
        let now = begun().plus(HOUR);
        assert_eq!(world.send(now, &crate::support::erase(BEN)).status, 200);
        for run in 0..72 {
            world.cron(now.plus(run * 5 * MINUTE));
        }
        assert!(
            world.memory.keys(&format!("person/teehaus/c.{}/", world.customer(BEN))).is_empty()
        );
        let later = now.plus(DAY);
        let friend = json!({ "hints": [hint("f")], "code": world.code(ANNA) });
        report(&world, later, &silent(later, "A-2", &friend));
        let end = later.plus(DAY);
        world.cron_until_done(end);
        assert_eq!(world.rewards(end, "A-2")[0][2], expected, "{confirmed}");
    }
}

#[test]
fn an_address_that_many_share_does_not_put_an_erasure_off_for_good() {
    let world = world(&json!({}));
    let own = json!({ "customer_id": ANNA, "hints": [hint("a")] });
    report(&world, begun(), &silent(begun(), "A-0", &own));
    confirm_address(&world, ANNA);
    assert_eq!(world.send(begun().plus(HOUR), &crate::support::erase(ANNA)).status, 200);
    let left = || world.memory.keys(&format!("person/teehaus/c.{}/", world.customer(ANNA))).len();
    let days = |days: i64| {
        for run in (days - 1) * 288..days * 288 {
            let now = begun().plus(HOUR + run * 5 * MINUTE);
            if run % 3 == 0 {
                report(
                    &world,
                    now,
                    &silent(now, &format!("B-{run}"), &json!({ "hints": [hint("a")] })),
                );
            }
            world.cron(now);
        }
    };
    days(1);
    assert_eq!(left(), 1, "guests order with the same address all day");
    days(2);
    assert_eq!(left(), 0);
}

#[test]
fn each_identity_that_an_order_names_costs_one_write_and_one_list() {
    for (hints, identities) in [(0, 1), (1, 2), (4, 5)] {
        let world = world(&json!({}));
        let hints: Vec<String> =
            ["b", "c", "d", "e"].iter().take(hints).map(|it| hint(it)).collect();
        let of = json!({ "customer_id": BEN, "hints": hints });
        let unreferred = post("/v1/conversions", &silent(begun(), "A-1", &of));
        let cost = world.send(begun(), &unreferred).operations;
        assert_eq!(cost, (0, 2 + identities, 2), "without a referral, {identities}");
        let other = json!({ "hints": hints, "customer_id": "20872" });
        let code = world.code(ANNA);
        let referred = conversion(begun(), "A-2", "20872", &code, &other);
        let cost = world.send(begun(), &referred).operations;
        assert_eq!(cost, (0, 4 + identities, 3 + identities), "with one, {identities}");
    }
}

/// Orders that are taken back one after the other hide the one that is not from an answer at once, not
/// from the verdict.
#[test]
fn nothing_is_promised_to_somebody_of_whom_too_much_is_on_record() {
    let world = world(&json!({}));
    let mut now = begun();
    let mut order = |name: &str, code: &Value, is_cancelled: bool| {
        now = now.plus(MINUTE);
        let of = json!({ "customer_id": "20871", "code": code });
        let answer = report(&world, now, &silent(now, name, &of));
        if is_cancelled {
            let cancelled =
                world.send(now, &event(now, name, &format!("c-{name}"), "cancelled", None));
            assert_eq!(cancelled.status, 201, "{cancelled:?}");
        }
        json!([answer["attributed"], answer["reason"], answer["rewards"]])
    };
    for n in 0..6 {
        order(&format!("A-{n}"), &Value::Null, true);
    }
    order("A-kept", &Value::Null, false);
    let code = json!(world.code(ANNA));
    assert_eq!(order("B-1", &code, false), json!([false, "existing_customer", []]));
}

/// A till that enters one address for everybody.
#[test]
fn many_orders_on_one_address_stop_no_intake_and_what_cannot_be_weighed_waits_for_a_look() {
    let count = 150;
    for (currency, expected, first) in [
        ("EUR", json!(["review", "velocity"]), "approved"),
        ("CHF", json!(["review", "velocity"]), "refused"),
    ] {
        let world = world(&json!({}));
        let order = |now, name: String, advocate: &str, currency: &str| {
            let of = json!({ "hints": [hint("f")], "code": world.code(advocate),
                             "first_order": true, "currency": currency });
            assert_eq!(report(&world, now, &silent(now, &name, &of))["order_id"], name);
        };
        for n in 0..count {
            let now = begun().plus(n * MINUTE);
            order(now, format!("W-{n}"), &format!("advocate-{n}"), currency);
        }
        let now = begun().plus(count * MINUTE);
        order(now, "W-last".to_owned(), ANNA, "EUR");
        assert_eq!(settled(&world, now), expected, "{currency}");
        let rewards = world.rewards(now.plus(31 * HOUR), "W-0");
        assert_eq!(rewards[0][1], first, "{rewards:?}");
    }
}
