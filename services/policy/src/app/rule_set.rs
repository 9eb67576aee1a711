//! The use cases of rule sets: propose, approve, withdraw, look at, list, try on what was asked.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ::store::Store;
use server::{
    Deadline,
    runtime::Clock,
    signed::{NotSigned, Signers},
};
use time::{Date, OffsetDateTime};

use super::{Signed, admission::Admissions};
use crate::{
    Error,
    domain::{
        basis::start_of,
        decision::Profile,
        flips::Flips,
        rule_set::{
            Content, Found, Move, Obstacle, RuleSet, Signature, State, Step, Word, obstacles,
            shipped, still_named,
        },
    },
    store::{
        self,
        moves::Kept,
        questions,
        rule_set::{self as sets, Asked, Before, Entry},
    },
};

/// Questions that are read, and decided, at a time.
const TOGETHER: u16 = 500;

/// Rule sets.
pub(crate) struct RuleSets {
    pub(crate) admissions: Arc<Admissions>,
    /// Whose signatures count.
    pub(crate) signers: Signers,
    /// Trials take their turn.
    pub(crate) trying: tokio::sync::Mutex<()>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// The set, its exact bytes, and the author's signature.
    Propose(Box<Content>, Vec<u8>, Signed),
    Approve(u64, Signed),
    Withdraw(u64, String),
}

/// Why a move is not made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such set.
    Unknown,
    /// All of this is in the way.
    NotPossible(Vec<Found>),
}

/// A set as it stands.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) set: RuleSet,
    pub(crate) state: State,
}

/// A call that makes a move: by whom, with which bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) request_id: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) by: String,
    pub(crate) wanted: Wanted,
}

/// Which set is tried.
#[derive(Clone, Debug)]
pub(crate) enum Tried {
    Number(u64),
    Draft(Box<Content>),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) in_force: u64,
    /// Days on which something of either set begins or ends.
    pub(crate) changes: BTreeSet<Date>,
    /// The first and the last on which something was asked.
    pub(crate) days: Option<(Date, Date)>,
    pub(crate) flips: Flips,
}

impl RuleSets {
    fn store(&self, deadline: Deadline) -> Store {
        self.admissions.app.store.until(deadline.at())
    }

    /// Makes a move, or gives what was made under its request id before.
    pub(crate) async fn advance(
        self: &Arc<Self>,
        deadline: Deadline,
        request: Request,
    ) -> Result<Result<Entry, Refused>, Error> {
        let store = self.store(deadline);
        if let Some(entry) = sets::by_request(&store, &request.request_id).await? {
            return Ok(Ok(entry));
        }
        let (number, step, content, found, profile) = match request.wanted {
            Wanted::Propose(content, bytes, signed) => {
                let digest = hex::encode(tlog::digest(&bytes));
                let found = self.verify(&request.by, &signed, Word::Propose, &digest);
                let Content { follows, document, reason, .. } = (*content).clone();
                let signed = signature(&signed);
                let step = Step::Propose {
                    follows,
                    document,
                    reason,
                    digest: digest.clone(),
                    signed: signed.clone(),
                };
                // As it will be checked whenever it is read.
                let made = self.made_by(&request.by, step.clone());
                let in_force = &self.admissions.app.in_force;
                let counts = in_force.signer(&made, &signed, Word::Propose, &digest).is_some();
                let not_trusted = || Some((Obstacle::NotTrusted, String::new()));
                let found = found.or_else(|| if counts { None } else { not_trusted() });
                (None, step, bytes, found, Some(self.profile(*content).await))
            }
            Wanted::Approve(number, signed) => {
                let Some((set, bytes)) = sets::one(&store, number).await? else {
                    return Ok(Err(Refused::Unknown));
                };
                let found = self.verify(&request.by, &signed, Word::Approve, &set.digest);
                let step = Step::Approve { signed: signature(&signed) };
                let made = self.made_by(&request.by, step.clone());
                let moves = sets::moves(&store, number).await?;
                let moves: Vec<&Move> = moves.iter().map(|one| &one.made).chain([&made]).collect();
                // As it will be read once it is in force: what could not be read then is not put in force.
                let profile = self.admissions.app.in_force.checked(&set, &bytes, &moves).await;
                (Some(number), step, Vec::new(), found, Some(profile))
            }
            Wanted::Withdraw(number, reason) => {
                if sets::one(&store, number).await?.is_none() {
                    return Ok(Err(Refused::Unknown));
                }
                (Some(number), Step::Withdraw { reason }, Vec::new(), None, None)
            }
        };
        let asked = Asked {
            number,
            request_id: request.request_id,
            digest: tlog::digest(&request.bytes),
            request: request.bytes,
            content,
            made: self.made_by(&request.by, step),
        };
        let moved = sets::advance(&store, asked, move |asked, before| {
            judge(asked, before, found, profile.as_ref())
        });
        let moved = moved.await;
        // Also where it is not known whether it was made.
        self.admissions.app.looks.at_once();
        Ok(moved?.map_err(Refused::NotPossible))
    }

