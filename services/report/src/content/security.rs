//! Assessments of security, connections that were stopped, and when accesses could be recorded.

use model::report::{Assessment, AssessmentState, Outage, Report, Suspension};
use serde::Serialize;
use time::OffsetDateTime;

use super::Names;
use crate::{
    Error,
    table::{TOP, Table, UPRIGHT, summed},
    text::{self, number, percent},
};

/// How it stands with assessments.
#[derive(Debug, Serialize)]
pub(crate) struct Assessments {
    connections: String,
    /// How many assessments were made in the period.
    made: String,
    done: String,
    due: String,
    overdue: String,
    table: Option<Table>,
}

/// Connections that were stopped.
#[derive(Debug, Serialize)]
pub(crate) struct Suspensions {
    count: String,
    open: String,
    table: Option<Table>,
}

/// When accesses could be recorded.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Availability {
    known: bool,
    known_from: String,
    known_time: String,
    share: String,
    outages: String,
    lost: String,
    table: Option<Table>,
    /// Stretches of the period, in shares of it.
    strip: Vec<Stretch>,
    /// Months that begin in the period, in shares of it.
    months: Vec<Mark>,
}

#[derive(Debug, Serialize)]
struct Stretch {
    from: f64,
    until: f64,
    out: bool,
}

#[derive(Debug, Serialize)]
struct Mark {
    at: f64,
    label: String,
}

/// The id of a state in the report.
fn id(state: AssessmentState) -> &'static str {
    match state {
        AssessmentState::Done => "done",
        AssessmentState::Due => "due",
        AssessmentState::Overdue => "overdue",
    }
}

pub(super) fn assessments(all: &[Assessment], names: &Names<'_>) -> Result<Assessments, Error> {
    let states = summed(all.iter().map(|row| (row.state, [1_u128])));
    let of = |state| {
        let [count] = states.get(&state).copied().unwrap_or_default();
        count
    };
    let count = all.len() as u128;
    let mut table = Table::new("Kết nối theo tình trạng đánh giá an toàn thông tin")
        .words("Tình trạng", 1.0)
        .figures("Số kết nối")
        .figures("Tỷ lệ");
    for state in [AssessmentState::Done, AssessmentState::Due, AssessmentState::Overdue] {
        let name = names.words.of("assessment", id(state));
        table.row([name, number(of(state)), percent(of(state), count, 1)]);
    }
    table.total(["Tổng cộng".to_owned(), number(count), percent(count, count, 0)]);
    Ok(Assessments {
        connections: number(count),
        made: number(all.iter().map(|row| row.done.len() as u128).sum()),
        done: number(of(AssessmentState::Done)),
        due: number(of(AssessmentState::Due)),
        overdue: number(of(AssessmentState::Overdue)),
        table: (count > 0).then(|| table.fit(UPRIGHT)),
    })
}

/// Every assessment; those that are overdue first.
pub(super) fn assessments_whole(
    all: &[Assessment],
    names: &Names<'_>,
    width: f64,
) -> Result<Table, Error> {
    let mut table = Table::new("Đánh giá an toàn thông tin của từng kết nối")
        .words("Kết nối", 1.0)
        .words("Cơ quan, hệ thống", 1.4)
        .words("Ngày đánh giá trong kỳ", 1.0)
        .short("Hiệu lực đến trước")
        .short("Tình trạng");
    let mut rows: Vec<_> = all.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.state));
    for row in rows {
        let days = row.done.iter().map(|day| text::day(day, "assessments.done"));
        let days: Vec<_> =
            days.map(|day| day.map(text::short_day)).collect::<Result<_, Error>>()?;
        let next = match row.next_day.as_str() {
            "" => "–".to_owned(),
            day => text::short_day(text::day(day, "assessments.next_day")?),
        };
        let none = || "Không".to_owned();
        table.row([
            row.connection.clone(),
            names.agency(&row.agency),
            if days.is_empty() { none() } else { days.join(", ") },
            next,
            names.words.of("assessment", id(row.state)),
        ]);
    }
    Ok(table.annexed(width))
}

pub(super) fn suspensions(all: &[Suspension], names: &Names<'_>) -> Result<Suspensions, Error> {
    let open = all.iter().filter(|row| row.until.is_empty()).count();
    let sums = summed(all.iter().map(|row| (names.words.of("cause", &row.cause), [1_u128])));
    let mut table =
        Table::new("Số lần tạm dừng kết nối theo lý do").words("Lý do", 1.0).figures("Số lần");
    for (cause, [count]) in sums {
        table.row([cause, number(count)]);
    }
    table.total(["Tổng cộng".to_owned(), number(all.len() as u128)]);
    Ok(Suspensions {
        count: number(all.len() as u128),
        open: number(open as u128),
        table: (!all.is_empty()).then(|| table.fit(UPRIGHT)),
    })
}

