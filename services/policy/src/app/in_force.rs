//! The rule set that decides. Which one it is is read with everything that is decided about, so that a process decides by what another
//! put in force from the moment of the commit on; the set itself is read once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::store::Store;
use server::{
    caller::Kind,
    signed::{Algorithm, Signers},
};
use tokio::sync::{Mutex, watch};

use crate::{
    Error,
    domain::{
        catalogue::LegalProfile,
        decision::Profile,
        revision::Ruling,
        rule_set::{Content, Move, RuleSet, Signature, Stage, Step, Word},
    },
    store::rule_set as store,
};

/// For how long a set that cannot decide is not read again.
const AGAIN: Duration = Duration::from_secs(5);
/// For how long whoever read that a set is in force decides by it after another came: no call lasts longer.
const BEFORE: Duration = Duration::from_secs(60);
/// How long reading a set may take.
const READ_MAX: Duration = Duration::from_secs(30);

/// A set, ready to decide.
#[derive(Clone)]
struct Loaded {
    ruling: Ruling,
    profile: Arc<Profile>,
}

/// A set that cannot decide.
struct Failed {
    ruling: Ruling,
    at: Instant,
    why: String,
}

/// What is loaded.
#[derive(Default)]
struct Both {
    newest: Option<Loaded>,
    /// What was before it, and since when it is not.
    before: Option<(Loaded, Instant)>,
}

/// The set that decides.
pub(crate) struct InForce {
    legal_profile: LegalProfile,
    store: Store,
    /// The one that comes with the program.
    shipped: Arc<Profile>,
    loaded: watch::Sender<Both>,
    /// One set is read at a time; what failed last is not tried by every call anew.
    failed: Mutex<Option<Failed>>,
    /// Whose signatures count; nobody's where no authority is known.
    signers: Option<Signers>,
}

impl InForce {
    pub(crate) fn new(
        legal_profile: LegalProfile,
        shipped: Profile,
        store: Store,
        signers: Option<Signers>,
    ) -> Self {
        let (shipped, loaded) = (Arc::new(shipped), watch::Sender::new(Both::default()));
        Self { legal_profile, store, shipped, loaded, failed: Mutex::new(None), signers }
    }

    /// The newest that is known here, for whatever is about no stored moment.
    pub(crate) fn last(&self) -> Arc<Profile> {
        let loaded = self.loaded.borrow();
        let newest = loaded.newest.as_ref().map(|newest| Arc::clone(&newest.profile));
        newest.unwrap_or_else(|| Arc::clone(&self.shipped))
    }

    /// Under which law items are listed.
    pub(crate) fn legal_profile(&self) -> LegalProfile {
        self.legal_profile
    }

    /// The set that is in force now, and which one it is.
    pub(crate) async fn now(
        self: &Arc<Self>,
        store: &Store,
    ) -> Result<(Ruling, Arc<Profile>), Error> {
        let ruling = store::in_force(store).await?;
        let profile = self.of(&ruling).await?;
        Ok((ruling, profile))
    }

    /// The set that was read to be in force.
    ///
    /// # Errors
    /// [`Error::RuleSet`] where it cannot decide, is not signed by two officers, or another came in its place; then nothing is
    /// decided (I9).
    pub(crate) async fn of(self: &Arc<Self>, ruling: &Ruling) -> Result<Arc<Profile>, Error> {
        if let Some(profile) = self.known(ruling) {
            return Ok(profile);
        }
        // In a task of its own: what it found stays found when the caller that came first goes away.
        let (own, ruling) = (Arc::clone(self), ruling.clone());
        let loading = tokio::spawn(async move { own.load(&ruling).await });
        loading.await.map_err(|_| Error::Stored("a rule set that ends the program"))?
    }

    async fn load(&self, ruling: &Ruling) -> Result<Arc<Profile>, Error> {
        let mut failed = self.failed.lock().await;
        if let Some(profile) = self.known(ruling) {
            return Ok(profile);
        }
        let lately = failed.as_ref().filter(|one| one.ruling == *ruling);
        if let Some(Failed { why, .. }) = lately.filter(|one| one.at.elapsed() < AGAIN) {
            return Err(Error::RuleSet { number: ruling.number, why: why.clone() });
        }
        let store = self.store.until(tokio::time::Instant::now() + READ_MAX);
        let profile = match self.read(&store, ruling).await {
            Ok(profile) => profile,
            // Another came in force while it was read: whoever asked reads which one.
            Err(Error::RuleSet { .. }) if store::in_force(&store).await? != *ruling => {
                return Err(Error::Overtaken);
            }
            Err(error) => {
                if let Error::RuleSet { why, .. } = &error {
                    tracing::error!(%error, "nothing is decided");
                    let (ruling, why) = (ruling.clone(), why.clone());
                    *failed = Some(Failed { ruling, at: Instant::now(), why });
                }
                return Err(error);
            }
        };
        tracing::info!(rule_set = ruling.number, "decides from now on");
        let next = Loaded { ruling: ruling.clone(), profile: Arc::clone(&profile) };
        self.loaded.send_modify(|Both { newest, before }| {
            let replaced = newest.replace(next);
            *before = replaced.map(|replaced| (replaced, Instant::now()));
        });
        Ok(profile)
    }