    fn made_by(&self, by: &str, step: Step) -> Move {
        Move { by: by.to_owned(), at_us: self.admissions.now_us(), step }
    }

    /// What decides by a set. It takes as long as a few decisions do, so it is done beside them.
    async fn profile(&self, content: Content) -> Result<Profile, Error> {
        let legal_profile = self.admissions.app.in_force.legal_profile();
        let read = tokio::task::spawn_blocking(move || content.profile(legal_profile)).await;
        read.map_err(|_| Error::data("rule set", "it could not be read"))?
    }

    /// What is wrong with a signature, if something is.
    fn verify(&self, by: &str, signed: &Signed, word: Word, digest: &str) -> Option<Found> {
        let Signed { certificates, algorithm, signature } = signed;
        let message = word.signed_bytes(digest);
        let obstacle = match self.signers.verify(certificates, *algorithm, &message, signature) {
            Ok(signer) if signer.id() == by => return None,
            Ok(_) => Obstacle::OtherSigner,
            Err(NotSigned::NotTrusted) => Obstacle::NotTrusted,
            Err(NotSigned::NotVerified) => Obstacle::SignatureInvalid,
        };
        Some((obstacle, String::new()))
    }

    /// The set as a move made it.
    pub(crate) async fn made(&self, deadline: Deadline, entry: &Entry) -> Result<View, Error> {
        let moves = sets::moves(&self.store(deadline), entry.number).await?;
        let until = moves.iter().take_while(|one| one.version <= entry.version);
        let set = until.fold(None, |set, one| RuleSet::after(set, entry.number, &one.made));
        let set = set.ok_or(Error::Stored("a rule set that nobody proposed"))?;
        // At the moment of its own move: what is approved is in force, what is proposed follows what is.
        let in_force = match entry.made.step {
            Step::Approve { .. } => set.number,
            Step::Propose { .. } | Step::Withdraw { .. } => set.follows,
        };
        Ok(View { state: set.state(in_force), set })
    }

    /// Keeps what a move is answered; the first answer stands.
    pub(crate) async fn keep(&self, entry: &Entry, kept: Kept) -> Result<Kept, Error> {
        sets::keep(&self.admissions.app.store, entry.number, entry.version, kept).await
    }

    /// A set with its bytes and moves, if there is one: of a number, or the one in force.
    pub(crate) async fn get(
        &self,
        deadline: Deadline,
        number: Option<u64>,
    ) -> Result<Option<(View, Vec<u8>, Vec<Entry>)>, Error> {
        let store = self.store(deadline);
        let in_force = sets::in_force(&store).await?.number;
        let number = number.unwrap_or(in_force);
        if number == 0 {
            let (set, bytes) = comes_with_the_program()?;
            return Ok(Some((View { state: set.state(in_force), set }, bytes, Vec::new())));
        }
        let Some((set, bytes)) = sets::one(&store, number).await? else { return Ok(None) };
        let moves = sets::moves(&store, number).await?;
        Ok(Some((View { state: set.state(in_force), set }, bytes, moves)))
    }

    /// Sets before a number, the newest first, and whether there are more.
    pub(crate) async fn list(
        &self,
        deadline: Deadline,
        before: u64,
        most: u16,
    ) -> Result<(Vec<View>, bool), Error> {
        let store = self.store(deadline);
        let in_force = sets::in_force(&store).await?.number;
        let mut found = sets::list(&store, before, most.saturating_add(1)).await?;
        if before > 0 {
            found.push(comes_with_the_program()?.0);
        }
        let more = found.len() > usize::from(most);
        found.truncate(most.into());
        let view = |set: RuleSet| View { state: set.state(in_force), set };
        Ok((found.into_iter().map(view).collect(), more))
    }

