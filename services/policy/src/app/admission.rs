//! The use cases of admissions: move, look at, list, and record what lapsed.

use std::{collections::BTreeMap, sync::Arc};

use ::store::Store;
use server::Deadline;
use time::Date;

use super::App;
use crate::{
    Error,
    domain::{
        admission::{
            Admission, Move, State, Step,
            law::{Due, Law},
            obstacle::{self, Facts, Found, Lapse, Obstacle, day_of},
            readiness::{self, Connected, Ready},
        },
        basis::today,
        decision::Profile,
        officers::{NoOfficer, Officers, Role},
        registry::State as Stands,
    },
    store::{
        admission::{self as store, Asked, Before, Entry, Judged},
        moves::Kept,
    },
};

/// Admissions that are read together where all are looked at.
const TOGETHER: u16 = 500;

/// Admissions, their law and their officers.
pub(crate) struct Admissions {
    pub(crate) app: Arc<App>,
    pub(crate) law: Law,
    pub(crate) officers: Officers,
    /// How many days before an assessment lapses it is due.
    pub(crate) notice_days: i64,
}

/// Why a move is not made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such admission.
    Unknown,
    /// It has this version.
    Changed(u64),
    /// Another officer has to do it.
    Second,
    /// All of this is in the way.
    NotPossible(Vec<Found>),
}

/// An admission as it stands on a day.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) connection: String,
    pub(crate) admission: Admission,
    pub(crate) state: State,
    pub(crate) missing: Vec<Found>,
    /// The time that the law set after the last move.
    pub(crate) deadline: Option<Due>,
    /// The assessment lapses within the notice, or has.
    pub(crate) due: bool,
    /// Days until it lapses.
    pub(crate) days_left: Option<i64>,
}

/// How many admissions there are of a state.
pub(crate) type Counted = BTreeMap<&'static str, u64>;

impl Admissions {
    pub(crate) fn now_us(&self) -> i64 {
        self.app.clock.now_us()
    }

    pub(crate) fn today(&self) -> Date {
        today(self.app.clock.now())
    }

    /// The rule set in force, and its number.
    pub(crate) async fn rules(&self, deadline: Deadline) -> Result<(u64, Arc<Profile>), Error> {
        let (ruling, profile) = self.app.in_force.now(&self.store(deadline)).await?;
        Ok((ruling.number, profile))
    }

    /// The role of the officer of an id that may do something today.
    pub(crate) fn authorise(&self, id: &str, roles: &[Role]) -> Result<Role, NoOfficer> {
        self.officers.authorise(id, roles, self.today())
    }

    fn store(&self, deadline: Deadline) -> Store {
        self.app.store.until(deadline.at())
    }

    /// Makes a move, or gives what was made under its request id before.
    pub(crate) async fn advance(
        self: &Arc<Self>,
        deadline: Deadline,
        asked: Asked,
    ) -> Result<Result<Entry, Refused>, Error> {
        let own = Arc::clone(self);
        let judge = move |asked: &Asked, before: Before| own.judge(asked, before);
        let moved = store::advance(&self.store(deadline), asked, judge).await;
        // Also where it is not known whether it was made.
        self.app.looks.at_once();
        moved
    }

    fn judge(&self, asked: &Asked, before: Before) -> Result<Judged, Refused> {
        let Before { admission, agreements, held, day } = before;
        let (made, step) = (&asked.made, &asked.made.step);
        if admission.is_none() && !matches!(step, Step::Apply(_)) {
            return Err(Refused::Unknown);
        }
        let version = admission.as_ref().map_or(0, |admission| admission.version);
        // What is urgent need not be looked at first.
        let urgent = asked.expected == 0 && matches!(step, Step::Suspend { .. });
        if version != asked.expected && !urgent {
            return Err(Refused::Changed(version));
        }
        if admission.as_ref().is_some_and(|admission| admission.needs_another(&made.by, step)) {
            return Err(Refused::Second);
        }
        let profile = self.app.in_force.last();
        let facts = self.facts(&profile, &agreements, held, day);
        let found = obstacle::of(admission.as_ref(), step, made.role.is_none(), facts);
        if !found.is_empty() {
            return Err(Refused::NotPossible(found));
        }
        let after = Admission::after(admission, made).ok_or(Refused::Unknown)?;
        let state = obstacle::state(&after, self.facts(&profile, &agreements, false, day));
        Ok(Judged { admission: after, state })
    }

