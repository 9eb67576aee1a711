//! Agreements that tests propose and sign, with the certificates of made-up parties.

use contract::policy::v1::{
    Action, AgreementContent, AgreementGrant, AgreementParty, AgreementRole, AgreementSignature,
    AgreementStatement, MoveAgreementAnswer, MoveAgreementRequest, move_agreement_request::Move,
};
use lienthong::{
    agreement,
    client::{Answered, Client, Refused},
};
use prost::Message as _;
use server::tls;

/// The provider's code; its officers sign for it.
pub const PROVIDER: &str = "Z00.TEST";

/// Who signs: a party's certificate.
#[derive(Debug, Clone)]
pub struct Signer(pub tls::Files);

impl Signer {
    /// The thumbprint of its key, as agreements name it.
    ///
    /// # Panics
    /// When its certificate cannot be read.
    #[must_use]
    pub fn thumbprint(&self) -> Vec<u8> {
        agreement::thumbprint(&self.0.certificate).unwrap().to_vec()
    }

    /// A party of an agreement that signs by this key.
    #[must_use]
    pub fn party(&self, role: AgreementRole, agency: &str, units: &[&str]) -> AgreementParty {
        AgreementParty {
            role: role.into(),
            agency: agency.to_owned(),
            name_vi: "Bên mẫu".to_owned(),
            name_en: "Example party".to_owned(),
            signing_keys: vec![self.thumbprint()],
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
        }
    }

    /// What it says of an agreement's bytes.
    ///
    /// # Panics
    /// When its key cannot be used.
    #[must_use]
    pub fn says(&self, content: &[u8], statement: AgreementStatement) -> AgreementSignature {
        let tls::Files { certificate, key, .. } = &self.0;
        agreement::sign(content, statement, certificate, key).unwrap()
    }
}

/// What one agency may obtain for children's health cards.
#[must_use]
pub fn grant(items: &[&str]) -> AgreementGrant {
    AgreementGrant {
        action: Action::Obtain.into(),
        procedure: "child-health-insurance-card".to_owned(),
        legal_basis: "1911-2021-art-2-1".to_owned(),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        ..AgreementGrant::default()
    }
}

/// An agreement with every heading.
#[must_use]
pub fn content(
    id: &str,
    connection: &str,
    term: [&str; 2],
    parties: Vec<AgreementParty>,
    grants: Vec<AgreementGrant>,
) -> AgreementContent {
    let words = || "theo thỏa thuận mẫu".to_owned();
    let [valid_from, valid_to] = term.map(str::to_owned);
    AgreementContent {
        id: id.to_owned(),
        nonce: tlog::digest(id.as_bytes())[..16].to_vec(),
        connection: connection.to_owned(),
        renews: String::new(),
        parties,
        content: words(),
        place: words(),
        valid_from,
        valid_to,
        method: words(),
        processing: words(),
        limits: words(),
        commitments: words(),
        security: words(),
        storage: words(),
        deletion: words(),
        other: String::new(),
        delegations: Vec::new(),
        grants,
        signed_requests: false,
    }
}

/// A move of an agreement. Its request id is what it does, so that the same is sent again the same.
///
/// # Panics
/// When the response is none.
pub async fn moves(
    officer: &Client,
    id: &str,
    step: Move,
) -> Result<Answered<MoveAgreementAnswer>, Refused> {
    let mut request_id = hex::encode(tlog::digest(format!("{id}{step:?}").as_bytes()));
    request_id.truncate(40);
    let request = MoveAgreementRequest { request_id, agreement: id.to_owned(), r#move: Some(step) };
    officer.move_agreement(&request).await.unwrap()
}

/// Proposes an agreement by an officer and has it accepted by all of its parties.
///
/// # Panics
/// When a move is refused.
pub async fn agree(officer: &Client, content: &AgreementContent, signers: &[&Signer]) {
    let (id, bytes) = (content.id.clone(), content.encode_to_vec());
    if let Err(refused) = moves(officer, &id, Move::Propose(bytes.clone())).await {
        panic!("{refused} {:?} {:?}", refused.unmet, refused.fields);
    }
    for signer in signers {
        let signed = signer.says(&bytes, AgreementStatement::Accept);
        if let Err(refused) = moves(officer, &id, Move::Sign(signed)).await {
            panic!("{refused} {:?}", refused.unmet);
        }
    }
}
