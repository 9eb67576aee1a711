//! Applying a contribution: what the register itself checks, and how an outcome is kept.

use model::{
    Claims, GoldenRecord, HeldValue, PartialDate, PersonalNumber, SYNTHETIC_PREFIXES, Sex, Subject,
    Value,
};
use serde::{Deserialize, Serialize};
use time::Date;

/// The item under which the register keeps the number it issues.
pub(crate) const NUMBER_ITEM: &str = "personal_id_number";

/// The source of what the register itself says: the National Population Database.
pub(crate) const REGISTER: &str = "npd";

/// One value that a source asserts.
#[derive(Clone)]
pub(crate) struct Said {
    /// The item.
    pub(crate) item: String,
    /// Its value.
    pub(crate) value: Value,
    /// From when it is true.
    pub(crate) valid_from: Option<model::PartialDate>,
}

/// Whom a contribution is about.
#[derive(Clone)]
pub(crate) enum Target {
    /// A person the register does not hold yet.
    New {
        /// First three digits of the number to issue.
        prefix: String,
    },
    /// A person of the register.
    Known {
        /// How the person is named.
        subject: Subject,
        /// What the source knows of the person.
        claims: Claims,
        /// Whether the values correct what the source said before.
        corrects: bool,
    },
}

/// A contribution.
#[derive(Clone)]
pub(crate) struct Application {
    /// Id of the contribution.
    pub(crate) contribution_id: String,
    /// SHA-256 of the submitted bytes.
    pub(crate) digest: [u8; 32],
    /// The database that contributed.
    pub(crate) source: String,
    /// Its connection, whose guessing budget counts.
    pub(crate) connection: String,
    /// Whom it is about.
    pub(crate) target: Target,
    /// The source's own entry; empty when it has none.
    pub(crate) entry: String,
    /// What the source asserts.
    pub(crate) said: Vec<Said>,
    /// Check only.
    pub(crate) dry_run: bool,
}

/// What became of a contribution; kept as JSON beside its id, and given again for the same one (I4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was applied.
    Applied {
        /// Version of the register that holds it; 0 in a dry run.
        version: u64,
        /// The number issued; none in a dry run.
        number: Option<PersonalNumber>,
        /// The person; none in a dry run.
        person_id: Option<String>,
        /// When the register learnt it, microseconds since 1970.
        known_at_us: i64,
    },
    /// It was rejected.
    Rejected(Vec<Rejection>),
}

impl Outcome {
    /// Whether it says that a person was not found.
    pub(crate) fn is_miss(&self) -> bool {
        matches!(self, Self::Rejected(reasons)
            if reasons.iter().any(|r| r.reason == Reason::PersonNotFound))
    }
}

/// One reason of a rejection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rejection {
    /// The faulty item; empty when the fault lies with the subject.
    pub(crate) item: String,
    /// What is wrong.
    pub(crate) reason: Reason,
}

