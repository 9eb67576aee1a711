//! The ground of a request (Decision 1911/QD-TTg, Art. 1(3)), checked for form. Whether it holds is for
//! the policy service to say.

use contract::r#type::v1::AccessBasis;

use crate::{Fault, Faults};

const CODE_MAX: usize = 64;
const UNIT_MAX: usize = 35;
/// Items in one request, at most.
pub const ITEMS_MAX: usize = 64;

/// Checks a ground, and hands it on when it is there.
pub fn check<'a>(basis: Option<&'a AccessBasis>, faults: &mut Faults) -> Option<&'a AccessBasis> {
    let Some(basis) = basis else {
        faults.add("basis", Fault::Missing);
        return None;
    };
    faults.text("basis.procedure", &basis.procedure, CODE_MAX);
    faults.text("basis.legal_basis", &basis.legal_basis, CODE_MAX);
    faults.text("basis.case_reference", &basis.case_reference, CODE_MAX);
    if faults.text("basis.acting_unit", &basis.acting_unit, UNIT_MAX)
        && !is_unit(&basis.acting_unit)
    {
        faults.add("basis.acting_unit", Fault::Malformed);
    }
    // An officer is named by an id of the organisation; a personal number would put personal data of the
    // officer where it does not belong (I8).
    if faults.text("basis.officer", &basis.officer, UNIT_MAX)
        && model::PersonalNumber::parse(&basis.officer).is_ok()
    {
        faults.add("basis.officer", Fault::PersonalNumber);
    }
    for (field, text) in [
        ("basis.consent_reference", &basis.consent_reference),
        ("basis.direction_reference", &basis.direction_reference),
    ] {
        // It may be left out, and is otherwise a text like any other.
        if !text.is_empty() {
            faults.text(field, text, CODE_MAX);
        }
    }
    Some(basis)
}

/// Checks the items a request names: at least one, each once, by name.
pub fn check_items(items: &[String], faults: &mut Faults) {
    check_item_fields("items", "", items, faults);
}

/// Checks items that stand at `<list>[<place>]<field>`: at least one, each once, by name.
pub fn check_item_fields(list: &str, field: &str, items: &[String], faults: &mut Faults) {
    if items.is_empty() {
        faults.add(list, Fault::Missing);
    }
    if items.len() > ITEMS_MAX {
        faults.add(list, Fault::TooMany(ITEMS_MAX));
        return;
    }
    for (place, item) in items.iter().enumerate() {
        let path = format!("{list}[{place}]{field}");
        if items.iter().take(place).any(|earlier| earlier == item) && !item.contains('*') {
            faults.add(path, Fault::Repeated);
        } else {
            check_item(&path, item, faults);
        }
    }
}

/// Checks an item that is named at `field`.
pub fn check_item(field: &str, item: &str, faults: &mut Faults) {
    if item.contains('*') {
        faults.add(field, Fault::Wildcard);
    } else {
        faults.text(field, item, CODE_MAX);
    }
}

/// Whether a text is an electronic identifier of an agency (Decision 20/2020/QD-TTg, Art. 4 to 6): a
/// letter A to Y, two digits and further groups by dots, or Z01 to Z99 and further characters.
fn is_unit(unit: &str) -> bool {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let mut chars = unit.chars();
    let (Some(first), Some(tens), Some(ones)) = (chars.next(), chars.next(), chars.next()) else {
        return false;
    };
    let rest = chars.as_str();
    if !(tens.is_ascii_digit() && ones.is_ascii_digit()) {
        return false;
    }
    if first == 'Z' {
        let numbered = (tens, ones) != ('0', '0');
        return numbered && !rest.is_empty() && rest.chars().all(|c| allowed(c) || c == '.');
    }
    let groups = |rest: &str| rest.split('.').all(|g| !g.is_empty() && g.chars().all(allowed));
    first.is_ascii_uppercase() && (rest.is_empty() || rest.strip_prefix('.').is_some_and(groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_the_form_of_the_decision() {
        for good in ["G01", "A00", "Y99.1", "H26.7.A12", "G24.A1.B2", "Z01.", "Z01A", "Z99.7"] {
            assert!(is_unit(good), "{good}");
        }
        for bad in [
            "", "G", "G1", "g01", "GA1", "G011", "G01.", "G01..A", "G01.a", "G01-A", "G01 ", "G٠١",
            "Z00A", "Z1A", "Z01", "Đ01", "901",
        ] {
            assert!(!is_unit(bad), "{bad}");
        }
    }

    #[test]
    fn every_fault_of_a_ground_is_named() {
        let mut faults = Faults::default();
        let basis = AccessBasis { officer: "990204000001".into(), ..AccessBasis::default() };
        check(Some(&basis), &mut faults);
        check_items(&["a".into(), "a".into(), "*".into(), String::new()], &mut faults);
        let text = format!("{faults:?}");
        for named in [
            "basis.procedure",
            "basis.legal_basis",
            "basis.case_reference",
            "basis.acting_unit",
            "basis.officer",
            "items[1]",
            "items[2]",
            "items[3]",
        ] {
            assert!(text.contains(&format!("\"{named}\"")), "{named} in {text}");
        }
        assert!(!text.contains("990204000001"));
    }
}
