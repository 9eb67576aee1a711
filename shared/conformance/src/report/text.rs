//! A report as a person reads it.

use std::fmt::Write as _;

use super::{CaseReport, Report, Status, Verdict};

/// One case in one line: its mark, number and rule, and how long it took.
#[must_use]
pub fn case_line(case: &CaseReport) -> String {
    let first: String = case.text.vi.chars().take(72).collect();
    let cut = if case.text.vi.chars().count() > 72 { "…" } else { "" };
    format!("{:<9} {:<7} {:>6.1} s  {first}{cut}", mark(case.status), case.rule, case.seconds)
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "FAILED",
        Status::Warning => "WARNING",
        Status::NotTried => "not tried",
    }
}

/// The whole report. `again` is the command that looks at one rule again, without `--case`.
#[must_use]
pub fn page(report: &Report, again: &str) -> String {
    let mut out = String::new();
    head(report, &mut out);
    for case in report.cases.iter().filter(|case| !case.findings.is_empty()) {
        broken(case, again, &mut out);
    }
    let missing: Vec<_> = report.cases.iter().filter(|case| case.not_tried.is_some()).collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "\nChưa thử / not tried:");
    }
    for case in missing {
        let Some(missing) = &case.not_tried else { continue };
        let _ = writeln!(
            out,
            "  {:<7} {}\n          {}\n          → {}\n          → {}",
            case.rule, missing.reason.vi, missing.reason.en, missing.give.vi, missing.give.en
        );
    }
    let remarks = report
        .cases
        .iter()
        .flat_map(|case| case.remarks.iter().map(move |remark| (case.rule, remark)));
    for (number, (rule, remark)) in remarks.enumerate() {
        if number == 0 {
            let _ = writeln!(out, "\nLưu ý / remarks:");
        }
        let _ = writeln!(out, "  {rule:<7} {}\n          {}", remark.vi, remark.en);
    }
    foot(report, &mut out);
    out
}

fn head(report: &Report, out: &mut String) {
    let said = &report.target.description;
    let roles: Vec<&str> = report.roles.iter().map(|role| role.name()).collect();
    let _ = writeln!(out, "{} ({})", said.name, said.database_id);
    for (name, value) in [
        ("target", report.target.address.as_str()),
        ("software", said.software.as_str()),
        ("roles", roles.join(", ").as_str()),
        ("seed", report.seed.as_str()),
        ("contract", report.kit.contract_sha256.as_str()),
    ] {
        let _ = writeln!(out, "  {name:<9} {value}");
    }
    match (&report.target.contract_sha256, &report.target.contract_remark) {
        (Some(digest), None) => {
            let _ = writeln!(out, "  {:<9} {digest}", "served");
        }
        (_, Some(remark)) => {
            let _ = writeln!(out, "  {:<9} {}\n  {:<9} {}", "served", remark.vi, "", remark.en);
        }
        (None, None) => {}
    }
    if let Some(tls) = &report.tls {
        let facts = [&tls.version, &tls.suite, &tls.key_exchange, &tls.alpn];
        let facts: Vec<&str> = facts.into_iter().filter_map(|fact| fact.as_deref()).collect();
        let _ = writeln!(out, "  {:<9} {}", "tls", facts.join(", "));
    }
}

fn broken(case: &CaseReport, again: &str, out: &mut String) {
    let level = if case.must { "error" } else { "warning" };
    let _ = writeln!(out, "\n{}  {level}  ({})", case.rule, case.of);
    let _ = writeln!(out, "  {}\n  {}", case.text.vi, case.text.en);
    for finding in &case.findings {
        let _ = writeln!(
            out,
            "    đã thử / tried        {}\n    mong đợi / expected   {}\n    nhận được / seen      {}",
            finding.tried, finding.expected, finding.seen
        );
    }
    let _ = writeln!(out, "    xem lại / again       {again} --case {}", case.rule);
}

fn foot(report: &Report, out: &mut String) {
    let counts = report.counts;
    let verdict = match report.verdict {
        Verdict::Passed => "ĐẠT / passed",
        Verdict::Incomplete => "CHƯA ĐỦ / incomplete",
        Verdict::Failed => "KHÔNG ĐẠT / failed",
    };
    let stopped = if report.interrupted { ", bị ngắt / interrupted" } else { "" };
    let _ = writeln!(
        out,
        "\n{verdict}{stopped}: {} passed, {} failed, {} warnings, {} not tried, {:.1} s",
        counts.passed, counts.failed, counts.warnings, counts.not_tried, report.seconds
    );
}
