//! Signatures that somebody makes with the key of a certificate, over bytes that are kept: of an agreement, not of a
//! connection. Whoever may call may sign, and nobody whose certificate is revoked. `request` is about those over requests.

pub mod request;

use std::{sync::Arc, time::Duration};

use rustls::{
    SignatureScheme,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::{StartError, caller::Caller, revoked::Revoked, runtime::Clock, tls};

/// Intermediate certificates that a signature may come with.
const CHAIN_MAX: usize = 4;

/// How a signature was made. The key says which of them it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA over P-256 with SHA-256, the signature in DER (FIPS 186-5, RFC 3279).
    EcdsaP256Sha256,
    /// ECDSA over P-384 with SHA-384, the same.
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-256 for both hashes and a salt as long as they are (RFC 8017). Requests alone are signed so; agreements are
    /// not, whose contract does not name it.
    RsaPssSha256,
}

impl Algorithm {
    const ALL: [Self; 4] =
        [Self::Ed25519, Self::EcdsaP256Sha256, Self::EcdsaP384Sha384, Self::RsaPssSha256];

    /// Its name where signatures are kept.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha256 => "rsa-pss-sha256",
        }
    }

    /// The algorithm of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether a public key of so many bytes can be one: of an uncompressed point (SEC 1, 2.3.3), of RFC 8032, or of RFC 8017, which
    /// is longer than any of these.
    fn takes(self, key_bytes: usize) -> bool {
        match self {
            Self::Ed25519 => key_bytes == 32,
            Self::EcdsaP256Sha256 => key_bytes == 65,
            Self::EcdsaP384Sha384 => key_bytes == 97,
            Self::RsaPssSha256 => key_bytes > 97,
        }
    }

    fn scheme(self) -> SignatureScheme {
        match self {
            Self::Ed25519 => SignatureScheme::ED25519,
            Self::EcdsaP256Sha256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            Self::EcdsaP384Sha384 => SignatureScheme::ECDSA_NISTP384_SHA384,
            Self::RsaPssSha256 => SignatureScheme::RSA_PSS_SHA256,
        }
    }
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The certificate is none, names nobody of the trust domain, is not of a trusted CA, ended, or was revoked.
    #[error("the certificate is not trusted")]
    NotTrusted,
    /// The signature is not one of these bytes by the key of the certificate.
    #[error("the signature does not verify")]
    NotVerified,
}

/// Whose signatures count: those of whoever a listener with the same CA, lists and trust domain would let in.
#[derive(Debug, Clone)]
pub struct Signers {
    files: tls::Files,
    trust_domain: String,
}

/// The files, as they are now.
struct Trusted {
    verifier: Arc<dyn ClientCertVerifier>,
    revoked: Revoked,
}

