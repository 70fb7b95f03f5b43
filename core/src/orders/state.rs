//! The state of an order, as a shop system tells it: not what happened, but how the order stands
//! now. It is kept as it was heard, under the shop's own time; what changed between two states is
//! derived in [`super::events`], so that it does not matter which of them was heard first.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fact::seconds;
use crate::ids::OrderId;
use crate::report::{EventType, Item};
use crate::time::Instant;
use crate::words::words;

words!(
    /// Where an order stands.
    Standing {
        /// It is paid, and nothing speaks against it.
        Open = "open",
        Withdrawn = "withdrawn",
        Cancelled = "cancelled",
        Disputed = "disputed",
        Chargeback = "chargeback",
    }
);

impl Standing {
    /// The event that leads to it.
    pub const fn reversal(self) -> Option<EventType> {
        match self {
            Self::Open => None,
            Self::Withdrawn => Some(EventType::Withdrawn),
            Self::Cancelled => Some(EventType::Cancelled),
            Self::Disputed => Some(EventType::Disputed),
            Self::Chargeback => Some(EventType::Chargeback),
        }
    }
}

/// A state as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Since when, by the shop's clock.
    #[serde(rename = "o", with = "seconds")]
    pub at: Instant,
    /// What the order is worth, before refunds: goods after discounts, VAT included, shipping not.
    #[serde(rename = "a")]
    pub amount: i64,
    /// What was paid back in all.
    #[serde(rename = "r")]
    pub refunded: i64,
    #[serde(rename = "w")]
    pub standing: Standing,
    /// What of the amount is excluded by the terms that were known then: shown until the verdict.
    /// `None` where the lines of the order were not told; else they are the value of its key.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none", default)]
    pub excluded: Option<i64>,
}

/// A state as a shop told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReport {
    pub at: Instant,
    pub amount: i64,
    pub refunded: i64,
    pub standing: Standing,
    /// The lines of the order; empty where they are not told.
    pub items: Vec<Item>,
}

impl StateReport {
    /// The normalised content together with the order it belongs to.
    pub fn content(&self, order: &OrderId) -> String {
        let Self { at, amount, refunded, standing, items } = self;
        json!(["state-v1", order.as_str(), at, amount, refunded, standing, items]).to_string()
    }
}
