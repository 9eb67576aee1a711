//! A connection to a service, for as long as that service may be called: it ends when the service's certificate is
//! revoked or has run out, a list has, or its CA is trusted no longer. What is sent over it may be personal.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use crate::{
    StartError,
    caller::Caller,
    connection::DATES,
    reload::{self, EVERY, Seen},
    tls,
};

/// What says whether a service may be called.
pub(super) struct Admission {
    files: tls::Files,
    trust_domain: String,
    seen: Seen,
    services: tls::Services,
}

impl Admission {
    /// As the files say now, which is before the handshake: what changes in them while it is under way is read
    /// again, because they are looked at before they are read.
    pub(super) fn now(files: &tls::Files, trust_domain: &str) -> Result<Self, StartError> {
        let seen = reload::look(files);
        let services = tls::services(files, trust_domain)?;
        Ok(Self { files: files.clone(), trust_domain: trust_domain.to_owned(), seen, services })
    }

    /// Makes handshakes with the service that may be called.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, StartError> {
        tls::client_that_calls(Arc::clone(&self.services.verifier), &self.files)
    }

    /// Whether a service is revoked whatever its certificate, which the handshake knows nothing of.
    pub(super) fn revokes(&self, service: &Caller) -> bool {
        self.services.revoked.holds(service)
    }

    /// Ends when the service of this name, certificate and identity may not be called any more: at once when the files change,
    /// in time when a date passes.
    async fn over(
        mut self,
        name: ServerName<'static>,
        chain: Vec<CertificateDer<'static>>,
        service: Caller,
    ) {
        let mut asked = Instant::now();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = reload::look(&self.files);
            if now == self.seen && asked.elapsed() < DATES {
                continue;
            }
            // What cannot be used is not taken, and tried again until it can be.
            if now != self.seen
                && let Ok(read) = tls::services(&self.files, &self.trust_domain)
            {
                (self.seen, self.services) = (now, read);
            }
            asked = Instant::now();
            if !self.services.admit(&name, &chain, &service) {
                tracing::warn!("a service that may not be called any more was cut");
                return;
            }
        }
    }
}

/// The connection.
pub(super) struct Admitted {
    stream: TlsStream<TcpStream>,
    /// Ends when the connection does; none from then on.
    over: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Admitted {
    /// `stream`, which was just made as `admission` says to the service of this name and identity.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        admission: Admission,
        name: ServerName<'static>,
        service: Caller,
    ) -> Self {
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        Self { stream, over: Some(Box::pin(admission.over(name, chain, service))) }
    }
}

impl AsyncRead for Admitted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A connection is always read from, so this is seen when it happens.
        let goes_on = self.over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_pending());
        if !goes_on {
            self.over = None;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
