//! A call as bytes over HTTP/2 and mutual TLS. A gRPC client keeps deadlines of its own and knows no method
//! that is not there; this one sends what it is told and reads what comes.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{RecvStream, client::SendRequest};
use lienthong::client::Refused;
use prost::Message;
use rustls_pki_types::ServerName;
use server::tls;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::TlsConnector;
use tonic::Status;

/// One connection.
pub struct Raw {
    send: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

/// What came back.
pub struct Reply {
    /// The message, without its prefix; empty when there is none.
    pub message: Vec<u8>,
    /// The status, OK or not.
    pub status: Status,
}

impl Reply {
    /// The status as a program reads it.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.status.clone().into()
    }
}

impl Raw {
    /// Connects. A server that refuses the certificate may do so only when something is sent.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn connect(address: SocketAddr, files: &tls::Files) -> Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        let config = Arc::clone(&tls::client(files)?);
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(config).connect(name, tcp).await?;
        let (send, connection) = h2::client::handshake(stream).await?;
        let driver = tokio::spawn(async move {
            // Its end is seen by whoever waits for an answer.
            let _ended = connection.await;
        });
        Ok(Self { send, driver })
    }

    /// Calls a method by its full path.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call(
        &self,
        path: &str,
        message: &impl Message,
        headers: &[(&str, &str)],
    ) -> Result<Reply> {
        self.call_bytes(path, &message.encode_to_vec(), headers).await
    }

    /// Calls a method by its full path with these bytes as the message.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call_bytes(
        &self,
        path: &str,
        message: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Reply> {
        let (head, mut body) = self.sent(path, message, headers).await?.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            bytes.put_slice(&chunk);
        }
        let trailers = body.trailers().await?;
        let status = Status::from_header_map(trailers.as_ref().unwrap_or(&head.headers));
        let message = bytes.get(5..).unwrap_or_default().to_vec();
        Ok(Reply { message, status: status.context("no grpc-status")? })
    }

    /// Calls a method that answers with a stream, and reads nothing of it: as long as nobody gives the window back, the server
    /// sends what fits into 64 KiB.
    ///
    /// # Errors
    /// When the server does not begin to answer.
    pub async fn stalled(&self, path: &str, message: &impl Message) -> Result<Stalled> {
        let body = self.sent(path, &message.encode_to_vec(), &[]).await?.into_body();
        Ok(Stalled { body, bytes: BytesMut::new() })
    }

    async fn sent(
        &self,
        path: &str,
        message: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<http::Response<RecvStream>> {
        let mut request = http::Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut framed = BytesMut::with_capacity(message.len() + 5);
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len())?);
        framed.put_slice(message);

        let mut send = self.send.clone().ready().await?;
        let (response, mut body) = send.send_request(request.body(())?, false)?;
        // A server may answer, and close the stream, before it has read the message.
        let _read = body.send_data(framed.freeze(), true);
        Ok(response.await?)
    }
}

/// A stream that nobody reads yet.
pub struct Stalled {
    body: RecvStream,
    bytes: BytesMut,
}

impl Stalled {
    /// Reads on, and gives the next message.
    ///
    /// # Errors
    /// When the stream has ended.
    pub async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some((prefix, rest)) = self.bytes.split_first_chunk::<5>() {
                let [_, length @ ..] = *prefix;
                let length = u32::from_be_bytes(length) as usize;
                if rest.len() >= length {
                    let mut message = self.bytes.split_to(5 + length);
                    return Ok(message.split_off(5).freeze());
                }
            }
            let chunk = self.body.data().await.context("the stream has ended")??;
            self.body.flow_control().release_capacity(chunk.len())?;
            self.bytes.put_slice(&chunk);
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
