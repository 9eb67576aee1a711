//! Requests that are signed: where an agreement demands it, and where a caller does so by itself. A signature that is there and is
//! none is refused whatever is demanded, and what was signed can be verified by whoever is shown the record.

use std::sync::Arc;

use contract::{
    audit::v1::DecisionRecord,
    contribution::v1::ListOutcomesRequest,
    identity::v1::{LookupStreamOpening, LookupStreamQuery},
    r#type::v1::RequestSignature,
};
use lienthong::client::{Client, GET_PERSON, VERIFY_CLAIMS};
use server::{signed::request::Signer as RequestSigner, tls};

use super::*;

on_both_engines!(
    what_was_signed_is_recorded_and_verifies_by_the_log_alone,
    i2_where_it_is_demanded_nothing_is_read_for_what_is_not_signed,
    i2_what_names_no_ground_is_signed_too,
    what_is_no_signature_of_the_caller_over_the_request_is_refused,
    a_caller_may_sign_where_nothing_demands_it,
    i2_queries_of_a_stream_cannot_be_signed,
    what_was_signed_stays_so_when_the_agreement_is_renewed_without_it,
);

/// Of the sample agreement, by the version of the contract without `signed_requests`.
const OLD_DIGEST: &str = "3d76740be1636569958fa86b004f1df91b95fab72ed0250b0f70c7999e504a3d";
const INVALID: (&str, &str) = ("Unauthenticated", "SIGNATURE_INVALID");
const REQUIRED: (&str, &str) = ("PermissionDenied", "SIGNATURE_REQUIRED");

impl Office {
    /// A connection whose second agreement demands signatures.
    async fn demanding(engine: Engine) -> Self {
        let office = Self::opened(engine).await;
        let draft = office.drafted(FIRST, vec![prefill()]);
        office.agreed(&AgreementContent { signed_requests: true, ..draft }).await;
        office
    }

    /// The files of the system's identity.
    fn files(&self) -> tls::Files {
        self.consumer().0
    }

    /// The system, which signs what it asks.
    fn signing(&self) -> Client {
        self.caller().signed(&self.files()).unwrap()
    }

    /// What inspectors read of a record.
    async fn record(&self, index: u64) -> DecisionRecord {
        let opened = self.whole.all.audit().open_records(&[index]).await.unwrap();
        match &opened[&index] {
            audit::Opened::Whole(opening) => DecisionRecord::decode(&opening.decision[..]).unwrap(),
            audit::Opened::Erased { .. }
            | audit::Opened::Undone
            | audit::Opened::Damaged
            | audit::Opened::Closed => panic!("the record {index} cannot be opened"),
        }
    }

    async fn signed_request(&self, index: u64) -> Option<audit::SignedRequest> {
        self.whole.all.audit().signed_requests(&[index]).await.unwrap().remove(&index)
    }

    /// The record that a refusal names.
    async fn record_of(&self, refused: &Refused) -> DecisionRecord {
        self.record(refused.get("record_index").unwrap().parse().unwrap()).await
    }
}

/// The signature by a key over a call of a method with these bytes.
fn signature(files: &tls::Files, method: &str, request: &[u8]) -> RequestSignature {
    let message = tlog::request_to_sign(method, &tlog::digest(request));
    RequestSigner::open(files).unwrap().sign(&message).unwrap()
}

/// A caller that sends these bytes as its signature, made of the method and the request.
fn sending(
    caller: Client,
    bytes: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static,
) -> Client {
    caller.signed_by(Arc::new(move |method, request| Ok(bytes(method, request))))
}

/// The digest that both sides signed of an agreement that was drafted before there was the word.
#[test]
fn an_agreement_without_the_word_has_the_bytes_that_it_had() {
    let parties = Vec::new();
    let draft =
        content("agr-old", "conn-old", ["2026-01-01", "2027-01-01"], parties, vec![prefill()]);
    let bytes = draft.encode_to_vec();
    assert_eq!(hex::encode(tlog::digest(&bytes)), OLD_DIGEST);
    let demanding = AgreementContent { signed_requests: true, ..draft };
    // Field 20, after all others: `a0 01 01`.
    assert_eq!(demanding.encode_to_vec(), [&bytes[..], &[0xa0, 0x01, 0x01]].concat());
}