    fn facts<'a>(
        &'a self,
        profile: &'a Profile,
        agreements: &'a [String],
        held: bool,
        day: Date,
    ) -> Facts<'a> {
        Facts { law: &self.law, catalogue: &profile.catalogue, agreements, held, day }
    }

    /// An admission as it stands on a day, and never before the day of its last move.
    fn view(
        &self,
        connection: String,
        admission: Admission,
        agreements: &[String],
        day: Date,
    ) -> View {
        let profile = self.app.in_force.last();
        let facts = self.facts(&profile, agreements, false, day_of_last(&admission, day));
        let days_left =
            admission.assessed.as_ref().map(|last| (last.next - facts.day).whole_days());
        View {
            state: obstacle::state(&admission, facts),
            missing: obstacle::standing(&admission, facts),
            deadline: self.law.deadline(&admission.moved, admission.moved_at_us),
            due: days_left.is_some_and(|left| left <= self.notice_days),
            days_left,
            connection,
            admission,
        }
    }

    /// What the law set a time for after a move.
    pub(crate) fn deadline(&self, made: &Move) -> Option<Due> {
        self.law.deadline(&made.step.name(), made.at_us)
    }

    /// The admission as a move made it, at the moment at which it was made.
    pub(crate) async fn made(&self, deadline: Deadline, entry: &Entry) -> Result<View, Error> {
        let store = self.store(deadline);
        let moves = store::moves(&store, &entry.connection).await?;
        let until = moves.iter().take_while(|one| one.version <= entry.version);
        let admission = Admission::of(until.map(|one| &one.made));
        let admission = admission.ok_or(Error::Stored("an admission without an application"))?;
        let day = day_of(entry.made.at_us).ok_or(Error::Stored("a moment that is none"))?;
        let agreements = store::agreements(&store, &entry.connection, day).await?;
        Ok(self.view(entry.connection.clone(), admission, &agreements, day))
    }

    /// Keeps what a move is answered; the first answer stands.
    pub(crate) async fn keep(&self, entry: &Entry, kept: Kept) -> Result<Kept, Error> {
        store::keep(&self.app.store, entry.connection.clone(), entry.version, kept).await
    }

    /// An admission with its moves, if there is one.
    pub(crate) async fn get(
        &self,
        deadline: Deadline,
        connection: &str,
    ) -> Result<Option<(View, Vec<Entry>)>, Error> {
        let (store, day) = (self.store(deadline), self.today());
        let moves = store::moves(&store, connection).await?;
        let Some(admission) = Admission::of(moves.iter().map(|one| &one.made)) else {
            return Ok(None);
        };
        let at = day_of_last(&admission, day);
        let agreements = store::agreements(&store, connection, at).await?;
        Ok(Some((self.view(connection.to_owned(), admission, &agreements, day), moves)))
    }

    /// Admissions after an id, and whether there are more.
    pub(crate) async fn list(
        &self,
        deadline: Deadline,
        after: &str,
        most: u16,
    ) -> Result<(Vec<View>, bool), Error> {
        let (store, day) = (self.store(deadline), self.today());
        let mut found = store::list(&store, after, most.saturating_add(1)).await?;
        let more = found.len() > usize::from(most);
        found.truncate(most.into());
        Ok((self.views(&store, found, day).await?, more))
    }

    async fn views(
        &self,
        store: &Store,
        found: Vec<(String, Admission)>,
        day: Date,
    ) -> Result<Vec<View>, Error> {
        let mut in_force: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (connection, agreement) in store::all_agreements(store, day).await? {
            in_force.entry(connection).or_default().push(agreement);
        }
        let view = |(connection, admission): (String, Admission)| {
            let agreements = in_force.remove(&connection).unwrap_or_default();
            self.view(connection, admission, &agreements, day)
        };
        Ok(found.into_iter().map(view).collect())
    }

    async fn all(&self, store: &Store) -> Result<Vec<View>, Error> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let found = store::list(store, &after, TOGETHER).await?;
            let whole = found.len() == usize::from(TOGETHER);
            if let Some((last, _)) = found.last() {
                after.clone_from(last);
            }
            all.extend(self.views(store, found, self.today()).await?);
            if !whole {
                return Ok(all);
            }
        }
    }

    /// Every database that is obliged, connected or not.
    pub(crate) async fn readiness(&self, deadline: Deadline) -> Result<Vec<Ready<'_>>, Error> {
        let (store, day) = (self.store(deadline), self.today());
        let admitted = self.all(&store).await?.into_iter().map(|view| Connected {
            since: day_of(view.admission.moved_at_us),
            database: view.admission.application.database,
            missing: view.missing,
            id: view.connection,
        });
        let agreements = store::all_agreements(&store, day).await?;
        let of_file = store::file_connections(&store).await?.into_iter().map(|connection| {
            let agreed = agreements.iter().any(|(of, _)| *of == connection.id);
            let lapsed = day >= connection.assessed_until;
            let missing = [
                (connection.state == Stands::Suspended).then_some(Obstacle::Suspended),
                (connection.state == Stands::Revoked).then_some(Obstacle::Ended),
                lapsed.then_some(Obstacle::AssessmentLapsed),
                (!agreed).then_some(Obstacle::NotAgreed),
            ];
            let missing = missing.into_iter().flatten().map(|what| (what, String::new()));
            Connected {
                since: lapsed.then_some(connection.assessed_until),
                database: connection.database,
                missing: missing.collect(),
                id: connection.id,
            }
        });
        let connections: Vec<_> = admitted.chain(of_file).collect();
        Ok(readiness::of(&self.law, &connections))
    }

    /// What has lapsed of connections that are open, how many admissions there are of each state, and how many days each
    /// assessment still counts.
    pub(crate) async fn look(&self) -> Result<Looked, Error> {
        let mut looked = Looked::default();
        for state in State::ALL {
            looked.counted.insert(state.name(), 0);
        }
        for view in self.all(&self.app.store).await? {
            *looked.counted.entry(view.state.name()).or_default() += 1;
            let ended = view.state == State::Ended;
            if let Some(left) = view.days_left.filter(|_| !ended) {
                looked.days_left.push((view.connection.clone(), left));
            }
            if view.state != State::Active {
                continue;
            }
            let day = day_of_last(&view.admission, self.today());
            let agreements = store::agreements(&self.app.store, &view.connection, day).await?;
            let profile = self.app.in_force.last();
            let facts = self.facts(&profile, &agreements, false, day);
            if let Some(lapse) = obstacle::lapse(&view.admission, facts) {
                let (connection, version) = (view.connection, view.admission.version);
                looked.lapsed.push(Lapsed { connection, version, lapse });
            }
        }
        Ok(looked)
    }

    /// Moves that nobody is answered any more and that are not recorded yet.
    pub(crate) async fn unrecorded(&self, older_us: i64) -> Result<Vec<Entry>, Error> {
        store::unrecorded(&self.app.store, self.now_us().saturating_sub(older_us)).await
    }
}

/// An open connection of which something has lapsed.
#[derive(Debug)]
pub(crate) struct Lapsed {
    pub(crate) connection: String,
    pub(crate) version: u64,
    pub(crate) lapse: Lapse,
}

/// What a look at all admissions found.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) lapsed: Vec<Lapsed>,
    pub(crate) counted: Counted,
    /// Connection, and days until its assessment lapses.
    pub(crate) days_left: Vec<(String, i64)>,
}

/// The day, or that of the admission's last move where the clock was set back since.
fn day_of_last(admission: &Admission, day: Date) -> Date {
    day_of(admission.moved_at_us).map_or(day, |last| last.max(day))
}
