//! What is stored stays as it is: every fact reads from its pinned bytes and writes them again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "facts/readers.rs"]
mod readers;

use std::collections::BTreeSet;

use passalong_core::channel::Channel;
use passalong_core::fact::{
    Conversion, Decided, Event, Fact, FactKey, FactKind, Fulfilment, Remembered, Reviewed, Verdict,
    Via,
};
use passalong_core::ids::Digest;
use passalong_core::money::BasisPoints;
use passalong_core::orders::claims::{Admission, Purchase};
use passalong_core::orders::state::{Standing, State};
use passalong_core::report::EventType;
use passalong_core::reward::{ConversionKind, Expires, Reason, Role, Trigger, Value};
use passalong_core::time::Instant;
use support::{at, credit, customer, digest, fold, hint, order, points};

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
        admission: Admission::Again,
        waived: true,
        excluded: 990,
        bound_by: None,
        browser_only: true,
        segment: Some("stammkunde".to_owned()),
        action: Some("review".to_owned()),
    }
}

fn everything() -> Fact {
    let label = "Teeset aus Friesland".parse().unwrap();
    let gift = Value::Gift { label, worth: Some(3_500) };
    Fact::Verdict(Verdict {
        report: digest(3),
        admitted: Some(Admission::Again),
        rewards: vec![Decided {
            milestone: Some(5),
            review: Some(Reason::Velocity),
            rate: Some(BasisPoints(2000)),
            expires: Some(Expires::Days(90)),
            pool: Some("gutschein-10".parse().unwrap()),
            ..Decided::plain(Role::Advocate, Trigger::FirstPurchase, Ok(gift))
        }],
        excluded: 990,
        disputed: true,
    })
}

/// What the fixtures of events and states say, in our own words.
fn events() -> Vec<(&'static str, Fact)> {
    let event = |kind, amount| {
        let occurred_at = at("2026-11-25T08:00:00Z");
        let (undoes, excluded) = (None, None);
        let event = digest(3);
        Fact::Event(kind, Event { event, sealed: sealed(), amount, occurred_at, undoes, excluded })
    };
    let with = |fact, change: fn(&mut Event)| match fact {
        Fact::Event(kind, mut event) => {
            change(&mut event);
            Fact::Event(kind, event)
        }
        other => other,
    };
    let state = |standing, excluded| {
        let (at, amount, refunded) = (at("2026-11-25T08:00:00Z"), 4990, 1000);
        Fact::State(State { at, amount, refunded, standing, excluded })
    };
    let (amended, restored) = (EventType::Amended, EventType::Restored);
    vec![
        ("delivered", event(EventType::Delivered, None)),
        ("refunded", event(EventType::Refunded, Some(1000))),
        ("withdrawn", event(EventType::Withdrawn, None)),
        ("cancelled", event(EventType::Cancelled, None)),
        ("chargeback", event(EventType::Chargeback, None)),
        ("amended", event(amended, Some(4000))),
        (
            "amended with its lines",
            with(event(amended, Some(4000)), |event| event.excluded = Some(990)),
        ),
        ("disputed", event(EventType::Disputed, None)),
        ("restored", event(restored, None)),
        ("restored by name", with(event(restored, None), |event| event.undoes = Some(digest(4)))),
        ("confirmed", event(EventType::Confirmed, None)),
        ("state", state(Standing::Open, None)),
        ("state with its lines", state(Standing::Cancelled, Some(990))),
    ]
}

