//! Signatures of callers over their own requests (non-repudiation): read from the metadata of a call, and verified by the certificate
//! of its connection. What is signed, and how, stands in `type/v1/request_signature.proto`.
//!
//! Whether the certificate is trusted is not asked here: a connection that it was shown on is there because it is. Whoever verifies a
//! recorded signature later looks at that by itself.

use std::sync::Arc;

use contract::r#type::v1::RequestSignature;
use prost::Message as _;
use rustls::{SignatureScheme, crypto::aws_lc_rs::sign::any_supported_type, sign::SigningKey};
use tonic::metadata::MetadataMap;

use super::{Algorithm, signs};
use crate::{StartError, call::Thumbprint, tls};

/// The metadata in which a signature comes.
pub const METADATA: &str = "lienthong-signature-bin";
/// The longest certificate that is kept with a signature.
pub const CERTIFICATE_MAX: usize = 16 << 10;
/// The longest signature: of RSA with a key of 8192 bits.
const SIGNATURE_MAX: usize = 1 << 10;

/// Why a signature is not one of its caller over its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not of the form of the contract, or there are several.
    #[error("the signature is malformed")]
    Malformed,
    /// The algorithm is none of the contract's.
    #[error("the algorithm is not known")]
    Algorithm,
    /// The connection has no certificate of the caller: it came by the proxy of a mesh.
    #[error("there is no certificate to verify it by")]
    NoCertificate,
    /// It names another certificate, or the certificate is longer than is kept.
    #[error("it names another certificate")]
    OtherCertificate,
    /// It is not one of these bytes by the key of the certificate, or the key is not of the algorithm's kind.
    #[error("the signature does not verify")]
    NotVerified,
    /// The call sends more than the one request that a signature can be of.
    #[error("a call of several requests cannot be signed")]
    Stream,
}

impl Fault {
    /// Its stable name, as the contract has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::NoCertificate => "no-certificate",
            Self::OtherCertificate => "certificate",
            Self::NotVerified => "signature",
            Self::Stream => "stream",
        }
    }
}

/// The signature among the metadata of a call; none where there is none.
///
/// # Errors
/// [`Fault::Malformed`], also where there are several: which of them was meant nobody could say later.
pub fn read(metadata: &MetadataMap) -> Result<Option<RequestSignature>, Fault> {
    let mut all = metadata.get_all_bin(METADATA).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Fault::Malformed);
    }
    let bytes = first.to_bytes().map_err(|_| Fault::Malformed)?;
    let signature = RequestSignature::decode(bytes).map_err(|_| Fault::Malformed)?;
    Ok(Some(signature))
}

/// Verifies a signature over `message` by a certificate in DER.
///
/// # Errors
/// [`Fault`].
pub fn verify(
    signature: &RequestSignature,
    certificate: &[u8],
    message: &[u8],
) -> Result<(), Fault> {
    let RequestSignature { algorithm, certificate_thumbprint, signature } = signature;
    let bounded = (1..=SIGNATURE_MAX).contains(&signature.len());
    if certificate_thumbprint.len() != 32 || !bounded {
        return Err(Fault::Malformed);
    }
    let algorithm = Algorithm::of(algorithm).ok_or(Fault::Algorithm)?;
    let Thumbprint(own) = Thumbprint::of_certificate(certificate);
    if certificate_thumbprint != own.as_slice() || certificate.len() > CERTIFICATE_MAX {
        return Err(Fault::OtherCertificate);
    }
    if signs(certificate, algorithm, message, signature) { Ok(()) } else { Err(Fault::NotVerified) }
}

/// Signs requests by the key that its caller's connections are made with.
#[derive(Debug, Clone)]
pub struct Signer {
    key: Arc<dyn SigningKey>,
    algorithm: Algorithm,
    thumbprint: Thumbprint,
}

impl Signer {
    /// The signer of an identity, by its certificate and key.
    ///
    /// # Errors
    /// When a file cannot be used, or the key is of a kind that signs no requests.
    pub fn open(files: &tls::Files) -> Result<Self, StartError> {
        let chain = tls::chain(&files.certificate)?;
        let key = any_supported_type(&tls::key(&files.key)?)?;
        let signs = |one: &Algorithm| key.choose_scheme(&[one.scheme()]).is_some();
        let algorithm = Algorithm::ALL.into_iter().find(signs);
        let unfit =
            rustls::Error::General("the key is of a kind that signs no requests".to_owned());
        let algorithm = algorithm.ok_or(StartError::Tls(unfit))?;
        let own = chain.first().map(|der| Thumbprint::of_certificate(der));
        let thumbprint = own.ok_or(StartError::Tls(rustls::Error::NoCertificatesPresented))?;
        Ok(Self { key, algorithm, thumbprint })
    }

