//! How a report and its order find each other, and what either tells a stranger.

use passalong_core::time::{DAY, HOUR, MINUTE};
use serde_json::json;

use crate::support::{Memory, World, conversion, event, get, me, post, post_as, read_order};
use crate::{LOOKED_AGAIN, begun, claims, found, live, numbered, ok, order, report, world};

/// What was written at another location has come here.
fn meet(here: &Memory, there: &Memory) {
    let known = here.snapshot("");
    for (key, (metadata, value)) in there.snapshot("") {
        if !known.contains_key(&key) {
            here.insert(&passalong_edge::store::Put { key, value, metadata, ttl: None });
        }
    }
}

fn orders_found(world: &World, now: passalong_core::time::Instant) -> Vec<String> {
    let found = found(world, now);
    found.iter().map(|claim| claim["order_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_order_is_found_by_the_number_people_see_and_by_the_shops_id() {
    for typed in ["#1077", "1077", " 1077. ", "\u{200b}(#1077)", "gid-55", " GID–55"] {
        for order_first in [true, false] {
            let world = world(&json!({}));
            let order = numbered(begun(), "gid-55", "#1077");
            let report = report(begun(), "10023", typed);
            let requests = if order_first { [order, report] } else { [report, order] };
            for request in requests {
                assert_eq!(world.send(begun(), &request).status, 201, "{typed:?}");
            }
            let is_exact = order_first && typed == " GID–55";
            let expected: &[&str] = if is_exact { &[] } else { &["gid-55"] };
            assert_eq!(orders_found(&world, begun()), expected, "{typed:?} {order_first}");
        }
    }
}

#[test]
fn an_id_still_names_an_order() {
    let world = world(&json!({}));
    ok(&world, begun(), &order(begun(), "A-1", "20871"));
    let claim = json!({ "order_id": "A-1", "ordered_on": "2026-11-02" });
    let told = world.send(begun(), &post_as(begun(), "10023", "/v1/me/claims", &claim));
    assert_eq!((told.status, &told.body["order_number"]), (201, &json!("A-1")));
    assert_eq!(orders_found(&world, begun()), ["A-1"]);
    for (wrong, field) in [
        (
            json!({ "order_id": "A-1", "order_number": "A-1", "ordered_on": "2026-11-02" }),
            "order_id",
        ),
        (json!({ "ordered_on": "2026-11-02" }), "order_number"),
        (json!({ "order_number": "#", "ordered_on": "2026-11-02" }), "order_number"),
        (json!({ "order_number": "1077" }), "ordered_on"),
        (json!({ "order_number": "1077", "ordered_on": "2026-11-04" }), "ordered_on"),
        (json!({ "order_number": "1077", "ordered_on": "2026-08-02" }), "ordered_on"),
    ] {
        let answer = world.send(begun(), &post_as(begun(), "10023", "/v1/me/claims", &wrong));
        assert_eq!((answer.status, &answer.body["field"]), (400, &json!(field)), "{wrong}");
    }
}

#[test]
fn a_report_and_its_order_at_two_locations_meet_at_the_second_look() {
    let world = world(&json!({}));
    let there = world.twin();
    ok(&world, begun(), &numbered(begun(), "gid-55", "#1077"));
    ok(&there, begun(), &report(begun(), "10023", "1077"));
    meet(&world.memory, &there.memory);
    assert_eq!(orders_found(&world, begun().plus(10 * MINUTE)), Vec::<String>::new());
    world.cron_until_done(begun().plus(LOOKED_AGAIN));
    assert_eq!(orders_found(&world, begun().plus(LOOKED_AGAIN)), ["gid-55"]);
    assert_eq!(world.memory.keys("todo.missing"), Vec::<String>::new());
}

#[test]
fn nothing_looks_for_a_report_after_its_second_look() {
    let world = world(&json!({}));
    world.cron_until_done(begun());
    for number in 0..10 {
        ok(&world, begun(), &report(begun(), "10023", &format!("#{number}")));
    }
    assert_eq!(world.cron(begun().plus(LOOKED_AGAIN - MINUTE)).operations, 1, "too early");
    world.cron_until_done(begun().plus(LOOKED_AGAIN + MINUTE));
    assert_eq!(world.memory.keys("todo.missing"), Vec::<String>::new());
    for days in 1..3 {
        let now = begun().plus(days * DAY);
        world.cron_until_done(now);
        let report = world.cron(now.plus(HOUR));
        assert_eq!((report.looked_at, report.operations), (0, 1), "one list");
    }
    let later = begun().plus(3 * DAY);
    let late = conversion(begun(), "7", "20871", "", &json!({ "code": null }));
    ok(&world, later, &late);
    assert_eq!(orders_found(&world, later), ["7"], "the order finds the report");
}

#[test]
fn an_order_of_another_day_or_with_a_referral_is_not_found() {
    let world = world(&json!({}));
    let code = world.code("10024");
    let old = conversion(begun().plus(-2 * DAY), "A-1", "20871", "", &json!({ "code": null }));
    ok(&world, begun(), &old);
    ok(&world, begun(), &conversion(begun(), "A-2", "20872", &code, &json!({})));
    for number in ["A-1", "A-2", "A-3"] {
        assert_eq!(world.send(begun(), &report(begun(), "10023", number)).status, 201);
    }
    live(&world, begun(), 2);
    assert_eq!(orders_found(&world, begun().plus(2 * HOUR)), Vec::<String>::new());
}

#[test]
fn a_report_waits_thirty_days_for_its_order_and_lapses() {
    for (days, expected) in [(29, vec!["A-1".to_owned()]), (31, vec![])] {
        let world = world(&json!({}));
        ok(&world, begun(), &report(begun(), "10023", "A-1"));
        let late = begun().plus(days * DAY);
        live(&world, begun(), 1);
        ok(&world, late, &order(begun(), "A-1", "20871"));
        assert_eq!(orders_found(&world, late), expected, "{days} days");
        let status = if days > 30 { "lapsed" } else { "open" };
        assert_eq!(claims(&world, late, "10023"), [("A-1".to_owned(), status.to_owned())]);
    }
}

/// Everything a stranger is told, by `/v1/me` and in answer to a report, is the same whether there is
/// such an order or not.
#[test]
fn nothing_of_an_order_is_shown_before_the_merchant_approved_it() {
    let told = |is_order: bool| {
        let world = world(&json!({}));
        if is_order {
            ok(&world, begun(), &numbered(begun(), "gid-55", "#1077"));
            ok(&world, begun(), &event(begun(), "gid-55", "r1", "refunded", Some(990)));
        }
        let mut told = Vec::new();
        for _ in 0..2 {
            let answer = world.send(begun(), &report(begun(), "10023", "1077"));
            told.push((answer.status, answer.body));
        }
        for hours in [0, 1, 5, 24, 800] {
            live(&world, begun().plus(hours * HOUR), 1);
            let now = begun().plus((hours + 1) * HOUR);
            let mut body = ok(&world, now, &me(now, "10023"));
            body["next"] = json!(null);
            told.push((200, body));
        }
        let export = post("/v1/customers/export", &json!({ "customer_id": "10023" }));
        told.push((200, ok(&world, begun().plus(DAY), &export)["claims"].clone()));
        told
    };
    assert_eq!(told(true), told(false));
    assert_eq!(told(true)[0].1["status"], "open");
}

#[test]
fn the_merchant_sees_what_was_found_and_who_says_so() {
    let world = world(&json!({}));
    ok(&world, begun(), &numbered(begun(), "gid-55", "#1077"));
    ok(&world, begun(), &event(begun(), "gid-55", "r1", "refunded", Some(990)));
    ok(&world, begun(), &report(begun(), "10023", " #1077 "));
    let id = ok(&world, begun(), &get("/v1/claims"))["claims"][0]["id"].clone();
    assert_eq!(
        found(&world, begun()),
        [json!({
            "id": id, "customer_id": "10023", "order_id": "gid-55", "order_number": "#1077",
            "ordered_on": "2026-11-02", "filed_at": "2026-11-02T09:00:00Z", "status": "found",
            "kind": "purchase", "amount": 4990, "currency": "EUR",
            "occurred_at": "2026-11-02T09:00:00Z",
            "value": { "kind": "credit", "amount": 800, "currency": "EUR" },
            "reason": "claimed_by_hand",
        })]
    );
    let story = ok(&world, begun(), &read_order("gid-55"));
    assert_eq!((&story["attributed"], &story["rewards"]), (&json!(false), &json!([])));
}

#[test]
fn the_list_of_what_was_found_goes_on_page_by_page() {
    let world = world(&json!({}));
    world.memory.page_size.set(3);
    for number in 1..=7 {
        ok(&world, begun(), &order(begun(), &format!("A-{number}"), "20871"));
        ok(&world, begun(), &report(begun(), "10023", &format!("A-{number}")));
    }
    let (mut orders, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = ok(&world, begun(), &get(&format!("/v1/claims?cursor={cursor}")));
        let claims = page["claims"].as_array().unwrap().clone();
        orders.extend(claims.iter().map(|claim| claim["order_id"].as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().unwrap_or_default().to_owned();
    }
    orders.sort();
    assert_eq!(orders, (1..=7).map(|number| format!("A-{number}")).collect::<Vec<_>>());
    assert_eq!(cursor, "");
    assert_eq!(world.send(begun(), &get("/v1/claims?cursor=!")).status, 400);
}

/// Reads, writes and lists, as ARCHITECTURE.md has them.
#[test]
fn a_report_and_an_order_without_a_referral_cost_what_is_written() {
    let world = world(&json!({}));
    for (request, cost) in [
        (order(begun(), "A-1", "20871"), (0, 3, 2)),
        (numbered(begun(), "1078", "#1078"), (0, 3, 2)),
        (numbered(begun(), "gid-55", "#1077"), (0, 4, 3)),
        // Nothing is found; then an order, which takes a read and a write.
        (report(begun(), "10023", "10"), (0, 4, 4)),
        (report(begun(), "10023", "1077"), (1, 5, 5)),
        // The same again.
        (report(begun(), "10023", "1077"), (0, 0, 2)),
    ] {
        let answer = world.send(begun(), &request);
        assert_eq!(answer.operations, cost, "{request:?}");
    }
    // A report is there: the order writes that it was found.
    ok(&world, begun(), &report(begun(), "10024", "A-2"));
    assert_eq!(world.send(begun(), &order(begun(), "A-2", "20871")).operations, (0, 4, 4));
    // What was found: of each order a read and three lists or four, and two for each customer.
    world.cron_until_done(begun().plus(LOOKED_AGAIN));
    let now = begun().plus(LOOKED_AGAIN);
    assert_eq!(world.send(now, &get("/v1/claims")).operations, (2, 0, 12));
    let claim = found(&world, now).remove(0);
    let path = format!("/v1/rewards/{}/review", claim["id"].as_str().unwrap());
    let answer = world.send(now, &post(&path, &json!({ "decision": "approve" })));
    assert_eq!(answer.operations, (1, 8, 7));
}
