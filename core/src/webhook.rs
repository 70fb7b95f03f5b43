//! Webhooks by Standard Webhooks 1.0 (standardwebhooks.com): what a message is called, how it is
//! signed, when it is sent again, where it may be sent, and the messages about all that. Sending is
//! `passalong-edge`'s business.

use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::decode::{Fields, Invalid};
use crate::ids::Digest;
use crate::keys::ProgramKeys;
use crate::mac::{hmac_sha256_of, label};
use crate::time::{HOUR, Instant, MINUTE};
use crate::words::words;

words!(
    /// What a webhook is about.
    WebhookType {
        ConversionRecorded = "conversion.recorded",
        RewardApproved = "reward.approved",
        RewardRefused = "reward.refused",
        RewardReversed = "reward.reversed",
        RewardFulfilled = "reward.fulfilled",
        RewardExpiring = "reward.expiring",
        ReviewRequested = "review.requested",
        MilestoneReached = "milestone.reached",
        PoolLow = "pool.low",
        /// Sent on request only, to whatever endpoint is tested.
        Test = "test",
    }
);

/// How long after the attempt before it each attempt is made, in seconds.
pub const DELAYS: [i64; 10] =
    [0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// How long after the attempt before it the attempt of this number (from 0) is made; none after the
/// last.
pub fn delay(attempt: u8) -> Option<i64> {
    DELAYS.get(usize::from(attempt)).copied()
}

/// The name of a message: the same for the same thing however often it is told, so that receivers
/// know a repeat.
pub fn message_id(keys: &ProgramKeys, kind: WebhookType, subject: &[&[u8]]) -> Digest {
    let parts = [&[b"webhook", kind.as_str().as_bytes()], subject].concat();
    keys.digest(&label(&parts))
}

/// The name of an endpoint: a program sends to one URL once.
pub fn endpoint_id(keys: &ProgramKeys, url: &WebhookUrl) -> Digest {
    keys.digest(&label(&[b"endpoint", url.as_str().as_bytes()]))
}

/// What signs the messages to one endpoint. Shown as `whsec_…`, of which the base64 is the key.
#[derive(Clone)]
pub struct WebhookSecret(pub(crate) [u8; 32]);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl WebhookSecret {
    /// The text the merchant configures.
    pub fn show(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.0))
    }

    /// One entry of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let message = format!("{id}.{timestamp}.{body}");
        let mac: [u8; 32] = hmac_sha256_of(&self.0, message.as_bytes()).bytes();
        format!("v1,{}", BASE64.encode(&mac))
    }
}

/// A URL that webhooks may be sent to: https, a public name, no port but 443, nobody's user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    text: String,
    authority: String,
}

/// Why webhooks are not sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlProblem {
    Form,
    Scheme,
    User,
    Port,
    Address,
    Local,
}

impl fmt::Display for UrlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => {
                "must be a URL of at most 500 ASCII characters, for example https://shop.example/webhooks; names with umlauts are written as xn--…"
            }
            Self::Scheme => "must begin with https://",
            Self::User => "must not hold a user name or password; the signature proves the sender",
            Self::Port => "must not name another port than 443",
            Self::Address => "must name a host, not an IP address",
            Self::Local => "must name a host that the public internet knows",
        })
    }
}

impl std::error::Error for UrlProblem {}

const LONGEST_URL: usize = 500;

/// Names that are not of the public internet, and all below them (RFC 6761, 6762, 7686, 8375, 9476
/// and what routers use).
const NOT_PUBLIC: [&str; 14] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
    "onion",
    "alt",
    "test",
    "invalid",
];

