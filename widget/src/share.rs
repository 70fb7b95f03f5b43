//! Link, copy button and share buttons. Every channel is a real link, so that a tap acts at once and
//! works as the reader expects; only the device's own sheet is a button.

use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::host::{Field, Host, Text};
use crate::page::{add, button, element, put, set, set_text, text, write};
use crate::wire::List;

/// How many channels stand beside the copy button; the others are one tap away.
const AT_HAND: u32 = 3;

/// What is shared, and the buttons that share it.
pub struct Share {
    pub link: Text,
    title: Text,
    message: Text,
    /// Whether the link takes the channel as a suffix: a referral link does, a page's own does not.
    by_channel: bool,
    anchors: Vec<(Text, Element)>,
}

impl Share {
    pub fn new(link: Text, title: Text, message: Text, by_channel: bool) -> Self {
        Self { link, title, message, by_channel, anchors: Vec::new() }
    }

    /// The link as it travels through `channel`.
    fn url(&self, channel: &Text) -> Text {
        if self.by_channel { self.link.concat("/", channel) } else { self.link.clone() }
    }

    fn href(&self, host: &Host, channel: &Text) -> Option<Text> {
        host.href(channel, &self.url(channel), &self.message, &self.title)
    }

    /// Opens the device's own sheet.
    pub fn open(&self, host: &Host) {
        let channel = text("native");
        host.open(&self.url(&channel), &self.message, &self.title);
    }

    /// The row with the link, and with the button that copies it.
    pub fn link_row(&self, host: &Host, card: &Element, label: &str) {
        let words = host.words();
        let row = put(card, "div", "link");
        let field = put(&row, "input", "url");
        set(&field, "readonly", "");
        set_text(&field, "aria-label", &words.say(label));
        set_text(&field, "value", &words.bare(&self.link));
        button(&row, "copy", "copy", &words.say("copy"));
    }

    /// The buttons, in the order the program wants. `editable` adds the field for the message.
    pub fn buttons(
        &mut self,
        host: &Host,
        card: &Element,
        channels: &List<Text>,
        label: &str,
        editable: bool,
    ) {
        let words = host.words();
        let row = put(card, "div", "share");
        set(&row, "role", "group");
        set_text(&row, "aria-label", &words.say(label));
        let panel = element("div", "share panel");
        let mut shown = 0;
        for index in 0..channels.length() {
            let parent = if shown < AT_HAND { &row } else { &panel };
            if self.channel(host, parent, &channels.get(index), shown == 0) {
                shown += 1;
            }
        }
        if shown <= AT_HAND && !editable {
            return;
        }
        if editable {
            let label = write(&panel, "label", "message", &words.say("message"));
            let field = put(&label, "textarea", "");
            set(&field, "rows", "3");
            field.unchecked_into::<Field>().set_value(&self.message);
        }
        let more = button(&row, "btn", "more", &words.say("more"));
        set(&more, "aria-expanded", "false");
        set(&more, "aria-controls", "more");
        set(&panel, "id", "more");
        set(&panel, "hidden", "");
        add(card, &panel);
    }

    /// The button of one channel. False for a channel this device or this version does not have.
    fn channel(&mut self, host: &Host, parent: &Element, channel: &Text, first: bool) -> bool {
        let words = host.words();
        let Some(name) = words.pick("channel.", channel) else { return false };
        let class = if first { "btn first" } else { "btn" };
        let Some(href) = self.href(host, channel) else {
            // Of the channels with a name, the sheet alone has no address.
            let native = host.sheet() && *channel == text("native");
            if native {
                button(parent, class, "open", &name);
            }
            return native;
        };
        let name = if first { words.fill(&words.say("share.by"), "channel", &name) } else { name };
        let link = write(parent, "a", class, &name);
        set(&link, "data-do", "share");
        set_text(&link, "data-channel", channel);
        set_text(&link, "href", &href);
        // Mail and messages open an app, not a page: a new tab would stay behind, empty.
        if words.is_page(&href) {
            set(&link, "target", "_blank");
            set(&link, "rel", "noopener");
        }
        self.anchors.push((channel.clone(), link));
        true
    }

    /// The reader changed the message: every link takes it along.
    pub fn reword(&mut self, host: &Host, message: Text) {
        self.message = message;
        for (channel, link) in &self.anchors {
            if let Some(href) = self.href(host, channel) {
                set_text(link, "href", &href);
            }
        }
    }
}
