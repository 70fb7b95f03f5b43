//! Who is asking: the merchant's server, a customer, or the operator. Each is proven before any
//! read of the store, except that a program must exist.

use std::rc::Rc;

use passalong_core::identity_token::{self, CustomerClaims, TokenProblem};
use passalong_core::ids::ProgramId;

use crate::http::Request;
use crate::problem::{Code, Problem};
use crate::programs::{self, Loaded};
use crate::store::{Context, Host};

/// The generation of merchant keys in force.
pub const GENERATION: u32 = 1;

/// The merchant's server, by its API key.
pub async fn merchant<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Rc<Loaded>, Problem> {
    let (program, generation) = cx.config.secrets.check_api_key(request.bearer())?;
    if generation != GENERATION {
        return Err(Problem::new(
            Code::Unauthenticated,
            "the key belongs to no current generation",
        ));
    }
    existing(cx, &program).await?.ok_or_else(|| {
        Problem::new(Code::Unauthenticated, "the program of this key does not exist (any more)")
    })
}

/// A customer, by the identity token the merchant made.
pub async fn customer<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<(Rc<Loaded>, CustomerClaims), Problem> {
    let (program, claims) = identity_token::verify(&cx.config.secrets, request.bearer(), cx.now)?;
    let program = existing(cx, &program).await?.ok_or(TokenProblem::WrongAudience)?;
    Ok((program, claims))
}

/// Whoever runs this deployment.
pub fn operator<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<(), Problem> {
    let generation = cx.config.secrets.check_operator_key(request.bearer())?;
    if generation == GENERATION {
        Ok(())
    } else {
        Err(Problem::new(Code::Unauthenticated, "the key belongs to no current generation"))
    }
}

async fn existing<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
) -> Result<Option<Rc<Loaded>>, Problem> {
    Ok(programs::load(cx, program).await?)
}