impl WebhookUrl {
    /// Reads a URL. With `demo`, plain http to this very machine is taken as well.
    ///
    /// Written narrower than the URL standard, so that no reader of it can see another host: ASCII
    /// only, no backslash, no percent sign in the host, no fragment.
    pub fn parse(text: &str, demo: bool) -> Result<Self, UrlProblem> {
        let is_plain = |b: u8| b.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&b);
        if text.len() > LONGEST_URL || !text.bytes().all(is_plain) {
            return Err(UrlProblem::Form);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlProblem::Form)?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).ok_or(UrlProblem::Form)?;
        if authority.contains('@') {
            return Err(UrlProblem::User);
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let authority = authority.to_ascii_lowercase();
        if demo && scheme.eq_ignore_ascii_case("http") {
            let is_here = is_loopback(&authority);
            let text = format!("http://{authority}{target}");
            return if is_here { Ok(Self { text, authority }) } else { Err(UrlProblem::Local) };
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(UrlProblem::Scheme);
        }
        if authority.starts_with('[') {
            return Err(UrlProblem::Address);
        }
        let (host, port) = authority.split_once(':').unwrap_or((&authority, "443"));
        public(host)?;
        if port != "443" {
            return Err(UrlProblem::Port);
        }
        Ok(Self { text: format!("https://{host}{target}"), authority: host.to_owned() })
    }

    /// As it is stored and asked: scheme and host in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host, and port where it is not the usual one.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "80"),
    };
    let is_here =
        matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost");
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_name = host.starts_with('[') || host.split('.').all(is_label);
    is_here && is_port && is_name
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn public(host: &str) -> Result<(), UrlProblem> {
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(UrlProblem::Form);
    }
    // What ends in a number is an IPv4 address to the URL standard: decimal, octal, hexadecimal,
    // with one part or four. No public name does.
    let (_, last) = host.rsplit_once('.').unwrap_or(("", host));
    if !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(UrlProblem::Address);
    }
    let is_single = !host.contains('.');
    if is_single || NOT_PUBLIC.contains(&last) { Err(UrlProblem::Local) } else { Ok(()) }
}

/// `POST /v1/webhooks`: where to send what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    pub url: WebhookUrl,
    /// In their order; empty for all there are and will be.
    pub types: Vec<WebhookType>,
}

impl WebhookRequest {
    pub fn parse(body: &[u8], demo: bool) -> Result<Self, Invalid> {
        let mut fields = Fields::parse(body)?;
        let url = fields.any_text("url")?;
        let url =
            fields.required("url", url, "where to, for example https://shop.example/hooks")?;
        let url =
            WebhookUrl::parse(&url, demo).map_err(|problem| fields.invalid("url", problem))?;
        let mut types: Vec<WebhookType> = fields.read_list("types", WebhookType::ALL.len())?;
        if types.contains(&WebhookType::Test) {
            return Err(fields.invalid("types", "must not name test, which every endpoint takes"));
        }
        types.sort_unstable();
        types.dedup();
        fields.finish()?;
        Ok(Self { url, types })
    }
}

/// The body of every message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookMessage {
    pub r#type: WebhookType,
    /// When what it tells happened.
    pub timestamp: Instant,
    pub data: serde_json::Value,
}

/// An endpoint, as the merchant sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    /// `null`: all there are and will be.
    pub types: Option<Vec<WebhookType>>,
    pub created_at: Instant,
    /// Since when it is sent nothing, because it answered 410.
    pub disabled_at: Option<Instant>,
    /// Of its secret.
    pub generation: u32,
    /// Until when the secret before this one signs as well.
    pub rotating_until: Option<Instant>,
    /// Where it is handed out: when the endpoint is made, and when its secret changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// `GET /v1/webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    pub webhooks: Vec<Webhook>,
}

/// One attempt to deliver one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    pub message_id: String,
    pub r#type: WebhookType,
    /// From 1.
    pub attempt: u8,
    pub at: Instant,
    pub delivered: bool,
    /// What the receiver answered; `null` where it did not.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<SendProblem>,
    pub duration_ms: u64,
}

/// `GET /v1/webhooks/{id}/deliveries`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliveries {
    pub deliveries: Vec<Delivery>,
    /// Whether there are older ones.
    pub more: bool,
}

/// `POST /v1/webhooks/{id}/replay`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replayed {
    pub messages: u32,
    /// Where to go on; `null` when all are on their way.
    pub cursor: Option<String>,
}

