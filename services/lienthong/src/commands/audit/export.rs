//! `lienthong audit export`: records opened for inspectors.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use audit::openings::Exported;
use serde_json::json;

use super::{
    super::output::{Format, print, say},
    Stored,
    copy::TOLD,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    stored: Stored,
    /// The file to write. One that is there is not written over.
    file: PathBuf,
    /// The first record.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,
    /// The record after the last one; left out, all that there are.
    #[arg(long, value_name = "INDEX")]
    until: Option<u64>,
}

pub(super) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    let Arguments { stored, file, from, until } = arguments;
    let (database, _) = stored.log()?;
    let Some(keys) = stored.keys()? else { bail!("records are not opened with --log-key") };
    let new = New::begin(file)?;
    let mut writer = BufWriter::new(&new.file);
    let mut written = 0_u64;
    let records =
        audit::openings::export(&database, keys, *from..until.unwrap_or(u64::MAX), |one| {
            written += 1;
            if written.is_multiple_of(TOLD) {
                say(&format!("{written}"));
            }
            writer.write_all(one)
        });
    let Exported { records, from: first } = records.await.context("cannot export the records")?;
    writer.flush()?;
    drop(writer);
    new.end(file)?;
    if stored.output.format == Format::Json {
        let file = file.display().to_string();
        return print(&json!({ "records": records, "from": first, "file": file }), out);
    }
    if first > *from {
        say(&format!("records below {first} are in the archive, and what opens them is there"));
    }
    writeln!(out, "{records} records in {}", file.display())?;
    Ok(())
}

/// A file beside the one that is wanted, which takes its place when it is whole. It goes away when it never is.
struct New {
    file: File,
    path: Option<PathBuf>,
}

impl New {
    fn begin(wanted: &Path) -> Result<Self> {
        let shown = wanted.display();
        if wanted.exists() {
            bail!("`{shown}` is there already");
        }
        let mut path = wanted.to_owned().into_os_string();
        path.push(".new");
        let path = PathBuf::from(path);
        // Of a run that was stopped nothing is used, nor whatever lies there instead.
        fs::remove_file(&path).ok();
        let file = File::options().create_new(true).write(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Self { file, path: Some(path) })
    }

    fn end(mut self, wanted: &Path) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let renamed = self.file.sync_all().and_then(|()| {
            fs::rename(path, wanted)?;
            let parent = wanted.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        });
        renamed.with_context(|| format!("cannot write `{}`", wanted.display()))?;
        self.path = None;
        Ok(())
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            fs::remove_file(path).ok();
        }
    }
}
