//! Finding persons by keys of their records, and those keys, which are written wherever a record is.

use model::GoldenRecord;
use serde::Serialize;
use server::runtime::Entropy;
use store::{Sql, Transaction, Value};

use super::{RegisterStore, field, only, record, relations::write_relations};
use crate::{
    Error,
    domain::find::{Known, SearchKey, Unit, Wanted, code_key, date_key},
};

// Who is protected comes last, so that it takes nobody's place where there are more than are read (I7).
pub(super) const ONE: Sql = Sql {
    sqlite: "SELECT p.record FROM search_key k JOIN person p ON p.person_id = k.person_id \
             WHERE k.name_l3 = ?1 AND k.born = ?2 AND (?3 = '' OR k.sex = ?3) \
             AND (?4 = '' OR k.native_province = ?4) AND (?5 = '' OR k.commune = ?5) \
             ORDER BY p.protected, k.person_id LIMIT 201",
    postgres: "SELECT p.record FROM search_key k \
               CROSS JOIN LATERAL (SELECT record, protected FROM person WHERE person_id = k.person_id OFFSET 0) p \
               WHERE k.name_l3 = $1 AND k.born = $2 AND ($3 = '' OR k.sex = $3) \
               AND ($4 = '' OR k.native_province = $4) AND ($5 = '' OR k.commune = $5) \
               ORDER BY p.protected, k.person_id LIMIT 201",
};
pub(super) const SOME: Sql = Sql {
    sqlite: "SELECT p.record FROM search_key k JOIN person p ON p.person_id = k.person_id \
             WHERE k.name_l4 = ?1 AND k.person_id > ?2 AND (?3 = '' OR k.name_l3 = ?3) \
             AND (NOT p.protected OR ?4) AND COALESCE(k.birth_year, 0) BETWEEN ?5 AND ?6 \
             AND (?7 = '' OR k.sex = ?7) AND (?8 = '' OR k.native_province = ?8) \
             ORDER BY k.person_id LIMIT 50",
    postgres: "SELECT p.record FROM search_key k \
               CROSS JOIN LATERAL (SELECT record, protected FROM person WHERE person_id = k.person_id OFFSET 0) p \
               WHERE k.name_l4 = $1 AND k.person_id > $2 AND ($3 = '' OR k.name_l3 = $3) \
               AND (NOT p.protected OR $4) AND COALESCE(k.birth_year, 0) BETWEEN $5 AND $6 \
               AND ($7 = '' OR k.sex = $7) AND ($8 = '' OR k.native_province = $8) \
               ORDER BY k.person_id LIMIT 50",
};
/// The rows that [`SOME`] reads, at most.
pub(crate) const SOME_MAX: usize = 50;
// A name of which L4 leaves nothing, in letters of another script: L3 alone names it.
pub(super) const OTHER_SCRIPT: Sql = Sql {
    sqlite: "SELECT p.record FROM search_key k JOIN person p ON p.person_id = k.person_id \
             WHERE k.name_l3 = ?3 AND k.person_id > ?2 AND (?1 = '' OR k.name_l4 = ?1) \
             AND (NOT p.protected OR ?4) AND COALESCE(k.birth_year, 0) BETWEEN ?5 AND ?6 \
             AND (?7 = '' OR k.sex = ?7) AND (?8 = '' OR k.native_province = ?8) \
             ORDER BY k.person_id LIMIT 50",
    postgres: "SELECT p.record FROM search_key k \
               CROSS JOIN LATERAL (SELECT record, protected FROM person WHERE person_id = k.person_id OFFSET 0) p \
               WHERE k.name_l3 = $3 AND k.person_id > $2 AND ($1 = '' OR k.name_l4 = $1) \
               AND (NOT p.protected OR $4) AND COALESCE(k.birth_year, 0) BETWEEN $5 AND $6 \
               AND ($7 = '' OR k.sex = $7) AND ($8 = '' OR k.native_province = $8) \
               ORDER BY k.person_id LIMIT 50",
};
const KEYS: Sql = Sql {
    sqlite: "INSERT INTO search_key \
             (person_id, version, form, name_l3, name_l4, born, birth_year, sex, native_province, commune) \
             SELECT value ->> 'person_id', value ->> 'version', value ->> 'form', value ->> 'name_l3', \
             value ->> 'name_l4', \
             value ->> 'born', value ->> 'birth_year', value ->> 'sex', value ->> 'native_province', \
             value ->> 'commune' FROM json_each(?) WHERE true \
             ON CONFLICT (person_id) DO UPDATE SET version = excluded.version, form = excluded.form, name_l3 = excluded.name_l3, \
             name_l4 = excluded.name_l4, born = excluded.born, birth_year = excluded.birth_year, \
             sex = excluded.sex, native_province = excluded.native_province, commune = excluded.commune",
    postgres: "INSERT INTO search_key \
               (person_id, version, form, name_l3, name_l4, born, birth_year, sex, native_province, commune) \
               SELECT person_id, version, form, name_l3, name_l4, born, birth_year, sex, native_province, commune \
               FROM jsonb_to_recordset($1::text::jsonb) AS t (person_id text, version bigint, form bigint, name_l3 text, \
               name_l4 text, born text, birth_year bigint, sex text, native_province text, commune text) \
               ON CONFLICT (person_id) DO UPDATE SET version = excluded.version, form = excluded.form, name_l3 = excluded.name_l3, \
               name_l4 = excluded.name_l4, born = excluded.born, birth_year = excluded.birth_year, \
               sex = excluded.sex, native_province = excluded.native_province, commune = excluded.commune",
};
// A register whose persons all have keys, such as a new one, needs none to be given; whether a large one has, is not worth the
// time of a start.
const FOUND: Sql = Sql {
    sqlite: "INSERT INTO search (id, form, version, secret) \
             SELECT 1, CASE WHEN whole THEN ?1 ELSE 0 END, CASE WHEN whole THEN version ELSE 0 END, ?2 FROM (\
             SELECT version, version < 100000 AND NOT EXISTS (SELECT 1 FROM person p LEFT JOIN search_key k \
             ON k.person_id = p.person_id WHERE k.person_id IS NULL) AS whole FROM register WHERE id = 1) \
             WHERE true ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO search (id, form, version, secret) \
               SELECT 1, CASE WHEN whole THEN $1 ELSE 0 END, CASE WHEN whole THEN version ELSE 0 END, $2 FROM (\
               SELECT version, version < 100000 AND NOT EXISTS (SELECT 1 FROM person p LEFT JOIN search_key k \
               ON k.person_id = p.person_id WHERE k.person_id IS NULL) AS whole FROM register WHERE id = 1) r \
               ON CONFLICT DO NOTHING",
};
const SECRET: Sql = Sql::same("SELECT secret FROM search WHERE id = 1");

