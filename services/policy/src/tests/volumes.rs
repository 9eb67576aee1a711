//! Volumes of grants: who is told of them, and what is counted, on both engines.

use ::warrant::{Intent, Signer};

use super::*;
use crate::{
    app::{volume::NotCounted, warrant::Keys, warrant::NotIssued},
    domain::{self, decision::Refusal, volume::GrantKey},
    store::volume::{Leased, Wanted, lease},
};

const AGREEING: &str = "Decision 1911/QD-TTg, Art. 3(4)(b)";

/// Lets so many persons be told of a day, wherever items are obtained. Such agreements are signed, and those of these tests are not,
/// so it is written behind the service's back.
pub(super) async fn limit(service: &Service, persons: u64) {
    let sql = format!(
        "INSERT INTO agreement_terms \
         (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
         SELECT DISTINCT agreement, action, procedure, legal_basis, '2026-01-01', '2099-01-01', \
                '{{\"direction\":\"\",\"units\":[],\"keys\":[],\
                   \"volume\":{{\"persons\":{persons},\"period\":\"Day\"}}}}' \
         FROM agreement_grant WHERE action = 'obtain'"
    );
    write(service, sql).await;
}

pub(super) async fn write(service: &Service, sql: String) {
    // As long as the test lasts.
    let sql = Sql::same(Box::leak(sql.into_boxed_str()));
    let written = service
        .app
        .store
        .write("test", move |tx| Box::pin(async move { tx.execute(&sql, Vec::new()).await }));
    let rows: u64 = written.await.unwrap();
    assert!(rows > 0);
}

/// How many are counted, and of these how many as used.
async fn counted(service: &Service) -> (i64, i64) {
    let sql = Sql {
        sqlite: "SELECT CAST(COALESCE(SUM(leased), 0) AS INTEGER), \
                        CAST(COALESCE(SUM(used), 0) AS INTEGER) FROM grant_volume",
        postgres: "SELECT CAST(COALESCE(SUM(leased), 0) AS BIGINT), \
                          CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM grant_volume",
    };
    let rows = service.app.store.read(&sql, Vec::new()).await.unwrap();
    (rows[0].try_get_by(0).unwrap(), rows[0].try_get_by(1).unwrap())
}

#[tokio::test]
async fn i2_whoever_does_not_say_that_it_counts_is_denied_what_is_limited() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let uncounting = DecideRequest { counts_volumes: false, ..covered() };
        // What is not limited is decided alike.
        for asked in [covered(), uncounting.clone()] {
            let decided = ask(&service, asked).await.unwrap();
            assert!(matches!(decided.decision, Some(Decision::Table(_))), "{decided:?}");
            assert!(decided.volume.is_none());
        }
        limit(&service, 9).await;
        let decided = ask(&service, covered()).await.unwrap();
        assert!(matches!(decided.decision, Some(Decision::Table(_))), "{decided:?}");
        assert_eq!(decided.volume.unwrap().persons, 9);
        let decided = ask(&service, uncounting.clone()).await.unwrap();
        assert!(decided.volume.is_none());
        assert_eq!(decided.agreement, "agr-health-cards");
        denied(&service, uncounting, ErrorReason::NothingAllowed, "volume-not-counted", AGREEING)
            .await;
        service.close().await;
    }
}

/// What is said again, and what came back before, is no lease anew.
#[tokio::test]
async fn i4_a_lease_that_is_asked_for_again_is_counted_once() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        limit(&service, 80).await;
        let (_, decision) = decision(&service).await;
        let wanted = Wanted {
            connection: decision.connection,
            grant: decision.volume.unwrap().0,
            lease: "a".repeat(32),
            needed: 3,
            wanted: 30,
            returned: Vec::new(),
        };
        let leased = async |wanted: &Wanted| -> (u32, u32, u64) {
            let life = ::time::Duration::SECOND;
            let leased = lease(&service.app.store, wanted.clone(), NOW, life).await;
            let Leased { persons, fresh, free, .. } = leased.unwrap().unwrap();
            (persons, fresh, free)
        };
        assert_eq!(leased(&wanted).await, (10, 10, 0));
        assert_eq!(leased(&wanted).await, (10, 0, 0));
        let returned = vec![(wanted.lease.clone(), 4)];
        let back = Wanted { lease: String::new(), returned, ..wanted.clone() };
        assert_eq!(leased(&back).await, (0, 0, 6));
        assert_eq!(leased(&back).await, (0, 0, 0));
        assert_eq!(leased(&wanted).await, (0, 0, 0));
        assert_eq!(counted(&service).await, (4, 4));
        service.close().await;
    }
}

