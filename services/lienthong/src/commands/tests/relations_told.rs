//! Relations, households and new tokens from the command line.

use super::*;

const PERSONS: usize = 60;

#[tokio::test]
async fn relations_households_and_new_tokens_from_the_command_line() {
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
    let asked = |command: &'static str, more: &[&'static str]| {
        [&[command, "--demo", file, "--subject", "child"], more].concat()
    };

    let forward = json(&asked("relations", &["--item", "birth_full_name"])).await;
    assert_eq!(forward["outcome"], "match");
    let relations = forward["relations"].as_array().unwrap();
    assert!(!relations.is_empty());
    assert!(relations.iter().all(|relation| relation["receipt"]["checked"] == true));
    assert!(relations.iter().all(|relation| relation["items"][0]["outcome"] == "value"));
    let parent = relations.iter().find(|r| r["kind"] == "mother" || r["kind"] == "father").unwrap();
    let token = parent["token"].as_str().unwrap();
    let inverse = ["relations", "--demo", file, "--token", token, "--inverse"];
    let inverse = json(&inverse).await;
    assert!(!inverse["relations"].as_array().unwrap().is_empty());
    let text = run(&asked("relations", &[])).await.unwrap();
    assert!(text.contains("civil-status"), "{text}");
    // Only whose agreement grants it.
    assert!(failed(run(&asked("relations", &["--as", "portal"])).await));

    let household = json(&asked("household", &["--item", "birth_full_name"])).await;
    let members = household["members"].as_array().unwrap();
    assert_eq!(members[0]["head"], true);
    assert_eq!(members[0]["evidence"], "named_by_subject");
    let text = run(&asked("household", &[])).await.unwrap();
    assert!(text.contains("the head"), "{text}");

    let rotated = json(&["rotate-tokens", "--demo", file, "--idempotency-key", "k-1"]).await;
    assert_eq!(rotated["epoch"], 1);
    let text = run(&["rotate-tokens", "--demo", file, "--idempotency-key", "k-2"]).await.unwrap();
    assert!(text.contains("epoch        2"), "{text}");
    demo.stop().await;
}
