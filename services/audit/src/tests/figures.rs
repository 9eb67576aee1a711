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
/// Records a second that come whether or not those before have their answers. A thousand is more than the country's peak.
const RATES: [u64; 3] = [250, 1_000, 2_000];
/// For so long, in seconds.
const PACED_S: u64 = 4;
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
            let key = Arc::clone(&key);
            let done =
                self.store.write("raw", |tx| Box::pin(async move { grow(tx, growth, &key).await }));
            done.await.unwrap();
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

/// Appends at a rate, each timed from when it was to be sent, so that whoever has to wait for its turn is counted with the wait. An
/// answer waits for its record and for nothing else of the log's: this is what the log adds to it.
async fn paced(service: &Service, next: &mut u64, rate: u64) -> Figure {
    let records = rate * if full() { PACED_S } else { 1 } / if full() { 1 } else { 10 };
    let requests: Vec<_> = (*next..*next + records).map(access).collect();
    *next += records;
    let began = Instant::now();
    let mut calls = Vec::new();
    for (at, request) in (0..).zip(requests) {
        let due = began + Duration::from_secs(1) * at / u32::try_from(rate).unwrap();
        tokio::time::sleep_until(due.into()).await;
        let service = service.clone();
        calls.push(tokio::spawn(async move {
            append(&service, request).await.unwrap();
            due.elapsed()
        }));
    }
    let took = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    figure(took, records, began.elapsed())
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

/// What one engine took, a figure of each round.
#[derive(Default)]
struct Measured {
    flushed: Vec<Figure>,
    inserted: Vec<Figure>,
    /// By callers.
    appended: Vec<[Figure; CALLERS.len()]>,
    /// By rate.
    added: Vec<[Figure; RATES.len()]>,
    /// How many records shared a commit, by callers, in the last round.
    shared: [f64; CALLERS.len()],
}

/// Where the engine's two databases are, as long as they are held: one for the service, one for rows alone.
async fn databases(engine: Engine, folder: &Path) -> (Vec<TestDatabase>, [String; 2]) {
    if engine == Engine::Sqlite {
        let at = |name| format!("sqlite://{}/{name}.db", folder.display());
        return (Vec::new(), [at("log"), at("raw")]);
    }
    let log = TestDatabase::migrated(engine, "audit", migrations()).await;
    let raw = TestDatabase::migrated(engine, "audit", migrations()).await;
    let urls = [log.url().to_owned(), raw.url().to_owned()];
    if full() {
        let device = |path: &Path| path.metadata().unwrap().dev();
        let there = data_directory(&urls[0]).await;
        let same = device(Path::new(&there)) == device(folder);
        assert!(same, "the cluster ({there}) is on another file system than this program");
    }
    (vec![log, raw], urls)
}

/// Says which claims do not hold.
async fn measure(engine: Engine) -> Vec<String> {
    let (rounds, times) = if full() { (5, 200) } else { (1, 5) };
    let own = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    let (_held, urls) = databases(engine, folder.path()).await;
    let (key, kek) = (key_file(ORIGIN, 7), kek_file(7));
    let config = Config {
        batch_max: 128,
        // More than come in the time of a rate, so that a slow disk gives a figure, too.
        queue_max: 16_384,
        tiles_listen: String::new(),
        auditors_listen: String::new(),
        ..config(urls[0].clone(), &path(&key), &path(&kek))
    };
    let (service, mut raw) = (open(&config).await.unwrap(), Raw::open(&urls[1]).await);
    let (mut next, mut measured) = (0, Measured::default());
    let nothing = Figure { rate: 0.0, p50_ms: 0.0, p99_ms: 0.0 };
    for _ in 0..rounds {
        measured.flushed.push(flushes(folder.path(), times));
        let mut of = [nothing; CALLERS.len()];
        for (level, callers) in CALLERS.into_iter().enumerate() {
            (of[level], measured.shared[level]) =
                appends(&service, &mut next, callers, times).await;
        }
        measured.appended.push(of);
        let mut of = [nothing; RATES.len()];
        for (level, rate) in RATES.into_iter().enumerate() {
            of[level] = paced(&service, &mut next, rate).await;
        }
        measured.added.push(of);
        // The batches that the service has just made of 64 callers.
        let batch = measured.shared[CALLERS.len() - 1].round().max(1.0) as u64;
        measured.inserted.push(raw.inserts(times, batch).await);
    }
    assert_eq!(log().verify(&service.checkpoint().await.unwrap()).unwrap().size, next);
    service.close().await;
    raw.store.close().await;
    measured.told(engine)
}

impl Measured {
    /// Prints it, and says which claims do not hold.
    fn told(&self, engine: Engine) -> Vec<String> {
        let mut broken = Vec::new();
        let mut claim = |holds: bool, what: String| {
            if full() && !cfg!(debug_assertions) && !holds {
                broken.push(format!("{engine:?}: {what}"));
            }
        };
        let line = |what: &str, of: Figure, more: &str| {
            println!("  {what:<26} {:>8.0} {:>8.3} {:>8.3}  {more}", of.rate, of.p50_ms, of.p99_ms);
        };
        let rounds = self.flushed.len();
        println!("{engine:?}: each the middle one of {rounds}: rate a second, p50 ms, p99 ms");
        let (flush, insert) = (middle(&self.flushed), middle(&self.inserted));
        let to_flush = |of: Figure| of.p99_ms / flush.p99_ms;
        line("fdatasync of 8 KiB", flush, "");
        let more = format!("p99 {:.2} of a flush's", to_flush(insert));
        line("raw insert, records", insert, &more);
        for (level, callers) in CALLERS.into_iter().enumerate() {
            let of = middle(&self.appended.iter().map(|round| round[level]).collect::<Vec<_>>());
            let (to_raw, to_flush) = (of.rate / insert.rate, to_flush(of));
            let more = format!(
                "{:.1} records a commit, {to_raw:.2} of raw, p99 {to_flush:.2} of a flush's",
                self.shared[level]
            );
            line(&format!("{callers} callers, one by one"), of, &more);
            let added = (of.p99_ms - insert.p99_ms) / flush.p99_ms;
            if callers == CALLERS[CALLERS.len() - 1] {
                println!("  {:<55} {added:.2} of a flush's more than the raw insert's", "p99");
                claim(to_raw >= 0.5, format!("{to_raw:.2} of the raw rate, not half"));
                claim(added <= 3.0, format!("p99 is longer by {added:.2} flushes, not three"));
            }
        }
        for (level, rate) in RATES.into_iter().enumerate() {
            let of = middle(&self.added.iter().map(|round| round[level]).collect::<Vec<_>>());
            let more = format!("p99 {:.2} of a flush's", to_flush(of));
            line(&format!("{rate} a second"), of, &more);
        }
        broken
    }
}
