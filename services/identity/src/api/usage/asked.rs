//! What a portal asks: the parameters and headers of its request read, every faulty one named at once, and the bytes of it that its
//! record commits to.

use contract::{
    audit::v1::RecordedAccess,
    r#type::v1::{AccessBasis, Claims, ErrorReason, PartialDate, SubjectRef, subject_ref},
};
use http::{HeaderMap, Request};
use server::{Caller, caller::Kind, error::refuse, trace::Trace};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tonic::Status;
use wire::{Fault, Faults, basis};

use super::{TOLD_MAX, Usage};
use crate::{
    api::{
        REQUEST_ID_MAX,
        call::CLAIMS,
        identity::{lookup, whom},
    },
    app::Lookup,
};

const USER_CODE: &str = "userCode";
const PROCESSING_TYPE: &str = "processingType";
const BULK: &str = "includeBulkProcessing";
const SYSTEMS: &str = "logSourceSystems";
const PERIOD_START: &str = "periodStart";
const PERIOD_END: &str = "periodEnd";
const LIMIT: &str = "limit";
const OFFSET: &str = "offset";
const PARAMETERS: [&str; 8] =
    [USER_CODE, PROCESSING_TYPE, BULK, SYSTEMS, PERIOD_START, PERIOD_END, LIMIT, OFFSET];

/// Headers of X-Road: who is logged in, the id of the message, the case, and the consent (its extension on the usage of personal data).
const USER_ID: &str = "X-Road-UserId";
const MESSAGE_ID: &str = "X-Road-Id";
const ISSUE: &str = "X-Road-Issue";
const CONSENT: &str = "X-Road-PDU-Consent-Reference";
/// Ours: what the portal knows of who is logged in, beside the number.
const FULL_NAME: &str = "Lienthong-Full-Name";
const DATE_OF_BIRTH: &str = "Lienthong-Date-Of-Birth";
/// And where to go on: the `nextPageToken` of an answer.
const PAGE_TOKEN: &str = "Lienthong-Page-Token";
/// Those that count, in the order in which a record commits to them.
const HEADERS: [&str; 7] =
    [USER_ID, MESSAGE_ID, ISSUE, CONSENT, FULL_NAME, DATE_OF_BIRTH, PAGE_TOKEN];

/// The country before a number, as the interface writes it.
const COUNTRY: &str = "VN";
const LIMIT_MAX: u64 = 10_000;
const SYSTEMS_MAX: usize = 16;
const SYSTEM_MAX: usize = 64;
/// Longer than a record waits for its place in the log: than the longest deadline.
const WAITS_MS: u64 = 3_600_000;

/// The types of processing, of which the register has two: what it answered, and what it took from others.
const DATA_RESPONSE: &str = "DATA_RESPONSE";
const DATA_PROCESSING: &str = "DATA_PROCESSING";
const OF_NOTHING: [&str; 2] = ["DATA_REQUEST", "INTERNAL_PROCESSING"];

/// A request that was read.
pub(super) struct Checked {
    pub(super) lookup: Lookup,
    pub(super) basis: AccessBasis,
    pub(super) request_id: String,
    pub(super) wanted: Wanted,
}

/// Which accesses are wanted.
pub(super) struct Wanted {
    /// Those that were answered.
    pub(super) responses: bool,
    /// Those by which something was taken.
    pub(super) processings: bool,
    /// Also those in bulk.
    pub(super) bulk: bool,
    /// Of these parts of the register; of all where none is named.
    pub(super) systems: Vec<String>,
    /// From when, milliseconds since 1970.
    pub(super) from_ms: u64,
    /// Before when; 0 for no end.
    pub(super) until_ms: u64,
    pub(super) limit: usize,
    pub(super) offset: usize,
    /// Where to go on, as the last answer says; empty from the newest.
    pub(super) page_token: String,
}

impl Wanted {
    /// Whether an access is of the time that is asked about.
    pub(super) fn is_of(&self, access: &RecordedAccess) -> bool {
        let time_ms = time_ms(access).unwrap_or(0);
        time_ms >= self.from_ms && (self.until_ms == 0 || time_ms < self.until_ms)
    }

    /// Whether a time is asked about, and not all of it.
    pub(super) fn has_period(&self) -> bool {
        self.from_ms > 0 || self.until_ms > 0
    }

    /// Whether all that is older than an access is older than what is asked about. Records come into the log as they are made, but for
    /// those that wait. Of an archived one the time is not known.
    pub(super) fn is_past(&self, access: &RecordedAccess) -> bool {
        time_ms(access).is_some_and(|time_ms| time_ms.saturating_add(WAITS_MS) < self.from_ms)
    }
}

fn time_ms(access: &RecordedAccess) -> Option<u64> {
    tlog::Leaf::parse(&access.leaf).ok().map(|leaf| leaf.time_ms)
}

