//! LKP-30 and LKP-31: many questions at once.

use contract::database::v1::{GetRecordRequest, StreamRecordsResponse};
use prost::Message as _;
use tonic::Code;

use super::{about, answers::timeless, claims, faulty::faulty_questions, get, held, known};
use crate::{
    cases::people::{self, NO_ITEM},
    found::{Found, Tried, beyond_a_request, failed},
    kit::{Kit, call, is_refused, path, shown},
};

/// The most queries of one call, by the description.
fn queries_max(kit: &Kit) -> usize {
    let max = kit.description.limits.map_or(0, |limits| limits.queries_max);
    usize::try_from(max).unwrap_or(0)
}

/// LKP-30.
pub(crate) async fn as_one(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-30");
    let items = held(known)?;
    let right = about(kit, &mut dice, known, items.clone());
    let one = about(kit, &mut dice, known, vec![NO_ITEM.to_owned()]);
    let mut other = about(kit, &mut dice, known, items);
    other.claims = Some(contract::r#type::v1::Claims {
        full_name: "Trần Giả Định Khác".into(),
        ..claims(known)
    });
    let nobody = people::question(kit, &mut dice);
    let mut queries = vec![nobody, right.clone(), other, one, right];
    queries.truncate(queries_max(kit).max(1));
    let mut expected = Vec::new();
    for query in &queries {
        expected.push(get(kit, &wire, "GetRecord", query).await?);
    }
    let tried = format!("StreamRecords of {} questions", queries.len());
    let reply = call(&wire, &tried, path::RECORDS, &kit.sealed_all(&queries)).await?;
    let ended = reply.status.code() == Code::Ok;
    found.check(ended, tried.as_str(), "OK at the end", shown(&reply.status));
    let seen = format!("{} answers", reply.messages.len());
    found.check(reply.messages.len() == expected.len(), tried.as_str(), "one for each", seen);
    for (number, (message, expected)) in reply.messages.iter().zip(&expected).enumerate() {
        let answer = StreamRecordsResponse::decode(message.clone()).map_err(|error| {
            failed(tried.as_str(), "messages of the contract", error.to_string())
        })?;
        let answer = answer.record.unwrap_or_default();
        let same = timeless(&answer) == timeless(expected);
        let seen = "another one, or in another order";
        let tried = format!("{tried}: answer {}", number + 1);
        found.check(same, tried, "the answer of GetRecord", seen);
    }
    Ok(())
}

/// LKP-31.
pub(crate) async fn faulty(kit: &Kit, found: &mut Found) -> Tried {
    const BYTES_MAX: usize = 4 << 20;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-31");
    let right = people::taken(kit, &mut dice);
    let mut all: Vec<(String, Vec<GetRecordRequest>)> = vec![("no query".into(), Vec::new())];
    for (what, query) in faulty_questions(&right) {
        all.push((format!("a second query with {what}"), vec![right.clone(), query]));
    }
    let more = queries_max(kit) + 1;
    let too_many: Vec<_> = std::iter::repeat_n(right, more.min(100_000)).collect();
    let bytes = kit.sealed_all(&too_many).encoded_len();
    let fits = bytes < BYTES_MAX && too_many.len() == more;
    if fits {
        all.push((format!("{more} queries"), too_many));
    }
    for (what, queries) in all {
        let tried = format!("StreamRecords with {what}");
        let reply = call(&wire, &tried, path::RECORDS, &kit.sealed_all(&queries)).await?;
        let refused = is_refused(&reply.status, Code::InvalidArgument, "INVALID_REQUEST");
        let none = reply.messages.is_empty();
        let expected = "INVALID_ARGUMENT INVALID_REQUEST, and no answer before it";
        let seen = format!("{} answers, then {}", reply.messages.len(), shown(&reply.status));
        found.check(refused && none, tried, expected, seen);
    }
    if fits { Ok(()) } else { Err(beyond_a_request("queries_max", more)) }
}
