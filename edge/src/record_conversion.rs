//! `POST /v1/conversions`: taken in durably before it is answered, exactly once however often it is
//! sent, and never refused for a bad proof.

use passalong_core::fact::{Accepted, Conversion, FactKey, FactKind, Order, Via};
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym};
use passalong_core::mutation::{self, Mutation};
use passalong_core::orders::claims::{Admission, Standing, Weighed, admit};
use passalong_core::report::{ConversionReport, Counted, EventReport};
use passalong_core::reward::{Reason, Role};
use passalong_core::seal::Sealed;
use passalong_core::settlement::{Base, Facets, Known, earned_later, settling, worth};
use passalong_core::time::{MINUTE, Minute, SETTLE};
use passalong_core::wire::ConversionAnswer;

use crate::authenticate::merchant;
use crate::customers;
use crate::http::{Request, Response};
use crate::join::JOINED_AFTER;
use crate::keys::Ledger;
use crate::missing_referral::found;
use crate::news;
use crate::orders::{
    Promise, Record, Report, conversion_put, due_put, log_put, order_put, record, reports,
};
use crate::people::{self, Depth, Question, person_puts};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::proof::{Proven, prove};
use crate::record_event;
use crate::requests::body;
use crate::store::{Context, Host, StoreError};

/// What was decided about a report: the record to keep and, where an advocate is proven, the fact
/// for that advocate's ledger.
struct Decision {
    record: Record,
    proven: Option<(CustomerPseudonym, Conversion)>,
    counted: Option<Counted>,
    advocate_id: Option<String>,
}

/// The id of the event that a shop's report of what its page reported stands for.
const CONFIRMED: &str = "passalong-reported-by-the-shop";

/// 1. Authenticate: 401. 2. Decode: 400, 413. 3. Load the reports of this order: identical is
///    answered again, other content is 409. 4. Decide. 5. Save: the pointer first, the order last;
///    503 if any write fails. 6. Encode.
pub async fn record_conversion<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let report = ConversionReport::parse(body(request)?, cx.now)?;
    let (status, answer) = take(cx, &program, &report).await?;
    Ok(Response::json(status, &answer))
}

/// Takes a report in, whoever brought it: 201 and what was decided, or 200 where it was known.
pub async fn take<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    report: &ConversionReport,
) -> Result<(u16, ConversionAnswer), Problem> {
    let order = program.keys.order(&report.order);
    // 3
    let known = reports(cx, program, order).await?;
    // The buyer's browser and the shop's server may report the same.
    let other = ConversionReport { browser_only: !report.browser_only, ..report.clone() };
    let is_same =
        |known: &&Report| [report, &other].into_iter().any(|told| says(program, known, told));
    if let Some(same) = known.iter().find(is_same) {
        if !report.browser_only && !says(program, same, report) {
            confirm(cx, program, report).await?;
        }
        let record = record(cx, program, order, same.key).await?;
        let advocate = match same.advocate.filter(|_| record.attributed) {
            Some(advocate) => customers::load(cx, program, advocate).await?.open(program),
            None => None,
        };
        return Ok((200, record.answer(&report.order, order, advocate)));
    }
    if !known.is_empty() {
        let detail = "this order_id was reported with other content; the first report stands. Report changes as events";
        return Err(Problem::conflict(detail));
    }
    // 4
    let decision = decide(cx, program, order, report).await?;
    // 5
    let advocate = decision.proven.as_ref().map(|(advocate, _)| *advocate);
    let digest = digest(program, report, decision.counted);
    let key = FactKey { accepted: cx.accepted(), kind: FactKind::Conversion, digest };
    let told = (&decision.record, advocate);
    if !mutation::is_on(Mutation::ToldAfter) {
        news::conversion(cx, program, order, report, told).await?;
    }
    save(cx, program, order, key, report, &decision).await?;
    if mutation::is_on(Mutation::ToldAfter) {
        news::conversion(cx, program, order, report, told).await?;
    }
    // 6
    Ok((201, decision.record.answer(&report.order, order, decision.advocate_id)))
}

/// Whether this is the report that is known. What brought no proof may have come to somebody since.
fn says(program: &Loaded, known: &Report, report: &ConversionReport) -> bool {
    let places = 0..report.proofs.len();
    let taken = places.filter_map(|place| Some(Some((place, known.advocate?))));
    let mut counted = taken.chain([None]);
    counted.any(|counted| known.key.digest == digest(program, report, counted))
}

