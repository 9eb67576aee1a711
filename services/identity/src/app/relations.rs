//! Relations and households: the subject as in a lookup, then the others. What comes out is not released yet: the gate records it
//! first.

use decide::{DecisionTable, ItemDecision, TableAnswer};
use model::{
    GoldenRecord,
    item::{HOUSEHOLD, RELATIVES},
};
use server::Deadline;
use wire::policy::Decision;

use super::{App, Looked, Lookup, NoAnswer};
use crate::{
    domain::{
        lookup::{Ending, ItemTold, sees_protected},
        relations::{
            Asked, Home, Member, Other, RELATED_MAX, Related, allows_file, named_in, residence_file,
        },
    },
    store::{
        RegisterStore,
        relations::{IN_FILE_MAX, NAMING_MAX},
    },
};

/// In which direction relations are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Whom the subject's record names.
    Forward,
    /// Whose records name the subject.
    Inverse,
}

/// The others whom a caller is told of, beside the subject.
pub(crate) struct Told<T> {
    /// The subject, as a lookup finds it.
    pub(crate) looked: Looked,
    /// What withholds all of them, of a subject who is shown.
    pub(crate) withheld: Option<ItemDecision>,
    /// The others, each with its token for the caller; an empty one of somebody who is nobody of the register.
    pub(crate) others: Vec<(T, String)>,
    /// Whether there are more.
    pub(crate) truncated: bool,
}

/// A household as it is told.
pub(crate) struct Household {
    /// The members.
    pub(crate) told: Told<Member>,
    /// Whether a record that is told names the subject as the head.
    pub(crate) head: bool,
    /// One outcome for each item that is wanted, of the subject (I3).
    pub(crate) items: Vec<ItemTold>,
}

