//! Processes: every service in one, or one service in each. Both are the same services on the same server
//! core; only who listens where differs.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use server::{
    Recording, Routes, Running, Server,
    channel::Peer,
    runtime::{Clock, Entropy},
    telemetry::Telemetry,
};

use crate::settings;

/// The name under which a process that runs every service answers its own services.
pub const ALL: &str = "all";

/// What is said of a mesh in front of such a process.
pub const NO_MESH: &str =
    "only our own services come by a mesh, and here they are all in this process; leave it empty";

/// Time and randomness of a process.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// What time it is.
    pub clock: Clock,
    /// Where random bytes come from.
    pub entropy: Entropy,
}

impl Runtime {
    /// Those of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Clock::system(), entropy: Entropy::system() }
    }
}

/// Every service in one process: agencies reach one port, the services reach one another on a loopback
/// port of their own, over the same mutual TLS as between machines.
pub struct All {
    public: Running,
    internal: Running,
    recording: Recording,
    audit: audit::Service,
    /// Where the log is shown, if it is.
    tiles: Option<SocketAddr>,
    /// Where it is shown to those with a certificate.
    certified: Option<SocketAddr>,
    /// Where portals are told who saw a citizen, if they are.
    usage: Option<SocketAddr>,
    policy: policy::Service,
    identity: identity::Service,
    contribution: contribution::Service,
    exchange: Option<exchange::Service>,
    telemetry: Telemetry,
}

impl All {
    /// Starts them; an audit log or a policy that cannot be used keeps all from starting (I9).
    ///
    /// # Errors
    /// Whatever kept a service from starting.
    pub async fn start(settings: settings::All, runtime: Runtime) -> Result<Self> {
        let Runtime { clock, entropy } = runtime;
        let settings::All {
            server,
            callers,
            audit: log,
            mut policy,
            mut identity,
            mut contribution,
            mut exchange,
        } = settings;
        ensure!(server.mesh.listen.is_empty(), "server.mesh.listen: {NO_MESH}");
        let telemetry = Telemetry::start(&server.telemetry, ALL).await?;
        let public = Server::bind(server.clone()).await?;
        let (listen, health_listen) = ("127.0.0.1:0".to_owned(), String::new());
        // They speak to one another over our own TLS, whatever a mesh does outside.
        let mesh = server::mesh::Config::default();
        let inside = server::Config { listen, health_listen, mesh, ..server.clone() };
        let internal = Server::bind(inside).await?;
        let own = Peer::direct(internal.address().to_string(), ALL);
        policy.audit = own.clone();
        (identity.policy, identity.audit) = (own.clone(), own.clone());
        (contribution.policy, contribution.audit) = (own.clone(), own.clone());
        (contribution.identity, exchange.identity) = (own.clone(), own.clone());
        exchange.contribution = own;

        let audit = audit::Service::open_with(&log, clock.clone(), entropy.clone())
            .await
            .context("audit")?;
        let tiles = audit.show(&log).await.context("audit")?;
        let certified = audit.show_certified(&log, &server).await.context("audit")?;
        let caller = callers.policy.of(&server);
        let (now, random) = (clock.clone(), entropy.clone());
        let policy = policy::Service::open(&policy, &caller, now, random).await;
        let policy = policy.context("policy")?;
        let caller = callers.identity.of(&server);
        let (now, random) = (clock.clone(), entropy.clone());
        let opened = identity::Service::open(&identity, &caller, now, random).await;
        let (register, identity) = (identity, opened.context("identity")?);
        let caller = callers.contribution.of(&server);
        let (now, random) = (clock.clone(), entropy.clone());
        let opened = contribution::Service::open(&contribution, &caller, now, random).await;
        let contribution = opened.context("contribution")?;

        audit.report(internal.health(), &[audit::INTERNAL]);
        audit.report(public.health(), &[audit::PUBLIC]);
        policy.report(internal.health());
        policy.report_operators(public.health());
        identity.report(internal.health(), &identity::INTERNAL);
        identity.report(public.health(), &identity::PUBLIC);
        contribution.report(internal.health(), &[contribution::INTERNAL]);
        contribution.report(public.health(), &contribution::PUBLIC);
        let routes = audit.internal(policy.internal(identity.internal(Routes::default())));
        let internal = internal.start(contribution.internal(routes)).await;
        let usage = identity.tell_usage(&register, &server, &NAMED).await.context("identity")?;
        // One log behind both: either's way to it will do.
        let recording = identity.record_shed(public.shed());
        // It calls the others, which are there by now.
        let exchange = match exchange.routes_file.as_str() {
            "" => None,
            _ => {
                let caller = callers.exchange.of(&server);
                let opened = exchange::Service::open(&exchange, &caller, clock, entropy).await;
                Some(opened.context("exchange")?)
            }
        };
        let routes = audit.public(contribution.public(identity.public(Routes::default())));
        let mut routes = policy.operators(policy.public(routes));
        if let Some(exchange) = &exchange {
            routes = exchange.operators(routes);
        }
        let public = public.start(routes).await;
        Ok(Self {
            public,
            internal,
            recording,
            audit,
            policy,
            identity,
            contribution,
            exchange,
            telemetry,
            tiles,
            certified,
            usage,
        })
    }

