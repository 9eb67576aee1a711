//! Consents from the command line, and what citizens see of themselves by one.

use time::{Duration, format_description::well_known::Rfc3339};

use super::*;

const PERSONS: usize = 60;

#[tokio::test]
async fn consents_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        folder: folder.path().to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        persons: PERSONS,
        seed: 1911,
    };
    let demo = Demo::start(&options, Runtime::system()).await.unwrap();
    let file = folder.path().join("demo.json");
    let file = file.to_str().unwrap();
    let at = |by: Duration| (Runtime::system().clock.now() + by).format(&Rfc3339).unwrap();
    let until = at(Duration::minutes(10));
    let portal = ["--agency", "Z03.DEMO.CONGDVC", "--system", "dvc", "--notice", "n-1"];
    let record = |whom: &'static str, until: &str, more: &[&str]| {
        let own = ["consent", "record", "--demo", file, "--subject", whom, "--until", until];
        let all = [&own[..], &portal, more].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let json_of = async |arguments: Vec<String>| {
        json(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let given = json_of(record("adult", &until, &["--item", "sex,religion"])).await;
    assert_eq!(given["outcome"], "match");
    assert_eq!(given["receipt"]["checked"], true);
    let consent = &given["consent"];
    assert_eq!(consent["channel"], "own_app");
    let reference = consent["reference"].as_str().unwrap();
    let own = ["--procedure", "own-record", "--legal-basis", "circular-46-2022-art-12"];
    let lookup =
        ["lookup", "--demo", file, "--as", "portal", "--subject", "adult", "--item", "sex"];
    let shown = [&lookup[..], &own, &["--consent", reference]].concat();
    assert_eq!(json(&shown).await["items"][0]["outcome"], "value");

    let text = run(&["consent", "show", "--demo", file, reference]).await.unwrap();
    assert!(text.contains("sex, religion") && !text.contains("withdrawn"), "{text}");
    let text = run(&["consent", "withdraw", "--demo", file, reference]).await.unwrap();
    assert!(text.contains("withdrawn"), "{text}");
    assert_eq!(json(&shown).await["outcome"], "no_match");
    let text = run(&["consent", "show", "--demo", file, "nothing"]).await.unwrap();
    assert!(text.contains("No such consent"), "{text}");

    // On paper, of which the digest is sent; of whoever is protected there is none.
    let paper = folder.path().join("paper");
    std::fs::write(&paper, b"signed").unwrap();
    let paper = ["--item", "sex", "--paper", paper.to_str().unwrap()];
    let given = json_of(record("adult", &until, &paper)).await;
    assert_eq!(given["consent"]["evidence_digest"], hex::encode(tlog::digest(b"signed")));
    let none = json_of(record("protected", &until, &["--item", "sex"])).await;
    assert_eq!(none["outcome"], "no_match");
    // Longer than somebody looks.
    let long = record("adult", &at(Duration::HOUR), &["--item", "sex"]);
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert!(failed(run(&long).await));
    demo.stop().await;
}
