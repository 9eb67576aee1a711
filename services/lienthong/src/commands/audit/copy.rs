//! A copy of the access log in a folder, in the layout of C2SP `tlog-tiles`: any web server that shows the folder shows the log.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::json;
use tlog::{
    Checkpoint, LogVerifier,
    pieces::{self, Pieces, Wrong},
    tile::{Row, Tile},
};

use super::super::{
    connection::log_key,
    output::{Ending, Format, print, say},
    verify_receipt::Arguments,
};

const CHECKPOINT: &str = "checkpoint";
/// The terminal is told how far it is after so many entries.
pub(super) const TOLD: u64 = 1 << 16;

/// A folder with a copy, or with none yet.
pub(super) struct Copy(PathBuf);

impl Copy {
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Whether there is one.
    pub(super) fn exists(&self) -> bool {
        self.0.join(CHECKPOINT).exists()
    }

    /// The checkpoint that it is of; none where there is no copy yet.
    pub(super) fn checkpoint(&self, log: &LogVerifier) -> Result<Option<Checkpoint>> {
        if !self.exists() {
            return Ok(None);
        }
        signed(&self.0.join(CHECKPOINT), log).map(Some)
    }

    /// A log that goes on where the copy ended.
    pub(super) fn resume(&self, size: u64) -> Result<Pieces, Wrong<io::Error>> {
        Pieces::resume(size, |piece| self.read(piece))
    }

    fn read(&self, piece: &Tile) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(piece.to_string()))
    }

    /// Adds a piece.
    pub(super) fn add(&self, piece: &Tile, bytes: &[u8]) -> Result<()> {
        self.write(&piece.to_string(), bytes)
    }

    /// Ends a copy: everything up to this checkpoint is there. What was partial before is whole now, or longer.
    pub(super) fn end(&self, before: u64, checkpoint: &Checkpoint, note: &str) -> Result<()> {
        self.write(CHECKPOINT, note.as_bytes())?;
        for row in (0..8).filter_map(Row::hashes).chain([Row::Entries]) {
            let old = Tile::partial(row, before);
            if let Some(old) = old.filter(|_| old != Tile::partial(row, checkpoint.size)) {
                // It is of no use any more, and of no harm either.
                fs::remove_file(self.0.join(old.to_string())).ok();
            }
        }
        Ok(())
    }

    /// A file that is there whole or not at all, also after the machine has lost its power.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.0.join(name);
        let written = || -> io::Result<()> {
            let parent = path.parent().unwrap_or(&self.0);
            fs::create_dir_all(parent)?;
            let mut file = tempfile::NamedTempFile::new_in(parent)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            for folder in parent.ancestors().take_while(|folder| folder.starts_with(&self.0)) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        written().with_context(|| format!("cannot write `{}`", path.display()))
    }
}

/// Checks a copy whole, and that it extends an older checkpoint.
pub(super) fn verify(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let copy = Copy::at(&arguments.folder);
    let Some(key) = &arguments.log_key else {
        // Beside a receipt lies the key of whoever asked; a copy of a log has none, and one there would prove nothing.
        return Err(Ending::Usage("a copy of a log is checked with --log-key".to_owned()).into());
    };
    let log = log_key(key)?.1;
    let newest = copy.checkpoint(&log)?.context("there is no checkpoint")?;
    let older = arguments.extends.as_deref().map(|file| signed(file, &log)).transpose()?;
    let told = |size: u64| {
        if size.is_multiple_of(TOLD) {
            say(&format!("{size} / {}", newest.size));
        }
    };
    pieces::verify(&newest, older.as_ref(), |piece| copy.read(piece), told)
        .context("the copy does not hold")?;
    let extends = older.as_ref().map(|older| older.size);
    if arguments.output.format == Format::Json {
        let root = hex::encode(newest.root);
        let told = json!({ "holds": true, "origin": newest.origin, "size": newest.size, "root": root, "extends": extends });
        return print(&told, out);
    }
    writeln!(out, "The copy holds.\n  log      {}\n  records  {}", newest.origin, newest.size)?;
    if let Some(size) = extends {
        writeln!(out, "  extends  the checkpoint of {size} records")?;
    }
    Ok(())
}

/// A file with a checkpoint that the log signed.
fn signed(file: &Path, log: &LogVerifier) -> Result<Checkpoint> {
    let shown = file.display();
    let note = fs::read_to_string(file).with_context(|| format!("cannot read `{shown}`"))?;
    log.verify(&note).with_context(|| format!("`{shown}` cannot be trusted"))
}
