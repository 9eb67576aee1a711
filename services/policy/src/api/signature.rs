//! What somebody signed, in a request: checked for form.

use contract::policy::v1::SignatureAlgorithm;
use server::signed::Algorithm;
use wire::{Fault, Faults};

use crate::app::Signed;

const CERTIFICATES_MAX: usize = 5;
const CERTIFICATE_MAX: usize = 8 << 10;
const SIGNATURE_MAX: usize = 200;

/// A signature with the certificates of its key, under the name of its field.
pub(super) fn signed(
    field: &str,
    algorithm: SignatureAlgorithm,
    certificates: &[Vec<u8>],
    signature: &[u8],
    faults: &mut Faults,
) -> Option<Signed> {
    let named = |part: &str| format!("{field}.{part}");
    let algorithm = match algorithm {
        SignatureAlgorithm::Ed25519 => Some(Algorithm::Ed25519),
        SignatureAlgorithm::EcdsaP256Sha256 => Some(Algorithm::EcdsaP256Sha256),
        SignatureAlgorithm::EcdsaP384Sha384 => Some(Algorithm::EcdsaP384Sha384),
        SignatureAlgorithm::Unspecified => {
            faults.add(named("algorithm"), Fault::Missing);
            None
        }
    };
    if certificates.is_empty() {
        faults.add(named("certificates"), Fault::Missing);
    } else if certificates.len() > CERTIFICATES_MAX {
        faults.add(named("certificates"), Fault::TooMany(CERTIFICATES_MAX));
    } else if certificates.iter().any(|one| one.is_empty() || one.len() > CERTIFICATE_MAX) {
        faults.add(named("certificates"), Fault::Malformed);
    }
    match signature.len() {
        0 => faults.add(named("signature"), Fault::Missing),
        1..=SIGNATURE_MAX => {}
        _ => faults.add(named("signature"), Fault::Malformed),
    }
    let (certificates, signature) = (certificates.to_vec(), signature.to_vec());
    Some(Signed { certificates, algorithm: algorithm?, signature })
}
