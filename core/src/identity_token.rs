//! Identity tokens: how a shop says which of its customers is looking. Either a JWT (RFC 7519)
//! signed with HS256, or a template signature `t1.…` for shops whose templates can make an HMAC but
//! no JWT. Nothing but HS256 is ever accepted (RFC 8725 §3.1).
//!
//! A shop's developer meets the messages of [`TokenProblem`], so each says what would be right.

use std::fmt;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};

use crate::ids::{CustomerId, Hint, IdError, ProgramId};
use crate::keys::Secrets;
use crate::mac::hmac_sha256_of;
use crate::text;
use crate::time::{DAY, Instant, MINUTE};

/// The longest token read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// How far apart the clocks of shop and service may be, in seconds.
const LEEWAY: i64 = MINUTE;

/// As many hints as a conversion takes.
const MAX_HINTS: usize = 4;

/// The longest optional claim, in characters.
const MAX_TEXT: usize = 128;

/// What a verified token says about the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerClaims {
    pub customer: CustomerId,
    pub segment: Option<String>,
    pub locale: Option<String>,
    pub given_name: Option<String>,
    pub hints: Vec<Hint>,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenProblem {
    Missing,
    Malformed(TokenFlaw),
    Expired {
        seconds_ago: i64,
    },
    /// No `aud`, or one that is no program.
    WrongAudience,
    WrongSignature,
}

/// What about a token is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFlaw {
    TooLong,
    /// Neither three nor, beginning with `t1`, five parts.
    Parts,
    /// A part is not base64url, or not a JSON object inside.
    Encoding,
    Algorithm,
    Type,
    Critical,
    SubjectMissing,
    SubjectNotText,
    Subject(IdError),
    /// `exp`, `iat` or `nbf` is not there, or not a number.
    Time(&'static str),
    Milliseconds(&'static str),
    Lifetime,
    NotYet {
        seconds_ahead: i64,
    },
    /// An optional claim is not a text, or longer than it may be.
    Text(&'static str),
    Hints,
    /// The signature of a template token is not 64 lower-case hexadecimal digits.
    Hex,
}

impl TokenProblem {
    /// One of the five words the API documents for 401.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed(_) => "malformed",
            Self::Expired { .. } => "expired",
            Self::WrongAudience => "wrong audience",
            Self::WrongSignature => "wrong signature",
        }
    }
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the identity token is ")?;
        match self {
            Self::Missing => f.write_str("missing; send it as Authorization: Bearer …"),
            Self::Malformed(flaw) => write!(f, "malformed: {flaw}"),
            Self::Expired { seconds_ago } => {
                write!(f, "expired: exp was {seconds_ago} seconds ago; make a new token for each page view and compare the clocks")
            }
            Self::WrongAudience => f.write_str(
                "for a wrong audience: aud must be the id of your program as a string, for example teehaus",
            ),
            Self::WrongSignature => f.write_str(
                "signed with a wrong signature: sign with the identity secret of the program named in aud, using its text as it was shown (not decoded) as the key",
            ),
        }
    }
}

impl std::error::Error for TokenProblem {}

impl fmt::Display for TokenFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "at most {MAX_BYTES} bytes are read"),
            Self::Parts => f.write_str("it must be a JWT of three parts separated by dots, or begin with t1. and have five"),
            Self::Encoding => f.write_str("each part must be base64url, header and payload a JSON object inside"),
            Self::Algorithm => f.write_str("alg must be HS256"),
            Self::Type => f.write_str("typ must be JWT where it is given"),
            Self::Critical => f.write_str("crit is not supported"),
            Self::SubjectMissing => f.write_str("sub is missing; it is your own id of the customer"),
            Self::SubjectNotText => f.write_str("sub must be a string, for example \"10023\" and not 10023"),
            Self::Subject(error) => write!(f, "sub {error}"),
            Self::Time(claim) => write!(f, "{claim} must be whole seconds since 1970, as a number"),
            Self::Milliseconds(claim) => write!(f, "{claim} must be in seconds, it looks like milliseconds"),
            Self::Lifetime => f.write_str("it may be valid for at most 24 hours, and exp must be later than iat"),
            Self::NotYet { seconds_ahead } => {
                write!(f, "it begins {seconds_ahead} seconds in the future; check the clock of your server")
            }
            Self::Text(claim) => write!(f, "{claim} must be a string of at most {MAX_TEXT} characters without line breaks, or left out"),
            Self::Hints => write!(f, "hints must be a list of at most {MAX_HINTS} SHA-256 digests, each 64 hexadecimal digits"),
            Self::Hex => f.write_str("the signature must be 64 hexadecimal digits in lower case"),
        }
    }
}

