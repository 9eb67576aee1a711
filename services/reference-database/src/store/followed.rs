//! Persons that are followed: who was heard of, and what the register said of them.

use store::Sql;

use super::{BY_NUMBER, Database, field, golden, keep};
use crate::{
    Error,
    domain::{Learnt, Origin, empty, take},
    profile::Profile,
};

// Who could not be looked up comes after everybody else.
const HEARD: Sql = Sql::same(
    "SELECT token, version FROM followed WHERE looked_up < version ORDER BY tries, version LIMIT 50",
);
// A version that was heard of meanwhile is looked up on its own.
const LOOKED_UP: Sql = Sql {
    sqlite: "UPDATE followed SET looked_up = ?, tries = 0 WHERE token = ?",
    postgres: "UPDATE followed SET looked_up = $1, tries = 0 WHERE token = $2",
};
const TRIED: Sql = Sql {
    sqlite: "UPDATE followed SET tries = tries + 1 WHERE token = ?",
    postgres: "UPDATE followed SET tries = tries + 1 WHERE token = $1",
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

    /// Notes that a person could not be looked up.
    pub(crate) async fn tried(&self, token: String) -> Result<(), Error> {
        self.store
            .write("note try", move |tx| {
                Box::pin(async move {
                    tx.execute(&TRIED, vec![token.into()]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Keeps what the register said of a person beside what is known here of its number. Without a number it is of
    /// nobody here; and a real person does not come into this database.
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
                    let number = learnt.number().filter(|number| number.is_synthetic());
                    if let (Some(number), Some(said)) = (number, &learnt.said) {
                        let digits = number.as_str().to_owned();
                        let held = tx.query(&BY_NUMBER, vec![digits.clone().into()]).await?;
                        let held = held.first().map(golden).transpose()?;
                        let held = held.unwrap_or_else(|| empty(&learnt.token));
                        let contribution_id = &format!("version-{}", learnt.version);
                        let origin = Origin { source: REGISTER, contribution_id, known_at_us };
                        keep(tx, &take(&held, &profile, said, &origin), Some(digits)).await?;
                    }
                    let version = i64::try_from(learnt.version).unwrap_or(i64::MAX);
                    tx.execute(&LOOKED_UP, vec![version.into(), learnt.token.into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}
