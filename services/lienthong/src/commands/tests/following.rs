//! Following from the command line.

use super::*;

/// Lines of JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn what_changes_is_followed_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        folder: folder.path().to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        persons: 30,
        seed: 1911,
    };
    let demo = Demo::start(&options, Runtime::system()).await.unwrap();
    let file = folder.path().join("demo.json");
    let file = file.to_str().unwrap();
    let cursor = folder.path().join("insurance.cursor");
    let kept = cursor.to_str().unwrap();
    let follow = ["follow", "--demo", file, "--item", "birth_full_name,date_of_birth", "--once"];
    let follow = [&follow[..], &["--cursor-file", kept, "--format", "json"]].concat();

    // Everybody first, and nothing has changed since.
    let listed = lines(&run(&[&follow[..], &["--list"]].concat()).await.unwrap());
    assert!(listed.len() > 20);
    assert!(listed.iter().all(|line| line["listed"]["receipt"]["checked"] == true));
    let begun = std::fs::read_to_string(&cursor).unwrap();

    let document = folder.path().join("birth.json");
    let example = run(&["contribute", "--example"]).await.unwrap();
    std::fs::write(&document, example).unwrap();
    let child = json(&["contribute", document.to_str().unwrap(), "--demo", file]).await;
    let told = lines(&run(&follow).await.unwrap());
    assert_eq!(told.len(), 1);
    let change = &told[0]["changed"];
    assert_eq!((&change["kind"], &change["version"]), (&"registered".into(), &child["version"]));
    assert_eq!(change["receipt"]["checked"], true);
    // It goes on where it ended: the cursor is kept, and another one each time.
    assert_ne!(std::fs::read_to_string(&cursor).unwrap(), begun);
    assert!(run(&follow).await.unwrap().is_empty());
    let token = change["token"].as_str().unwrap();
    let named = [&follow[..], &["--add", token]].concat();
    let followed = &lines(&run(&named).await.unwrap())[0];
    assert_eq!((&followed["followed"], &followed["receipt"]["checked"]), (&1.into(), &true.into()));
    let again = ["follow", "--demo", file, "--item", "birth_full_name", "--once"];
    let again = [&again[..], &["--followed-only", "--cursor", begun.trim()]].concat();
    let text = run(&again).await.unwrap();
    assert!(text.contains(token) && text.contains("registered") && text.contains("cursor"));
    // A program that keeps no file is told where to go on, too.
    let told = lines(&run(&[&again[..], &["--format", "json"]].concat()).await.unwrap());
    let next = told.last().unwrap()["cursor"].as_str().unwrap();
    let next = ["follow", "--demo", file, "--item", "birth_full_name", "--once", "--cursor", next];
    let told = lines(&run(&[&next[..], &["--format", "json"]].concat()).await.unwrap());
    assert!(told.len() == 1 && told[0]["cursor"].is_string(), "{told:?}");
    // Who has no agreement to follow is told so.
    assert!(failed(run(&[&again[..], &["--as", "portal"]].concat()).await));
    demo.stop().await;
}
