//! Requests that their callers signed, as inspectors are shown them: with everything that it takes to verify a signature without us.

use std::{collections::BTreeMap, sync::Arc};

use ::store::Store;
use contract::r#type::v1::RequestSignature;
use server::{
    Caller,
    runtime::Entropy,
    signed::request::{self, Fault},
};

use crate::{
    Error, Service, api,
    domain::Opening,
    envelope::{Envelope, FileKeys, Opened},
    migrations,
    store::{keys, pruning, signers},
};

/// A request that its caller signed, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The full path of the method.
    pub method: String,
    /// SPIFFE id of the caller.
    pub caller: String,
    /// SHA-256 of the request: whoever has its bytes shows that they are those that were signed.
    pub request_digest: [u8; 32],
    /// The signature, as it came with the call.
    pub signature: RequestSignature,
    /// The certificate that it names, in DER; empty where the log has it no more.
    pub certificate: Vec<u8>,
}

impl SignedRequest {
    /// The exact bytes that were signed.
    #[must_use]
    pub fn to_sign(&self) -> [u8; tlog::REQUEST_TO_SIGN_LEN] {
        tlog::request_to_sign(&self.method, &self.request_digest)
    }

    /// Verifies the signature by the certificate, and that this is one of the caller's. Whether that was trusted when it signed is another question, which its authority
    /// answers: the log took no connection of anybody whose certificate was not.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verify(&self) -> Result<(), Fault> {
        request::verify(&self.signature, &self.certificate, &self.to_sign())?;
        let domain = self.caller.strip_prefix("spiffe://").and_then(|id| id.split_once('/'));
        let signer = Caller::from_certificate(&self.certificate, domain.map_or("", |(it, _)| it));
        match signer {
            Ok(signer) if signer.id() == self.caller => Ok(()),
            // It is somebody's, and says nothing of whom the record names.
            Ok(_) | Err(_) => Err(Fault::OtherCertificate),
        }
    }
}

/// Those of opened records whose request was signed.
pub(crate) async fn of(
    store: &Store,
    opened: BTreeMap<u64, Opened>,
) -> Result<BTreeMap<u64, SignedRequest>, Error> {
    let signed = |(index, opened)| match opened {
        Opened::Whole(opening) => Some((index, api::signature(&opening)?, opening)),
        Opened::Erased { .. } | Opened::Closed | Opened::Undone | Opened::Damaged => None,
    };
    let signed: Vec<(u64, RequestSignature, Box<Opening>)> =
        opened.into_iter().filter_map(signed).collect();
    let thumbprints = signed.iter().map(|(_, by, _)| by.certificate_thumbprint.as_slice());
    let certificates = signers::find(store, thumbprints).await?;
    let whole = |(index, signature, opening): (u64, RequestSignature, Box<Opening>)| {
        let certificate = certificates.get(&signature.certificate_thumbprint).cloned();
        let (certificate, request_digest) =
            (certificate.unwrap_or_default(), opening.request_digest);
        // A record that came in has both lines (`domain::check`).
        let mut lines = opening.context.lines().map(str::to_owned);
        let (method, caller) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        (index, SignedRequest { method, caller, request_digest, signature, certificate })
    };
    Ok(signed.into_iter().map(whole).collect())
}

impl Service {
    /// The requests of these records, as far as they were signed.
    ///
    /// # Errors
    /// When the database or whoever holds the key-encryption key is away.
    pub async fn signed_requests(
        &self,
        indexes: &[u64],
    ) -> Result<BTreeMap<u64, SignedRequest>, Error> {
        let opened = self.open_records(indexes).await?;
        of(&self.0.store, opened).await
    }
}

/// The request of a record in its database, which may be served meanwhile; none where there is no such record, where its request was not
/// signed, or where it cannot be opened.
///
/// # Errors
/// When the database or a key is away; [`Error::Pruned`] when the record is in the archive.
pub async fn signed_request(
    database: &str,
    kek: FileKeys,
    index: u64,
) -> Result<Option<SignedRequest>, Error> {
    let envelope = Envelope::new(Arc::new(kek), Entropy::system());
    let store = Store::open_read_only(database, migrations()).await?;
    let found = async {
        let rows = keys::rows(&store, [index].into_iter()).await?;
        // Read after them: it is set before anything is deleted.
        let minimum = pruning::minimum(&store).await?;
        if index < minimum {
            return Err(Error::Pruned(minimum));
        }
        Ok(of(&store, envelope.open(&store, rows).await?).await?.remove(&index))
    }
    .await;
    store.close().await;
    found
}
