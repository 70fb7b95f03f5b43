//! Who a shop system says is logged in, and what its pages report: what it costs, who gets through,
//! and what is told to those who do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::shop::ShopSecrets;
use passalong_core::text::base64url;
use passalong_core::time::{HOUR, Instant, MINUTE};
use passalong_edge::http::Request;
use serde_json::{Value, json};
use sha2::Sha256;
use support::{Answer, PROGRAM, World, at, post, secret};

const SHOP: &str = "teehaus.myshopify.com";
const SHOPIFY: &str = "shpss_0123456789abcdef0123456789abcdef";
const SHOPWARE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn noon() -> Instant {
    at("2026-11-05T12:00:00Z")
}

/// A program whose shops are connected, in an isolate that knows it.
fn world() -> World {
    let mut world = World::with(&json!({ "allowed_hosts": [SHOP] }));
    let secrets = json!({
        PROGRAM: { "shopify": ["an older secret of it", SHOPIFY], "shopware": [SHOPWARE] },
        "kaffeehaus": { "shopify": ["a secret of another shop"] },
    });
    world.config.shops = ShopSecrets::parse(&secrets.to_string());
    world
}

fn mac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(key: &str, message: &str) -> String {
    let mut hex = String::new();
    for byte in mac(key, message) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

fn jwt(key: &str, claims: &Value) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    format!("{signed}.{}", base64url(&mac(key, &signed)))
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.push(("cf-connecting-ip".to_owned(), "203.0.113.7".to_owned()));
    Request {
        method: method.to_owned(),
        origin: "https://referrals.example".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Ok(body.as_bytes().to_vec()),
    }
}

/// As Shopify forwards what a page of the shop asked for.
fn proxied(program: &str, shop: &str, customer: &str, key: &str) -> Request {
    let timestamp = noon().seconds();
    let signed = format!(
        "logged_in_customer_id={customer}path_prefix=/apps/passalongshop={shop}timestamp={timestamp}"
    );
    let signature = hex(key, &signed);
    let query = format!(
        "shop={shop}&logged_in_customer_id={customer}&path_prefix=%2Fapps%2Fpassalong&timestamp={timestamp}&signature={signature}"
    );
    request("GET", &format!("/v1/identity/shopify/{program}?{query}"), &[], "")
}

fn bearer(path: &str, token: &str) -> Request {
    request("POST", path, &[("authorization", &format!("Bearer {token}"))], "")
}

fn session(customer: &str) -> String {
    let now = noon().seconds();
    let subject = format!("gid://shopify/Customer/{customer}");
    jwt(SHOPIFY, &json!({"dest": SHOP, "sub": subject, "iat": now, "nbf": now, "exp": now + 300}))
}

fn app_token(key: &str, customer: &str) -> String {
    let now = noon().seconds();
    jwt(key, &json!({"iss": "KIPf0Fz6BUkN", "iat": now, "exp": now + 600, "customerId": customer}))
}

fn status_and_code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["code"].as_str().unwrap_or_default())
}

#[test]
fn each_shop_systems_word_becomes_a_token_for_that_customer_and_costs_no_operation() {
    let world = world();
    let shopware = format!("/v1/identity/shopware/{PROGRAM}");
    let shopify = format!("/v1/identity/shopify/{PROGRAM}");
    for (asked, customer) in [
        (proxied(PROGRAM, SHOP, "7054389838", SHOPIFY), "7054389838"),
        (proxied(PROGRAM, SHOP, "12", "an older secret of it"), "12"),
        (bearer(&shopify, &session("7054389838")), "7054389838"),
        (bearer(&shopware, &app_token(SHOPWARE, "018f5c2e")), "018f5c2e"),
    ] {
        let answer = world.send(noon(), &asked);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.spent(), 0, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        assert_eq!(answer.body["expires_at"], json!(noon().plus(HOUR)));
        let browser = asked.method == "POST";
        assert_eq!(answer.header("access-control-allow-origin").is_some(), browser);
        let token = answer.body["token"].as_str().unwrap();
        let me = world.send(noon(), &{
            let mut me = bearer("/v1/me", token);
            me.method = "GET".to_owned();
            me
        });
        assert_eq!(me.status, 200, "{me:?}");
        assert_eq!(me.body["code"], world.code(customer));
    }
}

