//! The role source.

use std::{pin::Pin, time::Duration};

use contract::{
    contribution::v1::{
        Annulment, BirthRegistration, CorrectedValue, Correction, DeathRegistration, Evidence,
        LifeEvent, Marriage, Party, Registration, ResidenceChange, ResidenceKind, life_event,
        marriage,
    },
    database::v1::{
        Change, ListChangesRequest, ListChangesResponse, StreamChangesRequest,
        StreamChangesResponse, change::Event, source_service_server::SourceService,
    },
    r#type::v1::{
        AccessBasis, Address, Claims, CodedValue, ErrorReason, FieldFault, ItemValue, PartialDate,
        PersonName, SubjectRef, item_value, subject_ref,
    },
};
use futures::{Stream, StreamExt as _};
use prost_types::Timestamp;
use server::error::refuse;
use tokio::{sync::mpsc, time::Instant};
use tonic::{Request, Response, Status};

use super::{Database, Faults, PAGE_SIZE_MAX, serve, unknown_cursor};
use crate::faults::Fault;

/// Changes that were committed; the first three are not kept any more.
const CHANGES: usize = 40;
const OLDEST: usize = 3;
/// The change that is a marriage.
const MARRIAGE: usize = 17;
/// Changes of one message of a stream.
const PART: usize = 5;

fn evidence() -> Evidence {
    let (code_system, code_system_version) = ("evidence-kind".into(), "1".into());
    let (code, display) = ("declaration".into(), String::new());
    let kind = Some(CodedValue { code_system, code_system_version, code, display });
    Evidence { kind, digest: vec![7; 32], number: String::new() }
}

pub fn basis() -> AccessBasis {
    AccessBasis {
        procedure: "khai-sinh".into(),
        legal_basis: "1911-2021-art-2-2".into(),
        case_reference: "x".into(),
        acting_unit: "Z00.TEST".into(),
        officer: "x".into(),
        ..Default::default()
    }
}

fn number(place: usize) -> String {
    format!("9901900{place:05}")
}

fn event(place: usize) -> Event {
    let date = Some(PartialDate { year: 2026, month: 1, day: 2 });
    let at = Address { text: "x".into(), commune_code: "00001".into(), ..Default::default() };
    let coded = |list: &str| {
        let (code_system, code_system_version, code) = (list.into(), "1".into(), "1".into());
        Some(CodedValue { code_system, code_system_version, code, display: String::new() })
    };
    let subject =
        Some(SubjectRef { subject: Some(subject_ref::Subject::PersonalNumber(number(place))) });
    let full_name = format!("Nguyễn Giả Định {place}");
    let claims = Some(Claims { full_name: full_name.clone(), date_of_birth: date });
    let entry_number = place.to_string();
    if place == MARRIAGE {
        let other = subject_ref::Subject::PersonalNumber(number(place + 1));
        let spouse =
            Party { subject: Some(SubjectRef { subject: Some(other) }), claims: claims.clone() };
        let spouse = Some(marriage::Spouse::RegisteredSpouse(spouse));
        return Event::LifeEvent(LifeEvent {
            subject,
            claims,
            effective_date: date,
            registration: Some(Registration {
                entry_number,
                registration_date: date,
                registration_place: Some(at),
            }),
            event: Some(life_event::Event::Marriage(Marriage { spouse })),
        });
    }
    match place % 5 {
        0 => Event::Birth(BirthRegistration {
            entry_number,
            registration_date: date,
            registration_place_code: "990".into(),
            registration_place: Some(at.clone()),
            full_name: Some(PersonName { full_name, ..Default::default() }),
            date_of_birth: date,
            sex: coded("sex"),
            place_of_birth: Some(at.clone()),
            native_place: Some(at),
            ethnic_group: coded("ethnic-group"),
            nationality: coded("nationality"),
            parents: Vec::new(),
        }),
        1 => Event::Death(DeathRegistration {
            subject,
            claims,
            entry_number,
            registration_date: date,
            registration_place: Some(at),
            date_of_death: date,
        }),
        2 => Event::Residence(ResidenceChange {
            subject,
            claims,
            kind: ResidenceKind::Permanent.into(),
            address: Some(at),
            effective_date: date,
            residence_file_number: String::new(),
        }),
        3 => Event::Correction(Correction {
            subject,
            claims,
            entry_number,
            correction_date: date,
            registration_place: Some(at),
            corrected_values: vec![CorrectedValue {
                item: "sex".into(),
                value: Some(ItemValue {
                    value: Some(item_value::Value::Coded(coded("sex").unwrap())),
                }),
                valid_from: date,
            }],
        }),
        _ => Event::Annulment(Annulment {
            annulled_key: format!("khai-sinh-{place}"),
            annulled_items: vec!["sex".into()],
            decision_number: entry_number,
            decision_date: date,
        }),
    }
}

