//! The listener: handshakes under a limit and a time limit, one task per connection, and a drain that ends.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    Config, StartError,
    call::Calls,
    caller::{Caller, NoCaller},
    runtime::Entropy,
    tls,
};

/// Small messages must not exhaust the window of the whole connection (hyperium/h2#935).
const CONNECTION_WINDOW: u32 = 8 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const HEADERS_MAX: u32 = 16 << 10;
const KEEPALIVE: Duration = Duration::from_secs(60);
/// After accept fails, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener whose identity is already valid.
pub struct Server {
    config: Config,
    acceptor: TlsAcceptor,
    listener: TcpListener,
    address: SocketAddr,
}

/// A server that is accepting.
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Reads the identity, then binds the address: never a port without an identity (I9).
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let acceptor = TlsAcceptor::from(tls::server(&config.files(), &config.crl)?);
        let listen = |source| StartError::Listen { address: config.listen.clone(), source };
        let listener = TcpListener::bind(&config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { config, acceptor, listener, address })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to accept. Health (`grpc.health.v1`) is answered beside `routes`.
    pub async fn start(self, routes: Routes) -> Running {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let routes = routes.add_service(health).prepare();
        let stop = CancellationToken::new();
        let address = self.address;
        let task = tokio::spawn(self.run(routes, reporter, stop.clone()));
        Running { address, stop, task }
    }

    async fn run(
        self,
        routes: Routes,
        health: tonic_health::server::HealthReporter,
        stop: CancellationToken,
    ) {
        let goaway = CancellationToken::new();
        let handshakes = Arc::new(Semaphore::new(self.config.handshakes_max));
        let mut connections = JoinSet::new();
        let lame_duck = async {
            stop.cancelled().await;
            health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            tokio::time::sleep(Duration::from_secs(self.config.lame_duck_seconds)).await;
        };
        tokio::pin!(lame_duck);
        loop {
            let accepted = tokio::select! {
                () = &mut lame_duck => break,
                accepted = accept(&self.listener, &handshakes) => accepted,
                // Finished connections are taken off the set as they end.
                Some(_) = connections.join_next() => continue,
            };
            let Some((tcp, permit)) = accepted else { continue };
            let connection = Connection {
                routes: routes.clone(),
                acceptor: self.acceptor.clone(),
                config: self.config.clone(),
                goaway: goaway.clone(),
            };
            connections.spawn(connection.serve(tcp, permit));
        }
        drop(self.listener);
        goaway.cancel();
        let drained = async { while connections.join_next().await.is_some() {} };
        let longest = Duration::from_secs(self.config.drain_max_seconds);
        if tokio::time::timeout(longest, drained).await.is_err() {
            tracing::warn!("drain deadline passed; cutting what is left");
        }
        // Dropping the set aborts the connections that are still there.
    }
}

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(handshakes).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, _)) => Some((tcp, permit)),
        Err(error) => {
            tracing::warn!(kind = ?error.kind(), "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

impl Running {
    /// The address that is served.
    pub fn address(&self) -> SocketAddr {
        self.address
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

/// What one connection needs.
struct Connection {
    routes: Routes,
    acceptor: TlsAcceptor,
    config: Config,
    goaway: CancellationToken,
}

impl Connection {
    async fn serve(self, tcp: TcpStream, permit: tokio::sync::OwnedSemaphorePermit) {
        let longest = Duration::from_secs(self.config.handshake_max_seconds);
        let handshake = tokio::time::timeout(longest, self.acceptor.accept(tcp));
        let Ok(Ok(stream)) = handshake.await else { return };
        drop(permit);
        if stream.get_ref().0.set_nodelay(true).is_err() {
            return;
        }
        let certificate = stream.get_ref().1.peer_certificates().and_then(|c| c.first());
        let caller = certificate.map_or(Err(NoCaller::NotACertificate), |der| {
            Caller::from_certificate(der, &self.config.trust_domain)
        });
        let calls = Arc::new(Calls {
            routes: self.routes,
            caller,
            deadline_max: Duration::from_secs(self.config.deadline_max_seconds),
            entropy: Entropy::system(),
        });
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let calls = Arc::clone(&calls);
            async move { Ok::<_, Infallible>(calls.answer(request).await) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.streams_max)
            .max_header_list_size(HEADERS_MAX)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .keep_alive_interval(KEEPALIVE)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.goaway.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if ended.is_err() {
            tracing::debug!("connection ended with a protocol or transport error");
        }
    }
}
