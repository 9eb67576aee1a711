//! LKP: what the database says of one person.
//!
//! | module | rules |
//! |---|---|
//! | `answers` | LKP-1, LKP-2, LKP-5 to LKP-7, LKP-9: an answer about a person who is known |
//! | `faulty` | LKP-8 |
//! | `hidden` | LKP-3, LKP-4: an answer about a person who is not |
//! | `many` | LKP-30, LKP-31 |
//! | `verify` | LKP-20, LKP-21 |
//! | `warrant` | LKP-40 to LKP-53 |

pub(crate) mod answers;
pub(crate) mod faulty;
pub(crate) mod hidden;
pub(crate) mod many;
pub(crate) mod verify;
pub(crate) mod warrant;

use contract::{
    database::v1::{GetRecordRequest, GetRecordResponse, RecordOutcome},
    r#type::v1::Claims,
};

use super::people::subject;
use crate::{
    fixtures::Known,
    found::{Found, Tried, Trouble, not_tried},
    kit::{Dice, Kit, ok, path},
    wire::Wire,
};

/// The most items of one question.
pub(crate) const ITEMS_MAX: usize = 64;

/// The person whom the database knows.
pub(crate) fn known(kit: &Kit) -> Tried<&Known> {
    kit.plan.fixtures.lookup.known.as_ref().ok_or_else(|| {
        needs("người mà cơ sở dữ liệu biết", "a person whom the database knows", "[lookup.known]")
    })
}

/// What the fixtures do not say.
pub(crate) fn needs(vi: &str, en: &str, key: &str) -> Trouble {
    not_tried(
        (format!("chưa biết: {vi}"), format!("it is not known: {en}")),
        (format!("{key} trong tệp --fixtures"), format!("{key} in the file --fixtures")),
    )
}

/// Claims that agree with the record.
pub(crate) fn claims(known: &Known) -> Claims {
    Claims { full_name: known.full_name.clone(), date_of_birth: Some(known.date_of_birth()) }
}

/// The items of which the database holds a value: those of the fixtures.
pub(crate) fn held(known: &Known) -> Tried<Vec<String>> {
    match known.held.as_slice() {
        [] => Err(needs(
            "mục thông tin có giá trị",
            "items of which it holds a value",
            "[[lookup.known.held]]",
        )),
        held => Ok(held.iter().map(|held| held.item.clone()).collect()),
    }
}

/// A question about the person who is known.
pub(crate) fn about(
    kit: &Kit,
    dice: &mut Dice,
    known: &Known,
    items: Vec<String>,
) -> GetRecordRequest {
    GetRecordRequest {
        subject: Some(subject(&known.personal_number)),
        claims: Some(claims(known)),
        items,
        basis: Some(kit.basis()),
        request_id: dice.id(),
        ..GetRecordRequest::default()
    }
}

/// An answer, whatever it says.
pub(crate) async fn get(
    kit: &Kit,
    wire: &Wire,
    tried: &str,
    request: &GetRecordRequest,
) -> Tried<GetRecordResponse> {
    ok(wire, tried, path::GET, &kit.sealed(request)).await
}

/// An answer about the person who is known; that there is none is the business of LKP-1.
pub(crate) async fn matched(
    kit: &Kit,
    wire: &Wire,
    tried: &str,
    request: &GetRecordRequest,
) -> Tried<GetRecordResponse> {
    let answer = get(kit, wire, tried, request).await?;
    if answer.outcome() == RecordOutcome::Match {
        return Ok(answer);
    }
    Err(not_tried(
        (
            "cơ sở dữ liệu không nhận ra người trong tệp fixtures (xem LKP-1)",
            "the database does not know the person of the fixtures (see LKP-1)",
        ),
        ("sửa LKP-1 hoặc tệp fixtures trước", "put LKP-1 or the fixtures right first"),
    ))
}

/// That an answer repeats the question, and says when it was made.
pub(crate) fn repeats(
    found: &mut Found,
    tried: &str,
    asked: &GetRecordRequest,
    answer: &GetRecordResponse,
) {
    let same = answer.subject == asked.subject;
    found.check(same, tried, "the `subject` of the question", "another one, or none");
    let same = answer.request_id == asked.request_id;
    found.check(same, tried, "the `request_id` of the question", "another one, or none");
}
