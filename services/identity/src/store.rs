//! The only place with SQL. Every hot statement stands twice, side by side; rows travel as one JSON value,
//! so one statement writes or finds any number of them on both engines.

pub(crate) mod apply;
pub(crate) mod as_of;
pub(crate) mod budget;
pub(crate) mod bulk;
pub(crate) mod change_feed;
pub(crate) mod consent;
pub(crate) mod enter;
pub(crate) mod epoch;
pub(crate) mod feed;
pub(crate) mod find;
pub(crate) mod keyed;
pub(crate) mod lookup;
#[cfg(test)]
mod merged_tests;
#[cfg(test)]
mod plans;
pub(crate) mod population;
pub(crate) mod refold;
pub(crate) mod relations;
pub(crate) mod retention;

use std::{collections::BTreeSet, sync::Arc};

use model::{
    Assertion, Authority, AuthorityInForce, EventKind, GoldenRecord, Says, fold, merge::survivor,
};
use serde::{Deserialize as _, de::IntoDeserializer as _};
use store::{Migration, Sql, Store, Value};
use time::Date;
use tokio::time::Instant;

use crate::{Error, domain::apart::Apart};

pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "register",
        sqlite: include_str!("../migrations/sqlite/0001_register.sql"),
        postgres: include_str!("../migrations/postgres/0001_register.sql"),
    },
    Migration {
        version: 2,
        name: "known time",
        sqlite: include_str!("../migrations/sqlite/0002_known_time.sql"),
        postgres: include_str!("../migrations/postgres/0002_known_time.sql"),
    },
    Migration {
        version: 3,
        name: "token",
        sqlite: include_str!("../migrations/sqlite/0003_token.sql"),
        postgres: include_str!("../migrations/postgres/0003_token.sql"),
    },
    Migration {
        version: 4,
        name: "authority",
        sqlite: include_str!("../migrations/sqlite/0004_authority.sql"),
        postgres: include_str!("../migrations/postgres/0004_authority.sql"),
    },
    Migration {
        version: 5,
        name: "as of",
        sqlite: include_str!("../migrations/sqlite/0005_as_of.sql"),
        postgres: include_str!("../migrations/postgres/0005_as_of.sql"),
    },
    Migration {
        version: 6,
        name: "says",
        sqlite: include_str!("../migrations/sqlite/0006_says.sql"),
        postgres: include_str!("../migrations/postgres/0006_says.sql"),
    },
    Migration {
        version: 7,
        name: "event",
        sqlite: include_str!("../migrations/sqlite/0007_event.sql"),
        postgres: include_str!("../migrations/postgres/0007_event.sql"),
    },
    Migration {
        version: 8,
        name: "search",
        sqlite: include_str!("../migrations/sqlite/0008_search.sql"),
        postgres: include_str!("../migrations/postgres/0008_search.sql"),
    },
    Migration {
        version: 11,
        name: "change feed",
        sqlite: include_str!("../migrations/sqlite/0011_change_feed.sql"),
        postgres: include_str!("../migrations/postgres/0011_change_feed.sql"),
    },
    Migration {
        version: 12,
        name: "relations",
        sqlite: include_str!("../migrations/sqlite/0012_relations.sql"),
        postgres: include_str!("../migrations/postgres/0012_relations.sql"),
    },
    Migration {
        version: 13,
        name: "partitions",
        sqlite: include_str!("../migrations/sqlite/0013_partitions.sql"),
        postgres: include_str!("../migrations/postgres/0013_partitions.sql"),
    },
    Migration {
        version: 14,
        name: "identifier of person",
        sqlite: include_str!("../migrations/sqlite/0014_identifier_of_person.sql"),
        postgres: include_str!("../migrations/postgres/0014_identifier_of_person.sql"),
    },
    Migration {
        version: 15,
        name: "merge",
        sqlite: include_str!("../migrations/sqlite/0015_merge.sql"),
        postgres: include_str!("../migrations/postgres/0015_merge.sql"),
    },
    Migration {
        version: 16,
        name: "consent",
        sqlite: include_str!("../migrations/sqlite/0016_consent.sql"),
        postgres: include_str!("../migrations/postgres/0016_consent.sql"),
    },
];

