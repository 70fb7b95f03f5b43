//! What becomes of an order, from its report to its rewards, and of an advocate's orders together.

pub mod account;
pub mod claims;
pub mod events;
mod fold;
pub(crate) mod losses;
pub mod state;