#[test]
fn what_a_shop_does_not_prove_gets_no_token() {
    let world = world();
    let foreign = "a secret of another shop";
    let shopware = format!("/v1/identity/shopware/{PROGRAM}");
    for (asked, status, code, part) in [
        (proxied(PROGRAM, SHOP, "", SHOPIFY), 401, "not_logged_in", "nobody is logged in"),
        (proxied(PROGRAM, SHOP, "1", foreign), 401, "unauthenticated", "SHOP_SECRETS"),
        (proxied(PROGRAM, "evil.myshopify.com", "1", SHOPIFY), 403, "forbidden", "allowed_hosts"),
        (proxied("nirgends", SHOP, "1", SHOPIFY), 404, "not_found", "shopify"),
        (proxied("Nirgends", SHOP, "1", SHOPIFY), 404, "not_found", "no such program"),
        (proxied("kaffeehaus", SHOP, "1", foreign), 404, "not_found", "no such program"),
        (bearer(&shopware, ""), 401, "unauthenticated", "the token is missing"),
        (bearer(&shopware, &session("1")), 401, "unauthenticated", "SHOP_SECRETS"),
        (bearer(&shopware, &app_token(SHOPIFY, "1")), 401, "unauthenticated", "manifest"),
        (bearer(&shopware, &app_token(SHOPWARE, "0")), 401, "unauthenticated", "customer id"),
    ] {
        let answer = world.send(noon(), &asked);
        assert_eq!(status_and_code(&answer), (status, code), "{answer:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{part}: {detail}");
        assert_eq!(answer.spent(), 0, "{answer:?}");
    }
    let late = world.send(noon().plus(91), &proxied(PROGRAM, SHOP, "1", SHOPIFY));
    assert_eq!(status_and_code(&late), (401, "unauthenticated"));
    assert!(late.body["detail"].as_str().unwrap().contains("91 seconds ago"), "{late:?}");
}

#[test]
fn only_wrong_signatures_are_limited() {
    let world = world();
    world.memory.limiter.set(None);
    let last = |asked: &Request| {
        let answers = (0..100).map(|_| world.send(noon(), asked).status);
        answers.last().unwrap()
    };
    assert_eq!(last(&proxied(PROGRAM, SHOP, "", SHOPIFY)), 401, "nobody logged in");
    assert_eq!(last(&proxied(PROGRAM, SHOP, "1", SHOPIFY)), 200);
    let wrong = proxied(PROGRAM, SHOP, "1", "a secret of another shop");
    assert_eq!(last(&wrong), 429);
    assert_eq!(last(&proxied(PROGRAM, SHOP, "1", SHOPIFY)), 200, "from the same address");
}

