//! The customer's card: offer, link and share buttons above; totals, progress and every referral
//! below. The upper part stays while the lower is refreshed.

use wasm_bindgen::JsValue;
use web_sys::Element;

use crate::page::{Page, add, button, element, join, put, set};
use crate::share::Share;
use crate::value::{clause, explanation, friend, headline, is_zero, minimum, phrase};
use crate::wire::{Bound, Me, Next, Totals, Value};
use crate::{referral, wire};
use wasm_bindgen::JsCast;

/// How many referrals are laid out before the reader asks for all.
pub const AT_FIRST: usize = 5;

/// What is shared about a customer's program, in words nobody has to stand for but the program.
pub fn share(page: &Page, me: &Me) -> Share {
    let (name, offer) = (me.program().name(), me.offer());
    let benefit = clause(page, "message.benefit", offer.friend().as_ref());
    let key = if benefit.is_some() { "message.text" } else { "share.plain" };
    let benefit = benefit.unwrap_or_default();
    let message = page.fill(key, &[("name", &name), ("benefit", &benefit)]);
    let title = page.fill("share.title", &[("name", &name)]);
    Share::new(me.link(), title, message, true)
}

/// The upper part and the frame of the lower one.
pub fn card(page: &Page, me: &Me, share: &mut Share) -> Element {
    let card = element("section", "card");
    set(&card, "data-for", "me");
    set(&card, "aria-labelledby", "title");
    let offer = me.offer();
    title(&card, &headline(page, &offer));
    put(&card, "p", "lead", &explanation(page, &offer));
    if offer.paused() {
        put(&card, "p", "notice", &page.say("paused"));
    }
    share.link_row(page, &card);
    share.buttons(page, &card, &me.channels(), true);
    if let Some(alias) = me.alias() {
        put(&card, "p", "quiet alias", &page.fill("alias", &[("alias", &alias)]));
    }
    put(&card, "div", "state", "");
    how_it_works(page, me, &card);
    put(&card, "p", "quiet asof", "");
    card
}

pub fn title(card: &Element, text: &str) {
    let title = put(card, "h2", "", text);
    set(&title, "id", "title");
    set(&title, "tabindex", "-1");
}

/// Everything that changes while the customer looks: replaced as a whole. `rows` is how many
/// referrals are laid out.
pub fn state(page: &Page, me: &Me, rows: usize) -> Element {
    let state = element("div", "state");
    totals(page, me, &state);
    if let Some(next) = me.next() {
        progress(page, &next, &state);
    }
    let referrals = me.referrals();
    if referrals.is_empty() {
        put(&state, "p", "lead empty", &page.say("empty"));
        return state;
    }
    let list = put(&state, "ol", "", "");
    set(&list, "aria-label", &page.say("referrals"));
    for referral in referrals.iter().take(rows) {
        row(page, referral, me, &list);
    }
    if referrals.len() > 1 {
        let count = JsValue::from(u32::try_from(referrals.len()).unwrap_or(u32::MAX));
        let all = button(&state, "all", "all", &page.count("all", &count));
        if rows >= referrals.len() {
            set(&all, "hidden", "");
        }
    }
    if me.more().is_some() && rows >= referrals.len() {
        put(&state, "p", "quiet", &page.say("older"));
    }
    state
}

/// "Stand: 22. November, 09:00 Uhr", and that a test clock stands still, where one does.
pub fn as_of(page: &Page, me: &Me, test_clock: bool) -> String {
    let (program, now) = (me.program(), me.as_of());
    let time = page.host.words().time(&now, &program.time_zone());
    let text = page.fill("asof", &[("date", &page.date(&now, &program, &now)), ("time", &time)]);
    if test_clock { join(&[&text, " · ", &page.say("test_clock")]) } else { text }
}

fn totals(page: &Page, me: &Me, parent: &Element) {
    let totals = me.totals();
    let list = put(parent, "dl", "sum", "");
    let today = totals.clicks_today();
    let today = if today.is_object() {
        let bound = today.unchecked_into::<Bound>().more_than();
        Some(page.fill("today.more", &[("n", &page.host.words().number(&bound))]))
    } else {
        (!today.is_falsy()).then(|| page.count("today", &today))
    };
    let some = |key: &str, n: JsValue| (!n.is_falsy()).then(|| page.count(key, &n));
    let number = |n: &JsValue| vec![page.host.words().number(n)];

    let clicks = totals.clicks();
    cell(&list, &page.count("clicks", &clicks), &number(&clicks), today);
    let purchases = totals.purchases();
    let signups = some("signups", totals.signups());
    cell(&list, &page.count("purchases", &purchases), &number(&purchases), signups);
    let waiting = some("pending", totals.pending());
    let approved = some("approved", totals.approved());
    let detail = match (approved, waiting) {
        (Some(approved), Some(waiting)) => Some(join(&[&approved, ", ", &waiting])),
        (approved, waiting) => approved.or(waiting),
    };
    cell(&list, &page.say("earned"), &earned(page, me, &totals), detail);
}

