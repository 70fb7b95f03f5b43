//! An advocate's orders together: what no order says by itself.

pub mod account;
