//! Requests, items, refusals, and how long requests took.

use model::report::{Outcome, Report};
use serde::Serialize;

use super::Names;
use crate::{
    table::{Table, UPRIGHT, add, summed, top},
    text::{self, number, percent},
};

/// Outcomes that stand in one column, and one colour.
pub(super) const GROUPS: [&str; 5] =
    ["Đã trả lời", "Không tìm thấy", "Từ chối", "Đóng góp", "Khác"];

/// What was asked, allowed and given.
#[derive(Debug, Serialize)]
pub(crate) struct Accesses {
    requests: String,
    /// How many of them came to what, in words.
    outcomes: Vec<Counted>,
    chart: Option<Chart>,
    by_month: Option<Table>,
    by_agency: Option<Table>,
    by_operation: Option<Table>,
    by_purpose: Option<Table>,
    disclosed: String,
    withheld: String,
    items: Option<Table>,
    refused: String,
    refusals: Option<Table>,
    latency: Option<Table>,
}

/// So many of something.
#[derive(Debug, Serialize)]
pub(crate) struct Counted {
    name: String,
    count: String,
    share: String,
}

/// Stacked bars, one for each month, in shares of the axis.
#[derive(Debug, Serialize)]
struct Chart {
    series: Vec<&'static str>,
    ticks: Vec<Tick>,
    bars: Vec<Bar>,
}

#[derive(Debug, Serialize)]
struct Tick {
    label: String,
    at: f64,
}

#[derive(Debug, Serialize)]
struct Bar {
    label: String,
    total: String,
    parts: Vec<f64>,
}

/// In which column of [`GROUPS`] an outcome counts.
fn group(outcome: Outcome, count: u64) -> [u128; 6] {
    let n = u128::from(count);
    match outcome {
        Outcome::Answered => [n, n, 0, 0, 0, 0],
        Outcome::NoMatch => [n, 0, n, 0, 0, 0],
        Outcome::Refused => [n, 0, 0, n, 0, 0],
        Outcome::Contributed | Outcome::Rejected => [n, 0, 0, 0, n, 0],
        Outcome::Administered | Outcome::Shed => [n, 0, 0, 0, 0, n],
    }
}

/// The id of an outcome in the report.
pub(super) fn id(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::NoMatch => "no-match",
        Outcome::Refused => "refused",
        Outcome::Contributed => "contributed",
        Outcome::Rejected => "rejected",
        Outcome::Administered => "administered",
        Outcome::Shed => "shed",
    }
}

pub(super) fn accesses(report: &Report, names: &Names<'_>) -> Accesses {
    let requests = &report.accesses.requests;
    let grouped = |key: &dyn Fn(usize) -> String| {
        let rows = requests.iter().enumerate();
        summed(rows.map(|(at, row)| (key(at), group(row.outcome, row.requests))))
    };
    let field = |of: fn(&model::report::Requests) -> &str| {
        move |at: usize| requests.get(at).map(of).unwrap_or_default().to_owned()
    };
    let total: u128 = requests.iter().map(|row| u128::from(row.requests)).sum();
    let outcomes = summed(requests.iter().map(|row| (row.outcome, [u128::from(row.requests)])));
    let months = grouped(&field(|row| &row.month));
    // One month or one agency is what the total says.
    let several = |table: Table, rows: usize| (rows > 1).then_some(table);
    let agencies = grouped(&field(|row| &row.agency));
    let by_month = table("Số yêu cầu theo tháng", "Tháng", 1.0, &months, text::month);
    let count = months.len();
    let agency_count = agencies.len();
    let (rows, left) = top(agencies);
    let by_agency = ranked("Số yêu cầu theo cơ quan, hệ thống khai thác", rows, left, names);
    Accesses {
        requests: number(total),
        outcomes: outcomes
            .into_iter()
            .map(|(outcome, [count])| Counted {
                name: names.words.of("outcome-long", id(outcome)),
                count: number(count),
                share: percent(count, total, 1),
            })
            .collect(),
        chart: chart(&months),
        by_month: several(by_month, count),
        by_agency: several(by_agency, agency_count),
        by_operation: shares("Số yêu cầu theo loại yêu cầu", "Loại yêu cầu", {
            summed(requests.iter().map(|row| {
                (names.words.of("operation", &row.operation), [u128::from(row.requests)])
            }))
        }),
        by_purpose: shares("Số yêu cầu theo mục đích", "Mục đích", {
            summed(
                requests.iter().map(|row| {
                    (names.words.of("purpose", &row.purpose), [u128::from(row.requests)])
                }),
            )
        }),
        disclosed: number(report.accesses.items.iter().map(|i| u128::from(i.disclosed)).sum()),
        withheld: number(report.accesses.items.iter().map(|i| u128::from(i.withheld)).sum()),
        items: items(report),
        refused: number(report.accesses.refusals.iter().map(|row| u128::from(row.requests)).sum()),
        refusals: shares("Yêu cầu bị từ chối theo lý do", "Lý do", {
            summed(
                report
                    .accesses
                    .refusals
                    .iter()
                    .map(|row| (names.words.of("reason", &row.reason), [u128::from(row.requests)])),
            )
        }),
        latency: latency(report, names),
    }
}

