//! Link, copy button and share buttons. Every channel is a real link, so that a tap acts at once and
//! works as the reader expects; only the device's own sheet is a button.

use passalong_core::channel::Channel;
use web_sys::Element;

use crate::host::Field;
use crate::page::{Page, add, button, element, join, put, set};
use wasm_bindgen::JsCast;

/// How many channels stand beside the copy button; the others are one tap away.
const AT_HAND: usize = 3;

/// What is shared, and the buttons that share it.
pub struct Share {
    pub link: String,
    pub title: String,
    pub message: String,
    /// Whether the link takes the channel as a suffix: a referral link does, a page's own does not.
    pub by_channel: bool,
    anchors: Vec<(String, Element)>,
}

/// The channels a visitor is offered, for whom no programme has chosen any.
pub fn usual_channels() -> Vec<String> {
    use Channel::{Email, Facebook, LinkedIn, Native, Sms, Telegram, WhatsApp, X, Xing};
    let all = [WhatsApp, Native, Email, Sms, Telegram, X, Facebook, LinkedIn, Xing];
    all.map(|channel| channel.as_str().to_owned()).into()
}

impl Share {
    pub fn new(link: String, title: String, message: String, by_channel: bool) -> Self {
        Self { link, title, message, by_channel, anchors: Vec::new() }
    }

    /// The link as it travels through `channel`.
    pub fn url(&self, channel: &str) -> String {
        if self.by_channel { join(&[&self.link, "/", channel]) } else { self.link.clone() }
    }

    /// The row with the link. It shows no scheme, but takes it along when copied.
    pub fn link_row(&self, page: &Page, card: &Element) {
        let row = put(card, "div", "link", "");
        let shown = self.link.strip_prefix("https://").unwrap_or(&self.link);
        let field: Field = put(&row, "input", "url", "").unchecked_into();
        set(&field, "readonly", "");
        set(&field, "aria-label", &page.say("link"));
        set(&field, "value", shown);
        button(&row, "copy", "copy", &page.say("copy"));
    }

    /// The buttons, in the order the program wants. `editable` adds the field for the message.
    pub fn buttons(&mut self, page: &Page, card: &Element, channels: &[String], editable: bool) {
        let row = put(card, "div", "share", "");
        set(&row, "role", "group");
        set(&row, "aria-label", &page.say("share"));
        let panel = element("div", "share panel");
        let mut shown = 0;
        for channel in channels {
            let parent = if shown < AT_HAND { &row } else { &panel };
            if self.channel(page, parent, channel, shown == 0) {
                shown += 1;
            }
        }
        if shown <= AT_HAND && !editable {
            return;
        }
        if editable {
            let label = put(&panel, "label", "message", &page.say("message"));
            let field: Field = put(&label, "textarea", "", "").unchecked_into();
            set(&field, "rows", "2");
            field.set_value(&self.message);
        }
        let more = button(&row, "btn", "more", &page.say("more"));
        set(&more, "aria-expanded", "false");
        set(&more, "aria-controls", "more");
        set(&panel, "id", "more");
        set(&panel, "hidden", "");
        add(card, &panel);
    }

    fn channel(&mut self, page: &Page, parent: &Element, channel: &str, first: bool) -> bool {
        let Some(name) = page.texts.get(&join(&["channel.", channel])) else { return false };
        let native = channel == Channel::Native.as_str();
        let href = page.host.href(channel, &self.url(channel), &self.message, &self.title);
        if if native { !page.host.sheet() } else { href.is_empty() } {
            return false;
        }
        let class = if first { "btn first" } else { "btn" };
        let text =
            if first && !native { page.fill("share.by", &[("channel", &name)]) } else { name };
        if native {
            button(parent, class, "open", &text);
            return true;
        }
        let link = put(parent, "a", class, &text);
        set(&link, "data-do", "share");
        set(&link, "data-channel", channel);
        set(&link, "href", &href);
        // Mail and messages open an app, not a page: a new tab would stay behind, empty.
        if href.starts_with("https:") {
            set(&link, "target", "_blank");
            set(&link, "rel", "noopener");
        }
        self.anchors.push((channel.to_owned(), link));
        true
    }

    /// The reader changed the message: every link takes it along.
    pub fn reword(&mut self, page: &Page, message: String) {
        self.message = message;
        for (channel, link) in &self.anchors {
            let href = page.host.href(channel, &self.url(channel), &self.message, &self.title);
            set(link, "href", &href);
        }
    }
}
