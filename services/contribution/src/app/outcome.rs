//! What became of contributions; taking one back.

use server::Deadline;

use super::{App, NoOutcome, away};
use crate::{
    client::Named,
    domain::Outcome,
    store::{Submission, outcome::Told},
};

impl App {
    /// What a connection is told after a place, in order; none when it never got as far.
    pub(crate) async fn outcomes(
        &self,
        deadline: Deadline,
        connection: &str,
        after: u64,
        most: u16,
    ) -> Result<Option<Vec<Told>>, NoOutcome> {
        let told = self.store.until(deadline.at()).outcomes(connection, after, most).await;
        told.map_err(|error| away(&error))
    }

    /// Takes a contribution back that has no outcome, and gives what it has now; none when there is no such contribution.
    /// The register says which came first: it keeps that the contribution is withdrawn as it keeps any other outcome.
    pub(crate) async fn withdraw(
        &self,
        deadline: Deadline,
        connection: &str,
        key: &str,
    ) -> Result<Option<(Submission, Outcome)>, NoOutcome> {
        let known = self.store.until(deadline.at()).by_key(connection, key).await;
        let Some(known) = known.map_err(|error| away(&error))? else { return Ok(None) };
        let outcome = match &known.outcome {
            Some(outcome) => outcome.clone(),
            None => self.settle(deadline, &known, &Named::Withdrawn).await?,
        };
        Ok(Some((known, outcome)))
    }
}