/// The keys of a person, as they are written.
#[derive(Serialize)]
struct KeyRow<'a> {
    person_id: &'a str,
    version: u64,
    form: i64,
    #[serde(flatten)]
    key: SearchKey,
}

/// Writes the keys of records, at the versions that these have now, and whom they name. Whom they named before was taken away.
pub(super) async fn write_keys<'a>(
    tx: &Transaction,
    records: impl Iterator<Item = (&'a GoldenRecord, u64)>,
) -> Result<(), Error> {
    let records: Vec<(&GoldenRecord, u64)> = records.collect();
    let row = |(record, version): &(&'a GoldenRecord, u64)| KeyRow {
        person_id: &record.person_id,
        version: *version,
        form: SearchKey::FORM,
        key: SearchKey::of(record),
    };
    let rows = serde_json::to_string(&records.iter().map(row).collect::<Vec<_>>())?;
    tx.execute(&KEYS, vec![rows.into()]).await?;
    write_relations(tx, records.iter().map(|(record, _)| *record)).await
}

impl RegisterStore {
    /// The register's own key, under which names of budgets hide names of persons and cursors cannot be made up or read; drawn
    /// the first time.
    pub(crate) async fn own_key(&self, entropy: &Entropy) -> Result<[u8; 32], Error> {
        let drawn: [u8; 32] = entropy.array();
        let found: Result<(), Error> = self
            .store
            .write("found search", move |tx| {
                Box::pin(async move {
                    if tx.query(&SECRET, Vec::new()).await?.is_empty() {
                        let values = vec![SearchKey::FORM.into(), drawn.to_vec().into()];
                        tx.execute(&FOUND, values).await?;
                    }
                    Ok(())
                })
            })
            .await;
        found?;
        let secret: Vec<u8> = only(&self.store.read(&SECRET, Vec::new()).await?)?;
        <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| Error::MalformedKey)
    }

    /// Those who may be the one person who is looked for, by what is indexed of what is known.
    pub(crate) async fn candidates(&self, known: &Known) -> Result<Vec<GoldenRecord>, Error> {
        let values = vec![
            known.name.match_key(model::NameLevel::L3).into(),
            date_key(&known.born).into(),
            known.sex.as_ref().map(code_key).unwrap_or_default().into(),
            unit(known.native_province.as_ref()),
            unit(known.commune.as_ref()),
        ];
        records(&self.store.read(&ONE, values).await?)
    }

    /// At most [`SOME_MAX`] of those who may be wanted after a person, by id; protected ones where they may be seen.
    pub(crate) async fn named(
        &self,
        wanted: &Wanted,
        after: &str,
        protected: bool,
    ) -> Result<Vec<GoldenRecord>, Error> {
        let key = |level| wanted.name.match_key(level);
        let marks_free = key(model::NameLevel::L4);
        let by_spelling = wanted.level <= model::NameLevel::L3;
        let sql = if marks_free.is_empty() { &OTHER_SCRIPT } else { &SOME };
        let spelling = if by_spelling { key(model::NameLevel::L3) } else { String::new() };
        let (from, to) = wanted.years.unwrap_or((0, i32::MAX));
        let values = vec![
            marks_free.into(),
            after.to_owned().into(),
            spelling.into(),
            protected.into(),
            i64::from(from).into(),
            i64::from(to).into(),
            wanted.sex.as_ref().map(code_key).unwrap_or_default().into(),
            unit(wanted.native_province.as_ref()),
        ];
        records(&self.store.read(sql, values).await?)
    }
}

fn unit(unit: Option<&Unit>) -> Value {
    unit.map(Unit::key).unwrap_or_default().into()
}

/// The records in the one column of rows.
pub(super) fn records(rows: &[store::QueryResult]) -> Result<Vec<GoldenRecord>, Error> {
    rows.iter().map(|row| Ok(record(&field::<String>(row, 0)?)?)).collect()
}