    /// Decides what was asked under another set, beside the one in force, as of a day.
    pub(crate) async fn simulate(
        &self,
        deadline: Deadline,
        tried: Tried,
        day: Option<Date>,
    ) -> Result<Result<Outcome, Refused>, Error> {
        let app = &self.admissions.app;
        let store = self.store(deadline);
        let content = match tried {
            Tried::Draft(content) => *content,
            Tried::Number(0) => Content::shipped(),
            Tried::Number(number) => match sets::one(&store, number).await? {
                None => return Ok(Err(Refused::Unknown)),
                Some((_, bytes)) => {
                    Content::parse(&bytes).map_err(|_| Error::Stored("a rule set"))?
                }
            },
        };
        let then = match self.profile(content).await {
            Ok(profile) => Arc::new(profile),
            Err(error) => return Ok(Err(Refused::NotPossible(vec![not_valid(&error)]))),
        };
        // Each is as much work as many decisions, so one is done at a time.
        let _turn = self.trying.lock().await;
        let today = self.admissions.today();
        app.questions.store(&app.store, today).await?;
        let (ruling, now) = app.in_force.now(&store).await?;
        let day = day.filter(|day| *day != today);
        let at = day.map_or_else(|| app.clock.now(), start_of);
        let changes = now.changes(today).union(&then.changes(today)).copied().collect();
        let mut outcome =
            Outcome { in_force: ruling.number, changes, days: None, flips: Flips::default() };
        self.replay(&store, (&now, &then), at, &mut outcome).await?;
        Ok(Ok(outcome))
    }

    async fn replay(
        &self,
        store: &Store,
        (now, then): (&Arc<Profile>, &Arc<Profile>),
        at: OffsetDateTime,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let (mut after, mut known) = (String::new(), HashMap::new());
        loop {
            let page = questions::page(store, &after, TOGETHER).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let mut asked = Vec::with_capacity(page.len());
            for question in page {
                // Of another version of the program, which this one cannot decide.
                let Some(what) = question.asked else { continue };
                let request = what.request();
                let named = (what.agency.clone(), what.system.clone(), what.act);
                let named = (named, what.procedure.clone(), what.legal_basis.clone());
                let standing = match known.get(&named) {
                    Some(standing) => Arc::clone(standing),
                    None => {
                        let read = Arc::new(store::standing(store, &request).await?);
                        known.insert(named, Arc::clone(&read));
                        read
                    }
                };
                let days = outcome.days.unwrap_or((question.first_day, question.last_day));
                outcome.days =
                    Some((days.0.min(question.first_day), days.1.max(question.last_day)));
                asked.push((what, question.times, standing));
            }
            let (now, then) = (Arc::clone(now), Arc::clone(then));
            let mut flips = std::mem::take(&mut outcome.flips);
            let decided = tokio::task::spawn_blocking(move || {
                for (what, times, standing) in &asked {
                    flips.add((&now, &then), what, *times, standing, at);
                }
                flips
            });
            outcome.flips =
                decided.await.map_err(|_| Error::Stored("questions that end the program"))?;
        }
    }

    /// Moves that nobody is answered any more and that are not recorded yet.
    pub(crate) async fn unrecorded(&self, older_us: i64) -> Result<Vec<Entry>, Error> {
        let until = self.admissions.now_us().saturating_sub(older_us);
        sets::unrecorded(&self.admissions.app.store, until).await
    }
}

/// The set that comes with the program, and its bytes.
fn comes_with_the_program() -> Result<(RuleSet, Vec<u8>), Error> {
    let bytes = serde_json::to_vec(&Content::shipped());
    let bytes = bytes.map_err(|error| Error::data("rule set", error))?;
    Ok((shipped(hex::encode(tlog::digest(&bytes))), bytes))
}

/// Why a set cannot decide, as whoever wrote it reads it.
fn not_valid(error: &Error) -> Found {
    const WORDS_MAX: usize = 1_000;
    (Obstacle::NotValid, error.to_string().chars().take(WORDS_MAX).collect())
}

fn judge(
    asked: &Asked,
    before: &Before,
    found: Option<Found>,
    profile: Option<&Result<Profile, Error>>,
) -> Vec<Found> {
    let mut all = obstacles(before.set.as_ref(), &asked.made, before.in_force);
    all.extend(found);
    match profile {
        None => {}
        Some(Ok(profile)) => all.extend(still_named(profile, &before.named)),
        // What else is in the way says more of why it could not be read.
        Some(Err(error)) if all.is_empty() => all.push(not_valid(error)),
        Some(Err(_)) => {}
    }
    all
}

fn signature(signed: &Signed) -> Signature {
    Signature {
        certificates: signed.certificates.iter().map(hex::encode).collect(),
        algorithm: signed.algorithm.name().to_owned(),
        signature: hex::encode(&signed.signature),
        taken_us: Clock::system().now_us(),
    }
}
