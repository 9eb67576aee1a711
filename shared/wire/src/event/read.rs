//! The events, field by field.

use contract::contribution::v1::{
    Annulment, BirthRegistration, ConflictDecision, ConflictOutcome, Correction as WireCorrection,
    DeathRegistration, ResidenceChange, ResidenceKind,
};
use contract::r#type::v1::{Claims as WireClaims, SubjectRef};
use model::{Claims, CodeLists, EventKind, Said, Subject, Value};
use time::Date;

use super::{
    Event, EventFaults, Target,
    birth::{Birth, Draft},
    check_day, check_order, check_past,
    entry::{Correction, Death, Residence},
};
use crate::{Fault, Faults, basis, subject, value::Reader};

pub(super) const ENTRY_MAX: usize = 64;
const CORRECTIONS_MAX: usize = 16;
/// Characters of why something was decided.
const REASON_MAX: usize = 500;
const PARENTS_MAX: usize = 2;
/// The list of the places that a personal number can start with.
const PREFIXES: &str = "number-prefix";

/// Reads events. What is wrong is noted; an event is given only when nothing is.
pub(super) struct Reading<'a> {
    /// The code lists.
    pub(super) lists: &'a CodeLists,
    /// Today in Viet Nam.
    pub(super) today: Date,
    /// What is wrong so far.
    pub(super) faults: &'a mut Faults,
}

