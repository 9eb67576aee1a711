//! The parts of a report, asked for from the services that keep them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use contract::{
    contribution::v1::{ItemQuality, ListQualityRequest},
    policy::v1::{Admission, GetAdmissionRequest, ListAdmissionsRequest, ObligedDatabase},
};
use lienthong::client::{Answered, Client, Refused};
use model::report::{Agency, Missing, Report};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::{
    super::{connection::Connected, evidence, output::Ending},
    admitted::{self, History},
    contributed, counted, moment,
    period::Asked,
    request_id,
};

/// For how long something of before may still be on its way into the log.
pub(super) const UNDER_WAY: Duration = Duration::seconds(5);

const PAGE: u32 = 500;
const QUALITY_PAGE: u32 = 1000;
const CLOSED: &str = "METHOD_NOT_ALLOWED";

/// Whom is asked, and about what.
pub(super) struct Gathered<'a> {
    pub(super) connected: &'a Connected,
    pub(super) policy: Client,
    pub(super) contribution: Client,
    pub(super) asked: &'a Asked,
    /// All of them where there is none.
    pub(super) agency: Option<&'a str>,
    pub(super) now: OffsetDateTime,
    pub(super) synthetic: bool,
}

/// What policy says.
struct Admitted {
    obliged: Vec<ObligedDatabase>,
    all: Vec<History>,
}

/// A part, or why it could not be had.
type Part<T> = Result<Result<T, Refused>>;

impl Gathered<'_> {
    /// The report. Without the access log there is none; what others do not give is missing in it.
    pub(super) async fn report(&self) -> Part<Report> {
        let Some((_, key)) = &self.connected.log else {
            let why = "a report names checkpoints that are checked: add --log-key".to_owned();
            return Err(Ending::Usage(why).into());
        };
        let now = self.now.replace_nanosecond(0)?;
        let until = self.asked.until.min(now - UNDER_WAY);
        let agency = self.agency.unwrap_or_default();
        let from = self.asked.from;
        let counted = match counted::count(self.connected, key, from, until, agency).await? {
            Ok(counted) => counted,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut missing = Vec::new();
        let admitted = self.admitted().await?;
        let quality = self.quality(&admitted).await?;
        let admitted =
            or_missing(admitted, &["databases", "assessments", "suspensions"], &mut missing);
        let sums = or_missing(quality, &["conflicts", "quality"], &mut missing);
        let (conflicts, quality) = sums.map(|rows| contributed::summed(&rows)).unzip();
        let all = admitted.as_ref().map(|admitted| admitted.all.as_slice());
        let agencies = all.map(admitted::agencies).unwrap_or_default();
        let mut accesses = counted.accesses();
        name_items(&mut accesses.items)?;
        Ok(Ok(Report {
            form: Report::FORM.to_owned(),
            period: self.asked.written.clone(),
            agency: self.agency.map(|code| named(code, &agencies)),
            made: moment(now),
            synthetic: self.synthetic,
            log: counted.extent(until)?,
            accesses,
            databases: admitted.as_ref().map(|Admitted { obliged, all }| {
                self.own(admitted::databases(obliged, all), |one| &one.agency)
            }),
            assessments: all.map(|all| {
                self.own(admitted::assessments(all, self.asked, until), |one| &one.agency)
            }),
            suspensions: all
                .map(|all| self.own(admitted::suspensions(all, self.asked), |one| &one.agency)),
            months: self.asked.months.clone(),
            conflicts,
            quality,
            availability: counted.availability(until),
            missing,
        }))
    }

    fn checked<T>(&self, answered: Answered<T>) -> Result<T> {
        evidence::check(&answered, self.connected, None)?;
        Ok(answered.answer)
    }

    /// Those of the agency that is reported on.
    fn own<T>(&self, all: Vec<T>, agency: impl Fn(&T) -> &String) -> Vec<T> {
        let own = |one: &T| self.agency.is_none_or(|code| agency(one) == code);
        all.into_iter().filter(own).collect()
    }

    async fn admitted(&self) -> Part<Admitted> {
        let client = &self.policy;
        let obliged = match client.list_readiness().await? {
            Ok(answered) => self.checked(answered)?.databases,
            Err(refused) => return Ok(Err(refused)),
        };
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListAdmissionsRequest { page_size: PAGE, page_token };
            let page = match client.list_admissions(&request).await? {
                Ok(answered) => self.checked(answered)?,
                Err(refused) => return Ok(Err(refused)),
            };
            for Admission { connection, .. } in page.admissions {
                let found = client.get_admission(&GetAdmissionRequest { connection }).await?;
                match found {
                    Ok(answered) => {
                        let found = self.checked(answered)?;
                        all.push((found.admission.unwrap_or_default(), found.moves));
                    }
                    Err(refused) => return Ok(Err(refused)),
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(Ok(Admitted { obliged, all }));
            }
        }
    }

    /// The figures of the months of the period: of an agency those of its databases, as far as policy says which they are.
    async fn quality(&self, admitted: &Result<Admitted, Refused>) -> Part<Vec<ItemQuality>> {
        let (mut rows, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListQualityRequest {
                from_month: self.asked.months.first.clone(),
                to_month: self.asked.months.last.clone(),
                page_token,
                page_size: QUALITY_PAGE,
                request_id: request_id(),
            };
            let page = match self.contribution.list_quality(&request).await? {
                Ok(answered) => self.checked(answered)?,
                Err(refused) => return Ok(Err(refused)),
            };
            rows.extend(page.figures);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let Some(code) = self.agency else { return Ok(Ok(rows)) };
        match admitted {
            Ok(admitted) => {
                let forms = admitted.all.iter().filter_map(|(one, _)| one.application.as_ref());
                let own = forms.filter(|form| form.agency == code);
                let own: BTreeSet<&str> = own.map(|form| form.database.as_str()).collect();
                rows.retain(|row| own.contains(row.database.as_str()));
                Ok(Ok(rows))
            }
            // A system, to whom policy is closed, is told of its own.
            Err(refused) if refused.reason == CLOSED => Ok(Ok(rows)),
            // Whose they are is not known.
            Err(refused) => Ok(Err(refused.clone())),
        }
    }
}

/// The part; where it could not be had, nothing, and the report says why of each of its fields.
fn or_missing<T>(
    part: Result<T, Refused>,
    fields: &[&str],
    missing: &mut Vec<Missing>,
) -> Option<T> {
    match part {
        Ok(part) => Some(part),
        Err(refused) => {
            let reason = refused.to_string();
            missing.extend(
                fields
                    .iter()
                    .map(|field| Missing { part: (*field).to_owned(), reason: reason.clone() }),
            );
            None
        }
    }
}

fn named(code: &str, agencies: &BTreeMap<String, Agency>) -> Agency {
    let unnamed = || Agency { code: code.to_owned(), vi: String::new(), en: String::new() };
    agencies.get(code).cloned().unwrap_or_else(unnamed)
}

/// Items as the shipped catalogue names them.
pub(super) fn name_items(items: &mut [model::report::Items]) -> Result<()> {
    #[derive(Deserialize)]
    struct Catalogue {
        item: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        id: String,
        vi: String,
    }
    let catalogue: Catalogue = toml::from_str(policy::ITEMS)?;
    let names: BTreeMap<_, _> = catalogue.item.into_iter().map(|item| (item.id, item.vi)).collect();
    for item in items {
        if let Some(vi) = names.get(&item.item) {
            item.vi.clone_from(vi);
        }
    }
    Ok(())
}
