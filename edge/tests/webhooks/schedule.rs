//! When attempts are made, whatever dies on the way, and how much of a run they take.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::time::{DAY, HOUR, MINUTE};
use passalong_core::webhook::SendProblem;
use passalong_edge::isolate::Isolate;
use passalong_edge::outbox;
use passalong_edge::store::Context;
use serde_json::json;

use super::{OTHER, URL, ids, types};
use crate::support::{Fault, Posted, World, post, start};

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
