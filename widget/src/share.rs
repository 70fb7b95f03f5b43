//! Link, copy button and share buttons. Every channel is a real link, so that a tap acts at once and
//! works as the reader expects; only the device's own sheet is a button.

use crate::account;
use crate::host::{self, NONE, Node, Text, lend, make, pick, say};
use crate::names as n;
use crate::visitor;
use crate::wire::{Field, List, Me, Offer};

/// How many channels stand beside the copy button; the others are one tap away.
const AT_HAND: i32 = 3;

/// What is shared.
pub struct Share {
    pub link: Text,
    pub title: Text,
    pub message: Text,
    /// What goes between the link and the name of the channel it travels through: a referral link says
    /// the channel, a page's own does not.
    pub by_channel: bool,
    /// Whether sharing is what the card is for.
    pub is_primary: bool,
}

impl Share {
    /// Of the card that is up.
    pub fn current() -> Self {
        let share = if n::KNOWN.is_truthy() {
            account::share(Me::read(n::KNOWN))
        } else {
            visitor::share(Offer::read(n::OFFERED))
        };
        // The reader may have written another message.
        let written = n::CARD.find(n::TEXTAREA).data().get(n::VALUE).text();
        Self { message: written.or(share.message), ..share }
    }

    /// The link as it travels through `channel`.
    fn url(&self, channel: Text) -> Text {
        if self.by_channel { self.link.join(n::SLASH, channel) } else { self.link }
    }

    /// `how` is `HREF`, for the address that opens a channel, if it has one, or `OPEN`, to open the
    /// device's own sheet.
    pub fn through(&self, how: Text, channel: Text) -> Text {
        host::share(how, channel, self.url(channel), self.message, self.title)
    }

    /// The row with the link, and with the button that copies it.
    pub fn link_row(&self, card: Node, label: Text) {
        let row = card.put(n::DIV, n::LINK);
        let field = row.put(n::INPUT, n::URL);
        field.mark(n::READONLY, true);
        field.set(n::ARIA_LABEL, say(label));
        field.set(n::VALUE, lend(n::BARE, self.link));
        row.button(n::COPY, n::COPY, say(n::COPY));
    }

    /// The buttons, in the order the program wants. `editable` adds the field for the message.
    pub fn buttons(&self, card: Node, channels: &List<Text>, label: Text, editable: bool) {
        let row = card.put(n::DIV, n::SHARE);
        row.set(n::ROLE, n::GROUP);
        row.set(n::ARIA_LABEL, say(label));
        let panel = make(n::DIV, n::SHARE_PANEL);
        let mut shown = 0;
        for index in 0..channels.length() {
            let parent = if shown < AT_HAND { row } else { panel };
            if self.channel(parent, channels.get(index), shown == 0 && self.is_primary) {
                shown += 1;
            }
        }
        if shown <= AT_HAND && !editable {
            return;
        }
        if editable {
            let label = panel.write(n::LABEL, n::MESSAGE, say(n::MESSAGE));
            let field = label.write(n::TEXTAREA, NONE, self.message);
            field.set(n::ROWS, n::THREE);
        }
        let more = row.button(n::BTN, n::MORE, say(n::MORE));
        more.set(n::ARIA_EXPANDED, n::FALSE);
        more.set(n::ARIA_CONTROLS, n::MORE);
        panel.set(n::ID, n::MORE);
        panel.mark(n::HIDDEN, true);
        card.call(n::APPEND, panel.data());
    }

    /// The button of one channel. False for a channel this device or this version does not have.
    fn channel(&self, parent: Node, channel: Text, first: bool) -> bool {
        let mut name = pick(n::CHANNEL_, channel);
        if !name.is_some() {
            return false;
        }
        let class = if first { n::BTN_FIRST } else { n::BTN };
        let href = self.through(n::HREF, channel);
        if !href.is_some() {
            // Of the channels with a name, the sheet alone has no address.
            let native = lend(n::SHEET, NONE).is_some() && channel.known() == n::NATIVE;
            if native {
                parent.button(class, n::OPEN, name);
            }
            return native;
        }
        if first {
            name = say(n::SHARE_BY).fill(n::CHANNEL, name);
        }
        let link = parent.write(n::A, class, name);
        link.set(n::DATA_DO, n::SHARE);
        link.set(n::DATA_CHANNEL, channel);
        link.set(n::HREF, href);
        // Mail and messages open an app, not a page: a new tab would stay behind, empty.
        if lend(n::IS_PAGE, href).is_some() {
            link.set(n::TARGET, n::BLANK);
            link.set(n::REL, n::NOOPENER);
        }
        true
    }

    /// The reader changed the message: every link takes it along.
    pub fn reword(&self) {
        let links: List<Node> = Field::read(n::CARD.call(n::QUERY_ALL, n::FIND_CHANNEL.data()));
        for index in 0..links.length() {
            let link = links.get(index);
            link.set(n::HREF, self.through(n::HREF, link.attribute(n::DATA_CHANNEL)));
        }
    }
}
