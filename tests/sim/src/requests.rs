//! Requests as shops, customers and visitors send them.

use hmac::{Hmac, KeyInit, Mac};
use passalong_core::text::base64url;
use passalong_core::time::{HOUR, Instant};
use passalong_edge::http::Request;
use serde_json::{Value, json};
use sha2::Sha256;

pub fn request(method: &str, target: &str, bearer: &str, body: Option<&Value>) -> Request {
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

/// What a shop signs for its customer who is logged in.
pub fn identity_token(
    secret: &str,
    program: &str,
    customer: &str,
    hints: &[String],
    segment: Option<&str>,
    now: Instant,
) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let claims = json!({
        "sub": customer, "aud": program, "iat": now.seconds(), "exp": now.plus(HOUR).seconds(),
        "hints": hints, "segment": segment,
    });
    let signed = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", base64url(&mac.finalize().into_bytes()))
}

/// A visitor of that number follows a link.
pub fn click(program: &str, code: &str, visitor: u32) -> Request {
    let mut request = request("GET", &format!("/r/{program}/{code}/whatsapp"), "", None);
    let [_, b, c, d] = visitor.to_be_bytes();
    request.headers = vec![
        ("cf-connecting-ip".to_owned(), format!("10.{b}.{c}.{d}")),
        ("user-agent".to_owned(), "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0".to_owned()),
    ];
    request
}
