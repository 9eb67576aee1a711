//! Responses of one answer and several parts, each with a receipt of its own.

use anyhow::Result;
use contract::audit::v1::SealedResponse;
use prost::Message;

use super::{Answered, Client, Refused};

/// Such a response, with answers and receipts left as bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct SealedPage {
    #[prost(bytes = "vec", tag = "1")]
    answer: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    receipt: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    parts: Vec<SealedResponse>,
}

/// An answer and its parts, such as the persons of a search.
pub struct Pages<T, P> {
    /// The answer.
    pub page: Answered<T>,
    /// Its parts.
    pub parts: Vec<Answered<P>>,
}

impl Client {
    pub(super) async fn pages<Q, T, P>(
        &self,
        path: &'static str,
        request: &Q,
    ) -> Result<Result<Pages<T, P>, Refused>>
    where
        Q: Message + Clone + Default + 'static,
        T: Message + Default,
        P: Message + Default,
    {
        let sealed = match self.sealed::<_, SealedPage>(path, request).await {
            Ok(sealed) => sealed,
            Err(refused) => return Ok(Err(refused)),
        };
        let one = |part: SealedResponse| Answered::open(request, part.answer, &part.receipt);
        Ok(Ok(Pages {
            page: Answered::open(request, sealed.answer, &sealed.receipt)?,
            parts: sealed.parts.into_iter().map(one).collect::<Result<_>>()?,
        }))
    }
}
