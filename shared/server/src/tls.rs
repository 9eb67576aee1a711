//! rustls configurations: TLS 1.3 only, client certificates required, X25519MLKEM768 offered first, no
//! session resumption (a resumed session would skip the client's certificate).

use std::sync::Arc;

use rustls::{
    ClientConfig, NamedGroup, RootCertStore, ServerConfig, ServerConnection,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime,
    pem::PemObject,
};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer, revocation_list::CertificateRevocationList,
};

use crate::{StartError, caller::Caller, revoked::Revoked, runtime::Clock};

/// Files that make an identity.
#[derive(Debug, Clone)]
pub struct Files {
    /// PEM file of the certificate chain.
    pub certificate: String,
    /// PEM file of the private key.
    pub key: String,
    /// PEM file of the CA certificates that peers are verified against.
    pub ca: String,
    /// PEM file of the revocation lists of those CAs; empty when nothing is revoked. A peer whose certificate
    /// is on one, or on whose certificate they say nothing, gets no connection.
    pub crl: String,
    /// Text file of the identities that are revoked, whatever their certificate (`revoked`); empty when none is.
    pub revoked_identities: String,
}

/// The group in which both ends of a connection made their keys; a handler finds it among the extensions of its
/// request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyExchange(NamedGroup);

impl KeyExchange {
    pub(crate) fn of(connection: &ServerConnection) -> Option<Self> {
        connection.negotiated_key_exchange_group().map(|group| Self(group.name()))
    }

    /// As TLS calls it, for example `X25519MLKEM768`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.as_str().unwrap_or("unknown")
    }
}

/// Who a listener is, and whom it lets in.
pub(crate) struct Identity {
    /// Makes handshakes with those who speak gRPC.
    pub(crate) acceptor: TlsAcceptor,
    /// The same with those who speak HTTP/1.1 (`web`).
    pub(crate) web: TlsAcceptor,
    /// Says of a caller's certificate whether it is let in.
    pub(crate) callers: Arc<dyn ClientCertVerifier>,
    /// Whom it lets in with no certificate, and by no proxy.
    pub(crate) revoked: Revoked,
    /// When the certificate or the first of the lists runs out, in seconds since 1970.
    pub(crate) expires: u64,
}

