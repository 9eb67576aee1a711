//! Recording consents, withdrawing them, and telling how they are. What comes out is not released yet: the gate records it first.

use decide::DecisionTable;
use server::Deadline;
use time::OffsetDateTime;
use wire::policy::{Decision, Taken};

use super::{App, Looked, Lookup, NoAnswer};
use crate::{
    domain::{
        consent::{Consent, OWN_RECORD, Terms},
        lookup::Ending,
    },
    store::consent::Recording,
};

/// A consent that was checked, to be recorded.
pub(crate) struct Given {
    /// Who gave it.
    pub(crate) lookup: Lookup,
    /// What that person agreed to.
    pub(crate) terms: Terms,
    /// The caller's key.
    pub(crate) key: String,
    /// SHA-256 of the call's bytes.
    pub(crate) digest: [u8; 32],
}

/// A consent as it is.
pub(crate) struct Known {
    /// The consent, if there is one.
    pub(crate) consent: Option<Consent>,
    /// Whether the caller may know of it; what it may not is not told from what is not there.
    pub(crate) told: bool,
    /// When the register answered.
    pub(crate) at: OffsetDateTime,
}

/// Why a consent is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRecorded {
    /// Nobody can be found.
    Unanswered(NoAnswer),
    /// The key was used by a call of this digest.
    KeyReused([u8; 32]),
}

/// The budget of references that name nothing that the caller may know of.
fn consents_of(connection: &str) -> String {
    format!("{connection} consents")
}

impl App {
    /// How long a consent for a procedure lasts, at most.
    pub(crate) fn consent_lasts_us(&self, procedure: &str) -> i64 {
        let [longest, own] = self.consents_last_us;
        if procedure == OWN_RECORD { own.min(longest) } else { longest }
    }

    /// The consent that the same call recorded before, if it did. It is asked for first, so that a key that was used before says
    /// nothing of whoever is named now (I7), and a repeated call gets its consent whatever became of the person, and of the volume.
    pub(crate) async fn consent_before(
        &self,
        deadline: Deadline,
        connection: &str,
        given: &Given,
    ) -> Result<Option<Known>, NotRecorded> {
        let store = self.store.until(deadline.at());
        let before = store.consent_of_key(connection, &given.key).await.map_err(not_recorded)?;
        match before {
            Some((consent, first)) if first == given.digest => {
                Ok(Some(Known { consent: Some(consent), told: true, at: self.clock.now() }))
            }
            Some((_, first)) => Err(NotRecorded::KeyReused(first)),
            None => Ok(None),
        }
    }

    /// Records a consent of a person who is found as by a lookup, under a table that hides whoever may not be obtained all of it
    /// from; once for each key and bytes (I4). How looking for the person ended, and the consent, where the person is shown. Who is
    /// shown counts as told of before anything is written: the same call may be answered of it later, whatever becomes of this one.
    pub(crate) async fn record_consent(
        &self,
        deadline: Deadline,
        given: Given,
        decision: &Decision,
        table: &DecisionTable,
        taken: Taken,
    ) -> Result<(Looked, Option<Consent>), NotRecorded> {
        let Given { lookup, terms, key, digest } = given;
        let looked = self.look_up(deadline, &lookup, decision, table).await;
        let looked = looked.map_err(NotRecorded::Unanswered)?;
        let person_id = looked.named.clone().filter(|_| looked.finding.ending == Ending::Shown);
        let Some(person_id) = person_id else { return Ok((looked, None)) };
        taken.told(1);
        let reference = self.entropy.id();
        let (connection, recorded_us) = (decision.connection.clone(), self.clock.now_us());
        let recording =
            Recording { reference, person_id, terms, connection, recorded_us, key, digest };
        let recorded = self.store.until(deadline.at()).record_consent(recording).await;
        let consent = recorded.map_err(not_recorded)?.map_err(NotRecorded::KeyReused)?;
        Ok((looked, Some(consent)))
    }

    /// A consent as it is; once it is withdrawn, where that is wanted. It says nothing of the person, so nothing of the person is
    /// looked at, and whoever is protected today makes no difference (I7). What the caller may not know of is not told from what
    /// is not there.
    pub(crate) async fn consent(
        &self,
        deadline: Deadline,
        (reference, procedure): (&str, &str),
        withdraw: bool,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Known, NoAnswer> {
        if !table.allows_anything() {
            return Err(NoAnswer::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        let away = |error| NoAnswer::away(&error, "a consent could not be read");
        let connection = decision.connection.as_str();
        let (window_start_ms, budget) = (self.window_start_ms(), consents_of(connection));
        let max = i64::from(self.budget.misses_max);
        let spent =
            store.spent(window_start_ms, std::slice::from_ref(&budget)).await.map_err(away)?;
        if spent.get(&budget).is_some_and(|spent| *spent >= max) {
            return Err(self.budget_spent());
        }
        let found = store.consents(&[reference]).await.map_err(away)?.remove(reference);
        let known = |consent: &Consent| consent.is_known_to(connection, procedure, table);
        let told = found.as_ref().is_some_and(known);
        let consent = match found {
            unknown @ (None | Some(_)) if !told => {
                let spent = self.charge(window_start_ms, budget, 1).await.ok_or(NoAnswer::Away)?;
                // What was read is past: others may have spent the rest at the same time.
                if spent > max {
                    return Err(self.budget_spent());
                }
                unknown
            }
            None => None,
            Some(_) if withdraw => {
                let (reference, by) = (reference.to_owned(), connection.to_owned());
                let withdrawn = store.withdraw_consent(reference, by, self.clock.now_us()).await;
                Some(withdrawn.map_err(away)?)
            }
            Some(consent) => Some(consent),
        };
        Ok(Known { consent, told, at: self.clock.now() })
    }
}

fn not_recorded(error: crate::Error) -> NotRecorded {
    NotRecorded::Unanswered(NoAnswer::away(&error, "a consent could not be recorded"))
}
