//! Lists that are too long, late or not there: whoever one merchant's keys are many, the others are
//! served, and what is revoked stays revoked.

use passalong_core::ids::{Digest, ProgramId};
use passalong_core::time::{HOUR, Instant, Moment};
use passalong_edge::http::Request;
use passalong_edge::isolate::Isolate;
use passalong_edge::keys::{
    AliasKey, EventKey, OrderKey, ProgramKey, Revoked, RevokedKey, Saved, ShareKey, TermsKey,
};
use passalong_edge::metadata::{Began, Nothing};
use passalong_edge::problem::Problem;
use passalong_edge::store::{Put, StoreError};
use serde_json::{Value, json};

use crate::support::{
    Answer, Fault, World, choose_alias, conversion, event, get, me, post, program_terms, redirect,
    share, start,
};

fn now() -> Instant {
    start().plus(HOUR)
}

fn digest(n: usize) -> Digest {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Digest(bytes)
}

/// A world with three programs, each with its first generation of keys revoked where that is said.
fn world(revoked: &[&str]) -> World {
    let world = World::new();
    for id in ["kaffee", "salz"] {
        let made = world.send(start(), &program_terms(&json!({ "id": id })));
        assert_eq!(made.status, 201, "{made:?}");
    }
    for id in revoked {
        let program: ProgramId = id.parse().unwrap();
        world
            .memory
            .insert(&Put::listed(&RevokedKey { program, generation: Revoked(1) }, &Nothing {}));
    }
    world
}

fn as_merchant(world: &World, id: &str, generation: u32) -> Request {
    let key = world.config.secrets.api_key(&id.parse().unwrap(), generation);
    let headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
    Request { headers, ..get("/v1/program") }
}

fn cold(world: &World, request: &Request) -> Answer {
    world.run(world.answer(&Isolate::default(), now(), request))
}

/// So many versions of the terms of one program, on as many days as they need.
fn save_many(world: &World, id: &str, count: usize) {
    let program: ProgramId = id.parse().unwrap();
    let terms = world.memory.snapshot(&format!("settings/{id}/terms.")).into_values().next();
    let (metadata, value) = terms.unwrap();
    for n in 0..count {
        let from = Moment::from(start().plus(i64::try_from(n).unwrap() * 5_000));
        let version = Saved(from, digest(n));
        let key = TermsKey { program: program.clone(), version }.to_string();
        let (metadata, value) = (metadata.clone(), value.clone());
        world.memory.insert(&Put { key, value, metadata, ttl: None });
    }
}

#[test]
fn with_20_000_keys_of_one_merchant_every_other_is_served_and_every_revoked_key_refused() {
    let world = world(&["kaffee", "teehaus"]);
    save_many(&world, "kaffee", 20_000);
    for (id, generation, right) in [
        ("teehaus", 1, 401),
        ("teehaus", 2, 200),
        ("salz", 1, 200),
        // Its own settings cannot be read to the end, so nobody knows what is revoked of it.
        ("kaffee", 1, 503),
        ("kaffee", 2, 503),
    ] {
        let answer = cold(&world, &as_merchant(&world, id, generation));
        assert_eq!(answer.status, right, "{id} {generation}: {answer:?}");
    }
    let told = "a list of settings/ is longer than 20 pages, and was not used";
    assert_eq!(*world.memory.log.borrow(), [told, told], "and no id in it");
    // Visitors of the others notice nothing, and the cron goes on.
    let isolate = Isolate::default();
    let code = world.code("10023");
    assert_eq!(world.run(world.answer(&isolate, now(), &redirect(&code, 1))).status, 302);
    let cron = world.run(world.cron_run(&isolate, now())).unwrap();
    assert!(cron.done, "{cron:?}");
}

#[test]
fn a_revocation_is_read_before_the_terms_however_many_they_are() {
    let world = world(&["kaffee"]);
    save_many(&world, "kaffee", 19_900);
    let isolate = Isolate::default();
    let ask = |generation| {
        let request = as_merchant(&world, "kaffee", generation);
        world.run(world.answer(&isolate, now(), &request)).status
    };
    let statuses = [1, 2].map(ask);
    assert_eq!(statuses, [401, 200]);
}

