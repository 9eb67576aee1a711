//! Faulty proposals and signatures that are none: all of it is named, and recorded; nothing changes.

use contract::policy::v1::{
    AgreementDelegation, AgreementParty, AgreementVolume, SignatureAlgorithm,
};

use super::*;

on_both_engines!(
    i2_a_signature_counts_by_the_right_key_over_these_bytes_only,
    every_fault_of_a_proposal_is_named_at_once,
    a_proposal_fits_the_connection,
    i2_only_registrars_move_agreements,
);

pub(super) fn faults(refused: &Refused) -> Vec<(String, String)> {
    assert_eq!(why(refused), ("InvalidArgument", "INVALID_REQUEST"), "{refused:?}");
    assert!(!refused.fields.is_empty());
    let reason = |words: &str| words.split(':').next().unwrap().to_owned();
    refused.fields.iter().map(|(field, words)| (field.clone(), reason(words))).collect()
}

async fn i2_a_signature_counts_by_the_right_key_over_these_bytes_only(engine: Engine) {
    let office = Office::opened(engine).await;
    let draft = office.drafted(FIRST, vec![prefill()]);
    let bytes = draft.encode_to_vec();
    office.proposed(&draft).await;
    let accept = AgreementStatement::Accept;
    let barred = async |signed: AgreementSignature| {
        let barred = office.is_barred(FIRST, Move::Sign(signed)).await;
        let names: Vec<_> = barred.into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    };
    let good = office.consumer().says(&bytes, accept);
    // A changed byte of what is signed, of the signature, or of the statement.
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(barred(office.consumer().says(&changed, accept)).await, "SIGNATURE_INVALID");
    let mut flipped = good.clone();
    flipped.signature[8] ^= 1;
    assert_eq!(barred(flipped).await, "SIGNATURE_INVALID");
    let other = AgreementSignature { statement: AgreementStatement::Reject.into(), ..good.clone() };
    assert_eq!(barred(other).await, "SIGNATURE_INVALID");
    let algorithm = SignatureAlgorithm::Ed25519.into();
    assert_eq!(barred(AgreementSignature { algorithm, ..good.clone() }).await, "SIGNATURE_INVALID");
    // A key that the agreement does not name, of the party itself; of nobody who agrees; of another authority.
    let path = format!("/agency/{AGENCY}/system/khac");
    let unnamed = Signer(office.whole.issue("khac", &path));
    assert_eq!(barred(unnamed.says(&bytes, accept)).await, "KEY_NOT_NAMED");
    let stranger = Signer(office.whole.issue("la", "/agency/Z77.TEST/system/la"));
    assert_eq!(barred(stranger.says(&bytes, accept)).await, "NOT_A_PARTY");
    let folder = tempfile::tempdir().unwrap();
    let clock = lienthong::process::Runtime::system().clock;
    let pki = lienthong::pki::Pki::open(folder.path(), clock).unwrap();
    let id = format!("spiffe://{}/agency/{AGENCY}/system/{SYSTEM}", demo::TRUST_DOMAIN);
    let foreign = Signer(pki.issue("cong", &id).unwrap());
    assert_eq!(barred(foreign.says(&bytes, accept)).await, "CERTIFICATE_NOT_TRUSTED");
    // The provider's officer is not the one who proposed it.
    let own = Signer(office.whole.issue("operator", "/operator/operator"));
    assert_eq!(barred(own.says(&bytes, accept)).await, "KEY_NOT_NAMED");
    let mut named = office.drafted("agr-2", vec![prefill()]);
    named.parties[0].signing_keys.push(own.thumbprint());
    office.proposed(&named).await;
    let signed = own.says(&named.encode_to_vec(), accept);
    assert_eq!(office.is_barred("agr-2", Move::Sign(signed)).await[0].0, "OTHER_OFFICER");
    // Who agrees does so by the named key; that it no longer does, it says by any.
    let revoke = unnamed.says(&bytes, AgreementStatement::Reject);
    let mut other = draft.clone();
    other.id = "agr-3".to_owned();
    office.proposed(&other).await;
    assert!(office.tries("agr-3", Move::Sign(revoke)).await.is_err(), "of other bytes");
    let reject = unnamed.says(&other.encode_to_vec(), AgreementStatement::Reject);
    let rejected = office.made("agr-3", Move::Sign(reject)).await;
    assert_eq!(rejected.state(), AgreementState::Rejected);
    // Nothing of all that changed anything, and the good one counts, once.
    assert_eq!(office.shown(FIRST).await.version, 1);
    office.made(FIRST, Move::Sign(good)).await;
    let again = office.consumer().says(&bytes, accept);
    assert_eq!(barred(again).await, "ALREADY_SAID");
    office.close().await;
}

