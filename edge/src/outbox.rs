//! What is told the merchant, and how it gets there: [`announce`] before it happens, the first two
//! attempts after the answer, the others by the cron or, where one is bound, by a queue.
//!
//! Three kinds of keys, each written once. `outbox/` holds a message for 30 days, under a name that
//! follows from what it is about: told twice it is one. `todo.outbox/` points to an attempt that is
//! to be made; it is there before what is announced is acknowledged, so that whatever dies, somebody
//! delivers. `delivery/` is an attempt that was made. A queue takes the place of the pointers and
//! nothing else. All this is at least once: receivers know a repeat by `webhook-id`.
//!
//! A message at rest holds no readable id: pseudonyms and sealed texts, opened when it is sent. So a
//! customer who was erased meanwhile is `null`.

mod message;

use std::collections::BTreeSet;
use std::rc::Rc;

use futures_util::future::join_all;
use passalong_core::ids::{Digest, ProgramId};
use passalong_core::mutation::{self, Mutation};
use passalong_core::time::{DAY, Instant};
use passalong_core::webhook::{Delivery, SendProblem, WebhookType, delay, message_id};
use serde_json::json;

use crate::cron::has_room;
use crate::keys::{AttemptKey, DeliveryKey, Latest, MessageKey};
use crate::metadata::{self, Answered, Delivered};
use crate::programs::{self, Loaded};
use crate::store::{Context, Entry, Host, Outgoing, Put, StoreError};
use crate::webhooks::{self, Endpoint, KEPT};

pub use message::{Body, Lock, Message, News};

/// How long a receiver may take, in milliseconds.
const LIMIT: u32 = 10_000;
/// The attempts that are made at once; the cron makes the others.
const AT_ONCE: u8 = 2;
/// A pointer that nobody could follow for so long is given up: the schedule is three days.
const FOLLOWED: i64 = 8 * DAY;
/// A pointer whose message is not visible for so long belongs to what was cut off and never announced.
const UNANNOUNCED: i64 = DAY;
/// The longest the platform's queue keeps anything back, in seconds.
const LONGEST_IN_QUEUE: i64 = 12 * 3_600;
/// Attempts to one endpoint in one run of the cron.
const MOST_OF_ONE: usize = 50;
/// Programs that a run looks at where there are too many pointers to list them all.
const PROGRAMS: usize = 100;
/// Attempts to one endpoint, and endpoints, at a time: the platform opens six connections.
const SIDE_BY_SIDE: usize = 2;
const LANES: usize = 3;
/// Operations, and milliseconds, of one run of the cron.
const OPERATIONS: u32 = 300;
const LASTS: u64 = 20_000;
/// Seconds between two runs of the cron.
const INTERVAL: u64 = 300;

/// A message on its way to one endpoint, for its first attempts.
#[derive(Debug, Clone)]
pub struct Announced {
    program: ProgramId,
    endpoint: Digest,
    id: Digest,
    message: Rc<Message>,
    /// What is left in the store in case that nobody comes to make the first attempts.
    pointer: AttemptKey,
}

/// Whether any endpoint of the program takes this: what is needed to say it need not be read else.
pub fn is_wanted<H: Host>(cx: &Context<'_, H>, program: &Loaded, kinds: &[WebhookType]) -> bool {
    let endpoints = webhooks::of(cx, program.id());
    endpoints.iter().any(|endpoint| kinds.iter().any(|kind| endpoint.wants(*kind)))
}

/// Of these news those that are not visible in the outbox.
pub async fn untold<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    news: Vec<News>,
) -> Result<Vec<News>, StoreError> {
    if news.is_empty() {
        return Ok(news);
    }
    let ids: Vec<Digest> = news.iter().map(|one| one.message(program).0).collect();
    let told = read(cx, program.id(), &ids).await?;
    let untold = news.into_iter().zip(told).filter(|(_, told)| told.is_none());
    Ok(untold.map(|(one, _)| one).collect())
}

