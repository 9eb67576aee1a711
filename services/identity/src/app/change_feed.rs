//! What agencies follow: changes from a place on, lists of persons to begin from, and whom they follow by name. What comes out
//! is not released yet: the gate records it first.

use decide::DecisionTable;
use server::Deadline;
use wire::policy::Decision;

use super::{
    App, DAY_US,
    feed::{Heard, NoNews, Place, away},
    sealed::{self, Purpose},
};
use crate::{
    Config,
    domain::{
        feed::Cursor,
        listed::{Listed, allows_naming_others, listed},
        lookup::{relatives, sees_protected},
    },
    store::{RegisterStore, change_feed, feed::Changes},
};

/// Changes or persons that one statement reads: twice as many as are wanted, within these.
const CHUNK_MIN: usize = 64;
const CHUNK_MAX: usize = 500;
/// Changes or persons that one page looks at, at most, whoever hears of them.
const LOOKED_AT_MAX: usize = 10_000;
const CHANGES: &str = "changes";
const PERSONS: &str = "persons";
/// Changes are kept for so much longer than cursors are taken: whoever writes looks at its clock before it has its turn, and
/// clocks differ.
const LONGER_US: i64 = DAY_US;
/// Changes that one transaction takes away.
const TAKEN_AT_ONCE: usize = 1_000;

/// How much may be followed.
#[derive(Clone, Copy)]
pub(super) struct Following {
    /// How long a cursor is taken, in microseconds.
    kept_us: i64,
    /// Persons that one connection follows by name.
    followed_max: u32,
}

impl Following {
    pub(super) fn of(config: &Config) -> Self {
        let days = i64::from(config.feed_retention_days);
        Self { kept_us: days.saturating_mul(DAY_US), followed_max: config.followed_max }
    }
}

/// What a caller wants to hear of, or to have listed.
pub(crate) struct Wanted<'a> {
    /// Where to go on, as it was given; empty to begin.
    pub(crate) from: &'a str,
    /// Whether it is of those alone whom it follows by name.
    pub(crate) followed_only: bool,
    /// The most of them.
    pub(crate) most: usize,
}

/// What a caller hears.
pub(crate) struct PersonNews {
    /// The changes, by version, each with the person's token, and that of the person into whose record it is merged.
    pub(crate) heard: Vec<(Heard, String, Option<String>)>,
    /// Where to go on.
    pub(crate) cursor: String,
    /// Whether there is nothing more for it.
    pub(crate) end_reached: bool,
    /// When the register was read, microseconds since 1970.
    pub(crate) seen_at_us: i64,
}

/// A page of persons.
pub(crate) struct Persons {
    /// The persons, each with its token.
    pub(crate) listed: Vec<(Listed, String)>,
    /// Where to go on; none at the end.
    pub(crate) next: Option<String>,
    /// From where to follow what changes.
    pub(crate) cursor: String,
}

/// Why a list of followed persons is not as it was to be.
#[derive(Debug)]
pub(crate) enum NotFollowed {
    /// The rules allow none of the items, whoever the person is.
    NothingAllowed,
    /// It would have more than so many.
    Full(u32),
    /// The register did not answer.
    Away,
}

fn chunk(most: usize) -> usize {
    most.saturating_mul(2).clamp(CHUNK_MIN, CHUNK_MAX)
}

