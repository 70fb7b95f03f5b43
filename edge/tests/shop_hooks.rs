//! What shop systems send, from the bytes and their signature to the reward: told once or five times,
//! by one topic or two, with a store that fails in between.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fmt::Write;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use passalong_core::channel::Channel;
use passalong_core::click_token::ClickToken;
use passalong_core::shop::ShopSecrets;
use passalong_core::time::{DAY, HOUR, Instant, MINUTE};
use passalong_edge::http::{Request, TooLarge};
use serde_json::{Value, json};
use sha2::Sha256;
use support::{Answer, Fault, PROGRAM, World, at, me, post, read_order, start};

const SECRET: &str = "what the shop and we know";
const OTHERS: &str = "what another shop and we know";

macro_rules! payload {
    ($name:literal) => {
        include_str!(concat!("../../core/fixtures/shop/", $name, ".json"))
    };
}

/// A world whose program is connected to each shop system, with one advocate.
fn world() -> World {
    let hold = json!({ "hold": { "from": "delivered", "days": 21, "fallback_days": 30 } });
    let mut world = World::with(&hold);
    world.config.shops = ShopSecrets::parse(
        &json!({
            PROGRAM: { "shopify": ["an older secret of this shop", SECRET], "woocommerce": [SECRET], "shopware": [SECRET] },
            "other": { "shopify": [OTHERS] },
            "gone": { "shopify": [SECRET] },
        })
        .to_string(),
    );
    assert_eq!(world.send(start(), &me(start(), "10023")).status, 200);
    world
}

/// The payload with a click token of the advocate where the shop carries it.
fn with_token(world: &World, payload: &str) -> String {
    let customer = world.keys.customer(&"10023".parse().unwrap());
    let at = start().plus(HOUR);
    let token = ClickToken { customer, at, channel: Channel::WhatsApp, nonce: [1; 4] };
    payload.replace("the click token", &token.sign(&world.keys))
}

fn mac(secret: &str, body: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A message as the shop signs it.
fn hook(shop: &str, topic: &str, secret: &str, body: &str) -> Request {
    let mac = mac(secret, body);
    let hex = mac.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let (signature, topic_in) = match shop {
        "shopify" => (("x-shopify-hmac-sha256", BASE64.encode(&mac)), "x-shopify-topic"),
        "woocommerce" => (("x-wc-webhook-signature", BASE64.encode(&mac)), "x-wc-webhook-topic"),
        _ => (("shopware-shop-signature", hex), "x-shopify-topic"),
    };
    let mut request = post(&format!("/v1/hooks/{shop}/{PROGRAM}"), &json!({}));
    request.headers =
        vec![(signature.0.to_owned(), signature.1), (topic_in.to_owned(), topic.to_owned())];
    request.body = Ok(body.as_bytes().to_vec());
    request
}

fn shopify(topic: &str, body: &str) -> Request {
    hook("shopify", topic, SECRET, body)
}

fn facts(answer: &Answer) -> Vec<(String, bool)> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let fact = |one: &Value| {
        (one["fact"].as_str().unwrap().to_owned(), one["repeated"].as_bool().unwrap())
    };
    answer.body["recorded"].as_array().unwrap().iter().map(fact).collect()
}

fn fact(name: &str, repeated: bool) -> (String, bool) {
    (name.to_owned(), repeated)
}

/// What the advocate has from the order: status, reason, value.
fn reward(world: &World, now: Instant, order: &str) -> (String, Value, Value) {
    let story = world.send(now, &read_order(order));
    assert_eq!(story.status, 200, "{story:?}");
    let rewards = story.body["rewards"].as_array().unwrap();
    let own = rewards.iter().find(|reward| reward["for"] == "advocate").unwrap();
    (
        own["status"].as_str().unwrap().to_owned(),
        own["reason"].clone(),
        own["value"]["amount"].clone(),
    )
}

/// The shop, the order's id in it, and what it sends: topic and payload.
type Story = (&'static str, &'static str, [(&'static str, &'static str); 3]);

/// Each shop's own words for: paid on 3 November, delivered on the 6th, 11.21 EUR of the goods paid
/// back on the 10th.
fn stories() -> [Story; 3] {
    [
        (
            "shopify",
            "5512340099001",
            [
                ("orders/paid", payload!("shopify_orders_paid")),
                ("fulfillments/update", payload!("shopify_fulfillments_update")),
                ("refunds/create", payload!("shopify_refunds_create")),
            ],
        ),
        (
            "woocommerce",
            "10077",
            [
                ("order.created", payload!("woocommerce_order_processing")),
                ("order.updated", payload!("woocommerce_order_extended")),
                ("order.updated", payload!("woocommerce_order_extended")),
            ],
        ),
        (
            "shopware",
            "018c7d7c7f7b71d5a9a6b2f0a1c3e5d7",
            [
                ("", payload!("shopware_transaction_paid")),
                ("", payload!("shopware_order_completed")),
                ("", payload!("shopware_transaction_refunded_partially")),
            ],
        ),
    ]
}

