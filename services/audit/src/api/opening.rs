//! A record in a file of openings.

use contract::audit::v1::RecordOpening;
use prost::Message;
use zeroize::Zeroizing;

use crate::{Opened, Opening};

/// A record that was handed over.
pub struct Handed {
    /// The leaf's index.
    pub index: u64,
    /// What opens it: [`Opened::Whole`] or [`Opened::Erased`].
    pub opened: Opened,
}

/// It is no file of openings, or has been cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no file of openings, or not whole")]
pub struct Malformed;

/// None of a record that cannot be opened although its keys were not erased, or are there again.
pub(crate) fn written(handed: &Handed) -> Option<Vec<u8>> {
    let index = handed.index;
    let opening = match &handed.opened {
        Opened::Whole(opening) => RecordOpening {
            index,
            context: opening.context.clone(),
            erased: false,
            outer_key: opening.outer_key.to_vec(),
            inner_key: opening.inner_key.to_vec(),
            request_digest: opening.request_digest.to_vec(),
            answer_digest: opening.answer_digest.to_vec(),
            decision: opening.decision.clone(),
        },
        Opened::Erased { context } => {
            RecordOpening { index, context: context.clone(), erased: true, ..Default::default() }
        }
        Opened::Undone | Opened::Damaged | Opened::Closed => return None,
    };
    Some(opening.encode_length_delimited_to_vec())
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
    } = opening;
    if erased {
        return Ok(Handed { index, opened: Opened::Erased { context } });
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
    Ok(Handed { index, opened: Opened::Whole(Box::new(opening)) })
}
