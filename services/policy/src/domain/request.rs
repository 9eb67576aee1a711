//! What a request must hold before anything is decided. Every fault is named at once.

use std::collections::BTreeSet;

use super::rules::Act;

/// Items that one request may name.
const ITEMS_MAX: usize = 64;
/// Characters of a case reference.
const CASE_REFERENCE_MAX: usize = 64;
/// Characters of a unit's electronic identifier (Decision 20/2020/QD-TTg, Art. 4), and of an
/// officer's id.
const ID_MAX: usize = 35;
/// Digits of a personal number, which no officer's id may be.
const PERSONAL_NUMBER_LEN: usize = 12;

/// A request as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// SPIFFE id of the caller.
    pub(crate) caller: String,
    /// What it wants to do; none where it did not say.
    pub(crate) act: Option<Act>,
    /// The ground it names.
    pub(crate) basis: Option<Basis>,
    /// The items it names.
    pub(crate) items: Vec<String>,
}

/// The ground of a request, as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Basis {
    /// The procedure or task.
    pub(crate) procedure: String,
    /// Id of the legal ground.
    pub(crate) legal_basis: String,
    /// The case in hand.
    pub(crate) case_reference: String,
    /// Electronic identifier of the unit.
    pub(crate) acting_unit: String,
    /// The officer in charge.
    pub(crate) officer: String,
    /// Reference of the subject's consent, or empty.
    pub(crate) consent_reference: String,
    /// Number of the Prime Minister's direction, or empty.
    pub(crate) direction_reference: String,
}

/// A request without faults, as far as a decision needs it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The caller's agency and system.
    pub(crate) caller: (String, String),
    /// What it wants to do.
    pub(crate) act: Act,
    /// The procedure or task.
    pub(crate) procedure: String,
    /// Id of the legal ground.
    pub(crate) legal_basis: String,
    /// Whether it names a consent.
    pub(crate) consent: bool,
    /// Whether it names a direction.
    pub(crate) direction: bool,
    /// The items, distinct, in their order.
    pub(crate) items: Vec<String>,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not there.
    Missing,
    /// It does not have the form it must have.
    Malformed,
    /// It is longer than it may be.
    TooLong,
    /// There are more than there may be.
    TooMany,
    /// It is there twice.
    Repeated,
    /// It asks for everything (I3).
    Wildcard,
    /// It is a personal number, which must not stand in a record (I8).
    PersonalNumber,
}

/// The faulty fields of a request, in the order of its fields.
pub(crate) type Faults = Vec<(String, Fault)>;

impl Sent {
    /// The request, or all its faults.
    pub(crate) fn check(self) -> Result<Request, Faults> {
        let mut faults = Vec::new();
        let caller = agency_and_system(&self.caller).map(|(a, s)| (a.to_owned(), s.to_owned()));
        if caller.is_none() {
            let fault = if self.caller.is_empty() { Fault::Missing } else { Fault::Malformed };
            faults.push(("caller".to_owned(), fault));
        }
        if self.act.is_none() {
            faults.push(("action".to_owned(), Fault::Missing));
        }
        match &self.basis {
            Some(basis) => faults.extend(basis.faults()),
            None => faults.push(("basis".to_owned(), Fault::Missing)),
        }
        faults.extend(item_faults(&self.items));
        match (caller, self.act, self.basis) {
            (Some(caller), Some(act), Some(basis)) if faults.is_empty() => Ok(Request {
                caller,
                act,
                consent: !blank(&basis.consent_reference),
                direction: !blank(&basis.direction_reference),
                procedure: basis.procedure,
                legal_basis: basis.legal_basis,
                items: self.items,
            }),
            _ => Err(faults),
        }
    }
}

impl Basis {
    fn faults(&self) -> impl Iterator<Item = (String, Fault)> + use<> {
        let officer = || self.officer.len() == PERSONAL_NUMBER_LEN && digits(&self.officer);
        [
            ("procedure", text(&self.procedure, usize::MAX)),
            ("legal_basis", text(&self.legal_basis, usize::MAX)),
            ("case_reference", text(&self.case_reference, CASE_REFERENCE_MAX)),
            (
                "acting_unit",
                text(&self.acting_unit, ID_MAX)
                    .or_else(|| (!is_unit(&self.acting_unit)).then_some(Fault::Malformed)),
            ),
            (
                "officer",
                text(&self.officer, ID_MAX).or_else(|| officer().then_some(Fault::PersonalNumber)),
            ),
        ]
        .into_iter()
        .filter_map(|(field, fault)| Some((format!("basis.{field}"), fault?)))
    }
}

