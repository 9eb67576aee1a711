//! An access to record, checked against its leaf, and the place of each record of a batch. Pure.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use tlog::{LEAF_LEN, Leaf, inner_commitment, outer_commitment};
use zeroize::Zeroizing;

/// One decision record is some kilobytes; a bound keeps one record from spoiling the batch it shares.
pub(crate) const DECISION_MAX: usize = 256 << 10;

/// As long as a certificate may be with which a request comes (`server::signed::request`).
pub(crate) const CERTIFICATE_MAX: usize = 16 << 10;

/// The parts of an access, as received.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) leaf: Vec<u8>,
    pub(crate) outer_key: Zeroizing<Vec<u8>>,
    pub(crate) inner_key: Zeroizing<Vec<u8>>,
    pub(crate) context: String,
    pub(crate) request_digest: Vec<u8>,
    pub(crate) answer_digest: Vec<u8>,
    pub(crate) decision: Vec<u8>,
    pub(crate) signer_certificate: Vec<u8>,
    /// What the decision says of whom it is about; none where it is no decision record.
    pub(crate) told: Option<Told>,
}

/// What a decision record says of whom it is about, as received.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) person: String,
    pub(crate) missed: Vec<u8>,
    pub(crate) sealed_days: u32,
    /// The thumbprint of the certificate that the request was signed by, where it was signed.
    pub(crate) signed_by: Option<Vec<u8>>,
}

/// A certificate by which requests were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// SHA-256 of it.
    pub(crate) thumbprint: [u8; 32],
    /// The DER.
    pub(crate) der: Vec<u8>,
}

impl Certificate {
    /// The one that a decision names; none where it names none. The fault where what came is not that one, or came for nothing.
    fn named(by: Option<&[u8]>, der: Vec<u8>) -> Result<Option<Self>, Fault> {
        let thumbprint = tlog::digest(&der);
        match by {
            None if der.is_empty() => Ok(None),
            None => Err(Fault::NotNamed),
            Some(_) if der.is_empty() => Err(Fault::Missing),
            Some(_) if der.len() > CERTIFICATE_MAX => Err(Fault::TooLong),
            Some(named) if named == thumbprint => Ok(Some(Self { thumbprint, der })),
            Some(_) => Err(Fault::NotNamed),
        }
    }
}

/// Under whom an access stands.
#[derive(PartialEq, Eq)]
pub(crate) struct Subject(String);

/// An opaque id of the register, or what could be one.
const PERSON_MAX: usize = 64;

impl Subject {
    /// A person of the register.
    pub(crate) fn person(id: &str) -> Option<Self> {
        let good = (1..=PERSON_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Self(format!("p:{id}")))
    }

    /// A number that nobody bore, by its digest.
    pub(crate) fn missed(digest: &[u8]) -> Option<Self> {
        (digest.len() == 32).then(|| Self(format!("m:{}", hex::encode(digest))))
    }

