//! One household: who lives in it, what they are to each other, and what the sources say of each.

use model::{
    Address, CodedValue, Identifier, Name, NameLevel, OldNumber, PartialDate, PersonName,
    PersonalNumber, Relation, RelationKind, SYNTHETIC_PREFIXES, Sex, Value,
};
use rand::Rng;
use rand::seq::IndexedRandom;
use time::{Date, Duration, Month};

use super::{MARK, Population, Statement, SyntheticPerson, tables};

const CIVIL_STATUS: &str = "civil-status";
const RESIDENCE: &str = "residence";
const CITIZEN_ID: &str = "citizen-id";
const MEDICAL: &str = "medical";

/// More old numbers than this are not given out: nine digits that start with 999 are only a million.
const OLD_NUMBERS: usize = 500_000;

/// What a person is in the household.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Parent,
    Child,
}

/// A person being made.
struct Member {
    role: Role,
    sex: Sex,
    name: PersonName,
    born: Date,
    /// The date of birth as registered: of about one in a hundred the year alone.
    registered: PartialDate,
    died: Option<Date>,
    number: PersonalNumber,
    old_number: Option<OldNumber>,
}

/// What the members share.
struct Home {
    province: (&'static str, &'static str),
    text: String,
    file_number: String,
    ethnic: &'static str,
}

impl Population {
    /// The next household's persons, the head first.
    pub(super) fn household(&mut self) -> Option<Vec<SyntheticPerson>> {
        let members = self.members()?;
        let home = self.home()?;
        (0..members.len()).map(|at| self.person(&members, at, &home)).collect()
    }

    fn members(&mut self) -> Option<Vec<Member>> {
        let (single, childless) = (self.rng.random_bool(0.2), self.rng.random_bool(0.25));
        let age = self.rng.random_range(22..80);
        let head_sex = if single && self.rng.random_bool(0.5) { Sex::Female } else { Sex::Male };
        let surname = self.surname();
        let head_born = self.day_in(self.today.year() - age)?;
        let mut members = Vec::new();
        self.add(&mut members, Role::Parent, head_sex, &surname, head_born)?;
        let mut mother_year = head_born.year();
        if !single {
            mother_year = (mother_year + self.rng.random_range(-3..=5)).min(self.today.year() - 20);
            let (surname, born) = (self.surname(), self.day_in(mother_year)?);
            self.add(&mut members, Role::Parent, Sex::Female, &surname, born)?;
        }
        if !childless {
            let mut year = mother_year + self.rng.random_range(20..28);
            for _ in 0..self.rng.random_range(1..=3) {
                if year > self.today.year() {
                    break;
                }
                let sex = if self.rng.random_bool(0.5) { Sex::Male } else { Sex::Female };
                let born = self.day_in(year)?;
                self.add(&mut members, Role::Child, sex, &surname, born)?;
                year += self.rng.random_range(2..5);
            }
        }
        // The head lives, so that no household of minors is left without one; a person alone may die.
        let alone = members.len() == 1;
        // Parents die of late and after their last child's birth.
        let youngest = members.iter().map(|member| member.born).max()?;
        let parents_alive = youngest.max(self.today.saturating_sub(Duration::days(700)));
        for member in members.iter_mut().skip(usize::from(!alone)) {
            if self.rng.random_bool(0.014) {
                let from = if member.role == Role::Parent { parents_alive } else { member.born };
                member.died = Some(self.day_between(from, self.today));
            }
        }
        Some(members)
    }

    fn add(
        &mut self,
        members: &mut Vec<Member>,
        role: Role,
        sex: Sex,
        surname: &str,
        born: Date,
    ) -> Option<()> {
        // Records keep relations by kind and name, so no two members of a household share a name.
        let key = |name: &PersonName| name.full_name.match_key(NameLevel::L2);
        let mut name = self.name(sex, surname)?;
        while members.iter().any(|member| key(&member.name) == key(&name)) {
            name = self.name(sex, surname)?;
        }
        let registered = if self.rng.random_bool(0.01) {
            PartialDate::new(born.year(), 0, 0).ok()?
        } else {
            PartialDate::try_from(born).ok()?
        };
        let number = self.number(sex, born.year())?;
        let old_number = self.old_number(born.year());
        members.push(Member { role, sex, name, born, registered, died: None, number, old_number });
        Some(())
    }

