//! A development certificate authority: a folder with a CA, the certificates it issued, and the list of
//! those it revoked. Production takes certificates from outside; nothing here is needed there.

mod index;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use index::Index;
pub use index::{Issued, Revoked};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use server::{
    runtime::{Clock, Entropy},
    tls,
};
use time::{Duration, OffsetDateTime};

const CA_DAYS: i64 = 3_650;
const LEAF_DAYS: u16 = 365;
/// Clocks of two machines differ.
const SKEW: Duration = Duration::hours(1);
/// Names of files that are the CA's own.
const RESERVED: [&str; 3] = ["ca", "crl", "index"];

/// A folder with a CA: `ca.pem`, `ca.key`, and `<name>.pem` and `<name>.key` of what it issued;
/// `index.json` says what that was, `crl.pem` what of it is revoked.
pub struct Pki {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    clock: Clock,
}

/// A certificate to be issued.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Name of its files.
    pub name: &'a str,
    /// Its identity.
    pub spiffe_id: &'a str,
    /// How long it is valid.
    pub days: u16,
    /// DNS names and addresses under which it is reached; empty for those of this machine.
    pub hosts: Vec<String>,
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
        Self::existing(folder, clock)
    }

    /// Opens the CA of a folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn existing(folder: &Path, clock: Clock) -> Result<Self> {
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        let key = KeyPair::from_pem(&read(&key)?).context("the CA's key is malformed")?;
        let issuer = Issuer::from_ca_cert_pem(&read(&certificate)?, key);
        let issuer = issuer.context("the CA's certificate is malformed")?;
        Ok(Self { folder: folder.to_owned(), issuer, clock })
    }

    /// Makes a CA for a trust domain, with an empty revocation list of `crl_days`.
    ///
    /// # Errors
    /// When the folder has one already, or cannot be written.
    pub fn create(folder: &Path, trust_domain: &str, crl_days: u16, clock: Clock) -> Result<Self> {
        if folder.join("ca.pem").exists() || folder.join("ca.key").exists() {
            bail!("{} holds a CA already", shown(folder));
        }
        let pki = Self::open(folder, clock)?;
        Index::change(&pki.folder, |index| {
            index.trust_domain = Some(trust_domain.to_owned());
            Ok(())
        })?;
        pki.publish(crl_days)?;
        Ok(pki)
    }

    /// The trust domain that the CA was made for; none for one that a demonstration made.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn trust_domain(&self) -> Result<Option<String>> {
        Ok(Index::read(&self.folder)?.trust_domain)
    }

    /// The files of `name`, issued for the SPIFFE id when they are not there.
    ///
    /// # Errors
    /// When the id is no URI, or the files cannot be written.
    pub fn issue(&self, name: &str, spiffe_id: &str) -> Result<tls::Files> {
        let files = self.files(name);
        if !Path::new(&files.certificate).exists() || !Path::new(&files.key).exists() {
            self.sign(&Wanted { name, spiffe_id, days: LEAF_DAYS, hosts: Vec::new() })?;
        }
        Ok(files)
    }

    /// Issues a certificate under a name that has none, or has only revoked or expired ones.
    ///
    /// # Errors
    /// When the name has a valid certificate, or is none for files.
    pub fn issue_new(&self, wanted: &Wanted) -> Result<(tls::Files, Issued)> {
        let name = wanted.name;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            bail!("`{name}` is no name: use letters, digits, `-`, `_` and `.`");
        }
        if RESERVED.contains(&name) {
            bail!("`{name}` is a name of the CA's own files");
        }
        let index = Index::read(&self.folder)?;
        if let Some(valid) = index.valid(name, self.clock.now()) {
            bail!("`{name}` has a certificate until {}; revoke it first", day(valid.not_after));
        }
        let files = self.files(name);
        if index.last(name).is_none() && Path::new(&files.certificate).exists() {
            bail!("{} is there and was not issued here", files.certificate);
        }
        Ok((files, self.sign(wanted)?))
    }

    /// Revokes the newest certificate of a name and publishes a new list.
    ///
    /// # Errors
    /// When no certificate of that name is known, or it is revoked already.
    pub fn revoke(&self, name: &str, crl_days: u16) -> Result<Revoked> {
        let at = self.clock.now();
        let revoked = Index::change(&self.folder, |index| index.revoke(name, at))?;
        self.publish(crl_days)?;
        Ok(revoked)
    }

    /// Publishes `crl.pem`: everything that is revoked, valid for so many days from now.
    ///
    /// # Errors
    /// When it cannot be signed or written.
    pub fn publish(&self, days: u16) -> Result<PathBuf> {
        let index = Index::change(&self.folder, |index| {
            index.crl_number += 1;
            Ok(index.clone())
        })?;
        let (this_update, next_update) = self.days(days.into());
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: index.crl_number.into(),
            issuing_distribution_point: None,
            revoked_certs: index.revoked.iter().map(entry).collect::<Result<_>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer).context("cannot sign the revocation list")?;
        let path = self.folder.join("crl.pem");
        replace(&path, &list.pem()?)?;
        Ok(path)
    }

    fn sign(&self, wanted: &Wanted) -> Result<Issued> {
        let Wanted { name, spiffe_id, days, hosts } = wanted;
        let here = || vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let hosts = if hosts.is_empty() { here() } else { hosts.clone() };
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts).context("a host name is malformed")?;
        params.distinguished_name.push(DnType::CommonName, *name);
        params.subject_alt_names.push(SanType::URI((*spiffe_id).try_into()?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = self.days((*days).into());
        let serial = serial();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let issued = params.signed_by(&pair, &self.issuer)?;
        let record = Issued {
            name: (*name).to_owned(),
            spiffe_id: (*spiffe_id).to_owned(),
            serial: hex::encode(serial),
            not_after: params.not_after.unix_timestamp(),
        };
        // Recorded first: a certificate that exists can be revoked.
        Index::change(&self.folder, |index| {
            index.issued.push(record.clone());
            Ok(())
        })?;
        let files = self.files(name);
        write_secret(Path::new(&files.key), &pair.serialize_pem())?;
        replace(Path::new(&files.certificate), &issued.pem())?;
        Ok(record)
    }

    fn files(&self, name: &str) -> tls::Files {
        let path = |file: String| shown(&self.folder.join(file));
        tls::Files {
            certificate: path(format!("{name}.pem")),
            key: path(format!("{name}.key")),
            ca: path("ca.pem".to_owned()),
            crl: String::new(),
            revoked_identities: String::new(),
        }
    }

    fn days(&self, days: i64) -> (OffsetDateTime, OffsetDateTime) {
        let now = self.clock.now();
        (now - SKEW, now + Duration::days(days))
    }
}

