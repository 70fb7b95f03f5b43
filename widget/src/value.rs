//! What can be earned, in words: values of every kind, the headline and the sentences of an offer.

use crate::host::{NONE, Text, count, format, money, pick, say};
use crate::names as n;
use crate::wire::{Offer, Value};

/// What a value is, as far as the widget must know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Percent,
    Money,
    Points,
    Bytes,
    Periods,
    /// A gift, a donation, or a kind of a later version: has a label or nothing to say.
    Other,
}

pub fn kind(value: Value) -> Kind {
    match value.kind().known() {
        n::PERCENT_OFF | n::PERCENT_OF_ORDER => Kind::Percent,
        n::AMOUNT_OFF | n::CREDIT => Kind::Money,
        n::POINTS => Kind::Points,
        n::STORAGE_BYTES => Kind::Bytes,
        n::FREE_PERIODS => Kind::Periods,
        _ => Kind::Other,
    }
}

/// A value as it stands in a sentence ("10 %", "5 €", "100 Punkte"). `whole` shortens round sums of
/// money.
pub fn phrase(value: Value, whole: bool) -> Text {
    match kind(value) {
        Kind::Percent => format(n::PERCENT, value.basis_points()),
        Kind::Money => money(value.amount(), value.currency(), whole),
        Kind::Points => count(n::POINTS, value.points()),
        Kind::Bytes => format(n::BYTES, value.bytes()),
        Kind::Periods => count(n::PERIODS, value.periods()),
        Kind::Other => value.label(),
    }
}

/// Whether nothing is left of it. Percentages and gifts have no amount to lose.
pub fn is_zero(value: Value) -> bool {
    match kind(value) {
        Kind::Money => !value.amount().is_truthy(),
        Kind::Points => !value.points().is_truthy(),
        _ => false,
    }
}

/// "Gib 10 %, bekomm 20 %", as far as both are known.
pub fn headline(terms: Offer) -> Text {
    let friend = phrase(terms.friend(), true);
    let advocate = phrase(terms.advocate(), true);
    let key = match (friend.is_some(), advocate.is_some()) {
        (true, true) => n::TITLE_BOTH,
        (true, false) => n::TITLE_FRIEND,
        (false, true) => n::TITLE_ADVOCATE,
        (false, false) => n::TITLE_NONE,
    };
    say(key).fill(n::FRIEND, friend).fill(n::ADVOCATE, advocate)
}

/// What one side gets, as a clause of the texts that begin with `side`. Every such group has one
/// that ends in `other`, for kinds that need no words of their own.
pub fn clause(side: Text, value: Value) -> Text {
    let what = phrase(value, true);
    if what.is_some() {
        pick(side, value.kind()).or(pick(side, n::OTHER)).fill(n::V, what)
    } else {
        NONE
    }
}

/// "Wer über deinen Link zum ersten Mal bestellt, spart 10 %."
pub fn friend(terms: Offer) -> Text {
    let what = clause(n::FRIEND_, terms.friend());
    if !what.is_some() {
        return NONE;
    }
    let who = if terms.new_customers_only() { n::FRIEND_NEW } else { n::FRIEND_ANY };
    say(who).join(n::SPACE, what)
}

/// Who gets what, and from when on: the paragraph under the headline.
pub fn explanation(terms: Offer) -> Text {
    let mut advocate = clause(n::ADVOCATE_, terms.advocate());
    if advocate.is_some() {
        let held = terms.hold_days().is_truthy();
        let text = say(if held { n::ADVOCATE_HELD } else { n::ADVOCATE_FREE });
        advocate = text.fill(n::ADVOCATE, advocate);
    }
    friend(terms).join(n::SPACE, advocate).or(say(n::TITLE_PLAIN))
}

/// "Die Bestellung muss mindestens 30 € wert sein.", where there is such a minimum.
pub fn minimum(terms: Offer, currency: Text) -> Text {
    let amount = terms.minimum_order();
    if amount.is_truthy() {
        say(n::TERMS_MINIMUM).fill(n::AMOUNT, money(amount, currency, true))
    } else {
        NONE
    }
}