#[test]
fn a_shopware_shop_connects_and_its_customers_are_known() {
    let world = world();
    let query = format!(
        "shop-id=KIPf0Fz6BUkN&shop-url=https%3A%2F%2Fshop.example&timestamp={}",
        noon().seconds()
    );
    let path = format!("/v1/hooks/shopware/{PROGRAM}");
    let target = format!("{path}/register?{query}");
    let register = |signature: &str| {
        let headers = [("shopware-app-signature", signature)];
        world.send(noon(), &request("GET", &target, &headers, ""))
    };
    let registered = register(&hex(SHOPWARE, &query));
    assert_eq!((registered.status, registered.spent()), (200, 0), "{registered:?}");
    let proof = hex(SHOPWARE, "KIPf0Fz6BUkNhttps://shop.examplePassalong");
    assert_eq!(registered.body["proof"], proof);
    let confirm_at = format!("https://referrals.example{path}/confirm");
    assert_eq!(registered.body["confirmation_url"], confirm_at);
    assert_eq!(register(&hex("x", &query)).status, 401);
    assert_eq!(register("").status, 401);

    let secret = registered.body["secret"].as_str().unwrap();
    let body = r#"{"apiKey":"SWIA","shopId":"KIPf0Fz6BUkN"}"#;
    let confirm = |signature: &str| {
        let headers = [("shopware-shop-signature", signature)];
        world.send(noon(), &request("POST", &format!("{path}/confirm"), &headers, body))
    };
    let confirmed = confirm(&hex(secret, body));
    assert_eq!((confirmed.status, confirmed.spent()), (204, 0), "{confirmed:?}");
    assert_eq!(confirm(&hex("x", body)).status, 401);
    let token = app_token(secret, "018f5c2e");
    let answer = world.send(noon(), &bearer(&format!("/v1/identity/shopware/{PROGRAM}"), &token));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// An order of 49.90 EUR as the shop's page reports it.
fn signed(key: &str, order: &str, amount: i64, token: &str) -> Value {
    let (now, expires) = (noon().seconds(), noon().plus(HOUR).seconds());
    let message = format!(
        "passalong-conversion-v1\n{PROGRAM}\n{order}\npurchase\n{amount}\nEUR\n20871\n\ntrue\n{now}\n{token}\n{expires}"
    );
    json!({
        "program": PROGRAM, "order_id": order, "kind": "purchase", "amount": amount,
        "currency": "EUR", "customer_id": "20871", "first_order": true, "occurred_at": now,
        "token": token, "expires": expires, "signature": hex(key, &message),
    })
}

fn send_signed(world: &World, body: &Value) -> Answer {
    let sent = request("POST", "/v1/signed/conversions", &[], &body.to_string());
    world.send(noon(), &sent)
}

/// A click of a visitor on the link of customer 10023.
fn click(world: &World) -> String {
    let answer = world.send(noon(), &support::redirect(&world.code("10023"), 7));
    let location = answer.header("location").unwrap().to_owned();
    location.split_once("pa=").unwrap().1.to_owned()
}

#[test]
fn a_page_reports_an_order_as_the_server_would_and_is_told_less() {
    let world = world();
    let token = click(&world);
    let key = secret("conversion_secret");
    let made = send_signed(&world, &signed(&key, "A-1", 4990, &token));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body, json!({"order_id": "A-1", "attributed": true, "reason": null}));
    assert_eq!(made.header("access-control-allow-origin"), Some("*"));

    let server = json!({
        "order_id": "A-1", "kind": "purchase", "amount": 4990, "currency": "EUR",
        "customer_id": "20871", "first_order": true, "occurred_at": noon(), "token": token,
    });
    let unpaid = world.send(noon(), &support::read_order("A-1")).body["rewards"][0].clone();
    assert_eq!((&unpaid["status"], &unpaid["reason"]), (&json!("review"), &json!("unpaid")));
    // However often it is sent, it is confirmed once.
    for _ in 0..2 {
        let repeat = world.send(noon(), &post("/v1/conversions", &server));
        assert_eq!((repeat.status, &repeat.body["attributed"]), (200, &json!(true)), "{repeat:?}");
    }
    assert_eq!(world.memory.keys("event/").len(), 1);
    let paid = world.send(noon(), &support::read_order("A-1")).body["rewards"][0].clone();
    assert_eq!((&paid["status"], &paid["reason"]), (&json!("pending"), &json!("hold")));
    let repeat = world.send(noon(), &post("/v1/conversions", &server));
    assert_eq!(repeat.body["advocate"]["customer_id"], Value::Null, "not a customer we know by id");
    let again = send_signed(&world, &signed(&key, "A-1", 4990, &token));
    assert_eq!((again.status, again.body), (200, made.body));
    let other = send_signed(&world, &signed(&key, "A-1", 4991, &token));
    assert_eq!(status_and_code(&other), (409, "conflict"));

    let twin = world.twin();
    let page = send_signed(&world, &signed(&key, "A-2", 4990, &token));
    let mut of_server = server;
    of_server["order_id"] = json!("A-2");
    let server = twin.send(noon(), &post("/v1/conversions", &of_server));
    assert_eq!((page.status, server.status), (201, 201));
    assert_eq!(page.operations, server.operations, "it costs the same");
}

#[test]
fn what_only_a_page_reported_earns_once_the_shop_says_that_it_is_paid() {
    let reward = |world: &World, now: Instant| {
        let story = world.send(now, &support::read_order("A-1")).body;
        let own = &story["rewards"][0];
        json!([own["status"], own["reason"], own["value"]["amount"]])
    };
    let unpaid = json!(["review", "unpaid", 998]);
    let settled = noon().plus(2 * HOUR);
    for confirmed in [noon().plus(60), settled.plus(HOUR)] {
        let world = world();
        let key = secret("conversion_secret");
        assert_eq!(send_signed(&world, &signed(&key, "A-1", 4990, &click(&world))).status, 201);
        assert_eq!(reward(&world, noon()), unpaid);
        let confirm = support::event(confirmed, "A-1", "paid-1", "confirmed", None);
        if confirmed < settled {
            assert_eq!(world.send(confirmed, &confirm).status, 201);
            assert_eq!(reward(&world, confirmed), json!(["pending", "hold", 998]));
            world.cron_until_done(settled);
        } else {
            world.cron_until_done(settled);
            assert_eq!(reward(&world, settled), unpaid, "also after its hold");
            assert_eq!(world.send(confirmed, &confirm).status, 201);
        }
        let now = settled.plus(2 * HOUR);
        assert_eq!(reward(&world, now), json!(["approved", null, 998]));
    }
}

