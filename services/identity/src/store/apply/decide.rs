//! Decides between what two sources say of an item.

use std::collections::BTreeSet;

use model::{
    Assertion, GoldenRecord, Identifier, Said, Saying, Says, Value as ItemValue, before,
    disagreements,
};

use super::{ApplyError, Told, Work, known::Renewed, rejected};
use crate::{
    domain::apply::{Decided, Disputes, Outcome, Reason},
    store::enter::{Entered, amend},
};

impl Work<'_> {
    /// Sets aside what is not to hold: of the item, whatever goes before what was accepted, or what was rejected itself. The
    /// record is folded anew (I5). Where the two do not disagree as they did there is nothing to decide; nor of anybody
    /// protected (I7).
    pub(super) async fn decide(&self, decided: &Decided) -> Result<Outcome, ApplyError> {
        let persons = self.persons_of(&decided.contribution_id).await?;
        if !persons.contains(&decided.person_id) {
            return Ok(rejected(Reason::NothingToDecide));
        }
        let (held, was) = self.held(&decided.person_id).await?;
        let aside = self.set_aside(decided, &was);
        if held.protected || aside.is_empty() {
            return Ok(rejected(Reason::NothingToDecide));
        }
        if ![0, held.version].contains(&self.application.expected_version) {
            return Ok(rejected(Reason::VersionChanged));
        }
        self.amend_by(decided, &held, was, aside).await
    }

    async fn amend_by(
        &self,
        Decided { item, .. }: &Decided,
        held: &GoldenRecord,
        was: Vec<Assertion>,
        aside: BTreeSet<String>,
    ) -> Result<Outcome, ApplyError> {
        let version = self.turn.version;
        let set_aside = |id: String| {
            let said =
                Said { item: item.clone(), value: None, valid_from: None, says: Saying::Holds };
            self.assertion(&held.person_id, said, ItemValue::Text(id), Says::Annuls, version)
        };
        let mut new: Vec<Assertion> = aside.into_iter().map(set_aside).collect();
        let mut all = [&was[..], &new[..]].concat();
        let Some(Renewed { folded, set }) = self.renewed(held, &mut all, version).await? else {
            return Ok(rejected(Reason::NumbersSpent));
        };
        let mut disputes = Disputes::default();
        disputes.add(held, &BTreeSet::from([item.as_str()]), (&was, &all), &self.rules);
        let told = Told { disputes, ..Told::default() };
        if self.application.dry_run {
            return Ok(self.applied(None, Vec::new(), told));
        }
        let number = set.map(|(number, assertion)| {
            new.push(assertion);
            number
        });
        let numbers = number.iter().cloned().map(Identifier::PersonalNumber).collect();
        let person = Entered::amended(held, folded, new, version, &self.rules);
        amend(self.tx, &[person.with_numbers(numbers)], self.turn).await?;
        Ok(self.applied(number, vec![held.person_id.clone()], told))
    }

    /// The contributions to be set aside; none where the two do not disagree about the person as they did.
    fn set_aside(&self, decided: &Decided, all: &[Assertion]) -> BTreeSet<String> {
        let Decided { item, contribution_id, against, accepted, person_id } = decided;
        let disagree =
            disagreements(person_id, [item.as_str()], all, &self.rules).into_iter().any(|one| {
                one.contribution_id == *contribution_id && one.against_contribution_id == *against
            });
        if !disagree {
            return BTreeSet::new();
        }
        if !accepted {
            return BTreeSet::from([contribution_id.clone()]);
        }
        let before = before(person_id, item, contribution_id, all, &self.rules);
        before.into_iter().map(str::to_owned).collect()
    }
}
