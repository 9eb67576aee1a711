//! `lienthong follow`: what changes in the register, as an agency that follows it is told.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use contract::{
    identity::v1::{
        FollowPersonsRequest, FollowedAnswer, ListPersonChangesRequest, ListPersonsRequest,
        PersonChange, UnfollowPersonsRequest, WatchPersonChangesRequest,
    },
    r#type::v1::{AccessBasis, ChangeKind},
};
use lienthong::{
    client::{Answered, Changes, Refused, Watching, moment},
    pki::replace_private,
    process::{Runtime, ended},
};
use serde_json::json;

use super::{
    connection::{Connected, Connection},
    evidence::{self, Checked},
    ground::Ground,
    output::{Format, Output, refuse, say},
    question::Items,
};

/// Who follows, in a demonstration.
const CALLER: &str = "social-insurance";
/// The task under which it does, and its ground, unless others are said.
const PROCEDURE: &str = "database-upkeep";
const LEGAL_BASIS: &str = "1911-2021-art-2-1";
/// Why a stream ends that goes on where it ended: its time was over, or the server stops.
const GOES_ON: [&str; 2] = ["DeadlineExceeded", "Unavailable"];
/// How long to wait before it is opened again, the first time and at most.
const AGAIN_FIRST: Duration = Duration::from_millis(200);
const AGAIN_MAX: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    items: Items,
    /// Where to go on: a cursor that was printed; nothing begins now.
    #[arg(long, help_heading = "Request", value_name = "CURSOR", conflicts_with = "list")]
    cursor: Option<String>,
    /// File that keeps the cursor: gone on from when it is there, and written after what was printed.
    #[arg(long, help_heading = "Request", value_name = "FILE")]
    cursor_file: Option<PathBuf>,
    /// Prints the persons of whom it would hear first, and then what changes after that list; not where a cursor is kept.
    #[arg(long, help_heading = "Request")]
    list: bool,
    /// Hears only of the persons who are followed by name.
    #[arg(long, help_heading = "Request")]
    followed_only: bool,
    /// Follows persons by name, by their tokens, before anything else; repeat it, or separate tokens by commas.
    #[arg(long, help_heading = "Request", value_name = "TOKEN", value_delimiter = ',')]
    add: Vec<String>,
    /// Follows persons by name no more.
    #[arg(long, help_heading = "Request", value_name = "TOKEN", value_delimiter = ',')]
    remove: Vec<String>,
    /// Ends when there is nothing more, instead of waiting for what changes.
    #[arg(long, help_heading = "Request")]
    once: bool,
    /// Prints heartbeats, too.
    #[arg(long, help_heading = "Result")]
    heartbeats: bool,
    #[command(flatten, next_help_heading = "Ground")]
    ground: Ground,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let end = ended()?;
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { items, ground, output, cursor_file, cursor, list, .. } = arguments;
    let ground = ground.or(Ground::task(PROCEDURE, LEGAL_BASIS)).or(connected.ground.clone());
    let kept = cursor_file.as_deref().map(kept).transpose()?.flatten();
    let list = list && kept.is_none();
    let mut following = Following {
        connected: &connected,
        basis: ground.whole()?,
        items: items.ids,
        followed_only: arguments.followed_only,
        cursor: cursor.or(kept).unwrap_or_default(),
        cursor_file,
        heartbeats: arguments.heartbeats,
        format: output.format,
        out,
    };
    let work = async {
        following.name(arguments.add, arguments.remove).await?;
        if list {
            following.list().await?;
        }
        if arguments.once { following.pull().await } else { following.watch().await }
    };
    tokio::select! {
        done = work => done,
        // What was printed is what the cursor file says: nothing is between the two.
        () = end => Ok(()),
    }
}

/// The cursor in a file; none where there is no such file yet.
fn kept(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|cursor| !cursor.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", file.display())),
    }
}

