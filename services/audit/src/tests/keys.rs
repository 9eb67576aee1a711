//! Keys of records: wrapped, rotated, erased; and what version 1 had in clear.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::{BoxFuture, FutureExt as _, join_all};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{fsck::checked, *};
use crate::{
    Damage, Erased, FileKeys, KeyError, Opened, Opening, With,
    envelope::{DataKey, Envelope, KeyEncryption, SecretKey, Wrapped},
    erase, rewrap,
};

/// In each decision, as facts of a person are.
const PERSON: &str = "990012345678";
const DAY: i64 = 86_400;

/// The clock that erasures and days go by.
fn at(seconds: i64) -> Clock {
    Clock::fixed(OffsetDateTime::from_unix_timestamp(1_790_000_000 + seconds).unwrap())
}

fn file_keys(files: &[&tempfile::NamedTempFile]) -> FileKeys {
    let files: Vec<String> = files.iter().map(|file| path(file)).collect();
    FileKeys::open(&files, Entropy::system()).unwrap()
}

/// The `number`-th access, whose decision names a person.
fn of_a_person(number: u64) -> AppendRequest {
    let mut access = access(number);
    let facts = vec![format!("{PERSON} was looked up, {number}")];
    access.decision = DecisionRecord { facts, ..decision(number) }.encode_to_vec();
    let mut leaf = Leaf::parse(&access.leaf).unwrap();
    let key = access.inner_key.as_slice().try_into().unwrap();
    leaf.inner = tlog::inner_commitment(&key, &access.decision);
    AppendRequest { leaf: leaf.to_bytes().to_vec(), ..access }
}

fn opening_of(access: &AppendRequest) -> Opening {
    let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).unwrap();
    Opening {
        outer_key: Zeroizing::new(hash(&access.outer_key)),
        inner_key: Zeroizing::new(hash(&access.inner_key)),
        context: access.context.clone(),
        request_digest: hash(&access.request_digest),
        answer_digest: hash(&access.answer_digest),
        decision: access.decision.clone(),
    }
}

fn same(opening: &Opening, access: &AppendRequest) -> bool {
    let sent = opening_of(access);
    (&opening.outer_key, &opening.inner_key, &opening.context, &opening.decision)
        == (&sent.outer_key, &sent.inner_key, &sent.context, &sent.decision)
        && (opening.request_digest, opening.answer_digest)
            == (sent.request_digest, sent.answer_digest)
}

async fn opened(service: &Service, index: u64) -> Opened {
    ends(service.open_records(&[index])).await.unwrap().remove(&index).unwrap()
}

/// All that a SQLite database has on the disk.
fn on_disk(setup: &Setup) -> Vec<u8> {
    let file = setup.database.url().strip_prefix("sqlite://").unwrap();
    let mut bytes = fs::read(file).unwrap();
    bytes.extend(fs::read(format!("{file}-wal")).unwrap_or_default());
    bytes
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Neither as it is, nor in hexadecimal digits, in which it came to the database.
fn shows(bytes: &[u8], part: &[u8]) -> bool {
    holds(bytes, part) || holds(bytes, hex::encode(part).as_bytes())
}

fn day_key(seed: u64) -> DataKey {
    let entropy = Entropy::seeded(seed);
    let key = SecretKey(Zeroizing::new(entropy.array()));
    DataKey::new("2026-09-21".to_owned(), &key, entropy).unwrap()
}

/// The bytes with one bit changed.
fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << bit;
    bytes
}