/// The columns of [`GROUPS`] in which anything counts.
fn used(rows: &[[u128; 6]]) -> [bool; 6] {
    let mut sum = [0; 6];
    for row in rows {
        add(&mut sum, *row);
    }
    sum.map(|count| count > 0)
}

fn columns(title: &str, head: &str, share: f64, used: [bool; 6]) -> Table {
    let mut table = Table::new(title).words(head, share).figures("Tổng số");
    for (name, used) in GROUPS.iter().zip(used.iter().skip(1)) {
        if *used {
            table = table.figures(name);
        }
    }
    table
}

fn cells(name: String, figures: [u128; 6], used: [bool; 6]) -> impl Iterator<Item = String> {
    let shown = figures.into_iter().zip(used).enumerate();
    let shown = shown.filter(|(at, (_, used))| *used || *at == 0);
    std::iter::once(name).chain(shown.map(|(_, (count, _))| number(count)))
}

fn table(
    title: &str,
    head: &str,
    share: f64,
    sums: &std::collections::BTreeMap<String, [u128; 6]>,
    name: impl Fn(&str) -> String,
) -> Table {
    let rows: Vec<_> = sums.values().copied().collect();
    let used = used(&rows);
    let mut table = columns(title, head, share, used);
    let mut sum = [0; 6];
    for (key, figures) in sums {
        table.row(cells(name(key), *figures, used));
        add(&mut sum, *figures);
    }
    table.total(cells("Tổng cộng".to_owned(), sum, used));
    table.fit(UPRIGHT)
}

fn ranked(
    title: &str,
    rows: Vec<(String, [u128; 6])>,
    left: Option<(usize, [u128; 6])>,
    names: &Names<'_>,
) -> Table {
    let figures = rows.iter().map(|(_, row)| *row).chain(left.map(|(_, sum)| sum));
    let figures: Vec<_> = figures.collect();
    let used = used(&figures);
    let mut table = columns(title, "Cơ quan, hệ thống", 1.0, used);
    let mut sum = [0; 6];
    for figures in figures {
        add(&mut sum, figures);
    }
    for (code, figures) in rows {
        table.row(cells(names.agency(&code), figures, used));
    }
    if let Some((count, figures)) = left {
        table.rest(cells(left_over("cơ quan", count), figures, used));
    }
    table.total(cells("Tổng cộng".to_owned(), sum, used));
    table.fit(UPRIGHT)
}

/// What the line of the rest is called.
pub(super) fn left_over(what: &str, count: usize) -> String {
    format!("{} {what} còn lại", number(count as u128))
}

