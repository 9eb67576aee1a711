//! The stored log checked whole.

use futures::future::join_all;

use super::*;
use crate::{Checked, Damage, FileKeys, fsck};

pub(super) const RECORDS: u64 = 700;

pub(super) async fn checked(setup: &Setup) -> Checked {
    let mut seen = Vec::new();
    let keys = FileKeys::open(&[path(&setup.kek)], Entropy::system()).unwrap();
    let told = |size| seen.push(size);
    let checked = ends(fsck(setup.database.url(), &log(), Some(keys), told)).await.unwrap();
    assert!(seen.is_sorted() && seen.last().is_none_or(|last| *last <= checked.size));
    checked
}

/// A copy of one log of so many records.
pub(super) async fn filled(engine: Engine) -> Setup {
    let database = TestDatabase::copy_of(engine, "a log to be checked", async |url| {
        let setup = Setup::new(engine).await;
        let service =
            open(&Config { database: Secret::new(&url), ..setup.config() }).await.unwrap();
        for begin in (0..RECORDS).step_by(100) {
            join_all((begin..begin + 100).map(|number| recorded(&service, number))).await;
        }
        ends(service.close()).await;
    })
    .await;
    Setup { database, key: key_file(ORIGIN, 7), kek: kek_file(7) }
}

/// The statement in the words of an engine: `flip` makes the first two bytes of a column nought, `cut` takes the first one off.
pub(super) fn on(engine: Engine, change: &str) -> &'static str {
    let Some((before, rest)) = change.split_once('{') else { return Box::leak(change.into()) };
    let (what, after) = rest.split_once('}').unwrap();
    let (how, column) = what.split_once(' ').unwrap();
    let other = match (how, engine) {
        ("flip", Engine::Sqlite) => format!("CAST(unhex('0000') || substr({column}, 3) AS BLOB)"),
        ("flip", Engine::Postgres) => format!("decode('0000', 'hex') || substr({column}, 3)"),
        _ => format!("substr({column}, 2)"),
    };
    Box::leak(format!("{before}{other}{after}").into_boxed_str())
}

#[tokio::test]
async fn a_sound_log_is_said_to_be_sound() {
    for engine in ENGINES {
        let empty = Setup::new(engine).await;
        assert!(checked(&empty).await.damages.is_empty(), "nobody has begun it");
        ends(empty.open().await.close()).await;
        let of_nothing = checked(&empty).await;
        assert_eq!((of_nothing.size, of_nothing.checkpoints), (0, 1));
        assert!(of_nothing.damages.is_empty());

        let setup = filled(engine).await;
        let sound = checked(&setup).await;
        assert_eq!((sound.size, sound.openings, sound.damages), (RECORDS, RECORDS, Vec::new()));
        let checkpoints = setup.number("SELECT COUNT(*) FROM checkpoint").await;
        assert_eq!(i64::try_from(sound.checkpoints).unwrap(), checkpoints);
        let service = setup.open().await;
        let newest = log().verify(&service.checkpoint().await.unwrap()).unwrap();
        assert_eq!(sound.root, Some(newest.root));
        // It is checked also while it is served.
        assert_eq!(checked(&setup).await.size, RECORDS);
        ends(service.close()).await;
    }
}

