//! What is old goes into the archive, and only what an archive is known to hold; the log goes on, and every proof with it.

use super::{
    accesses::{asked, list, name},
    append::sent,
    archive::{Kept, exported, kept, leaves, signer},
    fsck::{RECORDS, checked, filled, on},
    read::{bundle, covered, extends, tile},
    tiles::get,
    *,
};
use crate::{
    ArchiveError, Damage, Opened, Pruning, PruningDone, Retention, Target, count::Wanted, erase,
    import, openings::Handed, prune,
};

const BEGAN: u64 = 1_790_000_000;
const DAY: u64 = 86_400;
/// Whole bundles below 700.
pub(super) const MINIMUM: u64 = 512;

/// So many days after the records.
fn days_after(days: u64) -> Clock {
    let seconds = i64::try_from(BEGAN + days * DAY).unwrap() + 1;
    Clock::fixed(OffsetDateTime::from_unix_timestamp(seconds).unwrap())
}

fn order(target: Target) -> Pruning {
    let document = "Quyết định 2/QĐ-TEST".to_owned();
    Pruning { target, retention: Retention { days: 400 }, document }
}

async fn pruned_at(
    setup: &Setup,
    archive: &Kept,
    order: Pruning,
    clock: &Clock,
) -> Result<PruningDone, ArchiveError> {
    let url = setup.database.url();
    ends(prune(url, &log(), archive.archive(), order, clock, |_| ())).await
}

/// As an operator does it when all is old enough.
pub(super) async fn pruned(
    setup: &Setup,
    archive: &Kept,
    below: u64,
) -> Result<PruningDone, ArchiveError> {
    let (order, clock) = all_is_old(below);
    pruned_at(setup, archive, order, &clock).await
}

/// The order, and the time at which it is carried out.
pub(super) fn all_is_old(below: u64) -> (Pruning, Clock) {
    (order(Target::Below(below)), days_after(401))
}

