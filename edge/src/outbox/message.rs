//! A message to the merchant: what it says and what it is called. At rest it holds no readable id:
//! pseudonyms and sealed texts, opened when it is sent.

use std::collections::BTreeMap;

use passalong_core::ids::{CustomerPseudonym, Digest};
use passalong_core::seal::Sealed;
use passalong_core::time::Instant;
use passalong_core::webhook::{WebhookMessage, WebhookType, message_id};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::customers;
use crate::programs::Loaded;
use crate::store::{Context, Host, StoreError};

/// A message with locks where readable ids belong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    #[serde(rename = "type")]
    pub kind: WebhookType,
    pub at: Instant,
    pub data: Value,
    /// What is put in when the message is sent, by JSON pointer.
    pub locks: BTreeMap<String, Lock>,
}

/// The `data` of a message: what the API says of it, with locks.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    data: Value,
    locks: BTreeMap<String, Lock>,
}

/// What a readable id is locked up as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lock {
    /// The pseudonym of a customer.
    #[serde(rename = "customer")]
    Customer(String),
    #[serde(rename = "order")]
    Order(String),
    #[serde(rename = "reference")]
    Reference(String),
    #[serde(rename = "coupon")]
    Coupon(String),
}

impl Body {
    /// What of `message` is a readable id is to be named next, place by place.
    pub fn new(message: &impl Serialize) -> Self {
        Self { data: serde_json::to_value(message).unwrap_or_default(), locks: BTreeMap::new() }
    }

    /// The merchant's id of a customer belongs there, as long as we know it.
    #[must_use]
    pub fn customer(self, pointer: &str, customer: CustomerPseudonym) -> Self {
        self.lock(pointer, Lock::Customer(customer.to_string()))
    }

    /// A sealed order id belongs there.
    #[must_use]
    pub fn order(self, pointer: &str, sealed: &str) -> Self {
        self.lock(pointer, Lock::Order(sealed.to_owned()))
    }

    /// A sealed reference belongs there.
    #[must_use]
    pub fn reference(self, pointer: &str, sealed: &str) -> Self {
        self.lock(pointer, Lock::Reference(sealed.to_owned()))
    }

    /// The sealed code of a coupon belongs there.
    #[must_use]
    pub fn coupon(self, pointer: &str, sealed: &str) -> Self {
        self.lock(pointer, Lock::Coupon(sealed.to_owned()))
    }

    fn lock(mut self, pointer: &str, lock: Lock) -> Self {
        if let Some(place) = self.data.pointer_mut(pointer) {
            *place = Value::Null;
            self.locks.insert(pointer.to_owned(), lock);
        }
        self
    }
}

impl Message {
    pub fn new(kind: WebhookType, at: Instant, body: Body) -> Self {
        Self { kind, at, data: body.data, locks: body.locks }
    }

    /// The body as it is sent.
    pub async fn open<H: Host>(
        &self,
        cx: &Context<'_, H>,
        program: &Loaded,
    ) -> Result<String, StoreError> {
        let customer = |lock: &Lock| match lock {
            Lock::Customer(text) => text.parse().ok(),
            _ => None,
        };
        let people: Vec<CustomerPseudonym> = self.locks.values().filter_map(customer).collect();
        let ids = customers::open_all(cx, program, &people).await?;
        let known: BTreeMap<_, _> = people.into_iter().zip(ids).collect();
        let mut data = self.data.clone();
        for (pointer, lock) in &self.locks {
            let text = match lock {
                Lock::Customer(_) => {
                    customer(lock).and_then(|customer| known.get(&customer)?.clone())
                }
                Lock::Order(sealed) => program.keys.open(Sealed::Order, sealed),
                Lock::Reference(sealed) => program.keys.open(Sealed::Reference, sealed),
                Lock::Coupon(sealed) => program.keys.open(Sealed::Coupon, sealed),
            };
            if let Some(place) = data.pointer_mut(pointer) {
                *place = text.map_or(Value::Null, Value::String);
            }
        }
        let message = WebhookMessage { r#type: self.kind, timestamp: self.at, data };
        Ok(serde_json::to_string(&message).unwrap_or_default())
    }
}

/// Something that happened, to be told.
#[derive(Debug, Clone)]
pub struct News {
    pub kind: WebhookType,
    /// When it happened. It comes from the fact, never from the clock of whoever tells.
    pub at: Instant,
    pub body: Body,
}

impl News {
    /// The name of its message, and the message as it rests. The name follows from these very bytes:
    /// the same news is the same message, whoever tells it, and what is seen otherwise is other news.
    pub fn message(&self, program: &Loaded) -> (Digest, Message, String) {
        let message = Message::new(self.kind, self.at, self.body.clone());
        let value = serde_json::to_string(&message).unwrap_or_default();
        (message_id(&program.keys, self.kind, &[value.as_bytes()]), message, value)
    }
}