#[test]
fn what_the_shop_did_not_sign_is_not_taken_in() {
    let world = world();
    let good = signed(&secret("conversion_secret"), "A-1", 4990, "");
    let changed = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, status, code, part) in [
        (changed("amount", json!(1)), 401, "unauthenticated", "cs_teehaus_1_…"),
        (changed("program", json!("nirgends")), 404, "not_found", "no such program"),
        (changed("alias", json!("anna")), 400, "unknown_field", "alias"),
        (
            signed(&secret("template_secret"), "A-1", 1, ""),
            401,
            "unauthenticated",
            "it was made with the template_secret",
        ),
        (
            signed(&secret("server_api_key"), "A-1", 1, ""),
            401,
            "unauthenticated",
            "it was made with the server_api_key",
        ),
    ] {
        let answer = send_signed(&world, &body);
        assert_eq!(status_and_code(&answer), (status, code), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(part), "{answer:?}");
        assert_eq!(answer.spent(), 0, "{answer:?}");
    }
    let sent = request("POST", "/v1/signed/conversions", &[], &good.to_string());
    let late = world.send(noon().plus(HOUR + 60), &sent);
    assert_eq!(status_and_code(&late), (401, "unauthenticated"));
    assert!(late.body["detail"].as_str().unwrap().contains("expired 60 seconds ago"), "{late:?}");
    assert_eq!(world.memory.keys("order/").len(), 0);
}

#[test]
fn the_generations_of_keys_hold_for_shops_and_pages_too() {
    let world = world();
    let program: passalong_core::ids::ProgramId = PROGRAM.parse().unwrap();
    let made_with = |generation: u32, order: &str| {
        let key = world.config.secrets.conversion_secret(&program, generation);
        send_signed(&world, &signed(&key, order, 4990, ""))
    };
    assert_eq!(made_with(1, "A-1").status, 201);
    assert_eq!(made_with(2, "A-2").status, 201, "the next is good before it is handed out");
    assert_eq!(made_with(3, "A-3").status, 401);
    let mut revoke =
        bearer(&format!("/v1/programs/{PROGRAM}/keys/revoke"), &secret("operator_key"));
    revoke.body = Ok(br#"{"generation": 1}"#.to_vec());
    assert_eq!(world.send(noon(), &revoke).status, 200);
    let refused = made_with(1, "A-4");
    assert_eq!(status_and_code(&refused), (401, "unauthenticated"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("generation 1 of the conversion_secret, which was revoked"),
        "{detail}"
    );
    assert_eq!(made_with(3, "A-5").status, 201);

    let asked = proxied(PROGRAM, SHOP, "7", SHOPIFY);
    let token = world.send(noon(), &asked).body["token"].as_str().unwrap().to_owned();
    let mut me = bearer("/v1/me", &token);
    me.method = "GET".to_owned();
    assert_eq!(world.send(noon(), &me).status, 200, "made with the generation in use");
}

#[test]
fn a_signed_order_is_not_sent_without_end() {
    let world = world();
    world.memory.limiter.set(None);
    let body = signed(&secret("conversion_secret"), "A-1", 4990, "");
    let answers: Vec<u16> = (0..61).map(|_| send_signed(&world, &body).status).collect();
    assert_eq!((answers[0], answers[1], answers[59], answers[60]), (201, 200, 200, 429));
}

/// A customer who is known by an address in the shop's token orders as a guest, and is erased before the
/// order has come to whoever brought the customer.
#[test]
fn what_an_erased_friend_ordered_before_still_comes_to_who_brought_them() {
    let (anna, ben) = ("10023", "20871");
    let hint = "b".repeat(64);
    let world = World::with(&json!({
        "attribution": { "bound_days": 30 },
        "rewards": [{ "for": "advocate", "trigger": "every_purchase",
                      "value": { "kind": "percent_of_order", "basis_points": 2_000 } }],
    }));
    let seconds = noon().seconds();
    let claims = json!({ "aud": PROGRAM, "sub": ben, "hints": [hint],
                         "iat": seconds, "exp": seconds + 600 });
    let token = jwt(&secret("identity_secret"), &claims);
    let bearer = format!("Bearer {token}");
    let me = request("GET", "/v1/me", &[("authorization", bearer.as_str())], "");
    assert_eq!(world.send(noon(), &me).status, 200);
    let first =
        support::conversion(noon(), "A-1", ben, &world.code(anna), &json!({ "hints": [hint] }));
    assert_eq!(world.send(noon(), &first).status, 201);
    let later = noon().plus(3 * HOUR);
    let guest = json!({ "order_id": "A-2", "kind": "purchase", "amount": 4_990, "currency": "EUR",
                        "occurred_at": later, "hints": [hint], "first_order": false });
    assert_eq!(world.send(later, &post("/v1/conversions", &guest)).status, 201);
    assert_eq!(world.send(later.plus(5 * MINUTE), &support::erase(ben)).status, 200);
    for five in 1..=12 * 7 {
        world.cron_until_done(noon().plus(five * 5 * MINUTE));
    }
    let story = world.send(noon().plus(7 * HOUR), &support::read_order("A-2")).body;
    let own = &story["rewards"][0];
    assert_eq!(json!([own["status"], own["value"]["amount"]]), json!(["approved", 998]), "{story}");
    let left = world.memory.keys(&format!("customer/teehaus/{}/hints", world.customer(ben)));
    assert_eq!(left, Vec::<String>::new());
}
