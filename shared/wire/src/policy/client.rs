//! Asking the policy service, and following its revisions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use contract::{
    policy::v1::{
        Action, DecideRequest, GetConnectionRequest, WatchRevisionsRequest, WatchRevisionsResponse,
        policy_service_client::PolicyServiceClient,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::signed::DecisionVerifier;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use server::{
    Caller, Channel, Deadline,
    error::refuse,
    runtime::{Clock, Entropy},
};
use tokio::{sync::watch, time::Instant};
use tonic::{Code, Status};

use super::{
    Act, Decision, NoDecision, answers,
    kept::{Asked, Before, FRESH, Judged, Kept, Message, NotHeard, Now},
    lease::Volumes,
    metrics::{by, metrics},
    signed::{DECIDE, GET_CONNECTION, Signed, is_current},
};

/// Nobody waits longer for policy than this: it reads a few rows.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often a decision is asked for that another revision overtakes each time.
const ASKED_MAX: usize = 4;
/// A stream that says nothing for so long is given up for another one, perhaps to another process.
const SILENT_MAX: Duration = Duration::from_secs(2);
/// Why a stream ends on which an older revision is told than before.
const OLDER: &str = "older";
/// Between two attempts to open a stream.
const AGAIN: Duration = Duration::from_millis(100);

type Outcome = Result<Arc<Decision>, NoDecision>;
/// A question that is on its way. It is asked for as long as somebody waits for it.
type Question = Shared<BoxFuture<'static, Outcome>>;
/// The same, and since when.
type Begun = (Instant, WeakShared<BoxFuture<'static, Outcome>>);
/// Whose it is, and what it is.
type Asking = (String, Asked);

/// The way to the policy service. Clones share what is kept.
#[derive(Clone)]
pub struct PolicyClient(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) policy: PolicyServiceClient<Channel>,
    /// The same way, for what it signs.
    signed: Signed,
    clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) volumes: Volumes,
    kept: Mutex<Kept>,
    /// Questions on their way, and since when.
    asking: Mutex<HashMap<Asking, Begun>>,
    /// The revision that was told last; none while no stream is open.
    told: watch::Sender<Option<u64>>,
}

impl PolicyClient {
    /// A client on a channel to the policy service, whose decisions one of these keys has to have signed. It keeps nothing until
    /// [`PolicyClient::follow`] runs.
    #[must_use]
    pub fn new(channel: Channel, keys: DecisionVerifier, clock: Clock, entropy: Entropy) -> Self {
        Self(Arc::new(Inner {
            policy: PolicyServiceClient::new(channel.clone()),
            signed: Signed { channel, keys },
            clock,
            entropy,
            volumes: Volumes::default(),
            kept: Mutex::default(),
            asking: Mutex::default(),
            told: watch::Sender::new(None),
        }))
    }

    /// What `caller` may do with `items` on a ground: what is kept of it, or what policy says now.
    ///
    /// # Errors
    /// [`NoDecision`]; the caller of this function must then give nothing.
    pub async fn decide(
        &self,
        deadline: Deadline,
        caller: &Caller,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
    ) -> Outcome {
        let now = self.0.now();
        if let Some(found) = self.0.kept().find(caller.id(), caller.key(), act, basis, items, now) {
            metrics().needed.add(1, &by("kept"));
            return Ok(found);
        }
        let question = match self.0.ask(caller, act, basis, items, now) {
            Ok(question) => question,
            Err(found) => return Ok(found),
        };
        let answered = tokio::time::timeout_at(deadline.at(), question).await;
        answered.unwrap_or_else(|_| Err(refuse(ErrorReason::DeadlineExceeded).into()))
    }

