//! What can be earned, in words: values of every kind, the headline and the sentences of an offer.

use crate::host::{Text, Words};
use crate::page::{text, word};
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

pub fn kind(value: &Value) -> Kind {
    match word(&value.kind()).as_str() {
        "percent_off" | "percent_of_order" => Kind::Percent,
        "amount_off" | "credit" => Kind::Money,
        "points" => Kind::Points,
        "storage_bytes" => Kind::Bytes,
        "free_periods" => Kind::Periods,
        _ => Kind::Other,
    }
}

/// A value as it stands in a sentence ("10 %", "5 €", "100 Punkte"). `whole` shortens round sums of
/// money.
pub fn phrase(words: &Words, value: &Value, whole: bool) -> Option<Text> {
    Some(match kind(value) {
        Kind::Percent => words.percent(&value.basis_points()),
        Kind::Money => words.money(&value.amount(), &value.currency(), whole),
        Kind::Points => words.count("points", &value.points()),
        Kind::Bytes => words.bytes(&value.bytes()),
        Kind::Periods => words.count("periods", &value.periods()),
        Kind::Other => return value.label(),
    })
}

/// Whether nothing is left of it. Percentages and gifts have no amount to lose.
pub fn is_zero(value: &Value) -> bool {
    match kind(value) {
        Kind::Money => value.amount().is_falsy(),
        Kind::Points => value.points().is_falsy(),
        _ => false,
    }
}

/// "Gib 10 %, bekomm 20 %", as far as both are known.
pub fn headline(words: &Words, terms: &Offer) -> Text {
    let friend = terms.friend().and_then(|value| phrase(words, &value, true));
    let advocate = terms.advocate().and_then(|value| phrase(words, &value, true));
    let key = match (&friend, &advocate) {
        (Some(_), Some(_)) => "title.both",
        (Some(_), None) => "title.friend",
        (None, Some(_)) => "title.advocate",
        (None, None) => "title.none",
    };
    let mut title = words.say(key);
    if let Some(friend) = friend {
        title = words.fill(&title, "friend", &friend);
    }
    if let Some(advocate) = advocate {
        title = words.fill(&title, "advocate", &advocate);
    }
    title
}

/// What one side gets, as a clause of the texts that begin with `side`. Every such group has one
/// that ends in `other`, for kinds that need no words of their own.
pub fn clause(words: &Words, side: &str, value: Option<Value>) -> Option<Text> {
    let value = value?;
    let what = phrase(words, &value, true)?;
    let other = || words.pick(side, &text("other"));
    let text = words.pick(side, &value.kind()).or_else(other)?;
    Some(words.fill(&text, "v", &what))
}

/// "Wer über deinen Link zum ersten Mal bestellt, spart 10 %."
pub fn friend(words: &Words, terms: &Offer) -> Option<Text> {
    let what = clause(words, "friend.", terms.friend())?;
    let who = words.say(if terms.new_customers_only() { "friend.new" } else { "friend.any" });
    Some(who.concat(" ", &what))
}

/// Who gets what, and from when on: the paragraph under the headline.
pub fn explanation(words: &Words, terms: &Offer) -> Text {
    let advocate = clause(words, "advocate.", terms.advocate()).map(|clause| {
        let held = terms.hold_days().is_truthy();
        let text = words.say(if held { "advocate.held" } else { "advocate.free" });
        words.fill(&text, "advocate", &clause)
    });
    match (friend(words, terms), advocate) {
        (Some(friend), Some(advocate)) => friend.concat(" ", &advocate),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => words.say("title.plain"),
    }
}

/// "Die Bestellung muss mindestens 30 € wert sein.", where there is such a minimum.
pub fn minimum(words: &Words, terms: &Offer, currency: &Text) -> Option<Text> {
    let amount = terms.minimum_order();
    let text = words.say("terms.minimum");
    amount.is_truthy().then(|| words.fill(&text, "amount", &words.money(&amount, currency, true)))
}
