//! What merchant and operator set up: programs, their terms, and codes for many customers.

use passalong_core::code;
use passalong_core::decode::Fields;
use passalong_core::ids::CustomerId;
use passalong_core::program::{Program, Version, Versions};
use passalong_core::time::{Day, MINUTE, Moment, SETTLE};
use passalong_core::wire::{CodeLink, Codes, ProgramCreated};
use url::Url;

use crate::authenticate::{merchant, operator};
use crate::http::{Request, Response};
use crate::keys::{Saved, TermsKey};
use crate::listed_coupons::{at_rest, remember, told};
use crate::problem::{Code, Problem};
use crate::programs::{self, Loaded};
use crate::requests::{body, link};
use crate::rotate_keys::handed_out;
use crate::store::{Context, Host, StoreError};

/// Seconds from a save to the moment from which the terms are valid.
const VALID_AFTER: i64 = MINUTE + SETTLE;

/// Terms whose landing page browsers can open: they read URLs as we do, which core does not need to.
fn servable(terms: Program) -> Result<Program, Problem> {
    match Url::parse(&terms.landing_url) {
        Ok(_) => Ok(terms),
        Err(error) => Err(Problem::field("landing_url", format!("cannot be opened: {error}"))),
    }
}

/// `POST /v1/programs`. 1. Authenticate: 401. 2. Decode: 400. 3. An id that is taken is 409, the
/// same terms again are answered again. 4. Save: 503. 5. Encode, with the keys of the program.
pub async fn create_program<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    operator(cx, request).await?;
    // 2
    let terms = servable(Program::from_preset(body(request)?)?)?;
    // 3
    let keys = cx.config.secrets.program(&terms.id);
    let (terms, named) = at_rest(terms, &keys)?;
    if let Some(program) = programs::load(cx, &terms.id).await? {
        let known = [program.versions.first(), program.versions.current(cx.now)];
        let same = known.into_iter().flatten().find(|version| version.terms == terms);
        let taken = || Problem::conflict("a program of this id exists, with other terms");
        let body = created(cx, &program, same.ok_or_else(taken)?, &named).await?;
        return Ok(Response::json(200, &body));
    }
    // 4
    let digest = keys.digest(serde_json::to_string(&terms).unwrap_or_default().as_bytes());
    // What a request left behind that was cut off counts for nothing.
    let left = programs::stored_from(cx, &terms.id).map(|left| left.plus_millis(1));
    let now = Moment::from(cx.now.minute().start());
    let version = Saved(left.map_or(now, |after| after.max(now)), digest);
    let key = TermsKey { program: terms.id.clone(), version };
    programs::create(cx, &key, &terms).await?;
    // 5
    let program = programs::load(cx, &terms.id).await?.ok_or(StoreError::NotVisible)?;
    let made = program.versions.stored_under((version.0, digest)).ok_or(StoreError::NotVisible)?;
    Ok(Response::json(201, &created(cx, &program, made, &named).await?))
}

async fn created<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    version: &Version,
    named: &[CustomerId],
) -> Result<ProgramCreated, Problem> {
    remember(cx, program, named).await?;
    let keys = handed_out(cx, program, program.generations.current());
    Ok(ProgramCreated { program: told(cx, program, version).await?, keys })
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

/// `PUT /v1/program`: a new version of the terms, valid once every location knows it. 1. Authenticate:
/// 401. 2. Decode: 400, 403 for another program. 3. The newest terms again change nothing; more than
/// 20 versions that become valid on one day are 429. 4. Save. 5. Encode: what was saved, and what
/// takes over from it, if anything does.
pub async fn change_program<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let (terms, named) = at_rest(servable(Program::parse(body(request)?)?)?, &program.keys)?;
    if terms.id != *program.id() {
        let detail =
            format!("this key belongs to the program {}, not to {}", program.id(), terms.id);
        return Err(Problem {
            field: Some("id".to_owned()),
            ..Problem::new(Code::Forbidden, detail)
        });
    }
    // 3
    let versions = &program.versions;
    if let Some(latest) = versions.latest().filter(|latest| latest.terms == terms) {
        remember(cx, &program, &named).await?;
        return Ok(Response::json(200, &told(cx, &program, latest).await?));
    }
    let text = serde_json::to_string(&terms).unwrap_or_default();
    // Surely visible by then: an isolate keeps its list for a minute. Of two versions the later save
    // counts, also where one millisecond saw both.
    let settled = cx.moment().plus_millis(VALID_AFTER * 1_000);
    let after_latest = versions.latest_from().map(|latest| latest.plus_millis(1));
    let valid_from = after_latest.map_or(settled, |after| after.max(settled));
    if versions.of_day(valid_from.day()) >= Versions::A_DAY {
        return Err(too_many_versions(cx, valid_from.day()));
    }
    // 4
    remember(cx, &program, &named).await?;
    let digest = program.keys.digest(text.as_bytes());
    let key = TermsKey { program: program.id().clone(), version: Saved(valid_from, digest) };
    programs::save(cx, &key, &terms).await?;
    // 5
    let program = programs::load(cx, program.id()).await?.ok_or(StoreError::NotVisible)?;
    let versions = &program.versions;
    let saved = versions.stored_under((valid_from, digest));
    // Elsewhere others were saved, and came first.
    let saved = saved.ok_or_else(|| too_many_versions(cx, valid_from.day()))?;
    let mut answer = told(cx, &program, saved).await?;
    if let Some(latest) = versions.latest().filter(|latest| latest.number > saved.number) {
        answer.upcoming = Some(Box::new(told(cx, &program, latest).await?));
    }
    Ok(Response::json(200, &answer))
}

/// Terms that became valid beyond the day's number would count nowhere.
fn too_many_versions<H: Host>(cx: &Context<'_, H>, day: Day) -> Problem {
    let next = day.plus(1).start().plus(-VALID_AFTER).seconds() - cx.now.seconds();
    let detail = format!(
        "at most {} versions of the terms become valid on one day (UTC), and nothing was changed; \
         save again tomorrow",
        Versions::A_DAY
    );
    let seconds = u32::try_from(next.max(1)).unwrap_or(u32::MAX);
    Problem::new(Code::RateLimited, detail).retry_after(seconds)
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
