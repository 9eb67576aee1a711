//! Warrants as the exchange asks for them and as a database checks them, on both engines.

use std::path::Path;

use ::warrant::{Claims, Expected, KeySet, Refusal, Signer, commitment, verify};
use contract::policy::v1::{
    GetWarrantKeysRequest, IssueWarrantRequest, IssueWarrantResponse, RecordedIntent, SubjectFact,
    Warrant, issue_warrant_response::Outcome, warrant_key_service_client::WarrantKeyServiceClient,
    warrant_service_client::WarrantServiceClient,
};
use tempfile::TempDir;

use super::*;
use crate::domain::registry::Grant;

const GROUND: &str = "1911-2021-art-2-3";
const PROCEDURE: &str = "child-health-insurance-card";
const NUMBER: &str = "990190000001";
const OPENING: [u8; 32] = [9; 32];
const HOLDER: [u8; 32] = [3; 32];
const CALLER: &str = "spiffe://lienthong.test/agency/G24/system/health-insurance";

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32])
}

fn key_file(folder: &Path, seed: u8) -> String {
    let path = folder.join(format!("{seed}.pem"));
    std::fs::write(&path, signer(seed).to_pem().unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A registry in which social insurance may ask other databases.
fn sharing() -> Registry {
    let mut registry = sample();
    registry.agreements[0].grants.push(Grant {
        action: crate::domain::rules::Act::Obtain,
        procedure: PROCEDURE.into(),
        legal_basis: GROUND.into(),
        items: ["birth_full_name", "date_of_birth", "religion"].map(Into::into).into(),
        obligations: Vec::new(),
    });
    registry
}

/// A service that signs by one key and publishes others, on a database.
async fn signing(
    database: &TestDatabase,
    now: OffsetDateTime,
    folder: &TempDir,
    keys: &[u8],
) -> Service {
    let mut files = keys.iter().map(|seed| key_file(folder.path(), *seed));
    let config = Config {
        warrant_key_file: files.next().unwrap_or_default(),
        warrant_published_files: files.collect(),
        ..config(database, now)
    };
    let service = start(&config, now).await.unwrap();
    service.apply_registry(&sharing()).await.unwrap();
    service
}

fn wanted(items: &[&str]) -> IssueWarrantRequest {
    let fact = |fact: &str| SubjectFact { fact: fact.into(), holds: false };
    let basis = request("G24", "health-insurance", PROCEDURE, items).basis.unwrap();
    IssueWarrantRequest {
        caller: CALLER.into(),
        basis: Some(AccessBasis { legal_basis: GROUND.into(), ..basis }),
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        database: "civil-status".into(),
        holder: HOLDER.to_vec(),
        subject_commitment: commitment(&OPENING, NUMBER).to_vec(),
        facts: ["deceased", "minor", "protected"].map(fact).into(),
        intent: Some(RecordedIntent { index: 41, leaf_hash: vec![5; 32] }),
    }
}

fn asked<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let exchange = "spiffe://lienthong.test/service/exchange";
    request.extensions_mut().insert(Caller::parse(exchange, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(Duration::from_secs(60)));
    request
}

async fn issue(
    service: &Service,
    wanted: IssueWarrantRequest,
) -> Result<IssueWarrantResponse, Status> {
    let mut client = WarrantServiceClient::new(service.internal(Routes::default()));
    Ok(client.issue_warrant(asked(wanted)).await?.into_inner())
}

async fn keys(service: &Service) -> KeySet {
    let mut client = WarrantKeyServiceClient::new(service.internal(Routes::default()));
    let keys = client.get_warrant_keys(asked(GetWarrantKeysRequest {})).await.unwrap().into_inner();
    assert_eq!(keys.issuer, "spiffe://lienthong.test/service/policy");
    assert_eq!(keys.refresh_after.unwrap().seconds, 300);
    KeySet::parse(&keys.jwks).unwrap()
}

fn warrant_of(response: &IssueWarrantResponse) -> Warrant {
    let Some(Outcome::Warrant(warrant)) = &response.outcome else { panic!("{response:?}") };
    warrant.clone()
}

fn denial_of(response: &IssueWarrantResponse) -> (ErrorReason, String) {
    let Some(Outcome::Denial(denial)) = &response.outcome else { panic!("{response:?}") };
    assert!(!denial.article.is_empty() && response.items.is_empty());
    (denial.reason(), denial.rule.clone())
}

/// As the asked database checks it.
fn taken(
    token: &[u8],
    keys: &KeySet,
    audience: &str,
    now: OffsetDateTime,
) -> Result<Claims, Refusal> {
    let items = ["birth_full_name".to_owned()];
    let expected = Expected {
        issuer: "spiffe://lienthong.test/service/policy",
        audience,
        holder: Some(&HOLDER),
        subject: NUMBER,
        opening: &OPENING,
        items: &items,
        procedure: PROCEDURE,
        legal_basis: GROUND,
    };
    verify(token, keys, &expected, now.unix_timestamp()).map(|accepted| accepted.claims)
}

#[tokio::test]
async fn a_warrant_says_what_was_decided_and_for_whom() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let service = signing(&database, NOW, &folder, &[1]).await;
        let response =
            issue(&service, wanted(&["birth_full_name", "date_of_birth"])).await.unwrap();
        let warrant = warrant_of(&response);
        let claims = taken(&warrant.token, &keys(&service).await, "civil-status", NOW).unwrap();
        assert_eq!(claims.items, ["birth_full_name", "date_of_birth"]);
        assert_eq!(
            (claims.items.clone(), &claims.decision),
            (warrant.items, &response.decision_id)
        );
        assert_eq!((claims.caller.as_str(), claims.aud.as_str()), (CALLER, "civil-status"));
        assert_eq!((claims.intent.index, claims.intent.leaf), (41, [5; 32]));
        assert_eq!((claims.nbf, claims.exp), (NOW.unix_timestamp(), NOW.unix_timestamp() + 60));
        assert_eq!(warrant.expire_time.unwrap().seconds, claims.exp);
        assert_eq!(response.agreement, "agr-health-cards");
        // I8: nothing of it names the person.
        let text = String::from_utf8(warrant.token).unwrap();
        assert!(
            !text.contains(NUMBER) && !serde_json::to_string(&claims).unwrap().contains(NUMBER)
        );
        // Each is another one.
        let again = issue(&service, wanted(&["birth_full_name"])).await.unwrap();
        let again = warrant_of(&again).token;
        let again = taken(&again, &keys(&service).await, "civil-status", NOW).unwrap();
        assert_ne!(again.jti, claims.jti);
    }
}

