//! Whose accesses, on the wire.

use contract::{
    audit::v1::{ListAccessesRequest, ListAccessesResponse, RecordedAccess, RecordedName},
    r#type::v1::FieldFault,
};
use server::error::{Violation, invalid};
use tonic::Status;

use crate::{
    domain::Subject,
    read::{Access, Accesses, Kept},
    store::subject::Name,
};

/// Names that are asked about at once, of each kind.
const NAMES_MAX: usize = 64;
const PAGE_MAX: u32 = 200;

/// What is asked.
pub(super) struct Asked {
    pub(super) names: Vec<Name>,
    pub(super) before: u64,
    pub(super) most: u32,
}

pub(super) fn asked(request: ListAccessesRequest) -> Result<Asked, Status> {
    let ListAccessesRequest { names, missed, before_index, page_size } = request;
    let mut faults = Vec::new();
    for (field, count) in [("names", names.len()), ("missed", missed.len())] {
        if count > NAMES_MAX {
            faults.push(Violation::new(field, FieldFault::TooMany, "quá nhiều", "are too many"));
        }
    }
    if names.is_empty() && missed.is_empty() {
        faults.push(Violation::new(
            "names",
            FieldFault::Missing,
            "bắt buộc phải có",
            "are required",
        ));
    }
    if !(1..=PAGE_MAX).contains(&page_size) {
        faults.push(Violation::new(
            "page_size",
            FieldFault::NotAllowed,
            "phải từ 1 đến 200",
            "must be 1–200",
        ));
    }
    let malformed = |field: String| {
        Violation::new(&field, FieldFault::Malformed, "không đúng dạng", "is malformed")
    };
    let mut all = Vec::new();
    for (at, RecordedName { person, from_milliseconds, until_milliseconds }) in
        names.into_iter().enumerate()
    {
        match Subject::person(&person) {
            Some(subject) => all.push((subject, from_milliseconds, until_milliseconds)),
            None => faults.push(malformed(format!("names[{at}].person"))),
        }
        for (field, ms) in [("from", from_milliseconds), ("until", until_milliseconds)] {
            if i64::try_from(ms).is_err() {
                faults.push(malformed(format!("names[{at}].{field}_milliseconds")));
            }
        }
    }
    for (at, digest) in missed.iter().enumerate() {
        match Subject::missed(digest) {
            Some(subject) => all.push((subject, 0, 0)),
            None => faults.push(malformed(format!("missed[{at}]"))),
        }
    }
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    let name = |(name, (subject, from_ms, until_ms)): (usize, (Subject, u64, u64))| Name {
        name,
        subject: subject.into_text(),
        from_ms,
        until_ms,
    };
    let names = all.into_iter().enumerate().map(name).collect();
    let before = if before_index == 0 { u64::MAX } else { before_index };
    Ok(Asked { names, before, most: page_size })
}

pub(super) fn response(found: Accesses) -> ListAccessesResponse {
    ListAccessesResponse {
        accesses: found.accesses.into_iter().map(access).collect(),
        counts: found.counts,
        end_reached: found.end_reached,
        checkpoint: found.checkpoint,
    }
}

fn access(access: Access) -> RecordedAccess {
    let Access { entry, sealed, proof, kept } = access;
    let (erased, archived) = (matches!(kept, Kept::Erased), matches!(kept, Kept::Archived));
    let (context, decision) = match kept {
        Kept::Whole(opening) if !sealed => (opening.context, opening.decision),
        Kept::Whole(_) | Kept::Erased | Kept::Archived => Default::default(),
    };
    RecordedAccess {
        // At most twice 64 names are asked about.
        name: u32::try_from(entry.name).unwrap_or(u32::MAX),
        number: entry.number,
        index: entry.position,
        leaf: entry.leaf.map(Vec::from).unwrap_or_default(),
        proof: super::hashes(&proof),
        sealed,
        context,
        decision,
        erased,
        archived,
    }
}
