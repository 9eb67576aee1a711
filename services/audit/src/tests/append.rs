//! What an append promises when nothing fails.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::atomic::{AtomicI64, Ordering},
    task::Poll,
};

use contract::r#type::v1::RequestSignature;
use futures::future::join_all;
use proptest::prelude::*;

use super::*;
use crate::{
    Damage, Opened,
    domain::{self, DECISION_MAX, Fault, Parts, Told},
};

#[tokio::test]
async fn i1_an_answer_proves_that_the_record_stands() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        assert_eq!(log().verify(&service.checkpoint().await.unwrap()).unwrap().size, 0);
        for number in 0..5 {
            let answer = recorded(&service, number).await;
            assert_eq!(answer.index, number, "{engine:?}");
            assert_eq!(service.checkpoint().await.unwrap(), answer.checkpoint);
        }
        assert_eq!(
            service.verifier_key(),
            LogSigner::from_seed(ORIGIN, [7; 32]).unwrap().verifier_key()
        );
        assert_eq!(close_and_audit(&setup, service).await, 5);
    }
}

#[tokio::test]
async fn i1_the_opening_is_kept_as_it_was_sent() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let mut sent = access(1);
        // An empty decision and words that JSON and SQL would quote.
        sent.decision = Vec::new();
        sent.context = "/a.\"b\\/C\n'spiffe://ế\u{1f600}\n".to_owned();
        let key = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).unwrap();
        let mut leaf = Leaf::parse(&sent.leaf).unwrap();
        let (request, answer) = (key(&sent.request_digest), key(&sent.answer_digest));
        leaf.outer =
            tlog::outer_commitment(&key(&sent.outer_key), &sent.context, &request, &answer);
        leaf.inner = tlog::inner_commitment(&key(&sent.inner_key), b"");
        sent.leaf = leaf.to_bytes().to_vec();
        append(&service, sent.clone()).await.unwrap();
        let kept = ends(service.open_records(&[0])).await.unwrap().remove(&0);
        let Some(Opened::Whole(kept)) = kept else { panic!("it opens") };
        assert_eq!(
            (kept.outer_key.as_slice(), kept.inner_key.as_slice()),
            (sent.outer_key.as_slice(), sent.inner_key.as_slice())
        );
        assert_eq!((kept.request_digest, kept.answer_digest), (request, answer));
        assert_eq!((kept.context, kept.decision), (sent.context, sent.decision), "{engine:?}");
        ends(service.close()).await;
    }
}

#[tokio::test]
async fn i1_many_at_once_stand_densely_and_every_proof_holds() {
    const MANY: u64 = 300;
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let answers = join_all((0..MANY).map(|number| recorded(&service, number))).await;
        let indexes: BTreeSet<u64> = answers.iter().map(|answer| answer.index).collect();
        assert_eq!(indexes, (0..MANY).collect(), "{engine:?}");
        let checkpoints: BTreeSet<&str> = answers.iter().map(|a| a.checkpoint.as_str()).collect();
        // 300 at once in batches of at most 64: at least five, far fewer than one each.
        assert!((5..=150).contains(&checkpoints.len()), "{} commits", checkpoints.len());
        consistent(&setup, service, &checkpoints).await;
    }
}

/// Each checkpoint that was given out extends every earlier one, by proofs from the stored nodes.
async fn consistent(setup: &Setup, service: Service, notes: &BTreeSet<&str>) {
    ends(service.close()).await;
    let store = Store::open(setup.database.url(), migrations()).await.unwrap();
    let mut heads: Vec<_> = notes.iter().map(|note| log().verify(note).unwrap()).collect();
    heads.sort_by_key(|head| head.size);
    for pair in heads.windows(2) {
        let [old, new] = pair else { panic!("windows are of two") };
        let needs = tlog::consistency_needs(old.size, new.size).unwrap();
        let known = crate::store::nodes(&store, &needs).await.unwrap();
        let proof = tlog::prove_consistency(old.size, new.size, &known).unwrap();
        tlog::verify_consistency((old.size, &old.root), (new.size, &new.root), &proof).unwrap();
    }
    audit(&store).await;
    store.close().await;
}

#[tokio::test]
async fn a_batch_takes_no_more_than_its_limit() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = open(&Config { batch_max: 4, ..setup.config() }).await.unwrap();
        let answers = join_all((0..30).map(|number| recorded(&service, number))).await;
        let sizes: BTreeSet<u64> =
            answers.iter().map(|a| log().verify(&a.checkpoint).unwrap().size).collect();
        let steps: Vec<u64> = [0].iter().chain(&sizes).copied().collect();
        assert!(steps.windows(2).all(|pair| pair[1] - pair[0] <= 4), "{engine:?} {sizes:?}");
        assert_eq!(close_and_audit(&setup, service).await, 30);
    }
}

