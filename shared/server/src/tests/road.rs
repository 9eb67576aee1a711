//! The road between a client and a server, and what happens on roads.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// What the road is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// Everything takes so many milliseconds longer, each way.
    Slow(u64),
    /// A few bytes at a time.
    Trickling,
    /// What the client sends arrives; what the server sends does not.
    DeafClient,
    /// The other way round.
    DeafServer,
    /// Nothing arrives, and nobody is told, not even of an end.
    Vanished,
    /// Connections end, those to come at once.
    Cut,
}

/// The two ways of a road.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// A road; it is gone when this is dropped.
pub(super) struct Road {
    address: SocketAddr,
    state: watch::Sender<State>,
    _task: JoinSet<()>,
}

impl Road {
    /// A good road to a server.
    pub(super) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, states) = watch::channel(State::Good);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                open.spawn(carry(client, server, states.clone()));
            }
        });
        Self { address, state, _task: task }
    }

    /// Where it begins.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it is like this, also for what is on it.
    pub(super) fn turns(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn carry(client: TcpStream, server: SocketAddr, mut states: watch::Receiver<State>) {
    if *states.borrow() == State::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap();
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, Way::ToServer, states.clone()) => {}
        () = pump(from_server, to_client, Way::ToClient, states.clone()) => {}
        _cut = states.wait_for(|state| *state == State::Cut) => {}
    }
}

/// Carries one way until either end is at its end.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    mut states: watch::Receiver<State>,
) {
    let mut bytes = vec![0; 4 << 10];
    loop {
        let state = *states.borrow_and_update();
        let closed = match state {
            State::Vanished | State::Cut => true,
            State::DeafClient => way == Way::ToClient,
            State::DeafServer => way == Way::ToServer,
            State::Good | State::Slow(_) | State::Trickling => false,
        };
        // What is not read is on the road still, should it be open again.
        let read = tokio::select! {
            read = from.read(&mut bytes), if !closed => read,
            changed = states.changed() => if changed.is_ok() { continue } else { return },
        };
        let Ok(read @ 1..) = read else { return };
        if let State::Slow(milliseconds) = state {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        }
        let piece = if state == State::Trickling { 16 } else { read };
        for piece in bytes[..read].chunks(piece) {
            if to.write_all(piece).await.is_err() {
                return;
            }
            if state == State::Trickling {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    }
}
