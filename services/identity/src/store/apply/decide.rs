//! Decides between what two sources say of an item.

use std::collections::BTreeSet;

use model::{Assertion, Said, Saying, Says, Value as ItemValue, before, disagreements};
use store::Sql;

use super::{ApplyError, Told, Work, known::Renewed, rejected};
use crate::{
    domain::apply::{Decided, Disputes, Outcome, Reason},
    store::{
        enter::{Entered, Turn, amend},
        field, record,
    },
};

pub(in crate::store) const RECORD: Sql = Sql {
    sqlite: "SELECT record FROM person WHERE person_id = ?",
    postgres: "SELECT record FROM person WHERE person_id = $1",
};

impl Work<'_> {
    /// Sets aside what is not to hold: of the item, whatever goes before what was accepted, or what was rejected itself. The
    /// records are folded anew (I5). Where the two do not disagree as they did there is nothing to decide; nor of anybody
    /// protected (I7).
    pub(super) async fn decide(&self, decided: &Decided) -> Result<Outcome, ApplyError> {
        let (mut entered, mut ids, mut number) = (Vec::new(), Vec::new(), None);
        let mut disputes = Disputes::default();
        for person_id in self.persons_of(&decided.contribution_id).await? {
            let rows = self.tx.query(&RECORD, vec![person_id.clone().into()]).await?;
            let row = rows.first().ok_or(store::Error::NoRow)?;
            let held = record(&field::<String>(row, 0)?)?;
            let was = self.said_of(&person_id).await?;
            let aside = self.set_aside(decided, &person_id, &was);
            if held.protected || aside.is_empty() {
                continue;
            }
            let expected = self.application.expected_version;
            if ![0, held.version].contains(&expected) {
                return Ok(rejected(Reason::VersionChanged));
            }
            let version = self.version_of(entered.len());
            let set_aside = |id: String| {
                let (item, value) = (decided.item.clone(), None);
                let said = Said { item, value, valid_from: None, says: Saying::Holds };
                self.assertion(&person_id, said, ItemValue::Text(id), Says::Annuls, version)
            };
            let mut new: Vec<Assertion> = aside.into_iter().map(set_aside).collect();
            let mut all = [&was[..], &new[..]].concat();
            let Some(Renewed { folded, set }) = self.renewed(&held, &mut all, version).await?
            else {
                return Ok(rejected(Reason::NumbersSpent));
            };
            disputes.add(&person_id, &was, &all, &self.rules);
            let mut numbers = Vec::new();
            if let Some((drawn, assertion)) = set {
                numbers.push(model::Identifier::PersonalNumber(drawn.clone()));
                new.push(assertion);
                number = Some(drawn);
            }
            let person = Entered::amended(&held, folded, new, version, &self.rules);
            entered.push(person.with_numbers(numbers));
            ids.push(person_id);
        }
        if ids.is_empty() {
            return Ok(rejected(Reason::NothingToDecide));
        }
        let told = Told { disputes, ..Told::default() };
        if self.application.dry_run {
            return Ok(self.applied(None, Vec::new(), told));
        }
        let last = self.version_of(ids.len().saturating_sub(1));
        amend(self.tx, &entered, Turn { version: last, ..self.turn }).await?;
        Ok(self.applied(number, ids, told))
    }

    /// The contributions to be set aside; none where the two do not disagree about that person as they did.
    fn set_aside(
        &self,
        Decided { item, contribution_id, against, accepted }: &Decided,
        person_id: &str,
        all: &[Assertion],
    ) -> BTreeSet<String> {
        let disagreement =
            disagreements(person_id, [item.as_str()], all, &self.rules).into_iter().any(|one| {
                one.contribution_id == *contribution_id && one.against_contribution_id == *against
            });
        if !disagreement {
            return BTreeSet::new();
        }
        if !accepted {
            return BTreeSet::from([contribution_id.clone()]);
        }
        let before = before(person_id, item, contribution_id, all, &self.rules);
        before.into_iter().map(str::to_owned).collect()
    }
}