    fn name(&mut self, sex: Sex, surname: &str) -> Option<PersonName> {
        let (middles, givens) = match sex {
            Sex::Male => (&tables::MIDDLE_MALE, &tables::GIVEN_MALE),
            Sex::Female => (&tables::MIDDLE_FEMALE, &tables::GIVEN_FEMALE),
        };
        let (middle, given) = (middles.choose(&mut self.rng)?, givens.choose(&mut self.rng)?);
        Some(PersonName {
            full_name: Name::new(&format!("{surname} {middle} {given}")).ok()?,
            family_name: Some(Name::new(surname).ok()?),
            middle_name: Name::new(middle).ok(),
            given_name: Some(Name::new(given).ok()?),
        })
    }

    fn surname(&mut self) -> String {
        let drawn = tables::SURNAMES.choose_weighted(&mut self.rng, |surname| surname.1);
        drawn.map_or("Nguyễn", |surname| surname.0).to_owned()
    }

    fn number(&mut self, sex: Sex, year: i32) -> Option<PersonalNumber> {
        for _ in 0..1000 {
            let prefix = self.rng.random_range(SYNTHETIC_PREFIXES);
            let random = self.rng.random_range(0..1_000_000);
            let number = PersonalNumber::compose(prefix, sex, year, random).ok()?;
            if self.numbers.insert(number.as_str().to_owned()) {
                return Some(number);
            }
        }
        None
    }

    /// Old numbers were given to persons of 14 and more until cards took their place, so only to some of
    /// those born early enough.
    fn old_number(&mut self, year: i32) -> Option<OldNumber> {
        if year > 2001 || !self.rng.random_bool(0.6) || self.old_numbers.len() >= OLD_NUMBERS {
            return None;
        }
        for _ in 0..1000 {
            let text = format!("999{:06}", self.rng.random_range(0..1_000_000));
            if self.old_numbers.insert(text.clone()) {
                return OldNumber::parse(&text).ok();
            }
        }
        None
    }

    fn home(&mut self) -> Option<Home> {
        let province = *tables::PROVINCES.choose(&mut self.rng)?;
        let ethnic = if self.rng.random_bool(0.85) {
            "01"
        } else {
            tables::ETHNIC_MINORITIES.choose(&mut self.rng)?
        };
        Some(Home {
            province,
            text: self.street(province.1),
            file_number: format!("SYN{:09}", self.rng.random_range(0..1_000_000_000)),
            ethnic,
        })
    }

    fn street(&mut self, province: &str) -> String {
        let (house, street) = (self.rng.random_range(1..300), self.rng.random_range(1..60));
        format!("Số {house}, đường Giả Định {street}, {province}")
    }

    /// A day of the year, not after today.
    fn day_in(&mut self, year: i32) -> Option<Date> {
        let first = Date::from_calendar_date(year, Month::January, 1).ok()?;
        let last = Date::from_calendar_date(year, Month::December, 31).ok()?;
        Some(self.day_between(first, last.min(self.today)))
    }

    fn day_between(&mut self, first: Date, last: Date) -> Date {
        let days = (last - first).whole_days().max(0);
        first.saturating_add(Duration::days(self.rng.random_range(0..=days)))
    }