const TIMES: [&str; 3] = ["2026-11-03T08:21:00Z", "2026-11-06T10:31:00Z", "2026-11-10T13:01:00Z"];

#[test]
fn from_paid_to_delivered_to_refunded_each_shop_comes_to_the_same_reward() {
    for (shop, order, messages) in stories() {
        for times in [1, 3] {
            let world = world();
            for ((topic, body), now) in messages.iter().zip(TIMES) {
                let request = hook(shop, topic, SECRET, &with_token(&world, body));
                for again in 0..times {
                    let answer = world.send(at(now).plus(again * 90), &request);
                    assert_eq!(answer.status, 200, "{shop} {topic} {answer:?}");
                    assert!(
                        again == 0 || facts(&answer).iter().all(|(_, repeated)| *repeated),
                        "{answer:?}"
                    );
                }
                world.cron_until_done(at(now).plus(HOUR));
            }
            let refunded = at(TIMES[2]).plus(HOUR);
            assert_eq!(
                reward(&world, refunded, order),
                ("pending".into(), "hold".into(), 774.into()),
                "{shop}"
            );
            let settles = at("2026-11-27T10:30:00Z");
            world.cron_until_done(settles.plus(-HOUR));
            assert_eq!(reward(&world, settles.plus(-HOUR), order).0, "pending", "{shop}");
            world.cron_until_done(settles.plus(HOUR));
            // 20 % of 49.90 − 11.21.
            let approved = ("approved".into(), Value::Null, 774.into());
            assert_eq!(reward(&world, settles.plus(HOUR), order), approved, "{shop}");
        }
    }
}

#[test]
fn a_paid_order_is_answered_with_what_became_of_it_and_again_when_it_is_sent_again() {
    let world = world();
    let now = at(TIMES[0]);
    let body = with_token(&world, payload!("shopify_orders_paid"));
    let first = world.send(now, &shopify("orders/paid", &body));
    let recorded = json!({
        "order_id": "5512340099001", "fact": "conversion", "attributed": true, "repeated": false,
    });
    assert_eq!(first.body, json!({ "recorded": [recorded], "ignored": null }));
    let ledger = world.memory.snapshot("ledger/");
    for topic in ["orders/paid", "orders/create"] {
        let again = world.send(now.plus(3 * MINUTE), &shopify(topic, &body));
        assert_eq!(facts(&again), [fact("conversion", true)], "{topic}");
    }
    assert_eq!(world.memory.snapshot("ledger/"), ledger);
    let without = body.replace("_pa", "nothing");
    let changed = world.send(now.plus(5 * MINUTE), &shopify("orders/paid", &without));
    assert_eq!((facts(&changed).len(), changed.status), (0, 200));
    assert!(
        changed.body["ignored"].as_str().unwrap().contains("the first report stands"),
        "{changed:?}"
    );
    assert_eq!(world.memory.snapshot("ledger/"), ledger);
    let update = world.send(now.plus(6 * MINUTE), &shopify("orders/updated", &body));
    assert_eq!((update.body["recorded"].clone(), update.spent()), (json!([]), 0), "{update:?}");
}

#[test]
fn an_order_without_a_referral_is_recorded_and_says_so() {
    let world = world();
    for (change, reason) in [("_pa", "invalid_token"), ("never", "no_referral")] {
        let body = payload!("shopify_orders_paid").replace("FREUNDE10", "").replace("_pa", change);
        let body = body.replace("5512340099001", &format!("55123400990{}", change.len()));
        let answer = world.send(at(TIMES[0]), &shopify("orders/paid", &body));
        assert_eq!(facts(&answer), [fact("conversion", false)]);
        let recorded = &answer.body["recorded"][0];
        assert_eq!((&recorded["attributed"], &recorded["reason"]), (&json!(false), &json!(reason)));
    }
}

#[test]
fn one_delivery_told_by_two_topics_is_one_event() {
    let world = world();
    let paid = with_token(&world, payload!("shopify_orders_paid"));
    assert_eq!(world.send(at(TIMES[0]), &shopify("orders/paid", &paid)).status, 200);
    let now = at(TIMES[1]);
    let event = shopify("fulfillment_events/create", payload!("shopify_fulfillment_events_create"));
    let update = shopify("fulfillments/update", payload!("shopify_fulfillments_update"));
    assert_eq!(facts(&world.send(now, &event)), [fact("delivered", false)]);
    let second = world.send(now.plus(MINUTE), &update);
    assert_eq!(facts(&second), [], "{second:?}");
    assert!(second.body["ignored"].as_str().unwrap().contains("the first report stands"));
    let story = world.send(now.plus(2 * MINUTE), &read_order("5512340099001")).body;
    assert_eq!(story["events"].as_array().unwrap().len(), 1, "{story}");
}

