//! The rows of the lower part: referrals with their bonus and earlier stages, what the customer earned
//! as a friend, and what was asked for. A code stands with what it is for, and can be copied.

use passalong_core::reward::Status;

use crate::host::{NONE, Node, Text, date, format, pick, say};
use crate::names as n;
use crate::referral::{day, is_lost, look, sentence, state, status};
use crate::value::{is_zero, worth};
use crate::wire::{Claim, Me, Referral, Reward};

/// A referral: its reward, the bonus it reached, and what the same friend's sign-up earned before.
pub fn referral(referral: Referral, me: Me, list: Node) -> Node {
    let row = list.put(n::LI, NONE);
    row.set(n::TABINDEX, n::MINUS_ONE);
    let number = format(n::NUMBER, referral.number());
    let before = referral.before();
    let mut told = sentence(referral, me);
    if !before.reward().0.is_some() && before.0.is_some() {
        told = sentence(before, me).join(n::SPACE, told);
    }
    line(row, say(n::REFERRAL).fill(n::N, number), referral.reward(), told);
    let bonus = referral.bonus();
    if bonus.0.is_some() {
        line(row, say(n::BONUS), bonus, state(bonus, NONE, me));
    }
    if before.reward().0.is_some() {
        line(row, say(n::BEFORE), before.reward(), sentence(before, me));
    }
    row
}

/// What the customer earned as somebody's friend, and what waits for the shop: each in a part of its own
/// that can be folded.
pub fn others(me: Me, parent: Node) {
    let rewards = me.as_friend();
    let place = fold(parent, n::AS_FRIEND, rewards.length());
    for index in 0..rewards.length() {
        let own = rewards.get(index);
        let (reward, reason) = (own.reward(), pick(n::OWN_, own.reward().reason()));
        let mut told = sentence(own, me);
        if reason.is_some() && is_lost(status(reward)) {
            told = reason;
        }
        line(place.put(n::LI, NONE), pick(n::OWN_, own.kind()), reward, told);
    }
    let claims = me.claims();
    let place = fold(parent, n::CLAIMS, claims.length());
    for index in 0..claims.length() {
        let claim: Claim = claims.get(index);
        // A day as the customer said it, in no time zone.
        let ordered = date(claim.ordered_on(), n::UTC, me.as_of());
        let filed = say(n::CLAIM_FILED).fill(n::DATE, day(claim.filed_at(), me));
        let (standing, outcome) = match claim.status().known() {
            // What it earned stands among the referrals.
            n::APPROVED => (Some(Status::Approved), NONE),
            // The two are not told apart: whether there is such an order is the shop's to say.
            n::DECLINED | n::LAPSED => (Some(Status::Refused), n::REFUSED),
            _ => (None, n::REVIEW),
        };
        let told = filed.join(n::SPACE, pick(n::STATUS_, outcome));
        let name = say(n::CLAIM_ORDER).fill(n::DATE, ordered);
        head(place.put(n::LI, NONE), standing, name).write(n::P, NONE, told);
    }
}

/// A list that can be folded, and stays as it was when it is made anew. Nothing where it is empty.
fn fold(parent: Node, name: Text, length: i32) -> Node {
    if length == 0 {
        return NONE.data().node();
    }
    let old = n::CARD.find(n::HASH.join(n::EMPTY, name));
    let details = parent.put(n::DETAILS, n::GROUP);
    details.set(n::ID, name);
    details.mark(n::OPEN, !old.is_some() || old.attribute(n::OPEN).is_some());
    details.write(n::SUMMARY, NONE, say(name));
    details.put(n::OL, NONE)
}

/// A reward: a mark, a name, its worth, a sentence, and the code it is had with.
fn line(row: Node, name: Text, reward: Reward, told: Text) {
    let state = status(reward);
    let line = head(row, state, name);
    let value = reward.value();
    let is_nothing = is_lost(state) || is_zero(value);
    let worth = if is_nothing { NONE } else { worth(value) };
    let place = line.write(n::EM, NONE, worth.or(say(n::NO_VALUE)));
    if !worth.is_some() {
        // Said by the sentence; to the eye, the column stays a column.
        place.set(n::ARIA_HIDDEN, n::TRUE);
    }
    line.write(n::P, NONE, told);
    code(line, say(n::VOUCHER), reward.coupon());
}

/// The mark of a state and a name.
fn head(row: Node, state: Option<Status>, name: Text) -> Node {
    let line = row.put(n::DIV, look(state));
    line.put(n::SPAN, n::MARK);
    line.write(n::B, NONE, name);
    line
}

/// A code with its name above it and a button that copies it, where there is one.
pub fn code(parent: Node, name: Text, code: Text) {
    if !code.is_some() {
        return;
    }
    let row = parent.put(n::DIV, n::CODE_ROW);
    let field = row.write(n::LABEL, NONE, name).put(n::INPUT, NONE);
    field.mark(n::READONLY, true);
    field.set(n::VALUE, code);
    let button = row.button(n::COPY, n::COPY, say(n::COPY));
    button.set(n::DATA_CODE, code);
    button.set(n::ARIA_LABEL, say(n::COPY).join(n::SPACE, code));
}