/// Verifies a token made with the first generation of its program's secrets.
pub fn verify(
    secrets: &Secrets,
    token: &str,
    now: Instant,
) -> Result<(ProgramId, CustomerClaims), TokenProblem> {
    verify_generations(secrets, &[1], token, now)
}

/// Verifies a token made with any of these generations of its program's secrets.
pub fn verify_generations(
    secrets: &Secrets,
    generations: &[u32],
    token: &str,
    now: Instant,
) -> Result<(ProgramId, CustomerClaims), TokenProblem> {
    let token = Unverified::read(token)?;
    let claims = token.verify(secrets, generations, now)?;
    Ok((token.program, claims))
}

/// A token as it says it is; nothing about it is proven.
pub struct Unverified<'a> {
    parts: Parts<'a>,
    program: ProgramId,
}

impl<'a> Unverified<'a> {
    pub fn read(token: &'a str) -> Result<Self, TokenProblem> {
        let parts = Parts::of(token)?;
        let program = match &parts {
            Parts::Template(template) => template.program.parse().ok(),
            Parts::Jwt(jwt) => jwt.audience(),
        };
        Ok(Self { parts, program: program.ok_or(TokenProblem::WrongAudience)? })
    }

    /// The program it says it is for.
    pub fn program(&self) -> &ProgramId {
        &self.program
    }

    /// What it says, if it was made with any of these generations of the program's secrets.
    pub fn verify(
        &self,
        secrets: &Secrets,
        generations: &[u32],
        now: Instant,
    ) -> Result<CustomerClaims, TokenProblem> {
        let is_genuine =
            |secret: fn(&Secrets, &ProgramId, u32) -> String, message: &[u8], signature: &[u8]| {
                generations.iter().any(|generation| {
                    let secret = secret(secrets, &self.program, *generation);
                    signature_fits(secret.as_bytes(), message, signature)
                })
            };
        match &self.parts {
            Parts::Template(template) => {
                template.verify(&self.program, now, |message, signature| {
                    is_genuine(Secrets::template_secret, message, signature)
                })
            }
            Parts::Jwt(jwt) => {
                if !is_genuine(Secrets::identity_secret, jwt.signed.as_bytes(), &jwt.signature) {
                    return Err(TokenProblem::WrongSignature);
                }
                check_times(&jwt.payload, now)?;
                claims(&jwt.payload)
            }
        }
    }
}

fn signature_fits(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    hmac_sha256_of(key, message).fits(signature)
}

fn malformed(flaw: TokenFlaw) -> TokenProblem {
    TokenProblem::Malformed(flaw)
}

