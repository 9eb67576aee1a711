//! The log against its promises, through the gRPC trait, on both engines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod accesses;
mod append;
mod archive;
mod certified;
mod count;
mod explore;
mod failure;
mod figures;
mod figures_archive;
mod fsck;
mod keys;
mod killed;
mod killed_archive;
mod pressure;
mod pruning;
mod read;
mod start;
mod tiles;
mod witness;

use std::{future::Future, sync::Arc, time::Duration};

use ::store::{
    Engine, Sql, Store, Value,
    testing::{ENGINES, TestDatabase},
};
use contract::audit::v1::{
    AppendRequest, AppendResponse, DecisionRecord, audit_service_server::AuditService,
};
use prost::Message as _;
use server::{
    Caller, Deadline,
    config::Secret,
    runtime::{Clock, Entropy},
};
use time::OffsetDateTime;
use tlog::{Hash, Leaf, LogSigner, LogVerifier};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::{
    Config, Error, FileKeys, Service, envelope::Envelope, log::Keys, migrations, witness::Pace,
};

const ORIGIN: &str = "lienthong.test/lienthong-access/2026";
const METHOD: &str = "/lienthong.identity.v1.IdentityService/GetPerson";
const CALLER: &str = "spiffe://lienthong.test/agency/G24/system/hi";
const AUDITOR: &str = "spiffe://lienthong.test/agency/TTCP/system/audit";
/// Ends a hang, nothing else.
const HANG: Duration = Duration::from_secs(60);

/// Witnesses are asked at once, and again soon.
const PACE: Pace = Pace {
    interval: Duration::from_millis(5),
    answer_max: Duration::from_secs(2),
    round_max: Duration::from_millis(200),
    back_off: Duration::from_millis(10),
    back_off_max: Duration::from_millis(50),
};

/// A log's database and key.
struct Setup {
    database: TestDatabase,
    key: tempfile::NamedTempFile,
    kek: tempfile::NamedTempFile,
}

impl Setup {
    async fn new(engine: Engine) -> Self {
        let key = key_file(ORIGIN, 7);
        let database = TestDatabase::migrated(engine, "audit", crate::migrations()).await;
        Self { database, key, kek: kek_file(7) }
    }

    fn config(&self) -> Config {
        config(self.database.url(), &path(&self.key), &path(&self.kek))
    }

    async fn open(&self) -> Service {
        open(&self.config()).await.unwrap()
    }

    /// Runs statements on the log's own tables, as whoever holds the database can. A SQLite log must be
    /// closed.
    async fn tamper(&self, statements: &'static [&'static str]) {
        let store = Store::open(self.database.url(), migrations()).await.unwrap();
        execute(&store, statements.iter().map(|text| Sql::same(text)).collect()).await;
        store.close().await;
    }

    /// A number from the log's own tables. A SQLite log must be closed.
    async fn number(&self, sql: &'static str) -> i64 {
        let store = Store::open(self.database.url(), migrations()).await.unwrap();
        let number = ask(&store, sql).await;
        store.close().await;
        number
    }
}

/// A log in a database, by the files of its keys.
fn config(database: impl Into<String>, key: &str, kek: &str) -> Config {
    Config {
        database: Secret::new(database.into()),
        origin: ORIGIN.to_owned(),
        signing_key_file: key.to_owned(),
        key_encryption_key_files: vec![kek.to_owned()],
        batch_max: 64,
        queue_max: 1024,
        tiles_listen: "127.0.0.1:0".to_owned(),
        auditors_listen: String::new(),
        auditors: vec![AUDITOR.to_owned()],
        witness_policy_file: String::new(),
        witness_roots_file: String::new(),
        witness_interval_ms: 1,
    }
}

/// The keys of a log that is held without a service.
fn keys() -> Keys {
    let signer = LogSigner::from_seed(ORIGIN, [7; 32]).unwrap();
    let files = FileKeys::open(&[path(&kek_file(7))], Entropy::seeded(2)).unwrap();
    let records = Envelope::new(Arc::new(files), Entropy::seeded(3));
    Keys { signer, verifier: log(), records }
}

async fn execute(store: &Store, statements: Vec<Sql>) {
    let done: Result<(), ::store::Error> = store
        .write("test", |tx| {
            Box::pin(async move {
                for sql in statements {
                    tx.execute(&sql, Vec::new()).await?;
                }
                Ok(())
            })
        })
        .await;
    done.unwrap();
}

async fn ask(store: &Store, sql: &'static str) -> i64 {
    let rows = store.read(&Sql::same(sql), Vec::<Value>::new()).await.unwrap();
    rows[0].try_get_by(0).unwrap()
}

async fn open(config: &Config) -> Result<Service, Error> {
    open_at(config, PACE).await
}

async fn open_at(config: &Config, pace: Pace) -> Result<Service, Error> {
    let now = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    Service::open_at(config, Clock::fixed(now), Entropy::seeded(1), pace).await
}

fn key_file(origin: &str, seed: u8) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let signer = LogSigner::from_seed(origin, [seed; 32]).unwrap();
    std::fs::write(file.path(), format!("{}\n", signer.secret_text())).unwrap();
    file
}

fn kek_file(seed: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), crate::new_key(&Entropy::seeded(seed)).as_bytes()).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> String {
    file.path().to_str().unwrap().to_owned()
}

