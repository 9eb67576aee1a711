//! What one witness is sent, and what its answers lead to.

use std::sync::Arc;

use http::Uri;
use tlog::{
    policy::Witness,
    witness::{AddCheckpoint, Answer},
};
use tokio::sync::watch;

use super::{
    Shared,
    post::{Post, Unanswered},
    says,
};
use crate::{
    Error,
    metrics::{answered, metrics, of},
    read,
    store::{Checkpoint, cosigned},
};

/// A witness says at most once what size it is at, and others may send to it meanwhile; who needs more is not understood.
const TRIES: usize = 5;
/// A proof does not hold (C2SP `tlog-witness`).
const UNPROCESSABLE: u16 = 422;

/// The task of one witness.
pub(super) struct Feeder {
    shared: Arc<Shared>,
    witness: Witness,
    to: Uri,
    post: Post,
    /// The largest size that this process knows it to have cosigned; none before it was asked.
    known: Option<u64>,
}

/// Why a checkpoint was not cosigned.
enum Failed {
    /// The witness has seen a log of so many records that this one, of `ours`, does not extend, or is not.
    Conflict { ours: u64, theirs: u64 },
    /// It may cosign another time.
    Other(&'static str, Option<u16>),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error.kind(), None)
    }
}

impl From<Unanswered> for Failed {
    fn from(why: Unanswered) -> Self {
        Self::Other(
            match why {
                Unanswered::Late => "late",
                Unanswered::Away => "away",
                Unanswered::Unreadable => "unreadable",
            },
            None,
        )
    }
}

impl Feeder {
    pub(super) fn new(shared: Arc<Shared>, witness: Witness, to: Uri, post: Post) -> Self {
        Self { shared, witness, to, post, known: None }
    }

    /// Sends what is chosen, one after the other; after a failure whatever is newest then. Ends with a conflict.
    pub(super) async fn run(mut self, mut targets: watch::Receiver<Option<Arc<Checkpoint>>>) {
        let (mut done, mut failures) = (None, 0);
        loop {
            let target = targets.borrow_and_update().clone();
            let Some(checkpoint) = target.as_deref().filter(|_| target != done) else {
                if targets.changed().await.is_err() {
                    return;
                }
                continue;
            };
            match self.bring(checkpoint.clone()).await {
                Ok(()) => (done, failures) = (target, 0),
                Err(Failed::Conflict { ours, theirs }) => return self.conflict(ours, theirs),
                Err(Failed::Other(why, status)) => {
                    let witness = &self.witness.name;
                    answered(witness, why);
                    tracing::warn!(%witness, why, status, failures, "a witness does not cosign");
                    let [chance] = self.shared.log.entropy.array::<1>();
                    tokio::time::sleep(self.shared.pace.back_off(failures, chance)).await;
                    failures += 1;
                }
            }
        }
    }

    /// Appends stop in this process, and in the next one as soon as it has asked.
    fn conflict(&self, ours: u64, theirs: u64) {
        let witness = &self.witness.name;
        self.shared.log.halt.set();
        answered(witness, "conflict");
        tracing::error!(
            %witness,
            ours,
            theirs,
            "a witness has seen another log than this one: it was set back, or forked; nothing is recorded any more"
        );
    }

    /// Has the witness cosign a checkpoint, or a newer one where others have sent it that.
    async fn bring(&mut self, target: Checkpoint) -> Result<(), Failed> {
        let last = cosigned::last(&self.shared.log.store, self.witness.key.verifier_key()).await?;
        if last.as_ref().is_some_and(|(size, line)| self.was_brought(&target, *size, line)) {
            self.known = Some(target.size);
            return Ok(());
        }
        let (mut sent, mut told) = (target, false);
        let last = last.map_or(0, |(size, _)| size);
        // What is larger than the log, or than what it was a moment ago, the witness says itself.
        let mut old = if last <= sent.size { last } else { 0 };
        for _ in 0..TRIES {
            match self.ask(&sent, old).await? {
                Answer::Cosigned(lines) => return self.keep(&sent, &lines).await,
                Answer::Behind(size) => (old, told) = (size, true),
                Answer::Conflict(size) => {
                    // Another process of this log may have grown it, and sent it. Then this database has that, too.
                    let newest =
                        read::newest(&self.shared.log.store, &self.shared.log.keys).await?;
                    if newest.size <= sent.size || newest.size < size {
                        return Err(Failed::Conflict { ours: newest.size, theirs: size });
                    }
                    (sent, old, told) = (newest, size, true);
                }
                // Of the size that it named itself it has cosigned another log: the proof was checked before it was sent.
                Answer::Refused(UNPROCESSABLE) if told => {
                    return Err(Failed::Conflict { ours: sent.size, theirs: old });
                }
                // It is asked where it is, as if nothing were known.
                Answer::Refused(UNPROCESSABLE) if old > 0 => old = 0,
                Answer::Refused(status) => return Err(Failed::Other("refused", Some(status))),
                Answer::Malformed => return Err(Failed::Other("malformed", None)),
            }
        }
        Err(Failed::Other("in circles", None))
    }

    /// Whether another process of this log has brought it: then the log has grown since this process last asked. Each process asks once
    /// for itself, and whenever the log is not larger than it was: what a database says that was set back, its witnesses do not.
    fn was_brought(&self, target: &Checkpoint, size: u64, line: &str) -> bool {
        size == target.size
            && self.known.is_some_and(|known| known < size)
            && says(&self.witness, &target.note, line)
    }

    async fn ask(&self, checkpoint: &Checkpoint, old_size: u64) -> Result<Answer, Failed> {
        let proof = read::extension(&self.shared.log.store, old_size, checkpoint).await?;
        let request = AddCheckpoint { old_size, proof, checkpoint: checkpoint.note.clone() };
        let text = request.to_text().map_err(Error::from)?;
        let reply = self.post.send(&self.to, text).await?;
        let kind = reply.content_type.as_deref();
        Ok(request.answer(reply.status, kind, &reply.body, &self.witness.key))
    }

    async fn keep(&mut self, checkpoint: &Checkpoint, lines: &str) -> Result<(), Failed> {
        // One is enough, and a note has room for so many.
        let line = lines.split_inclusive('\n').next().unwrap_or_default();
        self.known = Some(checkpoint.size);
        answered(&self.witness.name, "cosigned");
        metrics().cosigned.record(checkpoint.size, &[of(&self.witness.name)]);
        Ok(self.shared.keep(&self.witness, checkpoint, line).await?)
    }
}
