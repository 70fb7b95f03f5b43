//! What a shop's developer is told of an identity token that is refused: what is wrong with it, and
//! what would be right. Nothing here tells a secret, or anything that was not in the token itself.

use std::fmt;

use crate::decode::unexpected;
use crate::identity_token::{MAX_BYTES, MAX_HINTS, MAX_TEXT};
use crate::ids::{IdError, ProgramId};
use crate::merchant_signature::SignatureFlaw;
use crate::time::{HOUR, Instant};

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenProblem {
    Missing,
    Malformed(TokenFlaw),
    Expired { seconds_ago: i64, now: Instant },
    WrongAudience(AudienceFlaw),
    WrongSignature(SignatureFlaw),
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
    /// A number, where it is a whole one.
    SubjectNotText(Option<i64>),
    Subject(IdError),
    /// `exp`, `iat` or `nbf` is not there, or not a number.
    Time(&'static str),
    Milliseconds(&'static str),
    Lifetime,
    NotYet {
        seconds_ahead: i64,
        now: Instant,
    },
    /// An optional claim is not a text, or longer than it may be.
    Text(&'static str),
    Hints,
    /// The signature of a template token is not 64 lower-case hexadecimal digits.
    Hex,
}

/// What is wrong with whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceFlaw {
    /// There is no `aud`.
    Missing,
    /// It is a list, a number or the like.
    NotText,
    /// It is no program id.
    NotSlug(String),
    /// It could be one, but there is no such program.
    NoProgram(ProgramId),
}

impl TokenProblem {
    /// One of the five words the API documents for 401.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed(_) => "malformed",
            Self::Expired { .. } => "expired",
            Self::WrongAudience(_) => "wrong audience",
            Self::WrongSignature(_) => "wrong signature",
        }
    }
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the identity token is ")?;
        match self {
            Self::Missing => f.write_str("missing; send it as Authorization: Bearer …"),
            Self::Malformed(flaw) => write!(f, "malformed: {flaw}"),
            Self::Expired { seconds_ago, now } => {
                write!(
                    f,
                    "expired: exp was {seconds_ago} seconds ago, it is {now} here; make a new token for each page view"
                )?;
                clock(f, *seconds_ago)
            }
            Self::WrongAudience(flaw) => write!(f, "for a wrong audience: {flaw}"),
            Self::WrongSignature(flaw) => write!(f, "signed with a wrong signature: {flaw}"),
        }
    }
}

impl std::error::Error for TokenProblem {}

/// What a difference between two clocks probably comes from.
pub(crate) fn clock(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    /// A token that is made late is off by that much more, in seconds.
    const SLACK: i64 = 90;
    let hours = (seconds + SLACK) / HOUR;
    if hours >= 1 && (seconds + SLACK) % HOUR <= 2 * SLACK {
        write!(
            f,
            "; {hours} whole hours look like a local time taken for UTC: take the seconds since 1970 as your language gives them, without a time zone"
        )
    } else {
        f.write_str("; if it was made just now, set the clock of your server by NTP")
    }
}

impl fmt::Display for TokenFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "at most {MAX_BYTES} bytes are read"),
            Self::Parts => f.write_str("it must be a JWT of three parts separated by dots, or begin with t1. and have five"),
            Self::Encoding => f.write_str("each part must be base64url without padding (- and _ in place of + and /, no =), header and payload a JSON object inside"),
            Self::Algorithm => f.write_str("alg must be HS256"),
            Self::Type => f.write_str("typ must be JWT where it is given"),
            Self::Critical => f.write_str("crit is not supported"),
            Self::SubjectMissing => f.write_str("sub is missing; it is your own id of the customer"),
            Self::SubjectNotText(Some(number)) => {
                write!(f, "sub is the number {number}; it must be a string: \"{number}\"")
            }
            Self::SubjectNotText(None) => {
                f.write_str("sub must be a string, for example \"10023\" and not 10023")
            }
            Self::Subject(error) => write!(f, "sub {error}"),
            Self::Time(claim) => write!(f, "{claim} must be whole seconds since 1970, as a number"),
            Self::Milliseconds(claim) => {
                write!(f, "{claim} must be in seconds, it looks like milliseconds; divide it by 1000 and drop the fraction")
            }
            Self::Lifetime => f.write_str("it may be valid for at most 24 hours, and exp must be later than iat"),
            Self::NotYet { seconds_ahead, now } => {
                write!(f, "it begins {seconds_ahead} seconds in the future, it is {now} here")?;
                clock(f, *seconds_ahead)
            }
            Self::Text(claim) => write!(f, "{claim} must be a string of at most {MAX_TEXT} characters without line breaks, or left out"),
            Self::Hints => write!(f, "hints must be a list of at most {MAX_HINTS} SHA-256 digests, each 64 hexadecimal digits"),
            Self::Hex => f.write_str("the signature must be 64 hexadecimal digits in lower case"),
        }
    }
}

impl fmt::Display for AudienceFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("aud is missing")?,
            Self::NotText => f.write_str("aud is not a string")?,
            Self::NotSlug(text) => {
                write!(f, "aud is {}, which is no program id", unexpected(text))?;
            }
            Self::NoProgram(id) => write!(f, "aud is {id}, and there is no such program here")?,
        }
        f.write_str("; aud must be the id of your program as a string, as in the program attribute of the tag, for example \"teehaus\"")
    }
}
