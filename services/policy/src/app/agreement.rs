//! The use cases of agreements: propose, bring what a party signed, look at, list.

use std::{collections::BTreeMap, sync::Arc};

use ::store::Store;
use server::{
    Caller, Deadline,
    caller::Kind,
    signed::{NotSigned, Signers},
};
use time::Date;

use super::{Signed, admission::Admissions};
use crate::{
    Error,
    domain::{
        admission::obstacle::day_of,
        agreement::{
            Agreement, Content, Move, Role, Says, State, Step,
            obstacle::{Facts, Found, Obstacle, proposing, saying},
        },
        officers,
    },
    store::{
        agreement::{self as store, Asked, Before, Entry},
        moves::Kept,
    },
};

/// Agreements, and whose signatures count.
pub(crate) struct Agreements {
    pub(crate) admissions: Arc<Admissions>,
    pub(crate) signers: Signers,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// The content, and its exact bytes.
    Propose(Box<Content>, Vec<u8>),
    /// What a party says, and its signature.
    Sign(Says, Signed),
}

/// Why a move is not made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such agreement.
    Unknown,
    /// All of this is in the way.
    NotPossible(Vec<Found>),
}

/// An agreement as it stands on a day.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) agreement: Agreement,
    pub(crate) state: State,
    pub(crate) valid_to: Date,
    /// What takes its place.
    pub(crate) renewed_by: String,
}

impl View {
    /// An agreement beside the others of its connection.
    fn of(agreement: Agreement, all: &[Agreement], today: Date) -> Self {
        let id = agreement.content.id.clone();
        let takes = |other: &&Agreement| other.content.renews == id && other.complete();
        let next = all.iter().filter(takes).min_by_key(|other| other.content.valid_from);
        let renewed = next.map(|next| next.content.valid_from);
        // Time does not go back in a history.
        let today = day_of(agreement.moved_at_us).map_or(today, |last| last.max(today));
        Self {
            state: agreement.state(today, renewed),
            valid_to: agreement.valid_to(renewed),
            renewed_by: next.map(|next| next.content.id.clone()).unwrap_or_default(),
            agreement,
        }
    }
}

/// A call that makes a move: by whom, with which bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) agreement: String,
    pub(crate) request_id: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) by: String,
    /// Number of the rule set by which a proposal was checked for form.
    pub(crate) rules: Option<u64>,
    pub(crate) wanted: Wanted,
}

