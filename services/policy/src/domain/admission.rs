//! Admissions: what the moves of officers made of each (Decision 1911/QD-TTg, Art. 1(1), 3(1)(b), 3(4)(a) to (c)).
//!
//! An admission is a fold over its moves and nothing else. Conditions may be met in any order, because the law sets none;
//! opening asks for all of them at once. Nothing moves by itself but a lapse, which is a move as well.
//!
//! | module | job |
//! |---|---|
//! | `law` | causes, checklist, deadlines and who owes what, as data |
//! | `obstacle` | everything that is in the way of a move |
//! | `readiness` | every database that is obliged, and what is missing |

pub(crate) mod law;
pub(crate) mod obstacle;
pub(crate) mod readiness;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use time::Date;

use super::basis::day;
use super::officers::Role;

/// How far an admission is. The order is the one in which a state before `Active` counts conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Applied,
    Checked,
    Agreed,
    Conformant,
    Assessed,
    Active,
    Suspended,
    Expired,
    Ended,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [Self; 9] = [
        Self::Applied,
        Self::Checked,
        Self::Agreed,
        Self::Conformant,
        Self::Assessed,
        Self::Active,
        Self::Suspended,
        Self::Expired,
        Self::Ended,
    ];

    /// Its name where it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "APPLIED",
            Self::Checked => "CHECKED",
            Self::Agreed => "AGREED",
            Self::Conformant => "CONFORMANT",
            Self::Assessed => "ASSESSED",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Expired => "EXPIRED",
            Self::Ended => "ENDED",
        }
    }

    /// The state of the connection that decisions see; what may not be used yet is like what is stopped.
    pub(crate) fn effective(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Ended => "REVOKED",
            Self::Applied
            | Self::Checked
            | Self::Agreed
            | Self::Conformant
            | Self::Assessed
            | Self::Suspended
            | Self::Expired => "SUSPENDED",
        }
    }

    /// The rule by which the connection of an admission that stands so, by its stored name, is refused.
    pub(crate) fn rule(name: &str) -> &'static str {
        match name {
            "APPLIED" | "CHECKED" | "AGREED" | "CONFORMANT" | "ASSESSED" => {
                "connection-not-admitted"
            }
            "SUSPENDED" => "connection-suspended",
            "EXPIRED" => "connection-expired",
            _ => "connection-revoked",
        }
    }
}

/// A document, as offices name it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Document {
    pub(crate) number: String,
    pub(crate) issuer: String,
    #[serde(with = "day")]
    pub(crate) day: Date,
}

/// What the legal form holds (Decree 47/2020/ND-CP, Art. 35(2)), as far as anything depends on it; the whole form is in the
/// request, which is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Application {
    pub(crate) agency: String,
    pub(crate) agency_vi: String,
    pub(crate) agency_en: String,
    pub(crate) system: String,
    pub(crate) system_name: String,
    pub(crate) database: String,
    pub(crate) purpose: String,
    pub(crate) use_plan: String,
    /// Item and count.
    pub(crate) items: Vec<(String, u64)>,
    pub(crate) service: String,
    pub(crate) service_name: String,
    pub(crate) frequency: String,
    pub(crate) other: String,
    pub(crate) legal_basis: String,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Part {
    /// Of the checklist; empty for infrastructure and standards.
    pub(crate) id: String,
    pub(crate) passed: bool,
    pub(crate) finding: String,
}

/// What came of checking the conditions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Check {
    pub(crate) infrastructure: Part,
    pub(crate) standards: Part,
    pub(crate) security_level: u32,
    pub(crate) parts: Vec<Part>,
}

/// A report of the conformance kit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Conformance {
    /// SHA-256 of the report, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) target: String,
    pub(crate) kit_version: String,
    pub(crate) roles: Vec<String>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(crate) enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// How a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Standing {
    Open,
    Fixed,
    Accepted,
}

/// Something that an assessment found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Finding {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) severity: Severity,
    pub(crate) standing: Standing,
}

impl Finding {
    /// Whether it keeps a connection closed.
    pub(crate) fn bars(&self) -> bool {
        self.standing == Standing::Open && self.severity >= Severity::High
    }
}

/// An assessment of security.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Assessment {
    pub(crate) assessor: String,
    #[serde(with = "day")]
    pub(crate) day: Date,
    pub(crate) findings: Vec<Finding>,
    /// The first day on which it no longer counts.
    #[serde(with = "day")]
    pub(crate) next: Date,
}

/// What a move does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Step {
    Apply(Application),
    Check(Check),
    Agree { agreement: String },
    Conform(Conformance),
    Assess(Assessment),
    Activate,
    Suspend { cause: String, remedy: String },
    Resume,
    ProposeEnd { cause: String },
    End { cause: String },
    Expire,
}