    /// The address that agencies reach.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.public.address()
    }

    /// The policy service.
    #[must_use]
    pub fn policy(&self) -> &policy::Service {
        &self.policy
    }

    /// The register.
    #[must_use]
    pub fn identity(&self) -> &identity::Service {
        &self.identity
    }

    /// Contributions to it.
    #[must_use]
    pub fn contribution(&self) -> &contribution::Service {
        &self.contribution
    }

    /// The databases of others; none where no routes are configured.
    #[must_use]
    pub fn exchange(&self) -> Option<&exchange::Service> {
        self.exchange.as_ref()
    }

    /// The access log.
    #[must_use]
    pub fn audit(&self) -> &audit::Service {
        &self.audit
    }

    /// Where checkpoint and tiles of the access log are shown, if they are.
    #[must_use]
    pub fn tiles(&self) -> Option<SocketAddr> {
        self.tiles
    }

    /// Where they are shown to those with a certificate, and entries to auditors, if they are.
    #[must_use]
    pub fn certified(&self) -> Option<SocketAddr> {
        self.certified
    }

    /// Where portals are told who saw a citizen, if they are.
    #[must_use]
    pub fn usage(&self) -> Option<SocketAddr> {
        self.usage
    }

    /// Drains: first what agencies reach, so that their open calls still find the services behind; then
    /// the services, and the access log last, so that whatever was released is recorded.
    pub async fn stop(self) {
        if let Some(exchange) = self.exchange {
            exchange.close().await;
        }
        tokio::join!(self.identity.end_usage(), self.public.stop());
        self.recording.finish().await;
        self.identity.give_back().await;
        self.internal.stop().await;
        self.contribution.close().await;
        self.identity.close().await;
        self.policy.close().await;
        self.audit.close().await;
        self.telemetry.stop().await;
    }
}

/// Where procedures and grounds have their names.
const NAMED: [&str; 2] = [policy::PROCEDURES, policy::LEGAL_BASIS];

/// Runs the access log until `end`.
///
/// # Errors
/// Whatever kept it from starting.
pub async fn audit(settings: settings::Audit, end: impl Future<Output = ()>) -> Result<()> {
    let telemetry = Telemetry::start(&settings.server.telemetry, "audit").await?;
    let server = Server::bind(settings.server.clone()).await?;
    let service = audit::Service::open(&settings.audit).await?;
    if let Some(address) = service.show(&settings.audit).await? {
        tracing::info!(%address, "shows the log");
    }
    if let Some(address) = service.show_certified(&settings.audit, &settings.server).await? {
        tracing::info!(%address, "shows the log to those with a certificate");
    }
    service.report(server.health(), &[audit::PUBLIC, audit::INTERNAL]);
    let routes = service.public(service.internal(Routes::default()));
    serve(server, routes, end, service.end_certified()).await;
    service.close().await;
    telemetry.stop().await;
    Ok(())
}

