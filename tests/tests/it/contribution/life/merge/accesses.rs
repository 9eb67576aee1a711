//! Who saw somebody whose record was merged into another one, and split from it.

use contract::{
    identity::v1::{
        ConsentChannel, ConsentRecipient, ListAccessesAnswer, ListAccessesRequest,
        RecordConsentRequest, person_access::Told,
    },
    r#type::v1::subject_ref::Subject,
};
use tests::web;
use time::Duration;

use super::*;

on_both_engines!(
    accesses_follow_a_merge_and_a_split,
    what_is_contributed_is_told_as_the_processing_of_what_a_source_held,
);

fn own_record() -> AccessBasis {
    AccessBasis {
        legal_basis: "circular-46-2022-art-12".to_owned(),
        procedure: "own-record".to_owned(),
        ..looking()
    }
}

/// The reference of a consent that the portal sees who accessed somebody.
async fn consented(whole: &Whole, whom: (SubjectRef, Claims), key: &str) -> String {
    let (subject, claims) = whom;
    let end = whole.hands.clock().now() + Duration::minutes(10);
    let consent = RecordConsentRequest {
        subject: Some(subject),
        claims: Some(claims),
        items: vec!["personal_id_number".to_owned()],
        basis: Some(own_record()),
        recipient: Some(ConsentRecipient {
            agency: "Z03.DEMO.CONGDVC".to_owned(),
            system: "dvc".to_owned(),
        }),
        begin_time: None,
        end_time: Some(Timestamp { seconds: end.unix_timestamp(), nanos: 0 }),
        channel: ConsentChannel::OwnApp.into(),
        evidence_digest: Vec::new(),
        notice_version: "n-1".to_owned(),
        idempotency_key: key.to_owned(),
        request_id: "c-1".to_owned(),
    };
    let recorded = whole.client("portal").record_consent(&consent).await.unwrap().unwrap();
    recorded.answer.consent.unwrap().reference
}

/// The list of accesses as the portal is told of it.
async fn accesses(whole: &Whole, whom: (SubjectRef, Claims), key: &str) -> ListAccessesAnswer {
    let consent_reference = consented(whole, whom.clone(), key).await;
    let ((subject, claims), basis) = (whom, own_record());
    let request = ListAccessesRequest {
        subject: Some(subject),
        claims: Some(claims),
        basis: Some(AccessBasis { consent_reference, ..basis }),
        request_id: "seen-1".to_owned(),
        page_size: 100,
        page_token: String::new(),
    };
    whole.client("portal").list_accesses(&request).await.unwrap().unwrap().answer
}

async fn what_is_contributed_is_told_as_the_processing_of_what_a_source_held(engine: Engine) {
    let whole = village(engine).await;
    submit(&whole.client("citizen-id"), &merged("m-1", &BINH, &CHI)).await;
    whole.hands.step(Duration::MINUTE);
    told(&whole, CHI.about()).await;
    let reference = consented(&whole, CHI.about(), "k-1").await;
    let (subject, claims) = CHI.about();
    let Some(Subject::PersonalNumber(number)) = subject.subject else { panic!("by a number") };
    let born = claims.date_of_birth.unwrap();
    let headers = [
        ("X-Road-UserId", number.clone()),
        ("X-Road-PDU-Consent-Reference", reference),
        ("Lienthong-Full-Name", web::encoded(&claims.full_name)),
        ("Lienthong-Date-Of-Birth", format!("{:04}-{:02}-{:02}", born.year, born.month, born.day)),
    ];
    let (address, files) = (whole.all.usage().unwrap(), whole.files("portal"));
    let line = format!("GET /v3/findUsage?userCode={number}");
    let got = web::ask(address, files, &line, &headers).await.unwrap();
    let usage = got.json();
    assert_eq!(got.status, 200, "{usage}");
    let taken = usage["dataProcessings"].as_array().unwrap();
    assert!(!taken.is_empty(), "{usage}");
    for one in taken {
        assert_eq!(one["lienthong"]["ending"], "CONTRIBUTED", "{one}");
        assert!(one["source"]["name"].is_string() && one.get("target").is_none(), "{one}");
        assert_eq!(one["source"], one["initiatorOrg"]);
    }
    let answered = usage["dataResponses"].as_array().unwrap();
    assert!(
        answered
            .iter()
            .any(|one| one["lienthong"]["method"].as_str().unwrap().ends_with("/GetPerson"))
    );
    assert!(answered.iter().all(|one| one.get("source").is_none()), "{usage}");
    let only = format!("{line}&processingType=DATA_PROCESSING");
    let only = web::ask(address, files, &only, &headers).await.unwrap().json();
    assert_eq!(only["totalUsages"], taken.len());
    whole.all.stop().await;
}

/// How often each record, by its place, was looked up.
fn looked_up(answer: &ListAccessesAnswer) -> Vec<usize> {
    let of = |place: usize| {
        let here = answer.accesses.iter().filter(|access| access.record as usize == place);
        here.filter(|access| match access.told.as_ref().unwrap() {
            Told::Details(details) => details.method.ends_with("/GetPerson"),
            Told::Untold(why) => panic!("{why}"),
        })
        .count()
    };
    let counts: Vec<usize> = (0..answer.counts.len()).map(of).collect();
    counts.into_iter().filter(|count| *count > 0).collect()
}

async fn accesses_follow_a_merge_and_a_split(engine: Engine) {
    let whole = village(engine).await;
    let client = whole.client("citizen-id");
    told(&whole, BINH.about()).await;
    for _ in 0..2 {
        told(&whole, CHI.about()).await;
    }
    let seen = accesses(&whole, BINH.about(), "k-1").await;
    assert_eq!(looked_up(&seen), [1]);
    whole.hands.step(Duration::MINUTE);
    submit(&client, &merged("m-1", &BINH, &CHI)).await;
    whole.hands.step(Duration::MINUTE);
    for _ in 0..3 {
        told(&whole, CHI.about()).await;
    }
    // Both records are the person's: two and three under the one that stays, one under the one that ceased.
    let seen = accesses(&whole, CHI.about(), "k-2").await;
    assert_eq!(looked_up(&seen), [5, 1]);
    whole.hands.step(Duration::MINUTE);
    submit(&client, &split("s-1", CHI.about(), &BINH)).await;
    whole.hands.step(Duration::MINUTE);
    for _ in 0..4 {
        told(&whole, BINH.about()).await;
    }
    told(&whole, CHI.about()).await;
    // Of the other one's record only those of the time for which they were one, which were about both.
    let seen = accesses(&whole, BINH.about(), "k-3").await;
    assert_eq!(looked_up(&seen), [5, 3]);
    let seen = accesses(&whole, CHI.about(), "k-4").await;
    assert_eq!(looked_up(&seen), [6]);
    whole.all.stop().await;
}
