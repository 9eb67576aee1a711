//! A server in a process of its own: with its own limits, its own log, and a memory that is not the test's.

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use super::*;

/// Where such a process finds its configuration, and leaves its address and its log.
const FOLDER: &str = "LIENTHONG_TEST_CHILD";
/// The test that is the process, when it finds that folder.
const NAME: &str = "tests::child::a_process_of_its_own_serves";

/// The process; it is ended when this is dropped.
pub(super) struct Child {
    process: std::process::Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Child {
    /// Starts one that may open so many files.
    pub(super) async fn start(config: &Config, files_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config"), serde_json::to_vec(config).unwrap()).unwrap();
        let process = Command::new("sh")
            .args(["-c", &format!("ulimit -n {files_max} && exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut child = Self { process, folder, address: ([0; 4], 0).into() };
        let started = async {
            loop {
                if let Ok(address) = fs::read_to_string(child.folder.path().join("address")) {
                    return address.parse().unwrap();
                }
                assert!(
                    child.process.try_wait().unwrap().is_none(),
                    "it has ended: {}",
                    child.log()
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        child.address = within(started).await;
        child
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A channel to it.
    pub(super) fn channel(&self, files: &tls::Files) -> Channel {
        let peer = channel::Peer::direct(self.address.to_string(), "policy");
        channel::to_service(&peer, DOMAIN, files).unwrap()
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Bytes of memory that it holds.
    pub(super) fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn a_process_of_its_own_serves() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return serve(Path::new(&folder)).await;
    }
    let pki = Pki::new();
    let child = Child::start(&config(&pki, 30), 64).await;
    decide(child.channel(&pki.service("identity")), None).await.unwrap();
    assert_eq!(child.log().matches("call ended").count(), 1, "{}", child.log());
}

async fn serve(folder: &Path) {
    let log = Mutex::new(File::create(folder.join("log")).unwrap());
    tracing_subscriber::fmt().with_writer(log).with_ansi(false).init();
    let config = serde_json::from_slice(&fs::read(folder.join("config")).unwrap()).unwrap();
    let policy = Policy { answers: Answers::AtOnce, entered: Arc::default() };
    let routes = Routes::new(PolicyServiceServer::new(policy));
    let server = Server::bind(config).await.unwrap().start(routes).await;
    fs::write(folder.join("writing"), server.address().to_string()).unwrap();
    fs::rename(folder.join("writing"), folder.join("address")).unwrap();
    // Until whoever started it is gone.
    let gone = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(gone).await.unwrap().unwrap();
    server.stop().await;
}