proptest! {
    /// A sealed record opens as it was, at its place and by its day's key alone, and not with one bit changed.
    #[test]
    fn a_record_opens_as_it_was_sealed_and_in_no_other_way(
        number: u64, place: u64, other: u64, decision: Vec<u8>, at: usize, bit in 0_u8..8,
    ) {
        let (key, access) = (day_key(number), AppendRequest { decision, ..access(number) });
        let sealed = key.seal(place, &opening_of(&access)).unwrap();
        let open = |place, sealed: &[u8], wrapped: &[u8]| {
            key.open(place, access.context.clone(), sealed, wrapped)
        };
        let opened = open(place, &sealed.sealed, &sealed.wrapped).ok().unwrap();
        prop_assert!(same(&opened, &access));
        prop_assert!(other == place || open(other, &sealed.sealed, &sealed.wrapped).is_err());
        prop_assert!(open(place, &flipped(&sealed.sealed, at, bit), &sealed.wrapped).is_err());
        prop_assert!(open(place, &sealed.sealed, &flipped(&sealed.wrapped, at, bit)).is_err());
        let (another, context) = (day_key(number ^ 1), String::new());
        prop_assert!(another.open(place, context, &sealed.sealed, &sealed.wrapped).is_err());
    }

    /// A wrapped key unwraps with what it is bound to, and not with one bit changed.
    #[test]
    fn a_key_unwraps_as_it_was_wrapped_and_in_no_other_way(
        bytes: [u8; 32], bound: Vec<u8>, other: Vec<u8>, at: usize, bit in 0_u8..8,
    ) {
        let (file, old) = (kek_file(1), kek_file(2));
        let keys = file_keys(&[&file, &old]);
        let done = |future: BoxFuture<'_, Result<SecretKey, KeyError>>| {
            future.now_or_never().unwrap().map(|key| *key.0)
        };
        let key = SecretKey(Zeroizing::new(bytes));
        let wrapped = keys.wrap(&bound, &key).now_or_never().unwrap().unwrap();
        prop_assert_eq!(&wrapped.kek, keys.current());
        prop_assert_eq!(done(keys.unwrap(&bound, &wrapped)).unwrap(), bytes);
        let refused = |bound: &[u8], wrapped: &Wrapped| {
            matches!(done(keys.unwrap(bound, wrapped)), Err(KeyError::Refused))
        };
        prop_assert!(other == bound || refused(&other, &wrapped));
        let changed = Wrapped { bytes: flipped(&wrapped.bytes, at, bit), ..wrapped.clone() };
        prop_assert!(refused(&bound, &changed));
        // On two lines of one file they are the same as in two files.
        let lines = [fs::read(file.path()).unwrap(), fs::read(old.path()).unwrap()].concat();
        let together = tempfile::NamedTempFile::new().unwrap();
        fs::write(together.path(), lines).unwrap();
        let together = file_keys(&[&together]);
        prop_assert_eq!(together.current(), keys.current());
        // The old key wraps no more, but unwraps what it did wrap.
        let before = file_keys(&[&old]).wrap(&bound, &key).now_or_never().unwrap().unwrap();
        prop_assert_eq!(done(keys.unwrap(&bound, &before)).unwrap(), bytes);
        prop_assert_eq!(done(together.unwrap(&bound, &before)).unwrap(), bytes);
        let alone = file_keys(&[&file]);
        prop_assert!(matches!(done(alone.unwrap(&bound, &before)), Err(KeyError::Unknown(_))));
    }
}

#[tokio::test]
async fn i9_no_key_encryption_key_no_start() {
    let setup = Setup::new(Engine::Sqlite).await;
    let refused = async |files: &[&str]| {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        let config = Config { key_encryption_key_files: files, ..setup.config() };
        match open(&config).await {
            Err(Error::Keys(error)) => error,
            _ => panic!("it must not start"),
        }
    };
    assert!(matches!(refused(&[]).await, KeyError::NoFile));
    assert!(matches!(refused(&["/nowhere/key"]).await, KeyError::Unreadable { .. }));
    let good = path(&setup.kek);
    let other = tempfile::NamedTempFile::new().unwrap();
    for text in ["", "lienthong-kek:v1:", "lienthong-kek:v1:AAAA", "lienthong-kek:v2:AAAA"] {
        fs::write(other.path(), text).unwrap();
        // Also one that would only unwrap.
        let error = refused(&[&good, &path(&other)]).await;
        assert!(matches!(error, KeyError::Malformed { .. }), "{text}");
    }
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(setup.kek.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(refused(&[&good]).await, KeyError::Exposed { .. }), "{mode:o}");
    }
}

