//! Who saw somebody whose record was merged into another one, and split from it.

use contract::identity::v1::{
    ConsentChannel, ConsentRecipient, ListAccessesAnswer, ListAccessesRequest,
    RecordConsentRequest, person_access::Told,
};
use time::Duration;

use super::*;

on_both_engines!(accesses_follow_a_merge_and_a_split);

/// The list of accesses as the portal is told of it.
async fn accesses(whole: &Whole, whom: (SubjectRef, Claims), key: &str) -> ListAccessesAnswer {
    let (subject, claims) = whom;
    let basis = AccessBasis {
        legal_basis: "circular-46-2022-art-12".to_owned(),
        procedure: "own-record".to_owned(),
        ..looking()
    };
    let end = whole.hands.clock().now() + Duration::minutes(10);
    let consent = RecordConsentRequest {
        subject: Some(subject.clone()),
        claims: Some(claims.clone()),
        items: vec!["personal_id_number".to_owned()],
        basis: Some(basis.clone()),
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
    let portal = whole.client("portal");
    let recorded = portal.record_consent(&consent).await.unwrap().unwrap();
    let consent_reference = recorded.answer.consent.unwrap().reference;
    let request = ListAccessesRequest {
        subject: Some(subject),
        claims: Some(claims),
        basis: Some(AccessBasis { consent_reference, ..basis }),
        request_id: "seen-1".to_owned(),
        page_size: 100,
        page_token: String::new(),
    };
    portal.list_accesses(&request).await.unwrap().unwrap().answer
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
