//! What happens to an order, from the request to the reward: each type of event, states as a shop
//! tells them, and orders that only a browser reported.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use passalong_core::orders::state::{Standing, StateReport};
use passalong_core::report::Item;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::programs;
use passalong_edge::record_event::{StateTaken, take_state};
use passalong_edge::store::Context;
use serde_json::{Value, json};
use support::{CONFLICT, Fault, PROGRAM, World, conversion, event, get, post, read_order, start};

fn begun() -> Instant {
    start().plus(HOUR)
}

/// A world with an order of 49.90 EUR that came by a customer's code.
fn ordered(terms: &Value, change: &Value) -> World {
    let world = World::with(terms);
    assert_eq!(world.send(start(), &support::me(start(), "10023")).status, 200);
    let order = conversion(begun(), "A-1", "20871", &world.code("10023"), change);
    assert_eq!(world.send(begun(), &order).status, 201);
    world
}

/// The hold ends a day after the order.
fn a_day() -> Value {
    json!({ "hold": { "from": "order", "days": 1, "fallback_days": 1 } })
}

/// Status, reason and amount of the advocate's reward.
fn reward(world: &World, now: Instant) -> Value {
    let story = world.send(now, &read_order("A-1"));
    assert_eq!(story.status, 200, "{story:?}");
    let rewards = story.body["rewards"].as_array().unwrap();
    let own = rewards.iter().find(|reward| reward["for"] == "advocate").unwrap();
    json!([own["status"], own["reason"], own["value"]["amount"]])
}

fn told(world: &World, now: Instant, body: &Value) -> support::Answer {
    let mut body = body.clone();
    body["occurred_at"] = json!(now);
    world.send(now, &post("/v1/conversions/A-1/events", &body))
}

fn settled(world: &World) -> Instant {
    let now = begun().plus(DAY + HOUR);
    world.cron_until_done(now);
    now
}

#[test]
fn a_refund_takes_what_is_left_and_the_answer_says_how_much_also_when_it_is_repeated() {
    let world = ordered(&a_day(), &json!({}));
    let refunds = [("r1", 1990, 1990), ("r2", 5480, 3000), ("r3", 1, 0)];
    for ((id, amount, taken), minute) in refunds.into_iter().zip(0..) {
        let now = begun().plus(minute * MINUTE);
        let refund = json!({ "event_id": id, "type": "refunded", "amount": amount });
        let first = told(&world, now, &refund);
        assert_eq!((first.status, &first.body["taken"]), (201, &json!(taken)), "{id}");
        let again = told(&world, now, &refund);
        assert_eq!((again.status, again.body), (200, first.body), "{id}");
    }
    let delivered = told(&world, begun(), &json!({ "event_id": "d1", "type": "delivered" }));
    assert_eq!(delivered.body.get("taken"), None, "of a refund only");
    assert_eq!(reward(&world, begun()), json!(["reversed", "refunded", 0]));
    // Nobody knows what is left of an order that is not there.
    let early = world.send(begun(), &event(begun(), "A-2", "r1", "refunded", Some(1)));
    assert_eq!((early.status, early.body), (202, json!({ "order_known": false })));
}

#[test]
fn refunds_of_one_instant_take_together_what_there_is() {
    let world = ordered(&a_day(), &json!({}));
    let taken = (0..6).map(|n| {
        let refund = json!({ "event_id": format!("r{n}"), "type": "refunded", "amount": 1500 });
        told(&world, begun(), &refund).body["taken"].as_i64().unwrap()
    });
    assert_eq!(taken.collect::<Vec<_>>(), [1500, 1500, 1500, 490, 0, 0]);
}

#[test]
fn a_refund_of_an_order_without_a_referral_says_what_it_took() {
    let world = World::with(&a_day());
    let order = conversion(begun(), "A-1", "20871", "nobody", &json!({}));
    assert_eq!(world.send(begun(), &order).body["attributed"], false);
    let refund = json!({ "event_id": "r1", "type": "refunded", "amount": 5480 });
    assert_eq!(told(&world, begun(), &refund).body["taken"], 4990);
}

