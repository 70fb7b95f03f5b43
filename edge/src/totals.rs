//! `POST /v1/totals`: what the merchant says of all customers on a day. One write, no read: a later
//! report of the same day supersedes, so there is nothing to compare with.

use passalong_core::csv::dashed;
use passalong_core::time::Day;
use passalong_core::totals::{DayTotals, Posted, TotalsKept, TotalsReport};

use crate::authenticate::merchant;
use crate::days::months;
use crate::http::{Request, Response};
use crate::keys::{self, TotalsKey};
use crate::problem::Problem;
use crate::programs::Loaded;
use crate::requests::body;
use crate::store::{Context, Host, Put, StoreError};

/// Pages of reports that are read of a month, which is about a hundred reports of each day.
const PAGES: usize = 3;

/// 1. Authenticate: 401. 2. Decode: 400, 413. 3. Save: 503. 4. Encode.
pub async fn post_totals<H: Host>(
    cx: &Context<'_, H>,
    request: &Request,
) -> Result<Response, Problem> {
    // 1
    let program = merchant(cx, request).await?;
    // 2
    let report = TotalsReport::parse(body(request)?, cx.now)?;
    // 3
    let digest = program.keys.digest(report.content().as_bytes());
    let posted = keys::Posted(cx.accepted(), digest);
    let key = TotalsKey { program: program.id().clone(), day: report.day, report: posted };
    cx.put(&Put::listed(&key, &report.totals)).await?;
    // 4
    let kept = TotalsKept {
        day: dashed(report.day),
        accepted_at: posted.0.start(),
        totals: report.totals,
    };
    Ok(Response::json(201, &kept))
}

/// The totals of some days: a list for each month.
pub async fn read<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    (from, to): (Day, Day),
) -> Result<Posted, StoreError> {
    let mut posted = Posted::default();
    for month in months(from, to) {
        let prefix = format!("{}{month}", TotalsKey::prefix(&[program.id()]));
        for entry in cx.list(&prefix, PAGES).await? {
            let Ok(key) = entry.key.parse::<TotalsKey>() else { continue };
            let Some(totals) = entry.read::<DayTotals>() else { continue };
            if (from..=to).contains(&key.day) {
                posted.add(key.day, (key.report.0, key.report.1), totals);
            }
        }
    }
    Ok(posted)
}
