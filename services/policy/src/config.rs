//! What the operator sets. Every key has its default and its explanation in `config/default.toml`.

use std::path::PathBuf;

use serde::Deserialize;

/// The defaults, as TOML.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Settings of the policy service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// URL of its database.
    pub database: String,
    /// A registry file to apply at start.
    pub registry_file: Option<PathBuf>,
    /// How long a decision is kept at most, in seconds.
    pub table_seconds_max: u32,
}
