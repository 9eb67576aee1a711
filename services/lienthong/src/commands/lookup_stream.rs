//! `lienthong lookup-stream`: many lookups on one stream, as an agency makes them.

mod persons;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use contract::identity::v1::{LookupStreamOpening, LookupStreamQuery};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lienthong::{
    client::{Answers, Queries, Told},
    process::Runtime,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    connection::{Connected, Connection},
    evidence::{self, Folder},
    ground::Ground,
    lookup::{answer_json, answer_text},
    output::{Ending, Format, Output, refuse, refused_json, refused_text},
    question::Items,
};

/// Whom the lookups are made as, in a demonstration.
const CALLER: &str = "social-insurance";

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["file", "samples"])))]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The persons, a line of JSON each; `-` for standard input: `personal_number`, `old_number` or `token`, and as claims
    /// `full_name` and `date_of_birth` (YYYY, YYYY-MM or YYYY-MM-DD); `min_version`.
    #[arg(long, help_heading = "Persons", value_name = "FILE")]
    file: Option<PathBuf>,
    /// The sample persons of the demonstration.
    #[arg(long, help_heading = "Persons", requires = "demo")]
    samples: bool,
    #[command(flatten)]
    items: Items,
    /// The caller's own id of the whole; made up when not given.
    #[arg(long, help_heading = "Request", value_name = "ID")]
    request_id: Option<String>,
    /// Folder for request, answer and receipt of each person, in a folder of the person's line, which `audit verify`
    /// checks. The files hold personal data.
    #[arg(long, help_heading = "Result", value_name = "FOLDER")]
    save: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Ground")]
    ground: Ground,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { file, items, request_id, save, ground, output, .. } = arguments;
    let opening = LookupStreamOpening {
        items: items.ids,
        basis: Some(ground.or(connected.ground.clone()).whole()?),
        request_id: request_id.unwrap_or_else(|| Runtime::system().entropy.id()),
        as_of: None,
    };
    if let Some(save) = &save {
        empty(save)?;
    }
    let opened = connected.client.lookup_stream(opening).await?;
    let (queries, mut answers) = match opened {
        Ok(opened) => opened,
        Err(refused) => return refuse(&refused, output.format, out),
    };
    let asking = async {
        match file {
            Some(file) => ask(queries, persons::read(file)).await,
            None => ask_samples(queries, persons::samples(&connected.subjects)).await,
        }
    };
    let mut telling =
        Telling { connected: &connected, save: save.as_deref(), format: output.format, out };
    let telling = telling.all(&mut answers);
    tokio::pin!(asking, telling);
    let mut asked = None;
    // Whoever can tell no more asks no more either: nobody would read the answers.
    let refused = loop {
        tokio::select! {
            told = &mut telling => break told?,
            ended = &mut asking, if asked.is_none() => asked = Some(ended),
        }
    };
    // What is wrong with a line is said after what came of those before it.
    asked.transpose()?;
    if refused > 0 { Err(Ending::Incomplete.into()) } else { Ok(()) }
}

/// Makes the folder before the call, and sees that it holds nothing of another one: answers whose receipts cannot be kept
/// are not asked for.
fn empty(save: &Path) -> Result<()> {
    Folder::prepare(save)?;
    if fs::read_dir(save)?.next().is_some() {
        bail!("`{}` is not empty; name another folder", save.display());
    }
    Ok(())
}

/// Asks what is read, until that ends or the stream does, which its other side tells.
async fn ask(queries: Queries, mut read: mpsc::Receiver<Result<LookupStreamQuery>>) -> Result<()> {
    while let Some(query) = read.recv().await {
        if queries.ask(query?).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn ask_samples(queries: Queries, samples: Vec<LookupStreamQuery>) -> Result<()> {
    for query in samples {
        if queries.ask(query).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Where answers go.
struct Telling<'a, W> {
    connected: &'a Connected,
    save: Option<&'a Path>,
    format: Format,
    out: &'a mut W,
}

impl<W: Write> Telling<'_, W> {
    /// Prints every answer as it comes, and says how many queries were refused.
    async fn all(&mut self, answers: &mut Answers) -> Result<u64> {
        let (bar, mut refused) = (progress(), 0);
        let ended = loop {
            match answers.next().await? {
                Ok(None) => break Ok(refused),
                Err(ended) => break Err(ended),
                Ok(Some(told)) => {
                    refused += u64::from(told.answer.is_err());
                    bar.inc(1);
                    // The terminal may be that of the results, too.
                    bar.suspend(|| self.one(told))?;
                }
            }
        };
        bar.finish_and_clear();
        ended.or_else(|ended| refuse(&ended, self.format, self.out).map(|()| refused))
    }

    /// One line of JSON, or a few lines for persons.
    fn one(&mut self, told: Told) -> Result<()> {
        let line = told.correlation_id;
        match told.answer {
            Ok(answered) => {
                let folder = self.save.map(|save| Folder::prepare(&save.join(line.to_string())));
                let checked = evidence::check(&answered, self.connected, folder.transpose()?)?;
                match self.format {
                    Format::Json => {
                        let answer = answer_json(answered.answer, &checked);
                        writeln!(self.out, "{}", json!({ "line": line, "answer": answer }))?;
                    }
                    Format::Text => {
                        writeln!(self.out, "line {line}")?;
                        answer_text(answered.answer, &checked, self.out)?;
                        writeln!(self.out)?;
                    }
                }
            }
            Err(refused) => match self.format {
                Format::Json => {
                    let refused = refused_json(&refused);
                    writeln!(self.out, "{}", json!({ "line": line, "refused": refused }))?;
                }
                Format::Text => writeln!(self.out, "line {line}\n{}\n", refused_text(&refused))?,
            },
        }
        Ok(())
    }
}

/// A counter on the terminal; nothing where standard error is none.
fn progress() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{spinner} {pos} answers, {per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
