//! Statistics are whole however many orders there are, and of one request's operations.

use passalong_core::time::{DAY, HOUR, Instant};
use serde_json::{Value, json};

use crate::support::{World, conversion, event, get, post, start};

/// Operations one answer may take.
const BUDGET: u32 = 800;

fn now() -> Instant {
    start().plus(HOUR)
}

fn end() -> Instant {
    now().plus(20 * DAY)
}

fn ask(world: &World, query: &str) -> Value {
    let answer = world.send(end(), &get(&format!("/v1/stats?{query}")));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.spent() <= BUDGET, "{:?}", answer.operations);
    answer.body
}

/// All answers to one question.
fn pages(world: &World, query: &str) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        pages.push(ask(world, &format!("{query}{cursor}")));
        let page = pages.last().unwrap();
        assert_eq!(page["complete"], json!(page["cursor"].is_null()));
        let Some(next) = page["cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
        assert!(pages.len() < 100, "it never ends");
    }
}

fn order(world: &World, day: i64, order: &str, advocate: &str, changes: &Value) {
    let when = now().plus(day * DAY);
    let friend = format!("friend-of-{order}");
    let report = conversion(when, order, &friend, &world.code(advocate), changes);
    assert_eq!(world.send(when, &report).status, 201);
}

fn metric<'b>(body: &'b Value, name: &str) -> &'b Value {
    body["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == name).unwrap()
}

#[test]
fn more_orders_than_one_answer_can_look_at_are_counted_by_several_each_once() {
    let world = World::new();
    // 450 on the first day, each of an advocate of its own: the day itself is cut. 60 on another.
    for n in 0..450 {
        order(&world, 0, &format!("A-{n}"), &format!("k-{n}"), &json!({}));
    }
    for n in 450..510 {
        order(&world, 2, &format!("A-{n}"), "k-0", &json!({}));
    }
    let pages = pages(&world, "from=2026-11-02&to=2026-11-05");
    assert!(pages.len() >= 2, "one answer was enough");
    assert_eq!(pages[0]["days"].as_array().unwrap().len(), 1);
    assert_eq!(pages[0]["days"][0]["complete"], false);
    let mut purchases = [0; 4];
    let mut rewards = 0;
    for page in &pages {
        for day in page["days"].as_array().unwrap() {
            let at = ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"]
                .iter()
                .position(|text| day["day"] == *text)
                .unwrap();
            purchases[at] += day["purchases"].as_u64().unwrap();
            let pending = day["rewards"]["pending"]["count"].as_u64();
            rewards += pending.unwrap_or(0);
        }
        let of_days = page["days"].as_array().unwrap().iter().map(|day| day["revenue"].as_i64());
        let sum: i64 = of_days.map(Option::unwrap).sum();
        assert_eq!(page["total"]["revenue"], sum);
    }
    assert_eq!(purchases, [450, 0, 60, 0]);
    // The hold is over and no cron has run: all are being checked.
    assert_eq!(rewards, 510);
    let last = pages.last().unwrap();
    assert_eq!(last["days"].as_array().unwrap().last().unwrap()["day"], "2026-11-05");
}

#[test]
fn what_is_told_of_a_reward_is_as_of_now() {
    let world = World::new();
    order(&world, 0, "A-1", "10023", &json!({}));
    order(&world, 0, "A-2", "10023", &json!({ "amount": 2000 }));
    // One's own order.
    order(&world, 0, "A-3", "10023", &json!({ "customer_id": "10023" }));
    order(
        &world,
        0,
        "A-4",
        "10023",
        &json!({ "kind": "signup", "amount": null, "currency": null }),
    );
    let query = "from=2026-11-02&to=2026-11-02";
    let soon = world.send(now().plus(60), &get(&format!("/v1/stats?{query}"))).body;
    let day = &soon["days"][0];
    assert_eq!(
        [&day["purchases"], &day["signups"], &day["refused"], &day["revenue"], &day["new_friends"]],
        [&json!(2), &json!(1), &json!(1), &json!(6990), &json!(3)],
        "{day}"
    );
    // 20 % of 69.90; a sign-up earns nothing here.
    let pending = json!({ "count": 2, "values": [
        { "kind": "credit", "amount": 1398, "currency": "EUR", "count": 2 }] });
    assert_eq!(day["rewards"]["pending"], pending, "{day}");
    world.cron_until_done(now().plus(2 * HOUR));
    let refund = event(now().plus(DAY), "A-1", "r1", "refunded", Some(1000));
    assert_eq!(world.send(now().plus(DAY), &refund).status, 201);
    let cancel = event(now().plus(DAY), "A-2", "c1", "cancelled", None);
    assert_eq!(world.send(now().plus(DAY), &cancel).status, 201);
    let body = ask(&world, query);
    let day = &body["days"][0];
    // 20 % of 39.90; the cancelled order's was taken back, one's own never was.
    let sum = |count: u64, amount: i64| {
        json!({ "count": count, "values": [
            { "kind": "credit", "amount": amount, "currency": "EUR", "count": count }] })
    };
    assert_eq!(
        day["rewards"],
        json!({ "approved": sum(1, 798), "reversed": sum(1, 0), "refused": sum(1, 0) })
    );
    assert_eq!((&day["revenue"], &day["refunded"]), (&json!(3990), &json!(3000)));
    assert_eq!(metric(&body, "reward_cost_rate")["value"], 2_000);
    assert_eq!(body["as_of"], json!(end()));
}

