//! What must hold of a birth before the register enters the child.

use model::{
    PartialDate, SYNTHETIC_PREFIXES, Said, Saying, Sex, Value,
    item::{BORN, NAME, SEX},
};
use time::Date;

use super::{Application, Reason, Rejection, relatives::parent_not_older};

/// What a number is made of, as far as the birth entry says it.
pub(crate) struct NumberParts {
    /// Code of the place of birth registration.
    pub(crate) prefix: u16,
    /// Sex.
    pub(crate) sex: Sex,
    /// Year of birth.
    pub(crate) year: i32,
}

/// Checks a birth against what must hold of every register, and gives the parts of the number to issue
/// (Decree 70/2024/ND-CP, Art. 11: the number is set up at birth registration).
pub(crate) fn check_birth(
    application: &Application,
    prefix: &str,
    synthetic: bool,
    today: Date,
) -> Result<NumberParts, Vec<Rejection>> {
    let mut rejections = Vec::new();
    let mut reject = |item: &str, reason| rejections.push(Rejection::of(item, reason));
    let prefix = issued_prefix(prefix, synthetic);
    if prefix.is_none() {
        reject("", Reason::PrefixNotIssued);
    }
    let value = |item: &str| application.said.iter().find(|s| s.item == item).and_then(Said::held);
    let sex = match value(SEX) {
        Some(Value::Coded(code)) if code.code == "1" => Some(Sex::Male),
        Some(Value::Coded(code)) if code.code == "2" => Some(Sex::Female),
        _ => None,
    };
    if sex.is_none() {
        // A number says male or female; an entry that does not cannot be given one.
        reject(SEX, Reason::WrongType);
    }
    if !matches!(value(NAME), Some(Value::Name(_))) {
        reject(NAME, Reason::WrongType);
    }
    let born = match value(BORN) {
        Some(Value::Date(date)) => Some(*date),
        _ => None,
    };
    match born {
        None => reject(BORN, Reason::WrongType),
        // A number has no digit for an earlier century.
        Some(born) if born.is_after(&today) || born.year() < 1900 => {
            reject(BORN, Reason::DateOutOfRange);
        }
        Some(born) => {
            for said in &application.said {
                if let Some(reason) = check_of_birth(said, born, today) {
                    reject(&said.item, reason);
                }
            }
        }
    }
    match (prefix, sex, born) {
        (Some(prefix), Some(sex), Some(born)) if rejections.is_empty() => {
            Ok(NumberParts { prefix, sex, year: born.year() })
        }
        _ => Err(rejections),
    }
}

fn check_of_birth(said: &Said, born: PartialDate, today: Date) -> Option<Reason> {
    let early = said.valid_from.is_some_and(|from| from.latest() < born.earliest());
    let late = said.valid_from.is_some_and(|from| from.is_after(&today));
    if early || late {
        Some(Reason::DateOutOfRange)
    } else if said.says != Saying::Holds || said.value.is_none() {
        // Of a child that is entered nothing can end.
        Some(Reason::NothingToEnd)
    } else {
        parent_not_older(said, Some(born)).then_some(Reason::ParentNotOlder)
    }
}

/// A prefix that this register issues: a demonstration issues fictional ones only, and no other register
/// issues those, so that no synthetic number is ever somebody's.
fn issued_prefix(text: &str, synthetic: bool) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let number: u16 = if digits { text.parse().ok()? } else { return None };
    (SYNTHETIC_PREFIXES.contains(&number) == synthetic).then_some(number)
}
