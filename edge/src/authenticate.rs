//! Who is asking: the merchant's server or shop system, a customer, or the operator. Each is proven before anything
//! of theirs is read; whether there is such a program, and which of its keys are revoked, an isolate
//! remembers.

use std::rc::Rc;

use passalong_core::identity_token::{AudienceFlaw, CustomerClaims, TokenProblem, Unverified};
use passalong_core::ids::ProgramId;
use passalong_core::keys::KeyProblem;
use passalong_core::shop::{Shop, ShopProblem};

use crate::http::Request;
use crate::limits::{Limit, allow, allow_address, too_many};
use crate::problem::{Code, Problem};
use crate::programs::{self, Loaded};
use crate::store::{Context, Host};

/// The merchant's server, by its API key.
pub async fn merchant<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Rc<Loaded>, Problem> {
    let (program, generation) = match cx.config.secrets.check_api_key(request.bearer()) {
        Ok(proven) => proven,
        Err(problem) => return Err(refused(cx, request, problem).await),
    };
    let program = programs::load(cx, &program).await?.ok_or_else(|| {
        Problem::new(Code::Unauthenticated, "the program of this key does not exist (any more)")
    })?;
    if program.generations.is_revoked(generation) {
        return Err(refused(cx, request, KeyProblem::Revoked).await);
    }
    Ok(program)
}

/// The merchant's shop system, by its own signature over the body as it came.
pub async fn shop<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    (shop, program): (Shop, &ProgramId),
    body: &[u8],
) -> Result<Rc<Loaded>, Problem> {
    let signature = request.header(shop.signature());
    match cx.config.shops.check(shop, program, body, signature) {
        Ok(()) => {}
        Err(problem @ (ShopProblem::NotConnected(_) | ShopProblem::Malformed)) => {
            return Err(problem.into());
        }
        Err(problem) => return Err(refused(cx, request, problem).await),
    }
    let program = programs::load(cx, program).await?;
    program.ok_or_else(|| Problem::not_found("there is no such program yet; make it first"))
}

/// A customer, by the identity token the merchant made; no more often than a person looks.
pub async fn customer<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<(Rc<Loaded>, CustomerClaims), Problem> {
    let token = Unverified::read(request.bearer())?;
    let program = programs::load(cx, token.program()).await?;
    let unknown = || AudienceFlaw::NoProgram(token.program().clone());
    let program = program.ok_or_else(|| TokenProblem::WrongAudience(unknown()))?;
    let generations = program.generations.live();
    let claims = token.verify(&cx.config.secrets, &generations, cx.now)?;
    let pseudonym = program.keys.customer(&claims.customer);
    if !allow(cx, Limit::Customer, &[&pseudonym.0]).await {
        return Err(too_many("requests of this customer"));
    }
    Ok((program, claims))
}

/// Whoever runs this deployment.
pub async fn operator<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<(), Problem> {
    match cx.config.secrets.check_operator_key(request.bearer()) {
        Ok(()) => Ok(()),
        Err(problem) => Err(refused(cx, request, problem).await),
    }
}

/// What a wrong key is told. Only those who send wrong ones are ever limited: a right key opens
/// from the same address all the while.
async fn refused<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    problem: impl Into<Problem>,
) -> Problem {
    if allow_address(cx, Limit::Keys, request, &[]).await {
        problem.into()
    } else {
        too_many("wrong keys from this address")
    }
}