impl Agreements {
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
        if let Some(entry) = store::by_request(&store, &request.request_id).await? {
            return Ok(Ok(entry));
        }
        let (step, officer, content) = match request.wanted {
            Wanted::Propose(content, bytes) => {
                let digest = hex::encode(tlog::digest(&bytes));
                (Step::Propose(*content, digest), false, bytes)
            }
            Wanted::Sign(says, signed) => {
                let Some((agreement, _)) = store::one(&store, &request.agreement).await? else {
                    return Ok(Err(Refused::Unknown));
                };
                match self.verify(&agreement, says, &signed) {
                    Ok((step, officer)) => (step, officer, Vec::new()),
                    Err(found) => return Ok(Err(Refused::NotPossible(vec![found]))),
                }
            }
        };
        let asked = Asked {
            agreement: request.agreement,
            request_id: request.request_id,
            digest: tlog::digest(&request.bytes),
            request: request.bytes,
            rules: request.rules,
            content,
            made: Move { by: request.by, at_us: self.admissions.now_us(), step },
        };
        let judge = move |asked: &Asked, before: Before| judge(asked, before, officer);
        let moved = store::advance(&store, asked, judge).await;
        // Also where it is not known whether it was made.
        self.admissions.app.looks.at_once();
        moved
    }

    /// The statement that a party signed, and whether it was an officer who may sign for the provider.
    fn verify(
        &self,
        agreement: &Agreement,
        says: Says,
        signed: &Signed,
    ) -> Result<(Step, bool), Found> {
        let one = |obstacle| (obstacle, String::new());
        let Signed { certificates, algorithm, signature } = signed;
        let message = says.signed_bytes(&agreement.digest);
        let signer = self.signers.verify(certificates, *algorithm, &message, signature);
        let signer = signer.map_err(|why| match why {
            NotSigned::NotTrusted => one(Obstacle::NotTrusted),
            NotSigned::NotVerified => one(Obstacle::SignatureInvalid),
        })?;
        let (party, officer) = match signer.kind() {
            Kind::System { agency, .. } => (agreement.content.of_agency(agency), false),
            Kind::Operator(id) => {
                let may = self.admissions.authorise(id, &[officers::Role::Registrar]).is_ok();
                let provider = agreement.content.party(Role::Provider);
                // Two agree; one is enough to end it.
                let another = says != Says::Accept || signer.id() != agreement.proposed_by;
                (provider, may && another)
            }
            Kind::Service(_) => (None, false),
        };
        let party = party.ok_or_else(|| one(Obstacle::NotAParty))?;
        let named = |key: [u8; 32]| party.keys.contains(&hex::encode(key));
        // Whoever lost the key that it agreed by, or whose officer left, can still say that it no longer agrees.
        if says == Says::Accept && !signer.key().is_some_and(named) {
            return Err((Obstacle::KeyNotNamed, party.agency.clone()));
        }
        Ok((step(party.agency.clone(), &signer, says), officer))
    }

    /// The agreement as a move made it, at the moment at which it was made.
    pub(crate) async fn made(&self, deadline: Deadline, entry: &Entry) -> Result<View, Error> {
        let store = self.store(deadline);
        let moves = store::moves(&store, &entry.agreement).await?;
        let until = moves.iter().take_while(|one| one.version <= entry.version);
        let agreement = Agreement::of(until.map(|one| &one.made));
        let agreement = agreement.ok_or(Error::Stored("an agreement that nobody proposed"))?;
        let day = day_of(entry.made.at_us).ok_or(Error::Stored("a moment that is none"))?;
        let all = store::of_connection(&store, &agreement.content.connection).await?;
        Ok(View::of(agreement, &all, day))
    }

    /// Keeps what a move is answered; the first answer stands.
    pub(crate) async fn keep(&self, entry: &Entry, kept: Kept) -> Result<Kept, Error> {
        let store = &self.admissions.app.store;
        store::keep(store, entry.agreement.clone(), entry.version, kept).await
    }

    /// An agreement with its bytes and moves, if there is one.
    pub(crate) async fn get(
        &self,
        deadline: Deadline,
        id: &str,
    ) -> Result<Option<(View, Vec<u8>, Vec<Entry>)>, Error> {
        let store = self.store(deadline);
        let Some((agreement, content)) = store::one(&store, id).await? else { return Ok(None) };
        let moves = store::moves(&store, id).await?;
        let all = store::of_connection(&store, &agreement.content.connection).await?;
        Ok(Some((View::of(agreement, &all, self.admissions.today()), content, moves)))
    }

    /// Agreements after an id, and whether there are more.
    pub(crate) async fn list(
        &self,
        deadline: Deadline,
        after: &str,
        most: u16,
    ) -> Result<(Vec<View>, bool), Error> {
        let store = self.store(deadline);
        let mut found = store::list(&store, after, most.saturating_add(1)).await?;
        let more = found.len() > usize::from(most);
        found.truncate(most.into());
        let today = self.admissions.today();
        let mut all = BTreeMap::new();
        for agreement in &found {
            let connection = &agreement.content.connection;
            if !all.contains_key(connection) {
                let of_connection = store::of_connection(&store, connection).await?;
                all.insert(connection.clone(), of_connection);
            }
        }
        let view = |agreement: Agreement| {
            let beside = all.get(&agreement.content.connection);
            View::of(agreement, beside.map_or(&[], Vec::as_slice), today)
        };
        let views = found.into_iter().map(view).collect();
        Ok((views, more))
    }

    /// Moves that nobody is answered any more and that are not recorded yet.
    pub(crate) async fn unrecorded(&self, older_us: i64) -> Result<Vec<Entry>, Error> {
        let until = self.admissions.now_us().saturating_sub(older_us);
        store::unrecorded(&self.admissions.app.store, until).await
    }
}

fn step(agency: String, signer: &Caller, says: Says) -> Step {
    Step::Sign { agency, signer: signer.id().to_owned(), says }
}

fn judge(asked: &Asked, before: Before, officer: bool) -> Result<Agreement, Refused> {
    let Before { agreement, agency, of_file, others, day } = before;
    let facts = Facts { agency: agency.as_deref(), of_file, others: &others, officer, day };
    let step = &asked.made.step;
    let found = match (step, &agreement) {
        (Step::Propose(content, _), before) => proposing(before.as_ref(), content, facts),
        (Step::Sign { .. }, Some(agreement)) => saying(agreement, step, facts),
        (Step::Sign { .. }, None) => return Err(Refused::Unknown),
    };
    if !found.is_empty() {
        return Err(Refused::NotPossible(found));
    }
    Agreement::after(agreement, &asked.made).ok_or(Refused::Unknown)
}
