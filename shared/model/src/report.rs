//! The report on the results of connection and sharing that is made to the Prime Minister each half-year and year (Decision
//! 1911/QD-TTg, Art. 3(1)(dd), 3(4)(dd)): its figures, and nothing of a person. It is written as JSON in these words.

use serde::{Deserialize, Serialize};

/// What a period's report says. A list that is empty says that there was nothing; a part that is absent could not be asked, and
/// [`Report::missing`] says why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Which form these words have: [`Report::FORM`].
    pub form: String,
    /// What it is about.
    pub period: Period,
    /// The agency that it is about; all of them where there is none.
    pub agency: Option<Agency>,
    /// When it was made, RFC 3339 in Viet Nam's time.
    pub made: String,
    /// Whether it is of a demonstration, whose persons are all synthetic.
    pub synthetic: bool,
    /// Of which part of the access log the figures of [`Report::accesses`] are.
    pub log: Extent,
    /// What was asked, allowed and given, counted from the access log.
    pub accesses: Accesses,
    /// Which databases were connected when it was made, and what the others lacked.
    pub databases: Option<Vec<Database>>,
    /// Assessments of security.
    pub assessments: Option<Vec<Assessment>>,
    /// Connections that were stopped in the period.
    pub suspensions: Option<Vec<Suspension>>,
    /// The months of [`Report::conflicts`] and [`Report::quality`], which are counted by month: those that end in the period.
    pub months: Months,
    /// Conflicts between sources.
    pub conflicts: Option<Vec<Conflicts>>,
    /// How good the data are that sources contributed.
    pub quality: Option<Vec<Quality>>,
    /// When nothing could be recorded, and so nothing be given.
    pub availability: Availability,
    /// The parts that are absent, each with the reason.
    pub missing: Vec<Missing>,
}

impl Report {
    /// The form of this version.
    pub const FORM: &str = "lienthong/report/1";
}

/// A half-open stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// As it was asked for: `2026`, `2026-H1` or `2026-H2`.
    pub name: String,
    /// Its first day in Viet Nam, `YYYY-MM-DD`.
    pub first_day: String,
    /// Its last day in Viet Nam.
    pub last_day: String,
    /// Its first moment, RFC 3339.
    pub from: String,
    /// The first moment after it, RFC 3339.
    pub until: String,
}

/// Whole months in Viet Nam, `YYYY-MM`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Months {
    /// The first one.
    pub first: String,
    /// The last one.
    pub last: String,
}

/// An agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Its code, as in certificates.
    pub code: String,
    /// Its name in Vietnamese; empty where none is known.
    pub vi: String,
    /// Its name in English; empty where none is known.
    pub en: String,
}

/// A part of the access log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Which log.
    pub origin: String,
    /// A signed checkpoint before the first record of the period, verbatim.
    pub first: String,
    /// How many records it covers.
    pub first_size: u64,
    /// A signed checkpoint after the last record of the period, verbatim.
    pub last: String,
    /// How many records it covers.
    pub last_size: u64,
    /// The first moment that was not counted any more, RFC 3339: the end of the period, or while that goes on a moment before it was
    /// made, so that nothing of before is still on its way.
    pub until: String,
    /// Records of the period between the two.
    pub records: u64,
    /// Of these, records that can no longer be opened because their keys were erased: in no figure.
    pub erased: u64,
}

/// What was asked, allowed and given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accesses {
    /// Requests, by month, operation, agency, purpose and outcome.
    pub requests: Vec<Requests>,
    /// Items, by agency and purpose.
    pub items: Vec<Items>,
    /// Why requests were refused.
    pub refusals: Vec<Refusals>,
    /// How long requests took until they were recorded, which is before their answer leaves.
    pub latency: Vec<Latency>,
}

/// Records of requests of one kind: each request has one, and one more for each further person of whom it told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// The month, `YYYY-MM`.
    pub month: String,
    /// The method, as in `identity.v1.IdentityService/GetPerson`.
    pub operation: String,
    /// Code of the agency; empty for the operator's own officers and services.
    pub agency: String,
    /// The purpose group; empty where none was named.
    pub purpose: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How many.
    pub requests: u64,
}

/// What came of a request, as whoever asked was told: that somebody is hidden looks like that there is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The person was found and an answer given.
    Answered,
    /// Nobody was found of whom what was claimed is true.
    NoMatch,
    /// The request was refused.
    Refused,
    /// A contribution was applied, or would be.
    Contributed,
    /// A contribution was rejected by the register.
    Rejected,
    /// An officer was shown, or changed, what is not of persons.
    Administered,
    /// There was too much to do, and nothing of it was read.
    Shed,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Items {
    /// Id of the item.
    pub item: String,
    /// Its name in Vietnamese; the id where none is known.
    pub vi: String,
    /// Code of the agency that asked.
    pub agency: String,
    /// The purpose group.
    pub purpose: String,
    /// How often it was given out, or the word that there are none.
    pub disclosed: u64,
    /// How often it was asked for and not given out.
    pub withheld: u64,
}

