//! What leaves the log as files, a copy of it and records that were opened, when the disk fails: each call that the program makes of
//! the system about them returns EIO once, and once the program is killed at it (SIGKILL). Of many calls a fifth does; with
//! `LIENTHONG_TEST_SCALE=full` all of them. The method is that of Tessera's fault tests, by strace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use lienthong::{
    demo::{self, Demo},
    process::Runtime,
};
use serde_json::Value;
use tests::processes::binary;

/// All that is done with files and folders.
const CALLS: &str = "openat,mkdir,statx,newfstatat,getdents64,fcntl,lseek,read,pread64,write,pwrite64,fsync,fdatasync,\
                     ftruncate,rename,unlink,unlinkat,rmdir,flock,close";

/// A demonstration that serves, and everything beside it.
struct Served {
    folder: tempfile::TempDir,
    demo: Demo,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Error,
    Kill,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = demo::Options {
            folder: folder.path().join("demo"),
            listen: "127.0.0.1:0".to_owned(),
            persons: 300,
            seed: 7,
        };
        let demo = Demo::start(&options, Runtime::system()).await.unwrap();
        demo.tour(&mut Vec::new()).await.unwrap();
        Self { folder, demo }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The program, by itself.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary()).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The program under strace; with what it traced.
    fn traced(&self, options: &[&str], arguments: &[&str]) -> (Output, String) {
        let trace = self.at("trace");
        let output = Command::new("strace")
            .args(["-f", "-y", "-s", "0", "-o", &trace])
            .args(options)
            .arg(binary())
            .args(arguments)
            .output()
            .expect("`strace` is missing: apt-get install strace");
        (output, fs::read_to_string(trace).unwrap())
    }

    /// Which calls a command makes about files whose paths hold `about`: each with its number among those of its name in its thread.
    fn calls(&self, arguments: &[&str], about: &str) -> Vec<(String, usize)> {
        let (output, trace) = self.traced(&["-e", &format!("trace={CALLS}")], arguments);
        assert!(output.status.success(), "{output:?}");
        let mut numbers = BTreeMap::<(&str, &str), usize>::new();
        let mut calls = BTreeSet::new();
        for line in trace.lines() {
            let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
            let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
            // strace counts those of each thread.
            let number = numbers.entry((thread, name)).or_default();
            *number += 1;
            if rest.contains(about) {
                calls.insert((name.to_owned(), *number));
            }
        }
        calls.into_iter().collect()
    }

    /// The command, of which one call goes wrong, in each thread that makes so many. None where that is not one about these files.
    fn failing(
        &self,
        arguments: &[&str],
        about: &str,
        (call, number): &(String, usize),
        fault: Fault,
    ) -> Option<Output> {
        let (how, shown) = match fault {
            Fault::Error => ("error=EIO", "(INJECTED)"),
            // A call of which nobody saw the end.
            Fault::Kill => ("signal=SIGKILL", "= ?"),
        };
        let inject = format!("inject={call}:{how}:when={number}");
        let (output, trace) =
            self.traced(&["-e", &format!("trace={call}"), "-e", &inject], arguments);
        // A call during which another thread was traced is on two lines, of which the first one names the file.
        let done = |line: &str| {
            line.contains(about) && (line.contains(shown) || line.contains("<unfinished"))
        };
        (trace.contains(shown) && trace.lines().any(done)).then_some(output)
    }
}

/// Each of these calls with each fault.
fn all(calls: &[(String, usize)]) -> impl Iterator<Item = (&(String, usize), Fault)> {
    calls.iter().flat_map(|call| [(call, Fault::Error), (call, Fault::Kill)])
}