#[test]
fn an_order_that_was_reported_for_two_days_counts_on_the_one_that_stands() {
    let world = World::new();
    order(&world, 0, "A-1", "10023", &json!({}));
    let key = world.memory.keys("log/").remove(0);
    let (metadata, value) = world.memory.snapshot("log/").remove(&key).unwrap();
    let key = key.replace("/20261102/", "/20261103/");
    world.memory.insert(&passalong_edge::store::Put { key, metadata, value, ttl: None });
    let body = ask(&world, "from=2026-11-02&to=2026-11-03");
    let counts: Vec<&Value> =
        body["days"].as_array().unwrap().iter().map(|day| &day["purchases"]).collect();
    assert_eq!(counts, [&json!(1), &json!(0)]);
}

#[test]
fn totals_of_a_day_are_superseded_by_a_later_report_and_make_the_figures_of_all_customers() {
    let world = World::new();
    order(&world, 0, "A-1", "10023", &json!({}));
    let query = "from=2026-11-02&to=2026-11-02";
    let without = ask(&world, query);
    let retention = metric(&without, "retention_rate");
    assert_eq!(retention["value"], json!(null));
    assert_eq!(retention["reason"], "no customers_at_start in the totals of 2026-11-02");
    let totals = |customers: i64, lost: i64| {
        post(
            "/v1/totals",
            &json!({ "day": "2026-11-02", "customers_at_start": 250, "new_customers": 30,
                     "lost_customers": lost, "customers": customers, "active_customers": 100 }),
        )
    };
    let first = world.send(now().plus(DAY), &totals(275, 5));
    assert_eq!((first.status, first.operations), (201, (0, 1, 0)), "{}", first.text);
    let same_minute = world.send(now().plus(DAY), &totals(275, 5));
    assert_eq!(same_minute.text, first.text);
    assert_eq!(world.memory.keys("totals/").len(), 1);
    assert_eq!(metric(&ask(&world, query), "retention_rate")["value"], 9_800);
    let later = world.send(now().plus(DAY + 60), &totals(230, 50));
    assert_eq!(later.status, 201);
    assert_eq!(world.memory.keys("totals/").len(), 2, "facts are kept");
    let body = ask(&world, query);
    // N1 = 250, N2 = 230 - 30 = 200.
    let retention = metric(&body, "retention_rate");
    assert_eq!((&retention["value"], &retention["unit"]), (&json!(8_000), &json!("basis_points")));
    assert_eq!(retention["n"], 250);
    assert_eq!(
        retention["base"],
        json!({ "n1_customers_at_start": 250, "customers_at_end": 230, "new_customers": 30 })
    );
    assert_eq!(metric(&body, "churn_rate")["value"], 2_000);
    // One advocate of 100 active customers.
    assert_eq!(metric(&body, "referral_rate")["value"], 100);
}

#[test]
fn a_wrong_question_is_told_what_is_wrong() {
    let world = World::new();
    for (query, field) in [
        ("from=2026-11-05&to=2026-11-04", "from"),
        ("from=2025-11-01&to=2026-11-04", "from"),
        ("from=gestern", "from"),
        ("cursor=x", "cursor"),
        ("from=2026-11-02&to=2026-11-03&cursor=20261104", "cursor"),
        ("years=0", "years"),
        ("years=101", "years"),
        ("day=2026-11-02", "day"),
    ] {
        let answer = world.send(end(), &get(&format!("/v1/stats?{query}")));
        assert_eq!((answer.status, answer.body["field"].as_str()), (400, Some(field)), "{query}");
    }
}

#[test]
fn the_usual_period_is_thirty_one_days_with_today() {
    let world = World::new();
    order(&world, 0, "A-1", "10023", &json!({}));
    for (days, from, purchases) in
        [(0, "2026-10-03", 1), (30, "2026-11-02", 1), (31, "2026-11-03", 0)]
    {
        let body = world.send(now().plus(days * DAY), &get("/v1/stats")).body;
        let found = (&body["from"], &body["total"]["purchases"]);
        assert_eq!(found, (&json!(from), &json!(purchases)), "{days}");
    }
}

/// What there was not cannot have been clicked.
#[test]
fn days_before_a_program_began_cost_nothing() {
    let world = World::new();
    order(&world, 0, "A-1", "10023", &json!({}));
    let soon = now().plus(DAY + 2 * HOUR);
    world.cron_until_done(soon);
    let cost = |from: &str| {
        let query = format!("/v1/stats?from={from}&to=2026-11-03");
        let answer = world.send(soon, &get(&query));
        assert_eq!(answer.body["total"]["purchases"], 1, "{}", answer.text);
        answer.operations
    };
    // Orders, totals and closed days of the month, a ledger, what is folded, today's clicks and shares.
    assert_eq!(cost("2026-11-02"), (0, 0, 7));
    assert_eq!(cost("2026-11-01"), (0, 0, 7));
    // Three more for the month before.
    assert_eq!(cost("2026-10-28"), (0, 0, 10));
}

/// Reads, writes, lists in a warm isolate: what a look at a month costs a small shop.
#[test]
fn a_month_of_a_small_shop_costs_a_dozen_lists() {
    let world = World::new();
    order(&world, 0, "A-1", "10023", &json!({}));
    order(&world, 0, "A-2", "20871", &json!({}));
    world.cron_until_done(now().plus(19 * DAY));
    let answer = world.send(end(), &get("/v1/stats?from=2026-11-02&to=2026-11-30"));
    // Orders of the month, two ledgers, closed days, what is folded, totals; and clicks and shares
    // of the two days that are open.
    assert_eq!(answer.operations, (0, 0, 10), "{}", answer.text);
}
