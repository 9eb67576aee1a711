//! What officers write in files: the legal form, a check, an assessment; and the report of the conformance kit.

use std::path::Path;

use anyhow::{Context as _, Result};
use contract::policy::v1::{
    CheckedPart, ConditionCheck, ConformanceReport, ConnectionApplication, FindingSeverity,
    FindingState, RequestedItem, SecurityAssessment, SecurityFinding,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::super::{input, output::Ending};

/// What the kit says of a database of which every MUST was tried, and held.
const CONFORMS: &str = "passed";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Application {
    agency: String,
    agency_vi: String,
    agency_en: String,
    system: String,
    system_name: String,
    database: String,
    purpose: String,
    use_plan: String,
    /// Item and count.
    items: std::collections::BTreeMap<String, u64>,
    service: String,
    service_name: String,
    frequency: String,
    #[serde(default)]
    other: String,
    legal_basis: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    passed: bool,
    #[serde(default)]
    finding: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    infrastructure: Part,
    standards: Part,
    security_level: u32,
    parts: std::collections::BTreeMap<String, Part>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    id: String,
    title: String,
    severity: String,
    state: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assessment {
    assessor: String,
    day: String,
    next_day: String,
    #[serde(default, rename = "finding")]
    findings: Vec<Finding>,
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = input::text(file)?;
    let wrong = |error: toml::de::Error| {
        Ending::Usage(format!("`{}`: {}", file.display(), error.message()))
    };
    Ok(toml::from_str(&text).map_err(wrong)?)
}

pub(super) fn application(file: &Path) -> Result<ConnectionApplication> {
    let form: Application = read(file)?;
    let items = form.items.into_iter().map(|(item, count)| RequestedItem { item, count });
    Ok(ConnectionApplication {
        agency: form.agency,
        agency_vi: form.agency_vi,
        agency_en: form.agency_en,
        system: form.system,
        system_name: form.system_name,
        database: form.database,
        purpose: form.purpose,
        use_plan: form.use_plan,
        items: items.collect(),
        service: form.service,
        service_name: form.service_name,
        frequency: form.frequency,
        other: form.other,
        legal_basis: form.legal_basis,
    })
}

pub(super) fn check(file: &Path) -> Result<ConditionCheck> {
    let form: Check = read(file)?;
    let part = |part: String, Part { passed, finding }| CheckedPart { part, passed, finding };
    Ok(ConditionCheck {
        infrastructure: Some(part(String::new(), form.infrastructure)),
        standards: Some(part(String::new(), form.standards)),
        security_level: form.security_level,
        parts: form.parts.into_iter().map(|(id, found)| part(id, found)).collect(),
    })
}

pub(super) fn assessment(file: &Path) -> Result<SecurityAssessment> {
    let form: Assessment = read(file)?;
    let finding = |Finding { id, title, severity, state }: Finding| {
        let named = |prefix: &str, name: &str| format!("{prefix}_{}", name.to_uppercase());
        let wrong = |name: &str| Ending::Usage(format!("`{name}` is no severity and no state"));
        let grave = FindingSeverity::from_str_name(&named("FINDING_SEVERITY", &severity));
        let stands = FindingState::from_str_name(&named("FINDING_STATE", &state));
        let (grave, stands) =
            (grave.ok_or_else(|| wrong(&severity))?, stands.ok_or_else(|| wrong(&state))?);
        Ok(SecurityFinding { id, title, severity: grave.into(), state: stands.into() })
    };
    Ok(SecurityAssessment {
        assessor: form.assessor,
        day: form.day,
        findings: form.findings.into_iter().map(finding).collect::<Result<_>>()?,
        next_day: form.next_day,
    })
}

/// As the kit writes it, as far as it is recorded.
#[derive(Deserialize)]
struct Report {
    verdict: String,
    roles: Vec<String>,
    kit: Kit,
    target: Target,
}

#[derive(Deserialize)]
struct Kit {
    version: String,
}

#[derive(Deserialize)]
struct Target {
    address: String,
}

pub(super) fn conformance(file: &Path) -> Result<ConformanceReport> {
    let bytes = input::bytes(file)?;
    let shown = file.display();
    let report: Report = serde_json::from_slice(&bytes)
        .map_err(|error| anyhow::anyhow!(input::without_values(&error)))
        .with_context(|| format!("`{shown}` is no report of the conformance kit"))?;
    let Report { verdict, roles, kit, target } = report;
    if verdict != CONFORMS {
        return Err(Ending::Usage(format!("`{shown}` says `{verdict}`, not `{CONFORMS}`")).into());
    }
    Ok(ConformanceReport {
        digest: tlog::digest(&bytes).to_vec(),
        target: target.address,
        kit_version: kit.version,
        roles,
    })
}