/// Tells the merchant: to be called before what is told is written or acknowledged. Without an endpoint
/// that wants it nothing happens and nothing is spent; with one it takes two writes, and one for each
/// further endpoint.
pub async fn announce<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    news: &News,
) -> Result<(), StoreError> {
    let kind = news.kind;
    let mut endpoints = webhooks::of(cx, program.id());
    endpoints.retain(|endpoint| endpoint.wants(kind));
    if endpoints.is_empty() {
        return Ok(());
    }
    let mut news = news.clone();
    if mutation::is_on(Mutation::ToldByClock) {
        news.at = cx.now;
    }
    let (id, message, value) = news.message(program);
    let message = Rc::new(message);
    let key = MessageKey { program: program.id().clone(), message: id };
    let metadata = metadata::Message { kind, at: cx.now };
    let enabled = endpoints.iter().filter(|endpoint| endpoint.is_enabled());
    // The pointers first: whoever sees the message can rely on them.
    let ways = enabled.map(|endpoint| begin(cx, program.id(), endpoint.id, (id, &message)));
    let begun: Result<Vec<Option<Announced>>, StoreError> =
        join_all(ways).await.into_iter().collect();
    let begun = begun?;
    cx.put(&Put::listed(&key, &metadata).value(value).until(cx.now.plus(KEPT), cx.now)).await?;
    cx.announced.borrow_mut().extend(begun.into_iter().flatten());
    Ok(())
}

/// Sets a message on its way to an endpoint; nothing where the queue has it.
async fn begin<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    endpoint: Digest,
    (id, message): (Digest, &Rc<Message>),
) -> Result<Option<Announced>, StoreError> {
    let first = AttemptKey {
        program: program.clone(),
        endpoint,
        at: cx.now.minute_up(),
        message: id,
        attempt: 0,
    };
    if let Some(Ok(())) = cx.enqueue(&first.to_string(), 0).await {
        return Ok(None);
    }
    let waits = (0..=AT_ONCE).filter_map(delay).sum();
    let pointer = AttemptKey { at: first.at.plus(waits), attempt: AT_ONCE, ..first };
    cx.put(&pointer_put(cx, &pointer)).await?;
    let (program, message) = (program.clone(), Rc::clone(message));
    Ok(Some(Announced { program, endpoint, id, message, pointer }))
}

fn pointer_put<H: Host>(cx: &Context<'_, H>, key: &AttemptKey) -> Put {
    Put::listed(key, &metadata::Nothing {}).until(key.at.start().max(cx.now).plus(FOLLOWED), cx.now)
}

/// After a failure: the next attempt, in the queue or as a pointer; whether there is one. When it is
/// made follows from when this one was to be made, so that runs side by side point to the same.
async fn follow<H: Host>(cx: &Context<'_, H>, failed: &AttemptKey) -> Result<bool, StoreError> {
    let attempt = failed.attempt.saturating_add(1);
    let Some(seconds) = delay(attempt) else { return Ok(false) };
    let next = AttemptKey { at: failed.at.plus(seconds), attempt, ..failed.clone() };
    if seconds <= LONGEST_IN_QUEUE {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        if let Some(Ok(())) = cx.enqueue(&next.to_string(), seconds).await {
            return Ok(true);
        }
    }
    cx.put(&pointer_put(cx, &next)).await?;
    Ok(true)
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    answer: Result<u16, SendProblem>,
    millis: u64,
}

/// Whether and how to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Delivered,
    Gone,
    Failed,
}

impl Outcome {
    fn came(self) -> Came {
        match self.answer {
            Ok(200..=299) => Came::Delivered,
            Ok(410) => Came::Gone,
            _ => Came::Failed,
        }
    }

