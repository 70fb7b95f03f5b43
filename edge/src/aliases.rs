//! Who owns an alias, and which one a customer has. Claims are keys that are written once; the first
//! that is sure owns the alias (`passalong_core::alias`), so no location can give it to two people.

use futures_util::future::join_all;
use passalong_core::alias::{Alias, AliasClaim, owner};
use passalong_core::ids::{CustomerPseudonym, ProgramId};
use passalong_core::time::{HOUR, Minute, SETTLE};

use crate::customers::Customer;
use crate::keys::{AliasKey, CustomerKey, Field};
use crate::metadata::{Buried, Nothing};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// Aliases of one customer that are looked at: of two chosen at once one may be lost, and then another.
const LOOKED_AT: usize = 4;
/// Claims on one alias that are looked at: the first in time, one of which owns it. However many
/// choose it later, an order by it is taken in.
const CLAIMS: usize = 1_000;
/// A request writes a claim on an alias no later than this after it was accepted.
pub const WRITTEN_WITHIN: i64 = HOUR;

/// The claims on an alias that this location shows, the first in front.
pub async fn claims<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    alias: Alias,
) -> Result<Vec<AliasClaim>, StoreError> {
    Ok(listed(cx, program, alias).await?.into_iter().map(|(claim, _)| claim).collect())
}

async fn listed<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    alias: Alias,
) -> Result<Vec<(AliasClaim, Entry)>, StoreError> {
    let entries = cx.first(&AliasKey::prefix(&[program, &alias]), CLAIMS).await?.0;
    let claim = |entry: Entry| {
        let key: AliasKey = entry.key.parse().ok()?;
        Some((key.claim, entry))
    };
    let mut listed: Vec<_> = entries.into_iter().filter_map(claim).collect();
    listed.sort_unstable_by_key(|(claim, _)| *claim);
    Ok(listed)
}

/// Whose an alias is, for an order that is accepted in that minute, and since when.
pub async fn owner_of<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    alias: Alias,
    minute: Minute,
) -> Result<Option<(CustomerPseudonym, Minute)>, StoreError> {
    Ok(owner(&claims(cx, program, alias).await?, minute))
}

/// What has become of the aliases a customer chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    /// The one that is, or will be, this customer's.
    pub held: Option<(Alias, AliasClaim)>,
    /// Those that somebody else had chosen before, with their minutes.
    pub lost: Vec<(Minute, Alias)>,
}

/// One list for each alias this customer chose: none where there is none, and one as a rule.
pub async fn chosen<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    customer: CustomerPseudonym,
    record: &Customer,
) -> Result<Chosen, StoreError> {
    let mut aliases: Vec<Alias> = Vec::new();
    for (_, alias) in &record.aliases {
        if !aliases.contains(alias) {
            aliases.push(*alias);
        }
    }
    let lists = aliases.iter().take(LOOKED_AT).map(|alias| claims(cx, program, *alias));
    let mut result = Chosen::default();
    for (alias, claims) in aliases.iter().zip(join_all(lists).await) {
        let mut claims = claims?;
        // What was written a moment ago may not be listed yet.
        let own = record.aliases.iter().filter(|(_, own)| own == alias);
        let fresh = own.clone().map(|(at, _)| AliasClaim::of(*at, customer));
        claims.extend(fresh.filter(|claim| cx.now < claim.reserved_until().start()));
        match claims.into_iter().min() {
            Some(first) if first.is_of(customer) => {
                result.held = result.held.or(Some((*alias, first)));
            }
            _ => result.lost.extend(own),
        }
    }
    Ok(result)
}

/// The keys by which a customer claims an alias: the customer's own first, so that an erasure finds
/// the other.
pub fn claim_puts(
    program: &ProgramId,
    alias: Alias,
    (at, customer): (Minute, CustomerPseudonym),
) -> [Put; 2] {
    let claim = AliasClaim::of(at, customer);
    [field_key(program, customer, (at, alias)), alias_key(program, alias, claim)]
        .map(|key| Put::listed(&key, &Nothing {}))
}

/// The same keys, to be deleted: the customer's last.
pub fn claim_keys(
    program: &ProgramId,
    alias: Alias,
    (at, customer): (Minute, CustomerPseudonym),
) -> [String; 2] {
    let claim = AliasClaim::of(at, customer);
    [alias_key(program, alias, claim), field_key(program, customer, (at, alias))]
}

/// Takes an erased customer's name off a claim; whether it is off. Where it may be the one that owns the
/// alias, a claim that names nobody is written before: what is in print stays taken, and nobody earns by
/// it. The erased one goes once that is visible everywhere, or somebody who chose the alias later would
/// have it meanwhile. A claim that is not there owns nothing: its request was cut off, or it is to come
/// yet, and then nobody can have ordered by it. One operation, and one list.
pub async fn bury<H: Host>(
    cx: &Context<'_, H>,
    program: &ProgramId,
    alias: Alias,
    (at, customer): (Minute, CustomerPseudonym),
) -> Result<bool, StoreError> {
    let claim = AliasClaim::of(at, customer);
    let nobody = claim.of_nobody();
    let listed = listed(cx, program, alias).await?;
    match listed.first() {
        Some((first, _)) if *first == claim => {
            let key = alias_key(program, alias, nobody);
            cx.put(&Put::listed(&key, &Buried { since: cx.accepted() })).await?;
            return Ok(false);
        }
        Some((first, entry)) if *first == nobody => {
            let buried = entry.read::<Buried>();
            if buried.is_some_and(|buried| cx.now < buried.since.plus(SETTLE).start()) {
                return Ok(false);
            }
        }
        _ => {}
    }
    cx.delete(&alias_key(program, alias, claim)).await?;
    Ok(true)
}

fn alias_key(program: &ProgramId, alias: Alias, claim: AliasClaim) -> String {
    AliasKey { program: program.clone(), alias, claim }.to_string()
}

fn field_key(
    program: &ProgramId,
    customer: CustomerPseudonym,
    (at, alias): (Minute, Alias),
) -> String {
    CustomerKey { program: program.clone(), customer, field: Field::Alias(at, alias) }.to_string()
}
