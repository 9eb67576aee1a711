//! A half-year that never was: a report of agencies that do not exist, drawn from a seed. `half-year.json` is what comes of it.

use model::report::{
    Accesses, Assessment, AssessmentState, Availability, Conflicts, Database, Extent, Items,
    Latency, Months, Obstacle, Outage, Outcome, Period, Quality, Refusals, Report, Requests, Share,
    Suspension,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 1911;
const MONTHS: [&str; 7] =
    ["2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"];

/// Agency, its name, its database, how far that is, and how many it asks in a month.
const AGENCIES: [(&str, &str, &str, &str, u64); 13] = [
    ("Z01.DEMO.HOTICH", "Cơ sở dữ liệu hộ tịch (mô phỏng)", "civil-status", "active", 61_000),
    (
        "Z02.DEMO.BHXH",
        "Cơ sở dữ liệu bảo hiểm xã hội (mô phỏng)",
        "social-insurance",
        "active",
        148_000,
    ),
    ("Z03.DEMO.CONGDVC", "Cổng dịch vụ công (mô phỏng)", "portal", "active", 395_000),
    ("Z04.DEMO.CU", "Hệ thống cũ đã chấm dứt kết nối (mô phỏng)", "former", "ended", 40),
    ("Z05.DEMO.CUTRU", "Cơ sở dữ liệu về cư trú (mô phỏng)", "residence", "active", 83_000),
    ("Z06.DEMO.CANCUOC", "Cơ sở dữ liệu căn cước (mô phỏng)", "citizen-id", "active", 52_000),
    ("Z07.DEMO.YTE", "Cơ sở dữ liệu y tế (mô phỏng)", "medical", "suspended", 21_000),
    ("Z08.DEMO.THUE", "Hệ thống quản lý thuế (mô phỏng)", "tax", "active", 34_000),
    (
        "Z09.DEMO.GIAODUC",
        "Cơ sở dữ liệu giáo dục và đào tạo (mô phỏng)",
        "education",
        "assessed",
        0,
    ),
    ("Z10.DEMO.TINH1", "Ủy ban nhân dân tỉnh Mô Phỏng Một", "province-1", "active", 18_000),
    ("Z11.DEMO.TINH2", "Ủy ban nhân dân tỉnh Mô Phỏng Hai", "province-2", "active", 9_000),
    ("Z12.DEMO.TINH3", "Ủy ban nhân dân tỉnh Mô Phỏng Ba", "province-3", "agreed", 0),
    ("Z13.DEMO.TINH4", "Ủy ban nhân dân thành phố Mô Phỏng Bốn", "province-4", "applied", 0),
];

const ITEMS: [(&str, &str); 14] = [
    ("birth_full_name", "Họ, chữ đệm và tên khai sinh"),
    ("personal_id_number", "Số định danh cá nhân"),
    ("date_of_birth", "Ngày, tháng, năm sinh"),
    ("sex", "Giới tính"),
    ("place_of_birth", "Nơi sinh"),
    ("native_place", "Quê quán"),
    ("ethnic_group", "Dân tộc"),
    ("religion", "Tôn giáo"),
    ("nationality", "Quốc tịch"),
    ("permanent_residence", "Nơi thường trú"),
    ("current_residence", "Nơi ở hiện tại"),
    (
        "family_relations",
        "Họ tên, số ĐDCN/CMND, quốc tịch của cha, mẹ, vợ, chồng, con, đại diện, người được đại diện",
    ),
    ("marital_status", "Tình trạng hôn nhân"),
    ("death_or_missing_date", "Ngày chết hoặc mất tích"),
];

const GET: &str = "identity.v1.IdentityService/GetPerson";
const VERIFY: &str = "identity.v1.IdentityService/VerifyClaims";
const STREAM: &str = "identity.v1.IdentityService/LookupStream";
const SUBMIT: &str = "contribution.v1.ContributionService/SubmitContribution";
const MOVE: &str = "policy.v1.AdmissionService/MoveConnection";

fn purpose(database: &str) -> &'static str {
    match database {
        "civil-status" => "civil-status",
        "social-insurance" => "social-insurance",
        "residence" => "residence",
        "citizen-id" => "identification",
        "medical" => "medical",
        "tax" | "former" => "database-upkeep",
        _ => "public-service",
    }
}