#[test]
fn what_is_restored_amended_or_disputed_shows_in_the_reward_before_and_after_the_verdict() {
    for is_settled in [false, true] {
        let world = ordered(&a_day(), &json!({}));
        let begin = if is_settled { settled(&world) } else { begun() };
        let (status, hold) =
            if is_settled { ("approved", json!(null)) } else { ("pending", json!("hold")) };
        let up = if is_settled { 998 } else { 1198 };
        let less = if is_settled { json!("refunded") } else { hold.clone() };
        for (minute, body, expected) in [
            (1, json!({ "type": "cancelled" }), json!(["reversed", "cancelled", 0])),
            (2, json!({ "type": "restored", "undoes": "e1" }), json!([status, hold, 998])),
            (3, json!({ "type": "disputed" }), json!(["review", "disputed", 998])),
            (4, json!({ "type": "restored" }), json!([status, hold, 998])),
            (5, json!({ "type": "amended", "amount": 0 }), json!(["reversed", "cancelled", 0])),
            (6, json!({ "type": "amended", "amount": 5990 }), json!([status, hold, up])),
            (7, json!({ "type": "amended", "amount": 2000 }), json!([status, less, 400])),
            (8, json!({ "type": "chargeback" }), json!(["reversed", "chargeback", 0])),
            (9, json!({ "type": "restored" }), json!([status, less, 400])),
        ] {
            let now = begin.plus(minute * MINUTE);
            let mut body = body;
            body["event_id"] = json!(format!("e{minute}"));
            let answer = told(&world, now, &body);
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(reward(&world, now), expected, "{body}");
        }
        let story = world.send(begin.plus(HOUR), &read_order("A-1")).body;
        let events = story["events"].as_array().unwrap();
        assert_eq!((&events[1]["type"], &events[1]["undoes"]), (&json!("restored"), &json!("e1")));
        assert_eq!(events[3].get("undoes"), None, "it names none");
        world.cron_until_done(begin.plus(2 * DAY));
        assert_eq!(reward(&world, begin.plus(3 * DAY))[2], 400);
    }
}

#[test]
fn an_event_that_cannot_be_is_refused_by_the_name_of_its_field() {
    let world = ordered(&a_day(), &json!({}));
    for (body, field) in [
        (json!({ "type": "amended" }), "amount"),
        (json!({ "type": "restored", "amount": 1 }), "amount"),
        (json!({ "type": "cancelled", "undoes": "e0" }), "undoes"),
        (json!({ "type": "refunded", "amount": 1, "items": [] }), "items"),
        (json!({ "type": "returned" }), "type"),
    ] {
        let mut body = body;
        body["event_id"] = json!("e1");
        let answer = told(&world, begun(), &body);
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(field)), "{body}");
    }
    let restored = json!({ "event_id": "e1", "type": "restored", "undoes": "e0" });
    assert_eq!(told(&world, begun(), &restored).status, 201);
    let other = json!({ "event_id": "e1", "type": "restored" });
    assert_eq!(told(&world, begun(), &other).status, CONFLICT, "it says something else");
}

fn items() -> Vec<Item> {
    let line = |sku: &str, category: &str, amount| Item {
        sku: sku.to_owned(),
        category: Some(category.to_owned()),
        amount,
    };
    vec![line("TEE-1", "tea", 1000), line("CARD", "gift_card", 2000)]
}

#[test]
fn lines_that_are_told_again_say_what_is_excluded_now() {
    let mut terms = a_day();
    terms["excluded"] = json!({ "skus": [], "categories": ["gift_card"] });
    for by_state in [false, true] {
        let world = ordered(&terms, &json!({ "items": [{ "sku": "TEE-1", "amount": 4990 }] }));
        assert_eq!(reward(&world, begun())[2], 998);
        if by_state {
            let state = StateReport { amount: 3000, items: items(), ..open(begun(), 0) };
            hear(&world, begun(), "A-1", &state).unwrap();
        } else {
            let body =
                json!({ "event_id": "e1", "type": "amended", "amount": 3000, "items": items() });
            assert_eq!(told(&world, begun(), &body).status, 201);
        }
        assert_eq!(reward(&world, begun()), json!(["pending", "hold", 200]));
        // What is told without its lines leaves them.
        let less = json!({ "event_id": "e2", "type": "amended", "amount": 2500 });
        assert_eq!(told(&world, begun().plus(MINUTE), &less).status, 201);
        let now = settled(&world);
        assert_eq!(reward(&world, now), json!(["approved", null, 100]), "by state: {by_state}");
    }
}

#[test]
fn an_order_worth_nothing_is_nobodys_and_holds_nobody() {
    let world = ordered(&a_day(), &json!({ "amount": 0 }));
    assert_eq!(reward(&world, begun()), json!(["refused", "below_minimum", 0]));
    let again = conversion(begun(), "A-1", "20871", &world.code("10023"), &json!({ "amount": 0 }));
    let again = world.send(begun(), &again).body;
    assert_eq!((&again["attributed"], &again["reason"]), (&json!(false), &json!("below_minimum")));
    let later = begun().plus(MINUTE);
    let other = conversion(later, "A-2", "20871", &world.code("10024"), &json!({}));
    assert_eq!(world.send(later, &other).body["attributed"], true);
    let now = settled(&world);
    assert_eq!(reward(&world, now), json!(["refused", "below_minimum", 0]));
    let other = world.send(now, &read_order("A-2")).body;
    assert_eq!(other["rewards"][0]["status"], "approved", "{other}");
}

fn open(at: Instant, refunded: i64) -> StateReport {
    StateReport { at, amount: 4990, refunded, standing: Standing::Open, items: Vec::new() }
}

