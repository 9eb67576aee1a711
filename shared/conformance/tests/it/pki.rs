//! Certificates for a test: an authority, a database, the kit, a stranger.

use std::{fs, path::Path, sync::Arc};

use conformance::{Pem, WarrantKey};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::faults::Fault;

pub const KIT: &str = "spiffe://lienthong.test/service/conformance";
const STRANGER: &str = "spiffe://lienthong.test/agency/Z00.TEST/system/stranger";

/// Who signs the warrants of tests.
pub const ISSUER: &str = "spiffe://lienthong.test/service/policy";

pub struct Pki {
    folder: tempfile::TempDir,
    /// What signs them.
    pub warrants: WarrantKey,
}

impl Pki {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.self_signed(&key).unwrap().pem())
            .unwrap();
        let issuer = Issuer::new(authority, key);
        for (name, uri) in [("kit", KIT), ("stranger", STRANGER), ("database", "spiffe://x/db")] {
            let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            leaf.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
            leaf.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
            leaf.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
            let key = KeyPair::generate().unwrap();
            let certificate = leaf.signed_by(&key, &issuer).unwrap();
            fs::write(folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self { folder, warrants: WarrantKey::generate(ISSUER) }
    }

    pub fn warrant_keys(&self) -> warrant::KeySet {
        warrant::KeySet::parse(self.warrants.jwks().unwrap().as_bytes()).unwrap()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }

    pub fn ca(&self) -> String {
        self.path("ca.pem")
    }

    pub fn pem(&self, name: &str) -> Pem {
        Pem {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        }
    }

    pub fn server(&self, fault: Option<Fault>) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier: Arc<dyn ClientCertVerifier> = match fault {
            Some(Fault::NoCertificateWanted) => verifier.allow_unauthenticated().build().unwrap(),
            Some(Fault::AnyAuthority) => Arc::new(Anybody(provider.clone())),
            _ => verifier.build().unwrap(),
        };
        let own = self.pem("database");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_file(own.certificate).unwrap()],
                PrivateKeyDer::from_pem_file(own.key).unwrap(),
            )
            .unwrap();
        if fault != Some(Fault::NoAlpn) {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }
}

/// Lets everybody in who has a certificate.
#[derive(Debug)]
struct Anybody(Arc<rustls::crypto::CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::server::danger::ClientCertVerified, rustls::Error> {
        Ok(rustls::server::danger::ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
