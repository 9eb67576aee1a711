//! Volumes of grants, and what is leased of them. Whoever leases holds the row of the grant's terms until its transaction has
//! ended, so that of one grant one is leased or given back after the other.

use ::store::{QueryResult, Sql, Store, Transaction, Value};
use time::{Date, Duration, OffsetDateTime};

use super::{
    day,
    moves::{field, written},
    text,
};
use crate::{
    Error,
    domain::{
        agreement::Terms,
        basis::{start_of, today},
        volume::{GrantKey, Volume, leased},
    },
};

/// Leases are kept for so long after their end: whoever asks for one again, or gives one back, has done so by then.
const KEPT: Duration = Duration::days(1);

const GRANT: Sql = Sql {
    sqlite: "SELECT t.terms, a.valid_from, a.valid_to, t.valid_from, t.valid_to \
             FROM agreement_terms t JOIN agreement a ON a.id = t.agreement \
             WHERE t.agreement = ? AND t.action = ? AND t.procedure = ? AND t.legal_basis = ? \
                   AND a.connection = ?",
    postgres: "SELECT t.terms, a.valid_from, a.valid_to, t.valid_from, t.valid_to \
               FROM agreement_terms t JOIN agreement a ON a.id = t.agreement \
               WHERE t.agreement = $1 AND t.action = $2 AND t.procedure = $3 \
                     AND t.legal_basis = $4 AND a.connection = $5 FOR UPDATE OF t",
};
/// A lease of a grant that is given back: once, and no more used than was leased.
const GIVE_BACK: Sql = Sql {
    sqlite: "UPDATE volume_lease SET used = ?1 \
             WHERE lease = ?2 AND agreement = ?3 AND action = ?4 AND procedure = ?5 \
                   AND legal_basis = ?6 AND used IS NULL AND persons >= ?1 \
             RETURNING persons, period",
    postgres: "UPDATE volume_lease SET used = $1 \
               WHERE lease = $2 AND agreement = $3 AND action = $4 AND procedure = $5 \
                     AND legal_basis = $6 AND used IS NULL AND persons >= $1 \
               RETURNING persons, period",
};
const FREE: Sql = Sql {
    sqlite: "UPDATE grant_volume SET leased = leased - ?, used = used + ? \
             WHERE agreement = ? AND action = ? AND procedure = ? AND legal_basis = ? AND period = ?",
    postgres: "UPDATE grant_volume SET leased = leased - $1, used = used + $2 \
               WHERE agreement = $3 AND action = $4 AND procedure = $5 AND legal_basis = $6 \
                     AND period = $7",
};
const LEASE: Sql = Sql {
    sqlite: "SELECT persons, expires_at_us, used, agreement, action, procedure, legal_basis \
             FROM volume_lease WHERE lease = ?",
    postgres: "SELECT persons, expires_at_us, used, agreement, action, procedure, legal_basis \
               FROM volume_lease WHERE lease = $1",
};
const BEGIN: Sql = Sql {
    sqlite: "INSERT INTO grant_volume (agreement, action, procedure, legal_basis, period, persons, \
                                       leased, used) \
             VALUES (?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO grant_volume (agreement, action, procedure, legal_basis, period, persons, \
                                         leased, used) \
               VALUES ($1, $2, $3, $4, $5, $6, 0, 0) ON CONFLICT DO NOTHING",
};
const LEFT: Sql = Sql {
    sqlite: "SELECT persons - leased FROM grant_volume \
             WHERE agreement = ? AND action = ? AND procedure = ? AND legal_basis = ? AND period = ?",
    postgres: "SELECT persons - leased FROM grant_volume \
               WHERE agreement = $1 AND action = $2 AND procedure = $3 AND legal_basis = $4 \
                     AND period = $5",
};
const PUT: Sql = Sql {
    sqlite: "INSERT INTO volume_lease \
             (lease, agreement, action, procedure, legal_basis, period, persons, expires_at_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    postgres: "INSERT INTO volume_lease \
               (lease, agreement, action, procedure, legal_basis, period, persons, expires_at_us) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
};
const FORGET: Sql = Sql {
    sqlite: "DELETE FROM volume_lease WHERE agreement = ? AND action = ? AND procedure = ? \
                                            AND legal_basis = ? AND expires_at_us < ?",
    postgres: "DELETE FROM volume_lease WHERE agreement = $1 AND action = $2 AND procedure = $3 \
                                              AND legal_basis = $4 AND expires_at_us < $5",
};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) connection: String,
    pub(crate) grant: GrantKey,
    /// Name of the lease; empty where nothing is wanted.
    pub(crate) lease: String,
    pub(crate) needed: u32,
    pub(crate) wanted: u32,
    /// Leases that are given back, and how many of each were used.
    pub(crate) returned: Vec<(String, u32)>,
}

