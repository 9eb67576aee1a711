//! The codec of personal services: requests keep their bytes, responses are bytes that were released.

use std::marker::PhantomData;

use bytes::{Buf, BufMut};
use contract::r#type::v1::FieldFault;
use prost::Message;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::{Exact, Released, signature::Presented};

/// Decodes `Exact<T>` and encodes `Released<R>`.
pub struct GateCodec<R, T>(PhantomData<fn() -> (R, T)>);

impl<R, T> Default for GateCodec<R, T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Send + 'static, T: Message + Default + Send + 'static> Codec for GateCodec<R, T> {
    type Decode = Exact<T>;
    type Decoder = Self;
    type Encode = Released<R>;
    type Encoder = Self;

    fn encoder(&mut self) -> Self {
        Self::default()
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl<R, T: Message + Default> Decoder for GateCodec<R, T> {
    type Error = Status;
    type Item = Exact<T>;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Exact<T>>, Status> {
        let bytes = source.copy_to_bytes(source.remaining());
        match T::decode(bytes.clone()) {
            Ok(message) => Ok(Some(Exact { message, bytes, presented: Presented::Nothing })),
            Err(_) => Err(server::error::invalid(vec![server::error::Violation {
                field: String::new(),
                reason: FieldFault::Malformed,
                vi: "thông điệp không đọc được".to_owned(),
                en: "the message cannot be parsed".to_owned(),
            }])),
        }
    }
}

impl<R, T> Encoder for GateCodec<R, T> {
    type Error = Status;
    type Item = Released<R>;

    fn encode(&mut self, released: Released<R>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put_slice(&released.bytes);
        Ok(())
    }
}
