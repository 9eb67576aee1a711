//! The port or socket of the `mesh` transport. A connection from anywhere but a proxy ends unanswered.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _},
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

/// A socket with its mode from the first moment that anybody else can reach it: until then it is in a folder of the
/// process alone. A socket that an earlier process left behind is replaced by that, and what is left of a start that was
/// broken off is removed; anything else is not.
fn socket(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "is there, and is no socket"));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let folder = path.with_file_name(format!(".{name}.new"));
    let made = folder.join("s");
    let remove = || {
        // What is not there need not be removed, and what cannot be is in the way of the next step.
        let _removed = (fs::remove_file(&made), fs::remove_dir(&folder));
    };
    remove();
    // Not one that somebody else has made.
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(SOCKET_MODE))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    remove();
    bound
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Looked at again and again by somebody else while it is bound many times.
    #[tokio::test]
    async fn a_socket_is_never_there_without_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.sock");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| {
                let mut seen = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    for entry in fs::read_dir(folder.path()).unwrap().flatten() {
                        // What is gone again was let in by nobody.
                        let Ok(found) = fs::symlink_metadata(entry.path()) else { continue };
                        seen.push((found.is_dir(), found.permissions().mode() & 0o777));
                    }
                    seen.sort_unstable();
                    seen.dedup();
                }
                seen
            });
            let bound = (0..300).try_for_each(|_| socket(&path).map(drop));
            done.store(true, Ordering::SeqCst);
            bound.unwrap();
            for (is_folder, mode) in seen.join().unwrap() {
                let expect = if is_folder { 0o700 } else { SOCKET_MODE };
                assert_eq!(mode, expect, "{mode:o}");
            }
        });
    }
}
