//! Reports in a folder, and the keys that sign them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use ::conformance::sign;
use anyhow::{Context as _, Result, bail};
use lienthong::pki::write_private;
use serde_json::json;

use crate::commands::output::{Format, Output, print, say};

const REPORT: &str = "report.json";
const TEXT: &str = "report.txt";
const SIGNATURE: &str = "report.json.sig";

/// A new key: the file holds the secret one, the other is printed.
#[derive(clap::Args)]
pub(crate) struct Key {
    /// File of the secret key; it must not be there yet.
    file: PathBuf,
    /// Name of the key, for example `example.vn/conformance`: whoever checks a report sees it.
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    output: Output,
}

/// A new key of warrants: the file holds the secret one, its JWKS is printed.
#[derive(clap::Args)]
pub(crate) struct WarrantKey {
    /// File of the secret key (PEM); it must not be there yet.
    file: PathBuf,
}

/// A folder with a report, and the key that must have signed it.
#[derive(clap::Args)]
pub(crate) struct Verify {
    /// Folder that holds report.json and report.json.sig.
    folder: PathBuf,
    /// The public key (C2SP vkey), or the file that holds it. Take it from a source you trust, not from
    /// whoever gave you the report.
    #[arg(long, value_name = "VKEY")]
    key: String,
    #[command(flatten)]
    output: Output,
}

impl Key {
    pub(super) fn make(&self, out: &mut impl Write) -> Result<()> {
        let shown = self.file.display();
        if self.file.exists() {
            bail!("`{shown}` đã có / is there already");
        }
        let key = sign::Key::generate(&self.name)?;
        write_private(&self.file, format!("{}\n", key.secret_text()).as_bytes())?;
        match self.output.format {
            // The key alone, so that what was printed is the key.
            Format::Text => {
                writeln!(out, "{}", key.verifier_key())?;
                say(&format!("khóa bí mật / secret key  {shown}"));
            }
            Format::Json => {
                let file = shown.to_string();
                print(&json!({ "verifier_key": key.verifier_key(), "file": file }), out)?;
            }
        }
        Ok(())
    }
}

impl WarrantKey {
    pub(super) fn make(&self, out: &mut impl Write) -> Result<()> {
        let shown = self.file.display();
        if self.file.exists() {
            bail!("`{shown}` đã có / is there already");
        }
        // The key does not know for whom it signs: that is said when it does.
        let key = ::conformance::WarrantKey::generate("");
        write_private(&self.file, key.to_pem()?.as_bytes())?;
        writeln!(out, "{}", key.jwks()?)?;
        say(&format!("khóa bí mật / secret key  {shown}"));
        Ok(())
    }
}

impl Verify {
    pub(super) fn check(&self, out: &mut impl Write) -> Result<()> {
        let report = read(&self.folder.join(REPORT))?;
        let signature = String::from_utf8(read(&self.folder.join(SIGNATURE))?)?;
        let key = match fs::read_to_string(&self.key) {
            Ok(text) => text,
            Err(_) => self.key.clone(),
        };
        sign::verify(&report, &signature, &key)?;
        let said: serde_json::Value =
            serde_json::from_slice(&report).context("the report is no JSON")?;
        let of = |path: &str| said.pointer(path).and_then(|value| value.as_str()).unwrap_or("-");
        match self.output.format {
            Format::Text => writeln!(
                out,
                "Chữ ký đúng. / The signature holds.\n  verdict   {}\n  database  {} {}\n  software  {}\n  \
                 began     {}\n  contract  {}",
                of("/verdict"),
                of("/target/description/database_id"),
                of("/target/address"),
                of("/target/description/software"),
                of("/began"),
                of("/kit/contract_sha256"),
            )?,
            Format::Json => {
                print(&json!({ "holds": true, "verdict": of("/verdict"), "report": said }), out)?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    fs::read(path).with_context(|| format!("không đọc được / cannot read `{shown}`"))
}

/// The key in a file.
pub(super) fn signer(path: &Path) -> Result<sign::Key> {
    let text = String::from_utf8(read(path)?)?;
    sign::Key::parse(&text).with_context(|| format!("`{}`", path.display()))
}

/// Where a report is kept.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn prepare(path: &Path) -> Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path)
            .with_context(|| format!("không tạo được / cannot make `{shown}`"))?;
        Ok(Self(path.to_owned()))
    }

    /// Writes a report. A signature of an earlier one is removed first.
    pub(super) fn keep(&self, json: &str, text: &str, signer: Option<&sign::Key>) -> Result<()> {
        let signature = self.0.join(SIGNATURE);
        if signature.exists() {
            fs::remove_file(&signature)
                .context("cannot remove the signature of an earlier report")?;
        }
        let write = |name: &str, bytes: &str| {
            let path = self.0.join(name);
            let shown = path.display().to_string();
            fs::write(path, bytes)
                .with_context(|| format!("không ghi được / cannot write `{shown}`"))
        };
        write(REPORT, json)?;
        write(TEXT, text)?;
        let signed = match signer {
            Some(key) => {
                write(SIGNATURE, &key.sign(json.as_bytes())?)?;
                key.verifier_key().to_owned()
            }
            None => "chưa ký / not signed".to_owned(),
        };
        say(&format!("báo cáo / report  {}  ({signed})", self.0.join(REPORT).display()));
        Ok(())
    }
}
