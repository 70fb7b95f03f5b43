//! The merchant's decision on a missing referral. It is a fact of the order, and the first one on a
//! customer stands. What an approval makes of the order is written under its minute; what is cut off is
//! completed by a repeat or by the cron.

use std::collections::{BTreeMap, BTreeSet};

use passalong_core::fact::{Fact, FactKey, FactKind, Order, Reviewed};
use passalong_core::ids::{CustomerId, CustomerPseudonym, OrderPseudonym};
use passalong_core::missing_referral::{Decision, Outcome, decision};
use passalong_core::mutation::{self, Mutation};
use passalong_core::reward::{Part, Role};
use passalong_core::seal::Sealed;
use passalong_core::status::{self, Reward};
use passalong_core::time::{DAY, SETTLE};
use passalong_core::wire::MerchantReward;

use super::WAITS_DAYS;
use super::found::{self, Candidate, candidates, preview};
use crate::cron::{COPY_WITHIN, copied_at};
use crate::customers;
use crate::join::{JOINED_AFTER, binders};
use crate::keys::{self, CustomerKey, DecisionKey, DueKey, Field, FoundKey, Ledger};
use crate::metadata::{self, Nothing};
use crate::orders::{
    self, Listed, Record, Report, conversion_put, due_put, ledger_put, log_put, not_visible,
    open_order, record,
};
use crate::people::person_puts;
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::rewards::Told;
use crate::store::{Context, Host, Put, StoreError};

/// What the merchant says.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub outcome: Outcome,
    pub note: Option<&'a str>,
    pub customer_id: Option<&'a CustomerId>,
}

/// An order that customers reported.
struct Reported<'a> {
    program: &'a Loaded,
    order: OrderPseudonym,
    listed: &'a Listed,
    report: &'a Report,
    record: &'a Record,
}

/// Decides on what a customer reported of an order. `None` where nobody reported it.
pub async fn decide<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    asked: &Asked<'_>,
) -> Result<Option<MerchantReward>, Problem> {
    let listed = orders::listed(cx, program, order).await?;
    let Some(report) = listed.reports.first() else { return Ok(None) };
    let record = record(cx, program, order, report.key).await?;
    let asked_about = asked.customer_id.map(|id| program.keys.customer(id));
    let candidates = candidates(cx, program, &record, asked_about).await?;
    let Some(customer) = whom(program, &candidates, &listed, asked)? else { return Ok(None) };
    let own: Vec<&Candidate> =
        candidates.iter().filter(|one| one.filed.customer == customer).collect();
    let known = decision(&listed.decisions, customer);
    if known.is_some_and(|known| known.outcome != asked.outcome) {
        let detail = "this missing referral was decided already; the first decision stands";
        return Err(Problem::conflict(detail));
    }
    let reported = Reported { program, order, listed: &listed, report, record: &record };
    if known.is_none() {
        check(cx, &reported, &own, asked.outcome).await?;
    }
    let at = known.map_or(cx.accepted(), |known| known.at);
    let decision = Decision { at, customer, outcome: asked.outcome };
    let given = || asked.note.map(|note| program.keys.seal(Sealed::Reference, note));
    let note = match known {
        Some(_) => listed.notes.get(&customer).cloned(),
        None => given(),
    };
    if known.is_none() {
        if asked.outcome == Outcome::Approved {
            let ledger = Ledger(Some(customer));
            cx.put(&due_put(program, at.plus(SETTLE), ledger, order)).await?;
        }
        cx.put(&decision_put(program, order, decision, note.clone())).await?;
    }
    tell(cx, program, order, &own, decision).await?;
    let facts = match asked.outcome {
        Outcome::Approved => complete(cx, &reported, decision, note).await?.0,
        Outcome::Declined if mutation::is_on(Mutation::DeclinedHolds) => {
            let ledger = Ledger(Some(customer));
            cx.put(&due_put(program, at.plus(SETTLE), ledger, order)).await?;
            complete(cx, &reported, decision, note).await?.0
        }
        Outcome::Declined => declined(&reported, note),
    };
    Ok(Some(message(cx, &reported, customer, &facts, own.first().copied()).await?))
}