/// Every time that a connection was stopped.
pub(super) fn suspensions_whole(
    all: &[Suspension],
    names: &Names<'_>,
    width: f64,
) -> Result<Table, Error> {
    let mut table = Table::new("Các lần tạm dừng kết nối")
        .words("Kết nối", 1.0)
        .words("Cơ quan, hệ thống", 1.2)
        .words("Lý do và căn cứ", 1.6)
        .short("Từ")
        .short("Đến");
    for row in all {
        let mut cause = names.words.of("cause", &row.cause);
        if !row.article.is_empty() {
            cause += &format!(" ({})", text::citation(&row.article));
        }
        let from = text::moment(&row.from, "suspensions.from")?;
        let until = match row.until.as_str() {
            "" => "đang dừng".to_owned(),
            until => text::short_moment(text::moment(until, "suspensions.until")?),
        };
        let agency = names.agency(&row.agency);
        table.row([row.connection.clone(), agency, cause, text::short_moment(from), until]);
    }
    Ok(table.annexed(width))
}

pub(super) fn availability(report: &Report) -> Result<Availability, Error> {
    let said = &report.availability;
    if said.known_from.is_empty() {
        return Ok(Availability::default());
    }
    let known_from = text::moment(&said.known_from, "availability.known_from")?;
    let lost: u128 = said.outages.iter().map(|outage| u128::from(outage.seconds)).sum();
    let mut longest: Vec<_> = said.outages.iter().collect();
    longest.sort_by_key(|outage| std::cmp::Reverse(outage.seconds));
    longest.truncate(TOP);
    longest.sort_by(|a, b| a.from.cmp(&b.from));
    let title = if said.outages.len() > TOP {
        format!("{TOP} lần gián đoạn dài nhất")
    } else {
        "Các lần gián đoạn từ một phút trở lên".to_owned()
    };
    let (strip, months) = strip(report, known_from)?;
    Ok(Availability {
        known: true,
        known_from: text::short_moment(known_from),
        known_time: text::duration(said.known_seconds),
        share: percent(u128::from(said.available_seconds), u128::from(said.known_seconds), 2),
        outages: number(said.outages.len() as u128),
        lost: text::duration(u64::try_from(lost).unwrap_or(u64::MAX)),
        table: outages(&title, &longest, UPRIGHT)?,
        strip,
        months,
    })
}

fn outages(title: &str, all: &[&Outage], width: f64) -> Result<Option<Table>, Error> {
    let mut table =
        Table::new(title).words("Từ", 1.0).words("Đến", 1.0).words("Thời gian gián đoạn", 1.0);
    for outage in all {
        let from = text::moment(&outage.from, "availability.outages.from")?;
        let until = text::moment(&outage.until, "availability.outages.until")?;
        let long = text::duration(outage.seconds);
        table.row([text::short_moment(from), text::short_moment(until), long]);
    }
    Ok((!table.is_empty()).then(|| table.annexed(width)))
}

/// Every outage; none where the body shows them all.
pub(super) fn outages_whole(report: &Report, width: f64) -> Result<Option<Table>, Error> {
    let all: Vec<_> = report.availability.outages.iter().collect();
    if all.len() <= TOP {
        return Ok(None);
    }
    outages("Các lần gián đoạn từ một phút trở lên", &all, width)
}

/// The period as a strip: from when it is known, with what was out, and the first day of each month.
fn strip(report: &Report, known: OffsetDateTime) -> Result<(Vec<Stretch>, Vec<Mark>), Error> {
    let from = text::moment(&report.period.from, "period.from")?;
    let until = text::moment(&report.period.until, "period.until")?;
    let length = (until - from).as_seconds_f64();
    if length <= 0.0 {
        return Err(Error::Time { field: "period.until", text: report.period.until.clone() });
    }
    let at = |moment: OffsetDateTime| ((moment - from).as_seconds_f64() / length).clamp(0.0, 1.0);
    // What is still to come is not known either.
    let seconds = i64::try_from(report.availability.known_seconds).unwrap_or(i64::MAX);
    let end = known.max(from).checked_add(time::Duration::seconds(seconds)).unwrap_or(until);
    let mut strip = vec![Stretch { from: at(known), until: at(end), out: false }];
    for outage in &report.availability.outages {
        strip.push(Stretch {
            from: at(text::moment(&outage.from, "availability.outages.from")?),
            until: at(text::moment(&outage.until, "availability.outages.until")?),
            out: true,
        });
    }
    let mut months = Vec::new();
    let mut first = from.date().replace_day(1).unwrap_or(from.date());
    // A report is of a year at most; a faulty one of centuries has no more marks either.
    while months.len() < 24 {
        let Some(next) = first.checked_add(time::Duration::days(31)) else { break };
        first = next.replace_day(1).unwrap_or(next);
        let moment = first.midnight().assume_offset(from.offset());
        if moment >= until {
            break;
        }
        let label = format!("{}/{}", u8::from(first.month()), first.year());
        months.push(Mark { at: at(moment), label });
    }
    Ok((strip, months))
}
