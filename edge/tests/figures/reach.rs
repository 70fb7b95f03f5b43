//! Clicks and shares of a day are the same before and after the cron has folded it, and in however
//! many runs it does.

use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use serde_json::{Value, json};

use crate::support::{World, get, redirect, share, start};

fn now() -> Instant {
    start().plus(HOUR)
}

fn stats(world: &World, when: Instant, query: &str) -> Value {
    let answer = world.send(when, &get(&format!("/v1/stats?{query}")));
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

/// 3 visitors of one link, 2 of another of whom one is known from the first; shares of two customers.
fn busy_day(world: &World) {
    for (advocate, visitor) in
        [("10023", 1), ("10023", 2), ("10023", 3), ("10023", 1), ("20871", 3), ("20871", 4)]
    {
        let answer = world.send(now(), &redirect(&world.code(advocate), visitor));
        assert_eq!(answer.status, 302);
    }
    for (customer, channel) in
        [("10023", "whatsapp"), ("10023", "copy"), ("20871", "whatsapp"), ("10023", "whatsapp")]
    {
        assert_eq!(world.send(now(), &share(now(), customer, channel)).status, 204);
    }
}

const FIELDS: [&str; 6] =
    ["clicks", "unique", "clicks_by_channel", "shares", "sharers", "shares_by_channel"];

fn told(day: &Value) -> Vec<Value> {
    FIELDS.iter().map(|field| day[field].clone()).collect()
}

#[test]
fn a_day_reads_the_same_open_and_folded() {
    let world = World::new();
    busy_day(&world);
    let expected = vec![
        json!(5),
        json!(4),
        json!({ "whatsapp": 5 }),
        json!(4),
        json!(2),
        json!({ "copy": 1, "whatsapp": 3 }),
    ];
    let query = "from=2026-11-02&to=2026-11-02";
    let open = stats(&world, now().plus(MINUTE), query);
    assert_eq!(told(&open["days"][0]), expected);
    assert_eq!(open["days"][0]["open"], true);
    let later = now().plus(DAY);
    world.cron_until_done(later);
    let stored = world.memory.snapshot("stats/");
    let (key, (metadata, _)) = stored.first_key_value().unwrap();
    assert_eq!((stored.len(), key.as_str()), (1, "stats/teehaus/20261102"));
    // What is stored stays.
    let pinned = json!({ "n": 5, "u": 4, "by": { "whatsapp": 5 }, "s": 4, "sc": 2,
                         "sb": { "whatsapp": 3, "copy": 1 } });
    assert_eq!(metadata.as_deref(), Some(&pinned));
    let folded = stats(&world, later.plus(HOUR), query);
    assert_eq!(told(&folded["days"][0]), expected);
    assert_eq!(folded["days"][0]["open"], false);

    // The raw keys go after a week, shares after a quarter; the sums stay.
    let much_later = now().plus(200 * DAY);
    world.memory.set_now(much_later);
    assert!(world.memory.keys("click/").is_empty() && world.memory.keys("share/").is_empty());
    assert_eq!(told(&stats(&world, much_later, query)["days"][0]), expected);
}

#[test]
fn a_day_without_clicks_or_shares_is_a_day_of_zeros() {
    let world = World::new();
    world.cron_until_done(now().plus(DAY));
    assert!(world.memory.keys("stats/").is_empty());
    let body = stats(&world, now().plus(DAY), "from=2026-11-02&to=2026-11-02");
    let zeros = vec![json!(0), json!(0), json!({}), json!(0), json!(0), json!({})];
    assert_eq!(told(&body["days"][0]), zeros);
    assert_eq!(body["days"][0]["open"], false);
}

/// More advocates than a run can fold.
#[test]
fn a_day_that_takes_several_runs_comes_to_the_same_sums() {
    let world = World::new();
    for n in 0..900 {
        let code = world.code(&format!("k-{n}"));
        // Two visitors each: one of their own, and one who clicks on everything.
        for visitor in [n + 1, 1_000_000] {
            assert_eq!(world.send(now(), &redirect(&code, visitor)).status, 302);
        }
    }
    let open = stats(&world, now().plus(HOUR), "from=2026-11-02&to=2026-11-02");
    assert_eq!(open["days"][0]["clicks"], 1_800, "{}", open["days"][0]);
    assert_eq!(open["days"][0]["unique"], 901);
    let reports = world.cron_until_done(now().plus(DAY));
    assert!(reports.len() >= 2, "{reports:?}");
    let folded = stats(&world, now().plus(2 * DAY), "from=2026-11-02&to=2026-11-02");
    let day = &folded["days"][0];
    assert_eq!((&day["clicks"], &day["open"]), (&json!(1_800), &json!(false)));
    // No run saw them all, so nobody knows who was there twice.
    assert_eq!(day["unique"], json!(null));
    // Another run from the beginning writes the same: nothing is added to what is there.
    for key in world.memory.keys("todo.") {
        world.memory.remove(&key);
    }
    world.cron_until_done(now().plus(2 * DAY));
    let again = stats(&world, now().plus(2 * DAY), "from=2026-11-02&to=2026-11-02");
    assert_eq!(again["days"][0]["clicks"], 1_800);
}

#[test]
fn a_day_with_more_than_can_be_looked_at_says_at_least() {
    let world = World::new();
    // One batch of more visitors than its metadata lists.
    let code = world.code("10023");
    let requests: Vec<_> = (0..120).map(|visitor| (now(), redirect(&code, visitor))).collect();
    world.send_all(&requests);
    let day = &stats(&world, now().plus(MINUTE), "from=2026-11-02&to=2026-11-02")["days"][0];
    assert_eq!((&day["at_least"], &day["clicks"]), (&json!(true), &json!(80)), "{day}");
    world.cron_until_done(now().plus(DAY));
    let day = &stats(&world, now().plus(DAY), "from=2026-11-02&to=2026-11-02")["days"][0];
    assert_eq!((&day["at_least"], &day["clicks"]), (&json!(false), &json!(120)), "{day}");
}
