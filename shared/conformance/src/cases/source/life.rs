//! What a life event must have, and of whom it speaks.

use contract::{
    contribution::v1::{
        Evidence, LifeEvent, Party, Registration, divorce, life_event::Event, marriage,
    },
    r#type::v1::Relation,
};

use super::changes::{is_date, is_place, is_subject, of_relation, of_subject, of_value};

/// Whether a life event has its required fields.
pub(super) fn is_life(life: &LifeEvent) -> bool {
    let Some(event) = &life.event else { return false };
    let registered = match &life.registration {
        Some(entry) => is_entry(entry),
        None => !needs_entry(event),
    };
    let parties = parties(event);
    is_subject(life.subject.as_ref(), life.claims.as_ref())
        && is_date(life.effective_date.as_ref())
        && registered
        && parties.iter().all(|party| is_subject(party.subject.as_ref(), party.claims.as_ref()))
        && is_told(event)
}

/// Whether the documents of an event have their required fields.
pub(super) fn is_evidence(evidence: &[Evidence], needed: bool) -> bool {
    let good = |one: &Evidence| one.kind.is_some() && one.digest.len() == 32;
    evidence.len() <= 16 && !(needed && evidence.is_empty()) && evidence.iter().all(good)
}

fn is_entry(entry: &Registration) -> bool {
    !entry.entry_number.is_empty()
        && is_date(entry.registration_date.as_ref())
        && is_place(entry.registration_place.as_ref())
}

fn needs_entry(event: &Event) -> bool {
    match event {
        Event::Marriage(_)
        | Event::Divorce(_)
        | Event::Missing(_)
        | Event::Found(_)
        | Event::Recognition(_)
        | Event::Adoption(_)
        | Event::CivilStatusChange(_) => true,
        Event::Absence(_)
        | Event::Household(_)
        | Event::DocumentIssue(_)
        | Event::DocumentWithdrawal(_)
        | Event::BloodTest(_)
        | Event::ContactChange(_)
        | Event::End(_)
        | Event::Merge(_)
        | Event::Split(_) => false,
    }
}

/// Whether what happened has its required fields.
fn is_told(event: &Event) -> bool {
    match event {
        Event::Marriage(marriage) => marriage.spouse.is_some(),
        Event::Divorce(divorce) => divorce.spouse.is_some(),
        Event::Missing(_) | Event::Found(_) => true,
        Event::Recognition(change) | Event::Adoption(change) => {
            (1..=2).contains(&change.parents.len()) && change.ended_parents.len() <= 2
        }
        Event::CivilStatusChange(change) => {
            change.full_name.is_some()
                || change.sex.is_some()
                || change.ethnic_group.is_some()
                || change.nationality.is_some()
        }
        Event::Absence(absence) => !absence.declaration.is_empty(),
        Event::Household(change) => {
            !change.residence_file_number.is_empty()
                && change.members.iter().all(|member| member.person.is_some())
        }
        Event::DocumentIssue(issue) => issue.document.is_some(),
        Event::DocumentWithdrawal(withdrawal) => withdrawal.document.is_some(),
        Event::BloodTest(test) => test.blood_type.is_some(),
        Event::ContactChange(change) => {
            !change.mobile_number.is_empty() || !change.email.is_empty()
        }
        Event::End(end) => {
            (1..=16).contains(&end.ended_values.len())
                && end.ended_values.iter().all(|ended| !ended.item.is_empty())
        }
        Event::Merge(merge) => {
            merge.surviving_person.is_some() && !merge.decision_number.is_empty()
        }
        Event::Split(split) => {
            of_subject(split.restored_subject.as_ref()).is_some()
                && !split.decision_number.is_empty()
        }
    }
}

/// The persons of the register beside the one whom it is about.
fn parties(event: &Event) -> Vec<&Party> {
    match event {
        Event::Marriage(marriage) => match &marriage.spouse {
            Some(marriage::Spouse::RegisteredSpouse(party)) => vec![party],
            Some(marriage::Spouse::OtherSpouse(_)) | None => Vec::new(),
        },
        Event::Divorce(divorce) => match &divorce.spouse {
            Some(divorce::Spouse::RegisteredSpouse(party)) => vec![party],
            Some(divorce::Spouse::OtherSpouse(_)) | None => Vec::new(),
        },
        Event::Household(change) => {
            let members = change.members.iter().filter_map(|member| member.person.as_ref());
            members.chain(&change.left).collect()
        }
        Event::Merge(merge) => merge.surviving_person.iter().collect(),
        Event::Missing(_)
        | Event::Found(_)
        | Event::Recognition(_)
        | Event::Adoption(_)
        | Event::CivilStatusChange(_)
        | Event::Absence(_)
        | Event::DocumentIssue(_)
        | Event::DocumentWithdrawal(_)
        | Event::BloodTest(_)
        | Event::ContactChange(_)
        | Event::End(_)
        | Event::Split(_) => Vec::new(),
    }
}

/// The other persons whom it names as relations.
fn relations(event: &Event) -> Vec<&Relation> {
    match event {
        Event::Recognition(change) | Event::Adoption(change) => {
            change.parents.iter().chain(&change.ended_parents).collect()
        }
        Event::Marriage(marriage) => match &marriage.spouse {
            Some(marriage::Spouse::OtherSpouse(relation)) => vec![relation],
            Some(marriage::Spouse::RegisteredSpouse(_)) | None => Vec::new(),
        },
        Event::Divorce(divorce) => match &divorce.spouse {
            Some(divorce::Spouse::OtherSpouse(relation)) => vec![relation],
            Some(divorce::Spouse::RegisteredSpouse(_)) | None => Vec::new(),
        },
        Event::Missing(_)
        | Event::Found(_)
        | Event::CivilStatusChange(_)
        | Event::Absence(_)
        | Event::Household(_)
        | Event::DocumentIssue(_)
        | Event::DocumentWithdrawal(_)
        | Event::BloodTest(_)
        | Event::ContactChange(_)
        | Event::End(_)
        | Event::Merge(_)
        | Event::Split(_) => Vec::new(),
    }
}

/// The personal numbers of everybody whom it names.
pub(super) fn numbers(life: &LifeEvent) -> Vec<String> {
    let mut all: Vec<String> = of_subject(life.subject.as_ref()).into_iter().collect();
    let Some(event) = &life.event else { return all };
    all.extend(parties(event).iter().filter_map(|party| of_subject(party.subject.as_ref())));
    all.extend(relations(event).into_iter().filter_map(of_relation));
    if let Event::End(end) = event {
        let values = end.ended_values.iter().filter_map(|ended| ended.value.as_ref());
        all.extend(values.filter_map(|value| of_value(value.value.as_ref())));
    }
    if let Event::Split(split) = event {
        all.extend(of_subject(split.restored_subject.as_ref()));
    }
    all
}

/// The names of everybody whom it names.
pub(super) fn names(life: &LifeEvent) -> Vec<String> {
    let Some(event) = &life.event else { return Vec::new() };
    let claims = parties(event).into_iter().map(|party| party.claims.as_ref());
    let claims = claims.chain([life.claims.as_ref()]).flatten();
    let relations = relations(event).into_iter().filter_map(|relation| relation.name.as_ref());
    let mut all: Vec<String> = claims.map(|claims| claims.full_name.clone()).collect();
    all.extend(relations.map(|name| name.full_name.clone()));
    if let Event::CivilStatusChange(change) = event {
        all.extend(change.full_name.iter().map(|name| name.full_name.clone()));
    }
    all
}
