//! Outgoing connections to our other services. `direct`: mutual TLS, and the peer must be the service it is meant to
//! be, not just anybody whom the CA knows. `mesh`: HTTP/2 without TLS, which the proxy beside this process takes and
//! makes mutual TLS of; that the peer is the right one is then for the proxy to see, and nothing here can.

use std::{io, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::{
    StartError,
    caller::{Caller, Kind},
    tls,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Small messages must not exhaust the window of the whole connection (hyperium/h2#935).
const CONNECTION_WINDOW: u32 = 8 << 20;
/// A machine that vanished says nothing: it is asked also while no call is open, so that the next call does
/// not wait for it. Our server answers every ping.
const KEEPALIVE: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 30_000 });
const KEEPALIVE_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 10_000 });

/// Another of our services, as configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Where it listens, `host:port`.
    pub endpoint: String,
    /// The name its certificate must carry: `/service/<name>`. A process that runs every service
    /// answers under the name `all`.
    pub service: String,
    /// Who makes the connection secret and knows its ends.
    pub transport: Transport,
}

/// How a connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Our own mutual TLS.
    Direct,
    /// Without TLS, to the port of the peer's `mesh` transport, by way of a proxy.
    Mesh,
}

impl Peer {
    /// A service that is reached over our own TLS.
    pub fn direct(endpoint: impl Into<String>, service: impl Into<String>) -> Self {
        let (endpoint, service) = (endpoint.into(), service.into());
        Self { endpoint, service, transport: Transport::Direct }
    }
}

/// A channel to a service, connected when first used and again after a loss.
pub fn to_service(
    peer: &Peer,
    trust_domain: &str,
    files: &tls::Files,
) -> Result<Channel, StartError> {
    let Peer { endpoint, service, transport } = peer.clone();
    let bad = || StartError::Endpoint(peer.endpoint.clone());
    let (host, _) = endpoint.rsplit_once(':').ok_or_else(bad)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
    // Read once to refuse what cannot be used, and again for each connection: certificates are renewed.
    tls::client(files)?;
    let (files, trust_domain) = (files.clone(), trust_domain.to_owned());
    let way = Arc::new(match transport {
        Transport::Direct => Way::Direct { files, name, service, trust_domain },
        Transport::Mesh => Way::Mesh,
    });
    let connect = tower::service_fn(move |uri: Uri| {
        let way = Arc::clone(&way);
        async move {
            let address = uri.authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            way.connected(tcp).await.map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{endpoint}"))
        .map_err(|_| bad())?
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok(endpoint.connect_with_connector_lazy(connect))
}

/// What a transport needs of a connection, and to know for it.
enum Way {
    Direct { files: tls::Files, name: ServerName<'static>, service: String, trust_domain: String },
    Mesh,
}

impl Way {
    /// The connection as calls go over it, once it is known to lead where it should.
    async fn connected(
        &self,
        tcp: TcpStream,
    ) -> io::Result<Either<TlsStream<TcpStream>, TcpStream>> {
        let Self::Direct { files, name, service, trust_domain } = self else {
            return Ok(Either::Right(tcp));
        };
        let config = tls::client(files).map_err(io::Error::other)?;
        let stream = TlsConnector::from(config).connect(name.clone(), tcp).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|c| c.first());
        let peer = certificate.and_then(|der| Caller::from_certificate(der, trust_domain).ok());
        match peer.as_ref().map(Caller::kind) {
            Some(Kind::Service(found)) if found == service => Ok(Either::Left(stream)),
            Some(_) | None => Err(io::Error::other("the peer is another service")),
        }
    }
}
