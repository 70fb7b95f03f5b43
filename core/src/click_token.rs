//! Click tokens (`pa`): 1 version+kid · 7 customer pseudonym · 5 time · 1 channel · 4 nonce ·
//! 8 tag, as 35 base64url characters. The signed proof of one click. How long it can earn is
//! attribution's business.

use crate::channel::Channel;
use crate::code::{CodeError, signed, verified};
use crate::ids::CustomerPseudonym;
use crate::keys::ProgramKeys;
use crate::text;
use crate::time::Instant;

const PURPOSE: &str = "click token";

/// One click on a referral link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClickToken {
    /// The advocate whose link it was.
    pub customer: CustomerPseudonym,
    pub at: Instant,
    pub channel: Channel,
    /// Random; tells two clicks of the same second apart.
    pub nonce: [u8; 4],
}

impl ClickToken {
    pub fn sign(&self, keys: &ProgramKeys) -> String {
        let [_, _, _, seconds @ ..] = self.at.seconds().to_be_bytes();
        let mut body = Vec::with_capacity(17);
        body.extend_from_slice(&self.customer.0);
        body.extend_from_slice(&seconds);
        body.push(self.channel.byte());
        body.extend_from_slice(&self.nonce);
        text::base64url(&signed(keys, PURPOSE, &body))
    }
}

/// Reads a click token signed for this program.
pub fn verify(keys: &ProgramKeys, token: &str) -> Result<ClickToken, CodeError> {
    let bytes = text::from_base64url(token).ok_or(CodeError::Malformed)?;
    if bytes.len() != 26 {
        return Err(CodeError::Malformed);
    }
    parse(verified(keys, PURPOSE, &bytes)?).ok_or(CodeError::Malformed)
}

fn parse(body: &[u8]) -> Option<ClickToken> {
    let (customer, rest) = body.split_first_chunk()?;
    let (seconds, rest) = rest.split_first_chunk::<5>()?;
    let (channel, nonce) = rest.split_first()?;
    Some(ClickToken {
        customer: CustomerPseudonym(*customer),
        at: Instant::from_seconds(seconds.iter().fold(0, |at, byte| (at << 8) | i64::from(*byte))),
        // A channel only a later version knows must not cost the advocate the referral.
        channel: Channel::from_byte(*channel).unwrap_or(Channel::Direct),
        nonce: nonce.try_into().ok()?,
    })
}
