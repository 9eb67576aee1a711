//! `lienthong-report`: the PDF of a report, as `lienthong report` makes its figures.

use std::{
    fmt,
    fs::{self, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use report::Form;

/// Writes the report on connection and sharing (Decision 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)) as a document in the form of Decree
/// 30/2020/ND-CP: a PDF, to which the report itself is attached.
///
/// It ends with 0 when the document is there, with 1 when it could not be made or written, and with 2 when it was asked wrongly:
/// what is no report, or no form. The same report and form give the same bytes.
#[derive(Parser)]
#[command(name = "lienthong-report", version)]
struct Arguments {
    /// The report (JSON); `-` reads it from standard input.
    report: PathBuf,
    /// Where the PDF goes. What is there is replaced, at once and only by a whole document.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the issuing body says of itself (TOML); without it, that of a body that does not exist.
    #[arg(long, value_name = "FILE")]
    form: Option<PathBuf>,
}

/// It was asked wrongly.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let Err(error) = run(&Arguments::parse()) else { return ExitCode::SUCCESS };
    // That nobody reads it is no reason to fail otherwise.
    let _ = writeln!(io::stderr(), "lienthong-report: {error:#}");
    let usage = error.is::<Usage>();
    if usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

fn run(arguments: &Arguments) -> Result<()> {
    let form = match &arguments.form {
        Some(path) => {
            let text = String::from_utf8(read(path)?)
                .map_err(|_| Usage(format!("`{}` is no text", path.display())))?;
            Form::read(&text).map_err(|error| faulty(path, error))?
        }
        None => Form::demonstration()?,
    };
    let report = read(&arguments.report)?;
    let pdf = report::pdf(&report, &form).map_err(|error| faulty(&arguments.report, error))?;
    write(&arguments.out, &pdf)
        .with_context(|| format!("cannot write `{}`", arguments.out.display()))
}

/// An error about a file: of whoever named it, or ours.
fn faulty(path: &Path, error: report::Error) -> anyhow::Error {
    if error.is_of_input() {
        Usage(format!("`{}`: {error}", path.display())).into()
    } else {
        anyhow::Error::new(error)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    read.map_err(|error| Usage(format!("cannot read `{}`: {error}", path.display())).into())
}

/// Writes beside and renames, so that there is never half a document.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    // As any file that a command makes: the umask takes from it what it takes.
    let permissions = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
