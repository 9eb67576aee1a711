//! What officers do with a rule set before anybody is called: write it down in a folder, make its exact bytes, and sign them.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use contract::policy::v1::RuleSetSignature;
use serde::{Deserialize, Serialize};

use crate::agreement::{Signed, sign_bytes};

/// The file of a folder that says which set it was written after.
const AFTER: &str = "rule-set.toml";

/// What a rule set holds, in the order in which its bytes have it (`RuleSetProposal.content`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Number of the set in whose place it comes.
    pub follows: u64,
    /// Number of the document that orders it.
    pub document: String,
    /// Why.
    pub reason: String,
    /// Its files.
    pub files: Vec<File>,
}

/// One file of a rule set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct After {
    follows: u64,
}

/// What an officer says of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It is proposed.
    Propose,
    /// It is approved.
    Approve,
}

impl RuleSet {
    /// The set in exact bytes.
    ///
    /// # Errors
    /// When they hold anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context("these bytes are no rule set")
    }

    /// Its exact bytes, which are signed.
    ///
    /// # Errors
    /// Never: everything here can be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The set that a folder holds, without document and reason.
    ///
    /// # Errors
    /// When the folder holds no rule set.
    pub fn read(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let text = |path: &Path| {
            fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
        };
        let after: After = toml::from_str(&text(&folder.join(AFTER))?)
            .with_context(|| format!("`{AFTER}` in `{shown}` does not say what the set follows"))?;
        let mut files = Vec::new();
        let listed = fs::read_dir(folder).with_context(|| format!("cannot read `{shown}`"))?;
        for entry in listed {
            let path = entry.with_context(|| format!("cannot read `{shown}`"))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // What editors leave behind is no file of the set.
            let of_set = [".toml", ".cedar"].iter().any(|end| name.ends_with(end));
            if of_set && name != AFTER && !name.starts_with('.') {
                files.push(File { text: text(&path)?, name });
            }
        }
        ensure!(!files.is_empty(), "`{shown}` holds no file of a rule set");
        files.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let (document, reason) = Default::default();
        Ok(Self { follows: after.follows, document, reason, files })
    }

    /// Writes the set into a folder, which must not hold one, as a draft that follows the set of this number.
    ///
    /// # Errors
    /// When a file cannot be written, or is there.
    pub fn write(&self, folder: &Path, follows: u64) -> Result<()> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        let after = toml::to_string(&After { follows })?;
        let files = self.files.iter().map(|file| (file.name.as_str(), file.text.as_str()));
        for (name, text) in files.chain([(AFTER, after.as_str())]) {
            ensure!(!name.contains(['/', '\\']), "`{name}` is no name of a file");
            let path = folder.join(name);
            let shown = path.display();
            let mut file = fs::File::create_new(&path)
                .with_context(|| format!("cannot make `{shown}`: is it there already?"))?;
            std::io::Write::write_all(&mut file, text.as_bytes())
                .with_context(|| format!("cannot write `{shown}`"))?;
        }
        Ok(())
    }
}

/// Signs a word about a set's bytes by the key of an officer's certificate; both are PEM files.
///
/// # Errors
/// When a file cannot be used, or the key is of a kind that signs nothing here.
pub fn sign(content: &[u8], word: Word, certificate: &str, key: &str) -> Result<RuleSetSignature> {
    let word = match word {
        Word::Propose => "propose",
        Word::Approve => "approve",
    };
    let digest = hex::encode(tlog::digest(content));
    let message = format!("lienthong.gov.vn/rule-set/v1\n{word}\n{digest}\n");
    let Signed { certificates, algorithm, signature } =
        sign_bytes(message.as_bytes(), certificate, key)?;
    Ok(RuleSetSignature { certificates, algorithm: algorithm.into(), signature })
}