    fn person(&mut self, members: &[Member], at: usize, home: &Home) -> Option<SyntheticPerson> {
        let member = members.get(at)?;
        // What is true since birth is so since the registered date: of some that is the year alone.
        let mut says = Says { since: member.registered, said: Vec::new() };
        self.say_birth(&mut says, member, home)?;
        self.say_identity(&mut says, member)?;
        says.family(members, at)?;
        if member.died.is_none() {
            self.say_residence(&mut says, members, at, home)?;
        }
        Some(SyntheticPerson {
            person_id: self.id(),
            number: member.number.clone(),
            old_number: member.old_number.clone(),
            protected: self.rng.random_bool(0.01),
            assertions: says.said,
        })
    }

    /// What a birth entry holds (Law 60/2014/QH13, Art. 14).
    fn say_birth(&mut self, says: &mut Says, member: &Member, home: &Home) -> Option<()> {
        let sex = if member.sex == Sex::Male { "1" } else { "2" };
        let birth_place = place(home.province, home.province.1, member.born);
        let native = *tables::PROVINCES.choose(&mut self.rng)?;
        let since = Some(says.since);
        for (item, value) in [
            ("birth_full_name", Value::Name(member.name.clone())),
            ("date_of_birth", Value::Date(member.registered)),
            ("sex", coded(tables::SEX, sex)),
            ("place_of_birth", birth_place.clone()),
            ("birth_registration_place", birth_place),
            ("native_place", place(native, native.1, member.born)),
            ("ethnic_group", coded(tables::ETHNIC, home.ethnic)),
            ("nationality", coded(tables::COUNTRY, "VN")),
        ] {
            says.say(CIVIL_STATUS, item, value, since);
        }
        if let Some(died) = member.died {
            let died = PartialDate::try_from(died).ok()?;
            says.say(CIVIL_STATUS, "death_or_missing_date", Value::Date(died), Some(died));
        }
        Some(())
    }

    fn say_identity(&mut self, says: &mut Says, member: &Member) -> Option<()> {
        let number = Identifier::PersonalNumber(member.number.clone());
        says.say(CITIZEN_ID, "personal_id_number", Value::Identifier(number), Some(says.since));
        if let Some(old) = &member.old_number {
            let old = Identifier::OldNumber9(old.clone());
            says.say(CITIZEN_ID, "old_id_number_9", Value::Identifier(old), None);
        }
        if self.rng.random_bool(0.05) {
            let religion = ["01", "02"].choose(&mut self.rng)?;
            says.say(CITIZEN_ID, "religion", coded(tables::RELIGION, religion), None);
        }
        if self.rng.random_bool(0.2) {
            let blood = ["01", "02", "03", "04"].choose(&mut self.rng)?;
            says.say(MEDICAL, "blood_type", coded(tables::BLOOD, blood), None);
        }
        if self.today.year() - member.born.year() > 18 && member.died.is_none() {
            let line = self.rng.random_range(0..1_000_000);
            for contact in [format!("0000{line:06}"), format!("{line:06}@synthetic.test")] {
                says.say(CITIZEN_ID, "contact_points", Value::Text(contact), None);
            }
        }
        says.say(CITIZEN_ID, "other_information", Value::Text(MARK.to_owned()), None);
        Some(())
    }

    fn say_residence(
        &mut self,
        says: &mut Says,
        members: &[Member],
        at: usize,
        home: &Home,
    ) -> Option<()> {
        let member = members.get(at)?;
        // The whole household registered at one place on the day of the merger of provinces, or at birth.
        let merger = merger()?;
        let moved = if merger <= self.today { member.born.max(merger) } else { member.born };
        let since =
            if moved == member.born { says.since } else { PartialDate::try_from(moved).ok()? };
        let permanent = place(home.province, &home.text, moved);
        let mut current = permanent.clone();
        if member.role == Role::Parent && self.rng.random_bool(0.08) {
            let elsewhere = *tables::PROVINCES.choose(&mut self.rng)?;
            current = place(elsewhere, &self.street(elsewhere.1), moved);
            says.say(RESIDENCE, "temporary_residence", current.clone(), Some(since));
        }
        let file = Value::Text(home.file_number.clone());
        says.say(RESIDENCE, "permanent_residence", permanent, Some(since));
        says.say(RESIDENCE, "current_residence", current, Some(since));
        says.say(RESIDENCE, "residence_file_number", file, Some(since));
        if at == 0 {
            let head = coded(tables::HOUSEHOLD, "CH01");
            says.say(RESIDENCE, "relation_to_household_head", head, Some(since));
        }
        for (other_at, other) in members.iter().enumerate() {
            if other_at != at && other.died.is_none() {
                let head = other_at == 0;
                let kind =
                    if head { RelationKind::HouseholdHead } else { RelationKind::HouseholdMember };
                says.say(RESIDENCE, "household_members", relation(kind, other)?, None);
            }
        }
        Some(())
    }

