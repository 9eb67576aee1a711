//! Events, each stored once, with what they change here.

use contract::database::v1::{ChangeApplied, Event, change_decided, event::Kind};
use model::PersonalNumber;
use prost::Message as _;
use store::{Sql, Transaction, Value};

use super::{Database, field, golden, keep};
use crate::{
    Error,
    domain::{Origin, numbered, take},
    profile::Profile,
};

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
const EVENTS: Sql = Sql {
    sqlite: "SELECT event FROM event ORDER BY sequence",
    postgres: "SELECT event FROM event ORDER BY sequence",
};
// Only forward (rule SNK-4).
const FOLLOW: Sql = Sql {
    sqlite: "INSERT INTO followed (token, version) VALUES (?, ?) ON CONFLICT (token) \
             DO UPDATE SET version = excluded.version WHERE followed.version < excluded.version",
    postgres: "INSERT INTO followed (token, version) VALUES ($1, $2) ON CONFLICT (token) \
               DO UPDATE SET version = excluded.version WHERE followed.version < excluded.version",
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
    /// What it was told became of a change of its own.
    pub(crate) async fn told(&self, change_id: &str) -> Result<Option<bool>, Error> {
        for row in &self.store.read(&EVENTS, Vec::new()).await? {
            let event = Event::decode(field::<Vec<u8>>(row, 0)?.as_slice())?;
            if let Some(told) = decided(&event, change_id) {
                return Ok(Some(told));
            }
        }
        Ok(None)
    }

    /// Stores a delivery in one transaction, and says what became of each event, in order.
    pub(crate) async fn deliver(
        &self,
        profile: &Profile,
        events: Vec<Event>,
        now_us: i64,
    ) -> Result<Vec<Status>, Error> {
        let profile = profile.clone();
        self.store
            .write("store events", move |tx| {
                Box::pin(async move {
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
    event: &Event,
    now_us: i64,
) -> Result<Status, Error> {
    let (bytes, id) = (event.encode_to_vec(), event.event_id.clone());
    let digest = tlog::digest(&bytes).to_vec();
    let known = tx.query(&KNOWN, vec![id.clone().into()]).await?;
    if let Some(row) = known.first() {
        let same = field::<Vec<u8>>(row, 0)? == digest;
        return Ok(if same { Status::Duplicate } else { Status::Conflict });
    }
    let Some(kind) = &event.kind else { return Ok(Status::Unsupported) };
    match kind {
        Kind::PersonChanged(changed) => {
            let version = i64::try_from(changed.version).unwrap_or(i64::MAX);
            let values = vec![changed.token.clone().into(), version.into()];
            if tx.execute(&FOLLOW, values).await? == 0 {
                return Ok(Status::Obsolete);
            }
        }
        Kind::ChangeDecided(decided) => {
            if let Some(change_decided::Outcome::Applied(applied)) = &decided.outcome {
                number(tx, profile, &decided.change_id, applied, now_us).await?;
            }
        }
        Kind::Discrepancy(_) => {}
    }
    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
    let values: Vec<Value> =
        vec![id.into(), digest.into(), sequence.into(), now_us.into(), bytes.into()];
    tx.execute(&STORE, values).await?;
    Ok(Status::Stored)
}

/// Whether an event says that a change was taken; none when it is about another.
fn decided(event: &Event, change_id: &str) -> Option<bool> {
    let Some(Kind::ChangeDecided(decided)) = &event.kind else { return None };
    let applied = matches!(decided.outcome, Some(change_decided::Outcome::Applied(_)));
    (decided.change_id == change_id).then_some(applied)
}

/// The number that the register gave to a birth of ours (Decree 70/2024/ND-CP, Art. 11).
async fn number(
    tx: &Transaction,
    profile: &Profile,
    change_id: &str,
    applied: &ChangeApplied,
    now_us: i64,
) -> Result<(), Error> {
    let Ok(number) = PersonalNumber::parse(&applied.personal_number) else { return Ok(()) };
    let rows = tx.query(&OF_CHANGE, vec![change_id.to_owned().into()]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let contribution_id = applied.contribution_id.as_str();
    let origin = Origin { source: REGISTER, contribution_id, known_at_us: now_us };
    let record = take(&golden(row)?, profile, &[numbered(&number)], &origin);
    keep(tx, &record, Some(number.as_str().to_owned())).await
}
