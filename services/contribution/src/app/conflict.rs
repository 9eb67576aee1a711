//! Conflicts between sources: read, handed over, lapsed.

use std::collections::BTreeSet;

use contract::register::v1::GetDisagreementAnswer;
use model::Disagreement;
use server::Deadline;

use super::{App, NoOutcome, REPEAT_DEADLINE, away, not_applied};
use crate::{
    Error,
    domain::conflict::{Conflict, REGISTER},
    store::outcome::Side,
};

/// A conflict with what was contributed on both sides, as far as it was here.
pub(crate) struct Sides {
    /// The conflict.
    pub(crate) conflict: Conflict,
    /// What disagrees.
    pub(crate) disagreeing: Option<Side>,
    /// What is held.
    pub(crate) held: Option<Side>,
}

/// Whoever is asked about where there is nobody, so that it cannot be counted whether there was somebody (I7).
const NOBODY: &str = "-";
/// Conflicts that are looked at together, whether they are listed or not.
const LOOKED_AT: u16 = 100;

impl App {
    /// Conflicts in which a database has to act, or is a side, after a place; and the place of the last one, if there are more.
    /// Of whom may not be spoken, nothing is told (I7): neither that there is one, nor its place.
    pub(crate) async fn conflicts(
        &self,
        deadline: Deadline,
        (connection, database): (&str, &str),
        owned: bool,
        (mut due_at_us, mut id): (i64, String),
        most: u16,
    ) -> Result<(Vec<Sides>, Option<(i64, String)>), NoOutcome> {
        let (store, most) = (self.store.until(deadline.at()), usize::from(most));
        let mut shown: Vec<Conflict> = Vec::new();
        loop {
            let found = store.conflicts(database, owned, (due_at_us, &id), LOOKED_AT).await;
            let found = found.map_err(|error| away(&error))?;
            let (looked_at, last) = (found.len(), found.last().cloned());
            shown.extend(self.visible(deadline, connection, found).await?);
            match last.filter(|_| looked_at == usize::from(LOOKED_AT) && shown.len() <= most) {
                Some(last) => (due_at_us, id) = (last.due_at_us, last.id),
                None => break,
            }
        }
        let more = shown.len() > most;
        shown.truncate(most);
        let last = shown.last().filter(|_| more);
        let next = last.map(|last| (last.due_at_us, last.id.clone()));
        Ok((self.sides(shown).await?, next))
    }

    /// Those of the conflicts that are about persons of whom may be spoken.
    async fn visible(
        &self,
        deadline: Deadline,
        connection: &str,
        mut found: Vec<Conflict>,
    ) -> Result<Vec<Conflict>, NoOutcome> {
        let persons = found.iter().map(|one| one.about.person_id.clone());
        let mut persons: BTreeSet<String> = persons.collect();
        if persons.is_empty() {
            persons.insert(NOBODY.to_owned());
        }
        let persons = persons.into_iter().collect();
        let visible = self.register.visible(deadline, persons, connection).await;
        let visible = visible.map_err(not_applied)?;
        found.retain(|one| visible.contains(&one.about.person_id));
        Ok(found)
    }

    /// A conflict that a database may decide, with what both say, if of the person may be spoken and they still disagree.
    pub(crate) async fn conflict(
        &self,
        deadline: Deadline,
        (connection, database): (&str, &str),
        (id, item): (&str, &str),
    ) -> Result<Option<(Sides, GetDisagreementAnswer)>, NoOutcome> {
        let found = self.store.until(deadline.at()).conflict(id).await;
        let found = found.map_err(|error| away(&error))?;
        let decides = |one: &Conflict| one.about.item == item && one.is_decided_by(database);
        let found = found.filter(decides);
        let about = found.as_ref().map_or_else(nothing, |found| found.about.clone());
        let said = self.register.disagreement(deadline, &about, connection).await;
        let said = said.map_err(not_applied)?;
        let Some(found) = found.filter(|_| said.disagreeing.is_some()) else { return Ok(None) };
        Ok(self.sides(vec![found]).await?.pop().map(|sides| (sides, said)))
    }

    /// Hands a conflict over, if it is the database's to hand and of the person may be spoken.
    pub(crate) async fn hand_over(
        &self,
        deadline: Deadline,
        (connection, database): (&str, &str),
        id: &str,
        message: &str,
    ) -> Result<Option<Sides>, NoOutcome> {
        let found = self.store.until(deadline.at()).conflict(id).await;
        let found = found.map_err(|error| away(&error))?;
        let now_us = self.clock.now_us();
        let handed = |was: &Conflict| was.handed_over(database, message, now_us, self.conflict_us);
        let found = found.filter(|was| handed(was).is_some());
        let found = self.visible(deadline, connection, found.into_iter().collect()).await?.pop();
        let Some((was, is)) = found.and_then(|was| handed(&was).map(|is| (was, is))) else {
            return Ok(None);
        };
        if is != was {
            let moved = self.store.move_on(was, is.clone(), now_us, true).await;
            if !moved.map_err(|error| away(&error))? {
                return Ok(None);
            }
        }
        Ok(self.sides(vec![is]).await?.pop())
    }

    /// Hands what owners let lie to the register's own officers, as far as the register says of whom may be spoken: of others it
    /// goes there too, and nobody is told (I7). Says how many conflicts are open and overdue.
    pub(crate) async fn lapse_conflicts(&self) -> Result<(u64, u64), Error> {
        let now_us = self.clock.now_us();
        loop {
            let found = self.store.lapsed(now_us).await?;
            if found.is_empty() {
                break;
            }
            let deadline = Deadline::after(REPEAT_DEADLINE);
            let Ok(visible) = self.visible(deadline, REGISTER, found.clone()).await else { break };
            let mut moved = false;
            for was in found {
                let Some(is) = was.lapsed(now_us, self.conflict_us) else { continue };
                let telling = visible.contains(&was);
                moved |= self.store.move_on(was, is, now_us, telling).await?;
            }
            // What others have moved meanwhile is looked at the next time.
            if !moved {
                break;
            }
        }
        self.store.open_conflicts(now_us).await
    }

    async fn sides(&self, found: Vec<Conflict>) -> Result<Vec<Sides>, NoOutcome> {
        let ids = found.iter().flat_map(|one| {
            [one.about.contribution_id.as_str(), one.about.against_contribution_id.as_str()]
        });
        let ids: Vec<&str> = ids.collect();
        let sides = self.store.sides(&ids).await.map_err(|error| away(&error))?;
        let with = |conflict: Conflict| {
            // One contribution may be a side of several.
            let of = |id: &str| sides.iter().find(|side| side.contribution_id == id).cloned();
            let disagreeing = of(&conflict.about.contribution_id);
            let held = of(&conflict.about.against_contribution_id);
            Sides { conflict, disagreeing, held }
        };
        Ok(found.into_iter().map(with).collect())
    }
}

/// What is asked about where there is no conflict.
fn nothing() -> Disagreement {
    let nobody = || NOBODY.to_owned();
    Disagreement {
        person_id: nobody(),
        item: nobody(),
        contribution_id: nobody(),
        source: nobody(),
        against_contribution_id: nobody(),
        against_source: nobody(),
    }
}
