//! SRC-4, SRC-5, SRC-10 and SRC-11: what one change says.

use base64::Engine as _;
use contract::{
    contribution::v1::CorrectedValue,
    database::v1::{Change, change::Event},
    r#type::v1::{
        AccessBasis, Address, Claims, IdentifierKind, PartialDate, Relation, SubjectRef,
        item_value, subject_ref,
    },
};
use model::PersonalNumber;

use super::{
    life::{self, is_evidence},
    listing, place,
};
use crate::{
    cases::describe::is_formed,
    found::{Found, Tried, not_tried},
    kit::Kit,
};

/// Whether an id has the form of one of a change or an event.
fn is_id(id: &str) -> bool {
    is_formed(id, 64, |c| c.is_ascii_alphanumeric() || "._:-".contains(c))
}

/// SRC-4.
pub(crate) async fn form(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 1).await?;
    for (number, listed) in listing.changes.iter().enumerate() {
        let change = &listed.change;
        for (field, holds) in [
            ("change_id: 1 to 64 of letters, digits, `._:-`", is_id(&change.change_id)),
            ("sequence: from 1", change.sequence > 0),
            ("commit_time", change.commit_time.is_some_and(|at| is_time(&at))),
            ("cursor", !change.cursor.is_empty()),
            ("basis with its required fields", change.basis.as_ref().is_some_and(is_basis)),
            ("one event with its required fields", change.event.as_ref().is_some_and(is_event)),
            ("evidence, of a life event", is_evidence(&change.evidence, needs_evidence(change))),
        ] {
            found.check(holds, place(number), field, "not there, or of another form");
        }
    }
    Ok(())
}

fn is_time(at: &prost_types::Timestamp) -> bool {
    at.seconds > 0 && (0..1_000_000_000).contains(&at.nanos)
}

fn is_basis(basis: &AccessBasis) -> bool {
    [
        (&basis.procedure, 64),
        (&basis.legal_basis, 64),
        (&basis.case_reference, 64),
        (&basis.acting_unit, 35),
        (&basis.officer, 35),
    ]
    .into_iter()
    .all(|(text, max)| is_formed(text, max, |_| true))
}

pub(super) fn is_date(date: Option<&PartialDate>) -> bool {
    date.is_some_and(|date| {
        let (month, day) = (u8::try_from(date.month), u8::try_from(date.day));
        let (Ok(month), Ok(day)) = (month, day) else { return false };
        model::PartialDate::new(date.year, month, day).is_ok()
    })
}

pub(super) fn is_place(address: Option<&Address>) -> bool {
    address.is_some_and(|address| !address.commune_code.is_empty())
}

pub(super) fn is_subject(subject: Option<&SubjectRef>, claims: Option<&Claims>) -> bool {
    subject.is_some_and(|subject| subject.subject.is_some()) && claims.is_some()
}

fn is_event(event: &Event) -> bool {
    match event {
        Event::Birth(birth) => {
            !birth.entry_number.is_empty()
                && is_date(birth.registration_date.as_ref())
                && !birth.registration_place_code.is_empty()
                && is_place(birth.registration_place.as_ref())
                && birth.full_name.as_ref().is_some_and(|name| !name.full_name.is_empty())
                && is_date(birth.date_of_birth.as_ref())
                && birth.sex.is_some()
                && birth.place_of_birth.is_some()
                && birth.native_place.is_some()
                && birth.ethnic_group.is_some()
                && birth.nationality.is_some()
        }
        Event::Death(death) => {
            is_subject(death.subject.as_ref(), death.claims.as_ref())
                && !death.entry_number.is_empty()
                && is_date(death.registration_date.as_ref())
                && is_place(death.registration_place.as_ref())
                && is_date(death.date_of_death.as_ref())
        }
        Event::Residence(residence) => {
            is_subject(residence.subject.as_ref(), residence.claims.as_ref())
                && residence.kind != 0
                && residence.address.is_some()
                && is_date(residence.effective_date.as_ref())
        }
        Event::Correction(correction) => {
            is_subject(correction.subject.as_ref(), correction.claims.as_ref())
                && !correction.entry_number.is_empty()
                && is_date(correction.correction_date.as_ref())
                && is_place(correction.registration_place.as_ref())
                && (1..=16).contains(&correction.corrected_values.len())
                && correction.corrected_values.iter().all(is_corrected)
        }
        Event::Annulment(annulment) => {
            is_id(&annulment.annulled_key)
                && !annulment.annulled_items.is_empty()
                && annulment.annulled_items.iter().all(|item| !item.is_empty())
                && !annulment.decision_number.is_empty()
                && is_date(annulment.decision_date.as_ref())
        }
        Event::LifeEvent(event) => life::is_life(event),
    }
}

fn needs_evidence(change: &Change) -> bool {
    matches!(change.event, Some(Event::LifeEvent(_)))
}

fn is_corrected(corrected: &CorrectedValue) -> bool {
    let value = corrected.value.as_ref().is_some_and(|value| value.value.is_some());
    !corrected.item.is_empty() && value && is_date(corrected.valid_from.as_ref())
}

/// SRC-5.
pub(crate) async fn cursors(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 1).await?;
    let printable = |c: char| (' '..='~').contains(&c);
    let personal: Vec<String> = listing.changes.iter().flat_map(|c| personal(&c.change)).collect();
    let own = listing.changes.iter().map(|listed| &listed.change.cursor);
    let next = listing.pages.iter().map(|read| &read.page.next_cursor);
    // That one is missing is the business of SRC-4 and SRC-24.
    for (number, cursor) in own.chain(next).filter(|cursor| !cursor.is_empty()).enumerate() {
        let tried = format!("cursor {}", number + 1);
        let holds = is_formed(cursor, 256, printable);
        let seen = format!("{} characters", cursor.chars().count());
        found.check(holds, tried.as_str(), "1 to 256 printable characters of ASCII", seen);
        let read = readings(cursor);
        let told = personal.iter().any(|value| read.iter().any(|text| text.contains(value)));
        let seen = "a name or number of a person of the list";
        found.check(!told, tried, "no personal data", seen);
    }
    Ok(())
}

