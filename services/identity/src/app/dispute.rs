//! What contribution asks about those who say otherwise than what is held.

use model::{Assertion, Disagreement, disagreements, explain};
use server::Deadline;

use super::App;
use crate::store::as_of::Folded;

impl App {
    /// Those of the persons of whom may be spoken to a source; none when the register does not answer.
    pub(crate) async fn visible(
        &self,
        deadline: Deadline,
        persons: &[String],
    ) -> Option<Vec<String>> {
        self.store.until(deadline.at()).visible(persons).await.inspect_err(unread).ok()
    }

    /// What both sides of a disagreement say, if they still disagree and of the person may be spoken (I7); none when the
    /// register does not answer.
    pub(crate) async fn sides(
        &self,
        deadline: Deadline,
        one: &Disagreement,
    ) -> Option<Option<(Assertion, Assertion)>> {
        let folded = self.store.until(deadline.at()).folded(&one.person_id).await;
        let Folded { record, said, rules } = folded.inspect_err(unread).ok()?;
        let stand = disagreements(&one.person_id, [one.item.as_str()], &said, &rules);
        if record.protected || !stand.contains(one) {
            return Some(None);
        }
        let all = explain(&one.person_id, &one.item, &said, &rules).concat();
        let of = |id: &str| {
            let found = all.iter().find(|(said, _)| said.provenance.contribution_id == id);
            found.map(|(said, _)| (*said).clone())
        };
        Some(of(&one.contribution_id).zip(of(&one.against_contribution_id)))
    }
}

fn unread(error: &crate::Error) {
    tracing::error!(kind = super::kind(error), "what disagrees could not be read");
}
