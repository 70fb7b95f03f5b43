//! The platform: turns the runtime's requests, bindings and timers into the plain values and the
//! store that the rest of this crate works with.

mod boundary;
mod kv;
#[cfg(feature = "panic-route")]
mod panic_route;

use std::cell::OnceCell;
use std::rc::Rc;
use std::task::{Context as Task, Poll, Waker};

use futures_util::future::join_all;
use passalong_core::keys::Secrets;
use passalong_core::shop::ShopSecrets;
use passalong_core::time::Instant;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen_futures::future_to_promise;
use worker::worker_sys::Context as JsContext;
use worker::{Env, event};

use crate::http::Response;
use crate::isolate::{Config, Isolate};
use crate::operate::CLOCK_KEY;
use crate::problem::{Code, Problem};
use crate::store::{Context, Host, Store, StoreError};
use crate::{clicks, cron, outbox, respond, secured};
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
            Ok(Rc::new(Config {
                secrets,
                shops: shops(env),
                test_clock: on("TEST_CLOCK"),
                debug: on("DEBUG"),
            }))
        })
        .clone()
    })
}

/// `SHOP_SECRETS`, which a deployment without a shop system does not have. What is wrong with it stops
/// the shops' messages and nothing else.
fn shops(env: &Env) -> ShopSecrets {
    let Ok(text) = env.secret("SHOP_SECRETS") else { return ShopSecrets::Absent };
    let shops = ShopSecrets::parse(&text.to_string());
    if let Some(flaw) = shops.flaw() {
        worker::console_error!("the secret SHOP_SECRETS {flaw}");
    }
    shops
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

/// Answers a request. What needs no store, as a redirect in a warm isolate, is answered at once: a
/// promise and its turn of the event loop would cost more than the answer.
#[wasm_bindgen(js_name = fetch)]
pub fn fetch(
    request: worker::web_sys::Request,
    env: Env,
    context: JsContext,
) -> Result<JsValue, JsValue> {
    let mut answer = Box::pin(handle(request, env, context));
    match answer.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(response) => response,
        Poll::Pending => Ok(future_to_promise(answer).into()),
    }
}

async fn handle(
    request: worker::web_sys::Request,
    env: Env,
    context: JsContext,
) -> Result<JsValue, JsValue> {
    let response = match serve(request, env, context).await {
        Ok(response) => response,
        Err(error) => {
            worker::console_error!("{error}");
            secured(Problem::new(Code::Unavailable, "please try again").into_response())
        }
    };
    boundary::encode(&response)
}

async fn serve(
    request: worker::web_sys::Request,
    env: Env,
    context: JsContext,
) -> worker::Result<Response> {
    let config = match config(&env) {
        Ok(config) => config,
        Err(missing) => {
            worker::console_error!("{missing}");
            let detail = "this service is not set up; its log says what is missing";
            return Ok(secured(Problem::new(Code::Misconfigured, detail).into_response()));
        }
    };
    let platform = Platform::new(env);
    let request = boundary::decode(request).await?;
    if config.test_clock && !is_loopback(&request.origin) {
        worker::console_error!("TEST_CLOCK is on, which is for loopback hosts only; turn it off");
        let detail = "this service is set up for tests; its log says what to change";
        return Ok(secured(Problem::new(Code::Misconfigured, detail).into_response()));
    }
    let isolate = ISOLATE.with(Rc::clone);
    #[cfg(feature = "panic-route")]
    panic_route::meet(&request, &platform, &isolate).await;
    let now = match now(&config, &platform).await {
        Ok(now) => now,
        Err(error) => return Ok(secured(Problem::from(error).into_response())),
    };
    let (response, after, announced) = {
        let cx = Context::new(&platform, &isolate, &config, now);
        let (response, after) = respond(&cx, &request).await;
        // What was not acknowledged is sent again, and told then.
        let is_good = response.status < 400;
        (response, after, cx.announced.take().into_iter().filter(|_| is_good).collect::<Vec<_>>())
    };
    if after.is_some() || !announced.is_empty() {
        worker::Context::new(context).wait_until(async move {
            let cx = Context::new(&platform, &isolate, &config, now);
            outbox::deliver(&cx, &announced).await;
            if let Some(target) = after
                && clicks::flush(&cx, &target).await.is_err()
            {
                platform.log("a batch of clicks was lost");
            }
        });
    }
    Ok(response)
}

/// Attempts at webhooks, brought by the queue where one is bound. What fails in the store comes
/// again; what fails at the receiver has been sent on its way by then.
#[wasm_bindgen(js_name = queue)]
pub fn queue(batch: JsValue, env: Env, _: JsContext) -> JsValue {
    future_to_promise(async move {
        let config = config(&env)?;
        let platform = Platform::new(env);
        let isolate = ISOLATE.with(Rc::clone);
        let now = now(&config, &platform).await.map_err(|error| error.to_string())?;
        let bodies = boundary::bodies(&batch)?;
        let take = |text| {
            let cx = Context::new(&platform, &isolate, &config, now);
            async move { outbox::take(&cx, text).await }
        };
        let taken = join_all(bodies.lines().map(take)).await;
        let failed = (0..).zip(taken).filter(|(_, taken)| taken.is_err());
        boundary::retry(&batch, &failed.map(|(index, _)| index).collect::<Vec<u32>>())?;
        Ok(JsValue::UNDEFINED)
    })
    .into()
}

#[event(scheduled)]
async fn scheduled(_: worker::ScheduledEvent, env: Env, _: worker::ScheduleContext) {
    let run = async {
        let config = config(&env)?;
        let platform = Platform::new(env);
        let isolate = ISOLATE.with(Rc::clone);
        let now = now(&config, &platform).await.map_err(|error| error.to_string())?;
        let cx = Context::new(&platform, &isolate, &config, now);
        cron::run(&cx).await.map_err(|error| error.to_string())
    };
    match run.await {
        Ok(report) => worker::console_log!(
            "cron: looked at {}, settled {}, folded {}, healed {}, sent {}, operations {}",
            report.looked_at,
            report.settled,
            report.folded,
            report.healed,
            report.sent,
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
