//! LKP-8: questions that are refused.

use contract::{
    database::v1::{ClaimedRecordValue, GetRecordRequest, VerifyRecordRequest},
    r#type::v1::{AccessBasis, SubjectRef, subject_ref::Subject},
};
use tonic::Code;

use super::ITEMS_MAX;
use crate::{
    cases::people,
    found::{Found, Tried},
    kit::{Kit, call, is_refused, path, shown},
    warrants::Question as _,
};

/// Bytes of a warrant.
const WARRANT_MAX: usize = 4096;

/// A token names a person of the register to one follower, and nobody to a database.
fn token() -> Option<SubjectRef> {
    Some(SubjectRef { subject: Some(Subject::Token("a-token".to_owned())) })
}

fn more_than_64() -> Vec<String> {
    (0..=ITEMS_MAX).map(|number| format!("item_{number}")).collect()
}

/// The grounds that miss something.
fn half_grounds(whole: &AccessBasis) -> Vec<(&'static str, Option<AccessBasis>)> {
    let without = |change: fn(&mut AccessBasis)| {
        let mut basis = whole.clone();
        change(&mut basis);
        Some(basis)
    };
    vec![
        ("no basis", None),
        ("no basis.procedure", without(|basis| basis.procedure.clear())),
        ("no basis.legal_basis", without(|basis| basis.legal_basis.clear())),
        ("no basis.case_reference", without(|basis| basis.case_reference.clear())),
        ("no basis.acting_unit", without(|basis| basis.acting_unit.clear())),
        ("no basis.officer", without(|basis| basis.officer.clear())),
    ]
}

/// Questions with one fault each.
pub(crate) fn faulty_questions(right: &GetRecordRequest) -> Vec<(&'static str, GetRecordRequest)> {
    let with = |change: &dyn Fn(&mut GetRecordRequest)| {
        let mut request = right.clone();
        change(&mut request);
        request
    };
    let twice = [right.items.clone(), right.items.clone()].concat();
    let mut all = vec![
        ("no subject", with(&|request| request.subject = None)),
        ("an empty subject", with(&|request| request.subject = Some(SubjectRef::default()))),
        ("a token as the subject", with(&|request| request.subject = token())),
        ("no item", with(&|request| request.items.clear())),
        ("65 items", with(&|request| request.items = more_than_64())),
        ("an item twice", with(&|request| request.items = twice.clone())),
        ("the wildcard `*`", with(&|request| request.items = vec!["*".into()])),
        ("no request_id", with(&|request| request.request_id.clear())),
        ("a warrant of 4097 bytes", with(&|request| request.warrant = vec![0; WARRANT_MAX + 1])),
    ];
    let whole = right.basis.clone().unwrap_or_default();
    for (what, basis) in half_grounds(&whole) {
        all.push((what, GetRecordRequest { basis, ..right.clone() }));
    }
    all
}

fn faulty_comparisons(right: &VerifyRecordRequest) -> Vec<(&'static str, VerifyRecordRequest)> {
    let with = |change: &dyn Fn(&mut VerifyRecordRequest)| {
        let mut request = right.clone();
        change(&mut request);
        request
    };
    let first = right.claimed_values.first().cloned().unwrap_or_default();
    let many = more_than_64().into_iter();
    let many: Vec<_> =
        many.map(|item| ClaimedRecordValue { item, value: first.value.clone() }).collect();
    let twice = vec![first.clone(), first];
    let mut all = vec![
        ("no subject", with(&|request| request.subject = None)),
        ("a token as the subject", with(&|request| request.subject = token())),
        ("no claimed value", with(&|request| request.claimed_values.clear())),
        ("65 claimed values", with(&|request| request.claimed_values = many.clone())),
        ("an item twice", with(&|request| request.claimed_values = twice.clone())),
        ("no request_id", with(&|request| request.request_id.clear())),
        ("a warrant of 4097 bytes", with(&|request| request.warrant = vec![0; WARRANT_MAX + 1])),
    ];
    let whole = right.basis.clone().unwrap_or_default();
    for (what, basis) in half_grounds(&whole) {
        all.push((what, VerifyRecordRequest { basis, ..right.clone() }));
    }
    all
}

/// A question with a good warrant that is as long as one may be, or one byte shorter, which base64 cannot always help.
fn with_the_longest_warrant(kit: &Kit, question: &GetRecordRequest) -> Tried<GetRecordRequest> {
    let key = kit.warrant_key()?;
    let (mut claims, opening) = kit.claims(key, question);
    let caller = claims.caller.clone();
    let mut longest = key.sign(&claims);
    for more in 1..WARRANT_MAX {
        claims.caller = format!("{caller}{}", "x".repeat(more));
        let longer = key.sign(&claims);
        if longer.len() > WARRANT_MAX {
            break;
        }
        longest = longer;
    }
    let mut question = question.clone();
    question.carry(longest, opening.to_vec());
    Ok(question)
}

/// LKP-8.
pub(crate) async fn questions(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-8");
    let right = people::taken(kit, &mut dice);
    let compared = people::comparison(kit, &mut dice);
    let expected = "INVALID_ARGUMENT INVALID_REQUEST";
    for (what, request) in faulty_questions(&right) {
        let tried = format!("GetRecord with {what}");
        let reply = call(&wire, &tried, path::GET, &kit.sealed(&request)).await?;
        let holds = is_refused(&reply.status, Code::InvalidArgument, "INVALID_REQUEST");
        found.check(holds, tried, expected, shown(&reply.status));
    }
    for (what, request) in faulty_comparisons(&compared) {
        let tried = format!("VerifyRecord with {what}");
        let reply = call(&wire, &tried, path::VERIFY, &kit.sealed(&request)).await?;
        let holds = is_refused(&reply.status, Code::InvalidArgument, "INVALID_REQUEST");
        found.check(holds, tried, expected, shown(&reply.status));
    }
    // What is just allowed is answered: the limits are not lower than the contract says.
    let most = GetRecordRequest {
        items: more_than_64().into_iter().take(ITEMS_MAX).collect(),
        request_id: "k".repeat(40),
        ..right.clone()
    };
    let tried = "GetRecord with 64 items, a warrant of 4095 bytes or one more and a request_id of 40 characters";
    let reply = call(&wire, tried, path::GET, &with_the_longest_warrant(kit, &most)?).await?;
    found.check(reply.status.code() == Code::Ok, tried, "an answer", shown(&reply.status));
    // What is faulty uses no warrant up.
    let right = kit.sealed(&right);
    let faulty = GetRecordRequest { request_id: String::new(), ..right.clone() };
    let tried = "GetRecord with no request_id, and then with one under the same warrant";
    call(&wire, tried, path::GET, &faulty).await?;
    let reply = call(&wire, tried, path::GET, &right).await?;
    found.check(reply.status.code() == Code::Ok, tried, "an answer", shown(&reply.status));
    Ok(())
}