    /// As it is stored; none where it can be nobody.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("p", id) => Self::person(id),
            ("m", digest) => Self::missed(&hex::decode(digest).ok()?),
            _ => None,
        }
    }

    /// The person's id, or the digest of the number; the other one is empty.
    pub(crate) fn parts(&self) -> (String, Vec<u8>) {
        match self.0.split_once(':') {
            Some(("p", id)) => (id.to_owned(), Vec::new()),
            Some((_, digest)) => (String::new(), hex::decode(digest).unwrap_or_default()),
            None => Default::default(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Whom an access is about, and when that person may be told of it.
pub(crate) struct About {
    pub(crate) subject: Subject,
    /// The time of the leaf.
    pub(crate) time_ms: u64,
    /// Before that nothing but its number is told; 0 where it is not sealed.
    pub(crate) sealed_until_ms: u64,
}

const DAY_MS: u64 = 86_400_000;

impl Told {
    /// Whom a record of this time is about; nobody where it names none. The fault where what it names can be nobody.
    fn about(&self, time_ms: u64) -> Result<Option<About>, Fault> {
        let subject = match (self.person.as_str(), self.missed.as_slice()) {
            ("", []) => return Ok(None),
            ("", digest) => Subject::missed(digest),
            (person, []) => Subject::person(person),
            // Somebody was found, or nobody was.
            _ => None,
        };
        let subject = subject.ok_or(Fault::Malformed)?;
        let sealed_until_ms = match self.sealed_days {
            0 => 0,
            days => time_ms.saturating_add(u64::from(days).saturating_mul(DAY_MS)),
        };
        // Both engines count in 64 bits with a sign, and one record must not spoil the batch it shares.
        if i64::try_from(time_ms.max(sealed_until_ms)).is_err() {
            return Err(Fault::Malformed);
        }
        Ok(Some(About { subject, time_ms, sealed_until_ms }))
    }
}

/// What is known of a record whose keys were erased, beside its leaf and its context.
#[derive(PartialEq, Eq)]
pub struct Erasure {
    /// The document that ordered it.
    pub document: String,
    /// When it was erased, in milliseconds since 1970.
    pub time_ms: u64,
    /// Under whom it stands; none where it stands under nobody.
    pub(crate) under: Option<Under>,
}

/// Under whom an erased record stands: what its decision said, which is gone.
#[derive(PartialEq, Eq)]
pub(crate) struct Under {
    pub(crate) subject: Subject,
    pub(crate) sealed_until_ms: u64,
}

/// A record whose leaf commits to exactly what its opening holds.
pub(crate) struct Record {
    pub(crate) id: [u8; 16],
    pub(crate) leaf: [u8; LEAF_LEN],
    /// Under whom it stands; none where it is about nobody.
    pub(crate) about: Option<About>,
    /// What the request was signed by, where it was.
    pub(crate) signer: Option<Certificate>,
    pub(crate) opening: Opening,
}

/// What opens the two commitments of a leaf. Its keys are wiped when it is dropped, and it has no Debug (I8).
pub struct Opening {
    /// The key of the outer commitment, which the caller has, too.
    pub outer_key: Zeroizing<[u8; 32]>,
    /// The key of the inner commitment.
    pub inner_key: Zeroizing<[u8; 32]>,
    /// Method and caller, a line each.
    pub context: String,
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// SHA-256 of the answer.
    pub answer_digest: [u8; 32],
    /// What really happened: a `DecisionRecord`.
    pub decision: Vec<u8>,
}

impl Opening {
    /// Whether it is what both commitments of a leaf are of.
    #[must_use]
    pub fn opens(&self, leaf: &Leaf) -> bool {
        let Self { outer_key, inner_key, context, request_digest, answer_digest, decision } = self;
        outer_commitment(outer_key, context, request_digest, answer_digest) == leaf.outer
            && inner_commitment(inner_key, decision) == leaf.inner
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not of the form the contract gives.
    Malformed,
    /// Not there.
    Missing,
    /// Longer than the log takes.
    TooLong,
    /// The leaf's outer commitment is to something else.
    OuterDiffers,
    /// The leaf's inner commitment is to something else.
    InnerDiffers,
    /// The record id stands in the log with another leaf.
    RecordIdReused,
    /// The decision names another certificate, or none.
    NotNamed,
    /// The leaf's time has not come.
    InTheFuture,
}

/// How far the clock of a service may be ahead of the log's: a day, so that a clock that is wrong by less stops nothing.
pub(crate) const AHEAD_MAX_MS: u64 = 24 * 3_600_000;

/// Whether a leaf is from so far ahead. It says when its service answered: one far ahead would be old enough for the archive last, and
/// keep in the log all that follows it.
pub(crate) fn is_ahead(leaf: &[u8], now_ms: u64) -> bool {
    let latest_ms = now_ms.saturating_add(AHEAD_MAX_MS);
    Leaf::parse(leaf).is_ok_and(|leaf| leaf.time_ms > latest_ms)
}

/// The record that the parts make, or every faulty field.
pub(crate) fn check(mut parts: Parts) -> Result<Record, Vec<(&'static str, Fault)>> {
    let mut faults = Vec::new();
    let named = parts.told.as_ref().and_then(|told| told.signed_by.as_deref());
    let signer = Certificate::named(named, std::mem::take(&mut parts.signer_certificate));
    let signer = signer.unwrap_or_else(|fault| {
        faults.push(("signer_certificate", fault));
        None
    });
    let mut hash = |field, bytes: &[u8]| {
        let hash = <[u8; 32]>::try_from(bytes).ok();
        if hash.is_none() {
            faults.push((field, Fault::Malformed));
        }
        hash
    };
    let outer_key = hash("outer_key", &parts.outer_key).map(Zeroizing::new);
    let inner_key = hash("inner_key", &parts.inner_key).map(Zeroizing::new);
    let request_digest = hash("request_digest", &parts.request_digest);
    let answer_digest = hash("answer_digest", &parts.answer_digest);
    let leaf = Leaf::parse(&parts.leaf).ok();
    if leaf.is_none() {
        faults.push(("leaf", Fault::Malformed));
    }
    let context = context_fault(&parts.context);
    faults.extend(context.map(|fault| ("context", fault)));
    if parts.decision.len() > DECISION_MAX {
        faults.push(("decision", Fault::TooLong));
    }
    if let (Some(key), Some(request), Some(answer), Some(leaf)) =
        (&outer_key, &request_digest, &answer_digest, &leaf)
        && outer_commitment(key, &parts.context, request, answer) != leaf.outer
    {
        faults.push(("leaf", Fault::OuterDiffers));
    }
    if let (Some(key), Some(leaf)) = (&inner_key, &leaf)
        && inner_commitment(key, &parts.decision) != leaf.inner
    {
        faults.push(("leaf", Fault::InnerDiffers));
    }
    let told = parts.told.as_ref().ok_or(Fault::Malformed);
    let time_ms = leaf.as_ref().map_or(0, |leaf| leaf.time_ms);
    let about = told.and_then(|told| told.about(time_ms)).unwrap_or_else(|fault| {
        faults.push(("decision", fault));
        None
    });
    let whole = (outer_key, inner_key, request_digest, answer_digest, leaf);
    let (Some(outer_key), Some(inner_key), Some(request_digest), Some(answer_digest), Some(leaf)) =
        whole
    else {
        return Err(faults);
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let Parts { context, decision, .. } = parts;
    let opening =
        Opening { outer_key, inner_key, context, request_digest, answer_digest, decision };
    Ok(Record { id: leaf.record_id, leaf: leaf.to_bytes(), about, signer, opening })
}

/// The context is two lines, method and caller: any other would make a receipt no verifier accepts.
fn context_fault(context: &str) -> Option<Fault> {
    if context.is_empty() {
        return Some(Fault::Missing);
    }
    let line = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    let lines = context.strip_suffix('\n').and_then(|lines| lines.split_once('\n'));
    let good = lines.is_some_and(|(method, caller)| line(method) && line(caller));
    (!good).then_some(Fault::Malformed)
}

/// Where the records of a batch go: each record id has one leaf and one index, however often it is sent.
pub(crate) struct Plan {
    /// The index of each record of the batch; none where the id stands with another leaf.
    pub(crate) indexes: Vec<Option<u64>>,
    /// The records that are new, in the order of their indexes.
    pub(crate) new: Vec<Arc<Record>>,
}

impl Plan {
    /// Plans a batch behind a log of `size` leaves, of which `stored` are those with an id of the batch.
    pub(crate) fn new<'a>(
        batch: impl Iterator<Item = &'a Arc<Record>>,
        stored: HashMap<[u8; 16], (u64, [u8; LEAF_LEN])>,
        size: u64,
    ) -> Self {
        let (mut known, mut next) = (stored, size);
        let mut plan = Self { indexes: Vec::new(), new: Vec::new() };
        for record in batch {
            plan.indexes.push(match known.entry(record.id) {
                Entry::Occupied(there) => {
                    let (index, leaf) = there.get();
                    (*leaf == record.leaf).then_some(*index)
                }
                Entry::Vacant(free) => {
                    free.insert((next, record.leaf));
                    plan.new.push(Arc::clone(record));
                    next += 1;
                    Some(next - 1)
                }
            });
        }
        plan
    }
}