/// On whose report is decided: that of whoever is named, or the only one.
fn whom(
    program: &Loaded,
    candidates: &[Candidate],
    listed: &Listed,
    asked: &Asked<'_>,
) -> Result<Option<CustomerPseudonym>, Problem> {
    let reporters = candidates.iter().map(|one| one.filed.customer);
    let decided = listed.decisions.iter().map(|decision| decision.customer);
    let people: BTreeSet<CustomerPseudonym> = reporters.chain(decided).collect();
    if let Some(id) = asked.customer_id {
        let customer = program.keys.customer(id);
        if people.is_empty() || people.contains(&customer) {
            return Ok(people.get(&customer).copied());
        }
        let detail = "no report of this order by this customer is visible";
        return Err(Problem::not_found(detail).retry_after(60));
    }
    if people.len() > 1 {
        let problem =
            "is required: several customers reported this order, say whose report you mean";
        return Err(Problem::field("customer_id", problem));
    }
    Ok(people.first().copied())
}

/// Whether it can be decided now: 409 where the order is somebody's, or that is not known yet.
async fn check<H: Host>(
    cx: &Context<'_, H>,
    reported: &Reported<'_>,
    own: &[&Candidate],
    outcome: Outcome,
) -> Result<(), Problem> {
    let Reported { program, order, listed, report, record } = *reported;
    let taken = || Problem::conflict("this order is another customer's referral already");
    if found::open(listed).is_none() {
        return Err(taken());
    }
    let filed = own.iter().map(|one| one.filed.at).min().ok_or_else(not_visible)?;
    let wait = |from: passalong_core::time::Minute, detail: &str| {
        let left = from.start().seconds().saturating_sub(cx.now.seconds());
        let left = u32::try_from(left).ok().filter(|left| *left > 0);
        left.map_or(Ok(()), |left| Err(Problem::conflict(detail).retry_after(left)))
    };
    let detail = "it was reported this minute, and others may have been reported before; ask again";
    wait(filed.plus(SETTLE), detail)?;
    let version = program.versions.at(record.occurred_at);
    let binds = version.is_some_and(|version| version.terms.attribution.bound_days > 0);
    let conversion = record.unproven.as_ref().filter(|_| binds && outcome == Outcome::Approved);
    if let Some(conversion) = conversion {
        let sure = report.key.accepted.plus(JOINED_AFTER);
        wait(sure, "whether this order is bound to another customer is not known yet; ask again")?;
        if !binders(cx, program, order, conversion, report).await?.is_empty() {
            return Err(taken());
        }
    }
    Ok(())
}

fn decision_put(
    program: &Loaded,
    order: OrderPseudonym,
    decision: Decision,
    note: Option<String>,
) -> Put {
    let decision = keys::Decision(decision);
    let key = DecisionKey { program: program.id().clone(), order, decision };
    Put::listed(&key, &metadata::Decision { note })
}

/// Shows the decision to the customer, and takes the report off the merchant's list.
async fn tell<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    own: &[&Candidate],
    decision: Decision,
) -> Result<(), StoreError> {
    let untold = own.iter().filter(|one| one.customer.outcome(one.digest).is_none());
    for one in untold {
        let field = Field::Decided(decision.at, one.digest, decision.outcome);
        let customer = decision.customer;
        let key = CustomerKey { program: program.id().clone(), customer, field };
        let shown = one.filed.at.start().plus(2 * WAITS_DAYS * DAY);
        cx.put(&Put::listed(&key, &Nothing {}).until(shown, cx.now)).await?;
        let key = FoundKey { program: program.id().clone(), filed: one.filed, order };
        cx.delete(&key.to_string()).await?;
    }
    Ok(())
}

/// Writes what an approval makes of the order, unless it stands: the friend's claims, what happened to
/// the order, and last the order in the customer's ledger. The facts, and whether they are new.
async fn complete<H: Host>(
    cx: &Context<'_, H>,
    reported: &Reported<'_>,
    decision: Decision,
    note: Option<String>,
) -> Result<(Order, bool), StoreError> {
    let Reported { program, order, report, record, .. } = *reported;
    let Decision { at, customer, .. } = decision;
    let mut facts = orders::in_ledger(cx, program, customer, order).await?;
    let conversion = found::conversion(record).filter(|_| facts.conversion.is_none());
    let Some(conversion) = conversion else { return Ok((facts, false)) };
    let accepted = copied_at(cx, at);
    let key = FactKey { accepted, kind: FactKind::Conversion, ..report.key };
    let ledger = Ledger(Some(customer));
    let mut puts = person_puts(cx, program, ledger, order, (key, &conversion));
    puts.push(log_put(program, ledger, order, record));
    let review = reviewed(program, accepted, Outcome::Approved, note);
    // What has happened to it comes along.
    let events = orders::events(cx, program, order).await?;
    for (key, fact) in events.into_iter().chain([review]) {
        puts.push(ledger_put(program, customer, order, (key, &fact)));
        facts.add(key, fact);
    }
    cx.put_all(&puts).await?;
    // Whoever sees it in the ledger can rely on its claims.
    cx.put(&conversion_put(program, customer, order, (key, &conversion), record)).await?;
    facts.add(key, Fact::Conversion(conversion));
    Ok((facts, true))
}

