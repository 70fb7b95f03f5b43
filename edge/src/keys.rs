//! The names of all keys in the store, one type per prefix. Parts are separated by `/`; what a list
//! needs comes first.

use std::fmt;
use std::str::FromStr;

use passalong_core::alias::{Alias, AliasClaim};
use passalong_core::fact::FactKey;
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym, ProgramId};
use passalong_core::missing_referral::{self, Outcome};
use passalong_core::reward::RewardId;
use passalong_core::time::{Day, Instant, Minute};

/// What all keys begin with that tell the cron what there is to do. In byte order: pools to draw
/// from (`todo.coupons`) and what is done (`todo.days`, `todo.folded`) amid erasures (`todo.alias`,
/// `todo.erased`), then missing referrals (`todo.missing`), orders by time (`todo.order`) and messages to
/// deliver (`todo.outbox`). So the first page of one list says it all, as a rule.
pub const TODO: &str = "todo.";

/// Declares a key: its fields, in order, are the parts of its text.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $(pub $field: $type),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                $(write!(f, "/{}", self.$field)?;)+
                Ok(())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let mut parts = text.split('/');
                if parts.next() != Some($prefix) {
                    return Err(());
                }
                let key = Self {
                    $($field: parts.next().and_then(|part| part.parse().ok()).ok_or(())?),+
                };
                if parts.next().is_some() { Err(()) } else { Ok(key) }
            }
        }

        impl $name {
            /// What all keys that begin with these parts begin with.
            pub fn prefix(parts: &[&dyn fmt::Display]) -> String {
                let mut text = format!("{}/", $prefix);
                for part in parts {
                    text.push_str(&part.to_string());
                    text.push('/');
                }
                text
            }
        }
    };
}

key!(
    /// One version of a program's terms.
    ProgramKey "program" { program: ProgramId, valid_from: Minute, digest: Digest }
);
key!(
    /// A generation of a program's keys that counts no more. Listed with the program, so that no
    /// request pays for it.
    RevokedKey "program" { program: ProgramId, generation: Revoked }
);
key!(
    /// One field of a customer: see [`Field`].
    CustomerKey "customer" { program: ProgramId, customer: CustomerPseudonym, field: Field }
);
key!(
    /// Visitors of one batch window.
    ClickKey "click" { program: ProgramId, day: Day, customer: CustomerPseudonym, batch: Batch }
);
key!(
    /// The unique clicks of a closed day, recomputed from [`ClickKey`]s.
    ClicksKey "clicks" { program: ProgramId, customer: CustomerPseudonym, day: Day }
);
key!(
    /// How far the folding of a day has come.
    FoldedKey "todo.folded" { program: ProgramId, day: Day }
);
key!(
    /// A day whose clicks are folded, of all programs.
    DayKey "todo.days" { day: Day }
);
key!(
    /// A pointer: look at this order then. By time first, so that one list serves all programs.
    DueKey "todo.order" { at: Minute, program: ProgramId, ledger: Ledger, order: OrderPseudonym }
);
key!(
    /// A fact of an advocate's ledger.
    LedgerKey "ledger" {
        program: ProgramId, customer: CustomerPseudonym, order: OrderPseudonym, fact: FactKey
    }
);
key!(
    /// An order under one of the identities of whoever placed it, by accepted minute.
    PersonKey "person" { program: ProgramId, identity: Identity, seen: Seen }
);
key!(
    /// An event as it came, whether or not its order is known.
    EventKey "event" { program: ProgramId, order: OrderPseudonym, fact: FactKey }
);
key!(
    /// A report of an order, written last.
    OrderKey "order" { program: ProgramId, order: OrderPseudonym, fact: FactKey }
);
key!(
    /// An order in the list of its day.
    LogKey "log" { program: ProgramId, day: Day, order: OrderPseudonym, ledger: Ledger }
);
key!(
    /// A tap on a share button.
    ShareKey "share" { program: ProgramId, day: Day, customer: CustomerPseudonym, batch: Batch }
);
key!(
    /// A customer says that an order came by a recommendation, under the number of that order.
    MissingKey "missing" { program: ProgramId, number: OrderPseudonym, filed: Filed }
);
key!(
    /// That a customer reported a missing referral, and not which: it outlives an erasure.
    FiledKey "filed" { program: ProgramId, customer: CustomerPseudonym, filed: Posted }
);
key!(
    /// The order that has a number, where the number is not its id.
    NumberKey "number" { program: ProgramId, number: OrderPseudonym, order: OrderPseudonym }
);
key!(
    /// The order that a report of a missing referral is about, for the merchant's list.
    FoundKey "found" { program: ProgramId, filed: Filed, order: OrderPseudonym }
);
key!(
    /// A pointer: look once more for the order of a missing referral.
    DueMissingKey "todo.missing" {
        at: Minute, program: ProgramId, number: OrderPseudonym, filed: Filed
    }
);
key!(
    /// The merchant's decision on a missing referral, listed with the reports of its order.
    DecisionKey "order" { program: ProgramId, order: OrderPseudonym, decision: Decision }
);
key!(
    /// Clicks and shares of a closed day, of all advocates together.
    StatsKey "stats" { program: ProgramId, day: Day }
);
key!(
    /// What the merchant said of all customers on a day; the greatest key of a day counts.
    TotalsKey "totals" { program: ProgramId, day: Day, report: Posted }
);
key!(
    /// A customer whose erasure is repeated.
    ErasedKey "todo.erased" { program: ProgramId, customer: CustomerPseudonym }
);
key!(
    /// An endpoint of the merchant's webhooks, and what happened to it. Listed with the program, so
    /// that no request pays for it.
    EndpointKey "program" { program: ProgramId, endpoint: EndpointPart }
);
key!(
    /// A message to the merchant.
    MessageKey "outbox" { program: ProgramId, message: Digest }
);
key!(
    /// A pointer: make this attempt to deliver a message then. By endpoint first, so that none waits
    /// behind another; after the orders, so that no order does.
    AttemptKey "todo.outbox" {
        program: ProgramId, endpoint: Digest, at: Minute, message: Digest, attempt: u8
    }
);
key!(
    /// An attempt that was made.
    DeliveryKey "delivery" {
        program: ProgramId, endpoint: Digest, at: Latest, message: Digest, attempt: u8
    }
);

