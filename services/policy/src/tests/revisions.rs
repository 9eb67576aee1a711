//! The numbered revisions, and the stream that tells of them.

use contract::policy::v1::{WatchRevisionsRequest, WatchRevisionsResponse};
use tonic::Streaming;

use super::*;
use crate::store::{Held, MIGRATIONS};

/// As our own services open it.
async fn watch(service: &Service, after: u64, digest: &str) -> Streaming<WatchRevisionsResponse> {
    let after_digest = digest.to_owned();
    let mut request = Request::new(WatchRevisionsRequest { after, after_digest });
    let identity = "spiffe://lienthong.test/service/identity";
    request.extensions_mut().insert(Caller::parse(identity, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(Duration::from_secs(60)));
    let mut client = PolicyServiceClient::new(service.internal(Routes::default()));
    client.watch_revisions(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<WatchRevisionsResponse>) -> WatchRevisionsResponse {
    let hang = Duration::from_secs(60);
    tokio::time::timeout(hang, stream.message()).await.unwrap().unwrap().unwrap()
}

/// The first message of a revision, or of a later one.
async fn of(stream: &mut Streaming<WatchRevisionsResponse>, number: u64) -> WatchRevisionsResponse {
    loop {
        let message = next(stream).await;
        if message.number >= number {
            return message;
        }
        assert!(message.connections.is_empty() && !message.everything, "{message:?}");
    }
}

#[tokio::test]
async fn i2_each_revision_names_the_connections_of_which_anything_is_other() {
    type Change = fn(&mut Registry);
    let changes: [(Change, &[&str]); 8] = [
        (|r| r.agreements[0].grants[0].items.truncate(1), &["conn-social-insurance"]),
        (|r| r.connections[2].state = State::Active, &["conn-portal"]),
        (
            |r| r.agreements[0].grants[0].obligations = vec!["max-age=60".into()],
            &["conn-social-insurance"],
        ),
        (
            |r| r.agreements[0].valid_to = time::macros::date!(2030 - 01 - 01),
            &["conn-social-insurance"],
        ),
        (|r| r.agencies[0].en = "another name".into(), &[]),
        (|r| r.connections[2].id = "conn-new".into(), &["conn-new", "conn-portal"]),
        (
            |r| r.agreements[0].connection = "conn-civil-status".into(),
            &["conn-civil-status", "conn-social-insurance"],
        ),
        (|r| r.agreements.truncate(1), &["conn-civil-status", "conn-social-insurance"]),
    ];
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let mut stream = watch(&service, 0, "").await;
        let first = next(&mut stream).await;
        assert!((first.number, first.everything, first.other_history) == (1, true, false));
        let mut registry = sample();
        for (number, (change, touched)) in (2..).zip(changes) {
            change(&mut registry);
            service.apply_registry(&registry).await.unwrap();
            let told = of(&mut stream, number).await;
            assert!((told.number, told.everything) == (number, false), "{engine:?}: {told:?}");
            assert_eq!(told.connections, touched, "{engine:?}: revision {number}");
            let decided = decide(&service, covered()).await;
            assert_eq!(decided.revision_number, Some(number));
            assert_eq!(decided.policy_revision, told.policy_revision);
            // What is in force already is no revision.
            service.apply_registry(&registry).await.unwrap();
            assert_eq!(service.revision_number().await.unwrap(), number);
        }
        // Said again and again, with how long after the opening it was looked.
        let (one, two) = (next(&mut stream).await, next(&mut stream).await);
        assert!(one.looked_milliseconds < two.looked_milliseconds);
        assert!(two.connections.is_empty() && !two.everything && two.number == one.number);
    }
}

#[tokio::test]
async fn i2_whoever_goes_on_is_told_of_all_that_was_touched_meanwhile() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let first = next(&mut watch(&service, 0, "").await).await;
        let mut registry = sample();
        registry.agreements[0].grants[0].items.truncate(1);
        service.apply_registry(&registry).await.unwrap();
        registry.connections[2].state = State::Active;
        service.apply_registry(&registry).await.unwrap();
        let told = next(&mut watch(&service, 1, &first.digest).await).await;
        assert_eq!(told.number, 3);
        assert_eq!(told.connections, ["conn-portal", "conn-social-insurance"]);
        assert!(!told.everything && !told.other_history);
        // Another history: that revision was another one here, or there is none of that number yet.
        for (after, digest) in [(1, told.digest.as_str()), (4, first.digest.as_str())] {
            let told = next(&mut watch(&service, after, digest).await).await;
            assert!(told.other_history && told.number == 3, "{told:?}");
        }
        // What is not kept any more is told as everything, and the tables do not grow.
        let many = service.app.store.write("many", |tx| {
            Box::pin(async move {
                for number in 0..1_005 {
                    let touched = [format!("conn-{number}")];
                    Held::take(tx).await?.revise(format!("d{number}"), Some(&touched)).await?;
                }
                Ok::<_, Error>(())
            })
        });
        many.await.unwrap();
        let told = next(&mut watch(&service, 1, &first.digest).await).await;
        assert!(told.everything && !told.other_history && told.number == 1_008, "{told:?}");
        let told = next(&mut watch(&service, 1_006, "d1002").await).await;
        assert_eq!(told.connections, ["conn-1003", "conn-1004"]);
        for table in ["SELECT COUNT(*) FROM revision", "SELECT COUNT(*) FROM revision_connection"] {
            let rows = service.app.store.read(&Sql::same(table), Vec::new()).await.unwrap();
            assert_eq!(rows[0].try_get_by::<i64, _>(0), Ok(1_000));
        }
    }
}

