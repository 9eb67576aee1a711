//! A report of a demonstration: made, and counted again by whoever has the records.

use super::*;

pub(super) async fn a_report_is_made_and_counted_again(demo: &str, at: &str) {
    let copy = format!("{at}/report-copy");
    let (openings, file) = (format!("{at}/openings"), format!("{at}/report.json"));
    let (key, tables) = (format!("{at}/log.vkey"), format!("{at}/tables"));
    let year = Runtime::system().clock.today().year();
    // Of one of the two this moment is.
    let (mut records, mut header) = (0, String::new());
    for period in [format!("{year}"), format!("{}", year + 1)] {
        let asked = ["report", "--demo", demo, "--period", &period];
        let tables = format!("{tables}-{period}");
        let Ok(text) = run(&[&asked[..], &["--csv", &tables, "--format", "json"]].concat()).await
        else {
            continue;
        };
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&report["synthetic"], &report["missing"]),
            (&true.into(), &Vec::<Value>::new().into())
        );
        if report["log"]["records"].as_u64() > Some(0) {
            records = report["log"]["records"].as_u64().unwrap();
            std::fs::write(&file, &text).unwrap();
            header = std::fs::read_to_string(format!("{tables}/requests.csv")).unwrap();
            assert!(run(&asked).await.unwrap().contains("GetPerson"));
        }
    }
    assert!(records > 0);
    assert!(header.starts_with("month,operation,agency,purpose,outcome,requests\n"), "{header}");
    run(&["audit", "mirror", "--demo", demo, &copy]).await.unwrap();
    let export = ["audit", "export", "--data-dir", at, &openings];
    assert!(run(&export).await.unwrap().contains("records in"));
    run(&export).await.unwrap_err();
    let verify =
        ["report", "verify", &file, "--copy", &copy, "--openings", &openings, "--log-key", &key];
    let held = json(&verify).await;
    assert_eq!((&held["holds"], held["records"].as_u64()), (&true.into(), Some(records)));
    assert!(run(&verify).await.unwrap().contains("The figures of accesses hold."));

    // Not with any figure that is another one.
    let whole = std::fs::read_to_string(&file).unwrap();
    let said: Value = serde_json::from_str(&whole).unwrap();
    for pointer in [
        "/accesses/requests/0/requests",
        "/accesses/items/0/disclosed",
        "/accesses/refusals/0/requests",
        "/accesses/latency/0/p99_us",
        "/log/records",
        "/log/erased",
    ] {
        let mut other = said.clone();
        let figure = other.pointer_mut(pointer).unwrap();
        *figure = (figure.as_u64().unwrap() + 1).into();
        std::fs::write(&file, other.to_string()).unwrap();
        assert!(failed(run(&verify).await), "{pointer}");
    }
    // Nor under another period or name, or with more left out than was on its way.
    for (pointer, text) in [
        ("/period/last_day", "2030-01-01"),
        ("/period/from", "2020-01-01T00:00:00+07:00"),
        ("/log/until", "2100-01-01T00:00:00+07:00"),
        ("/accesses/items/0/vi", "Tôn giáo?"),
    ] {
        let mut other = said.clone();
        *other.pointer_mut(pointer).unwrap() = text.into();
        std::fs::write(&file, other.to_string()).unwrap();
        run(&verify).await.unwrap_err();
    }
    // A checkpoint that is another one, or was not signed.
    for (pointer, text) in
        [("/log/last", said["log"]["first"].as_str().unwrap()), ("/log/first", "x")]
    {
        let mut other = said.clone();
        *other.pointer_mut(pointer).unwrap() = text.into();
        std::fs::write(&file, other.to_string()).unwrap();
        run(&verify).await.unwrap_err();
    }
    std::fs::write(&file, &whole).unwrap();
    let bytes = std::fs::read(&openings).unwrap();
    for cut in [0, bytes.len() / 10] {
        std::fs::write(&openings, &bytes[..cut]).unwrap();
        run(&verify).await.unwrap_err();
    }
    std::fs::write(&openings, &bytes).unwrap();
    run(&verify).await.unwrap();
    for wrong in ["", "2026-Q1", "x"] {
        assert!(usage(run(&["report", "--demo", demo, "--period", wrong]).await), "{wrong}");
    }
    assert!(usage(run(&["report", "--demo", demo]).await), "of which period?");
}
