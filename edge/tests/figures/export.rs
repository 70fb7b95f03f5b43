//! Files come page by page: each row once, whatever the pages of the store.

use std::collections::BTreeSet;

use passalong_core::time::{DAY, HOUR, Instant};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, World, conversion, erase, event, get, me, post, start};

/// Operations one answer may take.
const BUDGET: u32 = 800;

fn now() -> Instant {
    start().plus(HOUR)
}

/// All pages of a table, in one text, and how many there were.
fn all(world: &World, path: &str) -> (String, usize) {
    let mut text = String::new();
    let mut cursor = None;
    for pages in 1..200 {
        let next = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let answer = world.send(now().plus(20 * DAY), &get(&format!("{path}{next}")));
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.spent() <= BUDGET, "{:?}", answer.operations);
        text.push_str(&answer.text);
        cursor = answer.header("x-next-cursor").map(str::to_owned);
        if cursor.is_none() {
            return (text, pages);
        }
    }
    panic!("{path} never ends");
}

/// The first field of each row but the head.
fn keys(text: &str) -> Vec<&str> {
    text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect()
}

fn order(world: &World, day: i64, order: &str, advocate: Option<&str>) {
    let when = now().plus(day * DAY);
    let code = advocate.map(|advocate| json!(world.code(advocate)));
    let changes = json!({ "code": code });
    let report = conversion(when, order, &format!("friend-of-{order}"), "", &changes);
    assert_eq!(world.send(when, &report).status, 201);
}

fn send(world: &World, request: &Request) -> Answer {
    world.send(now().plus(20 * DAY), request)
}

#[test]
fn each_order_is_in_one_page_of_rewards_and_of_conversions() {
    let world = World::new();
    let mut expected = BTreeSet::new();
    for n in 0..400 {
        let id = format!("A-{n}");
        // Every fourth has no advocate and so no reward.
        order(&world, n % 7, &id, (n % 4 > 0).then_some("10023"));
        expected.insert(id);
    }
    for (page_size, empty_pages) in [(0, false), (37, true)] {
        world.memory.page_size.set(page_size);
        world.memory.empty_pages.set(empty_pages);
        let path = "/v1/exports/conversions?locale=en&from=2026-11-02&to=2026-11-09";
        let (text, pages) = all(&world, path);
        assert!(text.starts_with("order_id,kind,occurred_at,"), "{text}");
        assert_eq!(text.matches("order_id").count(), 1, "one head");
        let found = keys(&text);
        assert_eq!((found.len(), pages), (400, 3));
        assert_eq!(found.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);

        let path = "/v1/exports/rewards?locale=en&from=2026-11-02&to=2026-11-09";
        let (text, _) = all(&world, path);
        let found = keys(&text);
        // The friend has the benefit at once: one reward of each referral.
        let distinct: BTreeSet<_> = found.iter().collect();
        assert_eq!((found.len(), distinct.len()), (300, 300), "{}", &text[..400]);
    }
}

#[test]
fn a_period_holds_its_own_days_only() {
    let world = World::new();
    for (day, id) in [(0, "A-1"), (1, "A-2"), (2, "A-3")] {
        order(&world, day, id, Some("10023"));
    }
    for (query, expected) in [
        ("from=2026-11-02&to=2026-11-02", vec!["A-1"]),
        ("from=2026-11-03&to=2026-11-04", vec!["A-2", "A-3"]),
        ("from=2026-11-05", vec![]),
    ] {
        let path = format!("/v1/exports/conversions?locale=en&{query}");
        assert_eq!(keys(&all(&world, &path).0), expected, "{query}");
    }
}

/// The shop contradicted itself about an order: one report counts, and has the row.
#[test]
fn an_order_that_was_reported_for_two_days_is_one_row() {
    let world = World::new();
    order(&world, 0, "A-1", Some("10023"));
    let twin = world.twin();
    let key = world.memory.keys("log/").remove(0);
    world.memory.remove(&key);
    world.memory.remove(&world.memory.keys("order/").remove(0));
    order(&world, 1, "A-1", Some("10023"));
    // The second report came where the first was not visible yet.
    for prefix in ["log/", "order/"] {
        for (key, (metadata, value)) in twin.memory.snapshot(prefix) {
            let put = passalong_edge::store::Put { key, metadata, value, ttl: None };
            world.memory.insert(&put);
        }
    }
    assert_eq!(world.memory.keys("log/").len(), 2);
    let (text, _) = all(&world, "/v1/exports/conversions?locale=en&from=2026-11-02&to=2026-11-04");
    assert_eq!(keys(&text), ["A-1"], "{text}");
    assert!(text.contains("2026-11-02"), "the first report stands: {text}");
}

