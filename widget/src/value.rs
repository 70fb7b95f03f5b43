//! What can be earned, in words: values of every kind, the headline and the sentences of an offer.

use crate::host::{NONE, Text, count, data, format, money, pick, say};
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
    /// A gift, or a kind of a later version: has a label or nothing to say.
    Other,
}

pub fn kind(value: Value) -> Kind {
    match value.kind().known() {
        n::PERCENT_OFF | n::PERCENT_OF_ORDER => Kind::Percent,
        n::AMOUNT_OFF | n::CREDIT | n::DONATION => Kind::Money,
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

/// A value that stands alone: also on how many orders it is had ("3 × 25 %").
pub fn worth(value: Value) -> Text {
    let phrase = phrase(value, false);
    if is_repeated(value) {
        format(n::NUMBER, value.times()).join(n::CROSS, phrase)
    } else {
        phrase
    }
}

/// A sum as a number: amounts add up, percentages and the like are counted ("2 × 20 %"). What was
/// given to somebody else is said to be so.
pub fn sum(value: Value) -> Text {
    let phrase = phrase(value, false);
    let adds_up = !matches!(kind(value), Kind::Percent | Kind::Other);
    let times = if is_repeated(value) { value.times().integer() } else { 1 };
    let count = data(value.count().integer().wrapping_mul(times));
    if value.kind().known() == n::DONATION {
        say(n::DONATED).fill(n::V, phrase)
    } else if phrase.is_some() && count.is_truthy() && !adds_up {
        format(n::NUMBER, count).join(n::CROSS, phrase)
    } else {
        phrase
    }
}

/// A prize by its name, or else by what one gets.
pub fn prize(value: Value) -> Text {
    value.label().or(clause(n::MESSAGE_BENEFIT_, value))
}

fn is_repeated(value: Value) -> bool {
    value.times().is_some() && !value.times().is(data(1))
}

/// Whether nothing is left of it. Percentages and gifts have no amount to lose.
pub fn is_zero(value: Value) -> bool {
    match kind(value) {
        Kind::Money => !value.amount().is_truthy(),
        Kind::Points => !value.points().is_truthy(),
        Kind::Bytes => !value.bytes().is_truthy(),
        _ => false,
    }
}

/// "Gib 10 %, bekomm 20 %", as far as both are known.
pub fn headline(terms: Offer) -> Text {
    let (friend, advocate) = (terms.friend(), terms.advocate());
    let get = clause(n::GET_, advocate);
    if get.is_some() {
        let give = clause(n::GIVE_, friend);
        return if give.is_some() { give.join(n::COMMA, get) } else { clause(n::ALONE_, advocate) };
    }
    clause(n::PASS_, friend).or(say(n::TITLE_NONE))
}

/// What one side gets, as a clause of the texts that begin with `side`. Every such group has one
/// that ends in `other`, for kinds that need no words of their own.
pub fn clause(side: Text, value: Value) -> Text {
    let what = phrase(value, true);
    if !what.is_some() {
        return NONE;
    }
    let own = if is_repeated(value) { pick(side, n::TIMES) } else { NONE };
    let text = own.or(pick(side, value.kind())).or(pick(side, n::OTHER));
    let to = value.to();
    let what =
        if to.is_some() { say(n::DONATION_TO).fill(n::V, what).fill(n::TO, to) } else { what };
    text.fill(n::N, format(n::NUMBER, value.times())).fill(n::V, what)
}

/// Whether signing up is what counts, not buying.
pub fn is_by_signup(terms: Offer) -> bool {
    terms.trigger().known() == n::SIGNUP
}

/// Whether the friend's part is had later, as the advocate's is.
pub fn is_later(terms: Offer) -> bool {
    terms.when().known() == n::EARNED
}

/// "Wer über deinen Link zum ersten Mal bestellt, spart 10 %."
pub fn friend(terms: Offer) -> Text {
    let value = terms.friend();
    let what = clause(n::FRIEND_, value);
    if !what.is_some() {
        return NONE;
    }
    // A discount that is had later is none on the order that earns it.
    let off = matches!(value.kind().known(), n::PERCENT_OFF | n::AMOUNT_OFF);
    let later = off && !is_repeated(value) && is_later(terms);
    let what = if later { say(n::FRIEND_LATER).fill(n::V, phrase(value, true)) } else { what };
    let who = if is_by_signup(terms) {
        n::FRIEND_SIGNUP
    } else if terms.new_customers_only() {
        n::FRIEND_NEW
    } else {
        n::FRIEND_ANY
    };
    say(who).join(n::SPACE, what)
}

/// Who gets what, and from when on: the paragraph under the headline.
pub fn explanation(terms: Offer) -> Text {
    let mut advocate = clause(n::ADVOCATE_, terms.advocate());
    if advocate.is_some() {
        let text = if !terms.hold_days().is_truthy() {
            n::ADVOCATE_FREE
        } else if is_by_signup(terms) {
            n::ADVOCATE_WAITS
        } else {
            n::ADVOCATE_HELD
        };
        advocate = say(text).fill(n::ADVOCATE, advocate);
    }
    friend(terms).join(n::SPACE, advocate).or(say(n::TITLE_PLAIN))
}

/// "Mindestbestellwert: 30 €.", where there is such a minimum.
pub fn minimum(terms: Offer, currency: Text) -> Text {
    let amount = terms.minimum_order();
    if amount.is_truthy() {
        say(n::TERMS_MINIMUM).fill(n::AMOUNT, money(amount, currency, true))
    } else {
        NONE
    }
}
