//! The receipt of a call: checked against the log's key, and kept as files that any verifier can check.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use lienthong::{
    client::{Answered, Pages},
    pki::write_private,
};
use serde_json::json;

use super::connection::Connected;

/// A folder that will hold the files of one call.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder, before the call: an answer whose receipt cannot be kept is not asked for.
    ///
    /// # Errors
    /// When it cannot be made, or holds the files of another call.
    pub(crate) fn prepare(path: &Path) -> Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("cannot make `{shown}`"))?;
        if path.join("request.bin").exists() {
            bail!("`{shown}` holds the files of a call already; name another folder");
        }
        // Tells now whether it can be written, and not when there is something to lose.
        let probe = path.join(".lienthong");
        write_private(&probe, b"").with_context(|| format!("cannot write into `{shown}`"))?;
        fs::remove_file(&probe)?;
        Ok(Self(path.to_owned()))
    }

    /// Writes what `lienthong audit verify` reads. The files hold personal data: only their owner may
    /// read them.
    fn keep<T>(&self, answered: &Answered<T>, vkey: Option<&str>) -> Result<()> {
        let proof = answered.proof_file()?;
        let files: [(&str, &[u8]); 5] = [
            ("request.bin", &answered.request),
            ("answer.bin", &answered.answer_bytes),
            ("leaf.bin", &answered.receipt.leaf),
            ("opening.bin", &answered.receipt.opening),
            ("receipt.tlog-proof", proof.as_bytes()),
        ];
        for (name, bytes) in files {
            write_private(&self.0.join(name), bytes)?;
        }
        match vkey {
            Some(vkey) => write_private(&self.0.join("log.vkey"), vkey.as_bytes()),
            None => Ok(()),
        }
    }
}

/// What is known of a receipt.
pub(crate) struct Checked {
    index: u64,
    /// Size of the log it was checked against; none when the log's key is not known.
    size: Option<u64>,
    folder: Option<PathBuf>,
}

/// Keeps the files of a call, then checks its receipt, so that a receipt that does not hold is kept too.
///
/// # Errors
/// When the files cannot be written, or the receipt does not hold.
pub(crate) fn check<T>(
    answered: &Answered<T>,
    connected: &Connected,
    folder: Option<Folder>,
) -> Result<Checked> {
    let log = connected.log.as_ref();
    if let Some(folder) = &folder {
        folder.keep(answered, log.map(|(vkey, _)| vkey.as_str()))?;
    }
    let verified = log.map(|(_, log)| answered.verify(log)).transpose();
    let verified = verified.context("the receipt does not hold: do not rely on the answer")?;
    Ok(Checked {
        index: answered.receipt.index,
        size: verified.map(|verified| verified.size),
        folder: folder.map(|folder| folder.0),
    })
}

/// The same of a page and of each of its parts; the files are those of the page.
///
/// # Errors
/// When the files cannot be written, or a receipt does not hold.
pub(crate) fn check_all<T, P>(
    told: &Pages<T, P>,
    connected: &Connected,
    folder: Option<Folder>,
) -> Result<(Checked, Vec<Checked>)> {
    let page = check(&told.page, connected, folder)?;
    let parts = told.parts.iter().map(|part| check(part, connected, None));
    Ok((page, parts.collect::<Result<_>>()?))
}

impl Checked {
    /// For persons.
    pub(crate) fn text(&self) -> String {
        let mut text = match self.size {
            Some(size) => format!("{} of {size} in the access log; it holds", self.index),
            None => format!("{} in the access log; not checked without --log-key", self.index),
        };
        if let Some(folder) = &self.folder {
            text += &format!("; kept in {}", folder.display());
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        json!({
            "index": self.index,
            "size": self.size,
            "checked": self.size.is_some(),
            "folder": self.folder.as_ref().map(|folder| folder.display().to_string()),
        })
    }
}
