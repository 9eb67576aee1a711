//! Rule sets from the command line.

use super::*;

/// What the example adds: names are withheld.
const WITHHELD: &str = r#"
@id("no-names")
@basis("1911-2021-art-1-2")
@validity("2021-11-15/..")
@obligation("none")
@vi("Mẫu thử: không cung cấp họ tên.")
@en("For tests: no names are given.")
forbid (principal, action == Action::"obtain", resource == Item::"birth_full_name");
"#;
const WHY: [&str; 4] = ["--document", "12/QD-TEST", "--reason", "theo hồ sơ"];

pub(super) async fn rule_sets_come_in_force_and_go(demo: &str) {
    let policy = |more: &[&'static str]| [&["policy"], more].concat();
    let with = |command: &[&str]| {
        let demo = ["--demo".to_owned(), demo.to_owned()];
        command.iter().map(|one| (*one).to_owned()).chain(demo).collect::<Vec<_>>()
    };
    let of = |command: Vec<String>| async move {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        json(&command).await
    };
    let said = |command: Vec<String>| async move {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        run(&command).await
    };
    let folder = tempfile::tempdir().unwrap();
    let draft = folder.path().join("draft").display().to_string();
    let written = of(with(&[&policy(&["show", "--write"])[..], &[&draft]].concat())).await;
    assert_eq!(
        (&written["rule_set"]["number"], &written["rule_set"]["state"]),
        (&0.into(), &"IN_FORCE".into())
    );
    // A folder that holds one is not written over.
    assert!(said(with(&[&policy(&["show", "--write"])[..], &[&draft]].concat())).await.is_err());
    let trial = with(&[&policy(&["simulate", "--folder"])[..], &[&draft]].concat());
    let same = of(trial.clone()).await;
    assert_eq!(same["flips"].as_array().unwrap().len(), 0, "{same}");
    assert!(same["questions"].as_u64().unwrap() > 0);
    let file = std::path::Path::new(&draft).join("1911-2021-art-1-2.cedar");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + WITHHELD).unwrap();
    let flips = of(trial.clone()).await;
    let flips = flips["flips"].as_array().unwrap();
    assert!(!flips.is_empty());
    // Who may obtain names only is told of nobody then.
    let withheld = |flip: &Value| {
        ["closed", "hidden"].iter().any(|kind| flip["kind"] == *kind)
            && flip["then"]["rule"] == "no-names"
    };
    let others: Vec<_> = flips.iter().filter(|flip| !withheld(flip)).collect();
    assert_eq!(others, Vec::<&Value>::new());
    let text = said(trial).await.unwrap();
    assert!(text.contains("birth_full_name") && text.contains("-> no-names"), "{text}");

    let propose = with(&[&policy(&["propose"])[..], &[&draft], &WHY].concat());
    let proposed = of(propose).await;
    assert_eq!(proposed["rule_set"]["state"], "PROPOSED");
    let digest = proposed["rule_set"]["digest"].as_str().unwrap().to_owned();
    let approve = |digest: &str| with(&["policy", "approve", "1", "--digest", digest]);
    assert!(usage(said(approve("00")).await));
    // Who wrote it does not approve it.
    let own = [approve(&digest), vec!["--as".to_owned(), "policy-author".to_owned()]].concat();
    assert!(failed(said(own).await));
    assert_eq!(of(approve(&digest)).await["rule_set"]["state"], "IN_FORCE");
    let text = said(with(&["policy", "show"])).await.unwrap();
    for part in ["rule set 1  IN_FORCE", "by 12/QD-TEST", "approved by", "2  "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let back = with(&[&["policy", "revert", "0"][..], &WHY].concat());
    let back = of(back).await;
    assert_eq!(back["rule_set"]["follows"], 1);
    let digest = back["rule_set"]["digest"].as_str().unwrap();
    assert_eq!(
        of(with(&["policy", "approve", "2", "--digest", digest])).await["rule_set"]["state"],
        "IN_FORCE"
    );
    let listed = of(with(&["policy", "list"])).await;
    let states: Vec<_> =
        listed["rule_sets"].as_array().unwrap().iter().map(|set| set["state"].clone()).collect();
    assert_eq!(states, ["IN_FORCE", "REPLACED", "REPLACED"]);
    let none = with(&["policy", "simulate", "--number", "9"]);
    assert!(failed(said(none).await));
    assert!(usage(said(with(&["policy", "simulate"])).await));
    let nowhere = folder.path().join("nowhere").display().to_string();
    assert!(usage(said(with(&["policy", "simulate", "--folder", &nowhere])).await));
}