/// Why a contribution is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The source's entry is already in the register.
    AlreadyRegistered,
    /// The register issues no number with this prefix.
    PrefixNotIssued,
    /// A birth needs this item, with a value of its type.
    WrongType,
    /// A date lies in the future, or before the birth, or a correction before what it corrects.
    DateOutOfRange,
    /// There is no such person, or none that the source may know of (I7).
    PersonNotFound,
    /// The register already holds the person's death.
    PersonDeceased,
    /// The register holds no value that could be corrected.
    NothingToCorrect,
}

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
    let mut reject = |item: &str, reason| {
        rejections.push(Rejection { item: item.to_owned(), reason });
    };
    let prefix = issued_prefix(prefix, synthetic);
    if prefix.is_none() {
        reject("", Reason::PrefixNotIssued);
    }
    let value = |item: &str| application.said.iter().find(|s| s.item == item).map(|s| &s.value);
    let sex = match value("sex") {
        Some(Value::Coded(code)) if code.code == "1" => Some(Sex::Male),
        Some(Value::Coded(code)) if code.code == "2" => Some(Sex::Female),
        _ => None,
    };
    if sex.is_none() {
        // A number says male or female; an entry that does not cannot be given one.
        reject("sex", Reason::WrongType);
    }
    if !matches!(value("birth_full_name"), Some(Value::Name(_))) {
        reject("birth_full_name", Reason::WrongType);
    }
    let born = match value("date_of_birth") {
        Some(Value::Date(date)) => Some(*date),
        _ => None,
    };
    match born {
        None => reject("date_of_birth", Reason::WrongType),
        Some(born) if born.is_after(&today) => reject("date_of_birth", Reason::DateOutOfRange),
        Some(born) => {
            for said in &application.said {
                let early = said.valid_from.is_some_and(|from| from.latest() < born.earliest());
                let late = said.valid_from.is_some_and(|from| from.is_after(&today));
                if early || late {
                    reject(&said.item, Reason::DateOutOfRange);
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

/// A prefix that this register issues: a demonstration issues fictional ones only, and no other register
/// issues those, so that no synthetic number is ever somebody's.
fn issued_prefix(text: &str, synthetic: bool) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let number: u16 = if digits { text.parse().ok()? } else { return None };
    (SYNTHETIC_PREFIXES.contains(&number) == synthetic).then_some(number)
}

/// Checks a contribution about a person of the register. `record` is the person that bears the number, if
/// there is one. A protected person is not told from an absent one (I7): what is to be said of it comes
/// through the operator.
pub(crate) fn check_known(
    application: &Application,
    record: Option<&GoldenRecord>,
    claims: &Claims,
    corrects: bool,
    today: Date,
) -> Result<(), Vec<Rejection>> {
    let known = record.filter(|record| !record.protected && claims.agree(record, false));
    let Some(record) = known else {
        let reason = Reason::PersonNotFound;
        return Err(vec![Rejection { item: String::new(), reason }]);
    };
    let mut rejections = Vec::new();
    if record.deceased() && !corrects {
        rejections.push(Rejection { item: String::new(), reason: Reason::PersonDeceased });
    }
    let born = born(application, record);
    for said in &application.said {
        let held = record.items.get(&said.item).map(Vec::as_slice).unwrap_or_default();
        if let Some(reason) = check_said(said, held, born, corrects, today) {
            rejections.push(Rejection { item: said.item.clone(), reason });
        }
    }
    if rejections.is_empty() { Ok(()) } else { Err(rejections) }
}

/// The date of birth as it will be held: corrections of it count.
fn born(application: &Application, record: &GoldenRecord) -> Option<PartialDate> {
    let said = application.said.iter().find(|said| said.item == "date_of_birth");
    let held = || Some(&record.items.get("date_of_birth")?.first()?.value);
    let value = said.map(|said| &said.value).or_else(held)?;
    if let Value::Date(date) = value { Some(*date) } else { None }
}

fn check_said(
    said: &Said,
    held: &[HeldValue],
    born: Option<PartialDate>,
    corrects: bool,
    today: Date,
) -> Option<Reason> {
    let other_type = |held: &HeldValue| {
        std::mem::discriminant(&held.value) != std::mem::discriminant(&said.value)
    };
    if held.iter().any(other_type) {
        return Some(Reason::WrongType);
    }
    if corrects && held.is_empty() {
        return Some(Reason::NothingToCorrect);
    }
    // What is true from an earlier day does not win against what is held (I5), so it corrects nothing.
    let later = |held: &HeldValue| held.provenance.valid_from > said.valid_from;
    let value = if let Value::Date(date) = &said.value { Some(*date) } else { None };
    let out_of_range = |date: PartialDate| {
        date.is_after(&today) || born.is_some_and(|born| date.latest() < born.earliest())
    };
    if said.valid_from.into_iter().chain(value).any(out_of_range)
        || (corrects && held.iter().any(later))
    {
        return Some(Reason::DateOutOfRange);
    }
    None
}
