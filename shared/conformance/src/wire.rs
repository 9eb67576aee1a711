//! The kit's own client: gRPC as frames over HTTP/2 over TLS. It attempts nothing again, sets no deadline that it was
//! not told, sends what it is told, also where that is no message, and waits for nothing longer than it was told.
//!
//! | module | job |
//! |---|---|
//! | `call` | one call, from its head to its status |
//! | `hello` | the greeting of an older TLS, as bytes |
//! | `tls` | whom the kit calls, and as whom |

mod call;
pub(crate) mod hello;
pub(crate) mod tls;

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(crate) use call::{Ask, Open, Reply, framed};
use tls::{Credentials, Facts, Target};

/// A window that no answer of the contract fills, unless nothing is taken.
const WINDOW: u32 = 16 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// There is no connection.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// Nothing came.
    #[error("nothing came within {:.1} s", .0.as_secs_f64())]
    Silent(Duration),
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Ended(String),
    /// What came is no gRPC.
    #[error("the answer is no gRPC: {0}")]
    NotGrpc(String),
}

/// One connection.
pub(crate) struct Wire {
    send: SendRequest<Bytes>,
    driver: JoinHandle<()>,
    authority: String,
    /// How long anything is waited for.
    pub(crate) patience: Duration,
    /// What TLS agreed on.
    pub(crate) facts: Facts,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Wire {
    /// Connects. A server that refuses a certificate may do so only when something is sent.
    pub(crate) async fn connect(
        target: &Target,
        who: Option<&Credentials>,
        patience: Duration,
    ) -> Result<Self, NoAnswer> {
        Self::connect_with(target, who, patience, WINDOW).await
    }

    /// Connects, and tells the server how much it may send on each call before it is taken.
    pub(crate) async fn connect_with(
        target: &Target,
        who: Option<&Credentials>,
        patience: Duration,
        window: u32,
    ) -> Result<Self, NoAnswer> {
        let made = async {
            let stream = handshake(target, who).await?;
            let facts = Facts::of(stream.get_ref().1);
            let (send, connection) = h2::client::Builder::new()
                .initial_window_size(window)
                .initial_connection_window_size(WINDOW)
                .enable_push(false)
                .max_header_list_size(64 << 10)
                .handshake::<_, Bytes>(stream)
                .await
                .map_err(|error| NoAnswer::Ended(error.to_string()))?;
            let driver = tokio::spawn(async move {
                // Its end is seen by whoever waits for an answer.
                let _ended = connection.await;
            });
            Ok(Self { send, driver, authority: target.authority.clone(), patience, facts })
        };
        within(patience, made).await
    }
}

async fn handshake(
    target: &Target,
    who: Option<&Credentials>,
) -> Result<TlsStream<TcpStream>, NoAnswer> {
    let none = |error: std::io::Error| NoAnswer::NoConnection(error.to_string());
    let config = target.config(who).map_err(|error| NoAnswer::NoConnection(error.to_string()))?;
    let tcp = TcpStream::connect(&target.address).await.map_err(none)?;
    tcp.set_nodelay(true).map_err(none)?;
    TlsConnector::from(config).connect(target.name.clone(), tcp).await.map_err(none)
}

/// The outcome of something that is waited for so long.
pub(crate) async fn within<T>(
    patience: Duration,
    what: impl Future<Output = Result<T, NoAnswer>>,
) -> Result<T, NoAnswer> {
    tokio::time::timeout(patience, what).await.unwrap_or(Err(NoAnswer::Silent(patience)))
}
