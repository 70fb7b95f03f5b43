//! The erasure of a customer: at once, and again for a week, for what was written elsewhere and not
//! yet visible. What counts as money stays, pseudonymous.

use passalong_core::alias::{Alias, AliasClaim};
use passalong_core::ids::{CustomerPseudonym, ProgramId};
use passalong_core::seal::Sealed;
use passalong_core::time::{DAY, HOUR, Instant, Minute};

use crate::customers;
use crate::keys::{AliasKey, CustomerKey, ErasedAliasKey, ErasedKey, Field};
use crate::metadata;
use crate::programs::{self, Loaded};
use crate::store::{Context, Entry, Host, Put, StoreError};

/// An erasure is repeated so long.
const REPEATED_DAYS: i64 = 7;
/// A request writes a claim on an alias no later than this after it was accepted.
const WRITTEN_WITHIN: i64 = HOUR;

/// Erases a customer: the note to repeat it first, then the tombstone, then the deletes. Until when
/// it is repeated.
pub async fn erase<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
) -> Result<Instant, StoreError> {
    let until = cx.now.plus(REPEATED_DAYS * DAY);
    let kept = customers::kept(cx, program.id(), customer).await?;
    let key = ErasedKey { program: program.id().clone(), customer };
    let note = Put::listed(&key, &metadata::Erased { until });
    cx.put(&note.until(until, cx.now)).await?;
    cx.put(&customers::tombstone(cx, program.id(), customer, until)).await?;
    delete(cx, program, customer, &kept).await?;
    Ok(until)
}

/// Whether a key of the cron's list says that something is to be erased again.
pub fn is_note(key: &str) -> bool {
    key.parse::<ErasedKey>().is_ok() || key.parse::<ErasedAliasKey>().is_ok()
}

/// Does again what a note says; whether it was about a customer.
pub async fn again<H: Host>(cx: &Context<'_, H>, note: &Entry) -> Result<bool, StoreError> {
    if let Ok(key) = note.key.parse::<ErasedAliasKey>() {
        alias_again(cx, &key, note).await?;
        return Ok(false);
    }
    let Ok(key) = note.key.parse::<ErasedKey>() else { return Ok(false) };
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(false) };
    let kept = customers::kept(cx, &key.program, key.customer).await?;
    let stands = delete(cx, &program, key.customer, &kept).await?;
    if let (false, Some(metadata::Erased { until })) = (stands, note.read()) {
        cx.put(&customers::tombstone(cx, &key.program, key.customer, until)).await?;
    }
    Ok(true)
}

/// Deletes what is kept of a customer, except for the tombstone; whether there is one. What a field
/// points to goes before it.
async fn delete<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    kept: &[Entry],
) -> Result<bool, StoreError> {
    let mut stands = false;
    for entry in kept {
        match entry.key.parse().map(|key: CustomerKey| key.field) {
            Ok(Field::Erased) => {
                stands = true;
                continue;
            }
            Ok(Field::Alias(at, alias)) => {
                // Whoever chose it this moment may still be about to write the claim.
                if cx.now < at.start().plus(WRITTEN_WITHIN) {
                    cx.put(&alias_note(cx, program, customer, (at, alias))).await?;
                }
                cx.delete(&alias_key(program.id(), customer, (at, alias))).await?;
            }
            _ => {}
        }
        cx.delete(&entry.key).await?;
    }
    Ok(stands)
}

fn alias_key(
    program: &ProgramId,
    customer: CustomerPseudonym,
    (at, alias): (Minute, Alias),
) -> String {
    let claim = AliasClaim { at, customer };
    AliasKey { program: program.clone(), alias, claim }.to_string()
}

/// The note to delete a claim again. What it names is readable to us alone.
fn alias_note<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    customer: CustomerPseudonym,
    (at, alias): (Minute, Alias),
) -> Put {
    let text = format!("{at}.{alias}");
    let claim = program.keys.digest(text.as_bytes());
    let key = ErasedAliasKey { program: program.id().clone(), customer, claim };
    let sealed = program.keys.seal(Sealed::Alias, &text);
    let note = Put::listed(&key, &metadata::Sealed { sealed });
    note.until(cx.now.plus(REPEATED_DAYS * DAY), cx.now)
}

/// Deletes the claim a note names, and the note once nobody can write it any more.
async fn alias_again<H: Host>(
    cx: &Context<'_, H>,
    key: &ErasedAliasKey,
    note: &Entry,
) -> Result<(), StoreError> {
    let Some(program) = programs::load(cx, &key.program).await? else { return Ok(()) };
    let Some(metadata::Sealed { sealed }) = note.read() else { return Ok(()) };
    let text = program.keys.open(Sealed::Alias, &sealed).unwrap_or_default();
    let claim = text
        .split_once('.')
        .and_then(|(at, alias)| Some((at.parse::<Minute>().ok()?, alias.parse::<Alias>().ok()?)));
    let Some(claim) = claim else { return Ok(()) };
    cx.delete(&alias_key(&key.program, key.customer, claim)).await?;
    if cx.now >= claim.0.start().plus(WRITTEN_WITHIN) {
        cx.delete(&key.to_string()).await?;
    }
    Ok(())
}
