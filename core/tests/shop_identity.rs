//! What shop systems say of who is logged in: their documented formats and nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use passalong_core::identity_token::TokenFlaw;
use passalong_core::ids::{CustomerId, IdError};
use passalong_core::shop_identity::{
    IdentityProblem, Registered, shopify_proxy, shopify_session, shopware, shopware_confirmation,
    shopware_registration,
};
use passalong_core::text::base64url;
use passalong_core::time::Instant;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

const NOW: i64 = 1_795_334_400;
const SHOP: &str = "shop-name.myshopify.com";

fn now() -> Instant {
    Instant::from_seconds(NOW)
}

fn secrets() -> Vec<String> {
    vec!["newer".to_owned(), "hush".to_owned()]
}

fn mac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(key: &str, message: &str) -> String {
    HEXLOWER.encode(&mac(key, message))
}

fn owned(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request as Shopify forwards it, with some parameters replaced before it is signed.
fn proxied(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let timestamp = NOW.to_string();
    let mut all = owned(&[
        ("shop", SHOP),
        ("logged_in_customer_id", "7054389838"),
        ("path_prefix", "/apps/passalong"),
        ("timestamp", &timestamp),
    ]);
    for (name, value) in owned(changes) {
        all.retain(|(known, _)| *known != name);
        all.push((name, value));
    }
    let mut lines: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.sort();
    all.push(("signature".to_owned(), hex("hush", &lines.concat())));
    all
}

fn ask(parameters: &[(String, String)]) -> Result<CustomerId, IdentityProblem> {
    shopify_proxy(parameters, &secrets(), |shop| shop == SHOP, now())
}

fn id(text: &str) -> CustomerId {
    text.parse().unwrap()
}

/// The example of Shopify's documentation, with its shared secret and its signature.
#[test]
fn the_signature_is_the_one_shopify_documents() {
    let documented = owned(&[
        ("extra", "1"),
        ("extra", "2"),
        ("shop", SHOP),
        ("logged_in_customer_id", "1"),
        ("path_prefix", "/apps/awesome_reviews"),
        ("timestamp", "1317327555"),
        ("signature", "4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb"),
    ]);
    let at = Instant::from_seconds(1_317_327_555);
    let ask = |all: &[_]| shopify_proxy(all, &secrets(), |shop| shop == SHOP, at);
    assert_eq!(ask(&documented), Ok(id("1")));
    for changed in 0..6 {
        let mut other = documented.clone();
        other[changed].1.push('0');
        assert!(matches!(ask(&other), Err(IdentityProblem::WrongSignature(_))), "{changed}");
    }
}

#[test]
fn a_customer_of_the_proxy_is_known_by_any_listed_secret_only() {
    let good = proxied(&[]);
    assert_eq!(ask(&good), Ok(id("7054389838")));
    let with = |secrets: &[&str]| {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        shopify_proxy(&good, &secrets, |_| true, now())
    };
    assert!(with(&["hush"]).is_ok());
    for wrong in [&[][..], &["newer"], &["hush\n"], &["Hush"]] {
        assert!(matches!(with(wrong), Err(IdentityProblem::WrongSignature(_))), "{wrong:?}");
    }
}

#[test]
fn what_the_proxy_does_not_say_is_told_apart() {
    for name in ["shop", "logged_in_customer_id", "path_prefix", "timestamp", "signature"] {
        let mut without = proxied(&[]);
        without.retain(|(known, _)| known != name);
        assert!(
            matches!(ask(&without), Err(IdentityProblem::Missing(missing, _)) if missing == name)
        );
        let mut twice = proxied(&[]);
        twice.insert(0, (name.to_owned(), "1".to_owned()));
        assert_eq!(
            ask(&twice),
            Err(IdentityProblem::Twice(match name {
                "shop" => "shop",
                "logged_in_customer_id" => "logged_in_customer_id",
                "path_prefix" => "path_prefix",
                "timestamp" => "timestamp",
                _ => "signature",
            }))
        );
    }
    let stale = |seconds| Err(IdentityProblem::Stale { seconds, now: now() });
    for (at, result) in [
        (NOW - 91, stale(91)),
        (NOW - 90, Ok(id("7054389838"))),
        (NOW + 90, Ok(id("7054389838"))),
        (NOW + 91, stale(-91)),
    ] {
        assert_eq!(ask(&proxied(&[("timestamp", &at.to_string())])), result, "{at}");
    }
    for (change, problem) in [
        (
            ("logged_in_customer_id", ""),
            IdentityProblem::NotLoggedIn("Shopify's app proxy names no customer"),
        ),
        (("logged_in_customer_id", "0"), IdentityProblem::Customer(IdError::Placeholder)),
        (("timestamp", "soon"), IdentityProblem::Malformed("timestamp", "Unix seconds")),
        (
            ("shop", "evil.myshopify.com"),
            IdentityProblem::OtherShop("evil.myshopify.com".to_owned()),
        ),
    ] {
        assert_eq!(ask(&proxied(&[change])), Err(problem), "{change:?}");
    }
    assert_eq!(ask(&proxied(&[("view", "mobile")])), Ok(id("7054389838")), "what a theme adds");
    assert_eq!(ask(&proxied(&[("shop-x", "1")])), Ok(id("7054389838")), "sorted as whole texts");
}

fn jwt(key: &str, claims: &Value) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    format!("{signed}.{}", base64url(&mac(key, &signed)))
}

