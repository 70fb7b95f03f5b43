//! What shop systems tell by their webhooks, as our own reports: a payload becomes conversions and
//! events, or nothing and the reason why. Pure; who sent it is proven by [`ShopSecrets`], taking the
//! reports in is the edge's business.
//!
//! Shops send the same thing again, late, in another order, and under several topics. So everything
//! here is derived from what does not change: the shop's own ids name our events, a purchase is read
//! from what was fixed when it was made, and what is unpaid, a draft or a test is none.

mod amount;
mod payload;
mod purchase;
mod secrets;
mod shopify;
mod shopware;
mod woocommerce;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decode::{Invalid, InvalidKind};
use crate::ids::{EventId, OrderId};
use crate::report::{CLOCK_LEEWAY, ConversionReport, EventReport, EventType};
use crate::reward::Reason;
use crate::time::Instant;
use crate::words::words;

pub use secrets::{ShopProblem, ShopSecrets};

words!(
    /// The shop systems we understand.
    Shop {
        Shopify = "shopify",
        WooCommerce = "woocommerce",
        Shopware = "shopware",
    }
);

impl Shop {
    /// The header that carries the shop's signature, in lower case.
    pub const fn signature(self) -> &'static str {
        match self {
            Self::Shopify => "x-shopify-hmac-sha256",
            Self::WooCommerce => "x-wc-webhook-signature",
            Self::Shopware => "shopware-shop-signature",
        }
    }

    /// The header that names what happened; Shopware says it in the body. It is not signed, so
    /// what it says must show in the body, too.
    pub const fn topic(self) -> Option<&'static str> {
        match self {
            Self::Shopify => Some("x-shopify-topic"),
            Self::WooCommerce => Some("x-wc-webhook-topic"),
            Self::Shopware => None,
        }
    }

    /// What a shop sends unsigned when a webhook is made, to see whether anyone answers.
    pub fn is_ping(self, body: &[u8]) -> bool {
        let id = body.strip_prefix(b"webhook_id=").unwrap_or_default();
        self == Self::WooCommerce
            && (1..=20).contains(&id.len())
            && id.iter().all(u8::is_ascii_digit)
    }
}

/// One thing a shop told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    Conversion(ConversionReport),
    Event(OrderId, EventReport),
}

/// Everything one message told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// In the order in which they are to be taken in, at most [`MOST`].
    pub reports: Vec<Report>,
    /// Why there is nothing to take in, or not all.
    pub ignored: Option<&'static str>,
}

/// Reports of one message. Each costs the store some operations; of more refunds than that the
/// latest are taken, those before came with the messages before.
pub const MOST: usize = 20;

impl Told {
    fn nothing(why: &'static str) -> Self {
        Self { reports: Vec::new(), ignored: Some(why) }
    }

    fn of(reports: Vec<Report>) -> Self {
        Self { reports, ignored: None }
    }
}

/// Reads a message of a shop. `topic` is what its header says.
pub fn read(shop: Shop, topic: &str, body: &[u8], now: Instant) -> Result<Told, Invalid> {
    let json = |detail: String| Invalid { kind: InvalidKind::Json, field: String::new(), detail };
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| json(format!("the body is not JSON: {error}")))?;
    if !body.is_object() {
        return Err(json("the body must be a JSON object".to_owned()));
    }
    match shop {
        Shop::Shopify => shopify::read(topic, &body, now),
        Shop::WooCommerce => woocommerce::read(topic, &body, now),
        Shop::Shopware => shopware::read(&body, now),
    }
}

/// An event of an order under the shop's own id of it. A shop's clock may be ahead of ours.
fn event(
    order: &OrderId,
    id: &str,
    (kind, amount): (EventType, Option<i64>),
    at: Instant,
    now: Instant,
) -> Result<Report, Invalid> {
    let id: EventId = id.parse().map_err(|error| Invalid::field("id", error))?;
    let occurred_at = at.min(now.plus(CLOCK_LEEWAY));
    let (items, undoes) = (Vec::new(), None);
    let report = EventReport { id, kind, amount, items, undoes, occurred_at };
    Ok(Report::Event(order.clone(), report))
}

/// The answer to a shop: what was taken in, and why the rest was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    pub recorded: Vec<Recorded>,
    pub ignored: Option<String>,
}

/// One fact that stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub order_id: String,
    pub fact: String,
    /// Our id of an event; a conversion has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Of a conversion: whether an advocate is credited with it, and why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// It was known before; not told of an event whose order is not known.
    pub repeated: bool,
    /// Present, and false, where the order of an event is not known: it is kept, and joined later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_known: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bare_number_of_a_webhook_is_a_ping() {
        assert!(Shop::WooCommerce.is_ping(b"webhook_id=17"));
        assert!(!Shop::Shopify.is_ping(b"webhook_id=17"));
        for body in [
            "",
            "webhook_id=",
            "webhook_id=1&id=2",
            "webhook_id=1 ",
            "{}",
            "webhook_id=x",
            "webhook_id=123456789012345678901",
        ] {
            assert!(!Shop::WooCommerce.is_ping(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn what_is_no_object_is_no_message() {
        let now = Instant::from_seconds(0);
        for shop in Shop::ALL {
            for body in ["", "[]", "7", "{", "webhook_id=17"] {
                let invalid = read(*shop, "", body.as_bytes(), now).unwrap_err();
                assert_eq!(invalid.kind, InvalidKind::Json, "{shop} {body}");
            }
        }
    }
}
