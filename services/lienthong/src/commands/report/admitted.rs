//! What policy says: which databases are connected, what the others lack, which connections were assessed and stopped.

use std::collections::BTreeMap;

use contract::policy::v1::{
    Admission, AdmissionMove, AdmissionState, ObligedDatabase, Obstacle as Lacking,
    move_connection_request::Move,
};
use lienthong::client::time_of;
use model::report::{Agency, Assessment, AssessmentState, Database, Obstacle, Suspension};
use time::OffsetDateTime;

use super::{
    moment,
    period::{Asked, OFFSET},
};

/// An admission with its moves, the first one first.
pub(super) type History = (Admission, Vec<AdmissionMove>);

/// The names of the agencies that applied.
pub(super) fn agencies(all: &[History]) -> BTreeMap<String, Agency> {
    let named = all.iter().filter_map(|(admission, _)| admission.application.as_ref());
    named
        .map(|form| {
            let (code, vi, en) = (&form.agency, &form.agency_vi, &form.agency_en);
            (code.clone(), Agency { code: code.clone(), vi: vi.clone(), en: en.clone() })
        })
        .collect()
}

/// Every database that is obliged, and every other one that somebody applied for.
pub(super) fn databases(obliged: &[ObligedDatabase], all: &[History]) -> Vec<Database> {
    let database = |admission: &Admission| {
        admission.application.as_ref().map_or("", |form| form.database.as_str()).to_owned()
    };
    let mut found = Vec::new();
    for one in obliged {
        let own = all.iter().filter(|(admission, _)| database(admission) == one.database);
        let rows = found.len();
        found.extend(own.map(|(admission, _)| connected(admission, (&one.vi, &one.en))));
        if found.len() == rows {
            found.push(Database {
                database: one.database.clone(),
                vi: one.vi.clone(),
                en: one.en.clone(),
                agency: String::new(),
                agency_vi: one.owner_vi.clone(),
                state: if one.connected { "active" } else { "none" }.to_owned(),
                obstacles: one.obstacles.iter().map(obstacle).collect(),
            });
        }
    }
    let known = |id: &str| obliged.iter().any(|one| one.database == id);
    for (admission, _) in all.iter().filter(|(admission, _)| !known(&database(admission))) {
        let id = database(admission);
        found.push(connected(admission, (&id, &id)));
    }
    found
}

fn connected(admission: &Admission, (vi, en): (&str, &str)) -> Database {
    let form = admission.application.clone().unwrap_or_default();
    Database {
        database: form.database,
        vi: vi.to_owned(),
        en: en.to_owned(),
        agency: form.agency,
        agency_vi: form.agency_vi,
        state: word(admission.state().as_str_name(), "ADMISSION_STATE_"),
        obstacles: admission.obstacles.iter().map(obstacle).collect(),
    }
}

fn obstacle(lacking: &Lacking) -> Obstacle {
    Obstacle {
        obstacle: word(lacking.obstacle().as_str_name(), "ADMISSION_OBSTACLE_"),
        owed_by: lacking.owed_by.clone(),
        article: lacking.article.clone(),
    }
}

fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

/// How it stood with assessments at a day: of every connection that was ever open and has not ended.
pub(super) fn assessments(all: &[History], asked: &Asked, at: OffsetDateTime) -> Vec<Assessment> {
    let mut found = Vec::new();
    for (admission, moves) in all {
        let state_at = |at: OffsetDateTime| {
            moves.iter().rev().find(|made| made_at(made) < Some(at)).map(AdmissionMove::state)
        };
        let ended = |at| state_at(at) == Some(AdmissionState::Ended);
        let opened = moves
            .iter()
            .any(|made| made.state() == AdmissionState::Active && made_at(made) < Some(at));
        if !opened || ended(asked.from) || ended(at) {
            continue;
        }
        let assessed = moves.iter().filter(|made| made_at(made) < Some(at)).filter_map(|made| {
            let Move::Assess(assessment) = made.request.as_ref()?.r#move.as_ref()? else {
                return None;
            };
            Some(assessment)
        });
        let (first, last) = (&asked.written.first_day, &asked.written.last_day);
        let done = assessed.clone().map(|assessment| assessment.day.clone());
        let done = done.filter(|day| first <= day && day <= last);
        let next_day = assessed.clone().next_back().map(|last| last.next_day.clone());
        let next_day = next_day.unwrap_or_default();
        let today = (at - time::Duration::MILLISECOND).to_offset(OFFSET).date().to_string();
        // The notice that policy gives is about now.
        let soon = at < asked.until && admission.assessment_due;
        let state = match () {
            () if next_day <= today => AssessmentState::Overdue,
            () if soon => AssessmentState::Due,
            () => AssessmentState::Done,
        };
        found.push(Assessment {
            connection: admission.connection.clone(),
            agency: agency(admission),
            done: done.collect(),
            next_day,
            state,
        });
    }
    found
}

/// Connections that were stopped for a time in the period.
pub(super) fn suspensions(all: &[History], asked: &Asked) -> Vec<Suspension> {
    let mut found = Vec::new();
    for (admission, moves) in all {
        for (place, made) in moves.iter().enumerate() {
            let Some(Move::Suspend(stop)) = made.request.as_ref().and_then(|r| r.r#move.as_ref())
            else {
                continue;
            };
            let after = moves.iter().skip(place + 1);
            let ended = after.clone().find(|made| made.state() != AdmissionState::Suspended);
            let (Some(from), until) = (made_at(made), ended.and_then(made_at)) else { continue };
            if from >= asked.until || until.is_some_and(|until| until <= asked.from) {
                continue;
            }
            let own = admission.cause == stop.cause;
            found.push(Suspension {
                connection: admission.connection.clone(),
                agency: agency(admission),
                cause: stop.cause.clone(),
                article: if own { admission.article.clone() } else { String::new() },
                from: moment(from),
                until: until.map(moment).unwrap_or_default(),
            });
        }
    }
    found
}

fn agency(admission: &Admission) -> String {
    admission.application.as_ref().map(|form| form.agency.clone()).unwrap_or_default()
}

fn made_at(made: &AdmissionMove) -> Option<OffsetDateTime> {
    time_of(made.move_time)
}
