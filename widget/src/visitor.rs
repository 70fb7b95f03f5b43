//! What somebody sees who is not logged in: the offer for a friend, greeted as such where a click
//! token proves a referral; else how to join, and buttons that share the page itself.

use web_sys::Element;

use crate::account::title;
use crate::host::{Host, Text, Words};
use crate::page::{element, set, set_text, text, write};
use crate::share::Share;
use crate::value::{clause, explanation, headline, minimum, phrase};
use crate::wire::{Field, Offer};

pub fn share(host: &Host, offer: &Offer) -> Share {
    let name = offer.program().name();
    let message = host.words().fill(&host.words().say("share.plain"), "name", &name);
    Share::new(host.page(), name, message, false)
}

pub fn card(host: &Host, offer: &Offer, share: &mut Share) -> Element {
    let words = host.words();
    let card = element("section", "card");
    set(&card, "data-for", "offer");
    if offer.referred() {
        greet(&words, offer, &card);
    } else {
        invite(host, &words, offer, &card);
    }
    write(&card, "p", "section", &words.say("visitor.page"));
    share.link_row(host, &card, "visitor.link");
    share.buttons(host, &card, &Field::read(host.channels()), "visitor.page", false);
    card
}

/// The friend: what awaits them, and from whom.
fn greet(words: &Words, offer: &Offer, card: &Element) {
    let program = offer.program();
    let fill = |key: &str, gap: &str, value: &Text| words.fill(&words.say(key), gap, value);
    let heading = match offer.friend().and_then(|value| phrase(words, &value, true)) {
        Some(value) => match offer.from() {
            Some(from) => words.fill(&fill("friend.title.from", "v", &value), "from", &from),
            None => fill("friend.title", "v", &value),
        },
        None => fill("friend.welcome", "name", &program.name()),
    };
    title(card, &heading);
    let here = fill("friend.here", "name", &program.name());
    let lead = clause(words, "friend.lead.", offer.friend());
    let lead = lead.map_or(here.clone(), |lead| here.concat(" ", &lead));
    write(card, "p", "lead", &lead);
    if let Some(minimum) = minimum(words, offer, &program.currency()) {
        write(card, "p", "lead", &minimum);
    }
    if let Some(coupon) = offer.coupon() {
        write(card, "p", "coupon", &fill("coupon", "coupon", &coupon));
    }
}

/// The stranger: what there is to give and to get, and how to take part.
fn invite(host: &Host, words: &Words, offer: &Offer, card: &Element) {
    title(card, &headline(words, offer));
    write(card, "p", "lead", &explanation(words, offer));
    if let Some(minimum) = minimum(words, offer, &offer.program().currency()) {
        write(card, "p", "lead", &minimum);
    }
    // A link that proves nothing is said to be so; most often it is simply too old. Who came
    // without a link has nothing to be told.
    if let Some(reason) = offer.reason().filter(|reason| *reason != text("no_referral")) {
        let own = words.pick("visitor.reason.", &reason);
        write(card, "p", "notice", &own.unwrap_or_else(|| words.say("visitor.reason")));
    }
    write(card, "p", "section", &words.say("visitor.how"));
    write(card, "p", "lead", &words.say("visitor.join"));
    if let Some(url) = host.join() {
        let link = write(card, "a", "btn join", &words.say("visitor.login"));
        set_text(&link, "href", &url);
    }
}
