//! Records an access and checks the log's proof: the only maker of `DurableReceipt`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contract::audit::v1::{
    self as wire, AccessOutcome, AppendRequest, AppendResponse, DecisionRecord, Receipt, Refusal,
    audit_service_client::AuditServiceClient,
};
use contract::r#type::v1::{AccessBasis, ErrorReason};
use prost::Message;
use server::{
    Caller, Channel, Deadline, Sent, ShedCalls,
    runtime::{Clock, Entropy},
};
use tonic::{Code, Status};

use crate::{Answer, Asked, DurableReceipt, Error};

/// How long a record of refused calls may take; one that is not known to stand then is sent again.
const SHED_MAX: Duration = Duration::from_secs(10);

/// One access to record.
pub struct Access<'a> {
    /// Full path of the method.
    pub method: &'a str,
    /// Who called.
    pub caller: &'a Caller,
    /// The exact bytes of the request, and what signs them.
    pub asked: Asked<'a>,
    /// The ground that the request names, where it names one.
    pub basis: Option<&'a AccessBasis>,
}

/// A record that is made and may have been sent: the log takes it once, however often it is sent.
pub struct Record {
    append: AppendRequest,
    answer_digest: [u8; 32],
    opening: Vec<u8>,
}

/// Where records are appended. Whatever it answers is checked.
#[tonic::async_trait]
pub trait Log: Send + Sync {
    /// Appends one, in the time there is.
    async fn append(
        &self,
        deadline: Deadline,
        record: AppendRequest,
    ) -> Result<AppendResponse, Status>;
}

#[tonic::async_trait]
impl Log for AuditServiceClient<Channel> {
    async fn append(
        &self,
        deadline: Deadline,
        record: AppendRequest,
    ) -> Result<AppendResponse, Status> {
        let appended = Self::append(&mut self.clone(), deadline.request(record)).await;
        appended.map(tonic::Response::into_inner)
    }
}

/// The way to the access log.
pub struct Recorder {
    log: Arc<dyn Log>,
    verifier: tlog::LogVerifier,
    clock: Clock,
    entropy: Entropy,
    /// The newest checkpoint whose signature was verified: one batch shares one checkpoint, so the
    /// signature is verified once for all of them.
    verified: Mutex<Option<(String, tlog::Checkpoint)>>,
}

impl Recorder {
    /// A recorder that trusts checkpoints signed by `verifier` only.
    pub fn new(
        channel: Channel,
        verifier: tlog::LogVerifier,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self::beside(Arc::new(AuditServiceClient::new(channel)), verifier, clock, entropy)
    }

    /// The same beside the log itself, in one process.
    pub fn beside(
        log: Arc<dyn Log>,
        verifier: tlog::LogVerifier,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self { log, verifier, clock, entropy, verified: Mutex::new(None) }
    }

    /// Records the access and gives the proof that it stands. Answers, denials and misses alike.
    /// `decision` is what really happened, for inspectors.
    pub async fn record<T>(
        &self,
        deadline: Deadline,
        access: &Access<'_>,
        decision: &DecisionRecord,
        answer: &Answer<T>,
    ) -> Result<DurableReceipt, Error> {
        let waited = u64::try_from(deadline.waited().as_micros()).unwrap_or(u64::MAX);
        self.send(deadline, &self.make(access, decision, answer, waited)).await
    }

    fn make<T>(
        &self,
        access: &Access<'_>,
        decision: &DecisionRecord,
        answer: &Answer<T>,
        took_microseconds: u64,
    ) -> Record {
        let context = tlog::context(access.method, access.caller.id());
        let request_digest = tlog::digest(access.asked.bytes());
        let answer_digest = tlog::digest(answer.bytes());
        let basis = access.basis.cloned();
        let signed = access.asked.presented().signed();
        let signature = signed.map(|signed| signed.signature.clone());
        let decision = DecisionRecord { basis, took_microseconds, signature, ..decision.clone() }
            .encode_to_vec();
        // Two independent keys: with one key for both, a caller could try the few possible outcomes
        // against the inner commitment (I7).
        let (outer_key, inner_key) = (self.entropy.array::<32>(), self.entropy.array::<32>());
        let time_ms = self.clock.now_ms();
        let leaf = tlog::Leaf {
            time_ms,
            record_id: tlog::record_id(time_ms, self.entropy.array()),
            outer: tlog::outer_commitment(&outer_key, &context, &request_digest, &answer_digest),
            inner: tlog::inner_commitment(&inner_key, &decision),
        }
        .to_bytes();
        let opening = tlog::opening(&outer_key, &context);
        let append = AppendRequest {
            leaf: leaf.to_vec(),
            outer_key: outer_key.to_vec(),
            inner_key: inner_key.to_vec(),
            context,
            request_digest: request_digest.to_vec(),
            answer_digest: answer_digest.to_vec(),
            decision,
            signer_certificate: signed.map(|s| s.certificate.to_vec()).unwrap_or_default(),
        };
        Record { append, answer_digest, opening }
    }

