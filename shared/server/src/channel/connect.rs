//! One connection to another service, and that it ends there. Every attempt asks anew for the addresses behind the
//! name, because replicas come and go.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

use super::{
    Peer, Transport,
    admitted::{Admission, Admitted},
};
use crate::{
    StartError,
    caller::Caller,
    runtime::Entropy,
    telemetry::metrics::{labelled, metrics},
    tls,
};

/// An address that says nothing for so long is left for the next one.
const ADDRESS_MAX: Duration = Duration::from_secs(2);
/// Between attempts that fail, and how it grows (gRPC's connection back-off, for machines that are near).
const BACK_OFF: Duration = Duration::from_millis(50);
const BACK_OFF_GROWS: f64 = 1.6;
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// A connection of either transport.
type Stream = Either<Admitted, TcpStream>;

/// Says which addresses stand behind a `host:port`.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<dyn Fn(String) -> Resolving + Send + Sync>);

type Resolving = BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

impl Resolver {
    /// As the machine says.
    pub(super) fn system() -> Self {
        Self::from_fn(|place| async { Ok(tokio::net::lookup_host(place).await?.collect()) })
    }

    /// As `resolve` says.
    pub(crate) fn from_fn<F>(resolve: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |place| Box::pin(resolve(place))))
    }
}

/// Makes a connection, again and again.
#[derive(Clone)]
pub(super) struct Connector {
    to: Arc<To>,
    turn: Arc<AtomicUsize>,
    failed: Arc<Mutex<Failed>>,
}

/// Whom it connects to, and as whom.
struct To {
    places: Vec<(String, ServerName<'static>)>,
    resolver: Resolver,
    transport: Transport,
    /// Whom its certificate must name.
    id: String,
    trust_domain: String,
    files: tls::Files,
    entropy: Entropy,
}

/// Attempts that failed since the last that did not.
#[derive(Default)]
struct Failed {
    times: i32,
    until: Option<Instant>,
}

impl Connector {
    pub(super) fn new(
        resolver: Resolver,
        peer: &Peer,
        id: &str,
        trust_domain: &str,
        files: &tls::Files,
        entropy: Entropy,
    ) -> Result<Self, StartError> {
        let places = peer.endpoint.split(',').map(|place| {
            let (host, _) = place.rsplit_once(':')?;
            Some((place.to_owned(), ServerName::try_from(host.to_owned()).ok()?))
        });
        let places = places.collect::<Option<Vec<_>>>();
        let places = places.ok_or_else(|| StartError::Endpoint(peer.endpoint.clone()))?;
        // Read once to refuse what cannot be used, and again for each connection: certificates are renewed.
        Admission::now(files, trust_domain)?.client()?;
        let to = To {
            places,
            resolver,
            transport: peer.transport,
            id: id.to_owned(),
            trust_domain: trust_domain.to_owned(),
            files: files.clone(),
            entropy,
        };
        Ok(Self { to: Arc::new(to), turn: Arc::default(), failed: Arc::default() })
    }

    /// Another one to the same service, that begins with the address whose turn it is.
    pub(super) fn another(&self, turn: usize) -> Self {
        let (turn, failed) = (Arc::new(AtomicUsize::new(turn)), Arc::default());
        Self { to: Arc::clone(&self.to), turn, failed }
    }

    /// Whether it failed and does not try again yet.
    pub(super) fn waits(&self) -> bool {
        self.failed().until.is_some_and(|until| until > Instant::now())
    }

    /// Connects to one of the addresses. While it waits after a failure it fails at once, so that calls are refused
    /// and not held up.
    pub(super) async fn connect(&self) -> io::Result<TokioIo<Stream>> {
        if self.waits() {
            return Err(io::Error::other("the service was not reached and is tried again soon"));
        }
        // Given up half-way, for example at its time limit, it has failed.
        let mut attempt = Attempt { connector: self, done: false };
        let connected = self.reach().await;
        attempt.done = connected.is_ok();
        drop(attempt);
        Ok(TokioIo::new(connected?))
    }

