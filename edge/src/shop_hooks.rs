//! `POST /v1/hooks/{shop}/{program}`: what a shop system tells by its webhooks, taken in as if the
//! merchant's server had reported it. What the payloads mean is `passalong_core::shop`.

use passalong_core::decode::Invalid;
use passalong_core::ids::ProgramId;
use passalong_core::shop::{Heard, Recorded, Report, Shop, read};

use crate::authenticate;
use crate::http::{Request, Response};
use crate::problem::{Code, Problem};
use crate::programs::Loaded;
use crate::requests::{body, part};
use crate::store::{Context, Host};
use crate::{record_conversion, record_event};

/// After so long nothing more is begun, in milliseconds: shops wait for an answer, and send again.
const PATIENCE: u64 = 20_000;

/// 1. Authenticate: 404 where no such shop is connected, 413, 401 by its signature. 2. Decode: 400.
///    3. Take in each report; what is known with other content stands, which is no error: shops tell
///    an order again whenever it changes. 503 if any of them could not be stored, so that the shop
///    sends it again. 4. Encode.
pub async fn hear<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
    [shop, program, _]: [&str; 3],
) -> Result<Response, Problem> {
    // 1
    let shop: Shop = part("shop", shop).map_err(nowhere)?;
    let program: ProgramId = part("program", program).map_err(nowhere)?;
    let body = body(request)?;
    if shop.is_ping(body) {
        cx.config.shops.is_connected(shop, &program)?;
        let heard = Heard { recorded: Vec::new(), ignored: Some("a ping".to_owned()) };
        return Ok(Response::json(200, &heard));
    }
    let program = authenticate::shop(cx, request, (shop, &program), body).await?;
    // 2
    let topic = shop.topic().and_then(|name| request.header(name)).unwrap_or_default();
    let told =
        read(shop, topic, body, cx.now).map_err(|invalid: Invalid| Problem::from(invalid))?;
    // 3
    let mut heard = Heard { recorded: Vec::new(), ignored: told.ignored.map(str::to_owned) };
    let mut failed = None;
    for report in &told.reports {
        if failed.is_some() && cx.elapsed() > PATIENCE {
            break;
        }
        match take(cx, &program, report).await {
            Ok(recorded) => heard.recorded.push(recorded),
            Err(problem) if problem.code == Code::Conflict => heard.ignored = Some(problem.detail),
            Err(problem) => failed = Some(problem),
        }
    }
    // 4
    failed.map_or_else(|| Ok(Response::json(200, &heard)), Err)
}

/// A path that means nothing is no invalid field.
fn nowhere(problem: Problem) -> Problem {
    Problem::not_found(problem.detail)
}

async fn take<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    report: &Report,
) -> Result<Recorded, Problem> {
    match report {
        Report::Conversion(report) => {
            let (status, answer) = record_conversion::take(cx, program, report).await?;
            Ok(Recorded {
                order_id: report.order.as_str().to_owned(),
                fact: "conversion".to_owned(),
                event_id: None,
                attributed: Some(answer.attributed),
                reason: answer.reason,
                repeated: status == 200,
                order_known: None,
            })
        }
        Report::Event(order, report) => {
            let status = record_event::take(cx, program, order, report).await?.status;
            Ok(Recorded {
                order_id: order.as_str().to_owned(),
                fact: report.kind.to_string(),
                event_id: Some(report.id.as_str().to_owned()),
                attributed: None,
                reason: None,
                repeated: status == 200,
                order_known: (status == 202).then_some(false),
            })
        }
    }
}
