//! The document, read again: by a reader of PDFs that shares nothing with what made it.

mod command;
mod document;
mod half_year;
mod hostile;
mod read;
