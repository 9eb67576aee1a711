//! What an append costs beside what it cannot do without: a disk that flushes, and an engine that inserts the same rows.
//! Figures, and claims about them where they can be held: in a program that was optimised, with the machine for itself, of
//! the middle one of five rounds, in each of which everything is measured once, one after the other:
//!
//! `LIENTHONG_TEST_SCALE=full cargo test --release -p audit --lib figures_of_appends -- --nocapture`
//!
//! The SQLite database lies beside this program, the one of PostgreSQL where its cluster is; a disk under them, not a file system in
//! memory, is what makes figures of them.

use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    sync::Arc,
    time::Instant,
};

use futures::future::join_all;

use super::{append::sent, *};
use crate::{
    domain,
    log::{Keys, Log},
    store::grow,
};

/// Callers that each wait for an answer before they send again.
const CALLERS: [u64; 3] = [1, 16, 64];
/// What PostgreSQL writes at least.
const PAGE: usize = 8 << 10;

fn full() -> bool {
    std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full")
}

/// How often something was done in a second, and how long it took.
#[derive(Debug, Clone, Copy)]
struct Figure {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn figure(mut took: Vec<Duration>, of: u64, whole: Duration) -> Figure {
    took.sort_unstable();
    let ms = |part: usize| took[took.len() * part / 100].as_secs_f64() * 1e3;
    Figure { rate: of as f64 / whole.as_secs_f64(), p50_ms: ms(50), p99_ms: ms(99) }
}

/// The middle one by each figure.
fn middle(of: &[Figure]) -> Figure {
    let by = |figure: fn(&Figure) -> f64| {
        let mut all: Vec<f64> = of.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Figure { rate: by(|f| f.rate), p50_ms: by(|f| f.p50_ms), p99_ms: by(|f| f.p99_ms) }
}

/// The same page of a file is written and flushed, again and again.
fn flushes(folder: &Path, times: u64) -> Figure {
    let file = File::create(folder.join("flushed")).unwrap();
    let page = [0x5a; PAGE];
    file.write_all_at(&page, 0).unwrap();
    file.sync_all().unwrap();
    let (mut took, began) = (Vec::new(), Instant::now());
    for _ in 0..times {
        let at = Instant::now();
        file.write_all_at(&page, 0).unwrap();
        file.sync_data().unwrap();
        took.push(at.elapsed());
    }
    figure(took, times, began.elapsed())
}

/// A log into which rows are put that were made before: no tree, no queue, one connection.
struct Raw {
    store: Store,
    keys: Keys,
    log: Log,
    next: u64,
}

impl Raw {
    async fn open(url: &str) -> Self {
        let store = Store::open(url, migrations()).await.unwrap();
        let keys = keys();
        let log = Log::take(&store, &keys, 0).await.unwrap();
        Self { store, keys, log, next: 0 }
    }

    /// So many transactions, each of so many records.
    async fn inserts(&mut self, times: u64, batch: u64) -> Figure {
        let mut rows = Vec::new();
        for _ in 0..times {
            let numbers = self.next..self.next + batch;
            self.next = numbers.end;
            let records = numbers.map(|n| Arc::new(domain::check(sent(access(n))).ok().unwrap()));
            let (mut log, growth) =
                self.log.grown(records.collect(), &self.keys.signer, 0).unwrap();
            log.forget();
            self.log = log;
            rows.push(growth);
        }
        let day = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap().date();
        let key = self.keys.records.data_key(&self.store, day).await.unwrap();
        let (mut took, began) = (Vec::new(), Instant::now());
        for growth in rows {
            let at = Instant::now();
            grow(&self.store, growth, &key).await.unwrap();
            took.push(at.elapsed());
        }
        figure(took, times * batch, began.elapsed())
    }
}

/// Appends by so many callers, each of so many; and how many records shared a commit.
async fn appends(service: &Service, next: &mut u64, callers: u64, each: u64) -> (Figure, f64) {
    let first = *next;
    *next += callers * each;
    let requests = |caller: u64| -> Vec<AppendRequest> {
        (0..each).map(|n| access(first + caller * each + n)).collect()
    };
    let requests: Vec<_> = (0..callers).map(requests).collect();
    let began = Instant::now();
    let calls = requests.into_iter().map(|requests| {
        let service = service.clone();
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for request in requests {
                let at = Instant::now();
                let answer = append(&service, request).await.unwrap();
                answers.push((at.elapsed(), answer.checkpoint));
            }
            answers
        })
    });
    let calls = join_all(calls).await;
    let whole = began.elapsed();
    let (mut took, mut commits) = (Vec::new(), BTreeSet::new());
    for (time, checkpoint) in calls.into_iter().flat_map(Result::unwrap) {
        took.push(time);
        commits.insert(checkpoint);
    }
    let records = callers * each;
    (figure(took, records, whole), records as f64 / commits.len() as f64)
}

