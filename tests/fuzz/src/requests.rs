//! The whole Worker as a parser: paths, query strings, headers and bodies through the URL table and its
//! handlers, over a store that holds a program with an order and keeps nothing that is sent.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use passalong_core::channel::Channel;
use passalong_core::click_token::ClickToken;
use passalong_core::code;
use passalong_core::shop::ShopSecrets;
use passalong_core::text::base64url;
use passalong_core::time::HOUR;
use passalong_core::webhook::{WebhookUrl, endpoint_id};
use passalong_edge::http::{Request, Response, TooLarge, body_limit};
use passalong_edge::isolate::{Config, Isolate};
use passalong_edge::respond;
use passalong_edge::store::{Context, Entry, Host, Metadata, Page, Put, Store, StoreError};
use serde_json::Value;

use crate::Parser;
use crate::parsers::{known, now, program, secrets};
use crate::tokens::signed_template;

/// A store that answers at once and, once it is frozen, takes everything and keeps nothing.
#[derive(Default)]
struct Frozen {
    keys: RefCell<BTreeMap<String, (String, Metadata)>>,
    is_frozen: bool,
}

impl Store for Frozen {
    async fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.keys.borrow().get(key).map(|(value, _)| value.clone()))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let stored = self.keys.borrow();
        Ok(keys.iter().map(|key| stored.get(key).map(|(value, _)| value.clone())).collect())
    }

    async fn list(&self, prefix: &str, _: Option<&str>) -> Result<Page, StoreError> {
        let stored = self.keys.borrow();
        let below =
            stored.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        let entry = |(key, (_, metadata)): (&String, &(String, Metadata))| {
            Entry::new(key.as_str(), metadata.clone())
        };
        Ok(Page { entries: below.map(entry).collect(), cursor: None })
    }

    async fn put(&self, put: &Put) -> Result<(), StoreError> {
        // The store's own limits.
        let metadata = put.metadata.as_ref().map_or(0, |json| json.to_string().len());
        assert!(put.key.len() <= 512, "a key of {} bytes: {}", put.key.len(), put.key);
        assert!(metadata <= 1_024, "{metadata} bytes of metadata: {}", put.key);
        if !self.is_frozen {
            let metadata = put.metadata.clone().unwrap_or_default();
            self.keys.borrow_mut().insert(put.key.clone(), (put.value.clone(), metadata));
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        if !self.is_frozen {
            self.keys.borrow_mut().remove(key);
        }
        Ok(())
    }
}

impl Host for Frozen {
    async fn sleep(&self, _: u32) {}

    fn random(&self) -> [u8; 8] {
        [7; 8]
    }

    fn millis(&self) -> u64 {
        1_795_334_400_000
    }

    fn log(&self, _: &str) {}
}

