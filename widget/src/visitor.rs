//! What somebody sees who is not logged in: the offer for a friend, greeted as such where a click
//! token proves a referral; else how to join, and buttons that share the page itself.

use web_sys::Element;

use crate::account::title;
use crate::page::{Page, element, join, put, set};
use crate::share::{Share, usual_channels};
use crate::value::{clause, explanation, headline, minimum, phrase};
use crate::wire::Offer;

pub fn share(page: &Page, offer: &Offer) -> Share {
    let name = offer.offer_program().name();
    let message = page.fill("share.plain", &[("name", &name)]);
    Share::new(page.host.page(), name, message, false)
}

pub fn card(page: &Page, offer: &Offer, share: &mut Share) -> Element {
    let card = element("section", "card");
    set(&card, "data-for", "offer");
    set(&card, "aria-labelledby", "title");
    if offer.referred() {
        greet(page, offer, &card)
    } else {
        invite(page, offer, &card)
    }
    put(&card, "p", "section", &page.say("visitor.page"));
    share.link_row(page, &card);
    share.buttons(page, &card, &usual_channels(), false);
    card
}

/// The friend: what awaits them, and from whom.
fn greet(page: &Page, offer: &Offer, card: &Element) {
    let name = offer.offer_program().name();
    let value = offer.friend().and_then(|value| phrase(page, &value, true));
    let from = offer.from();
    let key = match (&value, &from) {
        (Some(_), Some(_)) => "friend.title.from",
        (Some(_), None) => "friend.title",
        (None, _) => "friend.welcome",
    };
    let values = [
        ("v", value.as_deref().unwrap_or_default()),
        ("from", from.as_deref().unwrap_or_default()),
        ("name", &name),
    ];
    title(card, &page.fill(key, &values));
    let benefit = clause(page, "friend.lead", offer.friend().as_ref());
    let lead = page.fill("friend.here", &values);
    put(card, "p", "lead", &join(&[&lead, " ", benefit.as_deref().unwrap_or_default()]));
    if let Some(minimum) = minimum(page, offer, &offer.offer_program().currency()) {
        put(card, "p", "lead", &minimum);
    }
    if let Some(coupon) = offer.coupon() {
        put(card, "p", "coupon", &page.fill("coupon", &[("coupon", &coupon)]));
    }
}

/// The stranger: what there is to give and to get, and how to take part.
fn invite(page: &Page, offer: &Offer, card: &Element) {
    title(card, &headline(page, offer));
    put(card, "p", "lead", &explanation(page, offer));
    if let Some(minimum) = minimum(page, offer, &offer.offer_program().currency()) {
        put(card, "p", "lead", &minimum);
    }
    // A link that proves nothing is said to be so; most often it is simply too old.
    if let Some(reason) = offer.offer_reason().filter(|reason| reason != "no_referral") {
        let own = page.texts.get(&join(&["visitor.reason.", &reason]));
        put(card, "p", "notice", &own.unwrap_or_else(|| page.say("visitor.reason")));
    }
    put(card, "p", "section", &page.say("visitor.how"));
    put(card, "p", "lead", &page.say("visitor.join"));
    if let Some(url) = page.host.join() {
        let link = put(card, "a", "btn", &page.say("visitor.login"));
        set(&link, "href", &url);
    }
}
