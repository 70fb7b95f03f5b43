//! Changing a program's keys without an outage: `POST /v1/programs/{id}/keys` hands out the next
//! generation, which is good at once and beside the one in use; `POST …/keys/revoke` ends one. Only
//! the operator may, so that whoever stole a merchant's key can neither take over nor lock out.

use std::rc::Rc;

use passalong_core::decode::Fields;
use passalong_core::ids::ProgramId;
use passalong_core::wire::{KeyGeneration, KeysRevoked};

use crate::authenticate::operator;
use crate::http::{Request, Response};
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::requests::body;
use crate::store::{Context, Host};

/// 1. Authenticate: 401. 2. Load: 404. 3. Derive: nothing is written, and the same is answered until
///    a generation is revoked.
pub async fn next_keys<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    operator(cx, request).await?;
    let program = load(cx, id).await?;
    Ok(Response::json(200, &handed_out(cx, &program, program.generations.next())))
}

/// 1. Authenticate: 401. 2. Decode: 400. 3. Load: 404. 4. What is not in use yet cannot be revoked:
///    409. 5. Save; the answer names the generation that is in use from now on.
pub async fn revoke_keys<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    operator(cx, request).await?;
    let mut fields = Fields::parse(body(request)?)?;
    let right = "must be the number to revoke, for example 1";
    let generation = fields.integer("generation", (1, u32::MAX.into()), right)?;
    let generation = fields.required("generation", generation, right)?;
    let generation = u32::try_from(generation).unwrap_or(u32::MAX);
    fields.finish()?;
    let program = load(cx, id).await?;
    let generations = &program.generations;
    if !generations.is_revoked(generation) {
        if !generations.live().contains(&generation) {
            let [current, next] = generations.live();
            return Err(Problem::conflict(format!(
                "generation {generation} was not handed out; {current} is in use, {next} the next"
            )));
        }
        programs::revoke(cx, program.id(), generation).await?;
    }
    let program = load(cx, id).await?;
    let answer = KeysRevoked {
        program: program.id().to_string(),
        revoked: generation,
        current: program.generations.current(),
    };
    Ok(Response::json(200, &answer))
}

async fn load<H: Host>(cx: &Context<'_, H>, id: &str) -> Result<Rc<Loaded>, Problem> {
    let unknown = || Problem::not_found("there is no such program");
    let id: ProgramId = id.parse().map_err(|_| unknown())?;
    programs::load(cx, &id).await?.ok_or_else(unknown)
}

/// The keys of one generation.
pub fn handed_out<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    generation: u32,
) -> KeyGeneration {
    let (secrets, id) = (&cx.config.secrets, program.id());
    KeyGeneration {
        generation,
        server_api_key: secrets.api_key(id, generation),
        identity_secret: secrets.identity_secret(id, generation),
        template_secret: secrets.template_secret(id, generation),
        conversion_secret: secrets.conversion_secret(id, generation),
    }
}