/// A bit of every column, and every row, and each is found where it is.
#[tokio::test]
async fn every_damage_is_found_where_it_is() {
    // Position 6 has the hash over the first four leaves; 7 and 9 those of leaf 4 and of the pair that it begins.
    let cases: [(&'static str, &'static [Damage]); 22] = [
        ("UPDATE leaf SET leaf = {flip leaf} WHERE position = 300", &[Damage::Leaf(300)]),
        ("UPDATE leaf SET leaf = {flip leaf} WHERE position = 699", &[Damage::Leaf(699)]),
        ("UPDATE leaf SET record_id = {flip record_id} WHERE position = 300", &[Damage::Leaf(300)]),
        ("DELETE FROM leaf WHERE position = 10", &[Damage::Leaf(10)]),
        ("DELETE FROM leaf WHERE position = 699", &[Damage::Leaf(699)]),
        ("UPDATE opening SET sealed = {flip sealed} WHERE position = 699", &[Damage::Opening(699)]),
        ("UPDATE opening SET context = 'other' WHERE position = 5", &[Damage::Opening(5)]),
        ("UPDATE opening SET sealed = {cut sealed} WHERE position = 5", &[Damage::Opening(5)]),
        (
            "UPDATE record_key SET wrapped = {flip wrapped} WHERE position = 5",
            &[Damage::Opening(5)],
        ),
        (
            "UPDATE record_key SET wrapped = (SELECT wrapped FROM record_key WHERE position = 6) \
             WHERE position = 5",
            &[Damage::Opening(5)],
        ),
        // Nobody says that it was erased.
        ("DELETE FROM record_key WHERE position = 5", &[Damage::Opening(5)]),
        // It was erased, and somebody brought it back.
        ("INSERT INTO erasure (position, document, time_ms) VALUES (5, '1', 1)", &[Damage::Key(5)]),
        (
            "UPDATE record_key SET position = 4999 WHERE position = 5",
            &[Damage::Key(4_999), Damage::Opening(5)],
        ),
        (
            "INSERT INTO erasure (position, document, time_ms) VALUES (4999, '1', 1)",
            &[Damage::Erasure(4_999)],
        ),
        ("DELETE FROM opening WHERE position = 5", &[Damage::Opening(5)]),
        ("UPDATE checkpoint SET note = 'none' WHERE size = 0", &[Damage::Checkpoint(0)]),
        ("UPDATE checkpoint SET root = {flip root} WHERE size = 700", &[Damage::Checkpoint(700)]),
        ("UPDATE node SET hash = {flip hash} WHERE position = 6", &[Damage::Node(6)]),
        ("UPDATE node SET hash = {flip hash} WHERE position = 7", &[Damage::Node(7)]),
        (
            "DELETE FROM node WHERE position IN (6, 7, 9)",
            &[Damage::Node(6), Damage::Node(7), Damage::Node(9)],
        ),
        ("UPDATE log_state SET size = 188", &[Damage::State(188)]),
        // Left over by a restore, it would be in the way of the next record.
        (
            "INSERT INTO node (position, hash) SELECT 5000, hash FROM node WHERE position = 0",
            &[Damage::Node(5_000)],
        ),
    ];
    for engine in ENGINES {
        for (change, damages) in cases {
            let setup = filled(engine).await;
            let store = Store::open(setup.database.url(), migrations()).await.unwrap();
            execute(&store, vec![Sql::same(on(engine, change))]).await;
            store.close().await;
            let found = checked(&setup).await.damages;
            assert_eq!(found, damages, "{engine:?} {change}");
        }
    }
}

/// Text on a disk need not be text any more; PostgreSQL takes none that is not.
#[tokio::test]
async fn what_is_no_text_is_damage_like_any_other() {
    let setup = filled(Engine::Sqlite).await;
    setup
        .tamper(&[
            "UPDATE opening SET context = CAST(unhex('ff') AS TEXT) WHERE position = 5",
            "UPDATE checkpoint SET note = CAST(unhex('ff') AS TEXT) WHERE size = 700",
        ])
        .await;
    assert_eq!(checked(&setup).await.damages, [Damage::Opening(5), Damage::Checkpoint(700)]);
}

/// Where everything is damaged, the first thousand say enough.
#[tokio::test]
async fn a_log_of_ruins_is_not_read_to_its_end() {
    let setup = filled(Engine::Sqlite).await;
    setup
        .tamper(&[
            "DELETE FROM opening",
            "UPDATE leaf SET record_id = CAST(unhex('00') || position AS BLOB)",
        ])
        .await;
    let checked = checked(&setup).await;
    assert_eq!((checked.damages.len(), checked.root, checked.openings), (1_000, None, 0));
}

/// Whoever has no key-encryption key sees what is there, and says what was not looked into.
#[tokio::test]
async fn without_keys_what_can_be_checked_is() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        let without =
            async || ends(fsck(setup.database.url(), &log(), None, |_| ())).await.unwrap();
        let sound = without().await;
        assert_eq!((sound.openings, sound.unopened, sound.damages), (0, RECORDS, Vec::new()));
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        crate::erase(setup.database.url(), &[3, 4], "1", &clock).await.unwrap();
        setup.tamper(&["DELETE FROM record_key WHERE position = 5"]).await;
        let found = without().await;
        assert_eq!((found.erased, found.unopened), (2, RECORDS - 3));
        assert_eq!(found.damages, [Damage::Opening(5)], "{engine:?}");
        // Other keys than those of the log open nothing, and that is no damage.
        let other = kek_file(8);
        let other = FileKeys::open(&[path(&other)], Entropy::system()).unwrap();
        let other = ends(fsck(setup.database.url(), &log(), Some(other), |_| ())).await.unwrap();
        assert_eq!(other, found, "{engine:?}");
    }
}
