//! Telling a follower what changed. What comes out is not released yet: the gate records it first.

use std::collections::{HashMap, HashSet};

use decide::DecisionTable;
use server::Deadline;
use wire::policy::Decision;

use super::App;
pub(crate) use crate::domain::feed::Heard;
use crate::{
    domain::{
        feed::Change,
        lookup::{relative, sees_protected},
    },
    store::RegisterStore,
};

/// What a follower hears from a cursor on.
pub(crate) struct News {
    /// What it hears, by version, each with the person's token.
    pub(crate) heard: Vec<(Heard, String)>,
    /// The last version that was looked at.
    pub(crate) seen: u64,
    /// Whether there was none after it.
    pub(crate) end_reached: bool,
}

/// Why a follower hears nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoNews {
    /// The rules allow none of the items, whoever the person is.
    NothingAllowed,
    /// The register never gave the cursor: it is of a later state than the register's.
    UnknownCursor,
    /// The register did not answer.
    Away,
}

impl App {
    /// What a follower hears of at most `most` changes after a version; of none, where it begins now.
    pub(crate) async fn news(
        &self,
        deadline: Deadline,
        after: Option<u64>,
        most: u16,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<News, NoNews> {
        if !table.allows_anything() {
            return Err(NoNews::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        let away = |error: crate::Error| {
            tracing::error!(kind = super::kind(&error), "the changes could not be read");
            NoNews::Away
        };
        let version = store.version().await.map_err(|error| away(error.into()))?;
        let Some(after) = after else {
            return Ok(News { heard: Vec::new(), seen: version, end_reached: true });
        };
        if after > version {
            return Err(NoNews::UnknownCursor);
        }
        let changes = store.changes(after, most).await.map_err(away)?;
        let unsaid = unsaid(&store, &changes, table).await.map_err(away)?;
        let (today, none) = (self.clock.today(), HashSet::new());
        let heard: Vec<Heard> = changes
            .iter()
            .filter_map(|change| {
                change.heard(table, unsaid.get(&change.version).unwrap_or(&none), today)
            })
            .collect();
        let mut tokens = HashMap::new();
        if !heard.is_empty() {
            let persons: Vec<&str> = heard.iter().map(|heard| heard.person_id.as_str()).collect();
            let issued = store.tokens(&decision.connection, &persons, &self.entropy).await;
            tokens = issued.map_err(away)?;
        }
        let named = |heard: Heard| {
            let token = tokens.get(&heard.person_id).cloned().ok_or(NoNews::Away)?;
            Ok((heard, token))
        };
        Ok(News {
            heard: heard.into_iter().map(named).collect::<Result<_, _>>()?,
            // What was written since the version was read may be among them, too.
            seen: changes.last().map_or(version, |change| change.version),
            end_reached: changes.len() < most.into(),
        })
    }
}

/// The items of which a follower that may not know of protected persons hears nothing, by version (I7).
async fn unsaid(
    store: &RegisterStore,
    changes: &[Change],
    table: &DecisionTable,
) -> Result<HashMap<u64, HashSet<String>>, crate::Error> {
    let naming: Vec<&Change> = changes.iter().filter(|change| change.names_others()).collect();
    if naming.is_empty() || sees_protected(table) {
        return Ok(HashMap::new());
    }
    let persons: Vec<&str> = naming.iter().map(|c| c.record.person_id.as_str()).collect();
    let said = store.assertions(&persons).await?;
    let named: Vec<&str> = said.iter().filter_map(|said| relative(&said.value)).collect();
    let hidden = store.protected(&named).await?;
    let one = |change: &Change| (change.version, change.about_hidden(&said, &hidden));
    Ok(naming.into_iter().map(one).collect())
}
