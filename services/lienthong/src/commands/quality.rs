//! `lienthong quality`: how good the values are that sources contribute (Decision 1911/QD-TTg, Art. 2(2)).

use std::io::Write;

use anyhow::Result;
use contract::contribution::v1::{ItemQuality, ListQualityRequest, QualityCounts, QualityShare};
use lienthong::process::Runtime;
use serde_json::{Value, json};

use super::{
    connection::Connection,
    evidence,
    output::{self, Format, Output, print as print_json, refuse},
};

/// Who asks, in a demonstration.
const CALLER: &str = "civil-status";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The first month, as in 2026-01.
    #[arg(long, help_heading = "Request", value_name = "MONTH")]
    from: String,
    /// The last month, as in 2026-12.
    #[arg(long, help_heading = "Request", value_name = "MONTH")]
    to: String,
    /// Where to go on: the token that the page before ended with.
    #[arg(long, help_heading = "Request", default_value = "", hide_default_value = true)]
    page_token: String,
    /// The most rows to list.
    #[arg(long, help_heading = "Request", value_name = "NUMBER", default_value_t = 200)]
    page_size: u32,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: Arguments, out: &mut impl Write) -> Result<()> {
    let connected = arguments.connection.open(CALLER)?;
    let request = ListQualityRequest {
        from_month: arguments.from,
        to_month: arguments.to,
        page_token: arguments.page_token,
        page_size: arguments.page_size,
        request_id: Runtime::system().entropy.id(),
    };
    let answered = match connected.client.list_quality(&request).await? {
        Ok(answered) => answered,
        Err(refused) => return refuse(&refused, arguments.output.format, out),
    };
    let (checked, answer) = (evidence::check(&answered, &connected, None)?, &answered.answer);
    if arguments.output.format == Format::Json {
        let figures: Vec<Value> = answer.figures.iter().map(json_of).collect();
        let result = json!({
            "figures": figures,
            "next_page_token": answer.next_page_token,
            "timely_days": answer.timely_days,
            "receipt": checked.json(),
        });
        return print_json(&result, out);
    }
    table(&answer.figures, out)?;
    if !answer.next_page_token.is_empty() {
        writeln!(out, "\npage token  {}", answer.next_page_token)?;
    }
    writeln!(out, "timely      within {} days", answer.timely_days)?;
    writeln!(out, "record      {}", checked.text())?;
    Ok(())
}

fn table(figures: &[ItemQuality], out: &mut impl Write) -> Result<()> {
    if figures.is_empty() {
        writeln!(out, "Nothing was contributed in these months.")?;
        return Ok(());
    }
    let widest = |of: fn(&ItemQuality) -> &String, least: usize| {
        figures.iter().map(|row| of(row).chars().count()).max().unwrap_or_default().max(least)
    };
    let (database, item) = (widest(|row| &row.database, 8), widest(|row| &row.item, 4));
    writeln!(
        out,
        "{:<7}  {:<database$}  {:<item$}  {:>7}  {:>10}  {:>8}  {:>8}  {:>6}  {:>8}",
        "month",
        "database",
        "item",
        "values",
        "consistent",
        "complete",
        "accurate",
        "timely",
        "rejected",
    )?;
    for row in figures {
        let QualityCounts { values, rejected, .. } = row.counts.unwrap_or_default();
        writeln!(
            out,
            "{:<7}  {:<database$}  {:<item$}  {values:>7}  {:>10}  {:>8}  {:>8}  {:>6}  {rejected:>8}",
            row.month,
            row.database,
            row.item,
            percentage(row.consistency),
            percentage(row.completeness),
            percentage(row.accuracy),
            percentage(row.timeliness),
        )?;
    }
    Ok(())
}

fn percentage(share: Option<QualityShare>) -> String {
    let QualityShare { part, all } = share.unwrap_or_default();
    output::percentage(part, all)
}

fn json_of(row: &ItemQuality) -> Value {
    let share = |share: Option<QualityShare>| {
        let QualityShare { part, all } = share.unwrap_or_default();
        json!({ "part": part, "all": all })
    };
    let counts = row.counts.unwrap_or_default();
    let delays = counts.delays.unwrap_or_default();
    json!({
        "month": row.month,
        "database": row.database,
        "item": row.item,
        "consistency": share(row.consistency),
        "completeness": share(row.completeness),
        "accuracy": share(row.accuracy),
        "timeliness": share(row.timeliness),
        "counts": {
            "values": counts.values,
            "corrections": counts.corrections,
            "annulled": counts.annulled,
            "set_aside": counts.set_aside,
            "disputed": counts.disputed,
            "decided_for": counts.decided_for,
            "decided_against": counts.decided_against,
            "decided_within_7_days": counts.decided_within_7_days,
            "decided_within_30_days": counts.decided_within_30_days,
            "decided_later": counts.decided_later,
            "number_differs": counts.number_differs,
            "rejected": counts.rejected,
            "rejected_for_it": counts.rejected_for_it,
            "delays": {
                "within_1_day": delays.within_1_day,
                "within_7_days": delays.within_7_days,
                "within_15_days": delays.within_15_days,
                "within_30_days": delays.within_30_days,
                "within_60_days": delays.within_60_days,
                "later": delays.later,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn share(part: u64, all: u64) -> Option<QualityShare> {
        Some(QualityShare { part, all })
    }

    #[test]
    fn a_share_of_nothing_is_none_and_only_all_are_all() {
        for (part, all, text) in [
            (0, 0, "-"),
            (0, 3, "0.0%"),
            (1, 3, "33.3%"),
            (9_999, 10_000, "99.9%"),
            (7, 7, "100.0%"),
        ] {
            assert_eq!(percentage(share(part, all)), text);
        }
        assert_eq!(percentage(None), "-");
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        let row = ItemQuality {
            database: "civil-status".to_owned(),
            item: "date_of_birth".to_owned(),
            month: "2026-11".to_owned(),
            consistency: share(9, 10),
            completeness: share(10, 10),
            accuracy: share(7, 10),
            timeliness: share(0, 0),
            counts: Some(QualityCounts { values: 10, rejected: 1, ..QualityCounts::default() }),
        };
        let mut out = Vec::new();
        table(&[row], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected = [
            "2026-11",
            "civil-status",
            "date_of_birth",
            "10",
            "90.0%",
            "100.0%",
            "70.0%",
            "-",
            "1",
        ];
        assert_eq!(lines.len(), 2);
        assert_eq!(lines.last().unwrap(), &expected);
        let mut none = Vec::new();
        table(&[], &mut none).unwrap();
        assert_eq!(none, b"Nothing was contributed in these months.\n");
    }
}
