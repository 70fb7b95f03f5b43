//! The plain-words terms say what the rules say, no less and no more. The whole text of each preset is
//! pinned in `fixtures/terms`, to be read as a shop owner reads it; `WRITE_FIXTURES=1` writes it anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

#[path = "terms/numbers.rs"]
mod numbers;

use std::path::Path;

use passalong_core::program::{Address, Program};
use passalong_core::terms::{Language, plain};
use serde_json::json;

const VOICES: [(&str, Language, Address); 3] = [
    ("de-du", Language::De, Address::Du),
    ("de-sie", Language::De, Address::Sie),
    ("en", Language::En, Address::Du),
];

fn preset(name: &str) -> Program {
    support::program(&json!({"preset": name}))
}

/// The text as in a file: a paragraph a line.
fn text(program: &Program, language: Language, address: Address) -> String {
    plain(program, language, address).join("\n\n") + "\n"
}

/// Terms with everything in them that no preset has.
fn everything() -> Program {
    support::program(&json!({
        "paused": true,
        "attribution": {"window_days": 1, "new_customers_only": false, "bound_days": 90},
        "hold": {"from": "order", "days": 14},
        "coupon": {"code": "FREUND"},
        "yearly_ceiling": "tax_free_de",
        "excluded": {"categories": ["gift_card", "Arznei", "Bücher"], "skus": ["TEE-ALT"]},
        "review": {"orders_per_day": 77, "orders_per_click": 78},
        "rewards": [
            {"for": "advocate", "trigger": "first_purchase", "segment": "stammkunde",
             "value": {"kind": "percent_of_order", "basis_points": 1250}, "minimum_order": 4990,
             "tiers": [{"from": 3, "value": {"kind": "percent_of_order", "basis_points": 1500}}],
             "cap": {"count": 12, "amount": 123_450, "per": "year"}},
            {"for": "advocate", "trigger": "first_purchase", "value": {"kind": "amount_off", "amount": 700},
             "delivery": "coupon", "pool": "gutscheine", "expires": {"days": 400}},
            {"for": "advocate", "trigger": "every_purchase", "value": {"kind": "donation", "amount": 50, "to": "Tierheim Nord"}},
            {"for": "advocate", "trigger": "action", "value": {"kind": "points", "points": 1}, "cap": {"amount": 1500, "per": "total"}},
            {"for": "friend", "trigger": "every_purchase", "value": {"kind": "amount_off", "amount": 555},
             "when": "at_once", "delivery": "coupon", "minimum_order": 2000},
            {"for": "friend", "trigger": "signup", "segment": "neu", "value": {"kind": "free_periods", "periods": 2},
             "expires": {"end_of_year": 0}, "cap": {"count": 1, "per": "total"}},
            {"for": "advocate", "trigger": "first_purchase", "milestone": 11,
             "value": {"kind": "gift", "label": "Teeset", "worth": 4500}, "expires": {"end_of_year": 3}},
            {"for": "advocate", "trigger": "every_purchase", "milestone": 21, "value": {"kind": "storage_bytes", "bytes": 1_500_000_000}},
        ],
    }))
}

#[test]
fn the_text_of_each_preset_is_pinned() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/terms");
    let presets = Program::presets().map(|name| (name, preset(name)));
    let mut expected = 0;
    for (name, program) in presets.chain([("everything", everything())]) {
        for (voice, language, address) in VOICES {
            let (path, text) =
                (directory.join(format!("{name}.{voice}.txt")), text(&program, language, address));
            if std::env::var_os("WRITE_FIXTURES").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{name} {voice}");
            expected += 1;
        }
    }
    assert_eq!(
        std::fs::read_dir(directory).unwrap().count(),
        expected,
        "no text of a preset that is gone"
    );
}

#[test]
fn what_the_merchant_looks_at_is_no_part_of_the_promise() {
    let mut program = everything();
    let with = text(&program, Language::De, Address::Du);
    program.review.orders_per_day = None;
    program.review.orders_per_click = None;
    assert_eq!(text(&program, Language::De, Address::Du), with);
}

#[test]
fn du_and_sie_are_never_mixed() {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect()
    };
    let everyone = Program::presets().map(preset).chain([everything()]);
    for program in everyone {
        let du = words(&text(&program, Language::De, Address::Du));
        assert!(
            !du.iter()
                .any(|word| ["Sie", "Ihr", "Ihre", "Ihren", "Ihnen"].contains(&word.as_str())),
            "{du:?}"
        );
        let sie = words(&text(&program, Language::De, Address::Sie));
        let of_du = |word: &String| {
            word.to_lowercase() == "du"
                || word.to_lowercase().starts_with("dein")
                || word.ends_with("st")
                    && ["bekommst", "wirbst", "gehörst", "bist"]
                        .contains(&word.to_lowercase().as_str())
        };
        assert!(!sie.iter().any(of_du), "{sie:?}");
        assert!(sie.iter().any(|word| word == "Sie") && du.iter().any(|word| word == "du"));
    }
}

#[test]
fn the_language_follows_the_locale() {
    for (locale, language) in [
        ("de-DE", Language::De),
        ("de", Language::De),
        ("DE-at", Language::De),
        ("en-GB", Language::En),
        ("fr-FR", Language::En),
        ("del", Language::En),
    ] {
        assert_eq!(Language::of_locale(locale), language, "{locale}");
    }
}

#[test]
fn the_examples_of_the_reference_are_rules_that_are_taken() {
    let page = include_str!("../../docs/rewards.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let rule: serde_json::Value = serde_json::from_str(rest.split_once("```").unwrap().0).unwrap();
    support::program(&json!({"rewards": [rule]}));
    let values = page.split('`').filter(|code| code.starts_with("{ \"kind\""));
    let mut kinds = std::collections::BTreeSet::new();
    for value in values {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        let rule = json!({"for": "advocate", "trigger": "first_purchase", "value": value});
        kinds.insert(support::program(&json!({"rewards": [rule]})).rewards[0].value.kind());
    }
    assert_eq!(kinds.len(), 9, "an example of each kind: {kinds:?}");
    for preset in Program::presets() {
        assert!(page.contains(&format!("**`{preset}`**")), "{preset} has its story");
    }
}
