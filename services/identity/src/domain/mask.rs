//! Forms of values that say less than they: where policy lets a caller have no more of an item.

use decide::MaskForm;
use model::{Address, HeldValue, Value};

/// How many digits of a number are told.
const TOLD: usize = 4;

/// The values in a form; none where one of them has no such form, so that nothing is told by mistake.
pub(super) fn masked(held: &[HeldValue], form: MaskForm) -> Option<Vec<HeldValue>> {
    let one = |held: &HeldValue| {
        let value = match (form, &held.value) {
            (MaskForm::Province, Value::Address(place)) => Value::Address(province(place)),
            (MaskForm::LastFour, Value::Identifier(number)) => {
                Value::Text(last_four(number.as_str()))
            }
            _ => return None,
        };
        Some(HeldValue { value, provenance: held.provenance.clone() })
    };
    held.iter().map(one).collect()
}

fn province(place: &Address) -> Address {
    Address {
        province_code: place.province_code.clone(),
        country_code: place.country_code.clone(),
        units_version: place.province_code.as_ref().and(place.units_version.clone()),
        ..Address::default()
    }
}

fn last_four(number: &str) -> String {
    let hidden = number.chars().count().saturating_sub(TOLD);
    let one = |(place, digit)| if place < hidden { '*' } else { digit };
    number.chars().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use model::{Identifier, PartialDate, PersonalNumber, Provenance};

    use super::*;

    fn of(value: Value, form: MaskForm) -> Option<Value> {
        let provenance = Provenance {
            source: "civil-status".to_owned(),
            contribution_id: "c".to_owned(),
            valid_from: None,
            known_at_us: 7,
        };
        let told = masked(&[HeldValue { value, provenance: provenance.clone() }], form)?;
        assert!(told[0].provenance == provenance);
        Some(told[0].value.clone())
    }

    #[test]
    fn a_form_says_less_than_the_value_and_no_more() {
        let number = Value::Identifier(Identifier::PersonalNumber(
            PersonalNumber::parse("990190000001").unwrap(),
        ));
        assert!(
            of(number.clone(), MaskForm::LastFour).unwrap()
                == Value::Text("********0001".to_owned())
        );
        let place = Address {
            text: "Số 7".to_owned(),
            province_code: Some("01".to_owned()),
            commune_code: Some("00001".to_owned()),
            units_version: Some("2025-07".to_owned()),
            ..Address::default()
        };
        let Some(Value::Address(told)) = of(Value::Address(place.clone()), MaskForm::Province)
        else {
            unreachable!()
        };
        assert_eq!((&*told.text, told.province_code.as_deref()), ("", Some("01")));
        assert_eq!((told.commune_code, told.units_version.as_deref()), (None, Some("2025-07")));
        for (value, form) in [
            (Value::Date(PartialDate::new(1990, 5, 17).unwrap()), MaskForm::Province),
            (number, MaskForm::Province),
            (Value::Address(place), MaskForm::LastFour),
            (Value::Text("x".to_owned()), MaskForm::LastFour),
        ] {
            assert!(of(value, form).is_none());
        }
        assert!(masked(&[], MaskForm::Province).unwrap().is_empty());
    }
}
