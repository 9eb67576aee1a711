//! The warrants of the kit. It signs them itself, good and bad, by a key that the database was told to trust where it is tried.

use contract::{
    database::v1::{GetRecordRequest, StreamRecordsRequest, VerifyRecordRequest},
    r#type::v1::{AccessBasis, SubjectRef, subject_ref::Subject},
};
use prost::Message;
use rand::RngCore as _;
use warrant::{Claims, Confirmation, Intent, KeySet, Signer, commitment};

use crate::{
    Refusal,
    found::{Tried, not_tried},
    kit::Kit,
};

/// How long a warrant of the kit lives, in seconds.
const LIFE_SECONDS: i64 = 60;
/// For whom the kit asks: nobody who exists.
const CALLER: &str = "spiffe://lienthong.test/agency/Z99.CONFORMANCE/system/kit";

/// A key that signs the kit's warrants.
#[derive(Debug, Clone)]
pub struct WarrantKey {
    pub(crate) signer: Signer,
    pub(crate) issuer: String,
}

impl WarrantKey {
    /// A new key, for an issuer that the database is told of.
    #[must_use]
    pub fn generate(issuer: &str) -> Self {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        Self { signer: Signer::from_seed(&seed), issuer: issuer.to_owned() }
    }

    /// The key of a PEM file.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(path: &str, issuer: &str) -> Result<Self, Refusal> {
        let text = std::fs::read_to_string(path).map_err(|error| Refusal::file(path, &error))?;
        let signer = Signer::from_pem(&text).map_err(|error| Refusal::file(path, &error))?;
        Ok(Self { signer, issuer: issuer.to_owned() })
    }

    /// The key's text, to be kept in a file that only its owner reads.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn to_pem(&self) -> Result<String, Refusal> {
        self.signer.to_pem().map_err(|error| Refusal::Usage(error.to_string()))
    }

    /// What the database is told to trust: a JWKS.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn jwks(&self) -> Result<String, Refusal> {
        let set = KeySet::new([self.signer.public().clone()]);
        set.to_json().map_err(|error| Refusal::Usage(error.to_string()))
    }

    /// The warrant of these claims, whatever they say and however long it gets.
    pub(crate) fn sign(&self, claims: &Claims) -> Vec<u8> {
        let kid = &self.signer.public().kid;
        let header = serde_json::json!({ "alg": "EdDSA", "typ": warrant::TYPE, "kid": kid });
        self.forge(&header, &serde_json::json!(claims))
    }

    /// The same of any header and claims.
    pub(crate) fn forge(&self, header: &serde_json::Value, claims: &serde_json::Value) -> Vec<u8> {
        let (header, claims) = (header.to_string(), claims.to_string());
        self.signer.sign_bytes(header.as_bytes(), claims.as_bytes()).into_bytes()
    }
}

/// A question about one person, which carries a warrant.
pub(crate) trait Question: Message + Clone {
    /// Who is asked about, on what ground, and which items.
    fn asked(&self) -> (Option<&SubjectRef>, Option<&AccessBasis>, Vec<String>);
    /// Puts a warrant and its opening into it.
    fn carry(&mut self, warrant: Vec<u8>, opening: Vec<u8>);
    /// Whether it has a warrant already.
    fn carries(&self) -> bool;
}

impl Question for GetRecordRequest {
    fn asked(&self) -> (Option<&SubjectRef>, Option<&AccessBasis>, Vec<String>) {
        (self.subject.as_ref(), self.basis.as_ref(), self.items.clone())
    }

    fn carry(&mut self, warrant: Vec<u8>, opening: Vec<u8>) {
        (self.warrant, self.warrant_opening) = (warrant, opening);
    }

    fn carries(&self) -> bool {
        !self.warrant.is_empty()
    }
}

impl Question for VerifyRecordRequest {
    fn asked(&self) -> (Option<&SubjectRef>, Option<&AccessBasis>, Vec<String>) {
        let items = self.claimed_values.iter().map(|claimed| claimed.item.clone());
        (self.subject.as_ref(), self.basis.as_ref(), items.collect())
    }

    fn carry(&mut self, warrant: Vec<u8>, opening: Vec<u8>) {
        (self.warrant, self.warrant_opening) = (warrant, opening);
    }

    fn carries(&self) -> bool {
        !self.warrant.is_empty()
    }
}

impl Kit {
    /// The key that signs its warrants.
    pub(crate) fn warrant_key(&self) -> Tried<&WarrantKey> {
        self.plan.warrants.as_ref().ok_or_else(|| {
            not_tried(
                (
                    "không có khóa để ký giấy phép truy vấn",
                    "there is no key to sign warrants, and questions need one",
                ),
                (
                    "--warrant-key, và JWKS của khóa đó cho cơ sở dữ liệu",
                    "--warrant-key, and its JWKS to the database",
                ),
            )
        })
    }

    /// What a good warrant of a question says now, and the opening of its subject.
    pub(crate) fn claims(&self, key: &WarrantKey, question: &impl Question) -> (Claims, [u8; 32]) {
        let (subject, basis, items) = question.asked();
        let number = match subject.and_then(|subject| subject.subject.as_ref()) {
            Some(Subject::PersonalNumber(number)) => number.as_str(),
            Some(Subject::OldNumber(_) | Subject::Token(_)) | None => "",
        };
        // Not of the seed: a warrant of an earlier run with the same one may still be known.
        let mut random = [0_u8; 48];
        rand::rng().fill_bytes(&mut random);
        let (opening, id) = random.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
        let now = self.plan.clock.now().unix_timestamp();
        let claims = Claims {
            iss: key.issuer.clone(),
            aud: self.description.database_id.clone(),
            cnf: Confirmation { thumbprint: self.own.thumbprint() },
            caller: CALLER.to_owned(),
            jti: hex::encode(id),
            subject: commitment(opening, number),
            items,
            procedure: basis.map(|basis| basis.procedure.clone()).unwrap_or_default(),
            legal_basis: basis.map(|basis| basis.legal_basis.clone()).unwrap_or_default(),
            decision: "conformance".to_owned(),
            intent: Intent { index: 0, leaf: [0; 32] },
            nbf: now,
            exp: now + LIFE_SECONDS,
        };
        (claims, *opening)
    }

    /// The question with a warrant of its own, unless it has one. Each has to be sealed each time it is sent.
    pub(crate) fn sealed<Q: Question>(&self, question: &Q) -> Q {
        let mut question = question.clone();
        if let Some(key) = self.plan.warrants.as_ref().filter(|_| !question.carries()) {
            let (claims, opening) = self.claims(key, &question);
            question.carry(key.sign(&claims), opening.to_vec());
        }
        question
    }

    /// Many questions, each with a warrant of its own.
    pub(crate) fn sealed_all(&self, queries: &[GetRecordRequest]) -> StreamRecordsRequest {
        let queries = queries.iter().map(|query| self.sealed(query)).collect();
        StreamRecordsRequest { queries }
    }
}
