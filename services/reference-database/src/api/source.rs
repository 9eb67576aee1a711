//! `SourceService`.

use std::{pin::Pin, sync::Arc, time::Duration};

use contract::{
    database::v1::{
        Change, ListChangesRequest, ListChangesResponse, StreamChangesRequest,
        StreamChangesResponse, source_service_server::SourceService,
    },
    r#type::v1::ErrorReason,
};
use futures::{Stream, stream};
use server::{Deadline, error::refuse};
use tonic::{Request, Response, Status};
use wire::{Fault, Faults};

use super::{Api, away, change};
use crate::{
    Shared,
    profile::PAGE_MAX,
    store::{Gone, Page, Stored},
};

/// How often a stream that follows looks for what another process has committed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[tonic::async_trait]
impl SourceService for Api {
    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        self.admit(&request)?;
        let ListChangesRequest { cursor, page_size } = request.into_inner();
        let Page { changes, next_cursor, end_reached } =
            page(&self.0, &cursor, size(page_size)?).await?;
        let changes = written(changes)?;
        Ok(Response::new(ListChangesResponse { changes, next_cursor, end_reached }))
    }

    type StreamChangesStream =
        Pin<Box<dyn Stream<Item = Result<StreamChangesResponse, Status>> + Send>>;

    async fn stream_changes(
        &self,
        request: Request<StreamChangesRequest>,
    ) -> Result<Response<Self::StreamChangesStream>, Status> {
        let deadline = self.admit(&request)?;
        let StreamChangesRequest { cursor, follow } = request.into_inner();
        // What is wrong with the cursor is said before the first message.
        let first = page(&self.0, &cursor, PAGE_MAX).await?;
        let shared = Arc::clone(&self.0);
        let reading = Reading { shared, deadline, follow, next: Next::Have(first) };
        Ok(Response::new(Box::pin(stream::unfold(reading, Reading::next))))
    }
}

/// A page is of the size that was asked for, and never of more than is allowed (rules SRC-21, SRC-22).
fn size(asked: i32) -> Result<u16, Status> {
    match u16::try_from(asked) {
        Ok(0) => Ok(PAGE_MAX),
        Ok(size) => Ok(size.min(PAGE_MAX)),
        Err(_) if asked > 0 => Ok(PAGE_MAX),
        Err(_) => {
            let mut faults = Faults::default();
            faults.add("page_size", Fault::NotAllowed);
            faults.finish()?;
            Ok(PAGE_MAX)
        }
    }
}

async fn page(shared: &Shared, cursor: &str, size: u16) -> Result<Page, Status> {
    match shared.database.changes(cursor, size).await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(Gone::Unknown)) => Err(refuse(ErrorReason::UnknownCursor)),
        Ok(Err(Gone::Expired)) => Err(refuse(ErrorReason::CursorExpired)),
        Err(error) => Err(away(&error)),
    }
}

fn written(changes: Vec<Stored>) -> Result<Vec<Change>, Status> {
    changes.into_iter().map(change).collect::<Result<_, _>>().map_err(|error| away(&error))
}

/// A stream under way. It holds one page at most: whoever takes nothing keeps nothing else waiting (rule DB-14).
struct Reading {
    shared: Arc<Shared>,
    deadline: Deadline,
    follow: bool,
    next: Next,
}

enum Next {
    /// This page, read already.
    Have(Page),
    /// What comes after this cursor.
    After(String),
    /// Nothing: it has ended.
    End,
}

impl Reading {
    async fn next(mut self) -> Option<(Result<StreamChangesResponse, Status>, Self)> {
        loop {
            let page = match std::mem::replace(&mut self.next, Next::End) {
                Next::End => return None,
                Next::Have(page) => Ok(page),
                Next::After(cursor) => {
                    self.deadline.bounds(page(&self.shared, &cursor, PAGE_MAX)).await
                }
            };
            let Page { changes, next_cursor, end_reached } = match page {
                Ok(page) => page,
                Err(status) => return Some((Err(status), self)),
            };
            if !end_reached || self.follow {
                self.next = Next::After(next_cursor.clone());
            }
            if !changes.is_empty() {
                let part =
                    written(changes).map(|changes| StreamChangesResponse { changes, next_cursor });
                return Some((part, self));
            }
            if end_reached && let Err(end) = self.wait().await {
                self.next = Next::End;
                return end.map(|status| (Err(status), self));
            }
        }
    }

    /// Waits for what may come; the end of the stream otherwise: nothing to follow, the caller's deadline (rule
    /// SRC-32), or the end of this process.
    async fn wait(&self) -> Result<(), Option<Status>> {
        if !self.follow {
            return Err(None);
        }
        let mut ending = self.shared.ending.subscribe();
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => Ok(()),
            () = tokio::time::sleep_until(self.deadline.at()) => Err(Some(refuse(ErrorReason::DeadlineExceeded))),
            _ = ending.wait_for(|ending| *ending) => Err(Some(refuse(ErrorReason::Overloaded))),
        }
    }
}
