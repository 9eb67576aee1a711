#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Command;

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_795_000_000;
const ISSUER: &str = "spiffe://lienthong.test/service/policy";
const NUMBER: &str = "990190000001";
const OPENING: [u8; 32] = [9; 32];
const HOLDER: [u8; 32] = [3; 32];

fn signer() -> Signer {
    Signer::from_seed(&[7; 32])
}

fn keys() -> KeySet {
    KeySet::new([signer().public().clone()])
}

fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        aud: "civil-status".into(),
        cnf: Confirmation { thumbprint: HOLDER },
        caller: "spiffe://lienthong.test/agency/Z24.TEST/system/health-insurance".into(),
        jti: "0123456789abcdef".into(),
        subject: commitment(&OPENING, NUMBER),
        items: vec!["birth_full_name".into(), "sex".into()],
        procedure: "child-health-insurance-card".into(),
        legal_basis: "1911-2021-art-2-3".into(),
        decision: "d-1".into(),
        intent: Intent { index: 42, leaf: [5; 32] },
        nbf: NOW,
        exp: NOW + 60,
    }
}

/// What a database expects, with something of it changed.
fn check(token: &str, now: i64, change: impl FnOnce(&mut Expected<'_>)) -> Result<(), Refusal> {
    check_items(token, now, &["sex"], change)
}

fn check_items(
    token: &str,
    now: i64,
    items: &[&str],
    change: impl FnOnce(&mut Expected<'_>),
) -> Result<(), Refusal> {
    let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    let mut expected = Expected {
        issuer: ISSUER,
        audience: "civil-status",
        holder: Some(&HOLDER),
        subject: NUMBER,
        opening: &OPENING,
        items: &items,
        procedure: "child-health-insurance-card",
        legal_basis: "1911-2021-art-2-3",
    };
    change(&mut expected);
    verify(token.as_bytes(), &keys(), &expected, now).map(|_| ())
}

fn with(change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = claims();
    change(&mut claims);
    signer().sign(&claims).unwrap()
}

#[test]
fn a_good_warrant_is_taken_and_remembered_until_it_can_come_no_more() {
    let token = with(|_| {});
    assert_eq!(check(&token, NOW, |_| {}), Ok(()));
    let expected = Expected {
        issuer: ISSUER,
        audience: "civil-status",
        holder: Some(&HOLDER),
        subject: NUMBER,
        opening: &OPENING,
        items: &[],
        procedure: "child-health-insurance-card",
        legal_basis: "1911-2021-art-2-3",
    };
    let taken = verify(token.as_bytes(), &keys(), &expected, NOW).unwrap();
    assert_eq!((taken.claims, taken.remember_until), (claims(), NOW + 65));
    // Nobody takes it when its id may be forgotten.
    assert_eq!(check(&token, NOW + 65, |_| {}), Err(Refusal::Expired));
    assert_eq!(check(&token, NOW + 64, |_| {}), Ok(()));
}

#[test]
fn clocks_may_be_five_seconds_apart_and_no_more() {
    let token = with(|_| {});
    assert_eq!(check(&token, NOW - 5, |_| {}), Ok(()));
    assert_eq!(check(&token, NOW - 6, |_| {}), Err(Refusal::NotYet));
    let longest = with(|claims| claims.exp = NOW + LIFE_SECONDS_MAX);
    assert_eq!(check(&longest, NOW, |_| {}), Ok(()));
    let longer = with(|claims| claims.exp = NOW + LIFE_SECONDS_MAX + 1);
    assert_eq!(check(&longer, NOW, |_| {}), Err(Refusal::TooLongLived));
    for (nbf, exp) in [(NOW, NOW), (NOW + 1, NOW), (i64::MIN, i64::MAX)] {
        let never = with(|claims| (claims.nbf, claims.exp) = (nbf, exp));
        assert!(check(&never, NOW, |_| {}).is_err());
    }
}

#[test]
fn whatever_is_of_something_else_is_refused() {
    let token = with(|_| {});
    let refused = |change: &dyn Fn(&mut Expected<'_>)| check(&token, NOW, change).unwrap_err();
    assert_eq!(refused(&|e| e.issuer = "spiffe://x/service/policy"), Refusal::Issuer);
    assert_eq!(refused(&|e| e.audience = "residence"), Refusal::Audience);
    assert_eq!(refused(&|e| e.holder = Some(&[4; 32])), Refusal::Holder);
    assert_eq!(refused(&|e| e.holder = None), Refusal::Holder);
    assert_eq!(refused(&|e| e.subject = "990190000002"), Refusal::Subject);
    assert_eq!(refused(&|e| e.opening = &[8; 32]), Refusal::Subject);
    assert_eq!(refused(&|e| e.opening = &[]), Refusal::Subject);
    assert_eq!(refused(&|e| e.procedure = "other"), Refusal::Ground);
    assert_eq!(refused(&|e| e.legal_basis = "other"), Refusal::Ground);
    assert_eq!(check_items(&token, NOW, &["sex", "religion"], |_| {}), Err(Refusal::Items));
    assert_eq!(check("", NOW, |_| {}), Err(Refusal::Missing));
}

#[test]
fn another_key_another_algorithm_and_another_kind_of_token_are_refused() {
    let stranger = Signer::from_seed(&[8; 32]).sign(&claims()).unwrap();
    assert_eq!(check(&stranger, NOW, |_| {}), Err(Refusal::UnknownKey));
    let payload = serde_json::to_vec(&claims()).unwrap();
    let kid = signer().public().kid.clone();
    let forged = |by: &Signer, header: serde_json::Value| {
        by.sign_bytes(header.to_string().as_bytes(), &payload)
    };
    let header = |alg: &str, typ: &str| serde_json::json!({ "alg": alg, "typ": typ, "kid": kid });
    let other = Signer::from_seed(&[8; 32]);
    let named = forged(&other, header(ALGORITHM, TYPE));
    assert_eq!(check(&named, NOW, |_| {}), Err(Refusal::BadSignature));
    for alg in ["none", "HS256", "ES256", "eddsa", ""] {
        let token = forged(&signer(), header(alg, TYPE));
        assert_eq!(check(&token, NOW, |_| {}), Err(Refusal::Algorithm), "{alg}");
        let unsigned = token.rsplit_once('.').unwrap().0.to_owned() + ".";
        assert_eq!(check(&unsigned, NOW, |_| {}), Err(Refusal::Algorithm), "{alg}");
    }
    assert_eq!(
        check(&forged(&signer(), header(ALGORITHM, "JWT")), NOW, |_| {}),
        Err(Refusal::Algorithm)
    );
    let mut critical = header(ALGORITHM, TYPE);
    critical["crit"] = serde_json::json!(["b64"]);
    assert_eq!(check(&forged(&signer(), critical), NOW, |_| {}), Err(Refusal::Algorithm));
    // What nobody here knows yet changes nothing.
    let mut newer: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    newer["later"] = serde_json::json!({ "a": 1 });
    let mut head = header(ALGORITHM, TYPE);
    head["later"] = serde_json::json!(1);
    let newer = signer().sign_bytes(head.to_string().as_bytes(), newer.to_string().as_bytes());
    assert_eq!(check(&newer, NOW, |_| {}), Ok(()));
    // A claim that stands twice has no meaning.
    let text = String::from_utf8(payload).unwrap();
    let twice = text.replacen("{", r#"{"aud":"civil-status","#, 1);
    let head = header(ALGORITHM, TYPE).to_string();
    let twice = signer().sign_bytes(head.as_bytes(), twice.as_bytes());
    assert_eq!(check(&twice, NOW, |_| {}), Err(Refusal::Malformed));
}

proptest! {
    #[test]
    fn no_byte_can_be_changed(place in 0_usize..4096, to in any::<u8>()) {
        let token = with(|_| {}).into_bytes();
        let mut changed = token.clone();
        let place = place % token.len();
        changed[place] = to;
        prop_assume!(changed != token);
        let items = [];
        let expected = Expected {
            issuer: ISSUER, audience: "civil-status", holder: Some(&HOLDER), subject: NUMBER, opening: &OPENING,
            items: &items, procedure: "child-health-insurance-card", legal_basis: "1911-2021-art-2-3",
        };
        prop_assert!(verify(&token, &keys(), &expected, NOW).is_ok());
        prop_assert!(verify(&changed, &keys(), &expected, NOW).is_err());
    }

    #[test]
    fn whatever_comes_is_refused_and_ends_well(bytes in prop::collection::vec(any::<u8>(), 0..200), dots in "[a-zA-Z0-9_.-]{0,120}") {
        let expected = Expected {
            issuer: ISSUER, audience: "", holder: None, subject: "", opening: &[], items: &[], procedure: "", legal_basis: "",
        };
        prop_assert!(verify(&bytes, &keys(), &expected, NOW).is_err());
        prop_assert!(verify(dots.as_bytes(), &keys(), &expected, NOW).is_err());
    }
}

#[test]
fn keys_are_published_and_read_back() {
    let (old, next) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
    let all = [
        old.public().clone(),
        signer().public().clone(),
        next.public().clone(),
        old.public().clone(),
    ];
    let set = KeySet::new(all);
    assert_eq!(set.len(), 3);
    let json = set.to_json().unwrap();
    assert_eq!(KeySet::parse(json.as_bytes()), Ok(set));
    // A key of another kind is none of ours; one of ours under another's id is a fault.
    let more = json.replacen("[", r#"[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"e"},"#, 1);
    assert_eq!(KeySet::parse(more.as_bytes()).unwrap().len(), 3);
    let swapped = json.replacen(&old.public().kid, &next.public().kid, 1);
    assert_eq!(KeySet::parse(swapped.as_bytes()), Err(Error::MalformedKeySet));
    for bad in ["", "[]", "{}", r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"a"}]}"#] {
        assert_eq!(KeySet::parse(bad.as_bytes()), Err(Error::MalformedKeySet), "{bad}");
    }
    assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
}

#[test]
fn a_key_file_is_read_as_it_was_written() {
    let pem = signer().to_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{pem}");
    assert_eq!(Signer::from_pem(&pem).unwrap().public(), signer().public());
    assert_eq!(PublicKey::from_pem(&pem).unwrap(), *signer().public());
    assert_eq!(Signer::from_pem("nonsense").unwrap_err(), Error::MalformedKey);
    assert_eq!(PublicKey::from_pem("nonsense").unwrap_err(), Error::MalformedKey);
    assert!(!format!("{:?}", signer()).contains("7, 7"));
}

#[test]
fn a_warrant_that_nobody_would_take_is_not_made() {
    let mut claims = claims();
    claims.items = (0..64)
        .map(|number| format!("an_item_with_a_name_as_long_as_can_be_{number:026}"))
        .collect();
    assert_eq!(signer().sign(&claims), Err(Error::TooLong));
    claims.items = (0..64).map(|number| format!("an_item_{number:02}")).collect();
    assert!(signer().sign(&claims).is_ok());
}

fn vector() -> serde_json::Value {
    serde_json::from_str(include_str!("../testdata/warrant.json")).unwrap()
}

#[test]
fn the_warrant_is_what_the_vector_says() {
    let vector = vector();
    let raw = |name: &str| {
        <[u8; 32]>::try_from(hex::decode(vector[name].as_str().unwrap()).unwrap()).unwrap()
    };
    let signer = Signer::from_seed(&raw("seed"));
    let claims: Claims = serde_json::from_value(vector["claims"].clone()).unwrap();
    assert_eq!(
        claims.subject,
        commitment(&raw("opening"), vector["personal_number"].as_str().unwrap())
    );
    let der = hex::decode(vector["certificate"].as_str().unwrap()).unwrap();
    assert_eq!(claims.cnf.thumbprint, thumbprint(&der));
    let token = signer.sign(&claims).unwrap();
    assert_eq!(token, vector["warrant"].as_str().unwrap());
    let keys = KeySet::parse(vector["jwks"].to_string().as_bytes()).unwrap();
    assert_eq!(keys.find(&signer.public().kid), Some(signer.public()));
}

#[test]
fn another_language_computes_the_same_warrant() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/check_warrant.py");
    let status = Command::new("python3").arg(script).status();
    assert!(status.expect("this test needs python3 on PATH").success());
}
