//! Synthetic persons for demonstrations and tests: families with the shares, dates and relations of a
//! population, and nothing that could be somebody's.
//!
//! Numbers carry province codes that no province has (990 to 999), old numbers start with 999, mail
//! ends in `.test`, telephones start with 0000, and every person says so in `other_information`.
//! The same seed, count and day give the same persons with the same version of the random generator.

mod events;
mod household;
mod tables;

use std::collections::{HashSet, VecDeque};

pub use events::{birth, death, residence};
use model::{OldNumber, PartialDate, PersonalNumber, Value};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use time::Date;

/// What `other_information` of every synthetic person says.
pub const MARK: &str = "dữ liệu tổng hợp / synthetic";

/// One statement: item id, value, source, and from when it is true.
pub type Statement = (String, Value, String, Option<PartialDate>);

/// One person, with what each source says of it.
#[derive(Clone, PartialEq)]
pub struct SyntheticPerson {
    /// Opaque id in the form of a UUID.
    pub person_id: String,
    /// The personal number; agrees with sex and year of birth.
    pub number: PersonalNumber,
    /// The old number, where the person is old enough to have had one.
    pub old_number: Option<OldNumber>,
    /// Whether the person is hidden from callers without the right to know; about one in a hundred.
    pub protected: bool,
    /// What the sources say.
    pub assertions: Vec<Statement>,
}

/// Persons one after the other, household by household, so that a large population needs no memory but
/// that of its numbers.
pub struct Population {
    rng: ChaCha8Rng,
    today: Date,
    left: usize,
    ready: VecDeque<SyntheticPerson>,
    numbers: HashSet<String>,
    old_numbers: HashSet<String>,
}

/// The first `count` persons of the population of `seed`, as of `today`. The last household may be cut,
/// so relations of its members can point to persons who are not there.
///
/// The iterator ends early if a number cannot be made: when a sex and year of birth has used up nearly
/// all of its ten million numbers, or `today` lies outside 2000 to 2399.
#[must_use]
pub fn generate(seed: u64, count: usize, today: Date) -> Population {
    Population {
        rng: ChaCha8Rng::seed_from_u64(seed),
        today,
        left: count,
        ready: VecDeque::new(),
        numbers: HashSet::new(),
        old_numbers: HashSet::new(),
    }
}

impl Iterator for Population {
    type Item = SyntheticPerson;

