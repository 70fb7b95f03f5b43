//! Advocates who order themselves, and who are erased.

use serde_json::json;

use passalong_sim::Told;

use crate::share;

#[test]
fn a_guest_with_the_advocates_own_mail_is_the_advocate() {
    let mut told = share(&json!({}));
    told.visits("anna").wait(20);
    told.order("1").in_mail_of("anna").code("anna").send();
    told.until_quiet();
    assert_eq!((told.owed("anna"), told.fate("1")), (0, "refused self_referral".to_owned()));
    told.is_sound();
}

#[test]
fn a_mail_that_an_order_named_with_the_advocates_id_is_the_advocates() {
    let mut told = share(&json!({}));
    told.order("A-0").of("anna").in_mail_of("anna").send();
    told.wait(20).order("1").in_mail_of("anna").code("anna").first(true).send();
    told.until_quiet();
    assert_eq!((told.owed("anna"), told.fate("1")), (0, "refused self_referral".to_owned()));
    told.is_sound();
}

#[test]
fn erasing_the_advocate_before_settlement_keeps_a_self_referral_refused() {
    let mut told = share(&json!({}));
    told.visits("anna").wait(20);
    told.order("1").in_mail_of("anna").code("anna").send();
    told.wait(20).erases("anna").until_quiet();
    assert_eq!(told.owed_to_all(), 0);
    told.is_sound();
}

/// Orders that settle a day after they are placed.
fn after_a_day() -> Told {
    share(&json!({ "hold": { "from": "order", "days": 1, "fallback_days": 0 } }))
}

/// Erases somebody so many minutes before the verdict, and lets the cron run while what decides the order
/// is copied and deleted, which a location sees late.
fn erased_before(told: &mut Told, customer: &str, minutes: u64, dies: bool) {
    told.wait(24 * 60 + 10 - minutes).hold_back("", 1, 8);
    told.erases(customer).wait(78);
    for _ in 0..12 {
        told.hold_back("", 1, 8).wait(4).crons(&[0, 1]);
        if dies {
            told.cron_that_dies(2, 60);
        } else {
            told.crons(&[2]);
        }
    }
    told.until_quiet();
}

/// One run still sees who the advocate was, the other does not any more.
#[test]
fn an_erasure_around_the_verdict_changes_no_byte_of_it() {
    for minutes in [125, 115, 107, 100, 95, 90, 85, 80] {
        let mut told = after_a_day();
        told.visits("anna").wait(20);
        told.order("1").in_mail_of("anna").code("anna").send();
        erased_before(&mut told, "anna", minutes, true);
        assert_eq!(told.owed_to_all(), 0, "erased {minutes} minutes before");
        told.is_sound();
    }
}

/// The friend is erased, and was an old customer.
#[test]
fn an_erasure_of_the_friend_makes_no_new_customer() {
    for minutes in [1_400, 125, 107, 95, 85] {
        let mut told = after_a_day();
        told.order("A-0").of("ben").send();
        told.wait(20).order("1").of("ben").code("anna").send();
        erased_before(&mut told, "ben", minutes, false);
        assert_eq!(told.owed("anna"), 0, "erased {minutes} minutes before");
        told.is_sound();
    }
}
