//! DB-6 and DB-7: how the database says no.

use contract::{
    database::v1::{
        DeliverEventsRequest, Event, GetRecordRequest, ListChangesRequest, StreamChangesRequest,
        StreamRecordsRequest, VerifyRecordRequest,
    },
    r#type::v1::{AccessBasis, ErrorReason, FieldFault},
};
use prost::Message;
use server::error::DOMAIN;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    Role,
    cases::{people, sink},
    found::{Found, Tried, not_tried},
    kit::{Kit, answer, method, path, shown},
    wire::Ask,
};

/// A question that is faulty: its method, its bytes, and the fields that are.
type Faulty = (&'static str, Vec<u8>, &'static [&'static str]);

/// Questions that every database of its roles refuses.
fn faulty(kit: &Kit) -> Vec<Faulty> {
    let mut all: Vec<Faulty> = Vec::new();
    if kit.has(Role::Source) {
        let negative = ListChangesRequest { page_size: -1, ..Default::default() };
        all.push((path::LIST, negative.encode_to_vec(), &["page_size"]));
    }
    if kit.has(Role::Lookup) {
        let mut half = people::question(kit, &mut kit.dice("DB-7"));
        half.basis = Some(AccessBasis { procedure: "conformance".into(), ..Default::default() });
        half.items.clear();
        all.push((
            path::GET,
            GetRecordRequest::default().encode_to_vec(),
            &["subject", "items", "basis", "request_id"],
        ));
        all.push((
            path::GET,
            half.encode_to_vec(),
            &["items", "legal_basis", "case_reference", "acting_unit", "officer"],
        ));
        all.push((
            path::VERIFY,
            VerifyRecordRequest::default().encode_to_vec(),
            &["subject", "claimed_values", "basis", "request_id"],
        ));
        all.push((path::RECORDS, StreamRecordsRequest::default().encode_to_vec(), &["queries"]));
    }
    if kit.has(Role::Sink) {
        let mut events = sink::Events::new(kit, "DB-7");
        let nameless = Event { event_id: String::new(), ..events.discrepancy() };
        let timeless = Event { event_time: None, ..events.discrepancy() };
        let placeless = Event { sequence: 0, ..events.discrepancy() };
        let delivery = DeliverEventsRequest { events: vec![nameless, timeless, placeless] };
        let fields: &[&str] = &["event_id", "event_time", "sequence"];
        all.push((path::DELIVER, delivery.encode_to_vec(), fields));
        all.push((path::DELIVER, DeliverEventsRequest::default().encode_to_vec(), &["events"]));
    }
    all
}

/// DB-6.
pub(crate) async fn reasons(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut all: Vec<(&str, Vec<u8>)> =
        faulty(kit).into_iter().map(|(path, body, _)| (path, body)).collect();
    if kit.has(Role::Source) {
        let cursor = kit.dice("DB-6").id();
        let list = ListChangesRequest { cursor: cursor.clone(), page_size: 0 };
        all.push((path::LIST, list.encode_to_vec()));
        let stream = StreamChangesRequest { cursor, follow: false };
        all.push((path::STREAM, stream.encode_to_vec()));
    }
    let mut refused = 0;
    for (path, body) in all {
        let tried = format!("a faulty {}", method(path));
        let status = answer(&wire, &tried, Ask::bytes(path, &body)).await?.status;
        if status.code() == Code::Ok {
            // That it is not refused is the business of another rule.
            continue;
        }
        refused += 1;
        let details = status.get_error_details();
        let info = details.error_info();
        let domain = info.map_or("none", |info| info.domain.as_str());
        let expected = format!("an ErrorInfo of the domain {DOMAIN}");
        found.check(
            domain == DOMAIN,
            tried.as_str(),
            expected,
            format!("{domain}: {}", shown(&status)),
        );
        let reason = info.map(|info| info.reason.as_str()).unwrap_or_default();
        let known = ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}"));
        let known = known.is_some_and(|reason| reason != ErrorReason::Unspecified);
        let seen = if reason.is_empty() { "none" } else { reason };
        found.check(known || info.is_none(), tried, "a reason of ErrorReason", seen);
    }
    if refused == 0 { Err(nothing_refused()) } else { Ok(()) }
}

fn nothing_refused() -> crate::found::Trouble {
    not_tried(
        ("không lời gọi sai nào bị từ chối", "no faulty call was refused"),
        ("sửa các quy tắc không đạt khác trước", "put right first what else does not hold"),
    )
}

/// DB-7.
pub(crate) async fn fields(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut refused = 0;
    for (path, body, fields) in faulty(kit) {
        let tried = format!("{} with faults in {}", method(path), fields.join(", "));
        let status = answer(&wire, &tried, Ask::bytes(path, &body)).await?.status;
        if status.code() != Code::InvalidArgument {
            // That it is not refused so is the business of another rule.
            continue;
        }
        refused += 1;
        let details = status.get_error_details();
        let named = details.bad_request().map(|bad| bad.field_violations.clone());
        let named = named.unwrap_or_default();
        let shown: Vec<&str> = named.iter().map(|fault| fault.field.as_str()).collect();
        for field in fields {
            let holds = shown.iter().any(|shown| names(shown, field));
            let seen = if shown.is_empty() { "no BadRequest".into() } else { shown.join(", ") };
            found.check(holds, tried.as_str(), format!("`{field}` named"), seen);
        }
        for fault in &named {
            let reason = FieldFault::from_str_name(&format!("FIELD_FAULT_{}", fault.reason));
            let known = reason.is_some_and(|reason| reason != FieldFault::Unspecified);
            let expected = format!("a reason of FieldFault for `{}`", fault.field);
            let seen = if fault.reason.is_empty() { "none" } else { &fault.reason };
            found.check(known, tried.as_str(), expected, seen);
        }
    }
    if refused == 0 { Err(nothing_refused()) } else { Ok(()) }
}

/// Whether the path of a field, such as `basis.officer` or `events[0].event_id`, names a field.
fn names(path: &str, field: &str) -> bool {
    let name = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
    path.split('.').any(|part| name(part) == field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_fields() {
        assert!(names("events[0].event_id", "event_id") && names("items[3]", "items"));
        assert!(names("basis", "basis") && !names("basis_x", "basis"));
    }
}
