//! Whom a command calls, and as whom: a running demonstration by its `demo.json`, or everything by itself.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use lienthong::{client::Client, demo::Subject};
use serde::Deserialize;
use server::tls;
use tlog::LogVerifier;

use super::{ground::Ground, output::Ending};

/// Where the services are and who calls.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The `demo.json` of a running demonstration: its endpoint, CA, certificates and log key.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["endpoint", "certificate", "key", "ca"])]
    demo: Option<PathBuf>,
    /// Which caller of the demonstration, by its name in `demo.json`.
    #[arg(long = "as", value_name = "CALLER", requires = "demo")]
    caller: Option<String>,
    /// Where the service listens.
    #[arg(long, value_name = "HOST:PORT")]
    endpoint: Option<String>,
    /// Name that the service's certificate carries; `all` where every service is one process.
    #[arg(long, value_name = "NAME", default_value = "all")]
    service: String,
    /// Trust domain of every identity.
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// PEM file of the CA certificates.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// PEM file of that CA's revocation list: with it, a service whose certificate is on it is not called.
    #[arg(long, value_name = "FILE")]
    crl: Option<PathBuf>,
    /// PEM file of the caller's certificate chain.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File of the access log's verifier key (C2SP vkey): with it, the receipt is checked.
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    /// Sign each request by the key of the certificate, as an agreement may demand.
    #[arg(long)]
    sign: bool,
    /// How long to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// A connection, with what is known of the other side.
pub(crate) struct Connected {
    /// The calls.
    pub(crate) client: Client,
    /// The log's key, where it is known: its text, and the verifier.
    pub(crate) log: Option<(String, LogVerifier)>,
    /// What the caller of a demonstration does; nothing elsewhere.
    pub(crate) ground: Ground,
    /// The sample persons of a demonstration.
    pub(crate) subjects: Vec<Subject>,
    /// Files of the caller's certificate chain and private key.
    pub(crate) own: [String; 2],
}

/// What a demonstration says of itself.
#[derive(Deserialize)]
struct Demo {
    endpoint: String,
    service: String,
    trust_domain: String,
    ca: String,
    log_key: PathBuf,
    callers: BTreeMap<String, Caller>,
    subjects: Vec<Subject>,
}

#[derive(Deserialize)]
struct Caller {
    certificate: String,
    key: String,
    /// The ground of its agreement; none where it has no agreement.
    basis: Option<Ground>,
}

impl Connection {
    /// Whether it is to a demonstration.
    pub(crate) fn is_demo(&self) -> bool {
        self.demo.is_some()
    }

    /// Prepares the connection; it is made by the first call. In a demonstration `caller` calls unless
    /// another one is named.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub(crate) fn open(&self, caller: &str) -> Result<Connected> {
        match &self.demo {
            Some(file) => self.to_demo(file, caller),
            None => self.to_service(),
        }
    }

    /// Prepares the connection to another service, which listens elsewhere: by the same identity.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_elsewhere(&self, service: &str, endpoint: &str) -> Result<Client> {
        let (service, endpoint) = (service.to_owned(), Some(endpoint.to_owned()));
        Ok(Self { service, endpoint, ..self.clone() }.to_service()?.client)
    }

    fn signing(&self, client: Client, files: &tls::Files) -> Result<Client> {
        if !self.sign {
            return Ok(client);
        }
        client.signed(files).context("requests cannot be signed")
    }

    fn to_demo(&self, file: &PathBuf, usual: &str) -> Result<Connected> {
        let shown = file.display();
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read `{shown}`; has `lienthong demo` run there?"))?;
        let mut demo: Demo = serde_json::from_str(&text)
            .with_context(|| format!("`{shown}` is not a demo.json of this version"))?;
        let usual_basis = demo.callers.get(usual).and_then(|caller| caller.basis.clone());
        let name = self.caller.as_deref().unwrap_or(usual);
        let Some(Caller { certificate, key, basis }) = demo.callers.remove(name) else {
            let known: Vec<_> = demo.callers.into_keys().collect();
            let why = format!("no caller `{name}` in `{shown}`; there are: {}", known.join(", "));
            return Err(Ending::Usage(why).into());
        };
        let (crl, revoked_identities) = Default::default();
        let files = tls::Files { certificate, key, ca: demo.ca, crl, revoked_identities };
        let own = [files.certificate.clone(), files.key.clone()];
        let client = Client::new(&demo.endpoint, &demo.service, &demo.trust_domain, &files)?;
        let client = self.signing(client, &files)?;
        Ok(Connected {
            client: client.within(Duration::from_secs(self.timeout)),
            log: Some(log_key(self.log_key.as_ref().unwrap_or(&demo.log_key))?),
            // Who has no agreement asks as the one who has.
            ground: basis.or(usual_basis).unwrap_or_default(),
            subjects: demo.subjects,
            own,
        })
    }

    fn to_service(&self) -> Result<Connected> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let mut missing = Vec::new();
        let mut required = |argument, value: Option<String>| {
            value.unwrap_or_else(|| {
                missing.push(argument);
                String::new()
            })
        };
        let endpoint = required("--endpoint", self.endpoint.clone());
        let trust_domain = required("--trust-domain", self.trust_domain.clone());
        let files = tls::Files {
            ca: required("--ca", path(&self.ca)),
            certificate: required("--certificate", path(&self.certificate)),
            key: required("--key", path(&self.key)),
            crl: path(&self.crl).unwrap_or_default(),
            revoked_identities: String::new(),
        };
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let why = format!("whom to call is not said: use --demo, or add {missing}");
            return Err(Ending::Usage(why).into());
        }
        let own = [files.certificate.clone(), files.key.clone()];
        let client = Client::new(&endpoint, &self.service, &trust_domain, &files)?;
        let client = self.signing(client, &files)?;
        Ok(Connected {
            client: client.within(Duration::from_secs(self.timeout)),
            log: self.log_key.as_ref().map(log_key).transpose()?,
            ground: Ground::default(),
            subjects: Vec::new(),
            own,
        })
    }
}

/// The log's key in a file: its text, and the verifier.
pub(crate) fn log_key(file: &PathBuf) -> Result<(String, LogVerifier)> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{shown}`"))?;
    let log = LogVerifier::new(&text).with_context(|| format!("`{shown}` holds no log key"))?;
    Ok((text, log))
}