/// Nothing that is sealed is in clear: no decision, no digest of what could be guessed, no key.
#[tokio::test]
async fn i8_the_database_shows_nothing_that_opens_a_record() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    for number in 0..8 {
        append(&service, of_a_person(number)).await.unwrap();
    }
    let served = on_disk(&setup);
    ends(service.close()).await;
    for bytes in [served, on_disk(&setup)] {
        assert!(holds(&bytes, METHOD.as_bytes()), "the context is in clear");
        assert!(!shows(&bytes, PERSON.as_bytes()));
        for number in 0..8 {
            let access = of_a_person(number);
            assert!(holds(&bytes, &access.leaf), "this is where it would be");
            let (request, answer) = (&access.request_digest, &access.answer_digest);
            for secret in [&access.outer_key, &access.inner_key, request, answer, &access.decision]
            {
                assert!(!shows(&bytes, secret), "{number}");
            }
        }
    }
}

/// A key-encryption key that is away, or there.
struct Elsewhere {
    keys: FileKeys,
    away: AtomicBool,
}

impl KeyEncryption for Elsewhere {
    fn current(&self) -> &str {
        self.keys.current()
    }

    fn holds(&self, id: &str) -> bool {
        self.keys.holds(id)
    }

    fn wrap<'a>(
        &'a self,
        bound: &'a [u8],
        key: &'a SecretKey,
    ) -> BoxFuture<'a, Result<Wrapped, KeyError>> {
        if self.away.load(Ordering::Relaxed) {
            return async { Err(KeyError::Away) }.boxed();
        }
        self.keys.wrap(bound, key)
    }

    fn unwrap<'a>(
        &'a self,
        bound: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<SecretKey, KeyError>> {
        if self.away.load(Ordering::Relaxed) {
            return async { Err(KeyError::Away) }.boxed();
        }
        self.keys.unwrap(bound, wrapped)
    }
}

async fn opened_by(
    config: &Config,
    signer: LogSigner,
    kek: Arc<dyn KeyEncryption>,
    clock: Clock,
) -> Result<Service, Error> {
    let entropy = Entropy::seeded(1);
    Service::open_by(config, With { signer, kek, clock, entropy, pace: PACE }).await
}

#[tokio::test]
async fn i9_while_the_key_encryption_key_is_away_nothing_is_recorded() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let keys = file_keys(&[&setup.kek]);
        let kek = Arc::new(Elsewhere { keys, away: AtomicBool::new(true) });
        let signer = LogSigner::from_seed(ORIGIN, [7; 32]).unwrap();
        let elsewhere = Arc::<Elsewhere>::clone(&kek);
        let service = opened_by(&setup.config(), signer, elsewhere, at(0)).await.unwrap();
        let refused = append(&service, access(0)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Unavailable, "AUDIT_UNAVAILABLE".to_owned()));
        let rows = "SELECT (SELECT COUNT(*) FROM leaf) + (SELECT COUNT(*) FROM opening) \
                    + (SELECT COUNT(*) FROM record_key) + (SELECT COUNT(*) FROM data_key)";
        assert_eq!(ask(&service.0.store, rows).await, 0, "{engine:?}");
        kek.away.store(false, Ordering::Relaxed);
        assert_eq!(recorded(&service, 0).await.index, 0);
        // The key of the day is in memory, so whoever goes away on that day is not missed; to open takes it.
        kek.away.store(true, Ordering::Relaxed);
        assert_eq!(recorded(&service, 1).await.index, 1);
        let away = service.open_records(&[0]).await.err().unwrap();
        assert!(matches!(away, Error::Keys(KeyError::Away)));
        assert_eq!(close_and_audit(&setup, service).await, 2);
    }
}

