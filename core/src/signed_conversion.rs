//! A conversion that a page of the shop reports: made and signed by the shop's template, which knows
//! the order, sent by the buyer's browser, which must not change it. For shops whose server can
//! report nothing by itself.
//!
//! The signature is HMAC-SHA256 in lower-case hexadecimal with the program's conversion secret, over
//! these lines, joined by one line feed each, an absent value as an empty line:
//!
//! ```text
//! passalong-conversion-v1
//! program
//! order_id
//! kind            signup or purchase
//! amount          in minor units
//! currency
//! customer_id
//! hint            SHA-256 of the normalised e-mail address, in lower-case hexadecimal
//! first_order     true or false
//! occurred_at     Unix seconds
//! token           the click token `pa` that the order carries
//! expires         Unix seconds
//! ```
//!
//! The click token is signed too: who could add one to any order could refer what nobody referred.

use std::fmt;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::decode::{Fields, Invalid};
use crate::identity_token::LEEWAY;
use crate::ids::{Hint, ProgramId};
use crate::keys::Secrets;
use crate::merchant_signature::{SignatureFlaw, Signs};
use crate::report::{ConversionReport, ProofKind};
use crate::reward::ConversionKind;
use crate::time::{DAY, Instant};
use crate::token_problem::clock;

/// The latest a time can be, in Unix seconds: beyond that are milliseconds.
const LAST: i64 = 99_999_999_999;
const TIME: &str = "must be whole seconds since 1970, as a number";
/// What a report from a page may say, beside what is read here; all of it is signed.
const REPORTED: [&str; 6] =
    ["order_id", "amount", "currency", "customer_id", "first_order", "token"];

/// `POST /v1/signed/conversions`, as it says it is; nothing about it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedConversion {
    pub program: ProgramId,
    pub report: ConversionReport,
    /// The ids of order and customer as they were sent, which is what is signed.
    sent: [String; 2],
    expires: i64,
    signature: Vec<u8>,
}

/// Why a signed conversion is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedProblem {
    WrongSignature(SignatureFlaw),
    Expired { seconds_ago: i64, now: Instant },
    TooFarAhead { now: Instant },
}

impl fmt::Display for SignedProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongSignature(flaw) => {
                write!(
                    f,
                    "the conversion is signed with a wrong signature: {flaw}. The lines must be those of this request, in their order, joined by line feeds without one at the end"
                )
            }
            Self::Expired { seconds_ago, now } => {
                write!(
                    f,
                    "the signed conversion expired {seconds_ago} seconds ago, it is {now} here; sign when the page is made, for an hour"
                )?;
                clock(f, *seconds_ago)
            }
            Self::TooFarAhead { now } => {
                write!(
                    f,
                    "the signed conversion expires more than 24 hours ahead, it is {now} here; let it expire in an hour"
                )
            }
        }
    }
}

impl std::error::Error for SignedProblem {}

impl SignedConversion {
    pub fn parse(body: &[u8], now: Instant) -> Result<Self, Invalid> {
        let mut f = Fields::parse(body)?;
        let program = f.read("program")?;
        let program: ProgramId = f.required("program", program, "the slug of the program")?;
        let occurred_at = f.integer("occurred_at", (0, LAST), TIME)?;
        let occurred_at =
            f.required("occurred_at", occurred_at, "when it happened, Unix seconds")?;
        let hint: Option<Hint> = f.read("hint")?;
        let expires = f.integer("expires", (0, LAST), TIME)?;
        let expires =
            f.required("expires", expires, "until when this may be sent, Unix seconds")?;
        let signature = f.text("signature", 64)?;
        let signature = f.required("signature", signature, "64 hexadecimal digits")?;
        let signature = HEXLOWER
            .decode(signature.as_bytes())
            .map_err(|_| f.invalid("signature", "must be 64 hexadecimal digits in lower case"))?;
        let kind: Option<ConversionKind> = f.read("kind")?;
        if kind == Some(ConversionKind::Action) {
            return Err(f.invalid("kind", "must be signup or purchase; a page reports no others"));
        }
        let mut rest = f.into_rest(&REPORTED)?;
        let sent = |name: &str| rest.get(name).and_then(Value::as_str).unwrap_or_default();
        let sent = ["order_id", "customer_id"].map(|name| sent(name).to_owned());
        // What is read as a report must not be said twice.
        rest.insert("kind".to_owned(), json!(kind));
        rest.insert("occurred_at".to_owned(), json!(Instant::from_seconds(occurred_at)));
        rest.insert("hints".to_owned(), json!(hint.map(|hint| [HEXLOWER.encode(&hint.0)])));
        let told = ConversionReport::parse(Value::Object(rest).to_string().as_bytes(), now)?;
        let report = ConversionReport { browser_only: true, ..told };
        if token(&report).contains(char::is_control) {
            return Err(Invalid::field("token", "must be the value of pa, without line breaks"));
        }
        Ok(Self { program, report, sent, expires, signature })
    }

    /// The lines that are signed.
    pub fn message(&self) -> String {
        let report = &self.report;
        let [order, customer] = &self.sent;
        let hint = report.hints.first().map(|hint| HEXLOWER.encode(&hint.0));
        [
            "passalong-conversion-v1".to_owned(),
            self.program.to_string(),
            order.clone(),
            report.kind.to_string(),
            report.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            report.currency.map(|currency| currency.to_string()).unwrap_or_default(),
            customer.clone(),
            hint.unwrap_or_default(),
            report.first_order.map(|first| first.to_string()).unwrap_or_default(),
            report.occurred_at.seconds().to_string(),
            token(report).to_owned(),
            self.expires.to_string(),
        ]
        .join("\n")
    }

    /// Whether the shop made it, with one of these generations of its secret, to be sent now.
    pub fn verify(
        &self,
        secrets: &Secrets,
        generations: &[u32],
        now: Instant,
    ) -> Result<(), SignedProblem> {
        let by = (secrets, &self.program, generations);
        Signs::Conversion
            .check(by, self.message().as_bytes(), &self.signature)
            .map_err(SignedProblem::WrongSignature)?;
        let seconds_ago = now.seconds().saturating_sub(self.expires);
        if seconds_ago >= LEEWAY {
            return Err(SignedProblem::Expired { seconds_ago, now });
        }
        if seconds_ago < -(DAY + LEEWAY) {
            return Err(SignedProblem::TooFarAhead { now });
        }
        Ok(())
    }
}

fn token(report: &ConversionReport) -> &str {
    let token = report.proofs.iter().find(|proof| proof.kind == ProofKind::Token);
    token.map_or("", |proof| &proof.text)
}
