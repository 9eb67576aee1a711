//! What a contribution says, and what must hold of it before the register is asked. Pure: no I/O, no
//! async; time is an argument.

use model::{
    Address, CodedValue, PartialDate, PersonName, Precision, Relation, RelationKind, Value,
};
use serde::{Deserialize, Serialize};
use time::Date;

/// One value that a contribution asserts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The item.
    pub(crate) item: String,
    /// Its value.
    pub(crate) value: Value,
    /// From when it is true.
    pub(crate) valid_from: Option<PartialDate>,
}

/// What the register is asked to apply.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Application {
    /// The database that contributes.
    pub(crate) source: String,
    /// First three digits of the number to issue.
    pub(crate) prefix: String,
    /// The source's own entry, unique at the source.
    pub(crate) entry: String,
    /// What is asserted.
    pub(crate) said: Vec<Said>,
}

/// What became of a contribution.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It is in the register.
    Applied {
        /// Version of the register that holds it.
        version: u64,
        /// The number issued; empty when none was.
        number: String,
        /// When the register learnt it, microseconds since 1970.
        known_at_us: i64,
    },
    /// The register rejected it, for all these reasons.
    Rejected(Vec<Rejection>),
}

/// One reason of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// The faulty item; empty when the fault lies with the whole.
    pub(crate) item: String,
    /// Stable reason.
    pub(crate) reason: String,
}

/// A birth entry (Law on Civil Status 60/2014/QH13, Art. 14).
pub(crate) struct Birth {
    pub(crate) entry_number: String,
    pub(crate) registration_date: PartialDate,
    pub(crate) registration_place_code: String,
    pub(crate) registration_place: Address,
    pub(crate) full_name: PersonName,
    pub(crate) date_of_birth: PartialDate,
    pub(crate) sex: CodedValue,
    pub(crate) place_of_birth: Address,
    pub(crate) native_place: Address,
    pub(crate) ethnic_group: CodedValue,
    pub(crate) nationality: CodedValue,
    pub(crate) parents: Vec<Relation>,
}

/// What can be wrong between the fields of a birth entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BirthFault {
    /// A full date is needed.
    NotWhole,
    /// It lies in the future.
    InTheFuture,
    /// The registration lies before the birth.
    TooEarly,
    /// Neither male nor female, or a relation that no birth entry has.
    NotAllowed,
    /// A second father or mother.
    Repeated,
}

/// What can be read of a birth entry so far, as far as fields are held against one another.
pub(crate) struct Draft<'a> {
    pub(crate) registration_date: Option<PartialDate>,
    pub(crate) date_of_birth: Option<PartialDate>,
    pub(crate) sex: Option<&'a CodedValue>,
    pub(crate) parents: &'a [Option<Relation>],
}

impl Draft<'_> {
    /// Everything that is wrong between the fields that could be read, by field.
    pub(crate) fn faults(&self, today: Date) -> Vec<(String, BirthFault)> {
        let mut faults = Vec::new();
        let dates = [
            ("birth.registration_date", self.registration_date),
            ("birth.date_of_birth", self.date_of_birth),
        ];
        for (field, date) in dates {
            let Some(date) = date else { continue };
            if date.precision() != Precision::Day {
                faults.push((field.to_owned(), BirthFault::NotWhole));
            } else if date.is_after(&today) {
                faults.push((field.to_owned(), BirthFault::InTheFuture));
            }
        }
        if let (Some(registered), Some(born)) = (self.registration_date, self.date_of_birth)
            && registered.latest() < born.earliest()
        {
            faults.push(("birth.registration_date".to_owned(), BirthFault::TooEarly));
        }
        // A personal number says male or female (Decree 137/2015/ND-CP, Art. 13): an entry without
        // either cannot get one.
        if self.sex.is_some_and(|sex| sex.code != "1" && sex.code != "2") {
            faults.push(("birth.sex".to_owned(), BirthFault::NotAllowed));
        }
        for (place, parent) in self.parents.iter().enumerate() {
            let Some(kind) = parent.as_ref().map(|parent| parent.kind) else { continue };
            let mut earlier = self.parents.iter().take(place).flatten();
            if !matches!(kind, RelationKind::Father | RelationKind::Mother) {
                faults.push((format!("birth.parents[{place}].kind"), BirthFault::NotAllowed));
            } else if earlier.any(|other| other.kind == kind) {
                faults.push((format!("birth.parents[{place}].kind"), BirthFault::Repeated));
            }
        }
        faults
    }
}

