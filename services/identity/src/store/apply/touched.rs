//! Which records look otherwise once something more is said of persons: those to which these lead, before and after.

use std::collections::BTreeSet;

use model::{
    Assertion, AuthorityInForce, GoldenRecord, Identifier, PersonalNumber, fold,
    merge::{MERGED_INTO, is_link, linked, merged_by, survivor, times_merged},
};
use store::Sql;

use super::{ApplyError, RECORD, Work, known::Renewed};
use crate::{
    domain::{
        apply::{Disputes, numbers_named, spouses},
        feed::ChangeKind,
    },
    store::{enter::Entered, field, record},
};

pub(in crate::store) const ONCE_MERGED: Sql = Sql {
    sqlite: "INSERT INTO once_merged (person_id, other_id) VALUES (?1, ?2), (?2, ?1) ON CONFLICT DO NOTHING",
    postgres: "INSERT INTO once_merged (person_id, other_id) VALUES ($1, $2), ($2, $1) ON CONFLICT DO NOTHING",
};
pub(in crate::store) const LEADS_TO: Sql = Sql {
    sqlite: "UPDATE person SET merged_into = ?2 WHERE person_id = ?1 AND merged_into IS NOT ?2",
    postgres: "UPDATE person SET merged_into = $2 WHERE person_id = $1 AND merged_into IS DISTINCT FROM $2",
};

/// What was said of persons, and what is said now.
pub(super) struct Touched {
    /// Persons whose records hold nothing before and after, and lead to another record now. Each has a version of its own, before
    /// those of the records: what is applied last is a record that looks otherwise.
    led: Vec<String>,
    /// The records that look otherwise, each with a version of its own, in their order.
    records: Vec<String>,
    /// Everything that had been said of everybody concerned.
    pub(super) before: Vec<Assertion>,
    /// With what is said now.
    pub(super) after: Vec<Assertion>,
    new: Vec<Assertion>,
}

/// A record that looks otherwise.
pub(super) struct Amended {
    pub(super) person: Entered,
    /// The record as it was.
    pub(super) held: GoldenRecord,
    /// The number that is set anew, if one is.
    pub(super) set: Option<PersonalNumber>,
    /// Whether there is a second spouse now, who may be alive.
    pub(super) married: bool,
}

impl Touched {
    /// `new` is said now, of persons in an order that is kept. It gets the versions of the records that hold it.
    pub(super) fn of(work: &Work<'_>, before: Vec<Assertion>, mut new: Vec<Assertion>) -> Self {
        let together = |new: &[Assertion]| before.iter().chain(new).cloned().collect::<Vec<_>>();
        let drawn = together(&new);
        let mut records: Vec<String> = Vec::new();
        for said in &new {
            for all in [&before, &drawn] {
                let leads_to = survivor(&said.person_id, all);
                if !records.iter().any(|record| record == leads_to) {
                    records.push(leads_to.to_owned());
                }
            }
        }
        let linked = drawn.iter().filter(|said| is_link(&said.item));
        let linked: BTreeSet<&str> = linked.map(|said| said.person_id.as_str()).collect();
        let led = linked.into_iter().filter(|person| {
            survivor(person, &before) != survivor(person, &drawn)
                && !records.iter().any(|record| record == person)
        });
        let led: Vec<String> = led.map(str::to_owned).collect();
        for said in &mut new {
            // Whose own record looks otherwise is the one whom it concerns.
            let place = |person: &str| records.iter().position(|record| record == person);
            let own = place(&said.person_id);
            let own = own.or_else(|| place(survivor(&said.person_id, &drawn)));
            said.version = work.version_of(led.len() + own.unwrap_or_default());
        }
        let after = together(&new);
        Self { led, records, before, after, new }
    }

    /// How many versions it takes.
    pub(super) fn versions(&self) -> usize {
        self.led.len() + self.records.len()
    }

    /// The items that the number and the token of somebody who leads to another record now may show otherwise: all that the one
    /// record holds, and the other. Those that look the same are among them: they are another record's now, and whoever
    /// follows one is to hear by which token it goes on. None of one who leads to the same as before.
    fn shown(&self, person_id: &str, amended: &[Amended]) -> Option<BTreeSet<String>> {
        let (was, is) = (survivor(person_id, &self.before), survivor(person_id, &self.after));
        let of = |id: &str| amended.iter().find(move |one| one.held.person_id == id);
        let before = of(was).into_iter().flat_map(|one| one.held.items.keys());
        let after = of(is).into_iter().flat_map(|one| one.person.record().items.keys());
        (was != is).then(|| before.chain(after).cloned().collect())
    }

    /// Whether a record would be merged into two, or into one that is merged into it.
    pub(super) fn is_tangled(&self) -> bool {
        let leads_to = |said: &Assertion| survivor(&said.person_id, &self.after).to_owned();
        let merged = self.after.iter().filter(|said| is_link(&said.item));
        merged.into_iter().any(|said| {
            times_merged(&said.person_id, &self.after) > 1
                || times_merged(&leads_to(said), &self.after) > 0
        })
    }

    /// What changed about who says otherwise than what is held, of the records that look otherwise.
    pub(super) fn disputes(&self, amended: &[Amended], rules: &AuthorityInForce) -> Disputes {
        let items = self.after.iter().map(|said| said.item.as_str()).collect();
        let mut disputes = Disputes::default();
        for Amended { held, .. } in amended {
            disputes.add(held, &items, (&self.before, &self.after), rules);
        }
        disputes
    }

