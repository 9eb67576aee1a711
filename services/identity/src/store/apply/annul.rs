//! Makes a contribution count as never made.

use model::{
    Assertion, GoldenRecord, Identifier, PersonalNumber, Said, Saying, Says, Value as ItemValue,
    is_annulled, item::RELATIVES,
};
use store::Sql;

use super::{APPLICATION, ApplyError, Told, Work, known::Renewed, rejected};
use crate::{
    domain::{
        apply::{
            Disputes, Outcome, Reason, Rejection, check_annulment, numbers, numbers_named, spouses,
        },
        feed::ChangeKind,
    },
    store::{
        enter::{Entered, Turn, amend},
        field,
    },
};

const ENTRY_STATE: Sql = Sql {
    sqlite: "UPDATE contributed_entry SET annulled = ? WHERE contribution_id = ?",
    postgres: "UPDATE contributed_entry SET annulled = $1 WHERE contribution_id = $2",
};
const TAKEN_AGAIN: Sql = Sql {
    sqlite: "SELECT 1 FROM contributed_entry one JOIN contributed_entry other \
             ON other.source = one.source AND other.entry = one.entry WHERE one.contribution_id = ? \
             AND other.contribution_id <> one.contribution_id AND NOT other.annulled",
    postgres: "SELECT 1 FROM contributed_entry one JOIN contributed_entry other \
               ON other.source = one.source AND other.entry = one.entry WHERE one.contribution_id = $1 \
               AND other.contribution_id <> one.contribution_id AND NOT other.annulled",
};
pub(in crate::store) const NUMBER_STATE: Sql = Sql {
    sqlite: "UPDATE identifier SET state = ? WHERE value = ?",
    postgres: "UPDATE identifier SET state = $1 WHERE value = $2",
};

/// A person of whom a contribution counts as never made, or counts again.
struct Amended {
    person: Entered,
    /// Numbers that lead to the person no more, and again.
    lost: Vec<String>,
    won: Vec<String>,
    /// The number that is set anew, if one is.
    set: Option<PersonalNumber>,
    /// Whether there is a second spouse now, who may be alive.
    married: bool,
    person_id: String,
    all: Vec<Assertion>,
    disputes: Disputes,
}

impl Amended {
    fn counts(&self, contribution_id: &str) -> bool {
        !is_annulled(&self.person_id, &self.all, contribution_id)
    }
}

