//! A connection to a service, for as long as that service may be called: it ends when the service's certificate is
//! revoked or has run out, a list has, or its CA is trusted no longer. What is sent over it may be personal.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{
    ClientConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use crate::{
    StartError,
    connection::DATES,
    reload::{self, EVERY, Seen},
    tls,
};

/// What says whether a service may be called.
pub(super) struct Admission {
    files: tls::Files,
    seen: Seen,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Admission {
    /// As the files say now, which is before the handshake: what changes in them while it is under way is read
    /// again, because they are looked at before they are read.
    pub(super) fn now(files: &tls::Files) -> Result<Self, StartError> {
        let seen = reload::look(files);
        Ok(Self { files: files.clone(), seen, verifier: tls::services(files)? })
    }

    /// Makes handshakes with the service that may be called.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, StartError> {
        tls::client_that_calls(Arc::clone(&self.verifier), &self.files)
    }

    /// Ends when the service of this name and certificate may not be called any more: at once when the files change,
    /// in time when a date passes.
    async fn over(mut self, name: ServerName<'static>, chain: Vec<CertificateDer<'static>>) {
        let Some((own, others)) = chain.split_first() else { return };
        let mut asked = Instant::now();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = reload::look(&self.files);
            if now == self.seen && asked.elapsed() < DATES {
                continue;
            }
            // What cannot be used is not taken, and tried again until it can be.
            if now != self.seen
                && let Ok(read) = tls::services(&self.files)
            {
                (self.seen, self.verifier) = (now, read);
            }
            asked = Instant::now();
            let admitted =
                self.verifier.verify_server_cert(own, others, &name, &[], UnixTime::now());
            if admitted.is_err() {
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
    /// `stream`, which was just made as `admission` says to the service of this name.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        admission: Admission,
        name: ServerName<'static>,
    ) -> Self {
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        Self { stream, over: Some(Box::pin(admission.over(name, chain))) }
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
