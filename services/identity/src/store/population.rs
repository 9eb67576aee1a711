//! Loading a population that exists already, such as synthetic persons for a demonstration.

use model::{
    Assertion, AuthorityInForce, Identifier, OldNumber, PartialDate, PersonalNumber, Provenance,
    Says, Value, day_in_viet_nam,
};

use store::Sql;

use super::{
    RegisterStore,
    enter::{Entered, enter, lock},
};
use crate::Error;

pub(super) const FIRST_RULES: Sql = Sql {
    sqlite: "UPDATE register SET authority = ?1 WHERE id = 1 \
             AND NOT EXISTS (SELECT 1 FROM person WHERE authority <> ?1)",
    postgres: "UPDATE register SET authority = $1 WHERE id = 1 \
               AND NOT EXISTS (SELECT 1 FROM person WHERE authority <> $1)",
};

/// A person to be loaded.
pub struct Newcomer {
    /// Opaque id of the person.
    pub person_id: String,
    /// The personal number.
    pub number: PersonalNumber,
    /// The old number, where there is one.
    pub old_number: Option<OldNumber>,
    /// Whether the person is hidden from callers without the right to know (I7).
    pub protected: bool,
    /// Item, value, source, and from when it is true.
    pub said: Vec<(String, Value, String, Option<PartialDate>)>,
}

impl RegisterStore {
    /// Loads persons in one transaction, under one contribution id. A number that is there already fails
    /// the whole load.
    ///
    /// # Errors
    /// When the database refuses, or a person's number is of the other kind than the register's.
    pub async fn load(
        &self,
        persons: Vec<Newcomer>,
        contribution_id: &'static str,
        known_at_us: i64,
    ) -> Result<(), Error> {
        if let Some(wrong) = persons.iter().find(|p| p.number.is_synthetic() != self.synthetic()) {
            return Err(Error::OtherSide(!wrong.number.is_synthetic()));
        }
        // Clocks aside: the first known time of what is loaded is this one, or comes right after the last.
        let rules = self.rules(day_in_viet_nam(known_at_us));
        self.keep_rules(&rules).await?;
        self.store
            .write("load persons", move |tx| {
                Box::pin(async move {
                    let first = lock(tx, known_at_us).await?;
                    let mut last = first;
                    let mut entered = Vec::with_capacity(persons.len());
                    for (version, person) in (first.version..).zip(persons) {
                        last.version = version;
                        entered.push(person.enter(
                            contribution_id,
                            first.known_at_us,
                            version,
                            &rules,
                        ));
                    }
                    if entered.is_empty() {
                        return Ok(());
                    }
                    enter(tx, &entered, last).await?;
                    // Who comes into a new register is all there is to fold.
                    tx.execute(&FIRST_RULES, vec![rules.id().to_owned().into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}

impl Newcomer {
    pub(super) fn enter(
        self,
        contribution_id: &str,
        known_at_us: i64,
        version: u64,
        rules: &AuthorityInForce,
    ) -> Entered {
        let person_id = self.person_id;
        let assertions = self.said.into_iter().map(|(item, value, source, valid_from)| Assertion {
            person_id: person_id.clone(),
            item,
            value,
            provenance: Provenance {
                source,
                contribution_id: contribution_id.to_owned(),
                valid_from,
                known_at_us,
            },
            version,
            says: Says::Holds,
            event: None,
        });
        let assertions = assertions.collect();
        let old = self.old_number.map(Identifier::OldNumber9);
        let numbers = std::iter::once(Identifier::PersonalNumber(self.number)).chain(old).collect();
        let entered = Entered::new(person_id, self.protected, numbers, assertions, version, rules);
        entered.of_job(format!("load/{contribution_id}"))
    }
}
