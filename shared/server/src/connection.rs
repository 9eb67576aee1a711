//! One connection: its handshake, where it has one, its calls, and its end — by age, by idleness, by a drain, or by its peer.
//! However it ends, open calls are told first (GOAWAY) and have a time of grace; then it is cut. (tonic's own
//! server sends no GOAWAY once a grace is set, and has no jitter.)

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Semaphore, watch},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    Config,
    call::{Calls, Closing, ShownCertificate, WATCHES_MAX},
    caller::{Caller, Methods, NoCaller},
    handshake::Handshake,
    limits::{Limits, Place},
    mesh::Table,
    patience::Patience,
    reload::Identities,
    runtime::Entropy,
    shed::Shed,
    telemetry::metrics::{labelled, metrics},
    tls::{Identity, KeyExchange},
    who::{Forged, Who},
};

/// Small messages must not exhaust the window of the whole connection (hyperium/h2#935).
const CONNECTION_WINDOW: u32 = 8 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const HEADERS_MAX: u32 = 16 << 10;
/// A peer that is silent is asked whether it is there, and given up when it says nothing.
const KEEPALIVE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 60 });
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 20 });

/// How often it is looked whether a certificate or a list has passed its date.
pub(crate) const DATES: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// What one connection needs.
pub(crate) struct Connection {
    pub(crate) routes: Routes,
    pub(crate) methods: Methods,
    pub(crate) identities: Identities,
    pub(crate) config: Arc<Config>,
    pub(crate) goaway: CancellationToken,
    pub(crate) entropy: Entropy,
    /// Of calls.
    pub(crate) limits: Arc<Limits>,
    /// Calls that were refused for them.
    pub(crate) shed: Shed,
    /// Of connections.
    pub(crate) connections: Arc<Limits>,
    pub(crate) forged: Arc<Forged>,
}

impl Connection {
    /// Serves one of our own TLS until it ends; its caller is its certificate.
    pub(crate) async fn direct(mut self, tcp: TcpStream, under_way: Handshake) {
        let identity = Arc::clone(&self.identities.borrow_and_update());
        let let_in = let_in(&identity, &identity.acceptor, tcp, &self.config, &self.goaway).await;
        let Some(LetIn { stream, chain, caller }) = let_in else { return };
        drop(under_way);
        let shown = chain.first().map(|der| ShownCertificate::new(der));
        let key_exchange = KeyExchange::of(stream.get_ref().1);
        let open = self.connections.enter_or_stranger(caller.as_ref().ok());
        let mut identities = self.identities.clone();
        let cut = no_longer_admitted(&mut identities, &chain, caller.clone().ok());
        let who = Who::certified(caller, &self.forged);
        self.serve(stream, (who, shown), key_exchange, open, cut).await;
    }

    /// Serves one of a proxy until it ends; its callers are whom the proxy vouches for, each with its own limits. That
    /// the certificate of one is no longer admitted is for the proxy to see.
    pub(crate) async fn mesh<T>(self, stream: T, table: Arc<Table>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let who = Who::vouched(table, self.identities.clone(), &self.forged);
        let open = self.connections.enter_proxy();
        let stream = Patience::new(stream, KEEPALIVE + KEEPALIVE_TIMEOUT);
        self.serve(stream, (who, None), None, open, std::future::pending()).await;
    }