/// What was decided of a request that the agreement on health-insurance cards covers.
async fn decision(service: &Service) -> (String, domain::decision::Decision) {
    let deadline = Deadline::after(Duration::from_secs(60));
    service.app.decide(deadline, &question()).await.unwrap()
}

fn question() -> domain::request::Request {
    domain::request::Request {
        caller: ("G24".to_owned(), "health-insurance".to_owned()),
        act: domain::rules::Act::Obtain,
        event: None,
        procedure: "child-health-insurance-card".to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        direction: false,
        by: None,
        items: vec!["birth_full_name".to_owned()],
    }
}

#[tokio::test]
async fn who_is_counted_at_once_is_told_why_not() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let deadline = Deadline::after(Duration::from_secs(60));
        let count = async |decision: &domain::decision::Decision| {
            service.app.count_one(deadline, decision).await.unwrap()
        };
        // What is not limited is not counted.
        count(&decision(&service).await.1).await.unwrap();
        assert_eq!(counted(&service).await, (0, 0));
        limit(&service, 2).await;
        let (_, decided) = decision(&service).await;
        for told in 1..=2 {
            count(&decided).await.unwrap();
            assert_eq!(counted(&service).await, (told, told));
        }
        let NotCounted { denial, period_end } = count(&decided).await.unwrap_err();
        assert!(matches!(denial.refusal, Refusal::VolumeUsedUp), "{denial:?}");
        assert_eq!(denial.rule, "volume-used-up");
        // Midnight in Viet Nam.
        assert_eq!(period_end, Some(datetime!(2026-11-24 17:00 UTC)));
        // A grant that ended since it was decided.
        let key: &GrantKey = &decided.volume.as_ref().unwrap().0;
        write(
            &service,
            format!("DELETE FROM agreement_terms WHERE agreement = '{}'", key.agreement),
        )
        .await;
        let NotCounted { denial, period_end } = count(&decided).await.unwrap_err();
        assert!(matches!(denial.refusal, Refusal::NoAgreement), "{denial:?}");
        assert_eq!((denial.rule.as_str(), denial.article.as_str()), ("no-agreement", AGREEING));
        assert_eq!((period_end, counted(&service).await), (None, (2, 2)));
        service.close().await;
    }
}

/// Nobody has what could not be signed, so nobody is told of by it.
#[tokio::test]
async fn a_warrant_that_cannot_be_signed_costs_nothing() {
    for engine in ENGINES {
        let (database, service) = service(engine).await;
        limit(&service, 9).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, Signer::from_seed(&[1; 32]).to_pem().unwrap()).unwrap();
        let config = Config {
            warrant_key_file: file.to_str().unwrap().to_owned(),
            ..config(&database, NOW)
        };
        let keys = Keys::read(&config, "lienthong.test").unwrap().unwrap();
        let wanted = |caller: String| domain::warrant::Wanted {
            request: question(),
            caller,
            database: "civil-status".to_owned(),
            holder: [3; 32],
            subject: [4; 32],
            facts: ["deceased", "minor", "protected"].map(|fact| (fact.to_owned(), false)).into(),
            intent: Intent { index: 1, leaf: [5; 32] },
        };
        let deadline = Deadline::after(Duration::from_secs(60));
        let long = service.app.issue(deadline, &keys, wanted("x".repeat(5_000))).await;
        assert!(matches!(long, Err(NotIssued::TooLong)));
        assert_eq!(counted(&service).await, (0, 0));
        let issued = service.app.issue(deadline, &keys, wanted("x".to_owned())).await.unwrap();
        assert!(issued.outcome.is_ok() && issued.period_end.is_none());
        assert_eq!(counted(&service).await, (1, 1));
        service.close().await;
    }
}
