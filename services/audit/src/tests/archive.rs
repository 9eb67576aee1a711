//! A log brought back from its archive: the same one, or nothing.

use std::{
    collections::HashMap,
    io::{self, Cursor},
};

use contract::audit::v1::RecordedAccess;
use tlog::{LogSigner, pieces::Pieces, tile::Tile};

use super::{
    accesses::{asked, list, name},
    append::signed_access,
    fsck::{RECORDS, checked, filled},
    *,
};
use crate::{
    Archive, ArchiveError, Imported, Opened, Progress,
    api::opening,
    erase, import,
    openings::{self, Handed},
};

/// The parts of an archive, to be changed.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) checkpoint: String,
    pub(super) pieces: HashMap<Tile, Vec<u8>>,
    pub(super) openings: Vec<Vec<u8>>,
}

/// The key of the log of these tests.
pub(super) fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, [7; 32]).unwrap()
}

impl Kept {
    /// A copy of these leaves, signed by a key.
    pub(super) fn of(leaves: &[Vec<u8>], signer: &LogSigner, openings: Vec<Vec<u8>>) -> Self {
        let (mut all, mut pieces) = (Pieces::default(), HashMap::new());
        for leaf in leaves {
            pieces.extend(all.push(leaf).unwrap());
        }
        pieces.extend(all.partial().unwrap());
        let checkpoint = signer.sign(all.size(), &all.root().unwrap()).unwrap();
        Self { checkpoint, pieces, openings }
    }

    pub(super) fn archive(&self) -> Archive {
        let pieces = self.pieces.clone();
        let read = move |tile: &Tile| {
            pieces.get(tile).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        };
        let files = self.openings.iter().cloned();
        let openings = files.map(|file| Box::new(Cursor::new(file)) as Box<_>).collect();
        Archive { checkpoint: self.checkpoint.clone(), pieces: Box::new(read), openings }
    }

    /// The same with a record of its first file of openings changed, or left out.
    pub(super) fn with(&self, index: u64, change: impl Fn(Handed) -> Option<Handed>) -> Self {
        let (mut input, mut file) = (self.openings[0].as_slice(), Vec::new());
        while let Some(handed) = openings::next(&mut input).unwrap() {
            let handed = if handed.index == index { change(handed) } else { Some(handed) };
            file.extend(handed.iter().flat_map(|handed| opening::written(handed).unwrap()));
        }
        let openings = [&[file], &self.openings[1..]].concat();
        Self { openings, ..self.clone() }
    }

    /// The same with a bit changed in a piece.
    pub(super) fn flipped(&self, path: &str) -> Self {
        let mut other = self.clone();
        other.pieces.get_mut(&Tile::parse(path).unwrap()).unwrap()[9] ^= 1;
        other
    }
}

/// The leaves that a log has from an index on, in their order.
pub(super) async fn leaves(setup: &Setup) -> Vec<Vec<u8>> {
    let store = Store::open_read_only(setup.database.url(), migrations()).await.unwrap();
    let rows = Sql::same("SELECT leaf FROM leaf ORDER BY position");
    let rows = store.read(&rows, Vec::new()).await.unwrap();
    store.close().await;
    rows.iter().map(|row| row.try_get_by(0).unwrap()).collect()
}

pub(super) async fn exported(setup: &Setup) -> Vec<u8> {
    let mut file = Vec::new();
    let kek = FileKeys::open(&[path(&setup.kek)], Entropy::seeded(2)).unwrap();
    let export = openings::export(setup.database.url(), kek, 0..u64::MAX, |one| {
        file.extend_from_slice(one);
        Ok(())
    });
    ends(export).await.unwrap();
    file
}

/// The archive of a log of which nothing was pruned yet.
pub(super) async fn kept(setup: &Setup) -> Kept {
    Kept::of(&leaves(setup).await, &signer(), vec![exported(setup).await])
}

pub(super) async fn imported(setup: &Setup, kept: &Kept) -> Result<Imported, ArchiveError> {
    ends(import(&setup.config(), kept.archive(), &Clock::system(), |_: Progress| ())).await
}

