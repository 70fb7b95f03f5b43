//! The platform: turns the runtime's requests, bindings and timers into the plain values and the
//! store that the rest of this crate works with.

mod kv;
#[cfg(feature = "panic-route")]
mod panic_route;

use std::cell::OnceCell;
use std::rc::Rc;

use passalong_core::keys::Secrets;
use passalong_core::time::Instant;
use worker::{Env, event};

use crate::http::{BODY_LIMIT, Request, Response, TooLarge};
use crate::isolate::{Config, Isolate};
use crate::operate::CLOCK_KEY;
use crate::problem::{Code, Problem};
use crate::store::{Context, Host, Store, StoreError};
use crate::{clicks, cron, respond, secured};
use kv::Platform;

thread_local! {
    static ISOLATE: Rc<Isolate> = Rc::default();
    static CONFIG: OnceCell<Result<Rc<Config>, String>> = const { OnceCell::new() };
}

/// The configuration, read once in an isolate.
fn config(env: &Env) -> Result<Rc<Config>, String> {
    CONFIG.with(|cell| {
        cell.get_or_init(|| {
            let secret = |name: &str| {
                let secret = env.secret(name).map(|secret| secret.to_string());
                secret.map_err(|_| {
                    format!(
                        "the secret {name} is missing; set it with: npx wrangler secret put {name}"
                    )
                })
            };
            let signing = secret("SIGNING_KEYS")?;
            let merchant = secret("MERCHANT_KEY")?;
            let pseudonym = secret("PSEUDONYM_KEY")?;
            let secrets = Secrets::parse(&signing, &merchant, &pseudonym)
                .map_err(|error| error.to_string())?
                .with_operator_generation(operator_generation(env)?);
            let on = |name: &str| env.var(name).is_ok_and(|value| value.to_string() == "on");
            Ok(Rc::new(Config { secrets, test_clock: on("TEST_CLOCK"), debug: on("DEBUG") }))
        })
        .clone()
    })
}

/// `OPERATOR_GENERATION`, so that whoever deploys can take back an operator key that got lost.
fn operator_generation(env: &Env) -> Result<u32, String> {
    let Ok(text) = env.var("OPERATOR_GENERATION") else { return Ok(1) };
    let text = text.to_string();
    text.parse().map_err(|_| "the variable OPERATOR_GENERATION must be a number".to_owned())
}

/// Real time, or what was set by hand.
async fn now(config: &Config, platform: &Platform) -> Result<Instant, StoreError> {
    let real = i64::try_from(platform.millis() / 1_000).unwrap_or(i64::MAX);
    let real = Instant::from_seconds(real);
    if !config.test_clock {
        return Ok(real);
    }
    let set = platform.get(CLOCK_KEY).await?;
    Ok(set.and_then(|text| text.parse().ok()).unwrap_or(real))
}

#[event(fetch)]
async fn fetch(
    request: worker::Request,
    env: Env,
    context: worker::Context,
) -> worker::Result<worker::Response> {
    let config = match config(&env) {
        Ok(config) => config,
        Err(missing) => {
            worker::console_error!("{missing}");
            let detail = "this service is not set up; its log says what is missing";
            return encode(secured(Problem::new(Code::Misconfigured, detail).into_response()));
        }
    };
    let platform = Platform::new(&env)?;
    let request = decode(request).await?;
    if config.test_clock && !is_loopback(&request.origin) {
        worker::console_error!("TEST_CLOCK is on, which is for loopback hosts only; turn it off");
        let detail = "this service is set up for tests; its log says what to change";
        return encode(secured(Problem::new(Code::Misconfigured, detail).into_response()));
    }
    let isolate = ISOLATE.with(Rc::clone);
    #[cfg(feature = "panic-route")]
    panic_route::meet(&request, &platform, &isolate).await;
    let now = match now(&config, &platform).await {
        Ok(now) => now,
        Err(error) => return encode(secured(Problem::from(error).into_response())),
    };
    let (response, after) = {
        let cx = Context::new(&platform, &isolate, &config, now);
        respond(&cx, &request).await
    };
    if let Some(target) = after {
        context.wait_until(async move {
            let cx = Context::new(&platform, &isolate, &config, now);
            if clicks::flush(&cx, &target).await.is_err() {
                platform.log("a batch of clicks was lost");
            }
        });
    }
    encode(response)
}

#[event(scheduled)]
async fn scheduled(_: worker::ScheduledEvent, env: Env, _: worker::ScheduleContext) {
    let run = async {
        let config = config(&env)?;
        let platform = Platform::new(&env).map_err(|error| error.to_string())?;
        let isolate = ISOLATE.with(Rc::clone);
        let now = now(&config, &platform).await.map_err(|error| error.0)?;
        let cx = Context::new(&platform, &isolate, &config, now);
        cron::run(&cx).await.map_err(|error| error.0)
    };
    match run.await {
        Ok(report) => worker::console_log!(
            "cron: looked at {}, settled {}, folded {}, healed {}, operations {}",
            report.looked_at,
            report.settled,
            report.folded,
            report.healed,
            report.operations
        ),
        Err::<_, String>(error) => worker::console_error!("cron: {error}"),
    }
}

fn is_loopback(origin: &str) -> bool {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { host } else { authority }
    });
    matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
}

async fn decode(mut request: worker::Request) -> worker::Result<Request> {
    let url = request.url()?;
    let headers: Vec<(String, String)> = request
        .headers()
        .entries()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let method = request.method().to_string();
    let has_body = !matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
    let body = if has_body { body(&mut request).await? } else { Ok(Vec::new()) };
    Ok(Request {
        method,
        origin: url.origin().ascii_serialization(),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers,
        body,
    })
}

/// Reads the body up to its limit. What follows is thrown away, up to a bound, so that the client
/// has sent what it wanted to and hears the answer.
async fn body(request: &mut worker::Request) -> worker::Result<Result<Vec<u8>, TooLarge>> {
    use futures_util::StreamExt;
    const THROWN_AWAY: usize = 4 << 20;
    let Ok(mut stream) = request.stream() else { return Ok(Ok(Vec::new())) };
    let mut bytes = Vec::new();
    let mut sent = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        sent += chunk.len();
        if sent <= BODY_LIMIT {
            bytes.extend(chunk);
        } else if sent > THROWN_AWAY {
            break;
        }
    }
    Ok(if sent > BODY_LIMIT { Err(TooLarge) } else { Ok(bytes) })
}

fn encode(response: Response) -> worker::Result<worker::Response> {
    let headers = worker::Headers::new();
    for (name, value) in &response.headers {
        headers.set(name, value)?;
    }
    let builder = worker::ResponseBuilder::new().with_status(response.status).with_headers(headers);
    if response.body.is_empty() { Ok(builder.empty()) } else { Ok(builder.fixed(response.body)) }
}
