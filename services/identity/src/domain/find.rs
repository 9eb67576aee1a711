//! Finding persons whose number is not known: by which keys they are looked for, and of whom what was stated is true.

use std::collections::HashSet;

use decide::{CONSENT, DecisionTable, ItemEffect, TableAnswer};
use model::{
    CodedValue, GoldenRecord, Name, NameLevel, PartialDate, Precision, RelationKind, Value,
    item::{BORN, NAME, NATIVE_PLACE, RELATIVES, RESIDENCE, SEX},
};
use serde::Serialize;
use time::Date;

use super::{
    consent::Consent,
    lookup::{Under, fact, sees_protected, without},
};

/// A unit of administration: its code, in a version of the codes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// The version.
    pub(crate) version: String,
    /// The code.
    pub(crate) code: String,
}

/// What is stated of the one person who is looked for; everything must be true.
pub(crate) struct Known {
    /// Full name.
    pub(crate) name: Name,
    /// Date of birth, as precise as the record holds it.
    pub(crate) born: PartialDate,
    /// Sex.
    pub(crate) sex: Option<CodedValue>,
    /// Province of the native place.
    pub(crate) native_province: Option<Unit>,
    /// Commune of permanent residence.
    pub(crate) commune: Option<Unit>,
    /// Full name of a parent.
    pub(crate) parent: Option<Name>,
}

/// Whom to list.
pub(crate) struct Wanted {
    /// Full name.
    pub(crate) name: Name,
    /// The loosest level at which a name agrees.
    pub(crate) level: NameLevel,
    /// The years of birth, first and last; none for any, and then also who has none.
    pub(crate) years: Option<(i32, i32)>,
    /// Sex, or any.
    pub(crate) sex: Option<CodedValue>,
    /// Province of the native place, or any.
    pub(crate) native_province: Option<Unit>,
}

/// By what a record is found. What it does not hold is none, and finds nobody.
#[derive(PartialEq, Eq, Serialize)]
pub(crate) struct SearchKey {
    pub(crate) name_l3: Option<String>,
    pub(crate) name_l4: Option<String>,
    pub(crate) born: Option<String>,
    pub(crate) birth_year: Option<i32>,
    pub(crate) sex: Option<String>,
    pub(crate) native_province: Option<String>,
    pub(crate) commune: Option<String>,
}

impl SearchKey {
    /// The form of these keys and of those of relations, which are written with them (`relations::keys`). Whoever changes what
    /// they are, or how names are folded at L3 and L4, raises it, and every process gives everybody new ones.
    pub(crate) const FORM: i64 = 2;

    /// The keys of a record.
    pub(crate) fn of(record: &GoldenRecord) -> Self {
        let (name, born) = (name(record), born(record));
        let key = |level| name.map(|name| name.match_key(level)).filter(|key| !key.is_empty());
        Self {
            name_l3: key(NameLevel::L3),
            name_l4: key(NameLevel::L4),
            born: born.map(|born| date_key(&born)),
            birth_year: born.map(|born| born.year()),
            sex: sex(record).map(code_key),
            native_province: province(record).map(|unit| unit.key()),
            commune: commune(record).map(|unit| unit.key()),
        }
    }
}

impl Unit {
    /// As keys hold it.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.version, self.code)
    }
}

/// A date as keys hold it: the less is known, the shorter.
pub(crate) fn date_key(date: &PartialDate) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match date.precision() {
        Precision::Year => format!("{year:04}"),
        Precision::Month => format!("{year:04}-{month:02}"),
        Precision::Day => format!("{year:04}-{month:02}-{day:02}"),
    }
}

/// A code as keys hold it.
pub(crate) fn code_key(code: &CodedValue) -> String {
    format!("{}/{}/{}", code.code_system, code.code_system_version, code.code)
}

fn first<'a>(record: &'a GoldenRecord, item: &str) -> Option<&'a Value> {
    record.values(item).first().map(|held| &held.value)
}

