//! Coupons from a pool, as the cron alone hands them out. An approved reward takes a place in the
//! queue of its pool; [`passalong_core::pool`] says which code it draws, once all who stand before it
//! are visible everywhere. With the code it is fulfilled: a fact in its ledger, the same bytes
//! whichever run writes it. A pointer wakes whoever draws, after an upload or a new place, so that
//! waiting costs nothing.

use passalong_core::fact::{Fact, FactKey, FactKind, Fulfilment, Order};
use passalong_core::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use passalong_core::pool::{self, Draw, Place, Upload};
use passalong_core::report::EventType;
use passalong_core::reward::{RewardId, Status};
use passalong_core::status;
use passalong_core::time::{Instant, Minute};
use passalong_core::webhook::WebhookType;
use passalong_core::wire::CronReport;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cron::has_room;
use crate::customers::Customer;
use crate::keys::{DrawnKey, DuePoolKey};
use crate::metadata::PoolName;
use crate::news;
use crate::orders::{self, ledger_put};
use crate::outbox::{Body, News, announce};
use crate::pools::{due_put, place_put, places, read_uploads, upload_keys};
use crate::programs::{self, Loaded};
use crate::remind;
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Operations of a run that coupons may take: orders come after them.
const FOR_COUPONS: u32 = 400;

/// Puts the approved rewards of a decided order into the queues of their pools. Again changes
/// nothing: of several places of a reward the first counts.
pub async fn queue<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (advocate, order): (CustomerPseudonym, OrderPseudonym),
    facts: &Order,
) -> Result<(), StoreError> {
    if facts.verdict.is_none() {
        return Ok(());
    }
    // What is decided no longer depends on who the advocate is.
    let unknown = Customer::default();
    let states = status::rewards(facts, &unknown.view(advocate, program, cx.now));
    for state in states.iter().filter(|state| state.status == Status::Approved) {
        let Some(name) = state.pool else { continue };
        let since = cx.accepted();
        let place = Place { since, reward: state.id(order, advocate), advocate, order };
        cx.put(&due_put(program, name, since)).await?;
        cx.put(&place_put(program.id(), program.keys.pool(&name), &place)).await?;
        if may_have_come_back(facts) {
            catch_up(cx, program, program.keys.pool(&name), (place.reward, facts)).await?;
        }
    }
    Ok(())
}

/// Whether a reward may have been taken back, or have waited, when it was its turn.
fn may_have_come_back(facts: &Order) -> bool {
    let brings_back =
        |kind| matches!(kind, EventType::Restored | EventType::Amended | EventType::Disputed);
    facts.events().iter().any(|event| brings_back(event.fact.0)) || !facts.states().is_empty()
}

/// Hands a reward the code that it had drawn and was not given, because it was taken back then. Who
/// draws passes a reward once and does not come back to it.
async fn catch_up<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    pool: Digest,
    (reward, facts): (RewardId, &Order),
) -> Result<(), StoreError> {
    let (uploads, queue) = read_pool(cx, program, pool).await?;
    let draws = pool::draws(&uploads, &queue, cx.now);
    if let Some(draw) = draws.iter().find(|draw| draw.place.reward == reward) {
        hand_over(cx, program, draw, facts.clone()).await?;
    }
    Ok(())
}

/// The uploads that are certain, and as much of the queue as they can serve.
async fn read_pool<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    pool: Digest,
) -> Result<(Vec<Upload>, Vec<Place>), StoreError> {
    let keys = upload_keys(cx, program, pool).await?;
    let certain: Vec<_> =
        keys.into_iter().filter(|key| pool::is_certain(key.accepted, cx.now)).collect();
    let uploads = read_uploads(cx, &certain).await?;
    let uploads: Option<Vec<_>> = uploads.into_iter().collect();
    let uploads = uploads.ok_or(StoreError::NotVisible)?;
    let queue = places(cx, program, pool, pool::codes(&uploads).len() + 1).await?;
    Ok((uploads, queue))
}

/// Draws from every pool whose time has come, as far as this run goes.
pub async fn draw_due<H: Host>(cx: &Context<'_, H>, due: &[Entry], report: &mut CronReport) {
    for entry in due {
        let Ok(key) = entry.key.parse::<DuePoolKey>() else { continue };
        if key.at.start() > cx.now {
            continue;
        }
        if !goes_on(cx) {
            report.done = false;
            return;
        }
        // One pool that cannot be handled now must not keep the others waiting.
        let name = entry.read().map(|PoolName { pool }| pool.to_string()).unwrap_or_default();
        if draw(cx, (&key, &name), report).await.is_err() {
            report.done = false;
        }
    }
}

fn goes_on<H: Host>(cx: &Context<'_, H>) -> bool {
    has_room(cx) && cx.spent() < FOR_COUPONS
}

