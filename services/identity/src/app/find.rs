//! Finding persons whose number is not known: read, choose, charge. What comes out is not released yet: the gate records it
//! first.

use std::collections::HashSet;

use decide::DecisionTable;
use model::{GoldenRecord, Name, NameLevel};
use server::Deadline;
use time::OffsetDateTime;
use wire::policy::Decision;

use super::{App, NoAnswer};
use crate::{
    domain::{
        consent::Cited,
        find::{Hit, Known, Resolution, Wanted, may_find, resolve},
        lookup::{relatives, sees_protected},
    },
    store::{RegisterStore, find::SOME_MAX},
};

/// Persons of a search, of all its pages.
const LISTED_MAX: u32 = 100;
/// Records that one page looks at, at most: most of a name agree at every level.
const LOOKED_AT_MAX: usize = 1000;
/// What is charged to the budget of a name: for asking whether one person is so, and for a list of persons, which tells more.
const RESOLVE_COSTS: u32 = 1;
const SEARCH_COSTS: u32 = 4;
/// What the register's key is used for; no two uses meet.
const OF_NAMES: &str = "lienthong/tries-per-name/1";
const OF_CURSORS: &str = "lienthong/search-cursor/1";

/// How looking for one person ended.
pub(crate) struct Resolved {
    /// How.
    pub(crate) resolution: Resolution,
    /// The person's token for the caller, where there is exactly one.
    pub(crate) token: Option<String>,
    /// When the register answered.
    pub(crate) at: OffsetDateTime,
}

/// A search, or where one goes on.
pub(crate) struct Search {
    /// Whom to list.
    pub(crate) wanted: Wanted,
    /// Where to go on; none to begin.
    pub(crate) cursor: Option<String>,
    /// The most persons on the page.
    pub(crate) most: u32,
    /// The version that must have been seen; 0 for any.
    pub(crate) min_version: u64,
}

/// A person of a page.
pub(crate) struct Listed {
    /// The person.
    pub(crate) hit: Hit,
    /// Its token for the caller.
    pub(crate) token: String,
}

/// A page of a search.
pub(crate) struct Page {
    /// The persons.
    pub(crate) listed: Vec<Listed>,
    /// Where to go on; none at the end.
    pub(crate) next: Option<String>,
    /// Whether there are more than a search lists.
    pub(crate) truncated: bool,
    /// When the register answered.
    pub(crate) at: OffsetDateTime,
}

/// Where a search is: persons listed so far, and the last of them.
#[derive(Default)]
struct Position {
    listed: u32,
    after: String,
}

/// The budgets that finding is charged to, with their ends.
struct Budgets {
    window_start_ms: i64,
    misses: (String, i64),
    tries: (String, i64),
}