    async fn serve<T>(
        self,
        stream: T,
        who: (Who, Option<ShownCertificate>),
        key_exchange: Option<KeyExchange>,
        open: Option<Place>,
        cut: impl Future<Output = ()>,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(_open) = open else {
            tracing::warn!("a connection more than its caller may have was ended");
            return over("one too many");
        };
        let _counted = Counted::new();
        tracing::debug!(key_exchange = key_exchange.map(KeyExchange::name), "connection open");
        let closing = Closing::default();
        let calls = Arc::new(self.calls(who, key_exchange, closing.clone()));
        let active = Active::default();
        let counted = active.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (calls, call) = (Arc::clone(&calls), counted.begin());
            async move { Ok::<_, Infallible>(calls.answer(request, call).await) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.streams_max)
            .max_header_list_size(HEADERS_MAX)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let age = Duration::from_secs(self.config.connection_age_seconds);
        let age = jittered(age, &self.entropy);
        tokio::pin!(connection, cut);
        let why = tokio::select! {
            ended = &mut connection => return over(say(ended)),
            () = self.goaway.cancelled() => "drain",
            () = tokio::time::sleep(age) => "age",
            () = active.idle_for(Duration::from_secs(self.config.connection_idle_seconds)) => "idle",
            // Nobody who is let in no longer is told so first.
            () = &mut cut => return over(say_cut()),
        };
        connection.as_mut().graceful_shutdown();
        closing.begin();
        let grace = Duration::from_secs(self.config.connection_grace_seconds);
        tokio::select! {
            _ended_either_way = connection => over(why),
            () = cut => over(say_cut()),
            () = tokio::time::sleep(grace) => {
                tracing::debug!("connection cut after its grace");
                over("grace passed");
            }
        }
    }

    fn calls(
        &self,
        (who, shown): (Who, Option<ShownCertificate>),
        key_exchange: Option<KeyExchange>,
        closing: Closing,
    ) -> Calls {
        Calls {
            routes: self.routes.clone(),
            methods: self.methods,
            who,
            shown,
            key_exchange,
            deadline_max: Duration::from_secs(self.config.deadline_max_seconds),
            stream_max: Duration::from_secs(self.config.stream_max_seconds),
            closing,
            limits: Arc::clone(&self.limits),
            watches: Arc::new(Semaphore::new(WATCHES_MAX)),
            shed: self.shed.clone(),
            entropy: self.entropy.clone(),
        }
    }
}

/// Whom a handshake let in.
pub(crate) struct LetIn {
    pub(crate) stream: TlsStream<Patience<TcpStream>>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Who its certificate says it is.
    pub(crate) caller: Result<Caller, NoCaller>,
}

/// Makes a handshake by one of the acceptors of an identity; with nobody whom that does not let in. How it ended is counted.
pub(crate) async fn let_in(
    identity: &Identity,
    acceptor: &TlsAcceptor,
    tcp: TcpStream,
    config: &Config,
    goaway: &CancellationToken,
) -> Option<LetIn> {
    let longest = Duration::from_secs(config.handshake_max_seconds);
    tcp.set_nodelay(true).ok()?;
    let handshake =
        tokio::time::timeout(longest, shake(acceptor, tcp, KEEPALIVE + KEEPALIVE_TIMEOUT));
    let shaken_hands = tokio::select! {
        // Whoever connects and is silent does not hold up the end.
        () = goaway.cancelled() => Err("drain"),
        handshake = handshake => match handshake {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(_)) => Err("failed"),
            Err(_) => Err("too slow"),
        },
    };
    let stream = match shaken_hands {
        Ok(stream) => stream,
        Err(why) => {
            shaken(why);
            return None;
        }
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let caller = chain.first().map_or(Err(NoCaller::NotACertificate), |der| {
        Caller::from_certificate(der, &config.trust_domain)
    });
    let revoked = caller.as_ref().is_ok_and(|caller| identity.revoked.holds(caller));
    shaken(if revoked { "failed" } else { "done" });
    (!revoked).then_some(LetIn { stream, chain, caller })
}

/// Makes a handshake over a stream whose peer is waited for so long. It is waited for below TLS, which takes what is
/// written to its buffers whether or not the peer takes anything.
async fn shake<S>(
    acceptor: &TlsAcceptor,
    stream: S,
    longest: Duration,
) -> io::Result<TlsStream<Patience<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    acceptor.accept(Patience::new(stream, longest)).await
}

/// How old a connection may get: as configured, give or take a tenth, so that connections that began together do
/// not end together (gRFC A9).
fn jittered(age: Duration, entropy: &Entropy) -> Duration {
    let [byte] = entropy.array::<1>();
    age.mul_f64(0.9 + 0.2 * f64::from(byte) / 255.0)
}

