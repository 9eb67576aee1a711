//! HTTP/2 by hand: what no client library sends.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// The head of a call of a method, its body still to come, with more headers.
    pub(super) fn call(stream: u32, method: &str, more: &[(&str, &str)]) -> Self {
        let head = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "127.0.0.1"),
            (":path", method),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        let pairs = head.iter().chain(more);
        let block = pairs.flat_map(|(name, value)| literal(name, value)).collect::<Vec<_>>();
        Self::new(HEADERS, END_HEADERS, stream, block)
    }

    /// One gRPC message, the last of its call.
    pub(super) fn message(stream: u32, message: &[u8]) -> Self {
        Self::new(DATA, END_STREAM, stream, grpc(0, message))
    }

    /// What the peer says went wrong, in RST_STREAM or GOAWAY.
    pub(super) fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// A gRPC message with its prefix.
pub(super) fn grpc(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flag];
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes
}

/// A header field as HPACK literal that no table takes up.
pub(super) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let mut length = text.len();
        if length < 127 {
            bytes.push(u8::try_from(length).unwrap());
        } else {
            bytes.push(127);
            length -= 127;
            while length >= 128 {
                bytes.push(u8::try_from(length % 128).unwrap() | 128);
                length /= 128;
            }
            bytes.push(u8::try_from(length).unwrap());
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// A handshake that is done, before any HTTP/2, from an address of this machine.
pub(super) async fn shaken(
    server: SocketAddr,
    files: &tls::Files,
    from: Ipv4Addr,
) -> io::Result<TlsStream<TcpStream>> {
    shaken_by(&TlsConnector::from(tls::client(files).unwrap()), server, from).await
}

/// The same by a connector that many share.
pub(super) async fn shaken_by(
    connector: &TlsConnector,
    server: SocketAddr,
    from: Ipv4Addr,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    connector.connect("127.0.0.1".try_into().unwrap(), stream).await
}

/// A connection on which frames are written one by one. It reads whatever comes and answers nothing by itself.
pub(super) struct Wire {
    to: WriteHalf<TlsStream<TcpStream>>,
    heard: mpsc::UnboundedReceiver<Frame>,
    /// Half of the connection is there: it ends with this.
    _listening: JoinSet<()>,
}

impl Wire {
    pub(super) async fn connect(server: &Running, files: &tls::Files) -> Self {
        Self::connect_with(server, files, &[]).await
    }

    /// With settings of its own.
    pub(super) async fn connect_with(
        server: &Running,
        files: &tls::Files,
        settings: &[(u16, u32)],
    ) -> Self {
        let stream = shaken(server.address(), files, Ipv4Addr::LOCALHOST).await.unwrap();
        let (from, to) = io::split(stream);
        let (hear, heard) = mpsc::unbounded_channel();
        let mut listening = JoinSet::new();
        listening.spawn(listen(from, hear));
        let mut wire = Self { to, heard, _listening: listening };
        let pairs = settings.iter().flat_map(|(id, value)| {
            id.to_be_bytes().into_iter().chain(value.to_be_bytes()).collect::<Vec<_>>()
        });
        let settings = Frame::new(SETTINGS, 0, 0, pairs.collect::<Vec<_>>());
        wire.to.write_all(PREFACE).await.unwrap();
        wire.send(&[settings]).await.unwrap();
        wire
    }

    /// Sends frames.
    pub(super) async fn send(&mut self, frames: &[Frame]) -> io::Result<()> {
        let bytes = frames.iter().flat_map(Frame::bytes).collect::<Vec<_>>();
        self.to.write_all(&bytes).await?;
        self.to.flush().await
    }

    /// Waits for the room that the server gives beyond what everyone has: to the connection by a frame, to each call
    /// once its settings are acknowledged.
    pub(super) async fn room(&mut self) {
        self.until(|heard| heard.iter().any(|frame| frame.kind == WINDOW_UPDATE)).await;
        self.send(&[Frame::new(SETTINGS, ACK, 0, [])]).await.unwrap();
    }

    /// Every frame until they are what the test waits for.
    pub(super) async fn until(&mut self, enough: impl Fn(&[Frame]) -> bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        while !enough(&frames) {
            let frame = within(self.heard.recv()).await;
            frames.push(frame.unwrap_or_else(|| panic!("the connection ended after {frames:?}")));
        }
        frames
    }

    /// Every frame up to the end of the connection.
    pub(super) async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = within(self.heard.recv()).await {
            frames.push(frame);
        }
        frames
    }

    /// Waits until the server has seen all that was sent, or has ended the connection.
    pub(super) async fn seen(&mut self) {
        if self.send(&[Frame::new(PING, 0, 0, *b"all seen")]).await.is_ok() {
            let pong = |frame: Frame| frame.kind == PING && frame.flags == ACK;
            while within(self.heard.recv()).await.is_some_and(|frame| !pong(frame)) {}
        }
    }
}

async fn listen(mut from: ReadHalf<TlsStream<TcpStream>>, hear: mpsc::UnboundedSender<Frame>) {
    let mut head = [0; 9];
    while from.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if from.read_exact(&mut payload).await.is_err() {
            return;
        }
        let stream = u32::from_be_bytes([head[5] & 127, head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        if hear.send(frame).is_err() {
            return;
        }
    }
}