fn requests(random: &mut ChaCha8Rng) -> Vec<Requests> {
    let mut all = Vec::new();
    for (at, month) in MONTHS.iter().enumerate() {
        // The first and the last month are halves.
        let part = if at == 0 || at == 6 { 50 } else { 100 };
        let mut add = |operation: &str, agency: &str, purpose: &str, outcome, requests| {
            if requests > 0 {
                all.push(Requests {
                    month: (*month).to_owned(),
                    operation: operation.to_owned(),
                    agency: agency.to_owned(),
                    purpose: purpose.to_owned(),
                    outcome,
                    requests,
                });
            }
        };
        for (agency, _, database, _, each) in AGENCIES {
            let n =
                each * part * random.random_range(80..120) / 10_000 * (100 + 4 * at as u64) / 100;
            let purpose = purpose(database);
            if database == "former" {
                add(GET, agency, purpose, Outcome::Refused, n);
                continue;
            }
            add(GET, agency, purpose, Outcome::Answered, n * 68 / 100);
            add(GET, agency, purpose, Outcome::NoMatch, n * random.random_range(2..6) / 100);
            add(GET, agency, purpose, Outcome::Refused, n * random.random_range(1..15) / 1_000);
            add(VERIFY, agency, purpose, Outcome::Answered, n * 17 / 100);
            add(VERIFY, agency, purpose, Outcome::NoMatch, n / 100);
            if n > 30_000 {
                add(STREAM, agency, "database-upkeep", Outcome::Answered, n * 9 / 100);
                add(STREAM, agency, "database-upkeep", Outcome::Shed, n / 9_000);
            }
            if matches!(database, "civil-status" | "residence" | "citizen-id" | "medical") {
                add(SUBMIT, agency, purpose, Outcome::Contributed, n * 31 / 100);
                add(
                    SUBMIT,
                    agency,
                    purpose,
                    Outcome::Rejected,
                    n * random.random_range(3..22) / 1_000,
                );
                add(SUBMIT, agency, purpose, Outcome::Refused, n / 2_000);
            }
        }
        add(MOVE, "", "", Outcome::Administered, random.random_range(3..14));
    }
    all
}

fn items(random: &mut ChaCha8Rng) -> Vec<Items> {
    let mut all = Vec::new();
    for (agency, _, database, _, each) in AGENCIES {
        for (at, (item, vi)) in ITEMS.iter().enumerate() {
            let n = each * 5 * random.random_range(60..100) / 100 / (1 + at as u64 / 3);
            let held = matches!(*item, "religion" | "ethnic_group" | "family_relations");
            let withheld = if held { n * 23 / 100 } else { n * random.random_range(0..4) / 100 };
            if n > 0 && database != "former" {
                all.push(Items {
                    item: (*item).to_owned(),
                    vi: (*vi).to_owned(),
                    agency: agency.to_owned(),
                    purpose: purpose(database).to_owned(),
                    disclosed: n - withheld,
                    withheld,
                });
            }
        }
    }
    all
}

