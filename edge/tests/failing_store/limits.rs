//! Limits over time that a test cannot wait for, and revocations as other isolates learn of them.

use passalong_core::time::Instant;
use passalong_edge::http::Request;
use passalong_edge::isolate::Isolate;
use passalong_edge::limits::Limit;
use passalong_edge::store::Host;
use serde_json::json;

use crate::support::{Answer, Fault, World, at, get, me, redirect, secret};

fn noon() -> Instant {
    at("2026-11-05T12:00:00Z")
}

fn with_agent(mut request: Request, agent: &str) -> Request {
    request.headers.retain(|(name, _)| name != "user-agent");
    request.headers.push((
        "user-agent".to_owned(),
        format!("Mozilla/5.0 (Windows NT 10.0) Firefox/140.0 {agent}"),
    ));
    request
}

fn has_token(answer: &Answer) -> bool {
    answer.status == 302 && answer.header("location").is_some_and(|to| to.contains("pa="))
}

fn counted(world: &World, now: Instant) -> serde_json::Value {
    world.send(now, &me(now, "10023")).body["totals"]["clicks"].clone()
}

#[test]
fn an_hour_of_a_loop_on_one_link_cost_one_write() {
    for limiter in [Some(true), Some(false), None] {
        let world = World::new();
        world.memory.limiter.set(limiter);
        let request = redirect(&world.code("10023"), 7);
        for _ in 0..720 {
            assert!(has_token(&world.send(noon(), &request)));
            world.memory.advance(5_000);
        }
        assert_eq!(world.memory.keys("click/").len(), 1, "{limiter:?}");
        assert_eq!(counted(&world, noon()), 1);
    }
}

#[test]
fn a_visitor_who_comes_while_their_click_is_written_begins_no_other_batch() {
    let world = World::new();
    let request = redirect(&world.code("10023"), 7);
    // The first write is refused once, and waits 400 ms and more before it is tried again.
    world.memory.fail(Fault::Writes { from: 1, count: 1, took_effect: false });
    let late = async {
        world.memory.sleep(1_200).await;
        world.answer(&world.isolate, noon(), &request).await
    };
    let first = world.answer(&world.isolate, noon(), &request);
    let (first, late) = world.run(futures_util::future::join(first, late));
    assert!(has_token(&first) && has_token(&late));
    assert_eq!(world.memory.keys("click/").len(), 1);
}

#[test]
fn a_visitor_is_counted_again_tomorrow_and_on_another_link() {
    let world = World::new();
    for (now, advocate) in [(noon(), "10023"), (noon(), "10024"), (noon().plus(86_400), "10023")] {
        let request = redirect(&world.code(advocate), 7);
        for _ in 0..3 {
            world.send(now, &request);
        }
    }
    assert_eq!(world.memory.keys("click/").len(), 3);
}

#[test]
fn a_visitor_whose_write_failed_is_counted_when_they_come_again() {
    let world = World::new();
    let request = redirect(&world.code("10023"), 7);
    world.memory.fail(Fault::On("click/".to_owned()));
    assert!(has_token(&world.send(noon(), &request)), "nobody notices");
    world.memory.mend();
    assert_eq!(world.memory.keys("click/").len(), 0);
    world.send(noon(), &request);
    assert_eq!(world.memory.keys("click/").len(), 1);
}

#[test]
fn where_no_limiter_is_bound_an_isolate_counts_so_many_a_minute() {
    let world = World::new();
    world.memory.limiter.set(None);
    let code = world.code("10023");
    let most = Limit::Clicks.a_minute();
    for minute in 1..=3 {
        let mut uncounted = 0;
        let requests: Vec<_> = (0..200)
            .map(|n| (noon(), with_agent(redirect(&code, 7), &format!("{minute}.{n}"))))
            .collect();
        for answer in world.send_all(&requests) {
            assert!(has_token(&answer));
            uncounted += u32::from(answer.header("x-passalong-uncounted") == Some("rate_limited"));
        }
        assert_eq!(uncounted, 200 - most);
        assert_eq!(counted(&world, noon()), minute * most);
        world.memory.advance(60_000);
    }
    assert_eq!(world.memory.keys("click/").len(), 3);
}

#[test]
fn the_limiter_is_asked_for_those_who_insist_and_learns_nothing_about_them() {
    let world = World::new();
    world.memory.limiter.set(Some(false));
    let code = world.code("10023");
    for visitor in 0..500 {
        assert!(has_token(&world.send(noon(), &redirect(&code, visitor))));
    }
    assert_eq!(world.memory.limited.borrow().len(), 0, "a crowd costs no question");
    assert_eq!(world.memory.keys("click/").len(), 500);
    world.memory.advance(60_000);
    for n in 0..10 {
        let answer = world.send(noon(), &with_agent(redirect(&code, 7), &n.to_string()));
        let says = answer.header("x-passalong-uncounted");
        assert_eq!(says, (n >= 3).then_some("rate_limited"), "{n}");
    }
    let asked = world.memory.limited.borrow();
    assert_eq!(asked.len(), 7);
    let (limit, key) = asked[0].split_once(' ').unwrap();
    assert_eq!(limit, Limit::Clicks.binding());
    assert!(key.len() == 16 && key.bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
    assert!(asked.iter().all(|other| *other == asked[0]), "one network, one key: {asked:?}");
}

#[test]
fn whoever_has_no_address_is_not_limited_by_it() {
    let world = World::new();
    world.memory.limiter.set(Some(false));
    let mut request = redirect("wrong", 7);
    request.headers.retain(|(name, _)| name != "cf-connecting-ip");
    for _ in 0..200 {
        assert_eq!(world.send(noon(), &request).status, 302);
    }
}

#[test]
fn a_revoked_key_is_refused_everywhere_within_a_minute_of_its_listing() {
    let world = World::new();
    let elsewhere = Isolate::default();
    let as_merchant = get("/v1/program");
    let ask = |isolate: &Isolate| world.run(world.answer(isolate, noon(), &as_merchant)).status;
    assert_eq!([ask(&world.isolate), ask(&elsewhere)], [200, 200]);
    let mut revoke = get("/v1/programs/teehaus/keys/revoke");
    revoke.method = "POST".to_owned();
    revoke.headers =
        vec![("authorization".to_owned(), format!("Bearer {}", secret("operator_key")))];
    revoke.body = Ok(json!({ "generation": 1 }).to_string().into_bytes());
    world.memory.fail(Fault::On("revoked".to_owned()));
    assert_eq!(world.send(noon(), &revoke).status, 503, "not before it is stored");
    assert_eq!(ask(&world.isolate), 200);
    world.memory.mend();
    assert_eq!(world.send(noon(), &revoke).status, 200);
    assert_eq!(ask(&world.isolate), 401);
    assert_eq!(ask(&elsewhere), 200, "it lists a program's settings once a minute");
    world.memory.advance(60_000);
    assert_eq!(ask(&elsewhere), 401);
    // A list that is late takes nothing back.
    let key = world.memory.keys("settings/teehaus/revoked").pop().unwrap();
    world.memory.remove(&key);
    world.memory.advance(60_000);
    assert_eq!([ask(&world.isolate), ask(&elsewhere)], [401, 401]);
    // While a list fails nobody knows what was taken back meanwhile, and no key opens.
    world.memory.fail(Fault::On("settings/".to_owned()));
    world.memory.advance(60_000);
    assert_eq!([ask(&world.isolate), ask(&elsewhere)], [503, 503]);
    world.memory.mend();
    world.memory.advance(1_000);
    assert_eq!([ask(&world.isolate), ask(&elsewhere)], [401, 401]);
}
