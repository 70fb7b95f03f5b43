//! What rides in the metadata of a key, one type for each kind of key in [`crate::keys`]. The names of
//! fields are short, because metadata has 1,024 bytes. Facts have theirs in `passalong_core::fact`,
//! the figures of a day in `passalong_core::figures` and `::totals`.

use std::collections::BTreeMap;

use passalong_core::channel::Channel;
use passalong_core::figures::Reach;
use passalong_core::ids::{CustomerPseudonym, HintPseudonym, OrderPseudonym};
use passalong_core::program::Program;
use passalong_core::reward::{ConversionKind, Label};
use passalong_core::time::{Day, Instant, Minute, Moment};
use passalong_core::webhook::{SendProblem, WebhookType};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Of a key that says everything by being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nothing {}

/// Of a `ProgramKey`: since when there is this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    #[serde(with = "text")]
    pub from: Moment,
}

/// Of a `TermsKey`: the terms, unless they are too long; the key's value has them in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    terms: Option<Value>,
}

impl Terms {
    /// Terms up to this size ride in the metadata, which spares a read.
    const LISTED: usize = 990;

    pub fn of(terms: &Program) -> Self {
        let terms = serde_json::to_value(terms).ok();
        Self { terms: terms.filter(|terms| terms.to_string().len() <= Self::LISTED) }
    }

    pub fn program(&self) -> Option<Program> {
        Program::parse(self.terms.as_ref()?.to_string().as_bytes()).ok()
    }
}

/// Of an `EndpointKey` about the endpoint itself: where it is, what is sent there, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    #[serde(rename = "u")]
    pub url: String,
    /// Empty for all.
    #[serde(rename = "t")]
    pub types: Vec<WebhookType>,
    #[serde(with = "seconds")]
    pub at: Instant,
}

/// Of an `EndpointKey` about its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    #[serde(with = "seconds")]
    pub at: Instant,
}

/// Of an `EndpointKey` about a secret: until when the one before it signs, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    #[serde(with = "seconds")]
    pub until: Instant,
    #[serde(with = "seconds")]
    pub at: Instant,
}

/// Of a sealed text that a key holds: the id in a `CustomerKey`, an order's in a `LogKey`, what an
/// `ErasedAliasKey` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    #[serde(rename = "s")]
    pub sealed: String,
}

/// Of a `CustomerKey` with hints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    #[serde(rename = "h", with = "texts")]
    pub hints: Vec<HintPseudonym>,
}

/// Of a `CustomerKey` with a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    #[serde(rename = "g")]
    pub segment: String,
}

/// Of a `CustomerKey` with a missing referral: the order as its customer named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The day of the order, as the customer said.
    #[serde(rename = "d")]
    pub ordered_on: String,
    /// The number of the order, as the customer gave it, sealed.
    #[serde(rename = "n")]
    pub number: String,
}

/// Of a `PersonKey`: the order by which somebody is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    #[serde(rename = "k")]
    pub kind: ConversionKind,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<i64>,
    /// The last day on which a purchase makes this person a known customer.
    #[serde(rename = "u", with = "text")]
    pub until: Day,
    /// Under a customer id: the hints that the same order named.
    #[serde(rename = "h", with = "texts", skip_serializing_if = "Vec::is_empty", default)]
    pub hints: Vec<HintPseudonym>,
    /// Under a hint: the customer id that the same order named.
    #[serde(rename = "p", with = "some_text", skip_serializing_if = "Option::is_none", default)]
    pub customer: Option<CustomerPseudonym>,
}

/// Of an `AliasKey` that names nobody: since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buried {
    #[serde(with = "text")]
    pub since: Minute,
}

/// Of an `OrderKey`: whose order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Advocate {
    #[serde(rename = "c", with = "some_text", skip_serializing_if = "Option::is_none", default)]
    pub advocate: Option<CustomerPseudonym>,
}

/// Of a `DecisionKey`: the merchant's note on a missing referral, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Decision {
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Of a `ClickKey`: the first visitors, and how many more the value holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clicks {
    #[serde(rename = "v")]
    pub visitors: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub more: Option<usize>,
}

/// Of a `ClicksKey`: unique clicks of a closed day, and how many by each channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    #[serde(rename = "n")]
    pub clicks: u64,
    pub by: BTreeMap<Channel, u64>,
}

/// Of a `FoldedKey`: that a day is done, or how far it has come and to what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Folded {
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub done: bool,
    /// The last advocate that is folded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sum: Option<Reach>,
}

/// Of a `DueKey`: since when the order has been waited for, where it is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Due {
    #[serde(with = "some_seconds", skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Instant>,
}

