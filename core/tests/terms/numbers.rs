//! Every number of the rules is in the text, and every number in the text is one of the rules'.

use std::collections::BTreeSet;

use passalong_core::program::{Address, HoldFrom, Program};
use passalong_core::reward::{ConversionKind, Delivery, Expires, Role, Value, When};
use passalong_core::terms::{Language, plain};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::{VOICES, everything, preset, text};

/// A number as it is meant, in ten-thousandths, with its unit where it matters.
type Number = (i128, &'static str);

const ONE: i128 = 10_000;

/// The numbers of the terms, told from the fields themselves.
fn of_rules(program: &Program) -> BTreeSet<Number> {
    let minor = ONE / 10_i128.pow(program.currency.exponent());
    let money = |amount: i64| (i128::from(amount) * minor, "money");
    let count = |number: u32| (i128::from(number) * ONE, "");
    let value = |value: Value| -> Vec<Number> {
        match value {
            Value::PercentOff { basis_points, times } => {
                let rate = (i128::from(basis_points.0) * ONE / 100, "percent");
                // One is the next.
                let times = times.filter(|times| *times > 1);
                [rate].into_iter().chain(times.map(count)).collect()
            }
            Value::PercentOfOrder { basis_points } => {
                vec![(i128::from(basis_points.0) * ONE / 100, "percent")]
            }
            Value::AmountOff { amount, .. }
            | Value::Credit { amount, .. }
            | Value::Donation { amount, .. } => {
                vec![money(amount)]
            }
            Value::Points { points: number } | Value::FreePeriods { periods: number } => {
                vec![(i128::from(number) * ONE, "")]
            }
            Value::StorageBytes { bytes } => vec![(i128::from(bytes) * ONE, "bytes")],
            Value::Gift { worth, .. } => worth.map(money).into_iter().collect(),
        }
    };
    let mut all = BTreeSet::new();
    let has =
        |wanted: &dyn Fn(&passalong_core::reward::Rule) -> bool| program.rewards.iter().any(wanted);
    for rule in &program.rewards {
        all.extend(value(rule.value));
        all.extend(
            rule.tiers
                .iter()
                .flat_map(|tier| value(tier.value).into_iter().chain([count(tier.from)])),
        );
        all.extend(rule.milestone.map(count));
        all.extend(rule.minimum_order.filter(|least| *least > 0).map(money));
        if let Some(cap) = rule.cap {
            all.extend(cap.count.map(count));
            let sum = |amount| rule.value.earned(0, program.currency).with_amount(amount);
            all.extend(cap.amount.iter().flat_map(|amount| value(sum(*amount))));
        }
        all.extend(rule.end().map(|expires| match expires {
            Expires::Days(number) | Expires::EndOfYear(number) => count(number),
        }));
    }
    all.extend(program.yearly_ceiling.map(money));
    all.insert(count(program.attribution.window_days));
    all.insert(count(program.attribution.bound_days));
    let earned_purchases =
        has(&|rule| rule.trigger.kind() == ConversionKind::Purchase && rule.when == When::Earned);
    if earned_purchases && program.hold.from == HoldFrom::Delivered {
        all.insert(count(program.hold.fallback_days));
    }
    if earned_purchases || has(&|rule| rule.trigger.kind() != ConversionKind::Purchase) {
        all.insert(count(program.hold.days));
    }
    // Nothing is said of no days at all.
    all.remove(&(0, ""));
    all
}

/// The numbers in a text, each with the unit beside it.
fn in_text(text: &str, language: Language, code: &str) -> BTreeSet<Number> {
    let (apart, point) = match language {
        Language::De => ('.', ','),
        Language::En => (',', '.'),
    };
    let mut found = BTreeSet::new();
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        if !letters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let is_inner = |c: char, next: Option<&char>| {
            (c == apart || c == point) && next.is_some_and(char::is_ascii_digit)
        };
        while at < letters.len()
            && (letters[at].is_ascii_digit() || is_inner(letters[at], letters.get(at + 1)))
        {
            at += 1;
        }
        let digits: String = letters[start..at].iter().filter(|c| **c != apart).collect();
        let (before, behind) = digits.split_once(point).unwrap_or((&digits, ""));
        let scaled: i128 = format!("{before}{behind:0<4}").parse().unwrap();
        let lead: String = letters[start.saturating_sub(4)..start].iter().collect();
        let rest: String = letters[at..letters.len().min(at + 5)].iter().collect();
        let rest = rest.trim_start_matches('\u{a0}');
        let lead = lead.trim_end_matches('\u{a0}');
        let units = [("TB", 12), ("GB", 9), ("MB", 6), ("kB", 3), ("Byte", 0), ("byte", 0)];
        let number = if rest.starts_with('%') {
            (scaled, "percent")
        } else if rest.starts_with('€')
            || rest.starts_with(code)
            || lead.ends_with('€')
            || lead.ends_with(code)
        {
            (scaled, "money")
        } else if let Some((_, zeros)) = units.iter().find(|(unit, _)| rest.starts_with(unit)) {
            (scaled * 10_i128.pow(*zeros), "bytes")
        } else {
            (scaled, "")
        };
        found.insert(number);
    }
    found
}

