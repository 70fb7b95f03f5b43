//! `POST /v1/me/alias`: a customer chooses the short code that stands for them, once. It is reserved
//! until nobody can have chosen it before.

use passalong_core::alias::{Alias, AliasClaim};
use passalong_core::decode::Fields;
use passalong_core::wire::AliasChosen;

use crate::aliases::{chosen, claim_keys, claim_puts, claims};
use crate::authenticate::customer;
use crate::customers;
use crate::http::{Request, Response};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::body;
use crate::store::{Context, Host};

/// What was asked for is only read so far.
const LONGEST: usize = 64;

/// 1. Authenticate: 401. 2. Decode: 400, with a code that would do. 3. Load what this customer chose
///    before: the same again is answered again, another one is 409. 4. Load who else chose it: 409.
///    5. Save the claim, and delete those that were lost; 503 if a write fails. 6. Encode.
pub async fn choose_alias<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    let (program, identity) = customer(cx, request).await?;
    // 2
    let mut fields = Fields::parse(body(request)?)?;
    let text = fields.text("alias", LONGEST)?;
    fields.finish()?;
    let wanted = text.as_deref().map(|text| choice(cx, &program, text)).transpose()?;
    // 3
    let pseudonym = program.keys.customer(&identity.customer);
    let record = customers::load(cx, &program, pseudonym).await?;
    if record.erased {
        let detail =
            "this customer was erased; for seven days nothing of them is kept, an alias neither";
        return Err(Problem::conflict(detail));
    }
    let chosen = chosen(cx, program.id(), pseudonym, &record).await?;
    let held = chosen.held;
    if let Some((alias, _)) =
        held.filter(|(alias, _)| wanted.is_some_and(|wanted| wanted != *alias))
    {
        let detail =
            format!("this customer has {alias}; an alias is chosen once, as it may be in print");
        return Err(Problem::conflict(detail));
    }
    let alias = wanted.or(held.map(|(alias, _)| alias));
    let alias = alias.unwrap_or_else(|| free(cx, &program, Alias::random(cx.host.random())));
    // 4
    let listed = claims(cx, program.id(), alias).await?;
    let known = listed.iter().find(|claim| claim.is_of(pseudonym));
    let own = held.map(|(_, claim)| claim);
    let first = listed.iter().copied().chain(own).min();
    if let Some(first) = first.filter(|first| !first.is_of(pseudonym)) {
        let beside = free(cx, &program, alias.beside(cx.host.random()));
        let state = if first.is_sure(cx.accepted()) { "taken" } else { "reserved for somebody" };
        return Err(Problem::conflict(format!("{alias} is {state}. How about {beside}?")));
    }
    // 5
    let claim = known.copied().unwrap_or(AliasClaim::of(cx.accepted(), pseudonym));
    if known.is_none() {
        cx.put_all(&customers::missing(cx, &program, &record, &identity.customer, &identity.hints))
            .await?;
        for put in claim_puts(program.id(), alias, (claim.at, pseudonym)) {
            cx.put(&put).await?;
        }
    }
    for (at, alias) in chosen.lost {
        for key in claim_keys(program.id(), alias, (at, pseudonym)) {
            cx.delete(&key).await?;
        }
    }
    // 6
    let until = claim.reserved_until().start();
    let reserved_until = (cx.now < until).then_some(until);
    Ok(Response::json(200, &AliasChosen { alias: alias.to_string(), reserved_until }))
}

/// What was asked for, if anybody can have it: a word that offends nobody and is not the shop's own.
fn choice<H: Host>(cx: &Context<'_, H>, program: &Loaded, text: &str) -> Result<Alias, Problem> {
    let why = match Alias::choose(text) {
        Ok(alias) if program.versions.keeps(alias.as_str(), cx.now) => {
            "is a word of the shop's own codes and campaigns".to_owned()
        }
        Ok(alias) => return Ok(alias),
        Err(error) => error.to_string(),
    };
    let instead = free(cx, program, Alias::instead_of(text, cx.host.random()));
    Err(Problem::field("alias", format!("{why}. How about {instead}?")))
}

/// A suggestion, or one like it that is not the shop's own.
fn free<H: Host>(cx: &Context<'_, H>, program: &Loaded, suggested: Alias) -> Alias {
    let is_kept = |alias: &Alias| program.versions.keeps(alias.as_str(), cx.now);
    if !is_kept(&suggested) {
        return suggested;
    }
    let beside = suggested.beside(cx.host.random());
    if is_kept(&beside) { Alias::random(cx.host.random()) } else { beside }
}