fn name(record: &GoldenRecord) -> Option<&Name> {
    let Value::Name(name) = first(record, NAME)? else { return None };
    Some(&name.full_name)
}

fn born(record: &GoldenRecord) -> Option<PartialDate> {
    let Value::Date(date) = first(record, BORN)? else { return None };
    Some(*date)
}

fn sex(record: &GoldenRecord) -> Option<&CodedValue> {
    let Value::Coded(code) = first(record, SEX)? else { return None };
    Some(code)
}

fn province(record: &GoldenRecord) -> Option<Unit> {
    let Value::Address(place) = first(record, NATIVE_PLACE)? else { return None };
    Some(Unit { version: place.units_version.clone()?, code: place.province_code.clone()? })
}

fn commune(record: &GoldenRecord) -> Option<Unit> {
    let Value::Address(place) = first(record, RESIDENCE)? else { return None };
    Some(Unit { version: place.units_version.clone()?, code: place.commune_code.clone()? })
}

/// Whether two codes are the same one; what a code is called counts for nothing.
fn is_code(held: Option<&CodedValue>, stated: &CodedValue) -> bool {
    held.is_some_and(|held| code_key(held) == code_key(stated))
}

impl Known {
    /// The items that are searched by.
    pub(crate) fn items(&self) -> Vec<String> {
        let further = [
            (BORN, true),
            (SEX, self.sex.is_some()),
            (NATIVE_PLACE, self.native_province.is_some()),
            (RESIDENCE, self.commune.is_some()),
            (RELATIVES, self.parent.is_some()),
        ];
        items(&further)
    }

    /// The level at which the name agrees with a record of which everything else is true, too; at the latest L3.
    fn level(&self, record: &GoldenRecord) -> Option<NameLevel> {
        let level = name(record)?.level_of(&self.name).filter(|level| *level <= NameLevel::L3)?;
        // A year alone is no whole date, whatever a procedure lets claims be.
        let born = born(record)?;
        let agrees = PartialDate::claim_matches(&self.born, &born, false)
            && self.sex.as_ref().is_none_or(|stated| is_code(sex(record), stated))
            && self
                .native_province
                .as_ref()
                .is_none_or(|stated| province(record).as_ref() == Some(stated))
            && self.commune.as_ref().is_none_or(|stated| commune(record).as_ref() == Some(stated))
            && self.parent.as_ref().is_none_or(|stated| has_parent(record, stated));
        agrees.then_some(level)
    }
}

impl Wanted {
    /// The items that are searched by.
    pub(crate) fn items(&self) -> Vec<String> {
        let further = [
            (BORN, self.years.is_some()),
            (SEX, self.sex.is_some()),
            (NATIVE_PLACE, self.native_province.is_some()),
        ];
        items(&further)
    }

    fn level(&self, record: &GoldenRecord) -> Option<NameLevel> {
        let level = name(record)?.level_of(&self.name).filter(|level| *level <= self.level)?;
        let year = born(record).map(|born| born.year());
        let agrees = self
            .years
            .is_none_or(|(from, to)| year.is_some_and(|year| (from..=to).contains(&year)))
            && self.sex.as_ref().is_none_or(|stated| is_code(sex(record), stated))
            && self
                .native_province
                .as_ref()
                .is_none_or(|stated| province(record).as_ref() == Some(stated));
        agrees.then_some(level)
    }

    /// What is wanted as one text, the name last: two searches that are not the same have two.
    pub(crate) fn written(&self) -> String {
        let sex = self.sex.as_ref().map(code_key).unwrap_or_default();
        let province = self.native_province.as_ref().map(Unit::key).unwrap_or_default();
        let (level, years) = (self.level, self.years.unwrap_or_default());
        format!("{level:?}\n{years:?}\n{sex}\n{province}\n{}", self.name.as_str())
    }

