//! Health alone, without TLS: for the probes of whatever runs the process, which have no certificate. Nothing else
//! is reachable here, and little is kept for anybody.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tonic::service::Routes;

use crate::health::Health;

/// Connections at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 64;
const STREAMS_MAX: u32 = 8;
const HEADERS_MAX: u32 = 4 << 10;
const WINDOW: u32 = 64 << 10;
/// How long a connection lasts, also one that watches or says nothing; a prober makes a new one each time.
const AGE: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 60 });
/// After accept fails, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers probes until it is dropped.
pub(crate) async fn serve(listener: TcpListener, health: Health) {
    let routes = Routes::new(health.server()).prepare();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(connection(tcp, routes.clone()));
                }
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "accept of a probe failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn connection(tcp: TcpStream, routes: Routes) {
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX)
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .serve_connection(TokioIo::new(tcp), TowerToHyperService::new(routes));
    let ended = tokio::time::timeout(AGE, served).await;
    if matches!(ended, Ok(Err(_))) {
        tracing::debug!("a probe's connection ended with a protocol or transport error");
    }
}
