//! The role lookup.

use std::pin::Pin;

use contract::{
    database::v1::{
        GetRecordRequest, GetRecordResponse, RecordClaimOutcome, RecordClaimResult, RecordOutcome,
        StreamRecordsRequest, StreamRecordsResponse, VerifyRecordRequest, VerifyRecordResponse,
        lookup_service_server::LookupService,
    },
    r#type::v1::{
        AccessBasis, Claims, CodedValue, ErrorReason, FieldFault, HeldValue, HeldValues,
        Identifier, IdentifierKind, ItemOutcome, ItemValue, NotHeld, PartialDate, PersonName,
        Provenance, Relation, RelationKind, SubjectRef, UnknownItem, item_outcome::Outcome,
        item_value::Value, subject_ref::Subject,
    },
};
use futures::{Stream, StreamExt as _};
use prost::Message as _;
use prost_types::Timestamp;
use server::{Thumbprint, error::refuse};
use tonic::{Request, Response, Status};

use super::{Database, Faults, QUERIES_MAX};
use crate::faults::Fault;

pub const ITEMS: [&str; 7] = [
    "birth_full_name",
    "sex",
    "personal_id_number",
    "date_of_birth",
    "nationality",
    "family_relations",
    "religion",
];
const NUMBER: &str = "990190000001";
const NAME: &str = "Nguyễn Giả Định An";
const BORN: PartialDate = PartialDate { year: 1990, month: 5, day: 1 };

fn coded(list: &str, code: &str) -> Value {
    Value::Coded(CodedValue {
        code_system: list.into(),
        code_system_version: "1".into(),
        code: code.into(),
        display: String::new(),
    })
}

fn person(number: &str) -> Identifier {
    Identifier { kind: IdentifierKind::PersonalNumber.into(), value: number.into() }
}

/// The value of an item that is held.
fn value(database: &Database, item: &str) -> Option<Value> {
    let is = |fault| database.is(fault);
    Some(match item {
        "birth_full_name" => {
            Value::Name(PersonName { full_name: NAME.into(), ..Default::default() })
        }
        "sex" => coded("sex", "1"),
        "personal_id_number" => Value::Identifier(person(NUMBER)),
        "date_of_birth" if is(Fault::DateAsText) => Value::Text("1 May 1990".into()),
        "date_of_birth" => Value::Date(BORN),
        "nationality" => match coded("nationality", "VN") {
            Value::Coded(coded) if is(Fault::CodeWithoutVersion) => {
                Value::Coded(CodedValue { code_system_version: String::new(), ..coded })
            }
            coded => coded,
        },
        "family_relations" => Value::Relation(Relation {
            kind: RelationKind::Mother.into(),
            name: Some(PersonName {
                full_name: "Trần Giả Định".into(), ..Default::default()
            }),
            identifier: Some(match is(Fault::RealNumberAnswered) {
                true => person("001160000001"),
                false => person("990160000001"),
            }),
            ..Default::default()
        }),
        "religion" if is(Fault::EmptyValue) => coded("religion", ""),
        _ => return None,
    })
}

fn check_basis(basis: Option<&AccessBasis>, faults: &mut Faults) {
    let Some(basis) = basis else { return faults.check(false, "basis", FieldFault::Missing) };
    for (field, text) in [
        ("basis.procedure", &basis.procedure),
        ("basis.legal_basis", &basis.legal_basis),
        ("basis.case_reference", &basis.case_reference),
        ("basis.acting_unit", &basis.acting_unit),
        ("basis.officer", &basis.officer),
    ] {
        faults.check(!text.is_empty(), field, FieldFault::Missing);
    }
}

pub struct Asked<'a> {
    pub subject: Option<&'a SubjectRef>,
    pub items: Vec<&'a str>,
    /// The field that holds the items.
    pub field: &'static str,
    pub basis: Option<&'a AccessBasis>,
    request_id: &'a str,
    pub warrant: &'a [u8],
    pub opening: &'a [u8],
}

/// What is faulty and taken all the same.
#[derive(Default)]
struct Taken {
    wildcard: bool,
    warrant: bool,
    token: bool,
}

impl Asked<'_> {
    fn check(&self, prefix: &str, faults: &mut Faults, taken: &Taken) {
        let named = self.subject.and_then(|subject| subject.subject.as_ref());
        faults.check(named.is_some(), format!("{prefix}subject"), FieldFault::Missing);
        let number = taken.token || !matches!(named, Some(Subject::Token(_)));
        faults.check(number, format!("{prefix}subject.token"), FieldFault::NotAllowed);
        let field = format!("{prefix}{}", self.field);
        let mut sorted = self.items.clone();
        sorted.sort_unstable();
        sorted.dedup();
        faults.check(!self.items.is_empty(), field.clone(), FieldFault::Missing);
        faults.check(self.items.len() <= 64, field.clone(), FieldFault::TooMany);
        faults.check(sorted.len() == self.items.len(), field.clone(), FieldFault::Repeated);
        faults.check(taken.wildcard || !self.items.contains(&"*"), field, FieldFault::Wildcard);
        check_basis(self.basis, faults);
        let id = !self.request_id.is_empty() && self.request_id.len() <= 40;
        faults.check(id, format!("{prefix}request_id"), FieldFault::Missing);
        let short = taken.warrant || self.warrant.len() <= 4096;
        faults.check(short, format!("{prefix}warrant"), FieldFault::TooLong);
    }
}