#[tokio::test]
async fn i3_a_warrant_names_no_more_than_is_allowed() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let service = signing(&database, NOW, &folder, &[1]).await;
        // Religion by consent only; sex is not granted on this ground; nobody knows a shoe size.
        let all = ["religion", "birth_full_name", "sex", "shoe_size"];
        let response = issue(&service, wanted(&all)).await.unwrap();
        assert_eq!(warrant_of(&response).items, ["birth_full_name"]);
        let told: Vec<_> =
            response.items.iter().map(|item| (item.item.as_str(), item.effect())).collect();
        let (allowed, withheld) = (ItemEffect::Allowed, ItemEffect::Withheld);
        let effects = [withheld, allowed, withheld, ItemEffect::UnknownItem];
        assert_eq!(told, all.into_iter().zip(effects).collect::<Vec<_>>());
        // Nobody finds a consent here, whatever is named and whatever whoever asks says of it: there is none.
        let mut consented = wanted(&["religion"]);
        consented.basis.as_mut().unwrap().consent_reference = "DY-1".into();
        let fact = SubjectFact { fact: "consent".to_owned(), holds: true };
        let said = IssueWarrantRequest { facts: vec![fact], ..wanted(&["religion"]) };
        for asked in [wanted(&["religion"]), consented, said] {
            let nothing = issue(&service, asked).await.unwrap();
            let expect = (ErrorReason::NothingAllowed, "religion-by-consent".to_owned());
            assert_eq!(denial_of(&nothing), expect);
        }
    }
}

