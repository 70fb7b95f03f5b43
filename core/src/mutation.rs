//! Deliberate faults: what would go wrong if a rule of the design were broken. The simulator turns
//! one on at a time and must notice. Without the feature `mutations`, which nothing that is
//! deployed has, none can be on, and nothing of them is compiled in.

/// A broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Clicks are a counter that is read, changed and written back, instead of facts.
    Counter,
    /// A reward is approved when its time has come, without a verdict.
    ApprovedWithoutVerdict,
    /// An order's last key is written first.
    OrderFirst,
    /// A write that failed is not tried again.
    NoRetry,
    /// Claims on a friend rank by when the order occurred, instead of when it was accepted.
    RankedByOccurrence,
    /// The cron adds what it finds to what it wrote before, instead of computing it anew.
    Adding,
    /// An alias can be ordered with as soon as somebody chose it.
    AliasAtOnce,
}

impl Mutation {
    pub const ALL: [Self; 7] = [
        Self::Counter,
        Self::ApprovedWithoutVerdict,
        Self::OrderFirst,
        Self::NoRetry,
        Self::RankedByOccurrence,
        Self::Adding,
        Self::AliasAtOnce,
    ];
}

#[cfg(feature = "mutations")]
mod state {
    use std::cell::Cell;

    thread_local! {
        pub static ON: Cell<Option<super::Mutation>> = const { Cell::new(None) };
    }
}

/// Turns one on, for this thread, or all off.
#[cfg(feature = "mutations")]
pub fn set(mutation: Option<Mutation>) {
    state::ON.set(mutation);
}

#[cfg(feature = "mutations")]
pub fn is_on(mutation: Mutation) -> bool {
    state::ON.get() == Some(mutation)
}

#[cfg(not(feature = "mutations"))]
pub const fn is_on(_: Mutation) -> bool {
    false
}
