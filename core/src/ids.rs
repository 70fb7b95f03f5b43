//! Identifiers: the merchant's own (parsed, never stored readable) and our keyed pseudonyms.
//!
//! A value of one of these types is valid by construction. Making a pseudonym needs a key: see
//! [`crate::keys`].

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::text;
use crate::values::one_word::{one_word, visible};

/// Why a text is not an identifier. The message says what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// Not 1 to 128 characters, or holding control characters.
    Length,
    /// `"0"`, `"null"`, blanks and the like: what a template prints for a guest.
    Placeholder,
    /// Not `[a-z0-9-]{2,32}`.
    Slug,
    /// Not 64 hexadecimal digits.
    Hint,
    /// Not the text of one of our own pseudonyms.
    Pseudonym,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "must be a string of 1 to 128 characters without line breaks",
            Self::Placeholder => {
                "must be a real id; \"0\", \"null\", \"undefined\" and blanks are what shops print for a guest"
            }
            Self::Slug => "must be 2 to 32 characters of a-z, 0-9 and -, for example teehaus",
            Self::Hint => "must be the SHA-256 of the normalised e-mail address as 64 hexadecimal digits",
            Self::Pseudonym => "is not an id made by this service",
        })
    }
}

impl std::error::Error for IdError {}

/// The slug of a program: `[a-z0-9-]{2,32}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProgramId(String);

impl ProgramId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProgramId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = (2..=32).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if valid { Ok(Self(text.to_owned())) } else { Err(IdError::Slug) }
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares an id of the merchant: any text of 1 to 128 characters. What nobody sees in it (spaces
/// around it, invisible characters, how an umlaut is put together) is no part of it.
macro_rules! merchant_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                $check(text).map(Self)
            }
        }
    };
}

fn plain(text: &str) -> Result<String, IdError> {
    let seen = visible(text);
    let is_long = |text: &str| text.chars().take(129).count() > 128;
    if text.is_empty() || is_long(text) || is_long(&seen) || text.chars().any(char::is_control) {
        return Err(IdError::Length);
    }
    if seen.is_empty() { Err(IdError::Placeholder) } else { Ok(seen) }
}

fn person(text: &str) -> Result<String, IdError> {
    let seen = plain(text)?;
    let placeholder = ["0", "null", "undefined", "none", "nil", "false", "nan"]
        .iter()
        .any(|word| seen.eq_ignore_ascii_case(word));
    if placeholder { Err(IdError::Placeholder) } else { Ok(seen) }
}

fn number(text: &str) -> Result<String, IdError> {
    let word = one_word(&plain(text)?);
    if word.is_empty() { Err(IdError::Placeholder) } else { Ok(word) }
}

merchant_id!(
    /// The merchant's own id of a customer.
    CustomerId,
    person
);
merchant_id!(
    /// The merchant's own id of an order.
    OrderId,
    person
);
merchant_id!(
    /// The merchant's own id of an event; unique within its order.
    EventId,
    plain
);

merchant_id!(
    /// The number of an order that people see, without what stands around it: `#1077` is `1077`.
    OrderNumber,
    number
);

/// The SHA-256 of a normalised e-mail address, as sent by the shop. Stored only as a pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hint(pub [u8; 32]);

impl FromStr for Hint {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| IdError::Hint)?;
        bytes.try_into().map(Self).map_err(|_| IdError::Hint)
    }
}

/// Declares a fixed-size value shown as lower-case Crockford base32.
macro_rules! pseudonym {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::write_base32(f, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text::from_base32(text).map(Self).ok_or(IdError::Pseudonym)
            }
        }
    };
}

pseudonym!(
    /// A customer, keyed by program: 7 bytes, 12 characters. It is part of the referral code.
    CustomerPseudonym,
    7
);
pseudonym!(
    /// An order, keyed by program: 10 bytes, 16 characters.
    OrderPseudonym,
    10
);
pseudonym!(
    /// A hint, keyed by program: 10 bytes, 16 characters.
    HintPseudonym,
    10
);
pseudonym!(
    /// A digest of normalised content: 10 bytes, 16 characters.
    Digest,
    10
);

