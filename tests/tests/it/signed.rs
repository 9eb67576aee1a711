//! Every method that agencies call, under agreements that demand signed requests: whatever is not signed is refused before anything
//! is read or changed, and so is what was signed for another method. A method that is added has to be added here.

mod calls;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use contract::identity::v1::{
    GetPersonRequest, LookupStreamOpening, LookupStreamQuery, WatchPersonChangesRequest,
};
use lienthong::{client::Refused, demo::TRUST_DOMAIN};
use prost::Message;
use server::{
    Caller,
    caller::{Admission, Methods},
    signed::request::{METADATA, Signer},
    tls,
};
use store::Engine;
use tests::{events, on_both_engines, raw::Raw, web, whole::Whole};

use calls::{contributions, lookups, standing};

on_both_engines!(
    i2_every_method_of_agencies_is_refused_where_it_must_be_signed_and_is_not,
    i2_portals_that_ask_over_http_cannot_sign_and_are_refused,
);

/// Every agreement of the demonstration, as if both sides had signed that requests are signed.
const DEMANDING: &[&str] = &[
    "INSERT INTO agreement_terms (agreement, action, procedure, legal_basis, valid_from, valid_to, terms) \
     SELECT DISTINCT agreement, action, procedure, legal_basis, '2020-01-01', '2099-01-01', \
            '{\"direction\":\"\",\"units\":[],\"keys\":[],\"signed_requests\":true}' \
     FROM agreement_grant",
];

/// What demands no signature, because it tells of nobody: what may be asked for, and the log and the keys that everybody is shown.
const FREE: [&str; 9] = [
    "/lienthong.policy.v1.DecisionService/ExplainDecision",
    "/lienthong.policy.v1.DecisionService/WhatMayI",
    "/lienthong.policy.v1.WarrantKeyService/GetWarrantKeys",
    "/lienthong.audit.v1.LogService/GetCheckpoint",
    "/lienthong.audit.v1.LogService/GetTile",
    "/lienthong.audit.v1.LogService/GetEntryBundle",
    "/lienthong.audit.v1.LogService/GetInclusionProof",
    "/lienthong.audit.v1.LogService/GetConsistencyProof",
    "/lienthong.audit.v1.ReportService/CountAccesses",
];
/// What sends several requests on one call.
const STREAMS: [(&str, &str); 2] = [
    (
        "/lienthong.identity.v1.IdentityService/LookupStream",
        "/lienthong.identity.v1.IdentityService/GetPerson",
    ),
    (
        "/lienthong.contribution.v1.ContributionService/StreamContributions",
        "/lienthong.contribution.v1.ContributionService/SubmitContribution",
    ),
];

/// The metadata of a signature over a call of a method.
fn signature(files: &tls::Files, method: &str, request: &[u8]) -> String {
    let message = tlog::request_to_sign(method, &tlog::digest(request));
    let signature = Signer::open(files).unwrap().sign(&message).unwrap();
    BASE64_STANDARD_NO_PAD.encode(signature.encode_to_vec())
}

async fn called(raw: &Raw, path: &str, request: &[u8], signature: Option<&str>) -> Option<Refused> {
    let headers: Vec<_> = signature.iter().map(|signature| (METADATA, *signature)).collect();
    let reply = raw.call_bytes(path, request, &headers).await.unwrap();
    (reply.status.code() != tonic::Code::Ok).then(|| reply.refused())
}

async fn i2_portals_that_ask_over_http_cannot_sign_and_are_refused(engine: Engine) {
    for demanded in [false, true] {
        let whole = Whole::start(engine).await;
        let whole = if demanded { whole.changed("policy", DEMANDING).await } else { whole };
        let code = format!("VN{}", whole.person(false).number.as_str());
        let line = format!("GET /v3/findUsage?userCode={code}");
        let headers = [("X-Road-UserId", code), ("Lienthong-Full-Name", "A".to_owned())];
        let headers = [&headers[..], &[("Lienthong-Date-Of-Birth", "2001".to_owned())]].concat();
        let address = whole.all.usage().unwrap();
        let got = web::ask(address, whole.files("portal"), &line, &headers).await.unwrap();
        // Without the demand it is the consent that is missing.
        let expected = if demanded { "SIGNATURE_REQUIRED" } else { "NOTHING_ALLOWED" };
        assert_eq!(got.json()["code"], expected, "{engine:?}");
        assert!((400..500).contains(&got.status) && got.header("lienthong-receipt").is_none());
        whole.all.stop().await;
    }
}

