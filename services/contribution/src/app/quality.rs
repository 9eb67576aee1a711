//! How good the values are that sources contribute.

use server::Deadline;

use super::{App, NoOutcome, away};
use crate::{
    Error,
    domain::quality::{Counts, Place},
};

impl App {
    /// The sums of a database, or of all, until a month and after a place, in order.
    pub(crate) async fn quality(
        &self,
        deadline: Deadline,
        source: Option<&str>,
        until: &str,
        after: &Place,
        most: u16,
    ) -> Result<Vec<(Place, Counts)>, NoOutcome> {
        let sums = self.store.until(deadline.at()).quality(source, until, after, most).await;
        sums.map_err(|error| away(&error))
    }

    /// Counts every contribution that has an outcome and is not counted yet, and gives how many that were.
    pub(crate) async fn count_quality(&self) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            match self.store.count_quality(self.timely_days).await? {
                0 => return Ok(all),
                counted => all += counted,
            }
        }
    }
}