/// A random serial number of 16 bytes, positive and without leading zeros, so that everybody writes it
/// with the same bytes.
fn serial() -> [u8; 16] {
    let mut serial = Entropy::system().array::<16>();
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    serial
}

fn entry(revoked: &Revoked) -> Result<RevokedCertParams> {
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(&hex::decode(&revoked.serial)?),
        revocation_time: OffsetDateTime::from_unix_timestamp(revoked.at)?,
        reason_code: None,
        invalidity_date: None,
    })
}

/// The day of a moment of seconds since 1970, for messages.
#[must_use]
pub fn day(at: i64) -> String {
    OffsetDateTime::from_unix_timestamp(at).map(|at| at.date().to_string()).unwrap_or_default()
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
    replace(certificate, &params.self_signed(&pair)?.pem())
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When it cannot be written.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    write_private(path, text.as_bytes())
}

/// Writes bytes that only their owner may read.
///
/// # Errors
/// When they cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", shown(path)))?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", shown(path)))
}

/// Writes bytes that only their owner may read, whole or not at all: whoever reads the file meanwhile finds the one before.
///
/// # Errors
/// When they cannot be written.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_by(path, |new| write_private(new, bytes))
}

/// The same of what everybody may read.
fn replace(path: &Path, text: &str) -> Result<()> {
    replace_by(path, |new| Ok(fs::write(new, text)?))
}

fn replace_by(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    // With the whole name of the file: another one differs from it by its ending alone.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let written = write(new).and_then(|()| Ok(fs::rename(new, path)?));
    written.with_context(|| format!("cannot write {}", shown(path)))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", shown(path)))
}