    /// Pairs of records of which the first is merged into the second now, and was not before.
    pub(super) fn merged_now(&self) -> Vec<(&str, &str)> {
        let mut pairs = Vec::new();
        for record in &self.records {
            let (was, is) = (survivor(record, &self.before), survivor(record, &self.after));
            if was == record && is != record {
                pairs.push((record.as_str(), is));
            }
        }
        pairs
    }
}

impl Work<'_> {
    /// What becomes of each record; none where a number is due and none is left.
    pub(super) async fn amended(
        &self,
        touched: &mut Touched,
    ) -> Result<Option<Vec<Amended>>, ApplyError> {
        let mut amended = Vec::new();
        for (place, record) in touched.records.clone().iter().enumerate() {
            let version = self.version_of(touched.led.len() + place);
            match self.amended_one(touched, record, version).await? {
                Some(one) => amended.push(one),
                None => return Ok(None),
            }
        }
        let shown = touched.records.iter().map(|record| touched.shown(record, &amended));
        let shown: Vec<_> = shown.collect();
        let amended = amended.into_iter().zip(shown).map(|(one, shown)| match shown {
            Some(items) => Amended { person: one.person.showing(items), ..one },
            None => one,
        });
        Ok(Some(amended.collect()))
    }

    /// All who are to be written, in the order of versions: first whoever leads to another record now. Its own is as before.
    pub(super) async fn entered(
        &self,
        touched: &Touched,
        amended: Vec<Amended>,
        kind: ChangeKind,
    ) -> Result<Vec<Entered>, ApplyError> {
        let mut entered = Vec::new();
        for (place, person_id) in touched.led.iter().enumerate() {
            let held = self.record(person_id).await?;
            let (version, record) = (self.version_of(place), held.clone());
            let person = Entered::amended(&held, record, Vec::new(), version, &self.rules);
            entered.push(person.showing(touched.shown(person_id, &amended).unwrap_or_default()));
        }
        entered.extend(amended.into_iter().map(|one| one.person));
        Ok(entered.into_iter().map(|person| person.of_kind(kind)).collect())
    }

    async fn amended_one(
        &self,
        touched: &mut Touched,
        person_id: &str,
        version: u64,
    ) -> Result<Option<Amended>, ApplyError> {
        let held = self.record(person_id).await?;
        // A record that was merged into another one is held against what it was before that.
        let known = self.before_merged(&held, &touched.before).unwrap_or_else(|| held.clone());
        let Some(Renewed { folded, set }) =
            self.renewed(&known, &mut touched.after, version).await?
        else {
            return Ok(None);
        };
        let mut new: Vec<Assertion> =
            touched.new.iter().filter(|said| said.version == version).cloned().collect();
        let mut identifiers = Vec::new();
        let set = set.map(|(number, assertion)| {
            identifiers.push(Identifier::PersonalNumber(number.clone()));
            new.push(assertion);
            number
        });
        let named = numbers_named(&known, &[]).chain(numbers_named(&folded, &[]));
        let bearers = self.bearers(named).await?;
        let living = |record: &GoldenRecord| bearers.told(record, &self.application.source);
        let (was, is) = (living(&known), living(&folded));
        let is = self.living(&spouses(&is, &[], &bearers), &bearers).await?;
        // What was so before it does not bring.
        let married = is > 1 && is > self.living(&spouses(&was, &[], &bearers), &bearers).await?;
        let person = Entered::amended(&held, folded, new, version, &self.rules);
        let person = person.with_numbers(identifiers);
        Ok(Some(Amended { person, held, set, married }))
    }

    /// The record of somebody as it was before it was merged into another one; none where it is not.
    fn before_merged(&self, held: &GoldenRecord, all: &[Assertion]) -> Option<GoldenRecord> {
        let person_id = held.person_id.as_str();
        let merged = merged_by(person_id, all)?.version;
        let before: Vec<Assertion> =
            all.iter().filter(|said| said.version < merged).cloned().collect();
        Some(fold(person_id, held.protected, &before, &self.rules))
    }

    /// A person's record.
    pub(super) async fn record(&self, person_id: &str) -> Result<GoldenRecord, ApplyError> {
        let rows = self.tx.query(&RECORD, vec![person_id.into()]).await?;
        let row = rows.first().ok_or(store::Error::NoRow)?;
        Ok(record(&field::<String>(row, 0)?)?)
    }

    /// Keeps to which record everybody leads who was ever merged with anybody of these.
    pub(super) async fn link(&self, all: &[Assertion]) -> Result<(), ApplyError> {
        let mut persons: Vec<&str> = Vec::new();
        for said in all.iter().filter(|said| is_link(&said.item)) {
            if let (MERGED_INTO, Some(other)) = (said.item.as_str(), linked(said)) {
                let pair = vec![said.person_id.clone().into(), other.into()];
                self.tx.execute(&ONCE_MERGED, pair).await?;
            }
            persons.push(&said.person_id);
        }
        persons.sort_unstable();
        persons.dedup();
        for person_id in persons {
            let leads_to = survivor(person_id, all);
            let other = (leads_to != person_id).then(|| leads_to.to_owned());
            self.tx.execute(&LEADS_TO, vec![person_id.into(), other.into()]).await?;
        }
        Ok(())
    }
}
