//! The command: what it writes, what it says, and how it ends.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/half-year.json");

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lienthong-report"));
    let command = command.args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that ends without reading it is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn it_writes_a_document_from_a_file_and_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["a.pdf", "b.pdf"].map(|name| folder.path().join(name));
    // What was there is replaced.
    fs::write(&first, "x").unwrap();
    let ended = run(&[FIXTURE, "--out", text(&first)], b"");
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.is_empty() && ended.stdout.is_empty(), "{ended:?}");
    let form = concat!(env!("CARGO_MANIFEST_DIR"), "/data/form.toml");
    let input = fs::read(FIXTURE).unwrap();
    let ended = run(&["-", "--out", text(&second), "--form", form], &input);
    assert!(ended.status.success(), "{ended:?}");
    let written = fs::read(&first).unwrap();
    assert!(written.starts_with(b"%PDF-") && written == fs::read(&second).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.pdf");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let broken = file("broken.json", "{\"form\": ");
    let other = file("other.json", "{\"form\": \"lienthong/report/9\"}");
    let form = file("form.toml", "[body]\nname = 1");
    let before = fs::read_dir(folder.path()).unwrap().count();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["/no/such.json", "--out", text(&out)], 2, "cannot read `/no/such.json`"),
        (&[&broken, "--out", text(&out)], 2, "broken.json`: this is no report"),
        (&[&other, "--out", text(&out)], 2, "form `lienthong/report/9`"),
        (&[FIXTURE, "--out", text(&out), "--form", &form], 2, "this is no form of a document"),
        (
            &[FIXTURE, "--out", text(&out), "--form", "/no/form.toml"],
            2,
            "cannot read `/no/form.toml`",
        ),
        (
            &[FIXTURE, "--out", "/no/such/folder/out.pdf"],
            1,
            "cannot write `/no/such/folder/out.pdf`",
        ),
        (&[FIXTURE], 2, "--out"),
    ];
    for (arguments, code, said) in cases {
        let ended = run(arguments, b"");
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}
