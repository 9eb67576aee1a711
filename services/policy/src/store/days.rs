//! The latest day on which something was decided.

use ::store::{Sql, Store};
use time::Date;

use super::{day, execute, moves::written};
use crate::Error;

const LATEST: Sql = Sql::same("SELECT day FROM latest_day WHERE id = 1");
const KEEP: Sql = Sql {
    sqlite: "INSERT INTO latest_day (id, day) VALUES (1, ?) \
             ON CONFLICT (id) DO UPDATE SET day = excluded.day WHERE excluded.day > latest_day.day",
    postgres: "INSERT INTO latest_day (id, day) VALUES (1, $1) \
               ON CONFLICT (id) DO UPDATE SET day = excluded.day \
               WHERE excluded.day COLLATE \"C\" > latest_day.day COLLATE \"C\"",
};

/// The latest day that was kept, by whichever process.
pub(crate) async fn latest(store: &Store) -> Result<Option<Date>, Error> {
    let rows = store.read(&LATEST, Vec::new()).await?;
    rows.first().map(|row| day(row, 0)).transpose()
}

/// Keeps a day, where none that is later is kept.
pub(crate) async fn keep(store: &Store, day: Date) -> Result<(), Error> {
    execute(store, "keep day", &KEEP, vec![written(day)?.into()]).await
}