async fn every_fault_of_a_proposal_is_named_at_once(engine: Engine) {
    let office = Office::opened(engine).await;
    let records = office.whole.records().await;
    let propose = async |content: AgreementContent| {
        let refused = office.tries(FIRST, Move::Propose(content.encode_to_vec())).await;
        faults(&refused.err().unwrap())
    };
    let empty = AgreementContent { id: FIRST.to_owned(), ..AgreementContent::default() };
    let missing = propose(empty).await;
    assert_eq!(office.whole.records().await, records + 1, "it is recorded");
    let named = |field: &str, fault: &str| (field.to_owned(), fault.to_owned());
    for field in [
        "connection",
        "nonce",
        "content",
        "place",
        "valid_from",
        "valid_to",
        "method",
        "processing",
        "limits",
        "commitments",
        "security",
        "storage",
        "deletion",
        "parties",
        "grants",
    ] {
        assert!(
            missing.contains(&named(&format!("propose.{field}"), "MISSING")),
            "{field}: {missing:?}"
        );
    }
    let good = || office.drafted(FIRST, vec![prefill()]);
    let mut bad = good();
    bad.id = "agr-other".to_owned();
    bad.processing = "về công dân 990204000001".to_owned();
    bad.valid_to = bad.valid_from.clone();
    bad.nonce = vec![0; 15];
    bad.renews = "a b".to_owned();
    bad.parties[1].signing_keys = vec![vec![0; 31]];
    bad.parties[1].units.push(UNIT.to_owned());
    bad.parties.push(AgreementParty { role: 0, ..bad.parties[1].clone() });
    let found = propose(bad).await;
    for (field, fault) in [
        ("propose.id", "NOT_ALLOWED"),
        ("propose.processing", "PERSONAL_NUMBER"),
        ("propose.valid_to", "TOO_EARLY"),
        ("propose.nonce", "MALFORMED"),
        ("propose.renews", "MALFORMED"),
        ("propose.parties[1].signing_keys", "MALFORMED"),
        ("propose.parties[1].units[1]", "REPEATED"),
        ("propose.parties[2].role", "MISSING"),
        ("propose.parties[2].agency", "REPEATED"),
    ] {
        assert!(found.contains(&named(field, fault)), "{field}: {found:?}");
    }
    // What is not known here would be signed and not kept to: another field, or one twice.
    for more in [&[0xf8, 0x07, 0x01][..], &[0x1a, 0x01, b'x']] {
        let bytes = [&good().encode_to_vec()[..], more].concat();
        let refused = office.tries(FIRST, Move::Propose(bytes)).await.err().unwrap();
        assert_eq!(faults(&refused), [named("propose", "MALFORMED")]);
    }
    let many = office.drafted(FIRST, vec![prefill(); 201]);
    assert_eq!(propose(many).await[0], named("propose.grants", "TOO_MANY"));
    let mut shared = good();
    shared.parties[0].signing_keys = shared.parties[1].signing_keys.clone();
    assert_eq!(propose(shared).await, [named("propose.parties.signing_keys", "REPEATED")]);
    // Being told by another act is within what is obtained: its days, units, keys.
    let follow = |grant: AgreementGrant| {
        let search = contract::policy::v1::Action::Search.into();
        let short = AgreementGrant { valid_to: "2026-12-01".to_owned(), ..grant.clone() };
        vec![short, AgreementGrant { action: search, ..grant }]
    };
    let wider = propose(office.drafted(FIRST, follow(prefill()))).await;
    assert_eq!(wider, [named("propose.grants", "NOT_ALLOWED")]);
    // Grants: Art. 2(4) with no direction, and what no law lists.
    let grants = vec![
        AgreementGrant { legal_basis: "1911-2021-art-2-4".to_owned(), ..prefill() },
        AgreementGrant { direction: "1/CT-TEST".to_owned(), ..prefill() },
        AgreementGrant { items: vec!["shoe_size".to_owned()], ..prefill() },
        AgreementGrant {
            valid_from: "2025-12-31".to_owned(),
            valid_to: "2027-06-02".to_owned(),
            volume: Some(AgreementVolume { persons: 0, period: 0 }),
            recipients: vec!["Z99.TEST".to_owned()],
            client_keys: vec![vec![1; 2]],
            obligations: vec!["tell-the-citizen".to_owned()],
            procedure: "no-procedure".to_owned(),
            ..prefill()
        },
    ];
    let found = propose(office.drafted(FIRST, grants)).await;
    for (field, fault) in [
        ("[0].direction", "MISSING"),
        ("[1].direction", "NOT_ALLOWED"),
        ("[2].items[0]", "UNKNOWN_CODE"),
        ("[2]", "REPEATED"),
        ("[3].valid_from", "TOO_EARLY"),
        ("[3].valid_to", "NOT_ALLOWED"),
        ("[3].volume.persons", "MISSING"),
        ("[3].volume.period", "MISSING"),
        ("[3].recipients[0]", "UNKNOWN_CODE"),
        ("[3].client_keys", "MALFORMED"),
        ("[3].obligations[0]", "UNKNOWN_CODE"),
        ("[3].procedure", "UNKNOWN_CODE"),
    ] {
        let field = format!("propose.grants{field}");
        assert!(found.contains(&named(&field, fault)), "{field}: {found:?}");
    }
    // Delegations that go in a circle, lead elsewhere, or are of nobody.
    let delegated = |delegations: &[(&str, &str)]| {
        let mut content = good();
        for agency in ["Z10.TEST", "Z11.TEST"] {
            let path = format!("/agency/{agency}/system/mot-cua");
            let signer = Signer(office.whole.issue(agency, &path));
            content.parties.push(signer.party(AgreementRole::Delegator, agency, &[]));
        }
        let one = |(from, to): &(&str, &str)| AgreementDelegation {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
        };
        content.delegations = delegations.iter().map(one).collect();
        content
    };
    let circle = propose(delegated(&[("Z10.TEST", "Z11.TEST"), ("Z11.TEST", "Z10.TEST")])).await;
    assert_eq!(circle, [named("propose.delegations", "NOT_ALLOWED")]);
    let astray = propose(delegated(&[("Z10.TEST", PROVIDER), ("Z11.TEST", AGENCY)])).await;
    assert_eq!(astray, [named("propose.delegations", "NOT_ALLOWED")]);
    let idle = propose(delegated(&[("Z10.TEST", AGENCY)])).await;
    assert_eq!(idle, [named("propose.delegations", "MISSING")]);
    let nobody = propose(delegated(&[("Z10.TEST", AGENCY), ("Z11.TEST", "Z12.TEST")])).await;
    assert!(nobody.contains(&named("propose.delegations[1].to", "UNKNOWN_CODE")), "{nobody:?}");
    assert_eq!(office.whole.count("policy", "SELECT COUNT(*) FROM signed_agreement").await, 1);
    office.close().await;
}

