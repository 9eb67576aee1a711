//! Refused calls are recorded, each once, whatever becomes of the access log.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    future::{pending, ready},
    mem,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use super::*;

/// Only ends a hang.
const HANG: Duration = Duration::from_secs(20);

fn caller(system: &str) -> Caller {
    Caller::parse(&format!("spiffe://t/agency/A/system/{system}"), "t").unwrap()
}

/// Calls of so many callers that were refused.
fn refused(callers: usize) -> Shed {
    let shed = Shed::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
    for number in 0..callers {
        shed.count(&caller(&number.to_string()), "/s/Get");
    }
    shed
}

/// A record with its id.
type Record = (u64, ShedCalls);

/// Whether it stands.
impl From<bool> for Sent {
    fn from(stands: bool) -> Self {
        if stands { Self::Stands } else { Self::Unknown }
    }
}

/// Records with ids, as `send` sends them.
fn record<F>(shed: &Shed, send: impl Fn(Arc<Record>) -> F + Send + Sync + 'static) -> Recording
where
    F: Future<Output: Into<Sent>> + Send + 'static,
{
    let ids = AtomicU64::new(0);
    let make = move |calls: &ShedCalls| (ids.fetch_add(1, Relaxed), calls.clone());
    shed.record(make, move |record| send(record).map(Into::into))
}

async fn finish(recording: Recording) {
    tokio::time::timeout(HANG, recording.finish()).await.unwrap();
}

/// A log that takes a record once, by its id.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<BTreeMap<u64, ShedCalls>>>);

impl Log {
    fn take(&self, record: &Record) {
        self.0.lock().unwrap().entry(record.0).or_insert_with(|| record.1.clone());
    }

    /// Caller, method and calls of each record.
    fn told(&self) -> Vec<(String, &'static str, u64)> {
        let told = self.0.lock().unwrap();
        told.values().map(|c| (c.caller.id().to_owned(), c.method, c.calls)).collect()
    }

    fn calls(&self) -> u64 {
        self.told().iter().map(|(_, _, calls)| calls).sum()
    }
}

#[tokio::test]
async fn i9_refused_calls_are_counted_per_caller_and_method_until_they_are_recorded() {
    let shed = Shed::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
    for _ in 0..3 {
        shed.count(&caller("a"), "/s/Get");
    }
    shed.count(&caller("a"), "/s/Put");
    shed.count(&caller("b"), "/s/Get");
    let (log, away) = (Log::default(), Mutex::new(true));
    let (tell, mut told) = mpsc::unbounded_channel();
    let sent = log.clone();
    let recording = record(&shed, move |record| {
        // At first it cannot be recorded; nothing is lost by that.
        let stands = !mem::replace(&mut *away.lock().unwrap(), false);
        if stands {
            sent.take(&record);
            let _ = tell.send(());
        }
        ready(stands)
    });
    for _ in 0..3 {
        tokio::time::timeout(HANG, told.recv()).await.unwrap().unwrap();
    }
    shed.count(&caller("b"), "/s/Get");
    finish(recording).await;
    assert_eq!(shed.left(), 0);
    assert_eq!(log.calls(), 6);
    let mut told = log.told();
    told.retain(|(caller, method, _)| caller.ends_with("/a") && *method == "/s/Get");
    assert_eq!(told, [("spiffe://t/agency/A/system/a".to_owned(), "/s/Get", 3)]);
}

#[tokio::test]
async fn i9_while_the_log_is_away_one_record_is_tried_and_all_are_kept() {
    let shed = refused(5);
    let tries = Arc::new(AtomicUsize::new(0));
    let trying = Arc::clone(&tries);
    let recording = record(&shed, move |_| {
        trying.fetch_add(1, Relaxed);
        ready(false)
    });
    finish(recording).await;
    assert_eq!(tries.load(Relaxed), 1);
    assert_eq!(shed.left(), 5);
}

#[tokio::test]
async fn i9_a_record_that_is_refused_is_made_anew_and_no_call_is_lost() {
    let shed = refused(2);
    let (log, first) = (Log::default(), AtomicUsize::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let (sent, counts) = (log.clone(), shed.clone());
    let recording = record(&shed, move |record| {
        if first.fetch_add(1, Relaxed) == 0 {
            // Refused for its time, as by a log that is behind; and calls come meanwhile.
            counts.count(&record.1.caller, record.1.method);
            return ready(Sent::Refused);
        }
        sent.take(&record);
        let _ = tell.send(record.0);
        ready(Sent::Stands)
    });
    for id in [1, 2] {
        assert_eq!(tokio::time::timeout(HANG, told.recv()).await.unwrap(), Some(id));
    }
    finish(recording).await;
    assert_eq!((shed.left(), log.calls(), log.told().len()), (0, 3, 2), "{:?}", log.told());
}

#[tokio::test]
async fn an_end_is_not_held_up_by_a_log_that_hangs() {
    let shed = refused(5);
    let recording = record(&shed, |_| pending::<Sent>());
    finish(recording).await;
    assert_eq!(shed.left(), 5);
}

#[tokio::test]
async fn i9_a_panic_loses_no_refused_call() {
    let shed = refused(5);
    let (log, first) = (Log::default(), AtomicUsize::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let sent = log.clone();
    let recording = record(&shed, move |record| {
        let (log, number, tell) = (sent.clone(), first.fetch_add(1, Relaxed), tell.clone());
        async move {
            // The second of them, so that one stands already.
            if number == 1 {
                let _ = tell.send(());
            }
            assert_ne!(number, 1, "a fault of the program");
            log.take(&record);
            true
        }
    });
    tokio::time::timeout(HANG, told.recv()).await.unwrap().unwrap();
    finish(recording).await;
    assert_eq!((shed.left(), log.calls()), (0, 5), "{:?}", log.told());
}

#[tokio::test]
async fn i9_a_record_that_may_stand_already_is_sent_again_as_it_was() {
    let shed = refused(1);
    let (log, first) = (Log::default(), AtomicUsize::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let sent = log.clone();
    let recording = record(&shed, move |record| {
        sent.take(&record);
        let _ = tell.send(());
        // The first answer is lost on its way.
        ready(first.fetch_add(1, Relaxed) > 0)
    });
    tokio::time::timeout(HANG, told.recv()).await.unwrap().unwrap();
    // What is refused meanwhile is of another record.
    shed.count(&caller("0"), "/s/Get");
    finish(recording).await;
    assert_eq!((shed.left(), log.calls()), (0, 2), "{:?}", log.told());
}
