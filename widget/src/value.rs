//! What can be earned, in words: values of every kind, the headline and the sentences of an offer.

use crate::page::{Page, join};
use crate::wire::{Terms, Value};

/// A value as it stands in a sentence ("10 %", "5 €", "100 Punkte"), or nothing for a kind this
/// version does not know and that brings no label of its own. `whole` shortens round sums of money.
pub fn phrase(page: &Page, value: &Value, whole: bool) -> Option<String> {
    let words = page.host.words();
    Some(match value.kind().as_str() {
        "percent_off" | "percent_of_order" => words.percent(&value.basis_points()),
        "amount_off" | "credit" => words.money(&value.amount(), &value.currency(), whole),
        "points" => page.count("points", &value.points()),
        "storage_bytes" => words.bytes(&value.bytes()),
        "free_periods" => page.count("periods", &value.periods()),
        _ => return value.label(),
    })
}

/// Whether nothing is left of it. Percentages and gifts have no amount to lose.
pub fn is_zero(value: &Value) -> bool {
    match value.kind().as_str() {
        "amount_off" | "credit" => value.amount().is_falsy(),
        "points" => value.points().is_falsy(),
        _ => false,
    }
}

/// "Gib 10 %, bekomm 20 %", as far as both are known.
pub fn headline(page: &Page, terms: &Terms) -> String {
    let friend = terms.friend().and_then(|value| phrase(page, &value, true));
    let advocate = terms.advocate().and_then(|value| phrase(page, &value, true));
    let key = match (&friend, &advocate) {
        (Some(_), Some(_)) => "title.both",
        (Some(_), None) => "title.friend",
        (None, Some(_)) => "title.advocate",
        (None, None) => "title.none",
    };
    page.fill(
        key,
        &[
            ("friend", friend.as_deref().unwrap_or_default()),
            ("advocate", advocate.as_deref().unwrap_or_default()),
        ],
    )
}

/// What one side gets, as a clause of the texts under `side` ("friend", "advocate", "message", …).
pub fn clause(page: &Page, side: &str, value: Option<&Value>) -> Option<String> {
    let value = value?;
    let what = phrase(page, value, true)?;
    let own = page.texts.get(&join(&[side, ".", &value.kind()]));
    let text = own.unwrap_or_else(|| page.say(&join(&[side, ".other"])));
    Some(crate::page::fill(&text, &[("v", &what)]))
}

/// "Wer über deinen Link zum ersten Mal bestellt, spart 10 %."
pub fn friend(page: &Page, terms: &Terms) -> Option<String> {
    let what = clause(page, "friend", terms.friend().as_ref())?;
    let who = page.say(if terms.new_customers_only() { "friend.new" } else { "friend.any" });
    Some(join(&[&who, " ", &what]))
}

/// Who gets what, and from when on: the paragraph under the headline.
pub fn explanation(page: &Page, terms: &Terms) -> String {
    let friend = friend(page, terms);
    let advocate = clause(page, "advocate", terms.advocate().as_ref()).map(|clause| {
        let key =
            if terms.hold_days().unwrap_or(0) > 0 { "advocate.held" } else { "advocate.free" };
        page.fill(key, &[("advocate", &clause)])
    });
    match (friend, advocate) {
        (Some(friend), Some(advocate)) => join(&[&friend, " ", &advocate]),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => page.say("title.plain"),
    }
}

/// "Ab einem Bestellwert von 30 €.", where there is such a minimum.
pub fn minimum(page: &Page, terms: &Terms, currency: &str) -> Option<String> {
    let amount = terms.minimum_order();
    if amount.is_falsy() {
        return None;
    }
    let money = page.host.words().money(&amount, currency, true);
    Some(page.fill("terms.minimum", &[("amount", &money)]))
}
