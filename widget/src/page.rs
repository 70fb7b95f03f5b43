//! How the widget says something and puts it on the page: texts of one language with their gaps
//! filled, and elements made one by one, since markup in strings is forbidden where Trusted Types
//! are required.

use wasm_bindgen::JsValue;
use web_sys::Element;

use crate::host::{Host, Texts, create_element};
use crate::wire::Program;

/// The language, and where and when the reader is.
pub struct Page {
    pub host: Host,
    pub texts: Texts,
}

/// Fills the gaps (`{name}`) of a text. A gap without a value stays empty.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        filled.push_str(before);
        for (known, value) in values {
            if *known == name {
                filled.push_str(value);
            }
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

impl Page {
    /// The text of a key; the key itself where the language file lacks it.
    pub fn say(&self, key: &str) -> String {
        self.texts.get(key).unwrap_or_else(|| key.to_owned())
    }

    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        fill(&self.say(key), values)
    }

    /// A text about `n` things, in the plural form the language wants for it.
    pub fn count(&self, key: &str, n: &JsValue) -> String {
        let words = self.host.words();
        let form = self.texts.get(&join(&[key, ".", &words.plural(n)]));
        let text = form.unwrap_or_else(|| self.say(&join(&[key, ".other"])));
        fill(&text, &[("n", &words.number(n))])
    }

    /// A day in the program's time zone.
    pub fn date(&self, instant: &str, program: &Program, now: &str) -> String {
        self.host.words().date(instant, &program.time_zone(), now)
    }
}

/// The parts as one string.
#[inline(never)]
pub fn join(parts: &[&str]) -> String {
    let mut joined = String::new();
    for part in parts {
        joined.push_str(part);
    }
    joined
}

pub fn element(tag: &str, class: &str) -> Element {
    let made = create_element(tag);
    if !class.is_empty() {
        made.set_class_name(class);
    }
    made
}

/// Appends an element with a text to `parent`.
pub fn put(parent: &Element, tag: &str, class: &str, text: &str) -> Element {
    let made = element(tag, class);
    if !text.is_empty() {
        made.set_text_content(Some(text));
    }
    add(parent, &made);
    made
}

pub fn add(parent: &Element, child: &Element) {
    // Fails only where a node would contain itself.
    let _ = parent.append_child(child);
}

pub fn set(element: &Element, name: &str, value: &str) {
    // Fails only for a name that is no name.
    let _ = element.set_attribute(name, value);
}

/// A button that does `action` (see `Widget::hear`).
pub fn button(parent: &Element, class: &str, action: &str, text: &str) -> Element {
    let made = put(parent, "button", class, text);
    set(&made, "type", "button");
    set(&made, "data-do", action);
    made
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn gaps_are_filled_by_name() {
        for (text, filled) in [
            ("", ""),
            ("ohne Lücke", "ohne Lücke"),
            ("{a}", "1"),
            ("{b} vor {a}, {a}", "2 vor 1, 1"),
            ("{unknown}.", "."),
            ("offen {a", "offen 1"),
        ] {
            assert_eq!(fill(text, &[("a", "1"), ("b", "2")]), filled, "{text:?}");
        }
    }

    #[test]
    fn what_fills_a_gap_is_not_read_again() {
        assert_eq!(fill("{a}", &[("a", "{b}"), ("b", "2")]), "{b}");
    }
}