#[test]
fn a_refund_that_came_before_its_order_is_joined() {
    let world = world();
    let now = at("2026-11-10T13:01:00Z");
    let refund = world.send(now, &shopify("refunds/create", payload!("shopify_refunds_create")));
    assert_eq!(facts(&refund), [fact("refunded", false)]);
    assert_eq!(refund.body["recorded"][0]["order_known"], false);
    let paid = with_token(&world, payload!("shopify_orders_paid"));
    assert_eq!(world.send(now.plus(MINUTE), &shopify("orders/paid", &paid)).status, 200);
    world.cron_until_done(now.plus(HOUR));
    assert_eq!(reward(&world, now.plus(HOUR), "5512340099001").2, 774);
}

#[test]
fn more_paid_back_than_the_goods_were_worth_takes_all_and_no_more() {
    let world = world();
    let paid = with_token(&world, payload!("woocommerce_order_processing"));
    let woocommerce = |body: &str| hook("woocommerce", "order.updated", SECRET, body);
    assert_eq!(world.send(at(TIMES[0]), &woocommerce(&paid)).status, 200);
    // All of it, with the shipping.
    let body =
        with_token(&world, payload!("woocommerce_order_refunded")).replace("-16.11", "-54.80");
    let now = at(TIMES[2]);
    let answer = world.send(now, &woocommerce(&body));
    assert_eq!(
        facts(&answer),
        [fact("conversion", true), fact("delivered", false), fact("refunded", false)]
    );
    let end = now.plus(30 * DAY);
    world.cron_until_done(end);
    assert_eq!(reward(&world, end, "10077"), ("reversed".into(), "refunded".into(), 0.into()));
}

#[test]
fn what_is_not_signed_by_this_shop_for_this_program_is_refused_and_costs_the_store_nothing() {
    let world = world();
    let now = at(TIMES[0]);
    let body = with_token(&world, payload!("shopify_orders_paid"));
    let good = shopify("orders/paid", &body);
    let on = |path: &str| Request { path: path.to_owned(), ..good.clone() };
    let changed = body.replace("12.45", "92.45");
    assert_ne!(changed, body);
    let bare = Request { headers: Vec::new(), ..good.clone() };
    let cases = [
        ("another secret", hook("shopify", "orders/paid", OTHERS, &body), 401, "wrong signature"),
        (
            "another body",
            Request { body: Ok(changed.into_bytes()), ..good.clone() },
            401,
            "wrong signature",
        ),
        (
            "one byte more",
            Request { body: Ok(format!("{body} ").into_bytes()), ..good.clone() },
            401,
            "wrong signature",
        ),
        (
            "no signature",
            bare,
            401,
            "the signature is missing; shopify sends it as x-shopify-hmac-sha256",
        ),
        (
            "an API key",
            post("/v1/hooks/shopify/teehaus", &json!({})),
            401,
            "the signature is missing",
        ),
        ("another program", on("/v1/hooks/shopify/other"), 401, "wrong signature"),
        (
            "a program without secrets",
            on("/v1/hooks/shopify/nobody"),
            404,
            "no shopify shop is connected",
        ),
        (
            "a program that is not there",
            on("/v1/hooks/shopify/gone"),
            404,
            "there is no such program yet",
        ),
        ("no program at all", on("/v1/hooks/shopify/Tee%20Haus"), 404, "program must be"),
        (
            "another shop system",
            on("/v1/hooks/woocommerce/teehaus"),
            401,
            "the signature is missing",
        ),
        ("no shop system", on("/v1/hooks/magento/teehaus"), 404, "shop must be one of shopify"),
        ("too much", Request { body: Err(TooLarge), ..good.clone() }, 413, "at most 524288 bytes"),
        ("no JSON", shopify("orders/paid", "{"), 400, "the body is not JSON"),
    ];
    for (what, request, status, detail) in cases {
        let answer = world.send(now, &request);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let told = answer.body["detail"].as_str().unwrap();
        assert!(told.starts_with(detail) || told.contains(detail), "{what}: {told}");
        assert_eq!(answer.spent(), 0, "{what}");
    }
    assert!(world.memory.keys("order/").is_empty());
    assert_eq!(world.send(now, &good).status, 200, "and the right one is not");
}

