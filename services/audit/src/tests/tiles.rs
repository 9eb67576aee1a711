//! The log as whoever is nobody sees it over HTTP.

use std::net::SocketAddr;

use futures::future::join_all;
use tlog::tile::{Row, Tile};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

/// What is answered: the status, the headers and the body.
pub(super) async fn get(address: SocketAddr, line: &str) -> (u16, String, Vec<u8>) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: log\r\nconnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    ends(tcp.read_to_end(&mut bytes)).await.unwrap();
    parted(&bytes)
}

/// The status, the headers and the body of an answer.
pub(super) fn parted(bytes: &[u8]) -> (u16, String, Vec<u8>) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    (head[9..12].parse().unwrap(), head, bytes[end + 4..].to_vec())
}

#[tokio::test]
async fn checkpoint_and_tiles_are_those_of_the_records() {
    const RECORDS: u64 = 300;
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let address = service.show(&setup.config()).await.unwrap().unwrap();
        let (status, head, empty) = get(address, "GET /checkpoint").await;
        assert_eq!(status, 200, "{head}");
        assert_eq!(log().verify(std::str::from_utf8(&empty).unwrap()).unwrap().size, 0);
        assert_eq!(get(address, "GET /tile/0/000.p/1").await.0, 404, "{engine:?}");
        let mut placed = join_all((0..RECORDS).map(|number| recorded(&service, number))).await;
        placed.sort_unstable_by_key(|answer| answer.index);
        let (status, head, note) = get(address, "GET /checkpoint").await;
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
        assert!(head.contains("cache-control: no-cache"), "{head}");
        let checkpoint = log().verify(std::str::from_utf8(&note).unwrap()).unwrap();
        assert_eq!(checkpoint.size, RECORDS);

        // Whoever has the tiles has the leaves' hashes, and the root follows from them.
        let mut leaves = Vec::new();
        for tile in Tile::all(Row::Hashes(0), RECORDS) {
            let (status, head, body) = get(address, &format!("GET /{tile}")).await;
            assert_eq!(status, 200, "{tile}");
            assert!(head.contains("immutable") && head.contains("octet-stream"), "{head}");
            leaves.extend(body.chunks_exact(32).map(|hash| Hash::try_from(hash).unwrap()));
        }
        let expect: Vec<Hash> =
            placed.iter().map(|answer| answer.leaf_hash[..].try_into().unwrap()).collect();
        assert_eq!(leaves, expect);
        let (mut tree, mut first) = (tlog::Tree::default(), None);
        for leaf in &leaves {
            tree.append(*leaf).unwrap();
            if tree.size() == 256 {
                first = Some(tree.root().unwrap());
            }
        }
        assert_eq!(tree.root().unwrap(), checkpoint.root);
        assert_eq!(get(address, "GET /tile/1/000.p/1").await.2, first.unwrap());
        // What was there when it was smaller is there still.
        assert_eq!(get(address, "GET /tile/0/000.p/7").await.2, leaves[..7].concat());

        for (line, expect) in [
            ("GET /tile/0/001.p/45", 404),
            ("GET /tile/0/001", 404),
            ("GET /tile/1/000.p/2", 404),
            ("GET /tile/63/000.p/1", 404),
            ("GET /tile/0/1", 404),
            ("GET /", 404),
            ("GET /metrics", 404),
            ("GET /tile/entries/000", 403),
            ("POST /checkpoint", 405),
        ] {
            assert_eq!(get(address, line).await.0, expect, "{line}");
        }
        assert_eq!(close_and_audit(&setup, service).await, RECORDS);
        assert!(TcpStream::connect(address).await.is_err(), "it is not shown any more");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_said_to_be_away() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    let address = service.show(&setup.config()).await.unwrap().unwrap();
    execute(
        &service.0.store,
        vec![Sql::same("DROP TABLE node"), Sql::same("DROP TABLE checkpoint")],
    )
    .await;
    for line in ["GET /checkpoint", "GET /tile/0/000.p/1"] {
        let (status, head, _) = get(address, line).await;
        assert_eq!(status, 503);
        assert!(head.contains("retry-after: 1"), "{head}");
    }
    ends(service.close()).await;
}

#[tokio::test]
async fn it_is_shown_nowhere_unless_that_is_wanted() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    let nowhere = Config { tiles_listen: String::new(), ..setup.config() };
    assert_eq!(service.show(&nowhere).await.unwrap(), None);
    let taken = Config { tiles_listen: "nowhere".to_owned(), ..setup.config() };
    assert!(matches!(service.show(&taken).await, Err(Error::Listen { .. })));
    ends(service.close()).await;
}

/// Go's own implementation of transparency logs finds the log sound, and every receipt to be of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outsider_in_go_verifies_the_log() {
    let full = std::env::var("LIENTHONG_TEST_SCALE").is_ok_and(|scale| scale == "full");
    let (records, receipts) = if full { (100_000, 100) } else { (700, 10) };
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    let address = service.show(&setup.config()).await.unwrap().unwrap();
    let (folder, mut folders) = (tempfile::tempdir().unwrap(), Vec::new());
    for begin in (0..records).step_by(500) {
        let end = (begin + 500).min(records);
        let placed = join_all((begin..end).map(|number| recorded(&service, number))).await;
        for (number, answer) in (begin..end).zip(placed) {
            if number % (records / receipts) != 0 {
                continue;
            }
            let proof = tlog::hashes(&answer.proof).unwrap();
            let (index, checkpoint) = (answer.index, answer.checkpoint);
            let receipt = tlog::ProofFile { index, proof, checkpoint }.to_text();
            let of = folder.path().join(number.to_string());
            std::fs::create_dir(&of).unwrap();
            std::fs::write(of.join("receipt.tlog-proof"), receipt).unwrap();
            std::fs::write(of.join("leaf.bin"), access(number).leaf).unwrap();
            folders.push(of);
        }
    }
    let verify = async |key: &str| {
        let mut go = std::process::Command::new("go");
        go.args(["run", ".", &format!("http://{address}"), key]).args(&folders);
        go.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/log"));
        go.env("GOFLAGS", "-mod=readonly");
        let said = tokio::task::spawn_blocking(move || go.output()).await.unwrap();
        said.expect("this test needs go on PATH")
    };
    let said = verify(service.verifier_key()).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(said.status.success(), "{}", text(&said.stderr));
    assert_eq!(text(&said.stdout), format!("{ORIGIN}: {records} leaves, {receipts} receipts\n"));
    // Another log's key, a leaf that is not the one of its receipt, a tile with one bit changed.
    let other = LogSigner::from_seed(ORIGIN, [8; 32]).unwrap();
    assert!(!verify(other.verifier_key()).await.status.success());
    let leaf = folder.path().join("0/leaf.bin");
    std::fs::write(&leaf, access(1).leaf).unwrap();
    assert!(!verify(service.verifier_key()).await.status.success());
    std::fs::write(&leaf, access(0).leaf).unwrap();
    let change = "UPDATE node SET hash = unhex('00') || substr(hash, 2) WHERE position = 0";
    execute(&service.0.store, vec![Sql::same(change)]).await;
    let said = verify(service.verifier_key()).await;
    assert!(text(&said.stderr).contains("the root of"), "{}", text(&said.stderr));
    ends(service.close()).await;
}
