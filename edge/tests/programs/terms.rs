//! Versions of the terms: which of them counts, from when, and how many on one day.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE, SETTLE};
use passalong_edge::http::Request;
use passalong_edge::isolate::Isolate;
use serde_json::{Value, json};

use crate::support::{Answer, World, at, get, post, start};

/// From a save to its validity.
const VALID_AFTER: i64 = MINUTE + SETTLE;

fn noon() -> Instant {
    at("2026-11-05T12:00:00Z")
}

fn put(terms: &Value) -> Request {
    Request { method: "PUT".to_owned(), ..post("/v1/program", terms) }
}

/// The terms of the world, under another name.
fn named(world: &World, name: &str) -> Value {
    let mut terms = world.send(noon(), &get("/v1/program")).body;
    terms.as_object_mut().unwrap().remove("upcoming");
    terms["name"] = json!(name);
    terms
}

fn on(world: &World, isolate: &Isolate, now: Instant, request: &Request) -> Answer {
    world.run(world.answer(isolate, now, request))
}

fn name_at(world: &World, isolate: &Isolate, now: Instant) -> Value {
    on(world, isolate, now, &get("/v1/program")).body["name"].clone()
}

#[test]
fn of_two_saves_within_one_second_the_later_counts() {
    // Among so many pairs there are both orders of their digests.
    for pair in 0..8 {
        let world = World::new();
        let [first, second] = ["erst", "dann"].map(|name| named(&world, &format!("{name} {pair}")));
        let earlier = world.send(noon(), &put(&first));
        let later = world.send(noon(), &put(&second));
        assert_eq!((earlier.status, later.status), (200, 200), "{earlier:?} {later:?}");
        assert_eq!([&earlier.body["version"], &later.body["version"]], [2, 3]);
        assert_eq!(later.body["name"], second["name"], "what was saved is what is answered");
        let valid_from: Instant = later.body["valid_from"].as_str().unwrap().parse().unwrap();
        assert!(
            valid_from >= noon().plus(VALID_AFTER) && valid_from <= noon().plus(VALID_AFTER + 1)
        );
        let now = world.send(noon(), &get("/v1/program")).body;
        assert_eq!([&now["version"], &now["upcoming"]["version"]], [1, 3]);
        for isolate in [&world.isolate, &Isolate::default()] {
            assert_eq!(name_at(&world, isolate, noon().plus(VALID_AFTER - 1)), "Teehaus Nord");
            assert_eq!(name_at(&world, isolate, valid_from), second["name"]);
        }
    }
}

#[test]
fn of_two_saves_at_two_locations_the_later_millisecond_counts() {
    for pair in 0..8 {
        let world = World::new();
        let [earlier, later] = [Isolate::default(), Isolate::default()];
        // Both know the program, and neither sees what the other saves.
        let known = [&earlier, &later].map(|isolate| name_at(&world, isolate, noon()));
        assert_eq!(known[0], known[1]);
        let [first, second] = ["hier", "dort"].map(|name| named(&world, &format!("{name} {pair}")));
        assert_eq!(on(&world, &earlier, noon(), &put(&first)).status, 200);
        world.memory.advance(1);
        assert_eq!(on(&world, &later, noon(), &put(&second)).status, 200);
        world.memory.advance(60_000);
        for isolate in [&earlier, &later, &Isolate::default()] {
            assert_eq!(name_at(&world, isolate, noon().plus(HOUR)), second["name"]);
        }
    }
}

#[test]
fn what_is_saved_is_answered_with_what_takes_over_from_it() {
    let world = World::new();
    let terms = named(&world, "Teehaus Süd");
    let saved = world.send(noon(), &put(&terms));
    assert_eq!(saved.body["version"], 2);
    assert!(saved.body.get("upcoming").is_none(), "nothing takes over from it");
    let again = world.send(noon().plus(30), &put(&terms));
    assert_eq!((again.status, &again.body), (200, &saved.body), "the same again changes nothing");
    assert_eq!(world.memory.keys("settings/teehaus/terms.").len(), 2);
}

#[test]
fn the_21st_version_of_a_day_is_refused_and_changes_nothing() {
    let world = World::new();
    // The program began on another day.
    assert!(start().day() < noon().day());
    for n in 1..=20 {
        let saved = world.send(noon(), &put(&named(&world, &format!("Fassung {n}"))));
        assert_eq!((saved.status, &saved.body["version"]), (200, &json!(n + 1)), "{saved:?}");
    }
    let before = world.memory.snapshot("");
    let refused = world.send(noon(), &put(&named(&world, "zu viel")));
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    let right = "at most 20 versions of the terms become valid on one day (UTC), and nothing was \
                 changed; save again tomorrow";
    assert_eq!(refused.body["detail"], right);
    assert_eq!(world.memory.snapshot(""), before);
    assert_eq!(name_at(&world, &Isolate::default(), noon().plus(HOUR)), "Fassung 20");
    // What is saved so long later becomes valid tomorrow.
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    let tomorrow = noon().plus(seconds);
    assert_eq!(tomorrow, noon().day().plus(1).start().plus(-VALID_AFTER));
    let early = world.send(tomorrow.plus(-1), &put(&named(&world, "zu früh")));
    assert_eq!(early.status, 429);
    assert_eq!(world.send(tomorrow, &put(&named(&world, "morgen"))).status, 200);
    assert_eq!(name_at(&world, &Isolate::default(), noon().plus(DAY)), "morgen");
}

#[test]
fn of_a_day_every_isolate_counts_the_same_twenty_though_two_locations_saved_at_once() {
    let world = World::new();
    let isolates = [Isolate::default(), Isolate::default()];
    for isolate in &isolates {
        name_at(&world, isolate, noon());
    }
    for n in 0..15 {
        for (place, isolate) in isolates.iter().enumerate() {
            world.memory.advance(7);
            let terms = named(&world, &format!("{place}, {n}"));
            assert_eq!(on(&world, isolate, noon(), &put(&terms)).status, 200);
        }
    }
    world.memory.advance(60_000);
    let later = noon().plus(HOUR);
    for isolate in isolates.iter().chain([&Isolate::default()]) {
        let current = on(&world, isolate, later, &get("/v1/program")).body;
        assert_eq!((&current["name"], &current["version"]), (&json!("1, 9"), &json!(21)));
        assert_eq!(on(&world, isolate, noon(), &put(&named(&world, "mehr"))).status, 429);
    }
}
