//! The customer's card: offer, link and share buttons above; totals, progress and every referral
//! below. The upper part stays while the lower is refreshed.

use crate::host::{
    Data, NONE, Node, Text, count, data, date, format, lend, make, money, say, time,
};
use crate::names as n;
use crate::rows;
use crate::share::Share;
use crate::value::{
    Kind, clause, explanation, friend, headline, is_by_signup, kind, minimum, prize, sum,
};
use crate::wire::{Field, List, Me, Next, Value};

/// How many referrals are shown at most before the reader asks for all.
const AT_FIRST: i32 = 5;

/// What is shared about a customer's program, in words nobody has to stand for but the program.
pub fn share(me: Me) -> Share {
    let name = me.program().name();
    let benefit = clause(n::MESSAGE_BENEFIT_, me.offer().friend());
    let message = if benefit.is_some() { n::MESSAGE_TEXT } else { n::SHARE_PLAIN };
    Share {
        link: me.link(),
        title: say(n::SHARE_TITLE).fill(n::NAME, name),
        message: say(message).fill(n::BENEFIT, benefit).fill(n::NAME, name),
        by_channel: true,
        is_primary: true,
    }
}

/// The upper part and the frame of the lower one.
pub fn card(me: Me) -> Node {
    let card = make(n::SECTION, n::CARD_CLASS);
    card.set(n::DATA_FOR, n::ME);
    let offer = me.offer();
    title(card, headline(offer));
    card.write(n::P, n::LEAD, explanation(offer));
    if offer.paused() {
        card.write(n::P, n::NOTICE, say(n::PAUSED));
    }
    let share = share(me);
    share.link_row(card, n::LINK);
    share.buttons(card, &me.channels(), n::SHARE, true);
    rows::code(card, say(n::ALIAS), me.alias());
    let reserved = me.alias_reserved();
    if reserved.alias().is_some() {
        let sure = time(reserved.until(), me.program().time_zone());
        let text = say(n::ALIAS_SURE).fill(n::TIME, sure).fill(n::ALIAS, reserved.alias());
        card.write(n::P, n::QUIET_LINE, text);
    }
    card.put(n::DIV, n::STATE);
    let fine = card.put(n::DIV, n::FINE);
    how_it_works(me, fine);
    part(fine, n::TERMS);
    if !me.alias().is_some() && !reserved.alias().is_some() {
        part(fine, n::CHOOSE);
    }
    part(fine, n::CLAIM);
    card.put(n::P, n::QUIET_ASOF);
    card
}

/// What is rarely wanted: fetched by the loader once it is opened.
pub fn part(parent: Node, name: Text) {
    let details = parent.put(n::DETAILS, NONE);
    details.set(n::DATA_PART, name);
    details.write(n::SUMMARY, NONE, say(name));
}

/// The heading, which names the card; the focus goes there when what had it is gone.
pub fn title(card: Node, text: Text) {
    let title = card.write(n::H2, NONE, text);
    title.set(n::ID, n::TITLE);
    title.set(n::TABINDEX, n::MINUS_ONE);
    card.set(n::ARIA_LABELLEDBY, n::TITLE);
}

/// Everything that changes while the customer looks: replaced as a whole. `all` shows
/// every referral, else the last ones stay hidden.
pub fn state(me: Me, all: bool) -> Node {
    let state = make(n::DIV, n::STATE);
    totals(me, state);
    progress(me.next(), state);
    let referrals = me.referrals();
    let length = referrals.length();
    if length == 0 {
        state.write(n::P, n::LEAD_EMPTY, say(n::EMPTY_TEXT));
    } else {
        let list = state.put(n::OL, NONE);
        list.set(n::ARIA_LABEL, say(n::REFERRALS));
        for index in 0..length {
            let row = rows::referral(referrals.get(index), me, list);
            row.mark(n::HIDDEN, !all && index >= AT_FIRST);
        }
        let button = state.button(n::ALL, n::ALL, count(n::ALL, data(length)));
        button.mark(n::HIDDEN, all || length <= AT_FIRST);
        // Shown once the button is gone.
        if me.more() {
            state.write(n::P, n::QUIET_OLDER, say(n::OLDER));
        }
    }
    rows::others(me, state);
    state
}

/// "Stand: 22. November, 09:00 Uhr", and that a test clock stands still, where one does.
pub fn as_of(me: Me, test_clock: bool) -> Text {
    let (zone, now) = (me.program().time_zone(), me.as_of());
    let text = say(n::ASOF).fill(n::DATE, date(now, zone, now)).fill(n::TIME, time(now, zone));
    if test_clock { text.join(n::DOT, say(n::TEST_CLOCK)) } else { text }
}