/// Refusals for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    /// Code of the agency.
    pub agency: String,
    /// The reason, as on the wire.
    pub reason: String,
    /// How many.
    pub requests: u64,
}

/// How long requests of an operation took, in microseconds. Quantiles are upper bounds of the class that they fall in, which is at
/// most a sixteenth wider than its lower bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The method.
    pub operation: String,
    /// How many requests were measured.
    pub requests: u64,
    /// Half took no longer.
    pub p50_us: u64,
    /// Nineteen of twenty took no longer.
    pub p95_us: u64,
    /// Ninety-nine of a hundred took no longer.
    pub p99_us: u64,
}

/// A database that the Decision or what followed it obliges, or that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its id.
    pub database: String,
    /// Its name in Vietnamese.
    pub vi: String,
    /// Its name in English.
    pub en: String,
    /// Code of the agency that connected it; empty where none did.
    pub agency: String,
    /// That agency's name in Vietnamese.
    pub agency_vi: String,
    /// How far its connection is: a name of `AdmissionState` without its prefix, in small letters; `none` where there is no connection.
    pub state: String,
    /// What is missing, and who owes it.
    pub obstacles: Vec<Obstacle>,
}

/// Something that is missing for a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obstacle {
    /// What it is: a name of `AdmissionObstacle` without its prefix, in small letters.
    pub obstacle: String,
    /// `owner`, `operator`, or empty.
    pub owed_by: String,
    /// The article, as cited; may be empty.
    pub article: String,
}

/// How it stands with the assessment of a connection's security.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// Id of the connection.
    pub connection: String,
    /// Code of its agency.
    pub agency: String,
    /// The days in the period on which it was assessed, `YYYY-MM-DD`.
    pub done: Vec<String>,
    /// The day from which the last one no longer counts; empty where there is none.
    pub next_day: String,
    /// How it stood on the last day of the period, or now where that is to come.
    pub state: AssessmentState,
}

/// How an assessment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssessmentState {
    /// There is one that counts.
    Done,
    /// It soon does not count any more, by the notice that is configured; told only while the period goes on.
    Due,
    /// There is none that counts.
    Overdue,
}

/// A connection that was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Id of the connection.
    pub connection: String,
    /// Code of its agency.
    pub agency: String,
    /// The cause, an id of the closed list.
    pub cause: String,
    /// The cause's article.
    pub article: String,
    /// When it was stopped, RFC 3339.
    pub from: String,
    /// When it was opened again or ended, RFC 3339; empty while it is stopped.
    pub until: String,
}

/// Conflicts in which a source said otherwise than another with more authority, by the month in which it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflicts {
    /// Id of the database that said otherwise.
    pub database: String,
    /// Values about which there was a conflict.
    pub disputed: u64,
    /// Of these, those that a decision let hold.
    pub decided_for: u64,
    /// Of these, those that a decision did not let hold.
    pub decided_against: u64,
    /// How many were decided within 7 days. Of what was contributed before that was counted it is not known.
    pub within_7_days: u64,
    /// After 8 to 30 days.
    pub within_30_days: u64,
    /// Later.
    pub later: u64,
}

/// How good the values are that a source contributed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Id of the database.
    pub database: String,
    /// Contributed values that the register took.
    pub values: u64,
    /// Contributions that spoke of an item and were rejected, summed over items.
    pub rejected: u64,
    /// Never said otherwise than a source with more authority.
    pub consistency: Share,
    /// Whole.
    pub completeness: Share,
    /// Neither annulled nor set aside.
    pub accuracy: Share,
    /// Received in time.
    pub timeliness: Share,
}

/// So many of so many; a share of nothing is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// How many of them.
    pub part: u64,
    /// Of how many.
    pub all: u64,
}

/// When the log's database could be written, without which nothing is given. It is not known of the time before that was noted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// From when it is known, RFC 3339; empty where nothing is known.
    pub known_from: String,
    /// Seconds of the period of which it is known.
    pub known_seconds: u64,
    /// Of these, seconds in which accesses could be recorded.
    pub available_seconds: u64,
    /// The stretches in which they could not, of a minute or more.
    pub outages: Vec<Outage>,
}

/// A stretch in which nothing could be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When it began, RFC 3339.
    pub from: String,
    /// When it ended, RFC 3339.
    pub until: String,
    /// How long it was.
    pub seconds: u64,
}

/// A part that is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The field.
    pub part: String,
    /// Why.
    pub reason: String,
}
