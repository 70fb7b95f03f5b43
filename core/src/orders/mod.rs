//! What becomes of an order.

pub mod events;
mod fold;
pub(crate) mod losses;
pub mod state;
