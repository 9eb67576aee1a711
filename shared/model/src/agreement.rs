//! Whether what somebody claims of an item agrees with what is held.

use crate::{
    Address, CodedValue, Document, HeldValue, Name, NameLevel, PartialDate, Relation, Value,
};

/// What is held says of a claimed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// Another value is held.
    Mismatch,
    /// What is held neither agrees nor disagrees.
    Indeterminate,
    /// The value is held.
    Match,
}

impl Agreement {
    /// Of what is held and a claim of the same item. Where an item has several values one that agrees is
    /// enough. None where nothing is held.
    #[must_use]
    pub fn of(claim: &Value, held: &[HeldValue], year_suffices: bool) -> Option<Self> {
        held.iter().map(|held| one(claim, &held.value, year_suffices)).max()
    }
}

fn known(equal: bool) -> Agreement {
    if equal { Agreement::Match } else { Agreement::Mismatch }
}

fn one(claim: &Value, held: &Value, year_suffices: bool) -> Agreement {
    match (claim, held) {
        (Value::Text(a), Value::Text(b)) => known(same_text(a, b)),
        (Value::Date(a), Value::Date(b)) => date(a, b, year_suffices),
        (Value::Name(a), Value::Name(b)) => known(same_name(&a.full_name, &b.full_name)),
        (Value::Address(a), Value::Address(b)) => address(a, b),
        (Value::Coded(a), Value::Coded(b)) => coded(a, b),
        (Value::Identifier(a), Value::Identifier(b)) => known(a == b),
        (Value::Relation(a), Value::Relation(b)) => relation(a, b),
        (Value::Document(a), Value::Document(b)) => document(a, b),
        // Two kinds of value of one item cannot be held against one another.
        _ => Agreement::Indeterminate,
    }
}

pub(crate) fn same_name(a: &Name, b: &Name) -> bool {
    a.match_key(NameLevel::L2) == b.match_key(NameLevel::L2)
}