async fn what_was_signed_is_recorded_and_verifies_by_the_log_alone(engine: Engine) {
    let office = Office::demanding(engine).await;
    let (lookup, files) = (office.prefilled(), office.files());
    let answer = answered(&office.signing(), &lookup).await;
    answer.verify(&office.whole.log).unwrap();
    let index = answer.receipt.index;
    let record = office.record(index).await;
    assert_eq!(record.agreement, FIRST);
    let recorded = record.signature.unwrap();
    assert_eq!(recorded.algorithm, "ecdsa-p256-sha256");
    // All that it takes stands in the log: the certificate, the method, the digest of the request.
    let shown = office.signed_request(index).await.unwrap();
    assert_eq!((&shown.signature, &*shown.method), (&recorded, GET_PERSON));
    assert!(shown.caller.ends_with(&format!("/agency/{AGENCY}/system/{SYSTEM}")));
    assert_eq!(shown.request_digest, tlog::digest(&answer.request));
    assert_eq!(tlog::digest(&shown.certificate).as_slice(), recorded.certificate_thumbprint);
    assert_eq!(
        server::Caller::from_certificate(&shown.certificate, demo::TRUST_DOMAIN).unwrap().id(),
        shown.caller
    );
    assert_eq!(shown.verify(), Ok(()));
    // It is of this request and of no other, and so is the answer.
    let other = GetPersonRequest { request_id: "request-2".to_owned(), ..lookup };
    let request_digest = tlog::digest(&other.encode_to_vec());
    assert!(audit::SignedRequest { request_digest, ..shown.clone() }.verify().is_err());
    let elsewhere = audit::SignedRequest { method: VERIFY_CLAIMS.to_owned(), ..shown };
    assert!(elsewhere.verify().is_err());
    let mismatched = Answered { request: other.encode_to_vec(), ..answer };
    assert!(mismatched.verify(&office.whole.log).is_err());
    // The same certificate is kept once, however many requests it signed; and the log as a whole is sound by it.
    answered(&office.signing(), &other).await;
    let kept = "SELECT COUNT(*) FROM signer_certificate";
    let (database, kek) = {
        let settings = &office.whole.settings().audit;
        let keys = &settings.key_encryption_key_files;
        let kek = audit::FileKeys::open(keys, server::runtime::Entropy::system()).unwrap();
        (settings.database.clone(), kek)
    };
    assert_eq!(office.whole.count("audit", kept).await, 1);
    let checked =
        audit::fsck(database.reveal(), &office.whole.log, Some(kek), |_| ()).await.unwrap();
    assert_eq!((checked.signatures, checked.damages), (2, Vec::new()));
    // What somebody else's key signs of the same bytes is another signature.
    assert_ne!(signature(&files, GET_PERSON, b"other").signature, recorded.signature);
    office.close().await;
}

async fn i2_where_it_is_demanded_nothing_is_read_for_what_is_not_signed(engine: Engine) {
    let office = Office::demanding(engine).await;
    let (caller, lookup) = (office.caller(), office.prefilled());
    // So that the decision is at hand, and what is counted is of the register alone.
    answered(&office.signing(), &lookup).await;
    let statements = || office.whole.all.identity().store().statements();
    // Somebody else may look at the register meanwhile, but not each time.
    let mut least = u64::MAX;
    for _ in 0..5 {
        let before = statements();
        assert_eq!(why(&refused(&caller, &lookup).await), REQUIRED);
        least = least.min(statements() - before);
    }
    assert_eq!(least, 0);
    let unsigned = refused(&caller, &lookup).await;
    assert_eq!(unsigned.get("agreement"), Some(FIRST));
    assert_eq!(unsigned.get("rule"), Some("signed-requests"));
    assert!(unsigned.get("article").unwrap().contains("Art. 3(4)"), "{unsigned:?}");
    let record = office.record_of(&unsigned).await;
    assert_eq!((record.agreement.as_str(), record.connection.as_str()), (FIRST, ID));
    assert_eq!(record.reason().as_str_name(), "ERROR_REASON_SIGNATURE_REQUIRED");
    assert_eq!((record.person, record.signature), (String::new(), None));
    // The first agreement, of another procedure, demands nothing, and is as it was.
    answered(&caller, &office.lookup()).await.verify(&office.whole.log).unwrap();
    // Whoever asks what it may ask for sees it.
    let may = office.caller().what_may_i(&Default::default()).await.unwrap().unwrap().answer;
    let demanded: Vec<_> = may
        .permissions
        .iter()
        .map(|one| (&*one.procedure, one.terms.as_ref().is_some_and(|t| t.signed_requests)))
        .collect();
    assert!(demanded.contains(&("portal-form-prefill", true)), "{demanded:?}");
    assert!(demanded.contains(&("child-health-insurance-card", false)), "{demanded:?}");
    office.close().await;
}