    /// Whether the record of a person whom the caller may see is wanted.
    pub(crate) fn hit(
        &self,
        record: &GoldenRecord,
        table: &DecisionTable,
        today: Date,
    ) -> Option<Hit> {
        let level = self.level(record)?;
        let row = table.read(|name| fact(record, name, today));
        // Nobody was asked for a search.
        let under = Under { table, consent: None, today };
        allows_all(&row).then(|| Hit::of(record, level, row.into_owned(), &under))
    }
}

fn items(further: &[(&str, bool)]) -> Vec<String> {
    let further = further.iter().filter(|(_, stated)| *stated).map(|(item, _)| *item);
    [NAME].into_iter().chain(further).map(str::to_owned).collect()
}

fn has_parent(record: &GoldenRecord, stated: &Name) -> bool {
    record.values(RELATIVES).iter().any(|held| {
        matches!(&held.value, Value::Relation(relation)
            if matches!(relation.kind, RelationKind::Father | RelationKind::Mother)
                && relation.name.full_name.level_of(stated).is_some_and(|l| l <= NameLevel::L2))
    })
}

/// Whether a caller may find somebody by all the items that it searches by.
fn allows_all(row: &TableAnswer) -> bool {
    row.visible && row.items.iter().all(|decided| decided.effect == ItemEffect::Allowed)
}

/// Whether there may be anybody whom a caller may find by all of the items, which may name a consent.
pub(crate) fn may_find(table: &DecisionTable, consented: bool) -> bool {
    (consented && table.answers().iter().any(allows_all))
        || table.answers_where(CONSENT, false).any(allows_all)
}

/// A person who was found.
pub(crate) struct Hit {
    /// The person.
    pub(crate) person_id: String,
    /// The level at which the name agrees.
    pub(crate) level: NameLevel,
    /// The facts the row of the table was taken by, for the record.
    pub(crate) facts: Vec<String>,
    /// The row of the table, for the record.
    pub(crate) row: TableAnswer,
}

impl Hit {
    fn of(record: &GoldenRecord, level: NameLevel, row: TableAnswer, under: &Under<'_>) -> Self {
        let facts = under.stated(record);
        Self { person_id: record.person_id.clone(), level, facts, row }
    }
}

/// How looking for one person ends.
pub(crate) enum Resolution {
    /// There is exactly one.
    One(Hit),
    /// There is nobody.
    Nobody,
    /// There is more than one.
    Several,
    /// There is somebody, whom the rules hide from this caller (I7); who, where it is one.
    Hidden(Option<Hit>),
}

/// Persons who are looked at, of one name and date of birth.
pub(crate) const CANDIDATES_MAX: usize = 200;

/// Whoever of `records` it is of whom everything is true. More than one is nobody, and one who is hidden counts for nothing:
/// a caller that may not know of a person finds the same as if there were none (I7). It is one or several at L3, however
/// exactly the name of one of them agrees: a caller that wrote My for Mi must not be given the twin.
pub(crate) fn resolve<'c>(
    known: &Known,
    records: Vec<GoldenRecord>,
    hidden: &HashSet<String>,
    consent: impl Fn(&GoldenRecord) -> Option<&'c Consent>,
    table: &DecisionTable,
    today: Date,
) -> Resolution {
    // Of more than are looked at nobody knows whether one is the only one. Who is protected counts for whoever may know of it.
    let sees = sees_protected(table);
    let counted = records.iter().filter(|record| sees || !record.protected);
    let crowded = counted.count() > CANDIDATES_MAX;
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for mut record in records {
        without(&mut record, hidden);
        let Some(level) = known.level(&record) else { continue };
        let under = Under { table, consent: consent(&record), today };
        let row = under.row(&record);
        let to = if allows_all(&row) { &mut seen } else { &mut unseen };
        to.push(Hit::of(&record, level, row, &under));
    }
    match (seen.pop(), seen.is_empty()) {
        (Some(hit), true) if !crowded => Resolution::One(hit),
        (Some(_), _) => Resolution::Several,
        (None, _) => match (unseen.pop(), unseen.is_empty()) {
            (None, _) => Resolution::Nobody,
            (hit, alone) => Resolution::Hidden(hit.filter(|_| alone)),
        },
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