/// Whether two texts say the same, folded as names are: case, spaces, tone placement. Texts may be longer than
/// a name; what says nothing agrees with nothing.
fn same_text(a: &str, b: &str) -> bool {
    let folded = |text: &str| {
        let words = text.split_whitespace().map(|word| {
            Name::new(word)
                .map_or_else(|_| word.to_lowercase(), |word| word.match_key(NameLevel::L2))
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let (a, b) = (folded(a), folded(b));
    // A word of nothing that shows is no word.
    let shows = |text: &str| text.chars().any(char::is_alphanumeric);
    shows(&a) && a == b
}

/// A date that is less precise than the other agrees with it or not only as far as both are known.
fn date(claim: &PartialDate, held: &PartialDate, year_suffices: bool) -> Agreement {
    if PartialDate::claim_matches(claim, held, year_suffices) {
        return Agreement::Match;
    }
    let apart = claim.latest() < held.earliest() || held.latest() < claim.earliest();
    if apart { Agreement::Mismatch } else { Agreement::Indeterminate }
}

/// A code of another list, or of another version of it, is another question.
fn coded(a: &CodedValue, b: &CodedValue) -> Agreement {
    if a.code_system == b.code_system && a.code_system_version == b.code_system_version {
        known(a.code == b.code)
    } else {
        Agreement::Indeterminate
    }
}

/// Units that differ are different places; of equal units the text decides only when it is the same: one
/// place is written in many ways.
fn address(a: &Address, b: &Address) -> Agreement {
    // Codes of two versions cannot be held against one another.
    let comparable = a.units_version == b.units_version;
    let differ = |a: &Option<String>, b: &Option<String>| {
        comparable && matches!((a, b), (Some(a), Some(b)) if a != b)
    };
    if differ(&a.province_code, &b.province_code)
        || differ(&a.district_code, &b.district_code)
        || differ(&a.commune_code, &b.commune_code)
        || differ(&a.country_code, &b.country_code)
    {
        Agreement::Mismatch
    } else if same_text(&a.text, &b.text) {
        Agreement::Match
    } else {
        Agreement::Indeterminate
    }
}

/// Another relative is no disagreement about this one, but the set holds no such relative.
fn relation(a: &Relation, b: &Relation) -> Agreement {
    if a.kind != b.kind || !same_name(&a.name.full_name, &b.name.full_name) {
        return Agreement::Mismatch;
    }
    match (&a.identifier, &b.identifier) {
        (Some(a), Some(b)) => known(a == b),
        (Some(_), None) => Agreement::Indeterminate,
        (None, _) => Agreement::Match,
    }
}

fn document(a: &Document, b: &Document) -> Agreement {
    let kinds = coded(&a.kind, &b.kind);
    if kinds != Agreement::Match {
        kinds
    } else if a.number.is_empty() || b.number.is_empty() {
        Agreement::Indeterminate
    } else {
        known(a.number == b.number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::{Provenance, RelationKind};

    fn held(value: Value) -> HeldValue {
        let provenance = Provenance {
            source: "civil-status".into(),
            contribution_id: "c".into(),
            valid_from: None,
            known_at_us: 0,
        };
        HeldValue { value, provenance }
    }

    fn check(claim: Value, value: Value, expect: Agreement) {
        let found = Agreement::of(&claim, &[held(value)], false);
        assert_eq!(found, Some(expect));
    }

    fn day(year: i32, month: u8, day: u8) -> Value {
        Value::Date(PartialDate::new(year, month, day).unwrap())
    }

    fn code(version: &str, code: &str) -> Value {
        Value::Coded(CodedValue {
            code_system: "ethnic-group".into(),
            code_system_version: version.into(),
            code: code.into(),
            display: None,
        })
    }

    fn place(text: &str, province: Option<&str>) -> Value {
        Value::Address(Address {
            text: text.into(),
            province_code: province.map(str::to_owned),
            ..Address::default()
        })
    }

    #[test]
    fn what_cannot_be_known_is_indeterminate() {
        use Agreement::{Indeterminate, Match, Mismatch};
        check(day(1990, 5, 6), day(1990, 5, 6), Match);
        check(day(1990, 5, 7), day(1990, 5, 6), Mismatch);
        check(day(1990, 5, 6), day(1990, 0, 0), Indeterminate);
        check(day(1990, 0, 0), day(1990, 5, 6), Indeterminate);
        check(day(1991, 0, 0), day(1990, 5, 6), Mismatch);
        check(code("1979", "04"), code("1979", "04"), Match);
        check(code("1979", "04"), code("1979", "06"), Mismatch);
        check(code("1979", "04"), code("gso-15172", "04"), Indeterminate);
        check(place("Số 1", Some("01")), place("SỐ  1", None), Match);
        let long = |end: &str| place(&format!("{} {end}", "Đường Giả Định ".repeat(12)), None);
        check(long("một"), long("MỘT"), Match);
        check(long("một"), long("hai"), Indeterminate);
        check(place("\u{200b}", None), place("\u{200b}\u{200b}", None), Indeterminate);
        check(Value::Text("x".repeat(200)), Value::Text("y".repeat(200)), Mismatch);
        check(place("Số 1", Some("01")), place("Số 1", Some("04")), Mismatch);
        check(place("Số 1", Some("01")), place("Số 2", Some("01")), Indeterminate);
        check(Value::Text("a".into()), day(1990, 0, 0), Indeterminate);
        assert_eq!(Agreement::of(&day(1990, 0, 0), &[], false), None);
        let year = Agreement::of(&day(1990, 0, 0), &[held(day(1990, 5, 6))], true);
        assert_eq!(year, Some(Match));
    }

    #[test]
    fn one_relative_of_several_is_enough() {
        let child = |name: &str| {
            Value::Relation(Relation {
                kind: RelationKind::Child,
                name: Name::new(name).unwrap().into(),
                identifier: None,
                date_of_birth: None,
                nationality: None,
            })
        };
        let all = [held(child("Lê Thị Hoà")), held(child("Lê Văn An"))];
        assert_eq!(Agreement::of(&child("LÊ VĂN AN"), &all, false), Some(Agreement::Match));
        assert_eq!(Agreement::of(&child("Lê Văn Ân"), &all, false), Some(Agreement::Mismatch));
    }

    proptest! {
        #[test]
        fn a_value_agrees_with_itself(
            year in 1900i32..2100,
            month in 0u8..13,
            // With a letter, because blanks alone say nothing.
            text in "[a-zà-ỹ ]{0,19}[a-z]",
        ) {
            let date = Value::Date(PartialDate::new(year, month, 0).unwrap());
            prop_assert_eq!(Agreement::of(&date, &[held(date.clone())], false), Some(Agreement::Match));
            let text = Value::Text(text);
            prop_assert_eq!(Agreement::of(&text, &[held(text.clone())], false), Some(Agreement::Match));
        }
    }
}
