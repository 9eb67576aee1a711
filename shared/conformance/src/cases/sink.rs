//! SNK: what the database does with events. Events of a seed are its own: their ids, persons and places come of it.
//!
//! | module | rules |
//! |---|---|
//! | `again` | SNK-2 to SNK-4, SNK-7: what came before |

pub(crate) mod again;

use contract::database::v1::{
    ChangeDecided, ChangeRejected, DeliverEventsRequest, DeliverEventsResponse, Discrepancy,
    DiscrepancyKind, Event, EventStatus, PersonChanged, change_decided::Outcome, event::Kind,
};
use prost::Message as _;
use prost_types::Timestamp;
use tonic::Code;

use crate::{
    Seed,
    found::{Found, Tried, Trouble, beyond_a_request, failed, not_tried},
    kit::{Dice, Kit, answer, call, is_refused, message, ok, path, shown},
    wire::{Ask, Wire},
};

/// 2026-01-01: the same for every run, because the bytes of a seed are.
const EVENT_TIME: i64 = 1_767_225_600;

/// The events of one case.
pub(crate) struct Events {
    dice: Dice,
    sequence: u64,
}

impl Events {
    pub(crate) fn new(kit: &Kit, case: &str) -> Self {
        // Room for all cases of a seed, and beyond what other seeds have used, as far as they are smaller.
        let place = crate::cases::CASES.iter().position(|known| known.id == case).unwrap_or(0);
        let place = u64::try_from(place).unwrap_or(0) << 12;
        let base = (kit.plan.seed.number() & 0xffff_ffff) << 20;
        Self { dice: kit.dice(case), sequence: base + place }
    }

    fn event(&mut self, kind: Kind) -> Event {
        self.sequence += 1;
        let at = Timestamp { seconds: EVENT_TIME, nanos: 0 };
        let event_id = format!("kit-{}", self.dice.id());
        Event { event_id, sequence: self.sequence, event_time: Some(at), kind: Some(kind) }
    }

    /// Something that does not agree.
    pub(crate) fn discrepancy(&mut self) -> Event {
        let change_id = format!("kit-{}", self.dice.id());
        let kind = DiscrepancyKind::OutOfOrder.into();
        self.event(Kind::Discrepancy(Discrepancy {
            change_id,
            item: String::new(),
            discrepancy: kind,
        }))
    }

    /// A change that was not taken.
    fn decided(&mut self) -> Event {
        let change_id = format!("kit-{}", self.dice.id());
        let rejected =
            ChangeRejected { reason: "CONTRIBUTION_REJECTED".into(), ..Default::default() };
        let outcome = Some(Outcome::Rejected(rejected));
        self.event(Kind::ChangeDecided(ChangeDecided { change_id, outcome }))
    }

    /// A person.
    fn token(&mut self) -> String {
        format!("kit-{}", self.dice.id())
    }

    /// A person whose record changed.
    fn person(&mut self, token: &str, version: u64) -> Event {
        let (token, items) = (token.to_owned(), vec!["sex".to_owned()]);
        self.event(Kind::PersonChanged(PersonChanged {
            token,
            version,
            items,
            ..PersonChanged::default()
        }))
    }
}

/// A delivery, and what became of it.
async fn deliver(wire: &Wire, tried: &str, events: &[&Event]) -> Tried<DeliverEventsResponse> {
    let events = events.iter().map(|event| (*event).clone()).collect();
    ok(wire, tried, path::DELIVER, &DeliverEventsRequest { events }).await
}

/// The statuses of a delivery, in words.
fn words(statuses: &[EventStatus]) -> String {
    let short = |status: &EventStatus| status.as_str_name().trim_start_matches("EVENT_STATUS_");
    statuses.iter().map(short).collect::<Vec<_>>().join(", ")
}

fn statuses(answer: &DeliverEventsResponse) -> Vec<EventStatus> {
    answer.results.iter().map(contract::database::v1::EventResult::status).collect()
}

/// Delivers, and compares what became of it; says whether that is as expected.
async fn expect(
    wire: &Wire,
    found: &mut Found,
    (tried, events): (&str, &[&Event]),
    expected: &[EventStatus],
) -> Tried<bool> {
    let told = statuses(&deliver(wire, tried, events).await?);
    let same = told == expected;
    found.check(same, tried, words(expected), words(&told));
    Ok(same)
}

/// Stores events that are new; a case cannot go on without.
async fn store(kit: &Kit, wire: &Wire, tried: &str, events: &[&Event]) -> Tried {
    let told = statuses(&deliver(wire, tried, events).await?);
    if told.len() == events.len() && told.iter().all(|status| *status == EventStatus::Stored) {
        return Ok(());
    }
    if let Some(trouble) = of_an_earlier_run(kit, &told) {
        return Err(trouble);
    }
    Err(failed(tried, "STORED for each", words(&told)))
}

/// Whether the events of this seed were delivered before, by an earlier run.
fn of_an_earlier_run(kit: &Kit, told: &[EventStatus]) -> Option<Trouble> {
    let given = matches!(kit.plan.seed, Seed::Given(_));
    let known = told.contains(&EventStatus::Duplicate);
    (given && known).then(|| {
        not_tried(
            (
                "sự kiện của seed này đã được giao trong một lần chạy trước",
                "the events of this seed were delivered by an earlier run",
            ),
            ("--seed khác, hoặc cơ sở dữ liệu trống", "another --seed, or an empty database"),
        )
    })
}

