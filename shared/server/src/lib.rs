//! The server core that every service stands on: accepting, TLS, who calls, deadlines, draining,
//! health, errors, and the channels to other services.
//!
//! It exists because of measured defects of the stack below it: tonic's own server reloads no
//! certificate, answers a passed deadline with CANCELLED and drains without a deadline. So tonic gives
//! the codec and the router here, and the connections are ours.
//!
//! | module | job |
//! |---|---|
//! | `accept` | listener, one task per connection, drain |
//! | `body` | what an answer holds until it is sent |
//! | `call` | one call: past identity, method table and deadline to its handler |
//! | `caller` | the SPIFFE identity in the client certificate, and who may call what |
//! | `channel` | outgoing connections to other services |
//! | `config` | layered configuration, and the keys of the `[server]` table |
//! | `connection` | one connection: handshake, calls, and its end by age, idleness or drain |
//! | `deadline` | `grpc-timeout`, honoured and passed on |
//! | `error` | the one form of an error on the wire |
//! | `handshake` | how many handshakes are under way, in all and from one address |
//! | `health` | readiness of the process and its services, and liveness apart from it |
//! | `inspect` | what keeps an identity from being used, every fault at once |
//! | `limits` | calls under way and connections open, of one caller and of all |
//! | `mesh` | from the proxy of a service mesh instead of our own TLS |
//! | `observed` | what is told of a call: log, measurement, span |
//! | `patience` | the end of a connection whose peer takes nothing |
//! | `plain` | HTTP/1.1 without TLS, for what needs none |
//! | `probe` | health alone, without TLS, for probes of the machine that runs the process |
//! | `reflection` | the published services, described to whoever asks |
//! | `reload` | certificate, key, CA and what is revoked, read again when they change |
//! | `revoked` | identities that are let in no longer, whatever their certificate |
//! | `runtime` | time and randomness, injected |
//! | `shed` | what was refused for want of room, to be recorded |
//! | `signed` | signatures by the keys of certificates, over bytes that are kept |
//! | `telemetry` | metrics and traces |
//! | `tls` | rustls configurations from PEM files |
//! | `trace` | request id and trace context, on every call and what it calls |
//! | `web` | HTTP/1.1 with our own TLS, by client certificate |
//! | `who` | who makes a call, and who only claims to |

pub mod accept;
mod body;
mod call;
pub mod caller;
pub mod channel;
pub mod config;
mod connection;
pub mod deadline;
pub mod error;
mod handshake;
pub mod health;
pub mod inspect;
mod limits;
pub mod mesh;
mod observed;
mod patience;
pub mod plain;
mod probe;
mod reflection;
mod reload;
mod revoked;
pub mod runtime;
mod shed;
pub mod signed;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod trace;
pub mod web;
mod who;

pub use accept::{Running, Server};
pub use call::{Closing, ShownCertificate, Thumbprint, context};
pub use caller::Caller;
pub use channel::Channel;
pub use config::Config;
pub use deadline::Deadline;
pub use health::Health;
pub use shed::{Recording, Sent, Shed, ShedCalls};
pub use tonic::service::Routes;
pub use who::Forged;

/// What keeps a server from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A certificate, key or CA file cannot be read.
    #[error("cannot read {what} from `{path}`")]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The certificates do not make a usable TLS configuration.
    #[error("certificate and key are not usable")]
    Tls(#[from] rustls::Error),
    /// CA certificates and revocation lists make no verifier.
    #[error("the CA certificates and revocation lists make no verifier")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// A revocation list is none, or passed its date.
    #[error("the revocation list `{path}` {why}")]
    Revocations {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The list of revoked identities cannot be read, or not whole.
    #[error("the list of revoked identities `{path}` {why}")]
    RevokedIdentities {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The address cannot be bound.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The configuration is not readable or names an unknown key.
    #[error("the configuration is not usable")]
    Configuration(#[source] ::config::ConfigError),
    /// The `mesh` transport is not configured whole.
    #[error("the `mesh` transport is not usable: {0}")]
    Mesh(String),
    /// Metrics or traces cannot be sent as configured.
    #[error("telemetry cannot be set up as configured")]
    Telemetry(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An endpoint of another service is not an address.
    #[error("`{0}` is not `host:port`")]
    Endpoint(String),
}