    /// Which connection `caller` has, for what it may do with whatever it itself brought. It is asked for each time.
    ///
    /// # Errors
    /// [`NoDecision`]; the caller of this function must then give nothing.
    pub async fn connection(
        &self,
        deadline: Deadline,
        caller: &Caller,
    ) -> Result<Decision, NoDecision> {
        for _ in 0..ASKED_MAX {
            let caller = caller.id().to_owned();
            let request = GetConnectionRequest { caller, checks_signatures: true };
            let before = self.0.before();
            let asked = self.0.signed.ask(GET_CONNECTION, deadline.request(&request));
            let Ok(found) = tokio::time::timeout_at(deadline.at(), asked).await else {
                return Err(refuse(ErrorReason::DeadlineExceeded).into());
            };
            let found = answers::connection(found?).ok_or(NoDecision::Malformed)?;
            if !is_current(found.valid_until, self.0.clock.now()) {
                return Err(NoDecision::Past);
            }
            let judged = self.0.kept().judge(before, found.number, Instant::now());
            if is_good(judged)? {
                return Ok(found);
            }
        }
        Err(NoDecision::Overtaken)
    }

    /// The revision that was told last, as it changes; none while policy says nothing because no stream to it is open.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Option<u64>> {
        self.0.told.subscribe()
    }

    /// Uses nothing that is kept until policy says something again.
    pub fn lose(&self) {
        self.0.kept().lose();
        self.0.told.send_if_modified(|told| told.take().is_some());
    }

    /// Follows the revisions of policy, for as long as the service runs: only meanwhile is anything that is kept used.
    pub async fn follow(self) {
        loop {
            let ended = self.0.listen().await;
            self.lose();
            metrics().ended.add(1, &by(ended));
            // Whoever was set back is not asked again at once.
            tokio::time::sleep(if ended == OLDER { SILENT_MAX } else { AGAIN }).await;
        }
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Now {
        Now { at: Instant::now(), clock: self.clock.now() }
    }

    /// What is known before something is asked for.
    fn before(&self) -> Before {
        let now = self.now();
        self.kept().before(now)
    }

    /// The question on its way, or a new one: many calls that need one decision ask for it once. One that is on its way for
    /// longer than kept decisions are used is not joined, or a suspension might be missed. Where it was answered just now, the
    /// decision.
    fn ask(
        self: &Arc<Self>,
        caller: &Caller,
        act: Act,
        basis: &AccessBasis,
        items: &[String],
        now: Now,
    ) -> Result<Question, Arc<Decision>> {
        let (id, key) = (caller.id(), caller.key());
        let asking = (id.to_owned(), Asked::new(key, act, basis, items));
        let mut all = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = all.get(&asking).filter(|(since, _)| now.at < *since + FRESH);
        if let Some(question) = joined.and_then(|(_, question)| question.upgrade())
            && question.peek().is_none()
        {
            metrics().needed.add(1, &by("joined"));
            return Ok(question);
        }
        if let Some(found) = self.kept().find(id, key, act, basis, items, now) {
            metrics().needed.add(1, &by("joined"));
            return Err(found);
        }
        metrics().needed.add(1, &by("asked"));
        // Those that nobody waits for any more are forgotten.
        all.retain(|_, (_, question)| question.upgrade().is_some());
        let request = request(caller, act, basis, items);
        let inner = Arc::clone(self);
        let question = inner.asked(asking.clone(), request).boxed().shared();
        if let Some(weak) = question.downgrade() {
            all.insert(asking, (now.at, weak));
        }
        Ok(question)
    }

    /// Asks until an answer is not overtaken by another revision, and keeps it.
    async fn asked(self: Arc<Self>, (caller, asked): Asking, request: DecideRequest) -> Outcome {
        for _ in 0..ASKED_MAX {
            let before = self.before();
            let deadline = Deadline::after(ANSWER_MAX);
            let question = deadline.request(&request);
            let response = self.signed.ask(DECIDE, question);
            let Ok(response) = tokio::time::timeout_at(deadline.at(), response).await else {
                return Err(NoDecision::Slow);
            };
            let response = response.map_err(|error| {
                let late = matches!(&error, NoDecision::Away(status) if deadline.ended(status));
                if late { NoDecision::Slow } else { error }
            })?;
            let decision = answers::decision(response, &request.items);
            let decision = Arc::new(decision.ok_or(NoDecision::Malformed)?);
            if decision.verdict.is_ok() && !is_current(decision.valid_until, self.clock.now()) {
                return Err(NoDecision::Past);
            }
            let now = Instant::now();
            let judged = self.kept().take_in(&caller, asked.clone(), &decision, before, now);
            if is_good(judged)? {
                return Ok(decision);
            }
        }
        Err(NoDecision::Overtaken)
    }

    /// Opens a stream and takes in what policy says on it. Gives why it ended.
    async fn listen(&self) -> &'static str {
        let (after, after_digest) = self.kept().told();
        let request = WatchRevisionsRequest { after, after_digest };
        let (mut policy, asked_for) = (self.policy.clone(), Instant::now());
        let opened = tokio::time::timeout(SILENT_MAX, policy.watch_revisions(request)).await;
        let mut messages = match opened {
            Ok(Ok(opened)) => opened.into_inner(),
            Ok(Err(status)) => return ended(&status),
            Err(_) => return "silent",
        };
        let (mut heard, mut first) = (asked_for, true);
        loop {
            let said = match tokio::time::timeout(SILENT_MAX, messages.message()).await {
                Ok(Ok(Some(said))) => said,
                Ok(Ok(None)) => return "ended",
                Ok(Err(status)) => return ended(&status),
                Err(_) => {
                    tracing::warn!("the policy service says nothing of its revisions");
                    return "silent";
                }
            };
            let now = Instant::now();
            metrics().silence.record(now.saturating_duration_since(heard).as_secs_f64(), &[]);
            heard = now;
            let number = said.number;
            let taken = self.kept().hear(asked_for, message(said), first, now);
            match taken {
                Ok(()) => first = false,
                Err(NotHeard::Ahead) => return "ahead",
                Err(NotHeard::Older) => {
                    metrics().older.add(1, &by("stream"));
                    tracing::error!(
                        number,
                        "policy tells of an older revision than before: was its database set back?"
                    );
                    return OLDER;
                }
            }
            self.told.send_if_modified(|told| told.replace(number) != Some(number));
        }
    }
}

