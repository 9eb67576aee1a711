//! One task that gives records their places. While one commit is in flight the next records gather; there
//! is no timer, so a record that comes alone waits for one commit and nothing else.

use std::{sync::Arc, time::Instant};

use ::store::Store;
use server::runtime::Clock;
use tlog::Hash;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    Error,
    domain::{Plan, Record},
    envelope::DataKey,
    log::{Keys, Log},
    metrics,
    store::{self, Checkpoint, Stored},
    witness::Halt,
};

/// A fenced batch wrote nothing for certain, and each fence means that another process got on. So the
/// batch is tried again on the reloaded log, this often, before its callers are refused.
const FENCED_TRIES: usize = 3;

/// Where a record stands.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) proof: Vec<Hash>,
    pub(crate) checkpoint: Arc<str>,
}

/// Why a record has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The queue is full; nothing was recorded.
    Overloaded,
    /// Nothing was recorded, or it is unknown whether it was.
    Unavailable,
    /// The record id stands in the log with another leaf.
    RecordIdReused,
}

/// A record, and who waits for its place.
pub(crate) struct Waiter {
    record: Arc<Record>,
    reply: oneshot::Sender<Result<Place, Refused>>,
}

impl Waiter {
    pub(crate) fn new(record: Arc<Record>) -> (Self, oneshot::Receiver<Result<Place, Refused>>) {
        let (reply, answer) = oneshot::channel();
        (Self { record, reply }, answer)
    }
}

/// The way to the sequencer's task.
pub(crate) struct Sequencer {
    queue: mpsc::Sender<Waiter>,
    stop: Arc<Notify>,
}

impl Sequencer {
    /// Starts the task on a log that was taken over.
    pub(crate) fn start(work: Work, batch_max: usize, queue_max: usize) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(queue_max);
        let stop = Arc::<Notify>::default();
        let task = tokio::spawn(run(work, waiting, batch_max, Arc::clone(&stop)));
        (Self { queue, stop }, task)
    }

    /// Gives the record its place, once that is durable. A caller that stops waiting before the record
    /// is written takes it back; afterwards the record stands (I13).
    pub(crate) async fn append(&self, record: Record) -> Result<Place, Refused> {
        let (waiter, answer) = Waiter::new(Arc::new(record));
        self.queue.try_send(waiter).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Refused::Unavailable,
        })?;
        answer.await.unwrap_or(Err(Refused::Unavailable))
    }

    /// Takes no more records; the task ends when those that wait have their answers.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }
}

async fn run(
    mut work: Work,
    mut waiting: mpsc::Receiver<Waiter>,
    batch_max: usize,
    stop: Arc<Notify>,
) {
    loop {
        let mut batch = Vec::with_capacity(batch_max);
        tokio::select! {
            biased;
            () = stop.notified() => waiting.close(),
            taken = waiting.recv_many(&mut batch, batch_max) => match taken {
                0 => break,
                _ => {
                    gather(&mut waiting, &mut batch, batch_max).await;
                    work.flush(batch).await;
                }
            },
        }
    }
}

/// What comes while others have their turn shares the commit, as long as something does: those who have just been answered ask again,
/// and would each else wait for a commit that began without them. A record that comes alone waits for nothing.
async fn gather<T>(waiting: &mut mpsc::Receiver<T>, batch: &mut Vec<T>, batch_max: usize) {
    loop {
        let before = batch.len();
        tokio::task::yield_now().await;
        while batch.len() < batch_max
            && let Ok(waiter) = waiting.try_recv()
        {
            batch.push(waiter);
        }
        if batch.len() == before {
            return;
        }
    }
}

/// What the task works with.
pub(crate) struct Work {
    store: Store,
    keys: Arc<Keys>,
    clock: Clock,
    /// None after a failure: to be read again before anything is written.
    log: Option<Log>,
    /// The newest checkpoint that callers may have been given.
    seen: Checkpoint,
    /// Set when a witness has seen another log.
    halt: Halt,
}

impl Work {
    pub(crate) fn new(store: Store, keys: Arc<Keys>, clock: Clock, log: Log, halt: Halt) -> Self {
        let seen = log.checkpoint().clone();
        Self { store, keys, clock, log: Some(log), seen, halt }
    }