const FOUND: Sql = Sql {
    sqlite: "INSERT INTO register (id, version, synthetic) VALUES (1, 0, ?) ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO register (id, version, synthetic) VALUES (1, 0, $1) ON CONFLICT DO NOTHING",
};
const SIDE: Sql = Sql::same("SELECT synthetic FROM register WHERE id = 1");
const VERSION: Sql = Sql::same("SELECT version FROM register WHERE id = 1");
const SIZE: Sql = Sql::same("SELECT COUNT(*) FROM person");
const PERSONS_AFTER: Sql = Sql {
    sqlite: "SELECT p.person_id, p.record, p.authority, p.merged_into, p.protected, COALESCE(s.protected, p.protected) \
             FROM person p LEFT JOIN person s ON s.person_id = p.merged_into \
             WHERE p.person_id > ? ORDER BY p.person_id LIMIT 500",
    postgres: "SELECT p.person_id, p.record, p.authority, p.merged_into, p.protected, COALESCE(s.protected, p.protected) \
               FROM (SELECT * FROM person WHERE person_id > $1 ORDER BY person_id LIMIT 500) p LEFT JOIN LATERAL \
               (SELECT protected FROM person WHERE person_id = p.merged_into OFFSET 0) s ON true ORDER BY p.person_id",
};
// With those of everybody with whom they were ever said to be one: what counts of that, the fold decides.
const ASSERTIONS_OF: Sql = Sql {
    sqlite: "WITH RECURSIVE whole (person_id) AS (SELECT value FROM json_each(?) UNION \
             SELECT m.other_id FROM whole w JOIN once_merged m ON m.person_id = w.person_id) \
             SELECT person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event \
             FROM assertion WHERE person_id IN (SELECT person_id FROM whole)",
    postgres: "WITH RECURSIVE whole (person_id) AS (SELECT jsonb_array_elements_text($1::text::jsonb) UNION \
               SELECT m.other_id FROM whole w CROSS JOIN LATERAL \
               (SELECT other_id FROM once_merged WHERE person_id = w.person_id OFFSET 0) m) \
               SELECT a.* FROM whole CROSS JOIN LATERAL (\
               SELECT person_id, item, value, source, contribution_id, valid_from, known_at_us, version, says, event \
               FROM assertion WHERE person_id = whole.person_id OFFSET 0) a",
};

/// The register.
#[derive(Clone, Debug)]
pub struct RegisterStore {
    pub(crate) store: Store,
    synthetic: bool,
    authority: Arc<Authority>,
    /// The rules that are kept already.
    kept: Arc<as_of::Kept>,
}

impl RegisterStore {
    /// Founds the register when it is new, and refuses one that was founded for the other kind of
    /// persons: a demonstration never turns into the real thing, nor the other way round.
    pub(crate) async fn open(
        store: Store,
        synthetic: bool,
        authority: Authority,
    ) -> Result<Self, Error> {
        let found: Result<(), store::Error> = store
            .write("found register", move |tx| {
                Box::pin(async move {
                    tx.execute(&FOUND, vec![synthetic.into()]).await?;
                    Ok(())
                })
            })
            .await;
        found?;
        let side: bool = only(&store.read(&SIDE, Vec::new()).await?)?;
        if side != synthetic {
            return Err(Error::OtherSide(side));
        }
        Ok(Self { store, synthetic, authority: Arc::new(authority), kept: Arc::default() })
    }

    /// The same register, for work that is worth nothing after a moment.
    pub(crate) fn until(&self, at: Instant) -> Self {
        Self { store: self.store.until(at), ..self.clone() }
    }

    /// Whether it holds synthetic persons only.
    pub(crate) fn synthetic(&self) -> bool {
        self.synthetic
    }

    /// The rules by which records are folded on a day.
    pub(crate) fn rules(&self, day: Date) -> AuthorityInForce {
        self.authority.in_force(day)
    }

