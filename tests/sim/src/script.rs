//! A history written down: who did what when, and what the store and the machine did to it. It can be
//! lived through again however the simulator's chance has changed since.
//!
//! An operation is named by the step it belongs to, what it is, and how its key begins; so a rule
//! still fits when steps do more or fewer operations, or their keys go on differently.

use passalong_core::time::Instant;
use passalong_core::webhook::SendProblem;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::kv::By;

/// A whole history. Until its last step only what is written happens; after it the cron runs
/// every five minutes until nothing is left to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What goes wrong, for people.
    pub what: String,
    /// What the simulator says when it does: a part of it.
    pub violation: String,
    /// The store is later than the design assumes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub beyond: bool,
    /// The Worker has to tell a breach.
    #[serde(default, skip_serializing_if = "is_default")]
    pub told: bool,
    pub start: Moment,
    /// Keys in a page of a list.
    #[serde(default = "whole_page", skip_serializing_if = "is_whole_page")]
    pub page: usize,
    /// The terms each program begins with.
    pub programs: Vec<Value>,
    /// Where webhooks go from the beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Receiver>,
    pub steps: Vec<Step>,
}

impl Script {
    /// One line a step, for people.
    pub fn to_text(&self) -> String {
        let head = serde_json::to_value(self).unwrap_or_default();
        let plain = ["what", "violation", "beyond", "start", "page"].into_iter();
        let plain = plain.filter_map(|name| Some(format!("  \"{name}\": {}", head.get(name)?)));
        let lists = ["programs", "endpoints", "steps"].into_iter();
        let lists = lists.filter(|name| head.get(name).is_some()).map(|name| {
            let lines = head[name].as_array().into_iter().flatten();
            let lines: Vec<String> = lines.map(|line| format!("    {}", spaced(line))).collect();
            format!("  \"{name}\": [\n{}\n  ]", lines.join(",\n"))
        });
        format!("{{\n{}\n}}\n", plain.chain(lists).collect::<Vec<_>>().join(",\n"))
    }
}

/// JSON in one line, with room between its members; what comes first says what it is about.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(all) => {
            format!("[{}]", all.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let first = ["at", "do", "program", "isolate", "id", "order_id"];
            let rank = |name: &str| first.iter().position(|known| *known == name).unwrap_or(99);
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_by_key(|name| rank(name));
            let field = |name: &&String| format!("\"{name}\": {}", spaced(&fields[*name]));
            format!("{{ {} }}", names.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

const WHOLE_PAGE: usize = 1_000;

const fn whole_page() -> usize {
    WHOLE_PAGE
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_whole_page(page: &usize) -> bool {
    *page == WHOLE_PAGE
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: Moment,
    /// Where it happens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub isolate: usize,
    /// Of the programs; nothing to a cron.
    #[serde(default, skip_serializing_if = "is_default")]
    pub program: usize,
    #[serde(flatten)]
    pub act: Act,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// An endpoint that takes messages of these types; of all where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    #[serde(default, skip_serializing_if = "is_default")]
    pub program: usize,
    pub url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
}

/// What a merchant asks of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// To be there, for these types; for all where there are none.
    Add(Vec<String>),
    Remove,
    Enable,
    Rotate,
    Replay,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Act {
    Cron,
    /// The isolate dies.
    Kill,
    Report {
        #[serde(default, skip_serializing_if = "is_default")]
        by: Proof,
        body: Value,
    },
    ByAlias {
        alias: String,
        body: Value,
    },
    Event {
        order: String,
        body: Value,
    },
    Click {
        advocate: usize,
        visitor: u32,
    },
    Me {
        advocate: usize,
    },
    Rewards,
    Read {
        order: String,
    },
    Fulfil {
        id: String,
        reference: u64,
    },
    Review {
        id: String,
        decision: String,
        #[serde(default, skip_serializing_if = "is_default")]
        customer: Option<String>,
    },
    Owed {
        advocate: usize,
    },
    Upload {
        pool: String,
        codes: Vec<String>,
    },
    Pool {
        pool: String,
    },
    Erase {
        customer: String,
    },
    Terms {
        terms: Value,
    },
    Codes,
    Share {
        advocate: usize,
    },
    /// The merchant reads the missing referrals that were found.
    Claims,
    /// A customer misses an order: an advocate or, counted on, a friend.
    Claim {
        advocate: usize,
        body: Value,
    },
    ChooseAlias {
        advocate: usize,
        alias: Option<String>,
    },
    Webhook {
        url: String,
        ask: Ask,
    },
}

/// What a report proves its advocate with: a code, or a click at that instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    #[default]
    Nothing,
    Code(String),
    Click(String, i64, u32),
}

/// What befalls an operation of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub op: Op,
    /// Its key, or how that begins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Which of those with this very key; without it, every one whose key begins so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    pub then: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Start,
    Get,
    List,
    Put,
    Delete,
    Sleep,
    Random,
    /// A webhook; its key is the URL.
    Post,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It takes so many milliseconds.
    Takes(u64),
    /// It is committed so many milliseconds after its begin.
    CommittedAfter(u64),
    Fails {
        committed: bool,
        hard: bool,
    },
    /// The answer is so much older than what the location knows.
    Back(u64),
    /// What is drawn.
    Number(u64),
    /// The receiver of a webhook answers with this status.
    Answers(u16),
    /// The receiver of a webhook does not answer.
    NoAnswer(SendProblem),
    /// The page is empty, and more follows.
    EmptyPage,
    /// The task ends when it is done.
    Cut,
    /// It never arrives if its task ends before.
    Lost,
    /// It becomes visible so late: there, or everywhere; to such operations, or to all.
    Late {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<usize>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<By>,
        millis: u64,
    },
}

/// Milliseconds since 1970, written as a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = Instant::from_seconds(i64::try_from(self.0 / 1_000).unwrap()).to_string();
        let text = match self.0 % 1_000 {
            0 => seconds,
            millis => format!("{}.{millis:03}Z", seconds.trim_end_matches('Z')),
        };
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let whole = text.trim_end_matches('Z');
        let (seconds, millis) = whole.split_once('.').unwrap_or((whole, "0"));
        let seconds: Instant = format!("{seconds}Z").parse().map_err(de::Error::custom)?;
        let millis: u64 = millis.parse().map_err(de::Error::custom)?;
        Ok(Self(u64::try_from(seconds.seconds()).map_err(de::Error::custom)? * 1_000 + millis))
    }
}
