//! The access log, as admissions use it.

use disclosure::Recorder;
use server::{
    Caller, channel,
    runtime::{Clock, Entropy},
};

use crate::{Config, Error};

/// The way to the access log.
pub(crate) struct Log {
    /// What makes records.
    pub(crate) recorder: Recorder,
    /// The trust domain, and the service itself in it.
    pub(crate) own: (String, Caller),
}

impl Log {
    /// A channel that connects when first used; checkpoints must be signed by the configured key.
    pub(crate) fn open(
        config: &Config,
        own: &server::Config,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let path = config.log_key_file.clone();
        let key =
            std::fs::read_to_string(&path).map_err(|source| Error::LogKey { path, source })?;
        let verifier = tlog::LogVerifier::new(&key)?;
        let audit = channel::to_service(&config.audit, &own.trust_domain, &own.files())?;
        let name = format!("spiffe://{}/service/policy", own.trust_domain);
        let itself = Caller::parse(&name, &own.trust_domain)
            .map_err(|why| Error::data("trust domain", why))?;
        Ok(Self {
            recorder: Recorder::new(audit, verifier, clock, entropy),
            own: (own.trust_domain.clone(), itself),
        })
    }
}
