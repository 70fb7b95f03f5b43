//! Text forms of bytes: lower-case Crockford base32 for what people see, base64url for what
//! travels in headers and URLs. Strict: pad bits must be zero, lengths must fit.

use std::fmt;
use std::sync::LazyLock;

use data_encoding::{BASE64URL_NOPAD, Encoding, Specification};

static CROCKFORD: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    spec.translate.from.push_str("ABCDEFGHJKMNPQRSTVWXYZiIlLoO");
    spec.translate.to.push_str("abcdefghjkmnpqrstvwxyz111100");
    spec.encoding().ok()
});

/// Crockford base32 in lower case, without padding.
pub fn base32(bytes: &[u8]) -> String {
    CROCKFORD.as_ref().map(|encoding| encoding.encode(bytes)).unwrap_or_default()
}

/// Writes up to 20 bytes as [`base32`] does.
pub fn write_base32<const N: usize>(f: &mut fmt::Formatter<'_>, bytes: &[u8; N]) -> fmt::Result {
    const { assert!(N <= 20, "more does not fit") };
    let encoding = CROCKFORD.as_ref().ok_or(fmt::Error)?;
    let text = &mut [0; 32];
    let text = text.get_mut(..encoding.encode_len(bytes.len())).ok_or(fmt::Error)?;
    f.write_str(encoding.encode_mut_str(bytes, text))
}

/// Reads Crockford base32; case and `i l o` are forgiven, anything else is not.
pub fn from_base32<const N: usize>(text: &str) -> Option<[u8; N]> {
    let crockford = CROCKFORD.as_ref()?;
    crockford.decode_len(text.len()).ok().filter(|length| *length == N)?;
    let mut bytes = [0; N];
    crockford.decode_mut(text.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

/// base64url without padding (RFC 4648 §5).
pub fn base64url(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Reads base64url without padding.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_made() {
        struct Written<const N: usize>([u8; N]);
        impl<const N: usize> fmt::Display for Written<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_base32(f, &self.0)
            }
        }
        let all = *b"any bytes \xff\x00\x80 to 20.";
        assert_eq!(Written(all).to_string(), base32(&all));
        assert_eq!(Written([255; 7]).to_string(), base32(&[255; 7]));
        assert_eq!(Written([]).to_string(), "");
    }

    #[test]
    fn base32_forgives_how_people_type_and_nothing_else() {
        assert_eq!(base32(&[0, 68, 50]), "01234");
        for same in ["01234", "O1234", "oL234", "0I234"] {
            assert_eq!(from_base32::<3>(same), Some([0, 68, 50]), "{same}");
        }
        for wrong in ["01235", "0123", "012340", "u1234", "0123-4", "", "ö1234"] {
            assert_eq!(from_base32::<3>(wrong), None, "{wrong}");
        }
    }
}
