//! The registry is replaced whole or not at all, outlives the process, and without it nothing is
//! decided.

use super::*;
use crate::domain::{registry::Grant, rules::Act};

#[tokio::test]
async fn i2_an_empty_registry_denies() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = open(&database, NOW).await;
        let reason = ErrorReason::ConnectionNotActive;
        denied(&service, covered(), reason, "no-connection", CONNECTING).await;
        service.apply_registry(&sample()).await.unwrap();
        ordinary(&decide(&service, covered()).await);
        // What a registry does not name any more has no rights.
        service.apply_registry(&Registry::default()).await.unwrap();
        denied(&service, covered(), reason, "no-connection", CONNECTING).await;
    }
}

/// A state that this program does not know cannot be stored; were it stored all the same, it
/// denies.
#[tokio::test]
async fn i2_an_unknown_state_denies() {
    const SET: Sql = Sql::same("UPDATE connection SET state = 'PENDING'");
    const LIFT: Sql = Sql {
        sqlite: "PRAGMA ignore_check_constraints = ON",
        postgres: "ALTER TABLE connection DROP CONSTRAINT connection_state_check",
    };
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let store = service.app.store.clone();
        let run = |statements: &'static [Sql]| {
            store.write("test", move |tx| {
                Box::pin(async move {
                    for statement in statements {
                        tx.execute(statement, Vec::new()).await?;
                    }
                    Ok::<_, ::store::Error>(())
                })
            })
        };
        assert!(run(&[SET]).await.is_err(), "{engine:?}");
        ordinary(&decide(&service, covered()).await);
        run(&[LIFT, SET]).await.unwrap();
        let reason = ErrorReason::ConnectionNotActive;
        denied(&service, covered(), reason, "connection-revoked", CONNECTING).await;
    }
}

#[tokio::test]
async fn a_suspension_takes_effect_on_the_next_decision() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        ordinary(&decide(&service, covered()).await);
        let mut registry = sample();
        registry.connections[0].state = State::Suspended;
        service.apply_registry(&registry).await.unwrap();
        let reason = ErrorReason::ConnectionNotActive;
        denied(&service, covered(), reason, "connection-suspended", CONNECTING).await;
    }
}

#[tokio::test]
async fn the_revision_follows_the_registry_and_outlives_the_process() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let service = open(&database, NOW).await;
        let empty = decide(&service, covered()).await.policy_revision;
        service.apply_registry(&sample()).await.unwrap();
        let first = decide(&service, covered()).await;
        // A registry that is in force already changes nothing.
        service.apply_registry(&sample()).await.unwrap();
        let again = decide(&service, covered()).await;
        assert_ne!(again.decision_id, first.decision_id);
        assert_eq!(DecideResponse { decision_id: first.decision_id.clone(), ..again }, first);
        let service = at(&database, service, NOW).await;
        assert_eq!(decide(&service, covered()).await.policy_revision, first.policy_revision);
        let mut other = sample();
        other.agreements[0].grants[0].items.pop();
        service.apply_registry(&other).await.unwrap();
        let changed = decide(&service, covered()).await.policy_revision;
        assert!(changed != first.policy_revision && empty != first.policy_revision);
    }
}

