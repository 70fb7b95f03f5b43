//! Reading a JSON request field by field, so that every mistake is named: which field, what was
//! wrong, what would be right. `null` counts as absent; fields nobody asked for are refused.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub kind: InvalidKind,
    /// The path of the field, for example `rewards[0].value.basis_points`; empty for the whole.
    pub field: String,
    /// A sentence for the developer who meets this.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidKind {
    Json,
    Field,
    Unknown,
}

impl Invalid {
    pub fn field(field: &str, problem: impl Display) -> Self {
        Self {
            kind: InvalidKind::Field,
            field: field.to_owned(),
            detail: format!("{field} {problem}"),
        }
    }
}

/// A name that nobody asked for, as it may be told: short, and in quotes where it is no plain word.
pub fn unexpected(name: &str) -> String {
    let plain = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    if plain { name.to_owned() } else { format!("{:?}", name.chars().take(64).collect::<String>()) }
}

/// The fields of one JSON object that have not been read yet.
#[derive(Debug)]
pub struct Fields {
    map: Map<String, Value>,
    path: String,
}

impl Fields {
    /// Reads a request body: a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let json =
            |detail: String| Invalid { kind: InvalidKind::Json, field: String::new(), detail };
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self { map, path: String::new() }),
            Ok(_) => Err(json("the body must be a JSON object".to_owned())),
            Err(error) => Err(json(format!("the body is not JSON: {error}"))),
        }
    }

    fn name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub fn invalid(&self, name: &str, problem: impl Display) -> Invalid {
        Invalid::field(&self.name(name), problem)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes what answers carry and requests need not, whatever it is.
    pub fn ignore(&mut self, name: &str) {
        self.take(name);
    }

    /// Whether a field that has not been read yet holds a text.
    pub fn is_text(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(Value::is_string)
    }

    /// A text of 1 to `most` characters without control characters.
    pub fn text(&mut self, name: &str, most: usize) -> Result<Option<String>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let length = text.chars().take(most + 1).count();
                if length == 0 || length > most || text.chars().any(char::is_control) {
                    let problem = format!("must be 1 to {most} characters without line breaks");
                    return Err(self.invalid(name, problem));
                }
                Ok(Some(text))
            }
            Some(Value::Number(_)) => {
                Err(self.invalid(name, "must be a string; put the number in quotes"))
            }
            Some(_) => Err(self.invalid(name, "must be a string")),
        }
    }

    /// Any text at all; an empty one counts as absent.
    pub fn any_text(&mut self, name: &str) -> Result<Option<String>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.invalid(name, "must be a string")),
        }
    }

    /// A text that reads as `T`; the error of `T` says what would be right.
    pub fn read<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                text.parse().map(Some).map_err(|error| self.invalid(name, error))
            }
            Some(Value::Number(_)) => {
                Err(self.invalid(name, "must be a string; put the number in quotes"))
            }
            Some(_) => Err(self.invalid(name, "must be a string")),
        }
    }

    /// A list of texts, each of which reads as `T`.
    pub fn read_list<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        most: usize,
    ) -> Result<Vec<T>, Invalid> {
        let values = self.values(name, most)?.unwrap_or_default();
        let read = |(index, value): (usize, Value)| match value {
            Value::String(text) => text
                .parse()
                .map_err(|error| Invalid::field(&format!("{}[{index}]", self.name(name)), error)),
            _ => Err(Invalid::field(&format!("{}[{index}]", self.name(name)), "must be a string")),
        };
        values.into_iter().enumerate().map(read).collect()
    }

    /// A whole number within bounds.
    pub fn integer(
        &mut self,
        name: &str,
        (least, most): (i64, i64),
        right: &str,
    ) -> Result<Option<i64>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
                _ => Err(self.invalid(name, right)),
            },
        }
    }

    /// An amount in minor units, not below zero.
    pub fn amount(&mut self, name: &str) -> Result<Option<i64>, Invalid> {
        self.integer(
            name,
            (0, crate::money::MAX_AMOUNT),
            "must be an integer in minor units, for example 4990 for 49.90 EUR",
        )
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.invalid(name, "must be true or false")),
        }
    }

    pub fn object(&mut self, name: &str) -> Result<Option<Self>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self { map, path: self.name(name) })),
            Some(_) => Err(self.invalid(name, "must be an object")),
        }
    }

    pub fn objects(&mut self, name: &str, most: usize) -> Result<Option<Vec<Self>>, Invalid> {
        let Some(values) = self.values(name, most)? else { return Ok(None) };
        let read = |(index, value)| {
            let path = format!("{}[{index}]", self.name(name));
            match value {
                Value::Object(map) => Ok(Self { map, path }),
                _ => Err(Invalid::field(&path, "must be an object")),
            }
        };
        values.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
    }

    fn values(&mut self, name: &str, most: usize) -> Result<Option<Vec<Value>>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) if values.len() <= most => Ok(Some(values)),
            Some(Value::Array(_)) => {
                Err(self.invalid(name, format!("must have at most {most} entries")))
            }
            Some(_) => Err(self.invalid(name, "must be a list")),
        }
    }

    /// The error for a field that must be there.
    pub fn required<T>(&self, name: &str, value: Option<T>, right: &str) -> Result<T, Invalid> {
        value.ok_or_else(|| self.invalid(name, format!("is required: {right}")))
    }

    /// What was not read yet, if it has no other names than these.
    pub fn into_rest(self, names: &[&str]) -> Result<Map<String, Value>, Invalid> {
        match self.map.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(self.map),
            Some(name) => Err(self.nobody_asked_for(name)),
        }
    }

    fn nobody_asked_for(&self, name: &str) -> Invalid {
        let field = self.name(&unexpected(name));
        let detail = format!("{field} is not a field of this request");
        Invalid { kind: InvalidKind::Unknown, detail, field }
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) -> Result<(), Invalid> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.nobody_asked_for(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CustomerId;

    #[test]
    fn a_mistake_is_named_with_its_path() {
        let mut fields = Fields::parse(br#"{"a":{"b":[{"c":1}]},"id":7}"#).unwrap();
        let mut inner = fields.object("a").unwrap().unwrap().objects("b", 5).unwrap().unwrap();
        let error = inner.remove(0).finish().unwrap_err();
        assert_eq!((error.kind, error.field.as_str()), (InvalidKind::Unknown, "a.b[0].c"));
        let error = fields.read::<CustomerId>("id").unwrap_err();
        assert_eq!(error.detail, "id must be a string; put the number in quotes");
    }

    #[test]
    fn a_field_nobody_asked_for_is_named_whatever_its_name() {
        let long = "x".repeat(65);
        for (name, shown) in [
            ("colour", "colour".to_owned()),
            ("", r#""""#.to_owned()),
            ("a\nb", r#""a\nb""#.to_owned()),
            (&long, format!("\"{}\"", "x".repeat(64))),
        ] {
            let body = serde_json::json!({ name: 1 }).to_string();
            let error = Fields::parse(body.as_bytes()).unwrap().finish().unwrap_err();
            assert_eq!((error.kind, &error.field), (InvalidKind::Unknown, &shown));
            assert_eq!(error.detail, format!("{shown} is not a field of this request"));
        }
    }

    #[test]
    fn numbers_are_whole_and_bounded() {
        for (body, right) in [
            (r#"{"amount":4990}"#, Ok(Some(4990))),
            (r#"{"amount":null}"#, Ok(None)),
            (r#"{"amount":49.9}"#, Err(())),
            (r#"{"amount":"4990"}"#, Err(())),
            (r#"{"amount":-1}"#, Err(())),
            (r#"{"amount":1000000000001}"#, Err(())),
        ] {
            let read = Fields::parse(body.as_bytes()).unwrap().amount("amount");
            assert_eq!(read.map_err(|_| ()), right, "{body}");
        }
    }

    #[test]
    fn a_body_is_a_json_object() {
        for body in ["", "[]", "1", "{", "\"x\""] {
            assert_eq!(Fields::parse(body.as_bytes()).unwrap_err().kind, InvalidKind::Json);
        }
    }
}