    /// The newest version.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn version(&self) -> Result<u64, store::Error> {
        let version: i64 = only(&self.store.read(&VERSION, Vec::new()).await?)?;
        Ok(version.unsigned_abs())
    }

    /// How many persons there are.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn size(&self) -> Result<u64, store::Error> {
        let size: i64 = only(&self.store.read(&SIZE, Vec::new()).await?)?;
        Ok(size.unsigned_abs())
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        self.store.answers().await
    }

    /// How many statements were sent to the register since it was opened.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.store.statements()
    }

    /// Folds every person's assertions anew, by the rules by which they were folded, and counts the records that differ
    /// from what is stored, and those by whose keys other persons are found than they name: none, or the register is damaged
    /// (I5).
    ///
    /// # Errors
    /// When the database is away or holds something that cannot be read.
    pub async fn recompute(&self) -> Result<Recomputed, Error> {
        let mut done = Recomputed::default();
        let mut after = String::new();
        loop {
            let rows = self.store.read(&PERSONS_AFTER, vec![after.clone().into()]).await?;
            let mut stored: Vec<(GoldenRecord, String, Option<String>, bool)> = Vec::new();
            for row in &rows {
                let record = record(&field::<String>(row, 1)?)?;
                // Who are one are protected together (I7), and the record says what its row does.
                let (own, whole): (bool, bool) = (field(row, 4)?, field(row, 5)?);
                let protected = own == whole && own == record.protected;
                stored.push((record, field(row, 2)?, field(row, 3)?, protected));
            }
            let Some((last, ..)) = stored.last() else { return Ok(done) };
            after.clone_from(&last.person_id);
            let ids: Vec<&str> = stored.iter().map(|(r, ..)| r.person_id.as_str()).collect();
            let assertions = Apart::new(self.assertions(&ids).await?);
            let named: BTreeSet<&str> =
                stored.iter().map(|(_, rules, ..)| rules.as_str()).collect();
            let all = self.rules_of(&named.into_iter().collect::<Vec<_>>()).await?;
            let records: Vec<&GoldenRecord> = stored.iter().map(|(record, ..)| record).collect();
            done.wrongly_keyed += self.wrongly_keyed(&records).await?.len() as u64;
            for (record, rules, merged_into, protected) in &stored {
                done.persons += 1;
                // What was folded before there were any rules has none.
                let none = rules.is_empty().then(AuthorityInForce::default);
                let Some(rules) = none.or_else(|| all.get(rules).cloned()) else {
                    done.different += 1;
                    continue;
                };
                let said = assertions.of(&record.person_id);
                let folded = fold(&record.person_id, record.protected, said, &rules);
                // A change of rules gives a record a version that no assertion has.
                let leads_to = survivor(&record.person_id, said);
                let same = folded.items == record.items
                    && folded.version <= record.version
                    && *protected
                    && merged_into.as_deref().unwrap_or(&record.person_id) == leads_to;
                done.different += u64::from(!same);
            }
        }
    }

    /// Everything that was ever said of these persons, and of everybody with whom they were ever said to be one.
    pub(crate) async fn assertions(&self, person_ids: &[&str]) -> Result<Vec<Assertion>, Error> {
        let ids = Value::from(serde_json::to_string(person_ids)?);
        let rows = self.store.read(&ASSERTIONS_OF, vec![ids]).await?;
        assertions(&rows)
    }

    /// Closes the register.
    pub async fn close(self) {
        self.store.close().await;
    }
}

/// What a recomputation of all records found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recomputed {
    /// Persons looked at.
    pub persons: u64,
    /// Persons whose stored record is not the fold of their assertions, or who are not protected as that says, or as the one is
    /// into whom they are merged.
    pub different: u64,
    /// Persons whose keys are not those of their record: none, unless keys are still being given.
    pub wrongly_keyed: u64,
}

/// A column of a row.
pub(crate) fn field<T: store::TryGetable>(
    row: &store::QueryResult,
    place: usize,
) -> Result<T, store::Error> {
    Ok(row.try_get_by(place)?)
}

/// The one column of the one row.
pub(crate) fn only<T: store::TryGetable>(rows: &[store::QueryResult]) -> Result<T, store::Error> {
    match rows.first() {
        Some(row) => field(row, 0),
        None => Err(store::Error::NoRow),
    }
}

/// Stored assertions.
pub(crate) fn assertions(rows: &[store::QueryResult]) -> Result<Vec<Assertion>, Error> {
    let one = |row: &store::QueryResult| {
        let valid_from: Option<String> = field(row, 5)?;
        let version: i64 = field(row, 7)?;
        Ok(Assertion {
            person_id: field(row, 0)?,
            item: field(row, 1)?,
            value: serde_json::from_str(&field::<String>(row, 2)?)?,
            provenance: model::Provenance {
                source: field(row, 3)?,
                contribution_id: field(row, 4)?,
                valid_from: valid_from.map(|text| serde_json::from_str(&text)).transpose()?,
                known_at_us: field(row, 6)?,
            },
            version: version.unsigned_abs(),
            says: says(&field::<String>(row, 8)?)?,
            // A kind that a newer program wrote and this one does not know is not kept.
            event: field::<Option<String>>(row, 9)?.as_deref().and_then(EventKind::of),
        })
    };
    rows.iter().map(one).collect()
}

/// What an assertion says, as it is stored.
fn says(text: &str) -> Result<Says, serde_json::Error> {
    let text: serde::de::value::StrDeserializer<'_, serde_json::Error> = text.into_deserializer();
    Says::deserialize(text)
}

/// A stored record.
pub(crate) fn record(text: &str) -> Result<GoldenRecord, serde_json::Error> {
    serde_json::from_str(text)
}

/// A version as the databases keep it.
pub(crate) fn stored(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
