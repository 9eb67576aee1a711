//! Layered configuration, and the keys of the `[server]` table.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{StartError, mesh, telemetry, tls};

/// The commented defaults of every key of `[server]`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

/// Whether nobody but its owner can read a file, such as one that holds a key.
///
/// # Errors
/// When it cannot be looked at.
pub fn is_private(path: &Path) -> std::io::Result<bool> {
    Ok(path.metadata()?.permissions().mode() & 0o077 == 0)
}

/// How a process listens and who it is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 lets the system choose.
    pub listen: String,
    /// Address and port at which health alone is answered, without TLS; empty for none.
    pub health_listen: String,
    /// Whether callers are told what the published services look like.
    pub reflection: bool,
    /// The trust domain of every identity, own and others'.
    pub trust_domain: String,
    /// PEM file of the server certificate chain.
    pub certificate: String,
    /// PEM file of its private key.
    pub key: String,
    /// PEM file of the CA certificates that callers and services are verified against.
    pub ca: String,
    /// PEM file of the revocation lists of those CAs; empty when nothing is revoked.
    pub crl: String,
    /// Text file of the identities that are let in and called no longer; empty when none is.
    pub revoked_identities: String,
    /// A call without a deadline gets this one; a longer one is cut to it.
    pub deadline_max_seconds: u64,
    /// The same for a stream on which the caller goes on asking.
    pub stream_max_seconds: u64,
    /// A handshake that takes longer is cut.
    pub handshake_max_seconds: u64,
    /// Handshakes under way at the same time.
    pub handshakes_max: usize,
    /// Of these, from one address; one more is ended at once.
    pub handshakes_per_address_max: usize,
    /// Streams at the same time on one connection.
    pub streams_max: u32,
    /// Calls under way at the same time, of all callers, in an order of priorities (`caller::Priority`).
    pub calls_max: usize,
    /// Calls under way at the same time, of one agency's system.
    pub calls_per_caller_max: usize,
    /// Connections open at the same time, of all callers; an eighth is kept for our own services.
    pub connections_max: usize,
    /// Connections open at the same time, of one agency's system.
    pub connections_per_caller_max: usize,
    /// How often each service looks whether what it stands on is there.
    pub readiness_seconds: u64,
    /// A connection is ended, gently, at this age, give or take a tenth.
    pub connection_age_seconds: u64,
    /// A connection without a call for so long is ended.
    pub connection_idle_seconds: u64,
    /// How long open calls may take after that before the connection is cut.
    pub connection_grace_seconds: u64,
    /// After SIGTERM: how long connections are still accepted while health says NOT_SERVING.
    pub lame_duck_seconds: u64,
    /// After that: how long open calls may take before their connections are cut.
    pub drain_max_seconds: u64,
    /// How our own services come through the proxy of a mesh.
    pub mesh: mesh::Config,
    /// Metrics and traces of the process.
    pub telemetry: telemetry::Config,
}

impl Config {
    /// The files of the process's own identity.
    pub fn files(&self) -> tls::Files {
        tls::Files {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            ca: self.ca.clone(),
            crl: self.crl.clone(),
            revoked_identities: self.revoked_identities.clone(),
        }
    }
}

/// A value that is never shown: Debug and the printed configuration say `[hidden]`.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a value from being shown.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "[hidden]" })
    }
}

/// Reads the effective configuration: the commented defaults of each part, then the file, then
/// environment variables of the form `LIENTHONG__<TABLE>__<KEY>`. A key that nothing knows is refused.
///
/// # Errors
/// [`StartError::Configuration`], which names the key.
pub fn load<T: DeserializeOwned>(defaults: &[&str], file: Option<&Path>) -> Result<T, StartError> {
    let mut builder = ::config::Config::builder();
    for text in defaults {
        builder = builder.add_source(::config::File::from_str(text, ::config::FileFormat::Toml));
    }
    if let Some(path) = file {
        builder = builder.add_source(::config::File::from(path).format(::config::FileFormat::Toml));
    }
    let environment = ::config::Environment::with_prefix("LIENTHONG").separator("__");
    let merged = builder.add_source(environment.try_parsing(true)).build();
    merged.and_then(::config::Config::try_deserialize).map_err(StartError::Configuration)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        server: Config,
    }

    fn with(text: &str) -> Result<Settings, StartError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(&[DEFAULTS], Some(file.path()))
    }

    #[test]
    fn a_file_is_laid_over_the_defaults_and_unknown_keys_are_refused() {
        let settings = with("[server]\nlisten = \"0.0.0.0:1\"\n").unwrap();
        assert_eq!(settings.server.listen, "0.0.0.0:1");
        assert_eq!(settings.server.streams_max, 200);
        for (text, named) in
            [("[server]\nlisten_on = 1\n", "listen_on"), ("[servers]\n", "servers")]
        {
            let error = with(text).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(named), "{cause}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("postgres://u:canary@h/d");
        assert!(!format!("{secret:?}").contains("canary"));
        assert!(!serde_json::to_string(&secret).unwrap().contains("canary"));
    }
}
