//! What stands when the database, or another process, gets in the way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

pub(super) fn is_unavailable(status: &Status) -> bool {
    reason(status) == (Code::Unavailable, "AUDIT_UNAVAILABLE".to_owned())
}

#[tokio::test]
async fn i1_two_processes_on_one_log_never_fork_it() {
    let setup = Setup::new(Engine::Postgres).await;
    let first = setup.open().await;
    assert_eq!(recorded(&first, 0).await.index, 0);
    let second = setup.open().await;
    // The start of the second fenced the first, which goes on behind it; and the other way round.
    assert_eq!(recorded(&first, 1).await.index, 1);
    assert_eq!(recorded(&second, 2).await.index, 2);
    // What the other process recorded is found, also by one whose memory is older.
    assert_eq!(recorded(&first, 2).await.index, 2);
    assert_eq!(recorded(&first, 3).await.index, 3);
    assert_eq!(recorded(&second, 3).await.index, 3);
    let mut count = 4;
    for round in 1..6 {
        let numbers = (round * 100)..(round * 100 + 40);
        let call = |number: u64| {
            let service = if number.is_multiple_of(2) { &first } else { &second };
            append(service, access(number))
        };
        let answers = join_all(numbers.clone().map(call)).await;
        for (number, answer) in numbers.zip(answers) {
            match answer {
                Ok(answer) => {
                    verify(&access(number).leaf, &answer);
                    count += 1;
                }
                // Fenced too often: nothing was recorded.
                Err(status) => assert!(is_unavailable(&status)),
            }
        }
    }
    ends(first.close()).await;
    assert_eq!(close_and_audit(&setup, second).await, count);
}

#[tokio::test]
async fn i9_while_the_database_is_away_nothing_is_recorded_and_then_it_goes_on() {
    let setup = Setup::new(Engine::Postgres).await;
    let service = setup.open().await;
    recorded(&service, 0).await;
    let name = setup.database.url().rsplit('/').next().unwrap().to_owned();
    let elsewhere = TestDatabase::new(Engine::Postgres).await;
    let admin = Store::open(elsewhere.url(), &[]).await.unwrap();
    let allow = |yes: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}");
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    execute(&admin, vec![statement(allow(false)), statement(end)]).await;
    for number in 1..4 {
        let refused = append(&service, access(number)).await.unwrap_err();
        assert!(is_unavailable(&refused), "{refused:?}");
    }
    execute(&admin, vec![statement(allow(true))]).await;
    // Connections that were cut may still be in the pool; each is found out once.
    let goes_on = async {
        for number in 0..4 {
            let index = loop {
                match append(&service, access(number)).await {
                    Ok(answer) => break answer.index,
                    Err(status) => assert!(is_unavailable(&status)),
                }
            };
            assert_eq!(index, number);
        }
    };
    ends(goes_on).await;
    admin.close().await;
    assert_eq!(close_and_audit(&setup, service).await, 4);
}

/// A statement whose words a test made; it lives as long as the test process.
fn statement(text: String) -> Sql {
    Sql::same(Box::leak(text.into_boxed_str()))
}

/// The commit itself is refused: callers cannot know whether it took place, and are told that nothing is
/// released.
#[tokio::test]
async fn i13_a_commit_without_an_acknowledgement_refuses_its_batch_and_loses_nothing_else() {
    let setup = Setup::new(Engine::Postgres).await;
    let service = setup.open().await;
    recorded(&service, 0).await;
    setup
        .tamper(&[
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN RAISE EXCEPTION 'no commit'; END $$",
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON leaf \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
        ])
        .await;
    for answer in join_all((1..9).map(|number| append(&service, access(number)))).await {
        assert!(is_unavailable(&answer.unwrap_err()));
    }
    setup.tamper(&["DROP TRIGGER refuse ON leaf"]).await;
    let answers = join_all((0..9).map(|number| recorded(&service, number))).await;
    let indexes: Vec<u64> = answers.iter().map(|answer| answer.index).collect();
    assert_eq!(indexes, (0..9).collect::<Vec<_>>());
    assert_eq!(close_and_audit(&setup, service).await, 9);
}

