//! `POST /v1/offer/check`: what the shop may take off the order of this friend now. It decides as a
//! report of that order would be decided now, and writes nothing.

use passalong_core::fact::{Conversion, Order, Via};
use passalong_core::ids::{CustomerPseudonym, Identity, OrderPseudonym};
use passalong_core::orders::claims::Admission;
use passalong_core::program::Version;
use passalong_core::report::OfferQuestion;
use passalong_core::reward::{ConversionKind, Reason, Role, Rule, When};
use passalong_core::settlement::{Earning, Facets, earning};
use passalong_core::wire::OfferAnswer;

use crate::authenticate::merchant;
use crate::http::{Request, Response};
use crate::people;
use crate::problem::Problem;
use crate::programs::{self, Loaded};
use crate::proof::prove;
use crate::record_conversion::{Recorded, provisional};
use crate::requests::body;
use crate::store::{Context, Host};

/// 1. Authenticate: 401. 2. Decode: 400, 413. 3. Load the advocate and who else claims the friend.
///    4. Decide. 5. Encode, with what of the items a discount can be taken off.
pub async fn check_offer<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let question = OfferQuestion::parse(body(request)?)?;
    // 3, 4
    let version = programs::current(cx, &program)?;
    let proven = prove(cx, &program, &question.proofs, (cx.now, cx.accepted())).await?;
    let decided = decide(cx, &program, version, &question, proven.referral).await?;
    // 5
    let rule = decided.ok().flatten();
    let now = rule.filter(|rule| rule.when == When::AtOnce);
    let excluded = &version.terms.excluded;
    let whole = question.items.iter().fold(0_i64, |sum, item| sum.saturating_add(item.amount));
    let discountable = whole.saturating_sub(excluded.amount(&question.items));
    let answer = OfferAnswer {
        eligible: decided.is_ok(),
        value: now.map(|rule| rule.value),
        minimum_order: rule.and_then(|rule| rule.minimum_order),
        discountable: (!question.items.is_empty()).then_some(discountable),
        reason: decided.err(),
        proof: proven.kind,
        proofs: proven.lacked,
    };
    Ok(Response::json(200, &answer))
}

/// The friend's rule, if there is one, or why there is no referral.
async fn decide<'p, H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    version: &'p Version,
    question: &OfferQuestion,
    referral: Result<(CustomerPseudonym, Via), Reason>,
) -> Result<Result<Option<&'p Rule>, Reason>, Problem> {
    let minute = cx.accepted();
    let (advocate, via) = match referral {
        Ok(proven) => proven,
        Err(reason) => return Ok(Err(reason)),
    };
    let customer = question.customer.as_ref().map(|id| program.keys.customer(id));
    let hints = question.hints.iter().map(|hint| Identity::Hint(program.keys.hint(hint)));
    let identities = customer.map(Identity::Customer).into_iter().chain(hints).collect();
    let conversion = Conversion {
        kind: ConversionKind::Purchase,
        amount: None,
        currency: None,
        identities,
        first_order: question.first_order,
        occurred_at: cx.now,
        segment: question.segment.clone(),
        action: None,
        via,
        noted: None,
        admission: Admission::First,
        waived: false,
        excluded: 0,
        bound_by: None,
        browser_only: false,
    };
    let known = people::known(cx, program, advocate).await?.known;
    // No order has this name, and it ranks behind all of this minute.
    let order = OrderPseudonym([0xff; 10]);
    let none = Order::default();
    let of = Recorded { order, advocate, minute, known: &known, facts: &none };
    let admitted = provisional(cx, program, &of, &conversion).await?;
    let facets = Facets::new(&conversion, &none, &known, minute);
    let earning = earning(&version.terms, Role::Friend, &facets, admitted);
    Ok(match earning {
        Some(Earning { refusal: Some(reason), .. }) => Err(reason),
        Some(Earning { rule, refusal: None }) => Ok(Some(rule)),
        None => admitted.map(|_| None),
    })
}