impl Identity {
    /// Whether a caller that was let in would be let in now.
    pub(crate) fn admits(&self, chain: &[CertificateDer<'_>], caller: Option<&Caller>) -> bool {
        let Some((own, others)) = chain.split_first() else { return false };
        !caller.is_some_and(|caller| self.revoked.holds(caller))
            && self.callers.verify_client_cert(own, others, UnixTime::now()).is_ok()
    }
}

/// Which services may be called.
pub(crate) struct Services {
    /// Says it of a service's certificate.
    pub(crate) verifier: Arc<WebPkiServerVerifier>,
    /// Those that may not, with any.
    pub(crate) revoked: Revoked,
}

impl Services {
    /// Whether the service of this name, certificate and identity may be called now.
    pub(crate) fn admit(
        &self,
        name: &ServerName<'_>,
        chain: &[CertificateDer<'_>],
        service: &Caller,
    ) -> bool {
        let Some((own, others)) = chain.split_first() else { return false };
        let now = UnixTime::now();
        !self.revoked.holds(service)
            && self.verifier.verify_server_cert(own, others, name, &[], now).is_ok()
    }
}

/// The identity of a listener.
pub(crate) fn server(files: &Files, trust_domain: &str) -> Result<Identity, StartError> {
    let provider = provider();
    let roots = Arc::new(roots(&files.ca)?);
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let chain = chain(&files.certificate)?;
    let mut ends: Vec<i64> = chain.first().and_then(|own| not_after(own)).into_iter().collect();
    if !files.crl.is_empty() {
        let lists = revocations(&files.crl, Clock::system().now())?;
        ends.extend(lists.iter().filter_map(|list| next_update(list)));
        // Intermediate certificates, of which agencies have none here, are not on these lists.
        verifier = verifier
            .with_crls(lists)
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration();
    }
    let callers = verifier.build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::clone(&callers))
        .with_single_cert(chain, key(&files.key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    let mut web = config.clone();
    web.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (acceptor, web) = (TlsAcceptor::from(Arc::new(config)), TlsAcceptor::from(Arc::new(web)));
    let expires = ends.into_iter().min().and_then(|at| u64::try_from(at).ok()).unwrap_or_default();
    let revoked = Revoked::read(&files.revoked_identities, trust_domain)?;
    Ok(Identity { acceptor, web, callers, revoked, expires })
}

fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

fn next_update(list: &[u8]) -> Option<i64> {
    let (_, parsed) = CertificateRevocationList::from_der(list).ok()?;
    Some(parsed.next_update()?.timestamp())
}

/// Which services may be called, as the files say.
pub(crate) fn services(files: &Files, trust_domain: &str) -> Result<Services, StartError> {
    let revoked = Revoked::read(&files.revoked_identities, trust_domain)?;
    Ok(Services { verifier: verifier(files)?, revoked })
}

fn verifier(files: &Files) -> Result<Arc<WebPkiServerVerifier>, StartError> {
    let roots = Arc::new(roots(&files.ca)?);
    let mut verifier = WebPkiServerVerifier::builder_with_provider(roots, provider());
    if !files.crl.is_empty() {
        verifier = verifier
            .with_crls(revocations(&files.crl, Clock::system().now())?)
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration();
    }
    Ok(verifier.build()?)
}

/// The configuration of outgoing connections.
pub fn client(files: &Files) -> Result<Arc<ClientConfig>, StartError> {
    client_that_calls(verifier(files)?, files)
}

/// The same to services of which `services` says whether they may be called.
pub(crate) fn client_that_calls(
    services: Arc<WebPkiServerVerifier>,
    files: &Files,
) -> Result<Arc<ClientConfig>, StartError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_webpki_verifier(services)
        .with_client_auth_cert(chain(&files.certificate)?, key(&files.key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The configuration of connections that go out of the suite: to whoever has a certificate of these CAs for its name, as nobody.
/// Without a file nobody is believed.
///
/// # Errors
/// [`StartError::Pem`], [`StartError::Tls`] and [`StartError::Verifier`] where the file holds no CA certificates.
pub fn outward(ca: &str) -> Result<ClientConfig, StartError> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let config = if ca.is_empty() {
        config.with_root_certificates(RootCertStore::empty())
    } else {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca)?), provider());
        config.with_webpki_verifier(verifier.build()?)
    };
    Ok(config.with_no_client_auth())
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(crate) fn chain(path: &str) -> Result<Vec<CertificateDer<'static>>, StartError> {
    CertificateDer::pem_file_iter(path)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|source| pem("a certificate chain", path, source))
}

pub(crate) fn key(path: &str) -> Result<PrivateKeyDer<'static>, StartError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| pem("a private key", path, source))
}

pub(crate) fn roots(path: &str) -> Result<RootCertStore, StartError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The revocation lists of a file: at least one, and each within its time.
pub(crate) fn revocations(
    path: &str,
    now: OffsetDateTime,
) -> Result<Vec<CertificateRevocationListDer<'static>>, StartError> {
    let faulty = |why| StartError::Revocations { path: path.to_owned(), why };
    let lists = CertificateRevocationListDer::pem_file_iter(path)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|source| pem("revocation lists", path, source))?;
    for list in &lists {
        let Ok((_, parsed)) = CertificateRevocationList::from_der(list) else {
            return Err(faulty("is damaged"));
        };
        let until =
            parsed.next_update().ok_or_else(|| faulty("does not say until when it holds"))?;
        if until.to_datetime() <= now {
            return Err(faulty("has passed its date; publish a new one"));
        }
    }
    if lists.is_empty() { Err(faulty("holds no list")) } else { Ok(lists) }
}

fn pem(what: &'static str, path: &str, source: rustls_pki_types::pem::Error) -> StartError {
    StartError::Pem { what, path: path.to_owned(), source }
}
