//! `SinkService`.

use contract::database::v1::{
    DeliverEventsRequest, DeliverEventsResponse, Event, EventResult, EventStatus, change_decided,
    event::Kind, sink_service_server::SinkService,
};
use model::PersonalNumber;
use prost::Message as _;
use tonic::{Request, Response, Status};
use wire::{Fault, Faults};

use super::{Api, away};
use crate::{
    domain::{About, Delivered},
    profile::EVENTS_MAX,
    store,
};

const ID_MAX: usize = 64;

#[tonic::async_trait]
impl SinkService for Api {
    async fn deliver_events(
        &self,
        request: Request<DeliverEventsRequest>,
    ) -> Result<Response<DeliverEventsResponse>, Status> {
        self.admit(&request)?;
        let shared = &self.0;
        let events = request.into_inner().events;
        check(&events)?;
        let ids: Vec<String> = events.iter().map(|event| event.event_id.clone()).collect();
        let events = events.into_iter().map(delivered).collect();
        let stored = shared.database.deliver(&shared.profile, events, shared.clock.now_us()).await;
        let stored = stored.map_err(|error| away(&error))?;
        shared.heard.notify_one();
        let one = |(event_id, status)| EventResult { event_id, status: written(status).into() };
        let results = ids.into_iter().zip(stored).map(one).collect();
        Ok(Response::new(DeliverEventsResponse { results }))
    }
}

/// An event as the store takes it. Of a kind that is not known here nothing was read (rule SNK-5), and a number that is
/// none, or not a synthetic one, is not for this database.
fn delivered(event: Event) -> Delivered {
    let bytes = event.encode_to_vec();
    let content = Event { sequence: 0, event_time: None, ..event.clone() }.encode_to_vec();
    let about = match event.kind {
        None => None,
        Some(Kind::PersonChanged(changed)) => {
            Some(About::Person { token: changed.token, version: changed.version })
        }
        Some(Kind::ChangeDecided(decided)) => match decided.outcome {
            None => None,
            Some(change_decided::Outcome::Rejected(_)) => Some(About::Other),
            Some(change_decided::Outcome::Applied(applied)) => {
                let number = match applied.personal_number.as_str() {
                    "" => Some(None),
                    text => PersonalNumber::parse(text).ok().filter(|n| n.is_synthetic()).map(Some),
                };
                number.map(|number| About::Applied {
                    change_id: decided.change_id,
                    contribution_id: applied.contribution_id,
                    number,
                })
            }
        },
        Some(Kind::Discrepancy(_)) => Some(About::Other),
    };
    Delivered { id: event.event_id, sequence: event.sequence, bytes, content, about }
}

/// The form of a delivery (rule SNK-6). Of what kind an event is, is no question of form (rule SNK-5).
fn check(events: &[Event]) -> Result<(), Status> {
    let mut faults = Faults::default();
    if events.is_empty() {
        faults.add("events", Fault::Missing);
    }
    if events.len() > EVENTS_MAX.into() {
        faults.add("events", Fault::TooMany(EVENTS_MAX.into()));
    }
    for (place, event) in events.iter().take(EVENTS_MAX.into()).enumerate() {
        let field = |name: &str| format!("events[{place}].{name}");
        let in_ids = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if faults.text(&field("event_id"), &event.event_id, ID_MAX)
            && !event.event_id.chars().all(in_ids)
        {
            faults.add(field("event_id"), Fault::Malformed);
        }
        if event.sequence == 0 {
            faults.add(field("sequence"), Fault::Missing);
        }
        if event.event_time.is_none() {
            faults.add(field("event_time"), Fault::Missing);
        }
        if let Some(Kind::PersonChanged(changed)) = &event.kind {
            let field = field("person_changed.token");
            if faults.text(&field, &changed.token, ID_MAX)
                && !changed.token.bytes().all(|b| b.is_ascii_graphic())
            {
                faults.add(field, Fault::Malformed);
            }
        }
    }
    faults.finish()
}

fn written(status: store::Status) -> EventStatus {
    match status {
        store::Status::Stored => EventStatus::Stored,
        store::Status::Duplicate => EventStatus::Duplicate,
        store::Status::Conflict => EventStatus::Conflict,
        store::Status::Obsolete => EventStatus::Obsolete,
        store::Status::Unsupported => EventStatus::Unsupported,
    }
}