/// Where PostgreSQL keeps what it flushes.
async fn data_directory(url: &str) -> String {
    let store = Store::open_read_only(url, migrations()).await.unwrap();
    let rows = store.read(&Sql::same("SHOW data_directory"), Vec::new()).await.unwrap();
    store.close().await;
    rows[0].try_get_by(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_appends() {
    let mut broken = Vec::new();
    for engine in ENGINES {
        broken.extend(measure(engine).await);
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Says which claims do not hold.
async fn measure(engine: Engine) -> Vec<String> {
    let (rounds, times) = if full() { (5, 200) } else { (1, 5) };
    let own = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let mut databases = Vec::new();
    let mut urls = Vec::new();
    for name in ["log", "raw"] {
        if engine == Engine::Postgres {
            let database = TestDatabase::migrated(engine, "audit", migrations()).await;
            urls.push(database.url().to_owned());
            databases.push(database);
        } else {
            urls.push(format!("sqlite://{}/{name}.db", folder.path().display()));
        }
    }
    if full() && engine == Engine::Postgres {
        let device = |path: &Path| path.metadata().unwrap().dev();
        let there = data_directory(&urls[0]).await;
        let same = device(Path::new(&there)) == device(folder.path());
        assert!(same, "the cluster ({there}) is on another file system than {}", own.display());
    }
    let key = key_file(ORIGIN, 7);
    let kek = kek_file(7);
    let config = Config {
        batch_max: 128,
        queue_max: 4096,
        tiles_listen: String::new(),
        auditors_listen: String::new(),
        ..config(urls[0].clone(), &path(&key), &path(&kek))
    };
    let (service, mut raw) = (open(&config).await.unwrap(), Raw::open(&urls[1]).await);
    let (mut flushed, mut inserted, mut appended) = (Vec::new(), Vec::new(), Vec::new());
    let (mut next, mut shared) = (0, vec![0.0; CALLERS.len()]);
    for _ in 0..rounds {
        flushed.push(flushes(folder.path(), times));
        let mut of = Vec::new();
        for (level, callers) in CALLERS.into_iter().enumerate() {
            let (figure, records) = appends(&service, &mut next, callers, times).await;
            of.push(figure);
            shared[level] = records;
        }
        appended.push(of);
        // The batches that the service has just made of 64 callers.
        let batch = shared[CALLERS.len() - 1].round().max(1.0) as u64;
        inserted.push(raw.inserts(times, batch).await);
    }
    assert_eq!(log().verify(&service.checkpoint().await.unwrap()).unwrap().size, next);
    service.close().await;
    raw.store.close().await;
    let mut broken = Vec::new();
    let (flush, insert) = (middle(&flushed), middle(&inserted));
    println!("{engine:?}: each the middle one of {rounds}: rate a second, p50 ms, p99 ms");
    let line = |what: &str, of: Figure, more: &str| {
        println!("  {what:<22} {:>9.0} {:>8.3} {:>8.3}  {more}", of.rate, of.p50_ms, of.p99_ms);
    };
    line("fdatasync of 8 KiB", flush, "");
    line(
        "raw insert, records",
        insert,
        &format!("{:.2} of a flush p99", insert.p99_ms / flush.p99_ms),
    );
    for (level, callers) in CALLERS.into_iter().enumerate() {
        let of: Vec<Figure> = appended.iter().map(|round| round[level]).collect();
        let of = middle(&of);
        let (to_raw, to_flush) = (of.rate / insert.rate, of.p99_ms / flush.p99_ms);
        let records = shared[level];
        line(
            &format!("appends, {callers} callers"),
            of,
            &format!(
                "{records:.1} records a commit, {to_raw:.2} of raw, p99 {to_flush:.2} of a flush's"
            ),
        );
        if full() && !cfg!(debug_assertions) && callers == 64 {
            if to_raw < 0.5 {
                broken.push(format!("{engine:?}: {to_raw:.2} of the raw rate, not half of it"));
            }
            if to_flush > 3.0 {
                broken.push(format!("{engine:?}: p99 is {to_flush:.2} of a flush's, not three"));
            }
        }
    }
    broken
}