#[tokio::test]
async fn i13_the_same_record_has_one_leaf_however_often_it_is_sent() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        // Within one batch, then across batches, then across a restart.
        let at_once = join_all((0..6).map(|n| recorded(&service, n / 2))).await;
        let indexes: Vec<u64> = at_once.iter().map(|answer| answer.index).collect();
        assert_eq!(indexes, [0, 0, 1, 1, 2, 2], "{engine:?}");
        for number in 3..40 {
            recorded(&service, number).await;
        }
        let again = recorded(&service, 1).await;
        assert_eq!((again.index, log().verify(&again.checkpoint).unwrap().size), (1, 40));
        ends(service.close()).await;
        let service = setup.open().await;
        let mixed = join_all([7, 40, 8, 41].map(|number| recorded(&service, number))).await;
        let indexes: Vec<u64> = mixed.iter().map(|answer| answer.index).collect();
        assert_eq!(indexes, [7, 40, 8, 41], "{engine:?}");
        assert_eq!(close_and_audit(&setup, service).await, 42);
    }
}

#[tokio::test]
async fn a_record_id_with_another_leaf_is_refused() {
    let expect = vec![("leaf".to_owned(), "RECORD_ID_REUSED".to_owned())];
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        recorded(&service, 1).await;
        let other = append(&service, access_with(1, b"another answer")).await.unwrap_err();
        assert_eq!(faults(&other), expect, "{engine:?}");
        // Within one batch the first stands, and its neighbour is not harmed.
        let batch = [access(2), access_with(2, b"another answer"), access(3)];
        let answers = join_all(batch.map(|access| append(&service, access))).await;
        verify(&access(2).leaf, answers[0].as_ref().unwrap());
        assert_eq!(faults(answers[1].as_ref().unwrap_err()), expect, "{engine:?}");
        verify(&access(3).leaf, answers[2].as_ref().unwrap());
        assert_eq!(close_and_audit(&setup, service).await, 3);
    }
}

type Change = fn(&mut AppendRequest);

#[tokio::test]
async fn every_faulty_field_is_named_all_at_once() {
    let cases: [(&str, &[&str], Change); 13] = [
        ("leaf", &["MALFORMED"], |r| r.leaf.truncate(103)),
        ("leaf", &["MALFORMED"], |r| r.leaf.push(0)),
        ("leaf", &["MALFORMED"], |r| r.leaf[0] ^= 1),
        ("leaf", &["NOT_ALLOWED"], |r| r.outer_key[0] ^= 1),
        ("leaf", &["NOT_ALLOWED"], |r| r.request_digest[31] ^= 1),
        ("leaf", &["NOT_ALLOWED"], |r| r.context = tlog::context("/x/Y", CALLER)),
        ("leaf", &["NOT_ALLOWED"], |r| r.decision = decision(2).encode_to_vec()),
        ("outer_key", &["MALFORMED"], |r| r.outer_key.truncate(31)),
        ("inner_key", &["MALFORMED"], |r| r.inner_key.push(0)),
        ("request_digest", &["MALFORMED"], |r| r.request_digest.clear()),
        ("answer_digest", &["MALFORMED"], |r| r.answer_digest.push(1)),
        ("leaf", &["NOT_ALLOWED", "NOT_ALLOWED"], |r| {
            (r.leaf[40], r.leaf[72]) = (r.leaf[40] ^ 1, r.leaf[72] ^ 1);
        }),
        ("leaf", &["NOT_ALLOWED"], |r| r.answer_digest = r.request_digest.clone()),
    ];
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    for (number, (field, reasons, change)) in cases.into_iter().enumerate() {
        let mut faulty = access(1);
        change(&mut faulty);
        let expect: Vec<_> = reasons.iter().map(|r| (field.to_owned(), (*r).to_owned())).collect();
        let refused = append(&service, faulty).await.unwrap_err();
        assert_eq!(faults(&refused), expect, "case {number}");
    }
    for (which, change) in
        [("an outer", (|r| r.outer_key[0] ^= 1) as Change), ("an inner", |r| r.decision.clear())]
    {
        let mut faulty = access(1);
        change(&mut faulty);
        let refused = append(&service, faulty).await.unwrap_err().get_error_details();
        assert!(refused.bad_request().unwrap().field_violations[0].description.contains(which));
    }
    let nothing = append(&service, AppendRequest::default()).await.unwrap_err();
    let named: Vec<String> = faults(&nothing).into_iter().map(|(field, _)| field).collect();
    let all = ["answer_digest", "context", "inner_key", "leaf", "outer_key", "request_digest"];
    assert_eq!(named, all);
    assert_eq!(close_and_audit(&setup, service).await, 0);
}

