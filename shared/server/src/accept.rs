//! The listener: handshakes under a limit, one task per connection, and a drain that ends.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    Config, StartError,
    caller::Methods,
    connection::Connection,
    handshake::{Handshake, Handshakes},
    health::Health,
    inspect::Faults,
    limits::Limits,
    mesh::{self, listener::Stream},
    probe, reflection,
    reload::{self, Identities},
    runtime::{Clock, Entropy},
    shed::Shed,
    who::Forged,
};

/// After accept fails, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener whose identity is already valid.
pub struct Server {
    config: Config,
    methods: Methods,
    identities: Identities,
    following: Pin<Box<dyn Future<Output = ()> + Send>>,
    listener: TcpListener,
    address: SocketAddr,
    probes: Option<TcpListener>,
    mesh: Option<mesh::listener::Listener>,
    forged: Arc<Forged>,
    health: Health,
    shed: Shed,
}

/// A server that is accepting.
pub struct Running {
    address: SocketAddr,
    health_address: Option<SocketAddr>,
    mesh_address: Option<SocketAddr>,
    forged: Arc<Forged>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Reads the identity, then binds the addresses: never a port without an identity (I9).
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::bind_with(config, Methods::LIENTHONG).await
    }

    /// The same for a server that has other methods than ours.
    pub async fn bind_with(config: Config, methods: Methods) -> Result<Self, StartError> {
        let (identities, following) = reload::follow(&config)?;
        let listener = listen(&config.listen).await?;
        let address = listener.local_addr().map_err(failed(&config.listen))?;
        let probes = match config.health_listen.as_str() {
            "" => None,
            address => Some(listen(address).await?),
        };
        let mesh = match mesh(&config)? {
            None => None,
            Some(mesh) => Some(mesh::listener::Listener::bind(mesh).await?),
        };
        let health = Health::new(Duration::from_secs(config.readiness_seconds.max(1)));
        let following = Box::pin(following);
        let (forged, shed) = (Arc::default(), Shed::new(Clock::system()));
        Ok(Self {
            config,
            methods,
            identities,
            following,
            listener,
            address,
            probes,
            mesh,
            forged,
            health,
            shed,
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it will say of itself; services tell it when they are ready.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The calls that it will refuse because there is too much to do; a service records them.
    pub fn shed(&self) -> &Shed {
        &self.shed
    }

    /// Starts to accept. Health (`grpc.health.v1`) is answered beside `routes`, and reflection of those that
    /// [`Server::health`] was told of and that are published.
    pub async fn start(self, routes: Routes) -> Running {
        let mut routes = routes.add_service(self.health.server());
        if self.config.reflection {
            routes = reflection::add(routes, &self.health.services());
        }
        let routes = routes.prepare();
        let stop = CancellationToken::new();
        let address = self.address;
        let health_address = self.probes.as_ref().and_then(|probes| probes.local_addr().ok());
        let mesh_address = self.mesh.as_ref().and_then(mesh::listener::Listener::address);
        let forged = Arc::clone(&self.forged);
        let task = tokio::spawn(self.run(routes, stop.clone()));
        Running { address, health_address, mesh_address, forged, stop, task }
    }

    async fn run(mut self, routes: Routes, stop: CancellationToken) {
        let goaway = CancellationToken::new();
        let (config, entropy) = (Arc::new(self.config.clone()), Entropy::system());
        let limits = Limits::new(config.calls_max, config.calls_per_caller_max);
        let open = Limits::new(config.connections_max, config.connections_per_caller_max);
        let handshakes = Handshakes::new(config.handshakes_max, config.handshakes_per_address_max);
        let mut connections = JoinSet::new();
        // Probes are answered to the end; then dropping the set ends them.
        let mut probes = JoinSet::new();
        if let Some(listener) = self.probes.take() {
            probes.spawn(probe::serve(listener, self.health.clone()));
        }
        let lame_duck = async {
            stop.cancelled().await;
            self.health.drain();
            tokio::time::sleep(Duration::from_secs(self.config.lame_duck_seconds)).await;
        };
        tokio::pin!(lame_duck);
        loop {
            let accepted = tokio::select! {
                () = &mut lame_duck => break,
                () = &mut self.following => break,
                accepted = accept(&self.listener, &handshakes) => accepted,
                accepted = accept_mesh(self.mesh.as_ref(), &self.forged) => accepted,
                // Finished connections are taken off the set as they end.
                Some(_) = connections.join_next() => continue,
            };
            let Some(accepted) = accepted else { continue };
            let connection = Connection {
                routes: routes.clone(),
                methods: self.methods,
                identities: self.identities.clone(),
                config: Arc::clone(&config),
                goaway: goaway.clone(),
                entropy: entropy.clone(),
                limits: Arc::clone(&limits),
                shed: self.shed.clone(),
                connections: Arc::clone(&open),
                forged: Arc::clone(&self.forged),
            };
            connections.spawn(serve(connection, accepted));
        }
        drop((self.listener, self.mesh));
        goaway.cancel();
        self.health.end();
        let drained = async {
            tokio::select! {
                () = async { while connections.join_next().await.is_some() {} } => {}
                // Whoever is revoked meanwhile is cut all the same.
                () = &mut self.following => {}
            }
        };
        let longest = Duration::from_secs(self.config.drain_max_seconds);
        if tokio::time::timeout(longest, drained).await.is_err() {
            tracing::warn!("drain deadline passed; cutting what is left");
        }
        // Dropping the set aborts the connections that are still there.
    }
}

pub(crate) fn failed(address: &str) -> impl Fn(std::io::Error) -> StartError {
    move |source| StartError::Listen { address: address.to_owned(), source }
}

pub(crate) async fn listen(address: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(failed(address))
}

/// The `mesh` transport as configured, with every fault in it at once.
fn mesh(config: &Config) -> Result<Option<mesh::Mesh>, StartError> {
    let mut faults = Faults::default();
    let mesh = mesh::read(&config.mesh, &config.trust_domain, &mut faults);
    let found = faults.found();
    if found.is_empty() {
        return Ok(mesh);
    }
    let told: Vec<_> = found.iter().map(|one| format!("{} {}", one.key, one.fault)).collect();
    Err(StartError::Mesh(told.join("; ")))
}

/// A connection that was accepted.
enum Accepted {
    Direct(TcpStream, Handshake),
    Mesh(Stream, Arc<mesh::Table>),
}

async fn serve(connection: Connection, accepted: Accepted) {
    match accepted {
        Accepted::Direct(tcp, handshake) => connection.direct(tcp, handshake).await,
        Accepted::Mesh(Stream::Tcp(tcp), table) => connection.mesh(tcp, table).await,
        Accepted::Mesh(Stream::Unix(unix), table) => connection.mesh(unix, table).await,
    }
}

async fn accept(listener: &TcpListener, handshakes: &Handshakes) -> Option<Accepted> {
    let permit = handshakes.permit().await?;
    match listener.accept().await {
        // Whoever has its share is told so by the end of the connection.
        Ok((tcp, from)) => Some(Accepted::Direct(tcp, handshakes.begin(permit, from.ip())?)),
        Err(error) => paused(&error).await,
    }
}

async fn accept_mesh(
    listener: Option<&mesh::listener::Listener>,
    forged: &Forged,
) -> Option<Accepted> {
    let Some(listener) = listener else { return std::future::pending().await };
    match listener.accept(forged).await {
        Ok(stream) => Some(Accepted::Mesh(stream?, listener.table())),
        Err(error) => paused(&error).await,
    }
}

/// What every listener does when accept fails.
pub(crate) async fn paused<T>(error: &io::Error) -> Option<T> {
    tracing::warn!(kind = ?error.kind(), "accept failed");
    tokio::time::sleep(ACCEPT_PAUSE).await;
    None
}

impl Running {
    /// The address that is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address at which health is asked without TLS, if there is one.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health_address
    }

    /// The address at which the proxy of a mesh is served, if it is one.
    pub fn mesh_address(&self) -> Option<SocketAddr> {
        self.mesh_address
    }

    /// Who claimed to be vouched for by a proxy, and was refused.
    pub fn forged(&self) -> &Arc<Forged> {
        &self.forged
    }

    /// Drains: health says NOT_SERVING, connections are still accepted for a while, open calls end,
    /// and what hangs is cut at the deadline.
    pub async fn stop(self) {
        self.stop.cancel();
        if self.task.await.is_err() {
            tracing::error!("the accept loop ended in a panic");
        }
    }
}
