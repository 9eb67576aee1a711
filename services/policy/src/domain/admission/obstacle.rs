//! Everything that is in the way of a move, all at once.

use time::{Date, OffsetDateTime};

use super::super::basis::today;
use super::super::catalogue::Catalogue;
use super::law::{Condition, Law};
use super::{Admission, Assessment, Check, Stage, State, Step};

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    NotApplied,
    AlreadyApplied,
    HeldElsewhere,
    BasisNotInForce,
    NotChecked,
    Infrastructure,
    Standards,
    SecurityLevel,
    Checklist,
    NotAgreed,
    AgreementNotInForce,
    NotConformant,
    NotAssessed,
    AssessmentLapsed,
    FindingOpen,
    AlreadyActive,
    NotActive,
    AlreadyOpened,
    NotSuspended,
    SuspendFirst,
    Ended,
    EndNotProposed,
    Cause,
    OtherSystem,
    Suspended,
    NotOpened,
}

impl Obstacle {
    /// The condition that it is of; none where it is about the move and not about the admission.
    pub(crate) fn condition(self) -> Option<Condition> {
        match self {
            Self::NotApplied => Some(Condition::Applied),
            Self::NotChecked
            | Self::Infrastructure
            | Self::Standards
            | Self::SecurityLevel
            | Self::Checklist => Some(Condition::Checked),
            Self::NotAgreed | Self::AgreementNotInForce => Some(Condition::Agreed),
            Self::NotConformant => Some(Condition::Conformant),
            Self::NotAssessed | Self::AssessmentLapsed => Some(Condition::Assessed),
            Self::FindingOpen => Some(Condition::Findings),
            Self::NotOpened | Self::Suspended => Some(Condition::Opened),
            Self::AlreadyApplied
            | Self::HeldElsewhere
            | Self::BasisNotInForce
            | Self::AlreadyActive
            | Self::NotActive
            | Self::AlreadyOpened
            | Self::NotSuspended
            | Self::SuspendFirst
            | Self::Ended
            | Self::EndNotProposed
            | Self::Cause
            | Self::OtherSystem => None,
        }
    }
}

/// What is in the way, and which of several it is: a part, a finding, an agreement, a cause.
pub(crate) type Found = (Obstacle, String);

/// What is known beside the admission.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) law: &'a Law,
    pub(crate) catalogue: &'a Catalogue,
    /// Agreements of the connection that are in force on the day.
    pub(crate) agreements: &'a [String],
    /// The id, or the agency's system, is held by the registry file or by another admission.
    pub(crate) held: bool,
    /// The day in Viet Nam.
    pub(crate) day: Date,
}

fn one(obstacle: Obstacle) -> Found {
    (obstacle, String::new())
}

/// What is in the way of a step; nothing where it may be made. `own` is the service itself.
pub(crate) fn of(
    admission: Option<&Admission>,
    step: &Step,
    own: bool,
    facts: Facts,
) -> Vec<Found> {
    let Some(admission) = admission else { return first(step, facts) };
    if let Step::Apply(application) = step {
        return again(admission, application, facts);
    }
    if matches!(admission.stage, Stage::Ended { .. }) {
        return vec![one(Obstacle::Ended)];
    }
    let open = admission.stage == Stage::Active;
    match step {
        Step::Apply(_) => Vec::new(),
        Step::Check(check) if open => closed_first(checked(check, facts)),
        Step::Assess(assessment) if open => closed_first(assessed(assessment, facts)),
        Step::Check(_) | Step::Assess(_) | Step::Conform(_) => Vec::new(),
        Step::Agree { agreement } => agreed(agreement, facts).into_iter().collect(),
        Step::Activate => {
            let mut found = conditions(admission, facts);
            match &admission.stage {
                Stage::Admitting => {}
                Stage::Active => found.push(one(Obstacle::AlreadyActive)),
                Stage::Suspended { .. } | Stage::Expired => {
                    // What was stopped before it was ever opened is opened by resuming as well.
                    found.push(one(Obstacle::AlreadyOpened));
                }
                Stage::Ended { .. } => found.push(one(Obstacle::Ended)),
            }
            found
        }
        Step::Resume => {
            let mut found = conditions(admission, facts);
            if !matches!(admission.stage, Stage::Suspended { .. } | Stage::Expired) {
                found.push(one(Obstacle::NotSuspended));
            }
            found
        }
        Step::Suspend { cause, .. } => {
            let mut found = Vec::new();
            if !open {
                found.push(one(Obstacle::NotActive));
            }
            if facts.law.suspension(cause).is_none_or(|cause| cause.service != own) {
                found.push((Obstacle::Cause, cause.clone()));
            }
            found
        }
        Step::ProposeEnd { cause } => ended(admission, cause, facts),
        Step::End { cause } => {
            let mut found = ended(admission, cause, facts);
            if admission.proposed_end.as_ref().is_none_or(|first| first.cause != *cause) {
                found.push((Obstacle::EndNotProposed, cause.clone()));
            }
            found
        }
        Step::Expire if open && own => Vec::new(),
        Step::Expire => vec![one(Obstacle::NotActive)],
    }
}

/// Before there is an admission.
fn first(step: &Step, facts: Facts) -> Vec<Found> {
    let Step::Apply(application) = step else { return vec![one(Obstacle::NotApplied)] };
    let mut found = Vec::new();
    if facts.held {
        found.push(one(Obstacle::HeldElsewhere));
    }
    found.extend(basis(&application.legal_basis, facts));
    found
}

