//! What is asked: a request with the exact bytes that it came as, and what they came with to sign them.

use bytes::{BufMut as _, Bytes, BytesMut};
use server::{Caller, Deadline};
use tonic::{Request, Status};

use crate::signature::{NOTHING, Presented};

/// A request together with the exact bytes it came as, which the record commits to. prost keeps only
/// the message, and a message serialised again may have other bytes.
pub struct Exact<T> {
    pub(crate) message: T,
    pub(crate) bytes: Bytes,
    pub(crate) presented: Presented,
}

/// What was asked: the exact bytes, and what they came with to sign them.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    bytes: &'a [u8],
    presented: &'a Presented,
}

impl<'a> Asked<'a> {
    /// By these bytes, as one of several requests on a call that came with this.
    pub fn on_stream(bytes: &'a [u8], presented: &'a Presented) -> Self {
        Self { bytes, presented }
    }

    /// By these bytes, by one of our own services or in the name of one: nobody else signs for it.
    pub fn by_service(bytes: &'a [u8]) -> Self {
        Self { bytes, presented: &NOTHING }
    }

    /// By these bytes, which came by a way on which nothing signs them.
    pub fn unsigned(bytes: &'a [u8]) -> Self {
        Self { bytes, presented: &NOTHING }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What they came with to sign them.
    #[must_use]
    pub fn presented(&self) -> &'a Presented {
        self.presented
    }
}

/// Who calls a method, until when, and what is asked, with what signs it.
///
/// # Errors
/// When the call did not come through our own server.
pub fn asked<T>(
    request: Request<Exact<T>>,
    method: &'static str,
) -> Result<(Caller, Deadline, Exact<T>), Status> {
    let (caller, deadline) = server::context(&request)?;
    let presented = Presented::of(&request, method);
    Ok((caller, deadline, Exact { presented, ..request.into_inner() }))
}

impl<T: std::fmt::Debug> std::fmt::Debug for Exact<T> {
    /// The message, whose own Debug leaves out what is personal, and not the bytes (I8).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Exact").field(&self.message).finish()
    }
}

impl<T> Exact<T> {
    /// The message.
    pub fn message(&self) -> &T {
        &self.message
    }

    /// The bytes it came as.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What was asked, with what signs it.
    pub fn asked(&self) -> Asked<'_> {
        Asked { bytes: &self.bytes, presented: &self.presented }
    }

    /// What was asked by this message of a stream that `first` opened: the bytes of both, one after the other. Protobuf
    /// reads them as one message with the fields of both, so whoever checks a record reads them so, too.
    pub fn asked_after(&self, first: &Self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(first.bytes.len() + self.bytes.len());
        bytes.put_slice(&first.bytes);
        bytes.put_slice(&self.bytes);
        bytes.freeze()
    }
}