/// A wrapped key of a day that was changed: no record under it, and none in clear.
#[tokio::test]
async fn i9_under_a_key_that_is_not_what_it_was_nothing_is_recorded() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        recorded(&service, 0).await;
        ends(service.close()).await;
        // It is good for its own day only.
        setup.tamper(&["UPDATE data_key SET day = '2026-09-22'"]).await;
        let service =
            Service::open_with(&setup.config(), at(DAY), Entropy::seeded(1)).await.unwrap();
        let refused = append(&service, access(1)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Unavailable, "AUDIT_UNAVAILABLE".to_owned()));
        assert!(matches!(opened(&service, 0).await, Opened::Damaged), "{engine:?}");
        assert_eq!(close_and_audit(&setup, service).await, 1);
    }
}

/// The days are those of Viet Nam, which begin at 17:00 UTC.
#[tokio::test]
async fn each_day_has_one_key_whoever_comes_first() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let store = Store::open(setup.database.url(), migrations()).await.unwrap();
        let envelopes: Vec<_> = (0..8)
            .map(|_| Envelope::new(Arc::new(file_keys(&[&setup.kek])), Entropy::system()))
            .collect();
        let today = at(0).today();
        let made = envelopes.iter().map(|envelope| envelope.data_key(&store, today));
        let keys: Vec<_> = join_all(made).await.into_iter().map(Result::unwrap).collect();
        // What one has sealed, each of the others opens.
        let sealed = keys[0].seal(3, &opening_of(&access(3))).unwrap();
        for key in &keys {
            let opened = key.open(3, access(3).context, &sealed.sealed, &sealed.wrapped);
            assert!(same(&opened.ok().unwrap(), &access(3)), "{engine:?}");
        }
        assert_eq!(ask(&store, "SELECT COUNT(*) FROM data_key").await, 1);
        // At 14:13:20 UTC the day has 10,000 seconds left.
        for (seconds, day) in [(0, "2026-09-21"), (9_999, "2026-09-21"), (10_000, "2026-09-22")] {
            let key = envelopes[0].data_key(&store, at(seconds).today()).await.unwrap();
            assert_eq!(key.day(), day);
        }
        assert_eq!(ask(&store, "SELECT COUNT(*) FROM data_key").await, 2);
        store.close().await;
    }
}

#[tokio::test]
async fn a_key_encryption_key_is_rotated_and_the_old_one_goes() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        for day in 0..3_u64 {
            let clock = at(DAY * i64::try_from(day).unwrap());
            let service =
                Service::open_with(&setup.config(), clock, Entropy::seeded(1)).await.unwrap();
            recorded(&service, day).await;
            ends(service.close()).await;
        }
        let new = kek_file(8);
        let with = |files: &[&tempfile::NamedTempFile]| Config {
            key_encryption_key_files: files.iter().map(|file| path(file)).collect(),
            ..setup.config()
        };
        let refused = open(&with(&[&new])).await.err().unwrap();
        assert!(matches!(refused, Error::Keys(KeyError::Unknown(_))), "{refused}");
        let both = with(&[&new, &setup.kek]);
        let service = Service::open_with(&both, at(DAY * 3), Entropy::seeded(1)).await.unwrap();
        recorded(&service, 3).await;
        ends(service.close()).await;
        let refused = rewrap(&with(&[&new])).await.err().unwrap();
        assert!(matches!(refused, Error::Keys(KeyError::Unknown(_))));
        assert_eq!(rewrap(&both).await.unwrap(), 3, "{engine:?}");
        assert_eq!(rewrap(&both).await.unwrap(), 0);
        let service =
            Service::open_with(&with(&[&new]), at(DAY * 3), Entropy::seeded(1)).await.unwrap();
        for number in 0..4 {
            let Opened::Whole(opening) = opened(&service, number).await else { panic!("{number}") };
            assert!(same(&opening, &access(number)));
        }
        recorded(&service, 4).await;
        assert_eq!(close_and_audit(&setup, service).await, 5);
        let refused = open(&setup.config()).await.err().unwrap();
        assert!(matches!(refused, Error::Keys(KeyError::Unknown(_))), "the old one alone");
    }
}