impl Setup {
    /// Has the database refuse a change of rows, or take it again.
    pub(super) async fn refuse(
        &self,
        engine: Engine,
        change: &str,
        table: &str,
        when: &str,
        refused: bool,
    ) {
        let row = if change == "DELETE" { "OLD" } else { "NEW" };
        let statements: Vec<String> = match (engine, refused) {
            (Engine::Sqlite, true) => vec![format!(
                "CREATE TRIGGER refuse BEFORE {change} ON {table} WHEN {row}.{when} \
                 BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )],
            (Engine::Sqlite, false) => vec!["DROP TRIGGER refuse".to_owned()],
            (Engine::Postgres, true) => vec![
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
                 AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
                    .to_owned(),
                format!(
                    "CREATE TRIGGER refuse BEFORE {change} ON {table} FOR EACH ROW \
                     WHEN ({row}.{when}) EXECUTE FUNCTION refuse()"
                ),
            ],
            (Engine::Postgres, false) => vec![format!("DROP TRIGGER refuse ON {table}")],
        };
        let store = Store::open(self.database.url(), migrations()).await.unwrap();
        let leaked = |text: String| Sql::same(Box::leak(text.into_boxed_str()));
        execute(&store, statements.into_iter().map(leaked).collect()).await;
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_young_or_ordered_wrongly_stays() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        let archive = kept(&setup).await;
        let now = |days| (BEGAN + days * DAY) * 1_000;
        let order_of = |target, days, document: &str| Pruning {
            target,
            retention: Retention { days },
            document: document.to_owned(),
        };
        let below = Target::Below(MINIMUM);
        for (order, days) in [
            (order(below), 399),
            (order_of(below, 365, "1"), 4_000),
            (order_of(below, 401, "1"), 400),
            (order_of(below, 400, " "), 400),
            (order_of(below, 400, "1\n2"), 400),
            (order(Target::Before(now(2))), 400),
        ] {
            let refused = pruned_at(&setup, &archive, order.clone(), &days_after(days)).await;
            assert!(refused.is_err(), "{engine:?} {order:?} {days}");
        }
        // Neither by a row that was made to look old, although nothing but the archive says otherwise.
        let old = match engine {
            Engine::Sqlite => {
                "UPDATE leaf SET leaf = CAST(substr(leaf, 1, 16) || unhex('0000000000000000') \
                 || substr(leaf, 25) AS BLOB) WHERE position < 256"
            }
            Engine::Postgres => {
                "UPDATE leaf SET leaf = substring(leaf FROM 1 FOR 16) \
                 || decode('0000000000000000', 'hex') || substring(leaf FROM 25) WHERE position < 256"
            }
        };
        setup.tamper(vec![old].leak()).await;
        let early = pruned_at(&setup, &archive, order(Target::Below(256)), &days_after(399)).await;
        assert!(matches!(early, Err(ArchiveError::YoungRecord { index: 0, days: 400 })));
        assert_eq!(setup.number("SELECT COUNT(*) FROM pruning").await, 0);
        assert_eq!(setup.number("SELECT COUNT(*) FROM leaf").await, 700);
        // What is there of a moment, to the millisecond; whole bundles of it.
        let until = Target::Before(now(0) + 600);
        let done = pruned_at(&setup, &archive, order(until), &days_after(400)).await.unwrap();
        assert_eq!((done.minimum, done.deleted), (MINIMUM, MINIMUM), "{engine:?}");
    }
}

/// Nothing is deleted that the archive does not hold, whatever is wrong with it.
#[tokio::test]
async fn what_the_archive_does_not_hold_stays() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        erase(setup.database.url(), &[300], "1", &days_after(0)).await.unwrap();
        let (good, all) = (kept(&setup).await, leaves(&setup).await);
        let stranger = LogSigner::from_seed(ORIGIN, [8; 32]).unwrap();
        let of = |leaves: &[Vec<u8>], signer: &LogSigner| {
            Kept::of(leaves, signer, good.openings.clone())
        };
        let more = [all.clone(), vec![access(9_000).leaf]].concat();
        let mut forked = all.clone();
        forked[600] = access(9_000).leaf;
        let changed = |mut handed: Handed| {
            if let Opened::Whole(opening) = &mut handed.opened {
                opening.answer_digest[0] ^= 1;
            }
            Some(handed)
        };
        let erased = |mut handed: Handed| {
            let erasure = crate::Erasure { document: "1".to_owned(), time_ms: 1, under: None };
            handed.opened = Opened::Erased { context: String::new() };
            handed.erasure = Some(erasure);
            Some(handed)
        };
        let whole = |mut handed: Handed| {
            let opening = crate::domain::check(sent(access(300))).ok().unwrap().opening;
            handed.opened = Opened::Whole(Box::new(opening));
            Some(handed)
        };
        let is = |error: ArchiveError, what: &str| match (&error, what) {
            (ArchiveError::Copy(_), "copy")
            | (ArchiveError::Short { size: 500, .. }, "short")
            | (ArchiveError::SetBack { copy: 701, log: 700 }, "set back")
            | (ArchiveError::Forked, "forked")
            | (ArchiveError::Checkpoint(_), "checkpoint")
            | (ArchiveError::NoOpening(511), "missing")
            | (ArchiveError::Differs { index: 7, .. }, "differs")
            | (ArchiveError::NotErased(7), "not erased")
            | (ArchiveError::OpensErased(300), "opens") => (),
            _ => panic!("{engine:?} {what}: {error}"),
        };
        for (what, archive) in [
            ("copy", good.flipped("tile/entries/001")),
            ("copy", good.flipped("tile/entries/002.p/188")),
            ("copy", good.flipped("tile/0/000")),
            ("short", of(&all[..500], &signer())),
            ("set back", of(&more, &signer())),
            ("forked", of(&forked, &signer())),
            ("checkpoint", of(&all, &stranger)),
            ("missing", good.with(511, |_| None)),
            ("differs", good.with(7, changed)),
            ("not erased", good.with(7, erased)),
            ("opens", good.with(300, whole)),
        ] {
            is(pruned(&setup, &archive, MINIMUM).await.unwrap_err(), what);
            assert_eq!(setup.number("SELECT COUNT(*) FROM pruning").await, 0, "{what}");
        }
        let sound = checked(&setup).await;
        assert_eq!((sound.openings, sound.erased, sound.damages.len()), (RECORDS - 1, 1, 0));
        // What is not pruned need not be opened by it.
        let done = pruned(&setup, &good.with(600, |_| None), MINIMUM + 100).await.unwrap();
        assert_eq!((done.before, done.minimum, done.size), (0, MINIMUM, RECORDS), "{engine:?}");
    }
}