    async fn reach(&self) -> io::Result<Stream> {
        let (mut addresses, mut failed) = self.to.addresses().await;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        addresses.rotate_left(turn);
        for (address, name) in addresses {
            match tokio::time::timeout(ADDRESS_MAX, self.to.connect(address, name)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }

    fn ended(&self, well: bool) {
        let mut failed = self.failed();
        if well {
            *failed = Failed::default();
        } else {
            let [byte] = self.to.entropy.array::<1>();
            failed.until = Some(Instant::now() + back_off(failed.times, byte));
            failed.times = failed.times.saturating_add(1);
        }
        metrics().client_connects.add(1, &labelled(if well { "done" } else { "failed" }));
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt, which has failed unless it says otherwise.
struct Attempt<'a> {
    connector: &'a Connector,
    done: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.connector.ended(self.done);
    }
}

impl To {
    /// Every address, each with the name that its certificate must carry, and why there are no more.
    async fn addresses(&self) -> (Vec<(SocketAddr, &ServerName<'static>)>, io::Error) {
        let (mut found, mut failed) = (Vec::new(), io::Error::other("the name has no address"));
        for (place, name) in &self.places {
            match (self.resolver.0)(place.clone()).await {
                Ok(addresses) => found.extend(addresses.into_iter().map(|a| (a, name))),
                Err(error) => failed = error,
            }
        }
        found.sort_unstable_by_key(|(address, _)| *address);
        found.dedup_by_key(|(address, _)| *address);
        (found, failed)
    }

    async fn connect(&self, address: SocketAddr, name: &ServerName<'static>) -> io::Result<Stream> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        if self.transport == Transport::Mesh {
            return Ok(Either::Right(tcp));
        }
        let admission =
            Admission::now(&self.files, &self.trust_domain).map_err(io::Error::other)?;
        let config = admission.client().map_err(io::Error::other)?;
        let stream = TlsConnector::from(config).connect(name.clone(), tcp).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|c| c.first());
        let peer =
            certificate.and_then(|der| Caller::from_certificate(der, &self.trust_domain).ok());
        match peer {
            Some(peer) if admission.revokes(&peer) => Err(io::Error::other("the peer is revoked")),
            Some(peer) if peer.id() == self.id => {
                Ok(Either::Left(Admitted::new(stream, admission, name.clone(), peer)))
            }
            Some(_) | None => Err(io::Error::other("the peer is another one than was meant")),
        }
    }
}

/// How long to wait after so many failures before, give or take a fifth.
fn back_off(failures: i32, byte: u8) -> Duration {
    let grown = BACK_OFF.as_secs_f64() * BACK_OFF_GROWS.powi(failures.min(32));
    let wait = grown.min(BACK_OFF_MAX.as_secs_f64());
    Duration::from_secs_f64(wait * (0.8 + 0.4 * f64::from(byte) / 255.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;
    use crate::{
        channel::service_id,
        connection::DATES,
        runtime::Clock,
        tests::{DOMAIN, Pki},
    };

    #[test]
    fn the_back_off_grows_to_its_limit_and_is_spread() {
        assert_eq!(back_off(0, 0), Duration::from_millis(40));
        assert_eq!(back_off(0, 255), Duration::from_millis(60));
        assert_eq!(back_off(1, 0), Duration::from_millis(64));
        for failures in [8, 20, i32::MAX] {
            assert_eq!(back_off(failures, 0), Duration::from_millis(800), "{failures}");
            assert_eq!(back_off(failures, 255), Duration::from_millis(1_200), "{failures}");
        }
    }

    /// The handshake knows nothing of a list that comes while it is under way.
    #[tokio::test]
    async fn a_service_that_is_revoked_during_its_handshake_is_cut_at_the_next_look() {
        let pki = Pki::new();
        let until = Clock::system().now() + time::Duration::DAY;
        let its = pki.issue_as(&format!("spiffe://{DOMAIN}/service/policy"), Some(9.into()));
        let ours = tls::Files { crl: pki.revoke(&[], until), ..pki.service("identity") };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = Peer::direct(address.to_string(), "policy");
        let (system, entropy) = (Resolver::system(), Entropy::seeded(1));
        let id = service_id(DOMAIN, "policy");
        let connector = Connector::new(system, &peer, &id, DOMAIN, &ours, entropy).unwrap();
        let served = async {
            let (tcp, _) = listener.accept().await.unwrap();
            // Our first words are there, so our files were read.
            assert_eq!(tcp.peek(&mut [0]).await.unwrap(), 1);
            pki.revoke(&[9], until);
            tls::server(&its, DOMAIN).unwrap().acceptor.accept(tcp).await.unwrap()
        };
        let connected = connector.to.connect(address, &connector.to.places[0].1);
        let (connected, _open) = tokio::join!(connected, served);
        let mut connected = connected.unwrap();
        tokio::select! {
            biased;
            read = connected.read_u8() => {
                assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
            }
            () = tokio::time::sleep(DATES / 2) => panic!("it was not seen"),
        }
    }
}
