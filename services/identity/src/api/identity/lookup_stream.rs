//! `LookupStream`: many persons on one stream, each answered as `GetPerson` answers.

mod queries;
mod turns;

use std::{sync::Arc, time::Duration};

use contract::{
    identity::v1::{LookupStreamRequest, LookupStreamResponse},
    r#type::v1::ErrorReason,
};
use disclosure::{
    Exact, Released,
    signature::Presented,
    streaming::{self, Messages, Responses},
};
use server::{Caller, Closing, Deadline, error::refuse};
use tonic::{Status, Streaming};
use wire::{Fault, Faults};

use self::queries::Opened;
pub(in crate::api) use self::turns::Turns;
use crate::api::Shared;

/// Queries of one stream that are under way. It is in the contract.
const UNDER_WAY_MAX: usize = 64;
/// Streams of one caller that are open at once. It is in the contract.
pub(in crate::api) const STREAMS_MAX: usize = 8;
/// How long a stream may wait for its opening. It is in the contract.
const OPENING_MAX: Duration = Duration::from_secs(30);

/// Starts to answer.
pub(super) fn start(
    shared: Arc<Shared>,
    caller: Caller,
    (deadline, closing): (Deadline, Closing),
    presented: Presented,
    messages: Streaming<Exact<LookupStreamRequest>>,
) -> Responses<LookupStreamResponse> {
    streaming::answer((deadline, closing), messages, UNDER_WAY_MAX, |messages| async move {
        answer_all(&shared, (&caller, &presented), deadline, messages).await
    })
}

/// Reads the opening, then answers each query, until the caller has ended its side or the stream must end.
async fn answer_all(
    shared: &Shared,
    (caller, presented): (&Caller, &Presented),
    deadline: Deadline,
    mut messages: Messages<LookupStreamRequest, LookupStreamResponse>,
) -> Result<(), Status> {
    let _stream = shared.streams.open(caller)?;
    let first = messages.first(deadline.within(OPENING_MAX)).await?;
    let Some(first) = first else { return Err(no_opening()) };
    let opened = &Opened::read(shared, (caller, presented), deadline, &first)?;
    let respond = |exact: Exact<LookupStreamRequest>| {
        let query = opened.begin(&exact);
        async move {
            let id = query.correlation_id;
            let response = match opened.answer(&query, &exact).await {
                Ok(disclosed) => Released::<LookupStreamResponse>::answered(id, disclosed),
                Err(status) => Released::<LookupStreamResponse>::refused(id, &status),
            };
            opened.is_answered(query);
            response
        }
    };
    messages.answer_each(respond).await
}

/// A stream that ends before it is opened.
fn no_opening() -> Status {
    let mut faults = Faults::default();
    faults.add("opening", Fault::Missing);
    faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal))
}