    fn next(&mut self) -> Option<SyntheticPerson> {
        self.left = self.left.checked_sub(1)?;
        if self.ready.is_empty() {
            let persons = self.household()?;
            self.ready.extend(persons);
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::HashMap;

    use model::{Assertion, Name, NameLevel, Provenance, RelationKind, Sex, fold};
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 24);

    fn people() -> Vec<SyntheticPerson> {
        generate(7, 5000, TODAY).collect()
    }

    fn values<'a>(person: &'a SyntheticPerson, item: &str) -> Vec<&'a Value> {
        person.assertions.iter().filter(|a| a.0 == item).map(|a| &a.1).collect()
    }

    fn birth(person: &SyntheticPerson) -> PartialDate {
        let Value::Date(date) = values(person, "date_of_birth")[0] else { unreachable!() };
        *date
    }

    fn code(person: &SyntheticPerson, item: &str) -> Option<String> {
        values(person, item).first().map(|value| {
            let Value::Coded(coded) = value else { unreachable!() };
            coded.code.clone()
        })
    }

    #[test]
    fn same_seed_same_people() {
        assert!(people() == people());
        assert!(people() != generate(8, 5000, TODAY).collect::<Vec<_>>());
        assert_eq!(people().len(), 5000);
        // A smaller population is the beginning of a larger one.
        assert!(people()[..100] == generate(7, 100, TODAY).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_are_unique_and_nobodys() {
        let (mut numbers, mut ids) = (HashSet::new(), HashSet::new());
        for person in people() {
            assert!(person.number.is_synthetic());
            assert!(person.old_number.iter().all(|old| old.as_str().starts_with("999")));
            assert!(numbers.insert(person.number.as_str().to_owned()));
            assert!(person.old_number.iter().all(|old| numbers.insert(old.as_str().to_owned())));
            assert!(ids.insert(person.person_id.clone()));
            assert!(values(&person, "other_information") == [&Value::Text(MARK.into())]);
            for contact in values(&person, "contact_points") {
                let Value::Text(text) = contact else { unreachable!() };
                assert!(text.starts_with("0000") || text.ends_with(".test"));
            }
        }
    }

    #[test]
    fn numbers_agree_with_records() {
        for person in people() {
            let hints = person.number.hints().unwrap();
            let sex = if hints.sex == Sex::Male { "1" } else { "2" };
            assert_eq!(code(&person, "sex").as_deref(), Some(sex));
            assert_eq!(hints.birth_year, birth(&person).year());
            assert!(!birth(&person).is_after(&TODAY));
        }
    }

    #[test]
    fn nothing_is_true_before_birth_or_after_today() {
        for person in people() {
            for (item, value, _, valid_from) in &person.assertions {
                if let Some(date) = valid_from {
                    assert!(!date.is_after(&TODAY), "{item}");
                    assert!(date.latest() >= birth(&person).earliest(), "{item}");
                }
                if let Value::Date(date) = value {
                    assert!(!date.is_after(&TODAY) && date.latest() >= birth(&person).earliest());
                }
            }
        }
    }

    #[test]
    fn codes_of_places_say_of_which_version_they_are() {
        let mut coded = 0;
        for person in people() {
            for (item, value, ..) in &person.assertions {
                let Value::Address(address) = value else { continue };
                let version = address.province_code.as_ref().map(|_| "2025");
                assert_eq!(address.units_version.as_deref(), version, "{item}");
                coded += usize::from(version.is_some());
            }
        }
        assert!(coded > 5_000, "{coded}");
    }

    #[test]
    fn rare_things_are_as_rare_as_promised() {
        let all: Vec<_> = generate(1, 20_000, TODAY).collect();
        let share =
            |test: &dyn Fn(&SyntheticPerson) -> bool| all.iter().filter(|p| test(p)).count();
        let year_only = share(&|p| birth(p).month() == 0);
        let dead = share(&|p| !values(p, "death_or_missing_date").is_empty());
        let protected = share(&|p| p.protected);
        let nguyen = share(&|p| {
            let Value::Name(name) = values(p, "birth_full_name")[0] else { unreachable!() };
            name.full_name.as_str().starts_with("Nguyễn")
        });
        for rare in [year_only, dead, protected] {
            assert!((100..=300).contains(&rare), "{year_only} {dead} {protected}");
        }
        assert!((7_000..=8_400).contains(&nguyen), "{nguyen}");
    }

    #[test]
    fn relations_hold_both_ways() {
        let all = people();
        let by_number: HashMap<_, _> = all.iter().map(|p| (p.number.as_str(), p)).collect();
        let mut pairs = 0;
        for person in &all {
            for value in values(person, "family_relations") {
                let Value::Relation(to) = value else { unreachable!() };
                let Some(other) = by_number.get(to.identifier.as_ref().unwrap().as_str()) else {
                    continue; // The last household may be cut.
                };
                assert!(values(other, "birth_full_name") == [&Value::Name(to.name.clone())]);
                assert_eq!(to.date_of_birth.unwrap().year(), birth(other).year());
                let mut back = Vec::new();
                for value in values(other, "family_relations") {
                    let Value::Relation(from) = value else { unreachable!() };
                    if from.identifier.as_ref().unwrap().as_str() == person.number.as_str() {
                        back.push(from.kind);
                    }
                }
                let parent = if code(person, "sex").unwrap() == "1" {
                    RelationKind::Father
                } else {
                    RelationKind::Mother
                };
                let expected = if to.kind == RelationKind::Child {
                    parent
                } else if to.kind == RelationKind::Spouse {
                    RelationKind::Spouse
                } else {
                    RelationKind::Child
                };
                assert_eq!(back, [expected]);
                for death in values(person, "death_or_missing_date") {
                    let Value::Date(death) = death else { unreachable!() };
                    assert!(to.kind != RelationKind::Child || *death >= birth(other));
                }
                pairs += 1;
            }
        }
        assert!(pairs > 2000, "{pairs}");
    }

    #[test]
    fn the_fold_loses_nothing() {
        for person in people() {
            let assertions: Vec<_> = person
                .assertions
                .iter()
                .map(|(item, value, source, valid_from)| Assertion {
                    person_id: person.person_id.clone(),
                    item: item.clone(),
                    value: value.clone(),
                    provenance: Provenance {
                        source: source.clone(),
                        contribution_id: "seed".into(),
                        valid_from: *valid_from,
                        known_at_us: 0,
                    },
                    version: 1,
                    says: model::Says::Holds,
                    event: None,
                })
                .collect();
            let record = fold(
                &person.person_id,
                person.protected,
                &assertions,
                &model::AuthorityInForce::equal(),
            );
            assert_eq!(record.items.values().map(Vec::len).sum::<usize>(), assertions.len());
        }
    }

    #[test]
    fn names_are_in_their_kept_form() {
        for person in people() {
            let Value::Name(name) = values(&person, "birth_full_name")[0] else { unreachable!() };
            let kept = Name::new(name.full_name.as_str()).unwrap();
            assert_eq!(kept.match_key(NameLevel::L0), name.full_name.as_str());
        }
    }
}