/// The decision as a review of the reward: the merchant need not look at it again.
fn reviewed(
    program: &Loaded,
    accepted: passalong_core::time::Minute,
    outcome: Outcome,
    sealed: Option<String>,
) -> (FactKey, Fact) {
    let approved = outcome == Outcome::Approved;
    let fact = Reviewed { role: Role::Advocate, milestone: None, approved, sealed };
    let fact = Fact::Reviewed(fact);
    let digest = program.keys.digest(fact.to_json().to_string().as_bytes());
    (FactKey { accepted, kind: FactKind::Reviewed, digest }, fact)
}

fn declined(reported: &Reported<'_>, note: Option<String>) -> Order {
    let Some(conversion) = found::conversion(reported.record) else { return Order::default() };
    let mut facts = preview(reported.report.key, &conversion);
    let accepted = reported.report.key.accepted;
    let (key, fact) = reviewed(reported.program, accepted, Outcome::Declined, note);
    facts.add(key, fact);
    facts
}

async fn message<H: Host>(
    cx: &Context<'_, H>,
    reported: &Reported<'_>,
    customer: CustomerPseudonym,
    facts: &Order,
    known: Option<&Candidate>,
) -> Result<MerchantReward, Problem> {
    let Reported { program, order, record, .. } = *reported;
    let owner = match known {
        Some(known) => known.customer.clone(),
        None => customers::load(cx, program, customer).await?,
    };
    let states = status::rewards(facts, &owner.view(customer, program, cx.now));
    let part = Part::from(Role::Advocate);
    let version = program.versions.at(record.occurred_at).or_else(|| program.versions.first());
    let nothing = || Reward::nothing(part, facts, &version?.terms);
    let own = states.into_iter().find(|state| state.part == part).or_else(nothing);
    let own = own.ok_or_else(not_visible)?;
    let told = Told { program, advocate: customer, order, facts };
    let owners: BTreeMap<Role, String> =
        owner.open(program).map(|id| (Role::Advocate, id)).into_iter().collect();
    let order_id = open_order(program, &record.order).unwrap_or_default();
    Ok(told.message(&own, &order_id, &owners))
}

/// Completes approvals that were cut off, and takes back one whose customer had been erased by the time
/// everybody could see that. Whose ledgers have changed.
pub async fn tend<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    key: &DueKey,
    listed: &Listed,
) -> Result<Vec<CustomerPseudonym>, StoreError> {
    let mut changed = Vec::new();
    let Some(report) = listed.reports.first() else { return Ok(changed) };
    let customers: BTreeSet<_> = listed.decisions.iter().map(|one| one.customer).collect();
    let first = customers.into_iter().filter_map(|customer| decision(&listed.decisions, customer));
    for decision in first.filter(|decision| decision.outcome == Outcome::Approved) {
        let Decision { at, customer, .. } = decision;
        let is_first_look = key.ledger.0 == Some(customer) && key.at == at.plus(SETTLE);
        if is_first_look
            && cx.now < at.start().plus(COPY_WITHIN)
            && customers::load(cx, program, customer).await?.erased
        {
            let taken_back = Decision { outcome: Outcome::Declined, ..decision };
            cx.put(&decision_put(program, key.order, taken_back, None)).await?;
            continue;
        }
        let facts = orders::in_ledger(cx, program, customer, key.order).await?;
        if facts.conversion.is_some() {
            continue;
        }
        let record = found::read(cx, program, key.order, report.key).await?;
        let record = record.ok_or(StoreError::NotVisible)?;
        let order = key.order;
        let reported = Reported { program, order, listed, report, record: &record };
        let note = listed.notes.get(&customer).cloned();
        if complete(cx, &reported, decision, note).await?.1 {
            changed.push(customer);
        }
    }
    Ok(changed)
}
