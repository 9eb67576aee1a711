//! A process that keeps the log is killed (SIGKILL) under load, again and again, and started anew on what it left.
//!
//! What would fail it: a record that was acknowledged and is not at its index; one that is there twice; a checkpoint that was given
//! out and is not the root of its prefix; a log that `fsck` finds damaged. What it does not control: where exactly a kill falls. It kills
//! the process, not the machine: what the disk keeps without power is not shown. The seed of the pauses is printed;
//! `LIENTHONG_TEST_SEED=n` begins with that one.
//!
//! The process is this program again, with one of these tests and another part for it, [`is_killed`]. It says on its stderr what it sends and what it
//! was answered, and ends when its stdin does, so it never outlives the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use futures::future::join_all;

use super::*;

const CALLERS: u64 = 16;
/// From the start, or from the first answer, to the kill, at most.
const PAUSE_MS: u64 = 120;
/// What the process is told: database, key, the first new number, and the numbers that had no answer.
const TOLD: &str = "LIENTHONG_TEST_KILLED";

fn cycles() -> usize {
    if std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full") { 200 } else { 10 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_killed_under_load_on_sqlite() {
    match std::env::var(TOLD) {
        Ok(told) => is_killed(&told).await,
        Err(_) => survives(Engine::Sqlite).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_killed_under_load_on_postgres() {
    survives(Engine::Postgres).await;
}

/// The place that a record was told: index, size and root.
type Told = (u64, u64, String);

/// What callers sent, and what they were answered.
#[derive(Default)]
struct Heard {
    sent: BTreeSet<u64>,
    places: BTreeMap<u64, Told>,
}

impl Heard {
    /// What may stand, or not.
    fn open(&self) -> Vec<u64> {
        self.sent.iter().copied().filter(|number| !self.places.contains_key(number)).collect()
    }

    /// Hears a line. Says whether it was an answer.
    fn hear(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().unwrap();
        match words[..] {
            ["sent", record] => {
                self.sent.insert(number(record));
                false
            }
            ["stands", record, index, size, root] => {
                let place = (number(index), number(size), root.to_owned());
                let other = self.places.insert(number(record), place.clone());
                assert!(other.is_none_or(|other| other.0 == place.0), "{record} moved");
                true
            }
            _ => panic!("the process said: {line}"),
        }
    }
}

/// The process, which does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn survives(engine: Engine) {
    let seed = std::env::var("LIENTHONG_TEST_SEED").map_or(1911, |seed| seed.parse().unwrap());
    let entropy = Entropy::seeded(seed);
    let random = |below: u64| u64::from_be_bytes(entropy.array()) % below;
    let setup = Setup::new(engine).await;
    let heard = Arc::new(Mutex::new(Heard::default()));
    for cycle in 0..cycles() {
        let (answered, first) = mpsc::channel();
        let (mut process, listens) = start(&setup, &heard, answered);
        // Every fourth may be killed while it starts.
        if cycle % 4 != 3 {
            first.recv_timeout(HANG).expect("no record was answered");
        }
        std::thread::sleep(Duration::from_millis(random(PAUSE_MS)));
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        listens.join().unwrap();
    }
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    println!(
        "{engine:?}: {} kills, {} acknowledged, {} without an answer, seed {seed}",
        cycles(),
        heard.places.len(),
        heard.open().len()
    );
    assert!(heard.places.len() > cycles());
    holds(&setup, heard).await;
}

/// Starts the process, and a thread that listens to it until it is dead.
fn start(
    setup: &Setup,
    heard: &Arc<Mutex<Heard>>,
    answered: mpsc::Sender<()>,
) -> (Killed, std::thread::JoinHandle<()>) {
    let (next, again) = {
        let heard = heard.lock().unwrap();
        (heard.sent.last().map_or(0, |last| last + 1), heard.open())
    };
    let (key, kek) = (path(&setup.key), path(&setup.kek));
    let told = serde_json::to_string(&(setup.database.url(), key, kek, next, again)).unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["tests::killed::i1_killed_under_load_on_sqlite", "--exact", "--nocapture"])
        .env(TOLD, told)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let heard = Arc::clone(heard);
    let listens = std::thread::spawn(move || {
        let mut line = String::new();
        // A line without an end is one that it was killed in.
        while said.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            if heard.lock().unwrap().hear(line.trim_end()) {
                answered.send(()).ok();
            }
            line.clear();
        }
    });
    (Killed(process), listens)
}

/// Every answer is true, and what had none can be sent again.
async fn holds(setup: &Setup, heard: Heard) {
    let service = setup.open().await;
    let before = service.checkpoint().await.unwrap();
    let stand = log().verify(&before).unwrap().size;
    let open = heard.open();
    let acknowledged = u64::try_from(heard.places.len()).unwrap();
    let sent = u64::try_from(heard.sent.len()).unwrap();
    assert!((acknowledged..=sent).contains(&stand), "{acknowledged} <= {stand} <= {sent}");
    for numbers in open.chunks(64) {
        join_all(numbers.iter().map(|number| recorded(&service, *number))).await;
    }
    for (number, (index, ..)) in heard.places.iter().step_by(10) {
        assert_eq!(recorded(&service, *number).await.index, *index);
    }
    assert_eq!(close_and_audit(setup, service).await, sent, "none is there twice");
    let files = FileKeys::open(&[path(&setup.kek)], Entropy::seeded(2)).unwrap();
    let checked = crate::fsck(setup.database.url(), &log(), Some(files), drop).await.unwrap();
    assert_eq!((checked.size, checked.damages), (sent, Vec::new()));
    let store = Store::open(setup.database.url(), migrations()).await.unwrap();
    let rows = Sql::same("SELECT leaf FROM leaf ORDER BY position");
    let rows = store.read(&rows, Vec::new()).await.unwrap();
    store.close().await;
    let leaves: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get_by(0).unwrap()).collect();
    let mut tree = tlog::Tree::default();
    let mut roots = vec![hex::encode(tree.root().unwrap())];
    for leaf in &leaves {
        tree.append(tlog::leaf_hash(leaf)).unwrap();
        roots.push(hex::encode(tree.root().unwrap()));
    }
    assert_eq!(checked.root, Some(tree.root().unwrap()));
    let at = |number: u64| usize::try_from(number).unwrap();
    for (number, (index, size, root)) in &heard.places {
        assert_eq!(leaves[at(*index)], access(*number).leaf, "record {number}");
        assert_eq!(&roots[at(*size)], root, "record {number}");
    }
}

/// Many callers at once, without an end.
async fn is_killed(told: &str) {
    let (database, key, kek, next, again): (String, String, String, u64, Vec<u64>) =
        serde_json::from_str(told).unwrap();
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(1);
    });
    let config = Config { tiles_listen: String::new(), ..config(database, &key, &kek) };
    let (service, next) = (open(&config).await.unwrap(), AtomicU64::new(next));
    let caller = |caller: u64| {
        let own = again.iter().copied().filter(move |number| number % CALLERS == caller);
        let (service, next) = (&service, &next);
        async move {
            let mut own: Vec<u64> = own.collect();
            loop {
                let number = own.pop().unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed));
                say(&format!("sent {number}\n"));
                let answer = recorded(service, number).await;
                let signed = log().verify(&answer.checkpoint).unwrap();
                let (index, size, root) = (answer.index, signed.size, hex::encode(signed.root));
                say(&format!("stands {number} {index} {size} {root}\n"));
            }
        }
    };
    let endless: Vec<()> = join_all((0..CALLERS).map(caller)).await;
    drop(endless);
}

/// In one piece: whoever kills cuts no line in two, but for the last.
fn say(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
