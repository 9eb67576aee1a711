//! What the template is given: every figure of the report, counted, ordered and written in Vietnamese. Pure.
//!
//! | module | job |
//! |---|---|
//! | `accesses` | requests, items, refusals, how long they took |
//! | `databases` | which are connected, and what the others lack |
//! | `sources` | contributions, conflicts, quality |
//! | `security` | assessments, connections that were stopped, availability |
//! | `difficulties` | what of all this is a difficulty |
//! | `annexes` | the tables whole |

mod accesses;
mod annexes;
mod databases;
mod difficulties;
mod security;
mod sources;

use std::collections::BTreeMap;

use model::report::{Agency, Extent, Report};
use serde::Serialize;

use crate::{Error, Form, text, words::Words};

/// The subject of Decision 1911/QD-TTg, for a form that states none.
const SUBJECT: &str = "Về kết quả kết nối, chia sẻ thông tin giữa Cơ sở dữ liệu quốc gia về dân cư với các cơ sở dữ liệu khác";

/// Everything that the document says.
#[derive(Debug, Serialize)]
pub(crate) struct Content {
    synthetic: bool,
    form: Said,
    period: Period,
    made: Made,
    agency: Option<String>,
    databases: Part<databases::Databases>,
    accesses: accesses::Accesses,
    contributions: Option<sources::Contributions>,
    conflicts: Part<sources::Conflicts>,
    quality: Part<sources::Quality>,
    assessments: Part<security::Assessments>,
    suspensions: Part<security::Suspensions>,
    availability: security::Availability,
    difficulties: difficulties::Difficulties,
    annexes: Vec<annexes::Annex>,
    proof: Proof,
}

/// A part of the report, or why it is absent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part<T> {
    Here(T),
    Absent(String),
}

/// What the form says, as it is printed.
#[derive(Debug, Serialize)]
struct Said {
    superior: String,
    body: String,
    /// The body's name within a sentence.
    name: String,
    place: String,
    number: String,
    symbol: String,
    subject: String,
    addressees: Vec<String>,
    authority: Vec<String>,
    post: String,
    signer: String,
    note: String,
    recipients: Vec<String>,
    archive: String,
    tasks: Vec<String>,
    proposals: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Period {
    name: String,
    first: String,
    last: String,
}

#[derive(Debug, Serialize)]
struct Made {
    day: String,
    month: String,
    year: String,
    moment: String,
}

/// By what the figures are checked.
#[derive(Debug, Serialize)]
struct Proof {
    records: String,
    erased: String,
    first_size: String,
    last_size: String,
    verbatim: Verbatim,
}

/// The name of the log, and the checkpoints, line by line. In them nothing is put, not even where a line may break: `clean` knows the field that holds them.
#[derive(Debug, Serialize)]
struct Verbatim {
    origin: String,
    first: Vec<String>,
    last: Vec<String>,
}

/// So many letters does a line of a checkpoint have on paper.
const LINE_MAX: usize = 92;

/// What the parts have in common: names.
pub(crate) struct Names<'a> {
    pub(crate) words: &'a Words,
    agencies: BTreeMap<&'a str, &'a str>,
    databases: BTreeMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    fn of(report: &'a Report, form: &'a Form, words: &'a Words) -> Self {
        let databases = report.databases.iter().flatten();
        let mut agencies: BTreeMap<&str, &str> =
            form.agencies.iter().map(|(code, name)| (code.as_str(), name.as_str())).collect();
        // What the report says itself comes before what the form adds.
        agencies.extend(databases.clone().map(|d| (d.agency.as_str(), d.agency_vi.as_str())));
        agencies.extend(report.agency.iter().map(|a| (a.code.as_str(), a.vi.as_str())));
        agencies.retain(|code, name| !code.is_empty() && !name.is_empty());
        let named = databases.filter(|database| !database.vi.is_empty());
        let databases = named.map(|d| (d.database.as_str(), d.vi.as_str())).collect();
        Self { words, agencies, databases }
    }

    /// An agency's name; its code where none is known. The operator's own have no code.
    pub(crate) fn agency(&self, code: &str) -> String {
        match code {
            "" => "Cán bộ, dịch vụ của cơ quan vận hành".to_owned(),
            code => (*self.agencies.get(code).unwrap_or(&code)).to_owned(),
        }
    }

