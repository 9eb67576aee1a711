//! What the service does by itself: it records what has lapsed, makes the records that a process left unmade, and measures.

use std::time::Duration;

use contract::policy::v1::{Expiry, MoveConnectionRequest, Suspension, move_connection_request};
use opentelemetry::{KeyValue, global, metrics::Gauge};
use prost::Message as _;
use server::{Caller, Deadline};

use super::{
    super::{agreement, rule_set},
    Call, MOVE, Shared,
};
use crate::{
    Error,
    app::admission::{Lapsed, Refused},
    domain::admission::{Move, Step, law::LAPSED, obstacle::Lapse},
    store::admission::{Asked, Entry},
};

/// How long one move of the service itself may take.
const MOVE_MAX: Duration = Duration::from_secs(10);
/// Whoever asked for a move is answered by now, or never.
const ANSWERED_US: i64 = 60_000_000;
/// What has to be put right where an assessment lapsed.
const REMEDY: &str = "Đánh giá lại an toàn / assess security anew";

/// What operators see of admissions.
pub(crate) struct Gauges {
    admissions: Gauge<u64>,
    assessment: Gauge<i64>,
}

impl Gauges {
    pub(crate) fn new() -> Self {
        let meter = global::meter("lienthong");
        Self {
            admissions: meter
                .u64_gauge("lienthong.policy.admissions")
                .with_description("Admissions by state")
                .build(),
            assessment: meter
                .i64_gauge("lienthong.policy.assessment")
                .with_unit("d")
                .with_description("Days until the security assessment of a connection lapses")
                .build(),
        }
    }
}

/// Looks at every admission once, and gives how many moves it made. Every replica may do so at any time: one of them makes a move,
/// because its request id is the same for all.
pub(crate) async fn look(shared: &Shared, gauges: &Gauges) -> Result<usize, Error> {
    let looked = shared.admissions.look().await?;
    for (state, count) in &looked.counted {
        gauges.admissions.record(*count, &[KeyValue::new("state", *state)]);
    }
    for (connection, left) in &looked.days_left {
        gauges.assessment.record(*left, &[KeyValue::new("connection", connection.clone())]);
    }
    let mut made = 0;
    for lapsed in looked.lapsed {
        let asked = own(shared, lapsed);
        let digest = asked.digest;
        match shared.admissions.advance(Deadline::after(MOVE_MAX), asked).await? {
            Ok(entry) if entry.digest == digest => {
                tracing::warn!(connection = entry.connection, state = entry.state, "lapsed");
                made += 1;
                record(shared, &entry).await;
            }
            Ok(_) => tracing::error!("a request id of the service itself was used by somebody"),
            // Somebody moved it in between: the next look sees what became of it.
            Err(Refused::Changed(_) | Refused::NotPossible(_) | Refused::Unknown) => {}
            Err(Refused::Second) => tracing::error!("the service itself is no second officer"),
        }
    }
    for entry in shared.admissions.unrecorded(ANSWERED_US).await? {
        record(shared, &entry).await;
    }
    agreement::record_unmade(shared, ANSWERED_US).await?;
    rule_set::record_unmade(shared, ANSWERED_US).await?;
    Ok(made)
}

/// A move of the service itself, as a request would say it.
fn own(shared: &Shared, lapsed: Lapsed) -> Asked {
    let Lapsed { connection, version, lapse } = lapsed;
    // Officers' ids have no such form by chance; were one used all the same, it is seen.
    let mut request_id = hex::encode(tlog::digest(format!("{connection}/{version}").as_bytes()));
    request_id.truncate(32);
    let request_id = format!("lapse:{request_id}");
    let (reason, step, what) = match lapse {
        Lapse::Assessment => (
            "Đánh giá an toàn đã hết hạn / the security assessment lapsed",
            Step::Suspend { cause: LAPSED.to_owned(), remedy: REMEDY.to_owned() },
            move_connection_request::Move::Suspend(Suspension {
                cause: LAPSED.to_owned(),
                remedy: REMEDY.to_owned(),
            }),
        ),
        Lapse::Agreement => (
            "Thỏa thuận hết hiệu lực / no agreement is in force any more",
            Step::Expire,
            move_connection_request::Move::Expire(Expiry {}),
        ),
    };
    let request = MoveConnectionRequest {
        request_id: request_id.clone(),
        connection: connection.clone(),
        expected_version: version,
        document: None,
        reason: reason.to_owned(),
        r#move: Some(what),
    }
    .encode_to_vec();
    let made = Move {
        by: shared.own.id().to_owned(),
        role: None,
        at_us: shared.admissions.now_us(),
        document: None,
        reason: reason.to_owned(),
        step,
    };
    let digest = tlog::digest(&request);
    Asked { connection, request_id, digest, request, expected: version, rules: None, made }
}

/// Makes the record of a move. Where it cannot be made now it is made by a later look.
async fn record(shared: &Shared, entry: &Entry) {
    if entry.kept.is_some() {
        return;
    }
    let Ok(caller) = Caller::parse(&entry.made.by, &shared.trust_domain) else {
        tracing::error!(connection = entry.connection, "a move of nobody");
        return;
    };
    let asked = MoveConnectionRequest::decode(&entry.request[..]).unwrap_or_default();
    let deadline = Deadline::after(MOVE_MAX);
    let request = disclosure::Asked::by_service(&entry.request);
    let call = Call { shared, agreement: "", method: MOVE, caller, deadline, asked: request };
    if call.recorded(entry, &asked.request_id).await.is_err() {
        tracing::error!(connection = entry.connection, "a move is not known to be recorded yet");
    }
}
