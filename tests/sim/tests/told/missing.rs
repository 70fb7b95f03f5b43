//! Missing referrals: orders that a customer says were theirs to refer.

use serde_json::json;

use crate::share;

#[test]
fn a_report_and_its_order_at_two_locations_at_once_find_each_other() {
    for report_first in [true, false] {
        let mut told = share(&json!({}));
        told.hold_back("", 0, 8).hold_back("", 1, 8);
        if report_first {
            told.from(1).misses("anna", "1").wait(2);
        }
        told.from(0).order("1").of("ben").send();
        if !report_first {
            told.wait(2).from(1).misses("anna", "1");
        }
        told.from(0).until_quiet();
        assert_eq!(told.owed("anna"), 0, "undecided it is nobody's");
        told.approves("1", None).until_quiet();
        assert_eq!(told.owed("anna"), 1_000);
        told.is_sound();
    }
}

#[test]
fn an_approval_after_the_hold_is_owed_an_hour_later() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").send();
    told.wait(5).misses("anna", "1").until_quiet();
    told.wait_days(10).approves("1", None);
    assert_eq!(told.wait(20).cron(0).cron(1).owed("anna"), 0, "not at once");
    told.until_quiet();
    assert_eq!(told.owed("anna"), 1_000);
    told.is_sound();
}

#[test]
fn of_two_customers_approved_for_one_order_the_first_earns() {
    let mut told = share(&json!({}));
    told.order("1").of("ben").send();
    told.wait(5).misses("anna", "1").misses("berta", "1").wait(60).cron(0).wait(60);
    // Nobody sees what the other decides.
    told.hold_back("", 0, 8).hold_back("", 1, 8);
    let first = told.decision("approve", "1", Some("berta"));
    let answers = told.at_once(vec![(0, first)]);
    assert_eq!(answers[0].0, 200, "{}", answers[0].1);
    told.wait(2);
    let second = told.decision("approve", "1", Some("anna"));
    told.at_once(vec![(1, second)]);
    told.until_quiet();
    assert_eq!((told.owed("anna"), told.owed("berta")), (0, 1_000));
    told.is_sound();
}

#[test]
fn a_report_that_nobody_approved_holds_nobody() {
    for decision in [None, Some("decline")] {
        let mut told = share(&json!({}));
        told.order("1").of("ben").send();
        told.wait(5).misses("mallory", "1").wait(60).cron(0).wait(30);
        if let Some(decision) = decision {
            let sent = told.decision(decision, "1", None);
            assert_eq!(told.ask(sent).0, 200);
        }
        // The honest advocate's friend is new, as the shop says.
        told.order("2").of("ben").code("anna").first(true).send();
        told.until_quiet();
        assert_eq!((told.owed("anna"), told.owed("mallory")), (1_000, 0), "{decision:?}");
        told.is_sound();
    }
}
