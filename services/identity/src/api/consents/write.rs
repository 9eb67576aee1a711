//! The answers of `ConsentService`.

use contract::identity::v1::{
    self as proto, ConsentAnswer, ConsentChannel, ConsentRecipient, LookupOutcome,
};
use time::OffsetDateTime;
use wire::{policy::Decision, timestamp, timestamp_us};

use crate::domain::consent::{Channel, Consent, System, Terms};

/// A consent as it is, or that there is none.
pub(super) fn answer(
    request_id: &str,
    decision: &Decision,
    found: Option<&Consent>,
    at: OffsetDateTime,
) -> ConsentAnswer {
    let outcome = if found.is_some() { LookupOutcome::Match } else { LookupOutcome::NoMatch };
    ConsentAnswer {
        outcome: outcome.into(),
        consent: found.map(consent),
        answer_time: Some(timestamp(at)),
        decision_id: decision.id.clone(),
        policy_revision: decision.revision.clone(),
        request_id: request_id.to_owned(),
    }
}

fn consent(consent: &Consent) -> proto::Consent {
    let Terms {
        recipient,
        procedure,
        items,
        begins_us,
        ends_us,
        channel,
        evidence,
        notice_version,
    } = &consent.terms;
    let System { agency, system } = recipient.clone();
    let channel = match channel {
        Channel::OwnApp => ConsentChannel::OwnApp,
        Channel::OnPaper => ConsentChannel::OnPaper,
    };
    proto::Consent {
        reference: consent.reference.clone(),
        recipient: Some(ConsentRecipient { agency, system }),
        items: items.clone(),
        procedure: procedure.clone(),
        begin_time: Some(timestamp_us(*begins_us)),
        end_time: Some(timestamp_us(*ends_us)),
        channel: channel.into(),
        evidence_digest: evidence.clone().unwrap_or_default(),
        notice_version: notice_version.clone(),
        record_time: Some(timestamp_us(consent.recorded_us)),
        withdraw_time: consent.withdrawn_us.map(timestamp_us),
    }
}
