//! Where the merchant's webhooks go: `/v1/webhooks`. What is sent there, and when, is in
//! [`crate::outbox`].
//!
//! Endpoints are listed with the settings of their program and remembered by the isolate, so a program
//! that has none pays nothing. What a location decided about one is known everywhere two minutes later.

use std::collections::BTreeMap;

use passalong_core::decode::Fields;
use passalong_core::ids::{Digest, ProgramId};
use passalong_core::time::{DAY, HOUR, Instant, SETTLE};
use passalong_core::webhook::{
    Deliveries, Delivery, Replayed, UrlProblem, Webhook, WebhookRequest, WebhookSecret,
    WebhookType, Webhooks, endpoint_id,
};
use url::Url;

use crate::authenticate::merchant;
use crate::http::{Request, Response};
use crate::keys::{About, DeliveryKey, EndpointKey, EndpointPart, MessageKey};
use crate::metadata;
use crate::outbox;
use crate::problem::{Code, Problem};
use crate::programs::Loaded;
use crate::requests::{body, only};
use crate::store::{Context, Entry, Host, Page, Put, StoreError};

/// Endpoints of one program.
const MOST: usize = 5;
/// Attempts in the log that is shown.
const LOGGED: usize = 100;
/// Messages looked at for one replay.
const REPLAYED: usize = 100;
/// Hours in which the old secret signs as well, where nothing else is asked for.
const OVERLAP: i64 = 24;
const LONGEST_OVERLAP: i64 = 168;
/// Old changes of a secret that one request forgets.
const FORGOTTEN: usize = 10;
/// Changes of secrets that are kept of all endpoints of a program, those of removed ones too.
const ROTATIONS: usize = 500;

/// Where messages of a program go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: Digest,
    pub url: String,
    /// Empty for all.
    types: Vec<WebhookType>,
    since: Instant,
    disabled: Option<Instant>,
    generation: u32,
    rotating_until: Option<Instant>,
}

impl Endpoint {
    pub fn wants(&self, kind: WebhookType) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }

    pub fn is_enabled(&self) -> bool {
        self.disabled.is_none()
    }

    fn secret<H: Host>(&self, cx: &Context<'_, H>, program: &ProgramId) -> WebhookSecret {
        cx.config.secrets.webhook_secret(program, self.id, self.generation)
    }

    /// What signs a message now: the secret and, while the merchant changes it, the one before.
    pub fn signers<H: Host>(&self, cx: &Context<'_, H>, program: &ProgramId) -> Vec<WebhookSecret> {
        let before = self.rotating_until.filter(|until| cx.now < *until);
        let before = before.map(|_| self.generation.saturating_sub(1));
        let before = before.map(|old| cx.config.secrets.webhook_secret(program, self.id, old));
        std::iter::once(self.secret(cx, program)).chain(before).collect()
    }

    fn message<H: Host>(&self, cx: &Context<'_, H>) -> Webhook {
        Webhook {
            id: format!("ep_{}", self.id),
            url: self.url.clone(),
            types: Some(self.types.clone()).filter(|types| !types.is_empty()),
            created_at: self.since,
            disabled_at: self.disabled,
            generation: self.generation,
            rotating_until: self.rotating_until.filter(|until| cx.now < *until),
            secret: None,
        }
    }
}

/// What is known of the endpoints of the programs in use, as the store lists it.
#[derive(Debug, Default)]
pub struct Endpoints(BTreeMap<ProgramId, BTreeMap<Digest, Known>>);

/// What is known of one endpoint.
#[derive(Debug, Default)]
struct Known {
    itself: Option<metadata::Endpoint>,
    disabled: Option<metadata::Disabled>,
    /// By generation, of which the last one holds.
    rotated: BTreeMap<u32, metadata::Rotated>,
}

/// What a key says of an endpoint.
#[derive(Clone)]
enum Said {
    Itself(metadata::Endpoint),
    Disabled(metadata::Disabled),
    Rotated(u32, metadata::Rotated),
}

impl Said {
    fn about(&self) -> About {
        match self {
            Self::Itself(_) => About::Itself,
            Self::Disabled(_) => About::Disabled,
            Self::Rotated(generation, _) => About::Rotated(*generation),
        }
    }

    fn read(about: About, entry: &Entry) -> Option<Self> {
        match about {
            About::Itself => entry.read().map(Self::Itself),
            About::Disabled => entry.read().map(Self::Disabled),
            About::Rotated(generation) => entry.read().map(|it| Self::Rotated(generation, it)),
        }
    }