/// Sums of different kinds and currencies are never added up: each has a line of its own.
fn earned(page: &Page, me: &Me, totals: &Totals) -> Vec<String> {
    let mut sums: Vec<String> =
        totals.earned().iter().filter_map(|value| sum(page, value)).collect();
    if sums.is_empty() {
        let words = page.host.words();
        let money = |value: &Value| {
            matches!(value.kind().as_str(), "credit" | "amount_off" | "percent_of_order")
        };
        let zero = JsValue::from(0);
        sums.push(if me.offer().advocate().as_ref().is_some_and(money) {
            words.money(&zero, &me.program().currency(), true)
        } else {
            words.number(&zero)
        });
    }
    sums
}

/// A sum as a number: amounts add up, percentages and the like are counted ("2 × 20 %").
fn sum(page: &Page, value: &Value) -> Option<String> {
    let phrase = phrase(page, value, false)?;
    let counted = !matches!(value.kind().as_str(), "credit" | "amount_off" | "points");
    let count = page.host.words().number(&value.count());
    let once = value.count().is_undefined() || count == "1";
    Some(if counted && !once { join(&[&count, " × ", &phrase]) } else { phrase })
}

fn cell(list: &Element, label: &str, numbers: &[String], detail: Option<String>) {
    let cell = put(list, "div", "", "");
    put(&cell, "dt", "", label);
    for number in numbers {
        put(&cell, "dd", "number", number);
    }
    if let Some(detail) = detail {
        put(&cell, "dd", "detail", &detail);
    }
}

fn progress(page: &Page, next: &Next, parent: &Element) {
    let prize = next.prize().and_then(|value| phrase(page, &value, true));
    let Some(prize) = prize else { return };
    let words = page.host.words();
    let (at, done) = (next.at(), next.done().min(next.at()));
    let place = put(parent, "div", "next", "");
    let left = JsValue::from(at - done);
    let key = if at == done { "next.reached" } else { "next.left" };
    let text = if at == done { page.say(key) } else { page.count(key, &left) };
    let line = put(&place, "p", "", &join(&[&text, " "]));
    put(&line, "b", "", &prize);
    let of = page.fill(
        "next.of",
        &[("done", &words.number(&done.into())), ("at", &words.number(&at.into()))],
    );
    put(&place, "p", "quiet", &of);
    let bar = put(&place, "progress", "", "");
    set(&bar, "aria-label", &of);
    set(&bar, "max", &at.to_string());
    set(&bar, "value", &done.to_string());
}

fn row(page: &Page, referral: &wire::Referral, me: &Me, list: &Element) {
    let reward = referral.reward();
    let status = reward.as_ref().and_then(referral::status);
    let row = put(list, "li", referral::look(status), "");
    set(&row, "tabindex", "-1");
    set(&put(&row, "span", "mark", ""), "aria-hidden", "true");
    let number = page.host.words().number(&referral.number());
    put(&row, "b", "", &page.fill("referral", &[("n", &number)]));
    let value = reward.and_then(|reward| reward.value());
    let lost = referral::is_lost(status) || value.as_ref().is_none_or(is_zero);
    let worth = value.filter(|_| !lost).and_then(|value| phrase(page, &value, false));
    match worth {
        Some(worth) => put(&row, "em", "", &worth),
        // Said by the sentence; to the eye, the column stays a column.
        None => {
            let none = put(&row, "em", "", "–");
            set(&none, "aria-hidden", "true");
            none
        }
    };
    put(&row, "p", "", &referral::sentence(page, referral, me));
}

/// The terms in plain words, from the offer alone.
fn how_it_works(page: &Page, me: &Me, card: &Element) {
    let offer = me.offer();
    let details = put(card, "details", "", "");
    put(&details, "summary", "", &page.say("how"));
    let list = put(&details, "ul", "", "");
    put(&list, "li", "", &page.say("how.share"));
    if let Some(friend) = friend(page, &offer) {
        put(&list, "li", "", &friend);
    }
    if let Some(minimum) = minimum(page, &offer, &me.program().currency()) {
        put(&list, "li", "", &minimum);
    }
    let days = offer.hold_days().unwrap_or(0);
    if days > 0 {
        let from = offer.hold_from().unwrap_or_default();
        put(&list, "li", "", &page.count(&join(&["how.hold.", &from]), &days.into()));
    }
    let window = offer.window_days();
    if !window.is_falsy() {
        put(&list, "li", "", &page.count("how.window", &window));
    }
    put(&list, "li", "", &page.say("how.returns"));
    put(&list, "li", "", &page.say("how.self"));
}

/// Fits the card into the room the skeleton kept, so that nothing below it moves: the explanation
/// is open while there are few referrals and room for it, and referrals that find no room wait
/// behind a button. Returns how many are laid out.
pub fn fit(page: &Page, card: &Element, rows: usize, total: usize) -> usize {
    let find = |selector: &str| card.query_selector(selector).ok().flatten();
    if let Some(details) = find("details").filter(|_| total < 3) {
        set(&details, "open", "");
        if page.host.over(card) {
            let _ = details.remove_attribute("open");
        }
    }
    let mut shown = rows;
    while shown > 1 && page.host.over(card) {
        let Some(last) = find("ol > li:last-child") else { break };
        last.remove();
        shown -= 1;
        if let Some(all) = find(".all") {
            let _ = all.remove_attribute("hidden");
        }
    }
    shown
}

/// Puts `fresh` in the place of the old element of its class.
pub fn replace(card: &Element, selector: &str, fresh: &Element) {
    if let Ok(Some(old)) = card.query_selector(selector) {
        let _ = old.replace_with_with_node_1(fresh);
    } else {
        add(card, fresh);
    }
}
