//! A birth entry: what must hold between its fields, and what it says of the child.

use model::{
    Address, CodedValue, EventKind, PartialDate, PersonName, Relation, RelationKind, Said, Value,
    item::RELATIVES,
};
use time::Date;

use super::{Event, EventFaults, Target, check_day, check_order, entry::entry};
use crate::Fault;

/// A birth entry (Law on Civil Status 60/2014/QH13, Art. 14).
pub(super) struct Birth {
    pub(super) entry_number: String,
    pub(super) registration_date: PartialDate,
    pub(super) registration_place_code: String,
    pub(super) registration_place: Address,
    pub(super) full_name: PersonName,
    pub(super) date_of_birth: PartialDate,
    pub(super) sex: CodedValue,
    pub(super) place_of_birth: Address,
    pub(super) native_place: Address,
    pub(super) ethnic_group: CodedValue,
    pub(super) nationality: CodedValue,
    pub(super) parents: Vec<Relation>,
}

/// What can be read of a birth entry so far, as far as fields are held against one another.
pub(super) struct Draft<'a> {
    pub(super) registration_date: Option<PartialDate>,
    pub(super) date_of_birth: Option<PartialDate>,
    pub(super) sex: Option<&'a CodedValue>,
    pub(super) parents: &'a [Option<Relation>],
}

impl Draft<'_> {
    /// Everything that is wrong between the fields that could be read, by field.
    pub(super) fn faults(&self, today: Date) -> EventFaults {
        let mut faults = EventFaults::new();
        check_day("birth.registration_date", self.registration_date, today, &mut faults);
        check_day("birth.date_of_birth", self.date_of_birth, today, &mut faults);
        let (registered, born) = (self.registration_date, self.date_of_birth);
        check_order(born, "birth.registration_date", registered, &mut faults);
        // A personal number has no digit for an earlier century.
        if born.is_some_and(|born| born.year() < 1900) {
            faults.push(("birth.date_of_birth".to_owned(), Fault::NotAllowed));
        }
        // A personal number says male or female: an entry without either cannot get one.
        if self.sex.is_some_and(|sex| sex.code != "1" && sex.code != "2") {
            faults.push(("birth.sex".to_owned(), Fault::NotAllowed));
        }
        for (place, parent) in self.parents.iter().enumerate() {
            let Some(kind) = parent.as_ref().map(|parent| parent.kind) else { continue };
            let mut earlier = self.parents.iter().take(place).flatten();
            if !matches!(kind, RelationKind::Father | RelationKind::Mother) {
                faults.push((format!("birth.parents[{place}].kind"), Fault::NotAllowed));
            } else if earlier.any(|other| other.kind == kind) {
                faults.push((format!("birth.parents[{place}].kind"), Fault::Repeated));
            }
        }
        faults
    }
}

impl Birth {
    /// What the entry says of the child, as the register takes it.
    pub(super) fn event(self) -> Event {
        let (born, registered) = (self.date_of_birth, self.registration_date);
        let entry = entry("birth", &self.registration_place, registered, &self.entry_number);
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
        let parents = parents.map(|parent| (RELATIVES, Value::Relation(parent), born));
        let said =
            |(item, value, from): (&str, Value, PartialDate)| Said::holds(item, value, Some(from));
        Event {
            kind: EventKind::Birth,
            target: Target::New { prefix: self.registration_place_code },
            entry,
            said: items.into_iter().chain(parents).map(said).collect(),
            further: Vec::new(),
        }
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
    ) -> EventFaults {
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
                ("birth.date_of_birth".to_owned(), Fault::InTheFuture),
                ("birth.sex".to_owned(), Fault::NotAllowed),
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
                ("birth.date_of_birth".to_owned(), Fault::NotWhole),
                ("birth.registration_date".to_owned(), Fault::TooEarly),
                ("birth.parents[1].kind".to_owned(), Fault::NotAllowed),
                ("birth.parents[2].kind".to_owned(), Fault::Repeated),
            ]
        );
    }
}
