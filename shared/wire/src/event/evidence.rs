//! The documents on which an event rests.

use contract::contribution::v1::Evidence as Wire;
use model::{CodeLists, CodedValue};
use serde::{Deserialize, Serialize};

use super::read::ENTRY_MAX;
use crate::{
    Fault, Faults,
    value::{Reader, write_coded},
};

const EVIDENCE_MAX: usize = 16;

/// A document on which an event rests.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// A code of the list `evidence-kind`.
    pub kind: CodedValue,
    /// SHA-256 of its file, in hexadecimal digits.
    pub digest: String,
    /// Its number; empty when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number: String,
}

impl Evidence {
    /// The document, as the contract writes it.
    #[must_use]
    pub fn write(&self, lists: &CodeLists) -> Wire {
        Wire {
            kind: Some(write_coded(&self.kind, lists)),
            digest: hex::decode(&self.digest).unwrap_or_default(),
            number: self.number.clone(),
        }
    }
}

/// Reads the documents at `field`; with `needed` there is at least one.
pub fn read(
    field: &str,
    evidence: &[Wire],
    needed: bool,
    lists: &CodeLists,
    faults: &mut Faults,
) -> Vec<Evidence> {
    if needed && evidence.is_empty() {
        faults.add(field, Fault::Missing);
    }
    if evidence.len() > EVIDENCE_MAX {
        faults.add(field, Fault::TooMany(EVIDENCE_MAX));
    }
    let mut read = Vec::new();
    for (place, one) in evidence.iter().take(EVIDENCE_MAX).enumerate() {
        let at = |name: &str| format!("{field}[{place}].{name}");
        let kind =
            Reader::new(lists, faults).coded(&at("kind"), one.kind.as_ref(), "evidence-kind");
        match one.digest.len() {
            0 => faults.add(at("digest"), Fault::Missing),
            32 => {}
            _ => faults.add(at("digest"), Fault::Malformed),
        }
        if !one.number.is_empty() {
            faults.text(&at("number"), &one.number, ENTRY_MAX);
        }
        if let Some(kind) = kind {
            let (digest, number) = (hex::encode(&one.digest), one.number.clone());
            read.push(Evidence { kind, digest, number });
        }
    }
    read
}