    fn put(&self, key: &EndpointKey) -> Put {
        match self {
            Self::Itself(said) => Put::listed(key, said),
            Self::Disabled(said) => Put::listed(key, said),
            Self::Rotated(_, said) => Put::listed(key, said),
        }
    }
}

impl Endpoints {
    /// What a list of a program's settings shows takes the place of what was known of its endpoints.
    pub fn replace(&mut self, program: &ProgramId, listed: &[Entry]) {
        let read = |entry: &Entry| {
            let EndpointPart { id, about } = entry.key.parse::<EndpointKey>().ok()?.endpoint;
            Some((id, Said::read(about, entry)?))
        };
        self.0.remove(program);
        for entry in listed {
            if let Some((id, said)) = entry.once(read) {
                self.put(program, id, said);
            }
        }
    }

    fn put(&mut self, program: &ProgramId, id: Digest, said: Said) {
        let known = self.0.entry(program.clone()).or_default().entry(id).or_default();
        match said {
            Said::Itself(it) => known.itself = Some(it),
            Said::Disabled(it) => known.disabled = Some(it),
            Said::Rotated(generation, it) => {
                known.rotated.insert(generation, it);
            }
        }
    }

    fn remove(&mut self, program: &ProgramId, id: Digest, about: About) {
        let known = self.0.get_mut(program).and_then(|known| known.get_mut(&id));
        let Some(known) = known else { return };
        match about {
            About::Itself => known.itself = None,
            About::Disabled => known.disabled = None,
            About::Rotated(generation) => {
                known.rotated.remove(&generation);
            }
        }
    }

    /// The endpoints of a program, disabled ones too.
    pub fn of(&self, program: &ProgramId) -> Vec<Endpoint> {
        let endpoint = |(id, known): (&Digest, &Known)| {
            let itself = known.itself.as_ref()?;
            let last = known.rotated.last_key_value();
            Some(Endpoint {
                id: *id,
                url: itself.url.clone(),
                types: itself.types.clone(),
                since: itself.at,
                disabled: known.disabled.map(|disabled| disabled.at),
                generation: last.map_or(1, |(generation, _)| *generation),
                rotating_until: last.map(|(_, rotated)| rotated.until),
            })
        };
        self.0.get(program).into_iter().flatten().filter_map(endpoint).collect()
    }

    /// Changes of the secrets of a program's endpoints that are still kept.
    fn rotations(&self, program: &ProgramId) -> usize {
        self.0.get(program).into_iter().flatten().map(|(_, known)| known.rotated.len()).sum()
    }
}

/// The endpoints of a program as this isolate knows them: no operation.
pub fn of<H: Host>(cx: &Context<'_, H>, program: &ProgramId) -> Vec<Endpoint> {
    cx.isolate.endpoints.borrow().of(program)
}

fn key(program: &ProgramId, id: Digest, about: About) -> EndpointKey {
    EndpointKey { program: program.clone(), endpoint: EndpointPart { id, about } }
}

async fn put<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    id: Digest,
    said: Said,
) -> Result<(), StoreError> {
    cx.put(&said.put(&key(program, id, said.about()))).await?;
    cx.isolate.endpoints.borrow_mut().put(program, id, said);
    Ok(())
}

async fn delete<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    id: Digest,
    about: About,
) -> Result<(), StoreError> {
    cx.delete(&key(program, id, about).to_string()).await?;
    cx.isolate.endpoints.borrow_mut().remove(program, id, about);
    Ok(())
}

/// It answered that it is gone: nothing is sent there until the merchant enables it.
pub async fn disable<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    id: Digest,
) -> Result<(), StoreError> {
    put(cx, program, id, Said::Disabled(metadata::Disabled { at: cx.now })).await
}

/// The endpoint a path names.
fn find<H: Host>(cx: &Context<'_, H>, program: &ProgramId, id: &str) -> Result<Endpoint, Problem> {
    let unknown = || {
        let detail = "no such endpoint is visible; one that was just added may take two minutes";
        Problem::not_found(detail).retry_after(60)
    };
    let id: Digest = id.strip_prefix("ep_").and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    of(cx, program).into_iter().find(|endpoint| endpoint.id == id).ok_or_else(unknown)
}