/// What another process wrote is seen by those who are told by this one.
#[tokio::test]
async fn i2_what_one_replica_writes_every_replica_tells() {
    let (database, one) = service(Engine::Postgres).await;
    let two = open(&database, NOW).await;
    let (mut of_one, mut of_two) = (watch(&one, 0, "").await, watch(&two, 0, "").await);
    assert!(next(&mut of_one).await.everything && next(&mut of_two).await.everything);
    for number in 2..6 {
        let mut registry = sample();
        let state = if number % 2 == 0 { State::Suspended } else { State::Active };
        registry.connections[0].state = state;
        let writer = if number % 3 == 0 { &one } else { &two };
        writer.apply_registry(&registry).await.unwrap();
        for stream in [&mut of_one, &mut of_two] {
            let told = of(stream, number).await;
            assert_eq!(
                (told.number, told.connections),
                (number, vec!["conn-social-insurance".to_owned()])
            );
        }
    }
}

/// While the database is away nothing is said, so that nobody goes on with what it keeps; then it is said again.
#[tokio::test]
async fn i9_without_its_database_nothing_is_told() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let rename = |sql: &'static str| {
            service.app.store.write("test", move |tx| {
                Box::pin(async move { tx.execute(&Sql::same(sql), Vec::new()).await })
            })
        };
        let mut stream = watch(&service, 0, "").await;
        next(&mut stream).await;
        rename("ALTER TABLE registry_revision RENAME TO away").await.unwrap();
        // One look may have been under way. A minute of messages would be three hundred.
        let silent = Duration::from_secs(1);
        let mut heard = 0;
        while tokio::time::timeout(silent, next(&mut stream)).await.is_ok() {
            heard += 1;
            assert!(heard < 10, "{engine:?}: it is told all the same");
        }
        rename("ALTER TABLE away RENAME TO registry_revision").await.unwrap();
        assert_eq!(next(&mut stream).await.number, 1);
    }
}

/// A change of one of ten thousand grants names its connection alone.
#[tokio::test]
async fn i2_of_ten_thousand_grants_one_is_other() {
    for engine in ENGINES {
        let (_database, service) = service(engine).await;
        let mut registry = sample();
        let (connection, agreement) =
            (registry.connections[0].clone(), registry.agreements[0].clone());
        let items: Vec<String> =
            service.app.in_force.last().catalogue.items().iter().map(|i| i.id.clone()).collect();
        for place in 0..400 {
            let (id, system) = (format!("conn-{place}"), format!("system-{place}"));
            let mut agreement = agreement.clone();
            (agreement.id, agreement.connection) = (format!("agr-{place}"), id.clone());
            agreement.grants.truncate(1);
            agreement.grants[0].items = items[..25].to_vec();
            registry.connections.push(crate::domain::registry::Connection {
                id,
                system,
                ..connection.clone()
            });
            registry.agreements.push(agreement);
        }
        service.apply_registry(&registry).await.unwrap();
        let mut stream = watch(&service, 0, "").await;
        assert_eq!(next(&mut stream).await.number, 2);
        let last = registry.agreements.last_mut().unwrap();
        last.grants[0].items.pop();
        service.apply_registry(&registry).await.unwrap();
        assert_eq!(of(&mut stream, 3).await.connections, ["conn-399"]);
        // Where all are other, all are named.
        for connection in &mut registry.connections {
            connection.assessed_until = time::macros::date!(2028 - 01 - 01);
        }
        service.apply_registry(&registry).await.unwrap();
        let told = of(&mut stream, 4).await;
        assert!(told.connections.len() > 400 && !told.everything);
    }
}

/// A registry that was there before revisions were numbered is the first one.
#[tokio::test]
async fn a_registry_from_before_is_the_first_revision() {
    for engine in ENGINES {
        let database = TestDatabase::new(engine).await;
        let store = ::store::Store::open(database.url(), &MIGRATIONS[..5]).await.unwrap();
        let fill = store.write("fill", |tx| {
            Box::pin(async move {
                let fill = Sql::same("UPDATE registry_revision SET digest = 'before'");
                tx.execute(&fill, Vec::new()).await
            })
        });
        fill.await.unwrap();
        store.close().await;
        let service = open(&database, NOW).await;
        let told = next(&mut watch(&service, 0, "").await).await;
        assert!((told.number, told.digest.as_str(), told.everything) == (1, "before", true));
        service.apply_registry(&sample()).await.unwrap();
        let told = next(&mut watch(&service, 1, "before").await).await;
        assert!(told.number == 2 && told.connections.contains(&"conn-portal".to_owned()));
        let empty = TestDatabase::new(engine).await;
        assert_eq!(open(&empty, NOW).await.revision_number().await.unwrap(), 0);
    }
}
