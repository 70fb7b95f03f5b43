//! What the words of a referral programme mean.
//!
//! This crate is pure: it has no I/O, no clock, no randomness and no floats. `now`, nonces and
//! keys are arguments. How it is stored and served is `passalong-edge`'s business, what a customer
//! sees is `passalong-widget`'s.
#![forbid(unsafe_code)]
// Nothing that serves a request may panic: it would take the requests beside it along.
#![cfg_attr(
    not(test),
    deny(
        clippy::get_unwrap,
        clippy::panic,
        clippy::string_slice,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_in_result
    )
)]

pub mod alias;
pub mod channel;
pub mod click_token;
pub mod code;
pub mod csv;
pub mod decode;
pub mod export;
pub mod fact;
pub mod figures;
pub mod generation;
pub mod identity_token;
pub mod ids;
mod jwt;
pub mod keys;
mod mac;
pub mod merchant_signature;
pub mod metrics;
pub mod missing_referral;
pub mod money;
pub mod mutation;
pub mod orders;
pub mod pool;
pub mod program;
pub mod report;
pub mod reward;
pub mod seal;
pub mod settlement;
pub mod shop;
pub mod shop_identity;
pub mod signed_conversion;
pub mod status;
pub mod terms;
pub mod text;
pub mod time;
pub mod token_problem;
pub mod totals;
pub mod values;
pub mod visit;
pub mod webhook;
pub mod wire;
pub mod words;
