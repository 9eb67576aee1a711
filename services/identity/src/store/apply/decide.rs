//! Decides between what two sources say of an item.

use std::collections::BTreeSet;

use model::{
    Assertion, GoldenRecord, Identifier, Said, Saying, Says, Value as ItemValue, before,
    disagreements, said_by,
};

use super::{ApplyError, Told, Work, known::Renewed, rejected};
use crate::{
    domain::apply::{Decided, Disputes, Outcome, Reason},
    store::enter::{Entered, amend},
};

impl Work<'_> {
    /// Sets aside what is not to hold: of the item, whatever goes before what was accepted, or what was rejected itself. The
    /// record is folded anew (I5). Where the two do not disagree as they did there is nothing to decide; nor of anybody
    /// protected (I7), nor of a record that is merged into another one, which holds nothing.
    pub(super) async fn decide(&self, decided: &Decided) -> Result<Outcome, ApplyError> {
        let was = self.said_of(&[&decided.person_id]).await?;
        let aside = self.set_aside(decided, &was);
        if aside.is_empty() {
            return Ok(rejected(Reason::NothingToDecide));
        }
        let held = self.record(&decided.person_id).await?;
        if held.protected {
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
        aside: BTreeSet<(String, String)>,
    ) -> Result<Outcome, ApplyError> {
        let version = self.turn.version;
        let of: BTreeSet<String> = aside.iter().map(|(of, _)| of.clone()).collect();
        let set_aside = |(of, id): (String, String)| {
            let said =
                Said { item: item.clone(), value: None, valid_from: None, says: Saying::Holds };
            self.assertion(&of, said, ItemValue::Text(id), Says::Annuls, version)
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
            return Ok(self.applied(None, Vec::new(), told, 0));
        }
        let number = set.map(|(number, assertion)| {
            new.push(assertion);
            number
        });
        let numbers = number.iter().cloned().map(Identifier::PersonalNumber).collect();
        let person = Entered::amended(held, folded, new, version, &self.rules);
        amend(self.tx, &[person.with_numbers(numbers)], self.turn).await?;
        Ok(self.applied(number, of.into_iter().collect(), told, 1))
    }

    /// The contributions to be set aside, each with whom it spoke of, whose record may be merged into the person's; none where
    /// the two do not disagree about the person as they did.
    fn set_aside(&self, decided: &Decided, all: &[Assertion]) -> BTreeSet<(String, String)> {
        let Decided { item, contribution_id, against, accepted, person_id } = decided;
        let disagree =
            disagreements(person_id, [item.as_str()], all, &self.rules).into_iter().any(|one| {
                one.contribution_id == *contribution_id && one.against_contribution_id == *against
            });
        if !disagree {
            return BTreeSet::new();
        }
        let all = if *accepted {
            before(person_id, item, contribution_id, all, &self.rules)
        } else {
            said_by(person_id, item, contribution_id, all, &self.rules)
        };
        all.into_iter().map(|(of, id)| (of.to_owned(), id.to_owned())).collect()
    }
}
