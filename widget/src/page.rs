//! How the widget puts something on the page: elements made one by one, since markup in strings is
//! forbidden where Trusted Types are required. The names are the DOM's, without the errors that
//! cannot happen here.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Element, ShadowRoot};

use crate::host::Text;
use wasm_bindgen::JsValue;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = document, js_name = createElement)]
    fn create_element(tag: &str) -> Element;

    type Root;
    #[wasm_bindgen(method, js_name = replaceChildren)]
    fn replace_children(this: &Root, first: &Element, second: &Element);

    #[wasm_bindgen(extends = Element)]
    type Place;
    #[wasm_bindgen(method, js_name = append)]
    fn append(this: &Place, child: &Element);
    #[wasm_bindgen(method, js_name = append)]
    fn append_text(this: &Place, text: &Text);
    #[wasm_bindgen(method, js_name = prepend)]
    fn prepend(this: &Place, child: &Element);
    #[wasm_bindgen(method, js_name = replaceChildren)]
    fn replace_children(this: &Place, text: &Text);
    #[wasm_bindgen(method, js_name = replaceWith)]
    fn replace_with(this: &Place, other: &Element);
    #[wasm_bindgen(method, js_name = setAttribute)]
    fn set_attribute(this: &Place, name: &str, value: &str);
    #[wasm_bindgen(method, js_name = setAttribute)]
    fn set_attribute_text(this: &Place, name: &str, value: &Text);
    #[wasm_bindgen(method, js_name = getAttribute)]
    fn get_attribute(this: &Place, name: &str) -> Option<Text>;
    #[wasm_bindgen(method, js_name = removeAttribute)]
    fn remove_attribute(this: &Place, name: &str);
    #[wasm_bindgen(method, js_name = querySelector)]
    fn query_selector(this: &Place, selector: &str) -> Option<Element>;
    #[wasm_bindgen(method, js_name = closest)]
    fn closest(this: &Place, selector: &str) -> Option<Element>;
}

fn place(element: &Element) -> &Place {
    element.unchecked_ref()
}

#[inline(never)]
pub fn element(tag: &str, class: &str) -> Element {
    let made = create_element(tag);
    made.set_class_name(class);
    made
}

/// Appends an empty element to `parent`.
#[inline(never)]
pub fn put(parent: &Element, tag: &str, class: &str) -> Element {
    let made = element(tag, class);
    place(parent).append(&made);
    made
}

/// Appends an element with a text to `parent`.
#[inline(never)]
pub fn write(parent: &Element, tag: &str, class: &str, text: &Text) -> Element {
    let made = put(parent, tag, class);
    place(&made).append_text(text);
    made
}

/// Appends a button that does `action` (see `Widget::hear`).
#[inline(never)]
pub fn button(parent: &Element, class: &str, action: &str, text: &Text) -> Element {
    let made = write(parent, "button", class, text);
    set(&made, "type", "button");
    set(&made, "data-do", action);
    made
}

/// A text as Rust compares it.
pub fn word(text: &Text) -> String {
    text.as_string().unwrap_or_default()
}

/// A text from here.
pub fn text(from: &str) -> Text {
    JsValue::from_str(from).unchecked_into()
}

pub fn reword(element: &Element, text: &Text) {
    place(element).replace_children(text);
}

/// Makes the two all that is in a root.
pub fn fill(root: &ShadowRoot, first: &Element, second: &Element) {
    root.unchecked_ref::<Root>().replace_children(first, second);
}

pub fn prepend(parent: &Element, child: &Element) {
    place(parent).prepend(child);
}

pub fn add(parent: &Element, child: &Element) {
    place(parent).append(child);
}

pub fn replace(old: &Element, fresh: &Element) {
    place(old).replace_with(fresh);
}

pub fn set(element: &Element, name: &str, value: &str) {
    place(element).set_attribute(name, value);
}

pub fn set_text(element: &Element, name: &str, value: &Text) {
    place(element).set_attribute_text(name, value);
}

pub fn get(element: &Element, name: &str) -> Option<Text> {
    place(element).get_attribute(name)
}

pub fn unset(element: &Element, name: &str) {
    place(element).remove_attribute(name);
}

pub fn find(within: &Element, selector: &str) -> Option<Element> {
    place(within).query_selector(selector)
}

pub fn around(element: &Element, selector: &str) -> Option<Element> {
    place(element).closest(selector)
}
