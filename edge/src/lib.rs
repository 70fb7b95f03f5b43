//! The Worker: how a referral programme is served.
//!
//! Read this file first: the URL table names every route and who may call it. A handler is the file
//! named after its use case and reads top to bottom: authenticate, decode, load, decide (in
//! `passalong-core`), save, encode. The store is behind [`store::Store`]; the platform's crate is
//! named here and in [`platform`] only, so everything else also builds on the host.
#![forbid(unsafe_code)]
// Nothing that serves a request may panic: it would take the requests beside it along.
#![cfg_attr(
    not(test),
    deny(
        clippy::get_unwrap,
        clippy::panic,
        clippy::string_slice,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_in_result
    )
)]

pub mod administer;
pub mod aliases;
pub mod authenticate;
pub mod check_offer;
pub mod choose_alias;
pub mod clicks;
pub mod coupons;
pub mod cron;
pub mod customers;
pub mod days;
pub mod erasure;
pub mod export;
pub mod export_advocates;
pub mod fold;
pub mod fulfil;
pub mod http;
pub mod identify;
pub mod isolate;
pub mod join;
pub mod keys;
pub mod ledgers;
pub mod limits;
pub mod listed_coupons;
pub mod me;
pub mod metadata;
pub mod missing_referral;
pub mod news;
pub mod offer;
pub mod operate;
pub mod orders;
pub mod outbox;
pub mod owed;
pub mod people;
#[cfg(target_arch = "wasm32")]
pub mod platform;
pub mod pools;
pub mod privacy;
pub mod problem;
pub mod programs;
pub mod proof;
pub mod reach;
pub mod read_rewards;
pub mod record_conversion;
pub mod record_event;
pub mod record_signed;
pub mod redirect;
pub mod remind;
pub mod requests;
pub mod review;
pub mod rewards;
pub mod rotate_keys;
pub mod shop_hooks;
pub mod stats;
pub mod store;
pub mod totals;
pub mod webhooks;

use crate::http::{Request, Response};
use crate::problem::{Code, Problem};
use crate::redirect::Redirected;
use crate::store::{Context, Host};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anyone; their browser may read the answer.
    Visitor,
    /// A customer, by identity token, from a browser.
    Customer,
    /// The merchant's server, by API key.
    Merchant,
    /// The merchant's shop system, by its own signature.
    Shop,
    /// Whoever runs this, by operator key.
    Operator,
    /// The operator, and only where the time is set by hand.
    TestClock,
    Anyone,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Redirect,
    Offer,
    CheckOffer,
    Me,
    Share,
    Claim,
    ChooseAlias,
    Codes,
    RecordConversion,
    RecordSigned,
    ReadConversion,
    RecordEvent,
    ShopHook,
    ListRewards,
    ListClaims,
    Fulfil,
    Review,
    ReadPool,
    FillPool,
    ReadProgram,
    ChangeProgram,
    CreateProgram,
    NextKeys,
    RevokeKeys,
    ExportTable,
    Stats,
    PostTotals,
    Export,
    Erase,
    ShopifyProxy,
    ShopifySession,
    Shopware,
    RegisterShopware,
    ConfirmShopware,
    ListWebhooks,
    AddWebhook,
    RemoveWebhook,
    TestWebhook,
    ReplayWebhook,
    EnableWebhook,
    RotateWebhook,
    Deliveries,
    Health,
    OpenApi,
    Clock,
    Cron,
}

