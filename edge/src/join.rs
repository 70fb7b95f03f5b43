//! Orders that brought no proof and still belong to an advocate: the friend is bound by an earlier
//! order, or a customer says so by hand. The cron puts them into the advocate's ledger, where they
//! count as accepted when they come: so nothing that was decided before depends on them.

use passalong_core::fact::{Conversion, Fact, FactKey, FactKind, Order, Via};
use passalong_core::ids::{CustomerPseudonym, OrderPseudonym};
use passalong_core::settlement::bound_to;
use passalong_core::time::{HOUR, Minute, SETTLE};

use crate::keys::{HandKey, Ledger, OrderKey};
use crate::metadata::OrderedOn;
use crate::news;
use crate::orders::{
    self, Record, Report, claim_puts, claims, conversion_put, ledger_put, log_put, order_put,
};
use crate::programs::Loaded;
use crate::store::{Context, Entry, Host, StoreError};

/// An order is joined so long after it was accepted: by then all that was accepted before it is
/// visible, also what was cut off and completed.
pub const JOINED_AFTER: i64 = HOUR + SETTLE;
/// Earlier claims on a friend that are looked into.
const RIVALS: usize = 100;
/// People who say that one order is theirs, of whom the first counts.
const SAID: usize = 1_000;

/// What became of an order without proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It belongs to nobody, as far as is known.
    Nobody,
    /// It is not known before then.
    NotBefore(Minute),
    To(CustomerPseudonym),
}

/// Puts an order into the ledger of whoever it belongs to. Whoever is bound comes before what is said
/// by hand.
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
    let found = match bound(cx, program, order, &conversion, report).await? {
        Some(advocate) => Some((advocate, Via::Bound)),
        None => by_hand(cx, program, order, &record).await?.map(|advocate| (advocate, Via::Hand)),
    };
    let Some((advocate, via)) = found else { return Ok(Joined::Nobody) };
    let conversion = Conversion { via, ..conversion };
    let key = FactKey { accepted: cx.accepted(), kind: FactKind::Conversion, ..report.key };
    let ledger = Ledger(Some(advocate));
    let mut puts = claim_puts(program, advocate, order, (key, &conversion));
    puts.push(log_put(program, ledger, order, &record));
    // What has happened to it comes along.
    for (key, fact) in orders::events(cx, program, order).await? {
        puts.push(ledger_put(program, advocate, order, (key, &fact)));
    }
    cx.put_all(&puts).await?;
    let mut facts = Order::default();
    facts.add(key, Fact::Conversion(conversion.clone()));
    news::to_review(cx, program, (advocate, order, report.key), &facts).await?;
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

async fn bound<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    conversion: &Conversion,
    report: &Report,
) -> Result<Option<CustomerPseudonym>, StoreError> {
    let version = program.versions.at(conversion.occurred_at);
    if version.is_none_or(|version| version.terms.attribution.bound_days == 0) {
        return Ok(None);
    }
    let at = report.key.accepted;
    let mine = (order, Some(at));
    let mut earlier = claims(cx, program, mine, &conversion.identities, RIVALS).await?.others;
    earlier.retain(|claim| (claim.accepted, claim.order) < (at, order));
    Ok(bound_to(conversion, &earlier, &program.versions, at))
}

/// Who said so first, of those whose word has reached every location, about the right day.
async fn by_hand<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    order: OrderPseudonym,
    record: &Record,
) -> Result<Option<CustomerPseudonym>, StoreError> {
    let said = |entry: &Entry| {
        let key: HandKey = entry.key.parse().ok()?;
        let OrderedOn { day } = entry.read()?;
        let near = (-1..=1).any(|days| day.plus(days) == record.occurred_at.day());
        let is_sure = key.filed.at.plus(SETTLE).start() <= cx.now;
        (near && is_sure).then_some((key.filed.at, key.filed.customer))
    };
    // However many people say so, the first in time are looked at.
    let (entries, _) = cx.first(&HandKey::prefix(&[program.id(), &order]), SAID).await?;
    Ok(entries.iter().filter_map(said).min().map(|(_, customer)| customer))
}