#[track_caller]
fn agrees(program: &Program) {
    let rules = of_rules(program);
    for (voice, language, address) in VOICES {
        let text = text(program, language, address);
        let found = in_text(&text, language, &program.currency.to_string());
        assert_eq!(found, rules, "{voice}\n{text}");
    }
}

#[test]
fn the_numbers_of_the_presets_are_those_of_their_rules() {
    Program::presets().map(preset).for_each(|program| agrees(&program));
    agrees(&everything());
}

#[test]
fn a_number_that_changes_changes_the_text() {
    // So that the comparison above does compare.
    let text = text(&preset("20-10"), Language::De, Address::Du);
    let found = in_text(&text, Language::De, "EUR");
    assert_eq!(
        found,
        BTreeSet::from([
            (20 * ONE, "percent"),
            (10 * ONE, "percent"),
            (21 * ONE, ""),
            (30 * ONE, "")
        ])
    );
    let changed = text.replace("20\u{a0}%", "25\u{a0}%");
    assert!(changed != text && in_text(&changed, Language::De, "EUR") != found);
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let amount = prop_oneof![1_i64..100_000, 1_i64..2_000_000_000];
    prop_oneof![
        (1_u16..=10_000, prop::option::of(1_u32..30)).prop_map(|(rate, times)| json!({"kind": "percent_off", "basis_points": rate, "times": times})),
        (1_u16..=10_000).prop_map(|rate| json!({"kind": "percent_of_order", "basis_points": rate})),
        amount.clone().prop_map(|amount| json!({"kind": "amount_off", "amount": amount})),
        amount.clone().prop_map(|amount| json!({"kind": "credit", "amount": amount})),
        amount.clone().prop_map(|points| json!({"kind": "points", "points": points})),
        (1_i64..1_000, 0_u32..5).prop_map(|(size, thousands)| json!({"kind": "storage_bytes", "bytes": size * 1_000_i64.pow(thousands) / 8 + 1})),
        (1_i64..30).prop_map(|periods| json!({"kind": "free_periods", "periods": periods})),
        prop::option::of(amount.clone()).prop_map(|worth| json!({"kind": "gift", "label": "Teeset", "worth": worth})),
        (amount, prop::option::of(Just("Tierheim"))).prop_map(|(amount, to)| json!({"kind": "donation", "amount": amount, "to": to})),
    ]
}

