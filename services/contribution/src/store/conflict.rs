//! Conflicts and what is told of them: written with the outcome that opens or closes them.

use std::collections::BTreeMap;

use model::Disagreement;
use server::runtime::Entropy;
use store::{QueryResult, Sql, Transaction, Value};

use super::{SETTLE, Submissions, field};
use crate::{
    Error,
    domain::{
        Outcome,
        conflict::{Conflict, REGISTER, State, Turn},
    },
};

macro_rules! conflict {
    ($rest:literal) => {
        concat!(
            "SELECT conflict_id, person, item, contribution_id, source, against_contribution_id, \
             against_source, register_version, state, owner, due_at_us, opened_at_us, message, decider \
             FROM conflict ",
            $rest
        )
    };
}

const BY_PLACE: Sql = Sql {
    sqlite: conflict!("WHERE contribution_id = ? AND item = ? AND person = ?"),
    postgres: conflict!("WHERE contribution_id = $1 AND item = $2 AND person = $3 FOR UPDATE"),
};
const BY_ID: Sql = Sql {
    sqlite: conflict!("WHERE conflict_id = ?"),
    postgres: conflict!("WHERE conflict_id = $1"),
};
const LAPSED: Sql = Sql {
    sqlite: conflict!(
        "WHERE owner NOT IN ('', ?1) AND source <> ?1 AND due_at_us <= ?2 ORDER BY due_at_us LIMIT 100"
    ),
    postgres: conflict!(
        "WHERE owner NOT IN ('', $1) AND source <> $1 AND due_at_us <= $2 ORDER BY due_at_us LIMIT 100"
    ),
};
const OF_OWNER: Sql = Sql {
    sqlite: conflict!(
        "WHERE owner = ?1 AND (due_at_us, conflict_id) > (?2, ?3) ORDER BY due_at_us, conflict_id LIMIT ?4"
    ),
    postgres: conflict!(
        "WHERE owner = $1 AND (due_at_us, conflict_id) > ($2, $3) ORDER BY due_at_us, conflict_id LIMIT $4"
    ),
};
const OF_SIDE: Sql = Sql {
    sqlite: conflict!(
        "WHERE owner <> '' AND (source = ?1 OR against_source = ?1) \
         AND (due_at_us, conflict_id) > (?2, ?3) ORDER BY due_at_us, conflict_id LIMIT ?4"
    ),
    postgres: conflict!(
        "WHERE owner <> '' AND (source = $1 OR against_source = $1) \
         AND (due_at_us, conflict_id) > ($2, $3) ORDER BY due_at_us, conflict_id LIMIT $4"
    ),
};
/// What the register said last stands.
const PUT: Sql = Sql {
    sqlite: "INSERT INTO conflict (conflict_id, person, item, contribution_id, source, \
                 against_contribution_id, against_source, register_version, state, owner, due_at_us, \
                 opened_at_us, message, decider) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (contribution_id, item, person) DO UPDATE SET \
                 source = excluded.source, against_contribution_id = excluded.against_contribution_id, \
                 against_source = excluded.against_source, register_version = excluded.register_version, \
                 state = excluded.state, owner = excluded.owner, due_at_us = excluded.due_at_us, \
                 opened_at_us = excluded.opened_at_us, message = excluded.message, decider = excluded.decider \
             WHERE conflict.register_version < excluded.register_version RETURNING conflict_id",
    postgres: "INSERT INTO conflict (conflict_id, person, item, contribution_id, source, \
                   against_contribution_id, against_source, register_version, state, owner, due_at_us, \
                   opened_at_us, message, decider) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
               ON CONFLICT (contribution_id, item, person) DO UPDATE SET \
                   source = excluded.source, against_contribution_id = excluded.against_contribution_id, \
                   against_source = excluded.against_source, register_version = excluded.register_version, \
                   state = excluded.state, owner = excluded.owner, due_at_us = excluded.due_at_us, \
                   opened_at_us = excluded.opened_at_us, message = excluded.message, decider = excluded.decider \
               WHERE conflict.register_version < excluded.register_version RETURNING conflict_id",
};
/// Unless somebody else has moved it meanwhile.
const MOVE: Sql = Sql {
    sqlite: "UPDATE conflict SET state = ?, owner = ?, due_at_us = ?, message = ?, decider = ? \
             WHERE conflict_id = ? AND owner = ? AND register_version = ?",
    postgres: "UPDATE conflict SET state = $1, owner = $2, due_at_us = $3, message = $4, decider = $5 \
               WHERE conflict_id = $6 AND owner = $7 AND register_version = $8",
};
const CONNECTION_OF: Sql = Sql {
    sqlite: "SELECT connection FROM submission WHERE contribution_id = ?",
    postgres: "SELECT connection FROM submission WHERE contribution_id = $1",
};
const NEXT: Sql = Sql {
    sqlite: "INSERT INTO outcome_last (connection, sequence) VALUES (?, 1) \
             ON CONFLICT (connection) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
    postgres: "INSERT INTO outcome_last (connection, sequence) VALUES ($1, 1) \
               ON CONFLICT (connection) DO UPDATE SET sequence = outcome_last.sequence + 1 RETURNING sequence",
};
const TELL: Sql = Sql {
    sqlite: "INSERT INTO outcome (connection, sequence, at_us, contribution_id, conflict) VALUES (?, ?, ?, ?, ?)",
    postgres: "INSERT INTO outcome (connection, sequence, at_us, contribution_id, conflict) \
               VALUES ($1, $2, $3, $4, $5)",
};
const OPEN: Sql = Sql {
    sqlite: "SELECT COUNT(*), COALESCE(SUM(due_at_us <= ?), 0) FROM conflict WHERE owner <> ''",
    postgres: "SELECT COUNT(*), COUNT(*) FILTER (WHERE due_at_us <= $1) FROM conflict WHERE owner <> ''",
};