/// Runs what never waits.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A deployment with a program, a customer's link and an order on it.
struct Deployment {
    store: Frozen,
    config: Config,
    isolate: Isolate,
    /// Requests since the isolate began.
    age: u32,
    words: Vec<(&'static str, String)>,
}

const BEGINNING: [&str; 6] = [
    "POST /v1/programs\nauthorization: Bearer {operator}\n\n{\"id\":\"teehaus\",\"name\":\"Teehaus Nord\",\"landing_url\":\"https://shop.example/willkommen?a=1\",\"allowed_hosts\":[\"m.shop.example\"]}",
    "POST /v1/webhooks\nauthorization: Bearer {server}\n\n{\"url\":\"https://shop.example/hooks\"}",
    "POST /v1/webhooks\nauthorization: Bearer {server}\n\n{\"url\":\"https://shop.example/other\"}",
    "POST /v1/codes\nauthorization: Bearer {server}\n\n{\"customer_ids\":[\"10023\"]}",
    "POST /v1/conversions\nauthorization: Bearer {server}\n\n{\"order_id\":\"A-1\",\"kind\":\"purchase\",\"amount\":4990,\"currency\":\"EUR\",\"customer_id\":\"20871\",\"occurred_at\":\"2026-11-22T08:00:00Z\",\"token\":\"{token}\"}",
    "POST /v1/conversions/A-1/events\nauthorization: Bearer {server}\n\n{\"event_id\":\"r1\",\"type\":\"refunded\",\"amount\":990,\"occurred_at\":\"2026-11-22T08:00:00Z\"}",
];

impl Deployment {
    fn new() -> Self {
        let secrets = secrets();
        let keys = secrets.program(&program());
        let id = "10023".parse().map(|id| keys.customer(&id));
        let Ok(customer) = id else { unreachable!("10023 is an id") };
        let token = ClickToken { customer, at: now(), channel: Channel::WhatsApp, nonce: [1; 4] };
        let expires = now().plus(HOUR).seconds().to_string();
        let mut words = vec![
            ("{operator}", known("operator_key")),
            ("{server}", known("server_api_key")),
            ("{code}", code::issue(&keys, customer)),
            ("{token}", token.sign(&keys)),
            ("{customer}", signed_template(&format!("10023\n{expires}")).unwrap_or_default()),
            ("{id}", base64url(b"10023")),
        ];
        let shops = ShopSecrets::parse(r#"{"teehaus":{"woocommerce":["a secret of the shop"]}}"#);
        let config = Config { secrets, shops, test_clock: true, debug: true };
        for (word, text) in [("{endpoint}", "hooks"), ("{other}", "other")] {
            let url = WebhookUrl::parse(&format!("https://shop.example/{text}"), false);
            let id = url.map(|url| endpoint_id(&keys, &url).to_string());
            words.push((word, format!("ep_{}", id.unwrap_or_default())));
        }
        let isolate = Isolate::default();
        let mut deployment = Self { store: Frozen::default(), config, isolate, age: 0, words };
        for text in BEGINNING {
            let request = deployment.request(text.as_bytes());
            let status = deployment.answer(&request).map_or(0, |response| response.status);
            assert!((200..300).contains(&status), "{text}: {status}");
        }
        let told = deployment.store.keys.borrow().keys().find_map(|key| {
            key.strip_prefix("outbox/teehaus/").map(|message| format!("msg_{message}"))
        });
        deployment.words.push(("{message}", told.unwrap_or_default()));
        deployment.store.is_frozen = true;
        deployment
    }

    /// Method and target; header lines; an empty line; the body.
    fn request(&self, input: &[u8]) -> Request {
        let mut text = String::from_utf8_lossy(input).into_owned();
        for (word, meaning) in &self.words {
            text = text.replace(word, meaning);
        }
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.split('\n');
        let (method, target) = lines.next().unwrap_or_default().split_once(' ').unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            // The platform lets no other values through.
            let value = value.trim().replace(|c: char| c.is_control(), "");
            Some((name.to_ascii_lowercase(), value))
        };
        Request {
            method: method.to_owned(),
            origin: "https://empfehlen.example".to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: lines.filter_map(header).collect(),
            body: if body.len() > body_limit(path) {
                Err(TooLarge)
            } else {
                Ok(body.as_bytes().to_vec())
            },
        }
    }

    fn answer(&mut self, request: &Request) -> Result<Response, String> {
        self.age += 1;
        // Clicks wait in an isolate's memory for a batch that is never written here.
        if self.age > 500 {
            self.isolate = Isolate::default();
            self.age = 0;
        }
        let cx = Context::new(&self.store, &self.isolate, &self.config, now());
        let answer = at_once(respond(&cx, request));
        answer.map(|(response, _)| response).ok_or_else(|| "it waits for nothing".to_owned())
    }
}

const STATUSES: [u16; 14] = [200, 201, 202, 204, 302, 400, 401, 403, 404, 405, 409, 413, 429, 503];

/// Every request is answered, never by a fault of ours, and the answer is well-formed.
pub fn parser() -> Parser {
    let mut deployment = None;
    let check = move |input: &[u8]| {
        let deployment = deployment.get_or_insert_with(Deployment::new);
        let request = deployment.request(input);
        let response = deployment.answer(&request)?;
        let status = response.status;
        if !STATUSES.contains(&status) || status == 503 {
            return Err(format!("{status} {}", String::from_utf8_lossy(&response.body)));
        }
        for (name, value) in &response.headers {
            if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err(format!("the header {name} is {value:?}"));
            }
        }
        let header = |name: &str| {
            let found = response.headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        if let Some(location) = header("location") {
            let ours = ["https://shop.example/", "https://m.shop.example/"];
            if !ours.iter().any(|shop| location.starts_with(shop)) {
                return Err(format!("a redirect to {location}"));
            }
        }
        if header("content-type").is_some_and(|kind| kind.ends_with("json"))
            && request.method != "HEAD"
        {
            let body: Value = serde_json::from_slice(&response.body)
                .map_err(|error| format!("{status} with a body that is no JSON: {error}"))?;
            let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
            let fields = ["invalid_field", "unknown_field"].map(Value::from);
            let must_name = body.get("code").is_some_and(|code| fields.contains(code));
            if status >= 400 && (detail.is_empty() || (must_name && body.get("field").is_none())) {
                return Err(format!("an error that does not say what is wrong: {body}"));
            }
        }
        Ok(status < 400)
    };
    Parser {
        name: "requests",
        corpus: include_str!("../corpus/requests.txt"),
        check: Box::new(check),
    }
}
