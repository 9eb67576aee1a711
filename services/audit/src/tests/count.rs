//! What a period's records come to; and when they could be written.

use std::sync::atomic::{AtomicI64, Ordering};

use contract::{
    audit::v1::{AccessOutcome, ItemRecord, ShedCalls},
    r#type::v1::ErrorReason,
};
use futures::StreamExt as _;
use model::report::{Items, Outcome, Refusals};

use super::{accesses::access_of, *};
use crate::{
    alive::Pulse,
    count::{Counted, Wanted},
    store::period,
    witness::Halt,
};

/// The time of the first record.
const BEGAN: u64 = 1_790_000_000_000;

fn all_kinds() -> Vec<DecisionRecord> {
    let item = |item: &str, disclosed| ItemRecord {
        item: item.to_owned(),
        disclosed,
        ..ItemRecord::default()
    };
    let of = |outcome: AccessOutcome| DecisionRecord {
        outcome: outcome.into(),
        purpose: "insurance".to_owned(),
        ..DecisionRecord::default()
    };
    let answered = DecisionRecord {
        items: vec![item("sex", true), item("religion", false)],
        took_microseconds: 1_000,
        ..of(AccessOutcome::Answered)
    };
    let hidden = DecisionRecord { items: vec![item("sex", false)], ..of(AccessOutcome::Hidden) };
    let refused =
        DecisionRecord { reason: ErrorReason::KeyReused.into(), ..of(AccessOutcome::Refused) };
    let shed = DecisionRecord {
        reason: ErrorReason::Overloaded.into(),
        shed: Some(ShedCalls { calls: 5, from_time: None }),
        ..of(AccessOutcome::Refused)
    };
    vec![
        answered.clone(),
        hidden,
        of(AccessOutcome::Absent),
        of(AccessOutcome::ClaimsDiffer),
        of(AccessOutcome::Ambiguous),
        refused,
        shed,
        of(AccessOutcome::Contributed),
        of(AccessOutcome::Rejected),
        of(AccessOutcome::Administered),
        answered,
    ]
}

async fn count(service: &Service, from: u64, until: u64, agency: &str) -> Counted {
    let (from_ms, until_ms) = (BEGAN + from, BEGAN + until);
    let wanted = Wanted { from_ms, until_ms, agency: agency.to_owned() };
    ends(service.count(&wanted)).await.unwrap()
}

#[tokio::test]
async fn i7_what_a_period_holds_is_counted_as_whoever_asked_was_told() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        for (number, decision) in all_kinds().iter().enumerate() {
            append(&service, access_of(number as u64, decision)).await.unwrap();
        }
        // The last one is at the first moment after it.
        let counted = count(&service, 0, 10, "").await;
        assert_eq!((counted.records, counted.erased), (10, 0), "{engine:?}");
        let requests = counted.accesses.requests.iter();
        let told: Vec<_> = requests.map(|one| (one.outcome, one.requests)).collect();
        let expected = [
            (Outcome::Answered, 1),
            (Outcome::NoMatch, 4),
            (Outcome::Refused, 1),
            (Outcome::Contributed, 1),
            (Outcome::Rejected, 1),
            (Outcome::Administered, 1),
            (Outcome::Shed, 5),
        ];
        assert_eq!(told, expected);
        let item = |item: &str, disclosed, withheld| Items {
            item: item.to_owned(),
            vi: item.to_owned(),
            agency: "G24".to_owned(),
            purpose: "insurance".to_owned(),
            disclosed,
            withheld,
        };
        assert_eq!(counted.accesses.items, [item("religion", 0, 1), item("sex", 1, 0)]);
        let refusal = |reason: &str, requests| Refusals {
            agency: "G24".to_owned(),
            reason: reason.to_owned(),
            requests,
        };
        assert_eq!(counted.accesses.refusals, [refusal("KEY_REUSED", 1), refusal("OVERLOADED", 5)]);
        let [took] = counted.accesses.latency.as_slice() else { panic!() };
        assert_eq!((took.requests, took.p50_us), (1, 1_023));
        let sizes = [&counted.first, &counted.last].map(|note| log().verify(note).unwrap().size);
        assert_eq!(sizes, [0, 10]);

        assert_eq!(count(&service, 0, 10, "G24").await.accesses, counted.accesses);
        let others = count(&service, 0, 10, "G2").await;
        assert!(others.records == 0 && others.accesses.requests.is_empty());
        let middle = count(&service, 4, 7, "").await;
        let sizes = [&middle.first, &middle.last].map(|note| log().verify(note).unwrap().size);
        assert_eq!((middle.records, sizes), (3, [4, 7]));
        let none = count(&service, 100, 200, "").await;
        let sizes = [&none.first, &none.last].map(|note| log().verify(note).unwrap().size);
        assert_eq!((none.records, sizes), (0, [11, 11]));
        close_and_audit(&setup, service).await;
    }
}