/// What became of a contribution, and when.
pub(crate) struct Settled {
    /// The contribution.
    pub(crate) id: String,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// Of a decision: the conflict, how it is decided, and why.
    pub(crate) decided: Option<(String, State, String)>,
    /// Now, microseconds since 1970.
    pub(crate) now_us: i64,
    /// How long an owner has to act, microseconds.
    pub(crate) owner_time_us: i64,
}

/// What is to be told of a contribution: its own outcome, or what became of a conflict about it.
pub(super) type Told = (String, Option<Turn>);

impl Submissions {
    /// Stores what became of a contribution, with the conflicts that it opens and closes, and tells all concerned; the first
    /// outcome stands.
    pub(crate) async fn settle(&self, settled: Settled, entropy: Entropy) -> Result<(), Error> {
        let outcome = serde_json::to_string(&settled.outcome)?;
        self.0
            .write("settle submission", move |tx| {
                Box::pin(async move {
                    let values = vec![outcome.into(), settled.id.clone().into()];
                    if tx.execute(&SETTLE, values).await? == 0 {
                        return Ok(());
                    }
                    let mut told: Vec<Told> = vec![(settled.id.clone(), None)];
                    if let Outcome::Applied { version, disagree, agree, .. } = &settled.outcome {
                        // In one order, so that two who settle at the same time never wait for one another.
                        let opens = disagree.iter().map(|about| (about, true));
                        let mut all: Vec<_> =
                            opens.chain(agree.iter().map(|about| (about, false))).collect();
                        all.sort();
                        for (about, opens) in all {
                            let turn = Turned { about, version: *version, settled: &settled };
                            if opens {
                                turn.open(tx, &entropy, &mut told).await?;
                            } else {
                                turn.close(tx, &entropy, &mut told).await?;
                            }
                        }
                    }
                    tell(tx, told, settled.now_us).await
                })
            })
            .await
    }

    /// A conflict.
    pub(crate) async fn conflict(&self, id: &str) -> Result<Option<Conflict>, Error> {
        let rows = self.0.read(&BY_ID, vec![id.into()]).await?;
        rows.first().map(conflict).transpose()
    }

