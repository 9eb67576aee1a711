//! LKP-3 and LKP-4: an answer about a person who is not known, or of whom something else is known.

use contract::{
    database::v1::{GetRecordRequest, GetRecordResponse, RecordOutcome},
    r#type::v1::{Claims, PartialDate, SubjectRef},
};
use tonic::Code;

use super::{about, claims, held, known};
use crate::{
    cases::people::{self, subject},
    found::{Found, Tried},
    kit::{Kit, call, message, path, shown},
    wire::Wire,
};

/// LKP-3.
pub(crate) async fn unknown_person(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-3");
    let mut request = people::question(kit, &mut dice);
    for (what, claims) in [("claims", request.claims.clone()), ("no claims", None)] {
        let tried = format!("GetRecord of an unknown person with {what}");
        request.claims = claims;
        let reply = call(&wire, &tried, path::GET, &kit.sealed(&request)).await?;
        if reply.status.code() != Code::Ok {
            found.fail(tried, "OK with NO_MATCH", shown(&reply.status));
            continue;
        }
        let answer: GetRecordResponse = message(&tried, &reply)?;
        let outcome = answer.outcome();
        let holds = outcome == RecordOutcome::NoMatch;
        found.check(holds, tried.as_str(), "NO_MATCH", outcome.as_str_name());
        let seen = format!("{} items", answer.items.len());
        found.check(answer.items.is_empty(), tried.as_str(), "nothing else", seen);
    }
    Ok(())
}

/// An answer, with what of it could tell one kind of ignorance from the other: its message, its size, its headers.
struct Seen {
    answer: GetRecordResponse,
    names: Vec<String>,
    extra: usize,
}

async fn seen(kit: &Kit, wire: &Wire, tried: &str, request: &GetRecordRequest) -> Tried<Seen> {
    let reply = call(wire, tried, path::GET, &kit.sealed(request)).await?;
    let answer: GetRecordResponse = message(tried, &reply)?;
    let whole = reply.messages.first().map_or(0, bytes::Bytes::len);
    let extra = whole.saturating_sub(prost::Message::encoded_len(&answer));
    // All that may differ: the time, and that each names the subject of its question.
    let repeated = answer.subject == request.subject;
    let subject = if repeated { Some(SubjectRef::default()) } else { answer.subject };
    let answer = GetRecordResponse { subject, answer_time: None, ..answer };
    Ok(Seen { answer, names: reply.names, extra })
}

/// LKP-4.
pub(crate) async fn other_claims(kit: &Kit, found: &mut Found) -> Tried {
    let known = known(kit)?;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-4");
    let items = held(known)?;
    let right = claims(known);
    let year = PartialDate { year: known.date_of_birth().year - 1, month: 1, day: 2 };
    let other_name = Claims { full_name: "Trần Giả Định Khác".into(), ..right.clone() };
    let other_date = Claims { date_of_birth: Some(year), ..right.clone() };
    let both = Claims { date_of_birth: Some(year), ..other_name.clone() };
    for (what, claims) in [
        ("another name", other_name),
        ("another date of birth", other_date),
        ("another name and date of birth", both),
    ] {
        let request = about(kit, &mut dice, known, items.clone());
        let request = GetRecordRequest { claims: Some(claims), ..request };
        let unknown = people::unknown(kit, &mut dice);
        let of_nobody =
            GetRecordRequest { subject: Some(subject(&unknown.number)), ..request.clone() };
        let tried = format!("GetRecord of a known person with {what}");
        let hidden = seen(kit, &wire, &tried, &request).await?;
        let nobody = seen(kit, &wire, "GetRecord of an unknown person", &of_nobody).await?;
        compare(found, &tried, &hidden, &nobody);
    }
    Ok(())
}

fn compare(found: &mut Found, tried: &str, hidden: &Seen, nobody: &Seen) {
    let (left, right) = (hidden.answer.outcome(), nobody.answer.outcome());
    found.check(left == right, tried, right.as_str_name(), left.as_str_name());
    let same = hidden.answer == nobody.answer;
    found.check(same, tried, "the answer about an unknown person", "another answer");
    let same = hidden.extra == nobody.extra && hidden.names == nobody.names;
    let expected = "the fields, headers and trailers of the answer about an unknown person";
    found.check(same, tried, expected, hidden.names.join(", "));
}
