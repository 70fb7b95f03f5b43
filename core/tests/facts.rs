//! What is stored stays as it is: every fact reads from its pinned bytes and writes them again.
//! And nothing that arrives, from a shop or from the store, makes a reader panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use std::collections::BTreeSet;
use std::str::FromStr;

use passalong_core::channel::Channel;
use passalong_core::fact::{
    Conversion, Decided, Event, Fact, FactKey, FactKind, Fulfilment, Reviewed, Verdict, Via,
};
use passalong_core::ids::{
    CustomerId, CustomerPseudonym, Digest, EventId, Hint, HintPseudonym, Identity, OrderId,
    OrderPseudonym, ProgramId,
};
use passalong_core::money::BasisPoints;
use passalong_core::money::Currency;
use passalong_core::program::{Program, Url};
use passalong_core::report::{ConversionReport, EventReport, EventType};
use passalong_core::reward::{ConversionKind, Expires, Reason, RewardId, Role, Trigger, Value};
use passalong_core::status;
use passalong_core::time::{Day, Instant, Minute};
use proptest::prelude::*;
use support::{Scene, at, credit, customer, digest, fold, hint, ordered, points};

fn fixtures() -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(include_str!("../fixtures/facts.json")).unwrap()
}

fn sealed() -> String {
    "b3JkZXJlZA".to_owned()
}

fn full_conversion() -> Conversion {
    Conversion {
        kind: ConversionKind::Purchase,
        amount: Some(4990),
        currency: Some("EUR".parse().unwrap()),
        identities: vec![customer(20), hint(1)],
        first_order: Some(true),
        occurred_at: at("2026-11-22T08:00:59Z"),
        via: Via::Click {
            at: at("2026-11-21T18:04:11Z"),
            channel: Channel::WhatsApp,
            nonce: Some(16_909_060),
        },
        noted: Some(Reason::FriendAlreadyReferred),
        again: true,
        excluded: 990,
        segment: Some("stammkunde".to_owned()),
        action: Some("review".to_owned()),
    }
}

fn everything() -> Fact {
    let label = "Teeset aus Friesland".parse().unwrap();
    let gift = Value::Gift { label, worth: Some(3_500) };
    Fact::Verdict(Verdict {
        report: digest(3),
        rewards: vec![Decided {
            milestone: Some(5),
            review: Some(Reason::Velocity),
            rate: Some(BasisPoints(2000)),
            expires: Some(Expires::Days(90)),
            pool: Some("gutschein-10".parse().unwrap()),
            ..Decided::plain(Role::Advocate, Trigger::FirstPurchase, Ok(gift))
        }],
        excluded: 990,
    })
}

