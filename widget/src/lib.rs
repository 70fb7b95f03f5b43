//! What the customer sees: the state and the DOM of each `<pass-along>` inside its Shadow DOM.
//!
//! The loader (`widget/loader`) fetches, and calls in: `show` with an answer, `hear` with an event.
//! Nothing here fetches, and nothing is called back later, so that every call can be guarded: should
//! one trap, the loader shows its plain card.
//!
//! In reading order: [`account`] and [`visitor`] are the two cards, [`share`] their buttons,
//! [`rows`] what is listed, [`value`] and [`referral`] the sentences, [`wire`] the answers, [`host`] the browser, [`names`]
//! the constant texts and the slots in which an element's state is kept.

mod account;
mod host;
mod names;
mod referral;
mod rows;
mod share;
#[cfg(test)]
mod texts;
mod value;
mod visitor;
mod wire;

use wasm_bindgen::prelude::wasm_bindgen;

use host::{NONE, Node, Text, lend, make, pick, say};
use names as n;
use share::Share;
use wire::{Field, Me, Offer, Outcome};

/// Tells the loader the constant texts, once.
#[wasm_bindgen]
pub fn start() {
    let (at, length) = (n::NAMES.as_ptr().addr(), n::NAMES.len());
    // Addresses of this module are far below that.
    host::learn(i32::try_from(at).unwrap_or(0), i32::try_from(length).unwrap_or(0), n::SLOTS);
}

/// An outcome arrived.
#[wasm_bindgen]
pub fn show() {
    if !n::LIVE.data().is_truthy() {
        let live = make(n::P, n::SR);
        live.set(n::ROLE, n::STATUS);
        n::LIVE.data().hold(live.data());
    }
    announce(n::EMPTY);
    let outcome = Outcome::read(n::GIVEN);
    let stale = !outcome.about().is(n::BUILT_FROM);
    match outcome.kind().known() {
        n::ME => {
            n::TEST_TIME.hold(outcome.test_clock());
            n::KNOWN.hold(outcome.body());
            show_account(stale);
        }
        n::OFFER => {
            n::KNOWN.hold(NONE.data());
            n::OFFERED.hold(outcome.body());
            put_up(visitor::card(Offer::read(n::OFFERED)));
        }
        _ => {
            if stale {
                show_account(true);
            }
            show_trouble(outcome.kind());
        }
    }
    n::BUILT_FROM.hold(outcome.about());
}

/// The copy that `hear` asked for was made, or not.
#[wasm_bindgen]
pub fn copied() {
    let done = n::GIVEN.is_truthy();
    let text = say(if done { n::COPIED } else { n::COPY_FAILED });
    if done {
        label_copy(text);
    }
    announce(text);
}

/// A while after `copied`: the button says again what it does.
#[wasm_bindgen]
pub fn settled() {
    label_copy(say(n::COPY));
}

/// A click, an input or a copy somewhere in the card. What is to be done stands in `data-do` of
/// the element or one around it.
#[wasm_bindgen]
pub fn hear() {
    let event = n::GIVEN;
    let target = event.get(n::TARGET).node();
    let around = |selector: Text| target.call(n::CLOSEST, selector.data()).node();
    match event.get(n::TYPE).text().known() {
        n::CLICK => {
            let actor = around(n::FIND_DO);
            if actor.is_some() {
                act(actor);
            }
        }
        n::TOGGLE => {
            let part = target.attribute(n::DATA_PART);
            if part.is_some() && target.attribute(n::OPEN).is_some() {
                lend(n::PART, target.text());
            }
        }
        n::INPUT => Share::current().reword(),
        n::COPY if around(n::FIND_URL).is_some() => {
            host::put(event, Share::current().link);
        }
        _ => {}
    }
}

