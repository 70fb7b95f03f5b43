//! Clicks: one write for many, none lost but a dead leader's window, and folded days that count
//! every visitor once.

use passalong_core::channel::Channel;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::clicks::{self, Target};
use passalong_edge::metadata::Counted;
use passalong_edge::store::{Context, Host};
use serde_json::json;

use crate::support::{Fault, PROGRAM, World, at, me, redirect};

const ADVOCATES: u32 = 200;

fn noon() -> Instant {
    at("2026-11-05T12:00:00Z")
}

/// A batch of these visitors of one advocate, as an isolate writes it.
fn batch(world: &World, now: Instant, advocate: &str, visitors: std::ops::Range<u32>) {
    world.memory.set_now(now);
    let cx = Context::new(&world.memory, &world.isolate, &world.config, now);
    let customer = world.keys.customer(&advocate.parse().unwrap());
    let target = Target { program: PROGRAM.parse().unwrap(), customer, day: now.day() };
    for visitor in visitors {
        let [a, b, c, d] = visitor.to_be_bytes();
        clicks::add(&cx, &target, [a, b, c, d, 0, 1], Channel::ALL[visitor as usize % 12]);
    }
    world.run(clicks::flush(&cx, &target)).unwrap();
}

/// How many different visitors advocate `n` has on a day.
fn unique(n: u32) -> u32 {
    if n.is_multiple_of(20) { 250 } else { 3 + n % 7 }
}

/// Four days of clicks of many advocates, each visitor in two batches, some batches long.
fn four_days() -> World {
    let world = World::new();
    for day in 0..4 {
        let now = noon().plus(day * DAY);
        for n in 0..ADVOCATES {
            let advocate = format!("advocate-{n}");
            let all = unique(n);
            batch(&world, now, &advocate, 0..all / 2 + 1);
            batch(&world, now.plus(HOUR), &advocate, all / 4..all);
        }
    }
    world
}

/// The unique clicks of each folded day.
fn folded(world: &World) -> Vec<u64> {
    let days = world.memory.entries("clicks/");
    days.iter().map(|day| day.read::<Counted>().unwrap().clicks).collect()
}

fn check_folded(world: &World, days: usize) {
    let folded = world.memory.entries("clicks/");
    assert_eq!(folded.len(), ADVOCATES as usize * days);
    for n in 0..ADVOCATES {
        let prefix = format!("clicks/{PROGRAM}/{}/", world.customer(&format!("advocate-{n}")));
        let of_one: Vec<_> = folded.iter().filter(|day| day.key.starts_with(&prefix)).collect();
        assert_eq!(of_one.len(), days);
        for day in of_one {
            let Counted { clicks, by } = day.read().unwrap();
            let unique = u64::from(unique(n));
            assert_eq!((clicks, by.values().sum()), (unique, unique), "{}", day.key);
        }
    }
}

#[test]
fn folding_counts_every_visitor_once_over_any_number_of_runs() {
    let prepared = four_days();
    let closed = at("2026-11-09T00:10:00Z");
    let world = prepared.twin();
    let open = at("2026-11-06T00:09:59Z");
    assert_eq!(world.cron(open).folded, 0, "its last clicks may not be visible yet");
    assert_eq!(world.cron(open.plus(1)).folded, ADVOCATES);
    let world = prepared.twin();
    let reports = world.cron_until_done(closed);
    assert!(reports.len() > 1 && reports.iter().all(|report| report.operations <= 800));
    assert_eq!(reports.iter().map(|report| report.folded).sum::<u32>(), 4 * ADVOCATES);
    check_folded(&world, 4);
    let once = world.memory.snapshot("clicks/");
    assert_eq!(world.cron(closed.plus(HOUR)).folded, 0, "nothing is done twice");

    // Three days late, with small and empty pages, cut off again and again, and twice at once.
    let world = prepared.twin();
    world.memory.page_size.set(90);
    world.memory.empty_pages.set(true);
    for operation in [3, 50, 200, 400] {
        world.memory.fail(Fault::DieAt { operation, took_effect: true });
        assert!(!world.try_cron(closed.plus(3 * DAY)).is_ok_and(|report| report.done));
    }
    world.memory.mend();
    for round in 0..5 {
        let now = closed.plus(3 * DAY + round * 5 * MINUTE);
        let runs = [now, now].map(|now| world.cron_run(&world.isolate, now));
        for report in world.run(futures_util::future::join_all(runs)) {
            assert!(report.unwrap().operations <= 800);
        }
    }
    assert_eq!(world.memory.snapshot("clicks/"), once);
}