/// Everything that was proven before can be proven still.
#[tokio::test]
async fn a_pruned_log_goes_on_and_proves_what_it_proved() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        erase(setup.database.url(), &[300], "1", &days_after(0)).await.unwrap();
        let (archive, before) = (kept(&setup).await, leaves(&setup).await);
        let service = setup.open().await;
        let tiles =
            [tile(&service, 0, 0, 0).await.unwrap(), tile(&service, 1, 0, 2).await.unwrap()];
        let roots: Vec<Hash> =
            [3, 256, 500, 600].map(|size| tree_of(&before[..size]).root().unwrap()).into();
        ends(service.close()).await;
        pruned(&setup, &archive, MINIMUM).await.unwrap();
        assert_eq!(setup.number("SELECT MIN(position) FROM leaf").await, 512);
        assert_eq!(setup.number("SELECT MIN(position) FROM opening").await, 512);
        assert_eq!(setup.number("SELECT MIN(position) FROM record_key").await, 512);

        let service = setup.open().await;
        for number in 1_000..1_010 {
            recorded(&service, number).await;
        }
        for (index, leaf) in before.iter().enumerate().step_by(33) {
            covered(&service, index as u64, &tlog::leaf_hash(leaf)).await.unwrap();
        }
        for (old, root) in [3, 256, 500, 600].into_iter().zip(&roots) {
            let (proof, newest) = extends(&service, old).await.unwrap();
            let new = (newest.size, &newest.root);
            tlog::verify_consistency((old, root), new, &proof).unwrap();
        }
        assert_eq!(tile(&service, 0, 0, 0).await.unwrap(), tiles[0]);
        assert_eq!(tile(&service, 1, 0, 2).await.unwrap(), tiles[1]);
        for (index, width) in [(0, 0), (1, 0), (1, 7)] {
            let refused = bundle(&service, AUDITOR, index, width).await.unwrap_err();
            assert_eq!(reason(&refused), (Code::NotFound, "NOT_IN_LOG".to_owned()));
        }
        assert_eq!(bundle(&service, AUDITOR, 2, 188).await.unwrap().len(), 188 * (2 + 104));

        // Everybody may know from where on the entries are shown.
        let shown = super::read::asked(contract::audit::v1::GetCheckpointRequest {}, CALLER);
        let shown =
            contract::audit::v1::log_service_server::LogService::get_checkpoint(&service, shown);
        assert_eq!(ends(shown).await.unwrap().into_inner().minimum_index, MINIMUM);
        let address = service.show(&setup.config()).await.unwrap().unwrap();
        let (status, head, index) = get(address, "GET /minimum-index").await;
        assert_eq!((status, index.as_slice()), (200, b"512\n".as_slice()));
        assert!(head.contains("cache-control: no-cache"), "{head}");
        // One that is sent again after more than a year is another one.
        assert_eq!(recorded(&service, 5).await.index, RECORDS + 10);
        ends(service.close()).await;
        let newest = crate::read_checkpoint(setup.database.url()).await.unwrap();
        assert_eq!(newest.minimum_index, MINIMUM);

        let sound = checked(&setup).await;
        assert_eq!((sound.size, sound.pruned, sound.left), (RECORDS + 11, MINIMUM, 0));
        assert_eq!((sound.openings, &*sound.damages), (RECORDS + 11 - MINIMUM, &[][..]));
        assert_eq!(sound.root, Some(log().verify(&newest.checkpoint).unwrap().root));
        // Again is nothing more, and not what was never there.
        let again = pruned(&setup, &archive, MINIMUM).await.unwrap();
        assert_eq!((again.minimum, again.before, again.deleted), (MINIMUM, MINIMUM, 0));
        let back = pruned(&setup, &archive, 256).await.unwrap();
        assert_eq!((back.minimum, back.deleted), (MINIMUM, 0), "{engine:?}");
    }
}

fn tree_of(leaves: &[Vec<u8>]) -> tlog::Tree {
    let mut tree = tlog::Tree::default();
    for leaf in leaves {
        tree.append(tlog::leaf_hash(leaf)).unwrap();
    }
    tree
}

