//! A copy of the access log in a folder, in the layout of C2SP `tlog-tiles`. Its files can be read by their owner alone, because
//! entries are for auditors.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, BufReader, Read, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use audit::Archive;
use serde_json::json;
use tlog::{
    Checkpoint, LogVerifier, ProofFile,
    pieces::{self, Pieces, Wrong},
    policy::Policy,
    tile::{self, FULL, Row, Tile},
};

use super::{
    super::{
        connection::log_key,
        output::{Ending, Format, print, say},
    },
    receipt::Arguments,
};

const CHECKPOINT: &str = "checkpoint";
/// The newest one that was proven to extend the copy, whether or not its entries have come.
const SEEN: &str = "checkpoint.seen";
/// Where pieces lie until it is known that they are those of the log.
const NEW: &str = ".new";
const LOCK: &str = ".lock";
/// The most that a bundle takes: so many entries of their greatest length. A tile takes less.
const PIECE_MAX: u64 = FULL * (2 + 65_535);
/// No checkpoint, and no receipt, is longer.
const NOTE_MAX: u64 = 1 << 20;
/// The terminal is told how far it is after so many entries.
pub(super) const TOLD: u64 = 1 << 16;

/// A folder with a copy, or with none yet.
pub(in super::super) struct Copy(PathBuf);

/// A copy that nobody else brings up to date meanwhile.
pub(super) struct Update<'a> {
    copy: &'a Copy,
    pieces: Vec<Tile>,
    _lock: File,
}

impl Copy {
    pub(in super::super) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The checkpoint that it is of; none where there is no copy yet.
    pub(in super::super) fn checkpoint(&self, log: &LogVerifier) -> Result<Option<Checkpoint>> {
        self.note(CHECKPOINT, |note| log.verify(note))
    }

    /// The newest checkpoint that was proven to extend the copy; none where none was.
    pub(super) fn seen(&self, log: &LogVerifier) -> Result<Option<Checkpoint>> {
        self.note(SEEN, |note| log.verify(note))
    }

    /// Keeps a checkpoint that is proven to extend the copy: from now on, what is shown must extend it.
    pub(super) fn see(&self, note: &str) -> Result<()> {
        let (file, new) = (self.0.join(SEEN), self.0.join(NEW).join(SEEN));
        let written = write(&new, note.as_bytes()).and_then(|()| {
            fs::rename(new, &file)?;
            File::open(&self.0)?.sync_all()
        });
        written.with_context(|| format!("cannot write `{}`", file.display()))
    }

    fn note(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<Checkpoint, tlog::Error>,
    ) -> Result<Option<Checkpoint>> {
        let file = self.0.join(name);
        match text(&file) {
            Ok(note) => trusted(read(&note), &file).map(Some),
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
        bytes(&self.0.join(piece.to_string()), PIECE_MAX)
    }

    /// The copy with files of what opens its records, and what keeps others from changing it meanwhile.
    pub(in super::super) fn archive(self, openings: &[PathBuf]) -> Result<(Archive, Option<File>)> {
        let lock = self.shared()?;
        let note = self.0.join(CHECKPOINT);
        let checkpoint = text(&note)
            .with_context(|| format!("there is no copy of a log: `{}`", note.display()))?;
        let openings = opened(openings)?;
        let pieces = Box::new(move |piece: &Tile| self.read(piece));
        Ok((Archive { checkpoint, pieces, openings }, lock))
    }

    /// Begins to bring the copy up to date. What another run left half done goes away.
    pub(super) fn update(&self) -> Result<Update<'_>> {
        let made = || -> io::Result<File> {
            folder(&self.0)?;
            File::options().create(true).append(true).mode(0o600).open(self.0.join(LOCK))
        };
        let shown = self.0.display();
        let lock = made().with_context(|| format!("cannot use `{shown}`"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another process uses `{shown}`"),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock `{shown}`"));
            }
        }
        match fs::remove_dir_all(self.0.join(NEW)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot empty `{shown}/{NEW}`"));
            }
            _ => {}
        }
        Ok(Update { copy: self, pieces: Vec::new(), _lock: lock })
    }

    /// Keeps a checkpoint that is not shown to extend what was seen: both together can be evidence. Gives the file.
    pub(super) fn keep_conflicting(&self, shown: &Checkpoint, note: &str) -> Result<PathBuf> {
        // Of one size there can be many, and none takes the place of another.
        let (size, root) = (shown.size, hex::encode(shown.root));
        let file = self.0.join(format!("{CHECKPOINT}.conflict-{size}-{root}"));
        let written = write(&file, note.as_bytes()).and_then(|()| File::open(&self.0)?.sync_all());
        written.with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(file)
    }

    /// Checks every entry and every hash up to a checkpoint, and that it extends older ones.
    pub(in super::super) fn verify(
        &self,
        newest: &Checkpoint,
        older: &[&Checkpoint],
    ) -> Result<(), Wrong<io::Error>> {
        let told = |size: u64| {
            if size.is_multiple_of(TOLD) {
                say(&format!("{size} / {}", newest.size));
            }
        };
        pieces::verify(newest, older, |piece| self.read(piece), told)
    }

    /// Hands on the entries of a copy of so many, with their indexes.
    pub(in super::super) fn entries(
        &self,
        size: u64,
        mut take: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        for piece in Tile::all(Row::Entries, size) {
            let bytes = self.read(&piece).with_context(|| format!("cannot read `{piece}`"))?;
            let entries = tile::entries(&bytes).with_context(|| format!("`{piece}`"))?;
            for (index, entry) in piece.places().zip(entries) {
                take(index, entry)?;
            }
        }
        Ok(())
    }

    /// Keeps others from changing it while it is read; nothing where it cannot be changed.
    pub(in super::super) fn shared(&self) -> Result<Option<File>> {
        let Ok(lock) = File::open(self.0.join(LOCK)) else { return Ok(None) };
        if matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            bail!("`{}` is being brought up to date", self.0.display());
        }
        Ok(Some(lock))
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
            let full = Tile::new(row, old.places().start / FULL, FULL);
            // Whoever has an older checkpoint needs the partial ones until there is the full one (C2SP tlog-tiles).
            if full.is_of(checkpoint.size) {
                // They are of no use any more, and of no harm either.
                fs::remove_dir_all(folder.join(format!("{full}.p"))).ok();
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

/// Files of openings, to be read.
pub(in super::super) fn opened(files: &[PathBuf]) -> Result<Vec<Box<dyn Read + Send>>> {
    let opened = |file: &PathBuf| -> Result<Box<dyn Read + Send>> {
        let shown = file.display();
        let opened = File::open(file).with_context(|| format!("cannot read `{shown}`"))?;
        Ok(Box::new(BufReader::new(opened)))
    };
    files.iter().map(opened).collect()
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

/// What a file holds, which may come from anybody: only a file, and only so much of it.
fn bytes(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: to open a pipe is to wait for its other end.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("it is too long"));
    }
    Ok(bytes)
}