impl App {
    /// Tells to whom a person is related. What is read depends on what is asked and on whom the caller may know of, never on
    /// whoever is hidden (I7).
    pub(crate) async fn relations(
        &self,
        deadline: Deadline,
        lookup: &Lookup,
        direction: Direction,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Told<Related>, NoAnswer> {
        let (store, looked) = self.keyed_subject(deadline, lookup, decision, table).await?;
        let asked = Asked { item: RELATIVES, table, today: self.clock.today() };
        let (subject, row) = match subject(&asked, &looked) {
            Ok(found) => found,
            Err(withheld) => {
                let withheld = withheld.cloned();
                return Ok(Told::nobody(looked, withheld));
            }
        };
        let (related, overflowed) = match direction {
            Direction::Forward => {
                let bearers = store.records(&named_in(subject, RELATIVES)).await.map_err(away)?;
                (asked.forward(subject, row, &bearers), false)
            }
            Direction::Inverse => {
                let ids = [subject.person_id.as_str()];
                let naming = store.naming(RELATIVES, &ids, sees_protected(table)).await;
                let naming = naming.map_err(away)?;
                (asked.inverse(&subject.person_id, &naming), naming.len() == NAMING_MAX)
            }
        };
        let truncated = overflowed || related.len() > RELATED_MAX;
        let mut others = self.named(&store, decision, related, |related| &related.other).await?;
        // By the caller's own tokens, whose order says nothing.
        others.sort_by(|(one, left), (other, right)| {
            (one.kind, left.is_empty(), left).cmp(&(other.kind, right.is_empty(), right))
        });
        Ok(Told { looked, withheld: None, others, truncated })
    }

    /// Tells who lives with a person, in the same way.
    pub(crate) async fn household(
        &self,
        deadline: Deadline,
        lookup: &Lookup,
        by_file: bool,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<Household, NoAnswer> {
        let (store, looked) = self.keyed_subject(deadline, lookup, decision, table).await?;
        let asked = Asked { item: HOUSEHOLD, table, today: self.clock.today() };
        let (subject, row) = match subject(&asked, &looked) {
            Ok(found) => found,
            Err(withheld) => {
                let withheld = withheld.cloned();
                let told = Told::nobody(looked, withheld);
                return Ok(Household { told, head: false, items: Vec::new() });
            }
        };
        let sees = sees_protected(table);
        let bearers = store.records(&named_in(subject, HOUSEHOLD)).await.map_err(away)?;
        let head = asked.head(subject, &bearers);
        // The same statements whoever the head is, and whether there is one.
        let of_head = head.map(|head| named_in(head, HOUSEHOLD)).unwrap_or_default();
        let bearers_of_head = store.records(&of_head).await.map_err(away)?;
        let ids = std::iter::once(subject).chain(head).map(|record| record.person_id.as_str());
        let namings = store.naming(HOUSEHOLD, &ids.collect::<Vec<_>>(), sees).await;
        let namings = namings.map_err(away)?;
        let mut in_file = Vec::new();
        if by_file {
            let file = residence_file(subject).filter(|_| allows_file(row)).unwrap_or_default();
            in_file = store.in_file(file, sees).await.map_err(away)?;
        }
        let overflowed = namings.len() == NAMING_MAX || in_file.len() == IN_FILE_MAX;
        let home = Home {
            subject,
            row,
            bearers: &bearers,
            head,
            bearers_of_head: &bearers_of_head,
            namings: &namings,
            in_file: &in_file,
        };
        let (members, is_head) = asked.household(&home);
        let truncated = overflowed || members.len() > RELATED_MAX;
        let items = asked.wanted(subject, row);
        let mut others = self.named(&store, decision, members, |member| &member.other).await?;
        others.sort_by(|(one, left), (other, right)| {
            (!one.head, left.is_empty(), left).cmp(&(!other.head, right.is_empty(), right))
        });
        let told = Told { looked, withheld: None, others, truncated };
        Ok(Household { told, head: is_head, items })
    }

    /// The subject as a lookup finds it, in a register where it is known of everybody whom their records name.
    async fn keyed_subject(
        &self,
        deadline: Deadline,
        lookup: &Lookup,
        decision: &Decision,
        table: &DecisionTable,
    ) -> Result<(RegisterStore, Looked), NoAnswer> {
        if !table.allows_anything() {
            return Err(NoAnswer::NothingAllowed);
        }
        let store = self.store.until(deadline.at());
        self.keyed(&store).await?;
        Ok((store, self.look_up(deadline, lookup, decision, table).await?))
    }

    /// As many as are told, each with its token for the caller.
    async fn named<T>(
        &self,
        store: &RegisterStore,
        decision: &Decision,
        mut others: Vec<T>,
        other: impl Fn(&T) -> &Other,
    ) -> Result<Vec<(T, String)>, NoAnswer> {
        others.truncate(RELATED_MAX);
        let ids: Vec<&str> = others.iter().filter_map(|o| other(o).person_id.as_deref()).collect();
        let tokens = self.tokens(store, &decision.connection, &ids).await.map_err(away)?;
        let named = |one: T| {
            let token = match &other(&one).person_id {
                Some(id) => tokens.get(id).cloned().ok_or(NoAnswer::Away)?,
                None => String::new(),
            };
            Ok((one, token))
        };
        others.into_iter().map(named).collect()
    }
}

impl<T> Told<T> {
    fn nobody(looked: Looked, withheld: Option<ItemDecision>) -> Self {
        Self { looked, withheld, others: Vec::new(), truncated: false }
    }
}

/// The subject of whom others may be told; else what withholds them, if it is shown.
fn subject<'a>(
    asked: &Asked<'_>,
    looked: &'a Looked,
) -> Result<(&'a GoldenRecord, &'a TableAnswer), Option<&'a ItemDecision>> {
    let shown = looked.finding.ending == Ending::Shown;
    let found = looked.record.as_ref().zip(looked.finding.row.as_ref());
    let (record, row) = found.filter(|_| shown).ok_or(None)?;
    if asked.told_by(row) {
        return Ok((record, row));
    }
    Err(row.items.iter().find(|decided| decided.item == asked.item))
}

fn away(error: crate::Error) -> NoAnswer {
    NoAnswer::away(&error, "relations could not be read")
}
