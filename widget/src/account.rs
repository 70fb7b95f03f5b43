//! The customer's card: offer, link and share buttons above; totals, progress and every referral
//! below. The upper part stays while the lower is refreshed.

use wasm_bindgen::JsValue;
use web_sys::Element;

use crate::host::{Host, Text, Words};
use crate::page::{self, button, element, find, put, set, set_text, unset, write};
use crate::referral::{is_lost, look, sentence, status};
use crate::share::Share;
use crate::value::{Kind, clause, explanation, friend, headline, is_zero, kind, minimum, phrase};
use crate::wire::{Bound, Field, Me, Next, Referral, Totals, Value};

/// How many referrals are shown at most before the reader asks for all.
const AT_FIRST: u32 = 5;

/// What is shared about a customer's program, in words nobody has to stand for but the program.
pub fn share(words: &Words, me: &Me) -> Share {
    let name = me.program().name();
    let message = match clause(words, "message.benefit.", me.offer().friend()) {
        Some(benefit) => words.fill(&words.say("message.text"), "benefit", &benefit),
        None => words.say("share.plain"),
    };
    let named = |text: &Text| words.fill(text, "name", &name);
    Share::new(me.link(), named(&words.say("share.title")), named(&message), true)
}

/// The upper part and the frame of the lower one.
pub fn card(host: &Host, me: &Me, share: &mut Share) -> Element {
    let words = host.words();
    let card = element("section", "card");
    set(&card, "data-for", "me");
    let offer = me.offer();
    title(&card, &headline(&words, &offer));
    write(&card, "p", "lead", &explanation(&words, &offer));
    if offer.paused() {
        write(&card, "p", "notice", &words.say("paused"));
    }
    share.link_row(host, &card, "link");
    share.buttons(host, &card, &me.channels(), "share", true);
    if let Some(alias) = me.alias() {
        write(&card, "p", "quiet alias", &words.fill(&words.say("alias"), "alias", &alias));
    }
    put(&card, "div", "state");
    how_it_works(&words, me, &card);
    put(&card, "p", "quiet asof");
    card
}

/// The heading, which names the card; the focus goes there when what had it is gone.
pub fn title(card: &Element, text: &Text) {
    let title = write(card, "h2", "", text);
    set(&title, "id", "title");
    set(&title, "tabindex", "-1");
    set(card, "aria-labelledby", "title");
}

/// Everything that changes while the customer looks: replaced as a whole. `all` shows
/// every referral, else the last ones stay hidden.
pub fn state(words: &Words, me: &Me, all: bool) -> Element {
    let state = element("div", "state");
    totals(words, me, &state);
    if let Some(next) = me.next() {
        progress(words, &next, &state);
    }
    let referrals = me.referrals();
    let count = referrals.length();
    if count == 0 {
        write(&state, "p", "lead empty", &words.say("empty"));
        return state;
    }
    let list = put(&state, "ol", "");
    set_text(&list, "aria-label", &words.say("referrals"));
    for index in 0..count {
        let row = row(words, &referrals.get(index), me, &list);
        if !all && index >= AT_FIRST {
            set(&row, "hidden", "");
        }
    }
    let button = button(&state, "all", "all", &words.count("all", &JsValue::from(count)));
    if all || count <= AT_FIRST {
        set(&button, "hidden", "");
    }
    // Shown once the button is gone.
    if me.more() {
        write(&state, "p", "quiet older", &words.say("older"));
    }
    state
}

/// "Stand: 22. November, 09:00 Uhr", and that a test clock stands still, where one does.
pub fn as_of(words: &Words, me: &Me, test_clock: bool) -> Text {
    let (zone, now) = (me.program().time_zone(), me.as_of());
    let text = words.fill(&words.say("asof"), "date", &words.date(&now, &zone, &now));
    let text = words.fill(&text, "time", &words.time(&now, &zone));
    if test_clock { text.concat(" · ", &words.say("test_clock")) } else { text }
}

fn totals(words: &Words, me: &Me, parent: &Element) {
    let totals = me.totals();
    let list = put(parent, "dl", "sum");
    let some = |key: &str, n: &JsValue| n.is_truthy().then(|| words.count(key, n));

    let (clicks, today) = (totals.clicks(), totals.clicks_today());
    let today = if today.is_object() {
        let bound = words.number(&Bound::read(today).more_than());
        Some(words.fill(&words.say("today.more"), "n", &bound))
    } else {
        some("today", &today)
    };
    let place = cell(&list, &words.count("clicks", &clicks));
    write(&place, "dd", "number", &words.number(&clicks));
    detail(&place, today);

    let purchases = totals.purchases();
    let place = cell(&list, &words.count("purchases", &purchases));
    write(&place, "dd", "number", &words.number(&purchases));
    detail(&place, some("signups", &totals.signups()));

    let place = cell(&list, &words.say("earned"));
    earned(words, me, &totals, &place);
    let waiting = some("pending", &totals.pending());
    let approved = some("approved", &totals.approved());
    let both = match (approved, waiting) {
        (Some(approved), Some(waiting)) => Some(approved.concat(", ", &waiting)),
        (approved, waiting) => approved.or(waiting),
    };
    detail(&place, both);
}

