//! What rests in the outbox and leaves it: sealed, signed, pinned.

use std::collections::BTreeMap;

use passalong_core::time::{HOUR, Instant};
use passalong_core::webhook::SendProblem;
use passalong_edge::store::Put;
use serde_json::{Value, json};

use super::{OTHER, URL, ids};
use crate::support::{Posted, World, delete, erase, post, read_order, start};

#[test]
fn nothing_readable_rests_in_the_outbox_and_an_erased_customer_is_null() {
    let (world, _) = World::telling(&[(URL, &[])]);
    world.answers(URL, Err(SendProblem::Unreachable));
    world.send(start(), &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
    world.send(start(), &world.order(start(), 1));
    world.cron(start().plus(2 * HOUR));
    let story = world.send(start().plus(2 * HOUR), &read_order("A-1")).body;
    let path = format!("/v1/rewards/{}/fulfil", story["rewards"][0]["id"].as_str().unwrap());
    let paid = post(&path, &json!({ "reference": "voucher-881" }));
    assert_eq!(world.send(start().plus(2 * HOUR), &paid).status, 200);
    let mut texts = Vec::new();
    for prefix in ["outbox/", "todo.outbox/", "delivery/"] {
        let found = world.memory.snapshot(prefix);
        assert!(!found.is_empty(), "{prefix}");
        texts.push(format!("{found:?}"));
    }
    let texts = texts.concat();
    for readable in ["10023", "friend-1", "A-1", "voucher-881"] {
        assert!(!texts.contains(readable), "{readable}: {texts}");
    }
    let sent = world.posted();
    assert!(sent.iter().all(|posted| posted.text.contains("\"10023\"")), "{sent:?}");
    world.send(start().plus(3 * HOUR), &erase("10023"));
    world.answers(URL, Ok(204));
    world.crons(start().plus(3 * HOUR), start().plus(4 * HOUR));
    let sent = world.posted();
    assert_eq!(ids(&sent).len(), 3);
    assert!(!sent.iter().any(|posted| posted.text.contains("10023")), "{sent:?}");
    assert!(sent.iter().all(|posted| posted.body["data"]["order_id"] == "A-1"));
}

#[test]
fn a_message_carries_the_signature_of_its_endpoint_and_two_while_it_changes() {
    let (world, endpoints) = World::telling(&[(URL, &[]), (OTHER, &[])]);
    let signatures = |now: Instant, number: u32| -> BTreeMap<String, Vec<String>> {
        world.send(now, &world.order(now, number));
        let of = |posted: Posted| {
            let list = posted.headers["webhook-signature"].split(' ');
            let timestamp: u64 = posted.headers["webhook-timestamp"].parse().unwrap();
            assert_eq!(timestamp, posted.at.0 / 1_000);
            let id = posted.headers["webhook-id"].clone();
            let endpoint = endpoints[usize::from(posted.url == OTHER)].0.clone();
            let digest = endpoint.strip_prefix("ep_").unwrap().parse().unwrap();
            let program = "teehaus".parse().unwrap();
            let sign = |generation| {
                let secret = world.config.secrets.webhook_secret(&program, digest, generation);
                secret.sign(&id, timestamp, &posted.text)
            };
            let known: BTreeMap<String, u32> = (1..5).map(|n| (sign(n), n)).collect();
            (posted.url, list.map(|text| known[text].to_string()).collect())
        };
        world.posted().into_iter().map(of).collect()
    };
    let both = |first: &[&str], second: &[&str]| {
        let list = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        BTreeMap::from([(URL.to_owned(), list(first)), (OTHER.to_owned(), list(second))])
    };
    assert_eq!(signatures(start(), 1), both(&["1"], &["1"]));
    let rotate = format!("/v1/webhooks/{}/rotate", endpoints[0].0);
    let next = world.send(start(), &post(&rotate, &json!({ "overlap_hours": 2 })));
    assert_eq!(next.body["generation"], 2);
    assert_eq!(next.body["rotating_until"], json!(start().plus(2 * HOUR)));
    assert_ne!(next.body["secret"], endpoints[0].1.as_str());
    let repeat = world.send(start().plus(HOUR), &post(&rotate, &json!({ "overlap_hours": 2 })));
    assert_eq!(repeat.body, next.body);
    assert_eq!(signatures(start().plus(2 * HOUR - 1), 2), both(&["2", "1"], &["1"]));
    assert_eq!(signatures(start().plus(2 * HOUR), 3), both(&["2"], &["1"]));
    // One that got lost is worth nothing at once.
    let now = start().plus(3 * HOUR);
    let next = world.send(now, &post(&rotate, &json!({ "overlap_hours": 0 })));
    assert_eq!((&next.body["generation"], &next.body["rotating_until"]), (&json!(3), &Value::Null));
    assert_eq!(signatures(now, 4), both(&["3"], &["1"]));
    // Nor does it come back with the endpoint.
    world.send(now, &delete(&format!("/v1/webhooks/{}", endpoints[0].0)));
    assert_eq!(world.endpoint(URL, &[]).1, next.body["secret"].as_str().unwrap());
    // What no location can need any more is forgotten.
    let rotated = || world.memory.keys("settings/teehaus/endpoint.").len() - 2;
    let later = start().plus(4 * HOUR);
    world.send(later, &post(&rotate, &json!({ "overlap_hours": 0 })));
    world.send(later, &post(&rotate, &json!({ "overlap_hours": 0 })));
    assert_eq!(rotated(), 3, "two that are new, and the one that others still see");
}

/// What is stored stays: a message waits for up to a month, and another version sends it.
#[test]
fn what_waits_is_stored_as_pinned() {
    let (world, _) = World::telling(&[(URL, &["conversion.recorded"])]);
    world.answers(URL, Err(SendProblem::Unreachable));
    world.send(start(), &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
    world.send(start(), &world.order(start(), 1));
    let prefixes = ["settings/teehaus/endpoint.", "outbox/", "todo.outbox/", "delivery/"];
    let stored: BTreeMap<String, Value> = prefixes
        .iter()
        .flat_map(|prefix| world.memory.snapshot(prefix))
        .map(|(key, (metadata, value))| {
            let value: Value = serde_json::from_str(&value).unwrap_or_default();
            (key, json!({ "metadata": metadata.as_deref(), "value": value }))
        })
        .collect();
    let pinned: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("../../../core/fixtures/outbox.json")).unwrap();
    assert_eq!(stored, pinned, "{}", serde_json::to_string_pretty(&stored).unwrap());
    // And read again.
    let other = World::new();
    for (key, stored) in pinned {
        let value = stored["value"].as_object().map(|_| stored["value"].to_string());
        let metadata = Some(stored["metadata"].clone().into());
        other.memory.insert(&Put { key, value: value.unwrap_or_default(), metadata, ttl: None });
    }
    other.memory.advance(61_000);
    other.cron(start().plus(HOUR));
    let [posted] = other.posted().try_into().unwrap();
    assert_eq!(posted.body["data"]["order_id"], "A-1");
}
