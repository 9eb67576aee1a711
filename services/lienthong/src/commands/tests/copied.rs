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
    let verify = ["audit", "verify", "--copy", &copy, "--log-key", &key];
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
    assert!(!Path::new(&copy).join(".new").exists());
    assert_eq!(json(&mirror).await["copied"], 0, "there is nothing new");

    let held = json(&[&verify[..], &["--extends", &old]].concat()).await;
    assert_eq!((&held["holds"], held["extends"].as_u64()), (&true.into(), Some(size)));
    assert!(run(&verify).await.unwrap().contains("The copy holds."));
    assert!(usage(run(&["audit", "verify", "--copy", &copy]).await), "whose key is it?");
    assert!(usage(run(&["audit", "verify", at, "--extends", &old]).await), "that is no copy");
    // What a folder holds does not say as what it is checked.
    run(&["audit", "verify", &copy, "--log-key", &key]).await.unwrap_err();
    let receipt = format!("{at}/saved/receipt.tlog-proof");
    let held = json(&[&verify[..], &["--extends", &receipt]].concat()).await;
    assert!(held["extends"].as_u64().is_some_and(|size| size > 0 && size < newest));
    // By a policy its checkpoint must be cosigned; a receipt's need not be.
    let policy = format!("{at}/policy");
    let witness = tlog::Cosigner::from_seed("witness.test/1", [9; 32]).unwrap();
    let (log, vkey) = (std::fs::read_to_string(&key).unwrap(), witness.verifier_key());
    std::fs::write(&policy, format!("log {}\nwitness w {vkey}\nquorum w\n", log.trim())).unwrap();
    let by_policy = ["audit", "verify", "--copy", &copy, "--policy", &policy];
    let refused = run(&by_policy).await.unwrap_err();
    assert!(format!("{refused:#}").contains("are not enough"), "{refused:#}");
    let note = std::fs::read_to_string(&checkpoint).unwrap();
    let line = witness.cosign(&note[..=note.find("\n\n").unwrap()], 1_790_000_000).unwrap();
    with(Path::new(&checkpoint), format!("{note}{line}").as_bytes(), async || {
        let held = json(&[&by_policy[..], &["--extends", &receipt]].concat()).await;
        assert_eq!((&held["cosigned"], &held["holds"]), (&true.into(), &true.into()));
        assert!(run(&by_policy).await.unwrap().contains("cosigned"));
        assert_eq!(json(&verify).await["cosigned"], false);
    })
    .await;
    assert!(usage(run(&[&by_policy[..], &["--log-key", &key]].concat()).await), "which of them?");
    assert!(usage(run(&["audit", "verify", at, "--policy", &policy]).await), "that is no copy");
    let newer = format!("{at}/newer");
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

    // A checkpoint that the log signed and does not go on from: both are kept, and the copy stays what it was.
    let secret = std::fs::read_to_string(format!("{at}/log.key")).unwrap();
    let signer = tlog::LogSigner::parse(secret.trim()).unwrap();
    std::fs::write(&newer, signer.sign(newest + 5, &[7; 32]).unwrap()).unwrap();
    let ahead = run(&[&verify[..], &["--extends", &newer]].concat()).await.unwrap_err();
    assert!(format!("{ahead:#}").contains("bring it up to date first"), "{ahead:#}");
    for (size, name) in
        [(newest + 5, "checkpoint"), (newest, "checkpoint"), (newest + 5, "checkpoint.seen")]
    {
        let forged = signer.sign(size, &[7; 32]).unwrap();
        let file = Path::new(&copy).join(name);
        // Where it was seen, it counts, whatever the copy is of.
        std::fs::remove_file(format!("{copy}/checkpoint.seen")).ok();
        std::fs::write(format!("{copy}/checkpoint.seen"), std::fs::read(&checkpoint).unwrap())
            .unwrap();
        with(&file, forged.as_bytes(), async || {
            if name == "checkpoint" {
                std::fs::remove_file(format!("{copy}/checkpoint.seen")).unwrap();
            }
            assert!(failed(run(&mirror).await), "{name} {size}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), forged);
        })
        .await;
        let shown =
            format!("{copy}/checkpoint.conflict-{newest}-{}", second["root"].as_str().unwrap());
        let note = std::fs::read_to_string(&shown).unwrap();
        assert_eq!(signed_size(&signer, &note), newest);
        std::fs::remove_file(shown).unwrap();
    }
    std::fs::remove_file(format!("{copy}/checkpoint.seen")).unwrap();
    // A copy that was damaged is not continued.
    let partial = Path::new(&copy).join(format!("tile/entries/001.p/{}", newest - 256));
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[5] ^= 1;
    with(&partial, &bytes, async || {
        let ended = run(&mirror).await.unwrap_err();
        assert!(format!("{ended:#}").contains("the copy is damaged"), "{ended:#}");
    })
    .await;
    // Two do not bring one up to date at once.
    let lock = std::fs::File::open(format!("{copy}/.lock")).unwrap();
    lock.lock().unwrap();
    assert!(format!("{:#}", run(&mirror).await.unwrap_err()).contains("another process"));
    assert!(format!("{:#}", run(&verify).await.unwrap_err()).contains("brought up to date"));
    drop(lock);
    assert_eq!(json(&verify).await["size"].as_u64(), Some(newest));
}

fn signed_size(signer: &tlog::LogSigner, note: &str) -> u64 {
    tlog::LogVerifier::new(signer.verifier_key()).unwrap().verify(note).unwrap().size
}
