//! Pools: what an upload may look like, and that no code is drawn twice whatever is visible.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use passalong_core::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use passalong_core::pool::{Draw, Place, Upload, codes, draws, is_low, queue, read};
use passalong_core::reward::{RewardId, Role};
use passalong_core::time::{Instant, MINUTE, Minute, SETTLE};
use proptest::prelude::*;

fn minute(number: u8) -> Minute {
    let start: Instant = "2026-11-22T08:00:00Z".parse().unwrap();
    start.plus(i64::from(number) * MINUTE).minute()
}

fn upload(number: u8, digest: u8, codes: &[&str]) -> Upload {
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    Upload { accepted: minute(number), digest: Digest([digest; 10]), codes }
}

fn place(number: u8, order: u8) -> Place {
    let order = OrderPseudonym([order; 10]);
    Place {
        since: minute(number),
        reward: RewardId::Order { order, role: Role::Advocate },
        advocate: CustomerPseudonym([1; 7]),
        order,
    }
}

/// The order that draws, the code, and since when, in minutes.
fn drawn(draws: &[Draw<'_>]) -> Vec<(u8, String, i64)> {
    let since = |draw: &Draw<'_>| draw.since.start().seconds() - minute(0).start().seconds();
    draws
        .iter()
        .map(|draw| (draw.place.order.0[0], draw.code.to_owned(), since(draw) / MINUTE))
        .collect()
}

#[test]
fn an_upload_reads_as_spreadsheets_write_it() {
    for (body, expected) in [
        ("TEE-1", vec!["TEE-1"]),
        ("code\nTEE-1\nTEE-2\n", vec!["TEE-1", "TEE-2"]),
        ("\u{feff}\"Code\"\r\n\"TEE-1\"\r\n\r\n TEE-2 \r\n", vec!["TEE-1", "TEE-2"]),
        ("TEE-1;\nTEE-2;;\n;;\n", vec!["TEE-1", "TEE-2"]),
        ("value;CODE\n5;TEE-1\n\"a;\"\"b\"\"\";\"TEE-2\"\n", vec!["TEE-1", "TEE-2"]),
        ("TEE-1\nTEE-1\ntee-1\n", vec!["TEE-1", "tee-1"]),
    ] {
        assert_eq!(read(body.as_bytes()).unwrap(), expected, "{body:?}");
    }
}

#[test]
fn a_heading_never_becomes_a_voucher() {
    let names = [
        "Gutscheincode",
        "GUTSCHEINCODE",
        "Gutschein-Code",
        "Gutschein",
        "Gutscheine",
        "code",
        "Codes",
        "Coupon",
        "Coupon code",
        "coupon_code",
        "Voucher code",
        "VOUCHER",
        "Promo-Code",
        "Rabattcode",
        "Discount Code",
        "Aktionscode",
        "Kupon",
        "Gift code",
    ];
    for name in names {
        for body in [
            format!("{name}\nTEE-1\nTEE-2\n"),
            format!("\u{feff}\"{name}\";\r\nTEE-1;\r\nTEE-2;\r\n"),
            format!("sep=;\r\nWert;{name};gültig bis\r\n5,00;TEE-1;31.12.2029\r\n5,00;TEE-2;\r\n"),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap(), ["TEE-1", "TEE-2"], "{body:?}");
        }
        // Of two files that were joined.
        let joined = format!("code\nTEE-1\n{name}\nTEE-2\n");
        assert_eq!(read(joined.as_bytes()).unwrap_err().field, "line 3", "{joined:?}");
    }
}

#[test]
fn of_several_columns_the_one_that_says_code_holds_them() {
    for (body, expected) in [
        ("Gutschein;Code\n5 EUR;TEE-1\n", Ok("TEE-1")),
        ("Code,Coupon\nTEE-1,x\n", Ok("TEE-1")),
        ("Gutschein;Voucher\nTEE-1;TEE-2\n", Err("line 1")),
        ("Code;Gutscheincode\nTEE-1;TEE-2\n", Err("line 1")),
        ("Wert;Bezeichnung\n5;TEE-1\n", Err("line 1")),
        // A comma is part of a price where cells end with a semicolon.
        ("Wert;Code\n5,00;TEE-1\n", Ok("TEE-1")),
        ("5,00;TEE-1\n", Err("line 1")),
    ] {
        let read = read(body.as_bytes());
        let code =
            read.as_ref().map(|codes| codes[0].as_str()).map_err(|error| error.field.as_str());
        assert_eq!(code, expected, "{body:?}");
    }
}

#[test]
fn what_only_looks_like_a_heading_is_refused_and_a_code_is_not() {
    for (body, refused) in [
        ("Bezeichnung\nTEE-1\nTEE-2\n", true),
        ("BEZEICHNUNG\nTEE-1\nTEE-2\n", true),
        ("Kennung\nABCDEF7\n", true),
        ("Gutschein-Nr\nABCDEF\nGHIJKL\n", true),
        ("CouponID\nTEE-1\n", true),
        ("ABCDEF\nGHIJK1\n", false),
        ("ABCDEF\nGHIJKL\n", false),
        ("abcdef\nghijkl\nmnop\n", false),
        ("GUTSCHEIN-A\nGUTSCHEIN-B\n", false),
        ("SOMMER\n", false),
        ("GUTSCHEIN5\nX1\n", false),
        ("code\nBezeichnung\nTEE-1\n", false),
    ] {
        let read = read(body.as_bytes());
        assert_eq!(read.is_err(), refused, "{body:?} {read:?}");
        if let Err(error) = read {
            assert_eq!(error.field, "line 1");
            assert!(error.detail.contains("looks like a heading"), "{}", error.detail);
        }
    }
}

