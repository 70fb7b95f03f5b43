//! Requests and answers across the boundary: plain values on this side, the runtime's objects on the
//! other, and as few calls between them as can be (boundary.js).

use futures_util::StreamExt;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::http::{HEADERS, HOOK_HEADERS, HOOKS, Request, Response, TooLarge, body_limit};

#[wasm_bindgen(module = "/src/platform/boundary.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn read(request: &worker::web_sys::Request, names: &str) -> Result<String, JsValue>;

    #[wasm_bindgen(catch)]
    fn answer(
        status: u16,
        head: &str,
        location: Option<&str>,
        body: Option<&[u8]>,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub async fn list(env: &JsValue, binding: &str, options: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub async fn post(url: &str, head: &str, body: &str, limit: u32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub async fn enqueue(
        env: &JsValue,
        binding: &str,
        text: &str,
        seconds: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn bodies(batch: &JsValue) -> Result<String, JsValue>;

    #[wasm_bindgen(catch)]
    pub fn retry(batch: &JsValue, indices: &[u32]) -> Result<(), JsValue>;
}

pub async fn decode(request: worker::web_sys::Request) -> worker::Result<Request> {
    let text = read(&request, HEADERS)?;
    let mut lines = text.split('\n').map(str::to_owned);
    let mut line = || lines.next().unwrap_or_default();
    let (method, origin, path, query) = (line(), line(), line(), line());
    let mut headers = Vec::new();
    let mut keep = |lines: &mut dyn Iterator<Item = String>| {
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            headers.push((name, value));
        }
    };
    keep(&mut lines);
    if path.starts_with(HOOKS) {
        let text = read(&request, HOOK_HEADERS)?;
        keep(&mut text.split('\n').skip(4).map(str::to_owned));
    }
    let has_body = !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
    let body = if has_body { body(request, body_limit(&path)).await? } else { Ok(Vec::new()) };
    Ok(Request { method, origin, path, query, headers, body })
}

/// Reads the body up to its limit. What follows is thrown away, up to a bound, so that the client
/// has sent what it wanted to and hears the answer.
async fn body(
    request: worker::web_sys::Request,
    most: usize,
) -> worker::Result<Result<Vec<u8>, TooLarge>> {
    const THROWN_AWAY: usize = 4 << 20;
    let Ok(mut stream) = worker::Request::from(request).stream() else { return Ok(Ok(Vec::new())) };
    let mut bytes = Vec::new();
    let mut sent = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        sent += chunk.len();
        if sent <= most {
            bytes.extend(chunk);
        } else if sent > THROWN_AWAY {
            break;
        }
    }
    Ok(if sent > most { Err(TooLarge) } else { Ok(bytes) })
}

/// A line break in a value would begin another header: such a value is left out.
pub fn encode(response: &Response) -> Result<JsValue, JsValue> {
    let mut head = String::with_capacity(1_024);
    let mut location = None;
    for (name, value) in &response.headers {
        if value.contains(['\n', '\r', '\0']) {
            continue;
        }
        if *name == "location" {
            location = Some(value.as_str());
            continue;
        }
        for part in [*name, "\n", value, "\n"] {
            head.push_str(part);
        }
    }
    let body = (!response.body.is_empty()).then_some(response.body.as_slice());
    answer(response.status, &head, location, body)
}
