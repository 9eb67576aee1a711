//! `StreamContributions`: many contributions on one stream, each as `SubmitContribution` takes it.

use std::{sync::Arc, time::Duration};

use contract::contribution::v1::{StreamContributionsResponse, SubmitContributionRequest};
use disclosure::{
    Asked, Exact, Released,
    signature::Presented,
    streaming::{self, Messages, Responses},
};
use server::{Caller, Closing, Deadline};
use tonic::{Status, Streaming};
use wire::Faults;

use super::{Call, SUBMIT, Shared};

/// Contributions of one stream that are under way: writers take turns in the register, so that more would only keep others
/// waiting (I11). It is in the contract.
const UNDER_WAY_MAX: usize = 16;
/// Streams of one caller that are open at once. It is in the contract.
pub(super) const STREAMS_MAX: usize = 8;
/// How long a contribution may take. It is in the contract.
const CONTRIBUTION_MAX: Duration = Duration::from_secs(30);

/// Starts to answer.
pub(super) fn start(
    shared: Arc<Shared>,
    caller: Caller,
    (deadline, closing): (Deadline, Closing),
    presented: Presented,
    messages: Streaming<Exact<SubmitContributionRequest>>,
) -> Responses<StreamContributionsResponse> {
    streaming::answer((deadline, closing), messages, UNDER_WAY_MAX, |messages| async move {
        answer_all(&shared, (&caller, &presented), deadline, messages).await
    })
}

async fn answer_all(
    shared: &Shared,
    (caller, presented): (&Caller, &Presented),
    deadline: Deadline,
    messages: Messages<SubmitContributionRequest, StreamContributionsResponse>,
) -> Result<(), Status> {
    let _stream = shared.streams.open(caller)?;
    let respond = |exact: Exact<SubmitContributionRequest>| {
        let deadline = deadline.within(CONTRIBUTION_MAX);
        async move {
            // The same bytes are one contribution with one receipt, whichever way they come (I4).
            let asked = Asked::on_stream(exact.bytes(), presented);
            let call = Call::own(shared, SUBMIT, caller.clone(), deadline, asked);
            let call = call.on(exact.message().basis.as_ref());
            let key = key(exact.message());
            match deadline.bounds(call.submit(exact.message())).await {
                Ok(submitted) => Released::<StreamContributionsResponse>::answered(key, submitted),
                Err(status) => Released::<StreamContributionsResponse>::refused(key, &status),
            }
        }
    };
    messages.answer_each(respond).await
}

/// The key of a contribution; empty where it is none.
fn key(message: &SubmitContributionRequest) -> String {
    let mut faults = Faults::default();
    faults.key("idempotency_key", &message.idempotency_key);
    if faults.is_empty() { message.idempotency_key.clone() } else { String::new() }
}