    /// A database's name.
    pub(crate) fn database(&self, id: &str) -> String {
        let name = self.databases.get(id).map(|name| (*name).to_owned());
        name.unwrap_or_else(|| self.words.of("database", id))
    }
}

impl Content {
    /// What the document says of a report.
    pub(crate) fn of(report: &Report, form: &Form, words: &Words) -> Result<Self, Error> {
        let names = Names::of(report, form, words);
        let made = text::moment(&report.made, "made")?;
        let agency = report.agency.as_ref().map(|agency: &Agency| names.agency(&agency.code));
        let availability = security::availability(report)?;
        Ok(Self {
            synthetic: report.synthetic,
            form: said(form),
            period: Period {
                name: text::period(&report.period.name),
                first: text::short_day(text::day(&report.period.first_day, "period.first_day")?),
                last: text::short_day(text::day(&report.period.last_day, "period.last_day")?),
            },
            made: Made {
                day: text::day_of_month(made.date()),
                month: text::month_of_year(made.date()),
                year: made.year().to_string(),
                moment: text::short_moment(made),
            },
            agency,
            databases: part(report, "databases", &report.databases, |all| {
                databases::databases(all, &names)
            })?,
            accesses: accesses::accesses(report, &names),
            contributions: sources::contributions(report, &names),
            conflicts: part(report, "conflicts", &report.conflicts, |all| {
                sources::conflicts(all, &report.months, &names)
            })?,
            quality: part(report, "quality", &report.quality, |all| {
                sources::quality(all, &report.months, &names)
            })?,
            assessments: part(report, "assessments", &report.assessments, |all| {
                security::assessments(all, &names)
            })?,
            suspensions: part(report, "suspensions", &report.suspensions, |all| {
                security::suspensions(all, &names)
            })?,
            difficulties: difficulties::difficulties(report, &names)?,
            annexes: annexes::annexes(report, &names)?,
            availability,
            proof: proof(&report.log),
        })
    }
}

/// A part that is there, made ready; or why it is not.
fn part<S, T>(
    report: &Report,
    name: &str,
    part: &Option<Vec<S>>,
    ready: impl FnOnce(&[S]) -> Result<T, Error>,
) -> Result<Part<T>, Error> {
    match part {
        Some(part) => ready(part).map(Part::Here),
        None => {
            let missing = report.missing.iter().find(|missing| missing.part == name);
            let reason = missing.map(|missing| missing.reason.clone()).unwrap_or_default();
            Ok(Part::Absent(reason))
        }
    }
}

fn said(form: &Form) -> Said {
    let stated = |text: &str, or: &str| {
        if text.trim().is_empty() { or.to_owned() } else { text.to_owned() }
    };
    Said {
        superior: form.body.superior.to_uppercase(),
        body: form.body.name.to_uppercase(),
        name: form.body.name.clone(),
        place: form.body.place.clone(),
        number: form.document.number.clone(),
        symbol: form.document.symbol.clone(),
        subject: stated(&form.document.subject, SUBJECT),
        addressees: form.document.addressees.clone(),
        authority: form.signer.authority.iter().map(|line| line.to_uppercase()).collect(),
        post: form.signer.post.to_uppercase(),
        signer: form.signer.name.clone(),
        note: form.signer.note.clone(),
        recipients: form.recipients.list.clone(),
        archive: form.recipients.archive.clone(),
        tasks: form.content.tasks.clone(),
        proposals: form.content.proposals.clone(),
    }
}

fn proof(log: &Extent) -> Proof {
    let lines = |note: &str| note.lines().flat_map(broken).collect();
    let number = |value: u64| text::number(u128::from(value));
    Proof {
        records: number(log.records),
        erased: number(log.erased),
        first_size: number(log.first_size),
        last_size: number(log.last_size),
        verbatim: Verbatim {
            origin: log.origin.clone(),
            first: lines(&log.first),
            last: lines(&log.last),
        },
    }
}

/// A line, in pieces that go on paper: between words, and within a word where it alone is too long.
fn broken(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut length = 0;
    for word in line.split_inclusive(' ') {
        let letters = word.chars().count();
        if length > 0 && length + letters > LINE_MAX {
            pieces.push(String::new());
            length = 0;
        }
        for letter in word.chars() {
            if length == LINE_MAX {
                pieces.push(String::new());
                length = 0;
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push(letter);
            }
            length += 1;
        }
    }
    pieces
}
