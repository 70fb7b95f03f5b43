//! For whoever runs this: health, the API's own description, and the test clock.

use passalong_core::decode::Fields;
use passalong_core::time::Instant;
use passalong_core::wire::{Clock, Health};

use crate::authenticate::operator;
use crate::cron;
use crate::http::{Request, Response};
use crate::problem::Problem;
use crate::requests::body;
use crate::store::{Context, Host, Put};

/// Where the time that is set by hand is kept.
pub const CLOCK_KEY: &str = "clock";

pub fn health<H: Host>(cx: &Context<'_, H>) -> Response {
    let health = Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        test_clock: cx.config.test_clock,
        now: cx.config.test_clock.then_some(cx.now),
    };
    Response::json(200, &health)
}

pub fn openapi() -> Response {
    let mut response = Response::empty(200).with("content-type", "application/json");
    response.body = include_bytes!("../openapi.json").to_vec();
    response
}

/// `POST /v1/clock`: sets the time for every request and the cron; `null` returns to real time.
pub async fn set_clock<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    operator(cx, request).await?;
    let mut fields = Fields::parse(body(request)?)?;
    let now: Option<Instant> = fields.read("now")?;
    fields.finish()?;
    match now {
        Some(now) => {
            let put = Put {
                key: CLOCK_KEY.to_owned(),
                value: now.to_string(),
                metadata: None,
                ttl: None,
            };
            cx.put(&put).await?;
        }
        None => cx.delete(CLOCK_KEY).await?,
    }
    let real = i64::try_from(cx.host.millis() / 1_000).unwrap_or(i64::MAX);
    let now = now.unwrap_or(Instant::from_seconds(real));
    Ok(Response::json(200, &Clock { now, test_clock: true }))
}

/// `POST /v1/cron`: one run of the cron, now.
pub async fn run_cron<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    operator(cx, request).await?;
    Ok(Response::json(200, &cron::run(cx).await?))
}
