//! `POST /v1/rewards/{id}/fulfil`: the merchant has handed a reward over, or settled what was taken
//! back from one. A fact: told again it changes nothing, and a second reference is paid too much,
//! which is shown.

use passalong_core::decode::Fields;
use passalong_core::fact::{Fact, FactKey, FactKind, Fulfilment};
use passalong_core::ids::Digest;
use passalong_core::reward::Status;
use passalong_core::seal::Sealed;
use passalong_core::status::Reward;
use passalong_core::time::Instant;

use crate::authenticate::merchant;
use crate::http::{Request, Response};
use crate::orders::ledger_put;
use crate::problem::Problem;
use crate::remind;
use crate::requests::body;
use crate::rewards::{self, Found};
use crate::store::{Context, Host};

/// 1. Authenticate: 401. 2. Decode: 400, 404. 3. Load: 404. 4. Decide: what is not approved is 409,
///    with `Retry-After` where it may become so. 5. Save: 503. 6. Encode.
pub async fn fulfil<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let mut fields = Fields::parse(body(request)?)?;
    let reference = fields.text("reference", 128)?;
    let right = "how you find it again, for example voucher 881";
    let reference = fields.required("reference", reference, right)?;
    fields.finish()?;
    let (id, entry) = rewards::parse(id)?;
    // 3
    let mut found = rewards::find(cx, &program, id).await?;
    let reward = found.state(cx, &program)?;
    let sealed = program.keys.seal(Sealed::Reference, &reference);
    // 4
    let fact = match entry {
        None => hand_over(cx, &found, &reward, &sealed)?,
        Some(event) => settle(&found, &reward, event, &sealed)?,
    };
    // 5
    if let Some(fact) = fact {
        let fact = Fact::Fulfilment(fact);
        let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
        let key = FactKey { accepted: cx.accepted(), kind: FactKind::Fulfilled, digest };
        found.tell(cx, &program, (key, &fact)).await?;
        let put = ledger_put(&program, found.advocate, found.order, (key, &fact));
        found.facts.add(key, fact);
        // From now on it can be used, so from now on its end is known.
        if let Some(pointer) =
            remind::put(cx, &program, (found.advocate, found.order), &found.facts)
        {
            cx.put(&pointer).await?;
        }
        cx.put(&put).await?;
    }
    // 6
    Ok(Response::json(200, &found.message(cx, &program).await?))
}

/// The fact that a reward was handed over; none where it is known.
fn hand_over<H: Host>(
    cx: &Context<'_, H>,
    found: &Found,
    reward: &Reward,
    sealed: &str,
) -> Result<Option<Fulfilment>, Problem> {
    // Two ways to hand it over would meet: the cron may just be doing it.
    if let Some(pool) = reward.pool {
        let detail = format!(
            "this reward is handed over with a coupon of the pool {pool}; if there is none, add some with POST /v1/pools"
        );
        return Err(Problem::conflict(detail));
    }
    let known = found.facts.fulfilments(reward.part);
    let is_known = known.iter().any(|paid| paid.fact.sealed == sealed);
    match reward.status {
        Status::Approved | Status::Fulfilled | Status::Expired => {
            Ok((!is_known).then(|| Fulfilment {
                role: reward.part.role,
                milestone: reward.part.milestone,
                entry: None,
                value: reward.value,
                sealed: sealed.to_owned(),
                coupon: false,
            }))
        }
        Status::Pending | Status::Review => {
            let wait = reward.until.map_or(3_600, |until| seconds_between(cx.now, until));
            let detail =
                format!("only an approved reward can be fulfilled; this one is {}", reward.status);
            Err(Problem::conflict(detail).retry_after(wait))
        }
        Status::Reversed | Status::Refused => {
            let detail =
                format!("only an approved reward can be fulfilled; this one is {}", reward.status);
            Err(Problem::conflict(detail))
        }
    }
}

/// The fact that a negative entry was settled; none where it is known.
fn settle(
    found: &Found,
    reward: &Reward,
    event: Digest,
    sealed: &str,
) -> Result<Option<Fulfilment>, Problem> {
    let entry = reward.entries.iter().find(|entry| entry.event == event);
    let entry = entry.ok_or_else(|| Problem::not_found("this reward has no such entry"))?;
    match found.facts.settlement(reward.part, event) {
        None => Ok(Some(Fulfilment {
            role: reward.part.role,
            milestone: reward.part.milestone,
            entry: Some(event),
            value: entry.value,
            sealed: sealed.to_owned(),
            coupon: false,
        })),
        Some(settled) if settled.fact.sealed == sealed => Ok(None),
        Some(_) => Err(Problem::conflict("this entry was settled already, with another reference")),
    }
}

fn seconds_between(now: Instant, until: Instant) -> u32 {
    u32::try_from((until.seconds() - now.seconds()).max(60)).unwrap_or(u32::MAX)
}
