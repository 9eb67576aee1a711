//! A request over HTTP/1.1 and mutual TLS, one on each connection.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use rustls_pki_types::ServerName;
use server::tls;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// What came back.
#[derive(Debug)]
pub struct Got {
    /// The status.
    pub status: u16,
    /// Names, in lower case, and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Got {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(named, _)| named == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// The body, which is JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("it is JSON")
    }
}

/// Asks, for example by `GET /v3/heartbeat`, with further headers.
///
/// # Errors
/// When there is no connection, or no answer.
pub async fn ask(
    address: SocketAddr,
    files: &tls::Files,
    line: &str,
    headers: &[(&str, String)],
) -> Result<Got> {
    let mut config = (*tls::client(files)?).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost")?;
    let tcp = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    let request = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("no answer")?;
    let (head, body) = bytes.split_at(end + 4);
    let mut lines = std::str::from_utf8(head)?.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    Ok(Got {
        status: status.parse()?,
        headers: headers.map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect(),
        body: body.to_vec(),
    })
}

/// A text as a query or a header has it: UTF-8 with percent signs.
#[must_use]
pub fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