fn log() -> LogVerifier {
    LogVerifier::new(LogSigner::from_seed(ORIGIN, [7; 32]).unwrap().verifier_key()).unwrap()
}

/// The `number`-th access: the same number is the same record, byte for byte.
fn access(number: u64) -> AppendRequest {
    access_with(number, &number.to_be_bytes())
}

/// The `number`-th record id, with this answer.
fn access_with(number: u64, answer: &[u8]) -> AppendRequest {
    let entropy = Entropy::seeded(number);
    let (outer_key, inner_key) = (entropy.array(), entropy.array());
    let context = tlog::context(METHOD, CALLER);
    let (request_digest, answer_digest) = (tlog::digest(b"request"), tlog::digest(answer));
    let decision = decision(number).encode_to_vec();
    let time_ms = 1_790_000_000_000 + number;
    let leaf = Leaf {
        time_ms,
        record_id: tlog::record_id(time_ms, entropy.array()),
        outer: tlog::outer_commitment(&outer_key, &context, &request_digest, &answer_digest),
        inner: tlog::inner_commitment(&inner_key, &decision),
    };
    AppendRequest {
        leaf: leaf.to_bytes().to_vec(),
        outer_key: outer_key.to_vec(),
        inner_key: inner_key.to_vec(),
        context,
        request_digest: request_digest.to_vec(),
        answer_digest: answer_digest.to_vec(),
        decision,
        signer_certificate: Vec::new(),
    }
}

/// What is recorded of the `number`-th access: every third is about the same person.
fn decision(number: u64) -> DecisionRecord {
    let (decision_id, person) = (format!("decision {number}"), format!("person-{}", number % 3));
    DecisionRecord { decision_id, person, ..DecisionRecord::default() }
}

/// Calls as the server core hands a call on.
async fn append(service: &Service, access: AppendRequest) -> Result<AppendResponse, Status> {
    let mut request = Request::new(access);
    let caller = "spiffe://lienthong.test/service/identity";
    request.extensions_mut().insert(Caller::parse(caller, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(HANG));
    ends(service.append(request)).await.map(tonic::Response::into_inner)
}

/// Appends and checks everything that an outsider can check of the answer.
async fn recorded(service: &Service, number: u64) -> AppendResponse {
    let answer = append(service, access(number)).await.unwrap();
    verify(&access(number).leaf, &answer);
    answer
}

fn verify(leaf: &[u8], answer: &AppendResponse) {
    let checkpoint = log().verify(&answer.checkpoint).unwrap();
    let leaf_hash: Hash = tlog::leaf_hash(leaf);
    assert_eq!(answer.leaf_hash, leaf_hash);
    let proof = tlog::hashes(&answer.proof).unwrap();
    let (index, size) = (answer.index, checkpoint.size);
    tlog::verify_inclusion(index, size, &leaf_hash, &proof, &checkpoint.root).unwrap();
}

/// The whole log computed again from its leaves: no gap, every checkpoint the root of its prefix.
async fn audit(store: &Store) -> u64 {
    let rows = Sql::same("SELECT position, leaf FROM leaf ORDER BY position");
    let leaves = store.read(&rows, Vec::new()).await.unwrap();
    let notes = Sql::same("SELECT size, note FROM checkpoint ORDER BY size");
    let mut notes = store.read(&notes, Vec::new()).await.unwrap().into_iter().peekable();
    let mut tree = tlog::Tree::default();
    for next in 0..=leaves.len() {
        let size = i64::try_from(next).unwrap();
        if let Some(row) = notes.next_if(|row| row.try_get_by::<i64, _>(0) == Ok(size)) {
            let signed = log().verify(&row.try_get_by::<String, _>(1).unwrap()).unwrap();
            assert_eq!((signed.size, signed.root), (tree.size(), tree.root().unwrap()));
        }
        let Some(row) = leaves.get(next) else { break };
        assert_eq!(row.try_get_by::<i64, _>(0).unwrap(), size, "a gap");
        tree.append(tlog::leaf_hash(&row.try_get_by::<Vec<u8>, _>(1).unwrap())).unwrap();
    }
    assert!(notes.next().is_none(), "a checkpoint beyond the leaves");
    let openings = ask(store, "SELECT COUNT(*) FROM opening").await;
    assert_eq!(usize::try_from(openings).unwrap(), leaves.len());
    let keys =
        ask(store, "SELECT (SELECT COUNT(*) FROM record_key) + (SELECT COUNT(*) FROM erasure)");
    assert_eq!(keys.await, openings);
    tree.size()
}

/// Closes the service, then audits what it left.
async fn close_and_audit(setup: &Setup, service: Service) -> u64 {
    ends(service.close()).await;
    let store = Store::open(setup.database.url(), migrations()).await.unwrap();
    let size = audit(&store).await;
    store.close().await;
    size
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|i| i.reason.clone()).unwrap_or_default())
}

/// The faulty fields that an error names, with the reason of each.
fn faults(status: &Status) -> Vec<(String, String)> {
    assert_eq!(reason(status), (Code::InvalidArgument, "INVALID_REQUEST".to_owned()));
    let details = status.get_error_details();
    let fault = |v: &tonic_types::FieldViolation| (v.field.clone(), v.reason.clone());
    let mut faults: Vec<_> =
        details.bad_request().unwrap().field_violations.iter().map(fault).collect();
    faults.sort();
    faults
}

async fn ends<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("it hangs")
}