impl Signers {
    /// Whose signatures count by the CA and the lists of revocations of `files`, which are read for each signature: there are few,
    /// and another list counts at once.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn read(files: &tls::Files, trust_domain: &str) -> Result<Self, StartError> {
        let signers = Self { files: files.clone(), trust_domain: trust_domain.to_owned() };
        signers.trusted()?;
        Ok(signers)
    }

    fn trusted(&self) -> Result<Trusted, StartError> {
        let files = &self.files;
        let roots = Arc::new(tls::roots(&files.ca)?);
        let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, tls::provider());
        if !files.crl.is_empty() {
            verifier = verifier
                .with_crls(tls::revocations(&files.crl, Clock::system().now())?)
                .only_check_end_entity_revocation()
                .enforce_revocation_expiration();
        }
        let revoked = Revoked::read(&files.revoked_identities, &self.trust_domain)?;
        Ok(Trusted { verifier: verifier.build()?, revoked })
    }

    /// Who signed `message`, where the certificate is good now, by the machine's clock like that of every connection. `chain` has
    /// the certificate first, in DER, and what it was issued by after it.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn verify(
        &self,
        chain: &[Vec<u8>],
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Caller, NotSigned> {
        self.verify_at(UnixTime::now(), chain, algorithm, message, signature)
    }

    /// Who signed `message` where the certificate was good at a moment, in microseconds since 1970, as far as can be known afterwards: by the CA and the
    /// certificate's days. What was signed then stands, also after a certificate ended or was revoked; that it was not revoked when it
    /// signed is for whoever took the signature then, by [`Signers::verify`].
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn verify_then(
        &self,
        at_us: i64,
        chain: &[Vec<u8>],
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Caller, NotSigned> {
        let since = u64::try_from(at_us).map_err(|_| NotSigned::NotTrusted)?;
        let at = UnixTime::since_unix_epoch(Duration::from_micros(since));
        let files = tls::Files {
            crl: String::new(),
            revoked_identities: String::new(),
            ..self.files.clone()
        };
        let then = Self { files, trust_domain: self.trust_domain.clone() };
        then.verify_at(at, chain, algorithm, message, signature)
    }

    fn verify_at(
        &self,
        now: UnixTime,
        chain: &[Vec<u8>],
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Caller, NotSigned> {
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let (own, others) = chain.split_first().ok_or(NotSigned::NotTrusted)?;
        if others.len() > CHAIN_MAX {
            return Err(NotSigned::NotTrusted);
        }
        let caller = Caller::from_certificate(own, &self.trust_domain);
        let caller = caller.map_err(|_| NotSigned::NotTrusted)?;
        let Trusted { verifier, revoked } = self.trusted().map_err(|error| {
            tracing::error!(%error, "who may sign cannot be read: nobody is trusted");
            NotSigned::NotTrusted
        })?;
        if verifier.verify_client_cert(own, others, now).is_err() || revoked.holds(&caller) {
            return Err(NotSigned::NotTrusted);
        }
        if signs(own, algorithm, message, signature) {
            Ok(caller)
        } else {
            Err(NotSigned::NotVerified)
        }
    }
}

fn signs(certificate: &[u8], algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let key = &certificate.public_key().subject_public_key.data;
    // An algorithm is one for a curve; the lengths of their points differ.
    if !algorithm.takes(key.len()) {
        return false;
    }
    let provider = tls::provider();
    let all = provider.signature_verification_algorithms.mapping;
    let mut fitting = all.iter().filter(|(scheme, _)| *scheme == algorithm.scheme());
    fitting.any(|(_, algorithms)| {
        algorithms.iter().any(|one| one.verify_signature(key, message, signature).is_ok())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SignatureAlgorithm,
        SigningKey as _,
    };
    use time::{OffsetDateTime, macros::datetime};

    use super::*;

    const ID: &str = "spiffe://t/agency/G24/system/hi";
    const NOW: OffsetDateTime = datetime!(2026-11-24 00:00 UTC);

    fn ca() -> (String, Issuer<'static, KeyPair>) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = datetime!(2026-01-01 00:00 UTC);
        params.not_after = datetime!(2027-01-01 00:00 UTC);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        (pem, Issuer::new(params, key))
    }

    fn issue(
        by: &Issuer<'static, KeyPair>,
        id: &str,
        algorithm: &'static SignatureAlgorithm,
    ) -> (Vec<u8>, KeyPair) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = datetime!(2026-01-01 00:00 UTC);
        params.not_after = datetime!(2026-12-01 00:00 UTC);
        let key = KeyPair::generate_for(algorithm).unwrap();
        (params.signed_by(&key, by).unwrap().der().to_vec(), key)
    }

    fn signers(ca: &str) -> (tempfile::TempDir, Signers) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, ca).unwrap();
        let (certificate, key, crl, revoked_identities) = Default::default();
        let files = tls::Files {
            certificate,
            key,
            ca: file.display().to_string(),
            crl,
            revoked_identities,
        };
        let signers = Signers::read(&files, "t").unwrap();
        (folder, signers)
    }

    #[test]
    fn a_signature_of_a_trusted_key_over_the_bytes_counts_and_nothing_else() {
        let (pem, issuer) = ca();
        let (_folder, signers) = signers(&pem);
        let kinds = [
            (&PKCS_ED25519, Algorithm::Ed25519, Algorithm::EcdsaP256Sha256),
            (&PKCS_ECDSA_P256_SHA256, Algorithm::EcdsaP256Sha256, Algorithm::Ed25519),
            (&PKCS_ECDSA_P256_SHA256, Algorithm::EcdsaP256Sha256, Algorithm::EcdsaP384Sha384),
            (&PKCS_ECDSA_P384_SHA384, Algorithm::EcdsaP384Sha384, Algorithm::EcdsaP256Sha256),
        ];
        for (kind, algorithm, other) in kinds {
            let (certificate, key) = issue(&issuer, ID, kind);
            let signature = key.sign(b"bytes").unwrap();
            let chain = [certificate.clone()];
            let verify = |chain: &[Vec<u8>], algorithm, message: &[u8], signature: &[u8], now| {
                let seconds = u64::try_from(OffsetDateTime::unix_timestamp(now)).unwrap();
                let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
                signers.verify_at(now, chain, algorithm, message, signature)
            };
            let signer = verify(&chain, algorithm, b"bytes", &signature, NOW).unwrap();
            assert_eq!(signer.id(), ID);
            assert!(signer.key().is_some());
            let not_verified = Err(NotSigned::NotVerified);
            assert_eq!(verify(&chain, algorithm, b"other", &signature, NOW), not_verified);
            assert_eq!(verify(&chain, other, b"bytes", &signature, NOW), not_verified);
            for place in 0..signature.len() {
                let mut changed = signature.clone();
                changed[place] ^= 1;
                assert_eq!(verify(&chain, algorithm, b"bytes", &changed, NOW), not_verified);
            }
            let (another, _) = issue(&issuer, ID, kind);
            assert_eq!(verify(&[another], algorithm, b"bytes", &signature, NOW), not_verified);
            // Of another CA, of nobody of the domain, ended, or none at all.
            let not_trusted = Err(NotSigned::NotTrusted);
            let (_, stranger) = ca();
            let (foreign, foreign_key) = issue(&stranger, ID, kind);
            let by_foreign = foreign_key.sign(b"bytes").unwrap();
            assert_eq!(verify(&[foreign], algorithm, b"bytes", &by_foreign, NOW), not_trusted);
            let (outside, outside_key) = issue(&issuer, "spiffe://other/agency/a/system/b", kind);
            let by_outside = outside_key.sign(b"bytes").unwrap();
            assert_eq!(verify(&[outside], algorithm, b"bytes", &by_outside, NOW), not_trusted);
            let late = datetime!(2026-12-02 00:00 UTC);
            assert_eq!(verify(&chain, algorithm, b"bytes", &signature, late), not_trusted);
            assert_eq!(verify(&[], algorithm, b"bytes", &signature, NOW), not_trusted);
        }
    }

    /// Another list counts for the next signature, and where none can be read nobody is trusted.
    #[test]
    fn i9_whoever_is_revoked_signs_no_more() {
        let (pem, issuer) = ca();
        let (folder, mut signers) = signers(&pem);
        let revoked = folder.path().join("revoked.txt");
        std::fs::write(&revoked, "").unwrap();
        signers.files.revoked_identities = revoked.display().to_string();
        let (certificate, key) = issue(&issuer, ID, &PKCS_ED25519);
        let signature = key.sign(b"bytes").unwrap();
        let seconds = u64::try_from(NOW.unix_timestamp()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let verify = || {
            let chain = [certificate.clone()];
            signers.verify_at(now, &chain, Algorithm::Ed25519, b"bytes", &signature)
        };
        assert!(verify().is_ok());
        std::fs::write(&revoked, ID).unwrap();
        assert_eq!(verify(), Err(NotSigned::NotTrusted));
        std::fs::remove_file(&revoked).unwrap();
        assert_eq!(verify(), Err(NotSigned::NotTrusted));
    }
}
