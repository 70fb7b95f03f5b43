//! Identity tokens: how a shop says which of its customers is looking. Either a JWT (RFC 7519)
//! signed with HS256, or a template signature `t1.…` for shops whose templates can make an HMAC but
//! no JWT. Nothing but HS256 is ever accepted (RFC 8725 §3.1).
//!
//! What a developer is told of a token that is refused is in [`crate::token_problem`].

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use crate::ids::{CustomerId, Hint, ProgramId};
use crate::jwt::{self, Jwt};
use crate::keys::Secrets;
use crate::merchant_signature::Signs;
use crate::text;
use crate::time::{DAY, HOUR, Instant, MINUTE};
pub use crate::token_problem::{AudienceFlaw, TokenFlaw, TokenProblem};

/// The longest token read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// How far apart the clocks of shop and service may be, in seconds.
pub const LEEWAY: i64 = MINUTE;

/// As many hints as a conversion takes.
pub(crate) const MAX_HINTS: usize = 4;

/// The longest optional claim, in characters.
pub(crate) const MAX_TEXT: usize = 128;

/// How long a token is good that we make for a shop, in seconds.
const ISSUED_FOR: i64 = HOUR;

/// What a verified token says about the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerClaims {
    pub customer: CustomerId,
    pub segment: Option<String>,
    pub locale: Option<String>,
    pub given_name: Option<String>,
    pub hints: Vec<Hint>,
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
            Parts::Template(template) => slug(template.program),
            Parts::Jwt(jwt) => match jwt.payload.get("aud") {
                None | Some(Value::Null) => Err(AudienceFlaw::Missing),
                Some(Value::String(text)) => slug(text),
                Some(_) => Err(AudienceFlaw::NotText),
            },
        };
        Ok(Self { parts, program: program.map_err(TokenProblem::WrongAudience)? })
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
        let by = (secrets, &self.program, generations);
        match &self.parts {
            Parts::Template(template) => template.verify(by, now),
            Parts::Jwt(jwt) => {
                Signs::Identity
                    .check(by, jwt.signed.as_bytes(), &jwt.signature)
                    .map_err(TokenProblem::WrongSignature)?;
                check_times(&jwt.payload, now)?;
                claims(&jwt.payload)
            }
        }
    }
}

/// A token for a customer whose identity was proven in another way, good for an hour.
pub fn issue(
    secrets: &Secrets,
    (program, generation): (&ProgramId, u32),
    customer: &CustomerId,
    now: Instant,
) -> (String, Instant) {
    let expires_at = now.plus(ISSUED_FOR);
    let claims = json!({
        "sub": customer.as_str(), "aud": program.as_str(),
        "iat": now.seconds(), "exp": expires_at.seconds(),
    });
    (jwt::sign(&claims, &secrets.identity_secret(program, generation)), expires_at)
}

fn slug(text: &str) -> Result<ProgramId, AudienceFlaw> {
    text.parse().map_err(|_| AudienceFlaw::NotSlug(text.to_owned()))
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
            _ => Jwt::of(token).map(Self::Jwt).map_err(malformed),
        }
    }
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
        return Err(malformed(TokenFlaw::NotYet { seconds_ahead, now }));
    }
    check_expiry(expires, now)
}

fn check_expiry(expires: i64, now: Instant) -> Result<(), TokenProblem> {
    let seconds_ago = now.seconds() - expires;
    if seconds_ago >= LEEWAY { Err(TokenProblem::Expired { seconds_ago, now }) } else { Ok(()) }
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
            Some(other) => return Err(malformed(TokenFlaw::SubjectNotText(other.as_i64()))),
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
        by: (&Secrets, &ProgramId, &[u32]),
        now: Instant,
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
        let message = ["passalong-identity-v1", self.program, &id, self.expires].join("\n");
        Signs::Template
            .check(by, message.as_bytes(), &signature)
            .map_err(TokenProblem::WrongSignature)?;
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