/// The same; of many, some of all kinds.
fn some(calls: &[(String, usize)]) -> impl Iterator<Item = (&(String, usize), Fault)> {
    let full = std::env::var("LIENTHONG_TEST_SCALE").is_ok_and(|scale| scale == "full");
    // Five has no part with the two faults.
    all(calls).step_by(if full { 1 } else { 5 })
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copied(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

fn again(folder: &str, from: Option<&str>) -> PathBuf {
    let path = PathBuf::from(folder);
    fs::remove_dir_all(&path).ok();
    if let Some(from) = from {
        copied(Path::new(from), &path);
    }
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_the_old_one_or_the_new_one_whichever_call_fails() {
    let served = Served::start().await;
    let (demo, key) = (served.at("demo/demo.json"), served.at("demo/log.vkey"));
    let (old, copy) = (served.at("old"), served.at("copy"));
    let mirror = ["audit", "mirror", "--demo", &demo, &copy];
    let verify = ["audit", "verify", "--copy", &copy, "--log-key", &key];
    let before = served.json(&["audit", "mirror", "--demo", &demo, &old])["size"].as_u64().unwrap();
    let lookup = ["lookup", "--demo", &demo, "--subject", "adult", "--item", "sex"];
    served.json(&lookup);
    // A copy that is continued, and one that is begun.
    for from in [Some(old.as_str()), None] {
        again(&copy, from);
        let calls = served.calls(&mirror, &copy);
        let after = served.json(&verify)["size"].as_u64().unwrap();
        assert!(after > before && calls.len() > 40, "{after} {calls:?}");
        let mut reached = [0, 0];
        for (call, fault) in some(&calls) {
            again(&copy, from);
            let Some(output) = served.failing(&mirror, &copy, call, fault) else { continue };
            reached[fault as usize] += 1;
            let whole = served.run(&verify).status.success().then(|| served.json(&verify));
            let size = whole.map(|told| told["size"].as_u64().unwrap());
            let allowed = if output.status.success() {
                size == Some(after)
            } else {
                size == Some(after) || size == from.map(|_| before)
            };
            assert!(allowed, "{call:?} {fault:?}: {size:?} after {output:?}");
            // The next run goes on, whatever lies there.
            let told = served.json(&mirror);
            assert_eq!(told["size"].as_u64(), Some(after), "{call:?} {fault:?}");
            served.json(&verify);
        }
        println!("{from:?}: {reached:?} faults in {} calls", calls.len());
        assert!(reached.iter().all(|reached| *reached > 8), "{reached:?} of {calls:?}");
    }
    served.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opened_records_are_a_whole_file_or_none_whichever_call_fails() {
    let served = Served::start().await;
    let (data, key) = (served.at("demo"), served.at("demo/log.vkey"));
    let (file, whole) = (served.at("openings"), served.at("whole"));
    served.json(&["audit", "export", "--data-dir", &data, &whole]);
    let whole = fs::read(whole).unwrap();
    let export = ["audit", "export", "--data-dir", &data, &file];
    // Those of the file, and those of the database that it comes from.
    let database = served.at("demo/audit.db");
    let own = served.calls(&export, &file);
    fs::remove_file(&file).unwrap();
    let read = served.calls(&export, &database);
    assert!(own.len() > 5 && read.len() > 5, "{own:?} {read:?}");
    let mut reached = [0, 0];
    // Which calls read the database is not the same each time; those of the file are.
    let of_file = all(&own).map(|(call, fault)| (call, fault, &file));
    let of_database = some(&read).map(|(call, fault)| (call, fault, &database));
    for (call, fault, about) in of_file.chain(of_database) {
        fs::remove_file(&file).ok();
        let Some(output) = served.failing(&export, about, call, fault) else { continue };
        reached[fault as usize] += 1;
        let left = fs::read(&file).ok();
        assert!(left.is_none() || left.as_ref() == Some(&whole), "{call:?} {fault:?}: {output:?}");
        assert!(left.is_some() || !output.status.success(), "{call:?} {fault:?}");
        // The next run writes it, whatever lies there, and never over one that is whole.
        assert_eq!(served.run(&export).status.success(), left.is_none(), "{call:?} {fault:?}");
        assert!(fs::read(&file).unwrap() == whole, "{call:?} {fault:?}");
    }
    println!("{reached:?} faults");
    assert!(reached.iter().all(|reached| *reached * 3 > own.len()), "{reached:?} of {own:?}");
    // What was killed or failed at the database left the log as it was.
    served.json(&["audit", "fsck", "--data-dir", &data, "--log-key", &key]);
    served.demo.stop().await;
}
