//! A copy of the access log in a folder, in the layout of C2SP `tlog-tiles`. Its files can be read by their owner alone, because
//! entries are for auditors.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tlog::{
    Checkpoint, LogVerifier, ProofFile,
    pieces::{self, Pieces, Wrong},
    tile::{FULL, Row, Tile},
};

use super::super::{
    connection::log_key,
    output::{Ending, Format, print, say},
    verify_receipt::Arguments,
};

const CHECKPOINT: &str = "checkpoint";
/// Where pieces lie until it is known that they are those of the log.
const NEW: &str = ".new";
const LOCK: &str = ".lock";
/// The terminal is told how far it is after so many entries.
pub(super) const TOLD: u64 = 1 << 16;

/// A folder with a copy, or with none yet.
pub(super) struct Copy(PathBuf);

/// A copy that nobody else brings up to date meanwhile.
pub(super) struct Update<'a> {
    copy: &'a Copy,
    pieces: Vec<Tile>,
    _lock: File,
}

impl Copy {
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The checkpoint that it is of; none where there is no copy yet.
    pub(super) fn checkpoint(&self, log: &LogVerifier) -> Result<Option<Checkpoint>> {
        let file = self.0.join(CHECKPOINT);
        match fs::read_to_string(&file) {
            Ok(note) => trusted(&note, &file, log).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", file.display())),
        }
    }

    /// A log that goes on where the copy ended.
    pub(super) fn resume(&self, held: Option<&Checkpoint>) -> Result<Pieces, Wrong<io::Error>> {
        held.map_or_else(
            || Ok(Pieces::default()),
            |held| Pieces::resume(held, |piece| self.read(piece)),
        )
    }

    fn read(&self, piece: &Tile) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(piece.to_string()))
    }

    /// Begins to bring the copy up to date. What another run left half done goes away.
    pub(super) fn update(&self) -> Result<Update<'_>> {
        let made = || -> io::Result<File> {
            folder(&self.0)?;
            File::options().create(true).append(true).mode(0o600).open(self.0.join(LOCK))
        };
        let shown = self.0.display();
        let lock = made().with_context(|| format!("cannot use `{shown}`"))?;
        if lock.try_lock().is_err() {
            bail!("another process brings `{shown}` up to date");
        }
        match fs::remove_dir_all(self.0.join(NEW)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot empty `{shown}/{NEW}`"));
            }
            _ => {}
        }
        Ok(Update { copy: self, pieces: Vec::new(), _lock: lock })
    }

    /// Keeps a checkpoint that does not go with the copy's: both together are evidence. Gives the file.
    pub(super) fn keep_conflicting(&self, size: u64, note: &str) -> Result<PathBuf> {
        let file = self.0.join(format!("{CHECKPOINT}.conflict-{size}"));
        let written = write(&file, note.as_bytes()).and_then(|()| File::open(&self.0)?.sync_all());
        written.with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(file)
    }
}

impl Update<'_> {
    /// Adds a piece, which is not part of the copy before the end.
    pub(super) fn add(&mut self, piece: Tile, bytes: &[u8]) -> Result<()> {
        let file = self.copy.0.join(NEW).join(piece.to_string());
        write(&file, bytes).with_context(|| format!("cannot write `{}`", file.display()))?;
        self.pieces.push(piece);
        Ok(())
    }

    /// Ends it: the pieces are those of the log up to this checkpoint. It comes last, when all else is on the disk, so that a copy is
    /// whole whenever the machine stops.
    pub(super) fn end(self, before: u64, checkpoint: &Checkpoint, note: &str) -> Result<()> {
        let folder = &self.copy.0;
        self.moved(note).with_context(|| format!("cannot write in `{}`", folder.display()))?;
        for row in (0..8).filter_map(Row::hashes).chain([Row::Entries]) {
            let Some(old) = Tile::partial(row, before) else { continue };
            // Whoever has the older checkpoint needs it until there is the full one (C2SP tlog-tiles).
            if Tile::new(row, old.places().start / FULL, FULL).is_of(checkpoint.size) {
                // It is of no use any more, and of no harm either.
                fs::remove_file(folder.join(old.to_string())).ok();
            }
        }
        Ok(())
    }

    fn moved(&self, note: &str) -> io::Result<()> {
        let (copy, new) = (&self.copy.0, self.copy.0.join(NEW));
        let mut folders = BTreeSet::new();
        for piece in &self.pieces {
            let (from, to) = (new.join(piece.to_string()), copy.join(piece.to_string()));
            if let Some(parent) = to.parent() {
                folder(parent)?;
                let within = parent.ancestors().take_while(|of| of.starts_with(copy));
                folders.extend(within.map(Path::to_owned));
                fs::rename(from, &to)?;
            }
        }
        // What was made may be in a folder that was made.
        let above = copy.canonicalize()?.parent().map(Path::to_owned);
        for folder in folders.into_iter().chain(above) {
            File::open(folder)?.sync_all()?;
        }
        write(&new.join(CHECKPOINT), note.as_bytes())?;
        fs::rename(new.join(CHECKPOINT), copy.join(CHECKPOINT))?;
        File::open(copy)?.sync_all()?;
        fs::remove_dir_all(new)
    }
}

/// A file that is on the disk when this returns, in folders that may not be there yet.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = file.parent() {
        folder(parent)?;
    }
    let mut file =
        File::options().create(true).truncate(true).write(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Checks a copy whole, and that it extends an older checkpoint.
pub(super) fn verify(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let copy = Copy::at(&arguments.folder);
    let Some(key) = &arguments.log_key else {
        // Beside a receipt lies the key of whoever asked; a copy of a log has none, and one there would prove nothing.
        return Err(Ending::Usage("a copy of a log is checked with --log-key".to_owned()).into());
    };
    let log = log_key(key)?.1;
    let newest = copy.checkpoint(&log)?.context("there is no copy of a log")?;
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
        return print(
            &json!({
                "what": "copy",
                "holds": true,
                "origin": newest.origin,
                "size": newest.size,
                "root": hex::encode(newest.root),
                "extends": extends,
            }),
            out,
        );
    }
    writeln!(out, "The copy holds.\n  log      {}\n  records  {}", newest.origin, newest.size)?;
    if let Some(size) = extends {
        writeln!(out, "  extends  the checkpoint of {size} records")?;
    }
    Ok(())
}

/// A file with a checkpoint that the log signed: by itself, or of a receipt.
fn signed(file: &Path, log: &LogVerifier) -> Result<Checkpoint> {
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read `{}`", file.display()))?;
    let receipt = ProofFile::parse(&text).ok();
    trusted(receipt.as_ref().map_or(&text, |receipt| &receipt.checkpoint), file, log)
}

fn trusted(note: &str, file: &Path, log: &LogVerifier) -> Result<Checkpoint> {
    log.verify(note).with_context(|| format!("`{}` cannot be trusted", file.display()))
}