/// What was leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leased {
    pub(crate) persons: u32,
    /// How many of them no request before had leased.
    pub(crate) fresh: u32,
    pub(crate) expires: OffsetDateTime,
    pub(crate) period_end: OffsetDateTime,
    /// How many came back.
    pub(crate) free: u64,
}

/// Why nothing is leased, and nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotLeased {
    /// The grant is not in force, or has no volume.
    NoGrant,
    /// The name of the lease is that of another grant's.
    OtherGrant,
    /// More was used of this one of those that come back than was leased.
    Overdrawn(usize),
}

/// A grant that is in force, in its present period.
struct Granted {
    volume: Volume,
    /// The first day of the period, and the moment after it.
    period: Date,
    period_end: OffsetDateTime,
}

/// Takes back what is given back, and leases what is wanted, for at most `life`; all of it or nothing.
pub(crate) async fn lease(
    store: &Store,
    wanted: Wanted,
    now: OffsetDateTime,
    life: Duration,
) -> Result<Result<Leased, NotLeased>, Error> {
    let leased = store.write("lease volume", move |tx| {
        Box::pin(async move {
            let Some(granted) = granted(tx, &wanted, today(now)).await? else {
                return Err(Ended::Refused(NotLeased::NoGrant));
            };
            let free = give_back(tx, &wanted).await?;
            let until = now.saturating_add(life).min(granted.period_end);
            let (persons, fresh, expires) = take(tx, &wanted, &granted, until).await?;
            let past = micros(now.saturating_sub(KEPT))?;
            tx.execute(&FORGET, keyed(&wanted.grant, Vec::new(), vec![past.into()])).await?;
            Ok(Leased { persons, fresh, expires, period_end: granted.period_end, free })
        })
    });
    match leased.await {
        Ok(leased) => Ok(Ok(leased)),
        // What was written before that was noticed is rolled back.
        Err(Ended::Refused(why)) => Ok(Err(why)),
        Err(Ended::Failed(error)) => Err(error),
    }
}

