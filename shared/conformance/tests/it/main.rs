//! The kit against a database that keeps the contract, and against one that breaks one rule at a time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod core;
mod database;
mod faults;
mod kit;
mod pki;
mod runs;