/// What is archived is told as such, by its number; and what cannot be counted any more is not.
#[tokio::test]
async fn lists_stay_whole_and_periods_are_not_counted_by_half() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        erase(setup.database.url(), &[300], "1", &days_after(0)).await.unwrap();
        let archive = kept(&setup).await;
        pruned(&setup, &archive, MINIMUM).await.unwrap();
        let done = erase(setup.database.url(), &[7, 600], "2", &days_after(0)).await.unwrap();
        assert_eq!((done.records, done.before, done.archived), (2, 0, 1), "{engine:?}");
        erase(setup.database.url(), &[700], "2", &days_after(0)).await.unwrap_err();
        let kek = || FileKeys::open(&[path(&setup.kek)], Entropy::seeded(2)).unwrap();
        let signed = crate::signed_request(setup.database.url(), kek(), 8).await;
        assert!(matches!(signed, Err(Error::Pruned(MINIMUM))));

        let service = setup.open().await;
        let (mut before_index, mut all) = (0, Vec::new());
        let names = vec![name("person-0"), name("person-1"), name("person-2")];
        loop {
            let request =
                contract::audit::v1::ListAccessesRequest { before_index, ..asked(names.clone()) };
            let answer = list(&service, request).await.unwrap();
            assert_eq!(answer.counts, [234, 233, 233]);
            before_index = answer.accesses.last().unwrap().index;
            all.extend(answer.accesses);
            if answer.end_reached {
                break;
            }
        }
        let mut numbers = [234, 233, 233];
        assert_eq!(all.len() as u64, RECORDS);
        for (access, index) in all.iter().zip((0..RECORDS).rev()) {
            let (number, erased) =
                (&mut numbers[access.name as usize], [7, 300, 600].contains(&index));
            assert_eq!((access.index, access.number), (index, *number));
            *number -= 1;
            let gone = index < MINIMUM;
            assert_eq!((access.archived, access.erased), (gone && !erased, erased), "{index}");
            assert_eq!((access.leaf.is_empty(), access.proof.is_empty()), (gone, gone));
            assert_eq!(access.decision.is_empty(), gone || erased, "{index}");
        }
        let count = |from: u64| {
            let from_ms = BEGAN * 1_000 + from;
            let wanted = Wanted { from_ms, until_ms: from_ms + 1_000, agency: String::new() };
            let service = service.clone();
            async move { ends(service.count(&wanted)).await }
        };
        assert!(matches!(count(511).await, Err(Error::Pruned(MINIMUM))));
        let counted = count(512).await.unwrap();
        assert_eq!((counted.records, counted.erased), (RECORDS - MINIMUM, 1), "{engine:?}");
        ends(service.close()).await;
    }
}

/// What an archive and later exports hold together comes back whole, and what was erased stays erased.
#[tokio::test]
async fn a_pruned_log_comes_back_without_what_was_erased_since() {
    for engine in ENGINES {
        let setup = filled(engine).await;
        erase(setup.database.url(), &[300], "1", &days_after(0)).await.unwrap();
        let mut archive = kept(&setup).await;
        let whole = checked(&setup).await;
        pruned(&setup, &archive, MINIMUM).await.unwrap();
        erase(setup.database.url(), &[7, 300, 600], "2", &days_after(0)).await.unwrap();
        archive.openings.push(exported(&setup).await);
        let other = Setup::new(engine).await;
        let (config, clock) = (other.config(), days_after(400));
        let back = ends(import(&config, archive.archive(), &clock, |_| ())).await.unwrap();
        assert_eq!((back.size, back.erased), (RECORDS, 3), "{engine:?}");
        let found = checked(&other).await;
        assert_eq!((found.root, found.pruned, found.erased), (whole.root, 0, 3));
        assert_eq!((found.openings, found.damages), (RECORDS - 3, Vec::new()));
        let contexts = "SELECT COUNT(*) FROM opening WHERE context <> ''";
        assert_eq!(other.number(contexts).await, 700);
        let service = other.open().await;
        let request = contract::audit::v1::ListAccessesRequest {
            before_index: 50,
            ..asked(vec![name("person-1")])
        };
        let answer = list(&service, request).await.unwrap();
        let erased = answer.accesses.iter().filter(|access| access.erased);
        let erased: Vec<_> = erased.map(|access| (access.index, access.number)).collect();
        assert_eq!((answer.counts, erased), (vec![233], vec![(7, 3)]), "{engine:?}");
        ends(service.close()).await;
        // The same is pruned again, from the file that says of it what is so.
        assert_eq!(pruned(&other, &archive, MINIMUM).await.unwrap().deleted, MINIMUM);
    }
}

