//! The role sink.

use contract::{
    database::v1::{
        DeliverEventsRequest, DeliverEventsResponse, Event, EventResult, EventStatus, event::Kind,
        sink_service_server::SinkService,
    },
    r#type::v1::{ErrorReason, FieldFault},
};
use prost::Message as _;
use server::error::refuse;
use tonic::{Request, Response, Status};

use super::{Database, EVENTS_MAX, Faults, State};
use crate::faults::Fault;

impl Database {
    fn take(&self, state: &mut State, event: &Event, in_this: &mut Vec<String>) -> EventStatus {
        let bytes = event.encode_to_vec();
        let twice = in_this.contains(&event.event_id);
        in_this.push(event.event_id.clone());
        if event.kind.is_none() && !self.is(Fault::UnsupportedStored) {
            return EventStatus::Unsupported;
        }
        let is_person = matches!(event.kind, Some(Kind::PersonChanged(_)));
        if let Some(known) = state.events.get(&event.event_id) {
            return match (*known == bytes, self.inner().fault) {
                (true, Some(Fault::DuplicateStored)) => EventStatus::Stored,
                (true, Some(Fault::TwiceInOneDelivery)) if twice => EventStatus::Stored,
                (true, Some(Fault::DuplicateObsolete)) if is_person => EventStatus::Obsolete,
                (true, _) => EventStatus::Duplicate,
                (false, Some(Fault::ConflictDuplicate)) => EventStatus::Duplicate,
                (false, Some(Fault::ConflictStored)) => {
                    state.events.insert(event.event_id.clone(), bytes);
                    EventStatus::Stored
                }
                (false, _) => EventStatus::Conflict,
            };
        }
        if let Some(Kind::PersonChanged(person)) = &event.kind {
            let last = state.versions.entry(person.token.clone()).or_default();
            let taken = match self.inner().fault {
                Some(Fault::ObsoleteStored) => true,
                Some(Fault::SameVersionStored) => person.version >= *last,
                _ => person.version > *last,
            };
            if !taken {
                return EventStatus::Obsolete;
            }
            *last = person.version.max(*last);
        }
        state.events.insert(event.event_id.clone(), bytes);
        EventStatus::Stored
    }

    fn check(&self, events: &[Event]) -> Result<(), Status> {
        let mut faults = Faults::default();
        let some = !events.is_empty() || self.is(Fault::EmptyTaken);
        faults.check(some, "events", FieldFault::Missing);
        let most = usize::try_from(EVENTS_MAX).unwrap();
        let few = events.len() <= most || self.is(Fault::NoEventsMax);
        faults.check(few, "events", FieldFault::TooMany);
        for (number, event) in events.iter().enumerate() {
            let field = |name: &str| format!("events[{number}].{name}");
            let timely = event.event_time.is_some() || self.is(Fault::TimelessTaken);
            faults.check(!event.event_id.is_empty(), field("event_id"), FieldFault::Missing);
            faults.check(event.sequence > 0, field("sequence"), FieldFault::Missing);
            faults.check(timely, field("event_time"), FieldFault::Missing);
        }
        faults.finish()
    }
}

#[tonic::async_trait]
impl SinkService for Database {
    async fn deliver_events(
        &self,
        request: Request<DeliverEventsRequest>,
    ) -> Result<Response<DeliverEventsResponse>, Status> {
        self.note(request.get_ref());
        let events = request.into_inner().events;
        let mut state = self.inner().state.lock().unwrap();
        let refused = self.check(&events);
        if self.is(Fault::UnsupportedRefused) && events.iter().any(|event| event.kind.is_none()) {
            return Err(refuse(ErrorReason::InvalidRequest));
        }
        if refused.is_err() && !self.is(Fault::RefusedStored) {
            refused.clone()?;
        }
        let mut in_this = Vec::new();
        let mut results = Vec::new();
        for event in &events {
            let status = self.take(&mut state, event, &mut in_this).into();
            results.push(EventResult { event_id: event.event_id.clone(), status });
        }
        refused?;
        if self.is(Fault::ResultsBackwards) && results.len() > 9 {
            results.reverse();
        }
        if self.is(Fault::ResultMissing) && results.len() > 9 {
            results.pop();
        }
        Ok(Response::new(DeliverEventsResponse { results }))
    }
}