/// What only a browser had reported, the shop itself reports: it stands, as if the shop had confirmed it.
async fn confirm<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    report: &ConversionReport,
) -> Result<(), Problem> {
    let confirmed = EventReport::confirmed(CONFIRMED, report.occurred_at);
    let Some(confirmed) = confirmed else { return Ok(()) };
    record_event::take(cx, program, &report.order, &confirmed).await.map(drop)
}

/// What tells reports of one order apart: all they say, and what they were taken for.
fn digest(program: &Loaded, report: &ConversionReport, counted: Option<Counted>) -> Digest {
    program.keys.digest(report.content_as(counted).as_bytes())
}

async fn decide<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    report: &ConversionReport,
) -> Result<Decision, Problem> {
    let version = program.versions.at(report.occurred_at);
    let number = report.number.as_ref();
    let mut record = Record {
        order: program.keys.seal(Sealed::Order, report.order.as_str()),
        kind: report.kind,
        amount: report.amount,
        currency: report.currency,
        occurred_at: report.occurred_at,
        segment: report.segment.clone(),
        action: report.action.clone(),
        items: report.items.clone(),
        attributed: false,
        reason: None,
        rewards: Vec::new(),
        terms_version: version.map(|version| version.number),
        proof: None,
        place: None,
        lacked: Vec::new(),
        number: number.map(|number| program.keys.seal(Sealed::OrderNumber, number.as_str())),
        unproven: None,
    };
    let minute = cx.accepted();
    let when = (report.occurred_at, minute);
    let Proven { referral: proven, counted, kind, lacked } =
        prove(cx, program, &report.proofs, when).await?;
    record.proof = kind;
    record.place = counted.map(|(place, _)| place).filter(|_| kind.is_some());
    record.lacked = lacked;
    let customer = report.customer.as_ref().map(|id| program.keys.customer(id));
    let hints = report.hints.iter().map(|hint| Identity::Hint(program.keys.hint(hint)));
    let identities: Vec<Identity> =
        customer.map(Identity::Customer).into_iter().chain(hints).collect();
    let mut conversion = Conversion {
        kind: report.kind,
        amount: report.amount,
        currency: report.currency,
        identities,
        first_order: report.first_order,
        occurred_at: report.occurred_at,
        segment: report.segment.clone(),
        action: report.action.clone(),
        via: proven.map_or(Via::Bound, |(_, via)| via),
        noted: None,
        admission: Admission::First,
        waived: false,
        excluded: version.map_or(0, |version| version.terms.excluded.amount(&report.items)),
        bound_by: None,
        browser_only: report.browser_only,
    };
    let (advocate, _) = match proven {
        Ok(proven) => proven,
        Err(reason) => {
            record.reason = Some(reason);
            record.unproven = Some(conversion);
            return Ok(Decision { record, proven: None, counted: None, advocate_id: None });
        }
    };
    let record_of = people::known(cx, program, advocate).await?;
    let facts = Order::default();
    let of = Recorded { order, advocate, minute, known: &record_of.known, facts: &facts };
    let reason = promise(cx, program, &of, &mut conversion, &mut record).await?;
    record.attributed = reason.is_none();
    record.reason = reason;
    let advocate_id = record_of.open(program).filter(|_| record.attributed);
    Ok(Decision { record, proven: Some((advocate, conversion)), counted, advocate_id })
}

/// A report that is being recorded.
pub(crate) struct Recorded<'a> {
    pub order: OrderPseudonym,
    pub advocate: CustomerPseudonym,
    pub minute: Minute,
    pub known: &'a Known,
    /// None of its own yet.
    pub facts: &'a Order,
}