/// One way to recognise a person: the customer id, or a hint. Shown as `c.…` or `h.…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    Customer(CustomerPseudonym),
    Hint(HintPseudonym),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(customer) => write!(f, "c.{customer}"),
            Self::Hint(hint) => write!(f, "h.{hint}"),
        }
    }
}

impl FromStr for Identity {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('.') {
            Some(("c", rest)) => rest.parse().map(Self::Customer),
            Some(("h", rest)) => rest.parse().map(Self::Hint),
            _ => Err(IdError::Pseudonym),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_slug_is_short_and_plain() {
        for good in ["ab", "teehaus-2", &"a".repeat(32)] {
            assert!(good.parse::<ProgramId>().is_ok(), "{good}");
        }
        for bad in ["", "a", "Teehaus", "tee_haus", "a/b", "..", &"a".repeat(33), "tée"] {
            assert_eq!(bad.parse::<ProgramId>(), Err(IdError::Slug), "{bad}");
        }
    }

    #[test]
    fn what_a_template_prints_for_a_guest_is_no_customer() {
        for bad in ["0", "null", "NULL", " undefined ", "false"] {
            assert_eq!(bad.parse::<CustomerId>(), Err(IdError::Placeholder), "{bad:?}");
        }
        assert_eq!("   ".parse::<CustomerId>(), Err(IdError::Placeholder));
        assert_eq!("".parse::<CustomerId>(), Err(IdError::Length));
        assert_eq!("a\nb".parse::<OrderId>(), Err(IdError::Length));
        assert_eq!("ä".repeat(129).parse::<OrderId>(), Err(IdError::Length));
        assert!("ä".repeat(128).parse::<OrderId>().is_ok());
        assert!("0".parse::<EventId>().is_ok());
    }

    #[test]
    fn what_nobody_sees_is_no_part_of_an_id() {
        for same in ["1001", "1001 ", " 1001", "\u{a0}1001\u{200b}", "\u{feff}1001"] {
            assert_eq!(same.parse::<OrderId>().unwrap().as_str(), "1001", "{same:?}");
            assert_eq!(same.parse::<CustomerId>().unwrap().as_str(), "1001", "{same:?}");
        }
        for (left, right) in [("#1001", "1001"), ("1001.", "1001"), ("A–1", "A-1"), ("a1", "A1")]
        {
            assert_ne!(left.parse::<OrderId>(), right.parse::<OrderId>());
        }
        assert_eq!("\u{200b}0".parse::<CustomerId>(), Err(IdError::Placeholder));
        assert_eq!("\u{200b}".parse::<OrderId>(), Err(IdError::Placeholder));
    }

    #[test]
    fn an_order_number_is_read_as_people_write_it() {
        for same in ["1077", "#1077", " 1077 ", "(1077)", "\u{200e}1077."] {
            let number: OrderNumber = same.parse().unwrap();
            assert_eq!(number.as_str(), "1077", "{same:?}");
        }
        assert_eq!("A–1077".parse::<OrderNumber>().unwrap().as_str(), "A-1077");
        for (bad, why) in [
            ("", IdError::Length),
            ("#", IdError::Placeholder),
            (" ", IdError::Placeholder),
            ("10\n77", IdError::Length),
        ] {
            assert_eq!(bad.parse::<OrderNumber>(), Err(why), "{bad:?}");
        }
        assert_eq!("1".repeat(129).parse::<OrderNumber>(), Err(IdError::Length));
    }

    #[test]
    fn identities_read_back_what_they_show() {
        let customer = Identity::Customer(CustomerPseudonym([7; 7]));
        let hint = Identity::Hint(HintPseudonym([9; 10]));
        for identity in [customer, hint] {
            assert_eq!(identity.to_string().parse(), Ok(identity));
        }
        assert_eq!("x.abc".parse::<Identity>(), Err(IdError::Pseudonym));
    }
}