/// What the record of a request commits to: its line without the protocol, and the headers that count, each on a line.
pub(super) fn recorded(request: &Request<()>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut bytes = format!("GET {target}\n").into_bytes();
    for name in HEADERS {
        for value in request.headers().get_all(name) {
            bytes.extend(format!("{name}: ").bytes());
            bytes.extend(value.as_bytes());
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Reads a request of this caller.
pub(super) fn checked(
    site: &Usage,
    request: &Request<()>,
    caller: &Caller,
) -> Result<Checked, Status> {
    let mut faults = Faults::default();
    let query = Parameters::read(request.uri().query().unwrap_or_default(), &mut faults);
    let headers = Headers(request.headers());
    let number = query.one(USER_CODE, &mut faults);
    if number.is_none() {
        faults.add(USER_CODE, Fault::Missing);
    }
    match (headers.one(USER_ID, &mut faults), number) {
        (None, _) => faults.add(USER_ID, Fault::Missing),
        (Some(user), Some(number)) if bare(&user) != bare(number) => {
            faults.add(USER_ID, Fault::Represented);
        }
        (Some(_), _) => {}
    }
    let page_token = headers.one(PAGE_TOKEN, &mut faults).unwrap_or_default();
    let wanted = wanted(&query, page_token, &mut faults);
    let (request_id, basis) = ground(site, &headers, caller, &mut faults);
    let claims = claims(&headers, &mut faults);
    let subject = number.map(|number| SubjectRef {
        subject: Some(subject_ref::Subject::PersonalNumber(bare(number).to_owned())),
    });
    let (lists, today) = (&site.shared.lists, site.shared.app.clock.today());
    let mut of_person = Faults::default();
    let whom = whom(subject.as_ref(), claims.as_ref(), lists, today, &mut of_person);
    if subject.is_some() {
        faults.renamed(of_person, as_asked);
    }
    faults.finish()?;
    // Whatever is not there was named above.
    let (Some(whom), Some(wanted)) = (whom, wanted) else {
        return Err(refuse(ErrorReason::Internal));
    };
    Ok(Checked { lookup: lookup(whom, 0, &[], None), basis, request_id, wanted })
}

/// A number without the country.
fn bare(code: &str) -> &str {
    code.strip_prefix(COUNTRY).unwrap_or(code)
}

/// What a portal knows a field as.
fn as_asked(field: &str) -> String {
    let claim = |part: &str| field.starts_with(&format!("{CLAIMS}.{part}"));
    let named = match field {
        "basis.case_reference" => ISSUE,
        "basis.consent_reference" => CONSENT,
        "request_id" => MESSAGE_ID,
        _ if field.starts_with("subject") => USER_CODE,
        _ if claim("full_name") => FULL_NAME,
        _ if claim("date_of_birth") => DATE_OF_BIRTH,
        // Of the certificate, or as configured.
        other => other,
    };
    named.to_owned()
}

/// The id of the request and its ground. Who looks is the citizen, so no officer is in charge: the portal's system stands there.
fn ground(
    site: &Usage,
    headers: &Headers<'_>,
    caller: &Caller,
    faults: &mut Faults,
) -> (String, AccessBasis) {
    let own = || {
        let id = Trace::current_request_id().unwrap_or_default();
        id.chars().take(REQUEST_ID_MAX).collect()
    };
    let request_id = headers.one(MESSAGE_ID, faults).unwrap_or_else(own);
    let (agency, system) = match caller.kind() {
        Kind::System { agency, system } => (agency.clone(), system.clone()),
        Kind::Service(_) | Kind::Operator(_) => Default::default(),
    };
    let ground = AccessBasis {
        procedure: site.procedure.clone(),
        legal_basis: site.legal_basis.clone(),
        case_reference: headers.one(ISSUE, faults).unwrap_or_else(|| request_id.clone()),
        acting_unit: agency,
        officer: system,
        consent_reference: headers.one(CONSENT, faults).unwrap_or_default(),
        direction_reference: String::new(),
    };
    let mut of_ground = Faults::default();
    of_ground.text("request_id", &request_id, REQUEST_ID_MAX);
    basis::check(Some(&ground), &mut of_ground);
    faults.renamed(of_ground, as_asked);
    (request_id, ground)
}

/// What the portal knows of the person, where it says anything: then all of it.
fn claims(headers: &Headers<'_>, faults: &mut Faults) -> Option<Claims> {
    let (name, born) = (headers.one(FULL_NAME, faults), headers.one(DATE_OF_BIRTH, faults));
    let date = born.as_deref().map(date);
    if date == Some(None) {
        faults.add(DATE_OF_BIRTH, Fault::Malformed);
    }
    match (name, date) {
        (None, None) => None,
        (Some(full_name), Some(Some(date))) => {
            Some(Claims { full_name, date_of_birth: Some(date) })
        }
        (name, date) => {
            if name.is_none() {
                faults.add(FULL_NAME, Fault::Missing);
            }
            if date.is_none() {
                faults.add(DATE_OF_BIRTH, Fault::Missing);
            }
            None
        }
    }
}

/// A date as far as it is known: `2001-05-30`, `2001-05` or `2001`.
fn date(text: &str) -> Option<PartialDate> {
    let mut parts = text.split('-');
    let mut part = |digits: usize| match parts.next() {
        None => Some(0),
        Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse().ok()
        }
        Some(_) => None,
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    parts.next().is_none().then_some(PartialDate { year, month, day })
}

fn wanted(query: &Parameters, page_token: String, faults: &mut Faults) -> Option<Wanted> {
    let types: Vec<&str> = query.all(PROCESSING_TYPE).collect();
    let is_type =
        |one: &&str| [DATA_RESPONSE, DATA_PROCESSING].contains(one) || OF_NOTHING.contains(one);
    if !types.iter().all(is_type) {
        faults.add(PROCESSING_TYPE, Fault::UnknownCode);
    }
    let of_type = |one| types.is_empty() || types.contains(&one);
    let bulk = match query.one(BULK, faults) {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some(_) => None,
    };
    if bulk.is_none() {
        faults.add(BULK, Fault::Malformed);
    }
    let systems: Vec<String> = query.all(SYSTEMS).map(str::to_owned).collect();
    if systems.len() > SYSTEMS_MAX {
        faults.add(SYSTEMS, Fault::TooMany(SYSTEMS_MAX));
    } else if let Some(long) = systems.iter().find(|one| one.chars().count() > SYSTEM_MAX) {
        faults.text(SYSTEMS, long, SYSTEM_MAX);
    }
    let from_ms = moment(query, PERIOD_START, faults);
    // To the end of the millisecond that is named.
    let until_ms = moment(query, PERIOD_END, faults).map(|ms| ms.map(|ms| ms.saturating_add(1)));
    let limit = number(query, LIMIT, 1..=LIMIT_MAX, faults);
    let offset = number(query, OFFSET, 0..=i32::MAX.unsigned_abs().into(), faults);
    if let (Some(Some(from)), Some(Some(until))) = (from_ms, until_ms)
        && until <= from
    {
        faults.add(PERIOD_END, Fault::TooEarly);
    }
    Some(Wanted {
        responses: of_type(DATA_RESPONSE),
        processings: of_type(DATA_PROCESSING),
        bulk: bulk?,
        systems,
        from_ms: from_ms?.unwrap_or(0),
        until_ms: until_ms?.unwrap_or(0),
        // As many as the interface says, as far as one answer holds them.
        limit: limit?
            .map_or(TOLD_MAX, |limit| usize::try_from(limit).unwrap_or(TOLD_MAX).min(TOLD_MAX)),
        offset: offset?.map_or(0, |offset| usize::try_from(offset).unwrap_or(usize::MAX)),
        page_token,
    })
}

/// A moment in milliseconds since 1970, where one is named; none where it is no moment. What was before 1970 is its beginning.
fn moment(query: &Parameters, name: &'static str, faults: &mut Faults) -> Option<Option<u64>> {
    let Some(text) = query.one(name, faults) else { return Some(None) };
    let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) else {
        faults.add(name, Fault::Malformed);
        return None;
    };
    let ms = moment.unix_timestamp_nanos().div_euclid(1_000_000);
    Some(Some(u64::try_from(ms).unwrap_or(0)))
}

/// A number, where one is named; none where it is not in the range.
fn number(
    query: &Parameters,
    name: &'static str,
    range: std::ops::RangeInclusive<u64>,
    faults: &mut Faults,
) -> Option<Option<u64>> {
    let Some(text) = query.one(name, faults) else { return Some(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let fault = match text.parse::<u64>().ok().filter(|_| digits) {
        Some(number) if range.contains(&number) => return Some(Some(number)),
        Some(_) => Fault::NotAllowed,
        None => Fault::Malformed,
    };
    faults.add(name, fault);
    None
}

/// The parameters of a query.
struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// A name that is none is not repeated in what is said of it (I8).
    fn read(query: &str, faults: &mut Faults) -> Self {
        let mut all = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let known = decoded(name.as_bytes());
            let known = PARAMETERS.into_iter().find(|name| known.as_deref() == Some(name));
            match (known, decoded(value.as_bytes())) {
                (Some(name), Some(value)) => all.push((name, value)),
                (Some(name), None) => faults.add(name, Fault::Malformed),
                (None, _) => faults.add("query", Fault::NotAllowed),
            }
        }
        Self(all)
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn one(&self, name: &'static str, faults: &mut Faults) -> Option<&str> {
        let mut all = self.all(name);
        let one = all.next();
        if all.next().is_some() {
            faults.add(name, Fault::Repeated);
        }
        one
    }
}

/// The headers of a request.
struct Headers<'a>(&'a HeaderMap);

impl Headers<'_> {
    /// A header that is there at most once; what is not ASCII is written as X-Road writes it, UTF-8 with percent signs.
    fn one(&self, name: &'static str, faults: &mut Faults) -> Option<String> {
        let mut all = self.0.get_all(name).iter();
        let one = all.next()?;
        if all.next().is_some() {
            faults.add(name, Fault::Repeated);
        }
        let text = decoded(one.as_bytes());
        if text.is_none() {
            faults.add(name, Fault::Malformed);
        }
        // One that is empty, or none, is as one that is not there, but for the fault that was named.
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// What percent signs stand for (RFC 3986, 2.1); none where that is no text.
fn decoded(bytes: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
#[path = "asked_tests.rs"]
mod tests;