/// Under three names: numbers and all that is told, with proofs that hold.
async fn told(service: &Service) -> (Vec<RecordedAccess>, Vec<u64>) {
    let names = (0..3).map(|number| name(&format!("person-{number}"))).collect();
    let (mut request, mut all, mut counts) = (asked(names), Vec::new(), Vec::new());
    loop {
        let answer = list(service, request.clone()).await.unwrap();
        super::accesses::listed(&answer);
        counts = if counts.is_empty() { answer.counts } else { counts };
        request.before_index = answer.accesses.last().unwrap().index;
        // Proofs lead to the checkpoint of their moment.
        all.extend(answer.accesses.into_iter().map(|mut one| {
            one.proof.clear();
            one
        }));
        if answer.end_reached {
            return (all, counts);
        }
    }
}

#[tokio::test]
async fn a_log_comes_back_from_its_archive_as_it_was() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        let service = setup.open().await;
        let name = tlog::digest(b"certificate");
        for number in [9_001, 9_002] {
            append(&service, signed_access(number, &name, b"certificate")).await.unwrap();
        }
        ends(service.close()).await;
        let (url, document) = (setup.database.url(), "Quyết định 1/QĐ-TEST");
        erase(url, &[5, 300], document, &Clock::system()).await.unwrap();
        let service = setup.open().await;
        let before = told(&service).await;
        ends(service.close()).await;
        let (archive, sound) = (kept(&setup).await, checked(&setup).await);

        let other = Setup::new(engine).await;
        let back = imported(&other, &archive).await.unwrap();
        assert_eq!((back.size, back.openings, back.erased), (RECORDS + 2, RECORDS, 2));
        let found = checked(&other).await;
        assert_eq!((found.size, found.root), (sound.size, sound.root), "{engine:?}");
        assert_eq!((found.openings, found.erased), (sound.openings, 2));
        // These two signatures are none; that they are looked at is seen by it.
        assert_eq!(found.damages, sound.damages);
        assert_eq!(Some(back.root), sound.root);
        // It is exported as it was: also the erasures, and the certificate with the first that names it.
        assert!(exported(&other).await == archive.openings[0], "{engine:?}");
        let documents = "SELECT COUNT(*) FROM erasure WHERE document LIKE 'Quy%' AND time_ms > 0";
        assert_eq!(other.number(documents).await, 2);
        let service = other.open().await;
        assert!(told(&service).await == before, "{engine:?}");
        // It goes on.
        assert_eq!(recorded(&service, 3).await.index, 3);
        assert_eq!(recorded(&service, 9_003).await.index, RECORDS + 2);
        ends(service.close()).await;
        let grown = checked(&other).await;
        assert_eq!((grown.size, grown.damages), (RECORDS + 3, sound.damages));
    }
}

/// A record of a day is sealed under the key of that day, and the counts of a period are the same.
#[tokio::test]
async fn records_come_back_under_their_days() {
    let setup = Setup::new(Engine::Sqlite).await;
    let of = |number: u64, days_before: u64| {
        let mut access = access(number);
        let mut leaf = Leaf::parse(&access.leaf).unwrap();
        leaf.time_ms -= days_before * 86_400_000;
        access.leaf = leaf.to_bytes().to_vec();
        access
    };
    let service = setup.open().await;
    for number in 0..9 {
        append(&service, of(number, number % 3)).await.unwrap();
    }
    let wanted = crate::count::Wanted {
        from_ms: 1_790_000_000_000,
        until_ms: 1_790_000_000_000 + 86_400_000,
        agency: String::new(),
    };
    let counted = ends(service.count(&wanted)).await.unwrap();
    ends(service.close()).await;
    let other = Setup::new(Engine::Sqlite).await;
    imported(&other, &kept(&setup).await).await.unwrap();
    assert_eq!(other.number("SELECT COUNT(*) FROM data_key").await, 3);
    let service = other.open().await;
    let again = ends(service.count(&wanted)).await.unwrap();
    assert_eq!((again.records, again.accesses), (counted.records, counted.accesses));
    assert_eq!(again.records, 3);
    ends(service.close()).await;
}

