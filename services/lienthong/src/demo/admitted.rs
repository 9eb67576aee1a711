//! A step of the tour: officers admit a database, it is answered, and they suspend and end it.

use std::io::Write;

use anyhow::{Context as _, Result, bail};
use contract::{
    identity::v1::GetPersonRequest,
    policy::v1::{
        Activation, AdmissionDocument, AdmissionState, AgreementReference, CheckedPart,
        ConditionCheck, ConformanceReport, ConnectionApplication, ConnectionEnd, FindingSeverity,
        FindingState, GetAdmissionRequest, MoveConnectionRequest, RequestedItem,
        SecurityAssessment, SecurityFinding, Suspension, move_connection_request::Move,
    },
};
use policy::domain::{
    registry::{Agreement, Grant, Registry},
    rules::Act,
};
use time::{Date, Duration};
use tokio::time::Instant;

use super::{Demo, NEWCOMER, NEWCOMER_AGENCY, NEWCOMER_SYSTEM, Subject, tour};
use crate::client::Refused;

/// The connection of the step, and its agreement.
const ID: &str = "demo-national-portal";
const AGREEMENT: &str = "demo-2026-national-portal";
const PROCEDURE: &str = "child-health-insurance-card";
const BASIS: &str = "1911-2021-art-2-1";
/// Whoever is suspended is refused everywhere within this time; until then a decision that was kept may still be used.
const SOON: std::time::Duration = std::time::Duration::from_secs(1);
/// Between two times that it asks.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

impl Demo {
    pub(super) async fn admitted(&self, out: &mut impl Write, child: &Subject) -> Result<()> {
        writeln!(out, "\n6. Officers admit a new database; it is answered, suspended, and ended.")?;
        let today = self.runtime.clock.today();
        self.moved(out, "operator", "apply", Move::Apply(application())).await?;
        // What both sides agreed on stands in the operator's registry.
        self.process.policy().apply_registry(&self.agreed(today)?).await?;
        self.moved(out, "operator", "check", Move::Check(check())).await?;
        let agreement = AgreementReference { agreement: AGREEMENT.to_owned() };
        self.moved(out, "operator", "agree", Move::Agree(agreement)).await?;
        self.moved(out, "operator", "conform", Move::Conform(conformance())).await?;
        self.moved(out, "assessor", "assess", Move::Assess(assessment(today))).await?;
        let open = || Move::Activate(Activation {});
        let request = self.asked(open()).await?;
        match self.client("operator")?.move_connection(&request).await? {
            Ok(_) => bail!("whoever recorded the application opened the connection"),
            Err(refused) => writeln!(out, "   activate             {}", refused.reason)?,
        }
        self.moved(out, "second-registrar", "activate", open()).await?;
        let basis = tour::basis(PROCEDURE, BASIS, NEWCOMER_AGENCY);
        let lookup = tour::lookup(child, &["birth_full_name"], basis);
        match self.client(NEWCOMER)?.get_person(&lookup).await? {
            Ok(answered) => writeln!(out, "   it asks, and record  {}", answered.receipt.index)?,
            Err(refused) => bail!("the new database was refused: {refused}"),
        }
        let suspension = Suspension {
            cause: "violation".to_owned(),
            remedy: "Chỉ tra cứu theo hồ sơ / ask by case only".to_owned(),
        };
        self.moved(out, "operator", "suspend", Move::Suspend(suspension)).await?;
        let refused = self.refused_soon(&lookup).await?;
        let rule = refused.get("rule").unwrap_or_default();
        writeln!(out, "   it asks again        {} ({rule})", refused.reason)?;
        let end = || ConnectionEnd { cause: "no-need".to_owned() };
        self.moved(out, "operator", "propose end", Move::ProposeEnd(end())).await?;
        self.moved(out, "second-registrar", "end", Move::End(end())).await
    }

