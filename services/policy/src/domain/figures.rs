//! What tables cost beside plain Cedar. Figures, and claims about them where they can be held: in a program that was optimised,
//! with the machine for itself, of the fastest of many tries, which neighbours disturb least:
//!
//! `LIENTHONG_TEST_SCALE=full cargo test --release -p policy --lib figures_of_decisions -- --nocapture`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

use decide::Fact;
use time::macros::date;

use super::{
    catalogue::{Catalogue, LegalProfile},
    decision::SHIPPED,
    rules::{Act, Question, RuleFile, Rules, plain::Plain},
    sweep::catalogue,
    table::Builder,
};

const CLAUSE: &str = "1911-2021-art-2-1";
const PURPOSES: [&str; 5] = ["civil-status", "residence", "social-insurance", "medical", "contact"];

/// So many policies of the form of those that are shipped: permits of groups to purposes, one in ten a forbid that reads a fact of
/// the subject, and one about existence.
fn policies(count: usize, catalogue: &Catalogue) -> String {
    let mut text = String::new();
    for n in 0..count {
        let group = &catalogue.items()[n % catalogue.items().len()].groups[0];
        let purpose = PURPOSES[n / 3 % PURPOSES.len()];
        let rest = match n {
            0 => "permit (principal, action == Action::\"learn_existence\", resource)".to_owned(),
            1 => format!(
                "permit (principal, action == Action::\"obtain\", resource) when {{ context.basis == \"{CLAUSE}\" }}"
            ),
            n if n % 10 == 9 => {
                let fact = if n % 20 == 9 { "protected" } else { "minor" };
                format!(
                    "forbid (principal, action == Action::\"obtain\", resource in ItemGroup::\"{group}\") \
                     when {{ context.subject.{fact} && context.purpose == \"{purpose}\" }} unless {{ context.direction }}"
                )
            }
            _ => format!(
                "permit (principal == Database::\"d{}\", action == Action::\"obtain\", resource in ItemGroup::\"{group}\") \
                 when {{ context.basis == \"{CLAUSE}\" && context.purpose == \"{purpose}\" && context.consent }}",
                n % 7
            ),
        };
        writeln!(
            text,
            "@id(\"r{n:04}\") @basis(\"{CLAUSE}\") @validity(\"2021-11-15/..\") @obligation(\"none\") @vi(\"a\") \
             @en(\"a\") {rest};"
        )
        .unwrap();
    }
    text
}

/// The fastest and the middle one of some tries, each of several runs.
fn timed(tries: usize, runs: u32, mut run: impl FnMut()) -> (Duration, Duration) {
    let mut took: Vec<Duration> = (0..tries)
        .map(|_| {
            let began = Instant::now();
            (0..runs).for_each(|_| run());
            began.elapsed() / runs
        })
        .collect();
    took.sort_unstable();
    (took[0], took[tries / 2])
}

fn micros((least, middle): (Duration, Duration)) -> String {
    let of = |time: Duration| time.as_secs_f64() * 1e6;
    format!("{:.2} ({:.2})", of(least), of(middle))
}

/// Figures of decisions: reading a table, building one, and plain Cedar asked once for each item, in the same run.
#[test]
fn figures_of_decisions() {
    let full = std::env::var("LIENTHONG_TEST_SCALE").as_deref() == Ok("full");
    let (tries, runs) = if full { (41, 20) } else { (3, 1) };
    let catalogue = catalogue(LegalProfile::Law2023);
    let every: Vec<String> = catalogue.items().iter().map(|item| item.id.clone()).collect();
    let ask = Question {
        database: "d1",
        act: Act::Obtain,
        procedure: "child-health-insurance-card",
        purpose: "social-insurance",
        basis: CLAUSE,
        direction: false,
    };
    println!("microseconds, the fastest (and the middle one) of {tries}:");
    println!(
        "policies items | read, copied | build | rows | Cedar, one request for each item | for each item and row: build, Cedar, ratio"
    );
    for count in [20, 200, 1_000] {
        let text = policies(count, &catalogue);
        let rules =
            Rules::load(&[RuleFile { clause: CLAUSE, text: &text }], SHIPPED[3], &catalogue)
                .unwrap();
        for items in [&every[..1], &every[..]] {
            let builder = Builder {
                catalogue: &catalogue,
                rules: &rules,
                ask: &ask,
                items,
                granted: &catalogue.all(),
                obligations: &|_| &[],
                day: date!(2026 - 11 - 24),
                act: ask.act,
                now: crate::domain::basis::start_of(date!(2026 - 11 - 24)),
            };
            let table = builder.build().unwrap();
            let plain = Plain::new(&builder);
            plain.compare(Some(&table)).unwrap();
            let known = |name: &str| Fact::from(name == "minor");
            let allowed = |item: &decide::ItemDecision| item.effect == decide::ItemEffect::Allowed;
            let read = timed(tries, runs * 50, || {
                let answer = table.read(black_box(known));
                black_box(answer.items.iter().filter(|item| allowed(item)).count());
            });
            let copied = timed(tries, runs * 50, || {
                black_box(table.resolve(black_box(known)));
            });
            let build = timed(tries, runs, || {
                black_box(builder.build().unwrap());
            });
            let requests = plain.requests(&["minor"]);
            let cedar = timed(tries, runs, || {
                black_box(plain.ask_each(black_box(&requests)));
            });
            let rows = table.rows().len();
            let each = |time: Duration, of: usize| time.as_secs_f64() * 1e6 / of as f64;
            let (ours, theirs) = (each(build.0, items.len() * rows), each(cedar.0, items.len()));
            println!(
                "{count:>8} {:>5} | {}, {} | {} | {rows} | {} | {ours:.2}, {theirs:.2}, {:.1}",
                items.len(),
                micros(read),
                micros(copied),
                micros(build),
                micros(cedar),
                theirs / ours,
            );
            if full && !cfg!(debug_assertions) {
                assert!(read.0 < Duration::from_micros(2), "reading takes {read:?}");
                assert!(
                    items.len() == 1 || theirs > 10.0 * ours,
                    "{theirs} is not ten times {ours}"
                );
            }
        }
    }
}
