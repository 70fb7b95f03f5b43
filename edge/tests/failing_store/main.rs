//! What must hold while the store fails, requests are cut off, and many come at once. Each file
//! makes the claims of one use case; `support` is the store that fails on command.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod availability;
mod clicks;
mod cron;
mod cut_off;
mod erasure;
mod limits;
mod long_ledgers;
mod pools;
mod reports;
mod rewards;
