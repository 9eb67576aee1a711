//! Applying a contribution: what the register itself checks, and how an outcome is kept.

use model::{
    Assertion, AuthorityInForce, Claims, GoldenRecord, HeldValue, PartialDate, PersonalNumber,
    SYNTHETIC_PREFIXES, Sex, Subject, Value, fold, is_annulled,
};
use serde::{Deserialize, Serialize};
use time::Date;

use super::lookup::Ending;

/// The item under which the register keeps the number it issues.
pub(crate) const NUMBER_ITEM: &str = "personal_id_number";

/// The items that hold a person's numbers.
const NUMBER_ITEMS: [&str; 2] = [NUMBER_ITEM, "old_id_number_9"];

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
    /// Whomever an earlier contribution of the source was about, which counts as never made.
    Earlier {
        /// Id of that contribution; empty when the source has made none.
        contribution_id: String,
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
    /// What the source asserts; nothing where it annuls.
    pub(crate) said: Vec<Said>,
    /// The version of the person's record on which it rests; 0 when on none.
    pub(crate) expected_version: u64,
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
        /// Items of which a source with more authority says what is held.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outranked: Vec<String>,
    },
    /// It was rejected.
    Rejected {
        /// Why, as the source is told.
        reasons: Vec<Rejection>,
        /// How the person was not found, for the record.
        ending: Option<Ending>,
        /// The person, also where the source may not know of it, for the record.
        person_id: Option<String>,
    },
}

impl Outcome {
    /// A rejection that is not about a person of the register.
    pub(crate) fn rejected(reasons: Vec<Rejection>) -> Self {
        Self::Rejected { reasons, ending: None, person_id: None }
    }

