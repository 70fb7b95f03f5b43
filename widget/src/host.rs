//! The browser, as far as the widget reaches into it. Texts, answers and elements stay there: here they
//! are numbers, places in a table that the loader keeps for each element (`widget/loader/host.js`) and
//! clears after each call. So no text is copied in or out, nothing is allocated, nothing is to be freed,
//! and what is the same everywhere crosses as a constant (see [`names`](crate::names)).
//!
//! What is not there stays not there: [`NONE`] goes through every function without harm, and to write
//! it writes nothing.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::names as n;

#[wasm_bindgen(raw_module = "host")]
extern "C" {
    /// Tells the constant texts, and how many slots come after them.
    pub fn learn(at: i32, length: i32, slots: i32);
    /// `object[key]`
    fn get(object: i32, key: i32) -> i32;
    /// `object[method](argument)`, or without an argument.
    fn call(object: i32, method: i32, argument: i32) -> i32;
    /// The same of what the loader lends, where every argument is passed.
    fn lent(method: i32, first: i32, second: i32, third: i32, fourth: i32) -> i32;
    /// `list[index]`
    fn item(list: i32, index: i32) -> i32;
    /// What a slot holds from now on.
    fn hold(slot: i32, value: i32);
    /// A new element of this class in `parent`, if there is one, and with this text, if there is one.
    fn element(parent: i32, tag: i32, class: i32, text: i32) -> i32;
    /// Sets an attribute, or takes it off where there is no value.
    fn attribute(node: i32, name: i32, value: i32);
    /// The place of a constant text that is the same; beyond all of them if there is none.
    fn known(text: i32) -> i32;
    fn same(one: i32, other: i32) -> i32;
    /// What `if (value)` would see.
    fn truthy(value: i32) -> i32;
    fn integer(value: i32) -> i32;
    fn number(value: i32) -> i32;
}

/// Anything of the browser's; mostly an answer, or a part of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Data(i32);

/// A text of the browser's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text(pub i32);

/// An element of the browser's.
#[derive(Clone, Copy)]
pub struct Node(i32);

/// No text.
pub const NONE: Text = Text(0);

impl Data {
    pub const fn new(place: i32) -> Self {
        Self(place)
    }

    pub fn get(self, key: Text) -> Self {
        Self(get(self.0, key.0))
    }

    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    pub fn is_truthy(self) -> bool {
        truthy(self.0) != 0
    }

    pub fn integer(self) -> i32 {
        integer(self.0)
    }

    pub fn item(self, index: i32) -> Self {
        Self(item(self.0, index))
    }

    pub fn is(self, other: Self) -> bool {
        same(self.0, other.0) != 0
    }

    pub const fn text(self) -> Text {
        Text(self.0)
    }

    pub const fn node(self) -> Node {
        Node(self.0)
    }

    /// Puts `value` into this slot.
    pub fn hold(self, value: Self) {
        hold(self.0, value.0);
    }
}

pub fn data(integer: i32) -> Data {
    Data(number(integer))
}

impl Text {
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    pub const fn or(self, other: Self) -> Self {
        if self.is_some() { self } else { other }
    }

    /// The constant this text is the same as, to compare it with others.
    pub fn known(self) -> Self {
        Self(known(self.0))
    }

    pub const fn data(self) -> Data {
        Data(self.0)
    }

    /// Fills the gap of that name; stays as it is where there is nothing to fill in.
    pub fn fill(self, gap: Self, value: Self) -> Self {
        Self(lent(n::FILL.0, self.0, gap.0, value.0, 0))
    }

    /// This text, `between` and `end`; or the one of the two that there is.
    pub fn join(self, between: Self, end: Self) -> Self {
        Self(lent(n::JOIN.0, self.0, between.0, end.0, 0))
    }
}

impl Node {
    pub const fn new(place: i32) -> Self {
        Self(place)
    }

    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    pub const fn or(self, other: Self) -> Self {
        if self.is_some() { self } else { other }
    }

    pub const fn data(self) -> Data {
        Data(self.0)
    }

