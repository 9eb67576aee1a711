//! What keeps an identity from being used, before anything is started: every fault at once, each under the
//! key of the configuration that it lies in. It reads files and opens no port.

use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{
    Config, StartError,
    caller::{Caller, Kind},
    mesh,
    revoked::Revoked,
    telemetry, tls,
};

/// One fault: the key it lies in, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The key, as `table.key`.
    pub key: String,
    /// What is wrong with its value.
    pub fault: String,
}

/// Faults as they are gathered.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, key: impl Into<String>, fault: impl Into<String>) {
        self.0.push(Fault { key: key.into(), fault: fault.into() });
    }

    /// Adds an error with its causes.
    pub fn error(&mut self, key: impl Into<String>, error: &dyn std::error::Error) {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let words: Vec<String> = causes.map(ToString::to_string).collect();
        self.add(key, words.join(": "));
    }

    /// Adds a fault when a value that must be there is not; says whether it is there.
    pub fn required(&mut self, key: &str, value: &str) -> bool {
        if value.trim().is_empty() {
            self.add(key, "is empty; it has no default");
        }
        !value.trim().is_empty()
    }

    /// What was found.
    pub fn found(self) -> Vec<Fault> {
        self.0
    }
}

/// The faults of the `[server]` table of a process that answers as `service`.
pub fn server(config: &Config, service: &str, now: OffsetDateTime, faults: &mut Faults) {
    address("server.listen", &config.listen, faults);
    if !config.health_listen.is_empty() {
        address("server.health_listen", &config.health_listen, faults);
    }
    faults.required("server.trust_domain", &config.trust_domain);
    for (key, value) in [
        ("server.deadline_max_seconds", config.deadline_max_seconds),
        ("server.stream_max_seconds", config.stream_max_seconds),
        ("server.handshake_max_seconds", config.handshake_max_seconds),
        ("server.handshakes_max", config.handshakes_max as u64),
        ("server.handshakes_per_address_max", config.handshakes_per_address_max as u64),
        ("server.streams_max", config.streams_max.into()),
        ("server.calls_max", config.calls_max as u64),
        ("server.calls_per_caller_max", config.calls_per_caller_max as u64),
        ("server.connections_max", config.connections_max as u64),
        ("server.connections_per_caller_max", config.connections_per_caller_max as u64),
        ("server.readiness_seconds", config.readiness_seconds),
    ] {
        if value == 0 {
            faults.add(key, "must be at least 1");
        }
    }
    telemetry(&config.telemetry, faults);
    identity("server", &config.files(), service, config, now, faults);
    if faults.required("server.ca", &config.ca) {
        match tls::roots(&config.ca) {
            Err(error) => faults.error("server.ca", &error),
            Ok(roots) if roots.is_empty() => faults.add("server.ca", "holds no certificate"),
            Ok(_) => {}
        }
    }
    if !config.crl.is_empty()
        && let Err(error) = tls::revocations(&config.crl, now)
    {
        faults.error("server.crl", &error);
    }
    if let Err(error) = Revoked::read(&config.revoked_identities, &config.trust_domain) {
        faults.error("server.revoked_identities", &error);
    }
    mesh::read(&config.mesh, &config.trust_domain, faults);
}

fn telemetry(config: &telemetry::Config, faults: &mut Faults) {
    if !config.listen.is_empty() {
        address("server.telemetry.listen", &config.listen, faults);
    }
    if !config.otlp_endpoint.is_empty() {
        match config.otlp_endpoint.strip_prefix("http://") {
            Some(rest) => address("server.telemetry.otlp_endpoint", rest, faults),
            None => faults.add("server.telemetry.otlp_endpoint", "is not `http://host:port`"),
        }
    }
    if config.otlp_seconds == 0 {
        faults.add("server.telemetry.otlp_seconds", "must be at least 1");
    }
    if !(0.0..=1.0).contains(&config.traces_ratio) {
        faults.add("server.telemetry.traces_ratio", "must be between 0 and 1");
    }
}

/// The faults of the identity of a service: certificate and key under `<table>.certificate` and
/// `<table>.key`.
pub fn identity(
    table: &str,
    files: &tls::Files,
    service: &str,
    config: &Config,
    now: OffsetDateTime,
    faults: &mut Faults,
) {
    let (certificate_key, key_key) = (format!("{table}.certificate"), format!("{table}.key"));
    let mut certificate = None;
    if faults.required(&certificate_key, &files.certificate) {
        match tls::chain(&files.certificate) {
            Err(error) => faults.error(&certificate_key, &error),
            Ok(chain) if chain.is_empty() => faults.add(&certificate_key, "holds no certificate"),
            Ok(chain) => certificate = Some(chain),
        }
    }
    let mut key = None;
    if faults.required(&key_key, &files.key) {
        match tls::key(&files.key) {
            Err(error) => faults.error(&key_key, &error),
            Ok(read) => key = Some(read),
        }
    }
    let Some(chain) = certificate else { return };
    if let Some(der) = chain.first() {
        for fault in of_certificate(der, service, &config.trust_domain, now) {
            faults.add(certificate_key.as_str(), fault);
        }
    }
    if let Some(key) = key
        && let Err(error) = rustls::sign::CertifiedKey::from_der(chain, key, &tls::provider())
    {
        let fault = if matches!(error, rustls::Error::InconsistentKeys(_)) {
            "is not the key of the certificate".to_owned()
        } else {
            StartError::Tls(error).to_string()
        };
        faults.add(key_key, fault);
    }
}

/// What is wrong with a certificate of one of our services.
fn of_certificate(
    der: &[u8],
    service: &str,
    trust_domain: &str,
    now: OffsetDateTime,
) -> Vec<String> {
    let mut faults = Vec::new();
    match Caller::from_certificate(der, trust_domain).map(|caller| caller.kind().clone()) {
        Err(error) => faults.push(format!("{error} (`spiffe://{trust_domain}/…`)")),
        Ok(Kind::Service(found)) if found == service => {}
        Ok(Kind::Service(found)) => {
            faults.push(format!("is of service `{found}`, not `{service}`"))
        }
        Ok(Kind::System { .. } | Kind::Operator(_)) => {
            faults.push(format!("is not that of service `{service}`"));
        }
    }
    if let Ok((_, parsed)) = X509Certificate::from_der(der) {
        let validity = parsed.validity();
        if validity.not_after.to_datetime() <= now {
            faults.push("has expired".to_owned());
        }
        if validity.not_before.to_datetime() > now {
            faults.push("is not valid yet".to_owned());
        }
    }
    faults
}

/// The faults of an address `host:port`.
pub fn address(key: &str, address: &str, faults: &mut Faults) {
    if !faults.required(key, address) {
        return;
    }
    let parts = address.rsplit_once(':');
    if !parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        faults.add(key, "is not `host:port`");
    }
}