fn act(actor: Node) {
    match actor.attribute(n::DATA_DO).known() {
        n::COPY => {
            label_copy(say(n::COPY));
            n::COPIER.data().hold(actor.data());
            let code = actor.attribute(n::DATA_CODE);
            host::copy(code.or(Share::current().link), actor);
        }
        n::OPEN => {
            Share::current().through(n::OPEN, n::NATIVE);
        }
        n::SHARE => {
            lend(n::SHARED, actor.attribute(n::DATA_CHANNEL));
        }
        n::MORE => {
            let panel = n::CARD.find(n::FIND_MORE);
            let opens = panel.attribute(n::HIDDEN).is_some();
            panel.mark(n::HIDDEN, !opens);
            actor.set(n::ARIA_EXPANDED, if opens { n::TRUE } else { n::FALSE });
        }
        n::ALL => {
            n::EVERY.hold(actor.data());
            // The button goes; who used it goes on where the list goes on.
            let next = || n::CARD.find(n::FIND_HIDDEN);
            let first = next();
            while next().is_some() {
                next().mark(n::HIDDEN, false);
            }
            actor.mark(n::HIDDEN, true);
            focus(first);
        }
        n::RETRY => {
            n::CARD.set(n::ARIA_BUSY, n::TRUE);
            announce(say(n::LOADING));
            lend(n::RETRY, NONE);
        }
        _ => {}
    }
}

/// To those who cannot see what changed.
fn announce(text: Text) {
    n::LIVE.reword(text);
}

/// What the copy button that was used says from now on, and which code it is about.
fn label_copy(text: Text) {
    let button = n::COPIER;
    if !button.data().is_truthy() {
        return;
    }
    button.reword(text);
    let code = button.attribute(n::DATA_CODE);
    if code.is_some() {
        button.set(n::ARIA_LABEL, text.join(n::SPACE, code));
    }
}

fn show_account(stale: bool) {
    if !n::KNOWN.is_truthy() {
        return;
    }
    let me = Me::read(n::KNOWN);
    if stale {
        put_up(account::card(me));
    }
    n::CARD.set(n::ARIA_BUSY, NONE);
    let focused = focused();
    let all = n::EVERY.is_truthy();
    n::CARD.find(n::FIND_STATE).call(n::REPLACE_WITH, account::state(me, all).data());
    n::CARD.find(n::FIND_ASOF).reword(account::as_of(me, n::TEST_TIME.is_truthy()));
    if !all {
        account::fit(me.referrals().length(), stale);
    }
    refocus(focused);
}

/// What went wrong, with a button that tries again: above what is known already, or alone.
fn show_trouble(trouble: Text) {
    let what = pick(n::TROUBLE_, trouble);
    let notice = make(n::DIV, n::NOTICE);
    notice.write(n::P, NONE, what);
    notice.button(n::BTN, n::RETRY, say(n::RETRY));
    let focused = focused();
    if n::KNOWN.is_truthy() {
        let state = n::CARD.find(n::FIND_STATE);
        let old = state.find(n::FIND_NOTICE);
        if old.is_some() {
            old.call(n::REMOVE, NONE.data());
        }
        state.call(n::PREPEND, notice.data());
        n::CARD.set(n::ARIA_BUSY, NONE);
    } else {
        let card = make(n::SECTION, n::CARD_TROUBLE);
        card.set(n::DATA_FOR, n::ME);
        account::title(card, say(n::TITLE_PLAIN));
        card.call(n::APPEND, notice.data());
        put_up(card);
    }
    announce(what);
    refocus(focused);
}

/// Replaces the card, or at first the skeleton.
fn put_up(card: Node) {
    let focused = focused();
    n::CARD.data().hold(card.data());
    n::ROOT.call(n::REPLACE_CHILDREN, card.data());
    n::ROOT.call(n::APPEND, n::LIVE.data());
    refocus(focused);
}

fn active() -> Node {
    n::ROOT.data().get(n::ACTIVE_ELEMENT).node()
}

/// What has the focus, by what it does.
fn focused() -> Text {
    let active = active();
    if active.is_some() { active.attribute(n::DATA_DO).or(n::EMPTY) } else { NONE }
}

/// Gives the focus back to what does the same, or else to the heading, so that it is never lost.
fn refocus(focused: Text) {
    if !focused.is_some() || active().is_some() {
        return;
    }
    let again = match focused.known() {
        n::RETRY => n::FIND_RETRY,
        n::ALL => n::FIND_ALL,
        _ => n::H2,
    };
    focus(n::CARD.find(again).or(n::CARD.find(n::H2)));
}

fn focus(node: Node) {
    if node.is_some() {
        node.focus();
    }
}
