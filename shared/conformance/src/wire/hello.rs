//! The greeting of an older TLS, as bytes: this build speaks none of them, and a whole client of one would have to agree
//! with the server on more than the version.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{NoAnswer, within};

/// A version before 1.3, as it stands in a greeting, and its name.
pub(crate) const OLDER: [([u8; 2], &str); 3] =
    [([3, 3], "TLS 1.2"), ([3, 2], "TLS 1.1"), ([3, 1], "TLS 1.0")];

/// Whether the server goes on with a client that speaks at most this version: it then answers with its own greeting.
pub(crate) async fn is_answered(
    address: &str,
    host: &str,
    version: [u8; 2],
    patience: Duration,
) -> Result<bool, NoAnswer> {
    let answered = async {
        let none = |error: std::io::Error| NoAnswer::NoConnection(error.to_string());
        let mut tcp = TcpStream::connect(address).await.map_err(none)?;
        tcp.write_all(&greeting(host, version)).await.map_err(none)?;
        let mut head = [0_u8; 6];
        // Whoever says nothing and ends refuses, too.
        let Ok(_) = tcp.read_exact(&mut head).await else { return Ok(false) };
        // A record of a handshake whose first message is the server's greeting.
        Ok(matches!(head, [22, _, _, _, _, 2]))
    };
    within(patience, answered).await
}

fn greeting(host: &str, version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session. The suites that servers have from 1.0 to 1.2, with ECDSA and RSA.
    hello.push(0);
    let suites: [u16; 14] = [
        0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x009c,
        0x009d, 0x002f, 0x0035,
    ];
    hello.extend(sized(&suites.map(u16::to_be_bytes).concat()));
    // No compression.
    hello.extend([1, 0]);
    let mut extensions = Vec::new();
    if host.parse::<std::net::IpAddr>().is_err() {
        extensions.extend(extension(0, &sized(&[&[0][..], &sized(host.as_bytes())].concat())));
    }
    // Groups x25519, secp256r1 and secp384r1; points uncompressed; signatures; HTTP/2; the extended secret; no renegotiation.
    extensions.extend(extension(10, &sized(&[0, 29, 0, 23, 0, 24])));
    extensions.extend(extension(11, &[1, 0]));
    let signatures = [4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1, 2, 3, 2, 1];
    extensions.extend(extension(13, &sized(&signatures)));
    extensions.extend(extension(16, &sized(b"\x02h2")));
    extensions.extend(extension(23, &[]));
    extensions.extend(extension(0xff01, &[0]));
    hello.extend(sized(&extensions));
    let [_, length @ ..] = u32::try_from(hello.len()).unwrap_or(0).to_be_bytes();
    let message = [&[1][..], &length, &hello].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()[..], bytes].concat()
}

fn extension(number: u16, bytes: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &sized(bytes)].concat()
}
