//! What the merchant is told, whatever fails on the way: at least once, under the same id, signed,
//! on schedule, and never at the expense of money.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_core::webhook::SendProblem;
use passalong_edge::http::Request;
use passalong_edge::isolate::Isolate;
use passalong_edge::outbox;
use passalong_edge::store::{Context, Put};
use serde_json::{Value, json};
use support::{
    Fault, Posted, World, conversion, delete, erase, event, get, post, read_order, start,
};

const URL: &str = "https://shop.example/hooks";
const OTHER: &str = "https://erp.example/in";

impl World {
    /// A world with endpoints; the URL, its id and its secret.
    fn telling(urls: &[(&str, &[&str])]) -> (Self, Vec<(String, String)>) {
        let world = Self::new();
        let endpoints = urls.iter().map(|(url, types)| world.endpoint(url, types)).collect();
        (world, endpoints)
    }

    fn endpoint(&self, url: &str, types: &[&str]) -> (String, String) {
        let answer =
            self.send(start(), &post("/v1/webhooks", &json!({ "url": url, "types": types })));
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    fn order(&self, now: Instant, number: u32) -> Request {
        let code = self.code("10023");
        conversion(now, &format!("A-{number}"), &format!("friend-{number}"), &code, &json!({}))
    }

    fn answers(&self, url: &str, answer: Result<u16, SendProblem>) {
        self.memory.receivers.borrow_mut().insert(url.to_owned(), answer);
    }

    /// What was sent since the last look.
    fn posted(&self) -> Vec<Posted> {
        self.memory.posted.take()
    }

    /// The cron every five minutes, up to and with that instant.
    fn crons(&self, from: Instant, to: Instant) {
        let mut now = from;
        while now <= to {
            self.cron(now);
            self.memory.advance(300_000);
            now = now.plus(300);
        }
    }
}

fn types(posted: &[Posted]) -> Vec<&str> {
    posted.iter().map(|posted| posted.body["type"].as_str().unwrap()).collect()
}

fn ids(posted: &[Posted]) -> BTreeSet<&str> {
    posted.iter().map(|posted| posted.headers["webhook-id"].as_str()).collect()
}

#[test]
fn a_conversion_is_told_at_once_in_the_words_of_the_api() {
    let (world, _) = World::telling(&[(URL, &[])]);
    world.send(start(), &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
    let answer = world.send(start(), &world.order(start(), 1));
    assert_eq!(answer.status, 201);
    let [posted] = world.posted().try_into().unwrap();
    assert_eq!(posted.url, URL);
    assert_eq!(
        posted.body,
        json!({ "type": "conversion.recorded", "timestamp": start(), "data": answer.body })
    );
    assert_eq!(posted.body["data"]["advocate"]["customer_id"], "10023");
    assert_eq!(posted.headers["content-type"], "application/json");
    // Nothing is left to do; message and log stay.
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
    assert_eq!(world.memory.keys("outbox/").len(), 1);
    assert_eq!(world.memory.keys("delivery/").len(), 1);
    // A repeat is answered, not told.
    assert_eq!(world.send(start(), &world.order(start(), 1)).status, 200);
    assert_eq!(world.posted(), []);
}

#[test]
fn without_an_endpoint_that_wants_it_nothing_is_spent() {
    let quiet = World::new();
    let (elsewhere, _) = World::telling(&[(URL, &["pool.low"])]);
    let (telling, _) = World::telling(&[(URL, &[])]);
    let mut spent = Vec::new();
    for world in [&quiet, &elsewhere, &telling] {
        let order = world.send(start(), &world.order(start(), 1));
        let refund = event(start(), "A-1", "r1", "refunded", Some(990));
        let refund = world.send(start(), &refund);
        let report = world.cron(start().plus(2 * HOUR));
        let id = world.send(start().plus(2 * HOUR), &read_order("A-1")).body["rewards"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/v1/rewards/{id}/fulfil");
        let paid =
            world.send(start().plus(3 * HOUR), &post(&path, &json!({ "reference": "v 881" })));
        assert_eq!([order.status, refund.status, paid.status], [201, 201, 200]);
        spent.push((order.operations, refund.operations, report.operations, paid.operations));
    }
    // As the design says, without webhooks.
    assert_eq!(spent[0].0, (0, 5, 4));
    assert_eq!(spent[0], spent[1]);
    let (order, refund, cron, paid) = spent[2];
    // Two writes before the answer; the refund, of an undecided reward, is looked at; approved, the
    // reward takes a read of the order, two writes, and what its delivery takes: a read, the
    // request, the log, the pointer; fulfilled, it takes a read and two writes.
    assert_eq!(order, (0, 7, 4));
    assert_eq!((refund.0, refund.1), (spent[0].1.0, spent[0].1.1));
    assert_eq!(refund.2, spent[0].1.2 + 1);
    assert_eq!(cron, spent[0].2 + 7);
    assert_eq!((paid.0, paid.1, paid.2), (spent[0].3.0 + 1, spent[0].3.1 + 2, spent[0].3.2));
    assert_eq!(elsewhere.memory.keys("outbox/"), Vec::<String>::new());
}

#[test]
fn attempts_are_made_on_schedule_and_no_more_than_ten() {
    let (world, _) = World::telling(&[(URL, &[])]);
    world.answers(URL, Ok(500));
    world.memory.advance(1_795_334_400_000);
    assert_eq!(world.send(start(), &world.order(start(), 1)).status, 201);
    let first = world.posted();
    assert_eq!(first.len(), 2);
    assert_eq!(first[1].at.0 - first[0].at.0, 5_000);
    // Orders of the program are told about, too; here only the first message counts.
    let id = first[0].headers["webhook-id"].clone();
    world.crons(start().plus(5 * MINUTE), start().plus(5 * DAY));
    let later = world.posted();
    let at: Vec<i64> = later
        .iter()
        .filter(|posted| posted.headers["webhook-id"] == id)
        .map(|posted| posted.at.1 - start().seconds())
        .collect();
    let mut wanted = 5;
    let delays = [300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    assert_eq!(at.len(), delays.len(), "{at:?}");
    for (at, delay) in at.iter().zip(delays) {
        wanted += delay;
        // Never early, and late by two runs of the cron at most: other messages take their turns.
        assert!((wanted..=wanted + 900).contains(at), "{at} {wanted}");
    }
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
    let log = world.memory.log.borrow();
    assert!(log.iter().any(|line| line.contains("given up")), "{log:?}");
}

#[test]
fn a_receiver_that_was_down_for_a_day_gets_everything_under_the_same_ids() {
    let (world, _) = World::telling(&[(URL, &[]), (OTHER, &["conversion.recorded"])]);
    world.answers(URL, Err(SendProblem::TimedOut));
    for number in 0..120 {
        let now = start().plus(i64::from(number) * 600);
        assert_eq!(world.send(now, &world.order(now, number)).status, 201);
        world.cron(now.plus(60));
    }
    let before = world.posted();
    let (down, up): (Vec<_>, Vec<_>) = before.into_iter().partition(|posted| posted.url == URL);
    // The other one is not kept waiting.
    assert_eq!((up.len(), ids(&up).len()), (120, 120));
    let told = world.memory.keys("outbox/").len();
    assert!(told > 200, "{told}");
    world.answers(URL, Ok(200));
    let back = start().plus(DAY);
    world.crons(back, back.plus(2 * HOUR));
    let after: Vec<Posted> =
        world.posted().into_iter().filter(|posted| posted.url == URL).collect();
    let told = world.memory.keys("outbox/").len();
    assert_eq!(ids(&after).len(), told);
    assert!(ids(&down).is_subset(&ids(&after)), "the same ids as before");
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
}

#[test]
fn whatever_dies_an_acknowledged_conversion_is_told_and_always_under_one_id() {
    let mut died = 0;
    for operation in 1..40 {
        for took_effect in [false, true] {
            let (mut world, _) = World::telling(&[(URL, &["conversion.recorded"])]);
            world.memory.fail(Fault::DieAt { operation, took_effect });
            let first = world.send(start(), &world.order(start(), 1));
            world.memory.mend();
            world.restart();
            died += u32::from(first.status == 503);
            let later = start().plus(3 * MINUTE);
            if first.status != 201 {
                // As the shop is told to.
                let mut again = world.order(start(), 1);
                again.headers.clone_from(&world.order(later, 1).headers);
                let again = world.send(later, &again);
                assert!([200, 201].contains(&again.status), "{again:?}");
            }
            world.crons(start().plus(5 * MINUTE), start().plus(30 * MINUTE));
            let posted = world.posted();
            assert_eq!(ids(&posted).len(), 1, "{operation} {took_effect}: {posted:?}");
            assert_eq!(world.memory.keys("outbox/").len(), 1);
            assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
        }
    }
    assert!(died > 10, "{died}");
}

#[test]
fn runs_of_the_cron_side_by_side_tell_the_same_messages() {
    let (world, _) = World::telling(&[(URL, &["reward.approved", "reward.refused"])]);
    for number in 0..4 {
        world.send(start(), &world.order(start(), number));
    }
    let now = start().plus(2 * HOUR);
    let isolates = [Isolate::default(), Isolate::default(), Isolate::default()];
    let runs = isolates.iter().map(|isolate| world.cron_run(isolate, now));
    let reports = world.run(futures_util::future::join_all(runs));
    assert!(reports.iter().all(Result::is_ok), "{reports:?}");
    let posted = world.posted();
    // Four orders, each with a reward for the advocate and one for the friend.
    let told = world.memory.keys("outbox/").len();
    assert_eq!((ids(&posted).len(), told), (4, 4), "{:?}", types(&posted));
    let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for posted in &posted {
        bodies.entry(&posted.headers["webhook-id"]).or_default().insert(&posted.text);
    }
    assert!(bodies.values().all(|texts| texts.len() == 1), "{bodies:?}");
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
}

#[test]
fn money_does_not_wait_behind_a_receiver_that_is_slow_or_away() {
    for takes in [10_001, 0] {
        let slow = World::telling(&[(URL, &[])]).0;
        let quiet = World::new();
        for world in [&slow, &quiet] {
            world.answers(URL, Err(SendProblem::Unreachable));
            world.memory.takes.set(takes);
            for number in 0..20 {
                world.send(start(), &world.order(start(), number));
            }
        }
        slow.posted();
        let now = start().plus(2 * HOUR);
        let began = slow.memory.millis_now();
        let (report, other) = (slow.cron(now), quiet.cron(now));
        assert_eq!((report.settled, other.settled), (20, 20));
        let posted = slow.posted();
        assert!(posted.iter().all(|posted| posted.verdicts == 20), "money comes first");
        // Two side by side, and both once more after five seconds.
        assert!((2..=4).contains(&posted.len()), "{}", posted.len());
        assert!(slow.memory.millis_now() - began < 40_000);
        // What was not tried keeps its pointer.
        assert!(slow.memory.keys("todo.outbox/").len() >= 38);
    }
}

#[test]
fn a_backlog_is_worked_off_within_each_runs_share() {
    let (world, _) = World::telling(&[(URL, &["conversion.recorded"])]);
    world.answers(URL, Err(SendProblem::Unreachable));
    for number in 0..130 {
        world.send(start(), &world.order(start(), number));
    }
    world.posted();
    // While nobody is there, a run asks side by side once, and the others keep their attempts.
    let waiting = world.memory.keys("todo.outbox/");
    assert_eq!(world.cron(start().plus(10 * MINUTE)).sent, 2);
    let kept = world.memory.keys("todo.outbox/");
    assert_eq!(kept.iter().filter(|key| waiting.contains(key)).count(), 128);
    assert_eq!(kept.len(), 130);
    world.posted();
    world.answers(URL, Ok(204));
    // Seen by one list, or by one for each endpoint where there is more to do.
    for page in [0, 20] {
        world.memory.page_size.set(page);
        let twin = world.twin();
        twin.memory.page_size.set(page);
        let reports = twin.cron_until_done(start().plus(HOUR));
        let sent: Vec<u32> = reports.iter().map(|report| report.sent).collect();
        assert!(sent.iter().all(|sent| *sent <= 50), "{sent:?}");
        assert_eq!(sent.iter().sum::<u32>(), 130, "{sent:?}");
        assert!(reports.iter().all(|report| report.operations <= 800), "{reports:?}");
        assert_eq!(ids(&twin.posted()).len(), 130);
        assert_eq!(twin.memory.keys("todo.outbox/"), Vec::<String>::new());
    }
}

#[test]
fn webhooks_take_their_share_of_a_run_and_no_more() {
    let urls: Vec<String> = (0..5).map(|n| format!("https://shop.example/{n}")).collect();
    let telling: Vec<(&str, &[&str])> =
        urls.iter().map(|url| (url.as_str(), &["conversion.recorded"][..])).collect();
    let (world, _) = World::telling(&telling);
    let quiet = World::new();
    for world in [&world, &quiet] {
        for url in &urls {
            world.answers(url, Err(SendProblem::Unreachable));
        }
        for number in 0..30 {
            world.send(start(), &world.order(start(), number));
        }
    }
    world.posted();
    for url in &urls {
        world.answers(url, Ok(204));
    }
    let mut delivered = 0;
    let mut runs = 0;
    while delivered < 150 {
        let now = start().plus(20 * MINUTE + 300 * runs);
        let (report, other) = (world.cron(now), quiet.cron(now));
        assert!(report.operations - other.operations < 340, "{report:?} {other:?}");
        delivered += world.posted().len();
        assert_eq!(report.done, delivered == 150);
        runs += 1;
    }
    assert!((2..5).contains(&runs), "{runs}");
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
}

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
fn a_reward_is_told_as_the_api_shows_it_at_every_turn() {
    let (world, _) = World::telling(&[(URL, &[])]);
    world.send(start(), &post("/v1/codes", &json!({ "customer_ids": ["10023"] })));
    for number in 1..=3 {
        world.send(start(), &world.order(start(), number));
    }
    let below = conversion(start(), "A-4", "10023", &world.code("10023"), &json!({}));
    world.send(start(), &below);
    world.send(start(), &event(start(), "A-2", "r1", "cancelled", None));
    assert_eq!(types(&world.posted()), ["conversion.recorded"; 4]);
    let settled = start().plus(2 * HOUR);
    world.cron(settled);
    let posted = world.posted();
    let of = |posted: &[Posted], order: &str| {
        let mut told: Vec<(String, String)> = posted
            .iter()
            .filter(|posted| posted.body["data"]["order_id"] == order)
            .map(|posted| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&posted.body["type"]), text(&posted.body["data"]["for"]))
            })
            .collect();
        told.sort();
        told
    };
    let one = |kind: &str| vec![(kind.to_owned(), "advocate".to_owned())];
    assert_eq!(of(&posted, "A-1"), one("reward.approved"));
    assert_eq!(of(&posted, "A-2"), one("reward.reversed"));
    assert_eq!(of(&posted, "A-4"), one("reward.refused"));
    // Word for word what the API shows.
    let check = |posted: &[Posted], order: &str, kind: &str, now: Instant| {
        let shown = world.send(now, &read_order(order)).body["rewards"][0].clone();
        let told = posted
            .iter()
            .find(|posted| posted.body["type"] == kind && posted.body["data"]["order_id"] == order);
        let told = told.unwrap_or_else(|| panic!("{kind} of {order}: {posted:?}"));
        assert_eq!(told.body["data"], shown);
        assert_eq!(shown["customer_id"], "10023");
        shown["id"].as_str().unwrap().to_owned()
    };
    let id = check(&posted, "A-1", "reward.approved", settled);
    check(&posted, "A-2", "reward.reversed", settled);
    check(&posted, "A-4", "reward.refused", settled);
    // Handed over, then partly taken back.
    let path = format!("/v1/rewards/{id}/fulfil");
    world.send(settled, &post(&path, &json!({ "reference": "voucher 881" })));
    let posted = world.posted();
    check(&posted, "A-1", "reward.fulfilled", settled);
    assert_eq!(posted[0].body["data"]["reference"], "voucher 881");
    world.send(settled, &post(&path, &json!({ "reference": "voucher 881" })));
    assert_eq!(world.posted(), [], "a repeat is no news");
    let later = settled.plus(HOUR);
    world.send(later, &event(later, "A-1", "r2", "refunded", Some(990)));
    let posted = world.posted();
    check(&posted, "A-1", "reward.reversed", later);
    assert_eq!(posted[0].body["data"]["status"], "fulfilled");
    // An approved one shrinks, then goes.
    world.send(later, &event(later, "A-3", "r3", "refunded", Some(990)));
    check(&world.posted(), "A-3", "reward.reversed", later);
    world.send(later, &event(later, "A-3", "r4", "delivered", None));
    assert_eq!(world.posted(), [], "a delivery takes nothing");
    world.send(later, &event(later, "A-3", "r5", "chargeback", None));
    let posted = world.posted();
    check(&posted, "A-3", "reward.reversed", later);
    assert_eq!(posted[0].body["data"]["reason"], "chargeback");
}

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

#[test]
fn with_a_queue_the_schedule_is_the_same() {
    let (world, endpoints) = World::telling(&[(URL, &["conversion.recorded"])]);
    world.memory.queue.replace(Some(Vec::new()));
    world.answers(URL, Ok(503));
    world.send(start(), &world.order(start(), 1));
    assert_eq!(world.posted(), [], "the queue brings it");
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());
    let take = |text: &str| {
        let cx = Context::new(&world.memory, &world.isolate, &world.config, start());
        world.run(outbox::take(&cx, text))
    };
    let mut waits = Vec::new();
    let pop = || world.memory.queue.borrow_mut().as_mut().and_then(Vec::pop);
    while let Some((text, wait)) = pop() {
        waits.push(wait);
        take(&text).unwrap();
    }
    // What the queue cannot keep back so long is left to the cron.
    assert_eq!(waits, [0, 5, 300, 1_800, 7_200, 18_000, 36_000]);
    let [pointer] = world.memory.keys("todo.outbox/").try_into().unwrap();
    assert!(pointer.ends_with("/7"), "{pointer}");
    let posted = world.posted();
    assert_eq!((posted.len(), ids(&posted).len()), (7, 1));
    world.crons(start().plus(19 * HOUR), start().plus(5 * DAY));
    assert_eq!(world.posted().len(), 3);
    assert_eq!(world.memory.keys("todo.outbox/"), Vec::<String>::new());