/// Nobody who asks for a warrant shows what the system has signed for which it asks.
#[tokio::test]
async fn i2_there_is_no_warrant_for_what_must_be_signed() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, TempDir::new().unwrap());
        let service = signing(&database, NOW, &folder, &[1]).await;
        warrant_of(&issue(&service, wanted(&["birth_full_name"])).await.unwrap());
        signatures::demand(&service).await;
        let response = issue(&service, wanted(&["birth_full_name"])).await.unwrap();
        let denial = (ErrorReason::SignatureRequired, "signature-not-checked".to_owned());
        assert_eq!(denial_of(&response), denial);
        service.close().await;
    }
}

#[tokio::test]
async fn i2_what_is_not_known_of_the_person_is_denied() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let service = signing(&database, NOW, &folder, &[1]).await;
        let fact = |fact: &str, holds| SubjectFact { fact: fact.into(), holds };
        let hidden = (ErrorReason::NothingAllowed, "protected-person-hidden".to_owned());
        for facts in [
            vec![],
            vec![fact("deceased", false), fact("minor", false)],
            vec![fact("protected", true)],
            // Said twice, it is not known.
            vec![fact("protected", false), fact("protected", false)],
            vec![fact("protected", false), fact("protected", true)],
        ] {
            let wanted = IssueWarrantRequest { facts, ..wanted(&["birth_full_name"]) };
            assert_eq!(denial_of(&issue(&service, wanted).await.unwrap()), hidden);
        }
        let facts = vec![fact("protected", false), fact("likes_tea", true)];
        let wanted = IssueWarrantRequest { facts, ..wanted(&["birth_full_name"]) };
        warrant_of(&issue(&service, wanted).await.unwrap());
    }
}

#[tokio::test]
async fn i2_neither_who_asks_nor_who_is_asked_may_be_without_a_connection() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let service = signing(&database, NOW, &folder, &[1]).await;
        let inactive = ErrorReason::ConnectionNotActive;
        for (database, rule) in [
            ("nobody", "database-not-connected"),
            ("portal", "connection-suspended"),
            ("residence", "assessment-lapsed"),
        ] {
            let wanted =
                IssueWarrantRequest { database: database.into(), ..wanted(&["birth_full_name"]) };
            let told = denial_of(&issue(&service, wanted).await.unwrap());
            assert_eq!(told, (inactive, rule.to_owned()), "{database}");
        }
        let caller = "spiffe://lienthong.test/agency/H99/system/portal".to_owned();
        let suspended = IssueWarrantRequest { caller, ..wanted(&["birth_full_name"]) };
        let told = denial_of(&issue(&service, suspended).await.unwrap());
        assert_eq!(told, (inactive, "connection-suspended".to_owned()));
        let mut ungranted = wanted(&["birth_full_name"]);
        ungranted.basis.as_mut().unwrap().procedure = "portal-form-prefill".into();
        let told = denial_of(&issue(&service, ungranted).await.unwrap());
        assert_eq!(told.0, ErrorReason::NoAgreement);
        // What is suspended meanwhile gets no further one.
        warrant_of(&issue(&service, wanted(&["birth_full_name"])).await.unwrap());
        let mut registry = sharing();
        let asked = registry.connections.iter_mut().find(|c| c.database == "civil-status").unwrap();
        asked.state = State::Suspended;
        service.apply_registry(&registry).await.unwrap();
        let told = denial_of(&issue(&service, wanted(&["birth_full_name"])).await.unwrap());
        assert_eq!(told, (inactive, "connection-suspended".to_owned()));
    }
}

