//! The persons that a stream of lookups asks about: a line of JSON each, read as they are asked.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use contract::{
    identity::v1::LookupStreamQuery,
    r#type::v1::{Claims, SubjectRef, subject_ref},
};
use lienthong::demo::Subject;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::commands::{input::without_values, lookup::written, values::Date};

/// The longest line, in bytes.
const LINE_MAX: u64 = 16 << 10;
/// Lines that were read and are not asked yet.
const AHEAD: usize = 64;

/// A person, as a line names it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    personal_number: Option<String>,
    old_number: Option<String>,
    token: Option<String>,
    full_name: Option<String>,
    date_of_birth: Option<Date>,
    #[serde(default)]
    min_version: u64,
}

impl Line {
    /// The query of a line; the line's place is its number.
    fn query(self, place: u64) -> Result<LookupStreamQuery> {
        let subject = match (self.personal_number, self.old_number, self.token) {
            (Some(number), None, None) => subject_ref::Subject::PersonalNumber(number),
            (None, Some(number), None) => subject_ref::Subject::OldNumber(number),
            (None, None, Some(token)) => subject_ref::Subject::Token(token),
            _ => bail!("one of `personal_number`, `old_number` and `token` is required"),
        };
        let claims = (self.full_name.is_some() || self.date_of_birth.is_some()).then(|| Claims {
            full_name: self.full_name.unwrap_or_default(),
            date_of_birth: self.date_of_birth.map(|date| date.0),
        });
        Ok(LookupStreamQuery {
            correlation_id: place,
            subject: Some(SubjectRef { subject: Some(subject) }),
            claims,
            min_version: self.min_version,
        })
    }
}

/// The sample persons of a demonstration.
pub(super) fn samples(subjects: &[Subject]) -> Vec<LookupStreamQuery> {
    let of = |(place, subject): (u64, &Subject)| LookupStreamQuery {
        correlation_id: place,
        subject: Some(SubjectRef {
            subject: Some(subject_ref::Subject::PersonalNumber(subject.personal_number.clone())),
        }),
        claims: Some(Claims {
            full_name: subject.full_name.clone(),
            date_of_birth: Some(written(subject.date_of_birth)),
        }),
        min_version: 0,
    };
    (1..).zip(subjects).map(of).collect()
}

/// Reads a file line by line, `-` for standard input, while what was read is asked. The last thing that comes is what was
/// wrong with it, if anything was.
pub(super) fn read(file: PathBuf) -> mpsc::Receiver<Result<LookupStreamQuery>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    // A file is read by a thread that may wait, and for which nobody waits: what is typed may never come.
    std::thread::spawn(move || {
        if let Err(error) = each(&file, |query| sender.blocking_send(Ok(query)).is_ok()) {
            // Nobody waits for it when the stream has ended.
            let _gone = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Hands on each query of a file until `taken` says that nobody takes it.
fn each(file: &Path, mut taken: impl FnMut(LookupStreamQuery) -> bool) -> Result<()> {
    let shown = file.display();
    let mut lines: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(stdin()))
    } else {
        let opened = File::open(file).with_context(|| format!("cannot read `{shown}`"))?;
        Box::new(BufReader::new(opened))
    };
    for place in 1.. {
        let mut line = String::new();
        let read = (&mut lines).take(LINE_MAX + 1).read_line(&mut line);
        if read.with_context(|| format!("cannot read line {place} of `{shown}`"))? == 0 {
            break;
        }
        if line.len() as u64 > LINE_MAX {
            bail!("line {place} of `{shown}` is longer than {LINE_MAX} bytes");
        }
        if line.trim().is_empty() {
            continue;
        }
        let parsed: Result<Line, _> = serde_json::from_str(&line);
        let parsed = parsed.map_err(|error| anyhow::anyhow!(without_values(&error)));
        let query = parsed.and_then(|line| line.query(place));
        if !taken(query.with_context(|| format!("line {place} of `{shown}`"))?) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The numbers of the queries in a text, and what is wrong with it.
    fn numbers(text: &str) -> (Vec<u64>, Option<String>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut seen = Vec::new();
        let read = each(file.path(), |query| {
            seen.push(query.correlation_id);
            true
        });
        (seen, read.err().map(|error| format!("{error:#}")))
    }

    #[test]
    fn each_line_is_a_person_and_i8_what_is_wrong_says_no_value() {
        let good = "{\"personal_number\":\"1\",\"full_name\":\"x\",\"date_of_birth\":\"1990-05\"}";
        assert_eq!(numbers(&format!("{good}\n\n{{\"token\":\"t\"}}\n")), (vec![1, 3], None));
        for bad in [
            "{\"personal_number\":990204000001}",
            "{\"personal_number\":\"990204000001\",\"token\":\"990204000001\"}",
            "{\"full_name\":\"990204000001\"}",
            "{\"unknown\":\"990204000001\"}",
            "{\"personal_number\":\"1\",\"date_of_birth\":\"990204000001\"}",
        ] {
            let (seen, wrong) = numbers(&format!("{good}\n{bad}\n{good}\n"));
            let wrong = wrong.unwrap();
            assert_eq!(seen, [1]);
            assert!(wrong.contains("line 2") && !wrong.contains("990204000001"), "{wrong}");
        }
        let long = "x".repeat(usize::try_from(LINE_MAX).unwrap() + 1);
        assert!(numbers(&long).1.unwrap().contains("longer"));
    }
}
