//! `GET /v1/offer`: what a friend gets, for any browser and for the shop's own pages; the terms in
//! plain words; and whether a click token proves a referral now.

use passalong_core::click_token;
use passalong_core::ids::ProgramId;
use passalong_core::program::{Coupon, Url, Version};
use passalong_core::report::CLOCK_LEEWAY;
use passalong_core::reward::{Delivery, Reason, Role};
use passalong_core::terms::{Language, plain};
use passalong_core::time::DAY;
use passalong_core::wire::{Offer, promised};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::{Request, Response};
use crate::me::head;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::query;
use crate::store::{Context, Host};

/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub async fn offer<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let id: Option<ProgramId> = query(request, "program")?;
    let id = id.ok_or_else(|| Problem::field("program", "is required: the slug of the program"))?;
    let unknown = || Problem::not_found("there is no such program");
    let program = programs::load_known(cx, &id).await?.ok_or_else(unknown)?;
    let version = programs::current(cx, &program)?;
    let terms = &version.terms;
    let language = query(request, "lang")?;
    let language = language.unwrap_or_else(|| Language::of_locale(&terms.locale));
    let friend = promised(terms, Role::Friend, None);
    let by_coupon = friend.is_some_and(|rule| rule.delivery == Delivery::Coupon);
    let coupon = terms.coupon.as_ref().filter(|_| by_coupon);
    let advocate = promised(terms, Role::Advocate, None);
    let reason = referral(cx, &program, version, request.parameter("pa").as_deref()).err();
    let offer = Offer {
        program: head(version),
        friend: friend.map(|rule| rule.value),
        advocate: advocate.map(|rule| rule.value),
        trigger: friend.or(advocate).map(|rule| rule.trigger),
        when: friend.map(|rule| rule.when),
        minimum_order: friend.and_then(|rule| rule.minimum_order),
        coupon: coupon.map(|coupon| coupon.code.clone()),
        coupon_link: coupon.and_then(|coupon| coupon_link(coupon, &terms.landing_url)),
        from: None,
        referred: reason.is_none(),
        reason,
        landing_url: terms.landing_url.clone(),
        terms: plain(terms, language, terms.address),
        terms_version: version.number,
    };
    Ok(Response::json(200, &offer))
}

/// Where the shop takes the coupon and goes on to the landing page, which is on the same shop.
fn coupon_link(coupon: &Coupon, landing_url: &str) -> Option<String> {
    let landing: Url = landing_url.parse().ok()?;
    let page = landing_url.strip_prefix(landing.origin()).filter(|page| page.starts_with('/'));
    let encoded = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let link = coupon.link.as_ref()?.replace("{to}", &encoded(page.unwrap_or("/")));
    Some(link.replace("{code}", &encoded(&coupon.code)))
}

/// Whether an order placed now would be referred, as far as the token says.
fn referral<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    version: &Version,
    token: Option<&str>,
) -> Result<(), Reason> {
    let token = token.filter(|token| !token.is_empty()).ok_or(Reason::NoReferral)?;
    let click = click_token::verify(&program.keys, token).map_err(|_| Reason::InvalidToken)?;
    if version.terms.paused {
        return Err(Reason::ProgramPaused);
    }
    let age = cx.now.seconds() - click.at.seconds();
    let window = i64::from(version.terms.attribution.window_days) * DAY;
    if (-CLOCK_LEEWAY..=window).contains(&age) { Ok(()) } else { Err(Reason::OutsideWindow) }
}