fn cancelled(at: Instant) -> StateReport {
    StateReport { standing: Standing::Cancelled, ..open(at, 0) }
}

/// A shop system tells how the order stands.
fn hear(world: &World, now: Instant, order: &str, state: &StateReport) -> Result<StateTaken, u16> {
    world.memory.set_now(now);
    let cx = Context::new(&world.memory, &world.isolate, &world.config, now);
    world.run(async {
        let program = programs::load(&cx, &PROGRAM.parse().unwrap()).await.unwrap().unwrap();
        let order = order.parse().unwrap();
        take_state(&cx, &program, &order, state).await.map_err(|problem| problem.status())
    })
}

const NEW: StateTaken = StateTaken { repeated: false, order_known: true };

#[test]
fn states_that_are_heard_in_another_order_come_to_the_same_verdict() {
    let at = |minutes: i64| begun().plus(minutes * MINUTE);
    let states = [open(at(1), 0), cancelled(at(2)), open(at(3), 990)];
    for heard in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let world = ordered(&a_day(), &json!({}));
        for (minute, which) in (10..).zip(heard) {
            assert_eq!(hear(&world, at(minute), "A-1", &states[which]), Ok(NEW));
            let again = hear(&world, at(minute + 20), "A-1", &states[which]);
            assert_eq!(again, Ok(StateTaken { repeated: true, ..NEW }));
        }
        assert_eq!(world.memory.keys("event/").len(), 3);
        let copies = world.memory.keys("ledger/");
        assert_eq!(copies.iter().filter(|key| key.contains(".state.")).count(), 3);
        assert_eq!(reward(&world, at(60)), json!(["pending", "hold", 800]), "{heard:?}");
        assert_eq!(reward(&world, settled(&world)), json!(["approved", null, 800]), "{heard:?}");
    }
}

#[test]
fn a_state_before_its_order_is_kept_and_joined() {
    let world = World::with(&a_day());
    let early = hear(&world, begun(), "A-1", &cancelled(begun()));
    assert_eq!(early, Ok(StateTaken { repeated: false, order_known: false }));
    assert_eq!(world.memory.keys("todo.order/").len(), 1, "somebody looks after it");
    let order = conversion(begun(), "A-1", "20871", &world.code("10023"), &json!({}));
    assert_eq!(world.send(begun().plus(MINUTE), &order).status, 201);
    world.cron_until_done(begun().plus(HOUR));
    assert_eq!(reward(&world, begun().plus(HOUR)), json!(["reversed", "cancelled", 0]));
    let late = begun().plus(2 * HOUR);
    assert_eq!(hear(&world, late, "A-1", &open(late, 0)), Ok(NEW));
    assert_eq!(reward(&world, late), json!(["pending", "hold", 998]));
}

#[test]
fn a_state_that_was_acknowledged_is_in_the_store_whatever_failed_on_the_way() {
    for prefix in ["todo.order/", "event/", "ledger/"] {
        let world = ordered(&a_day(), &json!({}));
        world.memory.fail(Fault::On(prefix.to_owned()));
        let state = cancelled(begun().plus(MINUTE));
        assert_eq!(hear(&world, begun().plus(MINUTE), "A-1", &state), Err(503), "{prefix}");
        world.memory.mend();
        let again = hear(&world, begun().plus(2 * MINUTE), "A-1", &state).unwrap();
        assert!(again.order_known, "{prefix}");
        let now = settled(&world);
        assert_eq!(reward(&world, now), json!(["reversed", "cancelled", 0]), "{prefix}");
    }
}

#[test]
fn a_dispute_after_an_approval_waits_until_the_merchant_approves_again() {
    let world = ordered(&a_day(), &json!({}));
    let now = settled(&world);
    let id = world.send(now, &read_order("A-1")).body["rewards"][0]["id"].clone();
    let review = |now: Instant| {
        let path = format!("/v1/rewards/{}/review", id.as_str().unwrap());
        world.send(now, &post(&path, &json!({ "decision": "approve" }))).body["status"].clone()
    };
    assert_eq!(review(now), "approved");
    let later = now.plus(HOUR);
    assert_eq!(told(&world, later, &json!({ "event_id": "d1", "type": "disputed" })).status, 201);
    assert_eq!(reward(&world, later), json!(["review", "disputed", 998]));
    let fulfil = format!("/v1/rewards/{}/fulfil", id.as_str().unwrap());
    let fulfil = post(&fulfil, &json!({ "reference": "v1" }));
    assert_eq!(world.send(later, &fulfil).status, CONFLICT);
    assert_eq!(review(later.plus(MINUTE)), "approved");
    assert_eq!(world.send(later.plus(HOUR), &fulfil).status, 200);
    let list = world.send(later.plus(HOUR), &get("/v1/rewards?from=2026-11-01&to=2026-11-30"));
    assert_eq!(list.body["rewards"][0]["status"], "fulfilled");
}