fn totals(me: Me, parent: Node) {
    let totals = me.totals();
    let list = parent.put(n::DL, n::SUM);

    let (clicks, today) = (totals.clicks(), totals.clicks_today());
    let bound = today.more_than();
    let today = if bound.is_some() {
        say(n::TODAY_MORE).fill(n::N, format(n::NUMBER, bound))
    } else {
        some(n::TODAY, today.0)
    };
    let place = cell(list, count(n::CLICKS, clicks));
    place.write(n::DD, n::NUMBER, format(n::NUMBER, clicks));
    place.write(n::DD, n::DETAIL, today);

    let (purchases, signups) = (totals.purchases(), totals.signups());
    if is_by_signup(me.offer()) {
        let place = cell(list, count(n::JOINED, signups));
        place.write(n::DD, n::NUMBER, format(n::NUMBER, signups));
    } else {
        let place = cell(list, count(n::PURCHASES, purchases));
        place.write(n::DD, n::NUMBER, format(n::NUMBER, purchases));
        place.write(n::DD, n::DETAIL, some(n::SIGNUPS, signups));
    }

    let place = cell(list, say(n::EARNED));
    earned(me, &totals.earned(), place);
    let (approved, waiting) = (totals.approved(), totals.pending());
    let both = some(n::APPROVED, approved).join(n::COMMA, some(n::PENDING, waiting));
    place.write(n::DD, n::DETAIL, both);

    let year = totals.year();
    let (amount, limit) = (year.amount(), year.ceiling());
    let in_words = |amount: Data| money(amount, year.currency(), false);
    if limit.is_some() {
        let text = say(n::YEAR_OF).fill(n::CEILING, in_words(limit));
        parent.write(
            n::P,
            n::QUIET_LINE,
            text.fill(n::V, in_words(amount)).fill(n::YEAR, year.year()),
        );
    } else if amount.is_truthy() {
        let text = say(n::YEAR).fill(n::V, in_words(amount)).fill(n::YEAR, year.year());
        parent.write(n::P, n::QUIET_LINE, text);
    }
}

/// A text about things, unless there are none.
fn some(key: Text, number: Data) -> Text {
    if number.is_truthy() { count(key, number) } else { NONE }
}

fn cell(list: Node, label: Text) -> Node {
    let cell = list.put(n::DIV, NONE);
    cell.write(n::DT, NONE, label);
    cell
}

/// Sums of different kinds and currencies are never added up: each has a line of its own.
fn earned(me: Me, sums: &List<Value>, cell: Node) {
    let length = sums.length();
    for index in 0..length {
        cell.write(n::DD, n::NUMBER, sum(sums.get(index)));
    }
    if length == 0 {
        let promised = me.offer().advocate();
        let money_back = promised.kind().known() == n::PERCENT_OF_ORDER;
        let zero = data(0);
        let nothing = if money_back || kind(promised) == Kind::Money {
            money(zero, me.program().currency(), true)
        } else {
            format(n::NUMBER, zero)
        };
        cell.write(n::DD, n::NUMBER, nothing);
    }
}

fn progress(next: Next, parent: Node) {
    let prize = prize(next.value());
    if !prize.is_some() {
        return;
    }
    let (at, done) = (next.at(), next.done());
    let left = at.integer() - done.integer();
    let text = if next.kind().known() == n::TIER {
        say(n::NEXT_TIER).fill(n::AT, format(n::NUMBER, at))
    } else if left > 0 {
        count(n::NEXT_LEFT, data(left))
    } else {
        say(n::NEXT_REACHED)
    };
    let place = parent.put(n::DIV, n::NEXT);
    let line = place.write(n::P, NONE, text.join(n::SPACE, n::EMPTY));
    line.write(n::B, NONE, prize);
    let of = say(n::NEXT_OF).fill(n::DONE, format(n::NUMBER, done));
    let of = of.fill(n::AT, format(n::NUMBER, at));
    place.write(n::P, n::QUIET, of);
    let bar = place.put(n::PROGRESS, NONE);
    bar.set(n::ARIA_LABEL, of);
    bar.set(n::MAX, at.text());
    bar.set(n::VALUE, done.text());
}

/// How it goes, from the offer alone.
fn how_it_works(me: Me, parent: Node) {
    let offer = me.offer();
    let details = parent.put(n::DETAILS, NONE);
    details.set(n::ID, n::HOW);
    details.write(n::SUMMARY, NONE, say(n::HOW));
    let list = details.put(n::UL, NONE);
    let (held, returned) = if is_by_signup(offer) {
        (n::HOW_JOINED, NONE)
    } else if offer.hold_from().known() == n::DELIVERED {
        (n::HOW_DELIVERED, say(n::HOW_RETURNS))
    } else {
        (n::HOW_ORDERED, say(n::HOW_RETURNS))
    };
    for point in [
        say(n::HOW_SHARE),
        friend(offer),
        minimum(offer, me.program().currency()),
        some(held, offer.hold_days()),
        some(n::HOW_WINDOW, offer.window_days()),
        returned,
        say(n::HOW_SELF),
    ] {
        list.write(n::LI, NONE, point);
    }
}

/// Fits the card into the room the skeleton kept, so that nothing below it moves: the explanation
/// is open while there are few referrals and room for it; what finds no room waits behind a button,
/// or folded while the card is `new`: later the reader decides, and what the reader has opened
/// since hides no referral that was seen.
pub fn fit(total: i32, new: bool) {
    let over = || lend(n::OVER, n::CARD.text()).is_some();
    let fold = |name: Text| {
        if new && over() {
            n::CARD.find(name).mark(n::OPEN, false);
        }
    };
    if new && total < 3 {
        n::CARD.find(n::FIND_HOW).mark(n::OPEN, true);
        fold(n::FIND_HOW);
    }
    fold(n::FIND_CLAIMS);
    let rows: List<Node> = Field::read(n::CARD.find(n::OL).data().get(n::CHILDREN));
    let mut shown = total.min(AT_FIRST);
    let least = if new { 1 } else { n::SHOWN.integer() };
    while shown > least && over() {
        shown -= 1;
        rows.get(shown).mark(n::HIDDEN, true);
        n::CARD.find(n::FIND_ALL_BUTTON).mark(n::HIDDEN, false);
    }
    n::SHOWN.hold(data(shown));
    fold(n::FIND_AS_FRIEND);
}
