//! What every call of an officer has in common: who may make it, and that it is recorded before it is answered, a refused one as
//! well.

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, Refusal},
    r#type::v1::ErrorReason,
};
use disclosure::{
    Access, Answer, Asked, Disclosed, DurableReceipt, Recorder, signature::NotSigned,
};
use server::{
    Caller, Deadline,
    caller::Kind,
    error::{Precondition, refuse, refuse_with, unmet},
};
use tonic::Status;
use wire::{Fault, Faults, policy::Denial, record};

use super::status;
use crate::{
    Error,
    app::{admission::Admissions, agreement::Agreements, rule_set::RuleSets},
    domain::officers::Role,
    store::moves::Kept,
};

/// The most on one page, and how many where nobody says.
pub(super) const PAGE_MAX: u16 = 500;
const PAGE_USUAL: u16 = 100;

/// How many entries of a list are wanted, and after which id. A page token is the prefix of its list and that id, so that what
/// another list gave is not taken for it.
pub(super) fn page<'a>(
    size: u32,
    token: &'a str,
    prefix: &str,
    faults: &mut Faults,
) -> (u16, &'a str) {
    let most = match u16::try_from(size) {
        Ok(0) => PAGE_USUAL,
        Ok(size) if size <= PAGE_MAX => size,
        Ok(_) | Err(_) => {
            faults.add("page_size", Fault::TooMany(PAGE_MAX.into()));
            PAGE_USUAL
        }
    };
    let after = match token.strip_prefix(prefix) {
        _ if token.is_empty() => "",
        Some(after) if is_key(after) => after,
        Some(_) | None => {
            faults.add("page_token", Fault::Malformed);
            ""
        }
    };
    (most, after)
}

/// What the service stands on.
pub(crate) struct Shared {
    pub(crate) admissions: Arc<Admissions>,
    pub(crate) agreements: Arc<Agreements>,
    pub(crate) rule_sets: Arc<RuleSets>,
    pub(crate) recorder: Recorder,
    /// The service itself, as its own moves name it.
    pub(crate) own: Caller,
    pub(crate) trust_domain: String,
}

/// One call under way.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    /// The agreement that it is about; empty where it is about none.
    pub(super) agreement: &'a str,
    pub(super) method: &'static str,
    pub(super) caller: Caller,
    pub(super) deadline: Deadline,
    pub(super) asked: Asked<'a>,
}

impl Call<'_> {
    /// Refuses a request that came with a signature which is none. No agreement demands one here: officers sign what they move, and
    /// whoever asks what it may ask for is told of nobody.
    pub(super) async fn signed(&self, connection: &str) -> Result<(), Status> {
        let Some(not_signed) = self.asked.presented().refusal(None) else { return Ok(()) };
        let NotSigned { reason, rule, article: _, more } = not_signed;
        Err(self.refuse(&record::own(reason, rule), connection, &more).await)
    }

    /// The role of the caller that may do this.
    pub(super) async fn authorised(
        &self,
        roles: &[Role],
        connection: &str,
    ) -> Result<Role, Status> {
        self.signed(connection).await?;
        let rule = match self.caller.kind() {
            Kind::Operator(id) => match self.shared.admissions.authorise(id, roles) {
                Ok(role) => return Ok(role),
                Err(why) => why.rule(),
            },
            // The table of methods lets nobody else come so far.
            Kind::System { .. } | Kind::Service(_) => "officer-unknown",
        };
        let named: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let denial = record::own(ErrorReason::OfficerNotAuthorised, rule);
        Err(self.refuse(&denial, connection, &[("roles", named.join(","))]).await)
    }

    /// Records that fields were faulty, and names them.
    pub(super) async fn faulty(&self, faults: Faults, connection: &str) -> Status {
        let denial = record::own(ErrorReason::InvalidRequest, "faulty-fields");
        match self.refused(&denial, connection, Vec::new()).await {
            Err(status) => status,
            Ok(_) => faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal)),
        }
    }

    /// What a move is answered, as it was kept: one answer, one receipt, however often the same bytes are sent.
    pub(super) fn as_kept<T: prost::Message>(&self, kept: Kept) -> Result<Disclosed<T>, Status> {
        let answer = Answer::kept(kept.answer);
        let receipt = self.shared.recorder.kept(&self.access(), &answer, &kept.receipt);
        let receipt = receipt.map_err(|error| error.refusal(self.deadline))?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// Records that something is in the way, and names all of it.
    pub(super) async fn not_possible(
        &self,
        denial: &Denial,
        connection: &str,
        found: Vec<Precondition>,
    ) -> Status {
        let named = found.iter().map(|one| format!("{}:{}", one.subject, one.reason)).collect();
        match self.refused(denial, connection, named).await {
            Err(status) => status,
            Ok(receipt) => {
                unmet(denial.reason, found, &record::metadata(denial, receipt.index(), &[]))
            }
        }
    }

    /// An answer that changes nothing, once it is recorded.
    pub(super) async fn answer<T: prost::Message>(
        &self,
        connection: &str,
        answer: &T,
    ) -> Result<Disclosed<T>, Status> {
        let answer = Answer::new(answer);
        let receipt = self.record(&self.administered(connection), &answer).await?;
        Disclosed::new(answer, receipt).map_err(|error| error.refusal(self.deadline))
    }

    /// What inspectors will read of a call about a connection. What a caller typed as an id may be anything, so only what can be one
    /// is repeated.
    pub(super) fn administered(&self, connection: &str) -> DecisionRecord {
        let repeated = |id: &str| if is_key(id) { id.to_owned() } else { String::new() };
        DecisionRecord {
            outcome: AccessOutcome::Administered.into(),
            connection: repeated(connection),
            agreement: repeated(self.agreement),
            ..DecisionRecord::default()
        }
    }

    pub(super) fn access(&self) -> Access<'_> {
        Access { method: self.method, caller: &self.caller, asked: self.asked, basis: None }
    }

    pub(super) async fn record<T: prost::Message>(
        &self,
        record: &DecisionRecord,
        answer: &Answer<T>,
    ) -> Result<DurableReceipt, Status> {
        let recorder = &self.shared.recorder;
        let recorded = recorder.record(self.deadline, &self.access(), record, answer).await;
        recorded.map_err(|error| error.refusal(self.deadline))
    }

    pub(super) async fn refused(
        &self,
        denial: &Denial,
        connection: &str,
        rejections: Vec<String>,
    ) -> Result<DurableReceipt, Status> {
        let answer = Answer::<Refusal>::new(&record::refusal(denial, rejections));
        let record = DecisionRecord {
            outcome: AccessOutcome::Refused.into(),
            reason: denial.reason.into(),
            ..self.administered(connection)
        };
        self.record(&record, &answer).await
    }

    /// Records a refusal, and gives the error with the record's index.
    pub(super) async fn refuse(
        &self,
        denial: &Denial,
        connection: &str,
        more: &[(&str, String)],
    ) -> Status {
        match self.refused(denial, connection, Vec::new()).await {
            Err(status) => status,
            Ok(receipt) => {
                refuse_with(denial.reason, &record::metadata(denial, receipt.index(), more))
            }
        }
    }

    pub(super) fn away(&self, error: &Error) -> Status {
        if self.deadline.left().is_zero() {
            return refuse(ErrorReason::DeadlineExceeded);
        }
        status(error)
    }
}

/// Whether a text can be an id.
pub(super) fn is_key(text: &str) -> bool {
    let mut faults = Faults::default();
    faults.key("", text);
    faults.is_empty()
}