/// The fault of a text that must be there and may be so long.
fn text(value: &str, max: usize) -> Option<Fault> {
    if blank(value) {
        Some(Fault::Missing)
    } else {
        (value.chars().count() > max).then_some(Fault::TooLong)
    }
}

/// The faults of the items: a request says which, each once, and never all (I3).
fn item_faults(items: &[String]) -> Faults {
    match items.len() {
        0 => return vec![("items".to_owned(), Fault::Missing)],
        1..=ITEMS_MAX => {}
        _ => return vec![("items".to_owned(), Fault::TooMany)],
    }
    let mut seen = BTreeSet::new();
    let fault = |item: &String| {
        if blank(item) {
            Some(Fault::Missing)
        } else if item.contains('*') {
            Some(Fault::Wildcard)
        } else {
            (!seen.insert(item.clone())).then_some(Fault::Repeated)
        }
    };
    let faults = items.iter().map(fault).enumerate();
    faults.filter_map(|(n, fault)| Some((format!("items[{n}]"), fault?))).collect()
}

/// Agency and system of a caller: `spiffe://<trust-domain>/agency/<agency>/system/<system>`, and no
/// other kind of caller. The trust domain was checked with the certificate.
fn agency_and_system(spiffe_id: &str) -> Option<(&str, &str)> {
    let mut parts = spiffe_id.strip_prefix("spiffe://")?.split('/');
    let mut next = || parts.next().filter(|part| is_segment(part));
    let found = match (next()?, next()?, next()?, next()?, next()?) {
        (_, "agency", agency, "system", system) => (agency, system),
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}

/// Whether a text can be a part of a SPIFFE id's path.
pub(crate) fn is_segment(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !text.is_empty() && text.bytes().all(allowed) && text != "." && text != ".."
}

/// Whether a text has the form of a unit's electronic identifier (Decision 20/2020/QD-TTg, Art. 4
/// to 6): a letter A to Y, two digits, and further groups behind dots; or `Z01` to `Z99` and up to
/// 32 more.
fn is_unit(text: &str) -> bool {
    let Some((letter, rest)) = text.split_at_checked(1) else { return false };
    let Some((number, rest)) = rest.split_at_checked(2) else { return false };
    let group = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let fits = text.len() <= ID_MAX && digits(number);
    match letter {
        "Z" => fits && number != "00" && !rest.is_empty() && rest.split('.').all(group),
        letter if letter.bytes().all(|b| b.is_ascii_uppercase()) => {
            let mut groups = rest.split('.');
            fits && groups.next() == Some("") && groups.all(|g| !g.is_empty() && group(g))
        }
        _ => false,
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_named_as_the_decision_says() {
        let longest = format!("Z01{}", "A".repeat(32));
        for good in ["G01", "A00", "Y99.1", "H26.7.A12", "Z01.", "Z99A", longest.as_str()] {
            assert!(is_unit(good), "{good}");
        }
        let too_long = format!("{longest}A");
        for bad in [
            "",
            "G",
            "G1",
            "g01",
            "G011",
            "G01.",
            "G01..1",
            "G01.a",
            "Z01",
            "Z00.1",
            "Z1A",
            "Đ01",
            "G٠١",
            "G01 ",
            "901",
            too_long.as_str(),
        ] {
            assert!(!is_unit(bad), "{bad}");
        }
    }

    #[test]
    fn only_systems_of_agencies_are_callers() {
        let good = "spiffe://lienthong.test/agency/G03/system/hi";
        assert_eq!(agency_and_system(good), Some(("G03", "hi")));
        for bad in [
            "",
            "G03",
            "https://lienthong.test/agency/G03/system/hi",
            "spiffe:///agency/G03/system/hi",
            "spiffe://lienthong.test/service/identity",
            "spiffe://lienthong.test/agency/G03/system/",
            "spiffe://lienthong.test/agency/G03/system/hi/x",
            "spiffe://lienthong.test/agency/G03/system/..",
            "spiffe://lienthong.test/agency/G03/system/%2e",
        ] {
            assert_eq!(agency_and_system(bad), None, "{bad}");
        }
    }
}