#[tokio::test]
async fn a_period_of_several_pages_is_counted_whole_whatever_its_order() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        // More than two pages, of which many share a millisecond, and late ones stand between early ones.
        let times = |number: u64| (number * 7 % 2_600) / 13;
        let service = &service;
        let records = (0..2_600).map(|number| async move {
            let outcome = AccessOutcome::Answered.into();
            let decision = DecisionRecord { outcome, ..DecisionRecord::default() };
            let request = access_of(number, &decision);
            let time_ms = BEGAN + times(number);
            let leaf = Leaf { time_ms, ..Leaf::parse(&request.leaf).unwrap() };
            let request = AppendRequest { leaf: leaf.to_bytes().to_vec(), ..request };
            append(service, request).await.unwrap();
        });
        futures::stream::iter(records).buffered(64).collect::<Vec<()>>().await;
        for (from, until) in [(0, 200), (0, 1), (199, 200), (50, 150), (200, 300)] {
            let counted = count(service, from, until, "").await;
            let wanted = (0..2_600).filter(|number| (from..until).contains(&times(*number)));
            let requests: u64 = counted.accesses.requests.iter().map(|one| one.requests).sum();
            let wanted = wanted.count() as u64;
            assert_eq!((counted.records, requests), (wanted, wanted), "{engine:?} {from}..{until}");
        }
        ends(service.clone().close()).await;
    }
}

#[tokio::test]
async fn a_period_is_found_by_the_index_of_times() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let page = period::PAGE;
        let (explain, time) = match engine {
            Engine::Sqlite => ("EXPLAIN QUERY PLAN ", "x'0000000000000001'"),
            Engine::Postgres => ("EXPLAIN ", "'\\x0000000000000001'::bytea"),
        };
        let asked = if engine == Engine::Sqlite { page.sqlite } else { page.postgres };
        let mut asked = format!("{explain}{asked}");
        for (place, value) in [time, time, "9", "0", "1024"].into_iter().enumerate() {
            for sign in ['?', '$'] {
                asked = asked.replace(&format!("{sign}{}", place + 1), value);
            }
        }
        let asked = Sql::same(Box::leak(asked.into_boxed_str()));
        let plan = service.0.store.write("plan", move |tx| {
            Box::pin(async move {
                if engine == Engine::Postgres {
                    // Nothing is in it yet, which is read whole for that reason alone.
                    tx.execute(&Sql::same("SET LOCAL enable_seqscan = off"), Vec::new()).await?;
                }
                Ok::<_, crate::Error>(tx.query(&asked, Vec::new()).await?)
            })
        });
        let rows = plan.await.unwrap();
        let column = if engine == Engine::Sqlite { 3 } else { 0 };
        let lines: Vec<String> = rows.iter().map(|row| row.try_get_by(column).unwrap()).collect();
        assert!(lines.iter().any(|line| line.contains("leaf_time")), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains("TEMP B-TREE") || line.contains("Sort")));
        ends(service.close()).await;
    }
}