#[tokio::test]
async fn every_faulty_field_of_a_warrant_that_is_wanted_is_named_at_once() {
    let (database, folder) =
        (TestDatabase::new(Engine::Sqlite).await, tempfile::tempdir().unwrap());
    let service = signing(&database, NOW, &folder, &[1]).await;
    let status = issue(&service, IssueWarrantRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let named = |status: &Status| -> Vec<String> {
        let bad = status.get_error_details().bad_request().unwrap().clone();
        bad.field_violations.into_iter().map(|fault| fault.field).collect()
    };
    let all = ["caller", "basis", "items", "database", "holder", "subject_commitment", "intent"];
    assert_eq!(named(&status), all);
    let short = IssueWarrantRequest {
        holder: vec![1; 31],
        subject_commitment: vec![1; 33],
        intent: Some(RecordedIntent { index: 0, leaf_hash: vec![1; 20] }),
        ..wanted(&["birth_full_name"])
    };
    let status = issue(&service, short).await.unwrap_err();
    assert_eq!(named(&status), ["holder", "subject_commitment", "intent.leaf_hash"]);
}

#[tokio::test]
async fn a_warrant_ends_with_what_it_stands_on() {
    // Twenty seconds before the agreement ends, at midnight in Viet Nam.
    let now = datetime!(2026-12-31 16:59:40.5 UTC);
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let service = signing(&database, now, &folder, &[1]).await;
        let warrant = warrant_of(&issue(&service, wanted(&["birth_full_name"])).await.unwrap());
        let end = datetime!(2026-12-31 17:00 UTC).unix_timestamp();
        assert_eq!(warrant.expire_time.unwrap().seconds, end);
    }
}

#[tokio::test]
async fn keys_are_rotated_without_a_gap_and_outlive_a_restart() {
    for engine in ENGINES {
        let (database, folder) = (TestDatabase::new(engine).await, tempfile::tempdir().unwrap());
        let token = async |service: &Service| {
            warrant_of(&issue(service, wanted(&["birth_full_name"])).await.unwrap()).token
        };
        let good = |token: &[u8], keys: &KeySet| taken(token, keys, "civil-status", NOW).is_ok();
        // The key that signs; then the next one beside it; then the other way round; then the new one alone.
        let service = signing(&database, NOW, &folder, &[1]).await;
        let (first, only) = (token(&service).await, keys(&service).await);
        service.close().await;
        let service = signing(&database, NOW, &folder, &[1, 2]).await;
        let (before, both) = (token(&service).await, keys(&service).await);
        service.close().await;
        let service = signing(&database, NOW, &folder, &[2, 1]).await;
        let (after, exchanged) = (token(&service).await, keys(&service).await);
        service.close().await;
        let service = signing(&database, NOW, &folder, &[2]).await;
        let alone = keys(&service).await;
        assert_eq!((only.len(), both.len(), exchanged.len(), alone.len()), (1, 2, 2, 1));
        // Whoever has the keys of either of the middle steps takes whatever was signed before and after.
        for keys in [&both, &exchanged] {
            assert!(good(&first, keys) && good(&before, keys) && good(&after, keys));
        }
        assert!(!good(&after, &only) && !good(&before, &alone) && good(&after, &alone));
    }
}

#[tokio::test]
async fn i9_a_key_that_is_none_keeps_the_service_from_starting_and_without_one_nothing_is_signed() {
    let (database, folder) =
        (TestDatabase::new(Engine::Sqlite).await, tempfile::tempdir().unwrap());
    let none = folder.path().join("none.pem");
    std::fs::write(&none, "no key").unwrap();
    let none = none.to_str().unwrap().to_owned();
    let faulty = |key: &str, published: &str, seconds: u64| Config {
        warrant_key_file: key.to_owned(),
        warrant_published_files: vec![published.to_owned()],
        warrant_seconds: seconds,
        ..config(&database, NOW)
    };
    let good = key_file(folder.path(), 1);
    for faulty in [
        faulty(&none, &good, 60),
        faulty(&good, &none, 60),
        faulty("/nowhere.pem", &good, 60),
        faulty(&good, &good, 0),
        faulty(&good, &good, 301),
    ] {
        assert!(start(&faulty, NOW).await.is_err());
    }
    let service = open(&database, NOW).await;
    service.apply_registry(&sharing()).await.unwrap();
    let status = issue(&service, wanted(&["birth_full_name"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
