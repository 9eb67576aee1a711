//! Policy and the access log, as identity uses them.

use contract::{
    audit::v1::{
        audit_service_client::AuditServiceClient, audit_service_server::SERVICE_NAME as AUDIT,
    },
    policy::v1::policy_service_server::SERVICE_NAME as POLICY,
};
use disclosure::Recorder;
use server::{
    Channel, channel,
    health::Peers,
    runtime::{Clock, Entropy},
};
use wire::policy::{self, PolicyClient};

use crate::{Config, Error};

/// The ways to the other services.
pub(crate) struct Clients {
    /// Decisions.
    pub(crate) policy: PolicyClient,
    /// The access log.
    pub(crate) recorder: Recorder,
    /// What stands in it.
    pub(crate) log: AuditServiceClient<Channel>,
    /// Whether both are there.
    pub(crate) peers: Peers,
}

impl Clients {
    /// Channels that connect when first used; checkpoints must be signed by `log_key`, and decisions by
    /// the configured keys of policy.
    pub(crate) fn new(
        config: &Config,
        own: &server::Config,
        log_key: &str,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let files = own.files();
        let policy = channel::to_service(&config.policy, &own.trust_domain, &files)?;
        let audit = channel::to_service(&config.audit, &own.trust_domain, &files)?;
        let verifier = tlog::LogVerifier::new(log_key)?;
        let keys = policy::keys(&config.policy_key_file)?;
        let peers = [(policy.clone(), POLICY), (audit.clone(), AUDIT)];
        Ok(Self {
            peers: Peers::new(peers),
            policy: PolicyClient::new(policy, keys, clock.clone(), entropy.clone()),
            log: AuditServiceClient::new(audit.clone()),
            recorder: Recorder::new(audit, verifier, clock, entropy),
        })
    }
}
