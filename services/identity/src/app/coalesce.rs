//! Natural batching: while one statement is on its way, whoever asks meanwhile is gathered, and the next
//! statement answers them all. No timer, so a lone question waits for nobody.

use std::{future::Future, sync::Arc};

use tokio::sync::{mpsc, oneshot};

/// Questions that wait beyond a batch before `ask` itself has to wait.
const WAITING_BATCHES: usize = 16;

/// What becomes of a question whose asker has gone away before it was taken up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// It is dropped: nobody needs the answer.
    Dropped,
    /// It counts all the same.
    Counted,
}

/// Answers many questions by one piece of work.
pub(super) struct Coalescer<Q, A> {
    sender: mpsc::Sender<(Q, oneshot::Sender<A>)>,
}

impl<Q: Send + Sync + 'static, A: Send + 'static> Coalescer<Q, A> {
    /// Starts it. `work` gives one answer for each question, in their order. It ends when this is dropped.
    pub(super) fn start<W, F>(batch_max: usize, gone: Gone, work: W) -> Self
    where
        W: Fn(Arc<[Q]>) -> F + Send + 'static,
        F: Future<Output = Vec<A>> + Send,
    {
        let (sender, mut receiver) =
            mpsc::channel::<(Q, oneshot::Sender<A>)>(batch_max * WAITING_BATCHES);
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(batch_max);
            while receiver.recv_many(&mut waiting, batch_max).await > 0 {
                waiting.retain(|(_, reply)| gone == Gone::Counted || !reply.is_closed());
                let (questions, replies): (Vec<Q>, Vec<_>) = waiting.drain(..).unzip();
                if questions.is_empty() {
                    continue;
                }
                for (reply, answer) in replies.into_iter().zip(work(questions.into()).await) {
                    // A caller that has gone away by now has no use for the answer.
                    let _gone = reply.send(answer);
                }
            }
        });
        Self { sender }
    }

    /// The answer to a question; none when the worker is gone.
    pub(super) async fn ask(&self, question: Q) -> Option<A> {
        let (reply, answer) = oneshot::channel();
        self.sender.send((question, reply)).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn what_gathers_while_one_batch_is_away_is_the_next_batch() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sizes);
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let opened = Arc::clone(&gate);
        let coalescer = Arc::new(Coalescer::start(8, Gone::Dropped, move |asked: Arc<[u32]>| {
            let (seen, gate) = (Arc::clone(&seen), Arc::clone(&opened));
            async move {
                seen.lock().unwrap().push(asked.len());
                gate.acquire().await.unwrap().forget();
                asked.iter().map(|q| q * 2).collect()
            }
        }));
        let ask = |q: u32| {
            let coalescer = Arc::clone(&coalescer);
            tokio::spawn(async move { coalescer.ask(q).await })
        };
        let first = ask(1);
        while sizes.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let rest: Vec<_> = (2..12).map(ask).collect();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(3);
        assert_eq!(first.await.unwrap(), Some(2));
        for (question, answer) in (2..12).zip(rest) {
            assert_eq!(answer.await.unwrap(), Some(question * 2));
        }
        assert_eq!(*sizes.lock().unwrap(), [1, 8, 2]);
    }

    #[tokio::test]
    async fn a_charge_counts_although_its_caller_is_gone() {
        for (gone, expect) in [(Gone::Counted, vec![1, 2]), (Gone::Dropped, vec![1])] {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let taken = Arc::clone(&seen);
            let gate = Arc::new(tokio::sync::Semaphore::new(0));
            let opened = Arc::clone(&gate);
            let coalescer = Arc::new(Coalescer::start(1, gone, move |asked: Arc<[u32]>| {
                let (taken, gate) = (Arc::clone(&taken), Arc::clone(&opened));
                async move {
                    taken.lock().unwrap().extend_from_slice(&asked);
                    gate.acquire().await.unwrap().forget();
                    asked.to_vec()
                }
            }));
            let ask = |q: u32| {
                let coalescer = Arc::clone(&coalescer);
                tokio::spawn(async move { coalescer.ask(q).await })
            };
            let first = ask(1);
            while seen.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            // The second waits behind the first, and its caller goes away.
            let second = ask(2);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            second.abort();
            assert!(second.await.unwrap_err().is_cancelled());
            gate.add_permits(2);
            assert_eq!(first.await.unwrap(), Some(1));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            assert_eq!(*seen.lock().unwrap(), expect);
        }
    }
}
