//! JSON Web Tokens (RFC 7519) with HS256 and nothing else (RFC 8725 §3.1): taking one apart, and
//! making one. What its claims mean is for [`crate::identity_token`] and [`crate::shop_identity`].

use serde_json::{Map, Value, json};

use crate::mac::hmac_sha256_of;
use crate::text;
use crate::token_problem::TokenFlaw;

/// A token taken apart; nothing in it is proven.
pub(crate) struct Jwt<'a> {
    /// Header and payload as they travelled: what is signed.
    pub signed: &'a str,
    pub payload: Map<String, Value>,
    pub signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    pub fn of(token: &'a str) -> Result<Self, TokenFlaw> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(TokenFlaw::Parts);
        };
        let header = object(header)?;
        if header.get("alg").and_then(Value::as_str) != Some("HS256") {
            return Err(TokenFlaw::Algorithm);
        }
        let is_jwt = |typ: &Value| typ.as_str().is_some_and(|t| t.eq_ignore_ascii_case("jwt"));
        if !header.get("typ").is_none_or(is_jwt) {
            return Err(TokenFlaw::Type);
        }
        if header.contains_key("crit") {
            return Err(TokenFlaw::Critical);
        }
        let (signed, _) = token.rsplit_once('.').ok_or(TokenFlaw::Parts)?;
        let signature = text::from_base64url(signature).ok_or(TokenFlaw::Encoding)?;
        Ok(Self { signed, payload: object(payload)?, signature })
    }

    /// Whether this secret's text, as ASCII, is what signed it.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        hmac_sha256_of(secret.as_bytes(), self.signed.as_bytes()).fits(&self.signature)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenFlaw> {
    let bytes = text::from_base64url(part).ok_or(TokenFlaw::Encoding)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenFlaw::Encoding)
}

/// A signed token of these claims.
pub(crate) fn sign(claims: &Value, secret: &str) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let part = |value: &Value| text::base64url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature: [u8; 32] = hmac_sha256_of(secret.as_bytes(), signed.as_bytes()).bytes();
    format!("{signed}.{}", text::base64url(&signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hs256_is_what_rfc_7515_a_1_shows() {
        let key = text::from_base64url(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        )
        .unwrap();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let jwt = Jwt::of(token).unwrap();
        let fits = |key: &[u8], message: &[u8], mac: &[u8]| hmac_sha256_of(key, message).fits(mac);
        assert!(fits(&key, jwt.signed.as_bytes(), &jwt.signature));
        assert!(!fits(&key[1..], jwt.signed.as_bytes(), &jwt.signature));
        assert!(!fits(&key, &jwt.signed.as_bytes()[1..], &jwt.signature));
        assert!(!fits(&key, jwt.signed.as_bytes(), &jwt.signature[1..]));
    }

    #[test]
    fn what_is_signed_here_is_read_here_with_the_same_secret_only() {
        let token = sign(&json!({ "sub": "10023" }), "secret");
        let jwt = Jwt::of(&token).unwrap();
        assert!(jwt.is_signed_with("secret"));
        assert!(!jwt.is_signed_with("secreT"));
        assert_eq!(jwt.payload.get("sub"), Some(&json!("10023")));
    }
}
