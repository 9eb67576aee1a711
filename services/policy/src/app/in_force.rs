//! The rule set that decides. Which one it is is read with everything that is decided about, so that a process decides by what another
//! put in force from the moment of the commit on; the set itself is read once.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ::store::Store;
use server::{
    caller::Kind,
    signed::{Algorithm, Signers},
};
use tokio::sync::watch;

use crate::{
    Error,
    domain::{
        catalogue::LegalProfile,
        decision::Profile,
        rule_set::{Content, Move, Signature, Step, Word},
    },
    store::rule_set as store,
};

/// A set, ready to decide.
#[derive(Clone)]
struct Loaded {
    number: u64,
    profile: Arc<Profile>,
}

/// The set that decides.
pub(crate) struct InForce {
    legal_profile: LegalProfile,
    /// The one that comes with the program.
    shipped: Arc<Profile>,
    loaded: watch::Sender<Loaded>,
    /// The set of which it was said last that it cannot decide.
    failed: AtomicU64,
    /// Whose signatures count; nobody's where no authority is known.
    signers: Option<Signers>,
}

impl InForce {
    pub(crate) fn new(
        legal_profile: LegalProfile,
        shipped: Profile,
        signers: Option<Signers>,
    ) -> Self {
        let shipped = Arc::new(shipped);
        let loaded = Loaded { number: 0, profile: Arc::clone(&shipped) };
        let (loaded, failed) = (watch::Sender::new(loaded), AtomicU64::new(0));
        Self { legal_profile, shipped, loaded, failed, signers }
    }

    /// The one that decided last here, for whatever is about no stored moment.
    pub(crate) fn last(&self) -> Arc<Profile> {
        Arc::clone(&self.loaded.borrow().profile)
    }

    /// Under which law items are listed.
    pub(crate) fn legal_profile(&self) -> LegalProfile {
        self.legal_profile
    }

    /// The set that is in force now, and its number.
    pub(crate) async fn now(&self, store: &Store) -> Result<(u64, Arc<Profile>), Error> {
        let number = store::in_force(store).await?;
        Ok((number, self.of(store, number).await?))
    }

    /// The set of a number that was read to be in force.
    ///
    /// # Errors
    /// [`Error::RuleSet`] where it cannot decide, or is not signed by two officers; then nothing is decided (I9).
    pub(crate) async fn of(&self, store: &Store, number: u64) -> Result<Arc<Profile>, Error> {
        let loaded = self.loaded.borrow().clone();
        if loaded.number == number {
            return Ok(loaded.profile);
        }
        let profile = match number {
            0 => Arc::clone(&self.shipped),
            number => Arc::new(self.read(store, number).await.inspect_err(|error| {
                if self.failed.swap(number, Ordering::Relaxed) != number {
                    tracing::error!(%error, "nothing is decided");
                }
            })?),
        };
        tracing::info!(rule_set = number, "decides from now on");
        self.loaded.send_replace(Loaded { number, profile: Arc::clone(&profile) });
        Ok(profile)
    }

    /// Reads a set, and checks everything about it anew: what is stored may have been changed by hand.
    async fn read(&self, store: &Store, number: u64) -> Result<Profile, Error> {
        let refuse = |why: &str| Error::RuleSet { number, why: why.to_owned() };
        let (set, content) = store::one(store, number).await?.ok_or(refuse("it is not there"))?;
        let moves = store::moves(store, number).await?;
        let digest = hex::encode(tlog::digest(&content));
        if digest != set.digest {
            return Err(refuse("its bytes are not those that were signed"));
        }
        let (mut author, mut approver) = (None, None);
        for entry in &moves {
            match &entry.made.step {
                Step::Propose { signed, .. } => {
                    author = self.signer(&entry.made, signed, Word::Propose, &digest);
                }
                Step::Approve { signed } => {
                    approver = self.signer(&entry.made, signed, Word::Approve, &digest);
                }
                Step::Withdraw { .. } => return Err(refuse("it was withdrawn")),
            }
        }
        let (author, approver) =
            author.zip(approver).ok_or_else(|| refuse("it is not signed by two officers"))?;
        if author == approver {
            return Err(refuse("its author approved it"));
        }
        let content = Content::parse(&content).map_err(|error| refuse(&error.to_string()))?;
        let legal_profile = self.legal_profile;
        let profile = tokio::task::spawn_blocking(move || content.profile(legal_profile)).await;
        let profile = profile.map_err(|_| refuse("it could not be read"))?;
        profile.map_err(|error| refuse(&error.to_string()))
    }

    /// The officer who signed a word at the moment of a move, if it is who moved.
    fn signer(&self, made: &Move, signed: &Signature, word: Word, digest: &str) -> Option<String> {
        let certificates: Result<Vec<_>, _> = signed.certificates.iter().map(hex::decode).collect();
        let (certificates, signature) = (certificates.ok()?, hex::decode(&signed.signature).ok()?);
        let algorithm = Algorithm::of(&signed.algorithm)?;
        let message = word.signed_bytes(digest);
        let signers = self.signers.as_ref()?;
        let signer =
            signers.verify_then(signed.taken_us, &certificates, algorithm, &message, &signature);
        let signer = signer.ok().filter(|signer| signer.id() == made.by)?;
        matches!(signer.kind(), Kind::Operator(_)).then(|| signer.id().to_owned())
    }
}