    /// Whether it says that a person was not found.
    pub(crate) fn is_miss(&self) -> bool {
        matches!(self, Self::Rejected { ending: Some(_), .. })
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
    /// What is held was provided by another source.
    OtherSource,
    /// No number of this prefix, sex and year is left.
    NumbersSpent,
    /// The record has changed since the source read it.
    VersionChanged,
    /// The source has made no such contribution that counts.
    NothingToAnnul,
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
        // A number has no digit for an earlier century.
        Some(born) if born.is_after(&today) || born.year() < 1900 => {
            reject("date_of_birth", Reason::DateOutOfRange);
        }
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

/// The person whom a contribution is about. `record` is the person that bears the number, if there is one. A protected
/// person is not told from an absent one (I7): what is to be said of it comes through the operator.
pub(crate) fn found(
    record: Option<GoldenRecord>,
    claims: &Claims,
) -> Result<GoldenRecord, Outcome> {
    let person_id = record.as_ref().map(|record| record.person_id.clone());
    let ending = match record {
        None => Ending::Absent,
        Some(record) if !claims.agree(&record, false) => Ending::ClaimsDiffer,
        Some(record) if record.protected => Ending::Hidden,
        Some(record) => return Ok(record),
    };
    let reasons = vec![Rejection { item: String::new(), reason: Reason::PersonNotFound }];
    Err(Outcome::Rejected { reasons, ending: Some(ending), person_id })
}

/// Checks a contribution about a person of the register, of whom `said` is everything that was said.
pub(crate) fn check_known(
    application: &Application,
    record: &GoldenRecord,
    said: &[Assertion],
    corrects: bool,
    rules: &AuthorityInForce,
    today: Date,
) -> Result<(), Outcome> {
    let mut reasons = Vec::new();
    let mut reject = |reason| reasons.push(Rejection { item: String::new(), reason });
    if record.deceased() && !corrects {
        reject(Reason::PersonDeceased);
    }
    if ![0, record.version].contains(&application.expected_version) {
        reject(Reason::VersionChanged);
    }
    // What its source said, whether it shows or another one outranks it.
    let own = said.iter().filter(|said| said.provenance.source == application.source);
    let own: Vec<Assertion> = own.cloned().collect();
    let own = fold(&record.person_id, false, &own, &AuthorityInForce::default());
    let now = fold(&record.person_id, false, said, rules);
    let born = born(application, &now);
    for said in &application.said {
        let held = now.values(&said.item);
        let rank = |source: &str| rules.rank(&said.item, source);
        // What another source with as much authority said later is that source's to correct.
        let others = held.iter().map(|held| held.provenance.source.as_str()).any(|source| {
            source != application.source && rank(source) >= rank(&application.source)
        });
        let own = corrects.then(|| if others { &[] } else { own.values(&said.item) });
        if let Some(reason) = check_said(said, held, born, own, today) {
            reasons.push(Rejection { item: said.item.clone(), reason });
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let person_id = Some(record.person_id.clone());
    Err(Outcome::Rejected { reasons, ending: None, person_id })
}

/// Checks the annulment of an earlier contribution about a person, of whom `said` is everything that was said.
pub(crate) fn check_annulment(
    application: &Application,
    record: &GoldenRecord,
    said: &[Assertion],
    earlier: &str,
) -> Result<(), Vec<Rejection>> {
    let mut reasons = Vec::new();
    let mut reject = |reason| reasons.push(Rejection { item: String::new(), reason });
    let own = |said: &&Assertion| {
        said.provenance.contribution_id == earlier && said.provenance.source == application.source
    };
    if !said.iter().any(|said| own(&said)) || is_annulled(&record.person_id, said, earlier) {
        reject(Reason::NothingToAnnul);
    }
    if ![0, record.version].contains(&application.expected_version) {
        reject(Reason::VersionChanged);
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// The numbers that a record had and another one has not.
pub(crate) fn numbers_gone(before: &GoldenRecord, after: &GoldenRecord) -> Vec<String> {
    let of = |record: &GoldenRecord| -> Vec<String> {
        let number = |held: &HeldValue| {
            let Value::Identifier(number) = &held.value else { return None };
            Some(number.as_str().to_owned())
        };
        NUMBER_ITEMS.iter().flat_map(|item| record.values(item)).filter_map(number).collect()
    };
    let after = of(after);
    of(before).into_iter().filter(|number| !after.contains(number)).collect()
}

/// The date of birth as it will be held: a correction of it counts, by whoever said what is held.
fn born(application: &Application, record: &GoldenRecord) -> Option<PartialDate> {
    let held = record.values("date_of_birth").first()?;
    let own = held.provenance.source == application.source;
    let said = application.said.iter().find(|said| own && said.item == "date_of_birth");
    let value = said.map_or(&held.value, |said| &said.value);
    if let Value::Date(date) = value { Some(*date) } else { None }
}

/// `own` is what the source of a correction said before, of a correction.
fn check_said(
    said: &Said,
    held: &[HeldValue],
    born: Option<PartialDate>,
    own: Option<&[HeldValue]>,
    today: Date,
) -> Option<Reason> {
    if held.iter().any(|held| other_type(&held.value, &said.value)) {
        return Some(Reason::WrongType);
    }
    if let Some(own) = own {
        if own.is_empty() {
            // Whose value it is has the book to correct it by (Law 60/2014/QH13, Art. 60(2)).
            let nothing = held.is_empty();
            return Some(if nothing { Reason::NothingToCorrect } else { Reason::OtherSource });
        }
        // What is true from an earlier day does not win against what it said (I5), so it corrects nothing.
        if own.iter().any(|own| own.provenance.valid_from > said.valid_from) {
            return Some(Reason::DateOutOfRange);
        }
    }
    let value = if let Value::Date(date) = &said.value { Some(*date) } else { None };
    let out_of_range = |date: PartialDate| {
        date.is_after(&today) || born.is_some_and(|born| date.latest() < born.earliest())
    };
    let mut dates = said.valid_from.into_iter().chain(value);
    dates.any(out_of_range).then_some(Reason::DateOutOfRange)
}

/// Whether two values are of other kinds, or codes of other lists.
fn other_type(held: &Value, said: &Value) -> bool {
    match (held, said) {
        (Value::Coded(held), Value::Coded(said)) => held.code_system != said.code_system,
        _ => std::mem::discriminant(held) != std::mem::discriminant(said),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use model::{CodedValue, Name, Provenance};
    use time::macros::date;

    use super::*;

    const NUMBER: &str = "990226000001";

    fn code(list: &str, code: &str) -> Value {
        Value::Coded(CodedValue {
            code_system: list.into(),
            code_system_version: "1".into(),
            code: code.into(),
            display: None,
        })
    }

    fn day(year: i32, month: u8, day: u8) -> PartialDate {
        PartialDate::new(year, month, day).unwrap()
    }

    fn said() -> Vec<Assertion> {
        let held = |item: &str, value, source: &str| Assertion {
            person_id: "p".into(),
            item: item.into(),
            value,
            provenance: Provenance {
                source: source.into(),
                contribution_id: "c".into(),
                valid_from: Some(day(2000, 1, 1)),
                known_at_us: 1,
            },
            version: 1,
            says: model::Says::Holds,
        };
        vec![
            held("birth_full_name", Value::Name(name().into()), "civil-status"),
            held("date_of_birth", Value::Date(day(2000, 1, 1)), "civil-status"),
            held("sex", code("sex", "1"), "civil-status"),
            held("blood_type", code("blood-type", "01"), "medical"),
            // A source with as much authority said something else after it.
            held("marital_status", code("marital-status", "1"), "civil-status"),
            held("marital_status", code("marital-status", "2"), "residence"),
            // Of this, another source has the last word.
            held("nationality", code("nationality", "LA"), "civil-status"),
            held("nationality", code("nationality", "VN"), "nationality"),
        ]
    }

    fn rules() -> AuthorityInForce {
        let rules = "version = 1\n[[rule]]\nitem = \"nationality\"\nsources = [\"nationality\"]\nbasis = \"Law A\"\n";
        model::Authority::parse(rules).unwrap().in_force(date!(2026 - 11 - 25))
    }

    fn record() -> GoldenRecord {
        fold("p", false, &said(), &rules())
    }

    fn name() -> Name {
        Name::new("Lê Giả Định An").unwrap()
    }

    /// What becomes of one value said by civil status.
    fn check(item: &str, value: Value, from: PartialDate, corrects: bool) -> Vec<Reason> {
        let claims = Claims { full_name: name(), date_of_birth: day(2000, 1, 1) };
        let application = Application {
            contribution_id: "c-2".into(),
            digest: [0; 32],
            source: "civil-status".into(),
            connection: "demo".into(),
            target: Target::Known {
                subject: Subject::Personal(PersonalNumber::parse(NUMBER).unwrap()),
                claims: claims.clone(),
                corrects,
            },
            entry: String::new(),
            said: vec![Said { item: item.into(), value, valid_from: Some(from) }],
            expected_version: 0,
            dry_run: false,
        };
        let today = date!(2026 - 11 - 25);
        let record = found(Some(record()), &claims).ok().unwrap();
        match check_known(&application, &record, &said(), corrects, &rules(), today) {
            Ok(()) => Vec::new(),
            Err(Outcome::Rejected { reasons, ending, person_id }) => {
                assert!(ending.is_none() && person_id.as_deref() == Some("p"));
                reasons.into_iter().map(|rejection| rejection.reason).collect()
            }
            Err(Outcome::Applied { .. }) => panic!("nothing is applied here"),
        }
    }

    #[test]
    fn a_correction_stands_against_what_the_same_source_said_of_the_same_kind() {
        let then = day(2000, 1, 1);
        assert_eq!(check("sex", code("sex", "2"), then, true), []);
        assert_eq!(check("sex", code("religion", "02"), then, true), [Reason::WrongType]);
        assert_eq!(check("sex", Value::Text("2".into()), then, true), [Reason::WrongType]);
        assert_eq!(
            check("blood_type", code("blood-type", "02"), then, true),
            [Reason::OtherSource]
        );
        assert_eq!(
            check("religion", code("religion", "02"), then, true),
            [Reason::NothingToCorrect]
        );
        // Another source of as much authority said something later, which is that source's to correct.
        let divorced = code("marital-status", "3");
        assert_eq!(check("marital_status", divorced, day(2020, 1, 1), true), [Reason::OtherSource]);
        assert_eq!(check("sex", code("sex", "2"), day(1999, 1, 1), true), [Reason::DateOutOfRange]);
        // What it said it can put right, also where it does not show.
        assert_eq!(check("nationality", code("nationality", "KH"), then, true), []);
        // What adds needs nothing to be there, and may come from anybody whom policy lets.
        assert_eq!(check("religion", code("religion", "02"), then, false), []);
        assert_eq!(
            check("sex", code("sex", "2"), day(2027, 1, 1), false),
            [Reason::DateOutOfRange]
        );
    }
}