#[tokio::test]
async fn a_registry_that_names_something_unknown_changes_nothing() {
    type Change = fn(&mut Registry);
    let changes: [(&str, Change); 23] = [
        ("G77", |r| r.connections[0].agency = "G77".into()),
        ("law-of-nowhere", |r| r.connections[0].legal_basis = "law-of-nowhere".into()),
        ("SPIFFE", |r| r.connections[0].system = "a/b".into()),
        ("SPIFFE", |r| r.agencies[3].code = "H 99".into()),
        ("another connection", |r| r.connections[2].system = "portal-old".into()),
        ("no database", |r| r.connections[0].database.clear()),
        ("there twice", |r| r.connections[0].id = "conn-portal".into()),
        ("conn-77", |r| r.agreements[0].connection = "conn-77".into()),
        ("there twice", |r| r.agreements[0].id = "agr-births".into()),
        ("ends before", |r| r.agreements[0].valid_to = r.agreements[0].valid_from),
        ("of-nowhere", |r| r.agreements[0].grants[0].procedure = "of-nowhere".into()),
        ("law-77", |r| r.agreements[0].grants[0].legal_basis = "law-77".into()),
        ("shoe_size", |r| r.agreements[0].grants[0].items.push("shoe_size".into())),
        ("grants nothing", |r| r.agreements[0].grants[0].items.clear()),
        ("something unknown: `tell`", |r| obliged(r, &["tell"])),
        ("something unknown: `mask=year`", |r| obliged(r, &["mask=year"])),
        ("something unknown: `valid-until=0`", |r| obliged(r, &["valid-until=0"])),
        ("no `mask=province` of `birth_full_name`", |r| obliged(r, &["mask=province"])),
        ("in two forms", |r| {
            r.agreements[0].grants[0].items = vec!["permanent_residence".into()];
            obliged(r, &["mask=province", "mask=last-four"]);
        }),
        // What the law does not list is said first.
        ("shoe_size", |r| {
            r.agreements[0].grants[0].items.push("shoe_size".into());
            obliged(r, &["tell"]);
        }),
        ("on two conditions", |r| {
            let grant = Grant { obligations: vec!["max-age=60".into()], ..first(r).clone() };
            r.agreements[0].grants.push(grant);
        }),
        ("who may `explain`", |r| {
            let obligations = vec!["max-age=60".into()];
            let grant = Grant { action: Act::Explain, obligations, ..first(r).clone() };
            r.agreements[0].grants.push(grant);
        }),
        ("not that without conditions", |r| {
            let grant = Grant { action: Act::Explain, ..first(r).clone() };
            r.agreements[0].grants.push(grant);
            obliged(r, &["max-age=60"]);
        }),
    ];
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let before = decide(&service, covered()).await.policy_revision;
        for (named, change) in changes {
            let mut registry = sample();
            change(&mut registry);
            let error = service.apply_registry(&registry).await.unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
        let after = decide(&service, covered()).await;
        assert_eq!(after.policy_revision, before);
        ordinary(&after);
    }
    assert!(Registry::parse("[[agency]]\ncode = \"G01\"\nvi = \"x\"\nen = \"x\"\nx = 1").is_err());
    let text = include_str!("../../testdata/registry.toml");
    assert!(Registry::parse(&text.replace("SUSPENDED", "PENDING")).is_err());
    assert!(Registry::parse(&text.replace("\"contribute\"", "\"delete\"")).is_err());
}

fn first(registry: &Registry) -> &Grant {
    &registry.agreements[0].grants[0]
}

fn obliged(registry: &mut Registry, obligations: &[&str]) {
    let all = obligations.iter().map(|one| (*one).to_owned()).collect();
    registry.agreements[0].grants[0].obligations = all;
}

/// Of whatever cannot be kept nothing is granted: no file can say such a word, and were it stored all the same, nothing
/// stands on it.
#[tokio::test]
async fn i2_a_stored_obligation_that_is_not_known_grants_nothing() {
    const SET: [Sql; 2] = [
        Sql::same("UPDATE agreement_grant SET obligations = 'max-age=60' WHERE item = 'sex'"),
        Sql::same(
            "UPDATE agreement_grant SET obligations = 'max-age=60,tell' WHERE item = 'date_of_birth'",
        ),
    ];
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let mut asked = covered();
        asked.items = ["birth_full_name", "sex", "date_of_birth"].map(str::to_owned).to_vec();
        let before = ordinary(&decide(&service, asked.clone()).await);
        assert!(before.iter().all(|item| item.effect() == ItemEffect::Allowed), "{before:?}");
        let set = service.app.store.write("test", |tx| {
            Box::pin(async move {
                for sql in &SET {
                    tx.execute(sql, Vec::new()).await?;
                }
                Ok::<_, ::store::Error>(())
            })
        });
        set.await.unwrap();
        let after = ordinary(&decide(&service, asked).await);
        assert_eq!(after[0], before[0]);
        assert_eq!(
            (after[1].effect(), &*after[1].obligations[0]),
            (ItemEffect::Allowed, "max-age=60")
        );
        assert_eq!((after[2].effect(), &*after[2].rule), (ItemEffect::Withheld, "agreement-scope"));
        assert!(after[2].obligations.is_empty());
    }
}