impl App {
    /// What a caller hears from a place on.
    pub(crate) async fn person_news(
        &self,
        deadline: Deadline,
        wanted: &Wanted<'_>,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<PersonNews, NoNews> {
        if !table.allows_anything() {
            return Err(NoNews::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        let (connection, seen_at_us) = (decision.connection.as_str(), self.clock.now_us());
        let from = match wanted.from {
            "" => None,
            text => Some(self.opened(text, connection)?),
        };
        let place = from.as_ref().map_or(Place::START, |from| from.place.clone());
        let newest = self.newest_after(&store, from.as_ref(), connection).await?;
        let (mut heard, mut at, mut end_reached) = (Vec::new(), place, from.is_none());
        let (mut after_us, mut looked_at) = (seen_at_us, 0);
        let (followed_by, chunk) = (wanted.followed_only.then_some(connection), chunk(wanted.most));
        while !end_reached && heard.len() <= wanted.most && looked_at < LOOKED_AT_MAX {
            let range = (at.version, newest.version);
            let changes = store.changes_between(range, followed_by, chunk).await.map_err(away)?;
            let Changes::Found(changes) = changes else {
                return Err(self.not_kept(&store, connection).await?);
            };
            heard.extend(self.heard(&store, &changes, table).await.map_err(away)?);
            looked_at += changes.len();
            end_reached = changes.len() < chunk;
            if let Some(last) = changes.last() {
                (at, after_us) = (last.place(), last.known_at_us);
            }
        }
        if heard.len() > wanted.most {
            heard.truncate(wanted.most);
            end_reached = false;
            // Never where others' changes are: to whoever hears of none of those they are not there (I7).
            if let Some(last) = heard.last() {
                (at, after_us) = (last.place(), last.known_at_us);
            }
        }
        if end_reached {
            (at, after_us) = (newest, seen_at_us);
        } else if let Some(from) = &from {
            // Whoever begins with the oldest changes has as long for all the pages of them as for the first.
            after_us = after_us.max(from.after_us);
        }
        let heard = self.tokened(&store, connection, heard).await?;
        let cursor = self.sealed(&Cursor { place: at, after_us }, connection);
        Ok(PersonNews { heard, cursor, end_reached, seen_at_us })
    }

    /// The persons of whom a caller would hear, from where the list is.
    pub(crate) async fn persons(
        &self,
        deadline: Deadline,
        wanted: &Wanted<'_>,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Persons, NoNews> {
        if !table.allows_anything() {
            return Err(NoNews::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        let connection = decision.connection.as_str();
        let (begun, mut after) = match wanted.from {
            "" => (None, String::new()),
            text => {
                let (cursor, after) = self.opened_page(text, connection)?;
                (Some(cursor), after)
            }
        };
        let newest = self.newest_after(&store, begun.as_ref(), connection).await?;
        let now_us = self.clock.now_us();
        let cursor = begun.unwrap_or(Cursor { place: newest, after_us: now_us });
        let (followed_by, chunk) = (wanted.followed_only.then_some(connection), chunk(wanted.most));
        let (mut found, mut more, mut looked_at) = (Vec::new(), true, 0);
        while more && found.len() <= wanted.most && looked_at < LOOKED_AT_MAX {
            let records = store.persons_after(&after, followed_by, chunk).await.map_err(away)?;
            let mut hidden = Default::default();
            if allows_naming_others(table) && !sees_protected(table) {
                let named: Vec<&str> = records.iter().flat_map(relatives).collect();
                hidden = store.hidden(&named).await.map_err(away)?;
            }
            looked_at += records.len();
            more = records.len() == chunk;
            if let Some(last) = records.last() {
                after.clone_from(&last.person_id);
            }
            let today = self.clock.today();
            let one = |record| listed(record, table, &hidden, today);
            found.extend(records.into_iter().filter_map(one));
        }
        if found.len() > wanted.most {
            found.truncate(wanted.most);
            more = true;
            if let Some(last) = found.last() {
                after.clone_from(&last.person_id);
            }
        }
        let next = more.then(|| self.sealed_page(&cursor, &after, connection));
        let persons: Vec<&str> = found.iter().map(|one| one.person_id.as_str()).collect();
        let tokens = self.tokens(&store, connection, &persons).await.map_err(away)?;
        let named = |one: Listed| {
            let token = tokens.get(&one.person_id).cloned().ok_or(NoNews::Away)?;
            Ok((one, token))
        };
        let listed = found.into_iter().map(named).collect::<Result<_, _>>()?;
        Ok(Persons { listed, next, cursor: self.sealed(&cursor, connection) })
    }

    /// Where the register is, where the follower's place is one that it was at and from which all is kept.
    async fn newest_after(
        &self,
        store: &RegisterStore,
        from: Option<&Cursor>,
        connection: &str,
    ) -> Result<Place, NoNews> {
        let place = from.map_or(Place::START, |from| from.place.clone());
        let standing = store.standing(&place).await.map_err(away)?;
        let Some(from) = from else { return Ok(standing.newest) };
        if !standing.was_there || standing.newest.version < place.version {
            return Err(NoNews::UnknownPlace);
        }
        // By how old it is, whatever has happened since: otherwise it would tell that something has (I7).
        let too_old = from.after_us < self.clock.now_us().saturating_sub(self.following.kept_us);
        if too_old || place.version < standing.floor.version {
            let oldest = self.oldest(standing.floor, connection);
            return Err(NoNews::NotKept { oldest });
        }
        Ok(standing.newest)
    }

    /// What was kept a moment ago is not any more.
    async fn not_kept(&self, store: &RegisterStore, connection: &str) -> Result<NoNews, NoNews> {
        let floor = store.floor().await.map_err(away)?;
        Ok(NoNews::NotKept { oldest: self.oldest(floor, connection) })
    }

    /// A cursor from which all that is kept is told, for a while.
    fn oldest(&self, floor: Place, connection: &str) -> String {
        let line_us = self.clock.now_us().saturating_sub(self.following.kept_us);
        let after_us = line_us.saturating_add(LONGER_US / 2);
        self.sealed(&Cursor { place: floor, after_us }, connection)
    }

    fn sealed(&self, cursor: &Cursor, connection: &str) -> String {
        let purpose = Purpose { what: CHANGES, connection };
        sealed::seal(&self.secret, purpose, &self.entropy, &cursor.to_bytes())
    }

    fn opened(&self, text: &str, connection: &str) -> Result<Cursor, NoNews> {
        let purpose = Purpose { what: CHANGES, connection };
        let bytes = sealed::open(&self.secret, purpose, text).ok_or(NoNews::UnknownPlace)?;
        match Cursor::parse(&bytes) {
            Some((cursor, [])) => Ok(cursor),
            Some(_) | None => Err(NoNews::UnknownPlace),
        }
    }

    fn sealed_page(&self, cursor: &Cursor, after: &str, connection: &str) -> String {
        let bytes = [&cursor.to_bytes()[..], after.as_bytes()].concat();
        let purpose = Purpose { what: PERSONS, connection };
        sealed::seal(&self.secret, purpose, &self.entropy, &bytes)
    }

    fn opened_page(&self, text: &str, connection: &str) -> Result<(Cursor, String), NoNews> {
        let purpose = Purpose { what: PERSONS, connection };
        let bytes = sealed::open(&self.secret, purpose, text).ok_or(NoNews::UnknownPlace)?;
        let (cursor, after) = Cursor::parse(&bytes).ok_or(NoNews::UnknownPlace)?;
        let after = std::str::from_utf8(after).map_err(|_| NoNews::UnknownPlace)?;
        Ok((cursor, after.to_owned()))
    }

    /// Adds tokens to those that a connection follows by name, or takes them off; says how many it follows then.
    pub(crate) async fn follow(
        &self,
        deadline: Deadline,
        tokens: &[String],
        on: bool,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<u64, NotFollowed> {
        if !table.allows_anything() {
            return Err(NotFollowed::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        let (connection, most) = (decision.connection.as_str(), self.following.followed_max);
        let followed = if on {
            store.follow(connection, tokens, most).await
        } else {
            store.unfollow(connection, tokens).await
        };
        followed.map_err(|error| match error {
            change_feed::NotFollowed::Full => NotFollowed::Full(most),
            change_feed::NotFollowed::Register(error) => {
                tracing::error!(kind = super::kind(&error), "the followed could not be written");
                NotFollowed::Away
            }
        })
    }

    /// Takes away the changes that are older than they are told, and says how many.
    pub(crate) async fn take_old_changes_away(&self) -> Result<u64, crate::Error> {
        let longest_us = self.following.kept_us.saturating_add(LONGER_US);
        let before_us = self.clock.now_us().saturating_sub(longest_us);
        let mut all = 0;
        loop {
            let taken = self.store.take_away(before_us, TAKEN_AT_ONCE).await?;
            all += taken;
            if taken < TAKEN_AT_ONCE as u64 {
                return Ok(all);
            }
        }
    }
}
