//! What stands when more comes than the log can take: callers, or bytes, or time.

use std::{collections::BTreeSet, time::Instant};

use futures::future::join_all;

use super::{failure::is_unavailable, *};

/// A burst of ten times what may wait: whoever is refused is told when to come again, and everybody has a place in the end.
#[tokio::test]
async fn i9_a_burst_ten_times_over_capacity_is_refused_and_drops_nothing() {
    const QUEUE: usize = 8;
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let config = Config { batch_max: 4, queue_max: QUEUE, ..setup.config() };
        let service = open(&config).await.unwrap();
        let mut waiting: Vec<u64> = (0..80).collect();
        let (mut bursts, mut indexes) = (0, BTreeSet::new());
        while !waiting.is_empty() {
            // On one thread all are sent before the sequencer runs: so many fit.
            let answers = join_all(waiting.iter().map(|n| append(&service, access(*n)))).await;
            let mut refused = Vec::new();
            for (number, answer) in waiting.iter().copied().zip(answers) {
                match answer {
                    Ok(answer) => {
                        verify(&access(number).leaf, &answer);
                        assert!(indexes.insert(answer.index), "{engine:?} {}", answer.index);
                    }
                    Err(status) => {
                        let expect = (Code::Unavailable, "OVERLOADED".to_owned());
                        assert_eq!(reason(&status), expect, "{engine:?}");
                        let after = status.get_error_details().retry_info().cloned();
                        assert!(after.is_some_and(|after| after.retry_delay.is_some()));
                        refused.push(number);
                    }
                }
            }
            assert_eq!(waiting.len() - refused.len(), QUEUE, "{engine:?}");
            (waiting, bursts) = (refused, bursts + 1);
        }
        assert_eq!((bursts, indexes), (10, (0..80).collect()), "{engine:?}");
        assert_eq!(close_and_audit(&setup, service).await, 80);
    }
}

/// The disk takes nothing more: nothing is recorded and nobody is told otherwise. When there is room again it goes on, without a
/// start.
#[tokio::test]
async fn i9_a_full_disk_refuses_and_then_it_goes_on() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        recorded(&service, 0).await;
        match engine {
            // No page more than there are: what is free in them is still filled.
            Engine::Sqlite => act(&service, &["PRAGMA max_page_count = 1"]).await,
            Engine::Postgres => act(&service, FULL).await,
        }
        let mut stand = 1;
        while append(&service, access(stand)).await.is_ok() {
            stand += 1;
            assert!(stand < 1_000, "{engine:?}: the disk is not full");
        }
        for answer in join_all((stand..stand + 20).map(|n| append(&service, access(n)))).await {
            assert!(is_unavailable(&answer.unwrap_err()), "{engine:?}");
        }
        // What stands can be read, and proven.
        assert_eq!(recorded(&service, stand - 1).await.index, stand - 1, "{engine:?}");
        match engine {
            Engine::Sqlite => act(&service, &["PRAGMA max_page_count = 1000000"]).await,
            Engine::Postgres => act(&service, &["DROP TRIGGER full_disk ON node"]).await,
        }
        let last = stand + 20;
        let answers = join_all((0..last).map(|number| recorded(&service, number))).await;
        let indexes: Vec<u64> = answers.iter().map(|answer| answer.index).collect();
        assert_eq!(indexes, (0..last).collect::<Vec<_>>(), "{engine:?}");
        assert_eq!(close_and_audit(&setup, service).await, last, "{engine:?}");
    }
}

const FULL: &[&str] = &[
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql \
     AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$",
    "CREATE TRIGGER full_disk BEFORE INSERT ON node FOR EACH ROW EXECUTE FUNCTION full_disk()",
];

/// On the connection that the log is written by.
async fn act(service: &Service, statements: &[&'static str]) {
    execute(&service.0.store, statements.iter().map(|text| Sql::same(text)).collect()).await;
}

/// Each commit takes as long as a disk that is about to fail: what comes meanwhile waits together, and one more commit is enough
/// for all of it.
#[tokio::test]
async fn a_slow_commit_is_waited_for_once_by_all_who_come_meanwhile() {
    const SLOW: Duration = Duration::from_millis(300);
    let setup = Setup::new(Engine::Postgres).await;
    let service = open(&Config { queue_max: 100, ..setup.config() }).await.unwrap();
    setup
        .tamper(&[
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON checkpoint \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
        ])
        .await;
    let began = Instant::now();
    let first = recorded(&service, 0);
    let others = async {
        // The first is with the database by now.
        tokio::time::sleep(SLOW / 3).await;
        join_all((1..60).map(|number| recorded(&service, number))).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(began.elapsed() >= SLOW * 2, "a commit was not waited for");
    assert_eq!(log().verify(&first.checkpoint).unwrap().size, 1);
    let sizes: BTreeSet<u64> =
        others.iter().map(|answer| log().verify(&answer.checkpoint).unwrap().size).collect();
    assert_eq!(sizes, [60].into());
    // The queue is bounded in the meantime, too.
    let answers = join_all((60..200).map(|number| append(&service, access(number)))).await;
    let stand = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(stand, 100);
    assert_eq!(close_and_audit(&setup, service).await, 160);
}