impl Birth {
    /// What the entry says of the child, as the register takes it.
    pub(crate) fn application(self, source: &str) -> Application {
        let (born, registered) = (self.date_of_birth, self.registration_date);
        let entry = format!(
            "{}/{}/{}/{}",
            self.registration_place_code,
            self.registration_place.commune_code.as_deref().unwrap_or_default(),
            registered.year(),
            self.entry_number,
        );
        let items = [
            ("birth_full_name", Value::Name(self.full_name), born),
            ("date_of_birth", Value::Date(born), born),
            ("sex", Value::Coded(self.sex), born),
            ("place_of_birth", Value::Address(self.place_of_birth), born),
            ("birth_registration_place", Value::Address(self.registration_place), registered),
            ("native_place", Value::Address(self.native_place), born),
            ("ethnic_group", Value::Coded(self.ethnic_group), born),
            ("nationality", Value::Coded(self.nationality), born),
        ];
        let parents = self.parents.into_iter();
        let parents = parents.map(|parent| ("family_relations", Value::Relation(parent), born));
        let said = |(item, value, from): (&str, Value, PartialDate)| Said {
            item: item.to_owned(),
            value,
            valid_from: Some(from),
        };
        Application {
            source: source.to_owned(),
            prefix: self.registration_place_code,
            entry,
            said: items.into_iter().chain(parents).map(said).collect(),
        }
    }
}

impl Application {
    /// The items it is about, each once.
    pub(crate) fn items(&self) -> Vec<String> {
        let mut items: Vec<String> = Vec::new();
        for said in &self.said {
            if !items.contains(&said.item) {
                items.push(said.item.clone());
            }
        }
        items
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use model::Name;
    use time::macros::date;

    use super::*;

    fn day(year: i32, month: u8, day: u8) -> Option<PartialDate> {
        Some(PartialDate::new(year, month, day).unwrap())
    }

    fn code(code: &str) -> CodedValue {
        CodedValue {
            code_system: "sex".into(),
            code_system_version: "1".into(),
            code: code.into(),
            display: None,
        }
    }

    fn parent(kind: RelationKind) -> Option<Relation> {
        let name = Name::new("Trần Thị Hoà").unwrap().into();
        Some(Relation { kind, name, identifier: None, date_of_birth: None, nationality: None })
    }

    fn faults(
        registration_date: Option<PartialDate>,
        date_of_birth: Option<PartialDate>,
        sex: &str,
        parents: &[Option<Relation>],
    ) -> Vec<(String, BirthFault)> {
        let sex = code(sex);
        let draft = Draft { registration_date, date_of_birth, sex: Some(&sex), parents };
        draft.faults(date!(2026 - 11 - 25))
    }

    #[test]
    fn a_good_entry_has_no_faults_and_an_unread_part_hides_no_other() {
        let both = [parent(RelationKind::Father), parent(RelationKind::Mother)];
        assert!(faults(day(2026, 11, 25), day(2026, 11, 24), "2", &both).is_empty());
        let found = faults(None, day(2026, 11, 26), "0", &[]);
        assert_eq!(
            found,
            [
                ("birth.date_of_birth".to_owned(), BirthFault::InTheFuture),
                ("birth.sex".to_owned(), BirthFault::NotAllowed),
            ]
        );
    }

    #[test]
    fn everything_between_the_fields_is_named() {
        let parents = [
            parent(RelationKind::Mother),
            parent(RelationKind::Child),
            parent(RelationKind::Mother),
        ];
        let found = faults(day(2020, 1, 1), day(2021, 0, 0), "1", &parents);
        assert_eq!(
            found,
            [
                ("birth.date_of_birth".to_owned(), BirthFault::NotWhole),
                ("birth.registration_date".to_owned(), BirthFault::TooEarly),
                ("birth.parents[1].kind".to_owned(), BirthFault::NotAllowed),
                ("birth.parents[2].kind".to_owned(), BirthFault::Repeated),
            ]
        );
    }
}
