//! Errors as people meet them: problem details (RFC 9457) with a stable code. This is the one place
//! that maps what can go wrong to a status.

use passalong_core::decode::{Invalid, InvalidKind};
use passalong_core::identity_token::TokenProblem;
use passalong_core::keys::KeyProblem;
use passalong_core::shop::ShopProblem;
use passalong_core::wire;

use crate::http::Response;
use crate::store::StoreError;

/// What went wrong, in the caller's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    pub field: Option<String>,
    pub retry_after: Option<u32>,
    /// For `method_not_allowed`: what would be.
    pub allow: Option<String>,
}

/// The stable codes of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    InvalidJson,
    InvalidField,
    UnknownField,
    TooLarge,
    Unauthenticated,
    /// Genuine, and it says that nobody is logged in.
    NotLoggedIn,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    RateLimited,
    Unavailable,
    /// Only for a deployment that is not set up; the log says what is missing.
    Misconfigured,
}

impl Code {
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidJson => (400, "invalid_json", "Invalid JSON"),
            Self::InvalidField => (400, "invalid_field", "Invalid field"),
            Self::UnknownField => (400, "unknown_field", "Unknown field"),
            Self::TooLarge => (413, "too_large", "Too large"),
            Self::Unauthenticated => (401, "unauthenticated", "Unauthenticated"),
            Self::NotLoggedIn => (401, "not_logged_in", "Not logged in"),
            Self::Forbidden => (403, "forbidden", "Forbidden"),
            Self::NotFound => (404, "not_found", "Not found"),
            Self::MethodNotAllowed => (405, "method_not_allowed", "Method not allowed"),
            Self::Conflict => (409, "conflict", "Conflict"),
            Self::RateLimited => (429, "rate_limited", "Too many requests"),
            Self::Unavailable => (503, "unavailable", "Unavailable"),
            Self::Misconfigured => (500, "misconfigured", "Misconfigured"),
        }
    }
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, retry_after: None, allow: None }
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    pub fn field(field: &str, problem: impl std::fmt::Display) -> Self {
        Invalid::field(field, problem).into()
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn status(&self) -> u16 {
        self.code.parts().0
    }

    pub fn into_response(self) -> Response {
        let (status, code, title) = self.code.parts();
        let body = wire::Problem {
            r#type: format!("https://passalong.dev/errors/{code}"),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail: self.detail,
            field: self.field,
        };
        let mut response = Response::json(status, &body);
        response.headers.clear();
        let mut response = response
            .with("content-type", "application/problem+json")
            .with("cache-control", "private, no-store");
        if status == 401 {
            response = response.with("www-authenticate", "Bearer");
        }
        if let Some(seconds) = self.retry_after {
            response = response.with("retry-after", seconds.to_string());
        }
        if let Some(allow) = self.allow {
            response = response.with("allow", allow);
        }
        response
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let code = match invalid.kind {
            InvalidKind::Json => Code::InvalidJson,
            InvalidKind::Field => Code::InvalidField,
            InvalidKind::Unknown => Code::UnknownField,
        };
        let field = Some(invalid.field).filter(|field| !field.is_empty());
        Self { field, ..Self::new(code, invalid.detail) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (detail, seconds) = match error {
            StoreError::Failed(_) => {
                ("the store did not answer; send the same request again, it will not be doubled", 2)
            }
            StoreError::OutOfBudget => (
                "this took longer than one request may; send the same request again, it will not \
                 be doubled",
                10,
            ),
            StoreError::NotVisible => (
                "what this needs was stored a moment ago and is on its way here; send the same \
                 request again, it will not be doubled",
                60,
            ),
            StoreError::Cut => (
                "more is stored than can be read at once, so that the answer would be incomplete; \
                 whoever runs this service finds the list in its log",
                300,
            ),
        };
        Self::new(Code::Unavailable, detail).retry_after(seconds)
    }
}

impl From<KeyProblem> for Problem {
    fn from(problem: KeyProblem) -> Self {
        Self::new(Code::Unauthenticated, problem.to_string())
    }
}

impl From<ShopProblem> for Problem {
    fn from(problem: ShopProblem) -> Self {
        let code = match problem {
            ShopProblem::NotConnected(_) => Code::NotFound,
            ShopProblem::Malformed => Code::Misconfigured,
            ShopProblem::Missing(_) | ShopProblem::Encoding(_) | ShopProblem::WrongSignature(_) => {
                Code::Unauthenticated
            }
        };
        Self::new(code, problem.to_string())
    }
}

impl From<TokenProblem> for Problem {
    fn from(problem: TokenProblem) -> Self {
        Self::new(Code::Unauthenticated, problem.to_string())
    }
}