fn refusals(requests: &[Requests]) -> Vec<Refusals> {
    let mut all: Vec<Refusals> = Vec::new();
    for (agency, _, database, _, _) in AGENCIES {
        let refused = requests.iter().filter(|row| row.outcome == Outcome::Refused);
        let n: u64 = refused.filter(|row| row.agency == agency).map(|row| row.requests).sum();
        let reasons: &[(&str, u64)] = if database == "former" {
            &[("CONNECTION_NOT_ACTIVE", 100)]
        } else {
            &[
                ("NO_AGREEMENT", 41),
                ("NOTHING_ALLOWED", 27),
                ("GUESSING_BUDGET_SPENT", 19),
                ("BASIS_NOT_IN_FORCE", 9),
                ("VOLUME_USED_UP", 4),
            ]
        };
        let mut left = n;
        for (at, (reason, share)) in reasons.iter().enumerate() {
            let requests = if at + 1 == reasons.len() { left } else { n * share / 100 };
            left -= requests;
            if requests > 0 {
                let (agency, reason) = (agency.to_owned(), (*reason).to_owned());
                all.push(Refusals { agency, reason, requests });
            }
        }
    }
    all
}

fn latency(requests: &[Requests]) -> Vec<Latency> {
    let of = |operation: &str, p50_us, p95_us, p99_us| Latency {
        operation: operation.to_owned(),
        requests: requests.iter().filter(|r| r.operation == operation).map(|r| r.requests).sum(),
        p50_us,
        p95_us,
        p99_us,
    };
    vec![
        of(GET, 3_712, 9_728, 24_576),
        of(VERIFY, 3_456, 8_704, 21_504),
        of(STREAM, 6_144, 38_912, 118_784),
        of(SUBMIT, 11_264, 45_056, 212_992),
        of(MOVE, 7_424, 19_456, 19_456),
    ]
}

fn obstacle(obstacle: &str, owed_by: &str, article: &str) -> Obstacle {
    Obstacle { obstacle: obstacle.into(), owed_by: owed_by.into(), article: article.into() }
}

fn databases() -> Vec<Database> {
    let owner = |name: &str, article: &str| {
        obstacle(name, "owner", &format!("Decision 1911/QD-TTg, Art. {article}"))
    };
    let operator = |name: &str, article: &str| {
        obstacle(name, "operator", &format!("Decision 1911/QD-TTg, Art. {article}"))
    };
    let lacks = |state: &str| match state {
        "assessed" => vec![operator("not_opened", "3(1)(a)")],
        "conformant" => {
            vec![operator("not_assessed", "3(1)(b)"), operator("not_opened", "3(1)(a)")]
        }
        "checked" => vec![
            owner("not_agreed", "3(4)(b)"),
            owner("not_conformant", "3(2)(b), 3(4)(a)"),
            operator("not_assessed", "3(1)(b)"),
        ],
        "agreed" => vec![
            owner("not_conformant", "3(2)(b), 3(4)(a)"),
            operator("not_assessed", "3(1)(b)"),
            operator("not_opened", "3(1)(a)"),
        ],
        "applied" => vec![
            owner("infrastructure", "3(4)(a)"),
            owner("checklist", "3(4)(a)"),
            owner("not_agreed", "3(4)(b)"),
            owner("not_conformant", "3(2)(b), 3(4)(a)"),
            operator("not_assessed", "3(1)(b)"),
        ],
        "suspended" => vec![
            owner("finding_open", "3(4)(c)"),
            operator("assessment_lapsed", "3(1)(b)"),
            obstacle("suspended", "", ""),
        ],
        "none" => vec![owner("not_applied", "1(1), 3(4)(a)")],
        "ended" => vec![obstacle("ended", "", "")],
        _ => Vec::new(),
    };
    let mut all: Vec<_> = AGENCIES
        .iter()
        .map(|(agency, name, database, state, _)| Database {
            database: (*database).to_owned(),
            vi: match *database {
                "portal" => {
                    "Hệ thống thông tin giải quyết thủ tục hành chính (mô phỏng)".to_owned()
                }
                database if database.starts_with("province") => {
                    format!("Hệ thống một cửa điện tử {}", name.replace("Ủy ban nhân dân ", ""))
                }
                _ => (*name).to_owned(),
            },
            en: String::new(),
            agency: (*agency).to_owned(),
            agency_vi: (*name).to_owned(),
            state: (*state).to_owned(),
            obstacles: lacks(state),
        })
        .collect();
    for (database, vi, agency, state) in [
        ("birth-archive", "Kho dữ liệu sổ hộ tịch số hóa (mô phỏng)", 0, "conformant"),
        ("health-book", "Hệ thống sổ sức khỏe điện tử (mô phỏng)", 6, "checked"),
        ("land-1", "Cơ sở dữ liệu đất đai tỉnh Mô Phỏng Một", 9, "applied"),
    ] {
        let (code, name, ..) = AGENCIES[agency];
        all.push(Database {
            database: database.to_owned(),
            vi: vi.to_owned(),
            en: String::new(),
            agency: code.to_owned(),
            agency_vi: name.to_owned(),
            state: state.to_owned(),
            obstacles: lacks(state),
        });
    }
    all.push(Database {
        database: "national-portal".to_owned(),
        vi: "Cổng Dịch vụ công quốc gia (mô phỏng)".to_owned(),
        en: String::new(),
        agency: String::new(),
        agency_vi: String::new(),
        state: "none".to_owned(),
        obstacles: lacks("none"),
    });
    all
}

