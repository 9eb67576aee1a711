//! A record in a file of openings.

use contract::audit::v1::{RecordErasure, RecordOpening};
use prost::Message;
use zeroize::Zeroizing;

use crate::{
    Opened, Opening,
    domain::{Erasure, Parts, Subject, Under},
};

/// A record that was handed over.
pub struct Handed {
    /// The leaf's index.
    pub index: u64,
    /// What opens it: [`Opened::Whole`] or [`Opened::Erased`].
    pub opened: Opened,
    /// The certificate, in DER, by which its request was signed, with the first record of a file that names it; else empty.
    pub certificate: Vec<u8>,
    /// What is known of its erasure, where it was erased; none in files of an older version.
    pub erasure: Option<Erasure>,
}

/// It is no file of openings, or has been cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no file of openings, or not whole")]
pub struct Malformed;

/// None of a record that cannot be opened although its keys were not erased, or are there again.
pub(crate) fn written(handed: &Handed) -> Option<Vec<u8>> {
    let Handed { index, opened, certificate, erasure } = handed;
    let index = *index;
    let opening = match opened {
        Opened::Whole(opening) => RecordOpening {
            index,
            context: opening.context.clone(),
            erased: false,
            outer_key: opening.outer_key.to_vec(),
            inner_key: opening.inner_key.to_vec(),
            request_digest: opening.request_digest.to_vec(),
            answer_digest: opening.answer_digest.to_vec(),
            decision: opening.decision.clone(),
            signer_certificate: certificate.clone(),
            erasure: None,
        },
        Opened::Erased { context } => RecordOpening {
            index,
            context: context.clone(),
            erased: true,
            erasure: erasure.as_ref().map(erasure_written),
            ..Default::default()
        },
        Opened::Undone | Opened::Damaged | Opened::Closed => return None,
    };
    Some(opening.encode_length_delimited_to_vec())
}

fn erasure_written(erasure: &Erasure) -> RecordErasure {
    let Erasure { document, time_ms, under } = erasure;
    let (person, missed) = under.as_ref().map(|under| under.subject.parts()).unwrap_or_default();
    RecordErasure {
        document: document.clone(),
        time_milliseconds: *time_ms,
        person,
        missed,
        sealed_until_milliseconds: under.as_ref().map_or(0, |under| under.sealed_until_ms),
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Handed, Malformed> {
    let opening = RecordOpening::decode(bytes).map_err(|_| Malformed)?;
    let RecordOpening {
        index,
        context,
        erased,
        outer_key,
        inner_key,
        request_digest,
        answer_digest,
        decision,
        signer_certificate: certificate,
        erasure,
    } = opening;
    if erased {
        let erasure = erasure.map(erasure_read).transpose()?;
        return Ok(Handed { index, opened: Opened::Erased { context }, certificate, erasure });
    }
    let fixed = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| Malformed);
    let opening = Opening {
        outer_key: Zeroizing::new(fixed(outer_key)?),
        inner_key: Zeroizing::new(fixed(inner_key)?),
        context,
        request_digest: fixed(request_digest)?,
        answer_digest: fixed(answer_digest)?,
        decision,
    };
    let opened = Opened::Whole(Box::new(opening));
    Ok(Handed { index, opened, certificate, erasure: None })
}

fn erasure_read(erasure: RecordErasure) -> Result<Erasure, Malformed> {
    let RecordErasure { document, time_milliseconds, person, missed, sealed_until_milliseconds } =
        erasure;
    let subject = match (person.as_str(), missed.as_slice()) {
        ("", []) => None,
        ("", digest) => Some(Subject::missed(digest).ok_or(Malformed)?),
        (person, []) => Some(Subject::person(person).ok_or(Malformed)?),
        _ => return Err(Malformed),
    };
    // Both engines count in 64 bits with a sign.
    if i64::try_from(time_milliseconds.max(sealed_until_milliseconds)).is_err() {
        return Err(Malformed);
    }
    let under =
        subject.map(|subject| Under { subject, sealed_until_ms: sealed_until_milliseconds });
    Ok(Erasure { document, time_ms: time_milliseconds, under })
}

/// The thumbprint of the certificate that the request of a record was signed by, where it was signed.
pub(crate) fn signed_by(opening: &Opening) -> Option<Vec<u8>> {
    super::told(&opening.decision)?.signed_by
}

/// What was sent when the record came: its parts, beside the certificate.
pub(crate) fn parts(leaf: &[u8], opening: Opening, signer_certificate: Vec<u8>) -> Parts {
    let told = super::told(&opening.decision);
    let Opening { outer_key, inner_key, context, request_digest, answer_digest, decision } =
        opening;
    Parts {
        leaf: leaf.to_vec(),
        outer_key: Zeroizing::new(outer_key.to_vec()),
        inner_key: Zeroizing::new(inner_key.to_vec()),
        context,
        request_digest: request_digest.to_vec(),
        answer_digest: answer_digest.to_vec(),
        decision,
        signer_certificate,
        told,
    }
}
