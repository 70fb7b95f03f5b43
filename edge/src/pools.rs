//! Pools of coupons as the merchant sees them: `POST /v1/pools/{pool}` adds codes,
//! `GET /v1/pools/{pool}` says how many are left. Who draws them belongs to [`crate::coupons`].

use std::collections::BTreeSet;

use passalong_core::ids::{Digest, ProgramId};
use passalong_core::pool::{self, CODES, Place, UPLOADS, Upload};
use passalong_core::program::Version;
use passalong_core::reward::Label;
use passalong_core::seal::Sealed;
use passalong_core::time::{Minute, SETTLE};
use passalong_core::wire::{Pool, PoolUpload};

use crate::authenticate::merchant;
use crate::http::{Request, Response};
use crate::keys::{DuePoolKey, QueueKey, UploadKey};
use crate::metadata::{PoolName, Uploaded, Waiting};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::{body, only, part};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Waiting rewards that are counted.
const WAITING: usize = 1_000;

/// 1. Authenticate: 401. 2. Decode, all or nothing: 400, 413. 3. Load. 4. Decide: 409 beyond what a
///    pool holds. 5. Save, the pointer first: 503. 6. Encode.
pub async fn fill<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    name: &str,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let name: Label = part("pool", name)?;
    only(request, &[])?;
    let codes = pool::read(body(request)?)?;
    // 3
    let pool = program.keys.pool(&name);
    let uploads = visible(cx, &program, pool).await?;
    // 4
    let known: BTreeSet<&str> = pool::codes(&uploads).into_iter().map(|(_, code)| code).collect();
    let sealed = codes.iter().map(|code| program.keys.seal(Sealed::Coupon, code));
    let new: Vec<String> = sealed.filter(|code| !known.contains(code.as_str())).collect();
    if !new.is_empty() && (uploads.len() >= UPLOADS || known.len() + new.len() > CODES) {
        return Err(Problem::conflict(format!(
            "a pool takes {CODES} codes in {UPLOADS} uploads: name a new one in the terms and go on there"
        )));
    }
    // 5
    if !new.is_empty() {
        let accepted = cx.accepted();
        let value = serde_json::to_string(&new).unwrap_or_default();
        let digest = program.keys.digest(value.as_bytes());
        let key = UploadKey { program: program.id().clone(), pool, accepted, digest };
        cx.put(&due_put(&program, name, accepted)).await?;
        cx.put(&Put::listed(&key, &Uploaded { codes: new.len() }).value(value)).await?;
    }
    // 6
    let answer = PoolUpload {
        pool: name.to_string(),
        added: new.len(),
        known: codes.len() - new.len(),
        used: is_used(cx, &program, name),
    };
    Ok(Response::json(200, &answer))
}

/// `GET /v1/pools/{pool}`.
pub async fn read<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    name: &str,
) -> Result<Response, Problem> {
    let program = merchant(cx, request).await?;
    let name: Label = part("pool", name)?;
    only(request, &[])?;
    let pool = program.keys.pool(&name);
    let uploads = visible(cx, &program, pool).await?;
    let uploaded = pool::codes(&uploads).len();
    let queue = places(cx, &program, pool, uploaded + WAITING).await?.len();
    let assigned = queue.min(uploaded);
    let left = uploaded - assigned;
    let answer = Pool {
        pool: name.to_string(),
        uploaded,
        assigned,
        left,
        waiting: (queue - assigned).min(WAITING),
        low: pool::is_low(left, uploaded),
        used: is_used(cx, &program, name),
    };
    Ok(Response::json(200, &answer))
}

/// Whether coupons are taken from there: by the terms that apply now or by later ones.
fn is_used<H: Host>(cx: &Context<'_, H>, program: &Loaded, name: Label) -> bool {
    let current = program.versions.current(cx.now).map_or(0, |version| version.number);
    let takes =
        |version: &Version| version.terms.rewards.iter().any(|rule| rule.pool == Some(name));
    program.versions.all().filter(|version| version.number >= current).any(takes)
}

/// The pointer to draw from a pool once what is accepted now is visible everywhere. It is written
/// before what it is for.
pub fn due_put(program: &Loaded, name: Label, accepted: Minute) -> Put {
    let at = accepted.plus(SETTLE);
    let pool = program.keys.pool(&name);
    Put::listed(&DuePoolKey { at, program: program.id().clone(), pool }, &PoolName { pool: name })
}

/// The keys of a pool's uploads, the first accepted in front.
pub async fn upload_keys<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    pool: Digest,
) -> Result<Vec<UploadKey>, StoreError> {
    let prefix = UploadKey::prefix(&[program.id(), &pool]);
    let (entries, _) = cx.first(&prefix, UPLOADS).await?;
    let mut keys: Vec<UploadKey> =
        entries.iter().filter_map(|entry| entry.key.parse().ok()).collect();
    keys.sort_by_key(|key| (key.accepted, key.digest));
    keys.truncate(UPLOADS);
    Ok(keys)
}

/// What these uploads hold, each where its value is visible.
pub async fn read_uploads<H: Host>(
    cx: &Context<'_, H>,
    keys: &[UploadKey],
) -> Result<Vec<Option<Upload>>, StoreError> {
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let values = cx.get_many(&names).await?;
    let upload = |(key, value): (&UploadKey, Option<String>)| {
        let codes = serde_json::from_str(&value?).ok()?;
        Some(Upload { accepted: key.accepted, digest: key.digest, codes })
    };
    Ok(keys.iter().zip(values).map(upload).collect())
}

/// All uploads that are visible here.
async fn visible<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    pool: Digest,
) -> Result<Vec<Upload>, StoreError> {
    let keys = upload_keys(cx, program, pool).await?;
    Ok(read_uploads(cx, &keys).await?.into_iter().flatten().collect())
}

/// A place in the queue, to be written.
pub fn place_put(program: &ProgramId, pool: Digest, place: &Place) -> Put {
    let Place { since, reward, .. } = *place;
    let key = QueueKey { program: program.clone(), pool, since, reward };
    Put::listed(&key, &Waiting { advocate: place.advocate, order: place.order })
}

/// The first of the queue, at least so many rewards if there are. Rewards of one minute are not listed in
/// the order in which they draw, so a minute is read to its end.
pub async fn places<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    pool: Digest,
    least: usize,
) -> Result<Vec<Place>, StoreError> {
    let prefix = QueueKey::prefix(&[program.id(), &pool]);
    let place = |entry: &Entry| {
        let key: QueueKey = entry.key.parse().ok()?;
        let Waiting { advocate, order } = entry.read()?;
        Some(Place { since: key.since, reward: key.reward, advocate, order })
    };
    let mut queue: Vec<Place> = Vec::new();
    let mut cursor = None;
    loop {
        let page = cx.page(&prefix, cursor.as_deref()).await?;
        queue.extend(page.entries.iter().filter_map(place));
        queue = pool::queue(&queue);
        cursor = page.cursor;
        let read_up_to = page.entries.last().and_then(place).map(|last| last.since);
        let is_whole = |one: &&Place| read_up_to.is_some_and(|last| one.since < last);
        if cursor.is_none() || queue.iter().filter(is_whole).count() >= least {
            return Ok(queue);
        }
    }
}