/// A cursor that goes on with the change at this place.
fn cursor(place: usize, fault: Option<Fault>) -> String {
    match fault {
        Some(Fault::LongCursors) => format!("c-{place}{}", "-".repeat(300)),
        Some(Fault::PersonalCursors) => format!("c-{place}-{}", number(6)),
        _ => format!("c-{place}"),
    }
}

pub fn change(place: usize, fault: Option<Fault>) -> Change {
    let own = if fault == Some(Fault::OwnCursorMeansItself) { place } else { place + 1 };
    let seconds = 1_767_225_600 + i64::try_from(place).unwrap();
    let mut change = Change {
        change_id: format!("khai-sinh-{}", place + 1),
        sequence: u64::try_from(place + 1).unwrap(),
        commit_time: Some(Timestamp { seconds, nanos: 0 }),
        cursor: cursor(own, fault),
        basis: Some(basis()),
        event: Some(event(place)),
        evidence: if place == MARRIAGE { vec![evidence()] } else { Vec::new() },
    };
    match (fault, place) {
        (Some(Fault::NoEvidence), MARRIAGE) => change.evidence.clear(),
        (Some(Fault::OrderGoneBack), 11) => change.sequence = 11,
        (Some(Fault::OrderGoneBack), 10) => change.sequence = 12,
        (Some(Fault::HalfBasis), 15) => change.basis.as_mut().unwrap().acting_unit.clear(),
        (Some(Fault::NoEvent), 15) => change.event = None,
        (Some(Fault::TimeGoesBack), 15) => change.commit_time.as_mut().unwrap().seconds -= 60,
        (Some(Fault::RealNumberListed), 21) => {
            if let Some(Event::Death(death)) = &mut change.event {
                let number = subject_ref::Subject::PersonalNumber("001190000001".into());
                death.subject = Some(SubjectRef { subject: Some(number) });
            }
        }
        _ => {}
    }
    change
}

pub fn changes(fault: Option<Fault>) -> Vec<Change> {
    (0..CHANGES).map(|place| change(place, fault)).collect()
}

impl Database {
    /// The place that a cursor goes on with.
    fn place(&self, cursor_: &str) -> Result<usize, Status> {
        let count = self.inner().state.lock().unwrap().changes.len();
        if cursor_.is_empty() {
            return Ok(match self.inner().fault {
                Some(Fault::EmptyMeansNewest) => count - 20,
                Some(Fault::EmptyMeansEnd) => count,
                _ => OLDEST,
            });
        }
        if cursor_.len() > 256 && self.is(Fault::TooLongInvalid) {
            let mut faults = Faults::default();
            faults.check(false, "cursor", FieldFault::TooLong);
            faults.finish()?;
        }
        // The fixtures name an old one.
        let old = |place: usize| place < OLDEST && cursor(place, None) == cursor_;
        let own = |place: usize| cursor(place, self.inner().fault) == cursor_;
        let Some(place) = (0..=count).find(|place| own(*place) || old(*place)) else {
            return match self.inner().fault {
                Some(Fault::UnknownMeansBeginning) => Ok(OLDEST),
                Some(Fault::UnknownMeansEnd) => Ok(count),
                _ => Err(unknown_cursor()),
            };
        };
        match (place < OLDEST, self.inner().fault) {
            (true, Some(Fault::ExpiredMeansOldest)) => Ok(OLDEST),
            (true, Some(Fault::ExpiredUnknown)) => Err(unknown_cursor()),
            (true, _) => Err(refuse(ErrorReason::CursorExpired)),
            (false, _) => Ok(place),
        }
    }

