//! What a question's warrant says, held against it; and each way of not looking.

use std::time::Duration;

use contract::r#type::v1::{ErrorReason, subject_ref::Subject};
use server::{Thumbprint, error::refuse_with, runtime::Clock};
use tonic::Status;
use warrant::{Accepted, Expected, KeySet, Refusal, verify};

use super::{Database, lookup::Asked};
use crate::{faults::Fault, pki::ISSUER};

const DATABASE_ID: &str = "civil-status";

fn refused(why: Refusal) -> Status {
    refuse_with(ErrorReason::WarrantRefused, &[("fault", why.name().to_owned())])
}

impl Database {
    /// What the fault does not look at.
    fn ignores(&self, compared: bool) -> &'static [Refusal] {
        match self.inner().fault {
            Some(Fault::NoWarrantWanted) => &[Refusal::Missing],
            Some(Fault::SignatureIgnored) => &[Refusal::UnknownKey, Refusal::BadSignature],
            Some(Fault::AlgorithmTaken) => &[Refusal::Algorithm],
            Some(Fault::ExpiredTaken) => &[Refusal::Expired],
            Some(Fault::LongLivedTaken) => &[Refusal::TooLongLived],
            Some(Fault::NotYetTaken) => &[Refusal::NotYet],
            Some(Fault::AudienceIgnored) => &[Refusal::Audience],
            Some(Fault::IssuerIgnored) => &[Refusal::Issuer],
            Some(Fault::HolderIgnored) => &[Refusal::Holder],
            Some(Fault::SubjectIgnored) => &[Refusal::Subject],
            Some(Fault::ItemsIgnored) => &[Refusal::Items],
            Some(Fault::ComparedItemsIgnored) if compared => &[Refusal::Items],
            Some(Fault::GroundIgnored) => &[Refusal::Ground],
            _ => &[],
        }
    }

    /// What is checked of a question; nothing where the fault lets it pass.
    fn checked(
        &self,
        keys: &KeySet,
        shown: Option<Thumbprint>,
        asked: &Asked<'_>,
    ) -> Result<Option<Accepted>, Refusal> {
        let items: Vec<String> = asked.items.iter().map(|item| (*item).to_owned()).collect();
        let number = match asked.subject.and_then(|subject| subject.subject.as_ref()) {
            Some(Subject::PersonalNumber(number)) => number,
            _ => "",
        };
        let expected = Expected {
            issuer: ISSUER,
            audience: DATABASE_ID,
            holder: shown.as_ref().map(|Thumbprint(bytes)| bytes),
            subject: number,
            opening: asked.opening,
            items: &items,
            procedure: &asked.basis.unwrap().procedure,
            legal_basis: &asked.basis.unwrap().legal_basis,
        };
        let padded = self.is(Fault::PaddingTaken) && asked.warrant.ends_with(b"==");
        let cut = if padded { asked.warrant.len() - 2 } else { asked.warrant.len() };
        let now = Clock::system().now().unix_timestamp();
        match verify(&asked.warrant[..cut], keys, &expected, now) {
            Err(why) if self.ignores(asked.field == "claimed_values").contains(&why) => Ok(None),
            Ok(taken) if self.is(Fault::LaterClaimRefused) && !is_known(asked.warrant, &taken) => {
                Err(Refusal::Malformed)
            }
            checked => checked.map(Some),
        }
    }

    /// Takes the warrants of all questions, or of none.
    pub async fn take_warrants(
        &self,
        shown: Option<Thumbprint>,
        questions: &[Asked<'_>],
    ) -> Result<(), Status> {
        let mut ids = Vec::new();
        for asked in questions {
            let taken = self.checked(&self.inner().keys, shown, asked).map_err(refused)?;
            ids.extend(taken.map(|taken| taken.claims.jti));
        }
        if self.is(Fault::ReplayTaken) {
            return Ok(());
        }
        if self.is(Fault::ReplayRaces) {
            let used = ids.iter().any(|id| self.inner().state.lock().unwrap().used.contains(id));
            let mut sorted = ids.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if used || sorted.len() < ids.len() {
                return Err(refused(Refusal::Replayed));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.inner().state.lock().unwrap().used.extend(ids);
            return Ok(());
        }
        let mut state = self.inner().state.lock().unwrap();
        let mut used = state.used.clone();
        if ids.into_iter().all(|id| used.insert(id)) {
            state.used = used;
            Ok(())
        } else {
            Err(refused(Refusal::Replayed))
        }
    }
}

/// Whether its claims are those that are known, and no others.
fn is_known(warrant: &[u8], taken: &Accepted) -> bool {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let payload = warrant.split(|byte| *byte == b'.').nth(1).unwrap();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
    let said: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    said == serde_json::json!(taken.claims)
}
