//! Questions about persons, and messages that every method takes.

use contract::{
    database::v1::{
        DeliverEventsRequest, GetRecordRequest, ListChangesRequest, StreamChangesRequest,
        VerifyRecordRequest,
    },
    r#type::v1::{Claims, ItemValue, PartialDate, SubjectRef, item_value, subject_ref},
};
use prost::Message as _;

use super::sink;
use crate::kit::{Dice, Kit, path};

/// An item that no database holds.
pub(crate) const NO_ITEM: &str = "conformance_no_such_item";

/// A subject by personal number.
pub(crate) fn subject(number: &str) -> SubjectRef {
    SubjectRef { subject: Some(subject_ref::Subject::PersonalNumber(number.to_owned())) }
}

/// A person whom nobody knows.
pub(crate) struct Stranger {
    pub(crate) number: String,
    pub(crate) claims: Claims,
}

/// A person whom the database does not know: that of the fixtures, or one made of the seed.
pub(crate) fn unknown(kit: &Kit, dice: &mut Dice) -> Stranger {
    let year = 1900 + i32::try_from(dice.below(100)).unwrap_or(0);
    let (prefix, last) = (990 + dice.below(10), dice.below(1_000_000));
    let made = format!("{prefix:03}0{:02}{last:06}", year % 100);
    let number = kit.plan.fixtures.lookup.unknown_number.clone().unwrap_or(made);
    let born = PartialDate { year, month: 1, day: 2 };
    let claims =
        Claims { full_name: "Nguyễn Giả Định Không".into(), date_of_birth: Some(born) };
    Stranger { number, claims }
}

/// A question that every database takes: about the person of the fixtures, or else about one whom it does not know.
pub(crate) fn taken(kit: &Kit, dice: &mut Dice) -> GetRecordRequest {
    let mut asked = question(kit, dice);
    if let Some(known) = &kit.plan.fixtures.lookup.known {
        asked.subject = Some(subject(&known.personal_number));
        asked.claims = Some(super::lookup::claims(known));
    }
    asked
}

/// A question about a person whom the database does not know.
pub(crate) fn question(kit: &Kit, dice: &mut Dice) -> GetRecordRequest {
    let unknown = unknown(kit, dice);
    GetRecordRequest {
        subject: Some(subject(&unknown.number)),
        claims: Some(unknown.claims),
        items: vec![held_item(kit)],
        basis: Some(kit.basis()),
        request_id: dice.id(),
        ..Default::default()
    }
}

/// A comparison that every database takes.
pub(crate) fn comparison(kit: &Kit, dice: &mut Dice) -> VerifyRecordRequest {
    let asked = taken(kit, dice);
    let value = ItemValue { value: Some(item_value::Value::Text("Giả Định".into())) };
    let claimed = asked.items.into_iter().map(|item| contract::database::v1::ClaimedRecordValue {
        item,
        value: Some(value.clone()),
    });
    VerifyRecordRequest {
        subject: asked.subject,
        claims: asked.claims,
        claimed_values: claimed.collect(),
        basis: asked.basis,
        request_id: asked.request_id,
        ..Default::default()
    }
}

/// An item that the database says it holds.
fn held_item(kit: &Kit) -> String {
    let first = kit.description.items.first();
    first.map_or_else(|| "birth_full_name".to_owned(), |held| held.item.clone())
}

/// A message that the method takes, once; empty where an empty one is.
pub(crate) fn valid(kit: &Kit, path: &str) -> Vec<u8> {
    let mut dice = kit.dice(path);
    match path {
        path::LIST => ListChangesRequest::default().encode_to_vec(),
        path::STREAM => StreamChangesRequest::default().encode_to_vec(),
        path::GET => kit.sealed(&taken(kit, &mut dice)).encode_to_vec(),
        path::VERIFY => kit.sealed(&comparison(kit, &mut dice)).encode_to_vec(),
        path::RECORDS => kit.sealed_all(&[taken(kit, &mut dice)]).encode_to_vec(),
        path::DELIVER => {
            let event = sink::Events::new(kit, path).discrepancy();
            DeliverEventsRequest { events: vec![event] }.encode_to_vec()
        }
        _ => Vec::new(),
    }
}
