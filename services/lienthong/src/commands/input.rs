//! What a command reads: a file, or standard input.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, Result, bail};

/// The longest input, in bytes.
pub(crate) const BYTES_MAX: usize = 1 << 20;

/// The bytes of a file; `-` is standard input.
///
/// # Errors
/// When it cannot be read, or is longer than [`BYTES_MAX`].
pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>> {
    if file == Path::new("-") {
        return limited(io::stdin()).context("cannot read standard input");
    }
    let shown = file.display();
    File::open(file)
        .map_err(Into::into)
        .and_then(limited)
        .with_context(|| format!("cannot read `{shown}`"))
}

/// The text of a file; `-` is standard input.
///
/// # Errors
/// When it cannot be read, is longer than [`BYTES_MAX`], or is no UTF-8.
pub(crate) fn text(file: &Path) -> Result<String> {
    String::from_utf8(bytes(file)?)
        .ok()
        .with_context(|| format!("`{}` is no UTF-8", file.display()))
}

fn limited(from: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > BYTES_MAX {
        bail!("it is longer than {BYTES_MAX} bytes");
    }
    Ok(bytes)
}

/// What is wrong with a document, and where; without the value that stands there, which may be of a person.
pub(crate) fn without_values(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let found = words.starts_with("invalid type") || words.starts_with("invalid value");
    match words.split_once(", expected ") {
        Some((_, expected)) if found => format!("expected {expected}"),
        _ => words,
    }
}