    /// How a database that was suspended is refused: everywhere within a second.
    async fn refused_soon(&self, lookup: &GetPersonRequest) -> Result<Refused> {
        let until = Instant::now() + SOON;
        loop {
            match self.client(NEWCOMER)?.get_person(lookup).await? {
                Err(refused) => return Ok(refused),
                Ok(_) if Instant::now() > until => bail!("a suspended database was answered"),
                Ok(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// A move that must be made.
    async fn moved(
        &self,
        out: &mut impl Write,
        officer: &str,
        name: &str,
        step: Move,
    ) -> Result<()> {
        let request = self.asked(step).await?;
        let answered = match self.client(officer)?.move_connection(&request).await? {
            Ok(answered) => answered,
            Err(refused) => bail!("{name}: {refused} {:?}", refused.unmet),
        };
        answered.verify(self.log()).context("the receipt of a move does not hold")?;
        let admission = answered.answer.admission.context("a move without an admission")?;
        let state = AdmissionState::try_from(admission.state)?.as_str_name();
        let state = state.strip_prefix("ADMISSION_STATE_").unwrap_or(state);
        writeln!(out, "   {name:<20} {state}  by {officer}, record {}", answered.receipt.index)?;
        Ok(())
    }

    /// A move on the admission as it stands.
    async fn asked(&self, step: Move) -> Result<MoveConnectionRequest> {
        let request = GetAdmissionRequest { connection: ID.to_owned() };
        let found = match self.client("auditor")?.get_admission(&request).await? {
            Ok(answered) => answered.answer.admission.map_or(0, |admission| admission.version),
            Err(refused) if refused.reason == "UNKNOWN_CONNECTION" => 0,
            Err(refused) => bail!("{refused}"),
        };
        Ok(MoveConnectionRequest {
            request_id: self.runtime.entropy.id(),
            connection: ID.to_owned(),
            expected_version: found,
            document: Some(AdmissionDocument {
                number: "01/DEMO".to_owned(),
                issuer: "Đơn vị vận hành (mô phỏng)".to_owned(),
                day: self.runtime.clock.today().to_string(),
            }),
            reason: "Mô phỏng / demonstration".to_owned(),
            r#move: Some(step),
        })
    }

    /// The registry of the demonstration with the agreement of the new connection.
    fn agreed(&self, today: Date) -> Result<Registry> {
        let text = std::fs::read_to_string(self.folder.join("registry.toml"))?;
        let mut registry = Registry::parse(&text)?;
        registry.agreements.push(Agreement {
            id: AGREEMENT.to_owned(),
            connection: ID.to_owned(),
            valid_from: today,
            valid_to: today + Duration::days(365),
            grants: vec![Grant {
                action: Act::Obtain,
                procedure: PROCEDURE.to_owned(),
                legal_basis: BASIS.to_owned(),
                items: vec!["birth_full_name".to_owned()],
                obligations: Vec::new(),
            }],
        });
        Ok(registry)
    }
}

fn application() -> ConnectionApplication {
    let text = |text: &str| text.to_owned();
    ConnectionApplication {
        agency: text(NEWCOMER_AGENCY),
        agency_vi: text("Cổng dịch vụ công quốc gia (mô phỏng)"),
        agency_en: text("National Public Service Portal (demonstration)"),
        system: text(NEWCOMER_SYSTEM),
        system_name: text("Cổng quốc gia"),
        database: text("national-portal"),
        purpose: text("Giải quyết thủ tục hành chính"),
        use_plan: text("Điền sẵn biểu mẫu điện tử"),
        items: vec![RequestedItem { item: text("birth_full_name"), count: 1_000 }],
        service: text("037"),
        service_name: text("Tra cứu thông tin công dân"),
        frequency: text("hằng ngày"),
        other: String::new(),
        legal_basis: text("decree-70-2024-art-7-2"),
    }
}

fn check() -> ConditionCheck {
    let part =
        |part: &str| CheckedPart { part: part.to_owned(), passed: true, finding: String::new() };
    let parts = ["hardening", "penetration", "source-code", "hardware", "regulations"];
    ConditionCheck {
        infrastructure: Some(part("")),
        standards: Some(part("")),
        security_level: 3,
        parts: parts.map(part).to_vec(),
    }
}

fn conformance() -> ConformanceReport {
    ConformanceReport {
        digest: tlog::digest(b"a report of the demonstration").to_vec(),
        target: "cong-quoc-gia.test:7443".to_owned(),
        kit_version: env!("CARGO_PKG_VERSION").to_owned(),
        roles: vec!["sink".to_owned()],
    }
}

fn assessment(today: Date) -> SecurityAssessment {
    SecurityAssessment {
        assessor: "Đơn vị đánh giá (mô phỏng)".to_owned(),
        day: today.to_string(),
        findings: vec![SecurityFinding {
            id: "F-1".to_owned(),
            title: "Cổng mạng không dùng còn mở".to_owned(),
            severity: FindingSeverity::Low.into(),
            state: FindingState::Open.into(),
        }],
        next_day: (today + Duration::days(365)).to_string(),
    }
}
