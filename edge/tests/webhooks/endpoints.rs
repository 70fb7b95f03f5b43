//! Endpoints as the merchant manages them: where they are, what came of their messages.

use std::collections::BTreeSet;

use passalong_core::time::{DAY, HOUR, MINUTE};
use passalong_edge::http::Request;
use serde_json::{Value, json};

use super::{OTHER, URL, ids, types};
use crate::support::{World, delete, get, post, start};

#[test]
fn a_receiver_that_is_gone_is_left_alone_until_it_is_enabled() {
    let (world, endpoints) = World::telling(&[(URL, &["conversion.recorded"])]);
    let id = &endpoints[0].0;
    world.answers(URL, Ok(410));
    world.send(start(), &world.order(start(), 1));
    assert_eq!(world.posted().len(), 1, "not even the second attempt");
    let shown = world.send(start(), &get("/v1/webhooks")).body;
    assert_eq!(shown["webhooks"][0]["disabled_at"], json!(start()));
    world.send(start(), &world.order(start(), 2));
    world.crons(start().plus(5 * MINUTE), start().plus(HOUR));
    assert_eq!(world.posted(), []);
    let replay = format!("/v1/webhooks/{id}/replay");
    let since = json!({ "since": start() });
    assert_eq!(world.send(start(), &post(&replay, &since)).status, 409);
    world.answers(URL, Ok(204));
    let now = start().plus(2 * HOUR);
    let enabled = world.send(now, &post(&format!("/v1/webhooks/{id}/enable"), &json!({})));
    assert_eq!((enabled.status, &enabled.body["disabled_at"]), (200, &Value::Null));
    world.cron(now);
    let first = world.posted();
    assert_eq!(first.len(), 1, "what it answered 410 to");
    let replayed = world.send(now, &post(&replay, &since));
    assert_eq!(replayed.body, json!({ "messages": 2, "cursor": null }));
    world.cron(now.plus(300));
    let all = world.posted();
    assert_eq!(ids(&all).len(), 2, "and what was told meanwhile");
    assert!(ids(&first).is_subset(&ids(&all)));
}

#[test]
fn endpoints_are_added_listed_and_removed() {
    let (world, endpoints) = World::telling(&[(URL, &["reward.approved", "pool.low"])]);
    let shown = world.send(start(), &get("/v1/webhooks"));
    assert_eq!(
        shown.body,
        json!({ "webhooks": [{
            "id": endpoints[0].0, "url": URL, "types": ["reward.approved", "pool.low"],
            "created_at": start(), "disabled_at": null, "generation": 1, "rotating_until": null,
        }] })
    );
    // Merchant's keys are checked from memory: an endpoint costs its own write and nothing else.
    assert_eq!(shown.operations, (0, 0, 0));
    let add = |url: &str| world.send(start(), &post("/v1/webhooks", &json!({ "url": url })));
    for (url, field) in [
        ("https://referrals.example/v1/hooks", "url"),
        ("https://REFERRALS.example:443/", "url"),
        ("https://127.0.0.1/", "url"),
        ("http://localhost:8080/", "url"),
        ("https://intranet/", "url"),
        ("https://xn--kse-qse---qla.example/", "url"),
    ] {
        let answer = add(url);
        assert_eq!((answer.status, answer.body["field"].as_str()), (400, Some(field)), "{url}");
    }
    // The same again is the same; other types are other types of the same.
    let same = json!({ "url": URL, "types": ["pool.low", "reward.approved"] });
    let same = world.send(start(), &post("/v1/webhooks", &same));
    assert_eq!((same.status, same.operations), (200, (0, 0, 0)));
    let changed = add(URL);
    assert_eq!((changed.status, changed.operations), (200, (0, 1, 0)));
    assert_eq!(
        (&changed.body["id"], &changed.body["types"]),
        (&json!(endpoints[0].0), &Value::Null)
    );
    for number in 2..=5 {
        assert_eq!(add(&format!("https://shop.example/{number}")).status, 201);
    }
    assert_eq!(add("https://shop.example/6").status, 409);
    let path = format!("/v1/webhooks/{}", endpoints[0].0);
    assert_eq!(world.send(start(), &delete(&path)).status, 204);
    assert_eq!(world.send(start(), &delete(&path)).status, 404);
    world.send(start(), &world.order(start(), 1));
    assert_eq!(world.posted().len(), 4);
    assert_eq!(add("https://shop.example/6").status, 201);
    // Another isolate learns it from the list of programs.
    let twin = world.twin();
    let listed = |world: &World| world.send(start(), &get("/v1/webhooks")).body;
    assert_eq!(listed(&twin), listed(&world));
}