    pub const fn text(self) -> Text {
        Text(self.0)
    }

    /// Calls a method of the DOM.
    pub fn call(self, method: Text, argument: Data) -> Data {
        Data(call(self.0, method.0, argument.0))
    }

    pub fn find(self, selector: Text) -> Self {
        self.call(n::QUERY, selector.data()).node()
    }

    pub fn attribute(self, name: Text) -> Text {
        self.call(n::GET_ATTRIBUTE, name.data()).text()
    }

    /// Sets an attribute, or takes it off for [`NONE`].
    pub fn set(self, name: Text, value: Text) {
        attribute(self.0, name.0, value.0);
    }

    /// Sets an attribute that is there or not.
    pub fn mark(self, name: Text, on: bool) {
        self.set(name, if on { n::EMPTY } else { NONE });
    }

    /// Makes the text all that is in it.
    pub fn reword(self, text: Text) {
        self.call(n::REPLACE_CHILDREN, text.data());
    }

    pub fn focus(self) {
        self.call(n::FOCUS, NONE.data());
    }

    /// Appends an empty element.
    pub fn put(self, tag: Text, class: Text) -> Self {
        Self(element(self.0, tag.0, class.0, 0))
    }

    /// Appends an element with a text, and nothing where there is no text.
    pub fn write(self, tag: Text, class: Text, text: Text) -> Self {
        if text.is_some() { Self(element(self.0, tag.0, class.0, text.0)) } else { Self(0) }
    }

    /// Appends a button that does `action` (see `hear`).
    pub fn button(self, class: Text, action: Text, text: Text) -> Self {
        let button = self.write(n::BUTTON, class, text);
        button.set(n::TYPE, n::BUTTON);
        button.set(n::DATA_DO, action);
        button
    }
}

/// An element that stands nowhere yet.
pub fn make(tag: Text, class: Text) -> Node {
    Node(0).put(tag, class)
}

/// The text of a key.
pub fn say(key: Text) -> Text {
    pick(key, NONE)
}

/// The text of the key that begins so and ends so, if there is one.
pub fn pick(start: Text, end: Text) -> Text {
    Text(lent(n::SAY.0, start.0, end.0, 0, 0))
}

/// A text about `number` things, in the plural form the language wants for it.
pub fn count(key: Text, number: Data) -> Text {
    Text(lent(n::COUNT.0, key.0, number.0, 0, 0))
}

/// A value in the reader's way: `how` is `NUMBER`, `PERCENT` or `BYTES`.
pub fn format(how: Text, value: Data) -> Text {
    Text(lent(how.0, value.0, 0, 0, 0))
}

/// `whole` leaves out the digits after the comma where they are zero.
pub fn money(amount: Data, currency: Text, whole: bool) -> Text {
    let whole = if whole { n::TRUE } else { NONE };
    Text(lent(n::MONEY.0, amount.0, currency.0, whole.0, 0))
}

/// The day, with the year where it is not that of `now`.
pub fn date(instant: Text, zone: Text, now: Text) -> Text {
    Text(lent(n::DATE.0, instant.0, zone.0, now.0, 0))
}

pub fn time(instant: Text, zone: Text) -> Text {
    Text(lent(n::TIME.0, instant.0, zone.0, 0, 0))
}

/// Copies `text`; `button` asked for it.
pub fn copy(text: Text, button: Node) {
    lent(n::COPY.0, text.0, button.0, 0, 0);
}

/// Replaces what a copy by hand takes along.
pub fn put(event: Data, text: Text) {
    lent(n::PUT.0, event.0, text.0, 0, 0);
}

/// Something the loader does or knows by one argument.
pub fn lend(what: Text, about: Text) -> Text {
    Text(lent(what.0, about.0, 0, 0, 0))
}

/// What the loader needs to know for sharing: `how` is `HREF` or `OPEN`.
pub fn share(how: Text, channel: Text, url: Text, message: Text, title: Text) -> Text {
    Text(lent(how.0, channel.0, url.0, message.0, title.0))
}
