//! Births to submit: synthetic, as everybody here.

use contract::{
    contribution::v1::{
        BirthRegistration, SubmitContributionRequest, submit_contribution_request::Event,
    },
    r#type::v1::{
        AccessBasis, Address, CodedValue, PartialDate, PersonName, Relation, RelationKind,
    },
};

/// A code of a list.
#[must_use]
pub fn code(list: &str, version: &str, code: &str) -> Option<CodedValue> {
    let (code_system, code_system_version) = (list.to_owned(), version.to_owned());
    Some(CodedValue {
        code_system,
        code_system_version,
        code: code.to_owned(),
        ..Default::default()
    })
}

/// A name.
#[must_use]
pub fn name(text: &str) -> Option<PersonName> {
    Some(PersonName { full_name: text.to_owned(), ..PersonName::default() })
}

/// A date.
#[must_use]
pub fn date(year: i32, month: i32, day: i32) -> Option<PartialDate> {
    Some(PartialDate { year, month, day })
}

/// A birth entry of a child, with its own key: 1 March 2026, fictional province 990.
#[must_use]
pub fn birth(entry: &str, child: &str) -> SubmitContributionRequest {
    let place = Address {
        text: "Phường Giả Định, Hà Nội".to_owned(),
        province_code: "01".to_owned(),
        ..Address::default()
    };
    let mother = Relation {
        kind: RelationKind::Mother.into(),
        name: name("Trần Giả Định Thu Hà"),
        date_of_birth: date(1998, 0, 0),
        nationality: code("nationality", "iso-3166-1", "VN"),
        ..Relation::default()
    };
    let birth = BirthRegistration {
        entry_number: entry.to_owned(),
        registration_date: date(2026, 3, 2),
        registration_place_code: "990".to_owned(),
        registration_place: Some(place.clone()),
        full_name: name(child),
        date_of_birth: date(2026, 3, 1),
        sex: code("sex", "1", "2"),
        place_of_birth: Some(place.clone()),
        native_place: Some(place),
        ethnic_group: code("ethnic-group", "gso-15172", "01"),
        nationality: code("nationality", "iso-3166-1", "VN"),
        parents: vec![mother],
    };
    SubmitContributionRequest {
        idempotency_key: format!("key:{entry}"),
        basis: Some(AccessBasis {
            procedure: "birth-registration".to_owned(),
            legal_basis: "1911-2021-art-2-2".to_owned(),
            case_reference: "TEST-0001".to_owned(),
            acting_unit: "Z01.DEMO.HOTICH".to_owned(),
            officer: "can-bo-01".to_owned(),
            ..AccessBasis::default()
        }),
        event: Some(Event::Birth(birth)),
        validate_only: false,
    }
}

/// The configuration of a register that is only opened, never served.
#[must_use]
pub fn register_config() -> identity::Config {
    let peer = || server::channel::Peer { endpoint: String::new(), service: String::new() };
    identity::Config {
        database: server::config::Secret::new(""),
        synthetic: true,
        log_key_file: String::new(),
        misses_max: 0,
        comparisons_max: 0,
        misses_window_seconds: 1,
        answer_valid_seconds: 0,
        batch_max: 1,
        policy: peer(),
        audit: peer(),
    }
}
