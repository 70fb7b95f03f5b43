//! Message authentication codes, and the one place where what a stranger sent is compared with what
//! should have been sent. A [`Mac`] cannot be compared with `==`, so no comparison can come to
//! depend on how many bytes were guessed right.

use hkdf::HmacImpl;
use hmac::Hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What a message must carry to be believed.
pub(crate) struct Mac<const N: usize>([u8; N]);

impl<const N: usize> Mac<N> {
    /// Whether these bytes are this code, in a time that tells nothing about either.
    pub fn fits(&self, given: &[u8]) -> bool {
        self.0.as_slice().ct_eq(given).into()
    }

    /// The bytes, to send or to store, never to compare.
    pub fn bytes<const M: usize>(&self) -> [u8; M] {
        const { assert!(M <= N) }
        self.0.first_chunk().copied().unwrap_or([0; M])
    }

    pub fn cut<const M: usize>(&self) -> Mac<M> {
        Mac(self.bytes())
    }
}

/// Whether a text is the one that was made, in a time that tells nothing but its length.
pub(crate) fn same_text(made: &str, given: &str) -> bool {
    made.as_bytes().ct_eq(given.as_bytes()).into()
}

/// HMAC-SHA256 (RFC 2104) of one message, as JWT and templates use it.
pub(crate) fn hmac_sha256_of(key: &[u8], message: &[u8]) -> Mac<32> {
    let mut mac = <Hmac<Sha256> as HmacImpl>::new_from_slice(key);
    mac.update(message);
    Mac(mac.finalize().into())
}

/// A key for many messages: what HMAC computes of the key alone is computed once.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub fn new(key: &[u8]) -> Self {
        Self(HmacImpl::new_from_slice(key))
    }

    /// HMAC-SHA256 over length-prefixed parts, so that no two lists of parts read the same.
    pub fn of(&self, parts: &[&[u8]]) -> Mac<32> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Mac(mac.finalize().into())
    }
}

pub(crate) fn label(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(parts.iter().map(|part| size_of::<u64>() + part.len()).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does not compile once `Mac` can be compared: then two of these would fit.
    #[test]
    fn a_mac_cannot_be_compared_with_equals() {
        trait Comparable<A> {
            fn check(&self) {}
        }
        struct Yes;
        impl<T> Comparable<()> for T {}
        impl<T: PartialEq> Comparable<Yes> for T {}
        Comparable::<_>::check(&MacKey::new(&[]).of(&[]));
    }

    #[test]
    fn a_key_for_many_messages_is_the_usual_one() {
        for parts in [&[b"a".as_slice(), b"bc"][..], &[], &[&[7; 200]]] {
            let usual: [u8; 32] = hmac_sha256_of(b"key", &label(parts)).bytes();
            assert_eq!(MacKey::new(b"key").of(parts).bytes(), usual);
        }
    }

    #[test]
    fn only_the_whole_code_fits() {
        let mac = MacKey::new(b"key").of(&[b"message"]);
        let right: [u8; 32] = mac.bytes();
        assert!(mac.fits(&right));
        assert!(mac.cut::<8>().fits(&right[..8]));
        for byte in 0..32 {
            for bit in 0..8 {
                let mut wrong = right;
                wrong[byte] ^= 1 << bit;
                assert!(!mac.fits(&wrong), "{byte} {bit}");
            }
            assert!(!mac.fits(&right[..byte]));
        }
        assert!(!mac.fits(&[right.as_slice(), &[0]].concat()));
        assert!(same_text("sk_x", "sk_x"));
        for wrong in ["sk_y", "sk_", "sk_xx", "", "SK_X"] {
            assert!(!same_text("sk_x", wrong), "{wrong}");
        }
    }
}