fn assessments() -> Vec<Assessment> {
    let opened = AGENCIES
        .iter()
        .filter(|(.., state, _)| matches!(*state, "active" | "suspended" | "assessed"));
    let of = |(at, (agency, _, database, state, _)): (usize, &(&str, _, &str, &str, _))| {
        let (done, next_day, state) = match (*state, at % 5) {
            ("suspended", _) => (vec![], "2026-04-30", AssessmentState::Overdue),
            (_, 0) => (vec![], "2026-07-09", AssessmentState::Due),
            (_, 3) => (vec!["2026-01-20", "2026-05-06"], "2027-05-06", AssessmentState::Done),
            _ => (vec!["2026-03-11"], "2027-03-11", AssessmentState::Done),
        };
        Assessment {
            connection: format!("demo-{database}"),
            agency: (*agency).to_owned(),
            done: done.into_iter().map(str::to_owned).collect(),
            next_day: next_day.to_owned(),
            state,
        }
    };
    opened.enumerate().map(of).collect()
}

fn suspension(
    database: &str,
    agency: &str,
    cause: (&str, &str),
    from: &str,
    until: &str,
) -> Suspension {
    Suspension {
        connection: format!("demo-{database}"),
        agency: agency.to_owned(),
        cause: cause.0.to_owned(),
        article: cause.1.to_owned(),
        from: from.to_owned(),
        until: until.to_owned(),
    }
}

fn suspensions() -> Vec<Suspension> {
    let planned = ("planned-stop", "Decree 47/2020/ND-CP, Art. 43(3)");
    let violation = ("violation", "Decree 47/2020/ND-CP, Art. 43(5)");
    let lapsed = ("assessment-lapsed", "Decision 1911/QD-TTg, Art. 3(1)(b), 3(4)(c)");
    vec![
        suspension(
            "social-insurance",
            "Z02.DEMO.BHXH",
            planned,
            "2026-02-14T22:00:00+07:00",
            "2026-02-15T03:30:00+07:00",
        ),
        suspension(
            "portal",
            "Z03.DEMO.CONGDVC",
            violation,
            "2026-03-03T09:12:00+07:00",
            "2026-03-05T16:40:00+07:00",
        ),
        suspension("medical", "Z07.DEMO.YTE", lapsed, "2026-04-30T00:00:00+07:00", ""),
    ]
}

fn conflicts() -> Vec<Conflicts> {
    let of = |database: &str, [disputed, won, lost, week, month, later]: [u64; 6]| Conflicts {
        database: database.to_owned(),
        disputed,
        decided_for: won,
        decided_against: lost,
        within_7_days: week,
        within_30_days: month,
        later,
    };
    vec![
        of("civil-status", [412, 187, 201, 240, 121, 27]),
        of("residence", [1_096, 300, 655, 610, 290, 55]),
        of("citizen-id", [88, 51, 30, 70, 11, 0]),
        of("medical", [19, 2, 3, 0, 4, 1]),
    ]
}