async fn i2_every_method_of_agencies_is_refused_where_it_must_be_signed_and_is_not(engine: Engine) {
    let whole = Whole::start(engine).await.changed("policy", DEMANDING).await;
    let calls = [lookups(&whole), standing(&whole), contributions()].concat();
    // All methods that are open to systems of agencies are among them, but for those that are named above.
    let system = Caller::parse(&format!("spiffe://{TRUST_DOMAIN}/agency/a/system/b"), TRUST_DOMAIN);
    let system = system.unwrap();
    for (method, _) in contract::METHODS {
        let open = Methods::LIENTHONG.admission(method, &system) == Admission::Open;
        let known = calls.iter().any(|(known, ..)| known == method)
            || FREE.contains(method)
            || STREAMS.iter().any(|(stream, _)| stream == method);
        assert_eq!(open, known, "{method}");
    }
    let persons = whole.persons().await;
    // All that is wrong, so that one method does not hide the next.
    let mut wrong = Vec::new();
    for (method, name, request) in &calls {
        let files = whole.files(name);
        let raw = Raw::connect(whole.all.address(), files).await.unwrap();
        let elsewhere = signature(files, "/another.Service/Method", request);
        for (signature, expected) in [
            (None, ("PermissionDenied", "SIGNATURE_REQUIRED")),
            (Some(&*elsewhere), ("Unauthenticated", "SIGNATURE_INVALID")),
        ] {
            let refused = called(&raw, method, request, signature).await.expect("it is refused");
            let recorded = refused.get("record_index").is_some();
            if (&*refused.code, &*refused.reason) != expected || !recorded {
                wrong.push(format!("{method} {refused:?}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(whole.persons().await, persons);
    // Each of them, signed, goes on: to its answer, or to what is in the way of that.
    for (method, name, request) in &calls {
        let (files, client) = (whole.files(name), whole.client(name));
        // It lasts until somebody ends it.
        if method.ends_with("WatchPersonChanges") {
            let asked = WatchPersonChangesRequest::decode(&request[..]).unwrap();
            let signed = client.signed(files).unwrap();
            let mut watching = signed.watch_person_changes(asked).await.unwrap();
            assert!(watching.next().await.unwrap().unwrap().is_some(), "{method}");
            continue;
        }
        let raw = Raw::connect(whole.all.address(), files).await.unwrap();
        let signed = signature(files, method, request);
        if let Some(refused) = called(&raw, method, request, Some(&signed)).await
            && (refused.reason.starts_with("SIGNATURE") || refused.reason == "INVALID_REQUEST")
        {
            wrong.push(format!("{method} {refused:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
    streams(&whole).await;
    free(&whole).await;
    whole.all.stop().await;
}

/// What is sent several on one call is refused one by one, and a signature that comes with it is none.
async fn streams(whole: &Whole) {
    use contract::contribution::v1::contribution_service_client::ContributionServiceClient;
    let [(_, lookup), (_, submit)] = STREAMS;
    looked_up_on_a_stream(whole, lookup).await;
    let birth = || events::birth("entry-2", "Trần Giả Định Bảo An");
    let files = whole.files("civil-status");
    let signature = signature(files, submit, &birth().encode_to_vec());
    for (signature, reason) in
        [(None, "SIGNATURE_REQUIRED"), (Some(signature), "SIGNATURE_INVALID")]
    {
        let mut client =
            ContributionServiceClient::new(whole.client("civil-status").channel().clone());
        let mut request = tonic::Request::new(futures::stream::iter([birth()]));
        if let Some(signature) = &signature {
            request.metadata_mut().insert_bin(
                METADATA,
                tonic::metadata::MetadataValue::from_bytes(
                    &BASE64_STANDARD_NO_PAD.decode(signature).unwrap(),
                ),
            );
        }
        let mut told = client.stream_contributions(request).await.unwrap().into_inner();
        let told = told.message().await.unwrap().unwrap();
        let refused = Refused::from_status_bytes(&told.status).unwrap();
        assert_eq!(refused.reason, reason);
        let (method, fault) = match &signature {
            None => (Some(submit), None),
            Some(_) => (None, Some("stream")),
        };
        assert_eq!((refused.get("method"), refused.get("fault")), (method, fault));
    }
}

async fn looked_up_on_a_stream(whole: &Whole, instead: &str) {
    let calls = lookups(whole);
    let (_, name, request) = calls.iter().find(|(method, ..)| *method == instead).unwrap();
    let GetPersonRequest { subject, claims, items, basis, request_id, .. } =
        GetPersonRequest::decode(&request[..]).unwrap();
    let opening = LookupStreamOpening { items, basis, request_id, as_of: None };
    let client = whole.client(name);
    let (asking, mut answers) = client.lookup_stream(opening).await.unwrap().unwrap();
    let query = LookupStreamQuery { correlation_id: 1, subject, claims, min_version: 0 };
    asking.ask(query).await.unwrap();
    let refused = match answers.next().await.unwrap() {
        Ok(told) => told.unwrap().answer.err().unwrap(),
        Err(ended) => ended,
    };
    assert_eq!(refused.reason, "SIGNATURE_REQUIRED");
    assert_eq!(refused.get("method"), Some(instead));
}

/// What tells of nobody is answered without one.
async fn free(whole: &Whole) {
    let raw = Raw::connect(whole.all.address(), whole.files("civil-status")).await.unwrap();
    for method in [FREE[1], FREE[3]] {
        assert_eq!(called(&raw, method, &[], None).await, None, "{method}");
    }
}
