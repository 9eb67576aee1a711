//! A move in a request, checked for form; every faulty field is named at once.

use contract::policy::v1::{
    self as proto, FindingSeverity, FindingState, MoveConnectionRequest,
    move_connection_request::Move,
};
use time::Date;
use wire::{Fault, Faults};

use crate::{
    app::admission::Admissions,
    domain::{
        admission::{
            Application, Assessment, Check, Conformance, Document, Finding, Part, Severity,
            Standing, Step,
        },
        calendar::read_day,
        catalogue::Catalogue,
        request::is_segment,
    },
};

const NUMBER_MAX: usize = 100;
const NAME_MAX: usize = 300;
const REASON_MAX: usize = 500;
const FINDING_MAX: usize = 1000;
const PLAN_MAX: usize = 2000;
const VERSION_MAX: usize = 50;
const ITEMS_MAX: usize = 200;
const FINDINGS_MAX: usize = 100;
const LEVEL_MAX: u32 = 5;
const DIGEST: usize = 32;
/// What a database may be, in the contract of databases.
const ROLES: [&str; 4] = ["source", "lookup", "sink", "step"];

/// The step of a request and its document. Where there is a step, faults may have been named all the same.
pub(super) fn request(
    request: &MoveConnectionRequest,
    catalogue: &Catalogue,
    admissions: &Admissions,
    faults: &mut Faults,
) -> Option<(Step, Document)> {
    faults.key("request_id", &request.request_id);
    faults.key("connection", &request.connection);
    let mut form = Form { admissions, catalogue, faults };
    form.faults.words("reason", &request.reason, REASON_MAX);
    let document = form.document(request.document.as_ref());
    let Some(step) = &request.r#move else {
        form.faults.add("move", Fault::Missing);
        return None;
    };
    Some((form.step(step), document))
}

struct Form<'a, 'f> {
    admissions: &'a Admissions,
    catalogue: &'a Catalogue,
    faults: &'f mut Faults,
}

impl Form<'_, '_> {
    fn optional(&mut self, field: &str, text: &str, max: usize) {
        if !text.is_empty() {
            self.faults.words(field, text, max);
        }
    }

    /// A day; `past` where it cannot lie in the future.
    fn day(&mut self, field: &str, text: &str, past: bool) -> Date {
        let read = read_day(text);
        match read {
            None if text.is_empty() => self.faults.add(field, Fault::Missing),
            None => self.faults.add(field, Fault::Malformed),
            Some(day) if past && day > self.admissions.today() => {
                self.faults.add(field, Fault::InTheFuture);
            }
            Some(_) => {}
        }
        // Whatever stands in for it goes nowhere: the fault is named.
        read.unwrap_or(Date::MIN)
    }

    fn listed(&mut self, field: &str, code: &str, known: bool) {
        if code.is_empty() {
            self.faults.add(field, Fault::Missing);
        } else if !known {
            self.faults.add(field, Fault::UnknownCode);
        }
    }

    fn document(&mut self, document: Option<&proto::AdmissionDocument>) -> Document {
        if document.is_none() {
            self.faults.add("document", Fault::Missing);
            return Document { number: String::new(), issuer: String::new(), day: Date::MIN };
        }
        let proto::AdmissionDocument { number, issuer, day } =
            document.cloned().unwrap_or_default();
        self.faults.words("document.number", &number, NUMBER_MAX);
        self.faults.words("document.issuer", &issuer, NAME_MAX);
        let day = self.day("document.day", &day, true);
        Document { number, issuer, day }
    }

    fn step(&mut self, step: &Move) -> Step {
        let law = &self.admissions.law;
        match step {
            Move::Apply(form) => {
                self.whom(form);
                self.items(&form.items);
                Step::Apply(application(form))
            }
            Move::Check(check) => Step::Check(self.check(check)),
            Move::Agree(agreed) => {
                self.faults.words("agree.agreement", &agreed.agreement, NAME_MAX);
                Step::Agree { agreement: agreed.agreement.clone() }
            }
            Move::Conform(report) => Step::Conform(self.conformance(report)),
            Move::Assess(assessment) => Step::Assess(self.assessment(assessment)),
            Move::Activate(_) => Step::Activate,
            Move::Suspend(proto::Suspension { cause, remedy }) => {
                self.listed("suspend.cause", cause, law.suspension(cause).is_some());
                self.faults.words("suspend.remedy", remedy, FINDING_MAX);
                Step::Suspend { cause: cause.clone(), remedy: remedy.clone() }
            }
            Move::Resume(_) => Step::Resume,
            Move::ProposeEnd(proto::ConnectionEnd { cause }) => {
                self.listed("propose_end.cause", cause, law.end(cause).is_some());
                Step::ProposeEnd { cause: cause.clone() }
            }
            Move::End(proto::ConnectionEnd { cause }) => {
                self.listed("end.cause", cause, law.end(cause).is_some());
                Step::End { cause: cause.clone() }
            }
            Move::Expire(_) => Step::Expire,
        }
    }