/// How far a pool has been served. An old state costs a second look, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Drawn {
    /// Draws that were made or, where there was nothing to hand over any more, passed.
    #[serde(rename = "n")]
    count: usize,
    low: bool,
}

impl Drawn {
    fn put(self, key: &DrawnKey) -> Put {
        let value = serde_json::to_string(&self).unwrap_or_default();
        Put { key: key.to_string(), value, metadata: None, ttl: None }
    }
}

/// Hands over what is certain. The pointer goes once that is done.
async fn draw<H: Host>(
    cx: &Context<'_, H>,
    (due, name): (&DuePoolKey, &str),
    report: &mut CronReport,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &due.program).await? else {
        // Not visible, or not readable by this version: the pointer waits.
        return Ok(());
    };
    let (uploads, queue) = read_pool(cx, &program, due.pool).await?;
    let uploaded = pool::codes(&uploads).len();
    let draws = pool::draws(&uploads, &queue, cx.now);
    let mark = DrawnKey { program: due.program.clone(), pool: due.pool };
    let before = cx.get(&mark.to_string()).await?;
    let before = before.and_then(|text| serde_json::from_str(&text).ok());
    let before: Drawn = before.unwrap_or_default();
    let mut after = before;
    for draw in draws.iter().skip(before.count) {
        if !goes_on(cx) {
            break;
        }
        let Place { advocate, order, .. } = draw.place;
        let Ok(facts) = orders::in_ledger(cx, &program, advocate, order).await else { break };
        let Ok(handed_over) = hand_over(cx, &program, draw, facts).await else { break };
        report.drawn += u32::from(handed_over);
        after.count += 1;
    }
    // Whoever looks finds the same place with which the pool came to its last codes.
    let sure = queue.iter().filter(|place| pool::is_certain(place.since, cx.now));
    let since: Vec<_> = sure.map(|place| place.since).collect();
    let is_low = |taken: &usize| pool::is_low(uploaded.saturating_sub(*taken), uploaded);
    let low = (0..=since.len()).find(is_low);
    after.low = low.is_some();
    if let Some(taken) = low.filter(|_| !before.low) {
        let filled = uploads.iter().map(|upload| upload.accepted).max();
        let at = taken.checked_sub(1).and_then(|last| since.get(last).copied()).or(filled);
        let at = at.map_or(cx.now, Minute::start);
        let left = uploaded.saturating_sub(taken);
        pool_is_low(cx, &program, (name, left), at, report).await?;
    }
    if after != before {
        cx.put(&after.put(&mark)).await?;
    }
    if after.count < draws.len() {
        report.done = false;
        return Ok(());
    }
    cx.delete(&due.to_string()).await
}

/// A pool came to its last codes. Told once until it is filled again.
async fn pool_is_low<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (name, left): (&str, usize),
    at: Instant,
    report: &mut CronReport,
) -> Result<(), StoreError> {
    report.pools_low += 1;
    cx.host.log(&format!("the pool {name} is nearly empty: {left} coupons are left"));
    let body = Body::new(&json!({ "pool": name, "left": left }));
    announce(cx, program, &News { kind: WebhookType::PoolLow, at, body }).await
}

/// Fulfils a reward with its code, if it is still to be given. A code that was drawn for what has
/// been taken back meanwhile, or handed over by the merchant, goes to nobody, unless it comes back.
async fn hand_over<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    draw: &Draw<'_>,
    mut facts: Order,
) -> Result<bool, StoreError> {
    let Place { advocate, order, reward: id, .. } = draw.place;
    let unknown = Customer::default();
    let states = status::rewards(&facts, &unknown.view(advocate, program, cx.now));
    let own = states.iter().find(|state| state.id(order, advocate) == id);
    let Some(state) = own.filter(|state| state.status == Status::Approved) else {
        return Ok(false);
    };
    let fact = Fact::Fulfilment(Fulfilment {
        role: state.part.role,
        milestone: state.part.milestone,
        entry: None,
        value: state.value,
        sealed: draw.code.to_owned(),
        coupon: true,
    });
    let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
    let key = FactKey { accepted: draw.since, kind: FactKind::Fulfilled, digest };
    // Nothing is handed over that cannot be told.
    let reports = orders::reports(cx, program, order).await?;
    let first = reports.first().ok_or(StoreError::NotVisible)?;
    let of = (advocate, order, first.key);
    news::rewards(cx, program, of, &facts, (key, &fact)).await?;
    let put = ledger_put(program, advocate, order, (key, &fact));
    facts.add(key, fact);
    if let Some(pointer) = remind::put(cx, program, (advocate, order), &facts) {
        cx.put(&pointer).await?;
    }
    cx.put(&put).await?;
    Ok(true)
}

/// Whether this program hands anything out of a pool.
pub fn has_pools(program: &Loaded) -> bool {
    program
        .versions
        .all()
        .any(|version| version.terms.rewards.iter().any(|rule| rule.pool.is_some()))
}
