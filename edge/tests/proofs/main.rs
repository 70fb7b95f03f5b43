//! Whom an order is credited to by what was typed: aliases, from their choice to their erasure, and
//! what a shop may take off before there is an order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

mod aliases;
mod erased_aliases;
mod offers;
mod persons;
mod several;
mod shop_words;
