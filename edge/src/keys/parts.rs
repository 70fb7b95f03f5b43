//! The parts of keys that are a choice, or more than one value.

use std::fmt;
use std::str::FromStr;

use passalong_core::alias::Alias;
use passalong_core::ids::{CustomerPseudonym, Digest, OrderPseudonym};
use passalong_core::missing_referral::{self, Outcome};
use passalong_core::time::{Day, Instant, Minute, Moment};

/// Declares a part of a key that is a choice or a plain word.
macro_rules! part {
    ($name:ident, $self:ident, $f:ident, $show:expr, $text:ident, $read:expr) => {
        impl fmt::Display for $name {
            fn fmt(&$self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $show
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str($text: &str) -> Result<Self, ()> {
                $read
            }
        }
    };
}

/// Whose ledger an order is in; `-` where it has no advocate, or none is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ledger(pub Option<CustomerPseudonym>);

part!(
    Ledger,
    self,
    f,
    match self.0 {
        Some(customer) => customer.fmt(f),
        None => f.write_str("-"),
    },
    text,
    match text {
        "-" => Ok(Self(None)),
        text => text.parse().map(|customer| Self(Some(customer))).map_err(|_| ()),
    }
);

/// Why an order is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// To complete what was cut off, and to settle it.
    Look,
    /// To see, a day after the verdict, whether it would still be the same.
    Audit,
    /// An event came: it is looked for once more a day later, in case that the store was late.
    Event,
    /// One of its rewards will expire.
    Expiring,
}

part!(
    Why,
    self,
    f,
    f.write_str(match self {
        Self::Look => "look",
        Self::Audit => "audit",
        Self::Event => "event",
        Self::Expiring => "expiring",
    }),
    text,
    match text {
        "look" => Ok(Self::Look),
        "audit" => Ok(Self::Audit),
        "event" => Ok(Self::Event),
        "expiring" => Ok(Self::Expiring),
        _ => Err(()),
    }
);

/// From when a version of the terms is valid, and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Saved(pub Moment, pub Digest);

part!(Saved, self, f, write!(f, "terms.{}.{}", self.0, self.1), text, {
    let (from, digest) = text.strip_prefix("terms.").and_then(|it| it.split_once('.')).ok_or(())?;
    Ok(Self(from.parse().map_err(|_| ())?, digest.parse().map_err(|_| ())?))
});

/// An order that a person placed: when it was accepted, whose referral it is, and by which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub accepted: Minute,
    pub order: OrderPseudonym,
    pub ledger: Ledger,
    pub digest: Digest,
}

part!(
    Seen,
    self,
    f,
    write!(f, "{}.{}.{}.{}", self.accepted, self.order, self.ledger, self.digest),
    text,
    {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(());
        let seen = Self {
            accepted: part()?.parse().map_err(|_| ())?,
            order: part()?.parse().map_err(|_| ())?,
            ledger: part()?.parse()?,
            digest: part()?.parse().map_err(|_| ())?,
        };
        if parts.next().is_some() { Err(()) } else { Ok(seen) }
    }
);

/// The number of a revoked generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked(pub u32);

part!(
    Revoked,
    self,
    f,
    write!(f, "revoked.{}", self.0),
    text,
    text.strip_prefix("revoked.").and_then(|text| text.parse().ok()).map(Self).ok_or(())
);

/// A report that supersedes earlier ones: the minute in which it was accepted, and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posted(pub Minute, pub Digest);

part!(Posted, self, f, write!(f, "{}.{}", self.0, self.1), text, {
    let (minute, digest) = text.split_once('.').ok_or(())?;
    Ok(Self(minute.parse().map_err(|_| ())?, digest.parse().map_err(|_| ())?))
});

/// An endpoint, or something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointPart {
    pub id: Digest,
    pub about: About,
}

/// What a key says of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Where it is, and what is sent there.
    Itself,
    /// It answered that it is gone.
    Disabled,
    /// This generation of its secret took over.
    Rotated(u32),
}

part!(
    EndpointPart,
    self,
    f,
    match self.about {
        About::Itself => write!(f, "endpoint.{}", self.id),
        About::Disabled => write!(f, "endpoint.{}.disabled", self.id),
        About::Rotated(generation) => write!(f, "endpoint.{}.rotated.{generation}", self.id),
    },
    text,
    {
        let mut parts = text.split('.');
        let is_endpoint = parts.next() == Some("endpoint");
        let id = parts.next().and_then(|id| id.parse().ok()).filter(|_| is_endpoint).ok_or(())?;
        let about = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => About::Itself,
            (Some("disabled"), None, _) => About::Disabled,
            (Some("rotated"), Some(generation), None) => {
                About::Rotated(generation.parse().map_err(|_| ())?)
            }
            _ => return Err(()),
        };
        Ok(Self { id, about })
    }
);

