//! Who connects a database that is to be asked.

use ::store::{Sql, Store};

use super::text;
use crate::Error;

/// Systems that are looked at of one database.
const SYSTEMS_MAX: i64 = 20;
/// Those that may be used come first, so that they are among those that are looked at.
const SYSTEMS: Sql = Sql {
    sqlite: "SELECT agency, system FROM connection WHERE database_id = ? \
             ORDER BY state <> 'ACTIVE', assessed_until DESC, id LIMIT ?",
    postgres: "SELECT agency, system FROM connection WHERE database_id = $1 \
               ORDER BY state <> 'ACTIVE', assessed_until DESC, id LIMIT $2",
};

/// The systems that are connected for a database, each with its agency.
pub(crate) async fn systems_of(
    store: &Store,
    database: &str,
) -> Result<Vec<(String, String)>, Error> {
    let values = vec![database.to_owned().into(), SYSTEMS_MAX.into()];
    let rows = store.read(&SYSTEMS, values).await?;
    rows.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?))).collect()
}
