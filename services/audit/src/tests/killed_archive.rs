//! A process that prunes a log, or brings one back, is killed (SIGKILL) at calls of the system by which it writes, each time at another one,
//! by strace, which counts them in each thread; with `LIENTHONG_TEST_SCALE=full` at every number. The same order goes on afterwards, and the log is sound before and after it.
//!
//! The process is this program again, with one of these tests and another part for it, [`is_killed`].

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Output, Stdio},
};

use super::{
    archive::{Kept, imported, kept, leaves, signer},
    fsck::{RECORDS, checked, filled},
    pruning::{MINIMUM, pruned},
    *,
};
use crate::ArchiveError;

/// What the process is told: what it does, the database, the keys, and where the archive is.
const TOLD: &str = "LIENTHONG_TEST_KILLED_ARCHIVE";
const SIGKILL: i32 = 9;

/// What a process is killed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Order {
    Prune,
    Import,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Told {
    order: Order,
    database: String,
    key: String,
    kek: String,
    archive: String,
}

/// The calls by which each engine's client writes.
fn calls(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Sqlite => &["pwrite64", "fsync"],
        Engine::Postgres => &["sendto"],
    }
}

/// At which of them: all, or one after the other with ever more between them.
fn next(at: u32) -> u32 {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    at + 1 + if full { 0 } else { at / 4 }
}

#[tokio::test]
async fn a_prune_that_is_killed_anywhere_goes_on() {
    if let Ok(told) = std::env::var(TOLD) {
        return is_killed(&told).await;
    }
    for engine in ENGINES {
        let archive = kept(&filled(engine).await).await;
        let file = written(&archive, &filled(engine).await).await;
        let (mut unbegun, mut begun, mut done) = (0, 0, 0_u32);
        for call in calls(engine) {
            let mut at = 1;
            loop {
                let setup = filled(engine).await;
                let killed = killed(Order::Prune, &setup, &path(&file), call, at);
                let found = checked(&setup).await;
                assert_eq!((found.size, found.damages), (RECORDS, Vec::new()), "{call} {at}");
                match (found.pruned, found.left) {
                    (0, 0) => unbegun += 1,
                    (MINIMUM, left) if left > 0 => begun += 1,
                    (MINIMUM, _) => done += u32::from(killed),
                    other => panic!("{engine:?} {call} {at}: {other:?}"),
                }
                let again = pruned(&setup, &archive, MINIMUM).await.unwrap();
                assert_eq!((again.minimum, again.size), (MINIMUM, RECORDS), "{call} {at}");
                let sound = checked(&setup).await;
                assert_eq!((sound.pruned, sound.left), (MINIMUM, 0), "{engine:?} {call} {at}");
                assert_eq!((sound.root, sound.damages), (found.root, Vec::new()), "{call} {at}");
                if !killed {
                    assert_eq!(found.left, 0, "{engine:?}: nobody killed it");
                    break;
                }
                at = next(at);
            }
        }
        println!("{engine:?}: not begun {unbegun}, begun {begun}, done {done}");
        assert!(unbegun > 0 && begun > 0, "{engine:?} {unbegun} {begun}");
    }
}

#[tokio::test]
async fn an_import_that_is_killed_anywhere_has_brought_back_all_or_nothing() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        let (archive, whole) = (kept(&setup).await, checked(&setup).await);
        let file = written(&archive, &setup).await;
        let (mut nothing, mut all) = (0, 0_u32);
        for call in calls(engine) {
            let mut at = 1;
            loop {
                let other = Setup::new(engine).await;
                let killed = killed(Order::Import, &other, &path(&file), call, at);
                match imported(&other, &archive).await {
                    Ok(back) => {
                        assert!(killed && back.size == RECORDS, "{engine:?} {call} {at}");
                        nothing += 1;
                    }
                    Err(ArchiveError::NotEmpty) => all += u32::from(killed),
                    Err(other) => panic!("{engine:?} {call} {at}: {other}"),
                }
                let sound = checked(&other).await;
                assert_eq!((sound.size, sound.root), (RECORDS, whole.root), "{call} {at}");
                assert_eq!((sound.openings, sound.damages), (RECORDS, Vec::new()), "{call} {at}");
                if !killed {
                    break;
                }
                at = next(at);
            }
        }
        println!("{engine:?}: nothing {nothing}, all {all}");
        assert!(nothing > 0, "{engine:?} {nothing}");
    }
}

/// The archive as a file that the process reads.
async fn written(archive: &Kept, setup: &Setup) -> tempfile::NamedTempFile {
    let parts = (leaves(setup).await, &archive.openings);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_vec(&parts).unwrap()).unwrap();
    file
}

/// Lets a process carry out an order, until it makes that call so often. Says whether it came so far.
fn killed(order: Order, setup: &Setup, archive: &str, call: &str, at: u32) -> bool {
    let (database, archive) = (setup.database.url().to_owned(), archive.to_owned());
    let told = Told { order, database, key: path(&setup.key), kek: path(&setup.kek), archive };
    let Output { status, stderr, .. } = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=SIGKILL:when={at}")])
        .arg(std::env::current_exe().unwrap())
        .args(["tests::killed_archive::a_prune_that_is_killed_anywhere_goes_on", "--exact"])
        .env(TOLD, serde_json::to_string(&told).unwrap())
        .stdout(Stdio::null())
        .output()
        .expect("`strace` is missing: apt-get install strace");
    // strace ends as what it traced does.
    let dead = status.signal() == Some(SIGKILL);
    assert!(dead || status.success(), "{order:?}: {}", String::from_utf8_lossy(&stderr));
    dead
}

/// Carries out the order.
async fn is_killed(told: &str) {
    let Told { order, database, key, kek, archive } = serde_json::from_str(told).unwrap();
    let parts = std::fs::read(archive).unwrap();
    let (leaves, openings): (Vec<Vec<u8>>, Vec<Vec<u8>>) = serde_json::from_slice(&parts).unwrap();
    let archive = Kept::of(&leaves, &signer(), openings).archive();
    match order {
        Order::Prune => {
            let (order, clock) = super::pruning::all_is_old(MINIMUM);
            crate::prune(&database, &log(), archive, order, &clock, drop).await.unwrap();
        }
        Order::Import => {
            let config = config(database, &key, &kek);
            crate::import(&config, archive, &Clock::system(), drop).await.unwrap();
        }
    }
}
