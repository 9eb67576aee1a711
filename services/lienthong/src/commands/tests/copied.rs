//! The access log of a demonstration, copied and checked.

use std::path::Path;

use super::*;

/// A file is changed, and put back when `checked` has seen it.
async fn with(file: &Path, bytes: &[u8], checked: impl AsyncFnOnce()) {
    let whole = std::fs::read(file).unwrap();
    std::fs::write(file, bytes).unwrap();
    checked().await;
    std::fs::write(file, whole).unwrap();
}

pub(super) async fn the_log_is_copied_and_a_copy_is_checked(demo: &str, at: &str) {
    let (copy, key, old) = (format!("{at}/copy"), format!("{at}/log.vkey"), format!("{at}/old"));
    let mirror = ["audit", "mirror", "--demo", demo, &copy];
    let verify = ["audit", "verify", &copy, "--log-key", &key];
    let first = json(&mirror).await;
    let size = first["size"].as_u64().unwrap();
    assert_eq!((first["copied"].as_u64(), size > 0), (Some(size), true));
    let checkpoint = format!("{copy}/checkpoint");
    std::fs::copy(&checkpoint, &old).unwrap();

    // More than a bundle is added, so that what was partial is whole then.
    let asked = ["lookup", "--demo", demo, "--as", "social-insurance", "--item", "sex"];
    let (mut grown, mut rounds) = (size, 0);
    while grown <= 256 + size {
        rounds += 1;
        assert!(rounds < 400, "the log does not grow");
        run(&[&asked[..], &["--subject", "adult"]].concat()).await.unwrap();
        grown += 1;
    }
    let second = json(&mirror).await;
    let newest = second["size"].as_u64().unwrap();
    assert!(newest >= grown && newest > 256);
    assert_eq!(second["copied"].as_u64(), Some(newest - size));
    let partial = Path::new(&copy).join(format!("tile/0/000.p/{size}"));
    assert_eq!((partial.exists(), Path::new(&copy).join("tile/0/000").exists()), (false, true));
    assert_eq!(json(&mirror).await["copied"], 0, "there is nothing new");

    let held = json(&[&verify[..], &["--extends", &old]].concat()).await;
    assert_eq!((&held["holds"], held["extends"].as_u64()), (&true.into(), Some(size)));
    assert!(run(&verify).await.unwrap().contains("The copy holds."));
    assert!(usage(run(&["audit", "verify", &copy]).await), "whose key is it?");
    assert!(usage(run(&["audit", "verify", at, "--extends", &old]).await), "that is no copy");
    for name in ["tile/entries/000", "tile/0/000", "tile/1/000.p/1", "checkpoint"] {
        let file = Path::new(&copy).join(name);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[20] ^= 1;
        with(&file, &bytes, async || {
            run(&verify).await.unwrap_err();
        })
        .await;
    }

    // Who is no auditor gets nothing, and leaves nothing that could be taken for a copy.
    let other = format!("{at}/other");
    assert!(failed(run(&["audit", "mirror", "--demo", demo, "--as", "portal", &other]).await));
    assert!(!Path::new(&other).join("checkpoint").exists());

    // The log was set back, or there are two: the copy stays what it was.
    let secret = std::fs::read_to_string(format!("{at}/log.key")).unwrap();
    let signer = tlog::LogSigner::parse(secret.trim()).unwrap();
    for (size, says) in [(newest + 5, "has not the"), (newest, "does not extend")] {
        let forged = signer.sign(size, &[7; 32]).unwrap();
        with(Path::new(&checkpoint), forged.as_bytes(), async || {
            let ended = run(&mirror).await.unwrap_err();
            assert!(format!("{ended:#}").contains(says), "{ended:#}");
            assert_eq!(std::fs::read_to_string(&checkpoint).unwrap(), forged);
        })
        .await;
    }
    assert_eq!(json(&verify).await["size"].as_u64(), Some(newest));
}