/// What each fixture says, in our own words.
fn facts() -> Vec<(&'static str, Fact)> {
    let signup = Conversion {
        kind: ConversionKind::Signup,
        amount: None,
        currency: None,
        identities: vec![hint(1)],
        first_order: None,
        occurred_at: at("2026-11-22T08:00:59Z"),
        via: Via::Code,
        noted: None,
        admission: Admission::First,
        waived: false,
        excluded: 0,
        bound_by: None,
        browser_only: false,
        segment: None,
        action: None,
    };
    let verdict = |admitted, rewards| {
        let (report, excluded, disputed) = (digest(3), 0, false);
        Fact::Verdict(Verdict { report, admitted, rewards, excluded, disputed })
    };
    let old = Conversion { admission: Admission::Old, ..signup.clone() };
    let first = Some(Admission::First);
    let off = Value::AmountOff { amount: 500, currency: "EUR".parse().unwrap() };
    let percent: Value =
        serde_json::from_str(r#"{"kind":"percent_off","basis_points":1000}"#).unwrap();
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
    let mut facts = vec![
        ("conversion", Fact::Conversion(full_conversion())),
        ("conversion without anything optional", Fact::Conversion(signup)),
        ("conversion of somebody who bought before", Fact::Conversion(old)),
        (
            "verdict",
            verdict(
                first,
                vec![
                    Decided::plain(Role::Advocate, Trigger::FirstPurchase, Ok(credit(998))),
                    Decided::plain(Role::Friend, Trigger::EveryPurchase, Err(Reason::CapReached)),
                ],
            ),
        ),
        (
            "verdict of other values",
            verdict(
                Some(Admission::Old),
                vec![
                    Decided::plain(Role::Advocate, Trigger::Signup, Ok(points(5))),
                    Decided::plain(Role::Friend, Trigger::Action, Ok(percent)),
                ],
            ),
        ),
        ("verdict with all there is", everything()),
        ("verdict on nothing", verdict(None, vec![])),
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
    ];
    facts.extend(more_facts());
    facts.extend(events());
    facts
}

/// What the merchant said, and what stands for erased keys.
fn more_facts() -> Vec<(&'static str, Fact)> {
    let review = |approved, sealed| {
        Fact::Reviewed(Reviewed { role: Role::Advocate, milestone: Some(5), approved, sealed })
    };
    vec![
        ("approved by the merchant", review(true, None)),
        ("declined by the merchant", review(false, Some(sealed()))),
        (
            "remembered of an earlier purchase",
            Fact::Remembered(Remembered {
                report: Some(digest(6)),
                order: Some(order(7)),
                amount: 3000,
                until: Some("20281122".parse().unwrap()),
                ..Remembered::default()
            }),
        ),
        (
            "remembered of an advocate's segment",
            Fact::Remembered(Remembered {
                segment: Some("stammkunde".to_owned()),
                ..Remembered::default()
            }),
        ),
        (
            "remembered that an order is the advocate's own",
            Fact::Remembered(Remembered { report: Some(digest(6)), ..Remembered::default() }),
        ),
        (
            "remembered that more was kept of the friend than is read",
            Fact::Remembered(Remembered { crowded: Some(Role::Friend), ..Remembered::default() }),
        ),
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
        "a", "ac", "b", "bo", "by", "c", "cn", "d", "e", "ex", "f", "g", "h", "i", "l", "m", "n",
        "o", "p", "q", "s", "u", "v", "x", "y",
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
                Fact::Conversion(_) => matches!(field.as_str(), "i" | "o" | "v"),
                Fact::Event(..) => matches!(field.as_str(), "e" | "o" | "s"),
                Fact::State(_) => matches!(field.as_str(), "a" | "o"),
                Fact::Fulfilment(_) => matches!(field.as_str(), "s" | "v"),
                Fact::Verdict(_) => field == "d",
                Fact::Reviewed(_) | Fact::Remembered(_) => false,
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
    let admitted = Some(Admission::First);
    let (report, disputed) = (digest(3), true);
    let verdict = Fact::Verdict(Verdict { report, admitted, rewards, excluded, disputed });
    let verdict = verdict.to_json().to_string();
    assert!(verdict.len() <= 1024, "{} bytes", verdict.len());
    // A sealed id: 128 characters of four bytes and 16 more, as base64url.
    let event = Event {
        event: digest(255),
        sealed: "x".repeat((128 * 4 + 16) * 4 / 3),
        amount: Some(passalong_core::money::MAX_AMOUNT),
        occurred_at: Instant::from_seconds(i64::MAX),
        undoes: Some(digest(255)),
        excluded: Some(passalong_core::money::MAX_AMOUNT),
    };
    let event = Fact::Event(EventType::Refunded, event).to_json().to_string();
    assert!(event.len() <= 1024, "{} bytes", event.len());
    let remembered = Fact::Remembered(Remembered {
        report: Some(digest(255)),
        order: Some(order(255)),
        amount: passalong_core::money::MAX_AMOUNT,
        until: Some(Instant::from_seconds(i64::MAX).day()),
        segment: Some("\u{1f375}".repeat(64)),
        crowded: Some(Role::Advocate),
    });
    let remembered = remembered.to_json().to_string();
    assert!(remembered.len() <= 1024, "{} bytes", remembered.len());
}

#[test]
fn what_is_remembered_is_read_from_a_ledger_like_the_keys_it_replaces() {
    let fact = |order_number, amount, until: &str| {
        Fact::Remembered(Remembered {
            report: Some(digest(order_number + 100)),
            order: Some(order(order_number)),
            amount,
            until: Some(until.parse().unwrap()),
            ..Remembered::default()
        })
    };
    let key = |accepted: &str, byte| FactKey {
        accepted: at(accepted).minute(),
        kind: FactKind::Remembered,
        digest: digest(byte),
    };
    let (early, late) = ("2026-11-01T08:00:00Z", "2026-11-02T08:00:00Z");
    let segment = Remembered { segment: Some("gold".to_owned()), ..Remembered::default() };
    let facts = fold([
        (key(late, 1), fact(7, 3000, "20281101")),
        (key(early, 2), fact(8, 0, "20281031")),
        (
            key(late, 3),
            Fact::Remembered(Remembered { report: Some(digest(6)), ..Remembered::default() }),
        ),
        (key(early, 4), Fact::Remembered(segment)),
    ]);
    let purchase = |accepted: &str, number, amount, until: &str| Purchase {
        order: order(number),
        accepted: at(accepted).minute(),
        amount,
        until: until.parse().unwrap(),
    };
    let bought: Vec<_> = facts.remembered().collect();
    assert_eq!(
        bought,
        [
            (digest(108), purchase(early, 8, 0, "20281031")),
            (digest(107), purchase(late, 7, 3000, "20281101")),
        ]
    );
    let segments: Vec<_> = facts.remembered_segments().collect();
    assert_eq!(segments, [(at(early).minute(), "gold")]);
    assert!(facts.is_own(digest(6), at(late).minute()));
    assert!(!facts.is_own(digest(5), at(late).minute()), "another report names somebody else");
    let before = at(late).minute().plus(-60);
    assert!(!facts.is_own(digest(6), before), "a segment says nothing about the order");
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

#[test]
fn of_two_events_with_one_id_in_one_minute_a_ledger_lacks_the_one_that_counts() {
    let event = |amount| {
        Fact::Event(
            EventType::Refunded,
            Event {
                event: digest(1),
                sealed: sealed(),
                amount: Some(amount),
                occurred_at: at("2026-11-22T08:00:00Z"),
                undoes: None,
                excluded: None,
            },
        )
    };
    let key = |rank| FactKey {
        accepted: at("2026-11-22T08:00:00Z").minute(),
        kind: FactKind::Refunded,
        digest: digest(rank),
    };
    let mut order = passalong_core::fact::Order::default();
    order.add(key(5), event(100));
    assert!(order.lacks(key(4), &event(200)), "of one minute the smaller digest counts");
    assert!(!order.lacks(key(5), &event(100)), "it is there");
    assert!(!order.lacks(key(6), &event(300)), "what ranks behind counts for nothing");
    order.add(key(4), event(200));
    assert!(!order.lacks(key(5), &event(100)));
}
