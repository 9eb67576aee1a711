//! Starting and stopping the services of a world, one by one.

use lienthong::{
    pki::shown,
    settings::{self, Settings as _},
};
use server::{
    Routes, Running, Server,
    channel::Peer,
    config::Secret,
    runtime::{Clock, Entropy},
    tls,
};

use store::{Sql, Store};
use tokio::sync::{OnceCell, watch};

use super::{ORIGIN, TRUST_DOMAIN, World};
use crate::{behind_its_back, relay::Relay};

/// Waits until a revision, or a later one, was told.
pub(crate) async fn told(mut told: watch::Receiver<Option<u64>>, newest: u64) {
    let newest = |told: &Option<u64>| told.is_some_and(|told| told >= newest);
    told.wait_for(newest).await.expect("the service listens");
}

/// A service that runs.
pub(super) struct Part<S> {
    pub(super) running: Running,
    pub(super) service: S,
}

/// The key of decisions of a seed.
pub(super) fn decision_signer(seed: u8) -> tlog::NoteSigner {
    tlog::NoteSigner::from_seed("lienthong.test/decisions", [seed; 32]).expect("a key")
}

impl World {
    /// Starts the access log on what it has stored.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_audit(&mut self) {
        let mut settings = settings::Audit::load(None).expect("settings");
        settings.audit.database = Secret::new(self.audit_database());
        settings.audit.origin = ORIGIN.to_owned();
        settings.audit.signing_key_file = self.file("log.key");
        settings.audit.key_encryption_key_files = vec![self.file("kek.key")];
        let server = self.bind(settings.server, "audit").await;
        let service =
            audit::Service::open_with(&settings.audit, self.hands.clock(), Entropy::seeded(1))
                .await
                .expect("audit opens");
        if self.options.readiness {
            service.report(server.health(), &[audit::INTERNAL]);
        }
        let running = server.start(service.public(service.internal(Routes::default()))).await;
        self.to_audit.open(running.address());
        self.audit = Some(Part { running, service });
    }

    /// Opens the road to the access log again.
    ///
    /// # Panics
    /// When it does not run.
    pub fn open_audit_road(&self) {
        self.to_audit.open(self.audit.as_ref().expect("audit runs").running.address());
    }

    /// Stops the access log.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn stop_audit(&mut self) {
        self.to_audit.cut();
        let Part { running, service } = self.audit.take().expect("audit runs");
        running.stop().await;
        service.close().await;
    }

    /// Starts policy on what it has stored.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_policy(&mut self) {
        let mut settings = settings::Policy::load(None).expect("settings");
        let [_, database, _] = &self.databases;
        settings.policy.database = Secret::new(database.url());
        settings.policy.decision_key_file = self.file("policy.key");
        settings.policy.registry_file = self.file("registry.toml");
        settings.policy.officers_file = self.file("officers.toml");
        settings.policy.log_key_file = self.file("log.vkey");
        settings.policy.audit = Peer::direct(self.to_audit.address().to_string(), "audit");
        let mut keys = self.signing.iter().map(|seed| self.warrant_key(*seed));
        settings.policy.warrant_key_file = keys.next().unwrap_or_default();
        settings.policy.warrant_published_files = keys.collect();
        let own = self.own(settings.server, "policy");
        let server = Server::bind(own.clone()).await.expect("policy binds");
        let clock = self.policy_clock.clone().unwrap_or_else(|| self.hands.clock());
        let entropy = self.entropy.clone();
        let service = policy::Service::open(&settings.policy, &own, clock, entropy).await;
        let service = service.expect("policy opens");
        if self.options.readiness {
            service.report(server.health());
        }
        let routes = service.public(service.internal(Routes::default()));
        let running = server.start(service.operators(routes)).await;
        self.to_policy.open(running.address());
        self.policy = Some(Part { running, service });
    }

    /// Starts policy anew with a registry in which `old` is replaced by `new`.
    ///
    /// # Panics
    /// When `old` is not in it, or policy does not run.
    pub async fn change_registry(&mut self, old: &str, new: &str) {
        let file = self.file("registry.toml");
        let text = std::fs::read_to_string(&file).expect("the registry");
        assert!(text.contains(old), "`{old}` is not in the registry");
        self.stop_policy().await;
        lienthong::pki::write_secret(std::path::Path::new(&file), &text.replace(old, new))
            .expect("a file can be written");
        self.start_policy().await;
    }

    /// Starts policy anew with a clock of its own.
    ///
    /// # Panics
    /// When policy does not run.
    pub async fn set_policy_clock(&mut self, clock: Clock) {
        self.stop_policy().await;
        self.policy_clock = Some(clock);
        self.start_policy().await;
    }

    /// Starts policy anew with another key of decisions, that of a seed; the first one is that of 0.
    ///
    /// # Panics
    /// When policy does not run.
    pub async fn sign_decisions(&mut self, seed: u8) {
        self.stop_policy().await;
        self.write("policy.key", decision_signer(seed).secret_text());
        self.start_policy().await;
    }

    /// Starts identity anew so that it believes the decisions of the keys of these seeds.
    ///
    /// # Panics
    /// When identity does not run.
    pub async fn believe_decisions(&mut self, seeds: &[u8]) {
        if self.identity.is_some() {
            self.stop_identity().await;
        }
        let keys = seeds.iter().map(|seed| decision_signer(*seed).verifier_key().to_owned());
        self.write("policy.vkey", &keys.collect::<Vec<_>>().join("\n"));
        self.start_identity().await;
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        lienthong::pki::write_secret(&file, text).expect("a file can be written");
    }

    /// Starts policy anew with other keys of warrants: the first signs, the others are published beside it.
    ///
    /// # Panics
    /// When policy does not run.
    pub async fn sign_warrants(&mut self, seeds: &[u8]) {
        self.stop_policy().await;
        self.signing = seeds.to_vec();
        self.start_policy().await;
    }

    /// The file of a key of warrants.
    fn warrant_key(&self, seed: u8) -> String {
        let file = self.folder.path().join(format!("warrant-{seed}.pem"));
        let pem = warrant::Signer::from_seed(&[seed; 32]).to_pem().expect("a key");
        lienthong::pki::write_secret(&file, &pem).expect("a file can be written");
        shown(&file)
    }

    /// Lets each grant of social insurance that tells of persons tell of so many a day. Such agreements are signed, and those of
    /// this world are not, so it is written behind policy's back.
    ///
    /// # Panics
    /// When policy does not run, or its database refuses.
    pub async fn limit(&mut self, persons: u64) {
        self.limit_of("'agr-insurance', 'agr-sharing'", persons).await;
    }

    /// The same of the grants of the portal, by which it also records consents.
    ///
    /// # Panics
    /// When policy does not run.
    pub async fn limit_portal(&mut self, persons: u64) {
        self.limit_of("'agr-portal'", persons).await;
    }

    async fn limit_of(&mut self, agreements: &str, persons: u64) {
        let terms = format!(
            r#"{{"direction":"","units":[],"keys":[],"volume":{{"persons":{persons},"period":"Day"}}}}"#
        );
        let sql = format!(
            "INSERT INTO agreement_terms \
             (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
             SELECT DISTINCT agreement, action, procedure, legal_basis, '2026-01-01', '2099-01-01', \
                    '{terms}' \
             FROM agreement_grant WHERE agreement IN ({agreements}) \
                  AND action NOT IN ('contribute', 'follow', 'rotate-tokens')"
        );
        self.stop_policy().await;
        // As long as the test lasts.
        let sql: &'static str = Box::leak(sql.into_boxed_str());
        let changes: &'static [&'static str] = Box::leak(Box::new([sql]));
        behind_its_back(self.policy_database(), policy::migrations(), changes).await;
        self.start_policy().await;
    }

    /// How many persons are leased of grants for an act, or were.
    ///
    /// # Panics
    /// When policy's database does not answer.
    pub async fn leased(&self, act: &str) -> i64 {
        let store = Store::open_read_only(self.policy_database(), policy::migrations()).await;
        let store = store.expect("policy's database opens");
        let sql = Sql {
            sqlite: "SELECT CAST(COALESCE(SUM(leased), 0) AS INTEGER) FROM grant_volume WHERE action = ?",
            postgres: "SELECT CAST(COALESCE(SUM(leased), 0) AS BIGINT) FROM grant_volume WHERE action = $1",
        };
        let rows = store.read(&sql, vec![act.into()]).await.expect("a sum");
        store.close().await;
        rows.first().expect("a row").try_get_by(0).expect("a number")
    }

    /// Where policy listens.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn policy_address(&self) -> std::net::SocketAddr {
        self.policy.as_ref().expect("policy runs").running.address()
    }

    /// Opens the road to policy again.
    ///
    /// # Panics
    /// When it does not run.
    pub fn open_policy_road(&self) {
        self.to_policy.open(self.policy.as_ref().expect("policy runs").running.address());
    }

    /// Stops policy.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn stop_policy(&mut self) {
        self.to_policy.cut();
        let Part { running, service } = self.policy.take().expect("policy runs");
        running.stop().await;
        service.close().await;
        // What it keeps is not used any more.
        if let Some(Part { service, .. }) = &self.identity {
            service.told().wait_for(Option::is_none).await.expect("identity listens");
        }
    }

    /// The policy service itself.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn policy(&self) -> &policy::Service {
        &self.policy.as_ref().expect("policy runs").service
    }

    /// Waits until identity is told of the revision that is in force.
    ///
    /// # Panics
    /// When identity or policy does not run.
    pub async fn told(&self) {
        let newest = self.policy().revision_number().await.expect("policy's database answers");
        let identity = &self.identity.as_ref().expect("identity runs").service;
        told(identity.told(), newest).await;
    }

    /// Puts a registry in force in which `old` is replaced by `new`, while policy runs, and waits until identity is told.
    ///
    /// # Panics
    /// When `old` is not in it, or policy does not run.
    pub async fn revise(&mut self, old: &str, new: &str) {
        self.change(old, new).await;
        self.told().await;
    }

    /// The same, without waiting.
    ///
    /// # Panics
    /// When `old` is not in it, or policy does not run.
    pub async fn change(&mut self, old: &str, new: &str) {
        let file = self.file("registry.toml");
        let text = std::fs::read_to_string(&file).expect("the registry");
        assert!(text.contains(old), "`{old}` is not in the registry");
        let text = text.replace(old, new);
        let registry = policy::domain::registry::Registry::parse(&text).expect("a registry");
        self.policy().apply_registry(&registry).await.expect("it is applied");
        lienthong::pki::write_secret(std::path::Path::new(&file), &text)
            .expect("a file can be written");
    }

    pub(super) fn identity_settings(&self) -> settings::Identity {
        let mut settings = settings::Identity::load(None).expect("settings");
        let [_, _, database] = &self.databases;
        let peer =
            |relay: &Relay, service: &str| Peer::direct(relay.address().to_string(), service);
        settings.identity.database = Secret::new(database.url());
        settings.identity.synthetic = true;
        settings.identity.log_key_file = self.file("log.vkey");
        settings.identity.policy_key_file = self.file("policy.vkey");
        settings.identity.misses_max = self.options.misses_max;
        settings.identity.misses_window_seconds = 3_600;
        settings.identity.followed_max = self.options.followed_max;
        settings.identity.policy = peer(&self.to_policy, "policy");
        settings.identity.audit = peer(&self.to_audit, "audit");
        settings.server.drain_max_seconds = self.options.drain_max_seconds;
        settings.server.calls_per_caller_max = self.options.calls_per_caller_max;
        settings
    }

    /// Why identity does not open with this as the keys of policy.
    ///
    /// # Panics
    /// When it opens.
    pub async fn refuses_keys(&self, keys: &str) -> identity::Error {
        self.write("policy.vkey", keys);
        let settings = self.identity_settings();
        let own = self.own(settings.server, "identity");
        let (clock, entropy) = (self.hands.clock(), self.entropy.clone());
        let opened = identity::Service::open(&settings.identity, &own, clock, entropy).await;
        opened.map(|_| ()).expect_err("it opened without keys")
    }

    /// Starts identity on what it has stored.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_identity(&mut self) {
        let settings = self.identity_settings();
        let own = self.own(settings.server, "identity");
        let server = Server::bind(own.clone()).await.expect("identity binds");
        let (clock, entropy) = (self.hands.clock(), self.entropy.clone());
        let service = identity::Service::open(&settings.identity, &own, clock, entropy).await;
        let service = service.expect("identity opens");
        if self.options.readiness {
            service.report(
                server.health(),
                &[&identity::PUBLIC[..], &identity::INTERNAL[..]].concat(),
            );
        }
        self.recording = Some(service.record_shed(server.shed()));
        let routes = service.internal(service.public(Routes::default()));
        let running = server.start(routes).await;
        self.identity = Some(Part { running, service });
    }

    /// Has identity tell portals over HTTP who saw a citizen, until it is stopped; where it does.
    ///
    /// # Panics
    /// When identity does not run, or cannot.
    pub async fn tell_usage(&self) -> std::net::SocketAddr {
        *self.usage.get_or_init(|| self.start_usage()).await
    }

    async fn start_usage(&self) -> std::net::SocketAddr {
        self.write("procedures.toml", policy::PROCEDURES);
        self.write("legal-basis.toml", policy::LEGAL_BASIS);
        let mut settings = self.identity_settings();
        settings.identity.usage_listen = "127.0.0.1:0".to_owned();
        let files = ["registry.toml", "procedures.toml", "legal-basis.toml"];
        settings.identity.usage_names_files = files.map(|name| self.file(name)).to_vec();
        let own = self.own(settings.server, "identity");
        let identity = &self.identity.as_ref().expect("identity runs").service;
        let address = identity
            .tell_usage(&settings.identity, &own, &[policy::PROCEDURES, policy::LEGAL_BASIS])
            .await
            .expect("it tells");
        address.expect("an address")
    }

    /// Another process of identity on the same register, which is to be stopped and closed by the test. Only PostgreSQL serves
    /// two.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn another_identity(&self) -> (Running, identity::Service) {
        let settings = self.identity_settings();
        let own = self.own(settings.server, "identity");
        let server = Server::bind(own.clone()).await.expect("identity binds");
        let (clock, entropy) = (self.hands.clock(), Entropy::seeded(2));
        let service = identity::Service::open(&settings.identity, &own, clock, entropy).await;
        let service = service.expect("identity opens");
        let routes = service.internal(service.public(Routes::default()));
        (server.start(routes).await, service)
    }

    /// Stops identity: open calls end first.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn stop_identity(&mut self) {
        let (running, service) = self.take_identity();
        running.stop().await;
        if let Some(recording) = self.recording.take() {
            recording.finish().await;
        }
        service.close().await;
    }

    /// Hands over identity, to be stopped while something else goes on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn take_identity(&mut self) -> (Running, identity::Service) {
        self.usage = OnceCell::new();
        let Part { running, service } = self.identity.take().expect("identity runs");
        (running, service)
    }

    /// Stops everything that runs.
    pub async fn stop(mut self) {
        if self.identity.is_some() {
            self.stop_identity().await;
        }
        if self.policy.is_some() {
            self.stop_policy().await;
        }
        if self.audit.is_some() {
            self.stop_audit().await;
        }
    }

    fn file(&self, name: &str) -> String {
        shown(&self.folder.path().join(name))
    }

    async fn bind(&self, config: server::Config, service: &str) -> Server {
        Server::bind(self.own(config, service)).await.expect("the service binds")
    }

    fn own(&self, config: server::Config, service: &str) -> server::Config {
        let id = format!("spiffe://{TRUST_DOMAIN}/service/{service}");
        let tls::Files { certificate, key, ca, .. } = self.issue(service, &id);
        server::Config {
            listen: "127.0.0.1:0".to_owned(),
            trust_domain: TRUST_DOMAIN.to_owned(),
            certificate,
            key,
            ca,
            lame_duck_seconds: 0,
            readiness_seconds: 1,
            ..config
        }
    }
}