async fn a_proposal_fits_the_connection(engine: Engine) {
    let office = Office::opened(engine).await;
    let names = async |content: AgreementContent| {
        let barred = office.is_barred(&content.id, Move::Propose(content.encode_to_vec())).await;
        barred.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let good = |id: &str| office.drafted(id, vec![prefill()]);
    let nowhere = AgreementContent { connection: "conn-none".to_owned(), ..good("agr-2") };
    assert_eq!(names(nowhere).await, ["NO_CONNECTION"]);
    let of_file = office.whole.registry().connections[0].id.clone();
    assert_eq!(
        names(AgreementContent { connection: of_file, ..good("agr-3") }).await,
        ["NO_CONNECTION"]
    );
    let mut elsewhere = good("agr-4");
    elsewhere.parties[1].agency = "Z77.TEST".to_owned();
    assert_eq!(names(elsewhere).await, ["OTHER_CONSUMER"]);
    let mut ended = good("agr-5");
    ended.valid_to = "2026-11-24".to_owned();
    assert_eq!(names(ended).await, ["TERM_ENDED"]);
    let of_file = office.whole.registry().agreements[0].id.clone();
    assert_eq!(names(good(&of_file)).await, ["ALREADY_PROPOSED"]);
    let taken = AgreementContent { nonce: vec![9; 16], ..good("agr-national-portal-1") };
    assert_eq!(names(taken).await, ["ALREADY_PROPOSED"]);
    // What was proposed in time and is signed too late is not agreed.
    let short = AgreementContent { valid_to: "2026-11-30".to_owned(), ..good("agr-6") };
    office.proposed(&short).await;
    office.whole.hands.step(time::Duration::days(6));
    let late = office.consumer().says(&short.encode_to_vec(), AgreementStatement::Accept);
    assert_eq!(office.is_barred("agr-6", Move::Sign(late)).await[0].0, "TERM_ENDED");
    let unknown = office.consumer().says(b"x", AgreementStatement::Accept);
    let refused = office.tries("agr-unknown", Move::Sign(unknown)).await.err().unwrap();
    assert_eq!(why(&refused), ("NotFound", "UNKNOWN_AGREEMENT"));
    office.close().await;
}

async fn i2_only_registrars_move_agreements(engine: Engine) {
    let office = Office::opened(engine).await;
    let draft = office.drafted(FIRST, vec![prefill()]);
    for officer in ["auditor", "assessor", "nobody"] {
        let step = Move::Propose(draft.encode_to_vec());
        let refused = agreements::moves(&office.officer(officer), FIRST, step).await.err().unwrap();
        assert_eq!(why(&refused), ("PermissionDenied", "OFFICER_NOT_AUTHORISED"));
        assert!(refused.get("record_index").is_some());
    }
    let request = GetAgreementRequest { agreement: FIRST.to_owned() };
    let refused = office.officer("auditor").get_agreement(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("NotFound", "UNKNOWN_AGREEMENT"));
    let refused = office.officer("nobody").get_agreement(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("PermissionDenied", "OFFICER_NOT_AUTHORISED"));
    // A system of an agency has no such method.
    let refused = office.caller().get_agreement(&request).await.unwrap().err().unwrap();
    assert_eq!(why(&refused), ("PermissionDenied", "METHOD_NOT_ALLOWED"));
    office.close().await;
}