/// What each fixture says, in our own words.
fn facts() -> Vec<(&'static str, Fact)> {
    let event = |kind, amount| {
        let occurred_at = at("2026-11-25T08:00:00Z");
        Fact::Event(kind, Event { event: digest(3), sealed: sealed(), amount, occurred_at })
    };
    let signup = Conversion {
        kind: ConversionKind::Signup,
        amount: None,
        currency: None,
        identities: vec![hint(1)],
        first_order: None,
        occurred_at: at("2026-11-22T08:00:59Z"),
        via: Via::Code,
        noted: None,
        again: false,
        excluded: 0,
        segment: None,
        action: None,
    };
    let verdict = |rewards| Fact::Verdict(Verdict { report: digest(3), rewards, excluded: 0 });
    let off = Value::AmountOff { amount: 500, currency: "EUR".parse().unwrap() };
    let percent: Value =
        serde_json::from_str(r#"{"kind":"percent_off","basis_points":1000}"#).unwrap();
    let review = |approved, sealed| {
        Fact::Reviewed(Reviewed { role: Role::Advocate, milestone: Some(5), approved, sealed })
    };
    let paid = |role, value| {
        Fact::Fulfilment(Fulfilment {
            role,
            milestone: None,
            entry: None,
            value,
            sealed: sealed(),
            coupon: false,
        })
    };
    vec![
        ("conversion", Fact::Conversion(full_conversion())),
        ("conversion without anything optional", Fact::Conversion(signup)),
        ("delivered", event(EventType::Delivered, None)),
        ("refunded", event(EventType::Refunded, Some(1000))),
        ("withdrawn", event(EventType::Withdrawn, None)),
        ("cancelled", event(EventType::Cancelled, None)),
        ("chargeback", event(EventType::Chargeback, None)),
        (
            "verdict",
            verdict(vec![
                Decided::plain(Role::Advocate, Trigger::FirstPurchase, Ok(credit(998))),
                Decided::plain(Role::Friend, Trigger::EveryPurchase, Err(Reason::CapReached)),
            ]),
        ),
        (
            "verdict of other values",
            verdict(vec![
                Decided::plain(Role::Advocate, Trigger::Signup, Ok(points(5))),
                Decided::plain(Role::Friend, Trigger::Action, Ok(percent)),
            ]),
        ),
        ("verdict with all there is", everything()),
        ("verdict on nothing", verdict(vec![])),
        ("fulfilled", paid(Role::Advocate, credit(998))),
        ("fulfilled for the friend", paid(Role::Friend, off)),
        (
            "an entry settled",
            Fact::Fulfilment(Fulfilment {
                role: Role::Advocate,
                milestone: None,
                entry: Some(digest(4)),
                value: credit(-200),
                sealed: sealed(),
                coupon: false,
            }),
        ),
        (
            "handed over with a coupon",
            Fact::Fulfilment(Fulfilment {
                role: Role::Advocate,
                milestone: Some(5),
                entry: None,
                value: Value::Gift {
                    label: "Teeset aus Friesland".parse().unwrap(),
                    worth: Some(3_500),
                },
                sealed: sealed(),
                coupon: true,
            }),
        ),
        ("approved by the merchant", review(true, None)),
        ("declined by the merchant", review(false, Some(sealed()))),
    ]
}

#[test]
fn every_fact_is_written_as_pinned() {
    let pinned = fixtures();
    let written: serde_json::Map<_, _> = facts()
        .into_iter()
        .map(|(name, fact)| {
            let key = FactKey {
                accepted: at("2026-11-22T08:01:30Z").minute(),
                kind: fact.kind(),
                digest: Digest([0, 17, 34, 51, 68, 85, 102, 119, 136, 153]),
            };
            // The content as text: even the order of its fields is kept.
            let content = fact.to_json().to_string();
            (name.to_owned(), serde_json::json!({"key": key.to_string(), "content": content}))
        })
        .collect();
    assert_eq!(serde_json::Value::from(written), serde_json::Value::from(pinned));
}

#[test]
fn every_pinned_fact_reads_back_as_what_it_says() {
    let pinned = fixtures();
    let facts = facts();
    assert_eq!(pinned.len(), facts.len());
    let mut kinds = BTreeSet::new();
    for (name, fact) in facts {
        let key: FactKey = pinned[name]["key"].as_str().unwrap().parse().unwrap();
        assert_eq!(key.to_string(), pinned[name]["key"], "{name}");
        let content = pinned[name]["content"].as_str().unwrap();
        let read = Fact::from_json(key.kind, &serde_json::from_str(content).unwrap()).unwrap();
        assert_eq!(read, fact, "{name}");
        assert_eq!(read.to_json().to_string(), content, "{name}");
        kinds.insert(key.kind);
    }
    assert_eq!(kinds.len(), FactKind::ALL.len(), "every kind is pinned");
}

#[test]
fn no_field_of_a_fact_can_be_missing_or_of_another_kind() {
    // Fields left out where they are not set; all others are required.
    let optional = [
        "a", "ac", "b", "c", "cn", "e", "ex", "f", "g", "m", "n", "p", "q", "s", "u", "v", "x", "y",
    ];
    for (name, fact) in facts() {
        let json = fact.to_json();
        for field in json.as_object().unwrap().keys() {
            let mut broken = json.clone();
            broken[field] = serde_json::json!({"not": ["this"]});
            assert_eq!(Fact::from_json(fact.kind(), &broken), None, "{name}: wrong {field}");
            broken.as_object_mut().unwrap().remove(field);
            let read = Fact::from_json(fact.kind(), &broken);
            let required = match fact {
                Fact::Conversion(_) => field == "v",
                Fact::Event(..) => matches!(field.as_str(), "e" | "s"),
                Fact::Fulfilment(_) => matches!(field.as_str(), "s" | "v"),
                Fact::Verdict(_) | Fact::Reviewed(_) => false,
            };
            let left_out = optional.contains(&field.as_str()) && !required;
            assert_eq!(read.is_some(), left_out, "{name}: no {field}");
        }
    }
}

#[test]
fn the_longest_facts_fit_into_the_metadata_of_a_key() {
    let mut conversion = full_conversion();
    conversion.amount = Some(passalong_core::money::MAX_AMOUNT);
    conversion.identities = vec![customer(1), hint(1), hint(2), hint(3), hint(4)];
    let long = || Some("\u{1f375}".repeat(64));
    (conversion.segment, conversion.action) = (long(), long());
    let conversion = Fact::Conversion(conversion).to_json().to_string();
    assert!(conversion.len() <= 1024, "{} bytes", conversion.len());
    let label = "x".repeat(48).parse().unwrap();
    let decided = Decided {
        milestone: Some(1_000_000),
        review: Some(Reason::ManyOrdersOneClick),
        rate: Some(BasisPoints(10_000)),
        expires: Some(Expires::EndOfYear(10)),
        pool: Some(label),
        ..Decided::plain(
            Role::Advocate,
            Trigger::EveryPurchase,
            Ok(Value::Gift { label, worth: Some(passalong_core::money::MAX_AMOUNT) }),
        )
    };
    let rewards = vec![decided; 3];
    let excluded = passalong_core::money::MAX_AMOUNT;
    let verdict = Fact::Verdict(Verdict { report: digest(3), rewards, excluded });
    let verdict = verdict.to_json().to_string();
    assert!(verdict.len() <= 1024, "{} bytes", verdict.len());
    // A sealed id: 128 characters of four bytes and 16 more, as base64url.
    let event = Event {
        event: digest(255),
        sealed: "x".repeat((128 * 4 + 16) * 4 / 3),
        amount: Some(passalong_core::money::MAX_AMOUNT),
        occurred_at: Instant::from_seconds(i64::MAX),
    };
    let event = Fact::Event(EventType::Refunded, event).to_json().to_string();
    assert!(event.len() <= 1024, "{} bytes", event.len());
}

#[test]
fn a_fact_key_is_three_parts_and_nothing_else() {
    let good = "202611220801.refunded.0123456789abcdef";
    assert_eq!(good.parse::<FactKey>().unwrap().to_string(), good);
    for bad in [
        "",
        "202611220801",
        "202611220801.refunded",
        "202611220801.refunded.",
        "202611220801.refunded.0123456789abcdeg.",
        "202611220801.refunded.0123456789abcdef.x",
        "202611220801.refunded.0123456789abcde",
        "202611220801.Refunded.0123456789abcdef",
        "202611222460.refunded.0123456789abcdef",
        "20261122080.refunded.0123456789abcdef",
        " 202611220801.refunded.0123456789abcdef",
        "conversion.202611220801.0123456789abcdef",
    ] {
        assert!(bad.parse::<FactKey>().is_err(), "{bad:?}");
    }
}

#[test]
fn fact_keys_sort_by_the_minute_of_acceptance() {
    let keys = [
        "1970-01-01T00:00:00Z",
        "2026-09-30T23:59:00Z",
        "2026-10-01T00:00:00Z",
        "2199-12-31T23:59:00Z",
    ]
    .map(|accepted| {
        let accepted = at(accepted).minute();
        FactKey { accepted, kind: FactKind::Verdict, digest: digest(0) }.to_string()
    });
    assert!(keys.is_sorted(), "{keys:?}");
}

fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), -10_000_i64..10_000, any::<i64>()]
}