#[test]
fn without_shop_secrets_only_the_shops_are_refused() {
    for (shops, status, code) in
        [(ShopSecrets::Absent, 404, "not_found"), (ShopSecrets::parse("{"), 500, "misconfigured")]
    {
        let mut world = world();
        world.config.shops = shops;
        let body = with_token(&world, payload!("shopify_orders_paid"));
        let answer = world.send(at(TIMES[0]), &shopify("orders/paid", &body));
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)));
        assert_eq!(world.send(at(TIMES[0]), &read_order("A-1")).status, 404);
        assert_eq!(world.send(at(TIMES[0]), &me(at(TIMES[0]), "10023")).status, 200);
    }
}

#[test]
fn the_ping_of_a_new_webhook_is_answered_where_the_shop_is_connected() {
    let world = world();
    let ping = |path: &str, body: &str| {
        let request = post(path, &json!({}));
        Request { headers: Vec::new(), body: Ok(body.as_bytes().to_vec()), ..request }
    };
    let right = world.send(start(), &ping("/v1/hooks/woocommerce/teehaus", "webhook_id=17"));
    assert_eq!((right.status, right.spent()), (200, 0), "{right:?}");
    assert_eq!(right.body, json!({ "recorded": [], "ignored": "a ping" }));
    for (path, body, status) in [
        ("/v1/hooks/woocommerce/other", "webhook_id=17", 404),
        ("/v1/hooks/woocommerce/teehaus", "webhook_id=17&x=1", 401),
        ("/v1/hooks/shopify/teehaus", "webhook_id=17", 401),
    ] {
        assert_eq!(world.send(start(), &ping(path, body)).status, status, "{path} {body}");
    }
}

#[test]
fn if_one_of_several_facts_is_lost_the_others_stand_and_the_shop_sends_all_again() {
    for prefix in ["ledger/", "event/", "order/"] {
        let world = world();
        let body = with_token(&world, payload!("woocommerce_order_extended"));
        let request = hook("woocommerce", "order.updated", SECRET, &body);
        let now = at(TIMES[2]);
        world.memory.fail(Fault::On(prefix.to_owned()));
        let answer = world.send(now, &request);
        assert_eq!(answer.status, 503, "{prefix}");
        assert!(answer.header("retry-after").is_some());
        world.memory.mend();
        let again = world.send(now.plus(2 * MINUTE), &request);
        let names: Vec<String> = facts(&again).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["conversion", "delivered", "refunded"], "{prefix}");
        world.cron_until_done(now.plus(HOUR));
        world.cron_until_done(now.plus(40 * DAY));
        let settled = reward(&world, now.plus(40 * DAY), "10077");
        assert_eq!(settled, ("approved".into(), Value::Null, 774.into()), "{prefix}");
    }
}

/// Reads, writes and lists: a message costs what its report costs by the API, and one that tells
/// nothing costs nothing.
#[test]
fn a_message_costs_the_store_no_more_than_its_report_by_the_api() {
    let [by_hook, by_api] = [world(), world()];
    let cost = |world: &World, now: Instant, request: &Request| {
        let answer = world.send(now, request);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        answer.operations
    };
    let paid = with_token(&by_hook, payload!("shopify_orders_paid"));
    let token =
        serde_json::from_str::<Value>(&paid).unwrap()["note_attributes"][1]["value"].clone();
    let order = json!({
        "order_id": "5512340099001", "kind": "purchase", "amount": 4990, "currency": "EUR", "token": token,
        "customer_id": "6940095564", "hints": ["ab".repeat(32)], "occurred_at": "2026-11-03T08:20:10Z",
    });
    let refund = json!({
        "event_id": "refund-929361464001", "type": "refunded", "amount": 1121, "occurred_at": "2026-11-10T13:00:00Z",
    });
    for (now, message, report) in [
        (at(TIMES[0]), shopify("orders/paid", &paid), post("/v1/conversions", &order)),
        (
            at(TIMES[2]),
            shopify("refunds/create", payload!("shopify_refunds_create")),
            post("/v1/conversions/5512340099001/events", &refund),
        ),
    ] {
        for again in [0, MINUTE] {
            let hook = cost(&by_hook, now.plus(again), &message);
            let api = cost(&by_api, now.plus(again), &report);
            let is_no_more = hook.0 <= api.0 && hook.1 <= api.1 && hook.2 <= api.2;
            assert!(is_no_more, "{} {again}: {hook:?}, by the API {api:?}", report.path);
        }
    }
    let nothing = cost(&by_hook, at(TIMES[2]), &shopify("orders/updated", &paid));
    assert_eq!(nothing, (0, 0, 0));
}