#[test]
fn with_more_programs_than_a_list_holds_the_answer_is_503_and_a_log_line() {
    let mut world = world(&[]);
    let from = Moment::from(start());
    for n in 0..20_000 {
        let program: ProgramId = format!("p{n:05}").parse().unwrap();
        world.memory.insert(&Put::listed(&ProgramKey { program }, &Began { from }));
    }
    let mut unknown = redirect(&world.code("10023"), 1);
    unknown.path = unknown.path.replace("teehaus", "unbekannt");
    for request in [as_merchant(&world, "teehaus", 1), unknown.clone(), redirect("x", 1)] {
        let answer = cold(&world, &request);
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (503, &json!("unavailable")),
            "{answer:?}"
        );
        assert_eq!(answer.header("retry-after"), Some("300"));
        let told = world.memory.log.take();
        assert_eq!(told, ["a list of program/ is longer than 20 pages, and was not used"]);
    }
    // Where a program is known it is served; one that is not is never said not to exist.
    world.memory.advance(60_000);
    assert_eq!(world.send(now(), &as_merchant(&world, "teehaus", 1)).status, 200);
    for _ in 0..3 {
        assert_eq!(world.send(now(), &unknown).status, 503);
    }
    assert_eq!(world.memory.log.borrow().len(), 1, "it is not read again within the minute");
    world.restart();
    assert_eq!(world.try_cron(now()), Err(StoreError::Cut), "no day counts as folded unseen");
}

#[test]
fn a_program_is_there_only_together_with_its_terms() {
    let mut world = World::new();
    let coffee = json!({ "id": "kaffee" });
    world.memory.fail(Fault::On("program/kaffee".to_owned()));
    assert_eq!(world.send(start(), &program_terms(&coffee)).status, 503);
    assert_eq!(world.memory.keys("settings/kaffee/").len(), 1, "the terms came first");
    world.memory.mend();
    let as_kaffee = |world: &World| cold(world, &as_merchant(world, "kaffee", 1)).status;
    assert_eq!(as_kaffee(&world), 401, "there is no such program");
    // Somebody else's terms take over from what was left behind.
    let other = json!({ "id": "kaffee", "name": "Kaffee Süd" });
    let made = world.send(start(), &program_terms(&other));
    assert_eq!((made.status, &made.body["program"]["name"]), (201, &json!("Kaffee Süd")));
    assert_eq!(world.send(now(), &program_terms(&other)).body, made.body, "again");
    assert_eq!(world.send(now(), &program_terms(&coffee)).status, 200, "what was valid before it");
    assert_eq!(
        world.send(now(), &program_terms(&json!({ "id": "kaffee", "name": "?" }))).status,
        409
    );
    world.restart();
    assert_eq!(world.send(now(), &as_merchant(&world, "kaffee", 1)).body["name"], "Kaffee Süd");
    // Seen elsewhere before its terms are.
    let terms = world.memory.snapshot("settings/kaffee/");
    for key in terms.keys() {
        world.memory.remove(key);
    }
    world.restart();
    let late = world.send(now(), &as_merchant(&world, "kaffee", 1));
    assert_eq!((late.status, late.header("retry-after")), (503, Some("60")));
    for (key, (metadata, value)) in terms {
        world.memory.insert(&Put { key, value, metadata, ttl: None });
    }
    world.memory.advance(1_000);
    assert_eq!(world.send(now(), &as_merchant(&world, "kaffee", 1)).status, 200);
}

#[test]
fn a_cold_isolate_lists_the_programs_once_and_the_settings_of_each_once_a_minute() {
    let world = world(&[]);
    let isolate = Isolate::default();
    let cost = |request: &Request| {
        let answer = world.run(world.answer(&isolate, now(), request));
        assert!(answer.status < 500, "{answer:?}");
        answer.operations
    };
    let [tea, salt] = ["teehaus", "salz"].map(|id| as_merchant(&world, id, 1));
    let forged = redirect("8f3k2m7q00000000000000000", 1);
    assert_eq!(cost(&tea), (0, 0, 2));
    assert_eq!([cost(&tea), cost(&forged)], [(0, 0, 0); 2]);
    assert_eq!([cost(&salt), cost(&salt)], [(0, 0, 1), (0, 0, 0)]);
    world.memory.advance(60_000);
    assert_eq!([cost(&tea), cost(&tea), cost(&forged)], [(0, 0, 1), (0, 0, 0), (0, 0, 0)]);
}

