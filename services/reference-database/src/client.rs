//! The register, as this database asks it about persons whom it follows.

use std::time::Duration;

use contract::{
    identity::v1::{
        GetPersonAnswer, GetPersonRequest, LookupOutcome,
        identity_service_client::IdentityServiceClient,
    },
    r#type::v1::{AccessBasis, SubjectRef, item_outcome::Outcome, subject_ref},
};
use model::{CodeLists, Said};
use server::{Channel, Deadline};
use tonic::Code;
use wire::{Faults, value::Reader};

use crate::domain::Learnt;

/// How long the register may take for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// What a lookup is made with.
pub(crate) struct Question {
    /// The ground.
    pub(crate) basis: AccessBasis,
    /// The items.
    pub(crate) items: Vec<String>,
}

/// Why a person could not be looked up.
pub(crate) enum NotLearnt {
    /// The register does not answer now; nobody else can be looked up either.
    Away,
    /// It refuses this, or says what cannot be read; others may be looked up.
    Refused,
}

/// What the register says of a person, by its token, that is at least as new as a version.
pub(crate) async fn look_up(
    register: &IdentityServiceClient<Channel>,
    question: &Question,
    lists: &CodeLists,
    (token, version): (String, u64),
) -> Result<Learnt, NotLearnt> {
    let request = GetPersonRequest {
        subject: Some(SubjectRef { subject: Some(subject_ref::Subject::Token(token.clone())) }),
        // Whoever has a token needs no claims.
        claims: None,
        items: question.items.clone(),
        basis: Some(question.basis.clone()),
        request_id: format!("follow-{version}"),
        min_version: version,
        as_of: None,
    };
    let deadline = Deadline::after(ANSWER_MAX);
    let mut client = register.clone();
    let answer = deadline.bounds(client.get_person(deadline.request(request))).await;
    let answer = answer.map_err(|status| {
        tracing::warn!(code = ?status.code(), "a followed person could not be looked up");
        let refused = [Code::InvalidArgument, Code::PermissionDenied, Code::Internal];
        if refused.contains(&status.code()) { NotLearnt::Refused } else { NotLearnt::Away }
    })?;
    let answer = answer.into_inner().answer.ok_or(NotLearnt::Refused)?;
    let said = match answer.outcome() {
        LookupOutcome::Match => Some(said(&answer, lists).ok_or(NotLearnt::Refused)?),
        LookupOutcome::NoMatch => None,
        LookupOutcome::Unspecified => return Err(NotLearnt::Refused),
    };
    Ok(Learnt { token, version, said })
}

/// The values in an answer; none where one cannot be read.
fn said(answer: &GetPersonAnswer, lists: &CodeLists) -> Option<Vec<Said>> {
    let mut faults = Faults::default();
    let mut all = Vec::new();
    for item in &answer.items {
        let held = match &item.outcome {
            Some(Outcome::Value(held) | Outcome::Partial(held)) => held.values.as_slice(),
            Some(Outcome::NotHeld(_) | Outcome::UnknownItem(_) | Outcome::Withheld(_)) | None => {
                &[]
            }
        };
        for held in held {
            let mut reader = Reader::new(lists, &mut faults);
            let value = reader.value(&item.item, held.value.as_ref())?;
            let from = held.provenance.as_ref().and_then(|origin| origin.valid_from.as_ref());
            let valid_from = from.and_then(|from| reader.date(&item.item, Some(from)));
            all.push(Said::holds(&item.item, value, valid_from));
        }
    }
    faults.is_empty().then_some(all)
}
