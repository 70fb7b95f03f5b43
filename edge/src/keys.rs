//! The names of all keys in the store, one type per prefix. Parts are separated by `/`; what a list
//! needs comes first.

mod parts;

use std::fmt::{self, Write};
use std::str::FromStr;

use passalong_core::alias::{Alias, AliasClaim};
use passalong_core::fact::FactKey;
use passalong_core::ids::{CustomerPseudonym, Digest, Identity, OrderPseudonym, ProgramId};
use passalong_core::reward::RewardId;
use passalong_core::time::{Day, Minute};

pub use parts::{
    About, Batch, Decision, EndpointPart, Field, Filed, Latest, Ledger, Posted, Revoked, Saved,
    Seen, Why,
};

/// What all keys begin with that tell the cron what there is to do. In byte order: pools to draw
/// from (`todo.coupons`) and what is done (`todo.days`, `todo.folded`) amid erasures (`todo.alias`,
/// `todo.erased`), then missing referrals (`todo.missing`), orders by time (`todo.order`) and messages to
/// deliver (`todo.outbox`). So the first page of one list says it all, as a rule.
pub const TODO: &str = "todo.";

/// Room for the text of a key: few are longer, in bytes.
pub const LONG: usize = 112;

/// Declares a key: its fields, in order, are the parts of its text.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $(pub $field: $type),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                $(f.write_str("/")?; fmt::Display::fmt(&self.$field, f)?;)+
                Ok(())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let rest = text.strip_prefix($prefix).and_then(|rest| rest.strip_prefix('/'));
                let mut parts = rest.ok_or(())?.split('/');
                let key = Self {
                    $($field: parts.next().and_then(|part| part.parse().ok()).ok_or(())?),+
                };
                if parts.next().is_some() { Err(()) } else { Ok(key) }
            }
        }

        impl $name {
            /// Whether a listed key is one of these. It may still be one that cannot be read.
            pub fn is(key: &str) -> bool {
                key.strip_prefix($prefix).is_some_and(|rest| rest.starts_with('/'))
            }

            /// What all keys that begin with these parts begin with.
            pub fn prefix(parts: &[&dyn fmt::Display]) -> String {
                let mut text = String::with_capacity(LONG);
                text.push_str($prefix);
                text.push('/');
                for part in parts {
                    // A text takes whatever is written to it.
                    let _taken = write!(text, "{part}/");
                }
                text
            }
        }
    };
}

key!(
    /// That there is such a program: written once, after its first terms. All programs share this one
    /// list, so it holds one small key for each.
    ProgramKey "program" { program: ProgramId }
);
key!(
    /// One version of a program's terms. All settings of a program are in one list: what is small and
    /// what is revoked comes before the terms, of which there may be many.
    TermsKey "settings" { program: ProgramId, version: Saved }
);
key!(
    /// A generation of a program's keys that counts no more.
    RevokedKey "settings" { program: ProgramId, generation: Revoked }
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
    /// A pointer: look at this order then. By time first, so that one list serves all programs. Why is
    /// part of it, so that two reasons in one minute are two keys.
    DueKey "todo.order" {
        at: Minute, program: ProgramId, ledger: Ledger, order: OrderPseudonym, why: Why
    }
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
    /// An endpoint of the merchant's webhooks, and what happened to it.
    EndpointKey "settings" { program: ProgramId, endpoint: EndpointPart }
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
        check::<ProgramKey>("program/te");
        check::<TermsKey>("settings/teehaus/terms.20261122080000123.0123456789abcdef");
        check::<RevokedKey>("settings/teehaus/revoked.1");
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
        check::<DueKey>("todo.order/202611220800/teehaus/0123456789a0/0123456789abcdef/look");
        check::<DueKey>("todo.order/202611220800/teehaus/0123456789a0/0123456789abcdef/audit");
        check::<DueKey>("todo.order/202611220800/teehaus/-/0123456789abcdef/event");
        check::<DueKey>("todo.order/202611220800/teehaus/0123456789a0/0123456789abcdef/expiring");
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
        check::<EndpointKey>("settings/teehaus/endpoint.0123456789abcdef");
        check::<EndpointKey>("settings/teehaus/endpoint.0123456789abcdef.disabled");
        check::<EndpointKey>("settings/teehaus/endpoint.0123456789abcdef.rotated.2");
        check::<MessageKey>("outbox/teehaus/0123456789abcdef");
        check::<AttemptKey>("todo.outbox/teehaus/0123456789abcdef/202611220800/0123456789abcdef/2");
        check::<DeliveryKey>("delivery/teehaus/0123456789abcdef/8204665599/0123456789abcdef/2");
    }
}
