//! `/v1/identity/…`: who a shop system says is logged in, exchanged for an identity token of ours. So
//! no secret lies in a theme. And the handshake by which a Shopware shop connects.

use std::rc::Rc;

use passalong_core::identity_token::issue;
use passalong_core::ids::{CustomerId, ProgramId};
use passalong_core::program::Url;
use passalong_core::shop::Shop;
use passalong_core::shop_identity::{self, IdentityProblem};
use passalong_core::wire::{IdentityIssued, ShopwareRegistered};

use crate::http::{Request, Response};
use crate::limits::{Limit, allow_address, too_many};
use crate::problem::{Code, Problem};
use crate::programs::{self, Loaded};
use crate::requests::body;
use crate::store::{Context, Host};

/// `GET /v1/identity/shopify/{program}`, as Shopify's app proxy forwards it. 1. Load the program and
/// its shop's secrets: 404. 2. Verify: 401, not of this program's shop 403, nobody logged in 401
/// `not_logged_in`. 3. Make a token.
pub async fn shopify_proxy<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    program: &str,
) -> Result<Response, Problem> {
    let (program, secrets) = connected(cx, Shop::Shopify, program).await?;
    let ours = |shop: &str| is_ours(&program, shop);
    let proven = shop_identity::shopify_proxy(&request.parameters(), secrets, ours, cx.now);
    issued(cx, request, &program, proven).await
}

/// `POST /v1/identity/shopify/{program}`: the same for an extension of the customer account, by its
/// session token.
pub async fn shopify_session<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    program: &str,
) -> Result<Response, Problem> {
    let (program, secrets) = connected(cx, Shop::Shopify, program).await?;
    let ours = |shop: &str| is_ours(&program, shop);
    let proven = shop_identity::shopify_session(request.bearer(), secrets, ours, cx.now);
    issued(cx, request, &program, proven).await
}

/// `POST /v1/identity/shopware/{program}`: the same for a Shopware shop, by its token for our app.
pub async fn shopware<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    program: &str,
) -> Result<Response, Problem> {
    let (program, secrets) = connected(cx, Shop::Shopware, program).await?;
    let proven = shop_identity::shopware(request.bearer(), secrets, cx.now);
    issued(cx, request, &program, proven).await
}

/// `GET /v1/hooks/shopware/{program}/register`: a Shopware shop installs our app and asks for proof
/// that we know its manifest's secret.
pub async fn register_shopware<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    program: &str,
) -> Result<Response, Problem> {
    let (program, secrets) = connected(cx, Shop::Shopware, program).await?;
    let signature = request.header("shopware-app-signature").unwrap_or_default();
    let query = (request.query.as_str(), request.parameters());
    let registered =
        shop_identity::shopware_registration((query.0, &query.1), signature, secrets, cx.now);
    let registered = match registered {
        Ok(registered) => registered,
        Err(problem) => return Err(refused(cx, request, problem).await),
    };
    let answer = ShopwareRegistered {
        proof: registered.proof,
        secret: registered.secret,
        confirmation_url: format!("{}/v1/hooks/shopware/{}/confirm", request.origin, program.id()),
    };
    Ok(Response::json(200, &answer))
}

/// `POST /v1/hooks/shopware/{program}/confirm`: the shop took the secret. Nothing is kept.
pub async fn confirm_shopware<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    program: &str,
) -> Result<Response, Problem> {
    let (_, secrets) = connected(cx, Shop::Shopware, program).await?;
    let signature = request.header("shopware-shop-signature").unwrap_or_default();
    match shop_identity::shopware_confirmation(body(request)?, signature, secrets) {
        Ok(()) => Ok(Response::empty(204)),
        Err(problem) => Err(refused(cx, request, problem).await),
    }
}

/// The program and the secrets of its shop.
async fn connected<'c, H: Host>(
    cx: &Context<'c, H>,
    shop: Shop,
    program: &str,
) -> Result<(Rc<Loaded>, &'c [String]), Problem> {
    let unknown = || Problem::not_found("there is no such program");
    let id: ProgramId = program.parse().map_err(|_| unknown())?;
    let secrets = cx.config.shops.of(shop, &id)?;
    Ok((programs::load(cx, &id).await?.ok_or_else(unknown)?, secrets))
}

/// Whether a shop's domain is one the program leads to, in its newest terms: who connects a shop has
/// just added it.
fn is_ours(program: &Loaded, shop: &str) -> bool {
    let Some(version) = program.versions.latest() else { return false };
    let landing = version.terms.landing_url.parse::<Url>().map(|url| url.authority());
    landing.as_deref() == Ok(shop) || version.terms.allowed_hosts.iter().any(|host| host == shop)
}

/// What a proven customer is answered.
async fn issued<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    program: &Loaded,
    proven: Result<CustomerId, IdentityProblem>,
) -> Result<Response, Problem> {
    let customer = match proven {
        Ok(customer) => customer,
        Err(problem) => return Err(refused(cx, request, problem).await),
    };
    let signer = (program.id(), program.generations.current());
    let (token, expires_at) = issue(&cx.config.secrets, signer, &customer, cx.now);
    Ok(Response::json(200, &IdentityIssued { token, expires_at }))
}

/// Only those who send wrong signatures are limited: a shop's own servers send from few addresses.
async fn refused<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    problem: IdentityProblem,
) -> Problem {
    let is_genuine = matches!(
        problem,
        IdentityProblem::NotLoggedIn(_)
            | IdentityProblem::OtherShop(_)
            | IdentityProblem::Stale { .. }
    );
    if is_genuine || allow_address(cx, Limit::Keys, request, &[]).await {
        problem.into()
    } else {
        too_many("wrong signatures from this address")
    }
}

impl From<IdentityProblem> for Problem {
    fn from(problem: IdentityProblem) -> Self {
        let code = match problem {
            IdentityProblem::NotLoggedIn(_) => Code::NotLoggedIn,
            IdentityProblem::OtherShop(_) => Code::Forbidden,
            _ => Code::Unauthenticated,
        };
        Self::new(code, problem.to_string())
    }
}
