//! Referral codes: 1 version+kid · 7 customer pseudonym · 8 tag, as 26 Crockford base32
//! characters. A code proves itself, needs no storage, and is a pure function of customer and
//! current key. The common frame of codes and click tokens lives here too.

use std::fmt;

use crate::ids::CustomerPseudonym;
use crate::keys::ProgramKeys;
use crate::text;

const PURPOSE: &str = "referral code";

/// The upper half of the first byte; the lower half is the kid.
const VERSION: u8 = 0x10;

const TAG: usize = 8;

/// Why a code or click token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeError {
    /// Not the text of such a token at all.
    Malformed,
    /// Signed by a key that is not listed (any more).
    UnknownKey,
    WrongSignature,
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "is cut off, mistyped or of another kind",
            Self::UnknownKey => "was signed by a key that is not listed",
            Self::WrongSignature => "was not signed for this program",
        })
    }
}

impl std::error::Error for CodeError {}

/// The code of a customer under the key that signs now.
pub fn issue(keys: &ProgramKeys, customer: CustomerPseudonym) -> String {
    text::base32(&signed(keys, PURPOSE, &customer.0))
}

/// The customer a code stands for. Case and `i l o` are forgiven, nothing else.
pub fn verify(keys: &ProgramKeys, code: &str) -> Result<CustomerPseudonym, CodeError> {
    let bytes: [u8; 16] = text::from_base32(code).ok_or(CodeError::Malformed)?;
    let body = verified(keys, PURPOSE, &bytes)?;
    body.try_into().map(CustomerPseudonym).map_err(|_| CodeError::Malformed)
}

/// Frames and signs: version+kid, body, tag.
pub(crate) fn signed(keys: &ProgramKeys, purpose: &str, body: &[u8]) -> Vec<u8> {
    let key = keys.signer();
    let mut bytes = vec![VERSION | key.kid];
    bytes.extend_from_slice(body);
    let tag: [u8; TAG] = key.tag(purpose, keys.program(), &bytes).bytes();
    bytes.extend_from_slice(&tag);
    bytes
}

/// The body of what [`signed`] made for the same purpose and program.
pub(crate) fn verified<'a>(
    keys: &ProgramKeys,
    purpose: &str,
    bytes: &'a [u8],
) -> Result<&'a [u8], CodeError> {
    let (framed, tag) = bytes.split_last_chunk::<TAG>().ok_or(CodeError::Malformed)?;
    let (first, body) = framed.split_first().ok_or(CodeError::Malformed)?;
    if first & 0xf0 != VERSION {
        return Err(CodeError::Malformed);
    }
    let key = keys.verifier(first & 0x0f).ok_or(CodeError::UnknownKey)?;
    let expected = key.tag(purpose, keys.program(), framed);
    if expected.fits(tag) { Ok(body) } else { Err(CodeError::WrongSignature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Secrets;

    #[test]
    fn what_is_signed_for_one_purpose_is_no_token_of_another() {
        let secret = text::base64url(&[7; 32]);
        let secrets = Secrets::parse(&format!("0:{secret}"), &secret, &secret).unwrap();
        let keys = secrets.program(&"teehaus".parse().unwrap());
        let bytes = signed(&keys, PURPOSE, &[1; 7]);
        assert_eq!(verified(&keys, PURPOSE, &bytes), Ok([1; 7].as_slice()));
        assert_eq!(verified(&keys, "click token", &bytes), Err(CodeError::WrongSignature));
    }
}