/// Of a `DueMissingKey`: the orders that have the text of the report as their id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DueMissing {
    #[serde(rename = "o", with = "texts")]
    pub orders: Vec<OrderPseudonym>,
}

/// Of a `ShareKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    #[serde(rename = "ch")]
    pub channel: Channel,
}

/// Of an `ErasedKey`: how far an erasure has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Until when it is repeated.
    #[serde(with = "seconds")]
    pub until: Instant,
    #[serde(with = "text")]
    pub since: Minute,
    /// When what decides orders was begun to be copied into them: what was accepted a bound before is
    /// copied and deleted, the rest another time.
    #[serde(with = "some_text", skip_serializing_if = "Option::is_none", default)]
    pub begun: Option<Minute>,
    /// When all of it was copied.
    #[serde(with = "some_text", skip_serializing_if = "Option::is_none", default)]
    pub copied: Option<Minute>,
    /// How many of the friend's referred orders were looked at, where a run could not look at all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub looked_at: Option<usize>,
}

/// Of a `MessageKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    #[serde(rename = "y")]
    pub kind: WebhookType,
    #[serde(with = "seconds")]
    pub at: Instant,
}

/// Of a `DeliveryKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    #[serde(rename = "y")]
    pub kind: WebhookType,
    #[serde(rename = "s")]
    pub answer: Answered,
    #[serde(rename = "ms")]
    pub millis: u64,
}

/// What a receiver answered: a status, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answered {
    Status(u16),
    Problem(SendProblem),
}

/// Of an `UploadKey`: how many codes were uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    #[serde(rename = "n")]
    pub codes: usize,
}

/// Of a `QueueKey`: the order whose reward waits, and its advocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    #[serde(rename = "c", with = "text")]
    pub advocate: CustomerPseudonym,
    #[serde(rename = "o", with = "text")]
    pub order: OrderPseudonym,
}

/// Of a `DuePoolKey`: the pool's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolName {
    pub pool: Label,
}

/// Instants as seconds.
mod seconds {
    use passalong_core::time::Instant;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
    pub fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.seconds())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        i64::deserialize(deserializer).map(Instant::from_seconds)
    }
}

/// An instant as seconds, where there is one.
mod some_seconds {
    use passalong_core::time::Instant;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub fn serialize<S: Serializer>(
        at: &Option<Instant>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Instant::seconds).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Instant>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Instant::from_seconds))
    }
}

/// A value as its text.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        value: &impl Display,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("is none of ours"))
    }
}

/// A value as its text, where there is one.
mod some_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "serde asks for this signature")]
    pub fn serialize<S: Serializer>(
        value: &Option<impl Display>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let none_of_ours = |_| serde::de::Error::custom("is none of ours");
        text.map(|text| text.parse()).transpose().map_err(none_of_ours)
    }
}

/// Values as a list of their texts. What cannot be read is left out.
mod texts {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer, T: Display>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn at() -> Instant {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    fn pinned<T: Serialize + DeserializeOwned + PartialEq + Debug>(metadata: &T, expected: &Value) {
        assert_eq!(serde_json::to_value(metadata).unwrap(), *expected);
        assert_eq!(T::deserialize(expected).unwrap(), *metadata);
    }