impl Reading<'_> {
    /// A birth.
    pub(super) fn birth(&mut self, birth: &BirthRegistration) -> Option<Event> {
        self.faults.text("birth.entry_number", &birth.entry_number, ENTRY_MAX);
        let code = &birth.registration_place_code;
        if code.is_empty() {
            self.faults.add("birth.registration_place_code", Fault::Missing);
        } else if !self.lists.any_version_holds(PREFIXES, code) {
            self.faults.add("birth.registration_place_code", Fault::UnknownCode);
        }
        let mut reader = Reader::new(self.lists, self.faults);
        let registration_date =
            reader.date("birth.registration_date", birth.registration_date.as_ref());
        let registration_place = reader
            .registration_place("birth.registration_place", birth.registration_place.as_ref());
        let full_name = reader.name("birth.full_name", birth.full_name.as_ref());
        let date_of_birth = reader.date("birth.date_of_birth", birth.date_of_birth.as_ref());
        let sex = reader.coded("birth.sex", birth.sex.as_ref(), "sex");
        let place_of_birth = reader.address("birth.place_of_birth", birth.place_of_birth.as_ref());
        let native_place = reader.address("birth.native_place", birth.native_place.as_ref());
        let ethnic_group =
            reader.coded("birth.ethnic_group", birth.ethnic_group.as_ref(), "ethnic-group");
        let nationality =
            reader.coded("birth.nationality", birth.nationality.as_ref(), "nationality");
        let parents: Vec<_> = birth
            .parents
            .iter()
            .take(PARENTS_MAX + 1)
            .enumerate()
            .map(|(place, parent)| {
                reader.relation(&format!("birth.parents[{place}]"), Some(parent))
            })
            .collect();
        let sex_read = sex.as_ref();
        let draft = Draft { registration_date, date_of_birth, sex: sex_read, parents: &parents };
        let found = draft.faults(self.today);
        self.name(found);
        let birth = Birth {
            entry_number: birth.entry_number.clone(),
            registration_date: registration_date?,
            registration_place_code: code.clone(),
            registration_place: registration_place?,
            full_name: full_name?,
            date_of_birth: date_of_birth?,
            sex: sex?,
            place_of_birth: place_of_birth?,
            native_place: native_place?,
            ethnic_group: ethnic_group?,
            nationality: nationality?,
            parents: parents.into_iter().collect::<Option<_>>()?,
        };
        Some(birth.event())
    }

    /// A death.
    pub(super) fn death(&mut self, death: &DeathRegistration) -> Option<Event> {
        let person = self.person("death", death.subject.as_ref(), death.claims.as_ref());
        self.faults.text("death.entry_number", &death.entry_number, ENTRY_MAX);
        let mut reader = Reader::new(self.lists, self.faults);
        let registration_date =
            reader.date("death.registration_date", death.registration_date.as_ref());
        let registration_place = reader
            .registration_place("death.registration_place", death.registration_place.as_ref());
        let date_of_death = reader.date("death.date_of_death", death.date_of_death.as_ref());
        let mut found = EventFaults::new();
        check_day("death.registration_date", registration_date, self.today, &mut found);
        check_past("death.date_of_death", date_of_death, self.today, &mut found);
        check_order(date_of_death, "death.registration_date", registration_date, &mut found);
        self.name(found);
        let (subject, claims) = person?;
        let death = Death {
            subject,
            claims,
            entry_number: death.entry_number.clone(),
            registration_date: registration_date?,
            registration_place: registration_place?,
            date_of_death: date_of_death?,
        };
        Some(death.event())
    }

    /// A residence.
    pub(super) fn residence(&mut self, change: &ResidenceChange) -> Option<Event> {
        let person = self.person("residence", change.subject.as_ref(), change.claims.as_ref());
        let item = match ResidenceKind::try_from(change.kind) {
            Ok(ResidenceKind::Permanent) => Some("permanent_residence"),
            Ok(ResidenceKind::Temporary) => Some("temporary_residence"),
            Ok(ResidenceKind::Current) => Some("current_residence"),
            Ok(ResidenceKind::Unspecified) => {
                self.faults.add("residence.kind", Fault::Missing);
                None
            }
            Err(_) => {
                self.faults.add("residence.kind", Fault::Malformed);
                None
            }
        };
        let file_number = &change.residence_file_number;
        if file_number.chars().count() > ENTRY_MAX {
            self.faults.add("residence.residence_file_number", Fault::TooLong(ENTRY_MAX));
        }
        let mut reader = Reader::new(self.lists, self.faults);
        let address = reader.address("residence.address", change.address.as_ref());
        let effective_date =
            reader.date("residence.effective_date", change.effective_date.as_ref());
        let mut found = EventFaults::new();
        check_day("residence.effective_date", effective_date, self.today, &mut found);
        self.name(found);
        let (subject, claims) = person?;
        let residence = Residence {
            subject,
            claims,
            item: item?,
            address: address?,
            effective_date: effective_date?,
            file_number: file_number.clone(),
        };
        Some(residence.event())
    }

    /// A correction.
    pub(super) fn correction(&mut self, correction: &WireCorrection) -> Option<Event> {
        let (subject, claims) = (correction.subject.as_ref(), correction.claims.as_ref());
        let person = self.person("correction", subject, claims);
        self.faults.text("correction.entry_number", &correction.entry_number, ENTRY_MAX);
        let list = "correction.corrected_values";
        let items: Vec<String> =
            correction.corrected_values.iter().map(|value| value.item.clone()).collect();
        basis::check_item_fields(list, ".item", &items, self.faults);
        if items.len() > CORRECTIONS_MAX {
            self.faults.add(list, Fault::TooMany(CORRECTIONS_MAX));
        }
        let mut reader = Reader::new(self.lists, self.faults);
        let correction_date =
            reader.date("correction.correction_date", correction.correction_date.as_ref());
        let registration_place = reader.registration_place(
            "correction.registration_place",
            correction.registration_place.as_ref(),
        );
        let mut found = EventFaults::new();
        check_day("correction.correction_date", correction_date, self.today, &mut found);
        let mut said = Vec::new();
        let values = correction.corrected_values.iter().take(CORRECTIONS_MAX);
        for (place, corrected) in values.enumerate() {
            let field = |name: &str| format!("{list}[{place}].{name}");
            let value = reader.value(&field("value"), corrected.value.as_ref());
            let from = reader.date(&field("valid_from"), corrected.valid_from.as_ref());
            check_past(&field("valid_from"), from, self.today, &mut found);
            // A relation is one of a set, and a number is cancelled and set anew (Decree
            // 70/2024/ND-CP, Art. 11): neither is corrected by another value.
            if matches!(value, Some(Value::Relation(_) | Value::Identifier(_))) {
                found.push((field("value"), Fault::NotAllowed));
            }
            if let (Some(value), Some(_)) = (value, from) {
                said.push(Said::holds(&corrected.item, value, from));
            }
        }
        self.name(found);
        let (subject, claims) = person?;
        let correction = Correction {
            subject,
            claims,
            entry_number: correction.entry_number.clone(),
            correction_date: correction_date?,
            registration_place: registration_place?,
            said,
        };
        Some(correction.event())
    }

    /// An annulment.
    pub(super) fn annulment(&mut self, annulment: &Annulment) -> Option<Event> {
        let Annulment { annulled_key, annulled_items, decision_number, decision_date } = annulment;
        self.faults.key("annulment.annulled_key", annulled_key);
        basis::check_item_fields("annulment.annulled_items", "", annulled_items, self.faults);
        self.faults.text("annulment.decision_number", decision_number, ENTRY_MAX);
        let mut reader = Reader::new(self.lists, self.faults);
        let decided = reader.date("annulment.decision_date", decision_date.as_ref());
        let mut found = EventFaults::new();
        check_day("annulment.decision_date", decided, self.today, &mut found);
        self.name(found);
        Some(Event {
            kind: EventKind::Annulment,
            target: Target::Earlier { key: annulled_key.clone(), items: annulled_items.clone() },
            entry: String::new(),
            said: Vec::new(),
            further: Vec::new(),
        })
    }

    /// A decision of a conflict.
    pub(super) fn conflict_decision(&mut self, decision: &ConflictDecision) -> Option<Event> {
        let ConflictDecision { conflict_id, item, outcome, decision_number, decision_date, reason } =
            decision;
        self.faults.key("conflict_decision.conflict_id", conflict_id);
        basis::check_item("conflict_decision.item", item, self.faults);
        let accepted = match ConflictOutcome::try_from(*outcome) {
            Ok(ConflictOutcome::Accepted) => Some(true),
            Ok(ConflictOutcome::Rejected) => Some(false),
            Ok(ConflictOutcome::Unspecified) => {
                self.faults.add("conflict_decision.outcome", Fault::Missing);
                None
            }
            Err(_) => {
                self.faults.add("conflict_decision.outcome", Fault::Malformed);
                None
            }
        };
        self.faults.text("conflict_decision.decision_number", decision_number, ENTRY_MAX);
        self.faults.text("conflict_decision.reason", reason, REASON_MAX);
        let mut reader = Reader::new(self.lists, self.faults);
        let decided = reader.date("conflict_decision.decision_date", decision_date.as_ref());
        let mut found = EventFaults::new();
        check_day("conflict_decision.decision_date", decided, self.today, &mut found);
        self.name(found);
        Some(Event {
            kind: EventKind::ConflictDecision,
            target: Target::Decided {
                conflict: conflict_id.clone(),
                item: item.clone(),
                accepted: accepted?,
                reason: reason.clone(),
            },
            entry: String::new(),
            said: Vec::new(),
            further: Vec::new(),
        })
    }

    /// The person that an event is about, with what the source knows of it.
    pub(super) fn person(
        &mut self,
        event: &str,
        named: Option<&SubjectRef>,
        claims: Option<&WireClaims>,
    ) -> Option<(Subject, Claims)> {
        let named = subject::read(&format!("{event}.subject"), named, self.faults);
        let field = format!("{event}.claims");
        let claims = match claims {
            None => {
                subject::claims_missing(&field, self.faults);
                None
            }
            Some(claims) => subject::read_claims(&field, claims, self.lists, self.faults),
        };
        subject::check_born(&field, claims.as_ref(), self.today, self.faults);
        Some((named?, claims?))
    }

    pub(super) fn name(&mut self, found: EventFaults) {
        for (field, fault) in found {
            self.faults.add(field, fault);
        }
    }
}
