//! Orders that brought no proof and still belong to an advocate, because the friend is bound by an
//! earlier order. The cron puts them into the advocate's ledger, where they count as accepted when they
//! come: so nothing that was decided before depends on them.

use passalong_core::fact::{Accepted, Conversion, FactKey, FactKind, Order, Via};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::orders::claims::{self, Weighed};
use passalong_core::settlement::Known;
use passalong_core::time::{HOUR, Minute, SETTLE};

use crate::cron::AUDITED;
use crate::keys::{Ledger, OrderKey, Why};
use crate::orders::{
    self, Record, Report, conversion_put, due_for, ledger_put, log_put, order_put,
};
use crate::people::{self, Depth, Looked, Question, person_puts};
use crate::programs::Loaded;
use crate::store::{Context, Host, StoreError};

/// An order is joined so long after it was accepted: by then all that was accepted before it is
/// visible, also what was cut off and completed.
pub const JOINED_AFTER: i64 = HOUR + SETTLE;

/// What became of an order without proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It belongs to nobody, as far as is known.
    Nobody,
    /// It is not known before then.
    NotBefore(Minute),
    To(CustomerPseudonym),
}

/// Puts an order into the ledger of whoever it belongs to.
pub async fn join<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    report: &Report,
) -> Result<Joined, StoreError> {
    let sure = report.key.accepted.plus(JOINED_AFTER);
    if cx.now < sure.start() {
        return Ok(Joined::NotBefore(sure));
    }
    let Some(record) = read(cx, program, order, report).await? else { return Ok(Joined::Nobody) };
    let Some(conversion) = record.unproven.clone() else { return Ok(Joined::Nobody) };
    let binders = binders(cx, program, order, &conversion, report).await?;
    let Some((advocate, by)) = binders.first().copied() else { return Ok(Joined::Nobody) };
    let conversion = Conversion { via: Via::Bound, bound_by: Some(by), ..conversion };
    let key = FactKey { accepted: cx.accepted(), kind: FactKind::Conversion, ..report.key };
    let ledger = Ledger(Some(advocate));
    let mut puts = person_puts(cx, program, ledger, order, (key, &conversion));
    puts.push(log_put(program, ledger, order, &record));
    let audited = key.accepted.plus(AUDITED);
    puts.push(due_for(program, audited, ledger, order, Why::Audit));
    // What has happened to it comes along.
    for (key, fact) in orders::events(cx, program, order).await? {
        puts.push(ledger_put(program, advocate, order, (key, &fact)));
    }
    cx.put_all(&puts).await?;
    // Whoever sees it in the ledger can rely on its claims.
    cx.put(&conversion_put(program, advocate, order, (key, &conversion), &record)).await?;
    // The report as it stands, under its own minute, with whose it is.
    cx.put(&order_put(program, order, report.key, ledger, &record)).await?;
    Ok(Joined::To(advocate))
}

async fn read<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    report: &Report,
) -> Result<Option<Record>, StoreError> {
    let key = OrderKey { program: program.id().clone(), order, fact: report.key };
    let value = cx.get(&key.to_string()).await?;
    let value = value.ok_or(StoreError::NotVisible)?;
    Ok(serde_json::from_str(&value).ok())
}

/// The purchases that bind the friend who placed an order without proof, by rank, with who brought
/// them: the order belongs to the first.
pub async fn binders<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    conversion: &Conversion,
    report: &Report,
) -> Result<Vec<(CustomerPseudonym, OrderPseudonym)>, StoreError> {
    let version = program.versions.at(conversion.occurred_at);
    if version.is_none_or(|version| version.terms.attribution.bound_days == 0) {
        return Ok(Vec::new());
    }
    let at = report.key.accepted;
    let reported = Accepted { at, digest: report.key.digest, fact: conversion.clone() };
    let weighed = Weighed {
        order,
        advocate: NOBODY,
        conversion: &reported,
        facts: &Order::default(),
        known: &Known::default(),
        versions: &program.versions,
        settled: at,
    };
    let question = Question {
        weighed,
        reported: at,
        up_to: at,
        depth: Depth::Final,
        binding: true,
        ledger: None,
    };
    let others = people::others(cx, program, &question, &mut Looked::default()).await?;
    Ok(if others.crowded { Vec::new() } else { claims::binders(&weighed, &others.claims) })
}

/// Stands for the advocate of an order that has none yet.
const NOBODY: CustomerPseudonym = CustomerPseudonym([0; 7]);