fn rules() -> impl Strategy<Value = serde_json::Value> {
    let what = (
        prop::sample::select(vec!["advocate", "advocate", "friend"]),
        prop::sample::select(vec!["signup", "first_purchase", "every_purchase", "action"]),
        prop::option::of(prop::sample::select(vec!["review", "newsletter"])),
        prop::option::of(prop::sample::select(vec!["stammkunde", "neu"])),
        values(),
    );
    let tiers = prop::collection::btree_map(2_u32..50, 1_u32..10_000, 0..3);
    let cap = prop::option::of((
        prop::option::of(1_u32..50),
        prop::option::of(1_i64..5_000_000),
        prop::sample::select(vec!["total", "year"]),
    ));
    let rest = (
        tiers,
        prop::option::weighted(0.3, 2_u32..40),
        prop::option::of(0_i64..100_000),
        cap,
        prop::sample::select(vec!["expires_days", "days", "end_of_year", "none"]),
        1_u32..=10,
        prop::sample::select(vec!["earned", "earned", "at_once"]),
        prop::sample::select(vec!["manual", "webhook", "coupon"]),
    );
    (what, rest).prop_map(|((role, trigger, action, segment, value), (tiers, milestone, least, cap, end, length, when, delivery))| {
        let tier = |(from, number): (u32, u32)| {
            let mut value = value.clone();
            for field in ["basis_points", "amount", "points", "bytes", "periods", "worth"] {
                if value[field].is_number() {
                    value[field] = json!(number);
                }
            }
            json!({"from": from, "value": value})
        };
        let tiers: Vec<_> = tiers.into_iter().map(tier).collect();
        let cap = cap.map(|(count, amount, per)| json!({"count": count, "amount": amount, "per": per}));
        let pool = (delivery == "coupon" && role == "advocate").then_some("topf");
        let (old, new) = match end {
            "none" => (json!(null), json!(null)),
            "expires_days" => (json!(length), json!(null)),
            form => (json!(null), json!({form: length})),
        };
        json!({"for": role, "trigger": trigger, "action": action, "segment": segment, "value": value, "tiers": tiers, "milestone": milestone,
               "minimum_order": least, "cap": cap, "expires_days": old, "expires": new, "when": when, "delivery": delivery, "pool": pool})
    })
}

/// A rule as it is taken: what does not fit is left out, field by field as the refusals name them.
fn taken(
    mut rule: serde_json::Value,
    others: &[serde_json::Value],
    currency: &str,
) -> Option<serde_json::Value> {
    for _ in 0..12 {
        let body = json!({
            "id": "teehaus", "name": "Teehaus Nord", "landing_url": "https://shop.example/", "currency": currency,
            "coupon": {"code": "FREUND"},
            "rewards": others.iter().chain([&rule]).collect::<Vec<_>>(),
        });
        let Err(error) = Program::parse(body.to_string().as_bytes()) else { return Some(rule) };
        let (_, field) = error.field.rsplit_once("].").unwrap_or(("", ""));
        let field = if error.field.contains(".tiers") { "tiers" } else { field };
        let (outer, inner) =
            field.split_once('.').map_or((field, None), |(outer, inner)| (outer, Some(inner)));
        match (outer, inner) {
            ("", _) => return None,
            ("value", None) => rule["value"] = json!({"kind": "points", "points": 3}),
            (outer, Some(inner)) => rule[outer][inner] = json!(null),
            (outer, None) => rule[outer] = json!(null),
        }
    }
    None
}

fn programs() -> impl Strategy<Value = Program> {
    let around = (
        prop::sample::select(vec!["EUR", "CHF", "JPY", "KWD"]),
        (prop::sample::select(vec!["delivered", "order"]), 0_u32..60, 0_u32..60),
        (1_u32..100, prop::sample::select(vec![0_u32, 0, 1, 365])),
        (any::<bool>(), any::<bool>()),
        prop::option::of(3_000_000_000_i64..4_000_000_000),
    );
    (around, prop::collection::vec(rules(), 1..7)).prop_map(|((currency, (from, days, more), (window, bound), (paused, fresh), ceiling), drawn)| {
        let lead = |trigger: &str| json!({"for": "advocate", "trigger": trigger, "value": {"kind": "points", "points": 7}});
        // Advocates first, then what they lead to.
        let rank = |rule: &serde_json::Value| (!rule["milestone"].is_null(), rule["for"] == "friend");
        let mut drawn: Vec<_> = drawn.into_iter().chain([lead("signup")]).collect();
        drawn.sort_by_key(rank);
        let mut kept: Vec<serde_json::Value> = Vec::new();
        for rule in drawn {
            kept.extend(taken(rule, &kept, currency));
        }
        let body = json!({
            "id": "teehaus", "name": "Teehaus Nord", "landing_url": "https://shop.example/", "currency": currency, "coupon": {"code": "FREUND"},
            "hold": {"from": from, "days": days, "fallback_days": days + more}, "paused": paused, "yearly_ceiling": ceiling,
            "attribution": {"window_days": window, "bound_days": bound, "new_customers_only": fresh},
            "rewards": kept,
        });
        Program::parse(body.to_string().as_bytes()).unwrap()
    })
}