#[tokio::test]
async fn records_are_handed_over_as_they_were_and_a_file_that_is_cut_is_none() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        for number in 0..5 {
            recorded(&service, number).await;
        }
        ends(service.close()).await;
        let url = setup.database.url();
        crate::erase(url, &[3], "Quyết định 1/QĐ-TEST", &Clock::system()).await.unwrap();
        let mut file = Vec::new();
        let kek = || FileKeys::open(&[path(&setup.kek)], Entropy::seeded(2)).unwrap();
        let export = crate::openings::export(url, kek(), 1..99, |one| {
            file.extend_from_slice(one);
            Ok(())
        });
        assert_eq!(ends(export).await.unwrap().records, 4, "{engine:?}");
        let mut input = file.as_slice();
        for number in 1..5 {
            let handed = crate::openings::next(&mut input).unwrap().unwrap();
            assert_eq!(handed.index, number);
            let was = access(number);
            match handed.opened {
                crate::Opened::Whole(opening) => {
                    assert_eq!(opening.decision, was.decision);
                    assert_eq!(opening.inner_key.as_slice(), was.inner_key);
                    assert_eq!(opening.context, was.context);
                }
                crate::Opened::Erased { context } => {
                    assert_eq!((number, context), (3, was.context))
                }
                crate::Opened::Undone | crate::Opened::Damaged | crate::Opened::Closed => {
                    panic!("{number}")
                }
            }
        }
        assert!(crate::openings::next(&mut input).unwrap().is_none());
        let mut cut = &file[..file.len() - 1];
        let ended = (0..5).find_map(|_| crate::openings::next(&mut cut).err());
        assert!(ended.is_some(), "the end of a file that is cut is no end");
        assert!(crate::openings::next(&mut [0xff; 9].as_slice()).is_err());
        // A disk that is full ends it.
        let full =
            crate::openings::export(url, kek(), 0..9, |_| Err(std::io::Error::other("full")));
        assert!(ends(full).await.is_err());
    }
}

#[tokio::test]
async fn what_was_not_noted_for_a_minute_is_an_outage() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let store = service.0.store.clone();
        // The service itself notes it, too: aside, so it is waited for.
        let noted = async {
            while period::alive(&store, 0, 1).await.unwrap().known_from_ms.is_none() {
                tokio::task::yield_now().await;
            }
        };
        ends(noted).await;
        let now = Arc::new(AtomicI64::new(0));
        let at = Arc::clone(&now);
        let clock = Clock::from_fn(move || {
            OffsetDateTime::from_unix_timestamp(2_000_000_000 + at.load(Ordering::SeqCst)).unwrap()
        });
        let halt = Halt::default();
        let mut pulse = Pulse::new(store.clone(), clock.clone(), halt.clone(), &Entropy::seeded(1));
        let mut other = Pulse::new(store.clone(), clock, halt.clone(), &Entropy::seeded(2));
        for (second, who) in [(0, 0), (20, 0), (79, 0), (139, 0), (140, 1), (159, 0), (200, 1)] {
            now.store(second, Ordering::SeqCst);
            let pulse = if who == 0 { &mut pulse } else { &mut other };
            pulse.beat().await.unwrap();
        }
        let ms = |second: u64| (2_000_000_000 + second) * 1_000;
        let alive = period::alive(&store, ms(0), ms(300)).await.unwrap();
        let outages = crate::alive::outages(&alive.stretches, ms(0)..ms(300), ms(0)..ms(300));
        // 139 is a minute after 79; what began then goes on until 200, together with the other one.
        assert_eq!(outages, [(ms(79), ms(139)), (ms(200), ms(300))], "{engine:?}");
        assert!(alive.known_from_ms.unwrap() <= BEGAN, "the service noted it before");
        ends(service.close()).await;
    }
}
