//! Requests and responses as plain values, so that handlers know nothing of the platform.

use serde::Serialize;
use url::form_urlencoded;

/// The longest body that is read, in bytes.
pub const BODY_LIMIT: usize = 65_536;

/// The same for what shop systems send: an order with all that belongs to it.
pub const HOOK_LIMIT: usize = 524_288;

/// Where shop systems send to.
pub const HOOKS: &str = "/v1/hooks/";

/// The longest body that is read on this path.
pub fn body_limit(path: &str) -> usize {
    if path.starts_with(HOOKS) { HOOK_LIMIT } else { BODY_LIMIT }
}

/// The body is longer than [`body_limit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// The headers that handlers read; no other reaches them.
pub const HEADERS: &str =
    "authorization cf-connecting-ip purpose sec-purpose user-agent x-moz x-purpose";

/// Those of shop systems, read below [`HOOKS`] alone: each name costs a call on every request.
pub const HOOK_HEADERS: &str = "shopware-app-signature shopware-shop-signature x-shopify-hmac-sha256 x-shopify-topic x-wc-webhook-signature x-wc-webhook-topic";

#[derive(Debug, Clone)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Scheme and authority the request was sent to.
    pub origin: String,
    /// As sent, percent-encoded.
    pub path: String,
    pub query: String,
    /// Of [`HEADERS`] and [`HOOK_HEADERS`], names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Result<Vec<u8>, TooLarge>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut known = HEADERS.split(' ').chain(HOOK_HEADERS.split(' '));
        debug_assert!(known.any(|known| known == name), "{name} is not in HEADERS");
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What `Authorization: Bearer …` carries; empty where there is nothing.
    pub fn bearer(&self) -> &str {
        let value = self.header("authorization").unwrap_or_default();
        let (scheme, rest) = value.split_once(' ').unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") { rest.trim() } else { "" }
    }

    /// The query's parameters, decoded, in order.
    pub fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The first parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn json(status: u16, message: &impl Serialize) -> Self {
        let body = serde_json::to_vec(message).unwrap_or_default();
        Self { status, headers: Vec::new(), body }.with("content-type", "application/json")
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