    fn page(&self, asked: &ListChangesRequest) -> Result<ListChangesResponse, Status> {
        let mut faults = Faults::default();
        let taken = asked.page_size >= 0 || self.is(Fault::NegativeTaken);
        faults.check(taken, "page_size", FieldFault::NotAllowed);
        faults.finish()?;
        let place = self.place(&asked.cursor)?;
        let mut size = match asked.page_size {
            size if size <= 0 => PAGE_SIZE_MAX,
            size if self.is(Fault::NoPageSizeMax) => size,
            size => size.min(PAGE_SIZE_MAX),
        };
        if self.is(Fault::PageOfOneMore) {
            size += 1;
        }
        let mut state = self.inner().state.lock().unwrap();
        let times = state.pages.entry((asked.cursor.clone(), asked.page_size)).or_default();
        *times += 1;
        let times = *times;
        let size = usize::try_from(size).unwrap();
        let listed = match self.inner().fault {
            Some(Fault::OneByOneEndsEarly) if asked.page_size == 1 => OLDEST + 10,
            Some(Fault::EndIsForEver) => CHANGES,
            _ => state.changes.len(),
        };
        let mut changes: Vec<Change> =
            state.changes.iter().take(listed).skip(place).take(size).cloned().collect();
        let mut next = place + changes.len();
        let end = next == state.changes.len();
        let again = times > 1 && asked.page_size == 7 && !changes.is_empty();
        if self.is(Fault::OtherBytesAgain) && again {
            changes[0].commit_time.as_mut().unwrap().nanos = 7;
        }
        if self.is(Fault::HugePage) && asked.page_size == i32::MAX && !changes.is_empty() {
            changes[0].basis.as_mut().unwrap().case_reference = "x".repeat(5 << 20);
        }
        if self.is(Fault::TwiceAcrossPages) && !end && changes.len() > 1 {
            next -= 1;
        }
        if self.is(Fault::LostAcrossPages) && !end && asked.page_size == 2 {
            next += 1;
        }
        let mut next_cursor = cursor(next, self.inner().fault);
        if self.is(Fault::NoCursorAtTheEnd) && end {
            next_cursor.clear();
        }
        let end_reached = match self.inner().fault {
            Some(Fault::EndReachedAlways) => true,
            Some(Fault::EndReachedNever) => false,
            _ => end,
        };
        Ok(ListChangesResponse { changes, next_cursor, end_reached })
    }

    /// The changes of a stream from a place on, and where to go on.
    fn part(&self, place: usize) -> (Vec<Change>, usize) {
        let state = self.inner().state.lock().unwrap();
        let mut changes: Vec<Change> =
            state.changes.iter().skip(place).take(PART).cloned().collect();
        let next = place + changes.len();
        if self.is(Fault::StreamLosesOne) {
            changes.retain(|change| change.change_id != "khai-sinh-31");
        }
        if self.is(Fault::StreamOtherBytes) {
            for change in changes.iter_mut().filter(|change| change.sequence == 31) {
                change.commit_time.as_mut().unwrap().nanos = 9;
            }
        }
        (changes, next)
    }

    async fn write(
        self,
        mut place: usize,
        follow: bool,
        due: Instant,
        out: mpsc::Sender<Result<StreamChangesResponse, Status>>,
    ) {
        let mut committed = self.inner().committed.subscribe();
        if follow && self.is(Fault::FollowBeginsLate) {
            place = *committed.borrow();
        }
        loop {
            let reading = match self.is(Fault::SlowReaderHoldsUp) {
                true => Some(self.inner().reading.lock().await),
                false => None,
            };
            loop {
                let (changes, next) = self.part(place);
                if next == place {
                    break;
                }
                place = next;
                let end = place == *committed.borrow();
                let beyond = usize::from(self.is(Fault::StreamCursorBeyond) && !end);
                let next_cursor = cursor(place + beyond, self.inner().fault);
                if out.send(Ok(StreamChangesResponse { changes, next_cursor })).await.is_err() {
                    return;
                }
            }
            drop(reading);
            if !follow || self.is(Fault::FollowEndsAtOnce) {
                break;
            }
            tokio::select! {
                _more = committed.changed(), if !self.is(Fault::FollowBringsNothing) => {}
                () = out.closed() => return,
                () = tokio::time::sleep_until(due) => {
                    let _gone = out.send(Err(refuse(ErrorReason::DeadlineExceeded))).await;
                    return;
                }
            }
        }
        if self.is(Fault::StreamEndsWithError) {
            let _gone = out.send(Err(refuse(ErrorReason::Internal))).await;
        }
    }
}

#[tonic::async_trait]
impl SourceService for Database {
    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        if self.is(Fault::SlowReaderHoldsUp) {
            drop(self.inner().reading.lock().await);
        }
        self.note(request.get_ref());
        self.page(request.get_ref()).map(Response::new)
    }

    type StreamChangesStream =
        Pin<Box<dyn Stream<Item = Result<StreamChangesResponse, Status>> + Send>>;

    async fn stream_changes(
        &self,
        request: Request<StreamChangesRequest>,
    ) -> Result<Response<Self::StreamChangesStream>, Status> {
        self.note(request.get_ref());
        let mut due = Instant::now() + serve::timeout(request.metadata().as_ref());
        if self.is(Fault::FollowKnowsNoDeadline) {
            due += Duration::from_secs(60);
        }
        let asked = request.into_inner();
        let place = self.place(&asked.cursor)?;
        let (sender, mut receiver) = mpsc::channel(1);
        tokio::spawn(self.clone().write(place, asked.follow, due, sender));
        let parts = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        Ok(Response::new(parts.boxed()))
    }
}