/// A table of counts and their shares; none where there is nothing.
fn shares(
    title: &str,
    head: &str,
    sums: std::collections::BTreeMap<String, [u128; 1]>,
) -> Option<Table> {
    let total: u128 = sums.values().map(|[count]| count).sum();
    let (rows, left) = top(sums);
    let mut table = Table::new(title).words(head, 1.0).figures("Số yêu cầu").figures("Tỷ lệ");
    for (name, [count]) in rows {
        table.row([name, number(count), percent(count, total, 1)]);
    }
    if table.is_empty() {
        return None;
    }
    if let Some((rest, [count])) = left {
        table.rest([left_over("dòng", rest), number(count), percent(count, total, 1)]);
    }
    table.total(["Tổng cộng".to_owned(), number(total), percent(total, total, 0)]);
    Some(table.fit(UPRIGHT))
}

fn items(report: &Report) -> Option<Table> {
    let items = report.accesses.items.iter();
    let sums = summed(
        items.map(|row| (row.vi.clone(), [u128::from(row.disclosed), u128::from(row.withheld)])),
    );
    let mut sum = [0; 2];
    sums.values().for_each(|figures| add(&mut sum, *figures));
    let (rows, left) = top(sums);
    let mut table = Table::new("Số lượt cung cấp theo mục thông tin")
        .words("Mục thông tin", 1.0)
        .figures("Đã cung cấp")
        .figures("Không cung cấp")
        .figures("Tỷ lệ cung cấp");
    let cells = |name: String, [disclosed, withheld]: [u128; 2]| {
        let share = percent(disclosed, disclosed + withheld, 1);
        [name, number(disclosed), number(withheld), share]
    };
    for (name, figures) in rows {
        table.row(cells(name, figures));
    }
    if table.is_empty() {
        return None;
    }
    if let Some((rest, figures)) = left {
        table.rest(cells(left_over("mục", rest), figures));
    }
    table.total(cells("Tổng cộng".to_owned(), sum));
    Some(table.fit(UPRIGHT))
}

fn latency(report: &Report, names: &Names<'_>) -> Option<Table> {
    let mut table = Table::new("Thời gian xử lý đến khi được ghi nhật ký, tính bằng mili giây")
        .words("Loại yêu cầu", 1.0)
        .figures("Số yêu cầu được đo")
        .figures("50% không quá")
        .figures("95% không quá")
        .figures("99% không quá");
    for row in &report.accesses.latency {
        table.row([
            names.words.of("operation", &row.operation),
            number(u128::from(row.requests)),
            text::milliseconds(row.p50_us),
            text::milliseconds(row.p95_us),
            text::milliseconds(row.p99_us),
        ]);
    }
    (!table.is_empty()).then(|| table.fit(UPRIGHT))
}

/// Bars by month, on an axis that ends at a round number.
fn chart(months: &std::collections::BTreeMap<String, [u128; 6]>) -> Option<Chart> {
    let most = months.values().filter_map(|figures| figures.first().copied()).max()?;
    if most == 0 {
        return None;
    }
    let step = step(most);
    let steps = most.div_ceil(step);
    let top = step * steps;
    #[expect(clippy::cast_precision_loss, reason = "a drawing")]
    let share = |count: u128| count as f64 / top as f64;
    let ticks = (0..=steps).map(|n| Tick { label: number(n * step), at: share(n * step) });
    let bars = months.iter().map(|(month, figures)| Bar {
        label: text::month(month),
        total: number(figures.first().copied().unwrap_or_default()),
        parts: figures.iter().skip(1).map(|count| share(*count)).collect(),
    });
    let figures: Vec<_> = months.values().copied().collect();
    let used = used(&figures);
    let series = GROUPS.iter().zip(used.iter().skip(1));
    let series = series.map(|(name, used)| if *used { *name } else { "" });
    Some(Chart { series: series.collect(), ticks: ticks.collect(), bars: bars.collect() })
}

/// A round distance between lines of an axis, four to eight of which reach so far.
fn step(most: u128) -> u128 {
    let mut unit = 1;
    loop {
        for factor in [1, 2, 5] {
            if most.div_ceil(unit * factor) <= 6 {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_few_round_lines() {
        for (most, expected) in [(1, 1), (6, 1), (7, 2), (31, 10), (1_234_567, 500_000)] {
            assert_eq!(step(most), expected, "{most}");
        }
        assert!(step(u128::from(u64::MAX) * 12) > 1);
    }
}