/// What a report is promised by what is visible now, and why it is promised nothing.
async fn promise<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    of: &Recorded<'_>,
    conversion: &mut Conversion,
    record: &mut Record,
) -> Result<Option<Reason>, Problem> {
    let version = program.versions.at(conversion.occurred_at);
    let Some(version) = version else { return Ok(Some(Reason::BeforeProgram)) };
    let terms = &version.terms;
    let admitted = provisional(cx, program, of, conversion).await?;
    // What the order itself says is found again when it is shown.
    conversion.noted = admitted.err().filter(|reason| {
        matches!(
            reason,
            Reason::FriendAlreadyReferred | Reason::ExistingCustomer | Reason::SelfReferral
        )
    });
    if let Ok(admission) = admitted {
        conversion.admission = admission;
        conversion.waived = true;
    }
    let left = record.reported(of.minute).untouched();
    let base = Base { left, excluded: conversion.excluded };
    let facets = Facets::new(conversion, of.facts, of.known, of.minute);
    let mut refused = admitted.err();
    for role in [Role::Advocate, Role::Friend] {
        let Some(earning) = earned_later(terms, role, &facets, admitted) else { continue };
        let value = earning.refusal.map_or_else(|| worth(earning.rule, 1, base, terms), Err);
        match value {
            Ok(value) => record.rewards.push(Promise { role, value }),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Ok(refused.filter(|_| record.rewards.is_empty()))
}

/// How the claim of a report is let in by what is visible now. Nothing is read where the report itself
/// says that it earns nothing.
pub(crate) async fn provisional<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    of: &Recorded<'_>,
    conversion: &Conversion,
) -> Result<Result<Admission, Reason>, StoreError> {
    let digest = Digest([0; 10]);
    // All that is visible came before it, also in its minute.
    let accepted = Accepted { at: of.minute.plus(MINUTE), digest, fact: conversion.clone() };
    let version = program.versions.at(conversion.occurred_at).or_else(|| program.versions.first());
    let Some(version) = version else { return Ok(Err(Reason::BeforeProgram)) };
    let weighed = Weighed {
        order: of.order,
        advocate: of.advocate,
        conversion: &accepted,
        facts: of.facts,
        known: of.known,
        versions: &program.versions,
        settled: settling(of.facts, &accepted, &version.terms).at,
    };
    let alone = admit(&weighed, &[], &Standing::default());
    if alone.is_err_and(|reason| reason != Reason::ExistingCustomer) {
        return Ok(alone);
    }
    let question = Question {
        weighed,
        reported: of.minute,
        up_to: of.minute,
        depth: Depth::Provisional,
        binding: false,
        ledger: None,
    };
    let standing = people::standing(cx, program, &question, &mut people::Looked::default()).await?;
    Ok(admit(&weighed, &[], &standing))
}

async fn save<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    key: FactKey,
    report: &ConversionReport,
    decision: &Decision,
) -> Result<(), Problem> {
    let ledger = Ledger(decision.proven.as_ref().map(|(advocate, _)| *advocate));
    let mut puts = vec![log_put(program, ledger, order, &decision.record)];
    if let Some((advocate, conversion)) = &decision.proven {
        cx.put(&due_put(program, key.accepted.plus(SETTLE), ledger, order)).await?;
        puts.push(conversion_put(program, *advocate, order, (key, conversion), &decision.record));
        let friend_earns =
            decision.record.rewards.iter().any(|promise| promise.role == Role::Friend);
        if let Some(id) = report.customer.as_ref().filter(|_| friend_earns) {
            let friend = customers::load(cx, program, program.keys.customer(id)).await?;
            puts.extend(customers::missing(cx, program, &friend, id, &[]));
        }
    }
    let proven = decision.proven.as_ref().map(|(_, conversion)| conversion);
    if let Some(conversion) = proven.or(decision.record.unproven.as_ref()) {
        puts.extend(person_puts(cx, program, ledger, order, (key, conversion)));
    }
    let version = program.versions.at(decision.record.occurred_at);
    // The terms of a time to come may not be seen everywhere yet.
    let binds = version.is_some_and(|version| version.terms.attribution.bound_days > 0)
        || report.occurred_at > cx.now;
    if decision.record.unproven.is_some() && binds {
        cx.put(&due_put(program, key.accepted.plus(JOINED_AFTER), ledger, order)).await?;
    }
    if decision.record.unproven.is_some() {
        let names = (&report.order, report.number.as_ref());
        puts.extend(found::number_put(cx, program, order, names, &decision.record));
        puts.extend(found::reports_of(cx, program, (order, key), &decision.record).await?);
    }
    let last = order_put(program, order, key, ledger, &decision.record);
    if mutation::is_on(Mutation::OrderFirst) {
        cx.put(&last).await?;
    }
    cx.put_all(&puts).await?;
    cx.put(&last).await?;
    Ok(())
}
