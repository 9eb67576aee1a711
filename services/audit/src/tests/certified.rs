//! The log as those with a certificate see it over HTTPS: as everybody does, and as auditors read entries, too.

use std::net::SocketAddr;

use futures::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use server::tls;
use tlog::tile::{Row, Tile};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    archive::kept,
    fsck::filled,
    pruning::{MINIMUM, pruned},
    *,
};

/// The keys of `[server]`, as a file has them.
#[derive(serde::Deserialize)]
struct Settings {
    server: server::Config,
}

/// A CA and its folder.
struct Pki {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("ca"), ca.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(ca, key) }
    }

    fn issue(&self, id: &str) -> tls::Files {
        let key = KeyPair::generate().unwrap();
        let mut own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        own.subject_alt_names.push(SanType::URI(id.try_into().unwrap()));
        let own = own.signed_by(&key, &self.issuer).unwrap();
        let name = id.replace([':', '/'], "_");
        let write = |suffix: &str, text: String| {
            let file = self.folder.path().join(format!("{name}.{suffix}"));
            std::fs::write(&file, text).unwrap();
            file.to_str().unwrap().to_owned()
        };
        tls::Files {
            certificate: write("pem", own.pem()),
            key: write("key", key.serialize_pem()),
            ca: self.folder.path().join("ca").to_str().unwrap().to_owned(),
            crl: String::new(),
            revoked_identities: String::new(),
        }
    }

    /// The configuration of a process that is the access log.
    fn own(&self) -> server::Config {
        let defaults = [server::config::DEFAULTS];
        let Settings { server } = server::config::load(&defaults, None).unwrap();
        let tls::Files { certificate, key, ca, .. } =
            self.issue("spiffe://lienthong.test/service/audit");
        server::Config { certificate, key, ca, ..server }
    }
}

/// What is answered to a caller: the status, the headers and the body.
async fn get(address: SocketAddr, files: &tls::Files, line: &str) -> (u16, String, Vec<u8>) {
    let mut config = (*tls::client(files).unwrap()).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let tcp = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: log\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    ends(stream.read_to_end(&mut bytes)).await.unwrap();
    tiles::parted(&bytes)
}

/// The entries of a bundle: each has its length before it, two bytes.
fn entries(mut bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(u16::from_be_bytes(*length).into());
        entries.push(entry.to_vec());
        bundle = rest;
    }
    entries
}

#[tokio::test]
async fn an_auditor_reads_entries_that_hash_to_the_tiles_and_others_do_not() {
    const RECORDS: u64 = 300;
    for engine in ENGINES {
        let (setup, pki) = (Setup::new(engine).await, Pki::new());
        let service = setup.open().await;
        let config = Config { auditors_listen: "127.0.0.1:0".to_owned(), ..setup.config() };
        let plain = service.show(&config).await.unwrap().unwrap();
        let address = service.show_certified(&config, &pki.own()).await.unwrap().unwrap();
        let (auditor, other) = (pki.issue(AUDITOR), pki.issue(CALLER));
        join_all((0..RECORDS).map(|number| recorded(&service, number))).await;
        for files in [&auditor, &other] {
            let (status, _, note) = get(address, files, "GET /checkpoint").await;
            assert_eq!(
                (status, log().verify(std::str::from_utf8(&note).unwrap()).unwrap().size),
                (200, RECORDS)
            );
        }
        let mut seen = 0;
        for bundle in Tile::all(Row::Entries, RECORDS) {
            let line = format!("GET /{bundle}");
            let (status, head, body) = get(address, &auditor, &line).await;
            assert_eq!(status, 200, "{line}");
            assert!(head.contains("content-type: application/octet-stream"), "{head}");
            let caching = "cache-control: private, max-age=31536000, immutable";
            assert!(head.contains(caching) && !head.contains("content-encoding"), "{head}");
            let line = format!("GET /{}", bundle.beside());
            let (status, head, tile) = get(address, &other, &line).await;
            assert!(status == 200 && head.contains("cache-control: public"), "{head}");
            let entries = entries(&body);
            let hashes: Vec<Hash> = entries.iter().map(|entry| tlog::leaf_hash(entry)).collect();
            assert_eq!(hashes.concat(), tile, "{line}");
            seen += entries.len();
            // Neither whoever is no auditor, nor whoever is nobody.
            let line = format!("GET /{bundle}");
            assert_eq!(get(address, &other, &line).await.0, 403, "{line}");
            assert_eq!(tiles::get(plain, &line).await.0, 403, "{line}");
        }
        assert_eq!(seen, usize::try_from(RECORDS).unwrap());
        for (line, expect) in [
            ("GET /tile/entries/001.p/45", 404),
            ("GET /tile/entries/001", 404),
            ("GET /tile/entries/0", 404),
            ("GET /x", 404),
            ("POST /tile/entries/000", 405),
        ] {
            assert_eq!(get(address, &auditor, line).await.0, expect, "{line}");
        }
        assert_eq!(close_and_audit(&setup, service).await, RECORDS);
        assert!(TcpStream::connect(address).await.is_err(), "it is not shown any more");
    }
}

#[tokio::test]
async fn what_is_archived_was_there_and_is_gone() {
    for engine in ENGINES {
        let (setup, pki) = (filled(engine).await, Pki::new());
        let archive = kept(&setup).await;
        pruned(&setup, &archive, MINIMUM).await.unwrap();
        let service = setup.open().await;
        let config = Config { auditors_listen: "127.0.0.1:0".to_owned(), ..setup.config() };
        let address = service.show_certified(&config, &pki.own()).await.unwrap().unwrap();
        let auditor = pki.issue(AUDITOR);
        for (line, expect) in [
            ("GET /tile/entries/000", 410),
            ("GET /tile/entries/001.p/7", 410),
            ("GET /tile/entries/002.p/188", 200),
            ("GET /tile/0/000", 200),
        ] {
            assert_eq!(get(address, &auditor, line).await.0, expect, "{engine:?} {line}");
        }
        let (status, _, index) = get(address, &pki.issue(CALLER), "GET /minimum-index").await;
        assert_eq!((status, index.as_slice()), (200, b"512\n".as_slice()));
        ends(service.close()).await;
    }
}

#[tokio::test]
async fn i9_without_an_identity_it_is_shown_to_nobody_with_a_certificate() {
    let (setup, pki) = (Setup::new(Engine::Sqlite).await, Pki::new());
    let service = setup.open().await;
    assert_eq!(service.show_certified(&setup.config(), &pki.own()).await.unwrap(), None);
    let config = Config { auditors_listen: "127.0.0.1:0".to_owned(), ..setup.config() };
    let nobody = server::Config { key: String::new(), ..pki.own() };
    let refused = service.show_certified(&config, &nobody).await;
    assert!(matches!(refused, Err(Error::AuditorsListen(server::StartError::Pem { .. }))));
    let nowhere = Config { auditors_listen: "nowhere".to_owned(), ..setup.config() };
    let refused = service.show_certified(&nowhere, &pki.own()).await;
    assert!(matches!(refused, Err(Error::AuditorsListen(server::StartError::Listen { .. }))));
    ends(service.close()).await;
}