/// Stopped between any two steps, the log is sound and served, and the same call goes on.
#[tokio::test]
async fn a_run_that_is_stopped_anywhere_is_gone_on_with() {
    let steps = [
        ("INSERT", "pruning", "minimum > 0", 0, 0),
        ("DELETE", "record_key", "position >= 0", MINIMUM, MINIMUM),
        ("DELETE", "opening", "position >= 0", MINIMUM, MINIMUM),
        ("DELETE", "leaf", "position >= 255", MINIMUM, MINIMUM),
        ("DELETE", "record_key", "position >= 256", MINIMUM, 256),
        ("DELETE", "leaf", "position >= 511", MINIMUM, 256),
    ];
    for engine in ENGINES {
        for (change, table, when, minimum, left) in steps {
            let setup = filled(engine).await;
            let archive = kept(&setup).await;
            setup.refuse(engine, change, table, when, true).await;
            let stopped = pruned(&setup, &archive, MINIMUM).await;
            assert!(matches!(stopped, Err(ArchiveError::Log(Error::Store(_)))), "{table} {when}");
            let found = checked(&setup).await;
            assert_eq!((found.pruned, found.left), (minimum, left), "{engine:?} {table} {when}");
            assert_eq!((found.size, &*found.damages), (RECORDS, &[][..]));
            let service = setup.open().await;
            assert_eq!(recorded(&service, 9_000).await.index, RECORDS);
            assert_eq!(bundle(&service, AUDITOR, 1, 0).await.is_err(), minimum > 0);
            ends(service.close()).await;
            setup.refuse(engine, change, table, when, false).await;
            let done = pruned(&setup, &archive, MINIMUM).await.unwrap();
            let deleted = if minimum == 0 { MINIMUM } else { left };
            assert_eq!((done.minimum, done.deleted), (MINIMUM, deleted));
            let found = checked(&setup).await;
            assert_eq!((found.size, found.pruned, found.left), (RECORDS + 1, MINIMUM, 0));
            assert!(found.damages.is_empty(), "{engine:?} {table} {when}");
        }
    }
}

/// On PostgreSQL appends, lists and checks go on meanwhile.
#[tokio::test]
async fn a_log_is_pruned_while_it_is_served() {
    let setup = filled(Engine::Postgres).await;
    let archive = kept(&setup).await;
    let service = setup.open().await;
    let appended = async {
        for number in 2_000..2_060 {
            recorded(&service, number).await;
        }
    };
    let listed = async {
        for _ in 0..20 {
            let answer = list(&service, asked(vec![name("person-1")])).await.unwrap();
            let archived = answer.accesses.iter().filter(|access| access.archived).count();
            assert!(answer.counts[0] >= 233 && (archived == 0 || archived >= 100));
        }
    };
    let looked = async {
        for _ in 0..5 {
            assert_eq!(checked(&setup).await.damages, []);
        }
    };
    let (done, (), (), ()) =
        tokio::join!(pruned(&setup, &archive, MINIMUM), appended, listed, looked);
    assert_eq!(done.unwrap().deleted, MINIMUM);
    ends(service.close()).await;
    let found = checked(&setup).await;
    assert_eq!((found.size, found.pruned, found.left), (RECORDS + 60, MINIMUM, 0));
    assert!(found.damages.is_empty());
}

/// Hashes are held against those above, and what an order cannot have set is damage.
#[tokio::test]
async fn damage_of_a_pruned_log_is_found_where_it_is() {
    // The hash of leaf 0 is held against position 2, the pair of it; position 6 is over four leaves.
    let cases: [(&'static str, &'static [Damage]); 6] = [
        ("UPDATE node SET hash = {flip hash} WHERE position = 0", &[Damage::Node(2)]),
        ("UPDATE node SET hash = {flip hash} WHERE position = 6", &[Damage::Node(6)]),
        ("DELETE FROM node WHERE position = 0", &[Damage::Node(0)]),
        ("DELETE FROM node WHERE position = 6", &[Damage::Node(6)]),
        ("DELETE FROM leaf WHERE position = 512", &[Damage::Leaf(512)]),
        ("UPDATE pruning SET minimum = 768", &[Damage::Minimum(768)]),
    ];
    for engine in ENGINES {
        for (change, damages) in cases {
            let setup = filled(engine).await;
            let archive = kept(&setup).await;
            pruned(&setup, &archive, MINIMUM).await.unwrap();
            setup.tamper(vec![on(engine, change)].leak()).await;
            assert_eq!(checked(&setup).await.damages, damages, "{engine:?} {change}");
            if damages == [Damage::Minimum(768)] {
                assert!(matches!(open(&setup.config()).await, Err(Error::LogCorrupt(_))));
            }
        }
    }
}
