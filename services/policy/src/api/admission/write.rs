//! Admissions as the contract writes them.

use contract::{
    audit::v1::Receipt,
    policy::v1::{self as proto, AdmissionState, MoveConnectionRequest, ObligedDatabase},
};
use prost::Message as _;
use time::Date;
use wire::{timestamp, timestamp_us};

use super::words::obstacle;
use crate::{
    app::admission::{Admissions, View},
    domain::{
        admission::{
            Application, State,
            law::{Due, Law},
            readiness::Ready,
        },
        officers::Role,
    },
    store::admission::Entry,
};

pub(super) fn admission(view: &View, law: &Law) -> proto::Admission {
    let admission = &view.admission;
    let proposed = admission.proposed_end.as_ref();
    let next = admission.assessed.as_ref().map(|assessed| day(assessed.next));
    proto::Admission {
        connection: view.connection.clone(),
        version: admission.version,
        state: state(view.state).into(),
        application: Some(application(&admission.application)),
        obstacles: view.missing.iter().map(|found| obstacle(found, law)).collect(),
        cause: admission.cause().to_owned(),
        article: law.article(admission).to_owned(),
        proposed_end: proposed.map(|proposed| proposed.cause.clone()).unwrap_or_default(),
        next_assessment_day: next.unwrap_or_default(),
        assessment_due: view.due,
        move_time: Some(timestamp_us(admission.moved_at_us)),
        deadline: view.deadline.as_ref().map(deadline),
    }
}

pub(super) fn entry(entry: &Entry, admissions: &Admissions) -> proto::AdmissionMove {
    let receipt = entry.kept.as_ref().and_then(|kept| Receipt::decode(&kept.receipt[..]).ok());
    let reached = State::ALL.into_iter().find(|state| state.name() == entry.state);
    proto::AdmissionMove {
        version: entry.version,
        state: reached.map_or(AdmissionState::Unspecified, state).into(),
        made_by: entry.made.by.clone(),
        role: entry.made.role.map(Role::name).unwrap_or_default().to_owned(),
        move_time: Some(timestamp_us(entry.made.at_us)),
        request: MoveConnectionRequest::decode(&entry.request[..]).ok(),
        deadline: admissions.deadline(&entry.made).as_ref().map(deadline),
        record_index: receipt.map(|receipt| receipt.index),
    }
}

pub(super) fn ready(ready: &Ready<'_>, law: &Law) -> ObligedDatabase {
    let Ready { obliged, connected, since, missing, connections } = ready;
    let missing = missing.iter().filter(|_| !connected);
    ObligedDatabase {
        database: obliged.id.clone(),
        vi: obliged.vi.clone(),
        en: obliged.en.clone(),
        owner_vi: obliged.owner_vi.clone(),
        owner_en: obliged.owner_en.clone(),
        article: obliged.article.clone(),
        several: obliged.several,
        connected: *connected,
        since_day: day(*since),
        due_day: day(law.obliged.due_day),
        due_article: law.obliged.due_article.clone(),
        obstacles: missing.map(|found| obstacle(found, law)).collect(),
        connections: connections.clone(),
    }
}

fn application(application: &Application) -> proto::ConnectionApplication {
    let Application {
        agency,
        agency_vi,
        agency_en,
        system,
        system_name,
        database,
        purpose,
        use_plan,
        items,
        service,
        service_name,
        frequency,
        other,
        legal_basis,
    } = application.clone();
    let items = items.into_iter().map(|(item, count)| proto::RequestedItem { item, count });
    proto::ConnectionApplication {
        agency,
        agency_vi,
        agency_en,
        system,
        system_name,
        database,
        purpose,
        use_plan,
        items: items.collect(),
        service,
        service_name,
        frequency,
        other,
        legal_basis,
    }
}

fn deadline(due: &Due) -> proto::LegalDeadline {
    let Due { id, vi, en, article, at } = due.clone();
    proto::LegalDeadline { id, vi, en, article, due_time: Some(timestamp(at)) }
}

fn day(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

fn state(state: State) -> AdmissionState {
    match state {
        State::Applied => AdmissionState::Applied,
        State::Checked => AdmissionState::Checked,
        State::Agreed => AdmissionState::Agreed,
        State::Conformant => AdmissionState::Conformant,
        State::Assessed => AdmissionState::Assessed,
        State::Active => AdmissionState::Active,
        State::Suspended => AdmissionState::Suspended,
        State::Expired => AdmissionState::Expired,
        State::Ended => AdmissionState::Ended,
    }
}