#[test]
fn a_customer_sees_the_same_clicks_before_and_after_folding() {
    let world = World::new();
    let last = at("2026-11-05T23:00:00Z");
    for advocate in ["10023", "10024"] {
        let first = world.send(last, &me(last, advocate)).body;
        assert_eq!(first["totals"]["clicks"], 0);
    }
    batch(&world, last, "10023", 0..250);
    batch(&world, last.plus(MINUTE), "10023", 200..300);
    batch(&world, last, "10024", 0..5);
    let midnight = at("2026-11-06T00:00:30Z");
    batch(&world, midnight, "10024", 0..2);
    let seen = |now: Instant, advocate: &str| {
        world.send(now, &me(now, advocate)).body["totals"]["clicks"].clone()
    };
    let before = at("2026-11-06T00:09:00Z");
    assert_eq!([seen(before, "10023"), seen(before, "10024")], [json!(300), json!(7)]);
    assert_eq!(world.cron(before).folded, 0, "the last clicks may not be visible yet");
    let after = at("2026-11-06T00:11:00Z");
    assert_eq!(world.cron(after).folded, 2);
    assert_eq!([seen(after, "10023"), seen(after, "10024")], [json!(300), json!(7)]);
    world.memory.empty_pages.set(true);
    assert_eq!(seen(after, "10023"), 300, "an empty page is not the end");
}

#[test]
fn many_clicks_at_once_on_one_advocate_cost_one_write() {
    let world = World::new();
    let now = noon();
    let code = world.code("10023");
    let visits: Vec<_> = (0..300).map(|n| (now, redirect(&code, n % 250))).collect();
    world.memory.mend();
    let answers = world.send_all(&visits);
    for answer in &answers {
        assert_eq!((answer.status, answer.spent()), (302, 0), "nobody waits for a write");
        assert!(answer.header("location").unwrap().contains("pa="));
    }
    assert_eq!(world.memory.counted(), (1, 1));
    assert_eq!(world.cron(now.plus(DAY)).folded, 1);
    let folded = world.memory.snapshot("clicks/").into_values().next().unwrap().0.unwrap();
    assert_eq!(*folded, json!({ "n": 250, "by": { "whatsapp": 250 } }));
}

#[test]
fn a_leader_that_never_comes_back_is_replaced_and_its_clicks_are_kept() {
    let world = World::new();
    let now = noon();
    let code = world.code("10023");
    // Its request is cut off after the answer: nobody flushes.
    let leave = |visitor: u32| {
        let request = redirect(&code, visitor);
        let cx = Context::new(&world.memory, &world.isolate, &world.config, now);
        world.run(passalong_edge::respond(&cx, &request)).1.is_some()
    };
    assert!(leave(1), "the first leads");
    assert!(!leave(2));
    world.memory.advance(6_000);
    assert!(!leave(3), "not before the deadline");
    assert!(world.memory.keys("click/").is_empty());
    world.memory.advance(1);
    assert_eq!(world.send(now, &redirect(&code, 4)).status, 302);
    assert_eq!(world.memory.keys("click/").len(), 1);
    assert_eq!(world.send(now, &redirect(&code, 5)).status, 302);
    world.cron(now.plus(DAY));
    assert_eq!(folded(&world)[0], 5);
}

#[test]
fn a_busy_open_day_is_read_in_one_short_page_and_says_more() {
    let world = World::new();
    let today = |now: Instant| {
        let answer = world.send(now, &me(now, "10023"));
        (answer.body["totals"]["clicks_today"].clone(), answer.body["totals"]["clicks"].clone())
    };
    let now = noon();
    today(now);
    for visitor in 0..100 {
        batch(&world, now, "10023", visitor..visitor + 1);
    }
    assert_eq!(today(now), (json!(100), json!(100)));
    batch(&world, now, "10023", 100..101);
    assert_eq!(today(now), (json!({ "more_than": 100 }), json!(100)));
    world.cron(now.plus(DAY));
    assert_eq!(today(now.plus(DAY)), (json!(0), json!(101)));
}

#[test]
fn clicks_on_many_advocates_are_collected_for_longer_and_none_is_lost() {
    let world = World::new();
    let codes: Vec<_> = (0..600).map(|n| world.code(&format!("advocate-{n}"))).collect();
    let visits: Vec<_> =
        (0..3).flat_map(|n| codes.iter().map(move |code| (noon(), redirect(code, n)))).collect();
    world.memory.mend();
    let began = world.memory.millis();
    for answer in world.send_all(&visits) {
        assert_eq!((answer.status, answer.spent()), (302, 0), "nobody waits for a write");
    }
    // The 600th batch opened beside 599 others.
    assert_eq!(world.memory.millis() - began, 5_990);
    assert_eq!(world.memory.counted(), (600, 600));
    assert_eq!(
        world.cron_until_done(noon().plus(DAY)).iter().map(|run| run.folded).sum::<u32>(),
        600
    );
    assert!(folded(&world).iter().all(|clicks| *clicks == 3));
}

#[test]
fn a_batch_whose_write_fails_costs_only_its_window() {
    let world = World::new();
    let code = world.code("10023");
    world.memory.fail(Fault::On("click/".to_owned()));
    assert_eq!(world.send(noon(), &redirect(&code, 1)).status, 302);
    world.memory.mend();
    assert_eq!(world.send(noon(), &redirect(&code, 2)).status, 302);
    world.cron(noon().plus(DAY));
    assert_eq!(folded(&world)[0], 1);
}
