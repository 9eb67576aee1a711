//! The document, read again: by a reader of PDFs that shares nothing with what made it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod command;
mod document;
mod half_year;
mod hostile;
mod read;
