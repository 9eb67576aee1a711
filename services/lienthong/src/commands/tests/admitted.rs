//! Officers admit a database from the command line.

use super::*;

const ID: &str = "conn-medical-new";

/// An example's file.
fn example(name: &str) -> String {
    format!("{}/data/example-{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

/// A move of an officer, as the words of a command.
fn words<'a>(demo: &'a str, officer: &'a str, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let document = ["--document", "12/TEST", "--issuer", "Cơ quan mẫu", "--day", "2026-01-05"];
    let start = ["connection", name, ID, "--demo", demo, "--as", officer, "--reason", "theo hồ sơ"];
    [&start[..], &document, more].concat()
}

/// Everything as far as it goes without an agreement, which the demonstration has none of.
pub(super) async fn a_database_is_admitted(demo: &str, at: &str) {
    let ready = json(&["connection", "readiness", "--demo", demo]).await;
    let of = |ready: &Value, id: &str| {
        let all = ready["databases"].as_array().unwrap().iter();
        all.into_iter().find(|one| one["database"] == id).unwrap().clone()
    };
    assert_eq!(of(&ready, "civil-status")["connected"], true);
    assert_eq!(of(&ready, "national-portal")["obstacles"][0]["obstacle"], "NOT_APPLIED");
    let text = run(&["connection", "readiness", "--demo", demo]).await.unwrap();
    assert!(text.contains("national-portal  NOT CONNECTED"), "{text}");
    assert!(
        text.contains("owed by the owner (Decision 1911/QD-TTg, Art. 1(1), 3(4)(a))"),
        "{text}"
    );

    let (form, check, assessed) = (example("application"), example("check"), example("assessment"));
    let applied =
        json(&words(demo, "operator", "apply", &["--form", &form, "--request-id", "r-1"])).await;
    assert_eq!(applied["admission"]["state"], "APPLIED");
    assert_eq!(applied["receipt"]["checked"], true);
    // The same again is the same move.
    let more = ["--form", &form, "--request-id", "r-1", "--version", "0"];
    let again = json(&words(demo, "operator", "apply", &more)).await;
    assert_eq!(again["receipt"]["index"], applied["receipt"]["index"]);
    json(&words(demo, "assessor", "check", &["--form", &check])).await;
    json(&words(demo, "assessor", "assess", &["--form", &assessed])).await;
    let report = format!("{at}/report.json");
    let conforms = r#"{"verdict":"passed","roles":["sink"],"kit":{"version":"1"},"target":{"address":"a.test:1"},"cases":[]}"#;
    std::fs::write(&report, conforms.replace("passed", "incomplete")).unwrap();
    let conform = words(demo, "operator", "conform", &["--report", &report]);
    assert!(usage(run(&conform).await));
    std::fs::write(&report, conforms).unwrap();
    json(&conform).await;
    assert!(failed(run(&words(demo, "operator", "agree", &["--agreement", "none"])).await));
    both_sides_sign(demo, at).await;
    let agreed = json(&words(demo, "operator", "agree", &["--agreement", "agr-example"])).await;
    assert_eq!(agreed["admission"]["state"], "ASSESSED");
    assert!(failed(run(&words(demo, "second-registrar", "resume", &[])).await));
    assert!(failed(run(&words(demo, "auditor", "activate", &[])).await));
    let stop = ["--cause", "violation", "--remedy", "x"];
    assert!(failed(run(&words(demo, "operator", "suspend", &stop)).await));
    let end = ["--cause", "refused"];
    json(&words(demo, "operator", "end", &[&end[..], &["--propose"]].concat())).await;

    let shown = run(&["connection", "show", ID, "--demo", demo]).await.unwrap();
    for part in ["NOT_OPENED", "end proposed         refused", "apply -> APPLIED", "12/TEST"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let ended = json(&words(demo, "second-registrar", "end", &end)).await;
    assert_eq!(ended["admission"]["state"], "ENDED");
    let shown = json(&["connection", "show", ID, "--demo", demo]).await;
    let moves: Vec<_> = shown["moves"].as_array().unwrap().iter().map(|one| &one["move"]).collect();
    assert_eq!(moves, ["apply", "check", "assess", "conform", "agree", "end --propose", "end"]);
    let listed = json(&["connection", "list", "--demo", demo]).await;
    assert!(listed["admissions"].as_array().unwrap().iter().any(|one| one["connection"] == ID));
}

/// An agreement is drafted, signed by each side on its own, proposed, and its signatures brought.
async fn both_sides_sign(demo: &str, at: &str) {
    let folder = std::path::Path::new(demo).parent().unwrap().join("pki");
    let pki = lienthong::pki::Pki::existing(&folder, Runtime::system().clock).unwrap();
    let mut draft = std::fs::read_to_string(example("agreement")).unwrap();
    let mut signers = Vec::new();
    for (number, path) in [
        (0, "/operator/second-registrar"),
        (1, "/agency/Z09.DEMO.MAU/system/he-thong-mau"),
        (2, "/agency/Z10.DEMO.XA/system/mot-cua"),
    ] {
        let name = format!("signer-{number}");
        let files = pki.issue(&name, &format!("spiffe://lienthong.test{path}")).unwrap();
        let thumbprint = run(&["agreement", "thumbprint", &files.certificate]).await.unwrap();
        draft = draft.replace(&number.to_string().repeat(64), thumbprint.trim());
        signers.push(files);
    }
    let draft = draft.replace("conn-example", ID);
    let (file, bytes) = (format!("{at}/agreement.toml"), format!("{at}/agreement.bin"));
    std::fs::write(&file, draft.replace("obtain", "take")).unwrap();
    assert!(usage(run(&["agreement", "draft", &file, "--out", &bytes]).await));
    std::fs::write(&file, &draft).unwrap();
    let shown = run(&["agreement", "draft", &file, "--out", &bytes]).await.unwrap();
    for part in ["Z10.DEMO.XA to Z09.DEMO.MAU", "no-onward-transfer", "deletion"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let read = json(&["agreement", "read", &bytes]).await;
    assert_eq!(read["parties"].as_array().unwrap().len(), 3);
    let proposed =
        json(&["agreement", "propose", &bytes, "--demo", demo, "--request-id", "a-1"]).await;
    assert_eq!(proposed["agreement"]["state"], "PROPOSED");
    assert_eq!(proposed["agreement"]["digest"], read["digest"]);
    let again =
        json(&["agreement", "propose", &bytes, "--demo", demo, "--request-id", "a-1"]).await;
    assert_eq!(again["receipt"]["index"], proposed["receipt"]["index"]);
    let signed = format!("{at}/signed.bin");
    let submit = ["agreement", "submit", "agr-example", signed.as_str(), "--demo", demo];
    std::fs::write(&signed, "x").unwrap();
    assert!(usage(run(&submit).await));
    for files in &signers {
        let (certificate, key) = (files.certificate.as_str(), files.key.as_str());
        let by = ["--certificate", certificate, "--key", key, "--out", signed.as_str()];
        run(&[&["agreement", "sign", "accept", bytes.as_str()][..], &by].concat()).await.unwrap();
        assert_eq!(json(&submit).await["receipt"]["checked"], true);
        assert!(failed(run(&submit).await), "it was said already");
    }
    let shown = json(&["agreement", "show", "agr-example", "--demo", demo]).await;
    assert_eq!(shown["agreement"]["state"], "IN_FORCE");
    assert_eq!(shown["content"], read);
    let text = run(&["agreement", "show", "agr-example", "--demo", demo]).await.unwrap();
    assert!(text.contains("signed by spiffe://lienthong.test/agency/Z10.DEMO.XA"), "{text}");
    let listed = json(&["agreement", "list", "--demo", demo]).await;
    assert!(
        listed["agreements"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["agreement"] == "agr-example")
    );
}