/// How a transaction ends that changes nothing.
enum Ended {
    Refused(NotLeased),
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<::store::Error> for Ended {
    fn from(error: ::store::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn granted(tx: &Transaction, wanted: &Wanted, today: Date) -> Result<Option<Granted>, Error> {
    let connection = vec![wanted.connection.clone().into()];
    let rows = tx.query(&GRANT, keyed(&wanted.grant, Vec::new(), connection)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let terms: Terms =
        serde_json::from_str(&text(row, 0)?).map_err(|_| Error::Stored("terms of a grant"))?;
    let begins = day(row, 1)?.max(day(row, 3)?);
    let ends = day(row, 2)?.min(day(row, 4)?);
    if !(begins <= today && today < ends) {
        return Ok(None);
    }
    Ok(terms.volume.map(|volume| {
        let (period, end) = volume.period.of(today, (begins, ends));
        Granted { volume, period, period_end: start_of(end) }
    }))
}

async fn give_back(tx: &Transaction, wanted: &Wanted) -> Result<u64, Ended> {
    let mut free = 0;
    for (place, (lease, used)) in wanted.returned.iter().enumerate() {
        let before = vec![i64::from(*used).into(), lease.clone().into()];
        let rows = tx.query(&GIVE_BACK, keyed(&wanted.grant, before, Vec::new())).await?;
        if let Some(row) = rows.first() {
            let (persons, period): (i64, String) = (field(row, 0)?, text(row, 1)?);
            let unused = persons - i64::from(*used);
            let before = vec![unused.into(), i64::from(*used).into()];
            tx.execute(&FREE, keyed(&wanted.grant, before, vec![period.into()])).await?;
            free += unused.unsigned_abs();
        } else if let Some(row) = tx.query(&LEASE, vec![lease.clone().into()]).await?.first() {
            // Given back before, which stands; or more was used than there was.
            let persons: i64 = field(row, 0)?;
            if i64::from(*used) > persons {
                return Err(Ended::Refused(NotLeased::Overdrawn(place)));
            }
        }
    }
    Ok(free)
}

/// Leases what is wanted: how many, how many of them anew, and until when.
async fn take(
    tx: &Transaction,
    wanted: &Wanted,
    granted: &Granted,
    until: OffsetDateTime,
) -> Result<(u32, u32, OffsetDateTime), Ended> {
    if wanted.lease.is_empty() {
        return Ok((0, 0, until));
    }
    if let Some(row) = tx.query(&LEASE, vec![wanted.lease.clone().into()]).await?.first() {
        let (persons, until) = same(row, &wanted.grant)?;
        return Ok((persons, 0, until));
    }
    let period = written(granted.period)?;
    let volume = i64::try_from(granted.volume.persons).map_err(|_| Error::Stored("a volume"))?;
    let after = vec![period.clone().into(), volume.into()];
    tx.execute(&BEGIN, keyed(&wanted.grant, Vec::new(), after)).await?;
    let rows =
        tx.query(&LEFT, keyed(&wanted.grant, Vec::new(), vec![period.clone().into()])).await?;
    let left: i64 = field(rows.first().ok_or(::store::Error::NoRow)?, 0)?;
    let left = u64::try_from(left).map_err(|_| Error::Stored("a volume"))?;
    let persons = leased(left, wanted.needed, wanted.wanted);
    if persons > 0 {
        let more = vec![(-i64::from(persons)).into(), 0_i64.into()];
        let after = vec![period.clone().into()];
        tx.execute(&FREE, keyed(&wanted.grant, more, after)).await?;
        let before = vec![wanted.lease.clone().into()];
        let after = vec![period.into(), i64::from(persons).into(), micros(until)?.into()];
        tx.execute(&PUT, keyed(&wanted.grant, before, after)).await?;
    }
    Ok((persons, persons, until))
}

/// A lease that was asked for before; nothing of one that was given back.
fn same(row: &QueryResult, grant: &GrantKey) -> Result<(u32, OffsetDateTime), Ended> {
    let own = [&grant.agreement, grant.act.name(), &grant.procedure, &grant.legal_basis];
    for (place, part) in (3..).zip(own) {
        if text(row, place)? != part {
            return Err(Ended::Refused(NotLeased::OtherGrant));
        }
    }
    let (persons, until_us): (i64, i64) = (field(row, 0)?, field(row, 1)?);
    let used: Option<i64> = field(row, 2)?;
    let persons = if used.is_none() { persons } else { 0 };
    let until = OffsetDateTime::from_unix_timestamp_nanos(i128::from(until_us) * 1_000);
    let until = until.map_err(|_| Error::Stored("the end of a lease"))?;
    Ok((u32::try_from(persons).map_err(|_| Error::Stored("a lease"))?, until))
}

/// Values of a statement about a grant, with what comes before and after its key.
fn keyed(grant: &GrantKey, before: Vec<Value>, after: Vec<Value>) -> Vec<Value> {
    let GrantKey { agreement, act, procedure, legal_basis } = grant;
    let mut values = before;
    values.extend([agreement, act.name(), procedure, legal_basis].map(Value::from));
    values.extend(after);
    values
}

fn micros(at: OffsetDateTime) -> Result<i64, Error> {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).map_err(|_| Error::Stored("a moment"))
}
