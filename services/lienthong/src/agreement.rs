//! What parties do with an agreement before anybody is called: draft it, look at its digest, and sign it.

use anyhow::{Context as _, Result, bail};
use contract::policy::v1::{AgreementSignature, AgreementStatement, SignatureAlgorithm};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SigningKey as _,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use server::caller::{self, Thumbprint};

/// What is signed: three lines, so that whoever signs sees what it is.
///
/// # Errors
/// When nothing is stated.
pub fn signed_bytes(content: &[u8], statement: AgreementStatement) -> Result<Vec<u8>> {
    let word = match statement {
        AgreementStatement::Accept => "accept",
        AgreementStatement::Reject => "reject",
        AgreementStatement::Revoke => "revoke",
        AgreementStatement::Unspecified => bail!("nothing is stated"),
    };
    let digest = hex::encode(tlog::digest(content));
    Ok(format!("lienthong.gov.vn/agreement/v1\n{word}\n{digest}\n").into_bytes())
}

/// Signs an agreement's bytes by the key of a certificate; both are PEM files.
///
/// # Errors
/// When a file cannot be used, or the key is of a kind that signs no agreements.
pub fn sign(
    content: &[u8],
    statement: AgreementStatement,
    certificate: &str,
    key: &str,
) -> Result<AgreementSignature> {
    let message = signed_bytes(content, statement)?;
    let Signed { certificates, algorithm, signature } = sign_bytes(&message, certificate, key)?;
    let (statement, algorithm) = (statement.into(), algorithm.into());
    Ok(AgreementSignature { statement, certificates, algorithm, signature })
}

/// What the key of a certificate signed.
pub(crate) struct Signed {
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) signature: Vec<u8>,
}

/// Signs bytes by the key of a certificate; both are PEM files.
pub(crate) fn sign_bytes(message: &[u8], certificate: &str, key: &str) -> Result<Signed> {
    let pem = std::fs::read_to_string(key).with_context(|| format!("cannot read `{key}`"))?;
    let key = KeyPair::from_pem(&pem).with_context(|| format!("`{key}` holds no private key"))?;
    let algorithm = if key.algorithm() == &PKCS_ED25519 {
        SignatureAlgorithm::Ed25519
    } else if key.algorithm() == &PKCS_ECDSA_P256_SHA256 {
        SignatureAlgorithm::EcdsaP256Sha256
    } else if key.algorithm() == &PKCS_ECDSA_P384_SHA384 {
        SignatureAlgorithm::EcdsaP384Sha384
    } else {
        bail!("a key signs that is of Ed25519, or of ECDSA over P-256 or P-384");
    };
    let signature = key.sign(message).context("the key cannot sign")?;
    let certificates = chain(certificate)?.iter().map(|der| der.to_vec()).collect();
    Ok(Signed { certificates, algorithm, signature })
}

/// The thumbprint of the key of a certificate (PEM file), as agreements name it.
///
/// # Errors
/// When the file holds no certificate.
pub fn thumbprint(certificate: &str) -> Result<Thumbprint> {
    let chain = chain(certificate)?;
    let own = chain.first().with_context(|| format!("`{certificate}` holds no certificate"))?;
    caller::thumbprint(own).with_context(|| format!("`{certificate}` holds no certificate"))
}

fn chain(certificate: &str) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(certificate)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("`{certificate}` holds no certificate"))
}