/// Ends when the caller would not be let in any more: it or its certificate was revoked, that or a list has run out, or
/// its CA is trusted no longer. Seen at once when the files change, and in time when a date passes.
pub(crate) async fn no_longer_admitted(
    identities: &mut Identities,
    chain: &[CertificateDer<'_>],
    caller: Option<Caller>,
) {
    while !matches!(tokio::time::timeout(DATES, identities.changed()).await, Ok(Err(_))) {
        let now = identities.borrow_and_update().clone();
        if !now.admits(chain, caller.as_ref()) {
            return;
        }
    }
    // The server is ending; that is told otherwise.
    std::future::pending::<()>().await;
}

pub(crate) fn say_cut() -> &'static str {
    tracing::warn!("a caller that is no longer admitted was cut");
    "no longer admitted"
}

pub(crate) fn say(ended: hyper::Result<()>) -> &'static str {
    match ended {
        Ok(()) => "peer",
        Err(_) => {
            tracing::debug!("connection ended with a protocol or transport error");
            "error"
        }
    }
}

fn shaken(outcome: &'static str) {
    metrics().handshakes.add(1, &labelled(outcome));
}

pub(crate) fn over(outcome: &'static str) {
    metrics().connections_ended.add(1, &labelled(outcome));
}

/// An open connection among those that are measured.
pub(crate) struct Counted;

impl Counted {
    pub(crate) fn new() -> Self {
        metrics().connections.add(1, &[]);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics().connections.add(-1, &[]);
    }
}

/// How many calls of a connection are open.
#[derive(Clone)]
pub(crate) struct Active(watch::Sender<usize>);

impl Default for Active {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

/// An open call; it ends when this is dropped.
pub(crate) struct Call(Active);

impl Active {
    fn begin(&self) -> Call {
        self.0.send_modify(|open| *open += 1);
        Call(self.clone())
    }

    /// Ends when no call was open for so long.
    async fn idle_for(&self, longest: Duration) {
        let mut open = self.0.subscribe();
        loop {
            let none = *open.borrow_and_update() == 0;
            if !none {
                // The sender is ours, so there is always one.
                let _gone = open.changed().await;
            } else if tokio::time::timeout(longest, open.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| *open = open.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::{
        tests::{DOMAIN, Pki},
        tls,
    };

    /// What TLS still holds was not taken: thousands of small answers fit in there.
    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_cut_also_while_tls_has_room() {
        let pki = Pki::new();
        let files = pki.service("policy");
        let (near, far) = duplex(4 << 10);
        let longest = Duration::from_millis(500);
        let (acceptor, connector) =
            (tls::server(&files, DOMAIN).unwrap().acceptor, tls::client(&files));
        let connector = TlsConnector::from(connector.unwrap());
        let connected = connector.connect("127.0.0.1".try_into().unwrap(), far);
        let (near, far) = tokio::join!(shake(&acceptor, near, longest), connected);
        let (mut near, _takes_nothing) = (near.unwrap(), far.unwrap());
        let cut = async {
            loop {
                near.write_all(&[0]).await?;
                let flushed = tokio::time::timeout(longest / 10, near.flush()).await;
                flushed.unwrap_or(Ok(()))?;
            }
        };
        let cut: io::Result<()> = tokio::time::timeout(20 * longest, cut).await.unwrap();
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn the_age_of_a_connection_is_as_configured_give_or_take_a_tenth() {
        let (age, entropy) = (Duration::from_secs(1_000), Entropy::seeded(1));
        let ages: Vec<_> = (0..10_000).map(|_| jittered(age, &entropy).as_secs()).collect();
        assert!(ages.iter().all(|age| (900..=1_100).contains(age)));
        // Each fortieth part of the span has its share, a fortieth, give or take a half.
        for part in (900..1_100).step_by(5) {
            let share = ages.iter().filter(|age| (part..part + 5).contains(*age)).count();
            assert!((125..=375).contains(&share), "{share} of {} from {part} s", ages.len());
        }
    }
}
