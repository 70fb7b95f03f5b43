//! `GET /v1/offer`: what a friend gets, for any browser and for the shop's own pages; and whether a
//! click token proves a referral now.

use passalong_core::click_token;
use passalong_core::ids::ProgramId;
use passalong_core::program::Version;
use passalong_core::report::CLOCK_LEEWAY;
use passalong_core::reward::{Reason, Role};
use passalong_core::time::DAY;
use passalong_core::wire::{Offer, promised};

use crate::http::{Request, Response};
use crate::me::head;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::query;
use crate::store::{Context, Host};

pub async fn offer<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let id: Option<ProgramId> = query(request, "program")?;
    let id = id.ok_or_else(|| Problem::field("program", "is required: the slug of the program"))?;
    let unknown = || Problem::not_found("there is no such program");
    let program = programs::load(cx, &id).await?.ok_or_else(unknown)?;
    let version = programs::current(cx, &program)?;
    let terms = &version.terms;
    let friend = promised(terms, Role::Friend, None);
    let advocate = promised(terms, Role::Advocate, None);
    let reason = referral(cx, &program, version, request.parameter("pa").as_deref()).err();
    let offer = Offer {
        program: head(version),
        friend: friend.map(|rule| rule.value),
        advocate: advocate.map(|rule| rule.value),
        trigger: friend.or(advocate).map(|rule| rule.trigger),
        when: friend.map(|rule| rule.when),
        minimum_order: friend.and_then(|rule| rule.minimum_order),
        coupon: None,
        coupon_link: None,
        from: None,
        referred: reason.is_none(),
        reason,
        landing_url: terms.landing_url.clone(),
        terms: Vec::new(),
        terms_version: version.number,
    };
    Ok(Response::json(200, &offer))
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