fn asked(request: &GetRecordRequest) -> Asked<'_> {
    Asked {
        subject: request.subject.as_ref(),
        items: request.items.iter().map(String::as_str).collect(),
        field: "items",
        basis: request.basis.as_ref(),
        request_id: &request.request_id,
        warrant: &request.warrant,
        opening: &request.warrant_opening,
    }
}

fn claimed(request: &VerifyRecordRequest) -> Asked<'_> {
    Asked {
        subject: request.subject.as_ref(),
        items: request.claimed_values.iter().map(|claimed| claimed.item.as_str()).collect(),
        field: "claimed_values",
        basis: request.basis.as_ref(),
        request_id: &request.request_id,
        warrant: &request.warrant,
        opening: &request.warrant_opening,
    }
}

/// A question without its warrant, which is another one each time.
fn bare(request: &GetRecordRequest) -> GetRecordRequest {
    GetRecordRequest { warrant: Vec::new(), warrant_opening: Vec::new(), ..request.clone() }
}

fn now() -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_767_225_600, nanos: 1 })
}

impl Database {
    fn known(&self, subject: Option<&SubjectRef>) -> bool {
        let number = subject.and_then(|subject| subject.subject.as_ref());
        matches!(number, Some(Subject::PersonalNumber(number)) if number == NUMBER)
    }

    fn agrees(&self, claims: Option<&Claims>) -> bool {
        let Some(claims) = claims else { return !self.is(Fault::ClaimsWanted) };
        let name = claims.full_name.is_empty() || claims.full_name == NAME;
        let born = claims.date_of_birth.is_none_or(|born| born == BORN);
        (name && born) || self.is(Fault::ClaimsIgnored)
    }

    fn outcome(&self, item: &str, times: usize) -> ItemOutcome {
        let known = ITEMS.contains(&item);
        let others = self.is(Fault::OtherPerson) && item == "sex";
        let held = if others { Some(coded("sex", "2")) } else { value(self, item) };
        let outcome = match (held, known) {
            (Some(value), _) => {
                let third = self.is(Fault::ThirdTimeOther) && times == 3;
                let source = if third { "other" } else { "civil-status" };
                let provenance = Provenance { source: source.into(), ..Default::default() };
                let value = Some(ItemValue { value: Some(value) });
                Outcome::Value(HeldValues {
                    values: vec![HeldValue { value, provenance: Some(provenance) }],
                })
            }
            (None, false) if !self.is(Fault::UnknownItemNotHeld) => {
                Outcome::UnknownItem(UnknownItem {})
            }
            (None, _) => Outcome::NotHeld(NotHeld {}),
        };
        ItemOutcome { item: item.to_owned(), outcome: Some(outcome), ..ItemOutcome::default() }
    }

    fn record(&self, asked: &GetRecordRequest, times: usize) -> Result<GetRecordResponse, Status> {
        let known = self.known(asked.subject.as_ref());
        let matches = known && self.agrees(asked.claims.as_ref());
        if !known && self.is(Fault::UnknownIsError) {
            return Err(refuse(ErrorReason::UnknownService));
        }
        let not_held = |item: &String| ItemOutcome {
            item: item.clone(),
            outcome: Some(Outcome::NotHeld(NotHeld {})),
            ..ItemOutcome::default()
        };
        let told = self.is(Fault::NoMatchWithItems) || (known && self.is(Fault::OtherClaimsTold));
        let mut items: Vec<ItemOutcome> = match (matches, told) {
            (true, _) => asked.items.iter().map(|item| self.outcome(item, times)).collect(),
            (false, true) => asked.items.iter().map(not_held).collect(),
            (false, false) => Vec::new(),
        };
        if self.is(Fault::OutcomeMissing) && items.len() > ITEMS.len() {
            items.remove(1);
        }
        if self.is(Fault::OutcomesSorted) {
            items.sort_by(|a, b| a.item.cmp(&b.item));
        }
        let outcome = if matches { RecordOutcome::Match } else { RecordOutcome::NoMatch };
        let hidden = known && !matches;
        let omitted = self.is(Fault::NoSubject) || (hidden && self.is(Fault::OtherClaimsNoSubject));
        let subject = asked.subject.clone().filter(|_| !omitted);
        let request_id = match self.is(Fault::NoRequestId) {
            true => String::new(),
            false => asked.request_id.clone(),
        };
        let (outcome, answer_time) = (outcome.into(), now());
        Ok(GetRecordResponse { outcome, items, subject, request_id, answer_time })
    }

