//! Makes a contribution count as never made.

use std::collections::BTreeSet;

use model::{
    Assertion, PersonalNumber, Said, Saying, Says, Value as ItemValue, is_annulled,
    item::RELATIVES, merge::survivor,
};
use store::Sql;

use super::{
    APPLICATION, ApplyError, Told, Work, rejected,
    touched::{Amended, Touched},
};
use crate::{
    domain::{
        apply::{Outcome, Reason, Rejection, can_annul, goes_with, numbers},
        feed::ChangeKind,
    },
    store::{
        enter::{Turn, amend},
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

/// The numbers of a person that lead to it before and after.
struct Numbers {
    before: BTreeSet<String>,
    after: BTreeSet<String>,
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
        let all = self.said_of(&persons).await?;
        for (place, person_id) in persons.iter().enumerate() {
            let mut reasons = Vec::new();
            if !can_annul(&self.application.source, person_id, &all, earlier) {
                reasons.push(Rejection::of("", Reason::NothingToAnnul));
            }
            // A version is expected of the person whom the contribution was about first.
            let expected = if place == 0 { self.application.expected_version } else { 0 };
            if expected != 0 && self.record(survivor(person_id, &all)).await?.version != expected {
                reasons.push(Rejection::of("", Reason::VersionChanged));
            }
            if !reasons.is_empty() {
                return Ok(refused(person_id, reasons));
            }
        }
        self.undo(earlier, persons, all).await
    }

    /// Makes a contribution about `persons` count as never made, whoever made it; `all` is everything that was said of them.
    pub(super) async fn undo(
        &self,
        earlier: &str,
        mut persons: Vec<String>,
        all: Vec<Assertion>,
    ) -> Result<Outcome, ApplyError> {
        let Some(first) = persons.first().cloned() else {
            return Ok(rejected(Reason::NothingToAnnul));
        };
        // A number that it brought may be that of a person with whom one of these was merged.
        for said in all.iter().filter(|said| said.provenance.contribution_id == earlier) {
            if !persons.contains(&said.person_id) {
                persons.push(said.person_id.clone());
            }
        }
        let mut new: Vec<Assertion> =
            persons.iter().map(|person_id| self.annulling(person_id, earlier)).collect();
        let after = [&all[..], &new[..]].concat();
        for (person_id, id) in goes_with(earlier, &all, &after) {
            new.push(self.annulling(&person_id, &id));
            if !persons.contains(&person_id) {
                persons.push(person_id);
            }
        }
        let mut touched = Touched::of(self, all, new);
        let chain = chain(&first, &touched.before, earlier);
        let counts = |id: &str, all: &[Assertion]| !is_annulled(&first, all, id);
        let reasons = self.cannot_be_one(&touched).await?;
        if !reasons.is_empty() {
            return Ok(refused(&first, reasons));
        }
        let Some(amended) = self.amended(&mut touched).await? else {
            return Ok(rejected(Reason::NumbersSpent));
        };
        for (place, one) in amended.iter().enumerate() {
            let mut reasons = Vec::new();
            if one.married {
                reasons.push(Rejection::of(RELATIVES, Reason::AlreadyMarried));
            }
            for id in chain.iter().filter(|id| place == 0 && counts(id, &touched.after)) {
                if self.is_taken_again(id).await? {
                    reasons.push(Rejection::of("", Reason::AlreadyRegistered));
                }
            }
            if !reasons.is_empty() {
                return Ok(refused(&one.held.person_id, reasons));
            }
        }
        if self.application.dry_run {
            return Ok(self.applied(None, Vec::new(), Told::default(), 0));
        }
        for id in &chain {
            let entry = vec![(!counts(id, &touched.after)).into(), id.clone().into()];
            self.tx.execute(&ENTRY_STATE, entry).await?;
        }
        for person_id in &persons {
            let (before, after) =
                (numbers(person_id, &touched.before), numbers(person_id, &touched.after));
            self.states(Numbers { before, after }).await?;
        }
        let versions = touched.versions();
        let told = Told { disputes: touched.disputes(&amended, &self.rules), ..Told::default() };
        let number = self.write(amended, &touched, ChangeKind::Annulled).await?;
        Ok(self.applied(number, persons, told, versions))
    }

    /// That what a contribution said of a person counts as never said, in a version that is still to be told.
    fn annulling(&self, person_id: &str, contribution_id: &str) -> Assertion {
        let (item, valid_from, says) = (String::new(), None, Saying::Holds);
        let said = Said { item, value: None, valid_from, says };
        let text = ItemValue::Text(contribution_id.to_owned());
        self.assertion(person_id, said, text, Says::Annuls, 0)
    }

    /// Writes records that look otherwise, and to which of them everybody leads; the first number that was set anew.
    pub(super) async fn write(
        &self,
        amended: Vec<Amended>,
        touched: &Touched,
        kind: ChangeKind,
    ) -> Result<Option<PersonalNumber>, ApplyError> {
        let number = amended.iter().find_map(|one| one.set.clone());
        let entered = self.entered(touched, amended, kind).await?;
        let last = self.version_of(entered.len().saturating_sub(1));
        amend(self.tx, &entered, Turn { version: last, ..self.turn }).await?;
        self.link(&touched.after).await?;
        Ok(number)
    }

    /// A number that leads to nobody any more is cancelled, and one that leads to its person again is not. One that is set
    /// anew is not there yet, and comes with its record.
    async fn states(&self, Numbers { before, after }: Numbers) -> Result<(), ApplyError> {
        let (lost, won) = (before.difference(&after), after.difference(&before));
        let lost = lost.map(|number| (number, "cancelled"));
        for (number, state) in lost.chain(won.map(|number| (number, "active"))) {
            let values = vec![state.into(), number.clone().into()];
            self.tx.execute(&NUMBER_STATE, values).await?;
        }
        Ok(())
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

/// A rejection that is about a person whom the source knows.
pub(super) fn refused(person_id: &str, reasons: Vec<Rejection>) -> Outcome {
    Outcome::Rejected { reasons, ending: None, person_id: Some(person_id.to_owned()) }
}

/// A contribution with what it annuls, and so on: the last one is what is annulled, or counts again.
fn chain(person_id: &str, said: &[Assertion], earlier: &str) -> Vec<String> {
    let since = |id: &str| {
        let of = said.iter().filter(|said| said.provenance.contribution_id == id);
        of.map(|said| said.version).min()
    };
    let annuls = |id: &str| {
        let of = said.iter().filter(|said| {
            said.person_id == person_id
                && said.says == Says::Annuls
                && said.item.is_empty()
                && said.provenance.contribution_id == id
        });
        let ids = of.filter_map(|said| {
            let ItemValue::Text(id) = &said.value else { return None };
            Some(id)
        });
        // What goes with it was said later.
        ids.min_by_key(|id| since(id)).cloned()
    };
    let mut chain = vec![earlier.to_owned()];
    // Whatever annuls is later than what it annuls, so this ends.
    while let Some(before) = chain.last().and_then(|id| annuls(id)) {
        chain.push(before);
    }
    chain
}