    async fn send(&self, deadline: Deadline, record: &Record) -> Result<DurableReceipt, Error> {
        let Record { append, answer_digest, opening } = record;
        let appended = self.append(deadline, append).await.map_err(Error::NotRecorded)?;
        self.check(&append.leaf, &appended)?;
        let receipt = Receipt {
            leaf: append.leaf.clone(),
            index: appended.index,
            proof: appended.proof,
            checkpoint: appended.checkpoint,
            opening: opening.clone(),
        };
        Ok(DurableReceipt { receipt, answer: *answer_digest })
    }

    /// A record of calls that were refused because there was too much to do. Of what they asked nothing was read, so
    /// there is no request, and the answer is the refusal.
    pub fn shed(&self, shed: &ShedCalls) -> Record {
        let reason = ErrorReason::Overloaded.into();
        let from = prost_types::Timestamp { seconds: shed.from.unix_timestamp(), nanos: 0 };
        let decision = DecisionRecord {
            outcome: AccessOutcome::Refused.into(),
            reason,
            shed: Some(wire::ShedCalls { calls: shed.calls, from_time: Some(from) }),
            ..DecisionRecord::default()
        };
        let answer = Answer::new(&Refusal { reason, ..Refusal::default() });
        let asked = Asked::by_service(&[]);
        let access = Access { method: shed.method, caller: &shed.caller, asked, basis: None };
        self.make(&access, &decision, &answer, 0)
    }

    /// Sends a record of refused calls, and says what became of it. It may stand also when this does not know so.
    pub async fn record_shed(&self, record: &Record) -> Sent {
        match self.send(Deadline::after(SHED_MAX), record).await {
            Ok(_) => Sent::Stands,
            Err(error) => {
                let code = error.code();
                tracing::warn!(%error, ?code, "refused calls are not known to be recorded yet");
                // The log says for certain that this one is none, which another one may be: its time is another.
                if code == Some(Code::InvalidArgument) { Sent::Refused } else { Sent::Unknown }
            }
        }
    }

    /// Appends, and once more when it is unknown whether the first time counted: the record's id makes the
    /// two one leaf.
    async fn append(
        &self,
        deadline: Deadline,
        append: &AppendRequest,
    ) -> Result<AppendResponse, Status> {
        let first = deadline.bounds(self.log.append(deadline, append.clone())).await;
        match first {
            // A broken connection has the code UNKNOWN.
            Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown) => {
                deadline.bounds(self.log.append(deadline, append.clone())).await
            }
            first => first,
        }
    }

    /// A receipt that was kept with its answer, once it is checked as an outsider would: the log's proof
    /// holds, and the record was made for this caller, request and answer.
    pub fn kept<T>(
        &self,
        access: &Access<'_>,
        answer: &Answer<T>,
        receipt: &[u8],
    ) -> Result<DurableReceipt, Error> {
        let receipt = Receipt::decode(receipt)?;
        let evidence = tlog::Evidence {
            request: access.asked.bytes(),
            answer: answer.bytes(),
            leaf: &receipt.leaf,
            index: receipt.index,
            proof: &tlog::hashes(&receipt.proof)?,
            checkpoint: &receipt.checkpoint,
            opening: &receipt.opening,
        };
        let verified = tlog::verify_receipt(&evidence, &self.verifier)?;
        if verified.method != access.method || verified.caller != access.caller.id() {
            return Err(Error::OtherAnswer);
        }
        Ok(DurableReceipt { receipt, answer: tlog::digest(answer.bytes()) })
    }

    /// The log must have taken the leaf we sent, and its proof must lead to a checkpoint it signed.
    fn check(&self, leaf: &[u8], appended: &AppendResponse) -> Result<(), Error> {
        let leaf_hash = tlog::leaf_hash(leaf);
        if appended.leaf_hash != leaf_hash {
            return Err(Error::OtherLeaf);
        }
        let checkpoint = self.verified_checkpoint(&appended.checkpoint)?;
        tlog::verify_inclusion(
            appended.index,
            checkpoint.size,
            &leaf_hash,
            &tlog::hashes(&appended.proof)?,
            &checkpoint.root,
        )?;
        Ok(())
    }

    fn verified_checkpoint(&self, note: &str) -> Result<tlog::Checkpoint, Error> {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, checkpoint)) = verified.as_ref()
            && known == note
        {
            return Ok(checkpoint.clone());
        }
        let checkpoint = self.verifier.verify(note)?;
        *verified = Some((note.to_owned(), checkpoint.clone()));
        Ok(checkpoint)
    }
}