/// An instant of which the latest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest(pub Instant);

/// Ten digits hold every instant there is.
const END: i64 = 9_999_999_999;

part!(Latest, self, f, write!(f, "{:010}", END - self.0.seconds()), text, {
    let is_whole = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit());
    let left: i64 = text.parse().ok().filter(|_| is_whole).ok_or(())?;
    let at = Instant::from_seconds(END - left);
    if at.seconds() == END - left { Ok(Self(at)) } else { Err(()) }
});

/// A random name, so that two isolates never share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch(pub [u8; 8]);

part!(
    Batch,
    self,
    f,
    passalong_core::text::write_base32(f, &self.0),
    text,
    passalong_core::text::from_base32(text).map(Self).ok_or(())
);

/// Who reported a missing referral, when, and for which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filed {
    pub at: Minute,
    pub customer: CustomerPseudonym,
    pub ordered_on: Day,
}

part!(Filed, self, f, write!(f, "{}.{}.{}", self.at, self.customer, self.ordered_on), text, {
    let mut parts = text.split('.');
    let (at, customer) = since(&mut parts)?;
    let ordered_on = parts.next().and_then(|day| day.parse().ok()).ok_or(())?;
    if parts.next().is_some() { Err(()) } else { Ok(Self { at, customer, ordered_on }) }
});

/// A decision as a part of a key: when, what and about whom. No fact has such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision(pub missing_referral::Decision);

part!(
    Decision,
    self,
    f,
    write!(f, "{}.{}.{}", self.0.at, self.0.outcome, self.0.customer),
    text,
    {
        let mut parts = text.split('.');
        let (at, outcome) = since(&mut parts)?;
        let customer = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
        let decision = missing_referral::Decision { at, customer, outcome };
        if parts.next().is_some() { Err(()) } else { Ok(Self(decision)) }
    }
);

/// What is kept of a customer, each in a key of its own, so that each is erased by one delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The merchant's id, sealed.
    Id,
    /// A set of hints, and the minute from which they count.
    Hints(Minute, Digest),
    /// The segment the shop put the customer into, and the minute from which it counts.
    Segment(Minute, Digest),
    /// A missing referral that the customer reported, and when.
    Missing(Minute, Digest),
    /// What the merchant decided on it, and when.
    Decided(Minute, Digest, Outcome),
    /// An alias, and the minute in which it was chosen: see [`super::AliasKey`].
    Alias(Minute, Alias),
    /// Erased: later writes are dropped while this stands.
    Erased,
}

part!(
    Field,
    self,
    f,
    match self {
        Self::Id => f.write_str("id"),
        Self::Hints(since, digest) => write!(f, "hints.{since}.{digest}"),
        Self::Segment(since, digest) => write!(f, "segment.{since}.{digest}"),
        Self::Missing(filed, digest) => write!(f, "missing.{filed}.{digest}"),
        Self::Decided(at, digest, outcome) => write!(f, "decided.{at}.{digest}.{outcome}"),
        Self::Alias(at, alias) => write!(f, "alias.{at}.{alias}"),
        Self::Erased => f.write_str("erased"),
    },
    text,
    {
        let mut parts = text.split('.');
        let name = parts.next();
        let field = match name {
            Some("id") => Self::Id,
            Some("erased") => Self::Erased,
            Some("hints") => since(&mut parts).map(|(at, digest)| Self::Hints(at, digest))?,
            Some("segment") => since(&mut parts).map(|(at, digest)| Self::Segment(at, digest))?,
            Some("alias") => since(&mut parts).map(|(at, alias)| Self::Alias(at, alias))?,
            Some("missing") => since(&mut parts).map(|(at, digest)| Self::Missing(at, digest))?,
            Some("decided") => {
                let (at, digest) = since(&mut parts)?;
                let outcome = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
                Self::Decided(at, digest, outcome)
            }
            _ => return Err(()),
        };
        if parts.next().is_some() { Err(()) } else { Ok(field) }
    }
);

/// The minute from which a field counts, and what tells it from others.
fn since<'t, T: FromStr>(parts: &mut impl Iterator<Item = &'t str>) -> Result<(Minute, T), ()> {
    let since = parts.next().and_then(|part| part.parse().ok()).ok_or(())?;
    Ok((since, parts.next().and_then(|part| part.parse().ok()).ok_or(())?))
}
