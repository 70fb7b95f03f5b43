//! What somebody sees who is not logged in: the offer for a friend, greeted as such where a click
//! token proves a referral; else how to join, and buttons that share the page itself.

use crate::account::title;
use crate::host::{NONE, Node, lend, make, pick, say};
use crate::names as n;
use crate::share::Share;
use crate::value::{clause, explanation, headline, minimum, phrase};
use crate::wire::{Field, Offer};

pub fn share(offer: Offer) -> Share {
    let name = offer.program().name();
    let message = say(n::SHARE_PLAIN).fill(n::NAME, name);
    Share { link: lend(n::PAGE, NONE), title: name, message, by_channel: false }
}

pub fn card(offer: Offer) -> Node {
    let card = make(n::SECTION, n::CARD_CLASS);
    card.set(n::DATA_FOR, n::OFFER);
    if offer.referred() {
        greet(offer, card);
    } else {
        invite(offer, card);
    }
    card.write(n::P, n::SECTION, say(n::VISITOR_PAGE));
    let share = share(offer);
    share.link_row(card, n::VISITOR_LINK);
    let channels = Field::read(lend(n::CHANNELS, NONE).data());
    share.buttons(card, &channels, n::VISITOR_PAGE, false);
    card
}

/// The friend: what awaits them, and from whom.
fn greet(offer: Offer, card: Node) {
    let name = offer.program().name();
    let value = phrase(offer.friend(), true);
    let from = offer.from();
    let heading = match (value.is_some(), from.is_some()) {
        (true, true) => n::FRIEND_TITLE_FROM,
        (true, false) => n::FRIEND_TITLE,
        _ => n::FRIEND_WELCOME,
    };
    // What a person wrote comes last: it may look like a gap.
    title(card, say(heading).fill(n::NAME, name).fill(n::V, value).fill(n::FROM, from));
    let here = say(n::FRIEND_HERE).fill(n::NAME, name);
    card.write(n::P, n::LEAD, here.join(n::SPACE, clause(n::FRIEND_LEAD_, offer.friend())));
    card.write(n::P, n::LEAD, minimum(offer, offer.program().currency()));
    let coupon = offer.coupon();
    if coupon.is_some() {
        card.write(n::P, n::COUPON, say(n::COUPON).fill(n::COUPON, coupon));
    }
}

/// The stranger: what there is to give and to get, and how to take part.
fn invite(offer: Offer, card: Node) {
    title(card, headline(offer));
    card.write(n::P, n::LEAD, explanation(offer));
    card.write(n::P, n::LEAD, minimum(offer, offer.program().currency()));
    // A link that proves nothing is said to be so; most often it is simply too old. Who came
    // without a link has nothing to be told.
    let reason = offer.reason();
    if reason.is_some() && reason.known() != n::NO_REFERRAL {
        let own = pick(n::VISITOR_REASON_, reason);
        card.write(n::P, n::NOTICE, own.or(say(n::VISITOR_REASON)));
    }
    card.write(n::P, n::SECTION, say(n::VISITOR_HOW));
    card.write(n::P, n::LEAD, say(n::VISITOR_JOIN));
    let url = lend(n::JOIN_URL, NONE);
    if url.is_some() {
        card.write(n::A, n::BTN_JOIN, say(n::VISITOR_LOGIN)).set(n::HREF, url);
    }
}
