//! The tour: what the demonstration shows, step by step, with the files that any verifier can check.

use std::{fs, io::Write};

use anyhow::{Context as _, Result, bail};
use contract::{
    contribution::v1::{SubmitContributionRequest, submit_contribution_request::Event},
    identity::v1::{
        ClaimOutcome, ClaimedValue, GetPersonAnswer, GetPersonRequest, LookupOutcome,
        VerifyClaimsRequest,
    },
    r#type::v1::{
        AccessBasis, Claims, CodedValue, ItemOutcome, ItemValue, PartialDate, SubjectRef,
        item_outcome, item_value, subject_ref,
    },
};

use time::Date;

use super::{BirthDate, Demo, Subject, shown::shown_outcome};
use crate::{client::Answered, pki::shown, synth};

/// The child of the tour; synthetic, as everybody here.
const CHILD: &str = "Nguyễn Giả Định Ánh Dương";

impl Demo {
    /// Runs the tour and writes a readable account of it.
    ///
    /// # Errors
    /// When a step does not end as it must: the tour is also a test.
    pub async fn tour(&self, out: &mut impl Write) -> Result<()> {
        let (child, version) = self.birth(out).await?;
        self.exchanged(out).await?;
        let looked = self.look_up(out, &child, version).await?;
        self.verified(out, &child).await?;
        self.refused(out, &child).await?;
        self.admitted(out, &child).await?;
        self.receipt(out, &looked).await
    }

    async fn birth(&self, out: &mut impl Write) -> Result<(Subject, u64)> {
        writeln!(
            out,
            "\n1. Civil status registers a birth; the register issues the personal number."
        )?;
        let today = self.runtime.clock.today();
        let request = birth_registration(&self.runtime.entropy.id(), today);
        let answered = self.client("civil-status")?.submit_contribution(&request).await??;
        let receipt = &answered.answer;
        answered.verify(self.log()).context("the receipt does not hold")?;
        writeln!(out, "   name                 {CHILD}")?;
        writeln!(out, "   personal number      {}", receipt.personal_number)?;
        writeln!(out, "   version              {}", receipt.version)?;
        writeln!(out, "   record               {}", answered.receipt.index)?;
        let again = self.client("civil-status")?.submit_contribution(&request).await??;
        if again.answer_bytes != answered.answer_bytes || again.receipt != answered.receipt {
            bail!("the same bytes were answered otherwise");
        }
        writeln!(out, "   sent again           the same answer and the same receipt")?;
        let child = Subject {
            kind: "child".to_owned(),
            personal_number: receipt.personal_number.clone(),
            old_number: None,
            full_name: CHILD.to_owned(),
            date_of_birth: BirthDate {
                year: today.year(),
                month: today.month().into(),
                day: today.day(),
            },
        };
        Ok((child, receipt.version))
    }

    async fn look_up(
        &self,
        out: &mut impl Write,
        child: &Subject,
        version: u64,
    ) -> Result<Answered<GetPersonAnswer>> {
        writeln!(
            out,
            "\n3. Social insurance looks the child up to grant a health insurance card."
        )?;
        let items = [
            "birth_full_name",
            "personal_id_number",
            "date_of_birth",
            "sex",
            "family_relations",
            "ethnic_group",
        ];
        let basis = basis("child-health-insurance-card", "1911-2021-art-2-1", "Z02.DEMO.BHXH");
        let request = GetPersonRequest { min_version: version, ..lookup(child, &items, basis) };
        let answered = self.client("social-insurance")?.get_person(&request).await??;
        if answered.answer.outcome() != LookupOutcome::Match {
            bail!("the child was not found");
        }
        for item in &answered.answer.items {
            writeln!(out, "   {:<20} {}", item.item, shown_outcome(item))?;
        }
        let withheld =
            |item: &ItemOutcome| matches!(item.outcome, Some(item_outcome::Outcome::Withheld(_)));
        if answered.answer.items.iter().filter(|item| withheld(item)).count() != 1 {
            bail!("exactly the item outside the agreement must be withheld");
        }
        Ok(answered)
    }

    async fn verified(&self, out: &mut impl Write, child: &Subject) -> Result<()> {
        writeln!(
            out,
            "\n4. A portal holds what a form says against the register; it sees no value."
        )?;
        let claimed = |item: &str, value| ClaimedValue {
            item: item.to_owned(),
            value: Some(ItemValue { value: Some(value) }),
        };
        let code = |code: &str| CodedValue {
            code_system: "sex".to_owned(),
            code_system_version: "1".to_owned(),
            code: code.to_owned(),
            display: String::new(),
        };
        let basis = basis("portal-form-prefill", "1911-2021-art-2-1", "Z03.DEMO.CONGDVC");
        let GetPersonRequest { subject, claims, basis, request_id, .. } = lookup(child, &[], basis);
        let claimed_values = vec![
            claimed("sex", item_value::Value::Coded(code("1"))),
            claimed("permanent_residence", item_value::Value::Text("Hà Nội".to_owned())),
            claimed("religion", item_value::Value::Text("không".to_owned())),
        ];
        let request = VerifyClaimsRequest {
            subject,
            claims,
            claimed_values,
            basis,
            request_id,
            min_version: 0,
        };
        let answered = self.client("portal")?.verify_claims(&request).await??;
        answered.verify(self.log()).context("the receipt does not hold")?;
        let outcomes: Vec<ClaimOutcome> =
            answered.answer.results.iter().map(|result| result.outcome()).collect();
        if outcomes != [ClaimOutcome::Mismatch, ClaimOutcome::NotHeld, ClaimOutcome::Denied] {
            bail!("the claims were not judged as they must be");
        }
        for (result, outcome) in answered.answer.results.iter().zip(outcomes) {
            let outcome = outcome.as_str_name().trim_start_matches("CLAIM_OUTCOME_");
            let by =
                result.denied.as_ref().map(|d| format!("  (rule `{}`, {})", d.rule, d.article));
            writeln!(out, "   {:<20} {outcome}{}", result.item, by.unwrap_or_default())?;
        }
        Ok(())
    }

