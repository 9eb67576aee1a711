//! The only place with SQL: records by number, changes in commit order, events by id.

mod changes;
mod events;
mod followed;
mod used;

use model::{GoldenRecord, PersonalNumber, Said, Subject, Value as ItemValue};
use store::{Migration, QueryResult, Sql, Store, Transaction, TryGetable, Value};
use wire::event::Target;

pub(crate) use changes::{Gone, Page, Stored};
pub(crate) use events::Status;

use crate::{
    Error, Newcomer,
    cursor::Cursors,
    domain::{Origin, Registration, empty, numbered, take},
    profile::Profile,
};

pub(crate) static MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "reference_database",
        sqlite: include_str!("../migrations/sqlite/0001_reference_database.sql"),
        postgres: include_str!("../migrations/postgres/0001_reference_database.sql"),
    },
    Migration {
        version: 2,
        name: "looked_up",
        sqlite: include_str!("../migrations/sqlite/0002_looked_up.sql"),
        postgres: include_str!("../migrations/postgres/0002_looked_up.sql"),
    },
    Migration {
        version: 3,
        name: "tries",
        sqlite: include_str!("../migrations/sqlite/0003_tries.sql"),
        postgres: include_str!("../migrations/postgres/0003_tries.sql"),
    },
    Migration {
        version: 4,
        name: "used_warrant",
        sqlite: include_str!("../migrations/sqlite/0004_used_warrant.sql"),
        postgres: include_str!("../migrations/postgres/0004_used_warrant.sql"),
    },
];

const BEGIN: Sql = Sql {
    sqlite: "INSERT INTO state (id, sequence, kept_from, committed_at_us, cursor_key) \
             VALUES (1, 0, 1, 0, ?) ON CONFLICT (id) DO NOTHING",
    postgres: "INSERT INTO state (id, sequence, kept_from, committed_at_us, cursor_key) \
               VALUES (1, 0, 1, 0, $1) ON CONFLICT (id) DO NOTHING",
};
const KEY: Sql = Sql::same("SELECT cursor_key FROM state WHERE id = 1");
// Whoever has this row's turn commits before the next one gets a sequence: so a change is seen only when none of a
// lower sequence can still come (rule SRC-1). Commit times do not go back when clocks do (rule SRC-11).
const TURN: Sql = Sql {
    sqlite: "UPDATE state SET sequence = sequence + 1, committed_at_us = max(committed_at_us, ?) WHERE id = 1 \
             RETURNING sequence, committed_at_us",
    postgres: "UPDATE state SET sequence = sequence + 1, committed_at_us = greatest(committed_at_us, $1) \
               WHERE id = 1 RETURNING sequence, committed_at_us",
};
const ADD_CHANGE: Sql = Sql {
    sqlite: "INSERT INTO change (sequence, change_id, record_id, committed_at_us, change) VALUES (?, ?, ?, ?, ?)",
    postgres: "INSERT INTO change (sequence, change_id, record_id, committed_at_us, change) \
               VALUES ($1, $2, $3, $4, $5)",
};
const BY_NUMBER: Sql = Sql {
    sqlite: "SELECT golden FROM record WHERE number = ?",
    postgres: "SELECT golden FROM record WHERE number = $1",
};
const PEOPLE: Sql = Sql {
    sqlite: "SELECT golden FROM record WHERE number IS NOT NULL ORDER BY record_id LIMIT ?",
    postgres: "SELECT golden FROM record WHERE number IS NOT NULL ORDER BY record_id LIMIT $1",
};
const KEEP: Sql = Sql {
    sqlite: "INSERT INTO record (record_id, number, golden) VALUES (?, ?, ?) \
             ON CONFLICT (record_id) DO UPDATE SET number = coalesce(excluded.number, record.number), \
             golden = excluded.golden",
    postgres: "INSERT INTO record (record_id, number, golden) VALUES ($1, $2, $3) \
               ON CONFLICT (record_id) DO UPDATE SET number = coalesce(excluded.number, record.number), \
               golden = excluded.golden",
};
const NUMBER: Sql = Sql {
    sqlite: "SELECT r.number FROM change c JOIN record r ON r.record_id = c.record_id WHERE c.change_id = ?",
    postgres: "SELECT r.number FROM change c JOIN record r ON r.record_id = c.record_id WHERE c.change_id = $1",
};
const SIZE: Sql =
    Sql { sqlite: "SELECT count(*) FROM record", postgres: "SELECT count(*) FROM record" };

/// The database.
#[derive(Clone)]
pub(crate) struct Database {
    store: Store,
    cursors: Cursors,
}

impl Database {
    /// Takes a store whose schema is there; a new one gets `key` for its cursors.
    pub(crate) async fn open(store: Store, key: [u8; 32]) -> Result<Self, Error> {
        let key: Vec<u8> = store
            .write("open reference database", move |tx| {
                Box::pin(async move {
                    tx.execute(&BEGIN, vec![key.to_vec().into()]).await?;
                    let rows = tx.query(&KEY, Vec::new()).await?;
                    Ok::<_, Error>(field(rows.first().ok_or(store::Error::NoRow)?, 0)?)
                })
            })
            .await?;
        let key = key.try_into().map_err(|_| store::Error::NoRow)?;
        Ok(Self { store, cursors: Cursors::new(key) })
    }

