//! Conversions that a page signs: exactly the lines that are documented, nothing beside them, and for
//! a day at most. The fixtures were computed by an independent implementation (Python's hmac).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use passalong_core::keys::Secrets;
use passalong_core::report::{ConversionReport, ProofKind};
use passalong_core::signed_conversion::{SignedConversion, SignedProblem};
use passalong_core::time::Instant;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The time of the fixtures, 2026-11-22T08:00:00Z.
const NOW: i64 = 1_795_334_400;

fn secrets() -> Secrets {
    let known: Value = serde_json::from_str(include_str!("../fixtures/secrets.json")).unwrap();
    let [signing, merchant, pseudonym] =
        ["signing_keys", "merchant_key", "pseudonym_key"].map(|name| known[name].as_str().unwrap());
    Secrets::parse(signing, merchant, pseudonym).unwrap()
}

fn fixtures() -> Vec<(String, Value)> {
    let vectors: Value = serde_json::from_str(include_str!("../fixtures/tokens.json")).unwrap();
    let all = vectors["signed_conversions"].as_array().unwrap();
    let one = |one: &Value| (one["message"].as_str().unwrap().to_owned(), one["body"].clone());
    all.iter().map(one).collect()
}

fn parse(body: &Value) -> Result<SignedConversion, String> {
    let now = Instant::from_seconds(NOW);
    SignedConversion::parse(body.to_string().as_bytes(), now).map_err(|error| error.field)
}

fn verify(body: &Value, now: i64) -> Result<(), SignedProblem> {
    parse(body).unwrap().verify(&secrets(), &[1, 2], Instant::from_seconds(now))
}

fn changed(field: &str, value: &Value) -> Value {
    let mut body = fixtures()[0].1.clone();
    body[field] = value.clone();
    body
}

#[test]
fn the_pinned_conversions_are_signed_over_these_lines() {
    for (message, body) in fixtures() {
        assert_eq!(parse(&body).unwrap().message(), message);
        assert_eq!(verify(&body, NOW), Ok(()));
    }
}

#[test]
fn what_a_page_reports_is_what_a_server_would_but_that_only_a_browser_said_it() {
    let (_, body) = &fixtures()[0];
    let server = json!({
        "order_id": "A-10077", "kind": "purchase", "amount": 4990, "currency": "EUR",
        "customer_id": "20871", "hints": [body["hint"]], "first_order": true,
        "occurred_at": "2026-11-22T08:00:00Z", "token": body["token"],
    });
    let now = Instant::from_seconds(NOW);
    let server = ConversionReport::parse(server.to_string().as_bytes(), now).unwrap();
    let page = parse(body).unwrap();
    assert!(page.report.browser_only && !server.browser_only);
    assert_ne!(page.report.content(), server.content(), "they are two reports");
    assert_eq!(ConversionReport { browser_only: false, ..page.report.clone() }, server);
    assert_eq!(page.program.as_str(), "teehaus");
    assert_eq!(page.report.proofs.first().map(|proof| proof.kind), Some(ProofKind::Token));
    let later = changed("expires", &json!(NOW + 60));
    assert_eq!(parse(&later).unwrap().report, page.report, "a reload of the page is a repeat");
}

#[test]
fn no_field_can_be_changed_added_or_left_out() {
    let whole = fixtures()[0].1.clone();
    let other = "ab".repeat(32);
    for (field, value) in [
        ("program", json!("kaffeehaus")),
        ("order_id", json!("A-10078")),
        ("amount", json!(4991)),
        ("currency", json!("CHF")),
        ("customer_id", json!("20872")),
        ("hint", json!(other)),
        ("first_order", json!(false)),
        ("occurred_at", json!(NOW - 1)),
        ("token", json!("x")),
        ("expires", json!(NOW + 3601)),
        ("signature", json!(other)),
    ] {
        let problem = verify(&changed(field, &value), NOW);
        assert!(matches!(problem, Err(SignedProblem::WrongSignature(_))), "{field} {problem:?}");
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(field);
        match parse(&without) {
            Err(missing) => assert_eq!(missing, field),
            Ok(parsed) => {
                let problem = parsed.verify(&secrets(), &[1], Instant::from_seconds(NOW));
                assert!(matches!(problem, Err(SignedProblem::WrongSignature(_))), "{field}");
            }
        }
    }
    for (field, value) in [
        ("code", json!("8f3k")),
        ("alias", json!("anna")),
        ("coupon", json!("TEE")),
        ("segment", json!("gold")),
        ("action", json!("review")),
        ("items", json!([])),
        ("hints", json!([other])),
    ] {
        assert_eq!(parse(&changed(field, &value)), Err(field.to_owned()), "is not signed");
    }
}

#[test]
fn every_mistake_names_its_field() {
    for (field, value) in [
        ("program", json!("Teehaus")),
        ("order_id", json!(10077)),
        ("order_id", json!("A\nB")),
        ("kind", json!("action")),
        ("amount", json!("4990")),
        ("occurred_at", json!("2026-11-22T08:00:00Z")),
        ("occurred_at", json!(NOW * 1000)),
        ("occurred_at", json!(NOW + 301)),
        ("token", json!("a\nb")),
        ("hint", json!("anna@shop.example")),
        ("expires", json!(null)),
        ("expires", json!("soon")),
        ("signature", json!("abc")),
        ("signature", json!("AB".repeat(32))),
    ] {
        assert_eq!(parse(&changed(field, &value)), Err(field.to_owned()), "{value}");
    }
}

#[test]
fn it_may_be_sent_until_it_expires_which_is_a_day_at_most() {
    let body = &fixtures()[0].1;
    let expires = NOW + 3600;
    let at = Instant::from_seconds;
    for (now, result) in [
        (expires - 86_461, Err(SignedProblem::TooFarAhead { now: at(expires - 86_461) })),
        (expires - 86_460, Ok(())),
        (expires + 59, Ok(())),
        (expires + 60, Err(SignedProblem::Expired { seconds_ago: 60, now: at(expires + 60) })),
    ] {
        assert_eq!(verify(body, now), result, "{now}");
    }
}

#[test]
fn a_refusal_says_what_is_right() {
    let now = Instant::from_seconds(NOW);
    let foreign = verify(&changed("amount", &json!(1)), NOW).unwrap_err();
    for (problem, parts) in [
        (foreign, &["conversion_secret", "begins cs_teehaus_1_…", "line feeds"][..]),
        (
            SignedProblem::Expired { seconds_ago: 70, now },
            &["70 seconds ago", "2026-11-22T08:00:00Z", "for an hour"],
        ),
        (SignedProblem::TooFarAhead { now }, &["24 hours", "2026-11-22T08:00:00Z"]),
    ] {
        let text = problem.to_string();
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

proptest! {
    #[test]
    fn any_body_is_an_answer(body in "\\PC{0,80}", id: String, number: i64) {
        let now = Instant::from_seconds(NOW);
        let _ = SignedConversion::parse(body.as_bytes(), now);
        for field in ["order_id", "customer_id", "token", "hint", "signature", "program"] {
            let _ = parse(&changed(field, &json!(id)));
        }
        for field in ["amount", "occurred_at", "expires"] {
            if let Ok(parsed) = parse(&changed(field, &json!(number))) {
                let _ = parsed.verify(&secrets(), &[1], now);
            }
        }
    }
}
