//! The result of a run, for programs (`report.json`) and for persons.

mod text;

use std::time::Duration;

use contract::database::v1::{DatabaseRole, Rule};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use text::{case_line, page};

use crate::{
    Finding, Missing, Role, Words, contract_digest, descriptors::Described, found::masked,
    kit::Kit, rules, wire::tls::Facts,
};

/// Version of the form of a report.
pub const SCHEMA: &str = "lienthong.conformance.report/1";

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The rule held, wherever it was tried.
    Passed,
    /// A MUST did not hold: an error.
    Failed,
    /// A SHOULD did not hold.
    Warning,
    /// It could not be tried.
    NotTried,
}

/// What a run says of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every MUST of the roles was tried, and held.
    Passed,
    /// Nothing failed, but not everything was tried.
    Incomplete,
    /// A MUST did not hold.
    Failed,
}

/// One case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// Number of the rule.
    pub rule: &'static str,
    /// Whether it is a MUST; a SHOULD otherwise.
    pub must: bool,
    /// The service, or service and method, that it is a rule of.
    pub of: &'static str,
    /// The rule.
    pub text: Words,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub seconds: f64,
    /// What is not as the rule says.
    pub findings: Vec<Finding>,
    /// What is to be known besides.
    pub remarks: Vec<Words>,
    /// Why it could not be tried.
    pub not_tried: Option<Missing>,
}

impl CaseReport {
    /// A case that was not at its end when the run was stopped.
    pub(crate) fn stopped(rule: &'static Rule) -> Self {
        let missing = Missing {
            reason: Words::new("lần chạy bị ngắt", "the run was interrupted"),
            give: Words::new("chạy lại", "run it again"),
        };
        Self {
            rule: rule.id,
            must: rule.must,
            of: rule.of,
            text: Words::new(rules::vi(rule.id), rule.text),
            status: Status::NotTried,
            seconds: 0.0,
            findings: Vec::new(),
            remarks: Vec::new(),
            not_tried: Some(missing),
        }
    }
}

/// What the kit is.
#[derive(Debug, Clone, Serialize)]
pub struct KitFacts {
    /// Its version.
    pub version: &'static str,
    /// SHA-256 of the contract that it tries.
    pub contract_sha256: String,
}

/// What was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct TargetFacts {
    /// Its address.
    pub address: String,
    /// Name that its certificate carries.
    pub server_name: String,
    /// What it says of itself.
    pub description: Description,
    /// SHA-256 of the contract that its reflection describes.
    pub contract_sha256: Option<String>,
    /// Why there is none, or that it differs from the kit's.
    pub contract_remark: Option<Words>,
}

/// What the database says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Its id.
    pub database_id: String,
    /// Its owner.
    pub owner_unit: String,
    /// Its name.
    pub name: String,
    /// Name and version of its software.
    pub software: String,
    /// What its records are.
    pub environment: String,
    /// The packages that it implements.
    pub contract_versions: Vec<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// The items that it holds.
    pub items: Vec<String>,
}

/// How many cases ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The rule held.
    pub passed: usize,
    /// A MUST did not hold.
    pub failed: usize,
    /// A SHOULD did not hold.
    pub warnings: usize,
    /// Not tried.
    pub not_tried: usize,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: &'static str,
    /// What it says of the database.
    pub verdict: Verdict,
    /// How many cases ended how.
    pub counts: Counts,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// When it began.
    pub began: String,
    /// When it ended.
    pub ended: String,
    /// How long it took.
    pub seconds: f64,
    /// The seed, in decimal figures: a number of JSON would lose some.
    pub seed: String,
    /// The roles that were looked at.
    pub roles: Vec<Role>,
    /// The only cases that were asked for; empty when all were.
    pub only: Vec<String>,
    /// What the kit is.
    pub kit: KitFacts,
    /// What was looked at.
    pub target: TargetFacts,
    /// What TLS agreed on.
    pub(crate) tls: Option<Facts>,
    /// Every case, in the order of the contract.
    pub cases: Vec<CaseReport>,
}

impl Report {
    pub(crate) fn new(
        kit: &Kit,
        roles: Vec<Role>,
        cases: Vec<CaseReport>,
        interrupted: bool,
        described: Option<Described>,
        tls: Option<Facts>,
        (began, ended): (OffsetDateTime, OffsetDateTime),
    ) -> Self {
        let moment = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let described = described.unwrap_or_default();
        Self {
            schema: SCHEMA,
            verdict: verdict(&cases, !kit.plan.only.is_empty()),
            counts: counts(&cases),
            interrupted,
            began: moment(began),
            ended: moment(ended),
            seconds: (ended - began).as_seconds_f64(),
            seed: kit.plan.seed.number().to_string(),
            roles,
            only: kit.plan.only.clone(),
            kit: KitFacts {
                version: env!("CARGO_PKG_VERSION"),
                contract_sha256: contract_digest(),
            },
            target: TargetFacts {
                address: kit.target.address.clone(),
                server_name: kit.target.host.clone(),
                description: Description::of(kit),
                contract_sha256: described.sha256,
                contract_remark: described.remark,
            },
            tls,
            cases,
        }
    }

    /// The exact bytes of `report.json`: what a signature is of.
    ///
    /// # Errors
    /// Never, as far as is known: everything in it has a form in JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// How long the run took.
    #[must_use]
    pub fn took(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }

    /// The numbers of the rules that did not hold.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = |case: &&CaseReport| matches!(case.status, Status::Failed | Status::Warning);
        self.cases.iter().filter(broken).map(|case| case.rule).collect()
    }
}

impl Description {
    fn of(kit: &Kit) -> Self {
        let said = &kit.description;
        let role = |number: &i32| match DatabaseRole::try_from(*number) {
            Ok(role) => role.as_str_name().to_owned(),
            Err(_) => number.to_string(),
        };
        Self {
            database_id: masked(&said.database_id),
            owner_unit: masked(&said.owner_unit),
            name: masked(&said.name),
            software: masked(&said.software),
            environment: said.environment().as_str_name().to_owned(),
            contract_versions: said.contract_versions.iter().map(|text| masked(text)).collect(),
            roles: said.roles.iter().map(role).collect(),
            items: said.items.iter().map(|held| masked(&held.item)).collect(),
        }
    }
}

/// What the cases say together. A run of some cases alone is never whole.
fn verdict(cases: &[CaseReport], some_only: bool) -> Verdict {
    let any = |status| cases.iter().any(|case| case.must && case.status == status);
    match (any(Status::Failed), any(Status::NotTried) || some_only) {
        (true, _) => Verdict::Failed,
        (false, true) => Verdict::Incomplete,
        (false, false) => Verdict::Passed,
    }
}

fn counts(cases: &[CaseReport]) -> Counts {
    let mut counts = Counts::default();
    for case in cases {
        match case.status {
            Status::Passed => counts.passed += 1,
            Status::Failed => counts.failed += 1,
            Status::Warning => counts.warnings += 1,
            Status::NotTried => counts.not_tried += 1,
        }
    }
    counts
}
