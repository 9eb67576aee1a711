//! The operator's registry file beside what officers admit: each takes the place of its own alone.

use policy::domain::registry::{Connection, State};

use super::*;

on_both_engines!(
    the_file_does_not_touch_what_officers_admitted,
    the_file_is_refused_where_it_names_what_officers_admitted,
    officers_do_not_admit_what_the_file_has,
);

async fn the_file_does_not_touch_what_officers_admitted(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    // The agency is not in the file, and the file changes.
    let mut registry = office.whole.registry();
    registry.connections[0].state = State::Suspended;
    office.whole.apply_registry(&registry).await;
    let before = answered(&caller, &lookup).await.answer.policy_revision;
    // A move is another revision, and the file of before is no reason to go back.
    office.moves("operator", suspend("violation")).await;
    office.moves("second-registrar", Move::Resume(Resumption {})).await;
    office.whole.hands.step(time::Duration::seconds(61));
    assert_ne!(answered(&caller, &lookup).await.answer.policy_revision, before);
    // A start with the file is none either, whatever changed in it; what both sides signed is not in it.
    let file = office.whole.settings().policy.registry_file.clone();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("valid_to = \"20", "valid_to = \"21", 1)).unwrap();
    let office = office.restarted().await;
    answered(&office.caller(), &lookup).await;
    assert_eq!(office.whole.all.policy().look().await.unwrap(), 0);
    let version = office.get("auditor").await.unwrap().answer.admission.unwrap().version;
    assert_eq!(version, 8);
    office.close().await;
}

async fn the_file_is_refused_where_it_names_what_officers_admitted(engine: Engine) {
    let office = Office::open(engine).await;
    let (caller, lookup) = (office.caller(), office.lookup());
    office.admitted().await;
    let good = office.whole.registry();
    let connection = |id: &str, agency: &str, system: &str| Connection {
        id: id.to_owned(),
        agency: agency.to_owned(),
        system: system.to_owned(),
        ..good.connections[0].clone()
    };
    let agency = policy::domain::registry::Agency {
        code: AGENCY.to_owned(),
        vi: "Cơ quan mẫu".to_owned(),
        en: "Example agency".to_owned(),
    };
    for taken in
        [connection(ID, &good.agencies[0].code, "khac"), connection("khac", AGENCY, SYSTEM)]
    {
        let mut bad = good.clone();
        bad.agencies.push(agency.clone());
        bad.connections.push(taken);
        assert!(office.whole.all.policy().apply_registry(&bad).await.is_err());
        answered(&caller, &lookup).await;
    }
    // Of nobody, of what officers admitted, and what both sides signed.
    for (id, connection) in [
        ("agr-x", "nobody"),
        ("agr-x", ID),
        ("agr-national-portal-1", good.agreements[0].connection.as_str()),
    ] {
        let mut bad = good.clone();
        bad.agreements[0].id = id.to_owned();
        bad.agreements[0].connection = connection.to_owned();
        assert!(office.whole.all.policy().apply_registry(&bad).await.is_err());
    }
    // It may know the agency, under its own name.
    let mut named = good;
    named.agencies.push(agency);
    office.whole.apply_registry(&named).await;
    answered(&caller, &lookup).await;
    office.close().await;
}

async fn officers_do_not_admit_what_the_file_has(engine: Engine) {
    let office = Office::open(engine).await;
    let taken = office.whole.registry().connections[0].clone();
    let same = ConnectionApplication {
        agency: taken.agency.clone(),
        system: taken.system.clone(),
        ..application()
    };
    let refused = office.is_refused("operator", Move::Apply(same)).await;
    assert_eq!(missing(&refused), ["HELD_ELSEWHERE"]);
    let request = MoveConnectionRequest {
        connection: taken.id,
        ..office.request(Move::Apply(application())).await
    };
    let refused =
        office.officer("operator").move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(missing(&refused), ["HELD_ELSEWHERE"]);
    // Nor what another admission has.
    office.moves("operator", Move::Apply(application())).await;
    let request = MoveConnectionRequest {
        connection: "another".to_owned(),
        expected_version: 0,
        ..office.request(Move::Apply(application())).await
    };
    let refused =
        office.officer("operator").move_connection(&request).await.unwrap().err().unwrap();
    assert_eq!(missing(&refused), ["HELD_ELSEWHERE"]);
    let refused = office.is_refused("operator", Move::Apply(application())).await;
    assert_eq!(missing(&refused), ["ALREADY_APPLIED"]);
    office.close().await;
}
