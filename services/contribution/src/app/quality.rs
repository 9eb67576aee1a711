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

    /// Counts contributions that have an outcome and are not counted yet, as many as are looked at at once, and gives how many
    /// that were.
    pub(crate) async fn count_quality(&self) -> Result<usize, Error> {
        self.store.count_quality(self.timely_days, self.clock.now_us()).await
    }
}
