//! A stream of lookups: queries go, answers come, each in its own time.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};
use contract::identity::v1::{
    GetPersonAnswer, LookupStreamOpening, LookupStreamQuery, LookupStreamRequest,
};
use futures::stream;
use prost::Message;
use tokio::sync::mpsc;
use tonic::{Status, Streaming, client::Grpc};
use tonic_prost::ProstCodec;

use super::{Answered, Client, LOOKUP_STREAM, Refused};

/// A `LookupStreamResponse` with answer and receipt left as bytes: the same wire format.
#[derive(Clone, PartialEq, Message)]
struct Sealed {
    #[prost(bytes = "vec", tag = "1")]
    answer: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    receipt: Vec<u8>,
    #[prost(uint64, tag = "3")]
    correlation_id: u64,
    #[prost(bytes = "vec", tag = "4")]
    status: Vec<u8>,
}

/// The exact bytes of each query that has no response yet, by its number.
type Asked = Arc<Mutex<HashMap<u64, Vec<u8>>>>;

/// The side of a stream on which queries go. Dropping it ends that side; the answers still come.
pub struct Queries {
    sender: mpsc::Sender<LookupStreamRequest>,
    asked: Asked,
}

/// The side of a stream on which answers come.
pub struct Answers {
    responses: Streaming<Sealed>,
    opening: Vec<u8>,
    asked: Asked,
}

/// What came of one query of a stream.
pub struct Told {
    /// The query's number.
    pub correlation_id: u64,
    /// The answer, or why there is none.
    pub answer: Result<Answered<GetPersonAnswer>, Refused>,
}

impl Client {
    /// Opens a stream of lookups. Read answers while queries are sent: the service holds back whoever does not. The
    /// outer error is one of transport or form, the inner one the refusal.
    ///
    /// # Errors
    /// When the stream has ended before its opening was sent.
    pub async fn lookup_stream(
        &self,
        opening: LookupStreamOpening,
    ) -> Result<Result<(Queries, Answers), Refused>> {
        let mut grpc = Grpc::new(self.channel.clone());
        if let Err(error) = grpc.ready().await {
            return Ok(Err(Status::from_error(error).into()));
        }
        let first = LookupStreamRequest { opening: Some(opening), query: None };
        let opening = first.encode_to_vec();
        let (sender, receiver) = mpsc::channel(1);
        sender.send(first).await.context("the stream has ended")?;
        let messages = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|message| (message, receiver))
        });
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(LOOKUP_STREAM);
        let codec = ProstCodec::<LookupStreamRequest, Sealed>::default();
        let responses = match grpc.streaming(self.request(messages), path, codec).await {
            Ok(responses) => responses.into_inner(),
            Err(status) => return Ok(Err(status.into())),
        };
        let asked = Asked::default();
        let queries = Queries { sender, asked: Arc::clone(&asked) };
        Ok(Ok((queries, Answers { responses, opening, asked })))
    }
}

impl Queries {
    /// Asks about one person; waits while the service takes no more.
    ///
    /// # Errors
    /// When a query of this number has no answer yet, or the stream has ended.
    pub async fn ask(&self, query: LookupStreamQuery) -> Result<()> {
        let id = query.correlation_id;
        let message = LookupStreamRequest { opening: None, query: Some(query) };
        match self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(id) {
            Entry::Occupied(_) => bail!("query {id} has no answer yet"),
            Entry::Vacant(free) => free.insert(message.encode_to_vec()),
        };
        self.sender.send(message).await.context("the stream has ended")
    }
}

impl Answers {
    /// What came of the next query; none when the stream has ended well. The outer error is one of form, the inner one
    /// says why the stream ended.
    ///
    /// # Errors
    /// When a response is none.
    pub async fn next(&mut self) -> Result<Result<Option<Told>, Refused>> {
        let sealed = match self.responses.message().await {
            Ok(None) => return Ok(Ok(None)),
            Err(status) => return Ok(Err(status.into())),
            Ok(Some(sealed)) => sealed,
        };
        let id = sealed.correlation_id;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let asked = asked.with_context(|| format!("nobody asked query {id}"))?;
        let answer = self.answer(sealed, &asked)?;
        Ok(Ok(Some(Told { correlation_id: id, answer })))
    }

    fn answer(
        &self,
        sealed: Sealed,
        asked: &[u8],
    ) -> Result<Result<Answered<GetPersonAnswer>, Refused>> {
        if !sealed.status.is_empty() {
            return Ok(Err(Refused::from_status_bytes(&sealed.status)?));
        }
        // What a receipt proves of a stream: its opening and the query, one after the other.
        let request = [self.opening.as_slice(), asked].concat();
        Ok(Ok(Answered::of(request, sealed.answer, &sealed.receipt)?))
    }
}
