//! Telling a follower what changed. What comes out is not released yet: the gate records it first.

use std::collections::{BTreeSet, HashMap, HashSet};

use decide::DecisionTable;
use model::AuthorityInForce;
use server::Deadline;
use time::Date;
use wire::policy::Decision;

use super::App;
pub(crate) use crate::domain::feed::{Heard, Place};
use crate::{
    domain::{
        apart::Apart,
        feed::{Change, Unsaid},
        lookup::{relative, sees_protected},
        never_one::{annuls, never_one},
    },
    store::{RegisterStore, feed::Changes},
};

/// What a follower hears from a place on.
pub(crate) struct News {
    /// What it hears, by version, each with the person's token, and that of the person into whose record it is merged.
    pub(crate) heard: Vec<(Heard, String, Option<String>)>,
    /// Up to where it was looked for.
    pub(crate) seen: Place,
    /// Whether there was nothing after it.
    pub(crate) end_reached: bool,
}

/// Why a follower hears nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoNews {
    /// The rules allow none of the items, whoever the person is.
    NothingAllowed,
    /// The register was never at that place: it was set back.
    UnknownPlace,
    /// Not all the changes after that place are kept.
    NotKept {
        /// The oldest place from which they are, as the follower may send it.
        oldest: String,
    },
    /// The register did not answer.
    Away,
}

impl App {
    /// What a follower hears of at most `most` changes after a place; of none, where it begins now.
    pub(crate) async fn news(
        &self,
        deadline: Deadline,
        after: Option<Place>,
        most: u16,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<News, NoNews> {
        if !table.allows_anything() {
            return Err(NoNews::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        let Some(after) = after else {
            let seen = store.newest().await.map_err(away)?;
            return Ok(News { heard: Vec::new(), seen, end_reached: true });
        };
        let changes = store.changes(&after, most).await.map_err(away)?;
        let changes = match changes {
            Changes::Found(changes) => changes,
            Changes::UnknownPlace => return Err(NoNews::UnknownPlace),
            Changes::NotKept => {
                let oldest = store.floor().await.map_err(away)?.to_string();
                return Err(NoNews::NotKept { oldest });
            }
        };
        let heard = self.heard(&store, &changes, table).await.map_err(away)?;
        Ok(News {
            heard: self.tokened(&store, &decision.connection, heard).await?,
            seen: changes.last().map_or(after, Change::place),
            end_reached: changes.len() < most.into(),
        })
    }

    /// What is heard of these changes under a table.
    pub(super) async fn heard(
        &self,
        store: &RegisterStore,
        changes: &[Change],
        table: &DecisionTable,
    ) -> Result<Vec<Heard>, crate::Error> {
        let (today, none) = (self.clock.today(), Unsaid::default());
        let unsaid = unsaid(store, changes, table, today).await?;
        let hears = |change: &Change| {
            change.heard(table, unsaid.get(&change.version).unwrap_or(&none), today)
        };
        Ok(changes.iter().filter_map(hears).collect())
    }

    /// What is heard, each with the person's token for this connection, and that of the person into whose record it is merged.
    pub(super) async fn tokened(
        &self,
        store: &RegisterStore,
        connection: &str,
        heard: Vec<Heard>,
    ) -> Result<Vec<(Heard, String, Option<String>)>, NoNews> {
        let both = heard.iter().flat_map(|heard| [&heard.person_id, &heard.survivor]);
        let persons: BTreeSet<&str> = both.map(String::as_str).collect();
        let persons: Vec<&str> = persons.into_iter().collect();
        let tokens = self.tokens(store, connection, &persons).await.map_err(away)?;
        let named = |heard: Heard| {
            let token_of = |id: &String| tokens.get(id).cloned().ok_or(NoNews::Away);
            let token = token_of(&heard.person_id)?;
            let merged = heard.survivor != heard.person_id;
            let survivor = merged.then(|| token_of(&heard.survivor)).transpose()?;
            Ok((heard, token, survivor))
        };
        heard.into_iter().map(named).collect()
    }
}

pub(super) fn away(error: crate::Error) -> NoNews {
    tracing::error!(kind = super::kind(&error), "the changes could not be read");
    NoNews::Away
}

/// What a follower that may not know of protected persons does not hear, by version (I7).
async fn unsaid(
    store: &RegisterStore,
    changes: &[Change],
    table: &DecisionTable,
    today: Date,
) -> Result<HashMap<u64, Unsaid>, crate::Error> {
    // Of whom nothing is heard nothing is read, or the statements would tell that there is somebody.
    let seen = || changes.iter().filter(|change| change.is_visible(table, today));
    let persons: BTreeSet<&str> = seen().map(|change| change.person_id.as_str()).collect();
    if persons.is_empty() || sees_protected(table) {
        return Ok(HashMap::new());
    }
    // And otherwise each of these is sent, whoever was ever one with whom.
    let persons: Vec<&str> = persons.into_iter().collect();
    let once = store.once_with_hidden(&persons).await?;
    let looked_at =
        |change: &&Change| change.names_others(table) || once.contains_key(&change.person_id);
    let looked_at: Vec<&Change> = seen().filter(looked_at).collect();
    let persons: BTreeSet<&str> = looked_at.iter().map(|c| c.person_id.as_str()).collect();
    let said = store.assertions(&persons.into_iter().collect::<Vec<_>>()).await?;
    let named: Vec<&str> = said.iter().filter_map(|said| relative(&said.value)).collect();
    let hidden = store.hidden(&named).await?;
    let never = store.hidden_persons(&said).await?;
    let ids =
        looked_at.iter().flat_map(|change| [change.rules.as_str(), change.rules_before.as_str()]);
    let ids: HashSet<&str> = ids.collect();
    let rules = store.rules_of(&ids.into_iter().collect::<Vec<_>>()).await?;
    let (of, none) = (|id: &String| rules.get(id), AuthorityInForce::default());
    // Whoever was merged with somebody is folded of what was said of both, and of nobody else's.
    let said = Apart::new(said);
    let one = |change: &Change| {
        let both = [&change.rules_before, &change.rules].map(|id| of(id).unwrap_or(&none));
        let said = said.of(&change.person_id);
        let (mut annulled, of_person) = (false, &change.person_id);
        let items = match once.get(of_person) {
            None => change.same_to_see(said, &hidden, both, None),
            // Whose record leads to somebody who is shown and who is protected nevertheless.
            Some(_) if never.contains(of_person) => change.items.iter().cloned().collect(),
            Some(own) => {
                let before = own.range(..change.version).next_back();
                let before_us = before.map_or(i64::MIN, |(_, known_at_us)| *known_at_us);
                let said = never_one(said.to_vec(), &never);
                let mut own = said.iter().filter(|said| said.version == change.version);
                annulled = !own.any(|said| annuls(said).is_some());
                change.same_to_see(&said, &hidden, both, Some(before_us))
            }
        };
        (change.version, Unsaid { items, annulled })
    };
    Ok(looked_at.into_iter().map(one).collect())
}
