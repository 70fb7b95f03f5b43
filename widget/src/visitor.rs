//! What somebody sees who is not logged in: the offer for a friend, greeted as such where a click
//! token proves a referral; else how to join, and buttons that share the page itself.

use crate::account::{part, title};
use crate::host::{NONE, Node, Text, lend, make, pick, say};
use crate::names as n;
use crate::rows::code;
use crate::share::Share;
use crate::value::{clause, explanation, headline, is_by_signup, is_later, minimum};
use crate::wire::{Field, Offer};

pub fn share(offer: Offer) -> Share {
    let name = offer.program().name();
    let message = say(n::SHARE_PLAIN).fill(n::NAME, name);
    let is_primary = !(offer.referred() && redeem_at(offer).is_some());
    Share { link: lend(n::PAGE, NONE), title: name, message, by_channel: false, is_primary }
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
    part(card.put(n::DIV, n::FINE), n::TERMS);
    card
}

/// Where the shop takes the friend's coupon, if that is an address of the web.
fn redeem_at(offer: Offer) -> Text {
    let link = offer.coupon_link();
    if link.is_some() && lend(n::IS_PAGE, link).is_some() { link } else { NONE }
}

/// The friend: what awaits them, and from whom.
fn greet(offer: Offer, card: Node) {
    let name = offer.program().name();
    let value = offer.friend();
    let heading = clause(n::FRIEND_TITLE_, value);
    let from = offer.from();
    if heading.is_some() {
        // What a person wrote comes last: it may look like a gap.
        let from = if from.is_some() { say(n::FRIEND_FROM).fill(n::FROM, from) } else { NONE };
        title(card, heading.join(n::COMMA, from));
    } else {
        title(card, say(n::FRIEND_WELCOME).fill(n::NAME, name));
    }
    let here = say(n::FRIEND_HERE).fill(n::NAME, name);
    let lead = if !is_later(offer) {
        clause(n::FRIEND_LEAD_, value)
    } else if is_by_signup(offer) {
        say(n::FRIEND_LEAD_SIGNUP)
    } else {
        say(n::FRIEND_LEAD_LATER)
    };
    card.write(n::P, n::LEAD, here.join(n::SPACE, lead));
    card.write(n::P, n::LEAD, minimum(offer, offer.program().currency()));
    code(card, say(n::COUPON), offer.coupon());
    let link = redeem_at(offer);
    if link.is_some() {
        card.write(n::A, n::BTN_REDEEM, say(n::COUPON_GO)).set(n::HREF, link);
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
