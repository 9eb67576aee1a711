//! The document of a contribution: the keys of the contract, in JSON. A key that nothing knows is refused;
//! what is missing is for the service to name, every fault at once.

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use super::{events::Event, life::Evidence};
use crate::commands::{ground::Ground, input::without_values};

/// A contribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// The source's own key of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idempotency_key: Option<String>,
    /// The source's own id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    /// The ground on which it is provided.
    #[serde(default)]
    pub(super) basis: Ground,
    /// What happened.
    pub(super) event: Event,
    /// The documents on which it rests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) evidence: Vec<Evidence>,
}

/// Kinds of examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Birth,
    Death,
    Residence,
    Correction,
    Annulment,
    LifeEvent,
    ConflictDecision,
}

impl Kind {
    /// The example, but for its entry and its dates.
    const fn text(self) -> &'static str {
        match self {
            Self::Birth => include_str!("../../../data/example-birth.json"),
            Self::Death => include_str!("../../../data/example-death.json"),
            Self::Residence => include_str!("../../../data/example-residence.json"),
            Self::Correction => include_str!("../../../data/example-correction.json"),
            Self::Annulment => include_str!("../../../data/example-annulment.json"),
            Self::LifeEvent => include_str!("../../../data/example-life-event.json"),
            Self::ConflictDecision => {
                include_str!("../../../data/example-conflict-decision.json")
            }
        }
    }
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is no JSON, or has a key or a kind that nothing knows; line and column are named.
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            anyhow!("the document cannot be read (see --example): {}", without_values(&error))
        })
    }

    /// An example: of a synthetic person, and of today.
    pub(super) fn example(kind: Kind, entry: &str, today: time::Date) -> Result<Self> {
        let mut example = Self::parse(kind.text())?;
        let (entry, today) = (entry.to_owned(), today.to_string().parse().ok());
        match &mut example.event {
            Event::Birth(birth) => {
                (birth.entry_number, birth.registration_date) = (entry, today);
                birth.date_of_birth = today;
            }
            Event::Death(death) => {
                (death.entry_number, death.registration_date) = (entry, today);
                death.date_of_death = today;
            }
            Event::Residence(residence) => residence.effective_date = today,
            Event::Correction(correction) => {
                (correction.entry_number, correction.correction_date) = (entry, today);
            }
            Event::Annulment(annulment) => {
                (annulment.decision_number, annulment.decision_date) = (entry, today);
            }
            Event::ConflictDecision(decision) => {
                (decision.decision_number, decision.decision_date) = (entry, today);
            }
            Event::Life(event) => {
                event.effective_date = today;
                if let Some(entered) = &mut event.registration {
                    (entered.entry_number, entered.registration_date) = (entry, today);
                }
            }
        }
        Ok(example)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use clap::ValueEnum as _;
    use contract::contribution::v1::{life_event, submit_contribution_request::Event as Submitted};
    use time::macros::date;

    use super::*;

    #[test]
    fn the_example_is_a_whole_birth_and_comes_back_as_it_was() {
        let example = Document::example(Kind::Birth, "E-1", date!(2026 - 03 - 01)).unwrap();
        let text = serde_json::to_string(&example).unwrap();
        let Submitted::Birth(birth) = Document::parse(&text).unwrap().event.into() else {
            unreachable!()
        };
        assert_eq!(birth.entry_number, "E-1");
        let day = contract::r#type::v1::PartialDate { year: 2026, month: 3, day: 1 };
        assert_eq!((birth.date_of_birth, birth.registration_date), (Some(day), Some(day)));
        assert_eq!(birth.registration_place_code, "990");
        assert!(birth.sex.is_some() && birth.ethnic_group.is_some() && birth.nationality.is_some());
        assert_eq!(birth.parents.len(), 1);
    }

    #[test]
    fn every_kind_has_an_example_and_no_value_is_lost_on_the_way() {
        for kind in Kind::value_variants() {
            let example = Document::example(*kind, "E-1", date!(2026 - 03 - 01)).unwrap();
            let text = serde_json::to_string(&example).unwrap();
            let sent = format!("{:?}", Document::parse(&text).unwrap().event);
            assert_eq!(sent, format!("{:?}", example.event));
            assert!(example.request_id.is_some());
            // Debug of what is sent hides values, so each is looked for as it is submitted.
            match example.event.into() {
                Submitted::Birth(birth) => assert_eq!(birth.entry_number, "E-1"),
                Submitted::Death(death) => {
                    assert!(death.subject.is_some() && death.claims.is_some());
                    assert!(death.date_of_death.is_some() && death.registration_place.is_some());
                }
                Submitted::Residence(residence) => {
                    assert_eq!(residence.kind, 1);
                    assert!(residence.subject.is_some() && residence.effective_date.is_some());
                }
                Submitted::Correction(correction) => {
                    assert!(correction.corrected_values[0].value.is_some());
                    assert!(correction.corrected_values[0].valid_from.is_some());
                    assert!(correction.registration_place.is_some());
                }
                Submitted::Annulment(annulment) => {
                    assert_eq!(annulment.decision_number, "E-1");
                    assert!(!annulment.annulled_key.is_empty());
                    assert!(annulment.decision_date.is_some());
                }
                Submitted::ConflictDecision(decision) => {
                    assert_eq!((decision.decision_number.as_str(), decision.outcome), ("E-1", 2));
                    assert!(decision.decision_date.is_some() && !decision.reason.is_empty());
                    assert_eq!(example.evidence.len(), 1);
                }
                Submitted::LifeEvent(event) => {
                    assert_eq!(event.registration.unwrap().entry_number, "E-1");
                    assert!(event.effective_date.is_some() && event.claims.is_some());
                    assert!(matches!(event.event, Some(life_event::Event::Marriage(_))));
                    assert_eq!(example.evidence.len(), 1);
                }
            }
        }
    }

    #[test]
    fn what_nothing_knows_is_refused_and_what_is_missing_is_left_to_the_service() {
        Document::parse(r#"{"event":{"birth":{}}}"#).unwrap();
        for bad in [
            "",
            "{}",
            r#"{"event":{}}"#,
            r#"{"event":{"wedding":{}}}"#,
            r#"{"event":{"birth":{"weight":3}}}"#,
            r#"{"event":{"birth":{}},"more":1}"#,
            r#"{"event":{"birth":{"full_name":{"nick":"x"}}}}"#,
            r#"{"event":{"birth":{"date_of_birth":"31/05/1990"}}}"#,
            r#"{"event":{"birth":{}},"basis":{"reason":"x"}}"#,
            r#"{"event":{"death":{"subject":{"name":"x"}}}}"#,
            r#"{"event":{"residence":{"kind":"moon"}}}"#,
            r#"{"event":{"life_event":{"event":{"wedding":{}}}}}"#,
            r#"{"event":{"life_event":{}},"evidence":[{"digest":"x"}]}"#,
        ] {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
        let error = Document::parse(r#"{"event":{"birth":{"sex":"990204000001"}}}"#).unwrap_err();
        assert!(!error.to_string().contains("990204000001"), "{error}");
    }
}
