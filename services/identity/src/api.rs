//! The gRPC services of identity: messages to domain types, the use case, the gate.

mod call;
mod change_feed;
mod consents;
mod deciding;
mod feed;
mod history;
mod identity;
mod register;
mod relations;
mod search;
mod tokens;
pub(crate) mod usage;

use std::sync::Arc;

use contract::{audit::v1::Refusal, r#type::v1::ErrorReason};
use disclosure::{
    Access, Answer,
    identity::v1::{
        access_history_service_server::AccessHistoryServiceServer,
        change_feed_service_server::ChangeFeedServiceServer,
        consent_service_server::ConsentServiceServer,
        identity_service_server::IdentityServiceServer,
        relation_service_server::RelationServiceServer, search_service_server::SearchServiceServer,
        token_service_server::TokenServiceServer,
    },
    register::v1::{
        feed_service_server::FeedServiceServer, register_service_server::RegisterServiceServer,
    },
    streaming::Streams,
};
use model::CodeLists;
use server::{
    Deadline, Routes,
    error::{refuse, refuse_with},
};
use tokio::sync::Semaphore;
use tonic::Status;
use wire::{
    Faults,
    policy::{Decision, Denial},
    record, subject,
};

use crate::{
    app::{App, NoAnswer, NoNews},
    client::Clients,
    tide::Tide,
};

/// A request of more bytes is refused before it is read.
const MESSAGE_MAX: usize = 256 << 10;
/// MaYeuCau of the existing interface.
const REQUEST_ID_MAX: usize = 40;
/// What contribution takes and wraps must fit.
const APPLY_MAX: usize = 1 << 20;

/// What both services stand on.
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) clients: Clients,
    pub(crate) lists: CodeLists,
    pub(crate) trust_domain: String,
    /// Whose turn it is to record what followers are told.
    pub(crate) telling: Semaphore,
    /// Whose turn it is of the queries on all streams of lookups.
    streaming: identity::Turns,
    /// The streams of lookups that are open.
    streams: Streams,
    /// The streams of changes that are open.
    following: Streams,
    /// How far the register has come, for these.
    pub(crate) tide: Tide,
}

impl Shared {
    pub(crate) fn new(
        app: Arc<App>,
        clients: Clients,
        lists: CodeLists,
        trust_domain: String,
    ) -> Self {
        let telling = Semaphore::new(feed::TOLD_AT_ONCE_IN_ALL);
        let streaming = identity::Turns::new();
        let streams = Streams::new(identity::STREAMS_MAX);
        let (following, tide) = (Streams::new(change_feed::STREAMS_MAX), Tide::new());
        Self { app, clients, lists, trust_domain, telling, streaming, streams, following, tide }
    }

    /// Records a refusal, and gives the error with the record's index.
    async fn refuse(
        &self,
        deadline: Deadline,
        access: &Access<'_>,
        decision: &Decision,
        denial: &Denial,
        more: &[(&str, String)],
    ) -> Status {
        let answer = Answer::<Refusal>::new(&record::refusal(denial, Vec::new()));
        let decided = record::refused(decision, denial.reason);
        match self.clients.recorder.record(deadline, access, &decided, &answer).await {
            Err(error) => error.refusal(deadline),
            Ok(receipt) => {
                let metadata = record::metadata(denial, receipt.index(), more);
                refuse_with(denial.reason, &metadata)
            }
        }
    }

    /// A question that ended before there was an answer; what the policy or the budget refused is recorded. Where claims are
    /// missing depends on the method.
    pub(crate) async fn no_answer(
        &self,
        deadline: Deadline,
        access: &Access<'_>,
        claims: &str,
        decision: &Decision,
        reason: NoAnswer,
    ) -> Status {
        match reason {
            NoAnswer::ClaimsMissing => {
                let mut faults = Faults::default();
                subject::claims_missing(claims, &mut faults);
                faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal))
            }
            NoAnswer::NothingAllowed => {
                let denial = record::own(ErrorReason::NothingAllowed, "nothing-allowed");
                self.refuse(deadline, access, decision, &denial, &[]).await
            }
            NoAnswer::BudgetSpent { retry_after_seconds } => {
                let denial = record::own(ErrorReason::GuessingBudgetSpent, "guessing-budget");
                let after = ("retry_after_seconds", retry_after_seconds.to_string());
                self.refuse(deadline, access, decision, &denial, &[after]).await
            }
            NoAnswer::UnknownCursor => refuse(ErrorReason::UnknownCursor),
            NoAnswer::Behind => refuse(ErrorReason::RegisterBehind),
            NoAnswer::Away => refuse(ErrorReason::RegisterUnavailable),
        }
    }

    /// Nothing that a follower hears; what the policy refused is recorded.
    async fn no_news(
        &self,
        deadline: Deadline,
        access: &Access<'_>,
        decision: &Decision,
        reason: NoNews,
    ) -> Status {
        match reason {
            NoNews::NothingAllowed => {
                let denial = record::own(ErrorReason::NothingAllowed, "nothing-allowed");
                self.refuse(deadline, access, decision, &denial, &[]).await
            }
            NoNews::UnknownPlace => refuse(ErrorReason::UnknownCursor),
            NoNews::NotKept { oldest } => {
                refuse_with(ErrorReason::CursorOutOfRange, &[("oldest_cursor", oldest)])
            }
            NoNews::Away => refuse(ErrorReason::RegisterUnavailable),
        }
    }
}

/// Adds what agencies call.
pub(crate) fn add_identity(routes: Routes, shared: Arc<Shared>) -> Routes {
    let relations = RelationServiceServer::new(relations::Relations(Arc::clone(&shared)));
    let search = SearchServiceServer::new(search::Search(Arc::clone(&shared)));
    let feed = ChangeFeedServiceServer::new(change_feed::ChangeFeed(Arc::clone(&shared)));
    let consents = ConsentServiceServer::new(consents::Consents(Arc::clone(&shared)));
    let tokens = TokenServiceServer::new(tokens::Tokens(Arc::clone(&shared)));
    let history = AccessHistoryServiceServer::new(history::History(Arc::clone(&shared)));
    let service = IdentityServiceServer::new(identity::Identity(shared));
    routes
        .add_service(service.max_decoding_message_size(MESSAGE_MAX))
        .add_service(search.max_decoding_message_size(MESSAGE_MAX))
        .add_service(feed.max_decoding_message_size(MESSAGE_MAX))
        .add_service(relations.max_decoding_message_size(MESSAGE_MAX))
        .add_service(consents.max_decoding_message_size(MESSAGE_MAX))
        .add_service(history.max_decoding_message_size(MESSAGE_MAX))
        .add_service(tokens.max_decoding_message_size(MESSAGE_MAX))
}

/// Adds what contribution and exchange call.
pub(crate) fn add_internal(routes: Routes, shared: Arc<Shared>) -> Routes {
    let feed = FeedServiceServer::new(feed::Feed(Arc::clone(&shared)));
    let register = RegisterServiceServer::new(register::Register(shared));
    routes
        .add_service(feed.max_decoding_message_size(MESSAGE_MAX))
        .add_service(register.max_decoding_message_size(APPLY_MAX))
}