    fn compared(&self, item: &str, claimed: Option<&ItemValue>) -> RecordClaimOutcome {
        if !ITEMS.contains(&item) {
            return RecordClaimOutcome::UnknownItem;
        }
        let held = value(self, item).filter(|_| item != "religion");
        match (held, claimed.and_then(|claimed| claimed.value.as_ref())) {
            (None, _) => RecordClaimOutcome::NotHeld,
            (Some(held), Some(claimed)) if held == *claimed => RecordClaimOutcome::Match,
            (Some(_), _) if self.is(Fault::MismatchNotHeld) => RecordClaimOutcome::NotHeld,
            (Some(_), _) => RecordClaimOutcome::Mismatch,
        }
    }
}

#[tonic::async_trait]
impl LookupService for Database {
    async fn get_record(
        &self,
        request: Request<GetRecordRequest>,
    ) -> Result<Response<GetRecordResponse>, Status> {
        let shown = Thumbprint::of(&request);
        let request = request.into_inner();
        self.note(&bare(&request));
        if self.is(Fault::FaultyUsesWarrant) && request.request_id.is_empty() {
            let whole = GetRecordRequest { request_id: "x".into(), ..request.clone() };
            if whole.basis.is_some() {
                let _used = self.take_warrants(shown, &[asked(&whole)]).await;
            }
        }
        let mut faults = Faults::default();
        let taken = Taken {
            wildcard: self.is(Fault::WildcardTaken),
            warrant: self.is(Fault::WarrantUnlimited),
            token: self.is(Fault::TokenTaken),
        };
        asked(&request).check("", &mut faults, &taken);
        faults.finish()?;
        self.take_warrants(shown, &[asked(&request)]).await?;
        let times = {
            let mut state = self.inner().state.lock().unwrap();
            let times = state.questions.entry(bare(&request).encode_to_vec()).or_default();
            *times += 1;
            *times
        };
        let hidden = self.known(request.subject.as_ref()) && !self.agrees(request.claims.as_ref());
        let mut answer = Response::new(self.record(&request, times)?);
        if hidden && self.is(Fault::OtherClaimsTrailer) {
            answer.metadata_mut().insert("x-known", "yes".parse().unwrap());
        }
        Ok(answer)
    }

    async fn verify_record(
        &self,
        request: Request<VerifyRecordRequest>,
    ) -> Result<Response<VerifyRecordResponse>, Status> {
        let shown = Thumbprint::of(&request);
        let request = request.into_inner();
        self.note(&VerifyRecordRequest {
            warrant: Vec::new(),
            warrant_opening: Vec::new(),
            ..request.clone()
        });
        let mut faults = Faults::default();
        claimed(&request).check("", &mut faults, &Taken::default());
        faults.finish()?;
        self.take_warrants(shown, &[claimed(&request)]).await?;
        let matches = self.known(request.subject.as_ref()) && self.agrees(request.claims.as_ref());
        let result = |claimed: &contract::database::v1::ClaimedRecordValue| RecordClaimResult {
            item: claimed.item.clone(),
            outcome: self.compared(&claimed.item, claimed.value.as_ref()).into(),
        };
        let mut results: Vec<RecordClaimResult> = match matches {
            true => request.claimed_values.iter().map(result).collect(),
            false => Vec::new(),
        };
        if self.is(Fault::VerifyBackwards) {
            results.reverse();
        }
        let outcome = if matches { RecordOutcome::Match } else { RecordOutcome::NoMatch };
        Ok(Response::new(VerifyRecordResponse {
            outcome: outcome.into(),
            results,
            subject: request.subject,
            request_id: request.request_id,
            answer_time: now(),
        }))
    }

    type StreamRecordsStream =
        Pin<Box<dyn Stream<Item = Result<StreamRecordsResponse, Status>> + Send>>;

    async fn stream_records(
        &self,
        request: Request<StreamRecordsRequest>,
    ) -> Result<Response<Self::StreamRecordsStream>, Status> {
        let shown = Thumbprint::of(&request);
        let queries = request.into_inner().queries;
        self.note(&StreamRecordsRequest { queries: queries.iter().map(bare).collect() });
        let mut faults = Faults::default();
        let most = usize::try_from(QUERIES_MAX).unwrap();
        faults.check(!queries.is_empty(), "queries", FieldFault::Missing);
        let few = queries.len() <= most || self.is(Fault::NoQueriesMax);
        faults.check(few, "queries", FieldFault::TooMany);
        for (number, query) in queries.iter().enumerate() {
            asked(query).check(&format!("queries[{number}]."), &mut faults, &Taken::default());
        }
        let refused = faults.finish();
        let midway = self.is(Fault::FaultyMidway) && queries.len() == 2;
        if !midway {
            refused.clone()?;
        }
        if refused.is_ok() {
            let questions: Vec<_> = queries.iter().map(asked).collect();
            self.take_warrants(shown, &questions).await?;
        }
        let mut answers = Vec::new();
        for query in &queries {
            let record = Some(self.record(query, 1)?);
            answers.push(Ok(StreamRecordsResponse { record }));
        }
        if self.is(Fault::ManyBackwards) {
            answers.reverse();
        }
        if self.is(Fault::ManyMissing) && answers.len() > 2 {
            answers.pop();
        }
        if let (true, Err(status)) = (midway, refused) {
            answers[1] = Err(status);
        }
        Ok(Response::new(futures::stream::iter(answers).boxed()))
    }
}
