//! What contribution asks about those who say otherwise than what is held.

use model::{Assertion, Disagreement, disagreements, explain};
use server::Deadline;

use super::{App, NoAnswer};
use crate::store::as_of::Folded;

impl App {
    /// Those of the persons of whom may be spoken to a source.
    pub(crate) async fn visible(
        &self,
        deadline: Deadline,
        persons: &[String],
    ) -> Result<Vec<String>, NoAnswer> {
        self.store.until(deadline.at()).visible(persons).await.map_err(away)
    }

    /// What both sides of a disagreement say, if they still disagree and of the person may be spoken; who is protected and who
    /// is not there cannot be told apart, nor by what is read (I7).
    pub(crate) async fn sides(
        &self,
        deadline: Deadline,
        one: &Disagreement,
    ) -> Result<Option<(Assertion, Assertion)>, NoAnswer> {
        let store = self.store.until(deadline.at());
        if store.visible(std::slice::from_ref(&one.person_id)).await.map_err(away)?.is_empty() {
            return Ok(None);
        }
        let Folded { said, rules, .. } = store.folded(&one.person_id).await.map_err(away)?;
        if !disagreements(&one.person_id, [one.item.as_str()], &said, &rules).contains(one) {
            return Ok(None);
        }
        let all = explain(&one.person_id, &one.item, &said, &rules).concat();
        let of = |id: &str| {
            let found = all.iter().find(|(said, _)| said.provenance.contribution_id == id);
            found.map(|(said, _)| (*said).clone())
        };
        Ok(of(&one.contribution_id).zip(of(&one.against_contribution_id)))
    }
}

fn away(error: crate::Error) -> NoAnswer {
    NoAnswer::away(&error, "what disagrees could not be read")
}