    // What the store cannot answer comes again; what it is about is not lost meanwhile.
    world.answers(URL, Ok(204));
    world.send(start(), &world.order(start(), 2));
    let text = pop().unwrap().0;
    world.memory.hide_values(true);
    assert!(take(&text).is_err());
    world.memory.hide_values(false);
    take(&text).unwrap();
    assert_eq!(world.posted().len(), 1);
    take("what another version wrote").unwrap();
    // For an endpoint that is gone by then the cron has it.
    world.answers(URL, Ok(410));
    take(&text).unwrap();
    assert_eq!(world.memory.keys("todo.outbox/").len(), 1);
    world.posted();
    take(&text).unwrap();
    assert_eq!(world.posted(), []);
    let enable = format!("/v1/webhooks/{}/enable", endpoints[0].0);
    world.answers(URL, Ok(204));
    world.send(start().plus(HOUR), &post(&enable, &json!({})));
    world.cron(start().plus(HOUR));
    assert_eq!(world.posted().len(), 1);
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
        serde_json::from_str(include_str!("../../core/fixtures/outbox.json")).unwrap();
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

#[test]
fn milestones_reviews_and_low_pools_are_told_once_each() {
    let points = json!({ "kind": "points", "points": 10 });
    let gift = json!({ "kind": "gift", "label": "Teeset" });
    let voucher = json!({ "kind": "amount_off", "amount": 500 });
    let world = World::with(&json!({
        "rewards": [
            { "for": "advocate", "trigger": "first_purchase", "value": points },
            { "for": "advocate", "trigger": "first_purchase", "milestone": 2, "value": gift },
            { "for": "advocate", "trigger": "signup", "value": voucher, "delivery": "coupon",
              "pool": "tee" },
        ],
        "review": { "orders_per_day": 2 },
    }));
    let _id = world.endpoint(URL, &["milestone.reached", "review.requested", "pool.low"]);
    world.answers(URL, Ok(204));
    let body = b"TEE-1\nTEE-2\nTEE-3".to_vec();
    let upload = Request { body: Ok(body), ..post("/v1/pools/tee", &Value::Null) };
    assert_eq!(world.send(start(), &upload).status, 200);
    for number in 1..=3 {
        let at = start().plus(i64::from(number) * MINUTE);
        assert_eq!(world.send(at, &world.order(at, number)).status, 201);
    }
    let hand = json!({ "code": null, "first_order": true });
    let missed = conversion(start(), "A-9", "friend-9", "", &hand);
    assert_eq!(world.send(start(), &missed).status, 201);
    let claim = json!({ "order_id": "A-9", "ordered_on": "2026-11-02" });
    let claim = support::post_as(start(), "10023", "/v1/me/claims", &claim);
    assert_eq!(world.send(start(), &claim).status, 201);
    world.crons(start(), start().plus(5 * HOUR));
    let mut told: Vec<(String, String)> = Vec::new();
    for posted in world.posted() {
        let data = &posted.body["data"];
        let what = data["reason"].as_str().or(data["value"]["label"].as_str());
        let what = what.or(data["pool"].as_str()).unwrap_or("-").to_owned();
        told.push((posted.body["type"].as_str().unwrap().to_owned(), what));
    }
    told.sort();
    let told: BTreeSet<(&str, &str)> =
        told.iter().map(|(kind, what)| (kind.as_str(), what.as_str())).collect();
    let expected = BTreeSet::from([
        ("milestone.reached", "Teeset"),
        ("pool.low", "tee"),
        ("review.requested", "claimed_by_hand"),
        ("review.requested", "velocity"),
    ]);
    assert_eq!(told, expected);
    // A day later they are audited, which is nobody's news.
    world.crons(start().plus(25 * HOUR), start().plus(27 * HOUR));
    assert_eq!(world.posted(), []);
}

#[test]
fn an_end_is_told_two_weeks_ahead_and_only_of_what_was_handed_over() {
    let points = json!({ "kind": "points", "points": 10 });
    let voucher = json!({ "kind": "amount_off", "amount": 500 });
    let ends = json!({ "days": 30 });
    let world = World::with(&json!({ "rewards": [
        { "for": "advocate", "trigger": "first_purchase", "value": points, "expires": ends },
        { "for": "friend", "trigger": "first_purchase", "value": points, "expires": { "days": 40 } },
        { "for": "advocate", "trigger": "signup", "value": voucher, "delivery": "coupon",
          "pool": "tee", "expires": ends },
    ]}));
    let _id = world.endpoint(URL, &["reward.expiring"]);
    world.answers(URL, Ok(204));
    let upload = Request { body: Ok(b"TEE-1".to_vec()), ..post("/v1/pools/tee", &Value::Null) };
    assert_eq!(world.send(start(), &upload).status, 200);
    assert_eq!(world.send(start(), &world.order(start(), 1)).status, 201);
    let signup = json!({ "kind": "signup", "amount": null, "currency": null });
    let signup = conversion(start(), "S-1", "friend-2", &world.code("10023"), &signup);
    assert_eq!(world.send(start(), &signup).status, 201);
    let day = |days: i64, hours: i64| start().plus(days * DAY + hours * HOUR);
    // What is new by its id: a second look at an order may tell the same again.
    let known = std::cell::RefCell::new(BTreeSet::new());
    let told = |from: Instant, to: Instant| -> Vec<(String, String)> {
        world.crons(from, to);
        let mut posted = world.posted();
        assert!(types(&posted).iter().all(|kind| *kind == "reward.expiring"), "{posted:?}");
        posted.retain(|it| known.borrow_mut().insert(it.headers["webhook-id"].clone()));
        let text = |it: &Posted, name: &str| it.body["data"][name].as_str().unwrap().to_owned();
        posted.iter().map(|it| (text(it, "order_id"), text(it, "until"))).collect()
    };
    let last = |days: i64| day(days + 1, 0).day().start().plus(-1).to_string();
    // The coupon is drawn within hours; the order's rewards wait for the merchant.
    assert_eq!(told(start(), day(0, 5)), []);
    assert_eq!(told(day(1, 1), day(1, 3)), []);
    assert_eq!(told(day(16, -12), day(16, 0)), []);
    assert_eq!(told(day(16, 0), day(18, 0)), [("S-1".to_owned(), last(30))]);
    assert_eq!(told(day(59, 0), day(60, 0)), [], "what nobody handed over has no end");
    let order = world.send(day(60, 0), &read_order("A-1")).body;
    for reward in order["rewards"].as_array().unwrap() {
        assert_eq!((&reward["status"], &reward["until"]), (&json!("approved"), &json!(null)));
        let path = format!("/v1/rewards/{}/fulfil", reward["id"].as_str().unwrap());
        let answer = world.send(day(60, 0), &post(&path, &json!({ "reference": "v 881" })));
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("fulfilled")));
    }
    assert_eq!(told(day(60, 0), day(60, 3)), []);
    assert_eq!(told(day(76, 0), day(78, 0)), [("A-1".to_owned(), last(90))]);
    assert_eq!(told(day(86, 0), day(88, 0)), [("A-1".to_owned(), last(100))]);
    let mut left = world.memory.keys("todo.");
    left.retain(|key| !key.starts_with("todo.days/") && !key.starts_with("todo.folded/"));
    assert_eq!(left, Vec::<String>::new(), "no pointer stays behind");
}