words!(
    /// Why a receiver did not answer.
    SendProblem {
        TimedOut = "timed_out",
        Unreachable = "unreachable",
    }
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Secrets;

    fn secrets() -> Secrets {
        let fixture = include_str!("../fixtures/secrets.json");
        let known: serde_json::Value = serde_json::from_str(fixture).unwrap();
        let [signing, merchant, pseudonym] = ["signing_keys", "merchant_key", "pseudonym_key"]
            .map(|name| known[name].as_str().unwrap().to_owned());
        Secrets::parse(&signing, &merchant, &pseudonym).unwrap()
    }

    /// As the standard's own library for JavaScript signs it (npm `standardwebhooks` 1.1.1).
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=").unwrap();
        let secret = WebhookSecret(key.try_into().unwrap());
        assert_eq!(secret.show(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=");
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,455+aOk04wwxufzYeT7AdJGy67Jm9L1UV9h0WvJANVo="
        );
    }

    #[test]
    fn attempts_keep_the_schedule_of_the_standard() {
        let delays: Vec<i64> = (0..=u8::MAX).map_while(delay).collect();
        assert_eq!(delays, [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    }

    #[test]
    fn a_secret_is_of_one_program_one_endpoint_and_one_generation() {
        let secrets = secrets();
        let show = |program: &str, endpoint: u8, generation| {
            let endpoint = Digest([endpoint; 10]);
            secrets.webhook_secret(&program.parse().unwrap(), endpoint, generation).show()
        };
        let pinned = show("teehaus", 1, 1);
        assert_eq!(pinned, "whsec_YGmLtDDTjkUPI6yX/16aK3sj+rIp0ou92B1E3mEx54k=");
        for other in [show("kaffee", 1, 1), show("teehaus", 2, 1), show("teehaus", 1, 2)] {
            assert_ne!(other, pinned);
        }
    }

    #[test]
    fn a_message_is_named_after_its_type_and_subject() {
        let keys = secrets().program(&"teehaus".parse().unwrap());
        let id = |kind, subject: &[&[u8]]| message_id(&keys, kind, subject);
        let one = id(WebhookType::RewardApproved, &[b"ab", b"c"]);
        assert_eq!(one, id(WebhookType::RewardApproved, &[b"ab", b"c"]));
        for other in [
            id(WebhookType::RewardRefused, &[b"ab", b"c"]),
            id(WebhookType::RewardApproved, &[b"a", b"bc"]),
            id(WebhookType::RewardApproved, &[b"abc"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn webhooks_go_to_public_names_by_https_alone() {
        use UrlProblem::{Address, Form, Local, Port, Scheme, User};
        for (text, right) in [
            ("https://shop.example/hooks", Ok("https://shop.example/hooks")),
            ("https://shop.example", Ok("https://shop.example/")),
            ("https://shop.example?a=b", Ok("https://shop.example/?a=b")),
            ("HTTPS://Shop.Example:443/Hooks?A=b%20c", Ok("https://shop.example/Hooks?A=b%20c")),
            ("https://xn--kse-qla.example/", Ok("https://xn--kse-qla.example/")),
            ("https://shop.xn--p1ai/", Ok("https://shop.xn--p1ai/")),
            ("https://1.2.3.4.example/", Ok("https://1.2.3.4.example/")),
            ("http://shop.example/", Err(Scheme)),
            ("ftp://shop.example/", Err(Scheme)),
            ("javascript://shop.example/", Err(Scheme)),
            ("shop.example/hooks", Err(Form)),
            ("https:/shop.example/", Err(Form)),
            ("https://", Err(Form)),
            ("https:///hooks", Err(Form)),
            ("", Err(Form)),
            ("https://user@shop.example/", Err(User)),
            ("https://user:secret@shop.example/", Err(User)),
            ("https://shop.example@127.0.0.1/", Err(User)),
            ("https://shop.example:8443/", Err(Port)),
            ("https://shop.example:/", Err(Port)),
            ("https://shop.example:0443/", Err(Port)),
            ("https://shop.example:443:443/", Err(Port)),
            ("https://127.0.0.1/", Err(Address)),
            ("https://127.1/", Err(Address)),
            ("https://2130706433/", Err(Address)),
            ("https://0x7f000001/", Err(Address)),
            ("https://0x7f.1/", Err(Address)),
            ("https://0177.0.0.1/", Err(Address)),
            ("https://017700000001/", Err(Address)),
            ("https://shop.0x10/", Err(Address)),
            ("https://shop.example.1/", Err(Address)),
            ("https://127.0.0.1:443/", Err(Address)),
            ("https://[::1]/", Err(Address)),
            ("https://[::ffff:127.0.0.1]/", Err(Address)),
            ("https://[fe80::1%25eth0]/", Err(Address)),
            ("https://localhost/", Err(Local)),
            ("https://LOCALHOST/", Err(Local)),
            ("https://localhost:443/", Err(Local)),
            ("https://a.localhost/", Err(Local)),
            ("https://intranet/", Err(Local)),
            ("https://printer.local/", Err(Local)),
            ("https://metadata.google.internal/", Err(Local)),
            ("https://router.home.arpa/", Err(Local)),
            ("https://1.0.0.127.in-addr.arpa/", Err(Local)),
            ("https://a.lan/", Err(Local)),
            ("https://a.onion/", Err(Local)),
            ("https://localhost./", Err(Form)),
            ("https://shop.example./", Err(Form)),
            ("https://.shop.example/", Err(Form)),
            ("https://shop..example/", Err(Form)),
            ("https://-shop.example/", Err(Form)),
            ("https://shop-.example/", Err(Form)),
            ("https://sh_op.example/", Err(Form)),
            ("https://shop.example%2f/", Err(Form)),
            ("https://%6c%6f%63%61%6c%68%6f%73%74/", Err(Form)),
            ("https://shop.example\\@127.0.0.1/", Err(Form)),
            ("https:\\\\shop.example/", Err(Form)),
            ("https://shop.example/#a", Err(Form)),
            ("https://shop.example/ a", Err(Form)),
            ("https://shop.exam\tple/", Err(Form)),
            ("https://shop.example/\n", Err(Form)),
            ("https://käse.example/", Err(Form)),
            ("https://①②⑦.⓪.⓪.①/", Err(Form)),
            ("https://127。0。0。1/", Err(Form)),
            ("https://ｌocalhost/", Err(Form)),
        ] {
            let read = WebhookUrl::parse(text, false);
            assert_eq!(read.as_ref().map(WebhookUrl::as_str).map_err(|e| *e), right, "{text}");
        }
        let label = "a".repeat(63);
        let long = |length: usize| format!("https://shop.example/{}", "a".repeat(length - 21));
        for (text, right) in [
            (format!("https://{label}.example/"), true),
            (format!("https://a{label}.example/"), false),
            (format!("https://{label}.{label}.{label}.{}.de/", "a".repeat(58)), true),
            (format!("https://{label}.{label}.{label}.{}.de/", "a".repeat(59)), false),
            (long(500), true),
            (long(501), false),
        ] {
            assert_eq!(WebhookUrl::parse(&text, false).is_ok(), right, "{text}");
        }
    }

    #[test]
    fn the_demo_may_send_to_its_own_machine_and_only_there() {
        for (text, right) in [
            ("http://127.0.0.1:8788/hooks", Ok("127.0.0.1:8788")),
            ("http://localhost:1/", Ok("localhost:1")),
            ("http://LOCALHOST/", Ok("localhost")),
            ("http://shop.localhost:65535?a", Ok("shop.localhost:65535")),
            ("http://[::1]:8788/", Ok("[::1]:8788")),
            ("http://[::1]/", Ok("[::1]")),
            ("https://shop.example/", Ok("shop.example")),
            ("http://127.0.0.2/", Err(UrlProblem::Local)),
            ("http://[::2]/", Err(UrlProblem::Local)),
            ("http://localhost:65536/", Err(UrlProblem::Local)),
            ("http://localhost:+1/", Err(UrlProblem::Local)),
            ("http://a:b:localhost/", Err(UrlProblem::Local)),
            ("http://shop.example/", Err(UrlProblem::Local)),
            ("http://evil.example%2f.localhost/", Err(UrlProblem::Local)),
            ("http://localhost@evil.example/", Err(UrlProblem::User)),
            ("https://localhost/", Err(UrlProblem::Local)),
        ] {
            let read = WebhookUrl::parse(text, true);
            assert_eq!(read.as_ref().map(WebhookUrl::authority).map_err(|e| *e), right, "{text}");
            if text.starts_with("http:") {
                assert!(WebhookUrl::parse(text, false).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn an_endpoint_names_a_url_and_perhaps_types() {
        let parse = |body: &str| WebhookRequest::parse(body.as_bytes(), false);
        let read = parse(
            r#"{"url":"https://shop.example/","types":["reward.refused","reward.approved","reward.refused"]}"#,
        );
        assert_eq!(read.unwrap().types, [WebhookType::RewardApproved, WebhookType::RewardRefused]);
        assert_eq!(parse(r#"{"url":"https://shop.example/","types":[]}"#).unwrap().types, []);
        for (body, field) in [
            (r"{}", "url"),
            (r#"{"url":7}"#, "url"),
            (r#"{"url":"https://localhost/"}"#, "url"),
            (r#"{"url":"https://shop.example/","types":["reward.lost"]}"#, "types[0]"),
            (r#"{"url":"https://shop.example/","types":["test"]}"#, "types"),
            (r#"{"url":"https://shop.example/","types":[1]}"#, "types[0]"),
            (r#"{"url":"https://shop.example/","secret":"x"}"#, "secret"),
        ] {
            assert_eq!(parse(body).unwrap_err().field, field, "{body}");
        }
    }
}
