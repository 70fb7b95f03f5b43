use super::*;
use crate::money::BasisPoints;
use crate::reward::Value;

fn preset(more: &str) -> Result<Program, Invalid> {
    let body = format!(
        r#"{{"id":"teehaus","preset":"20-10","name":"Teehaus Nord","landing_url":"https://shop.example/willkommen"{more}}}"#
    );
    Program::from_preset(body.as_bytes())
}

#[test]
fn the_preset_20_10_says_what_its_name_says() {
    let program = preset("").unwrap();
    let values: Vec<_> = program.rewards.iter().map(|rule| (rule.role, rule.value)).collect();
    assert_eq!(
        values,
        [
            (Role::Advocate, Value::PercentOfOrder { basis_points: BasisPoints(2000) }),
            (Role::Friend, Value::PercentOff { basis_points: BasisPoints(1000), times: None }),
        ]
    );
    assert_eq!(program.hold, Hold { from: HoldFrom::Delivered, days: 21, fallback_days: 30 });
}

#[test]
fn a_program_reads_back_what_it_writes() {
    let program = preset(r#","allowed_hosts":["b.example","a.example","b.example"],"paused":true"#);
    let program = program.unwrap();
    assert_eq!(program.allowed_hosts, ["a.example", "b.example"]);
    let text = serde_json::to_vec(&program).unwrap();
    assert_eq!(Program::parse(&text), Ok(program));
}

#[test]
fn every_mistake_names_its_field() {
    let rule = |rule: &str| format!(r#","rewards":[{rule}]"#);
    let advocate =
        |rest: &str| rule(&format!(r#"{{"for":"advocate","trigger":"first_purchase",{rest}}}"#));
    for (more, field) in [
        (r#","landing_url":"http://shop.example""#.to_owned(), "landing_url"),
        (r#","allowed_hosts":["https://shop.example"]"#.to_owned(), "allowed_hosts[0]"),
        (r#","currency":"euro""#.to_owned(), "currency"),
        (r#","time_zone":"Berlin; DROP""#.to_owned(), "time_zone"),
        (r#","hold":{"days":-1}"#.to_owned(), "hold.days"),
        (r#","hold":{"weeks":3}"#.to_owned(), "hold.weeks"),
        (r#","attribution":{"window_days":0}"#.to_owned(), "attribution.window_days"),
        (r#","colour":"red""#.to_owned(), "colour"),
        (r#","preset":"unknown""#.to_owned(), "preset"),
        (rule(""), "rewards"),
        (
            rule(
                r#"{"for":"friend","trigger":"first_purchase","value":{"kind":"points","points":5}}"#,
            ),
            "rewards",
        ),
        (
            advocate(r#""value":{"kind":"percent_off","basis_points":0}"#),
            "rewards[0].value.basis_points",
        ),
        (
            advocate(r#""value":{"kind":"percent_off","basis_points":10001}"#),
            "rewards[0].value.basis_points",
        ),
        (advocate(r#""value":{"kind":"gold"}"#), "rewards[0].value.kind"),
        (
            advocate(r#""value":{"kind":"credit","amount":5,"currency":"USD"}"#),
            "rewards[0].value.currency",
        ),
        (advocate(r#""value":{"kind":"credit","amount":5},"when":"at_once""#), "rewards[0].when"),
        (
            advocate(r#""value":{"kind":"percent_off","basis_points":5},"cap":{"amount":5}"#),
            "rewards[0].cap",
        ),
        (
            rule(
                r#"{"for":"advocate","trigger":"signup","value":{"kind":"percent_of_order","basis_points":5}}"#,
            ),
            "rewards[0].value",
        ),
        (
            rule(r#"{"for":"advocate","trigger":"action","value":{"kind":"credit","amount":5}}"#),
            "rewards[0].value",
        ),
        (
            rule(
                r#"{"for":"advocate","trigger":"every_purchase","value":{"kind":"points","points":5}},
                   {"for":"advocate","trigger":"first_purchase","value":{"kind":"points","points":9}}"#,
            ),
            "rewards[1]",
        ),
    ] {
        // Where a key is given twice, the later one counts.
        assert_eq!(preset(&more).unwrap_err().field, field, "{more}");
    }
}

#[test]
fn a_url_leads_where_it_says() {
    for good in [
        "https://shop.example",
        "https://shop.example:8443/a?b=c#d",
        "http://localhost:8788/willkommen",
        "http://127.0.0.1:8788",
        "https://shop.example/@user",
    ] {
        assert!(good.parse::<Url>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "shop.example",
        "http://shop.example",
        "https://",
        "https:///a",
        "https://user@shop.example",
        "https://user:pass@shop.example",
        "https://user@shop.localhost:8788/",
        "http://a/b@x.localhost",
        "https://shop.example\\@evil.example",
        "https://shop.example\n.evil",
        "javascript://shop.example/%0aalert(1)",
        "https://shop example/",
        "https://ümlaut.example",
        "http://localhost.evil.example",
        "https://-a",
    ] {
        assert_eq!(bad.parse::<Url>(), Err(UrlError), "{bad}");
    }
    let url: Url = "https://Shop.example:8443/a?b=c".parse().unwrap();
    assert_eq!(
        (url.origin(), url.authority().as_str()),
        ("https://Shop.example:8443", "shop.example:8443")
    );
}

#[test]
fn the_version_that_applied_then_applies() {
    let at = |seconds| Instant::from_seconds(seconds);
    let program = |paused: bool| preset(&format!(r#","paused":{paused}"#)).unwrap();
    let versions = Versions::new(vec![
        (at(200), Digest([0; 10]), program(true)),
        (at(100), Digest([9; 10]), program(false)),
    ]);
    assert_eq!(versions.at(at(99)), None);
    for (seconds, number) in [(100, 1), (199, 1), (200, 2), (500, 2)] {
        assert_eq!(versions.at(at(seconds)).unwrap().number, number, "{seconds}");
    }
    assert_eq!(versions.current(at(0)).unwrap().number, 1);
}

#[test]
fn of_two_versions_saved_in_one_second_the_later_applies_whatever_their_digests() {
    let save = |millis, digest, paused: bool| {
        let terms = preset(&format!(r#","paused":{paused}"#)).unwrap();
        (Moment::from_millis(millis), Digest([digest; 10]), terms)
    };
    for (earlier, later) in [(1, 9), (9, 1)] {
        let saved = vec![save(100_002, later, true), save(100_001, earlier, false)];
        let versions = Versions::new(saved);
        assert_eq!(versions.at(Instant::from_seconds(100)), None, "not for a part of its second");
        let valid = versions.at(Instant::from_seconds(101)).unwrap();
        assert_eq!((valid.number, valid.terms.paused), (2, true));
        let first = versions.stored_under((Moment::from_millis(100_001), Digest([earlier; 10])));
        assert_eq!(first, versions.first());
        assert_eq!(versions.latest_from(), Some(Moment::from_millis(100_002)));
    }
}

#[test]
fn of_a_day_the_first_twenty_versions_count() {
    let day = 20_000 * 86_400_000;
    let save = |millis: i64, digest: u8| {
        let terms = preset(&format!(r#","review":{{"orders_per_day":{}}}"#, digest + 1)).unwrap();
        (Moment::from_millis(day + millis), Digest([digest; 10]), terms)
    };
    let mut saved: Vec<_> = (0..22_u8).map(|n| save(1_000, n)).collect();
    saved.push(save(86_399_999, 40));
    saved.push(save(86_400_000, 50));
    for turn in 0..24 {
        saved.rotate_left(turn);
        let versions = Versions::new(saved.clone());
        let counted: Vec<_> =
            versions.all().map(|version| version.terms.review.orders_per_day.unwrap()).collect();
        assert_eq!(counted, (1..=20).chain([51]).collect::<Vec<u32>>(), "and the next day's");
        let today = Moment::from_millis(day).day();
        assert_eq!(
            [today.plus(-1), today, today.plus(1)].map(|day| versions.of_day(day)),
            [0, 20, 1]
        );
    }
}

/// Terms with these rules, and a ceiling for what an advocate earns in a year.
fn with_rules(rules: &serde_json::Value, ceiling: Option<i64>) -> Result<Program, Invalid> {
    let body = serde_json::json!({
        "id": "teehaus", "preset": "20-10", "name": "Teehaus Nord",
        "landing_url": "https://shop.example/", "rewards": rules, "yearly_ceiling": ceiling,
    });
    Program::from_preset(body.to_string().as_bytes())
}

#[test]
fn a_coupon_fits_a_cap_that_is_a_multiple_of_its_value_and_a_ceiling_that_it_does_not_exceed() {
    let rule = |cap: Option<i64>, delivery: &str| {
        let pool = (delivery == "coupon").then_some("tee");
        serde_json::json!([{
            "for": "advocate", "trigger": "first_purchase", "delivery": delivery, "pool": pool,
            "value": {"kind": "credit", "amount": 1000}, "cap": {"amount": cap},
        }])
    };
    let field = |result: Result<Program, Invalid>| result.err().map(|error| error.field);
    for (cap, problem) in [(1000, None), (3000, None), (2500, Some("rewards[0].cap.amount"))] {
        let refused = field(with_rules(&rule(Some(cap), "coupon"), None));
        assert_eq!(refused.as_deref(), problem, "{cap}");
        assert_eq!(field(with_rules(&rule(Some(cap), "manual"), None)), None, "{cap}");
    }
    for (ceiling, problem) in [(1000, None), (999, Some("yearly_ceiling"))] {
        let refused = field(with_rules(&rule(None, "coupon"), Some(ceiling)));
        assert_eq!(refused.as_deref(), problem, "{ceiling}");
        let in_part = field(with_rules(&rule(None, "manual"), Some(ceiling)));
        assert_eq!(in_part, None, "credit can be given in part");
    }
}

#[test]
fn a_bonus_counts_referrals_of_its_segment_and_comes_no_later_than_their_cap_ends() {
    let rules = |plain: Option<&str>, bonus: Option<&str>, cap: u32, at: u32| {
        let rule = |segment: Option<&str>| {
            let value = serde_json::json!({"kind": "points", "points": 5});
            serde_json::json!({"for": "advocate", "trigger": "first_purchase", "value": value,
                               "segment": segment})
        };
        let (mut plain, mut bonus) = (rule(plain), rule(bonus));
        plain["cap"] = serde_json::json!({"count": cap});
        bonus["milestone"] = at.into();
        with_rules(&serde_json::json!([plain, bonus]), None)
    };
    let (vip, gold) = (Some("vip"), Some("gold"));
    for (plain, bonus, fits) in [
        (None, None, true),
        (None, vip, true),
        (vip, None, true),
        (vip, vip, true),
        (vip, gold, false),
    ] {
        assert_eq!(rules(plain, bonus, 9, 3).is_ok(), fits, "{plain:?} {bonus:?}");
    }
    for (cap, fits) in [(4, true), (3, true), (2, false)] {
        assert_eq!(rules(None, None, cap, 3).is_ok(), fits, "{cap}");
    }
}