/// An application where there was one: after its end, for the same system and database.
fn again(admission: &Admission, application: &super::Application, facts: Facts) -> Vec<Found> {
    let mut found: Vec<_> = basis(&application.legal_basis, facts).into_iter().collect();
    if !matches!(admission.stage, Stage::Ended { .. }) {
        found.push(one(Obstacle::AlreadyApplied));
    }
    let before = &admission.application;
    let same = |of: fn(&super::Application) -> &String| of(before) == of(application);
    if !(same(|a| &a.agency) && same(|a| &a.system) && same(|a| &a.database)) {
        found.push(one(Obstacle::OtherSystem));
    }
    found
}

/// What does not hold is recorded of a connection that is closed.
fn closed_first(mut found: Vec<Found>) -> Vec<Found> {
    if !found.is_empty() {
        found.push(one(Obstacle::SuspendFirst));
    }
    found
}

fn ended(admission: &Admission, cause: &str, facts: Facts) -> Vec<Found> {
    let unopened = admission.stage == Stage::Admitting;
    let fits = facts.law.end(cause).is_some_and(|cause| !cause.unopened || unopened);
    if fits { Vec::new() } else { vec![(Obstacle::Cause, cause.to_owned())] }
}

/// Every condition of opening that does not hold.
pub(crate) fn conditions(admission: &Admission, facts: Facts) -> Vec<Found> {
    let mut found: Vec<_> = basis(&admission.application.legal_basis, facts).into_iter().collect();
    match &admission.checked {
        None => found.push(one(Obstacle::NotChecked)),
        Some(check) => found.extend(checked(check, facts)),
    }
    match &admission.agreed {
        None => found.push(one(Obstacle::NotAgreed)),
        // Once both sides agreed, another agreement of theirs carries it on: what it grants, decisions say.
        Some(agreement) if facts.agreements.is_empty() => {
            found.push((Obstacle::AgreementNotInForce, agreement.clone()));
        }
        Some(_) => {}
    }
    if admission.conformant.is_none() {
        found.push(one(Obstacle::NotConformant));
    }
    match &admission.assessed {
        None => found.push(one(Obstacle::NotAssessed)),
        Some(assessment) => found.extend(assessed(assessment, facts)),
    }
    found
}

/// What keeps it from being active: its conditions, or that nobody opened it.
pub(crate) fn standing(admission: &Admission, facts: Facts) -> Vec<Found> {
    let mut found = conditions(admission, facts);
    match &admission.stage {
        Stage::Active => {}
        Stage::Admitting => found.push(one(Obstacle::NotOpened)),
        Stage::Suspended { cause } => found.push((Obstacle::Suspended, cause.clone())),
        Stage::Expired => found.push(one(Obstacle::Suspended)),
        Stage::Ended { cause } => found.push((Obstacle::Ended, cause.clone())),
    }
    found
}

/// How far it is, at a moment.
pub(crate) fn state(admission: &Admission, facts: Facts) -> State {
    match admission.stage {
        Stage::Active => return State::Active,
        Stage::Suspended { .. } => return State::Suspended,
        Stage::Expired => return State::Expired,
        Stage::Ended { .. } => return State::Ended,
        Stage::Admitting => {}
    }
    let found = conditions(admission, facts);
    let misses = |condition| found.iter().any(|(what, _)| what.condition() == Some(condition));
    if misses(Condition::Checked) {
        State::Applied
    } else if misses(Condition::Agreed) {
        State::Checked
    } else if misses(Condition::Conformant) {
        State::Agreed
    } else if misses(Condition::Assessed) || misses(Condition::Findings) {
        State::Conformant
    } else {
        State::Assessed
    }
}

fn basis(named: &str, facts: Facts) -> Option<Found> {
    let holds = Law::in_force(facts.catalogue, named, facts.day);
    (!holds).then(|| (Obstacle::BasisNotInForce, named.to_owned()))
}

fn checked(check: &Check, facts: Facts) -> Vec<Found> {
    let mut found = Vec::new();
    if !check.infrastructure.passed {
        found.push(one(Obstacle::Infrastructure));
    }
    if !check.standards.passed {
        found.push(one(Obstacle::Standards));
    }
    if check.security_level < facts.law.security_level {
        found.push(one(Obstacle::SecurityLevel));
    }
    for part in &facts.law.parts {
        let good = check.parts.iter().any(|checked| checked.id == part.id && checked.passed);
        if !good {
            found.push((Obstacle::Checklist, part.id.clone()));
        }
    }
    found
}

fn agreed(agreement: &String, facts: Facts) -> Option<Found> {
    let holds = facts.agreements.contains(agreement);
    (!holds).then(|| (Obstacle::AgreementNotInForce, agreement.clone()))
}

fn assessed(assessment: &Assessment, facts: Facts) -> Vec<Found> {
    let mut found = Vec::new();
    if facts.day >= assessment.next {
        found.push(one(Obstacle::AssessmentLapsed));
    }
    let open = assessment.findings.iter().filter(|finding| finding.bars());
    found.extend(open.map(|finding| (Obstacle::FindingOpen, finding.id.clone())));
    found
}

/// What ends an open connection by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// Its security assessment no longer counts.
    Assessment,
    /// No agreement of it is in force any more.
    Agreement,
}

/// What has lapsed of an open connection.
pub(crate) fn lapse(admission: &Admission, facts: Facts) -> Option<Lapse> {
    if admission.stage != Stage::Active {
        return None;
    }
    if admission.assessed.as_ref().is_none_or(|last| facts.day >= last.next) {
        return Some(Lapse::Assessment);
    }
    facts.agreements.is_empty().then_some(Lapse::Agreement)
}

/// The day in Viet Nam at a moment in microseconds since 1970.
pub(crate) fn day_of(at_us: i64) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000).ok().map(today)
}