    async fn refused(&self, out: &mut impl Write, child: &Subject) -> Result<()> {
        writeln!(out, "\n5. A system whose connection was ended asks the same.")?;
        let basis = basis("child-health-insurance-card", "1911-2021-art-2-1", "Z04.DEMO.CU");
        let request = lookup(child, &["birth_full_name"], basis);
        match self.client("former")?.get_person(&request).await? {
            Ok(_) => bail!("a caller with a revoked connection was answered"),
            Err(refused) => {
                writeln!(out, "   {} {}", refused.code, refused.reason)?;
                writeln!(out, "   {} / {}", refused.vi, refused.message)?;
                for key in ["article", "record_index"] {
                    writeln!(out, "   {key:<20} {}", refused.get(key).unwrap_or_default())?;
                }
                Ok(())
            }
        }
    }

    async fn receipt(
        &self,
        out: &mut impl Write,
        looked: &Answered<GetPersonAnswer>,
    ) -> Result<()> {
        writeln!(out, "\n7. The receipt of the lookup is checked offline, against the log's key.")?;
        let verified = looked.verify(self.log()).context("the receipt does not hold")?;
        writeln!(out, "   record               {} of {}", looked.receipt.index, verified.size)?;
        writeln!(out, "   caller               {}", verified.caller)?;
        let mut other = looked.answer_bytes.clone();
        if let Some(byte) = other.last_mut() {
            *byte ^= 1;
        }
        let forged = Answered {
            request: looked.request.clone(),
            answer_bytes: other,
            answer: looked.answer.clone(),
            receipt: looked.receipt.clone(),
        };
        if forged.verify(self.log()).is_ok() {
            bail!("a changed answer was accepted");
        }
        writeln!(out, "   with one byte of the answer changed, it is refused")?;

        let folder = self.folder.join("tour");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("request.bin"), &looked.request)?;
        fs::write(folder.join("answer.bin"), &looked.answer_bytes)?;
        fs::write(folder.join("leaf.bin"), &looked.receipt.leaf)?;
        fs::write(folder.join("opening.bin"), &looked.receipt.opening)?;
        fs::write(folder.join("receipt.tlog-proof"), looked.proof_file()?)?;
        fs::copy(self.folder.join("log.vkey"), folder.join("log.vkey"))?;
        writeln!(out, "   files                {}", shown(&folder))?;

        writeln!(out, "\n8. The log's newest checkpoint.")?;
        for line in self.process.audit().checkpoint().await?.lines() {
            writeln!(out, "   {line}")?;
        }
        Ok(())
    }
}

/// A lookup of a sample subject with its claims.
#[must_use]
pub fn lookup(subject: &Subject, items: &[&str], basis: AccessBasis) -> GetPersonRequest {
    let BirthDate { year, month, day } = subject.date_of_birth;
    GetPersonRequest {
        subject: Some(SubjectRef {
            subject: Some(subject_ref::Subject::PersonalNumber(subject.personal_number.clone())),
        }),
        claims: Some(Claims {
            full_name: subject.full_name.clone(),
            date_of_birth: Some(PartialDate { year, month: month.into(), day: day.into() }),
        }),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        basis: Some(basis),
        request_id: "tour-1".to_owned(),
        min_version: 0,
        as_of: None,
    }
}

/// The registration of the tour's birth, on the day it happened. The entry is a new one at every start:
/// one entry is one person.
pub(super) fn birth_registration(entry: &str, today: Date) -> SubmitContributionRequest {
    let birth = synth::birth(entry, CHILD, today);
    SubmitContributionRequest {
        idempotency_key: format!("tour:{entry}"),
        basis: Some(basis("birth-registration", "1911-2021-art-2-2", "Z01.DEMO.HOTICH")),
        event: Some(Event::Birth(birth)),
        validate_only: false,
        request_id: "tour-0".to_owned(),
        expected_version: 0,
        evidence: Vec::new(),
    }
}

/// A ground as the demonstration's callers name it.
#[must_use]
pub fn basis(procedure: &str, legal_basis: &str, unit: &str) -> AccessBasis {
    AccessBasis {
        procedure: procedure.to_owned(),
        legal_basis: legal_basis.to_owned(),
        case_reference: "DEMO-0001".to_owned(),
        acting_unit: unit.to_owned(),
        officer: "can-bo-01".to_owned(),
        consent_reference: String::new(),
        direction_reference: String::new(),
    }
}