/// A token taken apart; nothing in it is proven.
enum Parts<'a> {
    Template(Template<'a>),
    Jwt(Jwt<'a>),
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, TokenProblem> {
        if token.is_empty() {
            return Err(TokenProblem::Missing);
        }
        if token.len() > MAX_BYTES {
            return Err(malformed(TokenFlaw::TooLong));
        }
        let parts: Vec<&str> = token.split('.').collect();
        match parts.as_slice() {
            ["t1", program, customer, expires, signature] => {
                Ok(Self::Template(Template { program, customer, expires, signature }))
            }
            [header, payload, signature] => {
                Jwt::of(token, header, payload, signature).map(Self::Jwt).map_err(malformed)
            }
            _ => Err(malformed(TokenFlaw::Parts)),
        }
    }
}

struct Jwt<'a> {
    /// Header and payload as they travelled: what is signed.
    signed: &'a str,
    payload: Map<String, Value>,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    fn of(token: &'a str, header: &str, payload: &str, signature: &str) -> Result<Self, TokenFlaw> {
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

    fn audience(&self) -> Option<ProgramId> {
        self.payload.get("aud").and_then(Value::as_str)?.parse().ok()
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenFlaw> {
    let bytes = text::from_base64url(part).ok_or(TokenFlaw::Encoding)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenFlaw::Encoding)
}

fn check_times(payload: &Map<String, Value>, now: Instant) -> Result<(), TokenProblem> {
    let expires = seconds(payload, "exp")?.ok_or(malformed(TokenFlaw::Time("exp")))?;
    let issued = seconds(payload, "iat")?.ok_or(malformed(TokenFlaw::Time("iat")))?;
    let begins = seconds(payload, "nbf")?.map_or(issued, |not_before| not_before.max(issued));
    if !(1..=DAY).contains(&(expires - issued)) {
        return Err(malformed(TokenFlaw::Lifetime));
    }
    let seconds_ahead = begins - now.seconds();
    if seconds_ahead > LEEWAY {
        return Err(malformed(TokenFlaw::NotYet { seconds_ahead }));
    }
    check_expiry(expires, now)
}

fn check_expiry(expires: i64, now: Instant) -> Result<(), TokenProblem> {
    let seconds_ago = now.seconds() - expires;
    if seconds_ago >= LEEWAY { Err(TokenProblem::Expired { seconds_ago }) } else { Ok(()) }
}

/// A time claim in whole seconds, between 0 and the year 5138: beyond that are milliseconds.
fn seconds(payload: &Map<String, Value>, claim: &'static str) -> Result<Option<i64>, TokenProblem> {
    let Some(value) = payload.get(claim) else { return Ok(None) };
    let number = value.as_i64().filter(|seconds| *seconds >= 0);
    match number.ok_or(malformed(TokenFlaw::Time(claim)))? {
        100_000_000_000.. => Err(malformed(TokenFlaw::Milliseconds(claim))),
        seconds => Ok(Some(seconds)),
    }
}

fn claims(payload: &Map<String, Value>) -> Result<CustomerClaims, TokenProblem> {
    Ok(CustomerClaims {
        customer: match payload.get("sub") {
            None | Some(Value::Null) => return Err(malformed(TokenFlaw::SubjectMissing)),
            Some(Value::String(id)) => customer(id)?,
            Some(_) => return Err(malformed(TokenFlaw::SubjectNotText)),
        },
        segment: short_text(payload, "segment")?,
        locale: short_text(payload, "locale")?,
        given_name: short_text(payload, "given_name")?,
        hints: hints(payload.get("hints")).ok_or(malformed(TokenFlaw::Hints))?,
    })
}

fn customer(id: &str) -> Result<CustomerId, TokenProblem> {
    id.parse().map_err(|error| malformed(TokenFlaw::Subject(error)))
}

/// An optional claim; `null` and `""` are how languages and templates write one that is not there.
fn short_text(
    payload: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<String>, TokenProblem> {
    match payload.get(claim) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if plain(text) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(TokenFlaw::Text(claim))),
    }
}

fn plain(text: &str) -> bool {
    text.chars().count() <= MAX_TEXT && !text.contains(char::is_control)
}

fn hints(value: Option<&Value>) -> Option<Vec<Hint>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(hints)) if hints.len() <= MAX_HINTS => {
            hints.iter().map(|hint| hint.as_str()?.parse().ok()).collect()
        }
        Some(_) => None,
    }
}

/// `t1.{program}.{base64url customer}.{expires}.{hex}`.
struct Template<'a> {
    program: &'a str,
    customer: &'a str,
    expires: &'a str,
    signature: &'a str,
}

impl Template<'_> {
    fn verify(
        &self,
        program: &ProgramId,
        now: Instant,
        genuine: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<CustomerClaims, TokenProblem> {
        // Template languages write base64url with its padding.
        let id = text::from_base64url(self.customer.trim_end_matches('='))
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(malformed(TokenFlaw::Encoding))?;
        let customer = customer(&id)?;
        let digits = self.expires.bytes().all(|b| b.is_ascii_digit());
        let expires: i64 = self
            .expires
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or(malformed(TokenFlaw::Time("expires")))?;
        let signature =
            HEXLOWER.decode(self.signature.as_bytes()).map_err(|_| malformed(TokenFlaw::Hex))?;
        let message = ["passalong-identity-v1", program.as_str(), &id, self.expires].join("\n");
        if !genuine(message.as_bytes(), &signature) {
            return Err(TokenProblem::WrongSignature);
        }
        if expires > now.plus(DAY + LEEWAY).seconds() {
            return Err(malformed(TokenFlaw::Lifetime));
        }
        check_expiry(expires, now)?;
        Ok(CustomerClaims {
            customer,
            segment: None,
            locale: None,
            given_name: None,
            hints: Vec::new(),
        })
    }
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
        let Ok(Parts::Jwt(jwt)) = Parts::of(token) else { panic!("a JWT") };
        assert!(signature_fits(&key, jwt.signed.as_bytes(), &jwt.signature));
        assert!(!signature_fits(&key[1..], jwt.signed.as_bytes(), &jwt.signature));
        assert!(!signature_fits(&key, &jwt.signed.as_bytes()[1..], &jwt.signature));
        assert!(!signature_fits(&key, jwt.signed.as_bytes(), &jwt.signature[1..]));
    }
}
