//! Records that are one person, and persons who had been taken for one.

use contract::contribution::v1::{RecordMerge, RecordSplit};
use model::EventKind;

use super::{
    Event, Further, Target,
    life::Who,
    read::{ENTRY_MAX, Reading},
};
use crate::{Fault, subject};

impl Reading<'_> {
    /// That the record of `person` is merged into another one.
    pub(super) fn merge(&mut self, merge: &RecordMerge, person: Option<Who>) -> Option<Event> {
        let field = |name: &str| format!("life_event.merge.{name}");
        self.faults.text(&field("decision_number"), &merge.decision_number, ENTRY_MAX);
        let place = field("surviving_person");
        let other = self.party(&place, merge.surviving_person.as_ref());
        let (person, other) = (person?, other?);
        if other.subject == person.subject {
            self.faults.add(place.clone(), Fault::NotAllowed);
        }
        let Who { subject, claims } = other;
        Some(Event {
            kind: EventKind::Merge,
            target: Target::Merged { subject: person.subject, claims: person.claims },
            entry: String::new(),
            said: Vec::new(),
            further: vec![Further { place, subject, claims, said: Vec::new() }],
        })
    }

    /// That another one is not the same as `person`.
    pub(super) fn split(&mut self, split: &RecordSplit, person: Option<Who>) -> Option<Event> {
        let field = |name: &str| format!("life_event.split.{name}");
        self.faults.text(&field("decision_number"), &split.decision_number, ENTRY_MAX);
        let place = field("restored_subject");
        let restored = subject::read(&place, split.restored_subject.as_ref(), self.faults);
        let (Who { subject, claims }, restored) = (person?, restored?);
        if restored == subject {
            self.faults.add(place, Fault::NotAllowed);
        }
        Some(Event {
            kind: EventKind::Split,
            target: Target::Split { subject, claims, restored },
            entry: String::new(),
            said: Vec::new(),
            further: Vec::new(),
        })
    }
}