    /// Version 8 of RFC 9562: a UUID whose bits are the maker's own.
    fn id(&mut self) -> String {
        let (a, b): (u64, u64) = (self.rng.random(), self.rng.random());
        format!(
            "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            ((b >> 48) & 0x3fff) | 0x8000,
            b & 0xffff_ffff_ffff,
        )
    }
}

/// Statements being gathered.
struct Says {
    since: PartialDate,
    said: Vec<Statement>,
}

impl Says {
    fn say(&mut self, source: &str, item: &str, value: Value, valid_from: Option<PartialDate>) {
        self.said.push((item.to_owned(), value, source.to_owned(), valid_from));
    }

    /// Spouse, children and parents, and the marital status that follows.
    fn family(&mut self, members: &[Member], at: usize) -> Option<()> {
        let member = members.get(at)?;
        let mut marital = "1";
        for (other_at, other) in members.iter().enumerate() {
            let kind = match (member.role, other.role) {
                _ if other_at == at => continue,
                (Role::Parent, Role::Parent) => RelationKind::Spouse,
                (Role::Parent, Role::Child) => RelationKind::Child,
                (Role::Child, Role::Parent) if other.sex == Sex::Male => RelationKind::Father,
                (Role::Child, Role::Parent) => RelationKind::Mother,
                (Role::Child, Role::Child) => continue,
            };
            if kind == RelationKind::Spouse {
                marital = if other.died.is_some() { "3" } else { "2" };
            }
            self.say(CIVIL_STATUS, "family_relations", relation(kind, other)?, None);
        }
        self.say(CIVIL_STATUS, "marital_status", coded(tables::MARITAL, marital), None);
        Some(())
    }
}

/// Another person as registers hold it: of a parent or spouse the year of birth alone.
fn relation(kind: RelationKind, other: &Member) -> Option<Value> {
    let born = if kind == RelationKind::Child {
        other.registered
    } else {
        PartialDate::new(other.born.year(), 0, 0).ok()?
    };
    Some(Value::Relation(Relation {
        kind,
        name: other.name.clone(),
        identifier: Some(Identifier::PersonalNumber(other.number.clone())),
        date_of_birth: Some(born),
        nationality: Some(code(tables::COUNTRY, "VN")),
    }))
}

/// A place written on a day. Province codes name other provinces before the merger, so an earlier place
/// has its text alone.
fn place(province: (&str, &str), text: &str, written: Date) -> Value {
    let current = merger().is_some_and(|merger| written >= merger);
    Value::Address(Address {
        text: text.to_owned(),
        province_code: current.then(|| province.0.to_owned()),
        units_version: current.then(|| tables::UNITS.to_owned()),
        ..Address::default()
    })
}

/// The day from which the 34 province codes hold.
fn merger() -> Option<Date> {
    Date::from_calendar_date(2025, Month::July, 1).ok()
}

fn coded(list: (&str, &str), code_in_list: &str) -> Value {
    Value::Coded(code(list, code_in_list))
}

fn code(list: (&str, &str), code: &str) -> CodedValue {
    CodedValue {
        code_system: list.0.to_owned(),
        code_system_version: list.1.to_owned(),
        code: code.to_owned(),
        display: None,
    }
}