    fn message(self, at: Instant, id: Digest, kind: WebhookType, attempt: u8) -> Delivery {
        Delivery {
            message_id: format!("msg_{id}"),
            r#type: kind,
            attempt: attempt.saturating_add(1),
            at,
            delivered: self.came() == Came::Delivered,
            status: self.answer.ok(),
            error: self.answer.err(),
            duration_ms: self.millis,
        }
    }
}

/// One attempt: opens, signs, sends, and writes down what came of it. An endpoint that is gone is
/// disabled.
async fn attempt<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    endpoint: &Endpoint,
    (id, number): (Digest, u8),
    message: &Message,
) -> Result<Outcome, StoreError> {
    let body = message.open(cx, program).await?;
    let name = format!("msg_{id}");
    // Receivers refuse what is old by their own clock, so this is real time.
    let began = cx.host.millis();
    let timestamp = began / 1_000;
    let signers = endpoint.signers(cx, program.id());
    let signatures: Vec<String> =
        signers.iter().map(|secret| secret.sign(&name, timestamp, &body)).collect();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("Passalong/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("webhook-id", name),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    let outgoing = Outgoing { url: &endpoint.url, headers: &headers, body: &body, limit: LIMIT };
    let answer = cx.post(&outgoing).await;
    let outcome = Outcome { answer, millis: cx.host.millis().saturating_sub(began) };
    let at = cx.now.plus(i64::try_from(cx.elapsed() / 1_000).unwrap_or(0));
    let key = DeliveryKey {
        program: program.id().clone(),
        endpoint: endpoint.id,
        at: Latest(at),
        message: id,
        attempt: number,
    };
    let answer = outcome.answer.map_or_else(Answered::Problem, Answered::Status);
    let metadata = Delivered { kind: message.kind, answer, millis: outcome.millis };
    // It was sent, whether or not that can be written down.
    let logged = cx.put(&Put::listed(&key, &metadata).until(at.plus(KEPT), cx.now)).await;
    if logged.is_err() {
        cx.host.log("the log of a delivery was lost");
    }
    if outcome.came() == Came::Gone {
        webhooks::disable(cx, program.id(), endpoint.id).await?;
    }
    Ok(outcome)
}

/// An attempt as the log shows it.
pub fn logged(entry: &Entry) -> Option<Delivery> {
    let key: DeliveryKey = entry.key.parse().ok()?;
    let Delivered { kind, answer, millis } = entry.read()?;
    let answer = match answer {
        Answered::Status(status) => Ok(status),
        Answered::Problem(problem) => Err(problem),
    };
    let Latest(at) = key.at;
    Some(Outcome { answer, millis }.message(at, key.message, kind, key.attempt))
}

/// A message of the type `test`, once.
pub async fn try_out<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    endpoint: &Endpoint,
) -> Result<Delivery, StoreError> {
    let kind = WebhookType::Test;
    let data =
        json!({ "endpoint": format!("ep_{}", endpoint.id), "program": program.id().as_str() });
    let message = Message::new(kind, cx.now, Body::new(&data));
    let id = message_id(&program.keys, kind, &[&cx.host.random(), &cx.host.random()]);
    let outcome = attempt(cx, program, endpoint, (id, 0), &message).await?;
    Ok(outcome.message(cx.now, id, kind, 0))
}

async fn read<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    ids: &[Digest],
) -> Result<Vec<Option<Rc<Message>>>, StoreError> {
    let key = |message: &Digest| MessageKey { program: program.clone(), message: *message };
    let keys: Vec<String> = ids.iter().map(|id| key(id).to_string()).collect();
    let values = cx.get_many(&keys).await?;
    let message = |value: Option<String>| serde_json::from_str(&value?).ok().map(Rc::new);
    Ok(values.into_iter().map(message).collect())
}

/// Sends a message again, from the first attempt on; false if there is none of that name.
pub async fn again<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    endpoint: &Endpoint,
    id: Digest,
) -> Result<bool, StoreError> {
    let Some(message) = read(cx, program.id(), &[id]).await?.into_iter().flatten().next() else {
        return Ok(false);
    };
    let begun = begin(cx, program.id(), endpoint.id, (id, &message)).await?;
    cx.announced.borrow_mut().extend(begun);
    Ok(true)
}

