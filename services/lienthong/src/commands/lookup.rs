//! `lienthong lookup`: one governed lookup, as an agency makes it.

mod answer;

use std::{io::Write, str::FromStr};

use anyhow::Result;
use contract::{
    identity::v1::{AsOf, GetPersonRequest},
    r#type::v1::{Claims, PartialDate, SubjectRef, subject_ref},
};
use lienthong::demo::{BirthDate, Subject};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(super) use answer::{
    NO_MATCH, conditions, held_json, held_text, item as item_json, item_text, json as answer_json,
    named, outcome, text as answer_text, withheld_json, withheld_text,
};

use super::{
    connection::{Connected, Connection},
    evidence::{self, Folder},
    output::{Ending, Output, refuse},
    question::{Items, MinVersion, Question},
    values::Date,
};

/// Whom the lookup is made as, in a demonstration.
const CALLER: &str = "social-insurance";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    items: Items,
    /// What the register knew at this moment (RFC 3339), where an agreement lets the caller look back.
    #[arg(long, help_heading = "Request", value_name = "TIME")]
    known_at: Option<Moment>,
    /// What was true on this day: YYYY-MM-DD.
    #[arg(long, help_heading = "Request", value_name = "DATE")]
    valid_on: Option<Date>,
    #[command(flatten)]
    seen: MinVersion,
    #[command(flatten)]
    question: Question,
}

/// A moment, as it is typed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) OffsetDateTime);

impl FromStr for Moment {
    type Err = time::error::Parse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self)
    }
}

/// Who is looked up, and what the caller knows of the person.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Person")]
#[command(group(clap::ArgGroup::new("who").required(true).args(["number", "old_number", "token", "subject"])))]
pub(crate) struct Whom {
    /// The personal number: twelve digits.
    #[arg(long)]
    number: Option<String>,
    /// The old number: nine digits.
    #[arg(long)]
    old_number: Option<String>,
    /// The token by which the register names the person to the caller: then it needs to know no more.
    #[arg(long)]
    token: Option<String>,
    /// A sample person of the demonstration, with its claims: child, adult, protected, or a place in
    /// the list of `demo.json`, from 1.
    #[arg(long, value_name = "KIND|N", requires = "demo")]
    subject: Option<String>,
    /// The full name that the caller knows.
    #[arg(long)]
    name: Option<String>,
    /// The date of birth that the caller knows: YYYY, YYYY-MM or YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    born: Option<Date>,
}

impl Whom {
    /// The person and the claims as the contract writes them.
    ///
    /// # Errors
    /// When the demonstration has no such sample person.
    pub(crate) fn of(self, samples: &[Subject]) -> Result<(SubjectRef, Option<Claims>), Ending> {
        let sample = self.subject.map(|wanted| sample(samples, &wanted)).transpose()?;
        let number = self.number.or(sample.map(|s| s.personal_number.clone()));
        let subject = match (number, self.old_number, self.token) {
            (Some(number), ..) => subject_ref::Subject::PersonalNumber(number),
            (None, Some(old), _) => subject_ref::Subject::OldNumber(old),
            (None, None, token) => subject_ref::Subject::Token(token.unwrap_or_default()),
        };
        let born = sample.map(|s| written(s.date_of_birth));
        let name = self.name.or(sample.map(|s| s.full_name.clone()));
        let born = self.born.map(|date| date.0).or(born);
        let claims = (name.is_some() || born.is_some())
            .then(|| Claims { full_name: name.unwrap_or_default(), date_of_birth: born });
        Ok((SubjectRef { subject: Some(subject) }, claims))
    }
}

/// A sample person's date of birth as the contract writes it.
pub(super) fn written(born: BirthDate) -> PartialDate {
    let BirthDate { year, month, day } = born;
    PartialDate { year, month: month.into(), day: day.into() }
}

fn sample<'a>(samples: &'a [Subject], wanted: &str) -> Result<&'a Subject, Ending> {
    let found = match wanted.parse::<usize>() {
        Ok(place) => place.checked_sub(1).and_then(|place| samples.get(place)),
        Err(_) => samples.iter().find(|sample| sample.kind == wanted),
    };
    found.ok_or_else(|| {
        let mut kinds: Vec<&str> = samples.iter().map(|s| s.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let (count, kinds) = (samples.len(), kinds.join(", "));
        Ending::Usage(format!("no sample person `{wanted}`: there are 1 to {count}, or {kinds}"))
    })
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let Arguments { whom, items, known_at, valid_on, seen, question, .. } = arguments;
    let as_of = (known_at.is_some() || valid_on.is_some()).then(|| AsOf {
        known_time: known_at.map(|moment| wire::timestamp(moment.0)),
        valid_date: valid_on.map(|date| date.0),
    });
    let (subject, claims) = whom.of(&connected.subjects)?;
    let request = GetPersonRequest {
        subject: Some(subject),
        claims,
        items: items.ids,
        basis: Some(question.basis(&connected)?),
        request_id: question.request_id(),
        min_version: seen.min_version,
        as_of,
    };
    look_up(&connected, &request, question.folder()?, question.output, out).await
}

async fn look_up(
    connected: &Connected,
    request: &GetPersonRequest,
    folder: Option<Folder>,
    output: Output,
    out: &mut impl Write,
) -> Result<()> {
    let answered = match connected.client.get_person(request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, output.format, out),
    };
    let checked = evidence::check(&answered, connected, folder)?;
    answer::print(answered.answer, &checked, output.format, out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn samples() -> Vec<Subject> {
        let of = |kind: &str, number: &str| Subject {
            kind: kind.into(),
            personal_number: number.into(),
            old_number: None,
            full_name: format!("{kind} name"),
            date_of_birth: BirthDate { year: 1990, month: 5, day: 0 },
        };
        vec![of("adult", "1"), of("child", "2")]
    }

    fn whom(subject: &str) -> Whom {
        Whom { subject: Some(subject.into()), ..Whom::default() }
    }

    #[test]
    fn a_sample_brings_its_claims_and_what_is_said_goes_first() {
        let (subject, claims) = whom("child").of(&samples()).unwrap();
        assert_eq!(subject.subject, Some(subject_ref::Subject::PersonalNumber("2".into())));
        let claims = claims.unwrap();
        assert_eq!(claims.full_name, "child name");
        assert_eq!(claims.date_of_birth, Some(PartialDate { year: 1990, month: 5, day: 0 }));
        let other =
            Whom { name: Some("x".into()), born: Some("1991".parse().unwrap()), ..whom("1") };
        let (_, claims) = other.of(&samples()).unwrap();
        let born = Some(PartialDate { year: 1991, month: 0, day: 0 });
        assert_eq!(claims, Some(Claims { full_name: "x".into(), date_of_birth: born }));
        for absent in ["0", "3", "ghost"] {
            assert!(whom(absent).of(&samples()).is_err(), "{absent}");
        }
    }

    #[test]
    fn without_claims_none_are_sent() {
        let whom = Whom { old_number: Some("999000001".into()), ..Whom::default() };
        let (subject, claims) = whom.of(&[]).unwrap();
        assert_eq!(subject.subject, Some(subject_ref::Subject::OldNumber("999000001".into())));
        assert!(claims.is_none());
    }
}
