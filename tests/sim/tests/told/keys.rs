//! Keys and terms that change at once.

use serde_json::json;

use crate::share;

#[test]
fn a_revocation_and_a_change_of_terms_at_once_both_count() {
    let mut told = share(&json!({}));
    told.uses_generation(2);
    told.order("A-0").of("ben").code("anna").send();
    told.hold_back("", 0, 8).hold_back("", 1, 8);
    let rate = json!([{ "for": "advocate", "trigger": "first_purchase",
                        "value": { "kind": "percent_of_order", "basis_points": 2_000 } }]);
    let sent = vec![(0, told.revocation(1)), (1, told.new_terms(&json!({ "rewards": rate })))];
    for (status, answer) in told.at_once(sent) {
        assert_eq!(status, 200, "{answer}");
    }
    told.wait(30);
    told.order("1").of("carl").code("anna").send();
    for place in [0, 1, 2] {
        told.uses_generation(1).from(place);
        assert_eq!(told.reads("/v1/program").0, 401, "revoked at location {place}");
        told.uses_generation(2);
        let (status, terms) = told.reads("/v1/program");
        assert_eq!((status, &terms["rewards"][0]["value"]["basis_points"]), (200, &json!(2_000)));
    }
    told.from(0).until_quiet();
    assert_eq!(told.owed("anna"), 1_000 + 2_000);
    told.is_sound();
}

#[test]
fn of_two_changes_within_a_minute_the_later_counts() {
    for (first, second) in [(3_000, 4_000), (4_000, 3_000)] {
        let mut told = share(&json!({}));
        let rules = |rate: u32| {
            json!({ "rewards": [{ "for": "advocate", "trigger": "first_purchase",
                "value": { "kind": "percent_of_order", "basis_points": rate } }] })
        };
        told.changes_terms(&rules(first)).changes_terms(&rules(second)).wait(30);
        told.order("1").of("ben").code("anna").send();
        told.until_quiet();
        assert_eq!(told.owed("anna"), i64::from(second));
        told.is_sound();
    }
}