    /// What is stored stays: a changed name would lose what merchants have.
    #[test]
    fn metadata_is_written_as_pinned() {
        let seconds = 1_795_334_400;
        let customer: CustomerPseudonym = "0123456789a0".parse().unwrap();
        pinned(&Nothing {}, &json!({}));
        pinned(&Began { from: at().into() }, &json!({ "from": "20261122080000000" }));
        pinned(
            &Endpoint {
                url: "https://shop.example/hook".to_owned(),
                types: vec![WebhookType::RewardApproved],
                at: at(),
            },
            &json!({ "u": "https://shop.example/hook", "t": ["reward.approved"], "at": seconds }),
        );
        pinned(&Disabled { at: at() }, &json!({ "at": seconds }));
        pinned(
            &Rotated { until: at().plus(9), at: at() },
            &json!({ "until": seconds + 9, "at": seconds }),
        );
        pinned(&Sealed { sealed: "s".to_owned() }, &json!({ "s": "s" }));
        let hints = vec!["0123456789abcdef".parse().unwrap()];
        pinned(&Hints { hints }, &json!({ "h": ["0123456789abcdef"] }));
        pinned(&Segment { segment: "vip".to_owned() }, &json!({ "g": "vip" }));
        let number = "n".to_owned();
        let missing = Missing { ordered_on: "2026-11-20".to_owned(), number };
        pinned(&missing, &json!({ "d": "2026-11-20", "n": "n" }));
        let person = Person {
            kind: ConversionKind::Purchase,
            amount: Some(4_990),
            until: at().day(),
            hints: vec!["0123456789abcdef".parse().unwrap()],
            customer: None,
        };
        let written =
            json!({ "k": "purchase", "a": 4_990, "u": "20261122", "h": ["0123456789abcdef"] });
        pinned(&person, &written);
        let kind = ConversionKind::Signup;
        let hinted =
            Person { kind, amount: None, hints: vec![], customer: Some(customer), ..person };
        pinned(&hinted, &json!({ "k": "signup", "u": "20261122", "p": "0123456789a0" }));
        let note = Some("s".to_owned());
        pinned(&Decision { note }, &json!({ "s": "s" }));
        pinned(&Decision::default(), &json!({}));
        let orders = vec!["0123456789abcdef".parse().unwrap()];
        pinned(&DueMissing { orders }, &json!({ "o": ["0123456789abcdef"] }));
        pinned(&Advocate { advocate: Some(customer) }, &json!({ "c": "0123456789a0" }));
        pinned(&Advocate::default(), &json!({}));
        pinned(&Buried { since: at().minute() }, &json!({ "since": at().minute().to_string() }));
        pinned(&Clicks { visitors: "AQ".to_owned(), more: None }, &json!({ "v": "AQ" }));
        let long = Clicks { visitors: "AQ".to_owned(), more: Some(3) };
        pinned(&long, &json!({ "v": "AQ", "more": 3 }));
        let by = BTreeMap::from([(Channel::WhatsApp, 2)]);
        pinned(&Counted { clicks: 2, by }, &json!({ "n": 2, "by": { "whatsapp": 2 } }));
        pinned(&Folded { done: true, ..Folded::default() }, &json!({ "done": true }));
        let mut sum = Reach::default();
        sum.add_clicks(Channel::Copy, 2);
        let reached = Folded {
            after: Some("0123456789a0".to_owned()),
            sum: Some(sum.clone()),
            ..Folded::default()
        };
        pinned(&reached, &json!({ "after": "0123456789a0", "sum": sum }));
        pinned(&Due { since: Some(at()) }, &json!({ "since": seconds }));
        pinned(&Due::default(), &json!({}));
        pinned(&Shared { channel: Channel::Email }, &json!({ "ch": "email" }));
        let (until, since) = (at(), at().minute());
        let erased = Erased { until, since, begun: None, copied: None, looked_at: None };
        pinned(&erased, &json!({ "until": seconds, "since": "202611220800" }));
        let copied = Erased { copied: Some(at().minute()), ..erased };
        let written = json!({
            "until": seconds, "since": "202611220800", "copied": "202611220800",
        });
        pinned(&copied, &written);
        let kind = WebhookType::PoolLow;
        pinned(&Message { kind, at: at() }, &json!({ "y": "pool.low", "at": seconds }));
        let answer = Answered::Status(204);
        let delivered = Delivered { kind, answer, millis: 12 };
        pinned(&delivered, &json!({ "y": "pool.low", "s": 204, "ms": 12 }));
        let answer = Answered::Problem(SendProblem::TimedOut);
        let delivered = Delivered { kind, answer, millis: 12 };
        pinned(&delivered, &json!({ "y": "pool.low", "s": SendProblem::TimedOut, "ms": 12 }));
        pinned(&Uploaded { codes: 7 }, &json!({ "n": 7 }));
        let waiting = Waiting { advocate: customer, order: "0123456789abcdef".parse().unwrap() };
        pinned(&waiting, &json!({ "c": "0123456789a0", "o": "0123456789abcdef" }));
        pinned(&PoolName { pool: "tee".parse().unwrap() }, &json!({ "pool": "tee" }));
    }

    #[test]
    fn terms_ride_in_the_metadata_unless_they_are_too_long() {
        let body = |name: &str| json!({ "id": "teehaus", "name": name, "landing_url": "https://shop.example/" });
        let mut short = Program::from_preset(body("Tee").to_string().as_bytes()).unwrap();
        let listed = serde_json::to_value(Terms::of(&short)).unwrap();
        assert_eq!(listed, json!({ "terms": short }));
        assert_eq!(Terms::deserialize(&listed).unwrap().program().as_ref(), Some(&short));
        short.preview.text = Some("Tee für dich. ".repeat(40));
        let listed = serde_json::to_value(Terms::of(&short)).unwrap();
        assert_eq!(listed, json!({}), "too long");
        assert_eq!(Terms::deserialize(&listed).unwrap().program(), None);
    }
}