/// Keys are gone; leaves, proofs, receipts and the tree are what they were.
#[tokio::test]
async fn i7_an_erasure_leaves_every_proof_valid_and_nothing_to_open() {
    let erased = [1_u64, 4, 7, 8];
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let mut answers = Vec::new();
        for number in 0..10 {
            answers.push(recorded(&service, number).await);
        }
        let before = service.checkpoint().await.unwrap();
        ends(service.close()).await;
        let done = erase(setup.database.url(), &erased, "12/QĐ-BCA", &at(5)).await.unwrap();
        assert_eq!(done, Erased { records: 4, before: 0, archived: 0 });
        let again = erase(setup.database.url(), &[8, 9, 8], "13/QĐ-BCA", &at(6)).await.unwrap();
        assert_eq!(again, Erased { records: 1, before: 1, archived: 0 });
        assert_eq!(setup.number("SELECT COUNT(*) FROM record_key").await, 5);
        let first = "SELECT COUNT(*) FROM erasure \
                     WHERE document = '12/QĐ-BCA' AND time_ms = 1790000005000";
        assert_eq!(setup.number(first).await, 4, "the first document stays");

        let found = checked(&setup).await;
        assert_eq!((found.openings, found.erased, found.unopened), (5, 5, 0));
        assert_eq!(found.damages, [], "{engine:?}");
        let service = setup.open().await;
        assert_eq!(service.checkpoint().await.unwrap(), before);
        for (number, answer) in (0..).zip(&answers) {
            verify(&access(number).leaf, answer);
            let proven = service.inclusion(number).await.unwrap().unwrap();
            let signed = log().verify(&proven.checkpoint).unwrap();
            let leaf = tlog::leaf_hash(&access(number).leaf);
            tlog::verify_inclusion(number, signed.size, &leaf, &proven.proof, &signed.root)
                .unwrap();
            // A record that is sent again finds its place, whether or not its keys are there.
            assert_eq!(append(&service, access(number)).await.unwrap().index, number);
            match opened(&service, number).await {
                Opened::Whole(opening) => assert!(same(&opening, &access(number))),
                Opened::Erased { context } => {
                    assert!(erased.contains(&number) || number == 9);
                    assert_eq!(context, access(number).context);
                }
                Opened::Undone | Opened::Damaged | Opened::Closed => panic!("{number}"),
            }
        }
        assert_eq!(recorded(&service, 10).await.index, 10);
        assert_eq!(close_and_audit(&setup, service).await, 11);
    }
}

/// Whoever restores what is sealed has nothing; whoever restores the keys is found out.
#[tokio::test]
async fn i7_what_is_sealed_comes_back_to_nothing_and_a_key_that_comes_back_is_found() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        for number in 0..3 {
            recorded(&service, number).await;
        }
        ends(service.close()).await;
        setup
            .tamper(&[
                "CREATE TABLE opening_copy AS SELECT * FROM opening",
                "CREATE TABLE record_key_copy AS SELECT * FROM record_key",
            ])
            .await;
        erase(setup.database.url(), &[1], "1", &at(0)).await.unwrap();
        setup
            .tamper(&["DELETE FROM opening", "INSERT INTO opening SELECT * FROM opening_copy"])
            .await;
        let service = setup.open().await;
        assert!(matches!(opened(&service, 1).await, Opened::Erased { .. }), "{engine:?}");
        ends(service.close()).await;
        assert_eq!(checked(&setup).await.damages, []);
        setup
            .tamper(&[
                "DELETE FROM record_key",
                "INSERT INTO record_key SELECT * FROM record_key_copy",
            ])
            .await;
        let service = setup.open().await;
        assert!(matches!(opened(&service, 1).await, Opened::Undone), "{engine:?}");
        ends(service.close()).await;
        assert_eq!(checked(&setup).await.damages, [Damage::Key(1)]);
        // The same erasure again makes it good.
        let again = erase(setup.database.url(), &[1], "1", &at(0)).await.unwrap();
        assert_eq!(again, Erased { records: 0, before: 1, archived: 0 });
        assert_eq!(checked(&setup).await.damages, []);
    }
}

