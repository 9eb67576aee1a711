//! Certificates by which requests were signed.

use std::collections::BTreeMap;

use ::store::{Sql, Store, Transaction};
use serde::Serialize;

use super::{json, signed, whole::value};
use crate::{Error, domain::Certificate};

/// One that is there already stays as it is: its name is its digest.
const INSERT: Sql = Sql {
    sqlite: "INSERT INTO signer_certificate (thumbprint, der, time_ms) \
             SELECT unhex(value ->> 'thumbprint'), unhex(value ->> 'der'), ?2 FROM json_each(?1) \
             WHERE true ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO signer_certificate (thumbprint, der, time_ms) \
               SELECT decode(thumbprint, 'hex'), decode(der, 'hex'), $2 \
               FROM json_to_recordset($1::json) AS r(thumbprint TEXT, der TEXT) \
               ON CONFLICT DO NOTHING",
};
const FIND: Sql = Sql {
    sqlite: "SELECT thumbprint, der FROM signer_certificate \
             WHERE thumbprint IN (SELECT unhex(value) FROM json_each(?))",
    postgres: "SELECT thumbprint, der FROM signer_certificate \
               WHERE thumbprint = ANY(ARRAY(SELECT decode(value, 'hex') \
                                            FROM json_array_elements_text($1::json) AS t(value)))",
};

#[derive(Serialize)]
struct Row {
    thumbprint: String,
    der: String,
}

/// Adds those of a batch. Where nothing is signed nothing is written: whether a request is, does not depend on whom it is about.
pub(super) async fn insert<'a>(
    tx: &Transaction,
    certificates: impl Iterator<Item = &'a Certificate>,
    time_ms: u64,
) -> Result<(), Error> {
    let distinct: BTreeMap<_, _> = certificates.map(|one| (&one.thumbprint, &one.der)).collect();
    if distinct.is_empty() {
        return Ok(());
    }
    let row = |(thumbprint, der): (&[u8; 32], &Vec<u8>)| Row {
        thumbprint: hex::encode(thumbprint),
        der: hex::encode(der),
    };
    let rows: Vec<_> = distinct.into_iter().map(row).collect();
    tx.execute(&INSERT, vec![json(&rows)?.into(), signed(time_ms)?.into()]).await?;
    Ok(())
}

/// Those of these thumbprints that are there, whatever they hold.
pub(crate) async fn find(
    store: &Store,
    thumbprints: impl Iterator<Item = &[u8]>,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Error> {
    let mut thumbprints: Vec<_> = thumbprints.map(hex::encode).collect();
    thumbprints.sort_unstable();
    thumbprints.dedup();
    if thumbprints.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = store.read(&FIND, vec![json(&thumbprints)?.into()]).await?;
    rows.iter().map(|row| Ok((value(row, 0)?, value(row, 1)?))).collect()
}
