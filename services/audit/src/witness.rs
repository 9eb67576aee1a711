//! Witnesses: others who say of each checkpoint that it extends all those of this log that they have seen (C2SP `tlog-witness`), so
//! that the log can show nobody another one. Nothing that is recorded waits for them; what is shown does.
//!
//! In rounds the newest checkpoint is chosen, and each witness is sent it by a task of its own: one request at a time, then whatever is
//! newest. A round ends when enough have cosigned its checkpoint, so that they come to agree on one however fast the log grows.

mod feeder;
mod post;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::store::Store;
use http::Uri;
use server::runtime::{Clock, Entropy};
use tlog::policy::{Policy, Witness};
use tokio::{
    sync::{Mutex, watch},
    task::{AbortHandle, JoinSet},
};

pub(crate) use self::post::Post;
#[cfg(test)]
pub(crate) use self::post::Unanswered;
use crate::{
    Config, Error,
    log::Keys,
    metrics::metrics,
    read,
    store::{Checkpoint, cosigned},
};

/// Set when a witness has seen another log than this one. Nothing takes it back: that is for a person, and a new start.
#[derive(Clone, Default)]
pub(crate) struct Halt(Arc<AtomicBool>);

impl Halt {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
        metrics().conflict.record(1, &[]);
    }
}

/// How long what takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two rounds.
    pub(crate) interval: Duration,
    /// How long an answer is waited for.
    pub(crate) answer_max: Duration,
    /// How long a round waits for those who must agree.
    pub(crate) round_max: Duration,
    /// How long a witness that failed is left alone: the first time, and at most.
    pub(crate) back_off: Duration,
    pub(crate) back_off_max: Duration,
}

impl Pace {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            interval: Duration::from_millis(config.witness_interval_ms),
            answer_max: Duration::from_secs(10),
            round_max: Duration::from_secs(15),
            back_off: Duration::from_secs(1),
            back_off_max: Duration::from_secs(60),
        }
    }

    /// How long a witness is left alone that failed so many times before, one after the other: twice as long each time, of which half
    /// is left to chance, so that they are not all asked at once.
    fn back_off(&self, failures: u32, chance: u8) -> Duration {
        let longest = self.back_off.saturating_mul(1 << failures.min(16)).min(self.back_off_max);
        longest / 2 + longest * u32::from(chance) / (2 * u32::from(u8::MAX))
    }
}

/// The witnesses of a policy, and where they are.
pub(crate) struct Witnesses {
    pub(crate) policy: Arc<Policy>,
    places: Vec<(Witness, Uri)>,
    post: Post,
}

impl Witnesses {
    /// What the configuration says; none where it names no policy.
    pub(crate) fn read(config: &Config, vkey: &str, pace: &Pace) -> Result<Option<Self>, Error> {
        let path = &config.witness_policy_file;
        if path.is_empty() {
            return Ok(None);
        }
        let text = std::fs::read(path)
            .map_err(|source| Error::WitnessPolicy { path: path.clone(), source })?;
        let policy = Policy::parse(&text)
            .map_err(|source| Error::MalformedWitnessPolicy { path: path.clone(), source })?;
        if !policy.names_log(vkey) {
            return Err(Error::PolicyOfOthers { path: path.clone() });
        }
        let places: Result<Vec<_>, Error> = policy.witnesses().iter().map(place).collect();
        let places = places?;
        let roots = &config.witness_roots_file;
        if let Some((witness, _)) = places.iter().find(|(_, to)| is_https(to))
            && roots.is_empty()
        {
            return Err(Error::NoWitnessRoots(witness.name.clone()));
        }
        let post = Post::new(roots, pace.answer_max).map_err(Error::WitnessRoots)?;
        Ok(Some(Self { policy: Arc::new(policy), places, post }))
    }

    /// Sends them what the log signs, until the handle is aborted.
    pub(crate) fn start(self, log: Fed, pace: Pace) -> AbortHandle {
        let Self { policy, places, post } = self;
        metrics().conflict.record(0, &[]);
        let (agreed, _) = watch::channel(0);
        let shared = Arc::new(Shared { log, policy, pace, agreed, showing: Mutex::default() });
        let (targets, target) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for (witness, to) in places {
            let feeder = feeder::Feeder::new(Arc::clone(&shared), witness, to, post.clone());
            tasks.spawn(feeder.run(target.clone()));
        }
        // Where one task ends, all do.
        tokio::spawn(async move {
            rounds(&shared, &targets).await;
            drop(tasks);
        })
        .abort_handle()
    }
}

/// The log that is sent.
pub(crate) struct Fed {
    pub(crate) store: Store,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) halt: Halt,
}

/// What all tasks share.
struct Shared {
    log: Fed,
    policy: Arc<Policy>,
    pace: Pace,
    /// The size that enough witnesses have agreed on.
    agreed: watch::Sender<u64>,
    /// One puts a checkpoint together at a time, so that none with fewer lines comes after one with more.
    showing: Mutex<()>,
}

