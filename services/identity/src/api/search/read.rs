//! The requests of `SearchService`; every faulty field is named at once.

use contract::{
    identity::v1::{
        FurtherFacts, NameLevel as WireLevel, ResolvePersonRequest, SearchPersonsRequest, UnitCode,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use model::{CodeLists, CodedValue, NameLevel};
use server::error::refuse;
use time::Date;
use tonic::Status;
use wire::{Fault, Faults, basis, value::Reader};

use crate::{
    api::REQUEST_ID_MAX,
    app::Search,
    domain::find::{Known, Unit, Wanted},
};

/// Persons of a page, at most, and where nothing else is said.
const PAGE_MAX: u32 = 20;
/// Bytes of a cursor.
const CURSOR_MAX: usize = 200;
const SEX: &str = "sex";
/// The list of the codes of provinces; its versions are those of all units.
const PROVINCES: &str = "province";
const PROVINCE_DIGITS: usize = 2;
const COMMUNE_DIGITS: usize = 5;

/// What is known of the one person in a request.
pub(super) fn known<'a>(
    request: &'a ResolvePersonRequest,
    lists: &CodeLists,
    today: Date,
) -> Result<(Known, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let mut reader = Reader::new(lists, &mut faults);
    let name = reader.name_text("full_name", &request.full_name);
    let born = reader.date("date_of_birth", request.date_of_birth.as_ref());
    if born.is_some_and(|born| born.is_after(&today)) {
        faults.add("date_of_birth", Fault::InTheFuture);
    }
    let none = FurtherFacts::default();
    let further = request.further.as_ref().unwrap_or(&none);
    enough(further, &mut faults);
    let mut reader = Reader::new(lists, &mut faults);
    let sex = further.sex.as_ref().map(|sex| reader.coded("further.sex", Some(sex), SEX));
    let parent = Some(&further.parent_full_name).filter(|name| !name.is_empty());
    let parent = parent.map(|name| reader.name_text("further.parent_full_name", name));
    let province = further.native_province.as_ref();
    let province =
        province.map(|p| unit("further.native_province", p, PROVINCE_DIGITS, lists, &mut faults));
    let commune = further.permanent_commune.as_ref();
    let commune =
        commune.map(|c| unit("further.permanent_commune", c, COMMUNE_DIGITS, lists, &mut faults));
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(name), Some(born), Some(basis)) = (name, born, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let (sex, parent) = (sex.flatten(), parent.flatten());
    let (native_province, commune) = (province.flatten(), commune.flatten());
    Ok((Known { name, born, sex, native_province, commune, parent }, basis))
}

/// Name and date of birth are not enough: many persons share both.
fn enough(further: &FurtherFacts, faults: &mut Faults) {
    let one = further.permanent_commune.is_some() || !further.parent_full_name.is_empty();
    match (one, further.sex.is_some(), further.native_province.is_some()) {
        (true, ..) | (_, true, true) => {}
        (false, true, false) => faults.add("further.native_province", Fault::Missing),
        (false, false, true) => faults.add("further.sex", Fault::Missing),
        (false, false, false) => faults.add("further", Fault::Missing),
    }
}

/// The unit at `field`, whose code has so many digits.
fn unit(
    field: &str,
    unit: &UnitCode,
    digits: usize,
    lists: &CodeLists,
    faults: &mut Faults,
) -> Option<Unit> {
    let UnitCode { code, units_version: version } = unit.clone();
    let formed = code.len() == digits && code.bytes().all(|byte| byte.is_ascii_digit());
    let known = lists.knows(PROVINCES, &version);
    if code.is_empty() {
        faults.add(format!("{field}.code"), Fault::Missing);
    } else if !formed {
        faults.add(format!("{field}.code"), Fault::Malformed);
    } else if digits == PROVINCE_DIGITS && known {
        // The lists of communes are not shipped yet.
        let province = CodedValue {
            code_system: PROVINCES.to_owned(),
            code_system_version: version.clone(),
            code: code.clone(),
            display: None,
        };
        if !lists.holds(&province) {
            faults.add(format!("{field}.code"), Fault::UnknownCode);
        }
    }
    if version.is_empty() {
        faults.add(format!("{field}.units_version"), Fault::Missing);
    } else if !known {
        faults.add(format!("{field}.units_version"), Fault::UnknownCode);
    }
    Some(Unit { version, code })
}

/// Whom to list, and where to go on, in a request.
pub(super) fn search<'a>(
    request: &'a SearchPersonsRequest,
    lists: &CodeLists,
) -> Result<(Search, &'a AccessBasis), Status> {
    let mut faults = Faults::default();
    let mut reader = Reader::new(lists, &mut faults);
    let name = reader.name_text("full_name", &request.full_name);
    let sex = request.sex.as_ref().map(|sex| reader.coded("sex", Some(sex), SEX));
    let level = level(request.name_level());
    match (level, &name) {
        (None, _) => faults.add("name_level", Fault::Missing),
        // At this level nothing is left of it, and nothing is equal to nothing.
        (Some(NameLevel::L4), Some(name)) if name.match_key(NameLevel::L4).is_empty() => {
            faults.add("name_level", Fault::NotAllowed);
        }
        (Some(_), _) => {}
    }
    let years = years(request, &mut faults);
    let province = request.native_province.as_ref();
    let province =
        province.map(|p| unit("native_province", p, PROVINCE_DIGITS, lists, &mut faults));
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    if request.cursor.len() > CURSOR_MAX {
        faults.add("cursor", Fault::TooLong(CURSOR_MAX));
    }
    if request.page_size > PAGE_MAX {
        faults.add("page_size", Fault::NotAllowed);
    }
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(name), Some(level), Some(basis)) = (name, level, basis) else {
        return Err(refuse(ErrorReason::Internal));
    };
    let (sex, native_province) = (sex.flatten(), province.flatten());
    let wanted = Wanted { name, level, years, sex, native_province };
    let cursor = Some(request.cursor.clone()).filter(|cursor| !cursor.is_empty());
    let most = if request.page_size == 0 { PAGE_MAX } else { request.page_size };
    Ok((Search { wanted, cursor, most, min_version: request.min_version }, basis))
}

/// The range of years of birth; none for any.
fn years(request: &SearchPersonsRequest, faults: &mut Faults) -> Option<(i32, i32)> {
    let (from, to) = (request.birth_year_from, request.birth_year_to);
    for (field, year) in [("birth_year_from", from), ("birth_year_to", to)] {
        if year != 0 && model::PartialDate::new(year, 0, 0).is_err() {
            faults.add(field, Fault::Malformed);
        }
    }
    if to != 0 && to < from {
        faults.add("birth_year_to", Fault::TooEarly);
    }
    let last = if to == 0 { i32::MAX } else { to };
    (from != 0 || to != 0).then_some((from.max(1), last))
}

fn level(level: WireLevel) -> Option<NameLevel> {
    match level {
        WireLevel::Unspecified => None,
        WireLevel::Exact => Some(NameLevel::L0),
        WireLevel::Case => Some(NameLevel::L1),
        WireLevel::TonePlacement => Some(NameLevel::L2),
        WireLevel::Spelling => Some(NameLevel::L3),
        WireLevel::MarksFree => Some(NameLevel::L4),
    }
}