/// What is followed, and where it is told.
struct Following<'a, W> {
    connected: &'a Connected,
    basis: AccessBasis,
    items: Vec<String>,
    followed_only: bool,
    cursor: String,
    cursor_file: Option<PathBuf>,
    heartbeats: bool,
    format: Format,
    out: &'a mut W,
}

impl<W: Write> Following<'_, W> {
    /// Follows persons by name, and others no more.
    async fn name(&mut self, add: Vec<String>, remove: Vec<String>) -> Result<()> {
        let client = &self.connected.client;
        let id = || Runtime::system().entropy.id();
        let (basis, items) = (Some(self.basis.clone()), self.items.clone());
        if !add.is_empty() {
            let request = FollowPersonsRequest { basis, items, tokens: add, request_id: id() };
            match client.follow_persons(&request).await? {
                Ok(answered) => self.named(&answered)?,
                Err(refused) => return self.refused(&refused),
            }
        }
        let (basis, items) = (Some(self.basis.clone()), self.items.clone());
        if !remove.is_empty() {
            let request = UnfollowPersonsRequest { basis, items, tokens: remove, request_id: id() };
            match client.unfollow_persons(&request).await? {
                Ok(answered) => self.named(&answered)?,
                Err(refused) => return self.refused(&refused),
            }
        }
        Ok(())
    }

    fn named(&mut self, answered: &Answered<FollowedAnswer>) -> Result<()> {
        let checked = evidence::check(answered, self.connected, None)?;
        let followed = answered.answer.followed;
        match self.format {
            Format::Text => {
                writeln!(self.out, "followed by name: {followed}  record {}", checked.text())?;
            }
            Format::Json => {
                let line = json!({ "followed": followed, "receipt": checked.json() });
                writeln!(self.out, "{line}")?;
            }
        }
        Ok(())
    }

    /// Prints the persons of whom it would hear; from then on the cursor is that of the list.
    async fn list(&mut self) -> Result<()> {
        let mut page_token = String::new();
        loop {
            let request = ListPersonsRequest {
                basis: Some(self.basis.clone()),
                items: self.items.clone(),
                followed_only: self.followed_only,
                page_size: 0,
                page_token,
            };
            let page = match self.connected.client.list_persons(&request).await? {
                Ok(page) => page,
                Err(refused) => return self.refused(&refused),
            };
            for person in &page.persons {
                let checked = evidence::check(person, self.connected, None)?;
                let (token, version) = (&person.answer.token, person.answer.version);
                match self.format {
                    Format::Text => writeln!(
                        self.out,
                        "{version:>8}  {:<10}  {token}  record {}",
                        "listed",
                        checked.text()
                    )?,
                    Format::Json => {
                        let receipt = checked.json();
                        let line = json!({ "listed": { "token": token, "version": version, "receipt": receipt } });
                        writeln!(self.out, "{line}")?;
                    }
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return self.moved(page.cursor);
            }
        }
    }

    /// Page by page, until there is nothing more.
    async fn pull(&mut self) -> Result<()> {
        loop {
            let request = ListPersonChangesRequest {
                basis: Some(self.basis.clone()),
                items: self.items.clone(),
                cursor: self.cursor.clone(),
                followed_only: self.followed_only,
                page_size: 0,
            };
            let page = match self.connected.client.list_person_changes(&request).await? {
                Ok(page) => page,
                Err(refused) => return self.refused(&refused),
            };
            let end_reached = page.end_reached;
            self.told(page)?;
            if end_reached {
                if self.cursor_file.is_none() {
                    let cursor = &self.cursor;
                    match self.format {
                        Format::Text => writeln!(self.out, "cursor    {cursor}")?,
                        Format::Json => writeln!(self.out, "{}", json!({ "cursor": cursor }))?,
                    }
                }
                return Ok(());
            }
        }
    }

    /// What changes, as it is sent; a stream that ended for its time, or because the server stops, is opened again.
    async fn watch(&mut self) -> Result<()> {
        let (mut wait, mut begun) = (AGAIN_FIRST, false);
        loop {
            let request = WatchPersonChangesRequest {
                basis: Some(self.basis.clone()),
                items: self.items.clone(),
                cursor: self.cursor.clone(),
                followed_only: self.followed_only,
                heartbeat_seconds: 0,
            };
            let ended = match self.connected.client.watch_person_changes(request).await {
                Ok(mut watching) => {
                    let (told, ended) = self.stream(&mut watching).await?;
                    if told {
                        (wait, begun) = (AGAIN_FIRST, true);
                    }
                    ended
                }
                Err(refused) => Some(refused),
            };
            match ended {
                // One that never said anything is not gone on with.
                Some(refused) if !begun || !GOES_ON.contains(&refused.code.as_str()) => {
                    return self.refused(&refused);
                }
                Some(refused) => say(&format!("lienthong: {refused}; it is gone on with")),
                None => {}
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }

    /// Prints what a stream sends; says whether that was anything, and why it ended.
    async fn stream(&mut self, watching: &mut Watching) -> Result<(bool, Option<Refused>)> {
        let mut told = false;
        loop {
            match watching.next().await? {
                Ok(Some(changes)) => {
                    told = true;
                    self.told(changes)?;
                }
                Ok(None) => return Ok((told, None)),
                Err(ended) => return Ok((told, Some(ended))),
            }
        }
    }

    /// Prints changes, and only then moves the cursor past them.
    fn told(&mut self, page: Changes) -> Result<()> {
        let Changes { changes, cursor, seen_time, .. } = page;
        for change in &changes {
            let checked = evidence::check(change, self.connected, None)?;
            self.one(change, &checked)?;
        }
        if changes.is_empty() && self.heartbeats {
            let seen = moment(seen_time).unwrap_or_default();
            match self.format {
                Format::Text => writeln!(self.out, "          heartbeat   {seen}")?,
                Format::Json => {
                    let line = json!({ "heartbeat": { "seen_time": seen, "cursor": cursor } });
                    writeln!(self.out, "{line}")?;
                }
            }
        }
        self.moved(cursor)
    }

    fn one(&mut self, change: &Answered<PersonChange>, checked: &Checked) -> Result<()> {
        let answer = &change.answer;
        let (version, token, kind) = (answer.version, &answer.token, name(answer.kind()));
        match self.format {
            Format::Text => {
                let items = answer.items.join(",");
                let job = if answer.bulk_job.is_empty() {
                    String::new()
                } else {
                    format!("  job {}", answer.bulk_job)
                };
                writeln!(
                    self.out,
                    "{version:>8}  {kind:<10}  {token}  {items}{job}  record {}",
                    checked.text()
                )?;
            }
            Format::Json => {
                let line = json!({
                    "changed": {
                        "token": token,
                        "version": version,
                        "kind": kind,
                        "items": answer.items,
                        "known_time": moment(answer.known_time),
                        "bulk_job": answer.bulk_job,
                        "receipt": checked.json(),
                    }
                });
                writeln!(self.out, "{line}")?;
            }
        }
        Ok(())
    }

    /// The cursor is kept after what was printed is out: what is printed twice after a crash is better than never.
    fn moved(&mut self, cursor: String) -> Result<()> {
        self.out.flush()?;
        if let Some(file) = &self.cursor_file {
            replace_private(file, format!("{cursor}\n").as_bytes())?;
        }
        self.cursor = cursor;
        Ok(())
    }

    fn refused(&mut self, refused: &Refused) -> Result<()> {
        if let Some(oldest) = refused.get("oldest_cursor") {
            say(&format!("the oldest changes that are kept: --cursor {oldest}"));
        }
        refuse(refused, self.format, self.out)
    }
}

/// What a change is, in a word.
fn name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Unspecified => "unknown",
        ChangeKind::Registered => "registered",
        ChangeKind::Changed => "changed",
        ChangeKind::Corrected => "corrected",
        ChangeKind::Ended => "ended",
        ChangeKind::Annulled => "annulled",
        ChangeKind::Refolded => "refolded",
    }
}