impl Step {
    /// The roles that may make it.
    pub(crate) fn roles(&self) -> &'static [Role] {
        match self {
            Self::Apply(_)
            | Self::Agree { .. }
            | Self::Conform(_)
            | Self::Activate
            | Self::Resume
            | Self::ProposeEnd { .. }
            | Self::End { .. } => &[Role::Registrar],
            Self::Check(_) | Self::Suspend { .. } => &[Role::Registrar, Role::SecurityAssessor],
            Self::Assess(_) => &[Role::SecurityAssessor],
            // The service's own: no officer makes it.
            Self::Expire => &[],
        }
    }

    /// Its name in the table of deadlines.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Apply(_) => "apply".to_owned(),
            Self::Check(_) => "check".to_owned(),
            Self::Agree { .. } => "agree".to_owned(),
            Self::Conform(_) => "conform".to_owned(),
            Self::Assess(_) => "assess".to_owned(),
            Self::Activate => "activate".to_owned(),
            Self::Suspend { cause, .. } => format!("suspend:{cause}"),
            Self::Resume => "resume".to_owned(),
            Self::ProposeEnd { .. } => "propose-end".to_owned(),
            Self::End { .. } => "end".to_owned(),
            Self::Expire => "expire".to_owned(),
        }
    }
}

/// A move that was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Move {
    /// SPIFFE id of the officer, or of the service itself.
    pub(crate) by: String,
    /// The role in which it was made; none for the service itself.
    pub(crate) role: Option<Role>,
    /// Microseconds since 1970.
    pub(crate) at_us: i64,
    /// None for the service itself.
    pub(crate) document: Option<Document>,
    pub(crate) reason: String,
    pub(crate) step: Step,
}

/// Where it is apart from its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Stage {
    /// It was not opened yet.
    Admitting,
    Active,
    Suspended {
        cause: String,
    },
    Expired,
    Ended {
        cause: String,
    },
}

/// A proposal that it ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Proposal {
    pub(crate) by: String,
    pub(crate) cause: String,
}

/// An admission: what its moves made of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Admission {
    /// How many moves were made.
    pub(crate) version: u64,
    pub(crate) application: Application,
    /// Who recorded the application.
    pub(crate) applied_by: String,
    pub(crate) checked: Option<Check>,
    /// The agreement.
    pub(crate) agreed: Option<String>,
    pub(crate) conformant: Option<Conformance>,
    pub(crate) assessed: Option<Assessment>,
    /// Who recorded the last assessment.
    pub(crate) assessed_by: String,
    pub(crate) stage: Stage,
    pub(crate) proposed_end: Option<Proposal>,
    /// When the last move was made, microseconds since 1970.
    pub(crate) moved_at_us: i64,
    /// The last move's name in the table of deadlines.
    pub(crate) moved: String,
}

impl Admission {
    /// What a move makes of an admission. Whether it may be made is asked before (`obstacle`); a first move that is no application
    /// makes nothing.
    pub(crate) fn after(before: Option<Self>, made: &Move) -> Option<Self> {
        let version = before.as_ref().map_or(0, |before| before.version) + 1;
        let mut now = match (&made.step, before) {
            (Step::Apply(application), _) => Self {
                version,
                application: application.clone(),
                applied_by: made.by.clone(),
                checked: None,
                agreed: None,
                conformant: None,
                assessed: None,
                assessed_by: String::new(),
                stage: Stage::Admitting,
                proposed_end: None,
                moved_at_us: made.at_us,
                moved: String::new(),
            },
            (_, Some(before)) => Self { version, ..before },
            (_, None) => return None,
        };
        match made.step.clone() {
            Step::Apply(_) => {}
            Step::Check(check) => now.checked = Some(check),
            Step::Agree { agreement } => now.agreed = Some(agreement),
            Step::Conform(report) => now.conformant = Some(report),
            Step::Assess(assessment) => {
                now.assessed = Some(assessment);
                now.assessed_by.clone_from(&made.by);
            }
            // Whoever opens it says that it goes on.
            Step::Activate | Step::Resume => (now.stage, now.proposed_end) = (Stage::Active, None),
            Step::Suspend { cause, .. } => now.stage = Stage::Suspended { cause },
            Step::ProposeEnd { cause } => {
                now.proposed_end = Some(Proposal { by: made.by.clone(), cause });
            }
            Step::End { cause } => (now.stage, now.proposed_end) = (Stage::Ended { cause }, None),
            Step::Expire => now.stage = Stage::Expired,
        }
        now.moved_at_us = made.at_us;
        now.moved = made.step.name();
        Some(now)
    }

    /// What moves made of it, from the first on; nothing where the first is no application.
    pub(crate) fn of<'a>(moves: impl IntoIterator<Item = &'a Move>) -> Option<Self> {
        moves.into_iter().fold(None, Self::after)
    }

    /// Whether a second officer is needed for a step, and this is the first.
    pub(crate) fn needs_another(&self, by: &str, step: &Step) -> bool {
        match step {
            Step::Activate | Step::Resume => by == self.applied_by || by == self.assessed_by,
            Step::End { .. } => self.proposed_end.as_ref().is_some_and(|first| first.by == by),
            Step::Apply(_)
            | Step::Check(_)
            | Step::Agree { .. }
            | Step::Conform(_)
            | Step::Assess(_)
            | Step::Suspend { .. }
            | Step::ProposeEnd { .. }
            | Step::Expire => false,
        }
    }

    /// The cause of a suspension or an end; empty in other states.
    pub(crate) fn cause(&self) -> &str {
        match &self.stage {
            Stage::Suspended { cause } | Stage::Ended { cause } => cause,
            Stage::Admitting | Stage::Active | Stage::Expired => "",
        }
    }
}
