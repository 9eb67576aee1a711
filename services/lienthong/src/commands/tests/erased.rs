//! Keys of the records of a demonstration, erased and wrapped anew.

use super::*;

/// Once the demonstration has ended: what was obtained of the log before still verifies, and only what was erased cannot be opened.
pub(super) async fn keys_are_erased_and_every_receipt_holds(at: &str) {
    let config = format!("{at}/audit.toml");
    let settings = format!(
        "[audit]\ndatabase = \"sqlite://{at}/audit.db\"\nsigning_key_file = \"{at}/log.key\"\n\
         key_encryption_key_files = [\"{at}/new.key\", \"{at}/kek.key\"]\n"
    );
    std::fs::write(&config, settings).unwrap();
    let key = ::audit::new_key(&Runtime::system().entropy);
    lienthong::pki::write_secret(&Path::new(at).join("new.key"), &key).unwrap();
    let fsck = ["audit", "fsck", "--config", &config];
    let before = json(&fsck).await;
    let erase = ["audit", "erase", "--config", &config, "--document", "7/QD", "--record"];
    let erase = [&erase[..], &["0", "1", "2"]].concat();
    let erased = json(&erase).await;
    assert_eq!((&erased["erased"], &erased["before"]), (&3.into(), &0.into()));
    assert_eq!(json(&erase).await["before"], 3);
    let none = ["audit", "erase", "--config", &config, "--document", "7/QD", "--record", "999999"];
    run(&none).await.unwrap_err();
    // It was wrapped by the old key, of as many days as the demonstration has run on.
    assert!(json(&["audit", "rewrap", "--config", &config]).await["days"].as_u64() > Some(0));
    assert_eq!(json(&["audit", "rewrap", "--config", &config]).await["days"], 0);
    let after = json(&fsck).await;
    assert_eq!((&after["sound"], &after["erased"]), (&true.into(), &3.into()));
    assert_eq!((&after["root"], &after["size"]), (&before["root"], &before["size"]));
    let openings = |found: &Value| found["openings"].as_u64().unwrap();
    assert_eq!(openings(&after) + 3, openings(&before));
    let (copy, log) = (format!("{at}/copy"), format!("{at}/log.vkey"));
    run(&["audit", "verify", "--copy", &copy, "--log-key", &log]).await.unwrap();
    assert!(run(&["audit", "verify", &format!("{at}/saved")]).await.unwrap().contains("holds"));
}
