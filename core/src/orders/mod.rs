//! What becomes of an order, from its report to its rewards.

pub mod claims;
pub mod events;
mod fold;
pub(crate) mod losses;
pub mod state;
