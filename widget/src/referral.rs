//! One referral in a sentence: what happened when, where its reward is, and why.

use passalong_core::reward::Status;

use crate::host::{NONE, Text, date, pick, say};
use crate::names as n;
use crate::wire::{Me, Referral, Reward};

/// The look of a state: a shape of its own, in the colour of its tone.
pub fn look(status: Option<Status>) -> Text {
    match status {
        Some(Status::Pending) | None => n::WAIT_RING,
        Some(Status::Review) => n::WAIT_DIAMOND,
        Some(Status::Approved) => n::GOOD_DISC,
        Some(Status::Fulfilled) => n::GOOD_TICK,
        Some(Status::Reversed) => n::BAD_SQUARE,
        Some(Status::Refused) => n::BAD_CROSS,
        Some(Status::Expired) => n::DASH,
    }
}

/// Where the reward is. A status of a later version counts as pending: nothing is promised by it.
pub fn status(reward: Reward) -> Option<Status> {
    Some(match reward.status().known() {
        n::PENDING => Status::Pending,
        n::REVIEW => Status::Review,
        n::APPROVED => Status::Approved,
        n::FULFILLED => Status::Fulfilled,
        n::REVERSED => Status::Reversed,
        n::REFUSED => Status::Refused,
        n::EXPIRED => Status::Expired,
        _ => return None,
    })
}

/// Whether the state means that there is nothing to be had.
pub fn is_lost(status: Option<Status>) -> bool {
    matches!(status, Some(Status::Reversed | Status::Refused | Status::Expired))
}

/// Whether something of the order was taken back.
pub fn is_reversal(reason: Text) -> bool {
    matches!(
        reason.known(),
        n::REFUNDED | n::WITHDRAWN | n::CANCELLED | n::CHARGEBACK | n::DECLINED
    )
}

/// "Gekauft am 19. November. Frei ab 10. Dezember, wenn die Rückgabefrist endet."
pub fn sentence(referral: Referral, me: Me) -> Text {
    let kind = referral.kind();
    let done = pick(n::DONE_, kind).or(say(n::DONE_PURCHASE));
    let done = done.fill(n::DATE, day(referral.occurred_at(), me));
    done.join(n::SPACE, state(referral.reward(), kind, me))
}

/// Where a reward is, and why. `kind` is of what earned it.
pub fn state(reward: Reward, kind: Text, me: Me) -> Text {
    // Whoever has it can use it up to the end of a day in UTC.
    let zone = match status(reward) {
        Some(Status::Fulfilled) => n::UTC,
        _ => me.program().time_zone(),
    };
    let (until, since) = (day_in(zone, reward.until(), me), day(reward.since(), me));

    // A text that names the date it needs comes before the one that does without.
    let dated_text = |start: Text, end: Text| {
        let dated = if until.is_some() { pick(start, end.join(n::UNTIL_, n::EMPTY)) } else { NONE };
        dated.or(pick(start, end)).fill(n::UNTIL, until).fill(n::SINCE, since)
    };
    let where_it_is = dated_text(n::STATUS_, reward.status());
    let reason = reward.reason();
    // Of a sign-up, nothing can be returned: what is waited for is a day and no more.
    let is_plain = reason.known() == n::HOLD && kind.known() == n::SIGNUP && until.is_some();
    let why = if reason.is_some() && !is_plain { dated_text(n::REASON_, reason) } else { NONE };
    let shrunk = is_reversal(reason);
    let partly = if shrunk { say(n::PARTLY) } else { NONE };

    let (first, second) = match status(reward) {
        Some(Status::Approved) => (where_it_is, partly),
        Some(Status::Fulfilled) => {
            let own = dated_text(n::STATUS_FULFILLED_, reward.value().kind());
            (own.or(where_it_is), partly)
        }
        // Part of the order went back while the rest still waits.
        Some(Status::Pending) | None if shrunk => (where_it_is, partly),
        Some(Status::Review) => (why, where_it_is),
        _ => (why.or(where_it_is), NONE),
    };
    let to = reward.value().to();
    let gift = if to.is_some() { say(n::DONATION_OWN).fill(n::TO, to) } else { NONE };
    first.join(n::SPACE, second).join(n::SPACE, gift)
}

/// A day in the time zone of the program.
pub fn day(instant: Text, me: Me) -> Text {
    day_in(me.program().time_zone(), instant, me)
}

fn day_in(zone: Text, instant: Text, me: Me) -> Text {
    if instant.is_some() { date(instant, zone, me.as_of()) } else { NONE }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use passalong_core::reward::Reason;

    use super::*;

    /// A constant by its text.
    fn named(text: &str) -> Text {
        let place = n::NAMES.split('|').position(|name| name == text);
        Text(i32::try_from(place.unwrap_or(0)).unwrap())
    }

    #[test]
    fn the_constants_for_statuses_are_cores_words() {
        let constants =
            [n::PENDING, n::REVIEW, n::APPROVED, n::FULFILLED, n::REVERSED, n::EXPIRED, n::REFUSED];
        let words: Vec<Text> = Status::ALL.iter().map(|status| named(status.as_str())).collect();
        assert!(words == constants);
    }

    #[test]
    fn the_constants_for_reversals_are_those_of_core() {
        let constants = [n::REFUNDED, n::WITHDRAWN, n::CANCELLED, n::CHARGEBACK, n::DECLINED];
        let reversals = Reason::ALL.iter().filter(|reason| reason.is_reversal());
        let words: Vec<Text> = reversals.map(|reason| named(reason.as_str())).collect();
        assert!(words == constants);
    }

    #[test]
    fn every_status_has_a_look_of_its_own() {
        let looks: BTreeSet<i32> = Status::ALL.iter().map(|status| look(Some(*status)).0).collect();
        assert_eq!(looks.len(), Status::ALL.len());
    }
}