/// A path as text, for configuration and messages.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::Settings as _;

    const ID: &str = "spiffe://t.test/agency/Z01/system/x";

    fn wanted(name: &str) -> Wanted<'_> {
        Wanted { name, spiffe_id: ID, days: 10, hosts: Vec::new() }
    }

    #[test]
    fn one_valid_certificate_a_name_and_a_revoked_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::create(folder.path(), "t.test", 30, Clock::system()).unwrap();
        assert_eq!(pki.trust_domain().unwrap().as_deref(), Some("t.test"));
        assert!(Pki::create(folder.path(), "t.test", 30, Clock::system()).is_err());
        let (_, first) = pki.issue_new(&wanted("a")).unwrap();
        assert!(pki.issue_new(&wanted("a")).unwrap_err().to_string().contains("revoke it first"));
        let empty = read(&folder.path().join("crl.pem")).unwrap();
        assert_eq!(pki.revoke("a", 30).unwrap().serial, first.serial);
        assert_ne!(read(&folder.path().join("crl.pem")).unwrap(), empty);
        assert!(pki.revoke("a", 30).unwrap_err().to_string().contains("revoked already"));
        assert!(pki.revoke("ghost", 30).is_err());
        let (_, second) = pki.issue_new(&wanted("a")).unwrap();
        assert_ne!(second.serial, first.serial);
        let later = Clock::fixed(Clock::system().now() + Duration::days(11));
        Pki::existing(folder.path(), later).unwrap().issue_new(&wanted("a")).unwrap();
    }

    #[test]
    fn names_are_names_of_files_and_not_the_cas_own() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::create(folder.path(), "t.test", 30, Clock::system()).unwrap();
        for name in ["", "..", ".x", "a/b", "a b", "ca", "crl", "index"] {
            assert!(pki.issue_new(&wanted(name)).is_err(), "{name}");
        }
        assert!(Pki::existing(&folder.path().join("none"), Clock::system()).is_err());
    }

    #[test]
    fn a_file_is_replaced_beside_others_that_differ_by_their_ending() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("insurance.new"), "another's").unwrap();
        for cursor in ["1", "2"] {
            replace_private(&path("insurance.deaths"), cursor.as_bytes()).unwrap();
            assert_eq!(read(&path("insurance.deaths")).unwrap(), cursor);
        }
        assert_eq!(read(&path("insurance.new")).unwrap(), "another's");
        let mode = fs::metadata(path("insurance.deaths")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    /// Code and reason of a call to a server that answers nothing: what matters is whether it is reached.
    async fn call(server: &server::Running, files: &tls::Files) -> String {
        let endpoint = server.address().to_string();
        let client = crate::client::Client::new(&endpoint, "all", "t.test", files).unwrap();
        match client.get_person(&Default::default()).await.unwrap() {
            Ok(_) => "answered".to_owned(),
            Err(refused) => refused.reason,
        }
    }

    #[tokio::test]
    async fn what_the_ca_revoked_gets_no_connection_and_what_it_issued_anew_does() {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::create(folder.path(), "t.test", 30, Clock::system()).unwrap();
        let (files, _) = pki.issue_new(&wanted("a")).unwrap();
        let own = pki.issue("all", "spiffe://t.test/service/all").unwrap();
        let config = crate::settings::Audit::load(None).unwrap().server;
        let config = server::Config {
            listen: "127.0.0.1:0".to_owned(),
            trust_domain: "t.test".to_owned(),
            certificate: own.certificate,
            key: own.key,
            ca: own.ca,
            crl: shown(&folder.path().join("crl.pem")),
            lame_duck_seconds: 0,
            ..config
        };
        let start = async || {
            let server = server::Server::bind(config.clone()).await.unwrap();
            server.start(server::Routes::default()).await
        };
        let server = start().await;
        assert_eq!(call(&server, &files).await, "UNKNOWN_METHOD");
        server.stop().await;
        pki.revoke("a", 30).unwrap();
        let server = start().await;
        assert_eq!(call(&server, &files).await, "", "no connection");
        let (files, _) = pki.issue_new(&wanted("a")).unwrap();
        assert_eq!(call(&server, &files).await, "UNKNOWN_METHOD");
        server.stop().await;
    }

    #[test]
    fn keys_are_for_their_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let files = Pki::open(folder.path(), Clock::system()).unwrap().issue("a", ID).unwrap();
        for key in [files.key, shown(&folder.path().join("ca.key"))] {
            assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
