//! What the loader lends the widget: the browser's Intl, the share sheet, the clipboard, the network.
//! The other side is `widget/loader/element.js`.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Element, Event};

#[wasm_bindgen]
extern "C" {
    /// The loader's side of one element.
    pub type Host;

    #[wasm_bindgen(method, getter)]
    pub fn words(this: &Host) -> Words;
    /// Whether the device has a share sheet of its own.
    #[wasm_bindgen(method, getter)]
    pub fn sheet(this: &Host) -> bool;
    /// The address that opens a channel; empty for a channel that has none.
    #[wasm_bindgen(method)]
    pub fn href(this: &Host, channel: &str, url: &str, text: &str, title: &str) -> String;
    /// The link of the page itself.
    #[wasm_bindgen(method)]
    pub fn page(this: &Host) -> String;
    /// Where a visitor logs in, if the page says so.
    #[wasm_bindgen(method)]
    pub fn join(this: &Host) -> Option<String>;
    /// Asks for the answer again; it arrives as `Widget::show`.
    #[wasm_bindgen(method)]
    pub fn retry(this: &Host);
    /// Notes and announces a share.
    #[wasm_bindgen(method)]
    pub fn shared(this: &Host, channel: &str);
    /// Copies; whether it worked arrives as `Widget::copied`.
    #[wasm_bindgen(method)]
    pub fn copy(this: &Host, text: &str);
    /// Opens the device's share sheet.
    #[wasm_bindgen(method)]
    pub fn open(this: &Host, url: &str, text: &str, title: &str);
    /// Whether the card outgrew the room kept for it.
    #[wasm_bindgen(method)]
    pub fn over(this: &Host, card: &Element) -> bool;
    /// Replaces what a copy by hand takes along.
    #[wasm_bindgen(method)]
    pub fn put(this: &Host, event: &Event, text: &str);

    /// Numbers, money, dates and plurals in the reader's language. Numbers pass as they came.
    pub type Words;
    #[wasm_bindgen(method)]
    pub fn number(this: &Words, value: &JsValue) -> String;
    #[wasm_bindgen(method)]
    pub fn plural(this: &Words, value: &JsValue) -> String;
    #[wasm_bindgen(method)]
    pub fn percent(this: &Words, basis_points: &JsValue) -> String;
    /// `whole` leaves out the digits after the comma where they are zero.
    #[wasm_bindgen(method)]
    pub fn money(this: &Words, amount: &JsValue, currency: &str, whole: bool) -> String;
    #[wasm_bindgen(method)]
    pub fn bytes(this: &Words, value: &JsValue) -> String;
    /// The day, with the year where it is not that of `now`.
    #[wasm_bindgen(method)]
    pub fn date(this: &Words, instant: &str, zone: &str, now: &str) -> String;
    #[wasm_bindgen(method)]
    pub fn time(this: &Words, instant: &str, zone: &str) -> String;

    /// One language file: texts by key.
    #[derive(PartialEq)]
    pub type Texts;
    #[wasm_bindgen(method, structural, indexing_getter)]
    pub fn get(this: &Texts, key: &str) -> Option<String>;

    /// An input or a text area.
    #[wasm_bindgen(extends = Element)]
    pub type Field;
    #[wasm_bindgen(method, getter)]
    pub fn value(this: &Field) -> String;
    #[wasm_bindgen(method, setter)]
    pub fn set_value(this: &Field, value: &str);
    #[wasm_bindgen(method)]
    pub fn select(this: &Field);

    #[wasm_bindgen(js_namespace = document, js_name = createElement)]
    pub fn create_element(tag: &str) -> Element;
    #[wasm_bindgen(method, js_name = focus)]
    pub fn focus(this: &Field);
}
