//! Text forms of bytes: lower-case Crockford base32 for what people see, base64url for what
//! travels in headers and URLs. Strict: pad bits must be zero, lengths must fit.

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
