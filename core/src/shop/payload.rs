//! Reading what shops send: far more than is looked at, numbers as texts and texts as numbers, fields
//! that come and go with versions. What is not there, or not of its kind, is absent.

use serde_json::Value;

use super::amount::Decimal;
use crate::decode::Invalid;
use crate::ids::OrderId;
use crate::money::Currency;
use crate::time::Instant;

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

/// An id, which one shop writes as a number and another as a text; empty where there is none. A
/// number that is not whole, or too large to be kept exactly, is none.
pub(super) fn id(value: &Value, name: &str) -> String {
    match value.get(name).and_then(Value::as_u64) {
        Some(number) => number.to_string(),
        None => text(value, name).to_owned(),
    }
}

/// The id of what happened, as our id of the event: the same for whatever tells it again.
pub(super) fn event_id(prefix: &str, value: &Value, name: &str) -> Result<String, Invalid> {
    match id(value, name) {
        id if id.is_empty() => Err(Invalid::field(name, "is required: the shop's own id")),
        id => Ok(format!("{prefix}-{id}")),
    }
}

pub(super) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A sum of money, through its text alone: `"49.90"` or `49.9`.
pub(super) fn decimal(value: &Value, name: &str) -> Option<Decimal> {
    match value.get(name)? {
        Value::String(text) => Decimal::parse(text.trim()),
        Value::Number(number) => Decimal::parse(&number.to_string()),
        _ => None,
    }
}

/// The same, or nothing at all.
pub(super) fn money(value: &Value, name: &str) -> Decimal {
    decimal(value, name).unwrap_or_default()
}

pub(super) fn time(value: &Value, name: &str) -> Option<Instant> {
    text(value, name).parse().ok()
}

/// The id of the order, without which a message cannot be understood.
pub(super) fn order_id(value: &Value, name: &str) -> Result<OrderId, Invalid> {
    id(value, name).parse().map_err(|error| Invalid::field(name, error))
}

pub(super) fn currency(value: &Value, name: &str) -> Result<Currency, Invalid> {
    text(value, name).parse().map_err(|error| Invalid::field(name, error))
}

pub(super) fn required_time(value: &Value, name: &str) -> Result<Instant, Invalid> {
    time(value, name).ok_or_else(|| Invalid::field(name, crate::time::TimeError))
}
