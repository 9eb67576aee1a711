//! What sources contributed: how much was accepted, where they disagree, and how good it is.

use std::collections::BTreeSet;

use model::report::{Conflicts as Disputed, Months, Outcome, Quality as Good, Report, Share};
use serde::Serialize;

use super::{Names, accesses::left_over};
use crate::{
    Error,
    table::{TOP, Table, UPRIGHT, add, summed, top},
    text::{months, number, percent},
};

/// Contributions.
#[derive(Debug, Serialize)]
pub(crate) struct Contributions {
    received: String,
    accepted: String,
    rejected: String,
    refused: String,
    share: String,
    table: Table,
}

/// Values about which sources disagree.
#[derive(Debug, Serialize)]
pub(crate) struct Conflicts {
    disputed: String,
    decided: String,
    open: String,
    table: Option<Table>,
}

/// Quality of contributed values.
#[derive(Debug, Serialize)]
pub(crate) struct Quality {
    values: String,
    sources: String,
    table: Option<Table>,
    bars: Vec<Bars>,
}

/// The four shares of a source, drawn.
#[derive(Debug, Serialize)]
struct Bars {
    name: String,
    shares: Vec<Drawn>,
}

#[derive(Debug, Serialize)]
struct Drawn {
    /// From 0 to 1; none of nothing.
    at: Option<f64>,
    text: String,
}

/// Requests to contribute, by whether they were accepted: operations of which any was contributed or rejected. None where there is
/// none.
pub(super) fn contributions(report: &Report, names: &Names<'_>) -> Option<Contributions> {
    let requests = &report.accesses.requests;
    let tells = |outcome| matches!(outcome, Outcome::Contributed | Outcome::Rejected);
    let told = requests.iter().filter(|row| tells(row.outcome));
    let operations: BTreeSet<_> = told.map(|row| row.operation.as_str()).collect();
    let rows = requests.iter().filter(|row| operations.contains(row.operation.as_str()));
    let rows = rows.map(|row| {
        let n = u128::from(row.requests);
        let figures = match row.outcome {
            Outcome::Contributed => [n, n, 0, 0],
            Outcome::Rejected => [n, 0, n, 0],
            Outcome::Refused | Outcome::Shed => [n, 0, 0, n],
            // Looked at, not contributed.
            Outcome::Answered | Outcome::NoMatch | Outcome::Administered => [0; 4],
        };
        (row.agency.as_str(), figures)
    });
    let mut sums = summed(rows);
    sums.retain(|_, [received, ..]| *received > 0);
    let mut sum = [0; 4];
    sums.values().for_each(|figures| add(&mut sum, *figures));
    let [received, accepted, rejected, refused] = sum;
    if received == 0 {
        return None;
    }
    let (rows, left) = top(sums);
    let mut table = Table::new("Thông tin đóng góp theo cơ quan, hệ thống")
        .words("Cơ quan, hệ thống", 1.0)
        .figures("Tiếp nhận")
        .figures("Đã cập nhật")
        .figures("Không chấp nhận")
        .figures("Từ chối")
        .figures("Tỷ lệ cập nhật");
    let cells = |name: String, figures: [u128; 4]| {
        let [received, accepted, ..] = figures;
        let share = percent(accepted, received, 1);
        std::iter::once(name).chain(figures.map(number)).chain(std::iter::once(share))
    };
    for (code, figures) in rows {
        table.row(cells(names.agency(code), figures));
    }
    if let Some((count, figures)) = left {
        table.rest(cells(left_over("cơ quan", count), figures));
    }
    table.total(cells("Tổng cộng".to_owned(), sum));
    Some(Contributions {
        received: number(received),
        accepted: number(accepted),
        rejected: number(rejected),
        refused: number(refused),
        share: percent(accepted, received, 1),
        table: table.fit(UPRIGHT),
    })
}

/// Of a source: disputed, decided for, against, within 7 days, within 30, later, and not decided.
fn disputed(row: &Disputed) -> [u128; 7] {
    let [all, won, lost] = [row.disputed, row.decided_for, row.decided_against].map(u128::from);
    let [week, month, later] = [row.within_7_days, row.within_30_days, row.later].map(u128::from);
    [all, won, lost, week, month, later, all.saturating_sub(won + lost)]
}

