//! What the customer sees: the state and the DOM of one `<pass-along>` inside its Shadow DOM.
//!
//! The loader (`widget/loader`) fetches, and calls in: `show` with an answer, `hear` with an event.
//! Nothing here fetches, and nothing is called back later, so that every call can be guarded: should
//! one trap, the loader shows its plain card.
//!
//! In reading order: [`account`] and [`visitor`] are the two cards, [`share`] their buttons,
//! [`value`] and [`referral`] their sentences, [`page`] how anything is built, [`wire`] and [`host`]
//! what comes from outside.

mod account;
mod host;
#[cfg(target_arch = "wasm32")]
mod memory;
mod page;
mod referral;
mod share;
#[cfg(test)]
mod texts;
mod value;
mod visitor;
mod wire;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, ShadowRoot};

use host::{Field, Host, Text, Words};
use page::{add, around, button, element, find, get, replace, set, text, unset, write};
use share::Share;
use wire::{Me, Offer};

/// One element on the page.
#[wasm_bindgen]
pub struct Widget {
    host: Host,
    root: ShadowRoot,
    /// Says what happened to those who do not see it; stays while everything else is replaced.
    live: Element,
    card: Element,
    share: Option<Share>,
    /// The customer's last answer, kept on display while a later one fails.
    me: Option<Me>,
    test_clock: bool,
    /// What the upper part of the card was built from.
    built_from: JsValue,
    /// The reader asked for every referral.
    all: bool,
}

#[wasm_bindgen]
impl Widget {
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, root: ShadowRoot) -> Self {
        let live = element("p", "sr");
        set(&live, "role", "status");
        Self {
            host,
            root,
            live,
            card: element("section", "card"),
            share: None,
            me: None,
            test_clock: false,
            built_from: JsValue::UNDEFINED,
            all: false,
        }
    }

    /// An outcome arrived: `kind` is `me`, `offer`, `expired`, `offline` or `error`, and `body` the
    /// answer of the first two. `about` differs where the upper part of the card must.
    pub fn show(&mut self, kind: &str, body: JsValue, test_clock: bool, about: JsValue) {
        self.say(&text(""));
        let stale = self.built_from != about;
        match kind {
            "me" => {
                self.test_clock = test_clock;
                self.me = Some(wire::Field::read(body));
                self.show_account(stale);
            }
            "offer" => {
                self.me = None;
                self.show_visitor(&wire::Field::read(body));
            }
            _ => {
                if stale {
                    self.show_account(true);
                }
                self.show_trouble(&text(kind));
            }
        }
        self.built_from = about;
    }

    /// The copy that `hear` asked for was made, or not.
    pub fn copied(&self, done: bool) {
        let text = self.words().say(if done { "copied" } else { "copy.failed" });
        if let (true, Some(button)) = (done, find(&self.card, ".copy")) {
            page::reword(&button, &text);
        }
        self.say(&text);
    }

    /// A while after `copied`: the button says again what it does.
    pub fn settled(&self) {
        if let Some(button) = find(&self.card, ".copy") {
            page::reword(&button, &self.words().say("copy"));
        }
    }

    /// A click, an input or a copy somewhere in the card. What is to be done stands in `data-do` of
    /// the element or one around it.
    pub fn hear(&mut self, event: &Event) {
        let Some(target) = event.target() else { return };
        let target: Element = target.unchecked_into();
        match (event.type_().as_str(), &mut self.share) {
            ("click", _) => {
                if let Some(actor) = around(&target, "[data-do]") {
                    self.act(&actor);
                }
            }
            ("input", Some(share)) => {
                share.reword(&self.host, target.unchecked_into::<Field>().value());
            }
            ("copy", Some(share)) if around(&target, ".url").is_some() => {
                self.host.put(event, &share.link);
            }
            _ => {}
        }
    }
}

