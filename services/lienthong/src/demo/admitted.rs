//! A step of the tour: officers admit a database, it is answered, and they suspend and end it.

use std::io::Write;

use anyhow::{Context as _, Result, bail};
use contract::{
    identity::v1::GetPersonRequest,
    policy::v1::{
        Action, Activation, AdmissionDocument, AdmissionState, AgreementContent, AgreementGrant,
        AgreementParty, AgreementReference, AgreementRole, AgreementState, AgreementStatement,
        CheckedPart, ConditionCheck, ConformanceReport, ConnectionApplication, ConnectionEnd,
        FindingSeverity, FindingState, GetAdmissionRequest, MoveAgreementRequest,
        MoveConnectionRequest, RequestedItem, SecurityAssessment, SecurityFinding, Suspension,
        move_agreement_request::Move as Step, move_connection_request::Move,
    },
};
use server::tls;
use time::{Date, Duration};
use tokio::time::Instant;

use super::{Demo, NEWCOMER, NEWCOMER_AGENCY, NEWCOMER_SYSTEM, Subject, tour};
use crate::{
    agreement,
    client::{Refused, agreement_bytes},
};

/// The officer who signs for the operator.
const PROVIDER: &str = "second-registrar";
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
        self.moved(out, "operator", "check", Move::Check(check())).await?;
        let content = self.signed(out, today).await?;
        let agreement = AgreementReference { agreement: content.id.clone() };
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
        self.moved(out, "second-registrar", "end", Move::End(end())).await?;
        let revoke = AgreementStatement::Revoke;
        self.says(out, "agency revokes", &content, revoke, self.files(NEWCOMER)?).await
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

    /// Both sides sign what they agreed on: an officer proposes it, the agency and another officer accept it.
    async fn signed(&self, out: &mut impl Write, today: Date) -> Result<AgreementContent> {
        let (consumer, provider) = (self.files(NEWCOMER)?, self.files(PROVIDER)?);
        let content = agreement_of(&consumer.certificate, &provider.certificate, today)?;
        // Another one each time that the tour is taken.
        let nonce = nonce(&self.runtime.entropy.id());
        let id = format!("{}-{}", content.id, hex::encode(nonce.get(..4).unwrap_or_default()));
        let content = AgreementContent { id, nonce, ..content };
        self.agreed(out, "propose", &content.id, Step::Propose(agreement_bytes(&content))).await?;
        let accept = AgreementStatement::Accept;
        self.says(out, "agency signs", &content, accept, consumer).await?;
        self.says(out, "operator signs", &content, accept, provider).await?;
        Ok(content)
    }

    /// A party signs what it says of an agreement.
    async fn says(
        &self,
        out: &mut impl Write,
        name: &str,
        content: &AgreementContent,
        statement: AgreementStatement,
        by: &tls::Files,
    ) -> Result<()> {
        let tls::Files { certificate, key, .. } = by;
        let signed = agreement::sign(&agreement_bytes(content), statement, certificate, key)?;
        self.agreed(out, name, &content.id, Step::Sign(signed)).await
    }

    /// A move of the agreement that must be made.
    async fn agreed(&self, out: &mut impl Write, name: &str, id: &str, step: Step) -> Result<()> {
        let request = MoveAgreementRequest {
            request_id: self.runtime.entropy.id(),
            agreement: id.to_owned(),
            r#move: Some(step),
        };
        let answered = match self.client("operator")?.move_agreement(&request).await? {
            Ok(answered) => answered,
            Err(refused) => bail!("{name}: {refused} {:?}", refused.unmet),
        };
        answered.verify(self.log()).context("the receipt of a move does not hold")?;
        let agreement = answered.answer.agreement.context("a move without an agreement")?;
        let state = AgreementState::try_from(agreement.state)?.as_str_name();
        let state = state.strip_prefix("AGREEMENT_STATE_").unwrap_or(state);
        writeln!(out, "   {name:<20} {state}  record {}", answered.receipt.index)?;
        Ok(())
    }
}

fn nonce(chance: &str) -> Vec<u8> {
    let mut nonce = tlog::digest(chance.as_bytes()).to_vec();
    nonce.truncate(16);
    nonce
}

/// The agreement of the step, with the keys of both sides.
fn agreement_of(consumer: &str, provider: &str, today: Date) -> Result<AgreementContent> {
    let text = |text: &str| text.to_owned();
    let party = |role: AgreementRole, agency: &str, names: [&str; 2], key: &str| {
        let [name_vi, name_en] = names.map(text);
        let signing_keys = vec![agreement::thumbprint(key)?.to_vec()];
        let agency = text(agency);
        let units = if role == AgreementRole::Consumer { vec![agency.clone()] } else { Vec::new() };
        let role = role.into();
        anyhow::Ok(AgreementParty { role, agency, name_vi, name_en, signing_keys, units })
    };
    let operator = ["Đơn vị vận hành (mô phỏng)", "Operator (demonstration)"];
    let portal =
        ["Cổng dịch vụ công quốc gia (mô phỏng)", "National Public Service Portal (demonstration)"];
    Ok(AgreementContent {
        id: text(AGREEMENT),
        connection: text(ID),
        parties: vec![
            party(AgreementRole::Provider, "Z00.DEMO", operator, provider)?,
            party(AgreementRole::Consumer, NEWCOMER_AGENCY, portal, consumer)?,
        ],
        content: text("Họ, chữ đệm và tên khai sinh"),
        place: text("Nền tảng chia sẻ, điều phối dữ liệu"),
        valid_from: today.to_string(),
        valid_to: (today + Duration::days(365)).to_string(),
        method: text("Tra cứu từng hồ sơ qua gRPC"),
        processing: text("Điền sẵn biểu mẫu, không lưu bản sao"),
        limits: text("Chỉ để giải quyết thủ tục đã nêu"),
        commitments: text("Không cung cấp cho bên thứ ba"),
        security: text("TLS 1.3 hai chiều; hệ thống cấp độ 3"),
        storage: text("Không lưu quá thời hạn giải quyết hồ sơ"),
        deletion: text("Xóa khi kết thúc hồ sơ"),
        grants: vec![AgreementGrant {
            action: Action::Obtain.into(),
            procedure: text(PROCEDURE),
            legal_basis: text(BASIS),
            items: vec![text("birth_full_name")],
            ..AgreementGrant::default()
        }],
        ..AgreementContent::default()
    })
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
