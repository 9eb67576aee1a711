//! Whatever a message can carry comes back as it was.

use model::{
    Address, Identifier, OldNumber, PersonName, PersonalNumber, Relation, RelationKind,
    SYNTHETIC_PREFIXES, Sex,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use time::{OffsetDateTime, UtcOffset};

use super::*;
use crate::{Form, Kind, Part};

fn a_name() -> impl Strategy<Value = Name> {
    "[A-ZĐƠ][a-zàáảãạêệơớđ'’&<>\"-]{0,8}".prop_map(|text| name(&text))
}

fn a_person_name() -> BoxedStrategy<PersonName> {
    let apart = (a_name(), option::of(a_name()), a_name()).prop_map(|(family, middle, given)| {
        let parts = [Some(&family), middle.as_ref(), Some(&given)];
        let whole: Vec<&str> = parts.into_iter().flatten().map(Name::as_str).collect();
        PersonName {
            full_name: name(&whole.join(" ")),
            family_name: Some(family),
            middle_name: middle,
            given_name: Some(given),
        }
    });
    prop_oneof![a_name().prop_map(PersonName::from), apart].boxed()
}

fn a_personal_number() -> impl Strategy<Value = Identifier> {
    (SYNTHETIC_PREFIXES, 1900..2100_i32, 0..=999_999_u32).prop_map(|(prefix, year, random)| {
        let number = PersonalNumber::compose(prefix, Sex::Female, year, random).unwrap();
        Identifier::PersonalNumber(number)
    })
}

fn an_old_number() -> impl Strategy<Value = Identifier> {
    "999[0-9]{6}".prop_map(|text| Identifier::OldNumber9(OldNumber::parse(&text).unwrap()))
}

fn a_date() -> impl Strategy<Value = PartialDate> {
    let year = 1800..=2399_i32;
    prop_oneof![
        year.clone().prop_map(|year| date(year, 0, 0)),
        (year, 1..=12_u8, 1..=28_u8).prop_map(|(year, month, day)| date(year, month, day)),
    ]
}

fn an_address() -> BoxedStrategy<Address> {
    // One code: that is all a message carries.
    let codes = prop_oneof![
        Just((None, None, None)),
        select(vec!["01", "79"]).prop_map(|code| (Some(code.to_owned()), None, None)),
        "[0-9]{3}".prop_map(|code| (None, Some(code), None)),
        "[0-9]{5}".prop_map(|code| (None, None, Some(code))),
    ];
    let text = "[A-Za-zỄđ0-9&<>,/'\"-]{1,20}( [A-Za-zỄđ0-9]{1,10}){0,3}";
    (text, codes, option::of(select(vec!["VN", "LA"])))
        .prop_map(|(text, (province_code, district_code, commune_code), country)| {
            let coded =
                province_code.is_some() || district_code.is_some() || commune_code.is_some();
            Address {
                text,
                province_code,
                district_code,
                commune_code,
                country_code: country.map(str::to_owned),
                units_version: coded.then(|| "2025".to_owned()),
            }
        })
        .boxed()
}

fn a_relation(kind: RelationKind, parts: &[Part]) -> BoxedStrategy<Relation> {
    let number = prop_oneof![a_personal_number(), an_old_number()];
    let nationality = select(vec!["VN", "LA"]).prop_map(|c| coded("nationality", "iso-3166-1", c));
    let carried = parts.contains(&Part::QuocTich);
    (a_person_name(), option::of(number), option::of(nationality))
        .prop_map(move |(name, identifier, nationality)| Relation {
            kind,
            name,
            identifier,
            date_of_birth: None,
            nationality: nationality.filter(|_| carried),
        })
        .boxed()
}

/// A value that an element can carry.
fn a_value(element: &crate::Element) -> BoxedStrategy<Value> {
    let codes = |list: &str| match list {
        "sex" | "marital-status" => vec!["0", "1", "2"],
        "nationality" => vec!["VN", "LA"],
        "household-relation" => vec!["CH01"],
        _ => vec!["01", "02", "04"],
    };
    match (element.form, element.kind) {
        (Form::Identifier, Some(Kind::OldNumber9)) => {
            an_old_number().prop_map(Value::Identifier).boxed()
        }
        (Form::Identifier, _) => a_personal_number().prop_map(Value::Identifier).boxed(),
        (Form::Name, _) => a_person_name().prop_map(Value::Name).boxed(),
        (Form::Date, _) => a_date().prop_map(Value::Date).boxed(),
        (Form::Address, _) => an_address().prop_map(Value::Address).boxed(),
        (Form::Relation, Some(Kind::Relation(kind))) => {
            a_relation(kind, &element.parts).prop_map(Value::Relation).boxed()
        }
        (Form::Relation, _) => unreachable!("the table is complete"),
        (Form::Coded, _) => {
            let list = element.list.clone().unwrap();
            let version = element.version.clone().unwrap_or_else(|| "1979".to_owned());
            let code = select(codes(&list));
            code.prop_map(move |code| Value::Coded(coded(&list, &version, code))).boxed()
        }
    }
}

/// A person with any of the elements, and what else is said of items.
fn a_person() -> impl Strategy<Value = Person> {
    let table = Table::shipped().unwrap();
    let values: Vec<_> = table
        .elements
        .iter()
        .map(|element| {
            let item = element.item.clone();
            option::of(a_value(element)).prop_map(move |value| (item.clone(), value))
        })
        .collect();
    let outcomes = vec(select(vec![Outcome::NotHeld, Outcome::Withheld]), 2);
    (values, outcomes).prop_map(|(values, outcomes)| {
        let mut items: Vec<Item> = Vec::new();
        for (id, value) in values {
            let Some(value) = value else { continue };
            match items.iter_mut().find(|item| item.id == id) {
                Some(Item { outcome: Outcome::Value(values), .. }) => values.push(value),
                _ => items.push(held(&id, vec![value])),
            }
        }
        // Not held before withheld, as the note has them.
        let mut said: Vec<Item> = ["other_names", "place_of_birth"]
            .into_iter()
            .zip(outcomes)
            .map(|(id, outcome)| Item { id: id.into(), outcome })
            .collect();
        said.sort_by_key(|item| item.outcome == Outcome::Withheld);
        items.extend(said);
        Person { items }
    })
}

proptest! {
    #[test]
    fn what_a_message_carries_comes_back(person in a_person(), seconds in 0..4_000_000_000_i64) {
        let zone = UtcOffset::from_hms(7, 0, 0).unwrap();
        let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap().to_offset(zone);
        let collection = Collection { time: Some(time), persons: vec![person] };
        let written = qcvn().write(&collection).unwrap();
        let lost = written.told.iter().any(|told| {
            use crate::What::{ListNotCarried, NotHeld, Withheld};
            !matches!(told.what, ListNotCarried(_) | NotHeld | Withheld)
        });
        prop_assert!(!lost, "{:?}", short(&written.told));
        let read = qcvn().read(written.xml.as_bytes(), &said()).unwrap();
        // A person of whom nothing is carried is nobody in a message.
        let carried = collection.persons[0].items.len() > 2;
        prop_assert!(!carried || read.collection == collection, "{}", written.xml);
        // And what was read is written as it was.
        let again = qcvn().write(&read.collection).unwrap();
        prop_assert!(!carried || again == written);
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_refused(xml in "[<>/&;!\\[\\]a-c:= '\"\\n]{0,60}", inner in "\\PC{0,60}") {
        let _ = qcvn().read(xml.as_bytes(), &said());
        let _ = qcvn().read(message(&format!("<c:Cha>{xml}{inner}</c:Cha>")).as_bytes(), &said());
    }
}