impl Widget {
    fn act(&mut self, actor: &Element) {
        let Some(what) = actor.get_attribute("data-do") else { return };
        match (what.as_str(), &self.share) {
            ("copy", Some(share)) => self.host.copy(&share.link),
            ("open", Some(share)) => share.open(&self.host),
            ("share", _) => {
                if let Some(channel) = get(actor, "data-channel") {
                    self.host.shared(&channel);
                }
            }
            ("more", _) => {
                if let Some(panel) = find(&self.card, "#more") {
                    let opens = panel.has_attribute("hidden");
                    if opens {
                        unset(&panel, "hidden");
                    } else {
                        set(&panel, "hidden", "");
                    }
                    set(actor, "aria-expanded", if opens { "true" } else { "false" });
                }
            }
            ("all", _) => {
                self.all = true;
                // The button goes; who used it goes on where the list goes on.
                let next = find(&self.card, "ol > li[hidden]");
                while let Some(row) = find(&self.card, "ol > li[hidden]") {
                    unset(&row, "hidden");
                }
                set(actor, "hidden", "");
                focus(next);
            }
            ("retry", _) => {
                set(&self.card, "aria-busy", "true");
                self.say(&self.words().say("loading"));
                self.host.retry();
            }
            _ => {}
        }
    }

    fn words(&self) -> Words {
        self.host.words()
    }

    /// To those who cannot see what changed.
    fn say(&self, text: &Text) {
        page::reword(&self.live, text);
    }

    fn show_account(&mut self, stale: bool) {
        let Some(me) = &self.me else { return };
        if stale {
            let mut share = account::share(&self.words(), me);
            let card = account::card(&self.host, me, &mut share);
            self.put_up(card, Some(share));
        }
        unset(&self.card, "aria-busy");
        self.refresh_state();
    }

    fn refresh_state(&mut self) {
        let (Some(me), words) = (&self.me, self.words()) else { return };
        let focused = self.focused();
        if let Some(old) = find(&self.card, ".state") {
            replace(&old, &account::state(&words, me, self.all));
        }
        if let Some(place) = find(&self.card, ".asof") {
            page::reword(&place, &account::as_of(&words, me, self.test_clock));
        }
        if !self.all {
            account::fit(&self.host, &self.card, me.referrals().length());
        }
        self.refocus(focused.as_ref());
    }

    fn show_visitor(&mut self, offer: &Offer) {
        let mut share = visitor::share(&self.host, offer);
        let card = visitor::card(&self.host, offer, &mut share);
        self.put_up(card, Some(share));
    }

    /// What went wrong, with a button that tries again: above what is known already, or alone.
    fn show_trouble(&mut self, trouble: &Text) {
        let words = self.words();
        let Some(what) = words.pick("trouble.", trouble) else { return };
        let notice = element("div", "notice");
        write(&notice, "p", "", &what);
        button(&notice, "btn", "retry", &words.say("retry"));
        let focused = self.focused();
        if let (Some(_), Some(state)) = (&self.me, find(&self.card, ".state")) {
            if let Some(old) = find(&state, ".notice") {
                old.remove();
            }
            page::prepend(&state, &notice);
            unset(&self.card, "aria-busy");
        } else {
            let card = element("section", "card trouble");
            set(&card, "data-for", "me");
            account::title(&card, &words.say("title.plain"));
            add(&card, &notice);
            self.put_up(card, None);
        }
        self.say(&what);
        self.refocus(focused.as_ref());
    }

    /// Replaces the card, or at first the skeleton.
    fn put_up(&mut self, card: Element, share: Option<Share>) {
        let focused = self.focused();
        self.card = card;
        self.share = share;
        page::fill(&self.root, &self.card, &self.live);
        self.refocus(focused.as_ref());
    }

    /// What has the focus, by what it does.
    fn focused(&self) -> Option<Text> {
        let active = self.root.active_element()?;
        Some(get(&active, "data-do").unwrap_or_else(|| text("")))
    }

    /// Gives the focus back to what does the same, or else to the heading, so that it is never lost.
    fn refocus(&self, focused: Option<&Text>) {
        let Some(what) = focused else { return };
        if self.root.active_element().is_some() {
            return;
        }
        let again = find(&self.card, "[data-do=retry]").filter(|_| *what == text("retry"));
        let again =
            again.or_else(|| find(&self.card, "[data-do=all]").filter(|_| *what == text("all")));
        focus(again.or_else(|| find(&self.card, "h2")));
    }
}

fn focus(element: Option<Element>) {
    if let Some(element) = element {
        element.unchecked_ref::<Field>().focus();
    }
}