/// Leaves messages to the cron, from its first attempt on.
pub async fn later<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    endpoint: Digest,
    ids: &[Digest],
) -> Result<(), StoreError> {
    let pointer = |id: &Digest| AttemptKey {
        program: program.clone(),
        endpoint,
        at: cx.now.minute(),
        message: *id,
        attempt: AT_ONCE,
    };
    let puts: Vec<Put> = ids.iter().map(|id| pointer_put(cx, &pointer(id))).collect();
    cx.put_all(&puts).await
}

/// The first attempts, after the answer. What fails is left to the pointer.
pub async fn deliver<H: Host>(cx: &Context<'_, H>, announced: &[Announced]) {
    for some in announced.chunks(LANES * SIDE_BY_SIDE) {
        let all = some.iter().map(|one| first_attempts(cx, one));
        for delivered in join_all(all).await {
            if delivered.is_err() {
                cx.host.log("a webhook is left to the cron");
            }
        }
    }
}

/// Whether the endpoint answers; a failure leaves the pointer in place.
async fn first_attempts<H: Host>(
    cx: &Context<'_, H>,
    announced: &Announced,
) -> Result<bool, StoreError> {
    for number in 0..AT_ONCE {
        let Some((program, endpoint)) = open_way(cx, &announced.pointer).await? else {
            return Ok(true);
        };
        if number > 0 {
            let seconds = delay(number).unwrap_or(0);
            cx.host.sleep(u32::try_from(seconds * 1_000).unwrap_or(0)).await;
        }
        let at = (announced.id, number);
        let outcome = attempt(cx, &program, &endpoint, at, &announced.message).await?;
        match outcome.came() {
            Came::Delivered => {
                cx.delete(&announced.pointer.to_string()).await?;
                return Ok(true);
            }
            Came::Failed if has_room(cx) => {}
            Came::Failed | Came::Gone => break,
        }
    }
    Ok(false)
}

/// Program and endpoint of an attempt; none where nothing is sent there now.
async fn open_way<H: Host>(
    cx: &Context<'_, H>,
    key: &AttemptKey,
) -> Result<Option<(Rc<Loaded>, Endpoint)>, StoreError> {
    let Some(program) = programs::load_known(cx, &key.program).await? else { return Ok(None) };
    let mut endpoints = webhooks::of(cx, &key.program).into_iter();
    let endpoint = endpoints.find(|endpoint| endpoint.id == key.endpoint);
    let endpoint = endpoint.filter(Endpoint::is_enabled);
    Ok(endpoint.map(|endpoint| (program, endpoint)))
}

/// What the queue brings back: one attempt, and after a failure the next is on its way. An error
/// means that the queue must bring it again.
pub async fn take<H: Host>(cx: &Context<'_, H>, text: &str) -> Result<(), StoreError> {
    // Nothing else is ever put in; what another version wrote would come back for ever.
    let Ok(key) = text.parse::<AttemptKey>() else { return Ok(()) };
    let Some(way) = open_way(cx, &key).await? else {
        // It may become enabled: the cron sees to it.
        return cx.put(&pointer_put(cx, &key)).await;
    };
    let message = read(cx, &key.program, &[key.message]).await?.into_iter().flatten().next();
    let message = message.ok_or(StoreError::NotVisible)?;
    match make(cx, &way, &key, &message).await? {
        // It may become enabled, as above.
        Came::Gone => cx.put(&pointer_put(cx, &key)).await,
        Came::Delivered | Came::Failed => Ok(()),
    }
}