pub(super) fn conflicts(
    all: &[Disputed],
    of: &Months,
    names: &Names<'_>,
) -> Result<Conflicts, Error> {
    let mut sum = [0; 7];
    all.iter().for_each(|row| add(&mut sum, disputed(row)));
    let [count, won, lost, .., open] = sum;
    let sums = summed(all.iter().map(|row| (names.database(&row.database), disputed(row))));
    let (rows, left) = top(sums);
    let mut table = disputes(&format!(
        "Giá trị có mâu thuẫn giữa các nguồn và thời gian xử lý ({})",
        months(of)
    ));
    let cells = |name: String, figures: [u128; 7]| std::iter::once(name).chain(figures.map(number));
    for (name, figures) in rows {
        table.row(cells(name, figures));
    }
    if let Some((rest, figures)) = left {
        table.rest(cells(left_over("nguồn", rest), figures));
    }
    let empty = table.is_empty();
    table.total(cells("Tổng cộng".to_owned(), sum));
    Ok(Conflicts {
        disputed: number(count),
        decided: number(won + lost),
        open: number(open),
        table: (!empty).then(|| table.fit(UPRIGHT)),
    })
}

fn disputes(title: &str) -> Table {
    Table::new(title)
        .words("Nguồn", 1.0)
        .figures("Số giá trị")
        .figures("Chấp nhận")
        .figures("Bác bỏ")
        .figures("Trong 7 ngày")
        .figures("8 đến 30 ngày")
        .figures("Trên 30 ngày")
        .figures("Chưa xử lý")
}

/// Conflicts of every source; none where the body shows them all.
pub(super) fn disputes_whole(all: &[Disputed], names: &Names<'_>, width: f64) -> Option<Table> {
    let mut table = disputes("Giá trị có mâu thuẫn giữa các nguồn");
    for row in all {
        let figures = disputed(row).map(number);
        table.row(std::iter::once(names.database(&row.database)).chain(figures));
    }
    (all.len() > TOP + 1).then(|| table.annexed(width))
}

fn shares(row: &Good) -> [Share; 4] {
    [row.consistency, row.completeness, row.accuracy, row.timeliness]
}

fn share(share: Share) -> String {
    percent(u128::from(share.part), u128::from(share.all), 1)
}

/// The sources of most values first.
fn by_values(all: &[Good]) -> Vec<&Good> {
    let mut rows: Vec<_> = all.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.values));
    rows
}

fn qualities(title: &str, rows: &[&Good], names: &Names<'_>) -> Table {
    let mut table = Table::new(title)
        .words("Nguồn", 1.0)
        .figures("Giá trị đã nhận")
        .figures("Không chấp nhận")
        .figures("Thống nhất")
        .figures("Đầy đủ")
        .figures("Chính xác")
        .figures("Kịp thời");
    for row in rows {
        let counts = [row.values, row.rejected].map(|count| number(u128::from(count)));
        let named = std::iter::once(names.database(&row.database));
        table.row(named.chain(counts).chain(shares(row).map(share)));
    }
    table
}

pub(super) fn quality(all: &[Good], of: &Months, names: &Names<'_>) -> Result<Quality, Error> {
    let rows = by_values(all);
    // Of the sources that are drawn; an annex has all of them.
    let shown = if rows.len() <= TOP + 1 { rows.len() } else { TOP };
    let shown: Vec<_> = rows.into_iter().take(shown).collect();
    let title = format!("Chất lượng dữ liệu theo nguồn ({})", months(of));
    let table = qualities(&title, &shown, names);
    let bars = shown.iter().map(|row| Bars {
        name: names.database(&row.database),
        shares: shares(row).map(drawn).into(),
    });
    Ok(Quality {
        values: number(all.iter().map(|row| u128::from(row.values)).sum()),
        sources: number(all.len() as u128),
        bars: bars.collect(),
        table: (!table.is_empty()).then(|| table.fit(UPRIGHT)),
    })
}

fn drawn(of: Share) -> Drawn {
    #[expect(clippy::cast_precision_loss, reason = "a drawing")]
    let at = (of.all > 0).then(|| (of.part as f64 / of.all as f64).clamp(0.0, 1.0));
    Drawn { at, text: share(of) }
}

/// Quality of every source; none where the body shows them all.
pub(super) fn qualities_whole(all: &[Good], names: &Names<'_>, width: f64) -> Option<Table> {
    let table = qualities("Chất lượng dữ liệu theo nguồn", &by_values(all), names);
    (all.len() > TOP + 1).then(|| table.annexed(width))
}