/// A line to PostgreSQL that is cut, once `cut` is set, between a commit and its acknowledgement.
async fn line(url: &str, cut: Arc<AtomicBool>) -> String {
    let (head, name) = url.rsplit_once('/').unwrap();
    let server = head.rsplit('@').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(carry(client, server, Arc::clone(&cut)));
        }
    });
    format!("postgres://postgres@{here}/{name}")
}

async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicBool>) {
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut committing = false;
    loop {
        tokio::select! {
            Ok(n @ 1..) = client.read(&mut asked) => {
                let commit = asked[..n].windows(6).any(|word| word == b"COMMIT");
                committing |= commit && cut.swap(false, Ordering::Relaxed);
                server.write_all(&asked[..n]).await.unwrap();
            }
            Ok(n @ 1..) = server.read(&mut told) => {
                if committing {
                    return;
                }
                client.write_all(&told[..n]).await.unwrap();
            }
            else => return,
        }
    }
}

/// The commit took place, and nobody was told: the callers are refused, and the same records, sent again,
/// are found where they stand.
#[tokio::test]
async fn i13_a_commit_that_stood_unacknowledged_is_found_again() {
    let setup = Setup::new(Engine::Postgres).await;
    let cut = Arc::<AtomicBool>::default();
    let url = line(setup.database.url(), Arc::clone(&cut)).await;
    let config = Config { database: Secret::new(url), ..setup.config() };
    let service = open(&config).await.unwrap();
    recorded(&service, 0).await;
    cut.store(true, Ordering::Relaxed);
    for answer in join_all((1..9).map(|number| append(&service, access(number)))).await {
        assert!(is_unavailable(&answer.unwrap_err()));
    }
    assert_eq!(setup.number("SELECT size FROM log_state").await, 9);
    let answers = join_all((0..10).rev().map(|number| recorded(&service, number))).await;
    let indexes: Vec<u64> = answers.iter().map(|answer| answer.index).collect();
    assert_eq!(indexes, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(close_and_audit(&setup, service).await, 10);
}

/// Brings a log back to its third record: a true, older state, as a restored copy would hold.
pub(super) const SET_BACK: &[&str] = &[
    "DELETE FROM leaf WHERE position >= 3",
    "DELETE FROM opening WHERE position >= 3",
    "DELETE FROM record_key WHERE position >= 3",
    "DELETE FROM subject_entry WHERE position >= 3",
    "DELETE FROM node WHERE position >= 4",
    "DELETE FROM checkpoint WHERE size > 3",
    "DELETE FROM cosignature WHERE size > 3",
    "DELETE FROM cosigned WHERE size > 3",
    "UPDATE log_state SET size = 3",
];

/// The database is set back under a running process, which has given out more than it then holds.
#[tokio::test]
async fn i9_a_log_that_was_set_back_is_not_continued() {
    let setup = Setup::new(Engine::Postgres).await;
    let service = setup.open().await;
    for number in 0..5 {
        recorded(&service, number).await;
    }
    setup.tamper(SET_BACK).await;
    for number in 5..8 {
        assert!(is_unavailable(&append(&service, access(number)).await.unwrap_err()));
    }
    assert_eq!(close_and_audit(&setup, service).await, 3);
}

/// As above, but another process has brought the log to the same size again: only the epoch differs.
#[tokio::test]
async fn i9_a_log_that_was_set_back_and_grew_again_is_not_forked() {
    let setup = Setup::new(Engine::Postgres).await;
    let first = setup.open().await;
    for number in 0..5 {
        recorded(&first, number).await;
    }
    setup.tamper(SET_BACK).await;
    let second = setup.open().await;
    for number in 5..7 {
        recorded(&second, number).await;
    }
    assert!(is_unavailable(&append(&first, access(7)).await.unwrap_err()));
    assert_eq!(recorded(&second, 8).await.index, 5);
    ends(first.close()).await;
    assert_eq!(close_and_audit(&setup, second).await, 6);
}

#[tokio::test]
async fn closing_answers_what_waits_and_then_refuses() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let waiting = join_all((0..100).map(|number| recorded(&service, number)));
        let (answers, ()) = tokio::join!(waiting, ends(service.clone().close()));
        assert_eq!(answers.len(), 100);
        assert!(is_unavailable(&append(&service, access(100)).await.unwrap_err()), "{engine:?}");
        assert_eq!(close_and_audit(&setup, service).await, 100);
    }
}