    /// Everything in an application but its items.
    fn whom(&mut self, form: &proto::ConnectionApplication) {
        for (field, segment) in [("apply.agency", &form.agency), ("apply.system", &form.system)] {
            if self.faults.text(field, segment, NUMBER_MAX) && !is_segment(segment) {
                self.faults.add(field, Fault::Malformed);
            }
        }
        self.faults.key("apply.database", &form.database);
        for (field, text, max) in [
            ("apply.agency_vi", &form.agency_vi, NAME_MAX),
            ("apply.agency_en", &form.agency_en, NAME_MAX),
            ("apply.system_name", &form.system_name, NAME_MAX),
            ("apply.purpose", &form.purpose, PLAN_MAX),
            ("apply.use_plan", &form.use_plan, PLAN_MAX),
            ("apply.service", &form.service, NUMBER_MAX),
            ("apply.service_name", &form.service_name, NAME_MAX),
            ("apply.frequency", &form.frequency, NAME_MAX),
        ] {
            self.faults.words(field, text, max);
        }
        self.optional("apply.other", &form.other, PLAN_MAX);
        let law = self.catalogue.legal_basis();
        self.listed("apply.legal_basis", &form.legal_basis, law.get(&form.legal_basis).is_some());
    }

    /// By name and count.
    fn items(&mut self, items: &[proto::RequestedItem]) {
        if items.is_empty() {
            self.faults.add("apply.items", Fault::Missing);
        } else if items.len() > ITEMS_MAX {
            self.faults.add("apply.items", Fault::TooMany(ITEMS_MAX));
        }
        let catalogue = self.catalogue;
        for (place, proto::RequestedItem { item, count }) in items.iter().enumerate() {
            let path = format!("apply.items[{place}]");
            self.listed(&format!("{path}.item"), item, catalogue.item(item).is_some());
            if items.iter().take(place).any(|before| before.item == *item) {
                self.faults.add(format!("{path}.item"), Fault::Repeated);
            }
            if *count == 0 {
                self.faults.add(format!("{path}.count"), Fault::Missing);
            }
        }
    }

    fn check(&mut self, check: &proto::ConditionCheck) -> Check {
        let infrastructure = self.whole("check.infrastructure", check.infrastructure.as_ref());
        let standards = self.whole("check.standards", check.standards.as_ref());
        match check.security_level {
            0 => self.faults.add("check.security_level", Fault::Missing),
            1..=LEVEL_MAX => {}
            _ => self.faults.add("check.security_level", Fault::NotAllowed),
        }
        let listed = &self.admissions.law.parts;
        let mut parts = Vec::with_capacity(check.parts.len());
        for (place, part) in check.parts.iter().enumerate() {
            let path = format!("check.parts[{place}]");
            let known = listed.iter().any(|listed| listed.id == part.part);
            self.listed(&format!("{path}.part"), &part.part, known);
            if check.parts.iter().take(place).any(|before| before.part == part.part) {
                self.faults.add(format!("{path}.part"), Fault::Repeated);
            }
            parts.push(self.part(&path, part));
        }
        // A list with a hole is no checklist.
        if !listed.iter().all(|listed| parts.iter().any(|part| part.id == listed.id)) {
            self.faults.add("check.parts", Fault::Missing);
        }
        Check { infrastructure, standards, security_level: check.security_level, parts }
    }

    /// What the field itself names.
    fn whole(&mut self, field: &str, part: Option<&proto::CheckedPart>) -> Part {
        let Some(part) = part else {
            self.faults.add(field, Fault::Missing);
            return Part { id: String::new(), passed: false, finding: String::new() };
        };
        if !part.part.is_empty() {
            self.faults.add(format!("{field}.part"), Fault::NotAllowed);
        }
        self.part(field, part)
    }

