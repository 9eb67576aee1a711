//! The register at another moment: what was known then, by the rules of then.

use std::{
    collections::{HashMap, HashSet},
    sync::PoisonError,
};

use model::{Assertion, AuthorityInForce, GoldenRecord, merge::survivor};
use store::{Sql, Value};

use super::{RegisterStore, field, only, record};
use crate::{Error, domain::never_one::never_one};

const NEWEST: Sql = Sql::same("SELECT known_at_us FROM register WHERE id = 1");
// Of the rules by which everybody was folded, and of those by which this person was, the later ones.
const RULES_OF: Sql = Sql {
    sqlite: "SELECT r.rules FROM (\
             SELECT known_at_us, 1 AS own, authority AS id FROM change WHERE person_id = ?1 AND known_at_us <= ?2 \
             UNION ALL SELECT known_at_us, 0, id FROM rules_applied WHERE known_at_us <= ?2\
             ) moment LEFT JOIN rules r ON r.id = moment.id \
             ORDER BY moment.known_at_us DESC, moment.own DESC LIMIT 1",
    postgres: "SELECT r.rules FROM (\
               SELECT known_at_us, 1 AS own, authority AS id FROM change WHERE person_id = $1 AND known_at_us <= $2 \
               UNION ALL SELECT known_at_us, 0, id FROM rules_applied WHERE known_at_us <= $2\
               ) moment LEFT JOIN rules r ON r.id = moment.id \
               ORDER BY moment.known_at_us DESC, moment.own DESC LIMIT 1",
};
const KNOWN_RULES: Sql = Sql {
    sqlite: "SELECT rules FROM rules WHERE id = ?",
    postgres: "SELECT rules FROM rules WHERE id = $1",
};
const KEEP_RULES: Sql = Sql {
    sqlite: "INSERT INTO rules (id, rules) VALUES (?, ?) ON CONFLICT (id) DO NOTHING",
    postgres: "INSERT INTO rules (id, rules) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
};

const RULES: Sql = Sql {
    sqlite: "SELECT id, rules FROM rules WHERE id IN (SELECT value FROM json_each(?))",
    postgres: "SELECT id, rules FROM rules \
               WHERE id = ANY(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))",
};
// Whose record was merged into another one since is that person.
pub(super) const FOLDED: Sql = Sql {
    sqlite: "SELECT p.record, p.authority FROM person n \
             JOIN person p ON p.person_id = COALESCE(n.merged_into, n.person_id) WHERE n.person_id = ?",
    postgres: "SELECT p.record, p.authority FROM person n \
               CROSS JOIN LATERAL (SELECT record, authority FROM person \
               WHERE person_id = COALESCE(n.merged_into, n.person_id) OFFSET 0) p WHERE n.person_id = $1",
};
/// A record with all that it was folded of.
pub(crate) struct Folded {
    /// The record.
    pub(crate) record: GoldenRecord,
    /// What was said of the person, and of whoever was ever merged with it, up to the record's version.
    pub(crate) said: Vec<Assertion>,
    /// The rules by which it was folded.
    pub(crate) rules: AuthorityInForce,
}

/// What can be folded again of a person.
pub(crate) struct Then {
    /// Up to when it is known: the moment that was asked for, or the last one that there was.
    pub(crate) known_at_us: i64,
    /// The person to whose record the named one led then.
    pub(crate) person_id: String,
    /// What was ever said of the person, and of those who were ever merged with it.
    pub(crate) said: Vec<Assertion>,
    /// The rules of then.
    pub(crate) rules: AuthorityInForce,
}

/// The ids of rules that are known to be kept.
pub(crate) type Kept = std::sync::Mutex<HashSet<String>>;

impl RegisterStore {
    /// What is needed to say what was known at a moment of a person, by whose record it is named. Whatever is learnt later has
    /// a later known time, so of what had not come yet nothing is said. Whoever was taken for it and may not be known of today
    /// never was, to one who does not see the protected: it is told as if they had never been one (I7).
    pub(crate) async fn then(
        &self,
        named: &str,
        known_at_us: i64,
        sees_protected: bool,
    ) -> Result<Then, Error> {
        let newest: i64 = only(&self.store.read(&NEWEST, Vec::new()).await?)?;
        let known_at_us = known_at_us.min(newest);
        let mut said = self.assertions(&[named]).await?;
        if !sees_protected {
            let hidden = self.hidden_persons(&said).await?;
            said = never_one(said, &hidden);
        }
        let person_id = survivor(named, &model::as_of(&said, known_at_us, None)).to_owned();
        let values = vec![person_id.clone().into(), known_at_us.into()];
        let rows = self.store.read(&RULES_OF, values).await?;
        let text: Option<String> = rows.first().map(|row| field(row, 0)).transpose()?.flatten();
        let rules = text.map(|text| serde_json::from_str(&text)).transpose()?;
        let rules = rules.unwrap_or_default();
        Ok(Then { known_at_us, person_id, said, rules })
    }

    /// The record of a person who is there, with what it was folded of.
    pub(crate) async fn folded(&self, person_id: &str) -> Result<Folded, Error> {
        let rows = self.store.read(&FOLDED, vec![person_id.into()]).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        let (record, id) = (record(&field::<String>(row, 0)?)?, field::<String>(row, 1)?);
        let rules = self.rules_of(&[&id]).await?.remove(&id).unwrap_or_default();
        let mut said = self.assertions(&[person_id]).await?;
        // Whatever was said since made a record of a higher version.
        said.retain(|said| said.version <= record.version);
        Ok(Folded { record, said, rules })
    }

    /// Rules by their id. What was folded before there were any has none.
    pub(crate) async fn rules_of(
        &self,
        ids: &[&str],
    ) -> Result<HashMap<String, AuthorityInForce>, Error> {
        let ids = Value::from(serde_json::to_string(ids)?);
        let rows = self.store.read(&RULES, vec![ids]).await?;
        let one = |row: &store::QueryResult| {
            Ok((field(row, 0)?, serde_json::from_str(&field::<String>(row, 1)?)?))
        };
        rows.iter().map(one).collect()
    }

    /// Keeps rules before anything is folded by them, so that it can be folded so again. One id is one set of rules.
    pub(crate) async fn keep_rules(&self, rules: &AuthorityInForce) -> Result<(), Error> {
        let known =
            |kept: &Kept| kept.lock().unwrap_or_else(PoisonError::into_inner).contains(rules.id());
        if known(&self.kept) {
            return Ok(());
        }
        let (id, text) = (rules.id().to_owned(), serde_json::to_string(rules)?);
        let kept: String = self
            .store
            .write("keep rules", move |tx| {
                Box::pin(async move {
                    tx.execute(&KEEP_RULES, vec![id.clone().into(), text.into()]).await?;
                    Ok::<_, Error>(only(&tx.query(&KNOWN_RULES, vec![id.into()]).await?)?)
                })
            })
            .await?;
        if serde_json::from_str::<AuthorityInForce>(&kept)? != *rules {
            return Err(Error::OtherRules(rules.id().to_owned()));
        }
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(rules.id().to_owned());
        Ok(())
    }
}