/// Chooses the newest checkpoint, and waits until enough have cosigned it, or could have. An empty log needs no witness.
async fn rounds(shared: &Shared, targets: &watch::Sender<Option<Arc<Checkpoint>>>) {
    let mut agreed = shared.agreed.subscribe();
    loop {
        match read::newest(&shared.log.store, &shared.log.keys).await {
            Ok(newest) if newest.size > 0 => {
                let size = newest.size;
                let is_new = targets.send_if_modified(|target| {
                    let is_new = target.as_deref() != Some(&newest);
                    if is_new {
                        *target = Some(Arc::new(newest));
                    }
                    is_new
                });
                if is_new {
                    let enough = agreed.wait_for(|agreed| *agreed >= size);
                    // Whoever does not answer is not waited for.
                    let _agreed_or_not = tokio::time::timeout(shared.pace.round_max, enough).await;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(kind = error.kind(), "nothing to send to witnesses"),
        }
        tokio::time::sleep(shared.pace.interval).await;
    }
}

impl Shared {
    /// Keeps what a witness said, and the checkpoint with all that was said of it, if that is enough.
    async fn keep(
        &self,
        witness: &Witness,
        checkpoint: &Checkpoint,
        line: &str,
    ) -> Result<(), Error> {
        let (store, now) = (&self.log.store, self.log.clock.now_ms());
        let size = checkpoint.size;
        cosigned::keep(store, witness.key.verifier_key(), size, line, now).await?;
        // Read after that is durable: of those who cosign at the same time, the last one finds all of it.
        let _one = self.showing.lock().await;
        let lines = cosigned::lines(store, size).await?;
        let note = with_lines(&checkpoint.note, &lines, &self.policy);
        if self.policy.verify(&note).is_ok() {
            cosigned::show(store, size, &note, now).await?;
            metrics().shown.record(size, &[]);
            self.agreed.send_if_modified(|agreed| {
                let is_more = *agreed < size;
                *agreed = size.max(*agreed);
                is_more
            });
        }
        Ok(())
    }
}

/// A checkpoint with what the policy's witnesses said of it, in the policy's order. What they said of another of the same size, before
/// the log was restored, would spoil the note.
fn with_lines(note: &str, lines: &[(String, String)], policy: &Policy) -> String {
    let mut whole = note.to_owned();
    for witness in policy.witnesses() {
        let key = witness.key.verifier_key();
        let said = lines.iter().find(|(of, _)| of == key);
        whole.extend(said.map(|(_, line)| line.as_str()).filter(|line| says(witness, note, line)));
    }
    whole
}

/// Whether a line is a witness' of this checkpoint.
fn says(witness: &Witness, note: &str, line: &str) -> bool {
    witness.key.verify(&format!("{note}{line}")).is_ok()
}

/// Where a witness takes checkpoints: C2SP `tlog-witness` calls what the policy names the submission prefix.
fn place(witness: &Witness) -> Result<(Witness, Uri), Error> {
    let name = || witness.name.clone();
    let prefix = witness.url.as_deref().ok_or_else(|| Error::WitnessWithoutUrl(name()))?;
    let unusable = || Error::WitnessUrl { name: name(), url: prefix.to_owned() };
    let path = format!("{}/add-checkpoint", prefix.trim_end_matches('/'));
    let to = path.parse::<Uri>().ok().filter(|to| {
        let is_plain = !prefix.contains(['?', '#']);
        let is_http = to.scheme_str() == Some("http") || is_https(to);
        is_plain && is_http && to.host().is_some_and(|host| !host.is_empty())
    });
    Ok((witness.clone(), to.ok_or_else(unusable)?))
}

fn is_https(to: &Uri) -> bool {
    to.scheme_str() == Some("https")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use tlog::{Cosigner, LogSigner};

    use super::*;

    #[test]
    fn a_witness_that_fails_is_left_alone_longer_each_time() {
        let ms = Duration::from_millis;
        let pace = Pace {
            interval: ms(1),
            answer_max: ms(1),
            round_max: ms(1),
            back_off: ms(1_000),
            back_off_max: ms(60_000),
        };
        for (failures, longest) in [(0, 1_000), (1, 2_000), (5, 32_000), (6, 60_000), (999, 60_000)]
        {
            assert_eq!(pace.back_off(failures, 0), ms(longest / 2));
            assert_eq!(pace.back_off(failures, u8::MAX), ms(longest));
            let between = pace.back_off(failures, 100);
            assert!(between > ms(longest / 2) && between < ms(longest));
        }
    }

    #[test]
    fn a_checkpoint_is_given_the_lines_that_are_of_it_and_no_others() {
        let log = LogSigner::from_seed("log.test/1", [7; 32]).unwrap();
        let note = |size| log.sign(size, &[1; 32]).unwrap();
        let body = |note: &str| note.split_inclusive('\n').take(3).collect::<String>();
        let witness =
            |number| Cosigner::from_seed(&format!("w{number}.test"), [number; 32]).unwrap();
        let key = |number| witness(number).verifier_key().to_owned();
        let policy = format!(
            "log {}\nwitness a {}\nwitness b {}\nwitness c {}\ngroup g 2 a b c\nquorum g\n",
            log.verifier_key(),
            key(1),
            key(2),
            key(3)
        );
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let said =
            |number, size| (key(number), witness(number).cosign(&body(&note(size)), 5).unwrap());
        // In another order than the policy's, one that it does not name, and one of another size.
        let lines = [said(3, 5), said(9, 5), said(2, 6), said(1, 5)];
        let whole = with_lines(&note(5), &lines, &policy);
        assert_eq!(whole, format!("{}{}{}", note(5), lines[3].1, lines[0].1));
        assert_eq!(policy.verify(&whole).unwrap().size, 5);
        assert_eq!(with_lines(&note(5), &[], &policy), note(5));
    }

    #[test]
    fn a_witness_takes_checkpoints_below_its_prefix() {
        let key = Cosigner::from_seed("w.test", [1; 32]).unwrap();
        let key = tlog::CosignatureVerifier::new(key.verifier_key()).unwrap();
        for (url, at) in [
            ("https://w.test", "https://w.test/add-checkpoint"),
            ("https://w.test/", "https://w.test/add-checkpoint"),
            ("http://[::1]:8080/a/b", "http://[::1]:8080/a/b/add-checkpoint"),
        ] {
            let url = Some(url.to_owned());
            let witness = Witness { name: "w".to_owned(), key: key.clone(), url };
            assert_eq!(place(&witness).unwrap().1.to_string(), at);
        }
    }
}
