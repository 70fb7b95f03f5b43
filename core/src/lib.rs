//! What the words of a referral programme mean.
//!
//! This crate is pure: it has no I/O, no clock, no randomness and no floats. `now`, nonces and
//! keys are arguments. How it is stored and served is `passalong-edge`'s business, what a customer
//! sees is `passalong-widget`'s.
#![forbid(unsafe_code)]

pub mod ids;
pub mod money;
pub mod text;
pub mod time;