    fn part(&mut self, field: &str, part: &proto::CheckedPart) -> Part {
        let proto::CheckedPart { part: id, passed, finding } = part.clone();
        let path = format!("{field}.finding");
        if passed {
            self.optional(&path, &finding, FINDING_MAX);
        } else {
            self.faults.words(&path, &finding, FINDING_MAX);
        }
        Part { id, passed, finding }
    }

    fn conformance(&mut self, report: &proto::ConformanceReport) -> Conformance {
        match report.digest.len() {
            0 => self.faults.add("conform.digest", Fault::Missing),
            DIGEST => {}
            _ => self.faults.add("conform.digest", Fault::Malformed),
        }
        self.faults.words("conform.target", &report.target, NAME_MAX);
        self.faults.words("conform.kit_version", &report.kit_version, VERSION_MAX);
        if report.roles.is_empty() {
            self.faults.add("conform.roles", Fault::Missing);
        }
        for (place, role) in report.roles.iter().enumerate() {
            let path = format!("conform.roles[{place}]");
            self.listed(&path, role, ROLES.contains(&role.as_str()));
            if report.roles.iter().take(place).any(|before| before == role) {
                self.faults.add(path, Fault::Repeated);
            }
        }
        let proto::ConformanceReport { digest, target, kit_version, roles } = report.clone();
        Conformance { digest: hex::encode(digest), target, kit_version, roles }
    }

    fn assessment(&mut self, assessment: &proto::SecurityAssessment) -> Assessment {
        self.faults.words("assess.assessor", &assessment.assessor, NAME_MAX);
        let day = self.day("assess.day", &assessment.day, true);
        let next = self.day("assess.next_day", &assessment.next_day, false);
        if next != Date::MIN && next <= day {
            self.faults.add("assess.next_day", Fault::TooEarly);
        }
        if assessment.findings.len() > FINDINGS_MAX {
            self.faults.add("assess.findings", Fault::TooMany(FINDINGS_MAX));
        }
        let mut findings = Vec::with_capacity(assessment.findings.len());
        for (place, finding) in assessment.findings.iter().enumerate() {
            let path = format!("assess.findings[{place}]");
            if assessment.findings.iter().take(place).any(|before| before.id == finding.id) {
                self.faults.add(format!("{path}.id"), Fault::Repeated);
            }
            findings.push(self.finding(&path, finding));
        }
        Assessment { assessor: assessment.assessor.clone(), day, findings, next }
    }

    fn finding(&mut self, path: &str, finding: &proto::SecurityFinding) -> Finding {
        self.faults.key(&format!("{path}.id"), &finding.id);
        self.faults.words(&format!("{path}.title"), &finding.title, REASON_MAX);
        let severity = match FindingSeverity::try_from(finding.severity) {
            Ok(FindingSeverity::Low) => Some(Severity::Low),
            Ok(FindingSeverity::Medium) => Some(Severity::Medium),
            Ok(FindingSeverity::High) => Some(Severity::High),
            Ok(FindingSeverity::Critical) => Some(Severity::Critical),
            Ok(FindingSeverity::Unspecified) | Err(_) => None,
        };
        if severity.is_none() {
            self.faults.add(format!("{path}.severity"), Fault::Missing);
        }
        let standing = match FindingState::try_from(finding.state) {
            Ok(FindingState::Open) => Some(Standing::Open),
            Ok(FindingState::Fixed) => Some(Standing::Fixed),
            Ok(FindingState::Accepted) => Some(Standing::Accepted),
            Ok(FindingState::Unspecified) | Err(_) => None,
        };
        if standing.is_none() {
            self.faults.add(format!("{path}.state"), Fault::Missing);
        }
        Finding {
            id: finding.id.clone(),
            title: finding.title.clone(),
            // What is not known counts as the worst; the fault is named besides.
            severity: severity.unwrap_or(Severity::Critical),
            standing: standing.unwrap_or(Standing::Open),
        }
    }
}

fn application(form: &proto::ConnectionApplication) -> Application {
    let proto::ConnectionApplication {
        agency,
        agency_vi,
        agency_en,
        system,
        system_name,
        database,
        purpose,
        use_plan,
        items,
        service,
        service_name,
        frequency,
        other,
        legal_basis,
    } = form.clone();
    Application {
        agency,
        agency_vi,
        agency_en,
        system,
        system_name,
        database,
        purpose,
        use_plan,
        items: items.into_iter().map(|wanted| (wanted.item, wanted.count)).collect(),
        service,
        service_name,
        frequency,
        other,
        legal_basis,
    }
}
