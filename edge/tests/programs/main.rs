//! Programs as locations and isolates know them: their terms, keys and endpoints, and lists too long
//! to be read to their end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod lists;
mod reasons;
mod terms;
