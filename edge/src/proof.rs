//! Whom the proofs of a referral name, and how. Tokens, codes and listed coupons prove themselves; an
//! alias is looked up. What proves nothing shuts nothing out: a bad proof costs only itself.

use passalong_core::alias::Alias;
use passalong_core::click_token;
use passalong_core::code;
use passalong_core::fact::Via;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::mutation::{self, Mutation};
use passalong_core::program::{Meaning, StandsFor};
use passalong_core::report::{Counted, Proof, ProofKind};
use passalong_core::reward::Reason;
use passalong_core::time::{Instant, Minute};
use passalong_core::values::one_word::{pasted_code, visible};
use passalong_core::wire::Lacked;

use crate::aliases::owner_of;
use crate::programs::Loaded;
use crate::store::{Context, Host, StoreError};

type Referral = (CustomerPseudonym, Via);

/// What the proofs of one report came to.
#[derive(Debug)]
pub struct Proven {
    /// The advocate, or why there is none. A token outside its window names its advocate still, where
    /// nothing better came and no earlier order can bind the friend: who shared is told why it earned
    /// nothing.
    pub referral: Result<Referral, Reason>,
    /// Which proof that was.
    pub counted: Option<Counted>,
    /// Its kind, if it is good.
    pub kind: Option<ProofKind>,
    /// What those lacked that were tried and are not good.
    pub lacked: Vec<Lacked>,
}

/// Tries the proofs in their order, for an order that occurred then and is accepted in that minute,
/// until one is good. One list for each alias tried, and no operation for any other proof.
///
/// Terms count as of when the order occurred or, if that lies ahead, as of now: what begins later is not
/// visible everywhere yet.
pub async fn prove<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    proofs: &[Proof],
    (occurred_at, minute): (Instant, Minute),
) -> Result<Proven, StoreError> {
    let terms_at = occurred_at.min(minute.start());
    let asked = Asked { minute, terms_at };
    let mut lacked = Vec::new();
    let mut why = Reason::NoReferral;
    let mut late = None;
    for (index, proof) in proofs.iter().enumerate() {
        let reason = match try_one(cx, program, proof, asked).await? {
            Ok((advocate, via)) => match in_window(program, via, (occurred_at, terms_at)) {
                Ok(()) => {
                    return Ok(Proven {
                        referral: Ok((advocate, via)),
                        counted: Some((index, advocate)),
                        kind: Some(proof.kind),
                        lacked,
                    });
                }
                Err(reason) => {
                    late = late.or(Some((index, (advocate, via))));
                    reason
                }
            },
            Err(reason) => reason,
        };
        lacked.push(Lacked::new(proof.kind, reason));
        if why == Reason::NoReferral {
            why = reason;
        }
        if mutation::is_on(Mutation::FirstProof) {
            break;
        }
    }
    let version = program.versions.at(terms_at);
    let binds = version.is_some_and(|version| version.terms.attribution.bound_days > 0);
    let late = late.filter(|_| !binds);
    Ok(Proven {
        referral: late.map(|(_, referral)| referral).ok_or(why),
        counted: late.map(|(index, (advocate, _))| (index, advocate)),
        kind: None,
        lacked,
    })
}

/// When a proof is asked about.
#[derive(Clone, Copy)]
struct Asked {
    minute: Minute,
    terms_at: Instant,
}

fn in_window(
    program: &Loaded,
    via: Via,
    (occurred_at, terms_at): (Instant, Instant),
) -> Result<(), Reason> {
    match (via, program.versions.at(terms_at)) {
        (Via::Click { at, .. }, Some(version)) => version.terms.attribution.window(at, occurred_at),
        _ => Ok(()),
    }
}

async fn try_one<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    proof: &Proof,
    asked: Asked,
) -> Result<Result<Referral, Reason>, StoreError> {
    let text = proof.text.as_str();
    Ok(match proof.kind {
        ProofKind::Token => by_token(program, text),
        ProofKind::Code => {
            by_code(program, text).map(|customer| (customer, Via::Code)).ok_or(Reason::InvalidToken)
        }
        ProofKind::Alias => {
            by_alias(cx, program, text, asked).await?.map(|owner| (owner, Via::Alias))
        }
        ProofKind::Coupon => {
            by_coupon(cx, program, text, asked).await?.map(|customer| (customer, Via::Coupon))
        }
    })
}

fn by_token(program: &Loaded, token: &str) -> Result<Referral, Reason> {
    let click = click_token::verify(&program.keys, &visible(token));
    let click = click.map_err(|_| Reason::InvalidToken)?;
    let nonce = Some(u32::from_be_bytes(click.nonce));
    Ok((click.customer, Via::Click { at: click.at, channel: click.channel, nonce }))
}

/// People paste whole links into a code field.
fn by_code(program: &Loaded, text: &str) -> Option<CustomerPseudonym> {
    code::verify(&program.keys, &pasted_code(program.id().as_str(), text)).ok()
}

/// A word that is the shop's own now stands for whoever chose it before it was.
async fn by_alias<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    text: &str,
    asked: Asked,
) -> Result<Result<CustomerPseudonym, Reason>, StoreError> {
    let Ok(alias) = Alias::read(text) else { return Ok(Err(Reason::UnknownAlias)) };
    let owner = owner_of(cx, program.id(), alias, asked.minute).await?;
    let is_reserved = |at: Instant| program.versions.reserves(alias.as_str(), at);
    let was_reserved = owner.is_none_or(|(_, since)| is_reserved(since.start()));
    let is_checked = !mutation::is_on(Mutation::AliasAsCoupon);
    if is_checked && was_reserved && is_reserved(asked.terms_at) {
        return Ok(Err(Reason::ReservedCode));
    }
    Ok(owner.map(|(customer, _)| customer).ok_or(Reason::UnknownAlias))
}

/// A coupon names somebody where the merchant listed it, or by what follows the program's own code, as
/// in `FREUND10-TEE4K7`. Any other is the shop's, whatever customers chose for an alias.
async fn by_coupon<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    text: &str,
    asked: Asked,
) -> Result<Result<CustomerPseudonym, Reason>, StoreError> {
    if mutation::is_on(Mutation::AliasAsCoupon) {
        let owner = by_alias(cx, program, text, asked).await?;
        if owner.is_ok() {
            return Ok(owner);
        }
    }
    match program.versions.meaning(text, asked.terms_at) {
        Meaning::Listed(StandsFor::Customer(customer)) => Ok(Ok(customer)),
        Meaning::Listed(StandsFor::Id(id)) => Ok(Ok(program.keys.customer(&id))),
        Meaning::Friend(name) => match by_code(program, &name) {
            Some(customer) => Ok(Ok(customer)),
            None => by_alias(cx, program, &name, asked).await,
        },
        Meaning::Reserved => Ok(Err(Reason::ReservedCode)),
        Meaning::Listed(StandsFor::Nobody) | Meaning::Plain => Ok(Err(Reason::NoReferral)),
    }
}
