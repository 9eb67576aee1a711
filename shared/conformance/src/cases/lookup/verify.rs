//! LKP-20 and LKP-21: a comparison, and that it gives no value away.

use contract::{
    database::v1::{
        ClaimedRecordValue, RecordClaimOutcome, RecordOutcome, VerifyRecordRequest,
        VerifyRecordResponse,
    },
    r#type::v1::{ItemValue, item_value},
};
use prost::Message as _;

use super::{claims, known, needs};
use crate::{
    cases::people::{NO_ITEM, subject},
    fixtures::Known,
    found::{Found, Tried, not_tried},
    kit::{Dice, Kit, call, message, path},
    wire::Wire,
};

fn claimed(item: &str, value: ItemValue) -> ClaimedRecordValue {
    ClaimedRecordValue { item: item.to_owned(), value: Some(value) }
}

fn text(text: &str) -> ItemValue {
    ItemValue { value: Some(item_value::Value::Text(text.to_owned())) }
}

fn request(
    kit: &Kit,
    dice: &mut Dice,
    known: &Known,
    claimed_values: Vec<ClaimedRecordValue>,
) -> VerifyRecordRequest {
    VerifyRecordRequest {
        subject: Some(subject(&known.personal_number)),
        claims: Some(claims(known)),
        claimed_values,
        basis: Some(kit.basis()),
        request_id: dice.id(),
        ..VerifyRecordRequest::default()
    }
}

/// An item with the value that is held and another one.
fn both(known: &Known) -> Tried<(&str, ItemValue, ItemValue)> {
    let found =
        known.held.iter().find_map(|held| Some((held.item.as_str(), held.value()?, held.other()?)));
    found.ok_or_else(|| {
        needs(
            "một mục với giá trị được giữ và một giá trị khác",
            "an item with the value that is held and another one",
            "`value` and `other` of [[lookup.known.held]]",
        )
    })
}

/// An answer, with the bytes that it came in.
async fn verified(
    kit: &Kit,
    wire: &Wire,
    tried: &str,
    request: &VerifyRecordRequest,
) -> Tried<(VerifyRecordResponse, usize)> {
    let reply = call(wire, tried, path::VERIFY, &kit.sealed(request)).await?;
    let answer: VerifyRecordResponse = message(tried, &reply)?;
    if answer.outcome() != RecordOutcome::Match {
        return Err(not_tried(
            (
                "VerifyRecord không nhận ra người trong tệp fixtures",
                "VerifyRecord does not know the person of the fixtures",
            ),
            ("tệp fixtures đúng; xem LKP-1", "the right fixtures; see LKP-1"),
        ));
    }
    let bytes = reply.messages.first().map_or(0, bytes::Bytes::len);
    Ok((answer, bytes))
}

/// LKP-20.
pub(crate) async fn outcomes(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let (item, held, other) = both(known)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-20");
    let Some(not_held) = &known.not_held else {
        let (vi, en) = ("mục thông tin không có giá trị", "an item without a value");
        return Err(needs(vi, en, "`not_held` of [lookup.known]"));
    };
    let rest = [
        (claimed(not_held, other.clone()), RecordClaimOutcome::NotHeld),
        (claimed(NO_ITEM, text("Giả Định")), RecordClaimOutcome::UnknownItem),
    ];
    for (value, outcome) in
        [(held, RecordClaimOutcome::Match), (other, RecordClaimOutcome::Mismatch)]
    {
        let mut wanted = vec![(claimed(item, value), outcome)];
        wanted.extend(rest.iter().cloned());
        for order in ["forwards", "backwards"] {
            let values = wanted.iter().map(|(claimed, _)| claimed.clone()).collect();
            let tried =
                format!("VerifyRecord with a value that must be {}, {order}", short(outcome));
            let request = request(kit, &mut dice, known, values);
            let (answer, _) = verified(kit, &wire, &tried, &request).await?;
            let told: Vec<(&str, RecordClaimOutcome)> =
                answer.results.iter().map(|r| (r.item.as_str(), r.outcome())).collect();
            let expected: Vec<(&str, RecordClaimOutcome)> =
                wanted.iter().map(|(c, outcome)| (c.item.as_str(), *outcome)).collect();
            found.check(told == expected, tried.as_str(), words(&expected), words(&told));
            let same = answer.subject == request.subject && answer.request_id == request.request_id;
            found.check(same, tried, "the question's subject and request_id", "other ones");
            wanted.reverse();
        }
    }
    Ok(())
}

fn short(outcome: RecordClaimOutcome) -> &'static str {
    outcome.as_str_name().trim_start_matches("RECORD_CLAIM_OUTCOME_")
}

fn words(results: &[(&str, RecordClaimOutcome)]) -> String {
    let words: Vec<String> =
        results.iter().map(|(item, outcome)| format!("{item} {}", short(*outcome))).collect();
    words.join(", ")
}

/// LKP-21.
pub(crate) async fn no_value(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let (item, held, other) = both(known)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-21");
    let mut sizes = Vec::new();
    for (what, value) in [("the value that is held", held), ("another value", other)] {
        let tried = format!("VerifyRecord with {what}");
        let request = request(kit, &mut dice, known, vec![claimed(item, value)]);
        let (answer, bytes) = verified(kit, &wire, &tried, &request).await?;
        // What the contract does not know stands in the bytes and nowhere in the message.
        let known = answer.encoded_len();
        let seen = format!("{} bytes more", bytes.saturating_sub(known));
        found.check(bytes == known, tried, "the fields of the contract alone", seen);
        let timeless = VerifyRecordResponse { answer_time: None, ..answer.clone() };
        sizes.push(timeless.encoded_len() + bytes.saturating_sub(known));
    }
    let same = sizes.first() == sizes.last();
    let seen = format!("{sizes:?} bytes");
    let tried = "VerifyRecord with the value that is held, and with another one";
    found.check(same, tried, "answers of the same size", seen);
    Ok(())
}