/// SNK-1.
pub(crate) async fn results(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-1");
    let token = events.token();
    let mut all = vec![events.discrepancy(), events.decided(), events.person(&token, 1)];
    let max = kit.description.limits.map_or(0, |limits| limits.events_max);
    while all.len() < usize::try_from(max).unwrap_or(0).min(100) {
        all.push(events.discrepancy());
    }
    all.truncate(usize::try_from(max).unwrap_or(0).max(1));
    let tried = format!("a delivery of {} new events", all.len());
    let answer = deliver(&wire, &tried, &all.iter().collect::<Vec<_>>()).await?;
    let told: Vec<&str> = answer.results.iter().map(|result| result.event_id.as_str()).collect();
    let sent: Vec<&str> = all.iter().map(|event| event.event_id.as_str()).collect();
    let seen = format!("{} results, in another order or of other ids", told.len());
    found.check(told == sent, tried.as_str(), "one result for each, in this order", seen);
    let told = statuses(&answer);
    let stored = told.iter().all(|status| *status == EventStatus::Stored);
    if !stored && let Some(trouble) = of_an_earlier_run(kit, &told) {
        return Err(trouble);
    }
    found.check(stored, tried, "STORED for each", words(&told));
    Ok(())
}

/// The bytes of a delivery.
fn delivery(events: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        prost::encoding::bytes::encode(1, event, &mut bytes);
    }
    bytes
}

/// An event of a kind that a later contract may have.
fn later_kind(event: &Event) -> Vec<u8> {
    let mut bytes = Event { kind: None, ..event.clone() }.encode_to_vec();
    prost::encoding::bytes::encode(15, &vec![0x0a_u8, 0x01, b'x'], &mut bytes);
    bytes
}

/// SNK-5.
pub(crate) async fn unsupported(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-5");
    let (first, later, last) = (events.discrepancy(), events.discrepancy(), events.discrepancy());
    let body = delivery(&[first.encode_to_vec(), later_kind(&later), last.encode_to_vec()]);
    let tried = "a delivery with an event of a later kind in its middle";
    let reply = answer(&wire, tried, Ask::bytes(path::DELIVER, &body)).await?;
    let expected = [EventStatus::Stored, EventStatus::Unsupported, EventStatus::Stored];
    if reply.status.code() != Code::Ok {
        return Err(failed(tried, words(&expected), shown(&reply.status)));
    }
    let answer: DeliverEventsResponse = message(tried, &reply)?;
    let told = statuses(&answer);
    let again = [EventStatus::Duplicate, EventStatus::Unsupported, EventStatus::Duplicate];
    if told == again && matches!(kit.plan.seed, Seed::Given(_)) {
        return Ok(());
    }
    found.check(told == expected, tried, words(&expected), words(&told));
    Ok(())
}

/// SNK-6.
pub(crate) async fn refused(kit: &Kit, found: &mut Found) -> Tried {
    const BYTES_MAX: usize = 4 << 20;
    let wire = kit.connect().await?;
    let mut events = Events::new(kit, "SNK-6");
    let good = events.discrepancy();
    let mut all: Vec<(String, Vec<Event>)> = vec![("no event".into(), Vec::new())];
    let nameless = Event { event_id: String::new(), ..events.discrepancy() };
    let placeless = Event { sequence: 0, ..events.discrepancy() };
    let timeless = Event { event_time: None, ..events.discrepancy() };
    for (what, faulty) in [("id", nameless), ("sequence", placeless), ("time", timeless)] {
        all.push((format!("an event without {what}"), vec![good.clone(), faulty]));
    }
    let max = kit.description.limits.map_or(0, |limits| limits.events_max);
    let more = usize::try_from(max).unwrap_or(0) + 1;
    let mut many = vec![good.clone()];
    while many.len() < more.min(100_000) {
        many.push(events.discrepancy());
    }
    let bytes = DeliverEventsRequest { events: many.clone() }.encoded_len();
    let fits = bytes < BYTES_MAX && many.len() == more;
    if fits {
        all.push((format!("{more} events"), many));
    }
    for (what, events) in all {
        let tried = format!("a delivery with {what}");
        let request = DeliverEventsRequest { events };
        let reply = call(&wire, &tried, path::DELIVER, &request).await?;
        let holds = is_refused(&reply.status, Code::InvalidArgument, "INVALID_REQUEST");
        found.check(holds, tried, "INVALID_ARGUMENT INVALID_REQUEST", shown(&reply.status));
    }
    if !found.findings.is_empty() {
        return Ok(());
    }
    let tried = "the good event of the refused deliveries, alone";
    let told = statuses(&deliver(&wire, tried, &[&good]).await?);
    if told != [EventStatus::Stored]
        && let Some(trouble) = of_an_earlier_run(kit, &told)
    {
        return Err(trouble);
    }
    let holds = told == [EventStatus::Stored];
    found.check(holds, tried, "STORED: nothing had changed", words(&told));
    if fits { Ok(()) } else { Err(beyond_a_request("events_max", more)) }
}

/// DB-13 for a sink: a delivery with fields of a later contract beside its events.
pub(crate) async fn newer_delivery(
    kit: &Kit,
    wire: &Wire,
    found: &mut Found,
    later: &[u8],
) -> Tried {
    let event = Events::new(kit, "DB-13").discrepancy();
    let body = [DeliverEventsRequest { events: vec![event] }.encode_to_vec(), later.to_vec()];
    let tried = "DeliverEvents with fields of a later contract";
    let reply = answer(wire, tried, Ask::bytes(path::DELIVER, &body.concat())).await?;
    let answer: DeliverEventsResponse = message(tried, &reply)?;
    let told = statuses(&answer);
    let holds = told == [EventStatus::Stored] || of_an_earlier_run(kit, &told).is_some();
    found.check(holds, tried, "STORED", words(&told));
    Ok(())
}
