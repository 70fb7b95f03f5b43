//! What the customer sees: the state and the DOM of one `<pass-along>` inside its Shadow DOM.
//!
//! The loader (`widget/loader`) fetches, and calls in: `speak` with a language, `show` with an
//! answer, `hear` with an event. Nothing here fetches, and nothing is called back later, so that
//! every call can be guarded: should one trap, the loader shows its plain card.
//!
//! In reading order: [`account`] and [`visitor`] are the two cards, [`share`] their buttons,
//! [`value`] and [`referral`] their sentences, [`page`] how anything is said and built, [`wire`] and
//! [`host`] what comes from outside.

mod account;
mod host;
mod page;
mod referral;
mod share;
mod value;
mod visitor;
mod wire;

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, ShadowRoot};

use host::{Field, Host, Texts};
use page::{Page, add, button, element, join, put, set};
use share::Share;
use wire::{Me, Offer};

/// One element on the page.
#[wasm_bindgen]
pub struct Widget {
    page: Page,
    root: ShadowRoot,
    /// Says what happened to those who do not see it; stays while everything else is replaced.
    live: Element,
    card: Element,
    share: Option<Share>,
    /// The customer's last answer, kept on display while a later one fails.
    me: Option<Me>,
    /// What the upper part of the card was built from.
    built_from: String,
    test_clock: bool,
    /// How many referrals are laid out; all, once the reader asked.
    rows: usize,
    all: bool,
}

#[wasm_bindgen]
impl Widget {
    #[wasm_bindgen(constructor)]
    pub fn new(host: Host, root: ShadowRoot, texts: Texts) -> Self {
        let live = element("p", "sr");
        set(&live, "role", "status");
        Self {
            page: Page { host, texts },
            root,
            live,
            card: element("section", "card"),
            share: None,
            me: None,
            built_from: String::new(),
            test_clock: false,
            rows: 0,
            all: false,
        }
    }

    /// From now on in this language.
    pub fn speak(&mut self, texts: Texts) {
        if self.page.texts != texts {
            self.page.texts = texts;
            self.built_from.clear();
        }
    }

    /// An outcome arrived: `kind` is `me`, `offer`, `expired`, `offline` or `error`, and `body` the
    /// answer of the first two.
    pub fn show(&mut self, kind: &str, body: JsValue, test_clock: bool) {
        match kind {
            "me" => {
                self.test_clock = test_clock;
                self.me = Some(body.unchecked_into());
                self.show_account();
            }
            "offer" => self.show_visitor(&body.unchecked_into()),
            trouble => self.show_trouble(trouble),
        }
    }

    /// The copy that `hear` asked for was made, or not.
    pub fn copied(&self, done: bool) {
        let text = self.page.say(if done { "copied" } else { "copy.failed" });
        if let (true, Some(button)) = (done, self.find("button.copy")) {
            button.set_text_content(Some(&text));
        }
        self.live.set_text_content(Some(&text));
    }

    /// A click, an input or a copy somewhere in the card. What is to be done stands in `data-do` of
    /// the element or one around it.
    pub fn hear(&mut self, event: &Event) {
        let Some(target) = event.target() else { return };
        let target: Element = target.unchecked_into();
        match event.type_().as_str() {
            "input" => {
                if let Some(share) = &mut self.share {
                    share.reword(&self.page, target.unchecked_into::<Field>().value());
                }
            }
            "copy" => {
                if let Some(share) = self.share.as_ref().filter(|_| target.class_name() == "url") {
                    self.page.host.put(event, &share.link);
                }
            }
            _ => {
                if let Ok(Some(actor)) = target.closest("[data-do]") {
                    self.act(&actor);
                }
            }
        }
    }

    fn act(&mut self, actor: &Element) {
        let (Some(what), host) = (actor.get_attribute("data-do"), &self.page.host) else { return };
        match (what.as_str(), &self.share) {
            ("copy", Some(share)) => host.copy(&share.link),
            ("share", _) => host.shared(&actor.get_attribute("data-channel").unwrap_or_default()),
            ("open", Some(share)) => host.open(&share.url("native"), &share.message, &share.title),
            ("more", _) => {
                if let Some(panel) = self.find("#more") {
                    let opens = panel.has_attribute("hidden");
                    let _ = panel.toggle_attribute("hidden");
                    set(actor, "aria-expanded", if opens { "true" } else { "false" });
                }
            }
            ("all", _) => {
                let before = self.rows;
                self.all = true;
                self.refresh_state();
                // The button is gone; who used it goes on where the list goes on.
                let next = join(&["ol > li:nth-child(", &(before + 1).to_string(), ")"]);
                self.focus(&next);
            }
            ("retry", _) => {
                set(&self.card, "aria-busy", "true");
                self.live.set_text_content(Some(&self.page.say("loading")));
                host.retry();
            }
            _ => {}
        }
    }
}