/// JSON of any shape, with the field names and the words that our readers know more often than
/// chance would have them.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let words = "order_id kind amount currency customer_id hints occurred_at token event_id type \
        rewards value cap hold for trigger purchase refunded advocate first_purchase \
        percent_off basis_points EUR click 2026-11-22T08:00:00Z k a c i f o v w ch n g e s r \
        t x id preset 20-10 name landing_url https://shop.example teehaus";
    let words: Vec<&str> = words.split_whitespace().collect();
    let word =
        prop_oneof![3 => prop::sample::select(words).prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        numbers().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e300_f64..1e300).prop_map(Into::into),
        (0_i64..5000).prop_map(Into::into),
        word.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((word.clone(), inner), 0..8)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A good request with one field replaced by anything.
fn nearly(good: &'static str) -> impl Strategy<Value = String> {
    let good: serde_json::Value = serde_json::from_str(good).unwrap();
    let fields: Vec<String> = good.as_object().unwrap().keys().cloned().collect();
    (prop::sample::select(fields), json()).prop_map(move |(field, value)| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    })
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        json().prop_map(|json| json.to_string().into_bytes()),
        nearly(r#"{"order_id":"A-1","kind":"purchase","amount":4990,"currency":"EUR","customer_id":"7","hints":[],
            "first_order":true,"occurred_at":"2026-11-22T08:00:00Z","token":null,"segment":null,"items":[],"action":null}"#)
            .prop_map(String::into_bytes),
        nearly(r#"{"event_id":"r1","type":"refunded","amount":1000,"occurred_at":"2026-11-22T08:00:00Z"}"#)
            .prop_map(String::into_bytes),
        nearly(r#"{"id":"teehaus","preset":"20-10","name":"Teehaus","landing_url":"https://shop.example","rewards":[],
            "hold":{},"attribution":{},"preview":{},"allowed_hosts":[],"time_zone":"Europe/Berlin","version":1}"#)
            .prop_map(String::into_bytes),
    ]
}

