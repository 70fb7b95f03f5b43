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
    /// Coupons are drawn before everybody who stands in the queue can be seen.
    DrawnAtOnce,
    /// A later purchase of a friend counts as the first, if the shop says nothing.
    PaidAgain,
    /// A coupon proves a referral when somebody chose its word for an alias.
    AliasAsCoupon,
    /// Who somebody is is learned from identity tokens only, not from orders.
    HintsFromTokens,
    /// Who is a new customer is the shop's word only; earlier purchases are not asked.
    NewByShopOnly,
    /// An open order of an old customer makes the next one no stranger's.
    OldOneHolds,
    /// A missing referral that the merchant declined counts as approved.
    DeclinedHolds,
    /// An order that was wholly taken back still holds the friend.
    ReversedBinds,
    /// An erasure forgets at once who somebody was, whatever that would have decided.
    ErasureForgets,
    /// All missing referrals count that a customer reports in a month.
    EleventhCounts,
    /// The first proof counts, although a later one is good.
    FirstProof,
    /// An order is never restored or amended.
    NothingRestored,
    /// A state of an order is compared with what was heard before it, not with what it follows.
    HeardInTurn,
    /// A conversion is announced once it is recorded, not before.
    ToldAfter,
    /// A message says when it was told, not when what it tells happened.
    ToldByClock,
}

impl Mutation {
    pub const ALL: [Self; 22] = [
        Self::Counter,
        Self::ApprovedWithoutVerdict,
        Self::OrderFirst,
        Self::NoRetry,
        Self::RankedByOccurrence,
        Self::Adding,
        Self::AliasAtOnce,
        Self::DrawnAtOnce,
        Self::PaidAgain,
        Self::AliasAsCoupon,
        Self::HintsFromTokens,
        Self::NewByShopOnly,
        Self::OldOneHolds,
        Self::DeclinedHolds,
        Self::ReversedBinds,
        Self::ErasureForgets,
        Self::EleventhCounts,
        Self::FirstProof,
        Self::NothingRestored,
        Self::HeardInTurn,
        Self::ToldAfter,
        Self::ToldByClock,
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
