//! Persons that are followed: who was heard of, and what the register said of them.

use model::GoldenRecord;
use store::{Sql, Transaction};

use super::{BY_NUMBER, Database, field, golden, keep};
use crate::{
    Error,
    domain::{Learnt, Origin, empty, take},
    profile::Profile,
};

// The oldest first: whoever changes again and again must not keep the others waiting.
const HEARD: Sql = Sql::same(
    "SELECT token, version FROM followed WHERE looked_up < version ORDER BY version LIMIT 50",
);
// A version that was heard of meanwhile is looked up on its own.
const LOOKED_UP: Sql = Sql {
    sqlite: "UPDATE followed SET looked_up = ? WHERE token = ?",
    postgres: "UPDATE followed SET looked_up = $1 WHERE token = $2",
};
const BY_ID: Sql = Sql {
    sqlite: "SELECT golden FROM record WHERE record_id = ?",
    postgres: "SELECT golden FROM record WHERE record_id = $1",
};
/// Who says it.
const REGISTER: &str = "npd";

impl Database {
    /// Tokens of persons who changed since they were looked up, each with the version that was heard of.
    pub(crate) async fn heard(&self) -> Result<Vec<(String, u64)>, Error> {
        let rows = self.store.read(&HEARD, Vec::new()).await?;
        let one = |row| Ok((field(row, 0)?, field::<i64>(row, 1)?.unsigned_abs()));
        rows.iter().map(one).collect()
    }

    /// Keeps what the register said of a person, in the record of its number if there is one here.
    pub(crate) async fn learn(
        &self,
        profile: &Profile,
        learnt: Learnt,
        known_at_us: i64,
    ) -> Result<(), Error> {
        let profile = profile.clone();
        self.store
            .write("learn", move |tx| {
                Box::pin(async move {
                    let number = learnt.number().cloned();
                    // No real person comes into this database.
                    let synthetic = number.as_ref().is_none_or(|number| number.is_synthetic());
                    if let Some(said) = learnt.said.as_ref().filter(|_| synthetic) {
                        let number = number.map(|number| number.as_str().to_owned());
                        let held = held(tx, number.as_ref(), &learnt.token).await?;
                        let contribution_id = &format!("version-{}", learnt.version);
                        let origin = Origin { source: REGISTER, contribution_id, known_at_us };
                        keep(tx, &take(&held, &profile, said, &origin), number).await?;
                    }
                    let version = i64::try_from(learnt.version).unwrap_or(i64::MAX);
                    tx.execute(&LOOKED_UP, vec![version.into(), learnt.token.into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The record of a followed person: of its number, or else of its token.
async fn held(
    tx: &Transaction,
    number: Option<&String>,
    token: &str,
) -> Result<GoldenRecord, Error> {
    if let Some(number) = number
        && let Some(row) = tx.query(&BY_NUMBER, vec![number.clone().into()]).await?.first()
    {
        return golden(row);
    }
    let rows = tx.query(&BY_ID, vec![token.into()]).await?;
    rows.first().map_or_else(|| Ok(empty(token)), golden)
}