/// Reads, writes and lists before the answer, in an isolate that knows the program.
#[test]
fn each_request_costs_what_the_design_says() {
    let (world, endpoints) = World::telling(&[(URL, &[])]);
    for number in 0..3 {
        world.send(start(), &world.order(start(), number));
    }
    let message = world.posted()[0].headers["webhook-id"].clone();
    let path = |what: &str| format!("/v1/webhooks/{}/{what}", endpoints[0].0);
    let cost = |request: &Request| {
        let answer = world.send(start(), request);
        assert!(answer.status < 300, "{answer:?}");
        answer.operations
    };
    assert_eq!(cost(&get("/v1/webhooks")), (0, 0, 0));
    assert_eq!(cost(&post("/v1/webhooks", &json!({ "url": OTHER }))), (0, 1, 0));
    assert_eq!(cost(&post(&path("test"), &json!({}))), (0, 1, 0));
    assert_eq!(cost(&post(&path("replay"), &json!({ "message_id": message }))), (1, 1, 0));
    assert_eq!(cost(&post(&path("replay"), &json!({ "since": start() }))), (0, 3, 1));
    assert_eq!(cost(&post(&path("rotate"), &json!({}))), (0, 1, 0));
    assert_eq!(cost(&get(&path("deliveries"))), (0, 0, 1));
    assert_eq!(cost(&post(&path("enable"), &json!({}))), (0, 0, 0));
    world.answers(URL, Ok(410));
    world.send(start(), &post(&path("test"), &json!({})));
    assert_eq!(cost(&post(&path("enable"), &json!({}))), (0, 1, 0));
    assert_eq!(cost(&delete(&format!("/v1/webhooks/{}", endpoints[0].0))), (0, 1, 0));
}

#[test]
fn a_test_message_and_the_log_show_what_came_of_it() {
    let (world, endpoints) = World::telling(&[(URL, &["pool.low"])]);
    let path = |what: &str| format!("/v1/webhooks/{}/{what}", endpoints[0].0);
    let test = || world.send(start(), &post(&path("test"), &json!({}))).body;
    let good = test();
    assert_eq!((&good["delivered"], &good["status"]), (&json!(true), &json!(204)));
    let sent = world.posted();
    assert_eq!(types(&sent), ["test"]);
    assert_eq!(sent[0].headers["webhook-id"], good["message_id"].as_str().unwrap());
    world.answers(URL, Ok(302));
    let redirected = test();
    assert_eq!((&redirected["delivered"], &redirected["status"]), (&json!(false), &json!(302)));
    world.memory.takes.set(10_001);
    world.memory.advance(2_000);
    let late = test();
    assert_eq!((&late["status"], &late["error"]), (&Value::Null, &json!("timed_out")));
    assert_eq!(late["duration_ms"], 10_000);
    let log = world.send(start(), &get(&path("deliveries")));
    assert_eq!(log.operations, (0, 0, 1));
    let ids = |deliveries: &Value| -> BTreeSet<String> {
        let list = deliveries.as_array().unwrap().iter();
        list.map(|delivery| delivery["message_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&log.body["deliveries"]), ids(&json!([late, redirected, good])));
    let first = &log.body["deliveries"][0];
    assert_eq!(first["message_id"], late["message_id"], "the latest comes first");
    assert_eq!(log.body["more"], false);
    // The log is bounded, and goes after thirty days.
    world.memory.takes.set(0);
    for _ in 0..110 {
        test();
    }
    let log = world.send(start(), &get(&path("deliveries"))).body;
    assert_eq!((log["deliveries"].as_array().unwrap().len(), &log["more"]), (100, &json!(true)));
    let later = start().plus(31 * DAY);
    let log = world.send(later, &get(&path("deliveries"))).body;
    assert_eq!(log, json!({ "deliveries": [], "more": false }));
}

#[test]
fn a_message_is_sent_again_by_its_id_or_since_an_instant() {
    let (world, endpoints) = World::telling(&[(URL, &["conversion.recorded"])]);
    for number in 0..5 {
        let now = start().plus(i64::from(number) * HOUR);
        world.send(now, &world.order(now, number));
    }
    let sent = world.posted();
    let replay = format!("/v1/webhooks/{}/replay", endpoints[0].0);
    let now = start().plus(5 * HOUR);
    let id = sent[2].headers["webhook-id"].clone();
    let one = world.send(now, &post(&replay, &json!({ "message_id": id })));
    assert_eq!(one.body, json!({ "messages": 1, "cursor": null }));
    let again = world.posted();
    assert_eq!((ids(&again), &again[0].text), (BTreeSet::from([id.as_str()]), &sent[2].text));
    let since = world.send(now, &post(&replay, &json!({ "since": start().plus(3 * HOUR) })));
    assert_eq!(since.body["messages"], 2);
    assert_eq!(world.posted(), []);
    world.cron(now);
    assert_eq!(ids(&world.posted()), ids(&sent[3..]));
    // Page by page.
    world.memory.page_size.set(2);
    let mut body = json!({ "since": start() });
    let mut pages = Vec::new();
    loop {
        let answer = world.send(now, &post(&replay, &body)).body;
        pages.push(answer["messages"].as_u64().unwrap());
        if answer["cursor"].is_null() {
            break;
        }
        body["cursor"] = answer["cursor"].clone();
    }
    assert_eq!(pages, [2, 2, 1]);
    for (body, status) in [
        (json!({}), 400),
        (json!({ "message_id": "msg_x" }), 400),
        (json!({ "message_id": id, "since": start() }), 400),
        (json!({ "message_id": id, "cursor": "x" }), 400),
        (json!({ "message_id": "msg_0000000000000000" }), 404),
    ] {
        assert_eq!(world.send(now, &post(&replay, &body)).status, status, "{body}");
    }
}
