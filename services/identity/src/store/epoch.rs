//! Epochs of the tokens of a connection.

use store::{Sql, Transaction};

use super::{RegisterStore, field};
use crate::Error;

// SQLite has one writer.
const TURN: Sql =
    Sql { sqlite: "SELECT ?", postgres: "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))" };
const OF_KEY: Sql = Sql {
    sqlite: "SELECT epoch, begun_us, earlier_until_us, digest FROM token_epoch \
             WHERE connection = ? AND idempotency_key = ?",
    postgres: "SELECT epoch, begun_us, earlier_until_us, digest FROM token_epoch \
               WHERE connection = $1 AND idempotency_key = $2",
};
const BEGIN: Sql = Sql {
    sqlite: "INSERT INTO token_epoch (connection, epoch, begun_us, earlier_until_us, idempotency_key, digest) \
             SELECT ?1, COALESCE(MAX(epoch), 0) + 1, ?2, ?3, ?4, ?5 FROM token_epoch WHERE connection = ?1",
    postgres: "INSERT INTO token_epoch (connection, epoch, begun_us, earlier_until_us, idempotency_key, digest) \
               SELECT $1, COALESCE(MAX(epoch), 0) + 1, $2, $3, $4, $5 FROM token_epoch WHERE connection = $1",
};

/// An epoch that a call begins.
pub(crate) struct Beginning {
    /// The connection.
    pub(crate) connection: String,
    /// When it begins, microseconds since 1970.
    pub(crate) begun_us: i64,
    /// Until when tokens of the epochs before are accepted.
    pub(crate) earlier_until_us: i64,
    /// The call's key.
    pub(crate) key: String,
    /// SHA-256 of the call's bytes.
    pub(crate) digest: [u8; 32],
}

/// An epoch that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Its number; 0 is the first one, which nobody began.
    pub(crate) epoch: u64,
    /// When it began, microseconds since 1970.
    pub(crate) begun_us: i64,
    /// Until when tokens of the epochs before are accepted, as it was said then.
    pub(crate) earlier_until_us: i64,
}

/// Waits for the turn to write what is a connection's own; other connections wait for nothing (I11).
pub(super) async fn turn_of(tx: &Transaction, connection: &str) -> Result<(), store::Error> {
    tx.execute(&TURN, vec![connection.into()]).await?;
    Ok(())
}

impl RegisterStore {
    /// Begins an epoch, or gives the one that the same call began before (I4). The digest of the call that its key was used by,
    /// where that was another one.
    pub(crate) async fn begin_epoch(
        &self,
        beginning: Beginning,
    ) -> Result<Result<Epoch, [u8; 32]>, Error> {
        self.store
            .write("begin epoch", move |tx| {
                Box::pin(async move {
                    let Beginning { connection, begun_us, earlier_until_us, key, digest } =
                        beginning;
                    // Of two that begin at the same time one comes after the other.
                    turn_of(tx, &connection).await?;
                    let of_key = || vec![connection.clone().into(), key.clone().into()];
                    let mut rows = tx.query(&OF_KEY, of_key()).await?;
                    if rows.is_empty() {
                        let values = vec![
                            connection.clone().into(),
                            begun_us.into(),
                            earlier_until_us.into(),
                            key.clone().into(),
                            digest.to_vec().into(),
                        ];
                        tx.execute(&BEGIN, values).await?;
                        rows = tx.query(&OF_KEY, of_key()).await?;
                    }
                    let row = rows.first().ok_or(store::Error::NoRow)?;
                    let first: Vec<u8> = field(row, 3)?;
                    if first != digest {
                        return Ok(Err(first.try_into().unwrap_or_default()));
                    }
                    Ok(Ok(Epoch {
                        epoch: field::<i64>(row, 0)?.unsigned_abs(),
                        begun_us: field(row, 1)?,
                        earlier_until_us: field(row, 2)?,
                    }))
                })
            })
            .await
    }
}
