//! Keys of the `[server]` table. Defaults are in `config/default.toml`.

use serde::Deserialize;

/// The commented defaults of every key.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// How a process listens and who it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 lets the system choose.
    pub listen: String,
    /// The trust domain of every identity, own and others'.
    pub trust_domain: String,
    /// PEM file of the server certificate chain.
    pub certificate: String,
    /// PEM file of its private key.
    pub key: String,
    /// PEM file of the CA certificates that callers and services are verified against.
    pub ca: String,
    /// A call without a deadline gets this one; a longer one is cut to it.
    pub deadline_max_seconds: u64,
    /// A handshake that takes longer is cut.
    pub handshake_max_seconds: u64,
    /// Handshakes under way at the same time.
    pub handshakes_max: usize,
    /// Streams at the same time on one connection.
    pub streams_max: u32,
    /// After SIGTERM: how long connections are still accepted while health says NOT_SERVING.
    pub lame_duck_seconds: u64,
    /// After that: how long open calls may take before their connections are cut.
    pub drain_max_seconds: u64,
}
