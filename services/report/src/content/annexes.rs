//! The tables whole, as annexes.

use std::collections::{BTreeMap, BTreeSet};

use model::report::{Outcome, Report};
use serde::Serialize;

use super::{Names, accesses, databases, security, sources};
use crate::{
    Error,
    table::{LYING, Table, UPRIGHT, add},
    text::{self, number},
};

/// An annex: its name, tables, and whether its pages lie on their side.
#[derive(Debug, Serialize)]
pub(crate) struct Annex {
    title: &'static str,
    lying: bool,
    tables: Vec<Table>,
}

const OUTCOMES: [Outcome; 7] = [
    Outcome::Answered,
    Outcome::NoMatch,
    Outcome::Refused,
    Outcome::Contributed,
    Outcome::Rejected,
    Outcome::Administered,
    Outcome::Shed,
];

/// Those that have anything to say, in the order of the content.
pub(super) fn annexes(report: &Report, names: &Names<'_>) -> Result<Vec<Annex>, Error> {
    let mut annexes = Vec::new();
    let mut annex = |title, lying, tables: Vec<Option<Table>>| {
        let tables: Vec<_> = tables.into_iter().flatten().filter(|t| !t.is_empty()).collect();
        if !tables.is_empty() {
            annexes.push(Annex { title, lying, tables });
        }
    };
    let databases = report.databases.as_deref().unwrap_or_default();
    let databases = databases::whole(databases, names, LYING);
    annex("Tình trạng kết nối của từng cơ sở dữ liệu, hệ thống", true, vec![Some(databases)]);
    annex(
        "Số yêu cầu theo cơ quan, tháng, loại yêu cầu và mục đích",
        true,
        vec![Some(requests(report, names))],
    );
    annex(
        "Số lượt cung cấp từng mục thông tin theo cơ quan và mục đích",
        false,
        vec![Some(items(report, names))],
    );
    annex("Yêu cầu bị từ chối theo cơ quan và lý do", false, vec![Some(refusals(report, names))]);
    let assessments = report.assessments.as_deref().unwrap_or_default();
    let suspensions = report.suspensions.as_deref().unwrap_or_default();
    annex(
        "Đánh giá an toàn thông tin, tạm dừng kết nối và gián đoạn",
        true,
        vec![
            Some(security::assessments_whole(assessments, names, LYING)?),
            Some(security::suspensions_whole(suspensions, names, LYING)?),
            security::outages_whole(report, LYING)?,
        ],
    );
    let conflicts = report.conflicts.as_deref().unwrap_or_default();
    let quality = report.quality.as_deref().unwrap_or_default();
    annex(
        "Mâu thuẫn giữa các nguồn và chất lượng dữ liệu",
        true,
        vec![
            sources::disputes_whole(conflicts, names, LYING),
            sources::qualities_whole(quality, names, LYING),
        ],
    );
    Ok(annexes)
}

/// Every count of requests: a line for each agency, month, operation and purpose, a column for each outcome that there is.
fn requests(report: &Report, names: &Names<'_>) -> Table {
    let all = &report.accesses.requests;
    let used: BTreeSet<_> = all.iter().map(|row| row.outcome).collect();
    let used: Vec<_> = OUTCOMES.into_iter().filter(|outcome| used.contains(outcome)).collect();
    let mut table = Table::new("").short("Tháng").words("Loại yêu cầu", 1.6).words("Mục đích", 1.0);
    for outcome in &used {
        table = table.figures(&names.words.of("outcome", accesses::id(*outcome)));
    }
    table = table.figures("Tổng số");
    let mut rows: BTreeMap<_, BTreeMap<Outcome, u128>> = BTreeMap::new();
    for row in all {
        let key = (&row.agency, &row.month, &row.operation, &row.purpose);
        *rows.entry(key).or_default().entry(row.outcome).or_default() += u128::from(row.requests);
    }
    let cells = |counts: &BTreeMap<Outcome, u128>| {
        let count = |outcome: &Outcome| number(counts.get(outcome).copied().unwrap_or_default());
        let sum = number(counts.values().sum());
        used.iter().map(count).chain(std::iter::once(sum)).collect::<Vec<_>>()
    };
    let mut sum: BTreeMap<Outcome, u128> = BTreeMap::new();
    let mut agency = None;
    for ((code, month, operation, purpose), counts) in &rows {
        if agency != Some(code) {
            agency = Some(code);
            table.group(coded(code, names));
        }
        let operation = names.words.of("operation", operation);
        let purpose = names.words.of("purpose", purpose);
        table.row([text::month(month), operation, purpose].into_iter().chain(cells(counts)));
        for (outcome, count) in counts {
            *sum.entry(*outcome).or_default() += count;
        }
    }
    if !table.is_empty() {
        let named = [String::new(), "Tổng cộng".to_owned(), String::new()];
        table.total(named.into_iter().chain(cells(&sum)));
    }
    table.annexed(LYING)
}

/// An agency's name, with its code, by which whoever checks finds it.
fn coded(code: &str, names: &Names<'_>) -> String {
    let name = names.agency(code);
    if code.is_empty() || name == code { name } else { format!("{name} – {code}") }
}

/// Every count of items, a group for each agency.
fn items(report: &Report, names: &Names<'_>) -> Table {
    let mut rows: Vec<_> = report.accesses.items.iter().collect();
    rows.sort_by_key(|row| (&row.agency, &row.vi, &row.purpose));
    let mut table = Table::new("")
        .words("Mục thông tin", 1.5)
        .words("Mục đích", 1.0)
        .figures("Đã cung cấp")
        .figures("Không cung cấp");
    let mut sum = [0; 2];
    let mut agency = None;
    for row in rows {
        if agency != Some(&row.agency) {
            agency = Some(&row.agency);
            table.group(coded(&row.agency, names));
        }
        let figures = [row.disclosed, row.withheld].map(u128::from);
        add(&mut sum, figures);
        let named = [row.vi.clone(), names.words.of("purpose", &row.purpose)];
        table.row(named.into_iter().chain(figures.map(number)));
    }
    if !table.is_empty() {
        let named = ["Tổng cộng".to_owned(), String::new()];
        table.total(named.into_iter().chain(sum.map(number)));
    }
    table.annexed(UPRIGHT)
}

/// Every count of refusals, a group for each agency.
fn refusals(report: &Report, names: &Names<'_>) -> Table {
    let mut rows: Vec<_> = report.accesses.refusals.iter().collect();
    rows.sort_by_key(|row| (&row.agency, std::cmp::Reverse(row.requests), &row.reason));
    let mut table = Table::new("").words("Lý do", 1.6).words("Mã", 1.0).figures("Số yêu cầu");
    let mut sum = 0;
    let mut agency = None;
    for row in rows {
        if agency != Some(&row.agency) {
            agency = Some(&row.agency);
            table.group(coded(&row.agency, names));
        }
        sum += u128::from(row.requests);
        let count = number(u128::from(row.requests));
        table.row([names.words.of("reason", &row.reason), row.reason.clone(), count]);
    }
    if !table.is_empty() {
        table.total(["Tổng cộng".to_owned(), String::new(), number(sum)]);
    }
    table.annexed(UPRIGHT)
}