/// One attempt of the schedule, and what follows from it.
async fn make<H: Host>(
    cx: &Context<'_, H>,
    (program, endpoint): &(Rc<Loaded>, Endpoint),
    key: &AttemptKey,
    message: &Message,
) -> Result<Came, StoreError> {
    let outcome = attempt(cx, program, endpoint, (key.message, key.attempt), message).await?;
    let came = outcome.came();
    if came == Came::Failed && !follow(cx, key).await? {
        cx.host.log("a webhook was given up after its last attempt");
    }
    Ok(came)
}

/// What one endpoint is due.
struct Lane {
    program: ProgramId,
    fresh: Vec<Announced>,
    due: Vec<AttemptKey>,
}

/// What the cron does for webhooks, after all that is money: the first attempts of what it announced
/// itself, then what is due. `listed` are the pointers where the list of what there is to do was
/// short enough to show them all. How many attempts were made, and whether more are due than fit.
pub async fn run<H: Host>(cx: &Context<'_, H>, listed: Option<&[Entry]>) -> (u32, bool) {
    let fresh = cx.announced.take();
    if fresh.is_empty() && listed.is_some_and(<[Entry]>::is_empty) {
        return (0, false);
    }
    let room = Room { spent: cx.spent(), began: cx.elapsed() };
    let Ok((mut lanes, mut more)) = lanes(cx, fresh, listed).await else { return (0, true) };
    // Where there are too many for a run, each run begins with others.
    let turn = cx.now.seconds().unsigned_abs() / INTERVAL;
    let first = turn.checked_rem(lanes.len() as u64).unwrap_or(0);
    lanes.rotate_left(usize::try_from(first).unwrap_or(0));
    let mut made = 0;
    for some in lanes.chunks(LANES) {
        for came in join_all(some.iter().map(|lane| serve(cx, lane, &room))).await {
            match came {
                Ok((count, left)) => {
                    made += count;
                    more |= left;
                }
                Err(_) => more = true,
            }
        }
    }
    (made, more)
}

/// A run's share for webhooks.
struct Room {
    spent: u32,
    began: u64,
}

impl Room {
    fn is_left<H: Host>(&self, cx: &Context<'_, H>) -> bool {
        let spent = cx.spent().saturating_sub(self.spent);
        let lasted = cx.elapsed().saturating_sub(self.began);
        has_room(cx) && spent < OPERATIONS && lasted < LASTS
    }
}

/// What is due, by endpoint, and whether some programs could not be looked at.
async fn lanes<H: Host>(
    cx: &Context<'_, H>,
    fresh: Vec<Announced>,
    listed: Option<&[Entry]>,
) -> Result<(Vec<Lane>, bool), StoreError> {
    let (programs, mut more) = concerned(cx, &fresh, listed).await?;
    let mut lanes = Vec::new();
    for program in programs {
        if !has_room(cx) {
            return Ok((lanes, true));
        }
        // One whose settings cannot be read must not keep the others waiting.
        let Ok(Some(_)) = programs::load_known(cx, &program).await else {
            more = true;
            continue;
        };
        let endpoints = webhooks::of(cx, &program).into_iter();
        for endpoint in endpoints.filter(Endpoint::is_enabled).map(|endpoint| endpoint.id) {
            let prefix = AttemptKey::prefix(&[&program, &endpoint]);
            let entries = match listed {
                Some(entries) => {
                    let of_this =
                        entries.iter().filter(|entry| entry.key.starts_with(prefix.as_str()));
                    of_this.take(MOST_OF_ONE + 1).cloned().collect()
                }
                None => cx.first(&prefix, MOST_OF_ONE + 1).await?.0,
            };
            let keys = entries.iter().filter_map(|entry| entry.key.parse::<AttemptKey>().ok());
            let due: Vec<AttemptKey> = keys.filter(|key| key.at.start() <= cx.now).collect();
            let of_this = |one: &&Announced| one.program == program && one.endpoint == endpoint;
            let fresh: Vec<Announced> = fresh.iter().filter(of_this).cloned().collect();
            if !fresh.is_empty() || !due.is_empty() {
                lanes.push(Lane { program: program.clone(), fresh, due });
            }
        }
    }
    Ok((lanes, more))
}