/// SQLite overwrites what is deleted, in the file and in its WAL.
#[tokio::test]
async fn i7_erased_keys_are_gone_from_the_disk() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    for number in 0..40 {
        recorded(&service, number).await;
    }
    ends(service.close()).await;
    let store = Store::open(setup.database.url(), migrations()).await.unwrap();
    let rows = Sql::same("SELECT position, wrapped FROM record_key ORDER BY position");
    let rows = store.read(&rows, Vec::new()).await.unwrap();
    let wrapped: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get_by(1).unwrap()).collect();
    store.close().await;
    let before = on_disk(&setup);
    assert!(wrapped.iter().all(|key| holds(&before, key)));
    let erased: Vec<u64> = (0..40).filter(|number| number % 3 == 0).collect();
    erase(setup.database.url(), &erased, "1", &at(0)).await.unwrap();
    let after = on_disk(&setup);
    for (number, key) in (0..).zip(&wrapped) {
        // All but the nonce, whose place may be taken by what came before it in the page.
        assert_eq!(holds(&after, &key[12..]), !erased.contains(&number), "{number}");
    }
}

#[tokio::test]
async fn an_erasure_of_what_is_not_there_erases_nothing() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        for number in 0..3 {
            recorded(&service, number).await;
        }
        ends(service.close()).await;
        let refused = async |indexes: &[u64], document: &str| {
            erase(setup.database.url(), indexes, document, &at(0)).await.unwrap_err()
        };
        assert!(matches!(refused(&[0, 3], "1").await, Error::NoRecord(3)));
        let long = "1".repeat(201);
        for document in ["", " ", "1\n2", &long] {
            assert!(matches!(refused(&[0], document).await, Error::Document), "{document}");
        }
        let rows = "SELECT (SELECT COUNT(*) FROM record_key) - (SELECT COUNT(*) FROM erasure)";
        assert_eq!(setup.number(rows).await, 3, "{engine:?}");
    }
}

/// A log of version 1, which had everything in clear.
async fn version_one(engine: Engine, records: u64) -> Setup {
    let database = TestDatabase::new(engine).await;
    let setup = Setup { database, key: key_file(ORIGIN, 7), kek: kek_file(7) };
    let store = Store::open(setup.database.url(), &migrations()[..1]).await.unwrap();
    let hex = |bytes: &[u8]| match engine {
        Engine::Sqlite => format!("X'{}'", hex::encode(bytes)),
        Engine::Postgres => format!("'\\x{}'::bytea", hex::encode(bytes)),
    };
    let (mut tree, mut texts) = (tlog::Tree::default(), Vec::new());
    let signer = LogSigner::from_seed(ORIGIN, [7; 32]).unwrap();
    let sign = |tree: &tlog::Tree, texts: &mut Vec<String>| {
        let (size, root) = (tree.size(), tree.root().unwrap());
        let note = signer.sign(size, &root).unwrap();
        texts.push(format!("INSERT INTO checkpoint VALUES ({size}, {}, '{note}', 1)", hex(&root)));
    };
    sign(&tree, &mut texts);
    for number in 0..records {
        let access = of_a_person(number);
        let leaf = Leaf::parse(&access.leaf).unwrap();
        let (id, bytes) = (hex(&leaf.record_id), hex(&access.leaf));
        texts.push(format!("INSERT INTO leaf VALUES ({number}, {id}, {bytes})"));
        texts.push(format!(
            "INSERT INTO opening VALUES ({number}, {}, {}, '{}', {}, {}, {})",
            hex(&access.outer_key),
            hex(&access.inner_key),
            access.context,
            hex(&access.request_digest),
            hex(&access.answer_digest),
            hex(&access.decision)
        ));
        for (place, hash) in tree.append(tlog::leaf_hash(&access.leaf)).unwrap() {
            texts.push(format!("INSERT INTO node VALUES ({place}, {})", hex(&hash)));
        }
        tree.forget();
    }
    sign(&tree, &mut texts);
    texts.push(format!("UPDATE log_state SET size = {records}"));
    execute(&store, texts.into_iter().map(|text| Sql::same(text.leak())).collect()).await;
    store.close().await;
    setup
}