#[test]
fn what_remains_of_an_order_follows_its_events_with_and_without_an_advocate() {
    let world = World::new();
    order(&world, 0, "A-1", Some("10023"));
    order(&world, 0, "A-2", None);
    order(&world, 0, "A-3", None);
    for (id, order, kind, amount) in [
        ("r1", "A-1", "refunded", Some(1000)),
        ("r2", "A-2", "refunded", Some(90)),
        ("c", "A-3", "cancelled", None),
    ] {
        assert_eq!(send(&world, &event(now().plus(DAY), order, id, kind, amount)).status, 201);
    }
    let (text, _) = all(&world, "/v1/exports/conversions?format=jsonl&from=2026-11-02");
    let mut rows: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.sort_by_key(|row| row["order_id"].to_string());
    let remaining: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["amount_minor"].as_i64(),
                row["remaining_minor"].as_i64(),
                row["remaining"].as_str(),
            )
        })
        .collect();
    let whole = Some(4990);
    assert_eq!(
        remaining,
        [
            (whole, Some(3990), Some("39.90")),
            (whole, Some(4900), Some("49.00")),
            (whole, Some(0), Some("0.00"))
        ]
    );
}

#[test]
fn an_order_that_came_to_an_advocate_later_is_theirs_in_the_file_too() {
    let world = World::with(&json!({ "attribution": { "bound_days": 30 } }));
    assert_eq!(world.send(now(), &me(now(), "10023")).status, 200);
    for (hours, order, code) in [(0, "A-1", json!(world.code("10023"))), (1, "A-2", json!(null))] {
        let when = now().plus(hours * HOUR);
        let report = conversion(when, order, "20871", "", &json!({ "code": code }));
        assert_eq!(world.send(when, &report).status, 201);
    }
    let row = |order: &str| {
        let (text, _) = all(&world, "/v1/exports/conversions?format=jsonl&from=2026-11-02");
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let row = rows.into_iter().find(|row| row["order_id"] == order).unwrap();
        json!([row["attributed"], row["advocate_id"], row["reason"]])
    };
    assert_eq!(row("A-2"), json!(["false", null, "no_referral"]));
    world.cron_until_done(now().plus(3 * HOUR));
    assert_eq!(row("A-2"), row("A-1"));
    assert_eq!(row("A-2"), json!(["true", "10023", null]));
}

#[test]
fn each_customer_is_in_one_page_of_advocates_and_an_erased_one_in_none() {
    let world = World::new();
    let mut expected = BTreeSet::new();
    for n in 0..260 {
        let id = format!("k-{n}");
        let codes = post("/v1/codes", &json!({ "customer_ids": [id] }));
        assert_eq!(world.send(now(), &codes).status, 200);
        expected.insert(id);
    }
    // Two more fields of a customer, so that pages end within one.
    for n in (0..260).step_by(3) {
        let when = now();
        assert_eq!(world.send(when, &me(when, &format!("k-{n}"))).status, 200);
        let key = format!(
            "customer/teehaus/{}/hints.202611020900.0123456789abcde{}",
            world.customer(&format!("k-{n}")),
            n % 10
        );
        let none = passalong_edge::metadata::Hints { hints: Vec::new() };
        world.memory.insert(&passalong_edge::store::Put::listed(&key, &none));
    }
    for n in [0, 100, 259] {
        let id = format!("k-{n}");
        assert_eq!(world.send(now(), &erase(&id)).status, 200);
        expected.remove(&id);
    }
    order(&world, 0, "A-1", Some("k-5"));
    for page_size in [0, 1, 2, 7, 400] {
        world.memory.page_size.set(page_size);
        let (text, pages) = all(&world, "/v1/exports/advocates?locale=en");
        let found = keys(&text);
        assert_eq!(found.len(), 257, "pages of {page_size}");
        let distinct: BTreeSet<_> = found.into_iter().map(str::to_owned).collect();
        assert_eq!(distinct, expected, "pages of {page_size}");
        assert!(pages >= 3);
        let row = text.lines().find(|line| line.starts_with("k-5,")).unwrap();
        let link = format!("https://referrals.example/r/teehaus/{}", world.code("k-5"));
        let counts = ",0,0,1,1,0,0.00,EUR";
        assert_eq!(row, format!("k-5,{},{link}{counts}", world.code("k-5")));
    }
}

#[test]
fn a_wrong_request_is_told_what_is_wrong() {
    let world = World::new();
    for (path, status, field) in [
        ("/v1/exports/friends", 404, None),
        ("/v1/exports/rewards?format=xlsx", 400, Some("format")),
        ("/v1/exports/rewards?locale=fr", 400, Some("locale")),
        ("/v1/exports/rewards?columns=pipedrive", 400, Some("columns")),
        ("/v1/exports/rewards?from=2026-11-05&to=2026-11-04", 400, Some("from")),
        ("/v1/exports/rewards?from=2024-11-05&to=2026-11-04", 400, Some("from")),
        ("/v1/exports/rewards?cursor=x", 400, Some("cursor")),
        ("/v1/exports/rewards?day=2026-11-05", 400, Some("day")),
        ("/v1/exports/advocates?from=2026-11-05", 400, Some("from")),
        ("/v1/exports/advocates?cursor=20261105", 400, Some("cursor")),
        ("/v1/exports/advocates?cursor=eCB5", 400, Some("cursor")),
    ] {
        let answer = send(&world, &get(path));
        assert_eq!((answer.status, answer.body["field"].as_str()), (status, field), "{path}");
    }
}
