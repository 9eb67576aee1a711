//! What became of contributions; taking one back.

use server::Deadline;

use super::{App, NoOutcome, away};
use crate::{client::Named, store::outcome::Told};

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
    ) -> Result<Option<Told>, NoOutcome> {
        let known = self.store.until(deadline.at()).by_key(connection, key).await;
        let Some(known) = known.map_err(|error| away(&error))? else { return Ok(None) };
        if known.outcome.is_none() {
            self.settle(deadline, &known, &Named::Withdrawn).await?;
        }
        let outcome = self.store.until(deadline.at()).outcome(&known.contribution_id).await;
        let outcome = outcome.map_err(|error| away(&error))?;
        // One that an earlier version of this program settled is listed when it is counted.
        outcome.map(Some).ok_or(NoOutcome::Away)
    }
}
