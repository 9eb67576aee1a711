//! Consents.

use std::collections::HashMap;

use store::{QueryResult, Sql, Transaction, Value};

use super::{RegisterStore, field};
use crate::{
    Error,
    domain::consent::{Channel, Consent, System, Terms},
};

// A person's consents go with the record, where that is merged into another one.
pub(super) const CONSENTS: Sql = Sql {
    sqlite: "SELECT c.reference, COALESCE(p.merged_into, p.person_id), c.agency, c.system, c.procedure, c.items, c.begins_us, \
             c.ends_us, c.channel, c.evidence, c.notice_version, c.connection, c.recorded_us, c.withdrawn_us \
             FROM consent c JOIN person p ON p.person_id = c.person_id \
             WHERE c.reference IN (SELECT value FROM json_each(?))",
    postgres: "SELECT c.reference, COALESCE(p.merged_into, p.person_id), c.agency, c.system, c.procedure, c.items, c.begins_us, \
               c.ends_us, c.channel, c.evidence, c.notice_version, c.connection, c.recorded_us, c.withdrawn_us \
               FROM jsonb_array_elements_text($1::text::jsonb) asked (value) \
               CROSS JOIN LATERAL (SELECT * FROM consent WHERE reference = asked.value OFFSET 0) c \
               CROSS JOIN LATERAL (SELECT person_id, merged_into FROM person WHERE person_id = c.person_id OFFSET 0) p",
};
pub(super) const OF_KEY: Sql = Sql {
    sqlite: "SELECT reference, digest FROM consent WHERE connection = ? AND idempotency_key = ?",
    postgres: "SELECT reference, digest FROM consent WHERE connection = $1 AND idempotency_key = $2",
};
// Of two that use one key at the same time the second waits for the first, and leaves what it wrote.
const RECORD: Sql = Sql {
    sqlite: "INSERT INTO consent (reference, person_id, agency, system, procedure, items, begins_us, ends_us, channel, \
             evidence, notice_version, connection, idempotency_key, digest, recorded_us) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (connection, idempotency_key) DO NOTHING",
    postgres: "INSERT INTO consent (reference, person_id, agency, system, procedure, items, begins_us, ends_us, channel, \
               evidence, notice_version, connection, idempotency_key, digest, recorded_us) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
               ON CONFLICT (connection, idempotency_key) DO NOTHING",
};
pub(super) const WITHDRAW: Sql = Sql {
    sqlite: "UPDATE consent SET withdrawn_us = ?2, withdrawn_by = ?3 WHERE reference = ?1 AND withdrawn_us IS NULL",
    postgres: "UPDATE consent SET withdrawn_us = $2, withdrawn_by = $3 WHERE reference = $1 AND withdrawn_us IS NULL",
};

/// A consent that a call records.
pub(crate) struct Recording {
    /// Its reference, if there is none of this call yet.
    pub(crate) reference: String,
    /// The person whose number or token was named.
    pub(crate) person_id: String,
    /// What the person agreed to.
    pub(crate) terms: Terms,
    /// Who has it recorded.
    pub(crate) connection: String,
    /// When, microseconds since 1970.
    pub(crate) recorded_us: i64,
    /// The call's key.
    pub(crate) key: String,
    /// SHA-256 of the call's bytes.
    pub(crate) digest: [u8; 32],
}

impl RegisterStore {
    /// Consents, by reference.
    pub(crate) async fn consents(
        &self,
        references: &[&str],
    ) -> Result<HashMap<String, Consent>, Error> {
        let rows = self.store.read(&CONSENTS, named(references)?).await?;
        let consents = rows.iter().map(read);
        consents.map(|one| one.map(|one| (one.reference.clone(), one))).collect()
    }

    /// The consent that a call of this key recorded, with the digest of that call.
    pub(crate) async fn consent_of_key(
        &self,
        connection: &str,
        key: &str,
    ) -> Result<Option<(Consent, [u8; 32])>, Error> {
        let rows = self.store.read(&OF_KEY, of_key(connection, key)).await?;
        let Some((reference, digest)) = rows.first().map(used).transpose()? else {
            return Ok(None);
        };
        let consent = self.consents(&[&reference]).await?.remove(&reference);
        Ok(Some((consent.ok_or(store::Error::NoRow)?, digest)))
    }

