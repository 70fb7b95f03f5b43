//! Requests as shops, customers and visitors send them, signed with the known secrets.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::text::base64url;
use passalong_core::time::{HOUR, Instant};
use passalong_edge::http::Request;
use serde_json::{Value, json};
use sha2::Sha256;

use super::PROGRAM;

pub const CONFLICT: u16 = 409;

/// One of the known secrets.
pub fn secret(name: &str) -> String {
    let known: Value =
        serde_json::from_str(include_str!("../../../core/fixtures/secrets.json")).unwrap();
    known[name].as_str().unwrap().to_owned()
}

fn request(method: &str, target: &str, bearer: &str, body: Option<&Value>) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.to_owned(),
        origin: "https://referrals.example".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {bearer}"))],
        body: Ok(body.map(|body| body.to_string().into_bytes()).unwrap_or_default()),
    }
}

/// As the merchant's server.
pub fn post(path: &str, body: &Value) -> Request {
    request("POST", path, &secret("server_api_key"), Some(body))
}

pub fn get(path: &str) -> Request {
    request("GET", path, &secret("server_api_key"), None)
}

pub fn delete(path: &str) -> Request {
    request("DELETE", path, &secret("server_api_key"), None)
}

/// `POST /v1/programs` from the preset 20-10, settled an hour after the order.
pub fn program_terms(changes: &Value) -> Request {
    let mut terms = json!({
        "id": PROGRAM, "preset": "20-10", "name": "Teehaus Nord",
        "landing_url": "https://shop.example/willkommen",
        "hold": { "from": "order", "days": 0, "fallback_days": 0 },
    });
    for (name, value) in changes.as_object().unwrap() {
        terms[name] = value.clone();
    }
    request("POST", "/v1/programs", &secret("operator_key"), Some(&terms))
}

/// An order of 49.90 EUR by `friend`, with a typed code.
pub fn conversion(now: Instant, order: &str, friend: &str, code: &str, changes: &Value) -> Request {
    let mut body = json!({
        "order_id": order, "kind": "purchase", "amount": 4990, "currency": "EUR",
        "customer_id": friend, "first_order": true, "occurred_at": now, "code": code,
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    post("/v1/conversions", &body)
}

pub fn event(now: Instant, order: &str, id: &str, kind: &str, amount: Option<i64>) -> Request {
    let mut body = json!({ "event_id": id, "type": kind, "occurred_at": now });
    if let Some(amount) = amount {
        body["amount"] = amount.into();
    }
    post(&format!("/v1/conversions/{order}/events"), &body)
}

pub fn read_order(order: &str) -> Request {
    get(&format!("/v1/conversions/{order}"))
}

pub fn erase(customer: &str) -> Request {
    post("/v1/customers/erase", &json!({ "customer_id": customer }))
}

/// As a customer.
pub fn get_as(now: Instant, customer: &str, path: &str) -> Request {
    request("GET", path, &identity(now, customer), None)
}

pub fn post_as(now: Instant, customer: &str, path: &str, body: &Value) -> Request {
    request("POST", path, &identity(now, customer), Some(body))
}

/// A tap on a share button.
pub fn share(now: Instant, customer: &str, channel: &str) -> Request {
    post_as(now, customer, "/v1/me/shares", &json!({ "channel": channel }))
}

pub fn choose_alias(now: Instant, customer: &str, alias: Option<&str>) -> Request {
    post_as(now, customer, "/v1/me/alias", &json!({ "alias": alias }))
}

/// Who a customer is, by a template's signature.
fn identity(now: Instant, customer: &str) -> String {
    let expires = now.plus(HOUR).seconds().to_string();
    let message = ["passalong-identity-v1", PROGRAM, customer, &expires].join("\n");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret("template_secret").as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(hex, "{byte:02x}").unwrap();
    }
    let id = base64url(customer.as_bytes());
    format!("t1.{PROGRAM}.{id}.{expires}.{hex}")
}

pub fn me(now: Instant, customer: &str) -> Request {
    get_as(now, customer, "/v1/me")
}

/// A visitor of that number follows a link.
pub fn redirect(code: &str, visitor: u32) -> Request {
    let mut request = request("GET", &format!("/r/{PROGRAM}/{code}/whatsapp"), "", None);
    let [_, b, c, d] = visitor.to_be_bytes();
    request.headers = vec![
        ("cf-connecting-ip".to_owned(), format!("10.{b}.{c}.{d}")),
        ("user-agent".to_owned(), "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0".to_owned()),
    ];
    request
}
