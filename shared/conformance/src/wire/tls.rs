//! Whom the kit calls, and as whom.

use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use crate::Refusal;

/// The database that is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// `host:port`.
    pub(crate) address: String,
    /// What calls name as their authority.
    pub(crate) authority: String,
    /// Name that its certificate must carry.
    pub(crate) name: ServerName<'static>,
    /// The same, as text.
    pub(crate) host: String,
    roots: Arc<RootCertStore>,
}

/// A certificate with its key.
pub(crate) struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// What TLS agreed on, and with whom.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    /// The version, for example `TLSv1_3`.
    pub(crate) version: Option<String>,
    /// The cipher suite.
    pub(crate) suite: Option<String>,
    /// The group of the key exchange.
    pub(crate) key_exchange: Option<String>,
    /// What ALPN agreed on.
    pub(crate) alpn: Option<String>,
    /// SHA-256 of the database's certificate.
    pub(crate) certificate_sha256: Option<String>,
}

impl Facts {
    pub(super) fn of(tls: &ClientConnection) -> Self {
        let certificate = tls.peer_certificates().and_then(|chain| chain.first());
        let group = tls.negotiated_key_exchange_group().map(|group| group.name());
        Self {
            version: tls.protocol_version().and_then(|version| version.as_str()).map(Into::into),
            suite: tls
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .map(Into::into),
            key_exchange: group.and_then(|group| group.as_str()).map(Into::into),
            alpn: tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
            certificate_sha256: certificate.map(|der| hex::encode(Sha256::digest(der))),
        }
    }
}

impl Target {
    /// The database at `address`, whose certificate an authority of the PEM file `ca` issued.
    pub(crate) fn new(address: &str, name: Option<&str>, ca: &str) -> Result<Self, Refusal> {
        let host = address.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
        let host = host.filter(|host| !host.is_empty()).ok_or_else(|| {
            Refusal::Usage(format!("`{address}` không phải HOST:PORT / is not HOST:PORT"))
        })?;
        let host = name.unwrap_or(host).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| {
            Refusal::Usage(format!("`{host}` không phải tên máy chủ / is no server name"))
        })?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|error| Refusal::file(ca, &error))?;
        }
        if roots.is_empty() {
            return Err(Refusal::file(ca, &"không có chứng thư số / it holds no certificate"));
        }
        let port = address.rsplit_once(':').map_or("443", |(_, port)| port);
        let authority = format!("{host}:{port}");
        Ok(Self { address: address.to_owned(), authority, name, host, roots: Arc::new(roots) })
    }

    /// TLS 1.3 towards the database.
    pub(crate) fn config(
        &self,
        who: Option<&Credentials>,
    ) -> Result<Arc<ClientConfig>, rustls::Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match who {
            Some(who) => config.with_client_auth_cert(who.chain.clone(), who.key.clone_key())?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

impl Credentials {
    /// Those of two PEM files.
    pub(crate) fn read(certificate: &str, key: &str) -> Result<Self, Refusal> {
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| Refusal::file(key, &error))?;
        Ok(Self { chain, key })
    }

    /// A certificate with the same names that an authority issued which nobody knows.
    pub(crate) fn counterfeit(&self) -> Result<Self, rcgen::Error> {
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate()?;
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let mut leaf = rcgen::CertificateParams::default();
        for uri in self.uris() {
            leaf.subject_alt_names.push(rcgen::SanType::URI(uri.as_str().try_into()?));
        }
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        Ok(Self { chain: vec![certificate.der().clone()], key })
    }

    /// SHA-256 of the certificate, by which a warrant names who presents it.
    pub(crate) fn thumbprint(&self) -> [u8; 32] {
        self.chain.first().map_or([0; 32], |der| warrant::thumbprint(der))
    }

    fn uris(&self) -> Vec<String> {
        let Some(own) = self.chain.first() else { return Vec::new() };
        let Ok((_, own)) = x509_parser::certificate::X509Certificate::from_der(own) else {
            return Vec::new();
        };
        let names = own.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names);
        names
            .filter_map(|name| if let GeneralName::URI(uri) = name { Some(uri) } else { None })
            .map(|uri| (*uri).to_owned())
            .collect()
    }
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    CertificateDer::pem_file_iter(path)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|error| Refusal::file(path, &error))
}
