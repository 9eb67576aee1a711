//! Conflicts: who has to act next, and what becomes of one. Pure.

use model::Disagreement;
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer as _, value::StrDeserializer},
};

/// The register's own officers, as the owner of what others let lie.
pub(crate) const REGISTER: &str = "npd";

/// Where a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It waits for a decision of its owner.
    Open,
    /// The source that disagrees was asked.
    Asked,
    /// What disagreed is held.
    Accepted,
    /// What was held stays.
    Rejected,
    /// The sources do not disagree any more.
    Overtaken,
}

impl State {
    /// Whether somebody has to act.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Asked)
    }

    /// Its name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Asked => "asked",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Overtaken => "overtaken",
        }
    }

    /// The state of a name.
    pub(crate) fn of(name: &str) -> Result<Self, serde_json::Error> {
        let name: StrDeserializer<'_, serde_json::Error> = name.into_deserializer();
        Self::deserialize(name)
    }
}

/// A conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Its id.
    pub(crate) id: String,
    /// Who says otherwise than what is held, and of whom and what.
    pub(crate) about: Disagreement,
    /// The version of the register that said so.
    pub(crate) register_version: u64,
    /// Where it stands.
    pub(crate) state: State,
    /// The database that has to act next; empty when it is closed.
    pub(crate) owner: String,
    /// Who decides it: whose word is held, or the register's own officers, to whom it went.
    pub(crate) decider: String,
    /// Until when, microseconds since 1970.
    pub(crate) due_at_us: i64,
    /// When it was opened, microseconds since 1970.
    pub(crate) opened_at_us: i64,
    /// What was written when it was handed over or decided last.
    pub(crate) message: String,
}

impl Conflict {
    /// One that the register tells of: the database whose word is held has to decide.
    pub(crate) fn opened(
        id: String,
        about: Disagreement,
        version: u64,
        now_us: i64,
        owner_time_us: i64,
    ) -> Self {
        Self {
            id,
            register_version: version,
            state: State::Open,
            owner: about.against_source.clone(),
            decider: about.against_source.clone(),
            due_at_us: now_us.saturating_add(owner_time_us),
            opened_at_us: now_us,
            message: String::new(),
            about,
        }
    }

    /// Whether a database may decide it, also while the source is asked. No source decides about its own word.
    pub(crate) fn is_decided_by(&self, database: &str) -> bool {
        self.state.is_open() && self.decider == database && self.about.source != database
    }

    /// The same, when nobody has to act any more.
    pub(crate) fn closed(self, state: State, message: &str) -> Self {
        Self { state, owner: String::new(), message: message.to_owned(), ..self }
    }

    /// The same, handed by whoever decides it to the source that disagrees; or, when that was asked, back. Whoever handed it over
    /// with these words hands it over no second time. None when it is not `database`'s to hand.
    pub(crate) fn handed_over(
        &self,
        database: &str,
        message: &str,
        now_us: i64,
        owner_time_us: i64,
    ) -> Option<Self> {
        let (source, decider) = (&self.about.source, &self.decider);
        let to = |state, owner: &String| Self {
            state,
            owner: owner.clone(),
            due_at_us: now_us.saturating_add(owner_time_us),
            message: message.to_owned(),
            ..self.clone()
        };
        match self.state {
            State::Open if self.owner == database => Some(to(State::Asked, source)),
            State::Asked if self.owner == database => Some(to(State::Open, decider)),
            State::Asked if database == decider && self.message == message => Some(self.clone()),
            State::Open if database == source && self.message == message => Some(self.clone()),
            State::Open | State::Asked | State::Accepted | State::Rejected | State::Overtaken => {
                None
            }
        }
    }

    /// The same, when its owner has let the day pass: it goes to the register's own officers. What they themselves say they do
    /// not decide: that stays where it is.
    pub(crate) fn lapsed(&self, now_us: i64, owner_time_us: i64) -> Option<Self> {
        let theirs = self.owner == REGISTER || self.about.source == REGISTER;
        if !self.state.is_open() || self.due_at_us > now_us || theirs {
            return None;
        }
        let (owner, decider) = (REGISTER.to_owned(), REGISTER.to_owned());
        let due_at_us = now_us.saturating_add(owner_time_us);
        Some(Self { state: State::Open, owner, decider, due_at_us, ..self.clone() })
    }
}

