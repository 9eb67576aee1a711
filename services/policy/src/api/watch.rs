//! `WatchRevisions`: what is decided under, and what revisions touch.

use std::{pin::Pin, sync::Arc};

use contract::{policy::v1 as proto, r#type::v1::ErrorReason};
use futures::{Stream, stream};
use server::{Closing, Deadline, error::refuse};
use tokio::{sync::watch, time::Instant};
use tonic::Status;

use crate::{
    app::App,
    domain::revision::{Newest, Ruling, Touched},
    looks::Look,
};

/// The messages of a stream, made when the transport takes them: one that is not taken is no later than the next.
pub(super) type Messages =
    Pin<Box<dyn Stream<Item = Result<proto::WatchRevisionsResponse, Status>> + Send>>;

/// A stream that is open.
struct Watching {
    app: Arc<App>,
    deadline: Deadline,
    closing: Closing,
    opened: Instant,
    looks: watch::Receiver<Option<Look>>,
    /// What the caller was told last.
    told: Newest,
    /// Whether it was told anything on this stream.
    begun: bool,
}

/// Starts to tell.
pub(super) fn start(
    app: Arc<App>,
    (deadline, closing): (Deadline, Closing),
    request: proto::WatchRevisionsRequest,
) -> Messages {
    let proto::WatchRevisionsRequest { after, after_digest } = request;
    let told = Newest { number: after, digest: after_digest, rules: Ruling::default() };
    let (opened, looks) = (Instant::now(), app.looks.watched());
    let watching = Watching { app, deadline, closing, opened, looks, told, begun: false };
    Box::pin(stream::unfold(Some(watching), |watching| async move {
        let mut watching = watching?;
        Some(match watching.next().await {
            Ok(message) => (Ok(message), Some(watching)),
            Err(ended) => (Err(ended), None),
        })
    }))
}

impl Watching {
    async fn next(&mut self) -> Result<proto::WatchRevisionsResponse, Status> {
        loop {
            tokio::select! {
                biased;
                () = self.closing.begins() => return Err(refuse(ErrorReason::Overloaded)),
                () = tokio::time::sleep_until(self.deadline.at()) => {
                    return Err(refuse(ErrorReason::DeadlineExceeded));
                }
                looked = self.looks.changed() => {
                    looked.map_err(|_closed| refuse(ErrorReason::PolicyUnavailable))?;
                }
            }
            let look = self.looks.borrow_and_update().clone();
            // What was looked at before the stream was opened has no time of the stream's.
            let Some(look) = look.filter(|look| look.begun >= self.opened) else { continue };
            if let Some(message) = self.message(look).await {
                return Ok(message);
            }
        }
    }

    /// What is told of a look; nothing when what was touched cannot be read.
    async fn message(&mut self, look: Look) -> Option<proto::WatchRevisionsResponse> {
        let Look { newest, begun } = look;
        let touched = if self.begun && newest == self.told {
            Touched::These(Vec::new())
        } else {
            self.app.touched_since(&self.told, &newest).await.ok()?
        };
        let profile = self.app.in_force.of(&newest.rules).await.ok()?;
        let policy_revision = profile.revision(&newest.digest);
        (self.begun, self.told) = (true, newest.clone());
        let looked = begun.saturating_duration_since(self.opened).as_millis();
        let (connections, everything, other_history) = match touched {
            Touched::These(connections) => (connections, false, false),
            Touched::Everything => (Vec::new(), true, false),
            Touched::OtherHistory => (Vec::new(), true, true),
        };
        Some(proto::WatchRevisionsResponse {
            number: newest.number,
            digest: newest.digest,
            policy_revision,
            connections,
            everything,
            other_history,
            looked_milliseconds: u64::try_from(looked).unwrap_or(u64::MAX),
        })
    }
}
