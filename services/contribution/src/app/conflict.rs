//! Conflicts between sources: read, handed over, lapsed.

use contract::register::v1::GetDisagreementAnswer;
use server::Deadline;

use super::{App, NoOutcome, away, not_applied};
use crate::{Error, domain::conflict::Conflict, store::outcome::Side};

/// A conflict with what was contributed on both sides, as far as it was here.
pub(crate) struct Sides {
    /// The conflict.
    pub(crate) conflict: Conflict,
    /// What disagrees.
    pub(crate) disagreeing: Option<Side>,
    /// What is held.
    pub(crate) held: Option<Side>,
}

impl App {
    /// Conflicts in which a database has to act, or is a side, after a place; and the place of the last that was looked at, if
    /// there may be more. Of whom may not be spoken, nothing is told (I7).
    pub(crate) async fn conflicts(
        &self,
        deadline: Deadline,
        (connection, database): (&str, &str),
        owned: bool,
        after: (i64, &str),
        most: u16,
    ) -> Result<(Vec<Sides>, Option<(i64, String)>), NoOutcome> {
        let store = self.store.until(deadline.at());
        let found = store.conflicts(database, owned, after, most).await;
        let mut found = found.map_err(|error| away(&error))?;
        let last = found.last().filter(|_| found.len() == usize::from(most));
        let next = last.map(|last| (last.due_at_us, last.id.clone()));
        let mut persons: Vec<String> =
            found.iter().map(|one| one.about.person_id.clone()).collect();
        persons.sort();
        persons.dedup();
        let visible = self.register.visible(deadline, persons, connection).await;
        let visible = visible.map_err(not_applied)?;
        found.retain(|one| visible.contains(&one.about.person_id));
        Ok((self.sides(found).await?, next))
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
        let Some(found) = found.filter(decides) else { return Ok(None) };
        let said = self.register.disagreement(deadline, &found.about, connection).await;
        let said = said.map_err(not_applied)?;
        if said.disagreeing.is_none() {
            return Ok(None);
        }
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
        let Some(was) = found.map_err(|error| away(&error))? else { return Ok(None) };
        let now_us = self.clock.now_us();
        let Some(is) = was.handed_over(database, message, now_us, self.conflict_us) else {
            return Ok(None);
        };
        let persons = vec![was.about.person_id.clone()];
        let visible = self.register.visible(deadline, persons, connection).await;
        if visible.map_err(not_applied)?.is_empty() {
            return Ok(None);
        }
        if is != was {
            let moved = self.store.move_on(was, is.clone(), now_us).await;
            if !moved.map_err(|error| away(&error))? {
                return Ok(None);
            }
        }
        Ok(self.sides(vec![is]).await?.pop())
    }

    /// Hands what owners let lie to the register's own officers, and says how many conflicts are open and overdue.
    pub(crate) async fn lapse_conflicts(&self) -> Result<(u64, u64), Error> {
        let now_us = self.clock.now_us();
        while self.store.lapse(now_us, self.conflict_us).await? > 0 {}
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
