//! Whether a question may be answered at all: what its warrant says, held against it (rules LKP-40 to LKP-53).

use contract::{
    database::v1::{GetRecordRequest, VerifyRecordRequest},
    r#type::v1::{AccessBasis, ErrorReason, SubjectRef, subject_ref::Subject},
};
use server::{Thumbprint, error::refuse_with};
use tonic::Status;
use warrant::{Expected, Refusal};

use super::away;
use crate::{Error, Shared};

/// A question, as far as its warrant is about it.
pub(super) struct Warranted<'a> {
    subject: Option<&'a SubjectRef>,
    basis: Option<&'a AccessBasis>,
    items: Vec<String>,
    warrant: &'a [u8],
    opening: &'a [u8],
}

impl<'a> From<&'a GetRecordRequest> for Warranted<'a> {
    fn from(asked: &'a GetRecordRequest) -> Self {
        Self {
            subject: asked.subject.as_ref(),
            basis: asked.basis.as_ref(),
            items: asked.items.clone(),
            warrant: &asked.warrant,
            opening: &asked.warrant_opening,
        }
    }
}

impl<'a> From<&'a VerifyRecordRequest> for Warranted<'a> {
    fn from(asked: &'a VerifyRecordRequest) -> Self {
        Self {
            subject: asked.subject.as_ref(),
            basis: asked.basis.as_ref(),
            items: asked.claimed_values.iter().map(|claimed| claimed.item.clone()).collect(),
            warrant: &asked.warrant,
            opening: &asked.warrant_opening,
        }
    }
}

/// Warrants that allow what they came with, unless they were used before: by id, and until when that is remembered.
pub(super) struct Allowed(Vec<(String, i64)>);

/// Holds the warrants of all these questions, which have no faults, against them.
pub(super) fn check(
    shared: &Shared,
    shown: Option<Thumbprint>,
    questions: &[Warranted<'_>],
) -> Result<Allowed, Status> {
    let now = shared.clock.now().unix_timestamp();
    let mut used = Vec::with_capacity(questions.len());
    for Warranted { subject, basis, items, warrant, opening } in questions {
        // A commitment is to a personal number and to nothing else.
        let Some(Subject::PersonalNumber(number)) = subject.and_then(|one| one.subject.as_ref())
        else {
            return Err(refused(Refusal::Subject));
        };
        let expected = Expected {
            issuer: shared.warrants.issuer(),
            audience: &shared.profile.database_id,
            holder: shown.as_ref().map(|Thumbprint(bytes)| bytes),
            subject: number.as_str(),
            opening,
            items,
            procedure: basis.map_or("", |basis| &basis.procedure),
            legal_basis: basis.map_or("", |basis| &basis.legal_basis),
        };
        let accepted = shared.warrants.check(warrant, &expected, now).map_err(refused)?;
        used.push((accepted.claims.jti, accepted.remember_until));
    }
    Ok(Allowed(used))
}

/// Uses warrants up, all or none. It is the last thing before an answer, so that nothing that fails here afterwards is refused as
/// a replay when it is asked again (I9).
pub(super) async fn take(shared: &Shared, allowed: Allowed) -> Result<(), Status> {
    match shared.database.take_warrants(allowed.0).await {
        Err(Error::WarrantUsed) => Err(refused(Refusal::Replayed)),
        taken => taken.map_err(|error| away(&error)),
    }
}

fn refused(why: Refusal) -> Status {
    refuse_with(ErrorReason::WarrantRefused, &[("fault", why.name().to_owned())])
}
