//! The road between two services. It stays where it is while what it leads to comes and goes, and it can be
//! cut, or hold back what is sent over it.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What the road does with what is sent over it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It leads to this address.
    Open(SocketAddr),
    /// It leads nowhere: connections end at once.
    Cut,
    /// It takes what is sent and hands on nothing, until it is opened again.
    Stalled,
}

/// A road to a service.
pub struct Relay {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    held: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Relay {
    /// A road that leads nowhere yet.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("the port has an address");
        let (mode, modes) = watch::channel(Mode::Cut);
        let (hold, held) = watch::channel(0);
        let task = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(carry(from, modes.clone(), hold.clone()));
            }
        });
        Self { address, mode, held, task }
    }

    /// Where the road begins.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads to `to`; what was held back goes on.
    pub fn open(&self, to: SocketAddr) {
        self.mode.send_replace(Mode::Open(to));
    }

    /// Cuts every connection, and every one to come.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Holds back what is sent from now on.
    pub fn stall(&mut self) {
        self.held.mark_unchanged();
        self.mode.send_replace(Mode::Stalled);
    }

    /// Waits until something is held back since the road was stalled.
    ///
    /// # Panics
    /// When the road is gone.
    pub async fn holds(&mut self) {
        self.held.changed().await.expect("the road is there");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

/// Carries one connection until either end, or the road, ends it.
async fn carry(mut from: TcpStream, mut modes: watch::Receiver<Mode>, hold: watch::Sender<u64>) {
    let Some(to) = opened(&mut modes, &hold).await else { return };
    let Ok(mut to) = TcpStream::connect(to).await else { return };
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            changed = modes.changed() => {
                if changed.is_err() || *modes.borrow() == Mode::Cut {
                    return;
                }
            }
            read = from.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                if opened(&mut modes, &hold).await.is_none() {
                    return;
                }
                let Some(bytes) = asked.get(..read) else { return };
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = to.read(&mut told) => {
                let Ok(read @ 1..) = read else { return };
                let Some(bytes) = told.get(..read) else { return };
                if from.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Waits while the road is stalled, and says that it does; nowhere when the road is cut.
async fn opened(
    modes: &mut watch::Receiver<Mode>,
    hold: &watch::Sender<u64>,
) -> Option<SocketAddr> {
    loop {
        let mode = *modes.borrow_and_update();
        match mode {
            Mode::Open(to) => return Some(to),
            Mode::Cut => return None,
            Mode::Stalled => hold.send_modify(|held| *held += 1),
        }
        modes.changed().await.ok()?;
    }
}
