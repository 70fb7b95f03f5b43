//! Who counts as a person. The table in `fixtures/user_agents.tsv` was collected by hand: class,
//! user agent, what it is, source. A source is the page of the vendor or of a public collection;
//! "public test suites" are strings that several open repositories test with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use passalong_core::visit::{Visit, classify};
use proptest::prelude::*;

const TABLE: &str = include_str!("../fixtures/user_agents.tsv");

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

struct Row {
    class: Visit,
    agent: &'static str,
    about: &'static str,
}

fn rows() -> Vec<Row> {
    let mut lines = TABLE.lines();
    assert_eq!(lines.next(), Some("class\tuser agent\twhat it is\tsource"));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [class, agent, about, source] = columns[..] else { panic!("four columns: {line}") };
            assert!(!about.is_empty() && (agent.is_empty() || !source.is_empty()), "{line}");
            let class = match class {
                "person" => Visit::Person,
                "preview" => Visit::Preview,
                "bot" => Visit::Bot,
                other => panic!("class {other}"),
            };
            Row { class, agent, about }
        })
        .collect()
}

#[test]
fn every_user_agent_of_the_table_is_what_it_is() {
    let wrong: Vec<String> = rows()
        .iter()
        .filter(|row| classify("GET", Some(row.agent), &[]) != row.class)
        .map(|row| format!("{:?}: {} ({})", row.class, row.agent, row.about))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_class_of_the_table_has_its_near_misses() {
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for row in rows() {
        let (all, near) = classes.entry(format!("{:?}", row.class)).or_default();
        *all += 1;
        *near += usize::from(row.about.starts_with("near miss"));
    }
    for (class, least) in [("Person", 20), ("Preview", 3), ("Bot", 5)] {
        let (all, near) = classes[class];
        assert!(all >= 40 && near >= least, "{class}: {near} of {all}");
    }
}

#[test]
fn case_and_blanks_do_not_hide_a_machine() {
    for (agent, class) in [
        ("  WhatsApp/2.23", Visit::Preview),
        ("WHATSAPP/2.23", Visit::Preview),
        ("TELEGRAMBOT", Visit::Preview),
        ("mozilla/5.0 (compatible; GOOGLEBOT/2.1)", Visit::Bot),
        ("CURL/8", Visit::Bot),
        ("   ", Visit::Bot),
    ] {
        assert_eq!(classify("GET", Some(agent), &[]), class, "{agent:?}");
    }
    assert_eq!(classify("GET", None, &[]), Visit::Bot);
}

#[test]
fn what_is_fetched_ahead_is_no_visit() {
    for purpose in [
        "prefetch",
        "Prefetch",
        "prefetch;prerender",
        "prefetch;anonymous-client-ip",
        "prerender",
        "preview",
        ": preview",
    ] {
        for place in 0..4 {
            let mut purposes = [None; 4];
            purposes[place] = Some(purpose);
            assert_eq!(classify("GET", Some(FIREFOX), &purposes), Visit::Prefetch, "{purpose}");
        }
    }
    for purpose in ["", "navigate", "fetch"] {
        assert_eq!(classify("GET", Some(FIREFOX), &[Some(purpose)]), Visit::Person, "{purpose}");
    }
}

#[test]
fn a_head_request_is_no_visit_whoever_asks() {
    for agent in [Some(FIREFOX), Some("WhatsApp/2"), Some("curl/8"), None] {
        assert_eq!(classify("HEAD", agent, &[]), Visit::Head);
        assert_eq!(classify("HEAD", agent, &[Some("prefetch")]), Visit::Head);
    }
    assert_eq!(classify("GET", Some("WhatsApp/2"), &[Some("prefetch")]), Visit::Preview);
    assert_eq!(classify("GET", Some("curl/8"), &[Some("prefetch")]), Visit::Bot);
}

proptest! {
    #[test]
    fn any_request_is_classified(method: String, agent: Option<String>, purpose: Option<String>) {
        let _ = classify(&method, agent.as_deref(), &[purpose.as_deref()]);
    }

    /// Only the table decides: nothing a browser appends that it does not name makes a machine.
    #[test]
    fn a_browser_with_an_unknown_suffix_is_a_person(version in "[0-9.]{1,12}") {
        let agent = format!("{FIREFOX} Kiosk/{version}");
        prop_assert_eq!(classify("GET", Some(&agent), &[]), Visit::Person);
    }
}
