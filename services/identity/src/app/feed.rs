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
        feed::Change,
        lookup::{relative, sees_protected},
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
        let (today, none) = (self.clock.today(), HashSet::new());
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

/// The items of which a follower that may not know of protected persons hears nothing, by version (I7).
async fn unsaid(
    store: &RegisterStore,
    changes: &[Change],
    table: &DecisionTable,
    today: Date,
) -> Result<HashMap<u64, HashSet<String>>, crate::Error> {
    // Of whom nothing is heard nothing is read, or the statements would tell that there is somebody.
    let looked_at =
        |change: &&Change| change.names_others(table) && change.is_visible(table, today);
    let naming: Vec<&Change> = changes.iter().filter(looked_at).collect();
    if naming.is_empty() || sees_protected(table) {
        return Ok(HashMap::new());
    }
    let persons: Vec<&str> = naming.iter().map(|c| c.person_id.as_str()).collect();
    let said = store.assertions(&persons).await?;
    let named: Vec<&str> = said.iter().filter_map(|said| relative(&said.value)).collect();
    let hidden = store.hidden(&named).await?;
    let ids =
        naming.iter().flat_map(|change| [change.rules.as_str(), change.rules_before.as_str()]);
    let ids: HashSet<&str> = ids.collect();
    let rules = store.rules_of(&ids.into_iter().collect::<Vec<_>>()).await?;
    let (of, none) = (|id: &String| rules.get(id), AuthorityInForce::default());
    // Whoever was merged with somebody is folded of what was said of both, and of nobody else's.
    let said = Apart::new(said);
    let one = |change: &Change| {
        let both = [&change.rules_before, &change.rules].map(|id| of(id).unwrap_or(&none));
        (change.version, change.same_to_see(said.of(&change.person_id), &hidden, both))
    };
    Ok(naming.into_iter().map(one).collect())
}
