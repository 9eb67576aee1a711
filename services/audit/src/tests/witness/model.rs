//! A witness as C2SP `tlog-witness` has it, made of what `tlog` offers, which can be told to misbehave.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tlog::{Cosigner, Hash, LogVerifier, witness::AddCheckpoint};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

const SIZE: &str = "text/x.tlog.size";
const SECONDS: u64 = 1_790_000_000;

/// How it answers.
#[derive(Clone)]
pub(super) enum Mode {
    /// As the specification says.
    Good,
    /// As it says, after so long.
    Slow(std::time::Duration),
    /// As it says, when it is let: each request takes a permit before it is looked at.
    Held(Arc<Semaphore>),
    /// Always this: status, header, body.
    Says(u16, Option<(&'static str, String)>, Vec<u8>),
    /// It ends the connection.
    Gone,
    /// Nothing.
    Silent,
}

/// A running witness. It knows one log.
pub(super) struct Model {
    pub(super) cosigner: Cosigner,
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    log: LogVerifier,
    origin: String,
    cosigner: Cosigner,
    /// The file in which the checkpoint is, that was cosigned last.
    last: tempfile::NamedTempFile,
    /// One request at a time is compared and kept.
    keeping: Mutex<()>,
    mode: Mutex<Mode>,
    asked: Mutex<Vec<AddCheckpoint>>,
}

pub(super) struct Answer {
    status: u16,
    header: Option<(&'static str, String)>,
    body: Vec<u8>,
}

impl Drop for Model {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Model {
    pub(super) async fn new(name: &str, seed: [u8; 32], vkey: &str) -> Self {
        Self::over(name, seed, vkey, None).await
    }

    pub(super) async fn over(
        name: &str,
        seed: [u8; 32],
        vkey: &str,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let cosigner = Cosigner::from_seed(name, seed).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            log: LogVerifier::new(vkey).unwrap(),
            origin: vkey.split('+').next().unwrap().to_owned(),
            cosigner: cosigner.clone(),
            last: tempfile::NamedTempFile::new().unwrap(),
            keeping: Mutex::default(),
            mode: Mutex::new(Mode::Good),
            asked: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, tls, Arc::clone(&shared))).abort_handle();
        Self { cosigner, address, shared, task }
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// What it was asked so far, in order.
    pub(super) fn asked(&self) -> Vec<AddCheckpoint> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The size that it cosigned last; 0 where it never did.
    pub(super) fn size(&self) -> u64 {
        self.shared.known().map_or(0, |(size, _)| size)
    }

    /// The checkpoint that it cosigned last, as its disk has it.
    pub(super) fn kept(&self) -> String {
        std::fs::read_to_string(self.shared.last.path()).unwrap()
    }

    /// As if its disk were another one.
    pub(super) fn restore(&self, note: &str) {
        std::fs::write(self.shared.last.path(), note).unwrap();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            match tls {
                None => connection(tcp, shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        connection(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let answer = service_fn(|request| answer(request, Arc::clone(&shared)));
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/at/add-checkpoint"));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&body).unwrap().to_owned();
    let mode = shared.mode.lock().unwrap().clone();
    shared.asked.lock().unwrap().extend(AddCheckpoint::parse(&text));
    let said = match mode {
        Mode::Good => shared.add(&text),
        Mode::Slow(long) => {
            tokio::time::sleep(long).await;
            shared.add(&text)
        }
        Mode::Held(permits) => {
            permits.acquire().await.unwrap().forget();
            shared.add(&text)
        }
        Mode::Says(status, header, body) => Answer { status, header, body },
        Mode::Gone => return Err("gone"),
        Mode::Silent => std::future::pending().await,
    };
    let mut answer = Response::builder().status(said.status);
    if let Some((name, value)) = said.header {
        answer = answer.header(name, value);
    }
    Ok(answer.body(Full::from(said.body)).unwrap())
}

impl Shared {
    fn known(&self) -> Option<(u64, Hash)> {
        let note = std::fs::read_to_string(self.last.path()).unwrap();
        let known = (!note.is_empty()).then(|| self.log.verify(&note).unwrap());
        known.map(|known| (known.size, known.root))
    }

    /// The checks of C2SP `tlog-witness`, in its order.
    fn add(&self, text: &str) -> Answer {
        let _one = self.keeping.lock().unwrap();
        let said = |status| Answer { status, header: None, body: Vec::new() };
        let Ok(AddCheckpoint { old_size, proof, checkpoint }) = AddCheckpoint::parse(text) else {
            return said(400);
        };
        let own = self.log.verify(&checkpoint);
        let origin = checkpoint.lines().next().unwrap_or_default();
        let new = match own {
            Ok(new) => new,
            Err(_) if origin == self.origin => return said(403),
            Err(_) => return said(404),
        };
        let known = self.known();
        let size = known.map_or(0, |(size, _)| size);
        let at = || Answer {
            status: 409,
            header: Some((header::CONTENT_TYPE.as_str(), SIZE.to_owned())),
            body: format!("{size}\n").into_bytes(),
        };
        if old_size > new.size {
            return said(400);
        }
        if old_size != size {
            return at();
        }
        match known {
            Some((size, root)) if size == new.size && root != new.root => return at(),
            Some((size, root)) if size < new.size => {
                let (old, new) = ((size, &root), (new.size, &new.root));
                if tlog::verify_consistency(old, new, &proof).is_err() {
                    return said(422);
                }
            }
            _ if !proof.is_empty() => return said(422),
            _ => {}
        }
        // What is said must not be forgotten.
        std::fs::write(self.last.path(), &checkpoint).unwrap();
        self.last.as_file().sync_all().unwrap();
        let body = &checkpoint[..=checkpoint.find("\n\n").unwrap()];
        let line = self.cosigner.cosign(body, SECONDS).unwrap();
        Answer { status: 200, header: None, body: line.into_bytes() }
    }
}