/// What became of its contributions a source is told without naming a ground: so any of its agreements that demands signatures
/// demands this one.
async fn i2_what_names_no_ground_is_signed_too(engine: Engine) {
    let office = Office::opened(engine).await;
    let request = ListOutcomesRequest { request_id: "r-1".to_owned(), ..Default::default() };
    let asks = async |caller: Client| caller.list_outcomes(&request).await.unwrap().map(|_| ());
    assert_eq!(asks(office.caller()).await, Ok(()));
    let draft = office.drafted(FIRST, vec![prefill()]);
    let demanding = AgreementContent { signed_requests: true, ..draft };
    office.agreed(&demanding).await;
    let unsigned = asks(office.caller()).await.unwrap_err();
    assert_eq!(why(&unsigned), REQUIRED);
    assert_eq!((unsigned.get("agreement"), unsigned.get("rule")), (None, Some("signed-requests")));
    assert_eq!(office.record_of(&unsigned).await.connection, ID);
    assert_eq!(asks(office.signing()).await, Ok(()));
    // When it ends, so does what it demands.
    let revoke = office.consumer().says(&demanding.encode_to_vec(), AgreementStatement::Revoke);
    office.made(FIRST, Move::Sign(revoke)).await;
    assert_eq!(asks(office.caller()).await, Ok(()));
    office.close().await;
}

async fn what_is_no_signature_of_the_caller_over_the_request_is_refused(engine: Engine) {
    let office = Office::demanding(engine).await;
    let (lookup, own) = (office.prefilled(), office.files());
    let other = office.whole.issue("khac", "/agency/Z09.TEST/system/khac");
    // The same system by another certificate: of the same agency, and not that of the connection.
    let renewed = office.whole.issue("cong-moi", &format!("/agency/{AGENCY}/system/{SYSTEM}"));
    let good = {
        let own = own.clone();
        move |method: &str, request: &[u8]| signature(&own, method, request)
    };
    type Makes = Box<dyn Fn(&str, &[u8]) -> Vec<u8> + Send + Sync>;
    let changed = |change: fn(&mut RequestSignature)| -> Makes {
        let good = good.clone();
        Box::new(move |method, request| {
            let mut signature = good(method, request);
            change(&mut signature);
            signature.encode_to_vec()
        })
    };
    let by = |files: &tls::Files| -> Makes {
        let files = files.clone();
        Box::new(move |method, request| signature(&files, method, request).encode_to_vec())
    };
    let cases: Vec<(&str, Makes)> = vec![
        ("malformed", Box::new(|_, _| b"\x0a\x09short".to_vec())),
        ("malformed", Box::new(|_, _| Vec::new())),
        ("malformed", changed(|s| s.certificate_thumbprint.truncate(20))),
        ("malformed", changed(|s| s.signature.clear())),
        ("algorithm", changed(|s| "none".clone_into(&mut s.algorithm))),
        ("signature", changed(|s| "ed25519".clone_into(&mut s.algorithm))),
        ("signature", changed(|s| "ecdsa-p384-sha384".clone_into(&mut s.algorithm))),
        ("signature", changed(|s| s.signature[10] ^= 1)),
        ("certificate", changed(|s| s.certificate_thumbprint[0] ^= 1)),
        ("certificate", by(&other)),
        ("certificate", by(&renewed)),
        // Another's signature under the own certificate's name.
        ("signature", {
            let (good, other) = (good.clone(), other.clone());
            Box::new(move |method, request| {
                let stolen = signature(&other, method, request).signature;
                RequestSignature { signature: stolen, ..good(method, request) }.encode_to_vec()
            })
        }),
        // Of another method, and of other bytes.
        ("signature", {
            let good = good.clone();
            Box::new(move |_, request| good(VERIFY_CLAIMS, request).encode_to_vec())
        }),
        ("signature", {
            let good = good.clone();
            Box::new(move |method, request| good(method, &request[1..]).encode_to_vec())
        }),
    ];
    answered(&office.signing(), &lookup).await;
    let statements = || office.whole.all.identity().store().statements();
    let mut least = u64::MAX;
    for (place, (fault, makes)) in cases.into_iter().enumerate() {
        let before = statements();
        let refused = refused(&sending(office.caller(), makes), &lookup).await;
        least = least.min(statements() - before);
        assert_eq!(why(&refused), INVALID, "{place}");
        assert_eq!(refused.get("fault"), Some(fault), "{place}");
        let record = office.record_of(&refused).await;
        assert_eq!(record.connection, ID);
        // What is none is not kept as if it were one.
        assert_eq!((record.person, record.signature), (String::new(), None));
    }
    assert_eq!(least, 0);
    office.close().await;
}

