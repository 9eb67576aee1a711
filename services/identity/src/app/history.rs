//! Who accessed a person: the subject as in a lookup, then what the access log has of it. What comes out is not released yet: the
//! gate records it first.

use decide::{DecisionTable, ItemDecision, ItemEffect};
use model::item::NUMBER;
use server::Deadline;
use wire::policy::Decision;

use super::{
    App, Looked, Lookup, NoAnswer,
    sealed::{self, Purpose},
};
use crate::domain::{
    history::{Spell, numbers, spells},
    lookup::{Ending, sees_protected},
    never_one::never_one,
};

/// What a place in a list of accesses is sealed for.
const ACCESSES: &str = "accesses";
/// What the digest of a number is for by which nobody was found.
const MISSED: &str = "lienthong/missed/1";

/// Whose accesses are told.
pub(crate) struct Accessed {
    /// The subject, as a lookup finds it.
    pub(crate) looked: Looked,
    /// Under which names they stand; the item that withholds them; neither where nobody is shown.
    pub(crate) names: Result<Names, Option<ItemDecision>>,
}

/// Under which names accesses stand.
pub(crate) struct Names {
    /// The records of the register.
    pub(crate) spells: Vec<Spell>,
    /// The digests of the person's numbers, under which stands who asked by one before anybody bore it.
    pub(crate) missed: Vec<[u8; 32]>,
}

impl App {
    /// Whose accesses are told. Of whoever is hidden from the caller it reads what it reads of nobody (I7).
    pub(crate) async fn accessed(
        &self,
        deadline: Deadline,
        lookup: &Lookup,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Accessed, NoAnswer> {
        let looked = self.look_up(deadline, lookup, decision, table).await?;
        let shown = looked.finding.ending == Ending::Shown;
        let found = looked.record.as_ref().zip(looked.finding.row.as_ref()).filter(|_| shown);
        let Some((record, row)) = found else {
            return Ok(Accessed { looked, names: Err(None) });
        };
        let withheld =
            row.items.iter().find(|i| i.item == NUMBER && i.effect != ItemEffect::Allowed);
        if let Some(withheld) = withheld {
            let names = Err(Some(withheld.clone()));
            return Ok(Accessed { looked, names });
        }
        let store = self.store.until(deadline.at());
        let away = |error: crate::Error| NoAnswer::away(&error, "records could not be read");
        // All that was ever said of anybody who was one with the person: also what made another record of it again.
        let mut said = store.assertions(&[record.person_id.as_str()]).await.map_err(away)?;
        if !sees_protected(table) {
            let hidden = store.hidden_persons(&said).await.map_err(away)?;
            said = never_one(said, &hidden);
        }
        let missed = numbers(record);
        let missed = missed.into_iter().map(|number| self.missed(number)).collect();
        let names = Names { spells: spells(&record.person_id, &said), missed };
        Ok(Accessed { looked, names: Ok(names) })
    }

    /// Where a list of accesses to a person goes on, for this caller. It says nothing: the index of what is sealed would be its time.
    pub(crate) fn accesses_from(&self, before: u64, person_id: &str, connection: &str) -> String {
        let bytes = [&before.to_be_bytes()[..], person_id.as_bytes()].concat();
        sealed::seal(&self.secret, Purpose { what: ACCESSES, connection }, &self.entropy, &bytes)
    }

    /// The index that it names, and the person.
    pub(crate) fn accesses_place(
        &self,
        token: &str,
        connection: &str,
    ) -> Result<(u64, String), NoAnswer> {
        let bytes = sealed::open(&self.secret, Purpose { what: ACCESSES, connection }, token);
        let bytes = bytes.ok_or(NoAnswer::UnknownCursor)?;
        let (before, person) = bytes.split_first_chunk().ok_or(NoAnswer::UnknownCursor)?;
        let person = String::from_utf8(person.to_vec()).map_err(|_| NoAnswer::UnknownCursor)?;
        Ok((u64::from_be_bytes(*before), person))
    }

    /// What stands in the record of a lookup that found nobody by a number: nobody else can make it.
    pub(crate) fn missed(&self, number: &str) -> [u8; 32] {
        tlog::keyed_digest(&self.secret, MISSED, number.as_bytes())
    }
}
