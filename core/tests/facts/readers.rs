//! Nothing that arrives, from a shop or from the store, makes a reader panic.

use std::str::FromStr;

use passalong_core::fact::{Fact, FactKey, FactKind};
use passalong_core::ids::{
    CustomerId, CustomerPseudonym, Digest, EventId, Hint, HintPseudonym, Identity, OrderId,
    OrderPseudonym, ProgramId,
};
use passalong_core::money::Currency;
use passalong_core::program::{Program, Url};
use passalong_core::report::{ConversionReport, EventReport};
use passalong_core::reward::RewardId;
use passalong_core::status;
use passalong_core::time::{Day, Instant, Minute};
use proptest::prelude::*;

use crate::support::{Scene, digest, fold, ordered};

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
        scene.settle_with(&order);
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