/// `GET /v1/webhooks`.
pub async fn list<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let webhooks = of(cx, program.id()).iter().map(|endpoint| endpoint.message(cx)).collect();
    Ok(Response::json(200, &Webhooks { webhooks }))
}

/// `POST /v1/webhooks`: a new endpoint, or other types for one that is there. The same again changes
/// nothing. The answer holds the secret.
pub async fn add<H: Host>(cx: &Context<'_, H>, request: &Request) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let WebhookRequest { url, types } =
        WebhookRequest::parse(body(request)?, cx.config.test_clock)?;
    // What nobody can resolve, as badly encoded umlauts, is refused here rather than later.
    let is_same = |read: Url| read.authority() == url.authority();
    if !Url::parse(url.as_str()).is_ok_and(is_same) {
        return Err(Problem::field("url", UrlProblem::Form));
    }
    let own = request.origin.split_once("://").map_or("", |(_, authority)| authority);
    if own.eq_ignore_ascii_case(url.authority()) {
        return Err(Problem::field("url", "must not name this service itself"));
    }
    let id = endpoint_id(&program.keys, &url);
    let known = of(cx, program.id());
    let before = known.iter().find(|endpoint| endpoint.id == id);
    if before.is_none() && known.len() >= MOST {
        let detail = format!("a program has at most {MOST} endpoints; remove one first");
        return Err(Problem::conflict(detail));
    }
    if before.is_none_or(|before| before.types != types) {
        let since = before.map_or(cx.now, |before| before.since);
        let itself = metadata::Endpoint { url: url.as_str().to_owned(), types, at: since };
        put(cx, program.id(), id, Said::Itself(itself)).await?;
    }
    let status = if before.is_none() { 201 } else { 200 };
    answer_with_secret(cx, &program, id, status)
}

fn answer_with_secret<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    id: Digest,
    status: u16,
) -> Result<Response, Problem> {
    let endpoint = find(cx, program.id(), &format!("ep_{id}"))?;
    let secret = Some(endpoint.secret(cx, program.id()).show());
    Ok(Response::json(status, &Webhook { secret, ..endpoint.message(cx) }))
}

/// `DELETE /v1/webhooks/{id}`. What was said of its secrets stays: an old one never signs again,
/// though the endpoint should come back.
pub async fn remove<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let endpoint = find(cx, program.id(), id)?;
    if !endpoint.is_enabled() {
        delete(cx, program.id(), endpoint.id, About::Disabled).await?;
    }
    delete(cx, program.id(), endpoint.id, About::Itself).await?;
    Ok(Response::empty(204))
}

/// `POST /v1/webhooks/{id}/enable`: sends there again. What is still to be delivered follows by
/// itself, what was announced meanwhile by a replay.
pub async fn enable<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let endpoint = find(cx, program.id(), id)?;
    if !endpoint.is_enabled() {
        delete(cx, program.id(), endpoint.id, About::Disabled).await?;
    }
    let endpoint = find(cx, program.id(), id)?;
    Ok(Response::json(200, &endpoint.message(cx)))
}

/// `POST /v1/webhooks/{id}/rotate`: the next secret signs from now on, and for a while the one
/// before it signs, too. While that lasts the same is answered again; with `overlap_hours` of 0, for
/// a secret that got lost, there is another one at once and the old ones are worth nothing.
pub async fn rotate<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let mut fields = Fields::parse(body(request)?)?;
    let right = "must be a whole number of hours from 0 to 168";
    let overlap = fields.integer("overlap_hours", (0, LONGEST_OVERLAP), right)?.unwrap_or(OVERLAP);
    fields.finish()?;
    let endpoint = find(cx, program.id(), id)?;
    let is_rotating = endpoint.rotating_until.is_some_and(|until| cx.now < until);
    if overlap == 0 || !is_rotating {
        if cx.isolate.endpoints.borrow().rotations(program.id()) >= ROTATIONS {
            let detail = "the secrets of this program's endpoints were changed too often";
            return Err(Problem::new(Code::RateLimited, detail).retry_after(3_600));
        }
        let next = endpoint.generation.saturating_add(1);
        let rotated = metadata::Rotated { until: cx.now.plus(overlap * HOUR), at: cx.now };
        put(cx, program.id(), endpoint.id, Said::Rotated(next, rotated)).await?;
        forget_older(cx, &program, endpoint.id).await?;
    }
    answer_with_secret(cx, &program, endpoint.id, 200)
}