#[tokio::test]
async fn a_call_that_did_not_come_through_the_server_core_is_refused() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    let bare = ends(service.append(Request::new(access(1)))).await.unwrap_err();
    assert_eq!(reason(&bare), (Code::Unauthenticated, "UNKNOWN_IDENTITY".to_owned()));
    assert_eq!(close_and_audit(&setup, service).await, 0);
}

pub(super) fn sent(access: AppendRequest) -> Parts {
    Parts {
        leaf: access.leaf,
        outer_key: access.outer_key.into(),
        inner_key: access.inner_key.into(),
        context: access.context,
        request_digest: access.request_digest,
        answer_digest: access.answer_digest,
        decision: access.decision,
        signer_certificate: access.signer_certificate,
        told: Some(Told::default()),
    }
}

/// An access whose request was signed by a certificate, which comes with it.
pub(super) fn signed_access(number: u64, named: &[u8], der: &[u8]) -> AppendRequest {
    let signature = RequestSignature {
        algorithm: "ed25519".to_owned(),
        certificate_thumbprint: named.to_vec(),
        signature: vec![7; 64],
    };
    let mut access = access(number);
    access.decision =
        DecisionRecord { signature: Some(signature), ..decision(number) }.encode_to_vec();
    let mut leaf = tlog::Leaf::parse(&access.leaf).unwrap();
    let key = <[u8; 32]>::try_from(access.inner_key.as_slice()).unwrap();
    leaf.inner = tlog::inner_commitment(&key, &access.decision);
    access.leaf = leaf.to_bytes().to_vec();
    access.signer_certificate = der.to_vec();
    access
}

/// What a signature verifies by is there as soon as the record is: the certificate that it names, once, and no other.
#[tokio::test]
async fn a_signature_comes_with_its_certificate_and_the_certificate_is_kept_once() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        let name = tlog::digest(b"certificate");
        for (access, reason) in [
            (signed_access(1, &name, b""), "MISSING"),
            (signed_access(1, &name, b"another"), "NOT_ALLOWED"),
            (signed_access(1, &name[1..], b"certificate"), "NOT_ALLOWED"),
            (signed_access(1, &name, &vec![0; (16 << 10) + 1]), "TOO_LONG"),
            (AppendRequest { signer_certificate: b"c".to_vec(), ..access(1) }, "NOT_ALLOWED"),
        ] {
            let refused = append(&service, access).await.unwrap_err();
            assert_eq!(faults(&refused), [("signer_certificate".to_owned(), reason.to_owned())]);
        }
        let signed = |number| append(&service, signed_access(number, &name, b"certificate"));
        for appended in join_all((1..=20).map(signed)).await {
            appended.unwrap();
        }
        recorded(&service, 21).await;
        assert_eq!(close_and_audit(&setup, service).await, 21);
        let all = "SELECT COUNT(*) FROM signer_certificate";
        assert_eq!(setup.number(all).await, 1);
        // The signatures are none, and that is found; and that the certificate is gone.
        let all_wrong: Vec<_> = (0..20).map(Damage::Signature).collect();
        let changes: [&'static [&'static str]; 2] = [&[], &["DELETE FROM signer_certificate"]];
        for change in changes {
            setup.tamper(change).await;
            let found = super::fsck::checked(&setup).await;
            assert_eq!((found.signatures, found.openings), (0, 21));
            assert_eq!(found.damages, all_wrong);
        }
    }
}

#[test]
fn a_context_is_two_lines_and_a_decision_has_a_bound() {
    let cases = [
        ("", Fault::Missing),
        ("method\ncaller", Fault::Malformed),
        ("method\n\n", Fault::Malformed),
        ("\ncaller\n", Fault::Malformed),
        ("method\ncaller\nmore\n", Fault::Malformed),
        // PostgreSQL takes no zero in a text: it would spoil the whole batch.
        ("method\ncall\0er\n", Fault::Malformed),
    ];
    for (context, fault) in cases {
        let faulty = Parts { context: context.to_owned(), ..sent(access(1)) };
        let faults = domain::check(faulty).err().unwrap();
        assert!(faults.contains(&("context", fault)), "{context:?} {faults:?}");
    }
    let long = Parts { decision: vec![0; DECISION_MAX + 1], ..sent(access(1)) };
    assert!(domain::check(long).err().unwrap().contains(&("decision", Fault::TooLong)));
    assert!(domain::check(sent(access(1))).is_ok());
}

