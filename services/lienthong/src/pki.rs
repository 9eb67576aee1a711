//! A development certificate authority: a folder with a CA and the certificates it issued. Production
//! takes certificates from outside; nothing here is needed there.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use server::{runtime::Clock, tls};
use time::Duration;

const CA_DAYS: i64 = 3_650;
const LEAF_DAYS: i64 = 365;
/// Clocks of two machines differ.
const SKEW: Duration = Duration::hours(1);

/// A folder with a CA: `ca.pem`, `ca.key`, and `<name>.pem` and `<name>.key` of what it issued.
pub struct Pki {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    clock: Clock,
}

impl Pki {
    /// Opens the CA of a folder, and makes one where there is none.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or holds something else.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self> {
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        if !certificate.exists() || !key.exists() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", shown(folder)))?;
            make_ca(&certificate, &key, &clock)?;
        }
        let key = KeyPair::from_pem(&read(&key)?).context("the CA's key is malformed")?;
        let issuer = Issuer::from_ca_cert_pem(&read(&certificate)?, key);
        let issuer = issuer.context("the CA's certificate is malformed")?;
        Ok(Self { folder: folder.to_owned(), issuer, clock })
    }

    /// The files of `name`, issued for the SPIFFE id when they are not there.
    ///
    /// # Errors
    /// When the id is no URI, or the files cannot be written.
    pub fn issue(&self, name: &str, spiffe_id: &str) -> Result<tls::Files> {
        let path = |suffix: &str| self.folder.join(format!("{name}.{suffix}"));
        let (certificate, key) = (path("pem"), path("key"));
        if !certificate.exists() || !key.exists() {
            let pair = KeyPair::generate()?;
            let mut params =
                CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.subject_alt_names.push(SanType::URI(spiffe_id.try_into()?));
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            params.use_authority_key_identifier_extension = true;
            (params.not_before, params.not_after) = self.days(LEAF_DAYS);
            let issued = params.signed_by(&pair, &self.issuer)?;
            write_secret(&key, &pair.serialize_pem())?;
            write(&certificate, &issued.pem())?;
        }
        Ok(tls::Files {
            certificate: shown(&certificate),
            key: shown(&key),
            ca: shown(&self.folder.join("ca.pem")),
        })
    }

    fn days(&self, days: i64) -> (time::OffsetDateTime, time::OffsetDateTime) {
        let now = self.clock.now();
        (now - SKEW, now + Duration::days(days))
    }
}

fn make_ca(certificate: &Path, key: &Path, clock: &Clock) -> Result<()> {
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "lienthong development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) =
        (clock.now() - SKEW, clock.now() + Duration::days(CA_DAYS));
    write_secret(key, &pair.serialize_pem())?;
    write(certificate, &params.self_signed(&pair)?.pem())
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When it cannot be written.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", shown(path)))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", shown(path)))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", shown(path)))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", shown(path)))
}

/// A path as text, for configuration and messages.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
