//! Decisions explained from the command line.

use super::*;

pub(super) async fn decisions_are_explained(demo: &str) {
    let explain = ["decision", "explain", "--demo", demo];
    let said = ["--items", "birth_full_name,religion", "--subject", "not-protected,minor"];
    let explained = json(&[&explain[..], &said].concat()).await;
    assert_eq!(explained["receipt"]["checked"], true);
    assert_eq!(explained["visible"], true);
    let item = &explained["items"][0];
    assert_eq!(item["effect"], "allowed");
    assert_eq!(item["rules"][0]["rule"], "shared-for-assigned-tasks");
    let change = &item["changes"][0];
    assert_eq!((&change["condition"], &change["holds"]), (&"protected".into(), &true.into()));
    let text = run(&[&explain[..], &said].concat()).await.unwrap();
    for part in [
        "yes  connection",
        "according to assigned functions",
        "theo chức năng, nhiệm vụ",
        "if protected: withheld",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(usage(run(&[&explain[..], &["--act", "admire"]].concat()).await));
    assert!(failed(run(&[&explain[..], &["--subject", "tall"]].concat()).await));

    let may = ["decision", "what-may-i", "--demo", demo];
    let own = json(&may).await;
    let permission = &own["permissions"][0];
    assert!(
        permission["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| !item["ways"].as_array().unwrap().is_empty())
    );
    let text = run(&may).await.unwrap();
    assert!(text.contains("given of who is not protected"), "{text}");
    // An officer names whose connection.
    let connection = own["connection"].as_str().unwrap();
    let by_officer = ["--as", "auditor", "--of", connection];
    let same = json(&[&may[..], &by_officer].concat()).await;
    assert_eq!(same["permissions"], own["permissions"]);
    assert!(failed(run(&[&may[..], &["--as", "auditor"]].concat()).await));
    assert!(failed(run(&[&may[..], &["--as", "portal", "--of", connection]].concat()).await));
}