#[test]
fn the_terms_drawn_have_all_there_is() {
    let mut runner = TestRunner::deterministic();
    let mut drawn = BTreeSet::new();
    for _ in 0..300 {
        let program = programs().new_tree(&mut runner).unwrap().current();
        for rule in &program.rewards {
            let cap = rule.cap;
            let facts = [
                ("tiers", !rule.tiers.is_empty()),
                ("milestone", rule.milestone.is_some()),
                ("minimum", rule.minimum_order.is_some()),
                ("count", cap.is_some_and(|cap| cap.count.is_some())),
                ("amount", cap.is_some_and(|cap| cap.amount.is_some())),
                ("expiry", rule.end().is_some()),
                ("segment", rule.segment.is_some()),
                ("action", rule.action.is_some()),
                ("at once", rule.when == When::AtOnce),
                ("webhook", rule.delivery == Delivery::Webhook),
                ("pool", rule.pool.is_some()),
                ("coupon", rule.when == When::AtOnce && rule.delivery == Delivery::Coupon),
                ("times", matches!(rule.value, Value::PercentOff { times: Some(_), .. })),
            ];
            drawn.extend(facts.into_iter().filter(|(_, there)| *there).map(|(fact, _)| fact));
            drawn.insert(rule.value.kind());
        }
    }
    assert_eq!(drawn.len(), 13 + 9, "{drawn:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_numbers_of_any_terms_are_those_of_their_rules(program in programs()) {
        agrees(&program);
    }

    #[test]
    fn every_sentence_is_whole(program in programs()) {
        for (_, language, address) in VOICES {
            for paragraph in plain(&program, language, address) {
                let first = paragraph.chars().next().unwrap();
                prop_assert!(first.is_uppercase() || "„“".contains(first), "{paragraph}");
                prop_assert!(paragraph.ends_with('.') && !paragraph.contains("  ") && !paragraph.contains(" ."), "{paragraph}");
            }
        }
    }

    #[test]
    fn each_fact_that_is_no_number_is_said(program in programs()) {
        let text = text(&program, Language::De, Address::Du);
        let rules = || program.rewards.iter();
        let said = [
            ("Kundin oder Kunde war, zählt nicht", program.attribution.new_customers_only),
            ("angehalten", program.paused),
            ("einlösen", rules().any(|rule| rule.end().is_some())),
            ("automatisch bereitgestellt", rules().any(|rule| rule.delivery == Delivery::Webhook)),
            ("beim Bezahlen", rules().any(|rule| rule.delivery == Delivery::Coupon && rule.when == When::AtOnce)),
            ("diesen Einkauf sofort", rules().any(|rule| rule.when == When::AtOnce)),
            ("einmalig zusätzlich", rules().any(|rule| rule.milestone.is_some())),
            ("Lieferung", program.hold.from == HoldFrom::Delivered
                && rules().any(|rule| rule.trigger.kind() == ConversionKind::Purchase && rule.when == When::Earned)),
            ("Empfehlungslink", true),
            ("zur Kundengruppe „stammkunde“", rules().any(|rule| rule.segment.as_deref() == Some("stammkunde"))),
            ("zur Kundengruppe „neu“", rules().any(|rule| rule.segment.as_deref() == Some("neu"))),
            ("die Aktion „review“", rules().any(|rule| rule.action.as_deref() == Some("review"))),
            ("spenden wir", rules().any(|rule| matches!(rule.value, Value::Donation { .. }))),
            ("als Geschenk: Teeset", rules().any(|rule| matches!(rule.value, Value::Gift { .. }))),
            ("des Bestellwerts als Guthaben", rules().any(|rule| rule.value.rate().is_some())),
            ("bekommst du", program.yearly_ceiling.is_some() || rules().any(|rule| rule.role == Role::Advocate && !matches!(rule.value, Value::Donation { .. }))),
        ];
        for (words, is_there) in said {
            prop_assert_eq!(text.contains(words), is_there, "{}\n{}", words, text);
        }
    }
}