#[test]
fn one_wrong_line_refuses_the_whole_and_is_named() {
    let long = format!("{}\n{}", "A".repeat(64), "A".repeat(65));
    let many = (1..=1_001).map(|number| format!("T{number}")).collect::<Vec<_>>().join("\n");
    for (body, line) in [
        ("", 1),
        ("code\n", 1),
        ("TEE-1\nTEE 2\n", 2),
        ("TEE-1\n\nT\u{c4}E\n", 3),
        ("TEE-1\n\"TEE-2\n", 2),
        ("TEE-1\n\"TEE\"2\n", 2),
        ("TEE-1\nTEE-2;5\n", 2),
        ("value;code\n5\n", 2),
        (&long, 2),
        (&many, 1_001),
    ] {
        let refused = read(body.as_bytes()).unwrap_err();
        assert_eq!(refused.field, format!("line {line}"), "{body:?}");
        assert!(refused.detail.starts_with(&refused.field), "{}", refused.detail);
    }
    assert_eq!(read(b"TEE-1\nT\xff").unwrap_err().field, "line 2");
    assert_eq!(read(many.split_at(many.len() - 6).0.as_bytes()).unwrap().len(), 1_000);
}

#[test]
fn the_first_in_the_queue_draws_the_first_code_once_both_are_certain() {
    let uploads = [upload(3, 9, &["C", "A"]), upload(0, 1, &["A", "B"])];
    let places = [place(5, 7), place(1, 8), place(2, 7), place(6, 9), place(6, 5)];
    let at = |minutes: u8| minute(minutes).start().plus(SETTLE);
    let whole = draws(&uploads, &places, at(60));
    let expected = [(8, "A", 11), (7, "B", 12), (5, "C", 16)];
    assert_eq!(drawn(&whole), expected.map(|(order, code, at)| (order, code.to_owned(), at)));
    for (now, count) in [
        (at(1).plus(-1), 0),
        (at(1), 1),
        (at(2).plus(-1), 1),
        (at(2), 2),
        (at(6).plus(-1), 2),
        (at(6), 3),
    ] {
        assert_eq!(draws(&uploads, &places, now), whole[..count], "{now}");
    }
}

#[test]
fn a_pool_is_low_below_a_tenth_or_ten() {
    for (left, uploaded, low) in [
        (0, 0, true),
        (9, 9, true),
        (10, 10, false),
        (9, 50, true),
        (10, 100, false),
        (99, 1_000, true),
        (100, 1_000, false),
    ] {
        assert_eq!(is_low(left, uploaded), low, "{left} of {uploaded}");
    }
}

fn uploads() -> impl Strategy<Value = Vec<Upload>> {
    let codes = prop::collection::vec(0_u8..12, 1..4);
    let one = (0_u8..30, 0_u8..4, codes).prop_map(|(at, digest, codes)| Upload {
        accepted: minute(at),
        digest: Digest([digest; 10]),
        codes: codes.into_iter().map(|code| format!("T{code}")).collect(),
    });
    prop::collection::vec(one, 0..6)
        .prop_map(|mut uploads| {
            // One key, one upload.
            let mut seen = BTreeSet::new();
            uploads.retain(|upload| seen.insert((upload.accepted, upload.digest)));
            uploads
        })
        .prop_shuffle()
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    prop::collection::vec((0_u8..30, 0_u8..10).prop_map(|(at, order)| place(at, order)), 0..16)
}

proptest! {
    /// What one location does not see yet, and another does, changes nothing that is certain: two
    /// runs of the cron at different times and places never give a code, or a reward, twice.
    #[test]
    fn two_views_never_draw_differently(
        uploads in uploads(),
        places in places(),
        (early, late) in (0_u8..60, 0_u8..60),
        hidden in prop::collection::vec(any::<bool>(), 32),
    ) {
        let now = |minutes: u8| minute(minutes).start();
        let certain = |at: Minute| at.plus(SETTLE).start() <= now(early);
        let mut hidden = hidden.into_iter();
        let mut shows = |at| certain(at) || !hidden.next().unwrap_or(false);
        let seen: Vec<Upload> = uploads.iter().filter(|one| shows(one.accepted)).cloned().collect();
        let stand: Vec<Place> = places.iter().filter(|one| shows(one.since)).copied().collect();
        let first = drawn(&draws(&seen, &stand, now(early)));
        let second = drawn(&draws(&uploads, &places, now(late)));
        let common = first.len().min(second.len());
        prop_assert_eq!(&first[..common], &second[..common]);
        if early <= late {
            prop_assert!(first.len() <= second.len());
        }
        let orders: BTreeSet<u8> = second.iter().map(|(order, ..)| *order).collect();
        let given: BTreeSet<&String> = second.iter().map(|(_, code, _)| code).collect();
        prop_assert_eq!((orders.len(), given.len()), (second.len(), second.len()));
        // Nobody waits while there is a code.
        let all = draws(&uploads, &places, now(255));
        prop_assert_eq!(all.len(), queue(&places).len().min(codes(&uploads).len()));
    }

    #[test]
    fn reading_an_upload_never_panics_and_what_it_gives_reads_again(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(codes) = read(&body) {
            let again = format!("code\n{}", codes.join("\n"));
            prop_assert_eq!(read(again.as_bytes()).unwrap_or_default(), codes);
        }
    }
}