    /// Conflicts in which a database has to act, or is a side, after a place, the one that is due first first.
    pub(crate) async fn conflicts(
        &self,
        database: &str,
        owned: bool,
        (due_at_us, id): (i64, &str),
        most: u16,
    ) -> Result<Vec<Conflict>, Error> {
        let sql = if owned { &OF_OWNER } else { &OF_SIDE };
        let most = i64::from(most);
        let values = vec![database.into(), due_at_us.into(), id.into(), most.into()];
        self.0.read(sql, values).await?.iter().map(conflict).collect()
    }

    /// Moves a conflict on, and tells both sides where they may be told; false when somebody else has moved it meanwhile.
    pub(crate) async fn move_on(
        &self,
        was: Conflict,
        is: Conflict,
        now_us: i64,
        telling: bool,
    ) -> Result<bool, Error> {
        self.0
            .write("move conflict", move |tx| {
                Box::pin(async move {
                    if !moved(tx, &was, &is).await? {
                        return Ok(false);
                    }
                    if telling {
                        tell(tx, both(&is).into(), now_us).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Conflicts whose owners have let the day pass, as many as are looked at at once, the one that was due first first.
    pub(crate) async fn lapsed(&self, now_us: i64) -> Result<Vec<Conflict>, Error> {
        let rows = self.0.read(&LAPSED, vec![REGISTER.into(), now_us.into()]).await?;
        rows.iter().map(conflict).collect()
    }

    /// How many conflicts are open, and how many of them are overdue.
    pub(crate) async fn open_conflicts(&self, now_us: i64) -> Result<(u64, u64), Error> {
        let rows = self.0.read(&OPEN, vec![now_us.into()]).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let (open, overdue): (i64, i64) = (field(row, 0)?, field(row, 1)?);
        Ok((open.unsigned_abs(), overdue.unsigned_abs()))
    }
}

/// What the register said of two who disagree, or do not any more.
struct Turned<'a> {
    about: &'a Disagreement,
    version: u64,
    settled: &'a Settled,
}

impl Turned<'_> {
    async fn open(
        &self,
        tx: &Transaction,
        entropy: &Entropy,
        told: &mut Vec<Told>,
    ) -> Result<(), Error> {
        let Settled { now_us, owner_time_us, .. } = self.settled;
        let prior = at(tx, self.about).await?;
        let id = prior.as_ref().map_or_else(|| entropy.id(), |prior| prior.id.clone());
        let mut is =
            Conflict::opened(id, self.about.clone(), self.version, *now_us, *owner_time_us);
        let prior = prior.filter(|prior| prior.state.is_open());
        if let Some(prior) = &prior {
            is.opened_at_us = prior.opened_at_us;
        }
        if put(tx, &mut is).await? {
            // Whose word is held no more has nothing to do with it any more.
            let other = |prior: &Conflict| {
                prior.about.against_contribution_id != self.about.against_contribution_id
            };
            told.extend(prior.filter(other).map(|prior| {
                let former = prior.about.against_contribution_id.clone();
                (former, Some(Turn::of(&prior.closed(State::Overtaken, ""), false)))
            }));
            told.extend(both(&is));
        }
        Ok(())
    }

    async fn close(
        &self,
        tx: &Transaction,
        entropy: &Entropy,
        told: &mut Vec<Told>,
    ) -> Result<(), Error> {
        let Self { about, version, settled } = *self;
        let prior = at(tx, about).await?;
        let is = match &prior {
            Some(prior) => Conflict { register_version: version, ..prior.clone() },
            // Heard of before it was opened: what comes later about an earlier version does not open it.
            None => Conflict::opened(entropy.id(), about.clone(), version, settled.now_us, 0),
        };
        let mut is = match &settled.decided {
            Some((id, state, reason)) if *id == is.id => is.closed(*state, reason),
            _ => is.closed(State::Overtaken, ""),
        };
        let was_open = prior.is_some_and(|prior| prior.state.is_open());
        if put(tx, &mut is).await? && was_open {
            told.extend(both(&is));
        }
        Ok(())
    }
}

async fn at(tx: &Transaction, about: &Disagreement) -> Result<Option<Conflict>, Error> {
    let place =
        [&about.contribution_id, &about.item, &about.person_id].map(|part| part.clone().into());
    let place = place.into();
    tx.query(&BY_PLACE, place).await?.first().map(conflict).transpose()
}

/// Whether it was written: whether nothing later was known.
async fn put(tx: &Transaction, conflict: &mut Conflict) -> Result<bool, Error> {
    let about = conflict.about.clone();
    let version = i64::try_from(conflict.register_version).unwrap_or(i64::MAX);
    let values: Vec<Value> = vec![
        conflict.id.clone().into(),
        about.person_id.into(),
        about.item.into(),
        about.contribution_id.into(),
        about.source.into(),
        about.against_contribution_id.into(),
        about.against_source.into(),
        version.into(),
        conflict.state.name().into(),
        conflict.owner.clone().into(),
        conflict.due_at_us.into(),
        conflict.opened_at_us.into(),
        conflict.message.clone().into(),
        conflict.decider.clone().into(),
    ];
    let rows = tx.query(&PUT, values).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    // Of two that open one at the same time the first gave it its id.
    conflict.id = field(row, 0)?;
    Ok(true)
}

async fn moved(tx: &Transaction, was: &Conflict, is: &Conflict) -> Result<bool, Error> {
    let version = i64::try_from(was.register_version).unwrap_or(i64::MAX);
    let values: Vec<Value> = vec![
        is.state.name().into(),
        is.owner.clone().into(),
        is.due_at_us.into(),
        is.message.clone().into(),
        is.decider.clone().into(),
        was.id.clone().into(),
        was.owner.clone().into(),
        version.into(),
    ];
    Ok(tx.execute(&MOVE, values).await? > 0)
}

/// What both sides of a conflict are told.
fn both(conflict: &Conflict) -> [Told; 2] {
    let about = &conflict.about;
    [
        (about.contribution_id.clone(), Some(Turn::of(conflict, true))),
        (about.against_contribution_id.clone(), Some(Turn::of(conflict, false))),
    ]
}

/// Adds what is to be told to the list of each contribution's connection. Connections come in one order, so that two who
/// write at the same time never wait for one another. What was not contributed here has nobody to be told.
pub(super) async fn tell(tx: &Transaction, told: Vec<Told>, now_us: i64) -> Result<(), Error> {
    let mut by_connection: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for one in told {
        let rows = tx.query(&CONNECTION_OF, vec![one.0.clone().into()]).await?;
        if let Some(row) = rows.first() {
            by_connection.entry(field(row, 0)?).or_default().push(one);
        }
    }
    for (connection, told) in by_connection {
        for (contribution_id, turn) in told {
            let rows = tx.query(&NEXT, vec![connection.clone().into()]).await?;
            let sequence: i64 = field(rows.first().ok_or(store::Error::NoRow)?, 0)?;
            let turn = turn.map(|turn| serde_json::to_string(&turn)).transpose()?;
            let values: Vec<Value> = vec![
                connection.clone().into(),
                sequence.into(),
                now_us.into(),
                contribution_id.into(),
                turn.into(),
            ];
            tx.execute(&TELL, values).await?;
        }
    }
    Ok(())
}

fn conflict(row: &QueryResult) -> Result<Conflict, Error> {
    let (version, state): (i64, String) = (field(row, 7)?, field(row, 8)?);
    Ok(Conflict {
        id: field(row, 0)?,
        about: Disagreement {
            person_id: field(row, 1)?,
            item: field(row, 2)?,
            contribution_id: field(row, 3)?,
            source: field(row, 4)?,
            against_contribution_id: field(row, 5)?,
            against_source: field(row, 6)?,
        },
        register_version: version.unsigned_abs(),
        state: State::of(&state)?,
        owner: field(row, 9)?,
        due_at_us: field(row, 10)?,
        opened_at_us: field(row, 11)?,
        message: field(row, 12)?,
        decider: field(row, 13)?,
    })
}