#[tokio::test]
async fn a_checkpoint_comes_back_with_what_witnesses_said() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    recorded(&service, 0).await;
    ends(service.close()).await;
    let mut archive = kept(&setup).await;
    let witness = tlog::Cosigner::from_seed("witness.test/1", [9; 32]).unwrap();
    let body = archive.checkpoint[..=archive.checkpoint.find("\n\n").unwrap()].to_owned();
    archive.checkpoint += &witness.cosign(&body, 1_790_000_000).unwrap();
    let other = Setup::new(Engine::Sqlite).await;
    imported(&other, &archive).await.unwrap();
    assert_eq!(other.number("SELECT COUNT(*) FROM cosigned").await, 1);
    let policy = tempfile::NamedTempFile::new().unwrap();
    let (log, vkey) = (signer().verifier_key().to_owned(), witness.verifier_key());
    let text = format!("log {log}\nwitness w {vkey} http://127.0.0.1:1\nquorum w\n");
    std::fs::write(policy.path(), text).unwrap();
    let config = Config { witness_policy_file: path(&policy), ..other.config() };
    let service = open(&config).await.unwrap();
    assert_eq!(service.shown().await.unwrap().note, archive.checkpoint);
    ends(service.close()).await;
    assert!(checked(&other).await.damages.is_empty());
}

#[tokio::test]
async fn an_empty_log_comes_back_empty() {
    let setup = Setup::new(Engine::Sqlite).await;
    let archive = Kept::of(&[], &signer(), Vec::new());
    assert_eq!(imported(&setup, &archive).await.unwrap().size, 0);
    assert!(checked(&setup).await.damages.is_empty());
    assert_eq!(recorded(&setup.open().await, 0).await.index, 0);
}

/// Whatever is wrong, nothing is written, and a good archive is taken then.
#[tokio::test]
async fn a_damaged_archive_is_refused_whole() {
    for engine in ENGINES {
        let (setup, other) = (filled(engine).await, Setup::new(engine).await);
        let good = kept(&setup).await;
        let stranger = LogSigner::from_seed(ORIGIN, [8; 32]).unwrap();
        let of_others = Kept::of(&leaves(&setup).await, &stranger, good.openings.clone());
        let changed = |mut handed: Handed| {
            if let Opened::Whole(opening) = &mut handed.opened {
                opening.decision[0] ^= 1;
            }
            Some(handed)
        };
        let erased = |mut handed: Handed| {
            handed.opened = Opened::Erased { context: String::new() };
            Some(handed)
        };
        let mut short = good.clone();
        short.openings[0].pop();
        let mut unsigned = good.clone();
        unsigned.checkpoint = unsigned.checkpoint.replacen("700", "699", 1);
        let cases = [
            ("entry", good.flipped("tile/entries/001")),
            ("hash", good.flipped("tile/0/002.p/188")),
            ("above", good.flipped("tile/1/000.p/2")),
            ("key", of_others),
            ("checkpoint", unsigned),
            ("decision", good.with(699, changed)),
            ("missing", good.with(300, |_| None)),
            ("erased by nobody", good.with(300, erased)),
            ("cut", short),
            ("none", Kept { openings: Vec::new(), ..good.clone() }),
        ];
        for (what, archive) in cases {
            assert!(imported(&other, &archive).await.is_err(), "{engine:?} {what}");
            let store = Store::open(other.database.url(), migrations()).await.unwrap();
            assert!(crate::store::archived::is_empty(&store).await.unwrap(), "{what}");
            assert_eq!(ask(&store, "SELECT size FROM log_state").await, 0, "{what}");
            store.close().await;
        }
        // What fails at the last moment is taken back as well.
        other.refuse(engine, "INSERT", "checkpoint", "size = 700", true).await;
        assert!(imported(&other, &good).await.is_err());
        assert_eq!(other.number("SELECT COUNT(*) FROM leaf").await, 0);
        other.refuse(engine, "INSERT", "checkpoint", "size = 700", false).await;
        assert_eq!(imported(&other, &good).await.unwrap().size, RECORDS, "{engine:?}");
        // Once more is once too often.
        assert!(matches!(imported(&other, &good).await, Err(ArchiveError::NotEmpty)));
        let begun = Setup::new(engine).await;
        ends(begun.open().await.close()).await;
        assert!(matches!(imported(&begun, &good).await, Err(ArchiveError::NotEmpty)));
        assert_eq!(checked(&other).await.damages, []);
    }
}