/// Texts that look like ours, and any others.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9]{8}",
        "[0-9]{12}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})",
        "[0-9]{12}\\.(conversion|refunded|verdict|é)\\.[0-9a-z]{16}",
        "[ch]\\.[0-9a-zé]{11,17}",
        "rw_[0-9a-hj-km-np-tv-z]{18}",
        "https?://[a-z@:\\[\\]./\\\\?#é-]{0,20}",
        "[A-Z]{3}",
        "[0-9a-fA-F]{64}",
    ]
}

/// Reads a text; what reads must show itself as something that reads as the same.
fn reads<T: FromStr + PartialEq + std::fmt::Debug>(text: &str, show: impl Fn(&T) -> String) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(show(&value).parse::<T>().ok(), Some(value), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_request_makes_a_reader_panic(body in bodies(), now in any::<i64>()) {
        let now = Instant::from_seconds(now);
        if let Ok(report) = ConversionReport::parse(&body, now) {
            prop_assert!(!report.content().is_empty());
        }
        if let Ok(report) = EventReport::parse(&body, now) {
            prop_assert!(report.amount.is_none_or(|amount| amount > 0));
        }
        for program in [Program::parse(&body), Program::from_preset(&body)].into_iter().flatten() {
            let written = serde_json::to_vec(&program).unwrap();
            prop_assert_eq!(Program::parse(&written), Ok(program));
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in texts()) {
        reads::<FactKey>(&text, ToString::to_string);
        reads::<Instant>(&text, ToString::to_string);
        reads::<Minute>(&text, ToString::to_string);
        reads::<Day>(&text, ToString::to_string);
        reads::<Currency>(&text, ToString::to_string);
        reads::<ProgramId>(&text, ToString::to_string);
        reads::<Identity>(&text, ToString::to_string);
        reads::<CustomerPseudonym>(&text, ToString::to_string);
        reads::<OrderPseudonym>(&text, ToString::to_string);
        reads::<HintPseudonym>(&text, ToString::to_string);
        reads::<Digest>(&text, ToString::to_string);
        reads::<RewardId>(&text, ToString::to_string);
        reads::<CustomerId>(&text, |id| id.as_str().to_owned());
        reads::<OrderId>(&text, |id| id.as_str().to_owned());
        reads::<EventId>(&text, |id| id.as_str().to_owned());
        reads::<Url>(&text, |url| url.as_str().to_owned());
        if let Ok(url) = text.parse::<Url>() {
            prop_assert!(url.as_str().starts_with(url.origin()) && !url.authority().is_empty());
        }
        if let Ok(hint) = text.parse::<Hint>() {
            prop_assert_eq!(data_hex(&hint.0), text.to_lowercase());
        }
    }

    #[test]
    fn no_stored_content_makes_a_reader_panic(
        contents in prop::collection::vec((contents(), 0_u8..4), 1..8),
    ) {
        let scene = Scene::plain();
        let mut facts = scene.facts();
        for ((kind, content), n) in contents {
            let Ok(json) = serde_json::from_str(&content) else { continue };
            let Some(fact) = Fact::from_json(kind, &json) else { continue };
            prop_assert_eq!(Fact::from_json(kind, &fact.to_json()), Some(fact.clone()));
            facts.push((FactKey { accepted: ordered().minute(), kind, digest: digest(n) }, fact));
        }
        // Whatever reads can be folded, settled and shown.
        let order = fold(facts);
        scene.settle_with(&order, &scene.own());
        for reward in status::rewards(&order, &scene.view(ordered())) {
            reward.net();
        }
    }
}

/// Content close to that of a fact, with the kind it is close to.
fn contents() -> impl Strategy<Value = (FactKind, String)> {
    let event = prop::sample::select(vec![
        FactKind::Delivered,
        FactKind::Refunded,
        FactKind::Withdrawn,
        FactKind::Chargeback,
    ]);
    prop_oneof![
        (prop::sample::select(FactKind::ALL), json())
            .prop_map(|(kind, json)| (kind, json.to_string())),
        nearly(r#"{"k":"purchase","a":4990,"c":"EUR","i":[],"o":1795334459,"v":"code","f":true}"#)
            .prop_map(|content| (FactKind::Conversion, content)),
        numbers().prop_map(|amount| {
            let content =
                format!(r#"{{"k":"purchase","a":{amount},"i":[],"o":{amount},"v":"code"}}"#);
            (FactKind::Conversion, content)
        }),
        (event, numbers(), numbers(), 0..3).prop_map(|(kind, amount, at, id)| {
            let id = format!("012345678{id}abcdef");
            (kind, format!(r#"{{"e":"{id}","s":"sealed","a":{amount},"o":{at}}}"#))
        }),
        (numbers(), any::<bool>()).prop_map(|(amount, verdict)| {
            let value = format!(r#""v":{{"kind":"credit","amount":{amount},"currency":"EUR"}}"#);
            if verdict {
                let reward = format!(r#"{{"w":"advocate","t":"first_purchase",{value}}}"#);
                (FactKind::Verdict, format!(r#"{{"r":[{reward}]}}"#))
            } else {
                (FactKind::Fulfilled, format!(r#"{{"w":"advocate",{value},"s":"sealed"}}"#))
            }
        }),
    ]
}

fn data_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