impl Widget {
    fn show_account(&mut self) {
        let Some(me) = self.me.clone() else { return };
        let mut share = account::share(&self.page, &me);
        let offer = me.offer();
        let now = join(&[
            &share.link,
            &value::headline(&self.page, &offer),
            &value::explanation(&self.page, &offer),
            &share.message,
            &me.channels().join(" "),
            &me.alias().unwrap_or_default(),
            if offer.paused() { "paused" } else { "" },
        ]);
        self.say_nothing();
        if now == self.built_from {
            let _ = self.card.remove_attribute("aria-busy");
        } else {
            let card = account::card(&self.page, &me, &mut share);
            self.built_from = now;
            self.share = Some(share);
            self.put_up(card);
        }
        self.refresh_state();
    }

    fn refresh_state(&mut self) {
        let Some(me) = self.me.clone() else { return };
        let total = me.referrals().len();
        let rows = if self.all { total } else { total.min(account::AT_FIRST) };
        let state = account::state(&self.page, &me, rows);
        let focused = self.focused();
        account::replace(&self.card, ".state", &state);
        if let Some(place) = self.find(".asof") {
            let text = account::as_of(&self.page, &me, self.test_clock);
            place.set_text_content(Some(&text));
        }
        self.rows = if self.all { rows } else { account::fit(&self.page, &self.card, rows, total) };
        self.refocus(focused);
    }

    fn show_visitor(&mut self, offer: &Offer) {
        let mut share = visitor::share(&self.page, offer);
        let card = visitor::card(&self.page, offer, &mut share);
        self.me = None;
        self.built_from.clear();
        self.share = Some(share);
        self.say_nothing();
        self.put_up(card);
    }

    /// What went wrong, with a button that tries again: above what is known already, or alone.
    fn show_trouble(&mut self, trouble: &str) {
        let text = self.page.say(&join(&["trouble.", trouble]));
        let notice = element("div", "notice");
        put(&notice, "p", "", &text);
        button(&notice, "btn", "retry", &self.page.say("retry"));
        if self.me.is_some() {
            // Built again where the language changed meanwhile.
            if self.built_from.is_empty() {
                self.show_account();
            }
            let focused = self.focused();
            if let Some(old) = self.find(".notice") {
                old.remove();
            }
            if let Some(state) = self.find(".state") {
                let _ = state.prepend_with_node_1(&notice);
            }
            let _ = self.card.remove_attribute("aria-busy");
            self.refocus(focused);
        } else {
            let card = element("section", "card trouble");
            set(&card, "data-for", "me");
            set(&card, "aria-labelledby", "title");
            account::title(&card, &self.page.say("title.plain"));
            add(&card, &notice);
            self.put_up(card);
        }
        self.live.set_text_content(Some(&text));
    }

    /// Replaces the card, or at first the skeleton.
    fn put_up(&mut self, card: Element) {
        let focused = self.focused();
        self.card = card;
        self.root.replace_children_with_node_2(&self.card, &self.live);
        self.refocus(focused);
    }

    fn say_nothing(&self) {
        self.live.set_text_content(None);
    }

    fn find(&self, selector: &str) -> Option<Element> {
        self.card.query_selector(selector).ok().flatten()
    }

    /// What has the focus, as a selector that finds it again after a rebuild.
    fn focused(&self) -> Option<String> {
        let active = self.root.active_element()?;
        let of = |name: &str| {
            let value = active.get_attribute(name)?;
            Some(join(&["[", name, "=\"", &value, "\"]"]))
        };
        Some(of("data-channel").or_else(|| of("data-do")).unwrap_or_default())
    }

    /// Gives the focus back to what had it, or else to the heading, so that it is never lost.
    fn refocus(&self, focused: Option<String>) {
        let Some(selector) = focused else { return };
        if self.root.active_element().is_none() && (selector.is_empty() || !self.focus(&selector)) {
            self.focus("h2");
        }
    }

    fn focus(&self, selector: &str) -> bool {
        let found = self.find(selector);
        if let Some(found) = &found {
            found.unchecked_ref::<Field>().focus();
        }
        found.is_some()
    }
}
