//! What still works without the store, and how little is asked of it.

use passalong_core::time::{HOUR, Instant};
use passalong_edge::isolate::Isolate;
use serde_json::json;

use crate::support::{Fault, World, conversion, get, me, program_terms, redirect, start};

fn now() -> Instant {
    start().plus(HOUR)
}

fn everything_fails(world: &World) {
    world.memory.fail(Fault::DieAt { operation: 1, took_effect: false });
}

#[test]
fn a_warm_isolate_redirects_without_the_store() {
    let world = World::new();
    let code = world.code("10023");
    assert_eq!(world.send(now(), &redirect(&code, 1)).status, 302);
    everything_fails(&world);
    for minutes in [0, 1, 90] {
        world.memory.advance(minutes * 60_000);
        let answer = world.send(now(), &redirect(&code, 2));
        assert_eq!(answer.status, 302, "after {minutes} minutes");
        let location = answer.header("location").unwrap();
        assert!(location.starts_with("https://shop.example/willkommen?pa="), "{location}");
    }
    assert_eq!(world.send(now(), &get("/v1/rewards")).status, 503);
    let mine = world.send(now(), &me(now(), "10023"));
    assert_eq!((mine.status, mine.header("retry-after")), (503, Some("2")));
    let report = conversion(now(), "A-1", "20871", &code, &json!({}));
    assert_eq!(world.send(now(), &report).status, 503);
    world.memory.mend();
    world.memory.advance(1_000);
    assert_eq!(world.send(now(), &report).status, 201);
}

#[test]
fn a_cold_isolate_without_the_store_says_try_again() {
    let mut world = World::new();
    let code = world.code("10023");
    world.restart();
    everything_fails(&world);
    let answer = world.send(now(), &redirect(&code, 1));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    world.memory.mend();
    world.memory.advance(1_000);
    assert_eq!(world.send(now(), &redirect(&code, 1)).status, 302);
}

#[test]
fn a_failed_list_of_programs_is_tried_again_once_a_second_for_all_requests_together() {
    let mut world = World::new();
    let code = world.code("10023");
    world.restart();
    everything_fails(&world);
    let before = world.memory.lists_of_programs();
    for (millis, tried) in [(0, 1), (0, 1), (900, 1), (100, 2), (900, 2), (100, 3)] {
        world.memory.advance(millis);
        let crowd: Vec<_> = (0..50).map(|n| (now(), redirect(&code, n))).collect();
        for answer in world.send_all(&crowd) {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
        }
        assert_eq!(world.memory.lists_of_programs() - before, tried, "{millis}");
    }
}

#[test]
fn an_unknown_program_or_a_forged_code_costs_a_warm_isolate_nothing() {
    let world = World::new();
    world.memory.mend();
    let code = world.code("10023");
    for n in 0..20 {
        let mut unknown = redirect(&code, n);
        unknown.path = format!("/r/unknown-{n}/{code}");
        assert_eq!(world.send(now(), &unknown).status, 404);
        let forged = redirect("8f3k2m7q00000000000000000", n);
        let answer = world.send(now(), &forged);
        assert_eq!((answer.status, answer.header("x-passalong-ignored")), (302, Some("bad_code")));
    }
    assert_eq!(world.memory.counted(), (0, 0));
}

#[test]
fn a_cold_isolate_lists_the_programs_once_a_minute_for_all_requests_together() {
    let mut world = World::new();
    let code = world.code("10023");
    world.restart();
    let before = world.memory.lists_of_programs();
    let crowd = |world: &World| {
        let mut requests: Vec<_> = (0..200).map(|n| (now(), redirect(&code, n))).collect();
        for n in 0..200 {
            let mut unknown = redirect(&code, n);
            unknown.path = format!("/r/unknown-{n}/{code}");
            requests.push((now(), unknown));
        }
        let answers = world.send_all(&requests);
        let statuses = answers.iter().map(|answer| answer.status);
        assert!(statuses.eq((0..400).map(|n| if n < 200 { 302 } else { 404 })));
        world.memory.lists_of_programs() - before
    };
    assert_eq!(crowd(&world), 1);
    assert_eq!(crowd(&world), 1, "within the minute");
    world.memory.advance(60_000);
    assert_eq!(crowd(&world), 2, "in the next");
}

/// What no browser can open would lead every visitor back to us.
#[test]
fn a_landing_page_that_cannot_be_opened_is_refused_before_it_is_stored() {
    let world = World::new();
    for url in ["https://shop.example:99999/", "https://1.2.3.999/", "https://xn--a/"] {
        let terms = json!({ "id": "anderer", "landing_url": url });
        let made = world.send(now(), &program_terms(&terms));
        assert_eq!((made.status, &made.body["field"]), (400, &json!("landing_url")), "{url}");
    }
    let kept = ["program/anderer", "settings/anderer"].map(|prefix| world.memory.keys(prefix));
    assert_eq!(kept.concat(), Vec::<String>::new());
}

/// Terms too long for a list are read by themselves. While that read shows nothing, older terms
/// serve, and the new ones are asked for again.
#[test]
fn terms_that_cannot_be_read_yet_are_asked_for_again() {
    let world = World::new();
    let mut terms = world.send(now(), &get("/v1/program")).body;
    terms["preview"]["text"] = json!("Tee für dich. ".repeat(14));
    terms["preview"]["image"] = json!(format!("https://shop.example/{}.png", "bild".repeat(60)));
    terms["name"] = json!("Teehaus Süd");
    let mut put = crate::support::post("/v1/program", &terms);
    put.method = "PUT".to_owned();
    assert_eq!(world.send(now(), &put).status, 200);
    let key = world.memory.keys("settings/").pop().unwrap();
    let (metadata, _) = world.memory.snapshot(&key).remove(&key).unwrap();
    assert_eq!(metadata.as_deref(), Some(&json!({})), "too long for a list");

    let later = now().plus(HOUR);
    let cold = Isolate::default();
    world.memory.hide_values(true);
    let name = |isolate: &Isolate| {
        world.run(world.answer(isolate, later, &get("/v1/program"))).body["name"].clone()
    };
    assert_eq!(name(&cold), "Teehaus Nord");
    world.memory.hide_values(false);
    assert_eq!(name(&cold), "Teehaus Süd");
}
