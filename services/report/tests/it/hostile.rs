//! Texts that would rather be something else, and reports of every size.

use std::time::Instant;

use model::report::{Database, Items, Missing, Outcome, Report, Requests};
use report::{Error, Form};

use crate::{
    document::pdf,
    half_year,
    read::{Pdf, spaced},
};

const NAMES: [&str; 9] = [
    "#panic(\"no\")",
    "*đậm* _nghiêng_ `mã`",
    "$ sum_(i=0)^n x $",
    "<nhãn> @nhãn",
    "#import \"/content.json\"",
    "= Đầu đề",
    "\\u{202e}\u{202e}đảo ngược\u{202c}",
    "dòng\nmới\ttab\0",
    "本 ש 😀 e\u{302}\u{301}",
];

/// A report in which every text that others say is the given one.
fn said(name: &str) -> Report {
    let mut report = half_year::report();
    for database in report.databases.iter_mut().flatten() {
        database.vi = name.to_owned();
        database.agency_vi = name.to_owned();
        database.state = name.to_owned();
        for obstacle in &mut database.obstacles {
            obstacle.obstacle = name.to_owned();
            obstacle.owed_by = name.to_owned();
            obstacle.article = name.to_owned();
        }
    }
    for row in &mut report.accesses.requests {
        row.month = name.to_owned();
        row.operation = name.to_owned();
        row.purpose = name.to_owned();
    }
    report.accesses.items.truncate(3);
    for row in &mut report.accesses.items {
        row.vi = name.to_owned();
    }
    for row in &mut report.accesses.refusals {
        row.reason = name.to_owned();
        row.agency = name.to_owned();
    }
    for row in report.suspensions.iter_mut().flatten() {
        row.cause = name.to_owned();
        row.connection = name.to_owned();
    }
    for row in report.quality.iter_mut().flatten() {
        row.database = name.to_owned();
    }
    report.log.first = name.to_owned();
    report.log.origin = name.to_owned();
    report.missing = vec![Missing { part: name.to_owned(), reason: name.to_owned() }];
    report
}

#[test]
fn no_text_is_markup() {
    for name in NAMES {
        let text = Pdf::read(&pdf(&said(name))).text();
        let mut shown = name.replace('\u{202e}', "[U+202E]").replace('\u{202c}', "[U+202C]");
        for (c, code) in [
            ('\0', "[U+0000]"),
            ('\t', "[U+0009]"),
            ('本', "[U+672C]"),
            ('ש', "[U+05E9]"),
            ('😀', "[U+1F600]"),
        ] {
            shown = shown.replace(c, code);
        }
        // A mark may be written with its letter as one.
        let composed =
            |text: &str| spaced(&text.replace("e\u{302}\u{301}", "ế").replace('\u{200b}', ""));
        let (text, shown) = (composed(&text).replace(' ', ""), composed(&shown).replace(' ', ""));
        assert!(text.contains(&shown), "{shown} is not in {text}");
    }
}

#[test]
fn a_name_of_two_thousand_letters_stays_on_the_pages() {
    for name in ["x".repeat(2_000), "Cơ quan ".repeat(250)] {
        let mut report = half_year::report();
        let database = &mut report.databases.as_mut().unwrap()[9];
        database.vi = name.clone();
        database.agency_vi = name;
        Pdf::read(&pdf(&report));
    }
}

#[test]
fn figures_beyond_every_register_are_set() {
    let mut report = half_year::report();
    for row in &mut report.accesses.requests {
        row.requests = u64::MAX;
    }
    for row in &mut report.accesses.latency {
        (row.requests, row.p50_us, row.p95_us, row.p99_us) = (u64::MAX, u64::MAX, 0, 1);
    }
    report.availability.known_seconds = u64::MAX;
    report.availability.outages.iter_mut().for_each(|outage| outage.seconds = u64::MAX);
    for row in report.conflicts.iter_mut().flatten() {
        (row.disputed, row.decided_for) = (0, u64::MAX);
    }
    Pdf::read(&pdf(&report));
}

/// Of every agency of the country, in every month of a year.
#[test]
fn a_year_of_five_hundred_agencies_is_set() {
    let mut report = half_year::report();
    let code = |n: usize| format!("Z{n:03}.DEMO");
    report.period.name = "2026".to_owned();
    report.accesses.requests.clear();
    report.accesses.items.clear();
    let template = report.databases.as_ref().unwrap()[0].clone();
    let agencies = if std::env::var("LIENTHONG_TEST_SCALE").is_ok_and(|scale| scale == "full") {
        500
    } else {
        40
    };
    let mut databases = Vec::new();
    for agency in 0..agencies {
        databases.push(Database {
            database: format!("db-{agency}"),
            vi: format!("Cơ sở dữ liệu mô phỏng số {agency}"),
            agency: code(agency),
            agency_vi: format!("Cơ quan mô phỏng số {agency}"),
            ..template.clone()
        });
        for month in 1..=12 {
            for outcome in [Outcome::Answered, Outcome::NoMatch, Outcome::Refused] {
                report.accesses.requests.push(Requests {
                    month: format!("2026-{month:02}"),
                    operation: "identity.v1.IdentityService/GetPerson".to_owned(),
                    agency: code(agency),
                    purpose: "public-service".to_owned(),
                    outcome,
                    requests: 100 + agency as u64,
                });
            }
        }
        report.accesses.items.push(Items {
            item: "sex".to_owned(),
            vi: "Giới tính".to_owned(),
            agency: code(agency),
            purpose: "public-service".to_owned(),
            disclosed: 7,
            withheld: 1,
        });
    }
    report.databases = Some(databases);
    let begun = Instant::now();
    let bytes = pdf(&report);
    let took = begun.elapsed();
    let pdf = Pdf::read(&bytes);
    println!("{agencies} agencies: {took:?}, {} bytes, {} pages", bytes.len(), pdf.sizes().len());
    // The body has the largest; the rest is summed, and whole in the annex.
    let text = pdf.text();
    assert!(text.contains(&format!("{} cơ quan còn lại", agencies - 10)));
    assert!(text.contains(&format!(
        "Cơ quan mô phỏng số {} – {}",
        agencies - 1,
        code(agencies - 1)
    )));
}

#[test]
fn what_is_no_report_is_refused() {
    let form = Form::demonstration().unwrap();
    let report = half_year::report();
    let refused = |json: &str| report::pdf(json.as_bytes(), &form).unwrap_err();
    assert!(matches!(refused("{"), Error::Json(_)));
    assert!(matches!(refused("{\"form\":\"lienthong/report/1\"}"), Error::Json(_)));
    assert!(matches!(refused("{\"form\":\"lienthong/report/9\"}"), Error::OtherForm(_)));
    let other = |from: &str, to: &str| serde_json::to_string(&report).unwrap().replace(from, to);
    let times = [
        ("2026-06-16T08:30:00+07:00", "today", "made"),
        ("2026-06-14", "2026-06-31", "period.last_day"),
        ("2026-06-15T00:00:00+07:00", "2025-12-15T00:00:00+07:00", "period.until"),
    ];
    for (from, to, expected) in times {
        let error = refused(&other(from, to));
        let Error::Time { field, .. } = error else { panic!("{error}") };
        assert_eq!(field, expected);
    }
    assert!(refused(&other("\"synthetic\"", "\"more\":1,\"synthetic\"")).is_of_input());
}