impl Work<'_> {
    /// Annuls what an earlier contribution of the same source said (I5): the records of all whom it was about are folded
    /// anew as if it had never been said. Their numbers follow: one that it brought is cancelled, and leads to the person
    /// again when the annulment is annulled (Decree 70/2024/ND-CP, Art. 11). Who they are, its source has known since it
    /// contributed: so it is told nothing new of one who is protected (I7).
    pub(super) async fn annul(&self, earlier: &str) -> Result<Outcome, ApplyError> {
        let persons = self.persons_of(earlier).await?;
        if persons.is_empty() {
            return Ok(rejected(Reason::NothingToAnnul));
        }
        let root = self.root(earlier, &persons).await?;
        let mut amended = Vec::new();
        for (place, person_id) in persons.iter().enumerate() {
            let (held, all) = self.held(person_id).await?;
            // A version is expected of the person whom the contribution was about first.
            let expected = if place == 0 { self.application.expected_version } else { 0 };
            let source = &self.application.source;
            let mut reasons = check_annulment(source, expected, &held, &all, earlier);
            let one = self.annulled(&held, all, earlier, self.version_of(place)).await?;
            let Some(one) = one else { return Ok(rejected(Reason::NumbersSpent)) };
            if one.married {
                reasons.push(Rejection::of(RELATIVES, Reason::AlreadyMarried));
            }
            if place == 0 && one.counts(&root) && self.is_taken_again(&root).await? {
                reasons.push(Rejection::of("", Reason::AlreadyRegistered));
            }
            if !reasons.is_empty() {
                let person_id = Some(person_id.clone());
                return Ok(Outcome::Rejected { reasons, ending: None, person_id });
            }
            amended.push(one);
        }
        if self.application.dry_run {
            return Ok(self.applied(None, Vec::new(), Told::default()));
        }
        let counts = amended.first().is_some_and(|first| first.counts(&root));
        self.tx.execute(&ENTRY_STATE, vec![(!counts).into(), root.into()]).await?;
        let (mut entered, mut number, mut told) = (Vec::new(), None, Told::default());
        for Amended { person, lost, won, set, disputes, .. } in amended {
            told.disputes.opened.extend(disputes.opened);
            told.disputes.settled.extend(disputes.settled);
            for (numbers, state) in [(lost, "cancelled"), (won, "active")] {
                for number in numbers {
                    self.tx.execute(&NUMBER_STATE, vec![state.into(), number.into()]).await?;
                }
            }
            entered.push(person);
            number = number.or(set);
        }
        let last = self.version_of(persons.len().saturating_sub(1));
        amend(self.tx, &entered, Turn { version: last, ..self.turn }).await?;
        Ok(self.applied(number, persons, told))
    }

    /// What becomes of a person when an earlier contribution counts as never made; none where a number is due and none is left.
    async fn annulled(
        &self,
        held: &GoldenRecord,
        mut all: Vec<Assertion>,
        earlier: &str,
        version: u64,
    ) -> Result<Option<Amended>, ApplyError> {
        let person_id = held.person_id.as_str();
        let (before, said_before) = (numbers(person_id, &all), all.clone());
        let said = Said { item: String::new(), value: None, valid_from: None, says: Saying::Holds };
        let text = ItemValue::Text(earlier.to_owned());
        let mut new = vec![self.assertion(person_id, said, text, Says::Annuls, version)];
        all.extend(new.iter().cloned());
        let after = numbers(person_id, &all);
        let Some(Renewed { folded, set }) = self.renewed(held, &mut all, version).await? else {
            return Ok(None);
        };
        let mut identifiers = Vec::new();
        let set = set.map(|(number, assertion)| {
            identifiers.push(Identifier::PersonalNumber(number.clone()));
            new.push(assertion);
            number
        });
        let bearers =
            self.bearers(numbers_named(held, &[]).chain(numbers_named(&folded, &[]))).await?;
        let living = |record: &GoldenRecord| bearers.told(record, &self.application.source);
        let (was, is) = (living(held), living(&folded));
        let is = self.living(&spouses(&is, &[], &bearers), &bearers).await?;
        // What was so before it does not bring.
        let married = is > 1 && is > self.living(&spouses(&was, &[], &bearers), &bearers).await?;
        let person = Entered::amended(held, folded, new, version, &self.rules);
        let mut disputes = Disputes::default();
        // Whatever the contribution spoke of.
        let items = all.iter().map(|said| said.item.as_str()).collect();
        disputes.add(held, &items, (&said_before, &all), &self.rules);
        let person = person.of_kind(ChangeKind::Annulled);
        Ok(Some(Amended {
            disputes,
            person: person.with_numbers(identifiers),
            lost: before.difference(&after).cloned().collect(),
            won: after.difference(&before).cloned().collect(),
            set,
            married,
            person_id: person_id.to_owned(),
            all,
        }))
    }

    /// The contribution that is annulled, or counts again: what an annulment annuls, where it is one.
    async fn root(&self, earlier: &str, persons: &[String]) -> Result<String, ApplyError> {
        let Some(person_id) = persons.first() else { return Ok(earlier.to_owned()) };
        let said = self.said_of(person_id).await?;
        let annuls = |id: &str| {
            let of = |said: &&Assertion| {
                said.says == Says::Annuls
                    && said.item.is_empty()
                    && said.provenance.contribution_id == id
            };
            match said.iter().find(of).map(|said| &said.value) {
                Some(ItemValue::Text(id)) => Some(id.clone()),
                _ => None,
            }
        };
        let mut root = earlier.to_owned();
        // Whatever annuls is later than what it annuls, so this ends.
        while let Some(before) = annuls(&root) {
            root = before;
        }
        Ok(root)
    }

    /// Whether the entry of a contribution that was annulled was contributed again, and counts.
    async fn is_taken_again(&self, root: &str) -> Result<bool, ApplyError> {
        Ok(!self.tx.query(&TAKEN_AGAIN, vec![root.into()]).await?.is_empty())
    }

    /// Whom a contribution that was applied was about.
    pub(super) async fn persons_of(
        &self,
        contribution_id: &str,
    ) -> Result<Vec<String>, ApplyError> {
        let rows = self.tx.query(&APPLICATION, vec![contribution_id.into()]).await?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        Ok(match serde_json::from_str(&field::<String>(row, 1)?)? {
            Outcome::Applied { person_id, further, .. } => {
                person_id.into_iter().chain(further).collect()
            }
            Outcome::Rejected { .. } => Vec::new(),
        })
    }
}
