//! The port or socket of the `mesh` transport. A connection from anywhere but a proxy ends unanswered.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::{Listen, Mesh, Proxies, Table};
use crate::{StartError, who::Forged};

/// Owner and group of the process, and nobody else.
const SOCKET_MODE: u32 = 0o660;

/// The transport, listening.
pub(crate) struct Listener {
    bound: Bound,
    table: Arc<Table>,
}

enum Bound {
    Address(TcpListener, Vec<Proxies>),
    Socket(UnixListener),
}

/// A connection of a proxy.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Listens where the configuration says.
    pub(crate) async fn bind(mesh: Mesh) -> Result<Self, StartError> {
        let bound = match mesh.listen {
            Listen::Address { address, proxies } => {
                let listener = TcpListener::bind(&address).await;
                listener.map(|listener| Bound::Address(listener, proxies)).map_err(|e| (address, e))
            }
            Listen::Socket(path) => {
                socket(&path).map(Bound::Socket).map_err(|e| (path.display().to_string(), e))
            }
        };
        let bound = bound.map_err(|(address, source)| StartError::Listen { address, source })?;
        Ok(Self { bound, table: Arc::new(mesh.table) })
    }

    /// Whom the proxies mean.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    /// The port, where it is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.bound {
            Bound::Address(listener, _) => listener.local_addr().ok(),
            Bound::Socket(_) => None,
        }
    }

    /// The next connection, if it is a proxy's.
    pub(crate) async fn accept(&self, forged: &Forged) -> io::Result<Option<Stream>> {
        match &self.bound {
            Bound::Socket(listener) => Ok(Some(Stream::Unix(listener.accept().await?.0))),
            Bound::Address(listener, proxies) => {
                let (tcp, from) = listener.accept().await?;
                let to = tcp.local_addr()?;
                if !proxies.iter().any(|proxies| proxies.hold(from.ip(), to.ip())) {
                    forged.connection(from.ip());
                    return Ok(None);
                }
                tcp.set_nodelay(true)?;
                Ok(Some(Stream::Tcp(tcp)))
            }
        }
    }
}

/// A socket with its mode from the first moment on: it gets its name only then. A socket that an earlier process left
/// behind is replaced by that; anything else is not.
fn socket(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "is there, and is no socket"));
    }
    let made = path.with_extension(format!("{}.new", std::process::id()));
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(SOCKET_MODE))?;
    fs::rename(&made, path)?;
    Ok(listener)
}