/// Replicas that apply different registries at once leave one of them, whole.
#[tokio::test]
async fn two_registries_are_never_mixed() {
    let (database, one) = service(Engine::Postgres).await;
    let two = open(&database, NOW).await;
    let (this, mut other) = (sample(), sample());
    other.agreements[0].id = "agr-other".into();
    for _ in 0..8 {
        let (first, second) = tokio::join!(one.apply_registry(&this), two.apply_registry(&other));
        first.unwrap();
        second.unwrap();
        let agreement = decide(&one, covered()).await.agreement;
        assert!(["agr-health-cards", "agr-other"].contains(&agreement.as_str()), "{agreement}");
        let rows = Sql::same("SELECT COUNT(*) FROM agreement");
        let rows = one.app.store.read(&rows, Vec::new()).await.unwrap();
        assert_eq!(rows[0].try_get_by::<i64, _>(0), Ok(3));
    }
}

#[tokio::test]
async fn i9_without_its_database_nothing_is_decided() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        service.clone().close().await;
        let status = ask(&service, covered()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{engine:?}");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "POLICY_UNAVAILABLE");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    policy: Config,
}

#[tokio::test]
async fn i9_a_faulty_configuration_does_not_start() {
    assert!(DEFAULTS.starts_with("[policy]"));
    let defaults: Settings = server::config::load(&[DEFAULTS], None).unwrap();
    assert_eq!(defaults.policy.legal_profile, LegalProfile::Law2023);
    let start = async |config: &Config| start(config, NOW).await;
    let error = start(&defaults.policy).await.unwrap_err();
    assert!(matches!(error, Error::Store(::store::Error::UnsupportedEngine)));
    let database = TestDatabase::new(Engine::Sqlite).await;
    let config = config(&database, NOW);
    for table_seconds_max in [0, 86_401, u64::MAX] {
        let error = start(&Config { table_seconds_max, ..config.clone() }).await.unwrap_err();
        assert!(matches!(error, Error::TableSeconds));
    }
    let file = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    let named = |name: &str| Config { registry_file: file(name), ..config.clone() };
    let error = start(&named("testdata/nowhere.toml")).await.unwrap_err();
    assert!(matches!(error, Error::RegistryFile { .. }));
    let error = start(&named("data/items.toml")).await.unwrap_err();
    assert!(matches!(error, Error::Data { file: "registry", .. }));
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("policy.key");
    let keyed = Config { decision_key_file: key.display().to_string(), ..config.clone() };
    let own = server::config::load::<Process>(&[server::config::DEFAULTS], None).unwrap().server;
    let open = async || {
        let opened = Service::open(&keyed, &own, Clock::fixed(NOW), Entropy::seeded(1)).await;
        match opened {
            Ok(service) => {
                service.close().await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    };
    assert!(matches!(open().await, Err(Error::DecisionKey { .. })));
    for (text, mode, fault) in [
        (signer().secret_text(), 0o640, Some("can be read by others")),
        (signer().verifier_key(), 0o600, Some("is not in the form of C2SP")),
        (signer().secret_text(), 0o600, None),
    ] {
        std::fs::write(&key, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&key, mode).unwrap();
        let found = open().await.err().map(|error| error.to_string());
        assert_eq!(found.is_some(), fault.is_some(), "{found:?}");
        assert!(found.zip(fault).is_none_or(|(found, fault)| found.contains(fault)));
    }
    let service = start(&named("testdata/registry.toml")).await.unwrap();
    ordinary(&decide(&service, covered()).await);
    assert_eq!(service.app.in_force.last().catalogue.items().len(), 26);
    assert!(!migrations().is_empty());
}

/// Two machines differ around midnight, and a clock that was set back by more decides nothing.
#[tokio::test]
async fn i9_nothing_is_decided_on_a_day_before_the_latest_one() {
    const LATEST: OffsetDateTime = datetime!(2026-11-25 17:00:10 UTC);
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let config = config(&database, NOW);
        let asked = async |now: OffsetDateTime| {
            let service = start(&config, now).await.unwrap();
            service.apply_registry(&sample()).await.unwrap();
            let told = ask(&service, covered()).await;
            service.close().await;
            told.map(|_| ()).map_err(|status| status.code())
        };
        assert_eq!(asked(LATEST).await, Ok(()), "{engine:?}");
        assert_eq!(asked(datetime!(2026-11-25 16:59:30 UTC)).await, Ok(()), "{engine:?}");
        for earlier in [datetime!(2026-11-25 16:58:50 UTC), NOW] {
            assert_eq!(asked(earlier).await, Err(Code::Unavailable), "{engine:?} {earlier}");
        }
        assert_eq!(asked(LATEST).await, Ok(()), "{engine:?}");
    }
}
