//! The inputs of a lookup on today's platform, and what of a request they say.

use std::collections::BTreeMap;

use model::{Name, NameError, OldNumber, PartialDate, PersonalNumber, Precision, Subject};

use crate::{Table, Told, What, told};

/// The method that the command makes requests of.
const METHOD: &str = "GetPerson";

/// Inputs by their names.
pub type Inputs = BTreeMap<String, String>;

/// What the inputs say of a request. The rest of a request has no input: its items, its legal basis, its case.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked {
    /// The caller's id of the request.
    pub request_id: String,
    /// The procedure.
    pub procedure: Option<String>,
    /// The unit that acts.
    pub acting_unit: Option<String>,
    /// The officer in charge.
    pub officer: Option<String>,
    /// Who is asked about.
    pub subject: Subject,
    /// The full name that the caller knows.
    pub full_name: Option<Name>,
    /// The date of birth, or its year, that the caller knows.
    pub date_of_birth: Option<PartialDate>,
}

crate::redacted_debug!(Asked);

/// Reads inputs; what is empty is not there.
pub(crate) fn read(table: &Table, given: &Inputs) -> Result<(Asked, Vec<Told>), Vec<Told>> {
    let mut told: Vec<Told> = given
        .keys()
        .filter(|name| !table.inputs.iter().any(|input| input.name == **name))
        .map(|name| Told::of(told::shown(name), What::UnknownInput))
        .collect();
    for input in &table.inputs {
        if given.get(&input.name).is_some_and(|text| text.trim().chars().count() > input.max) {
            told.push(Told::of(&input.name, What::TooLong(input.max)));
        }
    }
    let text = |name: &str| {
        given.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let request_id = text("MaYeuCau");
    if request_id.is_none() {
        told.push(Told::of("MaYeuCau", What::Missing));
    }
    let service = text("MaTichHop");
    let lookup = |code: &str| {
        table.services.iter().any(|service| service.code == code && service.method == METHOD)
    };
    if service.is_some_and(|code| !lookup(&code)) {
        told.push(Told::of("MaTichHop", What::NotLookup));
    }
    let officer = text("MaCanBo");
    // Callers of today send the officer's own number; a request of ours never holds it (I8).
    if officer.as_ref().is_some_and(|officer| PersonalNumber::parse(officer).is_ok()) {
        told.push(Told::of("MaCanBo", What::PersonalNumber));
    }
    let subject = subject(text("SoDinhDanh"), text("SoCMND"), &mut told);
    let full_name = text("HoVaTen").and_then(|text| name(&text, &mut told));
    let date_of_birth = text("NgayThangNamSinh").and_then(|text| date(&text, &mut told));
    for (input, other) in [("HoVaTen", "NgayThangNamSinh"), ("NgayThangNamSinh", "HoVaTen")] {
        if text(input).is_none() && text(other).is_some() {
            told.push(Told::of(input, What::Missing));
        }
    }
    let told = told::faults(told)?;
    let (Some(request_id), Some(subject)) = (request_id, subject) else { return Err(told) };
    let (procedure, acting_unit) = (text("MaDVC"), text("MaDonVi"));
    let asked =
        Asked { request_id, procedure, acting_unit, officer, subject, full_name, date_of_birth };
    Ok((asked, told))
}

/// The personal number; the old one where there is none.
fn subject(personal: Option<String>, old: Option<String>, told: &mut Vec<Told>) -> Option<Subject> {
    let (input, read) = match (personal, &old) {
        (Some(text), _) => ("SoDinhDanh", PersonalNumber::parse(&text).ok().map(Subject::Personal)),
        (None, Some(text)) => ("SoCMND", OldNumber::parse(text).ok().map(Subject::Old)),
        (None, None) => {
            told.push(Told::of("SoDinhDanh", What::Missing));
            return None;
        }
    };
    if read.is_none() {
        told.push(Told::of(input, What::Malformed));
    } else if input == "SoDinhDanh" && old.is_some() {
        told.push(Told::of("SoCMND", What::NoField));
    }
    read
}

fn name(text: &str, told: &mut Vec<Told>) -> Option<Name> {
    let read = Name::new(text);
    match &read {
        Ok(name) if is_stripped(name.as_str()) => {
            told.push(Told::of("HoVaTen", What::StrippedName));
        }
        Err(NameError::Control) => told.push(Told::of("HoVaTen", What::Malformed)),
        // Its length is told already.
        Ok(_) | Err(NameError::Empty | NameError::TooLong) => {}
    }
    read.ok()
}

/// Whether a name is as callers of today compare names: capitals without marks, and no spaces.
fn is_stripped(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn date(text: &str, told: &mut Vec<Told>) -> Option<PartialDate> {
    let read = match text.len() {
        4 => year_text(text),
        _ => date_text(text),
    };
    let what = match read {
        None => What::Malformed,
        Some(_) if text.len() == 8 => What::CompactDate,
        Some(_) => return read,
    };
    told.push(Told::of("NgayThangNamSinh", what));
    read
}

/// A year alone: yyyy.
pub(crate) fn year_text(text: &str) -> Option<PartialDate> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| PartialDate::new(text.parse().ok()?, 0, 0).ok())?
}

/// A whole date: yyyy-mm-dd, or yyyymmdd as callers and replies of today have it.
pub(crate) fn date_text(text: &str) -> Option<PartialDate> {
    let digits = |part: &str, length: usize| {
        let good = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        good.then(|| part.parse::<u16>().ok())?
    };
    let (year, month, day) = match text.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?),
        [whole] if whole.len() == 8 => {
            (digits(whole.get(..4)?, 4)?, digits(whole.get(4..6)?, 2)?, digits(whole.get(6..)?, 2)?)
        }
        _ => return None,
    };
    // 0 is how a date says that a part is not known, and stands in no text.
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    if month == 0 || day == 0 {
        return None;
    }
    PartialDate::new(year.into(), month, day).ok()
}

/// Writes inputs, with the code of the lookup's service.
pub(crate) fn write(table: &Table, asked: &Asked) -> Result<Inputs, Vec<Told>> {
    let mut told = Vec::new();
    let service = table.services.iter().find(|service| service.method == METHOD);
    let (personal, old) = match &asked.subject {
        Subject::Personal(number) => (Some(number.as_str().to_owned()), None),
        Subject::Old(number) => (None, Some(number.as_str().to_owned())),
    };
    let date = asked.date_of_birth.map(|date| {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match date.precision() {
            Precision::Day => format!("{year:04}-{month:02}-{day:02}"),
            Precision::Year => format!("{year:04}"),
            Precision::Month => {
                // The year alone would claim less than the request does.
                told.push(Told::of("NgayThangNamSinh", What::Malformed));
                String::new()
            }
        }
    });
    let values = [
        ("MaYeuCau", Some(asked.request_id.clone())),
        ("MaDVC", asked.procedure.clone()),
        ("MaTichHop", service.map(|service| service.code.clone())),
        ("MaDonVi", asked.acting_unit.clone()),
        ("MaCanBo", asked.officer.clone()),
        ("SoDinhDanh", personal),
        ("SoCMND", old),
        ("HoVaTen", asked.full_name.as_ref().map(|name| name.as_str().to_owned())),
        ("NgayThangNamSinh", date),
    ];
    let mut inputs = Inputs::new();
    for (name, value) in values {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        let max = table.inputs.iter().find(|input| input.name == name).map_or(0, |i| i.max);
        if value.chars().count() > max {
            told.push(Told::of(name, What::TooLong(max)));
        }
        inputs.insert(name.to_owned(), value);
    }
    told::faults(told)?;
    Ok(inputs)
}
