//! `POST /v1/signed/conversions`: a conversion that the shop's page made and signed, sent by the
//! buyer's browser. It is taken in as if the shop's server had sent it; the browser is told less.

use passalong_core::signed_conversion::{SignedConversion, SignedProblem};
use passalong_core::wire::SignedAnswer;

use crate::http::{Request, Response};
use crate::limits::{Limit, allow, allow_address, too_many};
use crate::problem::{Code, Problem};
use crate::programs;
use crate::record_conversion::take;
use crate::requests::body;
use crate::store::{Context, Host};

/// 1. Decode: 400, 413. 2. Load: 404. 3. Verify: 401. 4. Who has a good one may send it again, but
///    not without end: 429. 5. Take it in: 201, a repeat 200, other content 409, 503. 6. Encode:
///    neither the advocate's id nor a reward is the buyer's business.
pub async fn record_signed<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    let signed = SignedConversion::parse(body(request)?, cx.now)?;
    // 2
    let program = programs::load(cx, &signed.program).await?;
    let program = program.ok_or_else(|| Problem::not_found("there is no such program"))?;
    // 3
    let generations = program.generations.live();
    if let Err(problem) = signed.verify(&cx.config.secrets, &generations, cx.now) {
        let is_genuine = !matches!(problem, SignedProblem::WrongSignature(_));
        if is_genuine || allow_address(cx, Limit::Keys, request, &[]).await {
            return Err(Problem::new(Code::Unauthenticated, problem.to_string()));
        }
        return Err(too_many("wrong signatures from this address"));
    }
    // 4
    let order = program.keys.order(&signed.report.order);
    if !allow(cx, Limit::Customer, &[b"signed", &order.0]).await {
        return Err(too_many("reports of this order"));
    }
    // 5
    let (status, answer) = take(cx, &program, &signed.report).await?;
    // 6
    let answer = SignedAnswer {
        order_id: answer.order_id,
        attributed: answer.attributed,
        reason: answer.reason,
    };
    Ok(Response::json(status, &answer))
}
