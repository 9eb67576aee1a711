//! What must be true before the log takes a record.

use super::*;

async fn refused(config: &Config) -> Error {
    open(config).await.err().expect("it must not start")
}

#[tokio::test]
async fn i9_no_signing_key_no_start() {
    let setup = Setup::new(Engine::Sqlite).await;
    let with = |path: &str| Config { signing_key_file: path.to_owned(), ..setup.config() };
    for path in ["", "/nowhere/key"] {
        assert!(matches!(refused(&with(path)).await, Error::SigningKey { .. }), "{path}");
    }
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = refused(&with(empty.path().to_str().unwrap())).await;
    assert!(matches!(empty, Error::Log(tlog::Error::MalformedKey)));
    let other = key_file("lienthong.test/other/2026", 7);
    let other = refused(&with(other.path().to_str().unwrap())).await;
    assert!(matches!(other, Error::OtherOrigin { .. }));
}

#[tokio::test]
async fn i9_a_signing_key_that_others_can_read_does_not_start() {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    let setup = Setup::new(Engine::Sqlite).await;
    for (mode, starts) in [(0o640, false), (0o604, false), (0o620, false), (0o400, true)] {
        fs::set_permissions(setup.key.path(), fs::Permissions::from_mode(mode)).unwrap();
        match open(&setup.config()).await {
            Ok(service) => {
                assert!(starts, "{mode:o}");
                ends(service.close()).await;
            }
            Err(error) => {
                assert!(matches!(error, Error::SigningKeyOpen { .. }), "{error}");
                let named = error.to_string().contains(setup.key.path().to_str().unwrap());
                assert!(named && !starts, "{mode:o}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn i9_the_defaults_alone_do_not_start() {
    #[derive(serde::Deserialize)]
    struct Settings {
        audit: Config,
    }
    let settings: Settings = server::config::load(&[crate::DEFAULTS], None).unwrap();
    assert!(matches!(refused(&settings.audit).await, Error::SigningKey { .. }));
    let setup = Setup::new(Engine::Sqlite).await;
    let none = Config { database: Secret::new(""), ..setup.config() };
    assert!(matches!(refused(&none).await, Error::Store(::store::Error::UnsupportedEngine)));
    for (name, config) in [
        ("batch_max", Config { batch_max: 0, ..setup.config() }),
        ("queue_max", Config { queue_max: 0, ..setup.config() }),
    ] {
        assert!(matches!(refused(&config).await, Error::Limit(found) if found == name));
    }
}

#[tokio::test]
async fn a_log_goes_on_where_it_ended() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let mut last = String::new();
        for number in 0..20 {
            let service = setup.open().await;
            if number > 0 {
                assert_eq!(service.checkpoint().await.unwrap(), last, "{engine:?}");
            }
            let answer = recorded(&service, number).await;
            assert_eq!(answer.index, number, "{engine:?}");
            last = answer.checkpoint;
            ends(service.close()).await;
        }
        let service = setup.open().await;
        assert_eq!(close_and_audit(&setup, service).await, 20);
    }
}

#[tokio::test]
async fn a_log_of_another_key_does_not_start_and_is_not_disturbed() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        recorded(&service, 0).await;
        ends(service.close()).await;
        let before = setup.number("SELECT epoch FROM log_state").await;
        let key = key_file(ORIGIN, 8);
        let path = key.path().to_str().unwrap().to_owned();
        let error = refused(&Config { signing_key_file: path, ..setup.config() }).await;
        assert!(matches!(error, Error::LogCorrupt(_)), "{engine:?}");
        assert_eq!(setup.number("SELECT epoch FROM log_state").await, before);
    }
}

#[tokio::test]
async fn i9_a_log_that_was_tampered_with_does_not_start() {
    // Seven leaves: the edge is the subtrees of four, of two and of one. The note of a smaller size is
    // signed by our key, and is still not the note of this tree.
    let cases: [&'static [&'static str]; 9] = [
        &["UPDATE node SET hash = (SELECT hash FROM node WHERE position = 0) WHERE position = 6"],
        &["DELETE FROM node WHERE position = 6"],
        &["UPDATE checkpoint SET root = (SELECT root FROM checkpoint WHERE size = 1) \
           WHERE size = 7"],
        &["UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 6) \
           WHERE size = 7"],
        &["UPDATE checkpoint SET note = replace(note, '7', '8') WHERE size = 7"],
        &["DELETE FROM checkpoint WHERE size = 7"],
        &["DELETE FROM checkpoint"],
        &["DELETE FROM leaf WHERE position = 6"],
        &["UPDATE log_state SET size = 6"],
    ];
    for engine in ENGINES {
        for (number, statements) in cases.into_iter().enumerate() {
            let setup = Setup::new(engine).await;
            let service = setup.open().await;
            for number in 0..7 {
                recorded(&service, number).await;
            }
            ends(service.close()).await;
            setup.tamper(statements).await;
            let error = refused(&setup.config()).await;
            assert!(matches!(error, Error::LogCorrupt(_)), "{engine:?} case {number}: {error}");
        }
    }
}