/// Runs the policy service until `end`.
///
/// # Errors
/// Whatever kept it from starting.
pub async fn policy(
    settings: settings::Policy,
    runtime: Runtime,
    end: impl Future<Output = ()>,
) -> Result<()> {
    let telemetry = Telemetry::start(&settings.server.telemetry, "policy").await?;
    let server = Server::bind(settings.server.clone()).await?;
    let Runtime { clock, entropy } = runtime;
    let service = policy::Service::open(&settings.policy, &settings.server, clock, entropy).await?;
    service.report(server.health());
    service.report_operators(server.health());
    let routes = service.public(service.internal(Routes::default()));
    serve(server, service.operators(routes), end, std::future::ready(())).await;
    service.close().await;
    telemetry.stop().await;
    Ok(())
}

/// Runs the identity service until `end`.
///
/// # Errors
/// Whatever kept it from starting.
pub async fn identity(
    settings: settings::Identity,
    runtime: Runtime,
    end: impl Future<Output = ()>,
) -> Result<()> {
    let telemetry = Telemetry::start(&settings.server.telemetry, "identity").await?;
    let server = Server::bind(settings.server.clone()).await?;
    let Runtime { clock, entropy } = runtime;
    let opened =
        identity::Service::open(&settings.identity, &settings.server, clock, entropy).await;
    let service = opened?;
    if let Some(address) = service.tell_usage(&settings.identity, &settings.server, &NAMED).await? {
        tracing::info!(%address, "tells portals who saw a citizen");
    }
    service.report(server.health(), &[&identity::PUBLIC[..], &identity::INTERNAL[..]].concat());
    let recording = service.record_shed(server.shed());
    let routes = service.internal(service.public(Routes::default()));
    serve(server, routes, end, service.end_usage()).await;
    recording.finish().await;
    service.close().await;
    telemetry.stop().await;
    Ok(())
}

/// Runs the contribution service until `end`.
///
/// # Errors
/// Whatever kept it from starting.
pub async fn contribution(
    settings: settings::Contribution,
    runtime: Runtime,
    end: impl Future<Output = ()>,
) -> Result<()> {
    let telemetry = Telemetry::start(&settings.server.telemetry, "contribution").await?;
    let server = Server::bind(settings.server.clone()).await?;
    let Runtime { clock, entropy } = runtime;
    let config = &settings.contribution;
    let service = contribution::Service::open(config, &settings.server, clock, entropy).await?;
    service
        .report(server.health(), &[&contribution::PUBLIC[..], &[contribution::INTERNAL]].concat());
    let recording = service.record_shed(server.shed());
    let routes = service.internal(service.public(Routes::default()));
    serve(server, routes, end, std::future::ready(())).await;
    recording.finish().await;
    service.close().await;
    telemetry.stop().await;
    Ok(())
}

/// Runs the exchange service until `end`.
///
/// # Errors
/// Whatever kept it from starting.
pub async fn exchange(
    settings: settings::Exchange,
    runtime: Runtime,
    end: impl Future<Output = ()>,
) -> Result<()> {
    let telemetry = Telemetry::start(&settings.server.telemetry, "exchange").await?;
    let server = Server::bind(settings.server.clone()).await?;
    let Runtime { clock, entropy } = runtime;
    let service =
        exchange::Service::open(&settings.exchange, &settings.server, clock, entropy).await?;
    service.report(server.health());
    serve(server, service.operators(Routes::default()), end, std::future::ready(())).await;
    service.close().await;
    telemetry.stop().await;
    Ok(())
}

/// Serves until `end`; then it answers what is under way, while `beside` ends what is served elsewhere: one after the other they would
/// take longer than a pod is given.
async fn serve(
    server: Server,
    routes: Routes,
    end: impl Future<Output = ()>,
    beside: impl Future<Output = ()>,
) {
    let running = server.start(routes).await;
    tracing::info!(address = %running.address(), mesh = ?running.mesh_address(), "serving");
    end.await;
    tracing::info!("draining");
    tokio::join!(running.stop(), beside);
    tracing::info!("ended");
}

/// Waits for SIGTERM or Ctrl-C. A second one ends the process at once.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn ended() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
    })
}
