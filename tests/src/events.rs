//! Events to submit: of synthetic persons, as everybody here.

use contract::{
    contribution::v1::{
        Annulment, BirthRegistration, CorrectedValue, Correction, DeathRegistration, Evidence,
        LifeEvent, Party, Registration, ResidenceChange, ResidenceKind, SubmitContributionRequest,
        life_event, submit_contribution_request::Event,
    },
    r#type::v1::{
        AccessBasis, Address, Claims, CodedValue, ItemValue, PartialDate, PersonName, Relation,
        RelationKind, SubjectRef, item_value, subject_ref,
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

/// Who an event is about, and what the source knows of the person.
#[must_use]
pub fn about(number: &str, full_name: &str, born: (i32, i32, i32)) -> (SubjectRef, Claims) {
    let subject = Some(subject_ref::Subject::PersonalNumber(number.to_owned()));
    let claims =
        Claims { full_name: full_name.to_owned(), date_of_birth: date(born.0, born.1, born.2) };
    (SubjectRef { subject }, claims)
}

/// The ground on which a source provides something (Art. 2(2)).
#[must_use]
pub fn ground(procedure: &str, unit: &str) -> AccessBasis {
    AccessBasis {
        procedure: procedure.to_owned(),
        legal_basis: "1911-2021-art-2-2".to_owned(),
        case_reference: "TEST-0001".to_owned(),
        acting_unit: unit.to_owned(),
        officer: "can-bo-01".to_owned(),
        ..AccessBasis::default()
    }
}

fn submitted(key: &str, procedure: &str, unit: &str, event: Event) -> SubmitContributionRequest {
    SubmitContributionRequest {
        idempotency_key: format!("key:{key}"),
        basis: Some(ground(procedure, unit)),
        event: Some(event),
        validate_only: false,
        request_id: "r-1".to_owned(),
        expected_version: 0,
        evidence: Vec::new(),
    }
}

fn place() -> Address {
    Address {
        text: "Phường Giả Định, Hà Nội".to_owned(),
        province_code: "01".to_owned(),
        commune_code: "00001".to_owned(),
        units_version: "2025".to_owned(),
        ..Address::default()
    }
}

/// A death on 10 March 2026, registered the day after.
#[must_use]
pub fn death(entry: &str, (subject, claims): (SubjectRef, Claims)) -> SubmitContributionRequest {
    let death = DeathRegistration {
        subject: Some(subject),
        claims: Some(claims),
        entry_number: entry.to_owned(),
        registration_date: date(2026, 3, 11),
        registration_place: Some(place()),
        date_of_death: date(2026, 3, 10),
    };
    submitted(entry, "death-registration", "Z01.DEMO.HOTICH", Event::Death(death))
}

/// A move on 1 April 2026.
#[must_use]
pub fn residence(
    key: &str,
    (subject, claims): (SubjectRef, Claims),
    text: &str,
) -> SubmitContributionRequest {
    let residence = ResidenceChange {
        subject: Some(subject),
        claims: Some(claims),
        kind: ResidenceKind::Permanent.into(),
        address: Some(Address { text: text.to_owned(), ..place() }),
        effective_date: date(2026, 4, 1),
        residence_file_number: "SYN000000001".to_owned(),
    };
    let procedure = "permanent-residence-registration";
    submitted(key, procedure, "Z05.DEMO.CUTRU", Event::Residence(residence))
}

/// A correction of one value.
#[must_use]
pub fn correction(
    entry: &str,
    (subject, claims): (SubjectRef, Claims),
    item: &str,
    value: item_value::Value,
    valid_from: Option<PartialDate>,
) -> SubmitContributionRequest {
    let correction = Correction {
        subject: Some(subject),
        claims: Some(claims),
        entry_number: entry.to_owned(),
        correction_date: date(2026, 5, 4),
        registration_place: Some(place()),
        corrected_values: vec![CorrectedValue {
            item: item.to_owned(),
            value: Some(ItemValue { value: Some(value) }),
            valid_from,
        }],
    };
    let procedure = "civil-status-correction";
    submitted(entry, procedure, "Z01.DEMO.HOTICH", Event::Correction(correction))
}

/// The annulment of what civil status contributed before as `annulled`, which spoke of `items`.
#[must_use]
pub fn annulment(
    key: &str,
    procedure: &str,
    annulled: &str,
    items: &[&str],
) -> SubmitContributionRequest {
    let annulment = Annulment {
        annulled_key: format!("key:{annulled}"),
        annulled_items: items.iter().map(|item| (*item).to_owned()).collect(),
        decision_number: format!("QD-{key}"),
        decision_date: date(2026, 6, 1),
    };
    submitted(key, procedure, "Z01.DEMO.HOTICH", Event::Annulment(annulment))
}

/// Whatever else happened in somebody's life, from a day on: with an entry and a declaration.
#[must_use]
pub fn life(
    key: &str,
    (procedure, unit): (&str, &str),
    (subject, claims): (SubjectRef, Claims),
    from: (i32, i32, i32),
    event: life_event::Event,
) -> SubmitContributionRequest {
    let life = LifeEvent {
        subject: Some(subject),
        claims: Some(claims),
        effective_date: date(from.0, from.1, from.2),
        registration: Some(Registration {
            entry_number: key.to_owned(),
            registration_date: date(2026, 11, 1),
            registration_place: Some(place()),
        }),
        event: Some(event),
    };
    let evidence = Evidence {
        kind: code("evidence-kind", "1", "declaration"),
        digest: vec![7; 32],
        number: String::new(),
    };
    SubmitContributionRequest {
        evidence: vec![evidence],
        ..submitted(key, procedure, unit, Event::LifeEvent(life))
    }
}

/// A person of the register beside the one whom an event is about.
#[must_use]
pub fn party((subject, claims): (SubjectRef, Claims)) -> Party {
    Party { subject: Some(subject), claims: Some(claims) }
}

/// A birth entry of a child, with its own key: 1 March 2026, fictional province 990.
#[must_use]
pub fn birth(entry: &str, child: &str) -> SubmitContributionRequest {
    let place = place();
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
    submitted(entry, "birth-registration", "Z01.DEMO.HOTICH", Event::Birth(birth))
}

/// The configuration of a register that is only opened, never served.
#[must_use]
pub fn register_config() -> identity::Config {
    let peer = || server::channel::Peer::direct("", "");
    identity::Config {
        authority_file: String::new(),
        database: server::config::Secret::new(""),
        synthetic: true,
        log_key_file: String::new(),
        policy_key_file: String::new(),
        misses_max: 0,
        comparisons_max: 0,
        tries_per_name_max: 0,
        misses_window_seconds: 1,
        answer_valid_seconds: 0,
        consent_seconds_max: 1,
        own_record_seconds_max: 1,
        token_overlap_days: 0,
        batch_max: 1,
        feed_retention_days: 1,
        followed_max: 1,
        usage_listen: String::new(),
        usage_procedure: String::new(),
        usage_legal_basis: String::new(),
        usage_names_files: Vec::new(),
        policy: peer(),
        audit: peer(),
    }
}