/// Only the highest number counts. The highest that is surely visible everywhere stays, as others
/// may see no other yet; those below it go.
async fn forget_older<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    id: Digest,
) -> Result<(), StoreError> {
    let rotated: Vec<(u32, Instant)> = {
        let endpoints = cx.isolate.endpoints.borrow();
        let known = endpoints.0.get(program.id()).and_then(|known| known.get(&id));
        let rotated = known.into_iter().flat_map(|known| &known.rotated);
        rotated.map(|(generation, rotated)| (*generation, rotated.at)).collect()
    };
    let is_visible = |(_, at): &&(u32, Instant)| at.plus(SETTLE) < cx.now;
    let visible = rotated.iter().rfind(is_visible).map_or(0, |(generation, _)| *generation);
    let older = rotated.iter().filter(|(generation, _)| *generation < visible);
    for (generation, _) in older.take(FORGOTTEN) {
        delete(cx, program.id(), id, About::Rotated(*generation)).await?;
    }
    Ok(())
}

/// `POST /v1/webhooks/{id}/test`: one message of the type `test`, now, and what came of it.
pub async fn test<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let endpoint = find(cx, program.id(), id)?;
    let delivery = outbox::try_out(cx, &program, &endpoint).await?;
    Ok(Response::json(200, &delivery))
}

/// What to send again.
enum Again {
    One(Digest),
    Since { since: Instant, cursor: Option<String> },
}

fn again(request: &Request) -> Result<Again, Problem> {
    let mut fields = Fields::parse(body(request)?)?;
    let message = fields.text("message_id", 64)?;
    let since: Option<Instant> = fields.read("since")?;
    let cursor = fields.text("cursor", 1_000)?;
    let right = "give either message_id or since";
    let again = match (message, since) {
        (Some(_), None) if cursor.is_some() => return Err(fields.invalid("cursor", right).into()),
        (Some(text), None) => {
            let id = text.strip_prefix("msg_").and_then(|id| id.parse().ok());
            let wrong = || fields.invalid("message_id", "must be the id of a message, msg_…");
            Again::One(id.ok_or_else(wrong)?)
        }
        (None, Some(since)) => Again::Since { since, cursor },
        _ => return Err(fields.invalid("message_id", right).into()),
    };
    fields.finish()?;
    Ok(again)
}

/// `POST /v1/webhooks/{id}/replay`: sends again what was announced in the last 30 days, delivered or
/// not. One message at once; those since an instant, 100 looked at in a request, by the cron.
pub async fn replay<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let again = again(request)?;
    let endpoint = find(cx, program.id(), id)?;
    if !endpoint.is_enabled() {
        return Err(Problem::conflict(
            "this endpoint answered 410 and is disabled; enable it first",
        ));
    }
    let (messages, cursor) = match again {
        Again::One(message) => {
            let unknown = "no such message is visible; messages are kept for 30 days";
            if !outbox::again(cx, &program, &endpoint, message).await? {
                return Err(Problem::not_found(unknown).retry_after(60));
            }
            (vec![message], None)
        }
        Again::Since { since, cursor } => {
            let prefix = MessageKey::prefix(&[program.id()]);
            let Page { entries, cursor } = cx.some(&prefix, cursor.as_deref(), REPLAYED).await?;
            let wanted = |entry: &Entry| {
                let metadata::Message { kind, at } = entry.read()?;
                let key: MessageKey = entry.key.parse().ok()?;
                (at >= since && endpoint.wants(kind)).then_some(key.message)
            };
            let messages: Vec<Digest> = entries.iter().filter_map(wanted).collect();
            outbox::later(cx, program.id(), endpoint.id, &messages).await?;
            (messages, cursor)
        }
    };
    let messages = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    Ok(Response::json(200, &Replayed { messages, cursor }))
}

/// `GET /v1/webhooks/{id}/deliveries`: the last attempts, newest first.
pub async fn deliveries<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    only(request, &[])?;
    let endpoint = find(cx, program.id(), id)?;
    let prefix = DeliveryKey::prefix(&[program.id(), &endpoint.id]);
    let (mut entries, more) = cx.first(&prefix, LOGGED).await?;
    let more = more || entries.len() > LOGGED;
    entries.truncate(LOGGED);
    let deliveries: Vec<Delivery> = entries.iter().filter_map(outbox::logged).collect();
    Ok(Response::json(200, &Deliveries { deliveries, more }))
}

/// Kept for the log and for replays, in seconds.
pub const KEPT: i64 = 30 * DAY;
