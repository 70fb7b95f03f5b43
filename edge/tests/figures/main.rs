//! What a merchant reads in bulk: files and statistics, whole however many orders there are, and
//! within the operations that one request may do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod export;
mod reach;
mod retention;
mod stats;