/// Every route.
pub const ROUTES: &[(&str, &str, Who, Action)] = &[
    ("GET", "/r/{program}/{code}", Who::Visitor, Action::Redirect),
    ("GET", "/r/{program}/{code}/{channel}", Who::Visitor, Action::Redirect),
    ("GET", "/v1/offer", Who::Visitor, Action::Offer),
    ("GET", "/v1/me", Who::Customer, Action::Me),
    ("POST", "/v1/me/shares", Who::Customer, Action::Share),
    ("POST", "/v1/me/claims", Who::Customer, Action::Claim),
    ("POST", "/v1/me/alias", Who::Customer, Action::ChooseAlias),
    ("POST", "/v1/offer/check", Who::Merchant, Action::CheckOffer),
    ("POST", "/v1/codes", Who::Merchant, Action::Codes),
    ("POST", "/v1/conversions", Who::Merchant, Action::RecordConversion),
    ("GET", "/v1/conversions/{order_id}", Who::Merchant, Action::ReadConversion),
    ("POST", "/v1/conversions/{order_id}/events", Who::Merchant, Action::RecordEvent),
    ("POST", "/v1/hooks/{shop}/{program}", Who::Shop, Action::ShopHook),
    ("GET", "/v1/rewards", Who::Merchant, Action::ListRewards),
    ("GET", "/v1/claims", Who::Merchant, Action::ListClaims),
    ("POST", "/v1/rewards/{id}/fulfil", Who::Merchant, Action::Fulfil),
    ("POST", "/v1/rewards/{id}/review", Who::Merchant, Action::Review),
    ("GET", "/v1/pools/{pool}", Who::Merchant, Action::ReadPool),
    ("POST", "/v1/pools/{pool}", Who::Merchant, Action::FillPool),
    ("GET", "/v1/program", Who::Merchant, Action::ReadProgram),
    ("PUT", "/v1/program", Who::Merchant, Action::ChangeProgram),
    ("GET", "/v1/exports/{table}", Who::Merchant, Action::ExportTable),
    ("GET", "/v1/stats", Who::Merchant, Action::Stats),
    ("POST", "/v1/totals", Who::Merchant, Action::PostTotals),
    ("POST", "/v1/customers/export", Who::Merchant, Action::Export),
    ("POST", "/v1/customers/erase", Who::Merchant, Action::Erase),
    ("POST", "/v1/signed/conversions", Who::Visitor, Action::RecordSigned),
    ("GET", "/v1/identity/shopify/{program}", Who::Anyone, Action::ShopifyProxy),
    ("POST", "/v1/identity/shopify/{program}", Who::Visitor, Action::ShopifySession),
    ("POST", "/v1/identity/shopware/{program}", Who::Visitor, Action::Shopware),
    ("GET", "/v1/hooks/shopware/{program}/register", Who::Anyone, Action::RegisterShopware),
    ("POST", "/v1/hooks/shopware/{program}/confirm", Who::Anyone, Action::ConfirmShopware),
    ("GET", "/v1/webhooks", Who::Merchant, Action::ListWebhooks),
    ("POST", "/v1/webhooks", Who::Merchant, Action::AddWebhook),
    ("DELETE", "/v1/webhooks/{id}", Who::Merchant, Action::RemoveWebhook),
    ("POST", "/v1/webhooks/{id}/test", Who::Merchant, Action::TestWebhook),
    ("POST", "/v1/webhooks/{id}/replay", Who::Merchant, Action::ReplayWebhook),
    ("POST", "/v1/webhooks/{id}/enable", Who::Merchant, Action::EnableWebhook),
    ("POST", "/v1/webhooks/{id}/rotate", Who::Merchant, Action::RotateWebhook),
    ("GET", "/v1/webhooks/{id}/deliveries", Who::Merchant, Action::Deliveries),
    ("POST", "/v1/programs", Who::Operator, Action::CreateProgram),
    ("POST", "/v1/programs/{id}/keys", Who::Operator, Action::NextKeys),
    ("POST", "/v1/programs/{id}/keys/revoke", Who::Operator, Action::RevokeKeys),
    ("GET", "/healthz", Who::Anyone, Action::Health),
    ("GET", "/openapi.json", Who::Anyone, Action::OpenApi),
    ("POST", "/v1/clock", Who::TestClock, Action::Clock),
    ("POST", "/v1/cron", Who::TestClock, Action::Cron),
];

/// Answers a request; [`Redirected`] carries the clicks to write after the answer.
pub async fn respond<H: Host>(cx: &Context<'_, H>, request: &Request) -> Redirected {
    let found = find(request, cx.config.test_clock);
    let who = found.as_ref().map_or(Who::Anyone, |(who, _, _)| *who);
    let answer = match &found {
        Err(problem) => Err(problem.clone()),
        Ok(_) if request.method == "OPTIONS" => Ok((Response::empty(204), None)),
        Ok((_, action, parts)) => {
            let part = |index: usize| parts.get(index).copied().unwrap_or_default();
            call(cx, request, *action, [part(0), part(1), part(2)]).await
        }
    };
    let (response, after) = answer.unwrap_or_else(|problem| (problem.into_response(), None));
    (finish(cx, request, who, response), after)
}

type Found<'r> = (Who, Action, Vec<&'r str>);

/// The route of a request: 404 where there is none, 405 where there is one for another method.
fn find(request: &Request, test_clock: bool) -> Result<Found<'_>, Problem> {
    let mut allowed: Vec<&str> = Vec::new();
    for (method, pattern, who, action) in ROUTES {
        if *who == Who::TestClock && !test_clock {
            continue;
        }
        let Some(parts) = matches(pattern, &request.path) else { continue };
        let browser = matches!(who, Who::Visitor | Who::Customer);
        let head = request.method == "HEAD" && *method == "GET";
        if request.method == *method || head || (browser && request.method == "OPTIONS") {
            return Ok((*who, *action, parts));
        }
        allowed.push(*method);
        if *method == "GET" {
            allowed.push("HEAD");
        }
        if browser {
            allowed.push("OPTIONS");
        }
    }
    if allowed.is_empty() {
        return Err(Problem::not_found("there is no such route; see /openapi.json"));
    }
    let allow = allowed.join(", ");
    let problem = Problem::new(Code::MethodNotAllowed, format!("this route takes {allow}"));
    Err(Problem { allow: Some(allow), ..problem })
}