    /// The signature over `message`.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn sign(&self, message: &[u8]) -> Result<RequestSignature, StartError> {
        let scheme: &[SignatureScheme] = &[self.algorithm.scheme()];
        let signer = self.key.choose_scheme(scheme);
        let signer = signer.ok_or_else(|| rustls::Error::General("no key".to_owned()))?;
        Ok(RequestSignature {
            algorithm: self.algorithm.name().to_owned(),
            certificate_thumbprint: self.thumbprint.0.to_vec(),
            signature: signer.sign(message)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        SigningKey as _,
    };
    use tonic::metadata::MetadataValue;

    use super::*;

    /// A certificate of each kind of key that signs with the certificate's own hash, and its algorithm.
    fn signers() -> Vec<(Vec<u8>, KeyPair, &'static str)> {
        let kinds = [
            (&PKCS_ED25519, "ed25519"),
            (&PKCS_ECDSA_P256_SHA256, "ecdsa-p256-sha256"),
            (&PKCS_ECDSA_P384_SHA384, "ecdsa-p384-sha384"),
        ];
        let one = |(kind, name)| {
            let key = KeyPair::generate_for(kind).unwrap();
            let certificate = CertificateParams::default().self_signed(&key).unwrap();
            (certificate.der().to_vec(), key, name)
        };
        kinds.into_iter().map(one).collect()
    }

    fn signed(
        certificate: &[u8],
        key: &KeyPair,
        algorithm: &str,
        message: &[u8],
    ) -> RequestSignature {
        RequestSignature {
            algorithm: algorithm.to_owned(),
            certificate_thumbprint: Thumbprint::of_certificate(certificate).0.to_vec(),
            signature: key.sign(message).unwrap(),
        }
    }

    #[test]
    fn a_signature_is_by_the_certificate_that_it_names_and_by_no_other() {
        let signers = signers();
        for (certificate, key, algorithm) in &signers {
            let good = signed(certificate, key, algorithm, b"message");
            assert_eq!(verify(&good, certificate, b"message"), Ok(()), "{algorithm}");
            assert_eq!(verify(&good, certificate, b"another"), Err(Fault::NotVerified));
            for (other, ..) in signers.iter().filter(|(other, ..)| other != certificate) {
                assert_eq!(verify(&good, other, b"message"), Err(Fault::OtherCertificate));
                let thumbprint = Thumbprint::of_certificate(other).0.to_vec();
                let named = RequestSignature { certificate_thumbprint: thumbprint, ..good.clone() };
                assert_eq!(verify(&named, other, b"message"), Err(Fault::NotVerified));
            }
            for name in Algorithm::ALL.map(Algorithm::name) {
                let named = RequestSignature { algorithm: name.to_owned(), ..good.clone() };
                assert_eq!(verify(&named, certificate, b"message").is_ok(), name == *algorithm);
            }
        }
    }

    /// The vector of the contract, signed by OpenSSL.
    #[test]
    fn the_committed_vector_verifies() {
        let text = include_str!("../../../tlog/testdata/request_signature.json");
        let v: serde_json::Value = serde_json::from_str(text).unwrap();
        let raw = |name: &str| hex::decode(v.get(name).unwrap().as_str().unwrap()).unwrap();
        let mut metadata = MetadataMap::new();
        metadata.insert_bin(METADATA, MetadataValue::from_bytes(&raw("metadata")));
        let signature = read(&metadata).unwrap().unwrap();
        assert_eq!(verify(&signature, &raw("certificate"), &raw("to_sign")), Ok(()));
        assert_eq!(signature.signature, raw("signature"));
    }

    /// Made by OpenSSL: `openssl req -x509 -newkey rsa:2048`, and `openssl pkeyutl -sign` with `rsa_padding_mode:pss`,
    /// `rsa_pss_saltlen:32` and `rsa_mgf1_md:sha256` over the digest of `message`.
    #[test]
    fn rsa_is_verified_as_another_program_signs_it() {
        let certificate = include_bytes!("../../testdata/rsa.der");
        let signature = include_bytes!("../../testdata/rsa.sig");
        let good = RequestSignature {
            algorithm: "rsa-pss-sha256".to_owned(),
            certificate_thumbprint: Thumbprint::of_certificate(certificate).0.to_vec(),
            signature: signature.to_vec(),
        };
        assert_eq!(verify(&good, certificate, b"message"), Ok(()));
        assert_eq!(verify(&good, certificate, b"another"), Err(Fault::NotVerified));
        for name in ["ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384"] {
            let named = RequestSignature { algorithm: name.to_owned(), ..good.clone() };
            assert_eq!(verify(&named, certificate, b"message"), Err(Fault::NotVerified));
        }
    }

    #[test]
    fn what_has_not_the_form_says_what_is_wrong() {
        let signers = signers();
        let (certificate, key, algorithm) = signers.first().unwrap();
        let good = signed(certificate, key, algorithm, b"m");
        let found = |changed| verify(&changed, certificate, b"m").err();
        let thumbprint = good.certificate_thumbprint.clone();
        let cut = thumbprint.iter().skip(1).copied().collect();
        let short = RequestSignature { certificate_thumbprint: cut, ..good.clone() };
        assert_eq!(found(short), Some(Fault::Malformed));
        let none = RequestSignature { signature: Vec::new(), ..good.clone() };
        assert_eq!(found(none), Some(Fault::Malformed));
        let long = RequestSignature { signature: vec![0; SIGNATURE_MAX + 1], ..good.clone() };
        assert_eq!(found(long), Some(Fault::Malformed));
        for name in ["", "ECDSA-P256-SHA256", "rsa-pkcs1-sha256", "none"] {
            let named = RequestSignature { algorithm: name.to_owned(), ..good.clone() };
            assert_eq!(found(named), Some(Fault::Algorithm), "{name}");
        }
    }

    #[test]
    fn one_signature_is_read_and_never_a_second() {
        let mut metadata = MetadataMap::new();
        assert_eq!(read(&metadata), Ok(None));
        let one =
            RequestSignature { algorithm: "ed25519".to_owned(), ..RequestSignature::default() };
        let value = MetadataValue::from_bytes(&one.encode_to_vec());
        metadata.insert_bin(METADATA, value.clone());
        assert_eq!(read(&metadata), Ok(Some(one)));
        metadata.append_bin(METADATA, value);
        assert_eq!(read(&metadata), Err(Fault::Malformed));
        metadata.insert_bin(METADATA, MetadataValue::from_bytes(b"\x0a\x09short"));
        assert_eq!(read(&metadata), Err(Fault::Malformed));
    }

    /// Whatever kind of key an identity has, what it signs verifies by its certificate.
    #[test]
    fn an_identity_signs_by_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for kind in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
            let key = KeyPair::generate_for(kind).unwrap();
            let certificate = CertificateParams::default().self_signed(&key).unwrap();
            std::fs::write(path("own.pem"), certificate.pem()).unwrap();
            std::fs::write(path("own.key"), key.serialize_pem()).unwrap();
            let files = tls::Files {
                certificate: path("own.pem"),
                key: path("own.key"),
                ca: String::new(),
                crl: String::new(),
                revoked_identities: String::new(),
            };
            let signature = Signer::open(&files).unwrap().sign(b"message").unwrap();
            assert_eq!(verify(&signature, certificate.der(), b"message"), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn no_changed_bit_verifies(
            message in prop::collection::vec(any::<u8>(), 1..100),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
            which in 0..3_usize,
        ) {
            let signers = signers();
            let (certificate, key, algorithm) = signers.get(which).unwrap();
            let good = signed(certificate, key, algorithm, &message);
            prop_assert_eq!(verify(&good, certificate, &message), Ok(()));
            let changed = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let at = at.index(bytes.len());
                *bytes.get_mut(at).unwrap() ^= 1 << bit;
                bytes
            };
            prop_assert!(verify(&good, certificate, &changed(&message)).is_err());
            let signature = changed(&good.signature);
            let other = RequestSignature { signature, ..good.clone() };
            prop_assert!(verify(&other, certificate, &message).is_err());
            let certificate_thumbprint = changed(&good.certificate_thumbprint);
            let other = RequestSignature { certificate_thumbprint, ..good.clone() };
            prop_assert_eq!(verify(&other, certificate, &message), Err(Fault::OtherCertificate));
        }

        /// Whatever a stranger sends is an answer, and no panic.
        #[test]
        fn i8_any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut metadata = MetadataMap::new();
            metadata.insert_bin(METADATA, MetadataValue::from_bytes(&bytes));
            if let Ok(Some(signature)) = read(&metadata) {
                prop_assert!(verify(&signature, b"no certificate", b"message").is_err());
            }
        }
    }
}