fn cell(list: &Element, label: &Text) -> Element {
    let cell = put(list, "div", "");
    write(&cell, "dt", "", label);
    cell
}

fn detail(cell: &Element, text: Option<Text>) {
    if let Some(text) = text {
        write(cell, "dd", "detail", &text);
    }
}

/// Sums of different kinds and currencies are never added up: each has a line of its own.
fn earned(words: &Words, me: &Me, totals: &Totals, cell: &Element) {
    let sums = totals.earned();
    for index in 0..sums.length() {
        if let Some(sum) = sum(words, &sums.get(index)) {
            write(cell, "dd", "number", &sum);
        }
    }
    if sums.length() == 0 {
        let promised = me.offer().advocate();
        let money = promised.is_some_and(|value| {
            kind(&value) == Kind::Money || page::word(&value.kind()) == "percent_of_order"
        });
        let zero = JsValue::from(0);
        let nothing = if money {
            words.money(&zero, &me.program().currency(), true)
        } else {
            words.number(&zero)
        };
        write(cell, "dd", "number", &nothing);
    }
}

/// A sum as a number: amounts add up, percentages and the like are counted ("2 × 20 %").
fn sum(words: &Words, value: &Value) -> Option<Text> {
    let phrase = phrase(words, value, false)?;
    let adds_up = matches!(kind(value), Kind::Money | Kind::Points);
    let count = value.count();
    let counted = count.is_truthy() && !adds_up;
    Some(if counted { words.number(&count).concat(" × ", &phrase) } else { phrase })
}

fn progress(words: &Words, next: &Next, parent: &Element) {
    let Some(prize) = next.value().and_then(|value| phrase(words, &value, true)) else { return };
    let (at, done) = (next.at(), next.done());
    let left = &at - &done;
    let reached = left.is_falsy();
    let text = if reached { words.say("next.reached") } else { words.count("next.left", &left) };
    let place = put(parent, "div", "next");
    let line = write(&place, "p", "", &text.concat(" ", &page::text("")));
    write(&line, "b", "", &prize);
    let of = words.fill(&words.say("next.of"), "done", &words.number(&done));
    let of = words.fill(&of, "at", &words.number(&at));
    write(&place, "p", "quiet", &of);
    let bar = put(&place, "progress", "");
    set_text(&bar, "aria-label", &of);
    set_text(&bar, "max", &Text::read(at));
    set_text(&bar, "value", &Text::read(done));
}

fn row(words: &Words, referral: &Referral, me: &Me, list: &Element) -> Element {
    let reward = referral.reward();
    let state = reward.as_ref().and_then(status);
    let row = put(list, "li", look(state));
    set(&row, "tabindex", "-1");
    put(&row, "span", "mark");
    let number = words.number(&referral.number());
    write(&row, "b", "", &words.fill(&words.say("referral"), "n", &number));
    let value = reward.and_then(|reward| reward.value());
    let value = value.filter(|value| !is_lost(state) && !is_zero(value));
    if let Some(worth) = value.and_then(|value| phrase(words, &value, false)) {
        write(&row, "em", "", &worth);
    } else {
        // Said by the sentence; to the eye, the column stays a column.
        let none = write(&row, "em", "", &words.say("none"));
        set(&none, "aria-hidden", "true");
    }
    write(&row, "p", "", &sentence(words, referral, me));
    row
}

/// The terms in plain words, from the offer alone.
fn how_it_works(words: &Words, me: &Me, card: &Element) {
    let offer = me.offer();
    let details = put(card, "details", "");
    write(&details, "summary", "", &words.say("how"));
    let list = put(&details, "ul", "");
    let point = |text: &Text| write(&list, "li", "", text);
    point(&words.say("how.share"));
    if let Some(friend) = friend(words, &offer) {
        point(&friend);
    }
    if let Some(minimum) = minimum(words, &offer, &me.program().currency()) {
        point(&minimum);
    }
    let days = offer.hold_days();
    if days.is_truthy() {
        let delivered = offer.hold_from().is_some_and(|from| page::word(&from) == "delivered");
        point(&words.count(if delivered { "how.delivered" } else { "how.ordered" }, &days));
    }
    let window = offer.window_days();
    if window.is_truthy() {
        point(&words.count("how.window", &window));
    }
    point(&words.say("how.returns"));
    point(&words.say("how.self"));
}

/// Fits the card into the room the skeleton kept, so that nothing below it moves: the explanation
/// is open while there are few referrals and room for it, and referrals that find no room wait
/// behind a button.
pub fn fit(host: &Host, card: &Element, total: u32) {
    if let Some(details) = find(card, "details").filter(|_| total < 3) {
        set(&details, "open", "");
        if host.over(card) {
            unset(&details, "open");
        }
    }
    let Some(rows) = find(card, "ol").map(|list| list.children()) else { return };
    let mut shown = total.min(AT_FIRST);
    while shown > 1 && host.over(card) {
        shown -= 1;
        if let Some(last) = rows.item(shown) {
            set(&last, "hidden", "");
        }
        if let Some(all) = find(card, ".all") {
            unset(&all, "hidden");
        }
    }
}
