//! Which databases are connected, and what the others lack.

use std::collections::BTreeMap;

use model::report::{Database, Obstacle};
use serde::Serialize;

use super::Names;
use crate::{
    Error,
    table::{TOP, Table, UPRIGHT, add, summed, top},
    text::{self, number, percent},
};

/// How it stands with connecting.
#[derive(Debug, Serialize)]
pub(crate) struct Databases {
    count: String,
    active: String,
    share: String,
    states: Option<Table>,
    agencies: Option<Table>,
    readiness: Option<Table>,
}

/// Where a connection is on its way, in one column of the agencies' table.
fn stage(state: &str) -> [u128; 5] {
    match state {
        "active" => [1, 1, 0, 0, 0],
        "applied" | "checked" | "agreed" | "conformant" | "assessed" => [1, 0, 1, 0, 0],
        "suspended" | "expired" => [1, 0, 0, 1, 0],
        _ => [1, 0, 0, 0, 1],
    }
}

pub(super) fn databases(all: &[Database], names: &Names<'_>) -> Result<Databases, Error> {
    let states = summed(all.iter().map(|database| (database.state.as_str(), [1_u128])));
    let count = all.len() as u128;
    let [active] = states.get("active").copied().unwrap_or_default();
    Ok(Databases {
        count: number(count),
        active: number(active),
        share: percent(active, count, 1),
        states: by_state(states, count, names),
        agencies: by_agency(all, names),
        readiness: readiness(all, names),
    })
}

fn by_state(states: BTreeMap<&str, [u128; 1]>, count: u128, names: &Names<'_>) -> Option<Table> {
    let mut table = Table::new("Cơ sở dữ liệu, hệ thống theo trạng thái kết nối")
        .words("Trạng thái", 1.0)
        .figures("Số lượng")
        .figures("Tỷ lệ");
    let (rows, _) = top(states);
    for (state, [databases]) in rows {
        let share = percent(databases, count, 1);
        table.row([names.words.of("state", state), number(databases), share]);
    }
    if table.is_empty() {
        return None;
    }
    table.total(["Tổng cộng".to_owned(), number(count), percent(count, count, 0)]);
    Some(table.fit(UPRIGHT))
}

fn by_agency(all: &[Database], names: &Names<'_>) -> Option<Table> {
    let sums = summed(all.iter().map(|d| (owner(d, names), stage(&d.state))));
    // Where each has one, the table of all of them says more.
    if sums.len() < 2 || sums.len() == all.len() {
        return None;
    }
    let mut sum = [0; 5];
    sums.values().for_each(|figures| add(&mut sum, *figures));
    let (rows, left) = top(sums);
    let mut table = Table::new("Cơ sở dữ liệu, hệ thống theo cơ quan")
        .words("Cơ quan", 1.0)
        .figures("Tổng số")
        .figures("Đang kết nối")
        .figures("Đang làm thủ tục")
        .figures("Đang dừng")
        .figures("Chưa kết nối");
    let cells = |name: String, figures: [u128; 5]| std::iter::once(name).chain(figures.map(number));
    for (name, figures) in rows {
        table.row(cells(name, figures));
    }
    if let Some((count, figures)) = left {
        table.rest(cells(super::accesses::left_over("cơ quan", count), figures));
    }
    table.total(cells("Tổng cộng".to_owned(), sum));
    Some(table.fit(UPRIGHT))
}

/// Who connected it, by name.
fn owner(database: &Database, names: &Names<'_>) -> String {
    match (database.agency.as_str(), database.agency_vi.as_str()) {
        ("", "") => "Chưa có cơ quan kết nối".to_owned(),
        ("", name) => name.to_owned(),
        (code, _) => names.agency(code),
    }
}

/// How much is missing and who owes it; those that lack most come first.
fn readiness(all: &[Database], names: &Names<'_>) -> Option<Table> {
    let mut table = Table::new("Cơ sở dữ liệu, hệ thống chưa kết nối và số điều kiện còn thiếu")
        .words("Cơ sở dữ liệu, hệ thống", 1.0)
        .short("Trạng thái")
        .figures("Cơ quan chủ quản")
        .figures("Bộ Công an")
        .figures("Chưa xác định");
    let mut open: Vec<_> = all.iter().filter(|database| database.state != "active").collect();
    open.sort_by_key(|database| std::cmp::Reverse(database.obstacles.len()));
    let mut sum = [0; 3];
    let mut left = (0, [0; 3]);
    // One more than are shown would be a line of its own, too.
    let shown = if open.len() <= TOP + 1 { open.len() } else { TOP };
    for (at, database) in open.into_iter().enumerate() {
        let figures = owed(&database.obstacles);
        add(&mut sum, figures);
        if at < shown {
            let state = names.words.of("state", &database.state);
            let named = [names.database(&database.database), state];
            table.row(named.into_iter().chain(figures.map(number)));
        } else {
            left.0 += 1;
            add(&mut left.1, figures);
        }
    }
    if table.is_empty() {
        return None;
    }
    let cells = |name: String, figures: [u128; 3]| {
        [name, String::new()].into_iter().chain(figures.map(number))
    };
    if left.0 > 0 {
        table.rest(cells(super::accesses::left_over("cơ sở dữ liệu", left.0), left.1));
    }
    table.total(cells("Tổng cộng".to_owned(), sum));
    Some(table.fit(UPRIGHT))
}

/// How many obstacles the owner owes, the operator, and nobody.
fn owed(obstacles: &[Obstacle]) -> [u128; 3] {
    let mut sum = [0; 3];
    for obstacle in obstacles {
        let one = match obstacle.owed_by.as_str() {
            "owner" => [1, 0, 0],
            "operator" => [0, 1, 0],
            _ => [0, 0, 1],
        };
        add(&mut sum, one);
    }
    sum
}

/// Every database with everything that it lacks.
pub(super) fn whole(all: &[Database], names: &Names<'_>, width: f64) -> Table {
    let mut table = Table::new("")
        .words("Cơ sở dữ liệu, hệ thống", 1.0)
        .words("Cơ quan", 0.9)
        .short("Trạng thái")
        .words("Điều kiện còn thiếu, trách nhiệm và căn cứ", 1.8);
    for database in all {
        let lacks: Vec<_> =
            database.obstacles.iter().map(|obstacle| lacking(obstacle, names)).collect();
        table.row([
            names.database(&database.database),
            owner(database, names),
            names.words.of("state", &database.state),
            if lacks.is_empty() { "Không".to_owned() } else { lacks.join("\n") },
        ]);
    }
    table.annexed(width)
}

fn lacking(obstacle: &Obstacle, names: &Names<'_>) -> String {
    let mut text = format!("- {}", names.words.of("obstacle", &obstacle.obstacle));
    if !obstacle.owed_by.is_empty() {
        text += &format!(" – {}", names.words.of("owed-by", &obstacle.owed_by));
    }
    if !obstacle.article.is_empty() {
        text += &format!(" ({})", text::citation(&obstacle.article));
    }
    text
}