    /// Stores an event: what it does to a record, and the change that lists it.
    pub(crate) async fn register(
        &self,
        profile: &Profile,
        registration: Registration,
        now_us: i64,
    ) -> Result<(), Error> {
        let profile = profile.clone();
        self.store
            .write("register event", move |tx| {
                Box::pin(async move {
                    let turn = tx.query(&TURN, vec![now_us.into()]).await?;
                    let turn = turn.first().ok_or(store::Error::NoRow)?;
                    let (sequence, at_us): (i64, i64) = (field(turn, 0)?, field(turn, 1)?);
                    let Registration { change_id, listed, read } = registration;
                    let (record, number, known) = about(tx, &change_id, &read.target).await?;
                    let origin = Origin {
                        source: &profile.database_id,
                        contribution_id: &change_id,
                        known_at_us: at_us,
                    };
                    let said = [known, read.said].concat();
                    let record = take(&record, &profile, &said, &origin);
                    keep(tx, &record, number).await?;
                    let values = vec![
                        sequence.into(),
                        change_id.into(),
                        record.person_id.into(),
                        at_us.into(),
                        listed.into(),
                    ];
                    tx.execute(&ADD_CHANGE, values).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Takes a population in one transaction.
    pub(crate) async fn load(
        &self,
        profile: &Profile,
        newcomers: Vec<Newcomer>,
        known_at_us: i64,
    ) -> Result<(), Error> {
        let profile = profile.clone();
        self.store
            .write("load population", move |tx| {
                Box::pin(async move {
                    for Newcomer { record_id, number, mut said } in newcomers {
                        said.push(numbered(&number));
                        let source = profile.database_id.as_str();
                        let origin = Origin { source, contribution_id: "population", known_at_us };
                        let record = take(&empty(&record_id), &profile, &said, &origin);
                        keep(tx, &record, Some(number.as_str().to_owned())).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The record of a person; none when the number is not known here.
    pub(crate) async fn by_number(
        &self,
        number: &PersonalNumber,
    ) -> Result<Option<GoldenRecord>, Error> {
        let rows = self.store.read(&BY_NUMBER, vec![number.as_str().to_owned().into()]).await?;
        rows.first().map(golden).transpose()
    }

    /// The number of the person a change is about; none where there is none yet.
    pub(crate) async fn number(&self, change_id: &str) -> Result<Option<PersonalNumber>, Error> {
        let rows = self.store.read(&NUMBER, vec![change_id.to_owned().into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let number: Option<String> = field(row, 0)?;
        Ok(number.and_then(|number| PersonalNumber::parse(&number).ok()))
    }

    /// Some of the persons it knows by number.
    pub(crate) async fn people(&self, most: u16) -> Result<Vec<GoldenRecord>, Error> {
        let rows = self.store.read(&PEOPLE, vec![i64::from(most).into()]).await?;
        rows.iter().map(golden).collect()
    }

    /// How many persons it knows.
    pub(crate) async fn size(&self) -> Result<u64, Error> {
        let rows = self.store.read(&SIZE, Vec::new()).await?;
        let size: i64 = field(rows.first().ok_or(store::Error::NoRow)?, 0)?;
        Ok(size.unsigned_abs())
    }

    /// Whether the store answers.
    pub(crate) async fn answers(&self) -> bool {
        self.store.answers().await
    }

    /// Closes the store.
    pub(crate) async fn close(&self) {
        self.store.clone().close().await;
    }
}

/// The record an event is about, the number that comes with it, and what the event says by naming the person.
async fn about(
    tx: &Transaction,
    change_id: &str,
    target: &Target,
) -> Result<(GoldenRecord, Option<String>, Vec<Said>), Error> {
    let Target::Known { subject, claims, .. } = target else {
        return Ok((empty(change_id), None, Vec::new()));
    };
    // By an old number nobody is looked up here; such an event has a record of its own.
    let Subject::Personal(number) = subject else {
        return Ok((empty(change_id), None, Vec::new()));
    };
    let rows = tx.query(&BY_NUMBER, vec![number.as_str().to_owned().into()]).await?;
    let text = number.as_str().to_owned();
    if let Some(row) = rows.first() {
        return Ok((golden(row)?, Some(text), Vec::new()));
    }
    let said = |item: &str, value| Said::holds(item, value, None);
    let said = vec![
        numbered(number),
        said("birth_full_name", ItemValue::Name(claims.full_name.clone().into())),
        said("date_of_birth", ItemValue::Date(claims.date_of_birth)),
    ];
    Ok((empty(change_id), Some(text), said))
}

async fn keep(
    tx: &Transaction,
    record: &GoldenRecord,
    number: Option<String>,
) -> Result<(), Error> {
    let golden = serde_json::to_string(record)?;
    let values: Vec<Value> = vec![record.person_id.clone().into(), number.into(), golden.into()];
    tx.execute(&KEEP, values).await?;
    Ok(())
}

fn golden(row: &QueryResult) -> Result<GoldenRecord, Error> {
    let text: String = field(row, 0)?;
    Ok(serde_json::from_str(&text)?)
}

fn field<T: TryGetable>(row: &QueryResult, place: usize) -> Result<T, store::Error> {
    Ok(row.try_get_by(place)?)
}