/// Nothing of a log of version 1 is lost, and nothing stays in clear, also when its first start was stopped half-way.
#[tokio::test]
async fn a_log_of_version_1_is_taken_over_whole() {
    const RECORDS: u64 = 300;
    for engine in ENGINES {
        let setup = version_one(engine, RECORDS).await;
        let url = setup.database.url();
        let store = Store::open(url, migrations()).await.unwrap();
        let keys = file_keys(&[&setup.kek]);
        let envelope = Envelope::new(Arc::new(keys), Entropy::system());
        let key = envelope.data_key(&store, at(0).today()).await.unwrap();
        // One batch, and then the process is gone.
        assert!(crate::store::keys::take_over(&store, key, 100).await.unwrap());
        assert_eq!(ask(&store, "SELECT COUNT(*) FROM opening").await, 100);
        assert_eq!(ask(&store, "SELECT COUNT(*) FROM opening_clear").await, 200);
        store.close().await;
        // Until all of it is sealed, nobody says that it is sound, or erased.
        let unsealed = crate::fsck(url, &log(), None, |_| ()).await.unwrap_err();
        assert!(matches!(unsealed, Error::NotTakenOver), "{unsealed}");
        let unsealed = erase(url, &[250], "1", &at(0)).await.unwrap_err();
        assert!(matches!(unsealed, Error::NotTakenOver), "{unsealed}");
        for _ in 0..2 {
            ends(setup.open().await.close()).await;
            assert_eq!(setup.number("SELECT COUNT(*) FROM opening_clear").await, 0);
        }
        let found = checked(&setup).await;
        assert_eq!((found.size, found.openings, found.damages), (RECORDS, RECORDS, Vec::new()));
        let service = setup.open().await;
        let all: Vec<u64> = (0..RECORDS).collect();
        let opened = service.open_records(&all).await.unwrap();
        assert_eq!(opened.keys().copied().collect::<Vec<_>>(), all);
        for (number, opened) in opened {
            let Opened::Whole(opening) = opened else { panic!("{engine:?} {number}") };
            assert!(same(&opening, &of_a_person(number)));
        }
        assert_eq!(recorded(&service, RECORDS).await.index, RECORDS);
        assert_eq!(close_and_audit(&setup, service).await, RECORDS + 1);
        if engine == Engine::Sqlite {
            let bytes = on_disk(&setup);
            assert!(!holds(&bytes, PERSON.as_bytes()));
            let keys = (0..RECORDS).map(|number| of_a_person(number).inner_key);
            let left: BTreeSet<_> = keys.filter(|key| holds(&bytes, key)).collect();
            assert_eq!(left, BTreeSet::new(), "what was in clear is overwritten");
        }
    }
}

/// Two processes at once: each row is taken over by one of them.
#[tokio::test]
async fn a_log_of_version_1_is_taken_over_once() {
    let setup = version_one(Engine::Postgres, 120).await;
    let stores = join_all((0..2).map(|_| Store::open(setup.database.url(), migrations()))).await;
    let envelope = Envelope::new(Arc::new(file_keys(&[&setup.kek])), Entropy::system());
    let taken = stores.iter().map(async |store| {
        let store = store.as_ref().unwrap();
        let key = envelope.data_key(store, at(0).today()).await.unwrap();
        while crate::store::keys::take_over(store, Arc::clone(&key), 7).await.unwrap() {}
    });
    ends(join_all(taken)).await;
    for store in stores {
        store.unwrap().close().await;
    }
    assert_eq!(checked(&setup).await.openings, 120);
}
