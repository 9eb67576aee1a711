//! Every database that the Decision or what followed it obliges, connected or not, with what is missing and who owes it
//! (Decision 1911/QD-TTg, Art. 3(2)(b), 3(4)(a)).

use time::Date;

use super::law::{Law, Obliged};
use super::obstacle::{Found, Obstacle};

/// A connection, as far as readiness goes.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    pub(crate) id: String,
    pub(crate) database: String,
    /// What keeps it from being used; nothing where it may be.
    pub(crate) missing: Vec<Found>,
    /// Since which day it stands so; none where that is not known.
    pub(crate) since: Option<Date>,
}

/// One database that is obliged.
#[derive(Debug)]
pub(crate) struct Ready<'a> {
    pub(crate) obliged: &'a Obliged,
    pub(crate) connected: bool,
    pub(crate) since: Date,
    pub(crate) missing: Vec<Found>,
    pub(crate) connections: Vec<String>,
}

/// Every database of the list, against the connections that there are. Of several that are not open the one that misses least
/// says what is missing.
pub(crate) fn of<'a>(law: &'a Law, connections: &[Connected]) -> Vec<Ready<'a>> {
    let one = |obliged: &'a Obliged| {
        let mut own: Vec<_> = connections.iter().filter(|c| c.database == obliged.id).collect();
        own.sort_by_key(|connection| (connection.missing.len(), connection.id.clone()));
        let nearest = own.first();
        let connected = nearest.is_some_and(|nearest| nearest.missing.is_empty());
        let missing = match nearest {
            Some(nearest) => nearest.missing.clone(),
            None => vec![(Obstacle::NotApplied, String::new())],
        };
        let since = nearest.and_then(|nearest| nearest.since).unwrap_or(obliged.since);
        let mut connections: Vec<_> = own.iter().map(|connection| connection.id.clone()).collect();
        connections.sort();
        Ready { obliged, connected, since, missing, connections }
    };
    law.obliged.databases.iter().map(one).collect()
}