    /// All that it turns on between two batches: size and epoch of the log as it has it, and the size that was given out.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> (Option<(u64, u64)>, u64) {
        (self.log.as_ref().map(Log::as_seen), self.seen.size)
    }

    /// Answers every waiter, whatever happens.
    pub(crate) async fn flush(&mut self, mut waiters: Vec<Waiter>) {
        for _ in 0..FENCED_TRIES {
            waiters.retain(|waiter| !waiter.reply.is_closed());
            if waiters.is_empty() {
                return;
            }
            match self.place(&waiters).await {
                Ok(places) => {
                    for (waiter, place) in waiters.into_iter().zip(places) {
                        // A caller who left in the meantime finds the record by its id.
                        drop(waiter.reply.send(place));
                    }
                    return;
                }
                Err(Error::Fenced) => {
                    tracing::info!("another process appended; reading the log again");
                }
                Err(error) => {
                    tracing::error!(kind = error.kind(), records = waiters.len(), "append failed");
                    break;
                }
            }
        }
        for waiter in waiters {
            drop(waiter.reply.send(Err(Refused::Unavailable)));
        }
    }

    /// The places of one batch, in order, when all of it is durable. After an error the log in memory is
    /// gone: only the database knows what stands.
    async fn place(&mut self, waiters: &[Waiter]) -> Result<Vec<Result<Place, Refused>>, Error> {
        if self.halt.is_set() {
            return Err(Error::Conflict);
        }
        let log = match self.log.take() {
            Some(log) => log,
            None => self.reload().await?,
        };
        let records = waiters.iter().map(|waiter| Arc::clone(&waiter.record)).collect();
        let key = self.keys.records.data_key(&self.store, self.clock.today()).await?;
        let (now_ms, began) = (self.clock.now_ms(), Instant::now());
        let stands = self.append(log, records, key, now_ms).await;
        metrics::committed(began.elapsed(), stands.as_ref().map(|(_, _, new)| *new).ok());
        let (mut log, indexes, _) = stands?;
        self.seen = log.checkpoint().clone();
        let proofs = log.prove(indexes.iter().flatten().copied(), &self.store).await?;
        log.forget();
        let checkpoint: Arc<str> = log.checkpoint().note.as_str().into();
        self.log = Some(log);
        let place = |index: Option<u64>| {
            let index = index.ok_or(Refused::RecordIdReused)?;
            let proof = proofs.get(&index).cloned().ok_or(Refused::Unavailable)?;
            Ok(Place { index, proof, checkpoint: Arc::clone(&checkpoint) })
        };
        Ok(indexes.into_iter().map(place).collect())
    }

    /// Grows the log by those records that do not stand in it yet, in one transaction. Gives the log, the index of each record, and how
    /// many are new.
    async fn append(
        &self,
        log: Log,
        records: Vec<Arc<Record>>,
        key: Arc<DataKey>,
        now_ms: u64,
    ) -> Result<(Log, Vec<Option<u64>>, usize), Error> {
        let keys = Arc::clone(&self.keys);
        let ids = records.iter().map(|record| record.id).collect();
        let plan = move |stored: Stored| {
            let size = log.checkpoint().size;
            if stored.values().any(|(index, _)| *index >= size) {
                return Err(Error::Fenced);
            }
            let Plan { indexes, new } = Plan::new(records.iter(), stored, size);
            if new.is_empty() {
                return Ok(((log, indexes, 0), None));
            }
            let count = new.len();
            let (log, growth) = log.grown(new, &keys.signer, now_ms)?;
            Ok(((log, indexes, count), Some(growth)))
        };
        store::append(&self.store, ids, key, plan).await
    }

    async fn reload(&self) -> Result<Log, Error> {
        let log = Log::load(&self.store, &self.keys).await?;
        log.extends(&self.seen, &self.store).await?;
        tracing::info!("the log was read again");
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn what_others_send_when_they_have_their_turn_is_gathered_up_to_the_most() {
        for (senders, each, most, expect) in
            [(0, 0, 8, 1), (3, 1, 8, 4), (2, 3, 8, 7), (9, 9, 8, 8)]
        {
            let (queue, mut waiting) = mpsc::channel(128);
            for _ in 0..senders {
                let queue = queue.clone();
                tokio::spawn(async move {
                    for _ in 0..each {
                        queue.send(()).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                });
            }
            let mut batch = vec![()];
            gather(&mut waiting, &mut batch, most).await;
            assert_eq!(batch.len(), expect, "{senders} of {each}");
        }
    }
}