#[tokio::test]
async fn a_record_that_is_far_ahead_of_the_clock_is_refused_with_what_else_is_wrong() {
    const SECOND: i64 = 1_790_000_000;
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let now = Arc::new(AtomicI64::new(SECOND));
        let at = Arc::clone(&now);
        let clock = Clock::from_fn(move || {
            OffsetDateTime::from_unix_timestamp(at.load(Ordering::SeqCst)).unwrap()
        });
        let config = setup.config();
        let service = Service::open_at(&config, clock, Entropy::seeded(1), PACE).await.unwrap();
        // The number of an access is also how many milliseconds after that second its leaf is.
        append(&service, access(domain::AHEAD_MAX_MS)).await.unwrap();
        let ahead = access(domain::AHEAD_MAX_MS + 1);
        let faulty = AppendRequest { outer_key: Vec::new(), ..ahead.clone() };
        for (request, fields) in
            [(ahead.clone(), ["leaf"].as_slice()), (faulty, &["outer_key", "leaf"])]
        {
            let refused = append(&service, request).await.unwrap_err().get_error_details();
            let told = &refused.bad_request().unwrap().field_violations;
            let named: Vec<_> = told.iter().map(|one| one.field.as_str()).collect();
            assert_eq!(named, fields, "{engine:?}");
            assert_eq!(told.last().unwrap().reason, "IN_THE_FUTURE", "{engine:?}");
        }
        // One that stands keeps its place, also when the log's clock is put back.
        now.store(SECOND + 1, Ordering::SeqCst);
        assert_eq!(append(&service, ahead.clone()).await.unwrap().index, 1);
        now.store(SECOND, Ordering::SeqCst);
        assert_eq!(append(&service, ahead).await.unwrap().index, 1);
        assert_eq!(close_and_audit(&setup, service).await, 2);
    }
}

proptest! {
    /// A record with any one bit changed is refused: no part can be swapped for another. The time and
    /// the id are the leaf's own and stand under no commitment.
    #[test]
    fn i1_no_changed_part_is_recorded(number: u64, part in 0_usize..6, at: usize, bit in 0_u8..8) {
        let mut parts = sent(access(number));
        let bytes = match part {
            0 => &mut *parts.outer_key,
            1 => &mut *parts.inner_key,
            2 => &mut parts.request_digest,
            3 => &mut parts.answer_digest,
            4 => &mut parts.decision,
            _ => &mut parts.leaf,
        };
        let at = if part == 5 { 40 + at % 64 } else { at % bytes.len() };
        bytes[at] ^= 1 << bit;
        prop_assert!(domain::check(parts).is_err());
    }
}

/// Drops the caller after its k-th poll, for every k: the record is whole or absent, and the log sound.
#[tokio::test]
async fn i13_a_caller_that_goes_away_leaves_a_whole_record_or_none() {
    for engine in ENGINES {
        let setup = Setup::new(engine).await;
        let service = setup.open().await;
        for k in 0..12_u64 {
            let mut call = pin!(append(&service, access(k)));
            for _ in 0..k {
                if std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            // Dropped here, wherever it stands.
        }
        // A record that follows is recorded, and what stands is whole.
        recorded(&service, 1_000).await;
        let stand = close_and_audit(&setup, service).await;
        assert!((1..=12).contains(&stand), "{engine:?}: the first never began, {stand} stand");
        // Each one that was dropped can be sent again.
        let service = setup.open().await;
        for k in 0..12 {
            recorded(&service, k).await;
        }
        assert_eq!(close_and_audit(&setup, service).await, 13, "{engine:?}");
    }
}

#[tokio::test]
async fn i13_a_caller_that_left_before_the_write_takes_its_record_back() {
    let setup = Setup::new(Engine::Sqlite).await;
    let service = setup.open().await;
    let mut early = Box::pin(append(&service, access(1)));
    assert!(std::future::poll_fn(|cx| Poll::Ready(early.as_mut().poll(cx))).await.is_pending());
    // Queued, and on one thread the sequencer has not run yet.
    drop(early);
    assert_eq!(recorded(&service, 2).await.index, 0);
    assert_eq!(close_and_audit(&setup, service).await, 1);
}
