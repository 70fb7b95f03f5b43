//! What merchant and operator set up: programs, their terms, and codes for many customers.

use passalong_core::code;
use passalong_core::decode::Fields;
use passalong_core::ids::CustomerId;
use passalong_core::program::Program;
use passalong_core::time::SETTLE;
use passalong_core::wire::{CodeLink, Codes, ProgramCreated};
use url::Url;

use crate::authenticate::{merchant, operator};
use crate::http::{Request, Response};
use crate::keys::ProgramKey;
use crate::listed_coupons::{at_rest, remember, told};
use crate::problem::{Code, Problem};
use crate::programs::{self, Loaded};
use crate::requests::{body, link};
use crate::rotate_keys::handed_out;
use crate::store::{Context, Host};

/// Terms whose landing page browsers can open: they read URLs as we do, which core does not need to.
fn servable(terms: Program) -> Result<Program, Problem> {
    match Url::parse(&terms.landing_url) {
        Ok(_) => Ok(terms),
        Err(error) => Err(Problem::field("landing_url", format!("cannot be opened: {error}"))),
    }
}

/// `POST /v1/programs`. 1. Authenticate: 401. 2. Decode: 400. 3. An id that is taken is 409, the
/// same terms again are answered again. 4. Save. 5. Encode, with the keys of the program.
pub async fn create_program<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    operator(cx, request).await?;
    let terms = servable(Program::from_preset(body(request)?)?)?;
    let keys = cx.config.secrets.program(&terms.id);
    let (terms, named) = at_rest(terms, &keys)?;
    let late = || Problem::new(Code::Unavailable, "the program is not visible yet");
    let created = async |program: &Loaded| {
        remember(cx, program, &named).await?;
        let keys = handed_out(cx, program, program.generations.current());
        let first = program.versions.first().ok_or_else(late)?;
        Ok::<_, Problem>(ProgramCreated { program: told(cx, program, first).await?, keys })
    };
    if let Some(program) = programs::load(cx, &terms.id).await? {
        if program.versions.first().is_none_or(|first| first.terms != terms) {
            return Err(Problem::conflict("a program of this id exists, with other terms"));
        }
        return Ok(Response::json(200, &created(&program).await?));
    }
    let digest = keys.digest(serde_json::to_string(&terms).unwrap_or_default().as_bytes());
    let key = ProgramKey { program: terms.id.clone(), valid_from: cx.now.minute(), digest };
    programs::save(cx, &key, &terms).await?;
    let program = programs::load(cx, &terms.id).await?.ok_or_else(late)?;
    Ok(Response::json(201, &created(&program).await?))
}

/// `GET /v1/program`: the terms that apply now, and those that take over.
pub async fn read_program<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let current = programs::current(cx, &program)?;
    let mut answer = told(cx, &program, current).await?;
    let latest = program.versions.latest().filter(|latest| latest.number > current.number);
    if let Some(latest) = latest {
        answer.upcoming = Some(Box::new(told(cx, &program, latest).await?));
    }
    Ok(Response::json(200, &answer))
}

/// `PUT /v1/program`: a new version of the terms, valid once every location knows it. The same
/// terms again change nothing.
pub async fn change_program<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let (terms, named) = at_rest(servable(Program::parse(body(request)?)?)?, &program.keys)?;
    if terms.id != *program.id() {
        let detail =
            format!("this key belongs to the program {}, not to {}", program.id(), terms.id);
        return Err(Problem {
            field: Some("id".to_owned()),
            ..Problem::new(Code::Forbidden, detail)
        });
    }
    remember(cx, &program, &named).await?;
    if let Some(latest) = program.versions.latest().filter(|latest| latest.terms == terms) {
        return Ok(Response::json(200, &told(cx, &program, latest).await?));
    }
    let text = serde_json::to_string(&terms).unwrap_or_default();
    let valid_from = cx.now.plus(SETTLE).minute_up();
    let digest = program.keys.digest(text.as_bytes());
    let key = ProgramKey { program: program.id().clone(), valid_from, digest };
    programs::save(cx, &key, &terms).await?;
    let late = || Problem::new(Code::Unavailable, "the terms are not visible yet");
    let program = programs::load(cx, program.id()).await?.ok_or_else(late)?;
    let saved = program.versions.latest().ok_or_else(late)?;
    Ok(Response::json(200, &told(cx, &program, saved).await?))
}

/// `POST /v1/codes`: links for a mailing. The customers' records are written before the answer, so
/// that no link is handed out that the merchant could not be told the owner of.
pub async fn issue_codes<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let mut fields = Fields::parse(body(request)?)?;
    let ids: Vec<CustomerId> = fields.read_list("customer_ids", 200)?;
    if ids.is_empty() {
        fields.required("customer_ids", None::<()>, "1 to 200 of the shop's customer ids")?;
    }
    fields.finish()?;
    remember(cx, &program, &ids).await?;
    let pseudonyms = ids.iter().map(|id| program.keys.customer(id));
    let links = ids.iter().zip(pseudonyms).map(|(id, customer)| {
        let code = code::issue(&program.keys, customer);
        CodeLink {
            customer_id: id.as_str().to_owned(),
            link: link(request, program.id(), &code),
            code,
        }
    });
    Ok(Response::json(200, &Codes { links: links.collect() }))
}
