//! What the loader lends the widget: the texts and the browser's Intl, the share sheet, the
//! clipboard, the network. The other side is `widget/loader/element.js` and `words.js`.
//!
//! Texts stay in the browser: [`Text`] is a handle. Copying each one in and out of the module's
//! memory would take more code than all that is done with them here.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Element, Event};

#[wasm_bindgen]
extern "C" {
    /// A string of the browser's; `undefined` is none.
    #[derive(Clone, PartialEq)]
    pub type Text;
    /// This text with `between` and `end` behind it.
    #[wasm_bindgen(method)]
    pub fn concat(this: &Text, between: &str, end: &Text) -> Text;

    /// The loader's side of one element.
    pub type Host;
    #[wasm_bindgen(method, getter)]
    pub fn words(this: &Host) -> Words;
    /// Whether the device has a share sheet of its own.
    #[wasm_bindgen(method, getter)]
    pub fn sheet(this: &Host) -> bool;
    /// The address that opens a channel, if it has one.
    #[wasm_bindgen(method)]
    pub fn href(this: &Host, channel: &Text, url: &Text, text: &Text, title: &Text)
    -> Option<Text>;
    /// The channels a visitor is offered, for whom no program has chosen any.
    #[wasm_bindgen(method)]
    pub fn channels(this: &Host) -> JsValue;
    /// The link of the page itself.
    #[wasm_bindgen(method)]
    pub fn page(this: &Host) -> Text;
    /// Where a visitor logs in, if the page says so.
    #[wasm_bindgen(method)]
    pub fn join(this: &Host) -> Option<Text>;
    /// Asks for the answer again; it arrives as `Widget::show`.
    #[wasm_bindgen(method)]
    pub fn retry(this: &Host);
    /// Notes and announces a share.
    #[wasm_bindgen(method)]
    pub fn shared(this: &Host, channel: &Text);
    /// Copies; whether it worked arrives as `Widget::copied`.
    #[wasm_bindgen(method)]
    pub fn copy(this: &Host, text: &Text);
    /// Opens the device's share sheet.
    #[wasm_bindgen(method)]
    pub fn open(this: &Host, url: &Text, text: &Text, title: &Text);
    /// Whether the card outgrew the room kept for it.
    #[wasm_bindgen(method)]
    pub fn over(this: &Host, card: &Element) -> bool;
    /// Replaces what a copy by hand takes along.
    #[wasm_bindgen(method)]
    pub fn put(this: &Host, event: &Event, text: &Text);

    /// The reader's language: its texts, and numbers, money, dates and plurals by its rules.
    pub type Words;
    /// The text of a key.
    #[wasm_bindgen(method)]
    pub fn say(this: &Words, key: &str) -> Text;
    /// The text of the key that begins so and ends so, if there is one.
    #[wasm_bindgen(method)]
    pub fn pick(this: &Words, start: &str, end: &Text) -> Option<Text>;
    /// A link without its scheme, as it is shown.
    #[wasm_bindgen(method)]
    pub fn bare(this: &Words, link: &Text) -> Text;
    /// Whether an address opens a page, and not an app.
    #[wasm_bindgen(method, js_name = isPage)]
    pub fn is_page(this: &Words, address: &Text) -> bool;
    /// Fills the gap of that name.
    #[wasm_bindgen(method)]
    pub fn fill(this: &Words, text: &Text, gap: &str, value: &Text) -> Text;
    /// A text about `n` things, in the plural form the language wants for it.
    #[wasm_bindgen(method)]
    pub fn count(this: &Words, key: &str, n: &JsValue) -> Text;
    #[wasm_bindgen(method)]
    pub fn number(this: &Words, value: &JsValue) -> Text;
    #[wasm_bindgen(method)]
    pub fn percent(this: &Words, basis_points: &JsValue) -> Text;
    /// `whole` leaves out the digits after the comma where they are zero.
    #[wasm_bindgen(method)]
    pub fn money(this: &Words, amount: &JsValue, currency: &Text, whole: bool) -> Text;
    #[wasm_bindgen(method)]
    pub fn bytes(this: &Words, value: &JsValue) -> Text;
    /// The day, with the year where it is not that of `now`.
    #[wasm_bindgen(method)]
    pub fn date(this: &Words, instant: &Text, zone: &Text, now: &Text) -> Text;
    #[wasm_bindgen(method)]
    pub fn time(this: &Words, instant: &Text, zone: &Text) -> Text;

    /// An element that is typed into or takes the focus.
    #[wasm_bindgen(extends = Element)]
    pub type Field;
    #[wasm_bindgen(method, getter)]
    pub fn value(this: &Field) -> Text;
    #[wasm_bindgen(method, setter)]
    pub fn set_value(this: &Field, value: &Text);
    #[wasm_bindgen(method)]
    pub fn focus(this: &Field);
}