    /// Records a consent, or gives the one that the same call recorded before (I4). The digest of the call that its key was used
    /// by, where that was another one.
    pub(crate) async fn record_consent(
        &self,
        recording: Recording,
    ) -> Result<Result<Consent, [u8; 32]>, Error> {
        self.store
            .write("record consent", move |tx| {
                Box::pin(async move {
                    let (digest, of_key) =
                        (recording.digest, of_key(&recording.connection, &recording.key));
                    tx.execute(&RECORD, written(recording)?).await?;
                    let rows = tx.query(&OF_KEY, of_key).await?;
                    let (reference, first) = used(rows.first().ok_or(store::Error::NoRow)?)?;
                    if first != digest {
                        return Ok(Err(first));
                    }
                    Ok(Ok(only(tx, &reference).await?))
                })
            })
            .await
    }

    /// Withdraws a consent, once; gives it as it is then.
    pub(crate) async fn withdraw_consent(
        &self,
        reference: String,
        connection: String,
        now_us: i64,
    ) -> Result<Consent, Error> {
        self.store
            .write("withdraw consent", move |tx| {
                Box::pin(async move {
                    let values = vec![reference.clone().into(), now_us.into(), connection.into()];
                    tx.execute(&WITHDRAW, values).await?;
                    only(tx, &reference).await
                })
            })
            .await
    }
}

fn of_key(connection: &str, key: &str) -> Vec<Value> {
    vec![connection.into(), key.into()]
}

/// What a key was used for: the reference, and the digest of the call.
fn used(row: &QueryResult) -> Result<(String, [u8; 32]), Error> {
    let digest: Vec<u8> = field(row, 1)?;
    Ok((field(row, 0)?, digest.try_into().map_err(|_| store::Error::NoRow)?))
}

fn named(references: &[&str]) -> Result<Vec<Value>, Error> {
    Ok(vec![serde_json::to_string(references)?.into()])
}

/// A consent that is there.
async fn only(tx: &Transaction, reference: &str) -> Result<Consent, Error> {
    let rows = tx.query(&CONSENTS, named(&[reference])?).await?;
    read(rows.first().ok_or(store::Error::NoRow)?)
}

/// The values of a new row.
fn written(recording: Recording) -> Result<Vec<Value>, Error> {
    let Recording { reference, person_id, terms, connection, recorded_us, key, digest } = recording;
    let Terms {
        recipient,
        procedure,
        items,
        begins_us,
        ends_us,
        channel,
        evidence,
        notice_version,
    } = terms;
    Ok(vec![
        reference.into(),
        person_id.into(),
        recipient.agency.into(),
        recipient.system.into(),
        procedure.into(),
        serde_json::to_string(&items)?.into(),
        begins_us.into(),
        ends_us.into(),
        channel.name().into(),
        evidence.into(),
        notice_version.into(),
        connection.into(),
        key.into(),
        digest.to_vec().into(),
        recorded_us.into(),
    ])
}

fn read(row: &QueryResult) -> Result<Consent, Error> {
    let channel: String = field(row, 8)?;
    Ok(Consent {
        reference: field(row, 0)?,
        record: field(row, 1)?,
        terms: Terms {
            recipient: System { agency: field(row, 2)?, system: field(row, 3)? },
            procedure: field(row, 4)?,
            items: serde_json::from_str(&field::<String>(row, 5)?)?,
            begins_us: field(row, 6)?,
            ends_us: field(row, 7)?,
            channel: Channel::of(&channel).ok_or(store::Error::NoRow)?,
            evidence: field(row, 9)?,
            notice_version: field(row, 10)?,
        },
        connection: field(row, 11)?,
        recorded_us: field(row, 12)?,
        withdrawn_us: field(row, 13)?,
    })
}