    fn known(&self, ruling: &Ruling) -> Option<Arc<Profile>> {
        let loaded = self.loaded.borrow();
        let before = loaded.before.as_ref().filter(|(_, since)| since.elapsed() < BEFORE);
        let all = loaded.newest.iter().chain(before.map(|(before, _)| before));
        let mut found = all.filter(|one| one.ruling == *ruling);
        found.next().map(|one| Arc::clone(&one.profile))
    }

    /// Reads a set, and checks everything about it anew: what is stored may have been changed by hand.
    async fn read(&self, store: &Store, ruling: &Ruling) -> Result<Arc<Profile>, Error> {
        let Ruling { number, digest } = ruling;
        let refuse = |why: &str| Error::RuleSet { number: *number, why: why.to_owned() };
        let later = store::later(store, *number).await?;
        if later.iter().any(|set| matches!(set.stage, Stage::Approved { .. })) {
            return Err(refuse("another was approved in its place"));
        }
        if *number == 0 {
            let shipped = || Arc::clone(&self.shipped);
            return if digest.is_empty() { Ok(shipped()) } else { Err(refuse("it has no digest")) };
        }
        let (set, content) = store::one(store, *number).await?.ok_or(refuse("it is not there"))?;
        if set.digest != *digest {
            return Err(refuse("it is not the one that was put in force"));
        }
        let moves = store::moves(store, *number).await?;
        let moves: Vec<&Move> = moves.iter().map(|entry| &entry.made).collect();
        self.checked(&set, &content, &moves).await.map(Arc::new)
    }

    /// What decides by a set with these bytes and moves, where two officers signed it.
    pub(crate) async fn checked(
        &self,
        set: &RuleSet,
        content: &[u8],
        moves: &[&Move],
    ) -> Result<Profile, Error> {
        let refuse = |why: &str| Error::RuleSet { number: set.number, why: why.to_owned() };
        let digest = hex::encode(tlog::digest(content));
        if digest != set.digest {
            return Err(refuse("its bytes are not those that were signed"));
        }
        let (mut author, mut approver) = (None, None);
        for made in moves {
            match &made.step {
                Step::Propose { signed, .. } => {
                    author = self.signer(made, signed, Word::Propose, &digest);
                }
                Step::Approve { signed } => {
                    approver = self.signer(made, signed, Word::Approve, &digest);
                }
                Step::Withdraw { .. } => return Err(refuse("it was withdrawn")),
            }
        }
        let (author, approver) =
            author.zip(approver).ok_or_else(|| refuse("it is not signed by two officers"))?;
        if author == approver {
            return Err(refuse("its author approved it"));
        }
        let content = Content::parse(content).map_err(|error| refuse(&error.to_string()))?;
        let legal_profile = self.legal_profile;
        let profile = tokio::task::spawn_blocking(move || content.profile(legal_profile)).await;
        let profile = profile.map_err(|_| refuse("it could not be read"))?;
        profile.map_err(|error| refuse(&error.to_string()))
    }

    /// The officer who signed a word by a certificate that was good then, if it is who moved.
    pub(crate) fn signer(
        &self,
        made: &Move,
        signed: &Signature,
        word: Word,
        digest: &str,
    ) -> Option<String> {
        let certificates: Result<Vec<_>, _> = signed.certificates.iter().map(hex::decode).collect();
        let (certificates, signature) = (certificates.ok()?, hex::decode(&signed.signature).ok()?);
        let algorithm = Algorithm::of(&signed.algorithm)?;
        let (signers, message) = (self.signers.as_ref()?, word.signed_bytes(digest));
        let signer = signers
            .verify_then(signed.taken_us, &certificates, algorithm, &message, &signature)
            .ok()
            .filter(|signer| signer.id() == made.by)?;
        matches!(signer.kind(), Kind::Operator(_)).then(|| signer.id().to_owned())
    }
}