fn quality(random: &mut ChaCha8Rng) -> Vec<Quality> {
    let mut share = |all: u64, least: u64| Share {
        part: all * random.random_range(least..10_000) / 10_000,
        all,
    };
    [
        ("civil-status", 812_440, 9_800),
        ("residence", 655_020, 9_600),
        ("citizen-id", 402_118, 9_900),
        ("medical", 48_204, 8_700),
    ]
    .map(|(database, values, least)| Quality {
        database: database.to_owned(),
        values,
        rejected: values / 170,
        consistency: share(values, least),
        completeness: share(values, least),
        accuracy: share(values, least),
        timeliness: share(values, least - 900),
    })
    .into()
}

fn availability() -> Availability {
    let outages = vec![
        Outage {
            from: "2026-01-18T02:10:00+07:00".into(),
            until: "2026-01-18T02:47:00+07:00".into(),
            seconds: 2_220,
        },
        Outage {
            from: "2026-03-22T14:05:00+07:00".into(),
            until: "2026-03-22T14:09:30+07:00".into(),
            seconds: 270,
        },
        Outage {
            from: "2026-05-09T23:00:00+07:00".into(),
            until: "2026-05-10T04:20:00+07:00".into(),
            seconds: 19_200,
        },
    ];
    let lost: u64 = outages.iter().map(|outage| outage.seconds).sum();
    // Until the end of the period, from 00:00 on 20 December.
    let known_seconds = 177 * 86_400;
    Availability {
        known_from: "2025-12-20T00:00:00+07:00".into(),
        known_seconds,
        available_seconds: known_seconds - lost - 130,
        outages,
    }
}

/// A checkpoint that nobody signed: its key and signature are made of letters that say so.
fn checkpoint(size: u64) -> String {
    let root = "TU8tUEhPTkctTU8tUEhPTkctTU8tUEhPTkctTU8tUEg=";
    let signature = "TU8tUEhPTkc".repeat(9).chars().take(91).collect::<String>();
    format!(
        "lienthong.test/lienthong-access/demo\n{size}\n{root}\n\n— lienthong.test/lienthong-access/demo {signature}=\n"
    )
}

/// The report.
pub(crate) fn report() -> Report {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let requests = requests(&mut random);
    let records: u64 = requests.iter().map(|row| row.requests).sum();
    let (first_size, erased) = (1_204_331, 17);
    Report {
        form: Report::FORM.to_owned(),
        period: Period {
            name: "2026-H1".into(),
            first_day: "2025-12-15".into(),
            last_day: "2026-06-14".into(),
            from: "2025-12-15T00:00:00+07:00".into(),
            until: "2026-06-15T00:00:00+07:00".into(),
        },
        agency: None,
        made: "2026-06-16T08:30:00+07:00".into(),
        synthetic: true,
        log: Extent {
            origin: "lienthong.test/lienthong-access/demo".into(),
            first: checkpoint(first_size),
            first_size,
            last: checkpoint(first_size + records + erased),
            last_size: first_size + records + erased,
            records: records + erased,
            until: "2026-06-15T00:00:00+07:00".into(),
            erased,
        },
        accesses: Accesses {
            items: items(&mut random),
            refusals: refusals(&requests),
            latency: latency(&requests),
            requests,
        },
        databases: Some(databases()),
        assessments: Some(assessments()),
        suspensions: Some(suspensions()),
        months: Months { first: "2025-12".into(), last: "2026-05".into() },
        conflicts: Some(conflicts()),
        quality: Some(quality(&mut random)),
        availability: availability(),
        missing: Vec::new(),
    }
}
