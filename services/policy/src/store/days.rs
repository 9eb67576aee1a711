//! The latest day on which something was decided.

use ::store::{Sql, Store};
use time::Date;

use super::{DAY, text};
use crate::{Error, domain::calendar::read_day};

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
    let Some(row) = rows.first() else { return Ok(None) };
    read_day(&text(row, 0)?).map(Some).ok_or(Error::Stored("a day that is none"))
}

/// Keeps a day, where none that is later is kept.
pub(crate) async fn keep(store: &Store, day: Date) -> Result<(), Error> {
    let day = day.format(DAY).map_err(|_| Error::Stored("a day that cannot be written"))?;
    store
        .write("keep day", move |tx| {
            Box::pin(async move {
                tx.execute(&KEEP, vec![day.into()]).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}