async fn a_caller_may_sign_where_nothing_demands_it(engine: Engine) {
    let office = Office::opened(engine).await;
    let lookup = office.lookup();
    let plain = answered(&office.caller(), &lookup).await;
    assert_eq!(office.record(plain.receipt.index).await.signature, None);
    assert_eq!(office.signed_request(plain.receipt.index).await, None);
    assert_eq!(office.whole.count("audit", "SELECT COUNT(*) FROM signer_certificate").await, 0);
    let signed = answered(&office.signing(), &lookup).await;
    signed.verify(&office.whole.log).unwrap();
    assert_eq!(office.signed_request(signed.receipt.index).await.unwrap().verify(), Ok(()));
    let wrong = sending(office.caller(), |_, _| vec![0]);
    assert_eq!(why(&refused(&wrong, &lookup).await), INVALID);
    // A refusal for another reason is signed, too; and an officer may sign, as may whoever asks what it may ask for.
    let nothing = refused(&office.signing(), &office.prefilled()).await;
    assert_eq!(nothing.reason, "NO_AGREEMENT");
    assert!(office.record_of(&nothing).await.signature.is_some());
    let officer = office.whole.issue("auditor", "/operator/auditor");
    let officer = office.officer("auditor").signed(&officer).unwrap();
    let listed = officer.list_agreements(&ListAgreementsRequest::default()).await.unwrap().unwrap();
    assert_eq!(office.signed_request(listed.receipt.index).await.unwrap().verify(), Ok(()));
    let wrong = sending(office.officer("auditor"), |_, _| vec![0]);
    let wrong = wrong.list_agreements(&ListAgreementsRequest::default()).await.unwrap();
    assert_eq!(why(&wrong.err().unwrap()), INVALID);
    let wrong = sending(office.caller(), |_, _| vec![0]);
    let wrong = wrong.what_may_i(&Default::default()).await.unwrap();
    assert_eq!(why(&wrong.err().unwrap()), INVALID);
    office.close().await;
}

async fn i2_queries_of_a_stream_cannot_be_signed(engine: Engine) {
    let office = Office::demanding(engine).await;
    let asked = |lookup: GetPersonRequest| {
        let GetPersonRequest { subject, claims, items, basis, request_id, .. } = lookup;
        let opening = LookupStreamOpening { items, basis, request_id, as_of: None };
        (opening, LookupStreamQuery { correlation_id: 1, subject, claims, min_version: 0 })
    };
    let told = async |lookup| {
        let (opening, query) = asked(lookup);
        let (queries, mut answers) = office.caller().lookup_stream(opening).await.unwrap().unwrap();
        queries.ask(query).await.unwrap();
        drop(queries);
        answers.next().await.unwrap().unwrap().unwrap().answer
    };
    let refused = told(office.prefilled()).await.err().unwrap();
    assert_eq!(why(&refused), REQUIRED);
    assert_eq!((refused.get("method"), refused.get("agreement")), (Some(GET_PERSON), Some(FIRST)));
    assert_eq!(office.record_of(&refused).await.agreement, FIRST);
    // What demands nothing is answered as before.
    assert!(told(office.lookup()).await.is_ok());
    office.close().await;
}

/// A renewal may demand less; what was signed before stays verifiable, and what its bytes say is what both sides signed.
async fn what_was_signed_stays_so_when_the_agreement_is_renewed_without_it(engine: Engine) {
    let office = Office::demanding(engine).await;
    let index = answered(&office.signing(), &office.prefilled()).await.receipt.index;
    let renewal = AgreementContent {
        renews: FIRST.to_owned(),
        valid_from: "2026-12-01".to_owned(),
        ..office.drafted("agr-2", vec![prefill()])
    };
    office.agreed(&renewal).await;
    assert_eq!(why(&refused(&office.caller(), &office.prefilled()).await), REQUIRED);
    office.whole.hands.step(time::Duration::days(8));
    answered(&office.caller(), &office.prefilled()).await;
    assert_eq!(office.signed_request(index).await.unwrap().verify(), Ok(()));
    office.close().await;
}