/// Whether an answer may be used; otherwise it is asked for again.
fn is_good(judged: Judged) -> Result<bool, NoDecision> {
    match judged {
        Judged::Good => Ok(true),
        Judged::Overtaken => Ok(false),
        Judged::Older => {
            metrics().older.add(1, &by("answer"));
            Err(NoDecision::Older)
        }
    }
}

/// Why a stream was not opened, or ended. A server that stops, or a stream or connection that has its age, is no news.
fn ended(status: &Status) -> &'static str {
    tracing::debug!(code = ?status.code(), "the stream of revisions ended");
    let code = status.code();
    if code == Code::DeadlineExceeded {
        "age"
    } else if code == Code::Unavailable {
        "away"
    } else {
        "error"
    }
}

fn message(said: WatchRevisionsResponse) -> Message {
    Message {
        number: said.number,
        digest: said.digest,
        policy_revision: said.policy_revision,
        connections: said.connections,
        everything: said.everything,
        other_history: said.other_history,
        looked: Duration::from_millis(said.looked_milliseconds),
    }
}

fn request(caller: &Caller, act: Act, basis: &AccessBasis, items: &[String]) -> DecideRequest {
    let (action, event) = match act {
        Act::Obtain => (Action::Obtain, ""),
        Act::Contribute(event) => (Action::Contribute, event),
        Act::Follow => (Action::Follow, ""),
        Act::Explain => (Action::Explain, ""),
        Act::Resolve => (Action::Resolve, ""),
        Act::Search => (Action::Search, ""),
        Act::Relations => (Action::Relations, ""),
        Act::InverseRelations => (Action::InverseRelations, ""),
        Act::Household => (Action::Household, ""),
        Act::RotateTokens => (Action::RotateTokens, ""),
        Act::RecordConsents => (Action::RecordConsents, ""),
        Act::Accesses => (Action::Accesses, ""),
    };
    DecideRequest {
        caller: caller.id().to_owned(),
        caller_key: caller.key().map(Vec::from).unwrap_or_default(),
        action: action.into(),
        // A consent is the person's, and changes no decision: whether there is one is a fact of the table.
        basis: Some(AccessBasis { consent_reference: String::new(), ..basis.clone() }),
        items: items.to_vec(),
        event: event.to_owned(),
        // Whoever uses this client takes of a volume whom it tells of (`PolicyClient::take`).
        counts_volumes: true,
        // And what it is told to be signed it refuses where it is not (`Decision::demands_of`).
        checks_signatures: true,
    }
}