/// A cursor as it stands, and as base64 or hexadecimal digits would read it.
fn readings(cursor: &str) -> Vec<String> {
    use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
    let bare = cursor.trim_end_matches('=');
    let decoded =
        [BASE64_STANDARD_NO_PAD.decode(bare).ok(), BASE64_URL_SAFE_NO_PAD.decode(bare).ok()];
    let decoded = decoded.into_iter().chain([hex::decode(bare).ok()]).flatten();
    let decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    decoded.chain([cursor.to_owned()]).collect()
}

/// Names and numbers of the persons of a change.
fn personal(change: &Change) -> Vec<String> {
    let mut all = numbers(change);
    let claims = match &change.event {
        Some(Event::Birth(birth)) => {
            all.extend(birth.full_name.iter().map(|name| name.full_name.clone()));
            None
        }
        Some(Event::Death(death)) => death.claims.as_ref(),
        Some(Event::Residence(residence)) => residence.claims.as_ref(),
        Some(Event::Correction(correction)) => correction.claims.as_ref(),
        Some(Event::LifeEvent(event)) => {
            all.extend(life::names(event));
            None
        }
        Some(Event::Annulment(_)) | None => None,
    };
    all.extend(claims.map(|claims| claims.full_name.clone()));
    all.retain(|value| value.chars().count() > 4);
    all
}

pub(super) fn of_subject(subject: Option<&SubjectRef>) -> Option<String> {
    match subject?.subject.as_ref()? {
        subject_ref::Subject::PersonalNumber(number) => Some(number.clone()),
        subject_ref::Subject::OldNumber(_) | subject_ref::Subject::Token(_) => None,
    }
}

/// The personal number of another person.
pub(crate) fn of_relation(relation: &Relation) -> Option<String> {
    let identifier = relation.identifier.as_ref()?;
    let is_number = identifier.kind == i32::from(IdentifierKind::PersonalNumber);
    is_number.then(|| identifier.value.clone())
}

/// The personal numbers of a value.
pub(crate) fn of_value(value: Option<&item_value::Value>) -> Option<String> {
    match value? {
        item_value::Value::Identifier(number) => {
            let is_number = number.kind == i32::from(IdentifierKind::PersonalNumber);
            is_number.then(|| number.value.clone())
        }
        item_value::Value::Relation(relation) => of_relation(relation),
        item_value::Value::Text(_)
        | item_value::Value::Date(_)
        | item_value::Value::Name(_)
        | item_value::Value::Address(_)
        | item_value::Value::Coded(_)
        | item_value::Value::Document(_) => None,
    }
}

/// The personal numbers of a change.
fn numbers(change: &Change) -> Vec<String> {
    match &change.event {
        Some(Event::Birth(birth)) => birth.parents.iter().filter_map(of_relation).collect(),
        Some(Event::Death(death)) => of_subject(death.subject.as_ref()).into_iter().collect(),
        Some(Event::Residence(residence)) => {
            of_subject(residence.subject.as_ref()).into_iter().collect()
        }
        Some(Event::Correction(correction)) => {
            let values = correction.corrected_values.iter();
            let values = values.filter_map(|corrected| {
                of_value(corrected.value.as_ref().and_then(|value| value.value.as_ref()))
            });
            of_subject(correction.subject.as_ref()).into_iter().chain(values).collect()
        }
        Some(Event::LifeEvent(event)) => life::numbers(event),
        Some(Event::Annulment(_)) | None => Vec::new(),
    }
}

/// Whether a personal number is one of a synthetic person.
pub(crate) fn is_synthetic(number: &str) -> bool {
    PersonalNumber::parse(number).is_ok_and(|number| number.is_synthetic())
}

/// SRC-10.
pub(crate) async fn synthetic(kit: &Kit, found: &mut Found) -> Tried {
    let listing = listing(kit, 1).await?;
    let mut some = false;
    for (number, listed) in listing.changes.iter().enumerate() {
        for personal in numbers(&listed.change) {
            some = true;
            let seen = "another one (it is not repeated here)";
            let expected = "personal numbers that start with 990 to 999";
            found.check(is_synthetic(&personal), place(number), expected, seen);
        }
    }
    if some {
        return Ok(());
    }
    Err(not_tried(
        ("không thay đổi nào mang số định danh cá nhân", "no change holds a personal number"),
        (
            "ghi nhận khai tử, cư trú hoặc cải chính của người giả định",
            "commit a death, a residence or a correction of a synthetic person",
        ),
    ))
}

/// SRC-11.
pub(crate) async fn times(kit: &Kit, found: &mut Found) -> Tried {
    const SKEW_SECONDS: i64 = 60;
    let listing = listing(kit, 2).await?;
    let latest = kit.plan.clock.now().unix_timestamp() + SKEW_SECONDS;
    let mut last = (i64::MIN, 0);
    for (number, listed) in listing.changes.iter().enumerate() {
        let Some(at) = &listed.change.commit_time else { continue };
        let seen = "an earlier one";
        found.check(
            (at.seconds, at.nanos) >= last,
            place(number),
            "a commit_time after the last",
            seen,
        );
        let seen = "one in the future";
        found.check(at.seconds <= latest, place(number), "a commit_time of the past", seen);
        last = (at.seconds, at.nanos);
    }
    Ok(())
}
