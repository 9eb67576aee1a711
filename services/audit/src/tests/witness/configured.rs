//! What must be true of the policy before the log takes a record (I9), and where witnesses are reached.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio_rustls::TlsAcceptor;

use super::*;

async fn refused(config: Config) -> Error {
    open(&config).await.err().expect("it must not start")
}

#[tokio::test]
async fn i9_a_policy_that_cannot_be_held_does_not_start() {
    let world = World::new(Engine::Sqlite, 1, 1).await;
    let key = world.witnesses[0].cosigner.verifier_key();
    let whole = |lines: &str| file(&format!("log {}\n{lines}\nquorum none\n", own_key()));
    let with = |policy: &tempfile::NamedTempFile| Config {
        witness_policy_file: path(policy),
        ..world.setup.config()
    };
    let away = Config { witness_policy_file: "/nowhere".to_owned(), ..world.setup.config() };
    assert!(matches!(refused(away).await, Error::WitnessPolicy { .. }));
    for text in ["", "quorum nobody\n", "\0"] {
        let error = refused(with(&file(text))).await;
        assert!(matches!(error, Error::MalformedWitnessPolicy { .. }), "{text:?}: {error}");
    }
    let other = LogSigner::from_seed(ORIGIN, [8; 32]).unwrap();
    for text in ["quorum none\n", &format!("log {}\nquorum none\n", other.verifier_key())] {
        assert!(matches!(refused(with(&file(text))).await, Error::PolicyOfOthers { .. }), "{text}");
    }
    let nowhere = refused(with(&whole(&format!("witness w {key}")))).await;
    assert!(matches!(nowhere, Error::WitnessWithoutUrl(name) if name == "w"));
    for url in ["w.test", "ftp://w.test/", "https://", "http://w.test/?a", "http://w.test/#a", "/w"]
    {
        let error = refused(with(&whole(&format!("witness w {key} {url}")))).await;
        assert!(matches!(error, Error::WitnessUrl { .. }), "{url}: {error}");
    }
    let https = whole(&format!("witness w {key} https://w.test/"));
    assert!(matches!(refused(with(&https)).await, Error::NoWitnessRoots(name) if name == "w"));
    for roots in ["/nowhere".to_owned(), path(&file("no certificate"))] {
        let config = Config { witness_roots_file: roots, ..with(&https) };
        assert!(matches!(refused(config).await, Error::WitnessRoots(_)));
    }
    let hasty = Config { witness_interval_ms: 0, ..world.config() };
    assert!(matches!(refused(hasty).await, Error::Limit("witness_interval_ms")));
    // Nothing of it touched the log.
    ends(world.open().await.close()).await;
}

/// A CA's certificate as PEM, and what accepts as `localhost` by it.
fn authority() -> (String, TlsAcceptor) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    let secret = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], secret)
        .unwrap();
    (pem, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn a_witness_at_https_has_a_certificate_of_the_configured_authorities() {
    let setup = Setup::new(Engine::Sqlite).await;
    let (pem, tls) = authority();
    let witness = Model::over("w0.test/witness", [40; 32], &own_key(), Some(tls)).await;
    let at = format!("https://localhost:{}/at", witness.address.port());
    let policy = file(&policy(1, &[(&witness, at)]));
    let with = |roots: &tempfile::NamedTempFile| Config {
        witness_policy_file: path(&policy),
        witness_roots_file: path(roots),
        ..setup.config()
    };
    let others = open(&with(&file(&authority().0))).await.unwrap();
    recorded(&others, 0).await;
    tokio::time::sleep(PACE.back_off_max * 4).await;
    assert_eq!((witness.asked().len(), witness.size()), (0, 0));
    shown(&others).await.unwrap_err();
    ends(others.close()).await;
    let service = open(&with(&file(&pem))).await.unwrap();
    until(|| async { witness.size() == 1 && shown(&service).await.is_ok() }).await;
    ends(service.close()).await;
}
