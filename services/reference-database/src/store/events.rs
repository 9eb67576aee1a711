//! Events, each stored once, with what they change here.

use model::PersonalNumber;
use store::{Sql, Transaction, Value};

use super::{Database, field, golden, keep};
use crate::{
    Error,
    domain::{About, Delivered, Origin, merge, numbered, take},
    profile::Profile,
};

const TURN: Sql = Sql::same("UPDATE state SET sequence = sequence WHERE id = 1");
const KNOWN: Sql = Sql {
    sqlite: "SELECT digest FROM event WHERE event_id = ?",
    postgres: "SELECT digest FROM event WHERE event_id = $1",
};
const STORE: Sql = Sql {
    sqlite: "INSERT INTO event (event_id, digest, sequence, stored_at_us, event) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (event_id) DO NOTHING",
    postgres: "INSERT INTO event (event_id, digest, sequence, stored_at_us, event) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (event_id) DO NOTHING",
};
const EVENTS: Sql = Sql::same("SELECT event FROM event ORDER BY sequence");
// Only forward (rule SNK-4).
const FOLLOW: Sql = Sql {
    sqlite: "INSERT INTO followed (token, version) VALUES (?, ?) ON CONFLICT (token) \
             DO UPDATE SET version = excluded.version WHERE followed.version < excluded.version",
    postgres: "INSERT INTO followed (token, version) VALUES ($1, $2) ON CONFLICT (token) \
               DO UPDATE SET version = excluded.version WHERE followed.version < excluded.version",
};
// A record that came to the number by another event.
const BEARER: Sql = Sql {
    sqlite: "SELECT golden FROM record WHERE number = ? AND record_id <> ?",
    postgres: "SELECT golden FROM record WHERE number = $1 AND record_id <> $2",
};
const REPOINT: Sql = Sql {
    sqlite: "UPDATE change SET record_id = ? WHERE record_id = ?",
    postgres: "UPDATE change SET record_id = $1 WHERE record_id = $2",
};
const FORGET: Sql = Sql {
    sqlite: "DELETE FROM record WHERE record_id = ?",
    postgres: "DELETE FROM record WHERE record_id = $1",
};
const OF_CHANGE: Sql = Sql {
    sqlite: "SELECT r.golden FROM change c JOIN record r ON r.record_id = c.record_id WHERE c.change_id = ?",
    postgres: "SELECT r.golden FROM change c JOIN record r ON r.record_id = c.record_id WHERE c.change_id = $1",
};

/// Who issues personal numbers.
const REGISTER: &str = "npd";

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is stored.
    Stored,
    /// It was before.
    Duplicate,
    /// Another one was, under its id.
    Conflict,
    /// A later version of the person was.
    Obsolete,
    /// It is of a kind that is not known here.
    Unsupported,
}

impl Database {
    /// Every event that was stored, as it came, in their order.
    pub(crate) async fn events(&self) -> Result<Vec<Vec<u8>>, Error> {
        let rows = self.store.read(&EVENTS, Vec::new()).await?;
        rows.iter().map(|row| Ok(field(row, 0)?)).collect()
    }

    /// Stores a delivery in one transaction, and says what became of each event, in order.
    pub(crate) async fn deliver(
        &self,
        profile: &Profile,
        events: Vec<Delivered>,
        now_us: i64,
    ) -> Result<Vec<Status>, Error> {
        let profile = profile.clone();
        self.store
            .write("store events", move |tx| {
                Box::pin(async move {
                    // One delivery after the other: of two with the same event, the second finds it.
                    tx.execute(&TURN, Vec::new()).await?;
                    let mut all = Vec::with_capacity(events.len());
                    for event in &events {
                        all.push(store(tx, &profile, event, now_us).await?);
                    }
                    Ok(all)
                })
            })
            .await
    }
}

async fn store(
    tx: &Transaction,
    profile: &Profile,
    event: &Delivered,
    now_us: i64,
) -> Result<Status, Error> {
    let Delivered { id, sequence, bytes, content, about } = event;
    let digest = tlog::digest(content).to_vec();
    let known = tx.query(&KNOWN, vec![id.clone().into()]).await?;
    if let Some(row) = known.first() {
        let same = field::<Vec<u8>>(row, 0)? == digest;
        return Ok(if same { Status::Duplicate } else { Status::Conflict });
    }
    match about {
        None => return Ok(Status::Unsupported),
        Some(About::Person { token, version }) => {
            let version = i64::try_from(*version).unwrap_or(i64::MAX);
            if tx.execute(&FOLLOW, vec![token.clone().into(), version.into()]).await? == 0 {
                return Ok(Status::Obsolete);
            }
        }
        Some(About::Applied { change_id, contribution_id, number }) => {
            if let Some(number) = number {
                keep_number(tx, profile, change_id, contribution_id, number, now_us).await?;
            }
        }
        Some(About::Other) => {}
    }
    let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
    let values: Vec<Value> = vec![
        id.clone().into(),
        digest.into(),
        sequence.into(),
        now_us.into(),
        bytes.clone().into(),
    ];
    tx.execute(&STORE, values).await?;
    Ok(Status::Stored)
}

/// The number that the register gave to a birth of ours (Decree 70/2024/ND-CP, Art. 11).
async fn keep_number(
    tx: &Transaction,
    profile: &Profile,
    change_id: &str,
    contribution_id: &str,
    number: &PersonalNumber,
    now_us: i64,
) -> Result<(), Error> {
    let rows = tx.query(&OF_CHANGE, vec![change_id.to_owned().into()]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let birth = golden(row)?;
    let digits = number.as_str().to_owned();
    let of_both = vec![digits.clone().into(), birth.person_id.clone().into()];
    let bearer = tx.query(&BEARER, of_both).await?;
    let origin = Origin { source: REGISTER, contribution_id, known_at_us: now_us };
    let record = match bearer.first().map(golden).transpose()? {
        None => take(&birth, profile, &[numbered(number)], &origin),
        // Another event named the child before its number was told: the two records are one.
        Some(known) => {
            let ids = vec![known.person_id.clone().into(), birth.person_id.clone().into()];
            tx.execute(&REPOINT, ids).await?;
            tx.execute(&FORGET, vec![birth.person_id.clone().into()]).await?;
            merge(&known, &birth)
        }
    };
    keep(tx, &record, Some(digits)).await
}
