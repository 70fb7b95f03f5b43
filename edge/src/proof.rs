//! Who a proof of referral names, and how. Tokens and codes prove themselves; an alias is looked up.

use passalong_core::alias::Alias;
use passalong_core::click_token;
use passalong_core::code;
use passalong_core::fact::Via;
use passalong_core::ids::CustomerPseudonym;
use passalong_core::report::Proof;
use passalong_core::reward::Reason;
use passalong_core::time::Minute;

use crate::aliases::owner_of;
use crate::programs::Loaded;
use crate::store::{Context, Host, StoreError};

/// The advocate, for an order that is accepted in that minute, or why there is none. One list for an
/// alias, and no operation for any other proof.
pub async fn prove<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    proof: &Proof,
    minute: Minute,
) -> Result<Result<(CustomerPseudonym, Via), Reason>, StoreError> {
    let proven = match proof {
        Proof::None => Err(Reason::NoReferral),
        Proof::Token(token) => by_token(program, token),
        Proof::Code(text) => {
            by_code(program, text).map(|customer| (customer, Via::Code)).ok_or(Reason::InvalidToken)
        }
        Proof::Alias(text) => {
            let owner = by_alias(cx, program, text, minute).await?;
            owner.map(|owner| (owner, Via::Alias)).ok_or(Reason::UnknownAlias)
        }
        Proof::Coupon(text) => match typed(program, text.trim()) {
            None => Err(Reason::NoReferral),
            Some(text) => {
                let customer = match by_code(program, text) {
                    Some(customer) => Some(customer),
                    None => by_alias(cx, program, text, minute).await?,
                };
                customer.map(|customer| (customer, Via::Coupon)).ok_or(Reason::UnknownAlias)
            }
        },
    };
    Ok(proven)
}

fn by_token(program: &Loaded, token: &str) -> Result<(CustomerPseudonym, Via), Reason> {
    let click = click_token::verify(&program.keys, token).map_err(|_| Reason::InvalidToken)?;
    let nonce = Some(u32::from_be_bytes(click.nonce));
    Ok((click.customer, Via::Click { at: click.at, channel: click.channel, nonce }))
}

/// People paste whole links into a code field.
fn by_code(program: &Loaded, text: &str) -> Option<CustomerPseudonym> {
    let after = text.split_once(&format!("/r/{}/", program.id())).map(|(_, rest)| rest);
    let text = after.unwrap_or(text).split(['/', '?', '#']).next().unwrap_or_default();
    code::verify(&program.keys, text.trim()).ok()
}

async fn by_alias<H: Host>(
    cx: &Context<'_, H>,
    program: &Loaded,
    text: &str,
    minute: Minute,
) -> Result<Option<CustomerPseudonym>, StoreError> {
    match Alias::read(text) {
        Ok(alias) => owner_of(cx, program.id(), alias, minute).await,
        Err(_) => Ok(None),
    }
}

/// What in a coupon names somebody: all of it, or what follows the program's own code and a hyphen,
/// as in `FREUND10-TEE4K7`. None where it is that code alone, of any version of the terms.
fn typed<'t>(program: &Loaded, text: &'t str) -> Option<&'t str> {
    let codes = program.versions.all().filter_map(|version| version.terms.coupon.as_ref());
    for coupon in codes {
        let Some((start, rest)) = text.split_at_checked(coupon.code.len()) else { continue };
        if !start.eq_ignore_ascii_case(&coupon.code) {
            continue;
        }
        if rest.is_empty() {
            return None;
        }
        if let Some(name) = rest.strip_prefix('-') {
            return Some(name);
        }
    }
    Some(text)
}