fn with(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn session(changes: &Value) -> Value {
    let claims = json!({
        "iss": format!("https://{SHOP}"), "dest": SHOP, "aud": "a1b2", "sub": "gid://shopify/Customer/7054389838",
        "exp": NOW + 300, "nbf": NOW, "iat": NOW, "jti": "f9",
    });
    with(claims, changes)
}

/// As lcobucci/jwt writes it: times with microseconds.
fn app_token(changes: &Value) -> Value {
    let claims = json!({
        "iss": "KIPf0Fz6BUkN", "iat": 1_795_334_400.123_456, "nbf": 1_795_334_400.123_456,
        "exp": 1_795_335_000.123_456, "customerId": "018f5c2e9d7a7b3c8e4f1a2b3c4d5e6f",
        "salesChannelId": "98432def39fc4624b33213a56b8c944d",
    });
    with(claims, changes)
}

#[test]
fn a_session_token_of_shopify_names_its_customer() {
    let ask = |claims: &Value| {
        shopify_session(&jwt("hush", claims), &secrets(), |shop| shop == SHOP, now())
    };
    assert_eq!(ask(&session(&json!({}))), Ok(id("7054389838")));
    assert_eq!(ask(&session(&json!({"dest": format!("https://{SHOP}")}))), Ok(id("7054389838")));
    let other = ask(&session(&json!({"dest": "evil.myshopify.com"})));
    assert_eq!(other, Err(IdentityProblem::OtherShop("evil.myshopify.com".to_owned())));
    assert!(matches!(ask(&session(&json!({"sub": null}))), Err(IdentityProblem::NotLoggedIn(_))));
    assert!(matches!(ask(&session(&json!({"dest": 1}))), Err(IdentityProblem::Missing("dest", _))));
    for staff in ["548380009", "gid://shopify/StaffMember/1", "gid://shopify/Customer"] {
        let refused = ask(&session(&json!({"sub": staff})));
        assert!(matches!(refused, Err(IdentityProblem::Malformed("sub", _))), "{staff}");
    }
    let refused = ask(&session(&json!({"sub": "gid://shopify/Customer/"})));
    assert_eq!(refused, Err(IdentityProblem::Customer(IdError::Length)));
}

#[test]
fn an_app_token_of_shopware_names_its_customer() {
    let ask = |claims: &Value| shopware(&jwt("hush", claims), &secrets(), now());
    assert_eq!(ask(&app_token(&json!({}))), Ok(id("018f5c2e9d7a7b3c8e4f1a2b3c4d5e6f")));
    let refused = ask(&app_token(&json!({"customerId": null})));
    assert!(matches!(refused, Err(IdentityProblem::Missing("customerId", _))));
    let detail = refused.unwrap_err().to_string();
    assert!(detail.contains("<read>customer</read>"), "{detail}");
}

#[test]
fn a_shops_token_is_good_for_its_minutes() {
    let at = |claims: &Value, now: i64| {
        shopware(&jwt("hush", claims), &secrets(), Instant::from_seconds(now)).map(|_| ())
    };
    let stale = |seconds, now: i64| {
        Err(IdentityProblem::Stale { seconds, now: Instant::from_seconds(now) })
    };
    let claims = app_token(&json!({}));
    for (now, result) in [
        (NOW - 61, stale(-61, NOW - 61)),
        (NOW - 60, Ok(())),
        (NOW + 659, Ok(())),
        (NOW + 660, stale(60, NOW + 660)),
    ] {
        assert_eq!(at(&claims, now), result, "{now}");
    }
    let long = |seconds: i64| at(&app_token(&json!({"exp": NOW + seconds})), NOW);
    assert_eq!(long(3660), Ok(()));
    assert_eq!(long(3661), Err(IdentityProblem::Token(TokenFlaw::Lifetime)));
    for (claim, value) in [
        ("exp", json!("soon")),
        ("exp", json!(null)),
        ("exp", json!(-1)),
        ("iat", json!("x")),
        ("nbf", json!(true)),
    ] {
        let refused = at(&app_token(&json!({ claim: value })), NOW);
        assert_eq!(refused, Err(IdentityProblem::Token(TokenFlaw::Time(claim))), "{value}");
    }
    let mut without = claims.clone();
    without.as_object_mut().unwrap().remove("exp");
    assert_eq!(at(&without, NOW), Err(IdentityProblem::Token(TokenFlaw::Time("exp"))));
}

#[test]
fn a_shops_token_is_refused_unless_it_is_signed_with_its_secret() {
    let good = jwt("hush", &app_token(&json!({})));
    let ask = |token: &str| shopware(token, &secrets(), now());
    assert!(ask(&good).is_ok());
    let none = base64url(br#"{"alg":"none"}"#);
    let unsigned = format!("{none}.{}.", good.split('.').nth(1).unwrap());
    for (token, problem) in [
        ("a".repeat(4097), IdentityProblem::Token(TokenFlaw::TooLong)),
        ("a.b".to_owned(), IdentityProblem::Token(TokenFlaw::Parts)),
        (unsigned, IdentityProblem::Token(TokenFlaw::Algorithm)),
    ] {
        assert_eq!(ask(&token), Err(problem), "{token}");
    }
    assert!(matches!(ask(""), Err(IdentityProblem::Missing(_, _))));
    for wrong in [jwt("hush2", &app_token(&json!({}))), jwt("", &app_token(&json!({})))] {
        assert!(matches!(ask(&wrong), Err(IdentityProblem::WrongSignature(_))));
    }
    assert!(matches!(shopware(&good, &[], now()), Err(IdentityProblem::WrongSignature(_))));
}

/// The request of Shopware's documentation, with a signature made here.
#[test]
fn a_shopware_shop_registers_with_proof_from_both_sides() {
    let timestamp = NOW.to_string();
    let query = format!("shop-id=KIPf0Fz6BUkN&shop-url=http%3A%2F%2Fmy.shop.com&timestamp={NOW}");
    let parameters = owned(&[
        ("shop-id", "KIPf0Fz6BUkN"),
        ("shop-url", "http://my.shop.com"),
        ("timestamp", &timestamp),
    ]);
    let signature = hex("hush", &query);
    let ask = |signature: &str, now: i64| {
        let now = Instant::from_seconds(now);
        shopware_registration((&query, &parameters), signature, &secrets(), now)
    };
    let proof = hex("hush", "KIPf0Fz6BUkNhttp://my.shop.comPassalong");
    let registered = Registered { proof, secret: "hush".to_owned() };
    assert_eq!(ask(&signature, NOW), Ok(registered.clone()));
    assert_eq!(ask(&signature, NOW + 300), Ok(registered));
    let late = Instant::from_seconds(NOW + 301);
    assert_eq!(ask(&signature, NOW + 301), Err(IdentityProblem::Stale { seconds: 301, now: late }));
    assert!(matches!(ask(&hex("x", &query), NOW), Err(IdentityProblem::WrongSignature(_))));
    assert!(matches!(ask("", NOW), Err(IdentityProblem::Missing("shopware-app-signature", _))));
    for left_out in 0..3 {
        let mut without = parameters.clone();
        without.remove(left_out);
        let refused = shopware_registration((&query, &without), &signature, &secrets(), now());
        assert!(matches!(refused, Err(IdentityProblem::Missing(_, _))), "{left_out}");
    }

    let body = r#"{"apiKey":"SWIA","secretKey":"Q1Qy","shopId":"KIPf0Fz6BUkN"}"#;
    let confirm = |signature: &str| shopware_confirmation(body.as_bytes(), signature, &secrets());
    assert_eq!(confirm(&hex("hush", body)), Ok(()));
    for wrong in [hex("x", body), hex("hush", "{}"), String::new()] {
        assert!(matches!(confirm(&wrong), Err(IdentityProblem::WrongSignature(_))));
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let now = now();
    for (problem, parts) in [
        (
            IdentityProblem::WrongSignature("the client secret"),
            &["the client secret", "SHOP_SECRETS"][..],
        ),
        (
            IdentityProblem::Stale { seconds: 91, now },
            &["91 seconds ago", "2026-11-22T08:00:00Z", "NTP"],
        ),
        (IdentityProblem::Stale { seconds: -91, now }, &["91 seconds ahead", "NTP"]),
        (IdentityProblem::OtherShop("a\nb".to_owned()), &["\"a\\nb\"", "allowed_hosts"]),
        (IdentityProblem::NotLoggedIn("x"), &["nobody is logged in"]),
        (IdentityProblem::Twice("shop"), &["shop was sent twice"]),
    ] {
        let text = problem.to_string();
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

proptest! {
    #[test]
    fn any_request_is_an_answer(token in "\\PC{0,80}", name in "\\PC{0,8}", value: String, at: i64) {
        let number = at.to_string();
        let _ = ask(&proxied(&[(&name, &value), ("timestamp", &number)]));
        let _ = shopware(&token, &secrets(), now());
        let claims = app_token(&json!({"exp": at, "iat": at, "customerId": value}));
        let _ = shopware(&jwt("hush", &claims), &secrets(), Instant::from_seconds(at));
        let _ = shopify_session(&jwt("hush", &session(&json!({"sub": value}))), &secrets(), |_| true, now());
        let _ = shopware_registration((&token, &owned(&[(&name, &value)])), &token, &secrets(), now());
    }
}