/// The programs of which something may be due, and whether there are more than fit into a run: those
/// whose pointers were listed. Where there are too many pointers for that, each run looks at some of
/// all programs.
async fn concerned<H: Host>(
    cx: &Context<'_, H>,
    fresh: &[Announced],
    listed: Option<&[Entry]>,
) -> Result<(BTreeSet<ProgramId>, bool), StoreError> {
    let announced = fresh.iter().map(|announced| announced.program.clone());
    let mut programs: BTreeSet<ProgramId> = announced.collect();
    let Some(entries) = listed else {
        let mut all = programs::all(cx).await?;
        let turn = cx.now.seconds().unsigned_abs() / INTERVAL * PROGRAMS as u64;
        let first = turn.checked_rem(all.len() as u64).unwrap_or(0);
        all.rotate_left(usize::try_from(first).unwrap_or(0));
        programs.extend(all.iter().take(PROGRAMS).map(|(id, _)| id.clone()));
        return Ok((programs, all.len() > PROGRAMS));
    };
    let keys = entries.iter().filter_map(|entry| entry.key.parse::<AttemptKey>().ok());
    programs.extend(keys.map(|key| key.program));
    Ok((programs, false))
}

/// Serves one endpoint until something fails: whoever does not answer now is asked again by the next
/// run, once, and keeps nobody else waiting. What was not tried keeps its attempts.
async fn serve<H: Host>(
    cx: &Context<'_, H>,
    lane: &Lane,
    room: &Room,
) -> Result<(u32, bool), StoreError> {
    let mut made = 0;
    for some in lane.fresh.chunks(SIDE_BY_SIDE) {
        if !room.is_left(cx) {
            // Their pointers are due soon enough.
            return Ok((made, false));
        }
        made += u32::try_from(some.len()).unwrap_or(0);
        for answers in join_all(some.iter().map(|one| first_attempts(cx, one))).await {
            if !answers? {
                return Ok((made, false));
            }
        }
    }
    let more = lane.due.len() > MOST_OF_ONE;
    let due = lane.due.get(..MOST_OF_ONE).unwrap_or(&lane.due);
    let ids: Vec<Digest> = due.iter().map(|key| key.message).collect();
    let messages = if ids.is_empty() { Vec::new() } else { read(cx, &lane.program, &ids).await? };
    // One whose message is not visible yet waits for the next run.
    let (seen, unseen): (Vec<_>, Vec<_>) =
        due.iter().zip(messages).partition(|(_, message)| message.is_some());
    let is_abandoned = |key: &&AttemptKey| key.at.start().plus(UNANNOUNCED) < cx.now;
    for key in unseen.into_iter().map(|(key, _)| key).filter(is_abandoned) {
        cx.delete(&key.to_string()).await?;
    }
    let due: Vec<_> = seen.into_iter().filter_map(|(key, message)| Some((key, message?))).collect();
    for some in due.chunks(SIDE_BY_SIDE) {
        if !room.is_left(cx) {
            return Ok((made, true));
        }
        let all = some.iter().map(|(key, message)| due_attempt(cx, key, message));
        made += u32::try_from(some.len()).unwrap_or(0);
        for came in join_all(all).await {
            if came? != Came::Delivered {
                return Ok((made, false));
            }
        }
    }
    Ok((made, more))
}

async fn due_attempt<H: Host>(
    cx: &Context<'_, H>,
    key: &AttemptKey,
    message: &Message,
) -> Result<Came, StoreError> {
    let Some(way) = open_way(cx, key).await? else { return Ok(Came::Gone) };
    let came = make(cx, &way, key, message).await?;
    // One that is gone may come back: what it did not get waits for that.
    if came != Came::Gone {
        cx.delete(&key.to_string()).await?;
    }
    Ok(came)
}
