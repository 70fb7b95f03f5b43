//! An order from its report to its rewards.

pub mod claims;
