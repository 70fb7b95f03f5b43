//! Advocates who order themselves, and who are erased.

use serde_json::json;

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

/// One run still sees who the advocate was, the other does not any more.
#[test]
fn an_erasure_around_the_verdict_changes_no_byte_of_it() {
    for minute in [58, 61, 65, 69, 71, 73, 80] {
        let mut told = share(&json!({}));
        told.visits("anna").wait(20);
        told.order("1").in_mail_of("anna").code("anna").send();
        told.wait(minute).hold_back("", 1, 8);
        told.erases("anna");
        for _ in 0..4 {
            told.wait(3).crons(&[0, 1]).cron_that_dies(2, 60);
        }
        told.until_quiet();
        assert_eq!(told.owed_to_all(), 0, "erased after {minute} minutes");
        told.is_sound();
    }
}

/// The friend is erased, and was an old customer.
#[test]
fn an_erasure_of_the_friend_makes_no_new_customer() {
    for minute in [5, 58, 69, 71] {
        let mut told = share(&json!({}));
        told.order("A-0").of("ben").send();
        told.wait(20).order("1").of("ben").code("anna").send();
        told.wait(minute).hold_back("", 1, 8);
        told.erases("ben");
        for _ in 0..4 {
            told.wait(3).crons(&[0, 1]).crons(&[2]);
        }
        told.until_quiet();
        assert_eq!(told.owed("anna"), 0, "erased after {minute} minutes");
        told.is_sound();
    }
}