/// The parts of the path that stand for `{…}`.
fn matches<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut parts = Vec::new();
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        if wanted.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            parts.push(segment);
        } else if wanted != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(parts)
}

async fn call<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    action: Action,
    parts: [&str; 3],
) -> Result<Redirected, Problem> {
    let [first, ..] = parts;
    let response = match action {
        Action::Redirect => return redirect::redirect(cx, request, parts).await,
        Action::Offer => offer::offer(cx, request).await,
        Action::CheckOffer => check_offer::check_offer(cx, request).await,
        Action::Me => me::me(cx, request).await,
        Action::ChooseAlias => choose_alias::choose_alias(cx, request).await,
        Action::Share => me::share(cx, request).await,
        Action::Claim => missing_referral::file(cx, request).await,
        Action::Codes => administer::issue_codes(cx, request).await,
        Action::RecordConversion => record_conversion::record_conversion(cx, request).await,
        Action::RecordSigned => record_signed::record_signed(cx, request).await,
        Action::ReadConversion => read_rewards::read_conversion(cx, request, first).await,
        Action::RecordEvent => record_event::record_event(cx, request, first).await,
        Action::ShopHook => shop_hooks::hear(cx, request, parts).await,
        Action::ListRewards => read_rewards::list_rewards(cx, request).await,
        Action::ListClaims => missing_referral::list::list(cx, request).await,
        Action::Fulfil => fulfil::fulfil(cx, request, first).await,
        Action::Review => review::review(cx, request, first).await,
        Action::ReadPool => pools::read(cx, request, first).await,
        Action::FillPool => pools::fill(cx, request, first).await,
        Action::ReadProgram => administer::read_program(cx, request).await,
        Action::ChangeProgram => administer::change_program(cx, request).await,
        Action::CreateProgram => administer::create_program(cx, request).await,
        Action::NextKeys => rotate_keys::next_keys(cx, request, first).await,
        Action::RevokeKeys => rotate_keys::revoke_keys(cx, request, first).await,
        Action::ExportTable => export::export(cx, request, first).await,
        Action::Stats => stats::stats(cx, request).await,
        Action::PostTotals => totals::post_totals(cx, request).await,
        Action::Export => privacy::export(cx, request).await,
        Action::Erase => privacy::erase(cx, request).await,
        Action::ShopifyProxy => identify::shopify_proxy(cx, request, first).await,
        Action::ShopifySession => identify::shopify_session(cx, request, first).await,
        Action::Shopware => identify::shopware(cx, request, first).await,
        Action::RegisterShopware => identify::register_shopware(cx, request, first).await,
        Action::ConfirmShopware => identify::confirm_shopware(cx, request, first).await,
        Action::ListWebhooks => webhooks::list(cx, request).await,
        Action::AddWebhook => webhooks::add(cx, request).await,
        Action::RemoveWebhook => webhooks::remove(cx, request, first).await,
        Action::TestWebhook => webhooks::test(cx, request, first).await,
        Action::ReplayWebhook => webhooks::replay(cx, request, first).await,
        Action::EnableWebhook => webhooks::enable(cx, request, first).await,
        Action::RotateWebhook => webhooks::rotate(cx, request, first).await,
        Action::Deliveries => webhooks::deliveries(cx, request, first).await,
        Action::Health => Ok(operate::health(cx)),
        Action::OpenApi => Ok(operate::openapi()),
        Action::Clock => operate::set_clock(cx, request).await,
        Action::Cron => operate::run_cron(cx, request).await,
    };
    response.map(|response| (response, None))
}

fn set_header(response: &mut Response, name: &'static str, value: &str) {
    if !response.headers.iter().any(|(known, _)| *known == name) {
        response.headers.push((name, value.to_owned()));
    }
}

/// What every answer carries, unless its handler said otherwise.
pub fn secured(mut response: Response) -> Response {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", "max-age=31536000"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "private, no-store"),
    ] {
        set_header(&mut response, name, value);
    }
    response
}

/// What browsers need on the routes that are for them, and what `DEBUG` shows.
fn finish<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    who: Who,
    mut response: Response,
) -> Response {
    response = secured(response);
    if matches!(who, Who::Visitor | Who::Customer) {
        set_header(&mut response, "access-control-allow-origin", "*");
        set_header(&mut response, "access-control-expose-headers", "retry-after, server-timing");
        set_header(&mut response, "timing-allow-origin", "*");
        if request.method == "OPTIONS" {
            set_header(&mut response, "access-control-allow-methods", "GET, POST");
            set_header(
                &mut response,
                "access-control-allow-headers",
                "authorization, content-type",
            );
            set_header(&mut response, "access-control-max-age", "7200");
        }
    }
    if cx.config.debug {
        let (reads, writes, lists) = cx.operations();
        let timing = format!("kv_read;dur={reads}, kv_write;dur={writes}, kv_list;dur={lists}");
        set_header(&mut response, "server-timing", &timing);
    }
    if request.method == "HEAD" {
        response.body.clear();
    }
    response
}
