//! `POST /v1/rewards/{id}/review`: the merchant has looked at a reward. The first decision stands.
//! What is decided before the reward settles is part of its verdict.

use passalong_core::decode::Fields;
use passalong_core::fact::{Fact, FactKey, FactKind, Reviewed, Via};
use passalong_core::ids::CustomerId;
use passalong_core::missing_referral::Outcome;
use passalong_core::reward::{RewardId, Role, Status};
use passalong_core::seal::Sealed;
use passalong_core::time::SETTLE;
use passalong_core::words::UnknownWord;

use crate::authenticate::merchant;
use crate::coupons;
use crate::http::{Request, Response};
use crate::keys::Ledger;
use crate::missing_referral::decide;
use crate::news;
use crate::orders::{due_put, ledger_put};
use crate::problem::{Code, Problem};
use crate::programs::Loaded;
use crate::requests::body;
use crate::rewards::{self, Found};
use crate::store::{Context, Host};

/// What is decided.
struct Decision {
    approved: bool,
}

impl std::str::FromStr for Decision {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "approve" => Ok(Self { approved: true }),
            "decline" => Ok(Self { approved: false }),
            _ => Err(UnknownWord(&["approve", "decline"])),
        }
    }
}

/// Whether an order is in no ledger, or there for nothing by an approval: so only a missing referral can be
/// meant.
fn is_missing<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    found: &Result<Found, Problem>,
) -> bool {
    match found {
        Ok(found) => found.facts.conversion.as_ref().is_none_or(|conversion| {
            conversion.fact.via == Via::Hand && found.state(cx, program).is_err()
        }),
        Err(problem) => problem.code == Code::NotFound,
    }
}

/// Whose reward it is has to be said only where several customers reported an order; it must be right
/// where it is said.
fn check_owner(
    program: &Loaded,
    found: &Found,
    customer_id: Option<&CustomerId>,
) -> Result<(), Problem> {
    let Some(customer) = customer_id.map(|id| program.keys.customer(id)) else { return Ok(()) };
    let own = match found.id {
        RewardId::Order { role: Role::Friend, .. } => rewards::friend_of(&found.facts),
        _ => Some(found.advocate),
    };
    if own == Some(customer) {
        return Ok(());
    }
    Err(Problem::conflict("this reward is another customer's"))
}

/// 1. Authenticate: 401. 2. Decode: 400, 404. 3. Load: 404; of a missing referral that is all. 4. Decide: 409 where another decision
///    stands, or where there is nothing left to decide. 5. Save: 503. 6. Encode.
pub async fn review<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    id: &str,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let mut fields = Fields::parse(body(request)?)?;
    let decision: Option<Decision> = fields.read("decision")?;
    let decision = fields.required("decision", decision, "approve or decline")?;
    let note = fields.text("note", 300)?;
    let customer_id: Option<CustomerId> = fields.read("customer_id")?;
    fields.finish()?;
    let (id, entry) = rewards::parse(id)?;
    if entry.is_some() {
        return Err(Problem::not_found("a reward is reviewed as a whole, not one entry of it"));
    }
    // 3
    let found = rewards::find(cx, &program, id).await;
    let is_missing = is_missing(cx, &program, &found);
    if let (RewardId::Order { order, role: Role::Advocate }, true) = (id, is_missing) {
        let outcome = if decision.approved { Outcome::Approved } else { Outcome::Declined };
        let (note, customer_id) = (note.as_deref(), customer_id.as_ref());
        let asked = decide::Asked { outcome, note, customer_id };
        if let Some(reward) = decide::decide(cx, &program, order, &asked).await? {
            return Ok(Response::json(200, &reward));
        }
    }
    let mut found = found?;
    check_owner(&program, &found, customer_id.as_ref())?;
    let reward = found.state(cx, &program)?;
    // 4
    let known = found.facts.review(reward.part).map(|review| review.fact.approved);
    if known.is_some_and(|approved| approved != decision.approved) {
        return Err(Problem::conflict(
            "this reward was reviewed already; the first decision stands",
        ));
    }
    let is_open = matches!(reward.status, Status::Pending | Status::Review | Status::Approved);
    if known.is_none() && !is_open {
        let detail = format!("there is nothing to review: this reward is {}", reward.status);
        return Err(Problem::conflict(detail));
    }
    // 5. Approved once, a reward can wait again, for a dispute that came after.
    if known.is_none() || reward.status == Status::Review {
        let fact = Fact::Reviewed(Reviewed {
            role: reward.part.role,
            milestone: reward.part.milestone,
            approved: decision.approved,
            sealed: note.map(|note| program.keys.seal(Sealed::Reference, &note)),
        });
        let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
        let key = FactKey { accepted: cx.accepted(), kind: FactKind::Reviewed, digest };
        // The cron looks at what can take a coupon now, and tells what became of a verdict that is not
        // visible here yet.
        let is_unseen = found.facts.verdict.is_none() && news::are_wanted(cx, &program);
        if is_unseen || (decision.approved && coupons::has_pools(&program)) {
            let at = cx.accepted().plus(SETTLE);
            let ledger = Ledger(Some(found.advocate));
            cx.put(&due_put(&program, at, ledger, found.order)).await?;
        }
        found.tell(cx, &program, (key, &fact)).await?;
        cx.put(&ledger_put(&program, found.advocate, found.order, (key, &fact))).await?;
        found.facts.add(key, fact);
    }
    // 6
    Ok(Response::json(200, &found.message(cx, &program).await?))
}
