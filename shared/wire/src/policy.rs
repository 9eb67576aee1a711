//! Asking the policy service, and what it decided, as plain types. What it allowed is kept in memory while policy says that it
//! still stands.
//!
//! | module | job |
//! |---|---|
//! | `answers` | what policy answers, as plain types |
//! | `client` | asking, and following the revisions |
//! | `kept` | which decisions are kept, and which may be used: pure |
//! | `lease` | taking persons of a grant's volume before they are told of |
//! | `metrics` | what operators see of it |
//! | `signed` | whether policy signed what it is said to have decided |
//! | `volume` | what was leased of a volume, and how much of it is left: pure |

mod answers;
mod client;
mod kept;
mod lease;
mod metrics;
mod signed;
mod volume;

pub use client::PolicyClient;
use contract::r#type::v1::ErrorReason;
use decide::DecisionTable;
pub use lease::{NotTaken, Taken};
use server::{Caller, Deadline, caller::Kind, error::refuse};
pub use signed::{DECIDE, GET_CONNECTION, KeysError, SIGNATURE, keys};
use time::OffsetDateTime;

/// What the caller wants to do with the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Obtain them (Art. 2(1)).
    Obtain,
    /// Contribute them (Art. 2(2)), by an event of this kind.
    Contribute(&'static str),
    /// Be told whenever they change (Art. 2(1)).
    Follow,
    /// See everything that was said of them (Art. 2(2)).
    Explain,
    /// Have the one person named of whom they are known (Art. 2(1)).
    Resolve,
    /// Have persons listed by them (Art. 2(1)).
    Search,
    /// Have the persons told whom a person's own record names in them (Art. 2(1)).
    Relations,
    /// Have the persons told whose records name a person in them (Art. 2(1)).
    InverseRelations,
    /// Have the persons of a household told, by them (Art. 2(1)).
    Household,
    /// Have persons named by other tokens from now on (Art. 2(1)).
    RotateTokens,
    /// Have it recorded that a person consents that somebody obtains them (Art. 1(2)).
    RecordConsents,
    /// Be told who accessed a person's items (Art. 1(2)).
    Accesses,
}

/// What policy decided about a caller and a ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Id of the decision.
    pub id: String,
    /// Revision of the policy data.
    pub revision: String,
    /// Number of the revision of the registry; none of a policy service that does not number them.
    pub number: Option<u64>,
    /// The caller's connection; empty when it has none.
    pub connection: String,
    /// The database that the connection serves; empty when none.
    pub database: String,
    /// The agreement that was applied; empty when there is none.
    pub agreement: String,
    /// What a caller must know of the person.
    pub claims: ClaimsRule,
    /// When it ends: the earliest end of anything it was built from. In the past where policy names none, so that nobody
    /// keeps it.
    pub valid_until: OffsetDateTime,
    /// The grant of whose volume whoever is told of is taken first; none where it has none.
    pub volume: Option<String>,
    /// The purpose group of the procedure; empty where it is not known.
    pub purpose: String,
    /// For how many days nothing but its number is told of such an access to the person whom it is about.
    pub sealed_days: u32,
    /// Whether the caller has to sign its requests, by the agreement that was applied, or where none was by any of its connection.
    pub signed_requests: bool,
    /// The decision itself.
    pub verdict: Result<DecisionTable, Denial>,
}

impl Decision {
    /// The agreement that demands of whoever calls that the request is signed, or nothing where no single one is named; none where that
    /// is not demanded. A system of an agency signs for itself; what our own services ask in its name is no request of its own.
    #[must_use]
    pub fn demands_of(&self, caller: &Caller) -> Option<&str> {
        let own = matches!(caller.kind(), Kind::System { .. });
        (own && self.signed_requests).then_some(self.agreement.as_str())
    }
}

/// What a caller must know of a person beside the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClaimsRule {
    /// The number alone names the person.
    pub waived: bool,
    /// A year of birth is enough where the register holds the whole date.
    pub year_suffices: bool,
}

/// Why nothing is allowed, whoever the subject is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The reason.
    pub reason: ErrorReason,
    /// The rule or state that refused.
    pub rule: String,
    /// The article, as cited.
    pub article: String,
}

/// Why there is no decision. Whatever it is, nothing is read (I2).
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoDecision {
    /// The policy service did not answer.
    #[error("the policy service did not answer")]
    Away(#[from] tonic::Status),
    /// It answered with something that is no decision about these items.
    #[error("the policy service answered with no decision")]
    Malformed,
    /// No key that is known signed what came as its answer.
    #[error("what came as the decision of policy is not signed by it")]
    NotSigned,
    /// What policy signed ended before it came.
    #[error("what came as the decision of policy is one of earlier")]
    Past,
    /// It took longer than anybody waits for it, whatever the deadline of whoever asked.
    #[error("the policy service took too long")]
    Slow,
    /// It decided under an older revision than it did before: its database was set back (I9).
    #[error(
        "the policy service decided under an older revision than before: was its database set back?"
    )]
    Older,
    /// Each time that it answered, a newer revision was told meanwhile.
    #[error("each decision was overtaken by another revision")]
    Overtaken,
}

impl NoDecision {
    /// The error for whoever asked: the deadline it set has passed, or policy is away.
    #[must_use]
    pub fn refusal(&self, deadline: Deadline) -> tonic::Status {
        tracing::error!(error = %self, "no decision");
        let late = matches!(self, Self::Away(status) if deadline.ended(status));
        refuse(if late { ErrorReason::DeadlineExceeded } else { ErrorReason::PolicyUnavailable })
    }
}
