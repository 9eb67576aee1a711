//! The requests of `ConsentService`; every faulty field is named at once.

use contract::{
    identity::v1::{ConsentChannel, ConsentRecipient, RecordConsentRequest},
    r#type::v1::{AccessBasis, ErrorReason},
};
use server::error::refuse;
use tonic::Status;
use wire::{Fault, Faults, basis, micros};

use crate::{
    api::{
        REQUEST_ID_MAX, Shared,
        identity::{lookup, whom},
    },
    app::Lookup,
    domain::consent::{Channel, System, Terms},
};

const KEY_MAX: usize = 64;
const REFERENCE_MAX: usize = 64;
const NOTICE_MAX: usize = 64;
/// Characters of the code of an agency (Decision 20/2020/QD-TTg), and of the id of a system.
const AGENCY_MAX: usize = 35;
const SYSTEM_MAX: usize = 64;
/// Bytes of SHA-256.
const DIGEST: usize = 32;

/// A consent of the right form.
pub(super) struct Checked<'a> {
    /// Who gave it.
    pub(super) lookup: Lookup,
    /// What that person agreed to.
    pub(super) terms: Terms,
    /// The ground.
    pub(super) basis: &'a AccessBasis,
}

/// The consent in a request.
pub(super) fn record<'a>(
    request: &'a RecordConsentRequest,
    shared: &Shared,
) -> Result<Checked<'a>, Status> {
    let (app, lists, mut faults) = (&shared.app, &shared.lists, Faults::default());
    let (subject, claims) = (request.subject.as_ref(), request.claims.as_ref());
    let whom = whom(subject, claims, lists, app.clock.today(), &mut faults);
    basis::check_items(&request.items, &mut faults);
    let basis = basis::check(request.basis.as_ref(), &mut faults);
    if basis.is_some_and(|basis| !basis.consent_reference.is_empty()) {
        faults.add("basis.consent_reference", Fault::NotAllowed);
    }
    let recipient = recipient(request.recipient.as_ref(), &mut faults);
    let procedure = basis.map_or("", |basis| &basis.procedure);
    let lasting_us = app.consent_lasts_us(procedure);
    let times = times(request, app.clock.now_us(), lasting_us, &mut faults);
    let channel = match request.channel() {
        ConsentChannel::Unspecified => None,
        ConsentChannel::OwnApp => Some(Channel::OwnApp),
        ConsentChannel::OnPaper => Some(Channel::OnPaper),
    };
    if channel.is_none() {
        faults.add("channel", Fault::Missing);
    }
    match (request.evidence_digest.len(), channel) {
        (0, Some(Channel::OnPaper)) => faults.add("evidence_digest", Fault::Missing),
        (0 | DIGEST, _) => {}
        (_, _) => faults.add("evidence_digest", Fault::Malformed),
    }
    faults.text("notice_version", &request.notice_version, NOTICE_MAX);
    faults.text("idempotency_key", &request.idempotency_key, KEY_MAX);
    faults.text("request_id", &request.request_id, REQUEST_ID_MAX);
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(whom), Some(basis), Some(recipient), Some((begins_us, ends_us)), Some(channel)) =
        (whom, basis, recipient, times, channel)
    else {
        return Err(refuse(ErrorReason::Internal));
    };
    let evidence = Some(request.evidence_digest.clone()).filter(|digest| !digest.is_empty());
    let terms = Terms {
        recipient,
        procedure: basis.procedure.clone(),
        items: request.items.clone(),
        begins_us,
        ends_us,
        channel,
        evidence,
        notice_version: request.notice_version.clone(),
    };
    // Whatever the items are, nothing is told of them.
    Ok(Checked { lookup: lookup(whom, 0, &[], None), terms, basis })
}

/// Who may obtain the items.
fn recipient(recipient: Option<&ConsentRecipient>, faults: &mut Faults) -> Option<System> {
    let Some(ConsentRecipient { agency, system }) = recipient else {
        faults.add("recipient", Fault::Missing);
        return None;
    };
    for (field, text, max) in
        [("recipient.agency", agency, AGENCY_MAX), ("recipient.system", system, SYSTEM_MAX)]
    {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if faults.text(field, text, max) && !text.bytes().all(allowed) {
            faults.add(field, Fault::Malformed);
        }
    }
    Some(System { agency: agency.clone(), system: system.clone() })
}

/// From when on, and until when.
fn times(
    request: &RecordConsentRequest,
    now_us: i64,
    lasting_us: i64,
    faults: &mut Faults,
) -> Option<(i64, i64)> {
    let begins_us = request.begin_time.map_or(Some(now_us), micros);
    if begins_us.is_none() {
        faults.add("begin_time", Fault::Malformed);
    }
    let ends_us = request.end_time.map(micros);
    match ends_us {
        None => faults.add("end_time", Fault::Missing),
        Some(None) => faults.add("end_time", Fault::Malformed),
        Some(Some(end)) if end <= now_us.max(begins_us.unwrap_or(now_us)) => {
            faults.add("end_time", Fault::TooEarly);
        }
        Some(Some(end)) if end > now_us.saturating_add(lasting_us) => {
            faults.add("end_time", Fault::NotAllowed);
        }
        Some(Some(_)) => {}
    }
    Some((begins_us?, ends_us??))
}

/// The ground of a request that names a consent by its reference.
pub(super) fn named<'a>(
    reference: &str,
    basis: Option<&'a AccessBasis>,
    request_id: &str,
) -> Result<&'a AccessBasis, Status> {
    let mut faults = Faults::default();
    faults.text("consent_reference", reference, REFERENCE_MAX);
    let basis = basis::check(basis, &mut faults);
    faults.text("request_id", request_id, REQUEST_ID_MAX);
    faults.finish()?;
    basis.ok_or_else(|| refuse(ErrorReason::Internal))
}