key!(
    /// A customer's claim on an alias.
    AliasKey "alias" { program: ProgramId, alias: Alias, claim: AliasClaim }
);

key!(
    /// A claim on an alias that may come late although its customer was erased.
    ErasedAliasKey "todo.alias" {
        program: ProgramId, customer: CustomerPseudonym, claim: Digest
    }
);
key!(
    /// Codes that were uploaded together.
    UploadKey "pool" { program: ProgramId, pool: Digest, accepted: Minute, digest: Digest }
);
key!(
    /// A reward's place in the queue for a code.
    QueueKey "queue" { program: ProgramId, pool: Digest, since: Minute, reward: RewardId }
);
key!(
    /// How far the queue of a pool has been served.
    DrawnKey "drawn" { program: ProgramId, pool: Digest }
);
key!(
    /// A pointer: draw from this pool then.
    DuePoolKey "todo.coupons" { at: Minute, program: ProgramId, pool: Digest }
);

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
        Some(customer) => write!(f, "{customer}"),
        None => f.write_str("-"),
    },
    text,
    match text {
        "-" => Ok(Self(None)),
        text => text.parse().map(|customer| Self(Some(customer))).map_err(|_| ()),
    }
);

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
    f.write_str(&passalong_core::text::base32(&self.0)),
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
    /// An alias, and the minute in which it was chosen: see [`AliasKey`].
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is stored stays: a changed name would lose what merchants have.
    #[test]
    fn keys_are_named_as_pinned() {
        fn check<K: FromStr<Err = ()> + fmt::Display>(text: &str) {
            assert_eq!(text.parse::<K>().unwrap().to_string(), text);
            for wrong in [&text[1..], &text[..text.len() - 1], &format!("{text}/x")] {
                assert!(wrong.parse::<K>().is_err(), "{wrong}");
            }
        }
        let fact = "202611220800.conversion.0123456789abcdef";
        check::<ProgramKey>("program/teehaus/202611220800/0123456789abcdef");
        check::<RevokedKey>("program/teehaus/revoked.1");
        check::<CustomerKey>("customer/teehaus/0123456789a0/id");
        check::<CustomerKey>("customer/teehaus/0123456789a0/hints.202611220800.0123456789abcdef");
        check::<CustomerKey>("customer/teehaus/0123456789a0/segment.202611220800.0123456789abcdef");
        check::<CustomerKey>("customer/teehaus/0123456789a0/alias.202611220800.TEE4");
        check::<CustomerKey>("customer/teehaus/0123456789a0/erased");
        check::<AliasKey>("alias/teehaus/TEE4K7/202611220800.0123456789a0");
        check::<ClickKey>("click/teehaus/20261122/0123456789a0/0123456789abc");
        check::<ClicksKey>("clicks/teehaus/0123456789a0/20261122");
        check::<DayKey>("todo.days/20261122");
        check::<FoldedKey>("todo.folded/teehaus/20261122");
        check::<DueKey>("todo.order/202611220800/teehaus/0123456789a0/0123456789abcdef");
        check::<DueKey>("todo.order/202611220800/teehaus/-/0123456789abcdef");
        check::<LedgerKey>(&format!("ledger/teehaus/0123456789a0/0123456789abcdef/{fact}"));
        let seen = "202611220800.0123456789abcdef.0123456789a0.0123456789abcdef";
        check::<PersonKey>(&format!("person/teehaus/c.0123456789a0/{seen}"));
        let nobodys = "202611220800.0123456789abcdef.-.0123456789abcdef";
        check::<PersonKey>(&format!("person/teehaus/h.0123456789abcdef/{nobodys}"));
        check::<EventKey>(&format!("event/teehaus/0123456789abcdef/{fact}"));
        check::<OrderKey>(&format!("order/teehaus/0123456789abcdef/{fact}"));
        check::<LogKey>("log/teehaus/20261122/0123456789abcdef/0123456789a0");
        check::<ShareKey>("share/teehaus/20261122/0123456789a0/0123456789abc");
        check::<UploadKey>("pool/teehaus/0123456789abcdef/202611220800/0123456789abcdef");
        check::<QueueKey>("queue/teehaus/0123456789abcdef/202611220800/rw_0123456789abcdef04");
        check::<DrawnKey>("drawn/teehaus/0123456789abcdef");
        check::<DuePoolKey>("todo.coupons/202611220800/teehaus/0123456789abcdef");
        check::<MissingKey>("missing/teehaus/0123456789abcdef/202611220800.0123456789a0.20261120");
        check::<FiledKey>("filed/teehaus/0123456789a0/202611220800.0123456789abcdef");
        check::<NumberKey>("number/teehaus/0123456789abcdef/0123456789abcdef");
        check::<FoundKey>("found/teehaus/202611220800.0123456789a0.20261120/0123456789abcdef");
        let due = "202611220800/teehaus/0123456789abcdef/202611220800.0123456789a0.20261120";
        check::<DueMissingKey>(&format!("todo.missing/{due}"));
        check::<DecisionKey>("order/teehaus/0123456789abcdef/202611220800.approved.0123456789a0");
        check::<CustomerKey>("customer/teehaus/0123456789a0/missing.202611220800.0123456789abcdef");
        check::<CustomerKey>(
            "customer/teehaus/0123456789a0/decided.202611220800.0123456789abcdef.declined",
        );
        check::<StatsKey>("stats/teehaus/20261122");
        check::<TotalsKey>("totals/teehaus/20261122/202611220800.0123456789abcdef");
        check::<ErasedAliasKey>("todo.alias/teehaus/0123456789a0/0123456789abcdef");
        check::<ErasedKey>("todo.erased/teehaus/0123456789a0");
        check::<EndpointKey>("program/teehaus/endpoint.0123456789abcdef");
        check::<EndpointKey>("program/teehaus/endpoint.0123456789abcdef.disabled");
        check::<EndpointKey>("program/teehaus/endpoint.0123456789abcdef.rotated.2");
        check::<MessageKey>("outbox/teehaus/0123456789abcdef");
        check::<AttemptKey>("todo.outbox/teehaus/0123456789abcdef/202611220800/0123456789abcdef/2");
        check::<DeliveryKey>("delivery/teehaus/0123456789abcdef/8204665599/0123456789abcdef/2");
    }
}
