//! Pages and messages of several answers, each with a receipt of its own: what else is on them is about nobody.

use std::marker::PhantomData;

use bytes::{BufMut as _, Bytes, BytesMut};
use contract::{
    identity::v1::{
        ListPersonChangesResponse, ListPersonsResponse, ListedPerson, PersonChange,
        RecordedListedPerson, RecordedPersonChange, WatchPersonChangesResponse,
    },
    register::v1::{FollowedChange, ListChangesResponse, RecordedChange},
};
use prost::Message;

use crate::{Disclosed, Proven, Released, put};

impl Released<ListChangesResponse> {
    /// A page: each of its changes may leave, and what else is on it is about nobody.
    pub fn page(
        changes: Vec<Disclosed<FollowedChange>>,
        next_cursor: String,
        end_reached: bool,
        seen_time: Option<prost_types::Timestamp>,
    ) -> Self {
        let changes = of_each::<RecordedChange>(changes);
        let rest = ListChangesResponse { changes: Vec::new(), next_cursor, end_reached, seen_time };
        Self { bytes: with(changes, &rest), of: PhantomData }
    }
}

impl Released<ListPersonChangesResponse> {
    /// A page: each of its changes may leave, and what else is on it is about nobody.
    pub fn changes(
        changes: Vec<Disclosed<PersonChange>>,
        next_cursor: String,
        end_reached: bool,
        seen_time: prost_types::Timestamp,
    ) -> Self {
        let (changes, seen_time) = (of_each::<RecordedPersonChange>(changes), Some(seen_time));
        let rest =
            ListPersonChangesResponse { changes: Vec::new(), next_cursor, end_reached, seen_time };
        Self { bytes: with(changes, &rest), of: PhantomData }
    }
}

impl Released<WatchPersonChangesResponse> {
    /// Some changes, each of which may leave, or none: a heartbeat. What else is with them is about nobody.
    pub fn changes(
        changes: Vec<Disclosed<PersonChange>>,
        cursor: String,
        end_reached: bool,
        seen_time: prost_types::Timestamp,
    ) -> Self {
        let (changes, seen_time) = (of_each::<RecordedPersonChange>(changes), Some(seen_time));
        let rest =
            WatchPersonChangesResponse { changes: Vec::new(), cursor, end_reached, seen_time };
        Self { bytes: with(changes, &rest), of: PhantomData }
    }
}

impl Released<ListPersonsResponse> {
    /// A page: each of its persons may leave, and what else is on it is about nobody.
    pub fn persons(
        persons: Vec<Disclosed<ListedPerson>>,
        next_page_token: String,
        cursor: String,
    ) -> Self {
        let persons = of_each::<RecordedListedPerson>(persons);
        let rest = ListPersonsResponse { persons: Vec::new(), next_page_token, cursor };
        Self { bytes: with(persons, &rest), of: PhantomData }
    }
}

/// Field 1, once for each that may leave.
fn of_each<R: Proven>(all: Vec<Disclosed<R::Answer>>) -> BytesMut {
    let mut bytes = BytesMut::new();
    for one in all {
        put(&mut bytes, 1, &Released::<R>::from(one).bytes);
    }
    bytes
}

/// The rest of a message after what stands already.
fn with(mut bytes: BytesMut, rest: &impl Message) -> Bytes {
    bytes.put_slice(&rest.encode_to_vec());
    bytes.freeze()
}