/// What became of a conflict, as the sources of both sides are told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Its id.
    pub(crate) conflict_id: String,
    /// The item that it is about.
    pub(crate) item: String,
    /// Where it stands.
    pub(crate) state: State,
    /// Whether it is the contribution that disagrees.
    pub(crate) disagrees: bool,
    /// Who has to act next; empty when it is closed.
    pub(crate) owner: String,
    /// Until when, microseconds since 1970.
    pub(crate) due_at_us: i64,
}

impl Turn {
    /// What is told of a conflict to one of its sides.
    pub(crate) fn of(conflict: &Conflict, disagrees: bool) -> Self {
        Self {
            conflict_id: conflict.id.clone(),
            item: conflict.about.item.clone(),
            state: conflict.state,
            disagrees,
            owner: conflict.owner.clone(),
            due_at_us: conflict.due_at_us,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn conflict() -> Conflict {
        let about = Disagreement {
            person_id: "p".into(),
            item: "sex".into(),
            contribution_id: "l".into(),
            source: "medical".into(),
            against_contribution_id: "h".into(),
            against_source: "civil-status".into(),
        };
        Conflict::opened("c".into(), about, 7, 0, DAY)
    }

    #[test]
    fn it_goes_to_and_fro_and_always_has_an_owner_and_a_day() {
        let opened = conflict();
        assert_eq!((opened.owner.as_str(), opened.due_at_us), ("civil-status", DAY));
        for other in ["medical", "npd", "residence"] {
            assert_eq!(opened.handed_over(other, "?", 1, DAY), None, "{other}");
        }
        let asked = opened.handed_over("civil-status", "?", 1, DAY).unwrap();
        assert!(opened.is_decided_by("civil-status") && asked.is_decided_by("civil-status"));
        assert!(!opened.is_decided_by("medical") && !asked.is_decided_by("medical"));
        assert_eq!((asked.state, asked.owner.as_str()), (State::Asked, "medical"));
        assert_eq!(asked.due_at_us, 1 + DAY);
        // Once more is the same; other words are none of its own any more.
        assert_eq!(asked.handed_over("civil-status", "?", 9, DAY).as_ref(), Some(&asked));
        assert_eq!(asked.handed_over("civil-status", "!", 9, DAY), None);
        for other in ["npd", "residence"] {
            assert_eq!(asked.handed_over(other, "?", 9, DAY), None, "{other}");
        }
        let back = asked.handed_over("medical", "we stand by it", 2, DAY).unwrap();
        assert_eq!((back.state, back.owner.as_str()), (State::Open, "civil-status"));
        assert_eq!(back.handed_over("medical", "we stand by it", 3, DAY).as_ref(), Some(&back));
    }

    #[test]
    fn whoever_lets_the_day_pass_loses_it_to_the_register() {
        for waiting in [conflict(), conflict().handed_over("civil-status", "?", 0, DAY).unwrap()] {
            assert_eq!(waiting.lapsed(DAY - 1, DAY), None);
            let lapsed = waiting.lapsed(DAY, DAY).unwrap();
            assert_eq!((lapsed.state, lapsed.owner.as_str()), (State::Open, REGISTER));
            assert_eq!(lapsed.due_at_us, 2 * DAY);
            assert_eq!(lapsed.lapsed(3 * DAY, DAY), None, "there is nobody above");
            let asked = lapsed.handed_over(REGISTER, "?", DAY, DAY).unwrap();
            assert_eq!(asked.owner, "medical");
            // Whoever asked decides, and gets it back; its former owner does not.
            assert!(asked.is_decided_by(REGISTER) && !asked.is_decided_by("civil-status"));
            let back = asked.handed_over("medical", "it is so", DAY, DAY).unwrap();
            assert_eq!(back.owner, REGISTER);
        }
        let mut own = conflict();
        own.about.source = REGISTER.into();
        assert_eq!(own.lapsed(DAY, DAY), None, "nobody decides about its own word");
        let closed = conflict().closed(State::Accepted, "by the book");
        assert_eq!(closed.lapsed(9 * DAY, DAY), None);
        assert_eq!(closed.handed_over("civil-status", "?", 1, DAY), None);
    }
}
