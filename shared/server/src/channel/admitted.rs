//! A connection to a service, for as long as that service may be called: it ends when the service's certificate is
//! revoked or has run out, a list has, or its CA is trusted no longer. What is sent over it may be personal.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use crate::{
    connection::DATES,
    reload::{self, EVERY},
    tls,
};

/// The connection.
pub(super) struct Admitted {
    stream: TlsStream<TcpStream>,
    /// Ends when the connection does; none from then on.
    over: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Admitted {
    /// `stream`, which was just made with these files to the service of this name.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        files: tls::Files,
        name: ServerName<'static>,
    ) -> Self {
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        Self { stream, over: Some(Box::pin(no_longer_admitted(files, name, chain))) }
    }
}

/// Ends when the service may not be called any more: at once when the files change, in time when a date passes.
async fn no_longer_admitted(
    files: tls::Files,
    name: ServerName<'static>,
    chain: Vec<CertificateDer<'static>>,
) {
    let Some((own, others)) = chain.split_first() else { return };
    let (mut seen, mut asked) = (reload::look(&files), Instant::now());
    let mut verifier = tls::services(&files).ok();
    loop {
        tokio::time::sleep(EVERY).await;
        let now = reload::look(&files);
        if now == seen && asked.elapsed() < DATES {
            continue;
        }
        // What cannot be used is not taken, and tried again until it can be.
        if now != seen
            && let Ok(read) = tls::services(&files)
        {
            (seen, verifier) = (now, Some(read));
        }
        asked = Instant::now();
        let admitted = verifier.as_ref().is_some_and(|verifier| {
            verifier.verify_server_cert(own, others, &name, &[], UnixTime::now()).is_ok()
        });
        if !admitted {
            tracing::warn!("a service that may not be called any more was cut");
            return;
        }
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