fn text(file: &Path) -> io::Result<String> {
    String::from_utf8(bytes(file, NOTE_MAX)?).map_err(io::Error::other)
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whose checkpoints are believed.
enum Trust {
    Log(LogVerifier),
    Policy(Policy),
}

impl Trust {
    fn read(arguments: &Arguments) -> Result<Self> {
        if let Some(file) = &arguments.policy {
            let shown = file.display();
            let text = bytes(file, NOTE_MAX).with_context(|| format!("cannot read `{shown}`"))?;
            let policy = Policy::parse(&text).with_context(|| format!("`{shown}` is no policy"))?;
            return Ok(Self::Policy(policy));
        }
        match &arguments.log_key {
            Some(key) => Ok(Self::Log(log_key(key)?.1)),
            // Beside a receipt lies the key of whoever asked; a copy of a log has none, and one there would prove nothing.
            None => Err(Ending::Usage(
                "a copy of a log is checked with --log-key or --policy".to_owned(),
            )
            .into()),
        }
    }

    /// What a checkpoint says that must be cosigned where a policy says so.
    fn verify(&self, note: &str) -> Result<Checkpoint, tlog::Error> {
        match self {
            Self::Log(log) => log.verify(note),
            Self::Policy(policy) => policy.verify(note),
        }
    }

    /// What a checkpoint says that need not be: a receipt does not wait for witnesses.
    fn verify_log(&self, note: &str) -> Result<Checkpoint, tlog::Error> {
        match self {
            Self::Log(log) => log.verify(note),
            Self::Policy(policy) => policy.verify_log(note),
        }
    }
}

/// Checks a copy whole, and that it extends an older checkpoint.
pub(super) fn verify(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let copy = Copy::at(&arguments.folder);
    let trust = Trust::read(arguments)?;
    let _unchanged = copy.shared()?;
    let newest = copy.note(CHECKPOINT, |note| trust.verify(note))?;
    let newest = newest.context("there is no copy of a log")?;
    let older = arguments.extends.as_deref().map(|file| signed(file, &trust)).transpose()?;
    let other = older.as_ref().is_some_and(|older| older.origin != newest.origin);
    anyhow::ensure!(!other, "the older checkpoint is of another log");
    let extended: Vec<&Checkpoint> = older.iter().collect();
    copy.verify(&newest, &extended).context("the copy does not hold")?;
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
                "cosigned": arguments.policy.is_some(),
            }),
            out,
        );
    }
    writeln!(out, "The copy holds.\n  log      {}\n  records  {}", newest.origin, newest.size)?;
    if arguments.policy.is_some() {
        writeln!(out, "  cosigned as the policy says")?;
    }
    if let Some(size) = extends {
        writeln!(out, "  extends  the checkpoint of {size} records")?;
    }
    Ok(())
}

/// A file with a checkpoint that the log signed: by itself, or of a receipt.
fn signed(file: &Path, trust: &Trust) -> Result<Checkpoint> {
    let text = text(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let receipt = ProofFile::parse(&text).ok();
    trusted(trust.verify_log(receipt.as_ref().map_or(&text, |receipt| &receipt.checkpoint)), file)
}

fn trusted(read: Result<Checkpoint, tlog::Error>, file: &Path) -> Result<Checkpoint> {
    read.with_context(|| format!("`{}` cannot be trusted", file.display()))
}
