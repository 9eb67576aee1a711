//! A person's numbers: which of them lead to the person, and when one is set anew (Decree 70/2024/ND-CP, Art. 11).

use std::collections::BTreeSet;

use model::{
    Assertion, GoldenRecord, Identifier, PersonalNumber, Says, Sex, Subject, Value, is_annulled,
    item::{BORN, NUMBER, NUMBERS, SEX},
};

use super::NumberParts;

/// The numbers that lead to a person: all that were ever said and not annulled, also one that another has replaced.
pub(crate) fn numbers(person_id: &str, said: &[Assertion]) -> BTreeSet<String> {
    // A number stays with the person to whom it was given, whoever that one is merged into.
    let of = said.iter().filter(|said| {
        said.person_id == person_id
            && NUMBERS.contains(&said.item.as_str())
            && said.says == Says::Holds
    });
    let counts = of.filter(|one| !is_annulled(person_id, said, &one.provenance.contribution_id));
    counts.filter_map(|said| identifier(&said.value)).map(|n| n.as_str().to_owned()).collect()
}

/// What the number to set is made of, where a record no longer is of the sex or year of birth of its number: where one of
/// them was another before. It keeps the code of the place of registration.
pub(crate) fn number_due(before: &GoldenRecord, after: &GoldenRecord) -> Option<NumberParts> {
    let (was, is) = (sex_and_year(before), sex_and_year(after)?);
    let number = current(after)?;
    let hints = number.hints()?;
    // A number has no digit for an earlier century.
    if was == Some(is) || (hints.sex, hints.birth_year) == is || is.1 < 1900 {
        return None;
    }
    Some(NumberParts { prefix: number.prefix().parse().ok()?, sex: is.0, year: is.1 })
}

/// Whether a person is asked about by a number that another one has replaced.
pub(crate) fn is_replaced(record: &GoldenRecord, subject: &Subject) -> bool {
    match subject {
        Subject::Personal(asked) => current(record).is_some_and(|number| number != asked),
        Subject::Old(_) => false,
    }
}

fn current(record: &GoldenRecord) -> Option<&PersonalNumber> {
    match identifier(&record.values(NUMBER).first()?.value)? {
        Identifier::PersonalNumber(number) => Some(number),
        Identifier::OldNumber9(_) => None,
    }
}

fn sex_and_year(record: &GoldenRecord) -> Option<(Sex, i32)> {
    let Value::Coded(sex) = &record.values(SEX).first()?.value else { return None };
    let sex = match sex.code.as_str() {
        "1" => Sex::Male,
        "2" => Sex::Female,
        _ => return None,
    };
    let Value::Date(born) = &record.values(BORN).first()?.value else { return None };
    Some((sex, born.year()))
}

fn identifier(value: &Value) -> Option<&Identifier> {
    if let Value::Identifier(number) = value { Some(number) } else { None }
}