#[test]
fn every_reason_why_the_store_fails_has_its_own_answer() {
    let all = [
        (StoreError::failed("KV PUT failed: 500"), "2", "did not answer"),
        (StoreError::OutOfBudget, "10", "took longer than one request may"),
        (StoreError::NotVisible, "60", "is on its way here"),
        (StoreError::Cut, "300", "would be incomplete"),
    ];
    for (error, seconds, says) in all {
        let response = Problem::from(error.clone()).into_response();
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &body["code"]), (503, &json!("unavailable")), "{error:?}");
        assert!(body["detail"].as_str().unwrap().contains(says), "{body}");
        assert!(!body["detail"].as_str().unwrap().contains("PUT"), "the cause is not sent");
        assert!(response.headers.contains(&("retry-after", seconds.to_owned())), "{error:?}");
    }
}

/// What anybody can make long keeps nobody's report out: as many keys under one prefix as a list of
/// one page does not take.
#[test]
fn a_list_that_somebody_made_long_keeps_no_report_out() {
    let world = World::new();
    let code = world.code("10023");
    let first = conversion(now(), "A-1", "20871", &code, &json!({}));
    assert_eq!(world.send(now(), &first).status, 201);
    world.send(now(), &event(now(), "A-1", "d1", "delivered", None));
    let chosen = world.send(now(), &choose_alias(now(), "10023", Some("TASSE")));
    assert!(chosen.status < 300, "{chosen:?}");
    assert_eq!(world.send(now(), &share(now(), "10023", "copy")).status, 204);
    // Copies of each, under later minutes and other digests.
    let copy = |prefix: &str, make: &dyn Fn(&str, usize) -> String| {
        let (key, (metadata, value)) = world.memory.snapshot(prefix).pop_first().unwrap();
        for n in 0..2_500 {
            let put = Put {
                key: make(&key, n),
                value: value.clone(),
                metadata: metadata.clone(),
                ttl: None,
            };
            world.memory.insert(&put);
        }
    };
    let later = now().plus(HOUR).minute_up();
    copy("order/", &|key, n| {
        let mut key: OrderKey = key.parse().unwrap();
        (key.fact.accepted, key.fact.digest) = (later, digest(n));
        key.to_string()
    });
    copy("event/", &|key, n| {
        let mut key: EventKey = key.parse().unwrap();
        (key.fact.accepted, key.fact.digest) = (later, digest(n));
        key.to_string()
    });
    copy("alias/", &|key, n| {
        let mut key: AliasKey = key.parse().unwrap();
        key.claim.at = later.plus(60 * i64::try_from(n).unwrap());
        key.to_string()
    });
    copy("share/", &|key, n| {
        let mut key: ShareKey = key.parse().unwrap();
        key.batch.0 = n.to_be_bytes();
        key.to_string()
    });
    let evening = now().plus(3 * HOUR);
    assert_eq!(world.send(evening, &first).status, 200, "the first report stands");
    let event = event(evening, "A-1", "d2", "delivered", None);
    assert_eq!(world.send(evening, &event).status, 201);
    let by_alias = json!({
        "order_id": "A-2", "kind": "purchase", "amount": 4990, "currency": "EUR",
        "customer_id": "20872", "occurred_at": evening, "alias": "TASSE",
    });
    let by_alias = post("/v1/conversions", &by_alias);
    let taken = world.send(evening, &by_alias);
    assert_eq!((taken.status, &taken.body["attributed"]), (201, &json!(true)), "{taken:?}");
    assert_eq!(world.send(evening, &me(evening, "10023")).status, 200);
    assert_eq!(world.send(evening, &redirect(&code, 1)).status, 302);
    let tomorrow = evening.plus(24 * HOUR);
    assert!(world.cron_until_done(tomorrow).iter().any(|report| report.done));
}