impl App {
    /// Finds the one person of whom everything is true. Nobody, several and one who is hidden cost the same, and take the
    /// same statements (I7).
    pub(crate) async fn resolve(
        &self,
        deadline: Deadline,
        known: &Known,
        (min_version, cited): (u64, Option<&Cited>),
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Resolved, NoAnswer> {
        let store = self.ready(deadline, min_version, table, cited.is_some()).await?;
        let connection = &decision.connection;
        let budgets = self.budgets(connection, &known.name);
        self.not_spent(&store, &budgets).await?;
        // Before anything is read, so that of many guesses at the same time no more are answered than of one after the other.
        self.charge_finding(&budgets, RESOLVE_COSTS).await?;
        let records = store.candidates(known).await.map_err(away)?;
        let mut hidden = HashSet::new();
        if known.parent.is_some() && !sees_protected(table) {
            let named: Vec<&str> = records.iter().flat_map(relatives).collect();
            hidden = store.hidden(&named).await.map_err(away)?;
        }
        let mut consent = None;
        if let Some(Cited { reference, .. }) = cited {
            consent = store.consents(&[reference]).await.map_err(away)?.remove(reference);
        }
        let now_us = self.clock.now_us();
        let of = |record: &GoldenRecord| {
            let (consent, cited) = (consent.as_ref()?, cited?);
            consent.counts(cited, &record.person_id, now_us).then_some(consent)
        };
        let resolution = resolve(known, records, &hidden, of, table, self.clock.today());
        let mut token = None;
        if let Resolution::One(hit) = &resolution {
            let person = hit.person_id.as_str();
            let mut tokens = self.tokens(&store, connection, &[person]).await.map_err(away)?;
            token = Some(tokens.remove(person).ok_or(NoAnswer::Away)?);
        } else {
            self.charge_miss(&budgets).await?;
        }
        Ok(Resolved { resolution, token, at: self.clock.now() })
    }

    /// Lists persons of a name, from where the search is.
    pub(crate) async fn search(
        &self,
        deadline: Deadline,
        search: &Search,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Page, NoAnswer> {
        let store = self.ready(deadline, search.min_version, table, false).await?;
        let (wanted, connection) = (&search.wanted, &decision.connection);
        let budgets = self.budgets(connection, &wanted.name);
        let from = match &search.cursor {
            Some(cursor) => self.position(&store, cursor, connection, wanted).await?,
            None => {
                self.not_spent(&store, &budgets).await?;
                // Whoever narrows a range again and again asks about persons of one name, whoever is found.
                self.charge_finding(&budgets, SEARCH_COSTS).await?;
                Position::default()
            }
        };
        let most = search.most.min(LISTED_MAX.saturating_sub(from.listed));
        let (hits, more) = self.hits(&store, wanted, &from.after, most as usize, table).await?;
        if search.cursor.is_none() && hits.is_empty() {
            self.charge_miss(&budgets).await?;
        }
        let persons: Vec<&str> = hits.iter().map(|hit| hit.person_id.as_str()).collect();
        let mut tokens = self.tokens(&store, connection, &persons).await.map_err(away)?;
        let named = |hit: Hit| {
            let token = tokens.remove(&hit.person_id).ok_or(NoAnswer::Away)?;
            Ok(Listed { hit, token })
        };
        let listed: Vec<Listed> = hits.into_iter().map(named).collect::<Result<_, _>>()?;
        let so_far = from.listed + u32::try_from(listed.len()).unwrap_or(LISTED_MAX);
        let last = listed.last().filter(|_| more && so_far < LISTED_MAX);
        let next = last.map(|last| self.cursor(so_far, &last.token, connection, wanted));
        let truncated = more && next.is_none();
        Ok(Page { listed, next, truncated, at: self.clock.now() })
    }

    /// The register, where everybody in it can be found and it has seen a version.
    async fn ready(
        &self,
        deadline: Deadline,
        min_version: u64,
        table: &DecisionTable,
        consented: bool,
    ) -> Result<RegisterStore, NoAnswer> {
        if !may_find(table, consented) {
            return Err(NoAnswer::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        if min_version > 0 {
            let version = store.version().await.map_err(|error| away(error.into()))?;
            if version < min_version {
                return Err(NoAnswer::Behind);
            }
        }
        self.keyed(&store).await?;
        Ok(store)
    }

    /// Nobody is found, and nobody's relations are, until everybody has keys. Asked each time: another process may begin to give
    /// everybody others.
    pub(super) async fn keyed(&self, store: &RegisterStore) -> Result<(), NoAnswer> {
        if store.is_keyed().await.map_err(away)? {
            return Ok(());
        }
        tracing::warn!("persons are still being given the keys by which they are found");
        Err(NoAnswer::Away)
    }

    /// At most so many of those who are wanted, after a person, and whether there are more.
    async fn hits(
        &self,
        store: &RegisterStore,
        wanted: &Wanted,
        after: &str,
        most: usize,
        table: &DecisionTable,
    ) -> Result<(Vec<Hit>, bool), NoAnswer> {
        let (sees, today) = (sees_protected(table), self.clock.today());
        let (mut hits, mut after, mut looked_at) = (Vec::new(), after.to_owned(), 0);
        while looked_at < LOOKED_AT_MAX {
            let records = store.named(wanted, &after, sees).await.map_err(away)?;
            looked_at += records.len();
            hits.extend(records.iter().filter_map(|record| wanted.hit(record, table, today)));
            if hits.len() > most {
                hits.truncate(most);
                return Ok((hits, true));
            }
            match records.last() {
                Some(last) if records.len() == SOME_MAX => after.clone_from(&last.person_id),
                Some(_) | None => return Ok((hits, false)),
            }
        }
        Ok((hits, true))
    }

    /// The budgets of a connection: of misses, which lookups share, and of persons of a name. The latter hides the name, so
    /// that whoever reads the table learns nothing, and is one for all its spellings.
    fn budgets(&self, connection: &str, name: &Name) -> Budgets {
        let mut key = name.match_key(NameLevel::L4);
        if key.is_empty() {
            key = name.match_key(NameLevel::L3);
        }
        let name = hex::encode(tlog::keyed_digest(&self.secret, OF_NAMES, key.as_bytes()));
        Budgets {
            window_start_ms: self.window_start_ms(),
            misses: (connection.to_owned(), self.budget.misses_max.into()),
            tries: (format!("{connection} name {name}"), self.budget.tries_per_name_max.into()),
        }
    }

    async fn not_spent(&self, store: &RegisterStore, budgets: &Budgets) -> Result<(), NoAnswer> {
        let Budgets { window_start_ms, misses, tries } = budgets;
        let names = [misses.0.clone(), tries.0.clone()];
        let spent = store.spent(*window_start_ms, &names).await.map_err(away)?;
        let is_spent = |(budget, max): &(String, i64)| spent.get(budget).is_some_and(|s| s >= max);
        if is_spent(misses) || is_spent(tries) { Err(self.budget_spent()) } else { Ok(()) }
    }

    /// Charges the budget of the name, durably, before anything is read. What was read of both is past: others may have spent
    /// the rest at the same time.
    async fn charge_finding(&self, budgets: &Budgets, tries: u32) -> Result<(), NoAnswer> {
        let Budgets { window_start_ms, misses: (missed, missed_max), tries: (tried, tried_max) } =
            budgets;
        let amounts = vec![(missed.clone(), 0), (tried.clone(), tries)];
        let spent = self.charge_all(*window_start_ms, amounts).await.ok_or(NoAnswer::Away)?;
        let mut ends = spent.iter().zip([missed_max, tried_max]);
        if ends.any(|(spent, max)| spent > max) { Err(self.budget_spent()) } else { Ok(()) }
    }

    /// Charges a miss, durably, before there is an answer. The try was charged before; what others try meanwhile makes this one
    /// no other.
    async fn charge_miss(&self, budgets: &Budgets) -> Result<(), NoAnswer> {
        let (missed, max) = budgets.misses.clone();
        let spent = self.charge(budgets.window_start_ms, missed, 1).await.ok_or(NoAnswer::Away)?;
        if spent > max { Err(self.budget_spent()) } else { Ok(()) }
    }

    /// Where a search goes on: after so many persons, of whom the caller knows the last one by this token.
    fn cursor(&self, listed: u32, token: &str, connection: &str, wanted: &Wanted) -> String {
        let place = format!("{listed}.{token}");
        // None of these but the name can hold the end of a line, and that stands last.
        let bound = format!("{place}\n{connection}\n{}", wanted.written());
        let mac = tlog::keyed_digest(&self.secret, OF_CURSORS, bound.as_bytes());
        format!("{place}.{}", hex::encode(mac))
    }

    /// The position that a cursor of this search names, for this caller.
    async fn position(
        &self,
        store: &RegisterStore,
        cursor: &str,
        connection: &str,
        wanted: &Wanted,
    ) -> Result<Position, NoAnswer> {
        let mut parts = cursor.splitn(3, '.');
        let (Some(listed), Some(token)) = (parts.next(), parts.next()) else {
            return Err(NoAnswer::UnknownCursor);
        };
        let listed: u32 = listed.parse().map_err(|_| NoAnswer::UnknownCursor)?;
        if self.cursor(listed, token, connection, wanted) != cursor {
            return Err(NoAnswer::UnknownCursor);
        }
        // A register that was set back to an earlier state may have lost the token.
        let now_us = self.clock.now_us();
        let mut bearers = store.bearers(&[(connection, token)], now_us).await.map_err(away)?;
        let bearer = bearers.remove(&(connection.to_owned(), token.to_owned()));
        let after = bearer.ok_or(NoAnswer::UnknownCursor)?.named;
        Ok(Position { listed, after })
    }
}

fn away(error: crate::Error) -> NoAnswer {
    NoAnswer::away(&error, "persons could not be looked for")
}
