//! What handlers read of a request before they decide anything.

use std::fmt::Display;
use std::str::FromStr;

use passalong_core::decode::unexpected;
use percent_encoding::percent_decode_str;

use crate::http::{Request, body_limit};
use crate::problem::{Code, Problem};

/// The body, if it is not too long.
pub fn body(request: &Request) -> Result<&[u8], Problem> {
    request.body.as_deref().map_err(|_| {
        let most = body_limit(&request.path);
        Problem::new(Code::TooLarge, format!("the body may have at most {most} bytes"))
    })
}

/// A part of the path, percent-decoded, that reads as `T`.
pub fn part<T: FromStr<Err: Display>>(name: &str, part: &str) -> Result<T, Problem> {
    percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| Problem::field(name, "must be UTF-8, percent-encoded"))?
        .parse()
        .map_err(|error| Problem::field(name, error))
}

/// A query parameter that reads as `T`; none where it is absent or empty.
pub fn query<T: FromStr<Err: Display>>(
    request: &Request,
    name: &str,
) -> Result<Option<T>, Problem> {
    match request.parameter(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|error| Problem::field(name, error)),
    }
}

/// Refuses query parameters that mean nothing here, so that a typing error does not pass unseen.
pub fn only(request: &Request, names: &[&str]) -> Result<(), Problem> {
    match request.parameters().into_iter().find(|(name, _)| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) => {
            let name = unexpected(&name);
            let detail = format!("{name} is not a parameter of this request");
            Err(Problem { field: Some(name), ..Problem::new(Code::UnknownField, detail) })
        }
    }
}

/// The link of a code, on the origin that serves it.
pub fn link(request: &Request, program: &impl Display, code: &str) -> String {
    format!("{}/r/{program}/{code}", request.origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use passalong_core::ids::OrderId;

    #[test]
    fn a_part_of_the_path_is_decoded_once() {
        for (sent, meant) in [
            ("A-10077", "A-10077"),
            ("A%2F1", "A/1"),
            ("a+b", "a+b"),
            ("a%2525", "a%25"),
            ("a&b=c", "a&b=c"),
        ] {
            let read = part::<OrderId>("order_id", sent).map(|id| id.as_str().to_owned());
            assert_eq!(read, Ok(meant.to_owned()), "{sent}");
        }
        assert_eq!(
            part::<OrderId>("order_id", "%00").unwrap_err().field.as_deref(),
            Some("order_id")
        );
    }
}
